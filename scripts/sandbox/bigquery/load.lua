-- Filling the contacts table: from a file of newline-delimited JSON, or from an iterator of records. The table always
-- has the full canonical schema; names in a file that are not in it become further columns. A file is read through
-- twice, line by line: first checked and its further columns typed, then loaded in one transaction.

local err = require "syncrun.err"
local json = require "syncrun.json"
local ndjson = require "sandbox.bigquery.ndjson"

local M = {}

local CANONICAL = [[contact_id canonical_name name_normalized first_name last_name middle_name nickname name_suffix
title full_name organization job_title department category_code subcategory_code relationship_category notes
birthday:DATE is_business:BOOL is_me:BOOL email phone llm_context:JSON communication_stats:JSON social_network:JSON
ai_insights:JSON recommendations:JSON sync_metadata:JSON created_at:TIMESTAMP updated_at:TIMESTAMP
first_seen:TIMESTAMP last_seen:TIMESTAMP]]

---The canonical schema of contacts_master.
---@return table
function M.canonical_schema()
	local out = {}
	for entry in CANONICAL:gmatch("%S+") do
		local name, kind = entry:match("^([^:]+):?(%u*)$")
		out[#out + 1] = { name = name, type = kind ~= "" and kind or "STRING", mode = "NULLABLE" }
	end
	return out
end

local function bad_line(file, number, message)
	err.raise { kind = "config", message = ("cannot load '%s' (line %d: %s)"):format(file, number, message) }
end

local function open(file)
	local f, why = io.open(file, "rb")
	if not f then
		err.raise { kind = "config", message = ("cannot open '%s' (%s)"):format(file, why:match(": (.*)$") or why) }
	end
	return f
end

local function json_error(line)
	local _, e = err.try(json.decode, line)
	return e and e.message or "not valid JSON"
end

-- Calls fn(members, number) for each line that is not blank.
local function each_line(file, fn)
	local f <close> = open(file)
	local number = 0
	for line in f:lines() do
		number = number + 1
		if line:find("%S") then
			local members = json.valid(line) and ndjson.members(line, json)
			if not members then
				local object = line:find("^%s*{")
				bad_line(file, number, object and json_error(line) or "expected a JSON object")
			end
			fn(members, number)
		end
	end
end

-- The schema for a file: the canonical columns, then the others in byte order of their names.
local function schema_of(file)
	local schema, known, others = M.canonical_schema(), {}, {}
	for _, f in ipairs(schema) do
		known[f.name] = f
	end
	each_line(file, function(members, number)
		for name, text in pairs(members) do
			local f = known[name]
			if not f then
				others[name] = ndjson.observe(others[name], text)
			elseif f.type ~= "STRING" or text:find("^[%[{]") then
				local _, why = ndjson.value(f, text, json)
				if why then
					bad_line(file, number, why)
				end
			end
		end
	end)
	local names = {}
	for name in pairs(others) do
		names[#names + 1] = name
	end
	table.sort(names)
	for _, name in ipairs(names) do
		schema[#schema + 1] = { name = name, type = ndjson.infer(others[name]), mode = "NULLABLE" }
	end
	return schema, names
end

-- The text a further column of mixed kinds keeps: a string without its quotes, anything else as spelled.
local function loose(field, text)
	if field.type == "STRING" and text:find("^[%[{]") then
		return text
	end
	return ndjson.value(field, text, json)
end

local function insert_sql(storage, schema)
	return ("INSERT INTO %s VALUES (?%s)"):format(storage, (",?"):rep(#schema - 1))
end

local function fill_from_file(db, storage, schema, file)
	local sql, count, width, rows = insert_sql(storage, schema), 0, #schema, {}
	each_line(file, function(members)
		for i = 1, width do
			local text = members[schema[i].name]
			rows[i] = text and loose(schema[i], text) or nil
		end
		db:run(sql, table.unpack(rows, 1, width))
		count = count + 1
	end)
	return count
end

local function fill_from_records(db, storage, schema, records)
	local sql, count, width, row = insert_sql(storage, schema), 0, #schema, {}
	for record in records do
		for i = 1, width do
			row[i] = record[schema[i].name]
		end
		db:run(sql, table.unpack(row, 1, width))
		count = count + 1
	end
	return count
end

---Replace (or make) a table by the rows of a file or of an iterator of records, all or nothing.
---Records hold stored values by name: text, integers (timestamps in microseconds), booleans.
---@param tables table the catalog
---@param o table {project=, dataset=, table=, file= | records=}
---@return table {rows=, replaced=, others={names of columns beyond the canonical ones}}
function M.load(tables, o)
	local schema, others = M.canonical_schema(), {}
	if o.file then
		schema, others = schema_of(o.file)
	end
	if not tables:find_dataset(o.project, o.dataset) then
		tables:add_dataset(o.project, o.dataset, o.location or "US")
	end
	local old = tables:find(o.project, o.dataset, o.table)
	local count = tables.db:transaction(function()
		local storage = tables:new_storage "t"
		tables:create_storage(storage, schema)
		local n = o.file and fill_from_file(tables.db, storage, schema, o.file)
			or fill_from_records(tables.db, storage, schema, o.records)
		if old then
			tables:remove(old)
		end
		tables:add(o.project, o.dataset, o.table, schema, storage)
		return n
	end)
	return { rows = count, replaced = old ~= nil, others = others }
end

return M

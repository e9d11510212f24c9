-- Rows to the JSON text of answers: what each field type reads back as (twenty.md section 6), whole records and
-- selected parts of them. Strings are joined, never tables of records, so that large pages stay cheap.
local catalog = require "sandbox.twenty.catalog"
local dates = require "sandbox.twenty.dates"
local js = require "sandbox.twenty.jsvalue"

local M = {}

local quote, number_text = js.quote, js.number_text

local function text(column)
	return function(row)
		local v = row[column]
		return v and quote(v) or '""'
	end
end

local function quoted(column)
	return function(row)
		local v = row[column]
		return v and quote(v) or "null"
	end
end

local function raw(column, empty)
	return function(row) return row[column] or empty end
end

local function number(column)
	return function(row)
		local v = row[column]
		return v and number_text(v) or "null"
	end
end

local readers = {
	TEXT = text, RICH_TEXT = text, TS_VECTOR = text, SELECT = quoted, RATING = quoted, UUID = quoted, DATE = quoted,
	NUMBER = number, NUMERIC = number, POSITION = number,
	BOOLEAN = function(column)
		return function(row)
			local v = row[column]
			if v == nil then return "null" end
			return (v == 1 or v == true) and "true" or "false"
		end
	end,
	DATE_TIME = function(column)
		return function(row)
			local v = row[column]
			return v and '"' .. dates.iso(v) .. '"' or "null"
		end
	end,
	ARRAY = function(column) return raw(column, "[]") end,
	MULTI_SELECT = function(column) return raw(column, "[]") end,
	RAW_JSON = function(column) return raw(column, "null") end,
	FILES = function(column) return raw(column, "null") end,
}

local function column_reader(c)
	if c.type == "RAW_JSON" and c.empty then return raw(c.column, c.empty) end
	return readers[c.type](c.column)
end

--- Joins members {name, reader} into a reader of an object.
---@param members table[]
---@return fun(row: table): string
function M.object(members)
	local names, fns = {}, {}
	for i, m in ipairs(members) do names[i], fns[i] = (i > 1 and "," or "{") .. quote(m[1]) .. ":", m[2] end
	if #members == 0 then return function() return "{}" end end
	return function(row)
		local out = {}
		for i = 1, #names do
			out[2 * i - 1] = names[i]
			out[2 * i] = fns[i](row)
		end
		out[#out + 1] = "}"
		return table.concat(out)
	end
end

--- The reader of a whole field.
---@param field table
---@return fun(row: table): string
function M.field(field)
	if not catalog.composites[field.type] then return column_reader(field.columns[1]) end
	local members = {}
	for i, c in ipairs(field.columns) do members[i] = { c.sub, column_reader(c) } end
	return M.object(members)
end

--- The reader of one subfield of a composite, nil when it has no such part.
---@param field table
---@param sub string
---@return fun(row: table): string?
function M.part(field, sub)
	for _, c in ipairs(field.columns) do
		if c.sub == sub then return column_reader(c) end
	end
end

--- {name, reader} of every scalar and composite field of an object, and of its join columns.
---@param object table
---@return table[]
function M.members(object)
	local members = {}
	for _, field in ipairs(object.fields) do
		if field.type == "RELATION" then
			for _, c in ipairs(field.columns) do members[#members + 1] = { c.column, column_reader(c) } end
		else
			members[#members + 1] = { field.name, M.field(field) }
		end
	end
	return members
end

--- The reader of a whole record without relations; made anew when the model changes.
---@param object table
---@return fun(row: table): string
function M.record(object)
	if object.reader_version ~= object.version then
		object.reader, object.reader_version = M.object(M.members(object)), object.version
	end
	return object.reader
end

return M

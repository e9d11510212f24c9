-- The records of the workspace in SQLite: find, create, upsert, update, soft delete, restore, destroy. The rules REST
-- and GraphQL share (batch limit, matching, order of answers, what is atomic and what is not). Knows no transport.
local crypto = require "syncrun.crypto"
local err = require "syncrun.err"
local time = require "syncrun.time"
local errors = require "sandbox.twenty.errors"
local js = require "sandbox.twenty.jsvalue"
local order = require "sandbox.twenty.order"
local search = require "sandbox.twenty.search"
local values = require "sandbox.twenty.values"
local where = require "sandbox.twenty.where"

local M = {}

local Records = {}
Records.__index = Records

local max_batch = 200
-- How many of the created records the release of June 2025 answers.
local v1_answer = 60
local NULL = values.NULL

--- The records of a database with this model.
---@param db table
---@param metadata table
---@param schema string the schema's name in Postgres messages
---@return table
function M.new(db, metadata, schema)
	db:exec "PRAGMA case_sensitive_like = ON"
	return setmetatable({ db = db, metadata = metadata, schema = schema }, Records)
end

local function now_ms() return time.now() // 1000 end

--- The ids GraphQL answers of those that createPeople made.
---@param ids string[]
---@return string[]
function Records:answered(ids)
	if not self.metadata.v1 or #ids <= v1_answer then return ids end
	return table.move(ids, 1, v1_answer, 1, {})
end

-- Reading ----------------------------------------------------------------------------------------------------------

local function live(sql, speaks_of_deleted)
	if speaks_of_deleted then return sql end
	return sql .. ' AND "deletedAt" IS NULL'
end

--- Counts the rows of a filter.
---@param object table
---@param filter table?
---@return integer
function Records:count(object, filter)
	local sql, params, deleted = where.compile(object, filter, self.schema)
	return self.db:one(string.format('SELECT count(*) AS n FROM "%s" WHERE %s', object.singular, live(sql, deleted)),
		table.unpack(params)).n
end

local function page_sql(self, object, o)
	local sql, params, deleted = where.compile(object, o.filter, self.schema)
	sql = live(sql, deleted)
	local cursor = o.after or o.before
	if cursor then
		local more, more_params = order.continuation(o.order, order.read_cursor(cursor), o.before ~= nil)
		sql = sql .. " AND " .. more
		table.move(more_params, 1, #more_params, #params + 1, params)
	end
	params[#params + 1] = o.limit + 1
	return string.format('SELECT * FROM "%s" WHERE %s ORDER BY %s LIMIT ?', object.singular, sql,
		order.sql(o.order, o.before ~= nil)), params
end

-- The rows of a walk towards the front arrive in the wrong order.
local function visit_backward(self, sql, params, limit, page, visit)
	local rows = self.db:query(sql, table.unpack(params))
	page.more = #rows > limit
	for i = math.min(#rows, limit), 1, -1 do visit(rows[i]) end
end

--- One page, row by row so that a large one is never held. `o`: filter, order (of order.lua), limit, after, before
--- (cursor texts). Calls `visit` for each row; the page says first, last (rows), more (beyond it), backward.
---@param object table
---@param o table
---@param visit fun(row: table)?
---@return {first: table?, last: table?, more: boolean, backward: boolean}
function Records:page(object, o, visit)
	local sql, params = page_sql(self, object, o)
	local page, count = { more = false, backward = o.before ~= nil }, 0
	local function take(row)
		page.first, page.last = page.first or row, row
		if visit then visit(row) end
	end
	if page.backward then
		visit_backward(self, sql, params, o.limit, page, take)
		return page
	end
	for row in self.db:each(sql, table.unpack(params)) do
		count = count + 1
		if count > o.limit then
			page.more = true
		else
			take(row)
		end
	end
	return page
end

--- The row with this id, soft-deleted or not.
---@param object table
---@param id string
---@return table?
function Records:row(object, id)
	return self.db:one(string.format('SELECT * FROM "%s" WHERE "id" = ?', object.singular), id)
end

--- The rows of a list of ids, in its order.
---@param object table
---@param ids string[]
---@return table[]
function Records:rows(object, ids)
	local by_id = {}
	for _, row in ipairs(self.db:query(string.format('SELECT * FROM "%s" WHERE "id" IN (SELECT value FROM json_each(?))',
		object.singular), js.encode(js.array(ids)))) do
		by_id[row.id] = row
	end
	local list = {}
	for i, id in ipairs(ids) do list[i] = by_id[id] end
	return list
end

--- A live row by id; raises "Record not found".
---@param object table
---@param id string
---@return table
function Records:get(object, id)
	local row = self:row(object, id)
	if not row or row.deletedAt then errors.not_found() end
	return row
end

--- The first row of a filter; raises "Record not found".
---@return table
function Records:first(object, filter)
	local page = self:page(object, { filter = filter, order = order.from_text(object), limit = 1 })
	if not page.first then errors.not_found() end
	return page.first
end

-- Input ------------------------------------------------------------------------------------------------------------

local function connected(self, field, where_)
	local target = self.metadata.by_singular[field.name]
	local conditions, values_, shown = {}, {}, {}
	for _, key in ipairs(js.is_object(where_) and where_.keys or {}) do
		local value, found = where_.map[key], target and target.by_name[key]
		for _, c in ipairs(found and found.columns or {}) do
			local v = c.sub and js.get(value, c.sub) or (not c.sub and value) or nil
			if type(v) == "string" then
				conditions[#conditions + 1] = string.format('"%s" = ?', c.column)
				values_[#values_ + 1] = v
				shown[#shown + 1] = c.column .. " = " .. v
			end
		end
	end
	if #conditions == 0 then
		errors.data("Missing required fields: at least one unique constraint have to be fully populated")
	end
	local rows = self.db:query(string.format('SELECT "id" FROM "%s" WHERE %s', target.singular,
		table.concat(conditions, " AND ")), table.unpack(values_))
	if #rows ~= 1 then
		errors.bad(string.format("Expected 1 record to connect to %s, but found %d for %s", field.name, #rows,
			table.concat(shown, " and ")))
	end
	return rows[1].id
end

local function put_relation(self, field, key, value, out)
	local column = field.columns[1]
	if not column then
		errors.data("One-to-many relation " .. key .. " field does not support write operations.")
	end
	local connect = js.get(value, "connect")
	if connect then
		out[column.column] = connected(self, field, js.get(connect, "where"))
	elseif js.get(value, "disconnect") == true or value == NULL then
		out[column.column] = NULL
	else
		errors.data('Relation "' .. key .. '" requires connect or disconnect operation')
	end
end

-- The column values of one input object; `position` words are kept aside.
local function columns_of(self, object, input)
	local out, position = {}, nil
	for _, key in ipairs(input.keys) do
		local value = input.map[key]
		local field = object.by_name[key]
		if key == "position" and (value == "first" or value == "last") then
			position = value
		elseif not field and object.by_join[key] then
			out[key] = values.scalar({ type = "UUID" }, value, key)
		elseif not field then
			errors.data(string.format("Object %s doesn't have any \"%s\" field.", object.singular, key))
		elseif field.type == "RELATION" then
			put_relation(self, field, key, value, out)
		else
			values.put(field, key, value, out)
		end
	end
	return out, position
end

local function check_ids(list)
	for _, input in ipairs(list) do
		local id = js.get(input, "id")
		if id ~= nil and id ~= NULL and not values.is_uuid(id) then
			errors.coded('Value "' .. (type(id) == "string" and id or js.encode(id)) .. '" is not a valid UUID',
				"INVALID_QUERY_INPUT", "Invalid UUID format.")
		end
	end
end

local function check_inputs(list)
	for _, input in ipairs(list) do
		if input == NULL then errors.type_error("Cannot read properties of null (reading 'position')") end
		if type(input) == "string" then
			errors.type_error("Cannot create property 'position' on string '" .. input .. "'")
		elseif type(input) == "number" or type(input) == "boolean" then
			errors.type_error(string.format("Cannot create property 'position' on %s '%s'", type(input), js.encode(input)))
		elseif js.is_array(input) then
			errors.data(string.format("Object person doesn't have any \"%s\" field.", #input > 0 and "0" or "position"))
		end
	end
end

-- Writing ----------------------------------------------------------------------------------------------------------

local function bound(v)
	if v == NULL then return nil end
	return v
end

local function actor(out, stem, name)
	out[stem .. "Source"] = "API"
	out[stem .. "Name"] = name
	out[stem .. "WorkspaceMemberId"] = NULL
	out[stem .. "Context"] = NULL
end

local api_key_name = "My api key"

local function defaults(object, out, now)
	if out.id == nil then out.id = crypto.uuid() end
	if out.createdAt == nil then out.createdAt = now end
	if out.updatedAt == nil then out.updatedAt = now end
	if out.createdBySource == nil then actor(out, "createdBy", api_key_name) end
	actor(out, "updatedBy", api_key_name)
	for _, field in ipairs(object.fields) do
		if field.custom and field.columns[1] and out[field.columns[1].column] == nil then
			out[field.columns[1].column] = values.default(field)
		end
	end
end

local function check_indexed(object, out)
	for _, field in ipairs(object.fields) do
		if field.isUnique then
			for _, c in ipairs(field.columns) do
				local v = out[c.column]
				if type(v) == "string" and #v > 2704 and not search.indexable(v) then errors.unstorable() end
			end
		end
	end
end

local function check_references(self, object, out)
	for join, field in pairs(object.by_join) do
		local id = out[join]
		local target = self.metadata.by_singular[field.name]
		if id ~= nil and id ~= NULL and target and not self:row(target, id) then
			errors.bad(string.format('insert or update on table "%s" violates foreign key constraint "%s"', object.singular,
				object.entry.foreign_key))
		end
	end
end

local function insert_sql(object)
	if object.insert_version ~= object.version then
		local names, marks, columns = {}, {}, {}
		for _, field in ipairs(object.fields) do
			for _, c in ipairs(field.columns) do
				columns[#columns + 1] = c.column
				names[#names + 1] = '"' .. c.column .. '"'
				marks[#marks + 1] = "?"
			end
		end
		object.insert_text = string.format('INSERT INTO "%s" (%s) VALUES (%s)', object.singular, table.concat(names, ", "),
			table.concat(marks, ", "))
		object.insert_columns, object.insert_version = columns, object.version
	end
	return object.insert_text, object.insert_columns
end

local function insert(self, object, out)
	if out.id == NULL then
		errors.bad(string.format('null value in column "id" of relation "%s" violates not-null constraint', object.singular))
	end
	check_references(self, object, out)
	check_indexed(object, out)
	out.searchVector = search.vector(object.singular, out)
	local sql, columns = insert_sql(object)
	local list = {}
	for i, column in ipairs(columns) do list[i] = bound(out[column]) end
	self.db:run(sql, table.unpack(list, 1, #columns))
end

local function update(self, object, row, out)
	check_references(self, object, out)
	check_indexed(object, out)
	if out.updatedAt == nil then out.updatedAt = now_ms() end
	actor(out, "updatedBy", api_key_name)
	if search.touched(object.singular, out) then
		local merged = setmetatable({}, { __index = row })
		for column, v in pairs(out) do merged[column] = v == NULL and false or v end
		out.searchVector = search.vector(object.singular, merged) or NULL
	end
	local columns, sets, list = {}, {}, {}
	for column in pairs(out) do columns[#columns + 1] = column end
	table.sort(columns)
	for i, column in ipairs(columns) do
		sets[i] = string.format('"%s" = ?', column)
		list[i] = bound(out[column])
	end
	list[#columns + 1] = row.id
	self.db:run(string.format('UPDATE "%s" SET %s WHERE "id" = ?', object.singular, table.concat(sets, ", ")),
		table.unpack(list, 1, #columns + 1))
	return bound(out.id) or row.id
end

-- Turns SQLite's complaint about a unique column into Twenty's; anything else is raised again.
local function translate(self, object, e, out)
	local message = err.is(e) and e.message or ""
	local column = message:match("UNIQUE constraint failed: [^.]+%.([%w_]+)")
	local found = column and object.by_column[column]
	if not found then error(e, 0) end
	local other = out and bound(out[column]) and self.db:one(string.format('SELECT "id" FROM "%s" WHERE "%s" = ?',
		object.singular, column), out[column])
	if self.metadata.v1 then errors.v1_duplicate(column, found.field.label) end
	if column == "id" then errors.duplicate_id() end
	errors.duplicate(found.field.label, other and other.id, object.singular)
end

local function positions(self, object, list)
	local edge = {}
	local function bound_of(word)
		if not edge[word] then
			local row = self.db:one(string.format('SELECT %s("position") AS p FROM "%s"', word == "first" and "min" or "max",
				object.singular))
			edge[word] = row and row.p or (word == "first" and 1 or 0)
		end
		return edge[word]
	end
	for _, item in ipairs(list) do
		if item.out.position == nil then
			local word = item.position or "first"
			edge[word] = bound_of(word) + (word == "first" and -1 or 1)
			item.out.position = edge[word]
		end
	end
end

-- Runs fn in a transaction, which its error rolls back; the error as it was raised, or nil.
local function atomically(self, fn)
	local failure
	local ok, e = pcall(self.db.transaction, self.db, function()
		local good, why = pcall(fn)
		if not good then
			failure = why
			error(why, 0)
		end
	end)
	if not ok then return failure or e end
end

local function insert_all(self, object, list)
	local current
	local e = atomically(self, function()
		positions(self, object, list)
		for _, item in ipairs(list) do
			current = item.out
			insert(self, object, item.out)
		end
	end)
	if errors.is(e) then error(e, 0) end
	if e then translate(self, object, e, current) end
end

-- Unique keys of an object: {path parts for messages, column}.
local function unique_keys(object, v1)
	local keys = { { base = "id", path = "id", column = "id" } }
	for _, field in ipairs(object.fields) do
		if field.isUnique and field.columns[1] and not (v1 and field.custom) then
			local c = field.columns[field.type == "LINKS" and 2 or 1]
			keys[#keys + 1] = { base = field.name, path = c.sub and field.name .. "." .. c.sub or field.name,
				column = c.column }
		end
	end
	return keys
end

-- A column value as SQLite gives it back.
local function as_stored(v)
	if type(v) == "boolean" then return v and 1 or 0 end
	return v
end

local function matches_of(self, object, keys, list)
	local found = {}
	for _, key in ipairs(keys) do
		local wanted = js.array()
		for _, item in ipairs(list) do
			local v = as_stored(bound(item.out[key.column]))
			if v ~= nil then wanted[#wanted + 1] = v end
		end
		found[key.column] = {}
		if #wanted > 0 then
			for _, row in ipairs(self.db:query(string.format(
				'SELECT "id", "%s" AS v FROM "%s" WHERE "%s" IN (SELECT value FROM json_each(?))', key.column, object.singular,
				key.column), js.encode(wanted))) do
				found[key.column][row.v] = row.id
			end
		end
	end
	return found
end

local function match(keys, found, out)
	local id
	for _, key in ipairs(keys) do
		local own = as_stored(bound(out[key.column]))
		local hit = own ~= nil and found[key.column][own]
		if hit and id and hit ~= id then
			local shown = {}
			for _, k in ipairs(keys) do
				local v = bound(out[k.column])
				if v ~= nil then shown[#shown + 1] = string.format("%s (%s: %s)", k.base, k.path, v) end
			end
			errors.bad("Multiple records found with the same unique field values for " .. table.concat(shown, "; ")
				.. ". Cannot determine which record to update.", "UPSERT_MULTIPLE_MATCHING_RECORDS_CONFLICT",
				"Multiple records found with the same unique field values for " .. table.concat(shown, "; ")
				.. ". Cannot determine which record to update.")
		end
		id = id or hit or nil
	end
	return id
end

-- The updates of an upsert stay even when a later one, or the insert, fails.
local function update_each(self, object, list)
	local failure
	self.db:transaction(function()
		for _, item in ipairs(list) do
			if item.out.deletedAt == nil then item.out.deletedAt = NULL end
			local row = self:row(object, item.match)
			local ok, e = pcall(update, self, object, row, item.out)
			if not ok then
				failure = { e, item.out }
				return
			end
		end
	end)
	if failure then
		if errors.is(failure[1]) then error(failure[1], 0) end
		translate(self, object, failure[1], failure[2])
	end
end

local function upsert(self, object, list)
	local keys = unique_keys(object, self.metadata.v1)
	local found = matches_of(self, object, keys, list)
	local updates, inserts, ids, seen = {}, {}, {}, {}
	for _, item in ipairs(list) do
		item.match = match(keys, found, item.out)
		table.insert(item.match and updates or inserts, item)
	end
	if #updates > 0 then update_each(self, object, updates) end
	for _, item in ipairs(updates) do
		if not seen[item.match] then
			seen[item.match] = true
			ids[#ids + 1] = item.match
		end
	end
	local now = now_ms()
	for _, item in ipairs(inserts) do defaults(object, item.out, now) end
	if #inserts > 0 then insert_all(self, object, inserts) end
	for _, item in ipairs(inserts) do ids[#ids + 1] = item.out.id end
	return ids
end

--- Creates records from input objects; with `upsert` matches existing ones by their unique fields. Returns the ids in
--- the order Twenty answers them.
---@param object table
---@param inputs table[]
---@param with_upsert boolean
---@return string[]
function Records:create(object, inputs, with_upsert)
	if #inputs > max_batch and not self.metadata.v1 then
		errors.bad("Maximum number of records to upsert is 200.", "TOO_MANY_RECORDS_TO_UPDATE",
			"Maximum number of records to upsert is 200.")
	end
	check_inputs(inputs)
	check_ids(inputs)
	local list = {}
	for i, input in ipairs(inputs) do
		local out, position = columns_of(self, object, input)
		list[i] = { out = out, position = position }
	end
	if with_upsert then return upsert(self, object, list) end
	local now, ids = now_ms(), {}
	for i, item in ipairs(list) do
		defaults(object, item.out, now)
		ids[i] = item.out.id
	end
	if #list > 0 then insert_all(self, object, list) end
	return ids
end

local function change(self, object, row, out)
	local ok, id = pcall(update, self, object, row, out)
	if ok then return id end
	if errors.is(id) then error(id, 0) end
	translate(self, object, id, out)
end

local function place(self, object, out, position)
	if position then positions(self, object, { { out = out, position = position } }) end
end

--- Changes one record, soft-deleted or not; returns its id (which may be a new one).
---@return string
function Records:update(object, id, input)
	local out, position = columns_of(self, object, input)
	place(self, object, out, position)
	local row = self:row(object, id)
	if not row then errors.not_found() end
	return change(self, object, row, out)
end

--- The rows of a filter in the order they were made.
---@param with_deleted boolean
---@return table[]
function Records:select(object, filter, with_deleted, limit)
	local sql, params, deleted = where.compile(object, filter, self.schema)
	if not with_deleted then sql = live(sql, deleted) end
	return self.db:query(string.format('SELECT * FROM "%s" WHERE %s ORDER BY rowid%s', object.singular, sql,
		limit and " LIMIT " .. limit or ""), table.unpack(params))
end

--- The same change for every row of a filter, all or nothing; at most 200 rows.
---@return string[] ids
function Records:update_many(object, filter, input)
	local columns, position = columns_of(self, object, input)
	local rows, ids = self:select(object, filter, false, max_batch + 1), {}
	if #rows > max_batch then errors.too_many_updates() end
	local current
	local e = atomically(self, function()
		for i, row in ipairs(rows) do
			current = {}
			for column, v in pairs(columns) do current[column] = v end
			place(self, object, current, position)
			ids[i] = update(self, object, row, current)
		end
	end)
	if errors.is(e) then error(e, 0) end
	if e then translate(self, object, e, current) end
	return ids
end

local function mark(self, object, rows, deleted_at)
	local ids, now = js.array(), now_ms()
	for i, row in ipairs(rows) do ids[i] = row.id end
	self.db:run(string.format('UPDATE "%s" SET "deletedAt" = ?, "updatedAt" = ? WHERE "id" IN '
		.. "(SELECT value FROM json_each(?))", object.singular), deleted_at and now or nil, now, js.encode(ids))
	return ids
end

--- Soft-deletes one record, deleted or not.
function Records:delete(object, id)
	local row = self:row(object, id)
	if not row then errors.not_found() end
	mark(self, object, { row }, true)
end

--- Soft-deletes the rows of a filter.
---@return string[] ids
function Records:delete_many(object, filter) return mark(self, object, self:select(object, filter, false), true) end

--- Restores the rows of a filter, also those that are not deleted.
---@return string[] ids
function Records:restore_many(object, filter) return mark(self, object, self:select(object, filter, true), false) end

--- Restores one record.
function Records:restore(object, id)
	local row = self:row(object, id)
	if not row then errors.not_found() end
	mark(self, object, { row }, false)
end

local function remove(self, object, rows)
	local ids = js.array()
	for i, row in ipairs(rows) do ids[i] = row.id end
	self.db:transaction(function()
		self.db:run(string.format('DELETE FROM "%s" WHERE "id" IN (SELECT value FROM json_each(?))', object.singular),
			js.encode(ids))
		for _, other in ipairs(self.metadata.objects) do
			for join, field in pairs(other.by_join) do
				if field.name == object.singular then
					self.db:run(string.format('UPDATE "%s" SET "%s" = NULL WHERE "%s" IN (SELECT value FROM json_each(?))',
						other.singular, join, join), js.encode(ids))
				end
			end
		end
	end)
	return ids
end

--- Destroys one record for good; returns the row it was.
---@return table
function Records:destroy(object, id)
	local row = self:row(object, id)
	if not row then errors.not_found() end
	remove(self, object, { row })
	return row
end

--- Destroys the rows of a filter for good; returns the rows they were.
---@return table[]
function Records:destroy_many(object, filter)
	local rows = self:select(object, filter, true)
	remove(self, object, rows)
	return rows
end

-- Duplicates -------------------------------------------------------------------------------------------------------

local criteria = {
	person = { { "nameFirstName", "nameLastName" }, { "linkedinLinkPrimaryLinkUrl" }, { "emailsPrimaryEmail" } },
	company = { { "name" }, { "domainNamePrimaryLinkUrl" } },
}

local function duplicate_filter(object, columns, own_id)
	local parts, params = {}, {}
	for _, set in ipairs(criteria[object.singular]) do
		local tests, ok = {}, true
		for _, column in ipairs(set) do
			local v = bound(columns[column])
			ok = ok and type(v) == "string" and v ~= ""
			tests[#tests + 1] = string.format('"%s" = ?', column)
		end
		if ok then
			parts[#parts + 1] = "(" .. table.concat(tests, " AND ") .. ")"
			for _, column in ipairs(set) do params[#params + 1] = columns[column] end
		end
	end
	if #parts == 0 then return nil end
	local sql = "(" .. table.concat(parts, " OR ") .. ') AND "deletedAt" IS NULL'
	if own_id then
		sql = sql .. ' AND "id" <> ?'
		params[#params + 1] = own_id
	end
	return sql, params
end

local function duplicates_of(self, object, columns, own_id)
	local sql, params = duplicate_filter(object, columns, own_id)
	if not sql then return {} end
	return self.db:query(string.format('SELECT * FROM "%s" WHERE %s ORDER BY "id" LIMIT 200', object.singular, sql),
		table.unpack(params))
end

--- For each input object or id the rows that look like it.
---@param data any
---@param ids any
---@return table[][]
function Records:duplicates(object, data, ids)
	if data == nil and ids == nil then
		errors.bad('You have to provide either "data" or "ids" argument', "INVALID_QUERY_INPUT")
	end
	if data ~= nil and ids ~= nil then
		errors.bad('You cannot provide both "data" and "ids" arguments', "INVALID_QUERY_INPUT")
	end
	if ids == nil and (not js.is_array(data) or #data == 0) then
		errors.bad('The "data" condition can not be empty when "ids" input not provided', "INVALID_QUERY_INPUT")
	end
	local lists = {}
	for _, id in ipairs(js.is_array(ids) and ids or {}) do
		local row = self:row(object, id)
		if row then lists[#lists + 1] = duplicates_of(self, object, row, row.id) end
	end
	for _, input in ipairs(js.is_array(data) and data or {}) do
		lists[#lists + 1] = duplicates_of(self, object, (columns_of(self, object, input)))
	end
	return lists
end

return M

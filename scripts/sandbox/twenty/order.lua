-- Order and cursors: `order_by` text and orderBy objects to columns, the cursor of a row, and the condition that
-- continues after (or before) a cursor, with the real server's habit of losing rows whose order value is null.
local crypto = require "syncrun.crypto"
local catalog = require "sandbox.twenty.catalog"
local dates = require "sandbox.twenty.dates"
local errors = require "sandbox.twenty.errors"
local js = require "sandbox.twenty.jsvalue"

local M = {}

local directions = { AscNullsFirst = { false, true }, AscNullsLast = { false, false }, DescNullsFirst = { true, true },
	DescNullsLast = { true, false } }

local function unsortable(name)
	errors.coded('Field "' .. name .. '" does not exist or is not sortable', "FIELD_NOT_FOUND", "An error occurred.")
end

local function column_of(object, path)
	local field = object.by_name[path[1]]
	if not field then
		if object.by_join[path[1]] then return { column = path[1], type = "UUID" } end
		unsortable(path[1])
	end
	if not catalog.composites[field.type] then
		if not field.columns[1] or field.type == "RELATION" then unsortable(path[1]) end
		return field.columns[1]
	end
	for _, c in ipairs(field.columns) do
		if c.sub == path[2] then return c end
	end
	unsortable(path[2] and table.concat(path, ".") or path[1])
end

local function add(list, object, path, direction)
	local c, d = column_of(object, path), directions[direction]
	list[#list + 1] = { path = path, column = c.column, type = c.type, desc = d[1], nulls_first = d[2] }
end

local function finish(list, object)
	for _, item in ipairs(list) do
		if item.column == "id" then return list end
	end
	add(list, object, { "id" }, "AscNullsFirst")
	return list
end

--- The order of a REST `order_by` parameter (nil: by id).
---@param object table
---@param text string?
---@return table[]
function M.from_text(object, text)
	local items = {}
	for item in ((text or "") .. ","):gmatch("(.-),") do
		local name, direction = item:match("^(.-)%[(.*)%]$")
		if name and not directions[direction] then
			errors.bad("'order_by' direction '" .. direction .. "' invalid. Allowed values are 'AscNullsFirst', "
				.. "'AscNullsLast', 'DescNullsFirst', 'DescNullsLast'. eg: "
				.. "?order_by=field_1[AscNullsFirst],field_2[DescNullsLast],field_3", "INVALID_ORDER_BY_QUERY_PARAM")
		end
		if item ~= "" then items[#items + 1] = { name or item, direction or "AscNullsFirst" } end
	end
	local list = {}
	for _, item in ipairs(items) do
		local path = {}
		for part in (item[1] .. "."):gmatch("(.-)%.") do path[#path + 1] = part end
		add(list, object, path, item[2])
	end
	return finish(list, object)
end

local function add_entry(list, object, key, value)
	if js.is_object(value) then
		for _, sub in ipairs(value.keys) do
			if not directions[value.map[sub]] then unsortable(key) end
			add(list, object, { key, sub }, value.map[sub])
		end
		return
	end
	if not object.by_name[key] and not object.by_join[key] then unsortable(key) end
	if not directions[value] then
		errors.bad('Scalar field "' .. key .. '" requires a direction value (AscNullsFirst, AscNullsLast, DescNullsFirst, '
			.. "DescNullsLast)", "INVALID_QUERY_INPUT")
	end
	add(list, object, { key }, value)
end

--- The order of a GraphQL orderBy argument (nil: by id).
---@param object table
---@param argument any
---@return table[]
function M.from_argument(object, argument)
	local list = {}
	if js.is_object(argument) then argument = js.array { argument } end
	for _, entry in ipairs(js.is_array(argument) and argument or {}) do
		for _, key in ipairs(js.is_object(entry) and entry.keys or {}) do
			add_entry(list, object, key, entry.map[key])
		end
	end
	return finish(list, object)
end

--- The ORDER BY clause.
---@param order table[]
---@param backward boolean
---@return string
function M.sql(order, backward)
	local parts = {}
	for i, item in ipairs(order) do
		local desc, first = item.desc, item.nulls_first
		if backward then desc, first = not desc, not first end
		local nulls = item.column == "id" and "" or (first and " NULLS FIRST" or " NULLS LAST")
		parts[i] = string.format('"%s" %s%s', item.column, desc and "DESC" or "ASC", nulls)
	end
	return table.concat(parts, ", ")
end

-- How a stored value stands in a cursor.
local function cursor_value(kind, v)
	if v == nil then return (kind == "TEXT" or kind == "RICH_TEXT") and "" or js.null end
	if kind == "DATE_TIME" then return dates.iso(v) end
	if kind == "BOOLEAN" then return v == 1 end
	return v
end

--- The cursor of a row. `selected` says which order fields it may hold (nil: all).
---@param order table[]
---@param row table columns of the row
---@param selected table<string, boolean>?
---@return string
function M.cursor(order, row, selected)
	local o = js.object()
	for _, item in ipairs(order) do
		local name, sub = item.path[1], item.path[2]
		if item.column == "id" or not selected or selected[name] then
			local value = cursor_value(item.type, row[item.column])
			if sub then
				local inner = o.map[name] or js.object()
				js.set(inner, sub, value)
				js.set(o, name, inner)
			else
				js.set(o, name, value)
			end
		end
	end
	return crypto.base64_encode(js.encode(o))
end

--- Reads a cursor; raises "Invalid cursor" for junk.
---@param text string
---@return table
function M.read_cursor(text)
	local ok, raw = pcall(crypto.base64_decode, text)
	local value = ok and raw and js.decode(js.valid_utf8(raw))
	if not js.is_object(value) then errors.bad("Invalid cursor: " .. text, "INVALID_CURSOR") end
	return value
end

local function stored(item, v)
	if item.type == "DATE_TIME" and type(v) == "string" then return dates.instant(v) end
	return v
end

local function equal(item, v)
	if v == js.null or v == "" then return string.format('"%s" IS NULL', item.column) end
	return string.format('"%s" = ?', item.column), v
end

local function beyond(item, v, backward)
	if v == js.null then return "0" end
	local greater = item.desc == backward
	return string.format('"%s" %s ?', item.column, greater and ">" or "<"), v
end

--- The condition that continues beyond a cursor, and its parameters.
---@param order table[]
---@param cursor table
---@param backward boolean
---@return string sql, any[] params
function M.continuation(order, cursor, backward)
	local alternatives, params, prefix, prefix_params = {}, {}, {}, {}
	for _, item in ipairs(order) do
		local v = cursor.map[item.path[1]]
		if item.path[2] then v = js.get(v, item.path[2]) end
		if v ~= nil then
			v = stored(item, v)
			local sql, p = beyond(item, v, backward)
			local parts = table.move(prefix, 1, #prefix, 1, {})
			parts[#parts + 1] = sql
			alternatives[#alternatives + 1] = "(" .. table.concat(parts, " AND ") .. ")"
			table.move(prefix_params, 1, #prefix_params, #params + 1, params)
			params[#params + 1] = p
			local same, q = equal(item, v)
			prefix[#prefix + 1] = same
			prefix_params[#prefix_params + 1] = q
		end
	end
	if #alternatives == 0 then return "1", {} end
	return "(" .. table.concat(alternatives, " OR ") .. ")", params
end

return M

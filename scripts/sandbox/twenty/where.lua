-- A filter object to an SQL condition: checks fields, operators and values as Twenty does, and says whether the
-- filter speaks of deleted rows. Knows no grammar and no transport.
local catalog = require "sandbox.twenty.catalog"
local errors = require "sandbox.twenty.errors"
local js = require "sandbox.twenty.jsvalue"
local values = require "sandbox.twenty.values"

local M = {}

-- One statement of Postgres takes no more parameters than this.
local max_parameters = 65535

local string_operators = "eq neq gt gte lt lte in is startsWith endsWith like ilike"
local number_operators = "eq neq gt gte lt lte in is"
local list_operators = "contains notContains containsAny containsIlike isEmptyArray is"
local operators = {
	TEXT = string_operators, NUMBER = number_operators, NUMERIC = number_operators, POSITION = number_operators,
	BOOLEAN = "eq is", DATE = "eq neq gt gte lt lte in is", DATE_TIME = "eq neq gt gte lt lte in is",
	UUID = "eq neq gt gte lt lte in is", SELECT = "eq neq in is", RATING = "eq neq in is", ARRAY = list_operators,
	MULTI_SELECT = list_operators, RAW_JSON = "is like", FILES = "is like", TS_VECTOR = "search is",
	RICH_TEXT = string_operators,
}

local function allowed(kind, operator)
	for name in (operators[kind] or "is"):gmatch("%a+") do
		if name == operator then return true end
	end
	return false
end

local Builder = {}
Builder.__index = Builder

function Builder:param(v)
	if type(v) == "string" and v:find("\0", 1, true) then errors.unstorable() end
	self.params[#self.params + 1] = v
	return "?"
end

function Builder:counted(n)
	self.count = self.count + n
	if self.count > max_parameters then errors.unstorable() end
end

local function enum_error(self, field, value)
	errors.bad(string.format('invalid input value for enum %s."%s_%s_enum": "%s"', self.schema, self.object.singular,
		field.name, tostring(value)))
end

local function typed(self, field, kind, value, path)
	if value == js.null or value == "NULL" then return js.null end
	if kind == "NUMBER" or kind == "NUMERIC" or kind == "POSITION" then
		if type(value) == "string" then value = tonumber((value:match("^%s*([+-]?[%d.]+[eE]?[+-]?%d*)"))) or 0 / 0 end
		if value ~= value then
			errors.bad('Invalid number value NaN for field "' .. path .. '"', "INVALID_ARGS_FILTER")
		end
		return value + 0.0
	elseif kind == "BOOLEAN" then
		if type(value) == "string" then return value:lower() == "true" end
		return value
	elseif kind == "SELECT" or kind == "RATING" then
		for _, option in ipairs(field.options or {}) do
			if js.get(option, "value") == value then return value end
		end
		if field.options then enum_error(self, field, value) end
		return value
	end
	if kind == "TEXT" or kind == "RICH_TEXT" then
		if value == "" then return js.null end
		return type(value) == "string" and value or js.encode(value)
	end
	return values.scalar({ type = kind, options = field.options }, value, path)
end

local comparisons = { gt = ">", gte = ">=", lt = "<", lte = "<=" }

local function like_sql(self, column, pattern, fold)
	if fold then
		return string.format('lower("%s") LIKE lower(%s) ESCAPE \'\\\'', column, self:param(pattern))
	end
	return string.format('"%s" LIKE %s ESCAPE \'\\\'', column, self:param(pattern))
end

local function in_list(self, field, kind, column, list, path)
	if not js.is_array(list) or #list == 0 then
		errors.bad("Invalid filter value for field " .. path .. ". Expected non-empty array", "INVALID_QUERY_INPUT",
			'Invalid filter value: "' .. (js.is_array(list) and "" or tostring(list)) .. '"')
	end
	self:counted(#list)
	local items = js.array()
	for i, item in ipairs(list) do
		if type(item) == "string" and item:find("\0", 1, true) then errors.unstorable() end
		if kind == "TEXT" then
			items[i] = item
		else
			items[i] = typed(self, field, kind, item, path)
		end
	end
	return string.format('"%s" IN (SELECT value FROM json_each(%s))', column, self:param(js.encode(items)))
end

local function list_sql(self, column, operator, value)
	if operator == "isEmptyArray" then return string.format('("%s" IS NULL OR "%s" = \'[]\')', column, column) end
	if operator == "containsIlike" then return like_sql(self, column, tostring(value), true) end
	local list = js.is_array(value) and value or js.array { value }
	self:counted(#list)
	local some = string.format('EXISTS (SELECT 1 FROM json_each("%s") AS have WHERE have.value IN (SELECT value FROM '
		.. "json_each(%s)))", column, self:param(js.encode(list)))
	if operator == "notContains" then return "NOT " .. some end
	return some
end

local patterns = {
	like = function(v) return v end, ilike = function(v) return v end,
	startsWith = function(v) return v .. "%" end, endsWith = function(v) return "%" .. v end,
}

local function operator_sql(self, field, kind, column, operator, value, path)
	if operator == "is" then
		if value ~= "NULL" and value ~= "NOT_NULL" then
			errors.bad('Invalid filter value for "is" operator. Expected "NULL" or "NOT_NULL"', "INVALID_ARGS_FILTER",
				'Invalid filter value: "' .. tostring(value) .. '"')
		end
		return string.format('"%s" IS %sNULL', column, value == "NOT_NULL" and "NOT " or "")
	end
	if operator == "in" then return in_list(self, field, kind, column, value, path) end
	if patterns[operator] then
		return like_sql(self, column, patterns[operator](tostring(value)), operator == "ilike")
	end
	if kind == "ARRAY" or kind == "MULTI_SELECT" then return list_sql(self, column, operator, value) end
	local v = typed(self, field, kind, value, path)
	self:counted(1)
	if operator == "eq" or operator == "neq" then
		if v == js.null then return string.format('"%s" IS %sNULL', column, operator == "neq" and "NOT " or "") end
		return string.format('"%s" %s %s', column, operator == "eq" and "=" or "<>", self:param(v))
	end
	if v == js.null then return kind == "TEXT" and string.format('"%s" %s \'\'', column, comparisons[operator]) or "0" end
	return string.format('"%s" %s %s', column, comparisons[operator], self:param(v))
end

local function field_sql(self, field, kind, column, tests, path)
	if not js.is_object(tests) then
		errors.bad('Filter value for field "' .. path .. '" must be an object', "INVALID_ARGS_FILTER",
			"Invalid filter: filter value must be an object")
	end
	local parts = {}
	for _, operator in ipairs(tests.keys) do
		if not allowed(kind, operator) then
			errors.bad(string.format('Operator "%s" is not valid for field "%s" of type %s - Allowed operators: %s', operator,
				path, kind, (operators[kind] or "is"):gsub(" ", ", ")), "INVALID_ARGS_FILTER",
				string.format('Invalid filter : Operator "%s" is not valid for this "%s" %s field', operator, path, kind))
		end
		parts[#parts + 1] = operator_sql(self, field, kind, column, operator, tests.map[operator], path)
	end
	return #parts > 0 and "(" .. table.concat(parts, " AND ") .. ")" or "1"
end

local function composite_sql(self, field, tests)
	local parts = {}
	for _, sub in ipairs(js.is_object(tests) and tests.keys or {}) do
		local column
		for _, c in ipairs(field.columns) do
			if c.sub == sub then column = c end
		end
		if not column then
			errors.bad(string.format('Sub field "%s" not found for composite type: %s', sub, field.type), "INVALID_ARGS_FILTER")
		end
		parts[#parts + 1] = field_sql(self, { name = field.name }, column.type, column.column, tests.map[sub],
			field.name .. "." .. sub)
	end
	return #parts > 0 and table.concat(parts, " AND ") or "1"
end

local compile

local function joined(self, list, word)
	local parts = {}
	for _, item in ipairs(js.is_array(list) and list or {}) do parts[#parts + 1] = compile(self, item) end
	return #parts > 0 and "(" .. table.concat(parts, word) .. ")" or "1"
end

local function named_sql(self, key, tests)
	local object = self.object
	if key == "deletedAt" then self.deleted = true end
	local field = object.by_name[key]
	if not field and object.by_join[key] then
		return field_sql(self, object.by_join[key], "UUID", key, tests, key)
	end
	if not field then
		errors.bad(string.format("Object %s doesn't have any \"%s\" field.", object.singular, key), "INVALID_ARGS_FILTER",
			string.format('Invalid filter : %s object doesn\'t have any "%s" field.', object.singular, key))
	end
	if field.type == "RELATION" then
		errors.bad('Cannot filter by relation field "' .. key .. '"', "INVALID_ARGS_FILTER")
	end
	if catalog.composites[field.type] then return composite_sql(self, field, tests) end
	return field_sql(self, field, field.type, field.columns[1].column, tests, key)
end

compile = function(self, filter)
	local parts = {}
	for _, key in ipairs(js.is_object(filter) and filter.keys or {}) do
		local value = filter.map[key]
		if key == "and" or key == "or" then
			parts[#parts + 1] = joined(self, value, key == "and" and " AND " or " OR ")
		elseif key == "not" then
			parts[#parts + 1] = "NOT (" .. compile(self, value) .. ")"
		else
			parts[#parts + 1] = named_sql(self, key, value)
		end
	end
	return #parts > 0 and "(" .. table.concat(parts, " AND ") .. ")" or "1"
end

--- The SQL condition of a filter object (nil: everything), its parameters, and whether it speaks of deletedAt.
---@param object table of the metadata
---@param filter table?
---@param schema string the name Postgres messages give the workspace's schema
---@return string sql, any[] params, boolean speaks_of_deleted
function M.compile(object, filter, schema)
	local self = setmetatable({ object = object, schema = schema, params = {}, count = 0, deleted = false }, Builder)
	local sql = compile(self, filter)
	return sql, self.params, self.deleted
end

return M

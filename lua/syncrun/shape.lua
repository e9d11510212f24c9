--- The shape of a table that people write (settings, checks, a mapping): which keys it has, of what types and ranges. What
--- does not fit is named by its path. Knows no file: who asks puts the words around it.
local near = require "syncrun.near"

local M = {}

---@class syncrun.Shape
---@field types string[] some of: text number integer boolean false table list function any
---@field one_of any[]? the only values, of those types
---@field min number?
---@field max number?
---@field above number?
---@field words string? what it is, instead of what the types say
---@field fields table<string, syncrun.Shape>? of a table: these keys and no others
---@field values syncrun.Shape? of a table: text keys, values like this
---@field items syncrun.Shape? of a list
---@field filled boolean? neither an empty text nor an empty list
---@field rule (fun(value: any): string?)? what else is wrong, as "is not …"

---@class syncrun.Misfit
---@field path string "twenty.rate", "fields[2]"
---@field text string "is a number, not text"; of an unknown key "" or the hint
---@field unknown boolean?

local WORDS = {
	text = "text", number = "a number", integer = "a whole number", boolean = "true or false", ["false"] = "false",
	table = "a table", list = "a list", ["function"] = "a function",
}

local IS = {
	text = function(v) return type(v) == "string" end,
	number = function(v) return type(v) == "number" and v == v end,
	integer = function(v) return type(v) == "number" and math.tointeger(v) ~= nil end,
	boolean = function(v) return type(v) == "boolean" end,
	["false"] = function(v) return v == false end,
	table = function(v) return type(v) == "table" end,
	list = function(v) return type(v) == "table" end,
	["function"] = function(v) return type(v) == "function" end,
	any = function() return true end,
}

local KINDS = {
	string = "text", number = "a number", table = "a table", ["function"] = "a function", ["nil"] = "nothing",
}

--- A value in the words of these messages: its kind, never what it holds.
---@param value any
---@return string
function M.kind(value)
	if type(value) == "boolean" then return tostring(value) end
	if math.type(value) == "float" and not math.tointeger(value) then return "a fraction" end
	return KINDS[type(value)] or "a " .. type(value)
end

local function joined(words)
	local last = table.remove(words)
	return #words > 0 and table.concat(words, ", ") .. " or " .. last or last
end

local function range(shape)
	if shape.above then return (" above %g"):format(shape.above) end
	if shape.min and shape.max then return (" from %g to %g"):format(shape.min, shape.max) end
	if shape.min then return (" of at least %g"):format(shape.min) end
	return shape.max and (" up to %g"):format(shape.max) or ""
end

local function expected(shape)
	if shape.words then return shape.words end
	local words = {}
	for i, value in ipairs(shape.one_of or {}) do
		words[i] = type(value) == "string" and ("'%s'"):format(value) or tostring(value)
	end
	if #words > 0 then return joined(words) end
	for i, name in ipairs(shape.types) do
		words[i] = WORDS[name] .. ((name == "number" or name == "integer") and range(shape) or "")
	end
	return joined(words)
end

local function has_type(shape, value)
	for _, name in ipairs(shape.types) do
		if IS[name](value) then return true end
	end
	return false
end

local function within(shape, value)
	if type(value) ~= "number" then return true end
	return not (shape.min and value < shape.min or shape.max and value > shape.max or shape.above and value <= shape.above)
end

local function one_of(list, value)
	for _, allowed in ipairs(list) do
		if allowed == value then return true end
	end
	return false
end

local function misfit(path, format, ...)
	return { path = path, text = format:format(...) }
end

local function scalar_problem(value, shape, path)
	if not has_type(shape, value) then return misfit(path, "is %s, not %s", expected(shape), M.kind(value)) end
	if not within(shape, value) then return misfit(path, "is %s, not %g", expected(shape), value) end
	if shape.filled and (value == "" or type(value) == "table" and next(value) == nil) then
		return misfit(path, "is empty; leave it out or say what it is")
	end
	if shape.one_of and not one_of(shape.one_of, value) then
		local hint = type(value) == "string" and near.hint(value, shape.one_of) or ""
		return misfit(path, "is %s, not '%s'%s", expected(shape), tostring(value), hint)
	end
	local wrong = shape.rule and shape.rule(value)
	return wrong and misfit(path, "%s", wrong)
end

-- The keys in order, so that the same mistake is always named first.
local function sorted_keys(value, only)
	local keys = {}
	for key in pairs(value) do
		if not only or type(key) == only then keys[#keys + 1] = key end
	end
	table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
	return keys
end

local function joined_path(path, key)
	if math.type(key) == "integer" then return ("%s[%d]"):format(path, key) end
	return path == "" and tostring(key) or path .. "." .. tostring(key)
end

local function fields_problem(value, shape, path)
	for _, key in ipairs(sorted_keys(value)) do
		local inner = shape.fields[key]
		if not inner then
			return { path = joined_path(path, key), unknown = true, text = near.hint(key, sorted_keys(shape.fields, "string")) }
		end
		local problem = M.problem(value[key], inner, joined_path(path, key))
		if problem then return problem end
	end
end

local function values_problem(value, shape, path)
	for _, key in ipairs(sorted_keys(value)) do
		if type(key) ~= "string" then return misfit(path, "has text keys, not %s", tostring(key)) end
		local problem = M.problem(value[key], shape.values, joined_path(path, key))
		if problem then return problem end
	end
end

local function no_list(value, path)
	for _, key in ipairs(sorted_keys(value)) do
		if math.type(key) ~= "integer" then
			return misfit(path, "is a list, and '%s' is no place in it", tostring(key))
		end
	end
	return misfit(path, "is a list with a gap: an item before the last is nil")
end

local function items_problem(value, shape, path)
	local n = 0
	for _ in pairs(value) do n = n + 1 end
	for i = 1, n do
		if value[i] == nil then return no_list(value, path) end
		local problem = M.problem(value[i], shape.items, joined_path(path, i))
		if problem then return problem end
	end
end

--- What does not fit, the first of it; nil when all does.
---@param value any
---@param shape syncrun.Shape
---@param path string? of the value itself
---@return syncrun.Misfit?
function M.problem(value, shape, path)
	path = path or ""
	local problem = scalar_problem(value, shape, path)
	if problem or type(value) ~= "table" then return problem end
	if shape.fields then return fields_problem(value, shape, path) end
	if shape.values then return values_problem(value, shape, path) end
	return shape.items and items_problem(value, shape, path)
end

return M

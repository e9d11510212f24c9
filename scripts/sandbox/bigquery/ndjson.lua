-- One line of newline-delimited JSON cut into its members with their texts as spelled, and the type that fits
-- all values of a column nobody declared. The line is known to be valid JSON; files are load.lua's.

local types = require "sandbox.bigquery.types"

local M = {}

-- The position after the string whose opening quote is at i.
local function string_end(line, i)
	local fast = line:match('^"[^"\\]*"()', i)
	if fast then
		return fast
	end
	i = i + 1
	while true do
		local j = line:find('["\\]', i)
		if line:byte(j) == 34 then
			return j + 1
		end
		i = j + 2
	end
end

local function nested_end(line, i)
	local depth = 0
	while true do
		local j = line:find('[%[%]{}"]', i)
		local c = line:byte(j)
		if c == 34 then
			i = string_end(line, j)
		else
			depth = depth + ((c == 123 or c == 91) and 1 or -1)
			i = j + 1
			if depth == 0 then
				return i
			end
		end
	end
end

local function value_end(line, i)
	local c = line:byte(i)
	if c == 34 then
		return string_end(line, i)
	elseif c == 123 or c == 91 then
		return nested_end(line, i)
	end
	return line:match("^[^,}%s]+()", i)
end

---The members of an object's text: names to the texts of their values; nil when it is no object. Of a repeated
---name the last counts.
---@param line string valid JSON
---@param json table the json facade (for names with escapes)
---@return table<string,string>|nil
function M.members(line, json)
	local i = line:match("^%s*{%s*()")
	if not i then
		return nil
	end
	local out = {}
	while line:byte(i) ~= 125 do
		local stop = string_end(line, i)
		local name = line:sub(i + 1, stop - 2)
		if name:find("\\", 1, true) then
			name = json.decode('"' .. name .. '"')
		end
		i = line:match("^%s*:%s*()", stop)
		stop = value_end(line, i)
		out[name] = line:sub(i, stop - 1)
		i = line:match("^%s*,?%s*()", stop)
	end
	return out
end

-- What a column's values have in common, so far.
local function number_facts(text)
	local big = types.parse_decimal(text, "BIGNUMERIC")
	local x = tonumber(text) + 0.0
	return {
		int = types.parse_int(text) ~= nil,
		dbl = big ~= nil and types.parse_decimal(("%.17g"):format(x), "BIGNUMERIC") ~= nil
			and types.parse_decimal(types.float_text(x), "BIGNUMERIC") == big,
		num = types.parse_decimal(text, "NUMERIC") ~= nil,
		big = big ~= nil,
	}
end

local NUMBER_TYPES = { { "int", "INT64" }, { "dbl", "FLOAT64" }, { "num", "NUMERIC" }, { "big", "BIGNUMERIC" } }

---Add a value's text to what is known of a column; `known` is nil at first.
---@param known table|nil
---@param text string
---@return table known
function M.observe(known, text)
	known = known or { fits = { int = true, dbl = true, num = true, big = true } }
	local c = text:byte(1)
	if c == 34 then
		known.string = true
	elseif c == 123 or c == 91 then
		known.json = true
	elseif c == 116 or c == 102 then
		known.bool = true
	elseif c ~= 110 then
		known.number = true
		local facts = number_facts(text)
		for k in pairs(known.fits) do
			known.fits[k] = known.fits[k] and facts[k]
		end
	end
	return known
end

---The type of a column from what was observed of it.
---@param known table
---@return string
function M.infer(known)
	if known.json then
		return "JSON"
	elseif known.string or (known.bool and known.number) then
		return "STRING"
	elseif known.bool then
		return "BOOL"
	elseif known.number then
		for _, t in ipairs(NUMBER_TYPES) do
			if known.fits[t[1]] then
				return t[2]
			end
		end
	end
	return "STRING"
end

---The stored form of a value's text for a column; nil for null. A second result says why it cannot be.
---@param field table {name=, type=}
---@param text string as spelled in the line
---@param json table the json facade
---@return any stored
---@return string|nil message
function M.value(field, text, json)
	if text == "null" then
		return nil
	elseif field.type == "JSON" then
		return text
	end
	local c = text:byte(1)
	if c == 123 or c == 91 then
		return nil, ("'%s' is not a %s (%s)"):format(field.name, field.type, text:sub(1, 60))
	elseif c == 34 then
		text = text:find("\\", 1, true) and json.decode(text) or text:sub(2, -2)
	elseif field.type == "TIMESTAMP" then
		return types.from_json(field, json.decode(text), json)
	end
	if field.type == "STRING" then
		return text
	end
	local v = types.from_text(field.type, text)
	if v == nil then
		return nil, ("'%s' is not a %s (%s)"):format(field.name, field.type, text:sub(1, 60))
	end
	return v
end

return M

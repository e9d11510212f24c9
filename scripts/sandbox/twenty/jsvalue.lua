-- JSON as a Node server sees it: objects keep the order of their keys, numbers are doubles, lone surrogates become
-- U+FFFD, and the messages of a failed parse are V8's. Also util.inspect, which Twenty uses in its error messages.
-- Knows nothing of HTTP or of Twenty.
local M = {}

local Object, Array = {}, {}

--- The JSON null (Lua's nil stands for JavaScript's undefined).
M.null = setmetatable({}, { __tostring = function() return "null" end })

--- A new empty object: `keys` in order of insertion, `map` from key to value.
---@return table
function M.object() return setmetatable({ keys = {}, map = {} }, Object) end

--- An array around a Lua list.
---@param list table?
---@return table
function M.array(list) return setmetatable(list or {}, Array) end

---@param v any
---@return boolean
function M.is_object(v) return getmetatable(v) == Object end

---@param v any
---@return boolean
function M.is_array(v) return getmetatable(v) == Array end

--- Sets a key of an object; a repeated key keeps its place.
---@param o table
---@param key string
---@param value any
function M.set(o, key, value)
	if o.map[key] == nil then o.keys[#o.keys + 1] = key end
	o.map[key] = value
end

--- A field of an object, nil for anything that is not an object.
---@param o any
---@param key string
---@return any
function M.get(o, key)
	if getmetatable(o) == Object then return o.map[key] end
	return nil
end

--- An object from a list of {key, value} pairs.
---@param pairs_ table
---@return table
function M.from_pairs(pairs_)
	local o = M.object()
	for _, p in ipairs(pairs_) do M.set(o, p[1], p[2]) end
	return o
end

-- Fifteen digits come back from every double that is not subnormal.
local SMALLEST_NORMAL = 0x1p-1022

local function digits_of(x)
	for precision = x < SMALLEST_NORMAL and 0 or 14, 16 do
		local text = string.format("%." .. precision .. "e", x)
		if tonumber(text) == x then
			local mantissa, exponent = text:match("^(.-)e(.+)$")
			local digits = mantissa:gsub("%.", ""):gsub("0+$", "")
			return digits == "" and "0" or digits, math.tointeger(tonumber(exponent))
		end
	end
end

--- A number as JavaScript prints it.
---@param x number
---@return string
function M.number_text(x)
	if x ~= x then return "NaN" end
	if x == math.huge then return "Infinity" end
	if x == -math.huge then return "-Infinity" end
	if x == 0 then return "0" end
	if x == math.floor(x) and x > -9007199254740992 and x < 9007199254740992 then
		return string.format("%d", math.tointeger(x))
	end
	if x < 0 then return "-" .. M.number_text(-x) end
	local digits, exponent = digits_of(x + 0.0)
	local point = exponent + 1
	if point > 0 and point <= 21 then
		if #digits <= point then return digits .. string.rep("0", point - #digits) end
		return digits:sub(1, point) .. "." .. digits:sub(point + 1)
	end
	if point > -6 and point <= 0 then return "0." .. string.rep("0", -point) .. digits end
	local mantissa = #digits == 1 and digits or digits:sub(1, 1) .. "." .. digits:sub(2)
	return mantissa .. "e" .. (exponent >= 0 and "+" or "-") .. math.abs(exponent)
end

local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r",
	["\t"] = "\\t" }

local function escape_char(c) return escapes[c] or string.format("\\u%04x", c:byte()) end

--- A string with its quotes, as JSON.stringify writes it.
---@param s string
---@return string
function M.quote(s)
	if s:find('[%c"\\]') then s = s:gsub('[%z\1-\31"\\]', escape_char) end
	return '"' .. s .. '"'
end

local encode

local function encode_object(o, sorted)
	local keys = o.keys
	if sorted then
		keys = table.move(keys, 1, #keys, 1, {})
		table.sort(keys, function(a, b)
			if #a ~= #b then return #a < #b end
			return a < b
		end)
	end
	local out = {}
	for _, key in ipairs(keys) do
		local value = o.map[key]
		if value ~= nil then out[#out + 1] = M.quote(key) .. ":" .. encode(value, sorted) end
	end
	return "{" .. table.concat(out, ",") .. "}"
end

encode = function(v, sorted)
	local kind = type(v)
	if kind == "string" then return M.quote(v) end
	if kind == "number" then
		if v ~= v or v == math.huge or v == -math.huge then return "null" end
		return M.number_text(v)
	end
	if kind == "boolean" then return v and "true" or "false" end
	if v == nil or v == M.null then return "null" end
	if M.is_object(v) then return encode_object(v, sorted) end
	local out = {}
	for i = 1, #v do out[i] = encode(v[i], sorted) end
	return "[" .. table.concat(out, ",") .. "]"
end

--- The JSON text of a value, keys in their order.
---@param v any
---@return string
function M.encode(v) return encode(v, false) end

--- The text of a value as it comes back from a jsonb column: keys by length, then by bytes.
---@param v any
---@return string
function M.encode_jsonb(v) return encode(v, true) end

local sanitize_pattern = "[\128-\255]"

--- Replaces every byte that is not part of valid UTF-8 by U+FFFD.
---@param s string
---@return string
function M.valid_utf8(s)
	if not s:find(sanitize_pattern) or utf8.len(s) then return s end
	local out, at = {}, 1
	while true do
		local _, bad = utf8.len(s, at)
		if not bad then break end
		out[#out + 1] = s:sub(at, bad - 1)
		out[#out + 1] = "\u{FFFD}"
		at = bad + 1
		if at > #s then return table.concat(out) end
	end
	out[#out + 1] = s:sub(at)
	return table.concat(out)
end

-- Parsing ----------------------------------------------------------------------------------------------------------

local function where(text, at)
	local before = text:sub(1, at - 1)
	local _, lines = before:gsub("\n", "")
	local last = before:match("([^\n]*)$")
	return string.format(" in JSON at position %d (line %d column %d)", utf8.len(before) or #before, lines + 1,
		(utf8.len(last) or #last) + 1)
end

local function fail(message) error({ json = message }, 0) end

local function char_at(text, at)
	local stop = utf8.offset(text, 2, at) or #text + 1
	return text:sub(at, stop - 1)
end

local function context_of(text, at)
	local length = utf8.len(text) or #text
	if length <= 40 then return '"' .. text .. '"' end
	local index = utf8.len(text:sub(1, at - 1)) or at - 1
	local from, to = math.max(index - 10, 0), math.min(index + 10, length)
	local first = utf8.offset(text, from + 1)
	local last = (utf8.offset(text, to + 1) or #text + 1) - 1
	return (from > 0 and "..." or "") .. '"' .. text:sub(first, last) .. '"' .. (to < length and "..." or "")
end

local function unexpected(text, at)
	if at > #text then fail("Unexpected end of JSON input") end
	local c = text:sub(at, at)
	if c:find("[%d%-]") then fail("Unexpected number" .. where(text, at)) end
	if c == '"' then fail("Unexpected string" .. where(text, at)) end
	fail("Unexpected token '" .. char_at(text, at) .. "', " .. context_of(text, at) .. " is not valid JSON")
end

local simple = { ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

local function read_escape(text, at)
	local c = text:sub(at, at)
	if simple[c] then return simple[c], at + 1 end
	if c ~= "u" then
		if c == "" then fail("Unterminated string" .. where(text, at)) end
		fail("Bad escaped character" .. where(text, at))
	end
	local hex = text:match("^%x%x%x%x", at + 1)
	if not hex then fail("Bad Unicode escape" .. where(text, at)) end
	local code = tonumber(hex, 16)
	at = at + 5
	if code >= 0xD800 and code <= 0xDBFF then
		local low = text:match("^\\u([dD][c-fC-F]%x%x)", at)
		if low then return utf8.char(0x10000 + (code - 0xD800) * 0x400 + tonumber(low, 16) - 0xDC00), at + 6 end
	end
	if code >= 0xD800 and code <= 0xDFFF then return "\u{FFFD}", at end
	return utf8.char(code), at
end

local function read_string(text, at)
	local parts
	at = at + 1
	while true do
		local stop = text:find('[%z\1-\31"\\]', at)
		if not stop then fail("Unterminated string" .. where(text, #text + 1)) end
		local c = text:sub(stop, stop)
		if c == '"' then
			local tail = text:sub(at, stop - 1)
			if not parts then return tail, stop + 1 end
			parts[#parts + 1] = tail
			return table.concat(parts), stop + 1
		end
		if c ~= "\\" then fail("Bad control character in string literal" .. where(text, stop)) end
		parts = parts or {}
		parts[#parts + 1] = text:sub(at, stop - 1)
		parts[#parts + 1], at = read_escape(text, stop + 1)
	end
end

local function read_number(text, at)
	local start = at
	if text:sub(at, at) == "-" then at = at + 1 end
	local digits = text:match("^0", at) or text:match("^%d+", at)
	if not digits then fail("No number after minus sign" .. where(text, at)) end
	at = at + #digits
	if text:sub(at, at) == "." then
		local fraction = text:match("^%d+", at + 1)
		if not fraction then fail("Unterminated fractional number" .. where(text, at + 1)) end
		at = at + 1 + #fraction
	end
	local exponent = text:match("^[eE][+-]?", at)
	if exponent then
		local power = text:match("^%d+", at + #exponent)
		if not power then fail("Exponent part is missing a number" .. where(text, at + #exponent)) end
		at = at + #exponent + #power
	end
	return tonumber(text:sub(start, at - 1)) + 0.0, at
end

local function skip(text, at) return text:find("[^ \t\r\n]", at) or #text + 1 end

local read_value

local function read_object(text, at, depth)
	local o = M.object()
	at = skip(text, at + 1)
	if text:sub(at, at) == "}" then return o, at + 1 end
	local first = true
	while true do
		if text:sub(at, at) ~= '"' then
			if at > #text then
				fail(first and "Expected property name or '}'" .. where(text, at) or "Unexpected end of JSON input")
			end
			fail((first and "Expected property name or '}'" or "Expected double-quoted property name") .. where(text, at))
		end
		local key, value
		key, at = read_string(text, at)
		at = skip(text, at)
		if text:sub(at, at) ~= ":" then
			fail(at > #text and "Unexpected end of JSON input" or "Expected ':' after property name" .. where(text, at))
		end
		value, at = read_value(text, at + 1, depth)
		M.set(o, key, value)
		at = skip(text, at)
		local c = text:sub(at, at)
		if c == "}" then return o, at + 1 end
		if c ~= "," then
			if at > #text then fail("Unexpected end of JSON input") end
			fail("Expected ',' or '}' after property value" .. where(text, at))
		end
		at, first = skip(text, at + 1), false
	end
end

local function read_array(text, at, depth)
	local list = M.array()
	at = skip(text, at + 1)
	if text:sub(at, at) == "]" then return list, at + 1 end
	while true do
		local value
		value, at = read_value(text, at, depth)
		list[#list + 1] = value
		at = skip(text, at)
		local c = text:sub(at, at)
		if c == "]" then return list, at + 1 end
		if c ~= "," then
			if at > #text then fail("Unexpected end of JSON input") end
			fail("Expected ',' or ']' after array element" .. where(text, at))
		end
		at = at + 1
	end
end

local words = { t = { "true", true }, f = { "false", false }, n = { "null", M.null } }

read_value = function(text, at, depth)
	at = skip(text, at)
	local c = text:sub(at, at)
	if c == '"' then return read_string(text, at) end
	if c == "{" or c == "[" then
		if depth > 400 then fail("Maximum call stack size exceeded") end
		return (c == "{" and read_object or read_array)(text, at, depth + 1)
	end
	if c:find("[%d%-]") then return read_number(text, at) end
	local word = words[c]
	if word and text:sub(at, at + #word[1] - 1) == word[1] then return word[2], at + #word[1] end
	if word then
		for i = 1, #word[1] do
			if text:sub(at + i - 1, at + i - 1) ~= word[1]:sub(i, i) then unexpected(text, at + i - 1) end
		end
	end
	unexpected(text, at)
end

--- JSON.parse: the value, or nil and V8's message. `strict` refuses a top level that is no object or array, as
--- Express does.
---@param text string valid UTF-8
---@param strict boolean?
---@return any value, string? message
function M.decode(text, strict)
	local ok, value = pcall(function()
		local first = skip(text, 1)
		if strict and first <= #text and not text:find("^[%[{]", first) then
			fail("Unexpected token '" .. char_at(text, first) .. "', " .. context_of(text, first) .. " is not valid JSON")
		end
		local v, at = read_value(text, 1, 0)
		at = skip(text, at)
		if at <= #text then
			fail("Unexpected non-whitespace character after JSON" .. where(text, at):gsub("^ in JSON", ""))
		end
		return v
	end)
	if ok then return value end
	if type(value) == "table" and value.json then return nil, value.json end
	error(value, 0)
end

-- util.inspect -----------------------------------------------------------------------------------------------------

local function inspect_string(s)
	local q = "'"
	if s:find("'", 1, true) then
		if not s:find('"', 1, true) then q = '"' elseif not s:find("`", 1, true) then q = "`" end
	end
	s = s:gsub("[%c\\" .. q .. "]", function(c)
		if c == q or c == "\\" then return "\\" .. c end
		if c == "\127" then return "\\x7F" end
		local known = escapes[c]
		return known or string.format("\\x%02X", c:byte())
	end)
	return q .. s .. q
end

local inspect

local function join(open, close, parts, indent)
	if #parts == 0 then return open .. close end
	local length = #parts
	for _, p in ipairs(parts) do length = length + #p end
	local flat = table.concat(parts, ", ")
	if length + #parts <= 76 and not flat:find("\n", 1, true) then return open .. " " .. flat .. " " .. close end
	local pad = "\n" .. string.rep(" ", indent + 2)
	return open .. pad .. table.concat(parts, "," .. pad) .. "\n" .. string.rep(" ", indent) .. close
end

local function inspect_array(v, depth, indent)
	if depth > 2 then return "[Array]" end
	local parts = {}
	for i = 1, math.min(#v, 100) do parts[i] = inspect(v[i], depth + 1, indent + 2) end
	if #v > 100 then
		parts[#parts + 1] = string.format("... %d more item%s", #v - 100, #v > 101 and "s" or "")
	end
	return join("[", "]", parts, indent)
end

local function inspect_object(v, depth, indent)
	if depth > 2 then return "[Object]" end
	local parts = {}
	for _, key in ipairs(v.keys) do
		local name = key:find("^[%a_$][%w_$]*$") and key or inspect_string(key)
		parts[#parts + 1] = name .. ": " .. inspect(v.map[key], depth + 1, indent + 2)
	end
	return join("{", "}", parts, indent)
end

inspect = function(v, depth, indent)
	if v == nil then return "undefined" end
	if v == M.null then return "null" end
	if type(v) == "string" then return inspect_string(v) end
	if type(v) == "boolean" then return v and "true" or "false" end
	if type(v) == "number" then
		if v == 0 and 1 / v < 0 then return "-0" end
		return M.number_text(v)
	end
	if M.is_array(v) then return inspect_array(v, depth, indent) end
	return inspect_object(v, depth, indent)
end

--- A value as Node's util.inspect shows it.
---@param v any
---@return string
function M.inspect(v) return inspect(v, 0, 0) end

return M

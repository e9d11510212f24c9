-- BigQuery's types: their names, reading a value from JSON or text into what SQLite stores, and
-- writing it back as the `v` of a row (facts/bigquery.md 2). Pure functions; no database here.
--
-- Stored form: STRING JSON DATE TIME DATETIME NUMERIC BIGNUMERIC GEOGRAPHY TEXT; BYTES its base64 TEXT;
-- INT64 and TIMESTAMP (microseconds) INTEGER; BOOL 0/1; FLOAT64 REAL (NaN the TEXT 'NaN');
-- STRUCT and REPEATED the text of their `v`, timestamps in it as microseconds.

local M = {}

local CANONICAL = {
	STRING = "STRING",
	INT64 = "INT64",
	INTEGER = "INT64",
	INT = "INT64",
	SMALLINT = "INT64",
	BIGINT = "INT64",
	TINYINT = "INT64",
	BYTEINT = "INT64",
	FLOAT64 = "FLOAT64",
	FLOAT = "FLOAT64",
	NUMERIC = "NUMERIC",
	DECIMAL = "NUMERIC",
	BIGNUMERIC = "BIGNUMERIC",
	BIGDECIMAL = "BIGNUMERIC",
	BOOL = "BOOL",
	BOOLEAN = "BOOL",
	DATE = "DATE",
	TIME = "TIME",
	DATETIME = "DATETIME",
	TIMESTAMP = "TIMESTAMP",
	JSON = "JSON",
	BYTES = "BYTES",
	STRUCT = "STRUCT",
	RECORD = "STRUCT",
	GEOGRAPHY = "GEOGRAPHY",
}

local LEGACY = { INT64 = "INTEGER", FLOAT64 = "FLOAT", BOOL = "BOOLEAN", STRUCT = "RECORD" }

---The canonical (GoogleSQL) name of a type, or nil when there is no such type.
---@param name string
---@return string|nil
function M.canonical(name)
	return type(name) == "string" and CANONICAL[name:upper()] or nil
end

---The name a schema in an answer carries.
---@param canonical string
---@return string
function M.legacy(canonical)
	return LEGACY[canonical] or canonical
end

-- Calendar ---------------------------------------------------------------------------------------

---Days since 1970-01-01 of a proleptic Gregorian date.
function M.days_from_civil(y, m, d)
	y = m <= 2 and y - 1 or y
	local era = y // 400
	local yoe = y - era * 400
	local doy = (153 * (m + (m > 2 and -3 or 9)) + 2) // 5 + d - 1
	local doe = yoe * 365 + yoe // 4 - yoe // 100 + doy
	return era * 146097 + doe - 719468
end

---Year, month and day of a day number.
function M.civil_from_days(z)
	z = z + 719468
	local era = z // 146097
	local doe = z - era * 146097
	local yoe = (doe - doe // 1460 + doe // 36524 - doe // 146096) // 365
	local doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
	local mp = (5 * doy + 2) // 153
	local m = mp + (mp < 10 and 3 or -9)
	return yoe + era * 400 + (m <= 2 and 1 or 0), m, doy - (153 * mp + 2) // 5 + 1
end

local MONTH_DAYS = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }

local function date_ok(y, m, d)
	if y < 1 or y > 9999 or m < 1 or m > 12 or d < 1 then
		return false
	end
	local leap = m == 2 and y % 4 == 0 and (y % 100 ~= 0 or y % 400 == 0)
	return d <= MONTH_DAYS[m] + (leap and 1 or 0)
end

local function read_date(text)
	local y, m, d, rest = text:match("^(%d%d?%d?%d?)%-(%d%d?)%-(%d%d?)(.*)$")
	y, m, d = math.tointeger(tonumber(y)), math.tointeger(tonumber(m)), math.tointeger(tonumber(d))
	if y and date_ok(y, m, d) then
		return y, m, d, rest
	end
end

-- Seconds of the day, microseconds, and what follows; nil when it is no time of day.
local function read_clock(text)
	local h, mi, s, rest = text:match("^(%d%d?):(%d%d?):(%d%d?)(.*)$")
	if not h then
		return nil
	end
	h, mi, s = math.tointeger(tonumber(h)), math.tointeger(tonumber(mi)), math.tointeger(tonumber(s))
	if h > 23 or mi > 59 or s > 59 then
		return nil
	end
	local digits, after = rest:match("^%.(%d+)(.*)$")
	if not digits then
		return h * 3600 + mi * 60 + s, 0, rest
	elseif digits:find("[^0]", 7) or #digits > 9 then
		return nil
	end
	digits = digits:sub(1, 6) -- Google's Node client writes nanoseconds
	return h * 3600 + mi * 60 + s, math.tointeger(tonumber(digits .. ("0"):rep(6 - #digits))), after
end

-- Offset in seconds of a zone suffix; nil when it is not one.
local function read_zone(text)
	if text == "" or text == "Z" or text == "z" or text == " UTC" or text == "UTC" then
		return 0
	end
	local sign, h, m = text:match("^ ?([+-])(%d%d?):?(%d?%d?)$")
	if not sign then
		return nil
	end
	local off = math.tointeger(tonumber(h)) * 3600 + (m ~= "" and math.tointeger(tonumber(m)) or 0) * 60
	return sign == "-" and -off or off
end

local function clock_text(seconds, usec)
	local t = ("%02d:%02d:%02d"):format(seconds // 3600, seconds // 60 % 60, seconds % 60)
	return usec == 0 and t or ("%s.%06d"):format(t, usec)
end

local TIMESTAMP_MIN, TIMESTAMP_MAX = -62135596800000000, 253402300799999999

---Microseconds since 1970 of a timestamp's text, or nil.
---@param text string
---@return integer|nil
function M.parse_timestamp(text)
	local y, m, d, rest = read_date(text)
	if not y then
		return nil
	end
	local day = M.days_from_civil(y, m, d) * 86400
	local seconds, usec, zone = 0, 0, rest
	if rest:find("^[Tt ]%d") then
		seconds, usec, zone = read_clock(rest:sub(2))
	end
	local offset = seconds and read_zone(zone)
	if not offset then
		return nil
	end
	local us = (day + seconds - offset) * 1000000 + usec
	return us >= TIMESTAMP_MIN and us <= TIMESTAMP_MAX and us or nil
end

---RFC 3339 text with six digits of a timestamp in microseconds.
---@param us integer
---@return string
function M.format_timestamp(us)
	local seconds, usec = us // 1000000, us % 1000000
	local y, m, d = M.civil_from_days(seconds // 86400)
	local s = seconds % 86400
	return ("%04d-%02d-%02dT%02d:%02d:%02d.%06dZ"):format(y, m, d, s // 3600, s // 60 % 60, s % 60, usec)
end

local function parse_date(text)
	local y, m, d, rest = read_date(text)
	return y and rest == "" and ("%04d-%02d-%02d"):format(y, m, d) or nil
end

local function parse_time(text)
	local seconds, usec, rest = read_clock(text)
	return seconds and rest == "" and clock_text(seconds, usec) or nil
end

local function parse_datetime(text)
	local y, m, d, rest = read_date(text)
	if not y then
		return nil
	end
	local seconds, usec, after = 0, 0, rest
	if rest:find("^[Tt ]") then
		seconds, usec, after = read_clock(rest:sub(2))
	end
	return seconds and after == "" and ("%04d-%02d-%02dT%s"):format(y, m, d, clock_text(seconds, usec)) or nil
end

-- Numbers ----------------------------------------------------------------------------------------

---An int64 from its decimal digits, or nil (also when it does not fit).
---@param text string
---@return integer|nil
function M.parse_int(text)
	if not text:find("^[+-]?%d+$") then
		return nil
	end
	local n = tonumber((text:gsub("^%+", "")))
	return math.type(n) == "integer" and n or nil
end

local DIGITS = { NUMERIC = { 29, 9 }, BIGNUMERIC = { 39, 38 } }

---Canonical decimal text (no exponent, no surplus zeros), or nil when it does not fit the type.
---@param text string
---@param kind string NUMERIC or BIGNUMERIC
---@return string|nil
function M.parse_decimal(text, kind)
	local sign, int, frac, exp = text:match("^([+-]?)(%d*)%.?(%d*)[eE]?([+-]?%d*)$")
	if not sign or int .. frac == "" or (text:find("[eE]") and not exp:find("%d")) then
		return nil
	end
	exp = math.tointeger(tonumber(exp)) or 0
	if exp > 100 or exp < -100 then
		return nil
	end
	if exp > 0 then
		frac = frac .. ("0"):rep(exp - #frac)
		int, frac = int .. frac:sub(1, exp), frac:sub(exp + 1)
	elseif exp < 0 then
		int = ("0"):rep(-exp - #int) .. int
		int, frac = int:sub(1, #int + exp), int:sub(#int + exp + 1) .. frac
	end
	int, frac = int:gsub("^0+", ""), frac:gsub("0+$", "")
	local limit = DIGITS[kind]
	if #int > limit[1] or #frac > limit[2] then
		return nil
	end
	int = int == "" and "0" or int
	local plain = frac == "" and int or int .. "." .. frac
	return (sign == "-" and plain ~= "0") and "-" .. plain or plain
end

local function scientific(x)
	for precision = 14, 16 do
		local t = ("%." .. precision .. "e"):format(x)
		if tonumber(t) == x then
			return t
		end
	end
	return ("%.16e"):format(x)
end

---A FLOAT64 as the service spells it: "3.14", "1.0E10", "NaN", "-Infinity".
---@param x number
---@return string
function M.float_text(x)
	x = x + 0.0
	if x ~= x then
		return "NaN"
	elseif x == math.huge or x == -math.huge then
		return x > 0 and "Infinity" or "-Infinity"
	elseif x == 0 then
		return "0.0"
	end
	local sign, lead, frac, exp = scientific(x):match("^(-?)(%d)%.(%d+)e([+-]%d+)$")
	local digits = (lead .. frac):gsub("0+$", "")
	exp = math.tointeger(tonumber(exp))
	if exp >= 7 or exp < -3 then
		local tail = digits:sub(2)
		return ("%s%s.%sE%d"):format(sign, digits:sub(1, 1), tail == "" and "0" or tail, exp)
	elseif exp < 0 then
		return sign .. "0." .. ("0"):rep(-exp - 1) .. digits
	end
	digits = digits .. ("0"):rep(exp + 1 - #digits)
	local tail = digits:sub(exp + 2)
	return sign .. digits:sub(1, exp + 1) .. "." .. (tail == "" and "0" or tail)
end

local FLOAT_WORDS = {
	nan = "NaN",
	inf = math.huge,
	infinity = math.huge,
	["+inf"] = math.huge,
	["-inf"] = -math.huge,
	["-infinity"] = -math.huge,
}

local function parse_float(text)
	local word = FLOAT_WORDS[text:lower()]
	if word then
		return word
	end
	if not text:find("^[+-]?%.?%d[%d.eE+-]*$") then
		return nil
	end
	local n = tonumber((text:gsub("^%+", "")))
	return n and n + 0.0
end

local BOOLS = { ["true"] = 1, ["false"] = 0 }

local function parse_bytes(text)
	local ok = #text % 4 == 0 and text:find("^[%w+/]*=?=?$")
	return ok and text or nil
end

local FROM_TEXT = {
	STRING = function(s)
		return s
	end,
	JSON = function(s)
		return s
	end,
	GEOGRAPHY = function(s)
		return s
	end,
	BYTES = parse_bytes,
	INT64 = M.parse_int,
	FLOAT64 = parse_float,
	BOOL = function(s)
		return BOOLS[s:lower()]
	end,
	DATE = parse_date,
	TIME = parse_time,
	DATETIME = parse_datetime,
	TIMESTAMP = M.parse_timestamp,
	NUMERIC = function(s)
		return M.parse_decimal(s, "NUMERIC")
	end,
	BIGNUMERIC = function(s)
		return M.parse_decimal(s, "BIGNUMERIC")
	end,
}

local WORD = {
	INT64 = "integer",
	FLOAT64 = "double",
	BOOL = "boolean",
	NUMERIC = "NUMERIC",
	BIGNUMERIC = "BIGNUMERIC",
	DATE = "date",
	TIME = "time",
	DATETIME = "datetime",
	TIMESTAMP = "timestamp",
	BYTES = "bytes",
}

---The stored form of a scalar's text, or nil and the service's words for why not.
---@param kind string canonical type
---@param text string
---@return any value
---@return string|nil message
function M.from_text(kind, text)
	local read = FROM_TEXT[kind]
	local v = read and read(text)
	if v == nil then
		return nil, ("Cannot convert value to %s (bad value): %s"):format(WORD[kind] or kind:lower(), text)
	end
	return v
end

-- Rendering in SQL and in Lua ----------------------------------------------------------------------

---Bytes a column's value counts for (the service's logical sizes), as an aggregate in SQL.
---@param field table {type=, mode=}
---@param column string
---@return string
function M.size_sql(field, column)
	local fixed = { INT64 = 8, FLOAT64 = 8, TIMESTAMP = 8, DATE = 8, TIME = 8, DATETIME = 8, BOOL = 1 }
	fixed.NUMERIC, fixed.BIGNUMERIC = 16, 32
	local n = field.mode ~= "REPEATED" and fixed[field.type]
	if n then
		return ("count(%s)*%d"):format(column, n)
	end
	return ("ifnull(sum(length(CAST(%s AS BLOB))+2),0)"):format(column)
end

local function holds_timestamp(field)
	if field.type == "TIMESTAMP" then
		return true
	end
	for _, f in ipairs(field.fields or {}) do
		if holds_timestamp(f) then
			return true
		end
	end
	return false
end

---The SQL expression that yields the JSON text of a cell's `v`, or nil when Lua has to render it.
---@param field table {type=, mode=, fields=}
---@param column string
---@param int64_timestamps boolean
---@return string|nil
function M.cell_sql(field, column, int64_timestamps)
	if field.mode == "REPEATED" or field.type == "STRUCT" then
		if holds_timestamp(field) and not int64_timestamps then
			return nil
		end
		return ("ifnull(%s,'%s')"):format(column, field.mode == "REPEATED" and "[]" or "null")
	elseif field.type == "FLOAT64" or (field.type == "TIMESTAMP" and not int64_timestamps) then
		return nil
	elseif field.type == "INT64" or field.type == "TIMESTAMP" then
		return ("ifnull('\"'||%s||'\"','null')"):format(column)
	elseif field.type == "BOOL" then
		return ("CASE %s WHEN 1 THEN '\"true\"' WHEN 0 THEN '\"false\"' ELSE 'null' END"):format(column)
	end
	return ("json_quote(%s)"):format(column)
end

-- Timestamps inside a stored struct or array, from microseconds to seconds.
local function respell(field, v, as_element)
	if field.mode == "REPEATED" and not as_element then
		for _, e in ipairs(v) do
			e.v = respell(field, e.v, true)
		end
	elseif field.type == "STRUCT" and type(v) == "table" and v.f then
		for i, f in ipairs(field.fields) do
			v.f[i].v = respell(f, v.f[i].v)
		end
	elseif field.type == "TIMESTAMP" and type(v) == "string" then
		return M.float_text(math.tointeger(tonumber(v)) / 1e6)
	end
	return v
end

---The JSON text of a cell's `v` for the cells that cell_sql leaves to Lua.
---@param field table
---@param value any the stored form; nil is NULL
---@param json table the json facade (only structs and arrays need it)
---@return string
function M.render(field, value, json)
	if field.mode == "REPEATED" or field.type == "STRUCT" then
		if value == nil then
			return field.mode == "REPEATED" and "[]" or "null"
		end
		return json.encode(respell(field, json.decode(value)))
	elseif value == nil then
		return "null"
	elseif field.type == "TIMESTAMP" then
		return '"' .. M.float_text(value / 1e6) .. '"'
	end
	return '"' .. (type(value) == "string" and value or M.float_text(value)) .. '"'
end

-- Reading JSON values ------------------------------------------------------------------------------

local function scalar_text(v, json)
	if type(v) == "string" then
		return v
	elseif type(v) == "number" then
		return math.type(v) == "integer" and tostring(v) or json.encode(v)
	elseif type(v) ~= "table" and v ~= json.null then
		return tostring(v)
	end
end

local read_value

local function read_struct(field, v, json)
	if type(v) ~= "table" then
		return nil, "This field: " .. field.name .. " is not a record."
	end
	local known, out = {}, {}
	for i, f in ipairs(field.fields) do
		known[f.name] = true
		local cell, why = read_value(f, v[f.name], json)
		if why then
			return nil, why
		end
		out[i] = '{"v":' .. cell .. "}"
	end
	for k in pairs(v) do
		if not known[k] then
			return nil, "no such field: " .. tostring(k) .. "."
		end
	end
	return '{"f":[' .. table.concat(out, ",") .. "]}"
end

local function read_array(field, v, json)
	if type(v) ~= "table" or not json.is_array(v) then
		return nil, "Array specified for non-repeated field: " .. field.name .. "."
	end
	local element = setmetatable({ mode = "NULLABLE" }, { __index = field })
	local out = {}
	for i, e in ipairs(v) do
		local cell, why = read_value(element, e, json)
		if why then
			return nil, why
		elseif cell == "null" then
			return nil, "Only optional fields can be set to NULL. Field: " .. field.name .. "; Value: NULL"
		end
		out[i] = '{"v":' .. cell .. "}"
	end
	return "[" .. table.concat(out, ",") .. "]"
end

-- The JSON text of a nested `v`, from a decoded JSON value.
function read_value(field, v, json)
	if field.mode == "REPEATED" then
		if v == nil or v == json.null then
			return "[]"
		end
		return read_array(field, v, json)
	elseif v == nil or v == json.null then
		return "null"
	elseif field.type == "STRUCT" then
		return read_struct(field, v, json)
	end
	local stored, why = M.from_json(field, v, json)
	if why then
		return nil, why
	elseif field.type == "BOOL" then
		return stored == 1 and '"true"' or '"false"'
	elseif field.type == "FLOAT64" then
		return M.render(field, stored, json)
	end
	return json.encode(tostring(stored))
end

---The stored form of a decoded JSON value for a column, nil for NULL; a second result says why it cannot be.
---@param field table {name=, type=, mode=, fields=}
---@param v any
---@param json table the json facade
---@return any stored
---@return string|nil message
function M.from_json(field, v, json)
	if v == nil or v == json.null then
		return nil
	elseif field.mode == "REPEATED" or field.type == "STRUCT" then
		return read_value(field, v, json)
	elseif field.type == "JSON" then
		if type(v) == "string" then
			return json.valid(v) and v or nil, not json.valid(v) and "Invalid JSON: " .. v or nil
		end
		return json.encode(v)
	end
	local text = scalar_text(v, json)
	if not text then
		return nil, "This field: " .. field.name .. " is not a record."
	end
	if field.type == "TIMESTAMP" and text:find("^-?[%d.eE+]+$") then
		local seconds = M.parse_decimal(text, "NUMERIC")
		if seconds then
			local sign, int, frac = seconds:match("^(-?)(%d+)%.?(%d*)$")
			local us = math.tointeger(tonumber(int .. (frac .. "000000"):sub(1, 6)))
			return us and (sign == "-" and -us or us)
		end
	end
	return M.from_text(field.type, text)
end

---A schema from an API request's fields array: names checked, types made canonical.
---@param fields table
---@return table|nil schema
---@return string|nil message
function M.schema(fields)
	local out, seen = {}, {}
	for i, f in ipairs(fields) do
		local kind = M.canonical(f.type)
		local name = f.name
		if type(name) ~= "string" or not name:find("^[%a_\x80-\xff][%w_\x80-\xff -]*$") then
			return nil, ("Invalid field name \"%s\"."):format(tostring(name))
		elseif not kind then
			return nil, ("Invalid value for type: %s is not a valid value"):format(tostring(f.type))
		elseif seen[name:lower()] then
			return nil, "Field " .. name .. " already exists in schema"
		end
		seen[name:lower()] = true
		out[i] = { name = name, type = kind, mode = type(f.mode) == "string" and f.mode:upper() or "NULLABLE" }
		if kind == "STRUCT" then
			local nested, why = M.schema(f.fields or {})
			if not nested then
				return nil, why
			end
			out[i].fields = nested
		end
	end
	return out
end

---The fields array of an answer.
---@param schema table
---@param with_mode boolean query schemas always say the mode, table schemas leave NULLABLE out
---@return table
function M.fields(schema, with_mode)
	local out = {}
	for i, f in ipairs(schema) do
		out[i] = { name = f.name, type = M.legacy(f.type) }
		if with_mode or f.mode ~= "NULLABLE" then
			out[i].mode = f.mode
		end
		out[i].fields = f.fields and M.fields(f.fields, with_mode) or nil
	end
	return out
end

return M

-- The functions, aggregates and casts of the SQL subset: each makes a SQLite expression of translated arguments.
-- It is called by sql.lua's translation (self) and reads nothing but the tree it is given.

local types = require "sandbox.bigquery.types"

local M = { named = {} }

local function define(name, min, max, make, aggregate)
	M.named[name] = { min = min, max = max, make = make, aggregate = aggregate }
end

-- Casts ------------------------------------------------------------------------------------------

-- SQLite has no way to raise from an expression but a function that fails: json('!') does, and the query's runner
-- reports it as the service's "Bad value" (jobs.lua).
local FAIL = "json('!')"

local function timestamp_string(x)
	local frac = ("((%s %% 1000000 + 1000000) %% 1000000)"):format(x)
	local whole = ("((%s - %s) / 1000000)"):format(x, frac)
	return (
		"(strftime('%%Y-%%m-%%d %%H:%%M:%%S', %s, 'unixepoch') || CASE WHEN %s = 0 THEN '' WHEN %s %% 1000 = 0 "
		.. "THEN printf('.%%03d', %s / 1000) ELSE printf('.%%06d', %s) END || '+00')"
	):format(whole, frac, frac, frac, frac)
end

local TO_STRING = {
	INT64 = function(x)
		return "CAST(" .. x .. " AS TEXT)"
	end,
	BOOL = function(x)
		return "CASE " .. x .. " WHEN 1 THEN 'true' WHEN 0 THEN 'false' END"
	end,
	DATETIME = function(x)
		return "replace(" .. x .. ", 'T', ' ')"
	end,
	TIMESTAMP = timestamp_string,
}
for _, same in ipairs { "DATE", "TIME", "NUMERIC", "BIGNUMERIC" } do
	TO_STRING[same] = function(x)
		return x
	end
end

local function int_of_string(x, otherwise)
	local digits = ("ltrim(%s, '+-')"):format(x)
	return (
		"CASE WHEN %s IS NULL THEN NULL WHEN %s <> '' AND length(%s) BETWEEN length(%s) - 1 AND 19 "
		.. "AND NOT %s GLOB '*[^0-9]*' THEN CAST(%s AS INTEGER) ELSE %s END"
	):format(x, digits, digits, x, digits, x, otherwise)
end

local CASTS = {
	["STRING>INT64"] = int_of_string,
	["STRING>BOOL"] = function(x, otherwise)
		return ("CASE lower(%s) WHEN 'true' THEN 1 WHEN 'false' THEN 0 ELSE iif(%s IS NULL, NULL, %s) END"):format(
			x,
			x,
			otherwise
		)
	end,
	["BOOL>INT64"] = function(x)
		return x
	end,
	["INT64>BOOL"] = function(x)
		return "(" .. x .. " <> 0)"
	end,
	["FLOAT64>INT64"] = function(x)
		return "CAST(round(" .. x .. ") AS INTEGER)"
	end,
	["STRING>TIMESTAMP"] = function(x, otherwise)
		local whole = ("CAST(strftime('%%s', replace(%s, ' UTC', 'Z')) AS INTEGER) * 1000000"):format(x)
		return ("iif(%s IS NULL, NULL, ifnull(%s, %s))"):format(x, whole, otherwise)
	end,
	["DATETIME>TIMESTAMP"] = function(x)
		local fraction = ("CAST(substr(substr(%s, 21) || '000000', 1, 6) AS INTEGER)"):format(x)
		return ("(CAST(strftime('%%s', substr(%s, 1, 19)) AS INTEGER) * 1000000 + %s)"):format(x, fraction)
	end,
	["STRING>DATE"] = function(x, otherwise)
		return ("iif(%s IS NULL, NULL, ifnull(date(%s), %s))"):format(x, x, otherwise)
	end,
	["TIMESTAMP>DATE"] = function(x)
		return ("strftime('%%Y-%%m-%%d', (%s - ((%s %% 1000000 + 1000000) %% 1000000)) / 1000000, 'unixepoch')"):format(x, x)
	end,
	["DATE>TIMESTAMP"] = function(x)
		return "(CAST(strftime('%s', " .. x .. ") AS INTEGER) * 1000000)"
	end,
}

local function cast_constant(self, node, e, kind)
	local v = types.from_text(kind, e.value)
	if v ~= nil then
		return { type = kind, value = v, constant = "typed" }
	elseif node.safe then
		return { type = kind, null = true }
	end
	self:fail(node, "Bad %s value: %s", kind:lower(), e.value)
end

---CAST and SAFE_CAST.
---@param self table the translation
---@param node table
---@param e table translated argument
---@param kind string canonical target type
---@return table expression
function M.cast(self, node, e, kind)
	if e.null then
		return { type = kind, null = true }
	elseif e.type == kind and e.mode ~= "REPEATED" then
		return self:make(kind, self:sql(e), e)
	elseif e.type == "STRING" and e.constant then
		return cast_constant(self, node, e, kind)
	end
	local make = kind == "STRING" and TO_STRING[e.type] or CASTS[e.type .. ">" .. kind]
	if make and e.mode ~= "REPEATED" then
		return self:make(kind, make(self:sql(e), node.safe and "NULL" or FAIL), e)
	end
	local coerced = e.mode ~= "REPEATED" and self:coerce(e, kind, node)
	if not coerced then
		self:fail(node, "Unsupported by the sandbox: CAST from %s to %s", e.type, kind)
	end
	return coerced
end

-- Helpers ----------------------------------------------------------------------------------------

local function arguments(self, node)
	local out = {}
	for i, a in ipairs(node.args) do
		out[i] = self:expr(a)
	end
	return out
end

local function typed_argument(self, node, i, kind)
	local e = self:expr(node.args[i])
	local v = e.mode ~= "REPEATED" and self:coerce(e, kind, node)
	if not v then
		self:no_signature(node, "function " .. node.name, { e })
	end
	return v
end

-- A function of strings only, by a format with one %s an argument.
local function of_strings(name, count, result, template)
	define(name, count, count, function(self, node)
		local parts, sql = {}, {}
		for i = 1, count do
			parts[i] = typed_argument(self, node, i, "STRING")
			sql[i] = self:sql(parts[i])
		end
		local text = template:gsub("%$(%d)", function(n)
			return sql[tonumber(n)]
		end)
		return self:make(result, text, table.unpack(parts))
	end)
end

of_strings("LENGTH", 1, "INT64", "length($1)")
of_strings("CHAR_LENGTH", 1, "INT64", "length($1)")
of_strings("BYTE_LENGTH", 1, "INT64", "length(CAST($1 AS BLOB))")
of_strings("LOWER", 1, "STRING", "lower($1)")
of_strings("UPPER", 1, "STRING", "upper($1)")
of_strings("TRIM", 1, "STRING", "trim($1, char(32,9,10,11,12,13,133,160,5760,8232,8233,8239,8287,12288))")
of_strings("STARTS_WITH", 2, "BOOL", "(substr($1, 1, length($2)) = $2)")
of_strings("ENDS_WITH", 2, "BOOL", "($2 = '' OR substr($1, -length($2)) = $2)")

define("SUBSTR", 2, 3, function(self, node)
	local parts = { typed_argument(self, node, 1, "STRING"), typed_argument(self, node, 2, "INT64") }
	local sql = "substr(" .. self:sql(parts[1]) .. ", " .. self:sql(parts[2])
	if node.args[3] then
		parts[3] = typed_argument(self, node, 3, "INT64")
		sql = sql .. ", " .. self:sql(parts[3])
	end
	return self:make("STRING", sql .. ")", table.unpack(parts))
end)

define("CONCAT", 1, 100, function(self, node)
	local parts, sql = {}, {}
	for i = 1, #node.args do
		parts[i] = typed_argument(self, node, i, "STRING")
		sql[i] = self:sql(parts[i])
	end
	return self:make("STRING", "(" .. table.concat(sql, " || ") .. ")", table.unpack(parts))
end)

local function same_type(self, node, first)
	local all = arguments(self, node)
	local picked = table.move(all, first, #all, 1, {})
	local list, kind = self:unify(picked, node, "function " .. node.name)
	local sql = {}
	for i, e in ipairs(list) do
		sql[i] = self:sql(e)
	end
	return all, kind, sql
end

local function coalesce(self, node)
	local all, kind, sql = same_type(self, node, 1)
	local text = #sql == 1 and sql[1] or "coalesce(" .. table.concat(sql, ", ") .. ")"
	return self:make(kind, text, table.unpack(all))
end

define("COALESCE", 1, 100, coalesce)
define("IFNULL", 2, 2, coalesce)
define("NULLIF", 2, 2, function(self, node)
	local all, kind, sql = same_type(self, node, 1)
	return self:make(kind, ("nullif(%s, %s)"):format(sql[1], sql[2]), table.unpack(all))
end)
define("IF", 3, 3, function(self, node)
	local condition = self:condition(node.args[1], "function IF")
	local all, kind, sql = same_type(self, node, 2)
	return self:make(kind, ("iif(%s, %s, %s)"):format(self:sql(condition), sql[1], sql[2]), table.unpack(all))
end)

-- JSON -------------------------------------------------------------------------------------------

local TO_JSON = {
	JSON = "%s",
	STRING = "json_quote(%s)",
	DATE = "json_quote(%s)",
	INT64 = "iif(%s BETWEEN -9007199254740992 AND 9007199254740992, CAST(%s AS TEXT), '\"' || %s || '\"')",
	BOOL = "CASE %s WHEN 1 THEN 'true' WHEN 0 THEN 'false' END",
}

define("TO_JSON_STRING", 1, 1, function(self, node)
	local e = self:expr(node.args[1])
	local template = e.mode ~= "REPEATED" and TO_JSON[e.type]
	if not template then
		self:fail(node, "Unsupported by the sandbox: TO_JSON_STRING of %s", e.type)
	end
	local x = self:sql(e)
	return self:make("STRING", "ifnull(" .. template:gsub("%%s", (x:gsub("%%", "%%%%"))) .. ", 'null')", e)
end)

define("PARSE_JSON", 1, 1, function(self, node)
	local e = self:expr(node.args[1])
	if e.null then
		return { type = "JSON", null = true }
	elseif e.type ~= "STRING" or not e.constant then
		self:fail(node, "Unsupported by the sandbox: PARSE_JSON of anything but a constant")
	elseif not self.options.valid_json(e.value) then
		self:fail(node, "Invalid input to PARSE_JSON: syntax error while parsing value")
	end
	return { type = "JSON", value = e.value, constant = "typed" }
end)

define("JSON_VALUE", 2, 2, function(self, node)
	local json, path = typed_argument(self, node, 1, "JSON"), self:expr(node.args[2])
	if path.type ~= "STRING" or not path.constant or not path.value:find("^%$[%w_%.%[%]]*$") then
		self:fail(node, "Unsupported by the sandbox: a JSON path other than a constant $.name[0]")
	end
	local x, p = self:sql(json), self:sql(path)
	local sql = (
		"CASE json_type(%s, %s) WHEN 'object' THEN NULL WHEN 'array' THEN NULL WHEN 'null' THEN NULL "
		.. "WHEN 'text' THEN json_extract(%s, %s) ELSE (%s -> %s) END"
	):format(x, p, x, p, x, p)
	return self:make("STRING", sql, json)
end)

-- Times ------------------------------------------------------------------------------------------

define("CURRENT_TIMESTAMP", 0, 0, function(self)
	return { type = "TIMESTAMP", value = self.options.now, constant = "typed" }
end)
define("CURRENT_DATE", 0, 0, function(self)
	return { type = "DATE", value = types.format_timestamp(self.options.now):sub(1, 10), constant = "typed" }
end)
define("TIMESTAMP", 1, 1, function(self, node)
	return M.cast(self, node, self:expr(node.args[1]), "TIMESTAMP")
end)
define("DATE", 1, 1, function(self, node)
	return M.cast(self, node, self:expr(node.args[1]), "DATE")
end)
define("FORMAT_TIMESTAMP", 2, 2, function(self, node)
	local format, e = self:expr(node.args[1]), typed_argument(self, node, 2, "TIMESTAMP")
	if format.value ~= "%E4Y-%m-%dT%H:%M:%E6SZ" then
		self:fail(node, "Unsupported by the sandbox: FORMAT_TIMESTAMP with any format but RFC 3339")
	end
	local x = self:sql(e)
	local fraction = ("((%s %% 1000000 + 1000000) %% 1000000)"):format(x)
	local whole = ("strftime('%%Y-%%m-%%dT%%H:%%M:%%S', (%s - %s) / 1000000, 'unixepoch')"):format(x, fraction)
	return self:make("STRING", ("(%s || printf('.%%06dZ', %s))"):format(whole, fraction), e)
end)
define("UNIX_MICROS", 1, 1, function(self, node)
	local e = typed_argument(self, node, 1, "TIMESTAMP")
	return self:make("INT64", self:sql(e), e)
end)
define("TIMESTAMP_MICROS", 1, 1, function(self, node)
	local e = typed_argument(self, node, 1, "INT64")
	return self:make("TIMESTAMP", self:sql(e), e)
end)

local UNIT = {
	MICROSECOND = 1,
	MILLISECOND = 1000,
	SECOND = 1000000,
	MINUTE = 60000000,
	HOUR = 3600000000,
	DAY = 86400000000,
}

local function interval(self, node)
	local i = node.args[2]
	if i.k ~= "interval" then
		self:fail(node, "Number of arguments does not match for function %s (an INTERVAL is expected)", node.name)
	end
	local amount = self:expr(i.amount)
	if amount.type ~= "INT64" then
		self:fail(i, "INTERVAL expects an INT64")
	end
	return self:sql(amount), i.unit, i
end

local function shift_timestamp(sign)
	return function(self, node)
		local e = typed_argument(self, node, 1, "TIMESTAMP")
		local amount, unit, at = interval(self, node)
		if not UNIT[unit] then
			self:fail(at, "%s does not support the %s date part", node.name, unit)
		end
		return self:make("TIMESTAMP", ("(%s %s %s * %d)"):format(self:sql(e), sign, amount, UNIT[unit]), e)
	end
end

local function shift_date(sign)
	return function(self, node)
		local e = typed_argument(self, node, 1, "DATE")
		local amount, unit, at = interval(self, node)
		if unit ~= "DAY" then
			self:fail(at, "Unsupported by the sandbox: date part %s", unit)
		end
		return self:make("DATE", ("date(%s, (%s%s) || ' days')"):format(self:sql(e), sign, amount), e)
	end
end

define("TIMESTAMP_ADD", 2, 2, shift_timestamp("+"))
define("TIMESTAMP_SUB", 2, 2, shift_timestamp("-"))
define("DATE_ADD", 2, 2, shift_date("0+"))
define("DATE_SUB", 2, 2, shift_date("0-"))

-- Aggregates -------------------------------------------------------------------------------------

define("COUNT", 1, 1, function(self, node)
	if node.star then
		return { type = "INT64", sql = "count(*)" }
	end
	local e = self:expr(node.args[1])
	return self:make("INT64", ("count(%s%s)"):format(node.distinct and "DISTINCT " or "", self:sql(e)), e)
end, true)

define("COUNTIF", 1, 1, function(self, node)
	local e = self:condition(node.args[1], "function COUNTIF")
	return self:make("INT64", "count(iif(" .. self:sql(e) .. ", 1, NULL))", e)
end, true)

local function extreme(name)
	return function(self, node)
		local e = self:expr(node.args[1])
		self:comparable(node, { e }, "aggregate function " .. node.name, true)
		return self:make(e.type, name .. "(" .. self:sql(e) .. ")", e)
	end
end

define("MAX", 1, 1, extreme("max"), true)
define("MIN", 1, 1, extreme("min"), true)
define("ANY_VALUE", 1, 1, extreme("max"), true)
define("SUM", 1, 1, function(self, node)
	local e = self:expr(node.args[1])
	if e.type ~= "INT64" and e.type ~= "FLOAT64" then
		self:no_signature(node, "aggregate function SUM", { e })
	end
	return self:make(e.type, "sum(" .. self:sql(e) .. ")", e)
end, true)

return M

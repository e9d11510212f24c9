-- The SQL subset of the sandbox's BigQuery: what SQLite is asked to do, and what it answers, without HTTP.

local json = require "syncrun.json"
local sql = require "sandbox.bigquery.sql"
local sqlite = require "syncrun.sqlite"
local t = require "syncrun.test"
local types = require "sandbox.bigquery.types"

local SCHEMA = {
	{ name = "id", type = "STRING", mode = "NULLABLE" },
	{ name = "n", type = "INT64", mode = "NULLABLE" },
	{ name = "ok", type = "BOOL", mode = "NULLABLE" },
	{ name = "d", type = "DATE", mode = "NULLABLE" },
	{ name = "ts", type = "TIMESTAMP", mode = "NULLABLE" },
	{ name = "j", type = "JSON", mode = "NULLABLE" },
	{ name = "x", type = "NUMERIC", mode = "NULLABLE" },
	{ name = "f", type = "FLOAT64", mode = "NULLABLE" },
}

local DATA = [[
CREATE TABLE data (c1, c2, c3, c4, c5, c6, c7, c8);
INSERT INTO data VALUES ('a', 1, 1, '1990-05-06', 1767323045123456, '{"k":"v","n":1.10}', '1.5', 0.5);
INSERT INTO data VALUES ('B', 9007199254740993, 0, '1815-12-10', -1, NULL, '20', -2.0);
INSERT INTO data VALUES ('é', NULL, NULL, NULL, NULL, '[]', NULL, NULL);
INSERT INTO data VALUES (NULL, -5, 1, NULL, 0, NULL, '0.1', NULL);
PRAGMA case_sensitive_like = ON;
]]

local function translate(text, parameters)
	local by_name = {}
	for i, f in ipairs(SCHEMA) do
		by_name[f.name] = i
	end
	return sql.translate(text, {
		resolve = function(path)
			return { id = table.concat(path, "."), storage = "data", schema = SCHEMA, by_name = by_name }
		end,
		parameters = parameters,
		encode = function(v)
			return json.encode(type(v) == "table" and json.array(v) or v)
		end,
		valid_json = json.valid,
		base64 = function(s)
			return s
		end,
		null = json.null,
		now = 1767323045000000,
	})
end

-- The single column of a query, its NULLs spelled "NULL".
local function column(text, parameters)
	local plan = translate(text, parameters)
	local db <close> = sqlite.open(":memory:")
	db:exec(DATA)
	local out = {}
	for row in db:each("SELECT v FROM (" .. plan.sql:gsub("^SELECT (.-) FROM", "SELECT %1 AS v FROM", 1) .. ")",
		table.unpack(plan.binds)) do
		out[#out + 1] = row.v == nil and "NULL" or row.v
	end
	return out, plan
end

local function ids(condition, parameters)
	return (column("SELECT id FROM d.t WHERE " .. condition .. " ORDER BY id", parameters))
end

local function value(expression)
	local plan = translate("SELECT " .. expression .. " AS v")
	local db <close> = sqlite.open(":memory:")
	local row = db:one("SELECT x.* FROM (" .. plan.sql .. " AS v) x", table.unpack(plan.binds))
	return row.v, plan.schema[1].type
end

local function refused(text, part)
	local ok, e = pcall(translate, text)
	t.ok(not ok, "was not refused: " .. text)
	t.contains(e.message or e, part, text)
	t.eq(e.reason, "invalidQuery")
end

t.test("conditions follow three-valued logic and byte order", function()
	t.eq(ids "ok IS NOT TRUE", { "B", "é" })
	t.eq(ids "ok = FALSE", { "B" })
	t.eq(ids "NOT ok", { "B" })
	t.eq(ids "ok", { "NULL", "a" })
	t.eq(ids "id IS NULL", { "NULL" })
	t.eq(ids "id >= 'a'", { "a", "é" })
	t.eq(ids "id <> 'a' AND (n IS NULL OR n > 0)", { "B", "é" })
	t.eq(ids "id IN ('a', 'é', 'zz')", { "a", "é" })
	t.eq(ids "id NOT IN ('a')", { "B", "é" })
	t.eq(ids "id LIKE 'A%'", {})
	t.eq(ids "id LIKE '_'", { "B", "a", "é" })
	t.eq(ids "n BETWEEN 0 AND 10", { "a" })
	t.eq(ids "n NOT BETWEEN 0 AND 10", { "NULL", "B" })
	t.eq(ids "n = 9007199254740993", { "B" })
	t.eq(ids "n = 9007199254740992", {})
	t.eq(ids "id IS DISTINCT FROM 'a'", { "NULL", "B", "é" })
	t.eq(ids "TRUE", { "NULL", "B", "a", "é" })
end)

t.test("literals are coerced to dates and times, decimals compared exactly", function()
	t.eq(ids "d < '1900-01-01'", { "B" })
	t.eq(ids "d = DATE '1990-05-06'", { "a" })
	t.eq(ids "ts > '2026-01-02 03:04:05+00'", { "a" })
	t.eq(ids "ts < TIMESTAMP('1970-01-01')", { "B" })
	t.eq(ids "ts > TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 1 DAY)", { "a" })
	t.eq(ids "x = 1.50", { "a" })
	t.eq(ids "x IN (20, NUMERIC '0.10')", { "NULL", "B" })
	t.eq(ids "f < n", { "B", "a" })
	t.eq(ids "CAST(n AS STRING) = '9007199254740993'", { "B" })
	t.eq(ids "JSON_VALUE(j, '$.k') = 'v'", { "a" })
end)

t.test("parameters: named, positional, arrays, NULL", function()
	local function p(kind, v, name)
		return { name = name, parameterType = { type = kind }, parameterValue = { value = v } }
	end
	t.eq(ids("id = @Id", { p("STRING", "a", "id") }), { "a" })
	t.eq(ids("n = ? OR id = ?", { p("INT64", "-5"), p("STRING", "é") }), { "NULL", "é" })
	t.eq(ids("ok = @b", { p("BOOL", true, "b") }), { "NULL", "a" })
	t.eq(ids("id = @none", { p("STRING", json.null, "none") }), {})
	local list = { name = "l", parameterType = { type = "ARRAY", arrayType = { type = "INT64" } } }
	list.parameterValue = { arrayValues = { { value = "9007199254740993" }, { value = 1 } } }
	t.eq(ids("n IN UNNEST(@l)", { list }), { "B", "a" })
	t.eq(ids("n NOT IN UNNEST(@l)", { list }), { "NULL" })
	refused("SELECT id FROM d.t WHERE id = @l", "Query parameter 'l' not found")
end)

t.test("ordering, limits, aggregates and groups", function()
	t.eq(column "SELECT id FROM d.t ORDER BY CAST(id AS STRING)", { "NULL", "B", "a", "é" })
	t.eq(column "SELECT id FROM d.t ORDER BY n DESC NULLS FIRST LIMIT 2 OFFSET 1", { "B", "a" })
	t.eq(column "SELECT n FROM d.t ORDER BY id DESC LIMIT 1", { "NULL" })
	t.eq(column "SELECT COUNT(*) FROM d.t", { 4 })
	t.eq(column "SELECT COUNT(id) FROM d.t WHERE ok", { 1 })
	t.eq(column "SELECT COUNTIF(ok IS NOT TRUE) FROM d.t", { 2 })
	t.eq(column "SELECT COUNT(DISTINCT ok) FROM d.t", { 2 })
	t.eq(column "SELECT MAX(d) FROM d.t", { "1990-05-06" })
	local plan = translate "SELECT id, COUNT(*) AS k FROM d.t GROUP BY id HAVING COUNT(*) > 1 ORDER BY k DESC, 1"
	t.eq(plan.schema[2].type, "INT64")
	refused("SELECT id, COUNT(*) FROM d.t", "neither grouped nor aggregated")
	refused("SELECT id FROM d.t WHERE COUNT(*) > 1", "Aggregate function not allowed in WHERE")
end)

t.test("names of the result, columns read, star and except", function()
	local plan = translate "SELECT id AS a, n, COUNT(*) FROM d.t GROUP BY id, n"
	t.eq({ plan.schema[1].name, plan.schema[2].name, plan.schema[3].name }, { "a", "n", "f0_" })
	t.eq(plan.used, { [1] = true, [2] = true })
	t.eq(#translate("SELECT * FROM d.t").schema, #SCHEMA)
	t.eq(#translate("SELECT k.* EXCEPT (id, n) FROM d.t AS k").schema, #SCHEMA - 2)
	t.eq(translate("SELECT k.id FROM `p-1`.d.t k").table.id, "p-1.d.t")
	t.eq(translate("SELECT id FROM my-project-123.d.t").table.id, "my-project-123.d.t")
	t.eq(translate("SELECT id FROM `a.b.c`").table.id, "a.b.c")
	refused("SELECT id, id FROM d.t", "Duplicate column names")
end)

t.test("expressions have the service's types and values", function()
	t.eq({ value [["a\n\x41\u00e9"]] }, { "a\nAé", "STRING" })
	t.eq({ value [[r'\n']] }, { "\\n", "STRING" })
	t.eq({ value "'''a'b'''" }, { "a'b", "STRING" })
	t.eq({ value "-9223372036854775808" }, { math.mininteger, "INT64" })
	t.eq({ value "0x10" }, { 16, "INT64" })
	t.eq({ value "1.5e3" }, { 1500.0, "FLOAT64" })
	t.eq({ value "IFNULL(NULL, 'x') || '-' || CAST(5 AS STRING)" }, { "x-5", "STRING" })
	t.eq({ value "IF(1 > 2, 'a', 'b')" }, { "b", "STRING" })
	t.eq({ value "CAST('12' AS INT64)" }, { 12, "INT64" })
	t.eq({ value "SAFE_CAST('zwölf' AS INT64)" }, { nil, "INT64" })
	t.eq({ value "CAST(TRUE AS STRING)" }, { "true", "STRING" })
	t.eq({ value "CAST(TIMESTAMP '1969-12-31 23:59:59.5Z' AS STRING)" }, { "1969-12-31 23:59:59.500+00", "STRING" })
	t.eq({ value "CAST(TIMESTAMP '0001-01-01' AS STRING)" }, { "0001-01-01 00:00:00+00", "STRING" })
	t.eq({ value "FORMAT_TIMESTAMP('%E4Y-%m-%dT%H:%M:%E6SZ', TIMESTAMP '0001-02-03 04:05:06.5Z')" },
		{ "0001-02-03T04:05:06.500000Z", "STRING" })
	t.eq({ value "SAFE_CAST('2024-05-01 10:00:00 UTC' AS TIMESTAMP)" }, { 1714557600000000, "TIMESTAMP" })
	t.eq({ value "STARTS_WITH('école', 'é') AND ENDS_WITH('école', 'le')" }, { 1, "BOOL" })
	t.eq({ value "LENGTH('é🦄')" }, { 2, "INT64" })
	t.eq({ value "BYTE_LENGTH('é🦄')" }, { 6, "INT64" })
	t.eq({ value "TO_JSON_STRING(JSON '{\"a\":1}')" }, { '{"a":1}', "STRING" })
	t.eq({ value "NULL" }, { nil, "INT64" })
end)

t.test("INSERT, UPDATE and DELETE", function()
	local function changed(text)
		local plan = translate(text)
		local db <close> = sqlite.open(":memory:")
		db:exec(DATA)
		return db:run(plan.sql, table.unpack(plan.binds)), plan.kind
	end
	t.eq({ changed "DELETE FROM d.t WHERE id = 'a'" }, { 1, "DELETE" })
	t.eq({ changed "DELETE d.t AS k WHERE k.n > 0;" }, { 2, "DELETE" })
	t.eq({ changed "UPDATE d.t SET n = NULL, d = '2000-01-01', j = JSON '[1]' WHERE ok IS NULL" }, { 1, "UPDATE" })
	t.eq({ changed "INSERT d.t (id, ts) VALUES ('x', '2026-01-01'), ('y', NULL)" }, { 2, "INSERT" })
	refused("UPDATE d.t SET n = 'x' WHERE TRUE", "Value has type STRING which cannot be assigned to n, which has type")
	refused("UPDATE d.t SET n = 1", "UPDATE must have a WHERE clause")
	refused("INSERT INTO d.t (id, n) VALUES ('x')", "wrong column count")
	refused("INSERT INTO d.t (nope) VALUES (1)", "Column nope is not present")
end)

t.test("what is outside the subset is refused, naming the token and its place", function()
	for text, part in pairs {
		["SELECT id FROM d.t, d.u"] = '","',
		["SELECT id FROM d.t LEFT JOIN d.u"] = "keyword LEFT",
		["SELECT id FROM d.t UNION ALL SELECT 1"] = "keyword UNION",
		["WITH a AS (SELECT 1) SELECT * FROM a"] = "statement WITH",
		["SELECT (SELECT 1)"] = "subquery",
		["SELECT id FROM (SELECT 1)"] = "subquery in FROM",
		["SELECT CASE WHEN TRUE THEN 1 END"] = "keyword CASE",
		["SELECT 1 + 1"] = 'operator "+" at [1:10]',
		["SELECT ROW_NUMBER() OVER () FROM d.t"] = "keyword OVER",
		["SELECT REGEXP_CONTAINS(id, 'a') FROM d.t"] = "function REGEXP_CONTAINS at [1:8]",
		["SELECT id FROM [p:d.t]"] = "legacy SQL names",
		["SELECT x FROM d.t ORDER BY x"] = "ORDER BY type NUMERIC",
		["SELECT id FROM d.t WHERE id = 1"] = "No matching signature for operator = for argument types: STRING, INT64",
		["SELECT id FROM d.t WHERE n"] = "WHERE clause should return type BOOL, but returns INT64",
		["SELECT id FROM d.t WHERE j = '{}'"] = "No matching signature",
		["SELECT id FROM d.t WHERE ts > 'soon'"] = 'Could not cast literal "soon" to type TIMESTAMP',
		["SELECT id FROM d.t WHERE"] = "Unexpected end of script at [1:25]",
		["SELECT id\nFROM d.t\nWHERE nope = 1"] = "Unrecognized name: nope at [3:7]",
		["SELECT 'it''s'"] = 'Expected end of input but got string literal "s"',
		["SELECT 'abc"] = "Unclosed string literal at [1:8]",
		["SELECT 1; SELECT 2"] = "several statements",
		["SELECT id FROM d.t LIMIT -1"] = 'Expected integer literal or parameter but got "-"',
		["SELECT ~1"] = 'Illegal input character "~"',
		["SELECT id FROM d.t WHERE id LIKE"] = "Unexpected end of script",
		["SELECT CAST('x' AS INT64)"] = "Bad int64 value: x",
	} do
		refused(text, part)
	end
	refused("SELECT " .. ("("):rep(200) .. "1" .. (")"):rep(200), "too deep")
end)

t.test("types: floats, timestamps and decimals are spelled as the service does", function()
	for x, text in pairs {
		[1767323045.123456] = "1.767323045123456E9",
		[-1.5e9] = "-1.5E9",
		[1e10] = "1.0E10",
		[3.14] = "3.14",
		[123.0] = "123.0",
		[0.001] = "0.001",
		[0.00012] = "1.2E-4",
		[9999999.0] = "9999999.0",
		[1e7] = "1.0E7",
		[1 / 3] = "0.3333333333333333",
		[math.huge] = "Infinity",
		[1.7976931348623157e308] = "1.7976931348623157E308",
	} do
		t.eq(types.float_text(x), text)
	end
	t.eq(types.float_text(0.0), "0.0")
	t.eq(types.float_text(0 / 0), "NaN")
	t.eq(types.parse_timestamp("0001-01-01T00:00:00Z"), -62135596800000000)
	t.eq(types.parse_timestamp("9999-12-31T23:59:59.999999Z"), 253402300799999999)
	t.eq(types.parse_timestamp("9999-12-31T23:59:59.999999-01:00"), nil)
	t.eq(types.parse_timestamp("2026-02-30"), nil)
	t.eq(types.format_timestamp(-1), "1969-12-31T23:59:59.999999Z")
	t.eq(types.parse_decimal("123e-5", "NUMERIC"), "0.00123")
	t.eq(types.parse_decimal("1e-10", "NUMERIC"), nil)
	t.eq(types.parse_decimal("-0", "NUMERIC"), "0")
	t.eq(types.parse_int("9223372036854775808"), nil)
end)

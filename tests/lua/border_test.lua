-- Round trips at the border between C and Lua, and through every system's own path, for every class of value: what goes in
-- comes out, byte for byte. Nothing on the way may be a double, depend on a locale (tests/e2e/locale.sh runs this file in
-- one with a decimal comma) or use lua-cjson.
local json = require "syncrun.json"
local postgres = require "syncrun.postgres"
local rows = require "syncrun.rows"
local sqlite = require "syncrun.sqlite"
local t = require "syncrun.test"
local time = require "syncrun.time"

local DEEP = ("["):rep(500) .. '{"n":9007199254740993}' .. ("]"):rep(500)
local DIGITS = "99999999999999999999999999999999999999" -- 38

-- Per type: the texts a cell may hold. false is NULL.
local VALUES = {
	text = { false, "", " ", "00123", "9007199254740993", "null", "NULL", "\\N", "it's \"é\" 日本 \u{10FFFF}", "e\u{301}",
		"line\r\n\ttab", ("x"):rep(100000) },
	int64 = { false, "0", "-1", "9007199254740993", "9223372036854775807", "-9223372036854775808" },
	decimal = { false, "0", DIGITS, "-" .. DIGITS, "0." .. DIGITS, "123456789012345678901234567890.12345678", "1.10",
		"-0.001" },
	bool = { false, "true", "false" },
	date = { false, "0001-01-01", "1582-10-10", "1969-12-31", "2000-02-29", "9999-12-31" },
	time = { false, "00:00:00", "23:59:59.999999" },
	datetime = { false, "0001-01-01T00:00:00", "9999-12-31T23:59:59.999999" },
	timestamp = { false, "0", "-1", "-62135596800000000", "253402300799999999", "1767323045123456" },
	json = { false, "null", '""', "[]", "{}",
		'{"id":9007199254740993,"x":[1.10,1e3,-0,12345678901234567890,0.12345678901234567890]}',
		'{"a":"\\ud83e\\udd84 \\" \\\\ é"}', DEEP },
	float64 = { false, "0.1", "5e-324", "1.7976931348623157e+308", "1e+21" },
	bytes = { false, "", "\0", "\0\1\255" },
}

local ORDER = { "text", "int64", "decimal", "bool", "date", "time", "datetime", "timestamp", "json", "float64",
	"bytes" }

-- A page with a key and one column per type; row i has value i of every type (the first again when a type has fewer).
local function page_of(types, skip)
	local columns, n = { { "k", "text" } }, 0
	for i, kind in ipairs(types) do
		columns[i + 1] = { "c_" .. kind, kind }
		n = math.max(n, #VALUES[kind])
	end
	local page = rows.new(rows.schema(columns))
	for i = 1, n do
		page:add { k = ("%03d"):format(i) }
		for _, kind in ipairs(types) do
			local value = VALUES[kind][i]
			if value and not (skip and skip(kind, value)) then page:set(i, "c_" .. kind, value) end
		end
	end
	return page
end

local function same(got, want, what)
	t.eq(#got, #want, what)
	for i = 1, #want do
		for _, name in ipairs(want:schema():names()) do
			local a, b = got:text(i, name), want:text(i, name)
			t.ok(a == b or rows.equal(got, i, want, i, { name }), ("%s, row %d, %s: %s, want %s"):format(what, i, name,
				tostring(a):sub(1, 80), tostring(b):sub(1, 80)))
			t.eq(got:is_null(i, name), want:is_null(i, name), what)
		end
	end
end

t.test("a cell gives back what was put into it", function()
	local page = page_of(ORDER)
	for i = 1, #page do
		for _, kind in ipairs(ORDER) do
			t.eq(page:text(i, "c_" .. kind), VALUES[kind][i] or nil, kind)
		end
	end
	local copy = rows.new(page:schema())
	for i = 1, #page do copy:append(page, i) end
	same(copy, page, "append")
	same(copy:slice(1, #copy), page, "slice")
end)

t.test("Lua values of a row view go back as they came", function()
	local page = page_of(ORDER)
	local again = rows.new(page:schema())
	for i = 1, #page do
		local fields = {}
		for name, value in pairs(page[i]) do fields[name] = value end
		again:add(fields)
	end
	same(again, page, "views")
	t.eq(page[5].c_int64, math.maxinteger)
	t.eq(page[6].c_int64, math.mininteger)
	t.eq(math.type(page[4].c_int64), "integer")
	t.eq(page[4].c_int64, 9007199254740993)
	t.eq(page[5].c_timestamp, 253402300799999999)
end)

t.test("microseconds of the years 1 and 9999 as text and back", function()
	for text, us in pairs {
		["0001-01-01T00:00:00.000001Z"] = -62135596799999999, ["9999-12-31T23:59:59.999999Z"] = 253402300799999999,
		["1969-12-31T23:59:59.999999Z"] = -1,
	} do
		t.eq(time.format(us, 6), text)
		t.eq(time.parse(text), us)
	end
end)

t.test("json values keep every digit between text and Lua", function()
	for _, text in ipairs { "9007199254740993", "9223372036854775807", "-9223372036854775808", DIGITS, "0." .. DIGITS,
		"12345678901234567890", "1e400", '"a\\u0000b"', '{"a":null,"b":"","c":[]}', DEEP } do
		t.eq(json.canonical(json.encode(json.decode(text))), json.canonical(text), text:sub(1, 80))
	end
	t.eq(json.decode "9223372036854775807", math.maxinteger)
	t.eq(json.decode '"a\\u0000b"', "a\0b")
	t.eq(json.decode "null", json.null)
end)

-- Twenty's path: rows to a JSON body, and a JSON page to rows.
t.test("rows to JSON and back", function()
	local types = { "text", "int64", "decimal", "bool", "date", "time", "datetime", "timestamp", "json" }
	local as = { bool = "bool", json = "json", timestamp = "timestamp_us" }
	local page = page_of(types, function(_, value) return value == "null" end) -- as a JSON value it is NULL
	local entries, paths = { { path = "k", column = "k", as = "string" } }, { "k" }
	for i, kind in ipairs(types) do
		entries[i + 1] = { path = "x.c_" .. kind, column = "c_" .. kind, as = as[kind] or "string" }
		paths[i + 1] = "x.c_" .. kind
	end
	local text = rows.encoder(entries):encode(page, 1, #page)
	t.ok(json.valid(text))
	same(rows.json_reader(page:schema(), { rows = "list", paths = paths }):read('{"list":' .. text .. "}"), page, "JSON")
end)

-- BigQuery's path: its answers are strings in JSON.
t.test("an answer of BigQuery to rows", function()
	local types = { text = "STRING", int64 = "INTEGER", decimal = "BIGNUMERIC", bool = "BOOLEAN", date = "DATE",
		time = "TIME", datetime = "DATETIME", timestamp = "TIMESTAMP", json = "JSON" }
	local order, fields = {}, { { name = "k", type = "STRING" } }
	for _, kind in ipairs(ORDER) do
		if types[kind] then
			order[#order + 1] = kind
			fields[#fields + 1] = { name = "c_" .. kind, type = types[kind] }
		end
	end
	local page, list = page_of(order), {}
	for i = 1, #page do
		local cells = { { v = page:text(i, "k") } }
		for k, kind in ipairs(order) do cells[k + 1] = { v = page:text(i, "c_" .. kind) or json.null } end
		list[i] = { f = json.array(cells) }
	end
	same(rows.bigquery_reader(fields):read(json.encode { rows = json.array(list) }), page, "BigQuery")
end)

local function columns_of(types)
	local names = { "k" }
	for i, kind in ipairs(types) do names[i + 1] = "c_" .. kind end
	return table.concat(names, ", "), #names
end

t.test("through SQLite, a NUL in a text too", function()
	local page = page_of(ORDER)
	page:add { k = "nul", c_text = "a\0b" }
	local columns, n = columns_of(ORDER)
	local db <close> = sqlite.open(":memory:", { mode = "memory" })
	db:exec(("CREATE TABLE r (%s)"):format(columns))
	db:insert_rows(("INSERT INTO r VALUES (%s)"):format(("?, "):rep(n):sub(1, -3)), page)
	for found in db:scan_rows(("SELECT %s FROM r ORDER BY rowid"):format(columns), page:schema(), 1000) do
		same(found, page, "SQLite")
	end
end)

t.test("through Postgres: arrays of text in, binary COPY out", function()
	local uri = os.getenv "SYNCRUN_TEST_PG"
	if not uri then t.skip "SYNCRUN_TEST_PG is not set" end
	local sql = { text = "text", int64 = "int8", decimal = "numeric", bool = "bool", date = "date", time = "time",
		datetime = "timestamp", timestamp = "timestamptz", json = "jsonb", float64 = "float8", bytes = "bytea" }
	local page, columns = page_of(ORDER), columns_of(ORDER)
	local db <close> = postgres.connect(uri)
	local make, take, read = { "k text" }, { "$1::text[]" }, {}
	for i, kind in ipairs(ORDER) do
		make[i + 1], take[i + 1] = ("c_%s %s"):format(kind, sql[kind]), ("$%d::text[]"):format(i + 1)
		read[i] = ("c_%s::%s"):format(kind, sql[kind])
	end
	local name = "border_" .. require "syncrun.crypto".uuid():sub(1, 8)
	db:exec(("CREATE TABLE %s (%s)"):format(name, table.concat(make, ", ")))
	db:write_rows(("INSERT INTO %s SELECT k, %s FROM unnest(%s) AS x(%s)"):format(name, table.concat(read, ", "),
		table.concat(take, ", "), columns), page)
	for found in db:scan_rows(("SELECT %s FROM %s ORDER BY k"):format(columns:gsub("c_decimal", "c_decimal::text"), name),
		page:schema(), 1000) do
		same(found, page, "Postgres")
	end
	db:exec("DROP TABLE " .. name)
end)

t.test("a plan carries every value over untouched", function()
	local page, columns = page_of(ORDER), {}
	for i, name in ipairs(page:schema():names()) do
		columns[i] = { name = name, type = page:schema():type(name), from = name }
	end
	local plan = rows.plan(page:schema(), columns)
	local applied, counts = plan:apply(page)
	same(applied, page, "plan")
	t.eq(counts, {})
end)

t.test("nothing of the program asks for lua-cjson", function()
	local pipe <close> = assert(io.popen "grep -rl 'require.*cjson' lua scripts; true")
	t.eq(pipe:read "a", "")
end)

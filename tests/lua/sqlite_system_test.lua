-- The SQLite system over files of every shape: what it finds in the way of a run, and what it reads of them. Each test has a
-- file, which the statements make (by Python's rules of SQLite, not ours: no write-ahead logging).
local crypto = require "syncrun.crypto"
local file = require "syncrun.file"
local mapping_of = require "syncrun.model.mapping"
local rows = require "syncrun.rows"
local sqlite = require "syncrun.sqlite"
local system_of = require "syncrun.systems.sqlite"
local t = require "syncrun.test"

local MAPPING = {
	key = "contact_id",
	fields = {
		{ "contact_id", "text", required = true }, { "full_name", "text" }, { "age", "int64" }, { "score", "float64" },
		{ "balance", "decimal" }, { "is_me", "bool" }, { "birthday", "date" }, { "at", "timestamp" }, { "extra", "json" },
		{ "photo", "bytes" },
	},
}
local READ, WRITE = { write = false }, { write = true }

-- The table's definition with other words for some columns: columns { age = "REAL" }.
local function columns(other)
	local types = { contact_id = "TEXT PRIMARY KEY", full_name = "TEXT", age = "INTEGER", score = "REAL", balance = "TEXT",
		is_me = "INTEGER", birthday = "TEXT", at = "INTEGER", extra = "TEXT", photo = "BLOB" }
	local list = {}
	for i, field in ipairs(MAPPING.fields) do list[i] = field[1] .. " " .. ((other or {})[field[1]] or types[field[1]]) end
	return table.concat(list, ", ")
end

local function people(other, options)
	return ("CREATE TABLE people (%s) %s;"):format(columns(other), options or "")
end

-- A file made by the statements, f(system, path) with a system over its table people.
local function with_system(statements, f, mapping)
	local path = ("/tmp/syncrun_system_%s.db"):format(crypto.uuid())
	if statements then
		local db <close> = sqlite.open(path, { wal = false })
		db:exec(statements)
	end
	local system = system_of.new({ path = path, table = "people", lock_wait = 0 },
		mapping_of.compile(mapping or MAPPING))
	local ok, e = pcall(f, system, path)
	system:close()
	for _, suffix in ipairs { "", "-wal", "-shm", "-journal" } do os.remove(path .. suffix) end
	if not ok then error(e, 0) end
end

-- The words of the problems, the file as @, each with its exit code.
local function words(system, intent)
	local list = {}
	for i, problem in ipairs(system:check(intent)) do
		list[i] = ("%d %s"):format(problem.exit, (problem.what:gsub(system.path:gsub("%p", "%%%0"), "@")))
	end
	return list
end

-- What a run that writes finds in a table; and that one that reads finds `in_reading`, or nothing.
local function finds(name, statements, wanted, in_reading, mapping)
	t.test("sqlite preflight: " .. name, function()
		with_system(statements, function(system)
			t.eq(words(system, WRITE), wanted)
			t.eq(words(system), wanted)
			t.eq(words(system, READ), in_reading or {})
		end, mapping)
	end)
end

finds("a table as we make it", people(nil, "WITHOUT ROWID"), {})
finds("another table that holds every value", people { contact_id = "VARCHAR(40) NOT NULL PRIMARY KEY",
	full_name = "NVARCHAR", age = "BIGINT", score = "DOUBLE PRECISION", balance = "", is_me = "BOOLEAN",
	birthday = "DATE", at = "TIMESTAMP", extra = "BLOB", photo = "" }, {})
finds("a strict table", people(nil, "STRICT"), {})
finds("a strict table of ANY", people({ full_name = "ANY", age = "ANY", balance = "ANY", is_me = "ANY" },
	"STRICT, WITHOUT ROWID"), {})
finds("names in other cases", (people():upper()), {})
finds("integers in a TEXT column", people { age = "TEXT", at = "TEXT", score = "INTEGER" }, {})

local NO_TABLE, NO_FILE = { "2 table people is missing in '@'" }, { "2 local database '@' does not exist" }
finds("no table", "CREATE TABLE other (a)", NO_TABLE, NO_TABLE)
finds("no file", nil, NO_FILE, NO_FILE)

finds("affinities that change values", people { full_name = "NUMERIC", age = "REAL", score = "TEXT",
	balance = "DECIMAL(10, 2)", is_me = "TEXT", at = "FLOAT", extra = "JSON" }, {
	"2 column people.full_name is of type NUMERIC, which would turn the text '007' into the number 7; make it TEXT",
	"2 column people.age is of type REAL, which would round whole numbers beyond 2^53; make it INTEGER",
	"2 column people.score is of type TEXT, which would round numbers to 15 digits; make it REAL",
	"2 column people.balance is of type DECIMAL(10, 2), which would round 0.12345678901234567; make it TEXT",
	"2 column people.is_me is of type TEXT, which would turn true into the text '1'; make it INTEGER",
	"2 column people.at is of type FLOAT, which would round times after the year 2255; make it INTEGER",
	"2 column people.extra is of type JSON, which would round the number 12345678901234567890; make it TEXT",
})
finds("types of a strict table that refuse values", people({ full_name = "BLOB", birthday = "INT", photo = "TEXT",
	score = "INTEGER" }, "STRICT"), {
	"2 column people.full_name is of type BLOB, which in a strict table refuses what is written; make it TEXT",
	"2 column people.score is of type INTEGER, which in a strict table refuses what is written; make it REAL",
	"2 column people.birthday is of type INT, which in a strict table refuses what is written; make it TEXT",
	"2 column people.photo is of type TEXT, which in a strict table refuses what is written; make it BLOB",
})

-- case 61b
finds("a key that is the rowid", people { contact_id = "INTEGER PRIMARY KEY" }, {
	"2 column people.contact_id is of type INTEGER, which would turn the text '007' into the number 7; make it TEXT" })
-- case 62
local MERGES = "2 column people.contact_id is unique under COLLATE %s, which would merge contacts of different ids; "
	.. "make the table anew with TEXT PRIMARY KEY"
for _, collation in ipairs { "NOCASE", "RTRIM" } do
	finds("a key under " .. collation, people { contact_id = "TEXT COLLATE " .. collation .. " PRIMARY KEY" },
		{ MERGES:format(collation) })
end
finds("a key under NOCASE with a second, exact index", people { contact_id = "TEXT COLLATE NOCASE PRIMARY KEY" }
	.. "CREATE UNIQUE INDEX exact ON people (contact_id COLLATE BINARY)", { MERGES:format "NOCASE" })
finds("a NOCASE column that is unique by its bytes", people { contact_id = "TEXT COLLATE NOCASE" }
	.. "CREATE UNIQUE INDEX exact ON people (contact_id COLLATE BINARY)", {})

local NOT_UNIQUE = "2 column people.contact_id is not unique in '@'; CREATE UNIQUE INDEX over it, or make it the "
	.. "primary key"
finds("a key that is not unique", people { contact_id = "TEXT" }, { NOT_UNIQUE })
finds("a key that is unique only in part", people { contact_id = "TEXT" }
	.. "CREATE UNIQUE INDEX some ON people (contact_id) WHERE age > 3;"
	.. "CREATE UNIQUE INDEX two ON people (contact_id, age);"
	.. "CREATE UNIQUE INDEX of_words ON people (lower(contact_id))", { NOT_UNIQUE })
finds("no key at all", "CREATE TABLE people (id INTEGER PRIMARY KEY, full_name)",
	{ "2 column people.contact_id is missing in '@'", "2 column people.age is missing in '@'" },
	{ "2 column people.contact_id is missing in '@'", "2 column people.age is missing in '@'" },
	{ key = "contact_id", fields = { { "contact_id", "text" }, { "full_name", "text" }, { "age", "int64" } } })

-- case 21, here
finds("generated columns", people { full_name = "TEXT GENERATED ALWAYS AS (upper(contact_id))",
	age = "INTEGER AS (1) STORED" }, {
	"2 column people.full_name is generated by SQLite (GENERATED ALWAYS AS …), so nothing can be written to it; give it "
		.. 'own = "target" in the mapping, or name another column',
	"2 column people.age is generated by SQLite (GENERATED ALWAYS AS …), so nothing can be written to it; give it "
		.. 'own = "target" in the mapping, or name another column',
})
finds("a generated column that is only read", "CREATE TABLE people (contact_id TEXT PRIMARY KEY, n INTEGER AS (1))",
	{}, {}, { key = "contact_id", fields = { { "contact_id", "text" }, { "n", "int64", own = "target" } } })

finds("columns that need a value the mapping has not",
	people { contact_id = "TEXT UNIQUE, id INTEGER PRIMARY KEY NOT NULL, a TEXT NOT NULL, b TEXT NOT NULL DEFAULT 1" },
	{ "2 column people.a needs a value (NOT NULL without a default), and the mapping has none for it" })
finds("triggers are worth saying", people() .. "CREATE TRIGGER log AFTER INSERT ON people BEGIN SELECT 1; END;"
	.. "CREATE TABLE other (a); CREATE TRIGGER elsewhere AFTER INSERT ON other BEGIN SELECT 1; END",
	{ "0 when a row of table people is written, its triggers may change or refuse it: 'log'" })
finds("a view", ("CREATE TABLE t (%s); CREATE VIEW people AS SELECT * FROM t"):format(columns()),
	{ "2 people in '@' is a view, the mapping needs a table to write to" })
finds("a virtual table", "CREATE VIRTUAL TABLE people USING fts5("
	.. "contact_id, full_name, age, score, balance, is_me, birthday, at, extra, photo)",
	{ "2 people in '@' is a virtual table, the mapping needs a table to write to" })
local UTF16 = "2 the texts of '@' are in UTF-16le, not in UTF-8, and so sorted in another order; make the file anew"
finds("a file in UTF-16", "PRAGMA encoding = 'UTF-16le';" .. people(), { UTF16 }, { UTF16 })

t.test("sqlite preflight: names that are one to SQLite, or its own", function()
	local mapping = { key = "contact_id", fields = { { "contact_id", "text" }, { "name", "text" },
		{ "full_name", "text", to = { sqlite = "Name" } } } }
	with_system(nil, function(system)
		system.table_name = "sqlite_people"
		t.eq(words(system), { "2 the name of table 'sqlite_people' is reserved for SQLite; name it otherwise",
			"2 the columns 'name' and 'Name' are one to SQLite; name one otherwise", "2 local database '@' does not exist" })
	end, mapping)
end)

-- Overwrite a part of a page of the table.
local function damage(path, page, place, bytes)
	local f <close> = assert(io.open(path, "r+b"))
	f:seek("set", (page - 1) * 4096 + place)
	f:write(bytes)
end

t.test("sqlite preflight: a damaged table", function()
	with_system(people(), function(system, path)
		local db = sqlite.open(path, { wal = false })
		for i = 1, 20 do
			db:run("INSERT INTO people (contact_id, full_name) VALUES (?, ?)", tostring(i), ("x"):rep(3000))
		end
		local pages = db:one("PRAGMA page_count").page_count
		db:close()
		damage(path, pages, 8, "\0\1") -- where a leaf's first cell stands: found by looking
		t.ok(words(system, READ)[1]:find "^3 '@' is damaged %(.+%); restore it, or move it away and run again$")
		damage(path, 2, 0, "\xff") -- the table's root: nothing can be read
		local e = t.raises(system.check, "the file is damaged: restore it", system, READ)
		t.eq(e.exit, 3)
	end)
end)

t.test("sqlite preflight: rows that break a rule of their table are no damage", function()
	with_system(people { age = "INTEGER CHECK (age > 0)" }
		.. "PRAGMA ignore_check_constraints = 1; INSERT INTO people (contact_id, age) VALUES ('1', 0)", function(system)
			t.eq(words(system), {})
		end)
end)

t.test("sqlite preflight: a lock of somebody else is found before anything is written", function()
	with_system(people(), function(system, path)
		local db <close> = sqlite.open(path, { wal = false })
		db:transaction(function()
			local e = t.raises(system.check, "sqlite", system, WRITE)
			t.eq(e.code, "SQLITE_BUSY")
			t.eq(e.exit, 3)
			t.eq(words(system, READ), {})
		end)
	end)
end)

t.test("sqlite preflight: looking changes nothing", function()
	with_system(people(), function(system, path)
		local before = io.open(path, "rb"):read "a"
		system:check(WRITE)
		system:setup(false)
		collectgarbage()
		t.ok(io.open(path, "rb"):read "a" == before)
		t.eq(file.kind(path .. "-wal"), nil)
	end)
end)

-- ---- reading

local function read_all(system)
	local keys = {}
	for page in system:scan() do
		for i = 1, #page do keys[#keys + 1] = page:text(i, "contact_id") end
	end
	return keys
end

t.test("sqlite: rows come in the order of their bytes, whatever the column's collation", function()
	with_system(people { contact_id = "TEXT COLLATE NOCASE" } .. [[INSERT INTO people (contact_id)
		VALUES ('b'), ('A'), ('a'), ('B'), (''), ('é'), ('a b'), ('a')]], function(system)
		t.eq(read_all(system), { "", "A", "B", "a", "a", "a b", "b", "é" })
		t.eq(#system:fetch { "a" }, 2)
		t.eq(#system:fetch { "é", "A", "x" }, 2)
	end)
end)

t.test("sqlite: keys that are no texts are shown, in the order in which they are shown", function()
	with_system("CREATE TABLE people (" .. columns { contact_id = "" } .. [[); INSERT INTO people (contact_id)
		VALUES ('b'), (10), (9), (NULL), (x'61ff'), ('X'), (1.5), ('10')]], function(system)
		t.eq(read_all(system), { "", "1.5", "10", "10", "9", "X", "X'61FF'", "b" })
	end)
	with_system(people { contact_id = "INTEGER PRIMARY KEY" } .. "INSERT INTO people (contact_id) VALUES (9), (10)",
		function(system)
			t.eq(read_all(system), { "10", "9" })
			t.eq(#system:fetch { "09" }, 0)
			t.eq(#system:fetch { "9" }, 1)
		end)
end)

t.test("sqlite: a write never removes another contact's row", function()
	with_system(people { full_name = "TEXT UNIQUE ON CONFLICT REPLACE" }, function(system)
		local function write(id, name)
			local page = rows.new(system.schema)
			page:add { contact_id = id, full_name = name }
			return system:write({ rows = page }, "create")
		end
		write("1", "Ada")
		local e = t.raises(write, "UNIQUE constraint failed", "2", "Ada")
		t.ok(e.reject)
		t.eq(read_all(system), { "1" })
	end)
end)

t.test("sqlite: only the rows of the very keys are deleted", function()
	with_system("CREATE TABLE people (" .. columns { contact_id = "" } .. [[); INSERT INTO people (contact_id)
		VALUES ('a'), ('A'), (x'61'), (7), ('07'), ('b'), (NULL), ('')]], function(system)
		local keys = { "a", "07", "x'; DROP TABLE people; --" }
		for i = 1, 1200 do keys[#keys + 1] = "none " .. i end
		keys[#keys + 1] = "b"
		system:delete(keys)
		t.eq(read_all(system), { "", "", "7", "A", "X'61'" })
	end)
	with_system(people { contact_id = "INTEGER PRIMARY KEY" } .. "INSERT INTO people (contact_id) VALUES (7), (8)",
		function(system)
			system:delete { "07", "8" }
			t.eq(read_all(system), { "7" })
		end)
end)

-- SQLite through the facade. What is written is judged by SQL (typeof, hex, quote), not by the reader under test.
local t = require "syncrun.test"
local sqlite = require "syncrun.sqlite"
local rows = require "syncrun.rows"
local task = require "syncrun.task"
local err = require "syncrun.err"
local crypto = require "syncrun.crypto"
local file = require "syncrun.file"
local host = require "syncrun.host"

local function temp_path()
	return ("/tmp/syncrun_sqlite_%s.db"):format(crypto.uuid())
end

local function remove(path)
	for _, suffix in ipairs { "", "-wal", "-shm", "-journal" } do os.remove(path .. suffix) end
end

-- A test with a database file of its own.
local function with_file(name, fn)
	t.test(name, function()
		local path = temp_path()
		local ok, e = xpcall(fn, function(e)
			if type(e) == "table" and not e.traceback then e.traceback = debug.traceback() end
			return e
		end, path)
		remove(path)
		if not ok then error(e, 0) end
	end)
end

-- A test with a database in memory.
local function with_memory(name, fn)
	t.test(name, function()
		local db <close> = sqlite.open(":memory:")
		fn(db)
	end)
end

-- ---- values

with_memory("every class of value comes back as it went in", function(db)
	db:exec "CREATE TABLE v (id INTEGER PRIMARY KEY, v, type TEXT)"
	local values = {
		{ 0, "integer" }, { -1, "integer" }, { math.maxinteger, "integer" }, { math.mininteger, "integer" },
		{ 0.5, "real" }, { 1e300, "real" }, { 5e-324, "real" }, { 2.0 ^ 53, "real" }, { -0.1, "real" },
		{ math.huge, "real" }, { -math.huge, "real" },
		{ "", "text" }, { "a\0b", "text" }, { "zażółć €😀", "text" }, { ("x"):rep(100000), "text" },
	}
	for i, v in ipairs(values) do t.eq(db:run("INSERT INTO v VALUES (?, ?, typeof(?))", i, v[1], v[1]), 1) end
	for i, v in ipairs(values) do
		local row = db:one("SELECT v, typeof(v) AS type, length(CAST(v AS BLOB)) AS bytes FROM v WHERE id = ?", i)
		t.eq(row.v, v[1], "value " .. i)
		t.eq(row.type, v[2], "type " .. i)
		if v[2] == "text" then t.eq(row.bytes, #v[1], "bytes " .. i) end
	end
end)

with_memory("blob, boolean and NULL parameters", function(db)
	local function typed(v)
		return db:one("SELECT typeof(?1) AS type, quote(?1) AS text", v)
	end
	t.eq(typed(sqlite.blob "a\0\xff"), { type = "blob", text = "X'6100FF'" })
	t.eq(typed(sqlite.blob ""), { type = "blob", text = "X''" })
	t.eq(typed(true), { type = "integer", text = "1" })
	t.eq(typed(false), { type = "integer", text = "0" })
	t.eq(typed(nil), { type = "null", text = "NULL" })
	t.eq(typed(""), { type = "text", text = "''" })
	local ok, json = pcall(require, "syncrun.json")
	if ok then t.eq(typed(json.null), { type = "null", text = "NULL" }) end
	t.eq(db:one("SELECT zeroblob(0) AS b, x'00ff' AS c, NULL AS n"), { b = "", c = "\0\xff" })
end)

with_memory("what cannot be stored is refused before anything runs", function(db)
	db:exec "CREATE TABLE v (v)"
	t.raises(db.run, "not a number", db, "INSERT INTO v VALUES (?)", 0 / 0)
	t.raises(db.run, "a table cannot be stored", db, "INSERT INTO v VALUES (?)", {})
	t.raises(db.query, "a function cannot be stored", db, "SELECT ?", print)
	t.raises(db.run, "the statement has 1 parameters, 0 values were given", db, "INSERT INTO v VALUES (?)")
	t.raises(db.query, "the statement has 0 parameters, 1 values were given", db, "SELECT 1", 2)
	t.eq(db:one("SELECT count(*) AS n FROM v").n, 0)
end)

with_memory("run, query, one, each, last_insert_rowid", function(db)
	db:exec "CREATE TABLE p (id INTEGER PRIMARY KEY, name TEXT); -- people\nINSERT INTO p VALUES (1, 'a'), (2, 'b');"
	t.eq(db:run("UPDATE p SET name = upper(name)"), 2)
	t.eq(db:run("UPDATE p SET name = name WHERE id > 5"), 0)
	t.eq(db:run("INSERT INTO p (name) VALUES (?)", "c"), 1)
	t.eq(db:last_insert_rowid(), 3)
	t.eq(db:query("SELECT * FROM p WHERE id < ? ORDER BY id", 3), { { id = 1, name = "A" }, { id = 2, name = "B" } })
	t.eq(db:query("SELECT * FROM p WHERE id > 9"), {})
	t.eq(db:one("SELECT * FROM p WHERE id > 9"), nil)
	local seen = {}
	for row in db:each("SELECT id FROM p ORDER BY id DESC") do seen[#seen + 1] = row.id end
	t.eq(seen, { 3, 2, 1 })
	t.eq(db:query("INSERT INTO p (name) VALUES ('d') RETURNING id, name"), { { id = 4, name = "d" } })
	t.eq(db:run("CREATE TABLE q (a)"), 0)
end)

with_memory("sha256 and md5 in SQL", function(db)
	local row = db:one("SELECT sha256('abc') AS a, md5('abc') AS b, sha256(x'616263') AS c, sha256(NULL) AS n, "
		.. "md5('') AS e, sha256(12) = sha256('12') AS f")
	t.eq(row, { a = crypto.sha256 "abc", b = crypto.md5 "abc", c = crypto.sha256 "abc", e = crypto.md5 "", f = 1 })
	db:exec "CREATE TABLE k (v); CREATE INDEX k_hash ON k (sha256(v))" -- deterministic and harmless: fit for an index
end)

-- ---- errors

with_memory("errors name the statement's first words and the code, not the values", function(db)
	db:exec "CREATE TABLE u (a TEXT PRIMARY KEY, b INTEGER NOT NULL) STRICT"
	db:run("INSERT INTO u VALUES ('x', 1)")
	local e = t.raises(db.run, "sqlite", db, "INSERT INTO u VALUES ('x', 4711)")
	t.eq(e.code, "SQLITE_CONSTRAINT_PRIMARYKEY")
	t.eq(e.message, "cannot run 'INSERT INTO u VALUES' on ':memory:' (UNIQUE constraint failed: u.a)")
	t.ok(not e.retryable)
	t.eq(t.raises(db.run, "sqlite", db, "INSERT INTO u VALUES ('y', NULL)").code, "SQLITE_CONSTRAINT_NOTNULL")
	t.eq(t.raises(db.run, "sqlite", db, "INSERT INTO u VALUES ('y', 'secret')").code, "SQLITE_CONSTRAINT_DATATYPE")
	t.raises(db.run, "no such table: nowhere", db, "DELETE FROM nowhere")
	t.raises(db.run, "more than one statement", db, "SELECT 1; DELETE FROM u")
	t.raises(db.run, "is empty", db, "  ")
	t.raises(db.query, "no such column", db, 'SELECT "not a string"') -- double quotes never make a string
end)

with_memory("foreign keys are enforced", function(db)
	db:exec "CREATE TABLE a (id PRIMARY KEY); CREATE TABLE b (a REFERENCES a (id))"
	t.eq(t.raises(db.run, "sqlite", db, "INSERT INTO b VALUES (1)").code, "SQLITE_CONSTRAINT_FOREIGNKEY")
end)

t.test("a closed handle says so, and closing twice is legal", function()
	local db = sqlite.open(":memory:")
	local iterator = db:each("SELECT 1 UNION SELECT 2")
	t.eq(iterator(), { ["1"] = 1 })
	db:close()
	db:close()
	t.eq(t.raises(db.query, "the database is closed", db, "SELECT 1").code, "closed")
	t.raises(iterator, "was closed")
	iterator:close()
	t.eq(iterator(), nil)
end)

with_file("a file that is no database is refused clearly", function(path)
	local f = assert(io.open(path, "w"))
	f:write(("This is a letter.\n"):rep(300))
	f:close()
	local e = t.raises(sqlite.open, "sqlite", path)
	t.eq(e.code, "SQLITE_NOTADB")
	t.contains(e.message, path)
	t.contains(e.message, "(file is not a database); name another file, or move this one away")
end)

with_file("a damaged database is refused clearly", function(path)
	local db = sqlite.open(path, { wal = false })
	db:exec "CREATE TABLE t (a TEXT); CREATE INDEX t_a ON t (a)"
	for i = 1, 50 do db:run("INSERT INTO t VALUES (?)", ("row %d "):format(i):rep(200)) end
	db:close()
	local f = assert(io.open(path, "r+b"))
	f:seek("set", 4096)
	f:write(("\xa5"):rep(8192))
	f:close()
	db = sqlite.open(path)
	local e = t.raises(db.query, "sqlite", db, "SELECT a FROM t ORDER BY a")
	t.eq(e.code:sub(1, 14), "SQLITE_CORRUPT")
	t.contains(e.message, "the file is damaged")
	db:close()
end)

t.test("a folder that cannot be written is named with the cause", function()
	local e = t.raises(sqlite.open, "sqlite", "/proc/syncrun/x.db")
	t.eq(e.code, "SQLITE_CANTOPEN")
	t.contains(e.message, "cannot create '/proc/syncrun/x.db' (")
	t.contains(e.message, "may this user write its folder?")
	t.raises(sqlite.open, "cannot create '/proc/x.db'", "/proc/x.db")
	t.raises(sqlite.open, "unable to open database file", "/nowhere/x.db", { mode = "rw" })
	t.raises(sqlite.open, "unable to open database file", "/nowhere/x.db", { mode = "ro" })
end)

t.test("too few file descriptors are named as the cause", function()
	local code = [[local sqlite = require "syncrun.sqlite"
		local open = {}
		for i = 1, 30 do
			local ok, e = pcall(sqlite.open, ("%s/%d.db"):format(os.getenv "DIR", i), { wal = false })
			if not ok then print(e.message) break end
			open[i] = e
		end]]
	local dir = temp_path()
	file.make_folder(dir)
	local pipe <close> = assert(io.popen(("ulimit -n 20; DIR=%s /proc/%d/exe -e '%s'"):format(dir, host.pid(), code)))
	local message = pipe:read "a"
	os.execute("rm -r " .. dir)
	t.contains(message, "Too many open files); allow more open files (ulimit -n)")
end)

t.test("options are checked", function()
	t.raises(sqlite.open, "sqlite.open: unknown option 'colour'", ":memory:", { colour = "red" })
	t.raises(sqlite.open, "must not be empty", "")
	t.raises(sqlite.open, "the option 'mode' is 'rwc', 'rw', 'ro' or 'memory', not 'w'", "/tmp/x.db", { mode = "w" })
	t.raises(sqlite.open, "the option 'synchronous' is 'normal', 'off' or 'full', not 'maybe'", "/tmp/x.db",
		{ synchronous = "maybe" })
end)

-- ---- files

with_file("files are private and use write-ahead logging", function(path)
	local db = sqlite.open(path)
	db:exec "CREATE TABLE t (a); INSERT INTO t VALUES (1)"
	t.eq(db:one("PRAGMA journal_mode").journal_mode, "wal")
	t.eq(db:one("PRAGMA foreign_keys").foreign_keys, 1)
	t.eq(db:one("PRAGMA trusted_schema").trusted_schema, 0)
	t.eq(db:one("PRAGMA synchronous").synchronous, 1)
	local pipe = io.popen and io.popen(("stat -c %%a '%s' '%s-wal' '%s-shm'"):format(path, path, path))
	if pipe then
		t.eq(pipe:read "a", "600\n600\n600\n")
		pipe:close()
	end
	db:close()
	local reader <close> = sqlite.open(path, { mode = "ro" })
	t.eq(reader:one("SELECT a FROM t").a, 1)
	t.eq(t.raises(reader.run, "sqlite", reader, "DELETE FROM t").code, "SQLITE_READONLY")
	t.eq(reader:transaction(function(tx) return tx:one("SELECT a FROM t").a end), 1)
end)

with_file("mode rw does not create", function(path)
	t.eq(t.raises(sqlite.open, "sqlite", path, { mode = "rw" }).code, "SQLITE_CANTOPEN")
	t.eq(io.open(path), nil)
end)

-- What another process gets when it wants to write: its error's code, or "free".
local function for_others(path)
	local code = ([[local db = require "syncrun.sqlite".open("%s", { mode = "rw", busy_timeout = 0 })
		local ok, e = pcall(db.exec, db, "BEGIN IMMEDIATE")
		print(ok and "free" or e.code)]]):format(path)
	local pipe <close> = assert(io.popen(("/proc/%d/exe -e '%s'"):format(host.pid(), code)))
	return (pipe:read "a":gsub("%s+$", ""))
end

with_file("locks stay whatever else we do with the file", function(path)
	local db <close> = sqlite.open(path)
	db:exec "CREATE TABLE t (a); INSERT INTO t VALUES (1)"
	t.eq(for_others(path), "free")
	db:transaction(function(tx)
		tx:run "INSERT INTO t VALUES (2)"
		t.eq(for_others(path), "SQLITE_BUSY")
		t.eq(file.kind(path), "file")
		local second = sqlite.open(path)
		t.eq(second:one("SELECT count(*) AS n FROM t").n, 1)
		second:close()
		sqlite.open(path, { mode = "ro" }):close()
		for _, open in ipairs { io.open, io.lines, loadfile, dofile, io.input, file.create, file.lock, file.check } do
			t.raises(open, "is a database in use", path)
			t.raises(open, "is a database in use", path .. "-shm")
		end
		t.eq(for_others(path), "SQLITE_BUSY")
	end)
	t.eq(for_others(path), "free")
	t.eq(db:one("SELECT count(*) AS n FROM t").n, 2)
	db:close()
	t.eq(io.open(path):read(15), "SQLite format 3")
	t.raises(file.check, "is a folder; name a file", "/tmp")
end)

-- ---- transactions

with_memory("a transaction is committed, rolled back by an error, and gives results back", function(db)
	db:exec "CREATE TABLE t (a)"
	local a, b, n = db:transaction(function(tx, x)
		tx:run("INSERT INTO t VALUES (?)", x)
		t.ok(tx:in_transaction())
		return x, nil, select("#", x, nil, nil)
	end, 7)
	t.eq({ a, n }, { 7, 3 })
	t.eq(b, nil)
	t.ok(not db:in_transaction())
	local e = t.raises(db.transaction, "mapping", db, function(tx)
		tx:run("INSERT INTO t VALUES (8)")
		err.raisef("mapping", "on purpose")
	end)
	t.eq(e.message, "on purpose")
	t.ok(not db:in_transaction())
	t.eq(db:query("SELECT a FROM t"), { { a = 7 } })
end)

with_memory("nested transactions are savepoints", function(db)
	db:exec "CREATE TABLE t (a)"
	db:transaction(function(tx)
		tx:run("INSERT INTO t VALUES (1)")
		t.raises(db.transaction, "inner", db, function() -- the outer name, same task
			db:run("INSERT INTO t VALUES (2)")
			tx:transaction(function() tx:run("INSERT INTO t VALUES (3)") end)
			error("inner", 0)
		end)
		tx:transaction(function() tx:run("INSERT INTO t VALUES (4)") end)
		t.ok(tx:in_transaction())
	end)
	t.eq(db:query("SELECT a FROM t ORDER BY a"), { { a = 1 }, { a = 4 } })
end)

with_memory("a transaction begun by hand becomes the outer one", function(db)
	db:exec "CREATE TABLE t (a); BEGIN"
	db:transaction(function(tx) tx:run("INSERT INTO t VALUES (1)") end)
	t.ok(db:in_transaction())
	db:exec "ROLLBACK"
	t.eq(db:one("SELECT count(*) AS n FROM t").n, 0)
end)

with_memory("two tasks do not get between each other's statements", function(db)
	db:exec "CREATE TABLE t (who, step)"
	task.scope(function(s)
		for who = 1, 4 do
			s:spawn(function()
				db:transaction(function(tx)
					for step = 1, 3 do
						tx:run("INSERT INTO t VALUES (?, ?)", who, step)
						task.sleep(0.001)
					end
				end)
			end)
		end
		s:spawn(function()
			task.sleep(0.001)
			t.eq(db:one("SELECT count(*) AS n FROM t").n % 3, 0, "a half transaction was seen")
		end)
	end)
	local order = {}
	for _, row in ipairs(db:query("SELECT who, step FROM t ORDER BY rowid")) do order[#order + 1] = row end
	t.eq(#order, 12)
	for i, row in ipairs(order) do
		t.eq(row.step, (i - 1) % 3 + 1)
		t.eq(row.who, order[i - (i - 1) % 3].who)
	end
end)

with_memory("a cancelled task's transaction is rolled back and lets the next in", function(db)
	db:exec "CREATE TABLE t (a)"
	local inside = task.channel(1)
	task.scope(function(s)
		local victim = s:spawn(function()
			pcall(db.transaction, db, function(tx)
				tx:run("INSERT INTO t VALUES (1)")
				inside:send(true)
				task.sleep(100)
			end)
		end)
		inside:receive()
		victim:cancel()
		db:transaction(function(tx) tx:run("INSERT INTO t VALUES (2)") end)
	end)
	t.eq(db:query("SELECT a FROM t"), { { a = 2 } })
end)

t.test("waiting for another task's transaction ends after busy_timeout", function()
	local db <close> = sqlite.open(":memory:", { busy_timeout = 0.02 })
	db:transaction(function(tx)
		task.scope(function(s)
			s:spawn(function()
				local e = t.raises(db.query, "sqlite", db, "SELECT 1")
				t.eq(e.code, "SQLITE_BUSY")
				t.contains(e.message, "is inside a transaction of another task")
				t.eq(tx:one("SELECT 1 AS a").a, 1) -- the handle of the transaction is shared on purpose
			end)
		end)
	end)
	t.eq(db:one("SELECT 1 AS a").a, 1)
end)

with_memory("tasks may share the handle of a transaction", function(db)
	db:exec "CREATE TABLE t (a)"
	db:transaction(function(tx)
		task.map({ 1, 2, 3 }, { limit = 3 }, function(i)
			task.sleep(0)
			tx:run("INSERT INTO t VALUES (?)", i)
		end)
	end)
	t.eq(db:one("SELECT sum(a) AS n FROM t").n, 6)
end)

-- ---- busy

with_file("a writer waits for another handle's transaction", function(path)
	local a <close> = sqlite.open(path)
	a:exec "CREATE TABLE t (a)"
	local other <close> = sqlite.open(path)
	local order, inside = {}, task.channel(1)
	task.scope(function(s)
		s:spawn(function()
			a:transaction(function(tx)
				tx:run("INSERT INTO t VALUES (1)")
				inside:send(true)
				task.sleep(0.03)
				order[#order + 1] = "first"
			end)
		end)
		s:spawn(function()
			inside:receive()
			t.eq(other:one("SELECT count(*) AS n FROM t").n, 0) -- readers do not wait
			other:run("INSERT INTO t VALUES (2)")
			order[#order + 1] = "second"
		end)
	end)
	t.eq(order, { "first", "second" })
	t.eq(other:one("SELECT count(*) AS n FROM t").n, 2)
end)

with_file("busy for longer than the patience is an error that says so", function(path)
	local a <close> = sqlite.open(path)
	local b <close> = sqlite.open(path, { busy_timeout = 0.01 })
	a:exec "CREATE TABLE t (a); BEGIN IMMEDIATE"
	local e = t.raises(b.transaction, "sqlite", b, function() end)
	t.eq(e.code, "SQLITE_BUSY")
	t.ok(e.retryable)
	t.contains(e.message, "(database is locked); another process or handle is using it (waited 0.01 s)")
	t.ok(not b:in_transaction())
	a:exec "COMMIT"
	b:transaction(function(tx) tx:run("INSERT INTO t VALUES (1)") end)
end)

with_file("exec goes on behind the statement that had to wait", function(path)
	local a <close> = sqlite.open(path)
	local b <close> = sqlite.open(path)
	a:exec "CREATE TABLE t (a)"
	task.scope(function(s)
		s:spawn(function()
			a:transaction(function() task.sleep(0.02) end)
		end)
		s:spawn(function()
			b:exec "CREATE TEMP TABLE mine (a); INSERT INTO t VALUES (1); INSERT INTO t VALUES (2);"
		end)
	end)
	t.eq(a:one("SELECT count(*) AS n FROM t").n, 2)
end)

-- ---- iterators

with_file("a loop that is left gives its statement back", function(path)
	local db <close> = sqlite.open(path)
	db:exec "CREATE TABLE t (a); INSERT INTO t VALUES (1), (2), (3)"
	for row in db:each("SELECT a FROM t") do
		if row.a == 2 then break end
	end
	pcall(function()
		for _ in db:each("SELECT a FROM t") do error("left") end
	end)
	-- A reading that was still open would keep the log from being emptied.
	local checkpoint = db:one("PRAGMA wal_checkpoint(TRUNCATE)")
	t.eq(checkpoint.busy, 0)
	t.eq(checkpoint.log, 0)
	db:exec "DROP TABLE t"
end)

with_memory("other statements run while a loop reads, the same text included", function(db)
	db:exec "CREATE TABLE t (a); CREATE TABLE u (a); INSERT INTO t VALUES (1), (2), (3)"
	local sql = "SELECT a FROM t ORDER BY a"
	local n = 0
	for row in db:each(sql) do
		db:run("INSERT INTO u VALUES (?)", row.a)
		for inner in db:each(sql) do n = n + inner.a end
	end
	t.eq(n, 18)
	t.eq(db:one("SELECT sum(a) AS n FROM u").n, 6)
end)

with_memory("a forgotten iterator is collected", function(db)
	db:exec "CREATE TABLE t (a); INSERT INTO t VALUES (1), (2)"
	local iterator = db:each("SELECT a FROM t")
	iterator()
	iterator = nil
	collectgarbage()
	collectgarbage()
	db:exec "DROP TABLE t"
	t.eq(iterator, nil)
end)

-- ---- the record plane

local TYPES = {
	{ "k", "text" }, { "i", "int64" }, { "d", "decimal" }, { "f", "float64" }, { "b", "bool" }, { "day", "date" },
	{ "t", "time" }, { "dt", "datetime" }, { "ts", "timestamp" }, { "j", "json" }, { "x", "bytes" },
}
local COLUMNS = "k, i, d, f, b, day, t, dt, ts, j, x"
local INSERT = "INSERT INTO r VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

local SAMPLES = {
	{ k = "1", i = math.maxinteger, d = "123456789012345678901234567890.10", f = 0.1, b = true, day = "2024-02-29",
		t = "23:59:59.000001", dt = "2024-02-29T23:59:59", ts = 1767323045123456, j = '{"a":1.10}', x = "\0\xff" },
	{ k = "2", i = math.mininteger, d = "-0.00", f = math.huge, b = false, day = "0001-01-01", t = "00:00:00",
		dt = "9999-12-31T00:00:00.5", ts = -1, j = "[]", x = "" },
	{ k = "3\0\nż" },
	{ k = "", d = "", j = "null", f = -1e-7, i = 0, ts = 0 },
}

local function sample_page()
	local page = rows.new(rows.schema(TYPES))
	for _, row in ipairs(SAMPLES) do page:add(row) end
	return page
end

local function check_scan(db, page)
	local schema, got = rows.schema(TYPES), nil
	for found in db:scan_rows("SELECT " .. COLUMNS .. " FROM r ORDER BY rowid", schema, 100) do
		t.eq(got, nil, "a second page")
		got = found
	end
	t.eq(#got, #page)
	for i = 1, #page do
		for _, column in ipairs(TYPES) do
			t.eq(got:text(i, column[1]), page:text(i, column[1]), ("row %d, %s"):format(i, column[1]))
			t.eq(got:is_null(i, column[1]), page:is_null(i, column[1]))
		end
	end
end

with_memory("insert_rows binds every type, scan_rows reads it back", function(db)
	db:exec("CREATE TABLE r (" .. COLUMNS .. ")")
	local page = sample_page()
	t.eq(db:insert_rows(INSERT, page), 4)
	t.eq(db:one("SELECT typeof(k) k, typeof(i) i, typeof(d) d, typeof(f) f, typeof(b) b, typeof(day) day, typeof(t) t, "
		.. "typeof(dt) dt, typeof(ts) ts, typeof(j) j, typeof(x) x FROM r WHERE k = '1'"),
		{ k = "text", i = "integer", d = "text", f = "real", b = "integer", day = "text", t = "text", dt = "text",
			ts = "integer", j = "text", x = "blob" })
	t.eq(db:one("SELECT i, b, hex(x) AS x, ts FROM r WHERE k = '1'"),
		{ i = math.maxinteger, b = 1, x = "00FF", ts = 1767323045123456 })
	t.eq(db:one("SELECT i, b, quote(x) AS x, d FROM r WHERE k = '2'"),
		{ i = math.mininteger, b = 0, x = "X''", d = "-0.00" })
	t.eq(db:one("SELECT hex(k) AS k, count(i) + count(d) + count(f) + count(b) + count(j) + count(x) AS n FROM r "
		.. "WHERE rowid = 3"), { k = "33000AC5BC", n = 0 })
	t.eq(db:one("SELECT typeof(k) k, typeof(d) d FROM r WHERE rowid = 4"), { k = "text", d = "text" })
	check_scan(db, page)
end)

with_memory("insert_rows with raw = true keeps every text as it is", function(db)
	db:exec("CREATE TABLE r (" .. COLUMNS .. ")")
	local page = sample_page()
	t.eq(db:insert_rows(INSERT, page, { raw = true }), 4)
	for _, column in ipairs(TYPES) do
		local sql = "SELECT DISTINCT typeof(%s) AS type FROM r WHERE %s IS NOT NULL"
		t.eq(db:query(sql:format(column[1], column[1])), { { type = column[2] == "bytes" and "blob" or "text" } }, column[1])
	end
	t.eq(db:one("SELECT i, b, ts FROM r WHERE k = '1'"),
		{ i = "9223372036854775807", b = "true", ts = "1767323045123456" })
	check_scan(db, page)
end)

with_memory("cells that SQLite's numbers cannot hold stay texts", function(db)
	local schema = rows.schema { { "i", "int64" }, { "f", "float64" }, { "b", "bool" }, { "ts", "timestamp" } }
	local reader = rows.json_reader(schema, { rows = "r", paths = { "i", "f", "b", "ts" } })
	local page = reader:read '{"r":[{"i":"1","f":"2","b":true,"ts":"3"}]}'
	db:exec "CREATE TABLE n (i, f, b, ts); INSERT INTO n VALUES ('9223372036854775808', 'NaN', 2, 'infinity')"
	for found in db:scan_rows("SELECT * FROM n", schema, 10) do page = found end
	t.eq(page:text(1, "i"), "9223372036854775808")
	t.eq(page:text(1, "b"), "2")
	db:exec "DELETE FROM n"
	db:insert_rows("INSERT INTO n VALUES (?, ?, ?, ?)", page)
	t.eq(db:one("SELECT * FROM n"), { i = "9223372036854775808", f = "NaN", b = "2", ts = "infinity" })
end)

with_memory("scan_rows turns SQLite's own classes into the cells' texts", function(db)
	local schema = rows.schema { { "a", "text" }, { "b", "float64" }, { "c", "bool" } }
	db:exec "CREATE TABLE m (a, b, c); INSERT INTO m VALUES (1, 1, 1), (1.5, 1e21, 0)"
	db:exec "INSERT INTO m VALUES (x'61', -9e999, 'yes'), (NULL, 0.1, 1.0)"
	local got = {}
	for page in db:scan_rows("SELECT a, b, c FROM m WHERE rowid > ?", schema, 3, 0) do
		for i = 1, #page do got[#got + 1] = { page:text(i, "a") or "NULL", page:text(i, "b"), page:text(i, "c") } end
	end
	t.eq(got, { { "1", "1", "true" },
		{ "1.5", "1e+21", "false" }, { "X'61'", "-Infinity", "yes" }, { "NULL", "0.1", "1" } })
end)

with_memory("scan_rows cuts pages and never gives an empty one", function(db)
	local schema = rows.schema { { "n", "int64" } }
	local sql = "WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < ?) SELECT n FROM s"
	local function sizes(n, page_rows)
		local list, expected = {}, 1
		for page in db:scan_rows(sql, schema, page_rows, n) do
			list[#list + 1] = #page
			for i = 1, #page do
				t.eq(page[i].n, expected)
				expected = expected + 1
			end
		end
		t.eq(expected, n + 1)
		return list
	end
	t.eq(sizes(10, 4), { 4, 4, 2 })
	t.eq(sizes(8, 4), { 4, 4 })
	t.eq(sizes(1, 4), { 1 })
	for _ in db:scan_rows("SELECT 1 WHERE 0", schema, 4) do error("a page of nothing") end
	t.raises(db.scan_rows, "gives 2 columns, the schema has 1", db, "SELECT 1, 2", schema, 10)
	t.raises(db.scan_rows, "not between", db, "SELECT 1", schema, 0)
end)

with_memory("insert_rows takes a range, checks it, and is all or nothing", function(db)
	local page = rows.new(rows.schema { { "a", "int64" } })
	for _, a in ipairs { 1, 2, 3, 0, 2 } do page:add { a = a } end
	db:exec "CREATE TABLE u (a PRIMARY KEY)"
	t.eq(db:insert_rows("INSERT INTO u VALUES (?)", page, 2, 3), 2)
	t.eq(db:insert_rows("INSERT INTO u VALUES (?)", page, 3, 2), 0)
	local e = t.raises(db.insert_rows, "sqlite", db, "INSERT INTO u VALUES (?)", page, 4, 5) -- 0, then 2 again
	t.eq(e.code, "SQLITE_CONSTRAINT_PRIMARYKEY")
	t.contains(e.message, "row 5: cannot run 'INSERT INTO u VALUES'")
	t.eq(db:query("SELECT a FROM u ORDER BY a"), { { a = 2 }, { a = 3 } })
	t.raises(db.insert_rows, "there is no such row", db, "INSERT INTO u VALUES (?)", page, 0)
	t.raises(db.insert_rows, "there is no such row", db, "INSERT INTO u VALUES (?)", page, 1, 6)
	t.raises(db.insert_rows, "the statement has 2 parameters, the rows have 1 columns", db, "SELECT ?, ?", page)
	t.eq(db:insert_rows("INSERT INTO u VALUES (?) ON CONFLICT DO NOTHING", page), 2)
end)

with_file("a hundred thousand rows go in and out in flat memory", function(path)
	local db <close> = sqlite.open(path, { synchronous = "off" })
	local schema = rows.schema { { "id", "text" }, { "n", "int64" }, { "note", "text" } }
	db:exec "CREATE TABLE big (id TEXT PRIMARY KEY, n INTEGER, note TEXT) WITHOUT ROWID"
	local note = ("x"):rep(600)
	for p = 0, 99 do
		local page = rows.new(schema)
		for i = p * 1000 + 1, (p + 1) * 1000 do page:add { id = ("%08d"):format(i), n = i, note = note } end
		t.eq(db:insert_rows("INSERT INTO big VALUES (?, ?, ?)", page), 1000)
	end
	local function read_file(name)
		local f = io.open(name)
		local text = f and f:read "a" or ""
		if f then f:close() end
		return text
	end
	local sanitized = read_file("/proc/self/maps"):find("libasan", 1, true) -- it keeps freed memory for a while
	local function resident()
		return sanitized and 0 or tonumber(read_file("/proc/self/statm"):match "%d+ (%d+)" or 0) * 4096
	end
	local count, sum, before, most = 0, 0, resident(), 0
	for _ = 1, 3 do
		for page in db:scan_rows("SELECT id, n, note FROM big ORDER BY id", schema, 1000) do
			count = count + #page
			sum = sum + page[1].n
		end
		most = math.max(most, resident())
	end
	t.eq(count, 300000)
	t.eq(sum, 3 * (100 * 99 // 2 * 1000 + 100))
	-- 200 MB passed by; SQLite's page cache and pages that wait for the collector may hold 32 MiB each.
	t.ok(most - before < 80 << 20, ("grew by %d bytes"):format(most - before))
	t.eq(db:one("SELECT count(*) AS n, sum(n) AS s FROM big"), { n = 100000, s = 5000050000 })
end)

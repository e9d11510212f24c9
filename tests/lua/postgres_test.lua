-- Postgres against a private cluster: the URI is in SYNCRUN_TEST_PG (scripts/private_postgres.sh prints one).
local err = require "syncrun.err"
local postgres = require "syncrun.postgres"
local rows = require "syncrun.rows"
local t = require "syncrun.test"
local task = require "syncrun.task"

local URI = os.getenv "SYNCRUN_TEST_PG"

local function connect(options)
	if not URI then t.skip "SYNCRUN_TEST_PG is not set" end
	return postgres.connect(URI, options)
end

-- The parts of a TCP URI; tests that need one are skipped with a socket's.
local function tcp()
	if not URI then t.skip "SYNCRUN_TEST_PG is not set" end
	local user, password, port, rest = URI:match "^postgresql://([^:]+):([^@]+)@127%.0%.0%.1:(%d+)(.*)$"
	if not user then t.skip "SYNCRUN_TEST_PG has no password and port; start the cluster with --tcp 0" end
	return user, password, port, rest
end

-- Wait, without a clock, until the server agrees.
local function eventually(db, sql)
	for _ = 1, 1000 do
		if db:query(sql)[1].ok then return true end
		task.sleep(0.005)
	end
	return false
end

-- Resident bytes; 0 under a sanitizer (its shadow takes terabytes), which keeps freed memory on purpose.
local function rss_bytes()
	local f <close> = assert(io.open "/proc/self/statm")
	local size, resident = f:read("a"):match "^(%d+) (%d+)"
	return tonumber(size) < 1 << 28 and math.tointeger(resident) * 4096 or 0
end

local function test(name, fn)
	t.test("postgres: " .. name, fn)
end

-- Every form that libpq takes, and broken ones: {text, what describe says or nil, the secret}. # is the password.
local FORMS = {
	{ "postgresql://u:#@db.example.com:5433/x", "db.example.com:5433, database 'x', u" },
	{ "postgres://u:#@h1,h2:1/x?connect_timeout=3", "h1:5432, h2:1, database 'x', u" },
	{ "postgresql://h/x?user=u&password=#", "h:5432, database 'x', u" },
	{ "postgresql://u@h/x?sslmode=disable&password=#&sslpassword=#", "h:5432, database 'x', u" },
	{ "host=h dbname=x user=u password=#", "h:5432, database 'x', u" },
	{ "host = h  dbname='x y' user=u password = '#'", "h:5432, database 'x y', u" },
	{ "postgresql://u:#@h:port/x" }, { "postgresql://u:#/@h/x", nil, "#/" }, { "postgresql://u:x@#@h/x", nil, "x@#" },
	{ "postgresql://h/x?password=#&nonsense=1" }, { "postgresql://h/x?nonsense&password=#" },
	{ "host=h password='#" }, { "host=h passwrd password=#" }, { "host=h dbname='postgresql://u:#@h/x'" },
	{ "dbname = 'host=h password=#'" }, { "postgresql://u:#%zz@h/x", nil, "#%zz" },
}

t.test("postgres: every password of a connection string is a secret, whatever else is wrong with it", function()
	for i, form in ipairs(FORMS) do
		local password = ("canary-%d-pass"):format(i)
		local text = form[1]:gsub("#", password)
		local said, e = err.try(postgres.describe, text, "p")
		t.eq(said and ("%s, %s"):format(said.where, said.user), form[2], form[1])
		t.ok(not (e and e.message:find(password, 1, true)), form[1])
		local whole = (form[3] or "#"):gsub("#", password)
		t.eq(require "syncrun.log".redact("x " .. whole .. " y"), "x *** y", form[1])
	end
end)

t.test("postgres: a password spelled with % is a secret in both spellings", function()
	local redact = require "syncrun.log".redact
	for _, text in ipairs { "postgresql://u:a%%62cdefg%s@h/x", "postgresql://h/x?password=a%%62cdefg%s",
		"postgresql://h:bad/x?password=a%%62cdefg%s" } do
		for mark = 1, 2 do
			err.try(postgres.describe, text:format(mark))
			t.eq(redact(("abcdefg%d a%%62cdefg%d"):format(mark, mark)), "*** ***", text)
		end
	end
	err.try(postgres.describe, "host=h password='it''s \\'quoted\\' here' dbname=")
	err.try(postgres.describe, "host=h password='it is \\'quoted\\' here'")
	t.eq(redact "it is 'quoted' here", "***")
end)

local HOST = "postgresql://u:p@h/x"

t.test("postgres: connection strings as Supabase, Vercel and Prisma hand them out", function()
	for _, query in ipairs {
		"pgbouncer=true", "pgbouncer=true&connection_limit=1", "sslmode=require&supa=base-pooler.x",
		"sslmode=require&supa=base-pooler.x&pgbouncer=true&workaround=supabase-pooler.vercel",
		"sslmode=prefer&connect_timeout=300&connection_limit=5&pool_timeout=2&socket_timeout=3&statement_cache_size=0"
			.. "&sslaccept=accept_invalid_certs", "sslmode=no-verify", "uselibpqcompat=true&sslmode=require",
		"sslmode=require&channel_binding=require", "ssl=true", "",
	} do
		t.eq(postgres.describe(HOST .. "?" .. query).where, "h:5432, database 'x'", query)
		t.eq(postgres.describe("postgresql://u:p?w@h/x?" .. query).where, "h:5432, database 'x'", query)
	end
	t.eq(postgres.describe(HOST .. "?schema=crm&pgbouncer=true").schema, "crm")
	t.eq(postgres.describe(HOST).schema, nil)
	local db <close> = postgres.connect((URI or t.skip "no server")
		.. (URI:find("?", 1, true) and "&" or "?") .. "pgbouncer=true&schema=public&supa=base-pooler.x&connection_limit=1")
	t.eq(db:query("SELECT 1 AS one")[1].one, 1)
end)

t.test("postgres: a parameter that nobody knows is named, with what to write instead", function()
	local function refused(uri)
		return t.raises(function() postgres.describe(uri, "Supabase") end, "config").message
	end
	local words = "the URI of 'Supabase' has the parameter '%s', which Postgres' own library does not know; %s"
	t.eq(refused(HOST .. "?pgbouncer=true&foo=1"), words:format("foo", "take it out"))
	t.eq(refused(HOST .. "?sslaccept=strict"), words:format("sslaccept", "write sslmode=verify-full instead"))
	t.eq(refused(HOST .. "?currentSchema=x"),
		words:format("currentSchema", "name the schema in the setting 'table', as \"schema.table\""))
	for _, uri in ipairs { "postgresql://u:pa/ss?word=1@h/x", HOST .. "?canary", HOST .. "?=1", HOST .. "?can ary=1",
		HOST .. "?" .. ("x"):rep(50) .. "=1", "postgresql://u:pa/ss?wo@rd=1" } do
		local message = refused(uri)
		t.contains(message, "cannot read the URI of 'Supabase'")
		for _, part in ipairs { "canary", "ary", "s?word", "wo@", "xxx" } do t.eq(message:find(part, 1, true), nil, uri) end
	end
end)

t.test("postgres: what is meant for libpq, and what is a path", function()
	for text, meant in pairs {
		["postgres://h/x"] = true, ["postgresql://"] = true, ["PostgreSQL://h"] = true, ["host=h"] = true,
		[" dbname = 'x"] = true, ["service=x"] = true, ["postgres.db"] = false, ["contacts.db"] = false, ["a=b.db"] = false,
		["postgresql"] = false, [""] = false, ["/tmp/host=h"] = false, ["host"] = false,
	} do
		t.eq(postgres.is_uri(text), meant, text)
	end
end)

test("values are typed, NULL is absent", function()
	local db <close> = connect()
	local res = db:query [[SELECT 1::int2 AS i2, -2147483648 AS i4, 9223372036854775807 AS i8, true AS yes, false AS no,
		0.1::float8 AS f, 'NaN'::float8 AS nan, '-Infinity'::float4 AS inf, 1.10::numeric AS num, 'héllo' AS s, '' AS e,
		'\x00ff41'::bytea AS b, NULL::text AS n, '{"a": 1}'::jsonb AS j, DATE '2024-02-29' AS d]]
	local row = res[1]
	t.eq(row.i2, 1)
	t.eq(row.i4, -2147483648)
	t.eq(row.i8, math.maxinteger)
	t.eq(row.yes, true)
	t.eq(row.no, false)
	t.eq(row.f, 0.1)
	t.ok(row.nan ~= row.nan)
	t.eq(row.inf, -math.huge)
	t.eq(row.num, "1.10")
	t.eq(row.s, "héllo")
	t.eq(row.e, "")
	t.eq(row.b, "\0\255A")
	t.eq(row.n, nil)
	t.eq(row.j, '{"a": 1}')
	t.eq(row.d, "2024-02-29")
	t.eq({ res.n, res.command, #res.columns }, { 1, "SELECT", 15 })
	t.eq(res.columns[10], { name = "s", type = "text", oid = 25 })
end)

test("parameters arrive as they are", function()
	local db <close> = connect()
	local nasty = "it's \"q\" \\ $1 -- ; %s\n\t日本 \u{1F600}"
	local row = db:query("SELECT $1 AS s, $2::int8 AS i, $3::float8 AS f, $4::bool AS b, "
		.. "$5::text IS NULL AS n, $6 AS bin, "
		.. "$7::text AS e", nasty, math.mininteger, 0.1, false, nil, postgres.bytes "\0\255'", "")[1]
	t.eq(row, { s = nasty, i = math.mininteger, f = 0.1, b = false, n = true, bin = "\0\255'", e = "" })
	row = db:query("SELECT $1[1] AS a, $1[2] IS NULL AS b, $1[3] AS c, cardinality($1) AS n",
		postgres.text_array { n = 3, nasty, nil, "" })[1]
	t.eq(row, { a = nasty, b = true, c = "", n = 3 })
	t.eq(db:query("SELECT cardinality($1) AS n", postgres.text_array {})[1].n, 0)
	t.eq(db:query("SELECT $1::float8 = 'infinity' AS a, $2::float8 = 'NaN' AS b", 1 / 0, 0 / 0)[1], { a = true, b = true })
	t.raises(function() db:query("SELECT $1", "a\0b") end, "NUL")
	t.raises(function() db:query("SELECT $1", {}) end, "usage")
	t.raises(function() postgres.text_array { 1 } end, "usage")
	t.eq(db:query("SELECT 1 AS one")[1].one, 1) -- none of these cost the connection
end)

test("affected rows and several statements", function()
	local db <close> = connect()
	local last = db:exec("CREATE TEMP TABLE n (i int); INSERT INTO n SELECT generate_series(1, 7); "
		.. "SELECT count(*) AS n FROM n")
	t.eq(last[1].n, 7)
	t.eq(db:query("UPDATE n SET i = i + 1 WHERE i > $1", 5).affected, 2)
	t.eq(db:query("DELETE FROM n").command, "DELETE")
end)

test("a wrong statement raises with its SQLSTATE, and the connection lives", function()
	local db <close> = connect { name = "the db" }
	local e = t.raises(function() db:query "SELEKT 1" end, "postgres")
	t.eq(e.code, "42601")
	t.eq(e.retryable, false)
	t.contains(e.message, "'the db'")
	t.contains(e.message, "SELEKT")
	e = t.raises(function() db:query("SELECT 1/$1::int", 0) end)
	t.eq(e.code, "22012")
	t.eq(t.raises(function() db:query("SELECT 1; SELECT 2") end).code, "42601")
	t.eq(t.raises(function() db:query("COPY (SELECT 1) TO STDOUT") end).kind, "usage")
	t.eq(db:is_open(), false) -- a COPY that nobody reads cannot be left
end)

test("a transaction commits, rolls back, nests", function()
	local db <close> = connect()
	local other <close> = connect()
	db:exec "DROP TABLE IF EXISTS tx; CREATE TABLE tx (i int PRIMARY KEY)"
	local function seen()
		local res = other:query "SELECT coalesce(string_agg(i::text, ',' ORDER BY i), '') AS all FROM tx"
		return res[1].all
	end
	t.eq(db:transaction(function(tx)
		tx:query "INSERT INTO tx VALUES (1)"
		t.eq(seen(), "")
		return "done"
	end), "done")
	t.eq(seen(), "1")
	local e = t.raises(function()
		db:transaction(function(tx)
			tx:query "INSERT INTO tx VALUES (2)"
			error("no", 0)
		end)
	end, "no")
	t.ok(e)
	t.eq(seen(), "1")
	db:transaction(function(tx)
		tx:query "INSERT INTO tx VALUES (3)"
		local _, inner = err.try(tx.transaction, tx, function(tx2)
			tx2:query "INSERT INTO tx VALUES (4)"
			tx2:query "INSERT INTO tx VALUES (3)"
		end)
		t.eq(inner.code, "23505")
		tx:transaction(function(tx2) tx2:query "INSERT INTO tx VALUES (5)" end)
	end)
	t.eq(seen(), "1,3,5")
	e = t.raises(function()
		db:transaction(function(tx)
			tx:query "INSERT INTO tx VALUES (6)"
			err.try(tx.query, tx, "SELECT 1/0") -- swallowed: COMMIT would silently roll back
		end)
	end, "postgres")
	t.eq(e.code, "25P02")
	t.eq(seen(), "1,3,5")
	t.eq(db:query("SELECT 1 AS one")[1].one, 1)
end)

test("only the transaction's handle reaches it, while it lasts", function()
	local db <close> = connect()
	local kept
	db:transaction(function(tx)
		kept = tx
		t.raises(function() db:query "SELECT 1" end, "usage")
		t.raises(function() tx:close() end, "usage")
	end)
	t.raises(function() kept:query "SELECT 1" end, "usage")
	t.eq(db:is_open(), true)
end)

test("cancelling a transaction between its statements rolls back and keeps the connection", function()
	local db <close> = connect()
	db:exec "DROP TABLE IF EXISTS tx; CREATE TABLE tx (i int PRIMARY KEY)"
	local inside = task.channel(1)
	local h = task.spawn(function()
		db:transaction(function(tx)
			tx:query "INSERT INTO tx VALUES (1)"
			inside:send(true)
			task.sleep(60)
		end)
	end)
	inside:receive()
	h:cancel()
	t.raises(function() h:join() end, "cancelled")
	t.eq(db:query("SELECT count(*) AS n FROM tx")[1].n, 0)
end)

test("a transaction whose function loops without waiting is rolled back when its time is over", function()
	local db <close> = connect()
	db:exec "DROP TABLE IF EXISTS tx; CREATE TABLE tx (i int PRIMARY KEY)"
	t.raises(task.timeout, "timeout", 0.2, db.transaction, db, function(tx)
		tx:query "INSERT INTO tx VALUES (1)"
		while true do end
	end)
	t.eq(db:query("SELECT count(*) AS n FROM tx")[1].n, 0)
end)

test("each streams many rows in flat memory", function()
	local db <close> = connect()
	local n, sum, base, peak = 0, 0, nil, 0
	for row in db:each("SELECT i, repeat('x', 500) AS pad FROM generate_series(1, $1::int) AS i", 100000) do
		n, sum = n + 1, sum + row.i
		if n == 10000 then
			collectgarbage()
			base = rss_bytes()
		elseif n % 10000 == 0 then
			collectgarbage()
			peak = math.max(peak, rss_bytes())
		end
	end
	t.eq({ n, sum }, { 100000, 5000050000 })
	t.ok(peak - base < 16 << 20, ("grew by %d bytes over 45 MB of rows"):format(peak - base))
	t.eq(db:query("SELECT 1 AS one")[1].one, 1)
end)

test("each: no rows, an error in the middle, an early end, use meanwhile", function()
	local db <close> = connect()
	for _ in db:each "SELECT 1 WHERE false" do error "a row" end
	for _ in db:each "CREATE TEMP TABLE e (i int)" do error "a row" end
	local n = 0
	local e = t.raises(function()
		for _ in db:each "SELECT 1 / (5000 - i) FROM generate_series(1, 10000) AS i" do n = n + 1 end
	end, "postgres")
	t.eq(e.code, "22012")
	t.eq(n, 4999)
	for row in db:each "SELECT generate_series(1, 100000) AS i" do
		t.raises(function() db:query "SELECT 1" end, "usage")
		if row.i == 3 then break end
	end
	t.raises(function()
		for _ in db:each "SELECT generate_series(1, 10)" do error("stop", 0) end
	end, "stop")
	t.raises(function() for _ in db:each "COPY (SELECT 1) TO STDOUT" do error "a row" end end, "copy_out")
	local again <close> = connect()
	t.raises(function() again:each("SELECT $1", "\0") end, "NUL")
	t.eq(again:query("SELECT 1 AS one")[1].one, 1)
end)

test("an iterator dropped unfinished closes its connection", function()
	local db <close> = connect()
	do
		local next_row = db:each "SELECT generate_series(1, 100000) AS i"
		t.eq(next_row().i, 1)
	end
	collectgarbage()
	collectgarbage()
	t.eq(db:is_open(), false)
	t.eq(t.raises(function() db:query "SELECT 1" end, "postgres").code, "closed")
end)

test("pipeline: all results, in one transaction; an error undoes all and says where", function()
	local db <close> = connect()
	db:exec "DROP TABLE IF EXISTS p; CREATE TABLE p (i int PRIMARY KEY)"
	local res = db:pipeline {
		{ "INSERT INTO p VALUES ($1), ($2)", 1, 2 }, { "SELECT count(*) AS n FROM p" }, { "SELECT $1::text AS s", "x" },
	}
	t.eq({ #res, res[1].affected, res[2][1].n, res[3][1].s }, { 3, 2, 2, "x" })
	local e = t.raises(function()
		db:pipeline { { "INSERT INTO p VALUES (3)" }, { "INSERT INTO p VALUES (1)" }, { "INSERT INTO p VALUES (4)" } }
	end, "statement 2 of the pipeline")
	t.eq(e.code, "23505")
	t.eq(e.message:find("(i)=(1)", 1, true), nil) -- the detail quotes people's data
	t.eq(db:query("SELECT count(*) AS n FROM p")[1].n, 2)
	t.eq(db:pipeline {}, {})
	t.raises(function() db:pipeline { { "SELECT 1" }, {} } end, "entry 2")
	t.raises(function() db:pipeline { "SELECT 1" } end, "entry 1")
	t.eq(#db:pipeline { table.pack("SELECT $1::text, $2::text", nil, nil) }, 1)
end)

test("pipeline: more than the buffers hold, both ways", function()
	local db <close> = connect()
	local big, list = ("x"):rep(100000), {}
	for i = 1, 200 do list[i] = { "SELECT $1::text || $2::text AS s", big, i } end
	local res = db:pipeline(list)
	t.eq(#res, 200)
	t.eq(res[200][1].s, big .. "200")
end)

test("copy in and out", function()
	local db <close> = connect()
	local other <close> = connect()
	db:exec "DROP TABLE IF EXISTS cp; CREATE TABLE cp (i int, s text)"
	local i = 0
	local res = db:copy_in("COPY cp FROM STDIN", function()
		i = i + 1
		if i <= 20000 then return i .. "\tline \\n " .. ("y"):rep(200) .. "\n" end
	end)
	t.eq({ res.command, res.affected }, { "COPY", 20000 })
	t.eq(other:query("SELECT sum(i) AS s, min(length(s)) AS l FROM cp")[1], { s = 200010000, l = 207 })
	local parts = {}
	for part in db:copy_out "COPY (SELECT i FROM cp ORDER BY i) TO STDOUT" do
		t.eq(part:sub(-1), "\n") -- whole rows
		parts[#parts + 1] = part
	end
	local text = table.concat(parts)
	t.eq(select(2, text:gsub("\n", "\n")), 20000)
	t.eq(text:sub(1, 6), "1\n2\n3\n")
	for part in db:copy_out "COPY cp TO STDOUT" do
		if part then break end
	end
	t.eq(db:query("SELECT 1 AS one")[1].one, 1)
end)

test("copy in: what goes wrong costs the rows, not the connection", function()
	local db <close> = connect()
	db:exec "DROP TABLE IF EXISTS cp; CREATE TABLE cp (i int)"
	local function once(text)
		local done = false
		return function()
			if done then return nil end
			done = true
			return text
		end
	end
	t.eq(t.raises(function() db:copy_in("COPY cp FROM STDIN", once "1\nx\n") end, "postgres").code, "22P02")
	t.raises(function() db:copy_in("COPY cp FROM STDIN", function() error("producer", 0) end) end, "producer")
	t.raises(function() db:copy_in("SELECT 1", once "") end, "usage")
	t.eq(t.raises(function() db:copy_in("COPY nowhere FROM STDIN", once "") end).code, "42P01")
	t.eq(db:query("SELECT count(*) AS n FROM cp")[1].n, 0)
	local n = 0 -- in pieces that cut a row
	db:copy_in("COPY cp FROM STDIN", function()
		n = n + 1
		return ({ "1", "2\n3", "4\n" })[n]
	end)
	t.eq(db:query("SELECT sum(i) AS s FROM cp")[1].s, 46)
end)

local all = rows.schema {
	{ "id", "int64" }, { "s", "text" }, { "b", "bool" }, { "d", "date" }, { "ts", "timestamp" }, { "dt", "datetime" },
	{ "j", "json" }, { "bin", "bytes" }, { "f", "float64" }, { "n", "decimal" }, { "tm", "time" },
}
local cases = {
	{ id = 1 },
	{ id = math.maxinteger, s = "", b = true, d = "9999-12-31", ts = 253402300799999999, dt = "9999-12-31T23:59:59.999999",
		j = '{"a": [1, null]}', bin = "\0\1\255", f = 1.7976931348623157e308, n = "123456789012345678901234567890.0100",
		tm = "23:59:59.999999" },
	{ id = math.mininteger, s = "it's \"日本\" \\ {}, NULL", b = false, d = "0001-01-01", ts = -62135596800000000,
		dt = "0001-01-01T00:00:00", j = "null", bin = "", f = 5e-324, n = "-0.0000000001", tm = "00:00:00" },
	{ id = 0, s = "NULL", b = false, d = "2024-02-29", ts = -1, dt = "1999-12-31T23:59:59.000001", j = '"é"',
		bin = "\\x41", f = -0.5, n = "0", tm = "12:34:56.000007" },
	{ id = -1, s = "\u{10FFFF}\t\r\n", ts = 1767323045123456, f = 0.1 },
}
local CREATE = [[DROP TABLE IF EXISTS r; CREATE TABLE r (id int8, s text, b bool, d date, ts timestamptz, dt timestamp,
	j jsonb, bin bytea, f float8, n numeric, tm time)]]
local WRITE = [[INSERT INTO r SELECT a::int8, b, c::bool, d::date, e::timestamptz, f::timestamp, g::jsonb, h::bytea,
	i::float8, j::numeric, k::time FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) AS t(a, b, c, d, e, f, g, h, i, j,
	k)]]
local SCAN = "SELECT id, s, b, d, ts, dt, j, bin, f, n::text, tm FROM r ORDER BY id -- the whole table"

local function page()
	local r = rows.new(all)
	for _, case in ipairs(cases) do r:add(case) end
	return r
end

test("write_rows and scan_rows agree on every type, and with the server's own words", function()
	local db <close> = connect()
	local other <close> = connect()
	db:exec(CREATE)
	other:exec "SET TimeZone = 'Asia/Kathmandu'; SET DateStyle = 'German'" -- nothing may depend on them
	db:exec "SET TimeZone = 'America/St_Johns'; SET DateStyle = 'SQL, DMY'"
	t.eq(db:write_rows(WRITE, page()).affected, #cases)

	local said = {}
	for row in other:each [[SELECT id, s, b, d - DATE '2000-01-01' AS d, (extract(epoch FROM ts) * 1000000)::int8 AS ts,
		to_char(dt, 'YYYY-MM-DD"T"HH24:MI:SS.US') AS dt, j::text AS j, encode(bin, 'hex') AS bin, f, n::text AS n, tm::text AS tm
		FROM r]] do said[row.id] = row end
	local days = { ["9999-12-31"] = 2921939, ["0001-01-01"] = -730119, ["2024-02-29"] = 8825 }
	for _, case in ipairs(cases) do
		local row = said[case.id]
		t.eq({ row.s, row.b, row.d, row.ts, row.j, row.f, row.n }, { case.s, case.b, days[case.d], case.ts, case.j, case.f,
			case.n })
		t.eq(row.bin, case.bin and (case.bin:gsub(".", function(ch) return ("%02x"):format(ch:byte()) end)))
		t.eq(row.dt, case.dt and (#case.dt == 19 and case.dt .. ".000000" or case.dt))
		t.eq(row.tm, case.tm)
	end

	local got = {}
	for r in db:scan_rows(SCAN, all, 2) do
		t.ok(#r <= 2)
		for i = 1, #r do got[#got + 1] = r[i] end
	end
	t.eq(#got, #cases)
	for _, row in ipairs(got) do
		local case
		for _, x in ipairs(cases) do case = x.id == row.id and x or case end
		for _, name in ipairs(all:names()) do t.eq(row[name], case[name], name) end
	end
end)

test("write_rows takes part of a page, and none of it", function()
	local db <close> = connect()
	db:exec(CREATE)
	local r = page()
	t.eq(db:write_rows(WRITE, r, 2, 3).affected, 2)
	t.eq(db:write_rows(WRITE, r, 3, 2).affected, 0)
	t.eq(db:write_rows(WRITE, rows.new(all)).affected, 0)
	t.eq(db:query("SELECT count(*) AS n, count(s) AS s FROM r")[1], { n = 2, s = 2 })
	t.raises(function() db:write_rows(WRITE, r, 0, 1) end)
	t.raises(function() db:write_rows(WRITE, r, 1, #r + 1) end)
end)

test("dates beyond the calendar are never taken for others", function()
	local db <close> = connect()
	local schema = rows.schema { { "d", "date" }, { "ts", "timestamp" }, { "dt", "datetime" } }
	local sql = [[SELECT * FROM (VALUES (DATE 'infinity', TIMESTAMPTZ '-infinity', TIMESTAMP 'infinity'),
		(DATE '10000-01-01', TIMESTAMPTZ '294276-12-31 23:59:59.999999+00', TIMESTAMP '0044-03-15 12:00:00 BC')) AS v]]
	local got = {}
	for r in db:scan_rows(sql, schema, 10) do
		for i = 1, #r do got[i] = { r:text(i, "d"), r:text(i, "ts"), r:text(i, "dt") } end
	end
	t.eq(got, {
		{ "infinity", "-infinity", "infinity" },
		{ "10000-01-01", "9224318015999999999", "0044-03-15T12:00:00 BC" },
	})
end)

test("scan_rows: pages, nothing, an early end, wrong columns, an error in the middle", function()
	local db <close> = connect()
	local schema = rows.schema { { "i", "int64" }, { "s", "text" } }
	local sizes, sum = {}, 0
	for r in db:scan_rows("SELECT i, 'x' || i FROM generate_series(1, 2500) AS i;", schema, 1000) do
		sizes[#sizes + 1] = #r
		for k = 1, #r do
			sum = sum + r[k].i
			t.eq(r[k].s, "x" .. r[k].i)
		end
	end
	t.eq({ sizes, sum }, { { 1000, 1000, 500 }, 3126250 })
	for _ in db:scan_rows("SELECT 1, 'x'::text WHERE false", schema, 10) do error "a page" end
	for _ in db:scan_rows("SELECT i, 'x'::text FROM generate_series(1, 100000) AS i", schema, 10) do
		if #sizes == 3 then break end
	end
	t.raises(function() db:scan_rows("SELECT 1", schema, 10) end, "1 columns, the schema 2")
	local e = t.raises(function() db:scan_rows("SELECT 1, 2::int8", schema, 10) end, "config")
	t.contains(e.message, "'s' cannot be read as text (it is int8)")
	t.raises(function() db:scan_rows("SELECT '1', 'x'", schema, 10) end, "config")
	e = t.raises(function()
		for _ in db:scan_rows("SELECT 1 / (5000 - i), 'x'::text FROM generate_series(1, 10000) AS i", schema, 100) do
			e = nil
		end
	end, "postgres")
	t.eq(e.code, "22012")
	t.eq(db:query("SELECT 1 AS one")[1].one, 1)
end)

test("a timeout closes the connection and cancels the statement on the server", function()
	local db <close> = connect { name = "slow", application_name = "syncrun_timeout" }
	local other <close> = connect()
	local e = t.raises(function() db:query_with({ timeout = 0.05 }, "SELECT pg_sleep(120)") end, "timeout")
	t.contains(e.message, "'slow'")
	t.eq(e.retryable, true)
	t.eq(db:is_open(), false)
	e = t.raises(function() db:query "SELECT 1" end, "postgres")
	t.eq(e.code, "closed")
	t.ok(eventually(other, "SELECT count(*) = 0 AS ok FROM pg_stat_activity WHERE application_name = 'syncrun_timeout'"))
end)

test("cancelling a task in a query closes the connection and cancels the statement", function()
	local db <close> = connect { application_name = "syncrun_cancel" }
	local other <close> = connect()
	local h = task.spawn(function() db:query "SELECT pg_sleep(120)" end)
	t.ok(eventually(other, "SELECT count(*) = 1 AS ok FROM pg_stat_activity WHERE application_name = 'syncrun_cancel' "
		.. "AND state = 'active'"))
	h:cancel()
	t.raises(function() h:join() end, "cancelled")
	t.eq(db:is_open(), false)
	t.ok(eventually(other, "SELECT count(*) = 0 AS ok FROM pg_stat_activity WHERE application_name = 'syncrun_cancel'"))
end)

test("a connection that the server ends: in a query, when idle, in a stream, in a COPY", function()
	local killer <close> = connect()
	local function victim()
		local db = connect { name = "victim" }
		return db, db:query("SELECT pg_backend_pid() AS pid")[1].pid
	end
	local function kill(pid)
		killer:query("SELECT pg_terminate_backend($1)", pid)
		t.ok(eventually(killer, ("SELECT count(*) = 0 AS ok FROM pg_stat_activity WHERE pid = %d"):format(pid)))
	end
	local function check(db, e)
		t.eq(e.kind, "postgres")
		t.ok(e.code == "57P01" or e.code == "closed", e.code)
		t.eq(e.retryable, true)
		t.contains(e.message, "'victim'")
		t.eq(db:is_open(), false)
		t.eq(t.raises(function() db:query "SELECT 1" end).code, "closed")
	end

	local db, pid = victim()
	local h = task.spawn(function() return t.raises(function() db:query "SELECT pg_sleep(120)" end) end)
	t.ok(eventually(killer, ("SELECT state = 'active' AS ok FROM pg_stat_activity WHERE pid = %d"):format(pid)))
	kill(pid)
	local e = h:join()
	t.eq(e.code, "57P01")
	t.contains(e.message, "terminating connection due to administrator command")
	check(db, e)

	db, pid = victim()
	kill(pid)
	check(db, t.raises(function() db:query "SELECT 1" end))

	db, pid = victim()
	check(db, t.raises(function()
		for row in db:each "SELECT i, repeat('x', 1000) AS pad FROM generate_series(1, 1000000) AS i" do
			if row.i == 1 then kill(pid) end
		end
	end))

	db, pid = victim()
	local n = 0
	check(db, t.raises(function()
		db:query "CREATE TEMP TABLE v (s text)"
		db:copy_in("COPY v FROM STDIN", function()
			n = n + 1
			if n == 2 then kill(pid) end
			return n < 5000 and ("x"):rep(10000) .. "\n" or nil
		end)
	end))
	t.ok(n < 5000, "the dead connection was fed to the end")
end)

test("a wrong password is refused, never shown, not worth a retry", function()
	local user, _, port, rest = tcp()
	local e = t.raises(function()
		postgres.connect(("postgresql://%s:wr%%6Fng-secret@127.0.0.1:%s%s"):format(user, port, rest), { name = "supabase" })
	end, "postgres")
	t.eq(e.code, "28P01")
	t.eq(e.retryable, false)
	t.contains(e.message, "cannot connect to 'supabase'")
	t.contains(e.message, "127.0.0.1:" .. port)
	t.ok(not e.message:find("secret", 1, true))
	e = t.raises(function() postgres.connect((URI:gsub("/[^/]*$", "/nowhere")), { name = "supabase" }) end, "postgres")
	t.eq(e.code, "3D000")
	t.contains(e.message, "database 'nowhere'")
end)

test("a URI that cannot be read is never quoted", function()
	for _, uri in ipairs { "postgresql://u:sec%zzret@h/db", "postgresql://u:sec@ret@h:x/db", "host=h password='secret",
		"postgresql://u:pw/x?sec=ret@h/db", "postgresql://u:p#secret@h:99999999/db",
		"postgresql://u:pw@secret@127.0.0.1:1/db", "postgresql://u:pw/secret@127.0.0.1:1/db",
		"postgresql://u:12/secret@127.0.0.1:1/db" } do
		local e = t.raises(function() postgres.connect(uri, { name = "supabase" }) end)
		t.ok(e.kind == "config" or e.kind == "postgres", e.kind)
		t.contains(e.message, "'supabase'")
		t.ok(not e.message:find("sec", 1, true), e.message)
	end
end)

test("unknown host, refused port, missing socket", function()
	local e = t.raises(function() postgres.connect("postgresql://u@no-such-host.invalid/db", { name = "supabase" }) end,
		"postgres")
	t.eq(e.code, "connect")
	t.contains(e.message, "no-such-host.invalid:5432")
	e = t.raises(function()
		postgres.connect("postgresql://u:hidden-pw@127.0.0.1:1/db", { name = "supabase" })
	end, "postgres")
	t.eq(e.code, "connect")
	t.eq(e.retryable, true)
	t.contains(e.message, "cannot connect to 'supabase' (connection refused; 127.0.0.1:1, database 'db')")
	t.ok(not e.message:find("hidden", 1, true))
	e = t.raises(function() postgres.connect("postgresql:///db?host=/nonexistent&user=u") end, "postgres")
	t.contains(e.message, "/nonexistent")
end)

test("host names are looked up beside the loop, and every host is tried", function()
	local user, password, port, rest = tcp()
	local uri = ("postgresql://%s:%s@127.0.0.1:1,localhost:%s%s"):format(user, password, port, rest)
	local connected, turns = false, 0
	task.scope(function(scope)
		scope:spawn(function()
			while not connected do
				turns = turns + 1
				task.sleep(0)
			end
		end)
		local db <close> = postgres.connect(uri)
		connected = true
		t.eq(db:query("SELECT 1 AS one")[1].one, 1)
	end)
	t.ok(turns > 1)
end)

test("a server that never answers times out", function()
	local ok, http = pcall(require, "syncrun.http")
	if not ok then t.skip "syncrun.http is missing" end
	local server = http.serve { handler = function() return { status = 200 } end } -- waits for a line that never ends
	local e = t.raises(function()
		postgres.connect(("postgresql://u:hidden-pw@127.0.0.1:%d/db?sslmode=require"):format(server.port),
			{ name = "mute", timeout = 0.05 })
	end, "timeout")
	server:stop()
	t.eq(e.code, "connect")
	t.contains(e.message, "cannot connect to 'mute' (no answer within 0.05 s; 127.0.0.1:")
	t.ok(not e.message:find("hidden", 1, true))
end)

test("eight connections sleep at the same time; on one connection they take turns", function()
	if not URI then t.skip "SYNCRUN_TEST_PG is not set" end
	local running, peak = 0, 0
	local function sleeper(db)
		running = running + 1
		db:query "SELECT pg_sleep(0.2)"
		peak = math.max(peak, running)
		running = running - 1
	end
	task.map({ 1, 2, 3, 4, 5, 6, 7, 8 }, { limit = 8 }, function()
		local db <close> = connect()
		sleeper(db)
	end)
	t.eq(peak, 8)
	local db <close> = connect()
	local log = task.map({ 1, 2, 3, 4, 5, 6 }, { limit = 6 }, function(i)
		return db:query("SELECT $1::int AS i, txid_current() AS tx", i)[1]
	end)
	for i, row in ipairs(log) do t.eq(row.i, i) end
end)

test("a task that waits for its turn can be cancelled; the turn goes on", function()
	local db <close> = connect()
	local order = {}
	task.scope(function(scope)
		scope:spawn(function()
			db:query "SELECT pg_sleep(0.1)"
			order[#order + 1] = "first"
		end)
		task.sleep(0)
		local waiting = task.spawn(function() db:query "SELECT 1" end)
		scope:spawn(function()
			db:query "SELECT 1"
			order[#order + 1] = "third"
		end)
		task.sleep(0)
		waiting:cancel()
	end)
	t.eq(order, { "first", "third" })
end)

-- Seconds until the kernel probes this connection; nil where it cannot be seen (no /proc).
local function probed_in(db)
	local f <close> = io.open "/proc/net/tcp"
	if not f then return nil end
	local line = ("^%%s*%%d+: %%x+:%04X %%x+:%%x+ 01 %%x+:%%x+ 02:(%%x+)"):format(
		db:query("SELECT inet_client_port() AS port")[1].port)
	for text in f:lines() do
		local ticks = text:match(line)
		if ticks then return tonumber(ticks, 16) / 100 end
	end
end

test("a connection without a word is probed after 30 s, unless the URI says otherwise", function()
	tcp()
	local db <close> = connect()
	local slow <close> = postgres.connect(URI .. (URI:find "?" and "&" or "?") .. "keepalives_idle=600")
	local soon, late = probed_in(db), probed_in(slow)
	if not late then t.skip "there is no /proc/net/tcp" end
	t.ok(soon <= 30, tostring(soon))
	t.ok(late > 500 and late <= 600, tostring(late))
end)

test("closing twice is legal, and use after it says so", function()
	local db = connect { name = "gone" }
	db:close()
	db:close()
	local e = t.raises(function() db:query "SELECT 1" end, "postgres")
	t.eq(e.code, "closed")
	t.contains(e.message, "'gone'")
end)

test("closing while another task waits for an answer wakes that task", function()
	local db = connect { name = "shut", application_name = "syncrun_shut" }
	local other <close> = connect()
	local h = task.spawn(function() return t.raises(function() db:query "SELECT pg_sleep(120)" end, "postgres") end)
	t.ok(eventually(other, "SELECT count(*) = 1 AS ok FROM pg_stat_activity WHERE application_name = 'syncrun_shut' "
		.. "AND state = 'active'"))
	db:close()
	t.eq(h:join().code, "closed")
	t.ok(eventually(other, "SELECT count(*) = 0 AS ok FROM pg_stat_activity WHERE application_name = 'syncrun_shut'"))
end)

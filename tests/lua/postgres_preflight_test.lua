-- What the Postgres system finds in the way of a run, on a real server: SYNCRUN_TEST_PG. Each test has a schema, and a role
-- with a connection of its own.
local err = require "syncrun.err"
local mapping_of = require "syncrun.model.mapping"
local postgres = require "syncrun.postgres"
local system_of = require "syncrun.systems.postgres"
local t = require "syncrun.test"

local URI = os.getenv "SYNCRUN_TEST_PG"
local MAPPING = {
	key = "contact_id",
	fields = {
		{ "contact_id", "text", required = true }, { "full_name", "text" }, { "birthday", "date" },
		{ "created_at", "timestamp" }, { "extra", "json" }, { "seen_by", "text", own = "once" },
	},
}
local TABLE = [[CREATE TABLE @.people (contact_id text COLLATE "C" PRIMARY KEY, full_name text, birthday date,
	created_at timestamptz, extra jsonb, seen_by text)]]

local count = 0

-- A schema and a role named alike; run the statements in it (@ is the name), then f(check, name): check(intent, uri) is
-- the system's check as that role.
local function stage(statements, f)
	if not URI then t.skip "SYNCRUN_TEST_PG is not set" end
	local head, tail = URI:match "^(postgresql://)[^@]+(@.*)$"
	if not head then t.skip "SYNCRUN_TEST_PG has no password; start the cluster with --tcp 0" end
	count = count + 1
	local name = ("pre_%d_%d"):format(require "syncrun.host".pid(), count)
	local db <close> = postgres.connect(URI)
	local function run(text)
		db:exec((text:gsub("@", name)))
	end
	run "CREATE SCHEMA @; CREATE ROLE @ LOGIN PASSWORD 'secret'; GRANT USAGE ON SCHEMA @ TO @"
	local function check(intent, uri)
		local system = system_of.new({ url = uri or head .. name .. ":secret" .. tail, table = name .. ".people" },
			mapping_of.compile(MAPPING))
		local found = system:check(intent)
		system:close()
		return found
	end
	local ok, e = pcall(function()
		run(statements)
		f(check, name, run)
	end)
	run "DROP SCHEMA @ CASCADE; DROP OWNED BY @; DROP ROLE @"
	if not ok then error(e, 0) end
end

local READ, WRITE = { write = false }, { write = true }
local ALL = "GRANT SELECT, INSERT, UPDATE ON @.people TO @;"

-- The problems' words, schema and role as @, each with its exit code.
local function words(found, name)
	local list = {}
	for i, problem in ipairs(found) do
		list[i] = ("%d %s"):format(problem.exit, (problem.what:gsub(name, "@")))
	end
	return list
end

local function match(text, pattern)
	t.ok(text and text:find(pattern), ("'%s' is not as '%s'"):format(text, pattern))
end

local function test(name, statements, f)
	t.test("postgres preflight: " .. name, function()
		stage(statements, function(check, schema, run)
			f(function(intent, uri) return words(check(intent, uri), schema) end, run, schema, check)
		end)
	end)
end

test("a table that fits, with the rights that are needed", TABLE .. ";" .. ALL, function(check)
	t.eq(check(WRITE), {})
	t.eq(check(nil), {})
	t.eq(check(READ), {})
end)

test("no rights at all: reading and writing are refused", TABLE, function(check)
	t.eq(check(READ), { "3 role '@' may not read table @.people (it lacks SELECT); as its owner: GRANT SELECT ON "
		.. '"@"."people" TO "@"' })
	t.eq(check(WRITE), { "3 role '@' may not read and write table @.people (it lacks SELECT; INSERT; UPDATE); as its "
		.. 'owner: GRANT SELECT, INSERT, UPDATE ON "@"."people" TO "@"' })
end)

test("a role that may only read may validate", TABLE .. "; GRANT SELECT ON @.people TO @", function(check)
	t.eq(check(READ), {})
	match(check(WRITE)[1], "^3 role '@' may not read and write table @.people %(it lacks INSERT; UPDATE%);")
end)

test("rights by column", TABLE .. [[; GRANT SELECT (contact_id, full_name, birthday, created_at, extra) ON @.people TO @;
	GRANT INSERT ON @.people TO @; GRANT UPDATE (full_name, extra) ON @.people TO @]], function(check, run)
	match(check(READ)[1], "%(it lacks SELECT on seen_by%)")
	match(check(WRITE)[1], "%(it lacks SELECT on seen_by; UPDATE on birthday, created_at, seen_by%)")
	run "GRANT SELECT (seen_by), UPDATE (birthday, created_at, seen_by) ON @.people TO @"
	t.eq(check(WRITE), {})
end)

test("a schema that may not be used, or is not there", TABLE .. ";" .. ALL .. "REVOKE USAGE ON SCHEMA @ FROM @",
	function(check, run)
		t.eq(check(READ), { "3 role '@' may not use schema '@'; as its owner: GRANT USAGE ON SCHEMA \"@\" TO \"@\"" })
		run "ALTER SCHEMA @ RENAME TO @x"
		match(check(WRITE)[1], "^2 schema '@' is missing in database '")
		run "ALTER SCHEMA @x RENAME TO @"
	end)

test("a missing table or column that the role may not make is a missing right", "SELECT 1", function(check, run, _, raw)
	t.eq(check(WRITE), { "3 table @.people is missing, and role '@' may not make it (it lacks CREATE on schema '@')" })
	run "GRANT CREATE ON SCHEMA @ TO @"
	t.eq(check(WRITE), { "2 table @.people is missing" })
	t.eq(#raw(WRITE)[1].sql, 2)
	run(TABLE .. "; ALTER TABLE @.people DROP COLUMN extra;" .. ALL)
	t.eq(check(WRITE), { "3 column @.people.extra is missing, and role '@' may not make it (it is not the owner of the "
		.. "table)" })
	run "ALTER TABLE @.people OWNER TO @"
	t.eq(check(WRITE), { "2 column @.people.extra is missing" })
end)

test("a read-only database is read, not written", TABLE .. ";" .. ALL
	.. "ALTER ROLE @ SET default_transaction_read_only = on", function(check)
	t.eq(check(READ), {})
	match(check(WRITE)[1], "^3 database '.*' is read%-only %(default_transaction_read_only is on; Supabase")
end)

test("a database in another encoding", TABLE, function(_, _, name, raw)
	local db <close> = postgres.connect(URI)
	for _, encoding in ipairs { "SQL_ASCII", "LATIN1" } do
		db:query(("CREATE DATABASE %s ENCODING '%s' LOCALE 'C' TEMPLATE template0"):format(name, encoding))
		local uri = URI:gsub("/[^/]*$", "/" .. name)
		do
			local other <close> = postgres.connect(uri)
			other:exec("CREATE SCHEMA " .. name .. ";" .. TABLE:gsub("@", name))
		end
		local written, seen = raw(WRITE, uri), raw(READ, uri)
		db:query(("DROP DATABASE %s WITH (FORCE)"):format(name))
		t.eq(words(written, name), { ("2 database '@' is in %s, not in UTF8, and cannot hold every text; make one with "
			.. "ENCODING 'UTF8'"):format(encoding) })
		t.eq(#seen, encoding == "SQL_ASCII" and 1 or 0)
	end
end)

test("columns that the server fills", [[CREATE TABLE @.people (contact_id text COLLATE "C" PRIMARY KEY, first text,
	full_name text GENERATED ALWAYS AS (upper(first)) STORED, birthday date, created_at timestamptz, extra jsonb,
	seen_by text);]] .. ALL, function(check)
	t.eq(check(WRITE), { "2 column @.people.full_name is generated by the server (GENERATED ALWAYS AS …), so nothing can "
		.. 'be written to it; give it own = "target" in the mapping, or name another column' })
	t.eq(check(READ), {})
end)

test("schemas of other people's making that fit", [[CREATE EXTENSION IF NOT EXISTS citext; SELECT 1;
	CREATE TABLE @.people (id int8 GENERATED ALWAYS AS IDENTITY, contact_id varchar(80) COLLATE "de-x-icu" NOT NULL UNIQUE,
		full_name citext CHECK (full_name <> 'x'), birthday date NOT NULL, created_at timestamptz, extra json,
		seen_by char(3), made_at timestamptz NOT NULL DEFAULT now()) PARTITION BY HASH (contact_id);
	CREATE TABLE @.people_0 PARTITION OF @.people FOR VALUES WITH (MODULUS 1, REMAINDER 0);]] .. ALL, function(check)
	t.eq(check(WRITE), {})
	t.eq(check(READ), {})
end)

test("types that do not fit are refused, reading too", "CREATE TYPE @.mood AS ENUM ('glad');" .. TABLE .. [[;
	ALTER TABLE @.people ALTER created_at TYPE timestamp; ALTER TABLE @.people ALTER full_name TYPE @.mood USING NULL;
	ALTER TABLE @.people ALTER contact_id TYPE int8 USING 0; ALTER TABLE @.people ALTER birthday TYPE text;
	ALTER TABLE @.people ADD n int NOT NULL;]] .. ALL, function(check)
	local misfits = {
		"2 column @.people.contact_id is of type int8, the mapping needs text",
		"2 column @.people.full_name is of type mood, the mapping needs text",
		"2 column @.people.birthday is of type text, the mapping needs date",
		"2 column @.people.created_at is of type timestamp, the mapping needs timestamptz",
	}
	t.eq(check(READ), misfits)
	misfits[5] = "2 column @.people.n needs a value (NOT NULL without a default), and the mapping has none for it"
	t.eq(check(WRITE), misfits)
end)

test("keys that take different ids for one", [[CREATE EXTENSION IF NOT EXISTS citext;
	CREATE COLLATION @.nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
	]] .. TABLE .. ";" .. ALL,
	function(check, run)
		local merges = "^2 column @.people.contact_id would merge contacts of different ids %(it is "
		run "ALTER TABLE @.people ALTER contact_id TYPE citext"
		match(check(WRITE)[1], merges .. "citext, and upper and lower case are the same in it%); make it text COLLATE \"C\"")
		t.eq(check(READ), {})
		run "ALTER TABLE @.people ALTER contact_id TYPE text COLLATE @.nocase"
		match(check(WRITE)[1], merges .. "text, and its collation takes different texts for equal%)")
		run "ALTER TABLE @.people ALTER contact_id TYPE char(20)"
		match(check(WRITE)[1], merges .. "character%(20%), and blanks at the end do not count in it%)")
		run 'ALTER TABLE @.people ALTER contact_id TYPE varchar(20) COLLATE "de-x-icu"'
		t.eq(check(WRITE), {})
	end)

test("only what ON CONFLICT can rest on makes a key unique", TABLE .. ";" .. ALL, function(check, run)
	local wanted = { "3 column @.people.contact_id is not unique, and role '@' may not make it (it is not the owner of "
		.. "the table)" }
	for _, statement in ipairs {
		"ADD PRIMARY KEY (contact_id) DEFERRABLE", "ADD UNIQUE (contact_id, full_name)", "ADD CHECK (true)",
	} do
		run "ALTER TABLE @.people DROP CONSTRAINT IF EXISTS people_pkey"
		run("ALTER TABLE @.people " .. statement)
		t.eq(check(WRITE), wanted)
		t.eq(check(READ), {})
	end
	run "CREATE UNIQUE INDEX ON @.people (contact_id)"
	t.eq(check(WRITE), {})
end)

test("views can be read, and not be written to", TABLE:gsub("people", "base") .. "; CREATE VIEW @.people AS SELECT * "
	.. "FROM @.base;" .. ALL, function(check)
	t.eq(check(READ), {})
	match(check(WRITE)[1], "^2 @.people is a view, the mapping needs a table to write to$")
end)

test("rules, sequences and triggers", TABLE .. [[; ALTER TABLE @.people ADD COLUMN n bigserial;
	CREATE RULE r AS ON UPDATE TO @.people DO ALSO NOTHING;
	CREATE FUNCTION @.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
	CREATE TRIGGER tidy BEFORE INSERT OR UPDATE ON @.people FOR EACH ROW EXECUTE FUNCTION @.f();
	CREATE TRIGGER late AFTER INSERT ON @.people FOR EACH ROW EXECUTE FUNCTION @.f();]] .. ALL, function(check, run)
	t.eq(check(READ), {})
	t.eq(check(WRITE), {
		"2 table @.people has rules for INSERT or UPDATE, and ON CONFLICT does not go with them; use a trigger instead",
		"3 role '@' may not use sequence @.people_n_seq, the default of column @.people.n; as its owner: GRANT USAGE ON "
			.. 'SEQUENCE @.people_n_seq TO "@"',
		"0 before a row of table @.people is written, its triggers may change or refuse it: 'tidy'",
	})
	run "DROP RULE r ON @.people; GRANT USAGE ON SEQUENCE @.people_n_seq TO @; DROP TRIGGER tidy ON @.people"
	t.eq(check(WRITE), {})
end)

test("columns that round are noted", TABLE .. "; ALTER TABLE @.people ALTER created_at TYPE timestamptz(3);" .. ALL,
	function(check)
		t.eq(check(WRITE), { "0 column @.people.created_at is timestamp(3) with time zone: finer times are rounded by the "
			.. "server, and reported as different" })
		t.eq(check(READ), {})
	end)

local SECURE = TABLE .. "; ALTER TABLE @.people ENABLE ROW LEVEL SECURITY;" .. ALL
local HIDES = "3 row level security of table @.people hides rows from role '@' (%s); use its owner or a role with "
	.. "BYPASSRLS, or make a policy for SELECT with (true)"

test("row level security that hides rows", SECURE, function(check, run)
	t.eq(check(READ), { HIDES:format "no policy is for it" })
	t.eq(check(WRITE), { HIDES:format "no policy is for it" })
	for _, condition in ipairs {
		"full_name = 'x'", "false", "current_user = 'somebody'", "null",
		"exists (select 1 from @.people p where p.extra is null)",
		"not_allowed_@()",
	} do
		run "CREATE OR REPLACE FUNCTION not_allowed_@() RETURNS boolean LANGUAGE sql AS 'SELECT true'"
		run "REVOKE EXECUTE ON FUNCTION not_allowed_@() FROM public"
		run("CREATE POLICY mine ON @.people USING (" .. condition .. ")")
		t.eq(check(READ), { HIDES:format "its policies: 'mine'" }, condition)
		run "DROP POLICY mine ON @.people; DROP FUNCTION not_allowed_@()"
	end
end)

test("row level security that hides nothing", SECURE, function(check, run)
	for _, policy in ipairs {
		"USING (true)", "TO @ USING (current_user = '@')", "TO public USING (1 = 1) WITH CHECK (true)",
	} do
		run("CREATE POLICY all_of_it ON @.people " .. policy)
		t.eq(check(WRITE), {}, policy)
		run "DROP POLICY all_of_it ON @.people"
	end
	run "ALTER TABLE @.people OWNER TO @"
	t.eq(check(WRITE), {})
	run "ALTER TABLE @.people FORCE ROW LEVEL SECURITY"
	t.eq(check(WRITE), { HIDES:format "no policy is for it" })
	run "ALTER ROLE @ BYPASSRLS"
	t.eq(check(WRITE), {})
end)

test("policies add up, restrictive ones take away, others' do not count", SECURE, function(check, run)
	run "CREATE POLICY part ON @.people USING (full_name = 'x'); CREATE POLICY rest ON @.people FOR SELECT USING (true)"
	t.eq(check(READ), {})
	run "CREATE POLICY others ON @.people AS RESTRICTIVE TO pg_monitor USING (false)"
	t.eq(check(READ), {})
	run "CREATE POLICY less ON @.people AS RESTRICTIVE FOR SELECT USING (birthday IS NULL)"
	t.eq(check(READ), { HIDES:format "its policies: 'less', 'part', 'rest'" })
end)

test("row level security that lets nothing be written", SECURE .. [[
	CREATE POLICY look ON @.people FOR SELECT USING (true)]],
	function(check, run)
		local refused = "3 row level security of table @.people refuses every write of role '@' (its policies: %s); use its "
			.. "owner or a role with BYPASSRLS, or make a policy for %s with (true)"
		t.eq(check(READ), {})
		t.eq(check(WRITE), { refused:format("'look'", "INSERT and UPDATE") })
		run "CREATE POLICY make ON @.people FOR INSERT WITH CHECK (full_name <> 'x')"
		t.eq(check(WRITE), { refused:format("'look', 'make'", "UPDATE") })
		run "CREATE POLICY mend ON @.people FOR UPDATE USING (true) WITH CHECK (full_name <> 'x')"
		t.eq(check(WRITE), {}) -- single rows may be refused
	end)

t.test("postgres preflight: a name that Postgres would cut off", function()
	if not URI then t.skip "SYNCRUN_TEST_PG is not set" end
	local mapping = mapping_of.compile { key = "id", fields = { { "id", "text", required = true } } }
	local system = system_of.new({ url = URI, table = ("x"):rep(64) }, mapping)
	local problem = system:check()[1]
	system:close()
	t.eq({ problem.exit, problem.sql }, { 2 })
	match(problem.what, "^the table 'x+' has 64 bytes, the names of Postgres at most 63; name it otherwise$")
	t.ok(not err.is(problem))
end)

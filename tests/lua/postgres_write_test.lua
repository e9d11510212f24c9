-- Writes of the Postgres system, on a real server (SYNCRUN_TEST_PG): which refusals are about a row, rows that a trigger
-- swallows or leads elsewhere, keys of any text.
local err = require "syncrun.err"
local mapping_of = require "syncrun.model.mapping"
local postgres = require "syncrun.postgres"
local rows = require "syncrun.rows"
local system_of = require "syncrun.systems.postgres"
local t = require "syncrun.test"

local URI = os.getenv "SYNCRUN_TEST_PG"
local MAPPING = {
	key = "id", fields = { { "id", "text", required = true }, { "name", "text" }, { "first", "text", own = "once" } },
}

local count = 0

-- A schema and a role named @ with the table @.people, then these statements; f(system, run, name): the system is the role's.
local function test(title, statements, f)
	t.test("postgres write: " .. title, function()
		if not URI then t.skip "SYNCRUN_TEST_PG is not set" end
		local head, tail = URI:match "^(postgresql://)[^@]+(@.*)$"
		if not head then t.skip "SYNCRUN_TEST_PG has no password; start the cluster with --tcp 0" end
		count = count + 1
		local name = ("write_%d_%d"):format(require "syncrun.host".pid(), count)
		local db <close> = postgres.connect(URI)
		local function run(text) return db:exec((text:gsub("@", name))) end
		run [[CREATE SCHEMA @; CREATE ROLE @ LOGIN PASSWORD 'secret'; GRANT USAGE ON SCHEMA @ TO @;
			CREATE TABLE @.people (id text PRIMARY KEY, name text, first text); GRANT SELECT, INSERT, UPDATE ON @.people TO @]]
		local system = system_of.new({ url = head .. name .. ":secret" .. tail, table = name .. ".people", label = "S" },
			mapping_of.compile(MAPPING))
		local ok, e = pcall(function()
			run(statements)
			f(system, run, name)
		end)
		system:close()
		run "DROP SCHEMA @ CASCADE; DROP OWNED BY @; DROP ROLE @"
		if not ok then error(e, 0) end
	end)
end

-- A batch of {id, name} rows.
local function batch(list)
	local page = rows.new(rows.schema { { "id", "text" }, { "name", "text" }, { "first", "text" } })
	for _, item in ipairs(list) do page:add { id = item[1], name = item[2], first = "f" } end
	return { rows = page }
end

local function outcome(system, list, mode)
	local outcomes, e = err.try(system.write, system, batch(list), mode or "create")
	if e then return { e.code, e.reject, e.unknown } end
	local states = {}
	for i, o in ipairs(outcomes) do states[i] = o.state end
	return states
end

local function trigger(body)
	return ([[CREATE OR REPLACE FUNCTION @.f() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN %s RETURN new; END $f$;
		CREATE OR REPLACE TRIGGER t BEFORE INSERT OR UPDATE ON @.people FOR EACH ROW EXECUTE FUNCTION @.f();]]):format(body)
end

local ROW = { { "a", "n" } }

test("refusals by a trigger are about the row, whatever SQLSTATE it makes up", "SELECT 1", function(system, run)
	for code, reject in pairs {
		P0001 = true, P0004 = true, ["23514"] = true, ["22023"] = true, PT403 = true, U0001 = true, ["42501"] = true,
		["09000"] = true, ["27000"] = true, ["2F003"] = true, ["38001"] = true,
		["42P01"] = false, ["53100"] = false, ["25006"] = false, ["55P03"] = false, ["0A000"] = false, XX000 = false,
	} do
		run(trigger(("RAISE EXCEPTION 'no' USING ERRCODE = '%s';"):format(code)))
		t.eq(outcome(system, ROW), { code, reject, false }, code)
	end
	run(trigger "RAISE EXCEPTION 'no' USING ERRCODE = '40001';")
	t.eq(outcome(system, ROW), { "40001", false, true })
end)

test("what a policy refuses is about the row, a right that is gone is not", [[
	ALTER TABLE @.people ENABLE ROW LEVEL SECURITY;
	CREATE POLICY part ON @.people USING (true) WITH CHECK (name <> 'x');]], function(system, run)
	t.eq(outcome(system, { { "a", "n" } }), { "written" })
	t.eq(outcome(system, { { "a", "n" }, { "b", "x" } }), { "42501", true, false })
	run "REVOKE INSERT ON @.people FROM @"
	local e = t.raises(function() system:write(batch(ROW), "create") end, "postgres")
	t.eq({ e.code, e.reject, e.unknown }, { "42501", false, false })
	t.contains(e.message, "(it lacks INSERT)")
end)

test("keys that collide are about the rows", [[CREATE EXTENSION IF NOT EXISTS citext;
	ALTER TABLE @.people ALTER id TYPE citext]], function(system)
	t.eq(outcome(system, { { "a", "n" }, { "A", "n" } }), { "21000", true, false })
end)

test("rows that a trigger swallows are refused", trigger "IF new.name = 'x' THEN RETURN NULL; END IF;",
	function(system, run)
		t.eq(outcome(system, { { "a", "n" }, { "b", "x" }, { "c", "m" }, { "d", "x" } }),
			{ "written", "rejected", "written", "rejected" })
		t.eq(outcome(system, { { "a", "x" }, { "c", "o" } }, "update"), { "rejected", "written" })
		t.contains(system:write(batch { { "b", "x" } }, "create")[1].reason, "a trigger of the table swallowed it")
		t.eq(run "SELECT string_agg(id || name, ' ' ORDER BY id) AS held FROM @.people"[1].held, "an co")
	end)

test("rows that a trigger leads elsewhere are written", [[CREATE TABLE @.more () INHERITS (@.people);
	GRANT ALL ON @.more TO @;]] .. trigger "INSERT INTO @.more VALUES (new.*); RETURN NULL;", function(system)
	t.eq(outcome(system, { { "a", "n" }, { "b", "m" } }), { "written", "written" })
	t.eq(#system:fetch { "a", "b" }, 2)
end)

test("a key alone is written once, and is there the second time", "SELECT 1", function(system, _, name)
	local mapping = mapping_of.compile { key = "id", fields = { { "id", "text", required = true } } }
	local keys = system_of.new({ url = system.url, table = name .. ".people" }, mapping)
	local page = rows.new(rows.schema { { "id", "text" } })
	page:add { id = "k" }
	for _ = 1, 2 do t.eq(keys:write({ rows = page }, "create"), { { state = "written" } }) end
	keys:close()
end)

test("keys of any text are found, whatever the server makes of backslashes", "SELECT 1", function(system, run)
	local keys = { "it's", "a\\b", "\\", "\\'", "E'x'", "'); DROP TABLE people; --", "日本 \u{1F600}", "", "$1", "%s" }
	local list = {}
	for i, key in ipairs(keys) do list[i] = { key, "n" } end
	system:write(batch(list), "create")
	for _, setting in ipairs { "on", "off" } do
		run("ALTER ROLE @ SET standard_conforming_strings = " .. setting)
		system:close()
		t.eq(#system:fetch(keys), #keys, setting)
		for _, key in ipairs(keys) do t.eq(system:fetch({ key, "no\0ne" }):text(1, "id"), key, setting) end
	end
	t.eq(#system:fetch { "a\0" }, 0)
	t.eq(#system:fetch {}, 0)
end)

t.test("postgres: a literal is made by libpq", function()
	if not URI then t.skip "SYNCRUN_TEST_PG is not set" end
	local db = postgres.connect(URI)
	t.eq(db:literal "it's", "'it''s'")
	t.eq(db:literal "a\\b", " E'a\\\\b'")
	t.raises(function() db:literal "a\0b" end, "usage")
	t.raises(function() db:literal "\xff" end, "usage")
	db:close()
	t.raises(function() db:literal "x" end, "postgres")
end)

-- The connection that the tasks of a Postgres system share: what a loss does to each of them, and that nobody closes what
-- another has just opened.
local err = require "syncrun.err"
local postgres = require "syncrun.postgres"
local shared = require "syncrun.systems.postgres.shared"
local t = require "syncrun.test"
local task = require "syncrun.task"

local URI = os.getenv "SYNCRUN_TEST_PG"
local NAME = "syncrun shared test"

local function connect()
	if not URI then t.skip "SYNCRUN_TEST_PG is not set" end
	return postgres.connect(URI, { name = "shared", application_name = NAME })
end

-- fn(shared connection, a connection of somebody else).
local function with_shared(fn)
	local other <close> = postgres.connect(URI or t.skip "SYNCRUN_TEST_PG is not set")
	local one = shared.new(connect)
	local ok, e = pcall(fn, one, other)
	one:close()
	if not ok then error(e, 0) end
end

local function until_true(db, sql)
	for _ = 1, 2000 do
		if db:query(sql, NAME)[1].ok then return end
		task.sleep(0.005)
	end
	error("never true: " .. sql, 2)
end

local SLEEPING = [[SELECT count(*) = 1 AS ok FROM pg_stat_activity
	WHERE application_name = $1 AND query LIKE '%pg_sleep%']]
local KILL = "SELECT count(pg_terminate_backend(pid)) = 1 AS ok FROM pg_stat_activity WHERE application_name = $1"

local function one_row(db, sql)
	return db:query(sql)[1]
end

t.test("postgres shared: two that begin at once share one connection", function()
	with_shared(function(one, other)
		local pids = task.map({ 1, 2, 3 }, { limit = 3 }, function()
			return one:run(one_row, "SELECT pg_backend_pid() AS pid").pid
		end)
		t.eq({ pids[2], pids[3] }, { pids[1], pids[1] })
		t.eq(other:query("SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = $1", NAME)[1].n, 1)
	end)
end)

-- Of two writers the second closed the connection that the first had just reopened, and that ended a run.
t.test("postgres shared: a loss fails what was under way and what waited; what is begun anew is left alone", function()
	with_shared(function(one, other)
		local errors, again = {}, nil
		task.scope(function(s)
			s:spawn(function()
				local _, e = err.try(one.run, one, one_row, "SELECT pg_sleep(60)")
				errors[1] = e
				again = one:run(one_row, "SELECT pg_sleep(0.2), 'again' AS word").word
			end)
			s:spawn(function()
				local _, e = err.try(one.run, one, one_row, "SELECT 1")
				errors[2] = e
			end)
			until_true(other, SLEEPING)
			until_true(other, KILL)
		end)
		for i = 1, 2 do t.eq({ errors[i].kind, errors[i].retryable }, { "postgres", true }, errors[i].message) end
		t.eq(again, "again")
	end)
end)

t.test("postgres shared: what only reads is asked once more when the connection was lost, and only then", function()
	with_shared(function(one, other)
		local tries = 0
		local word = task.scope(function(s)
			s:spawn(function()
				until_true(other, SLEEPING)
				until_true(other, KILL)
			end)
			return one:read(function(db)
				tries = tries + 1
				return one_row(db, tries == 1 and "SELECT pg_sleep(60)" or "SELECT 'read' AS word").word
			end)
		end)
		t.eq({ word, tries }, { "read", 2 })
		t.eq(one:read(function() return nil end), nil)
		local e = t.raises(one.read, "postgres", one, function(db)
			tries = tries + 1
			return one_row(db, "SELECT 1/0")
		end)
		t.eq({ e.code, tries }, { "22012", 3 })
	end)
end)

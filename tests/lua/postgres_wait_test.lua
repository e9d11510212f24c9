-- Waits on a Postgres server: who holds a lock is said and the wait ends; what the server works on is left alone.
local err = require "syncrun.err"
local log = require "syncrun.log"
local postgres = require "syncrun.postgres"
local t = require "syncrun.test"
local task = require "syncrun.task"
local wait = require "syncrun.postgres_wait"

local URI = os.getenv "SYNCRUN_TEST_PG"

local function connect(options)
	if not URI then t.skip "SYNCRUN_TEST_PG is not set" end
	return postgres.connect(URI, options)
end

-- fn() with short patience; what the log was told meanwhile.
local function watched(fn)
	local kept, said = { log.warn, log.info, wait.LOOK_AFTER, wait.WORD_AFTER }, {}
	local function hear(text, ...) said[#said + 1] = text:format(...) end
	log.warn, log.info, wait.LOOK_AFTER, wait.WORD_AFTER = hear, hear, 0.1, 0.2
	local ok, e = pcall(fn, said)
	log.warn, log.info, wait.LOOK_AFTER, wait.WORD_AFTER = table.unpack(kept)
	if not ok then error(e, 0) end
	return said
end

-- Somebody's open transaction that holds the one row of a table; fn(the holder's connection, its pid, the table).
local held = 0
local function with_held_row(fn)
	held = held + 1
	local name = ("held_%d"):format(held)
	local gui <close> = connect { name = "gui", application_name = "SomeGUI" }
	gui:exec(("CREATE TABLE %s (id int PRIMARY KEY, n int); INSERT INTO %s VALUES (1, 0)"):format(name, name))
	gui:exec "BEGIN"
	gui:query(("UPDATE %s SET n = 1"):format(name))
	fn(gui, gui:query "SELECT pg_backend_pid() AS pid"[1].pid, name)
end

local function until_true(condition)
	for _ = 1, 2000 do
		if condition() then return end
		task.sleep(0.005)
	end
	error("never true", 2)
end

local function test(name, fn)
	t.test("postgres wait: " .. name, fn)
end

test("who holds a lock is said; when it is let go the statement goes on", function()
	with_held_row(function(gui, pid, name)
		local db <close> = connect { name = "mine" }
		local said = watched(function(said)
			task.scope(function(s)
				s:spawn(function() db:query(("UPDATE %s SET n = n + 1"):format(name)) end)
				until_true(function() return #said > 0 end)
				gui:exec "COMMIT"
			end)
		end)
		t.ok(said[1]:find(("^waiting for a lock on 'mine' that process %d %%('SomeGUI', role '[^']+', idle in transaction "
			.. "for %%d+ s%%) holds %%(%%d+ s so far%%); at most 60 s %%(lock_wait%%)$"):format(pid)), said[1])
		t.eq(said[#said], "the lock on 'mine' is free again")
		t.eq(db:query(("SELECT n FROM %s"):format(name))[1].n, 2)
	end)
end)

test("a lock is waited for as long as is set; the statement is cancelled, the error names who holds it", function()
	with_held_row(function(gui, pid, name)
		for verb, run in pairs {
			query = function(db, text) db:query(text) end,
			transaction = function(db, text) db:transaction(function(tx) tx:query(text) end) end,
			each = function(db, text) for _ in db:each(text .. " RETURNING id") do t.ok(false) end end,
			copy = function(db, text)
				for _ in db:copy_out(("COPY (%s RETURNING id) TO STDOUT"):format(text)) do t.ok(false) end
			end,
		} do
			local db = connect { name = "mine", lock_wait = 0.3 }
			local _, e
			watched(function() _, e = err.try(run, db, ("UPDATE %s SET n = 7"):format(name)) end)
			t.eq({ e.kind, e.code, e.retryable, e.limited, db:is_open() }, { "postgres", "lock", true, true, false }, verb)
			local words = "a statement on 'mine' waited 0.3 s for a lock that process %d ('SomeGUI', role"
			t.ok(e.message:find(words:format(pid), 1, true), e.message)
			t.ok(e.message:find("; end that transaction, or raise lock_wait", 1, true), e.message)
		end
		local looker <close> = connect { name = "looker" } -- within a transaction the activity stays as it was first seen
		until_true(function()
			return looker:one [[SELECT count(*) = 0 AS ok FROM pg_stat_activity
				WHERE wait_event_type = 'Lock' AND datname = current_database()]].ok
		end)
		gui:exec "COMMIT"
		t.eq(gui:query(("SELECT n FROM %s"):format(name))[1].n, 1)
	end)
end)

test("of several who hold a lock the idle one is named, with how many more", function()
	with_held_row(function(gui, pid, name)
		gui:exec "COMMIT"
		gui:exec "BEGIN"
		gui:exec(("LOCK TABLE %s IN SHARE MODE"):format(name))
		local busy, mine = connect { name = "busy" }, connect { name = "mine", lock_wait = 0.3 }
		local looker <close> = connect { name = "looker" }
		busy:exec "BEGIN"
		busy:exec(("LOCK TABLE %s IN SHARE MODE"):format(name))
		local e
		watched(function()
			task.scope(function(s)
				local asleep = s:spawn(function() err.try(busy.query, busy, "SELECT pg_sleep(60)") end)
				until_true(function()
					return looker:one [[SELECT count(*) = 1 AS ok FROM pg_stat_activity
						WHERE query = 'SELECT pg_sleep(60)' AND datname = current_database()]].ok
				end)
				e = select(2, err.try(mine.query, mine, ("UPDATE %s SET n = 5"):format(name)))
				asleep:cancel()
			end)
		end)
		t.ok(e.message:find(("process %d ('SomeGUI', "):format(pid), 1, true), e.message)
		t.ok(e.message:find(" and 1 more holds", 1, true), e.message)
		gui:exec "ROLLBACK"
		busy:close()
	end)
end)

test("what the role may not see of who holds the lock is said, not guessed", function()
	local user, rest = (URI or t.skip "SYNCRUN_TEST_PG is not set"):match "^postgresql://([^:]+):[^@]+@(127%.0%.0%.1:.*)$"
	if not user then t.skip "it takes passwords" end
	with_held_row(function(gui, pid, name)
		gui:exec "COMMIT"
		gui:exec(("CREATE ROLE poor LOGIN PASSWORD 'canary-poor'; GRANT ALL ON %s TO poor"):format(name))
		gui:exec "BEGIN"
		gui:query(("UPDATE %s SET n = 3"):format(name))
		local db = postgres.connect("postgresql://poor:canary-poor@" .. rest, { name = "mine", lock_wait = 0.3 })
		local _, e
		watched(function() _, e = err.try(db.query, db, ("UPDATE %s SET n = 4"):format(name)) end)
		t.ok(e.message:find(("that process %d ('SomeGUI', role '%s', what it does this role may not see) holds"):format(pid,
			user), 1, true), e.message)
		gui:exec "ROLLBACK"
		gui:exec "DROP OWNED BY poor; DROP ROLE poor"
	end)
end)

test("a statement that the server works on is not given up, and has a word", function()
	local db <close> = connect { name = "mine", stall_wait = 0.2 }
	local said = watched(function() t.eq(db:query "SELECT 1 AS one, pg_sleep(1)"[1].one, 1) end)
	t.ok(said[1]:find "^waiting for 'mine' to answer %(0 s so far; it works on the statement: Timeout PgSleep%)$", said[1])
end)

test("a statement that another process runs is not taken for ours", function()
	with_held_row(function(gui, _, name)
		local text = ("UPDATE %s SET n = 9"):format(name)
		local other, mine = connect { name = "other", lock_wait = 30 }, connect { name = "mine", lock_wait = 0.2 }
		local said = watched(function(said)
			task.scope(function(s)
				s:spawn(function() err.try(other.query, other, text) end)
				until_true(function() return #said > 0 end)
				t.eq(mine:query "SELECT 1 AS one, pg_sleep(0.6)"[1].one, 1)
				gui:exec "ROLLBACK"
			end)
		end)
		for _, line in ipairs(said) do t.ok(not line:find "lock on 'mine'", line) end
		other:close()
		mine:close()
	end)
end)

test("nothing is left behind by waits that are over", function()
	local before = task.active()
	local db <close> = connect()
	db:query "SELECT 1"
	for _ in db:each "SELECT generate_series(1, 3)" do task.sleep(0) end
	t.eq(task.active(), before)
end)

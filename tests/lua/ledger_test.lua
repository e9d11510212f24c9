-- The ledger and its state machine: what follows what, on which evidence; runs, forgetting, pruning; what it refuses to
-- open.
local crypto = require "syncrun.crypto"
local err = require "syncrun.err"
local json = require "syncrun.json"
local ledger = require "syncrun.record.ledger"
local lock = require "syncrun.record.lock"
local schema = require "syncrun.record.ledger_schema"
local log = require "syncrun.log"
local rows = require "syncrun.rows"
local sqlite = require "syncrun.sqlite"
local states = require "syncrun.record.states"
local t = require "syncrun.test"

local SCHEMA = rows.schema { { "id", "text" }, { "name", "text" } }
local VERDICTS = rows.schema { { "key", "text" }, { "state", "text" } }
local KEYS = { "a", "b", "c", "d", "e", "f", "g", "h" }

local function test(name, fn)
	t.test("ledger: " .. name, fn)
end

local function temp_folder()
	local pipe <close> = assert(io.popen "mktemp -d /tmp/syncrun-ledger-XXXXXX")
	return pipe:read "l"
end

local function with_folder(fn)
	local dir = temp_folder()
	local ok, e = pcall(fn, dir)
	os.execute("rm -r " .. dir)
	if not ok then error(e, 0) end
end

local function model(keys, name)
	local page = rows.new(SCHEMA)
	for _, key in ipairs(keys) do page:add { id = key, name = name or "Name of " .. key } end
	return page
end

local function verdicts(wrong)
	local page = rows.new(VERDICTS)
	for key, state in pairs(wrong or {}) do page:add { key = key, state = state } end
	return coroutine.wrap(function()
		coroutine.yield(page)
		return nil
	end)
end

local function begin(dir, options)
	local l = ledger.open(dir)
	local before = l:start { options = options or {}, settings = { state = dir }, mapping = "none", checks = "none",
		folder = dir .. "/runs/x" }
	return l, before
end

-- A run begun over a folder: fn(ledger, dir).
local function with_run(fn)
	with_folder(function(dir)
		local l = begin(dir)
		l:see(rows.digests(model(KEYS), "id"))
		fn(l, dir)
		l:close()
	end)
end

local function state_of(l, key)
	local row = l.db:one("SELECT state FROM state WHERE system = 's' AND key = ?", key)
	return row and row.state or "seen"
end

local function written(keys)
	local outcomes = {}
	for i = 1, #keys do outcomes[i] = { state = "written" } end
	return outcomes
end

local function send(l, keys)
	return l:sending("s", "create", model(keys), "id", l:read "s")
end

-- ---- the way of a batch

test("sent before the request, written by the answer, verified by a later reading", function()
	with_run(function(l)
		local attempt = send(l, { "a", "b" })
		t.eq({ state_of(l, "a"), state_of(l, "c") }, { "sent", "seen" })
		l:answered(attempt, { "a", "b" }, { { state = "written" }, { state = "rejected", reason = "no" } })
		t.eq({ state_of(l, "a"), state_of(l, "b") }, { "written", "rejected" })
		local row = l.db:one("SELECT status, reason, contacts FROM attempt WHERE id = ?", attempt.id)
		t.eq({ row.status, row.reason, row.contacts }, { "partly", "no", 2 })
		l:judge("s", l:read "s", verdicts { b = "rejected", c = "missing" })
		t.eq({ state_of(l, "a"), state_of(l, "b"), state_of(l, "c"), state_of(l, "d") },
			{ "verified", "rejected", "missing", "verified" })
	end)
end)

test("what is verified already is not written again, unless the contact changed", function()
	with_run(function(l)
		l:judge("s", l:read "s", verdicts())
		local first = l.db:one("SELECT read FROM state WHERE key = 'a'").read
		l:judge("s", l:read "s", verdicts { c = "mismatched" })
		t.eq(l.db:one("SELECT read FROM state WHERE key = 'a'").read, first)
		l.db:run "DELETE FROM temp.seen"
		l:see(rows.digests(model(KEYS, "Another Name"), "id"))
		l:judge("s", l:read "s", verdicts())
		t.ok(l.db:one("SELECT read FROM state WHERE key = 'a'").read > first)
	end)
end)

test("a reading that began before the request left verifies nothing", function()
	with_run(function(l)
		local early = l:read "s"
		l:answered(send(l, { "a" }), { "a" }, written { "a" })
		local e = t.raises(function() l:judge("s", early, verdicts()) end, "sqlite")
		t.ok(e.ledger)
		t.eq(state_of(l, "a"), "written")
	end)
end)

test("an unanswered batch is not sent again before it was read", function()
	with_run(function(l)
		local reading = l:read "s"
		local attempt = l:sending("s", "create", model { "a", "b" }, "id", reading)
		l:failed(attempt, err.new { kind = "timeout", message = "no answer", unknown = true })
		t.eq(state_of(l, "a"), "unknown")
		t.raises(function() l:sending("s", "create", model { "a" }, "id", reading) end, "cannot make this move")
		local later = l:read "s"
		l:found(attempt, { "b" }, later)
		l:sending("s", "create", model { "a" }, "id", later)
		t.eq({ state_of(l, "a"), state_of(l, "b") }, { "sent", "written" })
	end)
end)

test("a refused batch is planned anew and halved; the last one standing is rejected", function()
	with_run(function(l)
		local reading, refused = l:read "s", err.new { kind = "http", message = "bad", reject = true,
			request = "POST /graphql", response = "400" }
		l:failed(l:sending("s", "create", model { "a", "b" }, "id", reading), refused)
		t.eq(state_of(l, "a"), "planned")
		local attempt = l:sending("s", "create", model { "a" }, "id", reading)
		l:failed(attempt, refused)
		t.eq(state_of(l, "a"), "rejected")
		local row = l.db:one("SELECT status, request, response, keys FROM attempt WHERE id = ?", attempt.id)
		t.eq({ row.status, row.request, row.response, row.keys }, { "refused", "POST /graphql", "400", '["a"]' })
	end)
end)

test("any SQL tool is held to the same rules", function()
	with_run(function(l, dir)
		l:answered(send(l, { "a" }), { "a" }, written { "a" })
		local other <close> = sqlite.open(dir .. "/ledger.db", { mode = "rw" })
		t.raises(function() other:run "UPDATE state SET state = 'verified'" end, "sqlite")
		t.raises(function() other:run "UPDATE state SET state = 'verified', read = attempt" end, "sqlite")
		t.raises(function()
			other:run "INSERT INTO state (system, key, state, digest) VALUES ('s', 'z', 'verified', x'00')"
		end, "sqlite")
		t.raises(function() other:run "UPDATE state SET state = 'sent'" end, "sqlite")
		t.eq(other:one("SELECT state, answer FROM contact WHERE key = 'a'").answer, "written")
	end)
end)

-- ---- any order of events

-- What may happen to a batch, with what it needs; a model beside the ledger says what the states must be.
local function simulate(seed, steps)
	with_run(function(l)
		math.randomseed(seed)
		local state, attempts, read_since, open = {}, {}, {}, {}
		for _, key in ipairs(KEYS) do state[key] = "seen" end
		local reading = l:read "s"
		local function some(n)
			local keys, from = {}, math.random(#KEYS)
			for i = from, math.min(#KEYS, from + n) do keys[#keys + 1] = KEYS[i] end
			return keys
		end
		local function set(keys, to)
			for _, key in ipairs(keys) do
				if to == "sent" then read_since[key] = false end
				state[key] = to
			end
		end
		local function try(keys, allowed, f)
			local _, e = err.try(function()
				f()
				return true
			end)
			t.eq(e == nil, allowed, ("%s of %s"):format(e and e.message or "accepted", table.concat(keys, ",")))
			return not e
		end
		local events = {
			function()
				local keys, allowed = some(2), true
				for _, key in ipairs(keys) do
					allowed = allowed and (read_since[key] ~= false or state[key] == "planned")
				end
				local attempt
				if try(keys, allowed, function() attempt = l:sending("s", "create", model(keys), "id", reading) end) then
					set(keys, "sent")
					for _, key in ipairs(keys) do attempts[key] = attempt end
					open[#open + 1] = { attempt = attempt, keys = keys }
				end
			end,
			function() -- an answer, of one of the four kinds
				local batch = #open > 0 and table.remove(open, math.random(#open))
				if not batch then return end
				local now = {}
				for _, key in ipairs(batch.keys) do
					if attempts[key] == batch.attempt then now[#now + 1] = key end
				end
				if #now < #batch.keys then return end -- sent again meanwhile: its answer comes too late
				local kind = math.random(4)
				for _, key in ipairs(now) do
					if state[key] ~= "sent" then return end
				end
				if kind == 1 then
					l:answered(batch.attempt, now, written(now))
					set(now, "written")
				elseif kind == 2 then
					l:failed(batch.attempt, err.new { kind = "timeout", message = "-", unknown = true })
					set(now, "unknown")
				elseif kind == 3 then
					l:failed(batch.attempt, err.new { kind = "http", message = "-", reject = true })
					set(now, #now > 1 and "planned" or "rejected")
				end -- 4: the process died, and nobody heard it
			end,
			function()
				reading = l:read "s"
				for _, key in ipairs(KEYS) do
					if attempts[key] then read_since[key] = true end
				end
			end,
			function()
				local wrong, allowed = {}, true
				for _, key in ipairs(KEYS) do
					local kinds = read_since[key] == false and 2 or 3 -- rejected needs no reading
					if math.random(4) == 1 then wrong[key] = ({ "missing", "mismatched", "rejected" })[math.random(kinds)] end
					local changes = wrong[key] or state[key] ~= "verified"
					if changes and read_since[key] == false then allowed = false end
				end
				if try(KEYS, allowed, function() l:judge("s", reading, verdicts(wrong)) end) then
					for _, key in ipairs(KEYS) do state[key] = wrong[key] or "verified" end
				end
			end,
		}
		for _ = 1, steps do
			events[math.random(#events)]()
			local sum = 0
			for _, key in ipairs(KEYS) do
				t.eq(state_of(l, key), state[key], key)
				sum = sum + (state[key] ~= "seen" and 1 or 0)
			end
			t.eq(l.db:one("SELECT count(*) AS n FROM state").n, sum, "contacts in all states")
			t.eq(l.db:one("SELECT count(*) AS n FROM state WHERE state = 'verified' AND read <= attempt").n, 0,
				"verified without a read-back")
		end
	end)
end

test("random interleavings keep the sums and never verify without a read-back", function()
	for seed = 1, 60 do simulate(seed, 40) end
end)

test("every lasting state is left through a reading, and verified is reached by nothing else", function()
	for _, move in ipairs(states.moves()) do
		if move.to == "verified" or move.to == "missing" or move.to == "mismatched" then t.eq(move.by, "read") end
		if move.from == "unknown" then t.eq(move.by, "read") end
	end
	for _, state in ipairs(states.lasting) do
		local found = false
		for _, move in ipairs(states.moves()) do
			found = found or (move.from == state and move.to == "verified" and move.by == "read")
		end
		t.ok(found, state)
	end
end)

-- ---- runs

test("an interrupted run is named with what was in flight, a finished one is not", function()
	with_folder(function(dir)
		local l, before = begin(dir)
		t.eq(before, nil)
		l:see(rows.digests(model(KEYS), "id"))
		send(l, { "a", "b", "c" })
		l:answered(send(l, { "d" }), { "d" }, written { "d" })
		l:close()
		l, before = begin(dir)
		t.eq({ before.id, before.contacts }, { 1, 3 })
		t.eq(l:interrupted_folders(), { dir .. "/runs/x" })
		l:finish("finished", 0, { total = 1 })
		l:close()
		l, before = begin(dir)
		t.eq(before, nil)
		l:close()
	end)
end)

test("a run that was killed is the last run for who comes after it, the present one is not", function()
	with_run(function(l, dir)
		local killed = l.run
		t.eq(l:last_run(), nil)
		l:close()
		local again = ledger.open(dir)
		t.eq(again:last_run().id, killed)
		again:close()
	end)
end)

test("the failures of a run are its own", function()
	with_run(function(l, dir)
		l:judge("s", l:read "s", verdicts { b = "missing", c = "rejected" })
		l:finish("finished", 1)
		t.eq(l:failures(l:last_run().id), { "b", "c" })
		l:close()
		local again = begin(dir)
		again:see(rows.digests(model { "b" }, "id"))
		again:judge("s", again:read "s", verdicts { b = "missing" })
		again:finish("finished", 1)
		t.eq(again:failures(again:last_run().id), { "b" })
		again:close()
	end)
end)

test("settings are kept as they are given, texts masked and cut", function()
	with_folder(function(dir)
		log.secret "canary-of-the-ledger"
		local l = ledger.open(dir)
		l:start { options = { only = { "canary-of-the-ledger" } }, folder = "f",
			settings = { state = dir, twenty = { url = "http://x/canary-of-the-ledger" } } }
		l:see(rows.digests(model(KEYS), "id"))
		l:failed(send(l, { "a" }), err.new { kind = "http", message = "with canary-of-the-ledger in it", reject = true,
			request = "Bearer canary-of-the-ledger", response = ("ü"):rep(5000) })
		l:close()
		for _, name in ipairs { "/ledger.db", "/ledger.db-wal" } do
			local file = io.open(dir .. name, "rb")
			local text = file and file:read "a" or ""
			if file then file:close() end
			t.eq(text:find("canary-of-the-ledger", 1, true), nil, name)
		end
		local other <close> = sqlite.open(dir .. "/ledger.db", { mode = "rw" })
		local response = other:one("SELECT response FROM attempt WHERE mode = 'create'").response
		t.ok(#response <= 4200 and utf8.len(response))
	end)
end)

test("old runs are pruned, the evidence of present states stays without its texts", function()
	with_run(function(l, dir)
		l:failed(send(l, { "a" }), err.new { kind = "http", message = "m", reject = true, request = "person" })
		send(l, { "b" })
		l:judge("s", l:read "s", verdicts { a = "rejected" })
		l:finish("finished", 1)
		l:close()
		local again = begin(dir)
		local pruned = again:prune "9999-01-01T00:00:00.000Z"
		t.eq({ pruned.runs, pruned.folders }, { 1, { dir .. "/runs/x" } })
		t.eq(again.db:one("SELECT count(*) AS n FROM run").n, 1)
		t.eq(again.db:one("SELECT count(*) AS n FROM attempt WHERE request IS NOT NULL").n, 0)
		t.eq(again.db:one("SELECT count(*) AS n FROM state JOIN attempt ON attempt.id = state.attempt").n, 2)
		t.eq(again.db:one("SELECT count(*) AS n FROM state").n, #KEYS)
		again:close()
	end)
end)

test("a forgotten contact is nowhere in the file, and the others are as they were", function()
	with_folder(function(dir)
		local l = begin(dir, { only = { "key-of-ada", "b" } })
		l:see(rows.digests(model { "key-of-ada", "b" }, "id"))
		l:failed(send(l, { "key-of-ada" }), err.new { kind = "http", message = "Ada's reason", reject = true,
			request = "Ada's request" })
		l:answered(send(l, { "b", "key-of-ada" }), { "b", "key-of-ada" }, written { 1, 2 })
		l:judge("s", l:read "s", verdicts())
		local done = l:forget "key-of-ada"
		t.eq(done, { states = 1, attempts = 2, runs = 1 })
		t.eq(state_of(l, "b"), "verified")
		t.eq(json.decode(l.db:one("SELECT keys FROM attempt WHERE contacts = 2").keys)[2], "(forgotten)")
		l:close()
		for _, name in ipairs { "/ledger.db", "/ledger.db-wal" } do
			local file = io.open(dir .. name, "rb")
			local text = file and file:read "a" or ""
			if file then file:close() end
			t.eq(text:find("key-of-ada", 1, true) or text:find("Ada's", 1, true), nil, name)
		end
	end)
end)

-- ---- what it refuses

local function refused(dir, part)
	local e = t.raises(function() ledger.open(dir) end, "config")
	t.contains(e.message, part)
	t.contains(e.message, "nothing was written")
	t.eq(e.exit, 2)
end

test("a file that is no database is refused", function()
	with_folder(function(dir)
		local file <close> = assert(io.open(dir .. "/ledger.db", "wb"))
		file:write(("this is no database. "):rep(100))
		file:close()
		refused(dir, "not a database")
	end)
end)

test("a damaged page is found before anything is done", function()
	with_folder(function(dir)
		local l = begin(dir)
		l:see(rows.digests(model(KEYS), "id"))
		for n = 1, 40 do l:read("s" .. n) end
		l:close()
		local file <close> = assert(io.open(dir .. "/ledger.db", "r+b"))
		file:seek("set", 4096 * 3)
		file:write(("\255"):rep(4096 * 4))
		file:close()
		refused(dir, "ledger.db")
	end)
end)

test("a newer version and another database are refused", function()
	with_folder(function(dir)
		local l = ledger.open(dir)
		l.db:run "INSERT INTO meta VALUES (99, 'x')"
		l:close()
		refused(dir, "newer syncrun (version 99")
	end)
	with_folder(function(dir)
		local db = sqlite.open(dir .. "/ledger.db")
		db:run "CREATE TABLE something (x)"
		db:close()
		refused(dir, "another database")
	end)
end)

test("a version is migrated step by step, each in one transaction", function()
	local db <close> = sqlite.open(nil, { mode = "memory" })
	schema.migrate(db, schema.migrations)
	local more = table.move(schema.migrations, 1, #schema.migrations, 1, {})
	more[#more + 1] = function(tx) tx:exec "ALTER TABLE run ADD COLUMN note TEXT" end
	more[#more + 1] = function(tx)
		tx:exec "CREATE TABLE half (x)"
		error "broken"
	end
	t.raises(function() schema.migrate(db, more) end, "broken")
	t.eq(db:one("SELECT max(version) AS n FROM meta").n, #more - 1)
	t.eq(db:one("SELECT 1 AS one FROM sqlite_master WHERE name = 'half'"), nil)
	db:run "INSERT INTO run (started_at, status, note) VALUES ('t', 's', 'n')"
end)

test("its files are for their owner only", function()
	with_run(function(_, dir)
		local pipe <close> = assert(io.popen(("find %s -type f -perm /077"):format(dir)))
		t.eq(pipe:read "a", "")
	end)
end)

test("a page's keys and short digests", function()
	local page = model({ "a", "b" }, "same name")
	local digests = rows.digests(page, "id")
	t.eq({ #digests, digests:text(1, "key"), digests:text(2, "key") }, { 2, "a", "b" })
	local p, j = "1:a9:same name", ""
	t.eq(digests:get(1, "digest"), crypto.sha256(crypto.sha256(p, "raw") .. crypto.sha256(j, "raw"), "raw"):sub(1, 16))
	t.ok(digests:get(2, "digest") ~= digests:get(1, "digest"))
	t.raises(function() rows.digests(page, "nothing") end, "unknown field")
end)

-- ---- the lock

test("one holder at a time, named by its pid; closing gives it back", function()
	with_folder(function(dir)
		local state = dir .. "/state"
		local held = lock.take(state)
		local e = t.raises(function() lock.take(state) end, "config")
		local file <close> = assert(io.open(state .. "/lock"))
		t.contains(e.message, ("another run (pid %s) holds '%s'"):format(file:read "l", state))
		t.eq(e.exit, 2)
		held:close()
		lock.take(state):close()
	end)
end)

test("a symbolic link is no lock", function()
	with_folder(function(dir)
		os.execute(("ln -s %s/nowhere %s/lock"):format(dir, dir))
		t.raises(function() lock.take(dir) end, "config")
	end)
end)

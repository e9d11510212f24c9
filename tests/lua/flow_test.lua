-- The flow over a table-backed system: what a run writes, judges, keeps and says, whatever the system does meanwhile.
local err = require "syncrun.err"
local json = require "syncrun.json"
local t = require "syncrun.test"
local world = require "lua.lib.fake_world"

local function test(name, fn) t.test("flow: " .. name, fn) end

local function same_as_source(w, label)
	local held = w.held[label or "Fake"]
	for _, record in ipairs(w.records) do
		local row = t.ok(held[record.id], record.id .. " is not there")
		t.eq({ row.who, row.mail, row.at }, { record.who, record.mail, record.updated_at }, record.id)
	end
end

test("a first load writes everything, reads it back and proves it; the next run writes nothing", function()
	local w <close> = world.new { records = world.records(11) }
	t.eq(w:full(), 0)
	same_as_source(w)
	local r = w.run.result
	t.eq(r.totals, { total = 11, synced = 11, validated = 11, errors = 0, issues = 0, deleted = 0 })
	t.eq({ w.systems.Fake.asked.scan, w.systems.Fake.asked.write }, { 3, 3 }) -- planned, written in fours, read back
	t.eq({ #w.contacts, w:state "c07", w:state("c07", "Source") }, { 11, "verified", "verified" })
	t.eq(w:ledger "SELECT state, count(*) AS n FROM state GROUP BY 1", { { state = "verified", n = 11 } })
	t.eq(w:full(), 0)
	t.eq({ w.systems.Fake.asked.scan, w.systems.Fake.asked.write }, { 1, 0 })
	t.ok(w.systems.Fake.closed and w.source.closed)
end)

test("what differs is changed, what is missing created, the rest left alone", function()
	local w <close> = world.new { records = world.records(6) }
	w:full()
	w.held.Fake.c02.mail, w.held.Fake.c05 = "edited", nil
	t.eq(w:full(), 0)
	same_as_source(w)
	t.eq({ w.run.targets[1].counts.created, w.run.targets[1].counts.updated, w.run.targets[1].counts.same }, { 1, 1, 6 })
end)

test("--skip-sync writes nothing and names every difference", function()
	local w <close> = world.new { records = world.records(6) }
	w:full()
	w.held.Fake.c02.mail, w.held.Fake.c05 = "edited", nil
	t.eq(w:full { skip_sync = true }, 1)
	t.eq(w.run.result.totals, { total = 6, synced = "not run", validated = 4, errors = 0, issues = 2, deleted = 0 })
	t.eq({ w:state "c02", w:state "c05", w:state "c01" }, { "mismatched", "missing", "verified" })
	t.eq(w:lines "c02", { 'Fake: mail is "edited", expected "2@example.com"' })
	t.eq(w:lines "c05", { "Missing in Fake" })
	t.eq(w.systems.Fake.asked.write, 0)
	t.eq(w.systems.Fake.intent, { write = false })
end)

test("a system without key order is read whole and sorted here; people without a key are extras", function()
	local w <close> = world.new { records = world.records(7), target = { ordered = false, name_column = "who" } }
	w.held.Fake[""] = { id = "", who = "By hand" }
	w.held.Fake.zz = { id = "zz", who = "Old" }
	t.eq(w:full(), 0)
	same_as_source(w)
	t.eq(w.run.result.systems[2].counts.extra, 1)
	local extras = {}
	for i, line in ipairs(w.issues) do
		extras[i] = table.concat({ line.kind, line.contact_id, line.name ~= json.null and line.name or "" }, " ")
	end
	table.sort(extras)
	t.eq(extras, { "extra  By hand", "extra zz " })
	t.eq(w:full { strict_extras = true }, 1)
end)

test("a refused contact is found by halves; the others of its batch arrive", function()
	local w <close> = world.new { records = world.records(8), target = { refuse = function(key)
		return key == "c03" and "no third one" or nil
	end } }
	t.eq(w:full(), 1)
	t.eq({ w:state "c03", w:state "c02", w:state "c04" }, { "rejected", "verified", "verified" })
	t.eq(w:lines "c03", { "Fake: no third one", "Missing in Fake" })
	t.eq(w.run.result.totals.errors, 1)
	t.eq(w:ledger "SELECT key, state FROM state WHERE state <> 'verified'", { { key = "c03", state = "rejected" } })
end)

test("an answer that does not come is found out by reading, nothing is sent twice", function()
	local lost, written = true, {}
	local w <close> = world.new { records = world.records(4), target = {
		after_write = function(_, key)
			written[#written + 1] = key
			if lost and #written == 4 then
				lost = false
				err.raise { kind = "timeout", message = "no answer", unknown = true, retryable = true }
			end
		end,
	} }
	t.eq(w:full(), 0)
	t.eq(written, { "c01", "c02", "c03", "c04" })
	t.eq(w.systems.Fake.asked.fetch, 1)
end)

test("what is there already when it was to be created is not created again", function()
	local w <close> = world.new { records = world.records(4), target = {
		before_write = function(self, batch, mode)
			if mode ~= "create" or self.held.c01 then return end
			for _, row in batch.rows:each() do -- it lands, and the request is repeated below us
				self.held[row.id] = { id = row.id, who = row.who, mail = row.mail, at = row.at }
			end
			err.raise { kind = "http", message = "duplicate", reject = true, exists = true }
		end,
	} }
	t.eq(w:full(), 0)
	t.eq(w.systems.Fake.asked.write, 1)
	same_as_source(w)
end)

test("a system that goes away for a moment is looked at anew, one that stays away is lost", function()
	local times = 0
	local w <close> = world.new { records = world.records(3), target = { on_scan = function()
		times = times + 1
		if times == 1 then err.raise { kind = "http", message = "gone for a moment", retryable = true } end
	end } }
	t.eq(w:full(), 0)
	same_as_source(w)
	local v <close> = world.new { records = world.records(3), labels = { "Good", "Bad" }, target = {
		on_scan = function(self)
			if self.label == "Bad" then err.raise { kind = "http", message = "gone for good" } end
		end,
	} }
	t.eq(v:full(), 5)
	same_as_source(v, "Good")
	t.eq({ v:state("c01", "Good"), v:state("c01", "Bad") }, { "verified", "unread" })
	t.contains(v:lines("c01")[1], "Bad: gone for good")
	t.eq(v.run.result.systems[3].lost, "gone for good")
	t.eq(v:ledger("SELECT status, exit FROM run")[1], { status = "incomplete", exit = 5 })
end)

test("an unreachable system ends the run before anything is written: exit 3", function()
	local w <close> = world.new { records = world.records(3), target = { away = "nobody answers" } }
	t.eq(w:full(), 3)
	t.eq(w.held.Fake, {})
	t.eq(w:ledger("SELECT status, exit FROM run")[1], { status = "refused", exit = 3 })
end)

test("a misfit is exit 2, what is only worth saying stops nothing, what makes itself is made", function()
	local misfit = { what = "column x is missing", sql = { "ADD x" } }
	local w <close> = world.new { records = world.records(2), target = { problems = { misfit } } }
	t.eq(w:full(), 2)
	t.eq(w.systems.Fake.applied, nil)
	w.target.problems = { { what = "slow", exit = 0 } }
	t.eq(w:full(), 0)
	w.target.problems, w.target.makes_itself = { misfit }, true
	t.eq(w:full(), 0)
	t.eq(w.systems.Fake.applied, true)
	t.eq(w:full { skip_sync = true }, 2)
	w.target.problems = { { what = "no right", exit = 3 }, misfit }
	t.eq(w:full(), 3)
end)

test("a contact that cannot be synced goes to no system, and is no extra where it is", function()
	local records = world.records(5)
	records[1].id, records[2].who, records[4].id = nil, "", "c03"
	local w <close> = world.new { records = records }
	w.held.Fake.c02 = { id = "c02", who = "Before" }
	t.eq(w:full(), 1)
	t.eq({ w.held.Fake.c02.who, w.held.Fake.c03, w.held.Fake.c05.who }, { "Before", nil, "Contact 5" })
	t.eq(w:lines "c02", { "Source: who is required", "Source: who is required" })
	t.eq({ w:state "c02", w:state("c02", "Source"), w:state "c03", w:state "c05" },
		{ "rejected", "rejected", "rejected", "verified" })
	t.eq(w.contacts[1].errors, { "Source: id is null" })
	t.eq(w.run.result.systems[2].counts.extra, 0)
	t.eq(w:ledger "SELECT key, state FROM state ORDER BY key", {
		{ key = "c02", state = "rejected" }, { key = "c03", state = "rejected" }, { key = "c05", state = "verified" } })
	records[1].id = ""
	t.eq(w:full(), 1)
	t.eq(w.contacts[1].errors, { "Source: id is empty" })
	t.eq(w.held.Fake[""], nil)
end)

test("checks judge, they stop nothing; what they leave out is said", function()
	local w <close> = world.new { records = world.records(2), checks = [[return { fields = { "who" }, contact = {
		function(contact) if contact.id == "c02" then return "I do not like it" end end } }]] }
	w:full()
	w.held.Fake.c01.mail = "kept apart"
	t.eq(w:full { skip_sync = true }, 1)
	t.eq({ w:state "c01", w:state "c02", w:state("c02", "Source") }, { "verified", "verified", "invalid" })
	t.eq(w:lines "c02", { "Source: I do not like it" })
	t.contains(w:read "report/report.txt", "Not compared, by the checks: mail, at")
	local v <close> = world.new { records = world.records(1), checks = "return { exists = false }" }
	t.eq(v:full { skip_sync = true }, 0)
	t.eq(v:state "c01", "missing") -- told as it is
end)

test("a difference that is gone a moment later is none", function()
	local w <close> = world.new { records = world.records(3), target = { on_scan = function(self)
		self.held.c02.mail = "in between"
		self.on_scan = nil
	end } }
	for _, r in ipairs(w.records) do
		w.held.Fake[r.id] = { id = r.id, who = r.who, mail = r.mail, at = r.updated_at }
	end
	local fetch
	function w.target.fetch(self, keys)
		fetch = keys
		self.held.c02.mail = "2@example.com"
		return getmetatable(self).fetch(self, keys)
	end
	t.eq(w:full { skip_sync = true }, 0)
	t.eq(fetch, { "c02" })
end)

test("a deleted contact is left so where that is respected, and so is one that was merged", function()
	local w <close> = world.new { records = world.records(3),
		target = { ordered = false, gone = "dead", on_deleted = "respect" } }
	w.held.Fake.c01 = { id = "c01", who = "Contact 1", dead = true }
	local told = {}
	w.target.foresee = function()
		return {
			change = function(_, mode, page, list)
				for _, i in ipairs(list) do told[#told + 1] = mode .. " " .. page:text(i, "id") end
			end,
			finish = function() return {}, { c02 = "merged into somebody" } end,
		}
	end
	t.eq(w:full(), 0)
	t.eq(told, { "create c02", "create c03" })
	t.eq({ w:state "c01", w:state "c02", w:state "c03" }, { "missing", "missing", "verified" })
	t.eq(w.held.Fake.c01.dead, true)
	t.eq({ w.held.Fake.c02, w.run.targets[1].counts.created }, { nil, 1 })
	local totals = w.run.result.totals
	t.eq({ totals.validated, totals.deleted, totals.issues, totals.errors }, { 1, 2, 0, 0 })
	w.target.on_deleted, w.target.gone = "respect", nil
	t.raises(function() w:full() end, "config", "it tells of no deleted rows")
end)

test("a right that is missing is found before anything is written in any system", function()
	local w <close> = world.new { records = world.records(2), labels = { "Good", "Bad" } }
	local asked = 0
	function w.target.ready(self)
		if self.label ~= "Bad" then return {} end
		asked = asked + 1
		return { { what = "it may not be written to", exit = 3 } }
	end
	t.eq(w:full(), 3)
	t.eq({ w.held.Good.c01, w.held.Bad.c01, asked }, { nil, nil, 1 })
	w.target.ready = nil
	function w.target.on_scan(self)
		if self.label == "Bad" then err.raise { kind = "http", exit = 3, denied = true, message = "it may not be read" } end
	end
	t.eq(w:full(), 3)
	t.eq({ w.held.Good.c01, w.held.Bad.c01 }, { nil, nil })
	w.target.on_scan = nil
	t.eq(w:full(), 0)
	function w.target.ready() error "nothing is to be written" end
	t.eq(w:full(), 0)
end)

test("a tombstone is revived by an update; a rule may refuse it beforehand", function()
	local w <close> = world.new { records = world.records(2), target = { ordered = false, gone = "dead" } }
	w.held.Fake.c01 = { id = "c01", who = "Contact 1", dead = true }
	t.eq(w:full { skip_sync = true }, 1)
	t.eq(w:lines "c01", { "Missing in Fake (soft-deleted there)" })
	t.eq(w:full(), 0)
	t.eq({ w.run.targets[1].counts.updated, w.run.targets[1].counts.created }, { 1, 1 })
	local told = {}
	w.target.foresee = function(_, _, o)
		return {
			change = function(_, mode, page, list)
				for _, i in ipairs(list) do told[#told + 1] = mode .. " " .. page:text(i, "id") end
			end,
			finish = function() return { c01 = { column = "mail", fate = "rejected", note = "taken" } } end, o = o,
		}
	end
	w.held.Fake.c01.mail, w.held.Fake.c02 = "other", nil
	t.eq(w:full(), 1)
	t.eq(told, { "update c01", "create c02" })
	t.eq({ w:state "c01", w:state "c02" }, { "rejected", "verified" })
	t.eq(w:lines("c01")[1], "Fake: mail: taken")
end)

test("a rule of the system may change what is expected, everywhere alike", function()
	local w <close> = world.new { records = world.records(2), target = { amend = function(_, expected, i, found, j)
		if found:text(j, "mail") ~= "amended" then return false end
		expected:set(i, "mail", "amended")
		return true
	end } }
	w:full()
	w.held.Fake.c01.mail = "amended"
	t.eq(w:full(), 0)
	t.eq(w.held.Fake.c01.mail, "amended")
	local inspect = w:with(require "syncrun.flow.inspect".open, { config = w.dir .. "/config.lua" })
	t.eq(w:with(inspect.validate, inspect, "c01"), { Source = {}, Fake = {} })
	t.eq(w:with(inspect.explain, inspect, "c01", "mail").systems[1].verdict, "equal")
	w.held.Fake.c02.mail = "wrong"
	t.eq(w:with(inspect.validate, inspect, "c02").Fake, { 'Fake: mail is "wrong", expected "2@example.com"' })
	t.eq(w:with(inspect.validate, inspect, "c09"), { Source = { "Missing in Source" } })
	t.eq(#w:with(inspect.contact, inspect, "c02").Fake, 1)
	t.raises(inspect.explain, "did you mean 'mail'?", inspect, "c01", "mial")
	inspect:close()
end)

test("fields that are not the source's: once is written on create, target never", function()
	local mapping = [[return { key = "id", fields = { { "id", "text" }, { "who", "text", own = "once" },
		{ "mail", "text", own = "target" } } }]]
	local w <close> = world.new { records = world.records(2), mapping = mapping, target = { editor_column = "mail" } }
	t.eq(w:full(), 0)
	t.eq({ w.held.Fake.c01.who, w.held.Fake.c01.mail }, { "Contact 1", nil })
	w.held.Fake.c01.who, w.held.Fake.c01.mail = "Renamed", "mine"
	t.eq(w:full(), 0)
	t.eq({ w.held.Fake.c01.who, w.held.Fake.c01.mail }, { "Renamed", "mine" })
	t.contains(w:read "report/report.txt", "Kept in Fake, field who (own = once): 1 contact differs")
	t.contains(w:read "report/owned.jsonl", '"actual":"Renamed"')
end)

test("values: folded ones are counted, lost ones refused or told", function()
	local mapping = [[return { key = "id", fields = { { "id", "text" },
		{ "mail", "text", on_loss = %q, to = { fake = { "mail", transform = { "no_nul", "lower" } } } } } }]]
	local records = { { id = "a", mail = "UP" }, { id = "b", mail = "x\0y" } }
	local w <close> = world.new { records = records, mapping = mapping:format "reject" }
	t.eq(w:full { trace_folds = true }, 1)
	t.eq({ w:state "a", w:state "b" }, { "verified", "rejected" })
	t.eq({ w.held.Fake.a.mail, w.held.Fake.b }, { "up", nil })
	t.eq(w.run.result.systems[2].fates.mail, { exact = 0, folded = 1, lost = 1, rejected = 0 })
	t.contains(w:read "report/values.jsonl", '"fate":"folded"')
	t.contains(w:read "report/report.txt", "Not told apart there: upper and lower case (in mail)")
	local v <close> = world.new { records = records, mapping = mapping:format "write" }
	t.eq(v:full(), 1)
	t.eq({ v.held.Fake.b.mail, v:state "b" }, { "xy", "mismatched" })
end)

test("only some: a limit, ids by name; what the source lacks is said", function()
	local w <close> = world.new { records = world.records(9) }
	t.eq(w:full { limit = 2 }, 0)
	t.eq({ #w.contacts, w.held.Fake.c03 }, { 2, nil })
	t.eq(w:full { only = { "c05", "nobody" } }, 1)
	t.eq(w.source.selection.only, { "c05", "nobody" })
	t.contains(w:read "report/report.txt", "Not in Source: nobody")
	t.eq({ w:state "c05", w.systems.Fake.asked.scan }, { "verified", 0 })
end)

test("a source that changes meanwhile is read again, and what changed is named", function()
	local state = 1
	local w <close> = world.new { records = world.records(3), source = { version = function() return "v" .. state end } }
	t.eq(w:full(nil, function()
		state = 2
		w.records[1] = { id = "c00", who = "New", mail = "n" }
		w.records[2] = { id = "c02", who = "Contact 2", mail = "changed" }
	end), 1)
	t.eq(w:lines "c01", { "Missing in Source (deleted there during the run)" })
	t.eq(w:state("c01", "Source"), "missing")
	t.contains(w:read "report/report.txt", "Changed in Source during the run: 2 contacts")
end)

test("a table that changes while it is read is read once more", function()
	local times = 0
	local w <close> = world.new { records = world.records(3), source = { on_scan = function()
		times = times + 1
		if times == 1 then err.raise { kind = "http", code = "changed", message = "it changed" } end
	end } }
	t.eq(w:full(), 0)
	t.eq({ times, w.source.selection.chain }, { 2, true })
	same_as_source(w)
end)

test("a delta run asks for what changed, proves nothing, and the next full run counts what it missed", function()
	local w <close> = world.new { records = world.records(3) }
	t.raises(w.full, "needs a full run before it", w, { changed = true })
	w:full()
	t.eq(w:full { changed = true }, 0)
	t.eq(w.source.selection.since, { column = "updated_at", at = 1700000000000003 })
	t.contains(w:read "report/report.txt", "delta run, not a proof")
	w.held.Fake.c01 = nil
	t.eq(w:full(), 0)
	t.contains(w:read "report/report.txt", "Missed by the 1 delta runs before this run: 1")
	t.raises(w.full, "leave out --only and --limit", w, { changed = true, limit = 1 })
end)

test("retry looks at what the last run left failed, and only at that", function()
	local retry = require "syncrun.flow.retry"
	local refused = true
	local w <close> = world.new { records = world.records(5), target = { refuse = function(key)
		return refused and key == "c04" and "not now" or nil
	end } }
	local options = { config = w.dir .. "/config.lua" }
	t.raises(retry.choose, "nothing was run yet", options)
	w:full()
	t.eq(retry.choose(options), nil)
	t.eq(options.only, { "c04" })
	refused = false
	t.eq(w:full { only = options.only }, 0)
	same_as_source(w)
	t.eq(retry.choose { config = w.dir .. "/config.lua" }, 0)
end)

test("forgetting a contact leaves no trace of it in ledger and reports", function()
	local w <close> = world.new { records = world.records(4), target = { refuse = function(key)
		return key == "c02" and "c02 is refused" or nil
	end } }
	w:full()
	local forget = require "syncrun.flow.forget"
	t.eq(forget.run { id = "c02", config = w.dir .. "/config.lua" }, 0)
	t.eq(w:ledger "SELECT count(*) AS n FROM state WHERE key = 'c02'"[1].n, 0)
	local pipe <close> = assert(io.popen("grep -rlw c02 " .. w.dir .. "/state " .. w.dir .. "/report; true"))
	t.eq(pipe:read "a", "")
	t.eq(forget.run { id = "c02", config = w.dir .. "/config.lua" }, 1)
	t.eq(w:full(), 1)
end)

test("setup shows, and makes, what is missing; all are asked before anything is made", function()
	local setup = require "syncrun.flow.setup"
	local w <close> = world.new { target = { problems = { { what = "column x is missing", sql = { "ADD x" } } } } }
	local options = { config = w.dir .. "/config.lua" }
	t.eq(w:with(setup.run, options), 1)
	t.eq(w.systems.Fake.applied, false)
	options.apply = true
	t.eq(w:with(setup.run, options), 0)
	t.eq(w.systems.Fake.applied, true)
	w.target.problems[2] = { what = "of another type" }
	t.eq(w:with(setup.run, options), 2)
	t.eq(w.systems.Fake.applied, false)
end)

-- A world in which so many of 100 contacts differ in their mail.
local function changed(n, config)
	local w = world.new { records = world.records(100), config = config,
		target = { limits = { rows = 50, bytes = 2 ^ 20 } } }
	w:full()
	for i = 1, n do w.held.Fake[("c%02d"):format(i)].mail = "old" end
	return w
end

test("guards: much that would change stops the run before anything is written, unless that is let pass", function()
	local w <close> = changed(60)
	t.eq(w:full(), 4)
	t.eq({ w.systems.Fake.asked.write, w.held.Fake.c01.mail }, { 0, "old" })
	t.eq(w:ledger "SELECT status, exit FROM run ORDER BY id DESC LIMIT 1"[1], { status = "refused", exit = 4 })
	t.eq(w:full { allow_mass_change = true }, 0)
	same_as_source(w)
	t.contains(w:read "report/report.txt",
		"Fake: fields (mail of 60) of 60 of the 100 contacts that are there would change (as c01, c02, c03, c04, c05, c06, "
		.. "c07, c08, c09, c10) (let pass by --allow-mass-change)")
	local few <close> = changed(50, "guards = { field = 1 }")
	t.eq(few:full(), 0) -- never too many
	local own <close> = changed(50, "guards = { least = 10, field = 1 }")
	t.eq(own:full(), 4)
	local share <close> = changed(60, "guards = { share = 0.7, field = 1 }")
	t.eq(share:full(), 0)
end)

test("guards: one field that changes in over 30 % stops the run, however few contacts change in all", function()
	local said
	local function of(w)
		return w:full(nil, function(this)
			this:plan()
			said = t.raises(require "syncrun.flow.guards".changes, "guard", this).message
		end)
	end
	local w <close> = changed(40)
	t.eq(of(w), 4)
	t.contains(said, "Fake: the field mail of 40 of the 100 contacts that are there would change (as c01, c02, c03,")
	t.eq(w.held.Fake.c01.mail, "old")
	local half <close> = changed(40, "guards = { field = 0.5 }")
	t.eq(half:full(), 0)
	local most <close> = changed(30)
	t.eq(most:full(), 0) -- 30 % is not over it
	local few <close> = world.new { records = world.records(10) }
	few:full()
	for _, row in pairs(few.held.Fake) do row.mail = "old" end
	t.eq(few:full(), 0) -- ten contacts are no mass
	for _, row in pairs(few.held.Fake) do row.mail = "old" end
	few:write("config.lua", (few:read "config.lua":gsub("recheck_after", "guards = { field_least = 9 }, recheck_after")))
	t.eq(few:full(), 4)
end)

test("guards: creates never count; another mapping is named as the likely cause", function()
	local w <close> = changed(0)
	for i = 1, 90 do w.held.Fake[("c%02d"):format(i)] = nil end
	t.eq(w:full(), 0)
	w:write("mapping.lua", (w:read "mapping.lua":gsub('{ "mail", "text" }', '{ "mail", "text", transform = "lower" }')))
	for _, row in pairs(w.held.Fake) do row.mail = row.mail:upper() end
	local said
	t.eq(w:full(nil, function(this)
		this:plan()
		said = t.raises(require "syncrun.flow.guards".changes, "guard", this).message
	end), 4)
	t.contains(said, "; the mapping is another than in the last run; nothing was written. If that is right, "
		.. "--allow-mass-change lets it pass")
	t.eq(w.held.Fake.c01.mail, "1@EXAMPLE.COM")
end)

test("every target is looked at before any is written", function()
	local order = {}
	local w <close> = world.new { records = world.records(2), labels = { "A", "B" }, target = {
		on_scan = function(self) order[#order + 1] = "scan " .. self.label end,
		before_write = function(self) order[#order + 1] = "write " .. self.label end,
	} }
	t.eq(w:full(), 0)
	local first_write
	for i, what in ipairs(order) do first_write = first_write or what:find "^write" and i end
	local seen = table.concat(order, ",", 1, first_write - 1)
	t.contains(seen, "scan A")
	t.contains(seen, "scan B")
end)

local function planned(w, options)
	options.quiet, options.config = true, w.dir .. "/config.lua"
	local code = w:with(require "syncrun.flow.run".within, options, function(this)
		w.run = this
		this:check()
		this:take_snapshot()
		return this:show_plan()
	end)
	local list = {}
	for line in io.lines(options.plan) do list[#list + 1] = json.decode(line) end
	return code, list
end

test("a plan shows every change with both values, and writes nothing", function()
	local w <close> = world.new { records = world.records(5), target = { refuse = nil, foresee = function()
		return { change = function() end, finish = function() return { c05 = { column = "mail", note = "taken",
			fate = "rejected" } } end }
	end } }
	for i = 1, 3 do
		local r = w.records[i]
		w.held.Fake[r.id] = { id = r.id, who = r.who, mail = r.mail, at = r.updated_at }
	end
	w.held.Fake.c02.mail = nil
	local code, list = planned(w, { plan = w.dir .. "/plan.jsonl" })
	t.eq({ code, #list, list[1].plan, w.systems.Fake.asked.write }, { 1, 4, 1, 0 })
	t.eq({ list[2].contact_id, list[2].change, list[2].fields }, { "c02", "update", { { field = "mail", column = "mail",
		actual = json.null, expected = "2@example.com" } } })
	t.eq({ list[3].contact_id, list[3].change, #list[3].fields, list[3].actual }, { "c04", "create", 4, json.null })
	t.eq({ list[4].contact_id, list[4].change, list[4].reason }, { "c05", "refused", "mail: taken" })
	t.eq(w:ledger "SELECT count(*) AS n FROM state"[1].n, 0)
	w.held.Fake.c02.mail, w.records[5], w.records[4] = "2@example.com", nil, nil
	t.eq(planned(w, { plan = w.dir .. "/plan.jsonl" }), 0)
end)

test("a plan is applied exactly; what changed since is refused and named", function()
	local w <close> = world.new { records = world.records(6) }
	w:full()
	w.held.Fake.c01, w.held.Fake.c02.mail, w.held.Fake.c03.mail, w.held.Fake.c04.mail = nil, "a", "a", "a"
	local path = w.dir .. "/plan.jsonl"
	planned(w, { plan = path })
	w.held.Fake.c03.mail = "somebody edits"     -- there
	w.records[4].mail = "changed at the source"
	w.held.Fake.c05.mail = "not in the plan"
	t.eq(w:full { apply = path }, 1)
	t.eq({ w.held.Fake.c01.mail, w.held.Fake.c02.mail }, { "1@example.com", "2@example.com" })
	t.eq({ w.held.Fake.c03.mail, w.held.Fake.c04.mail, w.held.Fake.c05.mail },
		{ "somebody edits", "a", "not in the plan" })
	t.eq(w:lines("c03")[1], "Fake: it changed there since the plan")
	t.eq(w:lines("c04")[1], "Fake: it changed in the source since the plan")
	t.eq(w:lines("c05")[1], "Fake: it is not in the plan")
	t.eq(w.run.result.totals, { total = 6, synced = 3, validated = 3, errors = 3, issues = 3, deleted = 0 })
end)

test("a plan about something else is refused whole", function()
	local w <close> = world.new { records = world.records(2) }
	local path = w.dir .. "/plan.jsonl"
	planned(w, { plan = path })
	w:write("checks.lua", "return { exists = true }")
	t.eq(w:full { apply = path }, 2)
	t.eq(w.held.Fake, {})
	w:write("checks.lua", "return {}")
	w:write("plan.jsonl", "not JSON")
	t.eq(w:full { apply = path }, 2)
	t.eq(w:full { apply = w.dir .. "/none.jsonl" }, 2)
	t.eq(w.held.Fake, {})
end)

test("two runs cannot use one state folder, an ended one is gone on with", function()
	local lock = require "syncrun.record.lock"
	local w <close> = world.new { records = world.records(2) }
	local held = lock.take(w.dir .. "/state")
	t.eq(w:full(), 2)
	held:close()
	t.eq(w:full(), 0)
	local runs = w:ledger "SELECT status, exit, totals FROM run"
	t.eq({ #runs, runs[1].status, json.decode(runs[1].totals).total }, { 1, "finished", 2 })
end)

test("the report's JSON says the same as its text", function()
	local w <close> = world.new { records = world.records(3), target = { refuse = function() return "never" end } }
	t.eq(w:full { json = w.dir .. "/summary.json" }, 1)
	local s = json.decode(w:read "summary.json")
	t.eq({ s.total, s.synced, s.errors, s.validated, s.issues, s.exit_code, s.success }, { 3, 0, 3, 0, 3, 1, false })
	t.eq(s, json.decode(w:read "report/report.json"))
	local text = w:read "report/report.txt"
	for _, line in ipairs { "Total Contacts: 3", "❌ Errors: 3", "SYNC ERRORS", "  ❌ Contact 1 (ID: c01)",
		"     - Fake: never" } do
		t.contains(text, line)
	end
end)

-- ---- a server that changes what is written to it

-- Every mail in upper case, as a trigger would have it.
local function shouting(self, key)
	local row = self.held[key]
	row.mail = row.mail and row.mail:upper()
end

local function shout_world(o)
	o = o or {}
	o.records = world.records(6)
	for i = 1, 5 do o.records[i].mail = "MAIL" .. i end -- only the last one is changed
	o.target = { after_write = shouting }
	return world.new(o)
end

local CHANGED = 'Fake: mail is "6@EXAMPLE.COM", expected "6@example.com" (changed by the server on write)'

test("what a server changes on write is written once, and stays a difference", function()
	local w <close> = shout_world()
	t.eq(w:full(), 1)
	t.eq({ w:lines "c06", w:state "c06", w.systems.Fake.asked.write }, { { CHANGED }, "mismatched", 2 })
	for _ = 1, 2 do
		t.eq(w:full(), 1)
		t.eq({ w:lines "c06", w:state "c06", w.systems.Fake.asked.write }, { { CHANGED }, "mismatched", 0 })
		local totals = w.run.result.totals
		t.eq({ totals.synced, totals.validated, totals.errors, totals.issues }, { 6, 5, 0, 1 })
		t.ok(table.concat(w.run.notes, "\n"):find("Not written again in Fake: 1 contacts that it changes on write", 1, true))
	end
	t.eq(w:full { skip_sync = true }, 1)
	t.eq(w:lines "c06", { CHANGED })
	t.eq(w:ledger "SELECT key, length(differences) AS n FROM server_change", { { key = "c06", n = 16 } })
end)

test("it is written again when the source changed, when it differs otherwise, and by retry", function()
	local w <close> = shout_world()
	w:full()
	w.records[6].who = "Another name"
	t.eq(w:full(), 1)
	t.eq({ w.systems.Fake.asked.write, w.held.Fake.c06.who, w:lines "c06" }, { 1, "Another name", { CHANGED } })
	w.held.Fake.c06.mail = "edited"
	t.eq(w:full(), 1)
	t.eq({ w.systems.Fake.asked.write, w:lines "c06" }, { 1, { CHANGED } })
	t.eq(w:full { only = { "c06" }, again = true }, 1)
	t.eq({ w.systems.Fake.asked.write, w:lines "c06" }, { 1, { CHANGED } })
	t.eq(w:full(), 1)
	t.eq(w.systems.Fake.asked.write, 0)
end)

test("a server that was mended is forgotten: a later edit that looks the same is repaired", function()
	local w <close> = shout_world()
	w:full()
	w.target.after_write = nil
	t.eq(w:full { only = { "c06" }, again = true }, 0)
	t.eq(w:ledger "SELECT count(*) AS n FROM server_change", { { n = 0 } })
	w.held.Fake.c06.mail = "6@EXAMPLE.COM"
	t.eq(w:full(), 0)
	t.eq(w.held.Fake.c06.mail, "6@example.com")
end)

test("an edit after the write is not taken for the server's, where the system says who edited", function()
	local w <close> = shout_world()
	w.target.edited = function() return "edited there by Ada" end
	t.eq(w:full(), 1)
	t.eq(w:lines "c06", { 'Fake: mail is "6@EXAMPLE.COM", expected "6@example.com" (edited there by Ada)' })
	t.eq(w:full(), 1)
	t.eq(w.systems.Fake.asked.write, 1)
end)

test("a difference that the checks leave out is written once too when the server makes it", function()
	local w <close> = shout_world { checks = 'return { fields = { "who" } }' }
	t.eq(w:full(), 0)
	t.eq(w:full(), 0)
	t.eq(w.systems.Fake.asked.write, 0)
end)

test("a plan leaves out what the server changes on write; one that has it writes it", function()
	local w <close> = shout_world()
	local path = w.dir .. "/plan.jsonl"
	w.target.after_write = nil
	w:full()
	w.held.Fake.c06.mail = "edited"
	t.eq(planned(w, { plan = path }), 1)
	w.target.after_write = shouting
	t.eq(w:full { apply = path }, 1)
	t.eq(w:lines "c06", { CHANGED })
	t.eq(planned(w, { plan = path }), 0)
end)

test("a contact that is forgotten is forgotten there too", function()
	local w <close> = shout_world()
	w:full()
	local ledger <close> = require "syncrun.record.ledger".open(w.dir .. "/state")
	ledger:forget "c06"
	t.eq(w:ledger "SELECT count(*) AS n FROM server_change", { { n = 0 } })
end)

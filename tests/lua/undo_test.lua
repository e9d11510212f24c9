-- Undo: what a run changed is as it was before, whatever else happened since is left alone.
local err = require "syncrun.err"
local forget = require "syncrun.flow.forget"
local json = require "syncrun.json"
local run = require "syncrun.flow.run"
local t = require "syncrun.test"
local task = require "syncrun.task"
local world = require "lua.lib.fake_world"

local test = t.test

-- The hooks that undo needs, over the fake system's table; `soft`: it has tombstones.
local function able(soft)
	local target = { ordered = not soft, gone = soft and "deletedAt" or nil }
	local function take(self, keys)
		for _, key in ipairs(keys) do
			if soft then self.held[key].deletedAt = true else self.held[key] = nil end
		end
	end
	target[soft and "retire" or "delete"] = take
	function target.restore(self, page)
		for _, row in page:each() do
			local held = {}
			for name, value in pairs(row) do held[name] = value end
			held.deletedAt = nil
			self.held[row.id] = held
		end
	end
	return target
end

-- What a system holds, as a value to compare.
local function copy_of(held)
	local copy = {}
	for key, row in pairs(held) do
		copy[key] = {}
		for name, value in pairs(row) do copy[key][name] = value end
	end
	return copy
end

local function undo(w, n, options)
	options = options or {}
	options.undo, options.yes, options.quiet = tostring(n), options.yes ~= false, true
	options.config = w.dir .. "/config.lua"
	return w:with(run.within, options, function(this)
		w.run = this
		this:check()
		return this:undo()
	end)
end

local function undone(w)
	local by_key = {}
	for line in io.lines(w.run.folder .. "/undone.jsonl") do
		local one = json.decode(line)
		by_key[one.contact_id] = one.undone ~= json.null and one.undone or one.reason
	end
	return by_key
end

test("undo: a first load is taken out again, and a later run makes it anew", function()
	local w <close> = world.new { records = world.records(10), target = able() }
	w.held.Fake.x1 = { id = "x1", who = "Somebody's" }
	local before = copy_of(w.held.Fake)
	t.eq(w:full(), 0)
	t.eq(undo(w, 1), 0)
	t.eq(copy_of(w.held.Fake), before)
	t.eq(w:ledger "SELECT count(*) AS n FROM state"[1].n, 0)
	t.eq(w:ledger "SELECT status, exit FROM run WHERE id = 2", { { status = "finished", exit = 0 } })
	t.contains(w:read("state/runs/" .. w.run.folder:match "[^/]*$" .. "/report.txt"), "Fake: 10 taken out, 0 put back")
	t.eq(w:full(), 0)
	t.eq(w.held.Fake.c10.who, "Contact 10")
end)

test("undo: what was changed is put back, every field", function()
	local w <close> = world.new { records = world.records(10), target = able() }
	w:full()
	w.held.Fake.c02.mail, w.held.Fake.c03.who, w.held.Fake.c04, w.held.Fake.c05.mail = nil, "Other", nil, ""
	local before = copy_of(w.held.Fake)
	t.eq(w:full(), 0)
	t.eq(undo(w, 2), 0)
	t.eq(copy_of(w.held.Fake), before)
	t.eq(undone(w), { c02 = "put back", c03 = "put back", c04 = "taken out", c05 = "put back" })
	t.eq(undo(w, 2), 0) -- nothing is left to do
	t.eq(undone(w), { c02 = "was so already", c03 = "was so already", c04 = "was so already", c05 = "was so already" })
end)

test("undo: a person's edit is left alone and named", function()
	local w <close> = world.new { records = world.records(6), target = able() }
	w:full()
	w.held.Fake.c02.mail, w.held.Fake.c03.mail = "old", "old"
	w:full()
	w.held.Fake.c03.mail, w.held.Fake.c06.mail = "by a person", "by a person"
	t.eq(undo(w, 2), 1)
	t.eq({ w.held.Fake.c02.mail, w.held.Fake.c03.mail }, { "old", "by a person" })
	t.eq(undone(w), { c02 = "put back", c03 = "Fake: changed there since" })
	t.eq(undo(w, 1), 1) -- the first load: c02, c03 and c06 are not as it left them
	local keys = {}
	for key in pairs(w.held.Fake) do keys[#keys + 1] = key end
	table.sort(keys)
	t.eq(keys, { "c02", "c03", "c06" })
end)

test("undo: a contact whose own fields somebody filled, or who was edited there, is not taken out", function()
	local w <close> = world.new { records = world.records(4), target = able(),
		mapping = [[return { key = "id", name = "who", fields = { { "id", "text", required = true }, { "who", "text" },
			{ "mail", "text", own = "target" } } }]] }
	w.target.edited = function(_, page, j) return page:text(j, "id") == "c03" and "edited there by Ada" or nil end
	w:full()
	w.held.Fake.c02.mail = "kept by people"
	t.eq(undo(w, 1), 1)
	t.eq(undone(w), { c01 = "taken out", c02 = "Fake: changed there since",
		c03 = "Fake: changed there since (edited there by Ada)", c04 = "taken out" })
end)

test("undo: who was deleted is there again, who was revived is deleted again, softly", function()
	local w <close> = world.new { records = world.records(20), target = able(true) }
	w.source_is.describe = function(self)
		return { columns = { { name = "id" } }, rows = #self.records, count = #self.records }
	end
	w:full()
	local last = table.remove(w.records)
	w.held.Fake.c05.deletedAt, w.held.Fake.c05.mail = true, "old"
	t.eq(w:full { delete_extras = true }, 0)
	t.eq({ w.held.Fake[last.id].deletedAt, w.held.Fake.c05.deletedAt }, { true, nil })
	t.eq(undo(w, 2), 0)
	t.eq({ w.held.Fake[last.id].deletedAt, w.held.Fake[last.id].who }, { nil, last.who })
	t.eq({ w.held.Fake.c05.deletedAt, w.held.Fake.c05.mail }, { true, "old" })
end)

test("undo: an undo can be undone", function()
	local w <close> = world.new { records = world.records(6), target = able() }
	w:full()
	w.held.Fake.c02.mail, w.held.Fake.c03 = "old", nil
	w:full()
	local after = copy_of(w.held.Fake)
	t.eq(undo(w, 2), 0)
	t.eq(undo(w, 3), 0)
	t.eq(copy_of(w.held.Fake), after)
end)

test("undo: a row that the system refuses is named, the others are put back", function()
	local w <close> = world.new { records = world.records(6), target = able() }
	w:full()
	for _, row in pairs(w.held.Fake) do row.mail = "old" end
	w:full { allow_mass_change = true }
	local restore = w.target.restore
	w.target.restore = function(self, page)
		for _, row in page:each() do
			if row.id == "c03" then err.raise { kind = "http", message = "not this one", reject = true } end
		end
		restore(self, page)
	end
	t.eq(undo(w, 2), 1)
	t.eq(undone(w).c03, "Fake: is not as it was before, read back")
	t.eq({ w.held.Fake.c02.mail, w.held.Fake.c03.mail, w.held.Fake.c06.mail }, { "old", "3@example.com", "old" })
end)

test("undo: refused without a word, for an unknown run, and with another mapping", function()
	local w <close> = world.new { records = world.records(3), target = able() }
	w:full()
	t.eq(undo(w, 1, { yes = false }), 2)
	t.eq({ undo(w, 77), undo(w, "%"), undo(w, "") }, { 2, 2, 2 })
	t.eq(w.held.Fake.c01.id, "c01")
	w:full()
	t.eq(w:full(), 0)
	t.eq(undo(w, w:ledger "SELECT max(id) AS id FROM run"[1].id), 0) -- it changed nothing
	local config = w:read "config.lua"
	w:write("config.lua", (config:gsub('label = "Fake"', 'label = "Other"')))
	w.held.Other = {}
	t.eq(undo(w, 1), 2)
	w:write("config.lua", config)
	w:write("mapping.lua", w:read "mapping.lua" .. "\n")
	t.eq(undo(w, 1), 2)
	t.eq(w.held.Fake.c01.id, "c01")
end)

test("undo: who is forgotten is in no image, and old runs take theirs with them", function()
	local w <close> = world.new { records = world.records(4), target = able() }
	w:full()
	for _, row in pairs(w.held.Fake) do row.mail = "quite-private" end
	w:full()
	local folder = w.run.folder
	w:with(forget.run, { id = "c02", config = w.dir .. "/config.lua" })
	local f <close> = assert(io.open(folder .. "/undo.db", "rb"))
	local text = f:read "a"
	t.eq({ text:find("c02", 1, true), text:find("c03", 1, true) ~= nil }, { nil, true })
	t.eq(undo(w, 2), 0)
	t.eq({ w.held.Fake.c02.mail, w.held.Fake.c03.mail }, { "2@example.com", "quite-private" })
	task.sleep(1.1)
	t.eq(w:full { keep = "1s" }, 0)
	t.eq(io.open(folder .. "/undo.db"), nil)
end)

-- Contacts that a target has and the source has not: told with their origin, and deleted only where a run is asked to, only
-- those that our ledger created, only for a source that is proven complete.
local t = require "syncrun.test"
local world = require "lua.lib.fake_world"

local test = t.test

-- What a system with the hook deletes is gone; `deleted` has the batches.
local function deleting(hook, more)
	local deleted = {}
	local target = more or {}
	target[hook or "delete"] = function(self, keys)
		deleted[#deleted + 1] = keys
		for _, key in ipairs(keys) do self.held[key] = nil end
	end
	return target, deleted
end

-- A world whose source tells how many rows it has. n contacts were synced, the last `gone` of them left the source; "x1" is
-- in the target, made by somebody else.
local function left(n, gone, o)
	local w = world.new { records = world.records(n), target = o.target, source = o.source, config = o.config }
	w.source_is.describe = function(self)
		return { columns = { { name = "id" } }, rows = #self.records, count = o.count ~= false and #self.records or nil }
	end
	t.eq(w:full(), 0)
	for _ = 1, gone do table.remove(w.records) end
	w.held.Fake.x1 = { id = "x1", who = "By hand" }
	return w
end

local function keys_of(held)
	local keys = {}
	for key in pairs(held) do keys[#keys + 1] = key end
	table.sort(keys)
	return table.concat(keys, " ")
end

test("extras are listed with their origin, and left alone", function()
	local target, deleted = deleting()
	local w <close> = left(20, 2, { target = target })
	t.eq({ w:full(), #deleted }, { 0, 0 })
	local origins = {}
	for _, issue in ipairs(w.issues) do origins[issue.contact_id] = issue.origin end
	t.eq(origins, { c19 = "ours", c20 = "ours", x1 = "others" })
	t.contains(w:read "report/report.txt", "     - (ID: c20), created by us\n     - (ID: x1), not created by us\n")
end)

test("delete_extras: only those that we created go, and the ledger forgets where they were", function()
	local target, deleted = deleting()
	local w <close> = left(20, 2, { target = target })
	t.eq(w:full { delete_extras = true }, 0)
	t.eq(deleted, { { "c19", "c20" } })
	t.eq({ w.held.Fake.c20, w.held.Fake.x1.who }, { nil, "By hand" })
	t.eq(w:ledger "SELECT count(*) AS n FROM state"[1].n, 18)
	t.eq(w:ledger "SELECT mode, status, contacts, keys FROM attempt WHERE mode = 'delete'",
		{ { mode = "delete", status = "written", contacts = 2, keys = '["c19","c20"]' } })
	t.contains(w:read "report/report.txt",
		"Deleted in Fake (we created them, and Source has them no more): 2 (c19, c20)")
	w.held.Fake.c20 = { id = "c20", who = "Made anew by somebody" }
	t.eq({ w:full { delete_extras = true }, #deleted }, { 0, 1 })
end)

test("delete_extras: a system that can take contacts out softly is asked for that", function()
	local target, deleted = deleting "retire"
	target.delete = function() error "for good" end
	local w <close> = left(20, 1, { target = target })
	t.eq({ w:full { delete_extras = true }, #deleted }, { 0, 1 })
end)

test("delete_extras: a system that cannot delete keeps them", function()
	local w <close> = left(20, 1, { target = {} })
	t.eq(w:full { delete_extras = true }, 0)
	t.eq(w.held.Fake.c20.id, "c20")
end)

test("delete_extras: an answer that does not come is looked into by reading", function()
	local target, deleted = deleting()
	local delete, times = target.delete, 0
	target.delete = function(self, keys)
		times = times + 1
		delete(self, times == 1 and { keys[1] } or keys) -- half of it was done
		if times == 1 then require "syncrun.err".raise { kind = "http", message = "reset", unknown = true } end
	end
	local w <close> = left(30, 2, { target = target })
	t.eq(w:full { delete_extras = true }, 0)
	t.eq(deleted, { { "c29" }, { "c30" } })
	t.eq(w:ledger "SELECT status FROM attempt WHERE mode = 'delete' ORDER BY id", { { status = "unknown" },
		{ status = "written" } })
end)

test("delete_extras: nothing is deleted for a source that is not proven complete", function()
	for why, o in pairs {
		["its filter leaves contacts out"] = { source = { filter = "id <> ''" } },
		["nothing tells how many rows it has"] = { count = false },
	} do
		local target, deleted = deleting()
		o.target = target
		local w <close> = left(20, 1, o)
		local said
		t.eq(w:full({ delete_extras = true }, function(this)
			this:plan()
			said = t.raises(require "syncrun.flow.extras".plan, "guard", this).message
		end), 4)
		t.contains(said, "Source is not proven complete (" .. why .. ")")
		t.eq({ #deleted, w.held.Fake.c20.id }, { 0, "c20" })
	end
end)

test("delete_extras: a source that a guard was let pass, or that has rows without an id, is not complete", function()
	local target, deleted = deleting()
	local w <close> = left(20, 10, { target = target })
	t.eq(w:full { delete_extras = true }, 4) -- shrunken by half
	t.eq(w:full { delete_extras = true, allow_shrunken_source = true }, 4)
	table.insert(w.records, 1, { who = "Nobody knows" })
	for i = 11, 20 do table.insert(w.records, world.records(20)[i]) end
	table.remove(w.records)
	t.eq(w:full { delete_extras = true }, 4)
	t.eq(#deleted, 0)
end)

test("guards: deletes count with the updates", function()
	local target, deleted = deleting(nil, { limits = { rows = 50, bytes = 2 ^ 20 } })
	local w <close> = left(120, 60, { target = target, config = "guards = { shrunk = 0.6 }" })
	local before = keys_of(w.held.Fake)
	t.eq(w:full { delete_extras = true }, 4)
	t.eq({ #deleted, keys_of(w.held.Fake) }, { 0, before })
	t.eq(w:full { delete_extras = true, allow_mass_change = true }, 0)
	t.eq({ #deleted, w.held.Fake.c99, w.held.Fake.x1.id }, { 2, nil, "x1" })
end)

test("delete_extras: a dry run tells how many, and other choices of contacts do not go with it", function()
	local target, deleted = deleting()
	local w <close> = left(20, 1, { target = target })
	local said = {}
	local extras = require "syncrun.flow.extras"
	t.eq(w:full({ delete_extras = true }, function(this)
		this.say = require "syncrun.report".to { write = function(_, text) said[#said + 1] = text end }
		this:show_plan()
	end), 0)
	t.contains(table.concat(said, "\n"), "0 changed, 0 revived, 19 left alone, 0 refused, 1 deleted")
	for _, name in ipairs { "only", "limit", "changed", "skip_sync", "plan", "apply" } do
		local e = t.raises(extras.check, "usage", { delete_extras = true, [name] = true })
		t.contains(e.message, "--" .. name:gsub("_", "-"))
	end
	t.eq(#deleted, 1) -- by the sync that follows here
end)

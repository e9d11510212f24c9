-- What every run leaves as its proof, whatever becomes of it: its members, its place in the log, its leaves; and what was seen of
-- a system as its evidence.
local t = require "syncrun.test"
local crypto = require "syncrun.crypto"
local err = require "syncrun.err"
local file = require "syncrun.file"
local json = require "syncrun.json"
local membership = require "syncrun.record.membership"
local note = require "syncrun.record.note"
local proof = require "syncrun.record.proof"
local run_log = require "syncrun.record.run_log"
local secret = require "syncrun.record.secret"
local tree = require "syncrun.tree"
local verify = require "syncrun.flow.verify"
local world = require "lua.lib.fake_world"

local function test(name, fn) t.test("proof: " .. name, fn) end

local function state_of(w) return w.dir .. "/state" end

-- The proofs of all runs, which hold.
local function proofs(w)
	local this, list = verify.open(state_of(w)), {}
	for index = 0, #this.log.entries - 1 do list[index + 1] = this:run(index) end
	return list
end

local function last(w)
	local list = proofs(w)
	return list[#list], list
end

-- ---- what stands in it

test("a run's proof tells what it was about", function()
	local w <close> = world.new { records = world.records(7) }
	w.held.Fake.zz = { id = "zz", who = "Extra" }
	t.eq(w:full(), 0)
	local p = last(w)
	t.eq({ p.kind, p.status, p.exit_code, p.secret }, { "sync", "finished", 0, secret.open(state_of(w)).id })
	t.eq(p.scope, { contacts = "all", filtered = false, left_out = {} })
	t.eq(p.counts, { total = 7, errors = 0, issues = 0, validated = 7, set_aside = 0, kept_out = 0 })
	t.eq(p.source, { label = "Source", kind = "fake" })
	t.eq(p.previous, json.null)
	for _, name in ipairs { "mapping", "checks", "settings" } do t.eq(#p.digests[name], 64, name) end
	t.ok(p.started_at <= p.snapshot_at and p.snapshot_at <= p.finished_at)
	local s = p.systems[1]
	t.eq({ s.label, s.kind, s.state, s.equal }, { "Fake", "fake", "compared", true })
	t.eq({ s.repeated, s.extras_without_key }, { 0, 0 })
	t.eq({ s.expected_size, s.observed_size, s.extras_size }, { 7, 7, 1 })
	t.eq(s.columns, { "id text id", "who text who", "mail text mail", "at timestamp at" })
	t.eq(s.leaves, { expected = "leaves/1.expected", observed = "leaves/1.expected", extras = "leaves/1.extras" })
	t.eq(file.read(w.dir .. "/report/proof.json"), file.read(("%s/runs/%s/proof.json"):format(state_of(w), p.run)))
end)

test("systems with the same projection have the same root, whatever their order", function()
	local w <close> = world.new { records = world.records(20), labels = { "Fake", "Other" } }
	t.eq(w:full(), 0)
	local s = last(w).systems
	t.eq(s[1].observed_root, s[2].observed_root)
	local reversed <close> = world.new { records = world.records(20), target = { ordered = false } }
	file.make_folder(state_of(reversed))
	file.replace(state_of(reversed) .. "/secret", file.read(state_of(w) .. "/secret"))
	t.eq(reversed:full(), 0)
	t.eq(last(reversed).systems[1].observed_root, s[1].observed_root)
end)

test("its scope says whose contacts the run was about", function()
	local w <close> = world.new { records = world.records(5), source = { filter = "id < 'x'" } }
	w:full()
	w:full { limit = 2 }
	w:full { only = { "c03" } }
	local scopes = {}
	for i, p in ipairs(proofs(w)) do scopes[i] = { p.scope.contacts, p.scope.limit or 0, p.systems[1].expected_size } end
	t.eq(scopes, { { "all", 0, 5 }, { "first", 2, 2 }, { "named", 0, 1 } })
	t.eq(last(w).scope.filtered, true)
end)

-- ---- every run

local function failing(w, options, tell)
	return (select(2, err.try(w.full, w, options, tell)))
end

test("a refused, a stopped, a failed and a broken-off run are entries too", function()
	local w <close> = world.new { records = world.records(60) }
	w:full()
	for _, row in pairs(w.held.Fake) do row.mail = "edited" end
	t.eq(w:full(), 4) -- so much would change
	w.target.away = "out of reach"
	t.eq(w:full(), 3)
	w.target.away = nil
	t.ok(failing(w, {}, function() error "a mistake in a script" end))
	t.eq(w:full { dry_run = true }, 4)
	local p, list = last(w)
	local ends = {}
	for i, one in ipairs(list) do
		ends[i] = ("%s %s %s %s"):format(one.kind, one.status, one.exit_code, one.systems[1].state)
	end
	t.eq(ends, { "sync finished 0 compared", "sync refused 4 not compared", "sync refused 3 not compared",
		"sync incomplete 6 not compared", "plan refused 4 not compared" })
	t.eq(p.previous, { run = list[4].run, sha256 = crypto.sha256(file.read(("%s/runs/%s/proof.json"):format(state_of(w),
		list[4].run))) })
end)

test("a system that is lost has no roots", function()
	local w <close> = world.new { records = world.records(5), labels = { "Fake", "Other" } }
	w:full()
	local scans = 0
	w.target.on_scan = function(self)
		scans = scans + 1
		if self.label == "Other" then err.raise { kind = "http", message = "gone for good" } end
	end
	t.ok(w:full { skip_sync = true } ~= 0)
	t.ok(scans > 0)
	local s = last(w).systems
	t.eq({ s[1].state, s[2].state, s[2].observed_root }, { "compared", "lost" })
end)

test("leaves are kept for the last three runs that have any", function()
	local w <close> = world.new { records = world.records(3) }
	for _ = 1, 5 do w:full() end
	for _ = 1, 4 do failing(w, {}, function() error "before anything was compared" end) end
	local kept = {}
	for i, p in ipairs(proofs(w)) do
		kept[i] = file.kind(("%s/runs/%s/leaves"):format(state_of(w), p.run)) == "folder"
	end
	t.eq(kept, { false, false, true, true, true, false, false, false, false })
end)

test("a proof that cannot be written leaves the run incomplete", function()
	local w <close> = world.new { records = world.records(3) }
	t.eq(w:full({}, function(run)
		file.make_folder(run.folder .. "/proof.json") -- in its way
	end), 5)
	os.remove(w.run.folder .. "/proof.json")
	t.eq(w:full(), 0) -- and the next run makes up for it
	local p, list = last(w)
	t.eq({ #list, list[1].status, p.status }, { 2, "killed", "finished" })
end)

test("nothing is done over a log that is broken", function()
	local w <close> = world.new { records = world.records(3) }
	w:full()
	w:full()
	w.records[1].mail = "new@example.com"
	local log = file.read(state_of(w) .. "/log")
	file.replace(state_of(w) .. "/log", (log:sub(1, 1) == "1" and "0" or "1") .. log:sub(2))
	t.eq(w:full(), 7)
	t.eq(w.held.Fake.c01.mail, "1@example.com")
end)

test("SYNCRUN_PROOF=off is for measuring: the run is the same without", function()
	local before = os.getenv
	os.getenv = function(name) return name == "SYNCRUN_PROOF" and "off" or before(name) end -- luacheck: ignore 122
	local w <close> = world.new { records = world.records(9) }
	local ok, code = pcall(w.full, w)
	os.getenv = before -- luacheck: ignore 122
	t.eq({ ok, code, file.kind(state_of(w) .. "/log") }, { true, 0 })
	t.eq(w:ledger "SELECT count(*) AS n FROM state WHERE state = 'verified' AND length(digest) = 16", { { n = 9 } })
end)

-- ---- killed between two writes

local function due(w, id)
	file.make_folder(("%s/runs/%s"):format(state_of(w), id))
	file.replace(state_of(w) .. "/proof.due",
		json.encode { run = id, kind = "sync", started_at = "2026-01-01T00:00:00.000Z" } .. "\n")
end

test("killed before its proof: the next run says so for it", function()
	local w <close> = world.new { records = world.records(2) }
	w:full()
	due(w, "killed-1")
	w:full()
	local _, list = last(w)
	t.eq({ #list, list[2].run, list[2].status, #list[2].systems }, { 3, "killed-1", "killed", 0 })
	t.eq(list[3].previous.run, "killed-1")
	t.eq(file.kind(state_of(w) .. "/proof.due"), nil)
end)

test("killed behind its proof: it is entered as it is", function()
	local w <close> = world.new { records = world.records(2) }
	w:full()
	due(w, "killed-2")
	local entry = verify.open(state_of(w)).log.entries[1]
	proof.write(state_of(w) .. "/runs/killed-2/proof.json", { run = "killed-2", status = "finished",
		systems = json.array {}, previous = { run = entry.id, sha256 = entry.digest } })
	w:full()
	local _, list = last(w)
	t.eq({ list[2].run, list[2].status }, { "killed-2", "finished" })
end)

test("killed behind its entry, before the checkpoint or its tlog-proof: both are written by the next run", function()
	local w <close> = world.new { records = world.records(2) }
	w:full()
	local checkpoint = file.read(state_of(w) .. "/checkpoint")
	w:full()
	local id = last(w).run
	os.remove(("%s/runs/%s/proof.tlog-proof"):format(state_of(w), id))
	file.replace(state_of(w) .. "/checkpoint", checkpoint)
	due(w, id)
	t.eq((select(2, err.try(verify.open, state_of(w)))).exit, 7) -- not yet in the checkpoint
	w:full()
	local _, list = last(w)
	t.eq({ #list, file.kind(("%s/runs/%s/proof.tlog-proof"):format(state_of(w), id)) }, { 3, "file" })
end)

-- ---- the evidence of a look, against leaves that are computed here

local function key_of(w) return secret.open(state_of(w)):key "proof" end

local COLUMNS = { "id text id", "who text who", "mail text mail", "at timestamp at" }

local function leaf(w, row, columns)
	local cells = { row.id, row.who, row.mail, row.at and tostring(row.at) }
	return membership.leaf(membership.key(key_of(w), row.id), columns or COLUMNS, cells)
end

-- The root of these rows' leaves, hex.
local function root_of(w, list, columns)
	local leaves = {}
	for i, row in ipairs(list) do leaves[i] = leaf(w, row, columns) end
	table.sort(leaves)
	return crypto.hex(tree.root(tree.of(table.concat(leaves), 64)))
end

local function expected_rows(w)
	local list = {}
	for i, r in ipairs(w.records) do list[i] = { id = r.id, who = r.who, mail = r.mail, at = r.updated_at } end
	return list
end

local function held_rows(w)
	local list = {}
	for _, row in pairs(w.held.Fake) do list[#list + 1] = row end
	return list
end

test("its roots are those of what should be there, and of what is", function()
	local w <close> = world.new { records = world.records(12) }
	w:full()
	local s = last(w).systems[1]
	t.eq({ s.expected_root, s.observed_root }, { root_of(w, expected_rows(w)), root_of(w, held_rows(w)) })
	w.held.Fake.c03.mail, w.held.Fake.c05.who, w.held.Fake.c08 = nil, "", nil
	w:full { skip_sync = true }
	s = last(w).systems[1]
	t.eq({ s.expected_root, s.observed_root, s.equal }, { root_of(w, expected_rows(w)), root_of(w, held_rows(w)), false })
end)

test("who is there twice, and an extra, have the leaves that the page says", function()
	local w <close> = world.new { records = world.records(3) }
	w:full()
	local other = { id = "c02", who = "Second", mail = "2@example.com", at = 5 }
	local first = w.held.Fake.c02
	w.held.Fake.c02, w.held.Fake.zz = { first, other }, { id = "zz", who = "Extra" }
	t.eq(w:full { skip_sync = true }, 1)
	local s = last(w).systems[1]
	t.eq(s.repeated, 1)
	local values = { leaf(w, first):sub(33), leaf(w, other):sub(33) }
	table.sort(values)
	local leaves = { leaf(w, first):sub(1, 32) .. crypto.sha256("r" .. table.concat(values), "raw"),
		leaf(w, w.held.Fake.c01), leaf(w, w.held.Fake.c03) }
	table.sort(leaves)
	t.eq(s.observed_root, crypto.hex(tree.root(tree.of(table.concat(leaves), 64))))
	local k = membership.key(key_of(w), "zz")
	t.eq(s.extras_root, crypto.hex(tree.root(tree.of(membership.name(k, "zz") .. crypto.hmac_sha256(k, "", "raw"), 64))))
end)

test("what is seen in the second look counts, not what was seen before", function()
	local w <close> = world.new { records = world.records(6) }
	w:full()
	w.held.Fake.c02.mail, w.held.Fake.c04 = "edited", nil
	local back = { id = "c04", who = "Contact 4", mail = "4@example.com", at = 1700000000000004 }
	w.target.fetch = function(self, keys) -- somebody was just writing
		self.held.c02.mail, self.held.c04 = "2@example.com", back
		return self:page_of(keys)
	end
	t.eq(w:full { skip_sync = true }, 0)
	local s = last(w).systems[1]
	t.eq({ s.equal, s.observed_root }, { true, root_of(w, expected_rows(w)) })
end)

test("gone between the two looks: not there", function()
	local w <close> = world.new { records = world.records(6) }
	w:full()
	w.held.Fake.c02.mail = "edited"
	w.target.fetch = function(self, keys)
		self.held.c02 = nil
		return self:page_of(keys)
	end
	t.eq(w:full { skip_sync = true }, 1)
	local s = last(w).systems[1]
	t.eq({ s.equal, s.observed_size, s.observed_root }, { false, 5, root_of(w, held_rows(w)) })
end)

test("what the checks leave out is in neither tree, and the proof says so", function()
	local w <close> = world.new { records = world.records(6), checks = "return { fields = { 'id', 'who', 'at' } }" }
	w:full()
	w.held.Fake.c02.mail = "edited"
	t.eq(w:full { skip_sync = true }, 0)
	local p = last(w)
	local columns = { "id text id", "who text who", "at timestamp at" }
	local list = {} -- the third column is the time
	for i, r in ipairs(w.records) do list[i] = { id = r.id, who = r.who, mail = tostring(r.updated_at) } end
	local s = p.systems[1]
	t.eq({ s.columns, s.equal, s.observed_root }, { columns, true, root_of(w, list, columns) })
	t.ok(#p.scope.left_out > 0)
end)

test("where absence is tolerated, who is absent is in neither tree", function()
	local w <close> = world.new { records = world.records(6), checks = "return { exists = false }" }
	w:full()
	w.held.Fake.c02 = nil
	t.eq(w:full { skip_sync = true }, 0)
	local s = last(w).systems[1]
	t.eq({ s.equal, s.expected_size, s.observed_size, s.expected_root }, { true, 5, 5, root_of(w, held_rows(w)) })
end)

test("rows that are not synced are in no tree", function()
	local records = world.records(6)
	records[4].id = records[3].id
	records[6].who = nil
	local w <close> = world.new { records = records }
	t.eq(w:full(), 1)
	local p = last(w)
	t.eq({ p.counts.set_aside, p.systems[1].expected_size, p.systems[1].equal }, { 3, 3, true })
end)

-- ---- loss and rotation

test("the secret lost: the log holds, the leaves are other ones", function()
	local w <close> = world.new { records = world.records(4) }
	w:full()
	local first = last(w)
	os.remove(state_of(w) .. "/secret")
	w:full()
	local p, list = last(w)
	t.ok(p.secret ~= first.secret and p.systems[1].observed_root ~= first.systems[1].observed_root)
	t.eq({ #list, p.systems[1].equal }, { 2, true })
end)

test("the key lost and made again: the log goes on, unsigned and signed anew", function()
	local w <close> = world.new { records = world.records(2) }
	file.make_folder(state_of(w))
	local path, old, new = state_of(w) .. "/proof.key", note.new_key "example.com/old", note.new_key "example.com/new"
	file.replace(path, note.signer_text(old) .. "\n")
	w:full()
	os.remove(path)
	w:full()
	t.eq((file.read(state_of(w) .. "/checkpoint"):match "^[^\n]*"), run_log.UNSIGNED)
	t.eq(select(2, err.try(verify.open, state_of(w), note.verifier_text(old))).exit, 7)
	file.replace(path, note.signer_text(new) .. "\n")
	run_log.sign(state_of(w))
	w:full()
	t.eq(#proofs(w), 3)
	verify.open(state_of(w), note.verifier_text(new))
end)

test("a backup put back: the runs since are missed by who kept a head, the next run goes on from it", function()
	local w <close> = world.new { records = world.records(3) }
	w:full()
	os.execute(("cp -r %s %s/backup"):format(state_of(w), w.dir))
	w.records[2].mail = "since@example.com"
	w:full()
	local kept = w.dir .. "/kept"
	file.replace(kept, file.read(state_of(w) .. "/checkpoint"))
	os.execute(("rm -r %s && mv %s/backup %s"):format(state_of(w), w.dir, state_of(w)))
	local this = verify.open(state_of(w))
	this:all()
	t.eq(select(2, err.try(this.hold, this, kept)).exit, 7)
	t.eq(w:full(), 0)
	t.eq(last(w).systems[1].observed_root, root_of(w, held_rows(w)))
	t.eq(select(2, err.try(function() verify.open(state_of(w)):hold(kept) end)).exit, 7) -- another second run
end)

test("the folder lost: a new log begins, and all is proved again", function()
	local w <close> = world.new { records = world.records(3) }
	w:full()
	os.execute("rm -r " .. state_of(w))
	t.eq(w:full(), 0)
	local p, list = last(w)
	t.eq({ #list, p.previous, p.systems[1].equal }, { 1, json.null, true })
end)

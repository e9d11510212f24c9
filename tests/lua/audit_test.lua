-- The audit trail: what stands in it, that it names nobody, that nothing of it can be changed unseen, and that it goes on
-- whatever ends a run.
local audit = require "syncrun.record.audit"
local check = require "syncrun.record.audit_check"
local crypto = require "syncrun.crypto"
local json = require "syncrun.json"
local ledger_of = require "syncrun.record.ledger"
local sqlite = require "syncrun.sqlite"
local t = require "syncrun.test"
local world = require "lua.lib.fake_world"

local test = t.test

local function state_of(w)
	return w.dir .. "/state"
end

local function trail_of(w)
	return w:read "state/audit.jsonl"
end

local function lines_of(text)
	local lines = {}
	for line in text:gmatch "([^\n]*)\n" do lines[#lines + 1] = line end
	return lines
end

local function each(lines)
	local i = 0
	return function()
		i = i + 1
		return lines[i]
	end
end

-- The records of a trail.
local function records_of(w)
	local records = {}
	for i, line in ipairs(lines_of(trail_of(w))) do records[i] = json.decode((select(2, audit.read_line(line)))) end
	return records
end

local function kinds_of(records, from)
	local kinds = {}
	for i = from or 1, #records do
		local r = records[i]
		kinds[#kinds + 1] = ("%s%s%s"):format(r.kind, r.mode and " " .. r.mode or "", r.contacts and " " .. r.contacts or "")
	end
	return table.concat(kinds, ", ")
end

-- A world of so many contacts, all synced.
local function synced(n, o)
	o = o or {}
	o.records = world.records(n)
	local w = world.new(o)
	t.eq(w:full(), 0)
	return w
end

local function ledger_sql(w, sql)
	local db <close> = sqlite.open(state_of(w) .. "/ledger.db", { mode = "rw" })
	db:run(sql)
end

test("a first load and a run that changes nothing, record by record", function()
	local w <close> = synced(5)
	t.eq(kinds_of(records_of(w)), "run, write create 4, answer, write create 1, answer, verdict 5, end")
	local records = records_of(w)
	t.eq({ records[1].program, records[1].digests.mapping, records[1].run }, { require "syncrun.host".version,
		ledger_of.digest_of(w.dir .. "/mapping.lua"), 1 })
	t.eq({ records[1].who.pid, records[1].options.quiet }, { require "syncrun.host".pid(), true })
	t.eq({ records[6].verified_of_writes, records[6].items }, { 5, nil })
	t.eq({ records[7].exit, records[7].status, records[7].totals.validated }, { 0, "finished", 5 })
	t.eq(w:full(), 0)
	t.eq(kinds_of(records_of(w), 8), "run, end")
	t.eq(check.check(state_of(w)).length, 9)
end)

test("an update commits to what changes, and a verdict that changed to whose it is", function()
	local w <close> = synced(5)
	w.held.Fake.c02.mail = "old"
	t.eq(w:full { skip_sync = true }, 1)
	t.eq(kinds_of(records_of(w), 8), "run, verdict 1, end")
	t.eq(w:full(), 0)
	t.eq(kinds_of(records_of(w), 11), "run, write update 1, answer, verdict 1, end")
	local digest = w:ledger "SELECT lower(hex(digest)) AS d FROM state WHERE key = 'c02'"[1].d
	t.eq(w:ledger "SELECT i, key, field, value FROM audit_value WHERE record IN (9, 12) ORDER BY record, i", {
		{ i = 1, key = "c02", field = "contact", value = "mismatched" },
		{ i = 1, key = "c02", field = "contact", value = digest },
		{ i = 2, key = "c02", field = "mail", value = '{"after":"2@example.com","before":"old"}' },
	})
	t.eq(check.check(state_of(w)).opened, 8)
end)

test("the trail names nobody, and what opens it goes with the contact", function()
	local w <close> = synced(5)
	w.held.Fake.c02.mail = "before-image"
	t.eq(w:full { only = { "c02" } }, 0)
	local digest = w:ledger "SELECT lower(hex(digest)) AS d FROM state"[1].d
	local shown = trail_of(w):gsub('"items":"[^"]*"', "")
	for _, needle in ipairs { [["c02"]], "Contact 2", "example.com", "before-image", digest } do
		t.eq(shown:find(needle, 1, true), nil)
	end
	local before = lines_of(trail_of(w))
	t.eq(w:with(require "syncrun.flow.forget".run, { id = "c02", config = w.dir .. "/config.lua" }), 0)
	t.eq(w:ledger "SELECT count(*) AS n FROM audit_value WHERE key = 'c02' OR instr(value, 'image')"[1].n, 0)
	local after = lines_of(trail_of(w))
	t.eq(table.concat(after, "\n", 1, #before), table.concat(before, "\n"))
	t.eq(kinds_of(records_of(w), #before + 1), "forget")
	t.eq(check.check(state_of(w)).opened, 4)
end)

test("two commitments to the same value in one record are not the same", function()
	local items = { { field = "mail", key = "a", value = "x" }, { field = "mail", key = "a", value = "x" } }
	local text, page = audit.commit(7, items)
	local hashes = crypto.base64_decode(text)
	t.eq(#hashes, 64)
	t.eq(hashes:sub(1, 32) ~= hashes:sub(33), true)
	local record = { n = 7, items = text }
	t.eq(audit.opens(record, 1, items[1], page:get(1, "r")), true)
	t.eq(audit.opens(record, 2, items[1], page:get(1, "r")), false)
	for _, other in ipairs { { "maix", "a", "x" }, { "mail", "b", "x" }, { "mail", "a", "y" }, { "mail", "", "ax" },
		{ "maila", "", "x" } } do
		t.eq(audit.opens(record, 1, { field = other[1], key = other[2], value = other[3] }, page:get(1, "r")), false)
	end
	t.eq(audit.opens({ n = 8, items = text }, 1, items[1], page:get(1, "r")), false)
end)

test("any one byte of the trail that is another is seen", function()
	local w <close> = synced(2)
	local text = trail_of(w)
	t.eq(#check.chain(each(lines_of(text)), "t").hashes, 5)
	local unseen = {}
	for at = 1, #text - 1 do
		local byte = text:byte(at)
		local spoiled = text:sub(1, at - 1) .. string.char(byte ~ 1) .. text:sub(at + 1)
		if pcall(check.chain, each(lines_of(spoiled)), "t") then unseen[#unseen + 1] = at end
	end
	t.eq(unseen, {})
end)

test("a record that is removed, moved, doubled or replaced is seen", function()
	local w <close> = synced(2)
	local lines = lines_of(trail_of(w))
	local function refused(change, words)
		local copy = table.move(lines, 1, #lines, 1, {})
		change(copy)
		local e = t.raises(check.chain, "check", each(copy), "t")
		t.eq(e.exit, 7)
		t.contains(e.message, words)
	end
	refused(function(l) table.remove(l, 1) end, "line 1 of the audit trail 't' is not record 1")
	refused(function(l) table.remove(l, 3) end, "line 3 of the audit trail 't' is not record 3")
	refused(function(l) l[2], l[3] = l[3], l[2] end, "line 2 of the audit trail 't' is not record 2")
	refused(function(l) table.insert(l, 2, l[1]) end, "line 2 of the audit trail 't' is not record 2")
	refused(function(l)
		local text = select(2, audit.read_line(l[4])):gsub('"contacts":2', '"contacts":1')
		l[4] = audit.line(audit.hash((audit.read_line(l[3])), text), text):sub(1, -2)
	end, "line 5 of the audit trail 't' does not go on from the one before")
end)

-- Spoil a world's state folder in one way; its check says so.
local function spoiled(words, spoil)
	local w <close> = synced(2)
	w:full()
	check.check(state_of(w))
	spoil(w)
	local e = t.raises(check.check, "check", state_of(w))
	t.eq(e.exit, 7)
	t.contains(e.message, words)
end

test("the ledger's records and values, and the proofs' heads, are held to the trail", function()
	spoiled("record 2 of the ledger was changed", function(w)
		ledger_sql(w, [[UPDATE audit SET record = replace(record, '"contacts":2', '"contacts":1') WHERE n = 2]])
	end)
	spoiled("record 2 of the ledger is not the trail's", function(w)
		ledger_sql(w, "UPDATE audit SET hash = (SELECT hash FROM audit WHERE n = 1) WHERE n = 2")
	end)
	spoiled("the ledger has no record 2", function(w) ledger_sql(w, "DELETE FROM audit WHERE n = 2") end)
	spoiled("the ledger lacks the records of the audit trail after 6", function(w)
		ledger_sql(w, "DELETE FROM audit WHERE n = 7")
	end)
	spoiled("item 1 of record 2", function(w) ledger_sql(w, "UPDATE audit_value SET key = 'c02' WHERE key = 'c01'") end)
	spoiled("tells of 7 records", function(w) -- the end of it taken out of both
		ledger_sql(w, "DELETE FROM audit WHERE n = 7")
		local lines = lines_of(trail_of(w))
		w:write("state/audit.jsonl", table.concat(lines, "\n", 1, 6) .. "\n")
	end)
	spoiled("torn last line", function(w) w:write("state/audit.jsonl", trail_of(w):sub(1, -2)) end)
end)

test("a trail that was not copied, or only in part, is completed by the next run", function()
	local w <close> = synced(2)
	local whole = trail_of(w)
	for _, keep in ipairs { 0, 100, #whole - 1 } do
		w:write("state/audit.jsonl", whole:sub(1, keep))
		t.eq(w:full(), 0)
		t.eq(trail_of(w):sub(1, #whole), whole)
		check.check(state_of(w))
	end
end)

test("a ledger that is lost goes on with the trail; one that is older than it is refused", function()
	local w <close> = synced(2)
	local copy = w:read "state/ledger.db"
	w:full()
	local before = trail_of(w)
	os.remove(state_of(w) .. "/ledger.db")
	t.eq(w:full(), 0)
	t.eq(trail_of(w):sub(1, #before), before)
	check.check(state_of(w))
	os.remove(state_of(w) .. "/ledger.db")
	w:write("state/ledger.db", copy)
	t.eq(w:full(), 7)
	t.eq(trail_of(w):sub(1, #before), before)
end)

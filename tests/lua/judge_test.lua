-- The one verdict: every way in which a contact can be right or wrong in a system, and what the checks let pass.
local checks_of = require "syncrun.model.checks"
local fake = require "lua.lib.fake_system"
local judge_of = require "syncrun.model.judge"
local mapping_of = require "syncrun.model.mapping"
local rows = require "syncrun.rows"
local t = require "syncrun.test"

local MAPPING = mapping_of.compile { key = "id", name = "who", fields = {
	{ "id", "text" }, { "who", "text" }, { "mail", "text" }, { "notes", "text" },
} }

-- The verdict on what is found, expected = { id = "1", who = "Ann", mail = "a@b.cc" }.
local function verdict(held, checks, gone)
	local system = fake.target(MAPPING, { gone = gone })
	local judge = judge_of.new(system, checks_of.compile(checks or {}, MAPPING, "checks"))
	local expected = rows.new(MAPPING:schema())
	expected:add { id = "1", who = "Ann", mail = "a@b.cc" }
	local found, list = rows.new(system.schema), {}
	for j, row in ipairs(held) do
		found:add(row)
		list[j] = j
	end
	local v = judge:contact(expected, 1, found, list)
	return v, judge_of.lines(v, "Fake")
end

local RIGHT = { id = "1", who = "Ann", mail = "a@b.cc" }
local WRONG = { id = "1", who = "Bob", mail = "a@b.cc", notes = "" }

t.test("judge: equal, missing, repeated, different", function()
	local v, lines = verdict { RIGHT }
	t.eq({ v.state, v.kind, v.passes, lines }, { "verified", nil, true, {} })
	v, lines = verdict {}
	t.eq({ v.state, v.kind, v.passes, lines }, { "missing", "missing", false, { "Missing in Fake" } })
	v, lines = verdict { RIGHT, RIGHT }
	t.eq({ v.state, v.kind, lines }, { "mismatched", "repeated", { "Fake: exists more than once" } })
	v, lines = verdict { WRONG }
	t.eq({ v.state, v.kind, #v.differences }, { "mismatched", "mismatched", 2 })
	t.eq(lines, { 'Fake: who is "Bob", expected "Ann"', 'Fake: notes is "", expected null' })
	t.eq(v.differences[2].actual, "")
	t.eq(v.differences[2].expected, nil)
end)

t.test("judge: a tombstone is not there, and said", function()
	local dead = { id = "1", who = "Ann", mail = "a@b.cc", gone = true }
	local v, lines = verdict({ dead }, nil, "gone")
	t.eq({ v.state, v.gone, lines }, { "missing", true, { "Missing in Fake (soft-deleted there)" } })
	v = verdict({ dead, RIGHT }, nil, "gone")
	t.eq({ v.state, v.gone, v.row }, { "verified", true, 2 })
end)

t.test("judge: what the checks leave out passes; the state is told as it is", function()
	local v, lines = verdict({ WRONG }, { fields = false, name = false })
	t.eq({ v.state, v.passes, lines }, { "verified", true, {} })
	v = verdict({ WRONG }, { fields = false })
	t.eq({ v.state, v.differences[1].field, #v.differences }, { "mismatched", "who", 1 })
	v = verdict({ WRONG }, { fields = { "mail" }, name = false })
	t.eq(v.state, "verified")
	v, lines = verdict({}, { exists = false })
	t.eq({ v.state, v.passes, lines }, { "missing", true, {} })
	v = verdict({ RIGHT, RIGHT }, { exists = false })
	t.eq({ v.state, v.passes }, { "mismatched", true })
end)

t.test("judge: a value that the system cannot hold is never verified", function()
	local mapping = mapping_of.compile { key = "id", fields = { { "id", "text" },
		{ "x", "text", on_loss = "write", to = { fake = { "x", transform = "no_nul" } } } } }
	local system = fake.target(mapping)
	local model = rows.new(mapping:schema())
	model:add { id = "1", x = "a\0b" }
	local expected = rows.plan(mapping:schema(), system.columns):apply(model)
	local found = rows.new(system.schema)
	found:add { id = "1", x = "ab" }
	local v = judge_of.new(system, checks_of.compile({}, mapping, "checks")):contact(expected, 1, found, { 1 })
	t.eq({ v.state, v.kind, judge_of.lines(v, "Fake") },
		{ "mismatched", "lost", { 'Fake: x: NUL character removed, stored as "ab"' } })
end)

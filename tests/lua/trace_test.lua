-- The story of a contact: every part of it is told, and nothing of others.
local file = require "syncrun.file"
local t = require "syncrun.test"
local trace = require "syncrun.flow.trace"
local world = require "lua.lib.fake_world"

local test = t.test

-- What trace says of a contact, and its exit code.
local function told(w, id, options)
	options = options or {}
	options.id, options.config = id, w.dir .. "/config.lua"
	local said, standard = {}, file.standard
	file.standard = function() return { write = function(_, text) said[#said + 1] = text end } end
	local code = w:with(trace.run, options)
	file.standard = standard
	return (table.concat(said):gsub("%d%d%d%d%-%d%d%-%d%dT[%d:.]+Z", "TIME")), code
end

test("trace: a contact's fields, requests, verdicts and the runs that found it unchanged", function()
	local w <close> = world.new { records = world.records(6) }
	w:full()
	w.held.Fake.c02.mail = "old"
	w:full { skip_sync = true }
	w:full()
	for _ = 1, 3 do w:full() end
	w:full { only = { "c01" } } -- says nothing of c02
	local text, code = told(w, "c02")
	t.eq(code, 0)
	t.eq(text, [[
Contact c02
exact and equal in every system: id, who, mail, at
Ledger
  TIME run 1: created in Fake (request 3, 4 contacts): taken
  TIME run 2: mismatched in Fake
  TIME run 3: updated in Fake (request 10, 1 contact): taken
     - mail: "old" -> "2@example.com"
  Fake: verified, read in run 3 at TIME; validated unchanged in 3 runs, 4 to 6
]])
end)

test("trace: a value that is not what it should be is explained; a request that was refused says why", function()
	local w <close> = world.new { records = world.records(3), target = { refuse = function(key)
		return key == "c03" and "c03 is not wanted" or nil
	end } }
	w:full()
	w.held.Fake.c02.mail = "new"
	local text = told(w, "c02")
	t.contains(text, "contact c02, field mail")
	t.contains(text, 'holds "new": different')
	t.contains(text, "exact and equal in every system: id, who, at")
	t.contains(told(w, "c03", { offline = true }), "created in Fake (request 5, 1 contact): refused; c03 is not wanted")
	t.contains(told(w, "c03", { offline = true }), "  Fake: rejected")
	t.contains(told(w, "c01", { all = true }), "contact c01, field who")
end)

test("trace: of whom nothing is known is said so", function()
	local w <close> = world.new { records = world.records(2) }
	local text, code = told(w, "c01", { offline = true })
	t.eq({ text:match "there is none in" ~= nil, code }, { true, 1 })
	w:full()
	text, code = told(w, "nobody")
	t.contains(text, "now: contact 'nobody' is not in Source")
	t.contains(text, "nothing is kept of this contact")
	t.eq(code, 1)
end)

-- Words for long waits.
local t = require "syncrun.test"
local patience = require "syncrun.patience"
local patient = require "lua.lib.patient"
local task = require "syncrun.task"

t.test("patience: nothing is said of a short wait, and what fn returned or raised comes back", function()
	local said <close> = patient.after(60)
	t.eq({ patience.new("x"):during(function(a, b) return a, b end, 1, 2) }, { 1, 2 })
	local p = patience.new "x"
	t.raises(p.during, "boom", p, error, "boom")
	t.eq(#said, 0)
end)

t.test("patience: a long wait is said, then each time it has doubled", function()
	local said <close> = patient.after(0.02)
	local p = patience.new "the post"
	p:note "it rains"
	while #said < 3 do p:during(task.sleep, 0.01) end -- many waits, one patience
	t.eq(said[1], "waiting for the post (0 s so far; last: it rains)")
	t.ok(p.due - p.since >= 0.16, p.due - p.since)
end)

t.test("patience: nobody speaks after the wait is over or was cancelled", function()
	local said <close> = patient.after(0.02)
	patience.new("x"):during(task.sleep, 0)
	local p = patience.new "y"
	t.raises(task.timeout, "timeout", 0.001, p.during, p, task.sleep, 60)
	task.sleep(0.05)
	t.eq(#said, 0)
end)

--- A run that was stopped before its end, by a signal or by its deadline: what was done until then is reported all the same.
--- Knows no system by name.
local err = require "syncrun.err"
local exits = require "syncrun.flow.exits"
local host = require "syncrun.host"
local log = require "syncrun.log"

local M = {}

--- The stop that an error is: why, and the run's exit code. Nil for any other error.
---@param e syncrun.Error
---@param deadline string? as it was given
---@return { why: string, exit: integer }?
function M.of(e, deadline)
	local signal = host.signal()
	if e.kind == "cancelled" and signal then
		return { why = ("stopped by SIG%s"):format(signal), exit = exits.interrupted[signal] }
	elseif e.code == "deadline" and deadline then
		return { why = ("the deadline of %s came"):format(deadline), exit = exits.incomplete }
	end
end

-- The source was not read to its end: what there is of it is all that can be told.
local function cut_short(run)
	local label, n = run.session.source.label, run.snapshot:cut_short()
	run.notes[#run.notes + 1] = ("%s was not read to its end: %d contacts so far, nothing was written"):format(label, n)
end

local function report(run)
	if not run.snapshot.total then cut_short(run) end
	for _, target in ipairs(run.targets) do
		if not target.judged and not target.lost then
			target:lose(err.new { kind = "cancelled", message = run.stop.why .. "; run again to go on" })
		end
	end
	run:report()
end

--- Report what was done until the stop; before the source answered there is nothing to tell. What goes wrong with that
--- is said, no more: the run ends in any case.
---@param run syncrun.Run
---@param stop { why: string, exit: integer }
function M.report(run, stop)
	if not run.begun or run.result then return end
	run.stop = stop
	local _, e = err.try(report, run)
	if e then log.error("the report is not complete: %s", e.message) end
end

return M

--- An estimate: what a full run would cost in BigQuery, by BigQuery's own estimate, and whether each system is ready for it.
--- No query runs, nothing is billed, nothing is written anywhere, not even here.
local delta = require "syncrun.flow.delta"
local err = require "syncrun.err"
local exits = require "syncrun.flow.exits"
local problems = require "syncrun.flow.problems"
local reports = require "syncrun.report"
local session_of = require "syncrun.flow.session"

local M = {}

local MIB = 1024 * 1024

--- Bytes for people: "10,485,760 bytes (10.0 MiB)".
---@param n integer
---@return string
function M.bytes(n)
	local text = ("%d"):format(n):reverse():gsub("(%d%d%d)", "%1,"):reverse():gsub("^,", "")
	return ("%s bytes (%.1f MiB)"):format(text, n / MIB)
end

local function open(options)
	local run = { options = options, notes = {}, say = reports.stdout { quiet = options.quiet }, code = 0 }
	run.session = session_of.open { config = options.config }
	run.selection = { columns = run.session.mapping:source_columns(), only = options.only, limit = options.limit }
	if options.changed then delta.select(run) end
	return run
end

local function say_cost(run, estimate)
	if estimate.free then
		run.say "  the table is read as it lies: nothing would be billed"
		return
	end
	run.say("  the query would process %s", M.bytes(estimate.bytes_processed))
	run.say("  and be billed as %s, unless %s still has its result", M.bytes(estimate.bytes_billed),
		run.session.source.label)
	local cap = run.session.source.max_bytes_billed
	if not cap then return end
	run.say("  at most %s may be billed: it %s", M.bytes(cap), estimate.refused and "would be refused" or "would run")
	if estimate.refused then run.code = 2 end
end

local function look_at_source(run)
	local described = run.session.source:describe()
	run.session.source:check(run.selection.columns)
	run.say("%s: table %s, %s rows", run.session.source.label, run.session.source:subject().table,
		described.rows and ("%d"):format(described.rows) or "an unknown number of")
	say_cost(run, run.session.source:estimate(run.selection))
end

local function say_found(run, system, found)
	local makes = system.makes_itself and #problems.where(found, problems.is_lasting) == 0
	if not makes then run.code = math.max(run.code, problems.worst(found)) end
	if problems.worst(found) == 0 then
		run.say("%s: ready; contacts that differ would be written there", system.label)
	else -- a full run makes and mends its own file
		run.say("%s: %s", system.label, makes and "would be made:" or "not ready:")
	end
	for _, problem in ipairs(found) do run.say("  %s", problem.what) end
end

local function look_at(run, system)
	local found, e = err.try(system.check, system, { write = true })
	if not e then return say_found(run, system, found) end
	if e.kind == "cancelled" then err.raise(e) end
	run.code = math.max(run.code, exits.of(e))
	run.say("%s: %s", system.label, e.message)
end

local function look(run)
	run.say "ESTIMATE: no query runs, nothing is written"
	run.say ""
	look_at_source(run)
	for _, system in ipairs(run.session.targets) do
		if system.skipped then
			run.say("%s: skipped (not configured: %s)", system.label, system.skipped)
		else
			look_at(run, system)
		end
	end
	run.say ""
	run.say "To compare every contact without writing: --skip-sync (its query is billed as above)"
	return run.code
end

--- Look, and say what a full run with these options would cost and meet. Returns the exit code: 0 when it could begin,
--- 2 when settings or schemas stand in its way or the cost exceeds the cap, 3 when a system is out of reach.
---@param options table as for run.full
---@return integer
function M.run(options)
	local run = open(options)
	local code, e = err.try(look, run)
	run.session:close()
	if e then
		e.exit = e.exit or exits.of(e)
		err.raise(e)
	end
	return code
end

return M

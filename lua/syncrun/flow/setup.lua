--- Set-up of the configured systems: what the mapping needs and does not find is shown, or made.
local err = require "syncrun.err"
local exits = require "syncrun.flow.exits"
local log = require "syncrun.log"
local problems = require "syncrun.flow.problems"
local reports = require "syncrun.report"
local registry = require "syncrun.systems.registry"
local session_of = require "syncrun.flow.session"
local survey = require "syncrun.flow.survey"

local M = {}

local function show(say, system, found)
	local open = 0
	for _, item in ipairs(found) do
		say("%s: %s", system.label, item.what)
		if not item.done and problems.is_obstacle(item) then open = open + 1 end
	end
	if #found == 0 then say("%s: all there", system.label) end
	return open
end

local function say_errors(errors)
	local code = 0
	for _, failed in ipairs(errors) do
		log.complain("%s: %s", failed.system.label, failed.error.message)
		code = math.max(code, exits.of(failed.error))
	end
	return code
end

-- What no set-up can mend, in any system: the highest exit code of it.
local function lasting(found)
	local worst = 0
	for _, list in ipairs(found) do
		worst = math.max(worst, problems.worst(problems.where(list or {}, problems.is_lasting)))
	end
	return worst
end

-- The source too: what cannot be read is not set up for. Set-up makes nothing there.
local function look_at_source(say, session)
	local words, e = err.try(survey.source, session.source, session.mapping)
	if e then
		if e.kind == "cancelled" then err.raise(e) end
		return say_errors { { system = session.source, error = e } }
	end
	say("%s: %s", session.source.label, words)
	return 0
end

-- All systems are asked before anything is made in any. Then one after the other: two may be one table.
local function look_and_make(list, apply, worst)
	local found, errors = registry.each(list, function(system) return system:setup(false) end)
	local code = math.max(worst, say_errors(errors), lasting(found))
	if not apply or code > 0 then return found, code end
	found, errors = registry.each(list, function(system) return system:setup(true) end, 1)
	return found, say_errors(errors)
end

local function show_all(say, targets, list, found)
	local open = 0
	for i, system in ipairs(list) do
		if found[i] then open = open + show(say, system, found[i]) end
	end
	for _, target in ipairs(targets) do
		if target.skipped then say("%s: not configured (%s)", target.label, target.skipped) end
	end
	return open
end

--- Run the set-up. Returns the exit code: 0 nothing is missing any more, 1 something is that can be made, 2 or 3 when
--- nothing can be made: as for a run.
---@param options { apply: boolean?, config: string? }
---@return integer
function M.run(options)
	local session = session_of.open { config = options.config }
	local say, list = reports.stdout(), session:configured()
	local found, code = look_and_make(list, options.apply == true, look_at_source(say, session))
	session:close()
	local open = show_all(say, session.targets, list, found)
	if code > 0 then return code end
	if open > 0 and not options.apply then say "run again with --apply to make what is missing" end
	return open > 0 and 1 or 0
end

return M

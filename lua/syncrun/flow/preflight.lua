--- Before anything is written: can every system do what this run will do? All are asked, all that stands in the way is said,
--- and nothing is made or written unless nothing does. Knows no system by name.
local err = require "syncrun.err"
local exits = require "syncrun.flow.exits"
local log = require "syncrun.log"
local places = require "syncrun.flow.places"
local problems = require "syncrun.flow.problems"
local registry = require "syncrun.systems.registry"

local M = {}

local function say_error(label, message)
	log.complain("%s: %s", label, message)
end

-- The problems that stand in the way: what is ours is made, and mended, by the run itself.
local function obstacles(system, found, intent)
	local mends = system.makes_itself and intent.write
	return problems.where(found, function(problem)
		return problems.is_obstacle(problem) and not (mends and problems.is_mendable(problem))
	end)
end

local function say_problems(system, found)
	local more, hint = #found > 1 and (" and %d more"):format(#found - 1) or "", ""
	local mendable = #problems.where(found, problems.is_mendable) > 0
	if mendable or #found > 1 then
		hint = ("; run 'syncrun scripts/setup.lua' to see%s"):format(mendable and ", with --apply to make it" or "")
	end
	say_error(system.label, problems.first(found).what .. more .. hint)
end

local function say_notes(system, found)
	for _, problem in ipairs(found) do
		if not problems.is_obstacle(problem) then log.info("%s: %s", system.label, problem.what) end
	end
end

local function say_errors(errors)
	local code = 0
	for _, failed in ipairs(errors) do
		say_error(failed.system.label, failed.error.message)
		code = math.max(code, exits.of(failed.error))
	end
	return code
end

-- What the systems found, as far as it stands in the way, and what is worth saying: the exit code of the worst.
local function say_found(list, found, intent)
	local code = 0
	for i, system in ipairs(list) do
		local left = found[i] and obstacles(system, found[i], intent) or {}
		if #left > 0 then
			say_problems(system, left)
			code = math.max(code, problems.worst(left))
		end
		say_notes(system, found[i] or {})
	end
	return code
end

local function refuse(code, message)
	err.raise { kind = "config", code = "refused", exit = code, said = true, message = message }
end

local function ask(session, list, intent)
	local found, errors = registry.each(list, function(system)
		if system ~= session.source then return system:check(intent) end
		return system:check(session.mapping:source_columns()) or {}
	end)
	local code = say_errors(errors)
	if #session:configured() == 0 then
		say_error("targets", "none is configured; " .. registry.ADVICE)
		code = math.max(code, exits.usage)
	end
	for i, system in ipairs(list) do
		system.is_new = found[i] and #problems.where(found[i], function(problem) return problem.whole == true end) > 0
	end
	return math.max(code, say_found(list, found, intent))
end

--- Ask every system; make what makes itself last, when nothing else is wrong. Raises an error that was said already, with
--- the run's exit code, when something stands in the way.
---@param session syncrun.Session
---@param intent syncrun.Intent source: false where it is not needed
---@param only_look boolean? nothing is made either: what a run would make is empty
function M.check(session, intent, only_look)
	local list = session:configured()
	if intent.source ~= false then table.insert(list, 1, session.source) end
	local code = ask(session, list, intent)
	if code == 0 and intent.write and not only_look then
		local _, failed = registry.each(list, function(system) return system.makes_itself and system:setup(true) end)
		code = say_errors(failed)
	end
	if code == 0 then places.check_twins(session.source, session:configured()) end
	if code > 0 then refuse(code, "something stands in the way of this run") end
end

-- A right that is missing where it is read.
local function check_denied(targets)
	for _, target in ipairs(targets) do
		if target.lost and target.lost.denied then
			say_error(target.label, "a right is missing there, so nothing was written in any system")
			refuse(exits.unreachable, target.lost.message)
		end
	end
end

-- The systems that something is to be sent to, and that ask for more than was looked at so far.
local function to_write(targets)
	local list = {}
	for _, target in ipairs(targets) do
		local changes = target.changes
		if changes and changes.n > changes.refused and target.system.ready then list[#list + 1] = target.system end
	end
	return list
end

--- All targets have their plan, and nothing is written yet: may what is to be written be written? Raises an error that was
--- said already when a right is missing.
---@param targets syncrun.Target[]
function M.before_writing(targets)
	check_denied(targets)
	local list = to_write(targets)
	local found, errors = registry.each(list, function(system) return system:ready() end)
	local code = math.max(say_errors(errors), say_found(list, found, { write = true }))
	if code > 0 then refuse(code, "something stands in the way of writing") end
end

return M

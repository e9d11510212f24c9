--- What the systems' checks find in the way of a run: which of it counts, and what exit code it makes. A problem is
--- {what=, sql=?, request=?, exit=?}: sql or request when set-up can make what is missing; exit is 2 unless given (a
--- misfit), 3 for a missing right or a system that cannot be written now, 0 for what is only worth saying.
local M = {}

---@class syncrun.Problem
---@field what string
---@field exit integer? 2 unless given
---@field sql string[]? what set-up would run
---@field request table? what set-up would send

--- What a check is asked for: does the run write there, or only read?
---@class syncrun.Intent
---@field write boolean

--- The exit code that a list of problems makes: the highest; 0 when nothing is in the way.
---@param list syncrun.Problem[]
---@return integer
function M.worst(list)
	local worst = 0
	for _, problem in ipairs(list) do worst = math.max(worst, problem.exit or 2) end
	return worst
end

--- Those for which f holds.
---@param list syncrun.Problem[]
---@param f fun(problem: syncrun.Problem): boolean
---@return syncrun.Problem[]
function M.where(list, f)
	local out = {}
	for _, problem in ipairs(list) do
		if f(problem) then out[#out + 1] = problem end
	end
	return out
end

--- Can set-up make what is missing?
---@param problem syncrun.Problem
---@return boolean
function M.is_mendable(problem)
	return problem.sql ~= nil or problem.request ~= nil
end

--- Does it stand in the way?
---@param problem syncrun.Problem
---@return boolean
function M.is_obstacle(problem)
	return problem.exit ~= 0
end

--- Is it in the way, and not for set-up to mend?
---@param problem syncrun.Problem
---@return boolean
function M.is_lasting(problem)
	return M.is_obstacle(problem) and not M.is_mendable(problem)
end

--- The most important one: the first of the highest exit code.
---@param list syncrun.Problem[]
---@return syncrun.Problem
function M.first(list)
	local worst = M.worst(list)
	return M.where(list, function(problem) return (problem.exit or 2) == worst end)[1]
end

return M

--- When to try again: one policy for whatever fails and may pass. Tries are bounded in number and in time and spread at
--- random (full jitter), so that many who wait do not come back at once. Knows nothing of what is tried.
local time = require "syncrun.time"

local M = {}

---@class syncrun.RetryPolicy
---@field tries integer in all
---@field base number seconds: the first pause is anything up to it, each further one up to twice as much
---@field cap number seconds: no pause of ours is longer
---@field budget number seconds after the beginning in which another try may start
---@field longest number seconds: how far a server's own wish (Retry-After) is heeded

--- The policy where nothing else is asked for.
M.POLICY = { tries = 6, base = 1, cap = 32, budget = 600, longest = 60 }

--- A single try.
M.ONCE = { tries = 1, base = 0, cap = 0, budget = 0, longest = 0 }

---@class syncrun.Retry
---@field policy syncrun.RetryPolicy
---@field failures integer tries so far that failed
local Retry = {}
Retry.__index = Retry

--- Begin; the time counts from now. What the policy leaves open is M.POLICY's.
---@param policy table?
---@return syncrun.Retry
function M.new(policy)
	return setmetatable({
		policy = setmetatable(policy or {}, getmetatable(policy or {}) or { __index = M.POLICY }), failures = 0,
		since = time.mono(),
	}, Retry)
end

--- Whether the try under way is the last, whatever comes of it.
---@return boolean
function Retry:is_last()
	return self.failures + 1 >= self.policy.tries
end

--- A try failed: the seconds to wait before the next one, nil when there shall be none.
---@param o { asked: number?, exact: number?, tries: integer?, budget: number? }? asked: the server's wish, heeded up to
---  policy.longest; exact: wait this long and no other; tries, budget: tighter bounds than the policy's, for this failure
---@return number?
function Retry:delay(o)
	local p = self.policy
	o = o or {}
	self.failures = self.failures + 1
	if self.failures >= math.min(p.tries, o.tries or p.tries) then return nil end
	local pause = math.random() * math.min(p.cap, p.base * 2 ^ (self.failures - 1))
	local delay = o.exact or math.max(pause, math.min(o.asked or 0, p.longest))
	local budget = math.min(p.budget, o.budget or p.budget)
	return time.mono() + delay <= self.since + budget and delay or nil
end

return M

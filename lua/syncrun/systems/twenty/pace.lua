--- Twenty's rate limits, kept from our side as the server keeps them: whole tokens for the time since the last accepted
--- call, so that calls closer together than one token never refill the bucket (facts/twenty.md 7). Knows no requests.
local task = require "syncrun.task"
local time = require "syncrun.time"

local M = {}

local SHARE = 0.95      -- of a limit that the server told; others may use the key
local SLACK = 1.017     -- the server's clock and the network's jitter
local SHORT_MS = 10000  -- windows below are the short limit's

---@class syncrun.TwentyPace
local Pace = {}
Pace.__index = Pace

local function bucket(burst, every)
	return { burst = burst, every = every, level = burst, at = time.mono() }
end

local function available(b, now)
	return math.min(b.burst, b.level + (now - b.at) // b.every)
end

local function wait_for(b, now)
	return available(b, now) >= 1 and 0 or b.at + b.every - now
end

--- Seconds from one call to the next in the widest bucket, 0 without one.
---@return number
function Pace:interval()
	local most = 0
	for _, b in pairs(self.buckets) do most = math.max(most, b.every) end
	return most
end

-- Calls a minute that the narrowest bucket lets through, as the server counts them; nil when there is none.
local function per_minute(self)
	local least
	for _, b in pairs(self.buckets) do least = math.min(least or math.huge, 60 / b.every * SLACK) end
	return least
end

local function rate_words(rate)
	return rate >= 1 and ("%.0f a minute"):format(rate) or ("one every %.0f min"):format(1 / rate)
end

--- The limit in words: "100 a minute". Nil when there is none.
---@return string?
function Pace:words()
	local rate = per_minute(self)
	return rate and rate_words(rate)
end

--- So many calls in words: "103 requests at 100 a minute: about 1 min". Nil when nothing limits them.
---@param calls integer
---@return string?
function Pace:estimate(calls)
	local rate = per_minute(self)
	if not rate or calls == 0 then return nil end
	local seconds = calls / rate * 60
	local long = seconds < 45 and ("%.0f s"):format(math.ceil(seconds)) or ("%.0f min"):format(seconds / 60)
	return ("%d request%s at %s: about %s"):format(calls, calls == 1 and "" or "s", rate_words(rate), long)
end

--- Wait until a call may be sent; on_wait(seconds) is told of it.
function Pace:take()
	while true do
		local now, wait = time.mono(), 0
		for _, b in pairs(self.buckets) do wait = math.max(wait, wait_for(b, now)) end
		if wait <= 0 then break end
		if self.on_wait then self.on_wait(wait) end
		task.sleep(wait)
	end
	local now = time.mono()
	for _, b in pairs(self.buckets) do b.level, b.at = available(b, now) - 1, now end
end

--- The server refused a call: learn its limit, and count our tokens as spent.
---@param message string "Limit reached (100 tokens per 60000 ms)"
function Pace:refused(message)
	local tokens, window = message:match "(%d+) tokens per (%d+) ms"
	tokens, window = tonumber(tokens), tonumber(window)
	if tokens and tokens > 0 and window > 0 then
		self.buckets[window < SHORT_MS and "short" or "long"] =
			bucket(math.max(1, math.floor(tokens * SHARE)), window / tokens / 1000 * SLACK)
	end
	for _, b in pairs(self.buckets) do b.level, b.at = 0, time.mono() end
end

--- A pace of `tokens` at once, then one every `every` seconds; false: none until the server tells one.
---@param rate { tokens: integer, every: number }|false
---@return syncrun.TwentyPace
function M.new(rate)
	return setmetatable({ buckets = { long = rate and bucket(rate.tokens, rate.every) or nil } }, Pace)
end

return M

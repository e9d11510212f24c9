-- Two token buckets per workspace, refilled as Twenty does it: whole tokens for the time since the last accepted
-- request, so calls more frequent than one token's time never refill until one is refused. Knows no HTTP.
local time = require "syncrun.time"
local errors = require "sandbox.twenty.errors"

local M = {}

local Bucket = {}
Bucket.__index = Bucket

local function bucket(limit)
	if not limit then return nil end
	return setmetatable({ limit = limit, left = limit.tokens, at = time.mono() }, Bucket)
end

function Bucket:available(now)
	local refill = math.floor((now - self.at) * 1000 * self.limit.tokens / self.limit.window_ms)
	return math.min(self.limit.tokens, self.left + refill)
end

function Bucket:take(now, tokens)
	self.left, self.at = tokens - 1, now
end

--- A limiter over `short` and `rate` ({tokens, window_ms} or false): it raises the 429 of the first empty bucket.
---@param short table|false
---@param rate table|false
---@return fun()
function M.new(short, rate)
	local buckets = {}
	for _, limit in ipairs { short or false, rate or false } do buckets[#buckets + 1] = bucket(limit) end
	return function()
		local now = time.mono()
		for _, b in ipairs(buckets) do
			local tokens = b:available(now)
			if tokens < 1 then errors.limited(b.limit.tokens, b.limit.window_ms) end
			b:take(now, tokens)
		end
	end
end

return M

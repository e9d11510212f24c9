--- Words for long waits: who waits for something outside says after ten seconds what it waits for, and again whenever the
--- wait has doubled. It ends no wait: limits are the caller's.
local log = require "syncrun.log"
local task = require "syncrun.task"
local time = require "syncrun.time"

local M = {}

--- Seconds before the first word.
M.AFTER = 10

--- Where the words go.
M.say = log.info

---@class syncrun.Patience
local Patience = {}
Patience.__index = Patience

--- The patience for one thing, counted from now. It may be used for many waits for that thing, one after the other.
---@param what string what is waited for: "'BigQuery' to answer GET /x"
---@return syncrun.Patience
function M.new(what)
	local now = time.mono()
	return setmetatable({ what = what, since = now, due = now + M.AFTER }, Patience)
end

--- What happened last, to be told with the next word: "503 Service Unavailable"; nil: nothing worth a word.
---@param trouble string?
function Patience:note(trouble)
	self.trouble = trouble
end

local function speak(self)
	local elapsed = time.mono() - self.since
	M.say("waiting for %s (%.0f s so far%s)", self.what, elapsed, self.trouble and "; last: " .. self.trouble or "")
	self.due = self.since + 2 * elapsed
end

local function watch(self)
	while true do
		task.sleep(math.max(0, self.due - time.mono()))
		speak(self)
	end
end

--- fn(...), a wait for the thing, with a word when it is long.
---@param fn function
function Patience:during(fn, ...)
	local watcher = task.spawn(watch, self)
	local results = table.pack(pcall(fn, ...))
	watcher:cancel()
	if not results[1] then error(results[2], 0) end
	return table.unpack(results, 2, results.n)
end

return M

-- Asking for a job's result until it is there: for a bounded time, at a bounded pace, and with a word when it takes long.
local err = require "syncrun.err"
local patience = require "syncrun.patience"
local said = require "syncrun.systems.bigquery.said"
local task = require "syncrun.task"
local time = require "syncrun.time"

local M = {}

---@class syncrun.BigQueryPoll
---@field patience syncrun.Patience
local Poll = {}
Poll.__index = Poll

--- Begin to wait, for at most so many seconds.
---@param seconds number
---@return syncrun.BigQueryPoll
function M.new(seconds)
	return setmetatable({
		seconds = seconds, since = time.mono(), times = 0, patience = patience.new "BigQuery to finish the query",
	}, Poll)
end

--- The answer, which took so long, says that the job is not done: pause before it is asked again. A server that holds
--- its answer back itself is asked again at once. Raises kind timeout when the time is over.
---@param elapsed number seconds
---@param job string? for the message
function Poll:wait(elapsed, job)
	local took = time.mono() - self.since
	if took >= self.seconds then
		err.raise { kind = "timeout", code = "query", exit = 3, message = ("BigQuery has not finished the query after %.0f s "
			.. "(job '%s'); raise bigquery.query_timeout, or narrow it by bigquery.where"):format(took,
			job and said(job, 60) or "without an id") }
	end
	if elapsed < 1 then
		self.patience:during(task.sleep, math.min(1, 0.01 * 2 ^ math.min(self.times, 10)))
	end
	self.times = self.times + 1
end

return M

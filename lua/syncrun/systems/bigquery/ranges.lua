-- Reading a long list of rows that does not change by ranges of row numbers: a few requests are under way at once, the
-- pages are handed over in order, and no more is held than what is under way. Knows nothing of HTTP.
local chain = require "syncrun.systems.bigquery.chain"
local err = require "syncrun.err"
local errors = require "syncrun.systems.bigquery.errors"
local task = require "syncrun.task"

local M = {}

local TARGET, LEAST, MOST = 4 * 1024 * 1024, 500, 50000

---@class syncrun.BigQueryRanges
local Ranges = {}
Ranges.__index = Ranges

--- How many rows to ask for at once, so that an answer stays well below the server's limit of 10 MB.
---@param bytes integer of JSON in a first page
---@param n integer its rows
---@return integer
function M.rows_for(bytes, n)
	return math.max(LEAST, math.min(MOST, TARGET * n // math.max(bytes, 1)))
end

-- One range, whole: an answer may hold fewer rows than were asked for, never more.
local function read_range(self, from, n)
	local pages, empty = {}, 0
	while n > 0 do
		local page = self.read(from, n)
		empty = #page == 0 and empty + 1 or 0
		if #page > n or empty == chain.EMPTY_MAX then
			errors.raise_shape("BigQuery sent %d rows from row %d on, where up to %d are due; run again", #page, from, n)
		end
		if #page > 0 then pages[#pages + 1] = page end
		from, n = from + #page, n - #page
	end
	return pages
end

-- Keep the ranges under way at their number.
local function top_up(self)
	while self.following < self.total and #self.queue < self.width do
		local from = self.following
		local n = math.min(self.size, self.total - from)
		self.following = from + n
		self.queue[#self.queue + 1] = task.spawn(function()
			return table.pack(err.try(read_range, self, from, n))
		end)
	end
end

--- The next page, in the order of the rows; nil after the last. Waits; raises what a request raised.
---@return syncrun.Rows?
function Ranges:next()
	while not self.pages[self.at] do
		top_up(self)
		if not self.queue[1] then return nil end
		local result = self.queue[1]:join()
		table.remove(self.queue, 1)
		if not result[1] then err.raise(result[2]) end
		self.pages, self.at = result[1], 1
		top_up(self)
	end
	self.at = self.at + 1
	return self.pages[self.at - 1]
end

--- Give up what is under way. Twice is legal.
function Ranges:close()
	local queue = self.queue
	self.queue, self.following = {}, self.total
	for _, handle in ipairs(queue) do handle:cancel() end
	task.shielded(function()
		for _, handle in ipairs(queue) do pcall(handle.join, handle) end
	end)
end

--- Read the rows first .. total - 1 by ranges.
---@param o { first: integer, total: integer, size: integer, width: integer,
---  read: fun(from: integer, n: integer): syncrun.Rows }
---@return syncrun.BigQueryRanges
function M.start(o)
	return setmetatable({
		following = o.first, total = o.total, size = o.size, width = o.width, read = o.read, queue = {}, pages = {}, at = 1,
	}, Ranges)
end

return M

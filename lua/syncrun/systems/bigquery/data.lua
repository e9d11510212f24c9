-- A table's rows by tabledata.list, which is free: by page tokens, which stay on the table as it was, or by ranges of row
-- numbers, several at once, which hold only while the table does not change. Knows nothing of queries.
local chain = require "syncrun.systems.bigquery.chain"
local err = require "syncrun.err"
local errors = require "syncrun.systems.bigquery.errors"
local ranges = require "syncrun.systems.bigquery.ranges"
local rows = require "syncrun.rows"

local M = {}

---@class syncrun.BigQueryData
local Data = {}
Data.__index = Data

local function whole(text)
	return math.tointeger(tonumber(text))
end

--- The fields of these columns in the table's order, which is the order of the cells, named as they were asked for.
---@param fields table[] of the table's schema
---@param columns string[]
---@return table[] fields, string[] names as the table spells them
function M.select(fields, columns)
	local asked, chosen, spelled = {}, {}, {}
	for _, name in ipairs(columns) do asked[name:lower()] = name end
	for _, field in ipairs(fields) do
		local name = asked[field.name:lower()]
		if name then
			local copy = {}
			for k, v in pairs(field) do copy[k] = v end
			copy.name = name
			chosen[#chosen + 1], spelled[#spelled + 1] = copy, field.name
		end
	end
	return chosen, spelled
end

local function changed(self)
	err.raise {
		kind = "http", code = "changed", exit = 3, retryable = true,
		message = ("the table '%s' changed while it was read; run again"):format(self.context.table),
	}
end

-- One answer. `position` is {pageToken=} or {startIndex=}; nil: the beginning.
local function list(self, position, count)
	local res = self.client:call({
		path = self.path .. "/data",
		query = {
			maxResults = count, selectedFields = self.selected, ["formatOptions.useInt64Timestamp"] = "true",
			pageToken = position and position.pageToken, startIndex = position and position.startIndex,
		},
	}, self.context)
	local page, extra = errors.reading(self.reader.read, self.reader, res.body)
	local total = whole(extra.totalRows)
	if not total then
		errors.raise_shape("BigQuery does not say how many rows the table has ('totalRows'); is the URL right?")
	end
	self.total = self.total or total
	if total ~= self.total then changed(self) end
	self.page_count = self.page_count + 1
	return page, extra, #res.body
end

local function by_ranges(self, first, bytes)
	local n = #first
	if self.parallel < 2 or n == 0 or not self.version then return nil end
	local size = self.range_rows or ranges.rows_for(bytes, n)
	if self.total - n <= size then return nil end
	return ranges.start {
		first = n, total = self.total, size = size, width = self.parallel,
		read = function(from, count) return (list(self, { startIndex = from }, count)) end,
	}
end

local function advance(self, walk)
	local first = not walk.token
	local page, extra, bytes = list(self, walk.token and { pageToken = walk.token }, self.page_rows)
	if walk:advance(#page, extra.pageToken) and first then self.ranges = by_ranges(self, page, bytes) end
	return page
end

local function next_page(self, walk)
	if not self.ranges then return advance(self, walk) end
	local page = self.ranges:next()
	if not page then
		walk.done = true
		if self.now_version() ~= self.version then changed(self) end
	end
	return page
end

local function check_count(self, count, done)
	if count > self.total or (done and count < self.total) then
		err.raise {
			kind = "http", code = "short", exit = 3, retryable = true,
			message = ("BigQuery sent %d of the %d rows of table '%s'; run again"):format(count, self.total,
				self.context.table),
		}
	end
end

--- The table's rows in its own order, empty pages left out. Raises when they do not add up to totalRows, and with code
--- "changed" when ranges were read of a table that changed meanwhile: all that was read is then worth nothing.
---@return fun(): syncrun.Rows?
function Data:pages()
	local walk, count = chain.new(), 0
	return function()
		while not walk.done do
			local page = next_page(self, walk)
			count = count + (page and #page or 0)
			check_count(self, count, walk.done)
			if page and #page > 0 then return page end
		end
	end
end

--- Give up requests that are under way.
function Data:close()
	if self.ranges then self.ranges:close() end
end

--- What was read; nothing was billed.
---@return table
function Data:summary()
	return { total = self.total, bytes_processed = 0, bytes_billed = 0, pages = self.page_count }
end

--- Read a table. Options: path (of the table), fields and selected (of select), page_rows, range_rows, parallel, version
--- (the table's, nil: it may change at any time, so only tokens are used), now_version (asks for it anew), context.
---@param client syncrun.BigQueryClient
---@param o table
---@return syncrun.BigQueryData
function M.start(client, o)
	return setmetatable({
		client = client, path = o.path, reader = errors.reading(rows.bigquery_reader, o.fields),
		selected = table.concat(o.selected, ","),
		page_rows = o.page_rows, range_rows = o.range_rows, parallel = o.parallel, version = o.version,
		now_version = o.now_version, context = o.context, page_count = 0,
	}, Data)
end

return M

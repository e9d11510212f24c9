-- One query, from jobs.query to its last page. Knows REST answers and their pages, nothing of mappings or tables.
--
-- Rules: a short result is followed by its tokens and is complete when a page without pageToken came, never when one is
-- short or empty. A long one lies in the job's anonymous table, which nothing changes for a day: it is read by ranges of
-- row numbers, several at once. startIndex and pageToken never stand in one request; the rows received must add up to
-- totalRows.
local crypto = require "syncrun.crypto"
local err = require "syncrun.err"
local errors = require "syncrun.systems.bigquery.errors"
local http = require "syncrun.http"
local chain = require "syncrun.systems.bigquery.chain"
local poll_of = require "syncrun.systems.bigquery.poll"
local ranges = require "syncrun.systems.bigquery.ranges"
local retry = require "syncrun.retry"
local rows = require "syncrun.rows"
local said = require "syncrun.systems.bigquery.said"
local task = require "syncrun.task"

local M = {}

local LONG_POLL = 20000 -- ms that BigQuery may hold an answer back while the query runs

---@class syncrun.BigQueryRun
---@field client syncrun.BigQueryClient
---@field context table for messages
---@field head table what the first complete answer said
---@field job table? id, location, path
local Run = {}
Run.__index = Run

-- ---- the scalars of an answer, without making its rows into Lua tables

local HEAD = rows.json_reader(rows.schema { { "reason", "text" } }, {
	rows = "errors", paths = { "reason" },
	extra = {
		"jobComplete", "schema.fields", "jobReference.jobId", "jobReference.projectId", "jobReference.location",
		"totalRows", "totalBytesProcessed", "totalBytesBilled", "cacheHit",
	},
})

local function whole(text)
	return math.tointeger(tonumber(text))
end

local function read_head(res)
	local _, extra = errors.reading(HEAD.read, HEAD, res.body)
	if type(extra.jobComplete) ~= "boolean" then
		errors.raise_shape("BigQuery's answer is not the result of a query (it has no 'jobComplete'); is the URL right?")
	end
	return {
		text = res.body, elapsed = res.elapsed, complete = extra.jobComplete, fields = extra["schema.fields"],
		total = whole(extra.totalRows), bytes_processed = whole(extra.totalBytesProcessed),
		bytes_billed = whole(extra.totalBytesBilled), cache_hit = extra.cacheHit,
		job = extra["jobReference.jobId"], project = extra["jobReference.projectId"],
		location = extra["jobReference.location"],
	}
end

-- A short query may have been answered without a job: then there is no jobReference (or one without an id).
local function set_job(self, head)
	if self.job or type(head.job) ~= "string" then return end
	local project = type(head.project) == "string" and head.project or self.project
	self.job = {
		id = head.job, location = type(head.location) == "string" and head.location or self.location,
		results = ("/projects/%s/queries/%s"):format(http.escape(project), http.escape(head.job)),
		path = ("/projects/%s/jobs/%s"):format(http.escape(project), http.escape(head.job)),
	}
end

-- ---- the job and its pages

-- The job as jobs.get tells it, nil when that fails as well.
local function get_job(self)
	local res = err.try(self.client.send, self.client, { path = self.job.path, query = { location = self.job.location } })
	local job = res and res.status == 200 and err.try(res.json, res)
	return type(job) == "table" and job or nil
end

local function job_failure(self)
	local job = get_job(self)
	return job and type(job.status) == "table" and errors.of_job(job.status) or nil
end

-- jobs.getQueryResults turns the failure of a job into an HTTP error: before such a request is sent again, the job is
-- asked once.
local function results_classifier(self)
	local asked, failed = false, nil
	return function(res, e)
		if e then return e.retryable and "retry" or "fail" end
		local failure = errors.of(res)
		if not failure or errors.action(failure) ~= "retry" then return "fail" end
		if not asked then asked, failed = true, job_failure(self) end
		return failed and "fail" or "retry"
	end, function() return failed end
end

-- `position` is where the page begins: {pageToken=} or {startIndex=, maxResults=}; nil while the job runs, then `poll` is
-- who waits for it.
local function get_results(self, position, poll)
	if not self.job then
		errors.raise_shape("BigQuery speaks of more than it sent, but names no job to ask; run again")
	end
	local classify, failed = results_classifier(self)
	local res = self.client:send {
		path = self.job.results, classify = classify, patience = poll and poll.patience,
		query = {
			location = self.job.location, timeoutMs = LONG_POLL, ["formatOptions.useInt64Timestamp"] = "true",
			maxResults = position and position.maxResults or self.page_rows,
			pageToken = position and position.pageToken, startIndex = position and position.startIndex,
		},
	}
	local failure = failed() or errors.of(res)
	if failure then self.client:refuse(failure, self.context) end
	return res
end

local function post(self, request, poll)
	request.requestId = crypto.uuid() -- stays the same when the request is sent again
	local path = ("/projects/%s/queries"):format(http.escape(self.project))
	local ask = { method = "POST", path = path, json = request, patience = poll.patience }
	local head = read_head(self.client:call(ask, self.context))
	set_job(self, head)
	self.billed = head.bytes_billed
	while not head.complete do
		poll:wait(head.elapsed, self.job and self.job.id)
		head = read_head(get_results(self, nil, poll))
		set_job(self, head)
	end
	return head
end

-- A job that failed through no fault of the query is run again, as a new job.
local function run(self, request)
	local tries, poll = retry.new(self.client.retry), poll_of.new(self.query_timeout)
	while true do
		self.job = nil
		local head, e = err.try(post, self, request, poll)
		if head then return head end
		local delay = e.rerun and tries:delay()
		if not delay then err.raise(e) end
		poll.patience:note(e.message:match "^[^;]*")
		poll.patience:during(task.sleep, delay)
	end
end

-- The columns are ours by position; BigQuery spells their names as the table does.
local function check_fields(head, columns)
	local fields = head.fields
	if type(fields) ~= "table" or #fields ~= #columns then
		errors.raise_shape("BigQuery answered with %s columns, %d were asked for; run again",
			type(fields) == "table" and #fields or "no", #columns)
	end
	for i, name in ipairs(columns) do
		local got = type(fields[i]) == "table" and fields[i].name
		if type(got) ~= "string" or got:lower() ~= name:lower() then
			errors.raise_shape("BigQuery answered with the column '%s' in the place of '%s'; run again",
				type(got) == "string" and said(got, 60) or "?", name)
		end
		fields[i].name = name
	end
	if not head.total then
		errors.raise_shape("BigQuery does not say how many rows the result has ('totalRows'); run again")
	end
end

local function request_of(o)
	local request = {
		query = o.sql, useLegacySql = false, location = o.location, timeoutMs = LONG_POLL, maxResults = o.page_rows,
		formatOptions = { useInt64Timestamp = true }, labels = { app = "syncrun" },
		jobCreationMode = "JOB_CREATION_OPTIONAL",
	}
	for name, value in pairs(o.labels or {}) do request.labels[name] = value end
	if o.parameters then request.parameterMode, request.queryParameters = "NAMED", o.parameters end
	if o.max_bytes_billed then request.maximumBytesBilled = ("%d"):format(o.max_bytes_billed) end
	return request
end

--- Run a query up to its first page. Options: sql, columns (the names of the result's columns), project, page_rows,
--- location, parameters, max_bytes_billed, labels, parallel (how many requests read a long result at once; 1: one after
--- the other, by tokens), range_rows (nil: by the size of the first page), query_timeout (seconds that the job may take),
--- context (for messages).
---@param client syncrun.BigQueryClient
---@param o table
---@return syncrun.BigQueryRun
function M.start(client, o)
	local self = setmetatable({
		client = client, project = o.project, location = o.location, page_rows = o.page_rows, context = o.context,
		parallel = o.parallel or 1, range_rows = o.range_rows, query_timeout = o.query_timeout,
	}, Run)
	self.head = run(self, request_of(o))
	check_fields(self.head, o.columns)
	self.reader = errors.reading(rows.bigquery_reader, self.head.fields)
	return self
end

local function check_count(self, count, done)
	local total = self.head.total
	if count > total or (done and count < total) then
		err.raise {
			kind = "http", code = "short", exit = 3, retryable = true,
			message = ("BigQuery sent %d of the %d rows of the result (job '%s'); run again")
				:format(count, total, self.job and said(self.job.id, 60) or "without an id"),
		}
	end
end

-- The rows and the scalars of the page at this position; without one, of the first page, which is here already.
local function get_page(self, position)
	local poll
	while true do
		local res = position and get_results(self, position, poll)
		local page, extra = errors.reading(self.reader.read, self.reader, res and res.body or self.head.text)
		if extra.jobComplete ~= false then
			self.page_count = self.page_count + 1
			return page, extra
		end
		poll = poll or poll_of.new(self.query_timeout)
		poll:wait(res.elapsed, self.job.id)
	end
end

-- The result does not change: every page of it speaks of the same number of rows.
local function check_total(self, extra)
	local total = self.head.total
	if whole(extra.totalRows) ~= total then
		errors.raise_shape("BigQuery first spoke of %d rows, then of %s; run again", total, whole(extra.totalRows) or "none")
	end
end

-- A long rest behind the first page, by ranges; nil when it is not worth it.
local function rest_by_ranges(self, first)
	local total, n = self.head.total, #first
	if self.parallel < 2 or not self.job or n == 0 or total <= n then return nil end
	local size = self.range_rows or ranges.rows_for(#self.head.text, n)
	if total - n <= size then return nil end
	return ranges.start {
		first = n, total = total, size = size, width = self.parallel,
		read = function(from, count)
			local page, extra = get_page(self, { startIndex = from, maxResults = count })
			check_total(self, extra)
			return page
		end,
	}
end

-- The next page by tokens.
local function advance(self, walk)
	local first = not walk.token
	local page, extra = get_page(self, walk.token and { pageToken = walk.token })
	if extra.totalRows ~= nil then check_total(self, extra) end
	if walk:advance(#page, extra.pageToken) and first then self.ranges = rest_by_ranges(self, page) end
	self.head.text = nil
	return page
end

local function next_page(self, walk)
	if not self.ranges then return advance(self, walk) end
	local page = self.ranges:next()
	if not page then walk.done = true end
	return page
end

--- The result's pages, empty ones left out. Raises when their rows do not add up to totalRows.
---@return fun(): syncrun.Rows?
function Run:pages()
	local walk, count = chain.new(), 0
	self.page_count = 0
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
function Run:close()
	if self.ranges then self.ranges:close() end
end

--- What the query cost and found.
---@return table total, job, bytes_processed, bytes_billed, cache_hit, pages: each nil when BigQuery did not tell
function Run:summary()
	local billed = self.billed
	if not billed and self.job then -- only jobs.query and the job itself tell
		local job = get_job(self)
		local query = job and type(job.statistics) == "table" and job.statistics.query
		billed = type(query) == "table" and whole(query.totalBytesBilled) or nil
	end
	return {
		total = self.head.total, job = self.job and self.job.id, bytes_processed = self.head.bytes_processed,
		bytes_billed = billed, cache_hit = self.head.cache_hit, pages = self.page_count,
	}
end

--- What a query would process, as BigQuery's dry run tells it: nothing runs, nothing is billed.
---@param client syncrun.BigQueryClient
---@param o table as for start
---@return integer bytes
function M.dry_run(client, o)
	local request = request_of(o)
	request.dryRun, request.maximumBytesBilled, request.jobCreationMode = true, nil, nil
	local path = ("/projects/%s/queries"):format(http.escape(o.project))
	local head = read_head(client:call({ method = "POST", path = path, json = request }, o.context))
	if not head.bytes_processed then
		errors.raise_shape("BigQuery's dry run does not say how many bytes the query processes; is the URL right?")
	end
	return head.bytes_processed
end

--- The least that BigQuery bills a query for each table it reads, in bytes: a lower cap refuses every query.
M.BILLED_MIN = 10 * 1024 * 1024

return M

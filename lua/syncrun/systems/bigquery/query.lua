-- One query, from jobs.query to its last page. Knows REST answers and their pages, nothing of mappings or tables.
--
-- Rules: the result is complete when a page without pageToken came, never when one is short or empty; startIndex is
-- never sent; the rows received must add up to totalRows.
local crypto = require "syncrun.crypto"
local err = require "syncrun.err"
local errors = require "syncrun.systems.bigquery.errors"
local http = require "syncrun.http"
local rows = require "syncrun.rows"
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

local NO_ROWS = rows.schema { { "reason", "text" } }
local HEAD = {
	rows = "errors", paths = { "reason" },
	extra = {
		"jobComplete", "schema.fields", "jobReference.jobId", "jobReference.projectId", "jobReference.location",
		"totalRows", "totalBytesProcessed", "totalBytesBilled", "cacheHit",
	},
}

local function whole(text)
	return math.tointeger(tonumber(text))
end

-- Run a reader of answers; what it cannot read is no answer of BigQuery.
local function read(reader, ...)
	local ok, a, b = pcall(reader, ...)
	if ok then return a, b end
	local e = err.wrap(a)
	if e.kind == "json" then
		e.message = ("BigQuery's answer cannot be read (%s); is a proxy in the way?"):format(e.message)
		e.exit = 3
	end
	err.raise(e)
end

local function read_head(res)
	local _, extra = read(rows.read_json, res.body, NO_ROWS, HEAD)
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

local function get_results(self, token)
	if not self.job then
		errors.raise_shape("BigQuery speaks of more than it sent, but names no job to ask; run again")
	end
	local classify, failed = results_classifier(self)
	local res = self.client:send {
		path = self.job.results, classify = classify,
		query = {
			location = self.job.location, timeoutMs = LONG_POLL, maxResults = self.page_rows, pageToken = token,
			["formatOptions.useInt64Timestamp"] = "true",
		},
	}
	local failure = failed() or errors.of(res)
	if failure then self.client:refuse(failure, self.context) end
	return res
end

-- A pause between two polls, for a server that does not hold its answer back: none after a long poll.
local function pause(polls, elapsed)
	if elapsed < 1 then task.sleep(math.min(1, 0.01 * 2 ^ math.min(polls, 10))) end
end

local function post(self, request)
	request.requestId = crypto.uuid() -- stays the same when the request is sent again
	local path = ("/projects/%s/queries"):format(http.escape(self.project))
	local head = read_head(self.client:call({ method = "POST", path = path, json = request }, self.context))
	set_job(self, head)
	self.billed = head.bytes_billed
	local polls = 0
	while not head.complete do
		pause(polls, head.elapsed)
		polls = polls + 1
		head = read_head(get_results(self))
		set_job(self, head)
	end
	return head
end

-- A job that failed through no fault of the query is run again, as a new job.
local function run(self, request)
	local retry = self.client.retry
	for number = 1, retry.tries do
		self.job = nil
		local head, e = err.try(post, self, request)
		if head then return head end
		if not e.rerun or number == retry.tries then err.raise(e) end
		task.sleep(math.random() * math.min(retry.cap, retry.base * 2 ^ (number - 1)))
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
			errors.raise_shape("BigQuery answered with the column '%s' in the place of '%s'; run again", tostring(got), name)
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
	}
	if o.parameters then request.parameterMode, request.queryParameters = "NAMED", o.parameters end
	if o.max_bytes_billed then request.maximumBytesBilled = ("%d"):format(o.max_bytes_billed) end
	return request
end

--- Run a query up to its first page. Options: sql, columns (the names of the result's columns), project, page_rows,
--- location, parameters, max_bytes_billed, context (for messages).
---@param client syncrun.BigQueryClient
---@param o table
---@return syncrun.BigQueryRun
function M.start(client, o)
	local self = setmetatable({
		client = client, project = o.project, location = o.location, page_rows = o.page_rows, context = o.context,
	}, Run)
	self.head = run(self, request_of(o))
	check_fields(self.head, o.columns)
	return self
end

local function check_count(self, count, done)
	local total = self.head.total
	if count > total or (done and count < total) then
		err.raise {
			kind = "http", code = "short", exit = 3, retryable = true,
			message = ("BigQuery sent %d of the %d rows of the result (job '%s'); run again")
				:format(count, total, self.job and self.job.id or "without an id"),
		}
	end
end

-- The rows and the scalars of the page behind this token; without a token of the first one, which is here already.
local function get_page(self, token)
	local polls = 0
	while true do
		local res = token and get_results(self, token)
		local page, extra = read(rows.read_bigquery, res and res.body or self.head.text, self.head.fields)
		if extra.jobComplete ~= false then return page, extra end
		pause(polls, res.elapsed)
		polls = polls + 1
	end
end

--- The result's pages, empty ones left out. Raises when their rows do not add up to totalRows.
---@return fun(): syncrun.Rows?
function Run:pages()
	local token, done, count = nil, false, 0
	self.page_count = 0
	local function advance()
		local page, extra = get_page(self, token)
		local following = extra.pageToken ~= "" and extra.pageToken or nil
		if following and following == token then errors.raise_shape("BigQuery repeats a page token; run again") end
		token, done, self.head.text = following, not following, nil
		count, self.page_count = count + #page, self.page_count + 1
		check_count(self, count, done)
		return page
	end
	return function()
		while not done do
			local page = advance()
			if #page > 0 then return page end
		end
	end
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

--- The least that BigQuery bills a query for each table it reads, in bytes: a lower cap refuses every query.
M.BILLED_MIN = 10 * 1024 * 1024

return M

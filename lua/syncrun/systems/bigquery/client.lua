-- BigQuery's REST v2 as requests: where it is, who asks, what is tried again. Knows nothing of SQL or rows.
local err = require "syncrun.err"
local errors = require "syncrun.systems.bigquery.errors"
local google = require "syncrun.systems.bigquery.google"
local http = require "syncrun.http"
local log = require "syncrun.log"

local M = {}

local GOOGLE = "https://bigquery.googleapis.com/bigquery/v2"
local MIB = 1024 * 1024

---@class syncrun.BigQueryClient
---@field retry table tries, base, cap, budget: also for running a failed job again
local Client = {}
Client.__index = Client

-- The emulator's variable: host:port or a URL; a path, when there is one, is kept.
local function emulator_url(value)
	local url = value:find "^%a[%w+.-]*://" and value or "http://" .. value
	local origin, path = url:match "^(%a[%w+.-]*://[^/?#]+)([^?#]*)$"
	if not origin then
		err.raise { kind = "config", exit = 2, message =
			("'%s' in BIGQUERY_EMULATOR_HOST is neither host:port nor a URL"):format(value) }
	end
	path = path:gsub("/+$", "")
	return origin .. (path == "" and "/bigquery/v2" or path)
end

local function find_credentials(config, url, record)
	if config.emulator then return nil end
	if not google.is_safe(url) then
		err.raise { kind = "config", exit = 2, message =
			("'%s' is neither https nor on this machine; credentials are not sent there"):format(url) }
	end
	return google.find(setmetatable({ on_attempt = record }, { __index = config }))
end

-- Every attempt goes on record: to the log, and to whoever asked for them.
local function recorder(on_attempt)
	return function(info)
		local outcome = info.status or (info.error and info.error.message) or "no answer"
		log.debug("%s %s %s: attempt %d, %s, %.3f s", info.client, info.method, info.path, info.attempt, outcome,
			info.elapsed)
		if on_attempt then on_attempt(info) end
	end
end

--- A client from the source's config. With the emulator's variable nothing is authorized, else credentials are found
--- now (raises kind config when they are bad).
---@param config table
---@return syncrun.BigQueryClient
function M.new(config)
	local url = config.emulator and emulator_url(config.emulator) or (config.base_url or GOOGLE):gsub("/+$", "")
	local retry = {}
	for k, v in pairs(http.RETRY) do retry[k] = v end
	for k, v in pairs(config.retry or {}) do retry[k] = v end
	local record = recorder(config.on_attempt)
	return setmetatable({
		url = url, retry = retry, credentials = find_credentials(config, url, record), configured_project = config.project,
		quota_project = config.quota_project, drive = config.drive == true,
		http = http.client {
			name = "BigQuery", base_url = url, follow = false, compress = true,
			user_agent = "syncrun (gzip)", -- Google compresses only for clients that say gzip here as well
			timeout = 600, idle_timeout = 90, -- an answer may be held back for the length of a long poll
			max_body = 256 * MIB, -- a page is 20 MB of values, more as JSON; one huge row may make 100 MB
			retry = retry, on_attempt = record,
		},
	}, Client)
end

--- Whose credentials, for messages; nil when none are used.
---@return string?
function Client:who()
	return self.credentials and self.credentials.label
end

--- The project whose jobs run and who pays: as configured, else that of the credentials, else the table's.
---@param of_table string?
---@return string
function Client:project(of_table)
	if not self.found_project then
		self.found_project = self.configured_project or (self.credentials and self.credentials:project()) or of_table
	end
	if not self.found_project then
		err.raise { kind = "config", exit = 2, message =
			"no Google project is configured; set GOOGLE_CLOUD_PROJECT (bigquery.project)" }
	end
	return self.found_project
end

-- Every request may be sent again: reads change nothing, and jobs.query carries a requestId.
local function classify(res, e)
	if e then return e.retryable and "retry" or "fail" end
	local failure = errors.of(res)
	return failure and errors.action(failure) == "retry" and "retry" or "fail"
end

local function headers(self, token)
	local quota = self.quota_project or (self.credentials and self.credentials.quota_project)
	return { Authorization = token and "Bearer " .. token or nil, ["x-goog-user-project"] = quota }
end

local function send(self, o)
	local query = { prettyPrint = "false" }
	for k, v in pairs(o.query or {}) do query[k] = v end
	local request = {
		method = o.method or "GET", path = o.path, query = query, json = o.json, patience = o.patience,
		retry = { classify = o.classify or classify },
	}
	local token = self.credentials and self.credentials:token()
	request.headers = headers(self, token)
	local res = self.http:request(request)
	if res.status ~= 401 or not token then return res end
	request.headers = headers(self, self.credentials:renew(token))
	return self.http:request(request)
end

local OUT_OF_REACH = { http = true, timeout = true, limit = true }

--- Send a request; tried again by Google's reasons, and once with a new token when the first was refused. Options:
--- method, path, query, json, classify, patience. Any status is an answer; a failure on the way raises with exit 3.
---@param o table
---@return syncrun.Response
function Client:send(o)
	local res, e = err.try(send, self, o)
	if res then return res end
	if OUT_OF_REACH[e.kind] then e.exit = e.exit or 3 end
	err.raise(e)
end

--- Send a request and raise what BigQuery refuses.
---@param o table as for send
---@param context table what the message needs to know: table, location, where
---@return syncrun.Response
function Client:call(o, context)
	local res = self:send(o)
	local failure = errors.of(res)
	if failure then self:refuse(failure, context) end
	return res
end

--- Raise a failure.
---@param failure syncrun.BigQueryFailure
---@param context table
function Client:refuse(failure, context)
	local known = { credentials = self:who(), url = self.url, drive = self.drive }
	for k, v in pairs(context) do known[k] = v end
	err.raise(errors.new(failure, known))
end

return M

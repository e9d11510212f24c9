-- What BigQuery's refusals mean, each by its reason first, then by the HTTP status (Google's docs/error-messages): what
-- to do about it, and how to say it. Knows nothing of requests.
local err = require "syncrun.err"
local json = require "syncrun.json"
local said_of = require "syncrun.systems.bigquery.said"

local M = {}

---@class syncrun.BigQueryFailure
---@field status integer? of the HTTP answer
---@field reason string? Google's
---@field message string? Google's, in one line
---@field html boolean? the body is no JSON: some front end answered
---@field page string? it is a web page, in words
---@field job boolean? the job itself failed, so asking again for its result is useless

-- retry: the same request again. rerun: the job failed, the query may run again as a new job.
local RETRY = {
	rateLimitExceeded = true, userRateLimitExceeded = true, backendError = true, internalError = true,
	tableUnavailable = true, badGateway = true,
}
local RERUN = { jobRateLimitExceeded = true, jobBackendError = true, jobInternalError = true }
local FAIL = {
	quotaExceeded = true, resourcesExceeded = true, responseTooLarge = true, billingTierLimitExceeded = true,
	invalid = true, invalidQuery = true, resourceInUse = true, accessDenied = true, billingNotEnabled = true,
	blocked = true, notFound = true, duplicate = true, stopped = true, timeout = true, authError = true,
	bytesBilledLimitExceeded = true,
}
local RETRY_STATUS = { [408] = true, [429] = true, [500] = true, [502] = true, [503] = true, [504] = true }

local function text(value)
	if type(value) ~= "string" or value == "" then return nil end
	return said_of(value)
end

local function object(value)
	return type(value) == "table" and value or {}
end

--- The failure that an answer is, nil when it is none.
---@param res syncrun.Response
---@return syncrun.BigQueryFailure?
function M.of(res)
	if res.status == 200 then return nil end
	local body = err.try(json.decode, res.body or "")
	local e = object(object(body).error)
	local first = object(object(e.errors)[1])
	return {
		status = res.status, reason = text(first.reason), message = text(e.message) or text(first.message),
		html = type(body) ~= "table", page = type(body) ~= "table" and res:page() or nil, phrase = text(res.reason),
		attempts = res.attempts,
	}
end

--- The failure of a job: its errorResult, nil when it has none.
---@param status table the job's status
---@return syncrun.BigQueryFailure?
function M.of_job(status)
	local result = status.errorResult
	if status.state ~= "DONE" or type(result) ~= "table" then return nil end
	return { job = true, reason = text(result.reason), message = text(result.message) }
end

--- What to do about it.
---@param failure syncrun.BigQueryFailure
---@return "retry"|"rerun"|"fail"
function M.action(failure)
	local reason = failure.reason
	if failure.status == 408 then return "retry" end -- the request timed out, whatever its reason: not the job
	if RERUN[reason] then return "rerun" end
	if RETRY[reason] then return failure.job and "rerun" or "retry" end
	if FAIL[reason] or failure.job then return "fail" end
	return RETRY_STATUS[failure.status] and "retry" or "fail"
end

-- ---- how to say it: (failure, context) -> the error's fields

local function said(failure)
	return failure.message or failure.reason or "no reason given"
end

local function not_found(failure, context)
	local message = said(failure)
	local location = message:match "in location ([%w%-]+)" or context.location
	local where = location and " in location " .. location or ""
	local advice = "; check BIGQUERY_TABLE (bigquery.table) and BIGQUERY_LOCATION (bigquery.location)"
	if message:find "Dataset " then
		local dataset = message:match "Dataset (%S+)" or context.table
		return { kind = "config", message = ("dataset '%s' was not found%s%s"):format(dataset, where, advice) }
	elseif message:find "Project " then
		return {
			kind = "config", message = ("BigQuery knows no such project (%s); check GOOGLE_CLOUD_PROJECT"):format(message),
		}
	elseif message:find "Job " then
		return { kind = "http", message = ("BigQuery lost the job (%s); is BIGQUERY_LOCATION right?"):format(message) }
	elseif failure.reason == "notFound" then
		return { kind = "config", message = ("table '%s' was not found%s%s"):format(context.table, where, advice) }
	end
	return {
		kind = "config", message = ("there is no BigQuery at '%s' (HTTP status 404); check the URL"):format(context.url),
	}
end

-- A table over a Google Sheet is read with the account's rights in Google Drive.
local function drive_denied(failure, context)
	local advice = context.drive and "share the sheet with the account, and enable the Google Drive API in its project"
		or "the table is a Google Sheet, so set drive = true in the bigquery section of the config file and share the sheet "
		.. "with the account; a login needs 'gcloud auth application-default login' with the scope drive.readonly as well"
	return { kind = "http", message = ("BigQuery may not read the sheet (%s); %s"):format(said(failure), advice) }
end

local function access_denied(failure, context)
	if said(failure):find "Drive" or said(failure):find "globbing file" then return drive_denied(failure, context) end
	local advice = "; it needs roles/bigquery.jobUser on the project and roles/bigquery.dataViewer on the dataset"
	return { kind = "http", message = ("BigQuery denies the account access (%s)%s"):format(said(failure), advice) }
end

local function bad_credentials(failure, context)
	return {
		kind = "http",
		message = ("BigQuery refuses the credentials of '%s' (%s); are they still valid?"):format(
			context.credentials or "nobody", said(failure)),
	}
end

local function bad_query(failure, context)
	local advice = context.where and "; check the row filter, BIGQUERY_WHERE (bigquery.where)"
		or "; check the mapping's columns"
	return { kind = "config", message = ("BigQuery does not accept the query (%s)%s"):format(said(failure), advice) }
end

local function bad_request(failure)
	return { kind = "config", message = ("BigQuery does not accept the request (%s); check the bigquery settings")
		:format(said(failure)) }
end

local function says(kind, format)
	return function(failure) return { kind = kind, message = format:format(said(failure)) } end
end

local too_big = says("limit", "the query needs more than BigQuery allows (%s); narrow it by bigquery.where")

local SAY = {
	notFound = not_found,
	accessDenied = access_denied,
	authError = bad_credentials,
	invalidQuery = bad_query,
	invalid = bad_request,
	blocked = says("http", "BigQuery has blocked the account (%s); ask its administrator"),
	billingNotEnabled = says("config", "the project has no billing account (%s); enable billing or use another project"),
	quotaExceeded = says("limit", "a quota of BigQuery is used up (%s); try again in ten minutes or later"),
	resourcesExceeded = too_big, responseTooLarge = too_big, billingTierLimitExceeded = too_big,
	bytesBilledLimitExceeded = function(failure)
		return { kind = "limit", exit = 2, message =
			("the query would bill more than bigquery.max_bytes_billed (%s); raise it"):format(said(failure)) }
	end,
	stopped = says("http", "the query was cancelled in BigQuery (%s); run again"),
	timeout = says("timeout", "BigQuery gave up the query (%s); run again, or narrow it by bigquery.where"),
}

local BY_STATUS = { [400] = bad_request, [401] = bad_credentials, [403] = access_denied, [404] = not_found }

-- A refusal by a page is somebody else's: Google's are JSON.
local function stranger(failure)
	local format = "somebody on the way to BigQuery answers %d (%s): a proxy or firewall, not BigQuery; check http_proxy "
		.. "and https_proxy, or ask who runs the network"
	return { kind = "http", code = "page", message = format:format(failure.status, failure.page) }
end

local function unavailable(failure)
	local cause = failure.message or failure.page or (failure.html and "with a page that is no JSON") or failure.reason
	local status = failure.status and ("answers %d %s"):format(failure.status, failure.phrase or "") or "failed the job"
	local tries = (failure.attempts or 1) > 1 and (" after %d attempts"):format(failure.attempts) or ""
	return {
		kind = "http",
		message = ("BigQuery %s%s (%s); try again later"):format(status:gsub(" $", ""), tries, cause or "no reason given"),
	}
end

--- The error object of a failure: kind config (exit 2) where the user can mend it, else exit 3. `rerun` is true when
--- the query may be run again as a new job.
---@param failure syncrun.BigQueryFailure
---@param context { table: string?, location: string?, where: string?, credentials: string?, url: string? }
---@return syncrun.Error
function M.new(failure, context)
	local action = M.action(failure)
	local refused = action == "fail" and BY_STATUS[failure.status]
	if refused and refused ~= not_found and failure.page then refused = stranger end
	local say = SAY[failure.reason] or refused or unavailable
	local fields = say(failure, context)
	fields.code = fields.code or failure.reason or (failure.status and tostring(failure.status)) or nil
	fields.exit = fields.exit or (fields.kind == "config" and 2 or 3)
	fields.retryable = action ~= "fail"
	fields.rerun = action == "rerun"
	fields.status = failure.status
	return err.new(fields)
end

--- What f(...) gives: a reading of an answer, or the reader that its schema asks for. What cannot be read is no answer of
--- BigQuery.
function M.reading(f, ...)
	local result, extra = err.try(f, ...)
	if result then return result, extra end
	if extra.kind == "json" then
		extra.message = ("BigQuery's answer cannot be read (%s); is a proxy in the way?"):format(extra.message)
		extra.exit = 3
	end
	err.raise(extra)
end

--- An answer that no BigQuery gives.
---@param format string
function M.raise_shape(format, ...)
	err.raise { kind = "http", code = "shape", exit = 3, message = format:format(...) }
end

return M

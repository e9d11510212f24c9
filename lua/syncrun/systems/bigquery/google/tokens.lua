-- The plumbing of every request for an access token: what is tried again, how a refusal reads, what a token looks like.
-- Knows no kind of credentials.
local err = require "syncrun.err"
local http = require "syncrun.http"
local json = require "syncrun.json"
local log = require "syncrun.log"
local said = require "syncrun.systems.bigquery.said"

local M = {}

--- Seconds a token lives: the longest that Google accepts.
M.LIFETIME = 3600

local RETRY_STATUS = { [408] = true, [429] = true, [500] = true, [502] = true, [503] = true, [504] = true }

-- Asking for a token changes nothing: every failure that may pass is worth another try.
local function classify(res, e)
	if e then return e.retryable and "retry" or "fail" end
	return RETRY_STATUS[res.status] and "retry" or "fail"
end

--- A client for such requests. Redirects are never followed: secrets go where they were meant to go.
---@param name string for messages
---@param options table retry (as http.client's), on_attempt
---@param more table? further options of http.client
---@return syncrun.HttpClient
function M.client(name, options, more)
	local o = { name = name, follow = false, timeout = 30, max_body = 1024 * 1024, on_attempt = options.on_attempt }
	o.retry = { classify = classify }
	for k, v in pairs(options.retry or {}) do o.retry[k] = v end
	for k, v in pairs(more or {}) do o[k] = v end
	return http.client(o)
end

--- Send; what fails on the way is a system out of reach.
---@param client syncrun.HttpClient
---@param request table
---@return syncrun.Response
function M.send(client, request)
	local res, e = err.try(client.request, client, request)
	if res then return res end
	if e.kind ~= "cancelled" then e.exit = 3 end
	err.raise(e)
end

local function decode(res)
	local body = err.try(json.decode, res.body)
	return type(body) == "table" and body or {}
end

--- What a refusal says. Google's OAuth errors are {"error": "invalid_grant", "error_description": …}; its APIs answer
--- {"error": {"status": …, "message": …}}.
---@param res syncrun.Response
---@return string code, string text
function M.refusal(res)
	local body = decode(res)
	local code, why = body.error, body.error_description
	if type(code) == "table" then code, why = code.status, code.message end
	code = type(code) == "string" and said(code, 60) or tostring(res.status)
	return code, type(why) == "string" and code .. ": " .. said(why) or code
end

local ADVICE = {
	invalid_grant = "is the key or login still valid, and is this machine's clock right?",
	invalid_client = "log in again with 'gcloud auth application-default login'",
	unauthorized_client = "is the service account enabled?",
	PERMISSION_DENIED = "may it act as that service account (roles/iam.serviceAccountTokenCreator)?",
}

--- Raise the refusal of a token.
---@param source syncrun.GoogleCredentials
---@param res syncrun.Response
function M.refused(source, res)
	local code, why = M.refusal(res)
	local advice = ADVICE[code] or (res.status >= 500 and "try again later" or "use another key")
	err.raise {
		kind = "http", code = code, exit = 3, retryable = RETRY_STATUS[res.status] or false,
		message = ("Google gives no token for '%s' (%s); %s"):format(source.label, why, advice),
	}
end

local function check_token(source, token)
	if type(token) == "string" and token:find "^[%w%-._~+/=]+$" then
		log.secret(token)
		return token
	end
	err.raise {
		kind = "http", code = "token", exit = 3,
		message = ("Google's answer for '%s' holds no access token; is a proxy in the way?"):format(source.label),
	}
end

--- The token of an answer by RFC 6749, and the seconds it lives.
---@param source syncrun.GoogleCredentials
---@param res syncrun.Response
---@return string token, integer seconds
function M.of(source, res)
	if res.status ~= 200 then M.refused(source, res) end
	local body = decode(res)
	return check_token(source, body.access_token), math.tointeger(tonumber(body.expires_in)) or M.LIFETIME
end

--- The token of an answer of generateAccessToken; its end is told as an instant, which the answer's own Date turns
--- into seconds, so that this machine's clock does not matter.
---@param source syncrun.GoogleCredentials
---@param res syncrun.Response
---@return string token, integer seconds
function M.of_impersonation(source, res)
	if res.status ~= 200 then M.refused(source, res) end
	local body = decode(res)
	local token = check_token(source, body.accessToken)
	local ends = err.try(require "syncrun.time".parse, body.expireTime)
	local now = res.headers.date and http.date(res.headers.date) or os.time()
	return token, ends and math.max(0, ends // 1000000 - now) or M.LIFETIME
end

return M

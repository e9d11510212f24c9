--- Requests to Twenty: sent at the pace it allows, its four shapes of error told apart (facts/twenty.md 2), reads
--- repeated. An error raised here says what it means for a write: reject (the content was refused), unknown (it may
--- have happened all the same).
local err = require "syncrun.err"
local http = require "syncrun.http"
local json = require "syncrun.json"
local log = require "syncrun.log"
local task = require "syncrun.task"
local time = require "syncrun.time"
local pace = require "syncrun.systems.twenty.pace"

local M = {}

local EVIDENCE_MAX = 8192     -- bytes of a failed request and its answer that the error carries
local ERRORS_MAX = 256 * 1024 -- a longer answer holds people; its reader looks for errors

---@class syncrun.TwentyClient
local Client = {}
Client.__index = Client

-- ---- what went wrong

local function text_of(value)
	if type(value) == "table" then return text_of(value[1] or value.message) end
	return type(value) == "string" and value or nil
end

local function decode(body)
	local doc = err.try(json.decode, body)
	return doc
end

-- Failures of setting up fields name each field and reason deep inside.
local function metadata_words(errors)
	local words = {}
	local list = type(errors) == "table" and errors.fieldMetadata
	for _, entry in ipairs(type(list) == "table" and list or {}) do
		for _, e in ipairs(type(entry.errors) == "table" and entry.errors or {}) do words[#words + 1] = text_of(e) end
	end
	return #words > 0 and table.concat(words, "; ") or nil
end

local function of_graphql(entry, status)
	local ext = type(entry.extensions) == "table" and entry.extensions or {}
	return {
		status = status, message = text_of(entry.message) or "an error without a message", code = text_of(ext.code),
		subcode = text_of(ext.subCode), user = text_of(ext.userFriendlyMessage),
	}
end

local function of_rest(doc, res)
	local message = doc.errors and metadata_words(doc.errors) or text_of(doc.messages) or text_of(doc.message)
	return { status = res.status, message = message or res.reason, code = text_of(doc.error), subcode = text_of(doc.code) }
end

-- The failure that an answer tells, or nil.
local function failure_of(res)
	local body = res.body or ""
	local good = res.status >= 200 and res.status < 300
	if good and (#body > ERRORS_MAX or not body:find('"errors"', 1, true)) then return nil end
	local doc = decode(body)
	if type(doc) == "string" then return { status = res.status, message = doc } end
	if type(doc) ~= "table" then
		return { status = res.status, message = ("HTTP %d %s"):format(res.status, res.reason or "") }
	end
	if json.is_array(doc.errors) and doc.errors[1] then return of_graphql(doc.errors[1], res.status) end
	return not good and of_rest(doc, res) or nil
end

-- The server's or its database's trouble, not the request's: the same may succeed, and may have happened already.
local TROUBLE = {
	"Query read timeout", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "EAI_AGAIN", "timeout exceeded",
	"Connection terminated", "connection is closed", "socket hang up", "deadlock detected",
}
local REFUSED_CONTENT = { ["Data validation error."] = true, ["request entity too large"] = true }

local function is_trouble(f)
	for _, words in ipairs(TROUBLE) do
		if f.message:find(words, 1, true) then return true end
	end
	return f.status == 408 or (f.status >= 500 and not REFUSED_CONTENT[f.message])
end

local AUTH = { UNAUTHENTICATED = true, FORBIDDEN = true, FORBIDDEN_EXCEPTION = true, PERMISSION_DENIED = true }

local function is_auth(f)
	return f.status == 401 or f.status == 403 or AUTH[f.code] or AUTH[f.subcode] or
		f.message:find('on type "Query".', 1, true) ~= nil
end

local function is_limit(f)
	return f.status == 429 or f.subcode == "LIMIT_REACHED" or f.message:find "^Limit reached %(" ~= nil
end

-- The server's words, with what it would tell a person where that says more (which field is in use).
local function words_of(f)
	local user = f.user
	if not user or user == f.message or user == "An error occurred." or user:find "^Invalid value:" then
		return f.message
	end
	return ("%s (%s)"):format(f.message, user)
end

local function auth_error(self, f)
	local bad = f.status == 401 or f.code == "UNAUTHENTICATED" or f.subcode == "UNAUTHENTICATED"
	local advice = bad and "check TWENTY_API_KEY" or "check TWENTY_API_KEY and the role of the key"
	return err.new {
		kind = "http", code = bad and "401" or "403", exit = 3,
		message = ("'%s' refused the API key (%s); %s"):format(self.name, f.message, advice),
	}
end

-- What a create is told when a unique value of it is there already.
local EXISTS = { ["A duplicate entry was detected"] = true }

local function answer_error(self, f)
	if is_auth(f) then return auth_error(self, f) end
	if is_limit(f) then
		return err.new { kind = "http", code = "LIMIT_REACHED", message = f.message, limited = true, retryable = true }
	end
	if is_trouble(f) then
		return err.new { kind = "http", code = tostring(f.status), message = ("'%s' is in trouble (%s)"):format(self.name,
			f.message), unknown = true, retryable = true, exit = 3, slow = f.message == "Query read timeout" }
	end
	return err.new { kind = "http", code = f.subcode or f.code or tostring(f.status), status = f.status,
		message = words_of(f), reject = true, exists = EXISTS[f.message] }
end

--- The error for the `errors` that a long answer carried.
---@param errors table the decoded list
---@return syncrun.Error
function Client:error_of(errors)
	return answer_error(self, of_graphql(errors[1], 200))
end

-- ---- sending

local function transport_error(e)
	if e.kind == "http" or e.kind == "timeout" then e.unknown, e.exit = true, 3 end
	e.slow = e.kind == "timeout" and e.code ~= "connect"
	return e
end

-- What was asked and answered, for the record of the attempt.
local function with_evidence(e, o, res)
	e.request = ("%s %s\n%s"):format(o.method, o.path, (o.body or ""):sub(1, EVIDENCE_MAX))
	e.response = ("HTTP %d\n%s"):format(res.status, (res.body or ""):sub(1, EVIDENCE_MAX))
	return e
end

-- One request: its answer, or nil and an error. What could not be sent at all is repeated by the HTTP client.
local function attempt(self, o)
	if o.paced then self.pace:take() end
	local res, e = err.try(self.http.request, self.http, {
		method = o.method, path = o.path, query = o.query, json = o.json, body = o.body,
		headers = o.body and { ["Content-Type"] = "application/json" } or nil, idempotent = false, max_body = o.max_body,
		retry = { tries = o.tries or self.tries, base = self.base, classify = function(answer)
			return answer and "fail" or nil
		end },
	})
	if not res then
		if e.kind == "cancelled" then err.raise(e) end
		return nil, transport_error(e)
	end
	local failure = failure_of(res)
	if not failure then return res end
	return nil, with_evidence(answer_error(self, failure), o, res)
end

local function backoff(self, n)
	task.sleep(math.random() * math.min(32, self.base * 2 ^ n))
end

-- A refused call was not executed: wait and repeat, whatever it was, until the budget ends.
local function wait_for_limit(self, e, refusals, since)
	if time.mono() - since > self.limit_budget then
		e.message = ("'%s' lets no request through (%s)"):format(self.name, e.message)
		err.raise(e)
	end
	self.pace:refused(e.message)
	if refusals > 1 then backoff(self, math.min(refusals - 2, 4)) end
end

--- Send a request; a good answer comes back, anything else raises. Options: method, path, query, json or body; read:
--- it changes nothing and is repeated when in doubt; paced: it counts against the rate limit; tries; shrinkable: the
--- caller asks for less when the answer is too slow (e.slow), so that is not repeated.
---@param o table
---@return syncrun.Response
function Client:call(o)
	local failures, refusals, since, tries = 0, 0, time.mono(), o.tries or self.tries
	while true do
		local res, e = attempt(self, o)
		if res then return res end
		failures = failures + (e.attempts or 1)
		if e.limited then
			refusals, failures = refusals + 1, 0
			wait_for_limit(self, e, refusals, since)
		elseif e.unknown and o.read and failures < tries and not (e.slow and o.shrinkable) then
			backoff(self, failures - 1)
		else
			err.raise(e)
		end
	end
end

--- Send a query. Variables are values, or JSON text made elsewhere as json.raw.
---@param query string
---@param variables table
---@param o { read: boolean, shrinkable: boolean?, max_body: integer? }
---@return string body
function Client:graphql(query, variables, o)
	local res = self:call {
		method = "POST", path = "/graphql", paced = true, read = o.read, shrinkable = o.shrinkable,
		body = json.encode { query = query, variables = variables }, max_body = o.max_body,
	}
	return res.body
end

-- Whatever refuses to list its objects is no Twenty.
local function not_twenty(self, path, why)
	err.raise { kind = "http", code = "shape", exit = 3, message = ("'%s' does not answer %s as Twenty does (%s); is "
		.. "TWENTY_API_URL the address of a Twenty server?"):format(self.name, path, why) }
end

--- A metadata call, whose answer is an object or a list: decoded. They are not limited.
---@param method string
---@param path string below /rest/metadata
---@param o { query: table?, json: any, tries: integer? }?
---@return any
function Client:metadata(method, path, o)
	o = o or {}
	path = "/rest/metadata" .. path
	local read = method == "GET"
	local res, e = err.try(self.call, self, {
		method = method, path = path, query = o.query, json = o.json, read = read, tries = o.tries,
	})
	if e and e.reject and read then not_twenty(self, path, e.message) end
	if e then err.raise(e) end
	local doc = decode(res.body)
	if type(doc) ~= "table" then not_twenty(self, path, "no JSON") end
	return doc
end

--- A client. Config: url, key, rate, timeout, retry = {tries, base}, limit_budget (seconds).
---@param config table
---@param name string for messages
---@return syncrun.TwentyClient
function M.new(config, name)
	log.secret(config.key)
	local rate, retry = config.rate, config.retry or {}
	if rate == nil then rate = { tokens = 95, every = 0.61 } end
	return setmetatable({
		name = name, tries = retry.tries or 6, base = retry.base or 1, limit_budget = config.limit_budget or 1800,
		pace = pace.new(rate and { tokens = rate.tokens or 95, every = rate.every or 0.61 }),
		http = http.client {
			base_url = config.url, name = name, timeout = config.timeout or 120, idle_timeout = config.timeout or 60,
			max_body = 64 * 2 ^ 20, headers = { Authorization = "Bearer " .. config.key }, follow = false,
		},
	}, Client)
end

return M

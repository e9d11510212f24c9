--- Requests to Twenty: sent at the pace it allows, its four shapes of error told apart (facts/twenty.md 2), reads
--- repeated. An error raised here says what it means for a write: reject (the content was refused), unknown (it may
--- have happened all the same).
local err = require "syncrun.err"
local http = require "syncrun.http"
local json = require "syncrun.json"
local log = require "syncrun.log"
local patience_of = require "syncrun.patience"
local task = require "syncrun.task"
local time = require "syncrun.time"
local pace = require "syncrun.systems.twenty.pace"

local M = {}

local EVIDENCE_MAX = 8192     -- bytes of a failed request and its answer that the error carries
local LIMIT_BUDGET, LIMIT_REFUSALS = 600, 200 -- seconds and times that one call may be refused by the rate limit
local ERRORS_MAX = 256 * 1024 -- a longer answer holds people; its reader looks for errors

---@class syncrun.TwentyClient
local Client = {}
Client.__index = Client

-- ---- what went wrong

-- Any part of an answer may be of any type: what is no table has no members.
local function table_of(value)
	return type(value) == "table" and value or {}
end

local function text_of(value)
	if type(value) == "table" then return text_of(value[1] or value.message) end
	return type(value) == "string" and value ~= "" and value or nil
end

local function decode(body)
	local doc = err.try(json.decode, body)
	return doc
end

-- Failures of setting up fields name each field and reason deep inside.
local function metadata_words(errors)
	local words = {}
	for _, entry in ipairs(table_of(table_of(errors).fieldMetadata)) do
		for _, e in ipairs(table_of(table_of(entry).errors)) do words[#words + 1] = text_of(e) end
	end
	return #words > 0 and table.concat(words, "; ") or nil
end

-- Whether the member "errors" of an answer tells one.
local function tells(errors)
	if errors == nil or errors == json.null then return false end
	return type(errors) ~= "table" or not json.is_array(errors) or errors[1] ~= nil
end

local function of_graphql(errors, status)
	local entry = table_of(json.is_array(errors) and errors[1] or errors)
	local ext = table_of(entry.extensions)
	return {
		status = status, message = text_of(entry.message) or "an error without a message", code = text_of(ext.code),
		subcode = text_of(ext.subCode), user = text_of(ext.userFriendlyMessage),
	}
end

local function of_rest(doc, res)
	local message = doc.errors and metadata_words(doc.errors) or text_of(doc.messages) or text_of(doc.message)
	return { status = res.status, message = message or ("HTTP %d %s"):format(res.status, res.reason or ""),
		code = text_of(doc.error), subcode = text_of(doc.code) }
end

-- The failure that an answer tells, or nil.
local function failure_of(res)
	local body = res.body or ""
	local good = res.status >= 200 and res.status < 300
	if good and (#body > ERRORS_MAX or not body:find('"errors"', 1, true)) then return nil end
	local doc = decode(body)
	if type(doc) ~= "table" then
		return { status = res.status, message = text_of(doc) or ("HTTP %d %s"):format(res.status, res.reason or "") }
	end
	if tells(doc.errors) and (good or json.is_array(doc.errors)) then return of_graphql(doc.errors, res.status) end
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

--- Raise what the member `errors` of an answer tells, if it tells any.
---@param errors any as it was decoded
function Client:check_errors(errors)
	if tells(errors) then err.raise(answer_error(self, of_graphql(errors, 200))) end
end

--- The error for an answer that is not as Twenty's are: whatever is in reach, it is lost.
---@param code string
---@param message string
---@return syncrun.Error
function Client:odd(code, message)
	return err.new { kind = "http", code = code, exit = 3, message = ("'%s' %s"):format(self.name, message) }
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

-- One request: its answer, or nil and an error. What could not be sent at all is repeated by the HTTP client. The wait for
-- an answer counts from the first request; the pace says itself that it waits.
local function attempt(self, o, call)
	if o.paced then self.pace:take() end
	call.patience = call.patience or patience_of.new(("'%s' to answer %s %s"):format(self.name, o.method, o.path))
	local res, e = err.try(self.http.request, self.http, {
		method = o.method, path = o.path, query = o.query, json = o.json, body = o.body,
		headers = o.body and { ["Content-Type"] = "application/json" } or nil, idempotent = false, max_body = o.max_body,
		patience = call.patience, retry = { tries = o.tries or self.tries, base = self.base, classify = function(answer)
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

local function backoff(self, call, e, n)
	call.patience:note(e.message:match "^[^;]*")
	call.patience:during(task.sleep, math.random() * math.min(32, self.base * 2 ^ n))
end

local function give_up(self, e, refusals, why)
	e.message = ("'%s' lets no request through (%s; refused %d time%s%s); is its rate limit used up by others?"):format(
		self.name, e.message, refusals, refusals == 1 and "" or "s", why)
	e.retryable = false
	err.raise(e)
end

-- A refused call was not executed: wait and repeat, whatever it was, until the budget ends.
local function wait_for_limit(self, e, call)
	local waited = time.mono() - call.since
	call.refusals = call.refusals + 1
	self.pace:refused(e.message)
	local long = self.pace:interval()
	if long > self.limit_budget then give_up(self, e, call.refusals, (", one request every %.0f s"):format(long)) end
	if waited > self.limit_budget or call.refusals >= LIMIT_REFUSALS then
		give_up(self, e, call.refusals, (" in %.0f s"):format(waited))
	end
	if call.refusals > 1 then backoff(self, call, e, math.min(call.refusals - 2, 4)) end
end

--- Send a request; a good answer comes back, anything else raises. Options: method, path, query, json or body; read:
--- it changes nothing and is repeated when in doubt; paced: it counts against the rate limit; tries; shrinkable: the
--- caller asks for less when the answer is too slow (e.slow), so that is not repeated.
---@param o table
---@return syncrun.Response
function Client:call(o)
	local failures, tries = 0, o.tries or self.tries
	local call = { refusals = 0, since = time.mono() }
	while true do
		local res, e = attempt(self, o, call)
		if res then return res end
		failures = failures + (e.attempts or 1)
		if e.limited then
			failures = 0
			wait_for_limit(self, e, call)
		elseif e.unknown and o.read and failures < tries and not (e.slow and o.shrinkable) then
			backoff(self, call, e, failures - 1)
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

--- A client. Config: url, key, rate, timeout, retry = {tries, base}, limit_budget (seconds that a call is refused by the
--- rate limit before it is given up).
---@param config table
---@param name string for messages
---@return syncrun.TwentyClient
function M.new(config, name)
	log.secret(config.key)
	local rate, retry = config.rate, config.retry or {}
	if rate == nil then rate = { tokens = 95, every = 0.61 } end
	return setmetatable({
		name = name, tries = retry.tries or 6, base = retry.base or 1, limit_budget = config.limit_budget or LIMIT_BUDGET,
		pace = pace.new(rate and { tokens = rate.tokens or 95, every = rate.every or 0.61 }),
		http = http.client {
			base_url = config.url, name = name, timeout = config.timeout or 120, idle_timeout = config.timeout or 60,
			max_body = 64 * 2 ^ 20, headers = { Authorization = "Bearer " .. config.key }, follow = false,
			insecure = config.insecure,
		},
	}, Client)
end

return M

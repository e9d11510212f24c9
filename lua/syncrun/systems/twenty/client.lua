--- Requests to Twenty: sent at the pace it allows, reads repeated. What its answers mean stands in errors.lua.
local err = require "syncrun.err"
local errors = require "syncrun.systems.twenty.errors"
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

---@class syncrun.TwentyClient
local Client = {}
Client.__index = Client

--- Raise what the member `errors` of an answer tells, if it tells any.
---@param list any as it was decoded
function Client:check_errors(list)
	local failure = errors.of_list(list)
	if failure then err.raise(errors.new(self.name, failure)) end
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
	local failure = errors.of(res)
	if not failure then return res end
	return nil, with_evidence(errors.new(self.name, failure), o, res)
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
		elseif e.unknown and e.code ~= "page" and o.read and failures < tries and not (e.slow and o.shrinkable) then
			backoff(self, call, e, failures - 1)
		else
			if o.read and e.code == "page" then e.unknown = nil end -- nothing can have happened
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
	local doc = err.try(json.decode, res.body)
	if type(doc) ~= "table" then not_twenty(self, path, "no JSON") end
	return doc
end

--- A query of the metadata, which every key may ask for: decoded.
---@param query string
---@param variables table
---@return table data
function Client:metadata_query(query, variables)
	local res = self:call { method = "POST", path = "/metadata", read = true,
		body = json.encode { query = query, variables = variables } }
	local doc = err.try(json.decode, res.body)
	if type(doc) ~= "table" then not_twenty(self, "/metadata", "no JSON") end
	self:check_errors(doc.errors)
	if type(doc.data) ~= "table" then not_twenty(self, "/metadata", "no data") end
	return doc.data
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

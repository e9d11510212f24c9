--- HTTP: a client with limits and retries, and a small server. Waiting is invisible; a status is never an error.
local c = require "_syncrun.http"
local address = require "syncrun.url"
local call = require "syncrun.call"
local err = require "syncrun.err"
local message = require "syncrun.http_message"
local options = require "syncrun.http_options"
local patience_of = require "syncrun.patience"
local retry_of = require "syncrun.retry"
local task = require "syncrun.task"
local visible = require "syncrun.visible"

local M = {}

local MIB = 1024 * 1024
local UNSENT = { -- failures before a byte of the request could be sent: always safe to repeat
	COULDNT_RESOLVE_PROXY = true, COULDNT_RESOLVE_HOST = true, COULDNT_CONNECT = true, SSL_CONNECT_ERROR = true,
	PROXY = true, connect = true,
}
local IDEMPOTENT = { GET = true, HEAD = true, PUT = true, DELETE = true, OPTIONS = true }
local RETRY_STATUS = { [408] = true, [429] = true, [502] = true, [503] = true, [504] = true }
local FIRST = { tries = 3, budget = 3 } -- a server that was never reached is given up soon: its address may be wrong
local STRIPPED = { authorization = true, cookie = true } -- by libcurl, when a redirect leads to another host
local TEXT = { "text" }

M.escape, M.encode_query, M.decode_query = message.escape, message.encode_query, message.decode_query
M.serve = require "syncrun.http_server".serve

--- Read a date as HTTP headers spell it (RFC 9110, 5.6.7): seconds since 1970, nil when it is none.
---@param text string
---@return integer?
function M.date(text) return c.date(text) end

-- ---- the request

local function origin(url)
	return (url:match("^%a[%w+.-]*://[^/?#]*") or ""):lower()
end

local function request_url(client, o)
	local url = o.url
	if not url then
		if not client.base_url then
			err.raisef("usage", "a request needs 'url', or 'path' on a client with 'base_url'")
		end
		local path = o.path or ""
		if path ~= "" and not path:find("^[/?]") then path = "/" .. path end
		url = client.base_url:gsub("/+$", "") .. path
	end
	local query = type(o.query) == "table" and message.encode_query(o.query) or o.query
	if query and query ~= "" then url = url .. (url:find("?", 1, true) and "&" or "?") .. query end
	return url
end

local function request_body(o, merged)
	if o.json ~= nil then
		message.add_headers(merged, { ["Content-Type"] = "application/json" })
		return require "syncrun.json".encode(o.json)
	elseif o.form then
		message.add_headers(merged, { ["Content-Type"] = "application/x-www-form-urlencoded" })
		return message.encode_query(o.form)
	end
	return o.body
end

local function first_set(a, b)
	if a ~= nil then return a end
	return b
end

-- Credentials over plain http are read by whoever stands on their way.
local function refuse_exposed(client, url, merged)
	if client.insecure or not address.is_exposed(url) then return end
	local secret = url:find "^[^/]*//[^/?#]*@" and "the password of the URL"
	for key, header in pairs(merged) do
		secret = header.value ~= false and message.is_credential(key) and header.name or secret
	end
	if not secret then return end
	local host = address.shown(url):match "^%a[%w+.-]*://([^/]*)" or ""
	err.raise {
		kind = "config", code = "insecure", exit = 2, message =
			("'%s' is not sent to '%s' (plain http to another machine, %s); use https"):format(secret, client.name or host,
				host),
	}
end

-- Whether a redirect may be followed by libcurl: not where it would take credentials along to another host.
local function may_follow(merged)
	for key, header in pairs(merged) do
		if header.value ~= false and message.is_credential(key) and not STRIPPED[key] then return false end
	end
	return true
end

-- What _syncrun.http wants to know of one request.
local function prepare(client, o)
	local method = o.method or "GET"
	local url = request_url(client, o)
	local foreign = client.base_url and origin(url) ~= origin(client.base_url)
	local merged = {}
	message.add_headers(merged, client.headers, foreign and message.is_credential or nil)
	local body = request_body(o, merged)
	message.add_headers(merged, o.headers)
	refuse_exposed(client, url, merged)
	local max_body = o.max_body
	if not max_body then max_body = o.stream and 0 or client.max_body end
	return {
		name = client.name,
		method = method,
		url = url,
		headers = message.header_list(merged),
		body = body,
		user_agent = client.user_agent,
		timeout = first_set(o.timeout, client.timeout),
		connect_timeout = client.connect_timeout,
		idle_timeout = first_set(o.idle_timeout, client.idle_timeout),
		max_body = max_body,
		compress = client.compress,
		follow = first_set(o.follow, first_set(client.follow, true)) and may_follow(merged),
	}
end

-- ---- the rate limit: a token bucket

local Bucket = {}
Bucket.__index = Bucket

local function bucket_new(o)
	local every = o.every or (o.per and o.tokens and o.per / o.tokens)
	local burst = o.burst or o.tokens or 1
	if not (every and every >= 0 and burst >= 1) then
		err.raisef("usage", "a rate needs 'every' (seconds a token), or 'tokens' and 'per' (seconds)")
	end
	local level = math.min(o.level or burst, burst)
	return setmetatable({ every = every, burst = burst, level = level, at = c.now() }, Bucket)
end

function Bucket:refill()
	local now = c.now()
	local gained = self.every > 0 and (now - self.at) / self.every or self.burst
	self.level = math.min(self.burst, self.level + gained)
	self.at = now
end

local function take_token(client)
	while client.bucket do -- set_rate may exchange it meanwhile
		local bucket = client.bucket
		bucket:refill()
		if bucket.level >= 1 then
			bucket.level = bucket.level - 1
			return
		end
		task.sleep((1 - bucket.level) * bucket.every)
	end
end

-- ---- answers

---@class syncrun.Response
---@field status integer
---@field body string? absent when streamed
---@field headers table<string, string> lower-case names, repeated ones joined by ", "
---@field reason string
---@field http_version string "1.1", "2"
---@field url string where it came from, after redirects
---@field attempts integer
---@field elapsed number seconds of the last attempt
local Response = {}
Response.__index = Response

--- The body as JSON.
---@return any
function Response:json()
	return require "syncrun.json".decode(self.body)
end

--- What stands in the place of an API's answer when that is a web page: a proxy's, a firewall's, a login's. Nil when it is
--- none. For messages: "an HTML page titled 'Just a moment...' by cloudflare".
---@return string?
function Response:page()
	return message.page(self.headers, self.body or "")
end

--- The pieces of a streamed body as they come. Leaving the loop early closes the connection.
---@return fun(): string?
function Response:chunks()
	return function()
		local bytes = self.exchange and self.exchange:read()
		if not bytes then self:close() end
		return bytes
	end, nil, nil, self
end

--- Let go of a streamed answer: it counts against the client's concurrency until then. Twice is legal.
function Response:close()
	if self.exchange then
		self.exchange:close()
		self.exchange = nil
		self.places:release()
	end
end

Response.__close = Response.close
Response.__gc = Response.close -- one that was dropped must not keep its place

function Response:__tostring()
	return ("HTTP %d %s of '%s', %s"):format(self.status, self.reason, self.url,
		self.body and #self.body .. " bytes" or "streamed")
end

-- ---- the client

---@class syncrun.HttpClient
local Client = {}
Client.__index = Client

local function path_of(url)
	return url:match "^%a[%w+.-]*://[^/?#]*([^?#]*)"
end

function Client:__tostring()
	return ("HTTP client of '%s'"):format(self.name or self.base_url or "any host")
end

local function report_attempt(client, o, request, number, started, res, e)
	local hook = o.on_attempt or client.on_attempt
	if not hook then return end
	hook {
		client = client.name, method = request.method, path = path_of(request.url),
		attempt = number, status = res and res.status, elapsed = c.now() - started, error = e,
		bytes_sent = request.body and #request.body or 0, bytes_received = res and res.body and #res.body or nil,
	}
end

local function send(client, o, request)
	if not o.stream then return c.request(request) end
	local res = c.open(request)
	res.places = client.places
	return res
end

-- One attempt under the client's limits: an answer, or nil and an error.
local function attempt(client, o, request, number, patience)
	if client.bucket then patience:during(client.turn.with, client.turn, take_token, client) end
	client.places:acquire()
	local started = c.now()
	local res, e = err.try(patience.during, patience, send, client, o, request)
	if not (res and res.exchange) then client.places:release() end
	if res then
		client.reached, res.attempts, res.reason = true, number, visible.excerpt(res.reason)
		setmetatable(res, Response)
	elseif e.kind == "cancelled" then
		err.raise(e)
	end
	report_attempt(client, o, request, number, started, res, e)
	return res, e
end

-- Retry-After (RFC 9110 10.2.3): seconds or a date.
local function retry_after(res)
	local value = res and res.headers["retry-after"]
	if not value then return 0 end
	if value:find("^%d+$") then return tonumber(value) end
	local at = c.date(value)
	return at and math.max(0, at - os.time()) or 0
end

local function retry_policy(client, o)
	if o.retry == false or (o.retry == nil and client.retry == false) then return retry_of.ONCE end
	return setmetatable(o.retry or {}, { __index = client.retry or M.RETRY })
end

-- Whether to try again, and after exactly how many seconds if that is said.
local function wants_retry(policy, o, request, res, e)
	local word, delay
	if policy.classify then word, delay = policy.classify(res, e) end
	if word then return word == "retry", delay end
	if e and e.retryable and UNSENT[e.code] then return true end
	local idempotent = first_set(o.idempotent, IDEMPOTENT[request.method] or false)
	return idempotent and ((e and e.retryable) or (res and RETRY_STATUS[res.status])) or false
end

-- The seconds until the next attempt, nil when there is none.
local function next_attempt(client, o, request, tries, res, e)
	if tries:is_last() then return nil end
	local again, exact = wants_retry(tries.policy, o, request, res, e)
	if not again then return nil end
	local first = e and not client.reached and UNSENT[e.code] and FIRST or {}
	return tries:delay { asked = retry_after(res), exact = exact, tries = first.tries, budget = first.budget }
end

-- What an attempt brought, in a few words.
local function trouble(res, e)
	return res and ("%d %s"):format(res.status, res.reason) or e.message:match "^[^;]*"
end

-- The path without the query, which may hold secrets.
local function goal(client, request)
	local who = client.name or request.url:match "^%a[%w+.-]*://([^/?#]*)"
	return ("'%s' to answer %s %s"):format(who, request.method, path_of(request.url))
end

--- Send a request and wait for the answer. Any status is an answer; only failures of transport raise: kind "http"
--- (code "COULDNT_CONNECT", "PARTIAL_FILE" ...), "timeout" (code "connect", "idle", "total"), "limit" (code "body").
--- Options: method, path or url, query, headers, body | json | form, timeout, idle_timeout, max_body, stream,
--- idempotent, retry, follow, on_attempt. The client's own headers that carry credentials (Authorization, Cookie, …Key,
--- …Token) are sent to base_url's host only; no redirect takes any along to another host; and none travels by plain http
--- to another machine (kind config, code "insecure") unless the client was made `insecure`. Repeated are idempotent
--- requests (GET, HEAD, PUT, DELETE, OPTIONS) that failed retryably or were answered 408, 429, 502, 503 or 504, and every
--- request that was never sent; classify overrules both. A server that was never reached at all is tried three times
--- within three seconds. After 10 s a line says what is waited for; `patience` (of syncrun.patience) is told then in the
--- place of our own.
---@param o table
---@return syncrun.Response
function Client:request(o)
	o = call.options("http", o, options.request)
	local request = prepare(self, o)
	local tries, patience = retry_of.new(retry_policy(self, o)), o.patience or patience_of.new(goal(self, request))
	while true do
		local number = tries.failures + 1
		local res, e = attempt(self, o, request, number, patience)
		local delay = next_attempt(self, o, request, tries, res, e)
		if not delay then
			if not res then
				e.attempts = number
				err.raise(e)
			end
			patience:note(nil)
			return res
		end
		patience:note(trouble(res, e))
		if res then res:close() end
		patience:during(task.sleep, delay)
	end
end

local function with_method(client, method, path, o)
	local copy = { method = method, path = path }
	for k, v in pairs(call.options("http", o, options.request)) do copy[k] = v end
	return client:request(copy)
end

--- GET base_url .. path.
---@param path string
---@param o table?
---@return syncrun.Response
function Client:get(path, o) return with_method(self, "GET", path, o) end

--- POST base_url .. path.
---@param path string
---@param o table?
---@return syncrun.Response
function Client:post(path, o) return with_method(self, "POST", path, o) end

--- PUT base_url .. path.
---@param path string
---@param o table?
---@return syncrun.Response
function Client:put(path, o) return with_method(self, "PUT", path, o) end

--- PATCH base_url .. path.
---@param path string
---@param o table?
---@return syncrun.Response
function Client:patch(path, o) return with_method(self, "PATCH", path, o) end

--- DELETE base_url .. path.
---@param path string
---@param o table?
---@return syncrun.Response
function Client:delete(path, o) return with_method(self, "DELETE", path, o) end

--- The rate limit in force: every (seconds a token), burst, level (tokens left now); nil: none.
---@return { every: number, burst: number, level: number }?
function Client:rate()
	local bucket = self.bucket
	if not bucket then return nil end
	bucket:refill()
	return { every = bucket.every, burst = bucket.burst, level = bucket.level }
end

--- Change the rate limit, as when an answer tells it: {tokens=, per=} or {every=, burst=}, with level= for the tokens
--- that are left now; nil lifts it.
---@param rate table?
function Client:set_rate(rate)
	self.bucket = rate and bucket_new(call.options("http", rate, options.rate)) or nil
end

--- The defaults of retry: see syncrun.retry.
M.RETRY = retry_of.POLICY

--- Make a client. Options: base_url, headers, timeout (60 s in all), connect_timeout (10), idle_timeout (30), max_body
--- (64 MiB), concurrency (8), rate ({tokens=, per=} or {every=, burst=}), retry ({tries=, base=, cap=, budget=, longest=,
--- classify=function(res, e) -> "retry" | "fail" | nil, delay}) or false, name (for messages), compress, user_agent,
--- follow, insecure, on_attempt (function(info): client, method, path, status, attempt, elapsed, error, bytes_sent,
--- bytes_received; for the audit trail).
---@param o table?
---@return syncrun.HttpClient
function M.client(o)
	o = call.options("http.client", o, options.client)
	local retry = o.retry
	if retry ~= false then retry = setmetatable(retry or {}, { __index = M.RETRY }) end
	local client = setmetatable({
		name = o.name, base_url = o.base_url, headers = o.headers or {}, user_agent = o.user_agent or "syncrun",
		timeout = o.timeout or 60, connect_timeout = o.connect_timeout or 10, idle_timeout = o.idle_timeout or 30,
		max_body = o.max_body or 64 * MIB, compress = o.compress, follow = o.follow, on_attempt = o.on_attempt,
		insecure = o.insecure, retry = retry, places = task.semaphore(o.concurrency or 8), turn = task.semaphore(1),
	}, Client)
	client:set_rate(o.rate)
	return client
end

local default_client

--- Send a request on a default client.
---@param o table
---@return syncrun.Response
function M.request(o)
	default_client = default_client or M.client()
	return default_client:request(o)
end

--- GET a URL on a default client.
---@param url string
---@param o table?
---@return syncrun.Response
function M.get(url, o)
	call.check("http.get", "url", url, TEXT)
	local copy = { method = "GET", url = url }
	for k, v in pairs(call.options("http.get", o, options.request)) do copy[k] = v end
	return M.request(copy)
end

return M

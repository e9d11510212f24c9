-- Requests for access tokens: a service account's signed assertion, an authorized user's refresh token, the metadata
-- server. Each grant is function(source) -> token, seconds it lives. Knows nothing of caching.
local crypto = require "syncrun.crypto"
local err = require "syncrun.err"
local http = require "syncrun.http"
local json = require "syncrun.json"
local log = require "syncrun.log"

local M = {}

--- Where tokens come from, and the audience of every assertion, wherever it is sent (as Google's Python client does).
M.TOKEN_URL = "https://oauth2.googleapis.com/token"

local JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
local LIFETIME = 3600 -- the longest that Google accepts
local RETRY_STATUS = { [408] = true, [429] = true, [500] = true, [502] = true, [503] = true, [504] = true }

-- Asking for a token changes nothing: every failure that may pass is worth another try.
local function classify(res, e)
	if e then return e.retryable and "retry" or "fail" end
	return RETRY_STATUS[res.status] and "retry" or "fail"
end

local function make_client(name, options, more)
	local o = { name = name, follow = false, timeout = 30, max_body = 1024 * 1024 }
	o.retry = setmetatable({ classify = classify }, { __index = options.retry or http.RETRY })
	for k, v in pairs(more or {}) do o[k] = v end
	return http.client(o)
end

local function decode(res)
	local body = err.try(json.decode, res.body)
	return type(body) == "table" and body or {}
end

-- Google's OAuth errors are {"error": "invalid_grant", "error_description": …}; other front ends answer as the APIs do.
local function refusal(res)
	local body = decode(res)
	local code, why = body.error, body.error_description
	if type(code) == "table" then code, why = code.status, code.message end
	code = type(code) == "string" and code or tostring(res.status)
	return code, type(why) == "string" and code .. ": " .. why or code
end

local ADVICE = {
	invalid_grant = "is the key or login still valid, and is this machine's clock right?",
	invalid_client = "log in again with 'gcloud auth application-default login'",
	unauthorized_client = "is the service account enabled?",
}

local function refused(source, res)
	local code, why = refusal(res)
	local advice = ADVICE[code] or (res.status >= 500 and "try again later" or "use another key")
	err.raise {
		kind = "http", code = code, exit = 3, retryable = RETRY_STATUS[res.status] or false,
		message = ("Google gives no token for '%s' (%s); %s"):format(source.label, why, advice),
	}
end

-- Send; what fails on the way is a system out of reach.
local function send(client, request)
	local res, e = err.try(client.request, client, request)
	if res then return res end
	if e.kind ~= "cancelled" then e.exit = 3 end
	err.raise(e)
end

local function token_of(source, res)
	if res.status ~= 200 then refused(source, res) end
	local body = decode(res)
	local seconds = math.tointeger(tonumber(body.expires_in)) or LIFETIME
	if type(body.access_token) ~= "string" or not body.access_token:find "^[%w%-._~+/=]+$" then
		err.raise {
			kind = "http", code = "token", exit = 3,
			message = ("Google's answer for '%s' holds no access token; is a proxy in the way?"):format(source.label),
		}
	end
	log.secret(body.access_token)
	return body.access_token, seconds
end

--- The signed assertion of a service account: RS256 over header and claims (RFC 7515, RFC 7523).
---@param file table client_email, private_key, private_key_id
---@param scope string
---@param now integer seconds since 1970
---@return string
function M.assertion(file, scope, now)
	local header = { alg = "RS256", typ = "JWT", kid = file.private_key_id }
	local claims = { iss = file.client_email, scope = scope, aud = M.TOKEN_URL, iat = now, exp = now + LIFETIME }
	local signed = crypto.base64url_encode(json.encode(header)) .. "." .. crypto.base64url_encode(json.encode(claims))
	local signature, e = err.try(crypto.rs256_sign, file.private_key, signed)
	if not signature then
		err.raise {
			kind = "config", code = "credentials", exit = 2,
			message = ("the Google key file '%s' has an unusable 'private_key' (%s); download it anew"):format(file.path,
				e.message),
		}
	end
	return signed .. "." .. crypto.base64url_encode(signature)
end

--- A grant for a service account's key.
---@param file table
---@param options table scope, retry
---@return function
function M.service_account(file, options)
	local client = make_client("Google's token endpoint", options)
	return function(source)
		local assertion = M.assertion(file, options.scope, os.time())
		log.secret(assertion)
		return token_of(source, send(client, {
			method = "POST", url = file.token_uri or options.token_url or M.TOKEN_URL,
			form = { grant_type = JWT_GRANT, assertion = assertion },
		}))
	end
end

--- A grant for the login of `gcloud auth application-default login`.
---@param file table
---@param options table token_url, retry
---@return function
function M.authorized_user(file, options)
	local client = make_client("Google's token endpoint", options)
	return function(source)
		return token_of(source, send(client, {
			method = "POST", url = options.token_url or M.TOKEN_URL,
			form = {
				grant_type = "refresh_token", client_id = file.client_id, client_secret = file.client_secret,
				refresh_token = file.refresh_token,
			},
		}))
	end
end

---@class syncrun.MetadataServer of a Google virtual machine
local Metadata = {}
Metadata.__index = Metadata

--- The metadata server, whether it is there or not. Connecting is given little time: elsewhere nobody answers.
---@param host string host or host:port
---@param options table scope, retry
---@return syncrun.MetadataServer
function M.metadata(host, options)
	local client = make_client("metadata server", options, {
		base_url = "http://" .. host .. "/computeMetadata/v1", connect_timeout = 1, timeout = 5,
		headers = { ["Metadata-Flavor"] = "Google" },
	})
	return setmetatable({ client = client, scope = options.scope }, Metadata)
end

-- Only an answer that carries the flavor is the metadata server's.
local function is_google(res)
	return res.headers["metadata-flavor"] == "Google"
end

--- Is it there?
---@return boolean
function Metadata:probe()
	local res, e = err.try(self.client.get, self.client, "/instance", { retry = false })
	if e and e.kind == "cancelled" then err.raise(e) end
	return res ~= nil and is_google(res)
end

--- The machine's project, nil when it has none.
---@return string?
function Metadata:project()
	local res = send(self.client, { path = "/project/project-id" })
	return res.status == 200 and is_google(res) and res.body:match "^%s*(%S+)%s*$" or nil
end

--- The grant: a token of the machine's default service account.
---@return string token, integer seconds
function Metadata:token(source)
	local res = send(self.client, {
		path = "/instance/service-accounts/default/token", query = { scopes = self.scope },
	})
	if not is_google(res) then
		err.raise {
			kind = "http", code = "metadata", exit = 3,
			message = ("'%s' does not answer as Google's metadata server does; check GCE_METADATA_HOST"):format(source.label),
		}
	end
	return token_of(source, res)
end

return M

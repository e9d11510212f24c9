-- Requests for access tokens: a service account's signed assertion, an authorized user's refresh token, the metadata
-- server; what takes an exchange is federation.lua's. Each grant is function(source) -> token, seconds it lives. Knows
-- nothing of caching.
local crypto = require "syncrun.crypto"
local err = require "syncrun.err"
local federation = require "syncrun.systems.bigquery.google.federation"
local http = require "syncrun.http"
local json = require "syncrun.json"
local log = require "syncrun.log"
local tokens = require "syncrun.systems.bigquery.google.tokens"

local M = {}

--- Where tokens come from, and the audience of every assertion, wherever it is sent (as Google's Python client does).
M.TOKEN_URL = "https://oauth2.googleapis.com/token"

local JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
local SKEW_MIN = 30 -- seconds of difference to Google's clock that are worth a second try

-- Header and claims, signed by RS256 (RFC 7515).
local function sign(file, claims)
	local header = { alg = "RS256", typ = "JWT", kid = file.private_key_id }
	local signed = crypto.base64url_encode(json.encode(header)) .. "." .. crypto.base64url_encode(json.encode(claims))
	local signature, e = err.try(crypto.rs256_sign, file.private_key, signed)
	if not signature then
		err.raise {
			kind = "config", code = "credentials", exit = 2,
			message = ("the Google key file '%s' has an unusable 'private_key' (%s); download it anew"):format(file.path,
				e.message),
		}
	end
	local jwt = signed .. "." .. crypto.base64url_encode(signature)
	log.secret(jwt)
	return jwt
end

--- The signed assertion of a service account that is exchanged for a token (RFC 7523).
---@param file table client_email, private_key, private_key_id
---@param scope string
---@param now integer seconds since 1970
---@return string
function M.assertion(file, scope, now)
	return sign(file, {
		iss = file.client_email, scope = scope, aud = M.TOKEN_URL, iat = now, exp = now + tokens.LIFETIME,
	})
end

--- A token that the service account signs itself: Google's APIs take it as it is, no token endpoint is asked.
---@param file table
---@param scope string
---@param now integer
---@return string
function M.self_signed(file, scope, now)
	return sign(file, {
		iss = file.client_email, sub = file.client_email, scope = scope, iat = now, exp = now + tokens.LIFETIME,
	})
end

-- By how many seconds this machine's clock is behind Google's, when that is why an assertion was refused.
local function skew_of(res, skew)
	if res.status ~= 400 or skew ~= 0 or not res.headers.date then return 0 end
	local code, why = tokens.refusal(res)
	local theirs = code == "invalid_grant" and why:find "iat" and http.date(res.headers.date)
	local off = theirs and theirs - os.time() or 0
	return math.abs(off) >= SKEW_MIN and off or 0
end

local OUT_OF_REACH = { http = true, timeout = true }

--- A grant for a service account's key. An assertion refused since this machine's clock is wrong is sent once more by
--- Google's clock; when the token endpoint is out of reach, the account signs its token itself.
---@param file table
---@param options table scope, retry
---@return function
function M.service_account(file, options)
	local client, skew = tokens.client("Google's token endpoint", options), 0
	local function ask()
		return tokens.send(client, {
			method = "POST", url = file.token_uri or options.token_url or M.TOKEN_URL,
			form = { grant_type = JWT_GRANT, assertion = M.assertion(file, options.scope, os.time() + skew) },
		})
	end
	return function(source)
		local res, e = err.try(ask)
		local off = res and skew_of(res, skew) or 0
		if off ~= 0 then
			log.warn("this machine's clock is %d s off Google's; tokens are asked for by Google's", off)
			skew = off
			res, e = err.try(ask)
		end
		if res and res.status < 500 then return tokens.of(source, res) end
		if e and not OUT_OF_REACH[e.kind] then err.raise(e) end
		log.warn("%s; the account signs its own token", e and e.message or ("Google's token endpoint answers "
			.. res.status))
		return M.self_signed(file, options.scope, os.time() + skew), tokens.LIFETIME
	end
end

--- A grant for the login of `gcloud auth application-default login`.
---@param file table
---@param options table token_url, retry
---@return function
function M.authorized_user(file, options)
	local client = tokens.client("Google's token endpoint", options)
	return function(source)
		return tokens.of(source, tokens.send(client, {
			method = "POST", url = options.token_url or M.TOKEN_URL,
			form = {
				grant_type = "refresh_token", client_id = file.client_id, client_secret = file.client_secret,
				refresh_token = file.refresh_token,
			},
		}))
	end
end

M.external_account = federation.external_account

--- The grant of a credentials file, whatever its type.
---@param file table as google/file.lua gives it
---@param options table
---@return function
function M.of(file, options)
	if file.type == "impersonated_service_account" then
		return federation.impersonated_service_account(file, options, M.of)
	end
	return M[file.type](file, options)
end

---@class syncrun.MetadataServer of a Google virtual machine
local Metadata = {}
Metadata.__index = Metadata

--- The metadata server, whether it is there or not. Connecting is given little time: elsewhere nobody answers.
---@param host string host or host:port
---@param options table scope, retry
---@return syncrun.MetadataServer
function M.metadata(host, options)
	local client = tokens.client("metadata server", options, {
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
	local res = tokens.send(self.client, { path = "/project/project-id" })
	return res.status == 200 and is_google(res) and res.body:match "^%s*(%S+)%s*$" or nil
end

--- The grant: a token of the machine's default service account.
---@return string token, integer seconds
function Metadata:token(source)
	local res = tokens.send(self.client, {
		path = "/instance/service-accounts/default/token", query = { scopes = (self.scope:gsub(" ", ",")) },
	})
	if not is_google(res) then
		err.raise {
			kind = "http", code = "metadata", exit = 3,
			message = ("'%s' does not answer as Google's metadata server does; check GCE_METADATA_HOST"):format(source.label),
		}
	end
	return tokens.of(source, res)
end

return M

-- Tokens in exchange for other tokens: an external account's own one at Google's STS (RFC 8693), and a service account's
-- for whoever may act as it. Knows nothing of caching.
local crypto = require "syncrun.crypto"
local err = require "syncrun.err"
local http = require "syncrun.http"
local json = require "syncrun.json"
local log = require "syncrun.log"
local tokens = require "syncrun.systems.bigquery.google.tokens"

local M = {}

local CLOUD = "https://www.googleapis.com/auth/cloud-platform" -- what acting as a service account takes
local EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
local ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"

local function no_subject(file, format, ...)
	err.raise {
		kind = "config", exit = 2, code = "credentials",
		message = ("the Google key file '%s' names a token %s"):format(file.path, format:format(...)),
	}
end

local function read_source_file(file, path)
	local f, why = io.open(path, "r")
	local text = f and f:read "a"
	if f then f:close() end
	if not text then
		no_subject(file, "in '%s' that cannot be read (%s); is its issuer running?", path,
			(tostring(why):gsub("^.*: ", "")))
	end
	return text
end

local function read_source_url(file, client)
	local source = file.credential_source
	local res = tokens.send(client, { url = source.url, headers = source.headers })
	if res.status == 200 then return res.body end
	err.raise {
		kind = "http", exit = 3, code = "subject_token", retryable = res.status >= 500,
		message = ("'%s', which '%s' names as the source of its token, answers %d; is its issuer running?"):format(
			source.url:match "^[^?#]*", file.path, res.status),
	}
end

-- The token that the outside world gave this workload. Read anew each time: its issuer exchanges it.
local function subject_token(file, client)
	local source = file.credential_source
	local text = source.file and read_source_file(file, source.file) or read_source_url(file, client)
	local token = text
	if source.format and source.format.type == "json" then
		local body = err.try(json.decode, text)
		token = type(body) == "table" and body[source.format.subject_token_field_name]
	end
	token = type(token) == "string" and token:match "^%s*(.-)%s*$" or ""
	if token == "" then no_subject(file, "in '%s' that is not there", source.file or source.url:match "^[^?#]*") end
	log.secret(token)
	return token
end

local function exchange_form(file, scope, subject)
	local form = {
		grant_type = EXCHANGE, audience = file.audience, scope = scope, requested_token_type = ACCESS_TOKEN,
		subject_token = subject, subject_token_type = file.subject_token_type,
	}
	if file.workforce_pool_user_project then
		form.options = json.encode { userProject = file.workforce_pool_user_project }
	end
	return form
end

local function client_headers(file)
	if not file.client_id then return nil end
	local pair = http.escape(file.client_id) .. ":" .. http.escape(file.client_secret or "")
	return { Authorization = "Basic " .. crypto.base64_encode(pair) }
end

local function words(text)
	local list = json.array {}
	for word in text:gmatch "%S+" do list[#list + 1] = word end
	return list
end

local function generate(client, source, o)
	return tokens.of_impersonation(source, tokens.send(client, {
		method = "POST", url = o.url, headers = { Authorization = "Bearer " .. o.token }, idempotent = true,
		json = {
			scope = words(o.scope), lifetime = o.lifetime or tokens.LIFETIME .. "s",
			delegates = o.delegates and json.array(o.delegates) or nil,
		},
	}))
end

local function lifetime_of(file)
	local settings = file.service_account_impersonation
	local seconds = type(settings) == "table" and math.tointeger(settings.token_lifetime_seconds)
	return seconds and ("%ds"):format(seconds) or nil
end

--- A grant for workload identity federation: the subject token from a file or URL, exchanged at token_url, then, when
--- the file says so, for a token of a service account.
---@param file table
---@param options table scope, retry
---@return function
function M.external_account(file, options)
	local client = tokens.client("Google's token exchange", options)
	local acts_as = file.service_account_impersonation_url
	return function(source)
		local form = exchange_form(file, acts_as and CLOUD or options.scope, subject_token(file, client))
		local token, seconds = tokens.of(source, tokens.send(client, {
			method = "POST", url = file.token_url, form = form, headers = client_headers(file),
		}))
		if not acts_as then return token, seconds end
		return generate(client, source, {
			url = acts_as, token = token, scope = options.scope, lifetime = lifetime_of(file),
		})
	end
end

--- A grant that acts as a service account with the token of other credentials.
---@param file table
---@param options table scope, retry
---@param grant_of fun(file: table, options: table): function the grant of any credentials file
---@return function
function M.impersonated_service_account(file, options, grant_of)
	local client = tokens.client("Google's service account credentials", options)
	local wider = setmetatable({ scope = CLOUD }, { __index = options })
	local grant = grant_of(file.source_credentials, wider)
	return function(source)
		local token = grant(source)
		return generate(client, source, {
			url = file.service_account_impersonation_url, token = token, scope = options.scope,
			delegates = file.delegates or {},
		})
	end
end

return M

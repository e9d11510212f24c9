-- Google credential files: reading one, judging it, registering its secrets. Knows nothing of tokens or requests.
local address = require "syncrun.url"
local err = require "syncrun.err"
local files = require "syncrun.file"
local json = require "syncrun.json"
local log = require "syncrun.log"

local M = {}

local NEEDED = {
	service_account = { "client_email", "private_key" },
	authorized_user = { "client_id", "client_secret", "refresh_token" },
	external_account = { "audience", "subject_token_type", "token_url", "credential_source" },
	impersonated_service_account = { "service_account_impersonation_url", "source_credentials" },
}
local REFUSED = { external_account_authorized_user = true, gdch_service_account = true }
local TEXTS = {
	"client_email", "private_key", "private_key_id", "client_id", "client_secret", "refresh_token", "token_uri",
	"project_id", "quota_project_id", "audience", "subject_token_type", "token_url",
	"service_account_impersonation_url", "workforce_pool_user_project", "universe_domain",
}
local URLS = { "token_uri", "token_url", "service_account_impersonation_url" }
local DEPTH = 3 -- impersonations inside each other

local function refuse(path, format, ...)
	err.raise {
		kind = "config", exit = 2, code = "credentials",
		message = ("the Google key file '%s' "):format(path) .. format:format(...),
	}
end

-- A key's text (JSON, PEM, either in base64) put where its path belongs.
local function is_text(path)
	return path:find "^%s*[{%[]" or path:find "[\r\n].*[\r\n]" or path:find "^%s*%-%-%-%-%-BEGIN"
		or (#path > 200 and path:find "^%s*[eL][%w+/=%s]+$") or #path > 4096
end

-- Said without a byte of it.
local function refuse_text(path)
	if not is_text(path) then return end
	log.secret(path)
	err.raise {
		kind = "config", exit = 2, code = "credentials",
		message = "GOOGLE_APPLICATION_CREDENTIALS (bigquery.credentials) holds the text of a key, not the path of its file; "
			.. "write the text to a file that only you can read, and give the path of that",
	}
end

local function read_text(path)
	local file, why, number = io.open(path, "r")
	local text
	if file then
		text, why, number = file:read "a"
		file:close()
	end
	if text then return text end
	local absent = number == 2 -- ENOENT
	refuse(path, "cannot be read (%s); %s", (why:gsub("^.*: ", "")),
		absent and "does GOOGLE_APPLICATION_CREDENTIALS name it right?" or "may this user read it?")
end

local function decode(path, text)
	local file, e = err.try(json.decode, text)
	if e then
		local line = e.message:match "line (%d+)"
		refuse(path, "is not JSON%s; download it anew", line and (" (line %s)"):format(line) or "")
	end
	if type(file) ~= "table" or json.is_array(file) then refuse(path, "is not a JSON object; download it anew") end
	return file
end

local function drop_nulls(t)
	if type(t) ~= "table" then return t end
	for key, value in pairs(t) do
		if value == json.null then t[key] = nil end
	end
	return t
end

local function register_secrets(file)
	for _, name in ipairs { "private_key", "refresh_token", "client_secret" } do
		if type(file[name]) == "string" then log.secret(file[name]) end
	end
end

-- A key that lost its line breaks on the way (into an environment variable, through a template: they became the two
-- characters \n, blanks, or nothing) is laid out again; any other text stays as it is.
local function mend_key(file)
	if type(file.private_key) ~= "string" then return end
	local name, body = file.private_key:match "^%s*%-%-%-%-%-BEGIN ([%u ]+)%-%-%-%-%-(.-)%-%-%-%-%-END [%u ]+%-%-%-%-%-"
	body = body and body:gsub("\\[rn]", ""):gsub("%s+", "")
	if not body or body == "" or body:find "[^%w+/=]" then return end
	local lines = { "-----BEGIN " .. name .. "-----" }
	for at = 1, #body, 64 do lines[#lines + 1] = body:sub(at, at + 63) end
	lines[#lines + 1] = "-----END " .. name .. "-----\n"
	file.private_key = table.concat(lines, "\n")
end

local function refuse_source(path, what)
	refuse(path, "%s; use a service account's key, or a source of type file or url", what)
end

local function check_format(path, source)
	local format = source.format
	if format == nil then return end
	local known = type(format) == "table" and (format.type == "text" or format.type == "json")
	if not known then refuse(path, "has a 'credential_source' in a format that is neither text nor json") end
	if format.type == "json" and type(format.subject_token_field_name) ~= "string" then
		refuse(path, "has a 'credential_source' of format json without 'subject_token_field_name'")
	end
end

-- A list, or an object, of texts; absent is neither.
local function check_texts(path, value, name, is_kind)
	if value == nil then return end
	local good = is_kind(value)
	for _, text in pairs(good and value or {}) do good = good and type(text) == "string" end
	if not good then refuse(path, "has '%s' that are not as they should be; download it anew", name) end
end

local function is_object(value)
	return type(value) == "table" and not json.is_array(value)
end

-- Where an external account's own token comes from. A program is never run, and AWS's signatures are not made.
local function check_source(path, source)
	if type(source) ~= "table" then refuse(path, "has a 'credential_source' that is no object") end
	if source.executable then
		refuse_source(path, "names a program to run for its token, and syncrun never runs one")
	elseif source.environment_id ~= nil then
		refuse_source(path, "takes its token from AWS, which syncrun does not do")
	elseif source.certificate ~= nil then
		refuse_source(path, "takes its token by a certificate, which syncrun does not do")
	elseif type(source.file) ~= "string" and type(source.url) ~= "string" then
		refuse_source(path, "has a 'credential_source' of an unknown kind")
	end
	if source.url and not (M.is_safe(source.url) or M.is_link_local(source.url)) then
		refuse(path, "has a 'credential_source' whose 'url' is neither https nor on this machine")
	end
	check_texts(path, source.headers, "headers", is_object)
	check_format(path, source)
end

local function check_type(path, file)
	if file.type == nil and (file.installed or file.web) then
		refuse(path, "is an OAuth client, not credentials; run 'gcloud auth application-default login' with it")
	elseif type(file.type) ~= "string" then
		refuse(path, "has no 'type'; is it a Google credentials file?")
	elseif REFUSED[file.type] then
		refuse(path, "has the type '%s', which is not supported; use a service account's key", file.type)
	elseif not NEEDED[file.type] then
		refuse(path, "has the unknown type '%s'; use a service account's key", file.type)
	end
end

local function check_members(path, file)
	for _, name in ipairs(NEEDED[file.type]) do
		if file[name] == nil then refuse(path, "has no '%s'; download it anew", name) end
	end
	for _, name in ipairs(TEXTS) do
		if file[name] ~= nil and type(file[name]) ~= "string" then refuse(path, "has a '%s' that is not text", name) end
	end
	check_texts(path, file.delegates, "delegates", json.is_array)
	for _, name in ipairs(URLS) do
		if file[name] and not M.is_safe(file[name]) then
			refuse(path, "has a '%s' that is neither https nor on this machine", name)
		end
	end
	if file.private_key and not file.private_key:find "^%s*%-%-%-%-%-BEGIN [%u ]*PRIVATE KEY%-%-%-%-%-" then
		refuse(path, "has a 'private_key' that is not a PEM key; download it anew")
	end
	if file.universe_domain and file.universe_domain ~= "googleapis.com" then
		refuse(path, "belongs to the universe '%s'; only googleapis.com is supported", file.universe_domain)
	end
end

--- Is this URL fit to carry a secret: https, or http to this machine?
---@param url string
---@return boolean
function M.is_safe(url)
	return not url:find "^[^/]*//[^/?#]*@" and address.is_private(url)
end

--- Is this URL at the address that cloud machines keep their own metadata at? It never leaves the machine's host.
---@param url string
---@return boolean
function M.is_link_local(url)
	return url:find "^http://169%.254%.169%.254[:/?]" ~= nil or url == "http://169.254.169.254"
end

local function judge(path, file, depth)
	drop_nulls(file)
	register_secrets(file)
	mend_key(file)
	register_secrets(file)
	check_type(path, file)
	if file.type == "external_account" then check_source(path, drop_nulls(file.credential_source)) end
	check_members(path, file)
	file.path = path
	if file.type == "impersonated_service_account" then
		if type(file.source_credentials) ~= "table" or depth == DEPTH then
			refuse(path, "has 'source_credentials' that are no credentials")
		end
		judge(path, file.source_credentials, depth + 1)
	end
	return file
end

--- Read a credentials file of any supported type. Raises kind config (exit 2) naming the file and what is wrong with
--- it, never its contents.
---@param path string
---@return table file its members; `path` added
function M.read(path)
	refuse_text(path)
	files.warn_when_public(path, "key file")
	return judge(path, decode(path, read_text(path)), 0)
end

return M

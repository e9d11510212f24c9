-- Google credential files: reading one, judging it, registering its secrets. Knows nothing of tokens or requests.
local err = require "syncrun.err"
local json = require "syncrun.json"
local log = require "syncrun.log"

local M = {}

local NEEDED = {
	service_account = { "client_email", "private_key" },
	authorized_user = { "client_id", "client_secret", "refresh_token" },
}
local LATER = {
	external_account = true, external_account_authorized_user = true, impersonated_service_account = true,
	gdch_service_account = true,
}

local function refuse(path, format, ...)
	err.raise {
		kind = "config", exit = 2, code = "credentials",
		message = ("the Google key file '%s' "):format(path) .. format:format(...),
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
	for key, value in pairs(file) do
		if value == json.null then file[key] = nil end
	end
	return file
end

-- The key also line by line: that is how it is quoted by other programs' messages.
local function register_secrets(file)
	for _, name in ipairs { "private_key", "refresh_token", "client_secret" } do
		if type(file[name]) == "string" then log.secret(file[name]) end
	end
	if type(file.private_key) ~= "string" then return end
	for line in file.private_key:gmatch "[^\r\n]+" do
		if #line >= 16 and not line:find "^%-%-%-%-%-" then log.secret(line) end
	end
end

local function check_source(path, file)
	local source = type(file.credential_source) == "table" and file.credential_source or {}
	if source.executable then
		refuse(path, "names a program to run for its token; syncrun never runs one: use a key, or a source of type file")
	elseif tostring(source.environment_id):find "^aws" then
		refuse(path, "takes its token from AWS; syncrun does not: use a key, or a source of type file")
	end
end

local function check_type(path, file)
	if file.type == nil and (file.installed or file.web) then
		refuse(path, "is an OAuth client, not credentials; run 'gcloud auth application-default login' with it")
	elseif type(file.type) ~= "string" then
		refuse(path, "has no 'type'; is it a Google credentials file?")
	end
	if LATER[file.type] then
		check_source(path, file)
		refuse(path, "has the type '%s', which is not supported yet; use a service account's key", file.type)
	elseif not NEEDED[file.type] then
		refuse(path, "has the unknown type '%s'; use a service account's key", file.type)
	end
end

local function check_members(path, file)
	for _, name in ipairs(NEEDED[file.type]) do
		if file[name] == nil then refuse(path, "has no '%s'; download it anew", name) end
	end
	for _, name in ipairs { "client_email", "private_key", "private_key_id", "client_id", "client_secret", "refresh_token",
		"token_uri", "project_id", "quota_project_id" } do
		if file[name] ~= nil and type(file[name]) ~= "string" then refuse(path, "has a '%s' that is not text", name) end
	end
	if file.private_key and not file.private_key:find "^%s*%-%-%-%-%-BEGIN [%u ]*PRIVATE KEY%-%-%-%-%-" then
		refuse(path, "has a 'private_key' that is not a PEM key; download it anew")
	end
	if file.universe_domain and file.universe_domain ~= "googleapis.com" then
		refuse(path, "belongs to the universe '%s'; only googleapis.com is supported", tostring(file.universe_domain))
	end
end

--- Is this URL fit to carry a secret: https, or http to this machine?
---@param url string
---@return boolean
function M.is_safe(url)
	local scheme, rest = url:match "^(%a+)://([^/?#]+)"
	if not scheme or rest:find("@", 1, true) then return false end
	if scheme:lower() == "https" then return true end
	local host = rest:match "^(%[.-%])" or rest:match "^[^:]*"
	return scheme:lower() == "http" and (host == "localhost" or host == "[::1]" or host:find "^127%.%d+%.%d+%.%d+$" ~= nil)
end

--- Read a service account's key or an authorized user's file. Raises kind config (exit 2) naming the file and what is
--- wrong with it, never its contents.
---@param path string
---@return table file its members; `path` added
function M.read(path)
	local file = decode(path, read_text(path))
	register_secrets(file)
	check_type(path, file)
	check_members(path, file)
	if file.type == "service_account" and file.token_uri and not M.is_safe(file.token_uri) then
		refuse(path, "has a 'token_uri' that is neither https nor on this machine")
	end
	file.path = path
	return file
end

return M

--- Google credentials: found as Google's own clients find them, turned into bearer tokens that are renewed in time.
--- Knows nothing of BigQuery.
local address = require "syncrun.url"
local err = require "syncrun.err"
local file_reader = require "syncrun.systems.bigquery.google.file"
local grants = require "syncrun.systems.bigquery.google.grants"
local log = require "syncrun.log"
local task = require "syncrun.task"
local time = require "syncrun.time"

local M = {}

local SCOPE = "https://www.googleapis.com/auth/bigquery"
local DRIVE = "https://www.googleapis.com/auth/drive.readonly"
local MARGIN = 225 -- seconds before its end that a token is renewed, as Google's Python client does

--- Where a Google virtual machine's metadata server is when nothing names it.
M.METADATA = "169.254.169.254"

---@class syncrun.GoogleCredentials
---@field label string what they are, for messages: the path of a file or the metadata server's host
---@field quota_project string? for the header x-goog-user-project
local Credentials = {}
Credentials.__index = Credentials

local function credentials_new(fields)
	fields.turn = task.mutex()
	return setmetatable(fields, Credentials)
end

local function is_fresh(self)
	return self.access ~= nil and time.mono() < self.renew_at
end

local function fetch(self)
	if is_fresh(self) then return end -- another task was first
	local access, seconds = self:grant()
	self.renew_at = time.mono() + seconds - math.min(MARGIN, seconds / 2)
	self.access = access
end

--- A valid bearer token. However many tasks ask, one request is made for it. Raises kind http with exit 3 when Google
--- refuses or cannot be reached.
---@return string
function Credentials:token()
	if not is_fresh(self) then self.turn:with(fetch, self) end
	return self.access
end

--- Another token, since this one was refused although it should be valid.
---@param refused string
---@return string
function Credentials:renew(refused)
	if self.access == refused then self.access = nil end
	return self:token()
end

--- The project the credentials belong to, nil when nothing says.
---@return string?
function Credentials:project()
	if self.own_project == nil then self.own_project = self.find_project() or false end
	return self.own_project or nil
end

local function gcloud_dir(options)
	if options.cloudsdk_config then return options.cloudsdk_config end
	local home = options.home or os.getenv "HOME"
	return home and home .. "/.config/gcloud"
end

local function read_line(path)
	local file = io.open(path, "r")
	local line = file and file:read "l"
	if file then file:close() end
	return line
end

-- The project of `gcloud config set project`.
local function gcloud_project(dir)
	local name = dir and (read_line(dir .. "/active_config") or "default"):match "^[%w%-]+$"
	local file = name and io.open(dir .. "/configurations/config_" .. name, "r")
	if not file then return nil end
	local section, project
	for line in file:lines() do
		section = line:match "^%s*%[(.-)%]" or section
		if section == "core" then project = line:match "^%s*project%s*=%s*(%S+)" or project end
	end
	file:close()
	return project
end

local function from_file(path, options)
	local file = file_reader.read(path)
	return credentials_new {
		label = path,
		quota_project = options.quota_project or file.quota_project_id,
		grant = grants.of(file, options),
		find_project = function() return file.project_id or gcloud_project(gcloud_dir(options)) end,
	}
end

local function nothing_found(dir)
	err.raise {
		kind = "config", code = "credentials", exit = 2,
		message = ("no Google credentials were found (GOOGLE_APPLICATION_CREDENTIALS is not set, there is no login in '%s', "
			.. "and no metadata server answers); set GOOGLE_APPLICATION_CREDENTIALS to the path of a service account's key")
			:format(dir or "~/.config/gcloud"),
	}
end

-- The metadata server speaks http only; at its own address it does not leave the machine's host.
local function warn_when_elsewhere(host)
	local url = "http://" .. host
	if file_reader.is_link_local(url) or address.is_local(url) or host:find "^metadata%.google%.internal%.?:?%d*$" then
		return
	end
	log.warn("Google's tokens come unencrypted from '%s' (GCE_METADATA_HOST); who stands on the way can use them",
		address.shown(url))
end

local function from_metadata(options, dir)
	local host = options.metadata_host or M.METADATA
	warn_when_elsewhere(host)
	local server = grants.metadata(host, options)
	local found = options.metadata_host ~= nil -- it was named: the request itself says what is wrong with it
	return credentials_new {
		label = host,
		quota_project = options.quota_project,
		grant = function(source)
			found = found or server:probe()
			if not found then nothing_found(dir) end
			return server:token(source)
		end,
		find_project = function()
			found = found or server:probe()
			return found and server:project() or gcloud_project(dir)
		end,
	}
end

local function exists(path)
	local file = io.open(path, "r")
	if file then file:close() end
	return file ~= nil
end

--- Find the credentials: the file named, else gcloud's application-default login, else the metadata server (asked when
--- the first token is needed). A file that was named and is bad is an error, never passed over: kind config, exit 2.
--- Options: credentials (GOOGLE_APPLICATION_CREDENTIALS), quota_project, cloudsdk_config, metadata_host, drive (the scope
--- of Google Drive besides), scope (scopes with blanks between), retry (as http.client's), home, token_url (tests).
---@param options table
---@return syncrun.GoogleCredentials
function M.find(options)
	local scope = options.scope or (options.drive and SCOPE .. " " .. DRIVE or SCOPE)
	local o = setmetatable({ scope = scope }, { __index = options })
	if o.credentials then return from_file(o.credentials, o) end
	local dir = gcloud_dir(o)
	local login = dir and dir .. "/application_default_credentials.json"
	if login and exists(login) then return from_file(login, o) end
	return from_metadata(o, dir)
end

--- Is this URL fit to carry a secret: https, or http to this machine?
M.is_safe = file_reader.is_safe

return M

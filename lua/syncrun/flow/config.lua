--- Settings: flags > environment > .env > config file > defaults. Every secret is registered for masking when read.
local err = require "syncrun.err"
local log = require "syncrun.log"

local M = {}

-- setting -> the environment variables that carry it, first one wins
local VARIABLES = {
	["bigquery.credentials"] = { "GOOGLE_APPLICATION_CREDENTIALS" },
	["bigquery.project"] = { "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT" },
	["bigquery.quota_project"] = { "GOOGLE_CLOUD_QUOTA_PROJECT" },
	["bigquery.cloudsdk_config"] = { "CLOUDSDK_CONFIG" },
	["bigquery.metadata_host"] = { "GCE_METADATA_IP", "GCE_METADATA_HOST" },
	["bigquery.emulator"] = { "BIGQUERY_EMULATOR_HOST" },
	["bigquery.table"] = { "BIGQUERY_TABLE" },
	["bigquery.location"] = { "BIGQUERY_LOCATION" },
	["bigquery.where"] = { "BIGQUERY_WHERE" },
	["twenty.url"] = { "TWENTY_API_URL" },
	["twenty.key"] = { "TWENTY_API_KEY", "TWENTY_CRM_API_KEY" },
	["supabase.url"] = { "SUPABASE_DB_URL" },
	["local_db.path"] = { "LOCAL_DB" },
	["table"] = { "SYNCRUN_TABLE" },
	["state"] = { "SYNCRUN_STATE" },
}

local DEFAULTS = {
	["bigquery.table"] = "identity.contacts_master",
	["table"] = "contacts_master",
	["state"] = ".syncrun",
	["mapping"] = "contacts.mapping",
	["checks"] = "contacts.checks",
}

local SECTIONS = { bigquery = true, twenty = true, supabase = true, local_db = true }
local KNOWN = {
	bigquery = { "credentials", "project", "quota_project", "cloudsdk_config", "metadata_host", "emulator", "table",
		"location", "where", "max_bytes_billed", "page_rows", "base_url", "read", "parallel", "labels" },
	twenty = { "url", "key", "default_region", "rate", "batch", "page_rows", "timeout",
		"duplicate_email", "adopt", "revive" },
	supabase = { "url", "table", "schema" },
	local_db = { "path", "table" },
	[""] = { "bigquery", "twenty", "supabase", "local_db", "table", "state", "mapping", "checks", "settle" },
}

-- Where a "…" that begins the text ends; \" does not end it.
local function end_of_quoted(value)
	local at = 2
	while at <= #value do
		local c = value:sub(at, at)
		if c == '"' then return at end
		at = at + (c == "\\" and 2 or 1)
	end
end

local function is_over(rest)
	return rest:find "^%s*$" or rest:find "^%s+#"
end

local function unquote(value)
	local quoted, rest = value:match "^'([^']*)'(.*)$"
	if quoted and is_over(rest) then return quoted end
	local last = value:sub(1, 1) == '"' and end_of_quoted(value)
	if last and is_over(value:sub(last + 1)) then
		return (value:sub(2, last - 1):gsub("\\(.)", { n = "\n", ['"'] = '"', ["\\"] = "\\" }))
	end
	return (value:gsub("%s+#.*$", ""))
end

--- The variables of a .env file: NAME=value lines, `export` allowed, '…' and "…" quoted, # comments.
---@param path string
---@return table<string, string>
function M.read_env(path)
	local values, file = {}, io.open(path, "r")
	if not file then return values end
	local number = 0
	for line in file:lines() do
		number = number + 1
		local name, value = line:match "^%s*export%s+([%a_][%w_]*)%s*=%s*(.-)%s*$"
		if not name then name, value = line:match "^%s*([%a_][%w_]*)%s*=%s*(.-)%s*$" end
		if name then
			values[name] = unquote(value)
		elseif not line:match "^%s*$" and not line:match "^%s*#" then
			file:close()
			err.raisef("config", "'%s' line %d is not NAME=value", path, number)
		end
	end
	file:close()
	return values
end

local function check_known(path, section, table_)
	for key in pairs(table_) do
		local known = false
		for _, name in ipairs(KNOWN[section]) do known = known or name == key end
		if not known then
			local near = require "syncrun.args".nearest(tostring(key), KNOWN[section])
			err.raisef("config", "unknown setting '%s%s' in '%s'%s", section == "" and "" or section .. ".", tostring(key), path,
				near and (", did you mean '%s'?"):format(near) or "")
		end
	end
end

local function read_file(path)
	local file, why = io.open(path, "r")
	if not file then
		err.raisef("config", "cannot read the config file '%s' (%s)", path, (why:gsub("^.*: ", "")))
	end
	file:close()
	local chunk, syntax = loadfile(path, "t", setmetatable({}, { __index = _G }))
	if not chunk then err.raisef("config", "the config file is not valid Lua (%s)", syntax) end
	local ok, values = pcall(chunk)
	if not ok then err.raisef("config", "the config file '%s' failed (%s)", path, tostring(values)) end
	if type(values) ~= "table" then err.raisef("config", "the config file '%s' does not return a table", path) end
	check_known(path, "", values)
	for section in pairs(SECTIONS) do
		local value = values[section]
		if type(value) == "table" then
			check_known(path, section, value)
		elseif value then
			err.raisef("config", "the setting '%s' in '%s' is a table, or false to leave it out, not a %s", section, path,
				type(value))
		end
	end
	return values
end

local function get(values, setting)
	local section, key = setting:match "^(.-)%.(.*)$"
	if not section then return values[setting] end
	return type(values[section]) == "table" and values[section][key] or nil
end

local function set(values, setting, value)
	local section, key = setting:match "^(.-)%.(.*)$"
	if not section then
		values[setting] = value
	else
		if type(values[section]) ~= "table" then values[section] = {} end
		values[section][key] = value
	end
end

-- "" in the environment means: as if it were not set.
local function from_environment(setting, dotenv)
	for _, read in ipairs { os.getenv, function(name) return dotenv[name] end } do
		for _, name in ipairs(VARIABLES[setting]) do
			local value = read(name)
			if value and value ~= "" then return value, name end
		end
	end
end

local function register_secrets(config)
	if config.twenty and config.twenty.key then log.secret(config.twenty.key) end
	local uris = { get(config, "supabase.url") or "", get(config, "local_db.path") or "" }
	for _, uri in ipairs(uris) do
		local password = uri:match "^%w+://[^/@]*:([^/@]+)@"
		if password then log.secret(password) end
	end
end

--- All settings. A section of a system that is not configured is false.
---@param options { file: string?, env_file: string? }
---@return table
function M.load(options)
	local config = options.file and read_file(options.file) or {}
	local dotenv = M.read_env(options.env_file or ".env")
	for setting in pairs(VARIABLES) do
		local value = from_environment(setting, dotenv)
		local section = setting:match "^(.-)%."
		if value and not (section and config[section] == false) then set(config, setting, value) end
	end
	for setting, value in pairs(DEFAULTS) do
		if get(config, setting) == nil then set(config, setting, value) end
	end
	register_secrets(config)
	if not (config.twenty and config.twenty.url) then config.twenty = false end
	if not (config.supabase and config.supabase.url) then config.supabase = false end
	if config.local_db == nil then config.local_db = {} end
	if config.local_db and config.local_db.path == "off" then config.local_db = false end
	if config.local_db then
		config.local_db.path = config.local_db.path or (config.state:match "^(.*/)[^/]*$" or "") .. "contacts.db"
	end
	return config
end

return M

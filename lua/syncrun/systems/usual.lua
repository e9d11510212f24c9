--- The usual systems under the words of the config file: what may be set, which environment variables carry it (the first
--- one that has a value wins), what holds without.
local bigquery = require "syncrun.systems.bigquery.settings"
local err = require "syncrun.err"
local postgres = require "syncrun.postgres"
local twenty = require "syncrun.systems.twenty.settings"
local url = require "syncrun.url"

local INSECURE = { types = { "boolean" } } -- Postgres: without TLS to another machine, where the server has none
local TABLE = { types = { "text" }, filled = true }
local SECONDS = { types = { "number" }, min = 0 }

-- A connection string as it may be shown.
local function shown(uri)
	local said, e = err.try(postgres.describe, uri)
	return e and "(not readable)" or ("%s, user '%s'"):format(said.where, said.user)
end

local function shown_place(path)
	return postgres.is_uri(path) and shown(path) or path
end

-- A system without an address is not configured.
local function with_url(values)
	return values.url and values or false
end

-- The local database is a file beside the state folder, unless it is named, or off.
local function local_file(values, state)
	if values.path == "off" then return false end
	values.path = values.path or (state:match "^(.*/)[^/]*$" or "") .. "contacts.db"
	return values
end

---@class syncrun.Section
---@field settings table<string, syncrun.Shape>
---@field variables table<string, string[]>
---@field defaults table<string, any>?
---@field secrets string[]? settings whose whole value is secret
---@field addresses table<string, fun(value: string): string>? settings that may hold a secret: what may be shown of them;
--- calling it makes the rest a secret
---@field kept string[] the other settings that may be kept on record; what is in no list is not
---@field words string[]? what `require` may call it
---@field ours string? the first word of variables that are for us alone
---@field configured (fun(values: table, state: string): table|false)? completes the settings; false: not configured
---@field absent string? why a target is not configured; without it the section cannot be false

---@type table<string, syncrun.Section>
return {
	bigquery = {
		settings = bigquery,
		variables = {
			credentials = { "GOOGLE_APPLICATION_CREDENTIALS" },
			project = { "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT" },
			quota_project = { "GOOGLE_CLOUD_QUOTA_PROJECT" },
			cloudsdk_config = { "CLOUDSDK_CONFIG" },
			metadata_host = { "GCE_METADATA_IP", "GCE_METADATA_HOST" },
			emulator = { "BIGQUERY_EMULATOR_HOST" },
			table = { "BIGQUERY_TABLE" },
			location = { "BIGQUERY_LOCATION" },
			where = { "BIGQUERY_WHERE" },
		},
		defaults = { table = "identity.contacts_master" }, ours = "BIGQUERY",
		addresses = { emulator = url.shown, base_url = url.shown, metadata_host = url.shown },
		kept = { "project", "quota_project", "table", "location", "where", "max_bytes_billed", "query_timeout", "page_rows",
			"read", "parallel", "labels" },
	},
	twenty = {
		settings = twenty,
		variables = { url = { "TWENTY_API_URL" }, key = { "TWENTY_API_KEY", "TWENTY_CRM_API_KEY" },
			insecure = { "TWENTY_INSECURE" } },
		secrets = { "key" }, addresses = { url = url.shown },
		kept = { "insecure", "default_region", "rate", "batch", "page_rows", "timeout", "duplicate_email", "adopt",
			"revive", "on_deleted" },
		absent = "TWENTY_API_URL is not set", words = { "twenty" }, ours = "TWENTY", configured = with_url,
	},
	supabase = {
		settings = {
			url = { types = { "text" } }, table = TABLE, schema = { types = { "text" }, filled = true },
			insecure = INSECURE, lock_wait = SECONDS, stall_wait = SECONDS,
		},
		variables = { url = { "SUPABASE_DB_URL" } },
		addresses = { url = shown }, kept = { "table", "schema", "insecure", "lock_wait", "stall_wait" },
		absent = "SUPABASE_DB_URL is not set", words = { "supabase" }, ours = "SUPABASE", configured = with_url,
	},
	local_db = {
		settings = {
			path = { types = { "text" }, filled = true }, table = TABLE,
			insecure = INSECURE, lock_wait = SECONDS, stall_wait = SECONDS,
		},
		variables = { path = { "LOCAL_DB" } },
		addresses = { path = shown_place }, kept = { "table", "lock_wait", "stall_wait", "insecure" },
		absent = "LOCAL_DB is off", words = { "local", "local_db" }, configured = local_file,
	},
}

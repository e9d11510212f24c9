--- The usual systems under the words of the config file: what may be set, which environment variables carry it (the first
--- one that has a value wins), what holds without.
local bigquery = require "syncrun.systems.bigquery.settings"
local twenty = require "syncrun.systems.twenty.settings"

local TABLE = { types = { "text" }, filled = true }

---@class syncrun.Section
---@field settings table<string, syncrun.Shape>
---@field variables table<string, string[]>
---@field defaults table<string, any>?
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
		defaults = { table = "identity.contacts_master" },
	},
	twenty = {
		settings = twenty,
		variables = { url = { "TWENTY_API_URL" }, key = { "TWENTY_API_KEY", "TWENTY_CRM_API_KEY" } },
		absent = "TWENTY_API_URL is not set",
	},
	supabase = {
		settings = { url = { types = { "text" } }, table = TABLE, schema = { types = { "text" }, filled = true } },
		variables = { url = { "SUPABASE_DB_URL" } },
		absent = "SUPABASE_DB_URL is not set",
	},
	local_db = {
		settings = {
			path = { types = { "text" }, filled = true }, table = TABLE,
			lock_wait = { types = { "number" }, min = 0 }, -- seconds
		},
		variables = { path = { "LOCAL_DB" } },
		absent = "LOCAL_DB is off",
	},
}

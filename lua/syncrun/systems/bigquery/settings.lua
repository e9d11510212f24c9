--- The settings of a BigQuery source, and what each may be.
---@type table<string, syncrun.Shape>
return {
	credentials = { types = { "text" } },     -- the key file's path
	project = { types = { "text" } },
	quota_project = { types = { "text" } },
	cloudsdk_config = { types = { "text" } },
	metadata_host = { types = { "text" } },
	emulator = { types = { "text" } },
	drive = { types = { "boolean" } },        -- ask for Google Drive too: the table is a Google Sheet
	base_url = { types = { "text" } },
	table = { types = { "text" }, filled = true },
	location = { types = { "text" } },
	where = { types = { "text" } },
	max_bytes_billed = { types = { "integer" }, min = 1 },
	query_timeout = { types = { "integer" }, min = 1 }, -- seconds
	page_rows = { types = { "integer" }, min = 1 },
	read = { types = { "text" }, one_of = { "query", "table" } },
	parallel = { types = { "integer" }, min = 1 },
	labels = { types = { "table" }, values = { types = { "text" } } },
}

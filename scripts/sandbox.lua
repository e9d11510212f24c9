-- A BigQuery and a Twenty to try syncrun against: both on loopback, their data in SQLite files in one folder, until
-- Ctrl-C or SIGTERM. `. DIR/env` gives a shell the variables that point syncrun at them.

local args = require "syncrun.args"
local sandbox = require "sandbox.server"

local options = args.parse(arg, {
	name = "scripts/sandbox.lua",
	summary = "Serve a sandbox BigQuery and Twenty from a folder until it is signalled.",
	options = {
		{ "dir", type = "string", required = true, metavar = "DIR", help = "the folder that holds its state and DIR/env" },
		{ "load", type = "string", metavar = "FILE", help = "fill BigQuery's contacts from newline-delimited JSON" },
		{ "contacts", type = "integer", min = 0, metavar = "N", help = "fill BigQuery with N generated contacts" },
		{ "odd", type = "flag", help = "add contacts that some system cannot hold" },
		{ "port-bigquery", type = "integer", min = 0, max = 65535, metavar = "PORT",
			help = "BigQuery's port; by default the one it had, or any free one" },
		{ "port-twenty", type = "integer", min = 0, max = 65535, metavar = "PORT",
			help = "Twenty's port; by default the one it had, or any free one" },
		{ "twenty-rate", type = "string", metavar = "N/SECONDS", help = "Twenty's rate limit, or off; 100/60 by default" },
		{ "postgres", type = "flag", help = "a private PostgreSQL too, as SUPABASE_DB_URL in DIR/env" },
	},
	examples = {
		"syncrun scripts/sandbox.lua --dir /tmp/sandbox --contacts 150",
		"syncrun scripts/sandbox.lua --dir /tmp/sandbox --load contacts.ndjson --twenty-rate off",
	},
})

sandbox.run(options)

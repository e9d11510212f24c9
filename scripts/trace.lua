-- Tell the story of one contact: source, mapping, systems, and everything that was done about it.
local args = require "syncrun.args"
local trace = require "syncrun.flow.trace"

local options = args.parse(arg, {
	name = "scripts/trace.lua",
	summary = "What BigQuery has of a contact, what the mapping and each system make of it, and from the ledger every\n"
		.. "request it was in with what it changed, every verdict that changed, and the runs that validated it unchanged.\n"
		.. "Exit code 1: nothing is known of it.",
	examples = {
		"syncrun scripts/trace.lua 4711             fields that are exact and equal everywhere are only named",
		"syncrun scripts/trace.lua 4711 --offline   only what the ledger knows; no system is asked",
	},
	positional = { { name = "ID", help = "the contact_id", required = true } },
	options = {
		{ "all", type = "flag", help = "every field, also those that are exact and equal everywhere" },
		{ "offline", type = "flag", help = "ask no system" },
		{ "config", type = "string", metavar = "FILE", help = "settings in Lua (flags and environment win)" },
	},
})

return trace.run(options)

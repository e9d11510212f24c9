-- Erase a person's values from what syncrun keeps: ledger and reports (for requests of erasure).
local args = require "syncrun.args"
local forget = require "syncrun.flow.forget"

local options = args.parse(arg, {
	name = "scripts/forget.lua",
	summary = "Erase a contact from the ledger and from every report in the state folder, and from those that were put\n"
		.. "elsewhere with --report. The systems are not touched; what else is recorded stays as it is.\n"
		.. "Exit code 1: nothing was kept of it.",
	examples = { "syncrun scripts/forget.lua 4711" },
	positional = { { name = "ID", help = "the contact_id", required = true } },
	options = {
		{ "config", type = "string", metavar = "FILE", help = "settings in Lua (flags and environment win)" },
	},
})

return forget.run(options)

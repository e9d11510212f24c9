-- Erase a person's values from what syncrun keeps: ledger and reports (for requests of erasure).
local args = require "syncrun.args"
local forget = require "syncrun.flow.forget"

local options = args.parse(arg, {
	name = "scripts/forget.lua",
	summary = "Erase a contact from the ledger and from every report in the state folder, and from those that were put\n"
		.. "elsewhere with --report. The systems are not touched; what else is recorded stays as it is.\n"
		.. "Exit code 1: nothing was kept of it. With --certificate all systems are read then, and where the contact is in\n"
		.. "none of them the file proves that; later runs keep it out. Exit code 1: it is still in one of them.",
	examples = { "syncrun scripts/forget.lua 4711", "syncrun scripts/forget.lua 4711 --certificate 4711.json" },
	positional = { { name = "ID", help = "the contact_id", required = true } },
	options = {
		{ "certificate", type = "string", metavar = "FILE", help = "prove that no system holds it any more; keep it out" },
		{ "config", type = "string", metavar = "FILE", help = "settings in Lua (flags and environment win)" },
	},
})

if options.certificate then return require "syncrun.flow.certificate".issue(options) end
return forget.run(options)

-- Show what the mapping needs in every configured system and does not find; with --apply make it.
local args = require "syncrun.args"
local setup = require "syncrun.flow.setup"

local options = args.parse(arg, {
	name = "scripts/setup.lua",
	summary = "Show what the mapping needs in every configured system and does not find: tables, columns, Twenty's\n"
		.. "custom fields. With --apply it is made; again changes nothing.",
	options = {
		{ "apply", type = "flag", help = "make what is missing" },
		{ "config", type = "string", metavar = "FILE", help = "settings in Lua (flags and environment win)" },
	},
})

return setup.run(options)

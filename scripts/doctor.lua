-- Look whether the configured systems can be reached and fit the mapping; with --probe try what they do with hard values.
local args = require "syncrun.args"
local doctor = require "syncrun.flow.doctor"

local options = args.parse(arg, {
	name = "scripts/doctor.lua",
	summary = "Check that every configured system can be reached and fits the mapping. With --probe one contact with\n"
		.. "hard values is written to Twenty and Supabase, read back, compared with what we rely on, and removed.\n"
		.. "Exit code 0: all is as expected; 1: something is not; 2 or 3: it could not be tried.",
	examples = {
		"syncrun scripts/doctor.lua             look only",
		"syncrun scripts/doctor.lua --probe     try it, in the real systems",
	},
	options = {
		{ "probe", type = "flag", help = "write, read back and remove one contact" },
		{ "config", type = "string", metavar = "FILE", help = "settings in Lua (flags and environment win)" },
	},
})

return doctor.run(options)

-- Undo a run: put back what it changed, as far as nobody changed it since.
local args = require "syncrun.args"
local run = require "syncrun.flow.run"

local options = args.parse(arg, {
	name = "scripts/undo.lua",
	summary = "Take out what a run created, and put back what it changed or deleted, in every system, where it still is\n"
		.. "as that run left it; what is not is named and left alone (exit code 1). People are soft-deleted in Twenty. It\n"
		.. "is a run itself, so it can be undone too.",
	examples = {
		"syncrun scripts/undo.lua 12         the run with this number in the ledger; asks first",
		"syncrun scripts/undo.lua 12 --yes   without asking",
	},
	positional = {
		{ name = "RUN", help = "its number in the ledger, or the name of its folder in <state>/runs", required = true },
	},
	options = {
		{ "yes", type = "flag", help = "do not ask" },
		{ "config", type = "string", metavar = "FILE", help = "settings in Lua (flags and environment win)" },
		{ "report", type = "string", metavar = "DIR", help = "where the report files go (default: in the state folder)" },
		{ "deadline", type = "duration", metavar = "10m", help = "end in time; exit code 5" },
		{ "quiet", type = "flag", help = "nothing on standard output" },
	},
})

options.undo = options.run
options.run = nil

return run.within(options, function(this)
	this:check()
	return this:undo() -- read back, and the exit code
end)

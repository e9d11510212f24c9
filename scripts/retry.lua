-- Sync again the contacts that failed in the last run, and only those.
local args = require "syncrun.args"
local retry = require "syncrun.flow.retry"
local run = require "syncrun.flow.run"

local options = args.parse(arg, {
	name = "scripts/retry.lua",
	summary = "Sync, read back and compare the contacts that the last run left failed in any system. When it did not\n"
		.. "come to its end, all contacts are looked at: it is gone on with.",
	examples = {
		"syncrun scripts/retry.lua          what failed in the last run",
		"syncrun scripts/retry.lua --list   only say which they are",
	},
	options = {
		{ "list", type = "flag", help = "write nothing: print the contact_id of each, one a line" },
		{ "config", type = "string", metavar = "FILE", help = "settings in Lua (flags and environment win)" },
		{ "report", type = "string", metavar = "DIR", help = "where the report files go (default: in the state folder)" },
		{ "json", type = "string", metavar = "FILE", help = "the run's summary as JSON" },
		{ "deadline", type = "duration", metavar = "10m", help = "end in time with a report of what was done; exit code 5" },
		{ "quiet", type = "flag", help = "nothing on standard output" },
	},
})

local code = retry.choose(options)
if code then return code end

return run.within(options, function(this)
	this:check()
	this:take_snapshot()
	this:sync()
	this:validate()
	return this:report()
end)

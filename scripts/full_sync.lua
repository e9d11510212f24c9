-- Sync every contact from BigQuery to every configured system, read everything back, and prove that all agree.
local args = require "syncrun.args"
local run = require "syncrun.flow.run"

local options = args.parse(arg, {
	name = "scripts/full_sync.lua",
	summary = "Sync every contact from BigQuery to Twenty CRM, Supabase and the local database, then read every contact\n"
		.. "back from every system and compare all fields. Exit code 0 only when every contact is equal everywhere.",
	examples = {
		"syncrun scripts/full_sync.lua                  all contacts",
		"syncrun scripts/full_sync.lua --limit 10       the first ten",
		"syncrun scripts/full_sync.lua --skip-sync      write nothing, only validate",
		"syncrun scripts/full_sync.lua --only 12,4711   these two",
		"syncrun scripts/full_sync.lua --plan p.jsonl   what would be changed; then --apply p.jsonl",
		"syncrun scripts/full_sync.lua --changed        what changed since the last full run, in seconds",
	},
	options = {
		{ "limit", type = "integer", min = 1, metavar = "N", help = "only the first N contacts, in order of contact_id" },
		{ "skip-sync", type = "flag", help = "write nothing: validate what is there" },
		{ "only", type = "list", metavar = "ID,…", help = "only these contacts" },
		{ "changed", type = "flag", help = "only contacts whose updated_at says so since the last full run; not a proof" },
		{ "estimate", type = "flag", help = "tell what BigQuery would bill and what stands in the way; nothing runs" },
		{ "dry-run", type = "flag", help = "read everything, write nothing, show what would be changed; exit code 1 if any" },
		{ "plan", type = "string", metavar = "FILE", help = "the same, and keep it as a plan to review" },
		{ "apply", type = "string", metavar = "FILE", help = "do exactly what a plan says; what changed since is refused" },
		{ "config", type = "string", metavar = "FILE", help = "settings in Lua (flags and environment win)" },
		{ "report", type = "string", metavar = "DIR", help = "where the report files go (default: in the state folder)" },
		{ "json", type = "string", metavar = "FILE", help = "the run's summary as JSON" },
		{ "trace-folds", type = "flag", help = "list every value that a system holds in another form, in values.jsonl" },
		{ "deadline", type = "duration", metavar = "10m", help = "end in time with a report of what was done; exit code 5" },
		{ "keep", type = "duration", metavar = "90d", help = "after success, remove older runs and their reports" },
		{ "strict-extras", type = "flag", help = "contacts in a target that BigQuery does not have: exit code 1" },
		{ "delete-extras", type = "flag", help = "delete those of them that we created (in Twenty softly)" },
		{ "allow-short-source", type = "flag", help = "go on although BigQuery gives fewer or more rows than its table has" },
		{ "allow-empty-source", type = "flag", help = "go on although BigQuery gives no contact and a target has some" },
		{ "allow-mass-change", type = "flag", help = "go on although much of what is there would be changed" },
		{ "allow-shrunken-source", type = "flag",
			help = "go on although BigQuery gives over a tenth fewer contacts than when all was last proven" },
		{ "quiet", type = "flag", help = "nothing on standard output" },
	},
})

if options.estimate then return require "syncrun.flow.estimate".run(options) end

return run.within(options, function(this)
	this:check()         -- every system: in reach, allowed, fit for the mapping; else nothing is written anywhere
	this:take_snapshot() -- every contact of the source, once
	if options.dry_run or options.plan then return this:show_plan() end
	this:sync()          -- write what differs, in every target
	this:validate()      -- read everything back, judge every contact
	return this:report() -- and the exit code
end)

--- A full run: take the source's snapshot, sync every target side by side, read everything back, judge, report.
--- scripts/full_sync.lua calls this; the parts are syncrun.spool, sync, deliver, report and the systems.
local config_of = require "syncrun.config"
local err = require "syncrun.err"
local host = require "_syncrun.host"
local log = require "syncrun.log"
local mapping_of = require "syncrun.mapping"
local report = require "syncrun.report"
local rows = require "syncrun.rows"
local spool_of = require "syncrun.spool"
local sync = require "syncrun.sync"
local systems = require "syncrun.systems"
local task = require "syncrun.task"
local time = require "syncrun.time"

local M = {}

local EXIT = { equal = 0, different = 1, usage = 2, unreachable = 3, incomplete = 5 }

-- ---- before anything is written

local function say_error(label, e)
	host.standard "stderr":write(("syncrun: %s: %s\n"):format(label, report.plain(e.message)))
end

local function exit_of(e)
	if e.exit then return e.exit end
	if e.kind == "config" or e.kind == "mapping" or e.kind == "usage" then return EXIT.usage end
	return EXIT.unreachable
end

-- Ask every system whether it can be reached and fits the mapping. Nil when all is well, else the exit code.
local function refuse(run)
	local list = { run.source, table.unpack(systems.configured(run.targets)) }
	local problems, errors = systems.each(list, function(system)
		if system == run.source then
			system:check(run.mapping:source_columns())
			return {}
		end
		if system.name == "sqlite" and not run.options.skip_sync then system:setup(true) end
		return system:check()
	end)
	local code
	for _, failed in ipairs(errors) do
		say_error(failed.system.label, failed.error)
		code = math.max(code or 0, exit_of(failed.error))
	end
	for i, found in ipairs(problems) do
		if found and #found > 0 then
			local more = #found > 1 and (" and %d more"):format(#found - 1) or ""
			say_error(list[i].label, { message = ("%s%s; run 'syncrun scripts/setup.lua' to see, with --apply to make it")
				:format(found[1].what, more) })
			code = math.max(code or 0, EXIT.usage)
		end
	end
	return code
end

-- ---- the snapshot

-- The checks of scripts/contacts/checks.lua and the required fields, on the source's own record.
local function judge_source(run, page, first)
	local rules = run.checks.contact or {}
	local key = run.mapping.key
	for i, contact in page:each() do
		local function issue(reason)
			run.source_issues[#run.source_issues + 1] = { pos = first + i, reason = reason }
		end
		for _, field in ipairs(run.mapping.fields) do
			if field.required and field.name ~= key and page:is_null(i, field.name) then
				issue(("BigQuery: %s is null, a value is required"):format(field.source))
			end
		end
		for _, rule in ipairs(rules) do
			local wrong = rule(contact)
			if wrong then issue("BigQuery: " .. tostring(wrong)) end
		end
	end
end

local function record_source_issues(run)
	for _, issue in ipairs(run.source_issues) do
		run.spool:find { pos = issue.pos, system = "BigQuery", phase = "validate", kind = "check", reason = issue.reason }
	end
	run.source_issues = {}
end

local function take_snapshot(run)
	local to_model
	run.source_issues = {}
	run.version = run.source.version and run.source:version() or nil
	local n = 0
	for page in run.source:scan(run.selection) do
		to_model = to_model or run.mapping:to_model(page:schema())
		local model = to_model(page)
		run.spool:add(model)
		judge_source(run, model, n)
		record_source_issues(run)
		n = n + #page
	end
	run.spool:seal()
end

-- The filter's own line: how many rows of the table it left out.
local function note_filter(run)
	if not run.config.bigquery.where or run.by_key then return end
	local all = run.source:count()
	run.notes[#run.notes + 1] = ("Filtered out by the source filter: %d of %d rows"):format(all - run.spool.total, all)
end

-- ---- targets

local function errors_so_far(run)
	return run.spool.db:one "SELECT count(DISTINCT pos) AS n FROM finding WHERE phase = 'sync'".n
end

-- Every error of a target but a cancellation means that this system is lost; the others go on.
local function guarded(target, f)
	local _, e = err.try(function()
		f()
		return true
	end)
	if not e then return end
	if e.kind == "cancelled" or e.kind == "script" or e.kind == "internal" then err.raise(e) end
	log.error("%s was lost: %s", target.label, e.message)
	target:lose(e)
end

local function sync_targets(run)
	local function progress()
		local done = run.spool.total - run.spool.nbad
		for _, target in ipairs(run.states) do done = math.min(done, target:done()) end
		if done == run.spool.total - run.spool.nbad then done = run.spool.total end
		if done > run.progressed or done == 0 then
			run.progressed = done
			run.progress(done, done > 0 and errors_so_far(run) or 0)
		end
	end
	run.progressed = -1
	if run.options.skip_sync then progress = function() end end
	for _, target in ipairs(run.states) do target.on_progress = progress end
	task.map(run.states, { limit = #run.states }, function(target)
		guarded(target, function() target:sync(not run.options.skip_sync) end)
		target.finished = run.spool.total
	end)
	progress()
end

local function validate_targets(run)
	task.map(run.states, { limit = #run.states }, function(target)
		if not target.lost then guarded(target, function() target:validate() end) end
	end)
end

-- Has the source changed since the snapshot was taken? Then it is read again: what is gone there is named.
local function validate_source(run)
	if not run.version or run.source:version() == run.version then return end
	local again = spool_of.open(run.folder .. "/again.db", run.spool.schema, run.mapping.key, run.name_field)
	local to_model
	for page in run.source:scan(run.selection) do
		to_model = to_model or run.mapping:to_model(page:schema())
		again:add(to_model(page))
	end
	again:seal()
	local before, now = run.spool:pages(), again:pages()
	local merger, changed = rows.merger(run.spool.schema, run.spool.schema, run.mapping.key), 0
	local page = before()
	merger:expected(page)
	merger:actual(now())
	while true do
		local need = merger:step()
		local found = merger:take()
		changed = changed + #found.differ + #found.extra
		for _, i in ipairs(found.missing) do
			run.spool:find { key = page:text(i, run.mapping.key), system = "BigQuery", phase = "validate", kind = "missing",
				reason = "Missing in BigQuery (deleted there during the run)" }
		end
		if need == "done" then break end
		if need == "expected" then
			page = before()
			merger:expected(page)
		else
			merger:actual(now())
		end
	end
	again:close()
	if changed > 0 then
		run.notes[#run.notes + 1] = ("Changed in BigQuery during the run: %d contacts (the next run syncs them)"):format(changed)
	end
end

-- ---- the end

local function system_summaries(run)
	local list = { { label = "BigQuery", name = "bigquery" } }
	local by_label = {}
	for _, target in ipairs(run.states) do by_label[target.label] = target end
	for _, system in ipairs(run.targets) do
		local target = by_label[system.label]
		list[#list + 1] = target and {
			label = system.label, name = system.name, counts = target.counts, lost = target.lost and target.lost.message,
			fates = target.compare:counts(),
		} or { label = system.label, skipped = system.skipped }
	end
	return list
end

local function exit_code(run)
	local lost, wrote = false, false
	for _, target in ipairs(run.states) do
		lost, wrote = lost or target.lost ~= nil, wrote or target.wrote
	end
	if lost then return wrote and EXIT.incomplete or EXIT.unreachable end
	if run.totals.errors > 0 or run.totals.issues > 0 then return EXIT.different end
	if run.options.strict_extras and run.spool.db:one "SELECT count(*) AS n FROM extra".n > 0 then
		return EXIT.different
	end
	return EXIT.equal
end

local function note_unused(run)
	local used, unused = {}, {}
	for _, name in ipairs(run.mapping:source_columns()) do used[name] = true end
	for _, column in ipairs(run.source:describe().columns) do
		if not used[column.name] then unused[#unused + 1] = column.name end
	end
	run.unmapped = unused
	if #unused > 0 then log.info("not in the mapping, so not synced: %s", table.concat(unused, ", ")) end
end

local function finish(run)
	run.totals = report.totals(run.spool, run.options.skip_sync)
	run.systems = system_summaries(run)
	run.finished_at = time.format(time.now(), 3)
	run.exit = exit_code(run)
	run.good = run.exit == EXIT.equal
	local last = run.source.last or {}
	run.source = { table = run.config.bigquery.table, rows = run.totals.total, bytes_processed = last.bytes_processed,
		bytes_billed = last.bytes_billed, job = last.job, unmapped_columns = run.unmapped }
	report.body(run.say, run)
	report.files(run.options.report or run.folder, run)
	if run.options.json then report.file(run.options.json, function(w) w:write(report.summary(run)) end) end
	return run.exit
end

local function open(options)
	local run = { options = options, notes = {}, started_at = time.format(time.now(), 3) }
	run.config = config_of.load { file = options.config }
	run.mapping = mapping_of.load(run.config.mapping)
	run.checks = mapping_of.load_script(run.config.checks, "checks")
	run.source, run.targets = systems.open(run.config, run.mapping)
	run.selection = { columns = run.mapping:source_columns(), only = options.only, limit = options.limit }
	run.by_key = options.only ~= nil or options.limit ~= nil
	run.name_field = run.mapping.by_name.canonical_name and "canonical_name" or run.mapping.key
	run.say = report.stdout(options.quiet)
	return run
end

local function close(run)
	if run.spool then run.spool:close() end
	for _, system in ipairs(systems.configured(run.targets)) do err.try(system.close, system) end
end

local function sync_and_validate(run)
	run.folder = ("%s/runs/%s-%d"):format(run.config.state, time.format(time.now(), 0):gsub("[:-]", ""), host.pid())
	host.make_folder(run.folder)
	run.spool = spool_of.open(run.folder .. "/spool.db", run.mapping:schema(), run.mapping.key, run.name_field)
	report.head(run.say)
	run.say(run.options.skip_sync and "Step 1: Skipped (--skip-sync)" or "Step 1: Syncing all contacts...")
	run.say ""
	take_snapshot(run)
	note_filter(run)
	note_unused(run)
	run.progress = report.progress(run.say, run.spool.total, run.options.quiet)
	run.states = {}
	for _, system in ipairs(run.targets) do
		if system.skipped then
			run.notes[#run.notes + 1] = ("Skipped: %s (not configured: %s)"):format(system.label, system.skipped)
		else
			run.states[#run.states + 1] = sync.target(system, run.spool, { by_key = run.by_key })
		end
	end
	sync_targets(run)
	if not run.options.skip_sync then run.say "" end
	run.say "Step 2: Generating validation report..."
	run.say ""
	validate_targets(run)
	validate_source(run)
	return finish(run)
end

--- A full run. Returns the exit code; prints the report on stdout.
---@param options table limit, skip_sync, only, config, report, json, quiet, strict_extras
---@return integer
function M.full(options)
	local run = open(options)
	local code, e = err.try(function()
		return refuse(run) or sync_and_validate(run)
	end)
	task.shielded(close, run)
	if not code then err.raise(e) end
	return code
end

return M

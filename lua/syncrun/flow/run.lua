--- A full run: take the source's snapshot, sync every target side by side, read everything back, judge, report.
--- scripts/full_sync.lua calls this; the parts are the other files of this folder and the systems.
local checks_of = require "syncrun.model.checks"
local config_of = require "syncrun.flow.config"
local delta = require "syncrun.flow.delta"
local err = require "syncrun.err"
local frame = require "syncrun.flow.frame"
local file = require "syncrun.file"
local guards = require "syncrun.flow.guards"
local json = require "syncrun.json"
local log = require "syncrun.log"
local mapping_of = require "syncrun.model.mapping"
local problems = require "syncrun.flow.problems"
local report = require "syncrun.flow.report"
local requests = require "syncrun.record.requests"
local rows = require "syncrun.rows"
local spool_of = require "syncrun.flow.snapshot"
local sync = require "syncrun.flow.pass"
local systems = require "syncrun.systems.registry"
local task = require "syncrun.task"
local time = require "syncrun.time"
local values = require "syncrun.model.values"

local M = {}

local EXIT = { equal = 0, different = 1, usage = 2, unreachable = 3, incomplete = 5 }

-- ---- before anything is written

local function say_error(label, e)
	file.standard "stderr":write(("syncrun: %s: %s\n"):format(label, report.plain(e.message)))
end

local function exit_of(e)
	if e.exit then return e.exit end
	if e.kind == "config" or e.kind == "mapping" or e.kind == "usage" then return EXIT.usage end
	return EXIT.unreachable
end

-- The problems that stand in the way: a local file of ours is made, and mended, by the run itself.
local function obstacles(run, system, found)
	local mends = system.name == "sqlite" and not run.options.skip_sync
	return problems.where(found, function(problem)
		return problems.is_obstacle(problem) and not (mends and problems.is_mendable(problem))
	end)
end

local function say_problems(system, found)
	local more, hint = #found > 1 and (" and %d more"):format(#found - 1) or "", ""
	local mendable = #problems.where(found, problems.is_mendable) > 0
	if mendable or #found > 1 then
		hint = ("; run 'syncrun scripts/setup.lua' to see%s"):format(mendable and ", with --apply to make it" or "")
	end
	say_error(system.label, { message = problems.first(found).what .. more .. hint })
end

local function say_notes(system, found)
	for _, problem in ipairs(found) do
		if not problems.is_obstacle(problem) then log.info("%s: %s", system.label, report.plain(problem.what)) end
	end
end

local function say_errors(errors, code)
	for _, failed in ipairs(errors) do
		say_error(failed.system.label, failed.error)
		code = math.max(code or 0, exit_of(failed.error))
	end
	return code
end

-- Ask every system whether it can be reached and fits the mapping; make the local file last, when nothing else is wrong.
-- Nil when all is well, else the exit code.
local function refuse(run)
	local list = { run.source, table.unpack(systems.configured(run.targets)) }
	local intent = { write = not run.options.skip_sync }
	local found, errors = systems.each(list, function(system)
		if system ~= run.source then return system:check(intent) end
		system:check(run.mapping:source_columns())
		return {}
	end)
	local code = say_errors(errors)
	if #list == 1 then
		say_error("targets", { message = "none is configured; set TWENTY_API_URL, SUPABASE_DB_URL or LOCAL_DB" })
		code = math.max(code or 0, EXIT.usage)
	end
	for i, system in ipairs(list) do
		local left = found[i] and obstacles(run, system, found[i]) or {}
		if #left > 0 then
			say_problems(system, left)
			code = math.max(code or 0, problems.worst(left))
		end
		say_notes(system, found[i] or {})
	end
	if code or run.options.skip_sync then return code end
	local _, failed = systems.each(list, function(system) return system.name == "sqlite" and system:setup(true) end)
	return say_errors(failed)
end

-- ---- the snapshot

-- What is wrong with a contact by the required fields and the checks of scripts/contacts/checks.lua.
local function issues_of(run, page, i, contact)
	local list = {}
	for _, field in ipairs(run.mapping.fields) do
		if field.required and field.name ~= run.mapping.key and page:is_null(i, field.name) then
			list[#list + 1] = ("BigQuery: %s is null, a value is required"):format(field.source)
		end
	end
	for _, wrong in ipairs(run.checks:issues(contact)) do list[#list + 1] = "BigQuery: " .. wrong end
	return list
end

-- The source's own record is judged; not what a failed transform left of one.
local function judge_source(run, page, first, failed)
	for i, contact in page:each() do
		for _, reason in ipairs(failed[i] and {} or issues_of(run, page, i, contact)) do
			run.source_issues[#run.source_issues + 1] = { pos = first + i, reason = reason }
		end
	end
end

local function record_source_issues(run)
	for _, issue in ipairs(run.source_issues) do
		run.spool:find { pos = issue.pos, system = "BigQuery", phase = "validate", kind = "check", reason = issue.reason }
	end
	run.source_issues = {}
end

-- What the mapping itself folds, or cannot carry over: the latter keeps a contact from every system, unless it is declared
-- that it may be written.
local function judge_values(run, page, first)
	run.watch(page, function(i, fate)
		local pos, on_loss = first + i, run.mapping.by_name[fate.column].on_loss
		local what = values.reason(page, i, fate, on_loss)
		run.spool:note_fate { pos = pos, system = "BigQuery", field = fate.column, fate = fate.fate, note = fate.note,
			stored = page:text(i, fate.column), reason = "BigQuery: " .. what }
		if fate.fate == "rejected" or (fate.fate == "lost" and on_loss == "reject") then
			run.spool:reject(pos, what)
		elseif fate.fate == "lost" then
			run.spool:find { pos = pos, system = "BigQuery", phase = "validate", kind = "lost", field = fate.column,
				stored = page:text(i, fate.column), reason = "BigQuery: " .. what }
		end
	end)
end

local function say_head(run)
	report.head(run.say)
	run.say(run.options.skip_sync and "Step 1: Skipped (--skip-sync)" or "Step 1: Syncing all contacts...")
	run.say ""
end

local function take_snapshot(run)
	run.source_issues = {}
	run.described = run.source:describe()
	local n = 0
	local next_page, _, _, _ <close> = run.source:scan(run.selection)
	local page = next_page()
	local to_model
	if page then
		to_model, run.source_plan = run.mapping:to_model(page:schema())
		run.watch = values.watch(run.source_plan, run.options.trace_folds)
	end
	if not run.selection.chain then say_head(run) end -- not earlier: a refused query or a bad mapping prints nothing
	while page do
		frame.check_deadline(run)
		local model, failed = to_model(page)
		run.spool:add(model)
		run.ledger:see(model, run.mapping.key)
		for i, reason in pairs(failed) do run.spool:reject(n + i, reason) end
		judge_source(run, model, n, failed)
		judge_values(run, model, n)
		record_source_issues(run)
		n = n + #page
		page = next_page()
	end
	run.spool:seal()
	run.ledger:leave_out(run.spool:bad_keys())
end

-- A table that changed while it was read is read once more, by page tokens, which stay on the table as it was.
local function take_steady_snapshot(run)
	local _, e = err.try(function()
		take_snapshot(run)
		return true
	end)
	if not e then return end
	if e.code ~= "changed" then err.raise(e) end
	log.info("%s", e.message)
	run.selection.chain = true
	run.spool:clear()
	run.ledger:unsee()
	take_snapshot(run)
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

-- Every error of a target but a cancellation, and those that are ours, means that this system is lost; the others go on.
local function guarded(run, target, f)
	local _, e = err.try(frame.within, run, f)
	if not e then return end
	if e.ledger or e.kind == "cancelled" or e.kind == "script" or e.kind == "internal" then err.raise(e) end
	if e.code ~= "deadline" then log.error("%s was lost: %s", target.label, e.message) end
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
		guarded(run, target, function() target:sync(not run.options.skip_sync) end)
		target.finished = run.spool.total
	end)
	progress()
end

local function validate_targets(run)
	task.map(run.states, { limit = #run.states }, function(target)
		if not target.lost then guarded(run, target, function() target:validate() end) end
	end)
end

local REMARK = " (its row in BigQuery was changed after it was read)"

-- Has the source changed since the snapshot was taken? Then it is read again: what is gone or changed there is named.
local function reread_source(run)
	local version = run.described.version
	if not version or run.source:version() == version then return end
	local again = spool_of.open(run.folder .. "/again.db", run.spool.schema, run.mapping.key, run.name_field)
	local to_model
	for page in run.source:scan(run.selection) do
		to_model = to_model or run.mapping:to_model(page:schema())
		again:add(to_model(page))
	end
	again:seal()
	local before, now = run.spool:pages(), again:pages()
	local merger, changed = rows.merger(run.spool.schema, run.spool.schema, run.mapping.key), 0
	local page, now_page = before(), now()
	merger:expected(page)
	merger:actual(now_page)
	while true do
		local need = merger:step()
		local found = merger:take()
		changed = changed + #found.differ
		for _, j in ipairs(found.extra) do -- a row that was set aside is no new one
			if not run.spool:has(now_page:text(j, run.mapping.key)) then changed = changed + 1 end
		end
		for _, pair in ipairs(found.differ) do run.spool:remark(page:text(pair.e, run.mapping.key), REMARK) end
		for _, i in ipairs(found.missing) do
			run.spool:find { key = page:text(i, run.mapping.key), system = "BigQuery", phase = "validate", kind = "missing",
				reason = "Missing in BigQuery (deleted there during the run)" }
		end
		if need == "done" then break end
		if need == "expected" then
			page = before()
			merger:expected(page)
		else
			now_page = now()
			merger:actual(now_page)
		end
	end
	again:close()
	if changed > 0 then
		run.notes[#run.notes + 1] =
			("Changed in BigQuery during the run: %d contacts (the next run syncs them)"):format(changed)
	end
end

-- Everything is written and judged by now: a source that cannot be asked again leaves the run incomplete, no more.
local function validate_source(run)
	local _, e = err.try(frame.within, run, function() reread_source(run) end)
	if not e then return end
	if e.kind == "cancelled" or e.kind == "script" or e.kind == "internal" then err.raise(e) end
	run.source_lost = e
	run.notes[#run.notes + 1] = ("Not known whether BigQuery changed during the run (%s)"):format(e.message)
end

-- ---- the end

local function system_summaries(run)
	local counts = run.source_plan and run.source_plan:counts()
	local list = { {
		label = "BigQuery", name = "bigquery", fates = counts, columns = run.mapping:schema():names(),
		merges = values.merged(run.mapping.fields, counts or {}),
	} }
	local by_label = {}
	for _, target in ipairs(run.states) do by_label[target.label] = target end
	for _, system in ipairs(run.targets) do
		local target = by_label[system.label]
		list[#list + 1] = target and {
			label = system.label, name = system.name, counts = target.counts, lost = target.lost and target.lost.message,
			fates = target.compare:counts(), columns = target.compare:schema():names(),
			merges = values.merged(target.projection, target.compare:counts()),
		} or { label = system.label, skipped = system.skipped }
	end
	return list
end

local function late(run)
	for _, target in ipairs(run.states) do
		if target.lost and target.lost.code == "deadline" then return true end
	end
	return false
end

local function exit_code(run)
	local lost, wrote = false, false
	for _, target in ipairs(run.states) do
		lost, wrote = lost or target.lost ~= nil, wrote or target.wrote
	end
	if lost then return (wrote or late(run)) and EXIT.incomplete or EXIT.unreachable end
	if run.source_lost then return EXIT.incomplete end
	if run.totals.errors > 0 or run.totals.issues > 0 or run.absent then return EXIT.different end
	if run.options.strict_extras and run.spool.db:one "SELECT count(*) AS n FROM extra".n > 0 then
		return EXIT.different
	end
	return EXIT.equal
end

-- Contacts asked for by name that the source does not have.
local function note_absent(run)
	for _, id in ipairs(run.options.only or {}) do
		if not run.spool:has(id) then
			run.absent = true
			run.notes[#run.notes + 1] = ("Not in BigQuery: %s"):format(id)
		end
	end
end

local function note_unused(run)
	local used, unused = {}, {}
	for _, name in ipairs(run.mapping:source_columns()) do used[name] = true end
	for _, column in ipairs(run.described.columns) do
		if not used[column.name] then unused[#unused + 1] = column.name end
	end
	run.unmapped = json.array(unused)
	if #unused > 0 then log.info("not in the mapping, so not synced: %s", table.concat(unused, ", ")) end
end

local function finish(run)
	run.totals = report.totals(run.spool, run.options.skip_sync)
	run.systems = system_summaries(run)
	run.finished_at = time.format(time.now(), 3)
	run.exit = exit_code(run)
	run.good = run.exit == EXIT.equal
	delta.note(run)
	delta.remember(run)
	local last, cost = run.source.last or {}, run.source.cost
	run.source = { table = run.config.bigquery.table, rows = run.totals.total, queries = cost.queries,
		bytes_processed = cost.bytes_processed, bytes_billed = cost.bytes_billed, job = last.job,
		attempts = cost.attempts, retries = cost.retries, unmapped_columns = run.unmapped }
	report.body(run.say, run)
	report.files(run.options.report or run.folder, run)
	if run.options.json then report.file(run.options.json, function(w) w:write(report.summary(run)) end) end
	return run.exit
end

local function open(options)
	local run = { options = options, notes = {}, started_at = time.format(time.now(), 3) }
	run.config = config_of.load { file = options.config }
	run.mapping = mapping_of.load(run.config.mapping)
	run.checks = checks_of.load(run.config.checks, run.mapping)
	table.move(run.checks:left_out(), 1, 2, #run.notes + 1, run.notes)
	run.requests = requests.new()
	run.config.bigquery.on_attempt = function(info) run.requests:add(info) end
	run.source, run.targets = systems.open(run.config, run.mapping)
	run.selection = { columns = run.mapping:source_columns(), only = options.only, limit = options.limit }
	run.by_key = options.only ~= nil or options.limit ~= nil
	if options.changed then delta.select(run) end
	run.name_field = run.mapping.by_name.canonical_name and "canonical_name" or run.mapping.key
	run.say = report.stdout(options.quiet)
	return run
end

local function close(run)
	run.requests:close()
	if run.spool then run.spool:close() end
	for _, system in ipairs(systems.configured(run.targets)) do err.try(system.close, system) end
end

local function is_ours(run, system)
	if run.ledger.db then return function(key) return run.ledger:wrote(system.name, key) end end
end

local function open_targets(run)
	local states = {}
	for _, system in ipairs(run.targets) do
		if system.skipped then
			run.notes[#run.notes + 1] = ("Skipped: %s (not configured: %s)"):format(system.label, system.skipped)
		else
			states[#states + 1] = sync.target(system, run.spool, { by_key = run.by_key, checks = run.checks,
				trace_folds = run.options.trace_folds, ledger = run.ledger, settle = run.config.settle,
				is_ours = is_ours(run, system) })
		end
	end
	return states
end

-- What was asked for must be writable before anything is written elsewhere.
local function try_files(run)
	if run.options.report then report.try_file(run.options.report .. "/report.json", run.options.report) end
	if run.options.json then report.try_file(run.options.json) end
end

-- The snapshot, and what else the source is asked before anything is written.
local function read_source(run)
	take_steady_snapshot(run)
	run.described_after = run.source:describe()
	guards.source(run)
	note_filter(run)
	note_unused(run)
	note_absent(run)
end

local function sync_and_validate(run)
	try_files(run)
	file.make_folder(run.folder)
	run.requests:open(run.folder .. "/requests.jsonl")
	run.spool = spool_of.open(run.folder .. "/spool.db", run.mapping:schema(), run.mapping.key, run.name_field)
	run.states = open_targets(run)
	frame.within(run, function() read_source(run) end)
	run.progress = report.progress(run.say, run.spool.total, run.options.quiet)
	sync_targets(run)
	if not run.options.skip_sync then run.say "" end
	run.say "Step 2: Generating validation report..."
	run.say ""
	validate_targets(run)
	validate_source(run)
	return finish(run)
end

--- A full run. Returns the exit code; prints the report on stdout.
---@param options table limit, skip_sync, only, changed, config, report, json, quiet, strict_extras
---@return integer
function M.full(options)
	local run = open(options)
	local code, e = err.try(function()
		frame.enter(run)
		return frame.within(run, function() return refuse(run) end) or sync_and_validate(run)
	end)
	task.shielded(function()
		close(run)
		code = frame.leave(run, code, e)
	end)
	if not code then err.raise(e) end
	return code
end

return M

--- A run: its steps, in the order that a script tells them (scripts/full_sync.lua), between its begin and its end. Each step
--- is a file of this folder. Knows no system by name.
local delta = require "syncrun.flow.delta"
local err = require "syncrun.err"
local exits = require "syncrun.flow.exits"
local extras = require "syncrun.flow.extras"
local file = require "syncrun.file"
local forgotten_of = require "syncrun.record.forgotten"
local guards = require "syncrun.flow.guards"
local intake_of = require "syncrun.flow.intake"
local lifecycle = require "syncrun.flow.lifecycle"
local log = require "syncrun.log"
local plan_of = require "syncrun.flow.plan"
local preflight = require "syncrun.flow.preflight"
local report = require "syncrun.flow.report"
local reports = require "syncrun.report"
local requests = require "syncrun.record.requests"
local result_of = require "syncrun.flow.result"
local session_of = require "syncrun.flow.session"
local snapshot_of = require "syncrun.flow.snapshot"
local target_of = require "syncrun.flow.target"
local stop_of = require "syncrun.flow.stop"
local task = require "syncrun.task"
local time = require "syncrun.time"
local undo = require "syncrun.flow.undo"

local M = {}

---@class syncrun.Run
---@field options table limit, skip_sync, only, changed, config, report, json, quiet, strict_extras, deadline, keep
---@field session syncrun.Session
---@field snapshot syncrun.Snapshot
---@field targets syncrun.Target[] those that are configured
---@field ledger syncrun.Ledger
---@field images syncrun.Images what it changes, as it was before
---@field begun boolean? the first contacts of the source are there
---@field prover syncrun.Prover
---@field result syncrun.Result? once it is over
---@field notes string[]
local Run = {}
Run.__index = Run

-- ---- step by step

local function only_looks(self)
	return self.options.dry_run == true or self.options.plan ~= nil
end

--- Can every system do what this run will do? What stands in the way is said, and ends the run.
function Run:check()
	lifecycle.before_deadline(self, function()
		local intent = { write = not self.options.skip_sync }
		if self.options.undo then intent.source = false end
		preflight.check(self.session, intent, only_looks(self))
	end)
end

-- What was asked for must be writable before anything is written elsewhere.
local function try_files(options)
	if options.report then report.try_file(options.report .. "/report.json", options.report) end
	if options.json then report.try_file(options.json) end
end

local function open_targets(self)
	local targets, config = {}, self.session.config
	for _, system in ipairs(self.session.targets) do
		if system.skipped then
			self.notes[#self.notes + 1] = ("Skipped: %s (not configured: %s)"):format(system.label, system.skipped)
		else
			targets[#targets + 1] = target_of.new(system, self.snapshot, self.ledger, { by_key = self.by_key,
				checks = self.session.checks, trace_folds = self.options.trace_folds, recheck_after = config.recheck_after,
				write_again = self.options.again, images = self.images })
		end
	end
	return targets
end

local function say_head(self)
	self.begun = true
	report.head(self.say)
	local step = self.options.skip_sync and "Step 1: Skipped (--skip-sync)" or "Step 1: Syncing all contacts..."
	self.say("%s", only_looks(self) and "Step 1: Looking at all contacts (nothing is written)..." or step)
	self.say ""
end

-- The filter's own line: how many rows of the table it left out.
local function note_filter(self)
	local source = self.session.source
	if not source.filter or self.by_key or not source.count then return end
	local all = source:count()
	local out = all - self.snapshot.total - self.intake.kept_out
	self.notes[#self.notes + 1] = ("Filtered out by the source filter: %d of %d rows"):format(out, all)
end

-- Those who were erased and are still in the source: counted, not named.
local function note_kept_out(self)
	if self.intake.kept_out == 0 then return end
	self.notes[#self.notes + 1] = ("Kept out, for they were erased (forget.lua --certificate): %d rows of %s"):format(
		self.intake.kept_out, self.session.source.label)
end

local function note_unmapped(self)
	self.unmapped = self.intake:unmapped()
	if #self.unmapped > 0 then
		log.info("not in the mapping, so not synced: %s", table.concat(self.unmapped, ", "))
	end
end

-- Contacts asked for by name that the source does not have.
local function note_absent(self)
	for _, id in ipairs(self.options.only or {}) do
		if not self.snapshot:has(id) then
			self.absent = true
			self.notes[#self.notes + 1] = ("Not in %s: %s"):format(self.session.source.label, id)
		end
	end
end

--- Read every contact of the source, once: what all targets are compared with.
function Run:take_snapshot()
	local session = self.session
	try_files(self.options)
	file.make_folder(self.folder)
	self.requests:open(self.folder .. "/requests.jsonl")
	self.snapshot = snapshot_of.open(self.folder .. "/spool.db", session.mapping, session.source.label)
	self.targets = open_targets(self)
	self.prover:collect(self.targets, self.snapshot.schema, session.mapping.key)
	self.intake = intake_of.new { session = session, snapshot = self.snapshot, ledger = self.ledger,
		prover = self.prover, selection = self.selection, trace_folds = self.options.trace_folds,
		forgotten = forgotten_of.open(session.config.state),
		on_too_long = function(n, count) guards.too_long(self, n, count) end }
	lifecycle.before_deadline(self, function()
		self.intake:take(function() say_head(self) end)
		guards.source(self)
		note_filter(self)
		note_kept_out(self)
		note_unmapped(self)
	end)
	note_absent(self)
	self.snapshot_at = time.format(time.now(), 3)
end

-- Every error of a target but a cancellation, and those that are ours, means that this system is lost; the others go on.
local function guarded(self, target, f)
	local _, e = err.try(lifecycle.before_deadline, self, f)
	if not e then return end
	if exits.ends_run(e) then err.raise(e) end
	if e.code ~= "deadline" then log.error("%s was lost: %s", target.label, e.message) end
	target:lose(e)
end

-- What tells how far all targets are: as far as the slowest.
local function progress_of(self)
	local show = report.progress(self.say, self.snapshot.total, self.options.quiet)
	local good, shown = self.snapshot.total - self.snapshot.nbad, -1
	return function()
		local done = good
		for _, target in ipairs(self.targets) do done = math.min(done, target:done()) end
		if done == good then done = self.snapshot.total end
		if done > shown or done == 0 then
			shown = done
			show(done, done > 0 and self.snapshot:contacts "sync" or 0)
		end
	end
end

-- f(target) for all targets that are not lost, side by side.
local function each_target(self, f)
	task.map(self.targets, { limit = #self.targets }, function(target)
		if not target.lost then guarded(self, target, function() f(target) end) end
	end)
end

-- Contacts that differ, and are not written again.
local function note_left(self)
	for _, target in ipairs(self.targets) do
		local left = target.server_changes.left
		if left > 0 then
			self.notes[#self.notes + 1] = ("Not written again in %s: %d contacts that it changes on write (scripts/retry.lua "
				.. "writes them)"):format(target.label, left)
		end
	end
end

--- Look what every target holds and what this run would change there. Nothing is written.
function Run:plan()
	each_target(self, function(target) target:plan() end)
	note_left(self)
end

--- What this run would change, as a plan in a file and on standard output. Returns the exit code: 0 when nothing would.
---@return integer
function Run:show_plan()
	local path = self.options.plan or self.folder .. "/plan.jsonl"
	local writer <close> = plan_of.record(self, path)
	self:plan()
	if self.options.delete_extras then extras.plan(self) end
	writer:close()
	plan_of.say(self, path)
	for _, target in ipairs(self.targets) do
		if target.lost then return exits.unreachable end
		if target.changes.n > 0 then return exits.different end
	end
	return self.snapshot.nbad > 0 and exits.different or exits.equal
end

--- Step 1: in every target write what differs, all side by side, once all are looked at and no guard objects. With
--- --skip-sync nothing is written, only compared.
function Run:sync()
	if self.options.skip_sync then return each_target(self, function(target) target:look() end) end
	local progress = progress_of(self)
	for _, target in ipairs(self.targets) do target.on_progress = progress end
	if self.options.apply then plan_of.hold(self, self.options.apply) end
	self:plan()
	if self.options.delete_extras then extras.plan(self) end
	if self.options.apply then
		plan_of.note_gone(self) -- approved as it stands: no guard asks again
	else
		guards.changes(self)
	end
	lifecycle.before_deadline(self, function() preflight.before_writing(self.targets) end)
	each_target(self, function(target)
		target:write()
		if self.options.delete_extras then extras.delete(self, target) end
	end)
	for _, target in ipairs(self.targets) do target.finished = self.snapshot.total end
	progress()
	self.say ""
end

--- Undo another run. Returns the exit code.
---@return integer
function Run:undo()
	file.make_folder(self.folder)
	self.snapshot = snapshot_of.open(self.folder .. "/spool.db", self.session.mapping, self.session.source.label)
	self.targets = open_targets(self)
	return undo.run(self, function(f) each_target(self, f) end)
end

-- Everything is written and judged by now: a source that cannot be asked again leaves the run incomplete, no more.
local function look_back(self)
	local _, e = err.try(lifecycle.before_deadline, self, function()
		self.notes[#self.notes + 1] = self.intake:look_back(self.folder)
	end)
	if not e then return end
	if exits.ends_run(e) then err.raise(e) end
	self.source_lost = e
	self.notes[#self.notes + 1] = ("Not known whether %s changed during the run (%s)"):format(self.session.source.label,
		e.message)
end

--- Step 2: read back whole what was written to, look again at what differs, judge every contact in every target.
function Run:validate()
	self.say "Step 2: Generating validation report..."
	self.say ""
	each_target(self, function(target) target:validate() end)
	self.prover:write_leaves(self.targets, self.snapshot)
	look_back(self)
end

local function report_all(self)
	delta.note(self)
	self.result = result_of.of(self)
	delta.remember(self)
	report.body(self.say, self)
	local folder = self.options.report or self.folder
	report.files(folder, self)
	if self.options.json then report.file(self.options.json, function(w) w:write(report.summary(self)) end) end
	if not (self.options.quiet and self.result.good) then log.info("the report is in '%s'", folder) end
	return self.result.exit
end

--- The report, on standard output and in its files: begun, it is completed whatever comes. Returns the exit code.
---@return integer
function Run:report()
	return task.shielded(report_all, self)
end

--- Whether anything was sent to a target.
---@return boolean
function Run:wrote()
	for _, target in ipairs(self.targets) do
		if target.wrote then return true end
	end
	return false
end

-- ---- begin and end

local function open(options)
	extras.check(options)
	local self = setmetatable({ options = options, notes = {}, targets = {}, started_at = time.format(time.now(), 3),
		requests = requests.new(), by_key = options.only ~= nil or options.limit ~= nil,
		say = reports.stdout { quiet = options.quiet } }, Run)
	self.session = session_of.open { config = options.config,
		on_attempt = function(info) self.requests:add(info) end }
	self.selection = { columns = self.session.mapping:source_columns(), only = options.only, limit = options.limit }
	table.move(self.session.checks:left_out(), 1, 2, 1, self.notes)
	if options.changed then delta.select(self) end
	return self
end

local function close(self)
	self.requests:close()
	if self.images then self.images:close() end
	if self.snapshot then self.snapshot:close() end
	self.session:close()
end

--- Run a story: the steps above, in the order that `tell` calls them. The state folder's lock, the ledger and the end are
--- seen to. Returns the exit code.
---@param options table
---@param tell fun(run: syncrun.Run): integer
---@return integer
function M.within(options, tell)
	local self = open(options)
	local code, e = err.try(function()
		lifecycle.enter(self)
		return tell(self)
	end)
	task.shielded(function()
		local stop = e and stop_of.of(e, options.deadline)
		if stop then stop_of.report(self, stop) end
		close(self)
		code = lifecycle.leave(self, code, e)
	end)
	if not code then err.raise(e) end
	return code
end

return M

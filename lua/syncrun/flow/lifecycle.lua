--- What surrounds a run: one writer at a time, its place in the ledger, what an interrupted one left behind, the
--- deadline, and how it ends. Knows nothing of what the run does.
local config_of = require "syncrun.flow.config"
local err = require "syncrun.err"
local exits = require "syncrun.flow.exits"
local file = require "syncrun.file"
local host = require "syncrun.host"
local images = require "syncrun.record.images"
local json = require "syncrun.json"
local ledger_of = require "syncrun.record.ledger"
local lock = require "syncrun.record.lock"
local log = require "syncrun.log"
local prove = require "syncrun.flow.prove"
local task = require "syncrun.task"
local time = require "syncrun.time"

local M = {}

local SCRATCH = { "spool.db", "again.db" }

--- Seconds of a duration with its unit: "90s", "10m", "2h", "90d". Raises kind usage.
---@param text string
---@param option string for the message
---@return number
function M.duration(text, option)
	local seconds = time.duration(text)
	if seconds then return seconds end
	err.raisef("usage", "'--%s' takes a duration with its unit, like 90s, 10m, 2h or 90d, not '%s'", option, text)
end

-- ---- the begin

-- An ended process could not delete its scratch files, which hold contacts.
local function clean_up(ledger, folder)
	for _, old in ipairs(ledger:interrupted_folders() or {}) do
		for _, name in ipairs(SCRATCH) do
			if old ~= folder then
				os.remove(old .. "/" .. name)
				os.remove(old .. "/" .. name .. "-journal")
			end
		end
	end
end

local REPORTS = {
	"report.txt", "report.json", "contacts.jsonl", "issues.jsonl", "values.jsonl", "owned.jsonl", "requests.jsonl",
	"plan.jsonl", "issues.csv", "undone.jsonl",
}

-- Remove runs that began longer than `seconds` ago: their rows, and their report files in the state folder.
local function prune(ledger, seconds)
	local pruned = ledger:prune(time.format(time.now() - math.floor(seconds * 1000000), 3))
	if not pruned then return end
	for _, folder in ipairs(pruned.folders) do
		for _, list in ipairs { SCRATCH, REPORTS, images.FILES } do
			for _, name in ipairs(list) do os.remove(folder .. "/" .. name) end
		end
		os.remove(folder)
	end
	if pruned.runs > 0 then log.info("pruned: %d runs, %d attempts", pruned.runs, pruned.attempts) end
end

-- A folder for this run. Containers run as process 1, twice in one second too.
local function new_folder(state)
	local stem = ("%s/runs/%s-%d"):format(state, time.format(time.now(), 0):gsub("[:-]", ""), host.pid())
	local folder, n = stem, 1
	while file.kind(folder) do
		n = n + 1
		folder = ("%s-%d"):format(stem, n)
	end
	return folder
end

local function kind_of(options)
	if options.undo then return "undo" end
	if options.dry_run or options.plan then return "plan" end
	if options.forget then return "forget" end
	return options.apply and "apply" or options.skip_sync and "validate" or "sync"
end

-- SYNCRUN_PROOF=off: for measuring what proofs cost.
local function begin_proof(run)
	if os.getenv "SYNCRUN_PROOF" == "off" then return prove.none() end
	return prove.begin(run.session.config.state, { folder = run.folder, started_at = run.started_at,
		kind = kind_of(run.options) })
end

--- Take the state folder's lock, open the ledger and begin a run in it, and its proof. Raises kind config (exit 2) when
--- another run is under way or the ledger cannot be used, kind check (exit 7) when the log of runs is broken.
---@param run syncrun.Run gets lock, ledger, folder, images, deadline, prover, keep
function M.enter(run)
	local options, config = run.options, run.session.config
	local seconds = options.deadline and M.duration(options.deadline, "deadline")
	run.keep = options.keep and M.duration(options.keep, "keep")
	run.deadline = seconds and time.mono() + seconds
	if seconds then host.deadline(math.min(seconds, 1e8)) end
	run.lock = lock.take(config.state)
	run.ledger = ledger_of.open(config.state)
	run.ledger:open_trail(config.state)
	run.folder = new_folder(config.state)
	run.images = run.ledger.kept and images.new(run.folder) or images.none()
	run.prover = begin_proof(run)
	local before = run.ledger:start { options = options, settings = config_of.kept(config), mapping = config.mapping,
		checks = config.checks, script = arg and arg[0], folder = run.folder, report = options.report }
	clean_up(run.ledger, run.folder)
	if before then
		log.info("Resuming: run %d was interrupted; %d contacts were in flight", before.id, before.contacts)
	end
end

-- ---- the deadline

local function too_late(run)
	err.raise { kind = "timeout", code = "deadline", exit = exits.incomplete,
		message = ("the deadline of %s came; run again to go on"):format(run.options.deadline) }
end

--- f(), ended when the run's time is over: raises kind timeout, code deadline.
---@param run syncrun.Run
---@param f fun()
function M.before_deadline(run, f)
	if not run.deadline then return f() end
	if time.mono() >= run.deadline then too_late(run) end
	local _, e = err.try(task.timeout, run.deadline - time.mono(), f)
	if not e then return end
	if e.kind == "timeout" and e.code == "deadline" then too_late(run) end
	err.raise(e)
end

-- ---- the end

-- An error that ended the run: its exit code when it is said here, nil when it is for who called.
local function code_of(run, e)
	if e.kind == "cancelled" then
		log.warn("interrupted; what was done is on record: run the same command again to go on")
		return nil
	end
	local code = run:wrote() and exits.incomplete or exits.of(e)
	if e.kind == "script" or e.kind == "internal" then return nil end
	if not e.said then log.complain("%s", e.message) end
	return code
end

local function status_of(run, code, e)
	if e and e.kind == "cancelled" then return "interrupted" end
	if not run.snapshot or (e and (e.kind == "guard" or e.code == "refused")) then return "refused" end
	return (e or code == exits.incomplete or code == exits.unreachable) and "incomplete" or "finished"
end

-- The totals for the record, with what they are the totals of.
local function totals_of(run)
	if not run.result then return nil end
	local totals = { whole = not run.by_key, source = json.object(run.session.source:subject()) }
	for name, value in pairs(run.result.totals) do totals[name] = value end
	return totals
end

local function finish(run, status, code)
	local _, failed = err.try(function()
		run.ledger:finish(status, code, totals_of(run))
		run.ledger:export()
	end)
	if failed then log.error("%s", failed.message) end
end

-- The proof comes last: it tells how the run ended. One that cannot be written leaves the run incomplete.
local function finish_records(run, code, e)
	local status = status_of(run, code, e)
	local recorded = code or (status == "interrupted" and exits.interrupted[host.signal()]) or exits.of(e)
	finish(run, status, recorded)
	if not run.prover then return code end -- what stands in the way of one ended the run
	local _, failed = err.try(run.prover.finish, run.prover, run, { status = status, exit = recorded })
	if not failed then return code end
	log.error("the proof of this run could not be written (%s)", failed.message)
	if code ~= exits.equal then return code end
	finish(run, "incomplete", exits.incomplete)
	return exits.incomplete
end

--- End the run in the ledger and give the lock back.
---@param run syncrun.Run
---@param code integer? the exit code, when it came to its end
---@param e syncrun.Error? when it did not
---@return integer? code nil: e is for who called
function M.leave(run, code, e)
	if e then code = code_of(run, e) end
	if run.ledger then
		code = finish_records(run, code, e)
		if run.keep and code == exits.equal then prune(run.ledger, run.keep) end -- what a bad run needs is kept
		run.ledger:close()
	end
	if run.lock then run.lock:close() end
	return code
end

return M

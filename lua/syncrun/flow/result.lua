--- What a run came to: totals, a summary of each system, notes, the exit code. Made once, at the end; the report prints it.
local exits = require "syncrun.flow.exits"
local json = require "syncrun.json"
local report = require "syncrun.flow.report"
local time = require "syncrun.time"
local values = require "syncrun.model.values"

local M = {}

---@class syncrun.Result
---@field totals { total: integer, synced: integer|string, errors: integer, validated: integer, issues: integer }
---@field systems table[] a summary each, the source first
---@field source table what was read, and what it cost
---@field notes string[]
---@field exit integer
---@field good boolean
---@field incomplete boolean it did not come to its end, and can be gone on with
---@field started_at string
---@field finished_at string

local function source_summary(run)
	local counts, names = run.intake.tally:counts(), run.session.mapping:schema():names()
	return { label = run.session.source.label, name = run.session.source.name, fates = counts, columns = names,
		merges = values.merged(run.session.mapping.fields, counts) }
end

local function target_summary(target)
	local counts = target.tally:counts()
	return { label = target.label, name = target.system.name, counts = target.counts,
		lost = target.lost and target.lost.message, fates = counts, columns = target.tally.names,
		merges = values.merged(target.projection, counts) }
end

local function summaries(run)
	local list, by_label = { source_summary(run) }, {}
	for _, target in ipairs(run.targets) do by_label[target.label] = target end
	for _, system in ipairs(run.session.targets) do
		local target = by_label[system.label]
		list[#list + 1] = target and target_summary(target) or { label = system.label, skipped = system.skipped }
	end
	return list
end

local function source_facts(run)
	local source = run.session.source
	local last, cost = source.last or {}, source.cost or {}
	local facts = { rows = run.snapshot.total, queries = cost.queries, bytes_processed = cost.bytes_processed,
		bytes_billed = cost.bytes_billed, job = last.job, attempts = cost.attempts, retries = cost.retries,
		unmapped_columns = json.array(run.unmapped or {}) }
	for name, value in pairs(source:subject()) do facts[name] = value end
	return facts
end

local function is_late(run)
	for _, target in ipairs(run.targets) do
		if target.lost and target.lost.code == "deadline" then return true end
	end
	return false
end

local function is_lost(run)
	for _, target in ipairs(run.targets) do
		if target.lost then return true end
	end
	return false
end

local function exit_of(run, totals)
	if run.stop then return run.stop.exit end
	if is_lost(run) then return (run:wrote() or is_late(run)) and exits.incomplete or exits.unreachable end
	if run.source_lost then return exits.incomplete end
	if totals.errors > 0 or totals.issues > 0 or run.absent then return exits.different end
	if run.options.strict_extras and run.snapshot:extras() > 0 then return exits.different end
	return exits.equal
end

--- What this run came to.
---@param run syncrun.Run
---@return syncrun.Result
function M.of(run)
	local totals = report.totals(run.snapshot, run.options.skip_sync)
	local exit = exit_of(run, totals)
	return {
		totals = totals, systems = summaries(run), source = source_facts(run), notes = run.notes, exit = exit,
		good = exit == exits.equal, incomplete = run.stop ~= nil or run.source_lost ~= nil or is_lost(run),
		started_at = run.started_at, finished_at = time.format(time.now(), 3),
	}
end

return M

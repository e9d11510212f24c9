--- Guards: what a run must not go on from without a person's word. Each stops it before anything is written (exit 4),
--- says what it saw and which option lets that pass. Knows no system by name.
local err = require "syncrun.err"
local exits = require "syncrun.flow.exits"

local M = {}

-- Stop the run, unless its option says that this may be; then it is a note of the report.
local function stop(run, option, format, ...)
	local what = format:format(...)
	if run.options[option:gsub("-", "_")] then
		run.notes[#run.notes + 1] = ("%s (let pass by --%s)"):format(what, option)
		return
	end
	err.raise {
		kind = "guard", code = option, exit = exits.guard,
		message = ("%s; nothing was written. If that is right, --%s lets it pass"):format(what, option),
	}
end

local function named(source)
	return ("%s's table '%s'"):format(source.label, source:title())
end

-- How many rows the table had around the time it was read: the least and the most, nil when nothing tells.
local function rows_around(run)
	local before, after = run.intake.described.count, run.intake.described_after.count
	if not before or not after then return nil end
	return math.min(before, after), math.max(before, after)
end

local function wrong_length(run, rows, n)
	local source = run.session.source
	stop(run, "allow-short-source", "%s has %d rows, but reading it gave %d (a row access policy that hides some, or "
		.. "somebody on the way who answers for %s)", named(source), rows, n, source.label)
end

-- All of a table was asked for: the result must be all of it, whatever total the result itself announces. A filter's part of
-- it cannot be more than all.
local function check_length(run)
	local least, most = rows_around(run)
	local n = run.snapshot.total + run.intake.kept_out
	if not least or (n <= most and (n >= least or run.session.source.filter)) then return end
	wrong_length(run, n < least and least or most, n)
end

--- The source goes on beyond what it has. Raises kind guard.
---@param run syncrun.Run
---@param n integer rows so far
---@param count integer that it has
function M.too_long(run, n, count)
	if not run.options.allow_short_source then wrong_length(run, count, n) end
end

local SHRUNK, EXAMPLES = 0.1, 10 -- of the contacts of the last proven run

local function check_shrunk(run)
	local n, source = run.snapshot.total, run.session.source
	local before = run.ledger:last_proven(source:subject())
	local share = (run.session.config.guards or {}).shrunk or SHRUNK
	if not before or n >= before * (1 - share) then return end
	local gone = run.ledger:absent(EXAMPLES)
	local names = gone[1] and (" (gone are %s%s)"):format(table.concat(gone, ", "), before - n > #gone and " …" or "")
	stop(run, "allow-shrunken-source", "%s gives %d contacts, %d fewer than when all was last proven%s", named(source), n,
		before - n, names or "")
end

-- Whether a target holds anybody: its first page tells.
local function holds_people(system)
	local next_page, _, _, _ <close> = system:scan()
	local page = next_page()
	return page ~= nil and #page > 0
end

local function check_empty(run)
	if run.snapshot.total > 0 then return end
	for _, target in ipairs(run.targets) do
		if holds_people(target.system) then
			stop(run, "allow-empty-source", "%s gives no contact at all%s, but %s holds people", named(run.session.source),
				run.session.source.filter and " through its filter" or "", target.label)
			return
		end
	end
end

--- The source, once it was read whole: is it as long as its table, is there anybody, and are most of those there who were
--- there when all was proven? Raises kind guard.
---@param run syncrun.Run
function M.source(run)
	if run.by_key then return end
	check_length(run)
	check_empty(run)
	check_shrunk(run)
end

-- ---- before a change of much

local SHARE, LEAST = 0.3, 50 -- of the contacts that are there; fewer are never too many

-- The thresholds: guards = { share = 0.3, least = 50 } in the config.
local function thresholds(run)
	local own = run.session.config.guards or {}
	return own.share or SHARE, own.least or LEAST
end

local function cause(run)
	return run.ledger:mapping_changed() and "; the mapping is another than in the last run" or ""
end

-- Stop when so many of those that are there would be changed.
local function check_share(run, target, n, what)
	local share, least = thresholds(run)
	local there = target.counts.same + target.changes.updates
	if n <= least or n <= share * there then return end
	stop(run, "allow-mass-change", "%s: %s of %d of the %d contacts that are there would change (as %s)%s", target.label,
		what, n, there, table.concat(target.changes.examples, ", "), cause(run))
end

--- What the targets would have changed: is it more than a person would expect? Creates never count. Raises kind guard.
---@param run syncrun.Run every target has its plan
function M.changes(run)
	for _, target in ipairs(run.targets) do
		if target.changes then
			check_share(run, target, target.changes.updates, "fields")
			for _, field in ipairs(target.changes:fields()) do
				check_share(run, target, target.changes.by_field[field], "the field " .. field)
			end
		end
	end
end

return M

--- Guards: what a run must not go on from without a person's word. Each stops it before anything is written (exit 4),
--- says what it saw and which option lets that pass. Knows no system by name.
local err = require "syncrun.err"
local exits = require "syncrun.flow.exits"

local M = {}

-- Stop the run, unless its option says that this may be; then it is a note of the report.
local function stop(run, option, format, ...)
	local what = format:format(...)
	if run.options[option:gsub("-", "_")] then
		run.let_pass = option
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

-- The thresholds: guards = { … } in the config.
local SHRUNK = 0.1            -- contacts fewer than when all was last proven, as a share of those
local SHARE, LEAST = 0.3, 50  -- contacts that would change, of those that are there; so few are never too many
local FIELD, FEW = 0.3, 10    -- the same of one field
local EXAMPLES = 10

local function threshold(run, name, default)
	local own = run.session.config.guards or {}
	return own[name] or default
end

local function check_shrunk(run)
	local n, source = run.snapshot.total, run.session.source
	local before = run.ledger:last_proven(source:subject())
	if not before or n >= before * (1 - threshold(run, "shrunk", SHRUNK)) then return end
	local gone = run.ledger:absent(EXAMPLES)
	local names = gone[1] and (" (gone are %s%s)"):format(table.concat(gone, ", "), before - n > #gone and " …" or "")
	stop(run, "allow-shrunken-source", "%s gives %d contacts, %d fewer than when all was last proven%s", named(source), n,
		before - n, names or "")
end

-- Some of those whom a target holds: of its first page.
local function some_of(system)
	local next_page, _, _, _ <close> = system:scan()
	local page, keys = next_page(), {}
	for j = 1, math.min(page and #page or 0, EXAMPLES) do keys[j] = page:text(j, system:projection()[1].name) end
	return keys
end

local function check_empty(run)
	if run.snapshot.total > 0 then return end
	local source, before = run.session.source, run.ledger:last_proven(run.session.source:subject())
	for _, target in ipairs(run.targets) do
		local keys = some_of(target.system)
		if #keys > 0 then
			stop(run, "allow-empty-source", "%s gives no contact at all%s%s, but %s holds people (as %s)", named(source),
				source.filter and " through its filter" or "",
				before and (" (it gave %d when all was last proven)"):format(before) or "", target.label,
				table.concat(keys, ", "))
			return true
		end
	end
end

--- The source, once it was read whole: is it as long as its table, is there anybody, and are most of those there who were
--- there when all was proven? Raises kind guard.
---@param run syncrun.Run
function M.source(run)
	if run.by_key then return end
	check_length(run)
	if not check_empty(run) then check_shrunk(run) end
end

-- ---- before a change of much

local function cause(run)
	return run.ledger:mapping_changed() and "; the mapping is another than in the last run" or ""
end

-- How many contacts are there, extras too: what changes is a share of them.
local function there_of(target)
	return target.counts.same + target.changes.differ + target.counts.extra
end

local function too_many(run, target, examples, format, ...)
	stop(run, "allow-mass-change", "%s: %s (as %s)%s", target.label, format:format(...), table.concat(examples, ", "),
		cause(run))
end

-- One field that would change in so many.
local function check_fields(run, target)
	local most, least = threshold(run, "field", FIELD) * there_of(target), threshold(run, "field_least", FEW)
	for _, name in ipairs(target.changes:fields()) do
		local field = target.changes.by_field[name]
		if field.n > most and field.n > least then
			too_many(run, target, field.examples, "the field %s of %d of the %d contacts that are there would change", name,
				field.n, there_of(target))
		end
	end
end

-- The fields of most of those changes, for who wonders what happened.
local function fields_of(changes)
	local list = changes:fields()
	table.sort(list, function(a, b)
		local m, n = changes.by_field[a].n, changes.by_field[b].n
		return m > n or (m == n and a < b)
	end)
	for i, name in ipairs(list) do list[i] = ("%s of %d"):format(name, changes.by_field[name].n) end
	if #list == 0 then return "" end
	return (" (%s%s)"):format(table.concat(list, ", ", 1, math.min(#list, 3)), #list > 3 and " …" or "")
end

local function check_all(run, target)
	local changes, there = target.changes, there_of(target)
	local n, most = changes.updates + changes.deletes, threshold(run, "share", SHARE) * there
	if n <= most or n <= threshold(run, "least", LEAST) then return false end
	local fields = ("fields%s of %d"):format(fields_of(changes), changes.updates)
	if changes.deletes > 0 then
		too_many(run, target, changes.examples, "%d of the %d contacts that are there would be deleted, and %s change",
			changes.deletes, there, fields)
	else
		too_many(run, target, changes.examples, "%s of the %d contacts that are there would change", fields, there)
	end
	return true
end

--- What the targets would have changed: is it more than a person would expect? Creates never count. Raises kind guard.
---@param run syncrun.Run every target has its plan
function M.changes(run)
	for _, target in ipairs(run.targets) do
		if target.changes and not check_all(run, target) then check_fields(run, target) end
	end
end

return M

--- Delta runs: `full_sync --changed` syncs the contacts whose updated_at says that they changed since the last full run,
--- which is remembered in the state folder. It is quick and proves nothing: what changed without its updated_at saying so,
--- or was changed in a target, is found by the next full run, which counts it. Knows nothing of systems.
local err = require "syncrun.err"
local json = require "syncrun.json"
local report = require "syncrun.flow.report"
local time = require "syncrun.time"

local M = {}

local COLUMN = "updated_at"

local function path_of(run)
	return run.session.config.state .. "/last_full.json"
end

-- What the last full run left, nil when there was none.
local function remembered(run)
	local file = io.open(path_of(run), "r")
	if not file then return nil end
	local text = file:read "a"
	file:close()
	local last = err.try(json.decode, text or "")
	if type(last) == "table" and math.type(last.since) == "integer" and math.type(last.deltas) == "integer" then
		return last
	end
	err.raisef("config", "'%s' is damaged; remove it and run scripts/full_sync.lua without --changed", path_of(run))
end

local function remember(run, last)
	report.file(path_of(run), function(w) w:write(json.encode(last, { pretty = true, spell = true }) .. "\n") end)
end

-- The mapping's field that says when a contact changed.
local function time_field(run)
	for _, field in ipairs(run.session.mapping.fields) do
		if field.source == COLUMN and field.type == "timestamp" then return field end
	end
end

-- What a full run was about: a delta must be about the same.
local function subject(run)
	local out = {}
	for name, value in pairs(run.session.source:subject()) do out[name] = value end
	return out
end

local function same_subject(a, b)
	for name, value in pairs(b) do
		local was = a[name]
		if (was == json.null and "" or was) ~= value then return false end -- null: as earlier versions wrote it
	end
	return true
end

--- Turn a run into a delta run. Raises kind usage (exit 2) when it cannot be one.
---@param run syncrun.Run
function M.select(run)
	local o = run.options
	if o.only or o.limit then
		err.raisef("usage", "'--changed' says which contacts by itself; leave out --only and --limit")
	end
	if not time_field(run) then
		err.raisef("usage", "'--changed' needs a timestamp field from the column %s in the mapping", COLUMN)
	end
	local last = remembered(run)
	if not last then
		err.raisef("usage", "'--changed' needs a full run before it, and '%s' remembers none; run without --changed first",
			run.session.config.state)
	elseif not same_subject(last, subject(run)) then
		err.raisef("usage", "the last full run was of another table or filter; run without --changed first")
	end
	run.delta, run.by_key = last, true
	run.selection.since = { column = COLUMN, at = last.since }
end

-- How many of the contacts that this full run wrote had their last change before the last delta began: it should have
-- seen them. Nil when nothing tells.
local function missed(run, last)
	local field, n = time_field(run), 0
	if not field then return nil end
	for key in run.ledger:sent_keys() do
		local known, text = run.snapshot:value(key, field.name)
		local at = math.tointeger(tonumber(text))
		if known and (not at or at < last.last_delta) then n = n + 1 end
	end
	return n
end

--- Add to the notes what kind of run this was: of a delta, that it proves nothing; of a full run, what the deltas before
--- it missed.
---@param run syncrun.Run
function M.note(run)
	if run.delta then
		local text = "delta run, not a proof: only contacts whose %s is not before %s were looked at"
		run.notes[#run.notes + 1] = text:format(COLUMN, time.format(run.delta.since, "auto"))
		return
	end
	local last = not run.by_key and not run.options.skip_sync and err.try(remembered, run)
	if not last or last.deltas == 0 or not same_subject(last, subject(run)) then return end
	local n = missed(run, last)
	if n then run.notes[#run.notes + 1] = ("Missed by the %d delta runs before this run: %d"):format(last.deltas, n) end
end

-- The youngest change that was seen; never beyond the begin of the run: a time in the future would hide what follows.
local function watermark(run)
	local field = time_field(run)
	local largest = field and run.snapshot:largest(field.name)
	return largest and math.min(largest, time.parse(run.started_at))
end

--- Remember this run for the next delta, when it came to its end: a full run anew, a delta run as one more of them.
---@param run syncrun.Run its exit is 0 or 1 when every system was reached
function M.remember(run)
	if run.options.skip_sync or run.result.exit > 1 then return end
	if run.delta then
		run.delta.deltas, run.delta.last_delta = run.delta.deltas + 1, time.parse(run.started_at)
		remember(run, run.delta)
	elseif not run.by_key then
		local last, since = subject(run), watermark(run)
		if not since then return end
		last.since, last.at, last.deltas = since, run.started_at, 0
		remember(run, last)
	end
end

return M

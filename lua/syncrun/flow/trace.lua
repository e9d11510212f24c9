--- The story of one contact, for people: what the source has and what the mapping and each system make of it, then everything
--- that the ledger knows in the order it happened: requests with what they changed and how they were answered, verdicts, and
--- the runs in which it was validated unchanged. Reads only; a run may go on meanwhile. Knows no system by name.
local config_of = require "syncrun.flow.config"
local err = require "syncrun.err"
local file = require "syncrun.file"
local inspect = require "syncrun.flow.inspect"
local json = require "syncrun.json"
local sqlite = require "syncrun.sqlite"
local values = require "syncrun.model.values"
local visible = require "syncrun.visible"

local M = {}

-- ---- what the ledger knows

-- Requests that the contact was in.
local ATTEMPTS = [[SELECT a.id, a.run, a.system, a.mode, a.contacts, a.at, a.status, a.reason, a.request, a.response
	FROM attempt AS a WHERE a.mode <> 'read' AND EXISTS (SELECT 1 FROM json_each(a.keys) WHERE value = ?1) ORDER BY a.id]]

-- What the audit trail tells of the contact by name: fields that a request changed, verdicts that changed.
local ITEMS = [[SELECT v.field, v.value, a.record ->> 'kind' AS kind, a.record ->> 'attempt' AS attempt,
	a.record ->> 'system' AS system, a.record ->> 'at' AS at, a.run FROM audit_value AS v JOIN audit AS a ON a.n = v.record
	WHERE v.key = ?1 ORDER BY v.record, v.i]]

local STATES = [[SELECT s.system, s.state, s.attempt, r.at AS read_at, r.run AS read_run, a.run AS sent_run
	FROM state AS s LEFT JOIN attempt AS r ON r.id = s.read LEFT JOIN attempt AS a ON a.id = s.attempt
	WHERE s.key = ?1 ORDER BY s.system]]

-- Whole runs after a reading that read the system again and came to their end.
local LATER = [[SELECT count(DISTINCT run.id) AS n, min(run.id) AS first, max(run.id) AS last FROM run JOIN attempt AS a
	ON a.run = run.id AND a.system = ?1 AND a.mode = 'read' WHERE run.id > ?2 AND run.status = 'finished'
	AND run.exit IN (0, 1) AND run.totals ->> 'whole']]

local MODES = { create = "created", update = "updated", delete = "deleted", restore = "put back" }
local ANSWERS = { written = "taken", sent = "no answer on record" }

-- A changed field in words.
local function change_words(item)
	local change = err.try(json.decode, item.value)
	if type(change) ~= "table" then return item.field end
	local function shown(value) return values.shown(value ~= json.null and tostring(value) or nil, "text") end
	return ("%s: %s -> %s"):format(item.field, shown(change.before), shown(change.after))
end

local function attempt_event(a, label_of)
	local event = { at = a.at, lines = {}, text = ("run %d: %s in %s (request %d, %d contact%s): %s%s"):format(a.run,
		MODES[a.mode] or a.mode, label_of(a.system), a.id, a.contacts, a.contacts == 1 and "" or "s",
		ANSWERS[a.status] or a.status, a.reason and ("; " .. a.reason) or "") }
	if a.request then event.lines[#event.lines + 1] = "request: " .. a.request end
	if a.response then event.lines[#event.lines + 1] = "answer: " .. a.response end
	return event
end

-- Everything of the contact by time.
local function events_of(db, id, label_of)
	local events, by_attempt = {}, {}
	for a in db:each(ATTEMPTS, id) do
		local event = attempt_event(a, label_of)
		events[#events + 1], by_attempt[a.id] = event, event
	end
	for item in db:each(ITEMS, id) do
		local event = by_attempt[item.attempt]
		if item.kind == "verdict" then
			events[#events + 1] = { at = item.at, lines = {},
				text = ("run %d: %s in %s"):format(item.run, item.value, label_of(item.system)) }
		elseif item.field ~= "contact" and event then
			event.lines[#event.lines + 1] = change_words(item)
		end
	end
	for n, event in ipairs(events) do event.n = n end
	table.sort(events, function(a, b) return a.at < b.at or (a.at == b.at and a.n < b.n) end)
	return events
end

local function range(later)
	if later.n == 1 then return ("run %d"):format(later.first) end
	return ("%d runs, %d to %d"):format(later.n, later.first, later.last)
end

local function state_words(db, state, label)
	local words = ("%s: %s"):format(label, state.state)
	if not state.read_run then return words end
	words = ("%s, read in run %d at %s"):format(words, state.read_run, state.read_at)
	local later = db:one(LATER, state.system, state.read_run)
	if state.state ~= "verified" or later.n == 0 then return words end
	return ("%s; validated unchanged in %s"):format(words, range(later))
end

-- ---- saying it

local function say_ledger(say, db, id, label_of)
	local events, said = events_of(db, id, label_of), false
	say "Ledger"
	for _, event in ipairs(events) do
		said = true
		say("  %s %s", event.at, visible.text(event.text))
		for _, line in ipairs(event.lines) do say("     - %s", visible.text(line)) end
	end
	for state in db:each(STATES, id) do
		said = true
		say("  %s", visible.text(state_words(db, state, label_of(state.system))))
	end
	if not said then say "  nothing is kept of this contact; is the id right?" end
	return said
end

local function is_plain(e)
	if e.model.fate ~= "exact" then return false end
	for _, s in ipairs(e.systems) do
		if s.column and (s.fate ~= "exact" or s.verdict ~= "equal") then return false end
	end
	return true
end

-- Field by field; those that are the same all the way are only counted, unless all are asked for.
local function say_fields(say, look, id, all)
	local same = {}
	for _, name in ipairs(look.mapping:names()) do
		local e = look:explain(id, name)
		if is_plain(e) and not all then same[#same + 1] = name else say("%s", tostring(e)) end
	end
	if #same > 0 then say("exact and equal in every system: %s", table.concat(same, ", ")) end
end

local function say_systems(say, look, id, all)
	local _, e = err.try(function()
		say_fields(say, look, id, all)
		return true
	end)
	if not e then return true end
	if e.kind == "cancelled" or e.kind == "script" or e.kind == "internal" then err.raise(e) end
	say("now: %s", visible.text(e.message))
	return false
end

-- Labels by the ledger's short names.
local function labels(look)
	local by_name = {}
	for _, target in ipairs(look.targets) do by_name[target.name or ""] = target.label end
	return function(name) return by_name[name] or name or "?" end
end

--- Tell the story of a contact on standard output. Returns the exit code: 1 when nothing is known of it.
---@param options { id: string, config: string?, offline: boolean?, all: boolean? }
---@return integer
function M.run(options)
	local out = file.standard "stdout"
	local function say(format, ...) out:write((select("#", ...) > 0 and format:format(...) or format) .. "\n") end
	local state = config_of.load { file = options.config }.state
	local look = inspect.open { config = options.config }
	say("Contact %s", visible.text(options.id))
	local known = not options.offline and say_systems(say, look, options.id, options.all)
	if file.kind(state .. "/ledger.db") == "file" then
		local db <close> = sqlite.open(state .. "/ledger.db", { mode = "ro" })
		known = say_ledger(say, db, options.id, labels(look)) or known
	else
		say("Ledger\n  there is none in '%s'", visible.text(state))
	end
	look:close()
	return known and 0 or 1
end

return M

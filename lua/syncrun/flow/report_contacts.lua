--- The report's file of contacts: a line each, in the source's order, with its state in every system and what is wrong with
--- it. A stop waits for this file, and most contacts differ by id and name only: the rest of a line is encoded once for all
--- that share it. Knows no system by name.
local json = require "syncrun.json"
local rows = require "syncrun.rows"

local M = {}

local AT_ONCE = 1000 -- contacts whose states are asked of the ledger, and whose lines are written, in one go

local SPELLED = { spell = true } -- what systems hold may be no UTF-8

local function encoded(value) return json.raw(json.encode(value, SPELLED)) end

-- ---- values

-- The values of a run that traced its folds, by contact: an iterator over (pos, system, fate), the worst of each first.
local WORST = [[SELECT pos, system, CASE max(CASE fate WHEN 'rejected' THEN 3 WHEN 'lost' THEN 2 ELSE 1 END)
	WHEN 3 THEN 'rejected' WHEN 2 THEN 'lost' ELSE 'folded' END AS fate FROM fate GROUP BY pos, system ORDER BY pos]]

-- Contact by contact, in the order of pos: what worst(pos) became of its values, by system.
local function worst_fates(run)
	if not run.options.trace_folds then return function() return nil end end
	local next_row = run.snapshot.db:each(WORST)
	local row = next_row()
	return function(pos)
		local worst = {}
		for _, system in ipairs(run.result.systems) do worst[system.label] = not system.skipped and "exact" or nil end
		while row and row.pos == pos do
			worst[row.system] = row.fate
			row = next_row()
		end
		return worst
	end
end

-- ---- states

-- The source's own state of a contact: it is what all others are held to.
local SOURCE_STATES = { source = "rejected", missing = "missing" }

local function source_state(run, found)
	local state = "verified"
	for _, finding in ipairs(found) do
		if finding.system == run.snapshot.label and finding.phase == "validate" then
			state = SOURCE_STATES[finding.kind] or "invalid"
		end
	end
	return state
end

-- What each target's states of a page of contacts are: by label, by key.
local function ledger_states(run, page)
	local by_label, keys = {}, {}
	for i = 1, #page do keys[#keys + 1] = page[i].id end
	for _, target in ipairs(run.targets) do
		by_label[target.label] = run.ledger:states_of(target.system.name, keys)
	end
	return by_label
end

-- A contact's states, the source's first: of the ledger; a contact that goes to no system is rejected in all.
local function states_of(run, id, bad, found, by_label)
	local states = { bad and "rejected" or source_state(run, found) }
	for i, system in ipairs(run.session.targets) do
		states[i + 1] = system.skipped and "skipped" or bad and "rejected" or by_label[system.label][id] or "unread"
	end
	return states
end

-- What encodes a contact's states by label: once for all contacts that have the same.
local function states_encoder(run)
	local labels, known = { run.snapshot.label }, {}
	for i, system in ipairs(run.session.targets) do labels[i + 1] = system.label end
	return function(states)
		local signature = table.concat(states, " ")
		if not known[signature] then
			local by_label = {}
			for i, label in ipairs(labels) do by_label[label] = states[i] end
			known[signature] = encoded(by_label)
		end
		return known[signature]
	end
end

-- ---- what is wrong

local function reasons(list)
	json.array(list)
	return { list = list, text = encoded(list) }
end

local NOTHING = reasons {}

-- What is wrong with every contact that goes to a system.
local function common_reasons(run, phase)
	local list = {}
	for i, one in ipairs(run.snapshot:lost(phase)) do list[i] = one.reason end
	return reasons(list)
end

-- What is wrong with a contact in a phase, the shared reasons first.
local function reasons_of(phase, shared, found)
	if #found == 0 then return shared.text end
	local list = json.array(table.move(shared.list, 1, #shared.list, 1, {}))
	for _, finding in ipairs(found) do
		if finding.phase == phase then list[#list + 1] = finding.reason end
	end
	return list
end

local NONE = {}

-- What gives the findings of one contact after the other, in the order of pos.
local function findings_reader(db)
	local next_row = db:each "SELECT pos, system, phase, kind, reason FROM finding ORDER BY pos, system, rowid"
	local open = next_row()
	return function(pos)
		if not open or open.pos ~= pos then return NONE end
		local found = {}
		repeat
			found[#found + 1] = open
			open = next_row()
		until not open or open.pos ~= pos
		return found
	end
end

-- ---- the file

local ROW = rows.schema { { "pos", "int64" }, { "id", "text" }, { "name", "text" }, { "bad", "bool" } }

-- The source's rows, a page at a time.
local function pages(snapshot)
	return snapshot.db:scan_rows(([[SELECT source.pos, %s, %s, bad.pos IS NOT NULL FROM source
		LEFT JOIN bad ON bad.pos = source.pos ORDER BY source.pos]]):format(snapshot.key, snapshot.name_field), ROW, AT_ONCE)
end

--- Write a line for every contact.
---@param writer userdata
---@param run syncrun.Run
function M.write(writer, run)
	local errors, issues = common_reasons(run, "sync"), common_reasons(run, "validate")
	local states_text, findings_of, worst_of = states_encoder(run), findings_reader(run.snapshot.db), worst_fates(run)
	for page in pages(run.snapshot) do
		local by_label, lines = ledger_states(run, page), {}
		for i = 1, #page do
			local pos, id, bad = page[i].pos, page[i].id, page[i].bad
			local found = findings_of(pos)
			lines[i] = {
				contact_id = id or json.null, name = page[i].name or json.null,
				systems = states_text(states_of(run, id, bad, found, by_label)),
				errors = reasons_of("sync", bad and NOTHING or errors, found),
				issues = reasons_of("validate", bad and NOTHING or issues, found), values = worst_of(pos),
			}
		end
		writer:write(json.lines(lines, SPELLED))
	end
end

return M

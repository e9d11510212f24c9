--- Undoing a run: what it created is taken out again, what it changed or deleted is put back as it was before, as far as it still
--- is as that run left it; what is not is named and left alone. It is a run itself, with ledger, proof and report. Knows no
--- system by name.
local err = require "syncrun.err"
local exits = require "syncrun.flow.exits"
local extras = require "syncrun.flow.extras"
local file = require "syncrun.file"
local host = require "syncrun.host"
local images = require "syncrun.record.images"
local json = require "syncrun.json"
local ledger_of = require "syncrun.record.ledger"
local report = require "syncrun.flow.report"
local reports = require "syncrun.report"
local rows = require "syncrun.rows"
local standing = require "syncrun.flow.undo_standing"

local M = {}

local SHOWN = 10 -- contacts named on standard output; undone.jsonl has all

-- ---- which run

local function refuse(...)
	err.raise { kind = "config", exit = exits.usage, message = string.format(...) }
end

-- The run of that number, or of that folder's name.
local function find(run, name)
	for row in run.ledger.db:each "SELECT * FROM run ORDER BY id" do
		local is_meant = tostring(row.id) == name or (row.folder or ""):match "[^/]*$" == name
		if is_meant and row.id ~= run.ledger.run then return row end
	end
	refuse("there is no run '%s' in the ledger; sqlite3 %s 'SELECT id, started_at, status FROM run' lists them", name,
		run.ledger.path)
end

local function check_mapping(run, row)
	if row.mapping_digest == ledger_of.digest_of(run.session.config.mapping) then return end
	refuse("run %d was made with another mapping than '%s'; undo it with that one", row.id, run.session.config.mapping)
end

-- A system that the run changed must be there: half of an undo is none.
local function check_systems(run, row, counts)
	local there = {}
	for _, target in ipairs(run.targets) do there[target.system.name] = true end
	for _, c in ipairs(counts) do
		if not there[c.system] then
			refuse("run %d changed '%s', which is not configured now; nothing was undone", row.id, c.system)
		end
	end
end

-- ---- may it be done?

local WORDS = { create = "to take out", update = "to put back", delete = "to put back" }

local function plan_words(counts)
	local words = {}
	for i, c in ipairs(counts) do words[i] = ("%s: %d %s that it %sd"):format(c.system, c.n, WORDS[c.mode], c.mode) end
	return table.concat(words, "; ")
end

local function ask(run, row, counts)
	if run.options.yes then return end
	if not host.terminal(0) then
		refuse("undoing run %d would change contacts (%s); --yes says that this is meant", row.id, plan_words(counts))
	end
	file.standard "stderr":write(("Undo run %d of %s? %s [y/N] "):format(row.id, row.started_at, plan_words(counts)))
	local answer = io.read "l"
	if answer ~= "y" and answer ~= "yes" then refuse("run %d was not undone", row.id) end
end

-- ---- doing it

local put_back

-- One contact that the system refuses is named once it is read back; of several it is found by halves.
local function put_back_parts(target, mode, list, reading)
	if #list == 1 then return end
	local middle = #list // 2
	put_back(target, mode, table.move(list, 1, middle, 1, {}), reading)
	put_back(target, mode, table.move(list, middle + 1, #list, 1, {}), reading)
end

put_back = function(target, mode, list, reading)
	local page, found, keys = rows.new(list[1].before.page:schema()), nil, {}
	for n, s in ipairs(list) do
		page:append(s.before.page, s.before.i)
		keys[n] = s.change.key
		if s.now then
			found = found or rows.new(s.now.page:schema())
			found:append(s.now.page, s.now.j)
		end
	end
	local attempt = target.ledger:departing(target.system.name, "restore", keys, reading)
	target.images:keep { system = target.system.name, attempt = attempt.id, mode = mode, before = found,
		left = standing.picked(page, mode == "create" and target.plans.write or target.plans.expected), key = target.key }
	local _, e = err.try(function()
		target.system:restore(page, mode)
		return true
	end)
	if not e then return target.ledger:departed(attempt) end
	target.ledger:failed(attempt, e)
	if not e.reject then err.raise(e) end
	put_back_parts(target, mode, list, reading)
end

-- Rows of one shape at a time: a page has one schema.
local function by_schema(list)
	local groups, order = {}, {}
	for _, s in ipairs(list) do
		local group = groups[s.before.page]
		if not group then
			group = {}
			groups[s.before.page], order[#order + 1] = group, group
		end
		group[#group + 1] = s
	end
	return order
end

local function keys_of(list)
	local keys = {}
	for n, s in ipairs(list) do keys[n] = s.change.key end
	return keys
end

-- Those that were soft-deleted before are so again.
local function gone_before(list)
	local out = {}
	for _, s in ipairs(list) do
		if s.before.gone then out[#out + 1] = s end
	end
	return out
end

local function act(target, todo, reading)
	if #todo.out > 0 then extras.take_out(target, keys_of(todo.out)) end
	for _, group in ipairs(by_schema(todo.update)) do put_back(target, "update", group, reading) end
	for _, group in ipairs(by_schema(todo.back)) do put_back(target, "create", group, reading) end
	local gone = gone_before(todo.update)
	if #gone > 0 then extras.take_out(target, keys_of(gone)) end
end

local function look(target, keys)
	local reading = target.ledger:read(target.system.name)
	local found = target.system:fetch(keys)
	target.ledger:was_read(reading, #found)
	return found, standing.index(target, found), reading
end

local DONE = { out = "taken out", update = "put back", back = "put back" }

-- Read back what was changed: undone is what is as it was.
local function verify(target, note, todo)
	for action, list in pairs(todo) do
		local found, at = rows.new(target.system:fetch({}):schema()), {}
		if #list > 0 then found, at = look(target, keys_of(list)) end
		for _, s in ipairs(list) do
			s.now, s.twice = standing.now_of(target, found, at[s.change.key])
			local good = not s.twice and standing.is_as_before(target, s)
			note(target, s.change.key, good and DONE[action] or nil, target.label .. ": is not as it was before, read back")
		end
	end
end

local function undo_batch(target, kept, note, changes)
	local keys, todo = {}, { out = {}, update = {}, back = {} }
	for n, change in ipairs(changes) do keys[n] = change.key end
	local found, at, reading = look(target, keys)
	for _, s in ipairs(standing.of(target, kept, changes, found, at)) do
		local action, why = standing.decide(target, kept, s)
		if todo[action] then
			table.insert(todo[action], s)
		else
			note(target, s.change.key, action and "was so already", why)
		end
	end
	act(target, todo, reading)
	verify(target, note, todo)
end

-- ---- what it came to

-- Lines of undone.jsonl, and the numbers: note(target, key, what was done or nil, why not).
local function notes_of(writer, counts)
	return function(target, key, done, why)
		local c = counts[target.label]
		c[done or "left"] = (c[done or "left"] or 0) + 1
		if not done and #c.named < SHOWN then c.named[#c.named + 1] = { key = key, why = why } end
		writer:write(report.line { contact_id = key, system = target.label, undone = done or json.null,
			reason = not done and why or nil })
	end
end

local function say_target(say, target, c)
	say("%s: %d taken out, %d put back, %d were so already, %d left alone%s", target.label, c["taken out"] or 0,
		c["put back"] or 0, c["was so already"] or 0, c.left or 0,
		target.lost and (" (lost: %s)"):format(target.lost.message) or "")
	for _, one in ipairs(c.named) do
		say("  ⚠️  (ID: %s)\n     - %s", one.key, one.why)
	end
	if (c.left or 0) > #c.named then say("  ... and %d more", c.left - #c.named) end
end

local function say_all(say, run, row, counts)
	say("UNDO OF RUN %d (%s)", row.id, row.started_at)
	say ""
	for _, target in ipairs(run.targets) do
		if counts[target.label] then say_target(say, target, counts[target.label]) end
	end
end

local function write_report(run, row, counts, code)
	local folder = run.options.report or run.folder
	report.file(folder .. "/report.txt", function(w) say_all(reports.to(w), run, row, counts) end)
	report.file(folder .. "/report.json", function(w)
		w:write(json.encode({ version = host.version, undoes = row.id, exit_code = code, systems = json.object(counts) },
			{ pretty = true }) .. "\n")
	end)
end

local function exit_of(run, counts)
	local code = exits.equal
	for _, target in ipairs(run.targets) do
		if target.lost then return run:wrote() and exits.incomplete or exits.unreachable end
		if counts[target.label] and counts[target.label].left then code = exits.different end
	end
	return code
end

-- ---- the whole

local function undo_target(target, kept, note)
	for changes in kept:batches(target.system.name, target.system.limits.rows) do
		undo_batch(target, kept, note, changes)
	end
end

--- Undo a run, in every system that it changed. Returns the exit code: 1 when anything is left as it is. Raises kind config
--- (exit 2) when there is no such run, nothing is kept of it, or nobody says that it is meant.
---@param run syncrun.Run that undoes it, with its targets
---@param each fun(f: fun(target: syncrun.Target)) for every target that is not lost
---@return integer
function M.run(run, each)
	local row = find(run, run.options.undo)
	check_mapping(run, row)
	local kept <close> = images.of_run(row.folder or "", "ro")
	if not kept then
		run.say("Run %d changed nothing, or what it changed is not kept any more", row.id)
		return exits.equal
	end
	check_systems(run, row, kept:counts())
	ask(run, row, kept:counts())
	local counts, writer <close> = {}, file.create((run.options.report or run.folder) .. "/undone.jsonl")
	for _, target in ipairs(run.targets) do counts[target.label] = { named = json.array {} } end
	each(function(target) undo_target(target, kept, notes_of(writer, counts)) end)
	writer:close()
	local code = exit_of(run, counts)
	say_all(run.say, run, row, counts)
	write_report(run, row, counts, code)
	return code
end

return M

--- A plan: what a run would change, contact by contact and field by field with both values, as JSON lines that a person can
--- review; and the other way round, a run that does exactly what a plan says. The first line says what the plan is about:
--- with another mapping, other checks, settings or source it is refused whole. Knows no system by name.
local config_of = require "syncrun.flow.config"
local crypto = require "syncrun.crypto"
local err = require "syncrun.err"
local file = require "syncrun.file"
local json = require "syncrun.json"
local ledger = require "syncrun.record.ledger"
local rows = require "syncrun.rows"
local values = require "syncrun.model.values"

local M = {}

local VERSION = 1
local SHOWN = 10 -- contacts a system on standard output; the file has all

-- ---- what a plan is about

-- Everything that decides what a run does, in digests and the source's own words.
local function head_of(run)
	local config = run.session.config
	return {
		plan = VERSION, mapping = ledger.digest_of(config.mapping), checks = ledger.digest_of(config.checks),
		settings = config_of.digest(config), source = json.object(run.session.source:subject()),
	}
end

-- A row in the columns that are compared: equal rows have equal digests, whichever form they were read in.
local function digest_of_row(page, i, names)
	local parts = {}
	for n, name in ipairs(names) do
		local value = rows.canon(page, i, name)
		parts[n] = value and #value .. ":" .. value or "-"
	end
	return crypto.sha256(table.concat(parts), "hex")
end

-- ---- making one

local function fields_of(change)
	local list = json.array {}
	for i, d in ipairs(change.differences) do
		list[i] = { field = d.field, column = d.column, actual = values.kept(d.actual) or json.null,
			expected = values.kept(d.expected) or json.null }
	end
	return list
end

-- Of a new contact every field that has a value.
local function new_fields(target, expected, i)
	local list = json.array {}
	for _, column in ipairs(target.projection) do
		if column.own == "source" and not expected:is_null(i, column.name) then
			list[#list + 1] = { field = column.field.name, column = column.name,
				expected = values.kept(expected:text(i, column.name)) }
		end
	end
	return list
end

local function entry_of(target, change)
	local names = change.expected:schema():names()
	return {
		system = target.label, contact_id = change.key, change = change.refused and "refused" or change.mode,
		reason = change.refused, fields = change.found and fields_of(change) or new_fields(target, change.expected, change.i),
		expected = digest_of_row(change.expected, change.i, names),
		actual = change.found and digest_of_row(change.found, change.j, names) or json.null,
	}
end

-- What systems hold may be no UTF-8.
local function encoded(entry) return json.encode(entry, { spell = true }) end

local LINES = "CREATE TABLE plan_line (system TEXT, line TEXT)"

-- The lines of a target wait in the snapshot's database until its look is through: one that is begun anew forgets them.
local function record_target(target, db, writer)
	local function forget() db:run("DELETE FROM plan_line WHERE system = ?", target.label) end
	target.only_planned = true -- what is not there yet is empty
	target.on_plan = forget
	target.on_change = function(change)
		db:run("INSERT INTO plan_line VALUES (?, ?)", target.label, encoded(entry_of(target, change)))
	end
	target.on_planned = function()
		for row in db:each("SELECT line FROM plan_line WHERE system = ? ORDER BY rowid", target.label) do
			writer:write(row.line .. "\n")
		end
		forget()
	end
end

--- Keep what the targets of a run would change, in a file. Closing the writer completes it.
---@param run syncrun.Run with its snapshot
---@param path string
---@return syncrun.Writer
function M.record(run, path)
	local writer = file.create(path)
	writer:write(encoded(head_of(run)) .. "\n")
	run.snapshot.db:exec(LINES)
	for _, target in ipairs(run.targets) do record_target(target, run.snapshot.db, writer) end
	return writer
end

local function shown(value)
	return value == json.null and "null" or ('"%s"'):format(value)
end

local function say_entry(say, entry)
	say("  %s %s", ({ create = "+", refused = "!" })[entry.change] or "~", entry.contact_id)
	if entry.reason then say("     - %s", entry.reason) end
	for _, f in ipairs(entry.change == "create" and {} or entry.fields) do
		say("     - %s: %s -> %s", f.column, shown(f.actual), shown(f.expected))
	end
end

-- The first changes of each system in the file, and how many there are.
local function entries_by_system(path)
	local by_label = {}
	for line in io.lines(path) do
		local entry = json.decode(line)
		if entry.system then
			local list = by_label[entry.system] or { n = 0 }
			by_label[entry.system], list.n = list, list.n + 1
			if #list < SHOWN then list[#list + 1] = entry end
		end
	end
	return by_label
end

local function say_target(say, target, entries)
	local c = target.changes
	if not c then return say("%s: not known (%s)", target.label, target.lost.message) end
	say("%s: %d would be created, %d changed, %d revived, %d left alone, %d refused%s", target.label, c.creates, c.updates,
		c.revives, target.counts.same, c.refused, c.deletes > 0 and (", %d deleted"):format(c.deletes) or "")
	for _, entry in ipairs(entries) do say_entry(say, entry) end
	if entries.n > #entries then say("  ... and %d more", entries.n - #entries) end
end

--- The plan on standard output: the numbers of each system, and its first ten changes.
---@param run syncrun.Run
---@param path string where it is kept
function M.say(run, path)
	local say, entries = run.say, entries_by_system(path)
	say "PLAN: nothing was written"
	say ""
	for _, target in ipairs(run.targets) do say_target(say, target, entries[target.label] or { n = 0 }) end
	for _, note in ipairs(run.notes) do say("%s", note) end
	say ""
	say("All of it: %s", path)
	say("To do exactly this: --apply %s", path)
end

-- ---- doing one

local function refuse(path, ...)
	err.raise { kind = "config", exit = 2, message = ("the plan '%s' %s; nothing was written. Make a new one with --plan")
		:format(path, string.format(...)) }
end

local DIGESTS = { "mapping", "checks", "settings" }

local function check_head(run, path, head)
	if type(head) ~= "table" or head.plan ~= VERSION then refuse(path, "is no plan of this version") end
	local now = head_of(run)
	for _, name in ipairs(DIGESTS) do
		if head[name] ~= now[name] then refuse(path, "was made with other %s", name) end
	end
	for name, value in pairs(now.source) do
		if type(head.source) ~= "table" or head.source[name] ~= value then refuse(path, "is about another source") end
	end
end

local TABLE = [[CREATE TABLE planned (system TEXT, k TEXT, expected TEXT, actual TEXT,
	PRIMARY KEY (system, k)) WITHOUT ROWID]]

-- Whether a contact is to be sent, by the plan; false and why not.
local function gate_of(db, target)
	return function(key, expected, i, found, j)
		local names = expected:schema():names()
		local row = db:one("SELECT expected, actual FROM planned WHERE system = ? AND k = ?", target.label, key)
		if not row then return false, "it is not in the plan" end
		if row.expected ~= digest_of_row(expected, i, names) then return false, "it changed in the source since the plan" end
		local actual = found and digest_of_row(found, j, names) or nil
		if row.actual ~= actual then return false, "it changed there since the plan" end
		return true
	end
end

--- Hold a run to a plan: each contact that is not in it, or changed since on either side, is refused and named. Raises kind
--- config (exit 2) when the plan is about something else. Before sync.
---@param run syncrun.Run with its snapshot
---@param path string
function M.hold(run, path)
	if file.kind(path) ~= "file" then refuse(path, "is not there") end
	local db, first = run.snapshot.db, true
	db:exec(TABLE)
	for line in io.lines(path) do
		local entry, e = err.try(json.decode, line)
		if e or type(entry) ~= "table" then refuse(path, "is damaged (%s)", e and e.message or "no object") end
		if first then
			check_head(run, path, entry)
			first = false
		elseif entry.change ~= "refused" then
			db:run("INSERT OR REPLACE INTO planned (system, k, expected, actual) VALUES (?, ?, ?, ?)", entry.system,
				entry.contact_id, entry.expected, entry.actual ~= json.null and entry.actual or nil)
		end
	end
	if first then refuse(path, "is empty") end
	for _, target in ipairs(run.targets) do target.gate, target.write_again = gate_of(db, target), true end
end

--- Name the contacts of a plan that are not in the source any more.
---@param run syncrun.Run held to a plan
function M.note_gone(run)
	for row in run.snapshot.db:each "SELECT DISTINCT k FROM planned ORDER BY k" do
		if not run.snapshot:has(row.k) then
			run.absent = true
			run.notes[#run.notes + 1] = ("In the plan, and not in %s any more: %s"):format(run.session.source.label, row.k)
		end
	end
end

return M

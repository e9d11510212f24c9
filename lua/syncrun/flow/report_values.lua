--- The report's part on values: how many of each field are exact, folded, lost or rejected in each system, which cannot be
--- told apart there any more, and what people keep in the fields that are theirs. Knows no system by name.
local json = require "syncrun.json"
local visible = require "syncrun.visible"

local M = {}

local FATES = { "exact", "folded", "lost", "rejected" }

-- "Tim Apple (2), My api key (1)"
local function editors_of(db, row)
	local names = {}
	for e in db:each([[SELECT editor, count(*) AS n FROM owned WHERE system = ? AND field = ? AND editor IS NOT NULL
		GROUP BY editor ORDER BY n DESC, editor LIMIT 5]], row.system, row.field) do
		names[#names + 1] = ("%s (%d)"):format(visible.text(e.editor), e.n)
	end
	return names
end

--- How many contacts differ in fields that are a system's own or were written once, and who edited those last.
---@param db table the snapshot's
---@return { system: string, field: string, own: string, contacts: integer, editors: string[] }[]
function M.owned(db)
	local list = {}
	for row in db:each [[SELECT system, field, own, count(*) AS n FROM owned GROUP BY system, field, own
		ORDER BY system, field]] do
		list[#list + 1] = { system = row.system, field = row.field, own = row.own, contacts = row.n,
			editors = json.array(editors_of(db, row)) }
	end
	return list
end

--- One line a field that people changed where they may.
---@param say syncrun.Report
---@param db table
function M.say_owned(say, db)
	for _, o in ipairs(M.owned(db)) do
		say("Kept in %s, field %s (own = %s): %d %s%s", o.system, o.field, o.own, o.contacts,
			o.contacts == 1 and "contact differs" or "contacts differ",
			#o.editors > 0 and "; last edited by " .. table.concat(o.editors, ", ") or "")
	end
end

local function say_system(say, system)
	say("%-32s %10s %10s %10s %10s", system.label, table.unpack(FATES))
	for _, name in ipairs(system.columns) do
		local n = system.fates[name]
		say("  %-30s %10d %10d %10d %10d", name, n.exact, n.folded, n.lost, n.rejected)
	end
	for _, m in ipairs(system.merges) do
		say("  Not told apart there: %s (in %s)", m.what, table.concat(m.fields, ", "))
	end
	say ""
end

--- The table of all fields of all systems.
---@param say syncrun.Report
---@param source string its label
---@param systems table[] label, columns (names in order), fates (by name), merges
function M.say_fates(say, source, systems)
	say ""
	say:title "VALUES"
	say ""
	say("exact: as in %s. folded: changed as declared. lost: the system cannot hold it. rejected: it refuses it.", source)
	say ""
	for _, system in ipairs(systems) do
		if system.fates then say_system(say, system) end
	end
end

--- A line of a report in JSON. What systems hold may be no UTF-8: a report is completed nevertheless.
---@param value table
---@return string
function M.line(value)
	return json.encode(value, { spell = true }) .. "\n"
end

-- A line for every row of a query that joins the source.
local function write_lines(writer, snapshot, columns, from)
	local sql = "SELECT %s AS contact_id, %s FROM %s AS t JOIN source USING (pos) ORDER BY pos, t.rowid"
	sql = sql:format(snapshot.key, columns, from)
	for row in snapshot.db:each(sql) do
		local line = {}
		for name, value in pairs(row) do line[name] = value end
		line.contact_id = line.contact_id or json.null
		writer:write(M.line(line))
	end
end

--- Every value that is not exact: contact, system, field, what became of it, why, what is stored.
---@param writer userdata
---@param snapshot syncrun.Snapshot
function M.write_fates(writer, snapshot)
	write_lines(writer, snapshot, "system, field, fate, note, stored", "fate")
end

--- Every value that people keep in a field of theirs: contact, system, field, what the source has, what is there, by whom.
---@param writer userdata
---@param snapshot syncrun.Snapshot
function M.write_owned(writer, snapshot)
	write_lines(writer, snapshot, "system, field, own, expected, actual, editor", "owned")
end

return M

--- The findings of a run as CSV (RFC 4180), for spreadsheets: every text is quoted and one line, and none is a formula. What is
--- absent is an empty cell without quotes, an empty text one with them.
local visible = require "syncrun.visible"

local M = {}

local COLUMNS = { "contact_id", "name", "system", "phase", "kind", "field", "actual", "expected", "reason" }

local function line_of(cells)
	local list = {}
	for i, name in ipairs(COLUMNS) do list[i] = cells[name] and visible.csv(cells[name]) or "" end
	return table.concat(list, ",") .. "\r\n"
end

local function write_rows(writer, rows)
	for row in rows do writer:write(line_of(row)) end
end

--- One line a finding, then the systems that were lost, then what the systems have beside the source.
---@param writer syncrun.Writer
---@param snapshot syncrun.Snapshot
function M.write(writer, snapshot)
	local db, names = snapshot.db, {}
	for _, name in ipairs(COLUMNS) do names[name] = name end
	writer:write(line_of(names))
	write_rows(writer, db:each(([[SELECT CAST(%s AS TEXT) AS contact_id, CAST(%s AS TEXT) AS name, system, phase, kind,
		field, actual, expected, reason FROM finding JOIN source USING (pos)
		ORDER BY pos, system, finding.rowid]]):format(snapshot.key, snapshot.name_field)))
	write_rows(writer, db:each "SELECT system, phase, 'failed' AS kind, reason FROM lost ORDER BY system, rowid")
	write_rows(writer, db:each [[SELECT system, 'extra' AS kind, nullif(k, '') AS contact_id, name FROM extra
		ORDER BY system, k = '', k, rowid]])
end

--- What stands in the place of a contact's line, when this is one; nil when it is another's.
---@param line string without its "\n"
---@param key string
---@param word string
---@return string?
function M.without(line, key, word)
	local cell = visible.csv(key) .. ","
	if line:sub(1, #cell) ~= cell then return nil end
	return line_of({ contact_id = word }):sub(1, -2)
end

return M

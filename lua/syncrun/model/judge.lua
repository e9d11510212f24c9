--- The one verdict: is a contact in a system what it should be? A pure function of the expected row, the rows found under
--- its key, and the checks; the pass, the second look, the ledger, the report and the prompt all use it, so that they
--- cannot disagree. Nothing that was read is changed here. Knows no system by name.
local rows = require "syncrun.rows"
local values = require "syncrun.model.values"

local M = {}

---@class syncrun.Difference one field that is not as expected
---@field column string as the system calls it
---@field field string as the mapping calls it
---@field expected string?
---@field actual string?
---@field text string in words, both values

---@class syncrun.Verdict
---@field state "verified"|"missing"|"mismatched" of the ledger's states, the one that a reading gives
---@field kind "missing"|"deleted"|"repeated"|"mismatched"|"lost"|nil what is wrong; nil when nothing is; deleted: missing,
--- because somebody deleted it there, which is respected
---@field passes boolean nothing is wrong, or the checks leave out what is
---@field gone boolean a tombstone of it is there
---@field merged string? somebody merged it into another there, in words
---@field row integer? the row that was compared
---@field differences syncrun.Difference[]
---@field lost string[] values that this system cannot hold, in words

---@class syncrun.Judge
local Judge = {}
Judge.__index = Judge

--- A judge of one system's contacts.
---@param system { projection: fun(self): syncrun.ProjectedColumn[], gone: string?, on_deleted: string? }
---@param checks syncrun.Checks
---@return syncrun.Judge
function M.new(system, checks)
	local self = setmetatable({ checks = checks, gone = system.gone, respects = system.on_deleted == "respect",
		field_of = {} }, Judge)
	for _, column in ipairs(system:projection()) do self.field_of[column.name] = column.field end
	return self
end

--- Whether the checks include a field: a difference in another is no finding.
---@param field string of the mapping
---@return boolean
function Judge:includes(field)
	return self.checks:includes(field)
end

--- Whether a row that was read is a tombstone.
---@param page syncrun.Rows
---@param j integer
---@return boolean
function Judge:is_gone(page, j)
	return self.gone ~= nil and page:schema():index(self.gone) ~= nil and not page:is_null(j, self.gone)
end

--- The rows that are no tombstones.
---@param page syncrun.Rows
---@param list integer[]? of these rows; default all
---@return integer[] alive, boolean gone there is a tombstone
function Judge:alive(page, list)
	local alive, gone = {}, false
	for n = 1, list and #list or #page do
		local j = list and list[n] or n
		if self:is_gone(page, j) then gone = true else alive[#alive + 1] = j end
	end
	return alive, gone
end

--- Whether a row that was read is as expected, the checks left aside.
---@param expected syncrun.Rows
---@param i integer
---@param found syncrun.Rows
---@param j integer
---@return boolean
function Judge:is_equal(expected, i, found, j) -- luacheck: ignore 212
	return rows.equal(expected, i, found, j, expected:schema():names())
end

-- A cell as a difference shows it.
local function shown(page, i, name)
	return values.shown(page:text(i, name), page:schema():type(name))
end

--- The differences between two rows, whether the checks count them or not.
---@param expected syncrun.Rows
---@param i integer
---@param found syncrun.Rows
---@param j integer
---@return syncrun.Difference[]
function Judge:differences(expected, i, found, j)
	local list = {}
	for _, name in ipairs(rows.diff(expected, i, found, j)) do
		list[#list + 1] = {
			column = name, field = self.field_of[name].name, expected = expected:text(i, name), actual = found:text(j, name),
			text = ("%s is %s, expected %s"):format(name, shown(found, j, name), shown(expected, i, name)),
		}
	end
	return list
end

-- Those of them that the checks count.
local function counting(self, expected, i, found, j)
	local list = {}
	for _, d in ipairs(self:differences(expected, i, found, j)) do
		if self:includes(d.field) then list[#list + 1] = d end
	end
	return list
end

-- The values of the expected row that the system cannot hold: such a contact is not validated there.
local function losses(self, expected, i)
	local list = {}
	for _, fate in ipairs(expected:fates(i) or {}) do
		if fate.fate == "lost" then
			list[#list + 1] = values.reason(expected, i, fate, self.field_of[fate.column].on_loss)
		end
	end
	return list
end

local function verdict(fields)
	fields.differences, fields.lost, fields.gone = fields.differences or {}, fields.lost or {}, fields.gone or false
	return fields
end

--- Judge one contact.
---@param expected syncrun.Rows
---@param i integer
---@param found syncrun.Rows? what was read
---@param list integer[] the rows of `found` under this contact's key, tombstones too
---@param merged string? where it was merged into another contact, in words
---@return syncrun.Verdict
function Judge:contact(expected, i, found, list, merged)
	local alive, gone = self:alive(found, list)
	local tolerated = not self.checks.exists
	if #alive == 0 then
		local respected = self.respects and (gone or merged ~= nil)
		return verdict { state = "missing", kind = respected and "deleted" or "missing", passes = respected or tolerated,
			gone = gone, merged = merged }
	end
	if #alive > 1 then
		return verdict { state = "mismatched", kind = "repeated", passes = tolerated, gone = gone }
	end
	local differ, lost = counting(self, expected, i, found, alive[1]), losses(self, expected, i)
	local kind = #differ > 0 and "mismatched" or #lost > 0 and "lost" or nil
	return verdict { state = kind and "mismatched" or "verified", kind = kind, passes = kind == nil, gone = gone,
		row = alive[1], differences = differ, lost = lost }
end

--- What is wrong with a contact as a whole, in words: it is missing, or there more than once.
---@param v syncrun.Verdict
---@param label string of the system
---@return string
function M.words(v, label)
	if v.kind == "repeated" then return ("%s: exists more than once"):format(label) end
	local how = v.merged and (" (%s)"):format(v.merged) or v.gone and " (soft-deleted there)" or ""
	if v.kind == "deleted" then return ("Deleted in %s, and left so%s"):format(label, how) end
	return ("Missing in %s%s"):format(label, how)
end

--- A verdict in words, one line for each thing that is wrong; none when it passes.
---@param v syncrun.Verdict
---@param label string of the system
---@return string[]
function M.lines(v, label)
	if v.passes then return {} end
	if v.kind == "missing" or v.kind == "repeated" then return { M.words(v, label) } end
	local lines = {}
	for _, d in ipairs(v.differences) do lines[#lines + 1] = ("%s: %s"):format(label, d.text) end
	for _, text in ipairs(v.lost) do lines[#lines + 1] = ("%s: %s"):format(label, text) end
	return lines
end

return M

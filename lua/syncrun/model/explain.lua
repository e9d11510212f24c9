--- The way of one value: from the source through the mapping and each system's projection to what the systems hold.
--- Knows no system by name and opens none: syncrun.flow.inspect gives it what was read.
local rows = require "syncrun.rows"
local values = require "syncrun.model.values"
local visible = require "syncrun.visible"

local M = {}

---@class syncrun.Explained what became of a value on one leg of its way
---@field column string
---@field type syncrun.ColumnType
---@field value string as the report shows values
---@field steps string[] the declared transforms, then the system's own folds
---@field fate syncrun.Fate
---@field note string? why it is not exact

local function step_text(step)
	if type(step) ~= "table" then return tostring(step) end
	local parts = {}
	for i, part in ipairs(step) do
		parts[i] = type(part) == "table" and "{" .. table.concat(part, ", ") .. "}" or tostring(part)
	end
	return parts[1] .. "(" .. table.concat(parts, ", ", 2) .. ")"
end

local function leg(page, column, steps)
	local out = { column = column, type = page:schema():type(column), steps = {}, fate = "exact" }
	out.value = values.shown(page:text(1, column), out.type)
	for i, step in ipairs(steps) do out.steps[i] = step_text(step) end
	for _, fate in ipairs(page:fates(1) or {}) do
		if fate.column == column then out.fate, out.note = fate.fate, fate.note end
	end
	return out
end

--- From the source to the model: what the source has, what the mapping made of it.
---@param source syncrun.Rows of one row
---@param model syncrun.Rows of one row, with its fates
---@param field syncrun.Field
---@return { column: string, value: string, type: string }, syncrun.Explained
function M.model(source, model, field)
	local made = leg(model, field.name, field.steps)
	if field.transform then made.steps[#made.steps + 1] = "a function in Lua" end
	return { column = field.source, type = source:schema():type(field.source),
		value = values.shown(source:text(1, field.source), source:schema():type(field.source)) }, made
end

local function verdict_of(column, expected, judge, found, alive)
	if #alive == 0 then return "missing there" end
	if #alive > 1 then return ("there %d times"):format(#alive) end
	local equal = rows.equal(expected, 1, found, alive[1], { column.name })
	if column.own == "target" then return equal and "equal, never written" or "its own, never written" end
	if column.own == "once" then return equal and "equal" or "changed there since it was created" end
	if equal then return "equal" end
	return judge:includes(column.field.name) and "different" or "different, which the checks leave out"
end

--- From the model to one system: what it should hold, what it holds.
---@param model syncrun.Rows of one row
---@param column syncrun.ProjectedColumn
---@param look { found: syncrun.Rows, judge: syncrun.Judge, expected: syncrun.Rows? } what the system's fetch gave for the
--- key, who judges it, and the expected row where a rule of the system changed it
---@return syncrun.Explained with own, on_loss, holds (list of values) and verdict
function M.system(model, column, look)
	local expected, found = look.expected, look.found
	if not expected or not expected:schema():index(column.name) then
		expected = rows.plan(model:schema(), { column }):apply(model)
	end
	local out, alive = leg(expected, column.name, column.steps), look.judge:alive(found)
	out.own, out.on_loss, out.holds = column.own, column.field.on_loss, {}
	for k, j in ipairs(alive) do out.holds[k] = values.shown(found:text(j, column.name), out.type) end
	out.verdict = verdict_of(column, expected, look.judge, found, alive)
	return out
end

local function leg_text(name, e)
	local steps = #e.steps > 0 and table.concat(e.steps, ", ") .. " -> " or ""
	return ("  %-10s %s %s: %s%s (%s%s)"):format(name, e.column, e.type, steps, e.value, e.fate,
		e.note and ": " .. e.note or "")
end

local Explanation = {}
Explanation.__index = Explanation

function Explanation:__tostring()
	local lines = { ("contact %s, field %s"):format(self.contact_id, self.field) }
	lines[2] = ("  %-10s %s %s: %s"):format(self.source.label, self.source.column, self.source.type, self.source.value)
	lines[3] = leg_text("mapping", self.model)
	for _, s in ipairs(self.systems) do
		if s.column then
			lines[#lines + 1] = leg_text(s.label, s)
			lines[#lines + 1] = ("  %-10s holds %s: %s"):format("", #s.holds > 0 and table.concat(s.holds, ", ") or "nothing",
				s.verdict)
		else
			lines[#lines + 1] = ("  %-10s %s"):format(s.label, s.verdict)
		end
	end
	for i, text in ipairs(lines) do lines[i] = visible.text(text) end
	return table.concat(lines, "\n")
end

--- The whole as one object; tostring gives it for people.
---@param parts table contact_id, field, source, model, systems
---@return table
function M.new(parts)
	return setmetatable(parts, Explanation)
end

return M

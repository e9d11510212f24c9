--- What became of the values of a run: what a system cannot hold, what it folds (per contact only when asked for), and
--- what its own people keep in the fields that are theirs. Kept in the snapshot for the report. Knows no system by name.
local rows = require "syncrun.rows"

local M = {}

-- Which values a step makes one: they cannot be told apart where it was taken.
local MERGES = {
	null_to_empty = 'null and ""', empty_to_null = 'null and ""', json_empty_object_to_null = "null and {}",
	json_empty_list_to_null = "null and []",
	lower = "upper and lower case", phone_e164 = "spellings of a telephone",
	phone_trunk = "spellings of a telephone", truncate_time = "times within one %s",
}
local UNITS = { ms = "millisecond", s = "second" }

--- A value as the report shows it: text in quotes and cut, numbers and JSON as they are, null.
---@param text string?
---@param kind syncrun.ColumnType
---@return string
function M.shown(text, kind)
	local plain = { json = true, int64 = true, decimal = true, float64 = true, bool = true }
	if text == nil then return "null" end
	if kind == "timestamp" then
		local micros = math.tointeger(tonumber(text))
		local ok, spelled = pcall(require "syncrun.time".format, micros, 6)
		text = ok and spelled or text
	end
	if #text > 200 then text = text:sub(1, (utf8.offset(text, 0, 200) or 200) - 1) .. "…" end
	if plain[kind] then return text end
	return '"' .. text:gsub('[%c"\\]', function(c)
		local named = ({ ["\n"] = "\\n", ["\t"] = "\\t", ['"'] = '\\"', ["\\"] = "\\\\" })[c]
		return named or ("\\u%04x"):format(c:byte())
	end) .. '"'
end

local KEPT_MAX = 16384 -- bytes of a value that a report keeps

--- A value as a report keeps it: what is longer than 16 KiB is cut, and how much is missing is said.
---@param text string?
---@return string?
function M.kept(text)
	if not text or #text <= KEPT_MAX then return text end
	local n = utf8.offset(text, 0, KEPT_MAX) - 1
	return ("%s… (%d more bytes)"):format(text:sub(1, n), #text - n)
end

--- Why a cell is lost or rejected, in words; of a lost one also what would be, or is, stored.
---@param page syncrun.Rows
---@param i integer
---@param fate { column: string, fate: syncrun.Fate, note: string }
---@param on_loss "reject"|"write"
---@return string
function M.reason(page, i, fate, on_loss)
	local text = ("%s: %s"):format(fate.column, fate.note)
	if fate.fate ~= "lost" then return text end
	return ("%s, %s %s"):format(text, on_loss == "write" and "stored as" or "would be stored as",
		M.shown(page:text(i, fate.column), page:schema():type(fate.column)))
end

---@class syncrun.Tally what became of the values of many pages, by column
local Tally = {}
Tally.__index = Tally

--- A tally over these columns.
---@param names string[]
---@return syncrun.Tally
function M.tally(names)
	local self = setmetatable({ names = names, cells = {} }, Tally)
	for _, name in ipairs(names) do self.cells[name] = { exact = 0, folded = 0, lost = 0, rejected = 0 } end
	return self
end

--- Add a page of so many rows.
---@param n integer
---@param counts syncrun.Counts of the plan that made it
function Tally:add(n, counts)
	for _, name in ipairs(self.names) do
		local cell, c = self.cells[name], counts[name]
		if c then
			cell.folded, cell.lost, cell.rejected = cell.folded + c.folded, cell.lost + c.lost, cell.rejected + c.rejected
			cell.exact = cell.exact + n - c.folded - c.lost - c.rejected
		else
			cell.exact = cell.exact + n
		end
	end
end

--- By column, how many values met each fate.
---@return table<string, table<syncrun.Fate, integer>>
function Tally:counts()
	return self.cells
end

-- Whether a page has a value that is lost or rejected.
local function has_unfit(counts)
	for _, count in pairs(counts) do
		if count.lost + count.rejected > 0 then return true end
	end
	return false
end

--- f(i, fate) for every cell of a page that is lost or rejected, and with trace for the folded too. A page without any
--- costs one look at its counts.
---@param page syncrun.Rows
---@param counts syncrun.Counts of the plan that made it
---@param trace boolean?
---@param f fun(i: integer, fate: table)
function M.each_fate(page, counts, trace, f)
	if not trace and not has_unfit(counts) then return end
	for i = 1, #page do
		for _, fate in ipairs(page:fates(i) or {}) do
			if trace or fate.fate ~= "folded" then f(i, fate) end
		end
	end
end

--- The values that cannot be told apart in a system any more, as far as it folded any: by what is merged, the fields.
---@param columns { name: string, steps: (string|table)[] }[]
---@param counts table<string, table<syncrun.Fate, integer>>
---@return { what: string, fields: string[] }[]
function M.merged(columns, counts)
	local list, by_what = {}, {}
	local function add(what, name)
		if not by_what[what] then
			by_what[what] = { what = what, fields = {} }
			list[#list + 1] = by_what[what]
		end
		local fields = by_what[what].fields
		if fields[#fields] ~= name then fields[#fields + 1] = name end
	end
	for _, column in ipairs(columns) do
		for _, step in ipairs(counts[column.name] and counts[column.name].folded > 0 and column.steps or {}) do
			local name, unit = type(step) == "table" and step[1] or step, type(step) == "table" and step[2] or nil
			if MERGES[name] then add(MERGES[name]:format(UNITS[unit] or unit), column.name) end
		end
	end
	return list
end

-- ---- fields that are the target's own, or were written once

---@class syncrun.OwnedMerge the second merge beside the comparison, in lock-step with it: same keys, same pages
local Owned = {}
Owned.__index = Owned

--- The key's column and those that the source does not rule, or only on create; nil when there are none.
---@param projection table[]
---@param own "once"? only those
---@return table[]?
function M.owned_columns(projection, own)
	local columns = { projection[1] }
	for _, column in ipairs(projection) do
		if column.own ~= "source" and (not own or column.own == own) then columns[#columns + 1] = column end
	end
	return #columns > 1 and columns or nil
end

--- Look for what people keep in the fields that are theirs. found(key, column, expected, actual, editor) for each.
---@param plan syncrun.Plan over owned_columns
---@param key string
---@param editor string? the actual column that names who edited last
---@param found fun(key: string, name: string, expected: string?, actual: string?, editor: string?)
---@return syncrun.OwnedMerge
function M.owned(plan, key, editor, found)
	return setmetatable({ plan = plan, key = key, found = found, editor = editor }, Owned)
end

--- The next page of the model, or nil at its end.
---@param model syncrun.Rows?
function Owned:expected(model)
	self.e_page = model and self.plan:apply(model)
	if self.merger then self.merger:expected(self.e_page) end
end

--- The next page of what is there, or nil at its end; the first one gives the schema.
---@param page syncrun.Rows?
function Owned:actual(page)
	self.a_page = page
	if self.merger then
		self.merger:actual(page)
	elseif page then
		local schema = page:schema()
		self.merger = rows.merger(self.plan:schema(), schema, self.key)
		self.names_editor = self.editor ~= nil and schema:index(self.editor) ~= nil
		self.merger:expected(self.e_page)
		self.merger:actual(page)
	end
end

--- As the merger of the comparison steps.
function Owned:step()
	if not self.merger then return end -- nothing is there
	self.merger:step()
	for _, pair in ipairs(self.merger:take().differ) do
		local e, a = self.e_page, self.a_page
		for _, name in ipairs(rows.diff(e, pair.e, a, pair.a)) do
			self.found(e:text(pair.e, self.key), name, e:text(pair.e, name), a:text(pair.a, name),
				self.names_editor and a:text(pair.a, self.editor) or nil)
		end
	end
end

return M

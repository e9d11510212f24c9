--- Reports, with a run or without one: lines, titles, lists and tables for people, JSON lines and CSV for programs; to standard
--- output, or into a file of ours (0600). A value of a line is shown visibly (see syncrun.visible), secrets are masked.
---
---     local out <close> = report.create "late.txt"
---     out:title "LATE CONTACTS"
---     out:list(names, { shown = 20 })
---     out:table({ "system", "contacts" }, { { "CRM", 537 }, { "Local", 536 } })
local call = require "syncrun.call"
local file = require "syncrun.file"
local json = require "syncrun.json"
local visible = require "syncrun.visible"

local M = {}

local WIDTH = 60
local SHOWN = 10

---@class syncrun.Report a call of it is its method say
local Report = {}
Report.__index = Report

local function shown(value)
	if math.type(value) then return value end
	return visible.text(tostring(value))
end

local function put(self, text)
	if self.writer then self.writer:write(text .. "\n") end
end

--- A line: a format with its values, or a text.
---@param format string
---@param ... any
function Report:say(format, ...)
	local values = table.pack(...)
	if values.n == 0 then return put(self, format) end
	for i = 1, values.n do values[i] = shown(values[i]) end
	put(self, format:format(table.unpack(values, 1, values.n)))
end

Report.__call = Report.say

--- A line of 60 `=`.
function Report:rule()
	put(self, ("="):rep(WIDTH))
end

--- A text between two rules.
---@param text string
function Report:title(text)
	self:rule()
	self:say("%s", text)
	self:rule()
end

-- An iterator over a list, or the iterator that was given.
local function each(items)
	if type(items) == "function" then return items end
	local i = 0
	return function()
		i = i + 1
		return items[i]
	end
end

local LIST = {
	types = { "table" }, fields = { shown = { types = { "integer" }, min = 0 }, bullet = { types = { "text" } } },
}

--- A line an item, the first ten or `shown` of them; then how many more there are. Items are a list or an iterator, which is
--- read to its end.
---@param items any[]|fun(): any
---@param options { shown: integer?, bullet: string? }?
function Report:list(items, options)
	local o = call.options("report:list", options, LIST)
	local most, n = o.shown or SHOWN, 0
	for item in each(items) do
		n = n + 1
		if n <= most then self:say("  " .. (o.bullet or "-"):gsub("%%", "%%%%") .. " %s", item) end
	end
	if n > most then self:say("  ... and %d more", n - most) end
end

local function width_of(text)
	return utf8.len(text) or #text
end

local function cell_text(value)
	if value == nil or value == json.null then return "" end
	return tostring(shown(value))
end

-- The cells of a table as texts, the width of each column, and which columns hold only numbers.
local function measure(names, lines)
	local widths, numeric = {}, {}
	for c, name in ipairs(names) do widths[c], numeric[c] = width_of(name), #lines > 0 end
	for _, line in ipairs(lines) do
		for c = 1, #names do
			widths[c] = math.max(widths[c], width_of(cell_text(line[c])))
			numeric[c] = numeric[c] and (line[c] == nil or math.type(line[c]) ~= nil)
		end
	end
	return widths, numeric
end

local function table_line(cells, widths, numeric)
	local parts = {}
	for c, width in ipairs(widths) do
		local text = cell_text(cells[c])
		local space = (" "):rep(width - width_of(text))
		parts[c] = numeric[c] and space .. text or text .. space
	end
	return (table.concat(parts, "  "):gsub(" +$", ""))
end

local LISTS = { "list" }

--- Aligned columns: numbers to the right, all else to the left. nil and json.null are empty.
---@param names string[] of the columns
---@param lines any[][] the cells of each line
function Report:table(names, lines)
	call.check("report:table", "the names", names, LISTS)
	call.check("report:table", "the lines", lines, LISTS)
	local widths, numeric = measure(names, lines)
	put(self, table_line(names, widths, numeric))
	for _, line in ipairs(lines) do put(self, table_line(line, widths, numeric)) end
end

--- A line of JSON. What systems hold may be no UTF-8: such bytes are spelled out.
---@param value any
function Report:json(value)
	put(self, json.encode(value, { spell = true }))
end

--- A line of CSV (RFC 4180), harmless to a spreadsheet. nil and json.null are empty.
---@param cells any[] with n where the last may be nil
function Report:csv(cells)
	local texts = {}
	for i = 1, cells.n or #cells do
		local value = cells[i]
		texts[i] = (value == nil or value == json.null) and "" or visible.csv(tostring(value))
	end
	put(self, table.concat(texts, ","))
end

--- Complete a file. Raises when what was written cannot be kept; legal twice.
function Report:close()
	if self.writer and self.owned then self.writer:close() end
	self.writer = nil
end

Report.__close = Report.close

local STDOUT = { types = { "table" }, fields = { quiet = { types = { "boolean" } } } }

--- A report on standard output; quiet: nowhere.
---@param options { quiet: boolean? }?
---@return syncrun.Report
function M.stdout(options)
	local o = call.options("report.stdout", options, STDOUT)
	return setmetatable({ writer = not o.quiet and file.standard "stdout" or nil }, Report)
end

local PATH = { "text" }

--- A report into a file, new or emptied; close it. Raises kind config when it cannot be made.
---@param path string
---@return syncrun.Report
function M.create(path)
	call.check("report.create", "the path", path, PATH)
	return setmetatable({ writer = file.create(path), owned = true }, Report)
end

--- A report through a writer that somebody else closes.
---@param writer syncrun.Writer
---@return syncrun.Report
function M.to(writer)
	return setmetatable({ writer = writer }, Report)
end

return M

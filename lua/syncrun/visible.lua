--- Text from outside as it is shown to people: honest for the reader, harmless for what it is shown in. Control
--- characters, direction overrides, spaces that are not the plain one and characters without a shape are spelled out
--- (\x1b, \u200b), bytes that are not UTF-8 too (\xff); secrets are masked. Files for programs keep the bytes.
local c = require "_syncrun.visible"

local M = {}

--- For a terminal, a message, a line of a report: one unbroken line.
---@param text string
---@return string
function M.text(text) return c.text(text) end

--- The same with line ends and tabs kept.
---@param text string
---@return string
function M.lines(text) return c.lines(text) end

--- The same of what a server or a script says, which may be long: 2 KiB of it, and how much is left out. Done where such a
--- text enters, so that nothing behind keeps more.
---@param text string
---@return string
function M.excerpt(text) return c.excerpt(text) end

--- The message of an error: 4 KiB of it, since it may hold such an excerpt; with lines, line ends and tabs are kept.
---@param text string
---@param lines boolean?
---@return string
function M.message(text, lines) return c.message(text, lines) end

--- JSON text whose characters that a reader would not see are escaped (\u202e): the same value, for files that people open
--- too; secrets are masked.
---@param text string
---@return string
function M.json(text) return c.json(text) end

--- As text, as a cell of CSV, quoted. What a spreadsheet would take for a formula (= + - @ in front) gets a ' before it.
---@param text string
---@return string
function M.csv(text) return c.csv(text) end

return M

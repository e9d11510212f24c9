--- JSON, strict (RFC 8259) and lossless: integers stay integers, and a number that no Lua number can hold keeps its
--- spelling. Objects become tables, arrays become marked tables, null becomes json.null.
local c = require "_syncrun.json"
local call = require "syncrun.call"

local M = {}

local FLAG = { types = { "boolean" } }
local OPTIONS = { types = { "table" }, fields = { pretty = FLAG, spell = FLAG } }
local LIST = { "table" }
local FOR_LINES = { types = { "table" }, fields = { spell = FLAG } }

---@class syncrun.JsonNumber a number beyond integer and float; tostring gives its spelling, encode writes it as spelled
---@class syncrun.JsonRaw JSON text that encode inserts as it is

--- What null is in Lua: a light value, truthy, equal to itself only.
M.null = c.null

--- The value of a JSON text. Integers spelled without point and exponent that fit 64 bits become integers (but -0, a
--- float); other numbers become floats when the float has exactly the same decimal value, else syncrun.JsonNumber. Of a
--- repeated name the last value counts. Raises kind json, saying line and column.
---@param text string
---@return any
function M.decode(text) return c.decode(text) end

--- The JSON text of a value: keys sorted by bytes, floats as the shortest text that reads back as that float. A table
--- is an array when its keys are 1 to n, n > 0, or when marked by json.array; an empty one is {} unless marked. Raises
--- kind json for NaN, infinities, text that is not UTF-8, functions, holes and circles, saying where. With spell = true,
--- for files that people open too, bytes that are no UTF-8 are spelled \xNN instead, and characters that a reader would not see
--- (see syncrun.visible) are escaped: the same value.
---@param value any
---@param options {pretty: boolean?, spell: boolean?}?
---@return string
function M.encode(value, options)
	if options == nil then return c.encode(value) end
	return c.encode(value, call.options("json.encode", options, OPTIONS))
end

--- JSON lines: the text of each value of a list, a newline behind each, in one go. Values and spell as encode takes them.
---@param list any[]
---@param options {spell: boolean?}?
---@return string
function M.lines(list, options)
	call.check("json.lines", "the list", list, LIST)
	return c.lines(list, call.options("json.lines", options, FOR_LINES))
end

--- The canonical form of a JSON text: no space, keys sorted by bytes, strings minimally escaped, numbers by exact
--- decimal value as sign, digits without leading and trailing zeros, exponent (1.10 is 11e-1, 1000 is 1e3, -0 is 0).
---@param text string
---@return string canonical
---@return boolean duplicates a key was repeated; its last value was taken
function M.canonical(text) return c.canonical(text) end

--- Is the text one JSON value?
---@param text string
---@return boolean
---@return string? reason where and why not
function M.valid(text) return c.valid(text) end

--- A number that is written as spelled.
---@param text string a JSON number
---@return syncrun.JsonNumber
function M.number(text) return c.number(text) end

--- JSON text to be inserted as it is; raises kind json when it is not JSON.
---@param text string
---@return syncrun.JsonRaw
function M.raw(text) return c.raw(text) end

--- Mark a table (default: a new one) as an array, so that it is encoded as one even when empty.
---@generic T: table
---@param t T?
---@return T
function M.array(t) return c.array(t) end

--- Mark a table (default: a new one) as an object: it is never taken for an array.
---@generic T: table
---@param t T?
---@return T
function M.object(t) return c.object(t) end

--- Is it a table marked as an array (as all arrays from decode are)?
---@param value any
---@return boolean
function M.is_array(value) return c.is_array(value) end

return M

--- Errors: one object everywhere, {kind, message, code, retryable, …}; tostring gives the message.
local c = require "_syncrun.err"
local visible = require "syncrun.visible"

local M = {}

---@class syncrun.Error
---@field kind string usage config http postgres sqlite json timeout cancelled mapping check limit guard script internal
---@field message string lower case, names the thing, cause in brackets
---@field code string? machine-readable detail (SQLSTATE, HTTP status …)
---@field retryable boolean? the same call may succeed later
---@field traceback string?

local CODE_MAX = 47 -- bytes, as in C
local HAS_LINES = { script = true, internal = true } -- what Lua says of them

--- Make an error object without raising it. Whatever its message quotes cannot steer a terminal, is no secret, and ends.
---@param fields table kind and message at least
---@return syncrun.Error
function M.new(fields)
	if fields.message then fields.message = visible.message(tostring(fields.message), HAS_LINES[fields.kind]) end
	if type(fields.code) == "string" then fields.code = visible.text(fields.code):sub(1, CODE_MAX) end
	return c.new(fields)
end

--- Raise an error object.
---@param fields table kind and message at least, or an error object
function M.raise(fields)
	error(c.is(fields) and fields or M.new(fields), 0)
end

--- Raise an error of this kind with a formatted message.
---@param kind string
---@param format string
function M.raisef(kind, format, ...)
	error(M.new { kind = kind, message = format:format(...) }, 0)
end

--- Whether a value is an error object.
---@param value any
---@return boolean
function M.is(value)
	return c.is(value)
end

--- Any raised value as an error object.
---@param value any
---@return syncrun.Error
function M.wrap(value)
	if c.is(value) then return value end
	return M.new { kind = "script", message = tostring(value) }
end

--- A handler for xpcall: any raised value as an error object that knows where it was raised. A cancellation does not: it
--- is nobody's fault.
---@param value any
---@return syncrun.Error
function M.traced(value)
	local e = c.caught(value)
	if not e.traceback and e.kind ~= "cancelled" then e.traceback = debug.traceback(nil, 2) end
	return e
end

--- Raise for a call that a script got wrong: kind usage, code "call"; the message begins with the script's line. For
--- primitives.
---@param format string
function M.misuse(format, ...)
	error(M.new { kind = "usage", code = "call", message = c.where() .. format:format(...) }, 0)
end

local function results(ok, ...)
	if ok then return ... end
	return nil, M.wrap((...))
end

--- Call f(...): its results, or nil and an error object. A cancellation is returned too, and raised again by the next
--- wait of the cancelled task.
---@param f function
---@return any, syncrun.Error?
function M.try(f, ...)
	return results(xpcall(f, M.traced, ...))
end

return M

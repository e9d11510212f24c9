--- Instants as integers, microseconds since 1970 in UTC, and their RFC 3339 texts. Exact: nothing is ever rounded.
local c = require "_syncrun.time"

local M = {}

--- The wall clock, in microseconds.
---@return integer
function M.now() return c.now() end

--- A clock that never steps back, in seconds since some fixed point.
---@return number
function M.mono() return c.mono() end

--- An instant as text: "2026-01-02T03:04:05.123456Z". Fewer digits cut, towards the past.
---@param us integer
---@param digits integer|"auto"|nil 0 to 6 fraction digits (6); "auto": 0, 3 or 6, the fewest that lose nothing
---@return string
function M.format(us, digits)
	if digits == "auto" then return c.format(us) end
	return c.format(us, digits or 6)
end

--- Read an RFC 3339 text with Z or a numeric offset; years 1 to 9999, up to nine fraction digits of which those behind
--- the sixth must be zero. Raises kind usage.
---@param text string
---@return integer us
function M.parse(text) return c.parse(text) end

--- An instant as a date and time of day in UTC.
---@param us integer
---@return { year: integer, month: integer, day: integer, hour: integer, min: integer, sec: integer, usec: integer }
function M.civil(us) return c.civil(us) end

--- Whether the text is YYYY-MM-DD and the calendar has that day (years 1 to 9999).
---@param text string
---@return boolean
function M.date_valid(text) return c.date_valid(text) end

local UNITS = { s = 1, m = 60, h = 3600, d = 86400 }
local CENTURY = 36525 * 86400

--- The seconds of a duration with its unit: "90s", "10m", "1.5h", "90d". Nil for any other text, a bare number too: whether
--- 90 means seconds or days is not guessed; and for none, or more than a hundred years.
---@param text string
---@return number?
function M.duration(text)
	local n, unit = text:match "^(%d+%.?%d*)([smhd])$"
	local seconds = n and tonumber(n) * UNITS[unit]
	return seconds and seconds > 0 and seconds <= CENTURY and seconds or nil
end

return M

--- The log on stderr, one line a message, secrets masked. Results belong on stdout.
local c = require "_syncrun.log"
local host = require "_syncrun.host"
local visible = require "syncrun.visible"

local M = {}

-- A text without values is not a format: it may contain "%".
local function write(level, format, ...)
	if not c.enabled(level) then return end
	c.write(level, select("#", ...) > 0 and format:format(...) or tostring(format))
end

--- For who looks into the machine.
---@param format string as string.format's when values follow, else the text itself
function M.debug(format, ...) write("debug", format, ...) end

--- What an operator wants to know.
---@param format string
function M.info(format, ...) write("info", format, ...) end

--- What may be wrong.
---@param format string
function M.warn(format, ...) write("warn", format, ...) end

--- What went wrong.
---@param format string
function M.error(format, ...) write("error", format, ...) end

--- Why a command does not do its work: one line `syncrun: …` on stderr, whatever the level.
---@param format string
function M.complain(format, ...)
	host.standard "stderr":write("syncrun: " .. visible.text(format:format(...)) .. "\n")
end

--- Register a secret: from now on it is masked wherever syncrun writes. Under six bytes it cannot be.
---@param text string
function M.secret(text) c.secret(text) end

--- Register what is secret in a setting before it is used: all of it when its name says so (a key, token, password) or
--- when it is a credentials file's text instead of its path; else what looks like a secret in it.
---@param name string
---@param value string
function M.setting(name, value) c.setting(name, value) end

--- The text with every secret masked.
---@param text string
---@return string
function M.redact(text) return c.redact(text) end

--- Set the least level that is written.
---@param name "debug"|"info"|"warn"|"error"|"off"|nil nil only asks
---@return string before the level before
function M.level(name) return c.level(name) end

--- Write JSON lines {time, level, message} instead of text.
---@param on boolean
function M.json(on) c.json(on) end

return M

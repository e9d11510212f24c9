--- The one place for exit codes: errors say what happened, this table says which code that is.
local err = require "syncrun.err"
local file = require "syncrun.file"

local M = {
	equal = 0,       -- every contact in every system checked and equal
	different = 1,   -- finished; errors or differences remain
	usage = 2,       -- usage or configuration; nothing done
	unreachable = 3, -- a system could not be reached or refused the credentials; nothing written
	guard = 4,       -- a guard stopped the run
	incomplete = 5,  -- a system was lost after writing began, or the deadline came; can be resumed
	script = 6,      -- script error
	broken = 7,      -- a proof, the log of runs or the audit trail is itself broken
	interrupted = { INT = 130, TERM = 143, HUP = 129 },
}

local BY_KIND = {
	config = M.usage, mapping = M.usage, usage = M.usage, sqlite = M.usage, check = M.different,
	http = M.unreachable, postgres = M.unreachable, timeout = M.unreachable,
	script = M.script, internal = M.script, cancelled = M.script,
}

--- The exit code of an error that ends a run before anything was written.
---@param e syncrun.Error
---@return integer
function M.of(e)
	if e.code == "call" then return M.script end -- a script that called a primitive wrongly
	return e.exit or BY_KIND[e.kind] or M.unreachable
end

--- The exit code that f(...) returns, or that of the error that ends it, which is said. For scripts that are no run; an error
--- that is the script's own, or a cancellation, is raised again.
---@param f fun(...): integer
---@return integer
function M.code(f, ...)
	local code, e = err.try(f, ...)
	if not e then return code end
	if M.of(e) == M.script then err.raise(e) end
	if not e.said then file.standard "stderr":write(("syncrun: %s\n"):format(e.message)) end
	return M.of(e)
end

local OF_SCRIPT = { config = M.usage, mapping = M.usage, usage = M.usage }

--- The exit code of an error that a script let through: the error's own, that of a wrong request, or the script's.
---@param e syncrun.Error
---@return integer
function M.of_script(e)
	if e.code == "call" then return M.script end
	return e.exit or OF_SCRIPT[e.kind] or M.script
end

--- Whether an error is no system's fault: the run ends, whatever the systems do.
---@param e syncrun.Error
---@return boolean
function M.ends_run(e)
	return e.ledger or e.kind == "cancelled" or e.kind == "script" or e.kind == "internal" or e.code == "call"
end

return M

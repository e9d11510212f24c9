--- One writer a state folder: an exclusive lock of the kernel's on `<state>/lock`, which no ended process still holds.
--- The pid in the file is for people.
local err = require "syncrun.err"
local file = require "syncrun.file"

local M = {}

--- Take the lock of a state folder, which is made when it is missing. Raises kind config (exit 2) when another process
--- holds it or the folder cannot be written. Closing what is returned, or the end of the process, gives it back.
---@param state string the folder
---@return userdata
function M.take(state)
	file.make_folder(state)
	local lock, pid = file.lock(state .. "/lock")
	if lock then return lock end
	err.raise {
		kind = "config", code = "locked", exit = 2,
		message = ("another run (pid %d) holds '%s'; wait for it, end it, or set SYNCRUN_STATE to another folder"):format(
			pid, state),
	}
end

return M

--- The running program: its version, process, memory and terminal.
local c = require "_syncrun.host"

local M = { version = c.version }

--- The number of this process.
---@return integer
function M.pid() return c.pid() end

--- The signal that this program was stopped by and is ending for: "INT", "TERM" or "HUP"; nil: none came.
---@return string?
function M.signal() return c.signal() end

--- The program's time is over in so many seconds. It ends what waits, or loops, by itself (task.timeout); this cuts off
--- what cannot be ended, a call in C that goes on and on: exit code 5.
---@param seconds number
function M.deadline(seconds) c.deadline(seconds) end

--- The names of the environment's variables.
---@return string[]
function M.variables() return c.variables() end

--- The most memory this process has held, in bytes; nil where the system does not say.
---@return integer?
function M.peak_memory() return c.peak_memory() end

--- Whether a standard stream (0 input, 1 output, 2 error) is a terminal.
---@param number integer
---@return boolean
function M.terminal(number) return c.terminal(number) end

return M

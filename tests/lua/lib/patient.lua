-- Long waits told at once and kept: for tests of what is said while something is waited for.
local patience = require "syncrun.patience"

local M = {}

--- Say the first word after so many seconds; the lines that were said are the list. Undone by <close>.
function M.after(seconds)
	local before, say, lines = patience.AFTER, patience.say, {}
	patience.AFTER = seconds
	patience.say = function(format, ...) lines[#lines + 1] = format:format(...) end
	return setmetatable(lines, { __close = function() patience.AFTER, patience.say = before, say end })
end

return M

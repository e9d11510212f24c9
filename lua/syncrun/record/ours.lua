--- What goes wrong with our own records is no system's fault: the run ends before it sends anything else.
local err = require "syncrun.err"

--- f(…); its error ends the run with exit code 2, whatever the systems do.
---@param f function
---@return any
return function(f, ...)
	local result, e = err.try(f, ...)
	if not e then return result end
	if e.kind ~= "cancelled" then
		e.ledger = true
		e.exit = 2
	end
	err.raise(e)
end

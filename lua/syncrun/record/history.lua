--- Questions to a ledger that nobody writes through this handle: what it knows of contacts after the fact. A ledger that is
--- missing knows nothing.
local file = require "syncrun.file"
local sqlite = require "syncrun.sqlite"

local M = {}

---@class syncrun.History
local History = {}
History.__index = History

--- Open the ledger of a state folder for reading; a run may be under way.
---@param state string the folder
---@return syncrun.History
function M.open(state)
	local path = state .. "/ledger.db"
	return setmetatable({ db = file.kind(path) and sqlite.open(path, { mode = "ro" }) or nil }, History)
end

--- Close it. Legal twice, and at the end of a scope.
function History:close()
	if self.db then self.db:close() end
	self.db = nil
end

History.__close = History.close

--- Every contact that the ledger knows in a system.
---@param system string its name
---@return fun(): string?
function History:keys(system)
	if not self.db then return function() return nil end end
	local each = self.db:each("SELECT key FROM state WHERE system = ? ORDER BY key", system)
	return function()
		local row = each()
		return row and row.key
	end
end

--- The run whose request about a contact was the last one, when it left after that time.
---@param system string its name
---@param key string
---@param after string as the ledger writes times
---@return string? run the name of its folder
function History:changed_by(system, key, after)
	local row = self.db and self.db:one([[SELECT run.folder FROM state JOIN attempt ON attempt.id = state.attempt
		JOIN run ON run.id = attempt.run WHERE state.system = ? AND state.key = ? AND attempt.at > ?]], system, key, after)
	return row and row.folder and row.folder:match "[^/]*$"
end

return M

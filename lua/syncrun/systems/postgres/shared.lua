--- One connection for all tasks that write to a system or ask it, made when it is needed and anew once it is lost. Nobody
--- closes it for others: a task that met a lost one would else close what another has just opened in its place.
local err = require "syncrun.err"
local task = require "syncrun.task"

local M = {}

---@class syncrun.SharedConnection
local Shared = {}
Shared.__index = Shared

--- Nothing is connected yet.
---@param connect fun(): syncrun.postgres.Connection
---@return syncrun.SharedConnection
function M.new(connect)
	return setmetatable({ connect = connect, turn = task.mutex() }, Shared)
end

local function opened(self)
	if not (self.db and self.db:is_open()) then self.db = self.connect() end
	return self.db
end

--- f(connection, ...) on a connection that is not known to be lost. One that is lost meanwhile makes f fail; the next call
--- connects anew.
---@param f fun(db: syncrun.postgres.Connection, ...): any
---@return any what f returned
function Shared:run(f, ...)
	return f(self.turn:with(opened, self), ...)
end

--- The same for what only reads: when the connection was lost in the middle it is asked once more, on a new one.
---@param f fun(db: syncrun.postgres.Connection, ...): any
---@return any what f returned
function Shared:read(f, ...)
	local db = self.turn:with(opened, self)
	local results = table.pack(err.try(f, db, ...))
	local e = results[2]
	if results[1] ~= nil or not err.is(e) then return table.unpack(results, 1, results.n) end
	if db:is_open() or not e.retryable or e.limited then err.raise(e) end
	return self:run(f, ...)
end

--- Let go of it. The next call connects anew.
function Shared:close()
	if self.db then self.db:close() end
	self.db = nil
end

return M

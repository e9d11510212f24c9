-- The ports that a sandbox had, kept in DIR/ports: it gets them again unless they are taken or others are asked for.
local err = require "syncrun.err"

local M = {}

---@class sandbox.Ports
local Ports = {}
Ports.__index = Ports

---The ports of a folder's last sandbox.
---@param dir string
---@return sandbox.Ports
function M.open(dir)
	local ports, file = {}, io.open(dir .. "/ports", "r")
	local text = file and file:read "a" or ""
	if file then
		file:close()
	end
	for name, port in text:gmatch "(%w+) (%d+)\n" do
		ports[name] = math.tointeger(port)
	end
	return setmetatable({ path = dir .. "/ports", ports = ports }, Ports)
end

local function start_at(start, port)
	local server, e = err.try(start, port)
	if server then
		return server
	end
	if e.code == "LISTEN" then -- the port that was asked for is taken: nothing was done
		err.raise { kind = "config", message = e.message }
	end
	err.raise(e)
end

---start(port) at the port that is asked for, else at the one it had, else at any.
---@param name string
---@param asked integer?
---@param start fun(port: integer): table with a port
---@return table what start returned
function Ports:start(name, asked, start)
	local former = self.ports[name]
	local server = not asked and former and err.try(start, former) or start_at(start, asked or 0)
	self.ports[name] = server.port
	if former and former ~= server.port and not asked then
		io.stderr:write(("port %d of %s is taken; it has %d now\n"):format(former, name, server.port))
	end
	return server
end

---Keep them for the next sandbox.
function Ports:save()
	local file = assert(io.open(self.path, "w"))
	for name, port in pairs(self.ports) do
		file:write(("%s %d\n"):format(name, port))
	end
	assert(file:close())
end

return M

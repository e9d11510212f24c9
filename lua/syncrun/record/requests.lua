--- The record of a source's requests: every attempt a line of requests.jsonl in the run's folder. No bodies.
local file = require "syncrun.file"
local json = require "syncrun.json"
local time = require "syncrun.time"

local M = {}

---@class syncrun.Requests
local Requests = {}
Requests.__index = Requests

--- A record that keeps its lines until it is told where they go.
---@return syncrun.Requests
function M.new()
	return setmetatable({ early = {} }, Requests)
end

--- One attempt, as the HTTP client reports it.
---@param info table
function Requests:add(info)
	local line = json.encode({
		at = time.format(time.now(), 3), client = info.client, method = info.method, path = info.path,
		attempt = info.attempt, status = info.status, seconds = info.elapsed, bytes_sent = info.bytes_sent,
		bytes_received = info.bytes_received, error = info.error and info.error.message,
	}, { spell = true }) .. "\n"
	if self.writer then
		self.writer:write(line)
	else
		self.early[#self.early + 1] = line
	end
end

--- From now on lines go to this file; those kept so far first.
---@param path string
function Requests:open(path)
	self.writer = file.create(path)
	for _, line in ipairs(self.early) do self.writer:write(line) end
	self.early = {}
end

--- The file is complete.
function Requests:close()
	if self.writer then self.writer:close() end
	self.writer = nil
end

return M

--- Recorded exchanges with the real services. ../shared has all; the few that the tests play stand in tests/recordings, one a
--- line, so that a clone without ../shared skips none of them.
local json = require "syncrun.json"

local M = {}

local HERE = debug.getinfo(1, "S").source:match "^@(.*)/tests/lua/lib/[^/]+$" or "."

--- The folder of all recordings of a service, which may not be there.
---@param service "bigquery"|"twenty"
---@return string
function M.folder(service)
	return ("%s/facts/recordings/%s/"):format(os.getenv "SHARED" or HERE .. "/../shared", service)
end

local function read(path)
	local file <close> = io.open(path, "rb")
	return file and file:read "a"
end

--- The recordings of a service that the repository holds, by name.
---@param service "bigquery"|"twenty"
---@return table<string, table>
function M.shipped(service)
	local list = {}
	for line in io.lines(("%s/tests/recordings/%s.jsonl"):format(HERE, service)) do
		local entry = json.decode(line)
		list[entry.name] = entry.recording
	end
	return list
end

local shipped = {}

--- A recording, decoded: of ../shared, else ours. Raises when neither has it.
---@param service "bigquery"|"twenty"
---@param name string
---@return table
function M.get(service, name)
	local text = read(M.folder(service) .. name .. ".json")
	if text then return json.decode(text) end
	shipped[service] = shipped[service] or M.shipped(service)
	return shipped[service][name] or error(("no recording '%s' of %s"):format(name, service), 2)
end

return M

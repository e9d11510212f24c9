-- A peer that sends bytes of the test's choice, in a process of its own.
local http = require "syncrun.http"
local t = require "syncrun.test"

local M = {}

--- Answer every request with these bytes ("\\r\\n" escaped as Python does). Its url and port; gone at the end of the block.
function M.serve(answer)
	local folder = debug.getinfo(1, "S").source:match "^@(.*)/[^/]+$"
	local pipe = io.popen(("python3 '%s/raw_server.py' '%s' 2>/dev/null"):format(folder, answer))
	local port = pipe and pipe:read "l"
	if not port then t.skip "there is no python3" end
	local url = "http://127.0.0.1:" .. port
	return setmetatable({ url = url, port = port }, { __close = function()
		pcall(http.get, url .. "/quit", { retry = false })
		pipe:close()
	end })
end

return M

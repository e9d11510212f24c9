-- A private Postgres beside a sandbox, by scripts/private_postgres.sh: in DIR/postgres, on a Unix socket, without a password.
local err = require "syncrun.err"

local M = {}

local function quoted(text)
	return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- The script stands beside the one that is run.
local function command(verb, dir)
	local folder = arg[0]:match "^(.*)/[^/]*$" or "."
	return ("%s %s %s"):format(quoted(folder .. "/private_postgres.sh"), verb, quoted(dir .. "/postgres"))
end

-- As root the server runs as the user postgres, who must be able to enter the folder.
local function open_folder(dir)
	return ('if [ "$(id -u)" = 0 ]; then chmod 711 %s; fi'):format(quoted(dir))
end

---Start it, made if need be.
---@param dir string the sandbox's folder
---@return string uri
function M.start(dir)
	local pipe <close> = assert(io.popen(open_folder(dir) .. "; " .. command("start --fast", dir)))
	local uri = pipe:read "l"
	if not pipe:close() or not uri then
		err.raise { kind = "config", message = ("the private Postgres in '%s/postgres' does not start; what it said stands "
			.. "above"):format(dir) }
	end
	return uri
end

---Stop it; its data stays.
---@param dir string
function M.stop(dir)
	os.execute(command("stop", dir))
end

return M

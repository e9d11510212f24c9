--- The path of a SQLite file as people write it. Other programs' spellings (SQLAlchemy's sqlite:///x.db, Prisma's file:./x.db)
--- are refused by name: the same slashes mean one file to one of them and another file to the next.
local err = require "syncrun.err"
local file = require "syncrun.file"

local M = {}

local function fail(label, ...)
	err.raise { kind = "config", exit = 2, message = ("%s: %s"):format(label, string.format(...)) }
end

-- What may be meant by the rest of a URL, without its options: the file beside, or the one at the root.
local function meant(rest)
	local path = rest:gsub("[?#].*$", ""):gsub("^//", "")
	local bare = path:gsub("^/+", "")
	if path == bare then return bare end
	return path:find "^//" and "/" .. bare or ("%s or /%s"):format(bare, bare)
end

local function refuse_url(label, scheme, rest)
	local wanted = "write the file's path alone"
	if (scheme:find "^sqlite" or scheme == "file") and rest:find "[^/]" and not rest:find "@" then
		fail(label, "'%s:%s' is a URL; %s: %s", scheme, rest, wanted, meant(rest))
	end
	fail(label, "a file is wanted, not a URL (%s:…); %s, or a postgresql:// URI", scheme, wanted)
end

-- Settings of the same section that only a Postgres understands.
local function refuse_foreign(settings, label)
	for _, name in ipairs { "insecure", "stall_wait" } do
		if settings[name] ~= nil then
			fail(label, "the setting '%s' is for a Postgres, and '%s' is a file; take it out", name, settings.path)
		end
	end
end

--- The path to open. Raises kind config, exit 2, for what names no file.
---@param settings { path: string } of the system
---@param label string of the system
---@return string
function M.read(settings, label)
	local text = settings.path
	refuse_foreign(settings, label)
	if text:find ":memory:" then
		fail(label, "':memory:' is gone when the run ends, and proves nothing; name a file")
	end
	local scheme, rest = text:match "^(%a[%w+.-]+):(.*)$"
	if scheme and not file.kind(text) then refuse_url(label, scheme:lower(), rest) end
	if text:find "^~[^/]" and not file.kind(text) then
		fail(label, "'%s' is not understood; write the path of the folder, or ~/ for your own", text)
	end
	local path = file.expand(text)
	local kind = file.kind(path)
	if kind == "folder" then fail(label, "'%s' is a folder; name a file in it", path) end
	if kind == "other" then fail(label, "'%s' is no file; name one", path) end
	return path
end

--- Where a table stands: the file by any of its names, and the table's name; nil while there is no file.
---@param path string
---@param table_name string
---@return string?
function M.place(path, table_name)
	local id = file.id(path)
	return id and ("%s %s"):format(id, table_name:lower())
end

return M

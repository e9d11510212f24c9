--- Where systems stand: a file that is syncrun's own is none of them, and two that are one prove nothing twice. Knows no
--- system by name.
local err = require "syncrun.err"
local file = require "syncrun.file"
local log = require "syncrun.log"

local M = {}

-- What the state folder holds under fixed names.
local OURS = { "ledger.db", "lock" }

local function split(path)
	local folder, name = path:match "^(.*)/([^/]*)$"
	return folder == "" and "/" or folder or ".", name or path
end

-- Do two paths lead to one file, or would they, once it is made?
local function is_same(a, b)
	local id = file.id(a)
	if id then return id == file.id(b) end
	local folder_a, name_a = split(a)
	local folder_b, name_b = split(b)
	local folder = file.id(folder_a)
	return name_a == name_b and (folder_a == folder_b or folder ~= nil and folder == file.id(folder_b))
end

--- Raises kind config (exit 2) when a system's file is one that syncrun keeps for itself.
---@param systems (syncrun.System|syncrun.Source)[]
---@param state string the state folder
function M.check_files(systems, state)
	for _, system in ipairs(systems) do
		for _, name in ipairs(OURS) do
			if system.file and is_same(system.file, state .. "/" .. name) then
				err.raise { kind = "config", exit = 2,
					message = ("%s: '%s' is syncrun's own file of the state folder; name another"):format(system.label, system.file) }
			end
		end
	end
end

-- Nil also where it cannot be asked: that is not what a run ends for.
local function place_of(system)
	if not system.place then return nil end
	local place, e = err.try(system.place, system)
	if e and e.kind == "cancelled" then err.raise(e) end
	return place
end

--- Warn of targets that are one table; a source that is a target too is refused (kind config, exit 2): it would be compared
--- with itself.
---@param source syncrun.Source
---@param targets syncrun.System[]
function M.check_twins(source, targets)
	local seen = {}
	for _, system in ipairs { source, table.unpack(targets) } do
		local place = place_of(system)
		local other = place and seen[place]
		if other and other == source then
			err.raise { kind = "config", exit = 2, message = ("%s is the table that %s is read from; name another"):format(
				system.label, source.label) }
		elseif other then
			log.warn("%s and %s are one table: what is said of both is proved of one", other.label, system.label)
		elseif place then
			seen[place] = system
		end
	end
end

return M

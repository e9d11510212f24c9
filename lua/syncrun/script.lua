--- Scripts that people write to return a table: the mapping, the checks, a system of their own. They are found and run here.
local err = require "syncrun.err"
local file = require "syncrun.file"

local M = {}

-- A script's own folder is where its mapping is found; the prompt and -e have none and look into ./scripts.
local function path_of(name)
	if name:find "%.lua$" then return name end
	local path = "scripts/" .. name:gsub("%.", "/") .. ".lua"
	return package.searchpath(name, package.path) == nil and file.kind(path) and path or nil
end

--- A relative path as it is found: beside the config file, else from the working folder. A module's name stays.
---@param name string
---@param folder string of the config file
---@return string
function M.beside(name, folder)
	if name:find "^/" or not name:find "%.lua$" or folder == "." then return name end
	local path = folder .. "/" .. name
	return file.kind(path) and path or name
end

local function run(name, what)
	local path = path_of(name)
	if not path then return err.try(require, name) end
	if not file.kind(path) then
		err.raisef("config", "cannot load the %s '%s' (No such file or directory); a relative path is looked for beside the "
			.. "config file, then in the working folder", what, name)
	end
	local chunk, why = loadfile(path, "t")
	if not chunk then err.raisef("config", "cannot load the %s '%s' (%s)", what, name, why) end
	return err.try(chunk)
end

--- The table that a script returns, found as a module ("contacts.mapping") or by its path ("my_mapping.lua").
---@param name string
---@param what string for messages
---@return table
function M.load(name, what)
	local value, e = run(name, what)
	if value == nil and err.is(e) then
		local why = e.message:match "^module '[^\n]-' not found" or e.message -- without the list of places
		err.raisef("config", "cannot load the %s '%s' (%s)", what, name, why)
	end
	if type(value) ~= "table" then err.raisef("config", "the %s '%s' does not return a table", what, name) end
	return value
end

return M

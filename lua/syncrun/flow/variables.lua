--- Environment variables, and those of a .env file below them: their values, and a warning about names that are almost
--- ours, for a variable that nobody reads is a system that nobody checks.
local dotenv = require "syncrun.flow.dotenv"
local files = require "syncrun.file"
local host = require "syncrun.host"
local log = require "syncrun.log"
local near = require "syncrun.near"

local M = {}

---@class syncrun.Variables
---@field path string of the .env file
---@field file table<string, string> its variables
local Variables = {}
Variables.__index = Variables

-- Read elsewhere, and no setting.
local OTHERS = { "SYNCRUN_LUA", "SYNCRUN_LOG", "SYNCRUN_LOG_JSON", "SYNCRUN_LEDGER", "SYNCRUN_MEMORY_MB" }

-- Names that begin so are for us, however they go on.
local OURS = { SUPABASE = true, TWENTY = true, BIGQUERY = true, SYNCRUN = true }

local warned = {} -- scripts load the settings more than once

-- The secrets among them; those of the environment are registered at the start.
local function register(path, variables)
	for name, value in pairs(variables) do
		log.setting(name, value)
		if log.redact(value) ~= value then files.warn_when_public(path, "file of variables") end
	end
end

--- The environment, and this file's variables.
---@param path string
---@return syncrun.Variables
function M.open(path)
	local file = dotenv.read(path)
	register(path, file)
	return setmetatable({ path = path, file = file }, Variables)
end

-- "" means: as if it were not set.
local function filled(value)
	return value and value ~= "" and value or nil
end

--- The value of the first of these names that has one, the environment before the file.
---@param names string[]
---@return string?
function Variables:value(names)
	for _, name in ipairs(names) do
		local value = filled(os.getenv(name))
		if value then return value end
	end
	for _, name in ipairs(names) do
		local value = filled(self.file[name])
		if value then return value end
	end
end

local function words(name)
	return name:match "^([^_]+)_", name:match "_([^_]+)$"
end

-- SUPABSE_DB_URL is misspelt, SUPABASE_URL has the first and the last word of one of ours.
local function close(name, ours)
	local first, last = words(name)
	local our_first, our_last = words(ours)
	if OURS[first] and first == our_first and last == our_last then return 0 end
	local limit = OURS[first] and 4 or #ours > 8 and 2 or 1
	local distance = math.abs(#name - #ours) <= limit and near.distance(name, ours) or math.huge
	return distance <= limit and distance or nil
end

local function meant(name, known)
	local best, best_distance
	for _, ours in ipairs(known) do
		local distance = close(name:upper(), ours)
		if distance and (not best or distance < best_distance) then best, best_distance = ours, distance end
	end
	return best
end

local function warn(names, known, is_known, place, is_set)
	for _, name in ipairs(names) do
		local ours = not is_known[name] and not warned[place .. name] and meant(name, known)
		if ours and not is_set(ours) then
			warned[place .. name] = true
			log.warn("the variable '%s' in %s is not read; did you mean '%s'?", name, place, ours)
		end
	end
end

--- Warn about names that are almost one of the known ones, where that one has no value.
---@param settings string[] the variables that carry settings
function Variables:warn_of_slips(settings)
	local known, is_known, in_file = {}, {}, {}
	for _, list in ipairs { settings, OTHERS } do table.move(list, 1, #list, #known + 1, known) end
	table.sort(known)
	for _, name in ipairs(known) do is_known[name] = true end
	for name in pairs(self.file) do in_file[#in_file + 1] = name end
	table.sort(in_file)
	warn(host.variables(), known, is_known, "the environment", os.getenv)
	warn(in_file, known, is_known, "'" .. self.path .. "'", function(name) return os.getenv(name) or self.file[name] end)
end

return M

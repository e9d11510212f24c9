--- Environment variables, and those of a .env file below them: their values, and a warning about names that are almost
--- ours, for a variable that nobody reads is a system that nobody checks.
local dotenv = require "syncrun.flow.dotenv"
local files = require "syncrun.file"
local host = require "syncrun.host"
local log = require "syncrun.log"
local near = require "syncrun.near"
local usual = require "syncrun.systems.usual"

local M = {}

---@class syncrun.Variables
---@field path string of the .env file
---@field file table<string, string> its variables
---@field passed { line: integer, word: string? }[] its lines that are none
local Variables = {}
Variables.__index = Variables

-- Read elsewhere, and no setting.
local OTHERS = { "SYNCRUN_LUA", "SYNCRUN_LOG", "SYNCRUN_LOG_JSON", "SYNCRUN_LEDGER", "SYNCRUN_MEMORY_MB" }

-- Names that begin so are for us, however they go on.
local OURS = { SYNCRUN = true }
for _, section in pairs(usual) do
	if section.ours then OURS[section.ours] = true end
end

local warned = {} -- scripts load the settings more than once

--- A value without the line end that files and shells put behind it. Nil for "", which means: as if it were not set.
---@param value string?
---@return string?
function M.filled(value)
	value = value and value:gsub("%s*[\r\n]%s*$", "")
	return value ~= "" and value or nil
end

-- The secrets among them; those of the environment are registered at the start.
local function register(path, variables)
	for name, value in pairs(variables) do
		log.setting(name, M.filled(value) or "")
		if log.redact(value) ~= value then files.warn_when_public(path, "file of variables") end
	end
end

--- The environment, and this file's variables.
---@param path string
---@return syncrun.Variables
function M.open(path)
	local values, passed = dotenv.read(path)
	register(path, values)
	return setmetatable({ path = path, file = values, passed = passed }, Variables)
end

--- The value of the first of these names that has one, the environment before the file.
---@param names string[]
---@return string?
function Variables:value(names)
	for _, name in ipairs(names) do
		local value = M.filled(os.getenv(name))
		if value then return value end
	end
	for _, name in ipairs(names) do
		local value = M.filled(self.file[name])
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

-- A line that begins with a name of ours and gives it no value.
local function warn_of_lines(self, is_known)
	for _, at in ipairs(self.passed) do
		local place = ("%s:%d"):format(self.path, at.line)
		if is_known[at.word] and not warned[place] then
			warned[place] = true
			log.warn("'%s' line %d begins with '%s' and gives it no value; write %s=…", self.path, at.line, at.word, at.word)
		end
	end
end

--- Warn about names that are almost one of the known ones, where that one has no value, and about lines that are none.
---@param settings string[] the variables that carry settings
function Variables:warn_of_slips(settings)
	local known, is_known, in_file = {}, {}, {}
	for _, list in ipairs { settings, OTHERS } do table.move(list, 1, #list, #known + 1, known) end
	table.sort(known)
	for _, name in ipairs(known) do is_known[name] = true end
	for name in pairs(self.file) do in_file[#in_file + 1] = name end
	table.sort(in_file)
	warn(host.variables(), known, is_known, "the environment", os.getenv)
	warn_of_lines(self, is_known)
	warn(in_file, known, is_known, "'" .. self.path .. "'", function(name) return os.getenv(name) or self.file[name] end)
end

return M

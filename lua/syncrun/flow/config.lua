--- Settings: flags > environment > .env > config file > defaults. What may be set stands in one table (below, and in
--- syncrun.systems.usual); what does not fit it is refused by name. Every secret is registered for masking when read.
local crypto = require "syncrun.crypto"
local err = require "syncrun.err"
local json = require "syncrun.json"
local files = require "syncrun.file"
local log = require "syncrun.log"
local script = require "syncrun.script"
local shape = require "syncrun.shape"
local usual = require "syncrun.systems.usual"
local variables_of = require "syncrun.flow.variables"

local M = {}

-- Which section a word of `require` is about, and those words.
local REQUIRED, WORDS = {}, {}
for name, section in pairs(usual) do
	for _, word in ipairs(section.words or {}) do
		REQUIRED[word] = name
		WORDS[#WORDS + 1] = word
	end
end
table.sort(WORDS)

local SHARE, COUNT = { types = { "number" }, min = 0, max = 1 }, { types = { "integer" }, min = 0 }

-- The settings that are no system's.
local GENERAL = {
	settings = {
		table = { types = { "text" }, filled = true },
		state = { types = { "text" }, filled = true },
		mapping = { types = { "text" }, filled = true },
		checks = { types = { "text" }, filled = true },
		recheck_after = { types = { "number" }, min = 0 }, -- seconds
		guards = { types = { "table" }, fields = {
			share = SHARE, field = SHARE, shrunk = SHARE, least = COUNT, field_least = COUNT } },
		witnesses = { types = { "list" }, items = { types = { "text" }, filled = true } }, -- verifier keys
		source = { types = { "table" } },
		targets = { types = { "list" }, items = { types = { "table" } }, filled = true },
		require = { types = { "list" }, items = { types = { "text" },
			one_of = WORDS } },
	},
	variables = { table = { "SYNCRUN_TABLE" }, state = { "SYNCRUN_STATE" } },
	kept = { "table", "state", "mapping", "checks", "recheck_after", "require" },
	defaults = {
		table = "contacts_master", state = ".syncrun", mapping = "contacts.mapping", checks = "contacts.checks",
	},
}

-- The config file as a whole.
local function file_shape()
	local fields = {}
	for name, rule in pairs(GENERAL.settings) do fields[name] = rule end
	for name, section in pairs(usual) do
		fields[name] = { types = { "table", section.absent and "false" }, fields = section.settings }
	end
	return { types = { "table" }, fields = fields }
end

local function refuse(path, problem)
	if problem.unknown then
		err.raisef("config", "unknown setting '%s' in '%s'%s", problem.path, path, problem.text)
	end
	err.raisef("config", "the setting '%s' in '%s' %s", problem.path, path, problem.text)
end

-- The secrets of a config file before it runs: the message of a mistake in it may quote them.
local function register_in_text(path, text)
	log.setting("", text)
	for key in text:gmatch "key%s*=%s*[\"']([^\"'\n]+)" do log.secret(key) end
	if log.redact(text) ~= text then files.warn_when_public(path, "config file") end
end

local function read_file(path)
	local file, why = io.open(path, "r")
	if not file then
		err.raisef("config", "cannot read the config file '%s' (%s)", path, (why:gsub("^.*: ", "")))
	end
	register_in_text(path, file:read "a" or "")
	file:close()
	local chunk, syntax = loadfile(path, "t", setmetatable({}, { __index = _G }))
	if not chunk then err.raisef("config", "the config file is not valid Lua (%s)", syntax) end
	local ok, values = pcall(chunk)
	if not ok then err.raisef("config", "the config file '%s' failed (%s)", path, tostring(values)) end
	if type(values) ~= "table" then err.raisef("config", "the config file '%s' does not return a table", path) end
	local problem = shape.problem(values, file_shape())
	if problem then refuse(path, problem) end
	return values
end

-- Fill a section, or the settings that are no system's, from variables and defaults.
local function fill(values, section, variables)
	for name, names in pairs(section.variables) do
		values[name] = variables:value(names) or variables_of.filled(values[name])
	end
	for name, default in pairs(section.defaults or {}) do
		if values[name] == nil then values[name] = default end
	end
end

local function all_variables()
	local list = {}
	local function add(section)
		for _, names in pairs(section.variables) do table.move(names, 1, #names, #list + 1, list) end
	end
	add(GENERAL)
	for _, section in pairs(usual) do add(section) end
	return list
end

-- What looks like a secret in the settings of a table, and in those of the tables in it.
local function register_settings(settings)
	for name, value in pairs(settings) do
		if type(value) == "table" then
			register_settings(value)
		elseif type(value) == "string" then
			log.setting(tostring(name), value)
		end
	end
end

local function register_secrets(config)
	register_settings(config)
	for name, section in pairs(usual) do
		local values = config[name] or {}
		for _, secret in ipairs(section.secrets or {}) do
			if values[secret] then log.secret(values[secret]) end
		end
		for address, shown in pairs(section.addresses or {}) do
			if values[address] then shown(values[address]) end
		end
	end
end

-- What must be there by `require`, and is not.
local function check_required(config, path)
	if config.require and config.targets then
		err.raisef("config", "'require' in '%s' is for the usual systems; every entry of 'targets' is required already", path)
	end
	for _, word in ipairs(config.require or {}) do
		local name = REQUIRED[word]
		if not config[name] then
			err.raisef("config", "'%s' requires '%s', which is not configured (%s); set it up, or take it out of 'require'",
				path, word, usual[name].absent)
		end
	end
end

--- All settings. A section of a system that is not configured is false.
---@param options { file: string?, env_file: string? }
---@return table
function M.load(options)
	local config = options.file and read_file(options.file) or {}
	local variables = variables_of.open(options.env_file or ".env")
	variables:warn_of_slips(all_variables())
	fill(config, GENERAL, variables)
	config.state = files.expand(config.state)
	for name, section in pairs(usual) do
		if config[name] == nil then config[name] = {} end
		if config[name] then fill(config[name], section, variables) end
	end
	config.folder = options.file and options.file:match "^(.*)/[^/]*$" or "."
	for _, name in ipairs { "mapping", "checks" } do config[name] = script.beside(config[name], config.folder) end
	register_secrets(config)
	for name, section in pairs(usual) do
		if config[name] and section.configured then config[name] = section.configured(config[name], config.state) end
	end
	check_required(config, options.file)
	return config
end

local function kept_of(values, section)
	local kept = {}
	for _, name in ipairs(section.kept) do kept[name] = values[name] end
	for name, shown in pairs(section.addresses or {}) do kept[name] = values[name] and shown(values[name]) end
	return kept
end

--- What of the settings may be kept on record: those that are listed for it, addresses without what is secret in them.
---@param config table
---@return table
function M.kept(config)
	local kept = kept_of(config, GENERAL)
	for name, section in pairs(usual) do kept[name] = config[name] and kept_of(config[name], section) end
	kept.source = config.source and { kind = config.source.kind, label = config.source.label }
	for i, target in ipairs(config.targets or {}) do
		kept.targets = kept.targets or {}
		kept.targets[i] = { kind = target.kind, label = target.label }
	end
	return kept
end

--- The digest of those settings: the same as long as they are.
---@param config table
---@return string hexadecimal
function M.digest(config)
	return crypto.sha256(json.encode(M.kept(config)))
end

return M

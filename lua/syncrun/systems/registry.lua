--- The configured systems: which there are, under which label, and how each is made from the settings.
local bigquery = require "syncrun.systems.bigquery"
local client = require "syncrun.postgres"
local err = require "syncrun.err"
local postgres = require "syncrun.systems.postgres"
local sqlite = require "syncrun.systems.sqlite"
local task = require "syncrun.task"
local twenty = require "syncrun.systems.twenty"
local usual = require "syncrun.systems.usual"

local M = {}

local function merged(section, more)
	local out = {}
	for key, value in pairs(section) do out[key] = value end
	for key, value in pairs(more) do
		if out[key] == nil then out[key] = value end
	end
	return out
end

local function local_system(config, mapping)
	local section = merged(config.local_db, { table = config.table, label = "Local" })
	if client.is_uri(section.path) then
		return postgres.new(merged(section, { url = section.path, name = "local" }), mapping)
	end
	return sqlite.new(section, mapping)
end

-- What systems are called in a mapping, and what people may say instead.
local IN_MAPPINGS = { "twenty", "postgres", "sqlite" }
local INSTEAD = { crm = "twenty", supabase = "postgres", ["local"] = "sqlite", local_db = "sqlite" }

--- The source and the targets. A target that is not configured is {label=, skipped=why}.
---@param config table of syncrun.config
---@param mapping syncrun.Mapping
---@return table source, table[] targets
function M.open(config, mapping)
	mapping:check_systems(IN_MAPPINGS, INSTEAD)
	local source = bigquery.new(merged(config.bigquery or {}, { key = mapping.by_name[mapping.key].source }))
	return source, {
		config.twenty and twenty.new(config.twenty, mapping) or
			{ label = "CRM", skipped = usual.twenty.absent },
		config.supabase and postgres.new(merged(config.supabase, { table = config.table }), mapping) or
			{ label = "Supabase", skipped = usual.supabase.absent },
		config.local_db and local_system(config, mapping) or
			{ label = "Local", skipped = usual.local_db.absent },
	}
end

--- Only those that are configured.
---@param targets table[]
---@return table[]
function M.configured(targets)
	local out = {}
	for _, target in ipairs(targets) do
		if not target.skipped then out[#out + 1] = target end
	end
	return out
end

--- f(system) for all at once: the results by position, and the errors as {system=, error=} in order of the list.
---@param list table[]
---@param f fun(system: table): any
---@return any[], { system: table, error: syncrun.Error }[]
function M.each(list, f)
	local errors = {}
	local results = task.map(list, { limit = #list }, function(system, i)
		local result, e = err.try(f, system)
		if e then
			if e.kind == "cancelled" then err.raise(e) end
			errors[i] = { system = system, error = e }
		end
		return result == nil and false or result
	end)
	local found = {}
	for i = 1, #list do found[#found + 1] = errors[i] end
	return results, found
end

return M

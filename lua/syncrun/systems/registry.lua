--- Which systems there are and how each is made from the settings: kinds of ours, and those of the user's own folder
--- (`systems/<kind>.lua` beside the config). A system of ours is one line here.
local contract = require "syncrun.systems.contract"
local err = require "syncrun.err"
local file = require "syncrun.file"
local near = require "syncrun.near"
local postgres = require "syncrun.postgres"
local script = require "syncrun.script"
local shape = require "syncrun.shape"
local sections = require "syncrun.systems.usual"
local task = require "syncrun.task"

local M = {}

local KINDS = {
	bigquery = "syncrun.systems.bigquery",
	postgres = "syncrun.systems.postgres",
	sqlite = "syncrun.systems.sqlite",
	twenty = "syncrun.systems.twenty",
}

-- The usual targets, each under a key of its own in the config; names: what they are called in code.
local USUAL = {
	{ section = "twenty", kind = "twenty", label = "CRM", names = { "twenty", "crm" } },
	{ section = "supabase", kind = "postgres", label = "Supabase", names = { "supabase" } },
	{ section = "local_db", kind = "sqlite", label = "Local", names = { "local_db" } },
}

--- What to do when no target is configured.
M.ADVICE = "set TWENTY_API_URL, SUPABASE_DB_URL or LOCAL_DB, or list targets in the config"

-- The section whose settings a kind of ours has; a kind of the user's own may declare `settings` itself.
local SECTIONS = { bigquery = "bigquery", postgres = "supabase", sqlite = "local_db", twenty = "twenty" }

local TEXT = { types = { "text" }, filled = true }

-- What an entry of `targets`, and `source`, may say beside its system's settings.
local ENTRY = { kind = { types = { "any" } }, label = TEXT, table = TEXT }
local SOURCE = { where = { types = { "text" } } }

local LABELS = { bigquery = "BigQuery", postgres = "Postgres", sqlite = "SQLite", twenty = "Twenty" }

local function fail(...)
	err.raise { kind = "config", exit = 2, message = string.format(...) }
end

local function merged(settings, more)
	local out = {}
	for key, value in pairs(settings) do out[key] = value end
	for key, value in pairs(more) do
		if out[key] == nil then out[key] = value end
	end
	return out
end

-- ---- kinds

local function unknown_kind(kind, path)
	local known = {}
	for name in pairs(KINDS) do known[#known + 1] = name end
	table.sort(known)
	fail("there is no system of the kind '%s'%s; a kind of your own is looked for in '%s'", kind, near.hint(kind, known),
		path)
end

--- The module of a kind: ours, or the user's own.
---@param kind any
---@param folder string of the config
---@return { new: function, source: function? }
function M.module(kind, folder)
	if type(kind) ~= "string" or not kind:find "^[%a_][%w_]*$" then
		fail("a system's kind is a word like \"postgres\", not %s", tostring(kind))
	end
	if KINDS[kind] then return require(KINDS[kind]) end
	local path = ("%s/systems/%s.lua"):format(folder, kind)
	if file.kind(path) ~= "file" then unknown_kind(kind, path) end
	return script.load(path, "system")
end

-- A setting that its system does not know, or of another type, is refused by name.
local function check_entry(path, entry, module, more)
	local settings = SECTIONS[entry.kind] and sections[SECTIONS[entry.kind]].settings or module.settings
	if not settings then return end
	local problem = shape.problem(entry, { types = { "table" }, fields = merged(merged(ENTRY, settings), more) })
	if not problem then return end
	local where = path .. "." .. problem.path
	if problem.unknown then fail("unknown setting '%s' of the config%s", where, problem.text) end
	fail("the setting '%s' of the config %s", where, problem.text)
end

local function make(kind, role, folder, settings, mapping)
	local maker = M.module(kind, folder)[role]
	if not maker then
		fail("a system of the kind '%s' cannot be a %s", kind, role == "new" and "target" or "source")
	end
	return maker(settings, mapping)
end

-- ---- targets

local function short_name(label)
	return (label:lower():gsub("[^%w]+", "_"))
end

-- The usual targets as entries of a list; settings of the config that concern all go to each.
local function usual_entries(config)
	local entries = {}
	for i, usual in ipairs(USUAL) do
		local section = config[usual.section]
		if not section then
			entries[i] = { label = usual.label, skipped = sections[usual.section].absent }
		else
			entries[i] = merged(section, { kind = usual.kind, label = usual.label, name = usual.kind, table = config.table })
			if usual.section == "local_db" and postgres.is_uri(section.path) then
				entries[i].kind, entries[i].url, entries[i].name = "postgres", section.path, "local"
			elseif usual.section == "local_db" then
				entries[i].makes_itself = true
			end
		end
	end
	return entries
end

-- What the environment says of a kind, for the entries of a list that leave it out.
local function from_variables(config, kind)
	return config[SECTIONS[kind]] or {}
end

local function listed_entries(config)
	local entries = {}
	for i, entry in ipairs(config.targets) do
		if type(entry) ~= "table" then fail("targets[%d] of the config is a %s, not a table", i, type(entry)) end
		check_entry(("targets[%d]"):format(i), entry, M.module(entry.kind, config.folder), {})
		local label = entry.label or LABELS[entry.kind] or tostring(entry.kind)
		entries[i] = merged(merged(entry, { label = label, name = short_name(entry.label or tostring(entry.kind)) }),
			merged(from_variables(config, entry.kind), { table = config.table }))
	end
	return entries
end

local function check_names(entries)
	local seen = {}
	for _, entry in ipairs(entries) do
		for _, name in ipairs { entry.label, entry.name } do
			if seen[name] and seen[name] ~= entry then
				fail("two targets are called '%s'; give each a label of its own", name)
			end
			seen[name] = entry
		end
	end
end

local function open_target(config, entry, mapping, source_label)
	if entry.skipped then return entry end
	local settings = merged(entry, { source_label = source_label })
	local system = make(entry.kind, "new", config.folder, settings, mapping)
	system.makes_itself = system.makes_itself or entry.makes_itself
	return contract.target(entry.kind, system)
end

local function open_source(config, mapping, context)
	local settings = config.source or { kind = "bigquery" }
	if type(settings) ~= "table" then fail("source of the config is a %s, not a table", type(settings)) end
	check_entry("source", settings, M.module(settings.kind, config.folder), SOURCE)
	if settings.kind == "bigquery" then settings = merged(settings, config.bigquery or {}) end
	settings = merged(merged(settings, { label = LABELS[settings.kind] or settings.kind, table = config.table }), context)
	return contract.source(settings.kind, make(settings.kind, "source", config.folder, settings, mapping))
end

-- What people may say for a kind in a mapping's `to`.
local INSTEAD = { crm = "twenty", supabase = "postgres", ["local"] = "sqlite", local_db = "sqlite" }

-- What a mapping's `to` may name: kinds, ours and those of this config; false: not those that are sources only. A target's
-- own name would be read by nobody.
local function kinds_in_mappings(entries)
	local known = {}
	for kind, path in pairs(KINDS) do known[kind] = require(path).new ~= nil end
	for _, entry in ipairs(entries) do
		if entry.kind then known[entry.kind] = true end
	end
	return known
end

--- The source and the targets. A target that is not configured is {label=, skipped=why}.
---@param config table of syncrun.flow.config
---@param mapping syncrun.Mapping
---@param context { on_attempt: fun(info: table)? } for the source
---@return syncrun.Source, (syncrun.System|{ label: string, skipped: string })[]
function M.open(config, mapping, context)
	local entries, targets = config.targets and listed_entries(config) or usual_entries(config), {}
	check_names(entries)
	mapping:check_systems(kinds_in_mappings(entries), INSTEAD)
	local source = open_source(config, mapping, context)
	for i, entry in ipairs(entries) do targets[i] = open_target(config, entry, mapping, source.label) end
	return source, targets
end

-- A label as a name of Lua's: "EU CRM" is eu_crm; a word of the language gets a dash below.
local function lua_name(label)
	local name = short_name(label):gsub("^%d", "_%0")
	return load("local " .. name) and name or name .. "_"
end

-- What a target is called in code.
local function names_of(target)
	for _, usual in ipairs(USUAL) do
		if usual.label == target.label then return usual.names end
	end
	return { lua_name(target.label) }
end

--- What the systems are called in code: the usual ones as everybody calls them, others by their label made a name of Lua's, the
--- source by its kind, unless a target is called that, and `source`.
---@param source syncrun.Source
---@param targets (syncrun.System|{ label: string, skipped: string })[]
---@return table<string, syncrun.Source|syncrun.System|{ label: string, skipped: string }>
function M.named(source, targets)
	local named = { source = source, [source.kind] = source }
	for _, target in ipairs(targets) do
		for _, name in ipairs(names_of(target)) do named[name] = target end
	end
	return named
end

--- Whether these are all of the usual systems: then the report's last words need not say which they are.
---@param targets (syncrun.System|{ label: string, skipped: string })[]
---@return boolean
function M.has_usual(targets)
	local there = {}
	for _, target in ipairs(targets) do there[target.label] = not target.skipped end
	for _, usual in ipairs(USUAL) do
		if not there[usual.label] then return false end
	end
	return true
end

--- f(system) for all at once, or at most `limit`: the results by position, and the errors as {system=, error=} in order of
--- the list.
---@param list table[]
---@param f fun(system: table): any
---@param limit integer?
---@return any[], { system: table, error: syncrun.Error }[]
function M.each(list, f, limit)
	local errors = {}
	local results = task.map(list, { limit = limit or #list }, function(system, i)
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

--- The mapping: every field declared once for all systems (scripts/contacts/mapping.lua), checked and compiled here.
--- Knows no system by name: what a field is called there, and of what type, is the declaration's.
local err = require "syncrun.err"
local near = require "syncrun.near"
local visible = require "syncrun.visible"
local rows = require "syncrun.rows"
local script = require "syncrun.script"
local shape = require "syncrun.shape"

local M = {}

---@class syncrun.Field one field of the contact, as compiled
---@field name string the model's name
---@field type syncrun.ColumnType
---@field required boolean
---@field source string the column in the source
---@field cast boolean the source casts the column to the field's type
---@field cast_hint string? what to say of a value that does not fit, where a cast might help
---@field steps (string|table)[] transforms between source and model, run in C
---@field transform (fun(value: any, row: syncrun.Row): any)? run in Lua, after the steps
---@field own "source"|"once"|"target"
---@field on_loss "reject"|"write"
---@field targets table<string, table> by system: {name=, type=, …}

---@class syncrun.Mapping
---@field key string
---@field name string the field that names a contact for people
---@field fields syncrun.Field[]
local Mapping = {}
Mapping.__index = Mapping

local TYPES = {
	"text", "int64", "decimal", "float64", "bool", "date", "time", "datetime", "timestamp", "json", "bytes",
}
-- What a source may be asked to cast a column to, where there is more than one way to read it.
local CASTABLE = { date = true, time = true, datetime = true, timestamp = true, bool = true }
local NAME = { types = { "text" }, filled = true }
local STEPS = { types = { "text", "list", "function" }, words = "a step, a list of steps, or a function last" }

local FIELD = {
	types = { "table" },
	fields = {
		NAME, { types = { "text" } }, type = { types = { "text" } }, required = { types = { "boolean" } }, source = NAME,
		cast = { types = { "boolean" } }, transform = STEPS,
		own = { types = { "text" }, one_of = { "source", "once", "target" } },
		on_loss = { types = { "text" }, one_of = { "reject", "write" } },
		precision = { types = { "text" }, one_of = { "ms", "s" } },
		to = { types = { "table" }, values = { types = { "false", "text", "table" }, words = "a name, a table or false" } },
	},
}

local DECLARATION = {
	types = { "table" },
	fields = { key = NAME, name = NAME, fields = { types = { "list" }, items = { types = { "table" } } } },
}

local function fail(field, format, ...)
	err.raisef("mapping", "field '%s' of the mapping: " .. format, tostring(field), ...)
end

local function refuse(name, problem)
	if problem.unknown then fail(name, "unknown key '%s'%s", problem.path, problem.text) end
	fail(name, "%s %s", problem.path, problem.text)
end

local function split_transform(declared, name)
	if type(declared) == "function" then return {}, declared end
	if type(declared) ~= "table" then return { declared }, nil end
	local steps, transform = {}, nil
	for _, step in ipairs(declared) do
		if transform then fail(name, "a function must be the last transform") end
		if type(step) == "function" then
			transform = step
		else
			steps[#steps + 1] = step
		end
	end
	local problem = shape.problem(steps, { types = { "list" }, items = { types = { "text", "list" }, filled = true } })
	if problem then fail(name, "transform%s %s", problem.path, problem.text) end
	return steps, transform
end

-- A target is declared as false (not there), a name, or a table {name, type, …}.
local function compile_target(name, system, declared)
	if declared == false then return false end
	if type(declared) == "string" then return { name = declared } end
	local target = {}
	for k, v in pairs(declared) do target[k] = v end
	if declared[1] and declared.name or declared[2] and declared.type then
		fail(name, "what it is in '%s' is given twice", system)
	end
	target.name, target.type = declared[1] or declared.name or name, declared[2] or declared.type
	target[1], target[2] = nil, nil
	if target.transform ~= nil then
		local steps, transform = split_transform(target.transform, name)
		if transform then fail(name, "a function cannot be a transform for '%s' alone; give it to the field", system) end
		target.transform = steps
	end
	return target
end

local function compile_targets(declared, name)
	local targets = {}
	for system, value in pairs(declared.to or {}) do targets[system] = compile_target(name, system, value) end
	return targets
end

-- The steps are compiled once for themselves, so that a slip in them is found before anything is asked of any system.
local function check_steps(field)
	local columns, seen = { { field.source, field.type } }, { [field.source] = true }
	for _, step in ipairs(field.steps) do
		for i = 2, type(step) == "table" and step[1] == "default_name" and #step or 0 do
			if type(step[i]) == "string" and not seen[step[i]] then columns[#columns + 1] = { step[i], "text" } end
			seen[step[i]] = true
		end
	end
	rows.plan(rows.schema(columns), { { name = field.name, type = field.type, from = field.source, steps = field.steps } })
end

local function compile_type(declared, name)
	local kind = declared[2] or declared.type
	if declared[2] and declared.type then fail(name, "its type is given twice") end
	for _, known in ipairs(TYPES) do
		if known == kind then return kind end
	end
	local hint = near.hint(kind, TYPES)
	fail(name, "unknown type '%s'%s", tostring(kind), hint ~= "" and hint or "; there are " .. table.concat(TYPES, ", "))
end

local function compile_field(declared)
	local name = declared[1]
	if type(name) ~= "string" then fail("?", "it has no name") end
	local problem = shape.problem(declared, FIELD)
	if problem then refuse(name, problem) end
	local steps, transform = split_transform(declared.transform, name)
	local field = {
		name = name, type = compile_type(declared, name), required = declared.required == true,
		source = declared.source or name, cast = declared.cast == true, steps = steps, transform = transform,
		own = declared.own or "source", on_loss = declared.on_loss or "reject", precision = declared.precision,
		targets = compile_targets(declared, name),
	}
	if field.precision and field.type ~= "timestamp" then
		fail(name, "precision is for timestamps, not for %s", field.type)
	end
	if field.cast and not CASTABLE[field.type] then
		fail(name, "cast is for times, dates and bool, not for %s", field.type)
	end
	if CASTABLE[field.type] and not field.cast then
		field.cast_hint = " (cast = true in the mapping's field lets the source cast it)"
	end
	check_steps(field)
	return field
end

local function check_key(self)
	local key = self.by_name[self.key]
	if not key then
		err.raisef("mapping", "the key '%s' is not a field of the mapping%s", tostring(self.key),
			near.hint(self.key, self:names()))
	end
	if key.type ~= "text" or key.own ~= "source" then fail(key.name, "the key must be text and owned by the source") end
	for system, target in pairs(key.targets) do
		if target == false then fail(key.name, "the key cannot be left out of '%s'", system) end
	end
end

-- A column is read once: what casts it for one field casts it for all.
local function check_casts(self)
	local by_source = {}
	for _, field in ipairs(self.fields) do
		local other = by_source[field.source]
		if other and (other.cast or field.cast) and (other.cast ~= field.cast or other.type ~= field.type) then
			fail(field.name, "it and field '%s' read the column '%s' in two ways; cast it to one type in both", other.name,
				field.source)
		end
		by_source[field.source] = other or field
	end
end

--- Check and compile a declaration.
---@param declaration { key: string, fields: table[] }
---@return syncrun.Mapping
function M.compile(declaration)
	if type(declaration) ~= "table" or type(declaration.fields) ~= "table" then
		err.raisef("mapping", "the mapping does not return a table with key and fields")
	end
	local problem = shape.problem(declaration, DECLARATION)
	if problem then
		err.raisef("mapping", problem.unknown and "unknown key '%s' of the mapping%s" or "'%s' of the mapping %s",
			problem.path, problem.text)
	end
	local self = setmetatable({ key = declaration.key, fields = {}, by_name = {} }, Mapping)
	for i, declared in ipairs(declaration.fields) do
		local field = compile_field(declared)
		if self.by_name[field.name] then fail(field.name, "declared twice") end
		self.fields[i], self.by_name[field.name] = field, field
	end
	check_key(self)
	check_casts(self)
	self.name = declaration.name or self.key
	if not self.by_name[self.name] then
		err.raisef("mapping", "the name '%s' is not a field of the mapping%s", self.name, near.hint(self.name, self:names()))
	end
	return self
end

--- Load a declaration by module name ("contacts.mapping") or path ("my_mapping.lua") and compile it.
---@param name string
---@return syncrun.Mapping
function M.load(name)
	return M.compile(script.load(name, "mapping"))
end

--- The fields' names in order.
---@return string[]
function Mapping:names()
	local names = {}
	for i, field in ipairs(self.fields) do names[i] = field.name end
	return names
end

--- The source's columns that the mapping reads: each once, in order.
---@return string[]
function Mapping:source_columns()
	local seen, list = {}, {}
	local function add(name)
		if not seen[name] then
			seen[name] = true
			list[#list + 1] = name
		end
	end
	for _, field in ipairs(self.fields) do
		add(field.source)
		for _, step in ipairs(field.steps) do
			if type(step) == "table" and step[1] == "default_name" then
				for i = 2, #step do add(step[i]) end
			end
		end
	end
	return list
end

--- The schema of the model's rows.
---@return syncrun.Schema
function Mapping:schema()
	local columns = {}
	for i, field in ipairs(self.fields) do columns[i] = { field.name, field.type } end
	return rows.schema(columns)
end

-- What a field's function returned, as the model's value. A text of another form than the type's would be refused by one
-- system and kept by the next: it is refused here, for all.
local function put(field, model, i, ...)
	local value = ...
	if select("#", ...) == 0 then error("it returned nothing; return nil for no value", 0) end
	if type(value) == "string" and field.type ~= "bytes" then
		if not utf8.len(value) then error("it returned a text that is not UTF-8", 0) end
		if not rows.is_form(field.type, value) then error(("it returned a text that is no %s"):format(field.type), 0) end
	end
	model:set(i, field.name, value)
end

local function note(failed, i, reason)
	failed[i] = failed[i] and failed[i] .. "; " .. reason or reason
end

-- A field's Lua function over a page, in place. Where it fails the value is NULL and the contact's reason is noted.
local function transform_page(field, model, failed)
	local at = 0
	while at < #model do
		local _, e = err.try(function()
			while at < #model do
				at = at + 1
				put(field, model, at, field.transform(model:get(at, field.name), model[at]))
			end
		end)
		if e and (e.kind == "cancelled" or e.kind == "limit" or e.code == "deadline") then err.raise(e) end
		if e then
			model:set(at, field.name, nil)
			note(failed, at, ("%s: its transform failed (%s)"):format(field.name, visible.excerpt(e.message)))
		end
	end
end

-- A database can hold a text that is none: it is judged where it enters, before any system is given it.
local function first_steps(field)
	if field.type ~= "text" then return field.steps end
	return { "utf8", table.unpack(field.steps) }
end

--- A function from pages of the source to pages of the model: steps in C, then the Lua transforms; with the page it returns
--- what became of its values, and the rows of which a transform failed, as {[i] = reason}.
---@param source_schema syncrun.Schema
---@return fun(page: syncrun.Rows): syncrun.Rows, syncrun.Counts, table<integer, string>
function Mapping:to_model(source_schema)
	local columns, with_function = {}, {}
	for i, field in ipairs(self.fields) do
		columns[i] = { name = field.name, type = field.type, from = field.source, steps = first_steps(field) }
		if field.transform then with_function[#with_function + 1] = field end
	end
	local plan = rows.plan(source_schema, columns)
	return function(page)
		local model, counts = plan:apply(page)
		local failed = {}
		for _, field in ipairs(with_function) do transform_page(field, model, failed) end
		return model, counts, failed
	end
end

--- Refuse systems that no field can go to: a slip there would leave a field's declaration unread.
---@param known table<string, boolean> the systems' names in a mapping; false: one that is a source only
---@param instead table<string, string> other words for them -> their name
function Mapping:check_systems(known, instead)
	local targets = {}
	for name, is_target in pairs(known) do targets[#targets + 1] = is_target and name or nil end
	table.sort(targets)
	for _, field in ipairs(self.fields) do
		for system in pairs(field.targets) do
			if known[system] == false then
				fail(field.name, "'to' names '%s', which is no target; the column in a source is said by 'source'", system)
			elseif not known[system] then
				fail(field.name, "'to' names the unknown system '%s'%s", tostring(system), instead[system]
					and (", did you mean '%s'?"):format(instead[system]) or near.hint(system, targets))
			end
		end
	end
end

-- What a field's declaration for a system may say: its name there, and the system's own keys.
local function check_target(field, system, target, keys)
	local problem = shape.problem(target, { types = { "table" }, fields = keys })
	if not problem then return end
	if problem.unknown then
		fail(field.name, "unknown key '%s' in what it is in '%s'%s", problem.path, system, problem.text)
	end
	fail(field.name, "%s of what it is in '%s' %s", problem.path, system, problem.text)
end

--- The fields that a system gets, as {field, target}; a field without a declaration for it goes under its own name. A
--- target's transforms are a list of steps.
---@param system string
---@param keys table<string, syncrun.Shape>? what a declaration may say beside name and transform
---@return { field: syncrun.Field, target: table }[]
function Mapping:for_target(system, keys)
	local list, taken, allowed = {}, {}, { name = NAME, transform = STEPS }
	for key, rule in pairs(keys or {}) do allowed[key] = rule end
	for _, field in ipairs(self.fields) do
		local target = field.targets[system]
		if target == nil then target = { name = field.name } end
		if target then
			if keys then check_target(field, system, target, allowed) end
			if taken[target.name] then
				fail(field.name, "it and field '%s' are both '%s' in '%s'", taken[target.name], target.name, system)
			end
			taken[target.name] = field.name
			list[#list + 1] = { field = field, target = target }
		end
	end
	return list
end

return M

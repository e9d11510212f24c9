--- The mapping: every field declared once for all systems (scripts/contacts/mapping.lua), checked and compiled here.
--- Knows no system by name: what a field is called there, and of what type, is the declaration's.
local err = require "syncrun.err"
local rows = require "syncrun.rows"
local script = require "syncrun.model.script"

local M = {}

---@class syncrun.Field one field of the contact, as compiled
---@field name string the model's name
---@field type syncrun.ColumnType
---@field required boolean
---@field source string the column in the source
---@field steps (string|table)[] transforms between source and model, run in C
---@field transform (fun(value: any, row: syncrun.Row): any)? run in Lua, after the steps
---@field own "source"|"once"|"target"
---@field on_loss "reject"|"write"
---@field targets table<string, table> by system: {name=, type=, …}

---@class syncrun.Mapping
---@field key string
---@field fields syncrun.Field[]
local Mapping = {}
Mapping.__index = Mapping

local FIELD_KEYS = {
	type = true, required = true, source = true, transform = true, own = true, on_loss = true, precision = true,
	to = true, [1] = true, [2] = true,
}
local OWN = { source = true, once = true, target = true }
local ON_LOSS = { reject = true, write = true }
local TYPES = {
	text = true, int64 = true, decimal = true, float64 = true, bool = true, date = true, time = true, datetime = true,
	timestamp = true, json = true, bytes = true,
}

local function fail(field, format, ...)
	err.raisef("mapping", "field '%s' of the mapping: " .. format, tostring(field), ...)
end

local function split_transform(declared, name)
	if declared == nil then return {}, nil end
	if type(declared) == "function" then return {}, declared end
	if type(declared) == "string" then return { declared }, nil end
	if type(declared) ~= "table" then fail(name, "transform must be a step, a list of steps or a function") end
	local steps, transform = {}, nil
	for _, step in ipairs(declared) do
		if type(step) == "function" then
			transform = step
		elseif transform then
			fail(name, "a function must be the last transform")
		else
			steps[#steps + 1] = step
		end
	end
	return steps, transform
end

-- A target is declared as false (not there), a name, or a table {name, type, …}.
local function compile_target(name, declared)
	if declared == false then return nil end
	if type(declared) == "string" then return { name = declared } end
	if type(declared) ~= "table" then fail(name, "a target is a name, a table or false") end
	local target = {}
	for k, v in pairs(declared) do target[k] = v end
	target.name, target.type = declared[1] or declared.name or name, declared[2] or declared.type
	target[1], target[2] = nil, nil
	return target
end

local function compile_targets(declared, name)
	local targets = {}
	for system, value in pairs(declared.to or {}) do targets[system] = compile_target(name, value) or false end
	return targets
end

local function compile_field(declared)
	local name, kind = declared[1], declared[2] or declared.type
	if type(name) ~= "string" then fail("?", "it has no name") end
	for key in pairs(declared) do
		if not FIELD_KEYS[key] then fail(name, "unknown key '%s'", tostring(key)) end
	end
	if not TYPES[kind] then fail(name, "unknown type '%s'", tostring(kind)) end
	if not OWN[declared.own or "source"] then fail(name, "own is 'source', 'once' or 'target', not '%s'", declared.own) end
	if not ON_LOSS[declared.on_loss or "reject"] then
		fail(name, "on_loss is 'reject' or 'write', not '%s'", declared.on_loss)
	end
	local steps, transform = split_transform(declared.transform, name)
	return {
		name = name, type = kind, required = declared.required == true, source = declared.source or name, steps = steps,
		transform = transform, own = declared.own or "source", on_loss = declared.on_loss or "reject",
		precision = declared.precision, targets = compile_targets(declared, name),
	}
end

--- Check and compile a declaration.
---@param declaration { key: string, fields: table[] }
---@return syncrun.Mapping
function M.compile(declaration)
	if type(declaration) ~= "table" or type(declaration.fields) ~= "table" then
		err.raisef("mapping", "the mapping does not return a table with key and fields")
	end
	local self = setmetatable({ key = declaration.key, fields = {}, by_name = {} }, Mapping)
	for i, declared in ipairs(declaration.fields) do
		local field = compile_field(declared)
		if self.by_name[field.name] then fail(field.name, "declared twice") end
		self.fields[i], self.by_name[field.name] = field, field
	end
	local key = self.by_name[self.key]
	if not key then err.raisef("mapping", "the key '%s' is not a field of the mapping", tostring(self.key)) end
	if key.type ~= "text" or key.own ~= "source" then fail(key.name, "the key must be text and owned by the source") end
	return self
end

--- Load a declaration by module name ("contacts.mapping") or path ("my_mapping.lua") and compile it.
---@param name string
---@return syncrun.Mapping
function M.load(name)
	return M.compile(script.load(name, "mapping"))
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

-- A field's Lua function over a page, in place. What fails is named: the field and the contact.
local function transform_page(field, model, key)
	local at = 0
	local _, e = err.try(function()
		for i = 1, #model do
			at = i
			model:set(i, field.name, field.transform(model:get(i, field.name), model[i]))
		end
	end)
	if not e then return end
	if e.kind == "cancelled" then err.raise(e) end
	fail(field.name, "its transform failed for contact '%s' (%s)", model:text(at, key) or "null", e.message)
end

--- A function from pages of the source to pages of the model: steps in C, then the Lua transforms. And the plan, which
--- counts what became of the values.
---@param source_schema syncrun.Schema
---@return fun(page: syncrun.Rows): syncrun.Rows, syncrun.Plan
function Mapping:to_model(source_schema)
	local columns, with_function = {}, {}
	for i, field in ipairs(self.fields) do
		columns[i] = { name = field.name, type = field.type, from = field.source, steps = field.steps }
		if field.transform then with_function[#with_function + 1] = field end
	end
	local plan = rows.plan(source_schema, columns)
	return function(page)
		local model = plan:apply(page)
		for _, field in ipairs(with_function) do transform_page(field, model, self.key) end
		return model
	end, plan
end

--- The fields that a system gets, as {field, target}; a field without a declaration for it goes under its own name.
---@param system string
---@return { field: syncrun.Field, target: table }[]
function Mapping:for_target(system)
	local list = {}
	for _, field in ipairs(self.fields) do
		local target = field.targets[system]
		if target == nil then target = { name = field.name } end
		if target then list[#list + 1] = { field = field, target = target } end
	end
	return list
end

return M

--- Ad-hoc looks at single contacts across the configured systems: for the prompt and for custom scripts. The verdict is that
--- of a run. Knows no system by name.
local err = require "syncrun.err"
local explain = require "syncrun.model.explain"
local judge_of = require "syncrun.model.judge"
local near = require "syncrun.near"
local rows = require "syncrun.rows"
local registry = require "syncrun.systems.registry"
local session_of = require "syncrun.flow.session"
local target_of = require "syncrun.flow.target"

local M = {}

---@class syncrun.Inspection
---@field session syncrun.Session
---@field named table<string, table> the systems by what they are called in code
local Inspection = {}
Inspection.__index = Inspection

function Inspection:__tostring()
	local labels = { self.source.label }
	for _, target in ipairs(self.targets) do labels[#labels + 1] = target.label end
	return "inspection of " .. table.concat(labels, ", ")
end

--- Look at the configured systems. Nothing is connected before it is asked for.
---@param options { config: string? }?
---@return syncrun.Inspection
function M.open(options)
	local session = session_of.open(options)
	return setmetatable({ session = session, source = session.source, targets = session.targets,
		mapping = session.mapping, named = registry.named(session.source, session.targets) }, Inspection)
end

--- The system that is called so in code (syncrun.systems.registry), nil when none is. One that is not configured raises kind
--- config.
---@param name string
---@return (syncrun.Source|syncrun.System)?
function Inspection:system(name)
	local system = self.named[name]
	if system and system.skipped then
		err.raisef("config", "%s is not configured (%s)", system.label, system.skipped)
	end
	return system
end

-- What the mapping makes of a page of one contact.
local function mapped_page(self, page)
	local model, _, failed = self.mapping:to_model(page:schema())(page)
	local _, reason = next(failed)
	if reason then err.raisef("mapping", "%s", reason) end
	return model
end

-- The contact's rows in the source and in the model: none, one, or several when its id is repeated.
local function rows_of(self, id)
	local model, source = rows.new(self.mapping:schema()), nil
	for page in self.source:scan { columns = self.mapping:source_columns(), only = { id } } do
		source = source or page
		local mapped = mapped_page(self, page)
		if #model == 0 then
			model = mapped
		else
			for i = 1, #mapped do model:append(mapped, i) end
		end
	end
	return model, source
end

local function fields_of(page, i)
	local fields = {}
	for _, name in ipairs(page:schema():names()) do fields[name] = page:text(i, name) end
	return fields
end

local function all_fields(page)
	local list = {}
	for i = 1, #page do list[i] = fields_of(page, i) end
	return list
end

--- What every system holds of a contact: by label, a list of its records (field -> text).
---@param id string
---@return table<string, table<string, string>[]|string>
function Inspection:contact(id)
	local out = { [self.source.label] = all_fields((rows_of(self, id))) }
	for _, target in ipairs(self.targets) do
		out[target.label] = target.skipped and "not configured: " .. target.skipped or all_fields(target:fetch { id })
	end
	return out
end

-- What a target should hold of a contact, what it holds, and who judges that; nil and the error when it cannot be read.
local function look(self, target, model)
	local found, e = err.try(target.fetch, target, { model:text(1, self.mapping.key) })
	if not found then return nil, e end
	local expected = target_of.expected_plan(target, self.mapping:schema()):apply(model)
	local judge = judge_of.new(target, self.session.checks)
	local alive = judge:alive(found)
	if target.amend and #alive == 1 then target:amend(expected, 1, found, alive[1]) end
	return { expected = expected, found = found, judge = judge }
end

local function all_rows(page)
	local list = {}
	for j = 1, #page do list[j] = j end
	return list
end

local function lines_in(self, target, model)
	if target.skipped then return { "skipped (" .. target.skipped .. ")" } end
	local l, e = look(self, target, model)
	if not l then return { "not checked: " .. e.message } end
	return judge_of.lines(l.judge:contact(l.expected, 1, l.found, all_rows(l.found)), target.label)
end

--- Validate one contact in every system: by label, a list of what is wrong (empty: equal).
---@param id string
---@return table<string, string[]>
function Inspection:validate(id)
	local model, label = rows_of(self, id), self.source.label
	if #model == 0 then return { [label] = { "Missing in " .. label } } end
	if #model > 1 then return { [label] = { ("%s is repeated (%d rows)"):format(self.mapping.key, #model) } } end
	local out = { [label] = {} }
	for _, target in ipairs(self.targets) do out[target.label] = lines_in(self, target, model) end
	return out
end

local function column_of(target, field)
	for _, column in ipairs(target:projection()) do
		if column.field == field then return column end
	end
end

local function explain_in(self, target, field, model)
	if target.skipped then return { label = target.label, verdict = "not configured: " .. target.skipped } end
	local column = column_of(target, field)
	if not column then return { label = target.label, verdict = "not mapped there" } end
	local l, e = look(self, target, model)
	if not l then return { label = target.label, verdict = "not checked: " .. e.message } end
	local out = explain.system(model, column, l)
	out.label = target.label
	return out
end

local function field_named(self, name)
	local field = self.mapping.by_name[name]
	if field then return field end
	err.raisef("usage", "the mapping has no field '%s'%s", tostring(name), near.hint(name, self.mapping:names()))
end

-- The one row of a contact, in the source and in the model.
local function one_row(self, id)
	local model, source = rows_of(self, id)
	if #model == 0 then err.raisef("check", "contact '%s' is not in %s", id, self.source.label) end
	if #model > 1 then err.raisef("check", "%s '%s' is repeated in %s", self.mapping.key, id, self.source.label) end
	return model, source
end

--- The way of one value: what the source has, what the mapping and each system's projection make of it, what each system
--- holds, and the verdict. tostring gives it as text.
---@param id string
---@param field_name string as the mapping names it
---@return { contact_id: string, field: string, source: table, model: syncrun.Explained, systems: table[] }
function Inspection:explain(id, field_name)
	local field = field_named(self, field_name)
	local model, source = one_row(self, id)
	local out = { contact_id = id, field = field.name, systems = {} }
	out.source, out.model = explain.model(source, model, field)
	out.source.label = self.source.label
	for i, target in ipairs(self.targets) do out.systems[i] = explain_in(self, target, field, model) end
	return explain.new(out)
end

--- Let go of every connection.
function Inspection:close()
	self.session:close()
end

return M

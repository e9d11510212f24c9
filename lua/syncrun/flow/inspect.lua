--- Ad-hoc looks at single contacts across the configured systems: for the prompt and for custom scripts.
local config_of = require "syncrun.flow.config"
local err = require "syncrun.err"
local explain = require "syncrun.model.explain"
local mapping_of = require "syncrun.model.mapping"
local near = require "syncrun.near"
local rows = require "syncrun.rows"
local sync = require "syncrun.flow.pass"
local systems = require "syncrun.systems.registry"

local M = {}

---@class syncrun.Session
---@field config table
---@field mapping syncrun.Mapping
---@field source table
---@field targets table[]
local Session = {}
Session.__index = Session

--- Open the configured systems. Nothing is connected before it is asked for.
---@param options { config: string? }?
---@return syncrun.Session
function M.open(options)
	local self = setmetatable({ config = config_of.load { file = options and options.config } }, Session)
	self.mapping = mapping_of.load(self.config.mapping)
	self.source, self.targets = systems.open(self.config, self.mapping)
	return self
end

-- What the mapping makes of a page of one contact.
local function mapped_page(self, page)
	local model, failed = self.mapping:to_model(page:schema())(page)
	local _, reason = next(failed)
	if reason then err.raisef("mapping", "%s", reason) end
	return model
end

-- The contact's model rows from the source: none, one, or several when its id is repeated.
local function model_rows(self, id)
	local model = rows.new(self.mapping:schema())
	for page in self.source:scan { columns = self.mapping:source_columns(), only = { id } } do
		local mapped = mapped_page(self, page)
		for i = 1, #mapped do model:append(mapped, i) end
	end
	return model
end

local function fields_of(page, i)
	local fields = {}
	for _, name in ipairs(page:schema():names()) do fields[name] = page:text(i, name) end
	return fields
end

--- What every system holds of a contact: by label, a list of its records (field -> text).
---@param id string
---@return table<string, table<string, string>[]|string>
function Session:contact(id)
	local out = { BigQuery = {} }
	local model = model_rows(self, id)
	for i = 1, #model do out.BigQuery[i] = fields_of(model, i) end
	for _, target in ipairs(self.targets) do
		if target.skipped then
			out[target.label] = "not configured: " .. target.skipped
		else
			local found, list = target:fetch { id }, {}
			for i = 1, #found do list[i] = fields_of(found, i) end
			out[target.label] = list
		end
	end
	return out
end

local function judge(self, target, model)
	if target.skipped then return { "skipped (" .. target.skipped .. ")" } end
	local found, e = err.try(target.fetch, target, { model:text(1, self.mapping.key) })
	if not found then return { "not checked: " .. e.message } end
	return sync.judge_one(target, self.mapping:schema(), model, found)
end

--- Validate one contact in every system: by label, a list of what is wrong (empty: equal).
---@param id string
---@return table<string, string[]>
function Session:validate(id)
	local model = model_rows(self, id)
	if #model == 0 then return { BigQuery = { "Missing in BigQuery" } } end
	if #model > 1 then return { BigQuery = { ("contact_id is repeated (%d rows)"):format(#model) } } end
	local out = { BigQuery = {} }
	for _, target in ipairs(self.targets) do out[target.label] = judge(self, target, model) end
	return out
end

-- The source's row of this id and what the mapping makes of it.
local function rows_of(self, id)
	local source, model
	for page in self.source:scan { columns = self.mapping:source_columns(), only = { id } } do
		if #page > 1 or source then err.raisef("check", "contact_id '%s' is repeated in BigQuery", id) end
		source, model = page, mapped_page(self, page)
	end
	if not source then err.raisef("check", "contact '%s' is not in BigQuery", id) end
	return source, model
end

local function explain_in(self, target, field, model)
	if target.skipped then return { label = target.label, verdict = "not configured: " .. target.skipped } end
	local column
	for _, c in ipairs(target:projection()) do
		if c.field == field then column = c end
	end
	if not column then return { label = target.label, verdict = "not mapped there" } end
	local found, e = err.try(target.fetch, target, { model:text(1, self.mapping.key) })
	if not found then return { label = target.label, verdict = "not checked: " .. e.message } end
	local out = explain.system(model, column, found)
	out.label = target.label
	return out
end

--- The way of one value: what the source has, what the mapping and each system's projection make of it, what each system
--- holds, and the verdict. tostring gives it as text.
---@param id string
---@param field_name string as the mapping names it
---@return { contact_id: string, field: string, source: table, model: syncrun.Explained, systems: table[] }
function Session:explain(id, field_name)
	local field = self.mapping.by_name[field_name]
	if not field then
		local names = {}
		for i, f in ipairs(self.mapping.fields) do names[i] = f.name end
		err.raisef("usage", "the mapping has no field '%s'%s", tostring(field_name), near.hint(field_name, names))
	end
	local source, model = rows_of(self, id)
	local out = { contact_id = id, field = field.name, systems = {} }
	out.source, out.model = explain.model(source, model, field)
	for i, target in ipairs(self.targets) do out.systems[i] = explain_in(self, target, field, model) end
	return explain.new(out)
end

--- Let go of every connection.
function Session:close()
	for _, target in ipairs(systems.configured(self.targets)) do err.try(target.close, target) end
end

return M

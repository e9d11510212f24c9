--- Twenty CRM as a target: people of a workspace. Metadata by REST, records by GraphQL. What each duty needs stands in
--- systems/twenty/: client (requests, errors, pace), metadata (the person's fields), fields (types), reader, writer.
local err = require "syncrun.err"
local client = require "syncrun.systems.twenty.client"
local fields = require "syncrun.systems.twenty.fields"
local metadata = require "syncrun.systems.twenty.metadata"
local reader = require "syncrun.systems.twenty.reader"
local writer = require "syncrun.systems.twenty.writer"

local M = {}

---@class syncrun.TwentySystem
local System = {}
System.__index = System

local function need(config, name, variable)
	local value = config[name]
	if type(value) ~= "string" or value == "" then
		err.raise { kind = "config", exit = 2, message = ("twenty has no %s; set %s"):format(name, variable) }
	end
	return value
end

--- A system over the people of one workspace. Config: url, key; batch (200 people a write), page_rows (2000 a read),
--- rate ({tokens = 95, every = 0.61}: a burst, then one call each so many seconds; false: none), timeout (seconds).
---@param config table
---@param mapping syncrun.Mapping
---@return syncrun.TwentySystem
function M.new(config, mapping)
	need(config, "url", "TWENTY_API_URL")
	need(config, "key", "TWENTY_API_KEY")
	local self = setmetatable({
		name = "twenty", label = "CRM", ordered = false, columns = fields.columns(mapping),
		limits = { rows = config.batch or 200, bytes = 8 * 2 ^ 20 }, client = client.new(config, "twenty"),
	}, System)
	self.reader = reader.new(self.client, self.columns, config.page_rows or 2000)
	self.writer = writer.new(self.client, self.columns, mapping:schema(), self.limits)
	return self
end

--- What the mapping needs and does not find. Raises when Twenty is out of reach or refuses the key (exit 3).
---@return { what: string }[]
function System:check()
	self.person = metadata.load(self.client)
	return metadata.problems(self.columns, self.person)
end

--- Show, or with apply make, what the mapping needs.
---@param apply boolean
---@return { what: string, done: boolean }[]
function System:setup(apply)
	local problems = self:check()
	for _, problem in ipairs(problems) do problem.done = false end
	if apply and #problems > 0 then
		metadata.apply(self.client, self.columns, problems)
		self.person = nil
	end
	return problems
end

--- The expected row in this system, for rows.plan over the model's rows.
function System:projection()
	return self.columns
end

-- A misspelt field reads as null without an error: every name that is selected must be one of the metadata's.
local function check_names(self)
	self.person = self.person or metadata.load(self.client)
	for _, column in ipairs(self.columns) do
		if not self.person.fields[column.twenty] then
			err.raise { kind = "config", exit = 2, message = ("field person.%s is missing in Twenty; run: syncrun "
				.. "scripts/setup.lua --apply"):format(column.twenty) }
		end
	end
end

--- All people, soft-deleted ones too (deletedAt), as pages in id order; without a contactId the key is empty.
---@return fun(): syncrun.Rows?
function System:scan()
	check_names(self)
	return self.reader:scan()
end

--- The people of these keys, soft-deleted ones too.
---@param keys string[]
---@return syncrun.Rows
function System:fetch(keys)
	check_names(self)
	return self.reader:fetch(keys)
end

--- Write a batch: "create" adds people, "update" changes or revives those of batch.actual.
---@param batch { rows: syncrun.Rows, model: syncrun.Rows, actual: syncrun.Rows? }
---@param mode "create"|"update"
---@return { state: string, reason: string? }[]
function System:write(batch, mode)
	return self.writer:write(batch, mode)
end

--- Forget what was read of the workspace; the next call reads it anew.
function System:close()
	self.person = nil
end

return M

--- Writing people in batches: new ones plainly, changes by upsert with id and key both sent, so that nothing is ever
--- matched by its e-mail alone. One outcome per person, matched by the key: the server's order is not ours. Bodies are
--- made in C.
local err = require "syncrun.err"
local json = require "syncrun.json"
local rows = require "syncrun.rows"

local M = {}

---@class syncrun.TwentyWriter
local Writer = {}
Writer.__index = Writer

-- `once` is written with a new person only, `target` never; the key always.
local function is_written(column, mode)
	return column.own == "source" or (column.own == "once" and mode == "create")
end

-- The encoder of a mode, and the columns it needs that are not the projection's.
local function compile(columns, mode)
	local entries, carried = {}, {}
	if mode == "update" then
		entries[1] = { path = "id", column = "id", as = "string" }
		carried[1] = { name = "id", type = "text" }
	end
	for _, column in ipairs(columns) do
		if is_written(column, mode) then
			table.move(column.write, 1, #column.write, #entries + 1, entries)
			table.move(column.carried, 1, #column.carried, #carried + 1, carried)
		end
	end
	return { encoder = rows.encoder(entries), carried = carried }
end

--- A writer of these columns; `limits` is shared with the flow and learns from the server.
---@param client syncrun.TwentyClient
---@param columns syncrun.TwentyColumn[]
---@param model_schema syncrun.Schema
---@param limits { rows: integer, bytes: integer }
---@return syncrun.TwentyWriter
function M.new(client, columns, model_schema, limits)
	local key = columns[1]
	local self = setmetatable({ client = client, limits = limits, key = key, parts = {}, demoted = {} }, Writer)
	self.modes = { create = compile(columns, "create"), update = compile(columns, "update") }
	for _, column in ipairs(columns) do
		table.move(column.parts, 1, #column.parts, #self.parts + 1, self.parts)
		if column.kind == "EMAILS" and column.own ~= "target" then self.email = self.email or column end
	end
	self.part_plan = #self.parts > 0 and rows.plan(model_schema, self.parts) or nil
	self.mutation = ("mutation($data:[PersonCreateInput!]!,$upsert:Boolean){createPeople(data:$data,upsert:$upsert)"
		.. "{id %s deletedAt}}"):format(key.twenty)
	self.answer = rows.json_reader(rows.schema { { "id", "text" }, { "key", "text" }, { "deletedAt", "timestamp" } },
		{ rows = "data.createPeople", paths = { "id", key.twenty, "deletedAt" }, extra = { "errors" } })
	return self
end

-- ---- the body's rows: the expected columns, the name's parts, what an update keeps

local function widen(self, page, carried)
	local columns, schema = {}, page:schema()
	for i, name in ipairs(schema:names()) do columns[i] = { name = name, type = schema:type(name), from = name } end
	for _, extra in ipairs { self.parts, carried } do
		for _, c in ipairs(extra) do columns[#columns + 1] = { name = c.name, type = c.type } end
	end
	return rows.plan(schema, columns):apply(page)
end

-- An address that another contact keeps goes among the additional ones.
local function demote(self, page, i)
	local address = self.demoted[page:text(i, self.key.name)]
	if not address or not page:schema():index(self.email.additional) then return end
	local list, there = json.decode(page:text(i, self.email.additional)), false
	if not json.is_array(list) then list = {} end
	for _, other in ipairs(list) do there = there or other == address end
	if not there then list[#list + 1] = address end
	page:set(i, self.email.name, "")
	page:set(i, self.email.additional, json.encode(json.array(list)))
end

local function body_rows(self, batch, mode)
	local carried = self.modes[mode].carried
	local page = widen(self, batch.rows, carried)
	local parts = self.part_plan and self.part_plan:apply(batch.model)
	for i = 1, #page do
		for _, part in ipairs(self.parts) do page:set(i, part.name, parts:text(i, part.name)) end
		for _, c in ipairs(carried) do
			local kept = batch.actual and batch.actual:text(i, c.name)
			page:set(i, c.name, kept or (c.type == "json" and "[]" or nil))
		end
		if self.email then demote(self, page, i) end
	end
	return page
end

-- ---- sending

-- What the answer confirms, by key.
local function confirmed(self, body)
	local page, extra = err.try(self.answer.read, self.answer, body)
	if not page then -- no answer that could be read is no answer
		extra.unknown = true
		err.raise(extra)
	end
	self.client:check_errors(extra.errors)
	if extra.rows_missing then
		local e = self.client:odd("shape", "answered a change of people without people")
		e.unknown = true
		err.raise(e)
	end
	local by_key = {}
	for i = 1, #page do
		by_key[page:text(i, "key") or ""] = { id = page:text(i, "id"), deleted = not page:is_null(i, "deletedAt") }
	end
	return by_key
end

local function judge(self, batch, i, found)
	local answer = found[batch.rows:text(i, self.key.name)]
	local actual = batch.actual
	if not answer then return { state = "rejected", reason = "the server did not confirm it" } end
	if answer.deleted then return { state = "rejected", reason = "the server left it deleted" } end
	if actual and answer.id ~= actual:text(i, "id") then
		return { state = "rejected", reason = ("the server changed another person (%s)"):format(tostring(answer.id)) }
	end
	return { state = actual and not actual:is_null(i, "deletedAt") and "revived" or "written" }
end

-- More than Twenty takes in one request: whoever gave the batch gives it in parts.
local function too_much(self, message)
	return err.new { kind = "http", code = "split", reject = true, split = true,
		message = ("'%s' does not take so many people at once (%s)"):format(self.client.name, message) }
end

-- The body of a batch, which must fit one request; a single person is tried however large.
local function body_of(self, page, mode)
	local text, _, last = self.modes[mode].encoder:batches(page, self.limits.rows, self.limits.bytes)()
	if last < #page then err.raise(too_much(self, "a request would be too large")) end
	return text
end

-- The server, or a proxy before it, may take less than we know of: fewer people, or fewer bytes.
local function learn_limit(self, e, n, bytes)
	local most = e.reject and tonumber(e.message:match "Maximum number of records to upsert is (%d+)")
	if most and most >= 1 and most < n then
		self.limits.rows = most
		err.raise(too_much(self, e.message))
	end
	if e.split then self.limits.bytes = math.min(self.limits.bytes, bytes // 2) end
	err.raise(e)
end

local function send(self, text, mode, n)
	local body, e = err.try(self.client.graphql, self.client, self.mutation,
		{ data = json.raw(text), upsert = mode == "update" }, { read = false })
	if e then learn_limit(self, e, n, #text) end
	return confirmed(self, body)
end

--- Send a mutation that may be repeated.
---@param mutation string
---@param variables table
function Writer:mutate(mutation, variables)
	local doc = json.decode(self.client:graphql(mutation, variables, { read = true }))
	if type(doc) ~= "table" then err.raise(self.client:odd("shape", "answered a change of people without an object")) end
	self.client:check_errors(doc.errors)
end

--- Let people give up their primary address, so that another contact can have it.
---@param list { id: string, key: string, additional: any }[]
function Writer:release(list)
	for from = 1, #list, self.limits.rows do
		local data = json.array {}
		for i = from, math.min(from + self.limits.rows - 1, #list) do
			local person = list[i]
			data[#data + 1] = { id = person.id, [self.key.twenty] = person.key,
				[self.email.twenty] = { primaryEmail = "", additionalEmails = person.additional } }
		end
		confirmed(self, self.client:graphql(self.mutation, { data = data, upsert = true }, { read = true }))
	end
end

--- Send people back as they were read, by their ids; those who were soft-deleted are revived by it.
---@param page syncrun.Rows
function Writer:restore(page)
	local found = send(self, body_of(self, page, "update"), "update", #page)
	for i = 1, #page do
		local key = page:text(i, self.key.name)
		if not found[key] then err.raise(self.client:odd("shape", "did not confirm a person who was put back")) end
	end
end

--- What becomes of rows in a write: an address that another contact keeps is no primary one.
---@param page syncrun.Rows
function Writer:as_written(page)
	if not self.email or not page:schema():index(self.email.name) then return end
	for i = 1, #page do
		if self.demoted[page:text(i, self.key.name)] then page:set(i, self.email.name, "") end
	end
end

--- Write a batch by one request; see the contract of systems.
---@param batch { rows: syncrun.Rows, model: syncrun.Rows, actual: syncrun.Rows? }
---@param mode "create"|"update"
---@return { state: string, reason: string? }[]
function Writer:write(batch, mode)
	if mode == "update" and not batch.actual then
		err.raisef("internal", "an update of %s needs the rows that are there", self.client.name)
	end
	local text, e = err.try(body_of, self, body_rows(self, batch, mode), mode)
	if e then
		if e.kind == "mapping" then e.reject = true end -- a value that JSON cannot spell: the flow finds whose it is
		err.raise(e)
	end
	local found, outcomes = send(self, text, mode, #batch.rows), {}
	for i = 1, #batch.rows do outcomes[i] = judge(self, batch, i, found) end
	return outcomes
end

return M

-- A system whose table is a Lua table: for tests of the flow. It keeps the contract of systems/contract.lua, counts what is
-- asked of it, and does what a test tells it: refuse contacts, lose answers, go away, change what it is given.
local err = require "syncrun.err"
local rows = require "syncrun.rows"

local M = {}

local Fake = {}
Fake.__index = Fake

--- A target. o: label, ordered, gone (the column of tombstones), limits, held (key -> fields), refuse (fn(key): reason?),
--- before_write (fn(self, batch, mode)), after_write (fn(self, key)), problems, and whatever of the contract's hooks.
function M.target(mapping, o)
	local columns, types = {}, {}
	for i, entry in ipairs(mapping:for_target "fake") do
		local field = entry.field
		columns[i] = { name = entry.target.name, type = field.type, from = field.name, steps = entry.target.transform or {},
			own = field.own, field = field }
		types[i] = { entry.target.name, field.type }
	end
	local self = { kind = "fake", name = "fake", label = "Fake", ordered = true, limits = { rows = 4, bytes = 2 ^ 20 },
		columns = columns, held = {}, asked = { scan = 0, fetch = 0, write = 0 }, problems = {} }
	for name, value in pairs(o or {}) do self[name] = value end
	if self.gone then types[#types + 1] = { self.gone, "bool" } end
	self.schema = rows.schema(types)
	return setmetatable(self, Fake)
end

function Fake:projection() return self.columns end

function Fake:check(intent)
	self.intent = intent
	if self.away then err.raise { kind = "http", exit = 3, message = self.away } end
	return self.problems
end

function Fake:setup(apply)
	self.applied = apply
	for _, problem in ipairs(self.problems) do problem.done = apply and problem.sql ~= nil end
	return self.problems
end

function Fake:page_of(keys)
	local page = rows.new(self.schema)
	for _, key in ipairs(keys) do
		local found = self.held[key]
		for _, row in ipairs(found and (found[1] and found or { found }) or {}) do page:add(row) end
	end
	return page
end

function Fake:scan()
	self.asked.scan = self.asked.scan + 1
	if self.on_scan then self:on_scan() end
	local keys, at = {}, 0
	for key in pairs(self.held) do keys[#keys + 1] = key end
	local ordered = self.ordered
	table.sort(keys, function(a, b) if ordered then return a < b end return a > b end)
	return function()
		local part = table.move(keys, at + 1, math.min(at + 3, #keys), 1, {})
		at = at + #part
		return #part > 0 and self:page_of(part) or nil
	end
end

function Fake:fetch(keys)
	self.asked.fetch = self.asked.fetch + 1
	return self:page_of(keys)
end

function Fake:write(batch, mode)
	self.asked.write = self.asked.write + 1
	if self.before_write then self:before_write(batch, mode) end
	local key, outcomes = self.columns[1].name, {}
	for i, row in batch.rows:each() do
		local reason = self.refuse and self.refuse(row[key])
		if reason then err.raise { kind = "http", message = reason, reject = true } end
		outcomes[i] = { state = "written" }
	end
	for _, row in batch.rows:each() do
		local held = self.held[row[key]] or {}
		for name, value in pairs(row) do held[name] = value end
		if self.gone then held[self.gone] = nil end
		self.held[row[key]] = held
		if self.after_write then self:after_write(row[key]) end
	end
	return outcomes
end

function Fake:close() self.closed = true end

local Source = {}
Source.__index = Source

--- A source over a list of records. o: filter, on_scan (fn()), version (fn(): string?), and whatever of the contract's hooks.
function M.source(schema, records, o)
	local self = { kind = "fake", name = "fake_source", label = "Source", schema = schema, records = records, cost = {} }
	for name, value in pairs(o or {}) do self[name] = value end
	return setmetatable(self, Source)
end

function Source:check() return self.problems or {} end
function Source:title() return self.label .. ".contacts" end
function Source:subject() return { table = "contacts", where = self.filter or "" } end
function Source:close() self.closed = true end

function Source:describe()
	local columns = {}
	for i, name in ipairs(self.schema:names()) do columns[i] = { name = name, type = self.schema:type(name) } end
	return { columns = columns, rows = #self.records, version = self.version and self:version() or nil }
end

function Source:scan(selection)
	self.selection = selection
	if self.on_scan then self:on_scan() end
	local wanted, list, at = {}, {}, 0
	for _, id in ipairs(selection.only or {}) do wanted[id] = true end
	for _, record in ipairs(self.records) do
		if not selection.only or wanted[record.id] then list[#list + 1] = record end
	end
	local n = math.min(#list, selection.limit or #list)
	return function()
		local page = rows.new(self.schema)
		for i = at + 1, math.min(at + 3, n) do page:add(list[i]) end
		at = at + #page
		return #page > 0 and page or nil
	end
end

return M

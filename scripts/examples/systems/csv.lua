-- A system of your own, as an example: contacts as a CSV file (RFC 4180). Copy this folder beside your config and write
--     targets = { { kind = "csv", label = "Sheet", path = "contacts.csv" }, … }
-- What each method takes and returns is told in lua/syncrun/systems/contract.lua.
local err = require "syncrun.err"
local file = require "syncrun.file"
local rows = require "syncrun.rows"

local System = {}
System.__index = System

-- Every value is text there, and null and "" are the same: said by the step, so the report counts it.
local function new(settings, mapping)
	if not settings.path then err.raise { kind = "config", exit = 2, message = "a target of kind csv needs a path" } end
	local columns, types = {}, {}
	for _, entry in ipairs(mapping:for_target "csv") do
		local column = { name = entry.target.name, type = "text", from = entry.field.name, steps = { "null_to_empty" },
			own = entry.field.own, field = entry.field }
		table.insert(columns, entry.field.name == mapping.key and 1 or #columns + 1, column)
	end
	for i, column in ipairs(columns) do types[i] = { column.name, "text" } end
	return setmetatable({ kind = "csv", name = settings.name, label = settings.label, path = settings.path,
		ordered = false, limits = { rows = 1000, bytes = 2 ^ 20 }, makes_itself = true, columns = columns,
		schema = rows.schema(types) }, System)
end

function System:projection() return self.columns end
function System:close() end -- luacheck: ignore 212

-- One field that begins at `at`, and where it ends. Inside quotes "" is one quote.
local function field_at(text, at)
	if text:sub(at, at) ~= '"' then return text:match('^([^,\r\n]*)()', at) end
	local parts = {}
	repeat
		parts[#parts + 1], at = text:match('^([^"]*)"()', at + 1)
	until text:sub(at, at) ~= '"'
	return table.concat(parts, '"'), at
end

-- Contacts by key, each {column = value}, and the names of the columns; nil when there is no file.
function System:load()
	local input, by_key, names, record, at = io.open(self.path, "r"), {}, nil, {}, 1
	if not input then return by_key, nil end
	local text = input:read "a"
	input:close()
	while at <= #text do
		record[#record + 1], at = field_at(text, at)
		if text:sub(at, at) ~= "," then -- the end of a record
			local contact = {}
			for k, name in ipairs(names or {}) do contact[name] = record[k] end
			if names then by_key[contact[self.columns[1].name] or ""] = contact end
			names, record, at = names or record, {}, text:match("^\r?()", at)
		end
		at = at + 1
	end
	return by_key, names or {}
end

-- Through a private file of its own name: there is always a whole one.
function System:save(by_key)
	local path = self.path .. ".new"
	file.create(path):close()
	local out = assert(io.open(path, "w"))
	local function line(contact)
		local cells = {}
		for i, column in ipairs(self.columns) do cells[i] = '"' .. (contact[column.name] or ""):gsub('"', '""') .. '"' end
		assert(out:write(table.concat(cells, ","), "\r\n"))
	end
	line(setmetatable({}, { __index = function(_, name) return name end }))
	for _, contact in pairs(by_key) do line(contact) end
	assert(out:close())
	assert(os.rename(path, self.path))
end

-- A problem with `sql` can be mended by set-up; here there is nothing to show of it.
function System:setup(apply)
	local by_key, names = self:load()
	local there, problems = {}, {}
	for _, name in ipairs(names or {}) do there[name] = true end
	for _, column in ipairs(self.columns) do
		local what = ("column %s is missing in '%s'"):format(column.name, self.path)
		if not there[column.name] then problems[#problems + 1] = { what = what, sql = {}, done = apply } end
	end
	if apply and #problems > 0 then self:save(by_key) end
	return problems
end

function System:check() return self:setup(false) end

function System:fetch(keys)
	local by_key, page = self:load(), rows.new(self.schema)
	for _, key in ipairs(keys) do
		if by_key[key] then page:add(by_key[key]) end
	end
	return page
end

function System:scan()
	local keys = {}
	for key in pairs((self:load())) do keys[#keys + 1] = key end
	local pages = { self:fetch(keys) }
	return function() return table.remove(pages) end
end

function System:write(batch)
	local by_key, outcomes = self:load(), {}
	for i, row in batch.rows:each() do
		local key = row[self.columns[1].name]
		by_key[key] = by_key[key] or {}
		for name, value in pairs(row) do by_key[key][name] = value end
		outcomes[i] = { state = "written" }
	end
	self:save(by_key)
	return outcomes
end

return { new = new, settings = { path = { types = { "text" }, filled = true } } }

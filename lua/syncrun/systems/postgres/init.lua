--- A Postgres table as a target. Supabase is a preset of it: schema public, row level security on a table we make.
--- Nothing of a session is used (no SET, no named statements): it works behind a transaction pooler.
local catalog = require "syncrun.systems.postgres.catalog"
local err = require "syncrun.err"
local log = require "syncrun.log"
local postgres = require "syncrun.postgres"
local preflight = require "syncrun.systems.postgres.preflight"
local rows = require "syncrun.rows"
local shared = require "syncrun.systems.postgres.shared"
local sql = require "syncrun.systems.sql"
local writer = require "syncrun.systems.postgres.writer"

local M = {}

---@class syncrun.PostgresSystem
local System = {}
System.__index = System

function System:__tostring()
	return ("%s: postgres, table %s"):format(self.label, self.title)
end

local function steps_for(kind)
	if kind == "json" then return { "json_unique_keys", "no_nul" } end -- jsonb keeps the last of equal names
	if kind == "text" then return { "no_nul" } end
	return {}
end

-- Schema and table: as the table is named, as is set, as the connection string says. (One that cannot be read is said when
-- it is used.)
local function place_of(config)
	local named = config.table or "contacts_master"
	local schema, name = named:match "^([^.]+)%.(.+)$"
	local said = err.try(postgres.describe, config.url)
	return schema or config.schema or said and said.schema or "public", name or named
end

--- A system over one table.
---@param config { url: string, insecure: boolean?, table: string?, schema: string?, label: string?, name: string?,
--- page_rows: integer?, lock_wait: number?, stall_wait: number? } the last two: seconds, as postgres.connect has them
---@param mapping syncrun.Mapping
---@return syncrun.PostgresSystem
function M.new(config, mapping)
	local schema, name = place_of(config)
	local self = setmetatable({
		kind = "postgres", name = config.name or "postgres", label = config.label or "Supabase", ordered = true,
		url = config.url, schema_name = schema, table_name = name,
		page_rows = config.page_rows or 1000,
		options = { name = config.label or "Supabase", insecure = config.insecure, lock_wait = config.lock_wait,
			stall_wait = config.stall_wait },
		limits = { rows = 1000, bytes = 8 * 2 ^ 20 },
		columns = sql.columns(mapping, "postgres", steps_for), statements = {},
	}, System)
	self.table = sql.name(self.schema_name) .. "." .. sql.name(self.table_name)
	self.title = self.schema_name .. "." .. self.table_name
	local types = {}
	for i, column in ipairs(self.columns) do types[i] = { column.name, column.type } end
	self.schema = rows.schema(types)
	return self
end

-- Said once: it is what the settings ask for.
local function warn_of_clear_text(self, db)
	if self.warned or not db:is_exposed() then return end
	self.warned = true
	log.warn("%s: the connection is not encrypted (%s); who stands on its way reads every contact, and may read the "
		.. "password", self.label, self.options.insecure and "insecure = true" or "sslmode=disable")
end

-- One connection for statements, a further one for each scan: a scan streams while batches are written.
local function connect(self)
	local db, e = err.try(postgres.connect, self.url, self.options)
	if not db then
		e.exit = e.kind == "config" and 2 or 3
		err.raise(e)
	end
	warn_of_clear_text(self, db)
	return db
end

local function shared_of(self)
	self.shared = self.shared or shared.new(function() return connect(self) end)
	return self.shared
end

local function with_database(self, f, ...)
	return shared_of(self):run(f, ...)
end

--- What stands in the way of a run that writes, or of one that only reads. Raises when the database is out of reach.
---@param intent { write: boolean }? default: one that writes
---@return { what: string, exit: integer, sql: string[]?, done_text: string? }[]
function System:check(intent)
	local found = shared_of(self):read(catalog.read, self.schema_name, self.table_name, self.columns[1].name)
	return preflight.problems(self, found, intent or { write = true })
end

--- Show, or with apply make, what the mapping needs.
---@param apply boolean
---@return { what: string, done: boolean }[]
function System:setup(apply)
	local problems = self:check()
	for _, problem in ipairs(problems) do
		if apply and problem.sql then
			with_database(self, function(db)
				return db:transaction(function(tx)
					for _, statement in ipairs(problem.sql) do tx:query(statement) end
					return true
				end)
			end)
			problem.what, problem.done = problem.done_text, true
		else
			problem.done = false
		end
	end
	return problems
end

--- Where it stands.
---@return string
function System:place()
	return with_database(self, catalog.place) .. " " .. self.title
end

--- The expected row in this system, for rows.plan over the model's rows.
function System:projection()
	return self.columns
end

local function select_list(column, i)
	local name = sql.name(column.name)
	if i == 1 or column.type == "text" or column.type == "decimal" then return name .. "::text" end
	return name
end

-- A key that is unique may be null, in rows that other programs wrote: they are shown without one.
local function select_keyless(column, i)
	return i == 1 and "''::text" or select_list(column, i)
end

--- All rows, in byte order of the key, as pages: those without one first.
---@return fun(): syncrun.Rows?
function System:scan()
	local db = connect(self)
	local key = sql.name(self.columns[1].name)
	local rest = ("SELECT %s FROM %s WHERE %s IS NOT NULL ORDER BY %s::text COLLATE \"C\""):format(
		sql.list(self.columns, select_list), self.table, key, key)
	local pages = db:scan_rows(("SELECT %s FROM %s WHERE %s IS NULL"):format(sql.list(self.columns, select_keyless),
		self.table, key), self.schema, self.page_rows)
	local function next_page()
		local page = pages()
		if page or not rest then return page end
		pages, rest = db:scan_rows(rest, self.schema, self.page_rows), nil
		return pages()
	end
	return function()
		local page = next_page()
		if not page then db:close() end
		return page
	end
end

-- COPY takes no parameters. No key there holds a NUL.
local function literals(db, keys)
	local list = {}
	for _, key in ipairs(keys) do
		if not key:find "%z" then list[#list + 1] = db:literal(key) end
	end
	return table.concat(list, ",")
end

--- The rows of these keys.
---@param keys string[]
---@return syncrun.Rows
function System:fetch(keys)
	local key = sql.name(self.columns[1].name)
	return shared_of(self):read(function(db)
		local list, result = literals(db, keys), rows.new(self.schema)
		if list == "" then return result end
		local text = ("SELECT %s FROM %s WHERE %s::text IN (%s) ORDER BY %s::text COLLATE \"C\""):format(
			sql.list(self.columns, select_list), self.table, key, list, key)
		for page in db:scan_rows(text, self.schema, self.page_rows) do
			for i = 1, #page do result:append(page, i) end
		end
		return result
	end)
end

--- Write a batch. Set-based: the whole batch is one statement, taken or refused as one; rows that it did not take without
--- an error are rejected.
---@param batch { rows: syncrun.Rows }
---@param mode "create"|"update"
---@return { state: string, reason: string? }[]
function System:write(batch, mode)
	local page = batch.rows
	self.statements[mode] = self.statements[mode] or writer.statement(self, mode)
	local result, e = err.try(with_database, self, function(db)
		return db:write_rows(self.statements[mode], page)
	end)
	if result then return writer.outcomes(self, page, result, mode) end
	writer.mark(self, e)
	err.raise(e)
end

--- Put rows back that were read: of a row that is there what an update sets, else all of it.
---@param page syncrun.Rows
---@param mode "create"|"update"
function System:restore(page, mode)
	local columns = mode == "create" and self.columns or sql.written(self.columns, "create")
	local statement = writer.statement(self, mode, columns)
	with_database(self, function(db) return db:write_rows(statement, sql.pick(page, columns)) end)
end

--- Delete the rows of these keys.
---@param keys string[]
function System:delete(keys)
	local key = sql.name(self.columns[1].name)
	local statement = ("DELETE FROM %s WHERE %s::text = ANY($1::text[])"):format(self.table, key)
	with_database(self, function(db) return db:query(statement, postgres.text_array(keys)) end)
end

--- Let go of the connection. The next call connects anew.
function System:close()
	if self.shared then self.shared:close() end
end

M.source = require "syncrun.systems.postgres.source".new

return M

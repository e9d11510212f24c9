--- A SQLite table as a target: one file, made by itself, in the layout that scans fastest in key order.
local err = require "syncrun.err"
local file = require "syncrun.file"
local rows = require "syncrun.rows"
local sql = require "syncrun.systems.sql"
local sqlite = require "syncrun.sqlite"

local M = {}

---@class syncrun.SqliteSystem
local System = {}
System.__index = System

function System:__tostring()
	return ("%s: sqlite, table %s of '%s'"):format(self.label, self.table_name, self.path)
end

local TYPES = {
	text = "TEXT", int64 = "INTEGER", decimal = "TEXT", float64 = "REAL", bool = "INTEGER", date = "TEXT", time = "TEXT",
	datetime = "TEXT", timestamp = "INTEGER", json = "TEXT", bytes = "BLOB",
}

local function steps_for(kind)
	return kind == "json" and { "json_canonical" } or {} -- which also loses repeated names
end

--- A system over one table of a file.
---@param config { path: string, table: string?, label: string?, page_rows: integer?, lock_wait: number? } lock_wait:
--- seconds that locks of other programs are waited for
---@param mapping syncrun.Mapping
---@return syncrun.SqliteSystem
function M.new(config, mapping)
	local self = setmetatable({
		kind = "sqlite", name = config.name or "sqlite", label = config.label or "Local", ordered = true, path = config.path,
		table_name = config.table or "contacts_master", page_rows = config.page_rows or 1000,
		lock_wait = config.lock_wait,
		limits = { rows = 1000, bytes = 8 * 2 ^ 20 },
		columns = sql.columns(mapping, "sqlite", steps_for),
	}, System)
	self.table = sql.name(self.table_name)
	local types = {}
	for i, column in ipairs(self.columns) do types[i] = { column.name, column.type } end
	self.schema = rows.schema(types)
	return self
end

local function open(self, mode)
	local db, e = err.try(sqlite.open, self.path, { mode = mode, busy_timeout = self.lock_wait })
	if not db then
		e.exit = 3
		err.raise(e)
	end
	return db
end

local function database(self)
	if not self.db then self.db = open(self, "rw") end
	return self.db
end

local function create_statement(self)
	return ("CREATE TABLE %s (%s) WITHOUT ROWID"):format(self.table, sql.list(self.columns, function(column, i)
		if i == 1 then return sql.name(column.name) .. " TEXT PRIMARY KEY NOT NULL" end
		return ("%s %s%s"):format(sql.name(column.name), TYPES[column.type], column.field.required and " NOT NULL" or "")
	end))
end

-- For people: times as text, booleans as words.
local function view_statement(self)
	return ("CREATE VIEW IF NOT EXISTS contacts_readable AS SELECT %s FROM %s"):format(
		sql.list(self.columns, function(column)
			local name = sql.name(column.name)
			if column.type == "timestamp" then
				return ("strftime('%%Y-%%m-%%dT%%H:%%M:%%S', %s / 1000000 - (%s %% 1000000 < 0), 'unixepoch') || "
					.. "printf('.%%06dZ', (%s %% 1000000 + 1000000) %% 1000000) AS %s"):format(name, name, name, name)
			elseif column.type == "bool" then
				return ("CASE %s WHEN 1 THEN 'true' WHEN 0 THEN 'false' END AS %s"):format(name, name)
			end
			return name
		end), self.table)
end

local function problem_of_table(self, what)
	return {
		what = what, sql = { create_statement(self), view_statement(self) },
		done_text = ("table %s made in '%s'"):format(self.table_name, self.path),
	}
end

local function read_columns(db, self)
	local by_name, n = {}, 0
	for _, row in ipairs(db:query("SELECT name, type, pk FROM pragma_table_info(?)", self.table_name)) do
		by_name[row.name] = row
		n = n + 1
	end
	return by_name, n
end

local function key_is_unique(db, self)
	local key = self.columns[1].name
	local list = db:query('SELECT name FROM pragma_index_list(?) WHERE "unique" AND NOT partial', self.table_name)
	for _, index in ipairs(list) do
		local info = db:query("SELECT name FROM pragma_index_info(?)", index.name)
		if #info == 1 and info[1].name == key then return true end
	end
	return false
end

--- What the mapping needs and does not find. Raises when the file cannot be read.
---@return { what: string, sql: string[]?, done_text: string? }[]
function System:check()
	if not file.kind(self.path) then -- only looked at: see sqlite_is_live
		return { problem_of_table(self, ("local database '%s' does not exist"):format(self.path)) }
	end
	local db = database(self)
	local found, n = read_columns(db, self)
	if n == 0 then
		return { problem_of_table(self, ("table %s is missing in '%s'"):format(self.table_name, self.path)) }
	end
	local problems = {}
	for _, column in ipairs(self.columns) do
		if not found[column.name] then
			problems[#problems + 1] = {
				what = ("column %s.%s is missing in '%s'"):format(self.table_name, column.name, self.path),
				sql = { ("ALTER TABLE %s ADD COLUMN %s %s"):format(self.table, sql.name(column.name), TYPES[column.type]),
					"DROP VIEW IF EXISTS contacts_readable", view_statement(self) },
				done_text = ("column %s.%s added"):format(self.table_name, column.name),
			}
		end
	end
	if found[self.columns[1].name] and not key_is_unique(db, self) then
		problems[#problems + 1] = {
			what = ("column %s.%s is not unique in '%s'"):format(self.table_name, self.columns[1].name, self.path),
		}
	end
	return problems
end

--- Show, or with apply make, what the mapping needs.
---@param apply boolean
---@return { what: string, done: boolean }[]
function System:setup(apply)
	local problems = self:check()
	for _, problem in ipairs(problems) do
		problem.done = apply and problem.sql ~= nil
		if problem.done then
			self.db = self.db or open(self, "rwc")
			self.db:transaction(function(db)
				for _, statement in ipairs(problem.sql) do db:run(statement) end
			end)
			problem.what = problem.done_text
		end
	end
	return problems
end

--- The expected row in this system, for rows.plan over the model's rows.
function System:projection()
	return self.columns
end

--- All rows, in byte order of the key, as pages. Read on a connection of its own: batches are written meanwhile.
---@return fun(): syncrun.Rows?
function System:scan()
	local db = open(self, "ro")
	local pages = db:scan_rows(("SELECT %s FROM %s ORDER BY %s"):format(sql.list(self.columns), self.table,
		sql.name(self.columns[1].name)), self.schema, self.page_rows)
	return function()
		local page = pages()
		if not page then db:close() end
		return page
	end
end

--- The rows of these keys.
---@param keys string[]
---@return syncrun.Rows
function System:fetch(keys)
	local result = rows.new(self.schema)
	local key = sql.name(self.columns[1].name)
	for first = 1, #keys, 500 do
		local part = table.move(keys, first, math.min(first + 499, #keys), 1, {})
		local text = ("SELECT %s FROM %s WHERE %s IN (%s) ORDER BY %s"):format(sql.list(self.columns), self.table, key,
			("?,"):rep(#part):sub(1, -2), key)
		for page in database(self):scan_rows(text, self.schema, self.page_rows, table.unpack(part)) do
			for i = 1, #page do result:append(page, i) end
		end
	end
	return result
end

local function write_statement(self, mode)
	local written = sql.written(self.columns, "create")
	return ("INSERT INTO %s (%s) VALUES (%s) %s"):format(self.table, sql.list(written),
		("?, "):rep(#written):sub(1, -3), sql.on_conflict(self.columns, mode))
end

--- Write a batch in one transaction, taken or refused as one.
---@param batch { rows: syncrun.Rows }
---@param mode "create"|"update"
---@return { state: string, reason: string? }[]
function System:write(batch, mode)
	self.statements = self.statements or {}
	self.statements[mode] = self.statements[mode] or write_statement(self, mode)
	local done, e = err.try(function()
		return database(self):transaction(function(db)
			db:insert_rows(self.statements[mode], batch.rows)
			return true
		end)
	end)
	if not done then
		local code = e.code or ""
		e.reject = code:find "^SQLITE_CONSTRAINT" ~= nil or code == "SQLITE_TOOBIG" or code == "SQLITE_MISMATCH"
		err.raise(e)
	end
	return sql.all_written(#batch.rows)
end

--- Let go of the file.
function System:close()
	if self.db then self.db:close() end
	self.db = nil
end

M.source = require "syncrun.systems.sqlite.source".new

return M

--- A SQLite table as a target: one file, made by itself, in the layout that scans fastest in key order.
local catalog = require "syncrun.systems.sqlite.catalog"
local err = require "syncrun.err"
local file = require "syncrun.file"
local path_of = require "syncrun.systems.sqlite.path"
local preflight = require "syncrun.systems.sqlite.preflight"
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

local function steps_for(kind)
	return kind == "json" and { "json_canonical" } or {} -- which also loses repeated names
end

--- A system over one table of a file.
---@param config { path: string, table: string?, label: string?, page_rows: integer?, lock_wait: number? } lock_wait:
--- seconds that locks of other programs are waited for
---@param mapping syncrun.Mapping
---@return syncrun.SqliteSystem
function M.new(config, mapping)
	local label = config.label or "Local"
	local path = path_of.read(config, label)
	local self = setmetatable({
		kind = "sqlite", name = config.name or "sqlite", label = label, ordered = true, path = path, file = path,
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

-- f(...), of whose errors those of SQLite mean that the file cannot be used.
local function usable(f, ...)
	local value, e = err.try(f, ...)
	if not e then return value end
	if e.kind == "sqlite" then e.exit = 3 end
	err.raise(e)
end

local function open(self, mode, wal)
	return usable(sqlite.open, self.path, { mode = mode, wal = wal, busy_timeout = self.lock_wait })
end

-- Opened for reading alone, until something is to be written.
local function reading(self)
	self.reader = self.reader or self.writer or open(self, "ro")
	return self.reader
end

-- Write-ahead logging: batches are written while a scan reads.
local function writing(self, mode)
	self.writer = self.writer or open(self, mode or "rw", true)
	return self.writer
end

-- ---- what it needs

-- The lock that writing takes is taken, and given back: the file can be written, and nobody else holds it.
local function try_to_write(db)
	db:transaction(function() return true end)
end

local function look(self, intent)
	local db <close> = open(self, intent.write and "rw" or "ro", false)
	if intent.write then try_to_write(db) end
	return catalog.read(db, self.table_name, self.columns[1].name)
end

--- What stands in the way of a run that writes, or of one that only reads. Raises when the file cannot be read, or not
--- written by one that writes. Changes nothing.
---@param intent { write: boolean }? default: one that writes
---@return { what: string, exit: integer, sql: string[]?, done_text: string? }[]
function System:check(intent)
	intent = intent or { write = true }
	local found = file.kind(self.path) and usable(look, self, intent) -- only looked at before: sqlite_is_live
	return preflight.problems(self, found, intent)
end

--- Show, or with apply make, what the mapping needs.
---@param apply boolean
---@return { what: string, done: boolean }[]
function System:setup(apply)
	local problems = self:check()
	for _, problem in ipairs(problems) do
		problem.done = apply and problem.sql ~= nil
		if problem.done then
			writing(self, "rwc"):transaction(function(db)
				for _, statement in ipairs(problem.sql) do db:run(statement) end
			end)
			problem.what = problem.done_text
		end
	end
	if apply then writing(self) end -- a journal that cannot be switched is found now
	return problems
end

--- Where it stands.
---@return string?
function System:place()
	return path_of.place(self.path, self.table_name)
end

--- The expected row in this system, for rows.plan over the model's rows.
function System:projection()
	return self.columns
end

-- A key that is no text, which other programs may have written, as it is shown: so it sorts.
local ODD_KEY = "CASE typeof(%s) WHEN 'blob' THEN quote(%s) ELSE CAST(coalesce(%s, '') AS TEXT) END"

-- Texts sort by their bytes, under whatever collation the column was declared.
local function select_in_order(self, db)
	local key = sql.name(self.columns[1].name)
	local columns = sql.list(self.columns)
	if not db:one(("SELECT 1 AS one FROM %s WHERE typeof(%s) <> 'text' LIMIT 1"):format(self.table, key)) then
		return ("SELECT %s FROM %s ORDER BY %s COLLATE BINARY"):format(columns, self.table, key)
	end
	local shown = ODD_KEY:format(key, key, key)
	return ("SELECT %s%s FROM %s ORDER BY 1 COLLATE BINARY"):format(shown, columns:sub(#key + 1), self.table)
end

--- All rows, in byte order of the key, as pages. Read on a connection of its own: batches are written meanwhile.
---@return fun(): syncrun.Rows?
function System:scan()
	local db = open(self, "ro")
	local pages = db:scan_rows(select_in_order(self, db), self.schema, self.page_rows)
	return function()
		local page = pages()
		if not page then db:close() end
		return page
	end
end

-- SQLite finds more when the column makes numbers of texts: 7 for '007'.
local function append_wanted(result, page, keys, key)
	local wanted = {}
	for _, k in ipairs(keys) do wanted[k] = true end
	for i = 1, #page do
		if wanted[page:text(i, key)] then result:append(page, i) end
	end
end

--- The rows of these keys.
---@param keys string[]
---@return syncrun.Rows
function System:fetch(keys)
	local result = rows.new(self.schema)
	local key = self.columns[1].name
	for first = 1, #keys, 500 do
		local part = table.move(keys, first, math.min(first + 499, #keys), 1, {})
		local text = ("SELECT %s FROM %s WHERE %s COLLATE BINARY IN (%s) ORDER BY %s COLLATE BINARY"):format(
			sql.list(self.columns), self.table, sql.name(key), ("?,"):rep(#part):sub(1, -2), sql.name(key))
		for page in reading(self):scan_rows(text, self.schema, self.page_rows, table.unpack(part)) do
			append_wanted(result, page, part, key)
		end
	end
	return result
end

-- OR ABORT: a constraint of the table that says ON CONFLICT REPLACE would delete another contact's row.
local function write_statement(self, mode, written)
	written = written or sql.written(self.columns, "create")
	return ("INSERT OR ABORT INTO %s (%s) VALUES (%s) %s"):format(self.table, sql.list(written),
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
		return writing(self):transaction(function(db)
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

--- Put rows back that were read: of a row that is there what an update sets, else all of it.
---@param page syncrun.Rows
---@param mode "create"|"update"
function System:restore(page, mode)
	local columns = mode == "create" and self.columns or sql.written(self.columns, "create")
	writing(self):transaction(function(db)
		db:insert_rows(write_statement(self, mode, columns), sql.pick(page, columns))
	end)
end

-- In a column that makes numbers of texts '007' is 7: what is shown as this key, and no BLOB of the same bytes.
local DELETE = [[DELETE FROM %s WHERE %s COLLATE BINARY IN (%s) AND CAST(%s AS TEXT) COLLATE BINARY IN (%s)
	AND typeof(%s) <> 'blob']]

--- Delete the rows of these keys, all or none.
---@param keys string[]
function System:delete(keys)
	local key = sql.name(self.columns[1].name)
	writing(self):transaction(function(db)
		for first = 1, #keys, 500 do
			local part, places = table.move(keys, first, math.min(first + 499, #keys), 1, {}), {}
			for i = 1, #part do places[i] = "?" .. i end
			local list = table.concat(places, ",")
			db:run(DELETE:format(self.table, key, list, key, list, key), table.unpack(part))
		end
	end)
end

--- Let go of the file.
function System:close()
	if self.reader then self.reader:close() end
	if self.writer then self.writer:close() end
	self.reader, self.writer = nil, nil
end

M.source = require "syncrun.systems.sqlite.source".new

return M

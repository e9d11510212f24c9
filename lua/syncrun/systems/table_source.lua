--- A table of a SQL database as the source of contacts: read in byte order of the key, in one read-only transaction. What a
--- database has words of its own for (opening, types, quoting) stands in its dialect; the rest is here.
local err = require "syncrun.err"
local rows = require "syncrun.rows"
local sql = require "syncrun.systems.sql"

local M = {}

local PAGE_ROWS = 1000

---@class syncrun.TableDialect
---@field kind string
---@field open fun(settings: table, label: string): table a handle that reads in one read-only transaction, until closed
---@field columns fun(db: table, settings: table): { name: string, type: syncrun.ColumnType?, declared: string }[] none: no table
---@field from fun(settings: table): string the table, quoted
---@field title fun(settings: table): string the table, for messages
---@field select fun(column: table): string the expression that gives its value in its type
---@field key fun(name: string): string the key as text
---@field order fun(key: string): string the byte order of that
---@field text fun(value: string): string a text as an expression
---@field time fun(column: table, micros: integer): string a condition: the column's time is not before this one

---@class syncrun.TableSource
local Source = {}
Source.__index = Source

local function fail(...)
	err.raise { kind = "config", exit = 2, message = string.format(...) }
end

--- A source over one table. Settings: table, where (a condition in the database's SQL), label, and the dialect's own.
---@param dialect syncrun.TableDialect
---@param settings table
---@param mapping syncrun.Mapping
---@return syncrun.TableSource
function M.new(dialect, settings, mapping)
	return setmetatable({
		kind = dialect.kind, name = dialect.kind, label = settings.label, filter = settings.where, dialect = dialect,
		settings = settings, key = mapping.by_name[mapping.key].source, page_rows = settings.page_rows or PAGE_ROWS,
	}, Source)
end

-- f(db), on a handle of its own.
local function with(self, f)
	local db = self.dialect.open(self.settings, self.label)
	local result, e = err.try(f, db)
	db:close()
	if e then err.raise(e) end
	return result
end

local function columns_of(self, db)
	local list, by_name = self.dialect.columns(db, self.settings), {}
	if #list == 0 then
		fail("%s: table %s is missing; set source.table to the table with the contacts", self.label, self:title())
	end
	for _, column in ipairs(list) do by_name[column.name] = column end
	return list, by_name
end

-- The columns that a selection names, as the table has them.
local function wanted(self, db, names)
	local _, by_name = columns_of(self, db)
	local list, missing = {}, {}
	for _, name in ipairs(names) do
		local column = by_name[name]
		if not column then
			missing[#missing + 1] = "'" .. name .. "'"
		elseif not column.type then
			fail("%s: column %s.%s has the type %s, which is not supported; leave it out of the mapping", self.label,
				self:title(), name, column.declared)
		else
			list[#list + 1] = column
		end
	end
	if missing[1] then
		fail("%s: table %s has no column %s; correct the mapping or the table", self.label, self:title(),
			table.concat(missing, ", "))
	end
	return list, by_name
end

--- Raises when it cannot be read or lacks one of the columns.
---@param columns string[]
function Source:check(columns)
	with(self, function(db)
		wanted(self, db, columns)
		db:query(("SELECT 1 FROM %s%s LIMIT 1"):format(self.dialect.from(self.settings), self:condition {}))
		return true
	end)
end

--- The WHERE clause of a selection, or nothing.
---@param terms string[] further conditions
---@return string
function Source:condition(terms)
	if self.filter then table.insert(terms, 1, ("(%s\n)"):format(self.filter)) end
	return #terms > 0 and " WHERE " .. table.concat(terms, " AND ") or ""
end

local function statement(self, selection, columns, by_name)
	local dialect, terms = self.dialect, {}
	local key = dialect.key(self.key)
	if selection.only then
		local keys = {}
		for i, id in ipairs(selection.only) do keys[i] = dialect.text(id) end
		terms[1] = ("%s IN (%s)"):format(key, table.concat(keys, ", "))
	end
	if selection.since then
		terms[#terms + 1] = dialect.time(by_name[selection.since.column], selection.since.at)
	end
	return ("SELECT %s FROM %s%s ORDER BY %s%s"):format(sql.list(columns, function(column)
		return column.name == self.key and key or dialect.select(column)
	end), dialect.from(self.settings), self:condition(terms), dialect.order(key),
		selection.limit and (" LIMIT %d"):format(selection.limit) or "")
end

-- A page that is not the first: a connection that was lost in the middle may be read from anew.
local function following(pages)
	local page, e = err.try(pages)
	if not e then return page end
	e.anew = e.retryable and not e.limited
	err.raise(e)
end

--- The rows in byte order of the key, as pages.
---@param selection syncrun.Selection
---@return fun(): syncrun.Rows?
---@return nil
---@return nil
---@return table closing ends what is under way
function Source:scan(selection)
	local db, pages
	local function close()
		if db then db:close() end
		db = nil
	end
	local function start()
		db = self.dialect.open(self.settings, self.label)
		local columns, by_name = wanted(self, db, selection.columns)
		local types = {}
		for i, column in ipairs(columns) do
			types[i] = { column.name, column.name == self.key and "text" or column.type }
		end
		pages = db:scan_rows(statement(self, selection, columns, by_name), rows.schema(types), self.page_rows)
	end
	local function next_page()
		if pages then return db and following(pages) end
		start()
		return pages()
	end
	return function()
		local page = next_page()
		if not page then close() end
		return page
	end, nil, nil, setmetatable({}, { __close = close })
end

--- The table as it is now. Nothing tells when it changes: one transaction reads it.
---@return syncrun.Description
function Source:describe()
	return with(self, function(db) return { columns = (columns_of(self, db)) } end)
end

--- Rows before the filter.
---@return integer
function Source:count()
	return with(self, function(db)
		return db:one(("SELECT count(*) AS n FROM %s"):format(self.dialect.from(self.settings))).n
	end)
end

--- What is read, for messages.
---@return string
function Source:title()
	return self.dialect.title(self.settings)
end

--- What is read, in scalars: two runs over the same say the same.
---@return table<string, string>
function Source:subject()
	return { kind = self.kind, table = self:title(), where = self.filter or "" }
end

--- Nothing is held open between two calls.
function Source:close() end -- luacheck: ignore 212

return M

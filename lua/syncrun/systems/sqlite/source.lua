--- A table of a SQLite file as the source of contacts. A column's declared type says how it is read: of INTEGER affinity as
--- what the mapping makes of it (a whole number, a flag, microseconds since 1970), REAL as a number, all else as text.
local err = require "syncrun.err"
local path_of = require "syncrun.systems.sqlite.path"
local sql = require "syncrun.systems.sql"
local sqlite = require "syncrun.sqlite"
local table_source = require "syncrun.systems.table_source"

local M = {}

local FROM_INTEGER = { bool = true, timestamp = true }

-- https://sqlite.org/datatype3.html, 3.1: the affinity of a declared type.
local function type_of(declared, mapped)
	local upper = declared:upper()
	if upper:find "INT" then return FROM_INTEGER[mapped] and mapped or "int64" end
	if upper:find "CHAR" or upper:find "CLOB" or upper:find "TEXT" then return "text" end
	if upper:find "BLOB" then return mapped == "bytes" and "bytes" or "text" end
	if upper:find "REAL" or upper:find "FLOA" or upper:find "DOUB" then return "float64" end
	return "text"
end

local dialect = { kind = "sqlite" }

function dialect.open(settings, label)
	local db, e = err.try(sqlite.open, settings.path, { mode = "ro", busy_timeout = settings.lock_wait })
	if not db then
		e.message, e.exit = ("%s: %s"):format(label, e.message), 3
		err.raise(e)
	end
	db:exec "BEGIN"
	return db
end

-- hidden 1: of a virtual table, not for reading; 2 and 3 are generated columns.
local COLUMNS = "SELECT name, type FROM pragma_table_xinfo(?) WHERE hidden <> 1"

function dialect.columns(db, settings)
	local list = {}
	for i, row in ipairs(db:query(COLUMNS, settings.table)) do
		list[i] = { name = row.name, type = type_of(row.type, settings.types[row.name]), declared = row.type }
	end
	return list
end

function dialect.from(settings)
	return sql.name(settings.table)
end

function dialect.title(settings)
	return ("%s of '%s'"):format(settings.table, settings.path)
end

-- A text may be stored as a BLOB, or as a number where the column does not say.
function dialect.select(column)
	local name = sql.name(column.name)
	return column.type == "text" and ("CAST(%s AS TEXT)"):format(name) or name
end

function dialect.key(name)
	return ("CAST(%s AS TEXT)"):format(sql.name(name))
end

function dialect.order(key)
	return key .. " COLLATE BINARY"
end

function dialect.text(value)
	local hex = value:gsub(".", function(c) return ("%02x"):format(c:byte()) end)
	return ("CAST(x'%s' AS TEXT)"):format(hex)
end

-- Whole numbers are microseconds, texts ISO times in UTC.
function dialect.time(column, micros)
	local name = sql.name(column.name)
	return ([[CASE typeof(%s) WHEN 'integer' THEN %s >= %d
		ELSE julianday(%s) >= julianday(%d / 1000000.0, 'unixepoch') END]]):format(name, name, micros, name, micros)
end

--- The source of a session. Settings: path, table, where, label, lock_wait (seconds).
---@param settings table
---@param mapping syncrun.Mapping
---@return syncrun.TableSource
function M.new(settings, mapping)
	if type(settings.path) ~= "string" or settings.path == "" then
		err.raise { kind = "config", exit = 2, message = "the source of kind 'sqlite' has no path; set source.path" }
	end
	settings.path, settings.types = path_of.read(settings, settings.label), {}
	for _, field in ipairs(mapping.fields) do settings.types[field.source] = field.type end
	local source = table_source.new(dialect, settings, mapping)
	source.file, source.place = settings.path, function() return path_of.place(settings.path, settings.table) end
	return source
end

return M

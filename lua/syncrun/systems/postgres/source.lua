--- A Postgres table as the source of contacts. Works behind a transaction pooler: one transaction, nothing of a session.
local catalog = require "syncrun.systems.postgres.catalog"
local err = require "syncrun.err"
local postgres = require "syncrun.postgres"
local sql = require "syncrun.systems.sql"
local table_source = require "syncrun.systems.table_source"

local M = {}

-- What Postgres's types are read as; others are not supported.
local TYPES = {
	text = "text", varchar = "text", bpchar = "text", citext = "text", uuid = "text", name = "text", int2 = "int64",
	int4 = "int64", int8 = "int64", numeric = "decimal", float4 = "float64", float8 = "float64", bool = "bool",
	date = "date", time = "time", timestamp = "datetime", timestamptz = "timestamp", json = "json", jsonb = "json",
	bytea = "bytes",
}

-- Read as another of Postgres's types, as the reader of rows takes them.
local CASTS = { text = "text", decimal = "text", int64 = "int8", float64 = "float8" }

local COLUMNS = [[SELECT attname::text AS name, t.typname::text AS type FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
	WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum]]

local function parts(settings)
	local schema, name = settings.table:match "^([^.]+)%.(.+)$"
	return schema or settings.schema or "public", name or settings.table
end

local dialect = { kind = "postgres" }

function dialect.open(settings, label)
	local db, e = err.try(postgres.connect, settings.url, { name = label, insecure = settings.insecure,
		lock_wait = settings.lock_wait, stall_wait = settings.stall_wait })
	if not db then
		e.exit = e.exit or e.kind == "config" and 2 or 3
		err.raise(e)
	end
	db:exec "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
	return db
end

function dialect.columns(db, settings)
	local list = {}
	for i, row in ipairs(db:query(COLUMNS, dialect.from(settings))) do
		list[i] = { name = row.name, type = TYPES[row.type], declared = row.type }
	end
	return list
end

function dialect.from(settings)
	local schema, name = parts(settings)
	return sql.name(schema) .. "." .. sql.name(name)
end

function dialect.title(settings)
	return table.concat({ parts(settings) }, ".")
end

function dialect.select(column)
	local cast = CASTS[column.type]
	return sql.name(column.name) .. (cast and "::" .. cast or "")
end

function dialect.key(name)
	return sql.name(name) .. "::text"
end

function dialect.order(key)
	return key .. ' COLLATE "C"'
end

-- Whatever the server's settings on backslashes: hexadecimal digits need no quoting.
function dialect.text(value)
	local hex = value:gsub(".", function(c) return ("%02x"):format(c:byte()) end)
	return ("convert_from(decode('%s', 'hex'), 'UTF8')"):format(hex)
end

function dialect.time(column, micros)
	return ("%s >= timestamptz 'epoch' + %d * interval '1 microsecond'"):format(sql.name(column.name), micros)
end

--- The source of a session. Settings: url, table, schema, where, label, insecure, lock_wait, stall_wait (seconds).
---@param settings table
---@param mapping syncrun.Mapping
---@return syncrun.TableSource
function M.new(settings, mapping)
	if type(settings.url) ~= "string" or settings.url == "" then
		err.raise { kind = "config", exit = 2, message = "the source of kind 'postgres' has no url; set source.url" }
	end
	local source = table_source.new(dialect, settings, mapping)
	function source:place()
		local db <close> = dialect.open(settings, self.label)
		return catalog.place(db) .. " " .. self:title()
	end
	return source
end

return M

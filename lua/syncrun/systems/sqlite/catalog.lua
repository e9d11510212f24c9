--- What SQLite says of a file and a table in it: facts, no judgement. Names are compared as SQLite does, without regard to
--- the case of ASCII letters.
local sql = require "syncrun.systems.sql"

local M = {}

local TABLE = [[SELECT name, type AS kind, strict, wr AS without_rowid FROM pragma_table_list
	WHERE schema = 'main' AND name = ? COLLATE NOCASE]]

-- hidden: 0 not, 1 of a virtual table, 2 and 3 generated
local COLUMNS = [[SELECT name, type, pk, hidden IN (2, 3) AS generated,
	"notnull" AND dflt_value IS NULL AS required FROM pragma_table_xinfo(?) ORDER BY cid]]

-- The collations of unique indexes over the key alone: what ON CONFLICT (key) can rest on.
local UNIQUE = [[SELECT upper(x.coll) AS collation FROM pragma_index_list(?) i, pragma_index_xinfo(i.name) x
	WHERE i."unique" AND NOT i.partial AND x.key AND x.name = ? COLLATE NOCASE
	AND (SELECT count(*) FROM pragma_index_xinfo(i.name) y WHERE y.key) = 1]]

local TRIGGERS = "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ? COLLATE NOCASE ORDER BY name"

-- What quick_check says of rows that break a rule of their table: the file is sound.
local OF_ROWS = { "^NULL value in ", "^CHECK constraint failed ", "^non%-%u+ value in ", "^%u+ value in " }

local function is_damage(line)
	for _, pattern in ipairs(OF_ROWS) do
		if line:find(pattern) then return false end
	end
	return line ~= "ok"
end

-- What is broken in the table's pages; nil: nothing.
local function damage(db, name)
	for _, row in ipairs(db:query(("PRAGMA quick_check(%s)"):format(sql.name(name)))) do
		if is_damage(row.quick_check) then return (row.quick_check:gsub("%s+", " ")) end
	end
end

-- An INTEGER PRIMARY KEY fills itself, and has no index; tables WITHOUT ROWID have none.
local function mark_rowid(found)
	local keys = {}
	for _, column in ipairs(found.columns) do
		if column.pk > 0 then keys[#keys + 1] = column end
	end
	if #keys == 1 and not found.table.without_rowid then keys[1].rowid = keys[1].type:upper() == "INTEGER" end
end

-- SQLite's numbers as what they mean.
local function as_booleans(row, ...)
	for _, name in ipairs { ... } do row[name] = row[name] == 1 end
end

local function read_table(db, name, key, found)
	found.columns, found.by_name, found.unique = db:query(COLUMNS, name), {}, {}
	for _, column in ipairs(found.columns) do
		as_booleans(column, "generated", "required")
		found.by_name[column.name:lower()] = column
	end
	mark_rowid(found)
	for _, index in ipairs(db:query(UNIQUE, name, key)) do found.unique[index.collation] = true end
	found.triggers = db:query(TRIGGERS, name)
	found.damage = found.table.kind == "table" and damage(db, name) or nil
end

---@class syncrun.SqliteFacts
---@field encoding string
---@field table { name: string, kind: "table"|"view"|"virtual"|"shadow", strict: boolean, without_rowid: boolean }? nil:
--- there is none
---@field columns { name: string, type: string, pk: integer, generated: boolean, required: boolean, rowid: boolean? }[]
---@field by_name table<string, table> by the name in lower case
---@field unique table<string, boolean> collations under which the key is unique
---@field triggers { name: string }[]
---@field damage string? what is broken in the table's pages

--- Read them.
---@param db syncrun.Sqlite
---@param name string the table's
---@param key string the key's column
---@return syncrun.SqliteFacts
function M.read(db, name, key)
	local found = { encoding = db:one("PRAGMA encoding").encoding, table = db:one(TABLE, name) }
	if found.table then
		as_booleans(found.table, "strict", "without_rowid")
		read_table(db, found.table.name, key, found)
	end
	return found
end

return M

--- The run's own SQLite file: the source's snapshot as model rows, the pages of systems that cannot deliver key order,
--- and what was found. Memory stays flat however many contacts there are. It is scratch: deleted when the run ends.
local rows = require "syncrun.rows"
local sql = require "syncrun.systems.sql"
local sqlite = require "syncrun.sqlite"

local M = {}

---@class syncrun.Spool
local Spool = {}
Spool.__index = Spool

local PAGE_ROWS = 1000

local TABLES = [[
CREATE TABLE bad (pos INTEGER PRIMARY KEY, reason TEXT NOT NULL);
CREATE TABLE finding (
	pos INTEGER NOT NULL,  -- of the contact in source
	system TEXT NOT NULL,  -- as named in lines: BigQuery, CRM, Supabase, Local
	phase TEXT NOT NULL,   -- sync: an error while writing; validate: what a read-back showed
	kind TEXT NOT NULL,    -- rejected failed lost missing mismatched repeated source check
	field TEXT,            -- as that system names it
	actual TEXT, expected TEXT,
	stored TEXT,           -- of a lost value: what is, or would be, left of it
	reason TEXT NOT NULL   -- the line, without its bullet
);
CREATE INDEX finding_pos ON finding (pos);
CREATE TABLE fate (pos INTEGER NOT NULL, system TEXT NOT NULL, field TEXT NOT NULL, fate TEXT NOT NULL,
	note TEXT NOT NULL, stored TEXT, reason TEXT NOT NULL);
CREATE TABLE owned (pos INTEGER NOT NULL, system TEXT NOT NULL, field TEXT NOT NULL, own TEXT NOT NULL, expected TEXT,
	actual TEXT, editor TEXT);
CREATE TABLE extra (system TEXT NOT NULL, k TEXT NOT NULL, name TEXT);
CREATE TABLE revived (system TEXT NOT NULL, pos INTEGER NOT NULL);
]]

--- Make the file (it must not exist) for rows of this schema.
---@param path string
---@param schema syncrun.Schema of the model
---@param key string
---@param name_field string the field that names a contact for people
---@return syncrun.Spool
function M.open(path, schema, key, name_field)
	local self = setmetatable({ path = path, schema = schema, key = sql.name(key), spooled = {} }, Spool)
	self.db = sqlite.open(path, { mode = "rwc", wal = false, synchronous = "off" })
	local columns = {}
	for i, name in ipairs(schema:names()) do columns[i] = { name = name } end
	self.columns, self.name_field = columns, sql.name(name_field)
	self.db:exec("PRAGMA journal_mode = OFF; PRAGMA locking_mode = EXCLUSIVE;")
	self.db:exec(TABLES)
	self.db:exec(("CREATE TABLE source (pos INTEGER PRIMARY KEY, %s)"):format(sql.list(columns)))
	self.insert = ("INSERT INTO source (%s) VALUES (%s)"):format(sql.list(columns), ("?, "):rep(#columns):sub(1, -3))
	return self
end

--- Append a page of model rows to the snapshot.
---@param page syncrun.Rows
function Spool:add(page)
	self.db:insert_rows(self.insert, page, 1, #page, { raw = true })
end

--- Forget the snapshot: it is taken anew.
function Spool:clear()
	self.db:exec "DELETE FROM source; DELETE FROM bad; DELETE FROM finding; DELETE FROM fate;"
end

--- The snapshot is complete: index it and set aside the rows that cannot be synced (no key, a repeated key).
---@return integer total
function Spool:seal()
	local db, key = self.db, self.key
	db:exec(("CREATE INDEX source_key ON source (%s)"):format(key))
	db:run(("INSERT OR IGNORE INTO bad SELECT pos, 'contact_id is null' FROM source WHERE %s IS NULL"):format(key))
	db:run(([[INSERT OR IGNORE INTO bad
		SELECT pos, 'contact_id is repeated, row ' || row_number() OVER (PARTITION BY %s ORDER BY pos)
		|| ' of ' || count(*) OVER (PARTITION BY %s) FROM source WHERE %s IN
		(SELECT %s FROM source WHERE %s IS NOT NULL GROUP BY %s HAVING count(*) > 1)]]):format(key, key, key, key, key,
		key))
	for _, phase in ipairs { "sync", "validate" } do
		db:run([[INSERT INTO finding (pos, system, phase, kind, reason)
			SELECT pos, 'BigQuery', ?, 'source', 'BigQuery: ' || reason FROM bad]], phase)
	end
	self.total = db:one("SELECT count(*) AS n FROM source").n
	self.nbad = db:one("SELECT count(*) AS n FROM bad").n
	return self.total
end

local GOOD = "(SELECT 1 FROM bad WHERE bad.pos = source.pos)"

--- The good contacts in byte order of the key, as pages of model rows.
---@param page_rows integer?
---@return fun(): syncrun.Rows?
function Spool:pages(page_rows)
	return self.db:scan_rows(("SELECT %s FROM source WHERE NOT EXISTS %s ORDER BY %s"):format(
		sql.list(self.columns), GOOD, self.key), self.schema, page_rows or PAGE_ROWS)
end

--- Whether the snapshot has this contact.
---@param key string
---@return boolean
function Spool:has(key)
	return self.db:one(("SELECT 1 AS one FROM source WHERE %s = ? LIMIT 1"):format(self.key), key) ~= nil
end

--- The position of a contact by its key.
---@param key string
---@return integer
function Spool:position(key)
	return self.db:one(("SELECT pos FROM source WHERE %s = ?"):format(self.key), key).pos
end

--- Record what was found about a contact.
---@param finding table pos or key; system, phase, kind, reason; field, actual, expected, stored where there are any
function Spool:find(finding)
	self.db:run([[INSERT INTO finding (pos, system, phase, kind, field, actual, expected, stored, reason)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)]], finding.pos or self:position(finding.key), finding.system, finding.phase,
		finding.kind, finding.field, finding.actual, finding.expected, finding.stored, finding.reason)
end

--- The same finding for every good contact whose key is after `after` (nil: all).
function Spool:find_all(finding, after)
	self.db:run(([[INSERT INTO finding (pos, system, phase, kind, reason) SELECT pos, ?, ?, ?, ? FROM source
		WHERE NOT EXISTS %s AND (? IS NULL OR %s > ?)]]):format(GOOD, self.key),
		finding.system, finding.phase, finding.kind, finding.reason, after, after)
end

--- A contact that is not synced at all: no system could be given what the mapping made of it. Before seal().
---@param pos integer
---@param reason string
function Spool:reject(pos, reason)
	self.db:run("INSERT OR IGNORE INTO bad VALUES (?, ?)", pos, reason)
end

--- Record what became of a value that is not exact.
---@param f table pos or key; system, field, fate, note, stored, reason
function Spool:note_fate(f)
	self.db:run("INSERT INTO fate VALUES (?, ?, ?, ?, ?, ?, ?)", f.pos or self:position(f.key), f.system, f.field, f.fate,
		f.note, f.stored, f.reason)
end

--- Record what a system holds in a field that the source does not rule.
---@param o table key, system, field, own, expected, actual, editor
function Spool:note_owned(o)
	self.db:run("INSERT INTO owned VALUES (?, ?, ?, ?, ?, ?, ?)", self:position(o.key), o.system, o.field, o.own,
		o.expected, o.actual, o.editor)
end

--- Forget what a former pass noted of a system's values.
---@param system string
function Spool:forget_values(system)
	self.db:run("DELETE FROM fate WHERE system = ?", system)
	self.db:run("DELETE FROM owned WHERE system = ?", system)
end

--- A contact of which a value is lost in a system is not validated there, even where nothing else is wrong with it.
---@param system string
function Spool:find_lost(system)
	self.db:run([[INSERT INTO finding (pos, system, phase, kind, field, stored, reason)
		SELECT pos, system, 'validate', 'lost', field, stored, reason FROM fate WHERE system = ? AND fate = 'lost'
		AND NOT EXISTS (SELECT 1 FROM finding WHERE finding.pos = fate.pos AND finding.system = fate.system
		AND phase = 'validate')]], system)
end

--- Forget what a former pass judged about a system: it is read again, or with `writes` also written to again.
---@param system string
---@param writes boolean?
function Spool:forget(system, writes)
	self.db:run("DELETE FROM finding WHERE system = ? AND (phase = 'validate' OR ?)", system, writes or false)
	self.db:run("DELETE FROM extra WHERE system = ?", system)
end

-- ---- a second look

local SUSPECT = "phase = 'validate' AND kind IN ('missing', 'mismatched', 'repeated')"
local KEYS = rows.schema { { "key", "text" } }
local VERDICTS = rows.schema { { "key", "text" }, { "state", "text" } }

local function places(keys)
	return ("?,"):rep(#keys):sub(1, -2)
end

--- The keys of contacts that a system seems to lack or hold otherwise, in order, at most so many.
---@param system string
---@param limit integer
---@return string[]
function Spool:suspects(system, limit)
	local keys = {}
	for row in self.db:each(("SELECT DISTINCT %s AS k FROM finding JOIN source USING (pos) WHERE system = ? AND %s "
		.. "ORDER BY k LIMIT ?"):format(self.key, SUSPECT), system, limit) do
		keys[#keys + 1] = row.k
	end
	return keys
end

--- Forget what was judged about some of them.
---@param system string
---@param keys string[]
function Spool:forget_suspects(system, keys)
	self.db:run(([[DELETE FROM finding WHERE system = ? AND %s
		AND pos IN (SELECT pos FROM source WHERE %s IN (%s))]]):format(SUSPECT, self.key, places(keys)), system,
		table.unpack(keys))
end

--- Some of the good contacts, as pages of model rows.
---@param keys string[]
---@return fun(): syncrun.Rows?
function Spool:pages_of(keys)
	return self.db:scan_rows(("SELECT %s FROM source WHERE %s IN (%s) AND NOT EXISTS %s ORDER BY %s"):format(
		sql.list(self.columns), self.key, places(keys), GOOD, self.key), self.schema, PAGE_ROWS, table.unpack(keys))
end

--- Add a remark to what validation found about a contact.
---@param key string
---@param remark string
function Spool:remark(key, remark)
	self.db:run(([[UPDATE finding SET reason = reason || ? WHERE phase = 'validate' AND system <> 'BigQuery'
		AND pos IN (SELECT pos FROM source WHERE %s = ?)]]):format(self.key), remark, key)
end

--- The contacts with which something is wrong in a system, as pages of key and state (rejected, missing, mismatched).
---@param system string
---@return fun(): syncrun.Rows?
function Spool:wrong(system)
	return self.db:scan_rows(([[SELECT %s, CASE WHEN max(phase = 'sync') THEN 'rejected'
		WHEN max(kind = 'missing') THEN 'missing' ELSE 'mismatched' END
		FROM finding JOIN source USING (pos) WHERE system = ? GROUP BY pos]]):format(self.key), VERDICTS, PAGE_ROWS, system)
end

--- The keys of rows that are not synced, as pages of one column.
---@return fun(): syncrun.Rows?
function Spool:bad_keys()
	return self.db:scan_rows(("SELECT DISTINCT %s FROM source JOIN bad USING (pos) WHERE %s IS NOT NULL"):format(self.key,
		self.key), KEYS, PAGE_ROWS)
end

-- ---- systems that cannot deliver key order

-- A new table for a system's rows. A former one stays until the end: it cannot be dropped while other systems read
-- through this handle.
local function fresh_table(self, name, schema)
	local columns = {}
	for i, column in ipairs(schema:names()) do columns[i] = { name = column } end
	self.ntables = (self.ntables or 0) + 1
	local t = {
		schema = schema, columns = columns, name = sql.name(("of_%s_%d"):format(name, self.ntables)),
		index = sql.name(("key_of_%s_%d"):format(name, self.ntables)), key = sql.name(columns[1].name),
	}
	self.db:exec(("CREATE TABLE %s (%s)"):format(t.name, sql.list(columns)))
	t.insert = ("INSERT INTO %s (%s) VALUES (%s)"):format(t.name, sql.list(columns), ("?, "):rep(#columns):sub(1, -3))
	self.spooled[name] = t
	return t
end

local function deleted_clause(t, want)
	if not t.schema:index "deletedAt" then return want and "0" or "1" end
	return '"deletedAt" IS ' .. (want and "NOT NULL" or "NULL")
end

--- Take in all pages of an iterator, to be read back in key order.
---@param name string of the system
---@param next_page fun(): syncrun.Rows?
function Spool:take(name, next_page)
	local t
	for page in next_page do
		t = t or fresh_table(self, name, page:schema())
		self.db:insert_rows(t.insert, page, 1, #page, { raw = true })
	end
	self.spooled[name] = t
	if not t then return end
	self.db:exec(("CREATE INDEX %s ON %s (%s)"):format(t.index, t.name, t.key))
	t.ndeleted = self.db:one(("SELECT count(*) AS n FROM %s WHERE %s"):format(t.name, deleted_clause(t, true))).n
end

--- The table of what was taken in of a system, for its own questions: quoted name and row schema; nil when it has nothing.
---@param name string of the system
---@return { name: string, schema: syncrun.Schema }?
function Spool:table_of(name)
	return self.spooled[name]
end

--- Add rows to what was taken in.
---@param name string of the system
---@param page syncrun.Rows
function Spool:append(name, page)
	local t = self.spooled[name] or fresh_table(self, name, page:schema())
	self.db:insert_rows(t.insert, page, 1, #page, { raw = true })
	t.ndeleted = self.db:one(("SELECT count(*) AS n FROM %s WHERE %s"):format(t.name, deleted_clause(t, true))).n
end

--- The SQL condition that the source's good contacts hold a key.
---@param key string an SQL expression
---@return string
function Spool:in_source(key)
	return ("EXISTS (SELECT 1 FROM source WHERE source.%s = %s AND NOT EXISTS %s)"):format(self.key, key, GOOD)
end

--- What was taken in, in key order: rows with a key that are not soft-deleted.
---@param name string
---@return fun(): syncrun.Rows?
function Spool:taken(name)
	local t = self.spooled[name]
	if not t then return function() return nil end end
	return self.db:scan_rows(("SELECT %s FROM %s WHERE %s <> '' AND %s ORDER BY %s"):format(sql.list(t.columns), t.name,
		t.key, deleted_clause(t, false), t.key), t.schema, PAGE_ROWS)
end

--- The soft-deleted row of a key among what was taken in, as a page of one row, or nil.
---@param name string
---@param key string
---@return syncrun.Rows?
function Spool:deleted(name, key)
	local t = self.spooled[name]
	if not t or t.ndeleted == 0 then return nil end
	return self.db:scan_rows(("SELECT %s FROM %s WHERE %s = ? AND %s LIMIT 1"):format(sql.list(t.columns), t.name, t.key,
		deleted_clause(t, true)), t.schema, 1, key)()
end

--- Rows without a key among what was taken in (people made by hand): each is listed as an extra.
---@param name string
---@param system string as named in lines
---@param name_column string?
function Spool:extras_without_key(name, system, name_column)
	local t = self.spooled[name]
	if not t then return end
	local shown = name_column and t.schema:index(name_column) and sql.name(name_column) or "NULL"
	self.db:run(("INSERT INTO extra SELECT ?, '', %s FROM %s WHERE %s = '' AND %s"):format(shown, t.name, t.key,
		deleted_clause(t, false)), system)
end

--- Close and delete.
function Spool:close()
	self.db:close()
	os.remove(self.path)
	os.remove(self.path .. "-journal")
end

return M

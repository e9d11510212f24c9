--- The run's own SQLite file: the source's snapshot as model rows, the pages of systems that cannot deliver key order,
--- and what was found. Memory stays flat however many contacts there are. It is scratch: deleted when the run ends.
local rows = require "syncrun.rows"
local sql = require "syncrun.systems.sql"
local sqlite = require "syncrun.sqlite"
local task = require "syncrun.task"
local values = require "syncrun.model.values"

local M = {}

---@class syncrun.Snapshot
local Snapshot = {}
Snapshot.__index = Snapshot

local PAGE_ROWS = 1000

local TABLES = [[
CREATE TABLE bad (pos INTEGER PRIMARY KEY, reason TEXT NOT NULL);
CREATE TABLE finding (
	pos INTEGER NOT NULL,  -- of the contact in source
	system TEXT NOT NULL,  -- its label, as named in lines
	phase TEXT NOT NULL,   -- sync: an error while writing; validate: what a read-back showed; tolerated: the checks let it pass
	kind TEXT NOT NULL,    -- rejected failed lost missing deleted mismatched repeated source check
	field TEXT,            -- as that system names it
	actual TEXT, expected TEXT,
	stored TEXT,           -- of a lost value: what is, or would be, left of it
	reason TEXT NOT NULL,  -- the line, without its bullet
	state TEXT             -- of the ledger, that this makes of the contact there
);
CREATE INDEX finding_pos ON finding (pos);
CREATE TABLE lost (system TEXT NOT NULL, phase TEXT NOT NULL, reason TEXT NOT NULL); -- true of every good contact
CREATE TABLE fate (pos INTEGER NOT NULL, system TEXT NOT NULL, field TEXT NOT NULL, fate TEXT NOT NULL,
	note TEXT NOT NULL, stored TEXT, reason TEXT NOT NULL);
CREATE TABLE owned (pos INTEGER NOT NULL, system TEXT NOT NULL, field TEXT NOT NULL, own TEXT NOT NULL, expected TEXT,
	actual TEXT, editor TEXT);
CREATE TABLE extra (system TEXT NOT NULL, k TEXT NOT NULL, name TEXT, ours INTEGER NOT NULL DEFAULT 0); -- ours: we made it
CREATE TABLE revived (system TEXT NOT NULL, pos INTEGER NOT NULL);
CREATE TABLE merged (system TEXT NOT NULL, pos INTEGER NOT NULL, how TEXT NOT NULL); -- and made anew
]]

--- Make the file (it must not exist) for rows of this schema.
---@param path string
---@param mapping syncrun.Mapping
---@param label string of the source, as named in lines
---@return syncrun.Snapshot
function M.open(path, mapping, label)
	local schema = mapping:schema()
	local self = setmetatable({ path = path, schema = schema, label = label, key_field = mapping.key,
		key = sql.name(mapping.key), held = {}, gone_of = {}, long = {}, nlong = 0 }, Snapshot)
	self.db = sqlite.open(path, { mode = "rwc", wal = false, synchronous = "off" })
	local columns = {}
	for i, name in ipairs(schema:names()) do columns[i] = { name = name } end
	self.columns, self.name_field = columns, sql.name(mapping.name)
	self.db:exec("PRAGMA journal_mode = OFF; PRAGMA locking_mode = EXCLUSIVE;")
	self.db:exec(TABLES)
	self.db:exec(("CREATE TABLE source (pos INTEGER PRIMARY KEY, %s)"):format(sql.list(columns)))
	self.insert = ("INSERT INTO source (%s) VALUES (%s)"):format(sql.list(columns), ("?, "):rep(#columns):sub(1, -3))
	return self
end

--- Append a page of model rows to the snapshot.
---@param page syncrun.Rows
function Snapshot:add(page)
	self.db:insert_rows(self.insert, page, 1, #page, { raw = true })
end

--- Forget the snapshot: it is taken anew.
function Snapshot:clear()
	self.db:exec "DELETE FROM source; DELETE FROM bad; DELETE FROM finding; DELETE FROM fate;"
end

--- The snapshot is complete: index it and set aside the rows that cannot be synced (no key, a repeated key).
---@return integer total
function Snapshot:seal()
	local db, key = self.db, self.key
	db:exec(("CREATE INDEX source_key ON source (%s)"):format(key))
	db:run(([[INSERT OR REPLACE INTO bad SELECT pos, ? || CASE WHEN %s IS NULL THEN ' is null' ELSE ' is empty' END
		FROM source WHERE coalesce(%s, '') = '']]):format(key, key), self.key_field)
	db:run(([[INSERT OR IGNORE INTO bad
		SELECT pos, ? || ' is repeated, row ' || row_number() OVER (PARTITION BY %s ORDER BY pos)
		|| ' of ' || count(*) OVER (PARTITION BY %s) FROM source WHERE %s IN
		(SELECT %s FROM source WHERE %s <> '' GROUP BY %s HAVING count(*) > 1)]]):format(key, key, key, key, key,
		key), self.key_field)
	for _, phase in ipairs { "sync", "validate" } do
		db:run([[INSERT INTO finding (pos, system, phase, kind, reason)
			SELECT pos, ?1, ?2, 'source', ?1 || ': ' || reason FROM bad]], self.label, phase)
	end
	self.total = db:one("SELECT count(*) AS n FROM source").n
	self.nbad = db:one("SELECT count(*) AS n FROM bad").n
	return self.total
end

--- The snapshot will not be completed: it is what there is so far, of use for a report only.
---@return integer total
function Snapshot:cut_short()
	self.total = self.db:one("SELECT count(*) AS n FROM source").n
	self.nbad = self.db:one("SELECT count(*) AS n FROM bad").n
	return self.total
end

--- The numbers of the source's rows that are not synced, from 1, rising. After seal().
---@return integer[]
function Snapshot:bad()
	local list = {}
	for row in self.db:each "SELECT pos FROM bad ORDER BY pos" do list[#list + 1] = row.pos end
	return list
end

local GOOD = "(SELECT 1 FROM bad WHERE bad.pos = source.pos)"

--- The good contacts in byte order of the key, as pages of model rows. Before each page others get their turn: what goes
--- through all contacts may not meet another wait.
---@param page_rows integer?
---@return fun(): syncrun.Rows?
function Snapshot:pages(page_rows)
	local pages = self.db:scan_rows(("SELECT %s FROM source WHERE NOT EXISTS %s ORDER BY %s"):format(
		sql.list(self.columns), GOOD, self.key), self.schema, page_rows or PAGE_ROWS)
	return function()
		task.sleep(0)
		return pages()
	end
end

--- Whether the snapshot has this contact.
---@param key string
---@return boolean
function Snapshot:has(key)
	return self.db:one(("SELECT 1 AS one FROM source WHERE %s = ? LIMIT 1"):format(self.key), key) ~= nil
end

--- How many of the source's rows have no key, null or empty.
---@return integer
function Snapshot:nameless()
	return self.db:one(("SELECT count(*) AS n FROM source WHERE coalesce(%s, '') = ''"):format(self.key)).n
end

--- The position of a contact by its key.
---@param key string
---@return integer
function Snapshot:position(key)
	return self.db:one(("SELECT pos FROM source WHERE %s = ?"):format(self.key), key).pos
end

local kept = values.kept
local LONG, LONG_MAX = 300, 1000 -- bytes of a reason that is kept once; how many such
local IN_FULL = "… (in full where it came first)"

-- What a server says of a contact it may say of each: a long reason is kept in full once, else its beginning.
local function brief(self, finding)
	local reason = finding.reason
	if #reason <= LONG or finding.phase ~= "sync" then return reason end
	if not self.long[reason] and self.nlong < LONG_MAX then
		self.long[reason], self.nlong = true, self.nlong + 1
		return reason
	end
	return reason:sub(1, utf8.offset(reason, 0, LONG) - 1) .. IN_FULL
end

--- Record what was found about a contact.
---@param finding table pos or key; system, phase, kind, reason; field, actual, expected, stored, state where there are any
function Snapshot:note(finding)
	self.db:run([[INSERT INTO finding (pos, system, phase, kind, field, actual, expected, stored, reason, state)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)]], finding.pos or self:position(finding.key), finding.system, finding.phase,
		finding.kind, finding.field, kept(finding.actual), kept(finding.expected), kept(finding.stored), brief(self, finding),
		finding.state)
end

--- A system was lost: that is wrong with every good contact.
---@param label string
---@param phase "sync"|"validate"
---@param reason string
function Snapshot:note_lost(label, phase, reason)
	self.db:run("INSERT INTO lost VALUES (?, ?, ?)", label, phase, reason)
end

--- What is wrong with every good contact, as the systems were lost.
---@param phase "sync"|"validate"
---@return { system: string, reason: string }[]
function Snapshot:lost(phase)
	return self.db:query("SELECT system, reason FROM lost WHERE phase = ? ORDER BY system, rowid", phase)
end

--- A contact that is not synced at all: no system could be given what the mapping made of it, or a value is missing that
--- is required. Before seal().
---@param pos integer
---@param reason string
function Snapshot:reject(pos, reason)
	self.db:run("INSERT OR IGNORE INTO bad VALUES (?, ?)", pos, reason)
end

--- Record what became of a value that is not exact.
---@param f table pos or key; system, field, fate, note, stored, reason
function Snapshot:note_fate(f)
	self.db:run("INSERT INTO fate VALUES (?, ?, ?, ?, ?, ?, ?)", f.pos or self:position(f.key), f.system, f.field, f.fate,
		f.note, kept(f.stored), f.reason)
end

--- Record what a system holds in a field that the source does not rule.
---@param o table key, system, field, own, expected, actual, editor
function Snapshot:note_owned(o)
	self.db:run("INSERT INTO owned VALUES (?, ?, ?, ?, ?, ?, ?)", self:position(o.key), o.system, o.field, o.own,
		kept(o.expected), kept(o.actual), kept(o.editor))
end

--- Forget what a former pass noted of a system's values.
---@param system string
function Snapshot:forget_values(system)
	self.db:run("DELETE FROM fate WHERE system = ?", system)
	self.db:run("DELETE FROM owned WHERE system = ?", system)
end

--- A contact of which a value is lost in a system is not validated there, even where nothing else is wrong with it.
---@param system string
function Snapshot:find_lost(system)
	self.db:run([[INSERT INTO finding (pos, system, phase, kind, field, stored, reason, state)
		SELECT pos, system, 'validate', 'lost', field, stored, reason, 'mismatched' FROM fate WHERE system = ? AND fate = 'lost'
		AND NOT EXISTS (SELECT 1 FROM finding WHERE finding.pos = fate.pos AND finding.system = fate.system
		AND phase = 'validate')]], system)
end

--- Forget what a former pass judged about a system: it is read again, or with `writes` also written to again.
---@param system string
---@param writes boolean?
function Snapshot:forget(system, writes)
	self.db:run("DELETE FROM finding WHERE system = ? AND (phase <> 'sync' OR ?)", system, writes or false)
	self.db:run("DELETE FROM lost WHERE system = ? AND (phase <> 'sync' OR ?)", system, writes or false)
	self.db:run("DELETE FROM extra WHERE system = ?", system)
end

-- ---- a second look

local SUSPECT = "phase = 'validate' AND kind IN ('missing', 'mismatched', 'repeated')"
local VERDICTS = rows.schema { { "key", "text" }, { "state", "text" } }

local function places(keys)
	return ("?,"):rep(#keys):sub(1, -2)
end

--- The keys of contacts that a system seems to lack or hold otherwise, in order, at most so many.
---@param system string
---@param limit integer
---@return string[]
function Snapshot:suspects(system, limit)
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
function Snapshot:forget_suspects(system, keys)
	self.db:run(([[DELETE FROM finding WHERE system = ? AND %s
		AND pos IN (SELECT pos FROM source WHERE %s IN (%s))]]):format(SUSPECT, self.key, places(keys)), system,
		table.unpack(keys))
end

--- Some of the good contacts, as pages of model rows.
---@param keys string[]
---@return fun(): syncrun.Rows?
function Snapshot:pages_of(keys)
	return self.db:scan_rows(("SELECT %s FROM source WHERE %s IN (%s) AND NOT EXISTS %s ORDER BY %s"):format(
		sql.list(self.columns), self.key, places(keys), GOOD, self.key), self.schema, PAGE_ROWS, table.unpack(keys))
end

--- Add a remark to what validation found about a contact.
---@param key string
---@param remark string
function Snapshot:remark(key, remark)
	self.db:run(([[UPDATE finding SET reason = reason || ? WHERE phase = 'validate' AND system <> ?
		AND pos IN (SELECT pos FROM source WHERE %s = ?)]]):format(self.key), remark, self.label, key)
end

--- The contacts that are not verified in a system, as pages of key and state; those that are synced nowhere too.
---@param label string of the system
---@return fun(): syncrun.Rows?
function Snapshot:wrong(label)
	return self.db:scan_rows(([[SELECT %s, CASE WHEN max(state = 'rejected') THEN 'rejected'
		WHEN max(state = 'missing') THEN 'missing' ELSE 'mismatched' END
		FROM finding JOIN source USING (pos) WHERE system = ?1 AND state IS NOT NULL GROUP BY pos
		UNION ALL SELECT DISTINCT %s, 'rejected' FROM source JOIN bad USING (pos) WHERE %s <> '']]):format(self.key, self.key,
		self.key), VERDICTS, PAGE_ROWS, label)
end

-- ---- what it comes to

--- How many contacts something was found about.
---@param phase "sync"|"validate"
---@return integer
function Snapshot:contacts(phase)
	return self.db:one("SELECT count(DISTINCT pos) AS n FROM finding WHERE phase = ?", phase).n
end

--- How many contacts are not as they should be in some system: something is wrong with them, or they are deleted and left so.
---@return integer
function Snapshot:unvalidated()
	return self.db:one("SELECT count(DISTINCT pos) AS n FROM finding WHERE phase = 'validate' OR kind = 'deleted'").n
end

--- How many contacts are deleted in a system, and left so: in all of them together, and a row {system=, n=} each.
---@return integer, { system: string, n: integer }[]
function Snapshot:deleted()
	local n = self.db:one "SELECT count(DISTINCT pos) AS n FROM finding WHERE kind = 'deleted'".n
	return n, self.db:query [[SELECT system, count(DISTINCT pos) AS n FROM finding WHERE kind = 'deleted'
		GROUP BY system ORDER BY system]]
end

--- How many contacts the systems have that the source has not.
---@return integer
function Snapshot:extras()
	return self.db:one "SELECT count(*) AS n FROM extra".n
end

--- How many rows without a key a system has.
---@param label string
---@return integer
function Snapshot:extras_without_key(label)
	return self.db:one("SELECT count(*) AS n FROM extra WHERE system = ? AND k = ''", label).n
end

--- A contact's value of one field, as text.
---@param key string
---@param field string
---@return boolean known, string? value
function Snapshot:value(key, field)
	local row = self.db:one(("SELECT %s AS v FROM source WHERE %s = ?"):format(sql.name(field), self.key), key)
	return row ~= nil, row and row.v
end

--- The largest whole number in a field.
---@param field string
---@return integer?
function Snapshot:largest(field)
	return self.db:one(("SELECT max(CAST(%s AS INTEGER)) AS n FROM source"):format(sql.name(field))).n
end

-- ---- systems that cannot deliver key order

-- A new table for a system's rows. A former one stays until the end: it cannot be dropped while other systems read
-- through this handle.
local function fresh_table(self, name, schema)
	local columns = {}
	for i, column in ipairs(schema:names()) do columns[i] = { name = column } end
	self.ntables = (self.ntables or 0) + 1
	local gone = self.gone_of[name]
	local t = {
		schema = schema, columns = columns, gone = gone and schema:index(gone) and gone or nil,
		name = sql.name(("of_%s_%d"):format(name, self.ntables)),
		index = sql.name(("key_of_%s_%d"):format(name, self.ntables)), key = sql.name(columns[1].name),
	}
	self.db:exec(("CREATE TABLE %s (%s)"):format(t.name, sql.list(columns)))
	t.insert = ("INSERT INTO %s (%s) VALUES (%s)"):format(t.name, sql.list(columns), ("?, "):rep(#columns):sub(1, -3))
	self.held[name] = t
	return t
end

-- The SQL condition that a row is, or with `want` false is not, a tombstone.
local function gone_clause(t, want)
	if not t.gone then return want and "0" or "1" end
	return sql.name(t.gone) .. (want and " IS NOT NULL" or " IS NULL")
end

local function count_gone(self, t)
	t.ngone = self.db:one(("SELECT count(*) AS n FROM %s WHERE %s"):format(t.name, gone_clause(t, true))).n
end

--- Take in all pages of a system, to be read back in key order.
---@param system syncrun.System
---@param next_page fun(): syncrun.Rows?
function Snapshot:take(system, next_page)
	local name, t = system.name, nil
	self.gone_of[name] = system.gone
	for page in next_page do
		t = t or fresh_table(self, name, page:schema())
		self.db:insert_rows(t.insert, page, 1, #page, { raw = true })
	end
	self.held[name] = t
	if not t then return end
	self.db:exec(("CREATE INDEX %s ON %s (%s)"):format(t.index, t.name, t.key))
	count_gone(self, t)
end

--- The table of what was taken in of a system, for its own questions: quoted name and row schema; nil when it has nothing.
---@param name string of the system
---@return { name: string, schema: syncrun.Schema }?
function Snapshot:table_of(name)
	return self.held[name]
end

--- Add rows to what was taken in.
---@param name string of the system
---@param page syncrun.Rows
function Snapshot:append(name, page)
	local t = self.held[name] or fresh_table(self, name, page:schema())
	self.db:insert_rows(t.insert, page, 1, #page, { raw = true })
	count_gone(self, t)
end

--- The SQL condition that the source's good contacts hold a key.
---@param key string an SQL expression
---@return string
function Snapshot:in_source(key)
	return ("EXISTS (SELECT 1 FROM source WHERE source.%s = %s AND NOT EXISTS %s)"):format(self.key, key, GOOD)
end

--- What was taken in, in key order: rows with a key that are no tombstones.
---@param name string
---@return fun(): syncrun.Rows?
function Snapshot:taken(name)
	local t = self.held[name]
	if not t then return function() return nil end end
	return self.db:scan_rows(("SELECT %s FROM %s WHERE %s <> '' AND %s ORDER BY %s"):format(sql.list(t.columns), t.name,
		t.key, gone_clause(t, false), t.key), t.schema, PAGE_ROWS)
end

--- The tombstone of a key among what was taken in, as a page of one row, or nil.
---@param name string
---@param key string
---@return syncrun.Rows?
function Snapshot:tombstone(name, key)
	local t = self.held[name]
	if not t or t.ngone == 0 then return nil end
	return self.db:scan_rows(("SELECT %s FROM %s WHERE %s = ? AND %s LIMIT 1"):format(sql.list(t.columns), t.name, t.key,
		gone_clause(t, true)), t.schema, 1, key)()
end

--- A contact that a system has and the source has not.
---@param label string of the system
---@param key string
---@param ours boolean our ledger created it there
function Snapshot:note_extra(label, key, ours)
	self.db:run("INSERT INTO extra (system, k, ours) VALUES (?, ?, ?)", label, key, ours)
end

--- The extras of a system that our ledger created, in order.
---@param label string of the system
---@return fun(): string?
function Snapshot:our_extras(label)
	local next_row, last = self.db:each("SELECT DISTINCT k FROM extra WHERE system = ? AND ours ORDER BY k", label), nil
	return function()
		last = next_row and next_row()
		if not last then next_row = nil end
		return last and last.k
	end
end

--- A contact that somebody merged into another in a system, and that is made anew.
---@param label string of the system
---@param key string
---@param how string
function Snapshot:note_merged(label, key, how)
	self.db:run("INSERT INTO merged VALUES (?, ?, ?)", label, self:position(key), how)
end

--- A contact that was a tombstone in a system and is alive again.
---@param label string of the system
---@param key string
function Snapshot:note_revived(label, key)
	self.db:run("INSERT INTO revived VALUES (?, ?)", label, self:position(key))
end

--- Rows without a key among what was taken in (people made by hand): each is an extra.
---@param system syncrun.System
---@param label string as named in lines
function Snapshot:note_extras_without_key(system, label)
	local t, column = self.held[system.name], system.name_column
	if not t then return end
	local shown = column and t.schema:index(column) and ("substr(%s, 1, 200)"):format(sql.name(column)) or "NULL"
	self.db:run(("INSERT INTO extra (system, k, name) SELECT ?, '', %s FROM %s WHERE %s = '' AND %s"):format(shown, t.name,
		t.key, gone_clause(t, false)), label)
end

--- Close and delete.
function Snapshot:close()
	self.db:close()
	os.remove(self.path)
	os.remove(self.path .. "-journal")
end

return M

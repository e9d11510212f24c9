-- Datasets and tables of the sandbox's BigQuery and the SQLite tables that hold their rows. A table's columns are
-- c1..cn by position, untyped. Each write gives a table a new version, so that etag and lastModifiedTime change;
-- rows that a page token was given for are kept aside before the first write after it.

local crypto = require "syncrun.crypto"
local errors = require "sandbox.bigquery.errors"
local json = require "syncrun.json"
local time = require "syncrun.time"
local types = require "sandbox.bigquery.types"

local M = {}

local Tables = {}
Tables.__index = Tables

local SETUP = [[
CREATE TABLE IF NOT EXISTS sequence (n INTEGER NOT NULL);
INSERT INTO sequence SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM sequence);
CREATE TABLE IF NOT EXISTS datasets (
	project TEXT, dataset TEXT, location TEXT, created INTEGER, PRIMARY KEY (project, dataset));
CREATE TABLE IF NOT EXISTS tables (
	project TEXT, dataset TEXT, name TEXT, storage TEXT, schema TEXT, created INTEGER, modified INTEGER,
	version INTEGER, description TEXT, PRIMARY KEY (project, dataset, name));
CREATE TABLE IF NOT EXISTS snapshots (id TEXT, version INTEGER, storage TEXT, PRIMARY KEY (id, version));
PRAGMA case_sensitive_like = ON;
]]

local KEPT_SNAPSHOTS = 4

local function now_ms()
	return time.now() // 1000
end

---The catalog in an open database.
---@param db table
---@return table
function M.open(db)
	local self = setmetatable({ db = db, cache = {}, shared = {}, stats = {} }, Tables)
	db:exec(SETUP)
	for _, row in ipairs(db:query "SELECT id, storage FROM snapshots") do
		self.db:exec("DROP TABLE IF EXISTS " .. row.storage)
	end
	db:run "DELETE FROM snapshots"
	return self
end

---A new name for a SQLite table of rows.
---@param letter string what it holds: t table, r result, s snapshot
---@return string
function Tables:new_storage(letter)
	self.db:run "UPDATE sequence SET n = n + 1"
	return letter .. "_" .. self.db:one("SELECT n FROM sequence").n
end

---Create a SQLite table for rows of this schema.
---@param storage string
---@param schema table
function Tables:create_storage(storage, schema)
	local columns = {}
	for i, f in ipairs(schema) do
		columns[i] = "c" .. i .. (f.mode == "REQUIRED" and " NOT NULL" or "")
	end
	self.db:exec(("CREATE TABLE %s (%s)"):format(storage, table.concat(columns, ",")))
end

-- Datasets ---------------------------------------------------------------------------------------

---@return table|nil dataset {project=, dataset=, location=, created=}
function Tables:find_dataset(project, dataset)
	return self.db:one("SELECT * FROM datasets WHERE project = ? AND dataset = ?", project, dataset)
end

---Find a dataset or raise notFound; with a location, it has to be there.
function Tables:dataset(project, dataset, location)
	local d = self:find_dataset(project, dataset)
	if d and (not location or d.location:upper() == location:upper()) then
		return d
	end
	local where = location and " was not found in location " .. location or ""
	errors.raise("notFound", "Not found: Dataset %s:%s%s", project, dataset, where)
end

---All datasets of a project, by name.
function Tables:datasets(project)
	return self.db:query("SELECT * FROM datasets WHERE project = ? ORDER BY dataset", project)
end

---Create a dataset, or raise duplicate.
function Tables:add_dataset(project, dataset, location)
	if self:find_dataset(project, dataset) then
		errors.raise("duplicate", "Already Exists: Dataset %s:%s", project, dataset)
	end
	self.db:run("INSERT INTO datasets VALUES (?, ?, ?, ?)", project, dataset, location, now_ms())
	return self:find_dataset(project, dataset)
end

-- Tables -----------------------------------------------------------------------------------------

local function index_names(schema)
	local by_name = {}
	for i, f in ipairs(schema) do
		by_name[f.name:lower()] = i
	end
	return by_name
end

---The table, or nil.
---@return table|nil {id=, project=, dataset=, name=, storage=, schema=, by_name=, created=, modified=, version=}
function Tables:find(project, dataset, name)
	local id = ("%s:%s.%s"):format(project, dataset, name)
	if not self.cache[id] then
		local sql = "SELECT * FROM tables WHERE project = ? AND dataset = ? AND name = ?"
		local t = self.db:one(sql, project, dataset, name)
		if not t then
			return nil
		end
		t.id, t.schema = id, json.decode(t.schema)
		t.by_name = index_names(t.schema)
		self.cache[id] = t
	end
	return self.cache[id]
end

---The table, or the service's notFound; with a location, its dataset has to be there.
function Tables:get(project, dataset, name, location)
	local d = self:find_dataset(project, dataset)
	local elsewhere = d and location and d.location:upper() ~= location:upper()
	if not d or elsewhere then
		local where = location or "US"
		errors.raise("notFound", "Not found: Dataset %s:%s was not found in location %s", project, dataset, where)
	end
	local t = self:find(project, dataset, name)
	if not t then
		local m = "Not found: Table %s:%s.%s was not found in location %s"
		errors.raise("notFound", m, project, dataset, name, d.location)
	end
	t.location = d.location
	return t
end

---All tables of a dataset, by name.
function Tables:list(project, dataset)
	local sql = "SELECT name FROM tables WHERE project = ? AND dataset = ? ORDER BY name"
	local out = {}
	for i, row in ipairs(self.db:query(sql, project, dataset)) do
		out[i] = self:get(project, dataset, row.name)
	end
	return out
end

---Create an empty table over `storage` (made here unless it is given with its rows), or raise duplicate.
function Tables:add(project, dataset, name, schema, storage)
	self:dataset(project, dataset)
	if self:find(project, dataset, name) then
		errors.raise("duplicate", "Already Exists: Table %s:%s.%s", project, dataset, name)
	end
	if not storage then
		storage = self:new_storage "t"
		self:create_storage(storage, schema)
	end
	local now = now_ms()
	local sql = "INSERT INTO tables VALUES (?, ?, ?, ?, ?, ?, ?, 1, NULL)"
	self.db:run(sql, project, dataset, name, storage, json.encode(json.array(schema)), now, now)
	return self:get(project, dataset, name)
end

---Delete a table and its rows.
function Tables:remove(t)
	self.db:run("DELETE FROM tables WHERE project = ? AND dataset = ? AND name = ?", t.project, t.dataset, t.name)
	self.db:exec("DROP TABLE " .. t.storage)
	self.cache[t.id], self.stats[t.id], self.shared[t.id] = nil, nil, nil
end

---The etag of a table's present state.
function M.etag(t)
	return crypto.base64_encode(crypto.sha256(t.storage .. ":" .. t.version, "raw"):sub(1, 16))
end

-- Keep the present rows readable for tokens that were given for them.
local function keep_aside(self, t)
	local storage = self:new_storage "s"
	self:create_storage(storage, t.schema)
	local columns = {}
	for i in ipairs(t.schema) do
		columns[i] = "c" .. i
	end
	local list = table.concat(columns, ",")
	self.db:run(("INSERT INTO %s (rowid,%s) SELECT rowid,%s FROM %s"):format(storage, list, list, t.storage))
	self.db:run("INSERT INTO snapshots VALUES (?, ?, ?)", t.id, t.version, storage)
	local sql = "SELECT version, storage FROM snapshots WHERE id = ? ORDER BY version DESC LIMIT -1 OFFSET ?"
	for _, old in ipairs(self.db:query(sql, t.id, KEPT_SNAPSHOTS)) do
		self.db:exec("DROP TABLE " .. old.storage)
		self.db:run("DELETE FROM snapshots WHERE id = ? AND version = ?", t.id, old.version)
	end
end

---Run fn, which writes to the table's rows, in a transaction; returns its result. A result of 0 is no change.
function Tables:write(t, fn)
	local version, modified = t.version, t.modified
	local result = self.db:transaction(function()
		if self.shared[t.id] then
			keep_aside(self, t)
		end
		local n = fn()
		if n ~= 0 then
			t.version, t.modified = version + 1, math.max(now_ms(), modified + 1)
			local sql = "UPDATE tables SET version = ?, modified = ? WHERE project = ? AND dataset = ? AND name = ?"
			self.db:run(sql, t.version, t.modified, t.project, t.dataset, t.name)
		end
		return n
	end)
	if t.version ~= version then
		self.shared[t.id], self.stats[t.id] = nil, nil
	end
	return result
end

---A page token was given for the table as it stands.
function Tables:share(t)
	self.shared[t.id] = true
end

---The rows of a table at a version, for a page token: a storage name, or nil when they are gone.
function Tables:storage_at(t, version)
	if t.version == version then
		return t.storage
	end
	local row = self.db:one("SELECT storage FROM snapshots WHERE id = ? AND version = ?", t.id, version)
	return row and row.storage
end

---Rows and bytes of a table: {rows=, dense= (row numbers without gaps), bytes=, column= {bytes of each}}.
function Tables:measure(t)
	local known = self.stats[t.id]
	if not known then
		local columns = { "count(*) AS n", "ifnull(max(rowid), 0) AS last", "ifnull(min(rowid), 1) AS first" }
		for i, f in ipairs(t.schema) do
			columns[#columns + 1] = ("%s AS s%d"):format(types.size_sql(f, "c" .. i), i)
		end
		local row = self.db:one(("SELECT %s FROM %s"):format(table.concat(columns, ","), t.storage))
		known = { rows = row.n, dense = row.last == row.n and row.first == 1, bytes = 0, column = {} }
		for i in ipairs(t.schema) do
			known.column[i] = row["s" .. i]
			known.bytes = known.bytes + known.column[i]
		end
		self.stats[t.id] = known
	end
	return known
end

return M

--- What a run changed, so that it can be undone: `undo.db` in the run's folder, made with its first change. Of each contact in
--- each request it has how the system held it before, as it was read, and a digest of how the request leaves it. On the disk
--- before the request leaves. Forgetting takes a contact out of it, and the file goes with its run.
local file = require "syncrun.file"
local ours = require "syncrun.record.ours"
local rows = require "syncrun.rows"
local sqlite = require "syncrun.sqlite"

local M = {}

M.NAME = "undo.db"

--- The file, and those that SQLite keeps beside it while a run goes on.
M.FILES = { M.NAME, M.NAME .. "-wal", M.NAME .. "-shm" }

-- left: digest of what the request leaves, NULL: nobody. A shape is a set of columns in which rows were read; the rows are in
-- the table before_<shape>.
local TABLES = [[
CREATE TABLE IF NOT EXISTS change (system TEXT NOT NULL, key TEXT NOT NULL, attempt INTEGER NOT NULL, mode TEXT NOT NULL,
	left BLOB, shape INTEGER, PRIMARY KEY (system, key, attempt)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS shape (id INTEGER PRIMARY KEY, columns TEXT NOT NULL UNIQUE);
]]

---@class syncrun.Images
local Images = {}
Images.__index = Images

--- The images of a run that begins; there is no file before the first.
---@param folder string of the run
---@return syncrun.Images
function M.new(folder)
	return setmetatable({ path = folder .. "/" .. M.NAME }, Images)
end

local function open(path, mode)
	local db = sqlite.open(path, { mode = mode, wal = true, synchronous = "full" })
	if mode == "rwc" then db:exec(TABLES) end
	return db
end

--- The images that a run left; nil when it changed nothing, or they are gone.
---@param folder string of the run
---@param mode "ro"|"rw"
---@return syncrun.Images?
function M.of_run(folder, mode)
	local path = folder .. "/" .. M.NAME
	if file.kind(path) ~= "file" then return nil end
	return setmetatable({ path = path, db = open(path, mode) }, Images)
end

-- ---- keeping

local function quoted(name)
	return '"' .. name:gsub('"', '""') .. '"'
end

local function list_of(columns)
	local names = {}
	for i, column in ipairs(columns) do names[i] = quoted(column.name) end
	return table.concat(names, ", ")
end

local function columns_of(schema)
	local list = {}
	for i, name in ipairs(schema:names()) do list[i] = { name = name, type = schema:type(name) } end
	return list
end

-- Rows of other columns go into another table: a system may be read by key in more than by a scan.
local function shape_of(db, schema)
	local columns, words = columns_of(schema), {}
	for i, column in ipairs(columns) do words[i] = column.type .. " " .. column.name end
	local text = table.concat(words, "\n")
	local known = db:one("SELECT id FROM shape WHERE columns = ?", text)
	if known then return known.id, columns end
	db:run("INSERT INTO shape (columns) VALUES (?)", text)
	local id = db:last_insert_rowid()
	db:exec(("CREATE TABLE before_%d (attempt INTEGER NOT NULL, %s, PRIMARY KEY (%s, attempt))"):format(id,
		list_of(columns), quoted(columns[1].name)))
	return id, columns
end

local function literal(text)
	return "'" .. text:gsub("'", "''") .. "'"
end

local function keep_rows(db, attempt, before)
	local shape, columns = shape_of(db, before:schema())
	local insert = ("INSERT OR IGNORE INTO before_%d (attempt, %s) VALUES (%d, %s)"):format(shape, list_of(columns),
		attempt, ("?, "):rep(#columns):sub(1, -3))
	db:insert_rows(insert, before, 1, #before, { raw = true })
	return shape
end

---@class syncrun.ImageBatch contacts of one request
---@field system string its name
---@field attempt integer
---@field mode "create"|"update"|"delete"
---@field before syncrun.Rows? as they were read; nil: nobody was there
---@field left syncrun.Rows? as the request leaves them; nil: nobody
---@field key string the key's column in both

local function keep_change(db, batch)
	local shape = batch.before and keep_rows(db, batch.attempt, batch.before)
	local insert = ("INSERT OR IGNORE INTO change (system, key, attempt, mode, left, shape) SELECT %s, ?1, %d, %s, %s, %s")
		:format(literal(batch.system), batch.attempt, literal(batch.mode), batch.left and "?2" or "nullif(?2, ?2)",
			shape or "NULL")
	db:insert_rows(insert, rows.digests(batch.left or batch.before, batch.key))
end

--- Keep what a request is going to change. On the disk when this returns.
---@param batch syncrun.ImageBatch
function Images:keep(batch)
	ours(function()
		self.db = self.db or open(self.path, "rwc")
		self.db:transaction(keep_change, batch)
		return true
	end)
end

-- ---- asking

--- How many contacts were created, updated and deleted in each system.
---@return { system: string, mode: string, n: integer }[]
function Images:counts()
	return self.db:query [[SELECT system, mode, count(*) AS n FROM (SELECT system, key, mode, min(attempt) FROM change
		GROUP BY system, key) GROUP BY system, mode ORDER BY system, mode]]
end

-- The first change of a contact tells what was before, the last one what was left.
local CHANGES = [[SELECT key, min(attempt) AS first, mode, shape FROM change WHERE system = ?1 AND key > ?2 GROUP BY key
	ORDER BY key LIMIT ?3]]

---@class syncrun.ImageChange
---@field key string
---@field first integer the attempt that changed it first
---@field mode "create"|"update"|"delete" of that
---@field shape integer? where its row before is

--- The contacts that were changed in a system, in order, so many at a time.
---@param system string
---@param size integer
---@return fun(): syncrun.ImageChange[]?
function Images:batches(system, size)
	local from = ""
	return function()
		local list = self.db:query(CHANGES, system, from, size)
		if #list == 0 then return nil end
		from = list[#list].key
		return list
	end
end

--- The digests of what the requests of a contact leave, each as the mode and 16 raw bytes; "" for nobody.
---@param system string
---@param key string
---@return { mode: string, left: string }[]
function Images:left(system, key)
	return self.db:query([[SELECT mode, coalesce(left, '') AS left FROM change WHERE system = ? AND key = ?
		ORDER BY attempt]], system, key)
end

local function schema_of(text)
	local columns = {}
	for kind, name in (text .. "\n"):gmatch "(%S+) ([^\n]*)\n" do columns[#columns + 1] = { name, kind } end
	return rows.schema(columns)
end

--- The rows of some contacts as they were before, as a page for each set of columns.
---@param changes syncrun.ImageChange[]
---@return syncrun.Rows[]
function Images:before(changes)
	local by_shape, pages = {}, {}
	for _, change in ipairs(changes) do
		if change.shape then
			local list = by_shape[change.shape] or {}
			by_shape[change.shape], list[#list + 1] = list, change
		end
	end
	for shape, list in pairs(by_shape) do
		local schema = schema_of(self.db:one("SELECT columns FROM shape WHERE id = ?", shape).columns)
		local columns, keys = columns_of(schema), {}
		for i, change in ipairs(list) do keys[2 * i - 1], keys[2 * i] = change.key, change.first end
		local text = ("SELECT %s FROM before_%d WHERE (%s, attempt) IN (VALUES %s) ORDER BY 1"):format(list_of(columns),
			shape, quoted(columns[1].name), ("(?,?),"):rep(#list):sub(1, -2))
		for page in self.db:scan_rows(text, schema, #list, table.unpack(keys)) do pages[#pages + 1] = page end
	end
	return pages
end

-- ---- taking out

--- Forget a contact. Returns how many of its changes were kept.
---@param key string
---@return integer
function Images:forget(key)
	local n = self.db:run("DELETE FROM change WHERE key = ?", key)
	for _, shape in ipairs(self.db:query "SELECT id, columns FROM shape") do
		local name = quoted(shape.columns:match "^%S+ ([^\n]*)")
		n = n + self.db:run(("DELETE FROM before_%d WHERE %s = ?"):format(shape.id, name), key)
	end
	if n > 0 then self.db:exec "VACUUM; PRAGMA wal_checkpoint(TRUNCATE);" end
	return n
end

--- Close it. Legal twice.
function Images:close()
	if self.db then self.db:close() end
	self.db = nil
end

Images.__close = Images.close

--- Images that are not kept.
---@return syncrun.Images
function M.none()
	return setmetatable({ keep = function() end }, Images)
end

return M

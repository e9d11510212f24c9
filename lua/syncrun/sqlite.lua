--- SQLite files and memory databases. A lock held by someone else is waited for, up to busy_timeout, while other tasks
--- run on; after five seconds the log says so.
---
--- One handle may serve several tasks: their statements run one after the other, and while one task is inside
--- `transaction`, the others wait until it has ended. A running `each` or `scan_rows` is not part of that: to read the
--- same file apart from another task's transaction, open a second handle.
local c = require "_syncrun.sqlite"
local call_of = require "syncrun.call"
local err = require "syncrun.err"
local log = require "syncrun.log"
local task = require "syncrun.task"
local time = require "syncrun.time"

local M = {}

local FIRST_DELAY, LONGEST_DELAY = 0.001, 0.1 -- seconds between two tries to get a lock
local PATIENCE = 60 -- seconds that a lock is waited for: a person's other program may hold it for a while
local SILENT = 5    -- seconds of them without a word

---@class syncrun.Sqlite a handle; closed by `close`, at the end of its scope when declared <close>, or when collected
local Db = {}
Db.__index = Db

---@class syncrun.SqliteOptions
---@field mode "rwc"|"rw"|"ro"|"memory"? read, write, create (the default); without creating; without writing; no file
---@field wal boolean? switch the file to write-ahead logging, so that readers and a writer do not wait for each other
---@field busy_timeout number? seconds to wait for locks of other processes, handles and tasks (60)
---@field synchronous "normal"|"off"|"full"? what is flushed when: normal may lose the last commits with the power

local OPTIONS = { types = { "table" }, fields = {
	mode = { types = { "text" }, one_of = { "rwc", "rw", "ro", "memory" } }, wal = { types = { "boolean" } },
	busy_timeout = { types = { "number" }, min = 0 },
	synchronous = { types = { "text" }, one_of = { "normal", "off", "full" } },
} }
local FOR_INSERT = { types = { "table" }, fields = { raw = { types = { "boolean" } } } }

-- Sleep before the next try, or raise e when the patience is over. wait: since, delay, said.
local function pause(of, e, wait)
	local waited = time.mono() - wait.since
	if waited >= of.timeout then
		err.raise {
			kind = e.kind, code = e.code, retryable = true, limited = true,
			message = ("%s (waited %g s)"):format(e.message, of.timeout),
		}
	end
	if waited >= SILENT and not wait.said then
		wait.said = true
		log.warn("waiting for '%s', which another program or handle has locked; at most %g s", of.path, of.timeout)
	end
	task.sleep(math.min(wait.delay, of.timeout - waited))
	wait.delay = math.min(wait.delay * 2, LONGEST_DELAY)
end

-- f(...), again and again while it fails retryably; of: the path and timeout. `before` is called before each try.
local function persist(of, before, subject, f, ...)
	local wait
	while true do
		if before then before(subject) end
		local ok, value = pcall(f, ...)
		if ok then
			if wait and wait.said then log.info("'%s' is free again", of.path) end
			return value
		end
		if not (err.is(value) and value.retryable) then error(value, 0) end
		wait = wait or { since = time.mono(), delay = FIRST_DELAY, said = false }
		pause(of, value, wait)
	end
end

-- The lock of a handle, held by the task that is inside a transaction. `users` hold it or wait for it.
local function acquire(state)
	state.users = state.users + 1
	if state.users == 1 then
		state.lock:acquire() -- free: does not wait
		return
	end
	local ok, e = pcall(task.timeout, state.timeout, state.lock.acquire, state.lock)
	if ok then return end
	state.users = state.users - 1
	if err.is(e) and e.kind == "timeout" then
		err.raise {
			kind = "sqlite", code = "SQLITE_BUSY", retryable = true,
			message = ("'%s' is inside a transaction of another task (waited %g s); use the handle that the "
				.. "transaction's function is given, or open a second one"):format(state.path, state.timeout),
		}
	end
	error(e, 0)
end

local function release(state)
	state.users = state.users - 1
	state.lock:release()
end

-- Whether this handle acts inside the present transaction: it was given to its function, or its task runs.
local function owns(db)
	local owner = db.state.owner
	return db.inside or (owner ~= nil and owner == c.task())
end

-- Wait until no other task is inside a transaction. What is done next without waiting cannot get between its
-- statements.
local function wait_turn(db)
	local state = db.state
	if state.owner and not owns(db) then
		acquire(state)
		release(state)
	end
end

local function call(db, f, ...)
	return persist(db.state, wait_turn, db, f, ...)
end

--- Open a database file, or a database in memory. A new file gets mode 0600, and so do its journals.
---@param path string? the file; a name for messages in mode "memory"
---@param options syncrun.SqliteOptions?
---@return syncrun.Sqlite
function M.open(path, options)
	options = call_of.options("sqlite.open", options, OPTIONS)
	local mode = path == ":memory:" and "memory" or options.mode
	local state = {
		path = path or ":memory:", timeout = options.busy_timeout or PATIENCE, lock = task.mutex(), users = 0, depth = 0,
		begin = mode == "ro" and "BEGIN" or "BEGIN IMMEDIATE",
	}
	state.handle = persist(state, nil, nil, c.open, path or (mode == "memory" and ":memory:") or nil, mode,
		options.wal ~= false, options.synchronous)
	return setmetatable({ state = state, inside = false }, Db)
end

--- A string that is stored as BLOB instead of TEXT, as a statement's parameter.
---@param bytes string
---@return table
function M.blob(bytes)
	return c.blob(bytes)
end

--- Close the handle. Legal at any time and twice; a running transaction is rolled back, running iterators fail.
function Db:close()
	c.close(self.state.handle)
end

Db.__close = Db.close

function Db:__tostring()
	return ("sqlite database '%s'"):format(self.state.path)
end

--- Run any number of statements, their rows ignored.
---@param sql string
function Db:exec(sql)
	call_of.sql(sql)
	local at = 0
	repeat
		at = call(self, c.exec, self.state.handle, sql, at)
	until not at
end

--- Run one statement. Parameters: nil and json.null are NULL, booleans 0 and 1, strings TEXT, sqlite.blob(s) BLOB.
---@param sql string
---@return integer changes rows that it inserted, updated or deleted itself
function Db:run(sql, ...)
	return call(self, c.run, self.state.handle, call_of.sql(sql), ...)
end

-- What a list of rows says of itself beside them.
local Result = { __index = function(list, name) return name == "n" and #list or nil end }

--- All rows of one statement, each a table by column names; NULL is absent.
---@param sql string
---@return { [integer]: table, n: integer } n: rows
function Db:query(sql, ...)
	return setmetatable(call(self, c.query, self.state.handle, call_of.sql(sql), ...), Result)
end

--- The first row of one statement, or nil.
---@param sql string
---@return table?
function Db:one(sql, ...)
	return call(self, c.one, self.state.handle, call_of.sql(sql), ...)
end

--- The rowid of the last row that this handle inserted.
---@return integer
function Db:last_insert_rowid()
	return c.last_rowid(self.state.handle)
end

--- Whether the handle is inside a transaction, whoever began it.
---@return boolean
function Db:in_transaction()
	return c.in_transaction(self.state.handle)
end

---@class syncrun.SqliteIterator call it for the next value; nil at the end
local Iterator = {}
Iterator.__index = Iterator

-- Only the first step, which begins the reading, waits for other tasks' transactions: one that waits for this loop
-- would otherwise wait for ever.
function Iterator:__call()
	local db = self.db
	local before = not self.begun and wait_turn or nil
	local value = persist(db.state, before, db, c.next, self.cursor)
	self.begun = true
	return value
end

--- Give the statement back before the end. A `for` loop that is left does so by itself.
function Iterator:close()
	c.close_cursor(self.cursor)
end

Iterator.__close = Iterator.close

local function iterate(db, cursor)
	local iterator = setmetatable({ db = db, cursor = cursor, begun = false }, Iterator)
	return iterator, nil, nil, iterator
end

--- The rows of one statement, one by one: `for row in db:each(sql, ...)`. Other statements may run meanwhile.
---@param sql string
---@return syncrun.SqliteIterator
function Db:each(sql, ...)
	return iterate(self, call(self, c.each, self.state.handle, call_of.sql(sql), ...))
end

--- The rows of one statement as pages of the record plane: `for page in db:scan_rows(sql, schema, 1000, ...)`. The
--- statement's columns fill the schema's by position, each value in its text form; a bool column takes 0 and 1; a BLOB
--- where the schema has another type than bytes is spelled X'…'.
---@param sql string
---@param schema syncrun.Schema
---@param page_rows integer rows in a page
---@return syncrun.SqliteIterator
function Db:scan_rows(sql, schema, page_rows, ...)
	return iterate(self, call(self, c.scan, self.state.handle, call_of.sql(sql), schema, page_rows, ...))
end

-- ---- transactions

-- Undo what was not finished; never raises, for another error is on its way.
local function undo(state, ...)
	local ok, open = pcall(c.in_transaction, state.handle)
	if not ok or not open then return end -- closed, or SQLite rolled back by itself
	for _, sql in ipairs { ... } do
		local done, e = pcall(c.run, state.handle, sql)
		if not done then log.error("%s", tostring(e)) end
	end
end

-- Ends a transaction however its function is left: by return, error, cancellation, or a coroutine that is closed.
local Guard = {}

function Guard:__close()
	local state = self.state
	if self.open then undo(state, "ROLLBACK") end
	self.view.inside = false
	state.owner = nil
	release(state)
end

local SavepointGuard = {}

function SavepointGuard:__close()
	if self.open then undo(self.state, "ROLLBACK TO " .. self.name, "RELEASE " .. self.name) end
	self.state.depth = self.state.depth - 1
end

local function savepoint(db, fn, ...)
	local state = db.state
	state.depth = state.depth + 1
	local name = "syncrun_" .. state.depth
	local guard <close> = setmetatable({ state = state, name = name, open = false }, SavepointGuard)
	call(db, c.run, state.handle, "SAVEPOINT " .. name)
	guard.open = true
	local results = table.pack(fn(db, ...))
	call(db, c.run, state.handle, "RELEASE " .. name)
	guard.open = false
	return table.unpack(results, 1, results.n)
end

--- Run fn(db, ...) inside a transaction that is committed when it returns and rolled back when it raises or its task is
--- cancelled. Inside another transaction of the same task, or on the handle given to fn, it is a savepoint. Tasks that
--- fn starts must use the handle given to it.
---@param fn fun(db: syncrun.Sqlite, ...): any
---@return any what fn returned
function Db:transaction(fn, ...)
	local state = self.state
	if owns(self) or (not state.owner and c.in_transaction(state.handle)) then return savepoint(self, fn, ...) end
	acquire(state)
	local view = setmetatable({ state = state, inside = true }, Db)
	local guard <close> = setmetatable({ state = state, view = view, open = false }, Guard)
	state.owner = c.task()
	call(view, c.run, state.handle, state.begin)
	guard.open = true
	local results = table.pack(fn(view, ...))
	call(view, c.run, state.handle, "COMMIT")
	guard.open = false
	return table.unpack(results, 1, results.n)
end

--- Run one statement for each row of a page, its parameters being the row's cells in the schema's order; all or none.
--- int64 and timestamp are bound as INTEGER, bool as 0 or 1, float64 as REAL, bytes as BLOB, the others as TEXT; with
--- raw = true all as TEXT but bytes.
---@param sql string
---@param rows syncrun.Rows
---@param from integer? first row, from 1
---@param to integer? last row, included
---@param options { raw: boolean? }?
---@return integer changes
function Db:insert_rows(sql, rows, from, to, options)
	if type(from) == "table" then from, options = nil, from end
	if type(to) == "table" then to, options = nil, to end
	options = call_of.options("insert_rows", options, FOR_INSERT)
	return self:transaction(function(db)
		return call(db, c.insert, db.state.handle, sql, rows, from, to, options.raw)
	end)
end

return M

--- Postgres: queries, streams, transactions, pipelines, COPY, and pages of rows in binary form. Nothing blocks.
--- One connection does one thing at a time: other tasks wait for their turn. A connection that is lost, timed out or
--- given up in the middle is closed at once; using it then raises kind "postgres", code "closed".
local c = require "_syncrun.postgres"
local call = require "syncrun.call"
local err = require "syncrun.err"
local task = require "syncrun.task"
local wait = require "syncrun.postgres_wait"

local M = {}

local ROLLBACK_TIMEOUT = 10

---@class syncrun.postgres.Options
---@field timeout number? seconds to connect in (10)
---@field query_timeout number? seconds for each wait on the server; none unless given
---@field name string? what messages call this server ("postgres")
---@field insecure boolean? to another machine without TLS too, where the server has none; else sslmode "prefer" and "allow"
---  become "require" there (sslmode=disable is taken at its word)
---@field lock_wait number? seconds that a lock of somebody else is waited for (60); after five the log says who holds it
---@field stall_wait number? seconds of silence after which a connection is lost for which the server does nothing (60)
---@field application_name string? as the server's pg_stat_activity shows it, unless the URI has one ("syncrun")

local TEXT, SECONDS = { "text" }, { types = { "number" }, min = 0 }
local OPTIONS = { types = { "table" }, fields = {
	insecure = { types = { "boolean" } },
	timeout = SECONDS, query_timeout = SECONDS, lock_wait = SECONDS, stall_wait = SECONDS,
	name = { types = TEXT }, application_name = { types = TEXT },
} }
local FOR_ONE = { types = { "table" }, fields = { timeout = SECONDS } }

---@class syncrun.postgres.Result
---@field n integer rows; [i].column is a value: integer, boolean, number, or the server's text; NULL is absent
---@field affected integer rows that the statement touched
---@field command string first word of the command tag, as "INSERT"
---@field columns { name: string, type: string, oid: integer }[]

---@class syncrun.postgres.Connection
---@field name string
local Connection = {}
Connection.__index = Connection

function Connection:__tostring()
	return ("connection to '%s' (%s)"):format(self.name, self.conn:status())
end

-- Take the connection's turn; given back by the guard's __close or release.
local function enter(self)
	if self.over then err.raisef("usage", "the transaction on '%s' has ended; use the connection itself", self.name) end
	local me = coroutine.running()
	if self.owner and self.owner == me then
		err.raisef("usage", "connection '%s' is in use by this same task (%s); use %s", self.name, self.doing,
			self.doing == "a transaction" and "the handle that the transaction's function was given"
			or "another connection, or finish that first")
	end
	self.gate:acquire()
	self.owner, self.doing = me, "a query"
	return self.guard
end

local function leave(self)
	self.owner = nil
	self.conn:rest()
	self.gate:release()
end

local function handle(conn, name, timeout, level)
	local self = setmetatable({ conn = conn, name = name, query_timeout = timeout, level = level, gate = task.mutex() },
		Connection)
	self.guard = setmetatable({}, { __close = function() leave(self) end })
	return self
end

--- Connect.
---@param uri string postgresql://user:password@host:port/database, or a libpq keyword string; the password is a secret
---@param options syncrun.postgres.Options?
---@return syncrun.postgres.Connection
function M.connect(uri, options)
	call.check("postgres.connect", "the URI", uri, TEXT)
	local o = call.options("postgres.connect", options, OPTIONS)
	local name = o.name or "postgres"
	local conn = wait.connect(uri, { name = name, application_name = o.application_name or "syncrun",
		timeout = o.timeout or 10, insecure = o.insecure, lock_wait = o.lock_wait, stall_wait = o.stall_wait })
	return handle(conn, name, o.query_timeout, 0)
end

--- What a URI or keyword string says, without connecting; every password in it is a secret from now on. Raises kind
--- config, code "uri", when libpq cannot read it.
---@param uri string
---@param name string? what the message calls the server
---@return { where: string, user: string, schema: string? } where: "db.example.com:5432, database 'postgres'"; schema: of
--- Prisma's ?schema=…
function M.describe(uri, name)
	local where, user, schema = c.describe(uri, name or "postgres")
	return { where = where, user = user, schema = schema ~= "" and schema or nil }
end

--- Is this text meant for libpq (postgresql://…, or "host=… dbname=…"), and no path?
---@param text string
---@return boolean
function M.is_uri(text)
	return c.is_meant(text)
end

--- A parameter of type bytea.
---@param s string
function M.bytes(s)
	return c.bytes(s)
end

--- A parameter of type text[]. Elements are strings; json.null, or nil when list.n is given, is NULL.
---@param list string[]
function M.text_array(list)
	return c.text_array(list)
end

--- Run one statement with parameters $1..$n (nil or json.null, boolean, number, string, postgres.bytes, text_array).
---@param sql string
---@return syncrun.postgres.Result
function Connection:query(sql, ...)
	local _ <close> = enter(self)
	return self.conn:query(self.query_timeout, call.sql(sql), ...)
end

--- The first row of one statement, or nil.
---@param sql string
---@return table?
function Connection:one(sql, ...)
	return self:query(sql, ...)[1]
end

--- Run one statement.
---@param sql string
---@return integer changes rows that it inserted, updated or deleted
function Connection:run(sql, ...)
	local result = self:query(sql, ...)
	return result.command == "SELECT" and 0 or math.max(0, result.affected)
end

--- As query, with options for this one statement.
---@param options { timeout: number? }
---@param sql string
---@return syncrun.postgres.Result
function Connection:query_with(options, sql, ...)
	options = call.options("query_with", options, FOR_ONE)
	local _ <close> = enter(self)
	return self.conn:query(options.timeout or self.query_timeout, call.sql(sql), ...)
end

--- Run a text of several statements without parameters, in one implicit transaction. The last one's result.
---@param sql string
---@return syncrun.postgres.Result
function Connection:exec(sql)
	local _ <close> = enter(self)
	return self.conn:script(self.query_timeout, call.sql(sql))
end

--- Send all statements at once, one round trip; one implicit transaction unless one is open. The first error undoes
--- all and is raised; its message says which statement it was.
---@param statements any[][] {{sql, ...}, ...}; with nil parameters give n, as table.pack does
---@return syncrun.postgres.Result[]
function Connection:pipeline(statements)
	local _ <close> = enter(self)
	return self.conn:pipeline(self.query_timeout, statements)
end

-- An iterator over next(), which reads a stream that was begun under the connection's turn. Leaving the loop early
-- reads and drops the rest; an iterator that is dropped unfinished closes the connection.
local function stream(self, doing, next)
	local closer = { open = true }
	self.doing = doing
	local function finish()
		closer.open = false
		leave(self)
	end
	setmetatable(closer, {
		__close = function()
			if not closer.open then return end
			if not pcall(self.conn.skip, self.conn, self.query_timeout) then self.conn:close() end
			finish()
		end,
		__gc = function()
			if not closer.open then return end
			self.conn:close()
			finish()
		end,
	})
	local function step()
		if not closer.open then return nil end
		local ok, value = pcall(next)
		if not ok or value == nil then finish() end
		if not ok then error(value, 0) end
		return value
	end
	return step, nil, nil, closer
end

-- Begin something under the turn; when that fails the turn is given back.
local function begin(self, fn, ...)
	enter(self)
	local ok, e = pcall(fn, ...)
	if not ok then
		leave(self)
		error(e, 0)
	end
end

--- Iterate over rows as they come, however many. Leaving the loop early reads and drops the rest.
---@param sql string
---@return fun(): table?
function Connection:each(sql, ...)
	local conn, timeout = self.conn, self.query_timeout
	begin(self, conn.stream, conn, call.sql(sql), ...)
	return stream(self, "each", function() return conn:next_row(timeout) end)
end

local function roll_back(conn, sql)
	if conn:status() ~= "idle" or not pcall(conn.query, conn, ROLLBACK_TIMEOUT, sql) then conn:close() end
end

local verbs = {
	outer = { begin = "BEGIN", commit = "COMMIT", rollback = "ROLLBACK" },
	inner = {
		begin = "SAVEPOINT syncrun_%d", commit = "RELEASE SAVEPOINT syncrun_%d",
		rollback = "ROLLBACK TO SAVEPOINT syncrun_%d",
	},
}

local function commit(self, sql)
	local res = self.conn:query(self.query_timeout, sql)
	if sql == "COMMIT" and res.command ~= "COMMIT" then -- the server's way to say that a statement had failed before
		err.raise {
			kind = "postgres", code = "25P02", retryable = false,
			message = ("transaction on '%s' was rolled back (a statement in it had failed, and its error was swallowed); "
				.. "raise that error, or use a nested transaction"):format(self.name),
		}
	end
end

--- fn(tx, ...) in a transaction: committed when fn returns, rolled back when it raises or its task is cancelled.
--- Only tx reaches the transaction. Nested, by tx:transaction(fn), it is a savepoint.
---@param fn fun(tx: syncrun.postgres.Connection, ...): any
---@return any what fn returned
function Connection:transaction(fn, ...)
	local _ <close> = enter(self)
	self.doing = "a transaction"
	local level = self.level + 1
	local verb = level == 1 and verbs.outer or verbs.inner
	self.conn:query(self.query_timeout, verb.begin:format(level))
	local tx = handle(self.conn, self.name, self.query_timeout, level)
	local results = table.pack(pcall(fn, tx, ...))
	tx.over = true
	if results[1] then
		local ok, e = pcall(commit, self, verb.commit:format(level))
		if not ok then results = { false, e } end
	end
	if not results[1] then
		task.shielded(roll_back, self.conn, verb.rollback:format(level))
		error(results[2], 0)
	end
	return table.unpack(results, 2, results.n)
end

-- End a COPY whose producer raised: the server drops what it got. Cannot be waited for when the task was cancelled.
local function abandon_copy(conn, timeout)
	pcall(conn.copy_end, conn, timeout, "the client gave up")
	if conn:status() ~= "idle" then conn:close() end
end

--- COPY … FROM STDIN: producer() gives strings, cut anywhere, then nil. An error in it makes the COPY fail.
---@param sql string
---@param producer fun(): string?
---@return syncrun.postgres.Result
function Connection:copy_in(sql, producer)
	local _ <close> = enter(self)
	local conn, timeout = self.conn, self.query_timeout
	conn:copy_begin(timeout, sql, "in")
	self.doing = "copy_in"
	local ok, e = pcall(function()
		for data in producer do conn:copy_put(timeout, data) end
	end)
	if ok then return conn:copy_end(timeout) end
	if conn:status() ~= "closed" then abandon_copy(conn, timeout) end
	error(e, 0)
end

--- COPY … TO STDOUT: iterate over strings of one or more whole rows.
---@param sql string
---@return fun(): string?
function Connection:copy_out(sql)
	local conn, timeout = self.conn, self.query_timeout
	begin(self, conn.copy_begin, conn, timeout, sql, "out")
	return stream(self, "copy_out", function() return conn:copy_get(timeout) end)
end

-- COPY's stream does not say its columns' types: ask first, so that no value is ever read as what it is not.
local function begin_scan(conn, timeout, sql, schema)
	c.check_columns(conn:query(timeout, ("SELECT * FROM (%s\n) AS scan LIMIT 0"):format(sql)).columns, schema)
	conn:copy_begin(timeout, ("COPY (%s\n) TO STDOUT (FORMAT binary)"):format(sql), "out")
end

--- Iterate over the select's rows as pages. Columns by position; each must be of the type that the schema's type is
--- read from: text, int8/4/2, bool, date, time, timestamp (datetime), timestamptz (timestamp), json/jsonb, bytea
--- (bytes), float8/4; a decimal is cast to text. Infinite dates are "infinity" and "-infinity"; years outside 1 to 9999
--- are as Postgres writes them.
---@param select_sql string
---@param schema userdata rows.schema
---@param page_rows integer
---@return fun(): userdata?
function Connection:scan_rows(select_sql, schema, page_rows)
	local conn, timeout = self.conn, self.query_timeout
	local sql = select_sql:gsub("[%s;]+$", "")
	begin(self, begin_scan, conn, timeout, sql, schema)
	return stream(self, "scan_rows", function() return conn:copy_page(timeout, schema, page_rows) end)
end

--- Run sql with each column of rows from..to as one text[] parameter $1..$n, as in
--- `INSERT … SELECT a::int8, b::timestamptz FROM unnest($1, $2) AS t(a, b)`. Timestamps are ISO texts with +00.
---@param sql string
---@param rows userdata
---@param from integer?
---@param to integer?
---@return syncrun.postgres.Result
function Connection:write_rows(sql, rows, from, to)
	local _ <close> = enter(self)
	return self.conn:write_rows(self.query_timeout, sql, rows, from, to)
end

--- The text as an SQL literal, for what takes no parameters (COPY): made by libpq, whatever the server's settings on
--- backslashes. Raises kind usage for a text with a NUL byte or that is not UTF-8.
---@param text string
---@return string
function Connection:literal(text)
	return self.conn:literal(text)
end

--- Whether it can be used: connected, not lost, not closed.
---@return boolean
function Connection:is_open()
	return self.conn:status() ~= "closed"
end

--- Whether what is sent can be read on its way: it goes to another machine, without TLS.
---@return boolean
function Connection:is_exposed()
	return self.conn:is_exposed()
end

--- Close it; a statement under way is cancelled. Closing twice is legal. Not for the handle of a transaction.
function Connection:close()
	if self.level > 0 then err.raisef("usage", "a transaction cannot be closed; return from it or raise") end
	self.conn:close()
end

Connection.__close = Connection.close

return M

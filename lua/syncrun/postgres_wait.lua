--- Waits on a Postgres server: words for long ones, and an end to those that lead nowhere. When the server is silent it is
--- asked on a second, short-lived connection to the same database: who holds the lock that the statement waits for, does
--- the server work on it, or does nobody any more? Behind a pooler the statement is found by its text.
local c = require "_syncrun.postgres"
local err = require "syncrun.err"
local log = require "syncrun.log"
local task = require "syncrun.task"

local M = {}

--- Seconds of silence before the server is asked; a lock has a word then.
M.LOOK_AFTER = 5
--- Seconds of silence before any other wait has one.
M.WORD_AFTER = 10
--- Seconds that a lock of somebody else is waited for, and that a connection may be silent while nobody works for it.
M.LOCK_WAIT, M.STALL_WAIT = 60, 60

local ASK = 5 -- seconds for each step of asking

-- The process that runs our statement: a pooler calls it by another number, and its text is shown cut.
local DOING = [[
	SELECT pid, wait_event_type AS kind, wait_event AS event FROM pg_stat_activity
	WHERE datname = current_database() AND usename = session_user AND pid <> pg_backend_pid() AND state = 'active'
		AND CASE WHEN $2::text IS NULL THEN pid = $1 ELSE query <> '' AND left($2::text, length(query)) = query END
	ORDER BY pid = $1 DESC LIMIT 1]]

-- Who stands in its way: those that do nothing first. What belongs to other roles only shows its number and names.
local BLOCKERS = [[
	SELECT DISTINCT b.pid, a.pid IS NOT NULL AS there, a.application_name AS application, a.usename::text AS role, a.state,
		floor(extract(epoch FROM clock_timestamp() - a.state_change))::int8 AS seconds
	FROM unnest(pg_blocking_pids($1)) AS b(pid) LEFT JOIN pg_stat_activity a ON a.pid = b.pid
	ORDER BY a.state DESC NULLS LAST, seconds DESC NULLS LAST]]

---@class syncrun.PostgresFinding what the server says of a silent statement
---@field error string? it could not be asked
---@field pid integer? the process that runs it; nil: none does
---@field event string? what that process waits for
---@field for_us boolean? that is us
---@field holder string? who holds the lock that it waits for, in words

---@class syncrun.WatchedPostgres a handle of _syncrun.postgres, with its verbs
local Watched = {}
Watched.__index = Watched

-- ---- what the server says

local function doing(blocker)
	if not blocker.state then return "what it does this role may not see" end
	return blocker.seconds and ("%s for %d s"):format(blocker.state, blocker.seconds) or blocker.state
end

local function describe(blocker)
	if blocker.pid == 0 then return "a prepared transaction (see pg_prepared_xacts)" end
	if not blocker.there then return ("process %d (it is gone by now)"):format(blocker.pid) end
	local application = blocker.application or ""
	return ("process %d (%s, role '%s', %s)"):format(blocker.pid,
		application ~= "" and ("'%s'"):format(application) or "an application without a name", blocker.role or "?",
		doing(blocker))
end

local function holder_of(blockers)
	if blockers.n == 0 then return nil end
	return describe(blockers[1]) .. (blockers.n > 1 and (" and %d more"):format(blockers.n - 1) or "")
end

local function question(self, other)
	local row = other:query(ASK, DOING, self.handle:backend(), self.statement)[1]
	if not row then return {} end
	return { pid = row.pid, event = row.event and ("%s %s"):format(row.kind, row.event),
		for_us = row.kind == "Client", holder = holder_of(other:query(ASK, BLOCKERS, row.pid)) }
end

-- Ask on a connection of its own.
---@return syncrun.PostgresFinding
local function ask(self)
	local found, e = err.try(function()
		local other <close> = c.connect(self.uri, self.name, "syncrun", ASK, self.insecure)
		return question(self, other)
	end)
	if found then return found end
	if e.kind == "cancelled" then err.raise(e) end
	return { error = e.message }
end

-- ---- what follows from it

-- End the wait with this error. Its statement is cancelled, its connection closed.
local function give_up(self, e)
	self.verdict = err.new(e)
	self.handle:close()
end

local function on_lock(self, silent, holder)
	if silent >= self.lock_wait then
		return give_up(self, { kind = "postgres", code = "lock", retryable = true, limited = true,
			message = ("a statement on '%s' waited %g s for a lock that %s holds; end that transaction, or raise "
				.. "lock_wait"):format(self.name, self.lock_wait, holder) })
	end
	self.locked = true
	log.warn("waiting for a lock on '%s' that %s holds (%.0f s so far); at most %g s (lock_wait)", self.name, holder,
		silent, self.lock_wait)
end

local function words_of(found)
	if found.error then return "what it does cannot be asked: " .. found.error end
	if not found.pid then return "no process works on the statement any more" end
	if found.for_us then return "it waits for us" end
	return found.event and ("it works on the statement: %s"):format(found.event) or "it works on the statement"
end

local function on_silence(self, silent, found)
	if silent >= self.stall_wait and (found.error or found.for_us or not found.pid) then
		return give_up(self, { kind = "postgres", code = "closed", retryable = true,
			message = ("connection to '%s' was lost (nothing came for %.0f s; %s); connect again and repeat what was not "
				.. "committed"):format(self.name, silent, words_of(found)) })
	end
	if silent >= M.WORD_AFTER then
		log.info("waiting for '%s' to answer (%.0f s so far; %s)", self.name, silent, words_of(found))
	end
end

-- ---- the watcher

-- The silence at which to look next: whenever it has doubled, and at each limit.
local function next_look(self, silent)
	local at = math.max(M.LOOK_AFTER, 2 * silent)
	for _, limit in ipairs { self.lock_wait, self.stall_wait } do
		if limit > silent then at = math.min(at, limit) end
	end
	return at
end

local function look(self, silent)
	local found = ask(self)
	local now = self.handle:silence()
	if not now or now < silent then return end -- it got on meanwhile
	if found.holder then on_lock(self, now, found.holder) else on_silence(self, now, found) end
	self.due = next_look(self, now)
end

-- One round: the seconds until the next one, nil when nothing is waited for.
local function round(self)
	local silent = self.handle:silence()
	if not silent then return nil end
	if silent < self.silent then self.due = next_look(self, 0) end -- another wait
	self.silent = silent
	if silent >= self.due then
		look(self, silent)
		return round(self)
	end
	return self.due - silent
end

-- Keeps no connection alive that nobody else holds.
local function watch(box, first)
	local pause = first
	while pause do
		task.sleep(pause)
		pause = box.watched and round(box.watched)
	end
	if box.watched then box.watched.watcher = nil end
end

local function begin(self)
	if self.watcher then return end
	self.silent, self.due = 0, next_look(self, 0)
	self.watcher = task.spawn(watch, setmetatable({ watched = self }, { __mode = "v" }), self.due)
end

-- ---- the handle

-- The results of a verb; or its error, unless the wait was ended here.
local function finish(self, ok, ...)
	local verdict, locked = self.verdict, self.locked
	self.verdict, self.locked = nil, nil
	if not ok then error(verdict or (...), 0) end
	if locked then log.info("the lock on '%s' is free again", self.name) end
	return ...
end

local function wait_for(self, verb, ...)
	begin(self)
	return finish(self, pcall(self.handle[verb], self.handle, ...))
end

for _, verb in ipairs { "query", "script", "write_rows", "copy_begin" } do
	Watched[verb] = function(self, timeout, sql, ...)
		self.statement = sql
		return wait_for(self, verb, timeout, sql, ...)
	end
end

-- These go on with the statement under way.
for _, verb in ipairs { "next_row", "skip", "copy_put", "copy_end", "copy_get", "copy_page" } do
	Watched[verb] = function(self, ...) return wait_for(self, verb, ...) end
end

--- Send several statements at once. Which of them is waited for is not known here.
function Watched:pipeline(...)
	self.statement = nil
	return wait_for(self, "pipeline", ...)
end

--- Send a statement whose rows next_row reads.
function Watched:stream(sql, ...)
	self.statement = sql
	return self.handle:stream(sql, ...)
end

for _, verb in ipairs { "status", "is_exposed", "literal" } do
	Watched[verb] = function(self, ...) return self.handle[verb](self.handle, ...) end
end

--- Nothing is waited for, for some time.
function Watched:rest()
	if self.watcher then self.watcher:cancel() end
	self.watcher = nil
end

--- Close it.
function Watched:close()
	self:rest()
	self.handle:close()
end

--- Connect, as _syncrun.postgres does, and watch.
---@param uri string
---@param o { name: string, application_name: string, timeout: number, insecure: boolean?, lock_wait: number?,
--- stall_wait: number? }
---@return syncrun.WatchedPostgres
function M.connect(uri, o)
	return setmetatable({
		handle = c.connect(uri, o.name, o.application_name, o.timeout, o.insecure), uri = uri, name = o.name,
		insecure = o.insecure, lock_wait = o.lock_wait or M.LOCK_WAIT, stall_wait = o.stall_wait or M.STALL_WAIT,
	}, Watched)
end

return M

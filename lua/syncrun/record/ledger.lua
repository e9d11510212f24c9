--- The ledger: what was done, with its evidence. One SQLite file (`ledger.db` in the state folder, write-ahead logging),
--- open to any SQL tool while a run goes on. It is a record, never the truth: lost, it is made anew by reading.
---
---   meta      version of this schema, oldest migration first
---   run       one row a run: when, exit code (NULL: it was interrupted), options, settings that may be kept, digests of
---             the script, the mapping and the checks, totals, folder of its report
---   attempt   one row for every request that should change something (mode create, update, delete, restore), and one for
---             every reading of a system (mode read); ids grow, so that of two of them it is plain which began first.
---             status: sent (no answer yet; of a run that ended: interrupted), written, partly, refused, unknown, failed,
---             read. keys: the contacts, a JSON array (see json_each). response is kept of what failed, request when it
---             was about one contact; secrets masked, cut to 4 KiB: with reason the only place with values of people,
---             because they are the evidence
---   state     the present state of each contact in each system (states.lua), written only when it changes. attempt: the
---             last request it was in; read: the reading that showed it. digest: the first 16 bytes of the SHA-256 over
---             the contact as it should be
---             Triggers hold every tool to the moves of states.lua: verified, missing and mismatched need a reading
---             that began after the last request left
---   contact   a view: state with times, for people
---   server_change  a digest of what a server changed in a contact when it was written last (ledger_made.lua)
---   audit     the audit trail, a chain of records (ledger_audit.lua); audit_value: what opens their commitments
---
--- Before a request leaves, its contacts are committed as sent and the file is flushed; answers are committed, and
--- flushed by the next request: lost with the power, they are found again by reading.
local crypto = require "syncrun.crypto"
local err = require "syncrun.err"
local file = require "syncrun.file"
local json = require "syncrun.json"
local log = require "syncrun.log"
local ours = require "syncrun.record.ours"
local rows = require "syncrun.rows"
local schema = require "syncrun.record.ledger_schema"
local sqlite = require "syncrun.sqlite"
local task = require "syncrun.task"
local time = require "syncrun.time"
local visible = require "syncrun.visible"

local M = {}

---@class syncrun.Ledger
---@field run integer the present run's id
local Ledger = {}
Ledger.__index = Ledger

local TEXT_MAX = 4096 -- bytes of a request or response that are kept

-- ---- opening

local ADVICE = "; nothing was written. Move it away and run again: what the systems hold is read anew"

local function check(db)
	local found = db:one "PRAGMA quick_check(1)"
	if found.quick_check ~= "ok" then err.raisef("config", "it is damaged: %s", (found.quick_check:gsub("%s+", " "))) end
end

local function advice_for(e)
	if e.code == "SQLITE_CORRUPT" or e.code == "SQLITE_NOTADB" or e.kind == "config" then return ADVICE end
	local disk = (e.code or ""):find "^SQLITE_IOERR"
	return disk and "; is there room on the disk, and is it sound? Nothing was written" or "; nothing was written"
end

local TEMPORARY = [[
CREATE TEMP TABLE seen (key TEXT PRIMARY KEY NOT NULL, digest BLOB NOT NULL) WITHOUT ROWID;
CREATE TEMP TABLE wrong (key TEXT PRIMARY KEY NOT NULL, state TEXT NOT NULL) WITHOUT ROWID;
CREATE TEMP TABLE made (system TEXT NOT NULL, key TEXT NOT NULL, differences BLOB NOT NULL, PRIMARY KEY (system, key))
	WITHOUT ROWID;
CREATE TEMP TABLE verdict (key TEXT NOT NULL, state TEXT NOT NULL, written INTEGER NOT NULL);
CREATE TEMP TABLE created (system TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (system, key)) WITHOUT ROWID;
]]

local function set_up(path, kept)
	local db = sqlite.open(path, { mode = kept and "rwc" or "memory", wal = kept, synchronous = "full" })
	local _, e = err.try(function()
		check(db)
		schema.migrate(db, schema.migrations)
		db:exec(TEMPORARY)
		return true
	end)
	if not e then return db end
	db:close()
	err.raise(e)
end

--- Open the ledger of a state folder, whose lock the caller holds. With SYNCRUN_LEDGER=off it is one that is gone with the
--- run, for measuring what keeping it costs. Raises kind config (exit 2) when it cannot be
--- written, is damaged, or is of a newer version.
---@param state string the folder
---@return syncrun.Ledger
function M.open(state)
	local kept = os.getenv "SYNCRUN_LEDGER" ~= "off"
	local path = state .. "/ledger.db"
	local db, e = err.try(set_up, path, kept)
	if not db then
		if e.kind == "cancelled" then err.raise(e) end
		err.raise { kind = "config", code = e.code, exit = 2,
			message = ("cannot use the ledger '%s' (%s)%s"):format(path, e.message, advice_for(e)) }
	end
	return setmetatable({ db = db, kept = kept, path = path, turn = task.mutex(), judged = {},
		asked_created = {} }, Ledger)
end

--- Close it. Legal twice, and at the end of a scope.
function Ledger:close()
	self.db:close()
end

Ledger.__close = Ledger.close

--- f(db) in one transaction. Durable: it is on the disk when this returns; else the next durable one takes it there.
---@param durable boolean
---@param f fun(db: syncrun.Sqlite)
function Ledger:commit(durable, f)
	return ours(self.turn.with, self.turn, function()
		if self.durable ~= durable then
			self.db:exec("PRAGMA synchronous = " .. (durable and "FULL" or "NORMAL"))
			self.durable = durable
		end
		return self.db:transaction(f) or true
	end)
end

local function cut(text)
	if text == nil or #text <= TEXT_MAX then return text end
	return text:sub(1, (utf8.offset(text, 0, TEXT_MAX) or TEXT_MAX) - 1) .. "…"
end

-- What was sent, which is JSON, and what a server said: harmless for the terminal of whoever reads it.
local function sent(text) return text and cut(visible.json(text)) end
local function said(text) return text and cut(visible.lines(text)) end

local function now()
	return time.format(time.now(), 3)
end

-- ---- runs

local function text_of(value)
	return log.redact(json.encode(value, { spell = true }))
end

--- The digest of a script's file: a path, or a module's name; nil when there is none.
---@param script string?
---@return string?
function M.digest_of(script)
	if not script then return nil end
	local path = file.kind(script) == "file" and script or package.searchpath(script, package.path)
	local text = path and file.read(path)
	return text and crypto.sha256(text)
end

-- The runs that never said how they ended, the last one with what it had in flight.
local function close_interrupted(db)
	local last = db:one [[SELECT run.id, run.folder, coalesce((SELECT sum(contacts) FROM attempt
		WHERE attempt.run = run.id AND status IN ('sent', 'unknown')), 0) AS contacts
		FROM run WHERE status IN ('running', 'interrupted') AND id = (SELECT max(id) FROM run)]]
	db:run "UPDATE run SET status = 'interrupted' WHERE status = 'running'"
	return last
end

--- Begin a run. Returns the one before when it was interrupted: its id, folder, and the contacts it had in flight.
---@param about { options: table, settings: table, script: string?, mapping: string?, checks: string?, folder: string,
--- report: string? } settings: only what may be kept
---@return { id: integer, folder: string?, contacts: integer }?
function Ledger:start(about)
	local interrupted
	local digests = { script = M.digest_of(about.script), mapping = M.digest_of(about.mapping),
		checks = M.digest_of(about.checks) }
	self:commit(true, function(db)
		interrupted = close_interrupted(db)
		db:run([[INSERT INTO run (started_at, status, folder, report, options, settings, script_digest, mapping_digest,
			checks_digest) VALUES (?, 'running', ?, ?, ?, ?, ?, ?, ?)]], now(), about.folder, about.report,
			text_of(json.object(about.options)), text_of(json.object(about.settings)), digests.script, digests.mapping,
			digests.checks)
		self.run = db:last_insert_rowid()
		self:audit_start(db, about, digests)
	end)
	return interrupted
end

--- End the run.
---@param status "finished"|"incomplete"|"interrupted"|"refused"
---@param exit integer?
---@param totals table?
function Ledger:finish(status, exit, totals)
	self:commit(true, function(db)
		db:run("UPDATE run SET finished_at = ?, status = ?, exit = ?, totals = ? WHERE id = ?", now(), status, exit,
			totals and text_of(totals) or nil, self.run)
		self:audit(db, { kind = "end", status = status, exit = exit, totals = totals and json.object(totals) })
	end)
end

--- Folders of the runs that were interrupted: their scratch files may be left.
---@return string[]
function Ledger:interrupted_folders()
	local list = {}
	for row in self.db:each "SELECT folder FROM run WHERE status = 'interrupted' AND folder IS NOT NULL" do
		list[#list + 1] = row.folder
	end
	return list
end

-- ---- what the run is about

--- Take in a page of the source's contacts. A key that repeats is taken once, rows without a key (null or empty) are
--- not.
---@param digests syncrun.Rows as rows.digests gives them
function Ledger:see(digests)
	ours(self.db.insert_rows, self.db, "INSERT OR IGNORE INTO temp.seen SELECT ?1, ?2 WHERE ?1 <> ''", digests)
end

--- Forget the source's contacts: they are read anew.
function Ledger:unsee()
	ours(self.db.exec, self.db, "DELETE FROM temp.seen")
end

-- ---- requests and readings

local function begin(self, db, system, mode, contacts, keys)
	db:run([[INSERT INTO attempt (run, system, mode, contacts, at, status, keys) VALUES (?, ?, ?, ?, ?, ?, ?)]], self.run,
		system, mode, contacts, now(), mode == "read" and "read" or "sent", keys)
	return { id = db:last_insert_rowid(), keys = keys, contacts = contacts, since = time.mono(), system = system }
end

--- A reading of a system begins.
---@param system string its name
---@return { id: integer }
function Ledger:read(system)
	local reading
	self:commit(false, function(db) reading = begin(self, db, system, "read", 0) end)
	return reading
end

--- A reading has ended.
---@param reading { id: integer }
---@param contacts integer that it looked at
function Ledger:was_read(reading, contacts)
	self:commit(false, function(db)
		db:run("UPDATE attempt SET contacts = ?, duration_ms = ? WHERE id = ?", contacts,
			math.floor((time.mono() - reading.since) * 1000), reading.id)
	end)
end

local function keys_of(page, key)
	local keys = {}
	for i = 1, #page do keys[i] = page:text(i, key) end
	return json.encode(json.array(keys), { spell = true })
end

local function literal(text)
	return "'" .. text:gsub("'", "''") .. "'"
end

--- A batch is about to be sent: on disk when this returns.
---@param system string
---@param mode "create"|"update"
---@param model syncrun.Rows
---@param key string the key's field
---@param reading { id: integer } what was read before, and led to it
---@param changes (fun(i: integer): syncrun.Difference[])? of an update: what it changes
---@return { id: integer, keys: string } the attempt
function Ledger:sending(system, mode, model, key, reading, changes)
	local attempt
	local digests = rows.digests(model, key)
	self:commit(true, function(db)
		attempt = begin(self, db, system, mode, #model, keys_of(model, key))
		db:insert_rows(([[INSERT INTO state (key, digest, system, state, attempt, read) VALUES (?, ?, %s, 'sent', %d, %d)
			ON CONFLICT (system, key) DO UPDATE SET state = 'sent', digest = excluded.digest, attempt = excluded.attempt,
			read = excluded.read]]):format(literal(system), attempt.id, reading.id), digests)
		self:audit(db, { kind = "write", mode = mode, system = system, attempt = attempt.id, contacts = #model },
			self:items_of(digests, changes))
	end)
	return attempt
end

local function move(db, attempt, keys, state, reading)
	db:run([[UPDATE state SET state = ?, read = coalesce(?, read) WHERE system = ? AND attempt = ?
		AND key IN (SELECT value FROM json_each(?))]], state, reading and reading.id, attempt.system, attempt.id, keys)
end

local function close_attempt(db, attempt, status, about)
	db:run("UPDATE attempt SET status = ?, duration_ms = ?, reason = ?, request = ?, response = ? WHERE id = ?", status,
		math.floor((time.mono() - attempt.since) * 1000), said(about.reason), sent(about.request), said(about.response),
		attempt.id)
end

--- The answer to a batch: one outcome per contact, in order.
---@param attempt table of sending
---@param keys string[]
---@param outcomes { state: string, reason: string? }[]
---@param evidence { request: string?, response: string? }?
function Ledger:answered(attempt, keys, outcomes, evidence)
	local rejected, reason = {}, nil
	for i, outcome in ipairs(outcomes) do
		if outcome.state == "rejected" then
			rejected[#rejected + 1] = keys[i]
			reason = reason or outcome.reason
		end
	end
	self:commit(false, function(db)
		if #rejected > 0 then move(db, attempt, json.encode(json.array(rejected)), "rejected") end
		if #rejected < #outcomes then
			db:run([[UPDATE state SET state = 'written' WHERE system = ? AND attempt = ? AND state = 'sent'
				AND key IN (SELECT value FROM json_each(?))]], attempt.system, attempt.id, attempt.keys)
		end
		close_attempt(db, attempt, #rejected == 0 and "written" or #rejected < #outcomes and "partly" or "refused",
			{ reason = reason, request = evidence and evidence.request, response = evidence and evidence.response })
		self:audit(db, { kind = "answer", system = attempt.system, attempt = attempt.id, status = "taken",
			rejected = #rejected }, self:items_with(rejected, "rejected"))
	end)
end

--- A batch failed as a whole. Refused for its content, its contacts are planned anew, or the only one is rejected; in
--- any other case nobody knows what became of it.
---@param attempt table of sending
---@param e syncrun.Error with request and response where the system keeps them
function Ledger:failed(attempt, e)
	local state = not e.reject and "unknown" or attempt.contacts > 1 and "planned" or "rejected"
	self:commit(false, function(db)
		move(db, attempt, attempt.keys, state)
		close_attempt(db, attempt, e.reject and "refused" or e.unknown and "unknown" or "failed",
			{ reason = e.message, request = attempt.contacts == 1 and e.request or nil, response = e.response })
		self:audit(db, { kind = "answer", system = attempt.system, attempt = attempt.id,
			status = e.reject and "refused" or e.unknown and "unknown" or "failed" })
	end)
end

--- Contacts of an unanswered or refused batch were found there, as they should be, by a later reading.
---@param attempt table of sending
---@param keys string[]
---@param reading { id: integer }
function Ledger:found(attempt, keys, reading)
	self:commit(false, function(db)
		move(db, attempt, json.encode(json.array(keys)), "written", reading)
		self:audit(db, { kind = "found", system = attempt.system, attempt = attempt.id, reading = reading.id },
			self:items_with(keys, "found"))
	end)
end

--- Contacts are about to be changed to what the source does not say: on disk when this returns.
---@param system string
---@param mode "delete"|"restore" taken out, or put back as they were
---@param keys string[]
---@param reading { id: integer } that led to it
---@return { id: integer, keys: string } the attempt
function Ledger:departing(system, mode, keys, reading)
	local attempt
	self:commit(true, function(db)
		attempt = begin(self, db, system, mode, #keys, json.encode(json.array(keys)))
		self:audit(db, { kind = "write", mode = mode, system = system, attempt = attempt.id, reading = reading.id,
			contacts = #keys }, self:items_with(keys, ""))
	end)
	return attempt
end

--- They are: nothing that a run judged of them there holds any more.
---@param attempt table of departing
function Ledger:departed(attempt)
	self:commit(false, function(db)
		db:run("DELETE FROM state WHERE system = ? AND key IN (SELECT value FROM json_each(?))", attempt.system, attempt.keys)
		close_attempt(db, attempt, "written", {})
		self:audit(db, { kind = "answer", system = attempt.system, attempt = attempt.id, status = "taken", rejected = 0 })
	end)
end

-- ---- what this run knows

--- The contacts that this run sent to any system, by key, each once.
---@return fun(): string?
function Ledger:sent_keys()
	local next_row = self.db:each([[SELECT DISTINCT k.value AS id FROM attempt, json_each(attempt.keys) AS k
		WHERE attempt.run = ? AND attempt.mode <> 'read']], self.run)
	return function()
		local row = next_row()
		return row and tostring(row.id)
	end
end

--- Whether this contact was ever sent to a system by us.
---@param system string
---@param key string
---@return boolean
function Ledger:wrote(system, key)
	return ours(self.db.one, self.db, "SELECT 1 AS one FROM state WHERE system = ? AND key = ? AND attempt > 0", system,
		key) ~= nil
end

-- The last of creating and deleting, which was not refused, was creating.
local CREATED = [[INSERT INTO temp.created SELECT ?1, key FROM (
	SELECT k.value AS key, a.mode AS mode, max(a.id) AS attempt FROM attempt AS a, json_each(a.keys) AS k
	WHERE a.system = ?1 AND a.mode IN ('create', 'delete') AND a.status IN ('sent', 'written', 'partly', 'unknown')
	GROUP BY k.value) AS last WHERE mode = 'create' AND NOT EXISTS (SELECT 1 FROM state
	WHERE state.system = ?1 AND state.key = last.key AND state.attempt = last.attempt
	AND state.state IN ('planned', 'sent', 'unknown', 'rejected'))]]

--- Whether this contact is in a system because we created it there, in a former run.
---@param system string
---@param key string
---@return boolean
function Ledger:created(system, key)
	if not self.asked_created[system] then
		self:commit(false, function(db) db:run(CREATED, system) end)
		self.asked_created[system] = true
	end
	return ours(self.db.one, self.db, "SELECT 1 AS one FROM temp.created WHERE system = ? AND key = ?", system, key) ~= nil
end

-- ---- its other duties

for _, duty in ipairs { "verdicts", "history", "made", "erasure", "audit" } do
	for name, method in pairs(require("syncrun.record.ledger_" .. duty)) do Ledger[name] = method end
end

return M

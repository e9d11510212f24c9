--- The ledger's schema, version by version: each is made out of the one before, in one transaction, so that a state folder
--- of any earlier program is taken over in place; one of a later program is refused.
local err = require "syncrun.err"
local states = require "syncrun.record.states"
local time = require "syncrun.time"

local M = {}

local VERSION_1 = [[
CREATE TABLE run (
	id INTEGER PRIMARY KEY AUTOINCREMENT, started_at TEXT NOT NULL, finished_at TEXT, exit INTEGER, status TEXT NOT NULL,
	folder TEXT, report TEXT, options TEXT, settings TEXT, script_digest TEXT, mapping_digest TEXT, checks_digest TEXT,
	totals TEXT
);
CREATE TABLE attempt (
	id INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL, system TEXT NOT NULL, mode TEXT NOT NULL,
	contacts INTEGER NOT NULL, at TEXT NOT NULL, duration_ms INTEGER, status TEXT NOT NULL, reason TEXT, keys TEXT,
	request TEXT, response TEXT
);
CREATE INDEX attempt_of_run ON attempt (run);
CREATE TABLE state (
	system TEXT NOT NULL, key TEXT NOT NULL, state TEXT NOT NULL, digest BLOB NOT NULL, attempt INTEGER, read INTEGER,
	PRIMARY KEY (system, key),
	CHECK (state NOT IN ('verified', 'missing', 'mismatched') OR read > coalesce(attempt, 0)),
	CHECK (state NOT IN ('planned', 'sent', 'unknown') OR attempt IS NOT NULL)
) WITHOUT ROWID;
CREATE TRIGGER state_begins AFTER INSERT ON state
WHEN NOT coalesce(new.read > 0 AND (@begin), 0)
BEGIN SELECT raise(ABORT, 'a contact cannot begin in this state'); END;
CREATE TRIGGER state_moves BEFORE UPDATE ON state
WHEN NOT coalesce(
	new.read > coalesce(old.attempt, 0) AND (new.attempt IS old.attempt OR new.state = 'sent')
		AND @read
	OR new.attempt = old.attempt AND new.read IS old.read AND @answer
	OR new.attempt > old.attempt AND @request, 0)
BEGIN SELECT raise(ABORT, 'a contact cannot make this move'); END;
CREATE VIEW contact AS SELECT s.system, s.key, s.state, a.at AS sent_at, a.status AS answer, a.reason,
	r.at AS read_at, coalesce(max(a.run, r.run), a.run, r.run) AS run, lower(hex(s.digest)) AS digest
	FROM state s LEFT JOIN attempt a ON a.id = s.attempt LEFT JOIN attempt r ON r.id = s.read;
]]

-- What a server made of what was written to it: the first 16 bytes of the SHA-256 over the differences.
local VERSION_2 = [[
CREATE TABLE server_change (
	system TEXT NOT NULL, key TEXT NOT NULL, differences BLOB NOT NULL, PRIMARY KEY (system, key)
) WITHOUT ROWID;
]]

-- The audit trail (ledger_audit.lua). ends: where the record's line ends in audit.jsonl, in bytes.
local VERSION_3 = [[
CREATE TABLE audit (n INTEGER PRIMARY KEY, run INTEGER, hash TEXT NOT NULL, ends INTEGER NOT NULL, record TEXT NOT NULL);
CREATE TABLE audit_value (record INTEGER NOT NULL, i INTEGER NOT NULL, key TEXT NOT NULL, field TEXT NOT NULL,
	r BLOB NOT NULL, value BLOB NOT NULL, PRIMARY KEY (record, i)) WITHOUT ROWID;
CREATE INDEX audit_value_of_key ON audit_value (key);
]]

local function alternatives(tos)
	for i, to in ipairs(tos) do tos[i] = ("new.state = '%s'"):format(to) end
	return table.concat(tos, " OR ")
end

-- The moves of states.lua in SQL, by their evidence; begin: of a contact that has no state yet. Plain comparisons: an
-- IN list would be built anew for every row.
local function move_conditions()
	local by, out = { read = {}, answer = {}, request = {} }, {}
	for _, move in ipairs(states.moves()) do
		local from = by[move.by]
		from[move.from] = from[move.from] or {}
		table.insert(from[move.from], move.to)
	end
	out.begin, by.read.seen = alternatives(by.read.seen), nil
	for evidence, moves in pairs(by) do
		local cases = {}
		for from, tos in pairs(moves) do cases[#cases + 1] = ("WHEN '%s' THEN %s"):format(from, alternatives(tos)) end
		table.sort(cases)
		out[evidence] = ("CASE old.state %s END"):format(table.concat(cases, " "))
	end
	return out
end

--- What makes each version of the schema out of the one before.
---@type fun(db: syncrun.Sqlite)[]
M.migrations = {
	function(db)
		db:exec((VERSION_1:gsub("@(%a+)", move_conditions())))
	end,
	function(db) db:exec(VERSION_2) end,
	function(db) db:exec(VERSION_3) end,
}

local function version_of(db)
	if db:one "SELECT 1 AS one FROM sqlite_master WHERE name = 'meta' AND type = 'table'" then
		return db:one("SELECT max(version) AS n FROM meta").n or 0
	end
	if db:one "SELECT 1 AS one FROM sqlite_master" then err.raisef("config", "it is another database, not a ledger") end
	return 0
end

--- Bring a database to the last version. Each step is one transaction.
---@param db syncrun.Sqlite
---@param migrations (fun(db: syncrun.Sqlite))[]
function M.migrate(db, migrations)
	local version = version_of(db)
	if version > #migrations then
		err.raisef("config", "it was written by a newer syncrun (version %d; this one knows %d)", version, #migrations)
	end
	for n = version + 1, #migrations do
		db:transaction(function(tx)
			if n == 1 then tx:exec "CREATE TABLE meta (version INTEGER PRIMARY KEY, made_at TEXT NOT NULL)" end
			migrations[n](tx)
			tx:run("INSERT INTO meta VALUES (?, ?)", n, time.format(time.now(), 3))
		end)
	end
end

return M

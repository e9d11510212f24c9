--- The verdicts of a run in the ledger: every contact of it, in every system that was read back.
local json = require "syncrun.json"
local ours = require "syncrun.record.ours"
local task = require "syncrun.task"

---@class syncrun.Ledger
local Verdicts = {}

local CHUNK = 20000 -- contacts judged in one transaction, so that others get their turn

-- failed contacts are written every time: their evidence is the last run's
local JUDGE = [[INSERT INTO state (system, key, state, digest, attempt, read)
	SELECT ?1, seen.key, coalesce(wrong.state, 'verified'), seen.digest, old.attempt, ?2 FROM temp.seen
	LEFT JOIN temp.wrong ON wrong.key = seen.key LEFT JOIN state AS old ON old.system = ?1 AND old.key = seen.key
	WHERE seen.key > ?3 AND (?4 IS NULL OR seen.key <= ?4)
	AND (wrong.state IS NOT NULL OR old.state IS NOT 'verified' OR old.digest IS NOT seen.digest)
	ON CONFLICT (system, key) DO UPDATE SET state = excluded.state, digest = excluded.digest, read = excluded.read]]

--- Every contact of the run was read back: those in `wrong` (pages of key and state) are that, all others verified.
---@param system string
---@param reading { id: integer } that showed it
---@param wrong fun(): syncrun.Rows?
function Verdicts:judge(system, reading, wrong)
	self:commit(false, function(db)
		db:run "DELETE FROM temp.wrong"
		for page in wrong do db:insert_rows("INSERT OR IGNORE INTO temp.wrong VALUES (?, ?)", page) end
	end)
	local from = ""
	repeat
		local last = ours(self.db.one, self.db, "SELECT key FROM temp.seen WHERE key > ? ORDER BY key LIMIT 1 OFFSET ?",
			from, CHUNK - 1)
		local to = last and last.key
		self:commit(false, function(db)
			db:run(JUDGE, system, reading.id, from, to)
			self:audit_verdicts(db, system, reading)
		end)
		from = to
		task.sleep(0)
	until not last
	self.judged[system] = true
end

-- Of a system that was not judged in this run, only what this run did is known.
local STATES = [[SELECT json_group_object(key, state) AS states FROM state WHERE system = ?1
	AND key IN (SELECT value FROM json_each(?2))
	AND (?3 OR state IN ('planned', 'sent', 'unknown', 'written', 'rejected')
		AND EXISTS (SELECT 1 FROM attempt WHERE attempt.id = state.attempt AND attempt.run = ?4))]]

--- The states of some contacts in a system, by key, as far as this run knows them.
---@param system string
---@param keys string[]
---@return table<string, string>
function Verdicts:states_of(system, keys)
	local row = self.db:one(STATES, system, json.encode(json.array(keys)), self.judged[system] or false, self.run)
	return json.decode(row.states)
end

return Verdicts

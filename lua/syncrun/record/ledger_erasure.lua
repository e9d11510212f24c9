--- What is taken out of the ledger: runs that are old, and a contact that is to be forgotten.

---@class syncrun.Ledger
local Erasure = {}

--- Runs that began before a time, with what belongs to them only. What a present state rests on stays, without its
--- request and response, and so does which contacts we created.
---@param before string RFC 3339, UTC
---@return { folders: string[], runs: integer, attempts: integer }
function Erasure:prune(before)
	local pruned = { folders = {} }
	self:commit(true, function(db)
		for row in db:each("SELECT folder FROM run WHERE started_at < ? AND id <> ?", before, self.run or 0) do
			pruned.folders[#pruned.folders + 1] = row.folder
		end
		local old = "run IN (SELECT id FROM run WHERE started_at < ?1 AND id <> ?2)"
		pruned.attempts = db:run(("DELETE FROM attempt WHERE %s AND mode NOT IN ('create', 'delete') AND id NOT IN (SELECT "
			.. "attempt FROM state WHERE attempt > 0 UNION SELECT read FROM state WHERE read > 0)"):format(old), before,
			self.run or 0)
		db:run(("UPDATE attempt SET request = NULL, response = NULL WHERE %s AND request IS NOT NULL"):format(old), before,
			self.run or 0)
		db:run(("DELETE FROM audit_value WHERE record IN (SELECT n FROM audit WHERE %s)"):format(old), before, self.run or 0)
		pruned.runs = db:run("DELETE FROM run WHERE started_at < ? AND id <> ?", before, self.run or 0)
	end)
	return pruned
end

-- ---- a contact

local FORGOTTEN = "(forgotten)"

-- In the runs that were asked for contacts by name; how many named this one.
local function forget_in_runs(db, key)
	return db:run([[UPDATE run SET options = json_set(options, '$.only', (SELECT json_group_array(
		CASE value WHEN ?1 THEN ?2 ELSE value END) FROM json_each(options, '$.only')))
		WHERE ?1 IN (SELECT value FROM json_each(options, '$.only'))]], key, FORGOTTEN)
end

--- Erase a contact: its states, its key wherever it stands, and every text of a request it was in. The file is cleaned
--- of what was there.
---@param key string
---@return { states: integer, attempts: integer, runs: integer }
function Erasure:forget(key)
	local done = {}
	self:commit(true, function(db)
		done.states = db:run("DELETE FROM state WHERE key = ?", key)
		db:run("DELETE FROM server_change WHERE key = ?", key)
		done.attempts = db:run([[UPDATE attempt SET request = NULL, response = NULL,
			reason = CASE WHEN reason IS NOT NULL THEN ?2 END,
			keys = (SELECT json_group_array(CASE value WHEN ?1 THEN ?2 ELSE value END) FROM json_each(attempt.keys))
			WHERE ?1 IN (SELECT value FROM json_each(attempt.keys))]], key, FORGOTTEN)
		done.runs = forget_in_runs(db, key)
		db:run("DELETE FROM audit_value WHERE key = ?", key)
		self:audit(db, { kind = "forget", states = done.states, attempts = done.attempts, runs = done.runs })
	end)
	self.db:exec "VACUUM; PRAGMA wal_checkpoint(TRUNCATE);"
	return done
end

return Erasure

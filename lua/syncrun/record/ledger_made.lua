--- What servers make of what is written to them, by triggers, defaults, rules: the differences that a reading showed right after
--- our own write. Kept as a digest of them, as long as the last reading still showed them.
local json = require "syncrun.json"
local sqlite = require "syncrun.sqlite"

---@class syncrun.Ledger
local Made = {}

local MADE = [[SELECT (SELECT differences FROM server_change WHERE system = ?1 AND key = ?2) AS known,
	EXISTS (SELECT 1 FROM state JOIN attempt ON attempt.id = state.attempt WHERE state.system = ?1 AND state.key = ?2
		AND state.state = 'written' AND attempt.run = ?3) AS written]]

--- What is known of a contact in a system.
---@param system string
---@param key string
---@return { known: string?, written: boolean } known: the digest of the differences that our last write left; written: it was
--- written in this run
function Made:made_of(system, key)
	local row
	self:commit(false, function(db) row = db:one(MADE, system, key, self.run) end)
	return { known = row.known, written = row.written == 1 }
end

--- Whether anything is known of a system.
---@param system string
---@return boolean
function Made:knows_made(system)
	local row
	self:commit(false, function(db)
		row = db:one("SELECT 1 AS one FROM server_change WHERE system = ? LIMIT 1", system)
	end)
	return row ~= nil
end

--- A reading of a system begins, or of some contacts of it: what the reading before showed of them is void.
---@param system string
---@param keys string[]? default: all
function Made:unmake(system, keys)
	self:commit(false, function(db)
		db:run("DELETE FROM temp.made WHERE system = ?1 AND (?2 IS NULL OR key IN (SELECT value FROM json_each(?2)))",
			system, keys and json.encode(json.array(keys)))
	end)
end

--- The present reading showed differences that a server made.
---@param system string
---@param key string
---@param differences string their digest
function Made:make(system, key, differences)
	self:commit(false, function(db)
		db:run("INSERT OR REPLACE INTO temp.made VALUES (?, ?, ?)", system, key, sqlite.blob(differences))
	end)
end

--- The readings of a system are over: what they showed of this run's contacts is kept.
---@param system string
function Made:keep_made(system)
	self:commit(false, function(db)
		db:run([[DELETE FROM server_change WHERE system = ?1 AND key IN (SELECT key FROM temp.seen)
			AND key NOT IN (SELECT key FROM temp.made WHERE system = ?1)]], system)
		db:run([[INSERT INTO server_change SELECT system, key, differences FROM temp.made WHERE system = ?
			ON CONFLICT (system, key) DO UPDATE SET differences = excluded.differences]], system)
	end)
end

return Made

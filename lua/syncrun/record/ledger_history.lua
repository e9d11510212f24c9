--- What the ledger knows of former runs and contacts: questions only, nothing is changed.
local err = require "syncrun.err"
local json = require "syncrun.json"

---@class syncrun.Ledger
local History = {}

--- Whether this run's mapping is another than that of the last run before it that looked at contacts.
---@return boolean
function History:mapping_changed()
	local row = self.db:one([[SELECT now.mapping_digest IS NOT before.mapping_digest AS changed
		FROM run AS now JOIN run AS before ON before.id = (SELECT max(id) FROM run WHERE id < now.id
		AND status IN ('finished', 'incomplete', 'interrupted')) WHERE now.id = ?]], self.run)
	return row ~= nil and row.changed ~= 0
end

--- The last run that is over and was not refused. A former one that is still called running was killed: it would hold the
--- state folder's lock.
---@return table? row of the table run
function History:last_run()
	return self.db:one([[SELECT * FROM run WHERE status <> 'refused' AND (status <> 'running' OR id IS NOT ?)
		ORDER BY id DESC LIMIT 1]], self.run)
end

local function is_of(totals, subject)
	if type(totals) ~= "table" or not totals.whole or type(totals.source) ~= "table" then return false end
	for name, value in pairs(subject) do
		if totals.source[name] ~= value then return false end
	end
	return true
end

--- How many contacts were proven equal everywhere when all of the source was compared for the last time; nil when it never was.
---@param subject table<string, string> what the source reads
---@return integer?
function History:last_proven(subject)
	for row in self.db:each [[SELECT totals FROM run WHERE exit IN (0, 1) AND status = 'finished' AND totals IS NOT NULL
		ORDER BY id DESC LIMIT 100]] do
		local totals = err.try(json.decode, row.totals)
		if is_of(totals, subject) then return math.tointeger(totals.validated) end
	end
end

--- Contacts that a system holds, as far as is known here, and that are not among those of this run: the first few.
---@param limit integer
---@return string[]
function History:absent(limit)
	local list = {}
	for row in self.db:each([[SELECT DISTINCT key FROM state WHERE state = 'verified'
		AND NOT EXISTS (SELECT 1 FROM temp.seen WHERE seen.key = state.key) ORDER BY key LIMIT ?]], limit) do
		list[#list + 1] = row.key
	end
	return list
end

--- The contacts that a run left in any other state than verified, in order.
---@param run integer
---@return string[]
function History:failures(run)
	local list = {}
	for row in self.db:each([[SELECT DISTINCT key FROM state LEFT JOIN attempt AS a ON a.id = state.attempt
		LEFT JOIN attempt AS r ON r.id = state.read WHERE state <> 'verified' AND (a.run = ?1 OR r.run = ?1)
		ORDER BY key]], run) do
		list[#list + 1] = row.key
	end
	return list
end

return History

--- Holding an audit trail to itself: every line of `<state>/audit.jsonl` goes on from the one before, the ledger's table says
--- the same, what is kept beside the ledger's records opens their commitments, and every proof's head is in the chain. Nothing is
--- written.
local audit = require "syncrun.record.audit"
local err = require "syncrun.err"
local file = require "syncrun.file"
local json = require "syncrun.json"
local proof = require "syncrun.record.proof"
local sqlite = require "syncrun.sqlite"

local M = {}

local function broken(...)
	err.raise { kind = "check", code = "broken", exit = 7, message = string.format(...) }
end

-- ---- the chain

local Chain = {}
Chain.__index = Chain

-- The next record: its number, and the hash that goes on from the one before.
local function add(self, hash, text, where)
	local n = #self.hashes + 1
	local record = err.try(json.decode, text)
	if type(record) ~= "table" or record.n ~= n then broken("%s is not record %d (removed, or moved)", where, n) end
	if audit.hash(self.hashes[n - 1] or audit.ZERO, text) ~= hash then
		broken("%s does not go on from the one before (it was changed, or replaced)", where)
	end
	self.hashes[n] = hash
end

--- Read a trail's text. Raises kind check (exit 7) at the first line that is not as it should be.
---@param lines fun(): string? its lines, without their ends
---@param name string of the file, for messages
---@return { hashes: string[] } of each record, in hex
function M.chain(lines, name)
	local self = setmetatable({ hashes = {} }, Chain)
	for line in lines do
		local where = ("line %d of the audit trail '%s'"):format(#self.hashes + 1, name)
		local hash, text = audit.read_line(line)
		if not hash then broken("%s is damaged", where) end
		add(self, hash, text, where)
	end
	return self
end

local function read_file(path)
	local f = io.open(path, "rb")
	if not f then err.raisef("config", "there is no audit trail '%s'; the next run begins one", path) end
	local at_end = f:seek "end"
	local torn = at_end > 0 and f:seek("set", at_end - 1) and f:read(1) ~= "\n"
	if torn then broken("the audit trail '%s' has a torn last line; the next run completes it", path) end
	f:seek "set"
	local chain = M.chain(f:lines(), path)
	f:close()
	return chain
end

-- ---- the ledger

-- The last run may have been killed before its records were copied: then the ledger goes on beyond the file.
local function check_table(db, chain)
	local n = nil
	for row in db:each "SELECT n, hash, record FROM audit ORDER BY n" do
		if n and row.n ~= n + 1 then broken("the ledger has no record %d of the audit trail", n + 1) end
		n = row.n
		if chain.hashes[n] and chain.hashes[n] ~= row.hash then broken("record %d of the ledger is not the trail's", n) end
		if not chain.hashes[n] then add(chain, row.hash, row.record, ("record %d of the ledger"):format(n)) end
		local before = chain.hashes[n - 1] or audit.ZERO
		if audit.hash(before, row.record) ~= row.hash then broken("record %d of the ledger was changed", n) end
	end
	if (n or 0) < #chain.hashes then broken("the ledger lacks the records of the audit trail after %d", n or 0) end
end

-- The record of each value, read once: values come in their order.
local function records_of(db)
	local last
	return function(n)
		if not last or last.n ~= n then
			local row = db:one("SELECT record FROM audit WHERE n = ?", n)
			last = row and json.decode(row.record) or broken("the ledger keeps values of record %d, which is not there", n)
		end
		return last
	end
end

local function check_values(db)
	local record_of, opened = records_of(db), 0
	for row in db:each "SELECT record, i, key, field, r, value FROM audit_value ORDER BY record, i" do
		if not audit.opens(record_of(row.record), row.i, row, row.r) then
			broken("item %d of record %d of the audit trail does not open (what is kept beside it was changed)", row.i,
				row.record)
		end
		opened = opened + 1
	end
	return opened
end

-- ---- the proofs

local function check_proofs(state, chain)
	local checked = 0
	for id in (file.read(state .. "/log") or ""):gmatch "  runs/([%w-]+)/proof%.json\n" do
		local path = ("%s/runs/%s/proof.json"):format(state, id)
		local told = file.kind(path) and proof.read(path).audit
		if told then
			if chain.hashes[told.length] ~= told.head then
				broken("the proof of the run '%s' tells of %d records of the audit trail, with another head (records were removed, "
					.. "or made anew)", id, told.length)
			end
			checked = checked + 1
		end
	end
	return checked
end

---@class syncrun.AuditChecked
---@field length integer records
---@field head string hash of the last, in hex
---@field opened integer items that what is kept opens
---@field proofs integer whose heads are in the chain

--- Hold the audit trail of a state folder to all that is known of it. Raises kind check (exit 7) when anything does not fit,
--- kind config when there is none.
---@param state string the folder
---@return syncrun.AuditChecked
function M.check(state)
	local chain = read_file(state .. "/audit.jsonl")
	local db <close> = sqlite.open(state .. "/ledger.db", { mode = "ro" })
	check_table(db, chain)
	return { opened = check_values(db), proofs = check_proofs(state, chain), length = #chain.hashes,
		head = chain.hashes[#chain.hashes] or audit.ZERO }
end

return M

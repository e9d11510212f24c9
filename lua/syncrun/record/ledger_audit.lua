--- The ledger's audit trail: a record for each run that begins and ends, every request that should change something and its
--- answer, every verdict that changed, and every contact that was forgotten. Each is written in the transaction of what it
--- tells, and copied to `<state>/audit.jsonl`, which is only ever added to, when the run ends (or, after a kill, when the next
--- one begins). What opens its commitments is kept in the table audit_value, which forgetting empties. Its form is
--- record/audit.lua's.
local audit = require "syncrun.record.audit"
local crypto = require "syncrun.crypto"
local err = require "syncrun.err"
local file = require "syncrun.file"
local host = require "syncrun.host"
local json = require "syncrun.json"
local time = require "syncrun.time"

local SPELLED = { spell = true } -- what a system holds may be no UTF-8

---@class syncrun.Ledger
local Audit = {}

local STEP = 4 * 2 ^ 20 -- bytes that are added to the file at once

local function broken(...)
	err.raise { kind = "check", code = "broken", exit = 7, message = string.format(...) }
end

local function head_of(db)
	return db:one "SELECT n, hash, ends FROM audit ORDER BY n DESC LIMIT 1" or { n = 0, hash = audit.ZERO, ends = 0 }
end

-- ---- the file

local function size_of(path)
	local f = file.kind(path) and io.open(path, "rb")
	local size = f and f:seek "end" or 0
	if f then f:close() end
	return size
end

-- A ledger that is new goes on from the last record of the file.
local function take_over(self, path)
	local last, ends = nil, 0
	for line in (file.read(path) or ""):gmatch "([^\n]*)\n" do last, ends = line, ends + #line + 1 end
	if not last then return end
	local hash, text = audit.read_line(last)
	local record = text and err.try(json.decode, text)
	if not record then broken("the last line of the audit trail '%s' is damaged; put it back from a backup", path) end
	self:commit(true, function(db)
		db:run("INSERT INTO audit (n, run, hash, ends, record) VALUES (?, NULL, ?, ?, ?)", record.n, hash, ends, text)
	end)
end

local function check_file(self, path)
	local head, size = head_of(self.db), size_of(path)
	if size > head.ends then
		broken("the audit trail '%s' goes on beyond the ledger's (%d bytes more); put both back from one backup", path,
			size - head.ends)
	end
end

--- From now on the ledger keeps an audit trail in this state folder; what a killed run left is written to its file. Raises
--- kind check (exit 7) when the file does not belong to the ledger. SYNCRUN_AUDIT=off: for measuring what it costs.
---@param state string
function Audit:open_trail(state)
	if not self.kept or os.getenv "SYNCRUN_AUDIT" == "off" then return end
	self.trail = state .. "/audit.jsonl"
	if head_of(self.db).n == 0 then take_over(self, self.trail) end
	check_file(self, self.trail)
	self:export()
end

-- The last record that is whole in the file.
local function last_in_file(self)
	local size = size_of(self.trail)
	return self.db:one("SELECT n, ends FROM audit WHERE ends <= ? ORDER BY n DESC LIMIT 1", size) or { n = 0, ends = 0 }
end

--- Add to the file what it does not have yet. On the disk when this returns.
function Audit:export()
	if not self.trail then return end
	local last, lines, bytes = last_in_file(self), {}, 0
	local function flush()
		if bytes == 0 then return end
		file.extend(self.trail, last.ends, table.concat(lines))
		last.ends, lines, bytes = last.ends + bytes, {}, 0
	end
	for row in self.db:each("SELECT hash, record FROM audit WHERE n > ? ORDER BY n", last.n) do
		lines[#lines + 1] = audit.line(row.hash, row.record)
		bytes = bytes + #lines[#lines]
		if bytes >= STEP then flush() end
	end
	flush()
end

--- How long the trail is, and the hash of its last record: what a proof tells of it. Nil when none is kept.
---@return { length: integer, head: string }?
function Audit:trail_head()
	if not self.trail then return nil end
	local head = head_of(self.db)
	return { length = head.n, head = head.hash }
end

-- ---- records

local VALUES = "INSERT INTO audit_value (record, i, key, field, r, value) VALUES (%d, ?, ?, ?, ?, ?)"

--- Add a record, in a transaction of the caller's.
---@param db syncrun.Sqlite
---@param record table its members but n, run and at
---@param items syncrun.AuditItem[]? what it commits to
function Audit:audit(db, record, items)
	if not self.trail then return end
	local head = head_of(db)
	record.n, record.run, record.at = head.n + 1, self.run, time.format(time.now(), 3)
	if items and #items > 0 then
		local page
		record.items, page = audit.commit(record.n, items)
		db:insert_rows(VALUES:format(record.n), page)
	end
	local text = audit.text(record)
	db:run("INSERT INTO audit (n, run, hash, ends, record) VALUES (?, ?, ?, ?, ?)", record.n, self.run,
		audit.hash(head.hash, text), head.ends + audit.line_length(text), text)
end

-- A digest as the ledger keeps it, in hex.
local function hex(digest)
	return ("%016x%016x"):format(string.unpack(">i8i8", digest))
end

--- What a batch commits to: of each contact its digest, and with an update what changes of it.
---@param digests syncrun.Rows as rows.digests gives them
---@param changes (fun(i: integer): syncrun.Difference[])?
---@return syncrun.AuditItem[]
function Audit:items_of(digests, changes)
	local items = {}
	for i = 1, self.trail and #digests or 0 do
		local key = digests:text(i, "key")
		items[#items + 1] = { field = "contact", key = key, value = hex(digests:get(i, "digest")) }
		for _, d in ipairs(changes and changes(i) or {}) do
			items[#items + 1] = { field = d.field, key = key,
				value = json.encode({ before = d.actual or json.null, after = d.expected or json.null }, SPELLED) }
		end
	end
	return items
end

--- Contacts as items, each with the same value.
---@param keys string[]
---@param value string
---@return syncrun.AuditItem[]
function Audit:items_with(keys, value)
	local items = {}
	for i, key in ipairs(keys) do items[i] = { field = "contact", key = key, value = value } end
	return items
end

-- ---- the begin of a run

-- A verdict that is another than the one before is put aside. written: this run wrote the contact there, and it is as written.
local PUT_ASIDE = [[
CREATE TEMP TRIGGER verdict_made AFTER INSERT ON main.state
WHEN new.state IN ('verified', 'missing', 'mismatched', 'rejected')
BEGIN INSERT INTO verdict VALUES (new.key, new.state, 0); END;
CREATE TEMP TRIGGER verdict_changed AFTER UPDATE ON main.state WHEN new.read IS NOT old.read
	AND new.state IN ('verified', 'missing', 'mismatched', 'rejected')
	AND (new.state <> old.state OR new.digest <> old.digest)
BEGIN INSERT INTO verdict VALUES (new.key, new.state, new.state = 'verified' AND coalesce(new.attempt > %d, 0)); END;
]]

local function who()
	local name = file.read "/proc/sys/kernel/hostname"
	return { user = os.getenv "USER" or os.getenv "LOGNAME", host = name and name:match "^%S+", pid = host.pid() }
end

--- Add the record of a run that begins: who runs what, with which settings. Contacts that were named are committed to like all
--- others.
---@param db syncrun.Sqlite
---@param about table as Ledger:start takes it
---@param digests { script: string?, mapping: string?, checks: string? }
function Audit:audit_start(db, about, digests)
	if not self.trail then return end
	db:exec(PUT_ASIDE:format(db:one "SELECT coalesce(max(id), 0) AS id FROM attempt".id))
	local options = {}
	for name, value in pairs(about.options) do options[name] = value end
	local only = type(options.only) == "table" and options.only or {}
	options.only = options.only and #only or nil
	self:audit(db, { kind = "run", folder = about.folder and about.folder:match "[^/]*$", program = host.version,
		who = who(), script = about.script, digests = json.object(digests), options = json.object(options),
		settings = crypto.sha256(json.encode(json.object(about.settings))) }, self:items_with(only, "named"))
end

-- ---- verdicts

--- Add a record of the verdicts that a reading changed, in the transaction that changed them. Those of contacts that this run
--- wrote there, and that are as written, are told by their number: who they are stands in the records of the writes.
---@param db syncrun.Sqlite
---@param system string
---@param reading { id: integer }
function Audit:audit_verdicts(db, system, reading)
	if not self.trail then return end
	local items = {}
	for row in db:each "SELECT key, state FROM temp.verdict WHERE NOT written ORDER BY key" do
		items[#items + 1] = { field = "contact", key = row.key, value = row.state }
	end
	local written = db:one("SELECT count(*) AS n FROM temp.verdict WHERE written").n
	db:run "DELETE FROM temp.verdict"
	if #items + written == 0 then return end
	self:audit(db, { kind = "verdict", system = system, reading = reading.id, contacts = #items + written,
		verified_of_writes = written }, items)
end

return Audit

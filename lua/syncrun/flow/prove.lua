--- The proof of a run: begun with it, so that no run is without one, and written when it is over, whatever became of it.
--- What stands in it is put together here; files and log are record/proof.lua's and record/run_log.lua's.
local config_of = require "syncrun.flow.config"
local crypto = require "syncrun.crypto"
local evidence_of = require "syncrun.flow.evidence"
local file = require "syncrun.file"
local host = require "syncrun.host"
local json = require "syncrun.json"
local leaves = require "syncrun.leaves"
local ledger_of = require "syncrun.record.ledger"
local log = require "syncrun.log"
local proof = require "syncrun.record.proof"
local rows = require "syncrun.rows"
local run_log = require "syncrun.record.run_log"
local secret = require "syncrun.record.secret"
local time = require "syncrun.time"

local M = {}

---@class syncrun.Prover
---@field state string the state folder
---@field id string of the run: its folder's name
---@field log syncrun.RunLog
---@field secret syncrun.Secret
local Prover = {}
Prover.__index = Prover

local KEPT_LEAVES = 3 -- runs whose leaves are kept

-- ---- the begin

local function folder_of(self, id)
	return ("%s/runs/%s"):format(self.state, id)
end

local function due_path(self)
	return self.state .. "/proof.due"
end

-- The last entry of the log, as the next proof names it.
local function previous(self)
	local last = self.log.entries[#self.log.entries]
	return last and { run = last.id, sha256 = last.digest } or json.null
end

local function append(self, id, fields)
	local path = folder_of(self, id) .. "/proof.json"
	file.make_folder(folder_of(self, id))
	fields.run, fields.previous = id, previous(self)
	self.log:write_inclusion(self.log:append(id, proof.write(path, fields)))
	os.remove(due_path(self))
end

-- A run that was killed before its proof was in the log: its proof as far as it came, or one that says that it was killed.
local function make_up(self)
	local text = file.read(due_path(self))
	if not text then return end
	local due = json.decode(text)
	if not self.log:find(due.run) then
		local done = file.read(folder_of(self, due.run) .. "/proof.json")
		if done then
			self.log:append(due.run, crypto.sha256(done))
		else
			append(self, due.run, { status = "killed", kind = due.kind, started_at = due.started_at,
				program = host.version, systems = json.array {} })
		end
	end
	self.log:write_inclusion(self.log:find(due.run))
	os.remove(due_path(self))
end

--- The proof of a run begins: the log is held to its checkpoint, and what a killed run left undone is done. Raises kind
--- check (exit 7) when the log is broken.
---@param state string the folder, whose lock the caller holds
---@param about { folder: string, kind: string, started_at: string, key: string? } key: path of the signing key
---@return syncrun.Prover
function M.begin(state, about)
	local self = setmetatable({ state = state, id = about.folder:match "[^/]*$", kind = about.kind,
		started_at = about.started_at, key_path = about.key }, Prover)
	self.secret = secret.open(state)
	self.log = run_log.open(state, about.key)
	make_up(self)
	file.replace(due_path(self), json.encode { run = self.id, kind = self.kind, started_at = self.started_at } .. "\n")
	return self
end

-- ---- evidence

--- Collect the evidence of these targets, which share what is known of a contact.
---@param targets syncrun.Target[]
---@param schema syncrun.Schema of the model
---@param key string the model's key
function Prover:collect(targets, schema, key)
	local scratch = folder_of(self, self.id) .. "/proof.scratch"
	self.memo = leaves.memo(self.secret:key "proof", schema, key, scratch)
	for _, target in ipairs(targets) do target.evidence = evidence_of.new(target, self.memo, scratch) end
end

--- A page of the source, as it comes. Returns the keys and short digests of its rows, for the ledger.
---@param model syncrun.Rows
---@return syncrun.Rows
function Prover:see(model)
	return leaves.see(self.memo, model)
end

--- The source is read.
---@param bad integer[] numbers of its rows that are not synced
function Prover:seal(bad)
	self.memo:seal(bad)
end

--- The source is read anew.
function Prover:unsee()
	self.memo:forget()
end

local function stem(self, i)
	return ("%s/leaves/%d"):format(folder_of(self, self.id), i)
end

--- Write the leaves of the targets that were judged.
---@param targets syncrun.Target[]
---@param snapshot syncrun.Snapshot
function Prover:write_leaves(targets, snapshot)
	for i, target in ipairs(targets) do
		if target.judged and not target.lost then
			file.make_folder(folder_of(self, self.id) .. "/leaves")
			target.sides = target.evidence:write(stem(self, i))
			target.sides.extras_without_key = snapshot:extras_without_key(target.label)
		end
		target.evidence:close()
	end
	self.memo:close()
end

-- ---- what stands in it

local function columns_of(target)
	local list = json.array {}
	for i, name in ipairs(target.evidence.columns) do
		list[i] = ("%s %s %s"):format(target.field_of[name].name, target.plans.expected:schema():type(name), name)
	end
	return list
end

-- Paths of the leaves, from the run's folder; the observed side has a file of its own only where it differs.
local function leaf_files(i, sides)
	local files = { expected = ("leaves/%d.expected"):format(i) }
	files.observed = sides.equal and files.expected or ("leaves/%d.observed"):format(i)
	files.extras = sides.extras.size > 0 and ("leaves/%d.extras"):format(i) or nil
	return files
end

local function compared(i, target)
	local sides, columns = target.sides, columns_of(target)
	local fields = { label = target.label, kind = target.system.kind, state = "compared", equal = sides.equal,
		columns = columns, schema = crypto.sha256(table.concat(columns, "\n")), leaves = leaf_files(i, sides),
		repeated = sides.repeated, extras_without_key = sides.extras_without_key }
	for _, side in ipairs { "expected", "observed", "extras" } do
		fields[side .. "_root"], fields[side .. "_size"] = crypto.hex(sides[side].root), sides[side].size
	end
	return fields
end

local function systems_of(run)
	local list, index = json.array {}, {}
	for i, target in ipairs(run.targets) do index[target.label] = i end
	for n, system in ipairs(run.session.targets) do
		local target = run.targets[index[system.label]]
		if system.skipped then
			list[n] = { label = system.label, state = "skipped" }
		elseif target and target.sides then
			list[n] = compared(index[system.label], target)
		else
			list[n] = { label = system.label, kind = system.kind, state = target and target.lost and "lost" or "not compared" }
		end
	end
	return list
end

local function scope_of(run)
	local options = run.options
	return {
		contacts = (options.only or options.undo) and "named" or options.changed and "changed"
			or options.limit and "first" or "all",
		limit = options.limit, filtered = run.session.source.filter ~= nil,
		left_out = json.array(run.session.checks:left_out()),
	}
end

local function counts_of(run)
	local totals = run.result and run.result.totals
	return { total = totals and totals.total, errors = totals and totals.errors, issues = totals and totals.issues,
		validated = totals and totals.validated, set_aside = run.snapshot and run.snapshot.nbad,
		kept_out = run.intake and run.intake.kept_out }
end

local function digests_of(run)
	local config = run.session.config
	return { mapping = ledger_of.digest_of(config.mapping), checks = ledger_of.digest_of(config.checks),
		script = ledger_of.digest_of(arg and arg[0]), settings = config_of.digest(config) }
end

-- ---- the end

local function remove_leaves(self, id)
	local path = folder_of(self, id)
	for _, system in ipairs(proof.read(path .. "/proof.json").systems) do
		for _, name in pairs(system.leaves or {}) do os.remove(path .. "/" .. name) end
	end
	os.remove(path .. "/leaves")
end

-- The leaves of older runs go. Those before the last that still has any went earlier.
local function prune_leaves(self)
	local kept = 0
	for i = #self.log.entries, 1, -1 do
		local id = self.log.entries[i].id
		if file.kind(folder_of(self, id) .. "/leaves") then
			kept = kept + 1
			if kept > KEPT_LEAVES then return remove_leaves(self, id) end
		end
	end
end

--- Write the proof and its entry in the log. On the disk when this returns.
---@param run syncrun.Run
---@param ended { status: string, exit: integer? }
function Prover:finish(run, ended)
	local source = run.session.source
	append(self, self.id, {
		kind = self.kind, status = ended.status, exit_code = ended.exit, program = host.version, secret = self.secret.id,
		started_at = self.started_at, snapshot_at = run.snapshot_at, finished_at = time.format(time.now(), 3),
		source = { label = source.label, kind = source.kind }, scope = scope_of(run), counts = counts_of(run),
		digests = digests_of(run), systems = systems_of(run), audit = run.ledger:trail_head(),
	})
	prune_leaves(self)
	if run.options.report and run.result then
		file.replace(run.options.report .. "/proof.json", file.read(folder_of(self, self.id) .. "/proof.json"))
	end
	log.debug("proof: run %s is entry %d of the log", self.id, #self.log.entries)
end

--- What stands in for it in a run without a proof.
---@return syncrun.Prover
function M.none()
	local none = {}
	for name, value in pairs(Prover) do
		if type(value) == "function" then none[name] = function() end end
	end
	function none:collect(_, _, key) self.key = key end
	function none:see(model) return rows.digests(model, self.key) end
	return none
end

return M

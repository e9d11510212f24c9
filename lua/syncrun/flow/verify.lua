--- Verification of what runs left behind, offline: proofs, their leaves, the log of runs, its checkpoint. Nothing is believed
--- that can be computed again; what only a head or a digest kept elsewhere can tell is said in lua/README.md. Knows no
--- system by name.
local checkpoint = require "syncrun.record.checkpoint"
local crypto = require "syncrun.crypto"
local err = require "syncrun.err"
local exits = require "syncrun.flow.exits"
local file = require "syncrun.file"
local json = require "syncrun.json"
local near = require "syncrun.near"
local note = require "syncrun.record.note"
local proof = require "syncrun.record.proof"
local run_log = require "syncrun.record.run_log"
local task = require "syncrun.task"
local time = require "syncrun.time"
local tree = require "syncrun.tree"

local M = {}

---@class syncrun.Verification
---@field state string the state folder
---@field log syncrun.RunLog
---@field keys syncrun.NoteKey[] who must have signed
---@field roots table<integer, string> of the log's tree at each size
local Verification = {}
Verification.__index = Verification

local LEAF, NAME = 64, 32 -- bytes of a leaf, and of what it rises by
local STEP = 20000        -- leaves before others get their turn

local function broken(...)
	err.raise { kind = "check", code = "broken", exit = exits.broken, message = string.format(...) }
end

--- f(...): what it finds wrong with what was written is broken, exit code 7.
local function held(f, ...)
	local results = table.pack(err.try(f, ...))
	local e = results[1] == nil and results[2]
	if not e then return table.unpack(results, 1, results.n) end
	if e.kind == "check" then e.exit = exits.broken end
	err.raise(e)
end

-- ---- the log

local function roots_of(log)
	local grower, roots = tree.grower(), {}
	roots[0] = grower:root()
	for size, entry in ipairs(log.entries) do
		grower:add(crypto.unhex(entry.digest))
		roots[size] = grower:root()
	end
	return roots
end

--- Read the log of a state folder and hold it to its checkpoint. Raises kind check (exit 7) when something does not fit.
---@param state string
---@param key string? the verifier key that must have signed; default: the state folder's own
---@return syncrun.Verification
function M.open(state, key)
	if not file.kind(state .. "/log") then
		err.raisef("config", "there is no log of runs in '%s'; is SYNCRUN_STATE the folder of the runs?", state)
	end
	local keys = key and { note.verifier(key) } or nil
	local log = run_log.read(state, keys)
	if log.published and log.published.size < #log.entries then
		broken("the last run of the log '%s/log' is not in its checkpoint; the next run completes it if it was killed", state)
	end
	return setmetatable({ state = state, log = log, keys = keys or { log.signer }, roots = roots_of(log) }, Verification)
end

--- Hold the log to a head that was kept elsewhere. Raises kind check (exit 7) when the log does not continue it.
---@param path string of a checkpoint
---@return integer size the runs that it is about
function Verification:hold(path)
	local text = file.read(path) or err.raisef("config", "there is no checkpoint '%s'", path)
	local head, e = err.try(run_log.head_of, text, self.keys)
	if not head then err.raisef("config", "'%s' is no checkpoint of this log (%s)", path, e.message) end
	if head.size > #self.log.entries then
		broken("the log holds %d runs, but '%s' tells of %d: runs were removed", #self.log.entries, path, head.size)
	end
	if self.roots[head.size] ~= head.root then
		broken("the log is not the one that '%s' is about: one of its first %d runs was changed, exchanged or removed", path,
			head.size)
	end
	return head.size
end

--- The cosignatures of these witnesses that are kept for the log's head. Raises kind check (exit 7) when one is wrong.
---@param witnesses syncrun.NoteKey[]
---@return { key: syncrun.NoteKey, line: string, time: integer }[]
function Verification:cosignatures(witnesses)
	return held(self.log.cosignatures, self.log, witnesses)
end

-- The tlog-proof of a run: of this entry, in this log. One that is missing was about to be written when its run was killed.
local function check_inclusion(self, index, entry)
	local path = ("%s/runs/%s/proof.tlog-proof"):format(self.state, entry.id)
	local text = file.read(path)
	if not text then return end
	local given = checkpoint.read_inclusion(text)
	local head = run_log.head_of(given.note, self.keys)
	if given.index ~= index or self.roots[head.size] ~= head.root
		or not tree.check_inclusion(crypto.unhex(entry.digest), index, head.size, given.proof, head.root) then
		broken("'%s' does not prove that the run is in this log", path)
	end
	if #self.keys > 0 and head.origin ~= run_log.UNSIGNED and not head.signed then
		broken("the head in '%s' is not signed by '%s'", path, self.keys[1].name)
	end
end

-- ---- a proof

local function check_rising(leaves, path)
	local last = ""
	for i = 0, #leaves - 1 do
		local name = leaves:at(i):sub(1, NAME)
		if name <= last then broken("the leaves in '%s' do not rise (number %d)", path, i + 1) end
		last = name
		if i % STEP == 0 then task.sleep(0) end
	end
end

local function check_file(path, size, root)
	local leaves <close> = tree.open(path, LEAF)
	if #leaves ~= size then broken("there are %d leaves in '%s', the proof tells of %d", #leaves, path, size) end
	check_rising(leaves, path)
	if crypto.hex(tree.root(leaves)) ~= root then broken("the leaves in '%s' have another root than the proof", path) end
end

local SIDES = { "expected", "observed", "extras" }

-- The leaves of the last runs are kept.
local function check_leaves(folder, system)
	if not file.kind(folder .. "/leaves") then return end
	for _, side in ipairs(SIDES) do
		local name = system.leaves[side]
		if name then check_file(folder .. "/" .. name, system[side .. "_size"], system[side .. "_root"]) end
	end
end

local EMPTY = crypto.sha256 ""

local function check_system(folder, system)
	if system.state ~= "compared" then return end
	local equal = system.expected_root == system.observed_root and system.expected_size == system.observed_size
	if equal ~= system.equal then broken("%s: 'equal' is not what its roots say in '%s'", system.label, folder) end
	if crypto.sha256(table.concat(system.columns, "\n")) ~= system.schema then
		broken("%s: the columns are not those of the schema's digest in '%s'", system.label, folder)
	end
	for _, side in ipairs(SIDES) do
		if (system[side .. "_size"] == 0) ~= (system[side .. "_root"] == EMPTY) then
			broken("%s: size and root of the %s side do not fit in '%s'", system.label, side, folder)
		end
	end
	check_leaves(folder, system)
end

local function same_previous(found, entry)
	if not entry then return found == json.null end
	return type(found) == "table" and found.run == entry.id and found.sha256 == entry.digest
end

-- The proof of a run, in its place.
local function read_run(self, index)
	local entry = self.log.entries[index + 1]
	local path = ("%s/runs/%s/proof.json"):format(self.state, entry.id)
	if not file.kind(path) then broken("the proof '%s' is missing; the log has it, and proofs are never removed", path) end
	local fields, digest = proof.read(path)
	if digest ~= entry.digest then broken("the proof '%s' is not the one in the log", path) end
	if fields.run ~= entry.id or not same_previous(fields.previous, self.log.entries[index]) then
		broken("the proof '%s' does not stand in its place in the log", path)
	end
	return fields
end

local function check_run(self, index)
	local fields, entry = read_run(self, index), self.log.entries[index + 1]
	local folder = ("%s/runs/%s"):format(self.state, entry.id)
	for _, system in ipairs(fields.systems) do check_system(folder, system) end
	check_inclusion(self, index, entry)
	return fields
end

--- Check a run of the log: its proof, its place, its leaves as long as they are kept. Raises kind check (exit 7).
---@param index integer from 0
---@return table fields of the proof
function Verification:run(index)
	return held(check_run, self, index)
end

--- Check every run of the log. Raises kind check (exit 7).
---@return table fields of the last one's proof
function Verification:all()
	local last
	for index = 0, #self.log.entries - 1 do last = self:run(index) end
	return last
end

local function ids(log)
	local list = {}
	for i, entry in ipairs(log.entries) do list[i] = entry.id end
	return list
end

-- A file that stands elsewhere: a copy of the proof of a run of this log.
local function find_copy(self, path)
	local fields, digest = held(proof.read, path)
	local index = self.log:find(fields.run)
	if not index then broken("the run of '%s' is not in the log of '%s'", path, self.state) end
	if self.log.entries[index + 1].digest ~= digest then
		broken("'%s' is not the proof of the run '%s' that is in the log", path, fields.run)
	end
	return index
end

--- The number in the log of a run: its id, or the path of its proof or of a copy. Raises kind usage when there is none,
--- kind check (exit 7) when a proof is not that of a run of this log.
---@param name string
---@return integer index from 0
function Verification:index(name)
	local index = self.log:find(name)
	if index then return index end
	if file.kind(name) == "file" then return find_copy(self, name) end
	err.raisef("usage", "'%s' is no run of the log and no file%s", name, near.hint(name, ids(self.log)))
end

--- The path of a run's leaves, or nil when they are no longer kept.
---@param fields table of its proof
---@param system table one of its systems
---@param side "expected"|"observed"|"extras"
---@return string?
function Verification:leaves(fields, system, side)
	local folder = ("%s/runs/%s"):format(self.state, fields.run)
	local name = system.leaves and system.leaves[side]
	return name and file.kind(folder .. "/leaves") and folder .. "/" .. name or nil
end

-- ---- age

local function is_proven(fields)
	if fields.exit_code ~= exits.equal or fields.scope.contacts ~= "all" then return false end
	for _, system in ipairs(fields.systems) do
		if system.state ~= "skipped" and not system.equal then return false end
	end
	return #fields.systems > 0
end

--- When the last run ended that found every contact equal in every system; nil when there is none.
---@return integer? at, string? id
function Verification:proven()
	for index = #self.log.entries - 1, 0, -1 do
		local fields = held(read_run, self, index)
		if fields.scope and is_proven(fields) then return time.parse(fields.finished_at), fields.run end
	end
end

return M

--- The log of runs: one entry a run, in the order they ended, never changed. `<state>/log` holds a line each,
--- "<SHA-256 of its whole proof.json>  runs/<id>/proof.json", so that `sha256sum -c` reads it too; `<state>/checkpoint` is its
--- head: the root of an RFC 6962 tree whose leaves are those digests (32 bytes each), as a signed note when there is a key
--- (`<state>/proof.key`, see scripts/proof_key.lua). Witnesses' cosignatures are kept in `<state>/cosignatures/<size>`.
---
--- A removed, changed or reordered entry no longer fits the checkpoint; a checkpoint made anew does not fit a head that was kept
--- elsewhere. Without a key whoever may write here can make both anew, and only such a head tells.
local checkpoint = require "syncrun.record.checkpoint"
local crypto = require "syncrun.crypto"
local err = require "syncrun.err"
local file = require "syncrun.file"
local log = require "syncrun.log"
local note = require "syncrun.record.note"
local tree = require "syncrun.tree"

local M = {}

M.UNSIGNED = "unsigned" -- the origin of a log without a key

---@class syncrun.RunLog
---@field entries { id: string, digest: string }[] digest: hex
---@field signer syncrun.NoteKey?
---@field state string
local Log = {}
Log.__index = Log

local REMEDY = ". Put it back from a backup, or move log, checkpoint and runs away together: a new log begins then"

local function broken(...)
	err.raise { kind = "check", code = "broken", exit = 7, message = string.format(...) }
end

-- ---- reading

local LINE = "^(" .. ("%x"):rep(64) .. ")  runs/([%w-]+)/proof%.json$"

local function read_entries(path)
	local entries, seen = {}, {}
	local text = file.read(path) or ""
	if text ~= "" and text:sub(-1) ~= "\n" then broken("the log '%s' has a torn last line%s", path, REMEDY) end
	for line in text:gmatch "([^\n]*)\n" do
		local digest, id = line:match(LINE)
		if not digest or digest:lower() ~= digest then
			broken("line %d of the log '%s' is damaged%s", #entries + 1, path, REMEDY)
		end
		if seen[id] then broken("the log '%s' has the run '%s' twice%s", path, id, REMEDY) end
		seen[id] = true
		entries[#entries + 1] = { id = id, digest = digest }
	end
	return entries
end

local function read_signer(path)
	local text = file.read(path)
	if not text then return nil end
	log.secret((text:gsub("%s+$", "")))
	return note.signer((text:gsub("%s+$", "")))
end

-- ---- the tree

local function bytes_of(entries)
	local list = {}
	for i, entry in ipairs(entries) do list[i] = crypto.unhex(entry.digest) end
	return table.concat(list)
end

--- The tree over the entries.
---@return syncrun.TreeLeaves
function Log:tree()
	return tree.of(bytes_of(self.entries), 32)
end

--- The head of the log, or of its first entries, as it would be signed.
---@param size integer? default: all
---@return syncrun.Checkpoint
function Log:head(size)
	size = size or #self.entries
	return { origin = self.signer and self.signer.name or M.UNSIGNED, size = size, root = tree.root(self:tree(), size) }
end

-- ---- what the checkpoint says must be true

local function check_entries(self, head)
	local path = self.state .. "/log"
	if head.size > #self.entries then
		broken("the log '%s' holds %d runs, but its checkpoint tells of %d%s", path, #self.entries, head.size, REMEDY)
	end
	if tree.root(self:tree(), head.size) ~= head.root then
		broken("the log '%s' does not fit its checkpoint (an entry was changed, removed or exchanged)%s", path, REMEDY)
	end
	self.published = head
end

-- A log that was signed, or is to be, must not be continued from a head that nobody signed.
local function check_signature(self, head, good, keys)
	local path = self.state .. "/checkpoint"
	if #keys == 0 then
		self.unchecked = head.origin ~= M.UNSIGNED and head.origin or nil
	elseif #good == 0 then
		broken("the checkpoint '%s' of '%s' is not signed by '%s'%s", path, head.origin, keys[1].name, REMEDY)
	elseif good[1].key.name ~= head.origin then
		broken("the checkpoint '%s' of '%s' is signed by '%s'%s", path, head.origin, good[1].key.name, REMEDY)
	end
end

local function take_apart(text, keys)
	local body, signatures = text, {}
	if text:sub(1, #M.UNSIGNED + 1) ~= M.UNSIGNED .. "\n" then body, signatures = note.split(text) end
	return checkpoint.read(body), note.verified(body, signatures, keys)
end

local function read_checkpoint(self, text, keys)
	local head, good = take_apart(text, keys)
	check_entries(self, head)
	check_signature(self, head, good, keys)
end

--- The head that a checkpoint tells of. Raises kind check when it is none, or the signature of one of the keys is wrong.
---@param text string
---@param keys syncrun.NoteKey[]
---@return syncrun.Checkpoint signed: one of the keys signed it
function M.head_of(text, keys)
	local head, good = take_apart(text, keys)
	head.signed = #good > 0
	return head
end

local function read(self, keys)
	self.entries = read_entries(self.state .. "/log")
	local text = file.read(self.state .. "/checkpoint")
	if text then
		read_checkpoint(self, text, keys)
	elseif #self.entries > 1 then
		broken("the log '%s/log' has no checkpoint%s", self.state, REMEDY)
	end
	self.note = text
	return true
end

--- Read the log of a state folder and hold it to its checkpoint. Raises kind check (exit 7) when anything does not fit.
---@param state string the folder
---@param keys syncrun.NoteKey[]? who must have signed it; default: the state folder's own key
---@param key_path string? where that is; default proof.key in the folder
---@return syncrun.RunLog published: the head on disk; unchecked: who signed it, when there is no key to check that
function M.read(state, keys, key_path)
	local self = setmetatable({ state = state, signer = read_signer(key_path or state .. "/proof.key") }, Log)
	local _, e = err.try(read, self, keys or { self.signer })
	if not e then return self end
	if e.kind == "check" then e.exit = 7 end
	err.raise(e)
end

-- ---- writing

local function publish(self)
	local head = self:head()
	local text = checkpoint.text(head)
	self.note = self.signer and note.sign(text, self.signer) or text
	file.replace(self.state .. "/checkpoint", self.note)
	self.published = head
end

-- A run that was killed between its entry and the checkpoint: the entry must be that of a proof that is there.
local function check_unpublished(self)
	local from = self.published and self.published.size or 0
	for i = from + 1, #self.entries do
		local entry = self.entries[i]
		local text = file.read(("%s/runs/%s/proof.json"):format(self.state, entry.id))
		if i < #self.entries or not text or crypto.sha256(text) ~= entry.digest then
			broken("the log '%s/log' ends with an entry that is not in its checkpoint, and no proof stands for it (run '%s')%s",
				self.state, entry.id, REMEDY)
		end
	end
end

--- The log of a state folder whose lock the caller holds, to be continued. What a killed run left undone is done.
---@param state string the folder
---@param key_path string?
---@return syncrun.RunLog
function M.open(state, key_path)
	local self = M.read(state, nil, key_path)
	if self.unchecked then
		log.warn("the log of runs was signed by '%s', whose key is not there: from now on it is unsigned", self.unchecked)
	end
	check_unpublished(self)
	if #self.entries > 0 and (self.published or { size = 0 }).size < #self.entries then publish(self) end
	return self
end


local function line_of(entry)
	return ("%s  runs/%s/proof.json\n"):format(entry.digest, entry.id)
end

--- Append a run. On the disk when this returns.
---@param id string
---@param digest string hex, of its whole proof.json
---@return integer index from 0
function Log:append(id, digest)
	self.entries[#self.entries + 1] = { id = id, digest = digest }
	local lines = {}
	for i, entry in ipairs(self.entries) do lines[i] = line_of(entry) end
	file.replace(self.state .. "/log", table.concat(lines))
	publish(self)
	return #self.entries - 1
end

--- The index of a run, from 0, or nil.
---@param id string
---@return integer?
function Log:find(id)
	for i, entry in ipairs(self.entries) do
		if entry.id == id then return i - 1 end
	end
end

-- ---- what others are given

local function cosignatures_path(self, size)
	return ("%s/cosignatures/%d"):format(self.state, size)
end

--- The published checkpoint, with the cosignatures that are kept for it.
---@return string
function Log:checkpoint()
	return self.note .. (file.read(cosignatures_path(self, self.published.size)) or "")
end

--- That a run is in the log: a C2SP tlog-proof.
---@param index integer from 0
---@return string
function Log:inclusion(index)
	return checkpoint.inclusion_text(index, self:tree():inclusion(index), self:checkpoint())
end

--- Write the tlog-proof of a run into its folder: against the published head.
---@param index integer from 0
function Log:write_inclusion(index)
	local folder = ("%s/runs/%s"):format(self.state, self.entries[index + 1].id)
	file.replace(folder .. "/proof.tlog-proof", self:inclusion(index))
end

--- Sign the head of a log with the key that was made for it, whoever signed it before; every run gets a tlog-proof against
--- that head. The caller holds the lock.
---@param state string the folder
function M.sign(state)
	local self = M.read(state, {})
	check_unpublished(self)
	if #self.entries == 0 then return end
	publish(self)
	for index, entry in ipairs(self.entries) do
		if file.kind(("%s/runs/%s"):format(state, entry.id)) == "folder" then self:write_inclusion(index - 1) end
	end
end

--- That the published head continues that of an older size: the body of a witness' add-checkpoint.
---@param old integer
---@return string
function Log:consistency(old)
	return checkpoint.consistency_text(old, self:tree():consistency(old), self:checkpoint())
end

--- Keep what a witness answered to add-checkpoint. Raises kind check when a line is a known witness' and wrong.
---@param lines string signature lines
---@param witnesses syncrun.NoteKey[]
---@return { key: syncrun.NoteKey, line: string, time: integer }[] those of known witnesses, which are kept
function Log:cosign(lines, witnesses)
	local good = note.verified(checkpoint.text(self.published), note.signatures(lines), witnesses)
	local path = cosignatures_path(self, self.published.size)
	local kept = file.read(path) or ""
	for _, signature in ipairs(good) do
		if not kept:find(signature.line, 1, true) then kept = kept .. signature.line end
	end
	file.make_folder(self.state .. "/cosignatures")
	file.replace(path, kept)
	return good
end

--- The cosignatures of known witnesses on the published checkpoint.
---@param witnesses syncrun.NoteKey[]
---@return { key: syncrun.NoteKey, line: string, time: integer }[]
function Log:cosignatures(witnesses)
	local kept = file.read(cosignatures_path(self, self.published.size))
	if not kept then return {} end
	return note.verified(checkpoint.text(self.published), note.signatures(kept), witnesses)
end

return M

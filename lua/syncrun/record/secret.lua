--- The secret of a state folder: 32 random bytes in `<state>/secret` (64 hex digits, 0600), made when they are missing. Every
--- purpose has a key of its own, taken from it by HKDF-SHA-256 with the purpose's label, so that handing one over gives
--- away no other. With another secret the leaves of the same contacts are others: keep it over runs, and in the backup.
local crypto = require "syncrun.crypto"
local err = require "syncrun.err"
local file = require "syncrun.file"
local log = require "syncrun.log"

local M = {}

-- Purpose to label.
local LABELS = {
	proof = "syncrun/proof/v1",         -- the keys of contacts in proofs
	forgotten = "syncrun/forgotten/v1", -- digests of contacts that must stay away
	id = "syncrun/secret-id/v1",        -- the name of the secret in proofs, from which nothing else follows
}

---@class syncrun.Secret
---@field id string 16 hex digits: proofs say with which secret they were made
local Secret = {}
Secret.__index = Secret

--- The key of a purpose.
---@param purpose "proof"|"forgotten"|"id"
---@return string 32 raw bytes
function Secret:key(purpose)
	return crypto.hkdf_sha256(self.bytes, LABELS[purpose])
end

--- A secret of these 32 raw bytes.
---@param bytes string
---@return syncrun.Secret
function M.of(bytes)
	local self = setmetatable({ bytes = bytes }, Secret)
	self.id = crypto.sha256(self:key "id"):sub(1, 16)
	return self
end

local function read(path)
	local hex = file.read(path):match "^(%x+)\n$"
	if not hex or #hex ~= 64 or hex:lower() ~= hex then
		err.raisef("config", "the secret '%s' is damaged; put it back from a backup. Without one, move it away: a new one is "
			.. "made, and nobody can tell any more whose the leaves of older proofs are", path)
	end
	return hex
end

--- The secret of a state folder. Raises kind config when it cannot be read or is damaged.
---@param state string the folder
---@return syncrun.Secret
function M.open(state)
	local path = state .. "/secret"
	if not file.kind(path) then file.replace(path, crypto.hex(crypto.random(32)) .. "\n") end
	local hex = read(path)
	log.secret(hex)
	return M.of(crypto.unhex(hex))
end

return M

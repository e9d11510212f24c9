--- A server that changes what is written to it (a trigger, a default): what differs right after our own write is remembered,
--- and is no reason to write again. It stays a difference. Written again is what differs otherwise than it did then; and
--- all of it, by a run that is asked to. Knows no system by name.
local crypto = require "syncrun.crypto"
local rows = require "syncrun.rows"

local M = {}

--- What a difference is called that the server made.
M.WORDS = "changed by the server on write"

---@class syncrun.ServerChanges of one target
---@field left integer contacts that were not written again
local ServerChanges = {}
ServerChanges.__index = ServerChanges

--- Of a target.
---@param target syncrun.Target
---@return syncrun.ServerChanges
function M.of(target)
	return setmetatable({ target = target, left = 0 }, ServerChanges)
end

--- A look at the whole system begins.
---@param validates boolean it judges; else it is to write, or to tell what would be written
function ServerChanges:begin(validates)
	local target = self.target
	self.validates = validates
	if not validates then self.left = 0 end
	self.known = target.ledger:knows_made(target.system.name)
	target.ledger:unmake(target.system.name)
end

local function measured(value)
	return value and #value .. ":" .. value or "-"
end

-- The digest of what differs: columns, and both values. Nil when nothing does.
local function digest_of(expected, i, found, j)
	local parts = {}
	for n, name in ipairs(rows.diff(expected, i, found, j)) do
		parts[n] = measured(name) .. measured(rows.canon(expected, i, name)) .. measured(rows.canon(found, j, name))
	end
	return #parts > 0 and crypto.sha256(table.concat(parts), "raw"):sub(1, 16) or nil
end

-- A person who edited it there is no server.
local function is_edited(target, found, j)
	return target.system.edited ~= nil and target.system:edited(found, j) ~= nil
end

--- Whether the server made what differs in a contact: it is there right after our write, or as our last write left it.
---@param key string
---@param expected syncrun.Rows
---@param i integer
---@param found syncrun.Rows
---@param j integer
---@return boolean
function ServerChanges:made(key, expected, i, found, j)
	local target = self.target
	if not self.known and not target.wrote then return false end
	local digest = not is_edited(target, found, j) and digest_of(expected, i, found, j)
	if not digest then return false end
	local made = target.ledger:made_of(target.system.name, key)
	if made.known ~= digest and not (self.validates and made.written) then return false end
	target.ledger:make(target.system.name, key, digest)
	return true
end

--- The same where it decides about a write: such a contact is left alone.
---@return boolean
function ServerChanges:leaves(key, expected, i, found, j)
	if self.validates or self.target.write_again or not self:made(key, expected, i, found, j) then return false end
	self.left = self.left + 1
	return true
end

--- Some contacts are looked at again.
---@param keys string[]
function ServerChanges:again(keys)
	self.target.ledger:unmake(self.target.system.name, keys)
end

--- All was judged: what the server made is remembered.
function ServerChanges:keep()
	self.target.ledger:keep_made(self.target.system.name)
end

return M

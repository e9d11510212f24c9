--- Merkle trees as RFC 6962 defines them, over leaves of one length; their proofs, and the verification of proofs. Indices are
--- the RFC's, from 0; hashes are 32 raw bytes, a proof is hash behind hash.
local c = require "_syncrun.tree"
local task = require "syncrun.task"

local M = {}

---@class syncrun.TreeLeaves #leaves is their number
---@field at fun(self, i: integer): string
---@field find fun(self, bytes: string): integer the first of the leaves, which rise, that is not below these bytes
---@field inclusion fun(self, i: integer): string PATH(i, D[n])
---@field consistency fun(self, old: integer): string PROOF(old, D[n])
---@field range fun(self, from: integer, to: integer): string what is needed beside the leaves from..to-1 to compute the root
---@field close fun(self) legal twice, and at the end of a scope

--- Leaves that stand one behind the other in a string.
---@param bytes string
---@param len integer bytes of one
---@return syncrun.TreeLeaves
function M.of(bytes, len) return c.of(bytes, len) end

--- Leaves that stand one behind the other in a file. Raises kind config; kind check, code damaged, when it is not whole.
---@param path string
---@param len integer bytes of one
---@return syncrun.TreeLeaves
function M.open(path, len) return c.open(path, len) end

---@class syncrun.TreeGrower a tree that grows at its right end; #grower is its size
---@field add fun(self, leaf: string)
---@field root fun(self): string over the leaves so far

--- A tree without leaves.
---@return syncrun.TreeGrower
function M.grower() return c.grower() end

local STEP = 100000 -- leaves hashed before others get their turn

--- The root over the first leaves.
---@param leaves syncrun.TreeLeaves
---@param size integer? default: all
---@return string
function M.root(leaves, size)
	local grower = c.grower()
	size = size or #leaves
	for from = 0, size - 1, STEP do
		if from > 0 then task.sleep(0) end
		grower:take(leaves, from, math.min(from + STEP, size))
	end
	return grower:root()
end

--- Whether this is leaf number i of the tree of that size and root.
---@param leaf string
---@param i integer
---@param size integer
---@param proof string
---@param root string
---@return boolean
function M.check_inclusion(leaf, i, size, proof, root) return c.check_inclusion(leaf, i, size, proof, root) end

--- Whether the tree of that size and root begins with the leaves of the older one.
---@param old integer its size
---@param old_root string
---@param size integer
---@param root string
---@param proof string
---@return boolean
function M.check_consistency(old, old_root, size, root, proof)
	return c.check_consistency(old, old_root, size, root, proof)
end

--- Whether these leaves stand one behind the other in the tree of that size and root, the first as number `from`.
---@param bytes string
---@param len integer bytes of one
---@param from integer
---@param size integer
---@param proof string
---@param root string
---@return boolean
function M.check_range(bytes, len, from, size, proof, root)
	return c.check_range(bytes, len, from, size, proof, root)
end

return M

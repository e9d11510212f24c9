--- The head of a log as others read it (c2sp.org/tlog-checkpoint): origin, size, root; and the texts that prove things about
--- it: that an entry is in the log (c2sp.org/tlog-proof), that one head continues another (tlog-witness, add-checkpoint).
local crypto = require "syncrun.crypto"
local err = require "syncrun.err"

local M = {}

---@class syncrun.Checkpoint
---@field origin string
---@field size integer
---@field root string 32 raw bytes

local function refuse(...)
	err.raise { kind = "check", code = "checkpoint", message = string.format(...) }
end

--- The text of a head, to be signed.
---@param head syncrun.Checkpoint
---@return string
function M.text(head)
	return ("%s\n%d\n%s\n"):format(head.origin, head.size, crypto.base64_encode(head.root))
end

local function number(text)
	local n = text and text:match "^%d+$" and math.tointeger(tonumber(text))
	return n and tostring(n) == text and n or nil
end

local function hash(text)
	local bytes = text and err.try(crypto.base64_decode, text)
	return bytes and #bytes == 32 and bytes or nil
end

--- Read the text of a head. Ours have no extension lines, so none is taken. Raises kind check, code checkpoint.
---@param text string
---@return syncrun.Checkpoint
function M.read(text)
	local origin, size, root, more = text:match "^([^\n]+)\n([^\n]*)\n([^\n]*)\n(.*)$"
	if not origin or more ~= "" then refuse("it is no checkpoint (origin, size and root, a line each)") end
	local head = { origin = origin, size = number(size), root = hash(root) }
	if not head.size then refuse("the checkpoint's size is no number") end
	if not head.root then refuse("the checkpoint's root is no hash") end
	return head
end

local function hash_lines(proof)
	local lines = {}
	for at = 1, #proof, 32 do lines[#lines + 1] = crypto.base64_encode(proof:sub(at, at + 31)) .. "\n" end
	return table.concat(lines)
end

-- The hashes of some lines, 32 bytes each, one behind the other.
local function hashes(lines)
	local list = {}
	for line in lines:gmatch "([^\n]*)\n" do
		list[#list + 1] = hash(line) or refuse("a line that should be a hash is none")
	end
	return table.concat(list)
end

local PROOF = "c2sp.org/tlog-proof@v1\n"

--- That an entry is in a log: a tlog-proof.
---@param index integer from 0
---@param proof string the inclusion proof, hash behind hash
---@param note string the checkpoint as it is signed
---@return string
function M.inclusion_text(index, proof, note)
	return ("%sindex %d\n%s\n%s"):format(PROOF, index, hash_lines(proof), note)
end

--- Read a tlog-proof. Raises kind check, code checkpoint.
---@param text string
---@return { index: integer, proof: string, note: string }
function M.read_inclusion(text)
	if text:sub(1, #PROOF) ~= PROOF then refuse("it is no tlog-proof (its first line is another)") end
	local head, note = text:sub(#PROOF + 1):match "^(.-\n)\n(.*)$"
	local index, lines = (head or ""):match "^index (%d+)\n(.*)$"
	if not number(index) then refuse("it is no tlog-proof (its second line is not 'index' and a number)") end
	return { index = number(index), proof = hashes(lines), note = note }
end

--- That one head continues another: the body that a witness' add-checkpoint takes.
---@param old integer the older size
---@param proof string the consistency proof, hash behind hash
---@param note string the newer checkpoint as it is signed
---@return string
function M.consistency_text(old, proof, note)
	return ("old %d\n%s\n%s"):format(old, hash_lines(proof), note)
end

--- Read the body of an add-checkpoint. Raises kind check, code checkpoint.
---@param text string
---@return { old: integer, proof: string, note: string }
function M.read_consistency(text)
	local head, note = text:match "^(.-\n)\n(.*)$"
	local old, lines = (head or ""):match "^old (%d+)\n(.*)$"
	if not number(old) then refuse("it is no consistency proof (its first line is not 'old' and a size)") end
	return { old = number(old), proof = hashes(lines), note = note }
end

return M

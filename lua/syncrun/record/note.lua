--- Signed notes (c2sp.org/signed-note): a text, an empty line, and a line for each signature. Keys are written as Go's
--- sumdb/note writes them: name+hash+key, and PRIVATE+KEY+name+hash+key. Of the signature types Ed25519 (1) signs notes, and
--- timestamped Ed25519 cosignatures (4, c2sp.org/tlog-cosignature) are verified.
local crypto = require "syncrun.crypto"
local err = require "syncrun.err"

local M = {}

M.ED25519, M.COSIGNATURE = 1, 4

local DASH = "\u{2014} "
local MOST = 64 -- signatures of a note that are looked at

---@class syncrun.NoteKey
---@field name string
---@field type integer M.ED25519 or M.COSIGNATURE
---@field hash string 4 raw bytes
---@field key string the public key, 32 raw bytes
---@field seed string? the private one

local function refuse(...)
	err.raise { kind = "check", code = "note", message = string.format(...) }
end

-- White_Space of Unicode beyond ASCII.
local SPACES = { [0x85] = true, [0xa0] = true, [0x1680] = true, [0x2028] = true, [0x2029] = true, [0x202f] = true,
	[0x205f] = true, [0x3000] = true }
for code = 0x2000, 0x200a do SPACES[code] = true end

local function is_name(name)
	if #name == 0 or not utf8.len(name) or name:find "[%c%s+]" then return false end
	for _, code in utf8.codes(name) do
		if SPACES[code] then return false end
	end
	return true
end

-- The key's hash (signed-note, "Signatures"): not strong, only to tell keys apart.
local function hash_of(name, type, key)
	return crypto.sha256(name .. "\n" .. string.char(type) .. key, "raw"):sub(1, 4)
end

local function key_text(key, bytes)
	return ("%s+%s+%s"):format(key.name, crypto.hex(key.hash), crypto.base64_encode(string.char(key.type) .. bytes))
end

--- The text of a verifier key: what who verifies keeps.
---@param key syncrun.NoteKey
---@return string
function M.verifier_text(key)
	return key_text(key, key.key)
end

--- The text of a signer key: a secret.
---@param key syncrun.NoteKey
---@return string
function M.signer_text(key)
	return "PRIVATE+KEY+" .. key_text(key, key.seed)
end

local function key_of(name, type, public, seed)
	return { name = name, type = type, hash = hash_of(name, type, public), key = public, seed = seed }
end

--- A new key pair that signs notes. Raises kind usage when the name may not be one.
---@param name string
---@return syncrun.NoteKey
function M.new_key(name)
	if not is_name(name) then
		err.raisef("usage", "'%s' cannot be a key's name (it must not be empty, nor hold blanks or '+')", name)
	end
	local seed = crypto.random(32)
	return key_of(name, M.ED25519, crypto.ed25519_public(seed), seed)
end

-- The parts of name+hash+base64, or nil.
local function split_key(text)
	local name, hash, base64 = text:match "^([^+]+)%+(%x%x%x%x%x%x%x%x)%+([%w+/=]+)$"
	if not name or not is_name(name) or hash:lower() ~= hash then return nil end
	local bytes = err.try(crypto.base64_decode, base64)
	if not bytes or #bytes ~= 33 then return nil end
	return name, hash, bytes:byte(1), bytes:sub(2)
end

--- Read a verifier key. Raises kind config.
---@param text string
---@return syncrun.NoteKey
function M.verifier(text)
	local name, hash, type, public = split_key(text)
	local key = (type == M.ED25519 or type == M.COSIGNATURE) and key_of(name, type, public)
	if not key or crypto.hex(key.hash) ~= hash then
		err.raisef("config", "'%s' is no verifier key (name+hash+key of Ed25519, as scripts/proof_key.lua prints it)", text)
	end
	return key
end

--- Read a signer key. Raises kind config, without quoting it.
---@param text string
---@return syncrun.NoteKey
function M.signer(text)
	local rest = text:match "^PRIVATE%+KEY%+(.*)$"
	local name, hash, type, seed = split_key(rest or "")
	local key = type == M.ED25519 and key_of(name, type, crypto.ed25519_public(seed), seed)
	if not key or crypto.hex(key.hash) ~= hash then
		err.raisef("config", "the signing key is damaged (PRIVATE+KEY+name+hash+key of Ed25519)")
	end
	return key
end

local function line_of(key, bytes)
	return ("%s%s %s\n"):format(DASH, key.name, crypto.base64_encode(key.hash .. bytes))
end

--- Sign a text, whose last character is a newline.
---@param text string
---@param key syncrun.NoteKey with its seed
---@return string the note
function M.sign(text, key)
	return text .. "\n" .. line_of(key, crypto.ed25519_sign(key.seed, text))
end

local function signature_of(line)
	local name, base64 = line:match("^" .. DASH .. "([^ ]+) ([%w+/=]+)$")
	local bytes = base64 and is_name(name) and err.try(crypto.base64_decode, base64)
	if not bytes or #bytes < 5 then return nil end
	return { name = name, hash = bytes:sub(1, 4), bytes = bytes:sub(5), line = line .. "\n" }
end

--- The signatures of some lines. Raises kind check, code note.
---@param lines string
---@return { name: string, hash: string, bytes: string, line: string }[]
function M.signatures(lines)
	local list = {}
	if lines:sub(-1) ~= "\n" then refuse("a signature's line has no end") end
	for line in lines:gmatch "([^\n]*)\n" do
		local signature = signature_of(line)
		if not signature then refuse("a line where a signature should be is none") end
		list[#list + 1] = signature
		if #list > MOST then refuse("there are more than %d signatures", MOST) end
	end
	return list
end

--- Take a note apart. Raises kind check, code note, when it is none.
---@param note string
---@return string text, { name: string, hash: string, bytes: string, line: string }[] signatures
function M.split(note)
	if not utf8.len(note) or note:find "[\0-\9\11-\31]" then refuse("it is no note (it holds bytes that no note has)") end
	local at = note:match "^.*()\n\n"
	if not at then refuse("it is no note (no empty line before the signatures)") end
	return note:sub(1, at), M.signatures(note:sub(at + 2))
end

-- What a timestamped cosignature signs (tlog-cosignature, "Ed25519 signed message").
local function cosigned(text, stamp)
	return ("cosignature/v1\ntime %d\n%s"):format(stamp, text)
end

local function is_good(signature, key, text)
	if key.type == M.ED25519 then
		return #signature.bytes == 64 and crypto.ed25519_verify(key.key, text, signature.bytes)
	end
	if #signature.bytes ~= 72 then return false end
	local stamp = string.unpack(">i8", signature.bytes)
	if stamp < 0 then return false end
	signature.time = stamp
	return crypto.ed25519_verify(key.key, cosigned(text, stamp), signature.bytes:sub(9))
end

--- The signatures by a known key. One by a known key that is wrong condemns the note: raises kind check, code signature.
---@param text string
---@param signatures table[]
---@param keys syncrun.NoteKey[]
---@return { key: syncrun.NoteKey, line: string, time: integer? }[] time: when a cosignature was made, in seconds
function M.verified(text, signatures, keys)
	local good = {}
	for _, signature in ipairs(signatures) do
		for _, key in ipairs(keys) do
			if signature.name == key.name and signature.hash == key.hash then
				if not is_good(signature, key, text) then
					err.raise { kind = "check", code = "signature", message = ("the signature of '%s' is wrong"):format(key.name) }
				end
				good[#good + 1] = { key = key, line = signature.line, time = signature.time }
			end
		end
	end
	return good
end

return M

--- Digests, signatures, random bytes, base64. Strings in, strings out.
local c = require "_syncrun.crypto"
local err = require "syncrun.err"
local near = require "syncrun.near"

local M = {}

local FORMS = { "hex", "raw" }

local function checked(form)
	if form == nil or form == "hex" or form == "raw" then return form end
	err.misuse("the form of a digest is 'hex' or 'raw', not '%s'%s", tostring(form), near.hint(form, FORMS))
end

--- SHA-256.
---@param s string
---@param form "hex"|"raw"? lower-case hex by default
---@return string
function M.sha256(s, form) return c.sha256(s, checked(form)) end

--- SHA-1: for what others demand, not for proofs.
---@param s string
---@param form "hex"|"raw"?
---@return string
function M.sha1(s, form) return c.sha1(s, checked(form)) end

--- MD5: for what others demand, not for proofs.
---@param s string
---@param form "hex"|"raw"?
---@return string
function M.md5(s, form) return c.md5(s, checked(form)) end

--- Lower-case hex.
---@param s string
---@return string
function M.hex(s)
	return (s:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

--- The way back. Raises kind usage on anything that is no hex.
---@param text string
---@return string
function M.unhex(text)
	if #text % 2 ~= 0 or text:find "%X" then err.raisef("usage", "not hex (two digits a byte)") end
	return (text:gsub("%x%x", function(digits) return string.char(tonumber(digits, 16)) end))
end

--- HMAC (RFC 2104) with SHA-256.
---@param key string
---@param s string
---@param form "hex"|"raw"?
---@return string
function M.hmac_sha256(key, s, form) return c.hmac_sha256(key, s, checked(form)) end

--- HKDF (RFC 5869) with SHA-256: a key of 32 raw bytes for the purpose that `info` names.
---@param secret string
---@param info string
---@param salt string?
---@return string
function M.hkdf_sha256(secret, info, salt) return c.hkdf_sha256(secret, info, salt) end

--- The public key of an Ed25519 seed (RFC 8032): both 32 raw bytes.
---@param seed string
---@return string
function M.ed25519_public(seed) return c.ed25519_public(seed) end

--- Sign with Ed25519.
---@param seed string the private key, 32 raw bytes
---@param s string
---@return string signature 64 raw bytes
function M.ed25519_sign(seed, s) return c.ed25519_sign(seed, s) end

--- Whether this is the signature of s by that key.
---@param key string 32 raw bytes
---@param s string
---@param signature string 64 raw bytes
---@return boolean
function M.ed25519_verify(key, s, signature) return c.ed25519_verify(key, s, signature) end

--- Base64 (RFC 4648, section 4), padded, without line breaks.
---@param s string
---@return string
function M.base64_encode(s) return c.base64_encode(s) end

--- The way back, strict: raises kind usage on anything that base64_encode would not write.
---@param text string
---@return string
function M.base64_decode(text) return c.base64_decode(text) end

--- Base64url (RFC 4648, section 5), without padding.
---@param s string
---@return string
function M.base64url_encode(s) return c.base64url_encode(s) end

--- The way back, strict; padding may be there or not.
---@param text string
---@return string
function M.base64url_decode(text) return c.base64url_decode(text) end

--- Sign with RS256 (RFC 7518, section 3.3).
---@param pem string a private RSA key of 2048 bits at least, PEM, no passphrase; it becomes a secret of the log
---@param s string
---@return string signature raw bytes
function M.rs256_sign(pem, s) return c.rs256_sign(pem, s) end

--- Random bytes fit for keys.
---@param n integer
---@return string
function M.random(n) return c.random(n) end

--- A random UUID (version 4) in lower case.
---@return string
function M.uuid() return c.uuid() end

return M

-- API keys: a JSON Web Token signed with the workspace's own secret, and what Twenty answers to a missing, garbled,
-- expired or foreign one. Knows no transport.
local crypto = require "syncrun.crypto"
local time = require "syncrun.time"
local js = require "sandbox.twenty.jsvalue"
local metadata = require "sandbox.twenty.metadata"

local M = {}

local ten_years = 10 * 365 * 86400

local function base64url(text) return (crypto.base64_encode(text):gsub("+", "-"):gsub("/", "_"):gsub("=", "")) end

local function from_base64url(text)
	local plain = text:gsub("%-", "+"):gsub("_", "/")
	plain = plain .. string.rep("=", -#plain % 4)
	local ok, raw = pcall(crypto.base64_decode, plain)
	return ok and raw or nil
end

local function signature(secret, text) return base64url(crypto.hmac_sha256(secret, text, "raw")) end

--- Signs a key of the workspace that expires at a time (seconds since 1970).
---@param self table
---@param expires integer
---@return string
function M.issue(self, expires)
	local head = base64url('{"alg":"HS256","typ":"JWT"}')
	local body = base64url(js.encode(js.from_pairs { { "sub", self.workspace_id }, { "type", "API_KEY" },
		{ "workspaceId", self.workspace_id }, { "iat", (time.now() // 1000000) + 0.0 }, { "exp", expires + 0.0 },
		{ "jti", crypto.uuid() } }))
	return head .. "." .. body .. "." .. signature(self.secret, head .. "." .. body)
end

--- Opens the keys of a database; `token` is accepted besides what the workspace signs.
---@param db table
---@param token string?
---@param v1 boolean? refuse in the words of the release of June 2025
---@return table
function M.open(db, token, v1)
	local self = { invalid = v1 and "No payload" or "Token invalid.", secret = metadata.setting(db, "token_secret",
		crypto.uuid),
		workspace_id = metadata.setting(db, "workspace_id", crypto.uuid) }
	self.token = token or metadata.setting(db, "token", function()
		return M.issue(self, time.now() // 1000000 + ten_years)
	end)
	return self
end

local function refusal(status, kind, message) return { status = status, error = kind, message = message } end

local function foreign(self, token)
	local head, body, mark = token:match("^([%w_-]+)%.([%w_-]+)%.([%w_-]+)$")
	if not head or signature(self.secret, head .. "." .. body) ~= mark then return self.invalid end
	local claims = js.decode(js.valid_utf8(from_base64url(body) or ""))
	local expires = js.get(claims, "exp")
	if type(expires) ~= "number" then return self.invalid end
	if expires * 1000000 <= time.now() then return "Token has expired." end
end

--- nil when the Authorization header lets its bearer in, else {status, error, message}.
---@param self table
---@param header string?
---@return table?
function M.check(self, header)
	local token = header and header:match("^%s*[Bb][Ee][Aa][Rr][Ee][Rr]%s+(%S+)%s*$")
	if not token then return refusal(403, "FORBIDDEN_EXCEPTION", "Missing authentication token") end
	if token == self.token then return nil end
	local message = foreign(self, token)
	return message and refusal(401, "UNAUTHENTICATED", message) or nil
end

return M

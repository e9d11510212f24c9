--- Contacts that must stay away since they were erased: `<state>/forgotten` holds a line each, "<id of the secret> <HMAC of the
--- contact_id>", so that the list names nobody. Without the secret nobody can tell who stands in it, nor keep them away.
local crypto = require "syncrun.crypto"
local err = require "syncrun.err"
local file = require "syncrun.file"
local secret_of = require "syncrun.record.secret"

local M = {}

---@class syncrun.Forgotten
---@field n integer how many there are
local Forgotten = {}
Forgotten.__index = Forgotten

local LINE = "^(" .. ("%x"):rep(16) .. ") (" .. ("%x"):rep(64) .. ")$"

local function refuse(...)
	err.raise { kind = "config", exit = 2, message = string.format(...) }
end

local function take_secret(self)
	self.secret = self.secret or secret_of.open(self.state)
	self.key = self.secret:key "forgotten"
end

local function read(self, text)
	for line in text:gmatch "([^\n]*)\n" do
		local secret_id, digest = line:match(LINE)
		if not digest then
			refuse("the list of erased contacts '%s' is damaged; put it back from a backup", self.path)
		end
		if secret_id ~= self.secret.id then
			refuse("the list of erased contacts '%s' was made with another secret, so nobody can tell whom to keep out; put "
				.. "'secret' back from a backup, or move the list away to let them in", self.path)
		end
		if not self.digests[digest] then self.n = self.n + 1 end
		self.digests[digest] = true
	end
end

--- The list of a state folder. Raises kind config (exit 2) when it is damaged or of another secret.
---@param state string the folder
---@return syncrun.Forgotten
function M.open(state)
	local self = setmetatable({ path = state .. "/forgotten", state = state, digests = {}, n = 0 }, Forgotten)
	local text = file.read(self.path)
	if text then
		take_secret(self)
		read(self, text)
	end
	return self
end

--- Whether a contact must stay away.
---@param id string
---@return boolean
function Forgotten:has(id)
	return self.n > 0 and self.digests[crypto.hmac_sha256(self.key, id)] ~= nil
end

--- The rows of a page that may come in; nil when all may.
---@param page syncrun.Rows
---@param key string the column of the contact_id
---@return integer[]?
function Forgotten:others(page, key)
	if self.n == 0 then return nil end
	local list = {}
	for i = 1, #page do
		if not self:has(page:text(i, key) or "") then list[#list + 1] = i end
	end
	return #list < #page and list or nil
end

--- Keep a contact away from now on. On the disk when this returns.
---@param id string
function Forgotten:add(id)
	take_secret(self)
	if self:has(id) then return end
	local digest = crypto.hmac_sha256(self.key, id)
	self.digests[digest], self.n = true, self.n + 1
	file.replace(self.path, (file.read(self.path) or "") .. self.secret.id .. " " .. digest .. "\n")
end

return M

-- The role of the API key: what it may not do, as observed on Twenty 2.21 (tests/recordings/twenty-roles.jsonl). Told by
-- POST /_sandbox/role, so that a client can be shown to find it out beforehand; without one everything is allowed. Knows no
-- transport and no SQL.
local errors = require "sandbox.twenty.errors"

local M = {}

--- What Twenty says of a right that is missing.
M.DENIED = "Entity performing the request does not have permission"

---@class sandbox.twenty.Role
---@field read boolean? false: no people are seen
---@field update boolean? false: none are made or changed
---@field delete boolean? false: none are deleted or destroyed
---@field model boolean? false: no fields are made, and REST tells of none
---@field hidden string[]? fields of person that are not read (nor written)
---@field locked string[]? fields of person that are not written
local Role = {}
Role.__index = Role

local function set_of(list)
	local set = {}
	for _, name in ipairs(list or {}) do set[name] = true end
	return set
end

--- A role; nil: one that may do everything.
---@param declared sandbox.twenty.Role?
---@return sandbox.twenty.Role
function M.new(declared)
	declared = declared or {}
	local self = setmetatable({ hidden = set_of(declared.hidden), locked = set_of(declared.locked) }, Role)
	for name in pairs(self.hidden) do self.locked[name] = true end
	for _, right in ipairs { "read", "update", "delete", "model" } do self[right] = declared[right] ~= false end
	return self
end

local function deny(verb, field)
	local more = field and (': no permission to %s field "%s" on "person"'):format(verb, field) or ""
	errors.denied(M.DENIED .. more)
end

-- Rights are those on people; other objects are free.
local function concerns(object)
	return object.singular == "person"
end

--- Raise unless the role has a right on an object: "read", "update", "delete".
---@param object table
---@param right string
function Role:need(object, right)
	if concerns(object) and not (self.read and self[right]) then deny() end
end

--- Raise when one of these fields of an object is hidden.
---@param object table
---@param names string[]
function Role:need_to_read(object, names)
	if not concerns(object) then return end
	self:need(object, "read")
	for _, name in ipairs(names) do
		if self.hidden[name] then deny("read", name) end
	end
end

-- What the server writes by itself is the role's too.
local BY_SERVER = { create = { "position", "createdBy", "updatedBy" }, update = { "updatedBy" },
	upsert = { "deletedAt", "updatedBy" } }

--- Raise when one of the fields of these records may not be written.
---@param object table
---@param list { keys: string[] }[] the records as they were sent
---@param how "create"|"update"|"upsert"
function Role:need_to_write(object, list, how)
	if not concerns(object) then return end
	for _, input in ipairs(list) do
		for _, names in ipairs { input.keys or {}, BY_SERVER[how] } do
			for _, name in ipairs(names) do
				if self.locked[name] then deny("write", name) end
			end
		end
	end
end

return M

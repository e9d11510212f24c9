--- What a run would change in one target: how many contacts would be created, updated, revived and deleted, in which fields,
--- with some examples; and, where a plan is kept, each of them with both values. Nothing is changed here.
local M = {}

---@class syncrun.Changes
---@field n integer contacts that differ or are not there
---@field refused integer of those, would not be sent
---@field creates integer
---@field updates integer of contacts that are there
---@field revives integer
---@field deletes integer of contacts that the source does not have
---@field differ integer contacts that are there and differ, those of them that would not be sent included
---@field by_field table<string, { n: integer, examples: string[] }> updates by the field of the mapping
---@field examples string[] ten of the keys that would be updated or deleted
local Changes = {}
Changes.__index = Changes

local EXAMPLES = 10

--- Nothing yet.
---@param target syncrun.Target
---@return syncrun.Changes
function M.new(target)
	return setmetatable({ target = target, n = 0, creates = 0, updates = 0, revives = 0, deletes = 0, refused = 0,
		differ = 0, by_field = {}, examples = {} }, Changes)
end

local function add_example(list, key)
	if #list < EXAMPLES then list[#list + 1] = key end
end

local function count_fields(self, key, differences)
	for _, d in ipairs(differences) do
		local field = self.by_field[d.field] or { n = 0, examples = {} }
		self.by_field[d.field], field.n = field, field.n + 1
		add_example(field.examples, key)
	end
end

---@class syncrun.Change one contact that differs, or is not there
---@field mode "create"|"update"|"revive"
---@field key string
---@field expected syncrun.Rows
---@field i integer
---@field found syncrun.Rows? what is there; of a revive the tombstone
---@field j integer
---@field refused string? why it would not be sent
---@field differences syncrun.Difference[]

--- Take in a contact that differs, or is not there.
---@param change syncrun.Change its differences are filled in here
function Changes:add(change)
	local target = self.target
	self.n = self.n + 1
	if change.mode == "update" then self.differ = self.differ + 1 end
	change.differences = change.found and target.judge:differences(change.expected, change.i, change.found, change.j) or {}
	if change.refused then
		self.refused = self.refused + 1
	else
		self[change.mode .. "s"] = self[change.mode .. "s"] + 1
		if change.mode == "update" then
			add_example(self.examples, change.key)
			count_fields(self, change.key, change.differences)
		end
	end
	if target.on_change then target.on_change(change) end
end

--- Take in a contact that would be deleted.
---@param key string
function Changes:delete(key)
	self.n, self.deletes = self.n + 1, self.deletes + 1
	add_example(self.examples, key)
end

--- The fields that would be updated, in order.
---@return string[]
function Changes:fields()
	local list = {}
	for field in pairs(self.by_field) do list[#list + 1] = field end
	table.sort(list)
	return list
end

return M

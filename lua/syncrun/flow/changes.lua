--- What a run would change in one target: how many contacts would be created, updated and revived, in which fields, with
--- some examples; and, where a plan is kept, each of them with both values. Nothing is changed here.
local M = {}

---@class syncrun.Changes
---@field n integer contacts that would be sent
---@field creates integer
---@field updates integer of contacts that are there
---@field revives integer
---@field by_field table<string, integer> updates by the field of the mapping
---@field examples string[] ten of the keys that would be updated
local Changes = {}
Changes.__index = Changes

local EXAMPLES = 10

--- Nothing yet.
---@param target syncrun.Target
---@return syncrun.Changes
function M.new(target)
	return setmetatable({ target = target, n = 0, creates = 0, updates = 0, revives = 0, by_field = {}, examples = {} },
		Changes)
end

local function count_fields(self, differences)
	for _, d in ipairs(differences) do self.by_field[d.field] = (self.by_field[d.field] or 0) + 1 end
end

--- A contact that differs, or is not there.
---@param mode "create"|"update"|"revive"
---@param expected syncrun.Rows
---@param i integer
---@param found syncrun.Rows? what is there; of a revive the tombstone
---@param j integer
function Changes:add(mode, expected, i, found, j)
	local key = expected:text(i, self.target.key)
	self.n = self.n + 1
	self[mode .. "s"] = self[mode .. "s"] + 1
	local differences = found and self.target.judge:differences(expected, i, found, j) or {}
	if mode == "update" then
		if #self.examples < EXAMPLES then self.examples[#self.examples + 1] = key end
		count_fields(self, differences)
	end
	if self.target.on_change then self.target.on_change(mode, key, differences, expected, i, found, j) end
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

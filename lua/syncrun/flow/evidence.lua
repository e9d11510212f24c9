--- What a look at a system leaves for the proof: a leaf for each contact as it should be, and one for each as it was read. It is
--- told what the pass and the second look find, and judges nothing. Knows no system by name.
local leaves = require "syncrun.leaves"

local M = {}

---@class syncrun.Evidence
local Evidence = {}
Evidence.__index = Evidence

-- The columns of the expected row that count: those that the checks leave out are not in the proof either.
local function counted(target)
	local names = {}
	for i, name in ipairs(target.plans.expected:schema():names()) do
		if i == 1 or target.judge:includes(target.field_of[name].name) then names[#names + 1] = name end
	end
	return names
end

--- The evidence of a target.
---@param target syncrun.Target
---@param memo syncrun.LeafMemo shared by the targets of a run
---@param scratch string path of a scratch file that is nameless at once
---@return syncrun.Evidence
function M.new(target, memo, scratch)
	local plan, names = target.plans.expected, counted(target)
	return setmetatable({
		columns = names, leaves = leaves.new(memo, plan, plan:schema():select(names), target.key, scratch),
		tolerant = not target.judge.checks.exists, except = {}, skip = {},
	}, Evidence)
end

--- A pass begins, or begins anew: what was told so far is forgotten.
function Evidence:begin()
	self.leaves:restart()
	self.except, self.skip = {}, {}
end

--- What one step of the merge found. Where absence is tolerated, who is absent is not in the proof.
---@param found table
---@param actual syncrun.Rows?
function Evidence:step(found, actual)
	local read = {}
	for n, pair in ipairs(found.differ) do
		self.except[#self.except + 1] = pair.e
		read[n] = pair.a
	end
	local absent = self.tolerant and self.skip or self.except
	for _, i in ipairs(found.missing) do absent[#absent + 1] = i end
	for _, pair in ipairs(found.again) do
		if pair.e and not self.tolerant then read[#read + 1] = pair.a end
	end
	if #read > 0 then self.leaves:observed(actual, read) end
end

--- A page of expected rows is through.
---@param page syncrun.Rows
---@param model syncrun.Rows the rows it was made of
function Evidence:page(page, model)
	self.leaves:expected(page, model, self.except, self.skip)
	self.except, self.skip = {}, {}
end

--- A row of a contact that the source has not.
---@param page syncrun.Rows
---@param j integer
function Evidence:extra(page, j)
	self.leaves:extra(page, { j })
end

--- A contact was looked at again.
---@param expected syncrun.Rows
---@param i integer
---@param page syncrun.Rows
---@param alive integer[] its rows there
function Evidence:looked_again(expected, i, page, alive)
	self.leaves:revised(expected, i, page, alive)
end

--- Write the leaves of the last look. On the disk when this returns.
---@param stem string of the files' paths
---@return table sides as syncrun.leaves gives them
function Evidence:write(stem)
	return leaves.write(self.leaves, { expected = stem .. ".expected", observed = stem .. ".observed",
		extras = stem .. ".extras" })
end

--- Let go of what is held. Legal twice.
function Evidence:close()
	self.leaves:close()
end

--- Evidence that keeps nothing: of a run without a proof.
---@return syncrun.Evidence
function M.none()
	local none = {}
	for name, value in pairs(Evidence) do
		if type(value) == "function" then none[name] = function() end end
	end
	return none
end

return M

--- How a contact of a run stands that is to be undone: as it was before that run, as the run left it, or changed since; and so
--- what is to be done about it. Only looks. Knows no system by name.
local extras = require "syncrun.flow.extras"
local rows = require "syncrun.rows"
local sql = require "syncrun.systems.sql"

local M = {}

---@class syncrun.Standing of one contact of a run that is undone
---@field change syncrun.ImageChange
---@field before { page: syncrun.Rows, i: integer, gone: boolean }? nil: nobody was there
---@field now { page: syncrun.Rows, j: integer, gone: boolean }?
---@field twice boolean? it is there more than once

--- The rows of a page by key: key -> their numbers.
---@param target syncrun.Target
---@param page syncrun.Rows
---@return table<string, integer[]>
function M.index(target, page)
	local at = {}
	for j = 1, #page do
		local key = page:text(j, target.key)
		at[key] = at[key] or {}
		table.insert(at[key], j)
	end
	return at
end

--- How a contact is now: its row, a tombstone when there is no other; and whether it is there more than once.
---@param target syncrun.Target
---@param found syncrun.Rows
---@param list integer[]? its rows
---@return table?, boolean
function M.now_of(target, found, list)
	local alive = target.judge:alive(found, list or {})
	local j = alive[1] or (list and list[1])
	if not j then return nil, false end
	return { page = found, j = j, gone = #alive == 0 }, #alive > 1
end

local function befores(target, pages)
	local by_key = {}
	for _, page in ipairs(pages) do
		for i = 1, #page do
			by_key[page:text(i, target.key)] = { page = page, i = i, gone = target.judge:is_gone(page, i) }
		end
	end
	return by_key
end

local function is_there(row)
	return row ~= nil and not row.gone
end

--- The columns of a page that a plan makes.
---@param page syncrun.Rows
---@param plan syncrun.Plan
---@return syncrun.Rows
function M.picked(page, plan)
	local columns = {}
	for i, name in ipairs(plan:schema():names()) do columns[i] = { name = name } end
	return sql.pick(page, columns)
end

--- Whether a contact is as it was before the run, in the fields that are compared.
---@param target syncrun.Target
---@param s syncrun.Standing
---@return boolean
function M.is_as_before(target, s)
	if is_there(s.before) ~= is_there(s.now) then return false end
	if not is_there(s.before) then return true end
	return rows.equal(s.before.page, s.before.i, s.now.page, s.now.j, target.plans.expected:schema():names())
end

local function digest_of(target, plan, row)
	return rows.digests(M.picked(row.page:slice(row.j, row.j), plan), target.key):get(1, "digest")
end

-- A value in a field that is the target's own: a person filled it since.
local function has_own_values(target, row)
	for _, column in ipairs(target.projection) do
		local value = column.own == "target" and row.page:text(row.j, column.name)
		if value and value ~= "" then return true end
	end
	return false
end

-- Whether the contact still is as one of the run's requests left it.
local function is_as_left(target, kept, s)
	local created = s.change.mode == "create"
	for _, left in ipairs(kept:left(target.system.name, s.change.key)) do
		if left.left == "" then
			if not is_there(s.now) then return true end
		elseif is_there(s.now) then
			local plan = left.mode == "create" and target.plans.write or target.plans.expected
			if left.left == digest_of(target, plan, s.now) then return not created or not has_own_values(target, s.now) end
		end
	end
	return false
end

local function who_since(target, s)
	local by = s.now and target.system.edited and target.system:edited(s.now.page, s.now.j)
	return ("%s: changed there since%s"):format(target.label, by and (" (%s)"):format(by) or "")
end

-- A person's edit of what we do not sync is one too: it would be lost with a contact that is taken out.
local function is_edited(target, s)
	return s.change.mode == "create" and is_there(s.now) and target.system.edited ~= nil
		and target.system:edited(s.now.page, s.now.j) ~= nil
end

--- What is to be done with a contact: "same" (nothing), "out" (it is taken out), "update" or "back" (put back: it is there, or
--- not), or nil and why not.
---@param target syncrun.Target
---@param kept syncrun.Images
---@param s syncrun.Standing
---@return "same"|"out"|"update"|"back"|nil, string?
function M.decide(target, kept, s)
	if s.twice then return nil, target.label .. ": exists more than once" end
	if s.change.shape and not s.before then return nil, target.label .. ": what was there before is not kept any more" end
	if M.is_as_before(target, s) then return "same" end
	if not is_as_left(target, kept, s) or is_edited(target, s) then return nil, who_since(target, s) end
	if not s.before then return extras.can_delete(target.system) and "out" or nil, target.label .. " cannot delete" end
	if not target.system.restore then return nil, target.label .. " cannot put rows back" end
	return s.now and "update" or "back"
end

--- How the contacts of some changes stand.
---@param target syncrun.Target
---@param kept syncrun.Images
---@param changes syncrun.ImageChange[]
---@param found syncrun.Rows what is there of them
---@param at table<string, integer[]> of index
---@return syncrun.Standing[]
function M.of(target, kept, changes, found, at)
	local before, list = befores(target, kept:before(changes)), {}
	for n, change in ipairs(changes) do
		local now, twice = M.now_of(target, found, at[change.key])
		list[n] = { change = change, before = before[change.key], now = now, twice = twice }
	end
	return list
end

return M

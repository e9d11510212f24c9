--- A run's proof against what a system holds now: the leaves are computed again from the rows that are there, and every
--- contact whose leaf is another is named. Knows no system by name.
local crypto = require "syncrun.crypto"
local err = require "syncrun.err"
local exits = require "syncrun.flow.exits"
local file = require "syncrun.file"
local history = require "syncrun.record.history"
local host = require "syncrun.host"
local leaves = require "syncrun.leaves"
local membership = require "syncrun.record.membership"
local near = require "syncrun.near"
local rows = require "syncrun.rows"
local target_of = require "syncrun.flow.target"
local task = require "syncrun.task"
local tree = require "syncrun.tree"

local M = {}

local LEAF, NAME = 64, 32

local function refuse(...)
	err.raise { kind = "config", exit = exits.usage, message = string.format(...) }
end

-- ---- which system, which columns

--- The configured system that people call so: its label, name or kind. Raises kind usage.
---@param session syncrun.Session
---@param word string
---@return syncrun.System
function M.system(session, word)
	local labels = {}
	for _, system in ipairs(session:configured()) do
		if system.label == word or system.name == word or system.kind == word then return system end
		labels[#labels + 1] = system.label
	end
	err.raisef("usage", "no system is called '%s'%s; there are %s", word, near.hint(word, labels),
		table.concat(labels, ", "))
end

--- What a proof says of a system. Raises kind usage where it compared nothing there.
---@param fields table of the proof
---@param label string
---@return table
function M.proved(fields, label)
	for _, system in ipairs(fields.systems) do
		if system.label == label and system.state == "compared" then return system end
	end
	err.raisef("usage", "the run '%s' compared nothing in %s", fields.run, label)
end

--- The columns that a proof is about, as they are called in the system. Raises kind config when the mapping makes others.
---@param session syncrun.Session
---@param system syncrun.System
---@param proved table
---@return string[] names, syncrun.Plan plan
function M.columns(session, system, proved)
	local plan = target_of.expected_plan(system, session.mapping:schema())
	local line_of, names = {}, {}
	for _, column in ipairs(system:projection()) do
		line_of[("%s %s %s"):format(column.field.name, column.type, column.name)] = column.name
	end
	for i, line in ipairs(proved.columns) do
		names[i] = line_of[line]
		if not names[i] then
			refuse("the proof is about the column '%s' of %s, which this mapping does not make; verify it with the mapping of "
				.. "that run", line, system.label)
		end
	end
	return names, plan
end

--- The rows of a page that are alive and have a key.
---@param system syncrun.System
---@param page syncrun.Rows
---@return integer[]
function M.alive(system, page)
	local key, list = system:projection()[1].name, {}
	local gone = system.gone and page:schema():index(system.gone) and system.gone
	for j = 1, #page do
		if (page:text(j, key) or "") ~= "" and not (gone and not page:is_null(j, gone)) then list[#list + 1] = j end
	end
	return list
end

-- ---- the leaves now

-- Write the leaves of everything that the system holds, in a folder; the path of the file.
local function write_leaves(session, system, proved, key, folder)
	local names, plan = M.columns(session, system, proved)
	local scratch, column = folder .. "/scratch", system:projection()[1].name
	local memo <close> = leaves.memo(key, session.mapping:schema(), session.mapping.key, scratch)
	local set <close> = leaves.new(memo, plan, plan:schema():select(names), column, scratch)
	for page in system:scan() do
		set:observed(page, M.alive(system, page))
		task.sleep(0)
	end
	leaves.write(set, { expected = folder .. "/expected", observed = folder .. "/observed", extras = folder .. "/extras" })
	if not file.kind(folder .. "/observed") then return folder .. "/expected" end -- nothing is there
	return folder .. "/observed"
end

local function with_folder(state, f)
	local folder = ("%s/verify-%d"):format(state, host.pid())
	file.make_folder(folder)
	local result, e = err.try(f, folder)
	for _, name in ipairs { "expected", "observed", "extras" } do os.remove(folder .. "/" .. name) end
	os.remove(folder)
	if e then err.raise(e) end
	return result
end

-- ---- compared

-- A list of leaves that is gone through beside others.
local function cursor(list)
	local at, self = -1, {}
	function self.step()
		at = at + 1
		self.leaf = list and at < #list and list:at(at) or nil
		self.name = self.leaf and self.leaf:sub(1, NAME)
	end
	self.step()
	return self
end

local function least(cursors)
	local name
	for _, c in pairs(cursors) do
		if c.name and (not name or c.name < name) then name = c.name end
	end
	return name
end

-- What became of one contact since the run; nil: nothing.
local function change(now, expected, observed, extra)
	if expected then
		if now == observed then return nil end
		return not now and "gone" or not observed and "there again" or "changed"
	end
	if (now ~= nil) == extra then return nil end
	return now and "extra, not there then" or "extra, gone"
end

local STEP = 20000 -- contacts before others get their turn

-- Go through the leaves of then and now: the root over the source's contacts, and what differs, by name.
local function compare(live, kept)
	local c = { now = cursor(live), expected = cursor(kept.expected), observed = cursor(kept.observed),
		extras = cursor(kept.extras) }
	local grower, changes, n = tree.grower(), {}, 0
	for name in function() return least(c) end do
		local leaf = {}
		for side, at in pairs(c) do
			leaf[side] = at.name == name and at.leaf or nil
			if leaf[side] then at.step() end
		end
		if leaf.expected and leaf.now then grower:add(leaf.now) end
		local what = change(leaf.now, leaf.expected ~= nil, leaf.observed, leaf.extras ~= nil)
		if what then changes[#changes + 1] = { name = name, what = what } end
		n = n + 1
		if n % STEP == 0 then task.sleep(0) end
	end
	return { root = crypto.hex(grower:root()), size = #grower, changes = changes }
end

-- ---- who they are

local function identify(changes, key, ids)
	local open = {}
	for _, change_ in ipairs(changes) do
		if not change_.id then open[change_.name] = change_ end
	end
	if not next(open) then return end
	for id in ids do
		local found = open[membership.name(membership.key(key, id), id)]
		if found then found.id = id end
	end
end

-- The contacts that the system holds, by a look of its own: those that the ledger does not know.
local function ids_there(system)
	local key = system:projection()[1].name
	return coroutine.wrap(function()
		for page in system:scan() do
			for _, j in ipairs(M.alive(system, page)) do coroutine.yield(page:text(j, key)) end
		end
	end)
end

local function name_changes(changes, key, system, state, after)
	local past <close> = history.open(state)
	identify(changes, key, past:keys(system.name))
	for _, change_ in ipairs(changes) do
		if not change_.id then
			identify(changes, key, ids_there(system))
			break
		end
	end
	for _, change_ in ipairs(changes) do
		change_.by = change_.id and past:changed_by(system.name, change_.id, after)
	end
	table.sort(changes, function(a, b) return (a.id or "") < (b.id or "") end)
end

local function open_kept(verification, fields, proved)
	local kept = {}
	for _, side in ipairs { "expected", "observed", "extras" } do
		local path = verification:leaves(fields, proved, side)
		kept[side] = path and tree.open(path, LEAF)
	end
	if not kept.expected then
		refuse("the leaves of the run '%s' are no longer kept (those of the last three runs are); without them nobody can "
			.. "say which contact differs", fields.run)
	end
	return kept
end

---@class syncrun.LiveChange
---@field id string? nil: nobody knows any more
---@field what string in words
---@field by string? the later run of ours whose request about it was the last

--- Compute a system's roots again from what it holds now, and name what differs from what the run read.
---@param verification syncrun.Verification
---@param fields table of the run's proof
---@param session syncrun.Session
---@param system syncrun.System
---@param key string the proof key
---@return { root: string, size: integer, equal: boolean, changes: syncrun.LiveChange[] }
function M.look(verification, fields, session, system, key)
	local proved = M.proved(fields, system.label)
	local kept = open_kept(verification, fields, proved)
	local found = with_folder(verification.state, function(folder)
		local live <close> = tree.open(write_leaves(session, system, proved, key, folder), LEAF)
		return compare(live, kept)
	end)
	for _, list in pairs(kept) do list:close() end
	found.equal = #found.changes == 0 and found.root == proved.observed_root
	name_changes(found.changes, key, system, verification.state, fields.finished_at)
	return found
end

-- ---- one contact

--- The row of a contact as a system holds it now: canonical forms in the order of the proof's columns; nil when it is not
--- there, or more than once.
---@param session syncrun.Session
---@param system syncrun.System
---@param proved table what the proof says of the system
---@param id string
---@return table<integer, string?>?
function M.row(session, system, proved, id)
	local names, page = M.columns(session, system, proved), system:fetch { id }
	local alive = M.alive(system, page)
	if #alive ~= 1 then return nil end
	local cells = {}
	for i, name in ipairs(names) do cells[i] = rows.canon(page, alive[1], name) end
	return cells
end

return M

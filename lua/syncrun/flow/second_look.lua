--- The second look: a difference is one only when it is still there a little later, for somebody may just have been writing.
--- The contacts in question are read again, by key, and judged by that. Knows no system by name.
local pass = require "syncrun.flow.pass"
local task = require "syncrun.task"

local M = {}

local SUSPECTS = 2000  -- more are looked at again in a whole pass, not by key
local FETCH_KEYS = 500 -- keys a call

-- The rows of a page by key: key -> their numbers.
local function by_key(page, key)
	local at = {}
	for j = 1, #page do
		local k = page:text(j, key) or ""
		at[k] = at[k] or {}
		table.insert(at[k], j)
	end
	return at
end

local function judge_again(target, expected, found, at)
	for i = 1, #expected do
		local key = expected:text(i, target.key)
		local list = at[key] or {}
		local alive = target.judge:alive(found, list)
		if #alive == 1 then target:amend(expected, i, found, alive[1]) end
		local verdict = target.judge:contact(expected, i, found, list)
		target.evidence:looked_again(expected, i, found, alive)
		if verdict.state == "verified" then target.counts.same = target.counts.same + 1 end
		target:note_verdict(key, verdict, found,
			verdict.row and target.server_changes:made(key, expected, i, found, verdict.row))
	end
end

local function look_again(target, keys)
	local reading = target.ledger:read(target.system.name)
	local found = target.system:fetch(keys)
	target.ledger:was_read(reading, #keys)
	target.snapshot:forget_suspects(target.label, keys)
	target.server_changes:again(keys)
	local at = by_key(found, target.key)
	for model in target.snapshot:pages_of(keys) do judge_again(target, target:expected(model), found, at) end
end

--- Look again at what seems to be missing or different in a target.
---@param target syncrun.Target
function M.run(target)
	local keys = target.snapshot:suspects(target.label, SUSPECTS + 1)
	if #keys == 0 then return end
	task.sleep(target.recheck_after)
	if #keys > SUSPECTS then
		target.snapshot:forget(target.label)
		return pass.run(target, "validate")
	end
	for from = 1, #keys, FETCH_KEYS do
		look_again(target, table.move(keys, from, math.min(from + FETCH_KEYS - 1, #keys), 1, {}))
	end
end

return M

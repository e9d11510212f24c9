--- Contacts that a target has and the source has not: those that our ledger created may be deleted, where a run is asked to
--- (`--delete-extras`), and only when the source's set is proven complete. What others made is never touched. Knows no
--- system by name.
local err = require "syncrun.err"
local exits = require "syncrun.flow.exits"
local task = require "syncrun.task"

local M = {}

local TRIES = 4    -- at a batch whose answer did not come
local EXAMPLES = 10

-- ---- may it be done?

-- With these a run does not look at every contact, or does what a plan says and nothing else.
local OTHERS = { "only", "limit", "changed", "skip_sync", "plan", "apply" }

--- Raises kind usage (exit 2) when a run that deletes extras is asked for something that goes not with it.
---@param options table
function M.check(options)
	for _, name in ipairs(options.delete_extras and OTHERS or {}) do
		if options[name] then
			err.raisef("usage", "--delete-extras does not go with --%s: it needs a run over all contacts; leave one out",
				(name:gsub("_", "-")))
		end
	end
end

-- Why the source's contacts may not be all there are; nil when they are.
local function doubt(run)
	if run.session.source.filter then return "its filter leaves contacts out" end
	if not (run.intake.described.count and run.intake.described_after.count) then
		return "nothing tells how many rows it has"
	end
	if run.let_pass then return ("--%s let pass what is wrong with it"):format(run.let_pass) end
	local nameless = run.snapshot:nameless()
	if nameless > 0 then return ("%d of its rows have no id, so nobody knows whose they are"):format(nameless) end
end

--- Take the extras that would be deleted into the targets' changes. Raises kind guard when the source's set is not proven
--- complete: then nothing may be deleted for not being in it.
---@param run syncrun.Run every target has its plan
function M.plan(run)
	local why = doubt(run)
	if why then
		err.raise { kind = "guard", code = "delete-extras", exit = exits.guard,
			message = ("%s is not proven complete (%s), so nothing is deleted for not being in it; nothing was written. Run "
				.. "without --delete-extras"):format(run.session.source.label, why) }
	end
	for _, target in ipairs(run.targets) do
		if target.changes and M.can_delete(target.system) then
			for key in run.snapshot:our_extras(target.label) do target.changes:delete(key) end
		end
	end
end

--- Whether a system can take contacts out at all.
---@param system syncrun.System
---@return boolean
function M.can_delete(system)
	return system.retire ~= nil or system.delete ~= nil
end

-- ---- doing it

-- The rows of those of these contacts that are there, and the record of having looked.
local function look(target, keys)
	local reading = target.ledger:read(target.system.name)
	local found = target.system:fetch(keys)
	target.ledger:was_read(reading, #found)
	return found:pick((target.judge:alive(found))), reading
end

local function keys_of(target, page)
	local keys = {}
	for j = 1, #page do keys[j] = page:text(j, target.key) end
	return keys
end

local function take_out(system, keys)
	return (system.retire or system.delete)(system, keys)
end

-- One request; an error that leaves open what became of it is looked into by reading.
local function send(target, page, reading)
	local keys = keys_of(target, page)
	local attempt = target.ledger:departing(target.system.name, "delete", keys, reading)
	target.images:keep { system = target.system.name, attempt = attempt.id, mode = "delete", before = page,
		key = target.key }
	local _, e = err.try(function()
		take_out(target.system, keys)
		return true
	end)
	if not e then return target.ledger:departed(attempt) end
	if e.kind == "cancelled" then err.raise(e) end
	target.ledger:failed(attempt, e)
	if not (e.unknown or e.retryable) then err.raise(e) end
	return e
end

--- Take contacts out of a target: softly where it can be done so. Returns how many were there. Raises when it cannot be done.
---@param target syncrun.Target
---@param keys string[] of one batch
---@return integer
function M.take_out(target, keys)
	target.wrote = true
	local left, reading = look(target, keys)
	local n, e = #left, nil
	for try = 1, TRIES do
		if #left == 0 then return n end
		if try > 1 then task.sleep(0.25 * 2 ^ try) end
		e = send(target, left, reading)
		left, reading = look(target, keys_of(target, left))
	end
	if #left == 0 then return n end
	err.raise(e or err.new { kind = "check",
		message = ("%s says that it deleted %d contacts, which are there all the same"):format(target.label, #left) })
end

-- Keys of an iterator, so many at a time.
local function batches(next_key, size)
	return function()
		local keys = {}
		for key in next_key do
			keys[#keys + 1] = key
			if #keys == size then break end
		end
		return #keys > 0 and keys or nil
	end
end

local function note(run, target, keys, n)
	run.notes[#run.notes + 1] = ("Deleted in %s (we created them, and %s has them no more): %d (%s%s)"):format(
		target.label, run.session.source.label, n, table.concat(keys, ", "), n > #keys and " …" or "")
end

--- Delete the extras of a target that our ledger created, as planned.
---@param run syncrun.Run
---@param target syncrun.Target
function M.delete(run, target)
	if target.changes.deletes == 0 then return end
	local n, examples = 0, {}
	for keys in batches(run.snapshot:our_extras(target.label), target.system.limits.rows) do
		n = n + M.take_out(target, keys)
		table.move(keys, 1, math.min(#keys, EXAMPLES - #examples), #examples + 1, examples)
	end
	note(run, target, examples, n)
end

return M

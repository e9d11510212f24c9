--- One look at a whole system: what it holds is compared with what it should hold. What is done about a difference is the
--- pass's purpose: "plan" only counts it, "write" sends it, "validate" calls it one. A pass is made, run and dropped; what
--- lasts is the target's. Knows no system by name.
local changes = require "syncrun.flow.changes"
local deliver = require "syncrun.flow.deliver"
local err = require "syncrun.err"
local log = require "syncrun.log"
local rows = require "syncrun.rows"
local task = require "syncrun.task"
local values = require "syncrun.model.values"

local M = {}

---@alias syncrun.Purpose "plan"|"write"|"validate"

---@class syncrun.Pass
---@field target syncrun.Target
---@field purpose syncrun.Purpose
local Pass = {}
Pass.__index = Pass

local WRITERS = 2      -- batches under way at once, per system
local FETCH_KEYS = 500 -- keys a call, when contacts are read by key
local PASSES = 6       -- tries at reading a system that goes away meanwhile

local function new(target, purpose)
	return setmetatable({
		target = target, system = target.system, snapshot = target.snapshot, purpose = purpose,
		writing = purpose == "write",
		seen = 0, sent = 0, settled = 0, batches = {}, writers = task.semaphore(WRITERS),
		tally = values.tally(target.plans.expected:schema():names()),
	}, Pass)
end

--- How many contacts this pass is through with; planning is through with none.
---@return integer
function Pass:done()
	if self.purpose == "plan" then return 0 end
	return math.max(0, self.seen - (self.sent - self.settled))
end

-- ---- the two streams

-- Only the contacts of this run, by key: an iterator over pages of a few hundred.
local function pages_by_key(self)
	local pages = self.snapshot:pages(FETCH_KEYS)
	return function()
		local model = pages()
		if not model then return nil end
		local keys = {}
		for i = 1, #model do keys[i] = model:text(i, self.target.key_field) end
		return self.system:fetch(keys)
	end
end

local function in_order(self)
	return self.system.ordered and not self.target.by_key
end

-- Read a system that cannot deliver key order: whole, or the contacts of this run by key. What was planned with is written
-- by: it is not read again in between.
local function take_actual(self)
	if in_order(self) or self.writing then return end
	self.snapshot:take(self.system, self.target.by_key and pages_by_key(self) or self.system:scan())
end

local function actual_pages(self)
	if self.purpose == "plan" and self.target.only_planned and self.system.is_new then return function() return nil end end
	return in_order(self) and self.system:scan() or self.snapshot:taken(self.system.name)
end

-- Pages of what is expected, each with the model page it was made of and what became of its values.
local function expected_pages(self)
	local pages = self.snapshot:pages()
	return function()
		local model = pages()
		if not model then return nil end
		local page, counts = self.target:expected(model)
		return page, { model = model, counts = counts }
	end
end

-- ---- what cannot be sent

-- Why a contact cannot be sent as it is: the columns whose value this system cannot hold.
local function objections(self, page, i)
	local reasons, refused
	for _, fate in ipairs(page:fates(i) or {}) do
		if fate.fate == "rejected" or fate.fate == "lost" then
			local words = self.system.words and self.system:words(fate, page:text(i, fate.column))
			fate.note = fate.note .. (words or "")
			reasons = reasons or {}
			reasons[#reasons + 1] = fate
			refused = refused or fate.fate == "rejected" or self.target.field_of[fate.column].on_loss == "reject"
		end
	end
	return reasons or {}, refused or false
end

-- The same for the fields that only a new contact gets.
local function objections_once(self, model, i)
	local plan = self.target.plans.once
	if not plan then return {}, false end
	local page = plan:apply(model:slice(i, i))
	local reasons, refused = objections(self, page, 1)
	for _, fate in ipairs(reasons) do
		fate.text = values.reason(page, 1, fate, self.target.field_of[fate.column].on_loss)
	end
	return reasons, refused
end

local function note_objection(self, key, reason, refused)
	if reason.fate == "lost" and not reason.text then return end -- noted with its page, sent or not
	local text = reason.text or reason.column .. ": " .. reason.note
	self.target:note(key, "sync", reason.fate, ("%s: %s"):format(self.target.label, text),
		{ field = reason.column, state = refused and "rejected" or nil })
end

-- What speaks against sending a contact, and whether it is refused for that.
local function objections_to(self, mode, key, e_page, i, model)
	local reasons, refused = objections(self, e_page, i)
	if mode == "create" and not refused then
		local more
		more, refused = objections_once(self, model, i)
		table.move(more, 1, #more, #reasons + 1, reasons)
	end
	local foreseen = not refused and self.target.foreseen[key]
	if foreseen then reasons, refused = { foreseen }, true end
	return reasons, refused
end

-- Whether a contact may be sent; what speaks against it is noted.
local function may_send(self, mode, key, e_page, i, model)
	local reasons, refused = objections_to(self, mode, key, e_page, i, model)
	for _, reason in ipairs(reasons) do note_objection(self, key, reason, refused) end
	if refused then self.target.counts.rejected = self.target.counts.rejected + 1 end
	return not refused
end

-- ---- writing

local function record_outcome(self, mode, key, state, reason)
	local counts = self.target.counts
	self.settled = self.settled + 1
	counts[mode .. "d"] = counts[mode .. "d"] + 1
	if state == "rejected" then
		counts.rejected = counts.rejected + 1
		self.target:note(key, "sync", "rejected", ("%s: %s"):format(self.target.label, reason), { state = "rejected" })
	elseif state == "revived" then
		counts.revived = counts.revived + 1
		self.snapshot:note_revived(self.target.label, key)
	end
	self.target.on_progress()
end

local function send(self, batch)
	local target = self.target
	target.wrote = true
	deliver.deliver({
		system = self.system, plan = target.plans.write, compare = target.plans.expected, key = target.key,
		key_field = target.key_field, ledger = target.ledger, images = target.images, judge = target.judge,
		outcome = function(key, state, reason) record_outcome(self, batch.mode, key, state, reason) end,
	}, batch, batch.mode)
end

-- Hand a full batch to a writer; waits while all writers are busy, so that memory stays flat.
local function flush(self, mode)
	local batch = self.batches[mode]
	if not batch or #batch.model == 0 then return end
	self.batches[mode] = nil
	self.writers:acquire()
	self.scope:spawn(function()
		local _, e = err.try(function()
			send(self, batch)
			return true
		end)
		self.writers:release()
		if e then err.raise(e) end
	end)
end

local function start_batch(self, mode, actual)
	return { mode = mode, reading = self.target.reading, model = rows.new(self.snapshot.schema),
		actual = mode == "update" and rows.new(actual:schema()) or nil }
end

local function queue(self, mode, model, i, actual, j)
	local batch = self.batches[mode] or start_batch(self, mode, actual)
	self.batches[mode] = batch
	batch.model:append(model, i)
	if mode == "update" then batch.actual:append(actual, j) end
	self.sent = self.sent + 1
	local limits = self.system.limits
	if #batch.model >= limits.rows or batch.model:bytes() >= limits.bytes / 2 then flush(self, mode) end
end

-- ---- planning

local function add_change(self, mode, e_page, i, found, j, model)
	local key = e_page:text(i, self.target.key)
	local reasons, refused = objections_to(self, mode, key, e_page, i, model)
	local words = refused and (reasons[1].text or reasons[1].column .. ": " .. reasons[1].note) or nil
	self.target.changes:add { mode = mode, key = key, expected = e_page, i = i, found = found, j = j, refused = words }
end

-- A run that is held to a plan sends what stands in it and has not changed since.
local function is_planned(self, key, e_page, i, found, j)
	if not self.target.gate then return true end
	local planned, why = self.target.gate(key, e_page, i, found, j)
	if planned then return true end
	self.target:note(key, "sync", "failed", ("%s: %s"):format(self.target.label, why))
	return false
end

-- ---- what one step of the merge found

local function handle_differing(self, pair, e_page, model, a_page)
	local key, target = e_page:text(pair.e, self.target.key), self.target
	if target:amend(e_page, pair.e, a_page, pair.a) and target.judge:is_equal(e_page, pair.e, a_page, pair.a) then
		target.counts.same = target.counts.same + 1
		return
	end
	local left = target.server_changes:leaves(key, e_page, pair.e, a_page, pair.a)
	if self.purpose == "plan" and not left then
		return add_change(self, "update", e_page, pair.e, a_page, pair.a, model)
	end
	if self.writing and not left and may_send(self, "update", key, e_page, pair.e, model)
		and is_planned(self, key, e_page, pair.e, a_page, pair.a) then
		return queue(self, "update", model, pair.e, a_page, pair.a)
	end
	target:note_verdict(key, target.judge:contact(e_page, pair.e, a_page, { pair.a }), a_page,
		left or target.server_changes:made(key, e_page, pair.e, a_page, pair.a))
end

-- The verdict on a contact that is not there, and its tombstone.
local function judge_missing(self, e_page, i)
	local key = e_page:text(i, self.target.key)
	local tombstone = self.snapshot:tombstone(self.system.name, key)
	return self.target.judge:contact(e_page, i, tombstone, tombstone and { 1 } or {}, self.target.merged[key]), tombstone
end

local function handle_missing(self, i, e_page, model)
	local key = e_page:text(i, self.target.key)
	local verdict, tombstone = judge_missing(self, e_page, i)
	if verdict.kind == "deleted" then return self.target:note_verdict(key, verdict, tombstone) end
	local mode = tombstone and "update" or "create"
	if self.purpose == "plan" then
		return add_change(self, tombstone and "revive" or "create", e_page, i, tombstone, 1, model)
	end
	if self.writing and may_send(self, mode, key, e_page, i, model)
		and is_planned(self, key, e_page, i, tombstone, 1) then
		if verdict.merged then self.snapshot:note_merged(self.target.label, key, verdict.merged) end
		return queue(self, mode, model, i, tombstone, 1)
	end
	self.target:note_verdict(key, verdict, tombstone)
end

local function handle_extra(self, page, j)
	local key = page:text(j, self.target.key)
	if self.snapshot:has(key) then return end -- a contact that is not synced, as its key is repeated or a value is missing
	self.target.counts.extra = self.target.counts.extra + 1
	self.target.evidence:extra(page, j)
	self.snapshot:note_extra(self.target.label, key, self.target.ledger:created(self.system.name, key))
end

-- A key that is there once more than it should be.
local function handle_again(self, pair, e_page, a_page)
	if not pair.e then return handle_extra(self, a_page, pair.a) end
	local verdict = self.target.judge:contact(e_page, pair.e, a_page, { pair.a, pair.a })
	self.target:note_verdict(e_page:text(pair.e, self.target.key), verdict, a_page)
end

local function handle(self, found, e_page, model, a_page)
	self.target.counts.same = self.target.counts.same + found.same
	self.target.evidence:step(found, a_page)
	for _, pair in ipairs(found.differ) do handle_differing(self, pair, e_page, model, a_page) end
	for _, i in ipairs(found.missing) do handle_missing(self, i, e_page, model) end
	for _, pair in ipairs(found.again) do handle_again(self, pair, e_page, a_page) end
	for _, j in ipairs(found.extra) do handle_extra(self, a_page, j) end
end

-- A value that this system cannot hold is an error of every run, sent or not; its contact is not validated either.
local function note_fate(self, page, i, fate)
	local target = self.target
	local key, stored = page:text(i, target.key), page:text(i, fate.column)
	local reason = ("%s: %s"):format(target.label, values.reason(page, i, fate, target.field_of[fate.column].on_loss))
	self.snapshot:note_fate { key = key, system = target.label, field = fate.column, fate = fate.fate, note = fate.note,
		stored = stored, reason = reason }
	if fate.fate == "lost" and self.purpose ~= "validate" then
		local sent = target.field_of[fate.column].on_loss == "write"
		target:note(key, "sync", "lost", reason, { field = fate.column, stored = stored,
			state = sent and "mismatched" or "rejected" })
	end
end

local function count_page(self, page, made)
	self.target.evidence:page(page, made.model)
	self.tally:add(#page, made.counts)
	values.each_fate(page, made.counts, self.target.trace_folds, function(i, fate) note_fate(self, page, i, fate) end)
	self.seen = self.seen + #page
	self.target.on_progress()
end

-- The second merge, beside the comparison: what people keep in the fields that are theirs.
local function owned_merge(self)
	local target = self.target
	if not target.plans.owned then return nil end
	return values.owned(target.plans.owned, target.key, self.system.editor_column,
		function(key, name, expected, actual, editor)
			self.snapshot:note_owned { key = key, system = target.label, field = name, own = target.field_of[name].own,
				expected = expected, actual = actual, editor = editor }
		end)
end

-- The streams, each page of them also told to what looks at the fields of others.
local function watched_streams(self, owned)
	local next_expected, next_actual = expected_pages(self), actual_pages(self)
	if not owned then return next_expected, next_actual end
	return function()
		local page, made = next_expected()
		owned:expected(made and made.model)
		return page, made
	end, function()
		local page = next_actual()
		owned:actual(page)
		return page
	end
end

local function compare(self)
	local owned = owned_merge(self)
	local next_expected, next_actual = watched_streams(self, owned)
	for found, e_page, made, a_page, ended in rows.merge(next_expected, next_actual, self.target.key) do
		if owned then owned:step() end
		handle(self, found, e_page, made and made.model, a_page)
		if made and ended ~= "actual" then count_page(self, e_page, made) end
	end
end

-- ---- the look ahead

-- The rows of a page that this system can hold.
local function sendable(self, page, indices)
	local list = {}
	for _, i in ipairs(indices) do
		local _, refused = objections(self, page, i)
		if not refused then list[#list + 1] = i end
	end
	return list
end

-- Those that are missing and are not left so.
local function to_create(self, page, missing)
	local list = {}
	for _, i in ipairs(missing) do
		if judge_missing(self, page, i).kind ~= "deleted" then list[#list + 1] = i end
	end
	return sendable(self, page, list)
end

-- What a run is going to change, told beforehand to a system that asks for it (values that must be unique, a limited number
-- of requests). What it foresees to be refused is not sent: key -> {column=, fate=, note=}.
local function look_ahead(self)
	local target = self.target
	target.foreseen, target.merged, target.ahead = {}, {}, nil
	if not self.system.foresee then return end
	local look = self.system:foresee(self.snapshot, { by_key = target.by_key,
		is_ours = function(key) return target.ledger:wrote(self.system.name, key) end })
	for found, e_page in rows.merge(expected_pages(self), actual_pages(self), target.key) do
		local differ = {}
		for n, pair in ipairs(found.differ) do differ[n] = pair.e end
		if #differ > 0 then look:change("update", e_page, sendable(self, e_page, differ)) end
		if #found.missing > 0 then look:change("create", e_page, to_create(self, e_page, found.missing)) end
	end
	local merged
	target.foreseen, merged = look:finish()
	target.merged, target.ahead = merged or {}, look
end

local function foresee(self)
	local target = self.target
	if self.writing then -- planned with: now it is meant
		if target.ahead and target.ahead.commit then target.ahead:commit() end
	elseif self.purpose == "plan" or not target.foreseen then
		look_ahead(self)
	end
end

-- ---- the whole

local function run(self)
	local target = self.target
	target.pass, target.tally = self, self.tally
	target.counts.same, target.counts.extra = 0, 0
	if self.purpose == "plan" then
		target.changes = changes.new(target)
		if target.on_plan then target.on_plan() end
	end
	target.reading = target.ledger:read(self.system.name)
	target.evidence:begin()
	self.snapshot:forget_values(target.label)
	target.server_changes:begin(self.purpose == "validate")
	take_actual(self)
	foresee(self)
	task.scope(function(scope)
		self.scope = scope
		compare(self)
		for _, mode in ipairs { "create", "update" } do flush(self, mode) end
	end)
	self.snapshot:find_lost(target.label)
	if not target.by_key then self.snapshot:note_extras_without_key(self.system, target.label) end
	target.ledger:was_read(target.reading, self.seen)
	target.on_progress()
end

local function may_come_back(e)
	if e.ledger or e.kind == "cancelled" or e.code == "deadline" or e.limited then return false end
	return e.retryable or e.unknown or e.kind == "timeout"
end

-- A write that is begun anew is planned anew: what was read before it may have changed by it.
local function attempt(target, purpose, anew)
	if purpose == "write" and anew then run(new(target, "plan")) end
	run(new(target, purpose))
end

--- Look at the whole system. A "write" follows a "plan". Begun anew while the system goes away and comes back: it looks at
--- everything, so nothing is lost by it. Returns after every batch it started has its outcomes.
---@param target syncrun.Target
---@param purpose syncrun.Purpose
function M.run(target, purpose)
	local try, written, anew = 0, 0, false
	while true do
		local _, e = err.try(function()
			attempt(target, purpose, anew)
			return true
		end)
		if not e then return end
		anew = true
		local now = target.counts.created + target.counts.updated
		try, written = now > written and 1 or try + 1, now -- as long as it gets on, it is not given up
		if try == PASSES or not may_come_back(e) then err.raise(e) end
		local delay = 0.5 * 2 ^ (try - 1)
		log.warn("%s: %s (looked at anew in %g s)", target.label, e.message, delay)
		task.sleep(delay)
		target.snapshot:forget(target.label, purpose ~= "validate")
		if purpose == "write" then target.counts.rejected = 0 end
	end
end

return M

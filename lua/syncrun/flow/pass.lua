--- The flow for one target: compare what it holds with what it should hold, write only what differs, read it back,
--- judge every contact. Knows no system by name: everything goes through the one interface (see systems/).
local deliver = require "syncrun.flow.deliver"
local err = require "syncrun.err"
local ledger_of = require "syncrun.record.ledger"
local log = require "syncrun.log"
local rows = require "syncrun.rows"
local task = require "syncrun.task"
local values = require "syncrun.model.values"

local M = {}

---@class syncrun.Target the state of one target in one run
---@field system table the system
---@field spool syncrun.Spool
---@field counts table same, created, updated, revived, rejected, failed, extra
local Target = {}
Target.__index = Target

local WRITERS = 2      -- batches under way at once, per system
local FETCH_KEYS = 500 -- keys a call, when contacts are read by key
local PASSES = 6       -- tries at reading a system that goes away meanwhile
local SETTLE = 0.2     -- seconds before a difference is looked at again
local SUSPECTS = 2000  -- more are looked at again in a whole pass, not by key

local function plan_for(model_schema, projection, wanted)
	local columns = {}
	for _, column in ipairs(projection) do
		if wanted[column.own] then columns[#columns + 1] = column end
	end
	return rows.plan(model_schema, columns)
end

--- The state of a target.
---@param system table
---@param spool syncrun.Spool
---@param options { by_key: boolean, checks: syncrun.Checks, is_ours: (fun(key: string): boolean)?, on_progress: fun(),
--- trace_folds: boolean?, ledger: syncrun.Ledger?, settle: number? } is_ours: did we write it
---@return syncrun.Target
function M.target(system, spool, options)
	local projection = system:projection()
	local owned, once = values.owned_columns(projection), values.owned_columns(projection, "once")
	local self = setmetatable({
		system = system, spool = spool, label = system.label, key = projection[1].name,
		by_key = options.by_key, checks = options.checks,
		projection = projection, trace_folds = options.trace_folds,
		settle = options.settle or SETTLE, ledger = options.ledger or ledger_of.none(),
		is_ours = options.is_ours, on_progress = options.on_progress or function() end,
		compare = plan_for(spool.schema, projection, { source = true }),
		recheck = plan_for(spool.schema, projection, { source = true }), -- not counted
		write = plan_for(spool.schema, projection, { source = true, once = true }),
		once = once and plan_for(spool.schema, once, { once = true }),
		owned = owned and rows.plan(spool.schema, owned),
		field_of = {}, seen = 0, sent = 0, settled = 0,
		counts = { same = 0, created = 0, updated = 0, revived = 0, rejected = 0, failed = 0, extra = 0, lost = 0 },
	}, Target)
	for _, column in ipairs(projection) do self.field_of[column.name] = column.field end
	return self
end

--- Judge one contact outside of a run: what is wrong with it in this system, as a list of lines (empty: equal).
---@param system table
---@param model_schema syncrun.Schema
---@param model syncrun.Rows of one row
---@param found syncrun.Rows what the system's fetch gave for its key
---@return string[]
function M.judge_one(system, model_schema, model, found)
	local projection = system:projection()
	local expected = plan_for(model_schema, projection, { source = true }):apply(model)
	local alive = {}
	for j = 1, #found do
		local deleted = found:schema():index "deletedAt" and not found:is_null(j, "deletedAt")
		if not deleted then alive[#alive + 1] = j end
	end
	if #alive == 0 then return { "Missing in " .. system.label } end
	if #alive > 1 then return { "exists more than once" } end
	local lines = {}
	for i, name in ipairs(rows.diff(expected, 1, found, alive[1])) do
		lines[i] = M.difference(name, expected, 1, found, alive[1])
	end
	for _, fate in ipairs(expected:fates(1) or {}) do
		if fate.fate == "lost" then lines[#lines + 1] = values.reason(expected, 1, fate, "write") end
	end
	return lines
end

-- ---- the two streams

-- Pages of what is expected: the compare plan's page, and the model page it came from.
local function expected_pages(self)
	local pages = self.spool:pages()
	return function()
		local model = pages()
		if not model then return nil end
		return self.compare:apply(model), model
	end
end

-- Only the contacts of this run, by key: an iterator over pages of a few hundred.
local function pages_by_key(self)
	local pages = self.spool:pages(FETCH_KEYS)
	local key_field = self.field_of[self.key].name
	return function()
		local model = pages()
		if not model then return nil end
		local keys = {}
		for i = 1, #model do keys[i] = model:text(i, key_field) end
		return self.system:fetch(keys)
	end
end

-- Read a system that cannot deliver key order: whole, or the contacts of this run by key.
local function take_actual(self)
	local system = self.system
	if system.ordered and not self.by_key then return end
	self.spool:take(system.name, self.by_key and pages_by_key(self) or system:scan())
end

local function actual_pages(self)
	local system = self.system
	if system.ordered and not self.by_key then return system:scan() end
	return self.spool:taken(system.name)
end

-- ---- judging

local function value_text(page, i, name)
	return values.shown(page:text(i, name), page:schema():type(name))
end

local function find(self, key, phase, kind, reason, more)
	local finding = more or {}
	finding.key, finding.system, finding.phase, finding.kind = key, self.label, phase, kind
	finding.reason = reason
	self.spool:find(finding)
end

--- One differing field in words: its name there, both values.
function M.difference(name, e_page, i, a_page, j)
	return ("%s is %s, expected %s"):format(name, value_text(a_page, j, name), value_text(e_page, i, name))
end

local function judge_difference(self, key, e_page, i, a_page, j)
	local by = self.system.edited and self.system:edited(a_page, j)
	for _, name in ipairs(rows.diff(e_page, i, a_page, j)) do
		if self.checks:counts(self.field_of[name].name) then
			local line = self.label .. ": " .. M.difference(name, e_page, i, a_page, j)
			find(self, key, "validate", "mismatched", by and ("%s (%s)"):format(line, by) or line,
				{ field = name, actual = a_page:text(j, name), expected = e_page:text(i, name) })
		end
	end
end

local function judge_missing(self, key, deleted)
	if not self.checks.exists then return end
	find(self, key, "validate", "missing",
		("Missing in %s"):format(self.label) .. (deleted and " (soft-deleted there)" or ""))
end

local function judge_repeated(self, key)
	if not self.checks.exists then return end
	find(self, key, "validate", "repeated", ("%s: exists more than once"):format(self.label))
end

local function judge_again(self, pair, e_page, a_page)
	if pair.e then
		judge_repeated(self, e_page:text(pair.e, self.key))
	else
		self.extras[#self.extras + 1] = a_page:text(pair.a, self.key)
	end
end

local function list_extra(self, key)
	if self.spool:has(key) then return end -- a row of the source that was set aside
	self.counts.extra = self.counts.extra + 1
	self.spool.db:run("INSERT INTO extra (system, k) VALUES (?, ?)", self.label, key)
end

-- Why a contact cannot be sent as it is: the columns whose value this system cannot hold.
local function objections(self, page, i)
	local reasons, refused
	for _, fate in ipairs(page:fates(i) or {}) do
		if fate.fate == "rejected" or fate.fate == "lost" then
			local field = self.field_of[fate.column]
			reasons = reasons or {}
			local words = self.system.words
			fate.note = fate.note .. (words and words(fate, page:text(i, fate.column)) or "")
			reasons[#reasons + 1] = fate
			refused = refused or fate.fate == "rejected" or field.on_loss == "reject"
		end
	end
	return reasons, refused
end

-- The same for the fields that only a new contact gets.
local function objections_once(self, model, i)
	if not self.once then return nil, false end
	local page = self.once:apply(model:slice(i, i))
	local reasons, refused = objections(self, page, 1)
	for _, fate in ipairs(reasons or {}) do
		fate.text = values.reason(page, 1, fate, self.field_of[fate.column].on_loss)
	end
	return reasons, refused
end

-- ---- what became of the values

-- A value that this system cannot hold is an error of every run, sent or not; its contact is not validated either.
local function note_fate(self, page, i, fate)
	local key, on_loss = page:text(i, self.key), self.field_of[fate.column].on_loss
	local stored = page:text(i, fate.column)
	local reason = ("%s: %s"):format(self.label, values.reason(page, i, fate, on_loss))
	self.spool:note_fate { key = key, system = self.label, field = fate.column, fate = fate.fate, note = fate.note,
		stored = stored, reason = reason }
	if fate.fate == "lost" and self.writing then
		find(self, key, "sync", "lost", reason, { field = fate.column, stored = stored })
	end
end

-- The second merge, beside the comparison: what people keep in the fields that are theirs.
local function owned_merge(self, schema)
	if not self.owned then return nil end
	local by = self.system.editor_column
	return values.owned(self.owned, schema, self.key, by, function(key, name, expected, actual, editor)
		self.spool:note_owned { key = key, system = self.label, field = name, own = self.field_of[name].own,
			expected = expected, actual = actual, editor = editor }
	end)
end

-- ---- writing

local function record_outcome(self, mode, key, state, reason)
	self.settled = self.settled + 1
	self.counts[mode .. "d"] = self.counts[mode .. "d"] + 1
	if state == "rejected" then
		self.counts.rejected = self.counts.rejected + 1
		find(self, key, "sync", "rejected", ("%s: %s"):format(self.label, reason))
	elseif state == "revived" then
		self.counts.revived = self.counts.revived + 1
		self.spool.db:run("INSERT INTO revived VALUES (?, ?)", self.label, self.spool:position(key))
	end
	self.on_progress()
end

local function start_batch(self, mode, actual_schema)
	return {
		mode = mode, reading = self.reading, model = rows.new(self.spool.schema),
		actual = mode == "update" and rows.new(actual_schema) or nil,
	}
end

local function send(self, batch)
	self.wrote = true
	deliver.deliver({
		target = self.system, plan = self.write, compare = self.recheck, key = self.key,
		key_field = self.field_of[self.key].name, ledger = self.ledger,
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

local function queue(self, mode, model, i, actual, j)
	local batch = self.batches[mode] or start_batch(self, mode, actual and actual:schema())
	self.batches[mode] = batch
	batch.model:append(model, i)
	if mode == "update" then batch.actual:append(actual, j) end
	self.sent = self.sent + 1
	local limits = self.system.limits
	if #batch.model >= limits.rows or batch.model:bytes() >= limits.bytes / 2 then flush(self, mode) end
end

-- A contact that is not there, or not equal: send it, unless this system cannot hold it.
local function plan_write(self, mode, e_page, model, i, a_page, j)
	local key = e_page:text(i, self.key)
	local reasons, refused = objections(self, e_page, i)
	if mode == "create" and not refused then
		local more
		more, refused = objections_once(self, model, i)
		reasons = more and table.move(more, 1, #more, #(reasons or {}) + 1, reasons or {}) or reasons
	end
	local foreseen = not refused and self.foreseen[key]
	if foreseen then
		reasons, refused = { foreseen }, true
	end
	for _, reason in ipairs(reasons or {}) do
		if reason.fate ~= "lost" or reason.text then -- the others are noted with the page, sent or not
			find(self, key, "sync", reason.fate, ("%s: %s"):format(self.label,
				reason.text or reason.column .. ": " .. reason.note), { field = reason.column })
		end
	end
	if refused then
		self.counts.rejected = self.counts.rejected + 1
		return false
	end
	queue(self, mode, model, i, a_page, j)
	return true
end

-- ---- the pass over both streams

-- What one step of the merge found, in a pass that may write.
local function handle_found(self, write, found, e_page, model, a_page)
	self.counts.same = self.counts.same + found.same
	for _, pair in ipairs(found.differ) do
		local key = e_page:text(pair.e, self.key)
		local sent = write and plan_write(self, "update", e_page, model, pair.e, a_page, pair.a)
		if not sent then judge_difference(self, key, e_page, pair.e, a_page, pair.a) end
	end
	for _, i in ipairs(found.missing) do
		local key = e_page:text(i, self.key)
		local deleted = write and self.spool:deleted(self.system.name, key)
		local sent = write and plan_write(self, deleted and "update" or "create", e_page, model, i, deleted or nil, 1)
		if not sent then judge_missing(self, key, self.spool:deleted(self.system.name, key)) end
	end
	for _, pair in ipairs(found.again) do judge_again(self, pair, e_page, a_page) end
	for _, j in ipairs(found.extra) do self.extras[#self.extras + 1] = a_page:text(j, self.key) end
	for _, key in ipairs(self.extras) do list_extra(self, key) end
	self.extras = {}
end

local function count_seen(self, model, e_page)
	self.watch(e_page, function(i, fate) note_fate(self, e_page, i, fate) end)
	self.seen = self.seen + #model
	self.on_progress()
end

-- Both streams side by side: handle(found, expected, model, actual) after every step, seen(model) after every page.
local function merge(self, handle, seen, judging)
	self.compare = plan_for(self.spool.schema, self.projection, { source = true }) -- its counts are of one pass
	self.watch = values.watch(self.compare, self.trace_folds)
	local next_expected, next_actual = expected_pages(self), actual_pages(self)
	local e_page, model = next_expected()
	local a_page = next_actual()
	if not e_page and not a_page then return end
	local schema = a_page and a_page:schema() or self.compare:schema()
	local merger = rows.merger(self.compare:schema(), schema, self.key)
	local owned = judging and a_page and owned_merge(self, schema)
	local function feed_expected()
		merger:expected(e_page)
		if owned then owned:expected(model) end
	end
	local function feed_actual()
		merger:actual(a_page)
		if owned then owned:actual(a_page) end
	end
	feed_expected()
	feed_actual()
	while true do
		local need = merger:step()
		local found = merger:take()
		if owned then owned:step() end
		handle(found, e_page, model, a_page)
		if need == "done" then break end
		if need == "expected" then
			if model then seen(self, model, e_page) end
			e_page, model = next_expected()
			feed_expected()
		else
			a_page = next_actual()
			feed_actual()
		end
	end
	if model then seen(self, model, e_page) end
end

-- The rows of a page that this system can hold.
local function sendable(self, page, indices)
	local list = {}
	for _, i in ipairs(indices) do
		local _, refused = objections(self, page, i)
		if not refused then list[#list + 1] = i end
	end
	return list
end

-- What a pass is going to change, told beforehand to a system that asks for it (values that must be unique, a limited
-- number of requests). What it foresees to be refused is not sent: key -> {column=, fate=, note=}.
local function foresee(self, write)
	if self.foreseen and not write then return end
	self.foreseen = {}
	if not self.system.foresee then return end
	local look = self.system:foresee(self.spool, { by_key = self.by_key, write = write, is_ours = self.is_ours })
	merge(self, function(found, e_page)
		local differ = {}
		for n, pair in ipairs(found.differ) do differ[n] = pair.e end
		if #differ > 0 then look:change("update", e_page, sendable(self, e_page, differ)) end
		if #found.missing > 0 then look:change("create", e_page, sendable(self, e_page, found.missing)) end
	end, function() end)
	self.foreseen = look:finish()
end

-- One pass over the whole system. Returns after every batch it started has its outcomes.
local function pass(self, write)
	self.counts.same, self.counts.extra, self.extras = 0, 0, {}
	self.seen, self.sent, self.settled = 0, 0, 0
	self.batches, self.writers, self.writing = {}, task.semaphore(WRITERS), write
	self.reading = self.ledger:read(self.system.name)
	self.spool:forget_values(self.label)
	take_actual(self)
	foresee(self, write)
	task.scope(function(scope)
		self.scope = scope
		merge(self, function(...) handle_found(self, write, ...) end, count_seen, true)
		for _, mode in ipairs { "create", "update" } do flush(self, mode) end
	end)
	self.spool:find_lost(self.label)
	if not self.by_key then self.spool:extras_without_key(self.system.name, self.label, "name") end
	self.ledger:was_read(self.reading, self.seen)
	self.on_progress()
end

local function may_come_back(e)
	if e.ledger or e.kind == "cancelled" or e.code == "deadline" or e.limited then return false end
	return e.retryable or e.unknown or e.kind == "timeout"
end

-- A pass that is begun anew while the system goes away and comes back: it looks at everything, so nothing is lost by it.
local function steady_pass(self, write)
	for try = 1, PASSES do
		local _, e = err.try(function()
			pass(self, write)
			return true
		end)
		if not e then return end
		if try == PASSES or not may_come_back(e) then err.raise(e) end
		local delay = 0.5 * 2 ^ (try - 1)
		log.warn("%s: %s (looked at anew in %g s)", self.label, e.message, delay)
		task.sleep(delay)
		self.spool:forget(self.label, write)
		if write then self.counts.rejected = 0 end
	end
end

-- ---- suspects

local function rejudge(self, expected, i, found, at)
	local key = expected:text(i, self.key)
	local there, deleted = {}, false
	for _, j in ipairs(at[key] or {}) do
		local gone = found:schema():index "deletedAt" and not found:is_null(j, "deletedAt")
		deleted = deleted or gone
		if not gone then there[#there + 1] = j end
	end
	if #there == 0 then return judge_missing(self, key, deleted) end
	if #there > 1 then return judge_repeated(self, key) end
	if rows.equal(expected, i, found, there[1], expected:schema():names()) then
		self.counts.same = self.counts.same + 1
	else
		judge_difference(self, key, expected, i, found, there[1])
	end
end

-- Read some contacts again, by key, and judge them by that.
local function look_again(self, keys)
	local reading = self.ledger:read(self.system.name)
	local found, at = self.system:fetch(keys), {}
	self.ledger:was_read(reading, #keys)
	for j = 1, #found do
		local key = found:text(j, self.key) or ""
		at[key] = at[key] or {}
		table.insert(at[key], j)
	end
	self.spool:forget_suspects(self.label, keys)
	for model in self.spool:pages_of(keys) do
		local expected = self.recheck:apply(model)
		for i = 1, #expected do rejudge(self, expected, i, found, at) end
	end
end

-- A difference is one only when it is still there a little later: somebody may just have been writing.
local function recheck_suspects(self)
	local keys = self.spool:suspects(self.label, SUSPECTS + 1)
	if #keys == 0 then return end
	task.sleep(self.settle)
	if #keys > SUSPECTS then
		self.spool:forget(self.label)
		return steady_pass(self, false)
	end
	for from = 1, #keys, FETCH_KEYS do
		look_again(self, table.move(keys, from, math.min(from + FETCH_KEYS - 1, #keys), 1, {}))
	end
	self.spool:find_lost(self.label)
end

--- How many of the good contacts this target is through with.
---@return integer
function Target:done()
	return self.finished or math.max(0, self.seen - (self.sent - self.settled))
end

--- Step 1: compare and write what differs. A pass that wrote nothing is the validation already.
---@param write boolean
function Target:sync(write)
	steady_pass(self, write)
	self.finished, self.synced = self.spool.total, true
end

--- Step 2: read back, whole, what was written to; look again at what differs; judge every contact.
function Target:validate()
	if self.wrote then
		self.spool:forget(self.label)
		steady_pass(self, false)
	end
	recheck_suspects(self)
	self.spool:find_lost(self.label)
	self.ledger:judge(self.system.name, self.reading, self.spool:wrong(self.label))
end

--- The system was lost: every contact of it that was not confirmed is an error, none counts as checked.
---@param e syncrun.Error
function Target:lose(e)
	self.lost = e
	self.spool:forget(self.label)
	if not self.synced then
		self.spool:find_all { system = self.label, phase = "sync", kind = "failed",
			reason = ("%s: %s"):format(self.label, e.message) }
	end
	self.spool:find_all { system = self.label, phase = "validate", kind = "failed",
		reason = ("Not checked in %s"):format(self.label) }
end

return M

--- The flow for one target: compare what it holds with what it should hold, write only what differs, read it back,
--- judge every contact. Knows no system by name: everything goes through the one interface (see systems/).
local deliver = require "syncrun.deliver"
local err = require "syncrun.err"
local rows = require "syncrun.rows"
local task = require "syncrun.task"

local M = {}

---@class syncrun.Target the state of one target in one run
---@field system table the system
---@field spool syncrun.Spool
---@field counts table same, created, updated, revived, rejected, failed, extra
local Target = {}
Target.__index = Target

local WRITERS = 2      -- batches under way at once, per system
local FETCH_KEYS = 500 -- keys a call, when contacts are read by key

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
---@param options { by_key: boolean, on_progress: fun() }
---@return syncrun.Target
function M.target(system, spool, options)
	local projection = system:projection()
	local self = setmetatable({
		system = system, spool = spool, label = system.label, key = projection[1].name, by_key = options.by_key,
		on_progress = options.on_progress or function() end,
		compare = plan_for(spool.schema, projection, { source = true }),
		write = plan_for(spool.schema, projection, { source = true, once = true }),
		field_of = {}, seen = 0, sent = 0, settled = 0,
		counts = { same = 0, created = 0, updated = 0, revived = 0, rejected = 0, failed = 0, extra = 0, lost = 0 },
	}, Target)
	for _, column in ipairs(projection) do self.field_of[column.name] = column.field end
	return self
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

local function actual_pages(self)
	local system = self.system
	if system.ordered and not self.by_key then return system:scan() end
	self.spool:take(system.name, self.by_key and pages_by_key(self) or system:scan())
	return self.spool:taken(system.name)
end

-- ---- judging

local function shown(text, is_json)
	if text == nil then return "null" end
	if #text > 200 then text = text:sub(1, utf8.offset(text, 0, 200) - 1) .. "…" end
	if is_json then return text end
	return '"' .. text:gsub('[%c"\\]', function(c)
		local named = ({ ["\n"] = "\\n", ["\t"] = "\\t", ['"'] = '\\"', ["\\"] = "\\\\" })[c]
		return named or ("\\u%04x"):format(c:byte())
	end) .. '"'
end

local PLAIN = { json = true, int64 = true, decimal = true, float64 = true, bool = true }

local function time_text(text)
	local ok, value = pcall(function() return require "syncrun.time".format(math.tointeger(tonumber(text)), 6) end)
	return ok and value or text
end

local function value_text(page, i, name)
	local text, kind = page:text(i, name), page:schema():type(name)
	if text and kind == "timestamp" then text = time_text(text) end
	return shown(text, PLAIN[kind])
end

local function find(self, key, phase, kind, reason, more)
	local finding = more or {}
	finding.key, finding.system, finding.phase, finding.kind = key, self.label, phase, kind
	finding.reason = reason
	self.spool:find(finding)
end

local function judge_difference(self, key, e_page, i, a_page, j)
	for _, name in ipairs(rows.diff(e_page, i, a_page, j)) do
		local actual, expected = value_text(a_page, j, name), value_text(e_page, i, name)
		find(self, key, "validate", "mismatched", ("%s: %s is %s, expected %s"):format(self.label, name, actual, expected),
			{ field = name, actual = a_page:text(j, name), expected = e_page:text(i, name) })
	end
end

local function judge_missing(self, key)
	local deleted = self.spool:deleted(self.system.name, key)
	find(self, key, "validate", "missing",
		("Missing in %s"):format(self.label) .. (deleted and " (soft-deleted there)" or ""))
end

local function judge_again(self, pair, e_page, a_page)
	if pair.e then
		find(self, e_page:text(pair.e, self.key), "validate", "repeated",
			("%s: exists more than once"):format(self.label))
	else
		self.extras[#self.extras + 1] = a_page:text(pair.a, self.key)
	end
end

local function list_extra(self, key)
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
			reasons[#reasons + 1] = { column = fate.column, fate = fate.fate, note = fate.note }
			refused = refused or fate.fate == "rejected" or field.on_loss == "reject"
		end
	end
	return reasons, refused
end

-- ---- writing

local function record_outcome(self, key, state, reason)
	self.settled = self.settled + 1
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
		mode = mode, model = rows.new(self.spool.schema), actual = mode == "update" and rows.new(actual_schema) or nil,
	}
end

local function send(self, batch)
	self.wrote = true
	self.counts[batch.mode .. "d"] = self.counts[batch.mode .. "d"] + #batch.model
	deliver.deliver({
		target = self.system, plan = self.write, compare = self.compare, key = self.key,
		outcome = function(key, state, reason) record_outcome(self, key, state, reason) end,
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
	for _, reason in ipairs(reasons or {}) do
		find(self, key, "sync", reason.fate, ("%s: %s: %s"):format(self.label, reason.column, reason.note),
			{ field = reason.column })
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
local function handle_found(self, found, e_page, model, a_page, write)
	for _, pair in ipairs(found.differ) do
		local key = e_page:text(pair.e, self.key)
		local sent = write and plan_write(self, "update", e_page, model, pair.e, a_page, pair.a)
		if not sent then judge_difference(self, key, e_page, pair.e, a_page, pair.a) end
	end
	for _, i in ipairs(found.missing) do
		local key = e_page:text(i, self.key)
		local deleted = write and self.spool:deleted(self.system.name, key)
		local sent = write and plan_write(self, deleted and "update" or "create", e_page, model, i, deleted or nil, 1)
		if not sent then judge_missing(self, key) end
	end
	for _, pair in ipairs(found.again) do judge_again(self, pair, e_page, a_page) end
	for _, j in ipairs(found.extra) do self.extras[#self.extras + 1] = a_page:text(j, self.key) end
	for _, key in ipairs(self.extras) do list_extra(self, key) end
	self.extras = {}
end

local function count_seen(self, model)
	self.seen = self.seen + #model
	self.on_progress()
end

local function merge(self, write)
	local next_expected, next_actual = expected_pages(self), actual_pages(self)
	local e_page, model = next_expected()
	local a_page = next_actual()
	if not e_page and not a_page then return end
	local schema = a_page and a_page:schema() or self.compare:schema()
	local merger = rows.merger(self.compare:schema(), schema, self.key)
	merger:expected(e_page)
	merger:actual(a_page)
	while true do
		local need = merger:step()
		local found = merger:take()
		self.counts.same = self.counts.same + found.same
		handle_found(self, found, e_page, model, a_page, write)
		if need == "done" then break end
		if need == "expected" then
			if model then count_seen(self, model) end
			e_page, model = next_expected()
			merger:expected(e_page)
		else
			a_page = next_actual()
			merger:actual(a_page)
		end
	end
	if model then count_seen(self, model) end
end

-- One pass over the whole system. Returns after every batch it started has its outcomes.
local function pass(self, write)
	self.counts.same, self.counts.extra, self.extras = 0, 0, {}
	self.seen, self.sent, self.settled = 0, 0, 0
	self.batches, self.writers = {}, task.semaphore(WRITERS)
	task.scope(function(scope)
		self.scope = scope
		merge(self, write)
		for _, mode in ipairs { "create", "update" } do flush(self, mode) end
	end)
	if not self.by_key then self.spool:extras_without_key(self.system.name, self.label, "name") end
	self.on_progress()
end

--- How many of the good contacts this target is through with.
---@return integer
function Target:done()
	return self.finished or math.max(0, self.seen - (self.sent - self.settled))
end

--- Step 1: compare and write what differs. A pass that wrote nothing is the validation already.
---@param write boolean
function Target:sync(write)
	pass(self, write)
	self.finished = self.spool.total
end

--- Step 2: read back, whole, what was written to; judge every contact.
function Target:validate()
	if not self.wrote then return end
	self.spool:forget(self.label)
	pass(self, false)
end

--- The system was lost: every contact of it that was not confirmed is an error, none counts as checked.
---@param e syncrun.Error
function Target:lose(e)
	self.lost = e
	self.spool:forget(self.label)
	self.spool:find_all { system = self.label, phase = "sync", kind = "failed", reason = ("%s: %s"):format(self.label,
		e.message) }
	self.spool:find_all { system = self.label, phase = "validate", kind = "failed",
		reason = ("Not checked in %s"):format(self.label) }
end

return M

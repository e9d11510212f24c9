--- Delivery of one batch to one system, down to one outcome per contact: culprits are found by halves when a batch is
--- refused, and it is read before anything is sent again when an answer did not come. Knows no system by name.
local err = require "syncrun.err"
local log = require "syncrun.log"
local rows = require "syncrun.rows"
local task = require "syncrun.task"

local M = {}

local MAX_TRIES = 6

---@class syncrun.Delivery
---@field system syncrun.System
---@field plan syncrun.Plan from model rows to what is written
---@field compare syncrun.Plan from model rows to what is compared
---@field judge syncrun.Judge
---@field key string the key's column in the system's rows
---@field key_field string the key's field in the model's rows
---@field ledger syncrun.Ledger
---@field images syncrun.Images
---@field outcome fun(key: string, state: string, reason: string?) called once per contact

local function part(page, from, to)
	return page and page:slice(from, to) or nil
end

local function range(batch, from, to)
	if from == 1 and to == #batch.model then return batch end
	return { model = part(batch.model, from, to), actual = part(batch.actual, from, to), reading = batch.reading }
end

local function index_by_key(page, key)
	local by_key = {}
	for i = 1, #page do by_key[page:text(i, key) or ""] = i end
	return by_key
end

local function keys_of(page, key)
	local keys = {}
	for i = 1, #page do keys[i] = page:text(i, key) end
	return keys
end

-- What the system holds of these contacts, and the record of having read it.
local function read_back(d, keys)
	local reading = d.ledger:read(d.system.name)
	local found = d.system:fetch(keys)
	d.ledger:was_read(reading, #found)
	return found, reading
end

-- Whether what was found is the contact as it should be.
local function is_there(d, expected, i, found, j)
	if d.judge:is_gone(found, j) then return false end
	if d.system.amend then d.system:amend(expected, i, found, j) end
	return d.judge:is_equal(expected, i, found, j)
end

-- Read the batch's contacts back: those that are there as expected are done; the rest in two batches by what is needed.
local function reconcile(d, batch, attempt)
	local expected = d.compare:apply(batch.model)
	local keys, there = keys_of(expected, d.key), {}
	local found, reading = read_back(d, keys)
	local at = index_by_key(found, d.key)
	local create = { model = rows.new(batch.model:schema()), reading = reading }
	local update = { model = rows.new(batch.model:schema()), actual = rows.new(found:schema()), reading = reading }
	for i, key in ipairs(keys) do
		local j = at[key]
		if j and is_there(d, expected, i, found, j) then
			there[#there + 1] = key
		elseif j then
			update.model:append(batch.model, i)
			update.actual:append(found, j)
		else
			create.model:append(batch.model, i)
		end
	end
	if #there > 0 then d.ledger:found(attempt, there, reading) end
	for _, key in ipairs(there) do d.outcome(key, "written") end
	return create, update
end

local deliver

-- What reading showed of a batch: the rest of it is sent.
local function deliver_rest(d, create, update, tries)
	if #create.model > 0 then deliver(d, create, "create", tries) end
	if #update.model > 0 then deliver(d, update, "update", tries) end
	return "settled"
end

-- No answer came: what became of the batch is found out by reading; only what is missing or differs is sent again.
local function resolve(d, batch, e, tries, attempt)
	if tries >= MAX_TRIES then err.raise(e) end
	log.info("%s: %s (no answer for %d contacts: what became of them is read)", d.system.label, e.message, #batch.model)
	task.sleep(math.min(8, 0.25 * 2 ^ tries) * (0.5 + math.random() / 2))
	local create, update = reconcile(d, batch, attempt)
	return deliver_rest(d, create, update, tries + 1)
end

-- The server found what a new batch creates there already: an earlier try of it may have landed unseen (a connection that
-- died is replaced, and the request repeated, below us). What is there as expected is done; only the rest is sent.
local function keep_what_landed(d, s, e, attempt)
	local create, update = reconcile(d, s.batch, attempt)
	s.asked = true
	if #create.model == #s.batch.model then return "refused", e end
	return deliver_rest(d, create, update, s.tries)
end

-- More than the system takes at once: in parts of what it takes, or halves.
local function deliver_parts(d, s)
	local n = #s.batch.model
	local size = d.system.limits.rows < n and d.system.limits.rows or (n + 1) // 2
	for from = 1, n, size do deliver(d, range(s.batch, from, math.min(from + size - 1, n)), s.mode, s.tries, s.asked) end
	return "settled"
end

local function accept(d, batch, attempt, outcomes, evidence)
	local keys = keys_of(batch.model, d.key_field)
	d.ledger:answered(attempt, keys, outcomes, evidence)
	for i, outcome in ipairs(outcomes) do d.outcome(keys[i], outcome.state, outcome.reason) end
	return "taken"
end

-- A single contact is refused. It may be there all the same when an earlier try was not answered, or it is said to be.
local function refuse(d, s, e, attempt)
	local create, update
	if e.exists or s.tries > 0 then create, update = reconcile(d, s.batch, attempt) end
	if not create or #create.model + #update.model > 0 then
		d.outcome(s.batch.model:text(1, d.key_field), "rejected", e.message)
	end
	return "settled"
end

-- What a failed request means for its batch.
local function judge_failure(d, s, e, attempt)
	local single = #s.batch.model == 1
	if e.split and not single then return deliver_parts(d, s) end
	if e.exists and s.mode == "create" and not single and not s.asked then return keep_what_landed(d, s, e, attempt) end
	if e.reject then
		if single then return refuse(d, s, e, attempt) end
		return "refused", e
	end
	if e.unknown then return resolve(d, s.batch, e, s.tries, attempt) end
	err.raise(e)
end

-- What an update leaves there, as far as it is compared.
local function left_of(d, batch)
	local expected = d.compare:apply(batch.model)
	if d.system.as_written then d.system:as_written(expected) end
	return expected
end

-- The request is about to leave: what it changes is on record, and so is what was there before.
local function record(d, s, page)
	local batch, left, changes = s.batch, page, nil
	if batch.actual then
		left = left_of(d, batch)
		changes = function(i) return d.judge:differences(left, i, batch.actual, i) end
	elseif d.system.as_written then
		d.system:as_written(page)
	end
	local attempt = d.ledger:sending(d.system.name, s.mode, batch.model, d.key_field, batch.reading, changes)
	d.images:keep { system = d.system.name, attempt = attempt.id, mode = s.mode, before = batch.actual, left = left,
		key = d.key }
	return attempt
end

-- One request for a batch: "taken"; "settled": every contact has its outcome; "refused" with the error: there is a culprit
-- among several. Of a sending s: batch, mode, tries, asked (it is known that nothing of the batch is there).
local function send(d, s)
	local page = d.plan:apply(s.batch.model)
	local attempt = record(d, s, page)
	local outcomes, e = err.try(d.system.write, d.system,
		{ rows = page, model = s.batch.model, actual = s.batch.actual }, s.mode)
	if outcomes then return accept(d, s.batch, attempt, outcomes, e) end
	if e.kind == "cancelled" then err.raise(e) end -- it stays as sent: the next run finds out by reading
	d.ledger:failed(attempt, e)
	return judge_failure(d, s, e, attempt)
end

local function send_range(d, s, from, to)
	local some = { batch = range(s.batch, from, to), mode = s.mode, tries = s.tries, asked = s.asked }
	local state, e = send(d, some)
	s.asked = some.asked
	return state, e
end

-- There is a culprit in from..to: the first one is found by halves, and what stands before it is taken on the way. It is
-- sent alone in the end, for its own words, and because what was in its way may have passed. Returns where to go on.
local function settle_first(d, s, from, to)
	while from < to do
		local middle = (from + to) // 2
		local state = send_range(d, s, from, middle)
		if state == "refused" then
			to = middle
		elseif state == "taken" then
			from = middle + 1
		else
			return middle + 1
		end
	end
	send_range(d, s, from, from)
	return from + 1
end

-- How many requests the first culprit of n takes at most, with the one for what stands behind it.
local function cost_of_culprit(n)
	local halvings = 0
	while 1 << halvings < n do halvings = halvings + 1 end
	return halvings + 2
end

-- Culprits are found one after the other: k of n cost k·(⌈log2 n⌉ + 2) + 1 requests at most.
deliver = function(d, batch, mode, tries, asked)
	local s, from, n = { batch = batch, mode = mode, tries = tries, asked = asked }, 1, #batch.model
	local state, e = send(d, s)
	while state == "refused" do
		if d.system.announce then d.system:announce(cost_of_culprit(n - from + 1), n - from + 1, e.message) end
		from = settle_first(d, s, from, n)
		if from > n then return end
		state, e = send_range(d, s, from, n)
	end
end

--- Deliver a batch; every contact of it gets exactly one outcome, or the system is lost and the error is raised.
---@param d syncrun.Delivery
---@param batch { model: syncrun.Rows, actual: syncrun.Rows?, reading: table } reading: what led to it
---@param mode "create"|"update"
function M.deliver(d, batch, mode)
	deliver(d, batch, mode, 0)
end

return M

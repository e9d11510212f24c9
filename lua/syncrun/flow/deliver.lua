--- Delivery of one batch to one system, down to one outcome per contact: bisection when a batch is refused, reading
--- before anything is sent again when an answer did not come. Knows no system by name.
local err = require "syncrun.err"
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
---@field outcome fun(key: string, state: string, reason: string?) called once per contact

local function part(page, from, to)
	return page and page:slice(from, to) or nil
end

local function halves(batch)
	local n = #batch.model
	local middle = n // 2
	return { model = part(batch.model, 1, middle), actual = part(batch.actual, 1, middle), reading = batch.reading },
		{ model = part(batch.model, middle + 1, n), actual = part(batch.actual, middle + 1, n), reading = batch.reading }
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

-- A batch the server refused for its content is halved until the culprit stands alone.
local function bisect(d, batch, mode, e, tries, attempt, asked)
	if #batch.model > 1 then
		local first, second = halves(batch)
		deliver(d, first, mode, tries, asked)
		deliver(d, second, mode, tries, asked)
		return
	end
	local expected = d.compare:apply(batch.model)
	local create, update = reconcile(d, batch, attempt) -- an earlier, unanswered try may have landed
	if #create.model + #update.model > 0 then d.outcome(expected:text(1, d.key), "rejected", e.message) end
end

-- No answer came: what became of the batch is found out by reading; only what is missing or differs is sent again.
local function resolve(d, batch, e, tries, attempt)
	if tries >= MAX_TRIES then err.raise(e) end
	task.sleep(math.min(8, 0.25 * 2 ^ tries) * (0.5 + math.random() / 2))
	local create, update = reconcile(d, batch, attempt)
	if #create.model > 0 then deliver(d, create, "create", tries + 1) end
	if #update.model > 0 then deliver(d, update, "update", tries + 1) end
end

-- The server found what a new batch creates there already: an earlier try of it may have landed unseen (a connection that
-- died is replaced, and the request repeated, below us). What is there as expected is done; only the rest is sent.
local function keep_what_landed(d, batch, e, tries, attempt)
	local create, update = reconcile(d, batch, attempt)
	if #create.model == #batch.model then return bisect(d, batch, "create", e, tries, attempt, true) end
	if #create.model > 0 then deliver(d, create, "create", tries) end
	if #update.model > 0 then deliver(d, update, "update", tries) end
end

local function accept(d, batch, attempt, outcomes, evidence)
	local keys = keys_of(batch.model, d.key_field)
	d.ledger:answered(attempt, keys, outcomes, evidence)
	for i, outcome in ipairs(outcomes) do d.outcome(keys[i], outcome.state, outcome.reason) end
end

-- asked: it is known that nothing of the batch is there.
deliver = function(d, batch, mode, tries, asked)
	local page = d.plan:apply(batch.model)
	local attempt = d.ledger:sending(d.system.name, mode, batch.model, d.key_field, batch.reading)
	local outcomes, e = err.try(d.system.write, d.system,
		{ rows = page, model = batch.model, actual = batch.actual }, mode)
	if outcomes then return accept(d, batch, attempt, outcomes, e) end
	if e.kind == "cancelled" then err.raise(e) end -- it stays as sent: the next run finds out by reading
	d.ledger:failed(attempt, e)
	if e.exists and mode == "create" and #batch.model > 1 and not asked then
		keep_what_landed(d, batch, e, tries, attempt)
	elseif e.reject then
		bisect(d, batch, mode, e, tries, attempt, asked)
	elseif e.unknown then
		resolve(d, batch, e, tries, attempt)
	else
		err.raise(e)
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

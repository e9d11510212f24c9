--- Delivery of one batch to one system, down to one outcome per contact: bisection when a batch is refused, reading
--- before anything is sent again when an answer did not come. Knows no system by name.
local err = require "syncrun.err"
local rows = require "syncrun.rows"
local task = require "syncrun.task"

local M = {}

local MAX_TRIES = 6

---@class syncrun.Delivery
---@field target table the system
---@field plan syncrun.Plan from model rows to what is written
---@field compare syncrun.Plan from model rows to what is compared
---@field key string the key's column in the target's rows
---@field outcome fun(key: string, state: string, reason: string?) called once per contact

local function part(page, from, to)
	return page and page:slice(from, to) or nil
end

local function halves(batch)
	local n = #batch.model
	local middle = n // 2
	return { model = part(batch.model, 1, middle), actual = part(batch.actual, 1, middle) },
		{ model = part(batch.model, middle + 1, n), actual = part(batch.actual, middle + 1, n) }
end

local function index_by_key(page, key)
	local by_key = {}
	for i = 1, #page do by_key[page:text(i, key) or ""] = i end
	return by_key
end

-- Read the batch's contacts back: those that are there as expected are done; the rest in two batches by what is needed.
local function reconcile(d, batch)
	local expected = d.compare:apply(batch.model)
	local keys = {}
	for i = 1, #expected do keys[i] = expected:text(i, d.key) end
	local found = d.target:fetch(keys)
	local at = index_by_key(found, d.key)
	local create = { model = rows.new(batch.model:schema()) }
	local update = { model = rows.new(batch.model:schema()), actual = rows.new(found:schema()) }
	for i, key in ipairs(keys) do
		local j = at[key]
		local gone = j and found:schema():index "deletedAt" and not found:is_null(j, "deletedAt")
		if j and not gone and rows.equal(expected, i, found, j, expected:schema():names()) then
			d.outcome(key, "written")
		elseif j then
			update.model:append(batch.model, i)
			update.actual:append(found, j)
		else
			create.model:append(batch.model, i)
		end
	end
	return create, update
end

local deliver

-- A batch the server refused for its content is halved until the culprit stands alone.
local function bisect(d, batch, mode, e, tries)
	if #batch.model > 1 then
		local first, second = halves(batch)
		deliver(d, first, mode, tries)
		deliver(d, second, mode, tries)
		return
	end
	local expected = d.compare:apply(batch.model)
	local create, update = reconcile(d, batch) -- an earlier, unanswered try may have landed
	if #create.model + #update.model > 0 then d.outcome(expected:text(1, d.key), "rejected", e.message) end
end

-- No answer came: what became of the batch is found out by reading; only what is missing or differs is sent again.
local function resolve(d, batch, e, tries)
	if tries >= MAX_TRIES then err.raise(e) end
	task.sleep(math.min(8, 0.25 * 2 ^ tries) * (0.5 + math.random() / 2))
	local create, update = reconcile(d, batch)
	if #create.model > 0 then deliver(d, create, "create", tries + 1) end
	if #update.model > 0 then deliver(d, update, "update", tries + 1) end
end

deliver = function(d, batch, mode, tries)
	local page = d.plan:apply(batch.model)
	local outcomes, e = err.try(d.target.write, d.target,
		{ rows = page, model = batch.model, actual = batch.actual }, mode)
	if outcomes then
		for i, outcome in ipairs(outcomes) do d.outcome(page:text(i, d.key), outcome.state, outcome.reason) end
	elseif e.reject then
		bisect(d, batch, mode, e, tries)
	elseif e.unknown then
		resolve(d, batch, e, tries)
	else
		err.raise(e)
	end
end

--- Deliver a batch; every contact of it gets exactly one outcome, or the system is lost and the error is raised.
---@param d syncrun.Delivery
---@param batch { model: syncrun.Rows, actual: syncrun.Rows? }
---@param mode "create"|"update"
function M.deliver(d, batch, mode)
	deliver(d, batch, mode, 0)
end

return M

-- Delivery of a batch: one outcome for each contact whatever the system says, and how many requests it takes to find who is
-- refused among many. Over a system that is a table, which counts what it is asked.
local deliver = require "syncrun.flow.deliver"
local err = require "syncrun.err"
local judge = require "syncrun.model.judge"
local rows = require "syncrun.rows"
local t = require "syncrun.test"
local task = require "syncrun.task"

local SCHEMA = rows.schema { { "id", "text" }, { "name", "text" } }
local BATCH = 200

local function test(name, fn)
	t.test("deliver: " .. name, fn)
end

-- ---- a system that is a table

local System = {}
System.__index = System

function System:projection()
	return { { name = "id", type = "text", from = "id", own = "source", field = { name = "id" } },
		{ name = "name", type = "text", from = "name", own = "source", field = { name = "name" } } }
end

function System:fetch(keys)
	self.reads = self.reads + 1
	local page = rows.new(SCHEMA)
	for _, key in ipairs(keys) do
		if self.held[key] then page:add { id = key, name = self.held[key] } end
	end
	return page
end

-- `fault(keys, n)` may give an error for the n-th request, after `land(keys)` if it says so.
function System:write(batch, mode)
	self.writes = self.writes + 1
	local keys, outcomes = {}, {}
	for i = 1, #batch.rows do keys[i] = batch.rows:text(i, "id") end
	local e = self.fault and self.fault(keys, self.writes, mode)
	if e and not e.lands then err.raise(e) end
	for i, key in ipairs(keys) do
		self.held[key] = batch.rows:text(i, "name")
		outcomes[i] = { state = "written" }
	end
	if e then err.raise(e) end
	return outcomes
end

function System:announce(requests, contacts, why)
	self.announced[#self.announced + 1] = { requests, contacts, why }
end

local function system(fault)
	return setmetatable({ name = "fake", limits = { rows = 1000, bytes = 1 }, held = {}, writes = 0, reads = 0,
		announced = {}, fault = fault }, System)
end

-- What the ledger is told; its own tests are ledger_test.lua's.
local LEDGER = setmetatable({}, { __index = function() return function() return {} end end })

local function contacts(n)
	local page = rows.new(SCHEMA)
	for i = 1, n do page:add { id = ("c%03d"):format(i), name = "Name " .. i } end
	return page
end

-- Deliver n contacts: the outcomes by key; one each is asserted.
local function run(target, n, mode)
	local model, outcomes = contacts(n), {}
	local plan = rows.plan(SCHEMA, target:projection())
	deliver.deliver({
		system = target, plan = plan, compare = plan, judge = judge.new(target, {}), key = "id", key_field = "id",
		ledger = LEDGER, images = { keep = function() end }, outcome = function(key, state, reason)
			t.eq(outcomes[key], nil, key .. " has two outcomes")
			outcomes[key] = { state, reason }
		end,
	}, { model = model, actual = mode == "update" and model or nil, reading = {} }, mode or "create")
	for i = 1, n do t.ok(outcomes[("c%03d"):format(i)], ("c%03d has no outcome"):format(i)) end
	return outcomes
end

local function refusal(message, more)
	local e = { kind = "http", message = message, reject = true }
	for k, v in pairs(more or {}) do e[k] = v end
	return e
end

-- A fault that refuses whatever holds one of these contacts.
local function refuses(culprits, more)
	return function(keys)
		for _, key in ipairs(keys) do
			if culprits[key] then return refusal("bad " .. key, more) end
		end
	end
end

local function check_outcomes(outcomes, culprits)
	for key, outcome in pairs(outcomes) do
		t.eq(outcome, culprits[key] and { "rejected", "bad " .. key } or { "written" }, key)
	end
end

local function numbered(...)
	local set = {}
	for _, i in ipairs { ... } do set[("c%03d"):format(i)] = true end
	return set
end

-- ---- how many requests

test("one culprit of 200, wherever it stands, takes at most 11 requests", function()
	local most = 0
	for i = 1, BATCH do
		local culprits = numbered(i)
		local target = system(refuses(culprits))
		check_outcomes(run(target, BATCH), culprits)
		t.eq(target.reads, 0)
		most = math.max(most, target.writes)
	end
	t.ok(most <= 11, ("%d requests"):format(most))
end)

test("k culprits of 200 take at most 10 k + 1 requests, each with its own words", function()
	math.randomseed(11)
	for _, k in ipairs { 2, 3, 5, 10, 20, 50, 200 } do
		local list = {}
		while #list < k do
			local i = math.random(BATCH)
			if not numbered(table.unpack(list))[("c%03d"):format(i)] then list[#list + 1] = i end
		end
		local culprits = numbered(table.unpack(list))
		local target = system(refuses(culprits))
		check_outcomes(run(target, BATCH), culprits)
		t.ok(target.writes + target.reads <= 10 * k + 1, ("%d culprits: %d requests"):format(k, target.writes))
	end
end)

test("what a culprit may cost is announced before, for what is still to be looked at", function()
	local target = system(refuses(numbered(3, 150)))
	run(target, BATCH)
	t.eq(target.announced, { { 10, 200, "bad c003" }, { 10, 197, "bad c150" } })
	target = system(refuses(numbered(1)))
	run(target, 1)
	t.eq({ target.announced, target.writes }, { {}, 1 })
	target = system()
	run(target, BATCH)
	t.eq({ target.announced, target.writes }, { {}, 1 })
end)

-- ---- who is refused

test("a contact whose obstacle has passed meanwhile is not rejected", function()
	local target = system(function(keys, n)
		return n < 9 and #keys > 1 and refuses(numbered(150))(keys) or nil
	end)
	for _, outcome in pairs(run(target, BATCH)) do t.eq(outcome, { "written" }) end
end)

test("a contact that is there already, as it should be, is written; one that is otherwise is rejected", function()
	local target = system(refuses(numbered(7, 90), { exists = true }))
	target.held.c007, target.held.c090 = "Name 7", "another"
	local outcomes = run(target, BATCH)
	t.eq({ outcomes.c007, outcomes.c090, outcomes.c001 }, { { "written" }, { "rejected", "bad c090" }, { "written" } })
	t.eq(target.held.c090, "another")
end)

test("a batch that is there as a whole costs one look", function()
	local target = system(refuses(numbered(1), { exists = true }))
	for i = 1, 20 do target.held[("c%03d"):format(i)] = "Name " .. i end
	for _, outcome in pairs(run(target, 20)) do t.eq(outcome, { "written" }) end
	t.eq({ target.writes, target.reads }, { 1, 1 })
end)

-- ---- no answer

local function quickly(fn)
	local sleep = task.sleep
	task.sleep = function() end
	local ok, e = pcall(fn)
	task.sleep = sleep
	if not ok then error(e, 0) end
end

test("requests without an answer, landed or not, in the middle of the search", function()
	for _, lands in ipairs { false, true } do
		for at = 1, 12 do
			quickly(function()
				local culprits = numbered(40, 41, 160)
				local refuse = refuses(culprits)
				local target = system(function(keys, n)
					local e = refuse(keys)
					if n ~= at then return e end
					return { kind = "http", message = "no answer", unknown = true, lands = lands and not e }
				end)
				check_outcomes(run(target, BATCH), culprits)
				for i = 1, BATCH do
					local key = ("c%03d"):format(i)
					t.eq(target.held[key], not culprits[key] and "Name " .. i or nil, key)
				end
			end)
		end
	end
end)

test("a system that never answers is lost after six tries", function()
	quickly(function()
		local target = system(function() return { kind = "http", message = "no answer", unknown = true } end)
		t.raises(function() run(target, 10) end, "no answer")
		t.eq({ target.writes, target.reads }, { 7, 6 })
	end)
end)

test("any other error ends the delivery", function()
	local target = system(function() return { kind = "http", message = "the key was refused", exit = 3 } end)
	t.eq(t.raises(function() run(target, 10) end, "the key was refused").exit, 3)
	t.eq(target.writes, 1)
end)

-- ---- more than fits

test("more than the system takes at once is sent in parts; a single one that does not fit is rejected", function()
	local sizes = {}
	local target
	target = system(function(keys)
		sizes[#sizes + 1] = #keys
		if #keys > 60 then
			target.limits.rows = 60
			return refusal("too many", { split = true })
		end
	end)
	for _, outcome in pairs(run(target, 150)) do t.eq(outcome, { "written" }) end
	t.eq(sizes, { 150, 60, 60, 30 })
	sizes = {}
	target = system(function(keys)
		sizes[#sizes + 1] = #keys
		return #keys > 2 and refusal("too large", { split = true }) or nil
	end)
	run(target, 7)
	t.eq(sizes, { 7, 4, 2, 2, 3, 2, 1 })
	target = system(function(keys) return keys[1] == "c001" and refusal("bad c001", { split = true }) or nil end)
	check_outcomes(run(target, 3), numbered(1))
end)

test("an update is searched alike", function()
	local culprits = numbered(5)
	local target = system(refuses(culprits))
	check_outcomes(run(target, 50, "update"), culprits)
	t.ok(target.writes <= 9)
end)

-- A model of the scheduler: random programs of tasks that spawn, wait, cancel, fail and finish, over semaphores, channels,
-- scopes, map, timeout and shielded. Whatever the interleaving: nothing waits for ever, what was held is released, every
-- child ends before its scope. TASK_SEED runs one schedule, TASK_SCHEDULES so many (10,000).
local err = require "syncrun.err"
local t = require "syncrun.test"
local task = require "syncrun.task"

local DEPTH = 4 -- of nested parts
local PATIENCE = 30 -- seconds after which a schedule counts as waiting for ever
local SIDE_BY_SIDE = 32 -- schedules: their naps overlap

-- ---- one schedule's world: its own random numbers, what is held, which tasks live

local World = {}
World.__index = World

local function world(seed)
	local self = setmetatable({ state = seed * 2654435761 % 4294967296 + 1, handles = {}, budget = 20 }, World)
	self.semaphores = {}
	for i = 1, 3 do
		local places = self:random(3)
		self.semaphores[i] = { semaphore = task.semaphore(places), places = places, held = 0 }
	end
	return self
end

function World:random(n) -- 1..n, by a generator of our own: the library draws from math.random too
	self.state = (self.state * 1664525 + 1013904223) % 4294967296
	return self.state // 65536 % n + 1
end

function World:chance(percent)
	return self:random(100) <= percent
end

-- Count something up until the end of the scope, however it is left.
local function counted(box, name)
	box[name] = box[name] + 1
	return setmetatable({}, { __close = function() box[name] = box[name] - 1 end })
end

local ACTIONS, names = {}, nil

-- Some actions, one after the other. `order`: semaphores up to this one are held by who calls, so only later ones are taken.
local function part(w, depth, order)
	for _ = 1, w:random(4) do
		if w.budget <= 0 then return end
		w.budget = w.budget - 1
		local name = names[w:random(#names)]
		ACTIONS[name](w, depth + 1, order)
	end
end

local function deeper(w, depth, order)
	if depth < DEPTH then part(w, depth, order) else task.sleep(0) end
end

-- A child of a scope, known to who cancels at random; it must have ended when its scope has.
local function start(w, scope, living, fn)
	local handle = scope:spawn(function()
		local _ <close> = counted(living, "n")
		return fn()
	end)
	w.handles[#w.handles + 1] = handle
	return handle
end

local function check_ended(living, what)
	if living.n ~= 0 then err.raisef("internal", "%d children outlived their %s", living.n, what) end
end

function ACTIONS.turn() task.sleep(0) end

function ACTIONS.nap(w) task.sleep(w:random(3) / 10000) end

function ACTIONS.fail(w)
	if w:chance(30) then err.raisef("check", "failed on purpose") end
end

function ACTIONS.cancel(w)
	if #w.handles > 0 and w:chance(50) then w.handles[w:random(#w.handles)]:cancel() end
end

function ACTIONS.swallow(w, depth, order)
	local _, e = err.try(deeper, w, depth, order)
	if e and e.kind == "internal" then err.raise(e) end
end

function ACTIONS.semaphore(w, depth, order)
	local i = order + w:random(2)
	local s = w.semaphores[i]
	if not s then return deeper(w, depth, order) end
	s.semaphore:with(function()
		local _ <close> = counted(s, "held")
		if s.held > s.places then err.raisef("internal", "%d hold %d places", s.held, s.places) end
		deeper(w, depth, i)
	end)
end

function ACTIONS.scope(w, depth, order)
	local living, failed = { n = 0 }, false
	local ok, e = pcall(task.scope, function(scope)
		for _ = 1, w:random(3) do
			start(w, scope, living, function()
				local done, why = pcall(deeper, w, depth, order)
				if not done then
					failed = true
					error(why, 0)
				end
			end)
		end
		deeper(w, depth, order)
	end)
	check_ended(living, "scope")
	if ok and failed then err.raisef("internal", "a scope hid the error of a child") end
	if not ok then error(e, 0) end
end

function ACTIONS.map(w, depth, order)
	local living, n = { n = 0 }, w:random(4)
	local ok, got = pcall(task.map, { 1, 2, 3, 4 }, { limit = n }, function(item)
		local _ <close> = counted(living, "n")
		if living.n > n then err.raisef("internal", "map ran %d at once, not %d", living.n, n) end
		deeper(w, depth, order)
		return item * 2
	end)
	check_ended(living, "map")
	if not ok then error(got, 0) end
	t.eq(got, { 2, 4, 6, 8 })
end

function ACTIONS.timeout(w, depth, order)
	local living, short = { n = 0 }, w:chance(50)
	local ok, e = pcall(task.timeout, short and w:random(4) / 10000 or 1000, function()
		local _ <close> = counted(living, "n")
		deeper(w, depth, order)
	end)
	check_ended(living, "timeout")
	if ok or short and e.kind == "timeout" then return end
	error(e, 0)
end

function ACTIONS.shielded()
	local waits = 0
	task.shielded(function()
		for _ = 1, 2 do
			task.sleep(0)
			waits = waits + 1
		end
	end)
	if waits ~= 2 then err.raisef("internal", "what was shielded was cut short") end
	if task.cancelled() and pcall(task.sleep, 0) then err.raisef("internal", "a cancelled task waited") end
end

-- Who sends closes at the end; who receives reads to the end. Either may fail or be cancelled.
function ACTIONS.channel(w)
	local channel, living, sent, got = task.channel(w:random(3)), { n = 0 }, 0, 0
	local ok, e = pcall(task.scope, function(scope)
		start(w, scope, living, function()
			for i = 1, w:random(6) do
				channel:send(i)
				sent = i
				if w:chance(20) then task.sleep(0) end
			end
			channel:close()
		end)
		for value in function() return channel:receive() end do
			got = got + 1
			if value ~= got then err.raisef("internal", "a channel gave %d after %d", value, got - 1) end
			if w:chance(20) then task.sleep(0) end
		end
	end)
	check_ended(living, "scope")
	if ok and sent ~= got then err.raisef("internal", "%d values were sent, %d received", sent, got) end
	if not ok then error(e, 0) end
end

-- A script that does not wait: it is stopped all the same. Rare, for it costs some milliseconds.
function ACTIONS.spin(w)
	if not w:chance(1) then return end
	local living = { n = 0 }
	local e = t.raises(task.timeout, nil, 0.0001, function()
		local _ <close> = counted(living, "n")
		while true do pcall(string.len, "x") end
	end)
	if e.kind ~= "timeout" and e.kind ~= "cancelled" then err.raise(e) end
	check_ended(living, "timeout")
end

names = {}
for name in pairs(ACTIONS) do names[#names + 1] = name end
table.sort(names)

-- ---- the schedules

local EXPECTED = { check = true, cancelled = true, timeout = true }

local function check_released(w)
	for i, s in ipairs(w.semaphores) do
		t.eq(s.held, 0, ("holders of semaphore %d"):format(i))
		for _ = 1, s.places do task.timeout(PATIENCE, s.semaphore.acquire, s.semaphore) end
	end
end

local function run_schedule(seed)
	local w, late = world(seed), false
	local _, e = err.try(task.timeout, PATIENCE, function()
		local _, inner = err.try(task.scope, function(scope)
			for _ = 1, 3 do start(w, scope, { n = 0 }, function() part(w, 0, 0) end) end
		end)
		late = task.cancelled()
		if inner and not late then err.raise(inner) end
	end)
	if late then err.raisef("internal", "still waiting after %d s", PATIENCE) end
	if e and not EXPECTED[e.kind] then err.raise(e) end
	check_released(w)
end

t.test("task model: nothing waits for ever, what was held is released, every child ends before its scope", function()
	local one = math.tointeger(tonumber(os.getenv "TASK_SEED"))
	local seeds, before = { one }, task.active()
	for seed = 1, one and 0 or math.tointeger(tonumber(os.getenv "TASK_SCHEDULES" or 10000)) do seeds[seed] = seed end
	task.map(seeds, { limit = SIDE_BY_SIDE }, function(seed)
		local _, e = err.try(run_schedule, seed)
		if e then error(("TASK_SEED=%d: %s\n%s"):format(seed, e.message, e.traceback or "")) end
	end)
	t.eq(task.active(), before, "timers, descriptors or transfers left")
end)

-- Tasks: scopes, cancellation, deadlines, channels, semaphores, waiting inside coroutines, and where waiting is impossible.
local err = require "syncrun.err"
local t = require "syncrun.test"
local task = require "syncrun.task"

t.test("task: map keeps the order and the limit", function()
	local now, peak = 0, 0
	local got = task.map({ 5, 4, 3, 2, 1 }, { limit = 2 }, function(x)
		now = now + 1
		peak = math.max(peak, now)
		task.sleep(x / 2000)
		now = now - 1
		return x * x
	end)
	t.eq(got, { 25, 16, 9, 4, 1 })
	t.eq(peak, 2)
end)

t.test("task: map of nothing", function()
	t.eq(task.map({}, { limit = 3 }, error), {})
end)

t.test("task: the first error of a scope cancels the rest and is raised", function()
	local seen
	local e = t.raises(function()
		task.scope(function(s)
			s:spawn(function()
				task.sleep(0.001)
				err.raisef("check", "first")
			end)
			s:spawn(function()
				local _, inner = err.try(task.sleep, 10)
				seen = inner.kind
			end)
			task.sleep(10)
		end)
	end, "check")
	t.eq(e.message, "first")
	t.eq(seen, "cancelled")
end)

t.test("task: children never outlive their scope", function()
	local ended = 0
	task.scope(function(s)
		for _ = 1, 5 do
			s:spawn(function()
				task.sleep(0.002)
				ended = ended + 1
			end)
		end
	end)
	t.eq(ended, 5)
end)

t.test("task: a pcall cannot swallow a cancellation", function()
	local waits = 0
	t.raises(function()
		task.timeout(0.002, function()
			while true do
				pcall(task.sleep, 1)
				waits = waits + 1
				if waits > 50 then task.sleep(0) end
			end
		end)
	end, "timeout")
	t.ok(waits > 1)
end)

t.test("task: a scope whose task is cancelled waits for its children", function()
	local cleaned = false
	t.raises(function()
		task.timeout(0.005, function()
			task.scope(function(s)
				s:spawn(function()
					pcall(task.sleep, 10)
					task.shielded(task.sleep, 0.005)
					cleaned = true
				end)
			end)
		end)
	end, "timeout")
	t.ok(cleaned)
end)

t.test("task: timeout hands on results and errors", function()
	local a, b = task.timeout(1, function(x) return x, nil end, 7)
	t.eq(a, 7)
	t.eq(b, nil)
	t.raises(function() task.timeout(1, err.raisef, "check", "mine") end, "mine")
end)

t.test("task: join gives results, raises errors, also late and twice", function()
	local h = task.spawn(function(x)
		task.sleep(0.001)
		return x, nil, 3
	end, 1)
	for _ = 1, 2 do t.eq(table.pack(h:join()), { 1, nil, 3, n = 3 }) end
	t.ok(h:done())
end)

t.test("task: channel with back-pressure, closed at the end", function()
	local c, got, filled = task.channel(2), {}, 0
	task.scope(function(s)
		s:spawn(function()
			for i = 1, 5 do
				c:send(i)
				filled = i
			end
			c:close()
		end)
		task.sleep(0.002)
		t.eq(filled, 2)
		for v in function() return c:receive() end do got[#got + 1] = v end
	end)
	t.eq(got, { 1, 2, 3, 4, 5 })
	t.raises(function() c:send(1) end, "closed")
end)

t.test("task: a cancelled waiter does not take the place with it", function()
	local sem = task.semaphore(1)
	sem:acquire()
	t.raises(function() task.timeout(0.002, sem.acquire, sem) end, "timeout")
	sem:release()
	task.timeout(0.5, sem.acquire, sem)
	sem:release()
end)

t.test("task: waiting inside generators and nested coroutines", function()
	local outer = coroutine.wrap(function()
		for i = 1, 3 do
			local inner = coroutine.create(function()
				task.sleep(0)
				coroutine.yield(i * 10)
				return "end"
			end)
			local _, v = coroutine.resume(inner)
			task.sleep(0)
			coroutine.yield(v)
			t.eq({ coroutine.resume(inner) }, { true, "end" })
			t.eq({ coroutine.resume(inner) }, { false, "cannot resume dead coroutine" })
		end
	end)
	t.eq({ outer(), outer(), outer() }, { 10, 20, 30 })
end)

t.test("task: an error inside a wrapped coroutine keeps its object", function()
	local gen = coroutine.wrap(function()
		task.sleep(0)
		err.raisef("json", "inner")
	end)
	t.eq(t.raises(gen, "json").message, "inner")
end)

t.test("task: where a script cannot wait it is told", function()
	t.raises(function() table.sort({ 3, 1, 2 }, function(a, b)
		task.sleep(0)
		return a < b
	end) end, "cannot wait here")
	t.raises(function() ("abc"):gsub(".", function() task.sleep(0) end) end, "cannot wait here")
end)

t.test("task: waiting in pcall, metamethods, iterators and __close", function()
	local log = {}
	local proxy = setmetatable({}, { __index = function(_, k)
		task.sleep(0)
		return k
	end })
	do
		local _ <close> = setmetatable({}, { __close = function()
			task.sleep(0)
			log[#log + 1] = "closed"
		end })
		log[#log + 1] = proxy.x
	end
	t.eq(log, { "x", "closed" })
end)

t.test("task: ten thousand tasks leave nothing behind", function()
	local before, ran = task.active(), 0
	task.scope(function(s)
		for i = 1, 10000 do
			s:spawn(function()
				if i % 2 == 0 then task.sleep(0) end
				ran = ran + 1
			end)
		end
	end)
	t.eq(ran, 10000)
	t.eq(task.active(), before)
end)

-- ---- scripts that do not wait

local function spin()
	while true do end
end

-- Cancel a task that runs fn; fn is cancelled while it spins.
local function cancel_spinning(fn)
	return t.raises(task.timeout, "timeout", 0.002, fn)
end

t.test("task: a loop that does not wait is ended by its time, in a child too", function()
	cancel_spinning(spin)
	cancel_spinning(function() task.scope(function(s) s:spawn(spin) end) end)
	cancel_spinning(function() task.map({ 1, 2 }, { limit = 2 }, spin) end)
	cancel_spinning(function() coroutine.wrap(spin)() end)
	cancel_spinning(function() ("x"):gsub("x", spin) end)
	cancel_spinning(function() table.sort({ 2, 1, 3 }, spin) end)
end)

t.test("task: no pcall goes on spinning", function()
	cancel_spinning(function() while true do pcall(spin) end end)
	cancel_spinning(function() while true do pcall(function() while true do pcall(spin) end end) end end)
	cancel_spinning(function() while true do pcall(coroutine.wrap(spin)) end end)
end)

t.test("task: what spins while it is cancelled releases what it holds, and cleans up", function()
	local places, closed = task.semaphore(2), 0
	for _ = 1, 3 do
		cancel_spinning(function()
			local _ <close> = setmetatable({}, { __close = function() for _ = 1, 1000 do closed = closed + 1 end end })
			places:with(spin)
		end)
		cancel_spinning(function() task.map({ 1, 2, 3 }, { limit = 3 }, function() places:with(spin) end) end)
	end
	t.eq(closed, 3000)
	for _ = 1, 2 do task.timeout(1, places.acquire, places) end
end)

t.test("task: cancelled before it spins, between two waits", function()
	local mutex, held = task.mutex(), nil
	local e = t.raises(task.scope, "cancelled", function(s)
		held = s:spawn(function()
			mutex:with(function()
				pcall(task.sleep, 10)
				spin()
			end)
		end)
		task.sleep(0.001)
		held:cancel()
	end)
	t.eq(e.kind, "cancelled")
	task.timeout(1, mutex.acquire, mutex)
end)

t.test("task: a database's transaction is rolled back when its task spins and is cancelled", function()
	local db <close> = require "syncrun.sqlite".open ":memory:"
	db:exec "CREATE TABLE t (x)"
	cancel_spinning(function()
		db:transaction(function(tx)
			tx:exec "INSERT INTO t VALUES (1)"
			spin()
		end)
	end)
	db:transaction(function(tx) t.eq(tx:one "SELECT count(*) AS n FROM t".n, 0) end)
end)

t.test("task: shielded, it may run as long as it likes", function()
	local n = 0
	t.raises(task.timeout, "timeout", 0.001, function()
		task.shielded(function() for _ = 1, 2000000 do n = n + 1 end end)
		task.sleep(0)
	end)
	t.eq(n, 2000000)
end)

t.test("task: where every task waits for another, each is told", function()
	local mutex = task.mutex()
	local e = t.raises(function() mutex:with(mutex.acquire, mutex) end, "every task waits for another")
	t.eq(e.code, "stuck")
	task.timeout(1, mutex.acquire, mutex)
	local channel = task.channel()
	t.raises(task.scope, "every task waits for another", function(s)
		s:spawn(function() channel:receive() end)
		channel:receive()
	end)
end)

t.test("task: try gives nil and an error object with a traceback", function()
	local v, e = err.try(function() error "plain" end)
	t.eq(v, nil)
	t.eq(e.kind, "script")
	t.contains(e.message, "plain")
	t.contains(e.traceback, "task_test.lua")
	t.eq({ err.try(function() return 1, nil, 2 end) }, { 1, nil, 2 })
end)

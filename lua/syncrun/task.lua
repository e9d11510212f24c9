--- Tasks: structured concurrency over the host's coroutines. Scripts read sequentially; waiting is invisible.
local c = require "_syncrun.task"
local call = require "syncrun.call"
local err = require "syncrun.err"

local M = {}

local LIST, FUNCTION, NUMBER = { "list" }, { "function" }, { "number" }
local FOR_MAP = { types = { "table" }, fields = { limit = { types = { "integer" }, min = 0 } } }

--- Wait for so many seconds.
---@param seconds number
function M.sleep(seconds)
	c.sleep(seconds)
end

--- Whether the running task was cancelled.
---@return boolean
function M.cancelled()
	return c.cancelled()
end

--- How many timers, descriptors and transfers are under way (tests: nothing leaks).
---@return integer
function M.active()
	return c.active()
end

--- Wait for SIGINT, SIGTERM or SIGHUP. While a task waits here, signals do not cancel the script.
---@return string "INT", "TERM" or "HUP"
function M.wait_signal()
	return c.wait_signal()
end

---@class syncrun.Task
local Task = {}
Task.__index = Task

--- Its results; raises its error. Waits.
function Task:join()
	return c.join(self.task)
end

--- Ask it to end: its present wait, or its next, raises kind "cancelled".
function Task:cancel()
	c.cancel(self.task)
end

--- Whether it has ended.
---@return boolean
function Task:done()
	return c.done(self.task)
end

--- Start a task that nobody waits for: an error in it is logged. It is cancelled when the script ends. Prefer scope.
---@param fn function
---@return syncrun.Task
function M.spawn(fn, ...)
	return setmetatable({
		task = c.spawn(function(...)
			local results = table.pack(err.try(fn, ...))
			local e = results[2]
			if results[1] == nil and err.is(e) then
				if e.kind ~= "cancelled" then require "syncrun.log".error("a task failed: %s", e.message) end
				error(e, 0)
			end
			return table.unpack(results, 1, results.n)
		end, ...),
	}, Task)
end

-- Run fn although this task may be cancelled: cleaning up, waiting for children to end.
local function shielded(fn, ...)
	c.shield(1)
	local results = table.pack(pcall(fn, ...))
	c.shield(-1)
	if not results[1] then error(results[2], 0) end
	return table.unpack(results, 2, results.n)
end

--- Run fn(...) to its end although this task may be cancelled meanwhile. For cleaning up only.
---@param fn function
function M.shielded(fn, ...)
	return shielded(fn, ...)
end

---@class syncrun.Scope
local Scope = {}
Scope.__index = Scope

local function cancel_all(scope)
	for handle in pairs(scope.children) do c.cancel(handle) end
end

local function child_ended(scope, handle, e)
	scope.children[handle] = nil
	scope.live = scope.live - 1
	if e and not scope.error then
		scope.error = e
		cancel_all(scope)
	end
	if scope.live == 0 then c.wake(scope) end
end

--- Start a child of the scope.
---@param fn function
---@return syncrun.Task
function Scope:spawn(fn, ...)
	if self.closed then err.raisef("usage", "this scope has ended; it cannot start a task") end
	local handle
	handle = c.spawn_child(self.owner, function(...)
		local results = table.pack(xpcall(fn, err.traced, ...))
		child_ended(self, handle, not results[1] and results[2] or nil)
		if not results[1] then error(results[2], 0) end
		return table.unpack(results, 2, results.n)
	end, ...)
	self.live = self.live + 1
	self.children[handle] = true
	if self.error then c.cancel(handle) end
	return setmetatable({ task = handle }, Task)
end

local function wait_for_children(scope)
	while scope.live > 0 do c.park(scope) end
end

-- Wait until every child has ended, whatever becomes of this task meanwhile; the first error is raised.
local function finish(scope)
	local ok, e = pcall(wait_for_children, scope)
	if not ok then -- this task was cancelled while it waited
		scope.error = scope.error or e
		cancel_all(scope)
		shielded(wait_for_children, scope)
	end
	scope.closed = true
	if scope.error then error(scope.error, 0) end
end

local function new_scope()
	return setmetatable({ children = {}, live = 0, owner = c.current() }, Scope)
end

--- Run fn(scope) and wait for every task it started; the first error cancels the rest and is raised.
---@param fn fun(scope: syncrun.Scope): any
---@return any what fn returned
function M.scope(fn)
	call.check("task.scope", "the argument", fn, FUNCTION)
	local scope = new_scope()
	local body = scope:spawn(fn, scope)
	finish(scope)
	return body:join()
end

--- fn(item, i) for every item, at most `limit` at once; results in list order. The first error cancels the rest.
---@param list any[]
---@param options { limit: integer? }
---@param fn fun(item: any, i: integer): any
---@return any[]
function M.map(list, options, fn)
	call.check("task.map", "the list", list, LIST)
	options = call.options("task.map", options, FOR_MAP)
	call.check("task.map", "the third argument", fn, FUNCTION)
	local results, next_index = {}, 0
	local limit = math.max(1, math.min(options.limit or 8, #list))
	M.scope(function(scope)
		for _ = 1, limit do
			scope:spawn(function()
				while next_index < #list do
					next_index = next_index + 1
					local i = next_index
					results[i] = fn(list[i], i)
				end
			end)
		end
	end)
	return results
end

--- Run fn(...) for at most so many seconds; past that it is cancelled, also in the middle of a loop that does not wait,
--- and kind "timeout" is raised.
---@param seconds number
---@param fn function
function M.timeout(seconds, fn, ...)
	call.check("task.timeout", "the first argument", seconds, NUMBER)
	call.check("task.timeout", "the second argument", fn, FUNCTION)
	local scope, results = new_scope(), nil
	local work = scope:spawn(function(...) results = table.pack(fn(...)) end, ...)
	c.limit(work.task, seconds)
	local _, e = pcall(finish, scope)
	if results then return table.unpack(results, 1, results.n) end -- even when cancelled meanwhile: it may hold something
	if e.kind == "cancelled" and c.late(work.task) then
		err.raise { kind = "timeout", code = "deadline", message = ("not finished after %g s"):format(seconds) }
	end
	error(e, 0)
end

---@class syncrun.Semaphore
local Semaphore = {}
Semaphore.__index = Semaphore

--- At most n tasks at once between acquire and release.
---@param n integer
---@return syncrun.Semaphore
function M.semaphore(n)
	call.check("task.semaphore", "the argument", n, NUMBER)
	return setmetatable({ free = n, queue = {}, first = 1, last = 0 }, Semaphore)
end

local function enqueue(self)
	local box = {}
	self.last = self.last + 1
	self.queue[self.last] = box
	return box
end

-- Wake the first box in the queue that still waits; false when there is none.
local function wake_first(self)
	while self.first <= self.last do
		local box = self.queue[self.first]
		self.queue[self.first] = nil
		self.first = self.first + 1
		if not box.gone then
			box.granted = true
			c.wake(box)
			return true
		end
	end
	return false
end

-- Wait in the queue until woken. When cancelled meanwhile, what was granted is handed on.
local function wait_in_queue(self, give_back)
	local box = enqueue(self)
	while not box.granted do
		local ok, e = pcall(c.park, box)
		if not ok then
			if box.granted then give_back(self) else box.gone = true end
			error(e, 0)
		end
	end
	return box
end

--- Wait for a place.
function Semaphore:acquire()
	if self.free > 0 then
		self.free = self.free - 1
		return
	end
	wait_in_queue(self, self.release)
end

--- Give the place back.
function Semaphore:release()
	if not wake_first(self) then self.free = self.free + 1 end
end

--- fn(...) with a place held.
---@param fn function
function Semaphore:with(fn, ...)
	self:acquire()
	local results = table.pack(pcall(fn, ...))
	self:release()
	if not results[1] then error(results[2], 0) end
	return table.unpack(results, 2, results.n)
end

--- A semaphore of one.
---@return syncrun.Semaphore
function M.mutex()
	return M.semaphore(1)
end

---@class syncrun.Channel
local Channel = {}
Channel.__index = Channel

--- A queue between tasks that holds at most `capacity` values.
---@param capacity integer?
---@return syncrun.Channel
function M.channel(capacity)
	return setmetatable({
		capacity = capacity or 1, values = {}, head = 1, tail = 0, closed = false,
		senders = { queue = {}, first = 1, last = 0 }, receivers = { queue = {}, first = 1, last = 0 },
	}, Channel)
end

--- Hand a value over; waits while the channel is full. Raises when it is closed.
---@param value any not nil
function Channel:send(value)
	while not self.closed and self.tail - self.head + 1 >= self.capacity do
		wait_in_queue(self.senders, wake_first)
	end
	if self.closed then err.raisef("usage", "the channel is closed") end
	self.tail = self.tail + 1
	self.values[self.tail] = value
	wake_first(self.receivers)
end

--- The next value, or nil once the channel is closed and empty. Waits.
---@return any
function Channel:receive()
	while self.tail < self.head do
		if self.closed then return nil end
		wait_in_queue(self.receivers, wake_first)
	end
	local value = self.values[self.head]
	self.values[self.head] = nil
	self.head = self.head + 1
	wake_first(self.senders)
	return value
end

--- No more values will come. Everyone who waits is woken.
function Channel:close()
	self.closed = true
	while wake_first(self.receivers) do end
	while wake_first(self.senders) do end
end

return M

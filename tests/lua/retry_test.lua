-- The one policy of trying again: bounded in number and in time, at random, a server's wish heeded up to a point.
local t = require "syncrun.test"
local retry = require "syncrun.retry"

t.test("retry: a number of tries, each pause at most twice as long as the former could be", function()
	for _ = 1, 50 do
		local tries, delays = retry.new { tries = 6, base = 1, cap = 5, budget = 600 }, {}
		for n, most in ipairs { 1, 2, 4, 5, 5 } do
			t.eq(tries:is_last(), false)
			delays[n] = tries:delay()
			t.ok(delays[n] >= 0 and delays[n] <= most, delays[n])
		end
		t.eq({ tries:is_last(), tries.failures }, { true, 5 })
		t.eq(tries:delay(), nil)
	end
end)

t.test("retry: the time in which a try may start", function()
	t.eq(retry.new({ base = 0, budget = 5 }):delay { exact = 4 }, 4)
	t.eq(retry.new({ base = 0, budget = 5 }):delay { exact = 6 }, nil)
	t.eq(retry.new({ base = 0, budget = 50 }):delay { exact = 6, budget = 5 }, nil)
	t.eq(retry.new({ base = 0, budget = 5 }):delay { exact = 6, budget = 50 }, nil)
	t.eq(retry.new({ base = 0, tries = 5 }):delay { tries = 1 }, nil)
end)

t.test("retry: what a server asks for is heeded up to a minute", function()
	t.eq(retry.new({ base = 0 }):delay { asked = 7 }, 7)
	t.eq(retry.new({ base = 0 }):delay { asked = 86400 }, 60)
	t.eq(retry.new({ base = 0, longest = 3 }):delay { asked = 86400 }, 3)
	t.ok(retry.new({ base = 9, cap = 9 }):delay { asked = 0 } <= 9)
end)

t.test("retry: one try is one", function()
	t.eq(retry.new(retry.ONCE):is_last(), true)
	t.eq(retry.new(retry.ONCE):delay(), nil)
end)

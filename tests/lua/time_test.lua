-- The calendar's facade; the calendar itself is tested against libc in tests/c/test_civil.c.
local t = require "syncrun.test"
local time = require "syncrun.time"

local US = 1767323045123456 -- 2026-01-02T03:04:05.123456Z

t.test("format writes as many digits as asked", function()
	t.eq(time.format(US), "2026-01-02T03:04:05.123456Z")
	t.eq(time.format(US, 6), "2026-01-02T03:04:05.123456Z")
	t.eq(time.format(US, 3), "2026-01-02T03:04:05.123Z")
	t.eq(time.format(US, 0), "2026-01-02T03:04:05Z")
	t.eq(time.format(US, "auto"), "2026-01-02T03:04:05.123456Z")
	t.eq(time.format(US - 456, "auto"), "2026-01-02T03:04:05.123Z")
	t.eq(time.format(0, "auto"), "1970-01-01T00:00:00Z")
	t.eq(time.format(0), "1970-01-01T00:00:00.000000Z")
	t.raises(time.format, "not between", US, 7)
end)

t.test("parse is exact and integer", function()
	t.eq(time.parse("2026-01-02T03:04:05.123456Z"), US)
	t.eq(time.parse("2026-01-02T05:04:05.123456+02:00"), US)
	t.eq(time.parse("2026-01-02 03:04:05.123456000Z"), US)
	t.eq(math.type(time.parse("1970-01-01T00:00:00Z")), "integer")
	t.eq(time.parse("0001-01-01T00:00:00Z"), -62135596800000000)
	t.eq(time.parse("9999-12-31T23:59:59.999999Z"), 253402300799999999)
end)

t.test("parse refuses what it would have to guess or round", function()
	for text, why in pairs {
		["2026-01-02T03:04:05.1234567Z"] = "nothing is rounded",
		["2016-12-31T23:59:60Z"] = "leap second",
		["2026-01-02T03:04:05"] = "offset is missing",
		["2026-02-30T03:04:05Z"] = "no such day",
		["yesterday"] = "digit",
		[""] = "too early",
	} do
		local e = t.raises(time.parse, why, text)
		t.eq(e.kind, "usage")
	end
end)

t.test("civil and back", function()
	t.eq(time.civil(US), { year = 2026, month = 1, day = 2, hour = 3, min = 4, sec = 5, usec = 123456 })
	t.eq(time.civil(-1), { year = 1969, month = 12, day = 31, hour = 23, min = 59, sec = 59, usec = 999999 })
	t.raises(time.civil, "outside years", 253402300800000000)
	t.raises(time.format, "outside years", -62135596800000001)
	t.raises(time.format, "outside years", math.mininteger)
end)

t.test("date_valid", function()
	for _, good in ipairs { "2024-02-29", "2000-02-29", "0001-01-01", "9999-12-31" } do
		t.eq(time.date_valid(good), true, good)
	end
	for _, bad in ipairs { "2023-02-29", "1900-02-29", "2024-13-01", "0000-01-01", "2024-1-1", "2024-01-01T", "", "x" } do
		t.eq(time.date_valid(bad), false, bad)
	end
end)

t.test("the clocks go forward", function()
	local a, m = time.now(), time.mono()
	t.ok(a > time.parse("2024-01-01T00:00:00Z"))
	t.eq(math.type(a), "integer")
	t.eq(math.type(m), "float")
	t.ok(time.mono() >= m)
end)

t.test("time: a duration is a number and its unit", function()
	t.eq({ time.duration "90s", time.duration "10m", time.duration "1.5h" }, { 90, 600, 5400.0 })
	t.eq(time.duration "90d", 7776000)
	for _, text in ipairs { "90", "m", "1.m2", "10 m", "0d", "36526d", "+1s" } do t.eq(time.duration(text), nil, text) end
end)

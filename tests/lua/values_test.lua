-- What becomes of values: steps that tell losses, default regions of telephones, what cannot be told apart, words for it.
local err = require "syncrun.err"
local fields = require "syncrun.systems.twenty.fields"
local mapping = require "syncrun.model.mapping"
local regions = require "syncrun.systems.twenty.regions"
local rows = require "syncrun.rows"
local t = require "syncrun.test"
local values = require "syncrun.model.values"

-- One value through steps: its text, its fate, the note.
local function through(steps, value, kind)
	local page = rows.new(rows.schema { { "x", kind or "text" } })
	page:add { x = value }
	local out = rows.plan(page:schema(), { { name = "y", from = "x", type = kind or "text", steps = steps } }):apply(page)
	local fates = out:fates(1)
	return out:text(1, "y"), fates and fates[1].fate or "exact", fates and fates[1].note
end

t.test("repeated names in JSON are lost, said so; everything else stays as it is spelled", function()
	local steps = { "json_unique_keys" }
	for _, text in ipairs { "{}", '{"a":1}', ' { "b" : 1.10, "a" : {"a":1} } ', "[1,2]", '"a:b:c"',
		'{"a":[{"b":1},{"b":2}]}' } do
		local got, fate = through(steps, text, "json")
		t.eq(got, text)
		t.eq(fate, "exact", text)
	end
	for text, stored in pairs {
		['{"k":1,"k":2}'] = '{"k":2}', ['{"x":{"k":1,"b":0,"k":null}}'] = '{"x":{"b":0,"k":null}}',
		['{"k":1,"\\u006b":2.0}'] = '{"k":2}', ['[{"":1,"":1}]'] = '[{"":1}]',
	} do
		local got, fate, note = through(steps, text, "json")
		t.eq(got, stored)
		t.eq(fate, "lost")
		t.eq(note, "repeated key in JSON, the last one stays")
	end
end)

local function phone(region, number)
	return through({ { "phone_e164", table.unpack(regions.arguments(region)) } }, number)
end

t.test("a telephone without + gets the default region's code", function()
	for _, case in ipairs {
		{ "US", "202 555 0123", "+12025550123" }, { "US", "1-202-555-0123", "+12025550123" },
		{ "US", "(202) 555-0123", "+12025550123" }, { "US", "011 33 6 12 34 56 78", "+33612345678" },
		{ "us", "2025550123", "+12025550123" }, { "FR", "06 12 34 56 78", "+33612345678" },
		{ "FR", "0033612345678", "+33612345678" }, { "FR", "612345678", "+33612345678" },
		{ "GB", "07400 123456", "+447400123456" }, { "IT", "06 698 12345", "+390669812345" },
		{ "ES", "612345678", "+34612345678" }, { "RU", "8 912 345-67-89", "+79123456789" },
		{ "RU", "8005553535", "+78005553535" }, { "HU", "06 20 123 4567", "+36201234567" },
		{ "AU", "0011 1 202 555 0123", "+12025550123" }, { "+49", "15123456789", "+4915123456789" },
	} do
		local got, fate, note = phone(case[1], case[2])
		t.eq(got, case[3], case[1] .. " " .. case[2])
		t.eq(fate, "folded")
		t.eq(note, "default region's calling code put before the phone")
	end
end)

t.test("a default region changes nothing for the others", function()
	t.eq({ phone("US", "+33612345678") }, { "+33612345678", "exact" })
	t.eq({ phone("US", "+33 6 12 34 56 78") }, { "+33612345678", "folded", "phone respelled" })
	local _, fate = phone("US", "202 555 0123 ext. 4")
	t.eq(fate, "lost")
	_, fate = phone("US", "call me")
	t.eq(fate, "rejected")
	t.eq({ through({ "phone_e164" }, "202 555 0123") }, { "2025550123", "lost", "phone without country code" })
	t.eq({ phone("US", "") }, { "", "exact" })
	t.eq(phone("US", nil), nil)
end)

t.test("an unknown region is refused, and so are arguments that are no region's", function()
	for _, region in ipairs { "XX", "USA", "1", "+", "+12345", "", 1 } do
		local e = t.raises(function() regions.arguments(region) end, "config")
		t.ok(e.message:find "twenty.default_region", e.message)
	end
	for _, arguments in ipairs { { "+1" }, { "1", "", "", "00" }, { "+1", "", "", "x" } } do
		local step = { "phone_e164", table.unpack(arguments) }
		t.raises(function() through({ step }, "1") end, "mapping")
	end
end)

t.test("the setting reaches Twenty's column", function()
	local contacts = mapping.load "scripts/contacts/mapping.lua"
	local function column_of(settings)
		for _, column in ipairs(fields.columns(contacts, settings)) do
			if column.kind == "PHONES" then return column end
		end
	end
	local function step_of(settings) return column_of(settings).steps[1] end
	t.eq(column_of {}.selection:find "Country", nil, "the country is the server's guess, never compared")
	t.eq(step_of {}, "phone_e164")
	t.eq(step_of { default_region = "US" }, { "phone_e164", "+1", "011", "1", "10" })
	t.raises(step_of, "config", { default_region = "Utopia" })
end)

t.test("what cannot be told apart is said of the fields that folded something", function()
	local columns = {
		{ name = "a", steps = { "utf8", "null_to_empty" } }, { name = "b", steps = { "lower", "null_to_empty" } },
		{ name = "c", steps = { { "truncate_time", "ms" } } }, { name = "d", steps = { "null_to_empty" } },
		{ name = "e", steps = { "no_nul" } },
	}
	local one, none = { folded = 1 }, { folded = 0 }
	t.eq(values.merged(columns, { a = one, b = one, c = one, d = none, e = one }), {
		{ what = 'null and ""', fields = { "a", "b" } }, { what = "upper and lower case", fields = { "b" } },
		{ what = "times within one millisecond", fields = { "c" } },
	})
	t.eq(values.merged(columns, {}), {})
end)

t.test("values as the report shows them", function()
	t.eq(values.shown(nil, "text"), "null")
	t.eq(values.shown("", "text"), '""')
	t.eq(values.shown('a"b\\c\n\t\1', "text"), [["a\"b\\c\n\t\u0001"]])
	t.eq(values.shown('{"a":1}', "json"), '{"a":1}')
	t.eq(values.shown("-1", "timestamp"), '"1969-12-31T23:59:59.999999Z"')
	t.eq(values.shown("infinity", "timestamp"), '"infinity"')
	t.eq(values.shown(("é"):rep(150), "text"), '"' .. ("é"):rep(99) .. '…"')
end)

t.test("a page without losses costs no look at its rows, and a lost value is told once", function()
	local page = rows.new(rows.schema { { "x", "text" } })
	page:add { x = "a" }
	page:add { x = "b\0" }
	page:add {}
	local plan = rows.plan(page:schema(), { { name = "x", from = "x", steps = { "no_nul", "null_to_empty" } } })
	local function seen(out, counts, trace)
		local list = {}
		values.each_fate(out, counts, trace, function(i, fate) list[#list + 1] = i .. " " .. fate.fate end)
		return list
	end
	local out, counts = plan:apply(page)
	t.eq(seen(out, counts), { "2 lost" })
	t.eq(seen(out, {}), {}) -- nothing is looked at where the counts say that all is exact
	t.eq(seen(out, counts, true), { "2 lost", "3 folded" })
	local tally = values.tally { "x" }
	tally:add(#out, counts)
	tally:add(2, {})
	t.eq(tally:counts(), { x = { exact = 3, folded = 1, lost = 1, rejected = 0 } })
	t.eq(values.reason(out, 2, out:fates(2)[1], "reject"), 'x: NUL character removed, would be stored as "b"')
	t.eq(values.reason(out, 2, out:fates(2)[1], "write"), 'x: NUL character removed, stored as "b"')
	t.ok(err.is(select(2, err.try(plan.apply, plan, rows.new(rows.schema { { "y", "text" } })))))
end)

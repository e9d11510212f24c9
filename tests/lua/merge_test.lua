local rows = require "syncrun.rows"
local t = require "syncrun.test"

local EXPECTED = rows.schema { { "id", "text" }, { "v", "decimal" } }
local ACTUAL = rows.schema { { "extra", "text" }, { "v", "decimal" }, { "id", "text" } }

-- Pages of a schema from lists of {id, v}.
local function pages(schema, lists)
	local result = {}
	for i, list in ipairs(lists) do
		result[i] = rows.new(schema)
		for _, pair in ipairs(list) do result[i]:add { id = pair[1], v = pair[2] } end
	end
	return result
end

-- Everything a merge finds, as lines in the order found.
local function run(expected, actual)
	local lines, same = {}, 0
	local function feed(schema, lists)
		local list, at = pages(schema, lists), 0
		return function()
			at = at + 1
			return list[at] or (at == 1 and rows.new(schema) or nil), at
		end
	end
	for found, e_page, nth, a_page in rows.merge(feed(EXPECTED, expected), feed(ACTUAL, actual), "id") do
		local function add(kind, e, a)
			lines[#lines + 1] = ("%s %s %s"):format(kind, e and e_page[e].id or "-", a and a_page[a].v or "-")
		end
		t.ok(e_page == nil or nth >= 1)
		same = same + found.same
		for _, p in ipairs(found.differ) do add("differ", p.e, p.a) end
		for _, e in ipairs(found.missing) do add("missing", e) end
		for _, a in ipairs(found.extra) do add("extra", nil, a) end
		for _, p in ipairs(found.again) do add("again", p.e, p.a) end
	end
	return lines, same
end

t.test("finds what differs, is missing, extra and repeated", function()
	local lines, same = run(
		{ { { "a", "1" }, { "b", "2" } }, { { "c", "3" }, { "e", "5" } } },
		{ { { "a", "1.0" } }, { { "b", "9" }, { "d", "4" }, { "e", "5" }, { "f", "6" } } }
	)
	t.eq(same, 2)
	table.sort(lines)
	t.eq(lines, { "differ b 9", "extra - 4", "extra - 6", "missing c -" })
end)

t.test("a repeated actual key is told with its expected row, over page borders too", function()
	local lines, same = run({ { { "a", "1" } }, { { "b", "2" } } },
		{ { { "a", "1" } }, {}, { { "a", "7" }, { "a", "8" }, { "x", "1" } }, { { "x", "2" } } })
	t.eq(same, 1)
	table.sort(lines)
	t.eq(lines, { "again - 2", "again a 7", "again a 8", "extra - 1", "missing b -" })
end)

t.test("empty streams", function()
	t.eq(select(2, run({}, {})), 0)
	t.eq(run({ { { "a", "1" } } }, {}), { "missing a -" })
	t.eq(run({}, { {}, { { "a", "1" } } }), { "extra - 1" })
end)

t.test("keys out of order raise", function()
	local e = t.raises(run, "check", { { { "b", "1" }, { "a", "1" } } }, {})
	t.contains(e.message, "'a' after 'b'")
	t.raises(run, "out of order", {}, { { { "10", "1" } }, { { "9", "1" }, { "10", "1" } } })
	t.raises(run, "repeats the key 'a'", { { { "a", "1" } }, { { "a", "1" } } }, {})
	t.raises(run, "has no key", { { { nil, "1" } } }, {})
end)

t.test("a page fed before its turn, or before take, raises", function()
	local m = rows.merger(EXPECTED, ACTUAL, "id")
	local page = pages(EXPECTED, { { { "a", "1" } } })[1]
	t.eq(m:step(), "expected")
	t.raises(function() m:expected(rows.new(ACTUAL)) end, "other columns")
	m:expected(page)
	t.raises(function() m:expected(page) end, "out of turn")
	t.eq(m:step(), "actual")
	m:actual(nil)
	t.eq(m:step(), "expected")
	t.raises(function() m:expected(nil) end, "take the results")
	t.eq(m:take().missing, { 1 })
	m:expected(nil)
	t.eq(m:step(), "done")
	t.eq(m:take(), { same = 0, differ = {}, missing = {}, extra = {}, again = {} })
end)

t.test("schemas that do not fit raise", function()
	t.raises(rows.merger, "no key column 'key'", EXPECTED, ACTUAL, "key")
	t.raises(rows.merger, "no column 'extra'", ACTUAL, EXPECTED, "id")
end)

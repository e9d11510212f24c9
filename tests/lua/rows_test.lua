local json = require "syncrun.json"
local rows = require "syncrun.rows"
local t = require "syncrun.test"

local schema = rows.schema {
	{ "contact_id", "text" }, { "is_me", "bool" }, { "updated_at", "timestamp" }, { "score", "float64" },
	{ "amount", "decimal" }, { "visits", "int64" }, { "stats", "json" }, { "birthday", "date" }, { "photo", "bytes" },
}

local function full()
	local r = rows.new(schema)
	r:add {
		contact_id = "12", is_me = true, updated_at = 1767323045123456, score = 0.1, amount = "1.10", visits = -3,
		stats = '{"a": 1.0}', birthday = "1815-12-10", photo = "\0\255",
	}
	return r
end

t.test("schemas tell their columns", function()
	t.eq(#schema, 9)
	t.eq(schema:names()[3], "updated_at")
	t.eq(schema:type("updated_at"), "timestamp")
	t.eq(schema:type("gone"), nil)
	t.eq(schema:index("is_me"), 2)
	t.eq(schema:index("gone"), nil)
	local part = schema:select { "stats", "contact_id" }
	t.eq(part:names(), { "stats", "contact_id" })
	t.ok(part == rows.schema { { "stats", "json" }, { "contact_id", "text" } })
	t.ok(part ~= schema)
end)

t.test("schemas refuse what is no schema", function()
	t.raises(rows.schema, "usage", { { "a", "varchar" } })
	t.raises(rows.schema, "usage", { { "a" } })
	t.raises(rows.schema, "usage", { "a" })
	t.raises(rows.schema, "usage", { { "a\0b", "text" } })
	t.raises(rows.schema, "named twice", { { "a", "text" }, { "a", "text" } })
	t.raises(rows.schema, "config", {})
	t.raises(function() return schema:select { "gone" } end, "unknown field 'gone'")
end)

t.test("a row view gives Lua values", function()
	local r = full()
	t.eq(#r, 1)
	local row = r[1]
	t.eq(row.contact_id, "12")
	t.eq(row.is_me, true)
	t.eq(row.updated_at, 1767323045123456)
	t.eq(row.score, 0.1)
	t.eq(row.amount, "1.10")
	t.eq(row.visits, -3)
	t.eq(row.stats, '{"a": 1.0}')
	t.eq(row.birthday, "1815-12-10")
	t.eq(row.photo, "\0\255")
	t.eq(row:text("is_me"), "true")
	t.eq(row:text("updated_at"), "1767323045123456")
end)

t.test("null is nil, and not the empty text", function()
	local r = rows.new(schema)
	t.eq(r:add { contact_id = "", visits = json.null }, 1)
	t.eq(r[1].visits, nil)
	t.eq(r[1].contact_id, "")
	t.eq(r[1].is_me, nil)
	t.eq(r:is_null(1, "contact_id"), false)
	t.eq(r:is_null(1, "is_me"), true)
	t.eq(r:text(1, "is_me"), nil)
	t.eq(r:get(1, "stats"), nil)
end)

t.test("unknown fields and rows out of range raise", function()
	local r = full()
	t.raises(function() return r[1].nmae end, "unknown field 'nmae'")
	t.raises(function() return r[0] end, "row 0 is out of range (there are 1)")
	t.raises(function() return r[2] end, "usage")
	t.raises(function() return r:shout() end, "no method 'shout'")
	t.raises(function() r[1].contact_id = "x" end, "cannot be written")
	t.raises(function() r:get(1, "nmae") end, "unknown field 'nmae'")
	t.raises(function() r:set(5, "contact_id", "x") end, "out of range")
end)

t.test("a row that cannot be added leaves no trace", function()
	local r = full()
	t.raises(function() r:add { contact_id = "13", nmae = 1 } end, "unknown field 'nmae'")
	t.raises(function() r:add { contact_id = "13", is_me = "perhaps" } end, "'is_me' is bool")
	t.raises(function() r:add { visits = 1.5 } end, "'visits' is int64")
	t.raises(function() r:add { updated_at = "2026-01-01" } end, "'updated_at' is timestamp")
	t.raises(function() r:add { contact_id = {} } end, "cannot hold this table")
	t.raises(function() r:add { "13" } end, "names only")
	t.eq(#r, 1)
	t.eq(r[1].contact_id, "12")
end)

t.test("numbers become the column's text", function()
	local r = rows.new(schema)
	r:add { contact_id = 12345678901234567, visits = 2.0, score = 1, amount = 7, stats = 1.5 }
	t.eq(r[1].contact_id, "12345678901234567")
	t.eq(r[1].visits, 2)
	t.eq(r[1].score, 1.0)
	t.eq(r[1].amount, "7")
	t.eq(r[1].stats, "1.5")
	r:set(1, "score", 1 / 0)
	t.eq(r:text(1, "score"), "Infinity")
	t.eq(r[1].score, math.huge)
	r:set(1, "score", 0 / 0)
	t.eq(r:text(1, "score"), "NaN")
	t.ok(r[1].score ~= r[1].score)
	t.raises(function() r:set(1, "stats", 0 / 0) end, "'stats' is json")
	t.raises(function() r:set(1, "contact_id", 1.5) end, "'contact_id' is text")
end)

t.test("set replaces a value", function()
	local r = full()
	r:set(1, "contact_id", "13")
	r:set(1, "is_me", nil)
	t.eq(r[1].contact_id, "13")
	t.eq(r[1].is_me, nil)
	t.raises(function() r:set(1, "is_me") end)
end)

t.test("each and pairs walk in order", function()
	local r = full()
	r:add { contact_id = "13" }
	local seen = {}
	for i, row in r:each() do seen[#seen + 1] = i .. "=" .. row.contact_id end
	t.eq(seen, { "1=12", "2=13" })
	local names = {}
	for name in pairs(r[2]) do names[#names + 1] = name end
	t.eq(names, schema:names())
end)

t.test("pick, slice and append", function()
	local r = rows.new(rows.schema { { "id", "text" } })
	for i = 1, 5 do r:add { id = tostring(i) } end
	local function ids(page)
		local list = {}
		for _, row in page:each() do list[#list + 1] = row.id end
		return table.concat(list)
	end
	t.eq(ids(r:pick { 5, 1, 1 }), "511")
	t.eq(ids(r:pick {}), "")
	t.eq(ids(r:slice(2, 4)), "234")
	t.eq(ids(r:slice(4)), "45")
	t.eq(ids(r:slice(6)), "")
	t.eq(ids(r:slice(1, 0)), "")
	t.raises(function() r:pick { 6 } end, "out of range")
	t.raises(function() r:slice(0) end, "out of range")
	t.raises(function() r:slice(1, 6) end, "out of range")
	local picked = r:pick { 3 }
	t.eq(picked:append(r, 5), 2)
	t.eq(ids(picked), "35")
	t.raises(function() picked:append(full(), 1) end, "other columns")
	picked:set(1, "id", "x")
	t.eq(r[3].id, "3") -- a picked page's cells are its own
end)

t.test("views and picked pages outlive the page they came from", function()
	local row, picked
	do
		local r = full()
		row, picked = r[1], r:slice(1, 1)
	end
	collectgarbage()
	collectgarbage()
	t.eq(row.contact_id, "12")
	t.eq(picked[1].photo, "\0\255")
end)

t.test("pages that nobody holds go away", function()
	local r = full()
	r:set(1, "contact_id", ("x"):rep(1024 * 1024))
	local before = collectgarbage("count")
	for _ = 1, 500 do -- half a gigabyte, if none of it were collected
		local page = rows.new(schema)
		page:append(r, 1)
	end
	t.ok(collectgarbage("count") < before + 1024)
	t.ok(r:bytes() > 1024 * 1024)
end)

t.test("malformed cells are their text", function()
	local r = rows.new(rows.schema { { "id", "text" }, { "stats", "json" }, { "amount", "decimal" } })
	r:add { id = "1", stats = "{bad", amount = "1,5" }
	r:add { id = "2", stats = "{bad", amount = "1,5" }
	t.eq(r[1].stats, "{bad")
	t.eq(rows.canon(r, 1, "stats"), "{bad")
	t.eq(rows.diff(r, 1, r, 2), { "id" })
end)

t.test("equal, diff and canon go by value", function()
	local a, b = full(), full()
	b:set(1, "stats", '{"a":1}')
	b:set(1, "amount", "11e-1")
	t.ok(rows.equal(a, 1, b, 1))
	t.eq(rows.diff(a, 1, b, 1), {})
	t.eq(rows.canon(a, 1, "stats"), '{"a":1}')
	t.eq(rows.canon(b, 1, "amount"), "11e-1")
	b:set(1, "contact_id", "13")
	b:set(1, "birthday", nil)
	t.ok(not rows.equal(a, 1, b, 1))
	t.ok(rows.equal(a, 1, b, 1, { "stats", "is_me" }))
	t.ok(not rows.equal(a, 1, b, 1, { "stats", "birthday" }))
	t.eq(rows.diff(a, 1, b, 1), { "contact_id", "birthday" })
	t.eq(rows.canon(b, 1, "birthday"), nil)
	t.raises(function() rows.equal(a, 1, b, 1, { "gone" }) end, "unknown field 'gone'")
	t.raises(function() rows.diff(a, 1, rows.new(schema:select { "stats" }), 1) end, "out of range")
end)

t.test("rows compare by name when the columns stand elsewhere", function()
	local a = rows.new(rows.schema { { "id", "text" }, { "n", "decimal" } })
	local b = rows.new(rows.schema { { "n", "decimal" }, { "more", "text" }, { "id", "text" } })
	local c = rows.new(rows.schema { { "n", "int64" }, { "id", "text" } })
	a:add { id = "1", n = "2.50" }
	b:add { id = "1", n = "2.5", more = "x" }
	c:add { id = "1", n = 2 }
	t.ok(rows.equal(a, 1, b, 1))
	t.raises(function() rows.equal(b, 1, a, 1) end, "'more' (text) is missing")
	t.raises(function() rows.equal(a, 1, c, 1) end, "'n' (decimal) is missing")
end)

t.test("a digest is that of the framed canonical cells", function()
	local r = rows.new(rows.schema { { "a", "text" }, { "b", "text" }, { "c", "text" }, { "d", "json" } })
	r:add { a = "Ada", c = "", d = '{"a": [100]}' }
	local hex = rows.digest(r, 1):gsub(".", function(c) return ("%02x"):format(c:byte()) end)
	-- printf '3:Ada-0:11:{"a":[1e2]}' | sha256sum
	t.eq(hex, "3b0bbc8970d4ba9769b2ff1b2544ded804cc74f6eda3b79be30e53a5806f5b32")
end)

t.test("what is no page is refused", function()
	t.raises(rows.new, nil, {})
	t.raises(rows.canon, nil, {}, 1, "a")
	t.raises(rows.digest, "out of range", full(), 2)
	t.eq(getmetatable(full()), "syncrun.rows")
end)

t.test("a page read from JSON flows through plan, merge and encoder", function()
	local schema2 = rows.schema { { "id", "text" }, { "title", "text" } }
	local text = '{"data":[{"id":"1","job":{"title":"Eng"}},{"id":"2","job":{"title":""}}]}'
	local r = rows.json_reader(schema2, { rows = "data", paths = { "id", "job.title" } }):read(text)
	t.eq(#r, 2)
	local plan = rows.plan(schema2, {
		{ name = "id", from = "id" }, { name = "title", from = "title", steps = { "empty_to_null" } },
	})
	local mapped = plan:apply(r)
	t.eq(mapped[2].title, nil)
	local enc = rows.encoder {
		{ path = "contactId", column = "id", as = "string" }, { path = "job.title", column = "title", as = "string" },
	}
	t.eq(enc:encode(mapped, 1, 2), '[{"contactId":"1","job":{"title":"Eng"}},{"contactId":"2","job":{"title":null}}]')
end)

-- Collecting leaves: against the definition in lua/README.md, written once more here, in Lua.
local t = require "syncrun.test"
local crypto = require "syncrun.crypto"
local file = require "syncrun.file"
local leaves = require "syncrun.leaves"
local rows = require "syncrun.rows"
local tree = require "syncrun.tree"

local KEY = crypto.hkdf_sha256("a secret of the tests, 32 bytes.", "syncrun/proof/v1")
local MODEL = rows.schema { { "contact_id", "text" }, { "name", "text" }, { "age", "int64" }, { "stats", "json" } }

-- ---- the definition

local function sha(s) return crypto.sha256(s, "raw") end
local function hmac(k, s) return crypto.hmac_sha256(k, s, "raw") end
local function frame(s) return s == nil and "-" or ("%d:%s"):format(#s, s) end

local function name_of(id)
	local k = hmac(KEY, id)
	return k, sha("b" .. k .. frame(id))
end

-- Of a contact with these canonical cells; a row with a lost value has its mark.
local function leaf_of(contact, marked)
	local k, b = name_of(contact.contact_id)
	local p = sha((marked and "!" or "") .. frame(contact.contact_id) .. frame(contact.name) .. frame(contact.age))
	local j = sha(frame(contact.stats))
	return b .. hmac(k, sha(p .. j))
end

local function sorted(list)
	table.sort(list)
	return table.concat(list)
end

local function leaves_of(contacts)
	local list = {}
	for i, contact in ipairs(contacts) do list[i] = leaf_of(contact) end
	return sorted(list)
end

local function extras_of(ids)
	local list = {}
	for i, id in ipairs(ids) do
		local k, b = name_of(id)
		list[i] = b .. hmac(k, "")
	end
	return sorted(list)
end

-- A projection that changes nothing; and one with these steps for the JSON column.
local function plan_of(steps)
	return rows.plan(MODEL, { { name = "contact_id", from = "contact_id" }, { name = "name", from = "name" },
		{ name = "age", from = "age" }, { name = "stats", from = "stats", steps = steps } })
end
local SAME = plan_of()

-- ---- pages

local function page_of(schema, contacts)
	local page = rows.new(schema)
	for _, contact in ipairs(contacts) do page:add(contact) end
	return page
end

local function contact(i, more)
	local c = { contact_id = ("%05d"):format(i), name = "Name " .. i, age = tostring(i % 90),
		stats = ('{"n":"%d"}'):format(i) }
	for key, value in pairs(more or {}) do c[key] = value end
	return c
end

local function contacts(n)
	local list = {}
	for i = 1, n do list[i] = contact(i) end
	return list
end

local function read(path)
	local f = io.open(path, "rb")
	if not f then return nil end
	local text = f:read "a"
	f:close()
	return text
end

local function folder()
	local dir = os.tmpname()
	os.remove(dir)
	file.make_folder(dir)
	return dir
end

-- collect(set, page_of) in a folder of its own: the sides and the three files.
local function collected(plan, collect)
	local dir = folder()
	local memo <close> = leaves.memo(KEY, MODEL, "contact_id", dir .. "/memo")
	local set <close> = leaves.new(memo, plan, plan:schema(), "contact_id", dir .. "/scratch")
	collect(set)
	local paths = { expected = dir .. "/e", observed = dir .. "/o", extras = dir .. "/x" }
	local sides = leaves.write(set, paths)
	local texts = {}
	for side, path in pairs(paths) do
		texts[side] = read(path)
		os.remove(path)
	end
	t.ok(os.remove(dir), "nothing else was left in the folder")
	return sides, texts
end

-- Two long texts of bytes: a failure must not print them.
local function same(got, want, what)
	t.eq(got and #got, want and #want, what)
	t.ok(got == want, what)
end

local function check_side(sides, side, bytes)
	t.eq(sides[side].size, #bytes // 64, side)
	same(sides[side].root, tree.root(tree.of(bytes, 64)), side)
end

t.test("a pass that found all equal", function()
	local list = contacts(2500)
	local sides, files = collected(SAME, function(set)
		for from = 1, 2500, 1000 do
			local page = page_of(MODEL, table.move(list, from, math.min(from + 999, 2500), 1, {}))
			set:expected(page, page, {})
		end
	end)
	local want = leaves_of(list)
	same(files.expected, want)
	t.eq(files.observed, nil)
	t.eq(files.extras, nil)
	check_side(sides, "expected", want)
	check_side(sides, "observed", want)
	check_side(sides, "extras", "")
	t.eq(sides.equal, true)
	t.eq(sides.repeated, 0)
end)

t.test("what is missing, different, repeated and extra", function()
	local list = contacts(300)
	local page = page_of(MODEL, list)
	local found = { contact(7, { name = "Eve" }), contact(9, { stats = "{}" }), contact(900), contact(12) }
	local sides, files = collected(SAME, function(set)
		local actual = page_of(MODEL, found)
		set:observed(actual, { 1, 2, 4 }) -- 12 is there twice
		set:extra(actual, { 3 })
		set:expected(page, page, { 5, 7, 9 }) -- 5 is missing
	end)
	local others = {}
	for i, c in ipairs(list) do
		if i ~= 5 and i ~= 7 and i ~= 9 and i ~= 12 then others[#others + 1] = leaf_of(c) end
	end
	local twice = leaf_of(list[12])
	others[#others + 1] = leaf_of(found[1])
	others[#others + 1] = leaf_of(found[2])
	others[#others + 1] = twice:sub(1, 32) .. sha("r" .. twice:sub(33) .. twice:sub(33))
	local observed = sorted(others)
	same(files.expected, leaves_of(list))
	same(files.observed, observed)
	same(files.extras, extras_of { "00900" })
	check_side(sides, "expected", files.expected)
	check_side(sides, "observed", observed)
	check_side(sides, "extras", files.extras)
	t.eq(sides.equal, false)
	t.eq(sides.repeated, 1)
end)

t.test("what was looked at again counts as it was seen last", function()
	local list = contacts(20)
	local page = page_of(MODEL, list)
	local sides = collected(SAME, function(set)
		set:observed(page_of(MODEL, { contact(3, { name = "Eve" }) }), { 1 })
		set:expected(page, page, { 3, 4 })
		set:revised(page, 3, page_of(MODEL, { contact(3) }), { 1 })
		set:revised(page, 4)
		set:revised(page, 4, page_of(MODEL, { contact(4, { stats = '{ "n": "\\u0034" }' }) }), { 1 }) -- spelled otherwise
	end)
	t.eq(sides.equal, true)
	local gone, files = collected(SAME, function(set)
		set:expected(page, page, {})
		set:revised(page, 20)
	end)
	t.eq(gone.equal, false)
	same(files.observed, leaves_of(table.move(list, 1, 19, 1, {})))
end)

-- A rule of a system changes what is expected, seeing what is there: in the pass, or in the second look.
t.test("an expected row that was changed is digested as it is then", function()
	local list = contacts(6)
	local amended = { table.unpack(list) }
	amended[2], amended[5] = contact(2, { name = "Two", stats = "[]" }), contact(5, { name = "Five" })
	local plan, model = plan_of { "json_canonical" }, page_of(MODEL, list)
	local sides, files = collected(plan, function(set)
		local page = plan:apply(model)
		set:observed(page_of(MODEL, { amended[2] }), { 1 })
		page:set(2, "name", "Two")
		page:set(2, "stats", "[]")
		set:expected(page, model, { 2, 5 })
		page = plan:apply(model)
		page:set(5, "name", "Five")
		set:revised(page, 5, page_of(MODEL, { amended[5] }), { 1 })
	end)
	same(files.expected, leaves_of(amended))
	t.eq(sides.equal, true)
end)

t.test("a pass that begins anew forgets the one before", function()
	local page = page_of(MODEL, contacts(50))
	local sides, files = collected(SAME, function(set)
		set:extra(page_of(MODEL, { contact(900) }), { 1 })
		set:expected(page, page, { 1, 2, 3 })
		set:restart()
		set:expected(page, page, {})
	end)
	same(files.expected, leaves_of(contacts(50)))
	t.eq(sides.extras.size, 0)
	t.eq(sides.equal, true)
end)

t.test("projections that keep the form, change it, and lose values", function()
	local list = contacts(40)
	for i = 1, 40, 3 do list[i].stats = '{"b":1,"a":[1.0, 200]}' end
	list[7].stats = '{"n":123456789012345678901}'
	list[9].stats = '{"a":1,"a":2}'
	list[11].stats = "{}"
	list[12].stats = nil
	local model = page_of(MODEL, list)
	for _, steps in ipairs { {}, { "json_canonical" }, { "json_unique_keys", "no_nul" }, { "json_js_numbers" },
		{ "json_empty_object_to_null", "json_canonical" } } do
		local plan = plan_of(steps)
		local page = plan:apply(model)
		local sides, files = collected(plan, function(set) set:expected(page, model, {}) end)
		local expected, observed, marked = {}, {}, 0
		for i = 1, 40 do
			local c = { contact_id = list[i].contact_id, name = list[i].name, age = list[i].age,
				stats = rows.canon(page, i, "stats") }
			local lost = page:worst(i) == "lost"
			expected[i], observed[i] = leaf_of(c, lost), leaf_of(c)
			marked = marked + (lost and 1 or 0)
		end
		local what = table.concat(steps, " ")
		same(files.expected, sorted(expected), what)
		same(files.observed or files.expected, sorted(observed), what)
		t.eq(sides.equal, marked == 0, what)
	end
end)

t.test("columns that do not count, and contacts that are left out", function()
	local dir = folder()
	local memo <close> = leaves.memo(KEY, MODEL, "contact_id", dir .. "/memo")
	local like = MODEL:select { "contact_id", "name" }
	local set <close> = leaves.new(memo, SAME, like, "contact_id", dir .. "/scratch")
	local page = page_of(MODEL, contacts(30))
	set:observed(page_of(MODEL, { contact(8, { age = "1", stats = "[]" }) }), { 1 })
	set:expected(page, page, { 8 }, { 3, 30 })
	set:expected(page_of(MODEL, { contact(31) }), page_of(MODEL, { contact(31) }), {})
	local sides = leaves.write(set, { expected = dir .. "/e", observed = dir .. "/o", extras = dir .. "/x" })
	local list = {}
	for i = 1, 31 do
		local k, b = name_of(("%05d"):format(i))
		local p = sha(frame(("%05d"):format(i)) .. frame("Name " .. i))
		if i ~= 3 and i ~= 30 then list[#list + 1] = b .. hmac(k, sha(p .. sha "")) end
	end
	check_side(sides, "expected", sorted(list))
	t.eq(sides.equal, true)
	os.remove(dir .. "/e")
	t.ok(os.remove(dir))
end)

t.test("the systems of a run share what is known of a contact, whoever comes first", function()
	local dir = folder()
	local memo <close> = leaves.memo(KEY, MODEL, "contact_id", dir .. "/memo")
	local list = contacts(1200)
	local roots = {}
	local sets = {}
	for i = 1, 3 do sets[i] = leaves.new(memo, SAME, MODEL, "contact_id", dir .. "/scratch") end
	for _, turn in ipairs { { 1, 1, 500 }, { 2, 1, 100 }, { 2, 101, 1200 }, { 1, 501, 1200 }, { 3, 1, 1200 } } do
		local page = page_of(MODEL, table.move(list, turn[2], turn[3], 1, {}))
		sets[turn[1]]:expected(page, page, {})
	end
	memo:close()
	for i = 1, 3 do
		local sides = leaves.write(sets[i], { expected = dir .. "/e", observed = dir .. "/o", extras = dir .. "/x" })
		roots[i] = sides.expected.root
		sets[i]:close()
	end
	same(roots[1], tree.root(tree.of(leaves_of(list), 64)))
	same(roots[2], roots[1])
	same(roots[3], roots[1])
	os.remove(dir .. "/e")
	t.ok(os.remove(dir))
end)

-- A run's source, in pages, and the systems that meet its good rows.
local function with_source(list, bad, f)
	local dir = folder()
	local memo <close> = leaves.memo(KEY, MODEL, "contact_id", dir .. "/memo")
	for from = 1, #list, 7 do
		local page = page_of(MODEL, table.move(list, from, math.min(from + 6, #list), 1, {}))
		local digests = leaves.see(memo, page)
		t.eq(#digests, #page)
		for i = 1, #page do
			if not page:is_null(i, "contact_id") then
				t.eq(digests:get(i, "digest"), rows.digests(page:slice(i, i), "contact_id"):get(1, "digest"))
				t.eq(digests:text(i, "key"), page:text(i, "contact_id"))
			end
		end
	end
	memo:seal(bad)
	local set <close> = leaves.new(memo, SAME, MODEL, "contact_id", dir .. "/scratch")
	f(set, memo)
	local sides = leaves.write(set, { expected = dir .. "/e", observed = dir .. "/o", extras = dir .. "/x" })
	local text = read(dir .. "/e")
	os.remove(dir .. "/e")
	t.ok(os.remove(dir))
	return sides, text
end

t.test("what was seen of the source is used for the good rows, in order or not", function()
	local good = contacts(40)
	local mixed, bad = {}, {}
	local function set_aside(c)
		mixed[#mixed + 1] = c
		bad[#bad + 1] = #mixed
	end
	set_aside { name = "no key" }
	set_aside(contact(0))
	for i, c in ipairs(good) do
		mixed[#mixed + 1] = c
		if i % 9 == 0 then set_aside(contact(i, { contact_id = c.contact_id .. "a" })) end
	end
	set_aside(contact(99))
	local function meet(set)
		for from = 1, 40, 15 do
			local page = page_of(MODEL, table.move(good, from, math.min(from + 14, 40), 1, {}))
			set:expected(page, page, {})
		end
	end
	local sides, text = with_source(mixed, bad, meet)
	same(text, leaves_of(good))
	t.eq(sides.equal, true)
	local back = {}
	for i = #mixed, 1, -1 do back[#back + 1] = mixed[i] end
	text = select(2, with_source(back, {}, meet))
	same(text, leaves_of(good))
	text = select(2, with_source(contacts(3), { 1, 2, 3 }, meet))
	same(text, leaves_of(good))
	text = select(2, with_source(contacts(3), {}, function(set, memo)
		memo:forget()
		set:restart()
		meet(set)
	end))
	same(text, leaves_of(good))
end)

t.test("a memo out of step is an error, not another contact's leaf", function()
	local page = page_of(MODEL, contacts(5))
	local e = t.raises(with_source, "contact number 2 is not the one that was seen", contacts(5), { 2 }, function(set)
		set:expected(page, page, {})
	end)
	t.eq(e.kind, "internal")
end)

t.test("what does not fit is refused", function()
	local dir = folder()
	local memo <close> = leaves.memo(KEY, MODEL, "contact_id", dir .. "/memo")
	local set <close> = leaves.new(memo, SAME, MODEL, "contact_id", dir .. "/scratch")
	local page = page_of(MODEL, contacts(3))
	local other = rows.schema { { "contact_id", "text" }, { "name", "text" } }
	t.raises(leaves.memo, "a key has 32 bytes", "short", MODEL, "contact_id", dir .. "/memo")
	t.raises(leaves.new, "no key column 'id'", memo, SAME, MODEL, "id", dir .. "/scratch")
	t.raises(set.expected, "out of range", set, page, page, { 4 })
	t.raises(set.expected, "not those of the expected rows", set, page, page:slice(1, 2), {})
	t.raises(set.expected, "not those of the expected rows", set, rows.new(other), page:slice(1, 0), {})
	t.raises(set.observed, "no column 'age'", set, page_of(other, { { contact_id = "1" } }), { 1 })
	t.raises(set.extra, "a row without 'contact_id' has no leaf", set, page_of(MODEL, { { name = "x" } }), { 1 })
	t.raises(set.step, "no files", set, 10)
	set:expected(page, page, {})
	set:extra(page, { 1 })
	t.raises(leaves.write, "both expected and an extra", set,
		{ expected = dir .. "/e", observed = dir .. "/o", extras = dir .. "/x" })
	t.raises(leaves.write, "cannot write the file", set,
		{ expected = dir .. "/none/e", observed = dir .. "/o", extras = dir .. "/x" })
	set:close()
	t.raises(set.restart, "closed", set)
	os.remove(dir .. "/e")
	t.ok(os.remove(dir))
end)

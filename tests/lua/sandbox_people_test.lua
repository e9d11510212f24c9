-- The generated contacts: deterministic, unique, holdable by every system; the odd ones stated completely.

local data = require "sandbox.people.data"
local json = require "syncrun.json"
local load = require "sandbox.bigquery.load"
local people = require "sandbox.people"
local t = require "syncrun.test"
local types = require "sandbox.bigquery.types"

local COUNT = 5000

local function all(n, o)
	local out = {}
	for c in people.records(n, o) do
		out[#out + 1] = c
	end
	return out
end

t.test("contact i is a function of i alone", function()
	local few, many = all(50), all(500)
	for i = 1, 50 do
		t.eq(few[i], many[i])
	end
	t.eq(people.contact(37), many[37])
	t.ok(people.contact(37, 1).canonical_name ~= nil)
	local differs = false
	for i = 1, 20 do
		differs = differs or people.contact(i, 1).canonical_name ~= people.contact(i, 2).canonical_name
	end
	t.ok(differs, "the seed matters")
end)

t.test("ids and e-mails are unique, e-mails without regard to case", function()
	local ids, emails = {}, {}
	for _, c in ipairs(all(COUNT)) do
		t.ok(not ids[c.contact_id], c.contact_id)
		ids[c.contact_id] = true
		local e = c.email and c.email:lower()
		t.ok(not e or (not emails[e] and e:find("^[%w.+]+@[%w.]+%.%a+$")), e)
		if e then
			emails[e] = true
		end
	end
end)

t.test("every value is one that every system holds", function()
	for _, c in ipairs(all(COUNT)) do
		t.ok(c.canonical_name and c.canonical_name ~= "")
		for name, v in pairs(c) do
			t.ok(type(v) ~= "string" or (utf8.len(v) and not v:find("\0", 1, true)), name)
		end
		t.ok(not c.phone or c.phone:find("^%+%d+$") and #c.phone <= 16, c.phone)
		t.ok(not c.birthday or types.from_text("DATE", c.birthday) == c.birthday, c.birthday)
		t.ok(not c.category_code or data.categories[c.category_code], c.category_code)
		t.ok(not c.subcategory_code or c.subcategory_code:sub(1, 1) == c.category_code, c.subcategory_code)
		t.ok(c.created_at <= c.updated_at)
		for _, name in ipairs { "llm_context", "communication_stats", "social_network", "ai_insights", "recommendations",
			"sync_metadata" } do
			t.ok(not c[name] or (json.valid(c[name]) and c[name]:find("^[%[{]") and not c[name]:find("\\u0000")), c[name])
		end
	end
end)

t.test("no JSON number needs more than a double", function()
	local function check(v)
		if type(v) == "table" then
			for _, e in pairs(v) do
				check(e)
			end
		elseif math.type(v) == "integer" then
			t.ok(v >= -9007199254740992 and v <= 9007199254740992, v)
		end
	end
	for i = 1, 500 do
		local c = people.contact(i)
		check(c.llm_context and json.decode(c.llm_context))
	end
end)

t.test("only canonical names are used, and all kinds of contacts occur", function()
	local known, seen = {}, {}
	for _, f in ipairs(load.canonical_schema()) do
		known[f.name] = true
	end
	local old, nulls, business, upper, me, micro, flags = 0, 0, 0, 0, 0, 0, 0
	for _, c in ipairs(all(COUNT)) do
		for name in pairs(c) do
			t.ok(known[name], name)
			seen[name] = true
		end
		old = old + ((c.birthday or "9") < "1900" and 1 or 0)
		nulls = nulls + (c.email == nil and 1 or 0)
		business = business + (c.is_business and 1 or 0)
		flags = flags + (c.is_business == false and 1 or 0)
		upper = upper + (c.email and c.email:find("%u") and 1 or 0)
		me = me + (c.is_me and 1 or 0)
		micro = micro + (c.created_at % 1000 ~= 0 and 1 or 0)
	end
	for name in pairs(known) do
		t.ok(seen[name], name .. " never occurs")
	end
	t.ok(old > 0 and nulls > 0 and business > 0 and upper > 0 and micro > 0 and flags > 0)
	t.eq(me, 1)
end)

t.test("the odd contacts state a verdict for each system and come after the others", function()
	local odd, words = people.odd(), { exact = true, folded = true, lost = true, rejected = true }
	t.ok(#odd >= 150, #odd)
	local what, names = {}, {}
	for _, f in ipairs(load.canonical_schema()) do
		names[f.name] = true
	end
	for _, o in ipairs(odd) do
		t.ok(not what[o.what], o.what)
		what[o.what] = true
		t.ok(names[o.field], o.field)
		t.eq(o.id, o.contact.contact_id)
		for _, system in ipairs { "postgres", "sqlite", "twenty" } do
			t.ok(words[o.verdict[system]], o.what)
		end
		for name in pairs(o.contact) do
			t.ok(names[name], name)
		end
	end
	local list = all(10, { odd = true })
	t.eq(#list, 10 + #odd)
	t.eq(list[10], people.contact(10))
	t.eq(list[11], odd[1].contact)
end)

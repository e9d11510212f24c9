local rows = require "syncrun.rows"
local t = require "syncrun.test"

local function page(columns, list)
	local r = rows.new(rows.schema(columns))
	for _, fields in ipairs(list) do r:add(fields) end
	return r
end

-- One text value through steps; the value, its fate and the note.
local function through(steps, value, kind)
	local r = page({ { "id", "text" }, { "x", kind or "text" } }, { { id = "1", x = value } })
	local out = rows.plan(r:schema(), { { name = "y", from = "x", steps = steps } }):apply(r)
	local fates = out:fates(1)
	return out[1].y, fates and fates[1].fate or "exact", fates and fates[1].note
end

t.test("a plan moves, casts and names columns", function()
	local r = page({ { "contact_id", "int64" }, { "job_title", "text" } }, { { contact_id = 7, job_title = "Eng" }, {} })
	local plan = rows.plan(r:schema(), {
		{ name = "contactId", type = "text", from = "contact_id" },
		{ name = "jobTitle", from = "job_title", steps = { "null_to_empty" } },
		{ name = "source", steps = { { "const", "bigquery" } } },
		{ name = "isBusiness", type = "bool", steps = { { "const", false } } },
	})
	t.eq(plan:schema():names(), { "contactId", "jobTitle", "source", "isBusiness" })
	t.eq(plan:schema():type("jobTitle"), "text")
	local out = plan:apply(r)
	t.eq(#out, 2)
	t.eq(out[1].contactId, "7")
	t.eq(out[1].jobTitle, "Eng")
	t.eq(out[2].jobTitle, "")
	t.eq(out[2].source, "bigquery")
	t.eq(out[2].isBusiness, false)
	t.ok(out:schema() == plan:schema())
end)

t.test("fates and counts", function()
	local r = page({ { "id", "text" }, { "mail", "text" }, { "code", "text" } }, {
		{ id = "1", mail = "a@x", code = "A" },
		{ id = "2", mail = "B@X", code = "Z" },
		{ id = "3" },
	})
	local plan = rows.plan(r:schema(), {
		{ name = "id", from = "id" },
		{ name = "mail", from = "mail", steps = { "lower", "null_to_empty" } },
		{ name = "code", from = "code", steps = { { "select", { "A", "B" } } } },
	})
	local out, counts = plan:apply(r)
	t.eq(out:worst(1), "exact")
	t.eq(out:fates(1), nil)
	t.eq(out:worst(2), "rejected")
	t.eq(out:fates(2), {
		{ column = "mail", fate = "folded", note = "changed to lower case" },
		{ column = "code", fate = "rejected", note = "unknown option 'Z'" },
	})
	t.eq(out:worst(3), "folded")
	t.eq(counts, { mail = { folded = 2, lost = 0, rejected = 0 }, code = { folded = 0, lost = 0, rejected = 1 } })
	counts = select(2, plan:apply(r))
	t.eq(counts.mail, { folded = 2, lost = 0, rejected = 0 }, "counts are of one page")
	out:set(2, "code", "B")
	t.eq(out:worst(2), "folded")
end)

t.test("each step at each of its fates", function()
	local list = {
		{ { "null_to_empty" }, nil, "", "folded" },
		{ { "empty_to_null" }, "", nil, "folded" },
		{ { "empty_to_null" }, "a", "a", "exact" },
		{ { "lower" }, "École İ ΟΔΟΣ", "école i̇ οδος", "folded" },
		{ { "lower" }, "école", "école", "exact" },
		{ { "no_nul" }, "a\0b", "ab", "lost" },
		{ { "utf8" }, "a\xFFb", "a\u{FFFD}b", "lost" },
		{ { "utf8" }, "aéb", "aéb", "exact" },
		{ { "email_shape" }, "ada@example.com", "ada@example.com", "exact" },
		{ { "email_shape" }, "ada", "ada", "rejected" },
		{ { "phone_e164" }, "+1 (202) 224-3441", "+12022243441", "folded" },
		{ { "phone_e164" }, "202 224 3441", "2022243441", "lost", "phone without country code" },
		{ { "phone_e164" }, "+12022243441 ext 5", "+12022243441", "lost" },
		{ { "phone_e164" }, "+12022243441", "+12022243441", "exact" },
		{ { { "phone_trunk", "+440:1:00" } }, "+4402079460958", "+442079460958", "folded",
			"trunk prefix after the calling code dropped from the phone" },
		{ { { "phone_trunk", "+440:1:00" } }, "+442079460958", "+442079460958", "exact" },
		{ { { "phone_trunk", "+440:1:00" } }, "+440123", "+440123", "exact" },
		{ { { "phone_trunk", "+440:1:00", "+3606:2:00", "+11:1:10" } }, "+36061234567", "+361234567", "folded" },
		{ { { "phone_trunk", "+11:1:10" } }, "+112025550123", "+12025550123", "folded" },
		{ { { "phone_trunk", "+11:1:10" } }, "+11202555012", "+11202555012", "exact" },
		{ { { "select", { "A", "B" } } }, "A", "A", "exact" },
		{ { { "select", { "A", "B" } } }, "C", "C", "rejected", "unknown option 'C'" },
		{ { { "concat", "id", "x" } }, "b", "1b", "exact" },
		{ { { "truncate_time", "ms" } }, 1767323045123456, 1767323045123000, "folded", nil, "timestamp" },
		{ { { "truncate_time", "s" } }, 1767323045000000, 1767323045000000, "exact", nil, "timestamp" },
		{ { "json_empty_object_to_null" }, "{ }", nil, "folded", nil, "json" },
		{ { "json_js_numbers" }, "[9007199254740993]", "[9007199254740992]", "lost", nil, "json" },
		{ { "json_js_numbers" }, "[9007199254740992, 1.10]", "[9007199254740992, 1.10]", "exact", nil, "json" },
		{ { "no_nul" }, '["\\u0000"]', '[""]', "lost", nil, "json" },
		{ { "json_canonical" }, '{"b":1.0,"a":2}', '{"a":2,"b":1}', "exact", nil, "json" },
		{ { "json_canonical" }, '{"a":1,"a":2}', '{"a":2}', "lost", nil, "json" },
		{ { "json_canonical" }, "{", "{", "rejected", nil, "json" },
		{ { "json_shape" }, "[]", "[]", "exact", nil, "json" },
		{ { "json_shape" }, '"x"', '"x"', "rejected", nil, "json" },
	}
	for i = 1, #list do
		local steps, value, want, want_fate, want_note, kind = table.unpack(list[i], 1, 6)
		local got, fate, note = through(steps, value, kind)
		t.eq(got, want, "case " .. i)
		t.eq(fate, want_fate, "case " .. i)
		if want_note then t.eq(note, want_note, "case " .. i) end
	end
end)

local NAMES = {
	{ "canonical_name", "text" }, { "full_name", "text" }, { "first_name", "text" }, { "last_name", "text" },
}

local function name_plans()
	local default = { "default_name", "full_name", "first_name", "last_name" }
	local split = rows.plan(rows.schema(NAMES), {
		{ name = "name", from = "canonical_name", steps = { default } },
		{ name = "first", from = "canonical_name", steps = { default, { "split_first", "last_name" } } },
		{ name = "last", from = "canonical_name", steps = { default, { "split_last", "last_name" } } },
	})
	local join = rows.plan(split:schema(), { { name = "joined", steps = { { "join_name", "first", "last" } } } })
	return split, join
end

local function check_names(r)
	local split, join = name_plans()
	local parts = split:apply(r)
	local joined = join:apply(parts)
	for i = 1, #r do
		if joined[i].joined ~= parts[i].name then
			error(("%q became %q + %q"):format(parts[i].name, parts[i].first, parts[i].last))
		end
	end
	return parts
end

t.test("the name rule keeps every random name", function()
	math.randomseed(20240229)
	local alphabet = { " ", " ", "a", "B", ",", ".", "é", "\xFF", "Jr", "de la" }
	local function word(n)
		local list = {}
		for i = 1, math.random(0, n) do list[i] = alphabet[math.random(#alphabet)] end
		return table.concat(list)
	end
	for _ = 1, 20 do
		local r = rows.new(rows.schema(NAMES))
		for _ = 1, 500 do
			local last, fields = word(2), {}
			local middle = math.random(2) == 1 and " " .. last or ""
			fields.canonical_name = math.random(10) > 1 and word(4) .. middle .. word(2) or nil
			fields.full_name = math.random(2) == 1 and word(4) or nil
			fields.first_name = math.random(2) == 1 and word(3) or nil
			fields.last_name = math.random(4) > 1 and last or nil
			r:add(fields)
		end
		check_names(r)
	end
end)

t.test("the name rule keeps every real name", function()
	local file
	for _, path in ipairs { "../shared/data/contacts.ndjson" } do
		file = file or io.open(path)
	end
	if not file then t.skip("no contacts.ndjson here") end
	local function field(line, name)
		local text = line:match('"' .. name .. '": "(.-[^\\])"')
		return text and text:gsub("\\(.)", "%1") or nil
	end
	local r = rows.new(rows.schema(NAMES))
	for line in file:lines() do
		local fields = {}
		for _, column in ipairs(NAMES) do fields[column[1]] = field(line, column[1]) end
		r:add(fields)
	end
	file:close()
	t.ok(#r > 500)
	local parts = check_names(r)
	local by_last_name = 0
	for i, row in r:each() do
		if row.last_name and parts[i].last:sub(1, #row.last_name) == row.last_name then by_last_name = by_last_name + 1 end
	end
	t.ok(by_last_name > 450, "only " .. by_last_name .. " split at the last name")
end)

t.test("mistakes in a mapping raise when it is compiled", function()
	local schema = rows.schema { { "a", "text" }, { "d", "date" } }
	local function bad(columns, part)
		local e = t.raises(rows.plan, part, schema, columns)
		t.ok(e.kind == "mapping" or e.kind == "usage" or e.kind == "config", e.kind)
	end
	bad({ { name = "x", from = "gone" } }, "reads the column 'gone'")
	bad({ { name = "x", from = "a", steps = { "shout" } } }, "unknown step 'shout'")
	bad({ { name = "x", from = "a", steps = { { "split_first", "gone" } } } }, "reads the column 'gone'")
	bad({ { name = "x", from = "a", steps = { { "select" } } } }, "has 0 arguments")
	bad({ { name = "x", from = "a", steps = { { "const", 1.5 } } } }, "argument that is a number")
	for _, entry in ipairs { "+1", "+1:9:00", "+440:0:00", "x440:1:00", "+44a:1:00", "+440:1:0a", ":::::::::" } do
		bad({ { name = "x", from = "a", steps = { { "phone_trunk", entry } } } }, "entries like '+440:1:00'")
	end
	bad({ { name = "x", from = "a", steps = { 5 } } }, "a step of 'x' is a number")
	bad({ { name = "x", from = "a", steps = { {} } } }, "no name")
	bad({ { name = "x", from = "d", steps = { "lower" } } }, "cannot work on date")
	bad({ { name = "x", from = "d", type = "timestamp" } }, "cannot make timestamp from date")
	bad({ { name = "x", from = "a", type = "varchar" } }, "unknown type 'varchar'")
	bad({ { name = "x", type = "date", steps = { { "const", "tomorrow" } } } }, "is no date")
	bad({ { from = "a" } }, "has no name")
	bad({ { name = "x", from = "a" }, { name = "x", from = "a" } }, "named twice")
	bad({}, "columns")
end)

t.test("a plan refuses pages of other columns", function()
	local plan = rows.plan(rows.schema { { "a", "text" } }, { { name = "a", from = "a" } })
	t.raises(function() plan:apply(rows.new(rows.schema { { "a", "json" } })) end, "mapping")
	t.eq(#plan:apply(rows.new(rows.schema { { "a", "text" } })), 0)
end)

t.test("the result keeps its bytes when source and plan are gone", function()
	local out
	do
		local r = page({ { "a", "text" } }, { { a = "kept" } })
		out = rows.plan(r:schema(), { { name = "a", from = "a" }, { name = "b", steps = { { "const", "const" } } } }):apply(r)
	end
	collectgarbage()
	collectgarbage()
	t.eq(out[1].a, "kept")
	t.eq(out[1].b, "const")
end)

t.test("text becomes a bool in any case, as SQL's casts take it", function()
	local function cast(text)
		local r = page({ { "x", "text" } }, { { x = text } })
		local out = rows.plan(r:schema(), { { name = "y", type = "bool", from = "x" } }):apply(r)
		return out[1].y, out:worst(1)
	end
	for _, text in ipairs { "true", "TRUE", "True", "tRuE" } do t.eq({ cast(text) }, { true, "exact" }) end
	for _, text in ipairs { "false", "FALSE", "False" } do t.eq({ cast(text) }, { false, "exact" }) end
	for _, text in ipairs { "", "t", "yes", "1", "truee", "fals", " true" } do
		t.eq(select(2, cast(text)), "rejected", text)
	end
end)

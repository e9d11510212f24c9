-- The mapping: declarations are checked with the field's name; transforms in C and in Lua.
local mapping = require "syncrun.model.mapping"
local rows = require "syncrun.rows"
local t = require "syncrun.test"

local function compile(...)
	return mapping.compile { key = "id", fields = { { "id", "text" }, ... } }
end

t.test("mapping: mistakes name the field", function()
	t.contains(t.raises(function() compile { "a", "txt" } end, "mapping").message, "'a'")
	t.contains(t.raises(function() compile { "a", "text", owner = "x" } end, "mapping").message, "unknown key 'owner'")
	t.contains(t.raises(function() compile { "a", "text", own = "x" } end, "mapping").message, "own is")
	t.contains(t.raises(function() compile { "a", "text", on_loss = "x" } end, "mapping").message, "on_loss is")
	t.contains(t.raises(function() compile({ "a", "text" }, { "a", "text" }) end, "mapping").message, "declared twice")
	t.raises(function() mapping.compile { key = "no", fields = { { "id", "text" } } } end, "'no' is not a field")
	t.raises(function() mapping.compile { key = "id", fields = { { "id", "int64" } } } end, "must be text")
	t.raises(function() mapping.compile(3) end, "mapping")
end)

t.test("mapping: every slip is refused, with what may be meant", function()
	local function refusal(...)
		return t.raises(compile, "mapping", ...).message:gsub("^field '[^']*' of the mapping: ", "")
	end
	local function first(...) return (refusal(...)) end
	t.eq(first { "a", "txet" }, "unknown type 'txet', did you mean 'text'?")
	t.contains(first { "a", "string" }, "unknown type 'string'; there are text, int64, decimal")
	t.eq(first { "a", "text", requird = true }, "unknown key 'requird', did you mean 'required'?")
	t.eq(first { "a", "text", required = "yes" }, "required is true or false, not text")
	t.eq(first { "a", "text", source = "" }, "source is empty; leave it out or say what it is")
	t.eq(first { "a", "text", own = "onse" }, "own is 'source', 'once' or 'target', not 'onse', did you mean 'once'?")
	t.eq(first { "a", "text", transform = 5 }, "transform is a step, a list of steps, or a function last, not a number")
	t.eq(first { "a", "text", transform = { print, "lower" } }, "a function must be the last transform")
	t.eq(first { "a", "text", precision = "ms" }, "precision is for timestamps, not for text")
	t.eq(first { "a", "text", cast = true }, "cast is for times, dates and bool, not for text")
	t.eq(first { "a", "bool", cast = "yes" }, "cast is true or false, not text")
	t.eq(first({ "b", "timestamp", source = "c", cast = true }, { "a", "date", source = "c" }),
		"it and field 'b' read the column 'c' in two ways; cast it to one type in both")
	t.eq(first { "a", "text", type = "json" }, "its type is given twice")
	t.eq(first { "a", "text", to = "x" }, "to is a table, not text")
	t.eq(first { "a", "text", to = { pg = true } }, "to.pg is a name, a table or false, not true")
	t.eq(first { "a", "text", to = { pg = { "x", name = "y" } } }, "what it is in 'pg' is given twice")
	t.contains(first { "a", "text", to = { pg = { "x", transform = function() end } } }, "for 'pg' alone")
	t.contains(first { "a", "text", transform = "frobnicate" }, "the mapping of 'a' names the unknown step 'frobnicate'")
	t.contains(first { "a", "text", transform = { "lower", "ms" } }, "unknown step 'ms'")
	local function whole(declaration) return t.raises(mapping.compile, "mapping", declaration).message end
	t.contains(whole { key = "idd", fields = { { "id", "text" } } }, "did you mean 'id'?")
	t.contains(whole { key = "id", field = {}, fields = {} }, "unknown key 'field' of the mapping, did you mean 'fields'?")
	t.contains(whole { key = "id", fields = { { "id", "text" }, nil, { "b", "text" } } }, "a list with a gap")
	t.contains(whole { key = "id", fields = { id = { "id", "text" } } }, "'id' is no place in it")
	t.contains(whole { key = "id", fields = { { "id", "text", to = { pg = false } } } },
		"the key cannot be left out of 'pg'")
end)

t.test("mapping: no declaration for a system goes unread", function()
	local known, instead = { twenty = true, postgres = true, bigquery = false }, { supabase = "postgres" }
	local function refusal(to, keys)
		return t.raises(function()
			local m = compile { "a", "text", to = to }
			m:check_systems(known, instead)
			m:for_target("postgres", keys)
		end, "mapping").message
	end
	t.contains(refusal { twentee = "x" },
		"field 'a' of the mapping: 'to' names the unknown system 'twentee', did you mean 'twenty'?")
	t.contains(refusal { supabase = "x" }, "'to' names the unknown system 'supabase', did you mean 'postgres'?")
	t.contains(refusal { bigquery = "x" },
		"'to' names 'bigquery', which is no target; the column in a source is said by 'source'")
	t.contains(refusal { hubspot = false }, "unknown system 'hubspot'")
	t.contains(refusal({ postgres = { "x", "varchar" } }, {}), "unknown key 'type' in what it is in 'postgres'")
	t.contains(refusal({ postgres = { nam = "x" } }, {}), "did you mean 'name'?")
	t.contains(refusal { postgres = "id" }, "it and field 'id' are both 'id' in 'postgres'")
end)

-- The model rows of texts that a function makes of 1, 2, 3.
local function transformed(kind, fn)
	local m = compile({ "v", kind, transform = fn })
	local schema = rows.schema { { "id", "text" }, { "v", kind } }
	local page = rows.new(schema)
	for i = 1, 3 do page:add { id = tostring(i) } end
	return m:to_model(schema)(page)
end

t.test("mapping: a transform that fails for a contact fails for that contact", function()
	local model, _, failed = transformed("text", function(_, row)
		if row.id == "2" then return row.nothing end
		return "v" .. row.id
	end)
	t.eq({ model[1].v, model[3].v, model:is_null(2, "v") }, { "v1", "v3", true })
	t.eq(failed[2]:gsub("_test.lua:%d+", "_test.lua:N"), "v: its transform failed (tests/lua/mapping_test.lua:N: "
		.. "unknown field 'nothing' (not a column of these rows))")
	t.eq({ failed[1], failed[3] }, {})
	local _, _, all = transformed("text", function(value) return value.x end)
	t.contains(all[1], "mapping_test.lua:")
	t.eq(#all, 3)
end)

t.test("mapping: what a transform returns has the field's type, and is UTF-8", function()
	local function reason(kind, value)
		local _, _, failed = transformed(kind, function() return value end)
		return failed[1]
	end
	t.contains(reason("text", {}), "v: its transform failed (the column 'v' is text and cannot hold this table)")
	t.contains(reason("text", "caf\xe9"), "v: its transform failed (it returned a text that is not UTF-8)")
	t.contains(reason("date", "1.2.2026"), "it returned a text that is no date")
	t.contains(reason("json", "{"), "it returned a text that is no json")
	t.contains(reason("bool", 1), "cannot hold this number")
	t.eq(reason("date", "2026-02-01"), nil)
	t.eq(reason("json", '{"a":1}'), nil)
	t.eq(reason("bytes", "\xff"), nil)
	local _, _, failed = transformed("text", function() end)
	t.contains(failed[3], "it returned nothing; return nil for no value")
end)

t.test("mapping: steps run in C, a function last, int64 keys become text", function()
	local m = compile({ "name", "text", source = "n", transform = { "lower", function(v) return v and v .. "!" end } },
		{ "full", "text", transform = { { "default_name", "n", "n", "n" } } })
	local schema = rows.schema { { "id", "int64" }, { "n", "text" }, { "full", "text" } }
	local page = rows.new(schema)
	page:add { id = 9007199254740993, n = "ÄB" }
	page:add { id = 1 }
	local model = m:to_model(schema)(page)
	t.eq(model:text(1, "id"), "9007199254740993")
	t.eq(model[1].name, "äb!")
	t.eq(model[1].full, "ÄB")
	t.eq(model[2].name, nil)
	t.eq(m:source_columns(), { "id", "n", "full" })
end)

t.test("mapping: a target is a name, a table, or not there", function()
	local m = compile({ "a", "text", to = { pg = "x", tw = { "y", "TEXT", unique = true }, no = false } })
	t.eq(#m:for_target "no", 1)
	t.eq(m:for_target("pg")[2].target, { name = "x" })
	t.eq(m:for_target("tw")[2].target, { name = "y", type = "TEXT", unique = true })
	t.eq(m:for_target("other")[2].target.name, "a")
end)

t.test("mapping: the shipped one compiles and names each system's fields once", function()
	local m = mapping.load "contacts.mapping"
	for _, system in ipairs { "twenty", "postgres", "sqlite" } do
		local seen = {}
		for _, entry in ipairs(m:for_target(system)) do
			t.ok(not seen[entry.target.name], entry.target.name)
			seen[entry.target.name] = true
		end
	end
end)

t.test("mapping: a script that does not load is named", function()
	t.contains(t.raises(function() mapping.load "no.such.module" end, "config").message, "no.such.module")
	t.contains(t.raises(function() mapping.load "/nonexistent.lua" end, "config").message, "/nonexistent.lua")
end)

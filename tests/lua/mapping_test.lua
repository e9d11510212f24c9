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

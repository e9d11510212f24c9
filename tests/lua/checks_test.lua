-- Checks: a slip in them is refused by name, what they leave out is said, and whatever a rule answers is heard.
local checks = require "syncrun.model.checks"
local err = require "syncrun.err"
local mapping = require "syncrun.model.mapping"
local rows = require "syncrun.rows"
local t = require "syncrun.test"

local MAPPING = mapping.compile { key = "id", name = "canonical_name", fields = {
	{ "id", "text" }, { "canonical_name", "text" }, { "email", "text" }, { "phone", "text" },
} }

local function compile(declared)
	return checks.compile(declared, MAPPING, "my.lua")
end

local function refusal(declared)
	return t.raises(function() compile(declared) end, "config").message
end

t.test("checks: every slip is refused, with what may be meant", function()
	t.eq(refusal { exist = true }, "the checks 'my.lua': unknown key 'exist', did you mean 'exists'?")
	t.eq(refusal { fields = { "emial" } }, "the checks 'my.lua': the mapping has no field 'emial', did you mean 'email'?")
	t.eq(refusal { fields = "email" }, "the checks 'my.lua': 'fields' is true, false or a list of fields, not text")
	t.eq(refusal { fields = {} }, "the checks 'my.lua': 'fields' is empty; leave it out or say what it is")
	t.eq(refusal { fields = { email = true } }, "the checks 'my.lua': 'fields' is a list, and 'email' is no place in it")
	t.eq(refusal { contact = function() end }, "the checks 'my.lua': 'contact' is a list of functions, not a function")
	t.eq(refusal { contact = { print, nil, print } },
		"the checks 'my.lua': 'contact' is a list with a gap: an item before the last is nil")
	t.eq(refusal { contact = { "x" } }, "the checks 'my.lua': 'contact[1]' is a function, not text")
	t.eq(refusal { name = "no" }, "the checks 'my.lua': 'name' is true or false, not text")
	t.contains(refusal { name = false, fields = { "canonical_name" } }, "which is meant?")
end)

t.test("checks: what they leave out is said", function()
	t.eq(compile({}):left_out(), {})
	t.eq(compile({ fields = { "email" } }):left_out(), { "Not compared, by the checks: phone" })
	t.eq(compile({ fields = false, name = false, exists = false }):left_out(), {
		"Not compared, by the checks: whether a contact is there, and only once",
		"Not compared, by the checks: canonical_name, email, phone",
	})
	local some = compile { fields = { "email" } }
	t.eq({ some:includes "email", some:includes "phone", some:includes "canonical_name", some.exists },
		{ true, false, true, true })
end)

local function issues(rule)
	local page = rows.new(MAPPING:schema())
	page:add { id = "7", canonical_name = "Ada" }
	return compile({ contact = { rule } }):issues(page[1])[1]
end

t.test("checks: nil is all well, a text is an issue, anything else is one too", function()
	t.eq(issues(function() end), nil)
	t.eq(issues(function() return nil, nil end), nil)
	t.eq(issues(function(c) return c.canonical_name .. " is not welcome" end), "Ada is not welcome")
	t.eq(issues(function() return ("a-b"):gsub("-", "+") end), "a+b")
	for _, slip in ipairs { false, true, 5, {}, "" } do
		t.contains(issues(function() return slip end), "it returns nil, or a text that says what is wrong")
	end
	t.contains(issues(function() return false end), "checks_test.lua:")
	t.contains(issues(function() return nil, "no e-mail" end), "returned a second value; it returns nil")
end)

t.test("checks: a rule that fails is an issue that names its place", function()
	t.contains(issues(function(c) return c.phone:find "x" end), "a check failed (")
	t.contains(issues(function(c) return c.phone:find "x" end), "checks_test.lua:")
	t.eq(issues(function(c) return c.emial end):gsub("_test.lua:%d+", "_test.lua:N"),
		"a check failed (tests/lua/checks_test.lua:N: unknown field 'emial' (not a column of these rows))")
	t.contains(issues(function() err.raisef("json", "no JSON") end),
		"(no JSON, in the check at tests/lua/checks_test.lua:")
	t.contains(issues(function() error {} end), "a check failed (table")
end)

t.test("checks: what a rule says is UTF-8 and has an end", function()
	t.eq(issues(function() return "caf\xe9" end), "caf\\xe9")
	local long = issues(function() return ("é"):rep(5000) end)
	t.ok(utf8.len(long) and #long < 2010, #long)
end)

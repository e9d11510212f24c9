-- The shape of what people write: the first misfit is named by its path, with what may be meant.
local near = require "syncrun.near"
local shape = require "syncrun.shape"
local t = require "syncrun.test"

local text, whole = { types = { "text" } }, { types = { "integer" }, min = 1, max = 9 }

local function misfit(value, of)
	local problem = shape.problem(value, of)
	return problem and problem.path .. "|" .. problem.text .. (problem.unknown and "|unknown" or "")
end

t.test("near: a swap is one edit; only what is near is meant", function()
	t.eq(near.distance("emial", "email"), 1)
	t.eq(near.distance("", "abc"), 3)
	t.eq(near.distance("kitten", "sitting"), 3)
	t.eq(near.nearest("emial", { "phone", "email" }), "email")
	t.eq(near.nearest("organisation", { "phone", "email" }), nil)
	t.eq(near.hint("exist", { "exists", "fields" }), ", did you mean 'exists'?")
	t.eq(near.hint(5, { "exists" }), "")
end)

t.test("shape: what fits has no problem", function()
	local all = { types = { "table" }, fields = {
		a = text, n = whole, f = { types = { "function" } }, no = { types = { "false", "table" }, fields = {} },
		map = { types = { "table" }, values = text }, list = { types = { "list" }, items = text },
		word = { types = { "text" }, one_of = { "x", "y" } }, some = { types = { "number" }, above = 0 },
	} }
	t.eq(misfit({ a = "", n = 9, f = print, no = false, map = { z = "1" }, list = { "p", "q" }, some = 0.1 }, all))
	t.eq(misfit({ word = "y" }, all))
	t.eq(misfit({ n = 2.0, no = {}, map = {}, list = {} }, all))
end)

t.test("shape: types, ranges and words", function()
	t.eq(misfit(5, text), "|is text, not a number")
	t.eq(misfit("x", whole), "|is a whole number from 1 to 9, not text")
	t.eq(misfit(0, whole), "|is a whole number from 1 to 9, not 0")
	t.eq(misfit(1.5, whole), "|is a whole number from 1 to 9, not a fraction")
	t.eq(misfit(0 / 0, { types = { "number" }, min = 0 }), "|is a number of at least 0, not a fraction")
	t.eq(misfit(0, { types = { "number" }, above = 0 }), "|is a number above 0, not 0")
	t.eq(misfit(true, { types = { "table", "false" } }), "|is a table or false, not true")
	t.eq(misfit("reject ", { types = { "text" }, one_of = { "reject", "write" } }),
		"|is 'reject' or 'write', not 'reject ', did you mean 'reject'?")
	t.eq(misfit("", { types = { "text" }, filled = true }), "|is empty; leave it out or say what it is")
	t.eq(misfit(3, { types = { "text" }, words = "a name" }), "|is a name, not a number")
	t.eq(misfit("x", { types = { "text" }, rule = function(v) return "is not " .. v end }), "|is not x")
end)

t.test("shape: unknown keys, lists with gaps, paths into tables", function()
	local section = { types = { "table" }, fields = {
		twenty = { types = { "table" }, fields = { url = text, rate = whole } },
		labels = { types = { "table" }, values = text }, fields = { types = { "list" }, items = text },
	} }
	t.eq(misfit({ twenty = { urll = "" } }, section), "twenty.urll|, did you mean 'url'?|unknown")
	t.eq(misfit({ twenty = { [1] = "" } }, section), "twenty[1]||unknown")
	t.eq(misfit({ twenty = { rate = "x" } }, section), "twenty.rate|is a whole number from 1 to 9, not text")
	t.eq(misfit({ labels = { team = 5 } }, section), "labels.team|is text, not a number")
	t.eq(misfit({ labels = { "crm" } }, section), "labels|has text keys, not 1")
	t.eq(misfit({ fields = { "a", 5 } }, section), "fields[2]|is text, not a number")
	t.eq(misfit({ fields = { email = true } }, section), "fields|is a list, and 'email' is no place in it")
	t.eq(misfit({ fields = { "a", nil, "c" } }, section), "fields|is a list with a gap: an item before the last is nil")
end)

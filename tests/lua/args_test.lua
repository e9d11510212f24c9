-- Arguments of scripts: types, defaults, did-you-mean, help.
local args = require "syncrun.args"
local t = require "syncrun.test"

local spec = {
	name = "x.lua", summary = "Does x.",
	options = {
		{ "limit", type = "integer", min = 1, max = 9, metavar = "N", help = "only N" },
		{ "skip-sync", type = "flag", help = "no writes" },
		{ "only", type = "list", help = "these" },
		{ "rate", type = "number", default = 1.5, help = "how fast" },
		{ "dir", type = "string", help = "where" },
		{ "keep", type = "duration", help = "how long" },
	},
	positional = { { name = "FILE", help = "what" } },
}

t.test("args: every type, both spellings, dashes become underscores", function()
	local o = args.parse({ "--limit", "3", "--skip-sync", "--only=a,b", "--only", "c", "--dir=", "in.txt" }, spec)
	t.eq(o, { limit = 3, skip_sync = true, only = { "a", "b", "c" }, rate = 1.5, dir = "", file = "in.txt" })
end)

t.test("args: behind -- everything is positional", function()
	t.eq(args.parse({ "--", "--limit" }, spec).file, "--limit")
end)

t.test("args: mistakes name the option and the remedy", function()
	t.contains(t.raises(function() args.parse({ "--limt", "3" }, spec) end, "usage").message, "did you mean '--limit'?")
	t.contains(t.raises(function() args.parse({ "--limit", "x" }, spec) end, "usage").message, "whole number")
	t.contains(t.raises(function() args.parse({ "--limit", "0" }, spec) end, "usage").message, "at least 1")
	t.contains(t.raises(function() args.parse({ "--limit", "10" }, spec) end, "usage").message, "up to 9")
	t.contains(t.raises(function() args.parse({ "--limit", "1.5" }, spec) end, "usage").message, "'1.5'")
	t.contains(t.raises(function() args.parse({ "--dir" }, spec) end, "usage").message, "missing after '--dir'")
	t.contains(t.raises(function() args.parse({ "--skip-sync=1" }, spec) end, "usage").message, "takes no value")
	t.contains(t.raises(function() args.parse({ "a", "b" }, spec) end, "usage").message, "unexpected argument 'b'")
	t.contains(t.raises(function() args.parse({ "-x" }, spec) end, "usage").message, "x.lua --help")
end)

t.test("args: a duration has its unit", function()
	t.eq(args.parse({ "--keep", "1.5h" }, spec).keep, "1.5h")
	for _, text in ipairs { "90", "90 d", "-1d", "0s", "1w", "1e3s", "999999999d", "" } do
		t.contains(t.raises(function() args.parse({ "--keep", text }, spec) end, "usage").message,
			("'--keep' takes a duration with its unit, like 90s, 10m, 2h or 90d, not '%s'"):format(text))
	end
end)

t.test("args: required options and positionals", function()
	local strict = { name = "y", summary = "", options = { { "dir", type = "string", required = true, help = "" } },
		positional = { { name = "ID", help = "", required = true } } }
	t.contains(t.raises(function() args.parse({ "1" }, strict) end, "usage").message, "'--dir' is required")
	t.contains(t.raises(function() args.parse({ "--dir", "x" }, strict) end, "usage").message, "ID is required")
end)

t.test("args: help lists every option", function()
	local text = args.help(spec)
	for _, part in ipairs { "usage: syncrun x.lua [FILE]", "--limit N", "--skip-sync", "default 1.5", "--help" } do
		t.contains(text, part)
	end
end)

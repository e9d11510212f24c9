-- Reports of scripts, read back from the file that they go to.
local json = require "syncrun.json"
local report = require "syncrun.report"
local t = require "syncrun.test"

-- What f writes, as a text.
local function written(f)
	local path = os.tmpname()
	local out <close> = report.create(path)
	f(out)
	out:close()
	out:close()
	local file <close> = assert(io.open(path, "rb"))
	os.remove(path)
	return file:read "a"
end

t.test("lines, rules and titles; a report is called like its method say", function()
	t.eq(written(function(out)
		out:title "LATE"
		out("%d of %s", 3, "\27[2J")
		out:say "100% as it stands"
	end), ("="):rep(60) .. "\nLATE\n" .. ("="):rep(60) .. "\n3 of \\x1b[2J\n100% as it stands\n")
end)

t.test("a list shows the first, and counts the rest of an iterator too", function()
	local n = 0
	local function next_item()
		n = n + 1
		if n <= 13 then return "item " .. n end
	end
	local text = written(function(out) out:list(next_item, { shown = 2, bullet = "%" }) end)
	t.eq(text, "  % item 1\n  % item 2\n  ... and 11 more\n")
	t.eq(written(function(out) out:list { "a", "\u{202e}b" } end), "  - a\n  - \\u202eb\n")
	t.eq(written(function(out) out:list({ "a", "b" }, { shown = 0 }) end), "  ... and 2 more\n")
end)

t.test("a table is aligned by characters, numbers to the right", function()
	t.eq(written(function(out)
		out:table({ "name", "n", "note" }, { { "Zoë", 7 }, { "a", 1234, "x\ny" }, { json.null, nil, "-" } })
	end), "name     n  note\nZoë      7\na     1234  x\\x0ay\n            -\n")
	t.eq(written(function(out) out:table({ "a", "b" }, {}) end), "a  b\n")
end)

t.test("lines of JSON and of CSV", function()
	t.eq(written(function(out)
		out:json { id = "a\nb" }
		out:csv { "id", "=1+1", 5, json.null, 'say "x"', n = 6 }
	end), '{"id":"a\\nb"}\n"id","\'=1+1","5",,"say ""x""",\n')
end)

t.test("secrets are masked", function()
	require "syncrun.log".secret "correct horse/battery"
	t.eq(written(function(out) out:say("key %s", "correct horse/battery") end), "key ***\n")
end)

t.test("a wrong call names the option, a path that cannot be made the path", function()
	t.raises(function() report.stdout { quite = true } end, "unknown option 'quite', did you mean 'quiet'?")
	t.raises(function() report.create(7) end, "report.create: the path is text, not a number")
	t.raises(function() report.create "/nowhere/at/all" end, "config")
	t.raises(function() report.stdout { quiet = true }:list({}, { shown = -1 }) end, "'shown'")
end)

t.test("a quiet report says nothing", function()
	local out = report.stdout { quiet = true }
	out:say "nothing"
	out:table({ "a" }, { { 1 } })
	out:close()
end)

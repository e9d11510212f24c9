-- Levels and secrets as scripts see them; the lines themselves are read in tests/c/test_log.c.
local t = require "syncrun.test"
local log = require "syncrun.log"

t.test("level tells what was before", function()
	local before = log.level()
	t.eq(log.level("error"), before)
	t.eq(log.level(before), "error")
	t.raises(log.level, "invalid option", "loud")
end)

-- What another process of ours logs.
local function logged(code)
	local pipe <close> = assert(io.popen(("%s -e '%s' 2>&1 >/dev/null"):format(os.getenv "SYNCRUN", code)))
	return (pipe:read "a":gsub("%d%d:%d%d:%d%d%.%d%d%d ", ""))
end

t.test("a text without values is no format", function()
	t.eq(logged [[local log = require "syncrun.log"
		log.error("100% of 5%d")
		log.error(setmetatable({}, { __tostring = function() return "text" end }))
		log.error("%d%%", 5)]], "error 100% of 5%d\nerror text\nerror 5%\n")
end)

t.test("a hidden line is not even formatted", function()
	local before = log.level("off")
	log.debug("%s", setmetatable({}, { __tostring = function() error("formatted") end }))
	log.level(before)
end)

t.test("secrets are masked by value, in URLs and behind Bearer", function()
	log.secret("correct horse/battery")
	t.eq(log.redact("a correct horse/battery b"), "a *** b")
	t.eq(log.redact("?key=correct%20horse%2Fbattery"), "?key=***")
	t.eq(log.redact("postgres://me:pw@host/db"), "postgres://me:***@host/db")
	t.eq(log.redact("Authorization: Bearer abc.def"), "Authorization: Bearer ***")
	t.eq(log.redact(""), "")
	t.eq(log.redact("nothing\0here"), "nothing\0here")
	log.secret("tiny")
	t.eq(log.redact("tiny"), "tiny")
end)

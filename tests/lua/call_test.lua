-- Calls of primitives that a script got wrong: named with the script's line and what may have been meant.
local call = require "syncrun.call"
local crypto = require "syncrun.crypto"
local err = require "syncrun.err"
local http = require "syncrun.http"
local json = require "syncrun.json"
local log = require "syncrun.log"
local postgres = require "syncrun.postgres"
local rows = require "syncrun.rows"
local sqlite = require "syncrun.sqlite"
local t = require "syncrun.test"
local task = require "syncrun.task"
local time = require "syncrun.time"

-- The message of f(...) by err.try, without its line, which must be one of this file's.
local function misuse(f, ...)
	local _, e = err.try(f, ...)
	t.eq({ e.kind, e.code }, { "usage", "call" }, e.message)
	local message, n = e.message:gsub("^tests/lua/call_test%.lua:%d+: ", "")
	t.eq(n, 1, e.message)
	return message
end

t.test("call: an unknown option of any primitive is refused, with what may be meant", function()
	t.eq(misuse(function() http.get("http://127.0.0.1:1", { timeot = 1 }) end),
		"http.get: unknown option 'timeot', did you mean 'timeout'?")
	t.eq(misuse(function() http.client { base_ulr = "x" } end),
		"http.client: unknown option 'base_ulr', did you mean 'base_url'?")
	t.eq(misuse(function() http.client():get("/", { retry = { trys = 1 } }) end),
		"http: unknown option 'retry.trys', did you mean 'tries'?")
	t.contains(misuse(function() http.serve { hander = print } end), "did you mean 'handler'?")
	t.contains(misuse(function() postgres.connect("postgresql://x", { nam = "y" }) end), "did you mean 'name'?")
	t.contains(misuse(function() sqlite.open(":memory:", { waal = true }) end), "did you mean 'wal'?")
	t.contains(misuse(function() json.encode({}, { prety = true }) end), "did you mean 'pretty'?")
	t.contains(misuse(function() task.map({}, { limt = 1 }, print) end), "did you mean 'limit'?")
	local db <close> = sqlite.open ":memory:"
	db:exec "CREATE TABLE x (a)"
	local page = rows.new(rows.schema { { "a", "text" } })
	t.contains(misuse(function() db:insert_rows("INSERT INTO x VALUES (?)", page, { rwa = true }) end),
		"did you mean 'raw'?")
end)

t.test("call: options and arguments of another type are named", function()
	t.eq(misuse(function() http.get("http://127.0.0.1:1", { timeout = "1s" }) end),
		"http.get: the option 'timeout' is a number of at least 0, not text")
	t.eq(misuse(function() http.get("http://127.0.0.1:1", 5) end), "http.get: the options are a table, not a number")
	t.eq(misuse(function() http.get(5) end), "http.get: url is text, not a number")
	t.eq(misuse(function() http.serve { handler = print, port = "x" } end),
		"http.serve: the option 'port' is a whole number from 0 to 65535, not text")
	t.eq(misuse(function() http.serve {} end), "http.serve needs the option 'handler', a function")
	t.eq(misuse(function() task.map({ 1 }, print) end), "task.map: the options are a table, not a function")
	t.eq(misuse(function() task.map(5, {}, print) end), "task.map: the list is a list, not a number")
	t.eq(misuse(function() task.timeout("1s", print) end), "task.timeout: the first argument is a number, not text")
	t.eq(misuse(function() postgres.connect {} end), "postgres.connect: the URI is text, not a table")
	t.eq(misuse(function() crypto.sha256("x", "hxe") end),
		"the form of a digest is 'hex' or 'raw', not 'hxe', did you mean 'hex'?")
end)

t.test("call: what only C looks at is an error of the script's line too", function()
	t.eq(misuse(function() task.sleep "x" end), "bad argument #1 to 'sleep' (number expected, got string)")
	t.contains(misuse(function() log.redact() end), "bad argument #1 to 'redact' (string expected, got nil)")
	t.contains(misuse(function() return rows.new(5) end), "(syncrun.schema expected, got number)")
	local page = rows.new(rows.schema { { "a", "text" } })
	page:add { a = "x" }
	t.eq(misuse(function() return page[1].b end), "unknown field 'b' (not a column of these rows)")
	local db <close> = sqlite.open ":memory:"
	t.eq(misuse(function() db:query() end), "a statement is text, not nothing")
	t.eq(misuse(function() db:exec {} end), "a statement is text, not a table")
	t.contains(misuse(function() db:scan_rows("SELECT 1", 5) end), "(syncrun.schema expected, got number)")
end)

t.test("call: so is a value that a primitive cannot take", function()
	t.contains(misuse(function() crypto.base64_decode "***" end), "not base64")
	t.contains(misuse(function() time.parse "yesterday" end), "'yesterday' is not a timestamp")
	local db <close> = sqlite.open ":memory:"
	t.eq(misuse(function() db:query("SELECT ?, ?", 1) end), "the statement has 2 parameters, 1 values were given")
end)

t.test("call: an error inside of a primitive begins with the script's line and says where it was", function()
	local db <close> = sqlite.open ":memory:"
	for _, f in ipairs { function() db.query "SELECT 1" end, function() db:transaction(5) end } do
		local _, e = err.try(f)
		t.eq(e.kind, "script")
		local wanted = "^tests/lua/call_test%.lua:%d+: the call failed in syncrun/sqlite%.lua:%d+ %(attempt to .*%); is a"
		t.ok(e.message:find(wanted), e.message)
	end
end)

t.test("call: the line is that of the script inside a task, a callback and a nested call", function()
	local function inner() task.sleep {} end
	t.contains(misuse(function() task.map({ 1 }, {}, inner) end), "bad argument #1 to 'sleep'")
	t.contains(misuse(function() task.timeout(1, inner) end), "bad argument #1 to 'sleep'")
	local db <close> = sqlite.open ":memory:"
	t.contains(misuse(function() db:transaction(inner) end), "bad argument #1 to 'sleep'")
end)

t.test("call: a fault of a script stays one", function()
	local _, e = err.try(function() return ("x"):rep {} end)
	t.eq(e.kind, "script")
	t.contains(e.message, "call_test.lua:")
	t.eq(call.options("x", nil, {}), {})
end)

-- What a server says of our requests: cut to 2 KiB where it enters, harmless for a terminal, kept once.
local err = require "syncrun.err"
local http = require "syncrun.http"
local json = require "syncrun.json"
local mapping = require "syncrun.model.mapping"
local postgres = require "syncrun.postgres"
local google = require "lua.lib.scripted"
local snapshot_of = require "syncrun.flow.snapshot"
local sqlite = require "syncrun.sqlite"
local t = require "syncrun.test"
local twenty = require "lua.lib.twenty"

local NASTY = "\27]0;owned\7\27[2J\u{9B}31m\r\nsyncrun: all is well\u{202E}\u{200B}\0 "
local SHOWN = "\\x1b]0;owned\\x07\\x1b[2J\\u009b31m"
local LONG = NASTY .. ("no "):rep(1400000)
local MOST = 2048 + 400 -- with our own words around it

local function harmless(text, what)
	t.ok(#text <= MOST, ("%s: %d bytes"):format(what, #text))
	t.ok(not text:find "[%c\127]", what .. ": control characters")
	for _, hidden in ipairs { "\u{9B}", "\u{202E}", "\u{200B}" } do t.ok(not text:find(hidden, 1, true), what) end
	t.ok(utf8.len(text), what .. ": no UTF-8")
end

local function says(e, what)
	harmless(e.message, what)
	t.contains(e.message, SHOWN, what)
end

local function batch(target)
	return twenty.batch_of(target, { { contact_id = "1", canonical_name = "A B", first_name = "A", last_name = "B" } })
end

t.test("server text: Twenty's, in every form of its errors", function()
	local answers = {
		{ status = 200, json = { errors = json.array { { message = LONG, extensions = { code = LONG,
			userFriendlyMessage = LONG } } } } },
		{ status = 400, json = { statusCode = 400, error = LONG, messages = json.array { LONG, LONG } } },
		{ status = 400, json = { statusCode = 400, error = "x", errors = { fieldMetadata = { { errors = { { message = LONG },
			{ message = LONG } } } } } } },
		{ status = 500, json = { message = LONG } }, { status = 401, json = { message = LONG } },
	}
	for i, answer in ipairs(answers) do
		twenty.scripted({ answer }, function(target)
			local result, e = err.try(target.write, target, batch(target), "create")
			if result then e = { message = result[1].reason } end
			says(e, "answer " .. i)
		end)
	end
end)

t.test("server text: a status line's phrase, a page in an answer's place", function()
	local server <close> = google.serve { always = { status = 418, reason = "x", body = "<title>" .. NASTY .. "</title>",
		headers = { ["Content-Type"] = "text/html", Server = "a\u{202E}b" } } }
	local res = http.get(server.url)
	harmless(res.reason, "reason")
	harmless(res:page(), "page")
	t.contains(res:page(), "a\\u202eb")
end)

t.test("server text: BigQuery's, with a reason that is known and with one that is not", function()
	local server <close> = google.serve { google.failure(400, "invalidQuery", LONG), google.failure(403, LONG, LONG) }
	local source = google.emulated(server)
	for i = 1, 2 do
		local _, e = err.try(google.ids_of, source)
		harmless(e.message, "refusal " .. i)
		t.contains(e.message, "\\x1b]0;owned\\x07", "refusal " .. i)
	end
end)

t.test("server text: a token server's", function()
	local dir <close> = google.folder()
	local long = LONG:sub(1, 400000)
	local tokens <close> = google.serve { always = { status = 400, json = { error = long, error_description = long } } }
	local path = dir:write("key.json", google.service_account { token_uri = tokens.url })
	local _, e = err.try(function()
		return require "syncrun.systems.bigquery.google".find({ credentials = path, retry = google.QUICK }):token()
	end)
	t.ok(#e.message < 2 * MOST, #e.message)
	t.contains(e.message, SHOWN)
	t.ok(not e.message:find "[%c\127]")
end)

t.test("server text: Postgres's and SQLite's", function()
	local uri = os.getenv "SYNCRUN_TEST_PG"
	if not uri then t.skip "SYNCRUN_TEST_PG is not set" end
	local db <close> = postgres.connect(uri)
	local _, e = err.try(db.exec, db, [[DO $x$ BEGIN RAISE EXCEPTION '%',
		E'\x1b]0;owned\x07\x1b[2J\u009b31m\u202e\u200b' || repeat('no ', 1000000)
		USING DETAIL = E'a\x1bb', HINT = E'c\u200bd'; END $x$]])
	says(e, "postgres")
	local lite <close> = sqlite.open ":memory:"
	_, e = err.try(lite.exec, lite, ("SELECT raise_%s"):format(NASTY:gsub("%z", "")))
	harmless(e.message, "sqlite")
	_, e = err.try(lite.exec, lite, "SELECT * FROM \"\27[31m\u{202E}\"")
	t.contains(e.message, "\\x1b[31m\\u202e")
end)

t.test("server text: a long reason is kept in full once, however many contacts it is about", function()
	local dir <close> = google.folder()
	local model = mapping.compile { key = "id", name = "id", fields = { { "id", "text" } } }
	local shot = snapshot_of.open(dir.path .. "/spool.db", model, "BigQuery")
	local long = "CRM: " .. ("ö"):rep(1000)
	for pos = 1, 3 do shot:note { pos = pos, system = "CRM", phase = "sync", kind = "rejected", reason = long } end
	shot:note { pos = 4, system = "CRM", phase = "sync", kind = "rejected", reason = "short" }
	shot:note { pos = 5, system = "CRM", phase = "validate", kind = "mismatched", reason = long }
	for pos = 6, 2005 do
		shot:note { pos = pos, system = "CRM", phase = "sync", kind = "rejected", reason = pos .. ("x"):rep(2000) }
	end
	local kept = shot.db:query "SELECT pos, reason FROM finding ORDER BY pos"
	t.eq({ kept[1].reason, kept[4].reason, kept[5].reason }, { long, "short", long })
	t.eq(kept[2].reason, "CRM: " .. ("ö"):rep(147) .. "… (in full where it came first)")
	t.eq(kept[3].reason, kept[2].reason)
	local bytes = shot.db:one "SELECT sum(length(CAST(reason AS BLOB))) AS n FROM finding WHERE pos > 5".n
	t.ok(bytes < 999 * 2010 + 1001 * 340, bytes)
	shot.db:close()
end)

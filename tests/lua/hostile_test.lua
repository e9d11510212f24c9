-- A Twenty and a BigQuery that mean ill, beyond wrong types and walks without an end (twenty_answers_test.lua,
-- bigquery_shapes_test.lua, bigquery_traps_test.lua): answers nested a thousand deep, gigantic numbers, names twice, bytes
-- that are no UTF-8, bombs. Whatever is spoiled, either the whole set is read as it is, or an error says that it could not be:
-- soon, by few requests, in bounded memory, never by a fault of ours.
local err = require "syncrun.err"
local host = require "syncrun.host"
local json = require "syncrun.json"
local mapping = require "syncrun.model.mapping"
local scripted = require "lua.lib.scripted"
local t = require "syncrun.test"
local twenty = require "lua.lib.twenty"

local MAPPING = mapping.compile { key = "contact_id", fields = {
	{ "contact_id", "text", to = { twenty = { "contactId", "TEXT", unique = true } } },
	{ "nickname", "text" }, { "llm_context", "json", to = { twenty = { "llmContext", "RAW_JSON" } } },
} }

-- A sanitizer keeps freed memory on purpose.
local function sanitized()
	local file <close> = assert(io.open "/proc/self/maps")
	return file:read "a":find("libasan", 1, true) ~= nil
end

-- Bytes that no answer may cost; the largest that BigQuery may give is 256 MiB.
local GROWTH = sanitized() and math.huge or 300 * 2 ^ 20
local REQUESTS = 20
local DEEP = ("["):rep(1000) .. ("]"):rep(1000)
local DIGITS = ("9"):rep(200000)

-- ---- the two services, as they should be

local function field(id, name, kind)
	return { id = id, name = name, type = kind, label = name, isActive = true, isUnique = name == "contactId" }
end

local OBJECTS = json.encode { data = { objects = json.array { { id = "o", nameSingular = "person", fields = json.array {
	field("f1", "contactId", "TEXT"), field("f2", "nickname", "TEXT"), field("f3", "llmContext", "RAW_JSON"),
} } } } }

-- Three people, in words that are easily found in the text.
local PEOPLE = '{"data":{"people":{"totalCount":3,"pageInfo":{"hasNextPage":false,"endCursor":null},"edges":[' ..
	'{"node":{"id":"i1","deletedAt":null,"contactId":"c1","nickname":"n1","llmContext":{"a":1}}},' ..
	'{"node":{"id":"i2","deletedAt":null,"contactId":"c2","nickname":"n2","llmContext":{"a":2}}},' ..
	'{"node":{"id":"i3","deletedAt":null,"contactId":"c3","nickname":"n3","llmContext":{"a":3}}}]}}}'

local function read_people(answer)
	local ids, asked = {}, 0
	twenty.scripted(function(req)
		if req.path:find "metadata" then return { status = 200, body = OBJECTS } end
		asked = asked + 1
		return answer
	end, function(system)
		for page in system:scan() do
			for i = 1, #page do ids[#ids + 1] = page:text(i, "contactId") end
		end
	end, { retry = { tries = 2, base = 0.001 } }, MAPPING)
	return ids, asked
end

local ROWS = json.encode(scripted.page({ "c1", "c2", "c3" }, 3).json)

local function read_rows(answer)
	local server <close> = scripted.serve { always = answer }
	local ids = scripted.ids_of(scripted.emulated(server))
	return ids, #server.seen
end

-- ---- what is tried

-- The text with its one `old` replaced.
local function spoiled(text, old, new)
	local from, to = text:find(old, 1, true)
	t.ok(from, old .. " is not there")
	return text:sub(1, from - 1) .. new .. text:sub(to + 1)
end

-- What comes of an answer: "all", or the error's message. Nothing else is right.
local function outcome(read, answer, what)
	local before = host.peak_memory()
	local ids, asked = err.try(read, answer)
	local e = not ids and asked or nil
	t.ok(host.peak_memory() - before < GROWTH, what .. ": it took too much memory")
	if e then
		t.ok(e.kind ~= "script" and e.kind ~= "internal", ("%s: %s"):format(what, tostring(e.traceback or e.message)))
		t.ok(#e.message > 0 and #e.message < 4096, ("%s: a message of %d bytes"):format(what, #e.message))
		return e.message
	end
	t.ok(asked <= REQUESTS, ("%s: %d requests"):format(what, asked))
	t.eq(ids, { "c1", "c2", "c3" }, what)
	return "all"
end

-- cases: { what, old text, new text, a part of the error, or "all" }
local function try(read, text, cases)
	for _, case in ipairs(cases) do
		local what, old, new, wanted = table.unpack(case)
		local found = outcome(read, { status = 200, body = spoiled(text, old, new),
			headers = { ["Content-Type"] = "application/json" } }, what)
		t.contains(found, wanted, what)
	end
end

t.test("hostile: a Twenty that nests, exaggerates, repeats names and garbles", function()
	try(read_people, PEOPLE, {
		{ "deep value", '{"a":1}', DEEP, "nested deeper than 512" },
		{ "deep unknown member", '"totalCount"', '"x":' .. DEEP .. ',"totalCount"', "nested deeper than 512" },
		{ "deep where the people are", '"edges":[', '"edges":[' .. DEEP .. ",", "an array where an object" },
		{ "endless number in a value", '{"a":1}', DIGITS, "all" },
		{ "number beyond doubles", '{"a":1}', "1e999999999", "all" },
		{ "endless count", '"totalCount":3', '"totalCount":' .. DIGITS, "does not say how many people there are" },
		{ "huge count", '"totalCount":3', '"totalCount":1e300', "does not say how many people there are" },
		{ "count beyond int64", '"totalCount":3', '"totalCount":9223372036854775808', "does not say how many" },
		{ "negative count", '"totalCount":3', '"totalCount":-3', "does not say how many people there are" },
		{ "count of fewer", '"totalCount":3', '"totalCount":2', "gave 3 people where it counts 2" },
		{ "count of more", '"totalCount":3', '"totalCount":4', "gave 3 people of the 4 it counts" },
		{ "people twice, the second none", '"edges":[', '"edges":[],"edges":[', "the name is given twice" },
		{ "people twice, the first all", '}}]}}}', '}}],"edges":[]}}}', "the name is given twice" },
		{ "data twice", '{"data"', '{"data":{},"data"', "the name is given twice" },
		{ "id twice", '"id":"i1"', '"id":"i0","id":"i1"', "all" },
		{ "contactId twice", '"contactId":"c1"', '"contactId":"c0","contactId":"c1"', "all" },
		{ "no UTF-8 in a value", '"n1"', '"n\xff1"', "invalid UTF-8" },
		{ "no UTF-8 in the key", '"c1"', '"c\xff1"', "invalid UTF-8" },
		{ "no UTF-8 in a name", '"nickname"', '"nick\xffname"', "invalid UTF-8" },
		{ "half a surrogate pair", '"n1"', '"\\ud800"', "a lone surrogate" },
		{ "NUL bytes", '"n1"', '"n\0"', "a control character inside a string" },
		{ "cut off", "]}}}", "", "the text ends" },
		{ "another answer behind it", "]}}}", "]}}}" .. PEOPLE, "where the end of the text should be" },
	})
end)

t.test("hostile: a BigQuery that nests, exaggerates, repeats names and garbles", function()
	try(read_rows, ROWS, {
		{ "deep unknown member", '"jobComplete"', '"x":' .. DEEP .. ',"jobComplete"', "nested deeper than 512" },
		{ "deep cell", '"c1"', DEEP, "nested deeper than 512" },
		{ "endless number", '"1767323045123456"', DIGITS, "is no timestamp" },
		{ "endless number as text", '"1767323045123456"', '"' .. DIGITS .. '"', "is no timestamp" },
		{ "endless total", '"totalRows":"3"', '"totalRows":"' .. DIGITS .. '"', "does not say how many rows the result has" },
		{ "huge total", '"totalRows":"3"', '"totalRows":"1e300"', "does not say how many rows the result has" },
		{ "negative total", '"totalRows":"3"', '"totalRows":"-3"', "sent 3 of the -3 rows" },
		{ "total of fewer", '"totalRows":"3"', '"totalRows":"2"', "sent 3 of the 2 rows" },
		{ "total of more", '"totalRows":"3"', '"totalRows":"4"', "sent 3 of the 4 rows" },
		{ "rows twice, the second none", '"rows":[', '"rows":[],"rows":[', "has 'rows' twice" },
		{ "no UTF-8 in a value", '"c1"', '"c\xff1"', "invalid UTF-8" },
		{ "half a surrogate pair", '"c1"', '"\\ud800"', "a lone surrogate" },
		{ "another answer behind it", '{"', '{}{"', "where the end of the text should be" },
	})
end)

-- ---- bombs

-- A few MB that unpack to 512 MiB of one text.
local BOMB = [[python3 -c 'import sys, zlib
z = zlib.compressobj(1, zlib.DEFLATED, 31)
out = sys.stdout.buffer
out.write(z.compress(b"{\"x\":\""))
for _ in range(512):
    out.write(z.compress(b"a" * 2 ** 20))
out.write(z.flush())']]

local function bomb()
	local pipe <close> = assert(io.popen(BOMB))
	return pipe:read "a"
end

t.test("hostile: an answer of a few MB that unpacks to 512 MiB", function()
	local packed = bomb()
	t.ok(#packed > 100000 and #packed < 8 * 2 ^ 20, #packed)
	local answer = { status = 200, body = packed,
		headers = { ["Content-Type"] = "application/json", ["Content-Encoding"] = "gzip" } }
	t.contains(outcome(read_people, answer, "Twenty"), "cannot read json (unexpected byte 0x1f") -- it was not asked for
	t.contains(outcome(read_rows, answer, "BigQuery"), "its body exceeds 268435456 bytes")
end)

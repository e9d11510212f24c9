-- Pages in Lua: JSON answers of systems into rows, and rows into JSON bodies.
local json = require "syncrun.json"
local recordings = require "lua.lib.recordings"
local rows = require "syncrun.rows"
local t = require "syncrun.test"

local US = 1767323045123456 -- 2026-01-02T03:04:05.123456Z

local spec = {
	rows = "data.people.edges",
	paths = { "node.contactId", "node.name.firstName", "node.n", "node.active", "node.createdAt", "node.meta" },
	extra = { "data.people.pageInfo.endCursor", "data.people.pageInfo.hasNextPage", "data.people.totalCount" },
}
local schema = rows.schema {
	{ "contact_id", "text" }, { "first_name", "text" }, { "n", "int64" }, { "active", "bool" },
	{ "created_at", "timestamp" }, { "meta", "json" },
}
local edges = rows.json_reader(schema, spec)

t.test("json_reader", function()
	local r, extra = edges:read([[{"data":{"people":{"edges":[
		{"node":{"contactId":"a","name":{"firstName":"Zoë"},"n":9007199254740993,"active":true,
			"createdAt":"2026-01-02T03:04:05.123456Z","meta":{"k":[1.0, null]}},"cursor":"1"},
		{"node":{"contactId":"b","name":null,"active":null,"meta":null}}],
		"pageInfo":{"endCursor":"WzJd","hasNextPage":false},"totalCount":2}}}]])
	t.eq(#r, 2)
	t.eq(r[1].contact_id, "a")
	t.eq(r[1].first_name, "Zoë")
	t.eq(r[1].n, 9007199254740993)
	t.eq(r[1].active, true)
	t.eq(r[1].created_at, US)
	t.eq(r[1].meta, '{"k":[1.0, null]}')
	t.eq(r[2].first_name, nil)
	t.eq(r[2].n, nil)
	t.eq(r[2].meta, nil)
	t.eq(extra, {
		["data.people.pageInfo.endCursor"] = "WzJd",
		["data.people.pageInfo.hasNextPage"] = false,
		["data.people.totalCount"] = 2,
	})
end)

t.test("json_reader without rows", function()
	local r, extra = edges:read('{"data":null}')
	t.eq(#r, 0)
	t.eq(extra.rows_missing, true)
	r, extra = edges:read('{"data":{"people":{"edges":[],"pageInfo":{"endCursor":null}}}}')
	t.eq(#r, 0)
	t.eq(extra, {})
end)

t.test("json_reader names path and row of a wrong shape", function()
	local e = t.raises(function()
		edges:read('{"data":{"people":{"edges":[{"node":{}},{"node":{"name":5}}]}}}')
	end, "'node.name' of row 2")
	t.eq(e.kind, "json")
	t.eq(e.code, "shape")
	t.raises(function() edges:read('{"data":{"people":{"edges":5}}}') end, "'data.people.edges'")
	t.raises(function() edges:read('{"data":') end, "line 1, column 9")
	t.raises(function() rows.json_reader(schema, { rows = "a", paths = { "x" } }) end, "usage")
	t.raises(function() rows.json_reader(schema, { paths = {} }) end, "usage")
	t.raises(function() rows.json_reader(schema, { rows = "a" }) end, "usage")
	t.raises(function() rows.json_reader(schema, { rows = "a", paths = { 1, 2, 3, 4, 5, 6 } }) end, "usage")
end)

local function field(name, kind, mode, fields) return { name = name, type = kind, mode = mode, fields = fields } end

t.test("bigquery_reader: its schema", function()
	local s = rows.bigquery_reader {
		field("s", "STRING"), field("i", "INTEGER"), field("i2", "INT64"), field("f", "FLOAT"), field("f2", "FLOAT64"),
		field("n", "NUMERIC"), field("bn", "BIGNUMERIC"), field("b", "BOOLEAN"), field("b2", "BOOL"),
		field("ts", "TIMESTAMP"), field("d", "DATE"), field("t", "TIME"), field("dt", "DATETIME"), field("j", "JSON"),
		field("by", "BYTES"), field("r", "RECORD", "NULLABLE", { field("x", "STRING") }), field("rep", "STRING", "REPEATED"),
	}:schema()
	local types = {}
	for i, name in ipairs(s:names()) do types[i] = s:type(name) end
	t.eq(table.concat(types, " "), "text int64 int64 float64 float64 decimal decimal bool bool timestamp date time "
		.. "datetime json bytes json json")
	local twice = { field("a", "STRING"), field("b", "STRING"), field("a", "STRING") }
	t.raises(function() rows.bigquery_reader(twice) end, "'a' twice")
	t.raises(function() rows.bigquery_reader { field("odd", "SPARSE") } end, "'odd'")
	t.raises(function() rows.bigquery_reader {} end)
	t.raises(function() rows.bigquery_reader(7) end)
end)

t.test("bigquery_reader", function()
	local fields = json.decode [=[[{"name":"id","type":"STRING"},{"name":"at","type":"TIMESTAMP"},
		{"name":"by","type":"BYTES"},{"name":"r","type":"RECORD",
		"fields":[{"name":"n","type":"INTEGER"},{"name":"at","type":"TIMESTAMP"}]},
		{"name":"tags","type":"STRING","mode":"REPEATED"}]]=]
	local r, extra = rows.bigquery_reader(fields):read([[{"kind":"bigquery#queryResponse","rows":[
		{"f":[{"v":"c0"},{"v":"1.767323045123456E9"},{"v":"AAE="},{"v":{"f":[{"v":"9007199254740993"},{"v":"0"}]}},
			{"v":[{"v":"a"}]}]},
		{"f":[{"v":null},{"v":null},{"v":null},{"v":null},{"v":[]}]}],
		"totalRows":"2","pageToken":"BE=+/","jobComplete":true,"schema":{"fields":[]}}]])
	t.eq(#r, 2)
	t.eq(r[1].at, US)
	t.eq(r[1].by, "\0\1")
	t.eq(r[1].r, '{"n":9007199254740993,"at":"1970-01-01T00:00:00.000000Z"}')
	t.eq(r[1].tags, '["a"]')
	t.eq(r[2].id, nil)
	t.eq(r[2].r, nil)
	t.eq(r[2].tags, "[]")
	t.eq(extra, { kind = "bigquery#queryResponse", totalRows = "2", pageToken = "BE=+/", jobComplete = true })
end)

t.test("bigquery_reader without rows, and wrong shapes", function()
	local reader = rows.bigquery_reader { field("id", "STRING") }
	local r, extra = reader:read '{"totalRows":"0","jobComplete":true}'
	t.eq(#r, 0)
	t.eq(extra.totalRows, "0")
	t.raises(function() reader:read("[]") end, "json")
	t.raises(function() reader:read('{"rows":[{"f":[]}]}') end, "'id' of row 1")
	t.raises(function() reader:read('{"rows":[{"f":[{"v":{"f":[]}}]}]}') end, "'id' of row 1")
	t.raises(function() reader:read('{"rows":[') end, "json")
end)

t.test("readers in turn: each has its own schema, which its pages share and outlive", function()
	local pages = {}
	do
		local readers = {}
		for i = 1, 3 do readers[i] = rows.bigquery_reader { field("c" .. i, "STRING") } end
		for i = 1, 6 do pages[i] = readers[(i - 1) % 3 + 1]:read '{"rows":[{"f":[{"v":"x"}]}]}' end
	end
	pages[1]:append(pages[4], 1) -- which refuses a row of another schema
	collectgarbage()
	for i = 1, 6 do
		t.eq(pages[i]:schema():names(), { "c" .. (i - 1) % 3 + 1 })
		t.eq(pages[i][1]["c" .. (i - 1) % 3 + 1], "x")
	end
end)

t.test("a reader of JSON keeps the names that it was made with", function()
	local extra = { "a" }
	local reader = rows.json_reader(rows.schema { { "x", "text" } }, { rows = "r", paths = { "x" }, extra = extra })
	extra[1] = "b"
	local _, beside = reader:read '{"a":1,"b":2,"r":[]}'
	t.eq(beside, { a = 1 })
	t.eq(reader:schema():names(), { "x" })
end)

-- Answers recorded between Google's own clients and a local server (facts/bigquery.md). Cut lists end with a text
-- that says how many more there were.
local recorded = { "10-client-query-named-params", "11-client-query-paged", "14-client-table-getRows" }

local function exchanges(doc)
	if doc.response then return { doc } end
	return doc.exchanges or doc.requests or doc
end

for _, name in ipairs(recorded) do
	t.test("recorded " .. name, function()
		local doc = recordings.get("bigquery", name)
		local read, last_fields = 0, nil
		for _, exchange in ipairs(exchanges(doc)) do
			local body = exchange.response and exchange.response.body
			local list = type(body) == "table" and body.rows
			if type(list) == "table" then
				if type(list[#list]) == "string" then list[#list] = nil end
				local fields = body.schema and body.schema.fields or last_fields
				last_fields = fields
				local r, extra = rows.bigquery_reader(fields):read(json.encode(body))
				t.eq(#r, #list)
				t.eq(extra.kind, body.kind)
				for i = 1, #r do
					t.eq(r[i].contact_id, list[i].f[1].v)
					t.eq(r[i].updated_at, math.tointeger(list[i].f[3].v))
				end
				read = read + #r
			end
		end
		t.ok(read > 0, "the recording has no rows")
	end)
end

local people = rows.schema {
	{ "id", "text" }, { "first", "text" }, { "n", "int64" }, { "ok", "bool" }, { "at", "timestamp" }, { "j", "json" },
}

local function some(n)
	local r = rows.new(people)
	for i = 1, n do r:add { id = "c" .. i, first = "Zoë", n = i, ok = i % 2 == 0, at = US, j = '{"k":1.10}' } end
	return r
end

t.test("encoder", function()
	local enc = rows.encoder {
		{ path = "contactId", column = "id", as = "string" },
		{ path = "name.firstName", column = "first", as = "string" },
		{ path = "emails.additionalEmails", const = "[]" },
		{ path = "n", column = "n", as = "number" },
		{ path = "ok", column = "ok", as = "bool" },
		{ path = "createdAt", column = "at", as = "timestamp_ms" },
		{ path = "name.at", column = "at", as = "timestamp_us" },
		{ path = "meta", column = "j", as = "json" },
	}
	local r = some(2)
	r:add { id = "none" }
	t.eq(enc:encode(r, 1, 1), '[{"contactId":"c1","name":{"firstName":"Zoë","at":"2026-01-02T03:04:05.123456Z"},'
		.. '"emails":{"additionalEmails":[]},"n":1,"ok":false,"createdAt":"2026-01-02T03:04:05.123Z","meta":{"k":1.10}}]')
	local back = json.decode(enc:encode(r))
	t.eq(#back, 3)
	t.eq(back[3].name.firstName, json.null)
	t.eq(back[3].contactId, "none")
	t.eq(enc:encode(r, 4, 3), "[]")
	t.raises(function() enc:encode(r, 0, 1) end, "out of range")
	t.raises(function() enc:encode(r, 1, 4) end, "out of range")
	t.raises(function() enc:encode(r, 3, 1) end, "out of range")
	t.eq(enc:encode(some(1), 1, 1), enc:encode(r, 1, 1))
end)

t.test("encoder takes pages of other schemas in turn", function()
	local enc = rows.encoder { { path = "x", column = "id" } }
	for i = 1, 10 do
		local other = rows.new(rows.schema { { "pad", "text" }, { "id", "int64" } })
		other:add { id = i }
		t.eq(enc:encode(other), '[{"x":' .. i .. "}]")
		t.eq(enc:encode(some(1)), '[{"x":"c1"}]')
		collectgarbage()
	end
	local lacking = rows.new(rows.schema { { "pad", "text" } })
	lacking:add {}
	t.raises(function() enc:encode(lacking) end, "'id'")
end)

t.test("batches by rows and by bytes", function()
	local enc = rows.encoder { { path = "id", column = "id" }, { path = "n", column = "n" } }
	local r = some(25)
	local function collect(max_rows, max_bytes)
		local seen, sizes = {}, {}
		for text, from, to in enc:batches(r, max_rows, max_bytes) do
			t.eq(text, enc:encode(r, from, to))
			t.eq(from, #seen + 1)
			for _, item in ipairs(json.decode(text)) do seen[#seen + 1] = item.n end
			t.eq(to, #seen)
			t.ok(#text <= max_bytes or from == to)
			sizes[#sizes + 1] = to - from + 1
		end
		t.eq(#seen, 25)
		return sizes
	end
	t.eq(collect(10, 1e6 // 1 | 0), { 10, 10, 5 })
	t.eq(#collect(100, 1), 25)
	t.eq(collect(100, 100)[1], 5)
	t.eq(enc:batches(rows.new(people), 10, 100)(), nil)
	t.raises(function() enc:batches(r, 0, 100) end)
end)

t.test("templates that cannot be", function()
	t.raises(function() rows.encoder { { column = "id" } } end, "no path")
	t.raises(function() rows.encoder { { path = "a" } } end, "either 'column' or 'const'")
	t.raises(function() rows.encoder { { path = "a", column = "id", const = "1" } } end, "either 'column' or 'const'")
	t.raises(function() rows.encoder { { path = "a", column = "id", as = "text" } } end, "'text'")
	t.raises(function() rows.encoder { { path = "a", const = "{" } } end, "not json")
	t.raises(function() rows.encoder { { path = "a", column = "x" }, { path = "a.b", column = "y" } } end, "usage")
	t.raises(function() rows.encoder { 5 } end, "usage")
	local enc = rows.encoder { { path = "n", column = "id", as = "number" } }
	t.raises(function() enc:encode(some(3)) end, "'id' of row 1")
end)

-- The twenty traps of facts/bigquery.md, chapter 11, one test each and in its order; then reading by ranges, and what an
-- unfriendly way can do to an answer. Against scripted servers and the sandbox.
local t = require "syncrun.test"
local bigquery = require "syncrun.systems.bigquery"
local err = require "syncrun.err"
local http = require "syncrun.http"
local json = require "syncrun.json"
local patient = require "lua.lib.patient"
local rows = require "syncrun.rows"
local sandbox = require "sandbox.bigquery"
local scripted = require "lua.lib.scripted"
local task = require "syncrun.task"

local serve, emulated, page, failure, ids_of, FIELDS, INCOMPLETE, folder, QUICK
	= scripted.serve, scripted.emulated, scripted.page, scripted.failure, scripted.ids_of, scripted.FIELDS,
	scripted.INCOMPLETE, scripted.folder, scripted.QUICK

-- A result of n rows that answers any startIndex, some rows at a time at most; `more` overrides keys of its answers.
local function ranged(n, cut, more)
	return function(req)
		local from = math.tointeger(tonumber(req.args.startIndex or "0"))
		local count = math.tointeger(tonumber(req.args.maxResults or (req.json and req.json.maxResults)))
		local ids = {}
		for i = from + 1, math.min(n, from + math.min(count, cut or n)) do ids[#ids + 1] = ("c%05d"):format(i) end
		return page(ids, n, from + #ids < n and "T" .. from + #ids or nil, more)
	end
end

local function numbered(n)
	local ids = {}
	for i = 1, n do ids[i] = ("c%05d"):format(i) end
	return ids
end

-- A sandbox with n contacts, closed at the end of the block.
local function sandboxed(n, options)
	local dir = folder()
	local lines = {}
	for i = 1, n do
		lines[i] = json.encode { contact_id = ("c%05d"):format(i), canonical_name = "N" .. i,
			updated_at = "2026-01-02T03:04:05.123456Z" }
	end
	sandbox.load { dir = dir.path, file = dir:write("in.ndjson", table.concat(lines, "\n")),
		location = options and options.location }
	local o = { dir = dir.path }
	for k, v in pairs(options or {}) do o[k] = v end
	local server = sandbox.start(o)
	local client = http.client { base_url = server.url, retry = false }
	return setmetatable({ url = server.url, client = client }, { __close = function()
		server.stop()
		getmetatable(dir).__close()
	end })
end

local function in_sandbox(server, more)
	local config = { emulator = server.url, project = "sandbox", retry = QUICK }
	for k, v in pairs(more or {}) do config[k] = v end
	return bigquery.open(config)
end

-- The single cell that a source gives for one column of this type.
local function cell(field, v, more)
	local answer = page({}, 1, nil, { schema = { fields = { field } }, rows = { { f = { { v = v } } } } })
	for k, value in pairs(more or {}) do answer.json[k] = value end
	local server <close> = serve { answer }
	local found = emulated(server):scan({ columns = { field.name } })()
	return found:get(1, field.name), found:text(1, field.name), found:schema():type(field.name)
end

-- ---- the traps

t.test("trap 1: legacy SQL is never meant", function()
	local server <close> = serve { always = page({ "a" }, 1) }
	local source = emulated(server)
	ids_of(source)
	ids_of(source, { limit = 1 })
	source:estimate { columns = scripted.COLUMNS }
	for _, req in ipairs(server.seen) do t.eq(req.json.useLegacySql, false) end
	local box <close> = sandboxed(1)
	local legacy = box.client:post("/bigquery/v2/projects/sandbox/queries", { json = { query = "SELECT 1" } })
	t.eq(legacy.status, 400)
end)

t.test("trap 2: an empty result has no rows member", function()
	local server <close> = serve { page({}, 0) }
	t.eq(ids_of(emulated(server)), {})
	local box <close> = sandboxed(2)
	t.eq(ids_of(in_sandbox(box, { where = "contact_id = 'none'" })), {})
end)

t.test("trap 3: a page shorter than asked for, with a token", function()
	local server <close> = serve { page({ "a" }, 3, "t1"), page({ "b" }, 3, "t2"), page({ "c" }, 3) }
	t.eq(ids_of(emulated(server, { page_rows = 2, parallel = 1 })), { "a", "b", "c" })
	local box <close> = sandboxed(40, { page_bytes = 300 })
	t.eq(ids_of(in_sandbox(box, { page_rows = 10, parallel = 1 })), numbered(40))
end)

t.test("trap 4: an empty page that still has a token", function()
	local server <close> = serve { page({}, 2, "t1"), page({ "a" }, 2, "t2"), page({}, 2, "t3"), page({ "b" }, 2) }
	t.eq(ids_of(emulated(server)), { "a", "b" })
end)

t.test("trap 5: numbers as strings, a mode that is absent", function()
	local fields = { { name = "contact_id", type = "STRING" }, { name = "updated_at", type = "TIMESTAMP" } }
	local server <close> = serve { page({ "a" }, 1, nil, { schema = { fields = fields } }) }
	local source = emulated(server)
	t.eq(ids_of(source), { "a" })
	t.eq({ source.last.total, source.last.bytes_billed }, { 1, 10485760 })
end)

t.test("trap 6: timestamps with and without the flag, old ones too, and nothing rounded", function()
	local field = { name = "at", type = "TIMESTAMP" }
	for text, us in pairs {
		["1767323045123456"] = 1767323045123456, ["1.767323045123456E9"] = 1767323045123456, ["-1.5E9"] = -1500000000000000,
		["0.0"] = 0, ["-1"] = -1, ["2.53402300799999999E11"] = 253402300799999999, ["1.0E-6"] = 1,
		["2026-01-02T03:04:05.123456Z"] = 1767323045123456, ["1767323045.0"] = 1767323045000000,
	} do
		t.eq(cell(field, text), us, text)
	end
	for _, text in ipairs { "1.7673230451234567E9", "2026-01-02T03:04:05.123456789012Z", "x", "1E300" } do
		t.eq(t.raises(cell, "'at' of row 1", field, text).exit, 3)
	end
end)

t.test("trap 7: an answer without a job", function()
	local box <close> = sandboxed(3)
	local source = in_sandbox(box)
	t.eq(ids_of(source), numbered(3))
	t.eq({ source.last.job, source.last.bytes_billed }, { nil, 10485760 })
end)

t.test("trap 8: a job elsewhere is found by its location only, which the answer tells", function()
	local box <close> = sandboxed(9, { location = "europe-west3" })
	t.eq(ids_of(in_sandbox(box, { page_rows = 2, parallel = 1 })), numbered(9))
	t.eq(ids_of(in_sandbox(box, { page_rows = 2, parallel = 4 })), numbered(9))
	local answer = box.client:post("/bigquery/v2/projects/sandbox/queries", { json = {
		query = "SELECT contact_id FROM identity.contacts_master", useLegacySql = false, maxResults = 1,
	} }):json()
	local path = "/bigquery/v2/projects/sandbox/queries/" .. answer.jobReference.jobId
	t.eq(box.client:get(path).status, 404)
	t.eq(box.client:get(path, { query = { location = "europe-west3" } }).status, 200)
	local e = t.raises(ids_of, "not found", in_sandbox(box, { location = "US" }))
	t.eq({ e.kind, e.exit }, { "config", 2 })
end)

local function python(text)
	local pipe = io.popen(("python3 '%s/lua/lib/gzip_server.py' '%s' 2>/dev/null"):format(
		debug.getinfo(1, "S").source:match "^@(.*)/lua/[^/]+$", text))
	local port = pipe and pipe:read "l"
	if not port then t.skip "there is no python3" end
	local client = http.client { base_url = "http://127.0.0.1:" .. port }
	return setmetatable({ at = "http://127.0.0.1:" .. port, client = client }, { __close = function()
		client:get "/quit"
		pipe:close()
	end })
end

local PAGE = json.encode { schema = { fields = FIELDS }, jobComplete = true, totalRows = "TOTAL", rows = "ROWS",
	jobReference = { projectId = "demo", jobId = "j" }, totalBytesBilled = "0" }

t.test("trap 9: HTML from a front end, a zipped refusal, an answer cut short", function()
	local html = { status = 502, body = "<html>Bad Gateway</html>", headers = { ["Content-Type"] = "text/html" } }
	local server <close> = serve { html, page({ "a" }, 1) }
	t.eq(ids_of(emulated(server)), { "a" })
	local box <close> = sandboxed(30)
	box.client:post("/_sandbox/faults", { json = { faults = { { path = "/queries/", truncate = 40 },
		{ path = "/queries/", drop = true } } } })
	t.eq(ids_of(in_sandbox(box, { page_rows = 10, parallel = 1 })), numbered(30))
	local zipped <close> = python(PAGE)
	local config = { emulator = zipped.at .. "/error", project = "demo", retry = QUICK }
	local e = t.raises(ids_of, "denies the account access (Access Denied)", bigquery.open(config))
	t.eq({ e.code, e.exit }, { "accessDenied", 3 })
	t.eq(zipped.client:get "/seen":json()[1], true)
end)

t.test("trap 10: three kinds of 403", function()
	local server <close> = serve {
		failure(403, "rateLimitExceeded"), page({ "a" }, 1), failure(403, "quotaExceeded"), failure(403, "accessDenied"),
	}
	local source = emulated(server)
	t.eq(ids_of(source), { "a" })
	t.eq(t.raises(ids_of, "quota", source).retryable, false)
	t.eq(t.raises(ids_of, "denies", source).retryable, false)
	t.eq(#server.seen, 4)
end)

t.test("trap 11: a GET that fails since the job failed is not asked for ever: the query runs anew", function()
	local failed = { json = { status = { state = "DONE", errorResult = { reason = "backendError", message = "lost" } } } }
	local server <close> = serve { always = function(req)
		if req.method == "POST" then return INCOMPLETE end
		return req.path:find "/jobs/" and failed or failure(500, "backendError")
	end }
	t.raises(ids_of, "lost", emulated(server))
	local posts, ids = 0, {}
	for _, req in ipairs(server.seen) do
		if req.json then
			posts, ids[req.json.requestId] = posts + 1, true
		end
	end
	local distinct = 0
	for _ in pairs(ids) do distinct = distinct + 1 end
	t.eq({ posts, distinct, #server.seen }, { 6, 6, 18 })
end)

t.test("trap 12: a repeated jobs.insert is a duplicate; syncrun asks by jobs.query and requestId", function()
	local box <close> = sandboxed(1)
	local body = { json = { jobReference = { projectId = "sandbox", jobId = "mine" }, configuration = { query = {
		query = "SELECT contact_id FROM identity.contacts_master", useLegacySql = false } } } }
	t.eq(box.client:post("/bigquery/v2/projects/sandbox/jobs", body).status, 200)
	local again = box.client:post("/bigquery/v2/projects/sandbox/jobs", body)
	t.eq({ again.status, again:json().error.errors[1].reason }, { 409, "duplicate" })
	t.eq(box.client:get("/bigquery/v2/projects/sandbox/jobs/mine"):json().status.state, "DONE")
	box.client:post("/_sandbox/faults", { json = { faults = { { method = "POST", truncate = 10 } } } })
	t.eq(ids_of(in_sandbox(box)), { "c00001" }) -- the answer was lost: the same requestId finds the same job
	local server <close> = serve { failure(409, "duplicate", "Already Exists: Job x") }
	t.raises(ids_of, "Already Exists", emulated(server))
end)

t.test("trap 13: a token that ends within a parallel walk is renewed once, and what failed is sent again", function()
	local dir <close> = folder()
	local tokens <close> = serve { scripted.token "ya29.one", scripted.token "ya29.two", scripted.token "ya29.three" }
	local answer, refused = ranged(40), 0
	local server <close> = serve { always = function(req)
		if req.headers.authorization == "Bearer ya29.one" and (tonumber(req.args.startIndex) or 0) >= 12 then
			refused = refused + 1
			return failure(401, "authError", "Invalid Credentials")
		end
		return answer(req)
	end }
	local path = dir:write("key.json", scripted.service_account { token_uri = tokens.url })
	local source = bigquery.open {
		credentials = path, project = "demo", base_url = server.url, retry = QUICK, page_rows = 4,
	}
	t.eq(ids_of(source), numbered(40))
	t.eq(#tokens.seen, 2)
	t.ok(refused >= 1 and refused <= 4, refused)
	t.eq(#server.seen, 10 + refused)
end)

t.test("trap 14: insertAll answers 200 and says in its body which rows it refused", function()
	local box <close> = sandboxed(1)
	local answer = box.client:post(
		"/bigquery/v2/projects/sandbox/datasets/identity/tables/contacts_master/insertAll",
		{ json = { rows = { { json = { contact_id = "c2", is_me = "maybe" } } } } })
	t.eq(answer.status, 200)
	t.eq(answer:json().insertErrors[1].index, 0)
	t.eq(ids_of(in_sandbox(box)), { "c00001" })
end)

t.test("trap 15: columns named twice are refused; records fifteen deep are read", function()
	local twice = { { name = "x", type = "STRING" }, { name = "x", type = "STRING" } }
	local e = t.raises(rows.bigquery_reader, "names 'x' twice", twice)
	t.eq(e.code, "duplicate_column")
	local field, v, want = { name = "leaf", type = "INTEGER" }, "7", "7"
	for depth = 15, 1, -1 do
		want = ('{"%s":%s}'):format(field.name, want)
		field = { name = "r" .. depth, type = "RECORD", fields = { field } }
		v = { f = { { v = v } } }
	end
	local _, text, kind = cell(field, v)
	t.eq({ text, kind }, { want, "json" })
end)

t.test("trap 16: a NUMERIC keeps all of its digits", function()
	for kind, text in pairs {
		NUMERIC = "99999999999999999999999999999.999999999",
		BIGNUMERIC = "-578960446186580977117854925043439539266.34992332820282019728792003956564819968",
	} do
		local value, _, type_ = cell({ name = "n", type = kind }, text)
		t.eq({ value, type_ }, { text, "decimal" })
	end
	local _, nested = cell({ name = "r", type = "RECORD", fields = { { name = "n", type = "NUMERIC" } } },
		{ f = { { v = "0.10" } } })
	t.eq(nested, '{"n":0.10}')
end)

t.test("trap 17: JSON comes as a string; a JSON null is not SQL's", function()
	local field = { name = "j", type = "JSON" }
	t.eq({ cell(field, '{"k":[1,null]}') }, { '{"k":[1,null]}', '{"k":[1,null]}', "json" })
	t.eq((cell(field, "null")), "null")
	t.eq((cell(field, json.null)), nil)
	t.raises(cell, "'j' of row 1", field, "{")
end)

local function data_page(ids, total, token)
	local answer = page(ids, total, token)
	local body = { kind = "bigquery#tableDataList", etag = "e", totalRows = answer.json.totalRows, pageToken = token,
		rows = answer.json.rows }
	return { json = body }
end

local function table_answer(more)
	local body = {
		kind = "bigquery#table", etag = "e1", numRows = "9", lastModifiedTime = "1767323045123", type = "TABLE",
		location = "US", schema = { fields = { FIELDS[2], FIELDS[1], { name = "other", type = "STRING" } } },
	}
	for k, v in pairs(more or {}) do body[k] = v or nil end
	return { json = body }
end

-- Rows in the table's order of columns: updated_at, contact_id.
local function data_answer(n, cut)
	local answer = ranged(n, cut)
	return function(req)
		local body = answer(req).json
		for _, row in ipairs(body.rows or {}) do row.f[1], row.f[2] = row.f[2], row.f[1] end
		return { json = { kind = "bigquery#tableDataList", totalRows = body.totalRows, rows = body.rows,
			pageToken = body.pageToken } }
	end
end

t.test("trap 18: while rows are streamed in, a table is read by tokens only and has no version", function()
	local data, served = data_answer(12), 0
	local server <close> = serve { always = function(req)
		if not req.path:find "/data$" then return table_answer { streamingBuffer = { estimatedRows = "3" } } end
		local from = req.args.pageToken and req.args.pageToken:match "%d+"
		t.eq(req.args.startIndex, nil)
		served, req.args.startIndex = served + 1, from
		return data(req)
	end }
	local source = emulated(server, { read = "table", page_rows = 4 })
	t.eq(ids_of(source), numbered(12))
	t.eq({ served, source:version() }, { 3 })
end)

t.test("trap 19: a token is opaque and goes encoded into the URL", function()
	local server <close> = serve { page({ "a" }, 2, "a+b,c=/d?e&f g%"), page({ "b" }, 2) }
	t.eq(ids_of(emulated(server)), { "a", "b" })
	t.eq(server.seen[2].args.pageToken, "a+b,c=/d?e&f g%")
	t.contains(server.seen[2].query, "pageToken=a%2Bb%2Cc%3D%2Fd%3Fe%26f%20g%25")
end)

t.test("trap 20: a table that changes within a parallel walk: the walk is worth nothing and says so", function()
	local data, etag = data_answer(40), "e1"
	local server <close> = serve { always = function(req)
		if not req.path:find "/data$" then return table_answer { etag = etag } end
		if req.args.startIndex == "20" then etag = "e2" end
		return data(req)
	end }
	local source = emulated(server, { read = "table", page_rows = 4 })
	local e = t.raises(ids_of, "changed while it was read; run again", source)
	t.eq({ e.kind, e.code, e.exit, e.retryable }, { "http", "changed", 3, true })
	t.eq(source.last, nil)
end)

-- ---- by ranges

t.test("ranges: a long result, four requests at once, in order, never startIndex with a token", function()
	local answer, live, most = ranged(100, 7), 0, 0
	local server <close> = serve { always = function(req)
		live = live + 1
		most = math.max(most, live)
		task.sleep(req.args.startIndex == "10" and 0.02 or 0.002)
		live = live - 1
		return answer(req)
	end }
	local source = emulated(server, { page_rows = 10 })
	t.eq(ids_of(source), numbered(100))
	t.eq(most, 4)
	local starts = {}
	for i = 2, #server.seen do
		local args = server.seen[i].args
		t.eq(args.pageToken, nil)
		t.eq(args.location, "US")
		starts[#starts + 1] = args.startIndex .. "+" .. args.maxResults
	end
	table.sort(starts)
	t.eq({ #starts, starts[1], starts[2] }, { 19, "14+3", "17+10" }) -- seven an answer, whatever was asked for
end)

t.test("ranges: parallel = 1, a short rest, and a result without a job go by tokens", function()
	for _, more in ipairs { { page_rows = 10, parallel = 1 }, { page_rows = 50 } } do
		local answer = ranged(60)
		local server <close> = serve { always = function(req)
			t.eq(req.args.startIndex, nil)
			req.args.startIndex = req.args.pageToken and req.args.pageToken:match "%d+"
			return answer(req)
		end }
		t.eq(ids_of(emulated(server, more)), numbered(60))
	end
end)

t.test("ranges: too many rows, none at all, another total: an error, never a wrong set", function()
	local function with(change)
		local answer = ranged(40)
		local server <close> = serve { always = function(req)
			local got = answer(req)
			if req.args.startIndex == "20" then change(got.json, req) end
			return got
		end }
		return t.raises(ids_of, "run again", emulated(server, { page_rows = 5 }))
	end
	t.eq(with(function(body) body.rows = nil end).code, "shape")
	t.eq(with(function(body) body.rows[6] = body.rows[1] end).code, "shape")
	t.eq(with(function(body) body.totalRows = "41" end).code, "shape")
	t.eq(with(function(body) body.totalRows = nil end).code, "shape")
end)

t.test("ranges: leaving a scan early leaves nothing under way", function()
	local answer = ranged(400)
	local server <close> = serve { always = function(req)
		if req.args.startIndex then task.sleep(0.005) end
		return answer(req)
	end }
	local source = emulated(server, { page_rows = 10 })
	for found in source:scan { columns = scripted.COLUMNS } do
		if found:get(1, "contact_id") == "c00021" then break end
	end
	local n = #server.seen
	task.sleep(0.03)
	t.ok(#server.seen <= n, #server.seen - n)
	t.eq(source.last, nil)
end)

t.test("table: free reading, in the table's order of columns, asked for by name", function()
	local data = data_answer(23, 4)
	local server <close> = serve { always = function(req)
		return req.path:find "/data$" and data(req) or table_answer()
	end }
	local source = emulated(server, { read = "table", page_rows = 5 })
	local seen = {}
	for found in source:scan { columns = { "Contact_ID", "updated_at" } } do
		for i = 1, #found do
			seen[#seen + 1] = found:get(i, "Contact_ID")
			t.eq(found:get(i, "updated_at"), 1767323045123456)
		end
	end
	t.eq(seen, numbered(23))
	t.eq({ source.last.total, source.last.bytes_billed, source.cost.queries }, { 23, 0, 0 })
	local args = server.seen[2].args
	t.eq({ args.selectedFields, args["formatOptions.useInt64Timestamp"] }, { "updated_at,contact_id", "true" })
	t.eq(source:estimate({ columns = scripted.COLUMNS }).free, true)
end)

t.test("table: filters, limits and views are queried", function()
	local kind
	local server <close> = serve { always = function(req)
		return req.method == "GET" and table_answer { type = kind } or page({ "a" }, 1)
	end }
	for _, more in ipairs { { where = "x" }, {} } do
		kind = "VIEW"
		local source = emulated(server, { read = "table", where = more.where })
		t.eq(ids_of(source), { "a" })
		t.eq(server.seen[#server.seen].method, "POST")
	end
	kind = "TABLE"
	local source = emulated(server, { read = "table" })
	for _, o in ipairs { { limit = 1 }, { only = { "a" } }, { since = { column = "updated_at", at = 0 } } } do
		t.eq(ids_of(source, o), { "a" })
		t.eq(server.seen[#server.seen].method, "POST")
	end
	local sent = server.seen[#server.seen].json
	t.contains(sent.query, "WHERE `updated_at` >= @since")
	t.eq(sent.queryParameters, { { name = "since", parameterType = { type = "TIMESTAMP" },
		parameterValue = { value = "1970-01-01T00:00:00.000000Z" } } })
end)

t.test("table: too few rows, and a total that moves, are errors", function()
	local server <close> = serve {
		table_answer(), data_page({}, 3, "t"), data_page({}, 3),
		table_answer(), data_page({}, 3, "t"), data_page({}, 4, "u"),
		table_answer(), { body = "<html>" },
	}
	local source = emulated(server, { read = "table" })
	t.eq(t.raises(ids_of, "sent 0 of the 3 rows", source).code, "short")
	t.eq(t.raises(ids_of, "changed while it was read", source).code, "changed")
	t.eq(t.raises(ids_of, "is a proxy in the way", source).exit, 3)
end)

t.test("table and query of the sandbox give the same rows, one after the other and by ranges", function()
	local box <close> = sandboxed(57, { page_bytes = 900 })
	local function all(more)
		local got = {}
		for found in in_sandbox(box, more):scan { columns = { "contact_id", "canonical_name", "updated_at" } } do
			for i = 1, #found do
				got[#got + 1] = found:text(i, "contact_id") .. found:text(i, "canonical_name")
					.. found:text(i, "updated_at")
			end
		end
		return got
	end
	local want = all { page_rows = 5, parallel = 1 }
	t.eq(#want, 57)
	t.eq(all { page_rows = 5 }, want)
	t.eq(all { page_rows = 5, read = "table" }, want)
	t.eq(all { page_rows = 5, read = "table", parallel = 1 }, want)
end)

-- ---- services that loop

t.test("loops: pages without a row and ever-new tokens, tokens that alternate, more rows than announced", function()
	local function walk(answer, more)
		local n = 0
		local server <close> = serve { always = function()
			n = n + 1
			return answer(n)
		end }
		local e = t.raises(ids_of, nil, emulated(server, more or { parallel = 1 }))
		t.eq({ e.kind, e.exit }, { "http", 3 }, e.message)
		return e.message, #server.seen
	end
	local function queries(shape)
		return { walk(function(n) return shape(n, page) end) }
	end
	local empty = "BigQuery sent 3 pages without a row and speaks of more; run again"
	t.eq(queries(function(n) return page({}, 4, "t" .. n) end), { empty, 3 })
	local repeats = "BigQuery repeats a page token; run again"
	t.eq(queries(function(n) return page({ "a" }, 900, "t" .. n % 3) end), { repeats, 4 })
	t.eq(queries(function(n) return page({ "a" }, 3, "t" .. n) end)[2], 4)
	t.eq(queries(function(n) return page({ "a" }, n, "t" .. n) end)[2], 2) -- a total that grows with every page
	t.eq(queries(function(n) return page({ "a" }, 2, n) end)[1], "BigQuery's page token is no text; is the URL right?")
	local function data(shape)
		local found = table_answer { schema = { fields = FIELDS } }
		local message, n = walk(function(k) return k == 1 and found or shape(k) end, { read = "table", parallel = 1 })
		return { message, n - 1 }
	end
	t.eq(data(function(n) return data_page({}, 4, "t" .. n) end), { empty, 3 })
	t.eq(data(function(n) return data_page({ "a" }, 900, "t" .. n % 2) end), { repeats, 3 })
end)

t.test("loops: a query that never ends is given up in time, and said before", function()
	local said <close> = patient.after(0.02)
	local server <close> = serve { always = INCOMPLETE }
	local e = t.raises(ids_of, "raise bigquery.query_timeout", emulated(server, { query_timeout = 1 }))
	t.eq({ e.kind, e.code, e.exit }, { "timeout", "query", 3 })
	t.eq(said[1], "waiting for BigQuery to finish the query (0 s so far)")
	t.ok(#said >= 3 and #said <= 7, #said)
	t.ok(#server.seen < 20, #server.seen)
	local late <close> = serve { page({ "a" }, 2, "t1"), always = INCOMPLETE }
	t.raises(ids_of, "raise bigquery.query_timeout", emulated(late, { query_timeout = 1 }))
end)

t.test("loops: a rate limit that never lifts is given up after six tries, whatever it asks for", function()
	local asking = { headers = { ["Retry-After"] = "86400" } }
	local server <close> = serve { always = failure(403, "rateLimitExceeded", nil, asking) }
	local source = emulated(server, { retry = { base = 0.001, cap = 0.002, longest = 0.002 } })
	t.eq({ t.raises(ids_of, "rateLimitExceeded", source).exit, #server.seen }, { 3, 6 })
end)

t.test("loops: a token server that never gives in is given up", function()
	local dir <close> = folder()
	local tokens <close> = serve { always = { status = 429, headers = { ["Retry-After"] = "86400" } } }
	local path = dir:write("key.json", scripted.service_account { token_uri = tokens.url })
	local quick = { base = 0.001, cap = 0.002, longest = 0.002 }
	local source = bigquery.open { credentials = path, project = "demo", base_url = "http://127.0.0.1:1", retry = quick }
	t.eq(t.raises(ids_of, "Google gives no token", source).exit, 3)
	t.eq(#tokens.seen, 6)
	local refusing <close> = serve { always = failure(401, "authError", "Invalid Credentials") }
	local giving <close> = serve { always = scripted.token("ya29.again", 0) }
	path = dir:write("key.json", scripted.service_account { token_uri = giving.url })
	source = bigquery.open { credentials = path, project = "demo", base_url = refusing.url, retry = quick }
	t.eq(t.raises(ids_of, "refuses the credentials", source).exit, 3)
	t.eq({ #giving.seen, #refusing.seen }, { 2, 2 })
end)

-- ---- cost

t.test("cost: a dry run tells what would be billed; a cap refuses; what was billed adds up", function()
	local server <close> = serve { always = function(req)
		if req.json and req.json.dryRun then
			local more = { totalRows = false, jobReference = { projectId = "demo" }, totalBytesProcessed = "20971521" }
			return page({}, 0, nil, more)
		end
		return page({ "a" }, 1)
	end }
	local source = emulated(server, { max_bytes_billed = 20971520 })
	local estimate = source:estimate { columns = scripted.COLUMNS }
	t.eq(estimate, { free = false, bytes_processed = 20971521, bytes_billed = 22020096, refused = true })
	local sent = server.seen[1].json
	t.eq({ sent.dryRun, sent.maximumBytesBilled, #server.seen }, { true, nil, 1 })
	ids_of(source)
	ids_of(source)
	t.eq(source.cost, { queries = 2, bytes_processed = 2468, bytes_billed = 20971520, attempts = 3, retries = 0 })
	local box <close> = sandboxed(5)
	source = in_sandbox(box)
	t.eq(source:estimate({ columns = { "contact_id" } }).bytes_billed, 10485760)
	t.eq(source.cost.queries, 0)
end)

t.test("record: every attempt is told", function()
	local seen = {}
	local server <close> = serve { failure(503, "backendError"), page({ "a" }, 1) }
	local source = emulated(server, { on_attempt = function(info)
		seen[#seen + 1] = info.attempt .. " " .. info.status
	end })
	ids_of(source)
	t.eq(seen, { "1 503", "2 200" })
	t.eq({ source.cost.attempts, source.cost.retries }, { 2, 1 })
end)

-- ---- on the way

t.test("way: gzip is asked for as Google wants it, and a page of 60 MB is read", function()
	local zipped <close> = python(PAGE)
	local config = { emulator = zipped.at .. "/page/60", project = "demo", retry = QUICK }
	local n, bytes = 0, 0
	for found in bigquery.open(config):scan { columns = scripted.COLUMNS } do
		for i = 1, #found do
			n, bytes = n + 1, bytes + #found:text(i, "contact_id")
		end
	end
	t.eq({ n, bytes }, { 60, 60 * 1000000 })
	t.eq(zipped.client:get "/seen":json(), { true })
end)

t.test("way: an endless redirect is not followed; a server that answers for ever wrongly is given up", function()
	local server <close> = serve { always = function() return { status = 302, headers = { Location = "/again" } } end }
	local e = t.raises(ids_of, "302 Found", emulated(server))
	t.eq({ e.exit, #server.seen }, { 3, 1 })
	local cut <close> = serve { always = function()
		return { body = function(write)
			write '{"jobComplete":true,'
			err.raise { kind = "http", code = "gone", message = "the test cuts the answer here" }
		end }
	end }
	e = t.raises(ids_of, "BigQuery", emulated(cut))
	t.eq({ e.exit, #cut.seen }, { 3, 6 })
end)

t.test("way: in the midst of a walk, what a proxy puts in a page's place is an error, never an end", function()
	for _, wrong in ipairs {
		{ body = "<html>log in</html>" }, { body = "" }, { json = { jobComplete = true } }, { json = { rows = {} } },
		{ json = json.array {} }, { json = { jobComplete = true, totalRows = "4", rows = "x" } },
	} do
		local server <close> = serve { page({ "a" }, 4, "t1"), wrong, always = wrong }
		local e = t.raises(ids_of, nil, emulated(server))
		t.eq(e.exit, 3, e.message)
	end
end)

t.test("sandbox: faults on demand; a job that is not done at once", function()
	local box <close> = sandboxed(25)
	local function faults(list)
		t.eq(box.client:post("/_sandbox/faults", { json = { faults = list } }).status, 200)
	end
	faults {
		{ method = "POST", path = "/queries", incomplete = true },
		{ method = "GET", path = "/queries/", times = 2, incomplete = true },
		{ method = "GET", path = "/queries/", after = 1, status = 503, reason = "backendError" },
		{ method = "GET", path = "/queries/", after = 2, status = 502, body = "<html>" },
	}
	t.eq(ids_of(in_sandbox(box, { page_rows = 5, parallel = 1 })), numbered(25))
	for _, f in ipairs(box.client:get "/_sandbox/faults":json().faults) do t.eq(f.left, 0) end
	faults { { reason = "quotaExceeded", times = -1, delay = 0.001 } }
	t.eq(t.raises(ids_of, "quota", in_sandbox(box)).exit, 3)
	box.client:delete "/_sandbox/faults"
	t.eq(#ids_of(in_sandbox(box)), 25)
	t.eq(box.client:post("/_sandbox/faults", { body = "x" }).status, 400)
	t.eq(box.client:post("/_sandbox/faults", { json = { faults = { 1 } } }).status, 400)
end)

-- The sandbox's BigQuery through HTTP: the shapes of facts/bigquery.md, paging, types, DML, errors, loading.

local bigquery = require "sandbox.bigquery"
local http = require "syncrun.http"
local json = require "syncrun.json"
local t = require "syncrun.test"

local CONTACTS = "`sandbox.identity.contacts_master`"

local function folder()
	local pipe <close> = assert(io.popen("mktemp -d /tmp/syncrun-bigquery-XXXXXX"))
	return pipe:read("l")
end

local function write_file(path, text)
	local f <close> = assert(io.open(path, "wb"))
	f:write(text)
end

-- Run fn(client, server, dir) against a fresh server; `lines` is the newline-delimited JSON it is loaded with.
local function served(lines, fn, options)
	local dir = folder()
	if lines then
		write_file(dir .. "/in.ndjson", lines)
		bigquery.load { dir = dir, file = dir .. "/in.ndjson" }
	end
	local o = options or {}
	o.dir = dir
	local server = bigquery.start(o)
	local client = http.client { base_url = server.url, retry = false }
	local ok, e = pcall(fn, client, server, dir)
	server.stop()
	os.execute("rm -r " .. dir)
	if not ok then
		error(e, 0)
	end
end

local function query(client, sql, more)
	local body = { query = sql, useLegacySql = false }
	for k, v in pairs(more or {}) do
		body[k] = v
	end
	return client:post("/bigquery/v2/projects/sandbox/queries", { json = body })
end

-- Rows as lists of values; NULL is json.null.
local function cells(answer)
	local out = {}
	for i, row in ipairs(answer.rows or {}) do
		out[i] = {}
		for k, cell in ipairs(row.f) do
			out[i][k] = cell.v
		end
	end
	return out
end

local function rows(client, sql, more)
	local r = query(client, sql, more)
	t.eq(r.status, 200, r.body)
	return cells(r:json())
end

local function refused(client, sql, status, reason, part, more)
	local r = query(client, sql, more)
	t.eq(r.status, status, r.body)
	local e = r:json().error
	t.eq(e.code, status)
	t.eq(e.errors[1].reason, reason)
	t.contains(e.message, part)
end

local function numbered(n)
	local out = {}
	for i = 1, n do
		out[i] = ('{"contact_id":"c%05d","canonical_name":"Name %d","is_me":%s}\n'):format(i, i, i == 1 and "true" or "null")
	end
	return table.concat(out)
end

t.test("a query without a table answers inline, numbers as strings", function()
	served(nil, function(client)
		local r = query(client, "SELECT 1 AS x, 'a' AS s, NULL AS n, TRUE AS b")
		t.eq(r.status, 200)
		t.eq(r.headers["content-type"], "application/json; charset=UTF-8")
		local a = r:json()
		t.eq(a.kind, "bigquery#queryResponse")
		t.eq(a.jobComplete, true)
		t.eq(a.totalRows, "1")
		t.eq(a.totalBytesProcessed, "0")
		t.eq(a.schema.fields[1], { name = "x", type = "INTEGER", mode = "NULLABLE" })
		t.eq(a.schema.fields[4].type, "BOOLEAN")
		t.eq(cells(a), { { "1", "a", json.null, "true" } })
		t.eq(a.jobReference.location, "US")
		t.eq(a.pageToken, nil)
	end)
end)

t.test("both prefixes are served, unknown paths and methods refused", function()
	served(nil, function(client)
		t.eq(client:get("/projects/sandbox/datasets/identity").status, 200)
		t.eq(client:get("/bigquery/v2/projects/sandbox/datasets/identity").status, 200)
		local r = client:get("/bigquery/v2/projects/sandbox/nonsense")
		t.eq(r.status, 404)
		t.eq(r:json().error.errors[1].reason, "notFound")
		t.eq(client:post("/projects/sandbox/queries", { body = "{", headers = {} }).status, 400)
	end)
end)

t.test("paging by tokens, by startIndex, and maxResults 0", function()
	served(numbered(25), function(client)
		local sql = "SELECT contact_id FROM " .. CONTACTS .. " ORDER BY CAST(contact_id AS STRING)"
		local a = query(client, sql, { maxResults = 10 }):json()
		t.eq(#a.rows, 10)
		t.eq(a.totalRows, "25")
		t.ok(a.pageToken:find("[+/]"), "a token needs encoding in a URL")
		local path = "/projects/sandbox/queries/" .. a.jobReference.jobId
		local seen = { a.rows[1].f[1].v }
		local token, count = a.pageToken, 10
		while token do
			local b = client:get(path, { query = { pageToken = token, maxResults = 10, location = "US" } }):json()
			t.eq(b.kind, "bigquery#getQueryResultsResponse")
			t.eq(b.totalRows, "25")
			count, token = count + #b.rows, b.pageToken
			seen[#seen + 1] = b.rows[1].f[1].v
		end
		t.eq(count, 25)
		t.eq(seen, { "c00001", "c00011", "c00021" })
		local c = client:get(path, { query = { startIndex = 20, maxResults = 3 } }):json()
		t.eq(cells(c), { { "c00021" }, { "c00022" }, { "c00023" } })
		local beyond = client:get(path, { query = { startIndex = 25 } }):json()
		t.eq(beyond.rows, nil)
		t.eq(beyond.totalRows, "25")
		local none = query(client, sql, { maxResults = 0 }):json()
		t.eq(none.rows, nil)
		t.eq(none.totalRows, "25")
		t.ok(none.pageToken)
		local bad = client:get(path, { query = { pageToken = "zzz" } })
		t.eq(bad.status, 400)
		t.eq(bad:json().error.errors[1].reason, "invalid")
	end)
end)

t.test("a page is cut off by bytes: fewer rows than asked for, and a token", function()
	served(numbered(25), function(client)
		local a = query(client, "SELECT contact_id FROM " .. CONTACTS, { maxResults = 20 }):json()
		t.ok(#a.rows < 20 and #a.rows > 0, "rows " .. #a.rows)
		t.ok(a.pageToken)
	end, { page_bytes = 200 })
	served(numbered(3), function(client)
		t.eq(#query(client, "SELECT contact_id FROM " .. CONTACTS):json().rows, 1, "one row at least")
	end, { page_bytes = 1 })
end)

t.test("a result does not change when the table does", function()
	served(numbered(6), function(client)
		local sql = "SELECT contact_id FROM " .. CONTACTS .. " ORDER BY contact_id"
		local a = query(client, sql, { maxResults = 3 }):json()
		rows(client, "DELETE FROM " .. CONTACTS .. " WHERE contact_id > 'c00002'")
		local path = "/projects/sandbox/queries/" .. a.jobReference.jobId
		local b = client:get(path, { query = { pageToken = a.pageToken } }):json()
		t.eq(cells(b), { { "c00004" }, { "c00005" }, { "c00006" } })
		t.eq(#query(client, sql):json().rows, 2)
	end)
end)

t.test("empty results have a schema and no rows key; DML says how many rows it changed", function()
	served(numbered(3), function(client, server)
		local a = query(client, "SELECT contact_id FROM " .. CONTACTS .. " WHERE contact_id = 'nobody'"):json()
		t.eq(a.rows, nil)
		t.eq(a.totalRows, "0")
		t.eq(a.schema.fields[1].name, "contact_id")
		t.eq(server.stats().writes, 0)
		local d = query(client, "UPDATE " .. CONTACTS .. " SET notes = 'x' WHERE contact_id <= 'c00002'"):json()
		t.eq(d.numDmlAffectedRows, "2")
		t.eq(d.dmlStats.updatedRowCount, "2")
		t.eq(d.schema, nil)
		t.eq(d.totalRows, nil)
		local i = query(client, "INSERT INTO identity.contacts_master (contact_id, is_me, birthday, created_at, llm_context) "
			.. "VALUES ('n1', FALSE, '1990-01-02', TIMESTAMP '2026-01-02 03:04:05.5+01:00', JSON '{\"a\": 1.10}'), "
			.. "('n2', NULL, NULL, NULL, NULL)"):json()
		t.eq(i.numDmlAffectedRows, "2")
		local got = rows(client, "SELECT birthday, created_at, llm_context FROM " .. CONTACTS .. " WHERE contact_id = 'n1'",
			{ formatOptions = { useInt64Timestamp = true } })
		t.eq(got, { { "1990-01-02", "1767319445500000", '{"a": 1.10}' } })
		t.eq(server.stats().writes, 2)
	end)
end)

t.test("tables.get: schema, counts, and an etag that changes with every write", function()
	served(numbered(3), function(client)
		local path = "/projects/sandbox/datasets/identity/tables/contacts_master"
		local a = client:get(path):json()
		t.eq(a.kind, "bigquery#table")
		t.eq(a.numRows, "3")
		t.eq(a.schema.fields[1], { name = "contact_id", type = "STRING" })
		t.eq(a.location, "US")
		t.eq(client:get(path):json().etag, a.etag)
		rows(client, "DELETE FROM " .. CONTACTS .. " WHERE FALSE")
		t.eq(client:get(path):json().etag, a.etag, "nothing was deleted")
		rows(client, "DELETE FROM " .. CONTACTS .. " WHERE contact_id = 'c00001'")
		local b = client:get(path):json()
		t.ok(a.etag ~= b.etag and a.lastModifiedTime < b.lastModifiedTime)
		t.eq(b.numRows, "2")
		local missing = client:get("/projects/sandbox/datasets/identity/tables/nope")
		t.eq(missing.status, 404)
		t.eq(missing:json().error.message, "Not found: Table sandbox:identity.nope was not found in location US")
	end)
end)

t.test("tabledata.list: tokens stay on the old rows, startIndex and selectedFields, no schema", function()
	served(numbered(10), function(client)
		local path = "/projects/sandbox/datasets/identity/tables/contacts_master/data"
		local a = client:get(path, { query = { maxResults = 4, selectedFields = "is_me,contact_id" } }):json()
		t.eq(a.kind, "bigquery#tableDataList")
		t.eq(a.schema, nil)
		t.eq(a.totalRows, "10")
		t.eq(cells(a)[1], { "c00001", "true" }, "columns in the schema's order")
		rows(client, "DELETE FROM " .. CONTACTS .. " WHERE contact_id IN ('c00002', 'c00006')")
		local more = { maxResults = 2, pageToken = a.pageToken, selectedFields = "contact_id" }
		local b = client:get(path, { query = more }):json()
		t.eq(cells(b), { { "c00005" }, { "c00006" } })
		local c = client:get(path, { query = { startIndex = 3, maxResults = 2, selectedFields = "contact_id" } }):json()
		t.eq(cells(c), { { "c00005" }, { "c00007" } })
		t.eq(c.totalRows, "8")
		local d = client:get(path, { query = { pageToken = c.pageToken, selectedFields = "contact_id" } }):json()
		t.eq(cells(d), { { "c00008" }, { "c00009" }, { "c00010" } })
		t.eq(d.pageToken, nil)
	end)
end)

t.test("every type is spelled as the service spells it, nested ones too", function()
	served(nil, function(client)
		local fields = {}
		for name in ("s:STRING i:INT64 f:FLOAT64 n:NUMERIC g:BIGNUMERIC b:BOOL d:DATE m:TIME w:DATETIME ts:TIMESTAMP "
			.. "j:JSON x:BYTES"):gmatch("%S+") do
			fields[#fields + 1] = { name = name:match("^%l+"), type = name:match("%u.*$") }
		end
		fields[#fields + 1] = { name = "tags", type = "STRING", mode = "REPEATED" }
		fields[#fields + 1] = { name = "r", type = "RECORD", fields = {
			{ name = "at", type = "TIMESTAMP" },
			{ name = "v", type = "INTEGER" },
		} }
		local made = client:post("/projects/sandbox/datasets/identity/tables", { json = {
			tableReference = { projectId = "sandbox", datasetId = "identity", tableId = "types" },
			schema = { fields = fields },
		} })
		t.eq(made.status, 200, made.body)
		t.eq(made:json().schema.fields[2].type, "INTEGER")
		t.eq(client:post("/projects/sandbox/datasets/identity/tables", { json = {
			tableReference = { tableId = "types" },
			schema = { fields = fields },
		} }).status, 409)
		local full = '{"s":"é\\u0000","i":"9223372036854775807","f":1e10,"n":"99999999999999999999999999999.999999999",'
			.. '"g":0.10,"b":true,"d":"0001-01-01","m":"03:04:05.5","w":"2026-01-02 03:04:05","ts":"1969-12-31T23:59:59.25Z",'
			.. '"j":{"k":[1,null]},"x":"aGk=","tags":["a","b"],"r":{"at":"2026-01-02T03:04:05.123456Z","v":-1}}'
		local put = client:post("/projects/sandbox/datasets/identity/tables/types/insertAll", {
			body = '{"rows":[{"insertId":"1","json":' .. full .. '},{"insertId":"2","json":{}}]}',
		})
		t.eq(put:json(), { kind = "bigquery#tableDataInsertAllResponse" })
		local path = "/projects/sandbox/datasets/identity/tables/types/data"
		local exact = client:get(path, { query = { ["formatOptions.useInt64Timestamp"] = "true" } }):json()
		local row = cells(exact)[1]
		t.eq({ table.unpack(row, 1, 12) }, { "é\0", "9223372036854775807", "1.0E10",
			"99999999999999999999999999999.999999999", "0.1", "true", "0001-01-01", "03:04:05.500000",
			"2026-01-02T03:04:05", "-750000", '{"k":[1,null]}', "aGk=" })
		t.eq(row[13], { { v = "a" }, { v = "b" } })
		t.eq(row[14], { f = { { v = "1767323045123456" }, { v = "-1" } } })
		local empty = cells(exact)[2]
		t.eq(empty[1], json.null)
		t.eq(empty[13], {})
		t.eq(empty[14], json.null)
		local floats = cells(client:get(path):json())[1]
		t.eq(floats[10], "-0.75")
		t.eq(floats[14].f[1].v, "1.767323045123456E9")
	end)
end)

t.test("insertAll: one bad row stops all unless told to skip it; an insertId is taken once", function()
	served(numbered(1), function(client)
		local path = "/projects/sandbox/datasets/identity/tables/contacts_master/insertAll"
		local two = { { json = { contact_id = "a" } }, { json = { contact_id = "b", birthday = "soon" } } }
		local a = client:post(path, { json = { rows = two } }):json()
		t.eq(a.insertErrors[1].errors[1].reason, "stopped")
		t.eq(a.insertErrors[2].index, 1)
		t.eq(a.insertErrors[2].errors[1].location, "birthday")
		t.eq(rows(client, "SELECT COUNT(*) FROM " .. CONTACTS), { { "1" } })
		local b = client:post(path, { json = { skipInvalidRows = true, rows = two } }):json()
		t.eq(#b.insertErrors, 1)
		local c = client:post(path, { json = { rows = { { json = { nope = 1 } } } } }):json()
		t.eq(c.insertErrors[1].errors[1].message, "no such field: nope.")
		for _ = 1, 2 do
			client:post(path, { json = { rows = { { insertId = "same", json = { contact_id = "d" } } } } })
		end
		local all = rows(client, "SELECT contact_id FROM " .. CONTACTS .. " ORDER BY contact_id")
		t.eq(all, { { "a" }, { "c00001" }, { "d" } })
	end)
end)

t.test("named and positional parameters, arrays and the usual filter", function()
	served(numbered(5), function(client)
		local function string_parameter(name, v)
			return { name = name, parameterType = { type = "STRING" }, parameterValue = { value = v } }
		end
		local ids = { name = "ids", parameterType = { type = "ARRAY", arrayType = { type = "STRING" } } }
		ids.parameterValue = { arrayValues = { { value = "c00001" }, { value = "c00004" }, { value = "none" } } }
		local sql = "SELECT contact_id FROM " .. CONTACTS .. " WHERE (is_me IS NOT TRUE) "
			.. "AND CAST(contact_id AS STRING) IN UNNEST(@ids) ORDER BY CAST(contact_id AS STRING)"
		t.eq(rows(client, sql, { parameterMode = "NAMED", queryParameters = { ids } }), { { "c00004" } })
		t.eq(rows(client, "SELECT contact_id FROM " .. CONTACTS .. " WHERE contact_id = ?",
			{ parameterMode = "POSITIONAL", queryParameters = { string_parameter(nil, "c00002") } }), { { "c00002" } })
		local since = { name = "since", parameterType = { type = "TIMESTAMP" } }
		since.parameterValue = { value = "2026-01-02T03:04:05.678Z" }
		local later = "SELECT contact_id FROM " .. CONTACTS .. " WHERE updated_at > @SINCE"
		t.eq(rows(client, later, { queryParameters = { since } }), {})
		refused(client, "SELECT contact_id FROM " .. CONTACTS .. " WHERE contact_id = @x", 400, "invalidQuery",
			"Query parameter 'x' not found")
	end)
end)

t.test("refusals carry the service's status, reason and place", function()
	served(numbered(1), function(client)
		refused(client, "SELECT", 400, "invalidQuery", "Unexpected end of script at [1:7]")
		refused(client, "SELECT nope FROM " .. CONTACTS, 400, "invalidQuery", "Unrecognized name: nope at [1:8]")
		refused(client, "SELECT * FROM identity.nope", 404, "notFound",
			"Not found: Table sandbox:identity.nope was not found in location US")
		refused(client, "SELECT * FROM nope", 400, "invalidQuery", 'Table "nope" must be qualified with a dataset')
		refused(client, "SELECT * FROM " .. CONTACTS .. " JOIN x", 400, "invalidQuery", "keyword JOIN")
		refused(client, "DROP TABLE " .. CONTACTS, 400, "invalidQuery", "statement DROP")
		refused(client, "DELETE FROM " .. CONTACTS, 400, "invalidQuery", "DELETE must have a WHERE clause")
		refused(client, "SELECT 1", 400, "invalidQuery", "Legacy SQL", { useLegacySql = json.null })
		refused(client, "SELECT * FROM " .. CONTACTS, 404, "notFound", "was not found in location EU", { location = "EU" })
		refused(client, "SELECT contact_id FROM " .. CONTACTS, 400, "bytesBilledLimitExceeded", "10485760 or higher required",
			{ maximumBytesBilled = "1000" })
		local r = client:get("/projects/sandbox/queries/job_none")
		t.eq(r.status, 404)
		t.eq(r:json().error.message, "Not found: Job sandbox:job_none")
	end)
end)

t.test("a job outside the US is found only with its location", function()
	served(nil, function(client)
		local id = query(client, "SELECT 1 AS x"):json().jobReference.jobId
		local path = "/projects/sandbox/queries/" .. id
		t.eq(client:get(path).status, 404)
		t.eq(client:get(path, { query = { location = "US" } }).status, 404)
		t.eq(client:get(path, { query = { location = "europe-west3" } }).status, 200)
	end, { location = "europe-west3" })
end)

t.test("jobs.insert: own id, duplicate, failure in the job and in getQueryResults, get and cancel", function()
	served(numbered(2), function(client)
		local function insert(id, sql, more)
			local config = { query = { query = sql, useLegacySql = false } }
			for k, v in pairs(more or {}) do
				config[k] = v
			end
			return client:post("/projects/sandbox/jobs", { json = {
				jobReference = { projectId = "sandbox", jobId = id },
				configuration = config,
			} })
		end
		local a = insert("mine-1", "SELECT contact_id FROM " .. CONTACTS):json()
		t.eq(a.kind, "bigquery#job")
		t.eq(a.status, { state = "DONE" })
		t.eq(a.statistics.query.statementType, "SELECT")
		t.eq(insert("mine-1", "SELECT 1").status, 409)
		t.eq(#client:get("/projects/sandbox/queries/mine-1"):json().rows, 2)
		local hidden = a.configuration.query.destinationTable
		local data = client:get(("/projects/sandbox/datasets/%s/tables/%s/data"):format(hidden.datasetId, hidden.tableId))
		t.eq(data:json().totalRows, "2")
		local failed = insert("mine-2", "SELECT x FROM " .. CONTACTS)
		t.eq(failed.status, 200)
		t.eq(failed:json().status.errorResult.reason, "invalidQuery")
		t.eq(client:get("/projects/sandbox/queries/mine-2").status, 400)
		t.eq(client:get("/projects/sandbox/jobs/mine-2"):json().status.state, "DONE")
		local c = client:post("/projects/sandbox/jobs/mine-1/cancel", { body = "" }):json()
		t.eq(c.kind, "bigquery#jobCancelResponse")
		local dry = insert(nil, "SELECT contact_id FROM " .. CONTACTS, { dryRun = true }):json()
		t.eq(dry.jobReference.jobId, nil)
		t.eq(dry.configuration.dryRun, true)
		t.eq(dry.statistics.totalBytesProcessed, "16")
	end)
end)

t.test("dry runs, optional jobs, and a repeated requestId", function()
	served(numbered(2), function(client, server)
		local d = query(client, "SELECT contact_id FROM " .. CONTACTS, { dryRun = true }):json()
		t.eq(d.jobReference, { projectId = "sandbox", location = "US" })
		t.eq(d.totalBytesProcessed, "16")
		t.eq(d.rows, nil)
		local o = query(client, "SELECT 1 AS x", { jobCreationMode = "JOB_CREATION_OPTIONAL" }):json()
		t.eq(o.jobReference, nil)
		t.ok(o.queryId)
		local sql = "INSERT INTO " .. CONTACTS .. " (contact_id) VALUES ('once')"
		query(client, sql, { requestId = "r-1" })
		local again = query(client, sql, { requestId = "r-1" }):json()
		t.eq(again.numDmlAffectedRows, "1")
		t.eq(rows(client, "SELECT COUNT(*) AS n FROM " .. CONTACTS), { { "3" } })
		t.ok(server.stats().requests >= 5)
	end)
end)

t.test("loading: the full canonical table, further columns typed, JSON as spelled, exact numbers", function()
	local line = '{"contact_id":9007199254740993,"llm_context":{"b": 1.10,"a":12345678901234567890},"website":"w",'
		.. '"score":9223372036854775807,"ratio":0.5,"money":0.123456789012345678,"mixed":1,"flag":true,"extra":[1],'
		.. '"created_at":"2026-01-02T03:04:05.000001Z"}\n{"contact_id":"2","mixed":"x","score":null,"ratio":2}\n'
	served(line, function(client)
		local a = query(client, "SELECT * FROM " .. CONTACTS .. " ORDER BY contact_id DESC",
			{ formatOptions = { useInt64Timestamp = true } }):json()
		local v, kind = {}, {}
		for i, f in ipairs(a.schema.fields) do
			v[f.name], kind[f.name] = a.rows[1].f[i].v, f.type
		end
		t.eq(#a.schema.fields, 32 + 7)
		t.eq(v.contact_id, "9007199254740993")
		t.eq(v.llm_context, '{"b": 1.10,"a":12345678901234567890}')
		t.eq(v.created_at, "1767323045000001")
		t.eq(v.first_name, json.null)
		t.eq({ kind.score, v.score }, { "INTEGER", "9223372036854775807" })
		t.eq({ kind.ratio, v.ratio }, { "FLOAT", "0.5" })
		t.eq({ kind.money, v.money }, { "BIGNUMERIC", "0.123456789012345678" })
		t.eq({ kind.mixed, v.mixed }, { "STRING", "1" })
		t.eq({ kind.flag, v.flag }, { "BOOLEAN", "true" })
		t.eq({ kind.extra, v.extra }, { "JSON", "[1]" })
	end)
end)

t.test("loading again replaces the table; a bad line is named and changes nothing", function()
	local dir = folder()
	write_file(dir .. "/a", '{"contact_id":"1"}\n\n{"contact_id":"2"}\n')
	write_file(dir .. "/b", '{"contact_id":"3"}\n{"contact_id":"4","is_me":"maybe"}\n')
	write_file(dir .. "/c", '{"contact_id":"3"}\n{"contact_id":\n')
	t.eq(bigquery.load { dir = dir, file = dir .. "/a" }, { rows = 2, replaced = false, others = {} })
	t.eq(bigquery.load { dir = dir, file = dir .. "/a" }.replaced, true)
	t.raises(function()
		bigquery.load { dir = dir, file = dir .. "/b" }
	end, "line 2: 'is_me' is not a BOOL (maybe)")
	t.raises(function()
		bigquery.load { dir = dir, file = dir .. "/c" }
	end, "line 2: ")
	local server = bigquery.start { dir = dir }
	local client = http.client { base_url = server.url, retry = false }
	t.eq(rows(client, "SELECT COUNT(*) FROM " .. CONTACTS), { { "2" } })
	server.stop()
	os.execute("rm -r " .. dir)
end)

t.test("the state survives a restart, jobs and tokens with it", function()
	local dir = folder()
	write_file(dir .. "/a", numbered(5))
	bigquery.load { dir = dir, file = dir .. "/a" }
	local server = bigquery.start { dir = dir }
	local client = http.client { base_url = server.url, retry = false }
	local a = query(client, "SELECT contact_id FROM " .. CONTACTS .. " ORDER BY 1", { maxResults = 2 }):json()
	server.stop()
	server = bigquery.start { dir = dir }
	local second = http.client { base_url = server.url, retry = false }
	local b = second:get("/projects/sandbox/queries/" .. a.jobReference.jobId, { query = { pageToken = a.pageToken } })
	t.eq(#b:json().rows, 3)
	t.eq(server.stats(), { requests = 1, writes = 0 })
	server.stop()
	os.execute("rm -r " .. dir)
end)

t.test("extra routes are answered and not counted", function()
	served(nil, function(client, server)
		t.eq(client:get("/_sandbox/stats").body, "hello")
		t.eq(server.stats().requests, 0)
	end, { extra_routes = { ["/_sandbox/stats"] = function()
		return { status = 200, body = "hello" }
	end } })
end)

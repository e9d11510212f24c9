-- The BigQuery source against scripted servers in the same process. The answers have the shapes of
-- facts/bigquery.md, appendix A.
local t = require "syncrun.test"
local bigquery = require "syncrun.systems.bigquery"
local err = require "syncrun.err"
local errors = require "syncrun.systems.bigquery.errors"
local json = require "syncrun.json"
local sql = require "syncrun.systems.bigquery.sql"
local scripted = require "lua.lib.scripted"

local serve, emulated, page, failure, ids_of, FIELDS, COLUMNS, INCOMPLETE, QUICK
	= scripted.serve, scripted.emulated, scripted.page, scripted.failure, scripted.ids_of, scripted.FIELDS,
	scripted.COLUMNS, scripted.INCOMPLETE, scripted.QUICK

-- ---- reading

t.test("bigquery: one query, as facts/bigquery.md asks for it", function()
	local server <close> = serve { page({ "a", "b" }, 2) }
	local source = emulated(server, {
		table = "p.d.t", location = "US", where = "is_me IS NOT TRUE -- not me", max_bytes_billed = "20971520", page_rows = 7,
		labels = { team = "crm" },
	})
	local seen
	for rows in source:scan { columns = COLUMNS, only = { "a", "b" }, limit = 5 } do
		seen = { rows[1].contact_id, rows[1].updated_at, rows:schema():type "updated_at" }
	end
	t.eq(seen, { "a", 1767323045123456, "timestamp" })
	local req = server.seen[1]
	t.eq(#server.seen, 1)
	t.eq({ req.method, req.path, req.query }, { "POST", "/bigquery/v2/projects/demo/queries", "prettyPrint=false" })
	t.eq(req.headers.authorization, nil)
	t.contains(req.headers["user-agent"], "gzip")
	t.contains(req.headers["accept-encoding"], "gzip")
	local body = req.json
	t.ok(body.requestId:find "^%x+%-%x+%-%x+%-%x+%-%x+$" and #body.requestId == 36, body.requestId)
	body.requestId = nil
	t.eq(body.queryParameters, { {
		name = "ids", parameterType = { type = "ARRAY", arrayType = { type = "STRING" } },
		parameterValue = { arrayValues = { { value = "a" }, { value = "b" } } },
	} })
	body.queryParameters = nil
	t.eq(body, {
		query = "SELECT `contact_id`, `updated_at` FROM `p.d.t` WHERE (\nis_me IS NOT TRUE -- not me\n) AND "
			.. "CAST(`contact_id` AS STRING) IN UNNEST(@ids) ORDER BY CAST(`contact_id` AS STRING) LIMIT 5",
		useLegacySql = false, location = "US", timeoutMs = 20000, maxResults = 7, parameterMode = "NAMED",
		formatOptions = { useInt64Timestamp = true }, labels = { app = "syncrun", team = "crm" },
		maximumBytesBilled = "20971520", jobCreationMode = "JOB_CREATION_OPTIONAL",
	})
	t.eq(source.last, {
		total = 2, job = "job_1", bytes_processed = 1234, bytes_billed = 10485760, cache_hit = false, pages = 1,
	})
end)

t.test("bigquery: what is not asked for is not sent", function()
	local server <close> = serve { page({ "a" }, 1) }
	t.eq(ids_of(emulated(server)), { "a" })
	local body = server.seen[1].json
	t.eq(body.query, "SELECT `contact_id`, `updated_at` FROM `demo.identity.contacts_master` "
		.. "ORDER BY CAST(`contact_id` AS STRING)")
	for _, name in ipairs { "location", "queryParameters", "parameterMode", "maximumBytesBilled" } do
		t.eq(body[name], nil, name)
	end
	t.eq(body.maxResults, 2500)
end)

t.test("bigquery: pages by tokens that need encoding, short and empty ones, absent rows, never startIndex", function()
	local server <close> = serve {
		page({ "a", "b" }, 4, "t+/=&1"),
		page({ "c" }, 4, "t 2"),
		page({}, 4, "t3"),
		page({}, 4, "t4", { rows = json.array {} }),
		page({ "d" }, 4),
	}
	local source = emulated(server, { page_rows = 2 })
	t.eq(ids_of(source), { "a", "b", "c", "d" })
	local tokens = {}
	for i = 2, 5 do
		local req = server.seen[i]
		t.eq({ req.method, req.path }, { "GET", "/bigquery/v2/projects/demo/queries/job_1" })
		t.eq({ req.args.location, req.args.maxResults, req.args["formatOptions.useInt64Timestamp"] }, { "US", "2", "true" })
		t.eq(req.args.startIndex, nil)
		tokens[i - 1] = req.args.pageToken
	end
	t.eq(tokens, { "t+/=&1", "t 2", "t3", "t4" })
	t.contains(server.seen[2].query, "pageToken=t%2B%2F%3D%261")
	t.eq(source.last.pages, 5)
end)

t.test("bigquery: an empty result has no rows member and gives no page", function()
	local server <close> = serve { page({}, 0) }
	local source = emulated(server)
	t.eq(ids_of(source), {})
	t.eq(source.last.total, 0)
end)

t.test("bigquery: jobComplete false twice, then the rows; the location comes from the job", function()
	local job = { json = { status = { state = "DONE" }, statistics = { query = { totalBytesBilled = "31457280" } } } }
	local server <close> = serve {
		INCOMPLETE, INCOMPLETE, INCOMPLETE, page({ "a" }, 2, "next", { totalBytesBilled = false }),
		{ json = { jobComplete = false, jobReference = { projectId = "demo", jobId = "job_1" } } },
		page({ "b" }, 2), job,
	}
	local source = emulated(server)
	t.eq(ids_of(source), { "a", "b" })
	for i = 2, 6 do
		t.eq(server.seen[i].path, "/bigquery/v2/projects/demo/queries/job_1")
		t.eq({ server.seen[i].args.location, server.seen[i].args.timeoutMs }, { "europe-west3", "20000" })
	end
	t.eq(server.seen[3].args.pageToken, nil)
	t.eq({ server.seen[5].args.pageToken, server.seen[6].args.pageToken }, { "next", "next" })
	t.eq(server.seen[7].path, "/bigquery/v2/projects/demo/jobs/job_1")
	t.eq(source.last.bytes_billed, 31457280)
end)

t.test("bigquery: an answer without a job is whole, unless it has a token", function()
	local none = { jobReference = false, queryId = "q" }
	local server <close> = serve { page({ "a" }, 1, nil, none), page({ "a" }, 2, "more", none) }
	local source = emulated(server)
	t.eq(ids_of(source), { "a" })
	t.eq(source.last.job, nil)
	local e = t.raises(ids_of, "names no job", source)
	t.eq({ e.kind, e.exit }, { "http", 3 })
end)

t.test("bigquery: rows that do not add up to totalRows raise, never a short set called complete", function()
	local server <close> = serve {
		page({ "a", "b" }, 3),
		page({ "a", "b" }, 1),
		page({ "a" }, 3, "t1"), page({ "b" }, 3, "t1"),
		page({ "a" }, 1, nil, { totalRows = false }),
	}
	local source = emulated(server)
	local e = t.raises(ids_of, "sent 2 of the 3 rows", source)
	t.eq({ e.kind, e.exit }, { "http", 3 })
	t.raises(ids_of, "sent 2 of the 1 rows", source)
	t.raises(ids_of, "repeats a page token", source)
	t.raises(ids_of, "totalRows", source)
	t.eq(source.last, nil)
end)

t.test("bigquery: answers of a wrong shape", function()
	local server <close> = serve {
		{ body = "<html>log in</html>" },
		{ json = { kind = "something" } },
		page({ "a" }, 1, nil, { schema = { fields = { FIELDS[1] } } }),
		page({ "a" }, 1, nil, { schema = { fields = { FIELDS[2], FIELDS[1] } } }),
		page({ "a" }, 1, nil, { rows = { { f = { { v = "a" } } } } }),
		page({ "a" }, 1, nil, { schema = false }),
	}
	local source = emulated(server)
	for i, part in ipairs { "is a proxy in the way", "jobComplete", "answered with 1 columns, 2 were",
		"'updated_at' in the place of 'contact_id'", "cannot be read", "no columns" } do
		local e = t.raises(ids_of, part, source)
		t.eq(e.exit, 3, "answer " .. i)
	end
end)

t.test("bigquery: columns keep the name they were asked by", function()
	local fields = { { name = "Contact_ID", type = "INTEGER" } }
	local server <close> = serve {
		page({}, 1, nil, { schema = { fields = fields }, rows = { { f = { { v = "7" } } } } }),
	}
	local ids = ids_of(emulated(server), { columns = { "contact_id" } })
	t.eq(ids, { 7 })
end)

t.test("bigquery: count of the table without the filter", function()
	local fields = { { name = "n", type = "INTEGER", mode = "NULLABLE" } }
	local server <close> = serve {
		page({}, 1, nil, { schema = { fields = fields }, rows = { { f = { { v = "150" } } } } }),
	}
	t.eq(emulated(server, { where = "FALSE" }):count(), 150)
	t.eq(server.seen[1].json.query, "SELECT COUNT(*) AS `n` FROM `demo.identity.contacts_master`")
end)

-- ---- the table

local function table_answer(more)
	local body = {
		kind = "bigquery#table", etag = "e1", numRows = "150", numBytes = "9000", lastModifiedTime = "1767323045123",
		type = "TABLE", location = "US", tableReference = { projectId = "p", datasetId = "d", tableId = "t" },
		schema = { fields = {
			{ name = "contact_id", type = "STRING", mode = "REQUIRED" }, { name = "is_me", type = "BOOLEAN" },
			{ name = "Sync_Metadata", type = "RECORD", fields = { { name = "version", type = "INTEGER" } } },
			{ name = "tags", type = "STRING", mode = "REPEATED" }, { name = "odd", type = "HOLOGRAM" },
		} },
	}
	for k, v in pairs(more or {}) do body[k] = v or nil end
	return { json = body }
end

t.test("bigquery: describe, version and check", function()
	local server <close> = serve {
		table_answer(), table_answer(), table_answer { etag = "e2" },
		table_answer { streamingBuffer = { estimatedRows = "1" } }, table_answer { type = "VIEW" }, always = table_answer(),
	}
	local source = emulated(server, { table = "p.d.t" })
	local d = source:describe()
	t.eq(server.seen[1].path, "/bigquery/v2/projects/p/datasets/d/tables/t")
	t.eq({ d.count, d.version }, { 150, "e1 1767323045123 150" })
	t.eq({ d.rows, d.modified, d.etag, d.bytes, d.location, d.streaming, d.kind },
		{ 150, 1767323045123000, "e1", 9000, "US", false, "TABLE" })
	local types = {}
	for i, column in ipairs(d.columns) do types[i] = column.name .. ":" .. tostring(column.type) end
	t.eq(types, { "contact_id:text", "is_me:bool", "Sync_Metadata:json", "tags:json", "odd:nil" })
	local first = source:version()
	t.ok(first ~= source:version())
	t.eq({ source:version() }, {})
	t.eq({ source:version() }, {})
	source:check { "contact_id", "sync_metadata", "tags" }
	local e = t.raises(source.check, "has no column 'email', 'phone'", source, { "email", "contact_id", "phone" })
	t.eq({ e.kind, e.exit }, { "config", 2 })
	e = t.raises(source.check, "'odd' of table 'p.d.t' has the type HOLOGRAM", source, { "odd" })
	t.eq({ e.kind, e.exit }, { "config", 2 })
	source = emulated(server, { table = "p.d.t", location = "europe-west3" })
	e = t.raises(source.check, "is in location US, not europe-west3", source, { "contact_id" })
	t.eq({ e.kind, e.exit }, { "config", 2 })
end)

t.test("bigquery: how many rows a scan gives is told only where it is known", function()
	local answers = {
		table_answer { streamingBuffer = { estimatedRows = "1" } }, table_answer { type = "VIEW", numRows = "0" },
		table_answer { type = "EXTERNAL" }, table_answer { type = "MATERIALIZED_VIEW" }, table_answer { numRows = false },
		table_answer { numRows = "0" }, -- an emulator that keeps no number
		table_answer { type = "SNAPSHOT" },
	}
	local server <close> = serve(answers)
	local source = emulated(server)
	for i = 1, #answers - 1 do t.eq(source:describe().count, nil, i) end
	t.eq(source:describe().count, 150)
end)

t.test("bigquery: a table that is not there, and no BigQuery at all", function()
	local server <close> = serve {
		failure(404, "notFound", "Not found: Table p:d.t was not found in location US"),
		failure(404, "notFound", "Not found: Table p:d.t"),
		failure(404, "notFound", "Not found: Dataset p:d was not found in location EU"),
		{ status = 404, body = "<html>nothing here</html>" },
	}
	local source = emulated(server, { table = "p.d.t" })
	local e = t.raises(ids_of, "table 'p.d.t' was not found in location US; check BIGQUERY_TABLE", source)
	t.eq({ e.kind, e.exit, e.code }, { "config", 2, "notFound" })
	t.raises(source.check, "table 'p.d.t' was not found; check", source, COLUMNS)
	t.raises(ids_of, "dataset 'p:d' was not found in location EU", source)
	t.raises(source.check, "there is no BigQuery at 'http://127.0.0.1:" .. server.port, source, COLUMNS)
end)

-- ---- refusals and retries

t.test("bigquery: refusals that no retry helps: one request, one clear message", function()
	local cases = {
		{ failure(403, "accessDenied", "Access Denied: User may not"), "http", 3,
			"denies the account access (Access Denied: User may not)" },
		{ failure(403, "quotaExceeded", "Quota exceeded"), "limit", 3, "quota of BigQuery is used up (Quota exceeded)" },
		{ failure(403, "billingNotEnabled", "No billing"), "config", 2, "enable billing" },
		{ failure(400, "invalidQuery", "Syntax error: Unexpected end of script at [1:7]"), "config", 2,
			"(Syntax error: Unexpected end of script at [1:7]); check the row filter" },
		{ failure(400, "invalid", "Bad thing"), "config", 2, "Bad thing" },
		{ failure(400, "bytesBilledLimitExceeded", "10485760 or higher required"), "limit", 2, "max_bytes_billed" },
		{ failure(400, "resourcesExceeded", "too much"), "limit", 3, "more than BigQuery allows" },
		{ failure(401, "authError", "Invalid Credentials"), "http", 3, "refuses the credentials" },
		{ failure(409, "duplicate", "Already Exists: Job"), "http", 3, "Already Exists" },
		{ { status = 403, body = "<html><title>\n No  \1entry </title>", headers = { Server = "squid/5.7" } }, "http", 3,
			"answers 403 (an HTML page titled 'No \\x01entry' by squid/5.7): a proxy or firewall, not BigQuery" },
		{ { status = 407, headers = { ["Content-Type"] = "text/html; charset=x" } }, "http", 3, "an HTML page" },
		{ { status = 302, headers = { Location = "http://127.0.0.1:1/" } }, "http", 3, "answers 302 Found" },
	}
	local script = {}
	for i, case in ipairs(cases) do script[i] = case[1] end
	local server <close> = serve(script)
	local source = emulated(server, { where = "x" })
	for i, case in ipairs(cases) do
		local e = t.raises(ids_of, case[4], source)
		t.eq({ e.kind, e.exit, e.retryable }, { case[2], case[3], false }, case[4])
		t.eq(#server.seen, i, case[4])
	end
end)

t.test("bigquery: what may pass is tried again with the same requestId", function()
	local server <close> = serve {
		failure(403, "rateLimitExceeded"), failure(503, "backendError"), failure(500, "internalError"),
		{ status = 502, body = "<html>Bad Gateway</html>", headers = { ["Content-Type"] = "text/html" } },
		failure(429, "rateLimitExceeded"), page({ "a" }, 1),
	}
	t.eq(ids_of(emulated(server)), { "a" })
	t.eq(#server.seen, 6)
	for i = 2, 6 do t.eq(server.seen[i].json.requestId, server.seen[1].json.requestId) end
end)

t.test("bigquery: a lost connection and a page cut short are asked for again", function()
	local server <close> = serve {
		{ drop = true }, page({ "a" }, 2, "t1"),
		function()
			return { body = function(write)
				write "{\"jobComplete\":"
				err.raise { kind = "http", code = "gone", message = "the test cuts the answer here" }
			end }
		end,
		page({ "b" }, 2),
	}
	t.eq(ids_of(emulated(server)), { "a", "b" })
	t.eq(#server.seen, 4)
end)

t.test("bigquery: a server that stays away is given up after a bounded number of tries", function()
	local server <close> = serve { always = { status = 502, body = "<html>Bad Gateway</html>" } }
	local e = t.raises(ids_of, "502 Bad Gateway after 6 attempts (an HTML page)", emulated(server))
	t.eq({ e.kind, e.exit, e.retryable, #server.seen }, { "http", 3, true, 6 })
end)

t.test("bigquery: out of reach", function()
	local server <close> = serve {}
	local source = emulated(server)
	getmetatable(server).__close()
	local e = t.raises(ids_of, "cannot connect to 'BigQuery'", source)
	t.eq({ e.kind, e.exit }, { "http", 3 })
end)

t.test("bigquery: a job that failed by rate is run again under a new requestId", function()
	local server <close> = serve {
		failure(400, "jobRateLimitExceeded"), failure(400, "jobBackendError"), page({ "a" }, 1),
	}
	t.eq(ids_of(emulated(server)), { "a" })
	local ids = {}
	for i, req in ipairs(server.seen) do ids[i] = req.json.requestId end
	t.ok(#ids == 3 and ids[1] ~= ids[2] and ids[2] ~= ids[3] and ids[1] ~= ids[3])
end)

t.test("bigquery: a 500 from getQueryResults: the job is asked, and its failure is not retried as a GET", function()
	local failed = { json = { status = { state = "DONE", errorResult = { reason = "backendError", message = "lost" } } } }
	local server <close> = serve { INCOMPLETE, failure(500, "backendError"), failed, page({ "a" }, 1) }
	t.eq(ids_of(emulated(server)), { "a" })
	local paths = {}
	for i, req in ipairs(server.seen) do paths[i] = req.method .. " " .. req.path:match "projects/demo/(.*)" end
	t.eq(paths, { "POST queries", "GET queries/job_1", "GET jobs/job_1", "POST queries" })
	t.ok(server.seen[1].json.requestId ~= server.seen[4].json.requestId)
end)

t.test("bigquery: a failed job's own reason is the message", function()
	local result = { reason = "invalidQuery", message = "Bad column" }
	local failed = { json = { status = { state = "DONE", errorResult = result } } }
	local server <close> = serve { INCOMPLETE, failure(503, "backendError"), failed }
	local e = t.raises(ids_of, "Bad column", emulated(server))
	t.eq({ e.kind, e.code, e.exit }, { "config", "invalidQuery", 2 })
end)

t.test("bigquery: a 503 from getQueryResults while the job is well is retried, the job asked once only", function()
	local running = { json = { status = { state = "RUNNING" } } }
	local server <close> = serve {
		page({ "a" }, 2, "t1"), failure(503, "backendError"), running, failure(503, "backendError"), page({ "b" }, 2),
	}
	t.eq(ids_of(emulated(server)), { "a", "b" })
	t.eq(#server.seen, 5)
	t.eq(server.seen[5].args.pageToken, "t1")
end)

t.test("bigquery: a failure in the midst of the pages raises, the query does not begin anew", function()
	local server <close> = serve { page({ "a" }, 2, "t1"), failure(400, "jobInternalError") }
	t.raises(ids_of, "jobInternalError", emulated(server))
	t.eq(#server.seen, 2)
end)

t.test("bigquery: reason before status", function()
	local function action(status, reason) return errors.action { status = status, reason = reason } end
	t.eq(action(403, "rateLimitExceeded"), "retry")
	t.eq(action(429, "quotaExceeded"), "fail")
	t.eq(action(403, "jobRateLimitExceeded"), "rerun")
	t.eq(action(400, "tableUnavailable"), "retry")
	t.eq(action(503, "somethingNew"), "retry")
	t.eq(action(400, "somethingNew"), "fail")
	t.eq(action(501), "fail")
	t.eq(errors.action { job = true, reason = "backendError" }, "rerun")
	t.eq(errors.action { job = true, reason = "somethingNew" }, "fail")
end)

-- ---- settings

t.test("bigquery: the emulator's variable: host:port or URL, /bigquery/v2 where no path stands", function()
	local server <close> = serve { always = function() return page({}, 0) end }
	local at = "127.0.0.1:" .. server.port
	for value, path in pairs {
		[at] = "/bigquery/v2", ["http://" .. at] = "/bigquery/v2", ["http://" .. at .. "/"] = "/bigquery/v2",
		["http://" .. at .. "/x/y/"] = "/x/y",
	} do
		ids_of(bigquery.open { emulator = value, project = "demo", retry = QUICK })
		t.eq(server.seen[#server.seen].path, path .. "/projects/demo/queries", value)
	end
	t.raises(bigquery.open, "config", { emulator = "http://?x", project = "demo" })
end)

t.test("bigquery: table names, column names and settings", function()
	t.eq(sql.parse_table "d.t", { dataset = "d", table = "t" })
	t.eq(sql.parse_table "p.d.t", { project = "p", dataset = "d", table = "t" })
	t.eq(sql.parse_table "p:d.t", { project = "p", dataset = "d", table = "t" })
	t.eq(sql.parse_table "example.com:p.d.t", { project = "example.com:p", dataset = "d", table = "t" })
	for _, name in ipairs { "t", "", "a.`b`", "d.", "a.b\n.c" } do
		local e = t.raises(sql.parse_table, "config", name)
		t.eq(e.exit, 2)
	end
	t.raises(sql.quote, "config", "a`b")
	for _, more in ipairs { { page_rows = 0 }, { page_rows = "x" }, { max_bytes_billed = 5 }, { where = 7 },
		{ read = "x" },
		{ parallel = 0 }, { labels = { A = "b" } }, { labels = { a = "B" } }, { labels = "x" } } do
		local config = { emulator = "127.0.0.1:1" }
		for k, v in pairs(more) do config[k] = v end
		t.eq(t.raises(bigquery.open, "config", config).exit, 2)
	end
end)

t.test("bigquery: without a project the table's own is used, else a clear error", function()
	local server <close> = serve { always = function() return page({}, 0) end }
	ids_of(emulated(server, { project = "", table = "p.d.t" }))
	t.eq(server.seen[1].path, "/bigquery/v2/projects/p/queries")
	local e = t.raises(ids_of, "no Google project is configured", emulated(server, { project = "" }))
	t.eq({ e.kind, e.exit }, { "config", 2 })
end)

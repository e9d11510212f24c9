-- The BigQuery source and Google's credentials, against scripted servers in the same process. The answers have the
-- shapes of facts/bigquery.md, appendix A.
local t = require "syncrun.test"
local bigquery = require "syncrun.systems.bigquery"
local crypto = require "syncrun.crypto"
local err = require "syncrun.err"
local errors = require "syncrun.systems.bigquery.errors"
local google = require "syncrun.google"
local http = require "syncrun.http"
local json = require "syncrun.json"
local log = require "syncrun.log"
local sql = require "syncrun.systems.bigquery.sql"
local task = require "syncrun.task"

local QUICK = { base = 0.001, cap = 0.002 }

-- ---- a scripted server: each answer is a table, or a function of the request; all requests are kept

local function serve(script)
	local seen = {}
	local server = http.serve { handler = function(req)
		seen[#seen + 1] = req
		if req.body and req.body:find "^{" then req.json = json.decode(req.body) end
		local answer = script[#seen] or script.always
		if type(answer) == "function" then answer = answer(req) end
		return answer or { status = 501, body = "the script has ended" }
	end }
	return setmetatable({ url = server.url, port = server.port, seen = seen }, { __close = function() server:stop() end })
end

local function emulated(server, more)
	local config = { emulator = "127.0.0.1:" .. server.port, project = "demo", retry = QUICK }
	for k, v in pairs(more or {}) do config[k] = v end
	return bigquery.new(config)
end

local FIELDS = {
	{ name = "contact_id", type = "STRING", mode = "NULLABLE" },
	{ name = "updated_at", type = "TIMESTAMP", mode = "NULLABLE" },
}
local COLUMNS = { "contact_id", "updated_at" }

local function rows_of(ids)
	if #ids == 0 then return nil end
	local list = {}
	for i, id in ipairs(ids) do list[i] = { f = { { v = id }, { v = "1767323045123456" } } } end
	return list
end

-- A page: ids, totalRows, token; more overrides (false leaves a key out).
local function page(ids, total, token, more)
	local body = {
		kind = "bigquery#queryResponse", schema = { fields = FIELDS }, jobComplete = true, totalRows = tostring(total),
		jobReference = { projectId = "demo", jobId = "job_1", location = "US" }, rows = rows_of(ids), pageToken = token,
		totalBytesProcessed = "1234", totalBytesBilled = "10485760", cacheHit = false,
	}
	for k, v in pairs(more or {}) do body[k] = v or nil end
	return { json = body }
end

local INCOMPLETE = { json = {
	kind = "bigquery#queryResponse", jobComplete = false, queryId = "q",
	jobReference = { projectId = "demo", jobId = "job_1", location = "europe-west3" },
} }

local function failure(status, reason, message, more)
	local answer = { status = status, json = { error = {
		code = status, message = message or reason, status = "X",
		errors = { { domain = "global", reason = reason, message = message or reason } },
	} } }
	for k, v in pairs(more or {}) do answer[k] = v end
	return answer
end

local function ids_of(source, o)
	local ids = {}
	o = o or {}
	o.columns = o.columns or COLUMNS
	for rows in source:scan(o) do
		for i = 1, #rows do ids[#ids + 1] = rows[i].contact_id end
	end
	return ids
end

-- ---- reading

t.test("bigquery: one query, as facts/bigquery.md asks for it", function()
	local server <close> = serve { page({ "a", "b" }, 2) }
	local source = emulated(server, {
		table = "p.d.t", location = "US", where = "is_me IS NOT TRUE -- not me", max_bytes_billed = "20971520", page_rows = 7,
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
		formatOptions = { useInt64Timestamp = true }, labels = { app = "syncrun" }, maximumBytesBilled = "20971520",
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
		{ { status = 403, body = "<html>Forbidden</html>" }, "http", 3, "denies" },
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
	local e = t.raises(ids_of, "502 Bad Gateway after 6 attempts (with a page that is no JSON)", emulated(server))
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
		ids_of(bigquery.new { emulator = value, project = "demo", retry = QUICK })
		t.eq(server.seen[#server.seen].path, path .. "/projects/demo/queries", value)
	end
	t.raises(bigquery.new, "config", { emulator = "http://?x", project = "demo" })
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
	for _, more in ipairs { { page_rows = 0 }, { page_rows = "x" }, { max_bytes_billed = 5 }, { where = 7 } } do
		local config = { emulator = "127.0.0.1:1" }
		for k, v in pairs(more) do config[k] = v end
		t.eq(t.raises(bigquery.new, "config", config).exit, 2)
	end
end)

t.test("bigquery: without a project the table's own is used, else a clear error", function()
	local server <close> = serve { always = function() return page({}, 0) end }
	ids_of(emulated(server, { project = "", table = "p.d.t" }))
	t.eq(server.seen[1].path, "/bigquery/v2/projects/p/queries")
	local e = t.raises(ids_of, "no Google project is configured", emulated(server, { project = "" }))
	t.eq({ e.kind, e.exit }, { "config", 2 })
end)

-- ---- credentials

-- A folder of its own, gone at the end of the block.
local function folder()
	local pipe = assert(io.popen("mktemp -d"))
	local path = pipe:read "l"
	pipe:close()
	return setmetatable({ path = path }, {
		__close = function() os.execute("rm -rf '" .. path .. "'") end,
		__index = { write = function(self, name, text)
			local file = assert(io.open(self.path .. "/" .. name, "wb"))
			file:write(text)
			file:close()
			return self.path .. "/" .. name
		end },
	})
end

local pem -- a throw-away key, made once
local function private_key()
	if not pem then
		local pipe = assert(io.popen("openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 2>/dev/null"))
		pem = pipe:read "a"
		pipe:close()
	end
	return pem
end

local function service_account(more)
	local file = {
		type = "service_account", project_id = "keyproject", private_key_id = "kid123", private_key = private_key(),
		client_email = "sync@demo.iam.gserviceaccount.com", universe_domain = "googleapis.com",
	}
	for k, v in pairs(more or {}) do file[k] = v or nil end
	return json.encode(file)
end

local function token(name, seconds)
	return { json = { access_token = name, expires_in = seconds or 3599, token_type = "Bearer" } }
end

t.test("google: a service account's assertion, signed with its key; token and project are used", function()
	local dir <close> = folder()
	local tokens <close> = serve { token "ya29.first" }
	local server <close> = serve { page({ "a" }, 1), page({ "b" }, 1) }
	local path = dir:write("key.json", service_account { token_uri = tokens.url .. "/token" })
	local before = os.time()
	local source = bigquery.new { credentials = path, base_url = server.url .. "/bq/", retry = QUICK }
	t.eq(ids_of(source), { "a" })
	t.eq(ids_of(source), { "b" })

	t.eq(#tokens.seen, 1)
	local req = tokens.seen[1]
	t.eq({ req.method, req.path, req.headers["content-type"] }, { "POST", "/token", "application/x-www-form-urlencoded" })
	local form = http.decode_query(req.body)
	t.eq(form.grant_type, "urn:ietf:params:oauth:grant-type:jwt-bearer")
	local head, claims, signature = form.assertion:match "^([^.]+)%.([^.]+)%.([^.]+)$"
	t.eq(json.decode(crypto.base64url_decode(head)), { alg = "RS256", typ = "JWT", kid = "kid123" })
	local said = json.decode(crypto.base64url_decode(claims))
	t.ok(said.iat >= before and said.iat <= os.time() and said.exp == said.iat + 3600)
	said.iat, said.exp = nil, nil
	t.eq(said, {
		iss = "sync@demo.iam.gserviceaccount.com", aud = "https://oauth2.googleapis.com/token",
		scope = "https://www.googleapis.com/auth/bigquery",
	})
	local key = dir:write("key.pem", private_key())
	local data, sig = dir:write("data", head .. "." .. claims), dir:write("sig", crypto.base64url_decode(signature))
	t.ok(os.execute(("openssl pkey -in %s -pubout -out %s.pub 2>/dev/null"):format(key, key)))
	t.ok(os.execute(("openssl dgst -sha256 -verify %s.pub -signature %s %s >/dev/null 2>&1"):format(key, sig, data)))

	t.eq(server.seen[1].path, "/bq/projects/keyproject/queries")
	t.eq(server.seen[2].headers.authorization, "Bearer ya29.first")
	t.eq(log.redact "x ya29.first y", "x *** y")
	t.eq(log.redact(form.assertion):find(signature, 1, true), nil)
	t.ok(not log.redact(private_key()):find(private_key():match "\n(%S+)\n", 1, true))
end)

t.test("google: a 401 renews the token once and replays once", function()
	local dir <close> = folder()
	local tokens <close> = serve { token "ya29.old", token "ya29.new", token "ya29.newer" }
	local refused = failure(401, "authError", "Invalid Credentials")
	local server <close> = serve { page({ "a" }, 2, "t1"), refused, page({ "b" }, 2), refused, refused }
	local path = dir:write("key.json", service_account { token_uri = tokens.url })
	local source = bigquery.new { credentials = path, project = "demo", base_url = server.url, retry = QUICK }
	t.eq(ids_of(source), { "a", "b" })
	t.eq({ server.seen[2].headers.authorization, server.seen[3].headers.authorization },
		{ "Bearer ya29.old", "Bearer ya29.new" })
	t.eq(server.seen[3].args.pageToken, "t1")
	local e = t.raises(ids_of, "refuses the credentials of '" .. path .. "' (Invalid Credentials)", source)
	t.eq({ e.kind, e.exit, #server.seen, #tokens.seen }, { "http", 3, 5, 3 })
end)

t.test("google: however many tasks ask, one token is fetched; it is renewed before its end", function()
	local dir <close> = folder()
	local tokens <close> = serve { token "ya29.shared", token("ya29.short", 0), token("ya29.next") }
	local path = dir:write("key.json", service_account { token_uri = tokens.url })
	local creds = google.find { credentials = path, retry = QUICK }
	local got = task.map({ 1, 2, 3, 4, 5 }, { limit = 5 }, function() return creds:token() end)
	t.eq({ got[1], got[5], #tokens.seen }, { "ya29.shared", "ya29.shared", 1 })
	got = task.map({ 1, 2, 3 }, { limit = 3 }, function() return creds:renew "ya29.shared" end)
	t.eq(got[1], "ya29.short")
	t.eq(creds:token(), "ya29.next")
end)

t.test("google: answers of the token endpoint", function()
	local dir <close> = folder()
	local clock = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."
	local tokens <close> = serve {
		{ status = 400, json = { error = "invalid_grant", error_description = clock } },
		{ status = 503, body = "<html>busy</html>" }, token "ya29.after-503",
		{ body = "<html>log in</html>" },
		failure(403, "forbidden", "Service account is disabled"),
		always = { status = 500, body = "" },
	}
	local path = dir:write("key.json", service_account { token_uri = tokens.url })
	local source = bigquery.new { credentials = path, base_url = tokens.url, retry = QUICK }
	local e = t.raises(ids_of, "Google gives no token for '" .. path .. "' (invalid_grant: " .. clock .. ")", source)
	t.eq({ e.kind, e.code, e.exit }, { "http", "invalid_grant", 3 })
	t.contains(e.message, "this machine's clock")
	local creds = google.find { credentials = path, retry = QUICK }
	t.eq(creds:token(), "ya29.after-503")
	e = t.raises(creds.renew, "holds no access token", creds, "ya29.after-503")
	t.eq(e.exit, 3)
	e = t.raises(creds.token, "Service account is disabled", creds)
	t.eq({ e.kind, e.exit }, { "http", 3 })
	e = t.raises(creds.token, "(500)", creds)
	t.eq({ e.kind, e.exit, e.retryable }, { "http", 3, true })
end)

t.test("google: the token endpoint out of reach", function()
	local dir <close> = folder()
	local gone = serve {}
	local path = dir:write("key.json", service_account { token_uri = gone.url })
	getmetatable(gone).__close()
	local e = t.raises(ids_of, "cannot connect", bigquery.new {
		credentials = path, project = "demo", base_url = "http://127.0.0.1:1", retry = QUICK,
	})
	t.eq({ e.kind, e.exit }, { "http", 3 })
end)

t.test("google: the login of gcloud, found in its folder, with its quota project", function()
	local dir <close> = folder()
	local tokens <close> = serve { token "ya29.user" }
	local server <close> = serve { page({ "a" }, 1) }
	dir:write("application_default_credentials.json", json.encode {
		type = "authorized_user", client_id = "cid.apps.googleusercontent.com", client_secret = "secret-of-the-client",
		refresh_token = "1//refresh", quota_project_id = "billing-proj", universe_domain = json.null,
	})
	os.execute("mkdir '" .. dir.path .. "/configurations'")
	dir:write("configurations/config_default", "[auth]\nproject = wrong\n[core]\naccount = a@b\nproject = from-gcloud\n")
	local source = bigquery.new {
		cloudsdk_config = dir.path, base_url = server.url, token_url = tokens.url .. "/token", retry = QUICK,
	}
	t.eq(ids_of(source), { "a" })
	t.eq(http.decode_query(tokens.seen[1].body), {
		grant_type = "refresh_token", client_id = "cid.apps.googleusercontent.com", client_secret = "secret-of-the-client",
		refresh_token = "1//refresh",
	})
	local req = server.seen[1]
	t.eq({ req.path, req.headers.authorization, req.headers["x-goog-user-project"] },
		{ "/projects/from-gcloud/queries", "Bearer ya29.user", "billing-proj" })
	t.eq(log.redact "1//refresh secret-of-the-client", "*** ***")
	t.eq(google.find { cloudsdk_config = dir.path, quota_project = "other" }.quota_project, "other")
end)

t.test("google: the metadata server", function()
	local dir <close> = folder()
	local flavor = { ["Metadata-Flavor"] = "Google" }
	local machine <close> = serve { always = function(req)
		t.eq(req.headers["metadata-flavor"], "Google")
		if req.path == "/computeMetadata/v1/project/project-id" then return { headers = flavor, body = "vm-project" } end
		return { headers = flavor, json = { access_token = "ya29.vm", expires_in = 3599 } }
	end }
	local server <close> = serve { page({ "a" }, 1) }
	local host = "127.0.0.1:" .. machine.port
	local source = bigquery.new {
		cloudsdk_config = dir.path, metadata_host = host, base_url = server.url, retry = QUICK,
	}
	t.eq(ids_of(source), { "a" })
	t.eq(server.seen[1].path, "/projects/vm-project/queries")
	t.eq(server.seen[1].headers.authorization, "Bearer ya29.vm")
	local last = machine.seen[#machine.seen]
	t.eq(last.path, "/computeMetadata/v1/instance/service-accounts/default/token")
	t.eq(last.args.scopes, "https://www.googleapis.com/auth/bigquery")
	local other <close> = serve { always = token "ya29.imposter" }
	local creds = google.find {
		cloudsdk_config = dir.path, metadata_host = "127.0.0.1:" .. other.port, retry = QUICK,
	}
	local e = t.raises(creds.token, "does not answer as Google's metadata server", creds)
	t.eq({ e.kind, e.exit }, { "http", 3 })
end)

t.test("google: a bad key file: what is wrong, by name, never its contents", function()
	local dir <close> = folder()
	local aws = { environment_id = "aws1" }
	local external = { type = "external_account", audience = "x" }
	local function with_source(source)
		return json.encode { type = external.type, audience = external.audience, credential_source = source }
	end
	local cases = {
		{ "{\"type\": \"service_account\",\n  topsecret", "is not JSON (line 2)" },
		{ "", "is not JSON" },
		{ "[1]", "is not a JSON object" },
		{ "{}", "has no 'type'" },
		{ "{\"installed\":{}}", "is an OAuth client" },
		{ "{\"type\":\"topsecret\"}", "unknown type" },
		{ service_account { client_email = false }, "has no 'client_email'" },
		{ service_account { private_key = false }, "has no 'private_key'" },
		{ service_account { private_key = "topsecret" }, "not a PEM key" },
		{ service_account { private_key = 7 }, "not text" },
		{ service_account { token_uri = "http://evil.example/token" }, "neither https nor on this machine" },
		{ service_account { token_uri = "http://127.0.0.1.evil.example/token" }, "neither https nor on this machine" },
		{ service_account { token_uri = "http://127.0.0.1@evil.example/token" }, "neither https nor on this machine" },
		{ service_account { universe_domain = "other.example" }, "universe 'other.example'" },
		{ json.encode { type = "authorized_user", client_id = "x", client_secret = "topsecret" },
			"has no 'refresh_token'" },
		{ with_source { executable = { command = "topsecret" } }, "never runs one" },
		{ with_source(aws), "takes its token from AWS" },
		{ with_source { file = "/x" }, "'external_account', which is not supported yet" },
		{ json.encode { type = "impersonated_service_account" }, "not supported yet" },
	}
	for _, case in ipairs(cases) do
		local path = dir:write("key.json", case[1])
		local e = t.raises(bigquery.new, case[2], { credentials = path, project = "demo" })
		t.eq({ e.kind, e.exit }, { "config", 2 }, case[2])
		t.contains(e.message, "'" .. path .. "'")
		if case[2] ~= "unknown type" then t.ok(not e.message:find "topsecret", e.message) end
	end
	t.raises(bigquery.new, "cannot be read (No such file or directory)", { credentials = dir.path .. "/none.json" })
	t.raises(bigquery.new, "cannot be read (Is a directory)", { credentials = dir.path })
	local path = dir:write("key.json", service_account {
		private_key = "-----BEGIN PRIVATE KEY-----\nbm90IGEga2V5LCBidXQgbG9uZyBlbm91Z2g=\n-----END PRIVATE KEY-----\n",
	})
	local creds = google.find { credentials = path }
	local e = t.raises(creds.token, "unusable 'private_key'", creds)
	t.eq({ e.kind, e.exit }, { "config", 2 })
	t.ok(not e.message:find "bm90")
end)

t.test("google: no credentials anywhere", function()
	local dir <close> = folder()
	local gone = serve {}
	getmetatable(gone).__close()
	local _ <close> = setmetatable({ google.METADATA }, { __close = function(u) google.METADATA = u[1] end })
	google.METADATA = "127.0.0.1:" .. gone.port
	local creds = google.find { cloudsdk_config = dir.path, retry = QUICK }
	t.eq(creds:project(), nil)
	local e = t.raises(creds.token, "config", creds)
	t.contains(e.message, "no Google credentials were found")
	t.contains(e.message, dir.path)
	t.eq({ e.kind, e.exit }, { "config", 2 })
end)

t.test("bigquery: credentials never go in the clear to another machine", function()
	local dir <close> = folder()
	local path = dir:write("key.json", service_account())
	local config = { credentials = path, base_url = "http://example.com" }
	local e = t.raises(bigquery.new, "credentials are not sent there", config)
	t.eq({ e.kind, e.exit }, { "config", 2 })
end)

-- Answers of a wrong shape: in every place of every kind of answer, a value of every other type. Whatever comes, it is an
-- answer that was understood or an error that says what is wrong, never a fault of the program.
local t = require "syncrun.test"
local bigquery = require "syncrun.systems.bigquery"
local err = require "syncrun.err"
local google = require "syncrun.systems.bigquery.google"
local json = require "syncrun.json"
local mutants = require "lua.lib.mutants"
local scripted = require "lua.lib.scripted"

local serve, page, FIELDS, COLUMNS, folder = scripted.serve, scripted.page, scripted.FIELDS, scripted.COLUMNS,
	scripted.folder

local ONCE = { tries = 1, base = 0 }
local FAULT = { script = true, internal = true, usage = true }

local function table_answer()
	return { json = {
		kind = "bigquery#table", etag = "e1", numRows = "2", numBytes = "9", lastModifiedTime = "1767323045123",
		type = "TABLE", location = "US", schema = { fields = { FIELDS[1], FIELDS[2], {
			name = "r", type = "RECORD", mode = "REPEATED", fields = { { name = "x", type = "INTEGER" } } } } },
		streamingBuffer = { estimatedRows = "1" },
	} }
end

-- f() for every mutant of an answer; how many were understood, how many refused.
local function try_all(answer, f)
	local n, understood = 0, 0
	for text, what in mutants.of(json.encode(answer.json)) do
		local _, e = err.try(f, text)
		if e then
			t.ok(not FAULT[e.kind], ("%s: %s %s\n%s"):format(what, e.kind, e.message, e.traceback))
			t.ok(e.exit == 3 or e.exit == 2, ("%s: exit %s, %s"):format(what, tostring(e.exit), e.message))
			t.ok(not e.message:find "table: 0x", what .. ": " .. e.message)
		end
		n, understood = n + 1, understood + (e and 0 or 1)
	end
	return n, understood
end

local function source_of(server, more)
	local source = scripted.emulated(server, more)
	source.client.retry, source.query_timeout = ONCE, 0.02
	source.client.http.retry = setmetatable(ONCE, { __index = require "syncrun.http".RETRY })
	return source
end

local function scan(server, more)
	local source = source_of(server, more)
	for rows in source:scan { columns = COLUMNS } do
		for i = 1, #rows do rows:text(i, "contact_id") end
	end
	return source.last
end

t.test("shapes: jobs.query and its later pages", function()
	local mutant, first, second
	local server <close> = serve { always = function(req)
		if req.path:find "/jobs/" then return { json = { status = { state = "DONE" } } } end
		if req.method == "POST" then return first and { body = mutant } or page({ "a" }, 2, "t1") end
		return second and { body = mutant } or page({ "b" }, 2)
	end }
	local function with(text)
		mutant = text
		scan(server)
	end
	first, second = true, false
	local n, understood = try_all(page({ "a" }, 2, "t1"), with)
	t.ok(n > 200 and understood > 50 and understood < n - 50, ("%d of %d"):format(understood, n))
	first, second = false, true
	n, understood = try_all(page({ "b" }, 2), with)
	t.ok(n > 200 and understood > 50 and understood < n - 50, ("%d of %d"):format(understood, n))
end)

t.test("shapes: the job, and refusals", function()
	local mutant, refused
	local server <close> = serve { always = function(req)
		if req.path:find "/jobs/" then return { body = mutant } end
		if refused then return { status = refused, body = mutant } end
		return page({ "a" }, 1, nil, { totalBytesBilled = false })
	end }
	local function with(text)
		mutant = text
		scan(server)
	end
	local job = { json = { status = { state = "DONE", errorResult = { reason = "backendError", message = "lost" } },
		statistics = { query = { totalBytesBilled = "10485760" } } } }
	local n, understood = try_all(job, with)
	t.eq(understood, n) -- what a query cost is worth no error
	for _, status in ipairs { 400, 401, 403, 404, 500 } do
		refused = status
		n, understood = try_all(scripted.failure(status, "notFound", "Not found: Table x"), with)
		t.eq({ n > 30, understood }, { true, 0 })
	end
end)

t.test("shapes: a job that fails while it is asked for", function()
	local mutant
	local server <close> = serve { always = function(req)
		if req.method == "POST" then return scripted.INCOMPLETE end
		return req.path:find "/jobs/" and { body = mutant } or scripted.failure(500, "backendError")
	end }
	local failed = { json = { status = { state = "DONE", errorResult = { reason = "invalid", message = "lost" } } } }
	local _, understood = try_all(failed, function(text)
		mutant = text
		scan(server, { retry = { tries = 2, base = 0 } })
	end)
	t.eq(understood, 0)
end)

t.test("shapes: tables.get, in all that is asked of it", function()
	local mutant
	local server <close> = serve { always = function(req)
		if req.method == "GET" and req.path:find "/tables/[^/]+$" then return { body = mutant } end
		return page({ "a", "b" }, 2)
	end }
	local asked = {
		function(source) source:describe() end, function(source) source:check(COLUMNS) end,
		function(source) source:version() end, function(source) source:estimate { columns = COLUMNS } end,
	}
	for _, ask in ipairs(asked) do
		local n, understood = try_all(table_answer(), function(text)
			mutant = text
			ask(source_of(server, { read = "table" }))
		end)
		t.ok(n > 100 and understood > 10 and understood < n - 10, ("%d of %d"):format(understood, n))
	end
	mutant = json.encode(table_answer().json)
	local before = source_of(server):version()
	t.eq(before, source_of(server):version())
end)

t.test("shapes: tabledata.list", function()
	local mutant
	local found = table_answer()
	found.json.schema.fields[3], found.json.streamingBuffer = nil, nil
	local server <close> = serve { always = function(req)
		return req.path:find "/data$" and { body = mutant } or found
	end }
	local n, understood = try_all({ json = { kind = "bigquery#tableDataList", etag = "e", totalRows = "2",
		rows = scripted.rows_of { "a", "b" } } }, function(text)
		mutant = text
		scan(server, { read = "table" })
	end)
	t.ok(n > 30 and understood > 10 and understood < n - 10, ("%d of %d"):format(understood, n))
	try_all(found, function(text)
		found = { body = text }
		mutant = json.encode { totalRows = "0" }
		scan(server, { read = "table" })
	end)
end)

t.test("shapes: the count and the dry run", function()
	local mutant
	local server <close> = serve { always = function() return { body = mutant } end }
	local fields = { { name = "n", type = "INTEGER", mode = "NULLABLE" } }
	local one = page({}, 1, nil, { schema = { fields = fields }, rows = { { f = { { v = "150" } } } } })
	try_all(one, function(text)
		mutant = text
		source_of(server):count()
	end)
	try_all(page({}, 0, nil, { totalRows = false }), function(text)
		mutant = text
		source_of(server):estimate { columns = COLUMNS }
	end)
end)

t.test("shapes: answers about tokens", function()
	local dir <close> = folder()
	local mutant, status, headers
	local server <close> = serve { always = function() return { status = status, body = mutant, headers = headers } end }
	local acts = dir:write("acts.json", json.encode {
		type = "impersonated_service_account", service_account_impersonation_url = server.url,
		source_credentials = { type = "authorized_user", client_id = "c", client_secret = "s3cret",
			refresh_token = "1//rrr" },
	})
	local key = dir:write("key.json", scripted.service_account { token_uri = server.url })
	local ways = { { credentials = key }, { credentials = acts, token_url = server.url }, { cloudsdk_config = dir.path,
		metadata_host = "127.0.0.1:" .. server.port } }
	local token = { json = { access_token = "ya29.x", expires_in = 3599, token_type = "Bearer", accessToken = "ya29.y",
		expireTime = "2026-01-01T00:00:00Z" } }
	local refusal = { json = { error = { code = 403, status = "PERMISSION_DENIED", message = "no" },
		error_description = "iat" } }
	headers = { ["Metadata-Flavor"] = "Google", Date = "Sun, 06 Nov 1994 08:49:37 GMT" }
	for _, way in ipairs(ways) do
		way.retry = ONCE
		for _, case in ipairs { { 200, token }, { 400, refusal }, { 403, refusal } } do
			status = case[1]
			try_all(case[2], function(text)
				mutant = text
				google.find(way):token()
			end)
		end
	end
end)

t.test("shapes: key files", function()
	local dir <close> = folder()
	local token = { access_token = "ya29.x", accessToken = "ya29.y", id = "subject" }
	local server <close> = serve { always = { json = token } }
	local user = { type = "authorized_user", client_id = "c", client_secret = "s3cret", refresh_token = "1//rrr",
		quota_project_id = "q", universe_domain = "googleapis.com" }
	local files = {
		{ type = "impersonated_service_account", service_account_impersonation_url = server.url, source_credentials = user,
			delegates = { "d" } },
		{ type = "external_account", audience = "a", subject_token_type = "t", token_url = server.url, client_id = "c",
			workforce_pool_user_project = "w", service_account_impersonation_url = server.url,
			service_account_impersonation = { token_lifetime_seconds = 300 }, credential_source = { url = server.url,
				headers = { ["X-A"] = "b" }, format = { type = "json", subject_token_field_name = "id" } } },
		json.decode(scripted.service_account { token_uri = server.url }),
	}
	for _, file in ipairs(files) do
		local n, understood = try_all({ json = file }, function(text)
			local path = dir:write("key.json", text)
			local source = bigquery.open { credentials = path, base_url = server.url, retry = ONCE, token_url = server.url }
			source.client:project "p"
			source.client.credentials:token()
		end)
		t.ok(n > 30 and understood > 1, ("%d of %d"):format(understood, n))
	end
end)

-- ---- words of a server

t.test("shapes: what a server says is one harmless line of a bounded length in every message", function()
	local dir <close> = folder()
	local text = ("x\27[31m\r\n\u{202E}\u{200B}"):rep(20000)
	local function is_harmless(f, ...)
		local e = t.raises(f, nil, ...)
		t.ok(#e.message < 3000, #e.message)
		t.ok(not e.message:find "%c" and utf8.len(e.message), e.message)
		t.ok(not e.message:find("\u{202E}", 1, true) and not e.message:find("\u{200B}", 1, true), e.message)
	end
	local answers = {
		scripted.failure(403, "accessDenied", text), scripted.failure(400, text, text), scripted.failure(503, "x", text),
		scripted.failure(404, "notFound", "Not found: Dataset " .. text:gsub("%s", "_")),
		page({ "a" }, 1, nil, { schema = { fields = { FIELDS[1], { name = text, type = "STRING" } } } }),
		page({ "a" }, 3, nil, { jobReference = { projectId = "p", jobId = text } }),
		{ json = { jobComplete = false, jobReference = { projectId = "p", jobId = text } } },
		{ status = 403, body = "<title>" .. text .. "\x80", headers = { Server = ("y"):rep(9000) } },
	}
	for _, answer in ipairs(answers) do
		local server <close> = serve { always = answer }
		is_harmless(scan, server)
	end
	local odd = { name = "contact_id", type = text, mode = "REPEATED" }
	local server <close> = serve { always = { json = { location = text, schema = { fields = { odd } } } } }
	local source = source_of(server)
	is_harmless(source.check, source, { "contact_id" })
	source = source_of(server, { location = "US" })
	is_harmless(source.check, source, { "contact_id" })
	local tokens <close> = serve { always = { status = 403, json = { error = text, error_description = text } } }
	local creds = google.find { credentials = dir:write("key.json", scripted.service_account { token_uri = tokens.url }) }
	is_harmless(creds.token, creds)
end)

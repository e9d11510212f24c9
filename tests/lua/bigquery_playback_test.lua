-- The recordings of Google's services played back by a scripted server: each has its line in a table that says what syncrun
-- does with it, by facts/bigquery.md, chapter 5.
local t = require "syncrun.test"
local bigquery = require "syncrun.systems.bigquery"
local err = require "syncrun.err"
local google = require "syncrun.systems.bigquery.google"
local http = require "syncrun.http"
local json = require "syncrun.json"
local recordings = require "lua.lib.recordings"
local scripted = require "lua.lib.scripted"

local folder, serve, QUICK = scripted.folder, scripted.serve, scripted.QUICK

local COLUMNS = { "contact_id", "n", "updated_at", "tags", "sync_metadata", "j" }

local function recording(name)
	local r = recordings.get("bigquery", name)
	return r.exchanges or { r }
end

-- "... 248 more" at the end of a list of rows stands for so many further ones.
local function untrim(rows)
	local more = type(rows) == "table" and type(rows[#rows]) == "string" and rows[#rows]:match "^%.%.%. (%d+) more$"
	if not more then return end
	for i = 0, math.tointeger(tonumber(more)) - 1 do rows[#rows + i > 2 and 3 + i or 3] = rows[2] end
end

local function answer_of(exchange)
	local r = exchange.response
	if type(r) == "string" then return { drop = true } end
	local headers = {}
	for name, value in pairs(r.headers or {}) do headers[name] = value end
	if type(r.body) ~= "table" then return { status = r.status, headers = headers, body = r.body or "" } end
	untrim(r.body.rows)
	return { status = r.status, headers = headers, json = r.body }
end

-- A server that plays a recording's answers to the requests that match, each kind of request in its order; the last
-- one stays. Nothing recorded: `default`.
local function player(exchanges, default)
	local queues = {}
	local function kind(method, path)
		local p = path:gsub("%?.*$", ""):gsub("/queries/.*", "/queries/*"):gsub("/jobs/.*", "/jobs/*")
		return method .. " " .. p
	end
	for _, e in ipairs(exchanges) do
		if e.request.path and e.request.path ~= "" then
			local k = kind(e.request.method, e.request.path)
			queues[k] = queues[k] or {}
			table.insert(queues[k], answer_of(e))
		end
	end
	return serve { always = function(req)
		local queue = queues[kind(req.method, req.path)]
		if not queue then return default or { status = 404, body = "<html>not recorded</html>" } end
		return #queue > 1 and table.remove(queue, 1) or queue[1]
	end }
end

local function count(source, o)
	local n = 0
	for page in source:scan(o) do
		for i = 1, #page do
			t.eq(page:get(i, o.columns[1]) ~= nil, true)
			n = n + 1
		end
	end
	return n
end

-- ---- queries: recording -> rows, or the error's kind, exit and code; and how many requests that took

local RUNNING = { json = { status = { state = "DONE" } } }
local QUERIES = {
	["10-client-query-named-params"] = { rows = 250, requests = 1 },
	["11-client-query-paged"] = { rows = 250, requests = 3 },
	["12-client-query-jobIncomplete"] = { rows = 250, requests = 4 },
	["30-retry-503-backendError"] = { rows = 250, requests = 3 },
	["31-retry-500-internalError"] = { rows = 250, requests = 2 },
	["32-retry-502-html"] = { rows = 250, requests = 2 },
	["33-retry-429"] = { kind = "http", exit = 3, code = "rateLimitExceeded", requests = 1 }, -- Retry-After: 7 > the budget
	["34-retry-403-rateLimitExceeded"] = { rows = 250, requests = 2 },
	["35-retry-403-quotaExceeded"] = { kind = "limit", exit = 3, code = "quotaExceeded", requests = 1 },
	["36-retry-400-jobRateLimitExceeded"] = { kind = "http", exit = 3, code = "jobRateLimitExceeded", requests = 6,
		jobs = 6 },
	["37-retry-403-jobRateLimitExceeded"] = { kind = "http", exit = 3, code = "jobRateLimitExceeded", requests = 6,
		jobs = 6 },
	["38-retry-400-invalidQuery"] = { kind = "config", exit = 2, code = "invalidQuery", requests = 1 },
	["39-retry-403-accessDenied"] = { kind = "http", exit = 3, code = "accessDenied", requests = 1 },
	["40-retry-404-notFound"] = { kind = "config", exit = 2, code = "notFound", requests = 1 },
	["41-retry-409-duplicate"] = { kind = "http", exit = 3, code = "duplicate", requests = 1 },
	["42-retry-401"] = { kind = "http", exit = 3, code = "authError", requests = 1 },
	["43-retry-408"] = { rows = 250, requests = 2 },
	["44-retry-conn-reset"] = { rows = 250, requests = 2 },
	["45-retry-503-forever"] = { kind = "http", exit = 3, code = "backendError", requests = 6 },
	["46-retry-getQueryResults-503"] = { rows = 250, requests = 5 }, -- one of them asks for the job
}

-- The requests up to the last that is about a query: afterwards jobs.get is asked what was billed.
local function asked(seen)
	for i = #seen, 1, -1 do
		if seen[i].path:find "/queries" then return i end
	end
	return #seen
end

local function request_ids(seen)
	local ids, n = {}, 0
	for _, req in ipairs(seen) do
		local id = req.json and req.json.requestId
		if id and not ids[id] then ids[id], n = true, n + 1 end
	end
	return n
end

for name, want in pairs(QUERIES) do
	t.test("playback " .. name, function()
		local server <close> = player(recording(name), RUNNING)
		local source = bigquery.open { emulator = server.url, project = "demo", parallel = 1,
			retry = { base = 0.001, cap = 0.002, budget = 5 } }
		local n, e = err.try(count, source, { columns = COLUMNS })
		if want.rows then
			t.eq({ n, e and e.message, asked(server.seen), request_ids(server.seen) }, { want.rows, nil, want.requests, 1 })
		else
			t.ok(e, "no error")
			t.eq({ e.kind, e.exit, e.code, #server.seen, request_ids(server.seen) },
				{ want.kind, want.exit, want.code, want.requests, want.jobs or 1 })
			t.eq(source.last, nil)
		end
	end)
end

t.test("playback: every retry recording has its line", function()
	local n = 0
	for name in pairs(recordings.shipped "bigquery") do
		if name:find "^[34]%d%-" then
			t.ok(QUERIES[name], name)
			n = n + 1
		end
	end
	t.ok(n > 0, "no recordings")
end)

t.test("playback 24: the job failed by backendError: it is run again, as a new job", function()
	local exchanges = recording "24-client-job-failed"
	local failed, running = answer_of(exchanges[2]), { json = {
		jobComplete = false, jobReference = { projectId = "demo", jobId = "job_TEST1", location = "US" },
	} }
	local server <close> = serve { always = function(req)
		if req.method == "POST" then return running end
		return req.path:find "/jobs/" and failed or scripted.failure(503, "backendError")
	end }
	local source = bigquery.open { emulator = server.url, project = "demo", retry = QUICK }
	local e = t.raises(count, "Error encountered during execution", source, { columns = COLUMNS })
	t.eq({ e.exit, request_ids(server.seen) }, { 3, 6 })
end)

t.test("playback 14: a table's rows, its schema from tables.get", function()
	local exchanges = recording "14-client-table-getRows"
	local body = exchanges[1].response.body
	body.totalRows, body.pageToken = "100", nil -- the recording has the first page of three
	local server <close> = player(exchanges)
	local source = bigquery.open { emulator = server.url, project = "demo", read = "table", retry = QUICK }
	t.eq(count(source, { columns = COLUMNS }), 100)
	t.eq({ server.seen[1].path:match "[^/]+$", server.seen[2].path:match "[^/]+$", #server.seen },
		{ "contacts_master", "data", 2 })
end)

t.test("playback 50-52: the emulator's variable", function()
	local prefix = "/bigquery/v2"
	for _, name in ipairs { "50-emulator-host-env", "51-emulator-host-env-with-path" } do
		local exchanges = recording(name)
		exchanges[1].request.path = prefix .. "/projects/demo/queries"
		local server <close> = player(exchanges)
		local at = name:find "path" and server.url .. prefix or server.url
		local source = bigquery.open { emulator = at, project = "demo", retry = QUICK }
		t.eq(count(source, { columns = COLUMNS }), 250)
		t.eq(server.seen[1].headers.authorization, nil)
	end
end)

-- ---- credentials: recording -> the file, and the token that the query carries or the error

local function key_file(url)
	return json.decode(scripted.service_account { token_uri = url .. "/_host/oauth2.googleapis.com/token" })
end

local IMPERSONATE = "/_host/iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/%s@demo.iam.gserviceaccount.com"
	.. ":generateAccessToken"

local function federated(url, source, acts)
	return {
		type = "external_account", audience = "//iam.googleapis.com/x",
		token_url = url .. "/_host/sts.googleapis.com/v1/token",
		subject_token_type = "urn:ietf:params:oauth:token-type:jwt", credential_source = source,
		service_account_impersonation_url = acts and url .. IMPERSONATE:format "sync" or nil,
	}
end

local AUTH = {
	["60-auth-service-account"] = { file = key_file, token = "ya29%.test%d*", requests = 2 },
	["61-auth-service-account-2queries"] = { file = key_file, token = "ya29%.test%d*", requests = 2 },
	["62-auth-service-account-short-expiry"] = { file = key_file, token = "ya29%.test%d*", requests = 2 },
	["63-auth-service-account-invalid_grant"] = { file = key_file, code = "invalid_grant", requests = 1 },
	["64-auth-token-503"] = { file = key_file, token = "ya29%.test5", requests = 3 },
	["65-auth-api-401"] = { file = key_file, code = "authError", requests = 4 }, -- Node gives up after two; one renewal
	["66-auth-authorized-user"] = { token = "ya29%.test%d*", requests = 2, file = function()
		return { type = "authorized_user", client_id = "c", client_secret = "s", refresh_token = "r" }
	end },
	["68-auth-external-account-file-impersonated"] = { token = "ya29%.test%-imp", requests = 3, file = function(url, dir)
		return federated(url, { file = dir:write("subject", "subject") }, true)
	end },
	["69-auth-external-account-url"] = { token = "ya29%.test9", requests = 3, file = function(url)
		return federated(url, { url = url .. "/subject", format = { type = "json", subject_token_field_name = "id_token" } })
	end },
	["70-auth-impersonated-service-account"] = { token = "ya29%.test%-imp", requests = 3, file = function(url)
		return { type = "impersonated_service_account", service_account_impersonation_url = url .. IMPERSONATE:format "t",
			source_credentials = { type = "authorized_user", client_id = "c", client_secret = "s", refresh_token = "r" } }
	end },
}

for name, want in pairs(AUTH) do
	t.test("playback " .. name, function()
		local dir <close> = folder()
		local exchanges = recording(name)
		local subject = name:find "url" and exchanges[1].response.body
		if type(subject) == "table" then subject.id_token = "subject" end -- stripped in the recording
		local server <close> = player(exchanges)
		local path = dir:write("credentials.json", json.encode(want.file(server.url, dir)))
		local source = bigquery.open {
			credentials = path, project = "demo", base_url = server.url .. "/bigquery/v2", retry = QUICK,
			token_url = server.url .. "/_host/oauth2.googleapis.com/token",
		}
		local n, e = err.try(count, source, { columns = { "n" } })
		if want.code then
			t.ok(e, "no error")
			t.eq({ e.code, e.exit, n, #server.seen }, { want.code, 3, nil, want.requests })
		else
			t.eq(e and e.message, nil)
			t.eq({ n, asked(server.seen) }, { 1, want.requests })
			t.ok(server.seen[asked(server.seen)].headers.authorization:find("^Bearer " .. want.token .. "$"))
		end
	end)
end

t.test("playback 67: the metadata server", function()
	local dir <close> = folder()
	local server <close> = player(recording "67-auth-metadata-server")
	local creds = google.find {
		cloudsdk_config = dir.path, metadata_host = server.url:match "//(.*)$", retry = QUICK,
	}
	t.eq(creds:token(), "ya29.test-meta")
end)

t.test("playback 72: the token that an account signs itself has the recorded claims", function()
	local recorded = recording "72-auth-self-signed-jwt"[1]
	t.contains(recorded.request.headers.authorization, "Bearer ")
	local jwt = require "syncrun.systems.bigquery.google.grants".self_signed(json.decode(scripted.service_account()),
		"https://www.googleapis.com/auth/bigquery", 1795333218)
	local head, claims = jwt:match "^([^.]+)%.([^.]+)%."
	local crypto = require "syncrun.crypto"
	t.eq(json.decode(crypto.base64url_decode(head)), { alg = "RS256", typ = "JWT", kid = "kid123" })
	t.eq(json.decode(crypto.base64url_decode(claims)), {
		iss = "sync@demo.iam.gserviceaccount.com", sub = "sync@demo.iam.gserviceaccount.com",
		scope = "https://www.googleapis.com/auth/bigquery", exp = 1795336818, iat = 1795333218,
	})
end)

t.test("playback 75, 76: the forms of Google's Python client are ours", function()
	local dir <close> = folder()
	for name, file in pairs {
		["75-auth-python-service-account-token_uri"] = key_file,
		["76-auth-python-authorized-user"] = AUTH["66-auth-authorized-user"].file,
	} do
		local recorded = recording(name)[1].request.body
		local server <close> = serve { scripted.token "ya29.x" }
		local path = dir:write("c.json", json.encode(file(server.url)))
		google.find { credentials = path, token_url = server.url, retry = QUICK }:token()
		local form = http.decode_query(server.seen[1].body)
		for key in pairs(recorded._form or recorded) do
			if key ~= "scope" then t.ok(form[key], name .. " " .. key) end
		end
	end
end)

-- Google's credentials, against scripted servers in the same process.
local t = require "syncrun.test"
local bigquery = require "syncrun.systems.bigquery"
local crypto = require "syncrun.crypto"
local google = require "syncrun.systems.bigquery.google"
local http = require "syncrun.http"
local json = require "syncrun.json"
local log = require "syncrun.log"
local task = require "syncrun.task"
local scripted = require "lua.lib.scripted"

local serve, page, failure, ids_of, folder, private_key, service_account, token, QUICK
	= scripted.serve, scripted.page, scripted.failure, scripted.ids_of, scripted.folder, scripted.private_key,
	scripted.service_account, scripted.token, scripted.QUICK

t.test("google: a service account's assertion, signed with its key; token and project are used", function()
	local dir <close> = folder()
	local tokens <close> = serve { token "ya29.first" }
	local server <close> = serve { page({ "a" }, 1), page({ "b" }, 1) }
	local path = dir:write("key.json", service_account { token_uri = tokens.url .. "/token" })
	local before = os.time()
	local source = bigquery.open { credentials = path, base_url = server.url .. "/bq/", retry = QUICK }
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
	local source = bigquery.open { credentials = path, project = "demo", base_url = server.url, retry = QUICK }
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
	local source = bigquery.open { credentials = path, base_url = tokens.url, retry = QUICK }
	local e = t.raises(ids_of, "Google gives no token for '" .. path .. "' (invalid_grant: " .. clock .. ")", source)
	t.eq({ e.kind, e.code, e.exit }, { "http", "invalid_grant", 3 })
	t.contains(e.message, "this machine's clock")
	local creds = google.find { credentials = path, retry = QUICK }
	t.eq(creds:token(), "ya29.after-503")
	e = t.raises(creds.renew, "holds no access token", creds, "ya29.after-503")
	t.eq(e.exit, 3)
	e = t.raises(creds.token, "Service account is disabled", creds)
	t.eq({ e.kind, e.exit }, { "http", 3 })
end)

-- The header and the claims of a signed token.
local function jwt_of(text)
	local head, claims = text:match "^([^.]+)%.([^.]+)%.[^.]+$"
	return json.decode(crypto.base64url_decode(head)), json.decode(crypto.base64url_decode(claims))
end

t.test("google: without its token endpoint a service account signs its own token", function()
	local dir <close> = folder()
	local gone = serve {}
	getmetatable(gone).__close()
	local busy <close> = serve { always = { status = 503, body = "" } }
	for _, url in ipairs { gone.url, busy.url } do
		local server <close> = serve { page({ "a" }, 1), page({ "b" }, 1) }
		local path = dir:write("key.json", service_account { token_uri = url })
		local source = bigquery.open { credentials = path, base_url = server.url, retry = QUICK }
		t.eq(ids_of(source), { "a" })
		t.eq(ids_of(source), { "b" })
		local bearer = server.seen[1].headers.authorization
		t.eq(server.seen[2].headers.authorization, bearer)
		local head, claims = jwt_of(bearer:match "^Bearer (.*)$")
		t.eq(head, { alg = "RS256", typ = "JWT", kid = "kid123" })
		t.eq(claims.exp - claims.iat, 3600)
		t.eq({ claims.iss, claims.sub, claims.scope, claims.aud }, {
			"sync@demo.iam.gserviceaccount.com", "sync@demo.iam.gserviceaccount.com",
			"https://www.googleapis.com/auth/bigquery",
		})
		t.ok(not log.redact(bearer):find(bearer:sub(8), 1, true))
	end
	t.eq(#busy.seen, 6)
end)

t.test("google: a wrong clock is corrected once, by the Date of the refusal", function()
	local dir <close> = folder()
	local why = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. "
		.. "Check your iat and exp values in the JWT claim."
	local late = { status = 400, json = { error = "invalid_grant", error_description = why } }
	local tokens <close> = serve { late, token("ya29.right", 1), late, late, late, late }
	local path = dir:write("key.json", service_account { token_uri = tokens.url })
	local real, off = os.time, -7200
	local _ <close> = setmetatable({}, { __close = function() os.time = real end }) -- luacheck: ignore 122
	os.time = function(...) return real(...) + off end -- luacheck: ignore 122
	local creds = google.find { credentials = path, retry = QUICK }
	t.eq(creds:token(), "ya29.right")
	local function iat(i)
		local _, claims = jwt_of(http.decode_query(tokens.seen[i].body).assertion)
		return claims.iat
	end
	local moved = iat(2) - iat(1)
	t.ok(moved >= 7195 and moved <= 7205, moved)
	t.raises(creds.renew, "invalid_grant", creds, "ya29.right") -- its clock was corrected already
	t.eq(#tokens.seen, 3)
	off = 5
	creds = google.find { credentials = path, retry = QUICK }
	t.raises(creds.token, "invalid_grant", creds) -- the clock is right: nothing to correct
	t.eq(#tokens.seen, 4)
	off = 9000
	creds = google.find { credentials = path, retry = QUICK }
	t.raises(creds.token, "invalid_grant", creds) -- once only
	t.eq(#tokens.seen, 6)
end)

local function imperson(name, seconds)
	return function(req)
		t.eq(req.method, "POST")
		return { json = {
			accessToken = name, expireTime = os.date("!%Y-%m-%dT%H:%M:%SZ", os.time() + (seconds or 3600)),
		} }
	end
end

local function external(server, dir, more)
	local file = {
		type = "external_account", audience = "//iam.googleapis.com/projects/1/x", token_url = server.url .. "/v1/token",
		subject_token_type = "urn:ietf:params:oauth:token-type:jwt",
		credential_source = { file = dir:write("subject", "subject-of-the-file\n") },
	}
	for k, v in pairs(more or {}) do file[k] = v end
	return dir:write("external.json", json.encode(file))
end

t.test("google: an external account: its file's token for Google's, then for a service account's", function()
	local dir <close> = folder()
	local sts <close> = serve { token "ya29.sts", imperson "ya29.acts", token "ya29.sts2", imperson "ya29.acts2" }
	local server <close> = serve { page({ "a" }, 1) }
	local path = external(sts, dir, {
		service_account_impersonation_url = sts.url .. "/v1/sa:generateAccessToken",
		service_account_impersonation = { token_lifetime_seconds = 1800 }, quota_project_id = "payer",
	})
	local source = bigquery.open { credentials = path, project = "demo", base_url = server.url, retry = QUICK }
	t.eq(ids_of(source), { "a" })
	t.eq(http.decode_query(sts.seen[1].body), {
		grant_type = "urn:ietf:params:oauth:grant-type:token-exchange", audience = "//iam.googleapis.com/projects/1/x",
		scope = "https://www.googleapis.com/auth/cloud-platform", subject_token = "subject-of-the-file",
		requested_token_type = "urn:ietf:params:oauth:token-type:access_token",
		subject_token_type = "urn:ietf:params:oauth:token-type:jwt",
	})
	local req = sts.seen[2]
	t.eq({ req.path, req.headers.authorization }, { "/v1/sa:generateAccessToken", "Bearer ya29.sts" })
	t.eq(req.json, { scope = { "https://www.googleapis.com/auth/bigquery" }, lifetime = "1800s" })
	t.eq({ server.seen[1].headers.authorization, server.seen[1].headers["x-goog-user-project"] },
		{ "Bearer ya29.acts", "payer" })
	t.eq(log.redact "subject-of-the-file", "***")
	dir:write("subject", "")
	local creds = google.find { credentials = path, retry = QUICK }
	t.eq(t.raises(creds.token, "that is not there", creds).exit, 2)
	os.remove(dir.path .. "/subject")
	t.raises(creds.token, "cannot be read (No such file or directory)", creds)
end)

t.test("google: an external account whose token comes from a URL, as JSON, without impersonation", function()
	local dir <close> = folder()
	local sts <close> = serve {
		{ json = { id_token = "subject-of-the-url" } }, token "ya29.federated",
		{ status = 500, body = "" }, { json = { other = "x" } }, { status = 404, body = "" },
	}
	local path = external(sts, dir, {
		client_id = "me", client_secret = "top secret", workforce_pool_user_project = "pool",
		credential_source = { url = sts.url .. "/subject?resource=x", headers = { ["X-Flavor"] = "y" },
			format = { type = "json", subject_token_field_name = "id_token" } },
	})
	local creds = google.find { credentials = path, retry = QUICK }
	t.eq(creds:token(), "ya29.federated")
	t.eq({ sts.seen[1].method, sts.seen[1].path, sts.seen[1].headers["x-flavor"] }, { "GET", "/subject", "y" })
	local form = http.decode_query(sts.seen[2].body)
	t.eq({ form.subject_token, form.scope, form.options },
		{ "subject-of-the-url", "https://www.googleapis.com/auth/bigquery", '{"userProject":"pool"}' })
	t.eq(sts.seen[2].headers.authorization, "Basic " .. crypto.base64_encode "me:top%20secret")
	t.raises(creds.renew, "that is not there", creds, "ya29.federated")
	t.eq(t.raises(creds.token, "answers 404; is its issuer running?", creds).exit, 3)
end)

t.test("google: credentials that act as a service account", function()
	local dir <close> = folder()
	local api <close> = serve {
		token "ya29.me", imperson("ya29.short", 1), token "ya29.me2",
		{ status = 403, json = { error = { code = 403, status = "PERMISSION_DENIED", message = "no" } } },
	}
	local path = dir:write("acts.json", json.encode {
		type = "impersonated_service_account", delegates = json.array { "a" }, quota_project_id = json.null,
		service_account_impersonation_url = api.url .. "/sa:generateAccessToken",
		source_credentials = {
			type = "authorized_user", client_id = "c", client_secret = "s3cret", refresh_token = "1//rrr",
		},
	})
	local creds = google.find { credentials = path, token_url = api.url .. "/token", retry = QUICK }
	t.eq(creds:token(), "ya29.short")
	t.eq(http.decode_query(api.seen[1].body).grant_type, "refresh_token")
	t.eq(api.seen[2].json, {
		delegates = { "a" }, scope = { "https://www.googleapis.com/auth/bigquery" }, lifetime = "3600s",
	})
	t.eq(api.seen[2].headers.authorization, "Bearer ya29.me")
	local e = t.raises(creds.renew, "roles/iam.serviceAccountTokenCreator", creds, "ya29.short")
	t.eq({ e.kind, e.exit, e.code }, { "http", 3, "PERMISSION_DENIED" })
	t.eq(log.redact "s3cret 1//rrr", "*** ***")
end)

t.test("google: a key that acts as another account asks with the scope that takes", function()
	local dir <close> = folder()
	local api <close> = serve { token "ya29.key", imperson "ya29.other" }
	local path = dir:write("acts.json", json.encode {
		type = "impersonated_service_account", service_account_impersonation_url = api.url .. "/sa:generateAccessToken",
		source_credentials = json.decode(service_account { token_uri = api.url }),
	})
	t.eq(google.find { credentials = path, retry = QUICK }:token(), "ya29.other")
	local _, claims = jwt_of(http.decode_query(api.seen[1].body).assertion)
	t.eq(claims.scope, "https://www.googleapis.com/auth/cloud-platform")
end)

t.test("google: the token endpoint out of reach", function()
	local dir <close> = folder()
	local gone = serve {}
	local path = dir:write("key.json", service_account { token_uri = gone.url })
	getmetatable(gone).__close()
	local e = t.raises(ids_of, "cannot connect", bigquery.open {
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
	local source = bigquery.open {
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
	local source = bigquery.open {
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

t.test("google: a key that lost its line breaks on the way is laid out again", function()
	local dir <close> = folder()
	local pem = scripted.private_key()
	local ways = {
		escaped = pem:gsub("\n", "\\n"), windows = pem:gsub("\n", "\\r\\n"), blanks = pem:gsub("\n", " "),
		crlf = pem:gsub("\n", "\r\n"),
		indented = "  " .. pem:gsub("\n", "\n  "), one_line = pem:gsub("\n", ""), ended = pem:gsub("%s+$", ""),
	}
	for name, text in pairs(ways) do
		local tokens <close> = serve { token "ya29.mended" }
		local path = dir:write("key.json", service_account { private_key = text, token_uri = tokens.url })
		t.eq(google.find({ credentials = path, retry = QUICK }):token(), "ya29.mended", name)
		t.eq(log.redact(text), "***", name)
	end
	local line = pem:match "\n([^\n]+)\n"
	t.eq(log.redact("x " .. line), "x ***")
end)

t.test("google: the scope of Google Drive, asked for by each kind of credentials as it wants it", function()
	local dir <close> = folder()
	local both = "https://www.googleapis.com/auth/bigquery https://www.googleapis.com/auth/drive.readonly"
	local api <close> = serve { token "ya29.key", token "ya29.me", imperson "ya29.other",
		{ headers = { ["Metadata-Flavor"] = "Google" }, json = { access_token = "ya29.vm" } } }
	local key = dir:write("key.json", service_account { token_uri = api.url })
	local acts = dir:write("acts.json", json.encode {
		type = "impersonated_service_account", service_account_impersonation_url = api.url,
		source_credentials = json.decode(service_account { token_uri = api.url }),
	})
	local function ask(more)
		more.drive, more.retry = true, QUICK
		google.find(more):token()
		return api.seen[#api.seen]
	end
	local _, claims = jwt_of(http.decode_query(ask({ credentials = key }).body).assertion)
	t.eq(claims.scope, both)
	t.eq(ask({ credentials = acts }).json.scope, { both:match "^(%S+) (%S+)$" })
	t.eq(ask({ cloudsdk_config = dir.path, metadata_host = "127.0.0.1:" .. api.port }).args.scopes, (both:gsub(" ", ",")))
end)

t.test("bigquery: a sheet that may not be read says how it can be", function()
	local denied = scripted.failure(403, "accessDenied",
		"Access Denied: BigQuery BigQuery: Permission denied while getting Drive credentials.")
	local server <close> = serve { denied, denied }
	t.raises(ids_of, "set drive = true in the bigquery section of the config file", scripted.emulated(server))
	t.raises(ids_of, "share the sheet with the account, and enable", scripted.emulated(server, { drive = true }))
end)

t.test("google: a bad key file: what is wrong, by name, never its contents", function()
	local dir <close> = folder()
	local aws = { environment_id = "aws1" }
	local function with_source(source, more)
		local file = {
			type = "external_account", audience = "x", subject_token_type = "y", token_url = "https://sts.googleapis.com",
			credential_source = source,
		}
		for k, v in pairs(more or {}) do file[k] = v end
		return json.encode(file)
	end
	local function acting(source)
		return json.encode { type = "impersonated_service_account", source_credentials = source,
			service_account_impersonation_url = "https://iamcredentials.googleapis.com/x" }
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
		{ with_source { certificate = { certificate_config_location = "x" } }, "by a certificate" },
		{ with_source { file = 7 }, "of an unknown kind" },
		{ with_source(json.null), "is no object" },
		{ with_source { url = "http://evil.example/x" }, "whose 'url' is neither https nor on this machine" },
		{ with_source { url = "http://169.254.169.254.evil.example/x" }, "whose 'url' is neither https" },
		{ with_source { file = "/x", format = { type = "xml" } }, "neither text nor json" },
		{ with_source { file = "/x", format = { type = "json" } }, "without 'subject_token_field_name'" },
		{ with_source({ file = "/x" }, { token_url = "http://evil.example" }), "'token_url' that is neither https" },
		{ with_source({ file = "/x" }, { service_account_impersonation_url = "http://evil.example" }),
			"'service_account_impersonation_url' that is neither https" },
		{ acting "topsecret", "that are no credentials" },
		{ acting { type = "authorized_user" }, "has no 'client_id'" },
		{ acting { type = "external_account", credential_source = { executable = {} } }, "never runs one" },
		{ json.encode { type = "impersonated_service_account" }, "has no 'service_account_impersonation_url'" },
		{ json.encode { type = "gdch_service_account" }, "'gdch_service_account', which is not supported" },
	}
	for _, case in ipairs(cases) do
		local path = dir:write("key.json", case[1])
		local e = t.raises(bigquery.open, case[2], { credentials = path, project = "demo" })
		t.eq({ e.kind, e.exit }, { "config", 2 }, case[2])
		t.contains(e.message, "'" .. path .. "'")
		if case[2] ~= "unknown type" then t.ok(not e.message:find "topsecret", e.message) end
	end
	t.raises(bigquery.open, "cannot be read (No such file or directory)", { credentials = dir.path .. "/none.json" })
	t.raises(bigquery.open, "cannot be read (Is a directory)", { credentials = dir.path })
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
	local e = t.raises(bigquery.open, "credentials are not sent there", config)
	t.eq({ e.kind, e.exit }, { "config", 2 })
end)

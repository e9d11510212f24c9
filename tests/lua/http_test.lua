-- The HTTP client, against http.serve in the same process.
local t = require "syncrun.test"
local http = require "syncrun.http"
local task = require "syncrun.task"
local err = require "syncrun.err"
local patient = require "lua.lib.patient"
local raw = require "lua.lib.raw"

-- fn(client, server) with a server that runs the handler; both are gone afterwards.
local function with_server(handler, fn, client_options, server_options)
	local options = { handler = handler }
	for k, v in pairs(server_options or {}) do options[k] = v end
	local server <close> = http.serve(options)
	local o = { base_url = server.url, name = "peer", retry = false }
	for k, v in pairs(client_options or {}) do o[k] = v end
	fn(http.client(o), server)
end

local function echo(req)
	return { headers = { ["X-Method"] = req.method, ["X-Target"] = req.target }, body = req.body }
end

t.test("http: escape, encode_query and decode_query", function()
	t.eq(http.escape("a b&c=d/é~"), "a%20b%26c%3Dd%2F%C3%A9~")
	t.eq(http.encode_query { b = 2, a = "x y", list = { 1, 2 } }, "a=x%20y&b=2&list=1&list=2")
	t.eq(http.encode_query { { "z", 1 }, { "a", true } }, "z=1&a=true")
	local args, list = http.decode_query("a=x+y&b=%C3%A9&a=2&flag")
	t.eq(args, { a = "2", b = "é", flag = "" })
	t.eq(list, { { "a", "x y" }, { "b", "é" }, { "a", "2" }, { "flag", "" } })
end)

t.test("http: methods, target, query and bodies arrive as sent", function()
	with_server(echo, function(client)
		for _, method in ipairs { "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS" } do
			local body = method ~= "GET" and "body of " .. method or nil
			local res = client:request { method = method, path = "/a%20b", query = { q = "x y" }, body = body }
			t.eq(res.status, 200)
			t.eq(res.headers["x-method"], method)
			t.eq(res.headers["x-target"], "/a%20b?q=x%20y")
			t.eq(res.body, body or "")
			t.eq(res.reason, "OK")
			t.eq(res.http_version, "1.1")
			t.eq(res.attempts, 1)
		end
		local head = client:request { method = "HEAD", path = "/" }
		t.eq(head.body, "")
		t.eq(client:post("/", {}).headers["x-method"], "POST")
		t.eq(client:delete("/x").headers["x-target"], "/x")
	end)
end)

t.test("http: headers of client and request, repeated ones, and no invented ones", function()
	local seen
	with_server(function(req)
		seen = req.headers
		return { headers = { ["Set-Cookie"] = { "a=1", "b=2" }, ["X-Empty"] = "" } }
	end, function(client)
		local res = client:post("/", { body = "x", headers = { ["x-two"] = "over", ["X-List"] = { "1", "2" } } })
		t.eq(res.headers["set-cookie"], "a=1, b=2")
		t.ok(res.headers.date)
		t.ok(not res.headers.date:find(",.*,"), "date twice")
		t.eq(res.headers["content-length"], "0")
		t.eq(seen["x-one"], "1")
		t.eq(seen["x-two"], "over")
		t.eq(seen["x-list"], "1, 2")
		t.eq(seen["user-agent"], "agent/1")
		t.eq(seen.expect, nil)
		t.eq(seen["content-type"], nil)
		client:get("/", { headers = { ["User-Agent"] = "other" } })
		t.eq(seen["user-agent"], "other")
		t.eq(seen["accept-encoding"], nil)
	end, { headers = { ["X-One"] = 1, ["X-Two"] = "two" }, user_agent = "agent/1" })
end)

t.test("http: form and json bodies", function()
	with_server(function(req)
		return { json = { type = req.headers["content-type"], body = req.body } }
	end, function(client)
		t.eq(client:post("/", { form = { a = "1 2", b = "&" } }):json(),
			{ type = "application/x-www-form-urlencoded", body = "a=1%202&b=%26" })
		local res = client:post("/", { json = { a = 1 } })
		t.eq(res.headers["content-type"], "application/json")
		t.eq(res:json(), { type = "application/json", body = '{"a":1}' })
	end)
end)

t.test("http: bodies of 0 bytes and of 20 MB, both ways", function()
	with_server(echo, function(client)
		t.eq(client:post("/", { body = "" }).body, "")
		local big = ("0123456789abcdef"):rep(20 * 1000 * 1000 // 16) .. "\0\255end"
		t.ok(client:post("/", { body = big }).body == big)
	end)
end)

t.test("http: connections are kept alive", function()
	local remotes = {}
	with_server(function(req)
		remotes[req.remote_port] = true
		return { body = "x" }
	end, function(client)
		for _ = 1, 20 do client:get("/") end
		local n = 0
		for _ in pairs(remotes) do n = n + 1 end
		t.eq(n, 1)
	end)
end)

t.test("http: the client's concurrency is a limit", function()
	local now, most = 0, 0
	with_server(function()
		now = now + 1
		most = math.max(most, now)
		task.sleep(0.002)
		now = now - 1
		return {}
	end, function(client)
		local list = {}
		for i = 1, 24 do list[i] = i end
		local all = task.map(list, { limit = 24 }, function() return client:get("/").status end)
		t.eq(#all, 24)
		t.eq(most, 3)
	end, { concurrency = 3 })
end)

t.test("http: a handler that never answers is a total timeout", function()
	with_server(function() task.sleep(60) end, function(client)
		local e = t.raises(client.get, "timeout", client, "/", { timeout = 0.05 })
		t.eq(e.code, "total")
		t.eq(e.retryable, true)
		t.eq(e.attempts, 1)
		t.contains(e.message, "'peer'")
	end)
end)

t.test("http: silence is an idle timeout, before and within the body", function()
	with_server(function(req)
		if req.path == "/silent" then task.sleep(60) end
		return { body = function(write)
			write("some")
			task.sleep(60)
		end }
	end, function(client)
		t.eq(t.raises(client.get, "timeout", client, "/silent", { idle_timeout = 0.05 }).code, "idle")
		t.eq(t.raises(client.get, "timeout", client, "/body", { idle_timeout = 0.05 }).code, "idle")
	end)
end)

t.test("http: a refused connection names the peer and asks whether it is up", function()
	local server = http.serve { handler = echo }
	server:stop()
	local client = http.client { base_url = server.url, name = "twenty", retry = false }
	local e = t.raises(client.get, "http", client, "/")
	t.eq(e.code, "COULDNT_CONNECT")
	t.eq(e.retryable, true)
	t.eq(e.message, "cannot connect to 'twenty' (connection refused by 127.0.0.1:" .. server.port ..
		"); is the server up?")
end)

t.test("http: a cut body is an error, never a short body", function()
	with_server(function(req)
		return {
			headers = req.path == "/length" and { ["Content-Length"] = "1000" } or nil,
			body = function(write)
				write(("x"):rep(100))
				error "cut here"
			end,
		}
	end, function(client)
		for _, path in ipairs { "/length", "/chunked" } do
			local e = t.raises(client.get, "http", client, path)
			t.eq(e.code, "PARTIAL_FILE")
			t.eq(e.retryable, true)
		end
	end)
end)

t.test("http: a dropped connection is GOT_NOTHING", function()
	with_server(function() return { drop = true } end, function(client)
		t.eq(t.raises(client.get, "http", client, "/").code, "GOT_NOTHING")
	end)
end)

t.test("http: retries until it works, and counts the attempts", function()
	local n = 0
	with_server(function()
		n = n + 1
		if n == 1 then return { drop = true } end
		if n == 2 then return { status = 503 } end
		return { body = "at last" }
	end, function(client)
		local seen = {}
		local res = client:get("/p?secret=1", { on_attempt = function(info) seen[#seen + 1] = info end })
		t.eq(res.body, "at last")
		t.eq(res.attempts, 3)
		t.eq(seen[1].error.code, "GOT_NOTHING")
		t.eq(seen[1].path, "/p")
		t.eq(seen[2].status, 503)
		t.eq(seen[3].attempt, 3)
	end, { retry = { base = 0.001 } })
end)

t.test("http: a kept connection that the server closes is replaced without an attempt of ours", function()
	local n = 0
	with_server(function(req)
		n = n + 1
		return n == 2 and { drop = true } or { body = req.body }
	end, function(client)
		client:get("/")
		local res = client:post("/", { body = "again" })
		t.eq(res.body, "again")
		t.eq(res.attempts, 1)
		t.eq(n, 3)
	end)
end)

t.test("http: only idempotent requests are repeated by default", function()
	local n = 0
	with_server(function()
		n = n + 1
		return { status = 503 }
	end, function(client)
		t.eq(client:post("/", { body = "x" }).status, 503)
		t.eq(n, 1)
		t.eq(client:post("/", { body = "x", idempotent = true }).attempts, 3)
		t.eq(n, 4)
		t.eq(client:get("/", { retry = false }).attempts, 1)
	end, { retry = { base = 0.001, tries = 3 } })
end)

t.test("http: a request that was never sent is repeated, whatever its method", function()
	local server = http.serve { handler = echo }
	server:stop()
	local client = http.client { base_url = server.url, retry = { base = 0.001, tries = 3 } }
	t.eq(t.raises(client.post, "http", client, "/", { body = "x" }).attempts, 3)
end)

t.test("http: Retry-After is honoured, in seconds and as a date, and capped by the budget", function()
	local value, n = "0", 0
	with_server(function()
		n = n + 1
		return { status = 429, headers = { ["Retry-After"] = value } }
	end, function(client)
		t.eq(client:get("/").attempts, 2)
		value = "3600"
		t.eq(client:get("/").attempts, 1)
		value = "Fri, 01 Jan 2038 00:00:00 GMT"
		t.eq(client:get("/").attempts, 1)
		value = "Fri, 01 Jan 1999 00:00:00 GMT"
		t.eq(client:get("/").attempts, 2)
	end, { retry = { base = 0.001, tries = 2, budget = 5 } })
end)

t.test("http: classify decides", function()
	local word, delay = "retry", 0
	with_server(function() return { status = 200, body = "LIMIT" } end, function(client)
		t.eq(client:post("/", { body = "x" }).attempts, 3)
		word = "fail"
		t.eq(client:get("/").attempts, 1)
		word, delay = "retry", 100
		t.eq(client:get("/").attempts, 1) -- past the budget
	end, { retry = { base = 0.001, tries = 3, budget = 5, classify = function(res, e)
		t.ok(res and not e)
		return word, delay
	end } })
end)

t.test("http: a cancelled request frees its place and leaves nothing behind", function()
	with_server(function(req)
		if req.path == "/slow" then task.sleep(60) end
		return { body = "ok" }
	end, function(client)
		local e = t.raises(task.scope, "enough", function(scope)
			scope:spawn(client.get, client, "/slow")
			task.sleep(0.005)
			err.raise { kind = "check", message = "enough" }
		end)
		t.eq(e.kind, "check")
		t.eq(client:get("/fast").body, "ok")
	end, { concurrency = 1 })
end)

t.test("http: a handler learns that its client left", function()
	local left
	with_server(function(req)
		for _ = 1, 1000 do
			if req.gone() then
				left = true
				break
			end
			task.sleep(0.001)
		end
		return {}
	end, function(client)
		t.raises(client.get, "timeout", client, "/", { timeout = 0.02 })
		for _ = 1, 1000 do
			if left then break end
			task.sleep(0.001)
		end
		t.eq(left, true)
	end)
end)

t.test("http: a streamed answer comes piece by piece and is held back for a slow reader", function()
	local written = 0
	with_server(function()
		return { body = function(write)
			for _ = 1, 400 do
				write(("y"):rep(64 * 1024))
				written = written + 64 * 1024
			end
		end }
	end, function(client)
		local res = client:get("/", { stream = true, max_body = 0 })
		t.eq(res.status, 200)
		t.eq(res.body, nil)
		for _ = 1, 50 do task.sleep(0.001) end
		t.ok(written < 20 * 1024 * 1024, "the server ran ahead: " .. written)
		local total = 0
		for chunk in res:chunks() do total = total + #chunk end
		t.eq(total, 400 * 64 * 1024)
		t.eq(client:get("/", { method = "HEAD", stream = true }).status, 200)
	end, { concurrency = 2 })
end)

t.test("http: a streamed answer that is dropped does not keep its place", function()
	local function long() return { body = function(write) for _ = 1, 5 do write(("x"):rep(1000)) end end } end
	with_server(long, function(client)
		t.eq(client:get("/", { stream = true }).status, 200)
		collectgarbage()
		t.eq(task.timeout(10, client.get, client, "/").status, 200)
	end, { concurrency = 1 })
end)

t.test("http: leaving a stream early closes it; a cut stream raises after its last bytes", function()
	with_server(function(req)
		return { body = function(write)
			for _ = 1, 100 do write(("z"):rep(100 * 1024)) end
			if req.path == "/cut" then error "cut" end
		end }
	end, function(client)
		local first
		for chunk in client:get("/", { stream = true }):chunks() do
			first = first or #chunk
			if first then break end
		end
		t.ok(first > 0)
		local total = 0
		local e = t.raises(function()
			for chunk in client:get("/cut", { stream = true }):chunks() do total = total + #chunk end
		end, "http")
		t.eq(e.code, "PARTIAL_FILE")
		t.eq(total, 100 * 100 * 1024)
		t.eq(client:get("/").status, 200)
	end, { concurrency = 1 })
end)

t.test("http: a compressed answer is decompressed", function()
	local gzip = "\031\139\008\000\000\000\000\000\002\003\203\072\205\201\201\087\200\064\039\001" ..
		"\227\081\061\141\023\000\000\000"
	with_server(function(req)
		if req.path == "/bad" then return { headers = { ["Content-Encoding"] = "gzip" }, body = "not gzip" } end
		t.contains(req.headers["accept-encoding"], "gzip")
		return { headers = { ["Content-Encoding"] = "gzip" }, body = gzip }
	end, function(client)
		t.eq(client:get("/").body, "hello hello hello hello")
		t.eq(t.raises(client.get, "http", client, "/bad").code, "BAD_CONTENT_ENCODING")
	end, { compress = true })
end)

t.test("http: redirects are followed for GET and HEAD only, ten at most", function()
	local seen
	with_server(function(req)
		seen = req.headers
		if req.path == "/loop" then return { status = 302, headers = { Location = "/loop" } } end
		if req.path == "/from" then return { status = 301, headers = { Location = "/to?x=1" } } end
		return { body = req.target }
	end, function(client, server)
		local res = client:get("/from")
		t.eq(res.body, "/to?x=1")
		t.eq(res.url, server.url .. "/to?x=1")
		t.eq(client:get("/from", { follow = false }).status, 301)
		t.eq(client:post("/from", { body = "x" }).status, 301)
		t.eq(t.raises(client.get, "http", client, "/loop").code, "TOO_MANY_REDIRECTS")
		t.eq(seen.authorization, "Bearer abcdefgh")
	end, { headers = { Authorization = "Bearer abcdefgh" } })
end)

t.test("http: Authorization never reaches another host, by redirect or by url", function()
	local seen
	with_server(function(req)
		seen = req.headers
		return {}
	end, function(_, other)
		with_server(function()
			return { status = 302, headers = { Location = other.url } }
		end, function(client)
			t.eq(client:get("/").status, 200)
			t.eq(seen.authorization, nil)
			client:request { url = other.url }
			t.eq(seen.authorization, nil)
			client:request { url = other.url, headers = { Authorization = "Bearer meant" } }
			t.eq(seen.authorization, "Bearer meant")
		end, { headers = { Authorization = "Bearer abcdefgh" } })
	end)
end)

t.test("http: a redirect takes no other credentials along either", function()
	local seen
	with_server(function(req)
		seen = req.headers
		return {}
	end, function(_, other)
		with_server(function()
			return { status = 302, headers = { Location = other.url } }
		end, function(client)
			t.eq(client:get("/").status, 302)
			t.eq(client:get("/", { headers = { ["X-Api-Key"] = false, apikey = false, Cookie = "a=b" } }).status, 200)
			t.eq({ seen["x-api-key"], seen.apikey, seen.cookie }, {})
			seen = nil
			client:request { url = other.url }
			t.eq({ seen["x-api-key"], seen.apikey }, {})
		end, { headers = { ["X-Api-Key"] = "abcdefgh", apikey = "abcdefgh" } })
	end)
end)

t.test("http: credentials never travel by plain http to another machine", function()
	local function refused(o, client)
		local e = t.raises((client or http.client()).request, "config", client or http.client(), o)
		t.eq({ e.code, e.exit }, { "insecure", 2 })
		return e.message
	end
	local url = "http://crm.example.invalid/x?key=canary-query"
	t.eq(refused { url = url, headers = { authorization = "Bearer canary" } },
		"'authorization' is not sent to 'crm.example.invalid' (plain http to another machine, crm.example.invalid); "
			.. "use https")
	for _, name in ipairs { "Proxy-Authorization", "Cookie", "apikey", "X-Api-Key", "X-Auth-Token", "Client-Secret" } do
		t.contains(refused { url = url, headers = { [name] = "canary" } }, "'" .. name .. "' is not sent")
	end
	t.contains(refused { url = "http://me:canary@crm.example.invalid/" }, "'the password of the URL' is not sent")
	for _, base_url in ipairs {
		"http://10.0.0.1", "http://[fe80::1]:80/", "http://127.0.0.1.example.invalid", "HTTP://X.invalid",
		"http://localhost.example.invalid", "http://localhost:80@x.invalid", "http://127.0.0.1@x.invalid",
	} do
		refused({ path = "/" }, http.client { base_url = base_url, headers = { Authorization = "Bearer canary" } })
	end
end)

t.test("http: what may travel: nothing secret, to this machine, by https, or where a client is insecure", function()
	local function reaches(client, o) t.eq(t.raises(client.request, "http", client, o).kind, "http") end
	local quick, key = { retry = false, timeout = 5 }, { Authorization = "Bearer canary" }
	local function client(more)
		local o = { headers = key }
		for _, list in ipairs { quick, more or {} } do
			for k, v in pairs(list) do o[k] = v end
		end
		return http.client(o)
	end
	reaches(client { headers = {} }, { url = "http://x.invalid" })
	reaches(client(), { url = "http://x.invalid", headers = { Authorization = false } })
	reaches(client(), { url = "http://127.0.0.1:1" })
	reaches(client(), { url = "http://127.10.20.30:1" })
	reaches(client(), { url = "HTTP://LOCALHOST:1/x" })
	reaches(client(), { url = "http://[::1]:1" })
	reaches(client(), { url = "https://x.invalid" })
	reaches(client { insecure = true }, { url = "http://x.invalid" })
end)

t.test("http: a redirect to another scheme than http is refused", function()
	with_server(function() return { status = 302, headers = { Location = "ftp://127.0.0.1/x" } } end, function(client)
		t.eq(t.raises(client.get, "http", client, "/").code, "UNSUPPORTED_PROTOCOL")
	end)
end)

t.test("http: max_body is a limit, streamed only when asked", function()
	with_server(function() return { body = ("x"):rep(5000) } end, function(client)
		local e = t.raises(client.get, "limit", client, "/")
		t.eq(e.code, "body")
		t.eq(#client:get("/", { max_body = 5000 }).body, 5000)
		local n = 0
		for chunk in client:get("/", { stream = true }):chunks() do n = n + #chunk end
		t.eq(n, 5000)
	end, { max_body = 4999 })
end)

t.test("http: header injection, bad methods and URLs are refused before anything is sent", function()
	local n = 0
	with_server(function()
		n = n + 1
		return {}
	end, function(client)
		for _, value in ipairs { "a\r\nX: y", "a\nb", "a\0b" } do
			t.raises(client.get, "usage", client, "/", { headers = { ["X-A"] = value } })
		end
		t.raises(client.get, "usage", client, "/", { headers = { ["X A"] = "v" } })
		t.raises(client.get, "usage", client, "/", { headers = { ["X\r\nA"] = "v" } })
		t.raises(client.request, "usage", client, { method = "GET /x", path = "/" })
		t.raises(client.request, "usage", client, { url = "file:///etc/passwd" })
		t.raises(client.request, "usage", client, { url = "http://" })
		t.raises(client.request, "usage", client, { url = "http://x/\0" })
		t.raises(client.request, "usage", client, { path = "/", body = {} })
		t.raises(http.client().request, "usage", http.client(), { path = "/" })
		t.eq(n, 0)
	end)
end)

t.test("http: rate limit: a burst, then one by one; it can be read and changed", function()
	with_server(function() return {} end, function(client)
		t.eq(client:rate(), nil)
		client:set_rate { tokens = 3, per = 3600 }
		for _ = 1, 3 do client:get("/") end
		t.ok(client:rate().level < 1)
		t.eq(client:rate().burst, 3)
		t.eq(client:rate().every, 1200.0)
		t.raises(task.timeout, "timeout", 0.02, client.get, client, "/")
		client:set_rate { every = 0.001, burst = 1, level = 0 }
		for _ = 1, 5 do client:get("/") end
		client:set_rate(nil)
		t.eq(client:rate(), nil)
		t.raises(client.set_rate, "usage", client, { tokens = 3 })
	end)
end)

t.test("http: a server that closes idle connections is reached again", function()
	with_server(function() return { headers = { Connection = "close" }, body = "x" } end, function(client)
		for _ = 1, 3 do t.eq(client:get("/").body, "x") end
	end)
	local client
	local first = http.serve { handler = echo }
	client = http.client { base_url = first.url, retry = false }
	t.eq(client:post("/", { body = "1" }).body, "1")
	first:stop()
	local second <close> = http.serve { handler = echo, port = first.port }
	t.eq(second.port, first.port)
	t.eq(client:post("/", { body = "2" }).body, "2")
end)

t.test("http: 1000 requests leave nothing behind", function()
	with_server(echo, function(client)
		client:get("/")
		local before = task.active()
		for i = 1, 1000 do t.eq(client:post("/", { body = tostring(i) }).body, tostring(i)) end
		task.sleep(0.001)
		t.ok(task.active() <= before + 1, "active " .. task.active() .. " after " .. before)
	end)
end)

t.test("http: requests on the default client", function()
	with_server(echo, function(_, server)
		t.eq(http.get(server.url .. "/x").headers["x-target"], "/x")
		t.eq(http.request({ method = "POST", url = server.url, body = "b" }).body, "b")
	end)
end)

t.test("http: a rate limit that never lifts is bounded in number and time, whatever Retry-After says", function()
	local n = 0
	with_server(function()
		n = n + 1
		return { status = 429, headers = { ["Retry-After"] = n % 2 == 0 and "86400" or "Fri, 01 Jan 2038 00:00:00 GMT" } }
	end, function(client)
		t.eq({ client:get("/").status, n }, { 429, 4 })
	end, { retry = { base = 0.001, tries = 4, longest = 0.002 } })
end)

t.test("http: a server that was never reached is given up after three tries, one that went away is not", function()
	local server = http.serve { handler = echo }
	local fresh = http.client { base_url = server.url, retry = { base = 0.001, tries = 5 } }
	local known = http.client { base_url = server.url, retry = { base = 0.001, tries = 5 } }
	known:get "/"
	server:stop()
	t.eq(t.raises(fresh.get, "http", fresh, "/").attempts, 3)
	t.eq(t.raises(known.get, "http", known, "/").attempts, 5)
	local slow = http.client { base_url = server.url, retry = { base = 0.001, tries = 5, classify = function()
		return "retry", 4 -- beyond three seconds
	end } }
	t.eq(t.raises(slow.get, "http", slow, "/").attempts, 1)
end)

t.test("http: a long wait is said: a silent answer, a dripping one, and a pause between tries", function()
	local said <close> = patient.after(0.02)
	local n = 0
	with_server(function(req)
		n = n + 1
		if req.path == "/silent" then task.sleep(0.05) end
		if req.path == "/limit" and n == 1 then return { status = 429, headers = { ["Retry-After"] = "9" } } end
		return { body = function(write)
			for _ = 1, req.path == "/drip" and 25 or 1 do
				task.sleep(0.002)
				write "x"
			end
		end }
	end, function(client)
		client:get "/limit?secret=1"
		t.eq(said[1], "waiting for 'peer' to answer GET /limit (0 s so far; last: 429 Too Many Requests)")
		for _, path in ipairs { "/silent", "/drip" } do
			local before = #said
			client:get(path)
			t.ok(#said > before, path)
			t.eq(said[before + 1], ("waiting for 'peer' to answer GET %s (0 s so far)"):format(path))
		end
	end, { retry = { base = 0.001, longest = 0.05 } })
end)

t.test("http: the words of a status line are cut", function()
	local peer <close> = raw.serve("HTTP/1.1 200 " .. ("x"):rep(5000) .. "\\r\\nContent-Length: 0\\r\\n\\r\\n")
	t.eq(http.get(peer.url).reason, ("x"):rep(100))
end)

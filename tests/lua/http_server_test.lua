-- The HTTP server, seen by the client of the same process.
local t = require "syncrun.test"
local http = require "syncrun.http"
local task = require "syncrun.task"

local function with_server(options, fn)
	local server <close> = http.serve(options)
	fn(http.client { base_url = server.url, name = "server", retry = false }, server)
end

t.test("http_server: a request as the handler sees it", function()
	local seen
	with_server({ handler = function(req)
		seen = req
		return {}
	end }, function(client)
		client:post("/a%2Fb/%C3%A9?x=1+2&y=%26", { body = "\0bin\255", headers = { ["X-Y"] = "z" } })
		t.eq(seen.method, "POST")
		t.eq(seen.path, "/a%2Fb/%C3%A9")
		t.eq(seen.query, "x=1+2&y=%26")
		t.eq(seen.args, { x = "1 2", y = "&" })
		t.eq(seen.body, "\0bin\255")
		t.eq(seen.headers["x-y"], "z")
		t.eq(seen.remote, "127.0.0.1")
		t.eq(seen.too_large, false)
		client:get("/bare")
		t.eq(seen.query, nil)
		t.eq(seen.args, {})
		t.eq(seen.body, "")
	end)
end)

t.test("http_server: status, headers and defaults of an answer", function()
	with_server({ handler = function(req)
		if req.path == "/date" then
			return { headers = { Date = "Mon, 01 Jan 2001 00:00:00 GMT", ["Content-Length"] = "7" } }
		end
		return { status = 418, headers = { ["X-A"] = 1 }, body = "tea" }
	end }, function(client)
		local res = client:get("/")
		t.eq(res.status, 418)
		t.eq(res.headers["x-a"], "1")
		t.eq(res.headers["content-length"], "3")
		t.eq(res.body, "tea")
		res = client:get("/date")
		t.eq(res.headers["content-length"], "0")
		local _, commas = res.headers.date:gsub(",", ",")
		t.eq(commas, 1)
		t.eq(client:request { method = "HEAD", path = "/" }.headers["content-length"], "3")
	end)
end)

t.test("http_server: an error in the handler answers 500 and the server lives on", function()
	with_server({ handler = function(req)
		if req.path == "/error" then error "boom" end
		if req.path == "/nothing" then return nil end
		if req.path == "/status" then return { status = 99 } end
		if req.path == "/inject" then return { headers = { ["X-A"] = "a\r\nB: c" } } end
		return { body = "fine" }
	end }, function(client)
		for _, path in ipairs { "/error", "/nothing", "/status", "/inject" } do
			local res = client:get(path)
			t.eq(res.status, 500, path)
			t.eq(res.headers.b, nil)
		end
		t.eq(client:get("/").body, "fine")
	end)
end)

t.test("http_server: handlers run side by side", function()
	local waiting, go = 0, task.channel(8)
	with_server({ handler = function()
		waiting = waiting + 1
		if waiting == 5 then
			for _ = 1, 5 do go:send(true) end
		end
		go:receive()
		return { body = "together" }
	end }, function(client)
		local answers = task.map({ 1, 2, 3, 4, 5 }, { limit = 5 }, function() return client:get("/").body end)
		t.eq(#answers, 5)
		t.eq(waiting, 5)
	end)
end)

t.test("http_server: a body over max_body is answered, not reset", function()
	local handled = 0
	local function handler(req)
		handled = handled + 1
		return { body = tostring(#req.body) }
	end
	with_server({ handler = handler, max_body = 1000 }, function(client)
		t.eq(client:post("/", { body = ("x"):rep(1000) }).body, "1000")
		local res = client:post("/", { body = ("x"):rep(3 * 1024 * 1024) })
		t.eq(res.status, 413)
		t.eq(handled, 1)
	end)
	with_server({ handler = handler, max_body = 10, max_body_status = 500 }, function(client)
		t.eq(client:post("/", { body = ("x"):rep(11) }).status, 500)
	end)
	with_server({ handler = handler, max_body = 10, on_too_large = function(req)
		return { status = 500, body = "too large for " .. req.path }
	end }, function(client)
		t.eq(client:post("/p", { body = ("x"):rep(11) }).body, "too large for /p")
	end)
end)

t.test("http_server: a head of 16 KiB passes, a larger one is refused", function()
	local function handler() return { body = "ok" } end
	with_server({ handler = handler }, function(client)
		t.eq(client:get("/", { headers = { ["X-Big"] = ("h"):rep(16000) } }).status, 200)
		t.eq(client:get("/" .. ("p"):rep(15000)).status, 200)
		local res = client:get("/", { headers = { ["X-Big"] = ("h"):rep(16 * 1024) } })
		t.eq(res.status, 431)
		t.eq(res.body, "")
		t.eq(res.headers.connection, "close")
		t.eq(client:get("/" .. ("p"):rep(16 * 1024)).status, 431)
		t.eq(client:get("/").body, "ok")
	end)
	with_server({ handler = handler, max_head = 2048, max_head_status = 400 }, function(client)
		t.eq(client:get("/", { headers = { ["X-Big"] = ("h"):rep(4096) } }).status, 400)
		t.eq(client:get("/", { headers = { ["X-Big"] = ("h"):rep(1024) } }).status, 200)
	end)
end)

t.test("http_server: a streamed answer of unknown and of known length", function()
	with_server({ handler = function(req)
		return {
			headers = { ["Content-Length"] = req.args.length },
			body = function(write)
				for i = 1, 10 do
					write(("%05d"):format(i):rep(1000))
					if i % 3 == 0 then task.sleep(0.001) end
				end
			end,
		}
	end }, function(client)
		local res = client:get("/")
		t.eq(#res.body, 50000)
		t.eq(res.headers["content-length"], nil)
		t.eq(res.body:sub(-5), "00010")
		res = client:get("/?length=50000")
		t.eq(#res.body, 50000)
		t.eq(res.headers["content-length"], "50000")
	end)
end)

t.test("http_server: the writer of a stream is stopped when the client leaves", function()
	local wrote, stopped = 0, nil
	with_server({ handler = function()
		return { body = function(write)
			local ok, e = pcall(function()
				while true do
					write(("x"):rep(100 * 1024))
					wrote = wrote + 1
				end
			end)
			stopped = not ok and e.code
			error(e, 0)
		end }
	end }, function(client)
		client:get("/", { stream = true }):close()
		for _ = 1, 1000 do
			if stopped then break end
			task.sleep(0.001)
		end
		t.eq(stopped, "gone")
	end)
end)

t.test("http_server: stop cancels handlers, closes connections and frees the port", function()
	local active = task.active()
	local cancelled
	local server = http.serve { handler = function()
		local mark <close> = setmetatable({}, { __close = function() cancelled = true end }) -- luacheck: ignore 211
		task.sleep(60)
	end }
	local client = http.client { base_url = server.url, retry = false }
	local e = t.raises(task.scope, "http", function(scope)
		scope:spawn(client.get, client, "/")
		task.sleep(0.01)
		server:stop()
	end)
	t.eq(e.code, "GOT_NOTHING")
	task.sleep(0.001)
	t.eq(cancelled, true)
	server:stop()
	t.eq(t.raises(client.get, "http", client, "/").code, "COULDNT_CONNECT")
	t.ok(task.active() <= active)
	http.serve({ handler = print, port = server.port }):stop()
end)

t.test("http_server: an address that is not to be had is said", function()
	with_server({ handler = print }, function(_, server)
		local e = t.raises(http.serve, "http", { handler = print, port = server.port })
		t.eq(e.code, "LISTEN")
		t.contains(e.message, "127.0.0.1:" .. server.port)
	end)
	t.raises(http.serve, "usage", { handler = print, host = "not an address" })
	t.raises(http.serve, "usage", {})
end)

t.test("http_server: IPv6 where there is one", function()
	local ok, server = pcall(http.serve, { host = "::1", handler = function(req) return { body = req.remote } end })
	if not ok then t.skip("no IPv6 loopback here") end
	local stop <close> = server -- luacheck: ignore 211
	t.eq(http.client({ base_url = server.url, retry = false }):get("/").body, "::1")
end)

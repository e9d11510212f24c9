--- A small HTTP server: each request runs the handler in a task of its own.
local call = require "syncrun.call"
local err = require "syncrun.err"
local listener = require "_syncrun.http_server"
local message = require "syncrun.http_message"
local options = require "syncrun.http_options"
local task = require "syncrun.task"

local M = {}

local MIB = 1024 * 1024

---@class syncrun.HttpServer
---@field port integer
---@field url string
local Server = {}
Server.__index = Server

local function answer_headers(answer, json)
	local merged = {}
	if json then message.add_headers(merged, { ["Content-Type"] = "application/json" }) end
	message.add_headers(merged, answer.headers)
	local length = merged["content-length"]
	return message.header_list(merged), length and math.tointeger(tonumber(length.value))
end

local function answer_stream(exchange, answer)
	local headers, length = answer_headers(answer)
	if not exchange:reply_stream(answer.status or 200, headers, length) then return end
	local function write(bytes)
		if not exchange:write(bytes) then
			err.raise { kind = "http", code = "gone", message = "cannot write the answer (the client has left)" }
		end
	end
	local ok, e = pcall(answer.body, write)
	exchange:finish(ok)
	if not ok then error(e, 0) end
end

local function send_answer(exchange, answer)
	if type(answer) ~= "table" then
		err.raisef("usage", "an HTTP handler must return a table (it returned a %s)", type(answer))
	end
	if answer.drop then
		exchange:drop()
	elseif type(answer.body) == "function" then
		answer_stream(exchange, answer)
	else
		local body = answer.body
		if answer.json ~= nil then body = require "syncrun.json".encode(answer.json) end
		exchange:reply(answer.status or 200, (answer_headers(answer, answer.json ~= nil)), body)
	end
end

local function read_request(exchange)
	local req = exchange:request()
	req.path, req.query = req.target:match("^([^?]*)%??(.*)$")
	if not req.target:find("?", 1, true) then req.query = nil end
	req.args = message.decode_query(req.query or "")
	req.gone = function() return exchange:gone() end
	return req
end

local function answer_request(server, exchange)
	local req = read_request(exchange)
	if req.too_large then
		send_answer(exchange, server.on_too_large(req))
	else
		send_answer(exchange, server.handler(req))
	end
end

local function serve_exchange(server, exchange)
	local closing <close> = exchange -- luacheck: ignore 211
	local ok, e = pcall(answer_request, server, exchange)
	if ok then return end
	e = err.wrap(e)
	if e.kind == "cancelled" then err.raise(e) end
	if e.code == "gone" then return end
	pcall(exchange.reply, exchange, 500, {}, "") -- it may have been answered in part
	require "syncrun.log".error("an HTTP handler failed: %s", e.message)
end

local function accept_loop(server)
	for exchange in function() return server.listener:accept() end do
		local handle
		handle = task.spawn(function()
			pcall(serve_exchange, server, exchange) -- what it raises is a cancellation
			server.handlers[handle] = nil
		end)
		server.handlers[handle] = true
	end
end

--- Stop serving: the port is closed, handlers under way are cancelled, clients see a closed connection. Twice is legal.
function Server:stop()
	self.listener:close()
	self.loop:cancel()
	for handle in pairs(self.handlers) do handle:cancel() end
end

Server.__close = Server.stop

--- Serve HTTP on one address. Options: host ("127.0.0.1"), port (0: any free one), max_body (64 MiB; past it
--- on_too_large(req) or the status max_body_status, 413, answers), max_head (16 KiB; past it max_head_status, 431),
--- idle_timeout (whole seconds, none), handler(req) -> {status=200, headers={}, body= string | function(write) |
--- json=}, or {drop=true} to close the connection. req: method, path (raw), query (raw or nil), args (decoded),
--- headers, body, remote, remote_port, target, gone(). Each request runs the handler in a task of its own; an error
--- in it answers 500 and is logged.
---@param o table
---@return syncrun.HttpServer
function M.serve(o)
	o = call.options("http.serve", o, options.serve)
	if not o.handler then err.misuse "http.serve needs the option 'handler', a function" end
	local host = o.host or "127.0.0.1"
	local status = o.max_body_status or 413
	local server = setmetatable({
		handler = o.handler, handlers = {},
		on_too_large = o.on_too_large or function() return { status = status } end,
	}, Server)
	server.listener, server.port = listener.listen {
		host = host, port = o.port, max_body = o.max_body or 64 * MIB, max_head = o.max_head,
		max_head_status = o.max_head_status, idle_timeout = o.idle_timeout,
	}
	server.url = ("http://%s:%d"):format(host:find(":", 1, true) and "[" .. host .. "]" or host, server.port)
	server.loop = task.spawn(accept_loop, server)
	return server
end

return M

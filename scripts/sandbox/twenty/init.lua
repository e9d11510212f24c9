-- The sandbox's Twenty CRM: a server that behaves as Twenty 2.21 does (statuses, bodies, limits, normalisations), with
-- its state in DIR/twenty.db. This file is the transport: routing, sign-in, bodies, limits, counters.
local file = require "syncrun.file"
local crypto = require "syncrun.crypto"
local http = require "syncrun.http"
local json = require "syncrun.json"
local sqlite = require "syncrun.sqlite"
local task = require "syncrun.task"
local errors = require "sandbox.twenty.errors"
local graphql = require "sandbox.twenty.graphql"
local js = require "sandbox.twenty.jsvalue"
local metadata = require "sandbox.twenty.metadata"
local metadata_graphql = require "sandbox.twenty.metadata_graphql"
local metadata_rest = require "sandbox.twenty.metadata_rest"
local ratelimit = require "sandbox.twenty.ratelimit"
local records = require "sandbox.twenty.records"
local rest = require "sandbox.twenty.rest"
local role = require "sandbox.twenty.role"
local tokens = require "sandbox.twenty.tokens"

local M = {}

local max_body, max_head = 10 * 1024 * 1024, 16 * 1024
-- How long a request that Twenty never answers is held before the connection is dropped.
local silence_seconds = 120

local json_utf8 = "application/json; charset=utf-8"

local function answer(status, body, content_type)
	return { status = status, body = body, headers = { ["Content-Type"] = content_type or json_utf8,
		["X-Powered-By"] = "Express", ["Access-Control-Allow-Origin"] = "*" } }
end

local function nest(status, kind, message)
	return answer(status, js.encode(js.from_pairs { { "message", message }, { "error", kind },
		{ "statusCode", status + 0.0 } }))
end

local function cannot(req) return nest(404, "Not Found", "Cannot " .. req.method .. " " .. req.target) end

-- Sign-in ----------------------------------------------------------------------------------------------------------

local function rest_refusal(e)
	return answer(e.status, js.encode(js.from_pairs { { "statusCode", e.status + 0.0 },
		{ "messages", js.array { e.message } }, { "error", e.error } }), "application/json")
end

local function graphql_refusal(e)
	local user = js.from_pairs { { "id", "z+7x/s" }, { "message", "You must be authenticated to perform this action." } }
	local ext = js.from_pairs { { "userFriendlyMessage", user }, { "subCode", e.error }, { "code", e.error } }
	local entry = js.from_pairs { { "message", e.message }, { "extensions", ext } }
	return answer(200, js.encode(js.from_pairs { { "errors", js.array { entry } } }))
end

local forbidden = js.encode(js.from_pairs { { "errors", js.array { js.from_pairs { { "message", "Forbidden resource" },
	{ "extensions", js.from_pairs { { "code", "FORBIDDEN" }, { "userFriendlyMessage", "An error occurred." } } } } } },
	{ "data", js.null } })

-- Bodies -----------------------------------------------------------------------------------------------------------

local function form_value(text)
	local o = js.object()
	local _, list = http.decode_query(text)
	for _, pair in ipairs(list) do js.set(o, pair[1], js.valid_utf8(pair[2])) end
	return o
end

-- The body as Express would hand it over: a value, or nil (undefined); second an answer when it cannot be read.
local function read_body(req)
	local content_type = (req.headers["content-type"] or ""):lower()
	local media = content_type:match("^%s*([^;%s]+)")
	if media == "application/x-www-form-urlencoded" then return form_value(req.body or "") end
	if media ~= "application/json" then return nil end
	local charset = content_type:match('charset="?([%w_-]+)')
	if charset and not charset:find("^utf%-?%d*") then
		return nil, answer(500, js.encode('unsupported charset "' .. charset:upper() .. '"'))
	end
	local text = js.valid_utf8(req.body or "")
	if text == "" then return js.object() end
	local value, message = js.decode(text, true)
	if value == nil then return nil, nest(400, "Bad Request", message) end
	return value
end

local has_body = { POST = true, PUT = true, PATCH = true, DELETE = true }

local function with_body(req)
	if not has_body[req.method] then return nil end
	local value, problem = read_body(req)
	req.body_value = value
	return problem
end

-- Parameters: a repeated one becomes its values joined by commas, as an array reads in a message.
local function read_args(req)
	local args = {}
	local _, list = http.decode_query(req.query or "")
	for _, pair in ipairs(list) do
		local value = js.valid_utf8(pair[2])
		args[pair[1]] = args[pair[1]] and args[pair[1]] .. "," .. value or value
	end
	req.args = args
end

-- REST -------------------------------------------------------------------------------------------------------------

local function etag(body)
	return string.format('W/"%x-%s"', #body, crypto.base64_encode(crypto.sha1(body, "raw")):sub(1, 27))
end

local function tagged(req, res)
	local tag = etag(res.body)
	res.headers["ETag"] = tag
	if req.headers["if-none-match"] == tag and (req.method == "GET" or req.method == "HEAD") then
		res.status, res.body = 304, ""
		res.headers["Content-Type"] = nil
	end
	return res
end

local function api_answer(self, e)
	if not errors.is(e) then error(e, 0) end
	if self.metadata.v1 and e.status == 404 then e.status, e.error = 400, "BadRequestException" end
	if e.limited then self.ctx.refused() end
	return answer(e.status, errors.rest_body(e))
end

local function serve_records(self, req)
	local ok, status, body = pcall(function()
		self.ctx.take()
		return rest.handle(self.ctx, req)
	end)
	if not ok then return tagged(req, api_answer(self, status)) end
	return tagged(req, answer(status, body))
end

local function serve_rest(self, req)
	local refusal = tokens.check(self.tokens, req.headers.authorization)
	local problem = with_body(req)
	if problem then return tagged(req, problem) end
	if refusal then return rest_refusal(refusal) end
	if req.path:lower():find("^/rest/metadata/") then
		return tagged(req, answer(metadata_rest.handle(self.metadata, req)))
	end
	return serve_records(self, req)
end

-- GraphQL ----------------------------------------------------------------------------------------------------------

local function hold(req)
	for _ = 1, silence_seconds do
		if req.gone() then break end
		task.sleep(1)
	end
	return { drop = true }
end

local function graphql_body(req)
	if req.method == "GET" then
		return js.from_pairs { { "query", req.args.query or "" }, { "operationName", req.args.operationName } }
	end
	local media = (req.headers["content-type"] or ""):lower():match("^%s*([^;%s]+)")
	if media ~= "application/json" then return nil, answer(415, "") end
	local problem = with_body(req)
	if problem then return nil, problem end
	if js.is_array(req.body_value) then
		return nil, answer(400, '{"errors":[{"message":"Batching is not supported."}]}')
	end
	return req.body_value
end

local function serve_graphql(self, req)
	local body, problem = graphql_body(req)
	if problem then return problem end
	local refusal = tokens.check(self.tokens, req.headers.authorization)
	if refusal and refusal.status == 401 then return graphql_refusal(refusal) end
	if type(js.get(body, "query")) ~= "string" then return hold(req) end
	-- Twenty's schema for GET requests is that of somebody who is not signed in.
	local signed_in = not refusal and req.method == "POST"
	return answer(graphql.handle(self.ctx, body, signed_in))
end

local function serve_metadata(self, req)
	local body, problem = graphql_body(req)
	if problem then return problem end
	local refusal = tokens.check(self.tokens, req.headers.authorization)
	if refusal and refusal.status == 401 then return graphql_refusal(refusal) end
	if refusal then return answer(200, forbidden) end
	if type(js.get(body, "query")) ~= "string" then return hold(req) end
	return answer(metadata_graphql.handle(self.metadata, body))
end

-- Routing ----------------------------------------------------------------------------------------------------------

local function route(self, req)
	local path = req.path:lower():gsub("/$", "")
	if req.method == "OPTIONS" then
		local res = answer(204, "")
		res.headers["Vary"], res.headers["Content-Type"] = "Access-Control-Request-Headers", nil
		res.headers["Access-Control-Allow-Methods"] = "GET,HEAD,PUT,PATCH,POST,DELETE"
		return res
	end
	if path == "/healthz" then
		return tagged(req, answer(200, '{"status":"ok","info":{},"error":{},"details":{}}'))
	end
	if path == "/graphql" then return serve_graphql(self, req) end
	if path == "/metadata" then return serve_metadata(self, req) end
	if path:find("^/rest/.") then return serve_rest(self, req) end
	local problem = with_body(req)
	return problem or cannot(req)
end

local function is_api(path)
	path = path:lower()
	return path:find("^/rest") or path:find("^/graphql") or path:find("^/metadata")
end

-- The role of the key from now on.
local function control_role(self, req)
	self.metadata.role = role.new(req.method == "POST" and json.decode(req.body) or nil)
	return { status = 200, json = {} }
end

local function counted(self, req, res)
	if not res.drop and is_api(req.path) then self.counters.requests = self.counters.requests + 1 end
	return res
end

local function handle(self, req)
	local extra = self.extra_routes[req.path]
	if extra then return extra(req) end
	if req.path == "/_sandbox/role" then return control_role(self, req) end
	read_args(req)
	return counted(self, req, route(self, req))
end

local function too_large(self, req)
	return counted(self, req, answer(500, js.encode "request entity too large"))
end

-- Starting ---------------------------------------------------------------------------------------------------------

local Server = {}
Server.__index = Server

--- What the server has answered and holds: requests, writes, refused (rate limit), people (not soft-deleted).
---@return {requests: integer, writes: integer, refused: integer, people: integer}
function Server:counts()
	local c = self.counters
	return { requests = c.requests, writes = c.writes, refused = c.refused,
		people = self.ctx.records:count(self.metadata.by_singular.person) }
end

local function context(self, o)
	local c = self.counters
	return { metadata = self.metadata, schema = self.metadata.schema,
		records = records.new(self.db, self.metadata, self.metadata.schema),
		take = ratelimit.new(o.short == nil and { tokens = 100, window_ms = 1000 } or o.short,
			o.rate == nil and { tokens = 100, window_ms = 60000 } or o.rate),
		writing = function() c.writes = c.writes + 1 end, refused = function() c.refused = c.refused + 1 end }
end

--- Starts the server. Options: dir (made when missing; its state is DIR/twenty.db), host ("127.0.0.1"), port (0: any),
--- token (an API key; else one is made and kept in dir), rate ({tokens, window_ms} or false; 100 per 60000), short (the
--- same; 100 per 1000), extra_routes ({path -> function(req) -> response}, neither counted nor signed in), emulate
--- ("v1": the release of June 2025 as far as a client of contacts meets it; facts, section 12).
---@param o table
---@return {port: integer, url: string, token: string, stats: fun(): table, stop: fun()}
function M.start(o)
	file.make_folder(o.dir)
	local db = sqlite.open(o.dir .. "/twenty.db", { synchronous = "off" })
	local self = setmetatable({ db = db, counters = { requests = 0, writes = 0, refused = 0 },
		extra_routes = o.extra_routes or {} }, Server)
	local v1 = o.emulate == "v1"
	self.metadata = metadata.open(db, v1)
	self.metadata.role = role.new()
	self.tokens = tokens.open(db, o.token, v1)
	self.ctx = context(self, o)
	local ok, server = pcall(http.serve, { host = o.host or "127.0.0.1", port = o.port or 0, max_body = max_body,
		max_head = max_head, max_head_status = 431, idle_timeout = 65,
		handler = function(req) return handle(self, req) end,
		on_too_large = function(req) return too_large(self, req) end })
	if not ok then
		db:close()
		error(server, 0)
	end
	return { port = server.port, url = server.url, token = self.tokens.token, stats = function() return self:counts() end,
		stop = function()
			server:stop()
			db:close()
		end }
end

return M

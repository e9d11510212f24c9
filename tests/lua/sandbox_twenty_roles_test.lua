-- What a key may do whose role is restricted: the sandbox answers as a real Twenty 2.21 did, role by role
-- (tests/recordings/twenty-roles.jsonl: the role, the request, the answer).
local file = require "syncrun.file"
local http = require "syncrun.http"
local json = require "syncrun.json"
local lib = require "lua.lib.twenty"
local t = require "syncrun.test"

local RECORDINGS = "tests/recordings/twenty-roles.jsonl"

local function each_exchange()
	local exchanges = {}
	for line in file.read(RECORDINGS):gmatch "[^\n]+" do exchanges[#exchanges + 1] = json.decode(line) end
	return exchanges
end

local function ask(client, token, exchange)
	local res = client:request { method = exchange.query and "POST" or "GET", path = exchange.path,
		headers = { Authorization = "Bearer " .. token },
		json = exchange.query and { query = exchange.query, variables = exchange.variables } or nil }
	return { status = res.status, answer = res:json() }
end

t.test("the sandbox's Twenty denies what the real one denied, in its words", function()
	local seen = 0
	lib.ready(function(_, _, server)
		local client = http.client { base_url = server.url }
		for i, exchange in ipairs(each_exchange()) do
			client:request { method = "POST", path = "/_sandbox/role", json = exchange.role }
			t.eq(ask(client, server.token, exchange), { status = exchange.status, answer = exchange.answer },
				("exchange %d"):format(i))
			seen = seen + 1
		end
		t.eq(server.stats().people, 0)
	end)
	t.eq(seen, 108)
end)

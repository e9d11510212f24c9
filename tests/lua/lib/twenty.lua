-- Twenty in tests: a fresh workspace of the sandbox, or scripted answers; batches and people to write. It judges nothing but
-- check_equal.
local http = require "syncrun.http"
local mapping = require "syncrun.model.mapping"
local rows = require "syncrun.rows"
local t = require "syncrun.test"
local twenty = require "syncrun.systems.twenty"

local M = {}

M.MAPPING = mapping.load "scripts/contacts/mapping.lua"

--- The system over the mapping that ships, without a pace and without waiting between retries.
function M.system(url, key, more, its_mapping)
	local config = { url = url, key = key, rate = false, retry = { tries = 3, base = 0.001 } }
	for k, v in pairs(more or {}) do config[k] = v end
	return twenty.new(config, its_mapping or M.MAPPING)
end

--- A fresh workspace: fn(system, rest, server) with REST as the second way to look.
function M.workspace(fn, config, options)
	local pipe <close> = assert(io.popen "mktemp -d /tmp/syncrun-twenty-XXXXXX")
	local dir = pipe:read "l"
	local o = { dir = dir, rate = false, short = false }
	for k, v in pairs(options or {}) do o[k] = v end
	local server = require "sandbox.twenty".start(o)
	local target = M.system(server.url, server.token, config)
	local client = http.client { base_url = server.url, headers = { Authorization = "Bearer " .. server.token } }
	local function rest(method, path, o2)
		local request = { method = method, path = "/rest" .. path }
		for k, v in pairs(o2 or {}) do request[k] = v end
		local res = client:request(request)
		return res:json(), res.status
	end
	local ok, e = pcall(fn, target, rest, server)
	server.stop()
	os.execute("rm -r " .. dir)
	if not ok then error(e, 0) end
end

--- The same, set up.
function M.ready(fn, config, options)
	M.workspace(function(target, rest, server)
		target:setup(true)
		return fn(target, rest, server)
	end, config, options)
end

--- Scripted answers: `script` is a list of answers in turn (the last one repeats) or a function(req, n).
function M.scripted(script, fn, config, its_mapping)
	local requests = {}
	local server = http.serve { handler = function(req)
		requests[#requests + 1] = req
		if type(script) == "function" then return script(req, #requests) end
		return script[math.min(#requests, #script)]
	end }
	local ok, e = pcall(fn, M.system(server.url, "the-key", config, its_mapping), requests)
	server:stop()
	if not ok then error(e, 0) end
end

--- The answer of the metadata with a person of these fields.
function M.person_object(fields)
	return { status = 200, json = { data = { objects = { { id = "o-1", nameSingular = "person", fields = fields } } } } }
end

--- A batch to write of contacts of a model.
function M.batch_of(target, list, its_mapping)
	local page = rows.new((its_mapping or M.MAPPING):schema())
	for _, fields in ipairs(list) do page:add(fields) end
	return { model = page, rows = rows.plan(page:schema(), target:projection()):apply(page) }
end

function M.states(outcomes)
	local list = {}
	for i, outcome in ipairs(outcomes) do list[i] = outcome.state end
	return list
end

function M.create(target, list)
	return target:write(M.batch_of(target, list), "create")
end

function M.keys_of(list)
	local keys = {}
	for i, fields in ipairs(list) do keys[i] = fields.contact_id end
	return keys
end

--- The rows of `found` in the order of the keys.
function M.in_order(found, keys)
	local at = {}
	for i = 1, #found do at[found:text(i, "contactId")] = i end
	local indices = {}
	for i, key in ipairs(keys) do indices[i] = t.ok(at[key], key .. " is not there") end
	return found:pick(indices)
end

function M.update(target, list)
	local batch = M.batch_of(target, list)
	batch.actual = M.in_order(target:fetch(M.keys_of(list)), M.keys_of(list))
	return target:write(batch, "update")
end

--- All rows of some pages.
function M.all_of(pages)
	local result
	for page in pages do
		result = result or rows.new(page:schema())
		for i = 1, #page do result:append(page, i) end
	end
	return result
end

--- Every expected row is there and equal, and nothing else is.
function M.check_equal(target, list)
	local batch = M.batch_of(target, list)
	local found = M.all_of(target:scan())
	t.eq(#found, #list)
	found = M.in_order(found, M.keys_of(list))
	for i = 1, #list do t.eq(rows.diff(batch.rows, i, found, i), {}, list[i].contact_id) end
	return found
end

--- n contacts that differ in everything.
function M.numbered(n)
	local list = {}
	for i = 1, n do
		list[i] = {
			contact_id = ("c-%05d"):format(i), canonical_name = ("First%d de la Last%d"):format(i, i),
			last_name = ("de la Last%d"):format(i), email = ("p.%d@example.com"):format(i), job_title = "Engineer",
			phone = ("+1202555%04d"):format(i % 10000), category_code = "A", is_me = false,
		}
	end
	return list
end

return M

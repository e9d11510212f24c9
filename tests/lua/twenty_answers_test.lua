-- Answers that no Twenty should give, and some does: values of any type in any place, walks without an end, a rate limit that
-- never lifts. Each ends in an error that says what is wrong with the server, soon, and never in a fault of ours.
local err = require "syncrun.err"
local json = require "syncrun.json"
local lib = require "lua.lib.twenty"
local mapping = require "syncrun.model.mapping"
local patient = require "lua.lib.patient"
local t = require "syncrun.test"
local task = require "syncrun.task"

local MAPPING = mapping.compile { key = "contact_id", fields = {
	{ "contact_id", "text", to = { twenty = { "contactId", "TEXT", unique = true } } },
	{ "canonical_name", "text", to = { twenty = { "name", "FULL_NAME" } } },
	{ "email", "text", to = { twenty = { "emails", "EMAILS" } } },
	{ "phone", "text", to = { twenty = { "phones", "PHONES" } } },
	{ "category", "text", to = { twenty = { "categoryCode", "SELECT", options = { "A", "B" } } } },
	{ "context", "json", to = { twenty = { "llmContext", "RAW_JSON" } } },
} }

local function test(name, fn)
	t.test("twenty's answers: " .. name, fn)
end

-- ---- answers as they should be

local function fields()
	local list = json.array {}
	for i, column in ipairs { { "contactId", "TEXT", true }, { "name", "FULL_NAME" }, { "emails", "EMAILS" },
		{ "phones", "PHONES" }, { "categoryCode", "SELECT" }, { "llmContext", "RAW_JSON" } } do
		list[i] = { id = "f-" .. i, name = column[1], type = column[2], isActive = true, isUnique = column[3] or false,
			options = column[2] == "SELECT" and { { id = "o", value = "A", label = "A", position = 0, color = "red" } } or nil }
	end
	return list
end

local function objects()
	return { data = { objects = json.array { { id = "o-1", nameSingular = "person", fields = fields() } } },
		pageInfo = { hasNextPage = false, endCursor = "x" }, totalCount = 1 }
end

local function person(i)
	return { id = "id-" .. i, deletedAt = json.null, contactId = "c-" .. i, name = { firstName = "A", lastName = "B" },
		emails = { primaryEmail = "a@b.cc", additionalEmails = json.array { "x@y.zz" } },
		phones = { primaryPhoneCallingCode = "+1", primaryPhoneNumber = "2025550123", additionalPhones = json.array {} },
		categoryCode = "A", llmContext = { a = 1 }, updatedAt = "2026-01-02T03:04:05.678Z",
		updatedBy = { source = "API", name = "k" } }
end

-- A page of the people from..to.
local function people(from, to, o)
	local edges = json.array {}
	for i = from, to do edges[#edges + 1] = { node = person(i) } end
	return { data = { people = { totalCount = o.total, edges = edges,
		pageInfo = { hasNextPage = o.cursor ~= nil, endCursor = o.cursor or json.null } } } }
end

local function made()
	return { data = { createPeople = json.array { { id = "id-1", contactId = "c-1", deletedAt = json.null } } } }
end

local function refusal()
	return { data = { createPeople = json.null }, errors = json.array { { message = "Data validation error.",
		extensions = { code = "INTERNAL_SERVER_ERROR", subCode = "X", userFriendlyMessage = "u" } } } }
end

local function rest_refusal()
	local reasons = json.array { { code = "c", message = "m" } }
	return { statusCode = 400, error = "BadRequestException", messages = json.array { "bad" }, message = "bad", code = "X",
		errors = { fieldMetadata = json.array { { status = "fail", errors = reasons } } } }
end

-- ---- any type in any place

local ODD = { json.null, 5, -1.5, "x", "", true, false, json.array {}, json.object {}, json.array { 5 },
	json.array { "x" }, json.array { json.null }, { a = 1 } }

-- Every place in a value: fn(container, name).
local function each_place(value, fn)
	local names = {}
	for name in pairs(value) do names[#names + 1] = name end
	for _, name in ipairs(names) do
		fn(value, name)
		if type(value[name]) == "table" then each_place(value[name], fn) end
	end
end

-- act(target) with each place of the answer exchanged for each odd value, and left out: how often it went well, and not.
local function sweep(answer, status, act)
	local text, good, bad = nil, 0, 0
	lib.scripted(function(req)
		if type(text) == "function" then return text(req) end
		return { status = status, body = text }
	end, function(target, requests)
		local holder = { whole = answer }
		local function try(what)
			text = json.encode(holder.whole)
			local before = #requests
			local _, e = err.try(act, target, function(answers) text = answers(text) end)
			t.ok(not e or (e.kind ~= "script" and e.kind ~= "internal"), what .. ": " .. (e and e.message or ""))
			t.ok(not e or #e.message > 0, what .. ": no message")
			t.ok(#requests - before < 20, ("%s: %d requests"):format(what, #requests - before))
			if e then bad = bad + 1 else good = good + 1 end
		end
		each_place(holder, function(container, name)
			local kept = container[name]
			for _, odd in ipairs(ODD) do
				container[name] = odd
				try(("%s = %s"):format(name, json.encode(odd)))
			end
			if type(name) == "string" and container ~= holder then
				container[name] = nil
				try(("without %s"):format(name))
			end
			container[name] = kept
		end)
	end, nil, MAPPING)
	return good, bad
end

local ONE = { { contact_id = "c-1", canonical_name = "A B", email = "a@b.cc", phone = "+12025550123", category = "A" } }

test("metadata of any types is a problem named or a system out of reach, never a fault", function()
	local good, bad = sweep(objects(), 200, function(target) return target:check() end)
	t.ok(good > 100 and bad > 100, ("%d good, %d bad"):format(good, bad))
end)

-- People are read while the metadata is as it should be.
local function with_metadata(act)
	return function(target, answers)
		answers(function(text)
			return function(req)
				if req.method == "GET" then return { status = 200, json = objects() } end
				return { status = 200, body = text }
			end
		end)
		return act(target)
	end
end

test("people of any types", function()
	local good, bad = sweep(people(1, 2, { total = 2 }), 200, with_metadata(function(target)
		target:close()
		local found = lib.all_of(target:scan())
		target:fetch { "c-1", "c-2" }
		for i = 1, #found do
			t.ok(found:text(i, "id"))
			target:edited(found, i)
		end
	end))
	t.ok(good > 100 and bad > 100, ("%d good, %d bad"):format(good, bad))
end)

test("an update of people of any types", function()
	sweep(people(1, 1, { total = 1 }), 200, with_metadata(function(target)
		target.writer.demoted = { ["c-1"] = "q@b.cc" }
		local batch = lib.batch_of(target, ONE, MAPPING)
		batch.actual = target:fetch { "c-1" }
		if #batch.actual == 1 then target:write(batch, "update") end
	end))
end)

local function create(target)
	return target:write(lib.batch_of(target, ONE, MAPPING), "create")
end

test("what a write is answered, of any types: never a contact's fault when it cannot be read", function()
	local good, bad = sweep(made(), 200, function(target)
		local outcomes, e = err.try(create, target)
		if e then
			t.ok(e.unknown or e.reject or e.exit == 3, e.message)
			err.raise(e)
		end
		t.eq(#outcomes, 1)
	end)
	t.ok(good > 10 and bad > 10)
	lib.scripted({ { status = 200, json = { data = json.object {} } } }, function(target)
		local e = t.raises(function() create(target) end, "without people")
		t.eq({ e.unknown, e.reject, e.exit }, { true, nil, 3 })
	end, nil, MAPPING)
end)

test("refusals of any types", function()
	for _, status in ipairs { 200, 400, 403, 500 } do
		sweep(refusal(), status, create)
		sweep(rest_refusal(), status, create)
		sweep(rest_refusal(), status, function(target) return target:setup(true) end)
	end
	for _, body in ipairs { "5", '"errors"', "null", "[]", '["errors"]', "", "{", '{"errors":"no"}' } do
		for _, status in ipairs { 200, 400, 500 } do
			lib.scripted({ { status = status, body = body } }, function(target)
				for _, act in ipairs { create, target.check, function() target.writer:mutate("m", {}) end } do
					local _, e = err.try(act, target)
					t.ok(not e or e.kind ~= "script", body .. " " .. (e and e.message or ""))
				end
			end, nil, MAPPING)
		end
	end
end)

-- ---- walks without an end

-- A scan of what page(n) gives for the n-th call: its error, and the calls it took.
local function walk(page, most)
	local calls, e, read = 0, nil, 0
	lib.scripted(function(req)
		if req.method == "GET" then return { status = 200, json = objects() } end
		calls = calls + 1
		t.ok(calls <= most, "it does not end")
		return { status = 200, json = page(calls, json.decode(req.body)) }
	end, function(target)
		local _
		_, e = err.try(function()
			for rows in target:scan() do read = read + #rows end
		end)
	end, nil, MAPPING)
	return e, calls, read
end

local function refused_walk(page, most, words)
	local e, calls = walk(page, most)
	t.ok(e, "no error")
	t.contains(e.message, words)
	t.eq({ e.kind, e.exit, e.retryable or false }, { "http", 3, false })
	return calls
end

test("a server that does not heed the cursor is found out by the second page", function()
	local new = refused_walk(function(n) return people(1, 3, { total = 9, cursor = "new " .. n }) end, 3, "in a circle")
	local same = refused_walk(function() return people(1, 3, { total = 9, cursor = "same" }) end, 3, "in a circle")
	t.eq({ new, same }, { 2, 2 })
end)

test("cursors that alternate, and a page that comes again after others", function()
	local turns = refused_walk(function(n)
		return people(n * 3, n * 3 + 2, { total = 900, cursor = n % 2 == 0 and "a" or "b" })
	end, 4, "in a circle")
	local back = refused_walk(function(n)
		local from = n < 4 and n * 3 or 3
		return people(from, from + 2, { total = 900, cursor = "c" .. n })
	end, 5, "in a circle")
	t.eq({ turns, back }, { 3, 4 })
end)

test("empty pages with more to come", function()
	t.eq(refused_walk(function(n) return people(1, 0, { total = 9, cursor = "c" .. n }) end, 2, "empty page"), 1)
	t.eq(refused_walk(function(n)
		return n == 1 and people(1, 3, { total = 9, cursor = "c1" }) or people(1, 0, { total = 9, cursor = "c2" })
	end, 3, "empty page"), 2)
end)

test("more people than are counted, without an end or once", function()
	local function endless(n, body)
		if body.query:find("people(first:1,", 1, true) then return people(1, 1, { total = 10 }) end
		return people(n * 4, n * 4 + 3, { total = n == 1 and 10 or nil, cursor = "c" .. n })
	end
	t.eq(refused_walk(endless, 5, "gave 12 people where it counts 10"), 4)
	refused_walk(function() return people(1, 3, { total = 2 }) end, 3, "gave 3 people where it counts 2")
end)

test("people who are added during the walk are no error; a count that always grows ends too", function()
	local e, _, read = walk(function(n, body)
		if body.query:find("people(first:1,", 1, true) then return people(1, 1, { total = 5 }) end
		return people(n * 3, n == 1 and 5 or 7, { total = n == 1 and 4 or nil, cursor = n == 1 and "c" or nil })
	end, 4)
	t.eq({ e, read }, { nil, 5 })
	local grows = walk(function(n, body)
		if body.query:find("people(first:1,", 1, true) then return people(1, 1, { total = n * 500 }) end
		return people(n * 500, n * 500 + 499, { total = n == 1 and 1 or nil, cursor = "c" .. n })
	end, 50)
	t.contains(grows.message, "people where it counts 1")
	t.eq({ grows.code, grows.exit, grows.retryable }, { "count", 3, false })
end)

test("a list of objects without an end", function()
	for _, page in ipairs {
		{ objects = json.array { { id = "o", nameSingular = "company" } }, cursor = function() return "same" end },
		{ objects = json.array {}, cursor = function(n) return "new" .. n end },
	} do
		local calls = 0
		lib.scripted(function(_, n)
			calls = n
			t.ok(n < 5, "it does not end")
			return { status = 200, json = { data = { objects = page.objects },
				pageInfo = { hasNextPage = true, endCursor = page.cursor(n) } } }
		end, function(target)
			t.eq(t.raises(function() target:check() end, "more objects, but not where").exit, 3)
		end, nil, MAPPING)
		t.ok(calls <= 2)
	end
end)

-- ---- the rate limit

local LIMITED = { status = 429, json = { statusCode = 429, error = "HttpException",
	messages = { "Limit reached (1000000 tokens per 1000 ms)" } } }

test("a rate limit that never lifts ends by number", function()
	lib.scripted({ LIMITED }, function(target, requests)
		local e = t.raises(function() create(target) end, "lets no request through")
		t.eq({ e.reject, e.unknown, e.retryable, #requests }, { nil, nil, false, 200 })
		t.contains(e.message, "refused 200 times")
	end, { retry = { tries = 3, base = 0.00001 } }, MAPPING)
end)

test("a rate limit that never lifts is told of, and ends by time", function()
	local told <close> = patient.after(0.01)
	lib.scripted({ LIMITED }, function(target, requests)
		local e = t.raises(function() create(target) end, "lets no request through")
		t.contains(e.message, ("refused %d times in 0 s"):format(#requests))
		t.ok(#requests > 1 and #requests < 200, ("%d requests"):format(#requests))
	end, { limit_budget = 0.1, retry = { tries = 3, base = 0.01 } }, MAPPING)
	t.contains(told[1], "waiting for 'twenty' to answer POST /graphql (0 s so far")
	t.contains(told[#told], "; last: Limit reached (1000000 tokens per 1000 ms))")
end)

test("a limit that lets a request through too seldom is said at once", function()
	lib.scripted({ { status = 429, json = { messages = { "Limit reached (1 tokens per 86400000 ms)" } } } },
		function(target, requests)
			t.raises(function() create(target) end, "refused 1 time, one request every 87869 s")
			t.eq(#requests, 1)
		end, nil, MAPPING)
end)

test("waiting for the limit can be cancelled at any time", function()
	lib.scripted({ LIMITED }, function(target)
		t.eq(t.raises(function() task.timeout(0.05, create, target) end).code, "deadline")
	end, { retry = { tries = 3, base = 60 } }, MAPPING)
end)

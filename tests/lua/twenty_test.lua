-- Twenty as a target: against the sandbox's server, and against scripted answers as the real one gave them
-- (facts/twenty.md, facts/recordings).
local err = require "syncrun.err"
local http = require "syncrun.http"
local json = require "syncrun.json"
local mapping = require "syncrun.model.mapping"
local pace = require "syncrun.systems.twenty.pace"
local ratelimit = require "sandbox.twenty.ratelimit"
local rows = require "syncrun.rows"
local lib = require "lua.lib.twenty"
local log = require "syncrun.log"
local t = require "syncrun.test"
local task = require "syncrun.task"
local time = require "syncrun.time"
local twenty = require "syncrun.systems.twenty"

local MAPPING, system, workspace, ready, scripted = lib.MAPPING, lib.system, lib.workspace, lib.ready, lib.scripted
local person_object, batch_of, states, create = lib.person_object, lib.batch_of, lib.states, lib.create
local update, keys_of, in_order, all_of = lib.update, lib.keys_of, lib.in_order, lib.all_of
local check_equal, numbered = lib.check_equal, lib.numbered

local function test(name, fn)
	t.test("twenty: " .. name, fn)
end

-- ---- set-up

test("a fresh workspace lacks the mapped fields; set-up makes them once", function()
	workspace(function(target, rest)
		local problems = target:check()
		t.ok(#problems > 20)
		t.eq(problems[1].what, "field person.contactId is missing")
		for _, shown in ipairs(target:setup(false)) do t.eq(shown.done, false) end
		t.eq(#target:check(), #problems)
		for _, made in ipairs(target:setup(true)) do t.ok(made.done, made.what) end
		t.eq(target:check(), {})
		t.eq(target:setup(true), {})
		local person
		for _, object in ipairs(rest("GET", "/metadata/objects?limit=200").data.objects) do
			if object.nameSingular == "person" then person = object end
		end
		local by_name = {}
		for _, field in ipairs(person.fields) do by_name[field.name] = field end
		t.eq(by_name.contactId.isUnique, true)
		t.eq(by_name.contactId.label, "Contact ID")
		t.eq(by_name.firstSeen.type, "DATE_TIME")
		t.eq(#by_name.categoryCode.options, 9)
		t.eq(by_name.categoryCode.options[1].value, "A")
	end)
end)

test("wrong types, deactivated fields, missing options and a key that is not unique are named", function()
	workspace(function(target, rest)
		local person
		for _, object in ipairs(rest("GET", "/metadata/objects?limit=200").data.objects) do
			if object.nameSingular == "person" then person = object.id end
		end
		local function field(o)
			o.objectMetadataId, o.label = person, o.name
			return rest("POST", "/metadata/fields", { json = o }).data.createOneField
		end
		field { name = "contactId", type = "TEXT" }
		field { name = "birthday", type = "TEXT" }
		local notes = field { name = "notes", type = "TEXT" }
		rest("PATCH", "/metadata/fields/" .. notes.id, { json = { isActive = false } })
		local select = field { name = "categoryCode", type = "SELECT",
			options = { { value = "X", label = "Other", position = 0, color = "red" } } }
		local what = {}
		for _, problem in ipairs(target:check()) do what[#what + 1] = problem.what end
		what = table.concat(what, "\n")
		t.contains(what, "person.contactId is not unique")
		t.contains(what, "person.birthday is of type TEXT, the mapping needs DATE")
		t.contains(what, "person.notes is deactivated")
		t.contains(what, "person.categoryCode lacks the options A, B, C, D, E, F, G, H")
		local open = {}
		for _, made in ipairs(target:setup(true)) do
			if not made.done then open[#open + 1] = made.what end
		end
		t.eq(#open, 2, table.concat(open, "\n"))
		t.eq(#target:check(), 2)
		local list = rest("GET", "/metadata/fields/" .. select.id)
		list = (list.data.field or list.data).options
		t.eq(#list, 9)
		t.eq(list[1].id, select.options[1].id)
		t.eq(list[1].label, "Other")
	end)
end)

test("fields of set-up look made by a person: label, description, icon; no second Notes by Twenty's own", function()
	local own = mapping.compile { key = "contact_id", fields = {
		{ "contact_id", "text", to = { twenty = { "contactId", "TEXT", unique = true } } }, { "llm_context", "json" },
		{ "ai_insights", "json", source = "insights" }, { "notes", "text" }, { "is_me", "bool" },
		{ "seen_at", "timestamp", own = "once" }, { "first_name", "text", to = { twenty = { "firstNamePart", "TEXT" } } },
		{ "tier", "text", to = { twenty = { "tier", label = "Level", description = "Of the club", icon = "IconStar" } } },
	} }
	workspace(function(_, rest, server)
		system(server.url, server.token, { source_label = "BigQuery" }, own):setup(true)
		local looks = {}
		for _, object in ipairs(rest("GET", "/metadata/objects", { query = { limit = 200 } }).data.objects) do
			for _, f in ipairs(object.nameSingular == "person" and object.fields or {}) do
				looks[f.name] = { f.label, f.description, f.icon }
			end
		end
		t.eq(looks.contactId, { "Contact ID", "Synced from BigQuery: contact_id", "IconKey" })
		t.eq(looks.llmContext, { "LLM context", "Synced from BigQuery: llm_context", "IconBraces" })
		t.eq(looks.aiInsights, { "AI insights", "Synced from BigQuery: insights", "IconBraces" })
		t.eq(looks.notes, { "Notes (BigQuery)", "Synced from BigQuery: notes", "IconTypography" })
		t.eq(looks.noteTargets[1], "Notes")
		t.eq(looks.isMe, { "Is me", "Synced from BigQuery: is_me", "IconCheckbox" })
		t.eq(looks.seenAt, { "Seen at", "Filled from BigQuery when the person is made: seen_at", "IconCalendarClock" })
		t.eq(looks.firstNamePart[1], "First name")
		t.eq(looks.tier, { "Level", "Of the club", "IconStar" })
	end)
end)

test("a server that ignores isUnique is refused with a clear word", function()
	local fields = json.array {}
	local function answer(req)
		if req.method == "GET" then return person_object(fields) end
		local input = json.decode(req.body)
		fields[#fields + 1] = { id = "f", name = input.name, type = input.type, isActive = true, options = input.options }
		return { status = 201, json = { data = { createOneField = fields[#fields] } } }
	end
	scripted(answer, function(target)
		for _, name in ipairs { "name", "emails", "phones" } do
			fields[#fields + 1] = { id = name, name = name, isActive = true, isUnique = false,
				type = ({ name = "FULL_NAME", emails = "EMAILS", phones = "PHONES" })[name] }
		end
		local left = {}
		for _, made in ipairs(target:setup(true)) do
			if not made.done then left[#left + 1] = made.what end
		end
		t.contains(left[1], "this server knows no unique fields")
		t.eq(left[2], "field person.nameNormalized is missing")
		t.eq(#fields, 4) -- nothing but the key was made
	end)
end)

test("fields are made four at a time after the key, and each is told as it is made", function()
	local fields, under_way, most, told = json.array {}, 0, 0, {}
	for _, name in ipairs { "name", "emails", "phones" } do
		fields[#fields + 1] = { id = name, name = name, isActive = true, isUnique = false,
			type = ({ name = "FULL_NAME", emails = "EMAILS", phones = "PHONES" })[name] }
	end
	local info = log.info
	log.info = function(format, ...) told[#told + 1] = format:format(...) end
	local ok, e = pcall(scripted, function(req)
		if req.method == "GET" then return person_object(fields) end
		local input = json.decode(req.body)
		under_way = under_way + 1
		most = math.max(most, under_way)
		task.sleep(0.01)
		under_way = under_way - 1
		fields[#fields + 1] = { id = input.name, name = input.name, type = input.type, isActive = true,
			isUnique = input.isUnique or false, options = input.options }
		return { status = 201, json = { data = { createOneField = fields[#fields] } } }
	end, function(target)
		for _, made in ipairs(target:setup(true)) do t.ok(made.done, made.what) end
		t.eq(target:check(), {})
	end)
	log.info = info
	t.ok(ok, tostring(e))
	t.eq(most, 4)
	t.eq({ #told, told[1] }, { #fields - 3, "CRM: field person.contactId made (TEXT, unique)" })
end)

test("the bare metadata format is read too", function()
	scripted({ { status = 200, json = json.array { { id = "o-1", nameSingular = "person", fields = json.array {} } } } },
		function(target) t.eq(target:check()[1].what, "field person.contactId is missing") end)
end)

test("a refused field is reported with the server's words", function()
	local refusal = { status = 400, json = { statusCode = 400, error = "METADATA_VALIDATION_ERROR",
		message = "Multiple validation errors occurred while creating fields", errors = { fieldMetadata = { { status = "fail",
			errors = { { code = "RESERVED_KEYWORD", message = 'Name "x" is reserved' } } } } } } }
	scripted(function(req) return req.method == "GET" and person_object(json.array {}) or refusal end, function(target)
		t.contains(target:setup(true)[1].what, '(Name "x" is reserved)')
	end)
end)

-- ---- reach

test("a refused key and a server out of reach are one clear message with exit 3", function()
	workspace(function(_, _, server)
		local e = t.raises(function() system(server.url, "rubbish"):check() end, "http")
		t.eq({ e.code, e.exit }, { "401", 3 })
		t.contains(e.message, "'twenty' refused the API key (Token invalid.)")
		e = t.raises(function() system(server.url, "rubbish"):fetch { "1" } end, "http")
		t.eq(e.exit, 3)
	end)
	scripted({ { status = 403, json = { statusCode = 403, messages = { "This API Key is revoked" },
		error = "FORBIDDEN_EXCEPTION" } } }, function(target)
		local e = t.raises(function() target:check() end, "This API Key is revoked")
		t.eq({ e.code, e.exit }, { "403", 3 })
	end)
	local gone = http.serve { handler = function() return {} end }
	gone:stop()
	local e = t.raises(function() system(gone.url, "k"):check() end, "http")
	t.eq(e.exit, 3)
end)

test("a page in the place of an answer is a proxy's, a login's, or another server's, not Twenty's refusal", function()
	local page = "<!DOCTYPE html><html><head><title>Just a moment...</title></head></html>"
	local html, plain = { ["Content-Type"] = "text/html", Server = "cloudflare" }, { ["Content-Type"] = "text/plain" }
	for _, answer in ipairs {
		{ status = 403, body = page, headers = html }, { status = 401, body = page, headers = html },
		{ status = 404, body = page, headers = html }, { status = 200, body = page, headers = html },
		{ status = 302, body = "", headers = { Location = "https://login.example/" } },
		{ status = 407, body = page, headers = html },
		{ status = 404, body = "404 page not found", headers = plain }, { status = 403, body = "Forbidden", headers = plain },
		{ status = 404, json = { message = "Cannot POST /graphql", error = "Not Found", statusCode = 404 } },
	} do
		scripted({ answer }, function(target, requests)
			for i, act in ipairs { function() target:check { write = true } end, function() create(target, numbered(2)) end } do
				local e = t.raises(act, ("somebody else answers for 'twenty' (HTTP %d, "):format(answer.status))
				t.eq({ e.exit, e.reject, e.unknown }, { 3, nil, i == 2 and answer.status == 200 or nil })
				if answer.headers == html then
					t.contains(e.message, "an HTML page titled 'Just a moment...' by cloudflare")
				end
			end
			t.eq(#requests, 2)
		end)
	end
	scripted({ { status = 503, body = page, headers = html } }, function(target, requests)
		local e = t.raises(function() target:check { write = true } end, "is in trouble (HTTP 503")
		t.contains(e.message, "titled 'Just a moment...'")
		t.eq(#requests, 3)
	end)
end)

test("a request that is too large for the server or a proxy before it is for parts", function()
	for _, answer in ipairs { { status = 413, body = "<html>413 Request Entity Too Large</html>" },
		{ status = 500, body = '"request entity too large"' } } do
		scripted({ answer }, function(target)
			local e = t.raises(function() create(target, numbered(2)) end, "takes no request of this size")
			t.eq({ e.reject, e.split, e.exit }, { true, true, nil })
		end)
	end
end)

test("a key that is refused in GraphQL's ways", function()
	local function graphql_error(message, code, subcode)
		return { status = 200, json = { data = json.null, errors = { { message = message,
			extensions = code and { code = code, subCode = subcode } } } } }
	end
	for _, answer in ipairs {
		graphql_error("Token invalid.", "UNAUTHENTICATED", "UNAUTHENTICATED"),
		graphql_error("This API Key is revoked", "FORBIDDEN", "FORBIDDEN_EXCEPTION"),
		graphql_error 'Cannot query field "createPeople" on type "Query".',
	} do
		scripted({ answer }, function(target)
			local e = t.raises(function() create(target, numbered(1)) end, "refused the API key")
			t.eq({ e.exit, e.reject, e.unknown }, { 3, nil, nil })
		end)
	end
	scripted({ graphql_error("Entity performing the request does not have permission", "FORBIDDEN", "PERMISSION_DENIED") },
		function(target)
			local e = t.raises(function() create(target, numbered(1)) end, "does not let this API key do it (Entity performing")
			t.eq({ e.exit, e.denied, e.reject, e.unknown }, { 3, true, nil, nil })
		end)
end)

-- ---- people

test("450 people are made in batches and come back equal", function()
	ready(function(target, rest, server)
		local list = numbered(450)
		for from = 1, 450, 200 do
			local part = table.move(list, from, math.min(from + 199, 450), 1, {})
			for _, state in ipairs(states(create(target, part))) do t.eq(state, "written") end
		end
		t.eq(server.stats().people, 450)
		local one = rest("GET", '/people?filter=contactId%5Beq%5D%3A%22c-00007%22').data.people[1]
		t.eq(one.name, { firstName = "First7", lastName = "de la Last7" })
		t.eq(one.emails.primaryEmail, "p.7@example.com")
		t.eq(one.phones.primaryPhoneCallingCode .. one.phones.primaryPhoneNumber, "+12025550007")
		t.eq(one.categoryCode, "A")
		t.eq(one.birthday, json.null)
		check_equal(target, list)
		local before = server.stats().requests
		target:fetch(keys_of(list))
		t.eq(server.stats().requests - before, 1)
	end)
end)

test("folds come back equal", function()
	ready(function(target)
		local list = {
			{ contact_id = "1", canonical_name = "Åsa" },
			{ contact_id = " 2 ", canonical_name = "  Two  Spaces ", notes = "", email = "Ada@EXAMPLE.Com",
				phone = "+33 6 12 34 56 78", communication_stats = "{ }", created_at = 1767323045123456,
				llm_context = '{"b":[1.10,1e3],"a":null,"c":{"":"\\u00e9"}}' },
			{ contact_id = "3", canonical_name = "Q O'Neil, Jr.", last_name = "O'Neil", notes = "line\nline\ttab \"q\" \\ 😀",
				birthday = "0001-01-01", is_me = true, created_at = -62135596800000000, updated_at = -1,
				recommendations = "[]", category_code = "X" },
		}
		for _, state in ipairs(states(create(target, list))) do t.eq(state, "written") end
		local found = check_equal(target, list)
		t.eq(found[2].llmContext ~= nil, true)
		t.eq(found[2].communicationStats, nil)
		t.eq(found[2]["emails.primaryEmail"], "ada@example.com")
		t.eq(found[2]["phones.primaryPhoneNumber"], "+33612345678")
		t.eq(found[2].contactCreatedAt, 1767323045123000)
		t.eq(found[1].notes, "")
		local batch = batch_of(target, list)
		local order = { 2, 1, 3 } -- bytes of " 2 ", "1", "3"
		local m = rows.merger(batch.rows:schema(), found:schema(), "contactId")
		m:expected(batch.rows:pick(order))
		m:actual(found:pick(order))
		local same = 0
		while true do
			local need = m:step()
			local got = m:take()
			same = same + got.same
			t.eq({ #got.differ, #got.missing, #got.extra, #got.again }, { 0, 0, 0, 0 })
			if need == "done" then break end
			m[need](m, nil)
		end
		t.eq(same, 3)
	end)
end)

test("a trunk prefix after the calling code is dropped, as Twenty's library does; an Italian zero stays",
	function()
		ready(function(target)
			local list, stored = {}, {
				["+4402079460958"] = "+442079460958", ["+33 06 12 34 56 78"] = "+33612345678", ["+390669812345"] = "+390669812345",
				["+3606 1 234 5678"] = "+3612345678", ["+7 8 912 345 67 89"] = "+79123456789", ["+34612345678"] = "+34612345678",
				["+1 1 202 555 0123"] = "+12025550123", ["+49 0151 23456789"] = "+4915123456789",
			}
			for phone in pairs(stored) do
				list[#list + 1] = { contact_id = phone, canonical_name = "T", phone = phone }
			end
			for _, state in ipairs(states(create(target, list))) do t.eq(state, "written") end
			local found = check_equal(target, list)
			for i, fields in ipairs(list) do
				t.eq(found[i]["phones.primaryPhoneNumber"], stored[fields.phone])
			end
		end)
	end)

test("what Twenty cannot hold is known before it is sent", function()
	scripted({ {} }, function(target)
		local batch = batch_of(target, {
			{ contact_id = "1", canonical_name = "A", email = "no address", phone = "202 224 3441", category_code = "Z",
				notes = "a\0b", llm_context = "[12345678901234567890]", recommendations = '"text"' },
		})
		local fates = {}
		for _, fate in ipairs(batch.rows:fates(1)) do
			if fate.fate ~= "folded" then fates[fate.column] = fate.fate end
		end
		t.eq(fates, { ["emails.primaryEmail"] = "rejected", ["phones.primaryPhoneNumber"] = "rejected",
			categoryCode = "rejected", notes = "lost", llmContext = "lost", recommendations = "rejected" })
	end)
end)

test("an update keeps additional e-mails and telephones, and what we do not map", function()
	ready(function(target, rest)
		create(target, numbered(3))
		local id = rest("GET", '/people?filter=contactId%5Beq%5D%3A%22c-00002%22').data.people[1].id
		rest("PATCH", "/people/" .. id, { json = {
			linkedinLink = { primaryLinkUrl = "https://www.linkedin.com/in/x" },
			emails = { primaryEmail = "p.2@example.com", additionalEmails = { "other@example.com" } },
			phones = { primaryPhoneNumber = "+12025550002",
				additionalPhones = { { number = "2025550123", countryCode = "US", callingCode = "+1" } } } } })
		local list = numbered(3)
		for _, fields in ipairs(list) do fields.job_title = "Chief" end
		list[2].phone, list[3].phone, list[3].email = "+33612345678", nil, nil
		t.eq(states(update(target, list)), { "written", "written", "written" })
		check_equal(target, list)
		local person = rest("GET", "/people/" .. id).data.person
		t.eq(person.jobTitle, "Chief")
		t.eq(person.emails, { primaryEmail = "p.2@example.com", additionalEmails = { "other@example.com" } })
		t.eq(person.phones.primaryPhoneCountryCode, "FR")
		t.eq(person.phones.additionalPhones, { { number = "2025550123", countryCode = "US", callingCode = "+1" } })
		t.contains(person.linkedinLink.primaryLinkUrl, "linkedin.com/in/x")
	end)
end)

test("fields owned once or by the target are left alone by an update", function()
	local owned = mapping.compile { key = "contact_id", fields = {
		{ "contact_id", "text", to = { twenty = { "contactId", "TEXT", unique = true } } },
		{ "canonical_name", "text", to = { twenty = { "name", "FULL_NAME" } } },
		{ "job_title", "text", own = "once", to = { twenty = { "jobTitle", "TEXT" } } },
		{ "notes", "text", own = "target" },
		{ "vip_level", "int64" },
		{ "other", "text", to = { twenty = false } },
	} }
	ready(function(_, rest, server)
		local target = twenty.new({ url = server.url, key = server.token, rate = false }, owned)
		target:setup(true)
		local function batch(fields)
			local page = rows.new(owned:schema())
			page:add(fields)
			return { model = page, rows = rows.plan(page:schema(), target:projection()):apply(page) }
		end
		local one = { contact_id = "1", canonical_name = "A B", job_title = "first", notes = "ours", vip_level = 7 }
		t.eq(states(target:write(batch(one), "create")), { "written" })
		one.job_title, one.vip_level = "second", 8
		local b = batch(one)
		b.actual = target:fetch { "1" }
		t.eq(states(target:write(b, "update")), { "written" })
		local bad = batch { contact_id = "2", canonical_name = "N", vip_level = 1 }
		bad.rows:set(1, "vipLevel", 0 / 0)
		t.eq(t.raises(function() target:write(bad, "create") end, "cannot write 'vipLevel'").reject, true)
		local person = rest("GET", "/people").data.people[1]
		t.eq({ person.jobTitle, person.notes, person.vipLevel }, { "first", "", 8 })
		t.eq(target:fetch({ "1" })[1].vipLevel, 8.0)
	end)
end)

test("a soft-deleted person is read as such and revived", function()
	ready(function(target, rest, server)
		local list = numbered(2)
		create(target, list)
		local id = rest("GET", '/people?filter=contactId%5Beq%5D%3A%22c-00002%22').data.people[1].id
		rest("DELETE", "/people/" .. id .. "?soft_delete=true")
		local found = all_of(target:scan())
		t.eq(#found, 2)
		found = in_order(found, keys_of(list))
		t.eq(found[1].deletedAt, nil)
		t.eq(math.type(found[2].deletedAt), "integer")
		t.eq(states(update(target, list)), { "written", "revived" })
		t.eq(server.stats().people, 2)
		t.eq(rest("GET", "/people/" .. id).data.person.deletedAt, json.null)
		check_equal(target, list)
	end)
end)

test("people without a contactId come with an empty key", function()
	ready(function(target, rest)
		rest("POST", "/people", { json = { name = { firstName = "By", lastName = "Hand" } } })
		local found = all_of(target:scan())
		t.eq({ #found, found[1].contactId, found[1].name }, { 1, "", "By Hand" })
		t.eq(#target:fetch { "" }, 0)
	end)
end)

test("a refused batch raises reject with the server's reason, and nothing is kept", function()
	ready(function(target, _, server)
		local list = numbered(4)
		list[3].email = "user@exa mple.com"
		local e = t.raises(function() create(target, list) end, "http")
		t.eq({ e.reject, e.unknown }, { true, nil })
		t.contains(e.message, "Invalid string value 'user@exa mple.com' for email field")
		t.eq(server.stats().people, 0)
		list = numbered(4)
		create(target, list)
		e = t.raises(function() create(target, list) end, "A duplicate entry was detected")
		t.eq(e.reject, true)
		t.contains(e.message, "value is already in use")
	end)
end)

test("an update whose e-mail is another person's is refused and changes nobody", function()
	ready(function(target, rest)
		local list = numbered(2)
		create(target, list)
		list[2].email = "p.1@example.com"
		local e = t.raises(function() update(target, { list[2] }) end, "Multiple records found")
		t.eq(e.reject, true)
		t.eq(rest("GET", '/people?filter=contactId%5Beq%5D%3A%22c-00001%22').data.people[1].emails.primaryEmail,
			"p.1@example.com")
		check_equal(target, numbered(2))
	end)
end)

test("keys of any characters are found", function()
	ready(function(target)
		local list = {}
		for i, key in ipairs { "a,b", "(", "NULL", '"q"', "é😀", "[x]", "\\", "%", "9007199254740993" } do
			list[i] = { contact_id = key, canonical_name = "K" .. i }
		end
		create(target, list)
		t.eq(#target:fetch(keys_of(list)), #list)
		check_equal(target, list)
	end)
end)

test("paging follows the cursor; a page shrinks when the server cannot answer it", function()
	ready(function(target)
		local list = numbered(120)
		create(target, list)
		check_equal(target, list)
	end, { page_rows = 7 })
	ready(function(target, _, server)
		create(target, numbered(120))
		local asked = {}
		scripted(function(req)
			local body = json.decode(req.body ~= "" and req.body or "{}")
			local first = body.variables and body.variables.first
			asked[#asked + 1] = first
			if first and first > 200 then
				return { status = 200, json = { data = { people = json.null }, errors = { { message = "Query read timeout",
					extensions = { code = "INTERNAL_SERVER_ERROR" } } } } }
			end
			local res = http.request { method = req.method, url = server.url .. req.target, body = req.body,
				headers = { Authorization = "Bearer " .. server.token, ["Content-Type"] = "application/json" } }
			return { status = res.status, body = res.body }
		end, function(through)
			t.eq(#all_of(through:scan()), 120)
			t.eq(asked, { 500, 250, 200 })
		end, { page_rows = 500 })
	end)
end)

test("a scan that loses people raises; a misspelt field is found before", function()
	local fields = json.array {}
	for _, column in ipairs(system("http://127.0.0.1:1", "k"):projection()) do
		fields[#fields + 1] = { id = "f", name = column.twenty, type = column.kind }
	end
	local function page(edges, total, more)
		return { status = 200, json = { data = { people = { totalCount = total, edges = edges,
			pageInfo = { hasNextPage = more or false, endCursor = more and "c" or json.null } } } } }
	end
	scripted(function(req)
		return req.method == "GET" and person_object(fields) or page(json.array {}, 5)
	end, function(target)
		t.raises(function() all_of(target:scan()) end, "gave 0 people of the 5 it counts")
	end)
	scripted(function(req) return req.method == "GET" and person_object(fields) or page(json.array {}, 0, true) end,
		function(target) t.raises(function() all_of(target:scan()) end, "an empty page and says there are more") end)
	scripted({ person_object(json.array {}) }, function(target)
		t.raises(function() target:scan() end, "field person.contactId is missing")
	end)
end)

-- ---- batches

-- Answers a createPeople as Twenty would, shuffled; `refuse(data)` may give an error instead.
local function people_made(refuse)
	return function(req)
		local data = json.decode(req.body).variables.data
		local problem = refuse and refuse(data)
		if problem then return { status = 200, json = { data = { createPeople = json.null }, errors = { problem } } } end
		local made = json.array {}
		for i = #data, 1, -1 do
			made[#made + 1] = { id = data[i].id or "id-" .. data[i].contactId, contactId = data[i].contactId,
				deletedAt = json.null }
		end
		return { status = 200, json = { data = { createPeople = made } } }
	end
end

local function refusal(message, code, subcode, user)
	return { message = message, extensions = { code = code, subCode = subcode, userFriendlyMessage = user } }
end

test("the largest batch is learned from the error, and more is not sent", function()
	local sizes = {}
	scripted(people_made(function(data)
		sizes[#sizes + 1] = #data
		if #data > 60 then
			return refusal("Maximum number of records to upsert is 60.", "BAD_USER_INPUT", "TOO_MANY_RECORDS_TO_UPDATE")
		end
	end), function(target)
		local e = t.raises(function() create(target, numbered(150)) end, "does not take so many people at once")
		t.eq({ e.split, e.reject, target.limits.rows }, { true, true, 60 })
		for _, state in ipairs(states(create(target, numbered(60)))) do t.eq(state, "written") end
		t.raises(function() create(target, numbered(61)) end, "a request would be too large")
		t.eq(sizes, { 150, 60 })
	end)
end)

test("a batch is one request below 8 MiB, or none", function()
	local limit = 8 * 2 ^ 20 + 1000
	scripted(function(req)
		t.ok(#req.body < limit, "a body of " .. #req.body)
		return people_made()(req)
	end, function(target, requests)
		local list = numbered(12)
		for _, fields in ipairs(list) do fields.notes = ("x"):rep(2 ^ 20) end
		t.eq(t.raises(function() create(target, list) end, "a request would be too large").split, true)
		t.eq(#requests, 0)
		create(target, table.move(list, 1, 7, 1, {}))
		t.eq(#requests, 1)
	end)
end)

test("an answer without a person confirms nothing of it", function()
	scripted(function(req)
		local answer = people_made()(req)
		table.remove(answer.json.data.createPeople)
		return answer
	end, function(target)
		t.eq(create(target, numbered(2)), { { state = "rejected", reason = "the server did not confirm it" },
			{ state = "written" } })
	end)
end)

test("what an error means for a write", function()
	local cases = {
		{ { status = 200, json = { data = { createPeople = json.null }, errors = { refusal("A duplicate entry was detected",
			"BAD_USER_INPUT", nil, "This Contact ID value is already in use.") } } }, "reject",
			"A duplicate entry was detected (This Contact ID value is already in use.)" },
		{ { status = 200, json = { data = { createPeople = json.null }, errors = { refusal("Data validation error.",
			"INTERNAL_SERVER_ERROR") } } }, "reject", "Data validation error." },
		{ { status = 200, json = { data = { createPeople = json.null }, errors = { refusal("Invalid string value 'bad'",
			"BAD_USER_INPUT", "INVALID_ARGS_DATA", "Invalid value: \"'bad'\"") } } }, "reject", "Invalid string value 'bad'" },
		{ { status = 500, body = '"request entity too large"' }, "reject", "request entity too large" },
		{ { status = 200, json = { data = { createPeople = json.null }, errors = { refusal("Query read timeout",
			"INTERNAL_SERVER_ERROR") } } }, "unknown", "Query read timeout" },
		{ { status = 200, json = { data = json.null, errors = { refusal("connect ECONNREFUSED 127.0.0.1:55432",
			"INTERNAL_SERVER_ERROR") } } }, "unknown", "ECONNREFUSED" },
		{ { status = 502, body = "<html>Bad Gateway</html>" }, "unknown", "HTTP 502" },
		{ { status = 200, body = "<html>" }, "unknown", "" },
		{ { drop = true }, "unknown", "" },
	}
	for i, case in ipairs(cases) do
		scripted({ case[1] }, function(target, requests)
			local e = t.raises(function() create(target, numbered(1)) end)
			t.eq({ e.reject == true, e.unknown == true }, { case[2] == "reject", case[2] == "unknown" }, "case " .. i)
			t.contains(e.message, case[3])
			t.eq(#requests, 1, "case " .. i)
		end)
	end
end)

-- ---- limits

test("both forms of the rate limit are waited out and learned", function()
	local text = "Limit reached (20 tokens per 200 ms)"
	local made = people_made()
	scripted(function(req, n)
		if req.method == "GET" then
			if n == 1 then return { status = 429, json = { statusCode = 429, error = "HttpException", messages = { text } } } end
			return person_object(json.array {})
		end
		if n < 5 then
			return { status = 200, json = { data = { createPeople = json.null },
				errors = { refusal(text, "BAD_USER_INPUT", "LIMIT_REACHED", "Rate limit reached.") } } }
		end
		return made(req)
	end, function(target, requests)
		t.ok(#target:check() > 0)
		t.eq(states(create(target, numbered(2))), { "written", "written" })
		t.eq(#requests, 5)
		local bucket = target.client.pace.buckets.short
		t.eq(bucket.burst, 19)
		t.ok(bucket.every > 0.01 and bucket.every < 0.011)
	end)
end)

test("a limit that never lifts ends with the budget", function()
	local text = "Limit reached (1000 tokens per 1000 ms)"
	scripted({ { status = 429, json = { statusCode = 429, error = "HttpException", messages = { text } } } },
		function(target)
			local e = t.raises(function() create(target, numbered(1)) end, "lets no request through")
			t.eq({ e.reject, e.unknown }, { nil, nil })
		end, { limit_budget = 0.05 })
end)

-- Calls of so many seconds each, one after the other on a simulated clock, against the sandbox's own limiter (100 a minute
-- unless it is told): the time they take, and how many are refused.
local function simulate(calls, seconds, tokens)
	local mono, sleep, clock, refused = time.mono, task.sleep, 1000.0, 0
	time.mono = function() return clock end
	task.sleep = function(wait) clock = clock + wait end
	local ok, e = pcall(function()
		local limiter = ratelimit.new(false, { tokens = tokens or 100, window_ms = 60000 })
		local own = pace.new { tokens = 95, every = 0.61 }
		for _ = 1, calls do
			own:take()
			local through, why = pcall(limiter)
			while not through do
				refused = refused + 1
				own:refused(why.message)
				own:take()
				through, why = pcall(limiter)
			end
			clock = clock + seconds()
		end
	end)
	time.mono, task.sleep = mono, sleep
	if not ok then error(e, 0) end
	return clock - 1000, refused
end

test("a lower limit (Twenty Cloud's 50, or 5) is learned from its first refusal", function()
	for _, tokens in ipairs { 50, 5 } do
		local every = 60 / tokens
		local took, refused = simulate(200, function() return 0.2 end, tokens)
		t.eq(refused, 1, tokens .. " a minute")
		t.ok(took <= tokens * 0.2 + (200 - tokens + 2) * every * 1.02, ("%d a minute: %g s"):format(tokens, took))
	end
end)

test("the pace keeps to the server's rule: no call is refused, and none waits without need", function()
	local function check(calls, seconds, most)
		local took, refused = simulate(calls, seconds)
		t.eq(refused, 0)
		t.ok(took <= most, ("%d calls took %g s"):format(calls, took))
	end
	check(95, function() return 0 end, 0)
	check(195, function() return 0 end, 62)
	check(400, function() return 0.5 end, 400 * 0.62) -- closer than a token's time: never refilled
	check(400, function() return 0.7 end, 400 * 0.71)
	math.randomseed(7)
	check(1000, function() return math.random() * 1.5 end, 1000)
end)

test("20,000 new people: 103 calls that are announced, and a set-up and a look before them", function()
	local target = twenty.new({ url = "http://127.0.0.1:1", key = "k" }, MAPPING)
	t.eq(target.reader:calls(20000), 3)
	t.eq({ target.reader:calls(0), target.reader:calls(1000), target.reader:calls(1001) }, { 1, 1, 2 })
	t.eq(target.reader:calls(100000), 26)
	t.eq(target.client.pace:estimate(20000 / 200 + 3), "103 requests at 100 a minute: about 1 min")
	t.eq(target.client.pace:estimate(1), "1 request at 100 a minute: about 1 s")
	t.eq(target.client.pace:estimate(0), nil)
	t.eq(system("http://127.0.0.1:1", "k").client.pace:estimate(103), nil) -- without a limit nothing is said
end)

test("waiting for the limit is told", function()
	local told = {}
	local sleep = task.sleep
	task.sleep = function() end
	local own, clock = pace.new { tokens = 1, every = 2 }, time.mono
	own.on_wait = function(seconds)
		told[#told + 1] = seconds
		time.mono = function() return clock() + 10 end
	end
	local ok, e = pcall(function()
		own:take()
		own:take()
	end)
	task.sleep, time.mono = sleep, clock
	t.ok(ok, e)
	t.eq(#told, 1)
	t.ok(told[1] > 1 and told[1] <= 2)
end)

test("a server of 2025 is refused before anything is made", function()
	workspace(function(target, rest)
		local problems = target:setup(true)
		t.eq(#problems, 1)
		t.contains(problems[1].what, "this server knows no unique fields (Twenty of 2025)")
		t.eq(problems[1].done, false)
		t.eq(#target:check(), 1)
		for _, object in ipairs(rest("GET", "/metadata/objects?limit=200").data.objects) do
			for _, field in ipairs(object.nameSingular == "person" and object.fields or {}) do
				t.ok(field.name ~= "contactId", "a field was made")
			end
		end
	end, nil, { emulate = "v1" })
end)

test("names that Twenty does not take, and options, are named before anything is sent", function()
	local function problem(entry)
		local m = mapping.compile { key = "id", fields = {
			{ "id", "text", to = { twenty = { "contactId", "TEXT", unique = true } } }, entry } }
		local what
		workspace(function(_, _, server)
			local target = twenty.new({ url = server.url, key = server.token, rate = false }, m)
			local problems = target:setup(true)
			t.eq(problems[#problems].done, false)
			what = problems[#problems].what
		end)
		return what
	end
	t.contains(problem { "type", "text" }, "field person.type is missing and cannot be made (Twenty reserves this name)")
	t.contains(problem { "x", "text", to = { twenty = { "nameFirstName", "TEXT" } } }, "taken by a part of person.name")
	t.contains(problem { "x", "text", to = { twenty = { "companyId", "TEXT" } } }, "companyId")
	t.contains(problem { "x", "text", to = { twenty = { "Größe", "TEXT" } } }, "begins with a small letter")
	t.contains(problem { "x", "text", to = { twenty = { ("a"):rep(64), "TEXT" } } }, "longer than 63")
	t.contains(problem { "x", "text", to = { twenty = { "level", "SELECT", options = { "A", "b" } } } }, "the option 'b'")
	t.contains(problem { "x", "text", to = { twenty = { "position", "TEXT" } } }, "is of type")
end)

test("who changed a person last comes with those that are asked for by key", function()
	ready(function(target)
		create(target, numbered(1))
		local found = target:fetch { "c-00001" }
		t.eq(found[1]["updatedBy.source"], "API")
		t.ok(found[1].updatedAt > 0 and found[1]["updatedBy.name"] ~= nil)
		t.eq(all_of(target:scan())[1].updatedAt, nil)
	end)
end)

test("reads are repeated after trouble, three times here", function()
	local fields = json.array {}
	scripted({ { status = 502, body = "" }, { drop = true }, person_object(fields) }, function(target, requests)
		t.ok(#target:check() > 0)
		t.eq(#requests, 3)
	end)
	scripted({ { status = 503, body = "" } }, function(target, requests)
		local e = t.raises(function() target:check() end, "is in trouble")
		t.eq({ e.exit, #requests }, { 3, 3 })
	end)
end)

test("a mapping that Twenty cannot take is refused", function()
	local function bad(fields, part)
		table.insert(fields, 1, { "id", "text" })
		t.raises(function()
			twenty.new({ url = "http://127.0.0.1:1", key = "k" }, mapping.compile { key = "id", fields = fields })
		end, part)
	end
	bad({ { "code", "text", to = { twenty = { "code", "SELECT" } } } }, "needs options")
	bad({ { "raw", "bytes" } }, "cannot take a bytes")
	t.eq((select(2, err.try(twenty.new, { url = "http://127.0.0.1:1" }, MAPPING))).exit, 2)
end)

-- ---- the way there

test("the key goes by plain http to this machine only, or where the settings say so", function()
	local function new(url, insecure)
		return err.try(twenty.new, { url = url, key = "canary-key", insecure = insecure }, MAPPING)
	end
	local _, e = new "http://me:canary@crm.example.invalid/x?token=canary"
	t.eq({ e.kind, e.exit, e.code }, { "config", 2, "insecure" })
	t.contains(e.message, "TWENTY_API_URL is 'http://crm.example.invalid/x', and the API key is not sent")
	for _, url in ipairs { "http://10.1.2.3:3000", "http://crm", "HTTP://crm" } do
		for _, no in ipairs { false, "false", "0" } do t.eq(select(2, new(url, no)).code, "insecure") end
		for _, yes in ipairs { true, "true", "1" } do t.ok(new(url, yes)) end
	end
	for _, url in ipairs { "https://crm.invalid", "http://localhost:3000", "http://127.0.0.1", "http://[::1]:80" } do
		t.ok(new(url))
	end
	t.contains(select(2, new("http://crm", "perhaps")).message, "is true or false, not 'perhaps'")
	t.eq(t.raises(new("http://x.invalid", true).client.http.get, "http", new("http://x.invalid", true).client.http, "/",
		{ retry = false }).code, "COULDNT_RESOLVE_HOST")
end)

-- ---- real people

test("real people are held as they are", function()
	local file
	for _, path in ipairs { "../shared/data/contacts.ndjson" } do
		file = file or io.open(path)
	end
	if not file then t.skip "no contacts.ndjson here" end
	local lines = {}
	for line in file:lines() do lines[#lines + 1] = line end
	file:close()
	local paths = {}
	for i, field in ipairs(MAPPING.fields) do paths[i] = field.source end
	local reader = rows.json_reader(MAPPING:schema(), { rows = "", paths = paths })
	local page = reader:read("[" .. table.concat(lines, ",") .. "]")
	ready(function(target)
		local plan = rows.plan(page:schema(), target:projection())
		for from = 1, #page, 200 do
			local part = page:slice(from, math.min(from + 199, #page))
			for _, state in ipairs(states(target:write({ model = part, rows = plan:apply(part) }, "create"))) do
				t.eq(state, "written")
			end
		end
		local expected, found, at = plan:apply(page), all_of(target:scan()), {}
		t.eq(#found, #page)
		for j = 1, #found do at[found:text(j, "contactId")] = j end
		for i = 1, #expected do
			local key = expected:text(i, "contactId")
			t.eq(rows.diff(expected, i, found, at[key]), {}, key)
		end
	end)
end)

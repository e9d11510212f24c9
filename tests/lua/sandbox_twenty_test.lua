-- The sandbox's Twenty over HTTP: each rule group of the facts it was built from (transport, errors, metadata, REST
-- records, GraphQL records, values, rate limits). Expectations were observed on a real 2.21 server.
local t = require "syncrun.test"
local crypto = require "syncrun.crypto"
local http = require "syncrun.http"
local json = require "syncrun.json"
local task = require "syncrun.task"
local twenty = require "sandbox.twenty"

local _ -- results a test does not look at

local function temp_dir() return "/tmp/syncrun_twenty_" .. crypto.uuid() end

local function remove(dir)
	for _, name in ipairs { "twenty.db", "twenty.db-wal", "twenty.db-shm", "twenty.db-journal" } do
		os.remove(dir .. "/" .. name)
	end
	os.remove(dir)
end

local Api = {}
Api.__index = Api

function Api:call(method, path, body, headers)
	local all = { Authorization = "Bearer " .. self.server.token }
	for k, v in pairs(headers or {}) do all[k] = v end
	local o = { method = method, path = path, headers = all }
	if type(body) == "string" then
		o.body = body
		all["Content-Type"] = all["Content-Type"] or "application/json"
	else
		o.json = body
	end
	local res = self.client:request(o)
	local ok, value = pcall(json.decode, res.body)
	return res.status, ok and value or res.body, res
end

function Api:get(path) return self:call("GET", path) end
function Api:post(path, body) return self:call("POST", path, body) end

function Api:list(query) return select(2, self:get("/rest/people?" .. http.encode_query(query))) end

function Api:gql(query, variables)
	return select(2, self:post("/graphql", { query = query, variables = variables or json.object {} }))
end

function Api:meta(query, variables)
	return select(2, self:post("/metadata", { query = query, variables = variables or json.object {} }))
end

function Api:person_object()
	local _, body = self:get "/rest/metadata/objects?limit=200"
	for _, object in ipairs(body.data.objects) do
		if object.nameSingular == "person" then return object end
	end
end

function Api:add_field(kind, name, more)
	local body = { objectMetadataId = self:person_object().id, type = kind, name = name, label = name .. " label" }
	for k, v in pairs(more or {}) do body[k] = v end
	return self:post("/rest/metadata/fields", body)
end

local function client_of(server)
	return http.client { base_url = server.url, timeout = 20, retry = false, name = "twenty" }
end

local options_of_category = { { value = "CUSTOMER", label = "Customer", position = 0, color = "green" },
	{ value = "OTHER", label = "Other", position = 1, color = "gray" } }

-- A test with a fresh workspace, rate limits off unless asked for, and the fields of a contact.
local function with_workspace(name, fn, options)
	t.test(name, function()
		local o = { dir = temp_dir(), rate = false, short = false }
		for k, v in pairs(options or {}) do o[k] = v end
		local server = twenty.start(o)
		local api = setmetatable({ server = server, client = client_of(server), dir = o.dir }, Api)
		local ok, e = xpcall(function()
			api:add_field("TEXT", "contactId", { isUnique = true })
			fn(api)
		end, function(e)
			if type(e) == "string" then return debug.traceback(e) end
			return e
		end)
		server.stop()
		remove(o.dir)
		if not ok then error(e, 0) end
	end)
end

local function message(body) return body.messages[1] end
local function problem(body) return body.errors[1] end

-- ---- transport and sign-in

with_workspace("a missing, a garbled and a right key", function(api)
	local function as(header, path)
		return api:call("GET", path or "/rest/people", nil, { Authorization = header })
	end
	local status, body = as ""
	t.eq({ status, body.messages[1], body.error }, { 403, "Missing authentication token", "FORBIDDEN_EXCEPTION" })
	status, body = as "Basic abc"
	t.eq({ status, body.messages[1] }, { 403, "Missing authentication token" })
	status, body = as "Bearer a.b.c"
	t.eq({ status, body.messages[1], body.error }, { 401, "Token invalid.", "UNAUTHENTICATED" })
	t.eq((as("", "/rest/metadata/objects")), 403)
	t.eq((api:get "/rest/people"), 200)
	local res = api.client:post("/graphql", { headers = { Authorization = "" },
		json = { query = "{ people{ totalCount } }" } })
	t.contains(res.body, 'Cannot query field \\"people\\" on type \\"Query\\".')
	res = api.client:post("/metadata", { headers = { Authorization = "" },
		json = { query = "{ objects{ edges{ node{ id } } } }" } })
	t.contains(res.body, "Forbidden resource")
	res = api.client:post("/graphql", { headers = { Authorization = "Bearer x" },
		json = { query = "{ people{ totalCount } }" } })
	t.eq({ res.status, problem(res:json()).extensions.code }, { 200, "UNAUTHENTICATED" })
end)

with_workspace("an expired key says so", function(api)
	local tokens = require "sandbox.twenty.tokens"
	local sqlite = require "syncrun.sqlite"
	local db <close> = sqlite.open(api.dir .. "/twenty.db")
	local keys = tokens.open(db)
	local status, body = api:call("GET", "/rest/people", nil, { Authorization = "Bearer " .. tokens.issue(keys, 1000) })
	t.eq({ status, body.messages[1] }, { 401, "Token has expired." })
	t.eq((api:call("GET", "/rest/people", nil, { Authorization = "Bearer " .. tokens.issue(keys, 99999999999) })), 200)
end)

with_workspace("health, unknown paths, wrong methods", function(api)
	t.eq(select(2, api:get "/healthz").status, "ok")
	local status, body = api:get "/nope?x=1"
	t.eq({ status, body.message, body.error }, { 404, "Cannot GET /nope?x=1", "Not Found" })
	status, body = api:get "/rest/people/x/y/z"
	t.eq(status, 400)
	t.contains(message(body), "Query path '/rest/people/x/y/z' invalid.")
	t.eq(message(select(2, api:get "/rest/foos")), "object 'foos' not found. eg: companies")
	t.eq(message(select(2, api:get "/rest/person")), "object 'person' not found. Did you mean 'people'?")
	t.eq((api:call("OPTIONS", "/rest/people")), 204)
end)

with_workspace("bodies: too large, malformed, of another type", function(api)
	local status, body = api:post("/rest/people", '{"notesText":"' .. ("x"):rep(11 * 1024 * 1024) .. '"}')
	t.eq({ status, body }, { 500, "request entity too large" })
	status, body = api:post("/rest/people", '{"name": {"firstName":')
	t.eq({ status, body.message, body.error }, { 400, "Unexpected end of JSON input", "Bad Request" })
	_, body = api:post("/rest/batch/people", '[{"a":1,]')
	t.eq(body.message, "Expected double-quoted property name in JSON at position 8 (line 1 column 9)")
	t.eq(select(2, api:post("/rest/people", "null")).message, "Unexpected token 'n', \"null\" is not valid JSON")
	status, body = api:call("POST", "/rest/people", "{}", { ["Content-Type"] = "text/plain" })
	t.eq({ status, body.error, message(body) }, { 400, "TypeError",
		"Cannot read properties of undefined (reading 'position')" })
	status, body = api:call("POST", "/rest/people", "jobTitle=a+b",
		{ ["Content-Type"] = "application/x-www-form-urlencoded" })
	t.eq({ status, body.data.createPerson.jobTitle }, { 201, "a b" })
	status, body = api:call("POST", "/rest/people", "{}", { ["Content-Type"] = "application/json; charset=latin1" })
	t.eq({ status, body }, { 500, 'unsupported charset "LATIN1"' })
	t.eq((api:call("POST", "/graphql", "{}", { ["Content-Type"] = "text/plain" })), 415)
	status, body = api:post("/graphql", json.array { { query = "{ people{ totalCount } }" } })
	t.eq({ status, problem(body).message }, { 400, "Batching is not supported." })
end)

with_workspace("a head over 16 KiB is 431 with no body", function(api)
	local status, body = api:get("/rest/people?x=" .. ("a"):rep(17000))
	t.eq({ status, body }, { 431, "" })
	t.eq((api:get("/rest/people?x=" .. ("a"):rep(15000))), 200)
end)

with_workspace("ETag and If-None-Match", function(api)
	local _, _, res = api:get "/rest/people?limit=1"
	t.contains(res.headers.etag, 'W/"')
	local status, body = api:call("GET", "/rest/people?limit=1", nil, { ["If-None-Match"] = res.headers.etag })
	t.eq({ status, body }, { 304, "" })
end)

with_workspace("a GraphQL body without a query is never answered", function(api)
	local e = t.raises(function()
		api.client:post("/graphql", { json = json.object {}, timeout = 0.3,
			headers = { Authorization = "Bearer " .. api.server.token } })
	end, "timeout")
	t.eq(e.kind, "timeout")
end)

-- ---- metadata

with_workspace("objects list the person's standard fields", function(api)
	local person = api:person_object()
	local by_name = {}
	for _, field in ipairs(person.fields) do by_name[field.name] = field end
	t.eq({ person.namePlural, by_name.emails.type, by_name.emails.isUnique, by_name.jobTitle.isUnique },
		{ "people", "EMAILS", true, false })
	t.eq(by_name.contactId.isUnique, true)
	t.ok(not by_name.city)
	t.eq(select(2, api:get("/rest/metadata/objects/" .. person.id)).data.object.nameSingular, "person")
end)

with_workspace("creating fields: answers, refused names, refused types", function(api)
	local status, body = api:add_field("TEXT", "notesText")
	t.eq({ status, body.data.createOneField.isUnique, body.data.createOneField.isNullable }, { 201, false, true })
	local function code(kind, name, more)
		local s, b = api:add_field(kind, name, more)
		t.eq(s, 400)
		return b.errors.fieldMetadata[1].errors[1].code
	end
	t.eq(code("TEXT", "notesText"), "NOT_AVAILABLE")
	t.eq(code("TEXT", "contact_id"), "INVALID_FIELD_INPUT")
	t.eq(code("TEXT", "Contact"), "INVALID_FIELD_INPUT")
	t.eq(code("TEXT", ("a"):rep(64)), "INVALID_FIELD_INPUT")
	t.eq(code("TEXT", "type"), "INVALID_FIELD_INPUT")
	t.eq(code("TEXT", "nameFirstName"), "RESERVED_KEYWORD")
	t.eq(code("TEXT", "companyId"), "NOT_AVAILABLE")
	t.eq(code("SELECT", "sel"), "INVALID_FIELD_INPUT")
	t.eq(code("SELECT", "sel", { options = { { value = "low", label = "x", position = 0, color = "red" } } }),
		"INVALID_FIELD_INPUT")
	status, body = api:add_field("STRING", "zz")
	t.eq({ status, body.error }, { 400, "Bad Request" })
	t.contains(body.message[1], "type must be one of the following values: ACTOR, ADDRESS")
	_, body = api:post("/rest/metadata/fields", { objectMetadataId = api:person_object().id, type = "TEXT", label = "x" })
	t.eq(body.message, { "name should not be empty", "name must be a string" })
end)

with_workspace("changing and deleting fields", function(api)
	local _, body = api:add_field("SELECT", "categoryCode", { options = options_of_category })
	local id = body.data.createOneField.id
	api:post("/rest/people", { contactId = "a", categoryCode = "CUSTOMER" })
	local status
	status, body = api:call("PATCH", "/rest/metadata/fields/" .. id, { options = { options_of_category[2] } })
	t.eq({ status, #body.data.updateOneField.options }, { 200, 1 })
	t.eq(api:list { filter = "contactId[eq]:a" }.data.people[1].categoryCode, json.null)
	_, body = api:call("PATCH", "/rest/metadata/fields/" .. id, { isActive = false, label = "L" })
	t.eq({ body.data.updateOneField.isActive, body.data.updateOneField.label }, { false, "L" })
	t.eq((api:call("DELETE", "/rest/metadata/fields/" .. id)), 200)
	status, body = api:call("DELETE", "/rest/metadata/fields/" .. id)
	t.eq({ status, body.code }, { 404, "FIELD_METADATA_NOT_FOUND" })
	for _, field in ipairs(api:person_object().fields) do
		if field.name == "jobTitle" then id = field.id end
	end
	t.eq((api:call("DELETE", "/rest/metadata/fields/" .. id)), 403)
end)

with_workspace("isUnique on an update, refused while rows collide", function(api)
	local _, body = api:add_field("TEXT", "code")
	local id = body.data.createOneField.id
	api:post("/rest/batch/people", json.array { { code = "x" }, { code = "x" } })
	local status
	status, body = api:call("PATCH", "/rest/metadata/fields/" .. id, { isUnique = true })
	t.eq(status, 500)
	t.contains(body, "Migration action 'create' for 'index'")
	body = api:meta("mutation($i:UpdateOneFieldMetadataInput!){ updateOneField(input:$i){ isUnique } }",
		{ i = { id = id, update = { isUnique = true } } })
	t.eq(problem(body).extensions.code, "INTERNAL_SERVER_ERROR")
	api:call("DELETE", "/rest/people?filter=code%5Beq%5D:x")
	status, body = api:call("PATCH", "/rest/metadata/fields/" .. id, { isUnique = true })
	t.eq({ status, body.data.updateOneField.isUnique }, { 200, true })
end)

with_workspace("metadata through GraphQL", function(api)
	local object = api:person_object().id
	local body = api:meta("mutation($input:CreateOneFieldMetadataInput!){ "
		.. "createOneField(input:$input){ id name isUnique } }",
		{ input = { field = { objectMetadataId = object, type = "TEXT", name = "externalRef", label = "x",
			isUnique = true } } })
	t.eq({ body.data.createOneField.name, body.data.createOneField.isUnique }, { "externalRef", true })
	local function refuse(field)
		field.objectMetadataId = object
		local status, answer = api:post("/metadata", { query = "mutation($input:CreateOneFieldMetadataInput!){ "
			.. "createOneField(input:$input){ id } }", variables = { input = { field = field } } })
		return status, problem(answer)
	end
	local status, e = refuse { type = "TEXT", name = "externalRef", label = "x" }
	t.eq({ status, e.extensions.code }, { 200, "METADATA_VALIDATION_FAILED" })
	status, e = refuse { type = "TEXT", name = "zz", label = "x", foo = 1 }
	t.eq({ status, e.message }, { 400, 'Field "foo" is not defined by type "CreateFieldInput".' })
	_, e = refuse { type = "STRING", name = "zz", label = "x" }
	t.eq(e.message, 'Value "STRING" does not exist in "FieldMetadataType" enum. Did you mean the enum value "RATING"?')
	body = api:meta("query($id:UUID!){ object(id:$id){ nameSingular fieldsList{ name isUnique } } }", { id = object })
	t.eq(body.data.object.nameSingular, "person")
	body = api:meta("query($id:UUID!){ fields(paging:{first:2}, filter:{objectMetadataId:{eq:$id}}){ "
		.. "pageInfo{ hasNextPage "
		.. "endCursor } edges{ node{ name isUnique } } } }", { id = object })
	t.eq({ #body.data.fields.edges, body.data.fields.pageInfo.hasNextPage, body.data.fields.edges[1].node.isUnique },
		{ 2, true, json.null })
	body = api:meta "{ objects(paging:{first:1}){ totalCount } }"
	t.eq(problem(body).message, 'Cannot query field "totalCount" on type "ObjectConnection".')
end)

-- ---- REST records

with_workspace("create, read, change, delete one person", function(api)
	local status, body = api:post("/rest/people", { contactId = "c-1", name = { firstName = "Ada" },
		emails = { primaryEmail = "Ada@Example.COM" } })
	local person = body.data.createPerson
	t.eq({ status, person.name, person.emails.primaryEmail, person.jobTitle, person.birthday },
		{ 201, { firstName = "Ada", lastName = "" }, "ada@example.com", "", nil })
	t.eq(person.phones, { primaryPhoneNumber = "", primaryPhoneCountryCode = "", primaryPhoneCallingCode = "",
		additionalPhones = json.array {} })
	t.eq(person.createdBy.source, "API")
	t.ok(person.searchVector:find("ada", 1, true))
	status, body = api:get("/rest/people/" .. person.id)
	t.eq({ status, body.data.person.contactId }, { 200, "c-1" })
	status, body = api:call("PATCH", "/rest/people/" .. person.id, { jobTitle = "Countess" })
	t.eq({ status, body.data.updatePerson.jobTitle, body.data.updatePerson.name.firstName }, { 200, "Countess", "Ada" })
	t.eq((api:call("PUT", "/rest/people/" .. person.id, { jobTitle = "x" })), 200)
	status, body = api:get("/rest/people/" .. person.id .. "?depth=1")
	t.eq({ status, body.data.person.company, #body.data.person.noteTargets }, { 200, json.null, 0 })
	t.eq((api:get("/rest/people/" .. person.id .. "?depth=2")), 400)
	status, body = api:call("DELETE", "/rest/people/" .. person.id)
	t.eq({ status, body.data.deletePerson }, { 200, { id = person.id } })
	status, body = api:get("/rest/people/" .. person.id)
	t.eq({ status, body.error, message(body) }, { 404, "NotFoundException", "Record not found" })
	t.eq(message(select(2, api:get "/rest/people/abc")), "'abc' is not a valid UUID")
end)

with_workspace("a batch is all or nothing, in input order, at most 200", function(api)
	local list = json.array {}
	for i = 1, 200 do list[i] = { contactId = ("b-%03d"):format(201 - i) } end
	local status, body = api:post("/rest/batch/people", list)
	t.eq({ status, #body.data.createPeople, body.data.createPeople[1].contactId }, { 201, 200, "b-200" })
	list[201] = { contactId = "b-201" }
	status, body = api:post("/rest/batch/people", list)
	t.eq({ status, message(body) }, { 400, "Maximum number of records to upsert is 200." })
	status, body = api:post("/rest/batch/people", json.array { { contactId = "n-1" }, { contactId = "b-001" } })
	t.eq({ status, body.error, message(body) }, { 400, "BadRequestException", "A duplicate entry was detected" })
	_, body = api:post("/rest/batch/people", json.array { { contactId = "n-1" }, { contactId = "n-2", foo = 1 } })
	t.eq(message(body), 'Object person doesn\'t have any "foo" field.')
	t.eq(api:list { filter = "contactId[eq]:n-1" }.totalCount, 0)
	t.eq(select(2, api:post("/rest/batch/people", json.array {})).data.createPeople, json.array {})
	t.eq(message(select(2, api:post("/rest/batch/people", { a = 1 }))), "args.data.forEach is not a function")
	t.eq(message(select(2, api:post("/rest/batch/people", "[null]"))),
		"Cannot read properties of null (reading 'position')")
end)

with_workspace("upsert matches every unique field and answers updates first", function(api)
	local function upsert(list) return api:post("/rest/batch/people?upsert=true", json.array(list)) end
	upsert { { contactId = "u-0", emails = { primaryEmail = "u0@example.com" }, jobTitle = "a" },
		{ contactId = "u-1", emails = { primaryEmail = "u1@example.com" } } }
	local status, body = upsert { { contactId = "u-new" }, { contactId = "u-0", jobTitle = "b" } }
	t.eq({ status, body.data.createPeople[1].contactId, body.data.createPeople[2].contactId }, { 201, "u-0", "u-new" })
	t.eq(body.data.createPeople[1].emails.primaryEmail, "u0@example.com")
	_, body = upsert { { emails = { primaryEmail = "U1@EXAMPLE.com" }, jobTitle = "by mail" } }
	t.eq(body.data.createPeople[1].contactId, "u-1")
	_, body = upsert { { contactId = "stolen", emails = { primaryEmail = "u1@example.com" } } }
	t.eq({ #body.data.createPeople, body.data.createPeople[1].jobTitle }, { 1, "by mail" })
	_, body = upsert { { contactId = "u-0", jobTitle = "one" }, { contactId = "u-0", jobTitle = "two" } }
	t.eq({ #body.data.createPeople, body.data.createPeople[1].jobTitle }, { 1, "two" })
	status, body = upsert { { contactId = "u-0", emails = { primaryEmail = "u1@example.com" } } }
	t.eq({ status, message(body) }, { 400, "Multiple records found with the same unique field values for emails "
		.. "(emails.primaryEmail: u1@example.com); contactId (contactId: u-0). Cannot determine which record to update." })
	_, body = upsert { { contactId = json.null, jobTitle = "x" }, { contactId = "", jobTitle = "y" } }
	t.eq(#body.data.createPeople, 2)
end)

with_workspace("an upsert that fails keeps the updates made before", function(api)
	api:post("/rest/people", { contactId = "k-0", jobTitle = "old" })
	local status, body = api:post("/rest/batch/people?upsert=true", json.array { { contactId = "k-0", jobTitle = "new" },
		{ contactId = "k-1" }, { contactId = "k-1" } })
	t.eq({ status, message(body) }, { 400, "A duplicate entry was detected" })
	t.eq(api:list { filter = "contactId[eq]:k-0" }.data.people[1].jobTitle, "new")
	t.eq(api:list { filter = "contactId[eq]:k-1" }.totalCount, 0)
end)

with_workspace("soft delete hides, blocks unique values, and upsert revives", function(api)
	local _, body = api:post("/rest/people", { contactId = "s-1" })
	local id = body.data.createPerson.id
	_, body = api:call("DELETE", "/rest/people/" .. id .. "?soft_delete=true")
	t.ok(type(body.data.deletePerson.deletedAt) == "string")
	t.eq((api:get("/rest/people/" .. id)), 404)
	t.eq(api:list { filter = "contactId[eq]:s-1" }.totalCount, 0)
	t.eq(api:list { filter = "deletedAt[is]:NOT_NULL" }.totalCount, 1)
	t.eq((api:post("/rest/people", { contactId = "s-1" })), 400)
	_, body = api:post("/rest/people?upsert=true", { contactId = "s-1", jobTitle = "back" })
	t.eq({ body.data.createPerson.id, body.data.createPerson.deletedAt }, { id, json.null })
	api:call("DELETE", "/rest/people?soft_delete=true&filter=contactId%5Beq%5D:s-1")
	local status
	status, body = api:call("PATCH", "/rest/restore/people?filter=contactId%5Beq%5D:s-1", json.object {})
	t.eq({ status, body.data.restorePeople[1].deletedAt }, { 200, json.null })
	t.eq((api:call("PATCH", "/rest/restore/people/" .. id)), 400)
	api:call("DELETE", "/rest/people/" .. id .. "?soft_delete=true")
	_, body = api:call("PATCH", "/rest/people/" .. id, { deletedAt = json.null })
	t.eq(body.data.updatePerson.deletedAt, json.null)
end)

with_workspace("changes and deletions by filter", function(api)
	local list = json.array {}
	for i = 1, 201 do list[#list + 1] = { contactId = ("m-%03d"):format(i) } end
	local last = table.remove(list)
	api:post("/rest/batch/people", list)
	api:post("/rest/people", last)
	local status, body = api:call("PATCH", "/rest/people", { jobTitle = "all" })
	t.eq({ status, body.code, message(body) }, { 400, "TOO_MANY_RECORDS_TO_UPDATE",
		"Cannot update more than 200 records at once" })
	status, body = api:call("PATCH", "/rest/people?filter=" .. http.escape "contactId[in]:[m-001,m-002]",
		{ jobTitle = "two" })
	t.eq({ status, #body.data.updatePeople }, { 200, 2 })
	status, body = api:call("DELETE", "/rest/people")
	t.eq(status, 400)
	t.contains(message(body), "Filters are mandatory for bulk destroy operations.")
	_, body = api:call("DELETE", "/rest/people?filter=" .. http.escape 'contactId[startsWith]:"m-"')
	t.eq({ #body.data.deletePeople, api:list({}).totalCount }, { 201, 0 })
end)

with_workspace("pages: limits, cursors, page info", function(api)
	local list = json.array {}
	for i = 1, 70 do list[i] = { contactId = ("p-%02d"):format(i) } end
	api:post("/rest/batch/people", list)
	t.eq(#api:list({}).data.people, 60)
	local seen, pages = {}, 0
	local page, after
	repeat
		page = api:list { limit = 30, starting_after = after }
		for _, p in ipairs(page.data.people) do seen[p.contactId] = true end
		after, pages = page.pageInfo.endCursor, pages + 1
		t.eq(page.pageInfo.hasPreviousPage, false)
	until not page.pageInfo.hasNextPage
	local n = 0
	for _ in pairs(seen) do n = n + 1 end
	t.eq({ n, pages, page.totalCount }, { 70, 3, 70 })
	local first = api:list { limit = 3 }
	local second = api:list { limit = 3, starting_after = first.pageInfo.endCursor }
	local back = api:list { limit = 3, ending_before = second.pageInfo.startCursor }
	t.eq(back.data.people[1].id, first.data.people[1].id)
	t.eq({ back.pageInfo.hasNextPage, crypto.base64_decode(first.pageInfo.startCursor) },
		{ false, '{"id":"' .. first.data.people[1].id .. '"}' })
	t.eq(message(select(2, api:get "/rest/people?limit=-1")), "limit '-1' is invalid. Should be an integer")
	t.eq(message(select(2, api:get "/rest/people?starting_after=zzz")), "Invalid cursor: zzz")
	local ordered = api:list { limit = 2, order_by = "contactId[DescNullsLast]" }
	t.eq(ordered.data.people[1].contactId, "p-70")
	t.contains(message(select(2, api:get "/rest/people?order_by=contactId%5BUp%5D")), "'order_by' direction 'Up' invalid.")
	t.eq(select(2, api:get "/rest/people?order_by=foo").code, "FIELD_NOT_FOUND")
end)

with_workspace("the filter language and its traps", function(api)
	local ids = { "has,comma", "has[br", "NULL", "plain", "a(b)c" }
	for _, id in ipairs(ids) do api:post("/rest/people", { contactId = id, jobTitle = "j" }) end
	api:post("/rest/people", { name = { firstName = "Solo" } })
	local function count(filter) return api:list({ filter = filter }).totalCount end
	local function refusal(filter)
		local status, body = api:get("/rest/people?filter=" .. http.escape(filter))
		t.eq(status, 400)
		return message(body)
	end
	t.eq(count 'contactId[eq]:"has,comma"', 1)
	t.eq(refusal "contactId[eq]:has,comma", "'filter' invalid for 'comma'. eg: price[gte]:10")
	t.eq(count 'contactId[in]:["has,comma","zz"]', 0)
	t.contains(refusal 'contactId[in]:["has[br","zzz"]', "'filter' invalid for 'in' operator.")
	t.eq(count "contactId[eq]:a(b)c", 1)
	t.eq(refusal "contactId[eq]:a(b", "'filter' invalid. 1 close bracket is missing in the query")
	t.eq(count "contactId[eq]:NULL", 1)
	t.eq(count "contactId[in]:[NULL]", 1)
	t.eq(count 'contactId[eq]:""', 1)
	t.eq(count 'or(contactId[eq]:"plain",not(contactId[is]:NOT_NULL))', 2)
	t.eq(count 'contactId[like]:"has%",jobTitle[eq]:j', 2)
	t.eq(count 'contactId[ilike]:"PLAIN"', 1)
	t.eq(count "contactId[in]:[]", 0)
	t.eq(count "name.firstName[eq]:Solo", 1)
	t.eq(refusal "contactId[is]:null", 'Invalid filter value for "is" operator. Expected "NULL" or "NOT_NULL"')
	t.contains(refusal "contactId[zz]:1", "comparator zz not in eq, neq, in")
	t.eq(refusal "foo[eq]:1", 'Object person doesn\'t have any "foo" field.')
	t.eq(refusal "name.foo[eq]:1", 'Sub field "foo" not found for composite type: FULL_NAME')
	t.eq(refusal "id[eq]:abc", "Invalid UUID value 'abc' for field \"id\"")
end)

with_workspace("times compare at the millisecond", function(api)
	local _, body = api:post("/rest/people", { contactId = "t" })
	local at = body.data.createPerson.updatedAt
	local function count(op) return api:list({ filter = ("updatedAt[%s]:%s"):format(op, at) }).totalCount end
	t.eq({ count "eq", count "gt", count "gte", count "lt", count "lte" }, { 1, 0, 1, 0, 1 })
end)

-- ---- values

with_workspace("text, e-mail and names", function(api)
	local function create(person) return api:post("/rest/people", person) end
	local function refusal(person) return message(select(2, create(person))) end
	t.eq(refusal { emails = { primaryEmail = " a@b.c " } },
		"Invalid string value ' a@b.c ' for email field \"emails.primaryEmail\"")
	t.eq(refusal { emails = { primaryEmail = "bad" } },
		"Invalid string value 'bad' for email field \"emails.primaryEmail\"")
	t.eq(refusal { emails = { additionalEmails = json.array { "bad" } } },
		"Invalid string value 'bad' for email field \"emails.additionalEmails\"")
	t.eq(refusal { emails = { primaryEmail = "a@b.c", foo = 1 } }, 'Invalid subfield foo for emails field "emails"')
	t.eq(refusal { name = "Ada" }, "Invalid object value 'Ada' for field \"name\"")
	t.eq(refusal { contactId = 5 }, 'Invalid string value 5 for text field "contactId"')
	local status, body = create { jobTitle = "a\0b" }
	t.eq({ status, message(body) }, { 500, "Data validation error." })
	_, body = create { jobTitle = "  padded  ", contactId = "" }
	t.eq({ body.data.createPerson.jobTitle, body.data.createPerson.contactId }, { "  padded  ", "" })
	t.eq((create { contactId = "" }), 201)
	_, body = api:post("/rest/people", '{"jobTitle":"a\\ud800b"}')
	t.eq(body.data.createPerson.jobTitle, "a\u{FFFD}b")
	t.eq((create { emails = { primaryEmail = "user@localhost" } }), 201)
	for _, odd in ipairs { "q..r@example.com", "mailto:e@example.com", "p@[192.0.2.1]", "s@example.com," } do
		t.eq((create { emails = { primaryEmail = odd } }), 201, odd)
	end
	t.eq((create { contactId = crypto.random(3000):gsub("[^\32-\126]", "x") .. "L" }), 201)
end)

with_workspace("telephones are split into number, country and calling code", function(api)
	local function phones(value)
		local status, body = api:post("/rest/people", { phones = value })
		if status ~= 201 then return body.code end
		local p = body.data.createPerson.phones
		return { p.primaryPhoneNumber, p.primaryPhoneCountryCode, p.primaryPhoneCallingCode }
	end
	local function number(text) return phones { primaryPhoneNumber = text } end
	t.eq(number "+33612345678", { "612345678", "FR", "+33" })
	t.eq(number "+1 (202) 555-0123", { "2025550123", "US", "+1" })
	t.eq(number "+14165550123", { "4165550123", "CA", "+1" })
	t.eq(number "+77012345678", { "7012345678", "KZ", "+7" })
	t.eq(number "+442071838750", { "2071838750", "GB", "+44" })
	t.eq(number "+15550000000", { "5550000000", "", "+1" })
	t.eq(number "+12025550123 ext 5", { "2025550123", "US", "+1" })
	t.eq(number "0612345678", "INVALID_PHONE_NUMBER")
	t.eq(phones { primaryPhoneNumber = "0612345678", primaryPhoneCountryCode = "FR" }, { "612345678", "FR", "+33" })
	t.eq(phones { primaryPhoneNumber = "612345678", primaryPhoneCallingCode = "+33" }, { "612345678", "FR", "+33" })
	t.eq(phones { primaryPhoneNumber = "612345678", primaryPhoneCountryCode = "fr" }, "INVALID_PHONE_COUNTRY_CODE")
	t.eq(phones { primaryPhoneNumber = "612345678", primaryPhoneCallingCode = "+9999" }, "INVALID_PHONE_CALLING_CODE")
	t.eq(phones { primaryPhoneNumber = "+33612345678", primaryPhoneCountryCode = "US" }, "CONFLICTING_PHONE_COUNTRY_CODE")
	t.eq(phones { primaryPhoneNumber = "+33612345678", primaryPhoneCallingCode = "+1" }, "CONFLICTING_PHONE_CALLING_CODE")
	t.eq(phones { primaryPhoneNumber = "7911123456", primaryPhoneCountryCode = "GB", primaryPhoneCallingCode = "+44" },
		"CONFLICTING_PHONE_COUNTRY_CODE")
	t.eq(phones { primaryPhoneCountryCode = "FR", primaryPhoneCallingCode = "+1" },
		"CONFLICTING_PHONE_CALLING_CODE_AND_COUNTRY_CODE")
	local _, body = api:post("/rest/people",
		{ phones = { additionalPhones = json.array { { number = "+33612345670" } } } })
	t.eq(body.data.createPerson.phones.additionalPhones[1], { number = "612345670", callingCode = "+33",
		countryCode = "FR" })
end)

with_workspace("dates, numbers, selects, lists, JSON, links", function(api)
	api:add_field("DATE", "birthday")
	api:add_field("DATE_TIME", "lastSeen")
	api:add_field("NUMBER", "score")
	api:add_field("BOOLEAN", "isBusiness", { defaultValue = false })
	api:add_field("SELECT", "categoryCode", { options = options_of_category })
	api:add_field("ARRAY", "aliases")
	api:add_field("RAW_JSON", "llmContext")
	local function value(name, v)
		local status, body = api:post("/rest/people", { [name] = v })
		if status ~= 201 then return message(body) end
		return body.data.createPerson[name]
	end
	t.eq(value("birthday", "12/31/1990"), "1990-12-31")
	t.contains(value("birthday", "2026-02-30"), "for date field \"birthday\". Expected format: 'YYYY-MM-DD'")
	t.eq(value("lastSeen", "2026-01-02T03:04:05.123456+02:00"), "2026-01-02T01:04:05.123Z")
	t.contains(value("lastSeen", "zzz"), "Invalid value 'zzz' for date-time field")
	t.eq({ value("score", 1.5), value("score", 2) }, { 1.5, 2 })
	t.eq(value("score", "1.5"), "Invalid number value '1.5' for field \"score\"")
	t.eq(value("isBusiness", "true"), "Invalid boolean value 'true' for field \"isBusiness\"")
	t.eq(value("isBusiness", json.null), json.null)
	t.eq(select(2, api:post("/rest/people", json.object {})).data.createPerson.isBusiness, false)
	t.eq(value("categoryCode", "NOPE"), 'Invalid value "NOPE" for field "categoryCode". Valid values are: CUSTOMER, OTHER')
	t.eq(value("aliases", "x"), json.array { "x" })
	t.eq(value("llmContext", json.object {}), json.null)
	t.eq(value("llmContext", json.array {}), json.null)
	t.eq(value("llmContext", "[]"), json.array {})
	t.eq(value("llmContext", '{"a":1}'), { a = 1 })
	t.eq(value("llmContext", 5), 'Invalid object value 5 for field "llmContext"')
	local _, _, res = api:post("/rest/people", '{"llmContext":{"zz":1,"n":12345678901234567890,"f":1.10}}')
	t.contains(res.body, '"llmContext":{"f":1.1,"n":12345678901234567000,"zz":1}')
	t.eq(value("linkedinLink", { primaryLinkUrl = "HTTPS://WWW.LinkedIn.com/in/Xy/" }).primaryLinkUrl,
		"https://www.linkedin.com/in/Xy")
	t.eq(value("linkedinLink", { primaryLinkUrl = "not a url" }), "The URL of the link is not valid")
	t.eq(value("searchVector", "x"), "searchVector TS_VECTOR-typed field does not support write operations")
end)

with_workspace("what a change of a part does to the rest of a composite", function(api)
	local _, body = api:post("/rest/people", { name = { firstName = "A", lastName = "B" },
		emails = { primaryEmail = "a@example.com", additionalEmails = json.array { "b@example.com" } },
		phones = { primaryPhoneNumber = "+33612345678", additionalPhones = json.array { { number = "+33612345679" } } },
		linkedinLink = { primaryLinkUrl = "https://a.com", primaryLinkLabel = "l" } })
	local id = body.data.createPerson.id
	local function patch(change) return select(2, api:call("PATCH", "/rest/people/" .. id, change)).data.updatePerson end
	t.eq(patch({ name = { firstName = "C" } }).name, { firstName = "C", lastName = "B" })
	t.eq(patch({ emails = json.null }).emails.primaryEmail, "a@example.com")
	t.eq(#patch({ emails = { primaryEmail = "c@example.com" } }).emails.additionalEmails, 1)
	t.eq(patch({ emails = { additionalEmails = json.array { "d@example.com" } } }).emails.primaryEmail, "")
	t.eq(#patch({ phones = { primaryPhoneNumber = "+33612345670" } }).phones.additionalPhones, 0)
	local more = json.array { { number = "+33612345671" } }
	t.eq(patch({ phones = { additionalPhones = more } }).phones.primaryPhoneNumber, "612345670")
	t.eq(patch({ linkedinLink = { primaryLinkUrl = "https://c.com" } }).linkedinLink.primaryLinkLabel, "")
end)

with_workspace("companies and how people are connected to them", function(api)
	local _, body = api:post("/rest/companies", { name = "ACME",
		domainName = { primaryLinkUrl = "https://acme.example" } })
	local id = body.data.createCompany.id
	_, body = api:post("/rest/people",
		{ company = { connect = { where = { domainName = { primaryLinkUrl = "https://acme.example" } } } } })
	t.eq(body.data.createPerson.companyId, id)
	_, body = api:get("/rest/people/" .. body.data.createPerson.id .. "?depth=1")
	t.eq(body.data.person.company.name, "ACME")
	t.contains(message(select(2, api:post("/rest/people", { companyId = "11111111-1111-4111-8111-111111111111" }))),
		"violates foreign key constraint")
	api:call("DELETE", "/rest/companies/" .. id)
	t.eq(api:list({}).data.people[1].companyId, json.null)
end)

-- ---- GraphQL records

local create_query = "mutation C($data:[PersonCreateInput!]!,$upsert:Boolean){ "
	.. "createPeople(data:$data, upsert:$upsert){ id contactId } }"

with_workspace("createPeople, and errors with HTTP 200", function(api)
	local body = api:gql(create_query, { data = json.array { { contactId = "g-1" }, { contactId = "g-2" } },
		upsert = false })
	t.eq(body.data.createPeople[2].contactId, "g-2")
	local first = body.data.createPeople[1].id
	body = api:gql(create_query, { data = json.array { { contactId = "g-3" }, { contactId = "g-1" } } })
	t.eq({ body.data.createPeople, problem(body).message, problem(body).extensions.code,
		problem(body).extensions.conflictingRecordId },
		{ json.null, "A duplicate entry was detected", "BAD_USER_INPUT", first })
	t.contains(problem(body).extensions.userFriendlyMessage, "This contactId label value is already in use.")
	local function refused(data)
		local e = problem(api:gql(create_query, { data = json.array { data } }))
		return e.extensions.subCode, e.message
	end
	t.eq((refused { foo = 1 }), "INVALID_ARGS_DATA")
	t.eq((refused { phones = { primaryPhoneNumber = "12" } }), "INVALID_PHONE_NUMBER")
	t.eq((refused { id = "abc" }), "INVALID_QUERY_INPUT")
	t.eq(problem(api:gql(create_query, { data = json.array { { jobTitle = "\0" } } })).extensions.code,
		"INTERNAL_SERVER_ERROR")
	local many = json.array {}
	for i = 1, 201 do many[i] = json.object {} end
	t.eq(problem(api:gql(create_query, { data = many })).extensions.subCode, "TOO_MANY_RECORDS_TO_UPDATE")
	t.eq(problem(api:gql(create_query)).message, 'Missing required argument: "data" (array)')
	body = api:gql(create_query, { data = json.array { { contactId = "g-new" }, { contactId = "g-1" } }, upsert = true })
	t.eq({ body.data.createPeople[1].id, body.data.createPeople[2].contactId }, { first, "g-new" })
end)

with_workspace("people: first, after, filter, order, what is selected", function(api)
	local list = json.array {}
	for i = 1, 9 do list[i] = { contactId = "q-" .. i, name = { firstName = "N" .. i } } end
	api:gql(create_query, { data = list })
	local query = "query($f:PersonFilterInput,$first:Int,$after:String,$o:[PersonOrderByInput]){ "
		.. "people(filter:$f, first:$first, "
		.. "after:$after, orderBy:$o){ totalCount pageInfo{ hasNextPage endCursor } edges{ cursor node{ id contactId "
		.. "name{ firstName } nope deletedAt } } } }"
	local seen = 0
	local after, page
	repeat
		page = api:gql(query, { first = 4, after = after }).data.people
		seen, after = seen + #page.edges, page.pageInfo.endCursor
	until not page.pageInfo.hasNextPage
	t.eq({ seen, page.totalCount, page.edges[1].node.nope, page.edges[1].node.deletedAt }, { 9, 9, json.null, json.null })
	local function ids(filter)
		local out = {}
		for i, edge in ipairs(api:gql(query, { f = filter,
			o = json.array { { contactId = "AscNullsLast" } } }).data.people.edges) do
			out[i] = edge.node.contactId
		end
		return table.concat(out, " ")
	end
	t.eq(ids { contactId = { ["in"] = json.array { "q-2", "q-1", "x" } } }, "q-1 q-2")
	t.eq(ids { ["or"] = json.array { { contactId = { eq = "q-3" } }, { name = { firstName = { eq = "N4" } } } } },
		"q-3 q-4")
	t.eq(ids { ["not"] = { contactId = { startsWith = "q" } } }, "")
	t.eq(ids { ["and"] = json.array { { contactId = { gt = "q-7" } }, { deletedAt = { is = "NULL" } } } }, "q-8 q-9")
	local function refused(variables) return problem(api:gql(query, variables)).extensions.subCode end
	t.eq(refused { first = -1 }, "INVALID_ARGS_FIRST")
	t.eq(refused { after = "zzz" }, "INVALID_CURSOR")
	t.eq(refused { f = { foo = { eq = 1 } } }, "INVALID_ARGS_FILTER")
	t.eq(refused { f = { contactId = { ["in"] = json.array {} } } }, "INVALID_QUERY_INPUT")
	t.eq(refused { o = json.array { { contactId = "Up" } } }, "INVALID_QUERY_INPUT")
end)

with_workspace("a cursor holds only order fields that are selected", function(api)
	api:gql(create_query, { data = json.array { { contactId = "c-1" }, { contactId = "c-2" } } })
	local function cursor(selection)
		local body = api:gql("{ people(first:1, orderBy:[{contactId:AscNullsLast}]){ edges{ cursor node{ " .. selection
			.. " } } } }")
		return json.decode(crypto.base64_decode(body.data.people.edges[1].cursor)).contactId
	end
	t.eq({ cursor "id", cursor "id contactId" }, { nil, "c-1" })
end)

with_workspace("update, delete, restore, destroy through GraphQL", function(api)
	local id = api:gql(create_query, { data = json.array { { contactId = "d-1" },
		{ contactId = "d-2" } } }).data.createPeople[1].id
	local body = api:gql("mutation($id:UUID!,$d:PersonUpdateInput!){ updatePerson(id:$id,data:$d){ jobTitle } }",
		{ id = id, d = { jobTitle = "J" } })
	t.eq(body.data.updatePerson.jobTitle, "J")
	body = api:gql("mutation($id:UUID!){ deletePerson(id:$id){ id deletedAt } }", { id = id })
	t.ok(type(body.data.deletePerson.deletedAt) == "string")
	t.eq(api.server.stats().people, 1)
	local filter = { contactId = { ["in"] = json.array { "d-1" } } }
	body = api:gql("mutation($f:PersonFilterInput!){ restorePeople(filter:$f){ id deletedAt } }", { f = filter })
	t.eq(body.data.restorePeople[1].deletedAt, json.null)
	body = api:gql("mutation($f:PersonFilterInput!){ deletePeople(filter:$f){ id } }", { f = filter })
	t.eq(#body.data.deletePeople, 1)
	body = api:gql("mutation($f:PersonFilterInput!){ destroyPeople(filter:$f){ id } }", { f = filter })
	t.eq(body.data.destroyPeople[1].id, id)
	body = api:gql("mutation($id:UUID!){ destroyPerson(id:$id){ id } }", { id = id })
	t.eq({ problem(body).extensions.code, problem(body).extensions.subCode }, { "NOT_FOUND", "RECORD_NOT_FOUND" })
	body = api:gql '{ person(filter:{contactId:{eq:"d-2"}}){ contactId } }'
	t.eq(body.data.person.contactId, "d-2")
	body = api:gql '{ person(filter:{contactId:{eq:"none"}}){ id } }'
	t.eq({ body.data.person, problem(body).message }, { json.null, "Record not found" })
end)

with_workspace("what a document may hold", function(api)
	api:gql(create_query, { data = json.array { { contactId = "x-1" } } })
	local body = api:gql "{ people(first:1){ totalCount "
	t.eq({ problem(body).message, problem(body).locations[1].column }, { "Syntax Error: Expected Name, found <EOF>.", 31 })
	t.eq(problem(api:gql "{ foos{ id } }").message, 'Cannot query field "foos" on type "Query".')
	t.eq(problem(api:gql "{ a:people{ totalCount } b:people{ totalCount } }").message, 'Duplicate root resolver: "people"')
	t.contains(problem(api:gql "{ __typename people{ totalCount } }").message, "cannot be executed as a single request")
	body = api:gql("fragment F on Person{ id contactId } "
		.. "query{ p:people(first:1){ t:totalCount edges{ node{ ...F __typename } } } }")
	t.eq({ body.data.p.totalCount, body.data.p.edges[1].node.contactId, body.data.p.edges[1].node.__typename }, { 1,
		"x-1", "Person" })
	body = api:gql('query($s:Boolean!){ people{ totalCount @include(if:$s) } }', { s = true })
	t.eq(problem(body).extensions.code, "INTERNAL_SERVER_ERROR")
	local status
	status, body = api:post("/graphql", { query = "query A{ people{ totalCount } } query B{ companies{ totalCount } }",
		operationName = "B" })
	t.eq({ status, body.data.companies.totalCount }, { 200, 0 })
	t.eq((api:post("/graphql", { query = "query A{ people{ totalCount } } query B{ companies{ totalCount } }" })), 500)
	body = api:gql('mutation{ createPeople(data:[{contactId:"in\\u006c", name:{firstName:"A \\"q\\""}}])'
		.. "{ contactId name{ firstName } } }")
	t.eq(body.data.createPeople[1], { contactId = "inl", name = { firstName = 'A "q"' } })
	body = api:gql("{ people{ totalCount countNotEmptyContactId countEmptyJobTitle } "
		.. "peopleGroupBy(groupBy:[{jobTitle:true}]){ groupByDimensionValues totalCount } }")
	t.eq({ body.data.people.countNotEmptyContactId, body.data.peopleGroupBy[1].totalCount }, { 2, 2 })
end)

-- ---- the release of June 2025

with_workspace("emulating v1: isUnique is ignored, upsert knows only id and e-mail", function(api)
	local _, body = api:add_field("TEXT", "code", { isUnique = true })
	t.eq({ body.data.createOneField.name, body.data.createOneField.isUnique }, { "code", nil })
	body = api:meta("mutation($i:CreateOneFieldMetadataInput!){ createOneField(input:$i){ isUnique } }", { i = { field = {
		objectMetadataId = api:person_object().id, type = "TEXT", name = "other", label = "o", isUnique = true } } })
	t.eq(body.data.createOneField.isUnique, false)
	for _ = 1, 2 do t.eq((api:post("/rest/people", { contactId = "same" })), 201) end
	local many = json.array {}
	for i = 1, 201 do many[i] = { contactId = "v-" .. i } end
	t.eq(#api:gql(create_query, { data = many, upsert = true }).data.createPeople, 60)
	api:gql(create_query, { data = many, upsert = true })
	t.eq(api.server.stats().people, 404)
	local status
	status, body = api:get "/rest/people/11111111-1111-4111-8111-111111111111"
	t.eq({ status, body.error, message(body) }, { 400, "BadRequestException", "Record not found" })
	local mail = { emails = { primaryEmail = "a@example.com" } }
	api:post("/rest/people", mail)
	status, body = api:post("/rest/people?upsert=true", mail)
	t.eq(status, 400)
	t.contains(message(body), "duplicate key value violates unique constraint")
	status, body = api:add_field("TEXT", "contact_id")
	t.eq({ status, message(body) }, { 400, "contact_id should be in camelCase" })
	status, body = api:call("GET", "/rest/people", nil, { Authorization = "Bearer bad" })
	t.eq({ status, message(body) }, { 401, "No payload" })
end, { emulate = "v1" })

-- ---- rate limits, counters, state

with_workspace("the 429 of REST, the 200 of GraphQL, metadata free", function(api)
	for _ = 1, 3 do t.eq((api:get "/rest/people?limit=1"), 200) end
	local status, body = api:get "/rest/people?limit=1"
	t.eq({ status, body.error, message(body) }, { 429, "HttpException", "Limit reached (3 tokens per 60000 ms)" })
	body = api:gql "{ people(first:1){ totalCount } }"
	t.eq({ body.data.people, problem(body).extensions.subCode, problem(body).extensions.code }, { json.null,
		"LIMIT_REACHED", "BAD_USER_INPUT" })
	t.eq((api:get "/rest/metadata/objects?limit=1"), 200)
	t.eq(api.server.stats().refused, 2)
end, { rate = { tokens = 3, window_ms = 60000 } })

with_workspace("tokens come back with time", function(api)
	local status
	for _ = 1, 3 do status = api:get "/rest/people?limit=1" end
	t.eq(status, 429)
	for _ = 1, 100 do
		status = api:get "/rest/people?limit=1"
		if status == 200 then break end
		task.sleep(0.01)
	end
	t.eq(status, 200)
end, { short = { tokens = 2, window_ms = 100 } })

with_workspace("stats count calls, writes and people; other routes are free", function(api)
	local before = api.server.stats()
	api:post("/rest/people", { contactId = "z" })
	api:get "/rest/people"
	api:get "/extra"
	local after = api.server.stats()
	t.eq({ after.requests - before.requests, after.writes - before.writes, after.people }, { 2, 1, 1 })
	t.eq(select(2, api:get "/extra").hello, 1)
end, { extra_routes = { ["/extra"] = function() return { status = 200, json = { hello = 1 } } end } })

t.test("a workspace survives a restart, its key too", function()
	local dir = temp_dir()
	local server = twenty.start { dir = dir, rate = false, short = false }
	local api = setmetatable({ server = server, client = client_of(server), dir = dir }, Api)
	api:add_field("TEXT", "contactId", { isUnique = true })
	api:post("/rest/people", { contactId = "kept" })
	local token = server.token
	server.stop()
	server = twenty.start { dir = dir, rate = false, short = false }
	api = setmetatable({ server = server, client = client_of(server), dir = dir }, Api)
	local list = api:list { filter = "contactId[eq]:kept" }
	local status = api:post("/rest/people", { contactId = "kept" })
	server.stop()
	remove(dir)
	t.eq({ server.token, list.totalCount, status }, { token, 1, 400 })
end)

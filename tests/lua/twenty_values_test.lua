-- The value table, held against what a real Twenty 2.21 answered: each case names a recording, whose request is a value as
-- somebody sends it. What our projection says of the value must be what the server did with it.
local json = require "syncrun.json"
local mapping = require "syncrun.model.mapping"
local recordings = require "lua.lib.recordings"
local rows = require "syncrun.rows"
local t = require "syncrun.test"
local twenty = require "syncrun.systems.twenty"

-- The fields of the recordings' workspace.
local MAPPING = mapping.compile { key = "contact_id", fields = {
	{ "contact_id", "text", to = { twenty = { "contactId", "TEXT", unique = true } } },
	{ "name", "text", to = { twenty = { "name", "FULL_NAME" } } },
	{ "notes", "text", to = { twenty = { "notesText", "TEXT" } } },
	{ "email", "text", to = { twenty = { "emails", "EMAILS" } } },
	{ "phone", "text", to = { twenty = { "phones", "PHONES" } } },
	{ "category", "text", to = { twenty = { "categoryCode", "SELECT", options = { "CUSTOMER", "SUPPLIER", "OTHER" } } } },
	{ "birthday", "date", to = { twenty = { "birthday", "DATE" } } },
	{ "seen", "timestamp", to = { twenty = { "lastSeen", "DATE_TIME" } } },
	{ "business", "bool", to = { twenty = { "isBusiness", "BOOLEAN" } } },
	{ "context", "json", to = { twenty = { "llmContext", "RAW_JSON" } } },
} }

-- Recording, field, fate. "stricter": the server takes it, but not as it is, so that we do not send it.
local CASES = {
	{ "114-composite-email-upper", "email", "folded" },
	{ "113-composite-email-trim", "email", "rejected" },
	{ "117-composite-email-null", "email", "folded" },
	{ "120-composite-email-invalid", "email", "rejected" },
	{ "121-composite-email-invalid-space", "email", "rejected" },
	{ "122-composite-email-nodot", "email", "exact" },
	{ "123-composite-email-unicode", "email", "exact" },
	{ "124-composite-email-accent-local", "email", "exact" },
	{ "125-composite-email-plus", "email", "exact" },
	{ "126-composite-email-quoted", "email", "rejected" },
	{ "127-composite-email-idn", "email", "exact" },
	{ "128-composite-email-long-local", "email", "rejected" },
	{ "129-composite-email-long", "email", "rejected" },
	{ "139-composite-phone-e164-only", "phone", "exact" },
	{ "142-composite-phone-national-only", "phone", "rejected" },
	{ "148-composite-phone-us-e164-formatted", "phone", "folded" },
	{ "152-composite-phone-too-long", "phone", "exact" },
	{ "154-composite-phone-ext", "phone", "stricter" },
	{ "155-composite-phone-00-prefix", "phone", "rejected" },
	{ "161-composite-phone-empty", "phone", "exact" },
	{ "163-composite-phone-null", "phone", "folded" },
	{ "166-composite-phone-ca-plus1", "phone", "exact" },
	{ "172-composite-phone-kz", "phone", "exact" },
	{ "173-composite-phone-toll-free", "phone", "exact" },
	{ "175-value-name-trim", "name", "exact" },
	{ "178-value-name-emoji", "name", "exact" },
	{ "180-value-text-trim", "notes", "exact" },
	{ "181-value-text-empty", "notes", "exact" },
	{ "182-value-text-null", "notes", "folded" },
	{ "186-value-text-controls", "notes", "exact" },
	{ "187-value-text-nul", "notes", "lost" },
	{ "193-value-text-bom-lead", "notes", "exact" },
	{ "195-value-contactId-empty-2", "contact_id", "exact" },
	{ "197-value-contactId-space", "contact_id", "exact" },
	{ "198-value-contactId-case", "contact_id", "exact" },
	{ "202-value-select-invalid", "category", "rejected" },
	{ "203-value-select-lower", "category", "rejected" },
	{ "205-value-select-empty", "category", "rejected" },
	{ "206-value-select-null", "category", "exact" },
	{ "218-value-date-old", "birthday", "exact" },
	{ "220-value-date-far", "birthday", "exact" },
	{ "225-value-datetime-micro", "seen", "folded" },
	{ "234-value-bool-null", "business", "exact" },
	{ "241-value-json-string", "context", "stricter" },
	{ "242-value-json-plain-string", "context", "rejected" },
	{ "243-value-json-array", "context", "exact" },
	{ "244-value-json-number", "context", "rejected" },
	{ "246-value-json-empty-object", "context", "folded" },
	{ "247-value-json-nul", "context", "lost" },
	{ "248-value-json-keyorder", "context", "exact" },
}

local FROM = {
	email = function(b) return b.emails.primaryEmail end,
	phone = function(b) return b.phones.primaryPhoneNumber end,
	name = function(b) return b.name.firstName .. (b.name.lastName and " " .. b.name.lastName or "") end,
	context = function(b) return b.llmContext ~= json.null and json.encode(b.llmContext) or nil end,
}

local function model_of(field, body)
	local page = rows.new(MAPPING:schema())
	local name = MAPPING.by_name[field].targets.twenty.name
	local value = body[name]
	if FROM[field] then value = FROM[field](body) end
	if field == "seen" then value = require "syncrun.time".parse(value) end
	page:add { contact_id = field == "contact_id" and value or "c", [field] = value }
	return page
end

-- The answered person as our reader reads people.
local function read(target, person)
	local body = json.encode { data = { people = { edges = json.array { { node = person } } } } }
	local reader = target.reader
	return reader.plan:apply((reader.people:read(body)))
end

local function column_of(target, field)
	for _, column in ipairs(target:projection()) do
		if column.from == field then return column.name end
	end
end

local function check(target, case)
	local name, field, fate = table.unpack(case)
	local r = recordings.get("twenty", name)
	local model = model_of(field, r.request.body)
	local expected = rows.plan(model:schema(), target:projection()):apply(model)
	local column, got = column_of(target, field), "exact"
	for _, f in ipairs(expected:fates(1) or {}) do
		if f.column == column then got = f.fate end
	end
	local refused = got == "lost" or got == "rejected"
	if fate == "stricter" then
		t.ok(refused and r.response.status == 201, name .. ": " .. got)
		return
	end
	t.eq(got, fate, name)
	t.eq(r.response.status == 201, not refused, name .. ": the server's answer")
	if refused then return end
	local found = read(target, r.response.body.data.createPerson)
	t.eq(found:text(1, column), expected:text(1, column), name) -- for JSON by the canonical form
end

t.test("twenty: the projection is what the real server did with the values of the recordings", function()
	local target = twenty.new({ url = "http://127.0.0.1:1", key = "k", rate = false }, MAPPING)
	for _, case in ipairs(CASES) do check(target, case) end
end)

-- explain: the way of one value through the sandbox's BigQuery, the mapping, Twenty and a local file.
local bigquery = require "sandbox.bigquery"
local checks_of = require "syncrun.model.checks"
local explain = require "syncrun.model.explain"
local inspect = require "syncrun.flow.inspect"
local judge_of = require "syncrun.model.judge"
local mapping = require "syncrun.model.mapping"
local rows = require "syncrun.rows"
local t = require "syncrun.test"
local twenty = require "sandbox.twenty"

local CONTACT = [[{"contact_id":"1","canonical_name":null,"full_name":"Ann Lee","email":"Ann@Example.com",]]
	.. [["phone":"202 555 0123","llm_context":{"id":9007199254740993},"category_code":"Q",]]
	.. [["created_at":"2024-05-06T07:08:09.123456Z"}]]

local function write(path, text)
	local file <close> = assert(io.open(path, "w"))
	file:write(text)
end

-- Fn(session, dir) with the three systems filled with one contact; Twenty has none of it.
local function opened(fn)
	local pipe <close> = assert(io.popen "mktemp -d /tmp/syncrun-explain-XXXXXX")
	local dir = pipe:read "l"
	write(dir .. "/in.ndjson", CONTACT)
	bigquery.load { dir = dir, file = dir .. "/in.ndjson", project = "sandbox", dataset = "identity",
		table = "contacts_master" }
	local source = bigquery.start { dir = dir, project = "sandbox", dataset = "identity" }
	local crm = twenty.start { dir = dir, rate = false, short = false }
	write(dir .. "/config.lua", ([[return { mapping = "scripts/contacts/mapping.lua", checks = "scripts/contacts/checks.lua",
		bigquery = { emulator = %q, project = "sandbox", table = "identity.contacts_master" }, supabase = false,
		twenty = { url = %q, key = %q, rate = false }, local_db = { path = %q } }]]):format(source.url, crm.url, crm.token,
		dir .. "/contacts.db"))
	local session = inspect.open { config = dir .. "/config.lua" }
	local ok, e = pcall(fn, session, dir)
	session:close()
	source.stop()
	crm.stop()
	os.execute("rm -r " .. dir)
	if not ok then error(e, 0) end
end

local function by_label(explained)
	local out = {}
	for _, system in ipairs(explained.systems) do out[system.label] = system end
	return out
end

t.test("a value's way: source, mapping, each system's form, what each holds, the verdict", function()
	for _, name in ipairs { "TWENTY_API_URL", "LOCAL_DB", "SUPABASE_DB_URL", "BIGQUERY_EMULATOR_HOST" } do
		if os.getenv(name) then t.skip "the environment names systems of its own" end
	end
	opened(function(session)
		for _, target in ipairs(session.targets) do
			if not target.skipped then target:setup(true) end
		end
		local name = session:explain("1", "canonical_name")
		t.eq(name.source, { column = "canonical_name", label = "BigQuery", type = "text", value = "null" })
		t.eq({ name.model.value, name.model.fate, name.model.note }, { '"Ann Lee"', "folded", "name made from other fields" })
		t.eq(name.model.steps, { "default_name(full_name, first_name, last_name)" })
		t.eq(by_label(name).Supabase.verdict, "not configured: SUPABASE_DB_URL is not set")
		local here = by_label(name).Local
		t.eq({ here.value, here.fate, here.verdict, here.holds }, { '"Ann Lee"', "folded", "missing there", {} })

		local json = by_label(session:explain("1", "llm_context"))
		t.eq({ json.CRM.column, json.CRM.fate, json.CRM.note, json.CRM.value },
			{ "llmContext", "lost", "number beyond what JavaScript can hold", '{"id":9007199254740992}' })
		t.eq(json.Local.fate, "exact")
		t.eq(by_label(session:explain("1", "category_code")).CRM.fate, "rejected")
		t.eq(by_label(session:explain("1", "created_at")).CRM.value, '"2024-05-06T07:08:09.123000Z"')

		local text = tostring(session:explain("1", "email"))
		t.ok(text:find('CRM        emails.primaryEmail text: email_shape, lower, null_to_empty -> "ann@example.com" '
			.. "(folded: changed to lower case)\n             holds nothing: missing there", 1, true), text)
		t.raises(session.explain, "did you mean 'email'?", session, "1", "emial")
		t.raises(session.explain, "contact '2' is not in BigQuery", session, "2", "email")
	end)
end)

-- What a system holds, without one.
local function verdict(own, expected, held, checks)
	local field = { name = "x", own = own, on_loss = "reject" }
	local column = { name = "X", type = "text", from = "x", steps = { "null_to_empty" }, own = own, field = field }
	local model = rows.new(rows.schema { { "x", "text" } })
	model:add { x = expected }
	local found = rows.new(rows.schema { { "X", "text" }, { "deletedAt", "timestamp" } })
	for _, value in ipairs(held) do found:add(value) end
	local compiled = mapping.compile { key = "id", fields = { { "id", "text" }, { "x", "text" } } }
	local judge = judge_of.new({ gone = "deletedAt", projection = function() return { column } end },
		checks_of.compile(checks or {}, compiled, "checks"))
	local out = explain.system(model, column, { found = found, judge = judge })
	return out.verdict, out.holds
end

t.test("verdicts on what a system holds", function()
	t.eq({ verdict("source", "a", { { X = "a" } }) }, { "equal", { '"a"' } })
	t.eq({ verdict("source", nil, { { X = "" } }) }, { "equal", { '""' } })
	t.eq(verdict("source", "a", { { X = "b" } }), "different")
	t.eq(verdict("source", "a", { { X = "b" } }, { fields = false }), "different, which the checks leave out")
	t.eq(verdict("once", "a", { { X = "b" } }), "changed there since it was created")
	t.eq(verdict("target", "a", { { X = "b" } }), "its own, never written")
	t.eq(verdict("source", "a", { { X = "a" }, { X = "a" } }), "there 2 times")
	t.eq({ verdict("source", "a", { { X = "a", deletedAt = 1 } }) }, { "missing there", {} })
end)

t.test("a transform in Lua is named among the steps", function()
	local compiled = mapping.compile { key = "id", fields = { { "id", "text" },
		{ "x", "text", transform = { "lower", function(v) return v .. "!" end } } } }
	local source = rows.new(rows.schema { { "id", "text" }, { "x", "text" } })
	source:add { id = "1", x = "A" }
	local from, made = explain.model(source, compiled:to_model(source:schema())(source), compiled.by_name.x)
	t.eq(from.value, '"A"')
	t.eq({ made.value, made.steps }, { '"a!"', { "lower", "a function in Lua" } })
end)

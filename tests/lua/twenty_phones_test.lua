-- Telephones: what we make of 5,000 shapes, held against what libphonenumber-js 1.11.5 does, which Twenty 2.21 asks. Its
-- verdicts are recorded in lib/phones.tsv, a line a shape: what it makes of the text, what we send, what it makes of that
-- ("-": refused or not sent, "=": as it stands before). RECORD=1 writes the file anew, and needs node and npm.
local fields = require "syncrun.systems.twenty.fields"
local json = require "syncrun.json"
local mapping = require "syncrun.model.mapping"
local phones = require "lua.lib.phones"
local regions = require "syncrun.systems.twenty.regions"
local rows = require "syncrun.rows"
local t = require "syncrun.test"

local COUNT = 5000
local HERE = debug.getinfo(1, "S").source:match "^@(.*/)"
local TABLE = HERE .. "lib/phones.tsv"

-- What we do not send although the library takes it, each with a reason that the report gives.
local DECLARED = {
	["phone's extension removed"] = true, ["words beside the phone removed"] = true,
	["a phone that a spreadsheet made a decimal number of"] = true,
	["a phone that would be read as another number"] = true,
}

local function test(name, fn)
	t.test("telephones: " .. name, fn)
end

local MAPPING = mapping.compile { key = "id", fields = {
	{ "id", "text", to = { twenty = { "contactId", "TEXT", unique = true } } },
	{ "phone", "text", to = { twenty = { "phones", "PHONES" } } },
} }

-- What becomes of the texts: {sent=, note=} each; sent is nil when the contact is not sent. without: what is sent with
-- on_loss = "write", without the extension or the words.
local function through(texts, settings)
	local columns = fields.columns(MAPPING, settings)
	local page = rows.new(MAPPING:schema())
	for i, text in ipairs(texts) do page:add { id = tostring(i), phone = text } end
	local result, list = rows.plan(page:schema(), columns):apply(page), {}
	for i = 1, #texts do
		local item = { sent = result:text(i, columns[2].name) }
		for _, fate in ipairs(result:fates(i) or {}) do
			if fate.column == columns[2].name then
				item.note = fate.note:match "^(.-) '" or fate.note
				if fate.fate == "lost" then item.without = item.sent end
				if fate.fate == "lost" or fate.fate == "rejected" then item.sent = nil end
			end
		end
		list[i] = item
	end
	return list
end

-- Numbers as they are compared when they come back from Twenty.
local function read_back(numbers)
	local schema = rows.schema { { "phone", "text" } }
	local page = rows.new(schema)
	for _, number in ipairs(numbers) do page:add { phone = number } end
	local steps = { { "phone_trunk", table.unpack(regions.trunks()) } }
	local result, list = rows.plan(schema, { { name = "phone", from = "phone", steps = steps } }):apply(page), {}
	for i = 1, #numbers do list[i] = result:text(i, "phone") end
	return list
end

-- ---- the library's verdicts

-- Of the library itself; nil when it is not to be had here.
local function ask(texts)
	local input, output = os.tmpname(), os.tmpname()
	local file <close> = assert(io.open(input, "w"))
	file:write(json.encode(json.array(texts)))
	file:close()
	local _, _, code = os.execute(("%slib/phones.sh <%s >%s"):format(HERE, input, output))
	local answer <close> = assert(io.open(output))
	local text = answer:read "a"
	os.remove(input)
	os.remove(output)
	if code == 3 then return nil end
	local list = json.decode(text)
	for i = 1, #texts do list[i] = list[i] ~= json.null and list[i] end
	return list
end

-- {raw=, sent=, back=} a shape; false where there is none.
local function recorded()
	local list = {}
	for line in io.lines(TABLE) do
		local raw, sent, back = line:match "^([^\t]*)\t([^\t]*)\t([^\t]*)$"
		local function value(text, before)
			if text == "=" then return before end
			return text ~= "-" and text
		end
		raw = value(raw)
		sent = value(sent, raw)
		list[#list + 1] = { raw = raw, sent = sent, back = value(back, sent) }
	end
	return list
end

local function record(list)
	local file <close> = assert(io.open(TABLE, "w"))
	for _, item in ipairs(list) do
		file:write(item.raw or "-", "\t", item.sent and (item.sent == item.raw and "=" or item.sent) or "-", "\t",
			item.back and (item.back == item.sent and "=" or item.back) or "-", "\n")
	end
end

-- What the library says of the shapes and of what we send of them.
local function asked(shapes, ours)
	local texts = {}
	for i, shape in ipairs(shapes) do texts[2 * i - 1], texts[2 * i] = shape, ours[i].sent or "" end
	local answers, list = ask(texts), {}
	if not answers then return nil end
	for i in ipairs(shapes) do
		local sent = ours[i].sent or false
		list[i] = { raw = answers[2 * i - 1], sent = sent, back = sent and answers[2 * i] }
	end
	return list
end

local shapes = phones.shapes(COUNT)
local ours = through(shapes)

if os.getenv "RECORD" then record(assert(asked(shapes, ours), "node and npm are needed")) end

-- ---- the tests

local function shown(i)
	return ("shape %d %s"):format(i, json.encode(shapes[i]))
end

test("nothing that is sent is refused there, or comes back as another number", function()
	local back, sent = {}, 0
	for i, verdict in ipairs(recorded()) do
		t.eq(ours[i].sent or false, verdict.sent, shown(i) .. ": record the verdicts anew (RECORD=1)")
		t.ok(not verdict.sent or verdict.back, shown(i) .. ": the library refuses " .. tostring(verdict.sent))
		back[i] = verdict.back or ""
		sent = sent + (verdict.sent and verdict.sent ~= "" and 1 or 0)
	end
	t.eq(#back, COUNT)
	for i, number in ipairs(read_back(back)) do t.eq(number, ours[i].sent or "", shown(i)) end
	t.ok(sent > 1500, ("only %d are sent"):format(sent))
end)

test("nothing that is taken there is refused here, unless that is declared", function()
	local taken = 0
	for i, verdict in ipairs(recorded()) do
		if verdict.raw and not ours[i].sent then
			taken = taken + 1
			local trunk = shapes[i]:find("(0)", 1, true) or shapes[i]:find "^%+570" -- dropped before its length counts
			t.ok(DECLARED[ours[i].note] or (trunk and ours[i].note == "too short or too long for a phone"),
				("%s: %s; the library takes it as %s"):format(shown(i), ours[i].note, verdict.raw))
		end
	end
	t.ok(taken > 400, ("only %d"):format(taken))
end)

test("what both take is the same number", function()
	local raw, both = {}, 0
	local verdicts = recorded()
	for i, verdict in ipairs(verdicts) do raw[i] = verdict.raw or "" end
	raw = read_back(raw)
	for i, verdict in ipairs(verdicts) do
		if verdict.raw and ours[i].sent and not shapes[i]:find("(0)", 1, true) then -- of which it knows nothing
			t.eq(ours[i].sent, raw[i], shown(i))
			both = both + 1
		end
	end
	t.ok(both > 1300, ("only %d"):format(both))
end)

test("the recorded verdicts are the library's", function()
	local live = asked(shapes, ours)
	if not live then t.skip "no libphonenumber-js here: node and npm, which fetches it, are needed" end
	for i, verdict in ipairs(recorded()) do t.eq(verdict, live[i], shown(i)) end
end)

test("what is sent without an extension or words is taken there too", function()
	local texts = {}
	for _, item in ipairs(ours) do texts[#texts + 1] = item.without end
	t.ok(#texts > 300, ("only %d"):format(#texts))
	local live = ask(texts)
	if not live then t.skip "no libphonenumber-js here: node and npm, which fetches it, are needed" end
	local back = {}
	for i, number in ipairs(live) do back[i] = t.ok(number, "the library refuses " .. texts[i]) end
	t.eq(read_back(back), texts)
end)

test("the calling codes are the library's", function()
	local texts = {}
	for code = 1, 999 do texts[code] = ("+%d5550123"):format(code) end
	local live = ask(texts)
	if not live then t.skip "no libphonenumber-js here: node and npm, which fetches it, are needed" end
	for code, item in ipairs(through(texts)) do
		local refused = item.note == "no country has the calling code of the phone"
		t.eq(refused, live[code] == false, ("+%d"):format(code))
	end
end)

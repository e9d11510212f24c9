-- Contacts that some system cannot hold, or holds only folded, or that merely look as if. Each states beforehand, for
-- the field it is about, what becomes of it per system: exact, folded, lost or rejected. Tests hold the report to it.

local M = {}

local WORD = { e = "exact", f = "folded", l = "lost", r = "rejected" }
local TIME = 1767323045123000

-- Each entry: what, verdict letters for postgres, sqlite and twenty, field, value, further fields.
local ENTRIES = {}

local function odd(what, verdict, field, value, more)
	ENTRIES[#ENTRIES + 1] = { what = what, verdict = verdict, field = field, value = value, more = more or {} }
end

-- Identifiers
odd("id with leading zeros", "eee", "contact_id", "00123")
odd("id 123 beside 00123", "eee", "contact_id", "123")
odd("id of 2^53 + 1", "eee", "contact_id", "9007199254740993")
odd("id of 2^53", "eee", "contact_id", "9007199254740992")
odd("id of 2^63 - 1", "eee", "contact_id", "9223372036854775807")
odd("id beyond int64", "eee", "contact_id", "123456789012345678901234567890")
odd("negative id", "eee", "contact_id", "-1")
odd("id spelled as a float", "eee", "contact_id", "1e3")
odd("id spelled as hexadecimal", "eee", "contact_id", "0x10")
odd("id that reads NULL", "eee", "contact_id", "NULL")
odd("id that reads null", "eee", "contact_id", "null")
odd("id with a space inside", "eee", "contact_id", "odd id 1")
odd("id with surrounding spaces", "eee", "contact_id", " odd-padded ")
odd("ids that differ in case (lower)", "eee", "contact_id", "odd-case")
odd("ids that differ in case (upper)", "eee", "contact_id", "ODD-CASE")
odd("id composed é", "eee", "contact_id", "odd-\u{e9}")
odd("id decomposed é", "eee", "contact_id", "odd-e\u{301}")
odd("id with a single quote", "eee", "contact_id", "odd-'; DROP TABLE contacts_master; --")
odd("id with double quotes and backslash", "eee", "contact_id", 'odd-"\\"')
odd("id with comma, parentheses and brackets", "eee", "contact_id", "odd-(a,b)[c]{d}")
odd("id with percent and underscore", "eee", "contact_id", "odd-%_")
odd("id with slash, question mark and hash", "eee", "contact_id", "odd/?#&=+")
odd("id with a line break", "eee", "contact_id", "odd-\nline")
odd("id of an emoji", "eee", "contact_id", "🦄")
odd("id of a private-use character beyond the BMP", "eee", "contact_id", "\u{10FFFD}")
odd("id just below the surrogates (byte order is not UTF-16 order)", "eee", "contact_id", "\u{FF5E}")
odd("id in a right-to-left script", "eee", "contact_id", "עדי-1")

-- Names
odd("name with quotes", "eee", "canonical_name", [[Robert "Bobby" O'Tables]])
odd("name with surrounding spaces", "eee", "canonical_name", "  Padded Name  ")
odd("name with two spaces inside", "eee", "canonical_name", "Double  Space")
odd("name of one word", "eee", "canonical_name", "Madonna")
odd("name of one space", "eee", "canonical_name", " ")
odd("name of 300 bytes", "eee", "canonical_name", ("Ñ"):rep(100) .. " " .. ("é"):rep(49) .. "x")
odd("name of 3000 characters without a space", "eee", "canonical_name", ("长"):rep(3000))
odd("name right to left with marks", "eee", "canonical_name", "\u{202B}محمد\u{202C} الخوارزمي")
odd("name with combining marks", "eee", "canonical_name", "Zoe\u{308} Nu\u{303}n\u{303}ez")
odd("name with a zero-width joiner", "eee", "canonical_name", "श्री\u{200D}मान् शर्मा")
odd("name with a suffix after a comma", "eee", "canonical_name", "John Smith, Jr.", { last_name = "Smith" })
odd("name with a tab", "eee", "canonical_name", "Tab\tName")
odd("name that is NULL, full_name there", "fff", "canonical_name", nil, { full_name = "Full Name Only" })
odd("name and full_name NULL, parts there", "fff", "canonical_name", nil, { first_name = "Only", last_name = "Parts" })
odd("last name twice in the name", "eee", "canonical_name", "Ali Ali Ali", { last_name = "Ali" })
odd("no-break space in the name", "eee", "canonical_name", "Jean\u{A0}Luc Picard")
odd("name of an emoji", "eee", "canonical_name", "👩‍🚀")
odd("first name empty", "eee", "first_name", "")
odd("nickname empty", "eee", "nickname", "")
odd("nickname NULL", "eef", "nickname", nil)
odd("title empty", "eee", "title", "")
odd("middle name NULL", "eef", "middle_name", nil)
odd("byte order mark in a name", "eee", "last_name", "\u{FEFF}Bom")
odd("NUL in a name", "lel", "last_name", "Nul\0Name")

-- Texts
odd("notes with newlines, carriage returns and tabs", "eee", "notes", "a\nb\r\nc\td\re")
odd("notes that end in a newline", "eee", "notes", "ends\n")
odd("notes with control characters", "eee", "notes", "bell\a esc\27 del\127")
odd("NUL in the notes", "lel", "notes", "before\0after")
odd("NUL alone", "lel", "notes", "\0")
odd("notes of 100,000 bytes", "eee", "notes", ("0123456789"):rep(10000))
odd("notes with U+FFFD", "eee", "notes", "replacement \u{FFFD} character")
odd("notes with noncharacters", "eee", "notes", "\u{FFFE}\u{FFFF}\u{1FFFF}")
odd("notes with COPY and CSV traps", "eee", "notes", "\\N\n\\.\n\"\",\\t")
odd("notes empty", "eee", "notes", "")
odd("notes NULL", "eef", "notes", nil)
odd("notes of spaces", "eee", "notes", "   ")
odd("job title that looks like JSON", "eee", "job_title", '{"a":1}')
odd("job title that reads null", "eee", "job_title", "null")
odd("job title with a format directive", "eee", "job_title", "%s %d %n $1 ?1 :x @y")
odd("department in full width", "eee", "department", "Ｒ＆Ｄ")
odd("organization with a lone combining mark", "eee", "organization", "\u{301}")

-- Codes
odd("unknown category code", "eer", "category_code", "Q")
odd("category code in lower case", "eer", "category_code", "a")
odd("empty category code", "eer", "category_code", "")
odd("category code NULL", "eee", "category_code", nil)
odd("subcategory of another category", "eee", "subcategory_code", "B1_CLOSE_FRIEND", {
	category_code = "A",
	check = true,
})
odd("subcategory without a category", "eee", "subcategory_code", "A1_CLOSE_FAMILY", { check = true })

-- E-mail
odd("e-mail without @", "eer", "email", "not an e-mail")
odd("e-mail without a domain", "eer", "email", "user@")
odd("e-mail without a local part", "eer", "email", "@example.com")
odd("e-mail with two @", "eer", "email", "a@b@example.com")
odd("e-mail with a space before it", "eer", "email", " padded@example.com")
odd("e-mail with a space after it", "eer", "email", "padded2@example.com ")
odd("e-mail with a quoted local part", "eer", "email", '"quoted local"@example.com')
odd("e-mail with a local part of 65 bytes", "eer", "email", ("l"):rep(65) .. "@example.com")
odd("e-mail in upper case", "eef", "email", "ODD.UPPER@EXAMPLE.COM")
odd("e-mail in mixed case", "eef", "email", "Odd.Mixed@Example.Com")
odd("e-mail with a plus tag", "eee", "email", "odd+tag@example.com")
odd("e-mail shared, first holder", "eee", "email", "shared@example.com")
odd("e-mail shared, second holder", "eer", "email", "shared@example.com")
odd("e-mail shared but for the case", "eer", "email", "SHARED@example.com")
odd("e-mail NULL", "eef", "email", nil)
odd("e-mail empty", "eee", "email", "")

-- Telephone: one in each of many countries, then the shapes that do not fit
for _, p in ipairs {
	"+12025550123", "+14165550199", "+447400123456", "+33612345678", "+4915123456789", "+34612345678", "+393123456789",
	"+31612345678", "+32470123456", "+41781234567", "+43664123456", "+46701234567", "+4740612345", "+4532123456",
	"+358412345678", "+48512345678", "+420601123456", "+306912345678", "+351912345678", "+353850123456", "+79123456789",
	"+380501234567", "+905012345678", "+972502345678", "+966512345678", "+971501234567", "+201001234567",
	"+918123456789", "+66812345678", "+84912345678", "+62812345678", "+639051234567", "+8613123456789", "+819012345678",
	"+821020000000", "+85251234567", "+886912345678", "+6581234567", "+61412345678", "+64211234567", "+27711234567",
	"+2348021234567", "+254712123456", "+5511961234567", "+573211234567", "+995555123456", "+37477123456",
} do
	odd("telephone " .. p, "eee", "phone", p)
end
odd("telephone without a country code", "eer", "phone", "202 555 0123")
odd("telephone without a country code, digits only", "eer", "phone", "2025550123")
odd("telephone with 00", "eer", "phone", "0033612345678")
odd("telephone with an extension", "eel", "phone", "+12025550123 ext. 45")
odd("telephone with x and an extension", "eel", "phone", "+1 202-555-0123x9")
odd("telephone with spaces", "eef", "phone", "+33 6 12 34 56 78")
odd("telephone with punctuation", "eef", "phone", "+1 (202) 555-0123")
odd("telephone of words", "eer", "phone", "call me")
odd("telephone too short", "eer", "phone", "+1")
odd("telephone NULL", "eef", "phone", nil)
odd("telephone empty", "eee", "phone", "")

-- JSON
odd("JSON integer beyond 2^53", "eel", "llm_context", '{"id":9007199254740993}')
odd("JSON integer of 20 digits", "eel", "llm_context", '{"id":12345678901234567890}')
odd("JSON integer of exactly 2^53", "eee", "llm_context", '{"id":9007199254740992}')
odd("JSON decimal of 20 digits", "eel", "llm_context", '{"x":0.12345678901234567890}')
odd("JSON number beyond a double", "eel", "llm_context", '{"x":1e400}')
odd("JSON number 1e3", "eee", "llm_context", '{"x":1e3}')
odd("JSON number 1.10", "eee", "llm_context", '{"x":1.10}')
odd("JSON number -0", "eee", "llm_context", '{"x":-0}')
odd("JSON number -0.0", "eee", "llm_context", '{"x":-0.0}')
odd("JSON number 1E+2", "eee", "llm_context", '{"x":1E+2}')
odd("JSON number 0.1", "eee", "llm_context", '{"x":0.1}')
odd("JSON number 5e-324", "eee", "llm_context", '{"x":5e-324}')
odd("JSON number of 17 digits a double holds", "eee", "llm_context", '{"x":0.30000000000000004}')
odd("JSON \\u0000 in a string", "lel", "llm_context", '{"s":"a\\u0000b"}')
odd("JSON \\u0000 in a name", "lel", "llm_context", '{"a\\u0000b":1}')
odd("JSON escaped backslash before u0000", "eee", "llm_context", '{"s":"a\\\\u0000b"}')
odd("JSON nested unicode", "eee", "llm_context", '{"名前":{"première":["Ünïcödé","\\ud83e\\udd84","🦄"]}}')
odd("JSON escapes", "eee", "llm_context", '{"s":"\\b\\f\\n\\r\\t\\/\\"\\\\"}')
odd("JSON with blanks between", "eee", "llm_context", ' { "b" : [ 1 , 2 ] , "a" : null } ')
odd("JSON keys out of order", "eee", "llm_context", '{"z":1,"aa":2,"b":3,"é":4}')
odd("JSON repeated key", "lll", "llm_context", '{"k":1,"k":2}')
odd("JSON empty object", "eef", "llm_context", "{}")
odd("JSON empty object inside", "eee", "llm_context", '{"a":{}}')
odd("JSON array", "eee", "llm_context", '[1,[2,[3]],{"a":[]}]')
odd("JSON string at the top", "eer", "llm_context", '"just text"')
odd("JSON number at the top", "eer", "llm_context", "42")
odd("JSON true at the top", "eer", "llm_context", "true")
odd("JSON of depth 100", "eee", "llm_context", ("["):rep(100) .. "1" .. ("]"):rep(100))
odd("JSON empty key", "eee", "llm_context", '{"":""}')
odd("JSON string of 100,000 bytes", "eee", "llm_context", '{"s":"' .. ("x"):rep(100000) .. '"}')
odd("JSON NULL", "eee", "social_network", nil)
odd("JSON metadata with a big version", "eel", "sync_metadata", '{"version":9223372036854775807}')

-- Dates and times
odd("birthday of year 1", "eee", "birthday", "0001-01-01")
odd("birthday of year 9999", "eee", "birthday", "9999-12-31")
odd("birthday on a leap day", "eee", "birthday", "2000-02-29")
odd("birthday on the last day before the epoch", "eee", "birthday", "1969-12-31")
odd("birthday of 1582 in the skipped days", "eee", "birthday", "1582-10-10")
odd("birthday NULL", "eee", "birthday", nil)
odd("time with microseconds", "eef", "created_at", 1767323045123456)
odd("time with milliseconds", "eee", "created_at", 1767323045123000)
odd("time on the second", "eee", "created_at", 1767323045000000)
odd("time of the epoch", "eee", "first_seen", 0)
odd("time one microsecond before the epoch", "eef", "first_seen", -1)
odd("time of year 1", "eee", "first_seen", -62135596800000000)
odd("time at the end of year 9999", "eef", "last_seen", 253402300799999999)
odd("time NULL", "eee", "last_seen", nil)

-- Flags
odd("is_me NULL", "eee", "is_me", nil)
odd("is_business NULL", "eee", "is_business", nil)

local function verdict(letters)
	local out = {}
	for i, system in ipairs { "postgres", "sqlite", "twenty" } do
		out[system] = WORD[letters:sub(i, i)]
	end
	return out
end

-- A plain contact that differs in the one field.
local function contact(entry, k)
	local c = {
		contact_id = ("odd-%03d"):format(k),
		canonical_name = ("Odd Number%d"):format(k),
		is_me = false,
		is_business = false,
		created_at = TIME,
		updated_at = TIME,
	}
	for name, value in pairs(entry.more) do
		c[name] = value
	end
	c.check, c[entry.field] = nil, entry.value
	return c
end

local function entry_of(e, k)
	local c = contact(e, k)
	return {
		id = c.contact_id,
		what = e.what,
		field = e.field,
		verdict = verdict(e.verdict),
		fails_check = e.more.check or false,
		contact = c,
	}
end

-- Rows that cannot be synced at all: the source is at fault, whatever the system.
local function without_identity(out)
	local all = { postgres = "rejected", sqlite = "rejected", twenty = "rejected" }
	local function add(what, id, name)
		local c = contact({ more = {}, field = "contact_id", value = id }, 0)
		c.canonical_name = name
		out[#out + 1] = { id = id, what = what, field = "contact_id", verdict = all, fails_check = true, contact = c }
	end
	add("null id", nil, "Null Id")
	add("null id again", nil, "Null Id Two")
	add("repeated id, first row", "odd-twice", "Twice One")
	add("repeated id, second row", "odd-twice", "Twice Two")
	add("repeated row, first", "odd-same", "Same")
	add("repeated row, second", "odd-same", "Same")
end

---The odd contacts: {id=, what=, field=, verdict={postgres=, sqlite=, twenty=}, fails_check=, contact=}. `id` is nil
---for a null one. The verdict is that of `field`; fails_check: a check finds fault although every value is held.
---@return table
function M.list()
	local out = {}
	for k, e in ipairs(ENTRIES) do
		out[k] = entry_of(e, k)
	end
	without_identity(out)
	return out
end

return M

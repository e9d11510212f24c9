-- What goes into each field type: Twenty's checks, messages and normalisations (twenty.md section 6), from JavaScript
-- values to column values. Knows no SQL and no HTTP.
local catalog = require "sandbox.twenty.catalog"
local dates = require "sandbox.twenty.dates"
local errors = require "sandbox.twenty.errors"
local js = require "sandbox.twenty.jsvalue"
local phones = require "sandbox.twenty.phones"

local M = {}

--- The column value that stands for SQL NULL.
M.NULL = js.null
local NULL = js.null

local function quoted(v) return 'Invalid value: "' .. js.inspect(v) .. '"' end

local function storable(text)
	if text:find("\0", 1, true) then errors.unstorable() end
	return text
end

local function text_value(v, path)
	if v ~= NULL and type(v) ~= "string" then
		errors.data(string.format('Invalid string value %s for text field "%s"', js.inspect(v), path), quoted(v))
	end
	return v
end

local function stored_text(v)
	if v == NULL or v == "" then return NULL end
	return storable(v)
end

local function is_uuid(v)
	return type(v) == "string" and #v == 36
		and v:find("^%x%x%x%x%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$") ~= nil
end

--- Whether the text is a UUID.
M.is_uuid = is_uuid

local function uuid_value(v, path)
	if v ~= NULL and not is_uuid(v) then
		errors.data(string.format('Invalid UUID value %s for field "%s"', js.inspect(v), path),
			'Invalid value for UUID: "' .. js.inspect(v) .. '"')
	end
	return v == NULL and NULL or v:lower()
end

local function number_value(v, path)
	if v == NULL then return NULL end
	if type(v) ~= "number" or v ~= v or v == math.huge or v == -math.huge then
		errors.data(string.format('Invalid number value %s for field "%s"', js.inspect(v), path),
			'Invalid value for number: "' .. js.inspect(v) .. '"')
	end
	return v == 0 and 0.0 or v
end

local function boolean_value(v, path)
	if v ~= NULL and type(v) ~= "boolean" then
		errors.data(string.format('Invalid boolean value %s for field "%s"', js.inspect(v), path), quoted(v))
	end
	return v
end

local function date_value(v, path)
	if v == NULL then return NULL end
	local date = type(v) == "string" and dates.date(v)
	if not date then
		errors.data(
			string.format("Invalid value %s for date field \"%s\". Expected format: 'YYYY-MM-DD'", js.inspect(v), path),
			string.format("Invalid value for date: \"%s\". Expected format: 'YYYY-MM-DD'", js.inspect(v)))
	end
	return date
end

local function instant_value(v, path)
	if v == NULL then return NULL end
	local ms = type(v) == "string" and dates.instant(v)
	if not ms then
		errors.data(string.format(
			"Invalid value %s for date-time field \"%s\". Expected format: 'YYYY-MM-DDTHH:mm:ssZ'", js.inspect(v), path),
			string.format("Invalid value for date-time: \"%s\". Expected format: 'YYYY-MM-DDTHH:mm:ssZ'", js.inspect(v)))
	end
	return ms
end

local function option_values(field)
	local list, set = {}, {}
	for i, option in ipairs(field.options or {}) do
		list[i] = js.get(option, "value")
		set[list[i]] = true
	end
	return list, set
end

local function check_choice(v, path, list)
	text_value(v, path)
	if v == NULL then return NULL end
	for _, option in ipairs(list) do
		if option == v then return v end
	end
	errors.data(
		string.format('Invalid value "%s" for field "%s". Valid values are: %s', v, path, table.concat(list, ", ")),
		'Invalid value for field "' .. path .. '"')
end

local function string_list(v, path)
	if v == NULL or type(v) == "string" then return v end
	local good = js.is_array(v)
	for _, item in ipairs(good and v or {}) do good = good and type(item) == "string" end
	if not good then
		errors.data(string.format('Invalid value %s for field "%s - Array values need to be string"', js.inspect(v), path),
			quoted(v))
	end
	return v
end

local function stored_list(v)
	if v == NULL then return NULL end
	local list = type(v) == "string" and js.array { v } or v
	if #list == 0 then return NULL end
	for _, item in ipairs(list) do storable(item) end
	return js.encode(list)
end

local function multi_select(v, field, path)
	string_list(v, path)
	if v == NULL then return NULL end
	local _, set = option_values(field)
	for _, item in ipairs(type(v) == "string" and { v } or v) do
		if not set[item] then
			errors.data(string.format('Invalid value %s for multi select field "%s"', js.inspect(v), path),
				'Invalid value for multi-select: "' .. js.inspect(v) .. '"')
		end
	end
	return stored_list(v)
end

-- An object (or JSON text of one); the parsed value, or NULL.
local function json_value(v, path)
	if v == NULL then return NULL end
	if type(v) == "string" then
		local parsed, message = js.decode(v)
		if parsed == nil and message then
			errors.data(string.format('Invalid object value %s for field "%s"', js.inspect(v), path),
				"Invalid value for JSON.")
		end
		return parsed
	end
	if not js.is_object(v) and not js.is_array(v) then
		errors.data(string.format('Invalid object value %s for field "%s"', js.inspect(v), path),
			'Invalid value for JSON: "' .. js.inspect(v) .. '"')
	end
	return v
end

local function is_empty(v) return (js.is_object(v) and #v.keys == 0) or (js.is_array(v) and #v == 0) end

local function jsonb(v)
	local text = js.encode_jsonb(v)
	if text:find("\\u0000", 1, true) and text:gsub("\\\\", ""):find("\\u0000", 1, true) then errors.unstorable() end
	return text
end

local function stored_json(v)
	if v == NULL or (js.is_object(v) and #v.keys == 0) then return NULL end
	return jsonb(v)
end

-- An empty object or list becomes null, but not when it comes as the text of one.
local function raw_json(v, path)
	local value = json_value(v, path)
	if value == NULL or is_empty(v) then return NULL end
	return jsonb(value)
end

local function unknown_subfield(sub, kind, path)
	errors.data(string.format('Invalid subfield %s for %s field "%s"', sub, kind, path),
		"Invalid value for " .. kind .. ".")
end

-- A composite's own object; null means "leave it alone".
local function composite(v, path)
	local o = json_value(v, path)
	if o == NULL then return nil end
	if not js.is_object(o) then
		errors.data(string.format('Invalid object value %s for field "%s"', js.inspect(v), path),
			'Invalid value for JSON: "' .. js.inspect(v) .. '"')
	end
	return o
end

-- E-mail ------------------------------------------------------------------------------------------------------------

-- What JavaScript calls a space beyond ASCII.
local wide_spaces = {}
for _, code in ipairs { 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF } do wide_spaces[code] = true end
for code = 0x2000, 0x200A do wide_spaces[code] = true end

local function has_space(text)
	if text:find "[%s]" then return true end
	for _, code in utf8.codes(text) do
		if wide_spaces[code] then return true end
	end
	return false
end

--- Whether Twenty takes the text for an e-mail address: anything around one @, without spaces, and no quotes before it
--- ("q..r@example.com", "mailto:e@example.com" and "p@[192.0.2.1]" were taken).
---@param text string
---@return boolean
function M.is_email(text)
	local name, domain = text:match('^([^@"]+)@([^@]+)$')
	if not name or has_space(text) then return false end
	return utf8.len(name) <= 64 and utf8.len(domain) <= 255
end

local function email_value(v, path)
	if v == NULL or v == "" then return v end
	if type(v) ~= "string" or not M.is_email(v) then
		errors.data(string.format('Invalid string value %s for email field "%s"', js.inspect(v), path), quoted(v))
	end
	return v
end

-- Lower case of ASCII and of the Latin, Greek and Cyrillic letters that have one simple partner.
local function lower(text)
	text = text:lower()
	if not text:find("[\195\206\208\197\196]") then return text end
	return (text:gsub(utf8.charpattern, function(c)
		local code = utf8.codepoint(c)
		if (code >= 0xC0 and code <= 0xDE and code ~= 0xD7) or (code >= 0x391 and code <= 0x3A9)
			or (code >= 0x410 and code <= 0x42F) then
			return utf8.char(code + 32)
		end
		if code >= 0x400 and code <= 0x40F then return utf8.char(code + 80) end
		if code >= 0x100 and code <= 0x17F and code % 2 == 0 and code ~= 0x130 and code ~= 0x138 and code < 0x139 then
			return utf8.char(code + 1)
		end
	end))
end

local function emails(v, path, out, stem)
	local o = composite(v, path)
	if not o then return end
	for _, sub in ipairs(o.keys) do
		local value = o.map[sub]
		if sub == "primaryEmail" then
			email_value(value, path .. ".primaryEmail")
		elseif sub == "additionalEmails" then
			if js.is_array(value) then
				for _, item in ipairs(value) do email_value(item, path .. ".additionalEmails") end
			elseif value ~= NULL then
				email_value(value, path .. ".additionalEmails")
			end
		else
			unknown_subfield(sub, "emails", path)
		end
	end
	local primary, more = o.map.primaryEmail, o.map.additionalEmails
	out[stem .. "PrimaryEmail"] = type(primary) == "string" and stored_text(lower(primary)) or NULL
	if more == nil then return end
	local list = js.array()
	for i, item in ipairs(js.is_array(more) and more or (type(more) == "string" and { more } or {})) do
		list[i] = type(item) == "string" and lower(item) or item
	end
	out[stem .. "AdditionalEmails"] = #list > 0 and js.encode(list) or NULL
end

-- Telephones --------------------------------------------------------------------------------------------------------

local phone_parts = { primaryPhoneNumber = true, primaryPhoneCountryCode = true, primaryPhoneCallingCode = true }

local function additional_phones(v)
	if v == NULL or not js.is_array(v) or #v == 0 then return NULL end
	local list = js.array()
	for i, item in ipairs(v) do
		if item == NULL then errors.type_error("Cannot destructure property 'callingCode' of 'param' as it is null.") end
		local number, calling, country = phones.complete(js.get(item, "number"), js.get(item, "callingCode"),
			js.get(item, "countryCode"))
		list[i] = js.from_pairs { { "number", number }, { "callingCode", calling }, { "countryCode", country } }
	end
	return stored_json(list)
end

local function phone_numbers(v, path, out, stem)
	local o = composite(v, path)
	if not o then return end
	for _, sub in ipairs(o.keys) do
		if phone_parts[sub] then
			text_value(o.map[sub], path .. "." .. sub)
		elseif sub == "additionalPhones" then
			json_value(o.map[sub], path .. "." .. sub)
		else
			unknown_subfield(sub, "phones", path)
		end
	end
	local number, calling, country = phones.complete(o.map.primaryPhoneNumber, o.map.primaryPhoneCallingCode,
		o.map.primaryPhoneCountryCode)
	local more = o.map.additionalPhones
	if type(more) == "string" then more = json_value(more, path) end
	out[stem .. "AdditionalPhones"] = additional_phones(more == nil and NULL or more)
	if number ~= nil then out[stem .. "PrimaryPhoneNumber"] = stored_text(number) end
	if calling ~= nil then out[stem .. "PrimaryPhoneCallingCode"] = stored_text(calling) end
	if country ~= nil then out[stem .. "PrimaryPhoneCountryCode"] = stored_text(country) end
end

-- Links -------------------------------------------------------------------------------------------------------------

-- The URL with its origin in lower case and no trailing slash; nil when it is none.
local function normal_url(text)
	local scheme, rest = text:match("^(%a[%w+.-]*://)(.*)$")
	rest = rest or text
	local host, path = rest:match("^([^/?#]*)(.*)$")
	if host == "" or host:find("[%s<>\"`{}|\\^]") or text:find("[%s]") then return nil end
	local bare = host:gsub(":%d+$", "")
	if bare ~= "localhost" and not bare:find("^[^.]+%.[^.]") then return nil end
	return (scheme or ""):lower() .. lower(host) .. (path:gsub("/$", ""))
end

local function checked_url(v)
	if v == nil or v == NULL or v == "" then return nil end
	local url = normal_url(v)
	if not url then errors.coded("The URL of the link is not valid", "INVALID_URL") end
	return url
end

local function link_list(v)
	local list = js.array()
	for _, item in ipairs(js.is_array(v) and v or {}) do
		local url = js.get(item, "url")
		url = checked_url(type(url) == "string" and url or nil)
		if url then
			local label = js.get(item, "label")
			list[#list + 1] = js.from_pairs { { "url", url }, { "label", label == nil and NULL or label } }
		end
	end
	return list
end

local function links(v, path, out, stem)
	local o = composite(v, path)
	if not o then return end
	for _, sub in ipairs(o.keys) do
		if sub == "primaryLinkUrl" or sub == "primaryLinkLabel" then
			text_value(o.map[sub], path .. "." .. sub)
		elseif sub == "secondaryLinks" then
			json_value(o.map[sub], path .. "." .. sub)
		else
			unknown_subfield(sub, "links", path)
		end
	end
	local url, label = checked_url(o.map.primaryLinkUrl), o.map.primaryLinkLabel
	local more = o.map.secondaryLinks
	if type(more) == "string" then more = json_value(more, path) end
	local list = link_list(more)
	if not url and #list > 0 then
		local first = table.remove(list, 1)
		url, label = first.map.url, first.map.label
	end
	out[stem .. "PrimaryLinkUrl"] = url and storable(url) or NULL
	out[stem .. "PrimaryLinkLabel"] = url and type(label) == "string" and stored_text(label) or NULL
	out[stem .. "SecondaryLinks"] = #list > 0 and js.encode(list) or NULL
end

-- The other composites ----------------------------------------------------------------------------------------------

local kinds = { FULL_NAME = "full name", ACTOR = "actor", ADDRESS = "address", CURRENCY = "currency" }

local function part_value(part, v, path)
	local name, kind = part[1], part[2]
	if name == "source" then return check_choice(v, path, catalog.actor_sources) end
	if kind == "TEXT" or kind == "SELECT" then return stored_text(text_value(v, path)) end
	if kind == "NUMBER" then return number_value(v, path) end
	if kind == "UUID" then return uuid_value(v, path) end
	return stored_json(json_value(v, path))
end

local function plain_composite(field, v, path, out, stem)
	local o = composite(v, path)
	if not o then return end
	local parts = {}
	for _, part in ipairs(catalog.composites[field.type]) do parts[part[1]] = part end
	for _, sub in ipairs(o.keys) do
		if not parts[sub] then unknown_subfield(sub, kinds[field.type], path) end
		out[stem .. sub:sub(1, 1):upper() .. sub:sub(2)] = part_value(parts[sub], o.map[sub], path .. "." .. sub)
	end
end

-- Dispatch ----------------------------------------------------------------------------------------------------------

local scalars = {
	TEXT = function(v, path) return stored_text(text_value(v, path)) end,
	NUMBER = number_value, NUMERIC = number_value, BOOLEAN = boolean_value, DATE = date_value,
	DATE_TIME = instant_value, UUID = uuid_value,
	ARRAY = function(v, path) return stored_list(string_list(v, path)) end,
	RAW_JSON = raw_json,
	FILES = function(v, path) return stored_json(json_value(v, path)) end,
	RICH_TEXT = function(v, path) return stored_text(text_value(v, path)) end,
	SELECT = function(v, path, field) return check_choice(v, path, (option_values(field))) end,
	RATING = function(v, path, field) return check_choice(v, path, (option_values(field))) end,
	MULTI_SELECT = function(v, path, field) return multi_select(v, field, path) end,
	POSITION = function(v, path)
		if type(v) ~= "number" then
			errors.data(string.format('Invalid position value %s for field "%s"', js.inspect(v), path), quoted(v))
		end
		return v
	end,
}

local composites = { EMAILS = emails, PHONES = phone_numbers, LINKS = links }

--- The column value of one scalar, checked by its field's type; `path` names it in messages.
---@param field table
---@param v any
---@param path string
---@return any
function M.scalar(field, v, path) return scalars[field.type](v, path, field) end

--- Checks one field of an input and puts its column values into `out`.
---@param field table
---@param key string the input's key: the field's name, or its join column
---@param v any
---@param out table
function M.put(field, key, v, out)
	local kind = field.type
	if kind == "TS_VECTOR" then
		errors.data(key .. " TS_VECTOR-typed field does not support write operations")
	end
	local stem = field.column or field.name
	if composites[kind] then return composites[kind](v, key, out, stem) end
	if catalog.composites[kind] then return plain_composite(field, v, key, out, stem) end
	out[field.columns[1].column] = scalars[kind](v, key, field)
end

--- The default of a field as a column value, nil when it has none.
---@param field table
---@return any
function M.default(field)
	local v = field.defaultValue
	if not field.custom or v == nil or catalog.composites[field.type] then return nil end
	if type(v) == "string" then v = v:match("^'(.*)'$") or v end
	local check = scalars[field.type]
	if not check then return nil end
	return check(v, field.name, field)
end

return M

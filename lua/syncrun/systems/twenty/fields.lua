--- Twenty's field types: what of each is selected, how it reads as one value, what our value becomes there (its folds
--- and losses, facts/twenty.md 6) and how it is written. Composites are always written whole. Knows no requests.
local err = require "syncrun.err"
local regions = require "syncrun.systems.twenty.regions"

local M = {}

---@class syncrun.TwentyColumn a column of the projection, and what the reader and the writer need of it
---@field name string as shown: Twenty's name, with the part that is compared (emails.primaryEmail)
---@field type syncrun.ColumnType
---@field field syncrun.Field
---@field own string
---@field from string the model's field
---@field steps (string|table)[] from the model to what Twenty stores
---@field target table as declared in the mapping
---@field twenty string the field's name in Twenty
---@field source_label string what the source is called
---@field kind string Twenty's type
---@field selection string GraphQL
---@field raw { name: string, type: string, path: string }[] what a page is read into, the path below the node
---@field actual { from: string?, steps: (string|table)[]? } from the raw columns to the compared value
---@field carried { name: string, type: string }[] raw columns that are kept beside it
---@field parts { name: string, type: string, from: string, steps: table[] }[] further values made from the model
---@field additional string? the carried column of additional values
---@field write { path: string, column: string, as: string }[] entries for an encoder

-- Values kept beside the compared one: a composite is written whole, so an update sends those that are there.
local function additional(column, part, selection)
	local name = column.twenty .. "." .. part
	column.additional = name
	column.selection = ("%s{%s %s}"):format(column.twenty, selection, part)
	column.raw[#column.raw + 1] = { name = name, type = "json", path = name }
	column.carried[#column.carried + 1] = { name = name, type = "json" }
	column.write[#column.write + 1] = { path = name, column = name, as = "json" }
end

local function plain(as)
	return function(column)
		column.selection = column.twenty
		column.raw[1] = { name = column.name, type = column.type, path = column.twenty }
		column.actual = { from = column.name, steps = column.type == "text" and column.kind ~= "SELECT" and
			{ "null_to_empty" } or nil }
		column.write[1] = { path = column.twenty, column = column.name, as = as }
	end
end

local function full_name(column, own_steps)
	local first, last = column.twenty .. ".firstName", column.twenty .. ".lastName"
	column.selection = column.twenty .. "{firstName lastName}"
	column.raw = { { name = first, type = "text", path = first }, { name = last, type = "text", path = last } }
	column.actual = { steps = { { "join_name", first, last }, "null_to_empty" } }
	for i, part in ipairs { { first, "split_first" }, { last, "split_last" } } do
		local steps = table.move(own_steps, 1, #own_steps, 1, {})
		steps[#steps + 1] = "utf8"
		steps[#steps + 1] = "no_nul"
		steps[#steps + 1] = { part[2], column.target.last_name or column.from }
		steps[#steps + 1] = "null_to_empty"
		column.parts[i] = { name = part[1], type = "text", from = column.from, steps = steps }
		column.write[i] = { path = part[1], column = part[1], as = "string" }
	end
end

local function emails(column)
	local primary = column.twenty .. ".primaryEmail"
	column.name = primary
	column.raw[1] = { name = primary, type = "text", path = primary }
	column.actual = { from = primary, steps = { "null_to_empty" } }
	column.write[1] = { path = primary, column = primary, as = "string" }
	additional(column, "additionalEmails", "primaryEmail")
end

-- "+44 020 …" is "+44 20 …" to Twenty's library.
local trunk_step = { "phone_trunk", table.unpack(regions.trunks()) }
-- What it refuses, and what it makes another number of.
local code_step = { "phone_code", table.unpack(regions.codes()) }
local misread_step = { "phone_misread", table.unpack(regions.misread()) }

-- Twenty splits +E164 into calling code and national number when only the number is sent; compared is the whole.
local function phones(column)
	local number, code = column.twenty .. ".primaryPhoneNumber", column.twenty .. ".primaryPhoneCallingCode"
	column.name, column.number = number, column.twenty .. ".national"
	column.raw = { { name = code, type = "text", path = code }, { name = column.number, type = "text", path = number } }
	column.actual = { steps = { { "concat", code, column.number }, trunk_step, "null_to_empty" } }
	column.write[1] = { path = number, column = number, as = "string" }
	additional(column, "additionalPhones", "primaryPhoneCallingCode primaryPhoneNumber")
end

local function select_steps(target, field)
	local options = target.options
	if type(options) ~= "table" or #options == 0 then
		err.raisef("mapping", "field '%s' of the mapping: a SELECT of twenty needs options", field.name)
	end
	return { { "select", options } }
end

local function time_steps(target, field)
	return { { "truncate_time", target.precision or field.precision or "ms" } }
end

local function always(...)
	local steps = { ... }
	return function() return steps end
end

-- A number without its country's code is lost, unless the settings say of which country it is.
local function phone_steps(_, _, settings)
	local region = settings and settings.default_region
	local step = region and { "phone_e164", table.unpack(regions.arguments(region)) } or "phone_e164"
	return { step, trunk_step, code_step, misread_step, "null_to_empty" }
end

local text_steps = always("utf8", "no_nul", "null_to_empty")

local KINDS = {
	TEXT = { type = "text", steps = text_steps, build = plain "string" },
	FULL_NAME = { type = "text", steps = text_steps, build = full_name },
	EMAILS = { type = "text", steps = always("email_shape", "lower", "null_to_empty"), build = emails },
	PHONES = { type = "text", steps = phone_steps, build = phones },
	SELECT = { type = "text", steps = select_steps, build = plain "string" },
	BOOLEAN = { type = "bool", steps = always(), build = plain "bool" },
	NUMBER = { type = "float64", steps = always(), build = plain "number" },
	DATE = { type = "date", steps = always(), build = plain "string" },
	DATE_TIME = { type = "timestamp", steps = time_steps, build = plain "timestamp_ms" },
	RAW_JSON = { type = "json", build = plain "json",
		steps = always("json_shape", "json_empty_object_to_null", "json_empty_list_to_null", "json_unique_keys",
			"json_js_numbers", "utf8", "no_nul") },
}

local KIND_NAMES = {}
for name in pairs(KINDS) do KIND_NAMES[#KIND_NAMES + 1] = name end
table.sort(KIND_NAMES)

-- What a field becomes whose mapping says nothing of Twenty.
local KIND_OF = {
	text = "TEXT", bool = "BOOLEAN", date = "DATE", timestamp = "DATE_TIME", json = "RAW_JSON", int64 = "NUMBER",
	float64 = "NUMBER", decimal = "NUMBER",
}

-- What a mapping may say of a field in Twenty, beside its name.
local TARGET = {
	type = { types = { "text" }, one_of = KIND_NAMES }, unique = { types = { "boolean" } },
	standard = { types = { "boolean" } }, options = { types = { "list" }, items = { types = { "text" }, filled = true } },
	label = { types = { "text" }, filled = true }, description = { types = { "text" } },
	icon = { types = { "text" }, filled = true }, last_name = { types = { "text" }, filled = true },
	precision = { types = { "text" }, one_of = { "ms", "s" } },
}

-- Twenty's names are camelCase.
local function camel(name)
	return (name:gsub("_+(%w)", string.upper))
end

local function compile(entry, settings)
	local field, target = entry.field, entry.target
	local kind = target.type or KIND_OF[field.type]
	local rules = KINDS[kind]
	if not rules then
		err.raisef("mapping", "field '%s' of the mapping: twenty cannot take a %s as %s", field.name, field.type,
			tostring(kind))
	end
	local own_steps = {}
	for i, step in ipairs(target.transform or {}) do own_steps[i] = step end
	local column = {
		name = camel(target.name), type = rules.type, field = field, own = field.own, from = field.name, target = target,
		twenty = camel(target.name), kind = kind, source_label = settings and settings.source_label or "the source",
		steps = table.move(own_steps, 1, #own_steps, 1, {}), raw = {},
		carried = {}, parts = {}, write = {},
	}
	for _, step in ipairs(rules.steps(target, field, settings)) do column.steps[#column.steps + 1] = step end
	rules.build(column, own_steps)
	return column
end

--- The columns of a mapping as Twenty has them, the key first.
---@param mapping syncrun.Mapping
---@param settings { default_region: string?, source_label: string? }?
---@return syncrun.TwentyColumn[]
function M.columns(mapping, settings)
	local columns, key = {}, nil
	for _, entry in ipairs(mapping:for_target("twenty", TARGET)) do
		local column = compile(entry, settings)
		if entry.field.name == mapping.key then
			key = column
		else
			columns[#columns + 1] = column
		end
	end
	if not key or key.kind ~= "TEXT" then
		err.raisef("mapping", "the key '%s' of the mapping must be a TEXT field of twenty", mapping.key)
	end
	table.insert(columns, 1, key)
	return columns
end

return M

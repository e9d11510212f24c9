--- How a field that set-up makes looks in Twenty: as one that a person made. Its label is the field's words, its description says
--- where it comes from; the mapping may say otherwise (label, description, icon). Knows no requests.
local M = {}

local ACRONYMS = { ai = "AI", api = "API", id = "ID", json = "JSON", llm = "LLM", uri = "URI", url = "URL" }

local ICONS = {
	TEXT = "IconTypography", SELECT = "IconTag", BOOLEAN = "IconCheckbox", NUMBER = "IconNumbers", DATE = "IconCalendar",
	DATE_TIME = "IconCalendarClock", RAW_JSON = "IconBraces",
}
local KEY_ICON = "IconKey"

local ORIGINS = {
	source = "Synced from %s: %s", once = "Filled from %s when the person is made: %s", target = "Not synced; see %s: %s",
}

-- "llm_context" is "LLM context".
local function words_of(name)
	local words = {}
	for word in name:gmatch "[^_]+" do words[#words + 1] = ACRONYMS[word:lower()] or word end
	local text = table.concat(words, " ")
	return text:sub(1, 1):upper() .. text:sub(2)
end

local function is_taken(label, fields)
	for _, field in pairs(fields) do
		if field.label:lower() == label:lower() then return true end
	end
	return false
end

-- No second "Notes" beside Twenty's own.
local function label_of(column, fields)
	local label = words_of(column.field.name)
	return is_taken(label, fields) and ("%s (%s)"):format(label, column.source_label) or label
end

--- What a new field gets: label, description, icon.
---@param column syncrun.TwentyColumn
---@param fields table<string, { label: string }> those that are there
---@param is_key boolean
---@return { label: string, description: string, icon: string? }
function M.of(column, fields, is_key)
	local target = column.target
	return {
		label = target.label or label_of(column, fields),
		description = target.description or ORIGINS[column.own]:format(column.source_label, column.field.source),
		icon = target.icon or is_key and KEY_ICON or ICONS[column.kind],
	}
end

return M

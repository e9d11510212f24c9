-- The searchVector of a person or company: lower-cased words with their positions, close to what Postgres' simple
-- dictionary makes of the same texts, and Postgres' limit on its size. Knows no fields but the ones it reads.
local errors = require "sandbox.twenty.errors"

local M = {}

local max_bytes, max_word = 1048575, 2046

--- The columns a search vector is made of, by object.
M.columns = {
	person = { "nameFirstName", "nameLastName", "emailsPrimaryEmail", "emailsAdditionalEmails",
		"phonesPrimaryPhoneNumber", "phonesPrimaryPhoneCallingCode", "phonesPrimaryPhoneCountryCode", "jobTitle" },
	company = { "name", "domainNamePrimaryLinkUrl" },
}

local is_source = {}
for name, columns in pairs(M.columns) do
	is_source[name] = {}
	for _, column in ipairs(columns) do is_source[name][column] = true end
end

--- Whether any of these columns feeds the vector.
---@param object_name string
---@param columns table
---@return boolean
function M.touched(object_name, columns)
	for column in pairs(columns) do
		if is_source[object_name][column] then return true end
	end
	return false
end

local function add_words(text, at, positions, words)
	for word in text:lower():gmatch('[^%s,;:!?()%[%]{}"\'<>/\\|]+') do
		at = at + 1
		if not positions[word] and #word <= max_word then
			words[#words + 1] = word
			positions[word] = {}
		end
		local list = positions[word]
		if list and #list < 255 then list[#list + 1] = math.min(at, 16383) end
	end
	return at
end

--- The vector of a row (column -> value, nil or non-string for nothing).
---@param object_name string
---@param row table
---@return string?
function M.vector(object_name, row)
	local positions, words, at, bytes = {}, {}, 0, 0
	for _, column in ipairs(M.columns[object_name]) do
		local v = row[column]
		if type(v) == "string" then at = add_words(v, at, positions, words) end
	end
	table.sort(words)
	local out = {}
	for i, word in ipairs(words) do
		bytes = bytes + #word + 2 * #positions[word] + 2
		out[i] = "'" .. word .. "':" .. table.concat(positions[word], ",")
	end
	if bytes > max_bytes then errors.unstorable() end
	return #out > 0 and table.concat(out, " ") or nil
end

--- Whether Postgres could index the text: a btree entry takes 2704 bytes, after its light compression.
---@param text string
---@return boolean
function M.indexable(text)
	if #text <= 2704 then return true end
	local seen, at, size = {}, 1, 0
	while at <= #text do
		local key = text:sub(at, at + 3)
		local from = seen[key]
		seen[key] = at
		if from and at - from < 4096 and #key == 4 then
			local length = 4
			while length < 273 and at + length <= #text and text:byte(from + length) == text:byte(at + length) do
				length = length + 1
			end
			at, size = at + length, size + 2.5
		else
			at, size = at + 1, size + 1.125
		end
		if size > 2704 then return false end
	end
	return true
end

return M

-- The filter language of Twenty's REST API (`and(a[eq]:1,or(...))`), with its quirks: no escapes, quotes optional,
-- brackets that toggle. Text in, the filter object GraphQL would take out. Knows no fields.
local errors = require "sandbox.twenty.errors"
local js = require "sandbox.twenty.jsvalue"

local M = {}

local comparators = { "eq", "neq", "in", "containsAny", "is", "gt", "gte", "lt", "lte", "startsWith", "endsWith",
	"like", "ilike" }
local known = {}
for _, name in ipairs(comparators) do known[name] = true end

local function count(text, char)
	local _, n = text:gsub("%" .. char, "")
	return n
end

local function check_brackets(text)
	local diff = count(text, "(") - count(text, ")")
	if diff == 0 then return end
	local n = math.abs(diff)
	errors.bad(string.format("'filter' invalid. %d %s bracket%s missing in the query", n, diff > 0 and "close" or "open",
		n > 1 and "s are" or " is"), "INVALID_FILTER_QUERY_PARAM")
end

-- The comma-separated conditions inside the outer parentheses.
local function conditions(text)
	local list, from, depth = {}, nil, 0
	local bracket, double, single = false, false, false
	for at = 1, #text do
		local c = text:sub(at, at)
		if c == "(" then
			depth = depth + 1
			if depth == 1 then from = at + 1 end
		elseif c == ")" then
			depth = depth - 1
			if depth == 0 then list[#list + 1] = text:sub(from, at - 1) end
		elseif c == "[" or c == "]" then
			bracket = not bracket
		elseif c == '"' then
			double = not double
		elseif c == "'" then
			single = not single
		elseif c == "," and depth == 1 and not (bracket or double or single) then
			list[#list + 1] = text:sub(from, at - 1)
			from = at + 1
		end
	end
	return list
end

local function plain_value(text)
	local first, last = text:sub(1, 1), text:sub(-1)
	if #text >= 2 and (first == '"' or first == "'") and (last == '"' or last == "'") then return text:sub(2, -2) end
	return text
end

local function value_of(text, comparator)
	if comparator == "is" then return text end
	if comparator ~= "in" and comparator ~= "containsAny" then return plain_value(text) end
	if text:sub(1, 1) ~= "[" or text:sub(-1) ~= "]" then
		errors.bad(string.format("'filter' invalid for '%s' operator. Received '%s' but array value expected eg: "
			.. "'field[%s]:[value_1,value_2]'", comparator, text, comparator))
	end
	local list = js.array()
	for item in (text:sub(2, -2) .. ","):gmatch("(.-),") do list[#list + 1] = plain_value(item) end
	return list
end

local function condition(text)
	if not text:find("^.+%[.+%]:.+$") then
		errors.bad("'filter' invalid for '" .. text .. "'. eg: price[gte]:10")
	end
	local fields, rest = text:match("^(.-)%[(.*)$")
	local comparator, value = rest:match("^(.-)%]:(.*)$")
	if not comparator then comparator, value = rest, "" end
	if not known[comparator] then
		errors.bad(string.format("'filter' invalid for '%s', comparator %s not in %s", text, comparator,
			table.concat(comparators, ", ")))
	end
	local tree = js.from_pairs { { comparator, value_of(value, comparator) } }
	local names = {}
	for name in (fields .. "."):gmatch("(.-)%.") do table.insert(names, 1, name) end
	for _, name in ipairs(names) do tree = js.from_pairs { { name, tree } } end
	return tree
end

local function parse(text)
	local word = text:match("^(%l+)%(.+%)$")
	if word ~= "and" and word ~= "or" and word ~= "not" then return condition(text) end
	local list = js.array()
	for i, part in ipairs(conditions(text)) do list[i] = parse(part) end
	if word ~= "not" then return js.from_pairs { { word, list } } end
	if #list > 1 then
		errors.bad("'filter' invalid. 'not' conjunction should contain only 1 condition. eg: not(field[eq]:1)",
			"INVALID_FILTER_QUERY_PARAM")
	end
	return js.from_pairs { { word, list[1] } }
end

--- Parses the text of a `filter` parameter.
---@param text string
---@return table
function M.parse(text)
	check_brackets(text)
	local word = text:match("^(%l+)%(.+%)$")
	if word ~= "and" and word ~= "or" and word ~= "not" then text = "and(" .. text .. ")" end
	return parse(text)
end

return M

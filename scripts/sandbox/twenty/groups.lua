-- Aggregates over the records of a filter (countNotEmptyX, avgX, ...) and groupBy. Knows no transport.
local catalog = require "sandbox.twenty.catalog"
local dates = require "sandbox.twenty.dates"
local errors = require "sandbox.twenty.errors"
local js = require "sandbox.twenty.jsvalue"
local render = require "sandbox.twenty.render"
local where = require "sandbox.twenty.where"

local M = {}

local prefixes = { "countNotEmpty", "countEmpty", "countUniqueValues", "percentageNotEmpty", "percentageEmpty", "avg",
	"sum", "min", "max" }

local function uncapitalised(name) return name:sub(1, 1):lower() .. name:sub(2) end

local function column_of(object, name)
	local field = object.by_name[name]
	if field and field.columns[1] then
		local parts = catalog.composites[field.type]
		return field.columns[parts and field.type == "LINKS" and 2 or 1]
	end
end

--- The SQL of an aggregate by its name, and the type of what it answers; nil when there is no such aggregate.
---@param object table
---@param name string
---@return string? sql, string? type
function M.aggregate(object, name)
	if name == "totalCount" then return "count(*)", "count" end
	for _, prefix in ipairs(prefixes) do
		local rest = name:match("^" .. prefix .. "(%u.*)$")
		local c = rest and column_of(object, uncapitalised(rest))
		if c then
			local q = '"' .. c.column .. '"'
			if prefix == "countNotEmpty" then return "count(" .. q .. ")", "count" end
			if prefix == "countEmpty" then return "count(*) - count(" .. q .. ")", "count" end
			if prefix == "countUniqueValues" then return "count(DISTINCT " .. q .. ")", "count" end
			if prefix == "percentageNotEmpty" then return "1.0 * count(" .. q .. ") / nullif(count(*), 0)", "NUMBER" end
			if prefix == "percentageEmpty" then return "1.0 - 1.0 * count(" .. q .. ") / nullif(count(*), 0)", "NUMBER" end
			return prefix .. "(" .. q .. ")", c.type
		end
	end
end

local function shown(kind, v)
	if v == nil then return "null" end
	if kind == "DATE_TIME" then return '"' .. dates.iso(math.tointeger(v) or math.floor(v)) .. '"' end
	if type(v) == "number" then return js.number_text(v + 0.0) end
	return js.quote(tostring(v))
end

local function live_where(ctx, object, filter)
	local sql, params, deleted = where.compile(object, filter, ctx.schema)
	if not deleted then sql = sql .. ' AND "deletedAt" IS NULL' end
	return sql, params
end

--- The JSON texts of several aggregates over a filter, by name.
---@param ctx table
---@param object table
---@param names string[]
---@param filter table?
---@return table<string, string>
function M.totals(ctx, object, names, filter)
	local columns, kinds = {}, {}
	for i, name in ipairs(names) do
		local sql, kind = M.aggregate(object, name)
		columns[i], kinds[i] = sql .. " AS a" .. i, kind
	end
	local sql, params = live_where(ctx, object, filter)
	local row = ctx.records.db:one(string.format('SELECT %s FROM "%s" WHERE %s', table.concat(columns, ", "),
		object.singular, sql), table.unpack(params))
	local out = {}
	for i, name in ipairs(names) do out[name] = shown(kinds[i], row["a" .. i]) end
	return out
end

local function dimensions(object, keys)
	local list = {}
	for _, key in ipairs(keys) do
		local name = js.is_object(key) and key.keys[1]
		local field = name and object.by_name[name]
		if not field or not field.columns[1] then
			errors.bad(string.format('Unidentified field "%s" in groupBy', tostring(name)), "INVALID_QUERY_INPUT")
		end
		local column = field.columns[1]
		local sub = js.is_object(key.map[name]) and key.map[name].keys[1]
		for _, c in ipairs(field.columns) do
			if sub and c.sub == sub then column = c end
		end
		list[#list + 1] = { column = column.column, read = render.field { type = column.type, columns = { column } } }
	end
	return list
end

--- The groups of a filter: for each the JSON text of its dimension values and its aggregates' texts.
---@return table[]
function M.groups(ctx, object, keys, names, filter, limit)
	local dims, selected, by = dimensions(object, keys), {}, {}
	for i, d in ipairs(dims) do
		selected[i] = string.format('"%s"', d.column)
		by[i] = selected[i]
	end
	local kinds = {}
	for i, name in ipairs(names) do
		local sql, kind = M.aggregate(object, name)
		kinds[i] = kind
		selected[#selected + 1] = (sql or "NULL") .. " AS a" .. i
	end
	local sql, params = live_where(ctx, object, filter)
	local rows = ctx.records.db:query(string.format('SELECT %s FROM "%s" WHERE %s GROUP BY %s ORDER BY %s LIMIT %d',
		table.concat(selected, ", "), object.singular, sql, table.concat(by, ", "), table.concat(by, ", "), limit or 200),
		table.unpack(params))
	local out = {}
	for i, row in ipairs(rows) do
		local texts, group = {}, { values = {} }
		for j, d in ipairs(dims) do texts[j] = row[d.column] == nil and "null" or d.read(row) end
		group.dimensions = "[" .. table.concat(texts, ",") .. "]"
		for j, name in ipairs(names) do group.values[name] = { shown(kinds[j], row["a" .. j]), kinds[j] } end
		out[i] = group
	end
	return out
end

--- REST's groupBy answer: counts are text there.
---@return string
function M.rest(ctx, object, keys, aggregates, filter, limit)
	local out = {}
	for i, group in ipairs(M.groups(ctx, object, keys, aggregates, filter, limit)) do
		local parts = {}
		for _, name in ipairs(aggregates) do
			local v = group.values[name]
			parts[#parts + 1] = js.quote(name) .. ":" .. (v[2] == "count" and '"' .. v[1] .. '"' or v[1])
		end
		parts[#parts + 1] = '"groupByDimensionValues":' .. group.dimensions
		out[i] = "{" .. table.concat(parts, ",") .. "}"
	end
	return "[" .. table.concat(out, ",") .. "]"
end

return M

--- What the SQL systems share: quoting of names, the columns a mapping wants, SQL text over them.
local err = require "syncrun.err"
local rows = require "syncrun.rows"

local M = {}

--- An identifier in double quotes (standard SQL; Postgres and SQLite alike).
---@param name string
---@return string
function M.name(name)
	if name:find "%z" then err.raisef("config", "a name cannot contain a NUL byte") end
	return '"' .. name:gsub('"', '""') .. '"'
end

--- A list of identifiers, each through f (default: quoted), joined by commas.
---@param columns { name: string }[]
---@param f (fun(column: table, i: integer): string)?
---@return string
function M.list(columns, f)
	local out = {}
	for i, column in ipairs(columns) do out[i] = (f or function(c) return M.name(c.name) end)(column, i) end
	return table.concat(out, ", ")
end

--- The columns of a SQL target as the mapping declares them, the key first.
---@param mapping syncrun.Mapping
---@param system string
---@param steps_for fun(type: string): (string|table)[] the system's own folds and losses by type
---@return { name: string, type: string, field: syncrun.Field, from: string, steps: table[], own: string }[]
function M.columns(mapping, system, steps_for)
	local columns = {}
	for _, entry in ipairs(mapping:for_target(system, {})) do
		local field, target = entry.field, entry.target
		local steps = {}
		if field.precision then steps[1] = { "truncate_time", field.precision } end
		for _, step in ipairs(target.transform or {}) do steps[#steps + 1] = step end
		for _, step in ipairs(steps_for(field.type)) do steps[#steps + 1] = step end
		local column = {
			name = target.name, type = field.type, field = field, from = field.name, steps = steps, own = field.own,
		}
		if field.name == mapping.key then
			table.insert(columns, 1, column)
		else
			columns[#columns + 1] = column
		end
	end
	return columns
end

--- The columns that a write of this mode sets: all that are not the target's own; `once` only on create.
---@param columns table[]
---@param mode "create"|"update"
---@return table[]
function M.written(columns, mode)
	local out = {}
	for _, column in ipairs(columns) do
		if column.own == "source" or (column.own == "once" and mode == "create") then out[#out + 1] = column end
	end
	return out
end

--- The end of an upsert: what becomes of a row whose key (the first column) is there already.
---@param columns table[]
---@param mode "create"|"update"
---@return string
function M.on_conflict(columns, mode)
	local set = {}
	for _, column in ipairs(M.written(columns, mode)) do
		local name = M.name(column.name)
		if column ~= columns[1] then set[#set + 1] = ("%s = excluded.%s"):format(name, name) end
	end
	return ("ON CONFLICT (%s) DO %s"):format(M.name(columns[1].name),
		#set > 0 and "UPDATE SET " .. table.concat(set, ", ") or "NOTHING")
end

--- A page with these columns only, in their order.
---@param page syncrun.Rows
---@param columns { name: string }[]
---@return syncrun.Rows
function M.pick(page, columns)
	local schema, wanted = page:schema(), {}
	for i, column in ipairs(columns) do
		wanted[i] = { name = column.name, type = schema:type(column.name), from = column.name }
	end
	return (rows.plan(schema, wanted):apply(page))
end

--- One outcome for every row of a page that a set-based statement took whole.
---@param n integer
---@return { state: string }[]
function M.all_written(n)
	local outcomes = {}
	for i = 1, n do outcomes[i] = { state = "written" } end
	return outcomes
end

return M

-- BigQuery's names and the statements syncrun sends. Knows nothing of HTTP.
local casts = require "syncrun.systems.bigquery.casts"
local err = require "syncrun.err"

local M = {}

local function config_error(...)
	err.raise { kind = "config", exit = 2, message = string.format(...) }
end

---@class syncrun.BigQueryTable
---@field project string? nil: that of the jobs
---@field dataset string
---@field table string

--- Take a table's name apart: dataset.table, project.dataset.table, or the older project:dataset.table.
---@param name string
---@return syncrun.BigQueryTable
function M.parse_table(name)
	if name:find "[`%c]" then config_error("the BigQuery table name %q holds a character that no name may have", name) end
	local project, dataset, table_ = name:match "^(.+)%.([^.]+)%.([^.]+)$"
	if not project then dataset, table_ = name:match "^([^.]+)%.([^.]+)$" end
	if dataset and not project and dataset:find(":", 1, true) then project, dataset = dataset:match "^(.+):([^:]+)$" end
	if not dataset then
		config_error("'%s' is not a BigQuery table; write dataset.table or project.dataset.table", name)
	end
	return { project = project, dataset = dataset, table = table_ }
end

--- An identifier between backticks.
---@param name string
---@return string
function M.quote(name)
	if name == "" or name:find "[`%c\\]" then
		config_error("the BigQuery column name %q holds a character that no name may have", name)
	end
	return "`" .. name .. "`"
end

--- The key as every system compares it: text.
---@param key string
---@return string
function M.key_text(key)
	return ("CAST(%s AS STRING)"):format(M.quote(key))
end

-- A column as it is selected: cast where the mapping says so.
local function column(name, cast)
	local quoted = M.quote(name)
	return cast and cast[name] and ("%s AS %s"):format(casts.text(quoted, cast[name]), quoted) or quoted
end

--- The statement of a scan, ordered by the key's text. The filter stands in parentheses of its own lines, so that
--- neither an OR nor a comment in it reaches further.
---@param o { table: string, columns: string[], key: string, where: string?, only: boolean, since: string?,
---  limit: integer?, casts: table<string, syncrun.ColumnType>? } only: the keys of @ids; since: the column that must not
---  be before @since; casts: columns that are cast
---@return string
function M.select(o)
	local columns, conditions, key = {}, {}, M.key_text(o.key)
	for i, name in ipairs(o.columns) do columns[i] = column(name, o.casts) end
	if o.where then conditions[1] = "(\n" .. o.where .. "\n)" end
	if o.only then conditions[#conditions + 1] = key .. " IN UNNEST(@ids)" end
	if o.since then
		local quoted = M.quote(o.since)
		local cast = o.casts and o.casts[o.since]
		conditions[#conditions + 1] = (cast and casts.value(quoted, cast) or quoted) .. " >= @since"
	end
	local sql = ("SELECT %s FROM `%s`"):format(table.concat(columns, ", "), o.table)
	if conditions[1] then sql = sql .. " WHERE " .. table.concat(conditions, " AND ") end
	sql = sql .. " ORDER BY " .. key
	if o.limit then sql = sql .. (" LIMIT %d"):format(o.limit) end
	return sql
end

--- The named parameter @ids: an ARRAY<STRING>.
---@param ids string[]
---@return table
function M.ids_parameter(ids)
	local values = {}
	for i, id in ipairs(ids) do values[i] = { value = tostring(id) } end
	return {
		name = "ids",
		parameterType = { type = "ARRAY", arrayType = { type = "STRING" } },
		parameterValue = { arrayValues = require "syncrun.json".array(values) },
	}
end

--- The named parameter @since: a TIMESTAMP.
---@param at integer microseconds since 1970
---@return table
function M.since_parameter(at)
	return {
		name = "since", parameterType = { type = "TIMESTAMP" },
		parameterValue = { value = require "syncrun.time".format(at, 6) },
	}
end

return M

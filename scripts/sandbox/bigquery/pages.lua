-- A page of stored rows as the JSON text of an answer's `rows`, cut off by rows and by bytes. SQLite spells the cells
-- (types.cell_sql); only floats, second-valued timestamps and structs that hold some pass through Lua.

local json = require "syncrun.json"
local types = require "sandbox.bigquery.types"

local M = {}

-- a || b || c as a balanced tree: SQLite limits the depth of an expression.
local function concat(list, i, j)
	if i == j then
		return list[i]
	end
	local mid = (i + j) // 2
	return "(" .. concat(list, i, mid) .. "||" .. concat(list, mid + 1, j) .. ")"
end

-- The select list: text segments p1, p2, ... and between them cells for Lua v1, v2, ...
local function segments(columns, int64_timestamps)
	local out, cells, current = {}, {}, { [['{"f":[{"v":']] }
	local function flush()
		out[#out + 1] = concat(current, 1, #current) .. " AS p" .. #cells + 1
	end
	for k, column in ipairs(columns) do
		if k > 1 then
			current[#current + 1] = [['},{"v":']]
		end
		local sql = types.cell_sql(column.field, column.name, int64_timestamps)
		if sql then
			current[#current + 1] = sql
		else
			flush()
			cells[#cells + 1] = column.field
			out[#out + 1] = column.name .. " AS v" .. #cells
			current = {}
		end
	end
	current[#current + 1] = [['}]}']]
	flush()
	return table.concat(out, ","), cells
end

local function row_text(row, cells)
	if #cells == 0 then
		return row.p1
	end
	local parts = {}
	for k, field in ipairs(cells) do
		parts[#parts + 1] = row["p" .. k]
		parts[#parts + 1] = types.render(field, row["v" .. k], json)
	end
	parts[#parts + 1] = row["p" .. #cells + 1]
	return table.concat(parts)
end

---Read rows. `after` is a row number to begin after, else `offset` rows are skipped.
---@param db table
---@param o table {storage=, columns={{name=,field=}}, after=, offset=, max_rows=, max_bytes=, int64_timestamps=}
---@return table page {text= ("[...]"), count=, last= (row number of the last row)}
function M.read(db, o)
	local list, cells = segments(o.columns, o.int64_timestamps)
	local text = "SELECT rowid AS id, %s FROM %s WHERE rowid > ?1 ORDER BY rowid LIMIT ?2 OFFSET ?3"
	local sql = text:format(list, o.storage)
	local out, bytes, last = {}, 0, o.after
	for row in db:each(sql, o.after or 0, o.max_rows or -1, o.offset or 0) do
		local row_json = row_text(row, cells)
		if bytes + #row_json > o.max_bytes and #out > 0 then
			break
		end
		out[#out + 1], last = row_json, row.id
		bytes = bytes + #row_json
	end
	return { text = "[" .. table.concat(out, ",") .. "]", count = #out, last = last }
end

---The columns of a schema for read(), all of them or those of the named selection (in schema order).
---@param schema table
---@param selected table<string,boolean>|nil lower-case names
---@return table
function M.columns(schema, selected)
	local out = {}
	for i, f in ipairs(schema) do
		if not selected or selected[f.name:lower()] then
			out[#out + 1] = { name = "c" .. i, field = f }
		end
	end
	return out
end

return M

--- The record plane: pages of rows that stay in C. Rows are read from systems, mapped by plans, compared and merged
--- here; a row view turns a field into a Lua value only when asked for it.
local c = require "_syncrun.rows"
local c_plan = require "_syncrun.plan"
local c_merge = require "_syncrun.merge"
local page = require "_syncrun.page"
local err = require "syncrun.err"

local M = {}

---@alias syncrun.ColumnType
---| "text"|"int64"|"decimal"|"float64"|"bool"|"date"|"time"|"datetime"|"timestamp"|"json"|"bytes"
---@alias syncrun.Fate "exact"|"folded"|"lost"|"rejected"

---@class syncrun.Schema
---@field names fun(self): string[] the columns' names in order
---@field type fun(self, name: string): syncrun.ColumnType? nil for an unknown name
---@field index fun(self, name: string): integer? the column's number from 1, nil for an unknown name
---@field select fun(self, names: string[]): syncrun.Schema

---@class syncrun.Row a view of one row: row.field; NULL is nil, an unknown field raises; pairs(row) in column order
---@field text fun(self, name: string): string? the cell's text as it is

---@class syncrun.Rows a page: #rows, rows[i] (a view, from 1; out of range raises)
---@field each fun(self): fun(), syncrun.Rows, integer `for i, row in rows:each()`
---@field add fun(self, fields: table): integer absent and json.null are NULL; the new row's number
---@field append fun(self, other: syncrun.Rows, i: integer): integer copies the row; schemas must be equal
---@field pick fun(self, indices: integer[]): syncrun.Rows
---@field slice fun(self, from: integer, to: integer?): syncrun.Rows
---@field get fun(self, i: integer, name: string): any
---@field set fun(self, i: integer, name: string, value: any) the cell's fate becomes exact
---@field text fun(self, i: integer, name: string): string?
---@field is_null fun(self, i: integer, name: string): boolean
---@field bytes fun(self): integer memory held by this page
---@field schema fun(self): syncrun.Schema
---@field worst fun(self, i: integer): syncrun.Fate
---@field fates fun(self, i: integer): {column: string, fate: syncrun.Fate, note: string}[]? nil when all is exact

--- A schema from {name, type} pairs.
---@param columns {[1]: string, [2]: syncrun.ColumnType}[]
---@return syncrun.Schema
function M.schema(columns) return c.schema(columns) end

--- An empty page.
---@param schema syncrun.Schema
---@return syncrun.Rows
function M.new(schema) return c.new(schema) end

--- Whether a text is a value of the type as cells hold it (an RFC 3339 date, JSON, digits …).
---@param kind syncrun.ColumnType
---@param text string
---@return boolean
function M.is_form(kind, text) return c.is_form(kind, text) end

--- Are two rows equal, by canonical value, in these columns (default: all of a's, which b must have)?
---@param a syncrun.Rows
---@param i integer
---@param b syncrun.Rows
---@param j integer
---@param columns string[]?
---@return boolean
function M.equal(a, i, b, j, columns) return c.equal(a, i, b, j, columns) end

--- The names of the columns in which two rows differ.
---@param a syncrun.Rows
---@param i integer
---@param b syncrun.Rows
---@param j integer
---@return string[]
function M.diff(a, i, b, j) return c.diff(a, i, b, j) end

--- A cell's canonical bytes, nil for NULL.
---@param rows syncrun.Rows
---@param i integer
---@param name string
---@return string?
function M.canon(rows, i, name) return c.canon(rows, i, name) end

--- SHA-256 over the row's canonical cells: per cell `-` for NULL, else decimal length, `:` and the bytes.
---@param rows syncrun.Rows
---@param i integer
---@return string digest 32 raw bytes
function M.digest(rows, i) return c.digest(rows, i) end

local DIGESTS = c.schema { { "key", "text" }, { "digest", "bytes" } }

--- Every row's key and the first 16 bytes of its digest as proofs take it (d in lua/README.md), as a page with the columns
--- key and digest.
---@param rows syncrun.Rows
---@param key string the key's column
---@return syncrun.Rows
function M.digests(rows, key) return c.digests(rows, key, DIGESTS) end

local function plan_error(...)
	err.raise { kind = "mapping", message = string.format(...) }
end

local function append_arg(step, value, column)
	local kind = math.type(value) or type(value)
	if kind == "table" then
		for _, v in ipairs(value) do append_arg(step, v, column) end
	elseif kind == "string" or kind == "integer" or kind == "boolean" then
		step[#step + 1] = tostring(value)
	else
		plan_error("the step '%s' of '%s' has an argument that is a %s", tostring(step[1]), column, type(value))
	end
end

-- "lower" and {"select", {"A", "B"}} to lists of strings.
local function plain_step(step, column)
	if type(step) == "string" then return { step } end
	if type(step) ~= "table" then plan_error("a step of '%s' is a %s", column, type(step)) end
	local plain = {}
	for _, value in ipairs(step) do append_arg(plain, value, column) end
	return plain
end

local function plain_column(schema, column, i)
	if type(column) ~= "table" or type(column.name) ~= "string" then
		plan_error("column %d of the plan has no name", i)
	end
	local steps = {}
	for k, step in ipairs(column.steps or {}) do steps[k] = plain_step(step, column.name) end
	local from_type = column.from and schema:type(column.from)
	return { name = column.name, type = column.type or from_type or "text", from = column.from, steps = steps }
end

---@class syncrun.Plan
---@field schema fun(self): syncrun.Schema
---@field apply fun(self, rows: syncrun.Rows): syncrun.Rows, syncrun.Counts row i of the result is row i of rows

---@alias syncrun.Counts table<string, { folded: integer, lost: integer, rejected: integer }>
--- the cells of a page that are not exact, by column; a column whose cells are all exact is not there

---@class syncrun.PlanColumn
---@field name string in the result
---@field type syncrun.ColumnType? default: that of `from`, else text
---@field from string? column of the source; without it the value starts as NULL
---@field steps (string|table)[]? names, or {name, argument...}

--- Compile a mapping. Unknown columns and steps, and casts that could only fail, raise kind mapping.
---@param schema syncrun.Schema of the source
---@param columns syncrun.PlanColumn[]
---@return syncrun.Plan
function M.plan(schema, columns)
	local plain = {}
	for i, column in ipairs(columns) do plain[i] = plain_column(schema, column, i) end
	return c_plan.new(schema, plain)
end

---@class syncrun.Merger
---@field expected fun(self, page: syncrun.Rows?) feed; nil is the end
---@field actual fun(self, page: syncrun.Rows?) feed; nil is the end
---@field step fun(self): "expected"|"actual"|"done" which side needs its next page
---@field take fun(self): {same: integer, differ: table[], missing: integer[], extra: integer[], again: table[]}

--- Merge two streams sorted by the bytes of the key; take() after each step(), before the next page is fed.
---@param expected_schema syncrun.Schema its columns are those compared
---@param actual_schema syncrun.Schema
---@param key string
---@return syncrun.Merger
function M.merger(expected_schema, actual_schema, key) return c_merge.new(expected_schema, actual_schema, key) end

--- Merge two streams of pages, each in byte order of the key: `for found, e, more, a, ended in rows.merge(…) do`, once
--- whenever a page of either side is through. `e` and `a` are the pages that the numbers in `found` (see Merger:take) are
--- of, nil once that side has ended; `more` is what `expected` gave beside its page; `ended` tells whose page is through.
---@param expected fun(): syncrun.Rows?, any
---@param actual fun(): syncrun.Rows?
---@param key string
---@return fun(): table?, syncrun.Rows?, any, syncrun.Rows?, "expected"|"actual"|"done"?
function M.merge(expected, actual, key)
	local e, more = expected()
	local a = actual()
	if not (e or a) then return function() return nil end end
	local merger, ended = M.merger((e or a):schema(), (a or e):schema(), key), nil
	merger:expected(e)
	merger:actual(a)
	return function()
		if ended == "done" then return nil end
		if ended == "expected" then
			e, more = expected()
			merger:expected(e)
		elseif ended == "actual" then
			a = actual()
			merger:actual(a)
		end
		ended = merger:step()
		return merger:take(), e, more, a, ended
	end
end

---@class syncrun.PageReader makes rows of the pages of an answer, all with one schema
---@field read fun(self, text: string): syncrun.Rows, table the rows, and what stands beside them (see json_reader and
--- bigquery_reader); kind json for a text that is no such page
---@field schema fun(self): syncrun.Schema

--- A reader of JSON pages: one path (member names joined by dots) a column, below the array at `rows` ("": the text is that
--- array). Beside the rows it gives the values at the paths of `extra`, by path, and rows_missing = true without an array.
---@param schema syncrun.Schema
---@param spec {rows: string, paths: string[], extra: string[]?}
---@return syncrun.PageReader
function M.json_reader(schema, spec) return page.json_reader(schema, spec) end

--- A reader of the bodies of jobs.query, jobs.getQueryResults and tabledata.list. Beside the rows it gives the answer's
--- scalar members (pageToken, totalRows, jobComplete …).
---@param fields table the decoded schema.fields of the answer
---@return syncrun.PageReader
function M.bigquery_reader(fields) return page.bigquery_reader(fields) end

--- A writer of rows as a JSON array of objects.
---@param columns {path: string, column: string?, as: string?, const: string?}[]
---@return table encoder
function M.encoder(columns) return page.encoder(columns) end

return M

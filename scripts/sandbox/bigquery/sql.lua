-- The SQL of the sandbox's BigQuery: a tree of parser.lua becomes one SQLite statement with bound values.
-- Names and types are checked as the service does; nothing is executed here.
--
-- The subset (GoogleSQL only). Everything else is refused as invalidQuery, naming the token.
--   SELECT [DISTINCT] * [EXCEPT (a, ...)] | t.* | expression [[AS] alias], ...
--     [FROM [project.]dataset.table [[AS] t]] [WHERE condition] [GROUP BY column | alias | ordinal, ...]
--     [HAVING condition] [ORDER BY expression | alias | ordinal [ASC | DESC] [NULLS FIRST | LAST], ...]
--     [LIMIT n [OFFSET n]]
--   INSERT [INTO] t [(columns)] VALUES (...), ...    UPDATE t SET c = e, ... WHERE ...    DELETE [FROM] t WHERE ...
--   conditions: AND OR NOT = != <> < > <= >= [NOT] IN (...) [NOT] IN UNNEST(@array) [NOT] LIKE [NOT] BETWEEN
--     IS [NOT] NULL | TRUE | FALSE, IS [NOT] DISTINCT FROM
--   values: columns, @named and ? parameters (scalars; arrays in UNNEST), string (all quotings), bytes, integer and
--     float literals, TRUE FALSE NULL, DATE | TIMESTAMP | DATETIME | TIME | NUMERIC | BIGNUMERIC | JSON '...'
--   functions: CAST SAFE_CAST IF IFNULL COALESCE NULLIF CONCAT (also ||) LENGTH CHAR_LENGTH BYTE_LENGTH LOWER UPPER
--     TRIM STARTS_WITH ENDS_WITH SUBSTR TO_JSON_STRING PARSE_JSON (constant) JSON_VALUE (constant path)
--     CURRENT_TIMESTAMP CURRENT_DATE TIMESTAMP DATE TIMESTAMP_ADD TIMESTAMP_SUB DATE_ADD DATE_SUB UNIX_MICROS
--     TIMESTAMP_MICROS
--   aggregates: COUNT(*) COUNT([DISTINCT] x) COUNTIF SUM MIN MAX ANY_VALUE
-- Known to differ: LOWER and UPPER change ASCII letters only; NUMERIC, BIGNUMERIC and BYTES compare by = and IN but
-- neither order nor sum; no arithmetic operators; the parts of a STRUCT cannot be named.

local errors = require "sandbox.bigquery.errors"
local functions = require "sandbox.bigquery.functions"
local lexer = require "sandbox.bigquery.lexer"
local parser = require "sandbox.bigquery.parser"
local types = require "sandbox.bigquery.types"

local M = {}

-- A translation in progress. An expression is {type=, sql= | value= (a constant, bound when used), null=,
-- constant= "literal" | "parameter", agg=, bare= (a column outside any aggregate)}.
local T = {}
T.__index = T

function T:fail(node, message, ...)
	if select("#", ...) > 0 then
		message = message:format(...)
	end
	errors.raise("invalidQuery", "%s", message .. " at " .. lexer.at(self.text, node.pos))
end

function T:bind(value)
	self.binds[#self.binds + 1] = value
	return "?" .. #self.binds
end

---The SQL text of an expression; a constant is bound the first time it is asked for.
function T:sql(e)
	if not e.sql then
		e.sql = e.null and "NULL" or self:bind(e.value)
	end
	return e.sql
end

---An expression made of others: inherits whether they aggregate or name columns.
function T.make(_, kind, sql, ...)
	local e = { type = kind, sql = sql }
	for _, part in ipairs { ... } do
		e.agg = e.agg or part.agg
		e.bare = e.bare or part.bare
	end
	return e
end

-- Types ------------------------------------------------------------------------------------------

local FROM_STRING = { DATE = true, TIME = true, DATETIME = true, TIMESTAMP = true }
local DECIMAL = { NUMERIC = true, BIGNUMERIC = true }

local function decimal_from(self, e, kind)
	if e.constant then
		local v = types.parse_decimal(tostring(e.value), kind)
		return v and { type = kind, value = v, constant = e.constant }
	elseif e.type == "INT64" then
		return self:make(kind, "CAST(" .. self:sql(e) .. " AS TEXT)", e)
	end
end

---An expression as another type where the service coerces by itself, else nil.
function T:coerce(e, kind, node)
	if e.type == kind then
		return e
	elseif e.null then
		return { type = kind, null = true }
	elseif e.type == "STRING" and e.constant and FROM_STRING[kind] then
		local v = types.from_text(kind, e.value)
		if v == nil then
			self:fail(node, 'Could not cast %s "%s" to type %s', e.constant, e.value, kind)
		end
		return { type = kind, value = v, constant = e.constant }
	elseif kind == "FLOAT64" and (e.type == "INT64" or DECIMAL[e.type]) then
		return self:make(kind, "CAST(" .. self:sql(e) .. " AS REAL)", e)
	elseif DECIMAL[kind] and (e.type == "INT64" or (e.type == "FLOAT64" and e.constant)) then
		return decimal_from(self, e, kind)
	elseif kind == "BIGNUMERIC" and e.type == "NUMERIC" then
		return self:make(kind, self:sql(e), e)
	end
end

local function coerces(e, kind)
	return (e.type == "STRING" and e.constant and FROM_STRING[kind])
		or (kind == "FLOAT64" and (e.type == "INT64" or DECIMAL[e.type]))
		or (DECIMAL[kind] and (e.type == "INT64" or (e.type == "FLOAT64" and e.constant)))
		or (kind == "BIGNUMERIC" and e.type == "NUMERIC")
end

-- The type all of these can be coerced to: the first one that fits.
local function common_type(list)
	for _, candidate in ipairs(list) do
		local fits = not candidate.null
		for _, e in ipairs(list) do
			fits = fits and (e.type == candidate.type or e.null or coerces(e, candidate.type))
		end
		if fits then
			return candidate.type
		end
	end
	for _, e in ipairs(list) do
		if not e.null then
			return nil
		end
	end
	return list[1].type
end

function T:no_signature(node, what, list)
	local names = {}
	for i, e in ipairs(list) do
		names[i] = e.mode == "REPEATED" and "ARRAY<" .. e.type .. ">" or e.type
	end
	self:fail(node, "No matching signature for %s for argument types: %s", what, table.concat(names, ", "))
end

---Bring a list of expressions to one type.
---@return table list, string type
function T:unify(list, node, what)
	local kind = common_type(list)
	for _, e in ipairs(list) do
		if not kind or e.mode == "REPEATED" then
			self:no_signature(node, what, list)
		end
	end
	local out = {}
	for i, e in ipairs(list) do
		out[i] = self:coerce(e, kind, node)
	end
	return out, kind
end

local UNEQUATABLE = { JSON = true, STRUCT = true, GEOGRAPHY = true }
local UNORDERED = { NUMERIC = true, BIGNUMERIC = true, BYTES = true }

function T:comparable(node, list, what, ordering)
	local out, kind = self:unify(list, node, what)
	if UNEQUATABLE[kind] then
		self:fail(node, "%s is not defined for arguments of type %s", ordering and "Ordering" or "Equality", kind)
	elseif ordering and UNORDERED[kind] then
		self:fail(node, "Unsupported by the sandbox: ordering of type %s", kind)
	end
	return out
end

-- Expressions ------------------------------------------------------------------------------------

local EXPR = {}

---Translate an expression's tree.
function T:expr(node)
	local read = EXPR[node.k]
	if not read then
		self:fail(node, "Unsupported by the sandbox: %s here", node.k)
	end
	return read(self, node)
end

function T:condition(node, clause)
	local e = self:expr(node)
	if e.type ~= "BOOL" and not e.null then
		self:fail(node, "%s should return type BOOL, but returns %s", clause, e.type)
	end
	return e
end

function EXPR.string(_, node)
	return { type = "STRING", value = node.v, constant = "literal" }
end

function EXPR.bytes(self, node)
	return { type = "BYTES", value = self.options.base64(node.v), constant = "literal" }
end

function EXPR.int(self, node)
	local v = math.tointeger(node.v:find("[xX]") and tonumber(node.v) or types.parse_int(node.v))
	if not v then
		self:fail(node, "Invalid integer literal: %s", node.v)
	end
	return { type = "INT64", value = v, constant = "literal" }
end

function EXPR.float(_, node)
	return { type = "FLOAT64", value = tonumber(node.v) + 0.0, constant = "literal" }
end

function EXPR.bool(_, node)
	return { type = "BOOL", sql = node.v and "1" or "0" }
end

function EXPR.null()
	return { type = "INT64", null = true }
end

function EXPR.typed(self, node)
	local v = types.from_text(node.type, node.text)
	if v == nil or (node.type == "JSON" and not self.options.valid_json(node.text)) then
		self:fail(node, "Invalid %s literal", node.type)
	end
	return { type = node.type, value = v, constant = "typed" }
end

function EXPR.param(self, node)
	local p = self:parameter(node)
	if p.array or p.struct then
		self:fail(node, "Unsupported by the sandbox: %s parameter here", p.array and "ARRAY" or "STRUCT")
	end
	return { type = p.type, value = p.value, null = p.value == nil, constant = "parameter" }
end

function EXPR.col(self, node)
	local path = node.path
	if not self.table then
		self:fail(node, "Unrecognized name: %s", path[1])
	end
	local name = path[1]
	if #path == 2 and name:lower() == self.alias and not self.table.by_name[name:lower()] then
		name = path[2]
	elseif #path > 1 then
		self:fail(node, "Unsupported by the sandbox: a field of a struct (%s)", table.concat(path, "."))
	end
	local i = self.table.by_name[name:lower()]
	if not i then
		self:fail(node, "Unrecognized name: %s", name)
	end
	self.used[i] = true
	local f = self.table.schema[i]
	return { type = f.type, sql = "t.c" .. i, mode = f.mode, field = f, bare = true }
end

function EXPR.cast(self, node)
	local kind = types.canonical(node.type)
	if not kind or kind == "STRUCT" then
		self:fail(node, "Type not found: %s", node.type)
	end
	return functions.cast(self, node, self:expr(node.a), kind)
end

function EXPR.call(self, node)
	local f = functions.named[node.name]
	if not f then
		self:fail(node, "Unsupported by the sandbox: function %s", node.name)
	elseif node.distinct and node.name ~= "COUNT" then
		self:fail(node, "Unsupported by the sandbox: DISTINCT in %s", node.name)
	elseif not node.star and (#node.args < f.min or #node.args > f.max) then
		self:fail(node, "Number of arguments does not match for function %s", node.name)
	end
	if not f.aggregate then
		return f.make(self, node)
	elseif self.in_aggregate then
		self:fail(node, "Aggregations of aggregations are not allowed")
	end
	self.in_aggregate = true
	local e = f.make(self, node)
	self.in_aggregate = false
	e.agg, e.bare = true, nil
	return e
end

function EXPR.interval(self, node)
	self:fail(node, "Unsupported by the sandbox: INTERVAL here")
end

function EXPR.cmp(self, node)
	local e = { self:expr(node.a), self:expr(node.b) }
	local ordering = node.op ~= "=" and node.op ~= "<>"
	local list = self:comparable(node, e, "operator " .. node.op, ordering)
	return self:make("BOOL", ("(%s %s %s)"):format(self:sql(list[1]), node.op, self:sql(list[2])), e[1], e[2])
end

function EXPR.distinct(self, node)
	local e = { self:expr(node.a), self:expr(node.b) }
	local list = self:comparable(node, e, "operator IS DISTINCT FROM")
	local op = node.negated and "IS" or "IS NOT"
	return self:make("BOOL", ("(%s %s %s)"):format(self:sql(list[1]), op, self:sql(list[2])), e[1], e[2])
end

function EXPR.between(self, node)
	local e = { self:expr(node.a), self:expr(node.low), self:expr(node.high) }
	local list = self:comparable(node, e, "operator BETWEEN", true)
	local sql = ("(%s %sBETWEEN %s AND %s)"):format(
		self:sql(list[1]),
		node.negated and "NOT " or "",
		self:sql(list[2]),
		self:sql(list[3])
	)
	return self:make("BOOL", sql, table.unpack(e))
end

EXPR["in"] = function(self, node)
	local e = { self:expr(node.a) }
	for i, item in ipairs(node.list) do
		e[i + 1] = self:expr(item)
	end
	local list = self:comparable(node, e, "operator IN")
	local out = {}
	for i = 2, #list do
		out[i - 1] = self:sql(list[i])
	end
	local op = node.negated and "NOT IN" or "IN"
	return self:make("BOOL", ("(%s %s (%s))"):format(self:sql(list[1]), op, table.concat(out, ",")), table.unpack(e))
end

function EXPR.in_unnest(self, node)
	local p = self:parameter(node.array)
	if not p.array then
		self:fail(node, "Values referenced in UNNEST must be arrays. UNNEST contains expression of type %s", p.type)
	end
	local a = self:expr(node.a)
	if a.type ~= p.type then
		self:no_signature(node, "operator IN UNNEST", { a, { type = p.type, mode = "REPEATED" } })
	elseif UNEQUATABLE[a.type] then
		self:fail(node, "Equality is not defined for arguments of type %s", a.type)
	end
	-- json_each reads the whole array from one bound text, so ten thousand keys are one parameter.
	local op = node.negated and "NOT IN" or "IN"
	local array = self:bind(self.options.encode(p.values))
	return self:make("BOOL", ("(%s %s (SELECT value FROM json_each(%s)))"):format(self:sql(a), op, array), a)
end

function EXPR.like(self, node)
	local e = { self:expr(node.a), self:expr(node.b) }
	if (e[1].type ~= "STRING" and not e[1].null) or (e[2].type ~= "STRING" and not e[2].null) then
		self:no_signature(node, "operator LIKE", e)
	end
	local op = node.negated and "NOT LIKE" or "LIKE"
	return self:make("BOOL", ("(%s %s %s ESCAPE '\\')"):format(self:sql(e[1]), op, self:sql(e[2])), e[1], e[2])
end

function EXPR.is(self, node)
	local e = self:expr(node.a)
	if node.what ~= "NULL" and e.type ~= "BOOL" and not e.null then
		self:no_signature(node, "operator IS " .. node.what, { e })
	end
	local op = node.negated and "IS NOT" or "IS"
	if node.what == "NULL" and e.mode == "REPEATED" then
		return self:make("BOOL", node.negated and "1" or "0", e)
	end
	return self:make("BOOL", ("(%s %s %s)"):format(self:sql(e), op, node.what), e)
end

EXPR["not"] = function(self, node)
	local e = self:condition(node.a, "operator NOT")
	return self:make("BOOL", "(NOT " .. self:sql(e) .. ")", e)
end

function EXPR.logic(self, node)
	local a = self:condition(node.a, "operator " .. node.op)
	local b = self:condition(node.b, "operator " .. node.op)
	return self:make("BOOL", ("(%s %s %s)"):format(self:sql(a), node.op, self:sql(b)), a, b)
end

-- Parameters -------------------------------------------------------------------------------------

local function param_text(v)
	if v == nil or type(v) == "table" then
		return nil
	end
	return tostring(v)
end

local function read_scalar(self, node, kind, given, json_null)
	local raw = given and given.value
	if raw == nil or raw == json_null then
		return nil
	end
	local text = param_text(raw) or self.options.encode(raw)
	local v = types.from_text(kind, text)
	if v == nil then
		self:fail(node, "Invalid value for parameter %s of type %s: %s", node.name or node.index, kind, text)
	end
	return v
end

---The value of a parameter: {type=, value=} or {type=, array=true, values=}.
function T:parameter(node)
	local given = node.name and self.named[node.name:lower()] or node.index and self.positional[node.index]
	if not given then
		self:fail(node, "Query parameter '%s' not found", node.name or tostring(node.index))
	end
	local declared = given.parameterType or {}
	local name = type(declared.type) == "string" and declared.type:upper() or ""
	local value = given.parameterValue
	if name == "STRUCT" then
		return { type = "STRUCT", struct = true }
	elseif name ~= "ARRAY" then
		local kind = types.canonical(name)
		if not kind then
			self:fail(node, "Invalid type of parameter: %s", name)
		end
		return { type = kind, value = read_scalar(self, node, kind, value, self.options.null) }
	end
	local kind = types.canonical((declared.arrayType or {}).type)
	if not kind then
		self:fail(node, "Invalid array type of parameter")
	end
	local values = {}
	for i, item in ipairs((value or {}).arrayValues or {}) do
		local v = read_scalar(self, node, kind, item, self.options.null)
		values[i] = v == nil and self.options.null or v
	end
	return { type = kind, array = true, values = values }
end

-- SELECT -----------------------------------------------------------------------------------------

local function add_item(self, items, e, name)
	items[#items + 1] = { e = e, sql = self:sql(e), name = name }
end

local function expand_star(self, items, node)
	if not self.table then
		self:fail(node, "SELECT * must have a FROM clause")
	elseif node.qualifier and node.qualifier:lower() ~= self.alias then
		self:fail(node, "Unrecognized name: %s", node.qualifier)
	end
	local skip = {}
	for _, name in ipairs(node.except) do
		if not self.table.by_name[name:lower()] then
			self:fail(node, "Column %s in SELECT * EXCEPT list does not exist", name)
		end
		skip[name:lower()] = true
	end
	for _, f in ipairs(self.table.schema) do
		if not skip[f.name:lower()] then
			add_item(self, items, EXPR.col(self, { path = { f.name }, pos = node.pos }), f.name)
		end
	end
end

local function select_items(self, tree)
	local items = {}
	for _, node in ipairs(tree.items) do
		if node.k == "star" then
			expand_star(self, items, node)
		else
			local e = self:expr(node.e)
			add_item(self, items, e, node.alias or (node.e.k == "col" and node.e.path[#node.e.path]) or nil)
		end
	end
	local seen, unnamed = {}, 0
	for _, item in ipairs(items) do
		if not item.name then
			item.name, unnamed = "f" .. unnamed .. "_", unnamed + 1
		end
		if seen[item.name:lower()] then
			self:fail(tree, "Duplicate column names in the result are not supported. Found duplicate(s): %s", item.name)
		end
		seen[item.name:lower()] = item
	end
	return items, seen
end

-- An ORDER BY or GROUP BY entry: an ordinal, an alias of the list, or any expression.
local function listed(self, node, items, by_alias, clause)
	if node.k == "int" then
		local item = items[tonumber(node.v)]
		if not item then
			self:fail(node, "%s is out of SELECT column number range: %s", clause, node.v)
		end
		return item.e
	end
	local alias = node.k == "col" and #node.path == 1 and by_alias[node.path[1]:lower()]
	return alias and alias.e or self:expr(node)
end

local function group_clause(self, tree, items, by_alias)
	local out, known = {}, {}
	for i, node in ipairs(tree.group or {}) do
		local e = listed(self, node, items, by_alias, "GROUP BY")
		if e.agg then
			self:fail(node, "Aggregate function not allowed in GROUP BY")
		end
		out[i] = self:sql(e)
		known[out[i]] = true
	end
	return out, known
end

local function check_grouping(self, tree, items, known)
	local aggregated = tree.group ~= nil or tree.having ~= nil
	for _, item in ipairs(items) do
		aggregated = aggregated or item.e.agg
	end
	if not aggregated then
		return false
	end
	for _, item in ipairs(items) do
		if item.e.bare and not known[item.sql] then
			local m = "SELECT list expression references column %s which is neither grouped nor aggregated"
			self:fail(tree, m, item.name)
		end
	end
	return true
end

local function order_clause(self, tree, items, by_alias, aggregated, known)
	local out = {}
	for i, o in ipairs(tree.order or {}) do
		local e = listed(self, o.e, items, by_alias, "ORDER BY")
		if UNEQUATABLE[e.type] or e.mode == "REPEATED" then
			self:fail(o.e, "ORDER BY does not support expressions of type %s", e.type)
		elseif UNORDERED[e.type] then
			self:fail(o.e, "Unsupported by the sandbox: ORDER BY type %s", e.type)
		elseif aggregated and e.bare and not known[self:sql(e)] then
			self:fail(o.e, "ORDER BY clause expression references a column which is neither grouped nor aggregated")
		end
		out[i] = self:sql(e) .. (o.desc and " DESC" or "") .. (o.nulls and " NULLS " .. o.nulls or "")
	end
	return out
end

local function limit_sql(self, node)
	local e = self:expr(node)
	if e.type ~= "INT64" or e.null or e.value < 0 then
		self:fail(node, "LIMIT and OFFSET expect a non-negative integer")
	end
	return self:sql(e)
end

local function result_schema(self, tree, items)
	local schema = {}
	for i, item in ipairs(items) do
		local f = item.e.field
		local mode = item.e.mode == "REPEATED" and "REPEATED" or "NULLABLE"
		schema[i] = { name = item.name, type = item.e.type, mode = mode, fields = f and f.fields }
		if tree.distinct and (UNEQUATABLE[item.e.type] or mode == "REPEATED") then
			self:fail(tree, "Column %s of type %s cannot be used in SELECT DISTINCT", item.name, item.e.type)
		end
	end
	return schema
end

local function column_list(items)
	local out = {}
	for i, item in ipairs(items) do
		out[i] = item.sql
	end
	return table.concat(out, ",")
end

local function translate_select(self, tree)
	local items, by_alias = select_items(self, tree)
	local sql = { "SELECT ", tree.distinct and "DISTINCT " or "", column_list(items) }
	local function add(...)
		for _, s in ipairs { ... } do
			sql[#sql + 1] = s
		end
	end
	if self.table then
		add(" FROM ", self.table.storage, " AS t")
	end
	if tree.where then
		local e = self:condition(tree.where, "WHERE clause")
		if e.agg then
			self:fail(tree.where, "Aggregate function not allowed in WHERE clause")
		end
		add(" WHERE ", self:sql(e))
	end
	local group, known = group_clause(self, tree, items, by_alias)
	local aggregated = check_grouping(self, tree, items, known)
	if #group > 0 then
		add(" GROUP BY ", table.concat(group, ","))
	end
	if tree.having then
		add(" HAVING ", self:sql(self:condition(tree.having, "HAVING clause")))
	end
	local order = order_clause(self, tree, items, by_alias, aggregated, known)
	if #order > 0 then
		add(" ORDER BY ", table.concat(order, ","))
	end
	if tree.limit then
		add(" LIMIT ", limit_sql(self, tree.limit))
		add(tree.offset and " OFFSET " .. limit_sql(self, tree.offset) or "")
	end
	return { sql = table.concat(sql), schema = result_schema(self, tree, items) }
end

-- DML --------------------------------------------------------------------------------------------

local function field_of(self, name, node)
	local i = self.table.by_name[name:lower()]
	if not i then
		self:fail(node, "Column %s is not present in table %s", name, self.table.id)
	end
	return i, self.table.schema[i]
end

local function assigned(self, e, field, node)
	local plain = field.mode ~= "REPEATED" and field.type ~= "STRUCT"
	local v = (plain or e.null) and e.mode ~= "REPEATED" and self:coerce(e, field.type, node)
	if not v then
		self:fail(node, "Value has type %s which cannot be assigned to %s, which has type %s", e.type, field.name, field.type)
	end
	return self:sql(v)
end

local function translate_update(self, tree)
	local set, seen = {}, {}
	for k, a in ipairs(tree.set) do
		local i, field = field_of(self, a.name, a)
		if seen[i] then
			self:fail(a, "Update item %s assigned more than once", a.name)
		end
		seen[i] = true
		set[k] = ("c%d = %s"):format(i, assigned(self, self:expr(a.e), field, a))
	end
	local where = self:condition(tree.where, "WHERE clause")
	local text = ("UPDATE %s AS t SET %s WHERE %s"):format(self.table.storage, table.concat(set, ", "), self:sql(where))
	return { sql = text }
end

local function translate_delete(self, tree)
	local where = self:condition(tree.where, "WHERE clause")
	return { sql = ("DELETE FROM %s AS t WHERE %s"):format(self.table.storage, self:sql(where)) }
end

local function insert_columns(self, tree)
	local names, fields = {}, {}
	for i, f in ipairs(tree.columns and {} or self.table.schema) do
		names[i], fields[i] = "c" .. i, f
	end
	for k, name in ipairs(tree.columns or {}) do
		local i, f = field_of(self, name, tree)
		names[k], fields[k] = "c" .. i, f
	end
	return names, fields
end

local function translate_insert(self, tree)
	local names, fields = insert_columns(self, tree)
	local source, rows = self.table, {}
	self.table = nil
	for r, row in ipairs(tree.values) do
		if #row ~= #fields then
			self:fail(tree, "Inserted row has wrong column count; Has %d, expected %d", #row, #fields)
		end
		local cells = {}
		for k, node in ipairs(row) do
			cells[k] = assigned(self, self:expr(node), fields[k], node)
		end
		rows[r] = "(" .. table.concat(cells, ",") .. ")"
	end
	self.table = source
	return {
		sql = ("INSERT INTO %s (%s) VALUES %s"):format(source.storage, table.concat(names, ","), table.concat(rows, ",")),
	}
end

local TRANSLATE = {
	SELECT = translate_select,
	UPDATE = translate_update,
	DELETE = translate_delete,
	INSERT = translate_insert,
}

local function index_parameters(self, list)
	for i, p in ipairs(list or {}) do
		self.positional[i] = p
		if type(p.name) == "string" then
			self.named[p.name:lower()] = p
		end
	end
end

---Translate one statement.
---options: `resolve(path) -> table` {id=, storage=, schema=, by_name=} (raises notFound), `parameters` (the request's
---queryParameters), `encode`, `valid_json`, `base64`, `null` (of the json and crypto facades), `now` (microseconds).
---@param text string
---@param options table
---@return table plan {kind=, sql=, binds=, schema= (SELECT), table=, used={[column index]=true}}
function M.translate(text, options)
	local tree = parser.parse(text)
	local self = setmetatable({ text = text, options = options, binds = {}, used = {} }, T)
	self.named, self.positional = {}, {}
	index_parameters(self, options.parameters)
	if tree.from then
		self.table = options.resolve(tree.from.path)
		self.alias = (tree.from.alias or tree.from.path[#tree.from.path]):lower()
	end
	local source = self.table
	local plan = TRANSLATE[tree.k](self, tree)
	if #self.binds > 32000 then
		errors.raise("resourcesExceeded", "too many values in one statement for the sandbox (%d)", #self.binds)
	end
	plan.kind, plan.binds, plan.table, plan.used = tree.k, self.binds, source, self.used
	return plan
end

return M

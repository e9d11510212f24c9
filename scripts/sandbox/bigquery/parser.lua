-- The grammar of the SQL subset (stated in sql.lua): tokens to a tree. Names are not resolved and types
-- not known here. Whatever is outside the grammar is refused with a message that names the token.

local errors = require "sandbox.bigquery.errors"
local lexer = require "sandbox.bigquery.lexer"

local P = {}
P.__index = P

local RESERVED = {}
for w in ([[ALL AND ANY ARRAY AS ASC BETWEEN BY CASE CAST CROSS CURRENT DEFAULT DESC DISTINCT ELSE END EXCEPT EXISTS
FALSE FOR FROM FULL GROUP HAVING IF IN INNER INTERSECT INTERVAL INTO IS JOIN LEFT LIKE LIMIT NATURAL NOT NULL NULLS ON
OR ORDER OUTER OVER PARTITION QUALIFY RIGHT SELECT SET STRUCT TABLESAMPLE THEN TO TRUE UNION UNNEST USING WHEN WHERE
WINDOW WITH]]):gmatch("%a+") do
	RESERVED[w] = true
end

function P:peek()
	return self.tokens[self.i]
end

function P:advance()
	local t = self.tokens[self.i]
	self.i = self.i + 1
	return t
end

function P:fail(message, token)
	token = token or self:peek()
	errors.raise("invalidQuery", "%s", message .. " at " .. lexer.at(self.text, token.pos))
end

local function described(token)
	if token.t == "eof" then
		return "end of script"
	elseif token.t == "word" and RESERVED[token.v:upper()] then
		return "keyword " .. token.v:upper()
	elseif token.t == "word" then
		return 'identifier "' .. token.v .. '"'
	elseif token.t == "op" then
		return '"' .. token.v .. '"'
	end
	return token.t .. ' literal "' .. token.v .. '"'
end

function P:unexpected(expected)
	local got = described(self:peek())
	if expected then
		self:fail(("Syntax error: Expected %s but got %s"):format(expected, got))
	end
	self:fail("Syntax error: Unexpected " .. got)
end

-- Does the token at an offset spell this keyword or operator?
function P:at(word, offset)
	local t = self.tokens[self.i + (offset or 0)]
	if not t then
		return false
	elseif t.t == "word" then
		return t.v:upper() == word
	end
	return t.t == "op" and t.v == word
end

function P:accept(word)
	if self:at(word) then
		return self:advance()
	end
end

function P:expect(word)
	return self:accept(word) or self:unexpected(word:find("%a") and "keyword " .. word or '"' .. word .. '"')
end

function P:refuse(what, token)
	self:fail("Unsupported by the sandbox: " .. what, token)
end

function P:identifier()
	local t = self:peek()
	if t.t == "quoted" or (t.t == "word" and not RESERVED[t.v:upper()]) then
		return self:advance().v
	end
	self:unexpected("identifier")
end

function P:list(read)
	local out = { read(self) }
	while self:accept(",") do
		out[#out + 1] = read(self)
	end
	return out
end

-- Expressions ------------------------------------------------------------------------------------

function P:interval()
	local token = self:advance()
	local amount = self:unary()
	local unit = self:advance()
	return { k = "interval", amount = amount, unit = unit.v:upper(), pos = token.pos }
end

function P:call(name, token)
	local node = { k = "call", name = name:upper(), args = {}, pos = token.pos }
	if self:accept(")") then
		return node
	elseif self:at("*") and node.name == "COUNT" then
		self:advance()
		node.star = true
	else
		node.distinct = self:accept("DISTINCT") ~= nil
		node.args = self:list(function(p)
			return p:at("INTERVAL") and p:interval() or p:expression()
		end)
	end
	self:expect(")")
	if self:at("OVER") then
		self:refuse("keyword OVER")
	end
	return node
end

function P:type_name()
	local token = self:peek()
	local name = token.t == "word" and self:advance().v or self:unexpected("type name")
	if self:at("<") or self:at("(") then
		self:refuse('"' .. self:peek().v .. '" in a type')
	end
	return name
end

function P:cast(safe, token)
	self:expect("(")
	local value = self:expression()
	self:expect("AS")
	local name = self:type_name()
	self:expect(")")
	return { k = "cast", a = value, type = name, safe = safe, pos = token.pos }
end

function P:path(token)
	local path = { token.v }
	while self:at(".") do
		self:advance()
		local t = self:peek()
		if t.t ~= "word" and t.t ~= "quoted" then
			self:unexpected("identifier")
		end
		path[#path + 1] = self:advance().v
	end
	return { k = "col", path = path, pos = token.pos }
end

local TYPED = { DATE = true, TIMESTAMP = true, DATETIME = true, TIME = true, JSON = true, NUMERIC = true }
TYPED.BIGNUMERIC = true

local CONSTANT = { TRUE = true, FALSE = false }

function P:word()
	local token = self:advance()
	local upper = token.v:upper()
	if (upper == "CAST" or upper == "SAFE_CAST") and self:at("(") then
		return self:cast(upper == "SAFE_CAST", token)
	elseif TYPED[upper] and self:peek().t == "string" then
		return { k = "typed", type = upper, text = self:advance().v, pos = token.pos }
	elseif upper == "NULL" then
		return { k = "null", pos = token.pos }
	elseif CONSTANT[upper] ~= nil then
		return { k = "bool", v = CONSTANT[upper], pos = token.pos }
	elseif (upper == "IF" or not RESERVED[upper]) and self:at("(") then
		self:advance()
		return self:call(upper, token)
	elseif RESERVED[upper] then
		self.i = self.i - 1
		if upper == "CASE" or upper == "EXISTS" or upper == "ARRAY" or upper == "STRUCT" or upper == "INTERVAL" then
			self:refuse("keyword " .. upper)
		end
		self:unexpected()
	end
	return self:path(token)
end

function P:primary()
	local token = self:peek()
	if token.t == "word" then
		return self:word()
	elseif token.t == "quoted" then
		return self:path(self:advance())
	elseif token.t == "param" then
		return { k = "param", name = self:advance().v, pos = token.pos }
	elseif token.t == "op" and token.v == "?" then
		self:advance()
		self.positional = self.positional + 1
		return { k = "param", index = self.positional, pos = token.pos }
	elseif token.t == "op" and token.v == "(" then
		self:advance()
		if self:at("SELECT") then
			self:refuse("subquery (keyword SELECT)")
		end
		local inner = self:expression()
		self:expect(")")
		return inner
	elseif token.t == "op" or token.t == "eof" then
		self:unexpected()
	end
	self:advance()
	return { k = token.t, v = token.v, pos = token.pos }
end

function P:unary()
	local token = self:peek()
	if self:accept("-") then
		local inner = self:peek()
		if inner.t ~= "int" and inner.t ~= "float" then
			self:refuse('operator "-"', token)
		end
		self:advance()
		return { k = inner.t, v = "-" .. inner.v, pos = token.pos }
	end
	return self:primary()
end

function P:concatenation()
	local a = self:unary()
	while self:at("||") do
		local token = self:advance()
		a = { k = "call", name = "CONCAT", args = { a, self:unary() }, pos = token.pos }
	end
	if self:at("+") or self:at("-") or self:at("*") or self:at("/") then
		self:refuse('operator "' .. self:peek().v .. '"')
	end
	return a
end

function P:in_list(a, negated, token)
	if self:accept("UNNEST") then
		self:expect("(")
		local array = self:peek()
		if array.t ~= "param" and not self:at("?") then
			self:refuse("UNNEST of anything but a parameter")
		end
		local node = { k = "in_unnest", a = a, array = self:primary(), negated = negated, pos = token.pos }
		self:expect(")")
		return node
	end
	self:expect("(")
	if self:at("SELECT") then
		self:refuse("subquery (keyword SELECT)")
	end
	local node = { k = "in", a = a, list = self:list(P.expression), negated = negated, pos = token.pos }
	self:expect(")")
	return node
end

function P:is(a, token)
	local negated = self:accept("NOT") ~= nil
	for _, what in ipairs { "NULL", "TRUE", "FALSE" } do
		if self:accept(what) then
			return { k = "is", a = a, what = what, negated = negated, pos = token.pos }
		end
	end
	if self:at("DISTINCT") then
		self:advance()
		self:expect("FROM")
		return { k = "distinct", a = a, b = self:concatenation(), negated = negated, pos = token.pos }
	end
	self:unexpected("keyword NULL, TRUE or FALSE")
end

local COMPARE = { ["="] = "=", ["!="] = "<>", ["<>"] = "<>", ["<"] = "<", [">"] = ">", ["<="] = "<=", [">="] = ">=" }

function P:comparison()
	local a = self:concatenation()
	local token = self:peek()
	if token.t == "op" and COMPARE[token.v] then
		self:advance()
		return { k = "cmp", op = COMPARE[token.v], a = a, b = self:concatenation(), pos = token.pos }
	elseif self:accept("IS") then
		return self:is(a, token)
	end
	local negated = self:at("NOT") and (self:at("IN", 1) or self:at("LIKE", 1) or self:at("BETWEEN", 1))
	if negated then
		self:advance()
	end
	if self:accept("IN") then
		return self:in_list(a, negated, token)
	elseif self:accept("LIKE") then
		return { k = "like", a = a, b = self:concatenation(), negated = negated, pos = token.pos }
	elseif self:accept("BETWEEN") then
		local low = self:concatenation()
		self:expect("AND")
		return { k = "between", a = a, low = low, high = self:concatenation(), negated = negated, pos = token.pos }
	end
	return a
end

function P:negation()
	local token = self:accept("NOT")
	if token then
		return { k = "not", a = self:negation(), pos = token.pos }
	end
	return self:comparison()
end

function P:conjunction()
	local a = self:negation()
	while self:at("AND") do
		local token = self:advance()
		a = { k = "logic", op = "AND", a = a, b = self:negation(), pos = token.pos }
	end
	return a
end

function P:expression()
	self.depth = self.depth + 1
	if self.depth > 100 then
		self:fail("Resources exceeded during query execution: Not enough resources for query planning - too deep")
	end
	local a = self:conjunction()
	while self:at("OR") do
		local token = self:advance()
		a = { k = "logic", op = "OR", a = a, b = self:conjunction(), pos = token.pos }
	end
	self.depth = self.depth - 1
	return a
end

-- Statements -------------------------------------------------------------------------------------

-- The rest of a project's name with dashes: the "123." of my-project-123.d.t is a number to the lexer.
function P:dashes(parts)
	while self:accept("-") do
		local t = self:peek()
		local digits = t.t == "float" and t.v:match("^(%d+)%.$")
		if digits then
			self:advance()
			parts[1] = parts[1] .. "-" .. digits
			parts[2] = self:identifier()
			return
		elseif t.t ~= "word" and t.t ~= "int" then
			self:unexpected("identifier")
		end
		parts[1] = parts[1] .. "-" .. self:advance().v
	end
end

-- project.dataset.table, each part bare or quoted, or all of it within one pair of backticks. A project's
-- name may hold dashes without quotes.
function P:table_path()
	local token = self:peek()
	if token.t == "op" and token.v == "[" then
		self:fail("Syntax error: Unexpected \"[\" (legacy SQL names are not supported; use `project.dataset.table`)")
	elseif self:at("(") then
		self:refuse("subquery in FROM")
	elseif self:at("UNNEST") then
		self:refuse("keyword UNNEST in FROM")
	end
	local parts = { self:identifier() }
	self:dashes(parts)
	while self:accept(".") do
		local t = self:peek()
		parts[#parts + 1] = (t.t == "word" or t.t == "quoted") and self:advance().v or self:unexpected("identifier")
	end
	local path = {}
	for part in table.concat(parts, "."):gmatch("[^.]+") do
		path[#path + 1] = part
	end
	return { path = path, pos = token.pos }
end

function P:alias()
	if self:accept("AS") then
		return self:identifier()
	end
	local t = self:peek()
	if t.t == "quoted" or (t.t == "word" and not RESERVED[t.v:upper()]) then
		return self:advance().v
	end
end

function P:star(token)
	local node = { k = "star", pos = token.pos, except = {} }
	if self:accept("EXCEPT") then
		self:expect("(")
		node.except = self:list(P.identifier)
		self:expect(")")
	elseif self:at("REPLACE") then
		self:refuse("REPLACE")
	end
	return node
end

function P:select_item()
	local token = self:peek()
	if self:accept("*") then
		return self:star(token)
	elseif (token.t == "word" or token.t == "quoted") and self:at(".", 1) and self:at("*", 2) then
		self.i = self.i + 3
		local node = self:star(token)
		node.qualifier = token.v
		return node
	end
	local e = self:expression()
	return { k = "item", e = e, alias = self:alias(), pos = token.pos }
end

function P:order_item()
	local item = { e = self:expression() }
	if self:accept("DESC") then
		item.desc = true
	else
		self:accept("ASC")
	end
	if self:accept("NULLS") then
		local t = self:advance()
		item.nulls = t.v:upper()
		if item.nulls ~= "FIRST" and item.nulls ~= "LAST" then
			self.i = self.i - 1
			self:unexpected("FIRST or LAST")
		end
	end
	return item
end

function P:limit_value()
	local t = self:peek()
	if t.t ~= "int" and t.t ~= "param" and not self:at("?") then
		self:unexpected("integer literal or parameter")
	end
	return self:primary()
end

function P:from(node)
	node.from = self:table_path()
	for _, w in ipairs { "FOR", "TABLESAMPLE" } do
		if self:at(w) then
			self:refuse("keyword " .. w)
		end
	end
	node.from.alias = self:alias()
	for _, w in ipairs { ",", "JOIN", "INNER", "LEFT", "RIGHT", "FULL", "CROSS" } do
		if self:at(w) then
			self:refuse(w == "," and "a second table in FROM (\",\")" or "keyword " .. w)
		end
	end
end

function P:select_tail(node)
	if self:accept("WHERE") then
		node.where = self:expression()
	end
	if self:accept("GROUP") then
		self:expect("BY")
		node.group = self:list(P.expression)
	end
	if self:accept("HAVING") then
		node.having = self:expression()
	end
	for _, w in ipairs { "QUALIFY", "WINDOW", "UNION", "INTERSECT", "EXCEPT" } do
		if self:at(w) then
			self:refuse("keyword " .. w)
		end
	end
	if self:accept("ORDER") then
		self:expect("BY")
		node.order = self:list(P.order_item)
	end
	if self:accept("LIMIT") then
		node.limit = self:limit_value()
		if self:accept("OFFSET") then
			node.offset = self:limit_value()
		end
	end
end

function P:select()
	local node = { k = "SELECT", pos = self:advance().pos }
	if self:at("DISTINCT") or self:at("ALL") then
		node.distinct = self:advance().v:upper() == "DISTINCT"
	elseif self:at("AS") then
		self:refuse("SELECT AS")
	end
	node.items = self:list(P.select_item)
	if self:accept("FROM") then
		self:from(node)
	end
	self:select_tail(node)
	return node
end

function P:delete()
	local node = { k = "DELETE", pos = self:advance().pos }
	self:accept("FROM")
	node.from = self:table_path()
	node.from.alias = self:alias()
	if not self:at("WHERE") then
		self:fail("DELETE must have a WHERE clause", { pos = node.pos })
	end
	self:advance()
	node.where = self:expression()
	return node
end

function P:assignment()
	local token = self:peek()
	local name = self:identifier()
	if self:at(".") then
		self:refuse("setting a part of a column")
	end
	self:expect("=")
	if self:at("DEFAULT") then
		self:refuse("keyword DEFAULT")
	end
	return { name = name, e = self:expression(), pos = token.pos }
end

function P:update()
	local node = { k = "UPDATE", pos = self:advance().pos }
	node.from = self:table_path()
	node.from.alias = not self:at("SET") and self:alias() or nil
	self:expect("SET")
	node.set = self:list(P.assignment)
	if self:at("FROM") then
		self:refuse("keyword FROM in UPDATE")
	elseif not self:at("WHERE") then
		self:fail("UPDATE must have a WHERE clause", { pos = node.pos })
	end
	self:advance()
	node.where = self:expression()
	return node
end

function P:row_values()
	self:expect("(")
	if self:at("DEFAULT") then
		self:refuse("keyword DEFAULT")
	end
	local values = self:list(P.expression)
	self:expect(")")
	return values
end

function P:insert()
	local node = { k = "INSERT", pos = self:advance().pos }
	self:accept("INTO")
	node.from = self:table_path()
	if self:accept("(") then
		node.columns = self:list(P.identifier)
		self:expect(")")
	end
	if self:at("SELECT") or self:at("WITH") then
		self:refuse("INSERT of a query (keyword " .. self:peek().v:upper() .. ")")
	end
	self:expect("VALUES")
	node.values = self:list(P.row_values)
	return node
end

local STATEMENT = { SELECT = P.select, DELETE = P.delete, UPDATE = P.update, INSERT = P.insert }

---Parse one statement to its tree; `k` of the root is SELECT, DELETE, UPDATE or INSERT.
---@param text string
---@return table tree, with `positional` = number of `?` parameters
local function parse(text)
	local self = setmetatable({ text = text, tokens = lexer.tokens(text), i = 1, depth = 0, positional = 0 }, P)
	local first = self:peek()
	local read = first.t == "word" and STATEMENT[first.v:upper()]
	if not read and first.t == "word" then
		self:refuse("statement " .. first.v:upper())
	elseif not read then
		self:unexpected()
	end
	local tree = read(self)
	self:accept(";")
	local extra = self:peek()
	if extra.t ~= "eof" then
		local known = extra.t == "word" and STATEMENT[extra.v:upper()] and self.tokens[self.i - 1].v == ";"
		if known then
			self:refuse("a script of several statements")
		end
		self:unexpected("end of input")
	end
	tree.positional = self.positional
	return tree
end

return { parse = parse }

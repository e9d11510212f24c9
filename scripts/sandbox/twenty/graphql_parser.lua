-- A GraphQL query document to a tree: operations, fragments, fields with arguments and selections. Values become the
-- JavaScript values of jsvalue, variables stay marked. Errors are graphql-js' syntax errors. Knows no schema.
local js = require "sandbox.twenty.jsvalue"

local M = {}

local Variable = {}

--- Whether a value stands for a variable; its name is `v.variable`.
---@param v any
---@return boolean
function M.is_variable(v) return getmetatable(v) == Variable end

local function location(text, at)
	local before = text:sub(1, at - 1)
	local _, lines = before:gsub("\n", "")
	return lines + 1, #before:match("([^\n]*)$") + 1
end

local function fail(text, at, message)
	local line, column = location(text, at)
	error({ syntax = "Syntax Error: " .. message, line = line, column = column }, 0)
end

local Parser = {}
Parser.__index = Parser

local simple = { ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

local function string_escape(text, at)
	local c = text:sub(at, at)
	if simple[c] then return simple[c], at + 1 end
	local braced = text:match("^u{(%x+)}", at)
	if braced then return utf8.char(tonumber(braced, 16)), at + #braced + 3 end
	local hex = text:match("^u(%x%x%x%x)", at)
	if not hex then fail(text, at - 1, "Invalid character escape sequence: \"\\" .. c .. '".') end
	local code = tonumber(hex, 16)
	local low = code >= 0xD800 and code <= 0xDBFF and text:match("^\\u([dD][c-fC-F]%x%x)", at + 5)
	if low then return utf8.char(0x10000 + (code - 0xD800) * 0x400 + tonumber(low, 16) - 0xDC00), at + 11 end
	if code >= 0xD800 and code <= 0xDFFF then return "\u{FFFD}", at + 5 end
	return utf8.char(code), at + 5
end

local function block_string(text, at)
	local stop = text:find('"""', at + 3, true)
	while stop and text:sub(stop - 1, stop - 1) == "\\" do stop = text:find('"""', stop + 3, true) end
	if not stop then fail(text, #text + 1, "Unterminated string.") end
	local raw = text:sub(at + 3, stop - 1):gsub('\\"""', '"""')
	return (raw:gsub("^%s*\n", ""):gsub("\n%s*$", "")), stop + 3
end

local function quoted_string(text, at)
	if text:sub(at, at + 2) == '"""' then return block_string(text, at) end
	local parts = {}
	at = at + 1
	while true do
		local stop = text:find('["\\\n]', at)
		if not stop or text:sub(stop, stop) == "\n" then fail(text, stop or #text + 1, "Unterminated string.") end
		parts[#parts + 1] = text:sub(at, stop - 1)
		if text:sub(stop, stop) == '"' then return table.concat(parts), stop + 1 end
		parts[#parts + 1], at = string_escape(text, stop + 1)
	end
end

-- Reads the next token into self.kind ("name", "number", "string", "EOF" or the punctuator), self.value, self.at.
function Parser:advance()
	local text, at = self.text, self.next
	while true do
		at = text:find("[^%s,\239\187\191]", at) or #text + 1
		if text:sub(at, at) ~= "#" then break end
		at = text:find("\n", at, true) or #text + 1
	end
	self.at = at
	if at > #text then
		self.kind, self.value, self.next = "EOF", nil, at
		return
	end
	local name = text:match("^[_%a][_%w]*", at)
	local number = not name and text:match("^%-?%d+%.?%d*[eE]?[+-]?%d*", at)
	if name then
		self.kind, self.value, self.next = "name", name, at + #name
	elseif number then
		self.kind, self.value, self.next = "number", number, at + #number
	elseif text:sub(at, at) == '"' then
		self.kind = "string"
		self.value, self.next = quoted_string(text, at)
	elseif text:sub(at, at + 2) == "..." then
		self.kind, self.value, self.next = "...", nil, at + 3
	elseif text:find("^[!$()%[%]{}:=@|&]", at) then
		self.kind, self.value, self.next = text:sub(at, at), nil, at + 1
	else
		fail(text, at, 'Unexpected character: "' .. text:sub(at, at) .. '".')
	end
end

local shown_kinds = { name = "Name", number = "Int", string = "String", EOF = "<EOF>" }

function Parser:shown()
	local kind = shown_kinds[self.kind] or '"' .. self.kind .. '"'
	if self.kind == "EOF" or not self.value then return kind end
	return kind .. ' "' .. self.value .. '"'
end

function Parser:expect(kind)
	if self.kind ~= kind then
		local wanted = shown_kinds[kind] or '"' .. kind .. '"'
		fail(self.text, self.at, "Expected " .. wanted .. ", found " .. self:shown() .. ".")
	end
	local value = self.value
	self:advance()
	return value
end

function Parser:accept(kind)
	if self.kind ~= kind then return false end
	self:advance()
	return true
end

function Parser:unexpected() fail(self.text, self.at, "Unexpected " .. self:shown() .. ".") end

local words = { ["true"] = true, ["false"] = false, null = js.null }

function Parser:list()
	local list = js.array()
	self:advance()
	while not self:accept "]" do list[#list + 1] = self:read_value() end
	return list
end

function Parser:input_object()
	local o = js.object()
	self:advance()
	while not self:accept "}" do
		local name = self:expect "name"
		self:expect ":"
		js.set(o, name, self:read_value())
	end
	return o
end

function Parser:read_value()
	local kind, value = self.kind, self.value
	if kind == "[" then return self:list() end
	if kind == "{" then return self:input_object() end
	if kind == "$" then
		self:advance()
		return setmetatable({ variable = self:expect "name" }, Variable)
	end
	if kind ~= "string" and kind ~= "number" and kind ~= "name" then self:unexpected() end
	self:advance()
	if kind == "number" then return tonumber(value) + 0.0 end
	if kind == "name" and words[value] ~= nil then return words[value] end
	return value
end

function Parser:arguments()
	local args = js.object()
	if not self:accept "(" then return args end
	repeat
		local name = self:expect "name"
		self:expect ":"
		js.set(args, name, self:read_value())
	until self:accept ")"
	return args
end

function Parser:directives()
	local list = {}
	while self:accept "@" do
		local name = self:expect "name"
		list[#list + 1] = { name = name, args = self:arguments() }
	end
	return list
end

function Parser:field()
	local line, column = location(self.text, self.at)
	local name, alias = self:expect "name", nil
	if self:accept ":" then
		alias = name
		name = self:expect "name"
	end
	local field = { name = name, alias = alias, line = line, column = column, args = self:arguments(),
		directives = self:directives() }
	if self.kind == "{" then field.selection = self:selection() end
	return field
end

function Parser:spread()
	self:advance()
	if self.kind == "name" and self.value ~= "on" then
		local name = self.value
		self:advance()
		return { spread = name, directives = self:directives() }
	end
	if self.kind == "name" then
		self:advance()
		self:expect "name"
	end
	return { inline = true, directives = self:directives(), selection = self:selection() }
end

function Parser:selection()
	self:expect "{"
	local list = {}
	repeat
		list[#list + 1] = self.kind == "..." and self:spread() or self:field()
	until self:accept "}"
	return list
end

function Parser:type()
	if self:accept "[" then
		self:type()
		self:expect "]"
	else
		self:expect "name"
	end
	self:accept "!"
end

function Parser:variables()
	local defaults = {}
	if not self:accept "(" then return defaults end
	repeat
		self:expect "$"
		local name = self:expect "name"
		self:expect ":"
		self:type()
		if self:accept "=" then defaults[name] = self:read_value() end
		self:directives()
	until self:accept ")"
	return defaults
end

function Parser:operation()
	if self.kind == "{" then return { kind = "query", defaults = {}, selection = self:selection() } end
	local kind = self.value
	self:advance()
	local operation = { kind = kind }
	if self.kind == "name" then operation.name = self:expect "name" end
	operation.defaults = self:variables()
	self:directives()
	operation.selection = self:selection()
	return operation
end

function Parser:fragment(fragments)
	self:advance()
	local name = self:expect "name"
	self:expect "name"
	self:expect "name"
	self:directives()
	fragments[name] = self:selection()
end

local kinds = { query = true, mutation = true, subscription = true }

--- Parses a document: {operations, fragments}; or nil and {syntax, line, column}.
---@param text string
---@return table? document, table? error
function M.parse(text)
	local self = setmetatable({ text = text, next = 1 }, Parser)
	local document = { operations = {}, fragments = {} }
	local ok, e = pcall(function()
		self:advance()
		repeat
			if self.kind == "name" and self.value == "fragment" then
				self:fragment(document.fragments)
			elseif self.kind == "{" or (self.kind == "name" and kinds[self.value]) then
				table.insert(document.operations, self:operation())
			else
				self:unexpected()
			end
		until self.kind == "EOF"
	end)
	if ok then return document end
	if type(e) == "table" and e.syntax then return nil, e end
	error(e, 0)
end

--- A value with its variables put in; a variable that is not given is nil (undefined).
---@param v any
---@param variables table an object
---@param defaults table
---@return any
function M.resolve(v, variables, defaults)
	if M.is_variable(v) then
		local value = js.get(variables, v.variable)
		if value == nil then value = defaults[v.variable] end
		return value
	end
	if js.is_object(v) then
		local o = js.object()
		for _, key in ipairs(v.keys) do
			local value = M.resolve(v.map[key], variables, defaults)
			if value ~= nil then js.set(o, key, value) end
		end
		return o
	end
	if js.is_array(v) then
		local list = js.array()
		for _, item in ipairs(v) do
			local value = M.resolve(item, variables, defaults)
			list[#list + 1] = value == nil and js.null or value
		end
		return list
	end
	return v
end

--- The fields of a selection with fragments spread in; later fields of the same name merge into the first.
---@param selection table[]
---@param fragments table
---@return table[]
function M.flatten(selection, fragments)
	local list, by_name = {}, {}
	local function add(items)
		for _, item in ipairs(items or {}) do
			if item.spread then
				add(fragments[item.spread])
			elseif item.inline then
				add(item.selection)
			else
				local key = item.alias or item.name
				local known = by_name[key]
				if known and known.selection and item.selection then
					known.selection = table.move(item.selection, 1, #item.selection, #known.selection + 1,
						table.move(known.selection, 1, #known.selection, 1, {}))
				elseif not known then
					local copy = {}
					for k, v in pairs(item) do copy[k] = v end
					by_name[key] = copy
					list[#list + 1] = copy
				end
			end
		end
	end
	add(selection)
	return list
end

return M

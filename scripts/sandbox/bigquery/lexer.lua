-- GoogleSQL's tokens: identifiers, literals with all their quotings, parameters, operators, comments.
-- It knows spelling only; the grammar is parser.lua's.

local errors = require "sandbox.bigquery.errors"

local M = {}

---Line and column of a byte position, as the service writes them: "[1:7]".
---@param text string
---@param pos integer
---@return string
function M.at(text, pos)
	local line, last = 1, 0
	for nl in text:sub(1, pos - 1):gmatch("()\n") do
		line, last = line + 1, nl
	end
	return ("[%d:%d]"):format(line, (utf8.len(text, last + 1, pos - 1, true) or pos - last - 1) + 1)
end

local ESCAPES = {
	a = "\a",
	b = "\b",
	f = "\f",
	n = "\n",
	r = "\r",
	t = "\t",
	v = "\v",
	["\\"] = "\\",
	["?"] = "?",
	['"'] = '"',
	["'"] = "'",
	["`"] = "`",
}

local function bad(text, pos, message)
	errors.raise("invalidQuery", "%s", "Syntax error: " .. message .. " at " .. M.at(text, pos))
end

local CODED = { x = 2, X = 2, u = 4, U = 8 }

local function coded_escape(text, pos, letter, as_bytes)
	local digits = text:match("^" .. ("%x"):rep(CODED[letter]), pos + 2)
	local code = digits and tonumber(digits, 16)
	if not code or code > 0x10FFFF or (code >= 0xD800 and code <= 0xDFFF) then
		bad(text, pos, "Illegal escape sequence: \\" .. letter)
	end
	return as_bytes and string.char(code & 255) or utf8.char(code), pos + 2 + #digits
end

-- The character for the escape at pos (a backslash), and where it ends.
local function escape(text, pos, as_bytes)
	local letter = text:sub(pos + 1, pos + 1)
	if ESCAPES[letter] then
		return ESCAPES[letter], pos + 2
	elseif CODED[letter] then
		return coded_escape(text, pos, letter, as_bytes)
	end
	local octal = text:match("^[0-3][0-7][0-7]", pos + 1)
	if not octal then
		bad(text, pos, "Illegal escape sequence: \\" .. letter)
	end
	local code = tonumber(octal, 8)
	return as_bytes and string.char(code) or utf8.char(code), pos + 4
end

-- The value of a quoted literal whose quote begins at pos, and the position after it.
local function quoted(text, pos, raw, as_bytes)
	local q = text:sub(pos, pos)
	local triple = q ~= "`" and text:sub(pos, pos + 2) == q:rep(3)
	local close = triple and q:rep(3) or q
	local out, i = {}, pos + #close
	local stop = "[\\\n" .. q .. "]"
	while true do
		local j = text:find(stop, i)
		if not j then
			bad(text, pos, q == "`" and "Unclosed identifier literal" or "Unclosed string literal")
		end
		out[#out + 1] = text:sub(i, j - 1)
		local c = text:sub(j, j)
		if c == q and text:sub(j, j + #close - 1) == close then
			return table.concat(out), j + #close
		elseif c == "\\" and raw then
			out[#out + 1], i = text:sub(j, j + 1), j + 2
		elseif c == "\\" then
			out[#out + 1], i = escape(text, j, as_bytes)
		elseif c == "\n" and not triple then
			bad(text, pos, "Unclosed string literal")
		else
			out[#out + 1], i = c, j + 1
		end
	end
end

local function skip_blank(text, i)
	while true do
		local j = text:match("^%s+()", i) or text:match("^%-%-[^\n]*()", i) or text:match("^#[^\n]*()", i)
		if not j and text:find("^/%*", i) then
			local _, stop = text:find("*/", i + 2, true)
			if not stop then
				bad(text, i, "Unclosed comment")
			end
			j = stop + 1
		end
		if not j then
			return i
		end
		i = j
	end
end

local PAIRS = { ["<="] = true, [">="] = true, ["<>"] = true, ["!="] = true, ["||"] = true }

local function number(text, i)
	local hex, after_hex = text:match("^(0[xX]%x+)()", i)
	if hex then
		return "int", hex, after_hex
	end
	local n, after = text:match("^(%d*%.?%d*)()", i)
	local exp, after_exp = text:match("^([eE][+-]?%d+)()", after)
	n, after = n .. (exp or ""), after_exp or after
	return n:find("[.eE]") and "float" or "int", n, after
end

local function string_literal(text, i)
	local prefix, q = text:match("^([rRbB]?[rRbB]?)([\"'])", i)
	if not q then
		return nil
	end
	prefix = prefix:lower()
	local as_bytes = prefix:find("b") ~= nil
	local v, after = quoted(text, i + #prefix, prefix:find("r") ~= nil, as_bytes)
	return as_bytes and "bytes" or "string", v, after
end

local function next_token(text, i)
	local kind, v, after = string_literal(text, i)
	if kind then
		return kind, v, after
	end
	local c = text:sub(i, i)
	if c == "`" then
		return "quoted", quoted(text, i, false)
	elseif c:find("[%a_]") then
		return "word", text:match("^([%w_]+)()", i)
	elseif c:find("%d") or text:find("^%.%d", i) then
		return number(text, i)
	elseif text:find("^@@?[%a_`]", i) then
		return "param", text:match("^@([%a_][%w_]*)()", i)
	elseif PAIRS[text:sub(i, i + 1)] then
		return "op", text:sub(i, i + 1), i + 2
	elseif c:find("[%(%),.=<>+*/;:?-]") or c == "[" or c == "]" then
		return "op", c, i + 1
	end
end

---Cut a statement into tokens {t=, v=, pos=}; the last has t="eof".
---@param text string
---@return table
function M.tokens(text)
	local out, i = {}, skip_blank(text, 1)
	while i <= #text do
		local kind, v, after = next_token(text, i)
		if not v then
			bad(text, i, 'Illegal input character "' .. text:match("^[%z\1-\127\194-\244]?[\128-\191]*", i) .. '"')
		end
		out[#out + 1] = { t = kind, v = v, pos = i, stop = after }
		i = skip_blank(text, after)
	end
	out[#out + 1] = { t = "eof", v = "", pos = #text + 1 }
	return out
end

return M

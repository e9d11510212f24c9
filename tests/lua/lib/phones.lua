-- Telephone numbers as they come: 5,000 shapes made by a generator of our own with a fixed seed, so that they are the same
-- everywhere and for ever. It judges nothing.
local M = {}

local state

-- 0 … n - 1; Lua's own generator may change with Lua.
local function random(n)
	state = (state * 1664525 + 1013904223) % 4294967296
	return state // 65536 % n
end

local function pick(list)
	return list[random(#list) + 1]
end

local function chance(percent)
	return random(100) < percent
end

local function digits(n)
	local out = {}
	for i = 1, n do out[i] = random(10) end
	return table.concat(out)
end

-- Calling codes with how many digits numbers have there.
local CODES = {
	{ "1", 10 }, { "1", 10 }, { "7", 10 }, { "33", 9 }, { "34", 9 }, { "36", 9 }, { "39", 10 }, { "43", 10 },
	{ "44", 10 }, { "44", 10 }, { "45", 8 }, { "49", 10 }, { "49", 11 }, { "54", 10 }, { "54", 12 },
	{ "55", 11 }, { "57", 10 }, { "61", 9 }, { "81", 10 }, { "82", 10 }, { "86", 11 }, { "91", 10 }, { "218", 9 },
	{ "241", 8 }, { "261", 7 }, { "298", 6 },
	{ "352", 8 }, { "353", 9 }, { "370", 8 }, { "375", 9 }, { "377", 8 }, { "378", 6 }, { "420", 9 }, { "506", 8 },
	{ "672", 5 }, { "692", 7 }, { "800", 8 }, { "852", 8 }, { "870", 9 }, { "882", 9 }, { "971", 9 }, { "993", 8 },
	{ "998", 9 },
}

-- What is dialled at home before a number, and no code.
local HEADS = { "0", "00", "1", "11", "8", "80", "06", "15", "90", "1115", "179", "19", "10", "1831", "9" }
local NO_CODES = { "0", "00", "210", "214", "259", "28", "384", "422", "693", "699", "801", "851", "871", "969", "999",
	"5" }

local SEPARATORS = { " ", " ", " ", "-", ".", "/", "  ", "\u{A0}", "\u{2011}", "\u{2013}", "\u{202F}", "\t", "(", ")",
	"~", "[" }
local INVISIBLE = { "\u{2068}", "\u{2069}", "\u{200B}", "\u{FEFF}", "\u{FE0D}", "\u{2009}", "\u{202A}", "\u{202C}",
	"\u{200E}", "\u{200F}", "\u{2060}", "\u{AD}", "\u{3000}", "\u{2066}", "\u{180E}", "\u{200D}", "\n", "\r", "\u{2028}" }
local LABELS = { " ext ", " ext. ", " Ext: ", "x", " x ", " X", "#", " #", ",", ",,", ", ", ";", ";ext=",
	" extension ", " EXTN ", " доб. ", " ДОБ ", " anexo ", " int ", "~", " extensión ", ", ext ", " - ", " room ",
	" app ", " e ", " ,x,", ";isub=", ";phone-context=+1;ext=", " \u{FF58} ", "ext,", "#,", ",,," }
local BEFORE = { "tel:", "TEL:", "Tel. ", "tel: ", "Phone: ", "'", "\"", "=", "=\"",
	"☎ ", "(", "<", "mobile ", "p:", "* ", "#", "x", "№ ", "+", "++", "00", "011 ", "- ", "→", "é", "1) ", "call ", "電話:" }
local AFTER = { " (home)", "\"", " ", ";", ",", ".", " office", "#", " *", ")", " x", " ext", "☎", " or mail", "\0",
	"é", "+", " / ", "-", "…" }
local ZEROS = { 0xFF10, 0x0660, 0x06F0, 0x0966, 0x1D7CE }

local function whole()
	local code = pick(CODES)
	return "+" .. code[1], digits(code[2])
end

local function spaced(number, percent)
	return (number:gsub("%d", function(d) return chance(percent) and d .. pick(SEPARATORS) or d end))
end

local function in_script(text)
	local zero = pick(ZEROS)
	return (text:gsub("%d", function(d) return utf8.char(zero + math.tointeger(d)) end))
end

-- Put it at a place between two characters of the text.
local function insert(text, what)
	local at = utf8.offset(text, random(utf8.len(text) + 1) + 1)
	return text:sub(1, at - 1) .. what .. text:sub(at)
end

-- What spreadsheets and data frames make of numbers.
local function computed()
	local n = pick { "1", "44", "49", "7", "375" } .. digits(pick { 8, 9, 10, 10 })
	local mantissa, exponent = n:sub(1, 1) .. pick { ".", ",", "." } .. n:sub(2, 2 + random(#n - 1)), #n - 1
	local groups = n:reverse():gsub("(%d%d%d)", "%1" .. pick { ",", ".", " ", "'", "_" }):reverse():gsub("^%p", "")
	local text = pick {
		mantissa .. pick { "E+", "e+", "E", "e", "E+0" } .. exponent,
		n .. pick { ".0", ".00", ",0", ".", ".5", ".000" }, groups,
		pick { "nan", "NaN", "None", "<NA>", "NULL", "inf", "-inf", "#NUM!", "#####", "0", "0.0", "1.0", "-1", "TRUE",
			"" },
		"=" .. n, "=\"" .. n .. "\"", "'" .. n, n .. "L", "0x" .. n, "(" .. n .. ",)", "[" .. n .. "]", n .. "|" .. n,
	}
	return chance(50) and "+" .. text or text
end

local function soup()
	local out = {}
	for i = 1, 1 + random(14) do
		out[i] = pick { "+", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "1", "2", "4", " ", "-", ".", "(", ")", "/",
			"x", "#", ",", ";", "ext", "e", "\u{200B}", "＋", "\u{0661}", "~", "*", "tel:", ":", "a", "é", "\u{FE0D}" }
	end
	return (chance(60) and "+" or "") .. table.concat(out)
end

local KINDS = {
	function() -- as it should be
		local code, national = whole()
		return code .. national
	end,
	function()
		local code, national = whole()
		return code .. pick { "", " ", "-" } .. spaced(national, 30)
	end,
	function() return pick { "+", "" } .. pick(CODES)[1] .. digits(random(20)) end, -- short, long
	function() return "+" .. spaced(pick(CODES)[1] .. digits(random(20)), 20) end,
	function() return "+" .. pick(NO_CODES) .. digits(random(14)) end,
	function() -- dialled at home
		local code, national = whole()
		return code .. pick { "", " ", "(", " (" } .. pick(HEADS) .. pick { "", ")", " " } .. national:sub(random(3) + 1)
	end,
	function()
		local code, national = whole()
		return code .. pick { " (0)", "(0)", "(0) " } .. spaced(national, 20)
	end,
	function() -- invisible characters
		local code, national = whole()
		local text = code .. spaced(national, 20)
		return pick { pick(INVISIBLE) .. text, text .. pick(INVISIBLE), insert(text, pick(INVISIBLE)),
			"\u{2068}" .. text .. "\u{2069}" }
	end,
	function() -- other digits
		local code, national = whole()
		return pick { "+", "＋", "" } .. in_script(code:sub(2) .. spaced(national, 20))
	end,
	function() -- extensions
		local code, national = whole()
		local extension = digits(1 + random(pick { 3, 5, 12, 24 })) .. pick { "", "", "#", " " }
		return code .. spaced(national, 10) .. pick(LABELS) .. extension
	end,
	function() -- what stands around it
		local code, national = whole()
		local text = code .. spaced(national, 10)
		return pick { pick(BEFORE) .. text, text .. pick(AFTER), pick(BEFORE) .. text .. pick(AFTER) }
	end,
	function() return pick(BEFORE) .. digits(3 + random(10)) .. pick(AFTER) end,
	function() -- two numbers
		local code, national = whole()
		local other, more = whole()
		return code .. national .. pick { " / ", "/", ", ", "; ", " or ", "\n", " " } .. (chance(50) and other or "") .. more
	end,
	function()
		local code, national = whole()
		return insert(code .. national, pick { "a", "x", "+", "*", "#", "é", "O", "l", ":", "\0", "_", "|", "ext" })
	end,
	function() return pick { "0", "00", "011", "", "1", "8" } .. spaced(digits(6 + random(7)), 20) end, -- no country
	computed, computed, soup, soup,
}

--- n shapes, the same ones each time.
---@param n integer
---@return string[]
function M.shapes(n)
	local list = {}
	state = 20261125
	for i = 1, n do list[i] = pick(KINDS)() end
	return list
end

return M

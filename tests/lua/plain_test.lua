-- Text from outside in messages: what cannot be seen is spelled out.
local plain = require "syncrun.plain"
local t = require "syncrun.test"

t.test("plain: control characters, directions and what has no shape are spelled out", function()
	for text, shown in pairs {
		["a\0b\27[31m\127"] = "a\\x00b\\x1b[31m\\x7f", ["\u{9B}31m"] = "\\u009b31m", ["a\u{A0}b"] = "a\\u00a0b",
		["\u{202E}txt\u{2068}"] = "\\u202etxt\\u2068", ["\u{200B}\u{FEFF}\u{FE0D}\u{2009}"] = "\\u200b\\ufeff\\ufe0d\\u2009",
		["x\u{E0041}"] = "x\\u{e0041}", ["\u{AD}\u{3164}\u{2028}"] = "\\u00ad\\u3164\\u2028",
	} do
		t.eq(plain(text), shown)
	end
end)

t.test("plain: what can be seen stays, bytes that are no text are spelled out", function()
	for _, text in ipairs { "Zoë – “x” 😀", "山田　太郎", "שלום", "" } do t.eq(plain(text), text) end
	t.eq(plain "\xFF\xE2\x80", "\\xff\\xe2\\x80")
	t.eq(plain "é\xE2(\xA1", "é\\xe2(\\xa1")
	t.eq(plain "\xFF\u{202E}\xBF", "\\xff\\u202e\\xbf")
	t.eq(plain "\x9B31m", "\\x9b31m") -- a control character to terminals that know no UTF-8
end)

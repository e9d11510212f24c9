-- Text from outside as people see it: on a terminal, in a message, in HTML, in a spreadsheet.
local log = require "syncrun.log"
local t = require "syncrun.test"
local visible = require "syncrun.visible"

t.test("visible: control characters, directions and what has no shape are spelled out", function()
	for text, shown in pairs {
		["a\0b\27[31m\127"] = "a\\x00b\\x1b[31m\\x7f", ["\u{9B}31m"] = "\\u009b31m", ["a\u{A0}b"] = "a\\u00a0b",
		["\u{202E}txt\u{2068}"] = "\\u202etxt\\u2068", ["\u{200B}\u{FEFF}\u{FE0D}\u{2009}"] = "\\u200b\\ufeff\\ufe0d\\u2009",
		["x\u{E0041}\u{E01EF}"] = "x\\u{e0041}\\u{e01ef}",
		["\u{AD}\u{3164}\u{2028}\u{2800}"] = "\\u00ad\\u3164\\u2028\\u2800",
		["\u{FFFE}\u{1D173}\u{13430}"] = "\\ufffe\\u{1d173}\\u{13430}", ["a\nb\r\nc\td"] = "a\\x0ab\\x0d\\x0ac\\x09d",
	} do
		t.eq(visible.text(text), shown)
		t.eq(visible.text(shown), shown)
		t.eq(visible.lines(text), (shown:gsub("\\x0a", "\n"):gsub("\\x09", "\t")))
	end
end)

t.test("visible: what can be seen stays", function()
	for _, text in ipairs { "Zoë – “x” 😀", "山田　太郎", "שלום", "e\u{301}", "\u{FFFD}", "" } do
		for _, show in ipairs { visible.text, visible.lines, visible.excerpt } do t.eq(show(text), text) end
	end
end)

t.test("visible: bytes that are no UTF-8 are spelled out, the rest of the text stays", function()
	t.eq(visible.text "\xFF\u{202E}\xBFö", "\\xff\\u202e\\xbfö")
	t.eq(visible.text "\xE2(\xA1", "\\xe2(\\xa1")
	t.eq(visible.text "\xC0\x80 \xED\xA0\x80 \xF4\x90\x80\x80 \xE2\x80", -- overlong, a surrogate, beyond, cut
		"\\xc0\\x80 \\xed\\xa0\\x80 \\xf4\\x90\\x80\\x80 \\xe2\\x80")
	t.ok(utf8.len(visible.text(("\xFF\xE2\x80"):rep(100))))
end)

t.test("visible: a long text is cut to 2 KiB between characters, and says how much is missing", function()
	local long = ("ö"):rep(5000)
	t.eq(visible.excerpt(long), ("ö"):rep(992) .. "… (8016 more bytes)")
	t.eq(visible.excerpt(visible.excerpt(long)), visible.excerpt(long))
	t.eq(visible.excerpt(("x"):rep(2048)), ("x"):rep(2048))
	for _, text in ipairs { ("\0"):rep(100000), ("\u{E0041}"):rep(100000), ("ö"):rep(100000), ("x"):rep(2049) } do
		t.ok(#visible.excerpt(text) <= 2048)
		t.eq(visible.excerpt(visible.excerpt(text)), visible.excerpt(text))
	end
end)

t.test("visible: an error's message may quote an excerpt; whoever makes one, it is clean and ends", function()
	local err = require "syncrun.err"
	t.eq(visible.message("a\nb\27", false), "a\\x0ab\\x1b")
	t.eq(visible.message("a\nb\27", true), "a\nb\\x1b")
	for _, lines in ipairs { false, true } do
		t.ok(#visible.message(("x\n"):rep(9000), lines) <= 4096)
		t.eq(visible.message(("x"):rep(4096), lines), ("x"):rep(4096))
	end
	local _, e = err.try(err.raisef, "http", "it says '%s'", "\27[31m\n" .. ("no "):rep(100000))
	t.contains(e.message, "it says '\\x1b[31m\\x0ano no")
	t.ok(#e.message <= 4096)
	_, e = err.try(err.raise, { kind = "http", message = "\u{202E}", code = "\27" .. ("x"):rep(100) })
	t.eq({ e.message, e.code }, { "\\u202e", "\\x1b" .. ("x"):rep(43) })
	_, e = err.try(error, "a\27\nb")
	t.contains(e.message, "a\\x1b\nb")
end)

t.test("visible: JSON stays the same value, and shows what it holds", function()
	local json = require "syncrun.json"
	t.eq(visible.json '{"a\u{202E}":["\u{E0041}","\127",1]}', '{"a\\u202e":["\\udb40\\udc41","\\u007f",1]}')
	t.eq(json.encode({ ["\u{200B}"] = "x\u{9B}\n\255" }, { spell = true }), '{"\\u200b":"x\\u009b\\n\\\\xff"}')
	for _, text in ipairs { '{\n  "a": "\u{FEFF}\u{E0041}\\u202e é"\n}', '"山田　太郎"', "[1.50,null]\r\n" } do
		t.eq(json.canonical(visible.json(text)), json.canonical(text))
	end
end)

t.test("visible: a report keeps 16 KiB of a value", function()
	local kept = require "syncrun.model.values".kept
	t.eq({ kept(nil), kept "x", kept(("x"):rep(16384)) }, { nil, "x", ("x"):rep(16384) })
	t.eq(kept(("ö"):rep(10000)), ("ö"):rep(8191) .. "… (3618 more bytes)")
end)

t.test("visible: a spreadsheet takes no cell for a formula, and every row stays one", function()
	for text, cell in pairs {
		["=1+1"] = [["'=1+1"]], ["+49 30"] = [["'+49 30"]], ["-2"] = [["'-2"]], ["@SUM(A1)"] = [["'@SUM(A1)"]],
		["\t=1"] = [["'\x09=1"]], ["\r=1"] = [["'\x0d=1"]], ["\n=1"] = [["'\x0a=1"]], ["＝1"] = [["'＝1"]], ["＠x"] = [["'＠x"]],
		["a=1"] = [["a=1"]], [ [[say "x", y]] ] = [["say ""x"", y"]], ["a\nb;c"] = [["a\x0ab;c"]], [""] = [[""]],
		["\"=1"] = [["""=1"]],
	} do
		t.eq(visible.csv(text), cell)
	end
end)

t.test("visible: secrets are masked before they are spelled otherwise", function()
	log.secret "canary\u{200B}of\nvisible"
	for _, show in pairs(visible) do t.contains(show "a canary\u{200B}of\nvisible b", "a *** b") end
end)

-- .env files as shells, editors and other programs write them: read, or passed over.
local dotenv = require "syncrun.flow.dotenv"
local t = require "syncrun.test"

local function read(text)
	local path = os.tmpname()
	local out = assert(io.open(path, "wb"))
	out:write(text)
	out:close()
	local values, passed = dotenv.read(path)
	os.remove(path)
	return values, passed
end

t.test("dotenv: export, quotes, comments", function()
	t.eq(read("# a comment\nexport A=1\nB='two words' \nC=\"x\\ny\"\nD=plain # tail\n\nE=\n"
		.. "F='x'#tail\nG= # none\nH=#5\n"), {
		A = "1", B = "two words", C = "x\ny", D = "plain", E = "", F = "x", G = "", H = "#5",
	})
end)

t.test("dotenv: blanks around =, unquoted blanks, NAME: value, no final line end", function()
	t.eq(read "  A = one two \nB: three\nC:\tfour # tail\n\tD\t=\tx", { A = "one two", B = "three", C = "four", D = "x" })
end)

t.test("dotenv: a byte order mark and CRLF", function()
	t.eq(read "\xef\xbb\xbfA=1\r\nB='2'\r\nC=\"3\r\n4\"\r\nD=5", { A = "1", B = "2", C = "3\n4", D = "5" })
end)

t.test("dotenv: values over several lines are whole, whoever they are for", function()
	local values, passed = read([[
KEY="-----BEGIN KEY-----
SUPABASE_DB_URL=inside
-----END KEY-----"
MY-VAR='a
TWENTY_API_URL=inside'
my.name=`it's
"both"`
JSON='{
  "type": "service_account"
}' # tail
LAST=1
]])
	t.eq(values.KEY, "-----BEGIN KEY-----\nSUPABASE_DB_URL=inside\n-----END KEY-----")
	t.eq(values.JSON, '{\n  "type": "service_account"\n}')
	t.eq({ values.SUPABASE_DB_URL, values.TWENTY_API_URL, values["MY-VAR"], values.LAST }, { nil, nil, nil, "1" })
	t.eq(passed, {})
end)

t.test("dotenv: escapes and quotes inside quotes", function()
	t.eq(read [[A="say \"hi\" \\ \t\$x \d"
B='c:\new "x"'
C=it's
D=a"b"c
E="a" b
F=pass'#word
]], { A = 'say "hi" \\ \t$x \\d', B = 'c:\\new "x"', C = "it's", D = 'a"b"c', E = '"a" b', F = "pass'#word" })
end)

t.test("dotenv: a quote that never ends is a part of its line", function()
	t.eq(read "A=\"open\nB=2\nC='open\nD=4\n", { A = '"open', B = "2", C = "'open", D = "4" })
end)

t.test("dotenv: ${NAME} is what a line above says; in '…' and escaped it stays", function()
	t.eq(read [[PART=x1
A=${PART}/${NOT_THERE_}
B="${PART}"
C='${PART}'
D="\${PART}"
E=$PART
]], { PART = "x1", A = "x1/${NOT_THERE_}", B = "x1", C = "${PART}", D = "${PART}", E = "$PART" })
end)

t.test("dotenv: what is no assignment is passed over, and told by its first word", function()
	local values, passed = read "A=1\nwhat is this\n[section]\nexport B\nTWENTY_API_KEY abc\n%PATH%\nset C=3\n"
	t.eq(values, { A = "1" })
	t.eq(passed, { { line = 2, word = "what" }, { line = 4, word = "B" }, { line = 5, word = "TWENTY_API_KEY" },
		{ line = 7, word = "set" } })
end)

t.test("dotenv: no file and a folder are none; a file in another encoding is named", function()
	t.eq(dotenv.read "/nonexistent/.env", {})
	t.eq(dotenv.read "/tmp", {})
	t.contains(t.raises(read, "config", "\xff\xfeA\0=\0" .. "1\0").message, "is not UTF-8 text; save it as UTF-8")
end)

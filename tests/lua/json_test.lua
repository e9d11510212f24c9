-- JSON in Lua: nothing is lost on the way in and out, and what is not JSON is refused with its place.
local json = require "syncrun.json"
local t = require "syncrun.test"

t.test("scalars", function()
	t.eq(json.decode("true"), true)
	t.eq(json.decode(" false "), false)
	t.eq(json.decode('"x"'), "x")
	t.eq(json.decode("null"), json.null)
	t.ok(json.null, "null is truthy")
	t.eq(type(json.null), "userdata")
end)

t.test("integers at both ends of int64", function()
	for _, text in ipairs { "0", "1", "-1", "9223372036854775807", "-9223372036854775808", "9007199254740993" } do
		local v = json.decode(text)
		t.eq(math.type(v), "integer", text)
		t.eq(json.encode(v), text)
	end
	t.eq(json.decode("9223372036854775807"), math.maxinteger)
	t.eq(json.decode("-9223372036854775808"), math.mininteger)
end)

t.test("numbers beyond integers keep their decimal value", function()
	t.eq(json.decode("1e3"), 1000.0)
	t.eq(json.encode(json.decode("1e3")), "1000.0")
	t.eq(json.decode("1.10"), 1.1)
	t.eq(json.encode(json.decode("1.10")), "1.1")
	t.eq(json.decode("0.1"), 0.1)
	local zero = json.decode("-0")
	t.eq(math.type(zero), "float")
	t.eq(1 / zero, -math.huge)
	t.eq(json.encode(zero), "-0.0")
	t.eq(json.encode(1e300), "1e+300")
	t.eq(json.encode(1e15), "1000000000000000.0")
	t.eq(json.encode(0.1 + 0.2), "0.30000000000000004")
end)

t.test("numbers that no double holds stay as spelled", function()
	for _, text in ipairs {
		"9223372036854775808", "-9223372036854775809", "12345678901234567890", "1e400", "1e-400",
		"3.14159265358979323846", "99999999999999999999999999999.999999999", "1e999999999999999999999",
	} do
		local v = json.decode(text)
		t.eq(type(v), "userdata", text)
		t.eq(tostring(v), text)
		t.eq(json.encode { v }, "[" .. text .. "]")
		t.ok(v == json.decode(text))
		t.ok(v ~= json.decode("[12345678901234567891]")[1])
	end
	t.eq(json.encode(json.number "1.50"), "1.50")
	t.raises(function() json.number "1,5" end, "json")
	t.raises(function() json.number "" end, "json")
end)

t.test("strings", function()
	t.eq(json.decode [["a\u0000b"]], "a\0b")
	t.eq(json.encode "a\0b", [["a\u0000b"]])
	t.eq(json.decode [["\ud83d\ude00 \u00e9 \/ \" \\ \b\f\n\r\t"]], "😀 é / \" \\ \b\f\n\r\t")
	t.eq(json.encode "😀 é / \" \\ \b\f\n\r\t\1\31\127", '"😀 é / \\" \\\\ \\b\\f\\n\\r\\t\\u0001\\u001f\127"')
	t.eq(#json.decode('"' .. ("x"):rep(100000) .. '\\n"'), 100001)
	t.raises(function() json.encode "\xff" end, "not valid UTF-8")
	t.raises(function() json.encode "\xed\xa0\x80" end, "not valid UTF-8")
	t.raises(function() json.encode { a = { ["\xff"] = 1 } } end, "at 'a'")
end)

t.test("objects and arrays", function()
	local text = '{"":0,"a":[],"b":{},"c":[1,[2,null]],"d":{"e":{"f":true}}}'
	local v = json.decode(text)
	t.ok(json.is_array(v.a))
	t.ok(not json.is_array(v.b))
	t.ok(not json.is_array(1) and not json.is_array(nil) and not json.is_array("x"))
	t.eq(v.c[2], { 2, json.null })
	t.eq(v.d.e.f, true)
	t.eq(v[""], 0)
	t.eq(json.encode(v), text)
	t.eq(json.decode('{"a":1,"\\u0061":2}').a, 2)
	t.eq(json.encode {}, "{}")
	t.eq(json.encode(json.array {}), "[]")
	t.eq(json.encode(json.array()), "[]")
	t.eq(json.encode(json.object {}), "{}")
	t.eq(json.encode { 1, "a", { x = 1 } }, [=[[1,"a",{"x":1}]]=])
	t.eq(json.encode { a = json.raw " [1,  2] ", b = json.null }, '{"a": [1,  2] ,"b":null}')
	t.raises(function() json.raw "[1," end, "json")
end)

t.test("keys are sorted by bytes, the same every time", function()
	local names = { "b", "a", "B", "aa", "é", "~", "", "a\0", "\127", "A", "10", "9", "z" }
	local want = '{"":11,"10":11,"9":11,"A":11,"B":11,"a":11,"a\\u0000":11,"aa":11,"b":11,"z":11,"~":11,"\127":11,"é":11}'
	for shift = 1, #names do
		local v = {}
		for i = 1, #names do v[names[(i + shift) % #names + 1]] = 11 end
		t.eq(json.encode(v), want)
	end
end)

t.test("nested objects do not disturb the outer one's order", function()
	local v = {}
	for i = 1, 50 do
		v["k" .. i] = { b = { d = i, c = { i } }, a = json.array {} }
	end
	local text = json.encode(v)
	t.eq(json.decode(text), v)
	t.eq(json.encode(json.decode(text)), text)
end)

t.test("what cannot be written is named", function()
	t.raises(function() json.encode(print) end, "a value of type function")
	t.raises(function() json.encode { a = { b = { print } } } end, "at 'a.b[1]'")
	t.raises(function() json.encode(0 / 0) end, "NaN")
	t.raises(function() json.encode { x = math.huge } end, "an infinite number at 'x'")
	t.raises(function() json.encode { x = -math.huge } end, "infinite")
	t.raises(function() json.encode { 1, 2, x = 3 } end, "holes or names")
	t.raises(function() json.encode { [2] = 1 } end, "neither all strings nor 1 to n")
	t.raises(function() json.encode { [1.5] = 1 } end, "neither all strings nor 1 to n")
	t.raises(function() json.encode { a = 1, [true] = 1 } end, "neither all strings nor 1 to n")
	t.raises(function() json.encode(json.array { x = 1 }) end, "holes or names")
	t.raises(function() json.encode(json.object { 1 }) end, "neither all strings nor 1 to n")
	t.raises(function() json.encode() end)
	local circle = {}
	circle.next = circle
	t.raises(function() json.encode(circle) end, "in a circle")
	t.raises(function() json.array(setmetatable({}, { __index = {} })) end, "usage")
	t.ok(json.is_array(json.array(json.object {})))
end)

t.test("nesting up to 512", function()
	local text = ("["):rep(512) .. ("]"):rep(512)
	local v = json.decode(text)
	t.eq(json.encode(v), text)
	t.raises(function() json.encode { v } end, "deeper than 512")
	t.eq(t.raises(function() json.decode("[" .. text .. "]") end, "json").code, "depth")
	local deep = ('{"a":'):rep(511) .. "[1]" .. ("}"):rep(511)
	t.eq(json.encode(json.decode(deep)), deep)
	t.raises(function() json.decode(("["):rep(1000000)) end, "json")
end)

t.test("errors say where", function()
	local e = t.raises(function() json.decode "[1,\n  x]" end, "line 2, column 3")
	t.eq(e.kind, "json")
	t.eq(e.code, "syntax")
	t.eq(t.raises(function() json.decode "" end, "line 1, column 1").code, "truncated")
	t.eq(t.raises(function() json.decode '"\\ud800"' end, "json").code, "lone_surrogate")
	t.eq(t.raises(function() json.decode '["\xff"]' end, "column 3").code, "utf8")
	local bad = { "[1,]", "{,}", "01", "+1", "1.", "'a'", "nul", "[1] 2", "\xef\xbb\xbf1", "NaN", '{"a" 1}', '"\t"' }
	for _, text in ipairs(bad) do
		t.raises(function() json.decode(text) end, "json")
		t.eq(json.valid(text), false)
	end
end)

t.test("valid", function()
	t.eq(json.valid "[1, 2]", true)
	local ok, why = json.valid "[1, 2"
	t.eq(ok, false)
	t.contains(why, "line 1, column 6")
end)

t.test("canonical", function()
	local text, duplicates = json.canonical ' { "b" : 1.10, "a" : [1000, -0, 1E3], "\\u0061b":"\\u0041" } '
	t.eq(text, '{"a":[1e3,0,1e3],"ab":"A","b":11e-1}')
	t.eq(duplicates, false)
	text, duplicates = json.canonical '{"a":1,"a":2.0}'
	t.eq(text, '{"a":2}')
	t.eq(duplicates, true)
	t.eq((json.canonical(text)), text)
	t.raises(function() json.canonical "{" end, "json")
end)

t.test("bytes that are no UTF-8 are spelled when that is asked for", function()
	local odd = { ["k\xff"] = "a\xffé", list = { "\xc3" }, fine = "é\\" }
	t.raises(json.encode, "not valid UTF-8", odd)
	t.eq(json.encode(odd, { spell = true }), [[{"fine":"é\\","k\\xff":"a\\xffé","list":["\\xc3"]}]])
	t.eq(json.decode(json.encode(odd, { spell = true })).list[1], "\\xc3")
end)

t.test("lines of JSON in one go", function()
	t.eq(json.lines {}, "")
	t.eq(json.lines { { b = 1, a = json.raw "[ 2 ]" }, "x\ny", json.null, { { c = {} } } },
		'{"a":[ 2 ],"b":1}\n"x\\ny"\nnull\n[{"c":{}}]\n')
	t.eq(json.lines({ "\xff" }, { spell = true }), '"\\\\xff"\n')
	t.raises(function() json.lines { 1, { deep = { print } } } end, "json", "at '[2].deep[1]'")
	t.raises(function() json.lines "x" end, "usage", "json.lines: the list is a table, not")
	t.raises(function() json.lines({}, { pretty = true }) end, "usage", "unknown option 'pretty'")
end)

t.test("pretty", function()
	t.eq(json.encode({ b = { 1, 2 }, a = {}, c = json.array() }, { pretty = true }), [[{
  "a": {},
  "b": [
    1,
    2
  ],
  "c": []
}]])
end)

t.test("a large text survives a round trip under a small collector pause", function()
	local list = {}
	for i = 1, 5000 do list[i] = { id = i, name = "n\n" .. i, tags = json.array { "a", tostring(i) }, x = i / 7 } end
	collectgarbage("generational")
	local text = json.encode(list)
	local back = json.decode(text)
	collectgarbage("incremental")
	t.eq(back, list)
	t.eq(json.encode(back), text)
end)

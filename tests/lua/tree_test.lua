-- Trees over strings and files, and proofs that were not made by us. The algorithms themselves: tests/c/test_tree.c.
local t = require "syncrun.test"
local crypto = require "syncrun.crypto"
local file = require "syncrun.file"
local tree = require "syncrun.tree"

local function hex(s)
	return (s:gsub("%x%x", function(d) return string.char(tonumber(d, 16)) end))
end

local function leaf(i)
	return string.pack(">I4", i)
end

local function leaves(n)
	local list = {}
	for i = 1, n do list[i] = leaf(i - 1) end
	return table.concat(list)
end

local function with_file(bytes, f)
	local path = os.tmpname()
	file.replace(path, bytes)
	f(path)
	os.remove(path)
end

-- From the reference tests of Certificate Transparency: eight leaves of other lengths, so only their roots and proofs.
t.test("a published proof of consistency, and what is near it", function()
	local first = hex "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
	local eighth = hex "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
	local proof = hex("96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
		.. "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
		.. "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4")
	t.ok(tree.check_consistency(1, first, 8, eighth, proof))
	for _, wrong in ipairs {
		{ 2, first, 8, eighth, proof }, { 1, eighth, 8, eighth, proof }, { 1, first, 7, first, proof },
		{ 0, first, 8, eighth, proof }, { 8, first, 8, eighth, proof }, { 8, first, 1, eighth, proof },
		{ -1, first, 8, eighth, proof }, { 1, first, -8, eighth, proof }, { 1, first, 8, eighth, "" },
		{ 1, first, 8, eighth, proof .. first }, { 1, first, 8, eighth, proof:sub(1, -2) }, { 1, "", 8, eighth, proof },
		{ 1, first, 8, "short", proof }, { 1, first, 8, eighth, first .. proof },
	} do
		t.eq(tree.check_consistency(table.unpack(wrong)), false)
	end
	t.ok(tree.check_consistency(8, eighth, 8, eighth, ""))
	t.ok(tree.check_consistency(0, crypto.sha256("", "raw"), 8, eighth, ""))
end)

t.test("a published proof of inclusion", function()
	local root = hex "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
	local proof = hex("bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
		.. "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
		.. "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7")
	t.ok(tree.check_inclusion(hex "40414243", 5, 8, proof, root))
	t.ok(not tree.check_inclusion(hex "40414243", 4, 8, proof, root))
	t.ok(not tree.check_inclusion(hex "40414244", 5, 8, proof, root))
	t.ok(not tree.check_inclusion(hex "40414243", 5, 8, proof, "short"))
	t.ok(not tree.check_inclusion(hex "40414243", -5, 8, proof, root))
end)

t.test("a string and a file of the same leaves give the same", function()
	local bytes = leaves(1000)
	with_file(bytes, function(path)
		local a, b <close> = tree.of(bytes, 4), tree.open(path, 4)
		t.eq(#a, 1000)
		t.eq(#b, 1000)
		t.eq(a:at(999), b:at(999))
		t.eq(a:inclusion(777), b:inclusion(777))
		t.eq(a:consistency(300), b:consistency(300))
		t.eq(a:range(10, 20), b:range(10, 20))
		t.eq(tree.root(a), tree.root(b))
		t.ok(tree.check_inclusion(leaf(777), 777, 1000, b:inclusion(777), tree.root(b)))
		t.ok(tree.check_consistency(300, tree.root(a, 300), 1000, tree.root(a), b:consistency(300)))
		t.ok(tree.check_range(bytes:sub(41, 80), 4, 10, 1000, b:range(10, 20), tree.root(b)))
	end)
	t.eq(tree.root(tree.of("", 4)), crypto.sha256("", "raw"))
end)

t.test("find tells where bytes stand or would stand", function()
	local list = tree.of(leaves(100), 4)
	for i = 0, 99 do t.eq(list:find(leaf(i)), i) end
	t.eq(list:find(leaf(100)), 100)
	t.eq(list:find "\0\0\0", 0)
	t.eq(list:find "", 0)
	t.eq(list:find "\xff", 100)
	t.eq(tree.of("", 4):find "\0", 0)
	t.raises(list.find, "longer than a leaf", list, "12345")
end)

t.test("what is no leaf, no number and no file is refused", function()
	local list = tree.of(leaves(3), 4)
	t.raises(tree.of, "not a whole number of leaves", "123", 2)
	t.raises(tree.of, "a leaf has 1", "", 0)
	t.raises(list.at, "not between 0 and 2", list, 3)
	t.raises(list.at, "not between 0 and 2", list, -1)
	t.raises(list.inclusion, "not between", list, 3)
	t.raises(list.consistency, "not between 0 and 3", list, 4)
	t.raises(list.range, "the range is empty", list, 1, 1)
	t.raises(tree.root, "not between", list, 4)
	local none = tree.of("", 4)
	t.raises(none.inclusion, "there are no leaves", none, 0)
	with_file("12345", function(path)
		local e = t.raises(tree.open, "check", path, 4)
		t.eq(e.code, "damaged")
		local open <close> = tree.open(path, 5)
		open:close()
		t.raises(open.at, "the leaves are closed", open, 0)
	end)
	t.raises(tree.open, "cannot read the file", "/nonexistent", 4)
end)

t.test("a range of hostile sizes is no proof", function()
	local root = crypto.sha256("", "raw")
	for _, args in ipairs {
		{ "", 4, 0, 0 }, { "abcd", 4, 0, 0 }, { "abcd", 4, 1, 1 }, { "abcd", 0, 0, 1 }, { "abc", 4, 0, 1 },
		{ "abcd", 4, math.maxinteger, math.maxinteger }, { "abcd", 4, -1, 5 }, { "abcd", 4, 0, math.maxinteger },
		{ "abcd", -4, 0, 1 },
	} do
		t.eq(tree.check_range(args[1], args[2], args[3], args[4], "", root), false)
	end
end)

-- Files that keep every byte: replaced whole, extended from a given length.
local t = require "syncrun.test"
local file = require "syncrun.file"
local log = require "syncrun.log"

local function folder()
	local name = os.tmpname()
	os.remove(name)
	file.make_folder(name)
	return name
end

local function read(path)
	local f <close> = assert(io.open(path, "rb"))
	return f:read "a"
end

local function mode(path)
	local p <close> = assert(io.popen("stat -c %a '" .. path .. "'"))
	return p:read "l"
end

t.test("replace puts the very bytes, secrets too, and leaves nothing beside", function()
	local dir = folder()
	local path = dir .. "/proof"
	log.secret "topsecret-value"
	file.replace(path, "one topsecret-value\0\r\n")
	t.eq(read(path), "one topsecret-value\0\r\n")
	t.eq(mode(path), "600")
	file.replace(path, "")
	t.eq(read(path), "")
	t.eq(file.kind(path .. ".new"), nil)
	os.remove(path)
	os.remove(dir)
end)

t.test("a replace that fails leaves the old file", function()
	local dir = folder()
	local path = dir .. "/proof"
	file.replace(path, "old")
	file.make_folder(path .. ".new")
	t.raises(file.replace, "cannot write the file", path, "new")
	t.eq(read(path), "old")
	os.remove(path .. ".new")
	t.raises(file.replace, "cannot write", dir .. "/none/proof", "new")
	os.remove(path)
	os.remove(dir)
end)

t.test("extend drops what is behind the kept bytes", function()
	local dir = folder()
	local path = dir .. "/log"
	file.extend(path, 0, "one\n")
	t.eq(mode(path), "600")
	file.extend(path, 4, "two\ntorn")
	file.extend(path, 8, "three\n")
	t.eq(read(path), "one\ntwo\nthree\n")
	file.extend(path, 4, "")
	t.eq(read(path), "one\n")
	t.raises(file.extend, "not negative", path, -1, "")
	t.raises(file.extend, "cannot write", dir .. "/none/log", 0, "x")
	os.remove(path)
	os.remove(dir)
end)

-- The vectors of lua/README.md, held against this program: the page says what it does.
local json = require "syncrun.json"
local rows = require "syncrun.rows"
local t = require "syncrun.test"

local function vectors()
	local file <close> = assert(io.open("lua/README.md"))
	local block = file:read "a":match "\n```vectors\n(.-)\n```\n"
	local list = {}
	for line in block:gmatch "[^\n]+" do list[#list + 1] = json.decode(line) end
	return list
end

local function page_of(cells)
	local columns = {}
	for i, cell in ipairs(cells) do columns[i] = { cell[1], cell[2] } end
	local page = rows.new(rows.schema(columns))
	page:add {}
	for _, cell in ipairs(cells) do
		if cell[3] ~= json.null then page:set(1, cell[1], cell[3]) end
	end
	return page
end

local function hex(bytes)
	return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

t.test("every vector's canonical form is the program's", function()
	local n, types = 0, {}
	for _, vector in ipairs(vectors()) do
		if not vector.cells then
			local kind, text, canonical = vector[1], vector[2], vector[3]
			t.eq(rows.canon(page_of { { "x", kind, text } }, 1, "x"), canonical, kind .. " " .. text)
			n, types[kind] = n + 1, true
		end
	end
	t.ok(n >= 80, n .. " vectors")
	for _, kind in ipairs { "text", "int64", "decimal", "float64", "bool", "date", "time", "datetime", "timestamp", "json",
		"bytes" } do
		t.ok(types[kind], "no vector for " .. kind)
	end
end)

t.test("every vector's digest is the program's", function()
	local n = 0
	for _, vector in ipairs(vectors()) do
		if vector.cells then
			t.eq(hex(rows.digest(page_of(vector.cells), 1)), vector.digest)
			n = n + 1
		end
	end
	t.ok(n >= 2, n .. " digests")
end)

t.test("a canonical form is its own canonical form", function()
	for _, vector in ipairs(vectors()) do
		if not vector.cells then
			t.eq(rows.canon(page_of { { "x", vector[1], vector[3] } }, 1, "x"), vector[3])
		end
	end
end)

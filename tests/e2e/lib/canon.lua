-- Adds this program's canonical form to every [type, text] of standard input: a page of vectors as in lua/README.md.
local json = require "syncrun.json"
local rows = require "syncrun.rows"

print "\n```vectors"
for line in io.lines() do
	local kind, text = table.unpack(json.decode(line))
	local page = rows.new(rows.schema { { "x", kind } })
	page:add {}
	page:set(1, "x", text)
	print(json.encode(json.array { kind, text, rows.canon(page, 1, "x") }))
end
print "```"

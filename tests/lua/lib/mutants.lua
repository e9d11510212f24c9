-- Every way to put a value of another type somewhere into a JSON document: one document a mutant.
local json = require "syncrun.json"

local M = {}

local function replacements()
	return { json.null, true, 42, "x", json.array {}, json.object {}, json.array { 1 },
		json.object { a = json.object {} }, "18446744073709551616" }
end

-- The paths of all nodes, the document itself included.
local function paths_of(value, path, out)
	out[#out + 1] = path
	if type(value) ~= "table" then return out end
	for key, inner in pairs(value) do
		paths_of(inner, table.move(path, 1, #path, 1, { [#path + 1] = key }), out)
	end
	return out
end

local function with(value, path, at, new)
	if at > #path then return new end
	local copy = json.is_array(value) and json.array {} or json.object {}
	for k, v in pairs(value) do copy[k] = v end
	copy[path[at]] = with(value[path[at]], path, at + 1, new)
	return copy
end

--- An iterator over the mutants of a document given as JSON text: the mutant's text, and what was done to it.
---@param text string
---@return fun(): string?, string?
function M.of(text)
	local document = json.decode(text)
	local paths, news = paths_of(document, {}, {}), replacements()
	local p, n = 1, 0
	return function()
		n = n + 1
		if n > #news then p, n = p + 1, 1 end
		if not paths[p] then return nil end
		return json.encode(with(document, paths[p], 1, news[n])),
			("%s = %s"):format(table.concat(paths[p], "."), json.encode(news[n]))
	end
end

return M

--- What the role of the API key may not do, found by trying: no API tells a key of its role. A refusal names one field; which
--- others there are shows when it is left out. Sends nothing itself.
local err = require "syncrun.err"

local M = {}

-- In the words of Twenty's own settings.
local REMEDY = { read = "see", write = "edit" }

--- What is refused, of a refusal's words: the verb, and a field of person; neither where people as a whole are meant.
---@param message string
---@return "read"|"write"|nil, string?
function M.of_words(message)
	local verb, field = message:match 'no permission to (%a+) field "([^"]+)" on "person"'
	if not REMEDY[verb] then return nil end
	return verb, field
end

-- All fields that are refused like this one: `ask` is repeated without those known so far.
local function refused_fields(e, ask)
	local fields, known = {}, {}
	while e and e.denied and e.field and not known[e.field] do
		fields[#fields + 1], known[e.field] = e.field, true
		e = select(2, err.try(ask, known))
	end
	return fields
end

--- Name all that is refused with this error.
---@param name string of the server
---@param e syncrun.Error with e.denied
---@param verb "read"|"write" what was tried
---@param ask fun(without: table<string, true>) the same without some fields; raises as long as some are refused
---@return syncrun.Error e
function M.explain(name, e, verb, ask)
	local fields = refused_fields(e, ask)
	verb = e.verb or verb
	local what = #fields > 0 and "these fields of people" or "people"
	local seen = #fields > 0 and table.concat(fields, ", ") or e.words
	e.message = ("the role of the API key may not %s %s in '%s' (%s); in Twenty's Settings, Roles, let it %s records of "
		.. "People%s"):format(verb, what, name, seen, REMEDY[verb], #fields > 0 and " with these fields" or "")
	return e
end

return M

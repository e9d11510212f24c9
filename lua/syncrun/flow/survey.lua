--- A look at the source as a run would use it, for the doctor and the set-up: the credentials, the table, the columns and
--- the filter are tried; nothing is read, and nothing billed. Knows no system by name.
local M = {}

local function rows_of(described)
	return described.rows and ("%d rows"):format(described.rows) or "an unknown number of rows"
end

--- Look. Raises what stands in the way of a run; else what was found, in words.
---@param source syncrun.Source
---@param mapping syncrun.Mapping
---@return string
function M.source(source, mapping)
	local columns = mapping:source_columns()
	source:check(columns)
	local words = { ("'%s', %s"):format(source:title(), rows_of(source:describe())) }
	if source.estimate then source:estimate { columns = columns } end -- the statement is tried, its filter included
	if source.filter then words[#words + 1] = ("filtered by (%s)"):format(source.filter) end
	if source.who then words[#words + 1] = source:who() end
	return table.concat(words, ", ")
end

return M

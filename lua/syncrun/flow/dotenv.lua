--- Files of variables (.env), as shells and other tools write them.
local err = require "syncrun.err"

local M = {}

-- Where a "…" that begins the text ends; \" does not end it.
local function end_of_quoted(value)
	local at = 2
	while at <= #value do
		local c = value:sub(at, at)
		if c == '"' then return at end
		at = at + (c == "\\" and 2 or 1)
	end
end

local function is_over(rest)
	return rest:find "^%s*$" or rest:find "^%s+#"
end

local function unquote(value)
	local quoted, rest = value:match "^'([^']*)'(.*)$"
	if quoted and is_over(rest) then return quoted end
	local last = value:sub(1, 1) == '"' and end_of_quoted(value)
	if last and is_over(value:sub(last + 1)) then
		return (value:sub(2, last - 1):gsub("\\(.)", { n = "\n", ['"'] = '"', ["\\"] = "\\" }))
	end
	return (value:gsub("%s+#.*$", ""))
end

--- The variables of a file: NAME=value lines, `export` allowed, '…' and "…" quoted, # comments. Without it: none.
---@param path string
---@return table<string, string>
function M.read(path)
	local values, file = {}, io.open(path, "r")
	if not file then return values end
	local number = 0
	for line in file:lines() do
		number = number + 1
		local name, value = line:match "^%s*export%s+([%a_][%w_]*)%s*=%s*(.-)%s*$"
		if not name then name, value = line:match "^%s*([%a_][%w_]*)%s*=%s*(.-)%s*$" end
		if name then
			values[name] = unquote(value)
		elseif not line:match "^%s*$" and not line:match "^%s*#" then
			file:close()
			err.raisef("config", "'%s' line %d is not NAME=value", path, number)
		end
	end
	file:close()
	return values
end

return M

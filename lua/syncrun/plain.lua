--- Text from outside, made harmless for a terminal: control characters and direction overrides are spelled out.
---@param text string
---@return string
local function plain(text)
	text = text:gsub("[%z\1-\31\127]", function(c) return ("\\x%02x"):format(c:byte()) end)
	text = text:gsub("\194[\128-\159]", function(c) return ("\\u%04x"):format(utf8.codepoint(c)) end)
	return (text:gsub("\226\128[\170-\174]", function(c) return ("\\u%04x"):format(utf8.codepoint(c)) end)
		:gsub("\226\129[\166-\169]", function(c) return ("\\u%04x"):format(utf8.codepoint(c)) end))
end

return plain

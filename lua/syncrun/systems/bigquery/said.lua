--- What a server said, as a part of a message of ours: one line, harmless for a terminal, and not without end.
local visible = require "syncrun.visible"

local MAX = 600

---@param text string
---@param max integer? bytes that are kept (600)
---@return string
local function said(text, max)
	max = max or MAX
	local cut = #text > max
	if cut then text = text:sub(1, utf8.offset(text, 0, max + 1) - 1) end
	return visible.text((text:gsub("%s+", " "))) .. (cut and "…" or "")
end

return said

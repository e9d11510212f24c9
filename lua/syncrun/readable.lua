--- What a script or a server said, fit for a report: valid UTF-8, and not without end.
local MAX = 2000

---@param text string
---@return string
local function readable(text)
	if not utf8.len(text) then
		text = text:gsub("[\128-\255]", function(c) return ("\\x%02x"):format(c:byte()) end)
	end
	if #text <= MAX then return text end
	return text:sub(1, utf8.offset(text, 0, MAX) - 1) .. "…"
end

return readable

--- Text from outside, made harmless for a terminal and honest for a reader: control characters, direction overrides,
--- spaces that are not the plain one, and characters without a shape are spelled out (the wide space of East Asia is not:
--- it is seen, and stands in names).

-- Code points, from and to.
local HIDDEN = {
	{ 0x80, 0xA0 }, { 0xAD, 0xAD }, { 0x034F, 0x034F }, { 0x061C, 0x061C }, { 0x115F, 0x1160 }, { 0x1680, 0x1680 },
	{ 0x17B4, 0x17B5 }, { 0x180B, 0x180E }, { 0x2000, 0x200F }, { 0x2028, 0x202F }, { 0x205F, 0x206F }, { 0x3164, 0x3164 },
	{ 0xFE00, 0xFE0F }, { 0xFEFF, 0xFEFF }, { 0xFFA0, 0xFFA0 }, { 0xFFF0, 0xFFFB }, { 0xE0000, 0xE0FFF },
}

local function is_hidden(code)
	for _, range in ipairs(HIDDEN) do
		if code <= range[2] then return code >= range[1] end
	end
	return false
end

local function spelled(character)
	if not utf8.len(character) then return nil end
	local code = utf8.codepoint(character)
	return is_hidden(code) and (code < 0x10000 and "\\u%04x" or "\\u{%x}"):format(code) or nil
end

local function byte(c)
	return ("\\x%02x"):format(c:byte())
end

-- Bytes that are no UTF-8.
local function spell_odd_bytes(text)
	local parts, at = {}, 1
	local n, odd = utf8.len(text)
	while not n do
		parts[#parts + 1] = text:sub(at, odd - 1) .. byte(text:sub(odd, odd))
		at = odd + 1
		n, odd = utf8.len(text, at)
	end
	return table.concat(parts) .. text:sub(at)
end

---@param text string
---@return string
local function plain(text)
	text = text:gsub("[%z\1-\31\127]", byte)
	if not text:find "[\128-\255]" then return text end
	text = spell_odd_bytes(text)
	text = text:gsub("[\194-\223][\128-\191]", spelled):gsub("[\224-\239][\128-\191][\128-\191]", spelled)
	return (text:gsub("[\240-\244][\128-\191][\128-\191][\128-\191]", spelled))
end

return plain

-- What HTTP requests and answers are written in: query strings and lists of headers. Knows no client and no server.
local visible = require "syncrun.visible"

local M = {}

local function sorted_keys(t)
	local keys = {}
	for k in pairs(t) do keys[#keys + 1] = k end
	table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
	return keys
end

-- ---- query strings

--- Percent-encode everything but RFC 3986's unreserved characters.
---@param text string
---@return string
function M.escape(text)
	return (tostring(text):gsub("[^A-Za-z0-9%-._~]", function(ch) return ("%%%02X"):format(ch:byte()) end))
end

local function unescape(text)
	return (text:gsub("+", " "):gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

--- Encode arguments as `k=v&k2=v2`: a table by name (names sorted; a list as value repeats the name), or a list of
--- {name, value} pairs in their order.
---@param args table
---@return string
function M.encode_query(args)
	local parts = {}
	local function add(name, value)
		if type(value) == "table" then
			for _, v in ipairs(value) do add(name, v) end
		else
			parts[#parts + 1] = M.escape(name) .. "=" .. M.escape(value)
		end
	end
	if args[1] ~= nil then
		for _, pair in ipairs(args) do add(pair[1], pair[2]) end
	else
		for _, name in ipairs(sorted_keys(args)) do add(name, args[name]) end
	end
	return table.concat(parts, "&")
end

--- Decode `k=v&k2=v2`.
---@param text string
---@return table<string, string> args the last value of each name
---@return string[][] pairs all {name, value} in their order
function M.decode_query(text)
	local args, list = {}, {}
	for part in text:gmatch("[^&]+") do
		local name, value = part:match("^([^=]*)=?(.*)$")
		name, value = unescape(name), unescape(value)
		args[name] = value
		list[#list + 1] = { name, value }
	end
	return args, list
end

-- ---- headers

--- Put headers into a table by lower-case name: {name=, value=}, over what was there.
---@param merged table
---@param headers table?
---@param skip (fun(name: string): boolean)? lower-case names that are left out
function M.add_headers(merged, headers, skip)
	for name, value in pairs(headers or {}) do
		local key = tostring(name):lower()
		if not (skip and skip(key)) then merged[key] = { name = name, value = value } end
	end
end

--- Does a header of this lower-case name carry credentials?
---@param name string
---@return boolean
function M.is_credential(name)
	return name:find "authorization$" ~= nil or name == "cookie" or name:find "api%-?key$" ~= nil
		or name:find "token$" ~= nil or name:find "secret$" ~= nil
end

--- The headers as {name, value, name, value ...}, sorted; false leaves a header out, a list repeats it.
---@param merged table of add_headers
---@return string[]
function M.header_list(merged)
	local list = {}
	local function add(name, value)
		if type(value) == "table" then
			for _, v in ipairs(value) do add(name, v) end
		elseif value ~= false then
			list[#list + 1] = tostring(name)
			list[#list + 1] = type(value) == "string" and value or tostring(value)
		end
	end
	for _, key in ipairs(sorted_keys(merged)) do add(merged[key].name, merged[key].value) end
	return list
end

-- ---- pages in the place of answers

local WORDS_MAX = 60

-- A few words of a server, harmless: whatever is not printable text is left out.
local function words(text)
	text = text and text:gsub("%s+", " "):match "^ ?(.-) ?$":sub(1, WORDS_MAX)
	if not text or text == "" then return nil end
	return visible.text(utf8.len(text) and text or text:gsub("[\128-\255]", ""))
end

--- An answer that is a web page, in words; nil when it is none.
---@param headers table<string, string> lower-case names
---@param body string
---@return string?
function M.page(headers, body)
	local html = (headers["content-type"] or ""):lower():find "^%s*text/html" or body:find "^%s*<[!%a]"
	if not html then return nil end
	local title = words(body:match "<[Tt][Ii][Tt][Ll][Ee][^>]*>([^<]*)<")
	local server = words(headers.server)
	return "an HTML page" .. (title and (" titled '%s'"):format(title) or "") .. (server and " by " .. server or "")
end

return M

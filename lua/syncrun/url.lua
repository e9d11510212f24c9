--- HTTP addresses as people write them into settings: which parts are secret, and what may be shown.
local log = require "syncrun.log"

local M = {}

local SCHEME, AUTHORITY = "^(%a[%w+.-]*://)", "^%a[%w+.-]*://([^/?#]*)"

-- A password, a token in the query or in the fragment.
local function register(url)
	local authority = url:match(AUTHORITY) or ""
	local userinfo = authority:match "^(.*)@"
	if userinfo then log.secret(userinfo:match ":(.*)$" or userinfo) end
	for value in (url:match "[?#](.*)$" or ""):gmatch "=([^&#]+)" do log.secret(value) end
end

--- The address without user, password, query and fragment. What it leaves out is a secret from now on.
---@param url string
---@return string
function M.shown(url)
	register(url)
	local rest = url:gsub("[?#].*$", "")
	local scheme = rest:match(SCHEME) or ""
	local authority, path = rest:sub(#scheme + 1):match "^([^/]*)(.*)$"
	return scheme .. authority:gsub("^.*@", "") .. path
end

--- Does the address lead to this machine?
---@param url string
---@return boolean
function M.is_local(url)
	local authority = (url:match(AUTHORITY) or ""):gsub("^.*@", "")
	local host, port = authority:match "^(%[[%x:.]*%])(.*)$"
	if not host then host, port = authority:lower():match "^([^:]*)(.*)$" end
	if not port:find "^:?%d*$" then return false end
	return host == "localhost" or host == "[::1]" or host:find "^127%.%d+%.%d+%.%d+$" ~= nil
end

local function scheme_of(url)
	return (url:match(SCHEME) or ""):lower()
end

--- Can what is sent to the address be read on its way: is it plain http to another machine?
---@param url string
---@return boolean
function M.is_exposed(url)
	return scheme_of(url) == "http://" and not M.is_local(url)
end

--- Does what is sent to the address stay unread on its way: https, or http to this machine?
---@param url string
---@return boolean
function M.is_private(url)
	return scheme_of(url) == "https://" or (scheme_of(url) == "http://" and M.is_local(url))
end

return M

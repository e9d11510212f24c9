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

return M

--- What Twenty's answers tell that is no success: its four shapes of error (facts/twenty.md 2), and what stands in the place
--- of an answer. Knows no requests.
local err = require "syncrun.err"
local json = require "syncrun.json"
local rights = require "syncrun.systems.twenty.rights"
local visible = require "syncrun.visible"

local M = {}

local ERRORS_MAX = 256 * 1024 -- a longer answer holds people; its reader looks for errors

---@class syncrun.TwentyFailure
---@field status integer of HTTP
---@field message string
---@field code string?
---@field subcode string?
---@field user string? what it would tell a person
---@field page string? a web page, in words
---@field foreign boolean? the answer is no JSON
---@field named boolean? it has the form of Twenty's REST

-- Any part of an answer may be of any type: what is no table has no members.
local function table_of(value)
	return type(value) == "table" and value or {}
end

local function text_of(value)
	if type(value) == "table" then return text_of(value[1] or value.message) end
	return type(value) == "string" and value ~= "" and visible.excerpt(value) or nil
end

local function decode(body)
	local doc = err.try(json.decode, body)
	return doc
end

-- Failures of setting up fields name each field and reason deep inside.
local function metadata_words(errors)
	local words = {}
	for _, entry in ipairs(table_of(table_of(errors).fieldMetadata)) do
		for _, e in ipairs(table_of(table_of(entry).errors)) do words[#words + 1] = text_of(e) end
	end
	return #words > 0 and visible.excerpt(table.concat(words, "; ")) or nil
end

-- Whether the member "errors" of an answer tells one.
local function tells(errors)
	if errors == nil or errors == json.null then return false end
	return type(errors) ~= "table" or not json.is_array(errors) or errors[1] ~= nil
end

local function of_graphql(errors, status)
	local entry = table_of(json.is_array(errors) and errors[1] or errors)
	local ext = table_of(entry.extensions)
	return {
		status = status, message = text_of(entry.message) or "an error without a message", code = text_of(ext.code),
		subcode = text_of(ext.subCode), user = text_of(ext.userFriendlyMessage),
	}
end

local function phrase(res)
	return ("HTTP %d %s"):format(res.status, res.reason or "")
end

local function of_rest(doc, res)
	local message = doc.errors and metadata_words(doc.errors) or text_of(doc.messages) or text_of(doc.message)
	return { status = res.status, message = message or phrase(res), code = text_of(doc.error),
		subcode = text_of(doc.code), named = text_of(doc.messages) ~= nil }
end

-- An answer that is no JSON object: Twenty's own are a few texts; a web page is somebody else's.
local function of_text(doc, res)
	return { status = res.status, message = text_of(doc) or phrase(res), page = res:page(), foreign = doc == nil }
end

--- The failure that an answer tells, or nil.
---@param res syncrun.Response
---@return syncrun.TwentyFailure?
function M.of(res)
	local body = res.body or ""
	local good = res.status >= 200 and res.status < 300
	if good and not body:find "^%s*<" and (#body > ERRORS_MAX or not body:find('"errors"', 1, true)) then return nil end
	local doc = decode(body)
	if type(doc) ~= "table" then return of_text(doc, res) end
	if tells(doc.errors) and (good or json.is_array(doc.errors)) then return of_graphql(doc.errors, res.status) end
	return not good and of_rest(doc, res) or nil
end

--- The failure that the member `errors` of an answer tells, or nil.
---@param errors any as it was decoded
---@return syncrun.TwentyFailure?
function M.of_list(errors)
	return tells(errors) and of_graphql(errors, 200) or nil
end

-- The server's or its database's trouble, not the request's: the same may succeed, and may have happened already.
local TROUBLE = {
	"Query read timeout", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "EAI_AGAIN", "timeout exceeded",
	"Connection terminated", "connection is closed", "socket hang up", "deadlock detected",
}
local REFUSED_CONTENT = { ["Data validation error."] = true, ["request entity too large"] = true }

local function is_trouble(f)
	for _, words in ipairs(TROUBLE) do
		if f.message:find(words, 1, true) then return true end
	end
	return f.status == 408 or (f.status >= 500 and not REFUSED_CONTENT[f.message])
end

local AUTH = { UNAUTHENTICATED = true, FORBIDDEN = true, FORBIDDEN_EXCEPTION = true, PERMISSION_DENIED = true }

local function is_auth(f)
	return f.status == 401 or f.status == 403 or AUTH[f.code] or AUTH[f.subcode] or
		f.message:find('on type "Query".', 1, true) ~= nil
end

local function is_limit(f)
	return f.status == 429 or f.subcode == "LIMIT_REACHED" or f.message:find "^Limit reached %(" ~= nil
end

-- The server's words, with what it would tell a person where that says more (which field is in use).
local function words_of(f)
	local user = f.user
	if not user or user == f.message or user == "An error occurred." or user:find "^Invalid value:" then
		return f.message
	end
	return visible.excerpt(("%s (%s)"):format(f.message, user))
end

-- ---- what it means

-- A server that does not know the key, or a role that may not do this.
local function refused(name, f)
	local bad = f.status == 401 or f.code == "UNAUTHENTICATED" or f.subcode == "UNAUTHENTICATED"
	if f.subcode == "PERMISSION_DENIED" or f.code == "PERMISSION_DENIED" then
		local verb, field = rights.of_words(f.message)
		return err.new { kind = "http", code = "PERMISSION_DENIED", exit = 3, denied = true, verb = verb, field = field,
			words = f.message,
			message = ("'%s' does not let this API key do it (%s); give its role the right"):format(name, f.message) }
	end
	local advice = bad and "check TWENTY_API_KEY" or "check TWENTY_API_KEY and the role of the key"
	return err.new { kind = "http", code = bad and "401" or "403", exit = 3,
		message = ("'%s' refused the API key (%s); %s"):format(name, f.message, advice) }
end

local function limited(_, f)
	return err.new { kind = "http", code = "LIMIT_REACHED", message = f.message, limited = true, retryable = true }
end

local function trouble(name, f)
	local message = f.page and ("%s, %s"):format(f.message, f.page) or f.message
	return err.new { kind = "http", code = tostring(f.status), message = ("'%s' is in trouble (%s)"):format(name, message),
		unknown = true, retryable = true, exit = 3, slow = f.message == "Query read timeout" }
end

-- Twenty's refusals are JSON, and never of these statuses where its address is right: this one is somebody else's, who
-- answers for Twenty, or another server. Nothing is said about what was sent.
local function stranger(name, f)
	return err.new { kind = "http", code = "page", exit = 3, unknown = f.status < 300 or nil,
		message = ("somebody else answers for '%s' (HTTP %d, %s): a proxy, firewall or login page, or another server; check "
			.. "TWENTY_API_URL, http_proxy and https_proxy"):format(name, f.status, f.page or "no JSON") }
end

-- The request is more than the server, or a proxy before it, takes at once.
local function too_large(name, f)
	return err.new { kind = "http", code = "413", reject = true, split = true,
		message = ("'%s' takes no request of this size (%s)"):format(name, f.message) }
end

-- What a create is told when a unique value of it is there already.
local EXISTS = { ["A duplicate entry was detected"] = true }

local function content(_, f)
	return err.new { kind = "http", code = f.subcode or f.code or tostring(f.status), status = f.status,
		message = words_of(f), reject = true, exists = EXISTS[f.message] }
end

local JUDGED = { [400] = true, [401] = true, [403] = true, [422] = true }

local function is_strange(f)
	if f.status >= 500 then return false end
	return f.foreign or not (f.status < 300 or JUDGED[f.status] or (f.status == 404 and f.named))
end

-- In this order: the first that applies.
local MEANINGS = {
	{ function(f) return f.status == 413 or f.message == "request entity too large" end, too_large },
	{ is_limit, limited }, { is_trouble, trouble }, { is_strange, stranger }, { is_auth, refused },
}

--- The error that a failure is. It says what it means for a write: reject (the content was refused), unknown (it may have
--- happened all the same), denied (the key's role may not), exit (the system is lost).
---@param name string of the server, for messages
---@param f syncrun.TwentyFailure
---@return syncrun.Error
function M.new(name, f)
	for _, meaning in ipairs(MEANINGS) do
		if meaning[1](f) then return meaning[2](name, f) end
	end
	return content(name, f)
end

return M

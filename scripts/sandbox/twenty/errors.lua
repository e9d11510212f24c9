-- The errors a Twenty request may end in, with what REST and what GraphQL make of each. Knows no transport.
local js = require "sandbox.twenty.jsvalue"

local M = {}

local ApiError = { __tostring = function(e) return e.message end }

--- Raises an API error. `status`, `error`, `code` are REST's; `gql` = {code, subCode, user, extra} is GraphQL's.
---@param e table
function M.raise(e) error(setmetatable(e, ApiError), 0) end

---@param e any
---@return boolean
function M.is(e) return getmetatable(e) == ApiError end

local standard = "An error occurred."

--- 400 BadRequestException; GraphQL BAD_USER_INPUT with a subCode.
---@param message string
---@param sub_code string?
---@param user string?
function M.bad(message, sub_code, user)
	M.raise { status = 400, error = "BadRequestException", message = message,
		gql = { code = "BAD_USER_INPUT", subCode = sub_code, user = user or standard } }
end

--- 400 for a value that does not fit its field.
---@param message string
---@param user string?
function M.data(message, user) M.bad(message, "INVALID_ARGS_DATA", user) end

--- 400 "Error" with a code, which is GraphQL's subCode.
---@param message string
---@param code string
---@param user string?
function M.coded(message, code, user)
	M.raise { status = 400, error = "Error", message = message, code = code,
		gql = { code = "BAD_USER_INPUT", subCode = code, user = user or message } }
end

--- 400 TypeError: what JavaScript says when the body has an unexpected shape.
---@param message string
function M.type_error(message)
	M.raise { status = 400, error = "TypeError", message = message, gql = { code = "INTERNAL_SERVER_ERROR" } }
end

--- The role of the API key may not do it.
---@param message string
function M.denied(message)
	M.raise { status = 400, error = "Error", message = message, code = "PERMISSION_DENIED",
		gql = { code = "FORBIDDEN", subCode = "PERMISSION_DENIED", user = "User does not have permission." } }
end

function M.not_found()
	M.raise { status = 404, error = "NotFoundException", message = "Record not found",
		gql = { code = "NOT_FOUND", subCode = "RECORD_NOT_FOUND",
			user = "This record does not exist or has been deleted." } }
end

--- 500 for what Postgres could not store.
function M.unstorable()
	M.raise { status = 500, error = "InternalServerErrorException", message = "Data validation error.",
		gql = { code = "INTERNAL_SERVER_ERROR" } }
end

--- There is a row of this id.
function M.duplicate_id()
	M.raise { status = 400, error = "BadRequestException", message = "A duplicate entry was detected",
		gql = { code = "BAD_USER_INPUT", user = "This record already exists. Please check your data and try again." } }
end

--- A unique index refused the row.
---@param label string the field's label
---@param record_id string?
---@param object_name string
function M.duplicate(label, record_id, object_name)
	M.raise { status = 400, error = "BadRequestException", message = "A duplicate entry was detected",
		gql = { code = "BAD_USER_INPUT",
			user = "This " .. label .. " value is already in use. Please check your data and try again.",
			extra = { { "conflictingRecordId", record_id }, { "conflictingObjectNameSingular", object_name } } } }
end

--- The same, as the release of June 2025 put it.
---@param column string
---@param label string
function M.v1_duplicate(column, label)
	M.raise { status = 400, error = "BadRequestException",
		message = 'duplicate key value violates unique constraint "IDX_UNIQUE_' .. column .. '"',
		gql = { code = "BAD_USER_INPUT", message = "Duplicate " .. label .. ". Please set a unique one." } }
end

function M.too_many_updates()
	M.raise { status = 400, error = "Error", message = "Cannot update more than 200 records at once",
		code = "TOO_MANY_RECORDS_TO_UPDATE",
		gql = { code = "BAD_USER_INPUT", user = "You can only update up to 200 records at once." } }
end

--- 429, or GraphQL's LIMIT_REACHED.
---@param tokens integer
---@param window_ms integer
function M.limited(tokens, window_ms)
	M.raise { status = 429, error = "HttpException", limited = true,
		message = string.format("Limit reached (%d tokens per %d ms)", tokens, window_ms),
		gql = { code = "BAD_USER_INPUT", subCode = "LIMIT_REACHED",
			user = "Rate limit reached. Please try again later." } }
end

--- The body REST sends for an API error.
---@param e table
---@return string
function M.rest_body(e)
	local o = js.from_pairs { { "statusCode", e.status }, { "error", e.error }, { "messages", js.array { e.message } } }
	if e.code then js.set(o, "code", e.code) end
	return js.encode(o)
end

--- The entry GraphQL puts into `errors`.
---@param e table
---@return table
function M.graphql_entry(e)
	local g, ext = e.gql or { code = "INTERNAL_SERVER_ERROR" }, js.object()
	if g.subCode then js.set(ext, "subCode", g.subCode) end
	if g.user then js.set(ext, "userFriendlyMessage", g.user) end
	for _, pair in ipairs(g.extra or {}) do
		if pair[2] then js.set(ext, pair[1], pair[2]) end
	end
	js.set(ext, "code", g.code)
	return js.from_pairs { { "message", g.message or e.message }, { "extensions", ext } }
end

return M

-- Google's error shape: an error value that carries a reason, and the HTTP answer made of it.
-- It knows the reasons and their statuses (facts/bigquery.md 5), nothing of requests or SQL.

local M = {}

local Error = {}
Error.__index = Error
Error.__tostring = function(e)
	return e.message
end

local STATUS = {
	invalid = { 400, "INVALID_ARGUMENT" },
	invalidQuery = { 400, "INVALID_ARGUMENT" },
	bytesBilledLimitExceeded = { 400, "INVALID_ARGUMENT" },
	resourcesExceeded = { 400, "INVALID_ARGUMENT" },
	required = { 400, "INVALID_ARGUMENT" },
	parseError = { 400, "INVALID_ARGUMENT" },
	notFound = { 404, "NOT_FOUND" },
	duplicate = { 409, "ALREADY_EXISTS" },
	notImplemented = { 501, "UNIMPLEMENTED" },
	internalError = { 500, "INTERNAL" },
	backendError = { 503, "UNAVAILABLE" },
	rateLimitExceeded = { 403, "PERMISSION_DENIED" },
	quotaExceeded = { 403, "PERMISSION_DENIED" },
	accessDenied = { 403, "PERMISSION_DENIED" },
	jobRateLimitExceeded = { 400, "INVALID_ARGUMENT" },
	jobBackendError = { 400, "INVALID_ARGUMENT" },
	authError = { 401, "UNAUTHENTICATED" },
}

---An error value with Google's reason.
---@param reason string
---@param message string
---@param location string|nil the part of the request that is wrong, such as "q"
---@return table
function M.new(reason, message, location)
	if reason == "invalidQuery" then
		location = location or "q"
	end
	return setmetatable({ reason = reason, message = message, location = location }, Error)
end

---Raise an error value; `message` is a format when more arguments follow.
---@param reason string
---@param message string
---@param ... any
function M.raise(reason, message, ...)
	if select("#", ...) > 0 then
		message = message:format(...)
	end
	error(M.new(reason, message), 0)
end

---Whether a value is an error value of this module.
---@param v any
---@return boolean
function M.is(v)
	return getmetatable(v) == Error
end

---The entry of errors[] and of errorResult.
---@param e table
---@return table
function M.proto(e)
	return { reason = e.reason, location = e.location, message = e.message }
end

---Build an error value again from its stored entry.
---@param p table
---@return table
function M.from_proto(p)
	return M.new(p.reason, p.message, p.location)
end

---The HTTP answer for an error value.
---@param e table
---@return table response {status=, json=}
function M.answer(e)
	local s = STATUS[e.reason] or STATUS.invalid
	local item = {
		message = e.message,
		domain = "global",
		reason = e.reason,
		location = e.location,
		locationType = e.location and "parameter" or nil,
	}
	return {
		status = s[1],
		json = { error = { code = s[1], message = e.message, errors = { item }, status = s[2] } },
	}
end

return M

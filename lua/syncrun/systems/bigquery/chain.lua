-- Following page tokens to the page without one, as a walk that comes to an end whatever the server says. An empty page
-- with a token is legal there (facts: no minimum size of a page), a row of them is not an answer.
local errors = require "syncrun.systems.bigquery.errors"

local M = {}

--- Answers without a row, one after the other, when there should be some.
M.EMPTY_MAX = 3

---@class syncrun.BigQueryChain
---@field token string? of the next page; nil: the first
---@field done boolean
local Chain = {}
Chain.__index = Chain

--- A walk that has not begun.
---@return syncrun.BigQueryChain
function M.new()
	return setmetatable({ seen = {}, empty = 0, done = false }, Chain)
end

--- Go on behind a page: `token` leads to the next. Raises when that would lead nowhere: a token that was there before,
--- several pages without a row.
---@param n integer rows of the page
---@param token any of the answer
---@return boolean more
function Chain:advance(n, token)
	if token == "" then token = nil end
	if token and type(token) ~= "string" then errors.raise_shape("BigQuery's page token is no text; is the URL right?") end
	self.empty = n == 0 and self.empty + 1 or 0
	if token and self.seen[token] then errors.raise_shape("BigQuery repeats a page token; run again") end
	if token and self.empty == M.EMPTY_MAX then
		errors.raise_shape("BigQuery sent %d pages without a row and speaks of more; run again", M.EMPTY_MAX)
	end
	if token then self.seen[token] = true end
	self.token, self.done = token, not token
	return not self.done
end

return M

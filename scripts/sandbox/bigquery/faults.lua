-- Faults on demand: what the sandbox's BigQuery is told by POST /_sandbox/faults to answer in the place of the truth, so
-- that programs can be tried against a service that misbehaves. It knows requests by method and path only.
--
--   {"page_bytes": 100000,          the limit of a page from now on (absent: as it is)
--    "faults": [{                   replaces the former list
--      "method": "GET", "path": "/queries/",     of which requests (a part of the path); absent: of all
--      "after": 2, "times": 3,                   not of the first two, then of three (default 0 and 1; -1: for ever)
--      "status": 503, "reason": "backendError", "message": "…"     Google's error, or
--      "status": 502, "body": "<html>…", "headers": {…}            any answer, or
--      "drop": true        no answer: the connection ends
--      "truncate": 1000    the answer ends after so many bytes
--      "rows": 20          a lie that agrees with itself: a result of so many rows, whatever there is
--      "numRows": "3"      the same lie about a table
--      "incomplete": true  the job is not done yet: jobComplete false
--      "delay": 1.5        the answer comes so many seconds later (together with any of the above)
--    }]}

local err = require "syncrun.err"
local errors = require "sandbox.bigquery.errors"
local json = require "syncrun.json"
local task = require "syncrun.task"

local M = {}

local Faults = {}
Faults.__index = Faults

---No faults yet.
---@return table
function M.new()
	return setmetatable({ list = {} }, Faults)
end

local function refuse(message)
	return { status = 400, json = { error = message } }
end

-- A fault as it was sent, with its counters.
local function accept(f)
	if type(f) ~= "table" then
		return nil
	end
	f.left, f.skip = math.tointeger(f.times) or 1, math.tointeger(f.after) or 0
	return f
end

---Answer GET, POST and DELETE of /_sandbox/faults.
---@param req table
---@param service table its query_page and results_page are set by page_bytes
---@return table response
function Faults:control(req, service)
	if req.method == "DELETE" then
		self.list = {}
	elseif req.method == "POST" then
		local body = err.try(json.decode, req.body or "")
		if type(body) ~= "table" then
			return refuse "a JSON object is expected"
		end
		local list = {}
		for i, f in ipairs(body.faults or {}) do
			list[i] = accept(f) or false
			if not list[i] then
				return refuse "'faults' is a list of objects"
			end
		end
		self.list = list
		local bytes = math.tointeger(body.page_bytes)
		if bytes then
			service.query_page, service.results_page = bytes, bytes
		end
	end
	return { status = 200, json = { faults = json.array(self.list) } }
end

local function matches(f, req)
	return (not f.method or f.method == req.method) and (not f.path or req.path:find(f.path, 1, true) ~= nil)
end

---The fault that this request meets, if any; it is counted.
---@param req table
---@return table|nil
function Faults:take(req)
	for _, f in ipairs(self.list) do
		if f.left ~= 0 and matches(f, req) then
			if f.skip > 0 then
				f.skip = f.skip - 1
			else
				f.left = f.left - 1
				return f
			end
		end
	end
end

---The answer that a fault gives without looking at the request, if it does.
---@param f table
---@return table|nil response
function M.answer(f)
	if f.delay then
		task.sleep(f.delay)
	end
	if f.drop then
		return { drop = true }
	elseif f.reason then
		local answer = errors.answer(errors.new(f.reason, f.message or f.reason))
		answer.status = f.status or answer.status
		answer.json.error.code = answer.status
		answer.headers = f.headers
		return answer
	elseif f.status or f.body then
		return { status = f.status or 200, body = f.body or "", headers = f.headers }
	end
end

local function unfinished(answer)
	return {
		kind = answer.kind,
		jobComplete = false,
		queryId = answer.queryId,
		jobReference = answer.jobReference,
	}
end

-- The first rows of an answer as if they were all.
local function shortened(answer, n)
	local short = json.decode(json.encode(answer)) -- its rows are text until then
	short.rows = n > 0 and json.array(table.move(short.rows or {}, 1, n, 1, {})) or nil
	short.totalRows, short.pageToken = tostring(n), nil
	return short
end

---What a fault leaves of the true answer.
---@param f table
---@param response table
---@return table response
function M.spoil(f, response)
	if f.incomplete and response.status == 200 then
		return { status = 200, json = unfinished(response.json) }
	elseif f.numRows and response.status == 200 then
		local answer = json.decode(json.encode(response.json))
		answer.numRows = f.numRows
		return { status = 200, json = answer }
	elseif f.rows and response.status == 200 then
		return { status = 200, json = shortened(response.json, f.rows) }
	elseif f.truncate then
		local text = json.encode(response.json)
		return {
			status = response.status,
			body = function(write)
				write(text:sub(1, f.truncate))
				err.raise { kind = "http", code = "gone", message = "the answer is cut, as was asked for" }
			end,
		}
	end
	return response
end

return M

-- tabledata.insertAll: rows of JSON into a table, with the service's per-row errors and its short-lived deduplication
-- by insertId.

local json = require "syncrun.json"
local time = require "syncrun.time"
local types = require "sandbox.bigquery.types"

local M = {}

local REMEMBERED_SECONDS = 60

local function problem(location, message, reason)
	return { reason = reason or "invalid", location = location, debugInfo = "", message = message }
end

local function true_of(v)
	return v == true
end

-- The stored cells of one row, or a problem.
local function cells(t, row, ignore_unknown)
	local object = row.json
	if type(object) ~= "table" or object == json.null then
		return nil, problem("", "Missing row content")
	end
	local out = {}
	for name, value in pairs(object) do
		local i = t.by_name[tostring(name):lower()]
		if i then
			local stored, why = types.from_json(t.schema[i], value, json)
			if why then
				return nil, problem(name, why)
			end
			out[i] = stored
		elseif not ignore_unknown then
			return nil, problem(tostring(name), "no such field: " .. tostring(name) .. ".")
		end
	end
	for i, f in ipairs(t.schema) do
		if f.mode == "REQUIRED" and out[i] == nil then
			return nil, problem("", "Missing required field: " .. f.name .. ".")
		end
	end
	return out
end

-- Forget insertIds of more than a minute ago; say whether this one is known.
local function seen(recent, id)
	local now = time.mono()
	if type(id) ~= "string" then
		return false
	elseif recent[id] and now - recent[id] < REMEMBERED_SECONDS then
		return true
	end
	recent[id] = now
	return false
end

local function forget_old(recent)
	local now = time.mono()
	for id, at in pairs(recent) do
		if now - at >= REMEMBERED_SECONDS then
			recent[id] = nil
		end
	end
end

local function sift(t, body)
	local good, failed = {}, {}
	for i, row in ipairs(body.rows) do
		local stored, why = cells(t, row, true_of(body.ignoreUnknownValues))
		if stored then
			good[#good + 1] = { index = i - 1, cells = stored, id = row.insertId }
		else
			failed[#failed + 1] = { index = i - 1, errors = json.array { why } }
		end
	end
	if #failed > 0 and not true_of(body.skipInvalidRows) then
		for _, g in ipairs(good) do
			failed[#failed + 1] = { index = g.index, errors = json.array { problem("", "", "stopped") } }
		end
		good = {}
		table.sort(failed, function(a, b)
			return a.index < b.index
		end)
	end
	return good, failed
end

---Insert the rows of a request.
---@param tables table the catalog
---@param t table
---@param body table the request
---@param recent table insertIds to their times, kept by the caller per table
---@return integer inserted
---@return table answer
function M.all(tables, t, body, recent)
	local good, failed = sift(t, body)
	local text = ("INSERT INTO %s VALUES (?%s)"):format(t.storage, (",?"):rep(#t.schema - 1))
	forget_old(recent)
	local inserted = #good == 0 and 0 or tables:write(t, function()
		local n = 0
		for _, g in ipairs(good) do
			if not seen(recent, g.id) then
				tables.db:run(text, table.unpack(g.cells, 1, #t.schema))
				n = n + 1
			end
		end
		return n
	end)
	local answer = { kind = "bigquery#tableDataInsertAllResponse" }
	answer.insertErrors = #failed > 0 and json.array(failed) or nil
	return inserted, answer
end

return M

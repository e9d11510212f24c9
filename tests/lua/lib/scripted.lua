-- A scripted server and what tests of Google's services need: answers in BigQuery's shapes, a folder of one's own, a
-- throw-away key. It judges nothing.
local bigquery = require "syncrun.systems.bigquery"
local http = require "syncrun.http"
local json = require "syncrun.json"

local M = {}

--- Retries without waiting.
M.QUICK = { base = 0.001, cap = 0.002 }

--- Serve a list of answers in turn, each a table or a function of the request (`always` answers beyond the list). All
--- requests are kept in `seen`; close it by <close>.
function M.serve(script)
	local seen = {}
	local server = http.serve { handler = function(req)
		seen[#seen + 1] = req
		if req.body and req.body:find "^{" then req.json = json.decode(req.body) end
		local answer = script[#seen] or script.always
		if type(answer) == "function" then answer = answer(req) end
		return answer or { status = 501, body = "the script has ended" }
	end }
	return setmetatable({ url = server.url, port = server.port, seen = seen }, { __close = function() server:stop() end })
end

--- The source, pointed at a scripted server.
function M.emulated(server, more)
	local config = { emulator = "127.0.0.1:" .. server.port, project = "demo", retry = M.QUICK }
	for k, v in pairs(more or {}) do config[k] = v end
	return bigquery.open(config)
end

M.FIELDS = {
	{ name = "contact_id", type = "STRING", mode = "NULLABLE" },
	{ name = "updated_at", type = "TIMESTAMP", mode = "NULLABLE" },
}
M.COLUMNS = { "contact_id", "updated_at" }

--- Rows of FIELDS; nil when there are none, as in the service's answers.
function M.rows_of(ids)
	if #ids == 0 then return nil end
	local list = {}
	for i, id in ipairs(ids) do list[i] = { f = { { v = id }, { v = "1767323045123456" } } } end
	return list
end

--- A page: ids, totalRows, token; more overrides (false leaves a key out).
function M.page(ids, total, token, more)
	local body = {
		kind = "bigquery#queryResponse", schema = { fields = M.FIELDS }, jobComplete = true, totalRows = tostring(total),
		jobReference = { projectId = "demo", jobId = "job_1", location = "US" }, rows = M.rows_of(ids), pageToken = token,
		totalBytesProcessed = "1234", totalBytesBilled = "10485760", cacheHit = false,
	}
	for k, v in pairs(more or {}) do body[k] = v or nil end
	return { json = body }
end

--- jobs.query of a job that is not done.
M.INCOMPLETE = { json = {
	kind = "bigquery#queryResponse", jobComplete = false, queryId = "q",
	jobReference = { projectId = "demo", jobId = "job_1", location = "europe-west3" },
} }

--- A refusal in Google's shape.
function M.failure(status, reason, message, more)
	local answer = { status = status, json = { error = {
		code = status, message = message or reason, status = "X",
		errors = { { domain = "global", reason = reason, message = message or reason } },
	} } }
	for k, v in pairs(more or {}) do answer[k] = v end
	return answer
end

--- All ids that a scan gives.
function M.ids_of(source, o)
	local ids = {}
	o = o or {}
	o.columns = o.columns or M.COLUMNS
	for rows in source:scan(o) do
		for i = 1, #rows do ids[#ids + 1] = rows[i].contact_id end
	end
	return ids
end

--- A folder of its own, gone at the end of the block.
function M.folder()
	local pipe = assert(io.popen("mktemp -d"))
	local path = pipe:read "l"
	pipe:close()
	return setmetatable({ path = path }, {
		__close = function() os.execute("rm -rf '" .. path .. "'") end,
		__index = { write = function(self, name, text)
			local file = assert(io.open(self.path .. "/" .. name, "wb"))
			file:write(text)
			file:close()
			return self.path .. "/" .. name
		end },
	})
end

local pem

--- A key that nobody uses, made once.
function M.private_key()
	if not pem then
		local pipe = assert(io.popen("openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 2>/dev/null"))
		pem = pipe:read "a"
		pipe:close()
	end
	return pem
end

--- A service account's key file.
function M.service_account(more)
	local file = {
		type = "service_account", project_id = "keyproject", private_key_id = "kid123", private_key = M.private_key(),
		client_email = "sync@demo.iam.gserviceaccount.com", universe_domain = "googleapis.com",
	}
	for k, v in pairs(more or {}) do file[k] = v or nil end
	return json.encode(file)
end

--- An answer of the token endpoint.
function M.token(name, seconds)
	return { json = { access_token = name, expires_in = seconds or 3599, token_type = "Bearer" } }
end

return M

-- The sandbox's BigQuery: REST v2 over loopback on a SQLite file, in the shapes of facts/bigquery.md. Routes, paging
-- and tokens are here; SQL, jobs, tables and the loading of contacts have their own files. Jobs are done at once.

local answers = require "sandbox.bigquery.answers"
local crypto = require "syncrun.crypto"
local err = require "syncrun.err"
local errors = require "sandbox.bigquery.errors"
local faults = require "sandbox.bigquery.faults"
local http = require "syncrun.http"
local insert = require "sandbox.bigquery.insert"
local jobs = require "sandbox.bigquery.jobs"
local json = require "syncrun.json"
local load = require "sandbox.bigquery.load"
local pages = require "sandbox.bigquery.pages"
local sqlite = require "syncrun.sqlite"
local tables = require "sandbox.bigquery.tables"
local time = require "syncrun.time"
local types = require "sandbox.bigquery.types"

local M = {}

-- Largest text of a page's rows; the service counts its internal sizes, which are smaller than the JSON text.
local QUERY_PAGE, RESULTS_PAGE = 10000000, 20000000

local Service = {}
Service.__index = Service

-- Requests ---------------------------------------------------------------------------------------

local function integer(v, name)
	if v == nil or v == json.null then
		return nil
	end
	local n = math.tointeger(tonumber(v))
	if not n or n < 0 then
		errors.raise("invalid", "Invalid value for %s: %s is not a valid value", name, tostring(v))
	end
	return n
end

local function given(v)
	if v ~= json.null and v ~= "" then
		return v
	end
end

-- Whether timestamps are asked for in microseconds, from a body's formatOptions or the query string.
local function int64_timestamps(flag, format)
	if format and format ~= "INT64" and format ~= "FLOAT64" then
		errors.raise("invalid", "Unsupported by the sandbox: timestampOutputFormat %s", tostring(format))
	end
	return flag == true or flag == "true" or format == "INT64"
end

local function body_of(req)
	if not req.body or req.body == "" then
		return {}
	end
	local body, e = err.try(json.decode, req.body)
	if type(body) ~= "table" or body == json.null then
		local why = e and e.message or "a JSON object is expected"
		errors.raise("parseError", "Parse Error: %s", why)
	end
	return body
end

-- Page tokens ------------------------------------------------------------------------------------

-- The bytes before a token's text make it begin with characters that have to be encoded in a URL.
local SALT = "\xfb\xef\xff"

local function make_token(...)
	return crypto.base64_encode(SALT .. table.concat({ ... }, " "))
end

local function read_token(token, kind)
	local raw = err.try(crypto.base64_decode, token)
	local fields = {}
	if raw and raw:sub(1, #SALT) == SALT then
		for f in raw:sub(#SALT + 1):gmatch("%S+") do
			fields[#fields + 1] = math.tointeger(tonumber(f)) or f
		end
	end
	if fields[1] ~= kind then
		errors.raise("invalid", "Invalid page token: %s", tostring(token))
	end
	return table.unpack(fields, 2)
end

-- Query results ----------------------------------------------------------------------------------

-- One page of a job's result and the token for the next.
local function result_page(self, job, o)
	if not job.total then
		return nil
	elseif not job.storage then
		errors.raise("notFound", "Not found: Job %s:%s (its results have expired)", job.project, job.id)
	end
	local offset = o.start_index or 0
	if o.token then
		local serial
		serial, offset = read_token(o.token, "q")
		if serial ~= job.serial then
			errors.raise("invalid", "Invalid page token: %s", o.token)
		end
	end
	local page = pages.read(self.db, {
		storage = job.storage,
		columns = pages.columns(answers.job_schema(job)),
		after = offset,
		max_rows = o.max_results,
		max_bytes = o.max_bytes,
		int64_timestamps = o.int64_timestamps,
	})
	local next_row = offset + page.count
	return page, next_row < job.total and make_token("q", job.serial, next_row) or nil
end

local function query_options(project, body, location)
	return {
		project = project,
		query = type(body.query) == "string" and body.query or "",
		legacy = body.useLegacySql ~= false,
		location = given(location),
		default_dataset = given(body.defaultDataset),
		parameters = given(body.queryParameters),
		maximum_bytes_billed = given(body.maximumBytesBilled),
	}
end

local function dry_options(self, o, plan)
	o.location = plan.table and plan.table.location or o.location or self.location
	return o
end

local function count_write(self, job)
	if job.affected and job.affected > 0 then
		self.writes = self.writes + 1
	end
end

local function post_query(self, req, project)
	local body = body_of(req)
	local o = query_options(project, body, body.location)
	if body.dryRun == true then
		local plan, processed = self.jobs:plan(o)
		return answers.dry_query(dry_options(self, o, plan), plan, processed, time.now() // 1000)
	end
	o.request_id, o.fingerprint = given(body.requestId), crypto.sha256(req.body)
	local format = given(body.formatOptions) or {}
	local int64 = int64_timestamps(format.useInt64Timestamp, given(format.timestampOutputFormat))
	local max_results = integer(body.maxResults, "maxResults")
	local job = self.jobs:run(o)
	count_write(self, job)
	local page, token =
		result_page(self, job, { max_results = max_results, max_bytes = self.query_page, int64_timestamps = int64 })
	local answer = answers.query(job, page, token)
	if body.jobCreationMode == "JOB_CREATION_OPTIONAL" and not token and not req.needs_job then
		answer.jobReference, answer.jobCreationReason = nil, nil
	end
	return answer
end

local function get_results(self, req, project, id)
	local args = req.args
	local job = self.jobs:get(project, id, given(args.location))
	if job.error then
		return answers.failed(job), true
	end
	local page, token = result_page(self, job, {
		token = given(args.pageToken),
		start_index = integer(args.startIndex, "startIndex"),
		max_results = integer(args.maxResults, "maxResults"),
		max_bytes = self.results_page,
		int64_timestamps = int64_timestamps(
			args["formatOptions.useInt64Timestamp"],
			args["formatOptions.timestampOutputFormat"]
		),
	})
	return answers.results(job, page, token)
end

-- Jobs -------------------------------------------------------------------------------------------

local function check_job(config, id)
	local query = given(config.query)
	if type(query) ~= "table" then
		errors.raise("notImplemented", "Unsupported by the sandbox: jobs other than queries")
	elseif given(query.destinationTable) then
		errors.raise("notImplemented", "Unsupported by the sandbox: configuration.query.destinationTable")
	elseif id and (type(id) ~= "string" or not id:find("^[%w_-]+$") or #id > 1024) then
		errors.raise("invalid", 'Invalid job ID "%s". Job IDs must be alphanumeric (plus underscores and dashes)', id)
	end
	return query
end

local function post_job(self, req, project)
	local body = body_of(req)
	local reference, config = given(body.jobReference) or {}, given(body.configuration) or {}
	local id = given(reference.jobId)
	local o = query_options(project, check_job(config, id), reference.location)
	o.config = json.encode(config)
	if config.dryRun == true then
		local plan, processed = self.jobs:plan(o)
		return answers.dry_job(dry_options(self, o, plan), plan, processed, time.now() // 1000)
	end
	o.id, o.keep_failure = id, true
	local job = self.jobs:run(o)
	count_write(self, job)
	return answers.job(job)
end

local function get_job(self, req, project, id)
	return answers.job(self.jobs:get(project, id, given(req.args.location)))
end

local function cancel_job(self, req, project, id)
	return { kind = "bigquery#jobCancelResponse", job = get_job(self, req, project, id) }
end

-- Tables -----------------------------------------------------------------------------------------

-- The anonymous table of a query's result, as a table that never changes.
local function result_table(self, project, name)
	local serial = math.tointeger(tonumber(name:match("^anon(%d+)$")))
	local job = serial and self.db:one("SELECT * FROM jobs WHERE serial = ? AND storage IS NOT NULL", serial)
	if not job or job.project ~= project then
		errors.raise("notFound", "Not found: Table %s:_sandbox.%s", project, name)
	end
	return {
		id = ("%s:_sandbox.%s"):format(project, name),
		project = project,
		dataset = "_sandbox",
		name = name,
		storage = job.storage,
		schema = answers.job_schema(job),
		created = job.created,
		modified = job.ended,
		version = 1,
		location = job.location,
	}
end

local function find_table(self, project, dataset, name)
	if dataset == "_sandbox" then
		return result_table(self, project, name)
	end
	return self.tables:get(project, dataset, name)
end

local function get_table(self, _, project, dataset, name)
	local t = find_table(self, project, dataset, name)
	return answers.table(t, self.tables:measure(t))
end

local function delete_table(self, _, project, dataset, name)
	self.db:transaction(function()
		self.tables:remove(self.tables:get(project, dataset, name))
	end)
	self.writes = self.writes + 1
	return { status = 204 }, true
end

local function list_tables(self, _, project, dataset)
	self.tables:dataset(project, dataset)
	return answers.table_list(self.tables:list(project, dataset))
end

local function post_table(self, req, project, dataset)
	local body = body_of(req)
	local reference = given(body.tableReference) or {}
	local name = given(reference.tableId)
	if type(name) ~= "string" or not name:find("^[%w_ \x80-\xff-]+$") then
		errors.raise("invalid", 'Invalid table ID "%s".', tostring(name))
	elseif given(body.view) or given(body.materializedView) or given(body.externalDataConfiguration) then
		errors.raise("notImplemented", "Unsupported by the sandbox: tables other than plain ones")
	end
	local schema, why = types.schema((given(body.schema) or {}).fields or {})
	if not schema then
		errors.raise("invalid", "%s", why)
	elseif #schema == 0 then
		errors.raise("invalid", "Unsupported by the sandbox: a table without columns")
	end
	local t = self.db:transaction(function()
		return self.tables:add(project, dataset, name, schema)
	end)
	self.writes = self.writes + 1
	return answers.table(t, self.tables:measure(t))
end

local function insert_all(self, req, project, dataset, name)
	local t = self.tables:get(project, dataset, name)
	local body = body_of(req)
	if type(body.rows) ~= "table" or not json.is_array(body.rows) or #body.rows == 0 then
		errors.raise("invalid", "No rows present in the request.")
	elseif given(body.templateSuffix) then
		errors.raise("notImplemented", "Unsupported by the sandbox: templateSuffix")
	end
	self.recent[t.id] = self.recent[t.id] or {}
	local n, answer = insert.all(self.tables, t, body, self.recent[t.id])
	self.writes = self.writes + (n > 0 and 1 or 0)
	return answer
end

local function selected_fields(t, text)
	if not text then
		return nil
	end
	local names, known = {}, {}
	for _, f in ipairs(t.schema) do
		known[f.name:lower()] = true
	end
	for name in text:gmatch("[^,]+") do
		if not known[name:lower()] then
			errors.raise("invalid", "Invalid field: %s. Field not found in table schema", name)
		end
		names[name:lower()] = true
	end
	return names
end

-- Where a tabledata.list request begins: {storage=, version=, total=, index=, after= or offset=}.
local function data_position(self, t, args)
	local size = self.tables:measure(t)
	local start = integer(args.startIndex, "startIndex") or 0
	if not given(args.pageToken) then
		local at = { storage = t.storage, version = t.version, total = size.rows, index = start }
		at[size.dense and "after" or "offset"] = start
		return at
	end
	local version, total, index, after, id = read_token(args.pageToken, "t")
	local storage = id == t.id and self.tables:storage_at(t, version)
	if not storage then
		errors.raise("invalid", "Invalid page token: %s", args.pageToken)
	end
	local at = { storage = storage, version = version, total = total, index = index }
	at.after, at.offset = after >= 0 and after or nil, after < 0 and index or nil
	return at
end

local function list_data(self, req, project, dataset, name)
	local t, args = find_table(self, project, dataset, name), req.args
	local at = data_position(self, t, args)
	at.columns = pages.columns(t.schema, selected_fields(t, given(args.selectedFields)))
	at.max_rows, at.max_bytes = integer(args.maxResults, "maxResults"), self.query_page
	at.int64_timestamps =
		int64_timestamps(args["formatOptions.useInt64Timestamp"], args["formatOptions.timestampOutputFormat"])
	local page = pages.read(self.db, at)
	local index, token = at.index + page.count, nil
	if index < at.total then
		-- An empty first page of a table with gaps has no row number to go on from: -1 says to skip rows again.
		token = make_token("t", at.version, at.total, index, page.last or -1, t.id)
		self.tables:share(t)
	end
	return answers.data(tables.etag(t), at.total, page, token)
end

-- Datasets ---------------------------------------------------------------------------------------

local function get_dataset(self, _, project, dataset)
	return answers.dataset(self.tables:dataset(project, dataset))
end

local function list_datasets(self, _, project)
	return answers.dataset_list(self.tables:datasets(project))
end

local function post_dataset(self, req, project)
	local body = body_of(req)
	local name = given((given(body.datasetReference) or {}).datasetId)
	if type(name) ~= "string" or not name:find("^[%w_]+$") then
		local m = 'Invalid dataset ID "%s". Dataset IDs must be alphanumeric (plus underscores)'
		errors.raise("invalid", m, tostring(name))
	end
	local d = self.tables:add_dataset(project, name, given(body.location) or self.location)
	self.writes = self.writes + 1
	return answers.dataset(d)
end

-- Routing ----------------------------------------------------------------------------------------

local ROUTES = {
	{ "POST", "projects/*/queries", post_query },
	{ "GET", "projects/*/queries/*", get_results },
	{ "POST", "projects/*/jobs", post_job },
	{ "GET", "projects/*/jobs/*", get_job },
	{ "POST", "projects/*/jobs/*/cancel", cancel_job },
	{ "GET", "projects/*/datasets", list_datasets },
	{ "POST", "projects/*/datasets", post_dataset },
	{ "GET", "projects/*/datasets/*", get_dataset },
	{ "GET", "projects/*/datasets/*/tables", list_tables },
	{ "POST", "projects/*/datasets/*/tables", post_table },
	{ "GET", "projects/*/datasets/*/tables/*", get_table },
	{ "DELETE", "projects/*/datasets/*/tables/*", delete_table },
	{ "GET", "projects/*/datasets/*/tables/*/data", list_data },
	{ "POST", "projects/*/datasets/*/tables/*/insertAll", insert_all },
}
for _, route in ipairs(ROUTES) do
	route[2] = "^/" .. route[2]:gsub("%*", "([^/]+)") .. "/?$"
end

local function decode(segment)
	return (segment:gsub("%%(%x%x)", function(hex)
		return string.char(tonumber(hex, 16))
	end))
end

-- The first route of this method and path, and the path's variable parts.
local function find_route(method, path)
	local known = false
	for _, route in ipairs(ROUTES) do
		local parts = { path:match(route[2]) }
		if #parts > 0 then
			known = true
			if route[1] == method then
				for i, part in ipairs(parts) do
					parts[i] = decode(part)
				end
				return route[3], parts
			end
		end
	end
	local message = known and "Method not allowed: %s %s" or "Not Found: %s %s"
	errors.raise(known and "invalid" or "notFound", message, method, path)
end

local function dispatch(self, req)
	local path = req.path:gsub("%?.*$", "")
	local fn, parts = find_route(req.method, path:match("^/bigquery/v2(/.*)$") or path)
	local answer, complete = fn(self, req, table.unpack(parts))
	return complete and answer or { status = 200, json = answer }
end

local function failure(e)
	if errors.is(e) then
		return errors.answer(e)
	end
	e = err.wrap(e)
	if e.kind == "cancelled" then
		error(e, 0)
	end
	return errors.answer(errors.new("internalError", e.message))
end

-- The answer to a request that meets this fault, or none.
local function respond(self, req, fault)
	local response = fault and faults.answer(fault)
	if response then
		return response
	end
	req.needs_job = fault and fault.incomplete
	local ok, answer = pcall(dispatch, self, req)
	response = ok and answer or failure(answer)
	return fault and faults.spoil(fault, response) or response
end

local function handle(self, req)
	local path = req.path:gsub("%?.*$", "")
	if path == "/_sandbox/faults" then
		return self.faults:control(req, self)
	end
	local extra = self.extra_routes[path]
	if extra then
		return extra(req)
	end
	self.requests = self.requests + 1
	local response = respond(self, req, self.faults:take(req))
	response.headers = response.headers or { ["content-type"] = "application/json; charset=UTF-8" }
	return response
end

-- Starting ---------------------------------------------------------------------------------------

local function open(dir)
	return sqlite.open(dir .. "/bigquery.db", { mode = "rwc", wal = false, synchronous = "off" })
end

local function named(o)
	return o.project or "sandbox", o.dataset or "identity", o.table or "contacts_master"
end

---Fill the contacts table of a sandbox folder, replacing what is there, all or nothing.
---@param o table {dir=, file= (newline-delimited JSON) | records= (iterator of stored values by name),
---  project="sandbox", dataset="identity", table="contacts_master", location="US"}
---@return table {rows=, replaced=, others={names of columns beyond the canonical ones}}
function M.load(o)
	local db <close> = open(o.dir)
	local project, dataset, name = named(o)
	local catalog = tables.open(db)
	jobs.open(catalog, o.location or "US")
	return load.load(catalog, {
		project = project, dataset = dataset, table = name, file = o.file, records = o.records, location = o.location,
	})
end

---Whether a sandbox folder already holds the contacts table.
---@param o table as for load
---@return boolean
function M.loaded(o)
	local db <close> = open(o.dir)
	return tables.open(db):find(named(o)) ~= nil
end

---Serve BigQuery's REST v2 from DIR/bigquery.db.
---@param o table {dir=, host="127.0.0.1", port=0, project="sandbox", dataset="identity", location="US",
---  extra_routes={[path]=function(req) -> response}, page_bytes= (for tests: the limit of a page)}
---@return table {port=, url=, stats=function() -> {requests=, writes=}, stop=function()}
function M.start(o)
	local db = open(o.dir)
	local project, dataset = named(o)
	local self = setmetatable({ db = db, requests = 0, writes = 0, recent = {}, faults = faults.new() }, Service)
	self.location, self.extra_routes = o.location or "US", o.extra_routes or {}
	self.query_page, self.results_page = o.page_bytes or QUERY_PAGE, o.page_bytes or RESULTS_PAGE
	self.tables = tables.open(db)
	self.jobs = jobs.open(self.tables, self.location)
	if not self.tables:find_dataset(project, dataset) then
		self.tables:add_dataset(project, dataset, self.location)
	end
	local server = http.serve {
		host = o.host or "127.0.0.1",
		port = o.port or 0,
		max_body = 64 * 1048576,
		handler = function(req)
			return handle(self, req)
		end,
	}
	return {
		port = server.port,
		url = server.url,
		stats = function()
			return { requests = self.requests, writes = self.writes }
		end,
		stop = function()
			server:stop()
			db:close()
		end,
	}
end

return M

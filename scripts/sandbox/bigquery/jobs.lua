-- Query jobs: a statement is translated, priced, run at once, and its result kept as a SQLite table of its own, so that
-- every later page and startIndex reads the same rows. Statuses and shapes of HTTP are init.lua's.

local crypto = require "syncrun.crypto"
local err = require "syncrun.err"
local errors = require "sandbox.bigquery.errors"
local json = require "syncrun.json"
local sql = require "sandbox.bigquery.sql"
local time = require "syncrun.time"

local M = {}

local Jobs = {}
Jobs.__index = Jobs

local SETUP = [[
CREATE TABLE IF NOT EXISTS jobs (
	serial INTEGER PRIMARY KEY, project TEXT, id TEXT, location TEXT, request_id TEXT, fingerprint TEXT, query TEXT,
	config TEXT, statement TEXT, error TEXT, schema TEXT, storage TEXT, total INTEGER, affected INTEGER,
	processed INTEGER, billed INTEGER, created INTEGER, ended INTEGER, UNIQUE (project, id));
CREATE INDEX IF NOT EXISTS jobs_request ON jobs (request_id) WHERE request_id IS NOT NULL;
]]

-- Results are kept about a day, as the service does, and fewer of the large ones, to spare the disk.
local KEPT_MS, KEPT_RESULTS, KEPT_LARGE, LARGE_ROWS = 24 * 3600 * 1000, 200, 12, 5000

local MIB = 1048576

---Jobs over a catalog of tables.
---@param tables table
---@param location string where jobs run that name no table
---@return table
function M.open(tables, location)
	local self = setmetatable({ db = tables.db, tables = tables, location = location }, Jobs)
	self.db:exec(SETUP)
	return self
end

local function now_ms()
	return time.now() // 1000
end

local function drop(self, rows)
	for _, row in ipairs(rows) do
		self.db:exec("DROP TABLE " .. row.storage)
		self.db:run("UPDATE jobs SET storage = NULL WHERE serial = ?", row.serial)
	end
end

-- Forget results that are too old or too many.
local function expire(self)
	local base = "SELECT serial, storage FROM jobs WHERE storage IS NOT NULL "
	drop(self, self.db:query(base .. "AND ended < ?", now_ms() - KEPT_MS))
	drop(self, self.db:query(base .. "ORDER BY serial DESC LIMIT -1 OFFSET ?", KEPT_RESULTS))
	drop(self, self.db:query(base .. "AND total >= ? ORDER BY serial DESC LIMIT -1 OFFSET ?", LARGE_ROWS, KEPT_LARGE))
end

local function table_path(path, o)
	if #path == 3 then
		return path[1], path[2], path[3]
	elseif #path == 2 then
		return o.project, path[1], path[2]
	elseif #path == 1 and o.default_dataset and o.default_dataset.datasetId then
		return o.default_dataset.projectId or o.project, o.default_dataset.datasetId, path[1]
	end
	local name = table.concat(path, ".")
	errors.raise("invalidQuery", 'Table "%s" must be qualified with a dataset (e.g. dataset.table).', name)
end

local function translate(self, o)
	return sql.translate(o.query, {
		resolve = function(path)
			local project, dataset, name = table_path(path, o)
			return self.tables:get(project, dataset, name, o.location)
		end,
		parameters = o.parameters,
		encode = function(v)
			return json.encode(type(v) == "table" and json.array(v) or v)
		end,
		valid_json = json.valid,
		base64 = crypto.base64_encode,
		null = json.null,
		now = time.now(),
	})
end

-- Bytes of the columns a statement reads, and what they are billed as: whole MiB, at least ten a table.
local function price(self, plan)
	if not plan.table then
		return 0, 0
	end
	local size, bytes = self.tables:measure(plan.table), 0
	for i in pairs(plan.used) do
		bytes = bytes + size.column[i]
	end
	return bytes, bytes == 0 and 0 or math.max(10, (bytes + MIB - 1) // MIB) * MIB
end

local function sqlite_message(plan, message)
	local column = message:match("NOT NULL constraint failed: [%w_]+%.c(%d+)")
	if column then
		return "Required field " .. plan.table.schema[math.tointeger(tonumber(column))].name .. " cannot be null"
	elseif message:find("malformed JSON", 1, true) then
		return "Bad value: a STRING could not be cast to the type asked for"
	elseif message:find("integer overflow", 1, true) then
		return "integer overflow"
	end
	return message
end

local function run_select(self, plan)
	local storage = self.tables:new_storage "r"
	self.tables:create_storage(storage, plan.schema)
	local insert = ("INSERT INTO %s %s"):format(storage, plan.sql)
	return storage, self.db:run(insert, table.unpack(plan.binds, 1, #plan.binds))
end

local function run_plan(self, plan)
	if plan.kind == "SELECT" then
		return self.db:transaction(function()
			return { run_select(self, plan) }
		end)
	end
	local n = self.tables:write(plan.table, function()
		return self.db:run(plan.sql, table.unpack(plan.binds, 1, #plan.binds))
	end)
	return { nil, n }
end

local function execute(self, plan)
	local ok, result = pcall(run_plan, self, plan)
	if ok then
		return result[1], result[2]
	end
	local e = err.wrap(result)
	if e.kind ~= "sqlite" then
		error(result, 0)
	end
	errors.raise("invalidQuery", "%s", sqlite_message(plan, e.message))
end

local function check_bill(o, billed)
	local limit = math.tointeger(tonumber(o.maximum_bytes_billed))
	if limit and billed > limit then
		local m = "Query exceeded limit for bytes billed: %d. %d or higher required."
		errors.raise("bytesBilledLimitExceeded", m, limit, billed)
	end
end

---Translate and price a statement without running it.
---@param o table as for run
---@return table plan
---@return integer bytes processed
---@return integer bytes billed
function Jobs:plan(o)
	if o.legacy and not o.query:find("^%s*#[sS][tT][aA]") then
		errors.raise("invalidQuery", "Legacy SQL is not supported by the sandbox; send useLegacySql: false")
	elseif not o.query:find("%S") then
		errors.raise("required", "Required parameter is missing: query")
	end
	local plan = translate(self, o)
	return plan, price(self, plan)
end

local function store(self, job)
	local text = [[INSERT INTO jobs (project, id, location, request_id, fingerprint, query, config, statement, error,
		schema, storage, total, affected, processed, billed, created, ended) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)]]
	self.db:run(
		text,
		job.project,
		job.id,
		job.location,
		job.request_id,
		job.fingerprint,
		job.query,
		job.config,
		job.statement,
		job.error,
		job.schema,
		job.storage,
		job.total,
		job.affected,
		job.processed,
		job.billed,
		job.created,
		now_ms()
	)
	return self:find(job.project, job.id)
end

-- An earlier job of the same requestId and the same request, within fifteen minutes.
local function repeated(self, o)
	if not o.request_id then
		return nil
	end
	local text = "SELECT id FROM jobs WHERE request_id = ? AND fingerprint = ? AND created > ? AND error IS NULL"
	local row = self.db:one(text, o.request_id, o.fingerprint, now_ms() - 900000)
	return row and self:find(o.project, row.id)
end

local function perform(self, o, job)
	local plan, processed, billed = self:plan(o)
	check_bill(o, billed)
	job.statement, job.processed, job.billed = plan.kind, processed, billed
	job.location = plan.table and plan.table.location or o.location or self.location
	local storage, n = execute(self, plan)
	if plan.kind == "SELECT" then
		job.schema, job.storage, job.total = json.encode(json.array(plan.schema)), storage, n
	else
		job.affected = n
	end
	return store(self, job)
end

---Run a query. A failure is raised; with `keep_failure` it is stored as a failed job, which is returned.
---@param o table {project=, query=, location=, default_dataset=, parameters=, maximum_bytes_billed=, legacy=,
---  request_id=, fingerprint=, id=, config=, keep_failure=}
---@return table job
function Jobs:run(o)
	local same = repeated(self, o)
	if same then
		return same
	elseif o.id and self.db:one("SELECT 1 AS x FROM jobs WHERE project = ? AND id = ?", o.project, o.id) then
		errors.raise("duplicate", "Already Exists: Job %s:%s.%s", o.project, o.location or self.location, o.id)
	end
	expire(self)
	local job = { project = o.project, query = o.query, config = o.config, created = now_ms() }
	job.id = o.id or "job_" .. crypto.base64url_encode(crypto.random(20)):gsub("=", "")
	job.request_id, job.fingerprint = o.request_id, o.request_id and o.fingerprint
	local ok, result = pcall(perform, self, o, job)
	if ok then
		return result
	elseif not errors.is(result) or not o.keep_failure then
		error(result, 0)
	end
	job.location, job.error = job.location or o.location or self.location, json.encode(errors.proto(result))
	return store(self, job)
end

---A job, or notFound. Outside the US and EU multi-regions a job is found only with its location.
---@param project string
---@param id string
---@param location string|nil
---@return table|nil
function Jobs:find(project, id, location)
	local job = self.db:one("SELECT * FROM jobs WHERE project = ? AND id = ?", project, id)
	return job and (not location or location:upper() == job.location:upper()) and job or nil
end

---As find, but raises notFound as the service does.
function Jobs:get(project, id, location)
	local job = self:find(project, id, location)
	local hidden = job and not location and job.location ~= "US" and job.location ~= "EU"
	if not job or hidden then
		errors.raise("notFound", "Not found: Job %s:%s", project, location and location .. "." .. id or id)
	end
	return job
end

return M

-- The resources and answers of BigQuery's REST v2 (facts/bigquery.md 1 and its appendix), made of the sandbox's own
-- records. Numbers of 64 bits travel as strings.

local crypto = require "syncrun.crypto"
local errors = require "sandbox.bigquery.errors"
local json = require "syncrun.json"
local tables = require "sandbox.bigquery.tables"
local types = require "sandbox.bigquery.types"

local M = {}

local BASE = "https://bigquery.googleapis.com/bigquery/v2/projects/"

local function text(n)
	return n and ("%d"):format(n) or nil
end

---The schema of a result, decoded from a job's record.
---@param job table
---@return table|nil
function M.job_schema(job)
	return job.schema and json.decode(job.schema)
end

local function schema_json(schema, with_mode)
	return { fields = json.array(types.fields(schema, with_mode)) }
end

local function reference(job)
	return { projectId = job.project, jobId = job.id, location = job.location }
end

local function dml_stats(job)
	local name = { INSERT = "insertedRowCount", UPDATE = "updatedRowCount", DELETE = "deletedRowCount" }
	local key = name[job.statement]
	return key and { [key] = text(job.affected) }
end

local function result_fields(answer, job, page, token)
	local schema = M.job_schema(job)
	answer.jobReference, answer.jobComplete, answer.cacheHit = reference(job), true, false
	answer.totalBytesProcessed = text(job.processed)
	answer.schema = schema and schema_json(schema, true)
	answer.totalRows = text(job.total)
	answer.numDmlAffectedRows = text(job.affected)
	answer.rows = page and page.count > 0 and json.raw(page.text) or nil
	answer.pageToken = token
	return answer
end

---The answer of jobs.query.
---@param job table
---@param page table|nil
---@param token string|nil
---@return table
function M.query(job, page, token)
	return result_fields({
		kind = "bigquery#queryResponse",
		queryId = job.id,
		jobCreationReason = { code = "REQUESTED" },
		location = job.location,
		totalBytesBilled = text(job.billed),
		totalSlotMs = "1",
		creationTime = text(job.created),
		startTime = text(job.created),
		endTime = text(job.ended),
		dmlStats = dml_stats(job),
	}, job, page, token)
end

---The answer of jobs.getQueryResults.
function M.results(job, page, token)
	local etag = crypto.base64_encode(crypto.sha256(job.project .. job.id, "raw"):sub(1, 16))
	return result_fields({ kind = "bigquery#getQueryResultsResponse", etag = etag }, job, page, token)
end

---The answer of jobs.query with dryRun.
---@param o table {project=, location=}
---@param plan table
---@param processed integer
---@param now_ms integer
function M.dry_query(o, plan, processed, now_ms)
	return {
		kind = "bigquery#queryResponse",
		schema = plan.schema and schema_json(plan.schema, true),
		jobReference = { projectId = o.project, location = o.location },
		totalBytesProcessed = text(processed),
		totalBytesBilled = "0",
		jobComplete = true,
		cacheHit = false,
		location = o.location,
		creationTime = text(now_ms),
		endTime = text(now_ms),
	}
end

local function configuration(job)
	local c = json.decode(job.config or "{}")
	c.jobType = "QUERY"
	c.query = c.query or { query = job.query, useLegacySql = false, priority = "INTERACTIVE" }
	if job.storage then
		local hidden = { projectId = job.project, datasetId = "_sandbox", tableId = "anon" .. job.serial }
		c.query.destinationTable = hidden
		c.query.writeDisposition = c.query.writeDisposition or "WRITE_TRUNCATE"
	end
	return c
end

---A Job resource.
---@param job table
---@return table
function M.job(job)
	local status = { state = "DONE" }
	if job.error then
		status.errorResult = json.decode(job.error)
		status.errors = json.array { json.decode(job.error) }
	end
	return {
		kind = "bigquery#job",
		etag = crypto.base64_encode(crypto.sha256(job.project .. job.id, "raw"):sub(1, 16)),
		id = ("%s:%s.%s"):format(job.project, job.location, job.id),
		selfLink = ("%s%s/jobs/%s?location=%s"):format(BASE, job.project, job.id, job.location),
		user_email = "sandbox@example.com",
		configuration = configuration(job),
		jobReference = reference(job),
		jobCreationReason = { code = "REQUESTED" },
		status = status,
		statistics = {
			creationTime = text(job.created),
			startTime = text(job.created),
			endTime = text(job.ended),
			totalBytesProcessed = text(job.processed or 0),
			query = {
				totalBytesProcessed = text(job.processed or 0),
				totalBytesBilled = text(job.billed or 0),
				cacheHit = false,
				statementType = job.statement,
				numDmlAffectedRows = text(job.affected),
				dmlStats = dml_stats(job),
			},
		},
	}
end

---The Job resource of a dry run: no jobId, the schema among the statistics.
function M.dry_job(o, plan, processed, now_ms)
	local job = { project = o.project, location = o.location, id = "", config = o.config }
	job.created, job.ended = now_ms, now_ms
	job.statement, job.processed, job.billed = plan.kind, processed, 0
	local out = M.job(job)
	out.configuration.dryRun, out.jobReference.jobId = true, nil
	out.id, out.selfLink = ("%s:%s."):format(o.project, o.location), nil
	out.statistics.query.schema = plan.schema and schema_json(plan.schema, true)
	out.statistics.query.totalBytesProcessedAccuracy = "PRECISE"
	return out
end

local function table_reference(t)
	return { projectId = t.project, datasetId = t.dataset, tableId = t.name }
end

---A Table resource.
---@param t table
---@param size table of tables.measure
---@return table
function M.table(t, size)
	return {
		kind = "bigquery#table",
		etag = tables.etag(t),
		id = t.id,
		selfLink = ("%s%s/datasets/%s/tables/%s"):format(BASE, t.project, t.dataset, t.name),
		tableReference = table_reference(t),
		schema = schema_json(t.schema, false),
		numBytes = text(size.bytes),
		numLongTermBytes = "0",
		numRows = text(size.rows),
		creationTime = text(t.created),
		lastModifiedTime = text(t.modified),
		type = "TABLE",
		location = t.location,
		numTotalLogicalBytes = text(size.bytes),
		numActiveLogicalBytes = text(size.bytes),
		numLongTermLogicalBytes = "0",
	}
end

---The answer of tables.list.
---@param list table
---@return table
function M.table_list(list)
	local out = {}
	for i, t in ipairs(list) do
		out[i] = {
			kind = "bigquery#table",
			id = t.id,
			tableReference = table_reference(t),
			type = "TABLE",
			creationTime = text(t.created),
		}
	end
	local entries = #out > 0 and json.array(out) or nil
	return { kind = "bigquery#tableList", etag = "sandbox", tables = entries, totalItems = #out }
end

---A Dataset resource.
---@param d table
---@return table
function M.dataset(d)
	return {
		kind = "bigquery#dataset",
		etag = crypto.base64_encode(crypto.sha256(d.project .. d.dataset, "raw"):sub(1, 16)),
		id = d.project .. ":" .. d.dataset,
		selfLink = ("%s%s/datasets/%s"):format(BASE, d.project, d.dataset),
		datasetReference = { projectId = d.project, datasetId = d.dataset },
		creationTime = text(d.created),
		lastModifiedTime = text(d.created),
		location = d.location,
		type = "DEFAULT",
		maxTimeTravelHours = "168",
	}
end

---The answer of datasets.list.
---@param list table
---@return table
function M.dataset_list(list)
	local out = {}
	for i, d in ipairs(list) do
		local full = M.dataset(d)
		out[i] = {
			kind = full.kind,
			id = full.id,
			datasetReference = full.datasetReference,
			location = full.location,
			type = full.type,
		}
	end
	local entries = #out > 0 and json.array(out) or nil
	return { kind = "bigquery#datasetList", etag = "sandbox", datasets = entries }
end

---The answer of tabledata.list.
---@param etag string
---@param total integer
---@param page table
---@param token string|nil
---@return table
function M.data(etag, total, page, token)
	return {
		kind = "bigquery#tableDataList",
		etag = etag,
		totalRows = text(total),
		pageToken = token,
		rows = page.count > 0 and json.raw(page.text) or nil,
	}
end

---The answer of jobs.query or jobs.getQueryResults for a job that failed.
---@param job table
---@return table response
function M.failed(job)
	return errors.answer(errors.from_proto(json.decode(job.error)))
end

return M

--- BigQuery as the source of contacts: one query of the mapped columns, filtered and in byte order of the key; or, when
--- that is asked for and nothing is filtered, the table's rows as they lie. Knows nothing of mappings, targets or reports.
local casts = require "syncrun.systems.bigquery.casts"
local client = require "syncrun.systems.bigquery.client"
local data = require "syncrun.systems.bigquery.data"
local err = require "syncrun.err"
local http = require "syncrun.http"
local query = require "syncrun.systems.bigquery.query"
local log = require "syncrun.log"
local said = require "syncrun.systems.bigquery.said"
local sql = require "syncrun.systems.bigquery.sql"
local tables = require "syncrun.systems.bigquery.tables"

local M = {}

local PAGE_ROWS = 2500 -- some 2 MB a page: memory stays flat, and a page is well below the limit of the server
local PARALLEL = 4 -- requests that read a long result at once
local QUERY_TIMEOUT = 1800 -- seconds that a query may take
local MIB = 1024 * 1024

---@class syncrun.BigQuery
---@field name string
---@field label string
---@field last table? of the scan that ended last: total, job, bytes_processed, bytes_billed, cache_hit, pages
---@field cost { queries: integer, bytes_processed: integer, bytes_billed: integer, attempts: integer, retries: integer }
---  of all queries and requests so far
local Source = {}
Source.__index = Source

function Source:__tostring()
	return ("%s: table %s.%s"):format(self.label, self.table.dataset, self.table.table)
end

local function config_error(...)
	err.raise { kind = "config", exit = 2, message = string.format(...) }
end

local function whole_setting(config, name, least)
	local value = config[name]
	if value == nil then return nil end
	local n = math.tointeger(tonumber(value))
	if not n or n < least then
		config_error("bigquery.%s must be a whole number of at least %d, not '%s'", name, least, value)
	end
	return n
end

local function text_setting(config, name, default)
	local value = config[name]
	if value == nil or value == "" then return default end
	if type(value) ~= "string" then config_error("bigquery.%s must be text, not %s", name, type(value)) end
	return value
end

-- Labels as BigQuery takes them: at most 63 characters, lower case.
local function labels_setting(config)
	local labels = config.labels
	if labels == nil then return nil end
	if type(labels) ~= "table" then config_error("bigquery.labels must be a table of texts, not %s", type(labels)) end
	for name, value in pairs(labels) do
		local good = type(name) == "string" and name:find "^[a-z][a-z0-9_-]*$" and #name <= 63
			and type(value) == "string" and value:find "^[a-z0-9_-]*$" and #value <= 63
		if not good then
			config_error("the label '%s' in bigquery.labels must be of lower-case letters, digits, '_' and '-'", name)
		end
	end
	return labels
end

local function read_setting(config)
	local way = text_setting(config, "read", "query")
	if way ~= "query" and way ~= "table" then
		config_error("bigquery.read must be \"query\" or \"table\", not '%s'", way)
	end
	return way
end

-- Count every attempt, then hand it on.
local function counting(cost, on_attempt)
	return function(info)
		cost.attempts = cost.attempts + 1
		if info.attempt > 1 then cost.retries = cost.retries + 1 end
		if on_attempt then on_attempt(info) end
	end
end

--- Open the source. Config: project, table, location, where, key, emulator (BIGQUERY_EMULATOR_HOST), credentials
--- (GOOGLE_APPLICATION_CREDENTIALS), quota_project, cloudsdk_config, metadata_host, drive, max_bytes_billed, query_timeout
--- (seconds), page_rows, read ("query" or "table"), parallel, labels, base_url, on_attempt (function, for the record),
--- mapping (what its fields let BigQuery cast). Nothing is sent yet, but a bad setting or key file raises kind config
--- (exit 2).
---@param config table
---@return syncrun.BigQuery
function M.open(config)
	local settings, cost = {}, { queries = 0, bytes_processed = 0, bytes_billed = 0, attempts = 0, retries = 0 }
	for k, v in pairs(config) do settings[k] = v end
	settings.on_attempt = counting(cost, config.on_attempt)
	for _, name in ipairs { "project", "emulator", "credentials", "quota_project", "cloudsdk_config", "metadata_host",
		"base_url" } do
		settings[name] = text_setting(config, name)
	end
	return setmetatable({
		kind = "bigquery", name = "bigquery", label = config.label or "BigQuery",
		emulated = settings.emulator ~= nil,
		table = sql.parse_table(text_setting(config, "table", "identity.contacts_master")),
		table_name = text_setting(config, "table", "identity.contacts_master"),
		key = text_setting(config, "key", "contact_id"),
		where = text_setting(config, "where"), filter = text_setting(config, "where"),
		location = text_setting(config, "location"),
		page_rows = whole_setting(config, "page_rows", 1) or PAGE_ROWS,
		range_rows = whole_setting(config, "page_rows", 1),
		parallel = whole_setting(config, "parallel", 1) or PARALLEL, read = read_setting(config),
		labels = labels_setting(config), cost = cost, project = settings.project,
		query_timeout = whole_setting(config, "query_timeout", 1) or QUERY_TIMEOUT,
		max_bytes_billed = whole_setting(config, "max_bytes_billed", query.BILLED_MIN),
		fields = config.mapping and config.mapping.fields or {}, casts = casts.of(config.mapping),
		client = client.new(settings),
	}, Source)
end

--- The source of a session, as systems/contract.lua asks for it.
---@param settings table
---@param mapping syncrun.Mapping
---@return syncrun.BigQuery
function M.source(settings, mapping)
	settings.key, settings.mapping = mapping.by_name[mapping.key].source, mapping
	return M.open(settings)
end

-- The table's full name, project.dataset.table.
local function full_name(self)
	local t = self.table
	return ("%s.%s.%s"):format(t.project or self.client:project(), t.dataset, t.table)
end

local function context(self, extra)
	local c = { table = full_name(self), location = self.location }
	for k, v in pairs(extra or {}) do c[k] = v end
	return c
end

local function table_path(self)
	local t = self.table
	return ("/projects/%s/datasets/%s/tables/%s"):format(
		http.escape(t.project or self.client:project()), http.escape(t.dataset), http.escape(t.table))
end

local function get_table(self)
	return tables.get(self.client, table_path(self), context(self))
end

-- Rows that are being streamed in are no part of the number yet. An emulator that keeps no number says 0.
local function count_of(self, t)
	local told = t.readable and not t.streaming and not (t.rows == 0 and self.emulated)
	return told and t.rows or nil
end

---@class syncrun.BigQueryDescription
---@field columns table[] name, type (the record plane's, nil: unknown), bigquery (its own type), mode
---@field rows integer? without those still in the streaming buffer
---@field count integer? how many rows a scan without filter gives; nil: nothing tells (a view, rows being streamed in)
---@field version string? changes whenever the table does; nil: nothing tells
---@field modified integer? microseconds since 1970
---@field etag string?
---@field bytes integer?
---@field location string?
---@field streaming boolean rows are being streamed in
---@field kind string TABLE, VIEW …

--- The table as BigQuery describes it. Free.
---@return syncrun.BigQueryDescription
function Source:describe()
	local t = get_table(self)
	local columns = {}
	for i, field in ipairs(t.fields) do columns[i] = tables.column(field) end
	return {
		columns = columns, rows = t.rows, count = count_of(self, t), version = t.version,
		modified = t.modified and t.modified * 1000, etag = t.etag, bytes = t.bytes, location = t.location,
		streaming = t.streaming, kind = t.kind,
	}
end

local function check_location(self, found)
	if self.location and found and found:upper() ~= self.location:upper() then
		config_error("table '%s' is in location %s, not %s; set BIGQUERY_LOCATION (bigquery.location) to %s",
			full_name(self), said(found, 60), self.location, said(found, 60))
	end
end

local function listed(names)
	for i, name in ipairs(names) do names[i] = "'" .. name .. "'" end
	return table.concat(names, ", ")
end

-- Can every column become its field?
local function check_fit(self, known)
	for _, field in ipairs(self.fields) do
		local column = known[field.source:lower()]
		local misfit = column and column.type and casts.misfit(column, field)
		if misfit then config_error("table '%s': %s", full_name(self), misfit) end
	end
end

--- Is the table there, may we read it, has it these columns? Raises kind config (exit 2) naming what is missing, or
--- exit 3 when BigQuery is out of reach or refuses the credentials.
---@param columns string[]
function Source:check(columns)
	local described = self:describe()
	check_location(self, described.location)
	local known, missing = {}, {}
	for _, column in ipairs(described.columns) do known[column.name:lower()] = column end
	for _, name in ipairs(columns) do
		local column = known[name:lower()] -- BigQuery's column names are the same in any case
		if not column then
			missing[#missing + 1] = name
		elseif not column.type then
			config_error("the column '%s' of table '%s' has the type %s, which is not supported; leave it out of the mapping",
				name, full_name(self), said(column.bigquery, 60))
		end
	end
	if missing[1] then
		config_error("table '%s' has no column %s; correct the mapping or the table", full_name(self), listed(missing))
	end
	check_fit(self, known)
end

local function query_options(self, text, columns, parameters)
	return {
		sql = text, columns = columns, parameters = parameters, project = self.client:project(self.table.project),
		page_rows = self.page_rows, range_rows = self.range_rows, location = self.location, labels = self.labels,
		max_bytes_billed = self.max_bytes_billed, query_timeout = self.query_timeout,
		context = context(self, { where = self.where }),
	}
end

-- What a query cost, added up.
local function note_cost(self, summary)
	self.cost.queries = self.cost.queries + 1
	self.cost.bytes_processed = self.cost.bytes_processed + (summary.bytes_processed or 0)
	self.cost.bytes_billed = self.cost.bytes_billed + (summary.bytes_billed or 0)
end

---@class syncrun.BigQueryScan
---@field columns string[]
---@field only string[]? these keys only
---@field since { column: string, at: integer }? rows whose timestamp in this column is not before `at` (microseconds)
---@field limit integer?
---@field chain boolean? one request after the other, whatever bigquery.parallel says

-- The options of a scan's query.
local function scan_query(self, o)
	local text = sql.select {
		table = full_name(self), columns = o.columns, key = self.key, where = self.where, only = o.only ~= nil,
		since = o.since and o.since.column, limit = o.limit, casts = self.casts,
	}
	local parameters = {}
	if o.only then parameters[#parameters + 1] = sql.ids_parameter(o.only) end
	if o.since then parameters[#parameters + 1] = sql.since_parameter(o.since.at) end
	local options = query_options(self, text, o.columns, parameters[1] and parameters)
	options.parallel = o.chain and 1 or self.parallel
	return options
end

-- Is all of the table wanted, as it lies?
local function wants_table(self, o)
	return self.read == "table" and not (self.where or o.only or o.since or o.limit or next(self.casts))
end

-- The table's own rows, nil when it has to be queried: only a table has some.
local function start_data(self, o)
	local found = get_table(self)
	if not found.readable then
		log.info("'%s' is a %s: it is queried, which is billed", full_name(self), said(found.kind, 60))
		return nil
	end
	local fields, selected = data.select(found.fields, o.columns)
	if #fields ~= #o.columns then config_error("table '%s' lacks a column of the mapping", full_name(self)) end
	return data.start(self.client, {
		path = table_path(self), fields = fields, selected = selected, page_rows = self.page_rows,
		range_rows = self.range_rows, parallel = o.chain and 1 or self.parallel, version = found.version,
		now_version = function() return get_table(self).version end, context = context(self),
	})
end

local function start_scan(self, o)
	local run = wants_table(self, o) and start_data(self, o)
	return run or query.start(self.client, scan_query(self, o))
end

--- The rows that pass the filter, in byte order of CAST(key AS STRING); empty pages are left out. (With read = "table"
--- and nothing to filter: all rows in the table's own order, free of charge.) The rows are counted: fewer or more than
--- BigQuery announced raise. After the end self.last says what was read and billed.
---@param o syncrun.BigQueryScan
---@return fun(): syncrun.Rows?
---@return nil
---@return nil
---@return table closing ends what is under way, for the generic `for`
function Source:scan(o)
	local run, pages
	self.last = nil
	return function()
		if not run then
			run = start_scan(self, o)
			pages = run:pages()
		end
		local page = pages()
		if not page and not self.last then
			self.last = run:summary()
			if self.last.bytes_billed ~= 0 or run.head then note_cost(self, self.last) end
		end
		return page
	end, nil, nil, setmetatable({}, { __close = function()
		if run then run:close() end
	end })
end

---@class syncrun.BigQueryEstimate
---@field free boolean the table is read by tabledata.list
---@field bytes_processed integer
---@field bytes_billed integer what BigQuery would bill, when its cache does not hold the result
---@field refused boolean more than max_bytes_billed

--- What a scan would cost, by BigQuery's dry run: nothing runs and nothing is billed for it.
---@param o syncrun.BigQueryScan
---@return syncrun.BigQueryEstimate
function Source:estimate(o)
	if wants_table(self, o) and get_table(self).readable then
		return { free = true, bytes_processed = 0, bytes_billed = 0, refused = false }
	end
	local bytes = query.dry_run(self.client, scan_query(self, o))
	local billed = bytes == 0 and 0 or math.max(query.BILLED_MIN, (bytes + MIB - 1) // MIB * MIB)
	return {
		free = false, bytes_processed = bytes, bytes_billed = billed,
		refused = self.max_bytes_billed ~= nil and billed > self.max_bytes_billed,
	}
end

--- How many rows the table has, the filter left aside. BigQuery bills nothing for it, unless it is a view.
---@return integer
function Source:count()
	local text, n = ("SELECT COUNT(*) AS `n` FROM `%s`"):format(full_name(self)), nil
	local run = query.start(self.client, query_options(self, text, { "n" }))
	for page in run:pages() do n = page:get(1, "n") end
	note_cost(self, run:summary())
	if math.type(n) ~= "integer" then
		err.raise { kind = "http", code = "shape", exit = 3, message = "BigQuery's answer holds no count of rows; run again" }
	end
	return n
end

--- A text that changes whenever the table does, nil when nothing tells (a view, or rows being streamed in).
---@return string?
function Source:version()
	return self:describe().version
end

--- What is read, for messages: project.dataset.table.
---@return string
function Source:title()
	return full_name(self)
end

--- What is read, in scalars: two runs over the same say the same.
---@return table<string, string>
function Source:subject()
	return { table = self.table_name, where = self.where or "", project = self.project or "" }
end

--- What all queries so far cost, in a line.
---@return string
function Source:bill()
	local cost = self.cost
	return ("BigQuery billed %d bytes (%.1f MiB) for %d queries, which processed %d bytes"):format(cost.bytes_billed,
		cost.bytes_billed / MIB, cost.queries, cost.bytes_processed)
end

--- Whose credentials are used, in words; nil with an emulator.
---@return string?
function Source:who()
	local label = self.client:who()
	return label and ("with the credentials of '%s'"):format(label)
end

--- Nothing is held open.
function Source:close() end -- luacheck: ignore 212

return M

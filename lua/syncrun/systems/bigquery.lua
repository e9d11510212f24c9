--- BigQuery as the source of contacts: one query of the mapped columns, filtered and in byte order of the key.
--- Knows nothing of mappings, targets or reports.
local client = require "syncrun.systems.bigquery.client"
local err = require "syncrun.err"
local http = require "syncrun.http"
local query = require "syncrun.systems.bigquery.query"
local rows = require "syncrun.rows"
local sql = require "syncrun.systems.bigquery.sql"

local M = {}

local PAGE_ROWS = 2500 -- some 2 MB a page: memory stays flat, and a page is well below the limit of the server

---@class syncrun.BigQuery
---@field name string
---@field label string
---@field last table? of the scan that ended last: total, job, bytes_processed, bytes_billed, cache_hit, pages
local Source = {}
Source.__index = Source

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

--- Open the source. Config: project, table, location, where, key, emulator (BIGQUERY_EMULATOR_HOST), credentials
--- (GOOGLE_APPLICATION_CREDENTIALS), quota_project, cloudsdk_config, metadata_host, max_bytes_billed, page_rows,
--- base_url. Nothing is sent yet, but a bad setting or key file raises kind config (exit 2).
---@param config table
---@return syncrun.BigQuery
function M.new(config)
	local settings = {}
	for k, v in pairs(config) do settings[k] = v end
	for _, name in ipairs { "project", "emulator", "credentials", "quota_project", "cloudsdk_config", "metadata_host",
		"base_url" } do
		settings[name] = text_setting(config, name)
	end
	return setmetatable({
		name = "bigquery", label = "BigQuery",
		table = sql.parse_table(text_setting(config, "table", "identity.contacts_master")),
		key = text_setting(config, "key", "contact_id"),
		where = text_setting(config, "where"), location = text_setting(config, "location"),
		page_rows = whole_setting(config, "page_rows", 1) or PAGE_ROWS,
		max_bytes_billed = whole_setting(config, "max_bytes_billed", query.BILLED_MIN),
		client = client.new(settings),
	}, Source)
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

-- tables.get: free, and the only place that tells when the table changed.
local function get_table(self)
	local t = self.table
	local path = ("/projects/%s/datasets/%s/tables/%s"):format(
		http.escape(t.project or self.client:project()), http.escape(t.dataset), http.escape(t.table))
	local found = self.client:call({ path = path }, context(self)):json()
	if type(found) ~= "table" or type(found.schema) ~= "table" or type(found.schema.fields) ~= "table" then
		err.raise { kind = "http", code = "shape", exit = 3, message =
			("BigQuery's answer about table '%s' has no schema; is the URL right?"):format(full_name(self)) }
	end
	return found
end

local function column_of(field)
	local schema = err.try(rows.bigquery_schema, { field }) -- a type we do not know matters only where it is mapped
	local type_ = schema and schema:type(field.name) or nil
	return { name = field.name, type = type_, bigquery = field.type, mode = field.mode }
end

local function whole(value)
	return math.tointeger(tonumber(value))
end

---@class syncrun.BigQueryDescription
---@field columns table[] name, type (the record plane's, nil: unknown), bigquery (its own type), mode
---@field rows integer? without those still in the streaming buffer
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
	for i, field in ipairs(t.schema.fields) do columns[i] = column_of(field) end
	local modified = whole(t.lastModifiedTime)
	return {
		columns = columns, rows = whole(t.numRows), modified = modified and modified * 1000, etag = t.etag,
		bytes = whole(t.numBytes), location = t.location, streaming = type(t.streamingBuffer) == "table",
		kind = type(t.type) == "string" and t.type or "TABLE",
	}
end

local function check_location(self, found)
	if self.location and type(found) == "string" and found:upper() ~= self.location:upper() then
		config_error("table '%s' is in location %s, not %s; set BIGQUERY_LOCATION (bigquery.location) to %s",
			full_name(self), found, self.location, found)
	end
end

local function listed(names)
	for i, name in ipairs(names) do names[i] = "'" .. name .. "'" end
	return table.concat(names, ", ")
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
				name, full_name(self), tostring(column.bigquery))
		end
	end
	if missing[1] then
		config_error("table '%s' has no column %s; correct the mapping or the table", full_name(self), listed(missing))
	end
end

local function start(self, text, columns, parameters)
	return query.start(self.client, {
		sql = text, columns = columns, parameters = parameters, project = self.client:project(self.table.project),
		page_rows = self.page_rows, location = self.location, max_bytes_billed = self.max_bytes_billed,
		context = context(self, { where = self.where }),
	})
end

---@class syncrun.BigQueryScan
---@field columns string[]
---@field only string[]? these keys only
---@field limit integer?

--- The rows that pass the filter, in byte order of CAST(key AS STRING); empty pages are left out. The rows are counted:
--- fewer or more than BigQuery announced raise. After the end self.last says what was read and billed.
---@param o syncrun.BigQueryScan
---@return fun(): syncrun.Rows?
function Source:scan(o)
	local text = sql.select {
		table = full_name(self), columns = o.columns, key = self.key, where = self.where, only = o.only ~= nil,
		limit = o.limit,
	}
	local run, pages
	self.last = nil
	return function()
		if not run then
			run = start(self, text, o.columns, o.only and { sql.ids_parameter(o.only) })
			pages = run:pages()
		end
		local page = pages()
		if not page and not self.last then self.last = run:summary() end
		return page
	end
end

--- How many rows the table has, the filter left aside. BigQuery bills nothing for it, unless it is a view.
---@return integer
function Source:count()
	local run = start(self, ("SELECT COUNT(*) AS `n` FROM `%s`"):format(full_name(self)), { "n" })
	local n
	for page in run:pages() do n = page:get(1, "n") end
	if math.type(n) ~= "integer" then
		err.raise { kind = "http", code = "shape", exit = 3, message = "BigQuery's answer holds no count of rows; run again" }
	end
	return n
end

--- A text that changes whenever the table does, nil when nothing tells (a view, or rows being streamed in).
---@return string?
function Source:version()
	local d = self:describe()
	if d.streaming or not d.etag or not (d.kind == "TABLE" or d.kind == "SNAPSHOT") then return nil end
	return ("%s %s %s"):format(d.etag, d.modified or "-", d.rows or "-")
end

--- Nothing is held open.
function Source:close() end -- luacheck: ignore 212

return M

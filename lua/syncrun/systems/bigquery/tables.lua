-- tables.get: what a table is, read and checked once for all who ask. It is free, and the only place that tells when a
-- table changed. Knows no queries.
local err = require "syncrun.err"
local members = require "syncrun.systems.bigquery.members"
local rows = require "syncrun.rows"

local M = {}

local READABLE = { TABLE = true, SNAPSHOT = true } -- what has rows of its own

---@class syncrun.BigQueryTableInfo
---@field fields table[] of the schema: name, type, mode, fields as BigQuery spells them; name and type are texts
---@field kind string TABLE, VIEW …
---@field readable boolean it has rows of its own
---@field rows integer? without those still in the streaming buffer
---@field bytes integer?
---@field modified integer? milliseconds since 1970
---@field etag string?
---@field location string?
---@field streaming boolean rows are being streamed in
---@field version string? changes whenever the table does; nil: nothing tells

local function version_of(t)
	if t.streaming or not t.etag or not t.readable then return nil end
	return ("%s %s %s"):format(t.etag, t.modified or "-", t.rows or "-")
end

local function fields_of(found, about)
	local fields = members.need(members.need(found, "schema", "object", about), "fields", "list", about)
	for _, field in ipairs(fields) do
		members.need(field, "name", "text", about .. "'s columns")
		members.need(field, "type", "text", about .. "'s columns")
	end
	return fields
end

--- Ask for a table.
---@param client syncrun.BigQueryClient
---@param path string of the table
---@param context table for messages; table is its name
---@return syncrun.BigQueryTableInfo
function M.get(client, path, context)
	local res, about = client:call({ path = path }, context), ("table '%s'"):format(context.table)
	local found = err.try(res.json, res)
	local function read(name, kind) return members.read(found, name, kind, about) end
	local t = { fields = fields_of(found, about), kind = read("type", "text") or "TABLE", rows = read("numRows",
		"whole number"), bytes = read("numBytes", "whole number"), modified = read("lastModifiedTime", "whole number"),
		etag = read("etag", "text"), location = read("location", "text"),
		streaming = read("streamingBuffer", "object") ~= nil }
	t.readable = READABLE[t.kind] ~= nil
	t.version = version_of(t)
	return t
end

-- A type that the record plane does not know matters only where it is mapped.
local function type_of(field)
	local reader = err.try(rows.bigquery_reader, { field })
	return reader and reader:schema():type(field.name) or nil
end

--- A field of the schema as a column: name, type (the record plane's, nil: unknown to it), bigquery (its own type), mode.
---@param field table
---@return { name: string, type: string?, bigquery: string, mode: string }
function M.column(field)
	local mode = type(field.mode) == "string" and field.mode or "NULLABLE"
	return { name = field.name, type = type_of(field), bigquery = field.type, mode = mode }
end

return M

-- Columns that the mapping lets BigQuery cast (`cast = true`), and whether a column can become its field at all. A cast is
-- asked for as text, and where BigQuery cannot cast a value its own text comes instead: so a value that is none is its
-- contact's error, not the query's. Knows no HTTP.
local err = require "syncrun.err"
local rows = require "syncrun.rows"
local said = require "syncrun.systems.bigquery.said"

local M = {}

-- The field's type -> BigQuery's, and the BigQuery types that it casts to it (docs: conversion_functions). A TIMESTAMP is
-- taken apart, and everything else put together, in UTC.
local TO = {
	timestamp = { "TIMESTAMP", { STRING = true, DATE = true, DATETIME = true } },
	datetime = { "DATETIME", { STRING = true, DATE = true, TIMESTAMP = true } },
	date = { "DATE", { STRING = true, DATETIME = true, TIMESTAMP = true } },
	time = { "TIME", { STRING = true, DATETIME = true, TIMESTAMP = true } },
	bool = { "BOOL", { STRING = true, INTEGER = true, INT64 = true } },
}

-- The canonical text of a value of BigQuery's type.
local TEXT = {
	TIMESTAMP = "FORMAT_TIMESTAMP('%%E4Y-%%m-%%dT%%H:%%M:%%E6SZ', %s)", DATETIME = "CAST(%s AS STRING)",
	DATE = "CAST(%s AS STRING)", TIME = "CAST(%s AS STRING)", BOOL = "CAST(%s AS STRING)",
}

--- A column cast to the type, as text.
---@param quoted string the column
---@param type_ syncrun.ColumnType
---@return string SQL
function M.text(quoted, type_)
	local safe = ("SAFE_CAST(%s AS %s)"):format(quoted, TO[type_][1])
	return ("IFNULL(%s, CAST(%s AS STRING))"):format(TEXT[TO[type_][1]]:format(safe), quoted)
end

--- A column cast to the type, NULL where that is impossible.
---@param quoted string the column
---@param type_ syncrun.ColumnType
---@return string SQL
function M.value(quoted, type_)
	return ("SAFE_CAST(%s AS %s)"):format(quoted, TO[type_][1])
end

-- A value, not a list or a record: what a plan can cast.
local function is_single(column)
	return column.mode ~= "REPEATED" and column.bigquery ~= "RECORD" and column.bigquery ~= "STRUCT"
end

local function is_castable(column, type_)
	return TO[type_] ~= nil and is_single(column) and TO[type_][2][column.bigquery] == true
end

local function fits(column, field)
	if not is_single(column) then return field.type == "json" end
	local plan = { { name = "x", type = field.type, from = "x" } }
	return err.try(rows.plan, rows.schema { { "x", column.type } }, plan) ~= nil
end

local function kind_of(column)
	local kind = said(column.bigquery, 60)
	return column.mode == "REPEATED" and "REPEATED " .. kind or kind
end

local CANNOT = "the column '%s' is %s, which BigQuery cannot cast to %s as the mapping's field '%s' asks; map a view"
local MISFIT = "the column '%s' is %s, which is no %s for the mapping's field '%s'; %s"
local LET_CAST = "cast = true in that field lets BigQuery cast it (in UTC), a view otherwise"
local OTHERWISE = "give the field another type, or map a view"

--- Why a column cannot become a field of the mapping, and what helps; nil when it can.
---@param column { name: string, type: string?, bigquery: string, mode: string }
---@param field syncrun.Field
---@return string?
function M.misfit(column, field)
	local castable = is_castable(column, field.type)
	if field.cast and not castable and column.type ~= field.type then
		return CANNOT:format(column.name, kind_of(column), TO[field.type][1], field.name)
	elseif field.cast or fits(column, field) then
		return nil
	end
	return MISFIT:format(column.name, kind_of(column), field.type, field.name, castable and LET_CAST or OTHERWISE)
end

--- What the mapping lets BigQuery cast: column -> type.
---@param mapping syncrun.Mapping?
---@return table<string, syncrun.ColumnType>
function M.of(mapping)
	local casts = {}
	for _, field in ipairs(mapping and mapping.fields or {}) do
		if field.cast then casts[field.source] = field.type end
	end
	return casts
end

return M

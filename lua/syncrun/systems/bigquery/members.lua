-- The members of a decoded answer, each of the type that BigQuery gives it: what comes from outside is checked where it
-- enters. Knows no particular answer.
local errors = require "syncrun.systems.bigquery.errors"
local json = require "syncrun.json"

local M = {}

local function is_object(value)
	return type(value) == "table" and not json.is_array(value)
end

-- The value as it is used, nil when it is of another type. Whole numbers travel as text.
local READ = {
	text = function(value) return type(value) == "string" and value or nil end,
	["whole number"] = function(value) return math.tointeger(tonumber(value)) end,
	object = function(value) return is_object(value) and value or nil end,
	list = function(value) return json.is_array(value) and value or nil end,
}

--- Read a member; null and absent are nil. Raises when it is of another type.
---@param object any a decoded answer, or a part of one
---@param name string
---@param kind "text"|"whole number"|"object"|"list"
---@param about string whose it is, for the message: "table 'a.b'"
---@return any
function M.read(object, name, kind, about)
	if not is_object(object) then
		errors.raise_shape("BigQuery's answer about %s is no object; is the URL right?", about)
	end
	local value = object[name]
	if value == nil or value == json.null then return nil end
	local out = READ[kind](value)
	if out == nil then
		errors.raise_shape("BigQuery's answer about %s has a '%s' that is no %s; is the URL right?", about, name, kind)
	end
	return out
end

--- The same of a member that must be there.
---@return any
function M.need(object, name, kind, about)
	local value = M.read(object, name, kind, about)
	if value == nil then errors.raise_shape("BigQuery's answer about %s has no '%s'; is the URL right?", about, name) end
	return value
end

return M

--- What scripts hand to the primitives, checked in one way: an unknown option or a value of another type is an error of the
--- script's own line, with what may have been meant.
local err = require "syncrun.err"
local shape = require "syncrun.shape"

local M = {}

local shapes = {} -- of the types of an argument, by their list

--- An argument has one of these types (see syncrun.shape; "any" for all).
---@param what string the function: "task.map"
---@param name string the argument's
---@param value any
---@param types string[]
function M.check(what, name, value, types)
	shapes[types] = shapes[types] or { types = types }
	local problem = shape.problem(value, shapes[types])
	if problem then err.misuse("%s: %s %s", what, name, problem.text) end
end

--- A statement of SQL is text.
---@param sql any
---@return string
function M.sql(sql)
	if type(sql) ~= "string" then err.misuse("a statement is text, not %s", shape.kind(sql)) end
	return sql
end

--- The options of a call: the table that was given, or an empty one.
---@param what string the function
---@param options table?
---@param known syncrun.Shape a table with these fields
---@return table
function M.options(what, options, known)
	if options == nil then return {} end
	local problem = shape.problem(options, known)
	if not problem then return options end
	if problem.path == "" then err.misuse("%s: the options are %s", what, problem.text:gsub("^is ", "")) end
	if problem.unknown then err.misuse("%s: unknown option '%s'%s", what, problem.path, problem.text) end
	err.misuse("%s: the option '%s' %s", what, problem.path, problem.text)
end

return M

--- What makes a contact valid (scripts/contacts/checks.lua): the declaration is checked against the mapping here, so that a
--- slip of it hides no difference; and its rules on the source's record are asked. Knows no system.
local err = require "syncrun.err"
local near = require "syncrun.near"
local visible = require "syncrun.visible"
local script = require "syncrun.script"
local shape = require "syncrun.shape"

local M = {}

---@class syncrun.Checks
---@field exists boolean whether absence, and being there twice, is an issue
---@field name boolean whether the name is compared
---@field fields boolean|string[] which fields are compared
---@field contact (fun(contact: syncrun.Row): string?)[]
local Checks = {}
Checks.__index = Checks


local SHAPE = {
	types = { "table" },
	fields = {
		exists = { types = { "boolean" } },
		name = { types = { "boolean" } },
		fields = { types = { "boolean", "list" }, words = "true, false or a list of fields", filled = true,
			items = { types = { "text" } } },
		contact = { types = { "list" }, words = "a list of functions", items = { types = { "function" } } },
	},
}

local function fail(where, format, ...)
	err.raisef("config", "the checks '%s': " .. format, where, ...)
end

-- Every field of the list is one of the mapping, and is not left out by `name`.
local function check_fields(declared, mapping, where)
	if type(declared.fields) ~= "table" then return end
	for _, name in ipairs(declared.fields) do
		if not mapping.by_name[name] then
			fail(where, "the mapping has no field '%s'%s", name, near.hint(name, mapping:names()))
		elseif name == mapping.name and declared.name == false then
			fail(where, "'%s' is among 'fields', and 'name' is false; which is meant?", name)
		end
	end
end

local function or_true(value)
	return value == nil or value
end

--- Check a declaration against the mapping.
---@param declared table
---@param mapping syncrun.Mapping
---@param where string its file, for messages
---@return syncrun.Checks
function M.compile(declared, mapping, where)
	local problem = shape.problem(declared, SHAPE)
	if problem and problem.unknown then fail(where, "unknown key '%s'%s", problem.path, problem.text) end
	if problem then fail(where, "'%s' %s", problem.path, problem.text) end
	check_fields(declared, mapping, where)
	return setmetatable({
		exists = or_true(declared.exists), name = or_true(declared.name), fields = or_true(declared.fields),
		contact = declared.contact or {}, mapping = mapping,
	}, Checks)
end

--- Load a declaration and check it against the mapping.
---@param name string module or path
---@param mapping syncrun.Mapping
---@return syncrun.Checks
function M.load(name, mapping)
	return M.compile(script.load(name, "checks"), mapping, name)
end

--- Whether this field is included: a difference in another is no finding.
---@param name string of the mapping's field
---@return boolean
function Checks:includes(name)
	if name == self.mapping.name then return self.name end
	if type(self.fields) ~= "table" then return self.fields end
	for _, wanted in ipairs(self.fields) do
		if wanted == name then return true end
	end
	return false
end

--- What these checks leave out, in words for the report; empty when everything is compared.
---@return string[]
function Checks:left_out()
	local list, fields = {}, {}
	for _, field in ipairs(self.mapping.fields) do
		if field.name ~= self.mapping.key and not self:includes(field.name) then fields[#fields + 1] = field.name end
	end
	if not self.exists then list[1] = "Not compared, by the checks: whether a contact is there, and only once" end
	if #fields > 0 then list[#list + 1] = "Not compared, by the checks: " .. table.concat(fields, ", ") end
	return list
end

-- ---- the rules on the source's record

local function place_of(rule)
	local info = debug.getinfo(rule, "S")
	return ("%s:%d"):format(info.short_src, info.linedefined)
end

local function failure(rule, e)
	if e.kind == "cancelled" or e.kind == "limit" then err.raise(e) end
	local has_place = e.kind == "script" or e.code == "call"
	local place = has_place and "" or ", in the check at " .. place_of(rule)
	return ("a check failed (%s%s)"):format(visible.excerpt(e.message), place)
end

-- A rule returns nothing, or a text. Anything else may be a no that is not seen, as `return false`.
local function answer(rule, contact)
	local said, e = err.try(function() return table.pack(rule(contact)) end)
	if not said then return failure(rule, e) end
	if type(said[1]) == "string" and said[1] ~= "" then return visible.excerpt(said[1]) end
	for i = 1, said.n do
		if said[i] ~= nil then
			return ("the check at %s returned %s; it returns nil, or a text that says what is wrong"):format(place_of(rule),
				i > 1 and "a second value" or said[i] == "" and "an empty text" or shape.kind(said[i]))
		end
	end
end

--- What is wrong with a contact by the rules on the source's record. A rule judges: one that fails is an issue too.
---@param contact syncrun.Row of the model
---@return string[]
function Checks:issues(contact)
	local list = {}
	for _, rule in ipairs(self.contact) do list[#list + 1] = answer(rule, contact) end
	return list
end

return M

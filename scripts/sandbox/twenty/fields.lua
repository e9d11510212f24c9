-- Changing the model through either metadata API: what is checked, and the reports Twenty answers when a check fails.
-- A report is raised as a MetadataError, which REST and GraphQL dress differently. Knows no transport.
local crypto = require "syncrun.crypto"
local js = require "sandbox.twenty.jsvalue"
local metadata = require "sandbox.twenty.metadata"
local role = require "sandbox.twenty.role"

local M = {}

local MetadataError = {}

---@param e any
---@return boolean
function M.is_error(e) return getmetatable(e) == MetadataError end

local function fail(e) error(setmetatable(e, MetadataError), 0) end

--- Raise unless the role of the key may look at the model through REST, or change it.
---@param md table
function M.need_model(md)
	if md.role.model then return end
	fail { status = 403, code = "PERMISSION_DENIED", message = role.DENIED,
		gql = { code = "FORBIDDEN", subCode = "PERMISSION_DENIED", user = "User does not have permission." } }
end

local views = { "20202020-a002-4a02-8a02-ae0a1ea12001", "20202020-a002-4a02-8a02-ae0a1ea11a00" }

local function entry(problems, information, name, kind)
	return js.from_pairs { { "status", "fail" }, { "errors", js.array(problems) },
		{ "flatEntityMinimalInformation", information }, { "metadataName", name }, { "type", kind } }
end

local function view_entry(view, field_identifier)
	local problem = js.from_pairs { { "code", "INVALID_VIEW_DATA" }, { "message", "Field metadata not found" },
		{ "userFriendlyMessage", "Field metadata not found" } }
	return entry({ problem }, js.from_pairs { { "universalIdentifier", crypto.uuid() },
		{ "viewUniversalIdentifier", view }, { "fieldMetadataUniversalIdentifier", field_identifier } }, "viewField",
		"create")
end

local function v1_message(name, code)
	if code == "INVALID_FIELD_INPUT" then return name .. " should be in camelCase" end
	return "Name '" .. name .. "' is not available, check that it is not duplicating another field's name."
end

-- The report of a refused field; a refused creation drags its two view columns along.
local function refuse(object, name, problem, kind)
	local identifier, report = crypto.uuid(), js.object()
	js.set(report, "fieldMetadata", js.array { entry({ problem }, js.from_pairs { { "universalIdentifier", identifier },
		{ "name", name }, { "objectMetadataUniversalIdentifier", object.universalIdentifier } }, "fieldMetadata", kind) })
	local summary = js.from_pairs { { "totalErrors", kind == "create" and 3.0 or 1.0 }, { "fieldMetadata", 1.0 } }
	local message = "Validation failed for 1 fieldMetadata"
	if kind == "create" then
		js.set(report, "viewField", js.array { view_entry(views[1], identifier), view_entry(views[2], identifier) })
		js.set(summary, "viewField", 2.0)
		message = message .. ", 2 viewFields"
	end
	fail { message = "Multiple validation errors occurred while " .. (kind == "create" and "creating" or "updating")
		.. " fields", report = report, summary = summary, user = "Many validation errors", detail = message,
		v1_message = v1_message(name, js.get(problem, "code")) }
end

local function refuse_missing(message, code, text, user, kind)
	local problem = js.from_pairs { { "code", code }, { "message", text }, { "userFriendlyMessage", user } }
	local report = js.from_pairs { { "fieldMetadata", js.array { js.from_pairs { { "errors", js.array { problem } },
		{ "type", kind }, { "metadataName", "fieldMetadata" },
		{ "flatEntityMinimalInformation", js.from_pairs { { "id", "" } } } } } } }
	fail { message = message, report = report, user = user, detail = "Validation failed for 1 fieldMetadata",
		summary = js.from_pairs { { "totalErrors", 1.0 }, { "fieldMetadata", 1.0 } } }
end

--- Creates a field from an input object.
---@param md table
---@param input table
---@return table field
function M.create(md, input)
	local object = md.by_id[js.get(input, "objectMetadataId")]
	if not object then
		refuse_missing("Multiple validation errors occurred while creating field", "OBJECT_METADATA_NOT_FOUND",
			"Provided object metadata id does not exist", "Created field metadata, parent object metadata not found", "create")
	end
	local name, kind = js.get(input, "name"), js.get(input, "type")
	local problem = metadata.check(object, name, kind, js.get(input, "options"))
	if problem then refuse(object, name, problem, "create") end
	return md:add_field(object, input)
end

--- Changes a field.
---@param md table
---@param id string
---@param update table
---@return table field
function M.update(md, id, update)
	local field, object = md:find_field(id)
	if not field then
		refuse_missing("Validation errors occurred while updating field", "FIELD_METADATA_NOT_FOUND",
			"Field metadata to update not found", "Field metadata to update not found", "update")
	end
	local name = js.get(update, "name")
	local options = js.get(update, "options")
	local kind = options ~= nil and field.type or "TEXT"
	if (name ~= nil and name ~= field.name) or options ~= nil then
		local problem = metadata.check(object, name or field.name, kind, options, field)
		if problem then refuse(object, name or field.name, problem, "update") end
	end
	if not md:change_field(object, field, update) then
		fail { migration = true, user = "Migration execution failed.", message = "Migration action 'create' for 'index' "
			.. "(universalIdentifier: " .. crypto.uuid() .. ") failed" }
	end
	return field
end

--- Deletes a custom field; returns what it was.
---@param md table
---@param id string
---@return table field
function M.delete(md, id)
	local field, object = md:find_field(id)
	if not field then
		fail { status = 404, code = "FIELD_METADATA_NOT_FOUND", message = "Field to delete not found",
			gql = { code = "NOT_FOUND", subCode = "FIELD_METADATA_NOT_FOUND" } }
	end
	if not field.custom then
		fail { status = 403, code = "FIELD_MUTATION_NOT_ALLOWED",
			message = 'Cannot delete standard field "' .. field.name .. '"',
			gql = { code = "FORBIDDEN", subCode = "FIELD_MUTATION_NOT_ALLOWED" } }
	end
	md:remove_field(object, field)
	return field
end

--- The REST answer to a MetadataError.
---@param e table
---@param v1 boolean? in the words of the release of June 2025
---@return integer status, string body
function M.rest_answer(e, v1)
	if v1 and e.v1_message then
		return 400, js.encode(js.from_pairs { { "statusCode", 400.0 }, { "messages", js.array { e.v1_message } },
			{ "error", "Bad Request" } })
	end
	if e.migration then return 500, js.encode(e.message) end
	if e.status then
		return e.status, js.encode(js.from_pairs { { "statusCode", e.status + 0.0 }, { "error", "Error" },
			{ "messages", js.array { e.message } }, { "code", e.code } })
	end
	return 400, js.encode(js.from_pairs { { "statusCode", 400.0 }, { "error", "METADATA_VALIDATION_ERROR" },
		{ "message", e.message }, { "errors", e.report }, { "summary", e.summary }, { "userFriendlyMessage", e.user } })
end

--- The GraphQL error entry of a MetadataError.
---@param e table
---@return table
function M.graphql_entry(e)
	local ext
	if e.report then
		ext = js.from_pairs { { "code", "METADATA_VALIDATION_FAILED" }, { "errors", e.report }, { "summary", e.summary },
			{ "userFriendlyMessage", e.user }, { "message", e.detail } }
	elseif e.migration then
		ext = js.from_pairs { { "code", "INTERNAL_SERVER_ERROR" }, { "userFriendlyMessage", e.user } }
	else
		ext = js.from_pairs { { "subCode", e.gql.subCode }, { "userFriendlyMessage", e.gql.user or "An error occurred." },
			{ "code", e.gql.code } }
	end
	return js.from_pairs { { "message", e.message }, { "extensions", ext } }
end

return M

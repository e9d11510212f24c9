-- The REST metadata API: /rest/metadata/objects and /rest/metadata/fields. Request in, answer out; not rate limited.
-- Knows no sockets.
local catalog = require "sandbox.twenty.catalog"
local fields = require "sandbox.twenty.fields"
local js = require "sandbox.twenty.jsvalue"
local metadata = require "sandbox.twenty.metadata"
local values = require "sandbox.twenty.values"

local M = {}

local default_limit, max_limit = 60, 200

local function wrapped(name, value)
	return js.encode(js.from_pairs { { "data", js.from_pairs { { name, value } } } })
end

local function nest_error(status, kind, message)
	return status, js.encode(js.from_pairs { { "message", message }, { "error", kind }, { "statusCode", status + 0.0 } })
end

local function page(items, args, view, name)
	local limit = math.min(math.tointeger(tonumber(args.limit or default_limit)) or default_limit, max_limit)
	local from = 1
	for i, item in ipairs(items) do
		if item.id == args.starting_after then from = i + 1 end
	end
	local list = js.array()
	for i = from, math.min(#items, from + limit - 1) do list[#list + 1] = view(items[i]) end
	local first, last = items[from], items[from + #list - 1]
	return 200, js.encode(js.from_pairs { { "data", js.from_pairs { { name, list } } },
		{ "pageInfo", js.from_pairs { { "hasNextPage", from + #list <= #items },
			{ "startCursor", #list > 0 and first.id or js.null }, { "endCursor", #list > 0 and last.id or js.null } } },
		{ "totalCount", #items + 0.0 } })
end

local function objects(md, req, id)
	if req.method ~= "GET" then return nest_error(404, "Not Found", "Cannot " .. req.method .. " " .. req.target) end
	if not id then
		return page(md.objects, req.args, function(object) return metadata.object_view(md, object) end, "objects")
	end
	local object = md.by_id[id]
	if not object then
		return 404, js.encode(js.from_pairs { { "statusCode", 404.0 }, { "error", "Error" },
			{ "messages", js.array { "Object not found" } }, { "code", "OBJECT_METADATA_NOT_FOUND" } })
	end
	return 200, wrapped("object", metadata.object_view(md, object))
end

local function all_fields(md)
	local list = {}
	for _, object in ipairs(md.objects) do table.move(object.fields, 1, #object.fields, #list + 1, list) end
	return list
end

local function known_type(kind)
	for _, name in ipairs(catalog.types) do
		if name == kind then return true end
	end
	return false
end

-- What class-validator says of a new field's body.
local function dto_problems(body)
	local list = js.array()
	local function get(key) return js.get(body, key) end
	if not known_type(get "type") then
		list[#list + 1] = "type must be one of the following values: " .. table.concat(catalog.types, ", ")
	end
	for _, key in ipairs { "name", "label" } do
		local v = get(key)
		if v == nil or v == js.null or v == "" then list[#list + 1] = key .. " should not be empty" end
		if type(v) ~= "string" then list[#list + 1] = key .. " must be a string" end
	end
	if not values.is_uuid(get "objectMetadataId") then list[#list + 1] = "objectMetadataId must be a UUID" end
	return #list > 0 and list or nil
end

local function create(md, body)
	local problems = dto_problems(body)
	if problems then return nest_error(400, "Bad Request", problems) end
	return 201, wrapped("createOneField", metadata.changed_view(fields.create(md, body), md.v1))
end

local function one_field(md, req, id)
	if req.method == "GET" then
		local field = md:find_field(id)
		if field then return 200, wrapped("field", metadata.field_view(field, md.v1)) end
		return 404, js.encode(js.from_pairs { { "statusCode", 404.0 }, { "error", "Error" },
			{ "messages", js.array { "Field not found" } }, { "code", "FIELD_METADATA_NOT_FOUND" } })
	end
	if req.method == "DELETE" then
		return 200, wrapped("deleteOneField", metadata.changed_view(fields.delete(md, id), md.v1))
	end
	local update = js.is_object(req.body_value) and req.body_value or js.object()
	return 200, wrapped("updateOneField", metadata.changed_view(fields.update(md, id, update), md.v1))
end

--- Answers a request below /rest/metadata. `req`: method, path, target, args, body_value.
---@param md table
---@param req table
---@return integer status, string body
function M.handle(md, req)
	local kind, id = req.path:match("^/rest/metadata/(%a+)/?([^/]*)$")
	if id == "" then id = nil end
	local ok, status, body = pcall(function()
		fields.need_model(md)
		if kind == "objects" then return objects(md, req, id) end
		if kind ~= "fields" then return nest_error(404, "Not Found", "Cannot " .. req.method .. " " .. req.target) end
		if id then return one_field(md, req, id) end
		if req.method == "POST" then return create(md, req.body_value) end
		return page(all_fields(md), req.args, function(field) return metadata.field_view(field, md.v1) end, "fields")
	end)
	if ok then return status, body end
	if fields.is_error(status) then return fields.rest_answer(status, md.v1) end
	error(status, 0)
end

return M

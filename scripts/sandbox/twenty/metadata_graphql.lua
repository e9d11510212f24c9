-- POST /metadata: objects, object, fields, field and the three field mutations. Unlike /graphql this API checks the
-- document against its schema. Document in, JSON text out. Knows no sockets.
local crypto = require "syncrun.crypto"
local catalog = require "sandbox.twenty.catalog"
local fields = require "sandbox.twenty.fields"
local graphql = require "sandbox.twenty.graphql"
local js = require "sandbox.twenty.jsvalue"
local metadata = require "sandbox.twenty.metadata"
local parser = require "sandbox.twenty.graphql_parser"
local suggestions = require "sandbox.twenty.suggestions"

local M = {}

local function words(text)
	local list = {}
	for word in text:gmatch("%S+") do list[#list + 1] = word end
	return list
end

-- The types of the schema: name -> field names; a field with a sub-selection is written name:Type.
local types = {
	Query = words "object:Object objects:ObjectConnection field:Field fields:FieldConnection",
	Mutation = words "createOneField:Field updateOneField:Field deleteOneField:Field",
	ObjectConnection = words "pageInfo:PageInfo edges:ObjectEdge",
	ObjectEdge = words "node:Object cursor",
	FieldConnection = words "pageInfo:PageInfo edges:FieldEdge",
	FieldEdge = words "node:Field cursor",
	PageInfo = words "hasNextPage hasPreviousPage startCursor endCursor",
	Object = words [[id universalIdentifier nameSingular namePlural labelSingular labelPlural description icon shortcut
		color isRemote isActive isSystem isUIEditable isUICreatable isSearchable applicationId createdAt updatedAt
		labelIdentifierFieldMetadataId imageIdentifierFieldMetadataId isLabelSyncedWithName duplicateCriteria
		fieldsList:Field indexMetadataList:Index searchFieldMetadataList:Any fields:FieldConnection indexMetadatas:Any]],
	Field = words [[id universalIdentifier type name label description icon isActive isSystem isUIEditable isNullable
		isUnique defaultValue options settings objectMetadataId isLabelSyncedWithName morphId createdAt updatedAt
		applicationId relation:Any morphRelations:Any object:Object]],
	Index = words "id createdAt updatedAt name isCustom isUnique indexWhereClause indexType indexFieldMetadatas:Any",
}

local inputs = {
	CreateFieldInput = words [[type name label description icon isActive isSystem isUIEditable isUIReadOnly isNullable
		isUnique defaultValue options settings objectMetadataId isLabelSyncedWithName isRemoteCreation
		relationCreationPayload morphRelationsCreationPayload]],
	UpdateFieldInput = words [[name label description icon isActive isSystem isUIEditable isUIReadOnly isNullable isUnique
		defaultValue options settings objectMetadataId isLabelSyncedWithName morphRelationsUpdatePayload]],
}

-- Checking ---------------------------------------------------------------------------------------------------------

local function field_of(type_name, name)
	local names = {}
	for _, entry in ipairs(types[type_name] or {}) do
		local own, sub = entry:match("^([^:]+):?(.*)$")
		if own == name then return true, sub ~= "" and sub or nil end
		names[#names + 1] = own
	end
	return false, names
end

local function check(run, selection, type_name, problems)
	if type_name == "Any" then return end
	for _, f in ipairs(parser.flatten(selection, run.fragments)) do
		local known, sub = field_of(type_name, f.name)
		if f.name:find("^__") then known, sub = true, "Any" end
		if not known then
			problems[#problems + 1] = js.from_pairs { { "message", string.format('Cannot query field "%s" on type "%s".%s',
				f.name, type_name, suggestions.text(f.name, sub)) }, { "locations", js.array { js.from_pairs {
				{ "line", f.line + 0.0 }, { "column", f.column + 0.0 } } } } }
		elseif sub and f.selection then
			check(run, f.selection, sub, problems)
		end
	end
end

local InputError = {}

local function input_error(message) error(setmetatable({ message = message }, InputError), 0) end

local function contains(list, name)
	for _, item in ipairs(list) do
		if item == name then return true end
	end
	return false
end

local function check_input(input, type_name)
	for _, key in ipairs(js.is_object(input) and input.keys or {}) do
		if not contains(inputs[type_name], key) then
			input_error(string.format('Field "%s" is not defined by type "%s".%s', key, type_name,
				suggestions.text(key, inputs[type_name])))
		end
	end
end

local function check_new_field(input)
	check_input(input, "CreateFieldInput")
	for _, key in ipairs { "type", "name", "label", "objectMetadataId" } do
		local v = js.get(input, key)
		if v == nil or v == js.null then
			local kind = key == "type" and "FieldMetadataType" or key == "objectMetadataId" and "UUID" or "String"
			input_error(string.format('Field "%s" of required type "%s!" was not provided.', key, kind))
		end
	end
	local kind = js.get(input, "type")
	if not contains(catalog.types, kind) then
		input_error(string.format('Value "%s" does not exist in "FieldMetadataType" enum.%s', tostring(kind),
			suggestions.text(tostring(kind), catalog.types, "the enum value ")))
	end
end

-- Answering --------------------------------------------------------------------------------------------------------

local select

local function array_cursor(i) return crypto.base64_encode("arrayconnection:" .. (i - 1)) end

local function offset_of(cursor)
	local ok, raw = pcall(crypto.base64_decode, cursor)
	local n = ok and raw and raw:match("^arrayconnection:(%d+)$")
	return n and math.tointeger(tonumber(n)) + 1 or 0
end

local function connection(run, f, items, view, args)
	local paging = js.get(args, "paging")
	local first, after = js.get(paging, "first"), js.get(paging, "after")
	local from = type(after) == "string" and offset_of(after) or 0
	local count = math.min(type(first) == "number" and math.floor(first) or 10, 1000)
	local edges, last = js.array(), from
	for i = from + 1, math.min(#items, from + count) do
		edges[#edges + 1] = js.from_pairs { { "node", view(items[i]) }, { "cursor", array_cursor(i) } }
		last = i
	end
	local info = js.from_pairs { { "hasNextPage", last < #items }, { "hasPreviousPage", from > 0 },
		{ "startCursor", #edges > 0 and array_cursor(from + 1) or js.null },
		{ "endCursor", #edges > 0 and array_cursor(last) or js.null } }
	return select(run, js.from_pairs { { "pageInfo", info }, { "edges", edges } }, f.selection)
end

local function matches(filter, item, names)
	for _, key in ipairs(js.is_object(filter) and filter.keys or {}) do
		local tests, own = filter.map[key], item[names[key] or key]
		for _, operator in ipairs(js.is_object(tests) and tests.keys or {}) do
			local v = tests.map[operator]
			if operator == "eq" and own ~= v then return false end
			if operator == "in" and not contains(v, own) then return false end
			if operator == "is" and own ~= v then return false end
		end
	end
	return true
end

local function filtered(items, filter, names)
	local list = {}
	for _, item in ipairs(items) do
		if matches(filter, item, names) then list[#list + 1] = item end
	end
	return list
end

select = function(run, value, selection)
	if value == nil or value == js.null then return js.null end
	if js.is_array(value) then
		local list = js.array()
		for i, item in ipairs(value) do list[i] = select(run, item, selection) end
		return list
	end
	if not selection or not js.is_object(value) then return value end
	local o = js.object()
	for _, f in ipairs(parser.flatten(selection, run.fragments)) do
		local v = value.map[f.name]
		if type(v) == "function" then v = v(f) elseif v ~= nil then v = select(run, v, f.selection) end
		js.set(o, f.alias or f.name, v == nil and js.null or v)
	end
	return o
end

-- In a fields connection isUnique reads null; in fieldsList it is right.
local function field_in_connection(field)
	local view = metadata.field_view(field)
	js.set(view, "isUnique", js.null)
	return view
end

local function index_list(object)
	local list = js.array()
	for _, field in ipairs(object.fields) do
		if field.isUnique then
			list[#list + 1] = js.from_pairs { { "name", "IDX_UNIQUE_" .. crypto.md5(object.id .. field.name):sub(1, 27) },
				{ "isUnique", true }, { "indexType", "BTREE" }, { "isCustom", field.custom == true } }
		end
	end
	return list
end

local function object_view(run, object)
	local view = metadata.object_view(run.md, object)
	js.set(view, "fieldsList", view.map.fields)
	js.set(view, "indexMetadataList", index_list(object))
	js.set(view, "fields", function(f)
		local args = parser.resolve(f.args, run.variables, run.defaults)
		return connection(run, f, object.fields, field_in_connection, args)
	end)
	return view
end

local function find_by_id(list, id)
	for _, item in ipairs(list) do
		if item.id == id then return item end
	end
end

local function every_field(md)
	local list = {}
	for _, object in ipairs(md.objects) do table.move(object.fields, 1, #object.fields, #list + 1, list) end
	return list
end

local roots = {}

function roots.objects(run, f, args)
	local names = { nameSingular = "singular", namePlural = "plural" }
	local items = filtered(run.md.objects, js.get(args, "filter"), names)
	return connection(run, f, items, function(object) return object_view(run, object) end, args)
end

function roots.object(run, f, args)
	local object = find_by_id(run.md.objects, js.get(args, "id"))
	return object and select(run, object_view(run, object), f.selection) or js.null
end

function roots.fields(run, f, args)
	return connection(run, f, filtered(every_field(run.md), js.get(args, "filter"), {}), field_in_connection, args)
end

function roots.field(run, f, args)
	local field = find_by_id(every_field(run.md), js.get(args, "id"))
	return field and select(run, metadata.field_view(field), f.selection) or js.null
end

function roots.createOneField(run, f, args)
	local input = js.get(js.get(args, "input"), "field")
	fields.need_model(run.md)
	check_new_field(input)
	return select(run, metadata.changed_view(fields.create(run.md, input)), f.selection)
end

function roots.updateOneField(run, f, args)
	local input = js.get(args, "input")
	local update = js.get(input, "update")
	fields.need_model(run.md)
	check_input(update, "UpdateFieldInput")
	return select(run, metadata.changed_view(fields.update(run.md, js.get(input, "id"), update)), f.selection)
end

function roots.deleteOneField(run, f, args)
	fields.need_model(run.md)
	local field = fields.delete(run.md, js.get(js.get(args, "input"), "id"))
	return select(run, metadata.changed_view(field), f.selection)
end

local function errors_only(list) return js.encode(js.from_pairs { { "errors", list } }) end

local function input_answer(message)
	return 400, errors_only(js.array { js.from_pairs { { "message", message }, { "extensions", js.from_pairs {
		{ "http", js.from_pairs { { "status", 400.0 } } }, { "code", "BAD_USER_INPUT" },
		{ "userFriendlyMessage", "An error occurred." } } } } })
end

local function execute(run, selection)
	local data = js.object()
	for _, f in ipairs(selection) do
		local args = parser.resolve(f.args, run.variables, run.defaults)
		local ok, value = pcall(roots[f.name], run, f, args)
		if not ok then
			if getmetatable(value) == InputError then return input_answer(value.message) end
			if not fields.is_error(value) then error(value, 0) end
			return 200, js.encode(js.from_pairs { { "errors", js.array { fields.graphql_entry(value) } },
				{ "data", js.null } })
		end
		js.set(data, f.alias or f.name, value)
	end
	return 200, js.encode(js.from_pairs { { "data", data } })
end

--- Answers a request body with a `query`.
---@param md table the model
---@param body table
---@return integer status, string text
function M.handle(md, body)
	local document, e = parser.parse(js.get(body, "query"))
	if not document then
		return 200, errors_only(js.array { js.from_pairs { { "message", e.syntax }, { "locations", js.array {
			js.from_pairs { { "line", e.line + 0.0 }, { "column", e.column + 0.0 } } } } } })
	end
	local operation = graphql.operation(document, js.get(body, "operationName"))
	if not operation then return input_answer "Must provide operation name if query contains multiple operations." end
	local run = { md = md, fragments = document.fragments, defaults = operation.defaults,
		variables = js.get(body, "variables") }
	local problems = js.array()
	check(run, operation.selection, operation.kind == "mutation" and "Mutation" or "Query", problems)
	if #problems > 0 then return 200, errors_only(problems) end
	return execute(run, parser.flatten(operation.selection, run.fragments))
end

return M

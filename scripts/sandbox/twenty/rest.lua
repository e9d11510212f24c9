-- The REST API of records: /rest/<plural>, /rest/<plural>/<id>, /rest/batch, /rest/restore, duplicates and groupBy.
-- Request in (method, segments, query, body), answer out (status, JSON text). Knows no sockets and no SQL.
local errors = require "sandbox.twenty.errors"
local filter = require "sandbox.twenty.filter"
local groups = require "sandbox.twenty.groups"
local js = require "sandbox.twenty.jsvalue"
local order = require "sandbox.twenty.order"
local relations = require "sandbox.twenty.relations"
local render = require "sandbox.twenty.render"
local values = require "sandbox.twenty.values"

local M = {}

local default_limit, max_limit = 60, 200

local function bad_path(path)
	errors.bad("Query path '" .. path .. "' invalid. Valid examples: /rest/companies/id or /rest/companies or "
		.. "/rest/batch/companies")
end

local special = { duplicates = true, groupBy = true, merge = true }

-- What a path names: {object=name, id=, action=}.
local function parse_path(req)
	local parts = {}
	for part in req.path:gsub("^/rest", "", 1):gmatch("[^/]+") do parts[#parts + 1] = part end
	if #parts > 2 or #parts == 0 then bad_path(req.path) end
	if #parts == 1 then return { object = parts[1] } end
	if parts[1] == "batch" then return { object = parts[2], action = "batch" } end
	if parts[1] == "restore" and req.method == "PATCH" then return { object = parts[2], action = "restore" } end
	if special[parts[2]] then return { object = parts[1], action = parts[2] } end
	if not values.is_uuid(parts[2]) then errors.bad("'" .. parts[2] .. "' is not a valid UUID") end
	return { object = parts[1], id = parts[2]:lower() }
end

local function find_object(ctx, name)
	local object = ctx.metadata.by_plural[name]
	if object then return object end
	local singular = ctx.metadata.by_singular[name]
	errors.bad("object '" .. name .. "' not found. " .. (singular and "Did you mean '" .. singular.plural .. "'?"
		or "eg: companies"))
end

-- Parameters -------------------------------------------------------------------------------------------------------

local function limit_of(args)
	local text = args.limit
	if not text or text == "" then return default_limit end
	local n = tonumber(text:match("^%s*([+-]?[%d.]+)%s*$"))
	if not n or n < 0 then errors.bad("limit '" .. text .. "' is invalid. Should be an integer") end
	return math.min(math.ceil(n), max_limit)
end

local function depth_of(args)
	local text = args.depth
	if not text or text == "" then return 0 end
	local n = tonumber(text)
	if n ~= 0 and n ~= 1 then
		errors.bad("'depth=" .. text .. "' parameter invalid. Allowed values are 0, 1")
	end
	return n
end

local function filter_of(args)
	if args.filter == nil then return nil end
	return filter.parse(args.filter)
end

local function is_true(text) return text == "true" end

local function wants_upsert(ctx, args) return is_true(args.upsert) and not ctx.metadata.v1 end

-- Rendering --------------------------------------------------------------------------------------------------------

local function reader_of(ctx, object, args)
	if depth_of(args) == 0 then return render.record(object) end
	return relations.deep_record(ctx, object)
end

local function each(rows, reader)
	local out = {}
	for i, row in ipairs(rows) do out[i] = reader(row) end
	return "[" .. table.concat(out, ",") .. "]"
end

local function data(name, text) return '{"data":{' .. js.quote(name) .. ":" .. text .. "}}" end

local function capitalised(name) return name:sub(1, 1):upper() .. name:sub(2) end

local function one_name(verb, object) return verb .. capitalised(object.singular) end
local function many_name(verb, object) return verb .. capitalised(object.plural) end

local function page_info(list)
	return js.encode(js.from_pairs { { "startCursor", list.first or js.null }, { "endCursor", list.last or js.null },
		{ "hasNextPage", list.next == true }, { "hasPreviousPage", list.previous == true } })
end

-- Handlers ---------------------------------------------------------------------------------------------------------

local function list(ctx, object, args)
	local reader = reader_of(ctx, object, args)
	local limit = limit_of(args)
	local sort = order.from_text(object, args.order_by ~= "" and args.order_by or nil)
	local tree = filter_of(args)
	if args.starting_after and args.ending_before then errors.bad("Cannot provide both before and after") end
	local texts = {}
	local page = ctx.records:page(object, { filter = tree, order = sort, limit = limit, after = args.starting_after,
		before = args.ending_before }, function(row) texts[#texts + 1] = reader(row) end)
	local info = { next = page.more and not page.backward, previous = page.more and page.backward }
	if page.first then info.first, info.last = order.cursor(sort, page.first), order.cursor(sort, page.last) end
	return 200, '{"data":{' .. js.quote(object.plural) .. ":[" .. table.concat(texts, ",") .. ']},"totalCount":'
		.. ctx.records:count(object, tree) .. ',"pageInfo":' .. page_info(info) .. "}"
end

local function get_one(ctx, object, args, id)
	local reader = reader_of(ctx, object, args)
	return 200, data(object.singular, reader(ctx.records:get(object, id)))
end

local function create_one(ctx, object, args, body)
	if body == nil then errors.type_error("Cannot read properties of undefined (reading 'position')") end
	local reader = reader_of(ctx, object, args)
	ctx.writing()
	local ids = ctx.records:create(object, { body }, wants_upsert(ctx, args))
	return 201, data(one_name("create", object), reader(ctx.records:row(object, ids[1])))
end

local function create_many(ctx, object, args, body)
	if body == nil then errors.type_error("Cannot read properties of undefined (reading 'forEach')") end
	if not js.is_array(body) then errors.type_error("args.data.forEach is not a function") end
	local reader = reader_of(ctx, object, args)
	ctx.writing()
	local ids = ctx.records:create(object, body, wants_upsert(ctx, args))
	return 201, data(many_name("create", object), each(ctx.records:rows(object, ids), reader))
end

-- An array or no body at all has only index keys; Twenty complains about the first.
local function change_of(object, body)
	if js.is_array(body) and #body > 0 then
		errors.data(string.format("Object %s doesn't have any \"0\" field.", object.singular))
	end
	return js.is_object(body) and body or js.object()
end

local function update_one(ctx, object, args, body, id)
	local reader = reader_of(ctx, object, args)
	ctx.writing()
	local new_id = ctx.records:update(object, id, change_of(object, body))
	return 200, data(one_name("update", object), reader(ctx.records:row(object, new_id)))
end

local function update_many(ctx, object, args, body)
	local reader = reader_of(ctx, object, args)
	ctx.writing()
	local ids = ctx.records:update_many(object, filter_of(args), change_of(object, body))
	return 200, data(many_name("update", object), each(ctx.records:rows(object, ids), reader))
end

local function id_only(row) return '{"id":' .. js.quote(row.id) .. "}" end

local function delete_one(ctx, object, args, id)
	ctx.writing()
	if is_true(args.soft_delete) then
		ctx.records:delete(object, id)
		return 200, data(one_name("delete", object), render.record(object)(ctx.records:row(object, id)))
	end
	return 200, data(one_name("delete", object), id_only(ctx.records:destroy(object, id)))
end

local function delete_many(ctx, object, args)
	local tree = filter_of(args)
	ctx.writing()
	if is_true(args.soft_delete) then
		local ids = ctx.records:delete_many(object, tree)
		return 200, data(many_name("delete", object), each(ctx.records:rows(object, ids), render.record(object)))
	end
	if not tree then
		errors.bad("Filters are mandatory for bulk destroy operations. Please provide at least one filter to prevent "
			.. "accidental deletion of all records.", "INVALID_QUERY_INPUT")
	end
	return 200, data(many_name("delete", object), each(ctx.records:destroy_many(object, tree), id_only))
end

local function restore_many(ctx, object, args)
	ctx.writing()
	local ids = ctx.records:restore_many(object, filter_of(args))
	return 200, data(many_name("restore", object), each(ctx.records:rows(object, ids), render.record(object)))
end

local function duplicates(ctx, object, body)
	local out = {}
	for i, rows in ipairs(ctx.records:duplicates(object, js.get(body, "data"), js.get(body, "ids"))) do
		local sort, info = order.from_text(object), {}
		if rows[1] then info.first, info.last = order.cursor(sort, rows[1]), order.cursor(sort, rows[#rows]) end
		out[i] = "{" .. js.quote(object.singular .. "Duplicates") .. ":" .. each(rows, render.record(object))
			.. ',"totalCount":' .. #rows .. ',"pageInfo":' .. page_info(info) .. "}"
	end
	return 200, '{"data":[' .. table.concat(out, ",") .. "]}"
end

local function group_by(ctx, object, args)
	local keys = args.group_by and js.decode(args.group_by)
	if not js.is_array(keys) then
		errors.bad("Invalid group_by query parameter - should be a valid array of objects - ex: [{\"firstField\": true}, "
			.. "{\"secondField\": {\"subField\": true}}, {\"dateField\": {\"granularity\": 'DAY'}}]")
	end
	local aggregates = args.aggregate and js.decode(args.aggregate) or js.array()
	return 200, groups.rest(ctx, object, keys, aggregates, filter_of(args), args.limit and limit_of(args))
end

local function collection(ctx, object, req, place)
	local method, args, body = req.method, req.args, req.body_value
	if place.action == "batch" and method == "POST" then return create_many(ctx, object, args, body) end
	if place.action == "restore" then return restore_many(ctx, object, args) end
	if place.action == "duplicates" and method == "POST" then return duplicates(ctx, object, body) end
	if place.action == "groupBy" and method == "GET" then return group_by(ctx, object, args) end
	if method == "GET" or method == "HEAD" then return list(ctx, object, args) end
	if method == "POST" then return create_one(ctx, object, args, body) end
	if method == "DELETE" then return delete_many(ctx, object, args) end
	return update_many(ctx, object, args, body)
end

local rights = { GET = "read", HEAD = "read", DELETE = "delete" }

--- Answers a request for records; raises API errors. `req`: method, path, args (last value of each parameter, several
--- joined by a comma), body_value (JavaScript value or nil).
---@param ctx table records, metadata, writing()
---@param req table
---@return integer status, string body
function M.handle(ctx, req)
	local place = parse_path(req)
	local object = find_object(ctx, place.object)
	ctx.metadata.role:need(object, rights[req.method] or "update")
	if not place.id then return collection(ctx, object, req, place) end
	if req.method == "GET" or req.method == "HEAD" then return get_one(ctx, object, req.args, place.id) end
	if req.method == "DELETE" then return delete_one(ctx, object, req.args, place.id) end
	if req.method == "POST" then return create_one(ctx, object, req.args, req.body_value) end
	return update_one(ctx, object, req.args, req.body_value, place.id)
end

return M

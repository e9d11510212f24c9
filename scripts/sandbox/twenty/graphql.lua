-- POST /graphql: the records, executed directly from the selection as Twenty does it (loose about names and types,
-- strict about root fields). Document in, JSON text out. Knows no sockets and no SQL.
local errors = require "sandbox.twenty.errors"
local groups = require "sandbox.twenty.groups"
local js = require "sandbox.twenty.jsvalue"
local order = require "sandbox.twenty.order"
local parser = require "sandbox.twenty.graphql_parser"
local relations = require "sandbox.twenty.relations"
local render = require "sandbox.twenty.render"
local values = require "sandbox.twenty.values"

local M = {}

local default_first, max_roots = 200, 20

local function capitalised(name) return name:sub(1, 1):upper() .. name:sub(2) end

-- Selections -------------------------------------------------------------------------------------------------------

local function check_directives(field)
	for _, d in ipairs(field.directives or {}) do
		local condition = d.args.map["if"]
		if parser.is_variable(condition) then
			errors.type_error("Cannot read properties of undefined (reading '" .. condition.variable .. "')")
		end
		if (d.name == "include" and condition == false) or (d.name == "skip" and condition == true) then return false end
	end
	return true
end

local function chosen(run, selection)
	local list = {}
	for _, field in ipairs(parser.flatten(selection or {}, run.fragments)) do
		if check_directives(field) then list[#list + 1] = field end
	end
	return list
end

local function null() return "null" end

local record_reader

local function composite_reader(run, field, selection)
	if not selection then return render.field(field) end
	local members = {}
	for _, f in ipairs(chosen(run, selection)) do
		local part = f.name == "__typename" and function() return js.quote(capitalised(field.type:lower())) end
			or render.part(field, f.name)
		members[#members + 1] = { f.name, part or null }
	end
	return render.object(members)
end

local function too_complex()
	errors.bad("Query complexity is too high. One-to-Many relation cannot be nested in another One-to-Many relation.",
		"TOO_COMPLEX_QUERY")
end

local function many_reader(run, object, field, selection, inside_many)
	if inside_many then too_complex() end
	local target = run.ctx.metadata.by_plural[field.name]
	local node
	for _, f in ipairs(chosen(run, selection)) do
		if f.name == "edges" then
			for _, g in ipairs(chosen(run, f.selection)) do
				if g.name == "node" then node = g end
			end
		end
	end
	local reader = target and node and record_reader(run, target, node.selection, true)
	return function(row)
		if not reader then return '{"edges":[]}' end
		local out = {}
		for i, other in ipairs((relations.many(run.ctx, object, field, row))) do
			out[i] = '{"node":' .. reader(other) .. "}"
		end
		return '{"edges":[' .. table.concat(out, ",") .. "]}"
	end
end

local function one_reader(run, field, selection, inside_many)
	local target = run.ctx.metadata.by_singular[field.name]
	if not target then return null end
	local reader = record_reader(run, target, selection, inside_many)
	return function(row)
		local other = relations.one(run.ctx, field, row)
		return other and reader(other) or "null"
	end
end

local function field_reader(run, object, f, inside_many)
	if f.name == "__typename" then
		local name = js.quote(capitalised(object.singular))
		return function() return name end
	end
	local join = object.by_column[f.name]
	local field = object.by_name[f.name]
	if not field and join and join.column.join then return render.field { type = "UUID", columns = { join.column } } end
	if not field then return null end
	if field.type ~= "RELATION" then
		if #field.columns > 1 then return composite_reader(run, field, f.selection) end
		return render.field(field)
	end
	if field.columns[1] then return one_reader(run, field, f.selection, inside_many) end
	return many_reader(run, object, field, f.selection, inside_many)
end

record_reader = function(run, object, selection, inside_many)
	local members, seen = {}, {}
	for _, f in ipairs(chosen(run, selection)) do
		if not seen[f.name] then
			seen[f.name] = true
			members[#members + 1] = { f.name, field_reader(run, object, f, inside_many) }
		end
	end
	return render.object(members)
end

-- Rights -----------------------------------------------------------------------------------------------------------

local rights = { create = "update", update = "update", restore = "delete", delete = "delete", destroy = "delete" }

local function names_of(run, selection)
	local names = {}
	for i, f in ipairs(chosen(run, selection)) do names[i] = f.name end
	return names
end

local function inputs_of(args)
	local data = js.get(args, "data")
	if js.is_array(data) then return data end
	return js.is_object(data) and { data } or {}
end

-- What the role of the key must have for a mutation; an upsert of nobody only reads.
local function check_role(run, object, f, verb, args)
	local role, list, upsert = run.ctx.metadata.role, inputs_of(args), js.get(args, "upsert") == true
	if #list > 0 or not upsert then role:need(object, rights[verb]) end
	role:need_to_read(object, names_of(run, f.selection))
	if rights[verb] == "update" then role:need_to_write(object, list, upsert and "upsert" or verb) end
end

-- Connections ------------------------------------------------------------------------------------------------------

local function nodes_selected(run, selection)
	local edges, node
	for _, f in ipairs(chosen(run, selection)) do
		if f.name == "edges" then edges = f end
	end
	for _, f in ipairs(edges and chosen(run, edges.selection) or {}) do
		if f.name == "node" then node = f end
	end
	return edges, node
end

-- Which order fields a cursor may hold: those the node selects.
local function selected_names(run, node)
	local names = { id = true }
	for _, f in ipairs(node and chosen(run, node.selection) or {}) do names[f.name] = true end
	return names
end

-- The reader of one edge.
local function edge_reader(run, object, edges, page)
	local members = {}
	for _, f in ipairs(chosen(run, edges.selection)) do
		if f.name == "cursor" then
			members[#members + 1] = { "cursor", function(row)
				return js.quote(order.cursor(page.order, row, page.selected))
			end }
		elseif f.name == "node" then
			members[#members + 1] = { "node", record_reader(run, object, f.selection) }
		else
			members[#members + 1] = { f.name, null }
		end
	end
	return render.object(members)
end

local function each_text(rows, reader)
	local out = {}
	for i, row in ipairs(rows) do out[i] = reader(row) end
	return "[" .. table.concat(out, ",") .. "]"
end

local function page_info_text(run, f, page)
	local first, last = page.first, page.last
	local known = { hasNextPage = page.more and not page.backward, hasPreviousPage = page.more and page.backward,
		startCursor = first and order.cursor(page.order, first, page.selected) or js.null,
		endCursor = last and order.cursor(page.order, last, page.selected) or js.null }
	local o = js.object()
	for _, g in ipairs(chosen(run, f.selection)) do
		local value = known[g.name]
		if value == nil then value = js.null end
		js.set(o, g.name, value)
	end
	return js.encode(o)
end

local function count_argument(args, name, label)
	local n = js.get(args, name)
	if n == nil or n == js.null then return nil end
	if type(n) ~= "number" or n < 0 then
		errors.bad(label .. " argument must be non-negative", "INVALID_ARGS_" .. label:upper())
	end
	return math.floor(n)
end

local function text_argument(args, name)
	local v = js.get(args, name)
	return type(v) == "string" and v ~= "" and v or nil
end

local function filter_argument(args)
	local tree = js.get(args, "filter")
	return js.is_object(tree) and tree or nil
end

-- Runs the page; `page.text` is its edges, when they are selected.
local function fetch_page(run, object, args, edges, node)
	local first, last = count_argument(args, "first", "First"), count_argument(args, "last", "Last")
	local after, before = text_argument(args, "after"), text_argument(args, "before")
	if after and before then errors.bad("Cannot provide both before and after", "INVALID_CURSOR") end
	if first and last then errors.bad("Cannot provide both first and last", "INVALID_ARGS_FIRST") end
	local shape = { order = order.from_argument(object, js.get(args, "orderBy")), selected = selected_names(run, node) }
	local reader, texts = edges and edge_reader(run, object, edges, shape), {}
	local page = run.ctx.records:page(object, { filter = filter_argument(args), order = shape.order,
		limit = first or last or default_first, after = after, before = before },
		reader and function(row) texts[#texts + 1] = reader(row) end)
	page.order, page.selected, page.text = shape.order, shape.selected, "[" .. table.concat(texts, ",") .. "]"
	return page
end

-- The arguments are checked even when nothing of the page is selected.
local function check_page(object, args)
	count_argument(args, "first", "First")
	count_argument(args, "last", "Last")
	order.from_argument(object, js.get(args, "orderBy"))
	local cursor = text_argument(args, "after") or text_argument(args, "before")
	if cursor then order.read_cursor(cursor) end
end

local function connection(run, object, f, args)
	local edges, node = nodes_selected(run, f.selection)
	run.ctx.metadata.role:need_to_read(object, names_of(run, node and node.selection))
	local page, aggregates, parts, done = nil, {}, {}, {}
	for _, g in ipairs(chosen(run, f.selection)) do
		if groups.aggregate(object, g.name) then aggregates[#aggregates + 1] = g.name end
		if g.name == "edges" or g.name == "pageInfo" then page = page or fetch_page(run, object, args, edges, node) end
	end
	if not page then check_page(object, args) end
	local totals = #aggregates > 0 and groups.totals(run.ctx, object, aggregates, filter_argument(args)) or {}
	for _, g in ipairs(chosen(run, f.selection)) do
		if not done[g.name] then
			local text = totals[g.name] or "null"
			if g.name == "edges" then text = page.text end
			if g.name == "pageInfo" then text = page_info_text(run, g, page) end
			if g.name == "__typename" then text = js.quote(capitalised(object.singular) .. "Connection") end
			parts[#parts + 1] = js.quote(g.name) .. ":" .. text
			done[g.name] = true
		end
	end
	return "{" .. table.concat(parts, ",") .. "}"
end

-- Root fields ------------------------------------------------------------------------------------------------------

local function missing(name, kind)
	errors.bad(string.format('Missing required argument: "%s" (%s)', name, kind), "INVALID_QUERY_INPUT")
end

local function id_argument(args)
	local id = js.get(args, "id")
	if id == nil or id == js.null then missing("id", "uuid") end
	if not values.is_uuid(id) then
		errors.coded('Value "' .. tostring(id) .. '" is not a valid UUID', "INVALID_QUERY_INPUT", "Invalid UUID format.")
	end
	return id:lower()
end

local function object_argument(args, name)
	local v = js.get(args, name)
	if not js.is_object(v) then missing(name, "object") end
	return v
end

local function one_record(run, object, f, id)
	return record_reader(run, object, f.selection)(run.ctx.records:row(object, id))
end

local function some_records(run, object, f, rows)
	return each_text(rows, record_reader(run, object, f.selection))
end

local roots = {}

function roots.find_many(run, object, f, args) return connection(run, object, f, args) end

function roots.find_one(run, object, f, args)
	local row = run.ctx.records:first(object, object_argument(args, "filter"))
	return record_reader(run, object, f.selection)(row)
end

function roots.duplicates(run, object, f, args)
	local data, ids = js.get(args, "data"), js.get(args, "ids")
	local out = {}
	for i, rows in ipairs(run.ctx.records:duplicates(object, data, ids)) do
		local page = { first = rows[1], last = rows[#rows], order = order.from_text(object), selected = { id = true },
			more = false }
		local parts = {}
		for _, g in ipairs(chosen(run, f.selection)) do
			local text = "null"
			if g.name == "edges" then text = each_text(rows, edge_reader(run, object, g, page)) end
			if g.name == "pageInfo" then text = page_info_text(run, g, page) end
			if g.name == "totalCount" then text = tostring(#rows) end
			parts[#parts + 1] = js.quote(g.name) .. ":" .. text
		end
		out[i] = "{" .. table.concat(parts, ",") .. "}"
	end
	return "[" .. table.concat(out, ",") .. "]"
end

function roots.group_by(run, object, f, args)
	local names, out = {}, {}
	for _, g in ipairs(chosen(run, f.selection)) do
		if groups.aggregate(object, g.name) then names[#names + 1] = g.name end
	end
	for i, group in ipairs(groups.groups(run.ctx, object, js.get(args, "groupBy") or {}, names, filter_argument(args))) do
		local parts = {}
		for _, g in ipairs(chosen(run, f.selection)) do
			local value = group.values[g.name]
			local text = g.name == "groupByDimensionValues" and group.dimensions or (value and value[1]) or "null"
			parts[#parts + 1] = js.quote(g.name) .. ":" .. text
		end
		out[i] = "{" .. table.concat(parts, ",") .. "}"
	end
	return "[" .. table.concat(out, ",") .. "]"
end

function roots.create_many(run, object, f, args)
	local data = js.get(args, "data")
	if js.is_object(data) then data = js.array { data } end
	if not js.is_array(data) then missing("data", "array") end
	local ids = run.ctx.records:create(object, data, js.get(args, "upsert") == true)
	return some_records(run, object, f, run.ctx.records:rows(object, run.ctx.records:answered(ids)))
end

function roots.create_one(run, object, f, args)
	local ids = run.ctx.records:create(object, { object_argument(args, "data") }, js.get(args, "upsert") == true)
	return one_record(run, object, f, ids[1])
end

function roots.update_one(run, object, f, args)
	local id = id_argument(args)
	return one_record(run, object, f, run.ctx.records:update(object, id, object_argument(args, "data")))
end

function roots.update_many(run, object, f, args)
	local ids = run.ctx.records:update_many(object, object_argument(args, "filter"), object_argument(args, "data"))
	return some_records(run, object, f, run.ctx.records:rows(object, ids))
end

function roots.delete_one(run, object, f, args)
	local id = id_argument(args)
	run.ctx.records:delete(object, id)
	return one_record(run, object, f, id)
end

function roots.delete_many(run, object, f, args)
	local ids = run.ctx.records:delete_many(object, object_argument(args, "filter"))
	return some_records(run, object, f, run.ctx.records:rows(object, ids))
end

function roots.restore_one(run, object, f, args)
	local id = id_argument(args)
	run.ctx.records:restore(object, id)
	return one_record(run, object, f, id)
end

function roots.restore_many(run, object, f, args)
	local ids = run.ctx.records:restore_many(object, object_argument(args, "filter"))
	return some_records(run, object, f, run.ctx.records:rows(object, ids))
end

function roots.destroy_one(run, object, f, args)
	return record_reader(run, object, f.selection)(run.ctx.records:destroy(object, id_argument(args)))
end

function roots.destroy_many(run, object, f, args)
	local rows = run.ctx.records:destroy_many(object, object_argument(args, "filter"))
	return some_records(run, object, f, rows)
end

local verbs = { "create", "update", "delete", "restore", "destroy" }

-- The root fields of an operation kind: name -> {handler, object, verb of a mutation}.
local function root_table(metadata, kind)
	local t = {}
	for _, object in ipairs(metadata.objects) do
		if kind == "query" then
			t[object.plural] = { roots.find_many, object }
			t[object.singular] = { roots.find_one, object }
			t[object.singular .. "Duplicates"] = { roots.duplicates, object }
			t[object.plural .. "GroupBy"] = { roots.group_by, object }
		else
			for _, verb in ipairs(verbs) do
				t[verb .. capitalised(object.singular)] = { roots[verb .. "_one"], object, verb }
				t[verb .. capitalised(object.plural)] = { roots[verb .. "_many"], object, verb }
			end
		end
	end
	return t
end

-- Execution --------------------------------------------------------------------------------------------------------

local function message_only(message, line, column)
	return js.encode(js.from_pairs { { "errors", js.array { js.from_pairs { { "message", message }, { "locations",
		js.array { js.from_pairs { { "line", line + 0.0 }, { "column", column + 0.0 } } } } } } } })
end

local function user_input(message, with_data)
	local o = js.object()
	if with_data then js.set(o, "data", js.object()) end
	js.set(o, "errors", js.array { js.from_pairs { { "message", message },
		{ "extensions", js.from_pairs { { "code", "BAD_USER_INPUT" } } } } })
	return js.encode(o)
end

local function refused(fields, known, kind)
	local seen, records = {}, 0
	for _, f in ipairs(fields) do
		if known[f.name] then records = records + 1 end
	end
	for _, f in ipairs(fields) do
		if not known[f.name] and f.name ~= "__typename" then
			return message_only(string.format('Cannot query field "%s" on type "%s".', f.name, capitalised(kind)), f.line,
				f.column)
		end
	end
	if records < #fields then
		return user_input("This query cannot be executed as a single request. Please split it into separate queries.")
	end
	if #fields > max_roots then
		return user_input(string.format("Query too complex - Too many root resolvers requested: %d - Maximum allowed root "
			.. "resolvers: %d", #fields, max_roots), true)
	end
	for _, f in ipairs(fields) do
		if seen[f.name] then return user_input('Duplicate root resolver: "' .. f.name .. '"', true) end
		seen[f.name] = true
	end
end

local function run_field(run, f, root)
	run.ctx.take()
	local args = parser.resolve(f.args, run.variables, run.defaults)
	if root[3] then
		run.ctx.writing()
		check_role(run, root[2], f, root[3], args)
	end
	return root[1](run, root[2], f, args)
end

local function execute(run, fields, known)
	local parts, problems = {}, js.array()
	for i, f in ipairs(fields) do
		local ok, result = pcall(run_field, run, f, known[f.name])
		if not ok then
			if not errors.is(result) then error(result, 0) end
			if result.limited then run.ctx.refused() end
			problems[#problems + 1] = errors.graphql_entry(result)
			result = "null"
		end
		parts[i] = js.quote(f.alias or f.name) .. ":" .. result
	end
	local text = '{"data":{' .. table.concat(parts, ",") .. "}"
	if #problems > 0 then text = text .. ',"errors":' .. js.encode(problems) end
	return text .. "}"
end

--- Picks the operation to run; nil when there are several and none is named.
---@param document table
---@param name any
---@return table?
function M.operation(document, name)
	if type(name) ~= "string" then
		return #document.operations == 1 and document.operations[1] or nil
	end
	for _, operation in ipairs(document.operations) do
		if operation.name == name then return operation end
	end
end

local no_operation = "GraphQLError: Must provide operation name when document contains multiple operations."

--- Answers a request body with a `query`. `signed_in` false: a server that shows nobody any field.
---@param ctx table records, metadata, take(), writing(), refused()
---@param body table
---@param signed_in boolean
---@return integer status, string text, string? content_type
function M.handle(ctx, body, signed_in)
	local document, e = parser.parse(js.get(body, "query"))
	if not document then return 200, message_only(e.syntax, e.line, e.column) end
	local operation = M.operation(document, js.get(body, "operationName"))
	if not operation then return 500, no_operation, "text/plain;charset=UTF-8" end
	local run = { ctx = ctx, fragments = document.fragments, kind = operation.kind, defaults = operation.defaults,
		variables = js.get(body, "variables") }
	local fields = parser.flatten(operation.selection, document.fragments)
	local known = signed_in and root_table(ctx.metadata, operation.kind) or {}
	local refusal = refused(fields, known, operation.kind)
	if refusal then return 200, refusal end
	return 200, execute(run, fields, known), "application/json"
end

return M

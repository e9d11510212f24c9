-- Records together with what they are related to. Only people and companies hold rows here; every other relation is
-- empty, as in a fresh workspace. Knows no transport.
local js = require "sandbox.twenty.jsvalue"
local render = require "sandbox.twenty.render"

local M = {}

--- The row a many-to-one field points to, nil when there is none.
---@param ctx table
---@param field table
---@param row table
---@return table? row, table? object
function M.one(ctx, field, row)
	local target = ctx.metadata.by_singular[field.name]
	local id = target and row[field.columns[1].column]
	if not id then return nil, target end
	return ctx.records:row(target, id), target
end

--- The live rows a one-to-many field holds, and their object.
---@param ctx table
---@param object table
---@param field table
---@param row table
---@return table[] rows, table? object
function M.many(ctx, object, field, row)
	local target = ctx.metadata.by_plural[field.name]
	local back = target and target.by_name[object.singular]
	if not back or not back.columns[1] then return {}, target end
	local tree = js.from_pairs { { back.columns[1].column, js.from_pairs { { "eq", row.id } } } }
	return ctx.records:select(target, tree, false), target
end

local function relation_reader(ctx, object, field)
	if field.columns[1] then
		return function(row)
			local other, target = M.one(ctx, field, row)
			return other and render.record(target)(other) or "null"
		end
	end
	return function(row)
		local rows, target = M.many(ctx, object, field, row)
		local out = {}
		for i, other in ipairs(rows) do out[i] = render.record(target)(other) end
		return "[" .. table.concat(out, ",") .. "]"
	end
end

--- The reader of a record with its relations, one level deep.
---@param ctx table
---@param object table
---@return fun(row: table): string
function M.deep_record(ctx, object)
	local members = render.members(object)
	for _, field in ipairs(object.fields) do
		if field.type == "RELATION" then members[#members + 1] = { field.name, relation_reader(ctx, object, field) } end
	end
	return render.object(members)
end

return M

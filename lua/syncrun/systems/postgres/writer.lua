--- Batches to a Postgres table: one statement each, and what its answer says of every row. Knows no connection: it is handed
--- what runs on one.
local err = require "syncrun.err"
local preflight = require "syncrun.systems.postgres.preflight"
local rows = require "syncrun.rows"
local sql = require "syncrun.systems.sql"

local M = {}

local SWALLOWED = "the server took the statement, and not this row (a trigger of the table swallowed it)"

-- ---- the statement

local function cast(column, i)
	if i == 1 or column.type == "text" then return "x." .. sql.name(column.name) end
	return ("x.%s::%s"):format(sql.name(column.name), preflight.TYPES[column.type][1])
end

--- The statement that writes a page, one array a column. It returns the keys of the rows that were taken.
---@param system syncrun.PostgresSystem
---@param mode "create"|"update"
---@param written table[]? the columns; default: those that a new row gets
---@return string
function M.statement(system, mode, written)
	written = written or sql.written(system.columns, "create")
	return ("INSERT INTO %s (%s) SELECT %s FROM unnest(%s) AS x(%s) %s RETURNING %s::text AS key"):format(
		system.table, sql.list(written), sql.list(written, cast),
		sql.list(written, function(_, i) return ("$%d::text[]"):format(i) end), sql.list(written),
		sql.on_conflict(system.columns, mode), sql.name(system.columns[1].name))
end

-- ---- refusals

-- SQLSTATE classes (PostgreSQL, appendix A) that speak of the server, the connection or the statement. All others speak of
-- the rows, those that people make up in their triggers (RAISE … USING ERRCODE) included.
local OF_SYSTEM = {
	["08"] = true, ["0A"] = true, ["25"] = true, ["26"] = true, ["28"] = true, ["3B"] = true, ["3D"] = true, ["3F"] = true,
	["40"] = true, ["42"] = true, ["53"] = true, ["55"] = true, ["57"] = true, ["58"] = true, ["F0"] = true,
	["HV"] = true, ["XX"] = true,
}

-- 42501 is of the row when a policy's WITH CHECK refuses it, of the role when a right is gone.
local function lacks_rights(system)
	local found, e = err.try(system.check, system, { write = true })
	for _, problem in ipairs(found or {}) do
		if problem.exit == 3 then return problem.what end
	end
	return e and e.message
end

--- Mark an error of a write for who delivers: reject (it is about a row of the batch) or unknown (no answer came).
---@param system syncrun.PostgresSystem
---@param e syncrun.Error
function M.mark(system, e)
	local code = e.kind == "postgres" and #(e.code or "") == 5 and e.code
	e.reject = code and not OF_SYSTEM[code:sub(1, 2)] or false
	if code == "42501" then
		local why = lacks_rights(system)
		e.reject, e.message = not why, why or e.message
	end
	e.unknown = not e.reject and not e.limited and (e.retryable or e.kind == "timeout")
end

-- ---- outcomes

local function keys_of(result)
	local taken = {}
	for i = 1, result.n do taken[result[i].key] = true end
	return taken
end

local function position(found, key)
	local name = found:schema():names()[1]
	for j = 1, #found do
		if found:text(j, name) == key then return j end
	end
end

-- Rows that no answer came for: those that are there as they should be were put there another way (by a trigger that leads
-- them into another table of a hierarchy), the others are not.
local function look_for(system, page, outcomes, missing, set)
	local found = system:fetch(missing.keys)
	for n, i in ipairs(missing.rows) do
		local j = position(found, missing.keys[n])
		local there = j and rows.equal(page, i, found, j, set)
		outcomes[i] = there and { state = "written" } or { state = "rejected", reason = SWALLOWED }
	end
end

--- One outcome for every row of the page.
---@param system syncrun.PostgresSystem
---@param page syncrun.Rows
---@param result syncrun.postgres.Result of the statement
---@param mode "create"|"update"
---@return { state: string, reason: string? }[]
function M.outcomes(system, page, result, mode)
	local outcomes = sql.all_written(#page)
	if result.n == #page then return outcomes end
	local taken, missing, set = keys_of(result), { keys = {}, rows = {} }, {}
	for i, column in ipairs(sql.written(system.columns, mode)) do set[i] = column.name end
	for i = 1, #page do
		local key = page:text(i, system.columns[1].name)
		if not taken[key] then
			missing.keys[#missing.keys + 1], missing.rows[#missing.rows + 1] = key, i
		end
	end
	look_for(system, page, outcomes, missing, set)
	return outcomes
end

return M

--- Can a run do in this table what it is going to do? Judges what the catalog says (catalog.lua) by what the mapping needs,
--- and words it. A run that only reads asks for no more than reading.
local sql = require "syncrun.systems.sql"

local M = {}

local MISFIT, REFUSED, NOTE = 2, 3, 0

--- Column types we make, and those found in a database that hold the same values exactly.
M.TYPES = {
	text = { "text", "varchar", "bpchar", "citext", "uuid" },
	int64 = { "bigint", "int8", "int4" },
	decimal = { "numeric" },
	float64 = { "double precision", "float8" },
	bool = { "boolean", "bool" },
	date = { "date" },
	time = { "time" },
	datetime = { "timestamp" },
	timestamp = { "timestamptz" },
	json = { "jsonb", "json" },
	bytes = { "bytea" },
}

local KINDS = { v = "a view", m = "a materialized view", f = "a foreign table" }

-- Types of a key that take different ids for one.
local MERGES = { citext = "upper and lower case are the same in it", bpchar = "blanks at the end do not count in it" }

-- ---- the state of one judgement: what was found, what is needed, the problems so far

local function add(look, exit, text, ...)
	local problem = { what = text:format(...), exit = exit }
	look.problems[#look.problems + 1] = problem
	return problem
end

-- What set-up would run, unless the role may not: then it is a right that is missing.
local function mend(look, problem, may, lacks, statements, done_text)
	if may then
		problem.sql, problem.done_text = statements, done_text
	else
		problem.exit = REFUSED
		problem.what = ("%s, and role '%s' may not make it (%s)"):format(problem.what, look.found.database.role, lacks)
	end
end

local function mend_table(look, problem, statement, done_text)
	mend(look, problem, look.found.table.owned, "it is not the owner of the table", { statement }, done_text)
end

-- ---- the database

local function judge_writable(look)
	local database = look.found.database
	if database.replica then
		add(look, REFUSED, "database '%s' is a replica, which takes no writes; connect to the primary", database.name)
	elseif database.read_only then
		add(look, REFUSED, "database '%s' is read-only (default_transaction_read_only is on; Supabase sets it when the disk "
			.. "is full); make room or switch it off; --skip-sync only reads", database.name)
	end
end

local function judge_encoding(look)
	local database = look.found.database
	if database.encoding == "UTF8" or (database.encoding ~= "SQL_ASCII" and not look.write) then return end
	add(look, MISFIT, "database '%s' is in %s, not in UTF8, and cannot hold every text; make one with ENCODING 'UTF8'",
		database.name, database.encoding)
end

-- Postgres would cut a longer name off, and make another column.
local function judge_names(look)
	local longest = look.found.database.longest_name
	local function judge(what, name)
		if #name > longest then
			add(look, MISFIT, "%s '%s' has %d bytes, the names of Postgres at most %d; name it otherwise", what, name, #name,
				longest)
		end
	end
	judge("the schema", look.system.schema_name)
	judge("the table", look.system.table_name)
	for _, column in ipairs(look.system.columns) do judge("the column", column.name) end
end

-- ---- the table

local function definition(column, i)
	local kind = M.TYPES[column.type][1]
	if i == 1 then return ('%s text COLLATE "C" PRIMARY KEY'):format(sql.name(column.name)) end
	return ("%s %s%s"):format(sql.name(column.name), kind, column.field.required and " NOT NULL" or "")
end

local function judge_missing_table(look)
	local system = look.system
	local problem = add(look, MISFIT, "table %s is missing", system.title)
	mend(look, problem, look.found.schema.may_create, ("it lacks CREATE on schema '%s'"):format(system.schema_name), {
		("CREATE TABLE %s (%s)"):format(system.table, sql.list(system.columns, definition)),
		("ALTER TABLE %s ENABLE ROW LEVEL SECURITY"):format(system.table),
	}, ("table %s made with %d columns"):format(system.title, #system.columns))
end

-- Can it be looked into, and is it there at all?
local function judge_place(look)
	local schema, role = look.system.schema_name, look.found.database.role
	if not look.found.schema then
		add(look, MISFIT, "schema '%s' is missing in database '%s'; make it, or name another one", schema,
			look.found.database.name)
	elseif not look.found.schema.usable then
		add(look, REFUSED, "role '%s' may not use schema '%s'; as its owner: GRANT USAGE ON SCHEMA %s TO %s", role, schema,
			sql.name(schema), sql.name(role))
	elseif not look.found.table then
		judge_missing_table(look)
	end
end

local function judge_kind(look)
	local kind = KINDS[look.found.table.kind]
	if kind then
		add(look, MISFIT, "%s is %s, the mapping needs a table to write to", look.system.title, kind)
	elseif look.found.table.ruled then
		add(look, MISFIT, "table %s has rules for INSERT or UPDATE, and ON CONFLICT does not go with them; use a trigger "
			.. "instead", look.system.title)
	end
end

-- ---- its columns

local function type_fits(kind, found)
	for _, name in ipairs(M.TYPES[kind]) do
		if name == found then return true end
	end
	return false
end

local function judge_missing_column(look, column)
	local system, kind = look.system, M.TYPES[column.type][1]
	local problem = add(look, MISFIT, "column %s.%s is missing", system.title, column.name)
	mend_table(look, problem, ("ALTER TABLE %s ADD COLUMN %s %s"):format(system.table, sql.name(column.name), kind),
		("column %s.%s added"):format(system.title, column.name))
end

-- A column that the server fills itself.
local function judge_filled(look, column, found)
	if column.own == "target" or not (found.generated or found.identity) then return end
	add(look, MISFIT, "column %s.%s is generated by the server (%s), so nothing can be written to it; give it "
		.. 'own = "target" in the mapping, or name another column', look.system.title, column.name,
		found.generated and "GENERATED ALWAYS AS …" or "GENERATED ALWAYS AS IDENTITY")
end

local DIGITS = { ms = 3, s = 0 }

local function note_rounding(look, column, found)
	if not found.digits or found.digits >= (DIGITS[column.field.precision] or 6) then return end
	add(look, NOTE, "column %s.%s is %s: finer times are rounded by the server, and reported as different",
		look.system.title, column.name, found.declared)
end

local function judge_column(look, column)
	local found = look.found.by_name[column.name]
	if not found then return judge_missing_column(look, column) end
	if not type_fits(column.type, found.type) then
		add(look, MISFIT, "column %s.%s is of type %s, the mapping needs %s", look.system.title, column.name, found.type,
			M.TYPES[column.type][1])
	elseif look.write then
		judge_filled(look, column, found)
		note_rounding(look, column, found)
	end
end

local function judge_columns(look)
	look.mapped = {}
	for _, column in ipairs(look.system.columns) do
		look.mapped[column.name] = true
		judge_column(look, column)
	end
end

local function judge_others(look)
	for _, column in ipairs(look.found.columns) do
		if column.required and not look.mapped[column.name] then
			add(look, MISFIT, "column %s.%s needs a value (NOT NULL without a default), and the mapping has none for it",
				look.system.title, column.name)
		end
	end
end

-- ---- its key

local function judge_unique(look, key)
	if look.found.unique then return end
	local system = look.system
	local problem = add(look, MISFIT, "column %s.%s is not unique", system.title, key)
	mend_table(look, problem, ("ALTER TABLE %s ADD UNIQUE (%s)"):format(system.table, sql.name(key)),
		("unique constraint on %s.%s added"):format(system.title, key))
end

-- Ids that differ must be different there too, else two contacts become one.
local function judge_key(look)
	local key = look.system.columns[1].name
	local found, unique = look.found.by_name[key], look.found.unique
	if not found then return end
	local merges = MERGES[found.type] or not (found.exact and (not unique or unique.exact))
		and "its collation takes different texts for equal"
	if merges then
		add(look, MISFIT, "column %s.%s would merge contacts of different ids (it is %s, and %s); make it text COLLATE "
			.. '"C"', look.system.title, key, found.declared, merges)
	elseif type_fits("text", found.type) then
		judge_unique(look, key)
	end
end

-- ---- rights

local function lacking(look, columns, privilege, first)
	local names = {}
	for i = first, #columns do
		local found = look.found.by_name[columns[i].name]
		if found and not found[privilege] then names[#names + 1] = columns[i].name end
	end
	if #names == 0 then return nil end
	if #names == #columns - first + 1 then return privilege end
	local more = #names > 5 and (" and %d more"):format(#names - 5) or ""
	return ("%s on %s%s"):format(privilege, table.concat(names, ", ", 1, math.min(5, #names)), more)
end

-- Everything is read; what is inserted may also be set, for a contact may turn out to be there already.
local function judge_rights(look)
	local system, role = look.system, look.found.database.role
	local written = sql.written(system.columns, "create")
	local wanted = look.write and "SELECT, INSERT, UPDATE" or "SELECT"
	local lacks = { lacking(look, system.columns, "SELECT", 1) }
	if look.write then
		lacks[#lacks + 1] = lacking(look, written, "INSERT", 1)
		lacks[#lacks + 1] = lacking(look, written, "UPDATE", 2)
	end
	if #lacks == 0 then return end
	add(look, REFUSED, "role '%s' may not %s table %s (it lacks %s); as its owner: GRANT %s ON %s TO %s", role,
		look.write and "read and write" or "read", system.title, table.concat(lacks, "; "), wanted, system.table,
		sql.name(role))
end

local function judge_sequences(look)
	local role = look.found.database.role
	for _, sequence in ipairs(look.found.sequences) do
		if not look.mapped[sequence.column] then
			add(look, REFUSED, "role '%s' may not use sequence %s, the default of column %s.%s; as its owner: GRANT USAGE "
				.. "ON SEQUENCE %s TO %s", role, sequence.name, look.system.title, sequence.column, sequence.name, sql.name(role))
		end
	end
end

-- ---- row level security

local RANK = { none = 0, some = 1, all = 2 }

-- What all policies together let through: one permissive policy is enough, every restrictive one counts.
local function permitted(policies, command, which)
	local most, least = "none", "all"
	for _, policy in ipairs(policies) do
		local reach = (policy.command == command or policy.command == "*") and policy[which]
		if reach and policy.permissive and RANK[reach] > RANK[most] then most = reach end
		if reach and not policy.permissive and RANK[reach] < RANK[least] then least = reach end
	end
	return RANK[most] < RANK[least] and most or least
end

local function names_of(list)
	local names = {}
	for i, item in ipairs(list) do names[i] = ("'%s'"):format(item.name) end
	return table.concat(names, ", ")
end

local SECURED = "row level security of table %s %s role '%s' (%s); use its owner or a role with BYPASSRLS, or make a "
	.. "policy for %s with (true)"

local function refuse_secured(look, does, commands)
	local policies = look.found.policies
	add(look, REFUSED, SECURED, look.system.title, does, look.found.database.role,
		#policies == 0 and "no policy is for it" or "its policies: " .. names_of(policies), commands)
end

-- Rows that are hidden would be called missing. Which rows may be written is for each row to show.
local function judge_security(look)
	local policies = look.found.policies
	if not look.found.table.secured then return end
	if permitted(policies, "r", "using") ~= "all" then return refuse_secured(look, "hides rows from", "SELECT") end
	if not look.write then return end
	local forbidden = {}
	if permitted(policies, "a", "check") == "none" then forbidden[1] = "INSERT" end
	if permitted(policies, "w", "using") == "none" or permitted(policies, "w", "check") == "none" then
		forbidden[#forbidden + 1] = "UPDATE"
	end
	if #forbidden > 0 then refuse_secured(look, "refuses every write of", table.concat(forbidden, " and ")) end
end

local function note_triggers(look)
	if #look.found.triggers == 0 then return end
	add(look, NOTE, "before a row of table %s is written, its triggers may change or refuse it: %s", look.system.title,
		names_of(look.found.triggers))
end

-- ---- all of it

local function judge_table(look)
	if look.write then judge_kind(look) end
	judge_columns(look)
	judge_rights(look)
	judge_security(look)
	if not look.write then return end
	judge_others(look)
	judge_key(look)
	judge_sequences(look)
	note_triggers(look)
end

--- What stands in the way of a run, or is worth saying (exit 0).
---@param system syncrun.PostgresSystem
---@param found syncrun.PostgresFacts
---@param intent { write: boolean }
---@return { what: string, exit: integer, sql: string[]?, done_text: string? }[]
function M.problems(system, found, intent)
	local look = { system = system, found = found, write = intent.write, problems = {} }
	if look.write then judge_writable(look) end
	judge_encoding(look)
	judge_names(look)
	judge_place(look)
	if found.table and found.schema.usable then judge_table(look) end
	return look.problems
end

return M

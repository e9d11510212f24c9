--- Can a run do in this table what it is going to do? Judges what the file says of itself (catalog.lua) by what the mapping
--- needs, and words it. A run that only reads asks for no more than reading.
local sql = require "syncrun.systems.sql"

local M = {}

local MISFIT, REFUSED, NOTE = 2, 3, 0

--- Column types we make.
M.TYPES = {
	text = "TEXT", int64 = "INTEGER", decimal = "TEXT", float64 = "REAL", bool = "INTEGER", date = "TEXT", time = "TEXT",
	datetime = "TEXT", timestamp = "INTEGER", json = "TEXT", bytes = "BLOB",
}

-- ---- affinities (https://www.sqlite.org/datatype3.html, section 3.1)

local AFFINITIES = {
	{ "INT", "INTEGER" }, { "CHAR", "TEXT" }, { "CLOB", "TEXT" }, { "TEXT", "TEXT" }, { "BLOB", "NONE" },
	{ "REAL", "REAL" }, { "FLOA", "REAL" }, { "DOUB", "REAL" },
}

-- What SQLite makes of values in a column declared so. A strict table refuses what it cannot convert.
local function affinity(declared, strict)
	local text = declared:upper()
	if text == "" or (strict and text == "ANY") then return "NONE" end
	for _, rule in ipairs(AFFINITIES) do
		if text:find(rule[1], 1, true) then return rule[2] end
	end
	return "NUMERIC"
end

-- The same words for every affinity that takes a text for a number.
local function numbers(words)
	return { INTEGER = words, NUMERIC = words, REAL = words }
end

-- By the mapping's type: what a column's affinity does to values as we write them. Absent: nothing. (Dates and times
-- never look like numbers; whole numbers stay readable as TEXT, doubles as INTEGER.)
local CHANGES = {
	text = numbers "would turn the text '007' into the number 7",
	json = numbers "would round the number 12345678901234567890",
	decimal = numbers "would round 0.12345678901234567",
	int64 = { REAL = "would round whole numbers beyond 2^53" },
	timestamp = { REAL = "would round times after the year 2255" },
	bool = { TEXT = "would turn true into the text '1'", REAL = "would turn true into the number 1.0" },
	float64 = { TEXT = "would round numbers to 15 digits" },
}

-- The types of a strict table that refuse what we write, all of it or some.
local REFUSING = { -- the mapping's type -> types of a column
	text = "BLOB", json = "BLOB", decimal = "BLOB", int64 = "BLOB", timestamp = "BLOB", bool = "BLOB",
	float64 = "BLOB INT INTEGER", date = "BLOB INT INTEGER REAL", time = "BLOB INT INTEGER REAL",
	datetime = "BLOB INT INTEGER REAL", bytes = "TEXT INT INTEGER REAL",
}

local function refuses(kind, declared)
	return (" %s "):format(REFUSING[kind]):find((" %s "):format(declared:upper()), 1, true) ~= nil
end

-- ---- the state of one judgement: what was found, what is needed, the problems so far

local function add(look, exit, text, ...)
	local problem = { what = text:format(...), exit = exit }
	look.problems[#look.problems + 1] = problem
	return problem
end

local function mend(problem, statements, done_text)
	problem.sql, problem.done_text = statements, done_text
end

-- ---- what is made

local function definition(column, i)
	if i == 1 then return sql.name(column.name) .. " TEXT PRIMARY KEY NOT NULL" end
	return ("%s %s%s"):format(sql.name(column.name), M.TYPES[column.type], column.field.required and " NOT NULL" or "")
end

local function readable(column)
	local name = sql.name(column.name)
	if column.type == "timestamp" then
		return ("strftime('%%Y-%%m-%%dT%%H:%%M:%%S', %s / 1000000 - (%s %% 1000000 < 0), 'unixepoch') || "
			.. "printf('.%%06dZ', (%s %% 1000000 + 1000000) %% 1000000) AS %s"):format(name, name, name, name)
	elseif column.type == "bool" then
		return ("CASE %s WHEN 1 THEN 'true' WHEN 0 THEN 'false' END AS %s"):format(name, name)
	end
	return name
end

-- For people: times as text, booleans as words.
local function view_statement(system)
	return ("CREATE VIEW IF NOT EXISTS contacts_readable AS SELECT %s FROM %s"):format(
		sql.list(system.columns, readable), system.table)
end

local function add_missing_table(look, text, ...)
	local system, problem = look.system, add(look, MISFIT, text, ...)
	problem.whole = true
	mend(problem, {
		("CREATE TABLE %s (%s) WITHOUT ROWID"):format(system.table, sql.list(system.columns, definition)),
		view_statement(system),
	}, ("table %s made in '%s'"):format(system.table_name, system.path))
end

-- ---- its columns

local function judge_missing_column(look, column)
	local system = look.system
	local problem = add(look, MISFIT, "column %s.%s is missing in '%s'", system.table_name, column.name, system.path)
	if column == system.columns[1] or look.found.table.kind ~= "table" then return end -- a key cannot be added
	mend(problem, {
		("ALTER TABLE %s ADD COLUMN %s %s"):format(system.table, sql.name(column.name), M.TYPES[column.type]),
		"DROP VIEW IF EXISTS contacts_readable", view_statement(system),
	}, ("column %s.%s added"):format(system.table_name, column.name))
end

local function judge_type(look, column, found)
	local strict = look.found.table.strict
	local changes = (CHANGES[column.type] or {})[affinity(found.type, strict)]
	if strict and refuses(column.type, found.type) then changes = "in a strict table refuses what is written" end
	if not changes then return end
	add(look, MISFIT, "column %s.%s is of type %s, which %s; make it %s", look.system.table_name, column.name, found.type,
		changes, M.TYPES[column.type])
end

local function judge_column(look, column)
	local found = look.found.by_name[column.name:lower()]
	if not found then return judge_missing_column(look, column) end
	if not look.write or column.own == "target" then return end
	if found.generated then
		add(look, MISFIT, "column %s.%s is generated by SQLite (GENERATED ALWAYS AS …), so nothing can be written to it; "
			.. 'give it own = "target" in the mapping, or name another column', look.system.table_name, column.name)
	else
		judge_type(look, column, found)
	end
end

local function judge_columns(look)
	look.mapped = {}
	for _, column in ipairs(look.system.columns) do
		if column.own ~= "target" then look.mapped[column.name:lower()] = true end
		judge_column(look, column)
	end
end

local function judge_others(look)
	for _, column in ipairs(look.found.columns) do
		if column.required and not column.rowid and not look.mapped[column.name:lower()] then
			add(look, MISFIT, "column %s.%s needs a value (NOT NULL without a default), and the mapping has none for it",
				look.system.table_name, column.name)
		end
	end
end

-- ---- its key

-- Ids that differ must be different there too, else two contacts become one.
local function judge_key(look)
	local system, unique = look.system, look.found.unique
	local key = system.columns[1].name
	local found = look.found.by_name[key:lower()]
	if not found or found.rowid or found.generated then return end -- named by its type already
	for collation in pairs(unique) do
		if collation ~= "BINARY" then
			return add(look, MISFIT, "column %s.%s is unique under COLLATE %s, which would merge contacts of different ids; "
				.. "make the table anew with TEXT PRIMARY KEY", system.table_name, key, collation)
		end
	end
	if unique.BINARY then return end
	add(look, MISFIT, "column %s.%s is not unique in '%s'; CREATE UNIQUE INDEX over it, or make it the primary key",
		system.table_name, key, system.path)
end

local function note_triggers(look)
	local names = {}
	for i, trigger in ipairs(look.found.triggers) do names[i] = ("'%s'"):format(trigger.name) end
	if #names == 0 then return end
	add(look, NOTE, "when a row of table %s is written, its triggers may change or refuse it: %s", look.system.table_name,
		table.concat(names, ", "))
end

-- ---- all of it

local function judge_file(look)
	local found, system = look.found, look.system
	if found.encoding ~= "UTF-8" then
		add(look, MISFIT, "the texts of '%s' are in %s, not in UTF-8, and so sorted in another order; make the file anew",
			system.path, found.encoding)
	end
	if found.damage then
		add(look, REFUSED, "'%s' is damaged (%s); restore it, or move it away and run again", system.path, found.damage)
	end
end

local KINDS = { view = "a view", virtual = "a virtual table", shadow = "part of a virtual table" }

local function judge_kind(look)
	local kind = KINDS[look.found.table.kind]
	if not kind then return end
	add(look, MISFIT, "%s in '%s' is %s, the mapping needs a table to write to", look.system.table_name, look.system.path,
		kind)
end

local function judge_table(look)
	judge_columns(look)
	if not look.write then return end
	judge_kind(look)
	judge_others(look)
	if look.found.table.kind == "table" then judge_key(look) end
	note_triggers(look)
end

-- Names of columns that are one to SQLite; and of tables that it keeps for itself.
local function judge_names(look)
	local seen, system = {}, look.system
	if system.table_name:lower():find "^sqlite_" then
		add(look, MISFIT, "the name of table '%s' is reserved for SQLite; name it otherwise", system.table_name)
	end
	for _, column in ipairs(system.columns) do
		local name = column.name:lower()
		if seen[name] then
			add(look, MISFIT, "the columns '%s' and '%s' are one to SQLite; name one otherwise", seen[name], column.name)
		end
		seen[name] = column.name
	end
end

--- What stands in the way of a run, or is worth saying (exit 0).
---@param system syncrun.SqliteSystem
---@param found syncrun.SqliteFacts? without: there is no file
---@param intent { write: boolean }
---@return { what: string, exit: integer, sql: string[]?, done_text: string? }[]
function M.problems(system, found, intent)
	local look = { system = system, found = found, write = intent.write, problems = {} }
	judge_names(look)
	if not found then
		add_missing_table(look, "local database '%s' does not exist", system.path)
		return look.problems
	end
	judge_file(look)
	if found.table then
		judge_table(look)
	else
		add_missing_table(look, "table %s is missing in '%s'", system.table_name, system.path)
	end
	return look.problems
end

return M

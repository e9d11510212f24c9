--- What Postgres says of a database, a table and the present role, read from its catalogs: facts, no judgement. Every role
--- may read them. Works behind a transaction pooler.
local err = require "syncrun.err"

local M = {}

-- transaction_read_only is what counts: on in a replica, and wherever default_transaction_read_only is.
local DATABASE = [[
	select current_database()::text as name, current_user::text as role, current_setting('server_encoding') as encoding,
		pg_is_in_recovery() as replica, current_setting('transaction_read_only') = 'on' as read_only,
		current_setting('max_identifier_length')::int4 as longest_name]]

local SCHEMA = [[
	select has_schema_privilege(oid, 'USAGE') as usable, has_schema_privilege(oid, 'CREATE') as may_create
	from pg_namespace where nspname = $1]]

local TABLE = [[
	select c.oid::int8 as oid, c.relkind::text as kind, pg_has_role(c.relowner, 'USAGE') as owned,
		row_security_active(c.oid) as secured,
		exists (select 1 from pg_rewrite r where r.ev_class = c.oid and r.ev_type in ('2', '3')) as ruled
	from pg_class c join pg_namespace n on n.oid = c.relnamespace
	where n.nspname = $1 and c.relname = $2 and c.relkind in ('r', 'p', 'v', 'm', 'f')]]

-- digits: of the seconds' fraction, for the types of time that are declared with fewer than six.
local COLUMNS = [[
	select a.attname::text as name, t.typname::text as type, format_type(a.atttypid, a.atttypmod) as declared,
		a.attnotnull and not a.atthasdef and a.attidentity = '' as required,
		a.attgenerated <> '' as generated, a.attidentity = 'a' as identity,
		coalesce(co.collisdeterministic, true) as exact,
		case when t.typname in ('timestamptz', 'timestamp', 'time') and a.atttypmod between 0 and 5 then a.atttypmod end
			as digits,
		has_column_privilege(a.attrelid, a.attnum, 'SELECT') as "SELECT",
		has_column_privilege(a.attrelid, a.attnum, 'INSERT') as "INSERT",
		has_column_privilege(a.attrelid, a.attnum, 'UPDATE') as "UPDATE"
	from pg_attribute a join pg_type t on t.oid = a.atttypid left join pg_collation co on co.oid = a.attcollation
	where a.attrelid = $1::oid and a.attnum > 0 and not a.attisdropped order by a.attnum]]

-- Indexes that ON CONFLICT (key) can rest on; exact: they tell all texts apart.
local UNIQUE = [[
	select bool_and(coalesce(co.collisdeterministic, true)) as exact
	from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
		left join pg_collation co on co.oid = i.indcollation[0]
	where i.indrelid = $1::oid and i.indisunique and i.indimmediate and i.indisvalid and i.indnkeyatts = 1
		and i.indpred is null and i.indexprs is null and a.attname = $2
	having count(*) > 0]]

-- Row triggers that run before an insert or update: tgtype's bits 1 row, 2 before, 4 insert, 16 update.
local TRIGGERS = [[
	select tgname::text as name from pg_trigger where tgrelid = $1::oid and not tgisinternal
		and tgenabled in ('O', 'A') and tgtype & 3 = 3 and tgtype & 20 > 0 order by tgname]]

-- Sequences that defaults take their values from, and the role may not. (CASE, for conditions are tried in any order.)
local SEQUENCES = [[
	select quote_ident(n.nspname) || '.' || quote_ident(s.relname) as name, a.attname::text as column
	from pg_attrdef d join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
		join pg_depend dep on dep.classid = 'pg_attrdef'::regclass and dep.objid = d.oid
			and dep.refclassid = 'pg_class'::regclass
		join pg_class s on s.oid = dep.refobjid join pg_namespace n on n.oid = s.relnamespace
	where d.adrelid = $1::oid
		and case s.relkind when 'S' then not has_sequence_privilege(s.oid, 'USAGE, UPDATE') end order by 1]]

-- The policies that count for this role. command: r select, a insert, w update, d delete, * all.
local POLICIES = [[
	select polname::text as name, polcmd::text as command, polpermissive as permissive,
		pg_get_expr(polqual, polrelid) as using, coalesce(pg_get_expr(polwithcheck, polrelid),
			pg_get_expr(polqual, polrelid)) as check
	from pg_policy where polrelid = $1::oid
		and (polroles = '{0}' or exists (select 1 from unnest(polroles) r where r <> 0 and pg_has_role(r, 'USAGE')))
	order by polname]]

local UNDEFINED = { ["42703"] = true, ["42P01"] = true } -- a column, the table: it depends on the row

-- What a policy's expression lets through: "all" and "none" are known, for they hold without any row.
local function reach(db, expression)
	if not expression then return "all" end
	local found, e = err.try(db.query, db, ("SELECT (%s) IS TRUE AS ok"):format(expression))
	if found then return found[1].ok and "all" or "none" end
	if e.retryable or e.kind ~= "postgres" or e.code == "closed" then err.raise(e) end
	return UNDEFINED[e.code] and "some" or "none"
end

local function read_policies(db, oid)
	local list = db:query(POLICIES, oid)
	for i = 1, list.n do
		list[i].using, list[i].check = reach(db, list[i].using), reach(db, list[i].check)
	end
	return list
end

local function read_table(db, oid, key, found)
	found.columns, found.by_name = db:query(COLUMNS, oid), {}
	for i = 1, found.columns.n do found.by_name[found.columns[i].name] = found.columns[i] end
	found.unique = db:one(UNIQUE, oid, key)
	found.triggers, found.sequences = db:query(TRIGGERS, oid), db:query(SEQUENCES, oid)
	found.policies = found.table.secured and read_policies(db, oid) or {}
end

-- Every role may ask for both: which server since when, which database.
local PLACE = [[
	select extract(epoch from pg_postmaster_start_time())::text || ' ' || oid::text as place
	from pg_database where datname = current_database()]]

--- Where this connection leads: the same text for the same database, by whatever address it is reached.
---@param db syncrun.postgres.Connection
---@return string
function M.place(db)
	return db:one(PLACE).place
end

---@class syncrun.PostgresFacts
---@field database { name: string, role: string, encoding: string, replica: boolean, read_only: boolean, longest_name: integer }
---@field schema { usable: boolean, may_create: boolean }? nil: there is none
---@field table { oid: integer, kind: string, owned: boolean, secured: boolean, ruled: boolean }? nil: there is none
---@field columns table[] in their order; by_name holds the same
---@field by_name table<string, table>
---@field unique { exact: boolean }? nil: the key is not unique
---@field triggers { name: string }[]
---@field sequences { name: string, column: string }[] that the role may not use
---@field policies { name: string, command: string, permissive: boolean, using: string, check: string }[]

--- Read them.
---@param db syncrun.postgres.Connection
---@param schema string
---@param name string the table's
---@param key string the key's column
---@return syncrun.PostgresFacts
function M.read(db, schema, name, key)
	local found = { database = db:one(DATABASE), schema = db:one(SCHEMA, schema) }
	found.table = db:one(TABLE, schema, name)
	if found.table then read_table(db, found.table.oid, key, found) end
	return found
end

return M

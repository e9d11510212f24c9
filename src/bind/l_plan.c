// _syncrun.plan: building plans from tables of strings, applying them, their counts.
#include <string.h>

#include <lauxlib.h>

#include "bind/err_lua.h"
#include "bind/l_plan.h"
#include "bind/l_rows.h"
#include "bind/modules.h"
#include "data/plan.h"

#define PLAN_META "syncrun.plan"

struct plan *l_plan_check(lua_State *L, int index)
{
	struct plan **slot = luaL_checkudata(L, index, PLAN_META);

	luaL_argcheck(L, *slot != NULL, index, "the plan was never built");
	return *slot;
}

// The string field of the table on top, or NULL when it is absent. The table keeps it alive.
static const char *string_field(lua_State *L, const char *name)
{
	const char *text;

	lua_pushstring(L, name);
	lua_rawget(L, -2);
	if (!lua_isnil(L, -1) && lua_type(L, -1) != LUA_TSTRING)
		err_raisef(L, ERR_USAGE, "the field '%s' of a plan's column is not a string", name);
	text = lua_tostring(L, -1);
	lua_pop(L, 1);
	return text;
}

// The step on top: {name, arg, ...}, all strings.
static void add_step(lua_State *L, struct plan *plan)
{
	size_t n = (size_t)lua_rawlen(L, -1);
	struct plan_arg *args = lua_newuserdatauv(L, (n + 1) * sizeof *args, 0);
	struct err err;

	for (size_t i = 0; i < n; i++) {
		if (lua_rawgeti(L, -2, (lua_Integer)i + 1) != LUA_TSTRING)
			err_raisef(L, ERR_USAGE, "a step is not a list of strings");
		args[i].text = lua_tolstring(L, -1, &args[i].len);
		lua_pop(L, 1);
	}
	if (n == 0)
		err_raisef(L, ERR_USAGE, "a step has no name");
	if (!plan_add_step(plan, args[0].text, args + 1, n - 1, &err))
		err_raise(L, &err);
	lua_pop(L, 1);
}

static void add_steps(lua_State *L, struct plan *plan)
{
	size_t n;

	lua_pushliteral(L, "steps");
	if (lua_rawget(L, -2) != LUA_TTABLE)
		err_raisef(L, ERR_USAGE, "the steps of a plan's column are not a list");
	n = (size_t)lua_rawlen(L, -1);
	for (size_t i = 0; i < n; i++) {
		if (lua_rawgeti(L, -1, (lua_Integer)i + 1) != LUA_TTABLE)
			err_raisef(L, ERR_USAGE, "a step is not a list of strings");
		add_step(L, plan);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

// The column on top: {name=, type=, from=, steps=}.
static void add_column(lua_State *L, struct plan *plan)
{
	const char *name = string_field(L, "name"), *type = string_field(L, "type");
	struct err err;

	if (name == NULL || type == NULL)
		err_raisef(L, ERR_USAGE, "a plan's column has no name or no type");
	if (col_type_of(type) == COL_TYPE_COUNT)
		err_raisef(L, ERR_USAGE, "the column '%s' has the unknown type '%s'", name, type);
	if (!plan_add_column(plan, name, col_type_of(type), string_field(L, "from"), &err))
		err_raise(L, &err);
	add_steps(L, plan);
}

// new(schema, {column, ...})
static int l_plan_make(lua_State *L)
{
	struct schema *schema = l_schema_check(L, 1);
	struct plan **slot;
	struct err err;
	size_t n;

	luaL_checktype(L, 2, LUA_TTABLE);
	n = (size_t)lua_rawlen(L, 2);
	slot = lua_newuserdatauv(L, sizeof *slot, 0);
	*slot = NULL;
	luaL_setmetatable(L, PLAN_META);
	*slot = plan_new(schema, &err);
	if (*slot == NULL)
		return err_raise(L, &err);
	for (size_t c = 0; c < n; c++) {
		if (lua_rawgeti(L, 2, (lua_Integer)c + 1) != LUA_TTABLE)
			return err_raisef(L, ERR_USAGE, "column %zu of the plan is not a table", c + 1);
		add_column(L, *slot);
		lua_pop(L, 1);
	}
	return plan_seal(*slot, &err) ? 1 : err_raise(L, &err);
}

static int l_plan_gc(lua_State *L)
{
	struct plan **slot = luaL_checkudata(L, 1, PLAN_META);

	plan_free(*slot);
	*slot = NULL;
	return 0;
}

static int l_plan_schema(lua_State *L)
{
	struct plan *plan = l_plan_check(L, 1);
	struct schema **slot = l_schema_slot(L);

	*slot = schema_ref(plan_schema(plan));
	return 1;
}

// The columns with a cell that is not exact: {name = {folded=, lost=, rejected=}}.
static void push_counts(lua_State *L, const struct plan *plan)
{
	const struct schema *schema = plan_schema(plan);

	lua_newtable(L);
	for (size_t c = 0; c < schema->ncols; c++) {
		uint64_t folded = plan_count(plan, c, FATE_FOLDED), lost = plan_count(plan, c, FATE_LOST);
		uint64_t rejected = plan_count(plan, c, FATE_REJECTED);

		if (folded + lost + rejected == 0)
			continue;
		lua_createtable(L, 0, FATE_COUNT - 1);
		lua_pushinteger(L, (lua_Integer)folded);
		lua_setfield(L, -2, plan_fate_name(FATE_FOLDED));
		lua_pushinteger(L, (lua_Integer)lost);
		lua_setfield(L, -2, plan_fate_name(FATE_LOST));
		lua_pushinteger(L, (lua_Integer)rejected);
		lua_setfield(L, -2, plan_fate_name(FATE_REJECTED));
		lua_setfield(L, -2, schema->cols[c].name);
	}
}

// plan:apply(rows) -> rows, counts
static int l_plan_apply(lua_State *L)
{
	struct plan *plan = l_plan_check(L, 1);
	struct rows *rows = l_rows_check(L, 2);
	struct rows **slot = l_rows_slot(L);
	struct err err;

	*slot = plan_apply(plan, rows, &err);
	if (*slot == NULL)
		return err_raise(L, &err);
	push_counts(L, plan);
	return 2;
}

static const luaL_Reg methods[] = {
	{"schema", l_plan_schema},
	{"apply", l_plan_apply},
	{NULL, NULL},
};

static const luaL_Reg functions[] = {
	{"new", l_plan_make},
	{NULL, NULL},
};

int luaopen_syncrun_plan(lua_State *L)
{
	luaL_newmetatable(L, PLAN_META);
	lua_pushcfunction(L, l_plan_gc);
	lua_setfield(L, -2, "__gc");
	lua_pushliteral(L, PLAN_META);
	lua_setfield(L, -2, "__metatable");
	luaL_newlib(L, methods);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
	luaL_newlib(L, functions);
	return 1;
}

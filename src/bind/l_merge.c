// _syncrun.merge: the merger of two sorted streams of pages.
#include <lauxlib.h>

#include "bind/err_lua.h"
#include "bind/l_rows.h"
#include "bind/modules.h"
#include "data/merge.h"

#define MERGE_META "syncrun.merger"

static struct merge *merge_check(lua_State *L)
{
	struct merge **slot = luaL_checkudata(L, 1, MERGE_META);

	luaL_argcheck(L, *slot != NULL, 1, "the merger was never made");
	return *slot;
}

// new(expected_schema, actual_schema, key)
static int l_merge_make(lua_State *L)
{
	struct schema *expected = l_schema_check(L, 1), *actual = l_schema_check(L, 2);
	const char *key = luaL_checkstring(L, 3);
	struct merge **slot = lua_newuserdatauv(L, sizeof *slot, 0);
	struct err err;

	*slot = NULL;
	luaL_setmetatable(L, MERGE_META);
	*slot = merge_new(expected, actual, key, &err);
	return *slot != NULL ? 1 : err_raise(L, &err);
}

static int l_merge_gc(lua_State *L)
{
	struct merge **slot = luaL_checkudata(L, 1, MERGE_META);

	merge_free(*slot);
	*slot = NULL;
	return 0;
}

static int feed(lua_State *L, enum merge_side side)
{
	struct merge *m = merge_check(L);
	struct err err;

	if (!merge_feed(m, side, lua_isnoneornil(L, 2) ? NULL : l_rows_check(L, 2), &err))
		return err_raise(L, &err);
	return 0;
}

static int l_merge_expected(lua_State *L)
{
	return feed(L, MERGE_EXPECTED);
}

static int l_merge_actual(lua_State *L)
{
	return feed(L, MERGE_ACTUAL);
}

static int l_merge_step(lua_State *L)
{
	static const char *const names[] = {
		[MERGE_NEED_EXPECTED] = "expected", [MERGE_NEED_ACTUAL] = "actual", [MERGE_DONE] = "done"};
	enum merge_need need;
	struct err err;

	if (!merge_step(merge_check(L), &need, &err))
		return err_raise(L, &err);
	lua_pushstring(L, names[need]);
	return 1;
}

// A 1-based row number, false where there is none.
static void push_row(lua_State *L, size_t i)
{
	if (i == MERGE_NO_ROW)
		lua_pushboolean(L, false);
	else
		lua_pushinteger(L, (lua_Integer)i + 1);
}

static void push_pairs(lua_State *L, const struct merge_list *list)
{
	lua_createtable(L, (int)list->n, 0);
	for (size_t i = 0; i < list->n; i++) {
		lua_createtable(L, 0, 2);
		push_row(L, list->items[i].e);
		lua_setfield(L, -2, "e");
		push_row(L, list->items[i].a);
		lua_setfield(L, -2, "a");
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

static void push_side(lua_State *L, const struct merge_list *list, enum merge_side side)
{
	lua_createtable(L, (int)list->n, 0);
	for (size_t i = 0; i < list->n; i++) {
		push_row(L, side == MERGE_EXPECTED ? list->items[i].e : list->items[i].a);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

// merger:take(): what the steps since the last take found. Forgotten only once it is all in Lua's hands.
static int l_merge_take(lua_State *L)
{
	struct merge *m = merge_check(L);
	const struct merge_found *found = merge_found(m);

	lua_createtable(L, 0, 5);
	lua_pushinteger(L, (lua_Integer)found->same);
	lua_setfield(L, -2, "same");
	push_pairs(L, &found->differ);
	lua_setfield(L, -2, "differ");
	push_side(L, &found->missing, MERGE_EXPECTED);
	lua_setfield(L, -2, "missing");
	push_side(L, &found->extra, MERGE_ACTUAL);
	lua_setfield(L, -2, "extra");
	push_pairs(L, &found->again);
	lua_setfield(L, -2, "again");
	merge_forget(m);
	return 1;
}

static const luaL_Reg methods[] = {
	{"expected", l_merge_expected},
	{"actual", l_merge_actual},
	{"step", l_merge_step},
	{"take", l_merge_take},
	{NULL, NULL},
};

static const luaL_Reg functions[] = {
	{"new", l_merge_make},
	{NULL, NULL},
};

int luaopen_syncrun_merge(lua_State *L)
{
	luaL_newmetatable(L, MERGE_META);
	lua_pushcfunction(L, l_merge_gc);
	lua_setfield(L, -2, "__gc");
	lua_pushliteral(L, MERGE_META);
	lua_setfield(L, -2, "__metatable");
	luaL_newlib(L, methods);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
	luaL_newlib(L, functions);
	return 1;
}

// _syncrun.leaves: collecting the leaves of a pass, page by page. What is hashed and written, and how, is
// data/leaves.c's.
#include <string.h>

#include <lauxlib.h>

#include "bind/err_lua.h"
#include "bind/l_plan.h"
#include "bind/l_rows.h"
#include "bind/modules.h"
#include "bind/path_lua.h"
#include "data/leaves.h"

#define MEMO_META "syncrun.leaves.memo"
#define LEAVES_META "syncrun.leaves"

static struct leaf_memo *check_memo(lua_State *L, int index)
{
	struct leaf_memo **slot = luaL_checkudata(L, index, MEMO_META);

	luaL_argcheck(L, *slot != NULL, index, "the memo is closed");
	return *slot;
}

static struct leaves *check_leaves(lua_State *L)
{
	struct leaves **slot = luaL_checkudata(L, 1, LEAVES_META);

	luaL_argcheck(L, *slot != NULL, 1, "the leaves are closed");
	return *slot;
}

// memo(key, model schema, key column, scratch path)
static int l_memo(lua_State *L)
{
	size_t len;
	const char *key = luaL_checklstring(L, 1, &len);
	struct schema *model = l_schema_check(L, 2);
	const char *column = luaL_checkstring(L, 3), *scratch = l_path_check(L, 4);
	struct leaf_memo **slot;
	struct err err;

	luaL_argcheck(L, len == LEAF_PART, 1, "a key has 32 bytes");
	slot = lua_newuserdatauv(L, sizeof *slot, 0);
	*slot = NULL;
	luaL_setmetatable(L, MEMO_META);
	*slot = leaf_memo_new((const unsigned char *)key, model, column, scratch, &err);
	return *slot != NULL ? 1 : err_raise(L, &err);
}

static int l_memo_gc(lua_State *L)
{
	struct leaf_memo **slot = luaL_checkudata(L, 1, MEMO_META);

	leaf_memo_unref(*slot);
	*slot = NULL;
	return 0;
}

// memo:see(page, schema of a text and a bytes column) -> a page of each row's key and short digest
static int l_memo_see(lua_State *L)
{
	struct leaf_memo *memo = check_memo(L, 1);
	const struct rows *page = l_rows_check(L, 2);
	struct schema *schema = l_schema_check(L, 3);
	struct rows **slot;
	struct err err;

	luaL_argcheck(L, schema->ncols == 2 && schema->cols[1].type == COL_BYTES, 3, "a key and a bytes column");
	slot = l_rows_slot(L);
	*slot = rows_new(schema, &err);
	if (*slot == NULL || !leaf_memo_see(memo, page, *slot, &err))
		return err_raise(L, &err);
	return 1;
}

// memo:seal{number, ...}: the rows that are not synced, from 1, rising
static int l_memo_seal(lua_State *L)
{
	struct leaf_memo *memo = check_memo(L, 1);
	uint64_t *bad;
	size_t n;
	struct err err;

	luaL_checktype(L, 2, LUA_TTABLE);
	n = (size_t)lua_rawlen(L, 2);
	bad = lua_newuserdatauv(L, (n + 1) * sizeof *bad, 0);
	for (size_t i = 0; i < n; i++) {
		lua_rawgeti(L, 2, (lua_Integer)i + 1);
		bad[i] = (uint64_t)luaL_checkinteger(L, -1) - 1;
		lua_pop(L, 1);
		luaL_argcheck(L, bad[i] < INT64_MAX && (i == 0 || bad[i] > bad[i - 1]), 2, "not rising numbers from 1");
	}
	return leaf_memo_seal(memo, bad, n, &err) ? 0 : err_raise(L, &err);
}

static int l_memo_forget(lua_State *L)
{
	struct err err;

	return leaf_memo_forget(check_memo(L, 1), &err) ? 0 : err_raise(L, &err);
}

// new(memo, plan, schema of the columns that count, key column, scratch path)
static int l_new(lua_State *L)
{
	struct leaf_memo *memo = check_memo(L, 1);
	const struct plan *plan = l_plan_check(L, 2);
	struct schema *like = l_schema_check(L, 3);
	const char *column = luaL_checkstring(L, 4), *scratch = l_path_check(L, 5);
	struct leaves **slot = lua_newuserdatauv(L, sizeof *slot, 0);
	struct err err;

	*slot = NULL;
	luaL_setmetatable(L, LEAVES_META);
	*slot = leaves_new(memo, plan, like, column, scratch, &err);
	return *slot != NULL ? 1 : err_raise(L, &err);
}

static int l_leaves_gc(lua_State *L)
{
	struct leaves **slot = luaL_checkudata(L, 1, LEAVES_META);

	leaves_free(*slot);
	*slot = NULL;
	return 0;
}

static int l_restart(lua_State *L)
{
	struct err err;

	return leaves_restart(check_leaves(L), &err) ? 0 : err_raise(L, &err);
}

// The list of row numbers at that index, of the page; left on the stack, 0-based.
static struct leaf_rows check_rows(lua_State *L, int index, const struct rows *page)
{
	size_t *list, n;

	luaL_checktype(L, index, LUA_TTABLE);
	n = (size_t)lua_rawlen(L, index);
	list = lua_newuserdatauv(L, (n + 1) * sizeof *list, 0);
	for (size_t i = 0; i < n; i++) {
		lua_Integer row;

		lua_rawgeti(L, index, (lua_Integer)i + 1);
		row = luaL_checkinteger(L, -1);
		lua_pop(L, 1);
		if (row < 1 || (lua_Unsigned)row > page->n)
			err_raisef(L, ERR_USAGE, "row %lld is out of range (there are %zu)", (long long)row, page->n);
		list[i] = (size_t)row - 1;
	}
	return (struct leaf_rows){page, list, n};
}

// leaves:expected(page, model, except, skip)
static int l_expected(lua_State *L)
{
	struct leaves *leaves = check_leaves(L);
	const struct rows *page = l_rows_check(L, 2), *model = l_rows_check(L, 3);
	struct leaf_rows except, skip = {.page = page};
	struct err err;

	lua_settop(L, 5);
	except = check_rows(L, 4, page);
	if (!lua_isnil(L, 5))
		skip = check_rows(L, 5, page);
	return leaves_expected(leaves, except, skip, model, &err) ? 0 : err_raise(L, &err);
}

// leaves:observed(page, rows)
static int l_observed(lua_State *L)
{
	struct leaves *leaves = check_leaves(L);
	const struct rows *page = l_rows_check(L, 2);
	struct err err;

	return leaves_observed(leaves, check_rows(L, 3, page), &err) ? 0 : err_raise(L, &err);
}

// leaves:extra(page, rows)
static int l_extra(lua_State *L)
{
	struct leaves *leaves = check_leaves(L);
	const struct rows *page = l_rows_check(L, 2);
	struct err err;

	return leaves_extra(leaves, check_rows(L, 3, page), &err) ? 0 : err_raise(L, &err);
}

// leaves:revised(expected, i [, page, rows])
static int l_revised(lua_State *L)
{
	struct leaves *leaves = check_leaves(L);
	const struct rows *expected = l_rows_check(L, 2);
	lua_Integer i = luaL_checkinteger(L, 3);
	struct leaf_rows rows = {.n = 0};
	struct err err;

	luaL_argcheck(L, i >= 1 && (lua_Unsigned)i <= expected->n, 3, "not a row of the page");
	if (!lua_isnoneornil(L, 4))
		rows = check_rows(L, 5, l_rows_check(L, 4));
	return leaves_revised(leaves, expected, (size_t)i - 1, rows, &err) ? 0 : err_raise(L, &err);
}

// leaves:write(expected path, observed path, extras path)
static int l_write(lua_State *L)
{
	struct leaves *leaves = check_leaves(L);
	const char *paths[TALLY_SIDES];
	struct err err;

	for (int side = 0; side < TALLY_SIDES; side++)
		paths[side] = l_path_check(L, 2 + side);
	return leaves_write(leaves, paths, &err) ? 0 : err_raise(L, &err);
}

static void push_side(lua_State *L, const struct tally *tally, enum tally_side side, const char *name)
{
	unsigned char root[TREE_HASH];
	struct err err;

	if (!tally_root(tally, side, root, &err))
		err_raise(L, &err);
	lua_createtable(L, 0, 2);
	lua_pushinteger(L, (lua_Integer)tally_size(tally, side));
	lua_setfield(L, -2, "size");
	lua_pushlstring(L, (const char *)root, sizeof root);
	lua_setfield(L, -2, "root");
	lua_setfield(L, -2, name);
}

static int push_tally(lua_State *L, const struct tally *tally)
{
	lua_createtable(L, 0, TALLY_SIDES + 2);
	push_side(L, tally, TALLY_SIDE_EXPECTED, "expected");
	push_side(L, tally, TALLY_SIDE_OBSERVED, "observed");
	push_side(L, tally, TALLY_SIDE_EXTRAS, "extras");
	lua_pushboolean(L, !tally->parted);
	lua_setfield(L, -2, "equal");
	lua_pushinteger(L, (lua_Integer)tally->repeated);
	lua_setfield(L, -2, "repeated");
	return 1;
}

// leaves:step(n) -> nil while there is more to write, then the sides
static int l_step(lua_State *L)
{
	struct leaves *leaves = check_leaves(L);
	lua_Integer n = luaL_checkinteger(L, 2);
	struct err err;
	bool done;

	luaL_argcheck(L, n > 0, 2, "a number of leaves");
	if (!leaves_step(leaves, (size_t)n, &done, &err))
		return err_raise(L, &err);
	return done ? push_tally(L, leaves_tally(leaves)) : 0;
}

static const luaL_Reg methods[] = {
	{"restart", l_restart},
	{"expected", l_expected},
	{"observed", l_observed},
	{"extra", l_extra},
	{"revised", l_revised},
	{"write", l_write},
	{"step", l_step},
	{"close", l_leaves_gc},
	{NULL, NULL},
};

static const luaL_Reg memo_methods[] = {
	{"see", l_memo_see},
	{"seal", l_memo_seal},
	{"forget", l_memo_forget},
	{"close", l_memo_gc},
	{NULL, NULL},
};
static const luaL_Reg leaves_meta[] = {{"__gc", l_leaves_gc}, {"__close", l_leaves_gc}, {NULL, NULL}};
static const luaL_Reg memo_meta[] = {{"__gc", l_memo_gc}, {"__close", l_memo_gc}, {NULL, NULL}};
static const luaL_Reg functions[] = {{"memo", l_memo}, {"new", l_new}, {NULL, NULL}};

static void open_meta(lua_State *L, const char *name, const luaL_Reg *meta, const luaL_Reg *list)
{
	luaL_newmetatable(L, name);
	luaL_setfuncs(L, meta, 0);
	lua_pushstring(L, name);
	lua_setfield(L, -2, "__metatable");
	lua_newtable(L);
	luaL_setfuncs(L, list, 0);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
}

int luaopen_syncrun_leaves(lua_State *L)
{
	open_meta(L, MEMO_META, memo_meta, memo_methods);
	open_meta(L, LEAVES_META, leaves_meta, methods);
	luaL_newlib(L, functions);
	return 1;
}

// _syncrun.rows: schemas, pages and row views. A view is a page and an index; fields become Lua values when asked for.
#include "bind/l_rows.h"

#include <string.h>

#include <lauxlib.h>

#include "bind/err_lua.h"
#include "bind/l_cell.h"
#include "bind/modules.h"
#include "data/canon.h"
#include "data/cast.h"
#include "data/leaves.h"
#include "data/plan.h"

#define SCHEMA_META "syncrun.schema"
#define ROWS_META "syncrun.rows"
#define ROW_META "syncrun.row"
#define CANON_META "syncrun.canon"

// The page's slot, not the page: a view may outlive its page's finalizer by some finalizers.
struct row_view {
	struct rows **slot;
	size_t i;
};

// Pages are larger than their userdata tells the collector: collect when they have doubled since last time.
enum { COLLECT_FLOOR = 8 * 1024 * 1024 };

static void collect_pages(lua_State *L)
{
	static size_t limit = COLLECT_FLOOR;

	if (rows_live_bytes() < limit)
		return;
	lua_gc(L, LUA_GCCOLLECT);
	limit = rows_live_bytes() * 2;
	if (limit < COLLECT_FLOOR)
		limit = COLLECT_FLOOR;
}

struct rows **l_rows_slot(lua_State *L)
{
	struct rows **slot;

	collect_pages(L);
	slot = lua_newuserdatauv(L, sizeof *slot, 0);
	*slot = NULL;
	luaL_setmetatable(L, ROWS_META);
	return slot;
}

struct schema **l_schema_slot(lua_State *L)
{
	struct schema **slot = lua_newuserdatauv(L, sizeof *slot, 0);

	*slot = NULL;
	luaL_setmetatable(L, SCHEMA_META);
	return slot;
}

struct rows *l_rows_check(lua_State *L, int index)
{
	struct rows **slot = luaL_checkudata(L, index, ROWS_META);

	luaL_argcheck(L, *slot != NULL, index, "the rows were never filled");
	return *slot;
}

struct schema *l_schema_check(lua_State *L, int index)
{
	struct schema **slot = luaL_checkudata(L, index, SCHEMA_META);

	luaL_argcheck(L, *slot != NULL, index, "the schema was never filled");
	return *slot;
}

static void push_schema(lua_State *L, struct schema *schema)
{
	struct schema **slot = l_schema_slot(L);

	*slot = schema_ref(schema);
}

static int l_schema_gc(lua_State *L)
{
	struct schema **slot = luaL_checkudata(L, 1, SCHEMA_META);

	schema_unref(*slot);
	*slot = NULL;
	return 0;
}

static int l_rows_gc(lua_State *L)
{
	struct rows **slot = luaL_checkudata(L, 1, ROWS_META);

	rows_unref(*slot);
	*slot = NULL;
	return 0;
}

// The column named at that index, 0-based; raises kind usage for an unknown one.
static size_t check_column(lua_State *L, int index, const struct schema *schema)
{
	size_t len;
	const char *name = luaL_checklstring(L, index, &len);
	int c = schema_find_n(schema, name, len);

	if (c < 0)
		err_raisef(L, ERR_USAGE, "unknown field '%s' (not a column of these rows)", name);
	return (size_t)c;
}

// The row of that 1-based number, 0-based; raises kind usage when there is none.
static size_t check_row(lua_State *L, int index, const struct rows *rows)
{
	lua_Integer i = luaL_checkinteger(L, index);

	if (i < 1 || (lua_Unsigned)i > rows->n)
		err_raisef(L, ERR_USAGE, "row %lld is out of range (there are %zu)", (long long)i, rows->n);
	return (size_t)i - 1;
}

static struct cell *check_cell(lua_State *L, struct rows *rows, size_t *column)
{
	size_t i = check_row(L, 2, rows);

	*column = check_column(L, 3, rows->schema);
	return &rows_at(rows, i)[*column];
}

// ---- schemas

// Scratch for n columns: names and types. Anchored on the stack.
struct schema_spec {
	const char **names;
	enum col_type *types;
};

static struct schema_spec spec_new(lua_State *L, size_t n)
{
	struct schema_spec spec;

	spec.names = lua_newuserdatauv(L, (n + 1) * sizeof *spec.names, 0);
	spec.types = lua_newuserdatauv(L, (n + 1) * sizeof *spec.types, 0);
	return spec;
}

static int push_new_schema(lua_State *L, size_t n, const struct schema_spec *spec)
{
	struct schema **slot = l_schema_slot(L);
	struct err err;

	*slot = schema_new(n, spec->names, spec->types, &err);
	return *slot != NULL ? 1 : err_raise(L, &err);
}

// The element of the pair on top of the stack; the pair's table keeps it alive.
static const char *pair_text(lua_State *L, int i, size_t column)
{
	const char *text;
	size_t len = 0;

	lua_rawgeti(L, -1, i);
	text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &len) : NULL;
	if (text == NULL || strlen(text) != len)
		err_raisef(L, ERR_USAGE, "column %zu of the schema is not a {name, type} of two strings", column);
	lua_pop(L, 1);
	return text;
}

// rows.schema{ {name, type}, ... }
static int l_schema_make(lua_State *L)
{
	struct schema_spec spec;
	size_t n;

	luaL_checktype(L, 1, LUA_TTABLE);
	n = (size_t)lua_rawlen(L, 1);
	spec = spec_new(L, n);
	for (size_t c = 0; c < n; c++) {
		if (lua_rawgeti(L, 1, (lua_Integer)c + 1) != LUA_TTABLE)
			return err_raisef(L, ERR_USAGE, "column %zu of the schema is not a {name, type} of two strings", c + 1);
		spec.names[c] = pair_text(L, 1, c + 1);
		spec.types[c] = col_type_of(pair_text(L, 2, c + 1));
		if (spec.types[c] == COL_TYPE_COUNT)
			return err_raisef(
				L, ERR_USAGE, "the column '%s' has the unknown type '%s'", spec.names[c], pair_text(L, 2, c + 1));
		lua_pop(L, 1);
	}
	return push_new_schema(L, n, &spec);
}

// schema:select{name, ...}
static int l_schema_select(lua_State *L)
{
	const struct schema *schema = l_schema_check(L, 1);
	struct schema_spec spec;
	size_t n;

	luaL_checktype(L, 2, LUA_TTABLE);
	n = (size_t)lua_rawlen(L, 2);
	spec = spec_new(L, n);
	for (size_t i = 0; i < n; i++) {
		size_t c;

		lua_rawgeti(L, 2, (lua_Integer)i + 1);
		c = check_column(L, -1, schema);
		spec.names[i] = schema->cols[c].name;
		spec.types[i] = schema->cols[c].type;
		lua_pop(L, 1);
	}
	return push_new_schema(L, n, &spec);
}

static int l_schema_len(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)l_schema_check(L, 1)->ncols);
	return 1;
}

static int l_schema_names(lua_State *L)
{
	const struct schema *schema = l_schema_check(L, 1);

	lua_createtable(L, (int)schema->ncols, 0);
	for (size_t c = 0; c < schema->ncols; c++) {
		lua_pushstring(L, schema->cols[c].name);
		lua_rawseti(L, -2, (lua_Integer)c + 1);
	}
	return 1;
}

static int find_column(lua_State *L)
{
	size_t len;
	const char *name = luaL_checklstring(L, 2, &len);

	return schema_find_n(l_schema_check(L, 1), name, len);
}

static int l_schema_type(lua_State *L)
{
	int c = find_column(L);

	if (c < 0)
		lua_pushnil(L);
	else
		lua_pushstring(L, col_type_name(l_schema_check(L, 1)->cols[c].type));
	return 1;
}

static int l_schema_index(lua_State *L)
{
	int c = find_column(L);

	if (c < 0)
		lua_pushnil(L);
	else
		lua_pushinteger(L, c + 1);
	return 1;
}

static int l_schema_eq(lua_State *L)
{
	lua_pushboolean(L, schema_equal(l_schema_check(L, 1), l_schema_check(L, 2)));
	return 1;
}

// ---- row views

static const struct row_view *view_check(lua_State *L)
{
	const struct row_view *view = luaL_checkudata(L, 1, ROW_META);

	luaL_argcheck(L, *view->slot != NULL, 1, "the row's page is gone");
	return view;
}

// The view of row i (0-based) of the page at index.
static void push_view(lua_State *L, int index, size_t i)
{
	struct row_view *view;

	index = lua_absindex(L, index);
	view = lua_newuserdatauv(L, sizeof *view, 1);
	view->slot = lua_touserdata(L, index);
	view->i = i;
	lua_pushvalue(L, index);
	lua_setiuservalue(L, -2, 1);
	luaL_setmetatable(L, ROW_META);
}

// row:text(name)
static int l_row_text(lua_State *L)
{
	const struct row_view *view = view_check(L);

	l_cell_push_text(L, &rows_at(*view->slot, view->i)[check_column(L, 2, (*view->slot)->schema)]);
	return 1;
}

// Columns come first; a column called "text" hides the method.
static int l_row_index(lua_State *L)
{
	const struct row_view *view = view_check(L);
	const struct rows *rows = *view->slot;
	size_t len;
	const char *name = luaL_checklstring(L, 2, &len);
	int c = schema_find_n(rows->schema, name, len);

	if (c >= 0)
		l_cell_push(L, rows->schema->cols[c].type, &rows_at(rows, view->i)[c]);
	else if (strcmp(name, "text") == 0)
		lua_pushcfunction(L, l_row_text);
	else
		return err_raisef(L, ERR_USAGE, "unknown field '%s' (not a column of these rows)", name);
	return 1;
}

static int l_row_newindex(lua_State *L)
{
	return err_raisef(L, ERR_USAGE, "a row view cannot be written (use rows:set(i, name, value))");
}

static int l_row_next(lua_State *L)
{
	const struct row_view *view = view_check(L);
	const struct schema *schema = (*view->slot)->schema;
	size_t c = lua_isnil(L, 2) ? 0 : check_column(L, 2, schema) + 1;

	if (c >= schema->ncols)
		return 0;
	lua_pushstring(L, schema->cols[c].name);
	l_cell_push(L, schema->cols[c].type, &rows_at(*view->slot, view->i)[c]);
	return 2;
}

// pairs(row): all columns in the schema's order, NULL ones too (their value is nil).
static int l_row_pairs(lua_State *L)
{
	view_check(L);
	lua_pushcfunction(L, l_row_next);
	lua_pushvalue(L, 1);
	lua_pushnil(L);
	return 3;
}

// ---- pages

static int l_rows_make(lua_State *L)
{
	struct schema *schema = l_schema_check(L, 1);
	struct rows **slot = l_rows_slot(L);
	struct err err;

	*slot = rows_new(schema, &err);
	return *slot != NULL ? 1 : err_raise(L, &err);
}

static int l_rows_len(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)l_rows_check(L, 1)->n);
	return 1;
}

// rows[i] is a view; all else is looked up in the methods (upvalue 1).
static int l_rows_index(lua_State *L)
{
	if (lua_type(L, 2) == LUA_TNUMBER) {
		push_view(L, 1, check_row(L, 2, l_rows_check(L, 1)));
		return 1;
	}
	lua_pushvalue(L, 2);
	if (lua_rawget(L, lua_upvalueindex(1)) == LUA_TNIL)
		return err_raisef(L, ERR_USAGE, "rows have no method '%s'", luaL_tolstring(L, 2, NULL));
	return 1;
}

static int l_rows_each_next(lua_State *L)
{
	struct rows *rows = l_rows_check(L, 1);
	lua_Integer i = luaL_checkinteger(L, 2);

	if (i < 0 || (lua_Unsigned)i >= rows->n)
		return 0;
	lua_pushinteger(L, i + 1);
	push_view(L, 1, (size_t)i);
	return 2;
}

// for i, row in rows:each()
static int l_rows_each(lua_State *L)
{
	l_rows_check(L, 1);
	lua_pushcfunction(L, l_rows_each_next);
	lua_pushvalue(L, 1);
	lua_pushinteger(L, 0);
	return 3;
}

// Fill the free row behind the last one from the table at 2; only the caller makes it count.
static void fill_row(lua_State *L, struct rows *rows)
{
	for (size_t c = 0; c < rows->schema->ncols; c++)
		rows_at(rows, rows->n)[c] = (struct cell){.ptr = "", .null = true};
	lua_pushnil(L);
	while (lua_next(L, 2) != 0) {
		size_t c;

		if (lua_type(L, -2) != LUA_TSTRING)
			err_raisef(L, ERR_USAGE, "a row to add has fields with names only");
		c = check_column(L, -2, rows->schema);
		l_cell_set(L, -1, rows, &rows->schema->cols[c], &rows_at(rows, rows->n)[c]);
		lua_pop(L, 1);
	}
}

// rows:add{field = value, ...}
static int l_rows_add(lua_State *L)
{
	struct rows *rows = l_rows_check(L, 1);
	struct err err;

	luaL_checktype(L, 2, LUA_TTABLE);
	if (!rows_reserve(rows, 1, &err))
		return err_raise(L, &err);
	fill_row(L, rows);
	lua_pushinteger(L, (lua_Integer)++rows->n);
	return 1;
}

// rows:append(other, i)
static int l_rows_append(lua_State *L)
{
	struct rows *rows = l_rows_check(L, 1);
	struct rows *other = l_rows_check(L, 2);
	size_t i = check_row(L, 3, other);
	struct err err;

	if (!schema_equal(rows->schema, other->schema))
		return err_raisef(L, ERR_USAGE, "the row to append has other columns than the rows");
	if (!rows_append(rows, other, i, &err))
		return err_raise(L, &err);
	lua_pushinteger(L, (lua_Integer)rows->n);
	return 1;
}

static int push_picked(lua_State *L, struct rows *from, const size_t *indices, size_t n)
{
	struct rows **slot = l_rows_slot(L);
	struct err err;

	*slot = rows_pick(from, indices, n, &err);
	return *slot != NULL ? 1 : err_raise(L, &err);
}

// rows:pick{i, ...}
static int l_rows_pick(lua_State *L)
{
	struct rows *rows = l_rows_check(L, 1);
	size_t *indices;
	size_t n;

	luaL_checktype(L, 2, LUA_TTABLE);
	n = (size_t)lua_rawlen(L, 2);
	indices = lua_newuserdatauv(L, (n + 1) * sizeof *indices, 0);
	for (size_t i = 0; i < n; i++) {
		lua_rawgeti(L, 2, (lua_Integer)i + 1);
		indices[i] = check_row(L, -1, rows);
		lua_pop(L, 1);
	}
	return push_picked(L, rows, indices, n);
}

// rows:slice(from [, to]); from > to is no rows.
static int l_rows_slice(lua_State *L)
{
	struct rows *rows = l_rows_check(L, 1);
	lua_Integer from = luaL_checkinteger(L, 2), to = luaL_optinteger(L, 3, (lua_Integer)rows->n);
	size_t *indices;
	size_t n;

	if (from < 1 || to > (lua_Integer)rows->n)
		return err_raisef(L, ERR_USAGE, "the rows %lld to %lld are out of range (there are %zu)", (long long)from,
			(long long)to, rows->n);
	n = to >= from ? (size_t)(to - from) + 1 : 0;
	indices = lua_newuserdatauv(L, (n + 1) * sizeof *indices, 0);
	for (size_t i = 0; i < n; i++)
		indices[i] = (size_t)from - 1 + i;
	return push_picked(L, rows, indices, n);
}

// rows:get(i, name)
static int l_rows_get(lua_State *L)
{
	struct rows *rows = l_rows_check(L, 1);
	size_t c;
	const struct cell *cell = check_cell(L, rows, &c);

	l_cell_push(L, rows->schema->cols[c].type, cell);
	return 1;
}

// rows:set(i, name, value): the cell's fate becomes exact.
static int l_rows_set(lua_State *L)
{
	struct rows *rows = l_rows_check(L, 1);
	size_t c;
	struct cell *cell = check_cell(L, rows, &c);

	luaL_checkany(L, 4);
	l_cell_set(L, 4, rows, &rows->schema->cols[c], cell);
	return 0;
}

static int l_rows_text(lua_State *L)
{
	size_t c;

	l_cell_push_text(L, check_cell(L, l_rows_check(L, 1), &c));
	return 1;
}

static int l_rows_is_null(lua_State *L)
{
	size_t c;

	lua_pushboolean(L, check_cell(L, l_rows_check(L, 1), &c)->null);
	return 1;
}

static int l_rows_bytes(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)rows_bytes(l_rows_check(L, 1)));
	return 1;
}

static int l_rows_schema(lua_State *L)
{
	push_schema(L, l_rows_check(L, 1)->schema);
	return 1;
}

// ---- fates

static enum fate worst_fate(const struct rows *rows, size_t i)
{
	enum fate worst = FATE_EXACT;

	for (size_t c = 0; c < rows->schema->ncols; c++)
		if (rows_at(rows, i)[c].fate > worst)
			worst = (enum fate)rows_at(rows, i)[c].fate;
	return worst;
}

static int l_rows_worst(lua_State *L)
{
	struct rows *rows = l_rows_check(L, 1);

	lua_pushstring(L, plan_fate_name(worst_fate(rows, check_row(L, 2, rows))));
	return 1;
}

// The module's working storage (upvalue 1): a raise in the midst of it leaks nothing.
static struct canon *canon_of(lua_State *L)
{
	struct canon *canon = lua_touserdata(L, lua_upvalueindex(1));

	buf_clear(&canon->a);
	return canon;
}

static int l_canon_gc(lua_State *L)
{
	canon_free(luaL_checkudata(L, 1, CANON_META));
	return 0;
}

static void push_fate(lua_State *L, struct buf *scratch, const struct column *column, const struct cell *cell)
{
	struct err err;

	buf_clear(scratch);
	if (!plan_put_note(scratch, cell)) {
		err_no_memory(&err);
		err_raise(L, &err);
	}
	lua_createtable(L, 0, 3);
	lua_pushstring(L, column->name);
	lua_setfield(L, -2, "column");
	lua_pushstring(L, plan_fate_name((enum fate)cell->fate));
	lua_setfield(L, -2, "fate");
	lua_pushlstring(L, scratch->len > 0 ? scratch->data : "", scratch->len);
	lua_setfield(L, -2, "note");
}

// rows:fates(i): the cells that are not exact, or nil.
static int l_rows_fates(lua_State *L)
{
	struct rows *rows = l_rows_check(L, 1);
	size_t i = check_row(L, 2, rows);
	struct canon *canon = canon_of(L);
	lua_Integer n = 0;

	if (worst_fate(rows, i) == FATE_EXACT)
		return 0;
	lua_newtable(L);
	for (size_t c = 0; c < rows->schema->ncols; c++) {
		const struct cell *cell = &rows_at(rows, i)[c];

		if (cell->fate == FATE_EXACT)
			continue;
		push_fate(L, &canon->a, &rows->schema->cols[c], cell);
		lua_rawseti(L, -2, ++n);
	}
	return 1;
}

// ---- comparing

// Two rows to compare: arguments 1 to 4.
struct couple {
	struct rows *a, *b;
	size_t i, j;
};

static struct couple check_couple(lua_State *L)
{
	struct couple couple = {.a = l_rows_check(L, 1), .b = l_rows_check(L, 3)};

	couple.i = check_row(L, 2, couple.a);
	couple.j = check_row(L, 4, couple.b);
	return couple;
}

// Is column c of the one equal to that of the same name in the other? Raises when the other has none of this type.
static bool column_equal(lua_State *L, struct canon *canon, const struct couple *couple, size_t c)
{
	const struct column *column = &couple->a->schema->cols[c];
	int other = schema_find(couple->b->schema, column->name);
	struct err err;
	bool equal;

	if (other < 0 || couple->b->schema->cols[other].type != column->type)
		err_raisef(L, ERR_USAGE, "the column '%s' (%s) is missing on the other side, or has another type", column->name,
			col_type_name(column->type));
	if (!canon_equal(canon, column->type, &rows_at(couple->a, couple->i)[c], &rows_at(couple->b, couple->j)[other],
			&equal, &err))
		err_raise(L, &err);
	return equal;
}

static bool all_equal(lua_State *L, const struct couple *couple)
{
	for (size_t c = 0; c < couple->a->schema->ncols; c++)
		if (!column_equal(L, canon_of(L), couple, c))
			return false;
	return true;
}

static bool listed_equal(lua_State *L, const struct couple *couple)
{
	size_t n;

	luaL_checktype(L, 5, LUA_TTABLE);
	n = (size_t)lua_rawlen(L, 5);
	for (size_t i = 0; i < n; i++) {
		size_t c;

		lua_rawgeti(L, 5, (lua_Integer)i + 1);
		c = check_column(L, -1, couple->a->schema);
		lua_pop(L, 1);
		if (!column_equal(L, canon_of(L), couple, c))
			return false;
	}
	return true;
}

// rows.equal(a, i, b, j [, {column, ...}])
static int l_rows_equal(lua_State *L)
{
	struct couple couple = check_couple(L);

	lua_pushboolean(L, lua_isnoneornil(L, 5) ? all_equal(L, &couple) : listed_equal(L, &couple));
	return 1;
}

// rows.diff(a, i, b, j): names of the columns that differ.
static int l_rows_diff(lua_State *L)
{
	struct couple couple = check_couple(L);
	lua_Integer n = 0;

	lua_newtable(L);
	for (size_t c = 0; c < couple.a->schema->ncols; c++) {
		if (column_equal(L, canon_of(L), &couple, c))
			continue;
		lua_pushstring(L, couple.a->schema->cols[c].name);
		lua_rawseti(L, -2, ++n);
	}
	return 1;
}

// rows.canon(rows, i, name): canonical bytes, nil for NULL.
static int l_rows_canon(lua_State *L)
{
	struct rows *rows = l_rows_check(L, 1);
	size_t c;
	const struct cell *cell = check_cell(L, rows, &c);
	struct canon *canon = canon_of(L);
	struct err err;

	if (cell->null)
		return 0;
	if (!canon_put(&canon->a, rows->schema->cols[c].type, cell, &err))
		return err_raise(L, &err);
	lua_pushlstring(L, canon->a.len > 0 ? canon->a.data : "", canon->a.len);
	return 1;
}

// rows.digest(rows, i): 32 raw bytes.
static int l_rows_digest(lua_State *L)
{
	struct rows *rows = l_rows_check(L, 1);
	size_t i = check_row(L, 2, rows);
	unsigned char digest[CANON_DIGEST_SIZE];
	struct err err;

	if (!canon_digest(canon_of(L), rows->schema, rows_at(rows, i), digest, &err))
		return err_raise(L, &err);
	lua_pushlstring(L, (const char *)digest, sizeof digest);
	return 1;
}

// rows.digests(rows, key, schema of a text and a bytes column): a page of each row's key and short digest.
static int l_rows_digests(lua_State *L)
{
	struct rows *from = l_rows_check(L, 1), **slot;
	size_t key = check_column(L, 2, from->schema);
	struct schema *schema = l_schema_check(L, 3);
	struct err err;

	luaL_argcheck(L, schema->ncols == 2 && schema->cols[1].type == COL_BYTES, 3, "a key and a bytes column");
	slot = l_rows_slot(L);
	*slot = rows_new(schema, &err);
	if (*slot == NULL || !leaf_digests(canon_of(L), from, from->schema->cols[key].name, *slot, &err))
		return err_raise(L, &err);
	return 1;
}

// ---- the module

static const luaL_Reg schema_methods[] = {
	{"names", l_schema_names},
	{"type", l_schema_type},
	{"select", l_schema_select},
	{"index", l_schema_index},
	{NULL, NULL},
};

static const luaL_Reg schema_meta[] = {
	{"__gc", l_schema_gc},
	{"__len", l_schema_len},
	{"__eq", l_schema_eq},
	{NULL, NULL},
};

static const luaL_Reg rows_methods[] = {
	{"each", l_rows_each},
	{"add", l_rows_add},
	{"append", l_rows_append},
	{"pick", l_rows_pick},
	{"slice", l_rows_slice},
	{"get", l_rows_get},
	{"set", l_rows_set},
	{"text", l_rows_text},
	{"is_null", l_rows_is_null},
	{"bytes", l_rows_bytes},
	{"schema", l_rows_schema},
	{"worst", l_rows_worst},
	{"fates", l_rows_fates},
	{NULL, NULL},
};

static const luaL_Reg rows_meta[] = {
	{"__gc", l_rows_gc},
	{"__len", l_rows_len},
	{NULL, NULL},
};

static const luaL_Reg row_meta[] = {
	{"__index", l_row_index},
	{"__newindex", l_row_newindex},
	{"__pairs", l_row_pairs},
	{NULL, NULL},
};

// is_form(type, text): whether the text is a value of the type as cells hold it
static int l_rows_is_form(lua_State *L)
{
	enum col_type type = col_type_of(luaL_checkstring(L, 1));
	size_t len;
	const char *text = luaL_checklstring(L, 2, &len);

	luaL_argcheck(L, type != COL_TYPE_COUNT, 1, "unknown type");
	lua_pushboolean(L, cast_is_form(type, text, len));
	return 1;
}

static const luaL_Reg functions[] = {
	{"schema", l_schema_make},
	{"is_form", l_rows_is_form},
	{"new", l_rows_make},
	{"equal", l_rows_equal},
	{"diff", l_rows_diff},
	{"canon", l_rows_canon},
	{"digest", l_rows_digest},
	{"digests", l_rows_digests},
	{NULL, NULL},
};

// Metatables are hidden from scripts: a finalizer called by hand would be a use after free.
static void new_meta(lua_State *L, const char *name, const luaL_Reg *meta)
{
	luaL_newmetatable(L, name);
	luaL_setfuncs(L, meta, 0);
	lua_pushstring(L, name);
	lua_setfield(L, -2, "__metatable");
}

static void open_meta(lua_State *L)
{
	new_meta(L, SCHEMA_META, schema_meta);
	luaL_newlibtable(L, schema_methods);
	luaL_setfuncs(L, schema_methods, 0);
	lua_setfield(L, -2, "__index");
	new_meta(L, ROW_META, row_meta);
	luaL_newmetatable(L, CANON_META);
	lua_pushcfunction(L, l_canon_gc);
	lua_setfield(L, -2, "__gc");
	lua_pop(L, 3);
}

int luaopen_syncrun_rows(lua_State *L)
{
	struct canon *canon;

	open_meta(L);
	canon = lua_newuserdatauv(L, sizeof *canon, 0);
	*canon = (struct canon){.a = {.data = NULL}};
	luaL_setmetatable(L, CANON_META);
	new_meta(L, ROWS_META, rows_meta);
	luaL_newlibtable(L, rows_methods);
	lua_pushvalue(L, -3);
	luaL_setfuncs(L, rows_methods, 1);
	lua_pushcclosure(L, l_rows_index, 1);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
	luaL_newlibtable(L, functions);
	lua_pushvalue(L, -2);
	luaL_setfuncs(L, functions, 1);
	return 1;
}

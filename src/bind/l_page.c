// _syncrun.page: JSON pages into rows, and rows into JSON bodies. Everything that C holds while Lua may raise hangs in
// a userdata with a finalizer.
#include <stdint.h>
#include <string.h>

#include <lauxlib.h>

#include "bind/err_lua.h"
#include "bind/l_json.h"
#include "bind/l_rows.h"
#include "bind/modules.h"
#include "data/encode.h"
#include "data/page.h"

#define PATHS_META "syncrun.page.paths"
#define FIELDS_META "syncrun.page.fields"
#define EXTRAS_META "syncrun.page.extras"
#define ENCODER_META "syncrun.encoder"

// A zeroed userdata of this metatable, whose finalizer is made with it.
static void *new_owner(lua_State *L, size_t size, const char *meta, lua_CFunction gc)
{
	void *owner = lua_newuserdatauv(L, size, 0);

	memset(owner, 0, size);
	if (luaL_newmetatable(L, meta)) {
		lua_pushcfunction(L, gc);
		lua_setfield(L, -2, "__gc");
	}
	lua_setmetatable(L, -2);
	return owner;
}

static int paths_gc(lua_State *L)
{
	struct page_paths **paths = lua_touserdata(L, 1);

	page_paths_free(*paths);
	*paths = NULL;
	return 0;
}

static int fields_gc(lua_State *L)
{
	struct bigquery_fields **fields = lua_touserdata(L, 1);

	bigquery_fields_free(*fields);
	*fields = NULL;
	return 0;
}

static int extras_gc(lua_State *L)
{
	page_extras_free(lua_touserdata(L, 1));
	return 0;
}

// An empty page of that schema, left on the stack.
static struct rows *push_rows(lua_State *L, struct schema *schema)
{
	struct rows **slot = l_rows_slot(L);
	struct err err;

	*slot = rows_new(schema, &err);
	if (*slot == NULL)
		err_raise(L, &err);
	return *slot;
}

// ---- by paths

// The strings of the list at spec[field], or none when it is absent and may be: pointers into strings that the list
// holds, in a userdata left on the stack.
static const char **push_strings(lua_State *L, int spec, const char *field, bool optional, size_t *n)
{
	const char **strings;
	int list;

	lua_getfield(L, spec, field);
	list = lua_gettop(L);
	*n = lua_istable(L, list) ? (size_t)lua_rawlen(L, list) : 0;
	if (!lua_istable(L, list) && !(optional && lua_isnil(L, list)))
		err_raisef(L, ERR_USAGE, "'%s' must be a list of paths", field);
	strings = lua_newuserdatauv(L, (*n + 1) * sizeof *strings, 0);
	for (size_t i = 0; i < *n; i++) {
		lua_rawgeti(L, list, (lua_Integer)i + 1);
		if (lua_type(L, -1) != LUA_TSTRING)
			err_raisef(L, ERR_USAGE, "entry %zu of '%s' is not a path", i + 1, field);
		strings[i] = lua_tostring(L, -1);
		lua_pop(L, 1);
	}
	return strings;
}

// Is the value's spelling null? Scripts get such extras as nil.
static bool is_null(const struct page_value *value)
{
	return value->len == 4 && memcmp(value->text, "null", 4) == 0;
}

static void push_path_extras(
	lua_State *L, const char *const *names, const struct page_value *values, size_t n, bool missing)
{
	lua_newtable(L);
	for (size_t i = 0; i < n; i++) {
		if (values[i].text == NULL || is_null(&values[i]))
			continue;
		l_json_push(L, values[i].text, values[i].len);
		lua_setfield(L, -2, names[i]);
	}
	if (missing) {
		lua_pushboolean(L, 1);
		lua_setfield(L, -2, "rows_missing");
	}
}

static int l_read_json(lua_State *L)
{
	size_t len, ncolumns, nextras;
	const char *text = luaL_checklstring(L, 1, &len), *rows_path;
	struct schema *schema = l_schema_check(L, 2);
	const char **columns, **extras;
	struct page_paths **paths;
	struct page_value *values;
	struct rows *rows;
	struct err err;
	bool missing;

	luaL_checktype(L, 3, LUA_TTABLE);
	lua_settop(L, 3);
	lua_getfield(L, 3, "rows");
	if (lua_type(L, -1) != LUA_TSTRING)
		return err_raisef(L, ERR_USAGE, "'rows' must be the path of the array of rows");
	rows_path = lua_tostring(L, -1);
	columns = push_strings(L, 3, "paths", false, &ncolumns);
	extras = push_strings(L, 3, "extra", true, &nextras);
	if (ncolumns != schema->ncols)
		return err_raisef(L, ERR_USAGE, "%zu paths for a schema of %zu columns", ncolumns, schema->ncols);
	values = lua_newuserdatauv(L, (nextras + 1) * sizeof *values, 0);
	paths = new_owner(L, sizeof *paths, PATHS_META, paths_gc);
	*paths = page_paths_new(rows_path, columns, ncolumns, extras, nextras, &err);
	if (*paths == NULL)
		return err_raise(L, &err);
	rows = push_rows(L, schema);
	if (!page_read_json(*paths, text, len, rows, values, &missing, &err))
		return err_raise(L, &err);
	push_path_extras(L, extras, values, nextras, missing);
	return 2;
}

// ---- bigquery

// The compiled fields of the list at index. A scan asks with the same fields for every page: those compiled last are
// kept (upvalue 1: their JSON text, upvalue 2: the userdata), so that all its pages share one schema.
static struct bigquery_fields *check_fields(lua_State *L, int index)
{
	struct buf *json;
	struct bigquery_fields **fields;
	struct err err;

	luaL_checktype(L, index, LUA_TTABLE);
	json = l_json_encode(L, index);
	lua_pushlstring(L, json->data, json->len);
	if (lua_rawequal(L, -1, lua_upvalueindex(1))) {
		lua_pushvalue(L, lua_upvalueindex(2)); // in use until the caller returns
		return *(struct bigquery_fields **)lua_touserdata(L, -1);
	}
	fields = new_owner(L, sizeof *fields, FIELDS_META, fields_gc);
	*fields = bigquery_fields_parse(json->data, json->len, &err);
	if (*fields == NULL)
		err_raise(L, &err);
	lua_copy(L, -1, lua_upvalueindex(2));
	lua_copy(L, -2, lua_upvalueindex(1));
	buf_free(json);
	return *fields;
}

static int l_bigquery_schema(lua_State *L)
{
	struct schema **slot;
	struct schema *schema = bigquery_fields_schema(check_fields(L, 1));

	slot = l_schema_slot(L);
	*slot = schema_ref(schema);
	return 1;
}

static int l_read_bigquery(lua_State *L)
{
	size_t len;
	const char *text = luaL_checklstring(L, 1, &len);
	const struct bigquery_fields *fields = check_fields(L, 2);
	struct page_extras *extras = new_owner(L, sizeof *extras, EXTRAS_META, extras_gc);
	struct rows *rows = push_rows(L, bigquery_fields_schema(fields));
	struct err err;

	if (!page_read_bigquery(fields, text, len, rows, extras, &err))
		return err_raise(L, &err);
	lua_newtable(L);
	for (size_t i = 0; i < extras->n; i++) {
		lua_pushlstring(L, extras->items[i].name, extras->items[i].name_len);
		l_json_push(L, extras->items[i].text, extras->items[i].len);
		lua_rawset(L, -3);
	}
	page_extras_free(extras);
	return 2;
}

// ---- the encoder

static int encoder_gc(lua_State *L)
{
	struct encoder **encoder = luaL_checkudata(L, 1, ENCODER_META);

	encoder_free(*encoder);
	*encoder = NULL;
	return 0;
}

static struct encoder *check_encoder(lua_State *L, int index)
{
	struct encoder **encoder = luaL_checkudata(L, index, ENCODER_META);

	luaL_argcheck(L, *encoder != NULL, index, "the encoder was never filled");
	return *encoder;
}

// The string at name of the table on top, borrowed from it, or NULL when absent.
static const char *string_field(lua_State *L, const char *name, size_t i, size_t *len)
{
	const char *text = NULL;

	lua_getfield(L, -1, name);
	if (lua_type(L, -1) == LUA_TSTRING)
		text = lua_tolstring(L, -1, len);
	else if (!lua_isnil(L, -1))
		err_raisef(L, ERR_USAGE, "'%s' of entry %zu of an encoder must be a string", name, i);
	lua_pop(L, 1);
	return text;
}

// Fill the field from the entry on top of the stack, the i-th.
static void check_field(lua_State *L, struct encode_field *field, size_t i)
{
	const char *as;
	size_t len;

	if (!lua_istable(L, -1))
		err_raisef(L, ERR_USAGE, "entry %zu of an encoder is not a table", i);
	field->path = string_field(L, "path", i, &len);
	field->column = string_field(L, "column", i, &len);
	field->constant = string_field(L, "const", i, &field->constant_len);
	as = string_field(L, "as", i, &len);
	field->as = as != NULL ? encode_as_of(as) : ENCODE_AUTO;
	if (field->path == NULL)
		err_raisef(L, ERR_USAGE, "entry %zu of an encoder has no path", i);
	if ((field->column == NULL) == (field->constant == NULL))
		err_raisef(L, ERR_USAGE, "the path '%s' of an encoder needs either 'column' or 'const'", field->path);
	if (field->as == ENCODE_AS_COUNT)
		err_raisef(L, ERR_USAGE, "the path '%s' of an encoder has the unknown form '%s'", field->path, as);
}

static int l_encoder(lua_State *L)
{
	struct encode_field *fields;
	struct encoder **encoder;
	struct err err;
	size_t n;

	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	n = (size_t)lua_rawlen(L, 1);
	fields = lua_newuserdatauv(L, (n + 1) * sizeof *fields, 0);
	memset(fields, 0, (n + 1) * sizeof *fields);
	for (size_t i = 0; i < n; i++) {
		lua_rawgeti(L, 1, (lua_Integer)i + 1);
		check_field(L, &fields[i], i + 1);
		lua_pop(L, 1);
	}
	encoder = lua_newuserdatauv(L, sizeof *encoder, 0);
	*encoder = NULL;
	luaL_setmetatable(L, ENCODER_META);
	*encoder = encoder_new(fields, n, &err);
	return *encoder != NULL ? 1 : err_raise(L, &err);
}

static int l_encode(lua_State *L)
{
	struct encoder *encoder = check_encoder(L, 1);
	struct rows *rows = l_rows_check(L, 2);
	lua_Integer from = luaL_optinteger(L, 3, 1), to = luaL_optinteger(L, 4, (lua_Integer)rows->n);
	struct buf *out;
	struct err err;

	if (from < 1 || to > (lua_Integer)rows->n || to < from - 1)
		return err_raisef(L, ERR_USAGE, "rows %lld to %lld are out of range (there are %zu)", (long long)from,
			(long long)to, rows->n);
	out = l_json_buf(L);
	if (!encoder_put_rows(encoder, rows, (size_t)from - 1, (size_t)to, out, &err))
		return err_raise(L, &err);
	lua_pushlstring(L, out->data, out->len);
	buf_free(out);
	return 1;
}

enum { UP_ENCODER = 1, UP_ROWS, UP_NEXT, UP_MAX_ROWS, UP_MAX_BYTES };

static int next_batch(lua_State *L)
{
	struct encoder *encoder = check_encoder(L, lua_upvalueindex(UP_ENCODER));
	struct rows *rows = l_rows_check(L, lua_upvalueindex(UP_ROWS));
	size_t from = (size_t)lua_tointeger(L, lua_upvalueindex(UP_NEXT)), to;
	size_t max_rows = (size_t)lua_tointeger(L, lua_upvalueindex(UP_MAX_ROWS));
	size_t max_bytes = (size_t)lua_tointeger(L, lua_upvalueindex(UP_MAX_BYTES));
	struct buf *out;
	struct err err;

	if (from >= rows->n)
		return 0;
	out = l_json_buf(L);
	if (!encoder_put_batch(encoder, rows, from, max_rows, max_bytes, out, &to, &err))
		return err_raise(L, &err);
	lua_pushinteger(L, (lua_Integer)to);
	lua_replace(L, lua_upvalueindex(UP_NEXT));
	lua_pushlstring(L, out->data, out->len);
	lua_pushinteger(L, (lua_Integer)from + 1);
	lua_pushinteger(L, (lua_Integer)to);
	buf_free(out);
	return 3;
}

static int l_batches(lua_State *L)
{
	lua_Integer max_rows, max_bytes;

	check_encoder(L, 1);
	l_rows_check(L, 2);
	max_rows = luaL_optinteger(L, 3, LUA_MAXINTEGER);
	max_bytes = luaL_optinteger(L, 4, LUA_MAXINTEGER);
	luaL_argcheck(L, max_rows >= 1, 3, "a batch has at least one row");
	luaL_argcheck(L, max_bytes >= 1, 4, "a batch has at least one byte");
	lua_settop(L, 2);
	lua_pushinteger(L, 0);
	lua_pushinteger(L, max_rows);
	lua_pushinteger(L, max_bytes);
	lua_pushcclosure(L, next_batch, UP_MAX_BYTES);
	return 1;
}

static void open_encoder(lua_State *L)
{
	static const luaL_Reg methods[] = {{"encode", l_encode}, {"batches", l_batches}, {NULL, NULL}};

	luaL_newmetatable(L, ENCODER_META);
	lua_pushcfunction(L, encoder_gc);
	lua_setfield(L, -2, "__gc");
	luaL_newlib(L, methods);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
}

int luaopen_syncrun_page(lua_State *L)
{
	static const luaL_Reg functions[] = {{"read_json", l_read_json}, {"encoder", l_encoder}, {NULL, NULL}};
	static const luaL_Reg bigquery[] = {
		{"read_bigquery", l_read_bigquery}, {"bigquery_schema", l_bigquery_schema}, {NULL, NULL}};

	open_encoder(L);
	luaL_newlib(L, functions);
	for (const luaL_Reg *f = bigquery; f->name != NULL; f++) {
		lua_pushnil(L);
		lua_pushnil(L);
		lua_pushcclosure(L, f->func, 2);
		lua_setfield(L, -2, f->name);
	}
	return 1;
}

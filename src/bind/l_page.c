// _syncrun.page: readers that make rows of JSON pages, and the encoder that makes JSON bodies of rows. A reader is
// compiled once and gives pages of one schema. Everything that C holds while Lua may raise hangs in a userdata with a
// finalizer.
#include <stdint.h>
#include <string.h>

#include <lauxlib.h>

#include "bind/err_lua.h"
#include "bind/l_json.h"
#include "bind/l_rows.h"
#include "bind/modules.h"
#include "data/encode.h"
#include "data/page.h"

#define JSON_READER_META "syncrun.json_reader"
#define BIGQUERY_READER_META "syncrun.bigquery_reader"
#define EXTRAS_META "syncrun.page.extras"
#define ENCODER_META "syncrun.encoder"

struct json_reader {
	struct page_paths *paths;
	struct schema *schema;
	size_t nextras;
};

struct bigquery_reader {
	struct bigquery_fields *fields;
};

// A zeroed userdata of this metatable, which open_class has made.
static void *new_owner(lua_State *L, size_t size, const char *meta, int nvalues)
{
	void *owner = lua_newuserdatauv(L, size, nvalues);

	memset(owner, 0, size);
	luaL_setmetatable(L, meta);
	return owner;
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

enum { READER_EXTRA_NAMES = 1 };

static int json_reader_gc(lua_State *L)
{
	struct json_reader *reader = lua_touserdata(L, 1);

	page_paths_free(reader->paths);
	schema_unref(reader->schema);
	memset(reader, 0, sizeof *reader);
	return 0;
}

// The list of n strings as a list of our own, on top: the caller's may change.
static void push_copy(lua_State *L, const char *const *strings, size_t n)
{
	lua_createtable(L, (int)n, 0);
	for (size_t i = 0; i < n; i++) {
		lua_pushstring(L, strings[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

static int l_json_reader(lua_State *L)
{
	struct schema *schema = l_schema_check(L, 1);
	const char *rows_path, **columns, **extras;
	size_t ncolumns, nextras;
	struct json_reader *reader;
	struct err err;

	luaL_checktype(L, 2, LUA_TTABLE);
	lua_settop(L, 2);
	lua_getfield(L, 2, "rows");
	if (lua_type(L, -1) != LUA_TSTRING)
		return err_raisef(L, ERR_USAGE, "'rows' must be the path of the array of rows");
	rows_path = lua_tostring(L, -1);
	columns = push_strings(L, 2, "paths", false, &ncolumns);
	extras = push_strings(L, 2, "extra", true, &nextras);
	if (ncolumns != schema->ncols)
		return err_raisef(L, ERR_USAGE, "%zu paths for a schema of %zu columns", ncolumns, schema->ncols);
	reader = new_owner(L, sizeof *reader, JSON_READER_META, 1);
	reader->schema = schema_ref(schema);
	reader->nextras = nextras;
	reader->paths = page_paths_new(rows_path, columns, ncolumns, extras, nextras, &err);
	if (reader->paths == NULL)
		return err_raise(L, &err);
	push_copy(L, extras, nextras);
	lua_setiuservalue(L, -2, READER_EXTRA_NAMES);
	return 1;
}

// The table of the extras that were there, by their names (the list at index), left on the stack.
static void push_path_extras(lua_State *L, int names, const struct page_value *values, size_t n, bool missing)
{
	lua_newtable(L);
	for (size_t i = 0; i < n; i++) {
		if (values[i].text == NULL || is_null(&values[i]))
			continue;
		lua_rawgeti(L, names, (lua_Integer)i + 1);
		l_json_push(L, values[i].text, values[i].len);
		lua_rawset(L, -3);
	}
	if (missing) {
		lua_pushboolean(L, 1);
		lua_setfield(L, -2, "rows_missing");
	}
}

static int l_json_reader_read(lua_State *L)
{
	struct json_reader *reader = luaL_checkudata(L, 1, JSON_READER_META);
	struct page_value *values;
	struct rows *rows;
	const char *text;
	struct err err;
	bool missing;
	size_t len;

	text = luaL_checklstring(L, 2, &len);
	lua_settop(L, 2);
	lua_getiuservalue(L, 1, READER_EXTRA_NAMES);
	values = lua_newuserdatauv(L, (reader->nextras + 1) * sizeof *values, 0);
	rows = push_rows(L, reader->schema);
	if (!page_read_json(reader->paths, text, len, rows, values, &missing, &err))
		return err_raise(L, &err);
	push_path_extras(L, 3, values, reader->nextras, missing);
	return 2;
}

static void push_schema(lua_State *L, struct schema *schema)
{
	struct schema **slot = l_schema_slot(L);

	*slot = schema_ref(schema);
}

static int l_json_reader_schema(lua_State *L)
{
	struct json_reader *reader = luaL_checkudata(L, 1, JSON_READER_META);

	push_schema(L, reader->schema);
	return 1;
}

// ---- bigquery

static int bigquery_reader_gc(lua_State *L)
{
	struct bigquery_reader *reader = lua_touserdata(L, 1);

	bigquery_fields_free(reader->fields);
	reader->fields = NULL;
	return 0;
}

static int l_bigquery_reader(lua_State *L)
{
	struct bigquery_reader *reader;
	struct buf *json;
	struct err err;

	luaL_checktype(L, 1, LUA_TTABLE);
	json = l_json_encode(L, 1);
	reader = new_owner(L, sizeof *reader, BIGQUERY_READER_META, 0);
	reader->fields = bigquery_fields_parse(json->data, json->len, &err);
	buf_free(json);
	return reader->fields != NULL ? 1 : err_raise(L, &err);
}

static int l_bigquery_reader_schema(lua_State *L)
{
	struct bigquery_reader *reader = luaL_checkudata(L, 1, BIGQUERY_READER_META);

	push_schema(L, bigquery_fields_schema(reader->fields));
	return 1;
}

static int extras_gc(lua_State *L)
{
	page_extras_free(lua_touserdata(L, 1));
	return 0;
}

static int l_bigquery_reader_read(lua_State *L)
{
	struct bigquery_reader *reader = luaL_checkudata(L, 1, BIGQUERY_READER_META);
	struct page_extras *extras;
	struct rows *rows;
	const char *text;
	struct err err;
	size_t len;

	text = luaL_checklstring(L, 2, &len);
	extras = new_owner(L, sizeof *extras, EXTRAS_META, 0);
	rows = push_rows(L, bigquery_fields_schema(reader->fields));
	if (!page_read_bigquery(reader->fields, text, len, rows, extras, &err))
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

static int l_next_batch(lua_State *L)
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
	lua_pushcclosure(L, l_next_batch, UP_MAX_BYTES);
	return 1;
}

// The metatable of a class: its finalizer, and its methods, if it has any.
static void open_class(lua_State *L, const char *meta, lua_CFunction gc, const luaL_Reg *methods)
{
	luaL_newmetatable(L, meta);
	lua_pushcfunction(L, gc);
	lua_setfield(L, -2, "__gc");
	lua_newtable(L);
	if (methods != NULL)
		luaL_setfuncs(L, methods, 0);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
}

int luaopen_syncrun_page(lua_State *L)
{
	static const luaL_Reg json_reader[] = {
		{"read", l_json_reader_read}, {"schema", l_json_reader_schema}, {NULL, NULL}};
	static const luaL_Reg bigquery_reader[] = {
		{"read", l_bigquery_reader_read}, {"schema", l_bigquery_reader_schema}, {NULL, NULL}};
	static const luaL_Reg encoder[] = {{"encode", l_encode}, {"batches", l_batches}, {NULL, NULL}};
	static const luaL_Reg functions[] = {
		{"json_reader", l_json_reader}, {"bigquery_reader", l_bigquery_reader}, {"encoder", l_encoder}, {NULL, NULL}};

	open_class(L, JSON_READER_META, json_reader_gc, json_reader);
	open_class(L, BIGQUERY_READER_META, bigquery_reader_gc, bigquery_reader);
	open_class(L, EXTRAS_META, extras_gc, NULL);
	open_class(L, ENCODER_META, encoder_gc, encoder);
	luaL_newlib(L, functions);
	return 1;
}

// Values over the border between Lua and Postgres. Knows no connection.
//
// Parameters travel as text whose type the server infers, but for the two that say their type: bytea and text[].
#include "bind/pg_values.h"

#include <inttypes.h>
#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/c_locale.h"
#include "bind/err_lua.h"
#include "data/pg_rows.h"
#include "io/json.h"

#define PARAM_META "syncrun.postgres.param"

enum { OID_INT8 = 20, OID_INT2 = 21, OID_INT4 = 23, OID_OID = 26, OID_FLOAT4 = 700, OID_FLOAT8 = 701 };

struct param {
	uint32_t type;
	struct buf bytes;
};

static int l_param_gc(lua_State *L)
{
	struct param *p = luaL_checkudata(L, 1, PARAM_META);

	buf_free(&p->bytes);
	return 0;
}

struct buf *pg_param_push(lua_State *L, uint32_t type)
{
	struct param *p = lua_newuserdatauv(L, sizeof *p, 0);

	*p = (struct param){.type = type};
	if (luaL_newmetatable(L, PARAM_META)) {
		lua_pushcfunction(L, l_param_gc);
		lua_setfield(L, -2, "__gc");
	}
	lua_setmetatable(L, -2);
	return &p->bytes;
}

int l_pg_bytes(lua_State *L)
{
	size_t len;
	const char *data = luaL_checklstring(L, 1, &len);
	struct err err;

	if (!buf_put(pg_param_push(L, PG_TYPE_BYTEA), data, len)) {
		err_no_memory(&err);
		return err_raise(L, &err);
	}
	return 1;
}

static lua_Integer list_length(lua_State *L, int index)
{
	lua_Integer n;

	if (lua_getfield(L, index, "n") == LUA_TNIL) // table.pack counts the holes
		n = luaL_len(L, index);
	else
		n = luaL_checkinteger(L, -1);
	lua_pop(L, 1);
	return n;
}

static bool is_null(lua_State *L, int index)
{
	return lua_isnoneornil(L, index) || lua_type(L, index) == LUA_TLIGHTUSERDATA; // json.null
}

int l_pg_text_array(lua_State *L)
{
	struct err err;
	struct buf *out;
	lua_Integer n;
	bool ok;

	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	n = list_length(L, 1);
	out = pg_param_push(L, PG_TYPE_TEXT_ARRAY);
	ok = pg_array_begin(out, n < 0 ? 0 : (size_t)n, &err);
	for (lua_Integer i = 1; ok && i <= n; i++) {
		size_t len = 0;
		const char *data = NULL;

		lua_geti(L, 1, i);
		if (!is_null(L, -1)) {
			if (lua_type(L, -1) != LUA_TSTRING)
				return err_raisef(
					L, ERR_USAGE, "element %d of a text array is a %s, want a string", (int)i, luaL_typename(L, -1));
			data = lua_tolstring(L, -1, &len);
		}
		ok = pg_array_put(out, data, len, &err);
		lua_pop(L, 1);
	}
	return ok ? 1 : err_raise(L, &err);
}

// ---- parameters ----

static void push_float(lua_State *L, double v)
{
	char text[JSON_DOUBLE_SIZE];

	if (isnan(v))
		snprintf(text, sizeof text, "NaN");
	else if (isinf(v))
		snprintf(text, sizeof text, v > 0 ? "Infinity" : "-Infinity");
	else
		text[json_double_text(v, text)] = '\0';
	lua_pushstring(L, text);
}

static void text_param(lua_State *L, int index, struct pg_param *out)
{
	out->data = lua_tolstring(L, index, &out->len);
	if (memchr(out->data, '\0', out->len) != NULL)
		err_raisef(L, ERR_USAGE, "a text parameter holds a NUL byte, which Postgres cannot store; use postgres.bytes");
}

static void one_param(lua_State *L, int index, struct pg_param *out)
{
	const struct param *p;

	switch (lua_type(L, index)) {
	case LUA_TBOOLEAN:
		lua_pushstring(L, lua_toboolean(L, index) ? "true" : "false");
		lua_replace(L, index);
		break;
	case LUA_TNUMBER:
		if (!lua_isinteger(L, index)) {
			push_float(L, lua_tonumber(L, index));
			lua_replace(L, index);
		}
		break;
	case LUA_TSTRING:
		break;
	default:
		if (is_null(L, index))
			return;
		p = luaL_testudata(L, index, PARAM_META);
		if (p == NULL)
			err_raisef(L, ERR_USAGE,
				"a parameter is a %s, want nil, a boolean, a number, a string, postgres.bytes or "
				"postgres.text_array",
				luaL_typename(L, index));
		*out = (struct pg_param){p->bytes.data != NULL ? p->bytes.data : "", p->bytes.len, p->type, true};
		return;
	}
	text_param(L, index, out);
}

void pg_statement_check(lua_State *L, int first, int n, struct pg_statement *out)
{
	struct pg_param *params;

	first = lua_absindex(L, first);
	out->sql = luaL_checkstring(L, first);
	out->nparams = (size_t)n;
	luaL_checkstack(L, 4, NULL);
	params = lua_newuserdatauv(L, sizeof *params * ((size_t)n + 1), 0);
	memset(params, 0, sizeof *params * ((size_t)n + 1));
	for (int i = 0; i < n; i++)
		one_param(L, first + 1 + i, &params[i]);
	out->params = params;
}

// ---- results ----

static void push_bytea(lua_State *L, const char *text)
{
	struct buf *bytes = pg_param_push(L, PG_TYPE_BYTEA);
	struct err err;

	if (!pg_bytea_append(bytes, text)) {
		err_no_memory(&err);
		err_raise(L, &err);
	}
	lua_pushlstring(L, bytes->data != NULL ? bytes->data : "", bytes->len);
	buf_free(bytes);
	lua_remove(L, -2);
}

static double read_float(const char *text)
{
	locale_t before = c_locale_enter();
	double value = strtod(text, NULL);

	uselocale(before);
	return value;
}

static void push_value(lua_State *L, uint32_t type, const char *text, size_t len)
{
	switch (type) {
	case PG_TYPE_BOOL:
		lua_pushboolean(L, text[0] == 't');
		break;
	case OID_INT2:
	case OID_INT4:
	case OID_INT8:
	case OID_OID:
		lua_pushinteger(L, (lua_Integer)strtoll(text, NULL, 10));
		break;
	case OID_FLOAT4:
	case OID_FLOAT8:
		lua_pushnumber(L, read_float(text));
		break;
	case PG_TYPE_BYTEA:
		push_bytea(L, text);
		break;
	default:
		lua_pushlstring(L, text, len);
	}
}

void pg_row_push(lua_State *L, const struct pg_result *res, size_t r)
{
	size_t ncols = pg_result_columns(res);

	luaL_checkstack(L, 6, NULL);
	lua_createtable(L, 0, (int)ncols);
	for (size_t c = 0; c < ncols; c++) {
		size_t len;
		const char *text = pg_result_text(res, r, c, &len);

		if (text == NULL)
			continue;
		push_value(L, pg_result_type(res, c), text, len);
		lua_setfield(L, -2, pg_result_column(res, c));
	}
}

static void push_type(lua_State *L, uint32_t oid)
{
	const char *name = pg_type_name(oid);

	if (name != NULL)
		lua_pushstring(L, name);
	else
		lua_pushfstring(L, "oid %I", (LUAI_UACINT)oid);
}

static void push_columns(lua_State *L, const struct pg_result *res)
{
	size_t n = pg_result_columns(res);

	lua_createtable(L, (int)n, 0);
	for (size_t c = 0; c < n; c++) {
		lua_createtable(L, 0, 3);
		lua_pushstring(L, pg_result_column(res, c));
		lua_setfield(L, -2, "name");
		push_type(L, pg_result_type(res, c));
		lua_setfield(L, -2, "type");
		lua_pushinteger(L, (lua_Integer)pg_result_type(res, c));
		lua_setfield(L, -2, "oid");
		lua_seti(L, -2, (lua_Integer)c + 1);
	}
}

void pg_result_push(lua_State *L, const struct pg_result *res)
{
	size_t n = pg_result_rows(res);
	char command[32];

	luaL_checkstack(L, 8, NULL);
	lua_createtable(L, (int)n, 4);
	lua_pushinteger(L, (lua_Integer)n);
	lua_setfield(L, -2, "n");
	lua_pushinteger(L, (lua_Integer)(pg_result_affected(res) < 0 ? 0 : pg_result_affected(res)));
	lua_setfield(L, -2, "affected");
	pg_result_command(res, command, sizeof command);
	lua_pushstring(L, command);
	lua_setfield(L, -2, "command");
	push_columns(L, res);
	lua_setfield(L, -2, "columns");
	for (size_t r = 0; r < n; r++) {
		pg_row_push(L, res, r);
		lua_seti(L, -2, (lua_Integer)r + 1);
	}
}

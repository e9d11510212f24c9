// Headers and options of both HTTP bindings. Knows no request and no server.
#include "bind/http_lua.h"

#include <ctype.h>
#include <string.h>

#include <lauxlib.h>

#include "bind/err_lua.h"

static const char *item_string(lua_State *L, int index, lua_Integer i, size_t *len)
{
	const char *text;

	if (lua_geti(L, index, i) != LUA_TSTRING)
		err_raisef(
			L, ERR_USAGE, "a header's name and value must be strings (item %d is a %s)", (int)i, luaL_typename(L, -1));
	text = lua_tolstring(L, -1, len);
	lua_pop(L, 1); // the list keeps it
	return text;
}

const struct http_header *http_lua_headers(lua_State *L, int index, size_t *count)
{
	struct http_header *out;
	size_t n = 0;

	if (!lua_isnoneornil(L, index)) {
		luaL_checktype(L, index, LUA_TTABLE);
		n = (size_t)lua_rawlen(L, index) / 2;
	}
	out = lua_newuserdatauv(L, (n > 0 ? n : 1) * sizeof *out, 0);
	for (size_t i = 0; i < n; i++) {
		struct err err;
		out[i].name = item_string(L, index, (lua_Integer)(2 * i + 1), &out[i].name_len);
		out[i].value = item_string(L, index, (lua_Integer)(2 * i + 2), &out[i].value_len);
		if (!http_header_check(&out[i], &err))
			err_raise(L, &err);
	}
	*count = n;
	return out;
}

static void push_lower(lua_State *L, const char *text, size_t len)
{
	luaL_Buffer b;
	char *out = luaL_buffinitsize(L, &b, len);

	for (size_t i = 0; i < len; i++)
		out[i] = (char)tolower((unsigned char)text[i]);
	luaL_pushresultsize(&b, len);
}

void http_lua_push_headers(lua_State *L, const struct buf *head)
{
	const char *at = head->data;
	struct http_header h;

	luaL_checkstack(L, 6, NULL);
	lua_newtable(L);
	while (at != NULL && http_head_next(&at, head->data + head->len, &h)) {
		push_lower(L, h.name, h.name_len);
		lua_pushvalue(L, -1);
		if (lua_rawget(L, -3) == LUA_TSTRING) {
			lua_pushliteral(L, ", ");
			lua_pushlstring(L, h.value, h.value_len);
			lua_concat(L, 3);
		} else {
			lua_pop(L, 1);
			lua_pushlstring(L, h.value, h.value_len);
		}
		lua_rawset(L, -3);
	}
}

double http_lua_limit(lua_State *L, int index, const char *field, double missing)
{
	double value = missing;

	if (lua_getfield(L, index, field) != LUA_TNIL) {
		if (lua_type(L, -1) != LUA_TNUMBER)
			err_raisef(L, ERR_USAGE, "the option '%s' must be a number (it is a %s)", field, luaL_typename(L, -1));
		value = lua_tonumber(L, -1);
	}
	if (!(value >= 0 && value < 9e15))
		err_raisef(L, ERR_USAGE, "the option '%s' must not be negative", field);
	lua_pop(L, 1);
	return value;
}

bool http_lua_boolean(lua_State *L, int index, const char *field)
{
	bool value;

	lua_getfield(L, index, field);
	value = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return value;
}

const char *http_lua_string(lua_State *L, int index, const char *field)
{
	const char *text = NULL;
	size_t len = 0;

	if (lua_getfield(L, index, field) != LUA_TNIL) {
		if (lua_type(L, -1) != LUA_TSTRING)
			err_raisef(L, ERR_USAGE, "the option '%s' must be a string (it is a %s)", field, luaL_typename(L, -1));
		text = lua_tolstring(L, -1, &len);
		if (strlen(text) != len)
			err_raisef(L, ERR_USAGE, "the option '%s' holds a NUL byte", field);
	}
	lua_pop(L, 1);
	return text;
}

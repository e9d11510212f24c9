// Cells to Lua values and back. Knows nothing of views or pages as Lua objects.
#include "bind/l_cell.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "bind/err_lua.h"
#include "data/cast.h"
#include "io/json.h"

void l_cell_push_text(lua_State *L, const struct cell *cell)
{
	if (cell->null)
		lua_pushnil(L);
	else
		lua_pushlstring(L, cell->ptr, cell->len);
}

static bool push_integer(lua_State *L, const struct cell *cell)
{
	int64_t value;

	if (!json_number_valid(cell->ptr, cell->len) || !json_number_int64(cell->ptr, cell->len, &value))
		return false;
	lua_pushinteger(L, (lua_Integer)value);
	return true;
}

static bool cell_is(const struct cell *cell, const char *text)
{
	return cell->len == strlen(text) && memcmp(cell->ptr, text, cell->len) == 0;
}

static bool push_float(lua_State *L, const struct cell *cell)
{
	double value;

	if (json_number_valid(cell->ptr, cell->len))
		json_number_double(cell->ptr, cell->len, &value);
	else if (cell_is(cell, "Infinity"))
		value = 1.0 / 0.0;
	else if (cell_is(cell, "-Infinity"))
		value = -1.0 / 0.0;
	else if (cell_is(cell, "NaN"))
		value = 0.0 / 0.0;
	else
		return false;
	lua_pushnumber(L, value);
	return true;
}

static bool push_bool(lua_State *L, const struct cell *cell)
{
	bool value = cell_is(cell, "true");

	if (!value && !cell_is(cell, "false"))
		return false;
	lua_pushboolean(L, value);
	return true;
}

static bool push_typed(lua_State *L, enum col_type type, const struct cell *cell)
{
	switch (type) {
	case COL_INT64:
	case COL_TIMESTAMP:
		return push_integer(L, cell);
	case COL_FLOAT64:
		return push_float(L, cell);
	case COL_BOOL:
		return push_bool(L, cell);
	default:
		return false;
	}
}

void l_cell_push(lua_State *L, enum col_type type, const struct cell *cell)
{
	if (cell->null || !push_typed(L, type, cell))
		l_cell_push_text(L, cell);
}

static void set_bytes(lua_State *L, struct rows *rows, struct cell *cell, const char *text, size_t len)
{
	struct err err;

	if (!rows_set(rows, cell, text, len, &err))
		err_raise(L, &err);
}

static void refuse(lua_State *L, int index, const struct column *column)
{
	err_raisef(L, ERR_USAGE, "the column '%s' is %s and cannot hold this %s", column->name, col_type_name(column->type),
		luaL_typename(L, index));
}

static void set_string(lua_State *L, int index, struct rows *rows, const struct column *column, struct cell *cell)
{
	size_t len;
	const char *text = lua_tolstring(L, index, &len);
	bool free_form = column->type == COL_JSON || column->type == COL_DATE || column->type == COL_TIME ||
					 column->type == COL_DATETIME || column->type == COL_DECIMAL;

	// What systems may hold although it is malformed can be said; what the views turn into numbers cannot.
	if (!free_form && !cast_is_form(column->type, text, len))
		refuse(L, index, column);
	set_bytes(L, rows, cell, text, len);
}

static void set_integer(lua_State *L, int index, struct rows *rows, const struct column *column, struct cell *cell)
{
	char text[32];
	int isint, n;
	lua_Integer value = lua_tointegerx(L, index, &isint);

	if (!isint)
		refuse(L, index, column);
	n = snprintf(text, sizeof text, "%" PRId64, (int64_t)value);
	set_bytes(L, rows, cell, text, (size_t)n);
}

// A float's shortest text: the column's own spelling of the three that JSON lacks.
static void set_float(lua_State *L, int index, struct rows *rows, const struct column *column, struct cell *cell)
{
	char text[JSON_DOUBLE_SIZE];
	double value = lua_tonumber(L, index);

	if (value - value == 0) {
		set_bytes(L, rows, cell, text, json_double_text(value, text));
		return;
	}
	if (column->type != COL_FLOAT64)
		refuse(L, index, column);
	snprintf(text, sizeof text, "%s", value > 0 ? "Infinity" : value < 0 ? "-Infinity" : "NaN");
	set_bytes(L, rows, cell, text, strlen(text));
}

static void set_number(lua_State *L, int index, struct rows *rows, const struct column *column, struct cell *cell)
{
	switch (column->type) {
	case COL_INT64:
	case COL_TIMESTAMP:
		set_integer(L, index, rows, column, cell);
		return;
	case COL_DECIMAL:
	case COL_FLOAT64:
	case COL_JSON:
		if (lua_isinteger(L, index))
			set_integer(L, index, rows, column, cell);
		else
			set_float(L, index, rows, column, cell);
		return;
	case COL_TEXT:
		if (lua_isinteger(L, index)) {
			set_integer(L, index, rows, column, cell);
			return;
		}
		refuse(L, index, column);
		return;
	default:
		refuse(L, index, column);
	}
}

static void set_boolean(lua_State *L, int index, struct rows *rows, const struct column *column, struct cell *cell)
{
	const char *text = lua_toboolean(L, index) ? "true" : "false";

	if (column->type != COL_BOOL && column->type != COL_JSON)
		refuse(L, index, column);
	set_bytes(L, rows, cell, text, strlen(text));
}

// json.null is the light userdata NULL.
static bool is_null(lua_State *L, int index)
{
	return lua_isnil(L, index) || (lua_islightuserdata(L, index) && lua_touserdata(L, index) == NULL);
}

void l_cell_set(lua_State *L, int index, struct rows *rows, const struct column *column, struct cell *cell)
{
	if (is_null(L, index)) {
		*cell = (struct cell){.ptr = "", .null = true};
		return;
	}
	switch (lua_type(L, index)) {
	case LUA_TSTRING:
		set_string(L, index, rows, column, cell);
		return;
	case LUA_TNUMBER:
		set_number(L, index, rows, column, cell);
		return;
	case LUA_TBOOLEAN:
		set_boolean(L, index, rows, column, cell);
		return;
	default:
		refuse(L, index, column);
	}
}

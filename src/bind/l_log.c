// _syncrun.log: lines to the log, its settings, and the registry of secrets.
#include <lauxlib.h>

#include "base/log.h"
#include "base/redact.h"
#include "bind/err_lua.h"
#include "bind/modules.h"

#define BUF_META "syncrun.log.buf"

static const char *const level_names[] = {"debug", "info", "warn", "error", "off", NULL}; // as enum log_level

// write(level, text)
static int l_write(lua_State *L)
{
	enum log_level level = (enum log_level)luaL_checkoption(L, 1, NULL, level_names);
	size_t len;
	const char *text = luaL_checklstring(L, 2, &len);

	log_write(level, text, len);
	return 0;
}

// enabled(level) -> whether a line of that level would be written
static int l_enabled(lua_State *L)
{
	int level = luaL_checkoption(L, 1, NULL, level_names);

	lua_pushboolean(L, level >= (int)log_get_level() && level < (int)LOG_OFF);
	return 1;
}

// level([name]) -> the level before
static int l_level(lua_State *L)
{
	enum log_level before = log_get_level();

	if (!lua_isnoneornil(L, 1))
		log_set_level((enum log_level)luaL_checkoption(L, 1, NULL, level_names));
	lua_pushstring(L, level_names[before]);
	return 1;
}

// json(boolean)
static int l_json(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TBOOLEAN);
	log_set_json(lua_toboolean(L, 1));
	return 0;
}

// secret(text)
static int l_secret(lua_State *L)
{
	size_t len;
	const char *text = luaL_checklstring(L, 1, &len);
	struct err err;

	if (!redact_add(text, len)) {
		err_no_memory(&err);
		return err_raise(L, &err);
	}
	return 0;
}

// setting(name, value)
static int l_setting(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);
	size_t len;
	const char *value = luaL_checklstring(L, 2, &len);
	struct err err;

	if (!redact_add_setting(name, value, len)) {
		err_no_memory(&err);
		return err_raise(L, &err);
	}
	return 0;
}

static int l_buf_close(lua_State *L)
{
	buf_free(lua_touserdata(L, 1));
	return 0;
}

// redact(text) -> text with secrets masked
static int l_redact(lua_State *L)
{
	size_t len;
	const char *text = luaL_checklstring(L, 1, &len);
	struct buf *out = lua_newuserdatauv(L, sizeof *out, 0);
	struct err err;

	*out = (struct buf){.data = NULL};
	luaL_setmetatable(L, BUF_META);
	lua_toclose(L, -1);
	if (!redact_append(out, text, len)) {
		err_no_memory(&err);
		return err_raise(L, &err);
	}
	lua_pushlstring(L, out->data != NULL ? out->data : "", out->len);
	return 1;
}

static const luaL_Reg functions[] = {
	{"write", l_write},
	{"enabled", l_enabled},
	{"level", l_level},
	{"json", l_json},
	{"secret", l_secret},
	{"setting", l_setting},
	{"redact", l_redact},
	{NULL, NULL},
};

int luaopen_syncrun_log(lua_State *L)
{
	luaL_newmetatable(L, BUF_META);
	lua_pushcfunction(L, l_buf_close);
	lua_setfield(L, -2, "__close");
	lua_pop(L, 1);
	luaL_newlib(L, functions);
	return 1;
}

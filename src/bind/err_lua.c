// Errors at the border. The metatable of error objects lives in the registry, made by err_lua_open.
#include "bind/err_lua.h"

#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "base/redact.h"
#include "base/visible.h"
#include "bind/modules.h"

#define ERR_META "syncrun.error"

static int l_error_tostring(lua_State *L)
{
	lua_getfield(L, 1, "message");
	if (!lua_isstring(L, -1)) {
		lua_pushliteral(L, "error without a message");
		return 1;
	}
	return 1;
}

static void push_meta(lua_State *L)
{
	if (luaL_newmetatable(L, ERR_META)) {
		lua_pushcfunction(L, l_error_tostring);
		lua_setfield(L, -2, "__tostring");
	}
}

void err_push(lua_State *L, const struct err *err)
{
	char message[ERR_MESSAGE_SIZE];

	redact_copy(message, sizeof message, err->message);
	visible_copy(message, sizeof message, message, err->kind == ERR_SCRIPT || err->kind == ERR_INTERNAL);
	luaL_checkstack(L, 4, NULL);
	lua_createtable(L, 0, 4);
	lua_pushstring(L, err_kind_name(err->kind));
	lua_setfield(L, -2, "kind");
	lua_pushstring(L, message);
	lua_setfield(L, -2, "message");
	if (err->code[0] != '\0') {
		lua_pushstring(L, err->code);
		lua_setfield(L, -2, "code");
	}
	lua_pushboolean(L, err->retryable);
	lua_setfield(L, -2, "retryable");
	push_meta(L);
	lua_setmetatable(L, -2);
}

// Whose code a chunk is: "task" of "@syncrun/task.lua" when that is a module of ours, NULL for a script's.
static const char *own_module(lua_State *L, const char *source, char name[static 128])
{
	size_t len = strlen(source);
	bool own;

	if (strncmp(source, "@syncrun/", 9) != 0 || len < 14 || len - 13 >= 128 || strcmp(source + len - 4, ".lua") != 0)
		return NULL;
	memcpy(name, source + 9, len - 13);
	name[len - 13] = '\0';
	if (strcmp(name, "boot") == 0)
		return name;
	luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
	lua_pushfstring(L, "syncrun.%s", luaL_gsub(L, name, "/", "."));
	own = lua_gettable(L, -3) != LUA_TNIL;
	lua_pop(L, 3);
	return own ? name : NULL;
}

void err_push_where(lua_State *L)
{
	lua_Debug ar;
	char name[128];

	luaL_checkstack(L, 6, NULL);
	for (int level = 0; lua_getstack(L, level, &ar); level++) {
		const char *module;
		lua_getinfo(L, "Sl", &ar);
		if (ar.currentline < 0) // C
			continue;
		module = own_module(L, ar.source, name);
		if (module == NULL) {
			lua_pushfstring(L, "%s:%d: ", ar.short_src, ar.currentline);
			return;
		}
		if (strchr(module, '/') != NULL || strcmp(module, "boot") == 0)
			break;
	}
	lua_pushliteral(L, "");
}

// A value that a primitive cannot take is the fault of the script that called it, and told with its line; below our own
// flow it is not, nor when the error has a code, by which it is known.
static void blame_script(lua_State *L, struct err *err)
{
	struct err plain = *err;

	if (err->kind != ERR_USAGE || err->code[0] != '\0')
		return;
	err_push_where(L);
	if (lua_rawlen(L, -1) > 0)
		err_set(err, ERR_USAGE, "call", "%s%s", lua_tostring(L, -1), plain.message);
	lua_pop(L, 1);
}

int err_raise(lua_State *L, const struct err *err)
{
	struct err told = *err;

	blame_script(L, &told);
	err_push(L, &told);
	return lua_error(L);
}

int err_raisef(lua_State *L, enum err_kind kind, const char *format, ...)
{
	struct err err;
	va_list args;
	size_t len = 0;

	err_clear(&err);
	err.kind = kind;
	if (kind == ERR_USAGE) {
		err_push_where(L);
		len = (size_t)snprintf(err.message, sizeof err.message / 2, "%s", lua_tostring(L, -1));
		len = len < sizeof err.message / 2 ? len : 0;
		snprintf(err.code, sizeof err.code, "call");
	}
	va_start(args, format);
	vsnprintf(err.message + len, sizeof err.message - len, format, args);
	va_end(args);
	return err_raise(L, &err);
}

// "syncrun/task.lua:10: bad argument #1 to 'sleep' (…)": the part behind the position; NULL for any other message.
// Where a primitive is a tail call the position is the script's already, and the name says whose function it was.
static const char *argument_error(const char *message)
{
	const char *bad = strstr(message, "bad argument #");

	if (bad == NULL)
		return NULL;
	if (strncmp(message, "syncrun/", 8) == 0 && strchr(message, ' ') == bad - 1)
		return bad;
	return strstr(bad, " to '_syncrun.") != NULL ? bad : NULL;
}

// "syncrun/sqlite.lua:170: attempt to index …": any other error of Lua inside of a primitive that a script called. Its
// text stays, for it may be ours; but a method called with '.' looks the same.
static void tell_inner_error(lua_State *L, struct err *err)
{
	struct err plain = *err;
	const char *colon = strncmp(plain.message, "syncrun/", 8) == 0 ? strstr(plain.message, ": ") : NULL;

	if (colon == NULL)
		return;
	err_push_where(L);
	if (lua_rawlen(L, -1) > 0)
		err_set(err, ERR_SCRIPT, NULL,
			"%sthe call failed in %.*s (%s); is a method called with ':', are its arguments right?",
			lua_tostring(L, -1), (int)(colon - plain.message), plain.message, colon + 2);
	lua_pop(L, 1);
}

void err_push_caught(lua_State *L, int index)
{
	struct err err;
	const char *bad;

	index = lua_absindex(L, index);
	if (lua_type(L, index) == LUA_TTABLE && lua_getfield(L, index, "kind") != LUA_TNIL) {
		lua_pop(L, 1);
		lua_pushvalue(L, index);
		return;
	}
	err_from_lua(L, index, &err);
	bad = argument_error(err.message);
	if (bad != NULL) {
		err_push_where(L);
		luaL_gsub(L, bad, "'_syncrun.", "'");
		lua_concat(L, 2);
		err_set(&err, ERR_USAGE, "call", "%s", lua_tostring(L, -1));
		lua_pop(L, 1);
	} else {
		tell_inner_error(L, &err);
	}
	err_push(L, &err);
}

// The string field of the table at index, copied into a fixed buffer; "" when it is not a string.
static void copy_field(lua_State *L, int index, const char *name, char *out, size_t size)
{
	const char *text;

	lua_getfield(L, index, name);
	text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
	strncpy(out, text, size - 1);
	out[size - 1] = '\0';
	lua_pop(L, 1);
}

void err_from_lua(lua_State *L, int index, struct err *err)
{
	char kind[32];
	int top = lua_gettop(L);

	index = lua_absindex(L, index);
	err_clear(err);
	if (lua_type(L, index) != LUA_TTABLE || lua_getfield(L, index, "kind") == LUA_TNIL) {
		const char *text = luaL_tolstring(L, index, NULL);
		err_set(err, ERR_SCRIPT, NULL, "%s", text);
		lua_settop(L, top);
		return;
	}
	lua_pop(L, 1);
	copy_field(L, index, "kind", kind, sizeof kind);
	err->kind = err_kind_of(kind);
	copy_field(L, index, "code", err->code, sizeof err->code);
	copy_field(L, index, "message", err->message, sizeof err->message);
	lua_getfield(L, index, "retryable");
	err->retryable = lua_toboolean(L, -1);
	lua_pop(L, 1);
}

static int l_new(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	push_meta(L);
	lua_setmetatable(L, 1);
	return 1;
}

static int l_is(lua_State *L)
{
	bool is = lua_getmetatable(L, 1);

	if (is) {
		push_meta(L);
		is = lua_rawequal(L, -1, -2);
	}
	lua_pushboolean(L, is);
	return 1;
}

// where() -> "mine.lua:12: " or ""
static int l_where(lua_State *L)
{
	err_push_where(L);
	return 1;
}

// caught(value) -> error object, in a message handler
static int l_caught(lua_State *L)
{
	luaL_checkany(L, 1);
	err_push_caught(L, 1);
	return 1;
}

static const luaL_Reg functions[] = {
	{"new", l_new}, {"is", l_is}, {"where", l_where}, {"caught", l_caught}, {NULL, NULL}};

int luaopen_syncrun_err(lua_State *L)
{
	push_meta(L);
	lua_pop(L, 1);
	luaL_newlib(L, functions);
	return 1;
}

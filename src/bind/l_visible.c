// _syncrun.visible: text from outside as it is shown. Secrets are masked first, while they can still be found.
#include <lauxlib.h>

#include "base/redact.h"
#include "base/visible.h"
#include "bind/err_lua.h"
#include "bind/l_json.h"
#include "bind/modules.h"

static int shown(lua_State *L, bool (*show)(struct buf *, const char *, size_t))
{
	size_t len;
	const char *text = luaL_checklstring(L, 1, &len);
	struct buf *masked = l_json_buf(L), *out = l_json_buf(L);
	struct err err;

	if (!redact_append(masked, text, len) || !show(out, masked->data, masked->len)) {
		err_no_memory(&err);
		return err_raise(L, &err);
	}
	buf_free(masked);
	lua_pushlstring(L, out->data, out->len);
	buf_free(out);
	return 1;
}

// text(text) -> text
static int l_text(lua_State *L)
{
	return shown(L, visible_text);
}

// lines(text) -> text
static int l_lines(lua_State *L)
{
	return shown(L, visible_lines);
}

// json(json) -> json
static int l_json(lua_State *L)
{
	return shown(L, visible_json);
}

static bool excerpt(struct buf *out, const char *text, size_t len)
{
	return visible_excerpt(out, text, len, VISIBLE_EXCERPT, false);
}

static bool message(struct buf *out, const char *text, size_t len)
{
	return visible_excerpt(out, text, len, VISIBLE_MESSAGE, false);
}

static bool message_lines(struct buf *out, const char *text, size_t len)
{
	return visible_excerpt(out, text, len, VISIBLE_MESSAGE, true);
}

// excerpt(text) -> text
static int l_excerpt(lua_State *L)
{
	return shown(L, excerpt);
}

// message(text, lines) -> text
static int l_message(lua_State *L)
{
	return shown(L, lua_toboolean(L, 2) ? message_lines : message);
}

// csv(text) -> text
static int l_csv(lua_State *L)
{
	return shown(L, visible_csv);
}

static const luaL_Reg functions[] = {{"text", l_text}, {"lines", l_lines}, {"json", l_json}, {"excerpt", l_excerpt},
	{"message", l_message}, {"csv", l_csv}, {NULL, NULL}};

int luaopen_syncrun_visible(lua_State *L)
{
	luaL_newlib(L, functions);
	return 1;
}

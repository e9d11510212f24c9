// Every C module that Lua can require as _syncrun.NAME. The host registers this list; a binding defines
// luaopen_syncrun_NAME.
#ifndef SYNCRUN_BIND_MODULES_H
#define SYNCRUN_BIND_MODULES_H

#include <lua.h>

// clang-format off
#define SYNCRUN_MODULES(X) \
	X(crypto) X(err) X(host) X(http) X(http_server) X(json) X(leaves) X(line) X(log) X(merge) X(page) X(plan) X(postgres) \
	X(rows) X(sqlite) X(task) X(time) X(visible) X(tree)
// clang-format on

#define SYNCRUN_DECLARE(name) int luaopen_syncrun_##name(lua_State *L);
SYNCRUN_MODULES(SYNCRUN_DECLARE)
#undef SYNCRUN_DECLARE

#endif

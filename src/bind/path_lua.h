// Paths of files that Lua names.
#ifndef SYNCRUN_BIND_PATH_LUA_H
#define SYNCRUN_BIND_PATH_LUA_H

#include <lua.h>

// The path at that index, of a file that is about to be opened: raises kind config for one of an open database, whose
// locks that would drop. [-0, +0, e]
const char *l_path_check(lua_State *L, int index);

#endif

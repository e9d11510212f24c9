// Paths of files that Lua names.
#include "bind/path_lua.h"

#include <lauxlib.h>

#include "bind/err_lua.h"
#include "io/sqlite.h"

const char *l_path_check(lua_State *L, int index)
{
	const char *path = luaL_checkstring(L, index);

	if (sqlite_is_live(path))
		err_raisef(L, ERR_CONFIG, "'%s' is a database in use; name another file", path);
	return path;
}

// Stops scripts that loop without waiting.
#ifndef SYNCRUN_HOST_HOOK_H
#define SYNCRUN_HOST_HOOK_H

#include <lua.h>

// Watch this state and every coroutine made from it. on_look is called now and then while a script runs. Files of the
// library below lua_dir, which may be NULL, are known besides the embedded ones.
void hook_install(lua_State *L, void (*on_look)(void), const char *lua_dir);

#endif

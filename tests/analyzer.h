// What clang's analyzer cannot see from one file (make check-tidy includes this first): which functions raise a Lua error and
// never return, and that the functions that set an error return false.
#include <lauxlib.h>

#include "base/err.h"
#include "bind/err_lua.h"

// NOLINTBEGIN(readability-redundant-declaration)
int err_raise(lua_State *L, const struct err *err) __attribute__((analyzer_noreturn));
int err_raisef(lua_State *L, enum err_kind kind, const char *format, ...) __attribute__((analyzer_noreturn));
int lua_error(lua_State *L) __attribute__((analyzer_noreturn));
int luaL_error(lua_State *L, const char *format, ...) __attribute__((analyzer_noreturn));
int luaL_argerror(lua_State *L, int arg, const char *message) __attribute__((analyzer_noreturn));
int luaL_typeerror(lua_State *L, int arg, const char *type) __attribute__((analyzer_noreturn));
// NOLINTEND(readability-redundant-declaration)

#define err_set(...) ((err_set)(__VA_ARGS__), false)
#define err_set_retryable(...) ((err_set_retryable)(__VA_ARGS__), false)
#define err_no_memory(err) ((err_no_memory)(err), false)

// Errors at the border: `struct err` to the Lua error object {kind, message, code, retryable} and back.
#ifndef SYNCRUN_BIND_ERR_LUA_H
#define SYNCRUN_BIND_ERR_LUA_H

#include <lua.h>

#include "base/err.h"

// Push the error object (a table with the shared metatable; tostring gives the message). [-0, +1, m]
void err_push(lua_State *L, const struct err *err);
// Raise it. Never returns; declared int so that `return err_raise(L, &err)` reads well.
int err_raise(lua_State *L, const struct err *err);
// Raise a new error of this kind.
int err_raisef(lua_State *L, enum err_kind kind, const char *format, ...) __attribute__((format(printf, 3, 4)));
// Fill *err from whatever value was raised (object, string, other). [-0, +0, m]
void err_from_lua(lua_State *L, int index, struct err *err);

#endif

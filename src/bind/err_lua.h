// Errors at the border: `struct err` to the Lua error object {kind, message, code, retryable} and back.
#ifndef SYNCRUN_BIND_ERR_LUA_H
#define SYNCRUN_BIND_ERR_LUA_H

#include <lua.h>

#include "base/err.h"

// Push the error object (a table with the shared metatable; tostring gives the message). [-0, +1, m]
void err_push(lua_State *L, const struct err *err);
// Raise it. Never returns; declared int so that `return err_raise(L, &err)` reads well. Kind usage without a code,
// below a script's own line, is a call that the script got wrong: its message begins with that line and its code is
// "call".
int err_raise(lua_State *L, const struct err *err);
// Raise a new error of this kind. Kind usage is a call that a script got wrong: its message begins with the script's
// line and its code is "call".
int err_raisef(lua_State *L, enum err_kind kind, const char *format, ...) __attribute__((format(printf, 3, 4)));
// Push "mine.lua:12: ", the line of the script that called one of the primitives (syncrun/NAME.lua) which are on the
// stack above it; "" when none did, but our own flow. [-0, +1, m]
void err_push_where(lua_State *L);
// Push the error object that a raised value is, while the stack it was raised on still stands: an argument error of a
// primitive becomes one of the script's line. [-0, +1, m]
void err_push_caught(lua_State *L, int index);
// Fill *err from whatever value was raised (object, string, other). [-0, +0, m]
void err_from_lua(lua_State *L, int index, struct err *err);

#endif

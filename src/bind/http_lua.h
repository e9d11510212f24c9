// What both HTTP bindings share: headers and option tables between Lua and C.
#ifndef SYNCRUN_BIND_HTTP_LUA_H
#define SYNCRUN_BIND_HTTP_LUA_H

#include <lua.h>

#include "base/buf.h"
#include "io/http.h"

// A flat list {name, value, name, value ...} of strings at index, as an array in a userdata pushed on the stack; the
// strings are borrowed from the list. nil or none: no headers. Raises kind usage for a header that may not be sent.
// [-0, +1, v]
const struct http_header *http_lua_headers(lua_State *L, int index, size_t *count);
// Push {["lower-case-name"] = value}, repeated ones joined by ", ". [-0, +1, m]
void http_lua_push_headers(lua_State *L, const struct buf *head);

// Fields of the option table at index; the default when absent, an argument error when of another type. [-0, +0, v]
double http_lua_limit(lua_State *L, int index, const char *field, double missing); // a number from 0 to 9e15
bool http_lua_boolean(lua_State *L, int index, const char *field);
// Borrowed from the table; NULL when absent. Refuses NUL bytes.
const char *http_lua_string(lua_State *L, int index, const char *field);

#endif

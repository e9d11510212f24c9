// What other bindings need of the JSON binding: text to Lua values and back.
#ifndef SYNCRUN_BIND_L_JSON_H
#define SYNCRUN_BIND_L_JSON_H

#include <lua.h>

#include "base/buf.h"

// Push what a JSON text means; raises kind json. The text must stay in place. [-0, +1, e]
void l_json_push(lua_State *L, const char *text, size_t len);
// An empty buffer that the collector frees; it may be freed earlier by buf_free. [-0, +1, m]
struct buf *l_json_buf(lua_State *L);
// The value at index as JSON text, in a buffer that is left on the stack; raises kind json. [-0, +1, e]
struct buf *l_json_encode(lua_State *L, int index);

#endif

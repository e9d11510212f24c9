// What other bindings need of the rows binding: pages and schemas in and out of Lua values.
#ifndef SYNCRUN_BIND_L_ROWS_H
#define SYNCRUN_BIND_L_ROWS_H

#include <lua.h>

#include "data/rows.h"

// The page at that stack index (borrowed: lives as long as the Lua value); raises an argument error otherwise. [-0, +0,
// v]
struct rows *l_rows_check(lua_State *L, int index);
// The schema at that stack index (borrowed). [-0, +0, v]
struct schema *l_schema_check(lua_State *L, int index);
// An empty page userdata made before the page exists, so that a raise cannot leak: *slot may be filled later with a
// page whose reference it then owns. [-0, +1, m]
struct rows **l_rows_slot(lua_State *L);
// The same for a schema. [-0, +1, m]
struct schema **l_schema_slot(lua_State *L);

#endif

// Lua values to Postgres parameters, and results to Lua tables.
#ifndef SYNCRUN_BIND_PG_VALUES_H
#define SYNCRUN_BIND_PG_VALUES_H

#include <lua.h>

#include "io/pg.h"

// Push a parameter made of a string's bytes (bytea) or of a list of strings (text[]). [-0, +1, e]
int l_pg_bytes(lua_State *L);
int l_pg_text_array(lua_State *L);
// A parameter userdata of this type, whose bytes (returned) may be filled later. [-0, +1, m]
struct buf *pg_param_push(lua_State *L, uint32_t type);

// The statement at stack index `first` (SQL) and the n values behind it (parameters), as a block that lives in a
// userdata. What it points to stays anchored in the stack slots, which it may replace by strings. [-0, +1, e]
void pg_statement_check(lua_State *L, int first, int n, struct pg_statement *out);

// Push the result as a table {n=, affected=, command=, columns={{name=,type=,oid=}…}, [i]=row}. [-0, +1, m]
void pg_result_push(lua_State *L, const struct pg_result *res);
// Push row r as a table. [-0, +1, m]
void pg_row_push(lua_State *L, const struct pg_result *res, size_t r);

#endif

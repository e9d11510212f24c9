// A cell as a Lua value, and the way back.
#ifndef SYNCRUN_BIND_L_CELL_H
#define SYNCRUN_BIND_L_CELL_H

#include <lua.h>

#include "data/rows.h"

// NULL as nil, int64 and timestamp as integer, bool as boolean, float64 as float, all else as string; a text that is
// malformed for its type as that string. [-0, +1, m]
void l_cell_push(lua_State *L, enum col_type type, const struct cell *cell);
// The cell's text as it is, or nil. [-0, +1, m]
void l_cell_push_text(lua_State *L, const struct cell *cell);
// Set a cell of this column of the page from the value at index (nil and json.null are NULL). Raises kind usage when
// the value does not fit the column's type; the cell is then unchanged. [-0, +0, e]
void l_cell_set(lua_State *L, int index, struct rows *rows, const struct column *column, struct cell *cell);

#endif

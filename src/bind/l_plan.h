// What other bindings need of the plan binding.
#ifndef SYNCRUN_BIND_L_PLAN_H
#define SYNCRUN_BIND_L_PLAN_H

#include <lua.h>

#include "data/plan.h"

// The plan at that stack index (borrowed: lives as long as the Lua value); raises an argument error otherwise. [-0, +0,
// v]
struct plan *l_plan_check(lua_State *L, int index);

#endif

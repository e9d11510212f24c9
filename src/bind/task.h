// Tasks and ops: how Lua waits. A task is a coroutine that the host runs; an op is the one thing a task waits for.
//
// A primitive has four verbs. Check the arguments (may raise, holds nothing), allocate with op_new, start the engine,
// then `return op_wait(L, op, timeout)`. The engine's callback calls op_finish, from any depth, and never touches Lua.
// Results travel inside the op's memory: when the task is resumed, class->push pushes them on the coroutine.
#ifndef SYNCRUN_BIND_TASK_H
#define SYNCRUN_BIND_TASK_H

#include <lua.h>

#include "base/err.h"
#include "io/loop.h"

struct op;
struct task;

struct op_class {
	const char *name;            // "http.request": for logs and errors
	void (*stop)(struct op *op); // let go of fds and handles; runs exactly once, on finish, timeout or cancel; no Lua
	int (*push)(lua_State *L, struct op *op); // push the results, return their count; may raise
	void (*free)(struct op *op);              // drop buffers; runs from __gc, once; may be NULL
};

struct op { // first member of every operation's userdata
	const struct op_class *cls;
	struct task *task;
	struct timer deadline;
	struct err err; // err.kind == ERR_NONE means success
	bool pending;   // from op_new until op_finish
};

// A zeroed userdata of `size` bytes that starts with struct op and has one user value (for what must stay alive with
// it, as the handle it works on: lua_setiuservalue(L, index, 1)), left on the top of the stack (its only anchor while
// the task waits). Raises when the caller cannot wait (inside require, table.sort, string.gsub) or its task was
// cancelled. [-0, +1, e]
struct op *op_new(lua_State *L, size_t size, const struct op_class *cls);
// The operation ended. err NULL means success. Late, repeated or cancelled calls are harmless. Never runs Lua.
void op_finish(struct op *op, const struct err *err);
// Wait for it: the op must be on top of the stack. timeout in seconds; negative means none. Use as `return
// op_wait(...)`.
int op_wait(lua_State *L, struct op *op, double timeout);

// The task that is running now, or NULL outside of one.
struct task *task_current(void);

#endif

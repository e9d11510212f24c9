// What the host and the task module need of the task core; primitives include task.h only.
#ifndef SYNCRUN_BIND_TASK_CORE_H
#define SYNCRUN_BIND_TASK_CORE_H

#include <lua.h>

#include "bind/task.h"

// A new task that will call the function below its nargs arguments on top of the stack, which it takes; leaves the
// task's userdata instead. Nothing runs yet. [-(nargs + 1), +1, m]
struct task *task_new(lua_State *L, int nargs);
// The task at that index; raises an argument error otherwise. [-0, +0, v]
struct task *task_check(lua_State *L, int index);
// The running task's userdata. Raises outside of one. [-0, +1, e]
void task_push_current(lua_State *L);
// Its outermost coroutine.
lua_State *task_coroutine(const struct task *task);
// Ask it to end: its present wait, or its next, raises kind "cancelled". Legal on a task that has ended.
void task_cancel(struct task *task);
// Cancel it unless it ends within so many seconds; a script that loops without waiting is stopped as well.
void task_limit(struct task *task, double seconds);
// Whether its time limit passed before it ended.
bool task_late(const struct task *task);
// Make it a child: it belongs to a scope of the parent, which outlives it (the caller sees to that, and anchors the
// parent as the child's user value 2). What stops the parent stops the child too, also when it does not wait.
void task_adopt(struct task *parent, struct task *child);
bool task_done(const struct task *task);
// While shielded the running task may wait although it was cancelled (cleaning up); calls nest.
void task_shield(struct task *task, int change);
bool task_is_cancelled(const struct task *task);
bool task_shielded(const struct task *task);
// After it has ended: true when it returned. Its results, or the error value, are moved as copies onto L. [-0, +n, m]
bool task_push_results(lua_State *L, struct task *task, int *count);

// Run until this task has ended, then cancel and run out all others. When every task waits for something that can never
// come, each wait fails: kind "script", code "stuck". False with err when the loop itself fails, or when that does not
// help.
bool task_run(struct task *root, struct err *err);
// How often the loop turned, and how often a task was resumed: the same number twice means that one task ran all the
// time. The former is async-signal-safe.
unsigned task_turns(void);
unsigned task_resumes(void);
// Called on every turn of the loop (signals). May cancel tasks.
void task_on_turn(void (*fn)(void));
// Lua: task:join() -> its results, or raises its error. Waits. [C function]
int task_join(lua_State *L);
// The traceback function used by every task's protected call. [-1, +1, m]
int task_traceback(lua_State *L);
// Install the patched coroutine.resume and wrap, and the metatables. Once, before any user code.
void task_open(lua_State *L);

#endif

// The task core: tasks, ops, the ready queue, and the run loop. Knows nothing of any primitive.
#include "bind/task.h"

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "base/clock.h"
#include "base/stop.h"
#include "bind/err_lua.h"
#include "bind/task_core.h"

#define OP_META "syncrun.op"
#define TASK_META "syncrun.task"

enum { MAX_WAKINGS = 100 };

struct joiner { // an op that waits for a task's end
	struct op op;
	struct task *target;
	struct joiner *next;
};

struct task { // a userdata: Lua may keep a handle to it; its user value 1 is the coroutine
	lua_State *co;
	int ref; // anchors the userdata while the task lives
	int nargs, nres;
	int shield;
	struct op *op;       // the one thing it waits for, or NULL
	struct task *parent; // whose scope it belongs to (user value 2 keeps it), or NULL
	struct timer due;    // runs while it has a time limit
	struct task *next_ready;
	struct task *next, *prev; // all live tasks
	struct joiner *joiners;
	bool queued, cancelled, done, failed;
	bool sheltered; // begun while its maker was cleaning up: no stop of others reaches it
	bool late;      // its time limit passed
};

static const char yield_mark; // its address is the whole yield protocol

static struct {
	lua_State *L; // the main state: resumes tasks
	struct task *current;
	struct task *ready, **ready_tail;
	struct task *live;
	void (*on_turn)(void);
	int wakings;
	atomic_uint turns, resumes; // they wrap; read by signal handlers
} core;

static const struct err err_cancelled = {
	.kind = ERR_CANCELLED,
	.message = "cancelled",
};

struct task *task_current(void)
{
	return core.current;
}

static void task_ready(struct task *t)
{
	if (t->queued || t->done)
		return;
	t->queued = true;
	t->next_ready = NULL;
	*core.ready_tail = t;
	core.ready_tail = &t->next_ready;
}

// ---- ops

void op_finish(struct op *op, const struct err *err)
{
	struct task *t = op->task;

	if (!op->pending)
		return; // late, repeated or cancelled: all harmless
	op->pending = false;
	timer_stop(&op->deadline);
	if (op->cls->stop != NULL)
		op->cls->stop(op);
	if (err != NULL)
		op->err = *err;
	if (t == NULL || t->op != op)
		return; // nobody waits for it yet, or any more
	t->op = NULL;
	task_ready(t); // queued, never resumed here
}

static int l_op_gc(lua_State *L)
{
	struct op *op = lua_touserdata(L, 1);

	if (op->task != NULL && op->task->op == op)
		op->task->op = NULL; // the collector met a dropped op: wake nobody
	op->task = NULL;
	op_finish(op, &err_cancelled);
	if (op->cls != NULL && op->cls->free != NULL)
		op->cls->free(op);
	op->cls = NULL;
	return 0;
}

struct op *op_new(lua_State *L, size_t size, const struct op_class *cls)
{
	static const struct op_class nothing = {.name = "nothing"};
	struct op *op;

	if (core.current == NULL || !lua_isyieldable(L))
		luaL_error(L, "%s cannot wait here (inside require, table.sort, string.gsub or __gc)", cls->name);
	if (core.current->cancelled && core.current->shield == 0)
		err_raise(L, &err_cancelled); // a pcall cannot swallow a cancellation
	op = lua_newuserdatauv(L, size, 2);
	memset(op, 0, size);
	lua_rawgeti(L, LUA_REGISTRYINDEX, core.current->ref);
	lua_setiuservalue(L, -2, 2); // its task outlives it, also through __gc
	op->cls = &nothing;
	luaL_setmetatable(L, OP_META);
	op->cls = cls;
	op->task = core.current;
	op->pending = true;
	return op;
}

static void on_deadline(struct timer *timer)
{
	struct op *op = (struct op *)((char *)timer - offsetof(struct op, deadline));
	struct err err;

	err_set_retryable(&err, ERR_TIMEOUT, "total", "%s did not finish in time", op->cls->name);
	op_finish(op, &err);
}

static int op_resumed(lua_State *L, int status, lua_KContext index)
{
	struct op *op = lua_touserdata(L, (int)index);

	(void)status;
	if (op->pending) // another coroutine resumed this one
		return luaL_error(L, "resumed while waiting for %s", op->cls->name);
	return op->err.kind != ERR_NONE ? err_raise(L, &op->err) : op->cls->push(L, op);
}

int op_wait(lua_State *L, struct op *op, double timeout)
{
	int index = lua_gettop(L);

	assert(lua_touserdata(L, index) == op);
	luaL_checkstack(L, 2, NULL);
	if (op->task->op != NULL)
		return luaL_error(L, "%s: this task already waits for %s", op->cls->name, op->task->op->cls->name);
	if (op->pending) {
		op->task->op = op;
		timer_start(&op->deadline, timeout, on_deadline);
	} else {
		task_ready(op->task); // finished at once: still one turn of the loop
	}
	lua_pushlightuserdata(L, (void *)(uintptr_t)&yield_mark);
	return lua_yieldk(L, 1, (lua_KContext)index, op_resumed);
}

// ---- tasks

// Whether the error object on top lacks its traceback; a cancellation needs none.
static bool wants_traceback(lua_State *L)
{
	bool wants = lua_getfield(L, -1, "traceback") == LUA_TNIL;

	lua_pushstring(L, err_kind_name(ERR_CANCELLED));
	lua_getfield(L, -3, "kind");
	wants = wants && !lua_rawequal(L, -1, -2);
	lua_pop(L, 3);
	return wants;
}

int task_traceback(lua_State *L)
{
	err_push_caught(L, 1);
	if (wants_traceback(L)) {
		luaL_traceback(L, L, NULL, 1);
		lua_setfield(L, -2, "traceback");
	}
	return 1;
}

static int body_ended(lua_State *L, int status, lua_KContext ctx)
{
	(void)ctx;
	if (status != LUA_OK && status != LUA_YIELD)
		return lua_error(L); // the error object, its traceback taken where it was raised
	return lua_gettop(L) - 1;
}

// The coroutine's outermost function: the body under a protected call, so that errors unwind where waiting is still
// possible.
static int l_task_body(lua_State *L)
{
	int nargs = lua_gettop(L) - 1;

	lua_pushcfunction(L, task_traceback);
	lua_insert(L, 1);
	return body_ended(L, lua_pcallk(L, nargs, LUA_MULTRET, 1, 0, body_ended), 0);
}

struct task *task_new(lua_State *L, int nargs)
{
	int base = lua_gettop(L) - nargs; // the function
	struct task *t = lua_newuserdatauv(L, sizeof *t, 2);
	lua_State *co;

	memset(t, 0, sizeof *t);
	t->done = true; // until it can run
	t->ref = LUA_NOREF;
	luaL_setmetatable(L, TASK_META);
	co = lua_newthread(L);
	lua_setiuservalue(L, -2, 1);
	if (!lua_checkstack(co, nargs + 2))
		luaL_error(L, "too many arguments to a task");
	lua_pushvalue(L, -1);
	t->ref = luaL_ref(L, LUA_REGISTRYINDEX);
	lua_insert(L, base);
	lua_pushcfunction(co, l_task_body);
	lua_xmove(L, co, nargs + 1);
	t->co = co;
	t->sheltered = core.current != NULL && (core.current->shield > 0 || core.current->sheltered);
	t->nargs = nargs + 1;
	t->done = false;
	t->next = core.live;
	if (core.live != NULL)
		core.live->prev = t;
	core.live = t;
	task_ready(t);
	return t;
}

struct task *task_check(lua_State *L, int index)
{
	return luaL_checkudata(L, index, TASK_META);
}

void task_push_current(lua_State *L)
{
	if (core.current == NULL)
		luaL_error(L, "no task runs here (inside __gc at the end)");
	lua_rawgeti(L, LUA_REGISTRYINDEX, core.current->ref);
}

lua_State *task_coroutine(const struct task *task)
{
	return task->co;
}

void task_cancel(struct task *task)
{
	if (task->done)
		return;
	task->cancelled = true;
	if (task->op != NULL && task->shield == 0)
		op_finish(task->op, &err_cancelled);
}

static void on_due(struct timer *timer)
{
	struct task *t = (struct task *)((char *)timer - offsetof(struct task, due));

	t->late = true;
	task_cancel(t);
}

void task_limit(struct task *task, double seconds)
{
	if (!task->done)
		timer_start(&task->due, seconds, on_due);
}

static bool is_due(const struct task *t)
{
	return t->due.running && t->due.due_us <= clock_mono_us();
}

bool task_late(const struct task *task)
{
	return task->late;
}

void task_adopt(struct task *parent, struct task *child)
{
	child->parent = parent;
}

bool task_done(const struct task *task)
{
	return task->done;
}

bool task_is_cancelled(const struct task *task)
{
	return task->cancelled;
}

bool task_shielded(const struct task *task)
{
	return task->shield > 0;
}

void task_shield(struct task *task, int change)
{
	task->shield += change;
}

// Whether a task should end although nobody told it yet: a script that does not wait keeps the loop from its timers,
// and the tasks above it from passing on a cancellation.
static bool should_end(const struct task *t)
{
	for (; t != NULL; t = t->parent) {
		if (t->cancelled || is_due(t))
			return true;
		if (t->sheltered)
			return false;
	}
	return stop_asked();
}

static bool running_should_end(void)
{
	const struct task *t = core.current;

	return t != NULL && t->shield == 0 && should_end(t);
}

bool task_push_results(lua_State *L, struct task *task, int *count)
{
	int top = lua_gettop(task->co);

	luaL_checkstack(L, task->nres + 1, NULL);
	if (!lua_checkstack(task->co, task->nres + 1))
		luaL_error(L, "too many results of a task");
	for (int i = top - task->nres + 1; i <= top; i++)
		lua_pushvalue(task->co, i);
	if (task->co != L)
		lua_xmove(task->co, L, task->nres);
	*count = task->nres;
	return !task->failed;
}

static void wake_joiners(struct task *t)
{
	while (t->joiners != NULL)
		op_finish(&t->joiners->op, NULL); // its stop unlinks it
}

static void unlink_live(struct task *t)
{
	if (t->next != NULL)
		t->next->prev = t->prev;
	if (t->prev != NULL)
		t->prev->next = t->next;
	else
		core.live = t->next;
	t->next = t->prev = NULL;
}

static void task_finish(struct task *t, int rc, int nres)
{
	t->late = t->late || is_due(t);
	timer_stop(&t->due);
	t->done = true;
	t->failed = rc != LUA_OK;
	t->nres = t->failed ? 1 : nres;
	unlink_live(t);
	wake_joiners(t);
	luaL_unref(core.L, LUA_REGISTRYINDEX, t->ref);
	t->ref = LUA_NOREF;
}

static void task_resume(struct task *t)
{
	int nres = 0, rc;

	t->queued = false;
	core.resumes++;
	core.current = t;
	rc = lua_resume(t->co, core.L, t->nargs, &nres);
	core.current = NULL;
	t->nargs = 0;
	if (rc != LUA_YIELD) {
		task_finish(t, rc, nres);
	} else if (nres == 1 && lua_touserdata(t->co, -1) == (const void *)&yield_mark) {
		lua_pop(t->co, 1); // waiting: results travel in the op, not here
	} else {
		lua_pop(t->co, nres);
		lua_pushliteral(t->co, "attempt to yield from outside a coroutine");
		task_finish(t, LUA_ERRRUN, 1);
	}
}

static struct task *take_ready(void)
{
	struct task *all = core.ready;

	core.ready = NULL;
	core.ready_tail = &core.ready;
	return all;
}

static void run_ready(void)
{
	for (struct task *t = take_ready(), *next; t != NULL; t = next) {
		next = t->next_ready;
		if (!t->done)
			task_resume(t);
	}
}

static bool turn(struct err *err)
{
	core.turns++;
	run_ready();
	if (core.live == NULL)
		return true;
	// with nothing under way only look: a transfer just started counts after its first turn, else we are stuck
	if (!loop_poll(core.ready != NULL || loop_active() == 0 ? 0 : -1, err))
		return false;
	if (core.on_turn != NULL)
		core.on_turn();
	return true;
}

static bool stuck(void)
{
	return core.ready == NULL && core.live != NULL && loop_active() == 0;
}

// Every task waits for another: each is told, so that what it holds is released and what surrounds it can end in order.
// Those that only wait again and again are given up.
static bool wake_stuck(struct err *err)
{
	err_set(err, ERR_SCRIPT, "stuck", "every task waits for another; nothing can wake them");
	if (++core.wakings > MAX_WAKINGS)
		return false;
	for (struct task *t = core.live; t != NULL; t = t->next)
		if (t->op != NULL)
			op_finish(t->op, err);
	return true;
}

bool task_run(struct task *root, struct err *err)
{
	while (!root->done) {
		if (!turn(err))
			return false;
		if (!root->done && stuck() && !wake_stuck(err))
			return false;
	}
	for (struct task *t = core.live; t != NULL; t = t->next)
		task_cancel(t);
	while (core.live != NULL && !stuck())
		if (!turn(err))
			return false;
	return true;
}

unsigned task_turns(void)
{
	return core.turns;
}

unsigned task_resumes(void)
{
	return core.resumes;
}

void task_on_turn(void (*fn)(void))
{
	core.on_turn = fn;
}

// ---- nested coroutines: a wait inside one is passed upward by resume and wrap

static int co_continue(lua_State *L, int status, lua_KContext wrap);

// Resume co with nargs of its own stack; pass a wait upward, else leave its results (or error) on L: their count, or
// -1.
static int co_step(lua_State *L, lua_State *co, int nargs, lua_KContext wrap)
{
	int nres, rc = lua_resume(co, L, nargs, &nres);

	if (rc != LUA_OK && rc != LUA_YIELD) {
		lua_xmove(co, L, 1);
		return -1;
	}
	if (rc == LUA_YIELD && nres == 1 && lua_touserdata(co, -1) == (const void *)&yield_mark) {
		lua_pop(co, 1);
		lua_pushlightuserdata(L, (void *)(uintptr_t)&yield_mark);
		return lua_yieldk(L, 1, wrap, co_continue);
	}
	luaL_checkstack(L, nres + 1, "too many results to resume");
	lua_xmove(co, L, nres);
	return nres;
}

static int resume_result(lua_State *L, int n)
{
	lua_pushboolean(L, n >= 0);
	lua_insert(L, n >= 0 ? -(n + 1) : -2);
	return n >= 0 ? n + 1 : 2;
}

static int wrap_result(lua_State *L, lua_State *co, int n)
{
	if (n >= 0)
		return n;
	if (lua_status(co) != LUA_OK && lua_status(co) != LUA_YIELD)
		lua_resetthread(co); // closes its pending variables; the error value is already ours
	if (lua_type(L, -1) == LUA_TSTRING) {
		luaL_where(L, 1);
		lua_insert(L, -2);
		lua_concat(L, 2);
	}
	return lua_error(L);
}

static int co_continue(lua_State *L, int status, lua_KContext wrap)
{
	lua_State *co = lua_tothread(L, wrap ? lua_upvalueindex(1) : 1);
	int n = co_step(L, co, 0, wrap);

	(void)status;
	return wrap ? wrap_result(L, co, n) : resume_result(L, n);
}

// Move the arguments from index `first` on to co; false with a message on L when co cannot be resumed.
static bool co_load(lua_State *L, lua_State *co, int first)
{
	int nargs = lua_gettop(L) - first + 1;

	if (!lua_checkstack(co, nargs)) {
		lua_pushliteral(L, "too many arguments to resume");
		return false;
	}
	if (lua_status(co) == LUA_OK && lua_gettop(co) == 0) {
		lua_pushliteral(L, "cannot resume dead coroutine");
		return false;
	}
	lua_xmove(L, co, nargs);
	return true;
}

static int l_co_resume(lua_State *L)
{
	lua_State *co = lua_tothread(L, 1);
	int nargs = lua_gettop(L) - 1;

	luaL_argexpected(L, co != NULL, 1, "coroutine");
	return resume_result(L, co_load(L, co, 2) ? co_step(L, co, nargs, 0) : -1);
}

static int l_co_wrap_call(lua_State *L)
{
	lua_State *co = lua_tothread(L, lua_upvalueindex(1));
	int nargs = lua_gettop(L);

	return wrap_result(L, co, co_load(L, co, 1) ? co_step(L, co, nargs, 1) : -1);
}

static int l_co_wrap(lua_State *L)
{
	lua_State *co;

	luaL_checktype(L, 1, LUA_TFUNCTION);
	co = lua_newthread(L);
	lua_pushvalue(L, 1);
	lua_xmove(L, co, 1);
	lua_pushcclosure(L, l_co_wrap_call, 1);
	return 1;
}

// ---- joining

static void join_stop(struct op *op)
{
	struct joiner *j = (struct joiner *)op;
	struct joiner **at = &j->target->joiners;

	while (*at != NULL && *at != j)
		at = &(*at)->next;
	if (*at == j)
		*at = j->next;
}

static int join_push(lua_State *L, struct op *op)
{
	struct joiner *j = (struct joiner *)op;
	int count;

	if (!task_push_results(L, j->target, &count))
		return lua_error(L);
	return count;
}

static const struct op_class join_class = {.name = "task.join", .stop = join_stop, .push = join_push};

int task_join(lua_State *L)
{
	struct task *target = task_check(L, 1);
	struct joiner *j = (struct joiner *)op_new(L, sizeof *j, &join_class);

	j->target = target;
	lua_pushvalue(L, 1);
	lua_setiuservalue(L, -2, 1);
	if (target->done) {
		op_finish(&j->op, NULL);
	} else {
		j->next = target->joiners;
		target->joiners = j;
	}
	return op_wait(L, &j->op, -1);
}

// ---- opening

static int l_task_tostring(lua_State *L)
{
	struct task *t = task_check(L, 1);
	const char *state = t->done ? (t->failed ? "failed" : "done") : t->op != NULL ? t->op->cls->name : "ready";

	lua_pushfstring(L, "task (%s)", state);
	return 1;
}

// At the end of the state also tasks that never ended are collected.
static int l_task_gc(lua_State *L)
{
	timer_stop(&task_check(L, 1)->due);
	return 0;
}

void task_open(lua_State *L)
{
	static const luaL_Reg patched[] = {{"resume", l_co_resume}, {"wrap", l_co_wrap}, {NULL, NULL}};

	core.L = L;
	core.current = NULL;
	core.live = NULL;
	take_ready();
	stop_on_ask(running_should_end);
	if (luaL_newmetatable(L, OP_META)) {
		lua_pushcfunction(L, l_op_gc);
		lua_setfield(L, -2, "__gc");
	}
	lua_pop(L, 1);
	if (luaL_newmetatable(L, TASK_META)) {
		lua_pushcfunction(L, l_task_tostring);
		lua_setfield(L, -2, "__tostring");
		lua_pushcfunction(L, l_task_gc);
		lua_setfield(L, -2, "__gc");
	}
	lua_pop(L, 1);
	lua_getglobal(L, "coroutine");
	luaL_setfuncs(L, patched, 0);
	lua_pop(L, 1);
}

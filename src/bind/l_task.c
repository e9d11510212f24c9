// _syncrun.task: what lua/syncrun/task.lua builds scopes, channels and semaphores from. Knows no primitive but the
// timer.
#include <lauxlib.h>

#include "bind/err_lua.h"
#include "bind/modules.h"
#include "bind/signals.h"
#include "bind/task.h"
#include "bind/task_core.h"

// spawn(fn, ...) -> task. Runs from the next turn of the loop on.
static int l_spawn(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TFUNCTION);
	task_new(L, lua_gettop(L) - 1);
	return 1;
}

// spawn_child(owner, fn, ...) -> task: the same, of a scope that belongs to the task `owner`
static int l_spawn_child(lua_State *L)
{
	struct task *owner = task_check(L, 1);

	luaL_checktype(L, 2, LUA_TFUNCTION);
	task_adopt(owner, task_new(L, lua_gettop(L) - 2));
	lua_pushvalue(L, 1);
	lua_setiuservalue(L, -2, 2);
	return 1;
}

// current() -> the running task
static int l_current(lua_State *L)
{
	task_push_current(L);
	return 1;
}

// limit(task, seconds): cancelled unless it ends in time
static int l_limit(lua_State *L)
{
	task_limit(task_check(L, 1), luaL_checknumber(L, 2));
	return 0;
}

static int l_late(lua_State *L)
{
	lua_pushboolean(L, task_late(task_check(L, 1)));
	return 1;
}

static int l_cancel(lua_State *L)
{
	task_cancel(task_check(L, 1));
	return 0;
}

static int l_done(lua_State *L)
{
	lua_pushboolean(L, task_done(task_check(L, 1)));
	return 1;
}

// cancelled() -> whether the running task was cancelled
static int l_cancelled(lua_State *L)
{
	struct task *t = task_current();

	lua_pushboolean(L, t != NULL && task_is_cancelled(t));
	return 1;
}

// shield(1 | -1): the running task may, or may no longer, wait although it was cancelled
static int l_shield(lua_State *L)
{
	struct task *t = task_current();

	if (t != NULL)
		task_shield(t, luaL_checkinteger(L, 1) > 0 ? 1 : -1);
	return 0;
}

static int push_nothing(lua_State *L, struct op *op)
{
	(void)L;
	(void)op;
	return 0;
}

// ---- sleep(seconds)

struct sleep_op {
	struct op op;
	struct timer timer;
};

static void sleep_stop(struct op *op)
{
	timer_stop(&((struct sleep_op *)op)->timer);
}

static void sleep_over(struct timer *timer)
{
	op_finish((struct op *)((char *)timer - offsetof(struct sleep_op, timer)), NULL);
}

static const struct op_class sleep_class = {.name = "task.sleep", .stop = sleep_stop, .push = push_nothing};

static int l_sleep(lua_State *L)
{
	double seconds = luaL_checknumber(L, 1);
	struct sleep_op *s;

	luaL_argcheck(L, seconds >= 0, 1, "seconds must not be negative");
	s = (struct sleep_op *)op_new(L, sizeof *s, &sleep_class);
	timer_start(&s->timer, seconds, sleep_over);
	return op_wait(L, &s->op, -1);
}

// ---- park(box [, timeout]) and wake(box): the one wait that other tasks end. The op is stored in the box's `op`
// field.

static const struct op_class park_class = {.name = "task.park", .push = push_nothing};

static int l_park(lua_State *L)
{
	double timeout = luaL_optnumber(L, 2, -1);
	struct op *op;

	luaL_checktype(L, 1, LUA_TTABLE);
	op = op_new(L, sizeof *op, &park_class);
	lua_pushvalue(L, -1);
	lua_setfield(L, 1, "op");
	return op_wait(L, op, timeout);
}

static int l_wake(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	if (lua_getfield(L, 1, "op") == LUA_TUSERDATA)
		op_finish(lua_touserdata(L, -1), NULL);
	lua_pushnil(L);
	lua_setfield(L, 1, "op");
	return 0;
}

// ---- wait_signal() -> "INT" | "TERM": while a task waits here, signals do not cancel the root task

struct signal_op {
	struct op op;
	struct timer forever; // so that the loop knows somebody waits
	int number;
};

static struct signal_op *volatile waiting_for_signal;

static void signal_stop(struct op *op)
{
	timer_stop(&((struct signal_op *)op)->forever);
	if (waiting_for_signal == (struct signal_op *)op)
		waiting_for_signal = NULL;
}

static int signal_push(lua_State *L, struct op *op)
{
	lua_pushstring(L, signals_name(((struct signal_op *)op)->number));
	return 1;
}

static const struct op_class signal_class = {.name = "task.wait_signal", .stop = signal_stop, .push = signal_push};

static void never(struct timer *timer)
{
	timer_start(timer, 1e9, never);
}

static int l_wait_signal(lua_State *L)
{
	struct signal_op *s;

	if (waiting_for_signal != NULL)
		return err_raisef(L, ERR_USAGE, "another task already waits for signals");
	s = (struct signal_op *)op_new(L, sizeof *s, &signal_class);
	timer_start(&s->forever, 1e9, never);
	waiting_for_signal = s;
	return op_wait(L, &s->op, -1);
}

bool signals_awaited(void)
{
	return waiting_for_signal != NULL;
}

bool signals_deliver(int number)
{
	if (waiting_for_signal == NULL)
		return false;
	waiting_for_signal->number = number;
	op_finish(&waiting_for_signal->op, NULL);
	return true;
}

// active() -> how many timers, watches and transfers are under way (tests: nothing leaks)
static int l_active(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)loop_active());
	return 1;
}

static const luaL_Reg functions[] = {
	{"spawn", l_spawn},
	{"spawn_child", l_spawn_child},
	{"current", l_current},
	{"join", task_join},
	{"limit", l_limit},
	{"late", l_late},
	{"cancel", l_cancel},
	{"done", l_done},
	{"cancelled", l_cancelled},
	{"shield", l_shield},
	{"sleep", l_sleep},
	{"park", l_park},
	{"wake", l_wake},
	{"wait_signal", l_wait_signal},
	{"active", l_active},
	{NULL, NULL},
};

int luaopen_syncrun_task(lua_State *L)
{
	luaL_newlib(L, functions);
	return 1;
}

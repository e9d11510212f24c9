// The count hook: every so many instructions it looks whether what runs should end, and raises then. It raises in the
// script's own functions only, never in the library's: those release what they hold, or wait soon and are told there.
#include "host/hook.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/stop.h"
#include "bind/err_lua.h"
#include "bind/task_core.h"

enum { EVERY = 100000 }; // instructions: a millisecond or some

static struct {
	void (*on_look)(void);
	char library[512]; // "@DIR/syncrun/": chunk names of a library on disk
	unsigned resumes;  // at the look before
	int next;          // how many instructions it will be after the next raise
} hook;

static void look(lua_State *L, lua_Debug *ar);

static void look_every(lua_State *L, int instructions)
{
	lua_State *main = task_coroutine(task_current());

	lua_sethook(L, look, LUA_MASKCOUNT, instructions);
	if (main != L) // that one would make further coroutines with the old number
		lua_sethook(main, look, LUA_MASKCOUNT, instructions);
}

static bool starts_with(const char *text, const char *start)
{
	return start[0] != '\0' && strncmp(text, start, strlen(start)) == 0;
}

static bool in_library(lua_State *L, lua_Debug *ar)
{
	lua_getinfo(L, "S", ar);
	return starts_with(ar->source, "@syncrun/") || starts_with(ar->source, hook.library);
}

// Whether the same task ran without waiting since the look before.
static bool ran_on(void)
{
	unsigned before = hook.resumes;

	hook.resumes = task_resumes();
	return hook.resumes == before;
}

// After it raised, a script has as long again to clean up. When it goes on all the same, behind a pcall, the next looks
// come sooner and sooner, until no instruction is left to it.
static void look(lua_State *L, lua_Debug *ar)
{
	bool on = ran_on();

	hook.on_look();
	if (task_current() == NULL)
		return;
	if (!on) {
		hook.next = EVERY;
		if (lua_gethookcount(L) != EVERY)
			look_every(L, EVERY);
		return;
	}
	if (!stop_wanted() || in_library(L, ar))
		return;
	look_every(L, hook.next);
	hook.next = hook.next > 1 ? hook.next / 10 : 1;
	err_raisef(L, ERR_CANCELLED, "cancelled");
}

void hook_install(lua_State *L, void (*on_look)(void), const char *lua_dir)
{
	hook.on_look = on_look;
	hook.next = EVERY;
	if (lua_dir != NULL)
		snprintf(hook.library, sizeof hook.library, "@%s/syncrun/", lua_dir);
	lua_sethook(L, look, LUA_MASKCOUNT, EVERY);
}

// The host: opens the Lua state and the loop, registers the C modules and the embedded library, runs the boot module as
// the root task, and turns its end into an exit code. Knows no system and no flow.
#include "host/host.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lualib.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/stop.h"
#include "base/visible.h"
#include "bind/err_lua.h"
#include "bind/modules.h"
#include "bind/signals.h"
#include "bind/task.h"
#include "bind/task_core.h"
#include "host/embed.h"
#include "host/hook.h"
#include "host/signals.h"
#include "io/loop.h"

int luaopen_cjson(lua_State *L); // Debian's liblua5.4-cjson

enum { DEFAULT_MEMORY_MB = 1024 };

static struct {
	struct task *root;
	size_t used, limit; // bytes of Lua memory
	int signal;         // the one that ended us, or 0
} host;

// ---- memory

static void *host_alloc(void *ud, void *ptr, size_t old_size, size_t new_size)
{
	size_t old = ptr != NULL ? old_size : 0; // for a new block Lua passes a type tag there
	void *out;

	(void)ud;
	if (new_size == 0) {
		free(ptr);
		host.used -= old;
		return NULL;
	}
	if (new_size > old && host.used + (new_size - old) > host.limit)
		return NULL;
	out = realloc(ptr, new_size);
	if (out != NULL)
		host.used += new_size - old;
	return out;
}

static size_t memory_limit(void)
{
	const char *text = getenv("SYNCRUN_MEMORY_MB");
	unsigned long mb = text != NULL ? strtoul(text, NULL, 10) : 0;

	return (size_t)(mb > 0 ? mb : DEFAULT_MEMORY_MB) << 20;
}

// ---- signals

static void take_signals(void)
{
	int number = signals_take();

	if (number == 0)
		return;
	if (signals_deliver(number)) {
		stop_forgive();
		return;
	}
	if (host.signal == 0)
		host.signal = number;
	log_printf(
		LOG_WARN, "SIG%s: stopping; what is done is kept (a second Ctrl-C leaves at once)", signals_name(number));
	task_cancel(host.root);
}

// What runs long in C may have ended for a signal before the loop saw it.
int signals_ended_by(void)
{
	take_signals();
	return host.signal;
}

// ---- modules

static int l_load_embedded(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);

	for (const struct embedded_module *m = embedded_modules; m->name != NULL; m++) {
		char chunk[256];
		if (strcmp(m->name, name) != 0)
			continue;
		snprintf(chunk, sizeof chunk, "@%s", m->path);
		if (luaL_loadbufferx(L, m->text, m->len, chunk, "t") != LUA_OK)
			return lua_error(L);
		lua_pushstring(L, chunk);
		return 2;
	}
	lua_pushfstring(L, "no embedded module '%s'", name);
	return 1;
}

// source(name) -> the text of an embedded module, or nil (the REPL's help reads it)
static int l_embedded_source(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);

	for (const struct embedded_module *m = embedded_modules; m->name != NULL; m++)
		if (strcmp(m->name, name) == 0) {
			lua_pushlstring(L, m->text, m->len);
			return 1;
		}
	return 0;
}

static void preload_modules(lua_State *L)
{
#define ENTRY(name) {"_syncrun." #name, luaopen_syncrun_##name},
	static const luaL_Reg modules[] = {SYNCRUN_MODULES(ENTRY){"cjson", luaopen_cjson}, {NULL, NULL}};
#undef ENTRY

	luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
	luaL_setfuncs(L, modules, 0);
	lua_pop(L, 1);
}

// ---- start and end

static void push_strings(lua_State *L, const char *const *strings, int n)
{
	lua_createtable(L, n, 0);
	for (int i = 0; i < n; i++) {
		lua_pushstring(L, strings[i]);
		lua_seti(L, -2, i + 1);
	}
}

static void set_text(lua_State *L, const char *name, const char *text)
{
	if (text == NULL)
		return;
	lua_pushstring(L, text);
	lua_setfield(L, -2, name);
}

static void push_options(lua_State *L, const struct host_options *o)
{
	int nchunks = 0;

	while (o->chunks != NULL && o->chunks[nchunks] != NULL)
		nchunks++;
	lua_createtable(L, 0, 6);
	set_text(L, "lua_dir", o->lua_dir);
	set_text(L, "script", o->script);
	set_text(L, "program", o->program);
	push_strings(L, o->chunks, nchunks);
	lua_setfield(L, -2, "chunks");
	push_strings(L, (const char *const *)o->argv, o->argc);
	lua_setfield(L, -2, "args");
	lua_pushboolean(L, o->interactive);
	lua_setfield(L, -2, "interactive");
}

// What warn() says, in pieces, is a line of the log. So is an error in a __gc.
static void on_warning(void *ud, const char *piece, int more)
{
	static struct buf text;
	static bool off;

	(void)ud;
	if (text.len == 0 && !more && piece[0] == '@') { // control messages: "@on", "@off"
		off = strcmp(piece, "@off") == 0 || (off && strcmp(piece, "@on") != 0);
		return;
	}
	if (!off && !buf_puts(&text, piece))
		log_printf(LOG_ERROR, "a warning was lost: out of memory");
	if (more)
		return;
	if (!off && text.len > 0)
		log_write(LOG_WARN, text.data, text.len);
	buf_free(&text);
}

static int open_state(lua_State *L)
{
	const struct host_options *options = lua_touserdata(L, 1);

	luaL_openlibs(L);
	lua_setwarnf(L, on_warning, NULL);
	task_open(L);
	preload_modules(L);
	hook_install(L, take_signals, options->lua_dir != NULL ? options->lua_dir : getenv("SYNCRUN_LUA"));
	lua_pushcfunction(L, l_load_embedded);
	lua_setfield(L, LUA_REGISTRYINDEX, "syncrun.load_embedded");
	lua_pushcfunction(L, l_embedded_source);
	lua_setfield(L, LUA_REGISTRYINDEX, "syncrun.embedded_source");
	lua_pushcfunction(L, l_load_embedded);
	lua_pushliteral(L, "syncrun.boot");
	lua_call(L, 1, 1);
	push_options(L, options);
	host.root = task_new(L, 1);
	lua_setfield(L, LUA_REGISTRYINDEX, "syncrun.root");
	return 0;
}

// The exit code that the error at index 1 carries (exits.lua says which that is).
static int exit_code_of_error(lua_State *L)
{
	int is_int = 0;
	lua_Integer code = 0;

	if (lua_istable(L, 1)) {
		lua_getfield(L, 1, "exit");
		code = lua_tointegerx(L, -1, &is_int);
		lua_pop(L, 1);
	}
	return is_int ? (int)(code & 0xff) : EXIT_SCRIPT;
}

// Text on stderr, of one or several lines. Masked by the sink.
static void say(const char *before, const char *text, size_t len)
{
	struct buf shown = {0};

	if (visible_lines(&shown, text, len))
		fprintf(stderr, "%s%s\n", before, shown.data);
	buf_free(&shown);
}

// Frames of a traceback that are ours: the library's files and C.
static bool is_own_frame(const char *line)
{
	while (*line == '\t')
		line++;
	return strncmp(line, "syncrun/", 8) == 0 || strncmp(line, "[C]:", 4) == 0 ||
		   strncmp(line, "(...tail calls", 14) == 0;
}

// The script's frames: what is ours says nothing to its author, unless the message itself is about our code.
static void print_traceback(const char *message, const char *traceback)
{
	bool all = log_get_level() == LOG_DEBUG || strncmp(message, "syncrun/", 8) == 0, any = false;

	for (const char *line = strchr(traceback, '\n'); line != NULL; line = strchr(line, '\n')) {
		size_t len = strcspn(++line, "\n");
		if (!all && is_own_frame(line))
			continue;
		say(any ? "" : "stack traceback:\n", line, len);
		any = true;
	}
}

// An error that reached the top: one line on stderr; the traceback too where the script is at fault, or we, and the
// message does not begin with the line.
static int report_error(lua_State *L)
{
	struct err err;
	bool fault;

	err_from_lua(L, 1, &err);
	fault = exit_code_of_error(L) == EXIT_SCRIPT && strcmp(err.code, "call") != 0;
	if (err.kind == ERR_CANCELLED && host.signal != 0) {
		lua_pushinteger(L, EXIT_SIGNAL + host.signal);
		return 1;
	}
	say("syncrun: ", err.message, strlen(err.message));
	if ((fault || log_get_level() == LOG_DEBUG) && lua_istable(L, 1) && lua_getfield(L, 1, "traceback") == LUA_TSTRING)
		print_traceback(err.message, lua_tostring(L, -1));
	lua_pushinteger(L, exit_code_of_error(L));
	return 1;
}

// main_result() -> exit code, of the root task that has ended
static int main_result(lua_State *L)
{
	int count, is_int = 0;
	lua_Integer code;

	lua_settop(L, 0);
	if (!task_push_results(L, host.root, &count))
		return report_error(L);
	code = count > 0 ? lua_tointegerx(L, 1, &is_int) : 0;
	lua_pushinteger(L, is_int ? code & 0xff : 0);
	return 1;
}

static int protected_int(lua_State *L, lua_CFunction fn, void *arg)
{
	int code;

	lua_pushcfunction(L, fn);
	lua_pushlightuserdata(L, arg);
	if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
		struct err err;
		err_from_lua(L, -1, &err);
		log_printf(LOG_ERROR, "%s", err.message);
		lua_pop(L, 1);
		return EXIT_SCRIPT;
	}
	code = (int)lua_tointeger(L, -1);
	lua_pop(L, 1);
	return code;
}

static int run_root(lua_State *L, const struct host_options *options)
{
	struct err err;
	int code;

	code = protected_int(L, open_state, (void *)(uintptr_t)options);
	if (code != 0 || host.root == NULL)
		return EXIT_SCRIPT;
	task_on_turn(take_signals);
	if (!task_run(host.root, &err)) {
		log_printf(LOG_ERROR, "%s", err.message);
		return EXIT_SCRIPT;
	}
	take_signals(); // one that ended a long statement of the root task, before the loop could see it
	take_signals();
	code = protected_int(L, main_result, NULL);
	return host.signal != 0 && code == EXIT_SCRIPT ? EXIT_SIGNAL + host.signal : code;
}

int host_run(const struct host_options *options)
{
	struct err err;
	lua_State *L;
	int code;

	host.limit = memory_limit();
	if (!loop_open(&err)) {
		log_printf(LOG_ERROR, "%s", err.message);
		return EXIT_SCRIPT;
	}
	signals_install();
	L = lua_newstate(host_alloc, NULL);
	if (L == NULL) {
		log_printf(LOG_ERROR, "out of memory");
		loop_close();
		return EXIT_SCRIPT;
	}
	code = run_root(L, options);
	lua_close(L);
	loop_close();
	return code;
}

// _syncrun.host: what scripts need of the process and its files: the version, terminals, folders, the redacting writer.
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lauxlib.h>

#include "base/sink.h"
#include "base/version.h"
#include "bind/err_lua.h"
#include "bind/modules.h"
#include "bind/path_lua.h"
#include "bind/signals.h"
#include "io/file.h"

#define WRITER_META "syncrun.writer"

extern char **environ; // POSIX: no header declares it

struct writer {
	struct sink *sink; // NULL when closed
	struct sink own;   // of a file; its fd is -1 when there is none
	char path[512];    // for messages
};

static struct writer *new_writer(lua_State *L, const char *path)
{
	struct writer *w = lua_newuserdatauv(L, sizeof *w, 0);

	memset(w, 0, sizeof *w);
	w->own.fd = -1;
	snprintf(w->path, sizeof w->path, "%s", path);
	luaL_setmetatable(L, WRITER_META);
	return w;
}

static bool own(struct writer *w, int fd)
{
	w->own.fd = fd;
	w->sink = fd >= 0 ? &w->own : NULL;
	return fd >= 0;
}

// create(path) -> writer: a new file 0600, or an emptied one
static int l_create(lua_State *L)
{
	const char *path = l_path_check(L, 1);
	struct writer *w = new_writer(L, path);
	struct err err;

	return own(w, file_create(path, &err)) ? 1 : err_raise(L, &err);
}

// standard("stdout" | "stderr") -> writer
static int l_standard(lua_State *L)
{
	static const char *const names[] = {"stdout", "stderr", NULL};
	int which = luaL_checkoption(L, 1, NULL, names);
	struct writer *w = new_writer(L, names[which]);

	w->sink = sink_standard(which == 0 ? STDOUT_FILENO : STDERR_FILENO);
	return 1;
}

static int l_writer_write(lua_State *L)
{
	struct writer *w = luaL_checkudata(L, 1, WRITER_META);
	size_t len;
	const char *text = luaL_checklstring(L, 2, &len);
	struct err err;

	if (w->sink == NULL)
		return err_raisef(L, ERR_USAGE, "the writer of '%s' is closed", w->path);
	if (w->sink->fd == STDOUT_FILENO)
		fflush(stdout); // what print() wrote comes first
	if (!file_write(w->sink, w->path, text, len, &err))
		return err_raise(L, &err);
	lua_settop(L, 1);
	return 1;
}

static int l_writer_close(lua_State *L)
{
	struct writer *w = luaL_checkudata(L, 1, WRITER_META);
	struct err err;

	if (w->sink == &w->own && !file_close(&w->own, w->path, &err)) {
		w->sink = NULL;
		return err_raise(L, &err);
	}
	w->sink = NULL;
	return 0;
}

static int l_writer_gc(lua_State *L)
{
	struct writer *w = luaL_checkudata(L, 1, WRITER_META);

	if (w->sink == &w->own)
		(void)file_close(&w->own, w->path, NULL);
	w->sink = NULL;
	return 0;
}

// check(path): raises when create() would refuse it, whatever its folder allows
static int l_check(lua_State *L)
{
	struct stat st;
	const char *path = l_path_check(L, 1);

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return err_raisef(L, ERR_CONFIG, "'%s' is a folder; name a file", path);
	return 0;
}

// lock(path) -> writer that holds the lock until it is closed | nil, pid of who holds it
static int l_lock(lua_State *L)
{
	const char *path = l_path_check(L, 1);
	struct writer *w = new_writer(L, path);
	struct err err;
	long holder;

	if (own(w, file_lock(path, &holder, &err)))
		return 1;
	if (strcmp(err.code, "locked") != 0)
		return err_raise(L, &err);
	lua_pushnil(L);
	lua_pushinteger(L, holder);
	return 2;
}

static int l_make_folder(lua_State *L)
{
	struct err err;

	return file_make_folder(luaL_checkstring(L, 1), &err) ? 0 : err_raise(L, &err);
}

// replace(path, bytes)
static int l_replace(lua_State *L)
{
	size_t len;
	const char *path = l_path_check(L, 1), *data = luaL_checklstring(L, 2, &len);
	struct err err;

	return file_replace(path, data, len, &err) ? 0 : err_raise(L, &err);
}

// extend(path, keep, bytes)
static int l_extend(lua_State *L)
{
	size_t len;
	const char *path = l_path_check(L, 1), *data = luaL_checklstring(L, 3, &len);
	lua_Integer keep = luaL_checkinteger(L, 2);
	struct err err;

	luaL_argcheck(L, keep >= 0, 2, "a length is not negative");
	return file_extend(path, (size_t)keep, data, len, &err) ? 0 : err_raise(L, &err);
}

// kind(path) -> "file" | "folder" | "other" | nil
static int l_kind(lua_State *L)
{
	struct stat st;

	if (stat(luaL_checkstring(L, 1), &st) != 0)
		return 0;
	lua_pushstring(L, S_ISREG(st.st_mode) ? "file" : S_ISDIR(st.st_mode) ? "folder" : "other");
	return 1;
}

// id(path) -> a text that is the same for all names of a file or folder, or nil
static int l_id(lua_State *L)
{
	struct stat st;

	if (stat(luaL_checkstring(L, 1), &st) != 0)
		return 0;
	lua_pushfstring(L, "%I:%I", (LUAI_UACINT)st.st_dev, (LUAI_UACINT)st.st_ino);
	return 1;
}

// is_public(path) -> whether any user of this machine may read the file
static int l_is_public(lua_State *L)
{
	lua_pushboolean(L, file_is_public(luaL_checkstring(L, 1)));
	return 1;
}

static int l_terminal(lua_State *L)
{
	lua_pushboolean(L, isatty((int)luaL_checkinteger(L, 1)));
	return 1;
}

// variables() -> the names of the environment's variables
static int l_variables(lua_State *L)
{
	lua_Integer n = 0;

	lua_newtable(L);
	for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
		lua_pushlstring(L, *entry, strcspn(*entry, "="));
		lua_rawseti(L, -2, ++n);
	}
	return 1;
}

// signal() -> "INT" | "TERM" | "HUP": what the root task was cancelled for; nil: nothing
static int l_signal(lua_State *L)
{
	if (signals_ended_by() == 0)
		return 0;
	lua_pushstring(L, signals_name(signals_ended_by()));
	return 1;
}

// deadline(seconds): what runs then in one call that does not end is cut off
static int l_deadline(lua_State *L)
{
	double seconds = luaL_checknumber(L, 1);

	luaL_argcheck(L, seconds > 0 && seconds < 1e9, 1, "not between 0 and 1e9");
	signals_deadline(seconds);
	return 0;
}

static int l_pid(lua_State *L)
{
	lua_pushinteger(L, getpid());
	return 1;
}

// peak_memory() -> bytes of the process's resident peak, or nil (Linux only: /proc/self/status)
static int l_peak_memory(lua_State *L)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[256];
	long kb = -1;

	while (f != NULL && kb < 0 && fgets(line, sizeof line, f) != NULL)
		if (strncmp(line, "VmHWM:", 6) == 0)
			kb = strtol(line + 6, NULL, 10);
	if (f != NULL)
		fclose(f);
	if (kb < 0)
		return 0;
	lua_pushinteger(L, (lua_Integer)kb * 1024);
	return 1;
}

static int from_registry(lua_State *L, const char *name)
{
	lua_getfield(L, LUA_REGISTRYINDEX, name);
	return 1;
}

// executable() -> the path of the running program, or nil (Linux only: /proc/self/exe)
static int l_executable(lua_State *L)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path);

	if (n <= 0 || (size_t)n == sizeof path)
		return 0;
	lua_pushlstring(L, path, (size_t)n);
	return 1;
}

// loader() -> function(name) -> chunk, chunk name | message: the embedded library
static int l_loader(lua_State *L)
{
	return from_registry(L, "syncrun.load_embedded");
}

// source() -> function(name) -> text of an embedded module
static int l_source(lua_State *L)
{
	return from_registry(L, "syncrun.embedded_source");
}

static const luaL_Reg writer_methods[] = {{"write", l_writer_write}, {"close", l_writer_close}, {NULL, NULL}};
static const luaL_Reg writer_meta[] = {{"__gc", l_writer_gc}, {"__close", l_writer_gc}, {NULL, NULL}};
static const luaL_Reg functions[] = {
	{"check", l_check},
	{"create", l_create},
	{"standard", l_standard},
	{"lock", l_lock},
	{"make_folder", l_make_folder},
	{"replace", l_replace},
	{"extend", l_extend},
	{"kind", l_kind},
	{"id", l_id},
	{"is_public", l_is_public},
	{"terminal", l_terminal},
	{"signal", l_signal},
	{"deadline", l_deadline},
	{"pid", l_pid},
	{"variables", l_variables},
	{"peak_memory", l_peak_memory},
	{"executable", l_executable},
	{"loader", l_loader},
	{"source", l_source},
	{NULL, NULL},
};

int luaopen_syncrun_host(lua_State *L)
{
	luaL_newmetatable(L, WRITER_META);
	luaL_setfuncs(L, writer_meta, 0);
	luaL_newlib(L, writer_methods);
	lua_setfield(L, -2, "__index");
	luaL_newlib(L, functions);
	lua_pushliteral(L, SYNCRUN_VERSION);
	lua_setfield(L, -2, "version");
	return 1;
}

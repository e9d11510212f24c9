// _syncrun.line: read(prompt) -> a line of standard input, or nil at its end. Waits.
#include <stdlib.h>

#include <lauxlib.h>

#include "bind/err_lua.h"
#include "bind/modules.h"
#include "bind/task.h"
#include "io/line.h"

struct line_op {
	struct op op;
	char *text;
};

static void read_stop(struct op *op)
{
	(void)op;
	line_stop();
}

static int read_push(lua_State *L, struct op *op)
{
	lua_pushstring(L, ((struct line_op *)op)->text); // nil for NULL
	return 1;
}

static void read_free(struct op *op)
{
	free(((struct line_op *)op)->text);
}

static const struct op_class read_class = {
	.name = "line.read", .stop = read_stop, .push = read_push, .free = read_free};

static void on_line(void *arg, char *text, const struct err *err)
{
	struct line_op *r = arg;

	r->text = text;
	op_finish(&r->op, err);
}

static int l_read(lua_State *L)
{
	const char *prompt = luaL_checkstring(L, 1);
	struct line_op *r = (struct line_op *)op_new(L, sizeof *r, &read_class);

	if (!line_start(prompt, on_line, r)) {
		r->op.pending = false;
		return err_raisef(L, ERR_USAGE, "another task already reads from the terminal");
	}
	return op_wait(L, &r->op, -1);
}

// is_edited() -> whether lines come from a terminal, with the prompt
static int l_is_edited(lua_State *L)
{
	lua_pushboolean(L, line_is_edited());
	return 1;
}

static const luaL_Reg functions[] = {{"read", l_read}, {"is_edited", l_is_edited}, {NULL, NULL}};

int luaopen_syncrun_line(lua_State *L)
{
	luaL_newlib(L, functions);
	return 1;
}

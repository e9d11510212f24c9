// _syncrun.http_server: a listening server and its exchanges for lua/syncrun/http.lua. The accept loop is Lua's.
#include <string.h>

#include <lauxlib.h>

#include "bind/err_lua.h"
#include "bind/http_lua.h"
#include "bind/modules.h"
#include "bind/task.h"
#include "io/http_server.h"

#define SERVER_META "syncrun.http_server"
#define EXCHANGE_META "syncrun.http_server.exchange"

enum { WRITE_AHEAD = 256 * 1024 }; // a streamed answer waits for the client past so many unsent bytes

struct server {                 // a userdata
	struct http_server *server; // NULL: not open, or closed
	struct buf queue;           // of struct http_exchange *, not accepted yet, oldest first
	struct op *accepting;
};

struct exchange {                   // a userdata
	struct http_exchange *exchange; // NULL: closed
	struct op *writing;
};

struct accept_op { // its user value is the server
	struct op op;
	struct server *server;
};

struct write_op { // its user value is the exchange
	struct op op;
	struct exchange *exchange;
};

static struct server *check_server(lua_State *L)
{
	return luaL_checkudata(L, 1, SERVER_META);
}

static struct exchange *check_exchange(lua_State *L)
{
	struct exchange *x = luaL_checkudata(L, 1, EXCHANGE_META);

	if (x->exchange == NULL)
		err_raisef(L, ERR_USAGE, "this exchange is closed");
	return x;
}

// ---- accepting

static void on_request(void *arg, struct http_exchange *exchange)
{
	struct server *s = arg;

	if (!buf_put(&s->queue, &exchange, sizeof(struct http_exchange *)))
		http_exchange_free(exchange); // no memory to remember it: the client sees a closed connection
	else if (s->accepting != NULL)
		op_finish(s->accepting, NULL);
}

static struct http_exchange *queue_first(const struct server *s)
{
	struct http_exchange *first = NULL;

	if (s->queue.len > 0)
		memcpy(&first, s->queue.data, sizeof(struct http_exchange *));
	return first;
}

static void accept_stop(struct op *op)
{
	struct server *s = ((struct accept_op *)op)->server;

	if (s != NULL && s->accepting == op)
		s->accepting = NULL;
}

static int accept_push(lua_State *L, struct op *op)
{
	struct server *s = ((struct accept_op *)op)->server;
	struct exchange *x;

	if (s->queue.len == 0) {
		lua_pushnil(L);
		return 1;
	}
	x = lua_newuserdatauv(L, sizeof *x, 0);
	memset(x, 0, sizeof *x);
	luaL_setmetatable(L, EXCHANGE_META);
	x->exchange = queue_first(s);
	buf_shift(&s->queue, sizeof(struct http_exchange *));
	return 1;
}

static const struct op_class accept_class = {.name = "http.accept", .stop = accept_stop, .push = accept_push};

// server:accept() -> the next exchange, or nil once the server is closed
static int l_accept(lua_State *L)
{
	struct server *s = check_server(L);
	struct accept_op *a;

	if (s->accepting != NULL)
		return err_raisef(L, ERR_USAGE, "another task accepts on this server");
	lua_settop(L, 1);
	a = (struct accept_op *)op_new(L, sizeof *a, &accept_class);
	a->server = s;
	lua_pushvalue(L, 1);
	lua_setiuservalue(L, -2, 1);
	if (s->queue.len > 0 || s->server == NULL)
		op_finish(&a->op, NULL);
	else
		s->accepting = &a->op;
	return op_wait(L, &a->op, -1);
}

// ---- the server

static void read_options(lua_State *L, struct http_server_options *o)
{
	double port = http_lua_limit(L, 1, "port", 0);

	luaL_argcheck(L, port <= 65535, 1, "port must be 0 to 65535");
	o->host = http_lua_string(L, 1, "host");
	if (o->host == NULL)
		o->host = "127.0.0.1";
	o->port = (uint16_t)port;
	o->max_body = (size_t)http_lua_limit(L, 1, "max_body", 0);
	o->max_head = (size_t)http_lua_limit(L, 1, "max_head", 16 * 1024);
	o->max_head_status = (int)http_lua_limit(L, 1, "max_head_status", 431);
	o->idle_timeout = (unsigned)http_lua_limit(L, 1, "idle_timeout", 0);
}

// listen(options) -> server, port
static int l_listen(lua_State *L)
{
	struct http_server_options options;
	struct server *s;
	struct err err;

	luaL_checktype(L, 1, LUA_TTABLE);
	read_options(L, &options);
	s = lua_newuserdatauv(L, sizeof *s, 0);
	memset(s, 0, sizeof *s);
	luaL_setmetatable(L, SERVER_META);
	s->server = http_server_start(&options, on_request, s, &err);
	if (s->server == NULL)
		return err_raise(L, &err);
	lua_pushinteger(L, http_server_port(s->server));
	return 2;
}

// server:close(), also __gc and __close
static int l_server_close(lua_State *L)
{
	struct server *s = check_server(L);
	struct http_exchange *x;

	http_server_stop(s->server);
	s->server = NULL;
	while ((x = queue_first(s)) != NULL) {
		buf_shift(&s->queue, sizeof(struct http_exchange *));
		http_exchange_free(x);
	}
	buf_free(&s->queue);
	if (s->accepting != NULL)
		op_finish(s->accepting, NULL);
	return 0;
}

// ---- exchanges

static void push_buf(lua_State *L, const struct buf *b)
{
	lua_pushlstring(L, b->data != NULL ? b->data : "", b->len);
}

// exchange:request() -> {method, target, headers, body, remote, remote_port, too_large}
static int l_message(lua_State *L)
{
	const struct http_message *m = http_exchange_message(check_exchange(L)->exchange);

	lua_createtable(L, 0, 8);
	push_buf(L, &m->method);
	lua_setfield(L, -2, "method");
	push_buf(L, &m->target);
	lua_setfield(L, -2, "target");
	http_lua_push_headers(L, &m->head);
	lua_setfield(L, -2, "headers");
	push_buf(L, &m->body);
	lua_setfield(L, -2, "body");
	lua_pushstring(L, m->remote);
	lua_setfield(L, -2, "remote");
	lua_pushinteger(L, m->remote_port);
	lua_setfield(L, -2, "remote_port");
	lua_pushboolean(L, m->too_large);
	lua_setfield(L, -2, "too_large");
	return 1;
}

static bool reply(lua_State *L, struct exchange *x, struct err *err)
{
	int status = (int)luaL_checkinteger(L, 2);
	size_t len, nheaders;
	const char *body = luaL_optlstring(L, 4, "", &len);
	const struct http_header *headers = http_lua_headers(L, 3, &nheaders);

	return http_exchange_reply(x->exchange, status, headers, nheaders, body, len, err);
}

// exchange:reply(status, headers, body): false when the client has left
static int l_reply(lua_State *L)
{
	struct exchange *x = check_exchange(L);
	struct err err;
	bool ok = reply(L, x, &err);

	if (!ok && strcmp(err.code, "gone") != 0)
		return err_raise(L, &err);
	lua_pushboolean(L, ok);
	return 1;
}

// exchange:reply_stream(status, headers, length | nil): false when the client has left
static int l_reply_stream(lua_State *L)
{
	struct exchange *x = check_exchange(L);
	int status = (int)luaL_checkinteger(L, 2);
	lua_Integer length = luaL_optinteger(L, 4, -1);
	size_t n;
	const struct http_header *headers = http_lua_headers(L, 3, &n);
	struct err err;
	bool ok = http_exchange_reply_stream(x->exchange, status, headers, n, length, &err);

	if (!ok && strcmp(err.code, "gone") != 0)
		return err_raise(L, &err);
	lua_pushboolean(L, ok);
	return 1;
}

static void on_change(void *arg)
{
	struct exchange *x = arg;

	if (x->writing != NULL &&
		(http_exchange_is_gone(x->exchange) || http_exchange_unsent(x->exchange) <= WRITE_AHEAD / 2))
		op_finish(x->writing, NULL);
}

static void write_stop(struct op *op)
{
	struct exchange *x = ((struct write_op *)op)->exchange;

	if (x == NULL || x->writing != op)
		return;
	x->writing = NULL;
	if (x->exchange != NULL)
		http_exchange_on_change(x->exchange, NULL, NULL);
}

static int write_push(lua_State *L, struct op *op)
{
	const struct exchange *x = ((struct write_op *)op)->exchange;

	lua_pushboolean(L, x->exchange != NULL && !http_exchange_is_gone(x->exchange));
	return 1;
}

static const struct op_class write_class = {.name = "http.write", .stop = write_stop, .push = write_push};

// exchange:write(bytes): false when the client has left. Waits while the client is slow.
static int l_write(lua_State *L)
{
	struct exchange *x = check_exchange(L);
	size_t len;
	const char *data = luaL_checklstring(L, 2, &len);
	struct write_op *w;
	struct err err;
	bool ok;

	if (x->writing != NULL)
		return err_raisef(L, ERR_USAGE, "another task writes this answer");
	ok = http_exchange_write(x->exchange, data, len, &err);
	if (!ok && strcmp(err.code, "gone") != 0)
		return err_raise(L, &err);
	if (!ok || http_exchange_unsent(x->exchange) <= WRITE_AHEAD) {
		lua_pushboolean(L, ok);
		return 1;
	}
	lua_settop(L, 1);
	w = (struct write_op *)op_new(L, sizeof *w, &write_class);
	w->exchange = x;
	lua_pushvalue(L, 1);
	lua_setiuservalue(L, -2, 1);
	x->writing = &w->op;
	http_exchange_on_change(x->exchange, on_change, x);
	return op_wait(L, &w->op, -1);
}

// exchange:finish(complete)
static int l_finish(lua_State *L)
{
	http_exchange_finish(check_exchange(L)->exchange, lua_toboolean(L, 2));
	return 0;
}

// exchange:drop(): close the connection without an answer
static int l_drop(lua_State *L)
{
	http_exchange_drop(check_exchange(L)->exchange);
	return 0;
}

// exchange:gone() -> whether the client has left
static int l_gone(lua_State *L)
{
	lua_pushboolean(L, http_exchange_is_gone(check_exchange(L)->exchange));
	return 1;
}

// exchange:close(), also __gc and __close: what is not answered is dropped
static int l_exchange_close(lua_State *L)
{
	struct exchange *x = luaL_checkudata(L, 1, EXCHANGE_META);
	struct http_exchange *exchange = x->exchange;

	x->exchange = NULL;
	http_exchange_free(exchange);
	if (x->writing != NULL)
		op_finish(x->writing, NULL);
	return 0;
}

static void make_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction close)
{
	luaL_newmetatable(L, name);
	lua_pushcfunction(L, close);
	lua_setfield(L, -2, "__gc");
	lua_pushcfunction(L, close);
	lua_setfield(L, -2, "__close");
	lua_newtable(L);
	luaL_setfuncs(L, methods, 0);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
}

int luaopen_syncrun_http_server(lua_State *L)
{
	static const luaL_Reg functions[] = {{"listen", l_listen}, {NULL, NULL}};
	static const luaL_Reg server_methods[] = {{"accept", l_accept}, {"close", l_server_close}, {NULL, NULL}};
	static const luaL_Reg exchange_methods[] = {{"request", l_message}, {"reply", l_reply},
		{"reply_stream", l_reply_stream}, {"write", l_write}, {"finish", l_finish}, {"drop", l_drop}, {"gone", l_gone},
		{"close", l_exchange_close}, {NULL, NULL}};

	make_class(L, SERVER_META, server_methods, l_server_close);
	make_class(L, EXCHANGE_META, exchange_methods, l_exchange_close);
	luaL_newlib(L, functions);
	return 1;
}

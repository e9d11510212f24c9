// _syncrun.http: requests and their bodies for lua/syncrun/http.lua. Knows no retries, limits or JSON: the facade does.
#include <string.h>

#include <lauxlib.h>

#include "base/clock.h"
#include "bind/err_lua.h"
#include "bind/http_lua.h"
#include "bind/modules.h"
#include "bind/task.h"
#include "io/http.h"

#define EXCHANGE_META "syncrun.http.exchange"

enum { REASON_MAX = 100 }; // bytes of a status line's words that anybody is told

struct exchange {                 // a userdata; its user value is the request's body, which libcurl borrows
	struct http_request *request; // NULL: not started, or closed
	struct http_response response;
	struct wait_op *waiting;
};

enum until { UNTIL_END, UNTIL_BODY_BEGINS, UNTIL_BYTES };

struct wait_op { // its user value is the exchange
	struct op op;
	struct exchange *exchange;
	enum until until;
};

// ---- waiting

static bool is_satisfied(const struct wait_op *w)
{
	const struct http_response *r = &w->exchange->response;

	return r->ended || (w->until != UNTIL_END && r->body.len > 0);
}

static void exchange_event(void *arg)
{
	struct exchange *x = arg;
	struct wait_op *w = x->waiting;

	if (w == NULL || !is_satisfied(w))
		return;
	// The bytes before a failure come first; a failure is told once there are none.
	op_finish(&w->op, x->response.err.kind != ERR_NONE && (w->until == UNTIL_END || x->response.body.len == 0)
						  ? &x->response.err
						  : NULL);
}

static void exchange_close(struct exchange *x)
{
	http_stop(x->request);
	x->request = NULL;
}

// A cancelled start closes the exchange; a stream lives on past each of its waits.
static void wait_stop(struct op *op)
{
	struct wait_op *w = (struct wait_op *)op;
	struct exchange *x = w->exchange;

	if (x == NULL)
		return;
	if (x->waiting == w)
		x->waiting = NULL;
	if (w->until == UNTIL_END || x->response.ended || !is_satisfied(w))
		exchange_close(x);
}

static const char *version_name(int version)
{
	return version == 20 ? "2" : version == 11 ? "1.1" : version == 10 ? "1.0" : "";
}

// "HTTP/1.1 404 Not Found": the words behind the number.
static void push_reason(lua_State *L, const struct buf *head)
{
	const char *line = head->data != NULL ? head->data : "", *end = line + strcspn(line, "\r\n");
	const char *at = memchr(line, ' ', (size_t)(end - line));

	at = at != NULL ? memchr(at + 1, ' ', (size_t)(end - at - 1)) : NULL;
	if (at != NULL && end - at - 1 > REASON_MAX)
		end = at + 1 + REASON_MAX;
	lua_pushlstring(L, at != NULL ? at + 1 : "", at != NULL ? (size_t)(end - at - 1) : 0);
}

static void push_answer(lua_State *L, const struct http_response *r)
{
	lua_createtable(L, 0, 8);
	lua_pushinteger(L, r->status);
	lua_setfield(L, -2, "status");
	http_lua_push_headers(L, &r->head);
	lua_setfield(L, -2, "headers");
	push_reason(L, &r->head);
	lua_setfield(L, -2, "reason");
	lua_pushstring(L, version_name(r->version));
	lua_setfield(L, -2, "http_version");
	lua_pushlstring(L, r->url.data != NULL ? r->url.data : "", r->url.len);
	lua_setfield(L, -2, "url");
	lua_pushnumber(L, r->elapsed);
	lua_setfield(L, -2, "elapsed");
}

static void push_body(lua_State *L, struct http_response *r)
{
	lua_pushlstring(L, r->body.data != NULL ? r->body.data : "", r->body.len);
}

static int push_whole(lua_State *L, struct op *op)
{
	struct exchange *x = ((struct wait_op *)op)->exchange;

	push_answer(L, &x->response);
	push_body(L, &x->response);
	lua_setfield(L, -2, "body");
	http_response_free(&x->response);
	return 1;
}

static int push_begun(lua_State *L, struct op *op)
{
	push_answer(L, &((struct wait_op *)op)->exchange->response);
	lua_getiuservalue(L, -2, 1); // below the answer lies the op
	lua_setfield(L, -2, "exchange");
	return 1;
}

static int push_bytes(lua_State *L, struct op *op)
{
	struct exchange *x = ((struct wait_op *)op)->exchange;

	if (x->response.body.len == 0) {
		lua_pushnil(L);
		return 1;
	}
	push_body(L, &x->response);
	buf_clear(&x->response.body);
	http_resume(x->request);
	return 1;
}

static const struct op_class whole_class = {.name = "http.request", .stop = wait_stop, .push = push_whole};
static const struct op_class begun_class = {.name = "http.open", .stop = wait_stop, .push = push_begun};
static const struct op_class bytes_class = {.name = "http.read", .stop = wait_stop, .push = push_bytes};

// ---- starting

static struct exchange *exchange_new(lua_State *L)
{
	struct exchange *x = lua_newuserdatauv(L, sizeof *x, 1);

	memset(x, 0, sizeof *x);
	luaL_setmetatable(L, EXCHANGE_META);
	return x;
}

static const char *required_string(lua_State *L, const char *field)
{
	const char *text = http_lua_string(L, 1, field);

	if (text == NULL)
		err_raisef(L, ERR_USAGE, "a request needs the option '%s'", field);
	return text;
}

// The table at 1. Leaves the header array and the body (a string or nil) on the stack.
static void read_options(lua_State *L, struct http_options *o)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	memset(o, 0, sizeof *o);
	o->name = http_lua_string(L, 1, "name");
	o->method = required_string(L, "method");
	o->url = required_string(L, "url");
	o->user_agent = http_lua_string(L, 1, "user_agent");
	o->timeout = http_lua_limit(L, 1, "timeout", 0);
	o->connect_timeout = http_lua_limit(L, 1, "connect_timeout", 0);
	o->idle_timeout = http_lua_limit(L, 1, "idle_timeout", 0);
	o->max_body = (size_t)http_lua_limit(L, 1, "max_body", 0);
	o->compress = http_lua_boolean(L, 1, "compress");
	o->follow = http_lua_boolean(L, 1, "follow");
	lua_getfield(L, 1, "headers");
	o->headers = http_lua_headers(L, lua_gettop(L), &o->nheaders);
	if (lua_getfield(L, 1, "body") != LUA_TNIL && lua_type(L, -1) != LUA_TSTRING)
		err_raisef(L, ERR_USAGE, "the option 'body' must be a string (it is a %s)", luaL_typename(L, -1));
	o->body = lua_tolstring(L, -1, &o->body_len);
}

static struct wait_op *wait_new(lua_State *L, struct exchange *x, int index, const struct op_class *cls)
{
	struct wait_op *w = (struct wait_op *)op_new(L, sizeof *w, cls);

	w->exchange = x;
	lua_pushvalue(L, index);
	lua_setiuservalue(L, -2, 1);
	return w;
}

static int start(lua_State *L, const struct op_class *cls, enum until until)
{
	struct http_options options;
	struct exchange *x;
	struct wait_op *w;
	struct err err;

	lua_settop(L, 1);
	read_options(L, &options);
	options.stream = until != UNTIL_END;
	x = exchange_new(L);
	lua_pushvalue(L, -2); // the body
	lua_setiuservalue(L, -2, 1);
	w = wait_new(L, x, lua_gettop(L), cls);
	w->until = until;
	x->waiting = w;
	x->request = http_start(&options, &x->response, exchange_event, x, &err);
	if (x->request == NULL)
		op_finish(&w->op, &err);
	return op_wait(L, &w->op, -1);
}

// request(options) -> {status, headers, body, reason, http_version, url, elapsed}
static int l_request(lua_State *L)
{
	return start(L, &whole_class, UNTIL_END);
}

// open(options) -> the same without a body, and `exchange` to read it from
static int l_open(lua_State *L)
{
	return start(L, &begun_class, UNTIL_BODY_BEGINS);
}

// exchange:read() -> bytes, or nil at the end
static int l_read(lua_State *L)
{
	struct exchange *x = luaL_checkudata(L, 1, EXCHANGE_META);
	struct wait_op *w;

	lua_settop(L, 1);
	if (x->waiting != NULL)
		return err_raisef(L, ERR_USAGE, "another task reads this body");
	if (x->request == NULL && !x->response.ended)
		return err_raisef(L, ERR_USAGE, "this body is closed");
	w = wait_new(L, x, 1, &bytes_class);
	w->until = UNTIL_BYTES;
	x->waiting = w;
	exchange_event(x); // there may be bytes already
	return op_wait(L, &w->op, -1);
}

// exchange:close(), also __gc and __close
static int l_close(lua_State *L)
{
	struct exchange *x = luaL_checkudata(L, 1, EXCHANGE_META);

	exchange_close(x);
	http_response_free(&x->response);
	if (x->waiting != NULL)
		op_finish(&x->waiting->op, NULL);
	return 0;
}

// now() -> monotonic seconds
static int l_now(lua_State *L)
{
	lua_pushnumber(L, (double)clock_mono_us() / 1e6);
	return 1;
}

// date(text) -> seconds since 1970, or nil
static int l_date(lua_State *L)
{
	int64_t seconds = http_date_parse(luaL_checkstring(L, 1));

	if (seconds < 0)
		lua_pushnil(L);
	else
		lua_pushinteger(L, seconds);
	return 1;
}

int luaopen_syncrun_http(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"request", l_request}, {"open", l_open}, {"now", l_now}, {"date", l_date}, {NULL, NULL}};
	static const luaL_Reg methods[] = {{"read", l_read}, {"close", l_close}, {NULL, NULL}};
	static const luaL_Reg meta[] = {{"__gc", l_close}, {"__close", l_close}, {NULL, NULL}};

	luaL_newmetatable(L, EXCHANGE_META);
	luaL_setfuncs(L, meta, 0);
	luaL_newlib(L, methods);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
	luaL_newlib(L, functions);
	return 1;
}

// Postgres for Lua: a connection handle, and an op for everything that waits. Knows no policy: who may use the
// connection when, transactions and clean-up are lua/syncrun/postgres.lua's.
#include <lauxlib.h>
#include <limits.h>
#include <lua.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bind/err_lua.h"
#include "bind/l_rows.h"
#include "bind/modules.h"
#include "bind/pg_values.h"
#include "bind/task.h"
#include "data/pg_rows.h"
#include "io/pg.h"
#include "io/pg_uri.h"

#define HANDLE_META "syncrun.postgres.connection"

enum { CHUNK_SIZE = 65536, CONNECT_HANDLE_AT = 6 };

struct handle {
	struct pg *pg;
	struct pg_op *op;          // that is in the middle of something, or NULL
	int64_t since;             // when it began
	struct pg_decoder decoder; // of the COPY under way
	struct pg_result *row;     // of the stream under way, while it is pushed
	bool ended;                // the stream or COPY has nothing more
};

struct pg_op {
	struct op op;
	struct handle *h; // user value 1 keeps it
	struct timer limit;
	double seconds;
	enum pg_step (*step)(struct pg_op *o, struct err *err);
	struct pg_result **results;
	size_t nresults, room;
	const char *data; // COPY in: a string on the caller's stack
	size_t len;
	bool taken;
	enum pg_result_kind wanted; // of the COPY that begins
	bool begun;
	struct buf chunk; // COPY out
	struct rows *page;
	size_t page_rows;
};

// ---- the op's verbs ----

static void end(struct pg_op *o, const struct err *err)
{
	if (o->h->op == o)
		o->h->op = NULL;
	op_finish(&o->op, err);
}

static void run(void *ctx)
{
	struct pg_op *o = ctx;
	struct err err;

	switch (o->step(o, &err)) {
	case PG_WAIT:
		pg_wait(o->h->pg, run, o);
		break;
	case PG_FAIL:
		end(o, &err);
		break;
	default:
		end(o, NULL);
	}
}

static void op_stop(struct op *op)
{
	struct pg_op *o = (struct pg_op *)op;

	timer_stop(&o->limit);
	if (o->h == NULL || o->h->op != o)
		return;
	o->h->op = NULL;
	if (o->h->pg != NULL)
		pg_discard(o->h->pg, "a statement on it was given up");
}

static void op_free(struct op *op)
{
	struct pg_op *o = (struct pg_op *)op;

	for (size_t i = 0; i < o->nresults; i++)
		pg_result_free(o->results[i]);
	free(o->results);
	buf_free(&o->chunk);
	rows_unref(o->page);
}

static void on_limit(struct timer *timer)
{
	struct pg_op *o = (struct pg_op *)(void *)((char *)timer - offsetof(struct pg_op, limit));
	const struct pg *pg = o->h->pg;
	struct err err;

	if (pg_is_open(pg))
		err_set_retryable(&err, ERR_TIMEOUT, "total",
			"'%s' did not answer within %g s (%.400s); the connection is closed and the statement cancelled",
			pg_name(pg), o->seconds, pg_where(pg));
	else
		err_set_retryable(&err, ERR_TIMEOUT, "connect",
			"cannot connect to '%s' (no answer within %g s; %.400s); is the server reachable from here?", pg_name(pg),
			o->seconds, pg_where(pg));
	op_finish(&o->op, &err);
}

static struct pg_op *new_op(lua_State *L, int handle, const struct op_class *cls, double seconds)
{
	struct pg_op *o = (struct pg_op *)op_new(L, sizeof *o, cls);

	o->h = lua_touserdata(L, handle);
	lua_pushvalue(L, handle);
	lua_setiuservalue(L, -2, 1);
	o->seconds = seconds;
	return o;
}

// Start stepping, unless it could not be started, and wait. The op is on the top of the stack.
static int wait_for(lua_State *L, struct pg_op *o, bool started, const struct err *err)
{
	if (started) {
		o->h->op = o;
		o->h->since = clock_mono_us();
		timer_start(&o->limit, o->seconds, on_limit);
		run(o);
	} else {
		end(o, err);
	}
	return op_wait(L, &o->op, -1);
}

// ---- the handle ----

static struct handle *check(lua_State *L)
{
	struct handle *h = luaL_checkudata(L, 1, HANDLE_META);

	luaL_argcheck(L, h->pg != NULL, 1, "this connection was collected");
	return h;
}

static int l_handle_gc(lua_State *L)
{
	struct handle *h = luaL_checkudata(L, 1, HANDLE_META);

	pg_free(h->pg);
	h->pg = NULL;
	pg_result_free(h->row);
	h->row = NULL;
	pg_decoder_free(&h->decoder);
	return 0;
}

static int l_handle_close(lua_State *L)
{
	struct handle *h = luaL_checkudata(L, 1, HANDLE_META);
	struct err err;

	if (h->pg == NULL)
		return 0;
	if (h->op != NULL) { // another task waits for it
		err_set(
			&err, ERR_POSTGRES, "closed", "connection to '%s' was closed while a statement ran on it", pg_name(h->pg));
		op_finish(&h->op->op, &err);
	}
	pg_discard(h->pg, "it was closed");
	return 0;
}

static int l_handle_status(lua_State *L)
{
	const struct handle *h = check(L);

	lua_pushstring(L, !pg_is_open(h->pg) ? "closed" : pg_is_idle(h->pg) ? "idle" : "busy");
	return 1;
}

// handle:is_exposed() -> boolean: to another machine without TLS
static int l_handle_is_exposed(lua_State *L)
{
	lua_pushboolean(L, pg_is_exposed(check(L)->pg));
	return 1;
}

// handle:silence() -> seconds since the server last stirred in what is waited for; nothing when nothing is
static int l_handle_silence(lua_State *L)
{
	const struct handle *h = check(L);
	int64_t since;

	if (h->op == NULL)
		return 0;
	since = pg_stirred(h->pg) > h->since ? pg_stirred(h->pg) : h->since;
	lua_pushnumber(L, (double)(clock_mono_us() - since) / 1e6);
	return 1;
}

// handle:backend() -> the number of the server's process
static int l_handle_backend(lua_State *L)
{
	lua_pushinteger(L, pg_backend(check(L)->pg));
	return 1;
}

// handle:literal(text) -> SQL literal
static int l_handle_literal(lua_State *L)
{
	struct handle *h = check(L);
	size_t len;
	const char *text = luaL_checklstring(L, 2, &len);
	struct buf *out = pg_param_push(L, 0);
	struct err err;

	if (!pg_literal(h->pg, text, len, out, &err))
		return err_raise(L, &err);
	lua_pushlstring(L, out->data, out->len);
	return 1;
}

// ---- connect ----

static enum pg_step step_connect(struct pg_op *o, struct err *err)
{
	return pg_step_connect(o->h->pg, err);
}

static int push_handle(lua_State *L, struct op *op)
{
	(void)op;
	lua_pushvalue(L, CONNECT_HANDLE_AT);
	return 1;
}

static const struct op_class connect_class = {"postgres.connect", op_stop, push_handle, op_free};

static struct handle *handle_push(lua_State *L)
{
	struct handle *h = lua_newuserdatauv(L, sizeof *h, 0);
	struct err err;

	*h = (struct handle){.pg = NULL};
	luaL_setmetatable(L, HANDLE_META);
	h->pg = pg_new();
	if (h->pg == NULL) {
		err_no_memory(&err);
		err_raise(L, &err);
	}
	return h;
}

// connect(uri, name, application_name, timeout, insecure) -> handle
static int l_connect(lua_State *L)
{
	struct pg_options options = {.uri = luaL_checkstring(L, 1),
		.name = luaL_checkstring(L, 2),
		.application_name = luaL_checkstring(L, 3),
		.insecure = lua_toboolean(L, 5)};
	double seconds = luaL_optnumber(L, 4, -1);
	struct handle *h;
	struct pg_op *o;
	struct err err;

	lua_settop(L, CONNECT_HANDLE_AT - 1);
	h = handle_push(L);
	o = new_op(L, CONNECT_HANDLE_AT, &connect_class, seconds);
	o->step = step_connect;
	return wait_for(L, o, pg_connect(h->pg, &options, &err), &err);
}

// ---- statements ----

static bool keep(struct pg_op *o, struct pg_result *res, struct err *err)
{
	if (o->nresults == o->room) {
		size_t room = o->room == 0 ? 4 : o->room * 2;
		struct pg_result **more = realloc(o->results, room * sizeof(struct pg_result *));

		if (more == NULL) {
			pg_result_free(res);
			return err_no_memory(err);
		}
		o->results = more;
		o->room = room;
	}
	o->results[o->nresults++] = res;
	return true;
}

static bool is_copy(const struct pg_result *res)
{
	return pg_result_kind(res) == PG_COPY_IN || pg_result_kind(res) == PG_COPY_OUT;
}

static void refuse_copy(struct err *err)
{
	err_set(err, ERR_USAGE, "copy", "a COPY cannot run as a query; use copy_in or copy_out");
}

static enum pg_step fail_closed(struct handle *h)
{
	pg_discard(h->pg, "an exchange on it could not be finished");
	return PG_FAIL;
}

static enum pg_step step_results(struct pg_op *o, struct err *err)
{
	struct pg_result *res;
	enum pg_step step;

	while ((step = pg_step_result(o->h->pg, &res, err)) == PG_ITEM) {
		if (is_copy(res)) {
			pg_result_free(res);
			refuse_copy(err);
			return fail_closed(o->h);
		}
		if (!keep(o, res, err))
			return fail_closed(o->h);
	}
	return step;
}

static int push_last(lua_State *L, struct op *op)
{
	const struct pg_op *o = (const struct pg_op *)op;

	if (o->nresults == 0)
		return 0;
	pg_result_push(L, o->results[o->nresults - 1]);
	return 1;
}

static int push_all(lua_State *L, struct op *op)
{
	const struct pg_op *o = (const struct pg_op *)op;

	lua_createtable(L, (int)o->nresults, 0);
	for (size_t i = 0; i < o->nresults; i++) {
		pg_result_push(L, o->results[i]);
		lua_seti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

static const struct op_class query_class = {"postgres.query", op_stop, push_last, op_free};
static const struct op_class pipeline_class = {"postgres.pipeline", op_stop, push_all, op_free};

static struct pg_op *new_query(lua_State *L, const struct op_class *cls)
{
	struct pg_op *o = new_op(L, 1, cls, luaL_optnumber(L, 2, -1));

	o->step = step_results;
	return o;
}

// handle:query(timeout, sql, ...) -> result
static int l_query(lua_State *L)
{
	struct handle *h = check(L);
	struct pg_statement st;
	struct pg_op *o;
	struct err err;

	pg_statement_check(L, 3, lua_gettop(L) > 3 ? lua_gettop(L) - 3 : 0, &st);
	o = new_query(L, &query_class);
	return wait_for(L, o, pg_send_query(h->pg, &st, false, &err), &err);
}

// handle:script(timeout, sql) -> the last statement's result
static int l_script(lua_State *L)
{
	struct handle *h = check(L);
	const char *sql = luaL_checkstring(L, 3);
	struct pg_op *o = new_query(L, &query_class);
	struct err err;

	return wait_for(L, o, pg_send_script(h->pg, sql, &err), &err);
}

// Entry i of the list at index 3, its strings anchored in the table at index `anchors`.
static void pipeline_entry(lua_State *L, lua_Integer i, int anchors, struct pg_statement *out)
{
	int base = lua_gettop(L), n;

	if (lua_geti(L, 3, i) != LUA_TTABLE)
		err_raisef(L, ERR_USAGE, "entry %d of the pipeline is a %s, want {sql, ...}", (int)i, luaL_typename(L, -1));
	lua_getfield(L, -1, "n");
	n = (int)(lua_isinteger(L, -1) ? lua_tointeger(L, -1) : luaL_len(L, base + 1));
	luaL_checkstack(L, n + 4, "too many parameters");
	for (int k = 1; k <= n; k++)
		lua_geti(L, base + 1, k);
	if (n < 1)
		err_raisef(L, ERR_USAGE, "entry %d of the pipeline is empty, want {sql, ...}", (int)i);
	pg_statement_check(L, base + 3, n - 1, out);
	while (lua_gettop(L) > base)
		lua_seti(L, anchors, luaL_len(L, anchors) + 1);
}

// A nil value would end the list of anchors' length: it needs no anchor.
static void pipeline_entries(lua_State *L, size_t n, struct pg_statement *sts)
{
	int anchors;

	lua_newtable(L);
	anchors = lua_gettop(L);
	for (size_t i = 0; i < n; i++)
		pipeline_entry(L, (lua_Integer)i + 1, anchors, &sts[i]);
}

// handle:pipeline(timeout, {{sql, ...}, ...}) -> {result, ...}
static int l_pipeline(lua_State *L)
{
	struct handle *h = check(L);
	struct pg_statement *sts;
	struct pg_op *o;
	struct err err;
	size_t n;

	luaL_checktype(L, 3, LUA_TTABLE);
	lua_settop(L, 3);
	n = (size_t)luaL_len(L, 3);
	sts = lua_newuserdatauv(L, sizeof *sts * (n + 1), 0);
	pipeline_entries(L, n, sts);
	o = new_query(L, &pipeline_class);
	return wait_for(L, o, pg_send_pipeline(h->pg, sts, n, &err), &err);
}

// handle:write_rows(timeout, sql, rows, from, to) -> result
static int l_write_rows(lua_State *L)
{
	struct handle *h = check(L);
	const struct rows *rows = l_rows_check(L, 4);
	lua_Integer from = luaL_optinteger(L, 5, 1), to = luaL_optinteger(L, 6, (lua_Integer)rows->n);
	struct pg_statement st = {.sql = luaL_checkstring(L, 3), .nparams = rows->schema->ncols};
	struct pg_param *params;
	struct pg_op *o;
	struct err err;

	luaL_argcheck(L, from >= 1 && from <= (lua_Integer)rows->n + 1, 5, "no such row");
	luaL_argcheck(L, to >= from - 1 && to <= (lua_Integer)rows->n, 6, "no such row");
	lua_settop(L, 6);
	luaL_checkstack(L, (int)st.nparams + 4, "too many columns");
	params = lua_newuserdatauv(L, sizeof *params * (st.nparams + 1), 0);
	for (size_t c = 0; c < st.nparams; c++) {
		struct buf *array = pg_param_push(L, PG_TYPE_TEXT_ARRAY);

		if (!pg_array_of_column(array, rows, c, (size_t)from - 1, (size_t)to, &err))
			return err_raise(L, &err);
		params[c] = (struct pg_param){array->data, array->len, PG_TYPE_TEXT_ARRAY, true};
	}
	st.params = params;
	o = new_query(L, &query_class);
	return wait_for(L, o, pg_send_query(h->pg, &st, false, &err), &err);
}

// ---- one row at a time ----

// handle:stream(sql, ...): send only; next_row reads.
static int l_stream(lua_State *L)
{
	struct handle *h = check(L);
	struct pg_statement st;
	struct err err;

	pg_statement_check(L, 2, lua_gettop(L) > 2 ? lua_gettop(L) - 2 : 0, &st);
	h->ended = false;
	return pg_send_query(h->pg, &st, true, &err) ? 0 : err_raise(L, &err);
}

// The next row into h->row, or h->ended.
static enum pg_step next_row(struct handle *h, struct err *err)
{
	struct pg_result *res;
	enum pg_step step;

	while ((step = pg_step_result(h->pg, &res, err)) == PG_ITEM) {
		bool copy = is_copy(res);

		if (pg_result_kind(res) == PG_ROW) {
			h->row = res;
			return PG_ITEM;
		}
		pg_result_free(res); // the end of the rows, or a statement without any
		if (copy) {
			refuse_copy(err);
			step = fail_closed(h);
			break;
		}
	}
	h->ended = step != PG_WAIT;
	return step;
}

static enum pg_step step_row(struct pg_op *o, struct err *err)
{
	return next_row(o->h, err);
}

static int push_row(lua_State *L, struct handle *h)
{
	if (h->row == NULL)
		return 0;
	pg_row_push(L, h->row, 0);
	pg_result_free(h->row);
	h->row = NULL;
	return 1;
}

static int push_op_row(lua_State *L, struct op *op)
{
	return push_row(L, ((struct pg_op *)op)->h);
}

static const struct op_class row_class = {"postgres.each", op_stop, push_op_row, op_free};

// handle:next_row(timeout) -> row | nothing. Rows that came already cost no turn of the loop.
static int l_next_row(lua_State *L)
{
	struct handle *h = check(L);
	struct pg_op *o;
	struct err err;

	if (h->ended)
		return 0;
	switch (next_row(h, &err)) {
	case PG_FAIL:
		return err_raise(L, &err);
	case PG_WAIT:
		break;
	default:
		return push_row(L, h);
	}
	o = new_op(L, 1, &row_class, luaL_optnumber(L, 2, -1));
	o->step = step_row;
	return wait_for(L, o, true, NULL);
}

static enum pg_step step_skip(struct pg_op *o, struct err *err)
{
	return pg_step_skip(o->h->pg, err);
}

static int push_nothing(lua_State *L, struct op *op)
{
	(void)L;
	(void)op;
	return 0;
}

static const struct op_class skip_class = {"postgres.skip", op_stop, push_nothing, op_free};

// handle:skip(timeout): read and drop the rest of a stream or COPY out.
static int l_skip(lua_State *L)
{
	struct pg_op *o;

	check(L);
	o = new_op(L, 1, &skip_class, luaL_optnumber(L, 2, -1));
	o->step = step_skip;
	return wait_for(L, o, true, NULL);
}

// ---- copy ----

static enum pg_step step_copy_begin(struct pg_op *o, struct err *err)
{
	struct pg_result *res;
	enum pg_step step;

	while ((step = pg_step_result(o->h->pg, &res, err)) == PG_ITEM) {
		bool copy = is_copy(res), wanted = pg_result_kind(res) == o->wanted;

		pg_result_free(res);
		if (wanted)
			return PG_END;
		if (copy) {
			err_set(err, ERR_USAGE, "copy", "this COPY goes the other way; use %s",
				o->wanted == PG_COPY_IN ? "copy_out" : "copy_in");
			return fail_closed(o->h);
		}
	}
	if (step == PG_END) {
		err_set(err, ERR_USAGE, "copy", "this statement is no COPY %s; it was run all the same",
			o->wanted == PG_COPY_IN ? "FROM STDIN" : "TO STDOUT");
		return PG_FAIL;
	}
	return step;
}

static const struct op_class copy_begin_class = {"postgres.copy", op_stop, push_nothing, op_free};

// handle:copy_begin(timeout, sql, "in" | "out")
static int l_copy_begin(lua_State *L)
{
	static const char *const ways[] = {"in", "out", NULL};
	struct handle *h = check(L);
	struct pg_statement st = {.sql = luaL_checkstring(L, 3)};
	bool out = luaL_checkoption(L, 4, NULL, ways) == 1;
	struct pg_op *o = new_op(L, 1, &copy_begin_class, luaL_optnumber(L, 2, -1));
	struct err err;

	o->step = step_copy_begin;
	o->wanted = out ? PG_COPY_OUT : PG_COPY_IN;
	pg_decoder_free(&h->decoder);
	h->decoder = (struct pg_decoder){.header = false};
	h->ended = false;
	return wait_for(L, o, pg_send_query(h->pg, &st, false, &err), &err);
}

static enum pg_step step_copy_put(struct pg_op *o, struct err *err)
{
	return pg_step_copy_in(o->h->pg, o->data, o->len, &o->taken, err);
}

static const struct op_class copy_put_class = {"postgres.copy_in", op_stop, push_nothing, op_free};

// handle:copy_put(timeout, data)
static int l_copy_put(lua_State *L)
{
	size_t len;
	const char *data = luaL_checklstring(L, 3, &len);
	struct pg_op *o;

	check(L);
	luaL_argcheck(L, len <= INT_MAX, 3, "more than 2 GiB at once");
	o = new_op(L, 1, &copy_put_class, luaL_optnumber(L, 2, -1));
	o->step = step_copy_put;
	o->data = data;
	o->len = len;
	return wait_for(L, o, true, NULL);
}

// handle:copy_end(timeout [, reason to fail it]) -> result
static int l_copy_end(lua_State *L)
{
	struct handle *h = check(L);
	const char *reason = luaL_optstring(L, 3, NULL);
	struct pg_op *o = new_query(L, &query_class);
	struct err err;

	return wait_for(L, o, pg_end_copy_in(h->pg, reason, &err), &err);
}

// Whole rows as they came, up to CHUNK_SIZE and what lies ready.
static enum pg_step step_copy_get(struct pg_op *o, struct err *err)
{
	enum pg_step step = PG_ITEM;
	const char *data;
	size_t len;

	while (o->chunk.len < CHUNK_SIZE && (step = pg_step_copy_out(o->h->pg, &data, &len, err)) == PG_ITEM)
		if (!buf_put(&o->chunk, data, len)) {
			err_no_memory(err);
			return fail_closed(o->h);
		}
	o->h->ended = step == PG_END;
	return step == PG_WAIT && o->chunk.len > 0 ? PG_END : step;
}

static int push_chunk(lua_State *L, struct op *op)
{
	const struct pg_op *o = (const struct pg_op *)op;

	if (o->chunk.len == 0)
		return 0;
	lua_pushlstring(L, o->chunk.data, o->chunk.len);
	return 1;
}

static const struct op_class copy_get_class = {"postgres.copy_out", op_stop, push_chunk, op_free};

// handle:copy_get(timeout) -> string | nothing
static int l_copy_get(lua_State *L)
{
	struct handle *h = check(L);
	struct pg_op *o;

	if (h->ended)
		return 0;
	o = new_op(L, 1, &copy_get_class, luaL_optnumber(L, 2, -1));
	o->step = step_copy_get;
	return wait_for(L, o, true, NULL);
}

static enum pg_step step_page(struct pg_op *o, struct err *err)
{
	enum pg_step step = PG_ITEM;
	const char *data;
	size_t len;

	while (o->page->n < o->page_rows && (step = pg_step_copy_out(o->h->pg, &data, &len, err)) == PG_ITEM)
		if (!pg_decoder_feed(&o->h->decoder, data, len, o->page, err))
			return fail_closed(o->h);
	if (step == PG_END && !pg_decoder_finish(&o->h->decoder, err))
		return fail_closed(o->h);
	o->h->ended = step == PG_END;
	return step;
}

static int push_page(lua_State *L, struct op *op)
{
	struct pg_op *o = (struct pg_op *)op;
	struct rows **slot;

	if (o->page->n == 0)
		return 0;
	slot = l_rows_slot(L);
	*slot = o->page;
	o->page = NULL;
	return 1;
}

static const struct op_class page_class = {"postgres.scan_rows", op_stop, push_page, op_free};

// handle:copy_page(timeout, schema, page_rows) -> rows | nothing
static int l_copy_page(lua_State *L)
{
	struct handle *h = check(L);
	struct schema *schema = l_schema_check(L, 3);
	lua_Integer page_rows = luaL_checkinteger(L, 4);
	struct pg_op *o;
	struct err err;

	luaL_argcheck(L, page_rows >= 1, 4, "at least one row a page");
	if (h->ended)
		return 0;
	o = new_op(L, 1, &page_class, luaL_optnumber(L, 2, -1));
	o->step = step_page;
	o->page_rows = (size_t)page_rows;
	o->page = rows_new(schema, &err);
	return wait_for(L, o, o->page != NULL, &err);
}

// describe(uri, name) -> where, user, schema: without a connection. Registers the secrets.
static int l_describe(lua_State *L)
{
	char where[PG_WHERE_SIZE], user[128], schema[128];
	struct err err;
	struct pg_uri *uri = pg_uri_parse(luaL_checkstring(L, 1), luaL_checkstring(L, 2), &err);

	if (uri == NULL)
		return err_raise(L, &err);
	snprintf(where, sizeof where, "%s", pg_uri_where(uri));
	snprintf(user, sizeof user, "%s", pg_uri_get(uri, "user") != NULL ? pg_uri_get(uri, "user") : "");
	snprintf(schema, sizeof schema, "%s", pg_uri_schema(uri) != NULL ? pg_uri_schema(uri) : "");
	pg_uri_free(uri); // before Lua may raise
	lua_pushstring(L, where);
	lua_pushstring(L, user);
	lua_pushstring(L, schema);
	return 3;
}

// is_meant(text) -> boolean: is it for libpq?
static int l_is_meant(lua_State *L)
{
	lua_pushboolean(L, pg_uri_is_meant(luaL_checkstring(L, 1)));
	return 1;
}

// check_columns(result.columns, schema): raises when COPY's binary form of a column does not fit its type.
static int l_check_columns(lua_State *L)
{
	const struct schema *schema = l_schema_check(L, 2);
	struct err err;

	luaL_checktype(L, 1, LUA_TTABLE);
	if ((size_t)luaL_len(L, 1) != schema->ncols)
		return err_raisef(L, ERR_CONFIG, "the query has %d columns, the schema %d; make them the same",
			(int)luaL_len(L, 1), (int)schema->ncols);
	for (size_t i = 0; i < schema->ncols; i++) {
		lua_geti(L, 1, (lua_Integer)i + 1);
		lua_getfield(L, -1, "oid");
		if (!pg_column_check((uint32_t)luaL_checkinteger(L, -1), schema->cols[i].type, schema->cols[i].name, &err))
			return err_raise(L, &err);
		lua_pop(L, 2);
	}
	return 0;
}

int luaopen_syncrun_postgres(lua_State *L)
{
	static const luaL_Reg functions[] = {{"connect", l_connect}, {"bytes", l_pg_bytes}, {"text_array", l_pg_text_array},
		{"check_columns", l_check_columns}, {"describe", l_describe}, {"is_meant", l_is_meant}, {NULL, NULL}};
	static const luaL_Reg methods[] = {{"close", l_handle_close}, {"status", l_handle_status},
		{"is_exposed", l_handle_is_exposed}, {"silence", l_handle_silence}, {"backend", l_handle_backend},
		{"literal", l_handle_literal}, {"query", l_query}, {"script", l_script}, {"pipeline", l_pipeline},
		{"write_rows", l_write_rows}, {"stream", l_stream}, {"next_row", l_next_row}, {"skip", l_skip},
		{"copy_begin", l_copy_begin}, {"copy_put", l_copy_put}, {"copy_end", l_copy_end}, {"copy_get", l_copy_get},
		{"copy_page", l_copy_page}, {"__gc", l_handle_gc}, {"__close", l_handle_close}, {NULL, NULL}};

	if (luaL_newmetatable(L, HANDLE_META)) {
		luaL_setfuncs(L, methods, 0);
		lua_pushvalue(L, -1);
		lua_setfield(L, -2, "__index");
	}
	lua_pop(L, 1);
	luaL_newlib(L, functions);
	return 1;
}

// _syncrun.sqlite: handles, cursors and pages for lua/syncrun/sqlite.lua. Never waits: a busy database raises,
// retryable.
//
// A Lua call that may raise is only made while nothing is held, or while what is held hangs on a cursor that Lua
// closes.
#include <math.h>

#include <lauxlib.h>

#include "bind/err_lua.h"
#include "bind/l_rows.h"
#include "bind/modules.h"
#include "bind/task.h"
#include "data/sqlite_rows.h"
#include "io/crypto.h"
#include "io/sqlite.h"

#define HANDLE_META "syncrun.sqlite.handle"
#define CURSOR_META "syncrun.sqlite.cursor"
#define BLOB_META "syncrun.sqlite.blob"

enum { MAX_PAGE_ROWS = 1000000 };

struct handle {
	struct sqlite_db *db; // NULL before open and after close
};

struct cursor {
	struct sqlite_stmt *stmt; // NULL at the end and after close
	struct schema *schema;    // of the pages, NULL when rows become tables
	size_t page_rows;
};
enum { CURSOR_HANDLE = 1, CURSOR_NAMES = 2 }; // its user values

static bool sha256_hex(const void *data, size_t len, char out[static CRYPTO_HEX_SIZE])
{
	return crypto_digest_hex(CRYPTO_SHA256, data, len, out, NULL);
}

static bool md5_hex(const void *data, size_t len, char out[static CRYPTO_HEX_SIZE])
{
	return crypto_digest_hex(CRYPTO_MD5, data, len, out, NULL);
}

static struct sqlite_function sql_functions[] = {{"sha256", sha256_hex}, {"md5", md5_hex}, {NULL, NULL}};

// ---- handles

static struct sqlite_db *check_db(lua_State *L, int index)
{
	struct handle *h = luaL_checkudata(L, index, HANDLE_META);

	if (h->db == NULL)
		err_raise(L, &(struct err){.kind = ERR_SQLITE, .code = "closed", .message = "the database is closed"});
	return h->db;
}

// open(path, mode, wal, synchronous) -> handle
static int l_open(lua_State *L)
{
	static const char *const modes[] = {"rwc", "rw", "ro", "memory", NULL}; // in the order of enum sqlite_mode
	static const char *const levels[] = {"off", "normal", "full", NULL};
	const char *path = luaL_checkstring(L, 1);
	struct sqlite_options options = {.mode = (enum sqlite_mode)luaL_checkoption(L, 2, "rwc", modes)};
	struct handle *h;
	struct err err;

	options.wal = lua_toboolean(L, 3);
	options.synchronous = levels[luaL_checkoption(L, 4, "normal", levels)];
	h = lua_newuserdatauv(L, sizeof *h, 0);
	h->db = NULL;
	luaL_setmetatable(L, HANDLE_META);
	h->db = sqlite_open(path, &options, sql_functions, &err);
	return h->db != NULL ? 1 : err_raise(L, &err);
}

// close(handle): legal at any time
static int l_close(lua_State *L)
{
	struct handle *h = luaL_checkudata(L, 1, HANDLE_META);

	sqlite_close(h->db);
	h->db = NULL;
	return 0;
}

// is_live(path) -> whether it is a file of a database that is open here
static int l_is_live(lua_State *L)
{
	lua_pushboolean(L, sqlite_is_live(luaL_checkstring(L, 1)));
	return 1;
}

// ---- parameters

static bool is_blob(lua_State *L, int index)
{
	bool is = false;

	if (!lua_istable(L, index) || !lua_getmetatable(L, index))
		return false;
	luaL_getmetatable(L, BLOB_META);
	is = lua_rawequal(L, -1, -2);
	lua_pop(L, 2);
	if (is) {
		is = lua_rawgeti(L, index, 1) == LUA_TSTRING;
		lua_pop(L, 1);
	}
	return is;
}

static void check_param(lua_State *L, int index)
{
	int type = lua_type(L, index);

	if (type == LUA_TNUMBER && !lua_isinteger(L, index) && isnan(lua_tonumber(L, index)))
		luaL_argerror(L, index, "not a number (NaN) cannot be stored");
	if (type != LUA_TNIL && type != LUA_TLIGHTUSERDATA && type != LUA_TNUMBER && type != LUA_TBOOLEAN &&
		type != LUA_TSTRING && !is_blob(L, index))
		luaL_argerror(L, index, lua_pushfstring(L, "a %s cannot be stored", luaL_typename(L, index)));
}

// Everything that may raise about the parameters from `first` to the top, before a statement is taken.
static void check_params(lua_State *L, int first)
{
	for (int i = first; i <= lua_gettop(L); i++)
		check_param(L, i);
}

// The value at index; its bytes stay as long as the Lua value does. Never raises. json.null is a light userdata.
static struct sqlite_value param_value(lua_State *L, int index)
{
	struct sqlite_value v = {.type = SQLITE_TYPE_NULL};

	switch (lua_type(L, index)) {
	case LUA_TBOOLEAN:
		v.type = SQLITE_TYPE_INTEGER;
		v.integer = lua_toboolean(L, index);
		break;
	case LUA_TNUMBER:
		v.type = lua_isinteger(L, index) ? SQLITE_TYPE_INTEGER : SQLITE_TYPE_REAL;
		v.integer = lua_tointeger(L, index);
		v.real = lua_tonumber(L, index);
		break;
	case LUA_TSTRING:
		v.type = SQLITE_TYPE_TEXT;
		v.bytes = lua_tolstring(L, index, &v.len);
		break;
	case LUA_TTABLE:
		v.type = SQLITE_TYPE_BLOB;
		lua_rawgeti(L, index, 1);
		v.bytes = lua_tolstring(L, -1, &v.len);
		lua_pop(L, 1);
		break;
	default:
		break;
	}
	return v;
}

// Bind the values from `first` to `last`. Never raises.
static bool bind_params(lua_State *L, struct sqlite_stmt *stmt, int first, int last, bool copy, struct err *err)
{
	int n = last - first + 1;

	if (n != sqlite_param_count(stmt))
		return err_set(
			err, ERR_USAGE, NULL, "the statement has %d parameters, %d values were given", sqlite_param_count(stmt), n);
	for (int i = 0; i < n; i++) {
		struct sqlite_value value = param_value(L, first + i);

		if (!sqlite_bind(stmt, i + 1, &value, copy, err))
			return false;
	}
	return true;
}

// ---- statements without rows

// exec(handle, sql, from) -> the offset behind the first statement found at `from`, or nil at the end
static int l_exec(lua_State *L)
{
	struct sqlite_db *db = check_db(L, 1);
	size_t len, next, from = (size_t)luaL_checkinteger(L, 3);
	const char *sql = luaL_checklstring(L, 2, &len);
	struct err err;

	luaL_argcheck(L, from <= len, 3, "out of range");
	if (from == len)
		return 0;
	if (!sqlite_exec_one(db, sql + from, len - from, &next, &err))
		return err_raise(L, &err);
	lua_pushinteger(L, (lua_Integer)(from + next));
	return 1;
}

// run(handle, sql, ...) -> changes
static int l_run(lua_State *L)
{
	struct sqlite_db *db = check_db(L, 1);
	size_t len;
	const char *sql = luaL_checklstring(L, 2, &len);
	struct sqlite_stmt *stmt;
	int64_t changes = 0;
	struct err err;
	bool ok;

	check_params(L, 3);
	stmt = sqlite_take(db, sql, len, &err);
	ok = stmt != NULL && bind_params(L, stmt, 3, lua_gettop(L), false, &err) && sqlite_run(stmt, &changes, &err);
	sqlite_give(stmt);
	if (!ok)
		return err_raise(L, &err);
	lua_pushinteger(L, changes);
	return 1;
}

// insert(handle, sql, rows, from, to, raw) -> changes; from and to count from 1, both included
static int l_insert(lua_State *L)
{
	struct sqlite_db *db = check_db(L, 1);
	size_t len;
	const char *sql = luaL_checklstring(L, 2, &len);
	const struct rows *rows = l_rows_check(L, 3);
	lua_Integer from = luaL_optinteger(L, 4, 1), to = luaL_optinteger(L, 5, (lua_Integer)rows->n);
	bool ok, raw = lua_toboolean(L, 6);
	struct sqlite_stmt *stmt;
	int64_t changes = 0;
	struct err err;

	luaL_argcheck(L, from >= 1 && from <= (lua_Integer)rows->n + 1, 4, "there is no such row");
	luaL_argcheck(L, to >= from - 1 && to <= (lua_Integer)rows->n, 5, "there is no such row");
	stmt = sqlite_take(db, sql, len, &err);
	ok = stmt != NULL && sqlite_insert_rows(stmt, rows, (size_t)from - 1, (size_t)to, raw, &changes, &err);
	sqlite_give(stmt);
	if (!ok)
		return err_raise(L, &err);
	lua_pushinteger(L, changes);
	return 1;
}

// ---- cursors: a statement that is their own until they are closed

static void cursor_release(struct cursor *cursor)
{
	sqlite_give(cursor->stmt);
	cursor->stmt = NULL;
	schema_unref(cursor->schema);
	cursor->schema = NULL;
}

static int l_cursor_close(lua_State *L)
{
	cursor_release(luaL_checkudata(L, 1, CURSOR_META));
	return 0;
}

// An empty cursor on top of the stack; it keeps the handle at index 1 open.
static struct cursor *push_cursor(lua_State *L)
{
	struct cursor *cursor = lua_newuserdatauv(L, sizeof *cursor, 2);

	*cursor = (struct cursor){.stmt = NULL};
	luaL_setmetatable(L, CURSOR_META);
	lua_pushvalue(L, 1);
	lua_setiuservalue(L, -2, CURSOR_HANDLE);
	return cursor;
}

// Give it the statement of the text at index 2, bound to the values from `first` to `last`; raises without.
static void cursor_start(lua_State *L, struct cursor *cursor, int first, int last, bool copy)
{
	size_t len;
	const char *sql = luaL_checklstring(L, 2, &len);
	struct err err;

	cursor->stmt = sqlite_take(check_db(L, 1), sql, len, &err);
	if (cursor->stmt != NULL && bind_params(L, cursor->stmt, first, last, copy, &err))
		return;
	cursor_release(cursor);
	err_raise(L, &err);
}

// Step to the next row. False at the end, and the cursor is released; raises on errors, and it is released too unless
// the step may be tried again.
static bool cursor_step(lua_State *L, struct cursor *cursor)
{
	struct err err = {0};
	enum sqlite_step step = sqlite_step(cursor->stmt, &err);

	if (step == SQLITE_STEP_ROW)
		return true;
	if (step == SQLITE_STEP_DONE || !err.retryable)
		cursor_release(cursor);
	if (step == SQLITE_STEP_ERROR)
		err_raise(L, &err);
	return false;
}

// Push the table of column names of the cursor at that index, made after its first step: only then they are certain.
static void push_names(lua_State *L, int index, const struct cursor *cursor)
{
	int n = sqlite_column_count(cursor->stmt);

	if (lua_getiuservalue(L, index, CURSOR_NAMES) == LUA_TTABLE)
		return;
	lua_pop(L, 1);
	lua_createtable(L, n, 0);
	for (int i = 0; i < n; i++) {
		lua_pushstring(L, sqlite_column_name(cursor->stmt, i));
		lua_rawseti(L, -2, i + 1);
	}
	lua_pushvalue(L, -1);
	lua_setiuservalue(L, index, CURSOR_NAMES);
}

static void push_value(lua_State *L, const struct sqlite_value *v)
{
	switch (v->type) {
	case SQLITE_TYPE_INTEGER:
		lua_pushinteger(L, v->integer);
		break;
	case SQLITE_TYPE_REAL:
		lua_pushnumber(L, v->real);
		break;
	case SQLITE_TYPE_TEXT:
	case SQLITE_TYPE_BLOB:
		lua_pushlstring(L, v->bytes, v->len);
		break;
	case SQLITE_TYPE_NULL:
		lua_pushnil(L);
		break;
	}
}

// Push the present row of the cursor at that (absolute) index as a table by column names.
static void push_row(lua_State *L, int index, const struct cursor *cursor)
{
	int n = sqlite_column_count(cursor->stmt);
	struct sqlite_value value;
	struct err err;

	push_names(L, index, cursor);
	lua_createtable(L, 0, n);
	for (int i = 0; i < n; i++) {
		if (!sqlite_column(cursor->stmt, i, &value, &err))
			err_raise(L, &err);
		lua_rawgeti(L, -2, i + 1);
		push_value(L, &value);
		lua_rawset(L, -3);
	}
	lua_remove(L, -2);
}

// A cursor on the statement at index 2 that is closed when the calling C function ends, however it ends.
static struct cursor *open_query(lua_State *L)
{
	int last = lua_gettop(L);
	struct cursor *cursor;

	check_db(L, 1);
	check_params(L, 3);
	cursor = push_cursor(L);
	lua_toclose(L, -1);
	cursor_start(L, cursor, 3, last, false);
	return cursor;
}

// query(handle, sql, ...) -> array of rows
static int l_query(lua_State *L)
{
	struct cursor *cursor = open_query(L);
	int index = lua_gettop(L);

	lua_newtable(L);
	for (lua_Integer n = 1; cursor_step(L, cursor); n++) {
		push_row(L, index, cursor);
		lua_rawseti(L, -2, n);
	}
	return 1;
}

// one(handle, sql, ...) -> the first row, or nil
static int l_one(lua_State *L)
{
	struct cursor *cursor = open_query(L);
	int index = lua_gettop(L);

	if (!cursor_step(L, cursor))
		return 0;
	push_row(L, index, cursor);
	return 1;
}

// each(handle, sql, ...) -> cursor whose rows are tables
static int l_each(lua_State *L)
{
	int last = lua_gettop(L);

	check_db(L, 1);
	check_params(L, 3);
	cursor_start(L, push_cursor(L), 3, last, true);
	return 1;
}

// scan(handle, sql, schema, page_rows, ...) -> cursor whose rows come as pages
static int l_scan(lua_State *L)
{
	int last = lua_gettop(L);
	struct schema *schema = l_schema_check(L, 3);
	lua_Integer page_rows = luaL_checkinteger(L, 4);
	struct cursor *cursor;
	struct err err;

	check_db(L, 1);
	luaL_argcheck(L, page_rows >= 1 && page_rows <= MAX_PAGE_ROWS, 4, "not between 1 and 1000000");
	check_params(L, 5);
	cursor = push_cursor(L);
	cursor_start(L, cursor, 5, last, true);
	if (!sqlite_scan_check(cursor->stmt, schema, &err)) {
		cursor_release(cursor);
		return err_raise(L, &err);
	}
	cursor->schema = schema_ref(schema);
	cursor->page_rows = (size_t)page_rows;
	return 1;
}

// The next page, or nothing at the end. A page that is not full releases the statement at once.
static int next_page(lua_State *L, struct cursor *cursor)
{
	struct rows **slot = l_rows_slot(L);
	struct err err = {0};
	bool done;

	*slot = rows_new(cursor->schema, &err);
	if (*slot == NULL || !sqlite_scan_rows(cursor->stmt, *slot, cursor->page_rows, &done, &err)) {
		if (!err.retryable)
			cursor_release(cursor);
		return err_raise(L, &err);
	}
	if (done)
		cursor_release(cursor);
	return (*slot)->n > 0 ? 1 : 0;
}

// next(cursor) -> a row, a page, or nil at the end and after close
static int l_next(lua_State *L)
{
	struct cursor *cursor = luaL_checkudata(L, 1, CURSOR_META);

	if (cursor->stmt == NULL)
		return 0;
	if (cursor->schema != NULL)
		return next_page(L, cursor);
	if (!cursor_step(L, cursor))
		return 0;
	push_row(L, 1, cursor);
	return 1;
}

// ---- small things

static int l_last_rowid(lua_State *L)
{
	lua_pushinteger(L, sqlite_last_rowid(check_db(L, 1)));
	return 1;
}

static int l_in_transaction(lua_State *L)
{
	lua_pushboolean(L, sqlite_in_transaction(check_db(L, 1)));
	return 1;
}

static int l_is_readonly(lua_State *L)
{
	lua_pushboolean(L, sqlite_is_readonly(check_db(L, 1)));
	return 1;
}

// blob(bytes) -> what binds as BLOB
static int l_blob(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TSTRING);
	lua_createtable(L, 1, 0);
	lua_pushvalue(L, 1);
	lua_rawseti(L, -2, 1);
	luaL_setmetatable(L, BLOB_META);
	return 1;
}

// task() -> a value that is the same only for the same running task; nil outside of tasks
static int l_task(lua_State *L)
{
	struct task *task = task_current();

	if (task == NULL)
		return 0;
	lua_pushlightuserdata(L, task);
	return 1;
}

static const luaL_Reg functions[] = {
	{"open", l_open},
	{"close", l_close},
	{"is_live", l_is_live},
	{"exec", l_exec},
	{"run", l_run},
	{"insert", l_insert},
	{"query", l_query},
	{"one", l_one},
	{"each", l_each},
	{"scan", l_scan},
	{"next", l_next},
	{"close_cursor", l_cursor_close},
	{"last_rowid", l_last_rowid},
	{"in_transaction", l_in_transaction},
	{"is_readonly", l_is_readonly},
	{"blob", l_blob},
	{"task", l_task},
	{NULL, NULL},
};

// Metatables are hidden from scripts, as everywhere.
static void new_meta(lua_State *L, const char *name, lua_CFunction finish)
{
	luaL_newmetatable(L, name);
	lua_pushstring(L, name);
	lua_setfield(L, -2, "__metatable");
	if (finish != NULL) {
		lua_pushcfunction(L, finish);
		lua_setfield(L, -2, "__gc");
		lua_pushcfunction(L, finish);
		lua_setfield(L, -2, "__close");
	}
	lua_pop(L, 1);
}

int luaopen_syncrun_sqlite(lua_State *L)
{
	new_meta(L, HANDLE_META, l_close);
	new_meta(L, CURSOR_META, l_cursor_close);
	new_meta(L, BLOB_META, NULL);
	luaL_newlib(L, functions);
	return 1;
}

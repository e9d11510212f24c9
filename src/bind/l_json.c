// _syncrun.json: JSON text to Lua values and back. All memory that is not Lua's lives in userdata, so a raise at any
// place loses nothing.
#include "bind/l_json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "base/visible.h"
#include "bind/err_lua.h"
#include "bind/modules.h"
#include "io/json.h"
#include "io/unicode.h"

#define ARRAY_META "syncrun.json.array"
#define OBJECT_META "syncrun.json.object"
#define NUMBER_META "json.number"
#define RAW_META "json.raw"
#define BUF_META "syncrun.json.buf"
#define ENCODER_META "syncrun.json.encoder"

// ---- memory that Lua collects

static int l_buf_gc(lua_State *L)
{
	buf_free(lua_touserdata(L, 1));
	return 0;
}

struct buf *l_json_buf(lua_State *L)
{
	struct buf *b = lua_newuserdatauv(L, sizeof *b, 0);

	*b = (struct buf){0};
	if (luaL_newmetatable(L, BUF_META)) {
		lua_pushcfunction(L, l_buf_gc);
		lua_setfield(L, -2, "__gc");
	}
	lua_setmetatable(L, -2);
	return b;
}

// JSON text as a Lua value: a number that neither integer nor float can hold, or what json.raw was given.
static void push_spelled(lua_State *L, const char *text, size_t len, const char *meta)
{
	char *copy = lua_newuserdatauv(L, len, 0);

	if (len > 0)
		memcpy(copy, text, len);
	luaL_setmetatable(L, meta);
}

static int l_spelled_tostring(lua_State *L)
{
	lua_pushlstring(L, lua_touserdata(L, 1), lua_rawlen(L, 1));
	return 1;
}

static int l_spelled_eq(lua_State *L)
{
	size_t len = lua_rawlen(L, 1);
	bool same = lua_type(L, 1) == LUA_TUSERDATA && lua_type(L, 2) == LUA_TUSERDATA && lua_rawlen(L, 2) == len &&
				lua_getmetatable(L, 1) && lua_getmetatable(L, 2) && lua_rawequal(L, -1, -2);

	lua_pushboolean(L, same && memcmp(lua_touserdata(L, 1), lua_touserdata(L, 2), len) == 0);
	return 1;
}

// ---- decoding

struct decoder {
	lua_State *L;
	struct json_reader reader;
	int array_meta; // stack index
	struct err err; // here, so that the frames of the recursion stay small
};

static void decode_value(struct decoder *d, const struct json_token *token);

static void next_token(struct decoder *d, struct json_token *token)
{
	if (!json_next(&d->reader, token, &d->err))
		err_raise(d->L, &d->err);
}

static void decode_string(struct decoder *d, const struct json_token *token)
{
	luaL_Buffer b;
	char *out;

	if (!token->escaped) {
		lua_pushlstring(d->L, token->text, token->len);
		return;
	}
	out = luaL_buffinitsize(d->L, &b, token->len);
	luaL_pushresultsize(&b, json_unescape(out, token->text, token->len));
}

static void decode_number(struct decoder *d, const struct json_token *token)
{
	int64_t integer;
	double value;

	if (json_number_int64(token->text, token->len, &integer))
		lua_pushinteger(d->L, (lua_Integer)integer);
	else if (json_number_double(token->text, token->len, &value))
		lua_pushnumber(d->L, (lua_Number)value);
	else
		push_spelled(d->L, token->text, token->len, NUMBER_META);
}

static void decode_array(struct decoder *d)
{
	struct json_token token;

	lua_newtable(d->L);
	lua_pushvalue(d->L, d->array_meta);
	lua_setmetatable(d->L, -2);
	for (lua_Integer i = 1;; i++) {
		next_token(d, &token);
		if (token.type == JSON_ARRAY_END)
			return;
		decode_value(d, &token);
		lua_rawseti(d->L, -2, i);
	}
}

static void decode_object(struct decoder *d)
{
	struct json_token token;

	lua_newtable(d->L);
	for (;;) {
		next_token(d, &token);
		if (token.type == JSON_OBJECT_END)
			return;
		decode_string(d, &token);
		next_token(d, &token);
		decode_value(d, &token);
		lua_rawset(d->L, -3);
	}
}

static void decode_value(struct decoder *d, const struct json_token *token)
{
	luaL_checkstack(d->L, 6, "json");
	switch (token->type) {
	case JSON_OBJECT:
		decode_object(d);
		break;
	case JSON_ARRAY:
		decode_array(d);
		break;
	case JSON_STRING:
		decode_string(d, token);
		break;
	case JSON_NUMBER:
		decode_number(d, token);
		break;
	case JSON_NULL:
		lua_pushlightuserdata(d->L, NULL);
		break;
	default:
		lua_pushboolean(d->L, token->type == JSON_TRUE);
	}
}

void l_json_push(lua_State *L, const char *text, size_t len)
{
	struct decoder d = {.L = L};
	struct json_token token;

	luaL_checkstack(L, 6, "json");
	luaL_getmetatable(L, ARRAY_META);
	d.array_meta = lua_gettop(L);
	json_reader_init(&d.reader, text, len);
	next_token(&d, &token);
	decode_value(&d, &token);
	next_token(&d, &token); // the end
	lua_remove(L, d.array_meta);
}

static int l_decode(lua_State *L)
{
	size_t len;
	const char *text = luaL_checklstring(L, 1, &len);

	l_json_push(L, text, len);
	return 1;
}

// ---- encoding

struct encoder { // a userdata
	struct buf *out;
	struct buf spelled;
	struct buf names, keys; // the names of all objects that are open, and a struct key for each
	bool pretty, spell;
	int array_meta, object_meta, number_meta, raw_meta; // stack indices
	struct err err;                                     // here, so that the frames of the recursion stay small
};

struct key {
	size_t at, len;
	const char *text; // only while sorting
};

// Where in the value the encoder is, for messages.
struct place {
	const struct place *parent;
	const char *name; // of a member, or NULL
	lua_Integer index;
	unsigned depth;
};

static void encode_value(lua_State *L, struct encoder *e, const struct place *place);

static int l_encoder_gc(lua_State *L)
{
	struct encoder *e = lua_touserdata(L, 1);

	buf_free(&e->spelled);
	buf_free(&e->names);
	buf_free(&e->keys);
	return 0;
}

static void append_place(char *path, size_t size, const struct place *place)
{
	size_t used;

	if (place == NULL || place->parent == NULL)
		return;
	append_place(path, size, place->parent);
	used = strlen(path);
	if (place->name == NULL)
		snprintf(path + used, size - used, "[%lld]", (long long)place->index);
	else
		snprintf(path + used, size - used, "%s%s", used > 0 ? "." : "", place->name);
}

__attribute__((noinline)) static void fail_encode(lua_State *L, const struct place *place, const char *what)
{
	char path[256] = "";

	while (place->depth > 16) // a cycle: its beginning tells enough
		place = place->parent;
	append_place(path, sizeof path, place);
	err_raisef(L, ERR_JSON, "cannot encode as json (%s%s%s%s)", what, path[0] != '\0' ? " at '" : "", path,
		path[0] != '\0' ? "'" : "");
}

// Not inlined, as fail_encode: their buffers would lie in every frame of the recursion.
__attribute__((noinline)) static void fail_memory(lua_State *L)
{
	struct err err;

	err_no_memory(&err);
	err_raise(L, &err);
}

static void check(lua_State *L, bool ok)
{
	if (!ok)
		fail_memory(L);
}

static void put_newline(lua_State *L, const struct encoder *e, unsigned depth)
{
	if (!e->pretty)
		return;
	check(L, buf_putc(e->out, '\n'));
	for (unsigned i = 0; i < depth; i++)
		check(L, buf_puts(e->out, "  "));
}

static void encode_text(lua_State *L, struct encoder *e, const char *text, size_t len, const struct place *place)
{
	if (json_put_string(e->out, text, len, &e->err))
		return;
	if (e->err.kind != ERR_JSON)
		err_raise(L, &e->err);
	if (!e->spell)
		fail_encode(L, place, "a string that is not valid UTF-8");
	buf_clear(&e->spelled);
	check(L, unicode_spell(&e->spelled, text, len) && json_put_string(e->out, e->spelled.data, e->spelled.len, NULL));
}

static void encode_number(lua_State *L, struct encoder *e, const struct place *place)
{
	char text[JSON_DOUBLE_SIZE];
	lua_Number value;

	if (lua_isinteger(L, -1)) {
		check(L, buf_printf(e->out, "%lld", (long long)lua_tointeger(L, -1)));
		return;
	}
	value = lua_tonumber(L, -1);
	if (!isfinite(value))
		fail_encode(L, place, isnan(value) ? "a number that is NaN" : "an infinite number");
	check(L, buf_put(e->out, text, json_double_text(value, text)));
	if (strpbrk(text, ".e") == NULL)
		check(L, buf_puts(e->out, ".0")); // a float reads back as a float
}

static void encode_array(lua_State *L, struct encoder *e, const struct place *place, lua_Integer n)
{
	struct place inner = {place, NULL, 0, place->depth + 1};

	check(L, buf_putc(e->out, '['));
	for (lua_Integer i = 1; i <= n; i++) {
		inner.index = i;
		if (i > 1)
			check(L, buf_putc(e->out, ','));
		put_newline(L, e, inner.depth);
		lua_rawgeti(L, -1, i);
		encode_value(L, e, &inner);
		lua_pop(L, 1);
	}
	if (n > 0)
		put_newline(L, e, place->depth);
	check(L, buf_putc(e->out, ']'));
}

static int compare_keys(const void *a, const void *b)
{
	const struct key *x = a, *y = b;
	int order = memcmp(x->text, y->text, x->len < y->len ? x->len : y->len);

	return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

static struct key *key_at(const struct encoder *e, size_t i)
{
	return (struct key *)(void *)e->keys.data + i;
}

// Copy the names of the table on top behind those of the outer objects, sorted; how many.
static size_t collect_keys(lua_State *L, struct encoder *e, const struct place *place)
{
	size_t first = e->keys.len / sizeof(struct key), n = 0;

	lua_pushnil(L);
	while (lua_next(L, -2) != 0) {
		struct key key = {.at = e->names.len};
		const char *name;

		if (lua_type(L, -2) != LUA_TSTRING)
			fail_encode(L, place, "a table whose keys are neither all strings nor 1 to n");
		name = lua_tolstring(L, -2, &key.len);
		check(L, buf_put(&e->names, name, key.len + 1) && buf_put(&e->keys, &key, sizeof key));
		lua_pop(L, 1);
		n++;
	}
	for (size_t i = first; i < first + n; i++)
		key_at(e, i)->text = e->names.data + key_at(e, i)->at;
	if (n > 1)
		qsort(key_at(e, first), n, sizeof(struct key), compare_keys);
	return n;
}

static void encode_member(lua_State *L, struct encoder *e, const struct place *place, size_t i, bool comma)
{
	struct key key = *key_at(e, i);
	struct place inner = {place, NULL, 0, place->depth + 1};

	if (comma)
		check(L, buf_putc(e->out, ','));
	put_newline(L, e, inner.depth);
	lua_pushlstring(L, e->names.data + key.at, key.len);
	inner.name = lua_tostring(L, -1);
	encode_text(L, e, inner.name, key.len, place);
	check(L, buf_puts(e->out, e->pretty ? ": " : ":"));
	lua_pushvalue(L, -1);
	lua_rawget(L, -3);
	encode_value(L, e, &inner);
	lua_pop(L, 2);
}

static void encode_object(lua_State *L, struct encoder *e, const struct place *place)
{
	size_t names = e->names.len, keys = e->keys.len, first = keys / sizeof(struct key);
	size_t n = collect_keys(L, e, place);

	check(L, buf_putc(e->out, '{'));
	for (size_t i = first; i < first + n; i++)
		encode_member(L, e, place, i, i > first);
	if (n > 0)
		put_newline(L, e, place->depth);
	check(L, buf_putc(e->out, '}'));
	e->names.len = names;
	e->keys.len = keys;
}

static bool has_meta(lua_State *L, int meta)
{
	bool same = lua_getmetatable(L, -1) != 0;

	if (same) {
		same = lua_rawequal(L, -1, meta) != 0;
		lua_pop(L, 1);
	}
	return same;
}

// Are the keys of the table on top exactly 1 to n?
static bool is_sequence(lua_State *L, lua_Integer n)
{
	lua_Integer count = 0, key;

	lua_pushnil(L);
	while (lua_next(L, -2) != 0) {
		lua_pop(L, 1);
		key = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : 0;
		if (key < 1 || key > n) {
			lua_pop(L, 1);
			return false;
		}
		count++;
	}
	return count == n;
}

static void encode_table(lua_State *L, struct encoder *e, const struct place *place)
{
	lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
	bool marked = has_meta(L, e->array_meta);

	if (place->depth >= JSON_DEPTH_MAX)
		fail_encode(L, place, "tables nested deeper than 512, or in a circle,");
	if (!marked && (n == 0 || has_meta(L, e->object_meta))) {
		encode_object(L, e, place);
		return;
	}
	if (!is_sequence(L, n))
		fail_encode(L, place, "an array with holes or names in it");
	encode_array(L, e, place, n);
}

static void encode_value(lua_State *L, struct encoder *e, const struct place *place)
{
	int type = lua_type(L, -1);
	size_t len;
	const char *text;
	char what[64];

	luaL_checkstack(L, 8, "json");
	if (type == LUA_TSTRING) {
		text = lua_tolstring(L, -1, &len);
		encode_text(L, e, text, len, place);
	} else if (type == LUA_TNUMBER) {
		encode_number(L, e, place);
	} else if (type == LUA_TBOOLEAN) {
		check(L, buf_puts(e->out, lua_toboolean(L, -1) ? "true" : "false"));
	} else if (type == LUA_TTABLE) {
		encode_table(L, e, place);
	} else if (type == LUA_TLIGHTUSERDATA && lua_touserdata(L, -1) == NULL) {
		check(L, buf_puts(e->out, "null"));
	} else if (type == LUA_TUSERDATA && (has_meta(L, e->number_meta) || has_meta(L, e->raw_meta))) {
		check(L, buf_put(e->out, lua_touserdata(L, -1), lua_rawlen(L, -1)));
	} else {
		snprintf(what, sizeof what, "a value of type %s", lua_typename(L, type));
		fail_encode(L, place, what);
	}
}

struct form {
	bool pretty, spell;
	bool lines; // the values of a list, a newline behind each
};

static struct encoder *push_encoder(lua_State *L, struct buf *out, struct form form)
{
	struct encoder *e = lua_newuserdatauv(L, sizeof *e, 0);

	*e = (struct encoder){.out = out, .pretty = form.pretty, .spell = form.spell};
	if (luaL_newmetatable(L, ENCODER_META)) {
		lua_pushcfunction(L, l_encoder_gc);
		lua_setfield(L, -2, "__gc");
	}
	lua_setmetatable(L, -2);
	luaL_getmetatable(L, ARRAY_META);
	e->array_meta = lua_gettop(L);
	luaL_getmetatable(L, OBJECT_META);
	luaL_getmetatable(L, NUMBER_META);
	luaL_getmetatable(L, RAW_META);
	e->object_meta = e->array_meta + 1;
	e->number_meta = e->array_meta + 2;
	e->raw_meta = e->array_meta + 3;
	return e;
}

// The values of the list on top of the stack.
static void encode_lines(lua_State *L, struct encoder *e, const struct place *top)
{
	lua_Integer n = luaL_len(L, -1);

	for (lua_Integer i = 1; i <= n; i++) {
		struct place place = {top, NULL, i, 1};

		lua_geti(L, -1, i);
		encode_value(L, e, &place);
		lua_pop(L, 1);
		check(L, buf_putc(e->out, '\n'));
	}
}

static struct buf *encode_to_buf(lua_State *L, int index, struct form form)
{
	struct place top = {NULL, NULL, 0, 0};
	struct buf *out;
	struct encoder *e;
	int base;

	luaL_checkstack(L, 12, "json");
	index = lua_absindex(L, index);
	out = l_json_buf(L);
	base = lua_gettop(L);
	e = push_encoder(L, out, form);
	lua_pushvalue(L, index);
	if (form.lines)
		encode_lines(L, e, &top);
	else
		encode_value(L, e, &top);
	buf_free(&e->spelled);
	buf_free(&e->names);
	buf_free(&e->keys);
	lua_settop(L, base);
	return out;
}

struct buf *l_json_encode(lua_State *L, int index)
{
	return encode_to_buf(L, index, (struct form){0});
}

static bool option(lua_State *L, int index, const char *name)
{
	bool on = false;

	if (lua_istable(L, index)) {
		lua_getfield(L, index, name);
		on = lua_toboolean(L, -1) != 0;
		lua_pop(L, 1);
	}
	return on;
}

static int push_encoded(lua_State *L, struct form form)
{
	struct buf *out = encode_to_buf(L, 1, form);

	if (form.spell) {
		struct buf *shown = l_json_buf(L);

		check(L, visible_json(shown, out->data, out->len));
		buf_free(out);
		out = shown;
	}
	lua_pushlstring(L, out->data, out->len);
	buf_free(out);
	return 1;
}

static int l_encode(lua_State *L)
{
	luaL_checkany(L, 1);
	return push_encoded(L, (struct form){.pretty = option(L, 2, "pretty"), .spell = option(L, 2, "spell")});
}

static int l_lines(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	return push_encoded(L, (struct form){.spell = option(L, 2, "spell"), .lines = true});
}

// ---- the rest

static int l_canonical(lua_State *L)
{
	size_t len;
	const char *text = luaL_checklstring(L, 1, &len);
	struct buf *out = l_json_buf(L);
	bool duplicates;
	struct err err;

	if (!json_canonical(out, text, len, &duplicates, &err))
		return err_raise(L, &err);
	lua_pushlstring(L, out->data, out->len);
	lua_pushboolean(L, duplicates);
	buf_free(out);
	return 2;
}

static int l_valid(lua_State *L)
{
	size_t len;
	const char *text = luaL_checklstring(L, 1, &len);
	struct err err;

	if (json_validate(text, len, &err)) {
		lua_pushboolean(L, 1);
		return 1;
	}
	lua_pushboolean(L, 0);
	lua_pushstring(L, err.message);
	return 2;
}

static int l_number(lua_State *L)
{
	size_t len;
	const char *text = luaL_checklstring(L, 1, &len);

	if (!json_number_valid(text, len))
		return err_raisef(L, ERR_JSON, "'%.40s' is not a json number", text);
	push_spelled(L, text, len, NUMBER_META);
	return 1;
}

static int l_raw(lua_State *L)
{
	size_t len;
	const char *text = luaL_checklstring(L, 1, &len);
	struct err err;

	if (!json_validate(text, len, &err))
		return err_raise(L, &err);
	push_spelled(L, text, len, RAW_META);
	return 1;
}

static bool is_marked(lua_State *L, int index, const char *meta)
{
	bool same = lua_istable(L, index) && lua_getmetatable(L, index) != 0;

	if (same) {
		luaL_getmetatable(L, meta);
		same = lua_rawequal(L, -1, -2) != 0;
		lua_pop(L, 2);
	}
	return same;
}

static int mark_table(lua_State *L, const char *meta)
{
	if (lua_isnoneornil(L, 1)) {
		lua_settop(L, 0);
		lua_newtable(L);
	}
	luaL_checktype(L, 1, LUA_TTABLE);
	if (lua_getmetatable(L, 1)) {
		lua_pop(L, 1);
		if (!is_marked(L, 1, ARRAY_META) && !is_marked(L, 1, OBJECT_META))
			return err_raisef(L, ERR_USAGE, "cannot mark a table that has a metatable; mark a copy of it");
	}
	lua_settop(L, 1);
	luaL_setmetatable(L, meta);
	return 1;
}

static int l_array(lua_State *L)
{
	return mark_table(L, ARRAY_META);
}

static int l_object(lua_State *L)
{
	return mark_table(L, OBJECT_META);
}

static int l_is_array(lua_State *L)
{
	lua_pushboolean(L, is_marked(L, 1, ARRAY_META));
	return 1;
}

static void open_spelled(lua_State *L, const char *meta)
{
	luaL_newmetatable(L, meta);
	lua_pushcfunction(L, l_spelled_tostring);
	lua_setfield(L, -2, "__tostring");
	lua_pushcfunction(L, l_spelled_eq);
	lua_setfield(L, -2, "__eq");
	lua_pop(L, 1);
}

int luaopen_syncrun_json(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"decode", l_decode},
		{"encode", l_encode},
		{"lines", l_lines},
		{"canonical", l_canonical},
		{"valid", l_valid},
		{"number", l_number},
		{"raw", l_raw},
		{"array", l_array},
		{"object", l_object},
		{"is_array", l_is_array},
		{NULL, NULL},
	};

	luaL_newmetatable(L, ARRAY_META);
	luaL_newmetatable(L, OBJECT_META);
	lua_pop(L, 2);
	open_spelled(L, NUMBER_META);
	open_spelled(L, RAW_META);
	luaL_newlib(L, functions);
	lua_pushlightuserdata(L, NULL);
	lua_setfield(L, -2, "null");
	return 1;
}

// _syncrun.tree: Merkle trees over leaves of one length, which are a string or a file. Indices are those of RFC 6962:
// from 0.
#include <string.h>

#include <lauxlib.h>

#include "bind/err_lua.h"
#include "bind/modules.h"
#include "bind/path_lua.h"
#include "data/tree.h"
#include "io/records.h"

#define LEAVES_META "syncrun.tree.leaves"
#define GROWER_META "syncrun.tree.grower"
#define PROOF_META "syncrun.tree.proof"

enum { LEN_MAX = 1024 * 1024 };

// The string is anchored as the user value; the file is ours.
struct source {
	struct records *file;
	const char *bytes;
	size_t len;
	uint64_t n;
};

static bool source_at(void *of, uint64_t i, const void **leaf, size_t *len, struct err *err)
{
	struct source *source = of;

	*len = source->len;
	*leaf = source->bytes != NULL ? source->bytes + i * source->len : records_at(source->file, i, err);
	return *leaf != NULL;
}

static struct source *check_source(lua_State *L, int index)
{
	struct source *source = luaL_checkudata(L, index, LEAVES_META);

	if (source->bytes == NULL && source->file == NULL)
		err_raisef(L, ERR_USAGE, "the leaves are closed");
	return source;
}

static struct tree_leaves leaves_of(struct source *source)
{
	return (struct tree_leaves){.size = source->n, .of = source, .at = source_at};
}

static struct source *push_source(lua_State *L, int len_index)
{
	lua_Integer len = luaL_checkinteger(L, len_index);
	struct source *source;

	luaL_argcheck(L, len > 0 && len <= LEN_MAX, len_index, "a leaf has 1 to 1048576 bytes");
	source = lua_newuserdatauv(L, sizeof *source, 1);
	*source = (struct source){.len = (size_t)len};
	luaL_setmetatable(L, LEAVES_META);
	return source;
}

// of(bytes, len) -> leaves
static int l_tree_of(lua_State *L)
{
	size_t size;
	const char *bytes = luaL_checklstring(L, 1, &size);
	struct source *source = push_source(L, 2);

	luaL_argcheck(L, size % source->len == 0, 1, "not a whole number of leaves");
	source->bytes = bytes;
	source->n = size / source->len;
	lua_pushvalue(L, 1);
	lua_setiuservalue(L, -2, 1);
	return 1;
}

// open(path, len) -> leaves
static int l_tree_open(lua_State *L)
{
	const char *path = l_path_check(L, 1);
	struct source *source = push_source(L, 2);
	struct err err;

	source->file = records_open(path, source->len, &err);
	if (source->file == NULL)
		return err_raise(L, &err);
	source->n = records_count(source->file);
	return 1;
}

static int l_source_close(lua_State *L)
{
	struct source *source = luaL_checkudata(L, 1, LEAVES_META);

	records_close(source->file);
	source->file = NULL;
	source->bytes = NULL;
	return 0;
}

static int l_source_len(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)check_source(L, 1)->n);
	return 1;
}

// A number from 0 to most.
static uint64_t check_number(lua_State *L, int index, uint64_t most)
{
	lua_Integer i = luaL_checkinteger(L, index);

	if (i < 0 || (uint64_t)i > most)
		luaL_argerror(L, index, lua_pushfstring(L, "not between 0 and %I", (LUAI_UACINT)most));
	return (uint64_t)i;
}

static uint64_t check_index(lua_State *L, int index, const struct source *source)
{
	luaL_argcheck(L, source->n > 0, index, "there are no leaves");
	return check_number(L, index, source->n - 1);
}

// leaves:at(i) -> the leaf's bytes
static int l_source_get(lua_State *L)
{
	struct source *source = check_source(L, 1);
	const void *leaf;
	size_t len;
	struct err err;

	if (!source_at(source, check_index(L, 2, source), &leaf, &len, &err))
		return err_raise(L, &err);
	lua_pushlstring(L, leaf, len);
	return 1;
}

// leaves:find(bytes) -> the first of the leaves, which rise, that is not below these bytes; the number of leaves if
// there is none
static int l_source_find(lua_State *L)
{
	struct source *source = check_source(L, 1);
	size_t size;
	const char *bytes = luaL_checklstring(L, 2, &size);
	uint64_t low = 0, high = source->n;
	struct err err;

	luaL_argcheck(L, size <= source->len, 2, "longer than a leaf");
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		const void *leaf;
		size_t len;

		if (!source_at(source, middle, &leaf, &len, &err))
			return err_raise(L, &err);
		if (memcmp(leaf, bytes, size) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	lua_pushinteger(L, (lua_Integer)low);
	return 1;
}

static int push_hash(lua_State *L, const unsigned char *hash)
{
	lua_pushlstring(L, (const char *)hash, TREE_HASH);
	return 1;
}

// ---- proofs of unknown length are made in a buffer that Lua owns

static int l_proof_close(lua_State *L)
{
	buf_free(luaL_checkudata(L, 1, PROOF_META));
	return 0;
}

static struct buf *push_proof(lua_State *L)
{
	struct buf *proof = lua_newuserdatauv(L, sizeof *proof, 0);

	*proof = (struct buf){.data = NULL};
	luaL_setmetatable(L, PROOF_META);
	lua_toclose(L, -1);
	return proof;
}

static int push_result(lua_State *L, const struct buf *proof)
{
	lua_pushlstring(L, proof->data != NULL ? proof->data : "", proof->len);
	return 1;
}

// leaves:inclusion(i) -> PATH(i, D[n])
static int l_source_inclusion(lua_State *L)
{
	struct source *source = check_source(L, 1);
	struct tree_leaves leaves = leaves_of(source);
	uint64_t i = check_index(L, 2, source);
	struct buf *proof = push_proof(L);
	struct err err;

	return tree_inclusion(&leaves, i, proof, &err) ? push_result(L, proof) : err_raise(L, &err);
}

// leaves:consistency(old) -> PROOF(old, D[n])
static int l_source_consistency(lua_State *L)
{
	struct source *source = check_source(L, 1);
	struct tree_leaves leaves = leaves_of(source);
	uint64_t old = check_number(L, 2, source->n);
	struct buf *proof = push_proof(L);
	struct err err;

	return tree_consistency(&leaves, old, proof, &err) ? push_result(L, proof) : err_raise(L, &err);
}

// leaves:range(from, to) -> what is needed beside the leaves from..to-1
static int l_source_range(lua_State *L)
{
	struct source *source = check_source(L, 1);
	struct tree_leaves leaves = leaves_of(source);
	uint64_t from = check_index(L, 2, source), to = check_number(L, 3, source->n);
	struct buf *proof = push_proof(L);
	struct err err;

	luaL_argcheck(L, from < to, 3, "the range is empty");
	return tree_range(&leaves, (struct tree_span){from, to}, proof, &err) ? push_result(L, proof) : err_raise(L, &err);
}

// ---- growing trees

// grower() -> a tree without leaves
static int l_tree_grower(lua_State *L)
{
	struct tree *tree = lua_newuserdatauv(L, sizeof *tree, 0);

	*tree = (struct tree){.size = 0};
	luaL_setmetatable(L, GROWER_META);
	return 1;
}

// grower:add(leaf)
static int l_grower_add(lua_State *L)
{
	struct tree *tree = luaL_checkudata(L, 1, GROWER_META);
	size_t len;
	const char *leaf = luaL_checklstring(L, 2, &len);
	struct err err;

	return tree_add(tree, leaf, len, &err) ? 0 : err_raise(L, &err);
}

// grower:take(leaves, from, to): the leaves from..to-1
static int l_grower_take(lua_State *L)
{
	struct tree *tree = luaL_checkudata(L, 1, GROWER_META);
	struct source *source = check_source(L, 2);
	uint64_t from = check_number(L, 3, source->n), to = check_number(L, 4, source->n);
	struct err err;

	for (uint64_t i = from; i < to; i++) {
		const void *leaf;
		size_t len;

		if (!source_at(source, i, &leaf, &len, &err) || !tree_add(tree, leaf, len, &err))
			return err_raise(L, &err);
	}
	return 0;
}

static int l_grower_root(lua_State *L)
{
	unsigned char root[TREE_HASH];
	struct err err;

	return tree_root(luaL_checkudata(L, 1, GROWER_META), root, &err) ? push_hash(L, root) : err_raise(L, &err);
}

static int l_grower_len(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)((const struct tree *)luaL_checkudata(L, 1, GROWER_META))->size);
	return 1;
}

// ---- verification: whatever was handed in, the answer is a boolean

// A number that may come from anywhere: one that no tree has is UINT64_MAX.
static uint64_t any_number(lua_State *L, int index)
{
	lua_Integer i = luaL_checkinteger(L, index);

	return i < 0 ? UINT64_MAX : (uint64_t)i;
}

static struct buf any_proof(lua_State *L, int index)
{
	size_t len;
	const char *bytes = luaL_checklstring(L, index, &len);

	// Only read: the buffer owns nothing.
	return (struct buf){.data = (char *)(uintptr_t)bytes, .len = len, .cap = 0};
}

// NULL for what has not a hash's length.
static const unsigned char *any_hash(lua_State *L, int index)
{
	size_t len;
	const char *bytes = luaL_checklstring(L, index, &len);

	return len == TREE_HASH ? (const unsigned char *)bytes : NULL;
}

static int push_verdict(lua_State *L, bool ok, bool good, const struct err *err)
{
	if (!ok)
		return err_raise(L, err);
	lua_pushboolean(L, good);
	return 1;
}

// check_inclusion(leaf, i, size, proof, root)
static int l_check_inclusion(lua_State *L)
{
	size_t len;
	const char *leaf = luaL_checklstring(L, 1, &len);
	uint64_t i = any_number(L, 2), size = any_number(L, 3);
	struct buf proof = any_proof(L, 4);
	const unsigned char *root = any_hash(L, 5);
	struct err err;
	bool good = false;
	bool ok = root == NULL || tree_check_inclusion(leaf, len, i, size, &proof, root, &good, &err);

	return push_verdict(L, ok, good, &err);
}

// check_consistency(old, old_root, size, root, proof)
static int l_check_consistency(lua_State *L)
{
	uint64_t old = any_number(L, 1), size = any_number(L, 3);
	const unsigned char *old_root = any_hash(L, 2), *root = any_hash(L, 4);
	struct buf proof = any_proof(L, 5);
	struct err err;
	bool good = false;
	bool ok =
		old_root == NULL || root == NULL || tree_check_consistency(old, old_root, size, root, &proof, &good, &err);

	return push_verdict(L, ok, good, &err);
}

// check_range(bytes, len, from, size, proof, root): bytes are the leaves from `from` on
static int l_check_range(lua_State *L)
{
	size_t bytes_len;
	const char *bytes = luaL_checklstring(L, 1, &bytes_len);
	lua_Integer len = luaL_checkinteger(L, 2);
	uint64_t from = any_number(L, 3), size = any_number(L, 4);
	struct buf proof = any_proof(L, 5);
	const unsigned char *root = any_hash(L, 6);
	uint64_t n = len > 0 && bytes_len % (size_t)len == 0 ? bytes_len / (size_t)len : 0;
	struct err err;
	bool good = false;
	bool ok = root == NULL || n == 0 || from > size ||
			  tree_check_range(bytes, (size_t)len, (struct tree_span){from, from + n}, size, &proof, root, &good, &err);

	return push_verdict(L, ok, good, &err);
}

// ---- the module

static const luaL_Reg source_methods[] = {
	{"at", l_source_get},
	{"find", l_source_find},
	{"inclusion", l_source_inclusion},
	{"consistency", l_source_consistency},
	{"range", l_source_range},
	{"close", l_source_close},
	{NULL, NULL},
};

static const luaL_Reg source_meta[] = {
	{"__len", l_source_len},
	{"__gc", l_source_close},
	{"__close", l_source_close},
	{NULL, NULL},
};

static const luaL_Reg grower_methods[] = {
	{"add", l_grower_add},
	{"take", l_grower_take},
	{"root", l_grower_root},
	{NULL, NULL},
};

static const luaL_Reg grower_meta[] = {{"__len", l_grower_len}, {NULL, NULL}};
static const luaL_Reg proof_meta[] = {{"__close", l_proof_close}, {"__gc", l_proof_close}, {NULL, NULL}};

static const luaL_Reg functions[] = {
	{"of", l_tree_of},
	{"open", l_tree_open},
	{"grower", l_tree_grower},
	{"check_inclusion", l_check_inclusion},
	{"check_consistency", l_check_consistency},
	{"check_range", l_check_range},
	{NULL, NULL},
};

// Hidden from scripts: a finalizer called by hand would be a use after free.
static void open_meta(lua_State *L, const char *name, const luaL_Reg *meta, const luaL_Reg *methods)
{
	luaL_newmetatable(L, name);
	luaL_setfuncs(L, meta, 0);
	lua_pushstring(L, name);
	lua_setfield(L, -2, "__metatable");
	if (methods != NULL) {
		lua_newtable(L);
		luaL_setfuncs(L, methods, 0);
		lua_setfield(L, -2, "__index");
	}
	lua_pop(L, 1);
}

int luaopen_syncrun_tree(lua_State *L)
{
	open_meta(L, LEAVES_META, source_meta, source_methods);
	open_meta(L, GROWER_META, grower_meta, grower_methods);
	open_meta(L, PROOF_META, proof_meta, NULL);
	luaL_newlib(L, functions);
	return 1;
}

// _syncrun.crypto: digests, signatures and encodings of strings. Holds nothing between calls.
#include <stdint.h>

#include <lauxlib.h>

#include "base/redact.h"
#include "bind/err_lua.h"
#include "bind/modules.h"
#include "io/crypto.h"

#define BUF_META "syncrun.crypto.buf"

enum { MAX_RANDOM = 1024 * 1024 };

// The digest as hex, or as it is when the argument at that index is "raw".
static int push_digest(lua_State *L, const unsigned char *digest, size_t len, int index)
{
	static const char *const forms[] = {"hex", "raw", NULL};
	char hex[CRYPTO_HEX_SIZE];

	if (luaL_checkoption(L, index, "hex", forms) == 1) {
		lua_pushlstring(L, (const char *)digest, len);
		return 1;
	}
	crypto_hex(digest, len, hex);
	lua_pushlstring(L, hex, 2 * len);
	return 1;
}

static int digest(lua_State *L, enum crypto_hash hash)
{
	unsigned char out[CRYPTO_MAX_DIGEST];
	size_t len;
	const char *data = luaL_checklstring(L, 1, &len);
	struct err err;

	if (!crypto_digest(hash, data, len, out, &err))
		return err_raise(L, &err);
	return push_digest(L, out, crypto_digest_size(hash), 2);
}

// sha256(s [, "raw"]) -> hex, or 32 bytes
static int l_sha256(lua_State *L)
{
	return digest(L, CRYPTO_SHA256);
}

static int l_sha1(lua_State *L)
{
	return digest(L, CRYPTO_SHA1);
}

static int l_md5(lua_State *L)
{
	return digest(L, CRYPTO_MD5);
}

// hmac_sha256(key, s [, "raw"]) -> hex, or 32 bytes
static int l_hmac_sha256(lua_State *L)
{
	unsigned char out[CRYPTO_MAX_DIGEST];
	size_t key_len, len;
	const char *key = luaL_checklstring(L, 1, &key_len);
	const char *data = luaL_checklstring(L, 2, &len);
	struct err err;

	if (!crypto_hmac(CRYPTO_SHA256, key, key_len, data, len, out, &err))
		return err_raise(L, &err);
	return push_digest(L, out, crypto_digest_size(CRYPTO_SHA256), 3);
}

// hkdf_sha256(secret, info [, salt]) -> a key of 32 bytes
static int l_hkdf_sha256(lua_State *L)
{
	unsigned char out[CRYPTO_KEY_SIZE];
	size_t secret_len, info_len, salt_len;
	const char *secret = luaL_checklstring(L, 1, &secret_len);
	const char *info = luaL_checklstring(L, 2, &info_len);
	const char *salt = luaL_optlstring(L, 3, "", &salt_len);
	struct err err;

	if (!crypto_hkdf(secret, secret_len, salt, salt_len, info, info_len, out, &err))
		return err_raise(L, &err);
	lua_pushlstring(L, (const char *)out, sizeof out);
	return 1;
}

// The argument as bytes of exactly this length.
static const unsigned char *check_bytes(lua_State *L, int index, size_t size)
{
	size_t len;
	const char *bytes = luaL_checklstring(L, index, &len);

	if (len != size)
		luaL_argerror(L, index, lua_pushfstring(L, "%d bytes wanted, not %d", (int)size, (int)len));
	return (const unsigned char *)bytes;
}

// ed25519_public(seed) -> the public key, 32 bytes
static int l_ed25519_public(lua_State *L)
{
	unsigned char out[CRYPTO_KEY_SIZE];
	struct err err;

	if (!crypto_ed25519_public(check_bytes(L, 1, CRYPTO_KEY_SIZE), out, &err))
		return err_raise(L, &err);
	lua_pushlstring(L, (const char *)out, sizeof out);
	return 1;
}

// ed25519_sign(seed, s) -> the signature, 64 bytes
static int l_ed25519_sign(lua_State *L)
{
	unsigned char out[CRYPTO_SIGNATURE_SIZE];
	const unsigned char *seed = check_bytes(L, 1, CRYPTO_KEY_SIZE);
	size_t len;
	const char *data = luaL_checklstring(L, 2, &len);
	struct err err;

	if (!crypto_ed25519_sign(seed, data, len, out, &err))
		return err_raise(L, &err);
	lua_pushlstring(L, (const char *)out, sizeof out);
	return 1;
}

// ed25519_verify(key, s, signature) -> boolean
static int l_ed25519_verify(lua_State *L)
{
	const unsigned char *key = check_bytes(L, 1, CRYPTO_KEY_SIZE);
	const unsigned char *signature = check_bytes(L, 3, CRYPTO_SIGNATURE_SIZE);
	size_t len;
	const char *data = luaL_checklstring(L, 2, &len);
	struct err err;
	bool good;

	if (!crypto_ed25519_verify(key, data, len, signature, &good, &err))
		return err_raise(L, &err);
	lua_pushboolean(L, good);
	return 1;
}

// ---- results of unknown length are built in a buffer that Lua owns

static int l_buf_close(lua_State *L)
{
	buf_free(lua_touserdata(L, 1));
	return 0;
}

// An empty buffer on top of the stack, freed when the calling C function ends, however it ends.
static struct buf *push_buf(lua_State *L)
{
	struct buf *b = lua_newuserdatauv(L, sizeof *b, 0);

	*b = (struct buf){.data = NULL};
	luaL_setmetatable(L, BUF_META);
	lua_toclose(L, -1);
	return b;
}

static int push_result(lua_State *L, const struct buf *b)
{
	lua_pushlstring(L, b->data != NULL ? b->data : "", b->len);
	return 1;
}

static int encode(lua_State *L, enum crypto_alphabet alphabet)
{
	size_t len;
	const char *data = luaL_checklstring(L, 1, &len);
	struct buf *out = push_buf(L);
	struct err err;

	if (!crypto_base64_encode(alphabet, data, len, out)) {
		err_no_memory(&err);
		return err_raise(L, &err);
	}
	return push_result(L, out);
}

static int decode(lua_State *L, enum crypto_alphabet alphabet)
{
	size_t len;
	const char *text = luaL_checklstring(L, 1, &len);
	struct buf *out = push_buf(L);
	struct err err;

	if (!crypto_base64_decode(alphabet, text, len, out, &err))
		return err_raise(L, &err);
	return push_result(L, out);
}

static int l_base64_encode(lua_State *L)
{
	return encode(L, CRYPTO_BASE64);
}

static int l_base64_decode(lua_State *L)
{
	return decode(L, CRYPTO_BASE64);
}

static int l_base64url_encode(lua_State *L)
{
	return encode(L, CRYPTO_BASE64URL);
}

static int l_base64url_decode(lua_State *L)
{
	return decode(L, CRYPTO_BASE64URL);
}

// rs256_sign(pem, s) -> the raw signature. The key is a secret from here on, whoever read it.
static int l_rs256_sign(lua_State *L)
{
	size_t pem_len, len;
	const char *pem = luaL_checklstring(L, 1, &pem_len);
	const char *data = luaL_checklstring(L, 2, &len);
	struct buf *out = push_buf(L);
	struct err err;

	if (!redact_add(pem, pem_len)) {
		err_no_memory(&err);
		return err_raise(L, &err);
	}
	if (!crypto_rs256_sign(pem, pem_len, data, len, out, &err))
		return err_raise(L, &err);
	return push_result(L, out);
}

// random(n) -> n bytes
static int l_random(lua_State *L)
{
	lua_Integer n = luaL_checkinteger(L, 1);
	luaL_Buffer b;
	char *out;
	struct err err;

	luaL_argcheck(L, n >= 0 && n <= MAX_RANDOM, 1, "not between 0 and 1048576");
	out = luaL_buffinitsize(L, &b, (size_t)n);
	if (!crypto_random(out, (size_t)n, &err))
		return err_raise(L, &err);
	luaL_pushresultsize(&b, (size_t)n);
	return 1;
}

// uuid() -> a random UUID in lower case
static int l_uuid(lua_State *L)
{
	char out[CRYPTO_UUID_SIZE];
	struct err err;

	if (!crypto_uuid(out, &err))
		return err_raise(L, &err);
	lua_pushstring(L, out);
	return 1;
}

static const luaL_Reg functions[] = {
	{"sha256", l_sha256},
	{"sha1", l_sha1},
	{"md5", l_md5},
	{"hmac_sha256", l_hmac_sha256},
	{"hkdf_sha256", l_hkdf_sha256},
	{"ed25519_public", l_ed25519_public},
	{"ed25519_sign", l_ed25519_sign},
	{"ed25519_verify", l_ed25519_verify},
	{"base64_encode", l_base64_encode},
	{"base64_decode", l_base64_decode},
	{"base64url_encode", l_base64url_encode},
	{"base64url_decode", l_base64url_decode},
	{"rs256_sign", l_rs256_sign},
	{"random", l_random},
	{"uuid", l_uuid},
	{NULL, NULL},
};

int luaopen_syncrun_crypto(lua_State *L)
{
	luaL_newmetatable(L, BUF_META);
	lua_pushcfunction(L, l_buf_close);
	lua_setfield(L, -2, "__close");
	lua_pop(L, 1);
	luaL_newlib(L, functions);
	return 1;
}

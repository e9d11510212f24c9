// Digests, signatures, random bytes and base64, over libcrypto's EVP interface. Knows no files, no keys' origin, no
// Lua.
#ifndef SYNCRUN_IO_CRYPTO_H
#define SYNCRUN_IO_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

enum crypto_hash { CRYPTO_MD5, CRYPTO_SHA1, CRYPTO_SHA256 };

enum { CRYPTO_MAX_DIGEST = 32, CRYPTO_HEX_SIZE = 2 * CRYPTO_MAX_DIGEST + 1, CRYPTO_UUID_SIZE = 37 };

// Bytes in a digest of this kind: 16, 20, 32.
size_t crypto_digest_size(enum crypto_hash hash);
// The digest of these bytes. Fails only when libcrypto does (a FIPS build without MD5, out of memory).
bool crypto_digest(
	enum crypto_hash hash, const void *data, size_t len, unsigned char out[static CRYPTO_MAX_DIGEST], struct err *err);
// The same as lower-case hex, terminated; two of them fit sqlite_function's shape.
bool crypto_digest_hex(
	enum crypto_hash hash, const void *data, size_t len, char out[static CRYPTO_HEX_SIZE], struct err *err);
// Lower-case hex of len bytes, terminated: out has room for 2 * len + 1.
void crypto_hex(const unsigned char *bytes, size_t len, char *out);
// The digest of two pieces, as of one text.
bool crypto_digest_two(enum crypto_hash hash, const void *a, size_t a_len, const void *b, size_t b_len,
	unsigned char out[static CRYPTO_MAX_DIGEST], struct err *err);
// HMAC (RFC 2104) with that hash.
bool crypto_hmac(enum crypto_hash hash, const void *key, size_t key_len, const void *data, size_t len,
	unsigned char out[static CRYPTO_MAX_DIGEST], struct err *err);

enum { CRYPTO_KEY_SIZE = 32, CRYPTO_SIGNATURE_SIZE = 64 };
// HKDF (RFC 5869) with SHA-256: one key of 32 bytes. No salt is a salt of length 0.
bool crypto_hkdf(const void *secret, size_t secret_len, const void *salt, size_t salt_len, const char *info,
	size_t info_len, unsigned char out[static CRYPTO_KEY_SIZE], struct err *err);

// A digest fed piece by piece. finish may be called once, at the end; free(NULL) is legal.
struct crypto_stream;
struct crypto_stream *crypto_stream_new(enum crypto_hash hash, struct err *err);
bool crypto_stream_add(struct crypto_stream *stream, const void *data, size_t len, struct err *err);
bool crypto_stream_finish(struct crypto_stream *stream, unsigned char out[static CRYPTO_MAX_DIGEST], struct err *err);
void crypto_stream_free(struct crypto_stream *stream);

// RS256 (RFC 7518, section 3.3: RSASSA-PKCS1-v1_5 with SHA-256, keys of 2048 bits at least): the raw signature is
// appended to out. The key is a PEM private key without passphrase. Errors (kind config) never quote the key.
bool crypto_rs256_sign(const char *pem, size_t pem_len, const void *data, size_t len, struct buf *out, struct err *err);
// Ed25519 (RFC 8032): keys of 32 bytes, signatures of 64. The seed is the private key as RFC 8032 calls it.
bool crypto_ed25519_public(
	const unsigned char seed[static CRYPTO_KEY_SIZE], unsigned char out[static CRYPTO_KEY_SIZE], struct err *err);
bool crypto_ed25519_sign(const unsigned char seed[static CRYPTO_KEY_SIZE], const void *data, size_t len,
	unsigned char out[static CRYPTO_SIGNATURE_SIZE], struct err *err);
// *good tells whether the signature is right; false is returned only when libcrypto fails.
bool crypto_ed25519_verify(const unsigned char key[static CRYPTO_KEY_SIZE], const void *data, size_t len,
	const unsigned char signature[static CRYPTO_SIGNATURE_SIZE], bool *good, struct err *err);
// Bytes fit for keys and nonces.
bool crypto_random(void *out, size_t len, struct err *err);
// A random UUID (RFC 4122, version 4) in lower case, terminated.
bool crypto_uuid(char out[static CRYPTO_UUID_SIZE], struct err *err);

enum crypto_alphabet { CRYPTO_BASE64, CRYPTO_BASE64URL };
// Base64 (RFC 4648, section 4, padded) or base64url (section 5, unpadded), appended. False when memory runs out.
bool crypto_base64_encode(enum crypto_alphabet alphabet, const void *data, size_t len, struct buf *out);
// The way back, strict: no foreign characters, no stray bits behind the last byte; base64 must be padded, base64url may
// be. Errors have kind usage. On failure out is as it was.
bool crypto_base64_decode(
	enum crypto_alphabet alphabet, const char *text, size_t len, struct buf *out, struct err *err);

#endif

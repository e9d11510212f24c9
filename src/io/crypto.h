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
// HMAC (RFC 2104) with that hash.
bool crypto_hmac(enum crypto_hash hash, const void *key, size_t key_len, const void *data, size_t len,
	unsigned char out[static CRYPTO_MAX_DIGEST], struct err *err);

// A digest fed piece by piece. finish may be called once, at the end; free(NULL) is legal.
struct crypto_stream;
struct crypto_stream *crypto_stream_new(enum crypto_hash hash, struct err *err);
bool crypto_stream_add(struct crypto_stream *stream, const void *data, size_t len, struct err *err);
bool crypto_stream_finish(struct crypto_stream *stream, unsigned char out[static CRYPTO_MAX_DIGEST], struct err *err);
void crypto_stream_free(struct crypto_stream *stream);

// RS256 (RFC 7518, section 3.3: RSASSA-PKCS1-v1_5 with SHA-256, keys of 2048 bits at least): the raw signature is
// appended to out. The key is a PEM private key without passphrase. Errors (kind config) never quote the key.
bool crypto_rs256_sign(const char *pem, size_t pem_len, const void *data, size_t len, struct buf *out, struct err *err);
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

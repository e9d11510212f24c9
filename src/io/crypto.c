// libcrypto behind a few verbs. Knows nothing of what is hashed or signed.
#include "io/crypto.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

struct crypto_stream {
	EVP_MD_CTX *ctx;
};

static const char *const hash_names[] = {[CRYPTO_MD5] = "MD5", [CRYPTO_SHA1] = "SHA1", [CRYPTO_SHA256] = "SHA256"};

// Says what libcrypto says, and leaves its error queue empty.
static bool fail(struct err *err, enum err_kind kind, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return err_set(err, kind, NULL, "cannot %s (%s)", what, reason != NULL ? reason : "libcrypto gives no reason");
}

// The fetched algorithm, kept: an implicit fetch for each small digest costs more than the digest.
static const EVP_MD *find_hash(enum crypto_hash hash, struct err *err)
{
	static EVP_MD *fetched[3];

	if (fetched[hash] == NULL)
		fetched[hash] = EVP_MD_fetch(NULL, hash_names[hash], NULL);
	if (fetched[hash] == NULL)
		fail(err, ERR_INTERNAL, "find the hash function");
	return fetched[hash];
}

size_t crypto_digest_size(enum crypto_hash hash)
{
	return hash == CRYPTO_MD5 ? 16 : hash == CRYPTO_SHA1 ? 20 : 32;
}

bool crypto_digest_two(enum crypto_hash hash, const void *a, size_t a_len, const void *b, size_t b_len,
	unsigned char out[static CRYPTO_MAX_DIGEST], struct err *err)
{
	static EVP_MD_CTX *ctx; // kept for the next one: the process has one thread that hashes
	const EVP_MD *md = find_hash(hash, err);

	if (md == NULL)
		return false;
	if (ctx == NULL && (ctx = EVP_MD_CTX_new()) == NULL)
		return err_no_memory(err);
	if (!EVP_DigestInit_ex(ctx, md, NULL) || !EVP_DigestUpdate(ctx, a, a_len) ||
		(b_len > 0 && !EVP_DigestUpdate(ctx, b, b_len)) || !EVP_DigestFinal_ex(ctx, out, NULL))
		return fail(err, ERR_INTERNAL, "compute a digest");
	return true;
}

bool crypto_digest(
	enum crypto_hash hash, const void *data, size_t len, unsigned char out[static CRYPTO_MAX_DIGEST], struct err *err)
{
	return crypto_digest_two(hash, data, len, NULL, 0, out, err);
}

void crypto_hex(const unsigned char *bytes, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
	*out = '\0';
}

bool crypto_digest_hex(
	enum crypto_hash hash, const void *data, size_t len, char out[static CRYPTO_HEX_SIZE], struct err *err)
{
	unsigned char raw[CRYPTO_MAX_DIGEST];

	if (!crypto_digest(hash, data, len, raw, err))
		return false;
	crypto_hex(raw, crypto_digest_size(hash), out);
	return true;
}

enum { HMAC_BLOCK = 64 }; // of all three hashes

// The key as RFC 2104 wants it: a block, filled up with zeros, a longer key by its digest.
static bool hmac_key(
	enum crypto_hash hash, const void *key, size_t len, unsigned char block[static HMAC_BLOCK], struct err *err)
{
	memset(block, 0, HMAC_BLOCK);
	if (len > HMAC_BLOCK)
		return crypto_digest(hash, key, len, block, err);
	if (len > 0)
		memcpy(block, key, len);
	return true;
}

static void mask(unsigned char block[static HMAC_BLOCK], unsigned char with)
{
	for (size_t i = 0; i < HMAC_BLOCK; i++)
		block[i] ^= with;
}

// By two plain digests: libcrypto's own HMAC costs several times as much where the text is short.
bool crypto_hmac(enum crypto_hash hash, const void *key, size_t key_len, const void *data, size_t len,
	unsigned char out[static CRYPTO_MAX_DIGEST], struct err *err)
{
	enum { INNER = 0x36, OUTER = 0x5c };
	unsigned char block[HMAC_BLOCK], inner[CRYPTO_MAX_DIGEST];

	if (!hmac_key(hash, key, key_len, block, err))
		return false;
	mask(block, INNER);
	if (!crypto_digest_two(hash, block, sizeof block, data, len, inner, err))
		return false;
	mask(block, INNER ^ OUTER);
	return crypto_digest_two(hash, block, sizeof block, inner, crypto_digest_size(hash), out, err);
}

bool crypto_hkdf(const void *secret, size_t secret_len, const void *salt, size_t salt_len, const char *info,
	size_t info_len, unsigned char out[static CRYPTO_KEY_SIZE], struct err *err)
{
	unsigned char extracted[CRYPTO_MAX_DIGEST];
	struct buf text = {0};
	bool ok = (buf_put(&text, info, info_len) && buf_putc(&text, 1)) || err_no_memory(err);

	ok = ok && crypto_hmac(CRYPTO_SHA256, salt, salt_len, secret, secret_len, extracted, err) &&
		 crypto_hmac(CRYPTO_SHA256, extracted, sizeof extracted, text.data, text.len, out, err);
	buf_free(&text);
	return ok;
}

struct crypto_stream *crypto_stream_new(enum crypto_hash hash, struct err *err)
{
	const EVP_MD *md = find_hash(hash, err);
	struct crypto_stream *stream;

	if (md == NULL)
		return NULL;
	stream = malloc(sizeof *stream);
	if (stream == NULL) {
		err_no_memory(err);
		return NULL;
	}
	stream->ctx = EVP_MD_CTX_new();
	if (stream->ctx == NULL || !EVP_DigestInit_ex(stream->ctx, md, NULL)) {
		crypto_stream_free(stream);
		fail(err, ERR_INTERNAL, "begin a digest");
		return NULL;
	}
	return stream;
}

bool crypto_stream_add(struct crypto_stream *stream, const void *data, size_t len, struct err *err)
{
	return EVP_DigestUpdate(stream->ctx, data, len) || fail(err, ERR_INTERNAL, "continue a digest");
}

bool crypto_stream_finish(struct crypto_stream *stream, unsigned char out[static CRYPTO_MAX_DIGEST], struct err *err)
{
	return EVP_DigestFinal_ex(stream->ctx, out, NULL) || fail(err, ERR_INTERNAL, "finish a digest");
}

void crypto_stream_free(struct crypto_stream *stream)
{
	if (stream == NULL)
		return;
	EVP_MD_CTX_free(stream->ctx);
	free(stream);
}

// libcrypto would otherwise ask for a passphrase on the terminal.
static int no_passphrase(char *out, int size, int writing, void *data)
{
	(void)out;
	(void)size;
	(void)writing;
	(void)data;
	return 0;
}

static EVP_PKEY *read_key(const char *pem, size_t len, struct err *err)
{
	BIO *bio = len <= INT_MAX ? BIO_new_mem_buf(pem, (int)len) : NULL;
	EVP_PKEY *key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;

	BIO_free(bio);
	if (key == NULL) {
		fail(err, ERR_CONFIG, "read the private key; is it a PEM text without passphrase?");
		return NULL;
	}
	if (EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) >= 2048)
		return key;
	EVP_PKEY_free(key);
	err_set(
		err, ERR_CONFIG, NULL, "the private key cannot sign with RS256 (an RSA key of 2048 bits at least is needed)");
	return NULL;
}

static bool sign(EVP_MD_CTX *ctx, EVP_PKEY *key, const void *data, size_t len, struct buf *out)
{
	size_t n = 0;

	if (!EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) || !EVP_DigestSign(ctx, NULL, &n, data, len) ||
		!buf_reserve(out, n))
		return false;
	if (!EVP_DigestSign(ctx, (unsigned char *)out->data + out->len, &n, data, len))
		return false;
	out->len += n;
	out->data[out->len] = '\0';
	return true;
}

bool crypto_rs256_sign(const char *pem, size_t pem_len, const void *data, size_t len, struct buf *out, struct err *err)
{
	EVP_PKEY *key = read_key(pem, pem_len, err);
	EVP_MD_CTX *ctx;
	bool ok;

	if (key == NULL)
		return false;
	ctx = EVP_MD_CTX_new();
	ok = ctx != NULL && sign(ctx, key, data, len, out);
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return ok || fail(err, ERR_INTERNAL, "sign with RS256");
}

bool crypto_ed25519_public(
	const unsigned char seed[static CRYPTO_KEY_SIZE], unsigned char out[static CRYPTO_KEY_SIZE], struct err *err)
{
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, CRYPTO_KEY_SIZE);
	size_t len = CRYPTO_KEY_SIZE;
	bool ok = key != NULL && EVP_PKEY_get_raw_public_key(key, out, &len) == 1;

	EVP_PKEY_free(key);
	return ok || fail(err, ERR_INTERNAL, "make an Ed25519 key");
}

bool crypto_ed25519_sign(const unsigned char seed[static CRYPTO_KEY_SIZE], const void *data, size_t len,
	unsigned char out[static CRYPTO_SIGNATURE_SIZE], struct err *err)
{
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, CRYPTO_KEY_SIZE);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t n = CRYPTO_SIGNATURE_SIZE;
	bool ok = key != NULL && ctx != NULL && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
			  EVP_DigestSign(ctx, out, &n, data, len) == 1;

	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return ok || fail(err, ERR_INTERNAL, "sign with Ed25519");
}

bool crypto_ed25519_verify(const unsigned char key[static CRYPTO_KEY_SIZE], const void *data, size_t len,
	const unsigned char signature[static CRYPTO_SIGNATURE_SIZE], bool *good, struct err *err)
{
	EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, CRYPTO_KEY_SIZE);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ready = pkey != NULL && ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1;

	*good = ready && EVP_DigestVerify(ctx, signature, CRYPTO_SIGNATURE_SIZE, data, len) == 1;
	ERR_clear_error(); // a wrong signature leaves one
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(pkey);
	return ready || fail(err, ERR_INTERNAL, "verify with Ed25519");
}

bool crypto_random(void *out, size_t len, struct err *err)
{
	unsigned char *p = out;

	while (len > 0) {
		int n = len < INT_MAX ? (int)len : INT_MAX;

		if (RAND_bytes(p, n) != 1)
			return fail(err, ERR_INTERNAL, "get random bytes");
		p += n;
		len -= (size_t)n;
	}
	return true;
}

bool crypto_uuid(char out[static CRYPTO_UUID_SIZE], struct err *err)
{
	static const size_t starts[] = {0, 4, 6, 8, 10, 16}; // of the five groups, in bytes
	unsigned char raw[16];

	if (!crypto_random(raw, sizeof raw, err))
		return false;
	raw[6] = (unsigned char)((raw[6] & 0x0f) | 0x40);
	raw[8] = (unsigned char)((raw[8] & 0x3f) | 0x80);
	for (size_t group = 0; group < 5; group++) {
		size_t len = starts[group + 1] - starts[group];

		crypto_hex(raw + starts[group], len, out);
		out += 2 * len;
		*out++ = group < 4 ? '-' : '\0';
	}
	return true;
}

static const char *const alphabets[] = {
	[CRYPTO_BASE64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
	[CRYPTO_BASE64URL] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
};

bool crypto_base64_encode(enum crypto_alphabet alphabet, const void *data, size_t len, struct buf *out)
{
	const char *letters = alphabets[alphabet];
	const unsigned char *p = data;
	char *to;

	if (len > SIZE_MAX / 2 || !buf_reserve(out, (len + 2) / 3 * 4))
		return false;
	to = out->data + out->len;
	for (; len > 0; p += 3) {
		size_t n = len < 3 ? len : 3;
		unsigned bits = (unsigned)p[0] << 16 | (n > 1 ? (unsigned)p[1] << 8 : 0) | (n > 2 ? p[2] : 0);

		for (size_t i = 0; i < 4; i++) {
			if (i <= n)
				*to++ = letters[bits >> (18 - 6 * i) & 63];
			else if (alphabet == CRYPTO_BASE64)
				*to++ = '=';
		}
		len -= n;
	}
	*to = '\0';
	out->len = (size_t)(to - out->data);
	return true;
}

static int letter_value(enum crypto_alphabet alphabet, char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == alphabets[alphabet][62])
		return 62;
	return c == alphabets[alphabet][63] ? 63 : -1;
}

// Length without padding; false when the padding or the length is not what the alphabet's rules allow.
static bool unpadded(enum crypto_alphabet alphabet, const char *text, size_t *len)
{
	size_t bare = *len;

	while (bare > 0 && text[bare - 1] == '=')
		bare--;
	if (bare % 4 == 1 || *len - bare > 2)
		return false;
	if ((*len != bare || alphabet == CRYPTO_BASE64) && *len % 4 != 0)
		return false;
	*len = bare;
	return true;
}

static bool decode_group(enum crypto_alphabet alphabet, const char *text, size_t letters, unsigned char *out)
{
	unsigned bits = 0;

	for (size_t i = 0; i < 4; i++) {
		int value = i < letters ? letter_value(alphabet, text[i]) : 0;

		if (value < 0)
			return false;
		bits = bits << 6 | (unsigned)value;
	}
	for (size_t i = 0; i < 3; i++)
		out[i] = (unsigned char)(bits >> (16 - 8 * i));
	return letters == 4 || (bits & (letters == 3 ? 0xffU : 0xffffU)) == 0;
}

bool crypto_base64_decode(enum crypto_alphabet alphabet, const char *text, size_t len, struct buf *out, struct err *err)
{
	const char *name = alphabet == CRYPTO_BASE64 ? "base64" : "base64url";
	size_t before = out->len;
	unsigned char group[3];

	if (!unpadded(alphabet, text, &len))
		return err_set(err, ERR_USAGE, NULL, "not %s (its length or padding is wrong)", name);
	if (!buf_reserve(out, len / 4 * 3 + 3))
		return err_no_memory(err);
	for (size_t i = 0; i < len; i += 4) {
		size_t letters = len - i < 4 ? len - i : 4;

		if (!decode_group(alphabet, text + i, letters, group)) {
			out->len = before;
			out->data[before] = '\0';
			return err_set(
				err, ERR_USAGE, NULL, "not %s (a foreign character or stray bits near byte %zu)", name, i + 1);
		}
		buf_put(out, group, letters - 1);
	}
	return true;
}

// What the Lua tests cannot reach: the piecewise digest, embedded outputs, strictness of base64 byte by byte.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "io/crypto.h"

// FIPS 180-2, appendix B.3: a million times 'a'.
static void test_stream_of_a_million(void **state)
{
	static const char want[] = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
	struct crypto_stream *stream = crypto_stream_new(CRYPTO_SHA256, NULL);
	unsigned char raw[CRYPTO_MAX_DIGEST];
	char piece[999], hex[CRYPTO_HEX_SIZE];
	size_t left = 1000000;

	(void)state;
	assert_non_null(stream);
	memset(piece, 'a', sizeof piece);
	while (left > 0) {
		size_t n = left < sizeof piece ? left : sizeof piece;

		assert_true(crypto_stream_add(stream, piece, n, NULL));
		left -= n;
	}
	assert_true(crypto_stream_finish(stream, raw, NULL));
	crypto_hex(raw, crypto_digest_size(CRYPTO_SHA256), hex);
	assert_string_equal(hex, want);
	crypto_stream_free(stream);
	crypto_stream_free(NULL);
}

static void test_digests_in_turn(void **state)
{
	char hex[CRYPTO_HEX_SIZE];

	(void)state;
	assert_true(crypto_digest_hex(CRYPTO_SHA256, "abc", 3, hex, NULL));
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_true(crypto_digest_hex(CRYPTO_MD5, "abc", 3, hex, NULL));
	assert_string_equal(hex, "900150983cd24fb0d6963f7d28e17f72");
	assert_true(crypto_digest_hex(CRYPTO_SHA1, "abc", 3, hex, NULL));
	assert_string_equal(hex, "a9993e364706816aba3e25717850c26c9cd0d89d");
	assert_true(crypto_digest_hex(CRYPTO_SHA256, NULL, 0, hex, NULL));
	assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

// Every text of one to five characters over a small alphabet either is refused or encodes back to itself.
static void test_base64_is_one_to_one(void **state)
{
	static const char letters[] = "AQg/+=-_";
	size_t base = sizeof letters - 1;
	unsigned accepted = 0;

	(void)state;
	for (size_t len = 1, count = base; len <= 5; len++, count *= base)
		for (size_t n = 0; n < count; n++) {
			struct buf raw = {0}, back = {0};
			char text[6] = {0};

			for (size_t i = 0, rest = n; i < len; i++, rest /= base)
				text[i] = letters[rest % base];
			if (crypto_base64_decode(CRYPTO_BASE64, text, len, &raw, NULL)) {
				assert_true(crypto_base64_encode(CRYPTO_BASE64, raw.data, raw.len, &back));
				assert_string_equal(back.data, text);
				accepted++;
			} else {
				assert_int_equal(raw.len, 0);
			}
			buf_free(&raw);
			buf_free(&back);
		}
	// xxxx: 5^4; xxx=: 5 * 5 * (letters with two low zero bits: A Q g); xx==: 5 * (four low zero bits: A Q g)
	assert_int_equal(accepted, 625 + 75 + 15);
}

static void test_decode_appends(void **state)
{
	struct buf out = {0};
	struct err err = {0};

	(void)state;
	assert_true(buf_puts(&out, "x"));
	assert_true(crypto_base64_decode(CRYPTO_BASE64, "Zm9v", 4, &out, NULL));
	assert_string_equal(out.data, "xfoo");
	assert_false(crypto_base64_decode(CRYPTO_BASE64, "Zm9vZm9!", 8, &out, &err));
	assert_string_equal(out.data, "xfoo");
	assert_int_equal(out.len, 4);
	assert_string_equal(err.message, "not base64 (a foreign character or stray bits near byte 5)");
	buf_free(&out);
}

static void test_uuid(void **state)
{
	char a[CRYPTO_UUID_SIZE], b[CRYPTO_UUID_SIZE];

	(void)state;
	for (int i = 0; i < 100; i++) {
		assert_true(crypto_uuid(a, NULL));
		assert_int_equal(strlen(a), 36);
		assert_true(a[8] == '-' && a[13] == '-' && a[18] == '-' && a[23] == '-');
		assert_int_equal(a[14], '4');
		assert_non_null(strchr("89ab", a[19]));
		assert_true(crypto_uuid(b, NULL));
		assert_string_not_equal(a, b);
	}
}

static void test_bad_keys(void **state)
{
	struct buf out = {0};
	struct err err = {0};

	(void)state;
	assert_false(crypto_rs256_sign("", 0, "x", 1, &out, &err));
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_false(
		crypto_rs256_sign("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", 60, "x", 1, &out, &err));
	assert_null(strstr(err.message, "AAAA"));
	assert_int_equal(out.len, 0);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stream_of_a_million),
		cmocka_unit_test(test_digests_in_turn),
		cmocka_unit_test(test_base64_is_one_to_one),
		cmocka_unit_test(test_decode_appends),
		cmocka_unit_test(test_uuid),
		cmocka_unit_test(test_bad_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

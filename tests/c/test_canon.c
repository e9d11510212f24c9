// Canonical forms, equality and digests.
#include "pages.h"

#include <stdio.h>

#include "data/canon.h"

static struct cell cell_of(const char *text)
{
	if (text == NULL)
		return (struct cell){.ptr = "", .null = true};
	return (struct cell){.ptr = text, .len = (uint32_t)strlen(text)};
}

static void assert_canon(enum col_type type, const char *text, const char *want)
{
	struct cell cell = cell_of(text);
	struct buf out = {0};
	struct err err;

	assert_true(canon_put(&out, type, &cell, &err));
	assert_string_equal(out.data != NULL ? out.data : "", want);
	buf_free(&out);
}

static bool equal(enum col_type type, const char *a, const char *b)
{
	struct cell left = cell_of(a), right = cell_of(b);
	struct canon canon = {.a = {0}};
	struct err err;
	bool result;

	assert_true(canon_equal(&canon, type, &left, &right, &result, &err));
	canon_free(&canon);
	return result;
}

static void integers(void **state)
{
	(void)state;
	assert_canon(COL_INT64, "42", "42");
	assert_canon(COL_INT64, "+42", "42");
	assert_canon(COL_INT64, "-007", "-7");
	assert_canon(COL_INT64, "-0", "0");
	assert_canon(COL_INT64, "000", "0");
	assert_canon(COL_INT64, "12345678901234567890123", "12345678901234567890123");
	assert_canon(COL_INT64, "", "");
	assert_canon(COL_INT64, "-", "-");
	assert_canon(COL_INT64, "4x2", "4x2");
	assert_canon(COL_TIMESTAMP, "infinity", "infinity");
}

static void decimals(void **state)
{
	(void)state;
	assert_canon(COL_DECIMAL, "1.10", "11e-1");
	assert_canon(COL_DECIMAL, "1000", "1e3");
	assert_canon(COL_DECIMAL, "1e3", "1e3");
	assert_canon(COL_DECIMAL, "-0.000", "0");
	assert_canon(COL_DECIMAL, "+1.5", "15e-1");
	assert_canon(COL_DECIMAL, ".5", "5e-1");
	assert_canon(COL_DECIMAL, "5.", "5");
	assert_canon(COL_DECIMAL, "007", "7");
	assert_canon(COL_DECIMAL, "-007.50", "-75e-1");
	assert_canon(
		COL_DECIMAL, "99999999999999999999999999999.9999999999", "999999999999999999999999999999999999999e-10");
	assert_true(equal(COL_DECIMAL, "1.1", "11e-1"));
	assert_true(equal(COL_DECIMAL, "0", "-0.0"));
	assert_false(equal(COL_DECIMAL, "1.1", "1.10000000000000000000000001"));
}

static void malformed_decimals_are_their_bytes(void **state)
{
	const char *const texts[] = {
		"NaN", "", ".", "-", "+", "+-1", "--1", "1.2.3", "1e", "e5", "0x10", " 1", "1 ", "-.", "1,5"};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		assert_canon(COL_DECIMAL, texts[i], texts[i]);
		assert_canon(COL_FLOAT64, texts[i], texts[i]);
		assert_true(equal(COL_DECIMAL, texts[i], texts[i]));
		assert_false(equal(COL_DECIMAL, texts[i], "1"));
	}
}

static void floats(void **state)
{
	(void)state;
	assert_canon(COL_FLOAT64, "0.10", "0.1");
	assert_canon(COL_FLOAT64, "1E2", "100");
	assert_canon(COL_FLOAT64, "-0.0", "0");
	assert_canon(COL_FLOAT64, "1e400", "Infinity");
	assert_canon(COL_FLOAT64, "-1e400", "-Infinity");
	assert_canon(COL_FLOAT64, "Infinity", "Infinity");
	assert_true(equal(COL_FLOAT64, "0.1000000000000000055511151231257827", "0.1"));
	assert_false(equal(COL_FLOAT64, "0.1", "0.10000000000000002"));
}

static void json(void **state)
{
	(void)state;
	assert_canon(COL_JSON, "{ \"b\":1.0, \"a\":[1e2] }", "{\"a\":[1e2],\"b\":1}");
	assert_true(equal(COL_JSON, "{\"a\":1,\"b\":2}", "{\"b\":2.0,\"a\":1}"));
	assert_false(equal(COL_JSON, "12345678901234567890", "12345678901234567891"));
	assert_canon(COL_JSON, "{\"a\":", "{\"a\":");
	assert_true(equal(COL_JSON, "{bad", "{bad"));
	assert_false(equal(COL_JSON, "{bad", "{}"));
}

static void other_types_are_their_bytes(void **state)
{
	(void)state;
	assert_false(equal(COL_TEXT, "01", "1"));
	assert_false(equal(COL_TEXT, "a", "A"));
	assert_false(equal(COL_TEXT, "a ", "a"));
	assert_canon(COL_DATE, "2024-02-29", "2024-02-29");
	assert_canon(COL_TEXT, "", "");
}

static void null_equals_null_only(void **state)
{
	(void)state;
	assert_true(equal(COL_TEXT, NULL, NULL));
	assert_false(equal(COL_TEXT, NULL, ""));
	assert_false(equal(COL_JSON, "null", NULL));
	assert_false(equal(COL_INT64, NULL, "0"));
}

static void hex(const char *spec, const char *const *texts, char out[65])
{
	struct rows *rows = make_page(spec, texts);
	struct canon canon = {.a = {0}};
	unsigned char digest[CANON_DIGEST_SIZE];
	struct err err;

	assert_true(canon_digest(&canon, rows->schema, rows_at(rows, 0), digest, &err));
	for (int i = 0; i < CANON_DIGEST_SIZE; i++)
		snprintf(out + i * 2, 3, "%02x", digest[i]);
	canon_free(&canon);
	rows_unref(rows);
}

// sha256sum of the bytes 3:Ada-0:11:{"a":[1e2]}
static void digest_is_that_of_the_framed_cells(void **state)
{
	char got[65];

	(void)state;
	hex("a:text b:text c:text d:json", (const char *[]){"Ada", NULL, "", "{\"a\": [100]}"}, got);
	assert_string_equal(got, "3b0bbc8970d4ba9769b2ff1b2544ded804cc74f6eda3b79be30e53a5806f5b32");
}

static void digest_frames_so_that_nothing_collides(void **state)
{
	char a[65], b[65];

	(void)state;
	hex("a:text b:text", (const char *[]){"ab", "c"}, a);
	hex("a:text b:text", (const char *[]){"a", "bc"}, b);
	assert_string_not_equal(a, b);
	hex("a:text b:text", (const char *[]){NULL, "x"}, a);
	hex("a:text b:text", (const char *[]){"", "x"}, b);
	assert_string_not_equal(a, b);
	hex("a:json b:decimal", (const char *[]){"{\"x\":1, \"a\":2}", "1.50"}, a);
	hex("a:json b:decimal", (const char *[]){"{\"a\":2,\"x\":1.0}", "15e-1"}, b);
	assert_string_equal(a, b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers),
		cmocka_unit_test(decimals),
		cmocka_unit_test(malformed_decimals_are_their_bytes),
		cmocka_unit_test(floats),
		cmocka_unit_test(json),
		cmocka_unit_test(other_types_are_their_bytes),
		cmocka_unit_test(null_equals_null_only),
		cmocka_unit_test(digest_is_that_of_the_framed_cells),
		cmocka_unit_test(digest_frames_so_that_nothing_collides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// Masking of secrets: by value, in URLs, behind Bearer, and what must be left alone.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/redact.h"

static void expect(const char *text, const char *want)
{
	struct buf out = {0};

	assert_true(redact_append(&out, text, strlen(text)));
	assert_string_equal(out.data, want);
	buf_free(&out);
}

static void add(const char *secret)
{
	assert_true(redact_add(secret, strlen(secret)));
}

static int reset(void **state)
{
	(void)state;
	redact_reset();
	return 0;
}

static void test_plain_text_is_left_alone(void **state)
{
	(void)state;
	expect("", "");
	expect("a plain line: 12:30, x@y.z, http://host/path", "a plain line: 12:30, x@y.z, http://host/path");
	expect("https://host:8443/people/@me?x=1", "https://host:8443/people/@me?x=1");
	expect("https://user@host/x", "https://user@host/x");
	expect("bear", "bear");
	expect("bearer ", "bearer ");
	expect("://", "://");
}

static void test_values(void **state)
{
	(void)state;
	add("hunter22");
	expect("hunter22", "***");
	expect("a hunter22 b hunter22", "a *** b ***");
	expect("hunter2", "***"); // a text cut inside a secret
	expect("hunte", "hunte");
	expect("hunter21", "hunter21");
}

static void test_short_secrets_are_not_masked(void **state)
{
	(void)state;
	add("abcde");
	add("");
	expect("abcde abcdef", "abcde abcdef");
}

static void test_longest_and_overlapping(void **state)
{
	(void)state;
	add("secret");
	add("secret-and-more");
	add("morewood");
	expect("x secret y", "x *** y");
	expect("x secret-and-more y", "x *** y");
	expect("x secret-and-morewood y", "x *** y");
}

static void test_url_encoded(void **state)
{
	(void)state;
	add("p@ss/w\xc3\xb6rd~");
	expect("k=p%40ss%2Fw%C3%B6rd~&x", "k=***&x");
	expect("k=p@ss/w\xc3\xb6rd~&x", "k=***&x");
}

static void test_bytes_with_nul(void **state)
{
	struct buf out = {0};

	(void)state;
	assert_true(redact_add("ab\0cdef", 7));
	assert_true(redact_append(&out, "x\0ab\0cdef\0y", 11));
	assert_int_equal(out.len, 7);
	assert_memory_equal(out.data, "x\0***\0y", 7);
	buf_free(&out);
}

static void test_bearer(void **state)
{
	(void)state;
	expect("Authorization: Bearer abc.def-_~+/==, next", "Authorization: Bearer ***, next");
	expect("bearer  x", "bearer  ***");
	expect("BEARER ***", "BEARER ***"); // masking twice changes nothing
}

static void test_passwords_in_urls(void **state)
{
	(void)state;
	expect("postgres://u:pw@h:5432/db", "postgres://u:***@h:5432/db");
	expect("'postgres://u:p@w@h/db'", "'postgres://u:***@h/db'");
	expect("postgres://u:p/w@h/db and more@x", "postgres://u:***@h/db and more@x");
	expect("postgres://:pw@h/db", "postgres://:***@h/db");
	expect("postgres://u:***@h/db", "postgres://u:***@h/db");
	expect("postgres://u:@h/db", "postgres://u:@h/db");
	expect("a://b:c@d e://f:g@h", "a://b:***@d e://f:***@h");
}

static void test_copy(void **state)
{
	char small[8], same[64] = "token=hunter22;";

	(void)state;
	add("hunter22");
	redact_copy(small, sizeof small, "a hunter22 and more");
	assert_string_equal(small, "a *** a");
	redact_copy(same, sizeof same, same);
	assert_string_equal(same, "token=***;");
	redact_copy(small, sizeof small, "");
	assert_string_equal(small, "");
}

static void test_reset(void **state)
{
	(void)state;
	add("hunter22");
	redact_reset();
	expect("hunter22", "hunter22");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_plain_text_is_left_alone, reset),
		cmocka_unit_test_teardown(test_values, reset),
		cmocka_unit_test_teardown(test_short_secrets_are_not_masked, reset),
		cmocka_unit_test_teardown(test_longest_and_overlapping, reset),
		cmocka_unit_test_teardown(test_url_encoded, reset),
		cmocka_unit_test_teardown(test_bytes_with_nul, reset),
		cmocka_unit_test_teardown(test_bearer, reset),
		cmocka_unit_test_teardown(test_passwords_in_urls, reset),
		cmocka_unit_test_teardown(test_copy, reset),
		cmocka_unit_test_teardown(test_reset, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

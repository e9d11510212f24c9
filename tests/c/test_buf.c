// Unit tests of base/buf and base/err.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"

static void test_buf_grows_and_stays_terminated(void **state)
{
	struct buf b = {0};

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_true(buf_puts(&b, "0123456789"));
	assert_int_equal(b.len, 10000);
	assert_int_equal(strlen(b.data), 10000);
	buf_free(&b);
	assert_null(b.data);
	assert_true(buf_putc(&b, 'x')); // usable again
	assert_string_equal(b.data, "x");
	buf_free(&b);
}

static void test_buf_puts_numbers(void **state)
{
	struct buf b = {0};

	(void)state;
	assert_true(buf_putd(&b, 0) && buf_putc(&b, ' ') && buf_putd(&b, -7) && buf_putc(&b, ' ') && buf_putd(&b, 1200));
	assert_string_equal(b.data, "0 -7 1200");
	buf_clear(&b);
	assert_true(buf_putd(&b, INT64_MAX) && buf_putc(&b, ' ') && buf_putd(&b, INT64_MIN));
	assert_string_equal(b.data, "9223372036854775807 -9223372036854775808");
	buf_free(&b);
}

static void test_buf_keeps_nul_bytes(void **state)
{
	struct buf b = {0};

	(void)state;
	assert_true(buf_put(&b, "a\0b", 3));
	assert_int_equal(b.len, 3);
	assert_memory_equal(b.data, "a\0b\0", 4);
	assert_true(buf_put(&b, NULL, 0));
	assert_int_equal(b.len, 3);
	buf_free(&b);
}

static void test_buf_shift(void **state)
{
	struct buf b = {0};

	(void)state;
	assert_true(buf_puts(&b, "abcdef"));
	buf_shift(&b, 2);
	assert_string_equal(b.data, "cdef");
	buf_shift(&b, 99);
	assert_int_equal(b.len, 0);
	assert_string_equal(b.data, "");
	buf_free(&b);
}

static void test_buf_printf(void **state)
{
	struct buf b = {0};

	(void)state;
	assert_true(buf_printf(&b, "%d-%s", 7, "x"));
	assert_true(buf_printf(&b, "%0200d", 1));
	assert_int_equal(b.len, 203);
	assert_memory_equal(b.data, "7-x000", 6);
	buf_free(&b);
}

static void test_buf_refuses_what_cannot_be(void **state)
{
	struct buf b = {0};

	(void)state;
	assert_true(buf_puts(&b, "kept"));
	assert_false(buf_reserve(&b, SIZE_MAX - 2));
	assert_string_equal(b.data, "kept");
	buf_free(&b);
}

static void test_err_set_and_clear(void **state)
{
	struct err err;

	(void)state;
	assert_false(err_set(&err, ERR_HTTP, "404", "no '%s'", "x"));
	assert_int_equal(err.kind, ERR_HTTP);
	assert_string_equal(err.code, "404");
	assert_string_equal(err.message, "no 'x'");
	assert_false(err.retryable);
	assert_false(err_set_retryable(&err, ERR_TIMEOUT, NULL, "late"));
	assert_true(err.retryable);
	assert_string_equal(err.code, "");
	err_clear(&err);
	assert_int_equal(err.kind, ERR_NONE);
	assert_false(err_set(NULL, ERR_HTTP, NULL, "nobody asks"));
}

static void test_err_cuts_long_text(void **state)
{
	struct err err;
	char text[5000];

	(void)state;
	memset(text, 'm', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	err_set(&err, ERR_JSON, text, "%s", text);
	assert_int_equal(strlen(err.message), ERR_MESSAGE_SIZE - 1);
	assert_int_equal(strlen(err.code), ERR_CODE_SIZE - 1);
}

static void test_err_kinds_have_names(void **state)
{
	(void)state;
	for (int k = ERR_NONE; k <= ERR_INTERNAL; k++) {
		assert_non_null(err_kind_name((enum err_kind)k));
		assert_int_equal(err_kind_of(err_kind_name((enum err_kind)k)), k);
	}
	assert_int_equal(err_kind_of("no such kind"), ERR_INTERNAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buf_grows_and_stays_terminated),
		cmocka_unit_test(test_buf_puts_numbers),
		cmocka_unit_test(test_buf_keeps_nul_bytes),
		cmocka_unit_test(test_buf_shift),
		cmocka_unit_test(test_buf_printf),
		cmocka_unit_test(test_buf_refuses_what_cannot_be),
		cmocka_unit_test(test_err_set_and_clear),
		cmocka_unit_test(test_err_cuts_long_text),
		cmocka_unit_test(test_err_kinds_have_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

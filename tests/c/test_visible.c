// Text made visible in fixed buffers, as error messages are. All else is tested through Lua (visible_test.lua).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/visible.h"

static void test_copy(void **state)
{
	char text[16] = "a\x1b\n\xe2\x80\xae";

	(void)state;
	visible_copy(text, sizeof text, text, true);
	assert_string_equal(text, "a\\x1b\n\\u202e");
	visible_copy(text, sizeof text, "a\nb", false);
	assert_string_equal(text, "a\\x0ab");
	visible_copy(text, sizeof text, "", false);
	assert_string_equal(text, "");
}

static void test_a_copy_is_cut_between_characters(void **state)
{
	char text[6];

	(void)state;
	visible_copy(text, sizeof text, "abcde", false);
	assert_string_equal(text, "abcde");
	visible_copy(text, sizeof text, "abcdef", false);
	assert_string_equal(text, "abcde");
	visible_copy(text, sizeof text, "abcdé", false);
	assert_string_equal(text, "abcd");
	visible_copy(text, sizeof text, "abcé", false);
	assert_string_equal(text, "abcé");
	visible_copy(text, sizeof text, "ab😀", false);
	assert_string_equal(text, "ab");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_a_copy_is_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

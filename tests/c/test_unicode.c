// UTF-8: what is well-formed, what repair makes of the rest, and lower case.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "io/unicode.h"

static void assert_repaired(const char *text, const char *want)
{
	size_t len = strlen(text);
	char *exact = malloc(len + 1); // without the NUL behind it: a read too far is seen
	struct buf out = {0};

	exact = realloc(exact, len > 0 ? len : 1);
	memcpy(exact, text, len);
	assert_true(unicode_repair(&out, exact, len));
	assert_string_equal(out.data, want);
	assert_int_equal(unicode_valid(exact, len), strcmp(text, want) == 0);
	buf_free(&out);
	free(exact);
}

#define FFFD "\xEF\xBF\xBD"

// The examples of Unicode 15, section 3.9, tables 3-8 to 3-11, and the ends of ranges.
static void spell_shows_every_odd_byte(void **state)
{
	static const char text[] = "a\xFF\xE1\x80\xC3\xA9\\";
	struct buf out = {0};

	(void)state;
	assert_true(unicode_spell(&out, text, sizeof text - 1));
	assert_true(buf_putc(&out, '\0'));
	assert_string_equal(out.data, "a\\xff\\xe1\\x80\xC3\xA9\\");
	buf_free(&out);
}

static void repair_replaces_maximal_parts(void **state)
{
	(void)state;
	assert_repaired("plain ASCII text", "plain ASCII text");
	assert_repaired("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
	assert_repaired("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41", FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD "A");
	assert_repaired("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41", FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD "A");
	assert_repaired("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42", FFFD FFFD FFFD FFFD FFFD "A" FFFD FFFD "B");
	assert_repaired("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", FFFD FFFD FFFD FFFD "A");
	assert_repaired("12345678\xE2\x82", "12345678" FFFD);
	assert_repaired("\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF", "\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF");
}

static void assert_lower(const char *text, const char *want)
{
	struct buf out = {0};

	assert_true(unicode_lower(&out, text, strlen(text)));
	assert_string_equal(out.data, want);
	buf_free(&out);
}

static void lower_case_is_full_and_keeps_what_is_no_text(void **state)
{
	(void)state;
	assert_lower("Ada@Example.COM", "ada@example.com");
	assert_lower("\xC3\x89MILE \xC5\x81", "\xC3\xA9mile \xC5\x82");
	assert_lower("\xC4\xB0", "i\xCC\x87"); // I with dot above: two code points
	assert_lower("\xCE\x9F\xCE\x94\xCE\x9F\xCE\xA3", "\xCE\xBF\xCE\xB4\xCE\xBF\xCF\x82"); // final sigma
	assert_lower("A\xFF\xC3\x89\xE2", "a\xFF\xC3\xA9\xE2");
	assert_true(unicode_is_plain_lower("ada 1815", 8));
	assert_false(unicode_is_plain_lower("adA", 3));
	assert_false(unicode_is_plain_lower("\xC3\xA9", 2));
}

static void every_code_point_round_trips(void **state)
{
	(void)state;
	for (uint32_t code = 0x80; code <= 0x10FFFF; code++) {
		char text[4];
		size_t len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
		uint32_t got;

		for (size_t i = len; i-- > 1;)
			text[i] = (char)(0x80 | ((code >> (6 * (len - 1 - i))) & 0x3F));
		text[0] = (char)((0xF00u >> len & 0xFF) | code >> (6 * (len - 1)));
		if (code >= 0xD800 && code <= 0xDFFF) {
			assert_int_equal(unicode_decode(text, len, &got), 1);
			assert_true(got == UNICODE_INVALID);
			continue;
		}
		assert_int_equal(unicode_decode(text, len, &got), len);
		assert_int_equal(got, code);
	}
}

static void white_space_is_that_of_javascript(void **state)
{
	const uint32_t spaces[] = {
		9, 10, 11, 12, 13, 32, 0xA0, 0x1680, 0x2000, 0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF};

	(void)state;
	for (size_t i = 0; i < sizeof spaces / sizeof spaces[0]; i++)
		assert_true(unicode_is_js_space(spaces[i]));
	assert_false(unicode_is_js_space(0x200B));
	assert_false(unicode_is_js_space(0x85));
	assert_false(unicode_is_js_space('a'));
	assert_false(unicode_is_js_space(UNICODE_INVALID));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(repair_replaces_maximal_parts),
		cmocka_unit_test(spell_shows_every_odd_byte),
		cmocka_unit_test(lower_case_is_full_and_keeps_what_is_no_text),
		cmocka_unit_test(every_code_point_round_trips),
		cmocka_unit_test(white_space_is_that_of_javascript),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

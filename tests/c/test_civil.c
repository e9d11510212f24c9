// The calendar against libc's, at the ends of its range, and every way a text can be wrong.
#define _DEFAULT_SOURCE // timegm
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/civil.h"

// xorshift64*: the same numbers in every run.
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

static void check_against_libc(int64_t us)
{
	struct civil c;
	struct tm tm;
	time_t seconds = (time_t)((us - (((us % 1000000) + 1000000) % 1000000)) / 1000000);
	char text[CIVIL_TEXT_SIZE];
	int64_t back;
	size_t n;

	civil_from_us(us, &c);
	assert_non_null(gmtime_r(&seconds, &tm));
	assert_int_equal(c.year, tm.tm_year + 1900);
	assert_int_equal(c.month, tm.tm_mon + 1);
	assert_int_equal(c.day, tm.tm_mday);
	assert_int_equal(c.hour, tm.tm_hour);
	assert_int_equal(c.min, tm.tm_min);
	assert_int_equal(c.sec, tm.tm_sec);
	assert_true(c.usec >= 0 && us == (int64_t)timegm(&tm) * 1000000 + c.usec);
	assert_true(civil_to_us(&c) == us);
	assert_true(civil_date_valid(c.year, c.month, c.day));
	n = civil_format_rfc3339(us, CIVIL_AUTO, text);
	assert_true(civil_parse_rfc3339(text, n, &back, NULL) && back == us);
	n = civil_format_rfc3339(us, 6, text);
	assert_true(civil_parse_rfc3339(text, n, &back, NULL) && back == us);
}

static void test_property(void **state)
{
	uint64_t seed = 42, span = (uint64_t)(CIVIL_MAX_US - CIVIL_MIN_US) + 1;

	(void)state;
	for (int i = 0; i < 200000; i++)
		check_against_libc(CIVIL_MIN_US + (int64_t)(next_random(&seed) % span));
	check_against_libc(CIVIL_MIN_US);
	check_against_libc(CIVIL_MAX_US);
	check_against_libc(0);
	check_against_libc(-1);
}

static void test_every_day(void **state)
{
	int64_t days = civil_to_days(1, 1, 1);
	int year, month, day;

	(void)state;
	assert_int_equal(days, -719162);
	assert_int_equal(civil_to_days(9999, 12, 31), 2932896);
	for (int y = 1; y <= 9999; y++)
		for (int m = 1; m <= 12; m++)
			for (int d = 1; civil_date_valid(y, m, d); d++, days++) {
				civil_from_days(days, &year, &month, &day);
				if (civil_to_days(y, m, d) != days || year != y || month != m || day != d)
					fail_msg("day %d-%d-%d", y, m, d);
			}
	assert_int_equal(days, 2932897);
}

static void test_date_validity(void **state)
{
	(void)state;
	assert_true(civil_date_valid(2000, 2, 29));
	assert_true(civil_date_valid(2024, 2, 29));
	assert_false(civil_date_valid(1900, 2, 29));
	assert_false(civil_date_valid(2023, 2, 29));
	assert_false(civil_date_valid(0, 1, 1));
	assert_false(civil_date_valid(10000, 1, 1));
	assert_false(civil_date_valid(2024, 13, 1));
	assert_false(civil_date_valid(2024, 0, 1));
	assert_false(civil_date_valid(2024, 4, 31));
	assert_false(civil_date_valid(2024, 4, 0));
}

static void parses(const char *text, int64_t want)
{
	struct err err = {0};
	int64_t us;

	if (!civil_parse_rfc3339(text, strlen(text), &us, &err))
		fail_msg("%s", err.message);
	assert_true(us == want);
}

static void test_parse(void **state)
{
	(void)state;
	parses("1970-01-01T00:00:00Z", 0);
	parses("1970-01-01 00:00:00z", 0);
	parses("1969-12-31t23:59:59.999999Z", -1);
	parses("2026-01-02T03:04:05.123456Z", INT64_C(1767323045123456));
	parses("2026-01-02T03:04:05.1Z", INT64_C(1767323045100000));
	parses("2026-01-02T03:04:05.123456000Z", INT64_C(1767323045123456));
	parses("2026-01-02T03:04:05.000000000Z", INT64_C(1767323045000000));
	parses("2026-01-02T08:34:05.123456+05:30", INT64_C(1767323045123456));
	parses("2026-01-01T19:04:05-08:00", INT64_C(1767323045000000));
	parses("2026-01-02T03:04:05-00:00", INT64_C(1767323045000000));
	parses("0001-01-01T00:00:00Z", CIVIL_MIN_US);
	parses("0001-01-01T05:00:00+05:00", CIVIL_MIN_US);
	parses("9999-12-31T23:59:59.999999Z", CIVIL_MAX_US);
	parses("9999-12-31T18:59:59.999999-05:00", CIVIL_MAX_US);
}

static void refuses(const char *text, const char *why)
{
	struct err err = {0};
	int64_t us = 77;

	assert_false(civil_parse_rfc3339(text, strlen(text), &us, &err));
	assert_int_equal(err.kind, ERR_USAGE);
	if (strstr(err.message, why) == NULL)
		fail_msg("'%s' has no '%s'", err.message, why);
	assert_int_equal(us, 77);
}

static void test_refuse(void **state)
{
	(void)state;
	refuses("", "too early");
	refuses("2026-01-02", "too early");
	refuses("2026-01-02T03:04", "too early");
	refuses("2026-01-02T03:04:05", "offset is missing");
	refuses("2026-01-02T03:04:05 Z", "neither Z nor");
	refuses("2026-01-02T03:04:05Zx", "something follows");
	refuses("2026-01-02T03:04:05+0530", "separator");
	refuses("2026-01-02T03:04:05+24:00", "no such offset");
	refuses("2026-01-02T03:04:05+05:60", "no such offset");
	refuses("2026-01-02T24:00:00Z", "no such time");
	refuses("2026-01-02T03:60:00Z", "no such time");
	refuses("2026-01-02T03:04:61Z", "no such time");
	refuses("2016-12-31T23:59:60Z", "leap second");
	refuses("2026-02-29T00:00:00Z", "no such day");
	refuses("0000-01-01T00:00:00Z", "no such day");
	refuses("+10000-01-01T00:00:00Z", "digit");
	refuses("2026-1-02T03:04:05Z", "digit");
	refuses("2026/01/02T03:04:05Z", "separator");
	refuses("2026-01-02_03:04:05Z", "separator");
	refuses("2026-01-02T03:04:05.Z", "1 to 9 digits");
	refuses("2026-01-02T03:04:05.0000000000Z", "1 to 9 digits");
	refuses("2026-01-02T03:04:05.1234567Z", "finer than a microsecond");
	refuses("2026-01-02T03:04:05.123456001Z", "finer than a microsecond");
	refuses("0001-01-01T00:00:00+00:01", "outside years");
	refuses("9999-12-31T23:59:59-00:01", "outside years");
	refuses("\x1b[31m", "'?[31m'");
}

static void test_format(void **state)
{
	char text[CIVIL_TEXT_SIZE];
	int64_t us = INT64_C(1767323045123456);

	(void)state;
	assert_int_equal(civil_format_rfc3339(us, 6, text), 27);
	assert_string_equal(text, "2026-01-02T03:04:05.123456Z");
	civil_format_rfc3339(us, 3, text);
	assert_string_equal(text, "2026-01-02T03:04:05.123Z");
	civil_format_rfc3339(us, 0, text);
	assert_string_equal(text, "2026-01-02T03:04:05Z");
	civil_format_rfc3339(us, CIVIL_AUTO, text);
	assert_string_equal(text, "2026-01-02T03:04:05.123456Z");
	civil_format_rfc3339(us - 456, CIVIL_AUTO, text);
	assert_string_equal(text, "2026-01-02T03:04:05.123Z");
	civil_format_rfc3339(us - 123456, CIVIL_AUTO, text);
	assert_string_equal(text, "2026-01-02T03:04:05Z");
	civil_format_rfc3339(CIVIL_MIN_US, 6, text);
	assert_string_equal(text, "0001-01-01T00:00:00.000000Z");
	civil_format_rfc3339(-1, 3, text);
	assert_string_equal(text, "1969-12-31T23:59:59.999Z");
}

static void test_parts(void **state)
{
	char text[CIVIL_TEXT_SIZE];
	struct civil c;

	(void)state;
	assert_true(civil_parse_date("2024-02-29", 10, &c, NULL));
	assert_true(c.year == 2024 && c.month == 2 && c.day == 29 && c.hour == 0);
	assert_int_equal(civil_format_date(&c, text), 10);
	assert_string_equal(text, "2024-02-29");
	assert_false(civil_parse_date("2024-02-30", 10, &c, NULL));
	assert_false(civil_parse_date("2024-02-29T", 11, &c, NULL));
	assert_true(civil_parse_time("23:59:59.5", 10, &c, NULL));
	assert_true(c.year == 1 && c.hour == 23 && c.usec == 500000);
	assert_int_equal(civil_format_time(&c, text), 15);
	assert_string_equal(text, "23:59:59.500000");
	assert_false(civil_parse_time("23:59:59Z", 9, &c, NULL));
	assert_true(civil_parse_datetime("2024-02-29 01:02:03", 19, &c, NULL));
	assert_int_equal(civil_format_datetime(&c, text), 19);
	assert_string_equal(text, "2024-02-29T01:02:03");
	assert_false(civil_parse_datetime("2024-02-29T01:02:03Z", 20, &c, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_property),
		cmocka_unit_test(test_every_day),
		cmocka_unit_test(test_date_validity),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_refuse),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

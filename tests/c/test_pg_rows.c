// COPY's binary stream and text[] arrays against vectors: the ends of every type, NULL and empty, streams cut anywhere,
// and every way a stream can be broken.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data/pg_rows.h"

#define HEADER "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0"
enum { HEADER_LEN = 19 };

static void put(struct buf *b, const void *data, size_t len)
{
	assert_true(buf_put(b, data, len));
}

static void put_int(struct buf *b, uint64_t value, int bytes)
{
	for (int i = bytes - 1; i >= 0; i--)
		assert_true(buf_putc(b, (char)(value >> (8 * i))));
}

static void put_field(struct buf *b, const void *data, size_t len)
{
	put_int(b, len, 4);
	put(b, data, len);
}

static struct schema *schema_of(enum col_type type, size_t n)
{
	static const char *const names[] = {"a", "b", "c"};
	enum col_type types[3] = {type, type, type};
	struct err err;
	struct schema *schema = schema_new(n, names, types, &err);

	assert_non_null(schema);
	return schema;
}

static struct rows *page_of(enum col_type type, size_t n)
{
	struct schema *schema = schema_of(type, n);
	struct err err;
	struct rows *rows = rows_new(schema, &err);

	assert_non_null(rows);
	schema_unref(schema);
	return rows;
}

static void expect_cell(const struct rows *rows, size_t r, size_t c, const char *want, size_t len)
{
	const struct cell *cell = &rows_at(rows, r)[c];

	assert_false(cell->null);
	if (cell->len != len || memcmp(cell->ptr, want, len) != 0)
		fail_msg("got '%.*s', want '%.*s'", (int)cell->len, cell->ptr, (int)len, want);
}

// One row of one column through a whole stream. want NULL: it must be refused with code "protocol".
static void expect_decoded(enum col_type type, const void *bytes, size_t len, const char *want)
{
	struct rows *rows = page_of(type, 1);
	struct pg_decoder d = {.header = false};
	struct buf b = {0};
	struct err err;

	put(&b, HEADER, HEADER_LEN);
	put_int(&b, 1, 2);
	put_field(&b, bytes, len);
	put_int(&b, 0xffff, 2);
	if (want == NULL) {
		assert_false(pg_decoder_feed(&d, b.data, b.len, rows, &err));
		assert_string_equal(err.code, "protocol");
	} else {
		assert_true(pg_decoder_feed(&d, b.data, b.len, rows, &err));
		assert_true(pg_decoder_finish(&d, &err));
		expect_cell(rows, 0, 0, want, strlen(want));
	}
	pg_decoder_free(&d);
	buf_free(&b);
	rows_unref(rows);
}

static void expect_number(enum col_type type, uint64_t value, int bytes, const char *want)
{
	struct buf b = {0};

	put_int(&b, value, bytes);
	expect_decoded(type, b.data, b.len, want);
	buf_free(&b);
}

static void test_integers(void **state)
{
	(void)state;
	expect_number(COL_INT64, 0, 8, "0");
	expect_number(COL_INT64, INT64_MAX, 8, "9223372036854775807");
	expect_number(COL_INT64, UINT64_C(1) << 63, 8, "-9223372036854775808");
	expect_number(COL_INT64, UINT64_MAX, 8, "-1");
	expect_number(COL_INT64, INT32_MAX, 4, "2147483647");
	expect_number(COL_INT64, UINT32_C(1) << 31, 4, "-2147483648");
	expect_number(COL_INT64, 0x7fff, 2, "32767");
	expect_number(COL_INT64, 0x8000, 2, "-32768");
	expect_number(COL_INT64, 0, 1, NULL);
	expect_number(COL_INT64, 0, 5, NULL);
}

static void test_booleans(void **state)
{
	(void)state;
	expect_number(COL_BOOL, 0, 1, "false");
	expect_number(COL_BOOL, 1, 1, "true");
	expect_number(COL_BOOL, 2, 1, NULL);
	expect_decoded(COL_BOOL, "", 0, NULL);
	expect_decoded(COL_BOOL, "true", 4, NULL);
}

static void expect_double(double v, const char *want)
{
	uint64_t u;

	memcpy(&u, &v, sizeof u);
	expect_number(COL_FLOAT64, u, 8, want);
}

static void expect_single(float v, const char *want)
{
	uint32_t u;

	memcpy(&u, &v, sizeof u);
	expect_number(COL_FLOAT64, u, 4, want);
}

static void test_floats(void **state)
{
	(void)state;
	expect_double(0, "0");
	expect_double(-0.0, "-0");
	expect_double(0.1, "0.1");
	expect_double(0.1 + 0.2, "0.30000000000000004");
	expect_double(1.7976931348623157e308, "1.7976931348623157e+308");
	expect_double(5e-324, "5e-324");
	expect_double(2.2250738585072014e-308, "2.2250738585072014e-308");
	expect_double(9007199254740993.0, "9007199254740992");
	expect_double(1e22, "1e+22");
	expect_single(0.1f, "0.1");
	expect_single(3.4028235e38f, "3.4028235e+38");
	expect_single(1e-45f, "1e-45");
	expect_single(16777216.0f, "16777216");
	expect_number(COL_FLOAT64, UINT64_C(0x7ff8) << 48, 8, "NaN");
	expect_number(COL_FLOAT64, UINT64_C(0x7ff0) << 48, 8, "Infinity");
	expect_number(COL_FLOAT64, UINT64_C(0xfff0) << 48, 8, "-Infinity");
	expect_number(COL_FLOAT64, UINT32_C(0xff800000), 4, "-Infinity");
	expect_number(COL_FLOAT64, 0, 2, NULL);
}

static void test_dates(void **state)
{
	(void)state;
	expect_number(COL_DATE, 0, 4, "2000-01-01");
	expect_number(COL_DATE, 8825, 4, "2024-02-29");
	expect_number(COL_DATE, (uint64_t)-10957, 4, "1970-01-01");
	expect_number(COL_DATE, (uint64_t)-730119, 4, "0001-01-01");
	expect_number(COL_DATE, 2921939, 4, "9999-12-31");
	expect_number(COL_DATE, 2921940, 4, "10000-01-01");
	expect_number(COL_DATE, (uint64_t)-730120, 4, "0001-12-31 BC");
	expect_number(COL_DATE, 2145031948, 4, "5874897-12-31");         // Postgres' last day
	expect_number(COL_DATE, (uint64_t)-2451507, 4, "4713-01-01 BC"); // and, nearly, its first
	expect_number(COL_DATE, INT32_MAX, 4, "infinity");
	expect_number(COL_DATE, UINT32_C(1) << 31, 4, "-infinity");
	expect_number(COL_DATE, 0, 8, NULL);
}

static void test_times(void **state)
{
	(void)state;
	expect_number(COL_TIME, 0, 8, "00:00:00");
	expect_number(COL_TIME, UINT64_C(86399999999), 8, "23:59:59.999999");
	expect_number(COL_TIME, UINT64_C(45296000007), 8, "12:34:56.000007");
	expect_number(COL_TIME, UINT64_C(86400000000), 8, "24:00:00");
	expect_number(COL_TIME, UINT64_C(86400000001), 8, NULL);
	expect_number(COL_TIME, UINT64_MAX, 8, NULL);
}

static void test_timestamps(void **state)
{
	(void)state;
	expect_number(COL_TIMESTAMP, 0, 8, "946684800000000");
	expect_number(COL_TIMESTAMP, (uint64_t)INT64_C(-946684800000000), 8, "0");
	expect_number(COL_TIMESTAMP, (uint64_t)INT64_C(-946684800000001), 8, "-1");
	expect_number(COL_TIMESTAMP, (uint64_t)INT64_C(-63082281600000000), 8, "-62135596800000000"); // year 1
	expect_number(COL_TIMESTAMP, UINT64_C(252455615999999999), 8, "253402300799999999");          // year 9999
	expect_number(COL_TIMESTAMP, UINT64_C(9223371331199999999), 8, "9224318015999999999");        // Postgres' last
	expect_number(COL_TIMESTAMP, INT64_MAX, 8, "infinity");
	expect_number(COL_TIMESTAMP, UINT64_C(1) << 63, 8, "-infinity");
	expect_number(COL_TIMESTAMP, 0, 4, NULL);
}

static void test_datetimes(void **state)
{
	(void)state;
	expect_number(COL_DATETIME, 0, 8, "2000-01-01T00:00:00");
	expect_number(COL_DATETIME, UINT64_MAX, 8, "1999-12-31T23:59:59.999999");
	expect_number(COL_DATETIME, (uint64_t)INT64_C(-63082281600000000), 8, "0001-01-01T00:00:00");
	expect_number(COL_DATETIME, UINT64_C(252455615999999999), 8, "9999-12-31T23:59:59.999999");
	expect_number(COL_DATETIME, UINT64_C(252455616000000000), 8, "10000-01-01T00:00:00");
	expect_number(COL_DATETIME, (uint64_t)INT64_C(-63082281600000001), 8, "0001-12-31T23:59:59.999999 BC");
	expect_number(COL_DATETIME, INT64_MAX, 8, "infinity");
	expect_number(COL_DATETIME, UINT64_C(1) << 63, 8, "-infinity");
}

static void test_verbatim(void **state)
{
	(void)state;
	expect_decoded(COL_TEXT, "h\303\251", 3, "h\303\251");
	expect_decoded(COL_TEXT, "", 0, "");
	expect_decoded(COL_DECIMAL, "1.10", 4, "1.10");
	expect_decoded(COL_JSON, "\1{\"a\": 1}", 9, "{\"a\": 1}");
	expect_decoded(COL_JSON, "{\"a\":1}", 7, "{\"a\":1}");
	expect_decoded(COL_BYTES, "\1\377", 2, "\1\377");
}

// Three rows of three texts: values, NULL and the empty string.
static void build_stream(struct buf *b)
{
	put(b, HEADER, HEADER_LEN);
	for (int i = 0; i < 3; i++) {
		char text[16];

		put_int(b, 3, 2);
		snprintf(text, sizeof text, "row %d", i);
		put_field(b, text, strlen(text));
		put_int(b, UINT32_MAX, 4);
		put_field(b, "", 0);
	}
	put_int(b, 0xffff, 2);
}

static void check_stream(const struct rows *rows)
{
	assert_int_equal(rows->n, 3);
	for (size_t i = 0; i < 3; i++) {
		char text[16];

		snprintf(text, sizeof text, "row %zu", i);
		expect_cell(rows, i, 0, text, strlen(text));
		assert_true(rows_at(rows, i)[1].null);
		expect_cell(rows, i, 2, "", 0);
	}
}

static void test_stream_cut_anywhere(void **state)
{
	struct buf b = {0};

	(void)state;
	build_stream(&b);
	for (size_t piece = 1; piece <= b.len; piece++) {
		struct rows *rows = page_of(COL_TEXT, 3);
		struct pg_decoder d = {.header = false};
		struct err err;

		for (size_t at = 0; at < b.len; at += piece)
			assert_true(pg_decoder_feed(&d, b.data + at, b.len - at < piece ? b.len - at : piece, rows, &err));
		assert_true(pg_decoder_finish(&d, &err));
		check_stream(rows);
		pg_decoder_free(&d);
		rows_unref(rows);
	}
	buf_free(&b);
}

static void test_stream_truncated(void **state)
{
	struct buf b = {0};

	(void)state;
	build_stream(&b);
	for (size_t len = 0; len < b.len; len++) { // no prefix passes for a whole stream
		struct rows *rows = page_of(COL_TEXT, 3);
		struct pg_decoder d = {.header = false};
		struct err err;

		assert_true(pg_decoder_feed(&d, b.data, len, rows, &err));
		assert_false(pg_decoder_finish(&d, &err));
		assert_int_equal(err.kind, ERR_POSTGRES);
		assert_string_equal(err.code, "protocol");
		pg_decoder_free(&d);
		rows_unref(rows);
	}
	buf_free(&b);
}

static void expect_broken(const void *bytes, size_t len, const char *code)
{
	struct rows *rows = page_of(COL_TEXT, 3);
	struct pg_decoder d = {.header = false};
	struct err err;

	assert_false(pg_decoder_feed(&d, bytes, len, rows, &err));
	assert_string_equal(err.code, code);
	pg_decoder_free(&d);
	rows_unref(rows);
}

static void test_stream_malformed(void **state)
{
	(void)state;
	expect_broken("PGCOPX", 6, "protocol");
	expect_broken("a\tb\n", 4, "protocol");
	expect_broken("PGCOPY\n\377\r\n\0\0\1\0\0\0\0\0\0", 19, "protocol");          // with OIDs
	expect_broken("PGCOPY\n\377\r\n\0\200\0\0\0\0\0\0\0", 19, "protocol");        // a critical flag
	expect_broken("PGCOPY\n\377\r\n\0\0\0\0\0\377\377\377\377", 19, "protocol");  // a negative header length
	expect_broken(HEADER "\377\376", 21, "protocol");                             // -2 columns
	expect_broken(HEADER "\0\3\377\377\377\376\0\0\0\0\0\0\0\0", 33, "protocol"); // length -2
	expect_broken(HEADER "\377\377\0", 22, "protocol");                           // bytes behind the trailer
	expect_broken(HEADER "\0\1\377\377\377\377", 25, "columns");                  // one column of three
	expect_broken(HEADER "\0\4"
						 "\377\377\377\377"
						 "\377\377\377\377"
						 "\377\377\377\377"
						 "\377\377\377\377",
		37, "columns");
}

static void test_header_extension_is_skipped(void **state)
{
	struct rows *rows = page_of(COL_TEXT, 1);
	struct pg_decoder d = {.header = false};
	struct err err;

	(void)state;
	assert_true(pg_decoder_feed(&d, "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\3abc\377\377", 24, rows, &err));
	assert_true(pg_decoder_finish(&d, &err));
	assert_int_equal(rows->n, 0);
	pg_decoder_free(&d);
	rows_unref(rows);
}

// No byte flipped in a stream may crash the decoder or make it read beyond the end.
static void test_stream_survives_any_byte(void **state)
{
	struct buf b = {0};

	(void)state;
	build_stream(&b);
	for (size_t at = 0; at < b.len; at++)
		for (int v = 0; v < 256; v += 5) {
			struct rows *rows = page_of(COL_TEXT, 3);
			struct pg_decoder d = {.header = false};
			char *copy = malloc(b.len); // exactly so long: the sanitizer sees the first byte beyond
			struct err err;

			assert_non_null(copy);
			memcpy(copy, b.data, b.len);
			copy[at] = (char)v;
			(void)pg_decoder_feed(&d, copy, b.len, rows, &err);
			free(copy);
			pg_decoder_free(&d);
			rows_unref(rows);
		}
	buf_free(&b);
}

static void test_columns_are_checked(void **state)
{
	struct err err;

	(void)state;
	assert_true(pg_column_check(25, COL_TEXT, "a", &err));
	assert_true(pg_column_check(1043, COL_TEXT, "a", &err));
	assert_true(pg_column_check(21, COL_INT64, "a", &err));
	assert_true(pg_column_check(1184, COL_TIMESTAMP, "a", &err));
	assert_true(pg_column_check(114, COL_JSON, "a", &err));
	assert_false(pg_column_check(20, COL_TEXT, "amount", &err));
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_non_null(strstr(err.message, "'amount'"));
	assert_non_null(strstr(err.message, "int8"));
	assert_non_null(strstr(err.message, "amount::text"));
	assert_false(pg_column_check(1114, COL_TIMESTAMP, "a", &err));
	assert_false(pg_column_check(1184, COL_DATETIME, "a", &err));
	assert_false(pg_column_check(1700, COL_DECIMAL, "a", &err));
	assert_false(pg_column_check(99999, COL_TEXT, "a", &err));
	assert_non_null(strstr(err.message, "99999"));
}

// ---- arrays ----

static void add_cell(struct rows *rows, const char *text, size_t len)
{
	struct err err;
	struct cell *cells = rows_add(rows, &err);

	assert_non_null(cells);
	if (text != NULL)
		assert_true(rows_set(rows, &cells[0], text, len, &err));
}

// The elements behind the array's header, one by one.
static void expect_element(const struct buf *array, size_t *at, const char *want, size_t len)
{
	struct buf b = {0};

	if (want == NULL)
		put_int(&b, UINT32_MAX, 4);
	else
		put_field(&b, want, len);
	assert_true(array->len - *at >= b.len);
	assert_memory_equal(array->data + *at, b.data, b.len);
	*at += b.len;
	buf_free(&b);
}

static void test_array_of_texts(void **state)
{
	struct rows *rows = page_of(COL_TEXT, 1);
	struct buf out = {0};
	struct err err;
	size_t at = 20;

	(void)state;
	add_cell(rows, "skipped", 7);
	add_cell(rows, "h\303\251\"{},\\", 8);
	add_cell(rows, NULL, 0);
	add_cell(rows, "", 0);
	assert_true(pg_array_of_column(&out, rows, 0, 1, 4, &err));
	assert_memory_equal(out.data, "\0\0\0\1\0\0\0\1\0\0\0\31\0\0\0\3\0\0\0\1", 20);
	expect_element(&out, &at, "h\303\251\"{},\\", 8);
	expect_element(&out, &at, NULL, 0);
	expect_element(&out, &at, "", 0);
	assert_int_equal(at, out.len);
	assert_true(pg_array_of_column(&out, rows, 0, 0, 2, &err)); // the buffer is used again; no NULL now
	assert_memory_equal(out.data, "\0\0\0\1\0\0\0\0\0\0\0\31\0\0\0\2\0\0\0\1", 20);
	assert_true(pg_array_of_column(&out, rows, 0, 2, 2, &err));
	assert_int_equal(out.len, 12);
	assert_memory_equal(out.data, "\0\0\0\0\0\0\0\0\0\0\0\31", 12);
	buf_free(&out);
	rows_unref(rows);
}

static void expect_encoded(enum col_type type, const char *cell, size_t len, const char *want)
{
	struct rows *rows = page_of(type, 1);
	struct buf out = {0};
	struct err err;
	size_t at = 20;

	add_cell(rows, cell, len);
	if (want == NULL) {
		assert_false(pg_array_of_column(&out, rows, 0, 0, 1, &err));
		assert_int_equal(err.kind, ERR_CONFIG);
	} else {
		assert_true(pg_array_of_column(&out, rows, 0, 0, 1, &err));
		expect_element(&out, &at, want, strlen(want));
		assert_int_equal(at, out.len);
	}
	buf_free(&out);
	rows_unref(rows);
}

static void expect_timestamp(const char *us, const char *want)
{
	expect_encoded(COL_TIMESTAMP, us, strlen(us), want);
}

static void test_array_forms(void **state)
{
	(void)state;
	expect_timestamp("0", "1970-01-01 00:00:00+00");
	expect_timestamp("-1", "1969-12-31 23:59:59.999999+00");
	expect_timestamp("1767323045123456", "2026-01-02 03:04:05.123456+00");
	expect_timestamp("-62135596800000000", "0001-01-01 00:00:00+00");
	expect_timestamp("253402300799999999", "9999-12-31 23:59:59.999999+00");
	expect_timestamp("-62135596800000001", "0001-12-31 23:59:59.999999+00 BC");
	expect_timestamp("9223372036854775807", "294247-01-10 04:00:54.775807+00");
	expect_timestamp("-9223372036854775808", "290309-12-21 19:59:05.224192+00 BC");
	expect_timestamp("infinity", "infinity");
	expect_timestamp("-infinity", "-infinity");
	expect_timestamp("9223372036854775808", NULL);
	expect_timestamp("2026-01-02", NULL);
	expect_timestamp("", NULL);
	expect_encoded(COL_BYTES, "\0\377a", 3, "\\x00ff61");
	expect_encoded(COL_BYTES, "", 0, "\\x");
	expect_encoded(COL_BOOL, "true", 4, "true");
	expect_encoded(COL_INT64, "-9223372036854775808", 20, "-9223372036854775808");
	expect_encoded(COL_JSON, "{\"a\": 1.10}", 11, "{\"a\": 1.10}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_booleans),
		cmocka_unit_test(test_floats),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_timestamps),
		cmocka_unit_test(test_datetimes),
		cmocka_unit_test(test_verbatim),
		cmocka_unit_test(test_stream_cut_anywhere),
		cmocka_unit_test(test_stream_truncated),
		cmocka_unit_test(test_stream_malformed),
		cmocka_unit_test(test_header_extension_is_skipped),
		cmocka_unit_test(test_stream_survives_any_byte),
		cmocka_unit_test(test_columns_are_checked),
		cmocka_unit_test(test_array_of_texts),
		cmocka_unit_test(test_array_forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

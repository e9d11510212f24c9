// The encoder of rows: nesting, every form of a value, batches by rows and bytes, and what it refuses.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "data/encode.h"
#include "io/json.h"

enum { COLUMNS = 9 };
static const char *const names[COLUMNS] = {"id", "first", "n", "ok", "j", "at", "b", "f", "d"};
static const enum col_type types[COLUMNS] = {
	COL_TEXT, COL_TEXT, COL_INT64, COL_BOOL, COL_JSON, COL_TIMESTAMP, COL_BYTES, COL_FLOAT64, COL_DECIMAL};

static struct rows *new_rows(void)
{
	struct err err;
	struct schema *schema = schema_new(COLUMNS, names, types, &err);
	struct rows *rows = schema != NULL ? rows_new(schema, &err) : NULL;

	assert_non_null(rows);
	schema_unref(schema);
	return rows;
}

// A further row; NULL leaves a cell NULL.
static void add_row(struct rows *rows, const char *const texts[COLUMNS])
{
	struct err err;
	struct cell *cells = rows_add(rows, &err);

	assert_non_null(cells);
	for (size_t c = 0; c < COLUMNS; c++)
		if (texts[c] != NULL)
			assert_true(rows_set(rows, &cells[c], texts[c], strlen(texts[c]), &err));
}

static struct encoder *compile(const struct encode_field *fields, size_t n)
{
	struct err err;
	struct encoder *e = encoder_new(fields, n, &err);

	if (e == NULL)
		fail_msg("%s", err.message);
	return e;
}

static void check_rows(struct encoder *e, const struct rows *rows, const char *expected)
{
	struct buf out = {0};
	struct err err;

	if (!encoder_put_rows(e, rows, 0, rows->n, &out, &err))
		fail_msg("%s", err.message);
	assert_string_equal(out.data, expected);
	assert_true(json_validate(out.data, out.len, &err));
	buf_free(&out);
}

static void test_nesting(void **state)
{
	static const struct encode_field fields[] = {
		{"contactId", "id", ENCODE_STRING, NULL, 0},
		{"name.firstName", "first", ENCODE_STRING, NULL, 0},
		{"emails.additionalEmails", NULL, ENCODE_AUTO, "[]", 2},
		{"name.deep.n", "n", ENCODE_NUMBER, NULL, 0},
		{"emails.primary", NULL, ENCODE_AUTO, " null ", 6},
		{"we\"ird", "ok", ENCODE_BOOL, NULL, 0},
	};
	static const char *const one[COLUMNS] = {"a\"\n", "Zo\303\253", "-9223372036854775808", "true"};
	static const char *const two[COLUMNS] = {"", NULL, NULL, NULL};
	struct encoder *e = compile(fields, sizeof fields / sizeof fields[0]);
	struct rows *rows = new_rows();

	(void)state;
	check_rows(e, rows, "[]");
	add_row(rows, one);
	add_row(rows, two);
	check_rows(e, rows,
		"[{\"contactId\":\"a\\\"\\n\",\"name\":{\"firstName\":\"Zo\303\253\",\"deep\":{\"n\":-9223372036854775808}},"
		"\"emails\":{\"additionalEmails\":[],\"primary\": null },\"we\\\"ird\":true},"
		"{\"contactId\":\"\",\"name\":{\"firstName\":null,\"deep\":{\"n\":null}},"
		"\"emails\":{\"additionalEmails\":[],\"primary\": null },\"we\\\"ird\":null}]");
	rows_unref(rows);
	encoder_free(e);
}

static void test_forms(void **state)
{
	static const struct encode_field fields[] = {
		{"n", "n", ENCODE_STRING, NULL, 0},
		{"j", "j", ENCODE_JSON, NULL, 0},
		{"js", "j", ENCODE_STRING, NULL, 0},
		{"ms", "at", ENCODE_TIMESTAMP_MS, NULL, 0},
		{"us", "at", ENCODE_TIMESTAMP_US, NULL, 0},
		{"b", "b", ENCODE_STRING, NULL, 0},
		{"f", "f", ENCODE_NUMBER, NULL, 0},
		{"d", "d", ENCODE_NUMBER, NULL, 0},
	};
	static const char *const row[COLUMNS] = {NULL, NULL, "42", NULL, "{\"k\": 1.10}", "1767323045678901", "abcd",
		"1e+300", "99999999999999999999999999999.999999999"};
	struct encoder *e = compile(fields, sizeof fields / sizeof fields[0]);
	struct rows *rows = new_rows();

	(void)state;
	add_row(rows, row);
	check_rows(e, rows,
		"[{\"n\":\"42\",\"j\":{\"k\": 1.10},\"js\":\"{\\\"k\\\": 1.10}\",\"ms\":\"2026-01-02T03:04:05.678Z\","
		"\"us\":\"2026-01-02T03:04:05.678901Z\",\"b\":\"YWJjZA==\",\"f\":1e+300,"
		"\"d\":99999999999999999999999999999.999999999}]");
	rows_unref(rows);
	encoder_free(e);
}

static void test_forms_by_type(void **state)
{
	static const char *const row[COLUMNS] = {"x", NULL, "1", "false", "[]", "0", "a", "1.5", "2"};
	struct encode_field fields[COLUMNS];
	struct rows *rows = new_rows();
	struct encoder *e;

	(void)state;
	memset(fields, 0, sizeof fields);
	for (size_t c = 0; c < COLUMNS; c++)
		fields[c].path = fields[c].column = names[c];
	e = compile(fields, COLUMNS);
	add_row(rows, row);
	check_rows(e, rows,
		"[{\"id\":\"x\",\"first\":null,\"n\":1,\"ok\":false,\"j\":[],\"at\":\"1970-01-01T00:00:00.000000Z\",\"b\":\"YQ="
		"=\","
		"\"f\":1.5,\"d\":2}]");
	rows_unref(rows);
	encoder_free(e);
}

// Milliseconds are cut towards the past, before 1970 too.
static void test_milliseconds(void **state)
{
	static const struct encode_field fields[] = {{"t", "at", ENCODE_TIMESTAMP_MS, NULL, 0}};
	static const char *const vectors[][2] = {
		{"0", "1970-01-01T00:00:00.000Z"},
		{"999", "1970-01-01T00:00:00.000Z"},
		{"1000", "1970-01-01T00:00:00.001Z"},
		{"-1", "1969-12-31T23:59:59.999Z"},
		{"-1000", "1969-12-31T23:59:59.999Z"},
		{"-1001", "1969-12-31T23:59:59.998Z"},
		{"253402300799999999", "9999-12-31T23:59:59.999Z"},
		{"-62135596800000000", "0001-01-01T00:00:00.000Z"},
	};
	struct encoder *e = compile(fields, 1);

	(void)state;
	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
		const char *const row[COLUMNS] = {[5] = vectors[i][0]};
		struct rows *rows = new_rows();
		char expected[64] = "[{\"t\":\"";

		add_row(rows, row);
		strcat(expected, vectors[i][1]);
		strcat(expected, "\"}]");
		check_rows(e, rows, expected);
		rows_unref(rows);
	}
	encoder_free(e);
}

static void check_refused(const struct encode_field *field, size_t column, const char *text, const char *message)
{
	const char *row[COLUMNS] = {NULL};
	struct encoder *e = compile(field, 1);
	struct rows *rows = new_rows();
	struct buf out = {0};
	struct err err;

	row[column] = text;
	add_row(rows, row);
	assert_true(buf_puts(&out, "kept"));
	assert_false(encoder_put_rows(e, rows, 0, 1, &out, &err));
	assert_int_equal(err.kind, ERR_MAPPING);
	assert_string_equal(err.message, message);
	assert_string_equal(out.data, "kept");
	buf_free(&out);
	rows_unref(rows);
	encoder_free(e);
}

static void test_refused_cells(void **state)
{
	(void)state;
	check_refused(&(struct encode_field){"x", "id", ENCODE_NUMBER, NULL, 0}, 0, "1,5",
		"cannot write 'id' of row 1 as json (it is no number)");
	check_refused(&(struct encode_field){"x", "f", ENCODE_NUMBER, NULL, 0}, 7, "NaN",
		"cannot write 'f' of row 1 as json (it is no number)");
	check_refused(&(struct encode_field){"x", "n", ENCODE_NUMBER, NULL, 0}, 2, "",
		"cannot write 'n' of row 1 as json (it is no number)");
	check_refused(&(struct encode_field){"x", "id", ENCODE_BOOL, NULL, 0}, 0, "yes",
		"cannot write 'id' of row 1 as json (it is no bool)");
	check_refused(&(struct encode_field){"x", "j", ENCODE_JSON, NULL, 0}, 4, "{",
		"cannot write 'j' of row 1 as json (it is no json)");
	check_refused(&(struct encode_field){"x", "j", ENCODE_JSON, NULL, 0}, 4, "",
		"cannot write 'j' of row 1 as json (it is no json)");
	check_refused(&(struct encode_field){"x", "at", ENCODE_TIMESTAMP_MS, NULL, 0}, 5, "infinity",
		"cannot write 'at' of row 1 as json (it is no timestamp_ms)");
	check_refused(&(struct encode_field){"x", "at", ENCODE_TIMESTAMP_US, NULL, 0}, 5, "253402300800000000",
		"cannot write 'at' of row 1 as json (it is no timestamp_us)");
	check_refused(&(struct encode_field){"x", "id", ENCODE_STRING, NULL, 0}, 0, "a\377",
		"cannot write 'id' of row 1 as json (it is no valid UTF-8)");
	check_refused(&(struct encode_field){"x", "id", ENCODE_TIMESTAMP_MS, NULL, 0}, 0, "0",
		"the column 'id' cannot be written as timestamp_ms (it is text, not timestamp)");
	check_refused(&(struct encode_field){"x", "nope", ENCODE_STRING, NULL, 0}, 0, "0",
		"the column 'nope' of an encoder is not among the rows' columns");
}

static void test_refused_templates(void **state)
{
	static const struct encode_field twice[] = {{"a", "id", ENCODE_AUTO, NULL, 0}, {"a", "n", ENCODE_AUTO, NULL, 0}};
	static const struct encode_field through[] = {
		{"a", "id", ENCODE_AUTO, NULL, 0}, {"a.b", "n", ENCODE_AUTO, NULL, 0}};
	static const struct encode_field over[] = {{"a.b", "id", ENCODE_AUTO, NULL, 0}, {"a", "n", ENCODE_AUTO, NULL, 0}};
	static const struct encode_field empty[] = {{"a..b", "id", ENCODE_AUTO, NULL, 0}};
	static const struct encode_field ends[] = {{"a.", "id", ENCODE_AUTO, NULL, 0}};
	static const struct encode_field constant[] = {{"a", NULL, ENCODE_AUTO, "{", 1}};
	struct err err;

	(void)state;
	assert_null(encoder_new(twice, 2, &err));
	assert_int_equal(err.kind, ERR_USAGE);
	assert_null(encoder_new(through, 2, &err));
	assert_null(encoder_new(over, 2, &err));
	assert_null(encoder_new(empty, 1, &err));
	assert_null(encoder_new(ends, 1, &err));
	assert_null(encoder_new(constant, 1, &err));
	assert_string_equal(err.message, "the constant at the path 'a' is not json");
}

// Rows of a known length: {"x":"…"} is 8 bytes and the text.
static void test_batches(void **state)
{
	static const struct encode_field fields[] = {{"x", "id", ENCODE_STRING, NULL, 0}};
	static const char *const lengths[] = {"aa", "aa", "aa", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "aa", "aa"};
	static const struct {
		size_t max_rows, max_bytes, ends[7];
	} cases[] = {
		{100, 1000, {6}},
		{2, 1000, {2, 4, 6}},
		{1, 1000, {1, 2, 3, 4, 5, 6}},
		{100, 1, {1, 2, 3, 4, 5, 6}},
		{100, 23, {2, 3, 4, 6}}, // two rows are [10,10] = 23 bytes
		{100, 22, {1, 2, 3, 4, 5, 6}},
		{100, 34, {3, 4, 6}},
	};
	struct encoder *e = compile(fields, 1);
	struct rows *rows = new_rows();

	(void)state;
	for (size_t i = 0; i < 6; i++)
		add_row(rows, (const char *const[COLUMNS]){lengths[i]});
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		size_t from = 0, to;

		for (size_t b = 0; from < 6; b++) {
			struct buf out = {0};
			struct err err;

			assert_true(encoder_put_batch(e, rows, from, cases[i].max_rows, cases[i].max_bytes, &out, &to, &err));
			assert_int_equal(to, cases[i].ends[b]);
			assert_true(to == from + 1 || out.len <= cases[i].max_bytes);
			assert_true(json_validate(out.data, out.len, &err));
			from = to;
			buf_free(&out);
		}
	}
	rows_unref(rows);
	encoder_free(e);
}

static void test_names_of_forms(void **state)
{
	(void)state;
	assert_int_equal(encode_as_of("string"), ENCODE_STRING);
	assert_int_equal(encode_as_of("timestamp_us"), ENCODE_TIMESTAMP_US);
	assert_int_equal(encode_as_of("text"), ENCODE_AS_COUNT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nesting),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_forms_by_type),
		cmocka_unit_test(test_milliseconds),
		cmocka_unit_test(test_refused_cells),
		cmocka_unit_test(test_refused_templates),
		cmocka_unit_test(test_batches),
		cmocka_unit_test(test_names_of_forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// Pages: JSON text by paths and BigQuery's rows into cells; every shape that must be refused, and what the refusal
// says.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "data/page.h"

static void assert_cell(const struct rows *rows, size_t row, size_t column, const char *expected)
{
	const struct cell *cell = &rows_at(rows, row)[column];

	if (expected == NULL) {
		assert_true(cell->null);
		return;
	}
	assert_false(cell->null);
	if (cell->len != strlen(expected) || memcmp(cell->ptr, expected, cell->len) != 0)
		fail_msg("row %zu column %zu is '%.*s', not '%s'", row, column, (int)cell->len, cell->ptr, expected);
	assert_int_equal(cell->fate, FATE_EXACT);
}

// A copy of exactly these bytes, so that the sanitizer sees every read behind the end.
static char *exact_copy(const char *bytes, size_t len)
{
	char *copy = malloc(len > 0 ? len : 1);

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	return copy;
}

// ---- by paths

enum { COLUMNS = 13 };
static const char *const paths[COLUMNS] = {"node.id", "node.name.first", "node.name.last", "node.n", "node.ok",
	"node.at", "node.day", "node.price", "node.f", "node.blob", "node.name", "node.t", "node.raw"};
static const char *const names[COLUMNS] = {
	"id", "first", "last", "n", "ok", "at", "day", "price", "f", "blob", "name", "t", "raw"};
static const enum col_type types[COLUMNS] = {COL_TEXT, COL_TEXT, COL_TEXT, COL_INT64, COL_BOOL, COL_TIMESTAMP, COL_DATE,
	COL_DECIMAL, COL_FLOAT64, COL_JSON, COL_JSON, COL_TIME, COL_BYTES};
static const char *const extra_paths[] = {"data.people.pageInfo.endCursor", "data.people.totalCount", "absent.x"};

struct read {
	struct schema *schema;
	struct page_paths *paths;
	struct rows *rows;
	struct page_value extras[3];
	char *text; // the extras point into it
	bool missing, ok;
	struct err err;
};

static struct read read_page(const char *text)
{
	struct read r = {0};
	size_t len = strlen(text);

	r.text = exact_copy(text, len);
	r.schema = schema_new(COLUMNS, names, types, &r.err);
	assert_non_null(r.schema);
	r.paths = page_paths_new("data.people.edges", paths, COLUMNS, extra_paths, 3, &r.err);
	assert_non_null(r.paths);
	r.rows = rows_new(r.schema, &r.err);
	assert_non_null(r.rows);
	r.ok = page_read_json(r.paths, r.text, len, r.rows, r.extras, &r.missing, &r.err);
	return r;
}

static void read_free(struct read *r)
{
	rows_unref(r->rows);
	page_paths_free(r->paths);
	schema_unref(r->schema);
	free(r->text);
}

static void assert_extra(const struct page_value *value, const char *expected)
{
	assert_non_null(value->text);
	assert_int_equal(value->len, strlen(expected));
	assert_memory_equal(value->text, expected, value->len);
}

static void test_paths(void **state)
{
	struct read r = read_page(
		"{\"skip\":[{\"node\":1}],\"data\":{\"people\":{\"pageInfo\":{\"hasNextPage\":true,\"endCursor\":\"WyI=\\n\"},"
		"\"edges\":["
		"{\"cursor\":\"x\",\"node\":{\"id\":\"a\\u0041\\n\",\"name\":{\"first\":\"Zo\303\253\",\"last\":\"\"},\"n\":12,"
		"\"ok\":true,\"at\":\"2026-01-02T03:04:05.678Z\",\"day\":\"2024-02-29\",\"price\":1.10,\"f\":1e10,"
		"\"blob\":{\"k\" : [1.0,null]},\"t\":\"03:04:05.5\",\"raw\":\"AAEC/w==\"}},"
		"{\"node\":{\"name\":null,\"n\":\"-9223372036854775808\",\"ok\":\"false\",\"at\":\"1969-12-31T23:59:59."
		"999999Z\","
		"\"price\":\"99999999999999999999999999999.999999999\",\"f\":\"-inf\",\"blob\":\"text\",\"id\":null,\"raw\":"
		"\"\"}},"
		"{\"node\":{\"t\":null,\"blob\":null,\"id\":42,\"n\":1e3,\"f\":\"NaN\"}},{\"node\":null},{}],\"totalCount\":5}}"
		"}");

	(void)state;
	if (!r.ok)
		fail_msg("%s", r.err.message);
	assert_false(r.missing);
	assert_int_equal(r.rows->n, 5);
	static const char *const expected[3][COLUMNS] = {
		{"aA\n", "Zo\303\253", "", "12", "true", "1767323045678000", "2024-02-29", "1.10", "10000000000",
			"{\"k\" : [1.0,null]}", "{\"first\":\"Zo\303\253\",\"last\":\"\"}", "03:04:05.500000", NULL},
		{NULL, NULL, NULL, "-9223372036854775808", "false", "-1", NULL, "99999999999999999999999999999.999999999",
			"-Infinity", "\"text\"", NULL, NULL, ""},
		{"42", NULL, NULL, "1000", NULL, NULL, NULL, NULL, "NaN", NULL, NULL, NULL, NULL},
	};
	for (size_t i = 0; i < 3; i++)
		for (size_t c = 0; c + (i == 0 ? 1 : 0) < COLUMNS; c++)
			assert_cell(r.rows, i, c, expected[i][c]);
	assert_int_equal(rows_at(r.rows, 0)[12].len, 4);
	assert_memory_equal(rows_at(r.rows, 0)[12].ptr, "\000\001\002\377", 4);
	for (size_t c = 0; c < COLUMNS; c++) {
		assert_cell(r.rows, 3, c, NULL);
		assert_cell(r.rows, 4, c, NULL);
	}
	assert_extra(&r.extras[0], "\"WyI=\\n\"");
	assert_extra(&r.extras[1], "5");
	assert_null(r.extras[2].text);
	read_free(&r);
}

static void test_paths_missing_rows(void **state)
{
	static const char *const texts[] = {"{}", "{\"data\":null}", "{\"data\":{}}", "{\"data\":{\"people\":null}}",
		"{\"data\":{\"people\":{\"edges\":null}}}", "{\"errors\":[{\"message\":\"x\"}],\"data\":null}"};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct read r = read_page(texts[i]);

		assert_true(r.ok);
		assert_true(r.missing);
		assert_int_equal(r.rows->n, 0);
		read_free(&r);
	}
	struct read r = read_page("{\"data\":{\"people\":{\"edges\":[]}}}");
	assert_true(r.ok);
	assert_false(r.missing);
	read_free(&r);
}

static void test_paths_last_of_repeated_names_counts(void **state)
{
	struct read r =
		read_page("{\"data\":{\"people\":{\"edges\":[{\"node\":{\"id\":\"a\",\"\\u0069d\":\"b\",\"n\":1,\"n\":null,"
				  "\"name\":{\"first\":\"x\",\"last\":\"y\"},\"name\":{\"first\":\"z\"}}},"
				  "{\"node\":{\"id\":\"c\",\"name\":{\"first\":\"q\"}},\"node\":null}]}}}");

	(void)state;
	assert_true(r.ok);
	assert_cell(r.rows, 0, 0, "b");
	assert_cell(r.rows, 0, 3, NULL);
	assert_cell(r.rows, 0, 1, "z");
	assert_cell(r.rows, 0, 2, NULL);
	assert_cell(r.rows, 0, 10, "{\"first\":\"z\"}");
	assert_cell(r.rows, 1, 0, NULL);
	assert_cell(r.rows, 1, 1, NULL);
	assert_cell(r.rows, 1, 10, NULL);
	read_free(&r);
}

#define EDGE(node) "{\"data\":{\"people\":{\"edges\":[{\"node\":{}},{\"node\":" node "}]}}}"

static void test_paths_wrong_shapes(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{EDGE("7"), "cannot read 'node' of row 2 (a number where an object was expected)"},
		{EDGE("{\"name\":\"x\"}"), "cannot read 'node.name' of row 2 (a string where an object was expected)"},
		{EDGE("{\"name\":[]}"), "cannot read 'node.name' of row 2 (an array where an object was expected)"},
		{EDGE("{\"id\":{}}"), "cannot read 'node.id' of row 2 (an object where text was expected)"},
		{EDGE("{\"id\":[1]}"), "cannot read 'node.id' of row 2 (an array where text was expected)"},
		{EDGE("{\"n\":1.5}"), "cannot read 'node.n' of row 2 ('1.5' is no 64-bit integer)"},
		{EDGE("{\"n\":\"007\"}"), "cannot read 'node.n' of row 2 ('007' is no 64-bit integer)"},
		{EDGE("{\"n\":9223372036854775808}"),
			"cannot read 'node.n' of row 2 ('9223372036854775808' is no 64-bit integer)"},
		{EDGE("{\"n\":\"\"}"), "cannot read 'node.n' of row 2 ('' is no 64-bit integer)"},
		{EDGE("{\"n\":true}"), "cannot read 'node.n' of row 2 ('true' is no 64-bit integer)"},
		{EDGE("{\"ok\":1}"), "cannot read 'node.ok' of row 2 ('1' is no boolean)"},
		{EDGE("{\"at\":\"yesterday\"}"), "cannot read 'node.at' of row 2 ('yesterday' is no timestamp)"},
		{EDGE("{\"day\":\"2023-02-29\"}"), "cannot read 'node.day' of row 2 ('2023-02-29' is no date)"},
		{EDGE("{\"price\":\"1,5\"}"), "cannot read 'node.price' of row 2 ('1,5' is no number)"},
		{EDGE("{\"f\":\"x\"}"), "cannot read 'node.f' of row 2 ('x' is no number)"},
		{EDGE("{\"f\":1e999}"), "cannot read 'node.f' of row 2 ('1e999' is no double (out of range))"},
		{EDGE("{\"raw\":\"AAE\"}"), "cannot read 'node.raw' of row 2 ('AAE' is no base64)"},
		{EDGE("{\"raw\":\"AB==\"}"), "cannot read 'node.raw' of row 2 ('AB==' is no base64)"},
		{EDGE("{\"raw\":\"A===\"}"), "cannot read 'node.raw' of row 2 ('A===' is no base64)"},
		{"{\"data\":{\"people\":{\"edges\":[{},null]}}}",
			"cannot read 'data.people.edges' of row 2 (null where an object was expected)"},
		{"{\"data\":{\"people\":{\"edges\":{}}}}",
			"cannot read 'data.people.edges' (an object where an array was expected)"},
		{"{\"data\":[]}", "cannot read 'data' (an array where an object was expected)"},
		{"{\"data\":{\"people\":{\"pageInfo\":1}}}",
			"cannot read 'data.people.pageInfo' (a number where an object was expected)"},
		{"{\"data\":{\"people\":{\"edges\":[]}},\"data\":{}}", "cannot read 'data' (the name is given twice)"},
		{"[]", "cannot read 'the page' (an array where an object was expected)"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct read r = read_page(cases[i].text);

		assert_false(r.ok);
		assert_int_equal(r.err.kind, ERR_JSON);
		assert_string_equal(r.err.code, "shape");
		assert_string_equal(r.err.message, cases[i].message);
		read_free(&r);
	}
}

static void test_paths_broken_text(void **state)
{
	const char *text = EDGE("{\"id\":\"x\\n\",\"name\":{\"first\":\"a\"},\"n\":1,\"blob\":[1,{}]}");
	char cut[256];

	(void)state;
	for (size_t len = 0; len < strlen(text); len++) {
		struct read r;

		memcpy(cut, text, len);
		cut[len] = '\0';
		r = read_page(cut);
		assert_false(r.ok);
		assert_int_equal(r.err.kind, ERR_JSON);
		read_free(&r);
	}
	struct read r = read_page(EDGE("{}") "x");
	assert_false(r.ok);
	read_free(&r);
}

static void test_paths_of_a_bare_array(void **state)
{
	static const char *const column[] = {"id"}, *const name[] = {"id"};
	static const enum col_type type[] = {COL_INT64};
	struct err err;
	struct schema *schema = schema_new(1, name, type, &err);
	struct page_paths *p = page_paths_new("", column, 1, NULL, 0, &err);
	struct rows *rows = rows_new(schema, &err);
	bool missing;

	(void)state;
	assert_true(page_read_json(p, "[{\"id\":1},{\"id\":2}]", 19, rows, NULL, &missing, &err));
	assert_int_equal(rows->n, 2);
	assert_cell(rows, 1, 0, "2");
	page_paths_free(p);
	rows_unref(rows);
	schema_unref(schema);
}

static void test_paths_that_cannot_be(void **state)
{
	static const char *const bad[] = {"", ".", "a.", ".a", "a..b"};
	static const char *const good[] = {"a"}, *const through[] = {"rows.x"};
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_null(page_paths_new("rows", &bad[i], 1, NULL, 0, &err));
		assert_int_equal(err.kind, ERR_USAGE);
	}
	assert_null(page_paths_new("rows", good, 1, through, 1, &err));
	assert_int_equal(err.kind, ERR_USAGE);
}

static void test_paths_shared_by_columns(void **state)
{
	static const char *const columns[] = {"a", "a", "a.b"}, *const column_names[] = {"x", "y", "z"};
	static const enum col_type column_types[] = {COL_JSON, COL_JSON, COL_INT64};
	const char *text = "{\"rows\":[{\"a\":{\"b\":7}}]}";
	struct err err;
	struct schema *schema = schema_new(3, column_names, column_types, &err);
	struct page_paths *p = page_paths_new("rows", columns, 3, NULL, 0, &err);
	struct rows *rows = rows_new(schema, &err);
	bool missing;

	(void)state;
	assert_true(page_read_json(p, text, strlen(text), rows, NULL, &missing, &err));
	assert_cell(rows, 0, 0, "{\"b\":7}");
	assert_cell(rows, 0, 1, "{\"b\":7}");
	assert_cell(rows, 0, 2, "7");
	page_paths_free(p);
	rows_unref(rows);
	schema_unref(schema);
}

// ---- bigquery

static struct bigquery_fields *parse_fields(const char *json)
{
	struct err err;
	struct bigquery_fields *fields = bigquery_fields_parse(json, strlen(json), &err);

	if (fields == NULL)
		fail_msg("%s", err.message);
	return fields;
}

// Read a text into a new page of these fields; NULL with err.
static struct rows *read_rows(
	const struct bigquery_fields *fields, const char *text, struct page_extras *extras, struct err *err)
{
	size_t len = strlen(text);
	char *copy = exact_copy(text, len);
	struct rows *rows = rows_new(bigquery_fields_schema(fields), err);

	assert_non_null(rows);
	if (!page_read_bigquery(fields, copy, len, rows, extras, err)) {
		rows_unref(rows);
		rows = NULL;
	}
	for (size_t i = 0; i < extras->n; i++) // let them point into the caller's text, which stays
		extras->items[i].text = text + (extras->items[i].text - copy);
	free(copy);
	return rows;
}

// One column of that type, one row with that value: the cell's text, or the failure's message.
static void check_value(const char *type, const char *mode, const char *value, const char *expected)
{
	struct buf json = {0}, text = {0};
	struct page_extras extras = {0};
	struct bigquery_fields *fields;
	struct rows *rows;
	struct err err;

	assert_true(buf_printf(&json, "[{\"name\":\"x\",\"mode\":\"%s\",%s}]", mode, type));
	assert_true(buf_printf(&text, "{\"rows\":[{\"f\":[{\"v\":%s}]}]}", value));
	fields = parse_fields(json.data);
	rows = read_rows(fields, text.data, &extras, &err);
	if (rows != NULL)
		assert_cell(rows, 0, 0, expected);
	else if (expected == NULL || strcmp(err.message, expected) != 0)
		fail_msg("%s of %s: %s", value, type, err.message);
	rows_unref(rows);
	page_extras_free(&extras);
	bigquery_fields_free(fields);
	buf_free(&json);
	buf_free(&text);
}

static void test_bigquery_scalars(void **state)
{
	static const char *const cases[][3] = {
		{"STRING", "\"\"", ""},
		{"STRING", "\"null\"", "null"},
		{"STRING", "null", NULL},
		{"STRING", "\"Zo\303\253 \\\"x\\\"\"", "Zo\303\253 \"x\""},
		{"INTEGER", "\"42\"", "42"},
		{"INT64", "\"-9223372036854775808\"", "-9223372036854775808"},
		{"INTEGER", "7", "7"},
		{"INTEGER", "null", NULL},
		{"FLOAT", "\"3.14\"", "3.14"},
		{"FLOAT64", "\"1.0E10\"", "10000000000"},
		{"FLOAT", "\"NaN\"", "NaN"},
		{"FLOAT", "\"Infinity\"", "Infinity"},
		{"FLOAT", "\"-Infinity\"", "-Infinity"},
		{"FLOAT", "\"inf\"", "Infinity"},
		{"FLOAT", "\"-inf\"", "-Infinity"},
		{"FLOAT", "\"+inf\"", "Infinity"},
		{"NUMERIC", "\"123.450\"", "123.450"},
		{"BIGNUMERIC", "\"99999999999999999999999999999.999999999\"", "99999999999999999999999999999.999999999"},
		{"BOOLEAN", "\"true\"", "true"},
		{"BOOL", "false", "false"},
		{"DATE", "\"2026-01-02\"", "2026-01-02"},
		{"TIME", "\"03:04:05\"", "03:04:05"},
		{"TIME", "\"03:04:05.1234\"", "03:04:05.123400"},
		{"DATETIME", "\"2026-01-02T03:04:05.123456\"", "2026-01-02T03:04:05.123456"},
		{"DATETIME", "\"2026-01-02 03:04:05\"", "2026-01-02T03:04:05"},
		{"TIMESTAMP", "\"1767323045123456\"", "1767323045123456"},
		{"TIMESTAMP", "\"-1\"", "-1"},
		{"TIMESTAMP", "\"0\"", "0"},
		{"TIMESTAMP", "\"1.767323045123456E9\"", "1767323045123456"},
		{"TIMESTAMP", "\"-1.5E9\"", "-1500000000000000"},
		{"TIMESTAMP", "\"0.0\"", "0"},
		{"TIMESTAMP", "\"1.0E-6\"", "1"},
		{"TIMESTAMP", "\"-1.0E-6\"", "-1"},
		{"TIMESTAMP", "\"1.0e0\"", "1000000"},
		{"TIMESTAMP", "\"2.53402300799999999E11\"", "253402300799999999"},
		{"TIMESTAMP", "\"-6.21355968E10\"", "-62135596800000000"},
		{"TIMESTAMP", "\"2026-01-02T03:04:05.123456Z\"", "1767323045123456"},
		{"TIMESTAMP", "\"2026-01-02 03:04:05+01:00\"", "1767319445000000"},
		{"JSON", "\"{\\\"k\\\": [1.10,null]}\"", "{\"k\": [1.10,null]}"},
		{"JSON", "\"null\"", "null"},
		{"JSON", "null", NULL},
		{"GEOGRAPHY", "\"POINT(1 2)\"", "POINT(1 2)"},
		{"RANGE", "\"[2020-01-01, UNBOUNDED)\"", "[2020-01-01, UNBOUNDED)"},
		{"INTERVAL", "\"1-2 3 4:5:6.7\"", "1-2 3 4:5:6.7"},
		{"BYTES", "\"YWJj\"", "abc"},
		{"BYTES", "\"YWI=\"", "ab"},
		{"BYTES", "\"YQ==\"", "a"},
		{"BYTES", "\"\\u0059Q==\"", "a"},
		{"BYTES", "\"\"", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char type[64];

		strcpy(type, "\"type\":\"");
		strcat(type, cases[i][0]);
		strcat(type, "\"");
		check_value(type, "NULLABLE", cases[i][1], cases[i][2]);
	}
}

static void test_bigquery_wrong_values(void **state)
{
	static const char *const cases[][3] = {
		{"INTEGER", "\"4.5\"", "cannot read 'x' of row 1 ('4.5' is no 64-bit integer)"},
		{"INTEGER", "{\"f\":[]}", "cannot read 'x' of row 1 (an object where int64 was expected)"},
		{"INTEGER", "[]", "cannot read 'x' of row 1 (an array where int64 was expected)"},
		{"TIMESTAMP", "\"1.7673230451234567E9\"",
			"cannot read 'x' of row 1 ('1.7673230451234567E9' is no timestamp in whole microseconds; ask for "
			"useInt64Timestamp)"},
		{"TIMESTAMP", "\"1E99999999\"",
			"cannot read 'x' of row 1 ('1E99999999' is no timestamp in whole microseconds; ask for useInt64Timestamp)"},
		{"TIMESTAMP", "\"253402300800000000\"",
			"cannot read 'x' of row 1 ('253402300800000000' is no timestamp of the years 1 to 9999)"},
		{"TIMESTAMP", "\"\"", "cannot read 'x' of row 1 ('' is no timestamp)"},
		{"DATE", "\"2026-13-01\"", "cannot read 'x' of row 1 ('2026-13-01' is no date)"},
		{"JSON", "\"{k:1}\"",
			"cannot read 'x' of row 1 (cannot read json (unexpected 'k' where a name in quotes should be at line 1, "
			"column "
			"2))"},
		{"BOOLEAN", "\"TRUE\"", "cannot read 'x' of row 1 ('TRUE' is no boolean)"},
		{"BYTES", "\"YW-_\"", "cannot read 'x' of row 1 ('YW-_' is no base64)"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char type[64];

		strcpy(type, "\"type\":\"");
		strcat(type, cases[i][0]);
		strcat(type, "\"");
		check_value(type, "NULLABLE", cases[i][1], cases[i][2]);
	}
}

static void test_bigquery_nested(void **state)
{
	const char *record =
		"\"type\":\"RECORD\",\"fields\":[{\"name\":\"i\",\"type\":\"INTEGER\"},{\"name\":\"s\\\"\",\"type\":"
		"\"STRING\"},{\"name\":\"in\",\"type\":\"STRUCT\",\"fields\":[{\"name\":\"t\",\"type\":\"TIMESTAMP\"},"
		"{\"name\":\"d\",\"type\":\"NUMERIC\",\"mode\":\"REPEATED\"}]}]";

	(void)state;
	check_value("\"type\":\"STRING\"", "REPEATED", "[]", "[]");
	check_value("\"type\":\"STRING\"", "REPEATED", "null", NULL);
	check_value("\"type\":\"STRING\"", "REPEATED", "[{\"v\":\"a\"},{\"v\":\"\\u0000\\\"\"},{\"v\":null}]",
		"[\"a\",\"\\u0000\\\"\",null]");
	check_value("\"type\":\"INTEGER\"", "REPEATED", "[{\"v\":\"9223372036854775807\"}]", "[9223372036854775807]");
	check_value("\"type\":\"FLOAT\"", "REPEATED", "[{\"v\":\"1.5E300\"},{\"v\":\"NaN\"}]", "[1.5e+300,\"NaN\"]");
	check_value("\"type\":\"BOOL\"", "REPEATED", "[{\"v\":\"true\"}]", "[true]");
	check_value(
		"\"type\":\"TIMESTAMP\"", "REPEATED", "[{\"v\":\"1767323045120000\"}]", "[\"2026-01-02T03:04:05.120000Z\"]");
	check_value("\"type\":\"NUMERIC\"", "REPEATED", "[{\"v\":\"1.10\"}]", "[1.10]");
	check_value("\"type\":\"BYTES\"", "REPEATED", "[{\"v\":\"YQ==\"}]", "[\"YQ==\"]");
	check_value("\"type\":\"JSON\"", "REPEATED", "[{\"v\":\"{\\\"a\\\":1}\"}]", "[{\"a\":1}]");
	check_value("\"type\":\"DATE\"", "REPEATED", "[{\"v\":\"2026-01-02\"}]", "[\"2026-01-02\"]");
	check_value(record, "NULLABLE", "null", NULL);
	check_value(record, "NULLABLE",
		"{\"f\":[{\"v\":\"1\"},{\"v\":\"x\"},{\"v\":{\"f\":[{\"v\":\"0\"},{\"v\":[{\"v\":\"1\"},{\"v\":\"2.0\"}]}]}}]}",
		"{\"i\":1,\"s\\\"\":\"x\",\"in\":{\"t\":\"1970-01-01T00:00:00.000000Z\",\"d\":[1,2.0]}}");
	check_value(record, "REPEATED", "[{\"v\":{\"f\":[{\"v\":null},{\"v\":null},{\"v\":null}]}},{\"v\":null}]",
		"[{\"i\":null,\"s\\\"\":null,\"in\":null},null]");
	check_value(record, "NULLABLE", "{\"f\":[{\"v\":\"1\"}]}",
		"cannot read 'x' of row 1 (the end of an array where an object was expected)");
	check_value(record, "NULLABLE", "\"x\"", "cannot read 'x' of row 1 (a string where a record was expected)");
	check_value(record, "NULLABLE", "{}", "cannot read 'x' of row 1 (an object without the member 'f')");
	check_value(
		"\"type\":\"STRING\"", "REPEATED", "\"a\"", "cannot read 'x' of row 1 (a string where an array was expected)");
	check_value("\"type\":\"STRING\"", "REPEATED", "[\"a\"]",
		"cannot read 'x' of row 1 (a string where an object was expected)");
	check_value("\"type\":\"STRING\"", "REPEATED", "[{\"v\":[]}]",
		"cannot read 'x' of row 1 (an array where text was expected)");
}

static void test_bigquery_answer(void **state)
{
	struct bigquery_fields *fields =
		parse_fields("[{\"name\":\"a\",\"type\":\"STRING\"},{\"name\":\"b\",\"type\":\"INTEGER\"}]");
	struct page_extras extras = {0};
	struct err err;
	struct rows *rows = read_rows(fields,
		"{\"kind\":\"k\",\"schema\":{\"fields\":[]},\"totalRows\":\"2\",\"rows\":[{\"f\":[{\"v\":\"x\"},{\"v\":\"1\"}]}"
		","
		"{\"extra\":[1],\"f\":[{\"w\":{},\"v\":null,\"z\":1},{\"v\":\"2\"}],\"y\":0}],\"pageToken\":\"p=\","
		"\"jobComplete\":true,"
		"\"none\":null}",
		&extras, &err);

	(void)state;
	assert_non_null(rows);
	assert_int_equal(rows->n, 2);
	assert_cell(rows, 0, 0, "x");
	assert_cell(rows, 1, 0, NULL);
	assert_cell(rows, 1, 1, "2");
	assert_int_equal(extras.n, 4);
	assert_extra(&extras.items[1], "\"2\"");
	assert_extra(&extras.items[2], "\"p=\"");
	assert_extra(&extras.items[3], "true");
	rows_unref(rows);
	page_extras_free(&extras);
	bigquery_fields_free(fields);
}

static void test_bigquery_wrong_answers(void **state)
{
	static const char *const cases[][2] = {
		{"[]", "cannot read 'the bigquery answer' (an array where an object was expected)"},
		{"{\"rows\":{}}", "cannot read 'rows' (an object where an array was expected)"},
		{"{\"rows\":[],\"rows\":[]}", "the answer has 'rows' twice"},
		{"{\"rows\":[1]}", "cannot read 'f' of row 1 (a number where a row was expected)"},
		{"{\"rows\":[{}]}", "cannot read 'f' of row 1 (an object without the member 'f')"},
		{"{\"rows\":[{\"f\":{}}]}", "cannot read 'f' of row 1 (an object where an array of values was expected)"},
		{"{\"rows\":[{\"f\":[]}]}", "cannot read 'a' of row 1 (the end of an array where an object was expected)"},
		{"{\"rows\":[{\"f\":[{}]}]}", "cannot read 'a' of row 1 (an object without the member 'v')"},
		{"{\"rows\":[{\"f\":[{\"v\":\"1\",\"v\":\"2\"}]}]}",
			"cannot read 'a' of row 1 (an object with the member 'v' twice)"},
		{"{\"rows\":[{\"f\":[{\"v\":\"1\"},{\"v\":\"2\"}]}]}",
			"cannot read 'f' of row 1 (an object where the end of an array was expected)"},
		{"{\"rows\":[{\"f\":[{\"v\":\"1\"}]}",
			"cannot read json (the text ends where ',' or ']' should be at line 1, column 27)"},
		{"{} x", "cannot read json (unexpected 'x' where the end of the text should be at line 1, column 4)"},
	};
	struct bigquery_fields *fields = parse_fields("[{\"name\":\"a\",\"type\":\"STRING\"}]");

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct page_extras extras = {0};
		struct err err;

		assert_null(read_rows(fields, cases[i][0], &extras, &err));
		assert_int_equal(err.kind, ERR_JSON);
		assert_string_equal(err.message, cases[i][1]);
		page_extras_free(&extras);
	}
	bigquery_fields_free(fields);
}

static void test_bigquery_no_rows(void **state)
{
	static const char *const texts[] = {
		"{\"totalRows\":\"0\"}", "{\"rows\":null}", "{\"rows\":[]}", "{\"jobComplete\":false}"};
	struct bigquery_fields *fields = parse_fields("[{\"name\":\"a\",\"type\":\"STRING\"}]");

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct page_extras extras = {0};
		struct err err;
		struct rows *rows = read_rows(fields, texts[i], &extras, &err);

		assert_non_null(rows);
		assert_int_equal(rows->n, 0);
		rows_unref(rows);
		page_extras_free(&extras);
	}
	bigquery_fields_free(fields);
}

static void test_bigquery_schemas(void **state)
{
	static const char *const cases[][2] = {
		{"{}", "an object where the fields of a bigquery schema was expected"},
		{"[1]", "a number where a field of a bigquery schema was expected"},
		{"[{\"type\":\"STRING\"}]", "a field of the bigquery schema has no name"},
		{"[{\"name\":\"a\"}]", "the bigquery column 'a' has the unknown type ''"},
		{"[{\"name\":\"a\",\"type\":\"FOO\"}]", "the bigquery column 'a' has the unknown type 'FOO'"},
		{"[{\"name\":\"a\",\"type\":\"RECORD\"}]", "the bigquery column 'a' is a record without fields"},
		{"[{\"name\":\"a\",\"type\":\"RECORD\",\"fields\":[{\"type\":\"STRING\"}]}]",
			"a field of the bigquery schema inside a has no name"},
		{"[{\"name\":\"a\",\"type\":\"STRING\"},{\"name\":\"b\",\"type\":\"STRING\"},{\"name\":\"a\",\"type\":\"JSON\"}"
		 "]",
			"the bigquery schema names 'a' twice; give one of the columns an alias"},
		{"[{\"name\":\"r\",\"type\":\"RECORD\",\"fields\":[{\"name\":\"x\",\"type\":\"STRING\"},{\"name\":\"x\","
		 "\"type\":\"STRING\"}]}]",
			"the bigquery schema names 'x' twice; give one of the columns an alias"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct err err;

		assert_null(bigquery_fields_parse(cases[i][0], strlen(cases[i][0]), &err));
		assert_string_equal(err.message, cases[i][1]);
	}
}

static void test_bigquery_deep_schema(void **state)
{
	struct buf json = {0};
	struct err err;

	(void)state;
	for (int depth = 0; depth < 100; depth++)
		assert_true(buf_puts(&json, "[{\"name\":\"r\",\"type\":\"RECORD\",\"fields\":"));
	assert_null(bigquery_fields_parse(json.data, json.len, &err));
	assert_string_equal(err.code, "depth");
	buf_free(&json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_paths_missing_rows),
		cmocka_unit_test(test_paths_last_of_repeated_names_counts),
		cmocka_unit_test(test_paths_wrong_shapes),
		cmocka_unit_test(test_paths_broken_text),
		cmocka_unit_test(test_paths_of_a_bare_array),
		cmocka_unit_test(test_paths_that_cannot_be),
		cmocka_unit_test(test_paths_shared_by_columns),
		cmocka_unit_test(test_bigquery_scalars),
		cmocka_unit_test(test_bigquery_wrong_values),
		cmocka_unit_test(test_bigquery_nested),
		cmocka_unit_test(test_bigquery_answer),
		cmocka_unit_test(test_bigquery_wrong_answers),
		cmocka_unit_test(test_bigquery_no_rows),
		cmocka_unit_test(test_bigquery_schemas),
		cmocka_unit_test(test_bigquery_deep_schema),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

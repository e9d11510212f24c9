// Fuzz entry of the BigQuery page decoder. The first byte chooses how the rest is read: as an answer under one of the
// schemas below, as the value of one cell or one row under it, or as a schema, a line feed, and an answer. Whatever is
// accepted is well-formed for its type, has a canonical form, and reads the same a second time.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "data/canon.h"
#include "data/cast.h"
#include "data/page.h"
#include "io/unicode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WHOLE, ROW, CELL, OWN_SCHEMA, SHAPES };

static const char *const schemas[] = {
	"[{\"name\":\"a\",\"type\":\"STRING\"}]",
	"[{\"name\":\"a\",\"type\":\"INTEGER\"}]",
	"[{\"name\":\"a\",\"type\":\"FLOAT\"}]",
	"[{\"name\":\"a\",\"type\":\"BIGNUMERIC\"}]",
	"[{\"name\":\"a\",\"type\":\"BOOLEAN\"}]",
	"[{\"name\":\"a\",\"type\":\"TIMESTAMP\"}]",
	"[{\"name\":\"a\",\"type\":\"DATE\"}]",
	"[{\"name\":\"a\",\"type\":\"TIME\"}]",
	"[{\"name\":\"a\",\"type\":\"DATETIME\"}]",
	"[{\"name\":\"a\",\"type\":\"JSON\"}]",
	"[{\"name\":\"a\",\"type\":\"BYTES\"}]",
	"[{\"name\":\"a\",\"type\":\"INTEGER\",\"mode\":\"REPEATED\"}]",
	"[{\"name\":\"a\",\"type\":\"RECORD\",\"fields\":[{\"name\":\"b\",\"type\":\"STRING\"},{\"name\":\"c\",\"type\":"
	"\"TIMESTAMP\"},"
	"{\"name\":\"d\",\"type\":\"RECORD\",\"mode\":\"REPEATED\",\"fields\":[{\"name\":\"e\",\"type\":\"FLOAT\"},"
	"{\"name\":\"f\",\"type\":\"BYTES\"},{\"name\":\"g\",\"type\":\"JSON\"}]}]}]",
	"[{\"name\":\"a\",\"type\":\"STRING\"},{\"name\":\"b\",\"type\":\"BOOL\"},{\"name\":\"c\",\"type\":\"DATE\"}]",
};
enum { SCHEMA_COUNT = sizeof schemas / sizeof schemas[0] };

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_failure(const struct err *err)
{
	check(err->kind == ERR_JSON && err->message[0] != '\0' && err->code[0] != '\0');
}

static void check_cell(enum col_type type, const struct cell *cell)
{
	struct buf form = {0};

	if (cell->null)
		return;
	check(cast_is_form(type, cell->ptr, cell->len));
	check(type == COL_BYTES || unicode_valid(cell->ptr, cell->len));
	check(canon_put(&form, type, cell, NULL));
	buf_free(&form);
}

static void check_cells(const struct rows *rows, const struct rows *again)
{
	struct canon canon = {0};

	check(rows->n == again->n);
	for (size_t i = 0; i < rows->n; i++) {
		for (size_t c = 0; c < rows->schema->ncols; c++) {
			const struct cell *a = &rows_at(rows, i)[c], *b = &rows_at(again, i)[c];
			bool equal = false;
			check_cell(rows->schema->cols[c].type, a);
			check(canon_equal(&canon, rows->schema->cols[c].type, a, b, &equal, NULL) && equal);
		}
	}
	canon_free(&canon);
}

static void check_extras(const struct page_extras *extras, const char *text, size_t len)
{
	for (size_t i = 0; i < extras->n; i++) {
		const struct page_value *v = &extras->items[i];
		check(v->name >= text && v->name + v->name_len <= text + len);
		check(v->text >= text && v->text + v->len <= text + len);
	}
}

static bool read_page(
	const struct bigquery_fields *fields, const char *text, size_t len, struct rows *rows, bool check_members)
{
	struct page_extras extras = {0};
	struct err err = {0};
	bool ok = page_read_bigquery(fields, text, len, rows, &extras, &err);

	if (!ok)
		check_failure(&err);
	if (check_members)
		check_extras(&extras, text, len);
	page_extras_free(&extras);
	return ok;
}

static void read_twice(const struct bigquery_fields *fields, const char *text, size_t len)
{
	struct rows *rows = rows_new(bigquery_fields_schema(fields), NULL);
	struct rows *again = rows_new(bigquery_fields_schema(fields), NULL);

	check(rows != NULL && again != NULL);
	if (read_page(fields, text, len, rows, true)) {
		check(read_page(fields, text, len, again, false));
		check_cells(rows, again);
	}
	rows_unref(rows);
	rows_unref(again);
}

// The text between what makes it the value of a cell, or of a row, of an answer.
static void read_inside(const struct bigquery_fields *fields, int shape, const char *text, size_t len)
{
	struct buf body = {0};

	check(buf_puts(&body, shape == CELL ? "{\"rows\":[{\"f\":[{\"v\":" : "{\"totalRows\":\"1\",\"rows\":["));
	check(buf_put(&body, text, len) && buf_puts(&body, shape == CELL ? "}]}],\"pageToken\":\"t\"}" : "]}"));
	read_twice(fields, body.data, body.len);
	buf_free(&body);
}

static struct bigquery_fields *parse_schema(const char *json, size_t len)
{
	struct err err = {0};
	struct bigquery_fields *fields = bigquery_fields_parse(json, len, &err);

	if (fields == NULL)
		check(err.message[0] != '\0');
	return fields;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int shape = size > 0 ? data[0] / SCHEMA_COUNT % SHAPES : WHOLE;
	const char *text = (const char *)data + 1, *line, *schema;
	struct bigquery_fields *fields;
	size_t len;

	if (size == 0)
		return 0;
	len = size - 1;
	schema = schemas[data[0] % SCHEMA_COUNT];
	line = shape == OWN_SCHEMA ? memchr(text, '\n', len) : NULL;
	fields = line != NULL ? parse_schema(text, (size_t)(line - text)) : parse_schema(schema, strlen(schema));
	if (fields == NULL)
		return 0;
	if (line != NULL)
		read_twice(fields, line + 1, len - (size_t)(line + 1 - text));
	else if (shape == ROW || shape == CELL)
		read_inside(fields, shape, text, len);
	else
		read_twice(fields, text, len);
	bigquery_fields_free(fields);
	return 0;
}

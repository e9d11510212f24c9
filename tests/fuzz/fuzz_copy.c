// Fuzz entry of the reader of COPY's binary stream. The first byte says where the stream is cut in two; cut or whole,
// it gives the same rows or the same refusal, and every cell is well-formed for its type.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "data/cast.h"
#include "data/pg_rows.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COLUMNS = 8 };

static void check(bool holds)
{
	if (!holds)
		abort();
}

static struct rows *page_of_all(void)
{
	static const char *const names[COLUMNS] = {"a", "b", "c", "d", "e", "f", "g", "h"};
	static const enum col_type types[COLUMNS] = {
		COL_TEXT, COL_INT64, COL_FLOAT64, COL_BOOL, COL_DATE, COL_TIMESTAMP, COL_JSON, COL_BYTES};
	struct schema *schema = schema_new(COLUMNS, names, types, NULL);
	struct rows *rows = rows_new(schema, NULL);

	check(schema != NULL && rows != NULL);
	schema_unref(schema);
	return rows;
}

// The stream in two pieces; NULL when it is refused.
static struct rows *read_cut(const char *data, size_t len, size_t cut)
{
	struct rows *rows = page_of_all();
	struct pg_decoder d = {.header = false};
	struct err err = {0};
	bool ok = pg_decoder_feed(&d, data, cut, rows, &err) && pg_decoder_feed(&d, data + cut, len - cut, rows, &err) &&
			  pg_decoder_finish(&d, &err);

	check(ok || err.message[0] != '\0');
	pg_decoder_free(&d);
	if (ok)
		return rows;
	rows_unref(rows);
	return NULL;
}

// Times outside our calendar (infinity, BC, year 10000) are words.
static bool is_well_formed(enum col_type type, const struct cell *cell)
{
	if (type == COL_JSON || type == COL_TEXT)
		return true;
	if (type == COL_DATE || type == COL_TIMESTAMP)
		return cell->len > 0 && cell->len < 32;
	return cast_is_form(type, cell->ptr, cell->len);
}

static void check_same(const struct rows *a, const struct rows *b)
{
	check(a->n == b->n);
	for (size_t i = 0; i < a->n; i++) {
		for (size_t c = 0; c < COLUMNS; c++) {
			const struct cell *x = &rows_at(a, i)[c], *y = &rows_at(b, i)[c];

			check(x->null == y->null && x->len == y->len && (x->null || memcmp(x->ptr, y->ptr, x->len) == 0));
			check(x->null || is_well_formed(a->schema->cols[c].type, x));
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t len = size - (size > 0);
	size_t cut = size > 0 && len > 0 ? data[0] % len : 0;
	const char *stream = (const char *)data + (size > 0);
	struct rows *whole = read_cut(stream, len, len), *parts = read_cut(stream, len, cut);

	check((whole == NULL) == (parts == NULL));
	if (whole != NULL) {
		check_same(whole, parts);
		rows_unref(whole);
		rows_unref(parts);
	}
	return 0;
}

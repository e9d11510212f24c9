// The record plane's fast path to SQLite: no value of a cell becomes a Lua value.
#include "data/sqlite_rows.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "io/json.h"

enum { NUMBER_SIZE = 40 };

// Only the canonical spelling becomes an INTEGER: "007" and "-0" stay the text they are.
static bool read_integer(const struct cell *cell, int64_t *out)
{
	const char *digits = cell->ptr;
	size_t len = cell->len;

	if (len > 0 && *digits == '-') {
		digits++;
		len--;
	}
	if (len == 0 || (*digits == '0' && cell->len > 1))
		return false;
	return json_number_int64(cell->ptr, cell->len, out);
}

// NaN is not accepted: SQLite would store NULL.
static bool read_real(const struct cell *cell, double *out)
{
	if (cell->len == 8 && memcmp(cell->ptr, "Infinity", 8) == 0)
		*out = (double)INFINITY;
	else if (cell->len == 9 && memcmp(cell->ptr, "-Infinity", 9) == 0)
		*out = -(double)INFINITY;
	else if (!json_number_valid(cell->ptr, cell->len))
		return false;
	else
		json_number_double(cell->ptr, cell->len, out);
	return true;
}

static bool read_bool(const struct cell *cell, int64_t *out)
{
	*out = cell->len == 4 && memcmp(cell->ptr, "true", 4) == 0;
	return *out != 0 || (cell->len == 5 && memcmp(cell->ptr, "false", 5) == 0);
}

static void value_of(const struct cell *cell, enum col_type type, bool raw, struct sqlite_value *v)
{
	*v = (struct sqlite_value){.type = SQLITE_TYPE_NULL};
	if (cell->null)
		return;
	v->type = type == COL_BYTES ? SQLITE_TYPE_BLOB : SQLITE_TYPE_TEXT;
	v->bytes = cell->ptr;
	v->len = cell->len;
	if (raw)
		return;
	if (((type == COL_INT64 || type == COL_TIMESTAMP) && read_integer(cell, &v->integer)) ||
		(type == COL_BOOL && read_bool(cell, &v->integer)))
		v->type = SQLITE_TYPE_INTEGER;
	else if (type == COL_FLOAT64 && read_real(cell, &v->real))
		v->type = SQLITE_TYPE_REAL;
}

static bool bind_row(struct sqlite_stmt *stmt, const struct rows *rows, size_t i, bool raw, struct err *err)
{
	const struct cell *cells = rows_at(rows, i);
	struct sqlite_value value;

	for (size_t c = 0; c < rows->schema->ncols; c++) {
		value_of(&cells[c], rows->schema->cols[c].type, raw, &value);
		if (!sqlite_bind(stmt, (int)c + 1, &value, false, err))
			return false;
	}
	return true;
}

// The first row's failure to get the lock may be waited out; later ones would run rows twice.
static bool fail_in_row(size_t i, size_t from, struct err *err)
{
	char message[ERR_MESSAGE_SIZE];

	if (err == NULL)
		return false;
	memcpy(message, err->message, sizeof message);
	snprintf(err->message, sizeof err->message, "row %zu: %.980s", i + 1, message);
	if (i > from)
		err->retryable = false;
	return false;
}

bool sqlite_insert_rows(struct sqlite_stmt *stmt, const struct rows *rows, size_t from, size_t to, bool raw,
	int64_t *changes, struct err *err)
{
	int64_t n;

	*changes = 0;
	if ((size_t)sqlite_param_count(stmt) != rows->schema->ncols)
		return err_set(err, ERR_USAGE, NULL, "the statement has %d parameters, the rows have %zu columns",
			sqlite_param_count(stmt), rows->schema->ncols);
	for (size_t i = from; i < to; i++) {
		if (!bind_row(stmt, rows, i, raw, err) || !sqlite_run(stmt, &n, err))
			return fail_in_row(i, from, err);
		*changes += n;
	}
	return true;
}

bool sqlite_scan_check(const struct sqlite_stmt *stmt, const struct schema *schema, struct err *err)
{
	if ((size_t)sqlite_column_count(stmt) == schema->ncols)
		return true;
	return err_set(err, ERR_USAGE, NULL, "the statement gives %d columns, the schema has %zu",
		sqlite_column_count(stmt), schema->ncols);
}

// JSON's spelling has no infinities; NaN cannot come out of SQLite.
static size_t real_text(double real, char out[static NUMBER_SIZE])
{
	if (isinf(real))
		return (size_t)snprintf(out, NUMBER_SIZE, "%s", real > 0 ? "Infinity" : "-Infinity");
	return json_double_text(real, out);
}

// A BLOB where there should be something else equals no text: it is spelled as SQL does.
static bool set_blob(struct rows *rows, struct cell *cell, const struct sqlite_value *v, struct err *err)
{
	struct buf text = {0};
	bool ok = buf_reserve(&text, 2 * v->len + 3) && buf_puts(&text, "X'");

	for (size_t i = 0; ok && i < v->len; i++)
		ok = buf_printf(&text, "%02X", (unsigned char)v->bytes[i]);
	ok = ok && buf_putc(&text, '\'');
	ok = ok ? rows_set(rows, cell, text.data, text.len, err) : err_no_memory(err);
	buf_free(&text);
	return ok;
}

static bool set_cell(
	struct rows *rows, struct cell *cell, enum col_type type, const struct sqlite_value *v, struct err *err)
{
	char number[NUMBER_SIZE];

	switch (v->type) {
	case SQLITE_TYPE_NULL:
		return true; // as rows_add made it
	case SQLITE_TYPE_INTEGER:
		if (type == COL_BOOL && (v->integer == 0 || v->integer == 1))
			return rows_set(rows, cell, v->integer != 0 ? "true" : "false", v->integer != 0 ? 4 : 5, err);
		return rows_set(rows, cell, number, (size_t)snprintf(number, sizeof number, "%" PRId64, v->integer), err);
	case SQLITE_TYPE_REAL:
		return rows_set(rows, cell, number, real_text(v->real, number), err);
	case SQLITE_TYPE_BLOB:
		if (type != COL_BYTES)
			return set_blob(rows, cell, v, err);
		break;
	case SQLITE_TYPE_TEXT:
		break;
	}
	return rows_set(rows, cell, v->bytes, v->len, err);
}

static bool add_row(struct sqlite_stmt *stmt, struct rows *rows, struct err *err)
{
	struct cell *cells = rows_add(rows, err);
	struct sqlite_value value;

	if (cells == NULL)
		return false;
	for (size_t c = 0; c < rows->schema->ncols; c++)
		if (!sqlite_column(stmt, (int)c, &value, err) ||
			!set_cell(rows, &cells[c], rows->schema->cols[c].type, &value, err))
			return false;
	return true;
}

bool sqlite_scan_rows(struct sqlite_stmt *stmt, struct rows *rows, size_t max, bool *done, struct err *err)
{
	*done = false;
	for (size_t i = 0; i < max; i++) {
		enum sqlite_step step = sqlite_step(stmt, err);

		if (step == SQLITE_STEP_ERROR)
			return false;
		*done = step == SQLITE_STEP_DONE;
		if (*done)
			return true;
		if (i == 0 && !sqlite_scan_check(stmt, rows->schema, err)) // a changed table may have changed its columns
			return false;
		if (!add_row(stmt, rows, err))
			return false;
	}
	return true;
}

// Pages of rows into and out of SQLite statements: cells to bound values, columns to cells. No Lua, no SQL text.
#ifndef SYNCRUN_DATA_SQLITE_ROWS_H
#define SYNCRUN_DATA_SQLITE_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "data/rows.h"
#include "io/sqlite.h"

// Run the statement once for each of rows from..to-1, its parameters 1..n bound to the cells: int64 and timestamp as
// INTEGER, bool as 0 or 1, float64 as REAL, bytes as BLOB, all else as TEXT; `raw` binds all but bytes as TEXT. A cell
// that is malformed for its type, and a float64 that is not a number, goes as its TEXT, so that nothing is lost.
// *changes is the sum of the runs. A failure names the row; the rows before it remain, so run it in a transaction.
bool sqlite_insert_rows(struct sqlite_stmt *stmt, const struct rows *rows, size_t from, size_t to, bool raw,
	int64_t *changes, struct err *err);
// Whether the statement's columns can fill rows of this schema, which goes by position.
bool sqlite_scan_check(const struct sqlite_stmt *stmt, const struct schema *schema, struct err *err);
// Step up to `max` rows into the page. A BLOB in a column of another type than bytes becomes its SQL literal, X'…',
// which no text is equal to. *done when the statement has come to its end.
bool sqlite_scan_rows(struct sqlite_stmt *stmt, struct rows *rows, size_t max, bool *done, struct err *err);

#endif

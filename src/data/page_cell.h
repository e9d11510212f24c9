// A JSON scalar as the text form of a column's type (data/rows.h): shared by the readers of pages.
#ifndef SYNCRUN_DATA_PAGE_CELL_H
#define SYNCRUN_DATA_PAGE_CELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "data/rows.h"
#include "io/json.h"

struct page_text {
	const char *ptr; // into the token, into `small`, or into the scratch buffer
	size_t len;
	char small[40];
};

// Convert a string, number, true or false. On failure err (kind json) holds the bare reason, to be completed with
// page_fail. A timestamp may be RFC 3339 text, whole microseconds, or seconds with a point or an exponent
// (1.767323045123456E9), which are converted digit by digit; a json column takes a string that holds JSON.
bool page_convert(
	struct page_text *out, enum col_type type, const struct json_token *token, struct buf *scratch, struct err *err);
// The same into a cell.
bool page_set_scalar(struct rows *rows, struct cell *cell, enum col_type type, const struct json_token *token,
	struct buf *scratch, struct err *err);
// Complete the reason in err: "cannot read 'name' of row 3 (reason)". Row 0 leaves the row out. Always false.
bool page_fail(struct err *err, const char *name, size_t name_len, size_t row);
// "an object where a string was expected": a reason for page_fail. Always false.
bool page_wrong_shape(struct err *err, enum json_type got, const char *expected);

#endif

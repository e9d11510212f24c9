// Rows to JSON objects by a template that is compiled once: "name.firstName" and "name.lastName" nest into one object.
//
// Failures: ERR_USAGE for a template that cannot be, ERR_MAPPING for a cell that cannot be written as asked (names
// column and row), ERR_LIMIT and ERR_INTERNAL.
#ifndef SYNCRUN_DATA_ENCODE_H
#define SYNCRUN_DATA_ENCODE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "data/rows.h"

enum encode_as {
	ENCODE_AUTO,         // by the column's type: number, bool, json, timestamp_us, else string
	ENCODE_STRING,       // the cell's text; bytes as base64
	ENCODE_NUMBER,       // must be a JSON number: digits as they are
	ENCODE_BOOL,         // must be true or false
	ENCODE_JSON,         // must be JSON: inserted as it is
	ENCODE_TIMESTAMP_MS, // "2026-01-02T03:04:05.678Z" of microseconds, cut towards the past
	ENCODE_TIMESTAMP_US, // the same with six digits
	ENCODE_AS_COUNT
};

struct encode_field {
	const char *path;     // member names joined by dots
	const char *column;   // whose cell, or NULL for a constant
	enum encode_as as;    // of a column
	const char *constant; // JSON text, when column is NULL
	size_t constant_len;
};

struct encoder;

// ENCODE_AS_COUNT for an unknown name ("string", "number", "bool", "json", "timestamp_ms", "timestamp_us").
enum encode_as encode_as_of(const char *name);
// Compile; everything is copied. Members come in the order in which they are first named. NULL with err on failure.
struct encoder *encoder_new(const struct encode_field *fields, size_t nfields, struct err *err);
void encoder_free(struct encoder *encoder);
// Append the array of rows [from, to) (0-based) to out. NULL cells become null. On failure out is as before.
bool encoder_put_rows(
	struct encoder *encoder, const struct rows *rows, size_t from, size_t to, struct buf *out, struct err *err);
// Append an array of as many rows from `from` on as fit in max_rows rows and max_bytes bytes, brackets and commas
// included, but at least one; *to is behind the last one. from < rows->n. On failure out is as before.
bool encoder_put_batch(struct encoder *encoder, const struct rows *rows, size_t from, size_t max_rows, size_t max_bytes,
	struct buf *out, size_t *to, struct err *err);

#endif

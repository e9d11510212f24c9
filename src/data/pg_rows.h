// Pages of rows from and to Postgres' binary forms: COPY … (FORMAT binary) in, text[] parameters out.
// Pure functions of bytes and cells; no server, no Lua.
#ifndef SYNCRUN_DATA_PG_ROWS_H
#define SYNCRUN_DATA_PG_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "data/rows.h"

enum { PG_TYPE_BOOL = 16, PG_TYPE_BYTEA = 17, PG_TYPE_TEXT = 25, PG_TYPE_TEXT_ARRAY = 1009 };

// Whether COPY's binary form of a column of this type (an OID) can be decoded as cells of `type`; else err names the
// column and says what to write instead.
bool pg_column_check(uint32_t oid, enum col_type type, const char *column, struct err *err);
// "int8", "timestamptz" … of the well-known types, NULL of others.
const char *pg_type_name(uint32_t oid);

// The state of one COPY stream. Zero-initialise; pg_decoder_free when done, whatever happened.
struct pg_decoder {
	struct buf pending; // the beginning of a tuple whose rest has not come
	bool header, trailer;
	size_t tuples;
};
// Decode every whole tuple of the stream's next bytes into rows, by position and the schema's types; the bytes may be
// cut anywhere. Malformed bytes, a column of another length than its type's, or another number of columns: false.
bool pg_decoder_feed(struct pg_decoder *d, const char *data, size_t len, struct rows *rows, struct err *err);
// The stream ended: false unless the trailer came, and nothing behind it.
bool pg_decoder_finish(const struct pg_decoder *d, struct err *err);
void pg_decoder_free(struct pg_decoder *d);

// Build a text[] in binary form: begin with the number of elements, then put each (NULL data is NULL).
// False with err when memory runs out or the array exceeds what the server takes (1 GiB).
bool pg_array_begin(struct buf *out, size_t n, struct err *err);
bool pg_array_put(struct buf *out, const char *data, size_t len, struct err *err);
// Column c of rows from..to-1 as such an array. Timestamps become ISO text with +00, bytes become \x hex, everything
// else is the cell's text.
bool pg_array_of_column(struct buf *out, const struct rows *rows, size_t c, size_t from, size_t to, struct err *err);

#endif

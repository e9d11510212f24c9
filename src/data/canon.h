// The one canonical byte form of a value, the same whichever system it came from, and what equal means.
//
//   int64, timestamp  digits without + or leading zeros      decimal  the exact value: -11e-1, 42, 1e3, 0
//   float64           shortest text that reads back, -0 is 0; NaN, Infinity, -Infinity
//   json              as json_canonical (io/json.h)          others   the bytes as they are
// A cell that is malformed for its type is its bytes: it equals only the same bytes.
#ifndef SYNCRUN_DATA_CANON_H
#define SYNCRUN_DATA_CANON_H

#include <stdbool.h>

#include "base/buf.h"
#include "data/rows.h"

// Working storage, kept from call to call. Zero-initialise; free with canon_free.
struct canon {
	struct buf a, b;
};
void canon_free(struct canon *canon);

enum { CANON_DIGEST_SIZE = 32 };

// Append the canonical form of a cell that is not NULL. On failure (memory, size) out may have grown by a part of it.
bool canon_put(struct buf *out, enum col_type type, const struct cell *cell, struct err *err);
// Are two cells of this type equal? NULL equals NULL only. Compares bytes first; canonical forms are made only when
// they differ and the type has several spellings.
bool canon_equal(
	struct canon *canon, enum col_type type, const struct cell *a, const struct cell *b, bool *equal, struct err *err);
// Append a cell's frame: '-' for NULL, else the decimal length of its canonical form, ':', the form. Frames in a row
// are read back in one way only. Uses canon->b; out may be canon->a.
bool canon_frame(struct canon *canon, struct buf *out, enum col_type type, const struct cell *cell, struct err *err);
// SHA-256 over the row's canonical cells in the schema's order: '-' for NULL, else decimal length, ':', bytes.
bool canon_digest(struct canon *canon, const struct schema *schema, const struct cell *cells,
	unsigned char digest[CANON_DIGEST_SIZE], struct err *err);

#endif

// The record plane's page: a schema, and cells (pointer, length, null) whose bytes lie in an arena.
//
// A cell holds the value's text form, the same whichever system it came from:
//   text       UTF-8 bytes as they are                  int64      decimal digits, '-' in front
//   decimal    plain or exponent digits as spelled      bytes      the bytes themselves
//   float64    shortest text that reads back, NaN, Infinity, -Infinity
//   bool       true | false                             date       YYYY-MM-DD
//   time       HH:MM:SS[.ffffff]                        datetime   YYYY-MM-DDTHH:MM:SS[.ffffff]
//   timestamp  int64 microseconds since 1970 UTC, as decimal digits
//   json       JSON text as spelled (also arrays and structs)
// NULL is a flag, never a text. Two cells are equal when their canonical forms are (canon.h).
#ifndef SYNCRUN_DATA_ROWS_H
#define SYNCRUN_DATA_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum col_type {
	COL_TEXT,
	COL_INT64,
	COL_DECIMAL,
	COL_FLOAT64,
	COL_BOOL,
	COL_DATE,
	COL_TIME,
	COL_DATETIME,
	COL_TIMESTAMP,
	COL_JSON,
	COL_BYTES,
	COL_TYPE_COUNT
};

struct column {
	char *name;
	enum col_type type;
};

// Immutable and shared by reference count: every page of one scan has the same one.
struct schema {
	size_t refs;
	size_t ncols;
	size_t mask;     // of the hash index from names to columns
	uint16_t *slots; // column + 1, 0 for none
	struct column cols[];
};

// What a projection did to a value. EXACT is 0, so that cells of a plain read are exact.
enum fate { FATE_EXACT, FATE_FOLDED, FATE_LOST, FATE_REJECTED };

struct cell {
	const char *ptr;
	uint32_t len;
	bool null;
	uint8_t fate;  // enum fate
	uint16_t note; // why, for FATE_LOST and FATE_REJECTED: an enum plan_note, 0 for none
};

struct rows {
	size_t refs;
	struct schema *schema;
	size_t n, cap;      // rows held; rows there is room for
	struct cell *cells; // n * ncols, row by row
	struct arena_block *arena;
	struct rows *parent; // whose arena some cells point into, or NULL; held by reference
};

// "text", "int64", …; COL_TYPE_COUNT for an unknown name.
const char *col_type_name(enum col_type type);
enum col_type col_type_of(const char *name);

// A schema of ncols columns (1 to SCHEMA_MAX_COLUMNS) named and typed as given (copied). NULL with err on failure
// (also: a name given twice). Made only here: the index behind it is private.
enum { SCHEMA_MAX_COLUMNS = 10000 };
struct schema *schema_new(size_t ncols, const char *const *names, const enum col_type *types, struct err *err);
struct schema *schema_ref(struct schema *schema);
void schema_unref(struct schema *schema);
// Index of the column of that name, or -1.
int schema_find(const struct schema *schema, const char *name);
// The same for a name of len bytes.
int schema_find_n(const struct schema *schema, const char *name, size_t len);
// Same columns, same types, same order.
bool schema_equal(const struct schema *a, const struct schema *b);

struct rows *rows_new(struct schema *schema, struct err *err);
struct rows *rows_ref(struct rows *rows);
void rows_unref(struct rows *rows);
// A further row of NULL cells. The pointer is valid until the next rows_add.
struct cell *rows_add(struct rows *rows, struct err *err);
// The cells of row i, 0 <= i < n.
struct cell *rows_at(const struct rows *rows, size_t i);
// Bytes in the page's arena, valid as long as the page. NULL with err when memory runs out or len is over UINT32_MAX
// - 1.
char *rows_alloc(struct rows *rows, size_t len, struct err *err);
// Set a cell to a copy of these bytes (fate EXACT).
bool rows_set(struct rows *rows, struct cell *cell, const void *bytes, size_t len, struct err *err);
// Room for `more` further rows, so that many rows_add do not grow step by step.
bool rows_reserve(struct rows *rows, size_t more, struct err *err);
// Keep the parent's bytes alive as long as this page, whose cells may then point into them. Once a page.
void rows_adopt(struct rows *rows, struct rows *parent);
// A page of the given rows of `from` (0-based, each below from->n), sharing its bytes. NULL with err on failure.
struct rows *rows_pick(struct rows *from, const size_t *indices, size_t n, struct err *err);
// Add a copy, bytes included, of row i of `from`, whose schema must be equal. Fates are copied too.
bool rows_append(struct rows *rows, const struct rows *from, size_t i, struct err *err);
// Bytes held by the page, for limits and reports.
size_t rows_bytes(const struct rows *rows);
// Bytes held by all pages of the process: a garbage collector that cannot see them may ask.
size_t rows_live_bytes(void);

#endif

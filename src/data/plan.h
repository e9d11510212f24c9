// A mapping compiled to a plan: for every column of the result where it comes from, its cast, and its steps, run in C
// over whole pages. Row i of the result is row i of the input, and each cell says what became of the value (its fate).
// Knows no system by name.
//
// A plan is built column by column, then applied. Steps take a value along a chain; the worst fate of the chain is the
// cell's, and what happened first at that grade is its note. A rejected value goes no further along its chain.
#ifndef SYNCRUN_DATA_PLAN_H
#define SYNCRUN_DATA_PLAN_H

#include "base/buf.h"
#include "data/note.h"
#include "data/rows.h"

enum { FATE_COUNT = FATE_REJECTED + 1 };

struct plan;

// An argument of a step: bytes, not NUL-terminated.
struct plan_arg {
	const char *text;
	size_t len;
};

// A plan without columns for pages of this schema. NULL with err on failure.
struct plan *plan_new(struct schema *source, struct err *err);
void plan_free(struct plan *plan);
// A further column of the result. `from` names a column of the source, or is NULL: the value starts as NULL. When the
// types differ the value is cast; a cast that could only fail is refused here.
bool plan_add_column(struct plan *plan, const char *name, enum col_type type, const char *from, struct err *err);
// A further step of the last column added.
bool plan_add_step(struct plan *plan, const char *name, const struct plan_arg *args, size_t nargs, struct err *err);
// All columns are there. Needed once, before plan_apply.
bool plan_seal(struct plan *plan, struct err *err);
// The schema of the result (borrowed); NULL before plan_seal.
struct schema *plan_schema(const struct plan *plan);
// The column of the source whose canonical forms column c of the result has, wherever its cell is not lost or rejected;
// -1 when that cannot be told beforehand.
int plan_keeps(const struct plan *plan, size_t c);
// The page mapped. Its cells may point into the input, which it keeps alive. NULL with err on failure.
struct rows *plan_apply(struct plan *plan, struct rows *rows, struct err *err);
// How many cells of column c met that fate in the page mapped last; none of a page that could not be mapped.
uint64_t plan_count(const struct plan *plan, size_t c, enum fate fate);

// "exact", "folded", "lost", "rejected".
const char *plan_fate_name(enum fate fate);
// Append why the cell is not exact, in words. False when memory runs out.
bool plan_put_note(struct buf *out, const struct cell *cell);

#endif

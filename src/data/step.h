// How the steps of a plan are defined, for plan.c and the steps_*.c only: tables of name, arguments and a function over
// one cell.
#ifndef SYNCRUN_DATA_STEP_H
#define SYNCRUN_DATA_STEP_H

#include "base/buf.h"
#include "data/note.h"
#include "data/rows.h"

struct step_arg {
	char *text; // NUL-terminated, though it may hold others
	size_t len;
	int column; // of the source, when the step's arguments are columns
};

struct step {
	const struct step_def *def;
	struct step_arg *args;
	size_t nargs;
	size_t number; // what def->parse made of the arguments
};

// What a step sees while it runs.
struct step_run {
	struct rows *out;          // owns new bytes
	const struct cell *source; // the row before mapping
	enum col_type type;        // of the result column
	struct buf *scratch;       // empty when the step starts
	struct err *err;           // set by a step that fails for more than want of memory
};

enum { STEP_ARGS_MAX = 10000 };

struct step_def {
	const char *name;
	size_t min_args, max_args;
	bool columns;   // the arguments name columns of the source
	bool on_null;   // runs for NULL too
	bool keeps;     // the value's canonical form stays, or the cell is marked lost or rejected
	unsigned types; // bit per col_type it can work on
	// Check the arguments; may be NULL.
	bool (*parse)(struct step *step, struct err *err);
	// Change *cell in place. False only when memory runs out or a value grows too long.
	bool (*run)(struct step_run *run, const struct step *step, struct cell *cell);
};

#define STEP_TYPE(type) (1u << (type))
#define STEP_ANY_TYPE ((1u << COL_TYPE_COUNT) - 1)

// Tables, each ended by an entry without name.
extern const struct step_def steps_text[], steps_chars[], steps_name[], steps_json[], steps_phone[], steps_email[],
	steps_time[];

// The value becomes a copy of these bytes; its fate stays.
bool step_put(struct step_run *run, struct cell *cell, const void *bytes, size_t len);
// The value becomes what the scratch holds.
bool step_put_scratch(struct step_run *run, struct cell *cell);
// Raise the cell's fate to this one, if it is worse.
void step_mark(struct cell *cell, enum fate fate, enum plan_note note);

#endif

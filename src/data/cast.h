// What is a value of a type, as far as the text form tells, and how it becomes one of another.
#ifndef SYNCRUN_DATA_CAST_H
#define SYNCRUN_DATA_CAST_H

#include "data/step.h"

// Is this a value's text form, as rows.h lays it down for the type?
bool cast_is_form(enum col_type type, const char *text, size_t len);

// From one type to another, as a step of a plan. False only when memory runs out or a value grows too long.
typedef bool cast_run(struct step_run *run, enum col_type from, struct cell *cell);
// Is there a cast at all, and which function does it? NULL when the text form is the same already.
bool cast_find(enum col_type from, enum col_type to, cast_run **cast);

#endif

// What is a value of a type, as far as the text form tells.
#ifndef SYNCRUN_DATA_CAST_H
#define SYNCRUN_DATA_CAST_H

#include "data/rows.h"

// Is this a value's text form, as rows.h lays it down for the type?
bool cast_is_form(enum col_type type, const char *text, size_t len);

#endif

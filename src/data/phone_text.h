// Reading a telephone number out of a text as people write it: what is a digit there, what may stand between digits,
// and what is an extension. It reads what libphonenumber-js 1.11 reads, which Twenty uses
// (tests/lua/twenty_phones_test.lua compares them). Knows no numbering plan.
#ifndef SYNCRUN_DATA_PHONE_TEXT_H
#define SYNCRUN_DATA_PHONE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum phone_reading {
	PHONE_READ,
	PHONE_NONE,    // the text is no number
	PHONE_DECIMAL, // a number with ".0" behind it, as spreadsheets and data frames make of whole numbers
	PHONE_NO_MEMORY
};

// What of the text the number does not tell.
struct phone_left_out {
	bool extension;
	bool words; // before or behind it
};

// Put the number into the empty `out`: ASCII digits, with + in front if it is written so.
enum phone_reading phone_read(struct buf *out, const char *text, size_t len, struct phone_left_out *left_out);

#endif

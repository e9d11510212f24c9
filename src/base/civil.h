// Dates and times as exact integers: proleptic Gregorian calendar, years 1 to 9999, microseconds since 1970 in UTC.
// No time zones beyond the numeric offsets of RFC 3339, no leap seconds, no locale, no libc calendar.
#ifndef SYNCRUN_BASE_CIVIL_H
#define SYNCRUN_BASE_CIVIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CIVIL_MIN_US INT64_C(-62135596800000000) // 0001-01-01T00:00:00Z
#define CIVIL_MAX_US INT64_C(253402300799999999) // 9999-12-31T23:59:59.999999Z

enum { CIVIL_TEXT_SIZE = 32 }; // room for any text that this module writes, terminated

struct civil {
	int year, month, day; // 1..9999, 1..12, 1..31
	int hour, min, sec;   // 0..23, 0..59, 0..59
	int usec;             // 0..999999
};

// Days since 1970-01-01 of a valid date, and back (any day of years 1..9999).
int64_t civil_to_days(int year, int month, int day);
void civil_from_days(int64_t days, int *year, int *month, int *day);
// Whether the calendar has this day (years 1..9999).
bool civil_date_valid(int year, int month, int day);

// Microseconds since 1970 of a valid civil time read as UTC, and back (CIVIL_MIN_US..CIVIL_MAX_US).
int64_t civil_to_us(const struct civil *civil);
void civil_from_us(int64_t us, struct civil *civil);

// Strict readers of whole texts; false with err (kind usage) saying what is wrong. Fields not in the text become those
// of 0001-01-01T00:00:00.
bool civil_parse_date(const char *text, size_t len, struct civil *out, struct err *err); // YYYY-MM-DD
bool civil_parse_time(const char *text, size_t len, struct civil *out, struct err *err); // HH:MM:SS[.f]
// YYYY-MM-DD, 'T' or 't' or ' ', HH:MM:SS[.f]; no offset.
bool civil_parse_datetime(const char *text, size_t len, struct civil *out, struct err *err);
// RFC 3339: a datetime followed by Z, z, +HH:MM or -HH:MM. The fraction has 1 to 9 digits; those behind the sixth must
// be zero, for nothing is rounded. Second 60 is refused: it has no microsecond count of its own.
bool civil_parse_rfc3339(const char *text, size_t len, int64_t *us, struct err *err);

// How many fraction digits to write; AUTO writes 0, 3 or 6, the fewest that lose nothing.
enum { CIVIL_AUTO = -1 };
// YYYY-MM-DDTHH:MM:SS[.f]Z of CIVIL_MIN_US..CIVIL_MAX_US with 0..6 digits (the rest is cut off, towards the past) or
// CIVIL_AUTO. Returns the length.
size_t civil_format_rfc3339(int64_t us, int digits, char out[static CIVIL_TEXT_SIZE]);
// YYYY-MM-DDTHH:MM:SS[.ffffff], HH:MM:SS[.ffffff], YYYY-MM-DD: the record plane's text forms; a fraction only when it
// is not zero, then with six digits.
size_t civil_format_datetime(const struct civil *civil, char out[static CIVIL_TEXT_SIZE]);
size_t civil_format_time(const struct civil *civil, char out[static CIVIL_TEXT_SIZE]);
size_t civil_format_date(const struct civil *civil, char out[static CIVIL_TEXT_SIZE]);

#endif

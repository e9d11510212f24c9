// Fuzz entry of the readers of ISO times: whatever is accepted is a time of the calendar, and its own text form reads
// back as the same.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/civil.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_civil(const struct civil *c)
{
	check(c->year >= 1 && c->year <= 9999 && civil_date_valid(c->year, c->month, c->day));
	check(c->hour >= 0 && c->hour < 24 && c->min >= 0 && c->min < 60 && c->sec >= 0 && c->sec < 60);
	check(c->usec >= 0 && c->usec < 1000000);
}

static void check_instant(const char *text, size_t len)
{
	char again[CIVIL_TEXT_SIZE];
	struct civil civil;
	struct err err;
	int64_t us, same;

	if (!civil_parse_rfc3339(text, len, &us, &err)) {
		check(err.kind == ERR_USAGE && err.message[0] != '\0');
		return;
	}
	check(us >= CIVIL_MIN_US && us <= CIVIL_MAX_US);
	civil_from_us(us, &civil);
	check_civil(&civil);
	check(civil_to_us(&civil) == us);
	check(civil_parse_rfc3339(again, civil_format_rfc3339(us, CIVIL_AUTO, again), &same, NULL) && same == us);
}

typedef bool reader(const char *text, size_t len, struct civil *out, struct err *err);
typedef size_t writer(const struct civil *civil, char out[static CIVIL_TEXT_SIZE]);

static void check_form(reader *parse, writer *format, const char *text, size_t len)
{
	char again[CIVIL_TEXT_SIZE];
	struct civil civil, same;

	if (!parse(text, len, &civil, NULL))
		return;
	check_civil(&civil);
	check(parse(again, format(&civil, again), &same, NULL));
	check(civil_to_us(&civil) == civil_to_us(&same));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;

	check_instant(text, size);
	check_form(civil_parse_date, civil_format_date, text, size);
	check_form(civil_parse_time, civil_format_time, text, size);
	check_form(civil_parse_datetime, civil_format_datetime, text, size);
	return 0;
}

// Casts of a plan: from one type's text form to another's. What does not fit is rejected, never bent; what is dear to
// guess (a datetime's zone) has no cast.
#include "data/cast.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/civil.h"
#include "io/json.h"
#include "io/unicode.h"

static bool cell_is(const struct cell *cell, const char *text)
{
	return cell->len == strlen(text) && memcmp(cell->ptr, text, cell->len) == 0;
}

// A date, time or datetime respelled as rows.h lays down; 0 when it is none.
static size_t civil_form(enum col_type type, const char *text, size_t len, char out[static CIVIL_TEXT_SIZE])
{
	struct civil civil;

	switch (type) {
	case COL_DATE:
		return civil_parse_date(text, len, &civil, NULL) ? civil_format_date(&civil, out) : 0;
	case COL_TIME:
		return civil_parse_time(text, len, &civil, NULL) ? civil_format_time(&civil, out) : 0;
	case COL_DATETIME:
		return civil_parse_datetime(text, len, &civil, NULL) ? civil_format_datetime(&civil, out) : 0;
	default:
		return 0;
	}
}

static bool is_float(const struct cell *cell)
{
	return json_number_valid(cell->ptr, cell->len) || cell_is(cell, "NaN") || cell_is(cell, "Infinity") ||
		   cell_is(cell, "-Infinity");
}

bool cast_is_form(enum col_type type, const char *text, size_t len)
{
	struct cell cell = {.ptr = text, .len = (uint32_t)len};
	char form[CIVIL_TEXT_SIZE];
	int64_t value;

	switch (type) {
	case COL_INT64:
	case COL_TIMESTAMP:
		return json_number_valid(text, len) && json_number_int64(text, len, &value);
	case COL_DECIMAL:
		return json_number_valid(text, len);
	case COL_FLOAT64:
		return is_float(&cell);
	case COL_BOOL:
		return cell_is(&cell, "true") || cell_is(&cell, "false");
	case COL_DATE:
	case COL_TIME:
	case COL_DATETIME:
		return civil_form(type, text, len, form) == len && memcmp(form, text, len) == 0;
	case COL_JSON:
		return json_validate(text, len, NULL);
	default:
		return true;
	}
}

static bool reject(struct cell *cell)
{
	step_mark(cell, FATE_REJECTED, NOTE_CAST);
	return true;
}

// Text that must be the target's form as it stands.
static bool cast_check(struct step_run *run, enum col_type from, struct cell *cell)
{
	(void)from;
	return cast_is_form(run->type, cell->ptr, cell->len) || reject(cell);
}

static bool cast_civil(struct step_run *run, enum col_type from, struct cell *cell)
{
	char form[CIVIL_TEXT_SIZE];
	size_t len = civil_form(run->type, cell->ptr, cell->len, form);

	(void)from;
	return len == 0 ? reject(cell) : step_put(run, cell, form, len);
}

// In any case, as SQL's own casts take it.
static bool cast_to_bool(struct step_run *run, enum col_type from, struct cell *cell)
{
	bool yes = cell->len == 4 && strncasecmp(cell->ptr, "true", 4) == 0;

	(void)from;
	if (!yes && (cell->len != 5 || strncasecmp(cell->ptr, "false", 5) != 0))
		return reject(cell);
	return step_put(run, cell, yes ? "true" : "false", yes ? 4 : 5);
}

static bool cast_to_timestamp(struct step_run *run, enum col_type from, struct cell *cell)
{
	int64_t us;

	(void)from;
	if (!civil_parse_rfc3339(cell->ptr, cell->len, &us, NULL))
		return reject(cell);
	return buf_putd(run->scratch, us) && step_put_scratch(run, cell);
}

// What is outside of the calendar, as infinity, keeps its text.
static bool cast_timestamp_to_text(struct step_run *run, enum col_type from, struct cell *cell)
{
	char form[CIVIL_TEXT_SIZE];
	int64_t us;

	(void)from;
	if (!json_number_valid(cell->ptr, cell->len) || !json_number_int64(cell->ptr, cell->len, &us) ||
		us < CIVIL_MIN_US || us > CIVIL_MAX_US)
		return true;
	return step_put(run, cell, form, civil_format_rfc3339(us, CIVIL_AUTO, form));
}

static bool cast_bytes_to_text(struct step_run *run, enum col_type from, struct cell *cell)
{
	(void)run;
	(void)from;
	return unicode_valid(cell->ptr, cell->len) || reject(cell);
}

static bool cast_to_int64(struct step_run *run, enum col_type from, struct cell *cell)
{
	int64_t value;

	(void)from;
	if (!json_number_valid(cell->ptr, cell->len) || !json_number_integral(cell->ptr, cell->len, &value))
		return reject(cell);
	return buf_putd(run->scratch, value) && step_put_scratch(run, cell);
}

static bool cast_to_float(struct step_run *run, enum col_type from, struct cell *cell)
{
	char text[JSON_DOUBLE_SIZE];
	double value;

	(void)from;
	if (!json_number_valid(cell->ptr, cell->len))
		return is_float(cell) || reject(cell);
	if (json_number_double(cell->ptr, cell->len, &value))
		return true;
	if (!isfinite(value))
		return reject(cell);
	step_mark(cell, FATE_LOST, NOTE_JS_NUMBER);
	return step_put(run, cell, text, json_double_text(value, text));
}

static cast_run *cast_from_text(enum col_type to)
{
	switch (to) {
	case COL_DATE:
	case COL_TIME:
	case COL_DATETIME:
		return cast_civil;
	case COL_TIMESTAMP:
		return cast_to_timestamp;
	case COL_BOOL:
		return cast_to_bool;
	default:
		return cast_check;
	}
}

static bool find_to_text(enum col_type from, cast_run **cast)
{
	if (from == COL_TIMESTAMP)
		*cast = cast_timestamp_to_text;
	else if (from == COL_BYTES)
		*cast = cast_bytes_to_text;
	return true;
}

static bool is_number(enum col_type type)
{
	return type == COL_INT64 || type == COL_DECIMAL || type == COL_FLOAT64;
}

static bool find_between_numbers(enum col_type to, cast_run **cast)
{
	*cast = to == COL_INT64 ? cast_to_int64 : to == COL_FLOAT64 ? cast_to_float : cast_check;
	return true;
}

bool cast_find(enum col_type from, enum col_type to, cast_run **cast)
{
	*cast = NULL;
	if (from == to || (from == COL_TEXT && to == COL_BYTES))
		return true;
	if (to == COL_TEXT)
		return find_to_text(from, cast);
	if (is_number(from) && is_number(to))
		return find_between_numbers(to, cast);
	if (from == COL_TEXT || (to == COL_JSON && (is_number(from) || from == COL_BOOL))) {
		*cast = cast_from_text(to);
		return true;
	}
	return false;
}

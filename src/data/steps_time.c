// Steps on times: cutting off what a system does not keep, towards the past as its servers do.
#include <string.h>

#include "base/civil.h"
#include "data/step.h"
#include "io/json.h"

static bool parse_unit(struct step *step, struct err *err)
{
	if (strcmp(step->args[0].text, "ms") == 0)
		step->number = 1000;
	else if (strcmp(step->args[0].text, "s") == 0)
		step->number = 1000000;
	else
		return err_set(err, ERR_MAPPING, NULL, "the step 'truncate_time' knows no unit '%s' ('ms' and 's' it does)",
			step->args[0].text);
	return true;
}

// A text that is no number, as infinity, has nothing to cut.
static bool truncate_timestamp(struct step_run *run, int64_t unit, struct cell *cell)
{
	int64_t us, rest;

	if (!json_number_valid(cell->ptr, cell->len) || !json_number_int64(cell->ptr, cell->len, &us))
		return true;
	rest = us % unit;
	if (rest < 0)
		rest += unit;
	if (rest == 0 || us < INT64_MIN + rest)
		return true;
	step_mark(cell, FATE_FOLDED, NOTE_TRUNCATED);
	return buf_putd(run->scratch, us - rest) && step_put_scratch(run, cell);
}

static bool truncate_civil(struct step_run *run, int unit, struct cell *cell)
{
	char form[CIVIL_TEXT_SIZE];
	struct civil civil;
	bool time = run->type == COL_TIME;

	if (!(time ? civil_parse_time : civil_parse_datetime)(cell->ptr, cell->len, &civil, NULL) || civil.usec % unit == 0)
		return true;
	civil.usec -= civil.usec % unit;
	step_mark(cell, FATE_FOLDED, NOTE_TRUNCATED);
	return step_put(run, cell, form, (time ? civil_format_time : civil_format_datetime)(&civil, form));
}

static bool run_truncate(struct step_run *run, const struct step *step, struct cell *cell)
{
	if (run->type == COL_TIMESTAMP)
		return truncate_timestamp(run, (int64_t)step->number, cell);
	return truncate_civil(run, (int)step->number, cell);
}

const struct step_def steps_time[] = {
	{.name = "truncate_time",
		.min_args = 1,
		.max_args = 1,
		.types = STEP_TYPE(COL_TIMESTAMP) | STEP_TYPE(COL_TIME) | STEP_TYPE(COL_DATETIME),
		.parse = parse_unit,
		.run = run_truncate},
	{0},
};

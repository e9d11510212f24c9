// Steps on text: NULL and the empty text, case, constants, joining columns, the options of a select.
#include <string.h>

#include "data/step.h"
#include "io/unicode.h"

static bool run_null_to_empty(struct step_run *run, const struct step *step, struct cell *cell)
{
	(void)run;
	(void)step;
	if (!cell->null)
		return true;
	cell->ptr = "";
	cell->len = 0;
	cell->null = false;
	step_mark(cell, FATE_FOLDED, NOTE_NULL_TO_EMPTY);
	return true;
}

static bool run_empty_to_null(struct step_run *run, const struct step *step, struct cell *cell)
{
	(void)run;
	(void)step;
	if (cell->len > 0)
		return true;
	cell->null = true;
	step_mark(cell, FATE_FOLDED, NOTE_EMPTY_TO_NULL);
	return true;
}

static bool scratch_differs(const struct step_run *run, const struct cell *cell)
{
	return run->scratch->len != cell->len || memcmp(run->scratch->data, cell->ptr, cell->len) != 0;
}

static bool run_lower(struct step_run *run, const struct step *step, struct cell *cell)
{
	(void)step;
	if (unicode_is_plain_lower(cell->ptr, cell->len))
		return true;
	if (!unicode_lower(run->scratch, cell->ptr, cell->len))
		return false;
	if (!scratch_differs(run, cell))
		return true;
	step_mark(cell, FATE_FOLDED, NOTE_LOWER);
	return step_put_scratch(run, cell);
}

static bool run_const(struct step_run *run, const struct step *step, struct cell *cell)
{
	*cell = (struct cell){0};
	return step_put(run, cell, step->args[0].text, step->args[0].len);
}

// The columns' texts one behind the other; NULL only when all are.
static bool run_concat(struct step_run *run, const struct step *step, struct cell *cell)
{
	bool null = true;

	for (size_t i = 0; i < step->nargs; i++) {
		const struct cell *part = &run->source[step->args[i].column];

		if (part->null)
			continue;
		null = false;
		if (!buf_put(run->scratch, part->ptr, part->len))
			return false;
	}
	*cell = (struct cell){.ptr = "", .null = null};
	return null || step_put_scratch(run, cell);
}

static bool run_select(struct step_run *run, const struct step *step, struct cell *cell)
{
	(void)run;
	for (size_t i = 0; i < step->nargs; i++)
		if (step->args[i].len == cell->len && memcmp(step->args[i].text, cell->ptr, cell->len) == 0)
			return true;
	step_mark(cell, FATE_REJECTED, NOTE_UNKNOWN_OPTION);
	return true;
}

const struct step_def steps_text[] = {
	{.name = "null_to_empty", .on_null = true, .types = STEP_TYPE(COL_TEXT), .run = run_null_to_empty},
	{.name = "empty_to_null", .types = STEP_ANY_TYPE, .run = run_empty_to_null},
	{.name = "lower", .types = STEP_TYPE(COL_TEXT), .run = run_lower},
	{.name = "const", .min_args = 1, .max_args = 1, .on_null = true, .types = STEP_ANY_TYPE, .run = run_const},
	{.name = "concat",
		.min_args = 1,
		.max_args = STEP_ARGS_MAX,
		.columns = true,
		.on_null = true,
		.types = STEP_TYPE(COL_TEXT),
		.run = run_concat},
	{.name = "select", .min_args = 1, .max_args = STEP_ARGS_MAX, .types = STEP_TYPE(COL_TEXT), .run = run_select},
	{0},
};

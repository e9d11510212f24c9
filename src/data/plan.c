// Building and applying plans. Knows what a step is, not what any of them does.
#include "data/plan.h"

#include <stdlib.h>
#include <string.h>

#include "data/cast.h"
#include "data/step.h"

struct plan_column {
	char *name;
	enum col_type type, from_type;
	int from; // column of the source, -1 for none
	cast_run *cast;
	struct step *steps;
	size_t nsteps;
	uint64_t counts[FATE_COUNT]; // of the page mapped last
};

struct plan {
	struct schema *source, *result;
	struct plan_column *cols;
	size_t ncols;
	struct buf scratch;
};

static const char *const fate_names[FATE_COUNT] = {"exact", "folded", "lost", "rejected"};

static const char *const note_texts[NOTE_COUNT] = {
	[NOTE_NONE] = "",
	[NOTE_NULL_TO_EMPTY] = "null became empty text",
	[NOTE_EMPTY_TO_NULL] = "empty text became null",
	[NOTE_LOWER] = "changed to lower case",
	[NOTE_TRUNCATED] = "time truncated",
	[NOTE_EMPTY_OBJECT] = "{} became null",
	[NOTE_EMPTY_LIST] = "[] became null",
	[NOTE_JS_NUMBER] = "number beyond what JavaScript can hold",
	[NOTE_NUL] = "NUL character removed",
	[NOTE_JSON_REPEATED_KEY] = "repeated key in JSON, the last one stays",
	[NOTE_JSON_MALFORMED] = "not valid JSON",
	[NOTE_JSON_SHAPE] = "JSON is neither object nor array",
	[NOTE_PHONE_RESPELLED] = "phone respelled",
	[NOTE_PHONE_DEFAULT] = "default region's calling code put before the phone",
	[NOTE_PHONE_TRUNK] = "trunk prefix after the calling code dropped from the phone",
	[NOTE_PHONE_NO_COUNTRY] = "phone without country code",
	[NOTE_PHONE_EXTENSION] = "phone's extension removed",
	[NOTE_PHONE_WORDS] = "words beside the phone removed",
	[NOTE_PHONE_MALFORMED] = "not a phone number",
	[NOTE_PHONE_DECIMAL] = "a phone that a spreadsheet made a decimal number of",
	[NOTE_PHONE_CODE] = "no country has the calling code of the phone",
	[NOTE_PHONE_LENGTH] = "too short or too long for a phone",
	[NOTE_PHONE_MISREAD] = "a phone that would be read as another number",
	[NOTE_UNKNOWN_OPTION] = "unknown option",
	[NOTE_DEFAULT_NAME] = "name made from other fields",
	[NOTE_EMAIL_MALFORMED] = "not an e-mail address",
	[NOTE_UTF8] = "invalid UTF-8 replaced",
	[NOTE_SURROGATE] = "lone surrogate in JSON replaced",
	[NOTE_CAST] = "does not fit the column's type",
};

const char *plan_fate_name(enum fate fate)
{
	return (unsigned)fate < FATE_COUNT ? fate_names[fate] : "unknown";
}

// Values in notes are cut here: a note is a line of a report.
enum { NOTE_VALUE_MAX = 80 };

static size_t note_value_len(const struct cell *cell)
{
	size_t len = cell->len;

	if (len <= NOTE_VALUE_MAX)
		return len;
	for (len = NOTE_VALUE_MAX; len > 0 && ((unsigned char)cell->ptr[len] & 0xC0) == 0x80;)
		len--;
	return len;
}

bool plan_put_note(struct buf *out, const struct cell *cell)
{
	size_t len;

	if (cell->note >= NOTE_COUNT)
		return buf_puts(out, "unknown note");
	if (!buf_puts(out, note_texts[cell->note]))
		return false;
	if (cell->fate != FATE_REJECTED || cell->null)
		return true;
	len = note_value_len(cell);
	return buf_puts(out, " '") && buf_put(out, cell->ptr, len) && buf_puts(out, len < cell->len ? "...'" : "'");
}

bool step_put(struct step_run *run, struct cell *cell, const void *bytes, size_t len)
{
	char *copy = rows_alloc(run->out, len, run->err);

	if (copy == NULL)
		return false;
	if (len > 0)
		memcpy(copy, bytes, len);
	cell->ptr = copy;
	cell->len = (uint32_t)len;
	cell->null = false;
	return true;
}

bool step_put_scratch(struct step_run *run, struct cell *cell)
{
	return step_put(run, cell, run->scratch->data, run->scratch->len);
}

void step_mark(struct cell *cell, enum fate fate, enum plan_note note)
{
	if (fate <= cell->fate)
		return;
	cell->fate = (uint8_t)fate;
	cell->note = (uint16_t)note;
}

struct plan *plan_new(struct schema *source, struct err *err)
{
	struct plan *plan = calloc(1, sizeof *plan);

	if (plan == NULL) {
		err_no_memory(err);
		return NULL;
	}
	plan->source = schema_ref(source);
	return plan;
}

static void step_free(struct step *step)
{
	for (size_t i = 0; i < step->nargs; i++)
		free(step->args[i].text);
	free(step->args);
}

static void column_free(struct plan_column *col)
{
	for (size_t i = 0; i < col->nsteps; i++)
		step_free(&col->steps[i]);
	free(col->steps);
	free(col->name);
}

void plan_free(struct plan *plan)
{
	if (plan == NULL)
		return;
	for (size_t c = 0; c < plan->ncols; c++)
		column_free(&plan->cols[c]);
	free(plan->cols);
	buf_free(&plan->scratch);
	schema_unref(plan->source);
	schema_unref(plan->result);
	free(plan);
}

static char *copy_bytes(const char *text, size_t len)
{
	char *copy = malloc(len + 1);

	if (copy == NULL)
		return NULL;
	if (len > 0)
		memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

static bool column_find_source(
	const struct plan *plan, struct plan_column *col, const char *name, const char *from, struct err *err)
{
	col->from = schema_find(plan->source, from);
	if (col->from < 0)
		return err_set(err, ERR_MAPPING, "unknown_column",
			"the mapping of '%s' reads the column '%s', which the source does not have", name, from);
	col->from_type = plan->source->cols[col->from].type;
	if (!cast_find(col->from_type, col->type, &col->cast))
		return err_set(err, ERR_MAPPING, "cast", "the mapping of '%s' cannot make %s from %s (column '%s')", name,
			col_type_name(col->type), col_type_name(col->from_type), from);
	return true;
}

bool plan_add_column(struct plan *plan, const char *name, enum col_type type, const char *from, struct err *err)
{
	struct plan_column col = {.type = type, .from = -1}, *cols;

	if (plan->result != NULL)
		return err_set(err, ERR_INTERNAL, NULL, "the plan is sealed already");
	if (from != NULL && !column_find_source(plan, &col, name, from, err))
		return false;
	cols = realloc(plan->cols, (plan->ncols + 1) * sizeof *cols);
	if (cols == NULL)
		return err_no_memory(err);
	plan->cols = cols;
	col.name = copy_bytes(name, strlen(name));
	if (col.name == NULL)
		return err_no_memory(err);
	cols[plan->ncols++] = col;
	return true;
}

static const struct step_def *step_find(const char *name)
{
	static const struct step_def *const tables[] = {
		steps_text, steps_chars, steps_name, steps_json, steps_phone, steps_email, steps_time};

	for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++)
		for (const struct step_def *def = tables[t]; def->name != NULL; def++)
			if (strcmp(def->name, name) == 0)
				return def;
	return NULL;
}

static bool step_copy_arg(
	const struct plan *plan, struct step *step, const struct plan_arg *arg, const char *column, struct err *err)
{
	struct step_arg *copy = &step->args[step->nargs];

	copy->text = copy_bytes(arg->text, arg->len);
	if (copy->text == NULL)
		return err_no_memory(err);
	copy->len = arg->len;
	copy->column = -1;
	step->nargs++;
	if (!step->def->columns)
		return true;
	copy->column = schema_find_n(plan->source, arg->text, arg->len);
	if (copy->column >= 0)
		return true;
	return err_set(err, ERR_MAPPING, "unknown_column",
		"the step '%s' of '%s' reads the column '%s', which the source does not have", step->def->name, column,
		copy->text);
}

static bool step_build(struct step *step, const struct plan *plan, const struct plan_column *col,
	const struct plan_arg *args, size_t nargs, struct err *err)
{
	step->args = calloc(nargs + 1, sizeof *step->args);
	if (step->args == NULL)
		return err_no_memory(err);
	for (size_t i = 0; i < nargs; i++)
		if (!step_copy_arg(plan, step, &args[i], col->name, err))
			return false;
	if (strcmp(step->def->name, "const") == 0 && !cast_is_form(col->type, args[0].text, args[0].len))
		return err_set(err, ERR_MAPPING, NULL, "the constant '%s' of '%s' is no %s", step->args[0].text, col->name,
			col_type_name(col->type));
	return step->def->parse == NULL || step->def->parse(step, err);
}

static bool step_check(
	const struct step_def *def, const char *name, const struct plan_column *col, size_t nargs, struct err *err)
{
	if (def == NULL)
		return err_set(
			err, ERR_MAPPING, "unknown_step", "the mapping of '%s' names the unknown step '%s'", col->name, name);
	if (nargs < def->min_args || nargs > def->max_args)
		return err_set(err, ERR_MAPPING, NULL, "the step '%s' of '%s' has %zu arguments (it takes %zu to %zu)", name,
			col->name, nargs, def->min_args, def->max_args);
	if ((def->types & STEP_TYPE(col->type)) == 0)
		return err_set(err, ERR_MAPPING, NULL, "the step '%s' of '%s' cannot work on %s", name, col->name,
			col_type_name(col->type));
	return true;
}

bool plan_add_step(struct plan *plan, const char *name, const struct plan_arg *args, size_t nargs, struct err *err)
{
	struct step step = {.def = step_find(name)}, *steps;
	struct plan_column *col;

	if (plan->ncols == 0 || plan->result != NULL)
		return err_set(err, ERR_INTERNAL, NULL, "the plan has no open column for the step '%s'", name);
	col = &plan->cols[plan->ncols - 1];
	if (!step_check(step.def, name, col, nargs, err))
		return false;
	steps = realloc(col->steps, (col->nsteps + 1) * sizeof *steps);
	if (steps == NULL)
		return err_no_memory(err);
	col->steps = steps;
	if (!step_build(&step, plan, col, args, nargs, err)) {
		step_free(&step);
		return false;
	}
	steps[col->nsteps++] = step;
	return true;
}

bool plan_seal(struct plan *plan, struct err *err)
{
	const char **names = malloc((plan->ncols + 1) * sizeof *names);
	enum col_type *types = malloc((plan->ncols + 1) * sizeof *types);

	if (names != NULL && types != NULL) {
		for (size_t c = 0; c < plan->ncols; c++) {
			names[c] = plan->cols[c].name;
			types[c] = plan->cols[c].type;
		}
		plan->result = schema_new(plan->ncols, names, types, err);
	} else {
		err_no_memory(err);
	}
	free(names);
	free(types);
	return plan->result != NULL;
}

struct schema *plan_schema(const struct plan *plan)
{
	return plan->result;
}

int plan_keeps(const struct plan *plan, size_t c)
{
	const struct plan_column *col = &plan->cols[c];
	bool keeps = col->from >= 0 && col->cast == NULL && col->from_type == col->type;

	for (size_t i = 0; i < col->nsteps; i++)
		keeps = keeps && col->steps[i].def->keeps;
	return keeps ? col->from : -1;
}

static bool column_run(struct plan_column *col, struct step_run *run, struct cell *cell)
{
	*cell = col->from >= 0 ? run->source[col->from] : (struct cell){.ptr = "", .null = true};
	run->type = col->type;
	if (col->cast != NULL && !cell->null) {
		buf_clear(run->scratch);
		if (!col->cast(run, col->from_type, cell))
			return false;
	}
	for (size_t i = 0; i < col->nsteps && cell->fate != FATE_REJECTED; i++) {
		if (cell->null && !col->steps[i].def->on_null)
			continue;
		buf_clear(run->scratch);
		if (!col->steps[i].def->run(run, &col->steps[i], cell))
			return false;
	}
	col->counts[cell->fate]++;
	return true;
}

// A step that says nothing ran out of memory.
static bool page_fail(const struct err *why, struct err *err)
{
	if (why->kind == ERR_NONE)
		return err_no_memory(err);
	if (err != NULL)
		*err = *why;
	return false;
}

static bool page_run(struct plan *plan, const struct rows *rows, struct rows *out, struct err *err)
{
	struct err why = {.kind = ERR_NONE};
	struct step_run run = {.out = out, .scratch = &plan->scratch, .err = &why};

	if (!rows_reserve(out, rows->n, err))
		return false;
	for (size_t i = 0; i < rows->n; i++) {
		struct cell *cells = rows_at(out, i);

		run.source = rows_at(rows, i);
		for (size_t c = 0; c < plan->ncols; c++)
			if (!column_run(&plan->cols[c], &run, &cells[c]))
				return page_fail(&why, err);
		out->n++;
	}
	return true;
}

static void counts_clear(struct plan *plan)
{
	for (size_t c = 0; c < plan->ncols; c++)
		memset(plan->cols[c].counts, 0, sizeof plan->cols[c].counts);
}

struct rows *plan_apply(struct plan *plan, struct rows *rows, struct err *err)
{
	struct rows *out;

	if (plan->result == NULL || !schema_equal(plan->source, rows->schema)) {
		err_set(err, ERR_MAPPING, "schema", "the plan was made for other columns than the page has");
		return NULL;
	}
	out = rows_new(plan->result, err);
	if (out == NULL)
		return NULL;
	rows_adopt(out, rows);
	counts_clear(plan);
	if (!page_run(plan, rows, out, err)) {
		counts_clear(plan);
		rows_unref(out);
		return NULL;
	}
	return out;
}

uint64_t plan_count(const struct plan *plan, size_t c, enum fate fate)
{
	return plan->cols[c].counts[fate];
}

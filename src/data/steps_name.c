// Steps for names: what stands for a missing one, and the lossless split into first and last (join(split(x)) = x for
// every x). They work on bytes: UTF-8 is never cut, since only at spaces.
#include <string.h>

#include "data/step.h"

// What two cells and the space between them come to, NULL as empty; false when memory runs out.
static bool put_joined(struct buf *out, const struct cell *first, const struct cell *last, bool always_space)
{
	if (!first->null && !buf_put(out, first->ptr, first->len))
		return false;
	if (last->null || last->len == 0)
		return !always_space || buf_putc(out, ' ');
	return buf_putc(out, ' ') && buf_put(out, last->ptr, last->len);
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static void trim(const char **text, size_t *len)
{
	while (*len > 0 && is_space(**text)) {
		++*text;
		--*len;
	}
	while (*len > 0 && is_space((*text)[*len - 1]))
		--*len;
}

// When NULL: the full name, else first and last. Only when nothing is left after trimming it stays NULL.
static bool run_default_name(struct step_run *run, const struct step *step, struct cell *cell)
{
	const struct cell *full = &run->source[step->args[0].column];
	const char *text;
	size_t len;

	if (!cell->null)
		return true;
	if (!full->null) {
		*cell = *full;
		step_mark(cell, FATE_FOLDED, NOTE_DEFAULT_NAME);
		return true;
	}
	if (!put_joined(run->scratch, &run->source[step->args[1].column], &run->source[step->args[2].column], true))
		return false;
	text = run->scratch->data;
	len = run->scratch->len;
	trim(&text, &len);
	if (len == 0)
		return true;
	step_mark(cell, FATE_FOLDED, NOTE_DEFAULT_NAME);
	return step_put(run, cell, text, len);
}

// Where ' ' + last, followed by the end, a space or a comma, occurs last; the name's length when it does not.
static size_t find_last_name(const struct cell *name, const struct cell *last)
{
	if (last->null || last->len == 0 || last->len >= name->len)
		return name->len;
	for (size_t i = name->len - last->len; i-- > 0;) {
		size_t end = i + 1 + last->len;

		if (name->ptr[i] != ' ' || memcmp(name->ptr + i + 1, last->ptr, last->len) != 0)
			continue;
		if (end == name->len || name->ptr[end] == ' ' || name->ptr[end] == ',')
			return i;
	}
	return name->len;
}

// The last space with something other than spaces on both sides; the name's length when there is none.
static size_t find_last_space(const struct cell *name)
{
	size_t from = 0, i = name->len;

	while (from < name->len && name->ptr[from] == ' ')
		from++;
	while (i > from && name->ptr[i - 1] == ' ')
		i--;
	while (i > from && name->ptr[i - 1] != ' ')
		i--;
	return i > from ? i - 1 : name->len;
}

static size_t split_at(const struct step_run *run, const struct step *step, const struct cell *name)
{
	size_t at = find_last_name(name, &run->source[step->args[0].column]);

	return at < name->len ? at : find_last_space(name);
}

static bool run_split_first(struct step_run *run, const struct step *step, struct cell *cell)
{
	cell->len = (uint32_t)split_at(run, step, cell);
	return true;
}

static bool run_split_last(struct step_run *run, const struct step *step, struct cell *cell)
{
	size_t at = split_at(run, step, cell);

	if (at == cell->len) {
		cell->ptr = "";
		cell->len = 0;
		return true;
	}
	cell->ptr += at + 1;
	cell->len -= (uint32_t)at + 1;
	return true;
}

static bool run_join_name(struct step_run *run, const struct step *step, struct cell *cell)
{
	const struct cell *first = &run->source[step->args[0].column];
	const struct cell *last = &run->source[step->args[1].column];

	*cell = (struct cell){.ptr = "", .null = first->null && last->null};
	if (cell->null)
		return true;
	return put_joined(run->scratch, first, last, false) && step_put_scratch(run, cell);
}

const struct step_def steps_name[] = {
	{.name = "default_name",
		.min_args = 3,
		.max_args = 3,
		.columns = true,
		.on_null = true,
		.types = STEP_TYPE(COL_TEXT),
		.run = run_default_name},
	{.name = "split_first",
		.min_args = 1,
		.max_args = 1,
		.columns = true,
		.types = STEP_TYPE(COL_TEXT),
		.run = run_split_first},
	{.name = "split_last",
		.min_args = 1,
		.max_args = 1,
		.columns = true,
		.types = STEP_TYPE(COL_TEXT),
		.run = run_split_last},
	{.name = "join_name",
		.min_args = 2,
		.max_args = 2,
		.columns = true,
		.on_null = true,
		.types = STEP_TYPE(COL_TEXT),
		.run = run_join_name},
	{0},
};

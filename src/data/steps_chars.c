// Steps for characters that a system cannot hold: U+0000 and what is not Unicode, raw in text, escaped in JSON.
#include <string.h>

#include "data/step.h"
#include "io/unicode.h"

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

// The value of the \uXXXX that starts at text, or -1.
static int32_t escape_value(const char *text, const char *end)
{
	int32_t value = 0;

	if (end - text < 6 || text[0] != '\\' || text[1] != 'u')
		return -1;
	for (int i = 2; i < 6; i++) {
		int digit = hex_digit(text[i]);

		if (digit < 0)
			return -1;
		value = value * 16 + digit;
	}
	return value;
}

// What to write for the escape at text, and how long it is.
struct escape {
	size_t len;
	const char *instead; // NULL: as it is
};

static struct escape escape_without_nul(const char *text, const char *end)
{
	int32_t value = escape_value(text, end);

	if (value == 0)
		return (struct escape){6, ""};
	return (struct escape){value > 0 ? 6 : end - text >= 2 ? 2 : 1, NULL};
}

static bool is_surrogate(int32_t value, int32_t first)
{
	return value >= first && value < first + 0x400;
}

static struct escape escape_without_surrogate(const char *text, const char *end)
{
	int32_t value = escape_value(text, end);

	if (is_surrogate(value, 0xD800) && is_surrogate(escape_value(text + 6, end), 0xDC00))
		return (struct escape){12, NULL};
	if (is_surrogate(value, 0xD800) || is_surrogate(value, 0xDC00))
		return (struct escape){6, "\\ufffd"};
	return (struct escape){value >= 0 ? 6 : end - text >= 2 ? 2 : 1, NULL};
}

typedef struct escape escape_fn(const char *text, const char *end);

static bool put_escapes(struct buf *out, const char *text, const char *end, escape_fn *fn, bool *changed)
{
	while (text < end) {
		const char *slash = memchr(text, '\\', (size_t)(end - text));
		const char *stop = slash != NULL ? slash : end;
		struct escape escape;

		if (!buf_put(out, text, (size_t)(stop - text)))
			return false;
		if (slash == NULL)
			return true;
		escape = fn(slash, end);
		*changed = *changed || escape.instead != NULL;
		if (!(escape.instead != NULL ? buf_puts(out, escape.instead) : buf_put(out, slash, escape.len)))
			return false;
		text = slash + escape.len;
	}
	return true;
}

// Escapes count in JSON only: in text a backslash is a backslash.
static bool run_escapes(struct step_run *run, struct cell *cell, escape_fn *fn, enum plan_note note)
{
	bool changed = false;

	if (run->type != COL_JSON || cell->len == 0 || memchr(cell->ptr, '\\', cell->len) == NULL)
		return true;
	buf_clear(run->scratch);
	if (!put_escapes(run->scratch, cell->ptr, cell->ptr + cell->len, fn, &changed))
		return false;
	if (!changed)
		return true;
	step_mark(cell, FATE_LOST, note);
	return step_put_scratch(run, cell);
}

static bool run_no_nul(struct step_run *run, const struct step *step, struct cell *cell)
{
	(void)step;
	if (cell->len > 0 && memchr(cell->ptr, '\0', cell->len) != NULL) {
		for (size_t i = 0; i < cell->len; i++)
			if (cell->ptr[i] != '\0' && !buf_putc(run->scratch, cell->ptr[i]))
				return false;
		step_mark(cell, FATE_LOST, NOTE_NUL);
		if (!step_put_scratch(run, cell))
			return false;
	}
	return run_escapes(run, cell, escape_without_nul, NOTE_NUL);
}

static bool run_utf8(struct step_run *run, const struct step *step, struct cell *cell)
{
	(void)step;
	if (!unicode_valid(cell->ptr, cell->len)) {
		if (!unicode_repair(run->scratch, cell->ptr, cell->len))
			return false;
		step_mark(cell, FATE_LOST, NOTE_UTF8);
		if (!step_put_scratch(run, cell))
			return false;
	}
	return run_escapes(run, cell, escape_without_surrogate, NOTE_SURROGATE);
}

const struct step_def steps_chars[] = {
	{.name = "no_nul", .keeps = true, .types = STEP_ANY_TYPE & ~STEP_TYPE(COL_BYTES), .run = run_no_nul},
	{.name = "utf8", .keeps = true, .types = STEP_ANY_TYPE & ~STEP_TYPE(COL_BYTES), .run = run_utf8},
	{0},
};

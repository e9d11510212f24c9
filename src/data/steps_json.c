// Steps on JSON: what a JavaScript server makes of numbers, empty objects and lists, shape, one spelling. A malformed
// text passes where its content does not matter, and is rejected where it does.
#include <string.h>

#include "data/step.h"
#include "io/json.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const char *skip_space(const char *text, const char *end)
{
	while (text < end && is_space(*text))
		text++;
	return text;
}

// Whether a text is these two brackets, with nothing but space between and around them.
static bool is_empty(const struct cell *cell, char open, char close)
{
	const char *end = cell->ptr + cell->len;
	const char *at = skip_space(cell->ptr, end);

	if (at == end || *at != open)
		return false;
	at = skip_space(at + 1, end);
	return at < end && *at == close && skip_space(at + 1, end) == end;
}

static void fold_to_null(struct cell *cell, enum plan_note note)
{
	*cell = (struct cell){.ptr = "", .null = true, .fate = cell->fate, .note = cell->note};
	step_mark(cell, FATE_FOLDED, note);
}

static bool run_empty_object(struct step_run *run, const struct step *step, struct cell *cell)
{
	(void)run;
	(void)step;
	if (is_empty(cell, '{', '}'))
		fold_to_null(cell, NOTE_EMPTY_OBJECT);
	return true;
}

static bool run_empty_list(struct step_run *run, const struct step *step, struct cell *cell)
{
	(void)run;
	(void)step;
	if (is_empty(cell, '[', ']'))
		fold_to_null(cell, NOTE_EMPTY_LIST);
	return true;
}

static bool run_shape(struct step_run *run, const struct step *step, struct cell *cell)
{
	const char *end = cell->ptr + cell->len;
	const char *at = skip_space(cell->ptr, end);

	(void)run;
	(void)step;
	if (at == end || (*at != '{' && *at != '['))
		step_mark(cell, FATE_REJECTED, NOTE_JSON_SHAPE);
	return true;
}

static const char *skip_string(const char *at, const char *end)
{
	for (at++; at < end && *at != '"'; at++)
		if (*at == '\\' && at + 1 < end)
			at++;
	return at < end ? at + 1 : end;
}

static bool is_number_char(char c)
{
	return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

// The next number outside of strings: its start, with *stop behind it; NULL when there is none.
static const char *next_number(const char *at, const char *end, const char **stop)
{
	while (at < end) {
		if (*at == '"') {
			at = skip_string(at, end);
			continue;
		}
		if (*at == '-' || (*at >= '0' && *at <= '9'))
			break;
		at++;
	}
	if (at >= end)
		return NULL;
	*stop = at;
	while (*stop < end && is_number_char(**stop))
		++*stop;
	return at;
}

// Fifteen significant digits survive a double (DBL_DIG), if no exponent brings them near its ends.
static bool is_surely_exact(const char *text, size_t len)
{
	return len <= 15 && memchr(text, 'e', len) == NULL && memchr(text, 'E', len) == NULL;
}

static bool is_js_exact(const char *text, size_t len, char spelling[JSON_DOUBLE_SIZE])
{
	return is_surely_exact(text, len) || !json_number_valid(text, len) || json_number_is_js_exact(text, len, spelling);
}

// The scratch stays empty until the first number that changes: most texts have none.
static bool run_js_numbers(struct step_run *run, const struct step *step, struct cell *cell)
{
	const char *end = cell->ptr + cell->len, *at = cell->ptr, *copied = cell->ptr, *stop;
	char spelling[JSON_DOUBLE_SIZE];

	(void)step;
	while ((at = next_number(at, end, &stop)) != NULL) {
		if (!is_js_exact(at, (size_t)(stop - at), spelling)) {
			if (!buf_put(run->scratch, copied, (size_t)(at - copied)) || !buf_puts(run->scratch, spelling))
				return false;
			copied = stop;
		}
		at = stop;
	}
	if (copied == cell->ptr)
		return true;
	step_mark(cell, FATE_LOST, NOTE_JS_NUMBER);
	return buf_put(run->scratch, copied, (size_t)(end - copied)) && step_put_scratch(run, cell);
}

static bool run_canonical(struct step_run *run, const struct step *step, struct cell *cell)
{
	bool duplicates = false;
	struct err why;

	(void)step;
	if (!json_canonical(run->scratch, cell->ptr, cell->len, &duplicates, &why)) {
		if (why.kind != ERR_JSON)
			return false;
		step_mark(cell, FATE_REJECTED, NOTE_JSON_MALFORMED);
		return true;
	}
	if (duplicates)
		step_mark(cell, FATE_LOST, NOTE_JSON_REPEATED_KEY);
	if (run->scratch->len == cell->len && memcmp(run->scratch->data, cell->ptr, cell->len) == 0)
		return true;
	return step_put_scratch(run, cell);
}

// Two members need two colons: most objects that could repeat a name have none to repeat.
static bool may_repeat(const struct cell *cell)
{
	const char *colon = memchr(cell->ptr, ':', cell->len);

	return colon != NULL && memchr(colon + 1, ':', (size_t)(cell->ptr + cell->len - colon - 1)) != NULL;
}

// A system that keeps one of equal names stores what the canonical form says; without repetition the text stays as it
// is.
static bool run_unique_keys(struct step_run *run, const struct step *step, struct cell *cell)
{
	bool duplicates = false;
	struct err why;

	(void)step;
	if (cell->len == 0 || !may_repeat(cell))
		return true;
	if (!json_canonical(run->scratch, cell->ptr, cell->len, &duplicates, &why))
		return why.kind == ERR_JSON;
	if (!duplicates)
		return true;
	step_mark(cell, FATE_LOST, NOTE_JSON_REPEATED_KEY);
	return step_put_scratch(run, cell);
}

const struct step_def steps_json[] = {
	{.name = "json_empty_object_to_null", .types = STEP_TYPE(COL_JSON), .run = run_empty_object},
	{.name = "json_empty_list_to_null", .types = STEP_TYPE(COL_JSON), .run = run_empty_list},
	{.name = "json_js_numbers", .types = STEP_TYPE(COL_JSON), .run = run_js_numbers},
	{.name = "json_shape", .types = STEP_TYPE(COL_JSON), .run = run_shape},
	{.name = "json_canonical", .keeps = true, .types = STEP_TYPE(COL_JSON), .run = run_canonical},
	{.name = "json_unique_keys", .keeps = true, .types = STEP_TYPE(COL_JSON), .run = run_unique_keys},
	{0},
};

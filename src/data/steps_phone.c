// Steps for telephone numbers: spelled as E.164, trunk prefixes dropped, and what Twenty's library would refuse or read
// as another number. Numbering plans are arguments (lua/syncrun/systems/twenty/regions.lua).
#include <string.h>

#include "data/phone_text.h"
#include "data/step.h"

static size_t two_digits(const char *text)
{
	return (size_t)(text[0] - '0') * 10 + (size_t)(text[1] - '0');
}

// A region: its calling code with +, what is dialled there before a call abroad and before a call within, and how many
// digits a national number has at most without the latter (0: a number never begins with it).
enum { REGION_CODE, REGION_ABROAD, REGION_TRUNK, REGION_DIGITS, REGION_ARGS };

static bool parse_phone(struct step *step, struct err *err)
{
	const struct step_arg *args = step->args;

	if (step->nargs == 0)
		return true;
	if (step->nargs != REGION_ARGS || args[REGION_CODE].text[0] != '+' || args[REGION_DIGITS].len != 2)
		return err_set(err, ERR_MAPPING, NULL, "the step 'phone_e164' takes no arguments, or a region's");
	step->number = two_digits(args[REGION_DIGITS].text);
	return true;
}

static size_t skip_prefix(const struct buf *number, const struct step_arg *prefix)
{
	if (prefix->len == 0 || number->len <= prefix->len || memcmp(number->data, prefix->text, prefix->len) != 0)
		return 0;
	return prefix->len;
}

// The scratch's digits, written without +, as the region's people mean them.
static bool complete_number(const struct step *step, struct buf *number)
{
	const struct step_arg *args = step->args;
	size_t skip = skip_prefix(number, &args[REGION_ABROAD]);
	struct buf whole = {0};
	bool ok = true;

	if (skip > 0) {
		ok = buf_putc(&whole, '+');
	} else {
		if (number->len > step->number)
			skip = skip_prefix(number, &args[REGION_TRUNK]);
		ok = buf_put(&whole, args[REGION_CODE].text, args[REGION_CODE].len);
	}
	ok = ok && buf_put(&whole, number->data + skip, number->len - skip);
	if (ok) {
		buf_clear(number);
		ok = buf_put(number, whole.data, whole.len);
	}
	buf_free(&whole);
	return ok;
}

// The scratch's number, written without +, is the region's or has no country.
static bool place_number(struct step_run *run, const struct step *step, struct cell *cell)
{
	if (run->scratch->data[0] == '+')
		return true;
	if (step->nargs == 0) {
		step_mark(cell, FATE_LOST, NOTE_PHONE_NO_COUNTRY);
		return true;
	}
	step_mark(cell, FATE_FOLDED, NOTE_PHONE_DEFAULT);
	return complete_number(step, run->scratch);
}

static bool put_number(
	struct step_run *run, const struct step *step, struct cell *cell, const struct phone_left_out *left_out)
{
	if (!place_number(run, step, cell))
		return false;
	if (left_out->extension)
		step_mark(cell, FATE_LOST, NOTE_PHONE_EXTENSION);
	if (left_out->words)
		step_mark(cell, FATE_LOST, NOTE_PHONE_WORDS);
	if (run->scratch->len == cell->len && memcmp(run->scratch->data, cell->ptr, cell->len) == 0)
		return true;
	step_mark(cell, FATE_FOLDED, NOTE_PHONE_RESPELLED);
	return step_put_scratch(run, cell);
}

// Words beside a number make it a number only where it has a + ("call 5 times" is none).
static bool run_e164(struct step_run *run, const struct step *step, struct cell *cell)
{
	struct phone_left_out left_out;
	enum phone_reading reading;

	if (cell->len == 0)
		return true;
	reading = phone_read(run->scratch, cell->ptr, cell->len, &left_out);
	if (reading == PHONE_NO_MEMORY)
		return false;
	if (reading == PHONE_READ && (!left_out.words || run->scratch->data[0] == '+'))
		return put_number(run, step, cell, &left_out);
	step_mark(cell, FATE_REJECTED, reading == PHONE_DECIMAL ? NOTE_PHONE_DECIMAL : NOTE_PHONE_MALFORMED);
	return true;
}

// "+440:1:00": numbers that begin so lose the last so many digits of it, unless they have at most so many digits after
// the calling code.
static bool is_trunk_entry(const struct step_arg *arg)
{
	const char *end = arg->text + arg->len;

	if (arg->len < 8 || arg->text[0] != '+' || end[-5] != ':' || end[-3] != ':')
		return false;
	for (size_t i = 1; i < arg->len; i++)
		if (i != arg->len - 5 && i != arg->len - 3 && (arg->text[i] < '0' || arg->text[i] > '9'))
			return false;
	return end[-4] >= '1' && (size_t)(end[-4] - '0') < arg->len - 6;
}

static bool parse_trunk(struct step *step, struct err *err)
{
	for (size_t i = 0; i < step->nargs; i++)
		if (!is_trunk_entry(&step->args[i]))
			return err_set(err, ERR_MAPPING, NULL, "the step 'phone_trunk' takes entries like '+440:1:00'");
	return true;
}

// How many digits follow the calling code in this number, when the entry is for it and they are enough; 0 else.
static size_t match_trunk(const struct cell *cell, const struct step_arg *arg, size_t drop)
{
	size_t prefix = arg->len - 5, most = two_digits(arg->text + arg->len - 2), national;

	if (cell->len <= prefix || memcmp(cell->ptr, arg->text, prefix) != 0)
		return 0;
	national = cell->len - prefix + drop;
	return national > most && cell->len - prefix >= 4 ? national : 0;
}

// "+44 020 7946 0958": what is dialled at home only. Twenty's library drops it, so does this, for what is expected and
// for what is read alike.
static bool run_trunk(struct step_run *run, const struct step *step, struct cell *cell)
{
	for (size_t i = 0; i < step->nargs; i++) {
		const struct step_arg *arg = &step->args[i];
		size_t drop = (size_t)(arg->text[arg->len - 4] - '0'), national = match_trunk(cell, arg, drop);

		if (national == 0)
			continue;
		step_mark(cell, FATE_FOLDED, NOTE_PHONE_TRUNK);
		return buf_put(run->scratch, cell->ptr, cell->len - national) &&
			   buf_put(run->scratch, cell->ptr + cell->len - national + drop, national - drop) &&
			   step_put_scratch(run, cell);
	}
	return true;
}

// ---- what a library would refuse or read otherwise

enum { NATIONAL_MIN = 2, NATIONAL_MAX = 17 }; // digits after the calling code

static bool parse_code(struct step *step, struct err *err)
{
	for (size_t i = 0; i < step->nargs; i++)
		if (step->args[i].len < 2 || step->args[i].text[0] != '+')
			return err_set(err, ERR_MAPPING, NULL, "the step 'phone_code' takes calling codes like '+44'");
	return true;
}

// The length of the number's calling code with +, 0 when it has none of these. No code begins with another one.
static size_t code_of(const struct step *step, const struct cell *cell)
{
	for (size_t i = 0; i < step->nargs; i++) {
		const struct step_arg *code = &step->args[i];

		if (cell->len >= code->len && memcmp(cell->ptr, code->text, code->len) == 0)
			return code->len;
	}
	return 0;
}

static bool run_code(struct step_run *run, const struct step *step, struct cell *cell)
{
	size_t code;

	(void)run;
	if (cell->len == 0)
		return true;
	code = code_of(step, cell);
	if (cell->ptr[0] != '+')
		step_mark(cell, FATE_REJECTED, NOTE_PHONE_NO_COUNTRY);
	else if (code == 0)
		step_mark(cell, FATE_REJECTED, NOTE_PHONE_CODE);
	else if (cell->len - code < NATIONAL_MIN || cell->len - code > NATIONAL_MAX)
		step_mark(cell, FATE_REJECTED, NOTE_PHONE_LENGTH);
	return true;
}

// "+8612:05:99": what the numbers begin with, and how many digits they have in all, from and to.
static bool is_misread_entry(const struct step_arg *arg)
{
	const char *end = arg->text + arg->len;

	if (arg->len < 8 || arg->text[0] != '+' || end[-6] != ':' || end[-3] != ':')
		return false;
	for (size_t i = 1; i < arg->len; i++)
		if (i != arg->len - 6 && i != arg->len - 3 && (arg->text[i] < '0' || arg->text[i] > '9'))
			return false;
	return true;
}

static bool parse_misread(struct step *step, struct err *err)
{
	for (size_t i = 0; i < step->nargs; i++)
		if (!is_misread_entry(&step->args[i]))
			return err_set(err, ERR_MAPPING, NULL, "the step 'phone_misread' takes entries like '+8612:05:99'");
	return true;
}

static bool is_misread(const struct step_arg *arg, const struct cell *cell)
{
	const char *end = arg->text + arg->len;
	size_t prefix = arg->len - 6, digits = cell->len - 1;

	return cell->len >= prefix && memcmp(cell->ptr, arg->text, prefix) == 0 && digits >= two_digits(end - 5) &&
		   digits <= two_digits(end - 2);
}

static bool run_misread(struct step_run *run, const struct step *step, struct cell *cell)
{
	(void)run;
	for (size_t i = 0; i < step->nargs && cell->fate != FATE_REJECTED; i++)
		if (is_misread(&step->args[i], cell))
			step_mark(cell, FATE_REJECTED, NOTE_PHONE_MISREAD);
	return true;
}

const struct step_def steps_phone[] = {
	{.name = "phone_e164",
		.max_args = REGION_ARGS,
		.types = STEP_TYPE(COL_TEXT),
		.parse = parse_phone,
		.run = run_e164},
	{.name = "phone_trunk",
		.min_args = 1,
		.max_args = STEP_ARGS_MAX,
		.types = STEP_TYPE(COL_TEXT),
		.parse = parse_trunk,
		.run = run_trunk},
	{.name = "phone_code",
		.min_args = 1,
		.max_args = STEP_ARGS_MAX,
		.types = STEP_TYPE(COL_TEXT),
		.parse = parse_code,
		.run = run_code},
	{.name = "phone_misread",
		.min_args = 1,
		.max_args = STEP_ARGS_MAX,
		.types = STEP_TYPE(COL_TEXT),
		.parse = parse_misread,
		.run = run_misread},
	{0},
};

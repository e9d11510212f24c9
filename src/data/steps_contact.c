// Steps for what a CRM checks and normalises: phone numbers and e-mail addresses (facts/twenty.md, section 6).
#include <string.h>

#include "data/step.h"
#include "io/unicode.h"

// What people write between digits: space . - ( ) / and their typographic kin, tabs, and the invisible marks of text
// direction that address books leave behind.
static bool is_separator(uint32_t code)
{
	if (code < 0x80)
		return code == '\t' || (code != 0 && strchr(" .-()/", (int)code) != NULL);
	return code == 0xA0 || code == 0x202F || (code >= 0x2010 && code <= 0x2015) || code == 0x200E || code == 0x200F ||
		   (code >= 0x202A && code <= 0x202E);
}

static bool starts(const char *text, size_t len, const char *prefix)
{
	for (; *prefix != '\0'; prefix++, text++, len--)
		if (len == 0 || (*text | 0x20) != *prefix)
			return false;
	return true;
}

// Where an extension begins ("ext 12", "x12", "#12", ",12", ";ext=12"), or the text's length.
static size_t find_extension(const char *text, size_t len)
{
	for (size_t i = 1; i < len; i++)
		if (strchr("#,;", text[i]) != NULL || starts(text + i, len - i, "x") || starts(text + i, len - i, "ext"))
			return text[i] != '\0' ? i : len;
	return len;
}

// "+44 (0)20 ...": the (0) is for callers at home and no part of the number; only in Italy the zero itself is dialled.
static bool is_trunk_zero(const char *text, size_t at, size_t len)
{
	return len - at >= 3 && memcmp(text + at, "(0)", 3) == 0 && text[0] == '+' &&
		   !(len >= 3 && memcmp(text, "+39", 3) == 0);
}

static bool put_stripped(struct buf *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len;) {
		uint32_t code;
		size_t n = unicode_decode(text + i, len - i, &code);

		if (is_trunk_zero(text, i, len))
			n = 3;
		else if (!is_separator(code) && !buf_put(out, text + i, n))
			return false;
		i += n;
	}
	return true;
}

static bool is_e164(const char *text, size_t len)
{
	size_t digits = len > 0 && text[0] == '+' ? 1 : 0;

	if (len == digits)
		return false;
	for (size_t i = digits; i < len; i++)
		if (text[i] < '0' || text[i] > '9')
			return false;
	return true;
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
	step->number = (size_t)(args[REGION_DIGITS].text[0] - '0') * 10 + (size_t)(args[REGION_DIGITS].text[1] - '0');
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

static bool run_phone(struct step_run *run, const struct step *step, struct cell *cell)
{
	size_t number = find_extension(cell->ptr, cell->len);

	if (cell->len == 0)
		return true;
	if (!put_stripped(run->scratch, cell->ptr, number))
		return false;
	if (!is_e164(run->scratch->data, run->scratch->len)) {
		step_mark(cell, FATE_REJECTED, NOTE_PHONE_MALFORMED);
		return true;
	}
	if (run->scratch->data[0] != '+' && step->nargs > 0) {
		if (!complete_number(step, run->scratch))
			return false;
		step_mark(cell, FATE_FOLDED, NOTE_PHONE_DEFAULT);
	} else if (run->scratch->data[0] != '+') {
		step_mark(cell, FATE_LOST, NOTE_PHONE_NO_COUNTRY);
	}
	if (number < cell->len)
		step_mark(cell, FATE_LOST, NOTE_PHONE_EXTENSION);
	if (run->scratch->len == cell->len && memcmp(run->scratch->data, cell->ptr, cell->len) == 0)
		return true;
	step_mark(cell, FATE_FOLDED, NOTE_PHONE_RESPELLED);
	return step_put_scratch(run, cell);
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
	size_t prefix = arg->len - 5,
		   most = (size_t)(arg->text[arg->len - 2] - '0') * 10 + (size_t)(arg->text[arg->len - 1] - '0');
	size_t national;

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

// How many code points from the start may stand in an address's part; *len becomes their length in bytes.
static size_t count_address(const char *text, size_t *len, bool quotes)
{
	size_t count = 0, i = 0;

	while (i < *len) {
		uint32_t code;
		size_t n = unicode_decode(text + i, *len - i, &code);

		if (code == '@' || (code == '"' && !quotes) || unicode_is_js_space(code))
			break;
		i += n;
		count++;
	}
	*len = i;
	return count;
}

enum { EMAIL_MAX = 254 }; // RFC 5321; Twenty refuses longer ones (recordings, 129)

// The local part has 1 to 64 characters without a quote, the domain 1 to 255; no white space, one @. What Twenty
// accepts beyond RFC 5321 (Unicode, no dot in the domain) passes.
static bool is_email(const char *text, size_t len)
{
	size_t local = len, domain, count;

	if (len > EMAIL_MAX)
		return false;
	count = count_address(text, &local, false);
	if (count < 1 || count > 64 || local == len || text[local] != '@')
		return false;
	domain = len - local - 1;
	count = count_address(text + local + 1, &domain, true);
	return count >= 1 && count <= 255 && local + 1 + domain == len;
}

static bool run_email(struct step_run *run, const struct step *step, struct cell *cell)
{
	(void)run;
	(void)step;
	if (cell->len > 0 && !is_email(cell->ptr, cell->len))
		step_mark(cell, FATE_REJECTED, NOTE_EMAIL_MALFORMED);
	return true;
}

const struct step_def steps_contact[] = {
	{.name = "phone_e164",
		.max_args = REGION_ARGS,
		.types = STEP_TYPE(COL_TEXT),
		.parse = parse_phone,
		.run = run_phone},
	{.name = "phone_trunk",
		.min_args = 1,
		.max_args = STEP_ARGS_MAX,
		.types = STEP_TYPE(COL_TEXT),
		.parse = parse_trunk,
		.run = run_trunk},
	{.name = "email_shape", .types = STEP_TYPE(COL_TEXT), .run = run_email},
	{0},
};

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

static bool run_phone(struct step_run *run, const struct step *step, struct cell *cell)
{
	size_t number = find_extension(cell->ptr, cell->len);

	(void)step;
	if (cell->len == 0)
		return true;
	if (!put_stripped(run->scratch, cell->ptr, number))
		return false;
	if (!is_e164(run->scratch->data, run->scratch->len)) {
		step_mark(cell, FATE_REJECTED, NOTE_PHONE_MALFORMED);
		return true;
	}
	if (run->scratch->data[0] != '+')
		step_mark(cell, FATE_LOST, NOTE_PHONE_NO_COUNTRY);
	if (number < cell->len)
		step_mark(cell, FATE_LOST, NOTE_PHONE_EXTENSION);
	if (run->scratch->len == cell->len)
		return true;
	step_mark(cell, FATE_FOLDED, NOTE_PHONE_RESPELLED);
	return step_put_scratch(run, cell);
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

// The local part has 1 to 64 characters without a quote, the domain 1 to 255; no white space, one @. What Twenty
// accepts beyond RFC 5321 (Unicode, no dot in the domain) passes.
static bool is_email(const char *text, size_t len)
{
	size_t local = len, domain, count;

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
	{.name = "phone_e164", .types = STEP_TYPE(COL_TEXT), .run = run_phone},
	{.name = "email_shape", .types = STEP_TYPE(COL_TEXT), .run = run_email},
	{0},
};

#include "data/phone_text.h"

#include <string.h>

#include "io/unicode.h"

// A part of the text.
struct span {
	const char *at, *end;
};

static size_t left(const struct span *s)
{
	return (size_t)(s->end - s->at);
}

// The code point at the place, 0 at the end; *len is its length in bytes.
static uint32_t peek(const struct span *s, size_t *len)
{
	uint32_t code = 0;

	*len = left(s) > 0 ? unicode_decode(s->at, left(s), &code) : 0;
	return code;
}

// ASCII, fullwidth, Arabic-Indic and Eastern Arabic-Indic digits; -1 for what is none.
static int digit_of(uint32_t code)
{
	static const uint32_t zeros[] = {'0', 0xFF10, 0x0660, 0x06F0};

	for (size_t i = 0; i < sizeof zeros / sizeof zeros[0]; i++)
		if (code >= zeros[i] && code <= zeros[i] + 9)
			return (int)(code - zeros[i]);
	return -1;
}

static bool is_plus(uint32_t code)
{
	return code == '+' || code == 0xFF0B;
}

// The typographic kin of space . - ( ) [ ] / ~, and the invisible marks that copied text carries.
static bool is_wide_separator(uint32_t code)
{
	static const uint32_t singles[] = {0x00A0, 0x00AD, 0x200B, 0x200E, 0x200F, 0x202F, 0x2053, 0x2060, 0x2212, 0x223C,
		0x3000, 0x30FC, 0xFEFF, 0xFF08, 0xFF09, 0xFF0D, 0xFF0E, 0xFF0F, 0xFF3B, 0xFF3D, 0xFF5E};

	for (size_t i = 0; i < sizeof singles / sizeof singles[0]; i++)
		if (code == singles[i])
			return true;
	return (code >= 0x2010 && code <= 0x2015) || (code >= 0x202A && code <= 0x202E) ||
		   (code >= 0x2066 && code <= 0x2069);
}

static bool is_separator(uint32_t code)
{
	if (code < 0x80)
		return code != 0 && strchr("\t .-()[]/~", (int)code) != NULL;
	return is_wide_separator(code);
}

// ---- extensions: "ext. 12", "x12", "#12", ",12", ";ext=12", "- 12#" at the end of a number

// Latin, Cyrillic and fullwidth letters in lower case.
static uint32_t lower(uint32_t code)
{
	bool capital = (code >= 'A' && code <= 'Z') || (code >= 0xC0 && code <= 0xDE) || (code >= 0x410 && code <= 0x42F) ||
				   (code >= 0xFF21 && code <= 0xFF3A);

	return capital ? code + 0x20 : code;
}

// Go past the label (in lower case) if it stands here.
static bool skip_label(struct span *s, const char *label)
{
	struct span rest = *s, wanted = {label, label + strlen(label)};
	size_t n, m;

	while (left(&wanted) > 0) {
		if (lower(peek(&rest, &n)) != peek(&wanted, &m))
			return false;
		rest.at += n;
		wanted.at += m;
	}
	s->at = rest.at;
	return true;
}

static void skip_blanks(struct span *s, const char *more)
{
	size_t n;

	for (uint32_t code = peek(s, &n); n > 0; code = peek(s, &n)) {
		if (code != 0xA0 && code != ' ' && code != '\t' &&
			(code == 0 || code >= 0x80 || strchr(more, (int)code) == NULL))
			return;
		s->at += n;
	}
}

// 1 to `most` digits, with or without # behind them, and the end.
static bool is_digits_to_end(struct span s, size_t most, bool hash)
{
	size_t count = 0, n;

	while (digit_of(peek(&s, &n)) >= 0) {
		s.at += n;
		count++;
	}
	if (hash && left(&s) == 1 && *s.at == '#')
		s.at++;
	return count >= 1 && count <= most && left(&s) == 0;
}

// What may stand between a label and the extension's digits.
static bool is_after_label(struct span s, size_t most)
{
	size_t n;
	uint32_t code = peek(&s, &n);

	if (code == ':' || code == '.' || code == 0xFF0E)
		s.at += n;
	skip_blanks(&s, ",-");
	return is_digits_to_end(s, most, true);
}

static const struct {
	const char *label;
	size_t most; // digits: the less certain the label, the fewer
} labels[] = {
	{"ext", 20},
	{"extn", 20},
	{"extensi", 20},
	{"extensin", 20},
	{"extensio", 20},
	{"extension", 20},
	{"extensi\xC3\xB3", 20},
	{"extensi\xC3\xB3n", 20},
	{"extensio\xCC\x81", 20},
	{"extensio\xCC\x81n", 20},
	{"xt", 20},
	{"xtn", 20},
	{"xtension", 20},
	{"\xEF\xBD\x85\xEF\xBD\x98\xEF\xBD\x94", 20},
	{"\xEF\xBD\x85\xEF\xBD\x98\xEF\xBD\x94\xEF\xBD\x8E", 20},
	{"\xEF\xBD\x98\xEF\xBD\x94", 20},
	{"\xEF\xBD\x98\xEF\xBD\x94\xEF\xBD\x8E", 20},
	{"\xD0\xB4\xD0\xBE\xD0\xB1", 20},
	{"anexo", 20},
	{"x", 9},
	{"\xEF\xBD\x98", 9},
	{"#", 9},
	{"\xEF\xBC\x83", 9},
	{"~", 9},
	{"\xEF\xBD\x9E", 9},
	{"int", 9},
	{"\xEF\xBD\x89\xEF\xBD\x8E\xEF\xBD\x94", 9},
};

static bool is_labelled(struct span s)
{
	skip_blanks(&s, ",");
	for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
		struct span rest = s;

		if (skip_label(&rest, labels[i].label) && is_after_label(rest, labels[i].most))
			return true;
	}
	return false;
}

// ",,12" and ";12" dial on by themselves; a single comma is a label too.
static bool is_dialled_on(struct span s)
{
	struct span rest;

	skip_blanks(&s, "");
	rest = s;
	if ((skip_label(&rest, ",,") || skip_label(&rest, ";")) && is_after_label(rest, 15))
		return true;
	rest = s;
	if (!skip_label(&rest, ","))
		return false;
	while (skip_label(&rest, ","))
		;
	return is_after_label(rest, 9);
}

// The American "- 12#".
static bool is_hashed(struct span s)
{
	const char *start = s.at;

	if (s.end[-1] != '#')
		return false;
	while (left(&s) > 0 && (*s.at == ' ' || *s.at == '-'))
		s.at++;
	s.end--;
	return s.at > start && is_digits_to_end(s, 6, false);
}

static bool is_extension(struct span s)
{
	struct span rest = s;

	if (skip_label(&rest, ";isub="))
		return true;
	rest = s;
	if (skip_label(&rest, ";ext="))
		return is_digits_to_end(rest, 20, false);
	return is_labelled(s) || is_dialled_on(s) || is_hashed(s);
}

// ---- the number

static bool has_words(struct span s)
{
	size_t n;

	for (uint32_t code = peek(&s, &n); n > 0; code = peek(&s, &n)) {
		if (code == UNICODE_INVALID || unicode_is_alnum(code))
			return true;
		s.at += n;
	}
	return false;
}

// Where the number begins: at the first + or digit.
static const char *find_start(struct span s)
{
	size_t n;

	for (uint32_t code = peek(&s, &n); n > 0 && !is_plus(code) && digit_of(code) < 0; code = peek(&s, &n))
		s.at += n;
	return s.at;
}

// Where it ends: behind the last digit, or the # of an extension.
static const char *find_end(struct span s)
{
	const char *end = s.at;
	size_t n;

	for (uint32_t code = peek(&s, &n); n > 0; code = peek(&s, &n)) {
		s.at += n;
		if (digit_of(code) >= 0 || code == '#')
			end = s.at;
	}
	return end;
}

// "12025550123.0"
static bool is_decimal(struct span s)
{
	const char *point = memchr(s.at, '.', left(&s));
	size_t digits = 0;

	if (point == NULL || s.end - point < 2 || s.end - point > 3)
		return false;
	for (const char *c = point + 1; c < s.end; c++)
		if (*c != '0')
			return false;
	for (const char *c = s.at + (*s.at == '+' ? 1 : 0); c < point; c++, digits++)
		if (*c < '0' || *c > '9')
			return false;
	return digits > 0;
}

static bool begins(const struct buf *number, const char *code)
{
	return number->len >= strlen(code) && memcmp(number->data, code, strlen(code)) == 0;
}

// "+44 (0)20 ...": the (0) is for callers at home and no part of the number; only in Italy and San Marino the zero
// itself is dialled.
static bool is_trunk_zero(const struct span *s, const struct buf *number)
{
	return left(s) >= 3 && memcmp(s->at, "(0)", 3) == 0 && begins(number, "+") && !begins(number, "+39") &&
		   !begins(number, "+378");
}

// One character of the number; what cannot stand in one is PHONE_NONE.
static enum phone_reading read_character(struct buf *out, struct span *s)
{
	size_t n;
	uint32_t code = peek(s, &n);
	int digit = digit_of(code);

	s->at += n;
	if (digit >= 0)
		return buf_putc(out, (char)('0' + digit)) ? PHONE_READ : PHONE_NO_MEMORY;
	if (is_plus(code) && out->len == 0)
		return buf_putc(out, '+') ? PHONE_READ : PHONE_NO_MEMORY;
	return is_separator(code) ? PHONE_READ : PHONE_NONE;
}

static enum phone_reading read_number(struct buf *out, struct span s, struct phone_left_out *left_out)
{
	enum phone_reading reading = PHONE_READ;
	size_t n;

	while (left(&s) > 0 && reading == PHONE_READ) {
		if (is_trunk_zero(&s, out)) {
			s.at += 3;
		} else if (out->len > 0 && digit_of(peek(&s, &n)) < 0 && is_extension(s)) {
			left_out->extension = true;
			break;
		} else {
			reading = read_character(out, &s);
		}
	}
	if (reading == PHONE_READ && (out->len == 0 || out->data[out->len - 1] == '+'))
		return PHONE_NONE;
	return reading;
}

enum phone_reading phone_read(struct buf *out, const char *text, size_t len, struct phone_left_out *left_out)
{
	struct span whole = {text, text + len}, head = whole, number, tail;

	*left_out = (struct phone_left_out){0};
	if (!skip_label(&head, "tel:"))
		head = whole;
	number = (struct span){find_start(head), whole.end};
	number.end = find_end(number);
	if (number.end == number.at)
		return PHONE_NONE;
	if (is_decimal(number))
		return PHONE_DECIMAL;
	head.end = number.at;
	tail = (struct span){number.end, whole.end};
	left_out->words = has_words(head) || has_words(tail);
	return read_number(out, number, left_out);
}

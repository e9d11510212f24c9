// Text made visible. Knows Unicode as far as what has no shape, and no sink.
#include "base/visible.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

// ---- characters

// The code point of the well-formed UTF-8 sequence at p (Unicode table 3-7), its length in *len; 0 there for none.
static uint32_t decode(const unsigned char *p, size_t left, size_t *len)
{
	static const unsigned char first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
	uint32_t code = p[0] & first_bits[n];

	*len = 0;
	if (n == 0 || n > left)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3f);
	}
	if ((n == 3 && (code < 0x800 || (code >= 0xd800 && code < 0xe000))) ||
		(n == 4 && (code < 0x10000 || code > 0x10ffff)))
		return 0;
	*len = n;
	return code;
}

// Beyond ASCII: C1, format characters (Cf), spaces but U+3000, fillers, variation selectors, tags, noncharacters of the
// first plane. Sorted.
static bool is_hidden(uint32_t code)
{
	static const struct {
		uint32_t from, to;
	} ranges[] = {{0x80, 0xa0}, {0xad, 0xad}, {0x34f, 0x34f}, {0x61c, 0x61c}, {0x115f, 0x1160}, {0x1680, 0x1680},
		{0x17b4, 0x17b5}, {0x180b, 0x180f}, {0x2000, 0x200f}, {0x2028, 0x202f}, {0x205f, 0x206f}, {0x2800, 0x2800},
		{0x3164, 0x3164}, {0xfdd0, 0xfdef}, {0xfe00, 0xfe0f}, {0xfeff, 0xfeff}, {0xffa0, 0xffa0}, {0xfff0, 0xfffb},
		{0xfffe, 0xffff}, {0x13430, 0x1343f}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff}};
	size_t low = 0, high = sizeof ranges / sizeof ranges[0];

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (code > ranges[middle].to)
			low = middle + 1;
		else if (code < ranges[middle].from)
			high = middle;
		else
			return true;
	}
	return false;
}

static void spell_for_people(char spelled[16], uint32_t code, bool is_byte)
{
	snprintf(spelled, 16, is_byte ? "\\x%02x" : code < 0x10000 ? "\\u%04x" : "\\u{%x}", (unsigned)code);
}

// As JSON escapes it: beyond the first plane by surrogates. A byte that is no UTF-8 is none of JSON either.
static void spell_for_json(char spelled[16], uint32_t code, bool is_byte)
{
	if (is_byte && code >= 0x80)
		snprintf(spelled, 16, "\\\\x%02x", (unsigned)code);
	else if (code < 0x10000)
		snprintf(spelled, 16, "\\u%04x", (unsigned)code);
	else
		snprintf(spelled, 16, "\\u%04x\\u%04x", (unsigned)(0xd800 + ((code - 0x10000) >> 10)),
			(unsigned)(0xdc00 + (code & 0x3ff)));
}

// ---- texts

// What a text is shown in.
struct style {
	const char *(*escape)(char c); // how a character is written that means something there; NULL: as it is
	void (*spell)(char spelled[16], uint32_t code, bool is_byte); // one that would not be seen, or a byte
};

// The character at p as it is shown, in `spelled`; "" when it is shown as it is. Returns its length.
static size_t show(const struct style *style, const unsigned char *p, size_t left, char spelled[16])
{
	size_t len;
	uint32_t code = decode(p, left, &len);
	bool is_byte = len == 0 || (len == 1 && (code < 0x20 || code == 0x7f));

	spelled[0] = '\0';
	if (is_byte || (code >= 0x80 && is_hidden(code)))
		style->spell(spelled, is_byte ? p[0] : code, is_byte);
	return len > 0 ? len : 1;
}

static const char *as_it_is(char c)
{
	(void)c;
	return NULL;
}

static const char *keep_line_ends(char c)
{
	return c == '\n' ? "\n" : c == '\t' ? "\t" : NULL;
}

static const struct style in_text = {as_it_is, spell_for_people}, in_lines = {keep_line_ends, spell_for_people};

// Append until the text ends or `most` bytes are there; returns how much of the text that took, or SIZE_MAX without
// memory.
static size_t put(struct buf *out, const char *text, size_t len, size_t most, const struct style *style)
{
	size_t i = 0, shown = 0, start = out->len; // up to `shown` it is in out

	while (i < len && out->len - start + (i - shown) < most) {
		char spelled[16];
		const char *instead = style->escape(text[i]);
		size_t n = 1;

		if (instead == NULL && ((unsigned char)text[i] < 0x20 || (unsigned char)text[i] >= 0x7f)) {
			n = show(style, (const unsigned char *)text + i, len - i, spelled);
			instead = spelled[0] != '\0' ? spelled : NULL;
		}
		if (instead != NULL) {
			if (!buf_put(out, text + shown, i - shown) || !buf_puts(out, instead))
				return SIZE_MAX;
			shown = i + n;
		}
		i += n;
	}
	return buf_put(out, text + shown, i - shown) ? i : SIZE_MAX;
}

bool visible_text(struct buf *out, const char *text, size_t len)
{
	return put(out, text, len, SIZE_MAX, &in_text) != SIZE_MAX;
}

bool visible_lines(struct buf *out, const char *text, size_t len)
{
	return put(out, text, len, SIZE_MAX, &in_lines) != SIZE_MAX;
}

// White space between tokens stays that; within strings JSON has none of these as they are.
static const char *keep_white_space(char c)
{
	return c == '\r' ? " " : keep_line_ends(c);
}

bool visible_json(struct buf *out, const char *json, size_t len)
{
	static const struct style in_json = {keep_white_space, spell_for_json};

	return put(out, json, len, SIZE_MAX, &in_json) != SIZE_MAX;
}

void visible_copy(char *out, size_t size, const char *text, bool lines)
{
	struct buf shown = {0};
	bool ok = (lines ? visible_lines : visible_text)(&shown, text, strlen(text));
	size_t len = shown.len < size ? shown.len : size - 1;

	while (ok && len < shown.len && ((unsigned char)shown.data[len] & 0xc0) == 0x80) // not within a character
		len--;
	if (ok)
		snprintf(out, size, "%.*s", (int)len, shown.data);
	else
		snprintf(out, size, "(text withheld: out of memory)");
	buf_free(&shown);
}

bool visible_excerpt(struct buf *out, const char *text, size_t len, size_t most, bool lines)
{
	enum { WORDS = 48, LONGEST = 16 }; // of what is said at the end; of one character, which put may go too far by
	const struct style *style = lines ? &in_lines : &in_text;
	size_t start = out->len, taken = put(out, text, len, most + 1, style);

	if (taken == SIZE_MAX || (taken == len && out->len - start <= most))
		return taken != SIZE_MAX;
	out->len = start;
	taken = put(out, text, len, most - WORDS - LONGEST, style);
	return taken != SIZE_MAX && buf_printf(out, "… (%zu more bytes)", len - taken);
}

static const char *double_quotes(char c)
{
	return c == '"' ? "\"\"" : NULL;
}

// What spreadsheets begin a formula with, in full width too (U+FF0B, FF0D, FF1D, FF20).
static bool is_formula(const char *text, size_t len)
{
	static const char *const wide[] = {"\xef\xbc\x8b", "\xef\xbc\x8d", "\xef\xbc\x9d", "\xef\xbc\xa0"};

	if (len > 0 && text[0] != '\0' && strchr("=+-@\t\r\n", text[0]) != NULL)
		return true;
	for (size_t i = 0; i < sizeof wide / sizeof wide[0]; i++)
		if (len >= 3 && memcmp(text, wide[i], 3) == 0)
			return true;
	return false;
}

bool visible_csv(struct buf *out, const char *text, size_t len)
{
	static const struct style in_csv = {double_quotes, spell_for_people};

	return buf_puts(out, is_formula(text, len) ? "\"'" : "\"") && put(out, text, len, SIZE_MAX, &in_csv) != SIZE_MAX &&
		   buf_putc(out, '"');
}

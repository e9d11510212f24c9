// UTF-8 by hand, case mapping by libunistring. Knows no locale.
#include "io/unicode.h"

#include <stdlib.h>
#include <string.h>
#include <unicase.h>
#include <unictype.h>

// Range of the second byte, and the length, that a first byte demands; length 0 for a byte that cannot be first.
struct lead {
	size_t len;
	unsigned char low, high;
};

static struct lead lead_of(unsigned char c)
{
	if (c >= 0xC2 && c <= 0xDF)
		return (struct lead){2, 0x80, 0xBF};
	if (c >= 0xE0 && c <= 0xEF)
		return (struct lead){3, c == 0xE0 ? 0xA0 : 0x80, c == 0xED ? 0x9F : 0xBF};
	if (c >= 0xF0 && c <= 0xF4)
		return (struct lead){4, c == 0xF0 ? 0x90 : 0x80, c == 0xF4 ? 0x8F : 0xBF};
	return (struct lead){0, 0, 0};
}

size_t unicode_decode(const char *text, size_t len, uint32_t *code)
{
	unsigned char first = (unsigned char)text[0];
	struct lead lead;
	uint32_t value;
	size_t i;

	if (first < 0x80) {
		*code = first;
		return 1;
	}
	*code = UNICODE_INVALID;
	lead = lead_of(first);
	if (lead.len == 0)
		return 1;
	value = first & (0x7Fu >> lead.len);
	for (i = 1; i < lead.len && i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < lead.low || c > lead.high)
			return i;
		value = value << 6 | (c & 0x3Fu);
		lead.low = 0x80;
		lead.high = 0xBF;
	}
	if (i == lead.len)
		*code = value;
	return i;
}

// Eight bytes at a time: nearly all text is ASCII.
static size_t ascii_run(const char *text, size_t len)
{
	size_t i = 0;

	for (; i + 8 <= len; i += 8) {
		uint64_t word;

		memcpy(&word, text + i, 8);
		if ((word & UINT64_C(0x8080808080808080)) != 0)
			break;
	}
	while (i < len && (unsigned char)text[i] < 0x80)
		i++;
	return i;
}

// How many bytes from the start are well-formed.
static size_t valid_run(const char *text, size_t len)
{
	size_t i = ascii_run(text, len);

	while (i < len) {
		uint32_t code;
		size_t n = unicode_decode(text + i, len - i, &code);

		if (code == UNICODE_INVALID)
			break;
		i += n;
	}
	return i;
}

bool unicode_valid(const char *text, size_t len)
{
	return valid_run(text, len) == len;
}

// Append the text; put(out, part, n) appends what stands for each maximal ill-formed part.
static bool replace(
	struct buf *out, const char *text, size_t len, bool (*put)(struct buf *out, const char *part, size_t n))
{
	while (len > 0) {
		size_t n = valid_run(text, len);
		uint32_t code;

		if (!buf_put(out, text, n))
			return false;
		text += n;
		len -= n;
		if (len == 0)
			break;
		n = unicode_decode(text, len, &code);
		if (!put(out, text, n))
			return false;
		text += n;
		len -= n;
	}
	return true;
}

static bool put_replacement(struct buf *out, const char *part, size_t n)
{
	(void)part;
	(void)n;
	return buf_puts(out, "\xEF\xBF\xBD");
}

static bool put_spelled(struct buf *out, const char *part, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!buf_printf(out, "\\x%02x", (unsigned char)part[i]))
			return false;
	return true;
}

bool unicode_repair(struct buf *out, const char *text, size_t len)
{
	return replace(out, text, len, put_replacement);
}

bool unicode_spell(struct buf *out, const char *text, size_t len)
{
	return replace(out, text, len, put_spelled);
}

static bool lower_ascii(struct buf *out, const char *text, size_t len)
{
	if (!buf_reserve(out, len))
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		out->data[out->len++] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
	}
	out->data[out->len] = '\0';
	return true;
}

// A run of well-formed text.
static bool lower_run(struct buf *out, const char *text, size_t len)
{
	size_t lower_len = 0;
	uint8_t *lower;
	bool ok;

	if (ascii_run(text, len) == len)
		return lower_ascii(out, text, len);
	lower = u8_tolower((const uint8_t *)text, len, NULL, NULL, NULL, &lower_len);
	if (lower == NULL)
		return false;
	ok = buf_put(out, lower, lower_len);
	free(lower);
	return ok;
}

bool unicode_lower(struct buf *out, const char *text, size_t len)
{
	while (len > 0) {
		size_t n = valid_run(text, len);
		uint32_t code;

		if (!lower_run(out, text, n))
			return false;
		text += n;
		len -= n;
		if (len == 0)
			break;
		n = unicode_decode(text, len, &code);
		if (!buf_put(out, text, n))
			return false;
		text += n;
		len -= n;
	}
	return true;
}

bool unicode_is_plain_lower(const char *text, size_t len)
{
	unsigned bad = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		bad |= (c >= 0x80) | (c >= 'A' && c <= 'Z');
	}
	return bad == 0;
}

bool unicode_is_alnum(uint32_t code)
{
	return uc_is_alnum(code);
}

bool unicode_is_js_space(uint32_t code)
{
	switch (code) {
	case ' ':
	case 0xA0:
	case 0x1680:
	case 0x2028:
	case 0x2029:
	case 0x202F:
	case 0x205F:
	case 0x3000:
	case 0xFEFF:
		return true;
	default:
		return (code >= '\t' && code <= '\r') || (code >= 0x2000 && code <= 0x200A);
	}
}

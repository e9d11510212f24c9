// The JSON pull reader (RFC 8259) and the writer of strings. Knows nothing of what the text means; numbers are looked
// at in json_number.c, whole texts are respelled in json_canonical.c.
#include "io/json.h"

#include <stdio.h>
#include <string.h>

// What the reader expects next.
enum state { WANT_VALUE, WANT_VALUE_OR_END, WANT_KEY, WANT_KEY_OR_END, AFTER_VALUE };

static const char *const type_names[] = {
	[JSON_END] = "the end",
	[JSON_NULL] = "null",
	[JSON_FALSE] = "false",
	[JSON_TRUE] = "true",
	[JSON_NUMBER] = "a number",
	[JSON_STRING] = "a string",
	[JSON_KEY] = "a name",
	[JSON_ARRAY] = "an array",
	[JSON_ARRAY_END] = "the end of an array",
	[JSON_OBJECT] = "an object",
	[JSON_OBJECT_END] = "the end of an object",
};

const char *json_type_name(enum json_type type)
{
	return type_names[type];
}

void json_reader_init(struct json_reader *r, const char *text, size_t len)
{
	memset(r, 0, sizeof *r);
	r->text = text != NULL ? text : "";
	r->at = r->text;
	r->end = r->text + (text != NULL ? len : 0);
	r->state = WANT_VALUE;
}

bool json_fail_at(const struct json_reader *r, const char *at, const char *code, const char *what, struct err *err)
{
	const char *line_start = r->text;
	size_t line = 1;

	for (const char *p = r->text; p < at; p++) {
		if (*p == '\n') {
			line++;
			line_start = p + 1;
		}
	}
	return err_set(err, ERR_JSON, code, "cannot read json (%s at line %zu, column %zu)", what, line,
		(size_t)(at - line_start) + 1);
}

// The byte at `at` is not what should be there, or the text ended.
static bool fail_unexpected(const struct json_reader *r, const char *at, const char *wanted, struct err *err)
{
	char what[128];
	unsigned char c;

	if (at >= r->end) {
		snprintf(what, sizeof what, "the text ends where %s should be", wanted);
		return json_fail_at(r, r->end, "truncated", what, err);
	}
	c = (unsigned char)*at;
	if (c > 0x20 && c < 0x7f)
		snprintf(what, sizeof what, "unexpected '%c' where %s should be", c, wanted);
	else
		snprintf(what, sizeof what, "unexpected byte 0x%02x where %s should be", c, wanted);
	return json_fail_at(r, at, "syntax", what, err);
}

// Skip space; the next byte, or -1 at the end.
static int peek(struct json_reader *r)
{
	const char *p = r->at;

	while (p < r->end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	r->at = p;
	return p < r->end ? (unsigned char)*p : -1;
}

static bool in_object(const struct json_reader *r)
{
	return r->depth > 0 && (r->objects[(r->depth - 1) / 64] >> ((r->depth - 1) % 64) & 1) != 0;
}

// The length of the well-formed UTF-8 sequence of two to four bytes at p (Unicode table 3-7), or 0.
static size_t utf8_sequence(const char *text, size_t left)
{
	const unsigned char *p = (const unsigned char *)text;
	unsigned char low = 0x80, high = 0xbf;
	size_t n;

	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (n > left)
		return 0;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

// Past the bytes that stand for themselves in a string: ASCII, no control character, no quote, no backslash. Eight at a
// time: the word test may see a plain byte as special behind one that is, never the other way round.
static const char *skip_plain(const char *p, const char *end)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;

	while (end - p >= 8) {
		uint64_t w, quote, slash;

		memcpy(&w, p, sizeof w);
		quote = w ^ (ones * '"');
		slash = w ^ (ones * '\\');
		if (((w | (w - ones * 0x20) | (quote - ones) | (slash - ones)) & tops) != 0)
			break;
		p += 8;
	}
	while (p < end && *p >= 0x20 && *p < 0x7f && *p != '"' && *p != '\\')
		p++;
	return p;
}

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

// The code unit of the \uXXXX at p, or -1.
static int read_code_unit(const char *p, const char *end)
{
	int unit = 0;

	if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
		return -1;
	for (int i = 2; i < 6; i++) {
		int digit = hex_digit(p[i]);

		if (digit < 0)
			return -1;
		unit = unit * 16 + digit;
	}
	return unit;
}

static bool is_surrogate(int unit, int base)
{
	return unit >= base && unit < base + 0x400;
}

// Past the escape at p, or NULL with err.
static const char *skip_escape(const struct json_reader *r, const char *p, struct err *err)
{
	int unit;

	if (r->end - p >= 2 && p[1] != 'u') {
		if (p[1] != '\0' && strchr("\"\\/bfnrt", p[1]) != NULL)
			return p + 2;
		fail_unexpected(r, p + 1, "an escape", err);
		return NULL;
	}
	unit = read_code_unit(p, r->end);
	if (unit < 0) {
		json_fail_at(r, p, r->end - p < 6 ? "truncated" : "syntax", "an escape without four hexadecimal digits", err);
		return NULL;
	}
	if (is_surrogate(unit, 0xd800) && is_surrogate(read_code_unit(p + 6, r->end), 0xdc00))
		return p + 12;
	if (is_surrogate(unit, 0xd800) || is_surrogate(unit, 0xdc00)) {
		json_fail_at(r, p, "lone_surrogate", "a lone surrogate, which no UTF-8 text can hold,", err);
		return NULL;
	}
	return p + 6;
}

// Past what skip_plain stopped at inside a string, or NULL with err.
static const char *skip_special(const struct json_reader *r, const char *p, struct err *err)
{
	unsigned char c = (unsigned char)*p;
	size_t n;

	if (c == '\\')
		return skip_escape(r, p, err);
	if (c == 0x7f)
		return p + 1;
	if (c < 0x20) {
		json_fail_at(r, p, "control", "a control character inside a string", err);
		return NULL;
	}
	n = utf8_sequence(p, (size_t)(r->end - p));
	if (n == 0) {
		json_fail_at(r, p, "utf8", "invalid UTF-8", err);
		return NULL;
	}
	return p + n;
}

static bool read_string(struct json_reader *r, struct json_token *token, struct err *err)
{
	const char *start = r->at + 1, *p = start;

	token->escaped = false;
	for (;;) {
		p = skip_plain(p, r->end);
		if (p == r->end)
			return json_fail_at(r, p, "truncated", "the text ends inside a string", err);
		if (*p == '"')
			break;
		if (*p == '\\')
			token->escaped = true;
		p = skip_special(r, p, err);
		if (p == NULL)
			return false;
	}
	token->text = start;
	token->len = (size_t)(p - start);
	r->at = p + 1;
	return true;
}

static const char *skip_digits(const char *p, const char *end)
{
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p;
}

// Past the number at p; at the first byte that breaks the grammar *bad is set.
static const char *skip_number(const char *p, const char *end, bool *bad)
{
	const char *digits;

	*bad = true;
	if (p < end && *p == '-')
		p++;
	digits = p;
	p = p < end && *p == '0' ? p + 1 : skip_digits(p, end);
	if (p == digits)
		return p;
	if (p < end && *p == '.') {
		digits = p + 1;
		p = skip_digits(digits, end);
		if (p == digits)
			return p;
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		digits = p;
		p = skip_digits(digits, end);
		if (p == digits)
			return p;
	}
	*bad = false;
	return p;
}

bool json_number_valid(const char *text, size_t len)
{
	bool bad;

	return len > 0 && skip_number(text, text + len, &bad) == text + len && !bad;
}

static bool read_number(struct json_reader *r, struct json_token *token, struct err *err)
{
	bool bad;
	const char *p = skip_number(r->at, r->end, &bad);

	if (bad)
		return fail_unexpected(r, p, "a digit", err);
	token->type = JSON_NUMBER;
	token->text = r->at;
	token->len = (size_t)(p - r->at);
	r->at = p;
	r->state = AFTER_VALUE;
	return true;
}

static bool read_word(
	struct json_reader *r, struct json_token *token, enum json_type type, const char *word, struct err *err)
{
	size_t len = strlen(word);

	if ((size_t)(r->end - r->at) < len || memcmp(r->at, word, len) != 0)
		return fail_unexpected(r, r->at, "a value", err);
	token->type = type;
	token->text = r->at;
	token->len = len;
	r->at += len;
	r->state = AFTER_VALUE;
	return true;
}

static bool read_open(struct json_reader *r, struct json_token *token, bool object, struct err *err)
{
	uint64_t bit = UINT64_C(1) << (r->depth % 64);

	if (r->depth == JSON_DEPTH_MAX)
		return json_fail_at(r, r->at, "depth", "arrays and objects nested deeper than 512", err);
	if (object)
		r->objects[r->depth / 64] |= bit;
	else
		r->objects[r->depth / 64] &= ~bit;
	r->depth++;
	r->state = object ? WANT_KEY_OR_END : WANT_VALUE_OR_END;
	token->type = object ? JSON_OBJECT : JSON_ARRAY;
	token->text = r->at++;
	token->len = 1;
	return true;
}

static bool read_value(struct json_reader *r, struct json_token *token, int c, struct err *err)
{
	switch (c) {
	case '"':
		token->type = JSON_STRING;
		r->state = AFTER_VALUE;
		return read_string(r, token, err);
	case '{':
		return read_open(r, token, true, err);
	case '[':
		return read_open(r, token, false, err);
	case 'n':
		return read_word(r, token, JSON_NULL, "null", err);
	case 't':
		return read_word(r, token, JSON_TRUE, "true", err);
	case 'f':
		return read_word(r, token, JSON_FALSE, "false", err);
	default:
		if (c == '-' || (c >= '0' && c <= '9'))
			return read_number(r, token, err);
		return fail_unexpected(r, r->at, "a value", err);
	}
}

static bool read_key(struct json_reader *r, struct json_token *token, int c, struct err *err)
{
	if (c != '"')
		return fail_unexpected(r, r->at, "a name in quotes", err);
	if (!read_string(r, token, err))
		return false;
	token->type = JSON_KEY;
	if (peek(r) != ':')
		return fail_unexpected(r, r->at, "':'", err);
	r->at++;
	r->state = WANT_VALUE;
	return true;
}

// What may follow a value other than a comma: the end of its container, or of the text.
static bool read_close(struct json_reader *r, struct json_token *token, int c, struct err *err)
{
	bool object = in_object(r);

	token->text = r->at;
	token->len = 0;
	if (r->depth == 0) {
		if (c >= 0)
			return fail_unexpected(r, r->at, "the end of the text", err);
		token->type = JSON_END;
		return true;
	}
	if (c != (object ? '}' : ']'))
		return fail_unexpected(r, r->at, object ? "',' or '}'" : "',' or ']'", err);
	token->type = object ? JSON_OBJECT_END : JSON_ARRAY_END;
	token->len = 1;
	r->at++;
	r->depth--;
	r->state = AFTER_VALUE;
	return true;
}

bool json_next(struct json_reader *r, struct json_token *token, struct err *err)
{
	int c = peek(r);

	token->escaped = false;
	if (r->state == AFTER_VALUE) {
		if (c != ',' || r->depth == 0)
			return read_close(r, token, c, err);
		r->at++;
		r->state = in_object(r) ? WANT_KEY : WANT_VALUE;
		c = peek(r);
	} else if ((r->state == WANT_KEY_OR_END && c == '}') || (r->state == WANT_VALUE_OR_END && c == ']')) {
		return read_close(r, token, c, err);
	}
	if (r->state == WANT_KEY || r->state == WANT_KEY_OR_END)
		return read_key(r, token, c, err);
	return read_value(r, token, c, err);
}

bool json_finish(struct json_reader *r, const struct json_token *token, const char **text, size_t *len, struct err *err)
{
	bool open = token->type == JSON_ARRAY || token->type == JSON_OBJECT;
	const char *start = token->type == JSON_STRING ? token->text - 1 : token->text;
	unsigned depth = r->depth - (open ? 1 : 0);
	struct json_token inner;

	while (r->depth > depth)
		if (!json_next(r, &inner, err))
			return false;
	if (text != NULL)
		*text = start;
	if (len != NULL)
		*len = (size_t)(r->at - start);
	return true;
}

bool json_validate(const char *text, size_t len, struct err *err)
{
	struct json_reader r;
	struct json_token token = {0};

	json_reader_init(&r, text, len);
	do {
		if (!json_next(&r, &token, err))
			return false;
	} while (token.type != JSON_END);
	return true;
}

static size_t put_utf8(char *out, unsigned code)
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xc0 | code >> 6);
		out[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (char)(0xe0 | code >> 12);
		out[1] = (char)(0x80 | (code >> 6 & 0x3f));
		out[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | code >> 18);
	out[1] = (char)(0x80 | (code >> 12 & 0x3f));
	out[2] = (char)(0x80 | (code >> 6 & 0x3f));
	out[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}

// The meaning of the escape at *p, which moves past it.
static unsigned read_escape(const char **p, const char *end)
{
	static const char letters[] = "bfnrt", meanings[] = "\b\f\n\r\t";
	const char *letter;
	int unit, low;

	if ((*p)[1] != 'u') {
		letter = strchr(letters, (*p)[1]);
		*p += 2;
		return (unsigned char)(letter != NULL ? meanings[letter - letters] : (*p)[-1]);
	}
	unit = read_code_unit(*p, end);
	*p += 6;
	if (!is_surrogate(unit, 0xd800))
		return (unsigned)unit;
	low = read_code_unit(*p, end);
	*p += 6;
	return 0x10000u + ((unsigned)(unit - 0xd800) << 10) + (unsigned)(low - 0xdc00);
}

size_t json_unescape(char *out, const char *text, size_t len)
{
	const char *p = text, *end = text + len;
	size_t n = 0;

	while (p < end) {
		const char *slash = memchr(p, '\\', (size_t)(end - p));
		size_t plain = (size_t)((slash != NULL ? slash : end) - p);

		memcpy(out + n, p, plain);
		n += plain;
		p += plain;
		if (p < end)
			n += put_utf8(out + n, read_escape(&p, end));
	}
	return n;
}

static bool put_escaped(struct buf *out, unsigned char c)
{
	static const char meanings[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
	const char *found = c != 0 ? strchr(meanings, c) : NULL;

	if (found == NULL)
		return buf_printf(out, "\\u%04x", c);
	return buf_putc(out, '\\') && buf_putc(out, letters[found - meanings]);
}

static void rewind_to(struct buf *out, size_t mark)
{
	out->len = mark;
	if (out->data != NULL)
		out->data[mark] = '\0';
}

bool json_put_string(struct buf *out, const char *text, size_t len, struct err *err)
{
	const char *p = len > 0 ? text : "", *start = p, *end = p + len;
	size_t mark = out->len;
	bool ok = buf_reserve(out, len + 2) && buf_putc(out, '"');

	while (ok && p < end) {
		const char *plain = skip_plain(p, end);
		unsigned char c = plain < end ? (unsigned char)*plain : 0;
		size_t n = c >= 0x80 ? utf8_sequence(plain, (size_t)(end - plain)) : 1;

		ok = buf_put(out, p, (size_t)(plain - p));
		p = plain;
		if (!ok || p == end)
			break;
		if (n == 0) {
			rewind_to(out, mark);
			return err_set(err, ERR_JSON, "utf8", "cannot write a string as json (invalid UTF-8 at byte %zu)",
				(size_t)(p - start) + 1);
		}
		ok = c >= 0x7f ? buf_put(out, p, n) : put_escaped(out, c);
		p += n;
	}
	if (ok && buf_putc(out, '"'))
		return true;
	rewind_to(out, mark);
	return err_no_memory(err);
}

// JSON scalars to the text forms of the record plane. Exact: nothing but float64 passes through a double. Knows nothing
// of where in a page a value stands.
#include "data/page_cell.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/civil.h"
#include "io/crypto.h"

enum { SHOWN_MAX = 40 }; // bytes of a value shown in a message

static bool fail_value(struct err *err, const char *text, size_t len, const char *what)
{
	size_t shown = len > SHOWN_MAX ? SHOWN_MAX : len;

	while (shown > 0 && shown < len && (text[shown] & 0xc0) == 0x80) // never half a character
		shown--;
	return err_set(err, ERR_JSON, "shape", "'%.*s%s' is no %s", (int)shown, text, shown < len ? "…" : "", what);
}

bool page_wrong_shape(struct err *err, enum json_type got, const char *expected)
{
	return err_set(err, ERR_JSON, "shape", "%s where %s was expected", json_type_name(got), expected);
}

bool page_fail(struct err *err, const char *name, size_t name_len, size_t row)
{
	char reason[ERR_MESSAGE_SIZE / 2], code[ERR_CODE_SIZE];

	if (err == NULL || err->kind != ERR_JSON)
		return false;
	snprintf(reason, sizeof reason, "%.*s", (int)sizeof reason - 1, err->message);
	snprintf(code, sizeof code, "%s", err->code);
	name_len = name_len > 200 ? 200 : name_len;
	if (row == 0)
		return err_set(err, ERR_JSON, code, "cannot read '%.*s' (%s)", (int)name_len, name, reason);
	return err_set(err, ERR_JSON, code, "cannot read '%.*s' of row %zu (%s)", (int)name_len, name, row, reason);
}

// What the token says: a string unescaped, any other scalar as spelled.
static bool token_text(
	const struct json_token *token, struct buf *scratch, const char **text, size_t *len, struct err *err)
{
	*text = token->text;
	*len = token->len;
	if (!token->escaped)
		return true;
	buf_clear(scratch);
	if (!buf_reserve(scratch, token->len))
		return err_no_memory(err);
	scratch->len = json_unescape(scratch->data, token->text, token->len);
	*text = scratch->data;
	*len = scratch->len;
	return true;
}

static void put_int64(struct page_text *out, int64_t value)
{
	char *p = out->small + sizeof out->small;
	uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

	do {
		*--p = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	if (value < 0)
		*--p = '-';
	out->ptr = p;
	out->len = (size_t)(out->small + sizeof out->small - p);
}

static bool convert_int64(struct page_text *out, const char *text, size_t len, struct err *err)
{
	int64_t value;

	if (!json_number_valid(text, len) || !json_number_integral(text, len, &value))
		return fail_value(err, text, len, "64-bit integer");
	put_int64(out, value);
	return true;
}

static bool same_word(const char *text, size_t len, const char *word)
{
	return strlen(word) == len && strncasecmp(text, word, len) == 0;
}

static bool convert_float64(struct page_text *out, const char *text, size_t len, struct err *err)
{
	const char *digits = text;
	size_t n = len;
	double value;

	if (json_number_valid(text, len)) {
		json_number_double(text, len, &value);
		if (isinf(value))
			return fail_value(err, text, len, "double (out of range)");
		out->ptr = out->small;
		out->len = json_double_text(value, out->small);
		return true;
	}
	if (n > 0 && (*digits == '-' || *digits == '+')) {
		digits++;
		n--;
	}
	if (same_word(text, len, "nan"))
		out->ptr = "NaN";
	else if (same_word(digits, n, "inf") || same_word(digits, n, "infinity"))
		out->ptr = text[0] == '-' ? "-Infinity" : "Infinity";
	else
		return fail_value(err, text, len, "number");
	out->len = strlen(out->ptr);
	return true;
}

static bool convert_bool(struct page_text *out, const char *text, size_t len, struct err *err)
{
	if (!(len == 4 && memcmp(text, "true", 4) == 0) && !(len == 5 && memcmp(text, "false", 5) == 0))
		return fail_value(err, text, len, "boolean");
	out->ptr = text;
	out->len = len;
	return true;
}

static bool convert_civil(struct page_text *out, enum col_type type, const char *text, size_t len, struct err *err)
{
	struct civil civil;
	bool ok;

	out->ptr = out->small;
	if (type == COL_DATE) {
		ok = civil_parse_date(text, len, &civil, NULL);
		out->len = ok ? civil_format_date(&civil, out->small) : 0;
	} else if (type == COL_TIME) {
		ok = civil_parse_time(text, len, &civil, NULL);
		out->len = ok ? civil_format_time(&civil, out->small) : 0;
	} else {
		ok = civil_parse_datetime(text, len, &civil, NULL);
		out->len = ok ? civil_format_datetime(&civil, out->small) : 0;
	}
	return ok || fail_value(err, text, len, col_type_name(type));
}

// The exponent behind an 'e'; false when it has more digits than any time needs.
static bool small_exponent(const char *p, const char *end, int *power)
{
	bool negative = p < end && *p == '-';

	*power = 0;
	if (p < end && (*p == '-' || *p == '+'))
		p++;
	if (end - p > 6)
		return false;
	for (; p < end; p++)
		*power = *power * 10 + (*p - '0');
	if (negative)
		*power = -*power;
	return true;
}

// Seconds, spelled with a point or an exponent, to microseconds: the exponent grows by six, and what remains must be
// whole.
static bool seconds_to_us(const char *text, size_t len, int64_t *us)
{
	const char *end = text + len, *e = text;
	char shifted[96];
	int power, n;

	while (e < end && *e != 'e' && *e != 'E')
		e++;
	if (e - text > 80 || !small_exponent(e < end ? e + 1 : end, end, &power))
		return false;
	n = snprintf(shifted, sizeof shifted, "%.*se%d", (int)(e - text), text, power + 6);
	return json_number_integral(shifted, (size_t)n, us);
}

static bool convert_timestamp(struct page_text *out, const char *text, size_t len, struct err *err)
{
	int64_t us;

	if (json_number_valid(text, len)) {
		bool whole = memchr(text, '.', len) == NULL && memchr(text, 'E', len) == NULL && memchr(text, 'e', len) == NULL;

		if (!(whole ? json_number_integral(text, len, &us) : seconds_to_us(text, len, &us)))
			return fail_value(err, text, len, "timestamp in whole microseconds; ask for useInt64Timestamp");
	} else if (!civil_parse_rfc3339(text, len, &us, NULL)) {
		return fail_value(err, text, len, "timestamp");
	}
	if (us < CIVIL_MIN_US || us > CIVIL_MAX_US)
		return fail_value(err, text, len, "timestamp of the years 1 to 9999");
	put_int64(out, us);
	return true;
}

static bool convert_bytes(struct page_text *out, const char *text, size_t len, struct buf *scratch, struct err *err)
{
	struct buf bytes = {0}; // the text may lie in scratch
	struct err why;

	if (!crypto_base64_decode(CRYPTO_BASE64, text, len, &bytes, &why)) {
		buf_free(&bytes);
		return why.kind == ERR_INTERNAL ? err_no_memory(err) : fail_value(err, text, len, "base64");
	}
	buf_free(scratch);
	*scratch = bytes;
	out->ptr = bytes.data != NULL ? bytes.data : "";
	out->len = bytes.len;
	return true;
}

bool page_convert(
	struct page_text *out, enum col_type type, const struct json_token *token, struct buf *scratch, struct err *err)
{
	const char *text;
	size_t len;

	if (!token_text(token, scratch, &text, &len, err))
		return false;
	out->ptr = text;
	out->len = len;
	switch (type) {
	case COL_INT64:
		return convert_int64(out, text, len, err);
	case COL_DECIMAL:
		return json_number_valid(text, len) || fail_value(err, text, len, "number");
	case COL_FLOAT64:
		return convert_float64(out, text, len, err);
	case COL_BOOL:
		return convert_bool(out, text, len, err);
	case COL_DATE:
	case COL_TIME:
	case COL_DATETIME:
		return convert_civil(out, type, text, len, err);
	case COL_TIMESTAMP:
		return convert_timestamp(out, text, len, err);
	case COL_JSON:
		return json_validate(text, len, err);
	case COL_BYTES:
		return convert_bytes(out, text, len, scratch, err);
	default:
		return true;
	}
}

bool page_set_scalar(struct rows *rows, struct cell *cell, enum col_type type, const struct json_token *token,
	struct buf *scratch, struct err *err)
{
	struct page_text text;

	return page_convert(&text, type, token, scratch, err) && rows_set(rows, cell, text.ptr, text.len, err);
}

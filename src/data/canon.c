// Canonical forms. Knows nothing of systems, projections or pages.
#include "data/canon.h"

#include <math.h>
#include <string.h>

#include "io/crypto.h"
#include "io/json.h"

void canon_free(struct canon *canon)
{
	buf_free(&canon->a);
	buf_free(&canon->b);
}

static size_t digits_run(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && text[n] >= '0' && text[n] <= '9')
		n++;
	return n;
}

static bool put_integer(struct buf *out, const char *text, size_t len)
{
	const char *digits = text;
	size_t n = len, zeros = 0;

	if (n > 0 && (*digits == '+' || *digits == '-')) {
		digits++;
		n--;
	}
	if (n == 0 || digits_run(digits, n) != n)
		return buf_put(out, text, len);
	while (zeros + 1 < n && digits[zeros] == '0')
		zeros++;
	digits += zeros;
	n -= zeros;
	return (text[0] != '-' || *digits == '0' || buf_putc(out, '-')) && buf_put(out, digits, n);
}

// Append digits with their leading zeros cut to at most one, or a zero when there are none.
static bool put_whole(struct buf *out, const char *digits, size_t n)
{
	while (n > 1 && *digits == '0') {
		digits++;
		n--;
	}
	return n > 0 ? buf_put(out, digits, n) : buf_putc(out, '0');
}

// Databases also spell numbers +1.5, .5, 5. and 007: respell as JSON does. What is no number stays no number.
static bool put_json_spelling(struct buf *out, const char *text, size_t len)
{
	const char *end = text + len;
	size_t whole, fraction = 0;
	bool ok = true;

	if (text < end && (*text == '+' || *text == '-'))
		ok = *text++ == '+' || buf_putc(out, '-');
	whole = digits_run(text, (size_t)(end - text));
	if (text + whole < end && text[whole] == '.')
		fraction = 1 + digits_run(text + whole + 1, (size_t)(end - text) - whole - 1);
	if (whole == 0 && fraction <= 1)
		return ok;
	ok = ok && put_whole(out, text, whole);
	text += whole;
	if (fraction > 1)
		ok = ok && buf_put(out, text, fraction);
	text += fraction;
	return ok && buf_put(out, text, (size_t)(end - text));
}

static bool put_float(struct buf *out, const char *text, size_t len)
{
	char shortest[JSON_DOUBLE_SIZE];
	double value;

	json_number_double(text, len, &value);
	if (isinf(value))
		return buf_puts(out, value < 0 ? "-Infinity" : "Infinity");
	if (value == 0)
		return buf_putc(out, '0');
	return buf_put(out, shortest, json_double_text(value, shortest));
}

// A number that is spelled as JSON spells numbers, or, failing that, `bytes`.
static bool put_number(struct buf *out, enum col_type type, const char *text, size_t len, const struct cell *bytes)
{
	if (!json_number_valid(text, len))
		return buf_put(out, bytes->ptr, bytes->len);
	if (type == COL_FLOAT64)
		return put_float(out, text, len);
	return json_number_canonical(out, text, len);
}

static bool put_respelled(struct buf *out, enum col_type type, const struct cell *cell)
{
	struct buf spelled = {0};
	bool ok = put_json_spelling(&spelled, cell->ptr, cell->len) &&
			  put_number(out, type, spelled.data != NULL ? spelled.data : "", spelled.len, cell);

	buf_free(&spelled);
	return ok;
}

static bool put_json(struct buf *out, const struct cell *cell, struct err *err)
{
	struct err why;

	if (json_canonical(out, cell->ptr, cell->len, NULL, &why))
		return true;
	if (why.kind == ERR_JSON)
		return buf_put(out, cell->ptr, cell->len) || err_no_memory(err);
	if (err != NULL)
		*err = why;
	return false;
}

bool canon_put(struct buf *out, enum col_type type, const struct cell *cell, struct err *err)
{
	bool ok;

	switch (type) {
	case COL_JSON:
		return put_json(out, cell, err);
	case COL_INT64:
	case COL_TIMESTAMP:
		ok = put_integer(out, cell->ptr, cell->len);
		break;
	case COL_DECIMAL:
	case COL_FLOAT64:
		ok = json_number_valid(cell->ptr, cell->len) ? put_number(out, type, cell->ptr, cell->len, cell)
													 : put_respelled(out, type, cell);
		break;
	default:
		ok = buf_put(out, cell->ptr, cell->len);
	}
	return ok || err_no_memory(err);
}

static bool has_spellings(enum col_type type)
{
	return type == COL_JSON || type == COL_DECIMAL || type == COL_FLOAT64 || type == COL_INT64 || type == COL_TIMESTAMP;
}

static bool same_bytes(const char *a, size_t alen, const char *b, size_t blen)
{
	return alen == blen && (alen == 0 || memcmp(a, b, alen) == 0);
}

bool canon_equal(
	struct canon *canon, enum col_type type, const struct cell *a, const struct cell *b, bool *equal, struct err *err)
{
	*equal = a->null == b->null && (a->null || same_bytes(a->ptr, a->len, b->ptr, b->len));
	if (*equal || a->null || b->null || !has_spellings(type))
		return true;
	buf_clear(&canon->a);
	buf_clear(&canon->b);
	if (!canon_put(&canon->a, type, a, err) || !canon_put(&canon->b, type, b, err))
		return false;
	*equal = same_bytes(canon->a.data, canon->a.len, canon->b.data, canon->b.len);
	return true;
}

static bool put_framed(struct buf *out, const char *bytes, size_t len)
{
	return buf_putd(out, (long long)len) && buf_putc(out, ':') && buf_put(out, bytes, len);
}

// The canonical form is made aside, since its length comes first.
bool canon_frame(struct canon *canon, struct buf *out, enum col_type type, const struct cell *cell, struct err *err)
{
	if (cell->null)
		return buf_putc(out, '-') || err_no_memory(err);
	if (!has_spellings(type))
		return put_framed(out, cell->ptr, cell->len) || err_no_memory(err);
	buf_clear(&canon->b);
	if (!canon_put(&canon->b, type, cell, err))
		return false;
	return put_framed(out, canon->b.data, canon->b.len) || err_no_memory(err);
}

bool canon_digest(struct canon *canon, const struct schema *schema, const struct cell *cells,
	unsigned char digest[CANON_DIGEST_SIZE], struct err *err)
{
	buf_clear(&canon->a);
	for (size_t c = 0; c < schema->ncols; c++)
		if (!canon_frame(canon, &canon->a, schema->cols[c].type, &cells[c], err))
			return false;
	return crypto_digest(CRYPTO_SHA256, canon->a.data, canon->a.len, digest, err);
}

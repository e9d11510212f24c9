// Fuzz entry of canonical forms: two values, parted by a newline behind the first byte, which chooses the type. Equal
// values have equal forms, others never: by another judge where there is one (strtod of libc, for numbers it tells
// apart), and a form is its own.
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "data/canon.h"
#include "data/cast.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void put_form(struct buf *out, enum col_type type, const char *text, size_t len)
{
	struct cell cell = {.ptr = text, .len = (uint32_t)len};

	check(buf_put(out, "", 0) && canon_put(out, type, &cell, NULL));
}

// At most 15 digits and no exponent: two such decimals are one double only when they are equal.
static bool is_told_apart(const char *text)
{
	size_t digits = strspn(text, "+-.0123456789") == strlen(text) ? strlen(text) : 99;

	return digits > 0 && digits <= 15;
}

static void check_value(enum col_type type, const char *a, const char *b, bool equal)
{
	double x = strtod(a, NULL), y = strtod(b, NULL);
	bool both = cast_is_form(type, a, strlen(a)) && cast_is_form(type, b, strlen(b));

	if (both && type == COL_FLOAT64 && !isnan(x) && !isnan(y))
		check((x == y) == equal);
	if (both && (type == COL_DECIMAL || type == COL_INT64) && is_told_apart(a) && is_told_apart(b))
		check((x == y) == equal);
}

static void check_pair(enum col_type type, const char *a, size_t alen, const char *b, size_t blen)
{
	struct cell left = {.ptr = a, .len = (uint32_t)alen}, right = {.ptr = b, .len = (uint32_t)blen};
	struct canon canon = {.a = {0}};
	struct buf of_a = {0}, of_b = {0}, again = {0};
	bool equal, same;

	put_form(&of_a, type, a, alen);
	put_form(&of_b, type, b, blen);
	put_form(&again, type, of_a.data, of_a.len);
	check(again.len == of_a.len && memcmp(again.data, of_a.data, of_a.len) == 0);
	same = of_a.len == of_b.len && memcmp(of_a.data, of_b.data, of_a.len) == 0;
	check(canon_equal(&canon, type, &left, &right, &equal, NULL) && equal == same);
	if (strlen(a) == alen && strlen(b) == blen)
		check_value(type, a, b, equal);
	canon_free(&canon);
	buf_free(&of_a);
	buf_free(&of_b);
	buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	char *b;

	check(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	b = size > 1 ? memchr(text + 1, '\n', size - 1) : NULL;
	if (b != NULL) {
		*b++ = '\0';
		check_pair((enum col_type)((unsigned char)text[0] % COL_TYPE_COUNT), text + 1, (size_t)(b - text) - 2, b,
			size - (size_t)(b - text));
	}
	free(text);
	return 0;
}

// JSON numbers as text: exact decimal value, int64, nearest double and the shortest text of a double. Only the last two
// touch floating point, always in the "C" locale whatever setlocale was told.
#include "io/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/c_locale.h"

enum {
	EXPONENT_DIGITS = 17, // written exponents up to here are computed with, longer ones only digit by digit
	DOUBLE_DIGITS = 800,  // more digits than this never change which double is nearest (768 suffice)
	SHORTEST_MAX = 17,    // significant digits that identify any double
	SAFE_DIGITS = 15      // integers of so many digits are doubles
};

// A number token taken apart: the value is the digits of [first, last] (which may hold the point) times 10^exponent.
struct number {
	bool negative;
	const char *first, *last; // the first and the last digit that is not 0
	size_t ndigits;           // 0: the value is zero
	const char *power;        // the digits of a written exponent without leading zeros
	size_t npower;
	bool power_negative;
	int64_t scale;    // exponent of the digit at `last`, the written exponent left out
	int64_t exponent; // the same with it; clamped when npower > EXPONENT_DIGITS
};

static bool is_digit_1_9(char c)
{
	return c >= '1' && c <= '9';
}

static void split_power(struct number *n, const char *p, const char *end)
{
	int64_t value = 0;

	n->power_negative = p < end && *p == '-';
	if (p < end && (*p == '-' || *p == '+'))
		p++;
	while (p < end && *p == '0')
		p++;
	n->power = p;
	n->npower = (size_t)(end - p);
	for (size_t i = 0; i < n->npower && i < EXPONENT_DIGITS; i++)
		value = value * 10 + (p[i] - '0');
	n->exponent = n->scale + (n->power_negative ? -value : value);
}

static void split_number(struct number *n, const char *text, size_t len)
{
	const char *end = text + len, *p = text, *point = NULL, *mantissa_end;

	memset(n, 0, sizeof *n);
	n->negative = *p == '-';
	for (p += n->negative ? 1 : 0; p < end && *p != 'e' && *p != 'E'; p++) {
		if (*p == '.')
			point = p;
		if (!is_digit_1_9(*p))
			continue;
		if (n->first == NULL)
			n->first = p;
		n->last = p;
	}
	if (n->first == NULL) {
		n->negative = false;
		return;
	}
	mantissa_end = p;
	n->ndigits = (size_t)(n->last - n->first) + 1;
	if (point != NULL && point > n->first && point < n->last)
		n->ndigits--;
	if (point == NULL)
		point = mantissa_end;
	n->scale = point > n->last ? point - 1 - n->last : point - n->last;
	split_power(n, p < end ? p + 1 : end, end);
}

// Copy at most `max` of the significant digits; how many.
static size_t copy_digits(const struct number *n, char *out, size_t max)
{
	size_t len = 0;

	for (const char *p = n->first; len < n->ndigits && len < max; p++)
		if (*p != '.')
			out[len++] = *p;
	return len;
}

static bool same_value(const struct number *a, const struct number *b)
{
	char x[SHORTEST_MAX], y[SHORTEST_MAX];
	size_t len;

	if (a->ndigits != b->ndigits || a->ndigits > SHORTEST_MAX || a->negative != b->negative)
		return false;
	if (a->exponent != b->exponent)
		return false;
	len = copy_digits(a, x, sizeof x);
	return copy_digits(b, y, sizeof y) == len && memcmp(x, y, len) == 0;
}

// An exponent too long for int64: add the scale to its decimal digits. The scale is far smaller than the exponent (it
// is bounded by the length of the text), so the sign stays.
static bool put_long_exponent(struct buf *out, const struct number *n)
{
	int64_t carry = n->power_negative ? -n->scale : n->scale;
	char *digits;
	size_t zeros = 0;

	if (!buf_puts(out, n->power_negative ? "e-" : "e") || !buf_reserve(out, n->npower + 1))
		return false;
	digits = out->data + out->len;
	digits[0] = '0';
	memcpy(digits + 1, n->power, n->npower);
	for (size_t i = n->npower + 1; i-- > 0;) {
		int64_t v = digits[i] - '0' + carry;

		carry = v / 10 - (v % 10 < 0 ? 1 : 0);
		digits[i] = (char)('0' + (v - carry * 10));
	}
	while (digits[zeros] == '0')
		zeros++;
	memmove(digits, digits + zeros, n->npower + 1 - zeros);
	out->len += n->npower + 1 - zeros;
	out->data[out->len] = '\0';
	return true;
}

bool json_number_canonical(struct buf *out, const char *text, size_t len)
{
	struct number n;

	split_number(&n, text, len);
	if (n.ndigits == 0)
		return buf_putc(out, '0');
	if ((n.negative && !buf_putc(out, '-')) || !buf_reserve(out, n.ndigits))
		return false;
	out->len += copy_digits(&n, out->data + out->len, n.ndigits);
	out->data[out->len] = '\0';
	if (n.npower > EXPONENT_DIGITS)
		return put_long_exponent(out, &n);
	return n.exponent == 0 || (buf_putc(out, 'e') && buf_putd(out, n.exponent));
}

bool json_number_int64(const char *text, size_t len, int64_t *value)
{
	bool negative = text[0] == '-';
	uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX, sum = 0;

	for (size_t i = negative ? 1 : 0; i < len; i++) {
		uint64_t digit = (uint64_t)(text[i] - '0');

		if (text[i] < '0' || text[i] > '9' || sum > (limit - digit) / 10)
			return false;
		sum = sum * 10 + digit;
	}
	if (negative && sum == 0)
		return false;
	*value = negative ? -(int64_t)(sum - 1) - 1 : (int64_t)sum;
	return true;
}

bool json_number_integral(const char *text, size_t len, int64_t *value)
{
	struct number n;
	char digits[24];
	size_t used = 1;

	if (json_number_int64(text, len, value))
		return true;
	split_number(&n, text, len);
	*value = 0;
	if (n.ndigits == 0)
		return true;
	if (n.ndigits > 19 || n.exponent < 0 || n.exponent > 18 || n.ndigits + (size_t)n.exponent > 19)
		return false;
	digits[0] = '-';
	used += copy_digits(&n, digits + 1, 19);
	memset(digits + used, '0', (size_t)n.exponent);
	used += (size_t)n.exponent;
	return n.negative ? json_number_int64(digits, used, value) : json_number_int64(digits + 1, used - 1, value);
}

static double nearest_double(const struct number *n)
{
	char text[DOUBLE_DIGITS + 32];
	int64_t exponent = n->exponent;
	size_t len;
	locale_t before;
	double value;

	if (n->ndigits == 0)
		return 0.0;
	len = copy_digits(n, text, DOUBLE_DIGITS);
	if (n->ndigits > len) { // a digit that is not 0 stands for all that were left out
		exponent += (int64_t)(n->ndigits - len) - 1;
		text[len++] = '1';
	}
	exponent = exponent > 99999 ? 99999 : exponent < -99999 ? -99999 : exponent;
	snprintf(text + len, sizeof text - len, "e%d", (int)exponent);
	before = c_locale_enter();
	value = strtod(text, NULL);
	uselocale(before);
	return n->negative ? -value : value;
}

// The next decimal of the same length: only the last digit before 'e' counts up. Where it is 9 the next one is shorter
// and was tried before.
static bool bump_last_digit(char *text)
{
	char *last = strchr(text, 'e') - 1;

	if (*last == '9')
		return false;
	(*last)++;
	return true;
}

// The shortest digits of a positive finite double as "d.ddde-01", the nearest to it among equally short ones. Below a
// power of two the doubles lie closer, so there the short text that reads back may be the one above, not the rounded.
// Any decimal of 15 digits is found again in the 15 digits of its double (but for the tiniest), so the search starts
// there and trailing zeros are cut later.
static void shortest_text(double value, char text[JSON_DOUBLE_SIZE])
{
	int exponent;
	bool power_of_two = frexp(value, &exponent) == 0.5;
	int precision = value >= 1e-290 ? SAFE_DIGITS : 1;

	for (; precision <= SHORTEST_MAX; precision++) {
		snprintf(text, JSON_DOUBLE_SIZE, "%.*e", precision - 1, value);
		if (strtod(text, NULL) == value)
			return;
		if (power_of_two && bump_last_digit(text) && strtod(text, NULL) == value)
			return;
	}
}

// Lay out digits with the point behind the n-th, as ECMAScript Number::toString does.
static size_t layout_digits(char *out, const char *digits, int k, int n)
{
	char *p = out;

	if (n > 21 || n < -5) {
		*p++ = digits[0];
		if (k > 1)
			*p++ = '.';
		memcpy(p, digits + 1, (size_t)k - 1);
		p += k - 1;
		return (size_t)(p - out) + (size_t)snprintf(p, 8, "e%+d", n - 1);
	}
	if (n <= 0) {
		*p++ = '0';
		*p++ = '.';
		memset(p, '0', (size_t)-n);
		p += -n;
	}
	for (int i = 0; i < k || i < n; i++) {
		if (i == n && i > 0)
			*p++ = '.';
		*p++ = i < k ? digits[i] : '0';
	}
	*p = '\0';
	return (size_t)(p - out);
}

size_t json_double_text(double value, char out[JSON_DOUBLE_SIZE])
{
	char text[JSON_DOUBLE_SIZE], digits[SHORTEST_MAX] = {0};
	size_t sign = signbit(value) ? 1 : 0;
	struct number n;
	locale_t before;

	out[0] = '-';
	if (value == 0.0) {
		strcpy(out + sign, "0");
		return sign + 1;
	}
	before = c_locale_enter();
	shortest_text(fabs(value), text);
	uselocale(before);
	split_number(&n, text, strlen(text));
	copy_digits(&n, digits, sizeof digits);
	return sign + layout_digits(out + sign, digits, (int)n.ndigits, (int)n.ndigits + (int)n.exponent);
}

bool json_number_double(const char *text, size_t len, double *value)
{
	char spelling[JSON_DOUBLE_SIZE];
	struct number given, kept;

	split_number(&given, text, len);
	*value = nearest_double(&given);
	if (given.ndigits == 0 && text[0] == '-')
		*value = -0.0;
	if (isinf(*value))
		return false;
	len = json_double_text(*value, spelling);
	split_number(&kept, spelling, len);
	return same_value(&given, &kept);
}

bool json_number_is_js_exact(const char *text, size_t len, char spelling[JSON_DOUBLE_SIZE])
{
	int64_t small;
	double value;
	bool exact;

	if (len <= SAFE_DIGITS && json_number_int64(text, len, &small)) {
		memcpy(spelling, text, len);
		spelling[len] = '\0';
		return true;
	}
	exact = json_number_double(text, len, &value);
	if (isinf(value))
		strcpy(spelling, "null");
	else
		json_double_text(value == 0.0 ? 0.0 : value, spelling);
	return exact;
}

// The calendar in integers. Knows no clock and no time zone.
#include "base/civil.h"

#include <stdio.h>
#include <string.h>

static const int64_t day_us = INT64_C(86400000000);

// The year is taken to begin in March, so that the leap day is its last and month lengths follow one formula; eras of
// 400 years repeat exactly (146,097 days).
int64_t civil_to_days(int year, int month, int day)
{
	int64_t y = month > 2 ? year : year - 1;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return era * 146097 + day_of_era - 719468;
}

void civil_from_days(int64_t days, int *year, int *month, int *day)
{
	int64_t shifted = days + 719468;
	int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
	int64_t day_of_era = shifted - era * 146097;
	int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t shifted_month = (5 * day_of_year + 2) / 153;

	*day = (int)(day_of_year - (153 * shifted_month + 2) / 5 + 1);
	*month = (int)(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
	*year = (int)(year_of_era + era * 400 + (*month <= 2 ? 1 : 0));
}

bool civil_date_valid(int year, int month, int day)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1)
		return false;
	return day <= days[month - 1] + (month == 2 && leap ? 1 : 0);
}

int64_t civil_to_us(const struct civil *c)
{
	int64_t seconds =
		civil_to_days(c->year, c->month, c->day) * 86400 + c->hour * INT64_C(3600) + c->min * INT64_C(60) + c->sec;

	return seconds * 1000000 + c->usec;
}

void civil_from_us(int64_t us, struct civil *c)
{
	int64_t days = us / day_us, rest = us % day_us;

	if (rest < 0) {
		days--;
		rest += day_us;
	}
	civil_from_days(days, &c->year, &c->month, &c->day);
	c->usec = (int)(rest % 1000000);
	rest /= 1000000;
	c->hour = (int)(rest / 3600);
	c->min = (int)(rest / 60 % 60);
	c->sec = (int)(rest % 60);
}

// What is being read: the rest of the text, and the whole of it for messages.
struct reader {
	const char *at, *end;
	const char *text;
	size_t len;
	const char *form; // "a date (YYYY-MM-DD)"
	struct err *err;
};

// The text in a message is cut, and bytes that are not plain ASCII are shown as '?'.
static bool refuse(const struct reader *r, const char *why)
{
	char shown[64];
	size_t n = r->len < sizeof shown - 1 ? r->len : sizeof shown - 1;

	for (size_t i = 0; i < n; i++)
		shown[i] = r->text[i] >= ' ' && r->text[i] <= '~' ? r->text[i] : '?';
	shown[n] = '\0';
	return err_set(r->err, ERR_USAGE, NULL, "'%s' is not %s (%s)", shown, r->form, why);
}

static bool read_number(struct reader *r, int digits, int *out)
{
	*out = 0;
	if (r->end - r->at < digits)
		return refuse(r, "it ends too early");
	for (int i = 0; i < digits; i++, r->at++) {
		if (*r->at < '0' || *r->at > '9')
			return refuse(r, "a digit is expected where there is none");
		*out = *out * 10 + (*r->at - '0');
	}
	return true;
}

static bool read_mark(struct reader *r, char mark)
{
	if (r->at == r->end)
		return refuse(r, "it ends too early");
	if (*r->at != mark)
		return refuse(r, "a separator is wrong or missing");
	r->at++;
	return true;
}

static bool read_date(struct reader *r, struct civil *c)
{
	if (!read_number(r, 4, &c->year) || !read_mark(r, '-') || !read_number(r, 2, &c->month) || !read_mark(r, '-') ||
		!read_number(r, 2, &c->day))
		return false;
	return civil_date_valid(c->year, c->month, c->day) || refuse(r, "the calendar has no such day in years 1 to 9999");
}

static bool read_fraction(struct reader *r, struct civil *c)
{
	int digits = 0, scale = 100000;

	for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++, digits++, scale /= 10) {
		if (scale == 0 && *r->at != '0')
			return refuse(r, "finer than a microsecond, and nothing is rounded");
		c->usec += (*r->at - '0') * scale;
	}
	if (digits < 1 || digits > 9)
		return refuse(r, "a fraction has 1 to 9 digits");
	return true;
}

static bool read_time(struct reader *r, struct civil *c)
{
	if (!read_number(r, 2, &c->hour) || !read_mark(r, ':') || !read_number(r, 2, &c->min) || !read_mark(r, ':') ||
		!read_number(r, 2, &c->sec))
		return false;
	if (c->sec == 60)
		return refuse(r, "a leap second cannot be represented");
	if (c->hour > 23 || c->min > 59 || c->sec > 59)
		return refuse(r, "the clock has no such time");
	if (r->at == r->end || *r->at != '.')
		return true;
	r->at++;
	return read_fraction(r, c);
}

static bool read_datetime(struct reader *r, struct civil *c)
{
	if (!read_date(r, c))
		return false;
	if (r->at < r->end && (*r->at == 't' || *r->at == ' '))
		r->at++;
	else if (!read_mark(r, 'T'))
		return false;
	return read_time(r, c);
}

static bool read_end(const struct reader *r)
{
	return r->at == r->end || refuse(r, "something follows it");
}

static void start(struct reader *r, const char *text, size_t len, const char *form, struct civil *out, struct err *err)
{
	*r = (struct reader){.at = text, .end = text + len, .text = text, .len = len, .form = form, .err = err};
	*out = (struct civil){.year = 1, .month = 1, .day = 1};
}

bool civil_parse_date(const char *text, size_t len, struct civil *out, struct err *err)
{
	struct reader r;

	start(&r, text, len, "a date as YYYY-MM-DD", out, err);
	return read_date(&r, out) && read_end(&r);
}

bool civil_parse_time(const char *text, size_t len, struct civil *out, struct err *err)
{
	struct reader r;

	start(&r, text, len, "a time as HH:MM:SS", out, err);
	return read_time(&r, out) && read_end(&r);
}

bool civil_parse_datetime(const char *text, size_t len, struct civil *out, struct err *err)
{
	struct reader r;

	start(&r, text, len, "a datetime as YYYY-MM-DDTHH:MM:SS", out, err);
	return read_datetime(&r, out) && read_end(&r);
}

// Z or +HH:MM or -HH:MM, as microseconds east of UTC.
static bool read_offset(struct reader *r, int64_t *us)
{
	int hours, minutes, sign = 1;

	*us = 0;
	if (r->at == r->end)
		return refuse(r, "the offset is missing: Z or +HH:MM");
	if (*r->at == 'Z' || *r->at == 'z') {
		r->at++;
		return true;
	}
	if (*r->at != '+' && *r->at != '-')
		return refuse(r, "the offset is neither Z nor +HH:MM");
	if (*r->at++ == '-')
		sign = -1;
	if (!read_number(r, 2, &hours) || !read_mark(r, ':') || !read_number(r, 2, &minutes))
		return false;
	if (hours > 23 || minutes > 59)
		return refuse(r, "no such offset");
	*us = sign * (INT64_C(3600) * hours + INT64_C(60) * minutes) * 1000000;
	return true;
}

bool civil_parse_rfc3339(const char *text, size_t len, int64_t *us, struct err *err)
{
	struct civil civil;
	struct reader r;
	int64_t east, value;

	start(&r, text, len, "a timestamp as YYYY-MM-DDTHH:MM:SSZ", &civil, err);
	if (!read_datetime(&r, &civil) || !read_offset(&r, &east) || !read_end(&r))
		return false;
	value = civil_to_us(&civil) - east;
	if (value < CIVIL_MIN_US || value > CIVIL_MAX_US)
		return refuse(&r, "in UTC it lies outside years 1 to 9999");
	*us = value;
	return true;
}

static size_t put_fraction(char *out, size_t at, int usec, int digits)
{
	char all[8];

	if (digits <= 0)
		return at;
	snprintf(all, sizeof all, "%06u", (unsigned)usec % 1000000U);
	out[at++] = '.';
	memcpy(out + at, all, (size_t)digits);
	at += (size_t)digits;
	out[at] = '\0';
	return at;
}

// snprintf with unsigned values of known width, so that the compiler sees that nothing is cut.
static size_t put_date(char *out, const struct civil *c)
{
	return (size_t)snprintf(out, CIVIL_TEXT_SIZE, "%04u-%02u-%02u", (unsigned)c->year % 10000U,
		(unsigned)c->month % 100U, (unsigned)c->day % 100U);
}

static size_t put_time(char *out, const struct civil *c)
{
	return (size_t)snprintf(
		out, 9, "%02u:%02u:%02u", (unsigned)c->hour % 100U, (unsigned)c->min % 100U, (unsigned)c->sec % 100U);
}

size_t civil_format_rfc3339(int64_t us, int digits, char out[static CIVIL_TEXT_SIZE])
{
	struct civil c;
	size_t n;

	civil_from_us(us, &c);
	if (digits == CIVIL_AUTO)
		digits = c.usec == 0 ? 0 : c.usec % 1000 == 0 ? 3 : 6;
	n = put_date(out, &c);
	out[n++] = 'T';
	n += put_time(out + n, &c);
	n = put_fraction(out, n, c.usec, digits > 6 ? 6 : digits);
	out[n++] = 'Z';
	out[n] = '\0';
	return n;
}

size_t civil_format_datetime(const struct civil *c, char out[static CIVIL_TEXT_SIZE])
{
	size_t n = put_date(out, c);

	out[n++] = 'T';
	n += put_time(out + n, c);
	return put_fraction(out, n, c->usec, c->usec != 0 ? 6 : 0);
}

size_t civil_format_time(const struct civil *c, char out[static CIVIL_TEXT_SIZE])
{
	return put_fraction(out, put_time(out, c), c->usec, c->usec != 0 ? 6 : 0);
}

size_t civil_format_date(const struct civil *c, char out[static CIVIL_TEXT_SIZE])
{
	return put_date(out, c);
}

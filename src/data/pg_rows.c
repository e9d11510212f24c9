// COPY's binary stream to cells, and cells to text[] parameters. Knows no server and no Lua.
//
// Formats: "COPY / Binary Format" of the PostgreSQL manual; the types' own forms are their *_send functions'.
#include "data/pg_rows.h"

#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/c_locale.h"
#include "base/civil.h"

#define EPOCH_US INT64_C(946684800000000) // 2000-01-01, Postgres' day 0, in microseconds since 1970
#define DAY_US INT64_C(86400000000)
enum { EPOCH_DAYS = 10957, CYCLE_DAYS = 146097, CYCLE_YEARS = 400, TEXT_SIZE = 64 };
enum { SIGNATURE_LEN = 11, HEADER_LEN = SIGNATURE_LEN + 8, CRITICAL_FLAGS = 0x7fff0000, ARRAY_MAX = 0x3fffff00 };

static const char signature[SIGNATURE_LEN + 1] = "PGCOPY\n\377\r\n\0";

// ---- types ----

enum {
	OID_NAME = 19,
	OID_INT8 = 20,
	OID_INT2 = 21,
	OID_INT4 = 23,
	OID_JSON = 114,
	OID_FLOAT4 = 700,
	OID_FLOAT8 = 701,
	OID_BPCHAR = 1042,
	OID_VARCHAR = 1043,
	OID_DATE = 1082,
	OID_TIME = 1083,
	OID_TIMESTAMP = 1114,
	OID_TIMESTAMPTZ = 1184,
	OID_JSONB = 3802
};

static const struct {
	uint32_t oid;
	const char *name;
} type_names[] = {{PG_TYPE_BOOL, "bool"}, {PG_TYPE_BYTEA, "bytea"}, {18, "char"}, {OID_NAME, "name"},
	{OID_INT8, "int8"}, {OID_INT2, "int2"}, {OID_INT4, "int4"}, {PG_TYPE_TEXT, "text"}, {26, "oid"}, {OID_JSON, "json"},
	{142, "xml"}, {OID_FLOAT4, "float4"}, {OID_FLOAT8, "float8"}, {705, "unknown"}, {PG_TYPE_TEXT_ARRAY, "text[]"},
	{OID_BPCHAR, "bpchar"}, {OID_VARCHAR, "varchar"}, {OID_DATE, "date"}, {OID_TIME, "time"},
	{OID_TIMESTAMP, "timestamp"}, {OID_TIMESTAMPTZ, "timestamptz"}, {1186, "interval"}, {1266, "timetz"},
	{1700, "numeric"}, {2278, "void"}, {2950, "uuid"}, {OID_JSONB, "jsonb"}};

// What each column type of ours can be read from (0 ends the list), and how to say so.
static const struct {
	uint32_t oids[5];
	const char *wanted;
} sources[COL_TYPE_COUNT] = {
	[COL_TEXT] = {{PG_TYPE_TEXT, OID_VARCHAR, OID_BPCHAR, OID_NAME}, "text"},
	[COL_INT64] = {{OID_INT8, OID_INT4, OID_INT2}, "int8"},
	[COL_DECIMAL] = {{PG_TYPE_TEXT, OID_VARCHAR}, "text"},
	[COL_FLOAT64] = {{OID_FLOAT8, OID_FLOAT4}, "float8"},
	[COL_BOOL] = {{PG_TYPE_BOOL}, "bool"},
	[COL_DATE] = {{OID_DATE}, "date"},
	[COL_TIME] = {{OID_TIME}, "time"},
	[COL_DATETIME] = {{OID_TIMESTAMP}, "timestamp"},
	[COL_TIMESTAMP] = {{OID_TIMESTAMPTZ}, "timestamptz"},
	[COL_JSON] = {{OID_JSONB, OID_JSON}, "jsonb"},
	[COL_BYTES] = {{PG_TYPE_BYTEA}, "bytea"},
};

const char *pg_type_name(uint32_t oid)
{
	for (size_t i = 0; i < sizeof type_names / sizeof type_names[0]; i++)
		if (type_names[i].oid == oid)
			return type_names[i].name;
	return NULL;
}

bool pg_column_check(uint32_t oid, enum col_type type, const char *column, struct err *err)
{
	const char *name = pg_type_name(oid);
	char number[32];

	for (const uint32_t *o = sources[type].oids; *o != 0; o++)
		if (*o == oid)
			return true;
	snprintf(number, sizeof number, "type %" PRIu32, oid);
	return err_set(err, ERR_CONFIG, "column_type", "column '%s' cannot be read as %s (it is %s); cast it, as %s::%s",
		column, col_type_name(type), name != NULL ? name : number, column, sources[type].wanted);
}

// ---- numbers in network order ----

static uint32_t get32(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

static uint64_t get64(const char *p)
{
	return (uint64_t)get32(p) << 32 | get32(p + 4);
}

static int get16(const char *p)
{
	int n = (unsigned char)p[0] << 8 | (unsigned char)p[1];

	return n < 0x8000 ? n : n - 0x10000;
}

static int64_t to_signed(uint64_t u)
{
	return u <= INT64_MAX ? (int64_t)u : -(int64_t)(UINT64_MAX - u) - 1;
}

static int32_t to_signed32(uint32_t u)
{
	return u <= INT32_MAX ? (int32_t)u : -(int32_t)(UINT32_MAX - u) - 1;
}

// ---- values to text: each returns the length of the text in out, or -1 when the bytes are not of that type ----

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static int64_t floor_mod(int64_t a, int64_t b)
{
	return a % b + (a % b < 0 ? b : 0);
}

// A day of any year, as Postgres writes it: 2024-02-29, 12024-01-01, 0044-03-15 (with *bc set).
static int put_day(char *out, int64_t days, bool *bc)
{
	int64_t cycle = floor_div(days, CYCLE_DAYS), year;
	int y, month, day;

	// Days since 1970 modulo 400 years lie within civil.h's range.
	civil_from_days(floor_mod(days, CYCLE_DAYS), &y, &month, &day);
	year = y + cycle * CYCLE_YEARS;
	*bc = year < 1;
	return snprintf(out, TEXT_SIZE, "%04" PRId64 "-%02d-%02d", *bc ? 1 - year : year, month, day);
}

static int put_clock(char *out, int64_t us)
{
	int64_t s = us / 1000000;
	int n = snprintf(out, 16, "%02d:%02d:%02d", (int)(s / 3600), (int)(s / 60 % 60), (int)(s % 60));

	if (us % 1000000 != 0)
		n += snprintf(out + n, 16, ".%06d", (int)(us % 1000000));
	return n;
}

static int put_text(char *out, const char *text)
{
	return snprintf(out, TEXT_SIZE, "%s", text);
}

static int text_of_date(char *out, const char *p, uint32_t len)
{
	int32_t days;
	bool bc;
	int n;

	if (len != 4)
		return -1;
	days = to_signed32(get32(p));
	if (days == INT32_MAX || days == INT32_MIN)
		return put_text(out, days > 0 ? "infinity" : "-infinity");
	n = put_day(out, (int64_t)days + EPOCH_DAYS, &bc);
	return bc ? n + put_text(out + n, " BC") : n;
}

static int text_of_time(char *out, const char *p, uint32_t len)
{
	int64_t us = len == 8 ? to_signed(get64(p)) : -1;

	return us < 0 || us > DAY_US ? -1 : put_clock(out, us); // 24:00:00 is legal
}

static int text_of_datetime(char *out, const char *p, uint32_t len)
{
	int64_t us, day;
	bool bc;
	int n;

	if (len != 8)
		return -1;
	us = to_signed(get64(p));
	if (us == INT64_MAX || us == INT64_MIN)
		return put_text(out, us > 0 ? "infinity" : "-infinity");
	day = floor_div(us, DAY_US);
	n = put_day(out, day + EPOCH_DAYS, &bc);
	out[n++] = 'T';
	n += put_clock(out + n, floor_mod(us, DAY_US));
	return bc ? n + put_text(out + n, " BC") : n;
}

static int text_of_timestamp(char *out, const char *p, uint32_t len)
{
	int64_t us;

	if (len != 8)
		return -1;
	us = to_signed(get64(p));
	if (us == INT64_MAX || us == INT64_MIN)
		return put_text(out, us > 0 ? "infinity" : "-infinity");
	if (us > INT64_MAX - EPOCH_US) // year 294247 and later: still the true number, though no int64
		return snprintf(out, TEXT_SIZE, "%" PRIu64, (uint64_t)us + (uint64_t)EPOCH_US);
	return snprintf(out, TEXT_SIZE, "%" PRId64, us + EPOCH_US);
}

static int text_of_int(char *out, const char *p, uint32_t len)
{
	switch (len) {
	case 2:
		return snprintf(out, TEXT_SIZE, "%d", get16(p));
	case 4:
		return snprintf(out, TEXT_SIZE, "%" PRId32, to_signed32(get32(p)));
	case 8:
		return snprintf(out, TEXT_SIZE, "%" PRId64, to_signed(get64(p)));
	default:
		return -1;
	}
}

static int text_of_bool(char *out, const char *p, uint32_t len)
{
	return len != 1 || (unsigned char)p[0] > 1 ? -1 : put_text(out, p[0] != 0 ? "true" : "false");
}

static int text_of_special(char *out, double v)
{
	return put_text(out, isnan(v) ? "NaN" : v > 0 ? "Infinity" : "-Infinity");
}

// %.{n}g of n digits is the nearest number of n digits, its zeros cut: the first that reads back is the shortest. A
// normal number needs at least DBL_DIG digits before any shorter text could differ, a subnormal one does not.
static int text_of_double(char *out, double v)
{
	int n = 0;

	if (!isfinite(v))
		return text_of_special(out, v);
	for (int digits = isnormal(v) ? DBL_DIG : 1; digits <= DBL_DECIMAL_DIG; digits++) {
		n = snprintf(out, TEXT_SIZE, "%.*g", digits, v);
		if (strtod(out, NULL) == v)
			break;
	}
	return n;
}

static int text_of_single(char *out, float v)
{
	int n = 0;

	if (!isfinite(v))
		return text_of_special(out, (double)v);
	for (int digits = isnormal(v) ? FLT_DIG : 1; digits <= FLT_DECIMAL_DIG; digits++) {
		n = snprintf(out, TEXT_SIZE, "%.*g", digits, (double)v);
		if (strtof(out, NULL) == v)
			break;
	}
	return n;
}

// In the "C" locale: the text is data.
static int text_of_float(char *out, const char *p, uint32_t len)
{
	uint64_t u64 = len == 8 ? get64(p) : 0;
	uint32_t u32 = len == 4 ? get32(p) : 0;
	locale_t before = c_locale_enter();
	double d;
	float f;
	int n;

	memcpy(&d, &u64, sizeof d);
	memcpy(&f, &u32, sizeof f);
	n = len == 8 ? text_of_double(out, d) : len == 4 ? text_of_single(out, f) : -1;
	uselocale(before);
	return n;
}

static int text_of(enum col_type type, char *out, const char *p, uint32_t len)
{
	switch (type) {
	case COL_INT64:
		return text_of_int(out, p, len);
	case COL_BOOL:
		return text_of_bool(out, p, len);
	case COL_FLOAT64:
		return text_of_float(out, p, len);
	case COL_DATE:
		return text_of_date(out, p, len);
	case COL_TIME:
		return text_of_time(out, p, len);
	case COL_DATETIME:
		return text_of_datetime(out, p, len);
	case COL_TIMESTAMP:
		return text_of_timestamp(out, p, len);
	default:
		return -1;
	}
}

static bool is_verbatim(enum col_type type)
{
	return type == COL_TEXT || type == COL_DECIMAL || type == COL_JSON || type == COL_BYTES;
}

static bool set_cell(
	struct rows *rows, struct cell *cell, const struct column *column, const char *p, uint32_t len, struct err *err)
{
	char text[TEXT_SIZE * 2];
	int n;

	if (is_verbatim(column->type)) {
		if (column->type == COL_JSON && len > 0 && p[0] == '\1') { // jsonb's version; no JSON text begins with it
			p++;
			len--;
		}
		return rows_set(rows, cell, p, len, err);
	}
	n = text_of(column->type, text, p, len);
	if (n < 0)
		return err_set(err, ERR_POSTGRES, "protocol",
			"column '%s' cannot be read as %s (%" PRIu32 " bytes that are not of that type); cast it to its type",
			column->name, col_type_name(column->type), len);
	return rows_set(rows, cell, text, (size_t)n, err);
}

// ---- the stream ----

static bool malformed(const struct pg_decoder *d, const char *what, struct err *err)
{
	return err_set(err, ERR_POSTGRES, "protocol",
		"the COPY stream is broken after %zu rows (%s); this is not what a Postgres server sends", d->tuples, what);
}

// The length of the whole tuple at p, 0 when its rest has not come, SIZE_MAX when it cannot be one.
static size_t tuple_length(const char *p, size_t len)
{
	size_t at = 2;
	int fields;

	if (len < at)
		return 0;
	fields = get16(p);
	for (int i = 0; i < fields; i++) {
		int32_t n;

		if (len - at < 4)
			return 0;
		n = to_signed32(get32(p + at));
		at += 4;
		if (n < -1)
			return SIZE_MAX;
		if (n > 0 && len - at < (size_t)n)
			return 0;
		at += n > 0 ? (size_t)n : 0;
	}
	return at;
}

static bool decode_tuple(struct pg_decoder *d, const char *p, struct rows *rows, struct err *err)
{
	const struct schema *schema = rows->schema;
	int fields = get16(p);
	struct cell *cells;

	if (fields < 0 || (size_t)fields != schema->ncols)
		return err_set(err, ERR_CONFIG, "columns", "the query has %d columns, the schema %zu; make them the same",
			fields, schema->ncols);
	cells = rows_add(rows, err);
	if (cells == NULL)
		return false;
	p += 2;
	for (size_t i = 0; i < schema->ncols; i++) {
		int32_t n = to_signed32(get32(p));

		p += 4;
		if (n < 0)
			continue;
		if (!set_cell(rows, &cells[i], &schema->cols[i], p, (uint32_t)n, err))
			return false;
		p += n;
	}
	d->tuples++;
	return true;
}

// Consume the header: *used is its length, 0 when its rest has not come.
static bool read_header(struct pg_decoder *d, const char *p, size_t len, size_t *used, struct err *err)
{
	uint32_t extension;

	*used = 0;
	if (memcmp(p, signature, len < SIGNATURE_LEN ? len : SIGNATURE_LEN) != 0)
		return malformed(d, "no PGCOPY signature", err);
	if (len < HEADER_LEN)
		return true;
	if ((get32(p + SIGNATURE_LEN) & CRITICAL_FLAGS) != 0 || get32(p + SIGNATURE_LEN) > INT32_MAX)
		return malformed(d, "unknown header flags", err);
	extension = get32(p + SIGNATURE_LEN + 4);
	if (extension > INT32_MAX)
		return malformed(d, "negative header length", err);
	if (len - HEADER_LEN < extension)
		return true;
	*used = HEADER_LEN + extension;
	d->header = true;
	return true;
}

// Consume one tuple or the trailer: *used as above.
static bool read_tuple(
	struct pg_decoder *d, const char *p, size_t len, size_t *used, struct rows *rows, struct err *err)
{
	*used = 0;
	if (d->trailer)
		return malformed(d, "bytes behind the trailer", err);
	if (len >= 2 && get16(p) == -1) {
		d->trailer = true;
		*used = 2;
		return true;
	}
	if (len >= 2 && get16(p) < 0)
		return malformed(d, "negative column count", err);
	*used = tuple_length(p, len);
	if (*used == SIZE_MAX)
		return malformed(d, "negative length", err);
	return *used == 0 || decode_tuple(d, p, rows, err);
}

// Consume as much as is whole. *used is how much that was.
static bool consume(
	struct pg_decoder *d, const char *data, size_t len, size_t *used, struct rows *rows, struct err *err)
{
	size_t n = 0;

	*used = 0;
	while (*used < len) {
		const char *p = data + *used;
		bool ok = d->header ? read_tuple(d, p, len - *used, &n, rows, err) : read_header(d, p, len - *used, &n, err);

		if (!ok)
			return false;
		if (n == 0)
			return true;
		*used += n;
	}
	return true;
}

bool pg_decoder_feed(struct pg_decoder *d, const char *data, size_t len, struct rows *rows, struct err *err)
{
	size_t used;

	if (d->pending.len > 0) {
		if (!buf_put(&d->pending, data, len))
			return err_no_memory(err);
		if (!consume(d, d->pending.data, d->pending.len, &used, rows, err))
			return false;
		buf_shift(&d->pending, used);
		return true;
	}
	if (!consume(d, data, len, &used, rows, err))
		return false;
	return buf_put(&d->pending, data + used, len - used) || err_no_memory(err);
}

bool pg_decoder_finish(const struct pg_decoder *d, struct err *err)
{
	if (d->pending.len > 0)
		return malformed(d, "it ends inside a row", err);
	return d->trailer || malformed(d, "it ends without a trailer", err);
}

void pg_decoder_free(struct pg_decoder *d)
{
	buf_free(&d->pending);
}

// ---- arrays ----

enum { ARRAY_HAS_NULL_AT = 4 };

static bool put32(struct buf *out, uint32_t n)
{
	const unsigned char bytes[4] = {
		(unsigned char)(n >> 24), (unsigned char)(n >> 16), (unsigned char)(n >> 8), (unsigned char)n};

	return buf_put(out, bytes, sizeof bytes);
}

bool pg_array_begin(struct buf *out, size_t n, struct err *err)
{
	bool ok;

	if (n > ARRAY_MAX / 4)
		return err_set(err, ERR_LIMIT, NULL, "an array of %zu elements is more than Postgres takes", n);
	buf_clear(out);
	ok = put32(out, n > 0) && put32(out, 0) && put32(out, PG_TYPE_TEXT); // dimensions, has NULLs, element type
	if (ok && n > 0)
		ok = put32(out, (uint32_t)n) && put32(out, 1); // length, lower bound
	return ok || err_no_memory(err);
}

bool pg_array_put(struct buf *out, const char *data, size_t len, struct err *err)
{
	if (data == NULL) {
		out->data[ARRAY_HAS_NULL_AT + 3] = 1;
		return put32(out, UINT32_MAX) || err_no_memory(err);
	}
	if (len > ARRAY_MAX || out->len + len > ARRAY_MAX)
		return err_set(
			err, ERR_LIMIT, NULL, "an array of more than 1 GiB is more than Postgres takes; write fewer rows");
	return (put32(out, (uint32_t)len) && buf_put(out, data, len)) || err_no_memory(err);
}

static bool put_length_at(struct buf *out, size_t at)
{
	size_t len = out->len - at - 4;

	out->data[at] = (char)(len >> 24);
	out->data[at + 1] = (char)(len >> 16);
	out->data[at + 2] = (char)(len >> 8);
	out->data[at + 3] = (char)len;
	return out->len <= ARRAY_MAX;
}

static bool put_hex(struct buf *out, const struct cell *cell, struct err *err)
{
	static const char digits[] = "0123456789abcdef";
	size_t at = out->len;

	if (cell->len > ARRAY_MAX / 2)
		return err_set(err, ERR_LIMIT, NULL, "bytes of more than 512 MiB are more than Postgres takes");
	if (!put32(out, 0) || !buf_puts(out, "\\x") || !buf_reserve(out, (size_t)cell->len * 2))
		return err_no_memory(err);
	for (size_t i = 0; i < cell->len; i++) {
		unsigned char c = (unsigned char)cell->ptr[i];

		buf_putc(out, digits[c >> 4]); // reserved above
		buf_putc(out, digits[c & 15]);
	}
	return put_length_at(out, at) || err_set(err, ERR_LIMIT, NULL, "an array of more than 1 GiB; write fewer rows");
}

// Microseconds since 1970 as "2026-01-02 03:04:05.123456+00", which ::timestamptz reads exactly in every time zone.
static bool put_timestamp(struct buf *out, const struct cell *cell, const char *column, struct err *err)
{
	char text[TEXT_SIZE], *end;
	int64_t us, day;
	bool bc;
	int n;

	if (cell->len > 0 && cell->ptr[cell->len - 1] == 'y') // infinity, -infinity
		return pg_array_put(out, cell->ptr, cell->len, err);
	snprintf(text, sizeof text, "%.*s", (int)(cell->len < sizeof text ? cell->len : sizeof text - 1), cell->ptr);
	errno = 0;
	us = strtoll(text, &end, 10);
	if (errno != 0 || end == text || (size_t)(end - text) != cell->len)
		return err_set(err, ERR_CONFIG, "timestamp",
			"column '%s' holds a timestamp that is no count of microseconds in 64 bits ('%s')", column, text);
	day = floor_div(us, DAY_US);
	n = put_day(text, day, &bc);
	text[n++] = ' ';
	n += put_clock(text + n, floor_mod(us, DAY_US));
	n += put_text(text + n, bc ? "+00 BC" : "+00");
	return pg_array_put(out, text, (size_t)n, err);
}

static bool put_cell(struct buf *out, const struct cell *cell, const struct column *column, struct err *err)
{
	if (cell->null)
		return pg_array_put(out, NULL, 0, err);
	if (column->type == COL_TIMESTAMP)
		return put_timestamp(out, cell, column->name, err);
	if (column->type == COL_BYTES)
		return put_hex(out, cell, err);
	return pg_array_put(out, cell->len > 0 ? cell->ptr : "", cell->len, err);
}

bool pg_array_of_column(struct buf *out, const struct rows *rows, size_t c, size_t from, size_t to, struct err *err)
{
	if (!pg_array_begin(out, to - from, err))
		return false;
	for (size_t i = from; i < to; i++)
		if (!put_cell(out, &rows_at(rows, i)[c], &rows->schema->cols[c], err))
			return false;
	return true;
}

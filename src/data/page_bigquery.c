// Reading BigQuery's rows: {"f":[{"v":X},…]}, positional by the schema. The scalars' text forms are page_cell.c's.
// Knows nothing of jobs, tokens or HTTP.
#include "data/page.h"

#include <stdlib.h>
#include <string.h>

#include "base/civil.h"
#include "data/page_cell.h"

enum { NESTING_MAX = 20 }; // BigQuery allows 15

struct field {
	char *name;
	struct buf key;     // "name": as JSON, for objects
	enum col_type type; // of one element
	bool record, repeated;
	struct field *fields; // of a record
	size_t n;
};

struct bigquery_fields {
	struct field *fields;
	size_t n;
	struct schema *schema;
};

struct answer {
	struct json_reader reader;
	const struct bigquery_fields *fields;
	struct rows *rows;
	struct page_extras *extras;
	struct buf scratch, json;
	bool found;
};

static const struct {
	const char *name;
	enum col_type type;
} bigquery_types[] = {
	{"STRING", COL_TEXT}, {"INTEGER", COL_INT64}, {"INT64", COL_INT64}, {"FLOAT", COL_FLOAT64},
	{"FLOAT64", COL_FLOAT64}, {"NUMERIC", COL_DECIMAL}, {"BIGNUMERIC", COL_DECIMAL}, {"BOOLEAN", COL_BOOL},
	{"BOOL", COL_BOOL}, {"TIMESTAMP", COL_TIMESTAMP}, {"DATE", COL_DATE}, {"TIME", COL_TIME},
	{"DATETIME", COL_DATETIME}, {"JSON", COL_JSON}, {"BYTES", COL_BYTES}, {"GEOGRAPHY", COL_TEXT}, // WKT
	{"INTERVAL", COL_TEXT},                                                                        // Y-M D H:M:S.F
	{"RANGE", COL_TEXT},                                                                           // [a, b)
};

static bool is_text(const struct json_token *token, const char *text)
{
	return token->len == strlen(text) && memcmp(token->text, text, token->len) == 0;
}

// ---- the schema

static void free_fields(struct field *fields, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free_fields(fields[i].fields, fields[i].n);
		free(fields[i].name);
		buf_free(&fields[i].key);
	}
	free(fields);
}

static bool parse_fields(
	struct json_reader *r, struct field **fields, size_t *n, const char *parent, unsigned depth, struct err *err);

static bool copy_name(struct field *f, const struct json_token *token, struct err *err)
{
	if (token->type != JSON_STRING)
		return page_wrong_shape(err, token->type, "the name of a column");
	free(f->name);
	f->name = calloc(1, token->len + 1);
	if (f->name == NULL)
		return err_no_memory(err);
	json_unescape(f->name, token->text, token->len);
	buf_clear(&f->key);
	return json_put_string(&f->key, f->name, strlen(f->name), err) && (buf_putc(&f->key, ':') || err_no_memory(err));
}

static bool set_type(struct field *f, const struct json_token *token)
{
	f->record = is_text(token, "RECORD") || is_text(token, "STRUCT");
	for (size_t i = 0; i < sizeof bigquery_types / sizeof bigquery_types[0]; i++) {
		if (is_text(token, bigquery_types[i].name)) {
			f->type = bigquery_types[i].type;
			return true;
		}
	}
	return f->record;
}

// One member of a field's description. The inner fields may come before the name, so what they complain about is named
// by the parser of the outer list.
static bool parse_member(struct json_reader *r, struct field *f, struct json_token *type, const struct json_token *key,
	const struct json_token *value, unsigned depth, struct err *err)
{
	if (is_text(key, "name"))
		return copy_name(f, value, err);
	if (is_text(key, "type") && value->type == JSON_STRING) {
		*type = *value;
		return true;
	}
	if (is_text(key, "mode") && value->type == JSON_STRING) {
		f->repeated = is_text(value, "REPEATED");
		return true;
	}
	if (is_text(key, "fields") && value->type == JSON_ARRAY && f->fields == NULL)
		return parse_fields(r, &f->fields, &f->n, f->name, depth + 1, err);
	return json_finish(r, value, NULL, NULL, err);
}

static bool parse_field(struct json_reader *r, struct field *f, const char *parent, unsigned depth, struct err *err)
{
	struct json_token key, value, type = {.type = JSON_NULL, .text = "", .len = 0};

	for (;;) {
		if (!json_next(r, &key, err))
			return false;
		if (key.type == JSON_OBJECT_END)
			break;
		if (!json_next(r, &value, err) || !parse_member(r, f, &type, &key, &value, depth, err))
			return false;
	}
	if (f->name == NULL)
		return err_set(err, ERR_JSON, "shape", "a field of the bigquery schema%s%s has no name",
			parent != NULL ? " inside " : "", parent != NULL ? parent : "");
	if (!set_type(f, &type))
		return err_set(err, ERR_JSON, "bigquery_type", "the bigquery column '%.200s' has the unknown type '%.*s'",
			f->name, (int)(type.len > 40 ? 40 : type.len), type.text);
	if (f->record && f->n == 0)
		return err_set(err, ERR_JSON, "shape", "the bigquery column '%.200s' is a record without fields", f->name);
	return true;
}

static bool check_twice(const struct field *fields, size_t n, struct err *err)
{
	for (size_t i = 0; i + 1 < n; i++)
		if (strcmp(fields[i].name, fields[n - 1].name) == 0)
			return err_set(err, ERR_JSON, "duplicate_column",
				"the bigquery schema names '%.200s' twice; give one of the columns an alias", fields[i].name);
	return true;
}

// The fields up to the end of the array whose beginning was just read.
static bool parse_fields(
	struct json_reader *r, struct field **fields, size_t *n, const char *parent, unsigned depth, struct err *err)
{
	struct json_token token;

	if (depth > NESTING_MAX)
		return err_set(err, ERR_JSON, "depth", "the bigquery schema nests records deeper than %d", (int)NESTING_MAX);
	for (;;) {
		struct field *grown;

		if (!json_next(r, &token, err))
			return false;
		if (token.type == JSON_ARRAY_END)
			return true;
		if (token.type != JSON_OBJECT)
			return page_wrong_shape(err, token.type, "a field of a bigquery schema");
		grown = realloc(*fields, (*n + 1) * sizeof *grown);
		if (grown == NULL)
			return err_no_memory(err);
		*fields = grown;
		memset(&grown[*n], 0, sizeof *grown);
		++*n;
		if (!parse_field(r, &grown[*n - 1], parent, depth, err) || !check_twice(grown, *n, err))
			return false;
	}
}

static struct schema *make_schema(const struct field *fields, size_t n, struct err *err)
{
	const char **names = malloc((n + 1) * sizeof *names);
	enum col_type *types = malloc((n + 1) * sizeof *types);
	struct schema *schema = NULL;

	if (names != NULL && types != NULL) {
		for (size_t i = 0; i < n; i++) {
			names[i] = fields[i].name;
			types[i] = fields[i].record || fields[i].repeated ? COL_JSON : fields[i].type;
		}
		schema = schema_new(n, names, types, err);
	} else {
		err_no_memory(err);
	}
	free(names);
	free(types);
	return schema;
}

struct bigquery_fields *bigquery_fields_parse(const char *json, size_t len, struct err *err)
{
	struct bigquery_fields *b = calloc(1, sizeof *b);
	struct json_reader r;
	struct json_token token;
	bool ok;

	if (b == NULL) {
		err_no_memory(err);
		return NULL;
	}
	json_reader_init(&r, json, len);
	ok = json_next(&r, &token, err);
	if (ok && token.type != JSON_ARRAY)
		ok = page_wrong_shape(err, token.type, "the fields of a bigquery schema");
	ok = ok && parse_fields(&r, &b->fields, &b->n, NULL, 1, err) && json_next(&r, &token, err);
	if (ok)
		b->schema = make_schema(b->fields, b->n, err);
	if (b->schema == NULL) {
		bigquery_fields_free(b);
		return NULL;
	}
	return b;
}

void bigquery_fields_free(struct bigquery_fields *fields)
{
	if (fields == NULL)
		return;
	free_fields(fields->fields, fields->n);
	schema_unref(fields->schema);
	free(fields);
}

struct schema *bigquery_fields_schema(const struct bigquery_fields *fields)
{
	return fields->schema;
}

// ---- the rows

void page_extras_free(struct page_extras *extras)
{
	free(extras->items);
	*extras = (struct page_extras){0};
}

static bool expect(struct answer *a, struct json_token *token, enum json_type type, struct err *err)
{
	if (!json_next(&a->reader, token, err))
		return false;
	return token->type == type || page_wrong_shape(err, token->type, json_type_name(type));
}

// Read on, behind the beginning of an object, to the value of the member of that name; other members are skipped.
static bool enter_member(struct answer *a, const char *name, struct json_token *value, struct err *err)
{
	struct json_token key;

	for (;;) {
		if (!json_next(&a->reader, &key, err))
			return false;
		if (key.type == JSON_OBJECT_END)
			return err_set(err, ERR_JSON, "shape", "an object without the member '%s'", name);
		if (!json_next(&a->reader, value, err))
			return false;
		if (is_text(&key, name))
			return true;
		if (!json_finish(&a->reader, value, NULL, NULL, err))
			return false;
	}
}

// Behind a member that was entered: the rest of its object must not hold it again.
static bool leave_member(struct answer *a, const char *name, struct err *err)
{
	struct json_token token;

	for (;;) {
		if (!json_next(&a->reader, &token, err))
			return false;
		if (token.type == JSON_OBJECT_END)
			return true;
		if (is_text(&token, name))
			return err_set(err, ERR_JSON, "shape", "an object with the member '%s' twice", name);
		if (!json_next(&a->reader, &token, err) || !json_finish(&a->reader, &token, NULL, NULL, err))
			return false;
	}
}

static bool put_value(struct answer *a, const struct field *f, const struct json_token *value, struct err *err);

static bool put_timestamp(struct buf *out, const struct page_text *text, struct err *err)
{
	char iso[CIVIL_TEXT_SIZE];
	int64_t us;

	return json_number_int64(text->ptr, text->len, &us) &&
		   json_put_string(out, iso, civil_format_rfc3339(us, 6, iso), err);
}

static bool put_scalar(struct answer *a, const struct field *f, const struct json_token *value, struct err *err)
{
	enum col_type type = f->type == COL_BYTES ? COL_TEXT : f->type;
	struct page_text text;
	bool bare;

	if (value->type == JSON_OBJECT || value->type == JSON_ARRAY)
		return page_wrong_shape(err, value->type, col_type_name(f->type));
	if (!page_convert(&text, type, value, &a->scratch, err))
		return false;
	if (type == COL_TIMESTAMP)
		return put_timestamp(&a->json, &text, err);
	bare = type == COL_INT64 || type == COL_DECIMAL || type == COL_BOOL || type == COL_JSON ||
		   (type == COL_FLOAT64 && json_number_valid(text.ptr, text.len));
	if (!bare)
		return json_put_string(&a->json, text.ptr, text.len, err);
	return buf_put(&a->json, text.ptr, text.len) || err_no_memory(err);
}

static bool put_record(struct answer *a, const struct field *f, const struct json_token *value, struct err *err)
{
	struct json_token token;
	bool ok = true;

	if (value->type != JSON_OBJECT)
		return page_wrong_shape(err, value->type, "a record");
	if (!enter_member(a, "f", &token, err))
		return false;
	if (token.type != JSON_ARRAY)
		return page_wrong_shape(err, token.type, "an array of values");
	for (size_t i = 0; i < f->n; i++) {
		ok = ok && buf_putc(&a->json, i == 0 ? '{' : ',') &&
			 buf_put(&a->json, f->fields[i].key.data, f->fields[i].key.len);
		if (!ok)
			return err_no_memory(err);
		if (!expect(a, &token, JSON_OBJECT, err) || !enter_member(a, "v", &token, err) ||
			!put_value(a, &f->fields[i], &token, err) || !leave_member(a, "v", err))
			return false;
	}
	return expect(a, &token, JSON_ARRAY_END, err) && leave_member(a, "f", err) &&
		   (buf_putc(&a->json, '}') || err_no_memory(err));
}

static bool put_single(struct answer *a, const struct field *f, const struct json_token *value, struct err *err)
{
	if (value->type == JSON_NULL)
		return buf_puts(&a->json, "null") || err_no_memory(err);
	return f->record ? put_record(a, f, value, err) : put_scalar(a, f, value, err);
}

static bool put_repeated(struct answer *a, const struct field *f, const struct json_token *value, struct err *err)
{
	struct json_token token;

	if (value->type != JSON_ARRAY)
		return page_wrong_shape(err, value->type, "an array");
	if (!buf_putc(&a->json, '['))
		return err_no_memory(err);
	for (size_t i = 0;; i++) {
		if (!json_next(&a->reader, &token, err))
			return false;
		if (token.type == JSON_ARRAY_END)
			return buf_putc(&a->json, ']') || err_no_memory(err);
		if (token.type != JSON_OBJECT)
			return page_wrong_shape(err, token.type, "an object");
		if (i > 0 && !buf_putc(&a->json, ','))
			return err_no_memory(err);
		if (!enter_member(a, "v", &token, err) || !put_single(a, f, &token, err) || !leave_member(a, "v", err))
			return false;
	}
}

static bool put_value(struct answer *a, const struct field *f, const struct json_token *value, struct err *err)
{
	if (f->repeated && value->type != JSON_NULL)
		return put_repeated(a, f, value, err);
	return put_single(a, f, value, err);
}

static bool set_cell(
	struct answer *a, const struct field *f, struct cell *cell, const struct json_token *value, struct err *err)
{
	if (value->type == JSON_NULL)
		return true;
	if (f->record || f->repeated) {
		buf_clear(&a->json);
		return put_value(a, f, value, err) && rows_set(a->rows, cell, a->json.data, a->json.len, err);
	}
	if (value->type == JSON_OBJECT || value->type == JSON_ARRAY)
		return page_wrong_shape(err, value->type, col_type_name(f->type));
	return page_set_scalar(a->rows, cell, f->type, value, &a->scratch, err);
}

static bool read_cells(struct answer *a, struct cell *cells, struct err *err)
{
	struct json_token token;

	for (size_t i = 0; i < a->fields->n; i++) {
		const struct field *f = &a->fields->fields[i];

		if (!expect(a, &token, JSON_OBJECT, err) || !enter_member(a, "v", &token, err) ||
			!set_cell(a, f, &cells[i], &token, err) || !leave_member(a, "v", err))
			return page_fail(err, f->name, strlen(f->name), a->rows->n);
	}
	return expect(a, &token, JSON_ARRAY_END, err) || page_fail(err, "f", 1, a->rows->n);
}

static bool read_row(struct answer *a, const struct json_token *row, struct err *err)
{
	struct json_token token;
	struct cell *cells = rows_add(a->rows, err);
	bool ok;

	if (cells == NULL)
		return false;
	ok = row->type == JSON_OBJECT || page_wrong_shape(err, row->type, "a row");
	ok = ok && enter_member(a, "f", &token, err);
	if (ok && token.type != JSON_ARRAY)
		ok = page_wrong_shape(err, token.type, "an array of values");
	if (!ok)
		return page_fail(err, "f", 1, a->rows->n);
	return read_cells(a, cells, err) && (leave_member(a, "f", err) || page_fail(err, "f", 1, a->rows->n));
}

static bool read_rows(struct answer *a, const struct json_token *value, struct err *err)
{
	struct json_token row;

	if (a->found)
		return err_set(err, ERR_JSON, "shape", "the answer has 'rows' twice");
	a->found = true;
	if (value->type == JSON_NULL)
		return true;
	if (value->type != JSON_ARRAY) {
		page_wrong_shape(err, value->type, "an array");
		return page_fail(err, "rows", 4, 0);
	}
	for (;;) {
		if (!json_next(&a->reader, &row, err))
			return false;
		if (row.type == JSON_ARRAY_END)
			return true;
		if (!read_row(a, &row, err))
			return false;
	}
}

static bool add_extra(struct page_extras *e, const struct json_token *key, const char *text, size_t len)
{
	if (e->n == e->cap) {
		size_t cap = e->cap == 0 ? 16 : e->cap * 2;
		struct page_value *grown = realloc(e->items, cap * sizeof *grown);

		if (grown == NULL)
			return false;
		e->items = grown;
		e->cap = cap;
	}
	e->items[e->n++] = (struct page_value){.name = key->text, .name_len = key->len, .text = text, .len = len};
	return true;
}

static bool read_member(struct answer *a, const struct json_token *key, struct err *err)
{
	struct json_token value;
	const char *text;
	size_t len;

	if (!json_next(&a->reader, &value, err))
		return false;
	if (is_text(key, "rows"))
		return read_rows(a, &value, err);
	if (!json_finish(&a->reader, &value, &text, &len, err))
		return false;
	if (value.type == JSON_OBJECT || value.type == JSON_ARRAY || value.type == JSON_NULL || key->escaped)
		return true;
	return add_extra(a->extras, key, text, len) || err_no_memory(err);
}

static bool read_answer(struct answer *a, struct err *err)
{
	struct json_token token;

	if (!json_next(&a->reader, &token, err))
		return false;
	if (token.type != JSON_OBJECT) {
		page_wrong_shape(err, token.type, "an object");
		return page_fail(err, "the bigquery answer", 19, 0);
	}
	for (;;) {
		if (!json_next(&a->reader, &token, err))
			return false;
		if (token.type == JSON_OBJECT_END)
			return json_next(&a->reader, &token, err);
		if (!read_member(a, &token, err))
			return false;
	}
}

bool page_read_bigquery(const struct bigquery_fields *fields, const char *text, size_t len, struct rows *rows,
	struct page_extras *extras, struct err *err)
{
	struct answer a = {.fields = fields, .rows = rows, .extras = extras};
	bool ok;

	json_reader_init(&a.reader, text, len);
	ok = read_answer(&a, err);
	buf_free(&a.scratch);
	buf_free(&a.json);
	return ok;
}

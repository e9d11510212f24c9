// The JSON encoder of rows. The template is flattened to a list of literals, each followed by one cell. Knows nothing
// of systems or requests.
#include "data/encode.h"

#include <stdlib.h>
#include <string.h>

#include "base/civil.h"
#include "io/crypto.h"
#include "io/json.h"

struct part {
	size_t literal, len; // in encoder.literals; comes before the cell
	char *column;        // NULL for the last part, which has no cell
	enum encode_as as;
	size_t index; // of the column in the bound schema
	enum encode_as how;
};

struct encoder {
	struct buf literals;
	struct part *parts;
	size_t nparts;
	struct schema *bound; // whose column indices the parts hold
};

// One member while compiling.
struct member {
	const char *name;
	size_t len;
	struct member *child, *next;
	const struct encode_field *field; // of a leaf
};

static const char *const as_names[] = {
	[ENCODE_AUTO] = "auto",
	[ENCODE_STRING] = "string",
	[ENCODE_NUMBER] = "number",
	[ENCODE_BOOL] = "bool",
	[ENCODE_JSON] = "json",
	[ENCODE_TIMESTAMP_MS] = "timestamp_ms",
	[ENCODE_TIMESTAMP_US] = "timestamp_us",
};

enum encode_as encode_as_of(const char *name)
{
	int as = 0;

	while (as < ENCODE_AS_COUNT && strcmp(as_names[as], name) != 0)
		as++;
	return (enum encode_as)as;
}

// ---- compiling

static void free_members(struct member *m)
{
	while (m != NULL) {
		struct member *next = m->next;

		free_members(m->child);
		free(m);
		m = next;
	}
}

// The member of that name, made at the end when missing; NULL when memory runs out.
static struct member *get_member(struct member **list, const char *name, size_t len)
{
	while (*list != NULL && ((*list)->len != len || memcmp((*list)->name, name, len) != 0))
		list = &(*list)->next;
	if (*list == NULL) {
		*list = calloc(1, sizeof **list);
		if (*list == NULL)
			return NULL;
		(*list)->name = name;
		(*list)->len = len;
	}
	return *list;
}

static bool add_field(struct member **list, const struct encode_field *field, struct err *err)
{
	const char *p = field->path;
	struct member *m = NULL;

	if (field->column == NULL && !json_validate(field->constant, field->constant_len, NULL))
		return err_set(err, ERR_USAGE, NULL, "the constant at the path '%s' is not json", p);
	for (;; p++) {
		size_t len = strcspn(p, ".");

		if (len == 0)
			return err_set(err, ERR_USAGE, NULL, "'%s' is not a path (a name in it is empty)", field->path);
		m = get_member(list, p, len);
		if (m == NULL)
			return err_no_memory(err);
		list = &m->child;
		p += len;
		if (*p == '\0')
			break;
		if (m->field != NULL)
			break;
	}
	if (m->field != NULL || m->child != NULL)
		return err_set(err, ERR_USAGE, NULL, "the path '%s' is given twice, or leads through another one", field->path);
	m->field = field;
	return true;
}

// End the literal that is being written: a cell of this column follows it.
static bool add_part(struct encoder *e, const char *column, enum encode_as as, struct err *err)
{
	struct part *grown = realloc(e->parts, (e->nparts + 1) * sizeof *grown), *part;

	if (grown == NULL)
		return err_no_memory(err);
	e->parts = grown;
	part = &grown[e->nparts];
	memset(part, 0, sizeof *part);
	part->literal = e->nparts > 0 ? part[-1].literal + part[-1].len : 0;
	part->len = e->literals.len - part->literal;
	part->as = as;
	if (column != NULL) {
		part->column = malloc(strlen(column) + 1);
		if (part->column == NULL)
			return err_no_memory(err);
		strcpy(part->column, column);
	}
	e->nparts++;
	return true;
}

static bool compile_members(struct encoder *e, const struct member *m, struct err *err);

static bool compile_member(struct encoder *e, const struct member *m, struct err *err)
{
	if (!json_put_string(&e->literals, m->name, m->len, err))
		return false;
	if (!buf_putc(&e->literals, ':'))
		return err_no_memory(err);
	if (m->field == NULL)
		return compile_members(e, m->child, err);
	if (m->field->column != NULL)
		return add_part(e, m->field->column, m->field->as, err);
	return buf_put(&e->literals, m->field->constant, m->field->constant_len) || err_no_memory(err);
}

static bool compile_members(struct encoder *e, const struct member *m, struct err *err)
{
	if (!buf_putc(&e->literals, '{'))
		return err_no_memory(err);
	for (; m != NULL; m = m->next) {
		if (!compile_member(e, m, err))
			return false;
		if (m->next != NULL && !buf_putc(&e->literals, ','))
			return err_no_memory(err);
	}
	return buf_putc(&e->literals, '}') || err_no_memory(err);
}

struct encoder *encoder_new(const struct encode_field *fields, size_t nfields, struct err *err)
{
	struct encoder *e = calloc(1, sizeof *e);
	struct member *members = NULL;
	bool ok = e != NULL || err_no_memory(err);

	for (size_t i = 0; ok && i < nfields; i++)
		ok = add_field(&members, &fields[i], err);
	ok = ok && compile_members(e, members, err) && add_part(e, NULL, ENCODE_AUTO, err);
	free_members(members);
	if (!ok) {
		encoder_free(e);
		return NULL;
	}
	return e;
}

void encoder_free(struct encoder *e)
{
	if (e == NULL)
		return;
	for (size_t i = 0; i < e->nparts; i++)
		free(e->parts[i].column);
	free(e->parts);
	buf_free(&e->literals);
	schema_unref(e->bound);
	free(e);
}

// ---- binding to a schema

static enum encode_as as_of_type(enum col_type type)
{
	switch (type) {
	case COL_INT64:
	case COL_DECIMAL:
	case COL_FLOAT64:
		return ENCODE_NUMBER;
	case COL_BOOL:
		return ENCODE_BOOL;
	case COL_JSON:
		return ENCODE_JSON;
	case COL_TIMESTAMP:
		return ENCODE_TIMESTAMP_US;
	default:
		return ENCODE_STRING;
	}
}

static bool bind_part(struct part *part, const struct schema *schema, struct err *err)
{
	int index = schema_find(schema, part->column);
	enum col_type type;

	if (index < 0)
		return err_set(
			err, ERR_MAPPING, NULL, "the column '%s' of an encoder is not among the rows' columns", part->column);
	type = schema->cols[index].type;
	part->index = (size_t)index;
	part->how = part->as == ENCODE_AUTO ? as_of_type(type) : part->as;
	if ((part->how == ENCODE_TIMESTAMP_MS || part->how == ENCODE_TIMESTAMP_US) && type != COL_TIMESTAMP)
		return err_set(err, ERR_MAPPING, NULL, "the column '%s' cannot be written as %s (it is %s, not timestamp)",
			part->column, as_names[part->how], col_type_name(type));
	return true;
}

static bool bind_schema(struct encoder *e, struct schema *schema, struct err *err)
{
	if (e->bound == schema)
		return true;
	schema_unref(e->bound);
	e->bound = NULL;
	for (size_t i = 0; i + 1 < e->nparts; i++)
		if (!bind_part(&e->parts[i], schema, err))
			return false;
	e->bound = schema_ref(schema);
	return true;
}

// ---- writing

static bool put_timestamp(struct buf *out, const struct cell *cell, int digits, bool *fits)
{
	char iso[CIVIL_TEXT_SIZE];
	int64_t us;
	size_t len;

	*fits = json_number_valid(cell->ptr, cell->len) && json_number_integral(cell->ptr, cell->len, &us) &&
			us >= CIVIL_MIN_US && us <= CIVIL_MAX_US;
	if (!*fits)
		return true;
	len = civil_format_rfc3339(us, digits, iso);
	return buf_putc(out, '"') && buf_put(out, iso, len) && buf_putc(out, '"');
}

static bool is_bool(const struct cell *cell)
{
	return (cell->len == 4 && memcmp(cell->ptr, "true", 4) == 0) ||
		   (cell->len == 5 && memcmp(cell->ptr, "false", 5) == 0);
}

static bool fail_cell(const struct part *part, size_t row, struct err *err)
{
	return err_set(err, ERR_MAPPING, NULL, "cannot write '%s' of row %zu as json (it is no %s)", part->column, row + 1,
		part->how == ENCODE_STRING ? "valid UTF-8" : as_names[part->how]);
}

static bool put_cell(const struct encoder *e, const struct part *part, const struct cell *cell, size_t row,
	struct buf *out, struct err *err)
{
	bool fits = true, ok;

	if (cell->null)
		return buf_put(out, "null", 4) || err_no_memory(err);
	switch (part->how) {
	case ENCODE_TIMESTAMP_MS:
		ok = put_timestamp(out, cell, 3, &fits);
		break;
	case ENCODE_TIMESTAMP_US:
		ok = put_timestamp(out, cell, 6, &fits);
		break;
	case ENCODE_NUMBER:
		fits = json_number_valid(cell->ptr, cell->len);
		ok = !fits || buf_put(out, cell->ptr, cell->len);
		break;
	case ENCODE_BOOL:
		fits = is_bool(cell);
		ok = !fits || buf_put(out, cell->ptr, cell->len);
		break;
	case ENCODE_JSON:
		fits = json_validate(cell->ptr, cell->len, NULL);
		ok = !fits || buf_put(out, cell->ptr, cell->len);
		break;
	default:
		if (e->bound->cols[part->index].type == COL_BYTES)
			ok = buf_putc(out, '"') && crypto_base64_encode(CRYPTO_BASE64, cell->ptr, cell->len, out) &&
				 buf_putc(out, '"');
		else if (json_put_string(out, cell->ptr, cell->len, err))
			return true;
		else
			return err != NULL && err->kind == ERR_JSON ? fail_cell(part, row, err) : false;
	}
	if (!fits)
		return fail_cell(part, row, err);
	return ok || err_no_memory(err);
}

static bool put_row(const struct encoder *e, const struct rows *rows, size_t row, struct buf *out, struct err *err)
{
	const struct cell *cells = rows_at(rows, row);

	for (size_t i = 0; i < e->nparts; i++) {
		const struct part *part = &e->parts[i];

		if (!buf_put(out, e->literals.data + part->literal, part->len))
			return err_no_memory(err);
		if (part->column != NULL && !put_cell(e, part, &cells[part->index], row, out, err))
			return false;
	}
	return true;
}

static void rewind_to(struct buf *out, size_t mark)
{
	out->len = mark;
	if (out->data != NULL)
		out->data[mark] = '\0';
}

bool encoder_put_batch(struct encoder *e, const struct rows *rows, size_t from, size_t max_rows, size_t max_bytes,
	struct buf *out, size_t *to, struct err *err)
{
	size_t mark = out->len, i = from, limit = rows->n - from > max_rows ? from + max_rows : rows->n;
	bool ok = bind_schema(e, rows->schema, err) && (buf_putc(out, '[') || err_no_memory(err));

	for (; ok && i < limit; i++) {
		size_t before = out->len;

		ok = i == from || buf_putc(out, ',') || err_no_memory(err);
		ok = ok && put_row(e, rows, i, out, err);
		if (ok && i > from && out->len - mark >= max_bytes) { // the bracket is still to come
			rewind_to(out, before);
			break;
		}
	}
	ok = ok && (buf_putc(out, ']') || err_no_memory(err));
	if (!ok)
		rewind_to(out, mark);
	*to = i;
	return ok;
}

bool encoder_put_rows(
	struct encoder *e, const struct rows *rows, size_t from, size_t to, struct buf *out, struct err *err)
{
	size_t end;

	if (from == to)
		return buf_puts(out, "[]") || err_no_memory(err);
	return encoder_put_batch(e, rows, from, to - from, SIZE_MAX, out, &end, err);
}

// Leaves. Knows nothing of trees, systems or files.
#include "data/leaf.h"

#include <stdlib.h>
#include <string.h>

#include "io/crypto.h"

static bool find_column(
	const struct schema *like, size_t c, const struct schema *schema, uint16_t *out, struct err *err)
{
	const struct column *column = &like->cols[c];
	int at = schema_find(schema, column->name);

	if (at < 0 || schema->cols[at].type != column->type)
		return err_set(err, ERR_MAPPING, "unknown_column", "the rows have no column '%s' of type %s", column->name,
			col_type_name(column->type));
	*out = (uint16_t)at;
	return true;
}

static bool shape_fill(struct leaf_shape *shape, const struct schema *like, int key, struct err *err)
{
	if (!find_column(like, (size_t)key, shape->schema, &shape->plain[shape->nplain++], err))
		return false;
	shape->key = shape->plain[0];
	for (size_t c = 0; c < like->ncols; c++) {
		uint16_t *to;

		if ((int)c == key)
			continue;
		to = like->cols[c].type == COL_JSON ? &shape->json[shape->njson++] : &shape->plain[shape->nplain++];
		if (!find_column(like, c, shape->schema, to, err))
			return false;
	}
	return true;
}

bool leaf_shape_init(
	struct leaf_shape *shape, const struct schema *like, const struct schema *schema, const char *key, struct err *err)
{
	int at = schema_find(like, key);

	*shape = (struct leaf_shape){.schema = schema};
	if (at < 0 || like->cols[at].type == COL_JSON)
		return err_set(err, ERR_MAPPING, "unknown_column", "the rows have no key column '%s'", key);
	shape->plain = calloc(like->ncols, sizeof *shape->plain);
	shape->json = calloc(like->ncols, sizeof *shape->json);
	if (shape->plain == NULL || shape->json == NULL) {
		leaf_shape_free(shape);
		return err_no_memory(err);
	}
	if (shape_fill(shape, like, at, err))
		return true;
	leaf_shape_free(shape);
	return false;
}

void leaf_shape_free(struct leaf_shape *shape)
{
	free(shape->plain);
	free(shape->json);
	*shape = (struct leaf_shape){.schema = NULL};
}

bool leaf_name(struct canon *canon, const unsigned char key[static LEAF_PART], enum col_type type,
	const struct cell *id, struct leaf_name *out, struct err *err)
{
	static const char label = 'b';

	buf_clear(&canon->a);
	if (!canon_put(&canon->a, type, id, err) ||
		!crypto_hmac(CRYPTO_SHA256, key, LEAF_PART, canon->a.data, canon->a.len, out->k, err))
		return false;
	buf_clear(&canon->a);
	if (!buf_putc(&canon->a, label) || !buf_put(&canon->a, out->k, LEAF_PART))
		return err_no_memory(err);
	return canon_frame(canon, &canon->a, type, id, err) &&
		   crypto_digest(CRYPTO_SHA256, canon->a.data, canon->a.len, out->b, err);
}

// Some columns of a row.
struct columns {
	const struct schema *schema;
	const uint16_t *list;
	size_t n;
};

static struct columns plain_of(const struct leaf_shape *shape)
{
	return (struct columns){shape->schema, shape->plain, shape->nplain};
}

static struct columns json_of(const struct leaf_shape *shape)
{
	return (struct columns){shape->schema, shape->json, shape->njson};
}

static bool put_cells(struct canon *canon, struct columns columns, const struct cell *cells, struct err *err)
{
	for (size_t i = 0; i < columns.n; i++)
		if (!canon_frame(canon, &canon->a, columns.schema->cols[columns.list[i]].type, &cells[columns.list[i]], err))
			return false;
	return true;
}

bool leaf_json_digest(struct canon *canon, const struct leaf_shape *shape, const struct cell *cells,
	unsigned char j[static LEAF_PART], struct err *err)
{
	buf_clear(&canon->a);
	return put_cells(canon, json_of(shape), cells, err) &&
		   crypto_digest(CRYPTO_SHA256, canon->a.data, canon->a.len, j, err);
}

bool leaf_row_digest(struct canon *canon, const struct leaf_shape *shape, const struct cell *cells, bool marked,
	const unsigned char j[static LEAF_PART], unsigned char d[static LEAF_PART], struct err *err)
{
	unsigned char p[LEAF_PART];

	buf_clear(&canon->a);
	if (marked && !buf_putc(&canon->a, '!'))
		return err_no_memory(err);
	return put_cells(canon, plain_of(shape), cells, err) &&
		   crypto_digest(CRYPTO_SHA256, canon->a.data, canon->a.len, p, err) &&
		   crypto_digest_two(CRYPTO_SHA256, p, sizeof p, j, LEAF_PART, d, err);
}

bool leaf_value(const struct leaf_name *name, const unsigned char d[static LEAF_PART],
	unsigned char v[static LEAF_PART], struct err *err)
{
	return crypto_hmac(CRYPTO_SHA256, name->k, LEAF_PART, d, LEAF_PART, v, err);
}

bool leaf_extra(const struct leaf_name *name, unsigned char v[static LEAF_PART], struct err *err)
{
	return crypto_hmac(CRYPTO_SHA256, name->k, LEAF_PART, "", 0, v, err);
}

static int compare_values(const void *a, const void *b)
{
	return memcmp(a, b, LEAF_PART);
}

bool leaf_repeated(unsigned char *values, size_t n, unsigned char v[static LEAF_PART], struct err *err)
{
	static const char label = 'r';

	qsort(values, n, LEAF_PART, compare_values);
	return crypto_digest_two(CRYPTO_SHA256, &label, 1, values, n * LEAF_PART, v, err);
}

bool leaf_is_marked(const struct schema *schema, const struct cell *cells)
{
	for (size_t c = 0; c < schema->ncols; c++)
		if (cells[c].fate >= FATE_LOST)
			return true;
	return false;
}

// ---- rows made of model rows

bool leaf_known_of(struct canon *canon, const unsigned char key[static LEAF_PART], const struct leaf_shape *model,
	const struct cell *cells, struct leaf_known *out, unsigned char d[static LEAF_PART], struct err *err)
{
	return leaf_name(canon, key, model->schema->cols[model->key].type, &cells[model->key], &out->name, err) &&
		   leaf_json_digest(canon, model, cells, out->j, err) &&
		   leaf_row_digest(canon, model, cells, false, out->j, d, err) && leaf_value(&out->name, d, out->v, err);
}

static bool are_alike(struct columns a, struct columns b)
{
	for (size_t i = 0; i < a.n && a.n == b.n; i++)
		if (a.schema->cols[a.list[i]].type != b.schema->cols[b.list[i]].type)
			return false;
	return a.n == b.n;
}

static bool note_keeps(struct leaf_pair *pair, const struct plan *plan, struct err *err)
{
	size_t n = plan_schema(plan)->ncols;

	pair->keeps = calloc(n, sizeof *pair->keeps);
	if (pair->keeps == NULL)
		return err_no_memory(err);
	for (size_t c = 0; c < n; c++)
		pair->keeps[c] = plan_keeps(plan, c);
	return true;
}

bool leaf_pair_init(struct leaf_pair *pair, const struct plan *plan, const struct schema *like, const char *key,
	const struct schema *model, const char *model_key, struct err *err)
{
	*pair = (struct leaf_pair){.plain_alike = false};
	if (!leaf_shape_init(&pair->expected, like, plan_schema(plan), key, err) ||
		!leaf_shape_init(&pair->model, model, model, model_key, err) || !note_keeps(pair, plan, err)) {
		leaf_pair_free(pair);
		return false;
	}
	pair->plain_alike = are_alike(plain_of(&pair->expected), plain_of(&pair->model));
	pair->json_alike = are_alike(json_of(&pair->expected), json_of(&pair->model));
	return true;
}

void leaf_pair_free(struct leaf_pair *pair)
{
	leaf_shape_free(&pair->expected);
	leaf_shape_free(&pair->model);
	free(pair->keeps);
	pair->keeps = NULL;
}

// Cells mostly lie in the same memory: a projection moves pointers. Or the plan's steps are known to keep the canonical
// form.
static bool is_same_cell(const struct cell *a, const struct cell *b, bool kept)
{
	if (a->null || b->null)
		return a->null && b->null;
	if (kept && a->fate < FATE_LOST)
		return true;
	return a->len == b->len && (a->ptr == b->ptr || memcmp(a->ptr, b->ptr, a->len) == 0);
}

static bool are_same(
	struct columns e, const struct cell *expected, struct columns m, const struct cell *model, const int *keeps)
{
	for (size_t i = 0; i < e.n; i++)
		if (!is_same_cell(&expected[e.list[i]], &model[m.list[i]], keeps != NULL && keeps[e.list[i]] == m.list[i]))
			return false;
	return true;
}

bool leaf_pair_value(struct canon *canon, const struct leaf_pair *pair, const struct cell *expected,
	const struct cell *model, const struct leaf_known *known, bool as_planned, unsigned char v[static LEAF_PART],
	struct err *err)
{
	const int *keeps = as_planned ? pair->keeps : NULL;
	bool json = pair->json_alike && are_same(json_of(&pair->expected), expected, json_of(&pair->model), model, keeps);
	bool plain =
		pair->plain_alike && are_same(plain_of(&pair->expected), expected, plain_of(&pair->model), model, keeps);
	bool marked = leaf_is_marked(pair->expected.schema, expected);
	unsigned char j[LEAF_PART], d[LEAF_PART];

	if (json && plain && !marked) {
		memcpy(v, known->v, LEAF_PART);
		return true;
	}
	if (json)
		memcpy(j, known->j, LEAF_PART);
	else if (!leaf_json_digest(canon, &pair->expected, expected, j, err))
		return false;
	return leaf_row_digest(canon, &pair->expected, expected, marked, j, d, err) && leaf_value(&known->name, d, v, err);
}

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

static bool is_lost(const struct cell *cell)
{
	return cell->fate >= FATE_LOST;
}

static bool put_cells(struct canon *canon, const struct leaf_shape *shape, const uint16_t *columns, size_t n,
	const struct cell *cells, bool marked, struct err *err)
{
	buf_clear(&canon->a);
	for (size_t i = 0; i < n; i++) {
		const struct cell *cell = &cells[columns[i]];

		if (marked && is_lost(cell) && !buf_putc(&canon->a, '!'))
			return err_no_memory(err);
		if (!canon_frame(canon, &canon->a, shape->schema->cols[columns[i]].type, cell, err))
			return false;
	}
	return true;
}

bool leaf_json_digest(struct canon *canon, const struct leaf_shape *shape, const struct cell *cells, bool marked,
	unsigned char j[static LEAF_PART], struct err *err)
{
	return put_cells(canon, shape, shape->json, shape->njson, cells, marked, err) &&
		   crypto_digest(CRYPTO_SHA256, canon->a.data, canon->a.len, j, err);
}

bool leaf_row_digest(struct canon *canon, const struct leaf_shape *shape, const struct cell *cells, bool marked,
	const unsigned char j[static LEAF_PART], unsigned char d[static LEAF_PART], struct err *err)
{
	unsigned char p[LEAF_PART];

	return put_cells(canon, shape, shape->plain, shape->nplain, cells, marked, err) &&
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

bool leaf_is_marked(const struct leaf_shape *shape, const struct cell *cells)
{
	for (size_t i = 0; i < shape->nplain; i++)
		if (is_lost(&cells[shape->plain[i]]))
			return true;
	for (size_t i = 0; i < shape->njson; i++)
		if (is_lost(&cells[shape->json[i]]))
			return true;
	return false;
}

// Fuzz entry of the page decoder by paths, which reads Twenty's answers. The first byte chooses the paths: those of a
// query for people, those of an answer to a write, or the text itself as rows. Whatever is accepted is well-formed for
// its type, has a canonical form, and reads the same a second time; extras lie inside the text.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "data/canon.h"
#include "data/cast.h"
#include "data/page.h"
#include "io/unicode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COLUMNS = 8, EXTRAS = 4, SHAPES = 3 };

struct shape {
	const char *rows;
	const char *paths[COLUMNS], *extras[EXTRAS];
	enum col_type types[COLUMNS];
	size_t ncolumns, nextras;
};

static const struct shape shapes[SHAPES] = {
	{.rows = "data.people.edges",
		.paths = {"node.id", "node.deletedAt", "node.name.firstName", "node.emails.primaryEmail",
			"node.emails.additionalEmails", "node.score", "node.birthday", "node.isMe"},
		.types = {COL_TEXT, COL_TIMESTAMP, COL_TEXT, COL_TEXT, COL_JSON, COL_FLOAT64, COL_DATE, COL_BOOL},
		.ncolumns = COLUMNS,
		.extras = {"data.people.pageInfo.hasNextPage", "data.people.pageInfo.endCursor", "data.people.totalCount",
			"errors"},
		.nextras = EXTRAS},
	{.rows = "data.createPeople",
		.paths = {"id", "contactId", "deletedAt"},
		.types = {COL_TEXT, COL_TEXT, COL_TIMESTAMP},
		.ncolumns = 3,
		.extras = {"errors"},
		.nextras = 1},
	{.rows = "",
		.paths = {"a", "a.b", "c.d", "c"},
		.types = {COL_JSON, COL_INT64, COL_DECIMAL, COL_JSON},
		.ncolumns = 4},
};

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_cells(const struct rows *rows, const struct rows *again)
{
	struct canon canon = {0};

	check(rows->n == again->n);
	for (size_t i = 0; i < rows->n; i++) {
		for (size_t c = 0; c < rows->schema->ncols; c++) {
			const struct cell *a = &rows_at(rows, i)[c], *b = &rows_at(again, i)[c];
			enum col_type type = rows->schema->cols[c].type;
			bool equal = false;

			check(a->null || (cast_is_form(type, a->ptr, a->len) && unicode_valid(a->ptr, a->len)));
			check(canon_equal(&canon, type, a, b, &equal, NULL) && equal);
		}
	}
	canon_free(&canon);
}

static bool read_page(
	const struct shape *shape, struct page_paths *paths, const char *text, size_t len, struct rows *rows)
{
	struct page_value extras[EXTRAS];
	struct err err = {0};
	bool missing, ok = page_read_json(paths, text, len, rows, extras, &missing, &err);

	if (!ok)
		check(err.kind == ERR_JSON && err.message[0] != '\0' && err.code[0] != '\0');
	for (size_t i = 0; ok && i < shape->nextras; i++)
		check(extras[i].text == NULL || (extras[i].text >= text && extras[i].text + extras[i].len <= text + len));
	return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct shape *shape = &shapes[size > 0 ? data[0] % SHAPES : 0];
	const char *text = (const char *)data + (size > 0);
	size_t len = size - (size > 0);
	struct page_paths *paths =
		page_paths_new(shape->rows, shape->paths, shape->ncolumns, shape->extras, shape->nextras, NULL);
	struct schema *schema = schema_new(shape->ncolumns, shape->paths, shape->types, NULL);
	struct rows *rows = rows_new(schema, NULL), *again = rows_new(schema, NULL);

	check(paths != NULL && schema != NULL && rows != NULL && again != NULL);
	if (read_page(shape, paths, text, len, rows)) {
		check(read_page(shape, paths, text, len, again));
		check_cells(rows, again);
	}
	rows_unref(rows);
	rows_unref(again);
	schema_unref(schema);
	page_paths_free(paths);
	return 0;
}

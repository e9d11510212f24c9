// Making schemas and pages in a line, for the tests of the record plane.
#ifndef SYNCRUN_TESTS_PAGES_H
#define SYNCRUN_TESTS_PAGES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "data/rows.h"

// "id:text age:int64" to a schema.
static inline struct schema *make_schema(const char *spec)
{
	char text[512], *names[16], *save = text;
	enum col_type types[16];
	size_t n = 0;
	struct err err;
	struct schema *schema;

	assert_true(strlen(spec) < sizeof text);
	strcpy(text, spec);
	for (char *word; *save != '\0' && n < 16; n++) {
		char *colon;

		word = save;
		save += strcspn(save, " ");
		if (*save != '\0')
			*save++ = '\0';
		colon = strchr(word, ':');
		*colon = '\0';
		names[n] = word;
		types[n] = col_type_of(colon + 1);
		assert_int_not_equal(types[n], COL_TYPE_COUNT);
	}
	schema = schema_new(n, (const char *const *)names, types, &err);
	assert_non_null(schema);
	return schema;
}

static inline void set_text(struct rows *rows, struct cell *cell, const char *text)
{
	struct err err;

	if (text != NULL)
		assert_true(rows_set(rows, cell, text, strlen(text), &err));
}

// A further row; texts[c] NULL for NULL.
static inline void add_row(struct rows *rows, const char *const *texts)
{
	struct err err;
	struct cell *cells = rows_add(rows, &err);

	assert_non_null(cells);
	for (size_t c = 0; c < rows->schema->ncols; c++)
		set_text(rows, &cells[c], texts[c]);
}

// A page of one row.
static inline struct rows *make_page(const char *spec, const char *const *texts)
{
	struct schema *schema = make_schema(spec);
	struct err err;
	struct rows *rows = rows_new(schema, &err);

	assert_non_null(rows);
	schema_unref(schema);
	add_row(rows, texts);
	return rows;
}

static inline void assert_cell(const struct cell *cell, const char *text)
{
	assert_int_equal(cell->null, text == NULL);
	if (text == NULL)
		return;
	assert_int_equal(cell->len, strlen(text));
	assert_memory_equal(cell->ptr, text, cell->len);
}

#endif

// Schemas, pages, arenas: what is held, shared and given back.
#include "pages.h"

#include <stdio.h>
#include <stdlib.h>

#include "data/arena.h"

static void schema_finds_its_columns(void **state)
{
	struct schema *schema = make_schema("contact_id:text is_me:bool updated_at:timestamp");

	(void)state;
	assert_int_equal(schema->ncols, 3);
	assert_int_equal(schema_find(schema, "contact_id"), 0);
	assert_int_equal(schema_find(schema, "updated_at"), 2);
	assert_int_equal(schema_find(schema, "updated"), -1);
	assert_int_equal(schema_find(schema, ""), -1);
	assert_int_equal(schema_find_n(schema, "is_me_not", 5), 1);
	assert_int_equal(schema_find_n(schema, "is_me\0x", 7), -1);
	schema_unref(schema);
}

static void schema_refuses_repeated_names_and_no_columns(void **state)
{
	const char *names[] = {"a", "b", "a"};
	enum col_type types[] = {COL_TEXT, COL_TEXT, COL_INT64};
	struct err err;

	(void)state;
	assert_null(schema_new(3, names, types, &err));
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_non_null(strstr(err.message, "'a' is named twice"));
	assert_null(schema_new(0, names, types, &err));
	assert_int_equal(err.kind, ERR_CONFIG);
}

static void schema_of_many_columns(void **state)
{
	enum { N = 3000 };
	const char **names = calloc(N, sizeof *names);
	enum col_type *types = calloc(N, sizeof *types);
	char *text = malloc(N * 16);
	struct schema *schema;
	struct err err;

	(void)state;
	for (int i = 0; i < N; i++) {
		snprintf(text + i * 16, 16, "col_%d", i);
		names[i] = text + i * 16;
	}
	schema = schema_new(N, names, types, &err);
	assert_non_null(schema);
	for (int i = 0; i < N; i++)
		assert_int_equal(schema_find(schema, names[i]), i);
	assert_int_equal(schema_find(schema, "col_3000"), -1);
	schema_unref(schema);
	free(names);
	free(types);
	free(text);
}

static void schemas_compare_by_content(void **state)
{
	struct schema *a = make_schema("a:text b:json"), *b = make_schema("a:text b:json");
	struct schema *c = make_schema("a:text b:text"), *d = make_schema("a:text");

	(void)state;
	assert_true(schema_equal(a, b));
	assert_false(schema_equal(a, c));
	assert_false(schema_equal(a, d));
	schema_unref(a);
	schema_unref(b);
	schema_unref(c);
	schema_unref(d);
}

static void type_names_round_trip(void **state)
{
	(void)state;
	for (int t = 0; t < COL_TYPE_COUNT; t++)
		assert_int_equal(col_type_of(col_type_name((enum col_type)t)), t);
	assert_int_equal(col_type_of("varchar"), COL_TYPE_COUNT);
}

static void rows_start_null_and_hold_copies(void **state)
{
	char text[] = "Ada";
	struct rows *rows = make_page("a:text b:text", (const char *[]){NULL, NULL});
	struct err err;

	(void)state;
	assert_cell(&rows_at(rows, 0)[0], NULL);
	assert_true(rows_set(rows, &rows_at(rows, 0)[1], text, 3, &err));
	text[0] = 'X';
	assert_cell(&rows_at(rows, 0)[1], "Ada");
	assert_true(rows_set(rows, &rows_at(rows, 0)[0], "", 0, &err));
	assert_cell(&rows_at(rows, 0)[0], "");
	rows_unref(rows);
}

static void pages_grow_and_keep_their_values(void **state)
{
	enum { N = 5000 };
	struct rows *rows = make_page("a:int64 b:text", (const char *[]){"0", NULL});
	char text[32];

	(void)state;
	for (int i = 1; i < N; i++) {
		snprintf(text, sizeof text, "%d", i);
		add_row(rows, (const char *[]){text, i % 2 ? NULL : "even"});
	}
	assert_int_equal(rows->n, N);
	for (int i = 0; i < N; i++) {
		snprintf(text, sizeof text, "%d", i);
		assert_cell(&rows_at(rows, (size_t)i)[0], text);
		assert_int_equal(rows_at(rows, (size_t)i)[1].null, i % 2 || i == 0);
	}
	assert_true(rows_bytes(rows) > N * 2 * sizeof(struct cell));
	rows_unref(rows);
}

static void too_long_a_value_is_refused(void **state)
{
	struct rows *rows = make_page("a:text", (const char *[]){"x"});
	struct err err;

	(void)state;
	assert_null(rows_alloc(rows, UINT32_MAX, &err));
	assert_int_equal(err.kind, ERR_LIMIT);
	assert_null(rows_alloc(rows, SIZE_MAX, &err));
	rows_unref(rows);
}

static void picked_rows_share_bytes_and_outlive_their_page(void **state)
{
	struct rows *rows = make_page("a:text", (const char *[]){"zero"}), *picked, *again;
	struct err err;

	(void)state;
	add_row(rows, (const char *[]){"one"});
	add_row(rows, (const char *[]){NULL});
	picked = rows_pick(rows, (size_t[]){2, 1, 1}, 3, &err);
	assert_ptr_equal(rows_at(picked, 1)->ptr, rows_at(rows, 1)->ptr);
	rows_unref(rows);
	again = rows_pick(picked, (size_t[]){1}, 1, &err);
	assert_ptr_equal(again->parent, picked->parent); // the bytes' owner, not the page in between
	rows_unref(picked);
	assert_cell(rows_at(again, 0), "one");
	rows_unref(again);
}

static void long_chains_of_slices_end(void **state)
{
	struct rows *rows = make_page("a:text", (const char *[]){"kept"});
	struct err err;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		struct rows *next = rows_pick(rows, (size_t[]){0}, 1, &err);

		assert_non_null(next);
		assert_true(i % 2 || rows_set(next, rows_at(next, 0), "kept", 4, &err)); // owns bytes: stays in the chain
		rows_unref(rows);
		rows = next;
	}
	assert_cell(rows_at(rows, 0), "kept");
	rows_unref(rows);
}

static void appending_copies_bytes_and_fates(void **state)
{
	struct rows *from = make_page("a:text b:text", (const char *[]){"x", NULL});
	struct rows *to = make_page("a:text b:text", (const char *[]){"1", "2"});
	struct err err;

	(void)state;
	rows_at(from, 0)[0].fate = FATE_LOST;
	rows_at(from, 0)[0].note = 7;
	assert_true(rows_append(to, from, 0, &err));
	assert_ptr_not_equal(rows_at(to, 1)[0].ptr, rows_at(from, 0)[0].ptr);
	rows_unref(from);
	assert_cell(&rows_at(to, 1)[0], "x");
	assert_cell(&rows_at(to, 1)[1], NULL);
	assert_int_equal(rows_at(to, 1)[0].fate, FATE_LOST);
	assert_int_equal(rows_at(to, 1)[0].note, 7);
	for (int i = 0; i < 100; i++)
		assert_true(rows_append(to, to, 0, &err)); // its own row, while the table moves
	assert_cell(&rows_at(to, 101)[1], "2");
	rows_unref(to);
}

static void live_bytes_return_to_where_they_were(void **state)
{
	size_t before = rows_live_bytes();
	struct rows *rows = make_page("a:text", (const char *[]){"x"});
	struct err err;

	(void)state;
	assert_true(rows_live_bytes() > before);
	assert_non_null(rows_alloc(rows, 10 * 1024 * 1024, &err));
	assert_true(rows_live_bytes() > before + 10 * 1024 * 1024);
	rows_unref(rows);
	assert_int_equal(rows_live_bytes(), before);
}

static void arena_blocks_never_overlap(void **state)
{
	enum { N = 2000 };
	static struct {
		char *at;
		size_t len;
	} pieces[N];
	struct arena_block *arena = NULL;
	unsigned seed = 1;

	(void)state;
	for (size_t i = 0; i < N; i++) {
		seed = seed * 1103515245u + 12345u;
		pieces[i].len = i % 50 == 0 ? 3 * 1024 * 1024 / (i + 1) : (seed >> 16) % 700;
		pieces[i].at = arena_alloc(&arena, pieces[i].len);
		assert_non_null(pieces[i].at);
		memset(pieces[i].at, (int)(i % 251), pieces[i].len);
	}
	for (size_t i = 0; i < N; i++)
		for (size_t k = 0; k < pieces[i].len; k++)
			if ((unsigned char)pieces[i].at[k] != i % 251)
				fail_msg("piece %zu was overwritten", i);
	assert_true(arena_size(arena) >= 3 * 1024 * 1024);
	arena_free(arena);
	arena_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(schema_finds_its_columns),
		cmocka_unit_test(schema_refuses_repeated_names_and_no_columns),
		cmocka_unit_test(schema_of_many_columns),
		cmocka_unit_test(schemas_compare_by_content),
		cmocka_unit_test(type_names_round_trip),
		cmocka_unit_test(rows_start_null_and_hold_copies),
		cmocka_unit_test(pages_grow_and_keep_their_values),
		cmocka_unit_test(too_long_a_value_is_refused),
		cmocka_unit_test(picked_rows_share_bytes_and_outlive_their_page),
		cmocka_unit_test(long_chains_of_slices_end),
		cmocka_unit_test(appending_copies_bytes_and_fates),
		cmocka_unit_test(live_bytes_return_to_where_they_were),
		cmocka_unit_test(arena_blocks_never_overlap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

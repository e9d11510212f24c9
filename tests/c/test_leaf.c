// Leaves against values computed by another program (Python's hashlib and hmac) from the definition in leaf.h.
#include "pages.h"

#include <stdio.h>

#include "data/leaf.h"
#include "io/crypto.h"

#define SPEC "note:json name:text contact_id:text nick:text title:text age:int64 stats:json"

static const char *const ADA[] = {" {\"a\": [100]}", "Ada", "4711", NULL, "", "+042", NULL};

struct figures {
	struct leaf_name name;
	unsigned char j[LEAF_PART], d[LEAF_PART], v[LEAF_PART];
};

static void proof_key(unsigned char key[LEAF_PART])
{
	unsigned char secret[32];

	for (unsigned i = 0; i < sizeof secret; i++)
		secret[i] = (unsigned char)i;
	assert_true(crypto_hkdf(secret, sizeof secret, "", 0, "syncrun/proof/v1", 16, key, NULL));
}

static void assert_hex(const unsigned char *bytes, const char *want)
{
	char hex[2 * LEAF_PART + 1];

	crypto_hex(bytes, LEAF_PART, hex);
	assert_string_equal(hex, want);
}

static void compute(const struct rows *rows, struct schema *like, bool marked, struct figures *f)
{
	struct canon canon = {.a = {0}};
	struct leaf_shape shape;
	unsigned char key[LEAF_PART];
	const struct cell *cells = rows_at(rows, 0);
	struct err err;

	proof_key(key);
	assert_true(leaf_shape_init(&shape, like, rows->schema, "contact_id", &err));
	assert_true(leaf_name(&canon, key, rows->schema->cols[shape.key].type, &cells[shape.key], &f->name, &err));
	assert_true(leaf_json_digest(&canon, &shape, cells, f->j, &err));
	assert_true(leaf_row_digest(&canon, &shape, cells, marked, f->j, f->d, &err));
	assert_true(leaf_value(&f->name, f->d, f->v, &err));
	leaf_shape_free(&shape);
	canon_free(&canon);
}

static void of_the_definition(void **state)
{
	struct rows *rows = make_page(SPEC, ADA);
	struct figures f;
	unsigned char twice[2 * LEAF_PART], v[LEAF_PART];

	(void)state;
	compute(rows, rows->schema, false, &f);
	assert_hex(f.name.k, "2ddc0871bf38b6e8d79a72291680b9aba91410a1eba01ba16413931079900f17");
	assert_hex(f.name.b, "db1bb414bea152e1af010963e450dab479e580b5cad800e1ab67dd20fefd7413");
	assert_hex(f.j, "3f5b119702ebac894b3e95f8c2539aaac1b3ca22af2ca214ce5b3748db6e5275");
	assert_hex(f.d, "4e10a38aed28cbd955d1602006fff7b8d5923bef65ca5e49601fad5584c9d032");
	assert_hex(f.v, "8b36b0a0f30e62ccbc7690cdb6cb32dc46214fa3f6695e4a067d420c856353b6");
	assert_true(leaf_extra(&f.name, v, NULL));
	assert_hex(v, "3d7097c88d2b85f6e2fc5d40b700d842700fc41a5e75978f879d0d3b51931709");
	memcpy(twice, f.v, LEAF_PART);
	memcpy(twice + LEAF_PART, f.v, LEAF_PART);
	assert_true(leaf_repeated(twice, 2, v, NULL));
	assert_hex(v, "ea560f129d979cc3cdc4ae085b3d4cac987185da211d6dc4874257b73e76c6cf");
	rows_unref(rows);
}

// A system has the columns in another order, and others beside: the order is that of the expected side.
static void columns_by_name_in_the_order_of_the_expected_side(void **state)
{
	struct schema *like = make_schema(SPEC);
	struct rows *rows =
		make_page("stats:json deleted:text age:int64 nick:text contact_id:text title:text name:text note:json",
			(const char *[]){NULL, "x", "42", NULL, "4711", "", "Ada", "{\"a\":[1e2]}"});
	struct figures f;

	(void)state;
	compute(rows, like, false, &f);
	assert_hex(f.v, "8b36b0a0f30e62ccbc7690cdb6cb32dc46214fa3f6695e4a067d420c856353b6");
	rows_unref(rows);
	schema_unref(like);
}

static void a_lost_value_is_like_no_value_read_back(void **state)
{
	struct rows *rows = make_page(SPEC, ADA);
	struct figures f;

	(void)state;
	assert_false(leaf_is_marked(rows->schema, rows_at(rows, 0)));
	rows_at(rows, 0)[6].fate = FATE_FOLDED;
	assert_false(leaf_is_marked(rows->schema, rows_at(rows, 0)));
	rows_at(rows, 0)[6].fate = FATE_REJECTED;
	assert_true(leaf_is_marked(rows->schema, rows_at(rows, 0)));
	rows_at(rows, 0)[6].fate = FATE_LOST;
	assert_true(leaf_is_marked(rows->schema, rows_at(rows, 0)));
	compute(rows, rows->schema, true, &f);
	assert_hex(f.d, "a1bd5687981313f7ae8716d0346f8983d6447a75dffa52fec246ee3f9f1f4253");
	compute(rows, rows->schema, false, &f);
	assert_hex(f.d, "4e10a38aed28cbd955d1602006fff7b8d5923bef65ca5e49601fad5584c9d032");
	rows_unref(rows);
}

static void repeated_rows_in_any_order(void **state)
{
	unsigned char a[3 * LEAF_PART], b[3 * LEAF_PART], va[LEAF_PART], vb[LEAF_PART];

	(void)state;
	memset(a, 1, LEAF_PART);
	memset(a + LEAF_PART, 3, LEAF_PART);
	memset(a + 2 * LEAF_PART, 2, LEAF_PART);
	memset(b, 3, LEAF_PART);
	memset(b + LEAF_PART, 2, LEAF_PART);
	memset(b + 2 * LEAF_PART, 1, LEAF_PART);
	assert_true(leaf_repeated(a, 3, va, NULL) && leaf_repeated(b, 3, vb, NULL));
	assert_memory_equal(va, vb, LEAF_PART);
	assert_true(leaf_repeated(b, 2, vb, NULL));
	assert_memory_not_equal(va, vb, LEAF_PART);
}

// A plan that moves every column of the page, and changes nothing.
static struct plan *make_plan(const struct rows *page)
{
	struct plan *plan = plan_new(page->schema, NULL);

	assert_non_null(plan);
	for (size_t c = 0; c < page->schema->ncols; c++)
		assert_true(plan_add_column(
			plan, page->schema->cols[c].name, page->schema->cols[c].type, page->schema->cols[c].name, NULL));
	assert_true(plan_seal(plan, NULL));
	return plan;
}

// The v of an expected row by the short way, and by hashing all of it.
static void assert_short_way(const struct rows *expected, const struct rows *model)
{
	struct canon canon = {.a = {0}};
	struct plan *plan = make_plan(expected); // did not make these rows, so that its word about forms must not count
	struct leaf_pair pair;
	struct leaf_known known;
	struct figures f;
	unsigned char key[LEAF_PART], d[LEAF_PART], v[LEAF_PART];

	proof_key(key);
	assert_true(leaf_pair_init(&pair, plan, expected->schema, "contact_id", model->schema, "contact_id", NULL));
	assert_true(leaf_known_of(&canon, key, &pair.model, rows_at(model, 0), &known, d, NULL));
	assert_true(leaf_pair_value(&canon, &pair, rows_at(expected, 0), rows_at(model, 0), &known, false, v, NULL));
	compute(expected, expected->schema, leaf_is_marked(expected->schema, rows_at(expected, 0)), &f);
	assert_memory_equal(known.name.b, f.name.b, LEAF_PART);
	assert_memory_equal(v, f.v, LEAF_PART);
	leaf_pair_free(&pair);
	plan_free(plan);
	canon_free(&canon);
}

static void the_short_way_gives_the_same(void **state)
{
	static const char *const rows[][7] = {
		{" {\"a\": [100]}", "Ada", "4711", NULL, "", "+042", NULL}, // the same
		{"{\"a\":[1e2]}", "Ada", "4711", NULL, "", "42", NULL},     // the same, spelled otherwise
		{" {\"a\": [100]}", "Ada", "4711", "", "", "+042", NULL},   // a null is a text there
		{" {\"a\": [100]}", "Ada", "4711", NULL, "", "+042", "{}"}, // and a JSON value
		{NULL, "Eve", "4711", NULL, "", "+042", NULL},              // both
	};
	struct rows *model = make_page(SPEC, ADA), *fewer, *other;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct rows *expected = make_page(SPEC, rows[i]);

		assert_short_way(expected, model);
		rows_at(expected, 0)[1].fate = FATE_LOST;
		assert_short_way(expected, model);
		rows_at(expected, 0)[0].fate = FATE_REJECTED;
		assert_short_way(expected, model);
		rows_unref(expected);
	}
	fewer = make_page("note:json contact_id:text nick:text title:text age:int64 stats:json",
		(const char *[]){" {\"a\": [100]}", "4711", NULL, "", "+042", NULL});
	assert_short_way(fewer, model);
	other = make_page("note:json name:text contact_id:text nick:text title:text age:text stats:json", ADA);
	assert_short_way(other, model);
	rows_unref(fewer);
	rows_unref(other);
	rows_unref(model);
}

static void shapes_that_cannot_be(void **state)
{
	struct schema *like = make_schema("contact_id:text name:text"), *less = make_schema("contact_id:text nick:text"),
				  *other = make_schema("contact_id:text name:json"), *json = make_schema("contact_id:json");
	struct leaf_shape shape;
	struct err err;

	(void)state;
	assert_false(leaf_shape_init(&shape, like, less, "contact_id", &err));
	assert_string_equal(err.message, "the rows have no column 'name' of type text");
	assert_false(leaf_shape_init(&shape, like, other, "contact_id", &err));
	assert_string_equal(err.message, "the rows have no column 'name' of type text");
	assert_false(leaf_shape_init(&shape, like, like, "id", &err));
	assert_string_equal(err.message, "the rows have no key column 'id'");
	assert_false(leaf_shape_init(&shape, json, json, "contact_id", &err));
	leaf_shape_free(&shape);
	schema_unref(like);
	schema_unref(less);
	schema_unref(other);
	schema_unref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_the_definition),
		cmocka_unit_test(columns_by_name_in_the_order_of_the_expected_side),
		cmocka_unit_test(a_lost_value_is_like_no_value_read_back),
		cmocka_unit_test(repeated_rows_in_any_order),
		cmocka_unit_test(the_short_way_gives_the_same),
		cmocka_unit_test(shapes_that_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

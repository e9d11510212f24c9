// The merge against a naive reference, over random streams cut into random pages; and what it refuses.
#include "pages.h"

#include <stdio.h>
#include <stdlib.h>

#include "data/merge.h"

enum { MAX_ROWS = 60 };

static uint64_t seed;

// xorshift64*: the same numbers in every run.
static unsigned rnd(unsigned below)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return (unsigned)((seed * UINT64_C(2685821657736338717)) >> 33) % below;
}

struct record {
	char key[8];
	int value;
};

struct side {
	struct record rows[MAX_ROWS * 3];
	size_t n;
};

// What happened to whom.
struct findings {
	unsigned same, differ, missing, extra, again, again_met;
	uint64_t sum; // of a hash of each finding: who, with what, whatever the order
};

static void note(struct findings *f, unsigned *kind, const struct record *e, const struct record *a)
{
	uint64_t hash = (uint64_t)(kind - &f->same) + 1;

	for (const char *c = e != NULL ? e->key : a->key; *c != '\0'; c++)
		hash = hash * 131 + (unsigned char)*c;
	hash = hash * 131 + (uint64_t)(e != NULL ? e->value + 1 : 0);
	hash = hash * 131 + (uint64_t)(a != NULL ? a->value + 1 : 0);
	f->sum += hash * hash;
	++*kind;
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct record *)a)->key, ((const struct record *)b)->key);
}

static const struct record *find(const struct side *side, const char *key)
{
	for (size_t i = 0; i < side->n; i++)
		if (strcmp(side->rows[i].key, key) == 0)
			return &side->rows[i];
	return NULL;
}

// Quadratic on purpose.
static struct findings reference(const struct side *e, const struct side *a)
{
	struct findings f = {0};

	for (size_t i = 0; i < e->n; i++)
		if (find(a, e->rows[i].key) == NULL)
			note(&f, &f.missing, &e->rows[i], NULL);
	for (size_t i = 0; i < a->n; i++) {
		const struct record *row = &a->rows[i], *expected = find(e, row->key);

		if (find(a, row->key) != row && expected != NULL)
			note(&f, &f.again_met, expected, row);
		else if (find(a, row->key) != row)
			note(&f, &f.again, NULL, row);
		else if (expected == NULL)
			note(&f, &f.extra, NULL, row);
		else if (expected->value != row->value)
			note(&f, &f.differ, expected, row);
		else
			f.same++;
	}
	return f;
}

static void make_side(struct side *side, bool repeats)
{
	size_t n = rnd(MAX_ROWS);

	side->n = 0;
	for (size_t i = 0; i < n; i++) {
		struct record row = {.value = (int)rnd(3)};

		snprintf(row.key, sizeof row.key, "%x", rnd(80));
		if (find(side, row.key) == NULL)
			side->rows[side->n++] = row;
	}
	qsort(side->rows, side->n, sizeof side->rows[0], by_key);
	for (size_t i = 0; repeats && i < side->n && side->n < MAX_ROWS * 2; i++) {
		if (rnd(4) != 0)
			continue;
		memmove(&side->rows[i + 1], &side->rows[i], (side->n - i) * sizeof side->rows[0]);
		side->n++;
		side->rows[i + 1].value = (int)rnd(3);
	}
}

// A stream's next page: its schema puts the key elsewhere on the actual side.
struct feeder {
	const struct side *side;
	struct schema *schema;
	size_t at, page_from; // the next row; the first of the page held
	int key, value;
};

static struct rows *next_page(struct feeder *feed)
{
	size_t n = rnd(3) == 0 ? rnd(3) : rnd(12);
	struct rows *page;
	struct err err;
	char value[16];

	if (feed->at == feed->side->n && rnd(3) != 0)
		return NULL;
	page = rows_new(feed->schema, &err);
	feed->page_from = feed->at;
	for (; n > 0 && feed->at < feed->side->n; n--, feed->at++) {
		struct cell *cells = rows_add(page, &err);

		set_text(page, &cells[feed->key], feed->side->rows[feed->at].key);
		snprintf(value, sizeof value, rnd(2) ? "%d.0" : "%d", feed->side->rows[feed->at].value);
		set_text(page, &cells[feed->value], value);
	}
	return page;
}

static void feed(struct merge *m, enum merge_side side, struct feeder *feeder)
{
	struct rows *page = next_page(feeder);
	struct err err;

	assert_true(merge_feed(m, side, page, &err));
	rows_unref(page);
}

static void gather(struct findings *f, struct merge *m, const struct feeder *e, const struct feeder *a)
{
	const struct merge_found *found = merge_found(m);
	const struct record *er = e->side->rows + e->page_from, *ar = a->side->rows + a->page_from;

	f->same += (unsigned)found->same;
	for (size_t i = 0; i < found->differ.n; i++)
		note(f, &f->differ, &er[found->differ.items[i].e], &ar[found->differ.items[i].a]);
	for (size_t i = 0; i < found->missing.n; i++)
		note(f, &f->missing, &er[found->missing.items[i].e], NULL);
	for (size_t i = 0; i < found->extra.n; i++)
		note(f, &f->extra, NULL, &ar[found->extra.items[i].a]);
	for (size_t i = 0; i < found->again.n; i++) {
		struct merge_pair pair = found->again.items[i];

		if (pair.e == MERGE_NO_ROW)
			note(f, &f->again, NULL, &ar[pair.a]);
		else
			note(f, &f->again_met, &er[pair.e], &ar[pair.a]);
	}
	merge_forget(m);
}

static struct findings merged(const struct side *expected, const struct side *actual)
{
	struct schema *es = make_schema("key:text value:decimal"), *as = make_schema("other:text value:decimal key:text");
	struct feeder e = {.side = expected, .schema = es, .value = 1};
	struct feeder a = {.side = actual, .schema = as, .key = 2, .value = 1};
	struct findings f = {0};
	enum merge_need need;
	struct err err;
	struct merge *m = merge_new(es, as, "key", &err);

	assert_non_null(m);
	for (;;) {
		if (!merge_step(m, &need, &err))
			fail_msg("%s", err.message);
		gather(&f, m, &e, &a);
		if (need == MERGE_DONE)
			break;
		if (need == MERGE_NEED_EXPECTED)
			feed(m, MERGE_EXPECTED, &e);
		else
			feed(m, MERGE_ACTUAL, &a);
	}
	merge_free(m);
	schema_unref(es);
	schema_unref(as);
	return f;
}

static void agrees_with_the_naive_reference(void **state)
{
	static struct side e, a;
	unsigned met = 0, lone = 0;

	(void)state;
	seed = 42;
	for (int round = 0; round < 4000; round++) {
		struct findings got, want;

		make_side(&e, false);
		make_side(&a, true);
		want = reference(&e, &a);
		got = merged(&e, &a);
		assert_memory_equal(&got, &want, sizeof got);
		met += got.again_met;
		lone += got.again;
	}
	assert_true(met > 100 && lone > 100);
}

static struct merge *new_merge(const char *expected, const char *actual, const char *key, struct err *err)
{
	struct schema *e = make_schema(expected), *a = make_schema(actual);
	struct merge *m = merge_new(e, a, key, err);

	schema_unref(e);
	schema_unref(a);
	return m;
}

static void refuses_schemas_that_do_not_fit(void **state)
{
	struct err err;

	(void)state;
	assert_null(new_merge("k:text", "k:text", "id", &err));
	assert_string_equal(err.message, "the expected side has no key column 'id'");
	assert_null(new_merge("id:text", "k:text", "id", &err));
	assert_string_equal(err.message, "the actual side has no key column 'id'");
	assert_null(new_merge("id:text a:text", "id:text", "id", &err));
	assert_string_equal(err.message, "the actual side has no column 'a' to compare");
	assert_null(new_merge("id:text a:text", "id:text a:json", "id", &err));
	assert_non_null(strstr(err.message, "text on the expected side and json"));
}

// One page of keys a side, then the end; returns whether the merge got through.
static bool run(const char *const *expected, const char *const *actual, struct err *err)
{
	struct merge *m = new_merge("id:text", "id:text", "id", err);
	struct rows *pages[2] = {make_page("id:text", expected), make_page("id:text", actual)};
	enum merge_need need;
	bool ok;

	for (size_t i = 1; expected[i - 1] == NULL || expected[i] != NULL; i++)
		add_row(pages[0], expected + i);
	for (size_t i = 1; actual[i - 1] == NULL || actual[i] != NULL; i++)
		add_row(pages[1], actual + i);
	assert_true(merge_feed(m, MERGE_EXPECTED, pages[0], err) && merge_feed(m, MERGE_ACTUAL, pages[1], err));
	ok = merge_step(m, &need, err);
	while (ok && need != MERGE_DONE) {
		merge_forget(m);
		assert_true(merge_feed(m, need == MERGE_NEED_EXPECTED ? MERGE_EXPECTED : MERGE_ACTUAL, NULL, err));
		ok = merge_step(m, &need, err);
	}
	if (!ok)
		assert_false(merge_step(m, &need, &(struct err){0}));
	merge_free(m);
	rows_unref(pages[0]);
	rows_unref(pages[1]);
	return ok;
}

static void refuses_keys_out_of_order(void **state)
{
	struct err err;

	(void)state;
	assert_true(run((const char *[]){"a", "b", "\xC3\xA9", NULL}, (const char *[]){"a", "a", "z", NULL}, &err));
	assert_false(run((const char *[]){"b", "a", NULL}, (const char *[]){"a", NULL}, &err));
	assert_string_equal(err.code, "order");
	assert_string_equal(err.message, "the expected side is out of order ('a' after 'b'); sort it by the bytes of 'id'");
	assert_false(run((const char *[]){"a", NULL}, (const char *[]){"10", "9", "10", NULL}, &err));
	assert_non_null(strstr(err.message, "the actual side is out of order ('10' after '9')"));
}

static void refuses_repeated_and_null_keys(void **state)
{
	struct err err;

	(void)state;
	assert_false(run((const char *[]){"a", "a", NULL}, (const char *[]){"a", NULL}, &err));
	assert_string_equal(err.code, "repeated_key");
	assert_false(run((const char *[]){"a", NULL}, (const char *[]){NULL, "b", NULL}, &err));
	assert_string_equal(err.code, "null_key");
}

static void refuses_pages_out_of_turn(void **state)
{
	struct err err;
	struct merge *m = new_merge("id:text", "id:text", "id", &err);
	struct rows *page = make_page("id:text", (const char *[]){"a"}),
				*other = make_page("x:text", (const char *[]){"a"});
	enum merge_need need;

	(void)state;
	assert_false(merge_feed(m, MERGE_EXPECTED, other, &err));
	assert_true(merge_feed(m, MERGE_EXPECTED, page, &err));
	assert_false(merge_feed(m, MERGE_EXPECTED, page, &err));
	assert_true(merge_feed(m, MERGE_ACTUAL, NULL, &err));
	assert_true(merge_step(m, &need, &err));
	assert_int_equal(need, MERGE_NEED_EXPECTED);
	assert_false(merge_feed(m, MERGE_EXPECTED, NULL, &err)); // the missing row would lose its page
	assert_non_null(strstr(err.message, "take the results"));
	merge_forget(m);
	assert_true(merge_feed(m, MERGE_EXPECTED, NULL, &err));
	assert_true(merge_step(m, &need, &err));
	assert_int_equal(need, MERGE_DONE);
	assert_false(merge_feed(m, MERGE_EXPECTED, page, &err));
	merge_free(m);
	rows_unref(page);
	rows_unref(other);
	merge_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_the_naive_reference),
		cmocka_unit_test(refuses_schemas_that_do_not_fit),
		cmocka_unit_test(refuses_keys_out_of_order),
		cmocka_unit_test(refuses_repeated_and_null_keys),
		cmocka_unit_test(refuses_pages_out_of_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

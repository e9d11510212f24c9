// Every allocation of the record plane fails once: each failure is a clean error that holds nothing (run it under
// AddressSanitizer). Linked with -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc; without, the tests are skipped.
#include "pages.h"

#include <stdio.h>
#include <stdlib.h>

#include "data/canon.h"
#include "data/merge.h"
#include "data/plan.h"

void *__real_malloc(size_t size) __attribute__((weak));
void *__real_calloc(size_t n, size_t size) __attribute__((weak));
void *__real_realloc(void *old, size_t size) __attribute__((weak));
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);

// Allocations until one fails; negative: none does.
static long countdown = -1;

static bool fails(void)
{
	return countdown >= 0 && countdown-- == 0;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return fails() ? NULL : __real_realloc(old, size);
}

// Run the scenario with its first allocation failing, then its second, until none is left to fail.
static void fail_each(bool (*scenario)(struct err *err))
{
	struct err err;
	long n = 0;

	if (__real_malloc == NULL)
		skip();
	for (;; n++) {
		bool ok;

		err_clear(&err);
		countdown = n;
		ok = scenario(&err);
		if (countdown >= 0) { // nothing failed
			countdown = -1;
			assert_true(ok);
			break;
		}
		countdown = -1;
		assert_false(ok);
		assert_string_equal(err.code, "ENOMEM");
	}
	assert_true(n > 3);
}

static const char *const names[] = {"id", "name", "last", "mail", "stats", "at"};
static const enum col_type types[] = {COL_TEXT, COL_TEXT, COL_TEXT, COL_TEXT, COL_JSON, COL_TIMESTAMP};
enum { NCOLS = 6, NROWS = 40 };

static bool fill(struct rows *rows, const char *stats, struct err *err)
{
	static const char *const texts[] = {
		NULL, "Ada B. Lovelace, Countess", "Lovelace", "ADA@\xC3\x89x.org", NULL, "1767323045123456"};

	for (int i = 0; i < NROWS; i++) {
		struct cell *cells = rows_add(rows, err);
		char id[16];

		if (cells == NULL)
			return false;
		snprintf(id, sizeof id, "%03d", i);
		for (size_t c = 0; c < NCOLS; c++) {
			const char *text = c == 0 ? id : c == 4 ? stats : texts[c];

			if (!rows_set(rows, &cells[c], text, strlen(text), err))
				return false;
		}
	}
	return true;
}

static struct rows *page_new(const char *stats, struct err *err)
{
	struct schema *schema = schema_new(NCOLS, names, types, err);
	struct rows *rows;

	if (schema == NULL)
		return NULL;
	rows = rows_new(schema, err);
	schema_unref(schema);
	if (rows != NULL && !fill(rows, stats, err)) {
		rows_unref(rows);
		return NULL;
	}
	return rows;
}

static bool rows_scenario(struct err *err)
{
	struct rows *rows = page_new("{}", err), *picked = NULL;
	bool ok = rows != NULL && rows_append(rows, rows, 3, err);

	if (ok)
		picked = rows_pick(rows, (size_t[]){0, 5}, 2, err);
	ok = ok && picked != NULL && rows_append(picked, rows, 1, err);
	rows_unref(picked);
	rows_unref(rows);
	return ok;
}

static bool canon_scenario(struct err *err)
{
	struct rows *rows = page_new("{\"b\":[1.0,{\"x\":null}],\"a\":\"\\u0041\"}", err);
	struct rows *other = rows != NULL ? page_new("{\"a\":\"A\",\"b\":[1,{\"x\":null}]}", err) : NULL;
	struct canon canon = {.a = {0}};
	unsigned char digest[CANON_DIGEST_SIZE];
	struct cell decimal = {.ptr = "+01.50", .len = 6};
	bool equal = false;
	bool ok = other != NULL &&
			  canon_equal(&canon, COL_JSON, &rows_at(rows, 0)[4], &rows_at(other, 0)[4], &equal, err) &&
			  canon_put(&canon.b, COL_DECIMAL, &decimal, err) &&
			  canon_digest(&canon, rows->schema, rows_at(rows, 1), digest, err);

	assert_true(equal || !ok);
	canon_free(&canon);
	rows_unref(rows);
	rows_unref(other);
	return ok;
}

static bool step(struct plan *plan, const char *name, const char *arg, struct err *err)
{
	struct plan_arg args[1] = {{arg, arg != NULL ? strlen(arg) : 0}};

	return plan_add_step(plan, name, args, arg != NULL, err);
}

static bool build(struct plan *plan, struct err *err)
{
	return plan_add_column(plan, "id", COL_TEXT, "id", err) && plan_add_column(plan, "first", COL_TEXT, "name", err) &&
		   step(plan, "split_first", "last", err) && step(plan, "utf8", NULL, err) &&
		   plan_add_column(plan, "mail", COL_TEXT, "mail", err) && step(plan, "lower", NULL, err) &&
		   step(plan, "select", "x", err) && plan_add_column(plan, "stats", COL_JSON, "stats", err) &&
		   step(plan, "json_js_numbers", NULL, err) && step(plan, "no_nul", NULL, err) &&
		   step(plan, "json_canonical", NULL, err) && plan_add_column(plan, "at", COL_TIMESTAMP, "at", err) &&
		   step(plan, "truncate_time", "ms", err) && plan_add_column(plan, "seen", COL_TEXT, "at", err) &&
		   plan_add_column(plan, "kind", COL_TEXT, NULL, err) && step(plan, "const", "person", err) &&
		   step(plan, "concat", "name", err) && plan_seal(plan, err);
}

static bool plan_scenario(struct err *err)
{
	struct rows *rows = page_new("{\"n\":9007199254740993,\"t\":\"\\u0000x\"}", err), *mapped = NULL;
	struct plan *plan = rows != NULL ? plan_new(rows->schema, err) : NULL;
	bool ok = plan != NULL && build(plan, err);

	if (ok)
		mapped = plan_apply(plan, rows, err);
	ok = mapped != NULL;
	if (plan != NULL && plan_schema(plan) != NULL) // a page that failed is not counted
		assert_int_equal(plan_count(plan, 0, FATE_EXACT), ok ? NROWS : 0);
	rows_unref(mapped);
	plan_free(plan);
	rows_unref(rows);
	return ok;
}

static bool merge_pages(struct merge *m, struct rows *e, struct rows *a, struct err *err)
{
	enum merge_need need;

	if (!merge_feed(m, MERGE_EXPECTED, e, err) || !merge_feed(m, MERGE_ACTUAL, a, err))
		return false;
	for (;;) {
		if (!merge_step(m, &need, err))
			return false;
		merge_forget(m);
		if (need == MERGE_DONE)
			return true;
		if (!merge_feed(m, need == MERGE_NEED_EXPECTED ? MERGE_EXPECTED : MERGE_ACTUAL, NULL, err))
			return false;
	}
}

static bool merge_scenario(struct err *err)
{
	struct rows *e = page_new("{\"a\":1}", err), *a = e != NULL ? page_new("{\"a\":2.0}", err) : NULL, *rest = NULL;
	struct merge *m = NULL;
	bool ok;

	if (a != NULL)
		rest = rows_pick(a, (size_t[]){1, 1, 2, 30, 39, 39}, 6, err);
	if (rest != NULL)
		m = merge_new(e->schema, rest->schema, "id", err);
	ok = m != NULL && merge_pages(m, e, rest, err);
	merge_free(m);
	rows_unref(rest);
	rows_unref(a);
	rows_unref(e);
	return ok;
}

static void rows_survive_want_of_memory(void **state)
{
	(void)state;
	fail_each(rows_scenario);
}

static void canon_survives_want_of_memory(void **state)
{
	(void)state;
	fail_each(canon_scenario);
}

static void plan_survives_want_of_memory(void **state)
{
	(void)state;
	fail_each(plan_scenario);
}

static void merge_survives_want_of_memory(void **state)
{
	(void)state;
	fail_each(merge_scenario);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_survive_want_of_memory),
		cmocka_unit_test(canon_survives_want_of_memory),
		cmocka_unit_test(plan_survives_want_of_memory),
		cmocka_unit_test(merge_survives_want_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// The tally: which leaves each side gets, from what a pass and later looks met.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data/tally.h"

// A contact is a letter, a value too: the leaf is their 32-fold repetition. Sides as text: "a1b2".
struct sides {
	char text[TALLY_SIDES][64];
};

struct met {
	char who;
	enum tally_tag tag;
	unsigned look;
	char value;
};

static bool put(void *to, enum tally_side side, const unsigned char leaf[static LEAF_SIZE], struct err *err)
{
	struct sides *sides = to;
	size_t at = strlen(sides->text[side]);

	(void)err;
	sides->text[side][at] = (char)leaf[0];
	sides->text[side][at + 1] = (char)leaf[LEAF_PART];
	return true;
}

static struct tally_record record_of(const struct met *met)
{
	unsigned char b[LEAF_PART], v[LEAF_PART];

	memset(b, met->who, sizeof b);
	memset(v, met->value, sizeof v);
	return tally_record_of(b, met->tag, met->look, v);
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct tally_record));
}

static bool run(const struct met *met, size_t n, struct tally *tally, struct sides *sides, struct err *err)
{
	struct tally_record records[16];
	bool ok = true;

	*tally = (struct tally){.put = put, .to = sides};
	*sides = (struct sides){.text = {""}};
	for (size_t i = 0; i < n; i++)
		records[i] = record_of(&met[i]);
	qsort(records, n, sizeof records[0], compare);
	for (size_t i = 0; ok && i < n; i++)
		ok = tally_add(tally, &records[i], err);
	return ok && tally_finish(tally, err);
}

// The root over leaves as text.
static void root_of(const char *text, unsigned char root[TREE_HASH])
{
	struct tree tree = {.size = 0};
	unsigned char leaf[LEAF_SIZE];

	for (size_t i = 0; text[i] != '\0'; i += 2) {
		memset(leaf, text[i], LEAF_PART);
		memset(leaf + LEAF_PART, text[i + 1], LEAF_PART);
		assert_true(tree_add(&tree, leaf, sizeof leaf, NULL));
	}
	assert_true(tree_root(&tree, root, NULL));
}

static void assert_side(const struct tally *tally, enum tally_side side, const char *want)
{
	unsigned char root[TREE_HASH], wanted[TREE_HASH];

	assert_int_equal(tally_size(tally, side), strlen(want) / 2);
	assert_true(tally_root(tally, side, root, NULL));
	root_of(want, wanted);
	assert_memory_equal(root, wanted, TREE_HASH);
}

// A list and its length.
#define MET(...) (const struct met[]){__VA_ARGS__}, sizeof((const struct met[]){__VA_ARGS__}) / sizeof(struct met)

static void tally_case(
	const struct met *met, size_t n, const char *expected, const char *observed, const char *extras, uint64_t repeated)
{
	struct tally tally;
	struct sides sides;
	size_t known;

	assert_true(run(met, n, &tally, &sides, NULL));
	assert_string_equal(sides.text[TALLY_SIDE_EXPECTED], expected);
	assert_string_equal(sides.text[TALLY_SIDE_EXTRAS], extras);
	assert_side(&tally, TALLY_SIDE_EXPECTED, expected);
	assert_side(&tally, TALLY_SIDE_EXTRAS, extras);
	assert_int_equal(tally.repeated, repeated);
	assert_int_equal(tally.parted, strcmp(expected, observed) != 0);
	known = strlen(observed) - strlen(sides.text[TALLY_SIDE_OBSERVED]);
	if (tally.parted) {
		assert_string_equal(sides.text[TALLY_SIDE_OBSERVED], observed + known);
		assert_memory_equal(expected, observed, known);
	}
	assert_side(&tally, TALLY_SIDE_OBSERVED, observed);
	tally_free(&tally);
}

static void all_as_expected(void **state)
{
	(void)state;
	tally_case(NULL, 0, "", "", "", 0);
	tally_case(MET({'b', TALLY_BOTH, 0, '2'}, {'a', TALLY_BOTH, 0, '1'}), "a1b2", "a1b2", "", 0);
	tally_case(
		MET({'a', TALLY_BOTH, 0, '1'}, {'x', TALLY_EXTRA, 0, '0'}, {'b', TALLY_BOTH, 0, '2'}), "a1b2", "a1b2", "x0", 0);
	// equal by its own digest, not by the comparison: as good
	tally_case(MET({'a', TALLY_EXPECTED, 0, '1'}, {'a', TALLY_OBSERVED, 0, '1'}), "a1", "a1", "", 0);
}

static void what_differs_parts_the_sides(void **state)
{
	(void)state;
	tally_case(MET({'a', TALLY_BOTH, 0, '1'}, {'b', TALLY_EXPECTED, 0, '2'}, {'c', TALLY_BOTH, 0, '3'}), "a1b2c3",
		"a1c3", "", 0);
	tally_case(MET({'a', TALLY_EXPECTED, 0, '1'}, {'b', TALLY_BOTH, 0, '2'}), "a1b2", "b2", "", 0);
	tally_case(MET({'a', TALLY_BOTH, 0, '1'}, {'b', TALLY_EXPECTED, 0, '2'}), "a1b2", "a1", "", 0);
	tally_case(MET({'a', TALLY_BOTH, 0, '1'}, {'b', TALLY_EXPECTED, 0, '2'}, {'b', TALLY_OBSERVED, 0, '9'}), "a1b2",
		"a1b9", "", 0);
}

static void a_row_twice_is_not_as_expected(void **state)
{
	struct met twice[] = {{'a', TALLY_BOTH, 0, '1'}, {'a', TALLY_OBSERVED, 0, '1'}, {'b', TALLY_BOTH, 0, '2'}};
	struct tally tally;
	struct sides sides;
	unsigned char root[TREE_HASH], expected[TREE_HASH];

	(void)state;
	assert_true(run(twice, 3, &tally, &sides, NULL));
	assert_true(tally.parted);
	assert_int_equal(tally.repeated, 1);
	assert_int_equal(tally_size(&tally, TALLY_SIDE_OBSERVED), 2);
	assert_true(tally_root(&tally, TALLY_SIDE_OBSERVED, root, NULL));
	assert_true(tally_root(&tally, TALLY_SIDE_EXPECTED, expected, NULL));
	assert_memory_not_equal(root, expected, TREE_HASH);
	tally_free(&tally);
	tally_case(
		MET({'a', TALLY_BOTH, 0, '1'}, {'x', TALLY_EXTRA, 0, '0'}, {'x', TALLY_EXTRA, 0, '0'}), "a1", "a1", "x0", 1);
}

static void the_last_look_counts(void **state)
{
	(void)state;
	// was missing, is there now
	tally_case(MET({'a', TALLY_EXPECTED, 0, '1'}, {'a', TALLY_REVISED, 1, '1'}), "a1", "a1", "", 0);
	// was different, is gone
	tally_case(
		MET({'a', TALLY_EXPECTED, 0, '1'}, {'a', TALLY_OBSERVED, 0, '9'}, {'a', TALLY_GONE, 1, '0'}), "a1", "", "", 0);
	// was equal, differs now
	tally_case(MET({'a', TALLY_BOTH, 0, '1'}, {'a', TALLY_REVISED, 1, '9'}), "a1", "a9", "", 0);
	// several looks, in any order of outcome
	tally_case(
		MET({'a', TALLY_EXPECTED, 0, '1'}, {'a', TALLY_GONE, 1, '0'}, {'a', TALLY_REVISED, 2, '1'}), "a1", "a1", "", 0);
	tally_case(
		MET({'a', TALLY_EXPECTED, 0, '1'}, {'a', TALLY_GONE, 2, '0'}, {'a', TALLY_REVISED, 1, '1'}), "a1", "", "", 0);
	tally_case(MET({'a', TALLY_EXPECTED, 0, '1'}, {'a', TALLY_REVISED, 300, '1'}, {'a', TALLY_REVISED, 2, '9'}), "a1",
		"a1", "", 0);
	// was there twice, is there once
	tally_case(
		MET({'a', TALLY_BOTH, 0, '1'}, {'a', TALLY_OBSERVED, 0, '1'}, {'a', TALLY_REVISED, 1, '1'}), "a1", "a1", "", 0);
}

static void what_is_expected_may_change_too(void **state)
{
	(void)state;
	tally_case(MET({'a', TALLY_EXPECTED, 0, '1'}, {'a', TALLY_AMENDED, 1, '5'}, {'a', TALLY_REVISED, 1, '5'}), "a5",
		"a5", "", 0);
	tally_case(MET({'a', TALLY_EXPECTED, 0, '1'}, {'a', TALLY_AMENDED, 2, '5'}, {'a', TALLY_AMENDED, 1, '9'}), "a5", "",
		"", 0);
}

static void a_pass_that_was_wrong(void **state)
{
	struct met twice[] = {{'a', TALLY_BOTH, 0, '1'}, {'a', TALLY_EXPECTED, 0, '2'}};
	struct met both[] = {{'a', TALLY_BOTH, 0, '1'}, {'a', TALLY_EXTRA, 0, '0'}};
	struct tally tally;
	struct sides sides;
	struct err err;

	(void)state;
	assert_false(run(twice, 2, &tally, &sides, &err));
	assert_string_equal(err.message, "a contact is expected twice in a proof");
	tally_free(&tally);
	assert_false(run(both, 2, &tally, &sides, &err));
	assert_string_equal(err.message, "a contact is both expected and an extra in a proof");
	tally_free(&tally);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_as_expected),
		cmocka_unit_test(what_differs_parts_the_sides),
		cmocka_unit_test(a_row_twice_is_not_as_expected),
		cmocka_unit_test(the_last_look_counts),
		cmocka_unit_test(what_is_expected_may_change_too),
		cmocka_unit_test(a_pass_that_was_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// Files of records, and sorting in bounded memory: against qsort, from nothing to several runs on disk.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/records.h"

enum { LEN = 72 };

static char folder[] = "/tmp/syncrun-records-XXXXXX";
static char path[sizeof folder + 8], other[sizeof folder + 8];

static int make_folder(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return 1;
	snprintf(path, sizeof path, "%s/one", folder);
	snprintf(other, sizeof other, "%s/two", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(path);
	unlink(other);
	return rmdir(folder);
}

static void number(unsigned char record[LEN], uint64_t i)
{
	memset(record, 0, LEN);
	memcpy(record, &i, sizeof i);
}

static struct records *write_numbers(uint64_t n)
{
	struct records *r = records_create(path, LEN, NULL);
	unsigned char record[LEN];

	assert_non_null(r);
	for (uint64_t i = 0; i < n; i++) {
		number(record, i);
		assert_true(records_put(r, record, NULL));
	}
	assert_int_equal(records_count(r), n);
	return r;
}

static void assert_number(struct records *r, uint64_t i, uint64_t want)
{
	unsigned char record[LEN];
	const void *found = records_at(r, i, NULL);

	number(record, want);
	assert_non_null(found);
	assert_memory_equal(found, record, LEN);
}

static void read_where_they_were_put(void **state)
{
	enum { N = 5000 }; // several windows
	struct records *r = write_numbers(N);
	struct stat st;

	(void)state;
	for (uint64_t i = 0; i < N; i += 7)
		assert_number(r, N - 1 - i, N - 1 - i);
	assert_true(records_put(r, "0123456789012345678901234567890123456789012345678901234567890123456789xx", NULL));
	assert_memory_equal(records_at(r, N, NULL), "01234567890", 11);
	assert_true(records_sync(r, NULL));
	records_close(r);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, (N + 1) * LEN);
	assert_int_equal(st.st_mode & 0777, 0600);
	r = records_open(path, LEN, NULL);
	assert_int_equal(records_count(r), N + 1);
	for (uint64_t i = 0; i < N; i++)
		assert_number(r, i, i);
	records_close(r);
	records_close(NULL);
}

static void a_copy_of_the_first(void **state)
{
	struct records *from = write_numbers(2000), *to = records_create(other, LEN, NULL);

	(void)state;
	assert_true(records_copy(to, from, 1500, NULL));
	assert_int_equal(records_count(to), 1500);
	assert_number(to, 1499, 1499);
	records_close(from);
	records_close(to);
}

static void damaged_files(void **state)
{
	struct records *r = write_numbers(3);
	struct err err;

	(void)state;
	assert_true(records_sync(r, NULL));
	records_close(r);
	assert_int_equal(truncate(path, 2 * LEN + 1), 0);
	assert_null(records_open(path, LEN, &err));
	assert_string_equal(err.code, "damaged");
	assert_null(records_open(folder, LEN, &err));
	assert_non_null(strstr(err.message, "it is not a file"));
	assert_int_equal(truncate(path, 2 * LEN), 0);
	r = records_open(path, LEN, NULL);
	assert_non_null(r);
	assert_int_equal(truncate(path, LEN), 0);
	assert_null(records_at(r, 0, &err));
	assert_non_null(strstr(err.message, "was cut while it was read"));
	records_close(r);
	unlink(path);
	assert_null(records_open(path, LEN, &err));
	assert_int_equal(symlink(other, path), 0);
	assert_null(records_create(path, LEN, &err));
	unlink(path);
}

// A full disk is an error when the window is written, or at the latest at the end.
static void a_full_disk(void **state)
{
	struct records *r = records_create("/dev/full", LEN, NULL);
	unsigned char record[LEN] = {0};
	struct err err;

	(void)state;
	assert_non_null(r);
	assert_true(records_put(r, record, &err));
	assert_false(records_sync(r, &err));
	assert_non_null(strstr(err.message, "cannot write '/dev/full'"));
	records_close(r);
}

// ---- sorting

static uint64_t seed = 88172645463325252u;

static uint64_t draw(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, LEN);
}

// n records; `spread` bits of the first two bytes vary, and every tenth record is there twice.
static unsigned char *make_records(size_t n, uint64_t spread)
{
	unsigned char *records = calloc(n + 1, LEN);

	assert_non_null(records);
	for (size_t i = 0; i < n; i++) {
		unsigned char *record = records + i * LEN;
		uint64_t words[LEN / 8];

		for (size_t w = 0; w < LEN / 8; w++)
			words[w] = draw();
		words[0] &= ~(uint64_t)0xffff | spread;
		memcpy(record, i % 10 == 9 ? record - LEN : (unsigned char *)words, LEN);
	}
	return records;
}

static void assert_sorts(size_t n, uint64_t spread)
{
	unsigned char *records = make_records(n, spread);
	struct sorter *s = sorter_new(path, LEN, NULL);
	const void *record;

	assert_non_null(s);
	for (size_t i = 0; i < n; i++)
		assert_true(sorter_add(s, records + i * LEN, NULL));
	qsort(records, n, LEN, compare);
	for (size_t i = 0; i < n; i++) {
		assert_true(sorter_next(s, &record, NULL));
		assert_memory_equal(record, records + i * LEN, LEN);
	}
	for (int i = 0; i < 2; i++) {
		assert_true(sorter_next(s, &record, NULL));
		assert_null(record);
	}
	assert_false(sorter_add(s, records, NULL));
	sorter_free(s);
	free(records);
	assert_int_not_equal(access(path, F_OK), 0);
}

static void sorts_what_memory_holds(void **state)
{
	(void)state;
	assert_sorts(0, 0xffff);
	assert_sorts(1, 0xffff);
	assert_sorts(2, 0);
	assert_sorts(1000, 0xffff);
	assert_sorts(1000, 0);
	assert_sorts(29127, 0xffff);
}

static void sorts_more_than_memory_holds(void **state)
{
	(void)state;
	assert_sorts(29128, 0xffff);
	assert_sorts(200000, 0xffff);
	assert_sorts(100000, 0x0300); // badly spread: still right, and no slower than a comparison sort
	assert_sorts(4 * 29127, 0xffff);
}

static void a_scratch_file_that_cannot_be(void **state)
{
	struct sorter *s = sorter_new("/nonexistent/scratch", LEN, NULL);
	unsigned char record[LEN] = {0};
	struct err err;
	bool ok = true;

	(void)state;
	for (int i = 0; ok && i < 30000; i++)
		ok = sorter_add(s, record, &err);
	assert_false(ok);
	assert_non_null(strstr(err.message, "cannot write the file '/nonexistent/scratch'"));
	sorter_free(s);
	sorter_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(read_where_they_were_put),
		cmocka_unit_test(a_copy_of_the_first),
		cmocka_unit_test(damaged_files),
		cmocka_unit_test(a_full_disk),
		cmocka_unit_test(sorts_what_memory_holds),
		cmocka_unit_test(sorts_more_than_memory_holds),
		cmocka_unit_test(a_scratch_file_that_cannot_be),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

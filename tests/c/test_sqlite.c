// The engine without Lua: the cache, statements that outlive their handle, offsets of exec, codes and hints.
#include <fcntl.h>
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

#include "base/stop.h"
#include "io/sqlite.h"

static char folder[] = "/tmp/syncrun_test_sqlite_XXXXXX";
static char path[64], target[64];

static int make_folder(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof path, "%s/a.db", folder);
	snprintf(target, sizeof target, "%s/target", folder);
	return 0;
}

static int remove_files(void **state)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	char name[80];

	(void)state;
	for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
		snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
		unlink(name);
	}
	unlink(target);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

static struct sqlite_db *open_mode(enum sqlite_mode mode, struct err *err)
{
	struct sqlite_options options = {.mode = mode, .wal = true, .synchronous = "normal"};

	return sqlite_open(path, &options, NULL, err);
}

static struct sqlite_db *open_ok(enum sqlite_mode mode)
{
	struct err err = {0};
	struct sqlite_db *db = open_mode(mode, &err);

	if (db == NULL)
		fail_msg("%s", err.message);
	return db;
}

static void exec(struct sqlite_db *db, const char *sql)
{
	size_t len = strlen(sql), at = 0, next;
	struct err err = {0};

	for (; at < len; at += next)
		if (!sqlite_exec_one(db, sql + at, len - at, &next, &err))
			fail_msg("%s", err.message);
}

static int64_t get_integer(struct sqlite_db *db, const char *sql)
{
	struct sqlite_stmt *stmt = sqlite_take(db, sql, strlen(sql), NULL);
	struct sqlite_value value;

	assert_non_null(stmt);
	assert_int_equal(sqlite_step(stmt, NULL), SQLITE_STEP_ROW);
	assert_true(sqlite_column(stmt, 0, &value, NULL));
	assert_int_equal(value.type, SQLITE_TYPE_INTEGER);
	sqlite_give(stmt);
	return value.integer;
}

static void refuses(struct sqlite_db *db, const char *sql, const char *message)
{
	struct err err = {0};

	assert_null(sqlite_take(db, sql, strlen(sql), &err));
	if (strstr(err.message, message) == NULL)
		fail_msg("'%s' has no '%s'", err.message, message);
}

static void test_cache(void **state)
{
	struct sqlite_db *db = open_ok(SQLITE_MODE_MEMORY);
	struct sqlite_stmt *a = sqlite_take(db, "SELECT 1 -- x", 13, NULL), *b, *c;
	char sql[32];

	(void)state;
	assert_non_null(a);
	b = sqlite_take(db, "SELECT 1 -- x", 13, NULL);
	assert_ptr_not_equal(a, b); // the first is in use
	sqlite_give(a);
	c = sqlite_take(db, "SELECT 1 -- x", 13, NULL);
	assert_ptr_equal(a, c);
	sqlite_give(b);
	sqlite_give(c);
	sqlite_give(NULL);
	for (int i = 0; i < 200; i++) {
		snprintf(sql, sizeof sql, "SELECT %d", i);
		assert_int_equal(get_integer(db, sql), i);
	}
	sqlite_close(db);
	sqlite_close(NULL);
}

static void test_statement_outlives_its_handle(void **state)
{
	struct sqlite_db *db = open_ok(SQLITE_MODE_MEMORY);
	struct sqlite_stmt *stmt = sqlite_take(db, "SELECT 1 UNION SELECT 2", 23, NULL);
	struct sqlite_value value = {.type = SQLITE_TYPE_INTEGER};
	struct err err = {0};

	(void)state;
	assert_int_equal(sqlite_step(stmt, NULL), SQLITE_STEP_ROW);
	sqlite_close(db);
	assert_int_equal(sqlite_step(stmt, &err), SQLITE_STEP_ERROR);
	assert_string_equal(err.code, "closed");
	assert_false(sqlite_bind(stmt, 1, &value, false, NULL));
	assert_int_equal(sqlite_column_count(stmt), 0);
	assert_string_equal(sqlite_column_name(stmt, 0), "");
	sqlite_give(stmt);
}

static void test_one_statement(void **state)
{
	struct sqlite_db *db = open_ok(SQLITE_MODE_MEMORY);

	(void)state;
	assert_int_equal(get_integer(db, "SELECT 1; -- and no more\n ; /* really */ ;"), 1);
	refuses(db, "SELECT 1; SELECT 2", "more than one statement in 'SELECT 1");
	refuses(db, "SELECT 1; /* c */ ; SELECT 2", "more than one statement");
	refuses(db, "SELECT 1; nonsense", "more than one statement");
	refuses(db, "", "is empty");
	refuses(db, " -- nothing", "is empty");
	refuses(db, "SELEC 1", "cannot run 'SELEC 1' on '/tmp");
	refuses(db, "INSERT \n INTO  nowhere VALUES ('secret')", "cannot run 'INSERT INTO nowhere VALUES' on");
	assert_null(sqlite_take(db, "SELECT 1\0, 2", 12, NULL));
	sqlite_close(db);
}

static void test_exec_goes_on_where_it_failed(void **state)
{
	static const char sql[] =
		"; CREATE TABLE t (a PRIMARY KEY);/**/ INSERT INTO t VALUES (1); INSERT INTO t VALUES (1);";
	struct sqlite_db *db = open_ok(SQLITE_MODE_MEMORY);
	size_t at = 0, next, len = sizeof sql - 1;
	struct err err = {0};

	(void)state;
	while (at < len && sqlite_exec_one(db, sql + at, len - at, &next, &err))
		at += next;
	assert_string_equal(sql + at, " INSERT INTO t VALUES (1);");
	assert_string_equal(err.code, "SQLITE_CONSTRAINT_PRIMARYKEY");
	assert_int_equal(err.kind, ERR_SQLITE);
	assert_false(err.retryable);
	assert_int_equal(get_integer(db, "SELECT count(*) FROM t"), 1);
	sqlite_close(db);
}

static void test_changes(void **state)
{
	struct sqlite_db *db = open_ok(SQLITE_MODE_MEMORY);
	struct sqlite_stmt *stmt;
	int64_t n = -1;

	(void)state;
	exec(db, "CREATE TABLE t (a); INSERT INTO t VALUES (1), (2), (3)");
	stmt = sqlite_take(db, "UPDATE t SET a = 0 WHERE a > 1", 30, NULL);
	assert_true(sqlite_run(stmt, &n, NULL));
	assert_int_equal(n, 2);
	assert_true(sqlite_run(stmt, &n, NULL)); // a second time without a reset between
	assert_int_equal(n, 0);
	sqlite_give(stmt);
	assert_int_equal(sqlite_last_rowid(db), 3);
	sqlite_close(db);
}

static void test_busy(void **state)
{
	struct sqlite_db *a = open_ok(SQLITE_MODE_CREATE), *b = open_ok(SQLITE_MODE_WRITE);
	struct err err = {0};
	size_t next;

	(void)state;
	exec(a, "CREATE TABLE t (a); BEGIN IMMEDIATE; INSERT INTO t VALUES (1)");
	assert_true(sqlite_in_transaction(a));
	assert_false(sqlite_exec_one(b, "BEGIN IMMEDIATE", 15, &next, &err));
	assert_string_equal(err.code, "SQLITE_BUSY");
	assert_true(err.retryable);
	assert_int_equal(get_integer(b, "SELECT count(*) FROM t"), 0); // readers do not wait
	exec(a, "COMMIT");
	assert_false(sqlite_in_transaction(a));
	exec(b, "BEGIN IMMEDIATE; COMMIT");
	sqlite_close(a);
	sqlite_close(b);
}

// A reader that wants to write after someone else wrote: waiting does not help, so it is not called retryable.
static void test_busy_snapshot(void **state)
{
	struct sqlite_db *a = open_ok(SQLITE_MODE_CREATE), *b = open_ok(SQLITE_MODE_WRITE);
	struct err err = {0};
	size_t next;

	(void)state;
	exec(a, "CREATE TABLE t (a); BEGIN; SELECT * FROM t");
	exec(b, "INSERT INTO t VALUES (1)");
	assert_false(sqlite_exec_one(a, "INSERT INTO t VALUES (2)", 24, &next, &err));
	assert_string_equal(err.code, "SQLITE_BUSY_SNAPSHOT");
	assert_false(err.retryable);
	sqlite_close(a);
	sqlite_close(b);
}

static void expect_mode(const char *suffix)
{
	char name[80];
	struct stat st;

	snprintf(name, sizeof name, "%s%s", path, suffix);
	assert_int_equal(stat(name, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_files_are_private(void **state)
{
	mode_t before = umask(0);
	struct sqlite_db *db = open_ok(SQLITE_MODE_CREATE);

	(void)state;
	exec(db, "CREATE TABLE t (a)");
	expect_mode("");
	expect_mode("-wal");
	expect_mode("-shm");
	sqlite_close(db);
	umask(before);
}

// A dangling symbolic link is not followed to make a file where it points.
static void test_dangling_link(void **state)
{
	struct err err = {0};

	(void)state;
	assert_int_equal(symlink(target, path), 0);
	assert_null(open_mode(SQLITE_MODE_CREATE, &err));
	assert_string_equal(err.code, "SQLITE_CANTOPEN");
	assert_int_equal(access(target, F_OK), -1);
}

static void test_modes(void **state)
{
	struct err err = {0};
	struct sqlite_db *db;
	size_t next;

	(void)state;
	assert_null(open_mode(SQLITE_MODE_WRITE, &err));
	assert_string_equal(err.code, "SQLITE_CANTOPEN");
	db = open_ok(SQLITE_MODE_CREATE);
	exec(db, "CREATE TABLE t (a)");
	assert_false(sqlite_is_readonly(db));
	sqlite_close(db);
	db = open_ok(SQLITE_MODE_READ);
	assert_true(sqlite_is_readonly(db));
	assert_false(sqlite_exec_one(db, "INSERT INTO t VALUES (1)", 24, &next, &err));
	assert_string_equal(err.code, "SQLITE_READONLY");
	assert_non_null(strstr(err.message, "may this user write"));
	sqlite_close(db);
}

static void test_not_a_database(void **state)
{
	struct err err = {0};
	int fd = open(path, O_CREAT | O_WRONLY, 0600);

	(void)state;
	for (int i = 0; i < 100; i++)
		assert_int_equal(write(fd, "this is a text file, really\n", 28), 28);
	close(fd);
	assert_null(open_mode(SQLITE_MODE_CREATE, &err));
	assert_string_equal(err.code, "SQLITE_NOTADB");
	assert_non_null(strstr(err.message, "file is not a database); name another file"));
}

// A path leads to a live database by any of its names, as long as a handle has it open.
static void test_live(void **state)
{
	struct sqlite_db *db = open_ok(SQLITE_MODE_CREATE), *second, *memory;
	char name[80], attach[100];

	(void)state;
	exec(db, "CREATE TABLE t (a)");
	assert_true(sqlite_is_live(path));
	snprintf(name, sizeof name, "%s-wal", path);
	assert_true(sqlite_is_live(name));
	snprintf(name, sizeof name, "%s-shm", path);
	assert_true(sqlite_is_live(name));
	assert_int_equal(link(path, target), 0);
	assert_true(sqlite_is_live(target));
	unlink(target);
	assert_int_equal(symlink(path, target), 0);
	assert_true(sqlite_is_live(target));
	assert_false(sqlite_is_live("/etc/passwd"));
	assert_false(sqlite_is_live("/nowhere"));
	assert_false(sqlite_is_live(folder));

	second = open_ok(SQLITE_MODE_READ);
	sqlite_close(db);
	assert_true(sqlite_is_live(path));
	sqlite_close(second);
	assert_false(sqlite_is_live(path));

	memory = open_ok(SQLITE_MODE_MEMORY);
	assert_false(sqlite_is_live(path));
	snprintf(attach, sizeof attach, "ATTACH '%s' AS other", path);
	exec(memory, attach);
	assert_true(sqlite_is_live(path));
	sqlite_close(memory);
	assert_false(sqlite_is_live(path));
}

static int asked;

static bool stop_at_third(void)
{
	return ++asked >= 3;
}

// A statement that runs long asks whether it should end; one that was ended can be run again, a transaction is undone.
static void test_stopped(void **state)
{
	static const char endless[] =
		"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
	struct sqlite_db *db = open_ok(SQLITE_MODE_CREATE);
	struct sqlite_stmt *stmt = sqlite_take(db, endless, sizeof endless - 1, NULL);
	struct err err = {0};
	size_t next;

	(void)state;
	stop_on_ask(stop_at_third);
	asked = 0;
	assert_int_equal(sqlite_step(stmt, &err), SQLITE_STEP_ERROR);
	assert_int_equal(asked, 3);
	assert_int_equal(err.kind, ERR_CANCELLED);
	assert_false(err.retryable);
	sqlite_give(stmt);

	exec(db, "CREATE TABLE t (a); BEGIN; INSERT INTO t VALUES (1)");
	asked = 0;
	assert_false(sqlite_exec_one(db, endless, sizeof endless - 1, &next, &err));
	assert_int_equal(err.kind, ERR_CANCELLED);
	assert_true(sqlite_in_transaction(db)); // it only read
	stop_on_ask(NULL);
	exec(db, "COMMIT; DROP TABLE t");
	sqlite_close(db);
}

static void test_empty_path(void **state)
{
	struct sqlite_options options = {.mode = SQLITE_MODE_CREATE};
	struct err err = {0};

	(void)state;
	assert_null(sqlite_open("", &options, NULL, &err));
	assert_int_equal(err.kind, ERR_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cache),
		cmocka_unit_test(test_statement_outlives_its_handle),
		cmocka_unit_test(test_one_statement),
		cmocka_unit_test(test_exec_goes_on_where_it_failed),
		cmocka_unit_test(test_changes),
		cmocka_unit_test_teardown(test_busy, remove_files),
		cmocka_unit_test_teardown(test_busy_snapshot, remove_files),
		cmocka_unit_test_teardown(test_files_are_private, remove_files),
		cmocka_unit_test_teardown(test_dangling_link, remove_files),
		cmocka_unit_test_teardown(test_modes, remove_files),
		cmocka_unit_test_teardown(test_not_a_database, remove_files),
		cmocka_unit_test_teardown(test_live, remove_files),
		cmocka_unit_test_teardown(test_stopped, remove_files),
		cmocka_unit_test(test_empty_path),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

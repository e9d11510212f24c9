// The log's lines as another process would read them: a pipe stands in for stderr.
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/redact.h"
#include "base/sink.h"

static int pipe_fds[2], saved_stderr;
static char seen[4096];

static int capture(void **state)
{
	(void)state;
	assert_int_equal(pipe(pipe_fds), 0);
	saved_stderr = dup(STDERR_FILENO);
	dup2(pipe_fds[1], STDERR_FILENO);
	return 0;
}

static int release(void **state)
{
	(void)state;
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	log_set_level(LOG_INFO);
	log_set_json(false);
	redact_reset();
	return 0;
}

static const char *read_line(void)
{
	ssize_t n;

	// A mark of our own, so that an empty log does not block.
	assert_int_equal(write(pipe_fds[1], "|", 1), 1);
	n = read(pipe_fds[0], seen, sizeof seen - 1);
	assert_true(n > 0);
	seen[n - 1] = '\0';
	return seen;
}

static void test_text_line(void **state)
{
	const char *line;

	(void)state;
	log_printf(LOG_INFO, "%d contacts", 5);
	line = read_line();
	assert_int_equal(strlen(line), strlen("HH:MM:SS.mmm info  5 contacts\n"));
	assert_true(line[2] == ':' && line[5] == ':' && line[8] == '.');
	assert_string_equal(line + 12, " info  5 contacts\n");
}

static void test_json_line(void **state)
{
	const char *line;

	(void)state;
	log_set_json(true);
	log_printf(LOG_WARN, "a \"b\" \\ \n \xff");
	line = read_line();
	assert_memory_equal(line, "{\"time\":\"2", 10);
	assert_string_equal(
		strstr(line, "Z\""), "Z\",\"level\":\"warn\",\"message\":\"a \\\"b\\\" \\\\ \\\\x0a \\\\xff\"}\n");
}

static void test_levels(void **state)
{
	(void)state;
	log_printf(LOG_DEBUG, "hidden");
	assert_string_equal(read_line(), "");
	log_set_level(LOG_DEBUG);
	assert_int_equal(log_get_level(), LOG_DEBUG);
	log_printf(LOG_DEBUG, "shown");
	assert_string_equal(read_line() + 12, " debug shown\n");
	log_set_level(LOG_OFF);
	log_printf(LOG_ERROR, "hidden");
	log_write(LOG_OFF, "hidden", 6);
	assert_string_equal(read_line(), "");
}

static void test_controls_and_utf8(void **state)
{
	(void)state;
	log_write(LOG_ERROR, "\x1b[31m\r\n\t\x7f\xc2\x9b\0é€😀\xed\xa0\x80", 24);
	assert_string_equal(read_line() + 12, " error \\x1b[31m\\x0d\\x0a\\x09\\x7f\\u009b\\x00é€😀\\xed\\xa0\\x80\n");
}

static void test_secrets(void **state)
{
	(void)state;
	assert_true(redact_add("line1\nline2", 11));
	log_printf(LOG_ERROR, "key line1\nline2 and postgres://u:pw@h/");
	assert_string_equal(read_line() + 12, " error key *** and postgres://u:***@h/\n");
}

static void test_long_line(void **state)
{
	char text[2000];

	(void)state;
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	log_printf(LOG_INFO, "%s", text);
	assert_int_equal(strlen(read_line()), 12 + strlen(" info  ") + 1999 + 1);
}

// A full, non-blocking pipe: the writer waits for room instead of losing bytes.
static void test_sink_write_waits(void **state)
{
	size_t big = 1 << 18, got = 0;
	char *data = malloc(big);
	pid_t reader;
	int status;

	(void)state;
	assert_non_null(data);
	memset(data, 'x', big);
	assert_int_equal(fcntl(pipe_fds[1], F_SETFL, O_NONBLOCK), 0);
	reader = fork();
	if (reader == 0)
		_exit(sink_write(pipe_fds[1], data, big) ? 0 : 1);
	while (got < big) {
		ssize_t n = read(pipe_fds[0], seen, sizeof seen);

		assert_true(n > 0);
		got += (size_t)n;
	}
	assert_int_equal(waitpid(reader, &status, 0), reader);
	assert_int_equal(status, 0);
	assert_int_equal(got, big);
	free(data);
}

static void test_sink_write_fails(void **state)
{
	int fd = open("/dev/full", O_WRONLY);

	(void)state;
	assert_true(fd >= 0);
	assert_false(sink_write(fd, "x", 1));
	assert_int_equal(errno, ENOSPC);
	assert_true(sink_write(fd, "", 0));
	close(fd);
	assert_false(sink_write(-1, "x", 1));
	assert_int_equal(errno, EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_text_line, capture, release),
		cmocka_unit_test_setup_teardown(test_json_line, capture, release),
		cmocka_unit_test_setup_teardown(test_levels, capture, release),
		cmocka_unit_test_setup_teardown(test_controls_and_utf8, capture, release),
		cmocka_unit_test_setup_teardown(test_secrets, capture, release),
		cmocka_unit_test_setup_teardown(test_long_line, capture, release),
		cmocka_unit_test_setup_teardown(test_sink_write_waits, capture, release),
		cmocka_unit_test_setup_teardown(test_sink_write_fails, capture, release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

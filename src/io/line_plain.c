// Lines as they come from a pipe or a file: what was read beyond one is kept for the next.
#include "io/line_plain.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "io/loop.h"

enum { READ_SIZE = 65536, LONGEST = 16 << 20 };

static struct {
	struct watch watch;
	struct timer at_once; // a whole line is there already
	struct buf buf;       // what was read and not handed over
	bool ended;
	line_done *done;
	void *arg;
} plain;

static void hand_over(char *text, const struct err *err)
{
	line_done *done = plain.done;

	line_plain_stop();
	done(plain.arg, text, err);
}

// The first n bytes of what was read, as a line; those and `end` more are gone from it.
static void take_line(size_t n, size_t end)
{
	char *text = malloc(n + 1);
	struct err err;

	if (text == NULL) {
		err_no_memory(&err);
		hand_over(NULL, &err);
		return;
	}
	memcpy(text, plain.buf.data, n);
	text[n] = '\0';
	buf_shift(&plain.buf, n + end);
	hand_over(text, NULL);
}

// Hand over a line, or the end; false when more must be read first.
static bool try_line(void)
{
	const char *newline = plain.buf.len > 0 ? memchr(plain.buf.data, '\n', plain.buf.len) : NULL;
	struct err err;

	if (newline != NULL) {
		take_line((size_t)(newline - plain.buf.data), 1);
	} else if (plain.buf.len > LONGEST) {
		err_set(&err, ERR_LIMIT, "line", "a line of standard input is longer than %d MiB", LONGEST >> 20);
		hand_over(NULL, &err);
	} else if (plain.ended && plain.buf.len > 0) {
		take_line(plain.buf.len, 0);
	} else if (plain.ended) {
		hand_over(NULL, NULL);
	} else {
		return false;
	}
	return true;
}

static void on_input(struct watch *watch, short revents)
{
	char bytes[READ_SIZE];
	ssize_t n = read(STDIN_FILENO, bytes, sizeof bytes);
	struct err err;

	(void)watch;
	(void)revents;
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		plain.ended = true;
	} else if (!buf_put(&plain.buf, bytes, (size_t)n)) {
		err_no_memory(&err);
		hand_over(NULL, &err);
		return;
	}
	try_line();
}

static void on_at_once(struct timer *timer)
{
	(void)timer;
	try_line();
}

bool line_plain_start(line_done *done, void *arg)
{
	if (plain.done != NULL)
		return false;
	plain.done = done;
	plain.arg = arg;
	if (plain.ended || (plain.buf.len > 0 && memchr(plain.buf.data, '\n', plain.buf.len) != NULL))
		timer_start(&plain.at_once, 0, on_at_once);
	else
		watch_start(&plain.watch, STDIN_FILENO, POLLIN, on_input);
	return true;
}

void line_plain_stop(void)
{
	plain.done = NULL;
	timer_stop(&plain.at_once);
	watch_stop(&plain.watch);
}

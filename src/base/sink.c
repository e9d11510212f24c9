// Masked writes, and the standard streams behind them. Knows nothing of what is written.
//
// fopencookie is GNU's (BSD: funopen): a stream of stdio whose bytes come to a function of ours. That way print,
// io.write and warn of Lua, and what a library says, need no replacement.
#define _GNU_SOURCE
#include "base/sink.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

enum { STDOUT_BUFFER = 64 * 1024 };

static struct sink standard[] = {{.fd = STDOUT_FILENO}, {.fd = STDERR_FILENO}};
static FILE *terminal;

// ---- writing

static bool wait_writable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	return poll(&p, 1, -1) >= 0 || errno == EINTR;
}

static bool write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n >= 0) {
			data += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			if (!wait_writable(fd))
				return false;
		} else if (errno != EINTR) {
			return false;
		}
	}
	return true;
}

// Write the masked text, if it could be made, and give it back.
static bool deliver(int fd, bool ok, struct buf *masked)
{
	int saved;

	if (!ok)
		errno = ENOMEM;
	ok = ok && write_all(fd, masked->data, masked->len);
	saved = errno;
	buf_free(masked);
	errno = saved;
	return ok;
}

bool sink_put(struct sink *s, const char *text, size_t len)
{
	struct buf masked = {0};

	return deliver(s->fd, redact_stream_put(&s->stream, &masked, text, len), &masked);
}

bool sink_end(struct sink *s)
{
	struct buf masked = {0};

	return deliver(s->fd, redact_stream_end(&s->stream, &masked), &masked);
}

void sink_free(struct sink *s)
{
	redact_stream_free(&s->stream);
}

bool sink_write(int fd, const char *text, size_t len)
{
	struct buf masked = {0};

	return deliver(fd, redact_append(&masked, text, len), &masked);
}

// ---- the standard streams

struct sink *sink_standard(int fd)
{
	return &standard[fd == STDOUT_FILENO ? 0 : 1];
}

FILE *sink_terminal(void)
{
	return terminal != NULL ? terminal : stdout;
}

static ssize_t cookie_write(void *cookie, const char *text, size_t len)
{
	return sink_put(cookie, text, len) ? (ssize_t)len : 0;
}

static FILE *open_stream(struct sink *s, int mode, size_t size)
{
	FILE *f = fopencookie(s, "w", (cookie_io_functions_t){.write = cookie_write});

	if (f != NULL && setvbuf(f, NULL, mode, size) != 0) {
		fclose(f);
		f = NULL;
	}
	return f;
}

// At exit, before stdio flushes by itself.
static void end_standard(void)
{
	fflush(stdout);
	for (size_t i = 0; i < sizeof standard / sizeof standard[0]; i++)
		(void)sink_end(&standard[i]);
}

bool sink_open_standard(void)
{
	FILE *out = open_stream(&standard[0], isatty(STDOUT_FILENO) ? _IOLBF : _IOFBF, STDOUT_BUFFER);
	FILE *err = open_stream(&standard[1], _IONBF, 0);

	if (out == NULL || err == NULL || atexit(end_standard) != 0)
		return false;
	terminal = stdout;
	stdout = out;
	stderr = err;
	return true;
}

// Log lines on stderr. Knows levels and spelling; what is worth a line is the callers' business.
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/civil.h"
#include "base/clock.h"
#include "base/redact.h"
#include "base/sink.h"
#include "base/visible.h"

static const char *const level_names[] = {"debug", "info", "warn", "error"};

static enum log_level threshold = LOG_INFO;
static bool as_json;

void log_set_level(enum log_level level)
{
	threshold = level;
}

enum log_level log_get_level(void)
{
	return threshold;
}

void log_set_json(bool json)
{
	as_json = json;
}

// Append visible text as the inside of a JSON string: only quotes and backslashes are left to escape.
static bool put_json(struct buf *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((text[i] == '"' || text[i] == '\\') && !buf_putc(out, '\\'))
			return false;
		if (!buf_putc(out, text[i]))
			return false;
	}
	return true;
}

static bool put_text_line(struct buf *line, const char *time, const char *level, const struct buf *message)
{
	// "2026-01-02T03:04:05.123Z": the text form needs no date.
	return buf_put(line, time + 11, 12) && buf_printf(line, " %-5s ", level) &&
		   buf_put(line, message->data, message->len) && buf_putc(line, '\n');
}

static bool put_json_line(struct buf *line, const char *time, const char *level, const struct buf *message)
{
	return buf_printf(line, "{\"time\":\"%s\",\"level\":\"%s\",\"message\":\"", time, level) &&
		   put_json(line, message->data, message->len) && buf_puts(line, "\"}\n");
}

// Masked before it is made visible, so that a secret with a control character in it is still found.
static bool build_line(struct buf *line, enum log_level level, const char *text, size_t len)
{
	struct buf masked = {0}, message = {0};
	char time[CIVIL_TEXT_SIZE];
	bool ok;

	civil_format_rfc3339(clock_wall_us(), 3, time);
	ok = redact_append(&masked, text, len) && visible_text(&message, masked.data, masked.len) &&
		 (as_json ? put_json_line : put_text_line)(line, time, level_names[level], &message);
	buf_free(&masked);
	buf_free(&message);
	return ok;
}

void log_write(enum log_level level, const char *text, size_t len)
{
	static const char no_memory[] = "a log line was lost: out of memory\n";
	struct buf line = {0};
	int saved = errno;

	if (level < threshold || level >= LOG_OFF)
		return;
	// A log that cannot be written has nobody left to tell. What a script has begun on stderr comes first.
	(void)sink_end(sink_standard(STDERR_FILENO));
	if (build_line(&line, level, text, len))
		(void)sink_write(STDERR_FILENO, line.data, line.len);
	else
		(void)sink_write(STDERR_FILENO, no_memory, sizeof no_memory - 1);
	buf_free(&line);
	errno = saved;
}

void log_printf(enum log_level level, const char *format, ...)
{
	struct buf text = {0};
	char small[512];
	va_list args;
	int n;

	if (level < threshold)
		return;
	va_start(args, format);
	n = vsnprintf(small, sizeof small, format, args);
	va_end(args);
	if (n < 0)
		return;
	if ((size_t)n < sizeof small || !buf_reserve(&text, (size_t)n)) {
		log_write(level, small, strlen(small));
		return;
	}
	va_start(args, format);
	vsnprintf(text.data, text.cap, format, args);
	va_end(args);
	log_write(level, text.data, (size_t)n);
	buf_free(&text);
}

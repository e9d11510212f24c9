// How text from outside is shown: honest for the reader, harmless for what it is shown in. In messages, log lines and
// reports for people; files for programs (JSON, databases) keep the bytes.
//
// What a reader would not see is spelled out: control characters as \x1b, direction overrides, spaces that are not the
// plain one, characters without a shape (zero-width ones, soft hyphens, variation selectors, tags) as \u200b or
// \u{e0001}, bytes that are not UTF-8 as \xff. So a text is one unbroken line, and two that look the same are the same,
// but for letters that look alike. The wide space of East Asia stays: it is seen, and stands in names.
#ifndef SYNCRUN_BASE_VISIBLE_H
#define SYNCRUN_BASE_VISIBLE_H

#include "base/buf.h"

enum {
	VISIBLE_EXCERPT = 2048, // bytes that are shown of what a server or a script says
	VISIBLE_MESSAGE = 4096, // and of an error's message, which may hold such an excerpt
};

// All of these append to out, and return false when memory runs out.

// For a terminal, a message, a log line. What it gives it leaves as it is.
bool visible_text(struct buf *out, const char *text, size_t len);
// The same with line ends and tabs kept: what a script raised, a traceback.
bool visible_lines(struct buf *out, const char *text, size_t len);
// The one or the other into a fixed buffer (error messages), cut at size - 1 bytes, always terminated; `text` may be
// the buffer.
void visible_copy(char *out, size_t size, const char *text, bool lines);
// The one or the other in `most` bytes at most: what is longer is cut, and how much is missing is said. An excerpt is
// its own.
bool visible_excerpt(struct buf *out, const char *text, size_t len, size_t most, bool lines);
// JSON text whose characters that a reader would not see are escaped as \u202e: the same value, for files that people
// open too.
bool visible_json(struct buf *out, const char *json, size_t len);
// As visible_text, as a cell of CSV (RFC 4180), quoted. One that a spreadsheet would take for a formula gets a ' before
// it.
bool visible_csv(struct buf *out, const char *text, size_t len);

#endif

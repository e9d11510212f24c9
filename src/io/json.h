// JSON text (RFC 8259), strict and lossless: a pull reader over a whole text in memory, the writer of strings and
// numbers, and the one canonical form of a text. Numbers stay text: nothing passes through a double unless asked.
//
// Strict means: one value, no byte order mark, no comments, no trailing commas, no control characters in strings, valid
// UTF-8 only, at most JSON_DEPTH_MAX containers deep. An escape such as \ud800 without its other half is refused, since
// no UTF-8 text can hold it. Repeated keys are legal (RFC 8259 section 4) and handed on as they come.
//
// Every failure is of kind ERR_JSON, its message says line and column (both from 1, the column in bytes), its code is
// one of "syntax", "truncated", "depth", "utf8", "lone_surrogate", "control".
#ifndef SYNCRUN_IO_JSON_H
#define SYNCRUN_IO_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum { JSON_DEPTH_MAX = 512, JSON_DOUBLE_SIZE = 32 };

enum json_type {
	JSON_END, // behind the one value, nothing but space
	JSON_NULL,
	JSON_FALSE,
	JSON_TRUE,
	JSON_NUMBER,
	JSON_STRING,
	JSON_KEY, // a member's name; its colon is consumed, its value comes next
	JSON_ARRAY,
	JSON_ARRAY_END,
	JSON_OBJECT,
	JSON_OBJECT_END
};

struct json_token {
	enum json_type type;
	bool escaped;     // a string or key with a backslash in it: needs json_unescape
	const char *text; // the spelling, inside the reader's text; of strings and keys what stands between the quotes
	size_t len;
};

struct json_reader {
	const char *text, *end; // borrowed
	const char *at;         // the next byte to read
	unsigned depth;         // open containers
	unsigned char state;
	uint64_t objects[JSON_DEPTH_MAX / 64]; // a bit per open container: it is an object
};

// Start reading; allocates nothing, the text must stay in place while it is read.
void json_reader_init(struct json_reader *r, const char *text, size_t len);
// The next token. After JSON_END, JSON_END again. After a failure the reader must not be used further.
bool json_next(struct json_reader *r, struct json_token *token, struct err *err);
// Finish the value whose first token was just read (of a container: up to and with its end), and give its whole
// spelling, quotes included. *text and *len may be NULL.
bool json_finish(
	struct json_reader *r, const struct json_token *token, const char **text, size_t *len, struct err *err);
// Set *err to a json failure that points at this byte of the reader's text; false, as err_set.
bool json_fail_at(const struct json_reader *r, const char *at, const char *code, const char *what, struct err *err);
// "a string", "an object": for messages.
const char *json_type_name(enum json_type type);

// Is the text exactly one JSON value? On false, err says where not.
bool json_validate(const char *text, size_t len, struct err *err);
// Is the text exactly a JSON number (no space around it)?
bool json_number_valid(const char *text, size_t len);

// Write what an escaped string token means to out, which must have room for len bytes (unescaping never grows);
// the length written. The text must come from a token.
size_t json_unescape(char *out, const char *text, size_t len);
// Append text as a JSON string, quotes included: escapes only the quote, the backslash and control characters (\b \t
// \n \f \r, others as \u00xx), as JSON.stringify and RFC 8785 do. Fails on invalid UTF-8 and when memory runs out.
bool json_put_string(struct buf *out, const char *text, size_t len, struct err *err);

// Append the number's canonical form: its exact decimal value as `-` if negative, the digits without leading or
// trailing zeros, and `e` with the exponent when it is not 0: 1.10 is 11e-1, 1000 and 1e3 are 1e3, 42 is 42, 0.0 and -0
// are 0. Exponents of any length are exact. The text must be a number token. False when memory runs out.
bool json_number_canonical(struct buf *out, const char *text, size_t len);
// The value of a number spelled without fraction and exponent, if it fits (-0 does not: its sign would be lost).
bool json_number_int64(const char *text, size_t len, int64_t *value);
// The digits of an integer of int64's range, however it is spelled (1e3, 5.0, -0), as an int64.
bool json_number_integral(const char *text, size_t len, int64_t *value);
// The nearest double (infinite when too large). True when the double's shortest text is the same decimal value, that
// is, when nothing was lost.
bool json_number_double(const char *text, size_t len, double *value);
// Does the number survive JavaScript's JSON.parse and JSON.stringify with the same decimal value? spelling gets what
// JavaScript would print ("null" for what is infinite there).
bool json_number_is_js_exact(const char *text, size_t len, char spelling[JSON_DOUBLE_SIZE]);
// The shortest digits that read back as this finite double, laid out as JavaScript does (1e21, 1e-7, 0.1, 100), but -0
// as "-0". Never depends on the locale. The length.
size_t json_double_text(double value, char out[JSON_DOUBLE_SIZE]);

// Append the canonical form of a text: no space, keys sorted by their bytes, of a repeated key the last value only
// (*duplicates, when not NULL, says whether there was one), strings as json_put_string writes them, numbers canonical.
// On failure out is as before.
bool json_canonical(struct buf *out, const char *text, size_t len, bool *duplicates, struct err *err);

#endif

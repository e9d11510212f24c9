// The registry of secrets, and the masking that every sink (terminal, log, report, ledger, error text) goes through.
//
// Whoever reads a secret (a password of a URI, an API key, a token) registers it before anything else is done with it;
// what nobody registered is masked when it looks like a secret (secret_form.h). Secrets shorter than 6 bytes are not
// masked by value: they would blank out ordinary text. Neither are a few words that are well-known passwords but also
// what our own output is made of ("postgres").
#ifndef SYNCRUN_BASE_REDACT_H
#define SYNCRUN_BASE_REDACT_H

#include "base/buf.h"

// Remember a secret, also as it is spelled inside URLs and JSON; of a private key each line too, as other programs'
// messages quote it. False when memory runs out.
bool redact_add(const char *secret, size_t len);
// Remember what is secret in a setting: all of it when the name says so (TWENTY_API_KEY, PGPASSWORD, client_secret …)
// or when it is a credentials file's text instead of its path, else what looks like a secret in it. False when memory
// runs out.
bool redact_add_setting(const char *name, const char *value, size_t len);
// The same for every variable of the environment.
bool redact_add_environment(void);
// Append text to out with every secret in it replaced by "***". False when memory runs out.
bool redact_append(struct buf *out, const char *text, size_t len);
// Mask in place into a fixed buffer (error messages): out is always terminated, cut at size - 1 bytes.
void redact_copy(char *out, size_t size, const char *text);
// Forget all (tests). A process never does: what stdio holds is masked when it is written, at exit.
void redact_reset(void);

// A text that comes in pieces: a secret that lies across two of them is masked too. Zeroed it is ready for use.
struct redact_stream {
	struct buf text; // of what came: what the next piece may make a secret of
	size_t given;    // its first bytes that were handed out all the same, since they cannot be a part of one
	bool in_word;    // a letter, digit or _ stood before the text
};

// Append to out what is decided. What only looks like a secret is held back up to 16 KiB. False when memory runs out.
bool redact_stream_put(struct redact_stream *s, struct buf *out, const char *text, size_t len);
// The text has ended: append what was held back, masked as it stands. The stream can be used for another text.
bool redact_stream_end(struct redact_stream *s, struct buf *out);
void redact_stream_free(struct redact_stream *s);

#endif

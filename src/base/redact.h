// The registry of secrets, and the masking that every sink (log, report, ledger, error text) goes through.
//
// Whoever reads a secret (a password of a URI, an API key, a token) registers it before anything else is done with it.
// Secrets shorter than 6 bytes are not masked by value: they would blank out ordinary text.
#ifndef SYNCRUN_BASE_REDACT_H
#define SYNCRUN_BASE_REDACT_H

#include "base/buf.h"

// Remember a secret. Also its URL-encoded form, since secrets travel inside URLs. False when memory runs out.
bool redact_add(const char *secret, size_t len);
// Append text to out with every registered secret, every "Bearer x" and every password inside "scheme://user:password@"
// replaced by "***". False when memory runs out.
bool redact_append(struct buf *out, const char *text, size_t len);
// Mask in place into a fixed buffer (error messages): out is always terminated, cut at size - 1 bytes.
void redact_copy(char *out, size_t size, const char *text);
// Forget all (tests, end of process).
void redact_reset(void);

#endif

// The one error value of every layer below Lua.
//
// A function that can fail takes a `struct err *` last, returns bool (or a pointer), and on false/NULL has set it and
// holds nothing. The binding layer turns it into the Lua error object {kind, message, code, retryable}.
#ifndef SYNCRUN_BASE_ERR_H
#define SYNCRUN_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>

enum err_kind {
	ERR_NONE,
	ERR_USAGE,     // the caller's words are off
	ERR_CONFIG,    // a setting, a file, a schema does not fit
	ERR_HTTP,      // an exchange failed in transport, or a server's answer makes no sense
	ERR_POSTGRES,  // code is the SQLSTATE where there is one
	ERR_SQLITE,    // code is the name of the result code, as "SQLITE_BUSY"
	ERR_JSON,      // text that is not JSON
	ERR_TIMEOUT,   // a deadline passed
	ERR_CANCELLED, // the task was cancelled
	ERR_MAPPING,   // a mapping or a plan cannot be compiled or applied
	ERR_CHECK,     // a check failed to run
	ERR_LIMIT,     // a size or memory limit of ours
	ERR_GUARD,     // a guard stopped what was asked for; code is the option that lets it pass
	ERR_SCRIPT,    // a Lua error raised without a kind
	ERR_INTERNAL   // a bug of ours, or out of memory
};

enum { ERR_MESSAGE_SIZE = 1024, ERR_CODE_SIZE = 48 };

struct err {
	enum err_kind kind;
	bool retryable;                 // the same call may succeed later
	char code[ERR_CODE_SIZE];       // machine-readable detail, or ""
	char message[ERR_MESSAGE_SIZE]; // lower case, names the thing, cause in brackets, no secret
};

// Set *err and return false, so that `return err_set(...)` reads well. `code` may be NULL. A NULL err is legal.
bool err_set(struct err *err, enum err_kind kind, const char *code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
// The same, and marks the failure as worth retrying.
bool err_set_retryable(struct err *err, enum err_kind kind, const char *code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
// Out of memory, said in one way everywhere.
bool err_no_memory(struct err *err);
void err_clear(struct err *err);
// "http", "postgres" …: the kind as Lua and the reports spell it.
const char *err_kind_name(enum err_kind kind);
// The kind of that name, ERR_INTERNAL for an unknown one.
enum err_kind err_kind_of(const char *name);

#endif

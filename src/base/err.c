// The error value: filling it and naming its kinds. Knows nothing of where errors go.
#include "base/err.h"

#include <stdio.h>
#include <string.h>

static const char *const kind_names[] = {
	[ERR_NONE] = "none",
	[ERR_USAGE] = "usage",
	[ERR_CONFIG] = "config",
	[ERR_HTTP] = "http",
	[ERR_POSTGRES] = "postgres",
	[ERR_SQLITE] = "sqlite",
	[ERR_JSON] = "json",
	[ERR_TIMEOUT] = "timeout",
	[ERR_CANCELLED] = "cancelled",
	[ERR_MAPPING] = "mapping",
	[ERR_CHECK] = "check",
	[ERR_LIMIT] = "limit",
	[ERR_GUARD] = "guard",
	[ERR_SCRIPT] = "script",
	[ERR_INTERNAL] = "internal",
};
enum { KIND_COUNT = sizeof kind_names / sizeof kind_names[0] };

__attribute__((format(printf, 4, 0))) static void fill(
	struct err *err, enum err_kind kind, const char *code, const char *format, va_list args)
{
	err->kind = kind;
	err->retryable = false;
	snprintf(err->code, sizeof err->code, "%s", code != NULL ? code : "");
	vsnprintf(err->message, sizeof err->message, format, args);
}

bool err_set(struct err *err, enum err_kind kind, const char *code, const char *format, ...)
{
	va_list args;

	if (err == NULL)
		return false;
	va_start(args, format);
	fill(err, kind, code, format, args);
	va_end(args);
	return false;
}

bool err_set_retryable(struct err *err, enum err_kind kind, const char *code, const char *format, ...)
{
	va_list args;

	if (err == NULL)
		return false;
	va_start(args, format);
	fill(err, kind, code, format, args);
	va_end(args);
	err->retryable = true;
	return false;
}

bool err_no_memory(struct err *err)
{
	return err_set(err, ERR_INTERNAL, "ENOMEM", "out of memory");
}

void err_clear(struct err *err)
{
	err->kind = ERR_NONE;
	err->retryable = false;
	err->code[0] = '\0';
	err->message[0] = '\0';
}

const char *err_kind_name(enum err_kind kind)
{
	return (size_t)kind < KIND_COUNT ? kind_names[kind] : "internal";
}

enum err_kind err_kind_of(const char *name)
{
	for (size_t i = 0; i < KIND_COUNT; i++)
		if (strcmp(kind_names[i], name) == 0)
			return (enum err_kind)i;
	return ERR_INTERNAL;
}

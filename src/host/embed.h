// The Lua library inside the binary: generated from lua/ by src/host/embed.sh at build time.
#ifndef SYNCRUN_HOST_EMBED_H
#define SYNCRUN_HOST_EMBED_H

#include <stddef.h>

struct embedded_module {
	const char *name; // "syncrun.http"
	const char *path; // "syncrun/http.lua": the chunk name is "@" and this
	const char *text;
	size_t len;
};

extern const struct embedded_module embedded_modules[]; // ends with a NULL name

#endif

// The host: one Lua state, the embedded library, the task loop, signals. main.c parses the command line and calls it.
#ifndef SYNCRUN_HOST_HOST_H
#define SYNCRUN_HOST_HOST_H

#include <stdbool.h>

#include "base/err.h"
#include "host/exits.h"

struct host_options {
	const char *lua_dir; // --lua DIR, or NULL
	const char *script;  // a path, "-" for stdin, or NULL
	const char **chunks; // -e CODE, in order; NULL-terminated
	bool interactive;    // -i, or nothing to run on a terminal
	int argc;            // the script's own arguments
	char **argv;
	const char *program; // argv[0]
};

// Run it all; returns the process's exit code.
int host_run(const struct host_options *options);

#endif

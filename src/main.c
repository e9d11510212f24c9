// The command line: options before the script are ours, everything behind it is the script's.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/redact.h"
#include "base/sink.h"
#include "base/version.h"
#include "base/visible.h"
#include "host/host.h"
#include "host/no_dump.h"
#include "io/file.h"

static const char usage[] =
	"usage: syncrun [options] [SCRIPT [arguments]]\n"
	"\n"
	"examples:\n"
	"  syncrun scripts/full_sync.lua --limit 10     run a script\n"
	"  syncrun scripts/full_sync.lua --help         what the script takes\n"
	"  syncrun -e 'print(1 + 1)'                    run a line of Lua\n"
	"  syncrun                                      ad-hoc validation: a Lua prompt with the configured systems\n"
	"  echo 'print(1)' | syncrun -                  run standard input\n"
	"\n"
	"options:\n"
	"  -e CODE        run CODE (may be repeated; before the script)\n"
	"  -i             a prompt after the script\n"
	"  --lua DIR      Lua modules in DIR win over the built-in ones (also SYNCRUN_LUA)\n"
	"  --help         this text\n"
	"  --version      the version\n"
	"\n"
	"exit codes: 0 all equal, 1 errors or differences, 2 usage or configuration, 3 a system was out of reach,\n"
	"4 a guard stopped the run, 5 incomplete, 6 script error, 7 a proof does not verify, 130/143 signals.\n";

static int usage_error(const char *what, const char *argument)
{
	char shown[256];

	visible_copy(shown, sizeof shown, argument, false);
	fprintf(stderr, "syncrun: %s '%s'; see 'syncrun --help'\n", what, shown);
	return EXIT_USAGE;
}

static int finish_output(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout) && sink_end(sink_standard(STDOUT_FILENO)))
		return code;
	perror("syncrun: cannot write to standard output");
	return code == EXIT_EQUAL ? EXIT_SCRIPT : code;
}

static void set_log_from_environment(void)
{
	static const char *const names[] = {"debug", "info", "warn", "error", "off"};
	const char *level = getenv("SYNCRUN_LOG"), *json = getenv("SYNCRUN_LOG_JSON");

	for (int i = 0; level != NULL && i < 5; i++)
		if (strcmp(level, names[i]) == 0)
			log_set_level((enum log_level)i);
	log_set_json(json != NULL && strcmp(json, "") != 0 && strcmp(json, "0") != 0);
}

// Read our own options; returns the index of the script (or argc), or -1 with *code set when the program ends here.
static int read_options(int argc, char **argv, struct host_options *o, size_t nchunks, int *code)
{
	int i = 1;

	*code = EXIT_EQUAL;
	for (; i < argc && argv[i][0] == '-' && argv[i][1] != '\0'; i++) {
		const char *a = argv[i];
		if (strcmp(a, "--help") == 0 || strcmp(a, "-h") == 0) {
			fputs(usage, stdout);
			return -1;
		} else if (strcmp(a, "--version") == 0) {
			printf("syncrun %s\n", SYNCRUN_VERSION);
			return -1;
		} else if (strcmp(a, "-i") == 0) {
			o->interactive = true;
		} else if ((strcmp(a, "-e") == 0 || strcmp(a, "--lua") == 0) && i + 1 == argc) {
			*code = usage_error("an argument is missing after", a);
			return -1;
		} else if (strcmp(a, "-e") == 0) {
			o->chunks[nchunks++] = argv[++i];
		} else if (strcmp(a, "--lua") == 0) {
			o->lua_dir = argv[++i];
		} else {
			*code = usage_error("unknown option", a);
			return -1;
		}
	}
	return i;
}

int main(int argc, char **argv)
{
	struct host_options o = {.program = argv[0]};
	int code, first;

	no_dump();
	o.chunks = calloc((size_t)argc + 1, sizeof *o.chunks);
	if (o.chunks == NULL || !file_open_standard() || !sink_open_standard() || !redact_add_environment()) {
		fputs("syncrun: out of memory, or of files\n", stderr);
		free(o.chunks);
		return EXIT_SCRIPT;
	}
	set_log_from_environment();
	first = read_options(argc, argv, &o, 0, &code);
	if (first >= 0) {
		if (first < argc)
			o.script = argv[first++];
		else if (o.chunks[0] == NULL && !isatty(STDIN_FILENO) && !o.interactive)
			o.script = "-";
		else if (o.chunks[0] == NULL)
			o.interactive = true;
		o.argc = argc - first > 0 ? argc - first : 0;
		o.argv = argv + (first < argc ? first : argc);
		code = host_run(&o);
	}
	free((void *)o.chunks);
	return finish_output(code);
}

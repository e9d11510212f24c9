// The one way to bytes on a descriptor of ours: every sink masks secrets on the way.
#ifndef SYNCRUN_BASE_SINK_H
#define SYNCRUN_BASE_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/redact.h"

// Pieces of one text. A secret that lies across two pieces is masked, so the last bytes may wait for the next piece.
struct sink {
	int fd;
	struct redact_stream stream;
};

// Write, restarting after signals and EAGAIN. False when the descriptor fails (disk full, closed pipe) or memory runs
// out: errno says why.
bool sink_put(struct sink *s, const char *text, size_t len);
// The text has ended: write what was held back. The sink can go on with another text.
bool sink_end(struct sink *s);
void sink_free(struct sink *s);
// A text that is whole.
bool sink_write(int fd, const char *text, size_t len);

// From now on stdout and stderr, whoever writes to them, lead through sink_standard, and what is held back is written
// at the end of the process. False when memory runs out.
bool sink_open_standard(void);
// The sink of STDOUT_FILENO or STDERR_FILENO.
struct sink *sink_standard(int fd);
// stdout as it was: for what needs the terminal itself.
FILE *sink_terminal(void);

#endif

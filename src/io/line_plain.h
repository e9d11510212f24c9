// One line from standard input that is no terminal (a pipe, a file), without blocking the loop.
#ifndef SYNCRUN_IO_LINE_PLAIN_H
#define SYNCRUN_IO_LINE_PLAIN_H

#include "base/err.h"

// text is malloc'ed and the callee's; NULL at the end of input (err is NULL), or when it cannot be read on.
typedef void line_done(void *arg, char *text, const struct err *err);

// As line_start and line_stop, which hand on to these; a line's end is not part of it.
bool line_plain_start(line_done *done, void *arg);
void line_plain_stop(void);

#endif

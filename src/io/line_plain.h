// One line from standard input that is no terminal (a pipe, a file), without blocking the loop.
#ifndef SYNCRUN_IO_LINE_PLAIN_H
#define SYNCRUN_IO_LINE_PLAIN_H

#include "io/line.h"

// As line_start and line_stop, which hand on to these; a line's end is not part of it.
bool line_plain_start(line_done *done, void *arg);
void line_plain_stop(void);

#endif

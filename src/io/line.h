// One line from standard input, without blocking the loop: edited on a terminal, else as it comes.
#ifndef SYNCRUN_IO_LINE_H
#define SYNCRUN_IO_LINE_H

#include <stdbool.h>

#include "base/err.h"

// text is malloc'ed and the callee's; NULL at the end of input (err is NULL), or when it cannot be read on.
typedef void line_done(void *arg, char *text, const struct err *err);

// Whether lines are asked for on a terminal, with the prompt.
bool line_is_edited(void);
// Ask for a line. done runs from the loop. One question at a time: false when one is already open.
bool line_start(const char *prompt, line_done *done, void *arg);
// Withdraw the question; done is not called.
void line_stop(void);

#endif

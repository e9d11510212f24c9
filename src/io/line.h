// One line from standard input, without blocking the loop: edited on a terminal, else as it comes.
#ifndef SYNCRUN_IO_LINE_H
#define SYNCRUN_IO_LINE_H

#include <stdbool.h>

#include "io/line_plain.h"

// Whether lines are asked for on a terminal, with the prompt.
bool line_is_edited(void);
// Ask for a line. done runs from the loop. One question at a time: false when one is already open.
bool line_start(const char *prompt, line_done *done, void *arg);
// Withdraw the question; done is not called.
void line_stop(void);

#endif

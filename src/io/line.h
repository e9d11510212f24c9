// One edited line from the terminal, without blocking the loop: libedit fed by a watch on standard input.
#ifndef SYNCRUN_IO_LINE_H
#define SYNCRUN_IO_LINE_H

#include <stdbool.h>

// Ask for a line. done(arg, text) runs from the loop: text is malloc'ed and the callee's, or NULL at the end of input.
// One question at a time: false when one is already open.
bool line_start(const char *prompt, void (*done)(void *arg, char *text), void *arg);
// Withdraw the question; done is not called.
void line_stop(void);

#endif

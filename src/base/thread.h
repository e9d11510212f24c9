// Helper threads: the few calls of the C library and of libpq that can only block run beside the loop.
#ifndef SYNCRUN_BASE_THREAD_H
#define SYNCRUN_BASE_THREAD_H

#include <stdbool.h>

// Run fn(arg) in a detached thread that receives no signal. Nothing waits for it: whatever it shares must be counted or
// given away. False when no thread can be had; fn has then not run.
bool thread_run(void *(*fn)(void *arg), void *arg);

#endif

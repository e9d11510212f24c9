// Signals as the host sees them: delivered to a waiting task, or left to the host's default (cancel the root task).
#ifndef SYNCRUN_BIND_SIGNALS_H
#define SYNCRUN_BIND_SIGNALS_H

#include <stdbool.h>

// Hand the signal to the task inside task.wait_signal(); false when none waits.
bool signals_deliver(int number);
// Whether a task is inside task.wait_signal(). Async-signal-safe.
bool signals_awaited(void);
// The number of the signal that cancelled the root task; 0: none did.
int signals_ended_by(void);
// The program's time is over in so many seconds: what then neither waits nor looks up is cut off, with the exit code of
// an incomplete run. Whatever does is for others to end.
void signals_deadline(double seconds);
// "INT", "TERM", "HUP", or "signal".
const char *signals_name(int number);

#endif

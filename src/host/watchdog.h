// Ends the process when it does not end by itself.
#ifndef SYNCRUN_HOST_WATCHDOG_H
#define SYNCRUN_HOST_WATCHDOG_H

void watchdog_install(void);
// From so many seconds on look whether a stop is wanted and what runs does not heed it: the process then ends with that
// exit code. The first one asked for by a signal stays. Async-signal-safe.
void watchdog_watch(double seconds, int exit_code);

#endif

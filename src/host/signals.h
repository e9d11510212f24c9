// The process's signal handlers.
#ifndef SYNCRUN_HOST_SIGNALS_H
#define SYNCRUN_HOST_SIGNALS_H

void signals_install(void);
int signals_pending(void);  // the last signal not yet taken, or 0; cheap, for the count hook
int signals_take(void);     // the same, and clears it
void signals_forgive(void); // the next SIGINT is a first one again (the REPL's next line)

#endif

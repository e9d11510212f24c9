// The process's signal handlers.
#ifndef SYNCRUN_HOST_SIGNALS_H
#define SYNCRUN_HOST_SIGNALS_H

void signals_install(void);
int signals_take(void); // the last signal not yet taken, or 0

#endif

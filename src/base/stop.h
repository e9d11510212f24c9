// The wish that what runs now ends early: a signal came, its time is over, or its task was cancelled. What runs long in
// C without waiting (a statement, a digest over everything) asks here now and then. Knows nothing of tasks: they
// answer.
#ifndef SYNCRUN_BASE_STOP_H
#define SYNCRUN_BASE_STOP_H

#include <stdbool.h>

// Whether what runs now should end at once; the caller then fails with ERR_CANCELLED. Never true while something is
// cleaned up, nor outside of tasks. Cheap enough for every thousandth step. Async-signal-safe.
bool stop_wanted(void);
// Who answers that; NULL: nobody, it is always false.
void stop_on_ask(bool (*wanted)(void));

// A signal asks the whole process to end. Async-signal-safe.
void stop_ask(void);
bool stop_asked(void);
// It was meant for somebody who deals with it: nothing is to end.
void stop_forgive(void);

#endif

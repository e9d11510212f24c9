// One flag, set from signal handlers, and the function that knows what runs now.
#include "base/stop.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t asked;
static bool (*answer)(void);

bool stop_wanted(void)
{
	return answer != NULL && answer();
}

void stop_on_ask(bool (*wanted)(void))
{
	answer = wanted;
}

void stop_ask(void)
{
	asked = 1;
}

bool stop_asked(void)
{
	return asked != 0;
}

void stop_forgive(void)
{
	asked = 0;
}

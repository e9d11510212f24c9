// Detached helper threads. Knows nothing of what they do.
#include "base/thread.h"

#include <pthread.h>
#include <signal.h>

static bool start(const pthread_attr_t *attr, void *(*fn)(void *arg), void *arg)
{
	pthread_t thread;
	sigset_t all, before;
	int rc;

	// A thread inherits the mask: signals stay with the loop's thread, and a SIGPIPE of a helper kills nobody.
	sigfillset(&all);
	if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
		return false;
	rc = pthread_create(&thread, attr, fn, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc == 0;
}

bool thread_run(void *(*fn)(void *arg), void *arg)
{
	pthread_attr_t attr;
	bool ok;

	if (pthread_attr_init(&attr) != 0)
		return false;
	ok = pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED) == 0 && start(&attr, fn, arg);
	pthread_attr_destroy(&attr);
	return ok;
}

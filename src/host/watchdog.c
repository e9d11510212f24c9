// A timer's signal looks whether the loop still turns. A call that neither waits nor looks up (a pattern that is
// matched for years) can be left by the process only; what was committed to the ledger and the systems is safe, and the
// next run goes on. Nothing of what is being cleaned up or reported is cut off: for that no stop is wanted.
#include "host/watchdog.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/stop.h"
#include "bind/task_core.h"
#include "host/exits.h"

enum { TICK_NS = 500000000, PATIENCE = 3 }; // ticks: one and a half seconds

static struct {
	timer_t timer;
	atomic_uint turns; // of the loop, at the tick before
	atomic_int still;  // ticks since it turned
	atomic_int exit_code;
} dog;

static void leave(void)
{
	static const char text[] =
		"syncrun: stopped in the middle of a call that does not end; a run that was under way is gone "
		"on with by the same command\n";
	ssize_t n = write(STDERR_FILENO, text, sizeof text - 1);

	(void)n;
	_exit(dog.exit_code);
}

static void on_tick(int number)
{
	unsigned turns = task_turns();

	(void)number;
	if (turns != dog.turns || !stop_wanted()) {
		dog.turns = turns;
		dog.still = 0;
	} else if (++dog.still >= PATIENCE) {
		leave();
	}
}

void watchdog_install(void)
{
	struct sigevent event;
	struct sigaction action;

	memset(&action, 0, sizeof action);
	action.sa_handler = on_tick;
	action.sa_flags = SA_RESTART;
	sigemptyset(&action.sa_mask);
	sigaction(SIGALRM, &action, NULL);
	memset(&event, 0, sizeof event);
	event.sigev_notify = SIGEV_SIGNAL;
	event.sigev_signo = SIGALRM;
	timer_create(CLOCK_MONOTONIC, &event, &dog.timer);
}

void watchdog_watch(double seconds, int exit_code)
{
	struct itimerspec when = {.it_interval = {.tv_nsec = TICK_NS}};

	if (dog.exit_code > EXIT_SIGNAL)
		return;
	dog.exit_code = exit_code;
	dog.turns = task_turns();
	dog.still = 0;
	when.it_value.tv_sec = (time_t)seconds;
	when.it_value.tv_nsec = (long)((seconds - (double)when.it_value.tv_sec) * 1e9);
	timer_settime(dog.timer, 0, &when, NULL);
}

// Signal handlers: they set a flag and wake the loop; the host acts between turns, the watchdog when there are none. A
// second SIGINT leaves at once.
#include "host/signals.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/stop.h"
#include "bind/signals.h"
#include "host/exits.h"
#include "host/watchdog.h"
#include "io/loop.h"

static volatile sig_atomic_t pending, seen;

static void on_signal(int number)
{
	if (number == SIGINT && seen > 0)
		_exit(128 + SIGINT);
	if (number == SIGINT)
		seen = 1;
	pending = number;
	if (!signals_awaited()) {
		stop_ask();
		watchdog_watch(0.5, EXIT_SIGNAL + number);
	}
	loop_wake();
}

void signals_deadline(double seconds)
{
	watchdog_watch(seconds, EXIT_INCOMPLETE);
}

void signals_install(void)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action, before;

	watchdog_install();
	memset(&action, 0, sizeof action);
	action.sa_handler = on_signal;
	sigemptyset(&action.sa_mask);
	sigaction(SIGHUP, NULL, &before);
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		if (numbers[i] != SIGHUP || before.sa_handler != SIG_IGN) // nohup says so
			sigaction(numbers[i], &action, NULL);
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
}

int signals_take(void)
{
	int number = pending;

	pending = 0;
	return number;
}

const char *signals_name(int number)
{
	return number == SIGINT ? "INT" : number == SIGTERM ? "TERM" : number == SIGHUP ? "HUP" : "signal";
}

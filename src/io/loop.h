// The event loop: one thread, one poll. Timers, watched descriptors, libcurl's sockets.
//
// Callbacks run from loop_poll() and never touch Lua: they end in op_finish() (bind/task.h), which queues the task.
#ifndef SYNCRUN_IO_LOOP_H
#define SYNCRUN_IO_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

// An intrusive one-shot timer. Zero-initialise, then timer_start. The memory must stay put while it runs.
struct timer {
	int64_t due_us; // monotonic
	void (*fn)(struct timer *timer);
	struct timer *child, *next, *prev; // pairing heap
	bool running;
};
// (Re)start: fn runs once, after at least `seconds` (0 is legal: the next turn). Cannot fail. Negative means never.
void timer_start(struct timer *timer, double seconds, void (*fn)(struct timer *timer));
void timer_stop(struct timer *timer); // legal when not running

// An intrusive watch on a descriptor. Zero-initialise, then watch_start. Events are poll(2)'s POLLIN | POLLOUT.
struct watch {
	int fd;
	short events;
	void (*fn)(struct watch *watch, short revents);
	struct watch *next, *prev;
	int slot; // in the poll under way, or -1
	bool running;
};
// (Re)start with these events. Cannot fail. fn may stop, restart or free any watch, this one included.
void watch_start(struct watch *watch, int fd, short events, void (*fn)(struct watch *watch, short revents));
void watch_stop(struct watch *watch); // legal when not running; must precede close(fd)

bool loop_open(struct err *err); // once a process
void loop_close(void);
// Wait for events at most max_seconds (0: only look; negative: until something happens), then run due callbacks.
bool loop_poll(double max_seconds, struct err *err);
// From another thread or a signal handler: make loop_poll return. Async-signal-safe.
void loop_wake(void);
// How many timers, watches and transfers are under way (0: nothing can ever happen; tests: nothing leaks).
unsigned loop_active(void);

// libcurl's multi handle, for io/http.c only. done(easy, CURLcode) runs inside loop_poll for each finished transfer.
void *loop_curl_multi(void);
void loop_on_transfer_done(void (*done)(void *easy, int curl_code));

// A monotonic "now" in microseconds, cached for one turn of the loop.
int64_t loop_now_us(void);

#endif

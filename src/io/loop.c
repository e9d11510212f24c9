// The event loop: a pairing heap of timers, a list of watched descriptors, libcurl's multi handle, one poll.
// Knows nothing of Lua, of HTTP or of what its callbacks do.
#include "io/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/clock.h"

enum { MAX_POLL_MS = 3600 * 1000 };

static struct {
	CURLM *multi;
	struct timer *timers;  // root of the heap: the earliest
	struct watch *watches; // all that run
	unsigned ntimers, nwatches;
	int ntransfers;
	struct watch **polled; // the watches of the poll under way, NULL where one was stopped meanwhile
	struct curl_waitfd *fds;
	size_t npolled, cap;
	int wake_read, wake_write;
	struct watch wake;
	void (*transfer_done)(void *easy, int curl_code);
	int64_t now_us;
} loop = {.wake_read = -1, .wake_write = -1};

// ---- timers

static struct timer *heap_meld(struct timer *a, struct timer *b)
{
	struct timer *first, *second;

	if (a == NULL || b == NULL)
		return a != NULL ? a : b;
	first = b->due_us < a->due_us ? b : a;
	second = first == a ? b : a;
	second->prev = first; // the parent, for a first child
	second->next = first->child;
	if (first->child != NULL)
		first->child->prev = second;
	first->child = second;
	first->next = NULL;
	return first;
}

static struct timer *heap_meld_pairs(struct timer *list)
{
	struct timer *stack = NULL, *root = NULL;

	while (list != NULL) { // left to right: pairs, kept on a stack
		struct timer *a = list, *b = a->next, *rest = b != NULL ? b->next : NULL;
		a->next = a->prev = NULL;
		if (b != NULL)
			b->next = b->prev = NULL;
		a = heap_meld(a, b);
		a->next = stack;
		stack = a;
		list = rest;
	}
	while (stack != NULL) { // right to left: into one
		struct timer *rest = stack->next;
		stack->next = NULL;
		root = heap_meld(root, stack);
		stack = rest;
	}
	if (root != NULL)
		root->prev = NULL;
	return root;
}

static void heap_cut(struct timer *t)
{
	if (t->next != NULL)
		t->next->prev = t->prev;
	if (t->prev->child == t)
		t->prev->child = t->next;
	else
		t->prev->next = t->next;
	t->next = t->prev = NULL;
}

void timer_start(struct timer *timer, double seconds, void (*fn)(struct timer *timer))
{
	timer_stop(timer);
	if (seconds < 0 || isnan(seconds))
		return;
	if (seconds > 1e9)
		seconds = 1e9;
	timer->due_us = clock_mono_us() + (int64_t)ceil(seconds * 1e6);
	timer->fn = fn;
	timer->child = timer->next = timer->prev = NULL;
	timer->running = true;
	loop.timers = heap_meld(loop.timers, timer);
	loop.ntimers++;
}

void timer_stop(struct timer *timer)
{
	struct timer *children;

	if (!timer->running)
		return;
	timer->running = false;
	loop.ntimers--;
	children = heap_meld_pairs(timer->child);
	timer->child = NULL;
	if (timer == loop.timers) {
		loop.timers = children;
		return;
	}
	heap_cut(timer);
	loop.timers = heap_meld(loop.timers, children);
}

static void run_due_timers(void)
{
	int64_t now = clock_mono_us();

	while (loop.timers != NULL && loop.timers->due_us <= now) {
		struct timer *t = loop.timers;
		timer_stop(t);
		t->fn(t);
	}
}

// ---- watches

void watch_start(struct watch *watch, int fd, short events, void (*fn)(struct watch *watch, short revents))
{
	watch_stop(watch);
	watch->fd = fd;
	watch->events = events;
	watch->fn = fn;
	watch->slot = -1;
	watch->prev = NULL;
	watch->next = loop.watches;
	if (loop.watches != NULL)
		loop.watches->prev = watch;
	loop.watches = watch;
	watch->running = true;
	loop.nwatches++;
}

void watch_stop(struct watch *watch)
{
	if (!watch->running)
		return;
	watch->running = false;
	loop.nwatches--;
	if (watch->slot >= 0)
		loop.polled[watch->slot] = NULL;
	if (watch->next != NULL)
		watch->next->prev = watch->prev;
	if (watch->prev != NULL)
		watch->prev->next = watch->next;
	else
		loop.watches = watch->next;
	watch->next = watch->prev = NULL;
}

static bool collect_watches(struct err *err)
{
	if (loop.nwatches > loop.cap) {
		size_t cap = (size_t)loop.nwatches * 2;
		struct watch **polled = realloc(loop.polled, cap * sizeof(struct watch *));
		struct curl_waitfd *fds = polled != NULL ? realloc(loop.fds, cap * sizeof *fds) : NULL;
		loop.polled = polled != NULL ? polled : loop.polled;
		if (fds == NULL)
			return err_no_memory(err);
		loop.fds = fds;
		loop.cap = cap;
	}
	loop.npolled = 0;
	for (struct watch *w = loop.watches; w != NULL; w = w->next) {
		short events =
			(short)(((w->events & POLLIN) ? CURL_WAIT_POLLIN : 0) | ((w->events & POLLOUT) ? CURL_WAIT_POLLOUT : 0));
		w->slot = (int)loop.npolled;
		loop.polled[loop.npolled] = w;
		loop.fds[loop.npolled++] = (struct curl_waitfd){.fd = w->fd, .events = events};
	}
	return true;
}

// A descriptor that failed reports neither in nor out through curl's flags, so what it has is asked of poll directly.
static short events_of(const struct watch *w, const struct curl_waitfd *fd)
{
	struct pollfd p = {.fd = w->fd, .events = w->events};

	if (fd->revents == 0)
		return 0;
	return poll(&p, 1, 0) > 0 ? p.revents : 0;
}

static void dispatch_watches(void)
{
	for (size_t i = 0; i < loop.npolled; i++) {
		struct watch *w = loop.polled[i];
		short revents = w != NULL ? events_of(w, &loop.fds[i]) : 0;
		if (revents != 0) // w is still running: watch_stop clears its slot
			w->fn(w, revents);
	}
	for (size_t i = 0; i < loop.npolled; i++)
		if (loop.polled[i] != NULL)
			loop.polled[i]->slot = -1;
	loop.npolled = 0;
}

// ---- waking

static void on_wake(struct watch *watch, short revents)
{
	char bytes[64];

	(void)revents;
	while (read(watch->fd, bytes, sizeof bytes) == (ssize_t)sizeof bytes)
		;
}

void loop_wake(void)
{
	int saved = errno;
	ssize_t n = write(loop.wake_write, "", 1); // a full pipe wakes just as well

	(void)n;
	errno = saved;
}

// ---- libcurl

void *loop_curl_multi(void)
{
	return loop.multi;
}

void loop_on_transfer_done(void (*done)(void *easy, int curl_code))
{
	loop.transfer_done = done;
}

static void run_transfers(void)
{
	CURLMsg *msg;
	int left;

	curl_multi_perform(loop.multi, &loop.ntransfers);
	while ((msg = curl_multi_info_read(loop.multi, &left)) != NULL) {
		CURL *easy = msg->easy_handle; // msg dies when the handle is removed
		CURLcode code = msg->data.result;
		if (msg->msg == CURLMSG_DONE && loop.transfer_done != NULL)
			loop.transfer_done(easy, (int)code);
	}
}

// ---- the loop

static bool open_wake_pipe(struct err *err)
{
	int fds[2];

	if (pipe(fds) != 0)
		return err_set(err, ERR_INTERNAL, NULL, "cannot make the loop's pipe (%s)", strerror(errno));
	for (int i = 0; i < 2; i++) {
		fcntl(fds[i], F_SETFL, O_NONBLOCK);
		fcntl(fds[i], F_SETFD, FD_CLOEXEC);
	}
	loop.wake_read = fds[0];
	loop.wake_write = fds[1];
	watch_start(&loop.wake, loop.wake_read, POLLIN, on_wake);
	return true;
}

bool loop_open(struct err *err)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_set(err, ERR_INTERNAL, NULL, "cannot start libcurl");
	loop.multi = curl_multi_init();
	if (loop.multi == NULL || !open_wake_pipe(err)) {
		loop_close();
		return loop.multi == NULL ? err_no_memory(err) : false;
	}
	loop.now_us = clock_mono_us();
	return true;
}

void loop_close(void)
{
	watch_stop(&loop.wake);
	if (loop.wake_read >= 0)
		close(loop.wake_read);
	if (loop.wake_write >= 0)
		close(loop.wake_write);
	loop.wake_read = loop.wake_write = -1;
	if (loop.multi != NULL)
		curl_multi_cleanup(loop.multi);
	loop.multi = NULL;
	free(loop.polled);
	free(loop.fds);
	loop.polled = NULL;
	loop.fds = NULL;
	loop.cap = loop.npolled = 0;
	curl_global_cleanup();
}

static int poll_milliseconds(double max_seconds)
{
	int64_t ms = max_seconds < 0 || max_seconds * 1000 > MAX_POLL_MS ? MAX_POLL_MS : (int64_t)ceil(max_seconds * 1000);

	if (loop.timers != NULL) {
		int64_t left_us = loop.timers->due_us - clock_mono_us();
		int64_t left_ms = left_us <= 0 ? 0 : (left_us + 999) / 1000;
		ms = left_ms < ms ? left_ms : ms;
	}
	return (int)ms;
}

bool loop_poll(double max_seconds, struct err *err)
{
	CURLMcode rc;

	if (!collect_watches(err))
		return false;
	rc = curl_multi_poll(loop.multi, loop.fds, (unsigned)loop.npolled, poll_milliseconds(max_seconds), NULL);
	loop.now_us = clock_mono_us();
	if (rc != CURLM_OK && rc != CURLM_UNRECOVERABLE_POLL) // the latter: a signal, on old kernels
		return err_set(err, ERR_INTERNAL, NULL, "cannot poll (%s)", curl_multi_strerror(rc));
	dispatch_watches();
	run_transfers();
	run_due_timers();
	return true;
}

unsigned loop_active(void)
{
	return loop.ntimers + loop.nwatches - (loop.wake.running ? 1 : 0) + (unsigned)loop.ntransfers;
}

int64_t loop_now_us(void)
{
	return loop.now_us;
}

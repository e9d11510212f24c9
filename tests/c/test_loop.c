// Unit tests of io/loop: timers in order, stopped and restarted from callbacks, watches, waking.
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/loop.h"

enum { MANY = 2000 };

static struct timer many[MANY];
static int64_t fired_due[MANY];
static int fired;

static int open_loop(void **state)
{
	struct err err;

	(void)state;
	fired = 0;
	memset(many, 0, sizeof many);
	return loop_open(&err) ? 0 : -1;
}

static int close_loop(void **state)
{
	(void)state;
	assert_int_equal(loop_active(), 0);
	loop_close();
	return 0;
}

static void turn(double seconds)
{
	struct err err;

	assert_true(loop_poll(seconds, &err));
}

static void on_many(struct timer *timer)
{
	fired_due[fired++] = timer->due_us;
}

static void test_timers_fire_in_order(void **state)
{
	(void)state;
	srand(7);
	for (int i = 0; i < MANY; i++)
		timer_start(&many[i], (rand() % 20) / 1000.0, on_many);
	for (int i = 0; i < MANY; i += 3)
		timer_stop(&many[i]);
	for (int i = 0; i < MANY; i += 6)
		timer_start(&many[i], (rand() % 20) / 1000.0, on_many);
	while (loop_active() > 0)
		turn(-1);
	assert_int_equal(fired, MANY - (MANY + 2) / 3 + (MANY + 5) / 6);
	for (int i = 1; i < fired; i++)
		assert_true(fired_due[i - 1] <= fired_due[i]);
}

static void on_first_stop_second(struct timer *timer)
{
	fired++;
	timer_stop(timer + 1);
	timer_stop(timer); // legal when not running
}

static void test_timer_stopped_by_another(void **state)
{
	(void)state;
	timer_start(&many[0], 0, on_first_stop_second);
	timer_start(&many[1], 0.001, on_many);
	nanosleep(&(struct timespec){.tv_nsec = 3000000}, NULL);
	turn(0);
	assert_int_equal(fired, 1);
}

static void test_negative_timer_never_starts(void **state)
{
	(void)state;
	timer_start(&many[0], -1, on_many);
	assert_int_equal(loop_active(), 0);
}

struct reader {
	struct watch watch;
	int fd;
	int seen;
	struct reader *victim;
};

static void on_readable(struct watch *watch, short revents)
{
	struct reader *r = (struct reader *)watch;
	char c;

	assert_true(revents & POLLIN);
	assert_int_equal(read(r->fd, &c, 1), 1);
	r->seen++;
	if (r->victim != NULL)
		watch_stop(&r->victim->watch);
}

static void test_watch_and_stop_inside_callback(void **state)
{
	struct reader a = {0}, b = {0};
	int p[2], q[2];

	(void)state;
	assert_int_equal(pipe(p) | pipe(q), 0);
	a.fd = p[0];
	b.fd = q[0];
	a.victim = &b;
	b.victim = &a;
	watch_start(&a.watch, p[0], POLLIN, on_readable);
	watch_start(&b.watch, q[0], POLLIN, on_readable);
	turn(0);
	assert_int_equal(a.seen + b.seen, 0);
	assert_int_equal(write(p[1], "x", 1) + write(q[1], "x", 1), 2);
	turn(1);
	assert_int_equal(a.seen + b.seen, 1); // whoever came first stopped the other
	watch_stop(&a.watch);
	watch_stop(&b.watch);
	for (int i = 0; i < 2; i++) {
		close(p[i]);
		close(q[i]);
	}
}

static void on_hang_up(struct watch *watch, short revents)
{
	fired += (revents & POLLHUP) != 0;
	watch_stop(watch);
}

static void test_watch_sees_hang_up(void **state)
{
	struct watch w = {0};
	int p[2];

	(void)state;
	assert_int_equal(pipe(p), 0);
	watch_start(&w, p[0], POLLIN, on_hang_up);
	close(p[1]);
	turn(1);
	assert_int_equal(fired, 1);
	close(p[0]);
}

static void test_wake_ends_a_wait(void **state)
{
	(void)state;
	for (int i = 0; i < 100000; i++)
		loop_wake(); // more than a pipe holds
	turn(-1);
	turn(0);
}

int main(void)
{
#define LOOP_TEST(f) cmocka_unit_test_setup_teardown(f, open_loop, close_loop)
	const struct CMUnitTest tests[] = {
		LOOP_TEST(test_timers_fire_in_order),
		LOOP_TEST(test_timer_stopped_by_another),
		LOOP_TEST(test_negative_timer_never_starts),
		LOOP_TEST(test_watch_and_stop_inside_callback),
		LOOP_TEST(test_watch_sees_hang_up),
		LOOP_TEST(test_wake_ends_a_wait),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

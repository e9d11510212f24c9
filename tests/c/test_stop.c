// Unit tests of base/stop: who answers, and what a signal leaves behind.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/stop.h"

static void test_nobody_answers(void **state)
{
	(void)state;
	stop_ask();
	assert_false(stop_wanted());
	stop_forgive();
}

static void test_the_answer_is_asked_for(void **state)
{
	(void)state;
	stop_on_ask(stop_asked);
	assert_false(stop_wanted());
	stop_ask();
	assert_true(stop_wanted());
	stop_forgive();
	assert_false(stop_wanted());
	stop_on_ask(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nobody_answers),
		cmocka_unit_test(test_the_answer_is_asked_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

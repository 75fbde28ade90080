// SPDX-License-Identifier: GPL-2.0-or-later
/* How long a process of the agent stays away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "profiler/agent/child.h"
#include "profiler/base/clock.h"

/* After that many failures, in a state, one after the other. */
static uint64_t backoff_of(const struct role *r, enum child_state state, unsigned failures)
{
	struct child c;
	uint64_t now_ns = 0;

	child_init(&c, r);
	for (unsigned i = 0; i < failures; i++) {
		child_set_state(&c, state);
		now_ns = monotonic_ns();
		child_back_off(&c);
	}
	return c.retry_ns - now_ns;
}

static void test_a_port_that_is_taken_is_tried_seldom(void **state)
{
	const struct role server = {.name = "server", .is_optional = true},
			  writer = {.name = "writer"};

	(void)state;
	assert_in_range(backoff_of(&server, CHILD_STARTING, 20), CHILD_BACKOFF_REFUSED_NS,
			CHILD_BACKOFF_REFUSED_NS + NS_PER_S);
	assert_in_range(backoff_of(&server, CHILD_STARTING, 1), 0, NS_PER_S);
	assert_in_range(backoff_of(&server, CHILD_READY, 20), CHILD_BACKOFF_NS,
			CHILD_BACKOFF_NS + NS_PER_S);
	assert_in_range(backoff_of(&writer, CHILD_STARTING, 20), CHILD_BACKOFF_NS,
			CHILD_BACKOFF_NS + NS_PER_S);
}

static void test_a_new_configuration_is_tried_at_once(void **state)
{
	const struct role server = {.name = "server", .is_optional = true};
	struct child c;
	uint64_t now_ns;

	(void)state;
	child_init(&c, &server);
	for (unsigned i = 0; i < 20; i++) {
		child_set_state(&c, CHILD_STARTING);
		child_back_off(&c);
	}
	child_try_soon(&c);
	assert_int_equal(c.retry_ns, 0);
	now_ns = monotonic_ns();
	child_back_off(&c);
	assert_in_range(c.retry_ns - now_ns, 0, NS_PER_S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_port_that_is_taken_is_tried_seldom),
		cmocka_unit_test(test_a_new_configuration_is_tried_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

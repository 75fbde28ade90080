// SPDX-License-Identifier: GPL-2.0-or-later
/* How long a process of the agent stays away. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

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

static void test_who_was_stopped_with_the_supervisor_has_not_been_silent(void **state)
{
	const struct role writer = {.name = "writer"};
	struct child c;

	(void)state;
	child_init(&c, &writer);
	c.beat_ns = 5 * NS_PER_S;
	c.since_ns = 2 * NS_PER_S;
	child_forgive(&c, 60 * NS_PER_S, 67 * NS_PER_S);
	assert_int_equal(c.beat_ns, 65 * NS_PER_S);
	assert_int_equal(c.since_ns, 62 * NS_PER_S);
	/* what it has said since then is not of the time to come */
	child_forgive(&c, 60 * NS_PER_S, 67 * NS_PER_S);
	assert_int_equal(c.beat_ns, 67 * NS_PER_S);
	assert_int_equal(c.since_ns, 67 * NS_PER_S);
}

static void test_who_ends_and_says_so_has_more_time(void **state)
{
	const struct role sampler = {.name = "sampler"};
	struct child c;

	(void)state;
	child_init(&c, &sampler);
	c.state = CHILD_READY;
	c.since_ns = 100 * NS_PER_S;
	assert_false(child_is_late(&c, 200 * NS_PER_S));
	c.state = CHILD_ENDING;
	assert_false(child_is_late(&c, 110 * NS_PER_S));
	assert_true(child_is_late(&c, 111 * NS_PER_S));
	c.beat_ns = 108 * NS_PER_S;
	assert_false(child_is_late(&c, 117 * NS_PER_S));
	assert_true(child_is_late(&c, 119 * NS_PER_S));
	c.beat_ns = 120 * NS_PER_S;
	assert_false(child_is_late(&c, 120 * NS_PER_S));
	assert_true(child_is_late(&c, 121 * NS_PER_S));
}

/* --- one that was taken over ----------------------------------------------------------------------- */

struct hearing {
	int other_end;
	size_t heard;
};

/* Each message is followed by another one. */
static void take_and_send(void *ctx, struct child *c, const struct control_msg *m)
{
	struct hearing *h = ctx;

	assert_int_equal(m->kind, CONTROL_BEAT);
	assert_true(child_runs(c));
	h->heard++;
	assert_int_equal(control_send(h->other_end, m, -1), 0);
}

static void begin_hearing(struct child *c, struct hearing *h)
{
	static const struct role role = {.name = "server"};
	int pair[2];

	assert_int_equal(control_pair(pair), 0);
	child_init(c, &role);
	c->control = pair[0];
	*h = (struct hearing){.other_end = pair[1]};
}

static void test_who_is_never_silent_is_heard_for_a_while(void **state)
{
	const struct control_msg beat = {.kind = CONTROL_BEAT};
	struct hearing h;
	struct child c;

	(void)state;
	begin_hearing(&c, &h);
	assert_int_equal(control_send(h.other_end, &beat, -1), 0);
	child_hear(&c, take_and_send, &h);
	assert_int_equal(h.heard, CHILD_HEARD_MAX);
	close(h.other_end);
	child_gone(&c);
}

static void test_who_says_what_nobody_says_is_killed(void **state)
{
	const struct control_msg wrong = {.kind = CONTROL_KINDS};
	struct hearing h;
	struct child c;
	int status;

	(void)state;
	begin_hearing(&c, &h);
	c.pid = fork();
	if (!c.pid)
		for (;;)
			pause();
	child_hear(&c, take_and_send, &h); /* silence is no mistake */
	assert_int_equal(waitpid(c.pid, &status, WNOHANG), 0);
	assert_int_equal(control_send(h.other_end, &wrong, -1), 0);
	child_hear(&c, take_and_send, &h);
	assert_int_equal(waitpid(c.pid, &status, 0), c.pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(h.heard, 0);
	close(h.other_end);
	child_gone(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_port_that_is_taken_is_tried_seldom),
		cmocka_unit_test(test_a_new_configuration_is_tried_at_once),
		cmocka_unit_test(test_who_was_stopped_with_the_supervisor_has_not_been_silent),
		cmocka_unit_test(test_who_ends_and_says_so_has_more_time),
		cmocka_unit_test(test_who_is_never_silent_is_heard_for_a_while),
		cmocka_unit_test(test_who_says_what_nobody_says_is_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

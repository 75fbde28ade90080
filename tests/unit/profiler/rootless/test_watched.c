// SPDX-License-Identifier: GPL-2.0-or-later
/* The CPU time of watched processes is what the kernel says, whatever their threads do: those that live for less than
 * the time between two looks, and those that execute a program. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "profiler/base/clock.h"
#include "profiler/rootless/record_ring.h"
#include "profiler/rootless/watched.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

#define MS	   (NS_PER_S / 1000)
#define RING_BYTES (1u << 20)
#define PERIOD_NS  (10 * MS)
#define PAUSE_NS   (10 * MS)

static const char *self;

static void *burn(void *ns)
{
	uint64_t until = clock_ns(CLOCK_THREAD_CPUTIME_ID) + (uintptr_t)ns;

	while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < until)
		;
	return NULL;
}

static void run(void *(*fn)(void *), uint64_t ns)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, fn, (void *)(uintptr_t)ns) || pthread_join(thread, NULL))
		_exit(1);
}

/* Threads of 2 ms, for 500 ms of CPU time; then it waits to be looked at. */
static void run_short_threads(void)
{
	while (clock_ns(CLOCK_PROCESS_CPUTIME_ID) < 500 * MS)
		run(burn, 2 * MS);
	pause();
}

static void *burn_and_execute(void *ns)
{
	burn(ns);
	execl(self, self, "burn", NULL);
	_exit(1);
}

static void execute_from_a_thread(void)
{
	burn((void *)(uintptr_t)(50 * MS));
	run(burn_and_execute, 300 * MS);
}

/* Watches a child until its CPU time stands still. Its time and what kiln has counted. */
static void watch(void (*fn)(void), uint64_t *used, uint64_t *counted, struct watched *w)
{
	uint64_t before = 0;
	clockid_t clock;
	pid_t child;
	int fds[2];

	assert_int_equal(record_ring_new(&w->ring, RING_BYTES), 0);
	w->period_ns = PERIOD_NS;
	assert_int_equal(pipe(fds), 0);
	child = fork();
	if (!child) {
		char byte;

		if (read(fds[0], &byte, 1) == 1)
			fn();
		_exit(0);
	}
	assert_true(child > 0);
	assert_int_equal(clock_getcpuclockid(child, &clock), 0);
	assert_int_equal(watched_add(w, child), 0);
	watched_begin(w);
	*used = clock_ns(clock);
	assert_int_equal(write(fds[1], "", 1), 1);
	for (int still = 0; still < 30;) {
		nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
		watched_look(w);
		still = clock_ns(clock) == before ? still + 1 : 0;
		before = clock_ns(clock);
	}
	*used = before - *used;
	*counted = watched_lost_ns(w, true); /* of which there is no sample: there are none */
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(fds[0]);
	close(fds[1]);
	record_ring_free(w->ring);
	watched_release(w);
}

/* Within a look or two. */
static void assert_counted(uint64_t counted, uint64_t used)
{
	assert_true(used >= 300 * MS);
	assert_true(counted <= used + PERIOD_NS);
	assert_true(counted + 2 * PERIOD_NS >= used);
}

TEST(test_threads_that_nobody_sees)
{
	struct watched w = {.seed = 1};
	uint64_t used, counted;

	watch(run_short_threads, &used, &counted, &w);
	assert_counted(counted, used);
	assert_true(w.used_ns < used); /* or this has tested nothing */
}

TEST(test_a_thread_that_executes_a_program)
{
	struct watched w = {.seed = 1};
	uint64_t used, counted;

	watch(execute_from_a_thread, &used, &counted, &w);
	assert_counted(counted, used);
	assert_true(w.used_ns <= used);
}

/* Forks when it is told to, and says so. */
static void fork_when_told(int from, int to)
{
	pid_t parent = getpid();
	char byte;

	while (read(from, &byte, 1) == 1) {
		pid_t child = fork();

		if (!child) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			while (getppid() == parent)
				pause();
			_exit(0);
		}
		if (child < 0 || write(to, "", 1) != 1)
			_exit(1);
	}
}

static void tell(int to, int from)
{
	char byte;

	assert_int_equal(write(to, "", 1), 1);
	assert_int_equal(read(from, &byte, 1), 1);
}

/* Also after many looks in which nobody began. */
TEST(test_who_begins_is_seen_by_the_next_look)
{
	struct watched w = {.seed = 1, .period_ns = PERIOD_NS};
	int told[2], said[2];
	pid_t parent;

	assert_int_equal(record_ring_new(&w.ring, RING_BYTES), 0);
	assert_int_equal(pipe(told), 0);
	assert_int_equal(pipe(said), 0);
	parent = fork();
	if (!parent) {
		close(told[1]);
		fork_when_told(told[0], said[1]);
		_exit(0);
	}
	assert_int_equal(watched_add(&w, parent), 0);
	watched_begin(&w);
	for (size_t children = 1; children <= 12; children++) {
		for (size_t i = 0; i < children; i++)
			watched_look(&w);
		tell(told[1], said[0]);
		watched_look(&w);
		assert_int_equal(w.all.len, 1 + children);
	}
	kill(parent, SIGKILL);
	waitpid(parent, NULL, 0);
	for (size_t i = 0; i < 2; i++) {
		close(told[i]);
		close(said[i]);
	}
	record_ring_free(w.ring);
	watched_release(&w);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_begins_is_seen_by_the_next_look),
		cmocka_unit_test(test_threads_that_nobody_sees),
		cmocka_unit_test(test_a_thread_that_executes_a_program),
	};

	self = argv[0];
	if (argc > 1) {
		burn((void *)(uintptr_t)(150 * MS));
		pause();
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}

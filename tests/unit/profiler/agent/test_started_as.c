// SPDX-License-Identifier: GPL-2.0-or-later
/* What a program was started as, also while its file server hangs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "profiler/agent/started_as.h"
#include "profiler/base/clock.h"
#include "tests/lib/fixture.h"
#include "tests/lib/fuse_server.h"

#define DIR "hung/usr/bin"

static void test_a_link_beside_the_file(void **state)
{
	struct started_as s = {.root = "links"};

	(void)state;
	assert_int_equal(mkdir("links", 0755) || mkdir("links/usr", 0755), 0);
	assert_int_equal(symlink("long", "links/usr/short"), 0);
	close(open("links/usr/long", O_CREAT | O_WRONLY | O_CLOEXEC, 0755));
	close(open("links/usr/other", O_CREAT | O_WRONLY | O_CLOEXEC, 0755));
	assert_true(started_as_is(&s, "/usr/long", "short"));
	assert_false(started_as_is(&s, "/usr/long", "other"));
	assert_false(started_as_is(&s, "/usr/long", "none"));
	assert_false(started_as_is(&s, "/usr/long", "../usr/short"));
	assert_false(started_as_is(&s, "/opt/long", "short"));
	started_as_release(&s);
}

/* It costs one wait, however many programs are there. */
static void test_a_server_that_hangs(void **state)
{
	struct started_as s = {.root = "hung", .guard.wait_ms = 50};
	uint64_t begin_ns;
	char name[16];
	pid_t pid;

	(void)state;
	assert_int_equal(mkdir("hung", 0755) || mkdir("hung/usr", 0755) || mkdir(DIR, 0755), 0);
	pid = geteuid() ? -1 : fuse_server_start(DIR, "/proc/self/exe");
	if (pid < 0)
		skip();
	assert_true(started_as_is(&s, "/usr/bin/" FUSE_SERVER_NAME, FUSE_SERVER_NAME));
	kill(pid, SIGSTOP);
	begin_ns = monotonic_ns();
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		assert_false(started_as_is(&s, "/usr/bin/" FUSE_SERVER_NAME, name));
	}
	assert_int_equal(s.guard.stalled, 1);
	assert_in_range(monotonic_ns() - begin_ns, 50000000, 2 * NS_PER_S);
	kill(pid, SIGCONT);
	while (stall_guard_stuck(&s.guard))
		usleep(1000);
	started_as_forget(&s);
	assert_true(started_as_is(&s, "/usr/bin/" FUSE_SERVER_NAME, FUSE_SERVER_NAME));
	started_as_release(&s);
	umount2(DIR, MNT_DETACH);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_link_beside_the_file),
		cmocka_unit_test(test_a_server_that_hangs),
	};

	return cmocka_run_group_tests_name("started_as", tests, fixture_setup, fixture_teardown);
}

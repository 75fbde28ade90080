// SPDX-License-Identifier: GPL-2.0-or-later
/* Who starts readers, also when it was stopped meanwhile. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "symbolizer/sandbox/message.h"
#include "symbolizer/sandbox/spawner.h"

/* The only child of this process. */
static pid_t child_of(void)
{
	char path[64], text[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	f = fopen(path, "re");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	return (pid_t)atoi(text);
}

static int say_hello(void *ctx, int sock, pid_t parent)
{
	char gone;

	(void)ctx;
	(void)parent;
	if (!wire_send(sock, "hello", 5, -1))
		while (read(sock, &gone, 1) < 0 && errno == EINTR)
			;
	return 0;
}

static void assert_says_hello(struct spawner *s)
{
	char *msg = malloc(WIRE_BYTES_MAX);
	pid_t pid;
	int sock;

	assert_non_null(msg);
	assert_int_equal(spawner_spawn(s, &pid, &sock), 0);
	while (wire_recv(sock, msg, NULL) == -EAGAIN)
		usleep(1000);
	assert_memory_equal(msg, "hello", 5);
	close(sock);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	free(msg);
}

static void test_one_that_was_stopped_goes_on(void **state)
{
	struct spawner *s;
	pid_t pid, spawner;
	int sock;

	(void)state;
	assert_int_equal(spawner_new(&s, say_hello, NULL), 0);
	assert_says_hello(s);
	spawner = child_of();
	assert_int_equal(kill(spawner, SIGSTOP), 0);
	spawner_set_wait(s, 20);
	assert_int_equal(spawner_spawn(s, &pid, &sock), -ETIMEDOUT);
	assert_int_equal(spawner_spawn(s, &pid, &sock), -ETIMEDOUT);
	spawner_set_wait(s, 10000);
	kill(spawner, SIGCONT);
	assert_says_hello(s);
	assert_says_hello(s);
	spawner_free(s);
	/* Nothing is left of the requests that nobody waited for. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void test_one_that_was_killed_is_counted(void **state)
{
	unsigned before = spawners_gone();
	struct spawner *s, *other;
	pid_t pid;
	int sock;

	(void)state;
	assert_int_equal(spawner_new(&s, say_hello, NULL), 0);
	assert_says_hello(s);
	assert_int_equal(kill(child_of(), SIGKILL), 0);
	for (int i = 0; i < 3; i++)
		assert_true(spawner_spawn(s, &pid, &sock) < 0);
	assert_int_equal(spawners_gone(), before + 1);
	assert_int_equal(spawner_new(&other, say_hello, NULL), 0);
	assert_says_hello(other);
	assert_int_equal(spawners_gone(), before + 1);
	spawner_free(other);
	spawner_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_that_was_stopped_goes_on),
		cmocka_unit_test(test_one_that_was_killed_is_counted),
	};

	return cmocka_run_group_tests_name("spawner", tests, NULL, NULL);
}

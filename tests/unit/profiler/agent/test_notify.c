// SPDX-License-Identifier: GPL-2.0-or-later
/* The protocol of sd_notify(3), as a service manager sees it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "profiler/agent/notify.h"

#define S 1000000000ull

/* Binds a manager's socket and names it in the environment: a path, or "@name". */
static int manager(const char *name)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	memcpy(addr.sun_path, name, strlen(name));
	if (name[0] == '@')
		addr.sun_path[0] = '\0';
	else
		len++;
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, len), 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
	return fd;
}

static void assert_hears(int fd, const char *text)
{
	char got[256];
	ssize_t n = recv(fd, got, sizeof(got) - 1, 0);

	assert_true(n >= 0);
	got[n] = '\0';
	assert_string_equal(got, text);
}

static void assert_hears_nothing(int fd)
{
	char got[256];

	assert_int_equal(recv(fd, got, sizeof(got), 0), -1);
	assert_int_equal(errno, EAGAIN);
}

static void talk(const char *name)
{
	int fd = manager(name);
	struct notifier n;

	assert_int_equal(notify_open(&n), 0);
	notify_send(&n, "READY=1\nSTATUS=%d windows", 7);
	assert_hears(fd, "READY=1\nSTATUS=7 windows");
	assert_hears_nothing(fd);
	notify_close(&n);
	notify_send(&n, "READY=1");
	assert_hears_nothing(fd);
	close(fd);
}

static void by_path_and_by_name(void **state)
{
	char dir[] = "/tmp/kiln-notify-XXXXXX", path[64], name[64];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	talk(path);
	unlink(path);
	rmdir(dir);
	snprintf(name, sizeof(name), "@kiln-notify-%d", getpid());
	talk(name);
}

static void nobody_listens(void **state)
{
	static const char *const wrong[] = {"relative", "@", "/", "/nonexistent/socket"};
	struct notifier n;
	char path[200];

	(void)state;
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(notify_open(&n), 0);
	notify_send(&n, "READY=1");
	notify_watchdog(&n, S);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		setenv("NOTIFY_SOCKET", wrong[i], 1);
		assert_true(notify_open(&n) < 0);
		notify_send(&n, "READY=1");
		notify_close(&n);
	}
	memset(path, '/', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	setenv("NOTIFY_SOCKET", path, 1);
	assert_int_equal(notify_open(&n), -EINVAL);
}

static void a_manager_that_does_not_read(void **state)
{
	char name[64];
	struct notifier n;
	int fd;

	(void)state;
	snprintf(name, sizeof(name), "@kiln-notify-full-%d", getpid());
	fd = manager(name);
	assert_int_equal(notify_open(&n), 0);
	for (int i = 0; i < 10000; i++)
		notify_send(&n, "STATUS=%d", i);
	close(fd);
	notify_send(&n, "STATUS=gone");
	notify_close(&n);
}

static void the_watchdog_hears_in_time(void **state)
{
	char name[64], pid[32];
	struct notifier n;
	int fd, heard = 0;

	(void)state;
	snprintf(name, sizeof(name), "@kiln-notify-dog-%d", getpid());
	snprintf(pid, sizeof(pid), "%d", getpid());
	fd = manager(name);
	setenv("WATCHDOG_USEC", "4000000", 1);
	setenv("WATCHDOG_PID", pid, 1);
	assert_int_equal(notify_open(&n), 0);
	assert_int_equal(n.watchdog_ns, 4 * S);
	for (uint64_t t = 100 * S; t < 140 * S; t += S / 10) {
		char got[32];

		notify_watchdog(&n, t);
		while (recv(fd, got, sizeof(got), 0) > 0)
			heard++;
	}
	assert_int_equal(heard, 40);
	notify_close(&n);
	setenv("WATCHDOG_PID", "1", 1);
	assert_int_equal(notify_open(&n), 0);
	assert_int_equal(n.watchdog_ns, 0);
	notify_close(&n);
	setenv("WATCHDOG_PID", pid, 1);
	setenv("WATCHDOG_USEC", "soon", 1);
	assert_int_equal(notify_open(&n), 0);
	assert_int_equal(n.watchdog_ns, 0);
	notify_close(&n);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_path_and_by_name),
		cmocka_unit_test(nobody_listens),
		cmocka_unit_test(a_manager_that_does_not_read),
		cmocka_unit_test(the_watchdog_hears_in_time),
	};

	return cmocka_run_group_tests_name("notify", tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* The log of a service whose reader stops reading. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/log.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static int was, reader;

/* stderr becomes a pipe. */
static int begin(void **state)
{
	int fds[2];

	(void)state;
	alarm(20); /* who waits for the reader waits for ever */
	if (pipe2(fds, O_CLOEXEC))
		return -1;
	was = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	reader = fds[0];
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	return fcntl(reader, F_SETFL, O_NONBLOCK);
}

static int end(void **state)
{
	(void)state;
	dup2(was, STDERR_FILENO);
	close(was);
	if (reader >= 0)
		close(reader);
	log_set_format(LOG_TEXT);
	return 0;
}

/* Everything that was written, and how many lines that was. */
static size_t read_all(char *last, size_t size)
{
	static char text[1 << 17];
	size_t len = 0, lines = 0;
	ssize_t n;

	while ((n = read(reader, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	for (char *line = text, *nl; (nl = strchr(line, '\n')); line = nl + 1, lines++)
		snprintf(last, size, "%.*s", (int)(nl - line), line);
	return lines;
}

TEST(test_a_service_does_not_wait_for_who_reads_its_log)
{
	char last[256], want[64];
	size_t lines;

	log_set_format(LOG_LOGFMT);
	for (int i = 0; i < 4000; i++)
		log_warning("%100d", i);
	lines = read_all(last, sizeof(last));
	assert_in_range(lines, 100, 1000);
	assert_null(strstr(last, "not_shown"));
	log_warning("again");
	assert_int_equal(read_all(last, sizeof(last)), 1);
	snprintf(want, sizeof(want), "msg=\"again\" not_shown=%zu", 4000 - lines);
	assert_non_null(strstr(last, want));
	log_warning("as before");
	assert_int_equal(read_all(last, sizeof(last)), 1);
	assert_null(strstr(last, "not_shown"));
}

TEST(test_a_reader_that_is_gone)
{
	log_set_format(LOG_JSON);
	close(reader);
	reader = -1;
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < 4000; i++)
		log_warning("%100d", i);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		T(test_a_service_does_not_wait_for_who_reads_its_log),
		T(test_a_reader_that_is_gone),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}

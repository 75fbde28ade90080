// SPDX-License-Identifier: GPL-2.0-or-later
/* Few lines a minute name every destination that fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <unistd.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/base/log.h"
#include "tests/lib/delivery.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static void fails(struct sim *s, struct sim_server *v, struct sim_answer *out)
{
	(void)s;
	(void)v;
	out->status = 503;
}

/* The log goes into a file from now on. */
static int begin_log(unsigned lines)
{
	int saved = dup(STDERR_FILENO);

	assert_non_null(freopen("log", "w", stderr));
	setvbuf(stderr, NULL, _IONBF, 0);
	log_set_level(LOG_NORMAL);
	log_set_limit(lines);
	return saved;
}

static char *end_log(int saved)
{
	char *text;
	size_t len;

	log_set_limit(0);
	log_set_level(LOG_QUIET);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	assert_int_equal(io_read_file("log", 1 << 20, &text, &len), 0);
	return text;
}

static size_t lines_with(const char *text, const char *what)
{
	size_t n = 0;

	for (const char *at = strstr(text, what); at; at = strstr(at + 1, what))
		n++;
	return n;
}

static char *log_of(unsigned lines, uint64_t until_ns)
{
	struct test t = {.names = {"a", "b", "c", "d"}};
	int saved;

	log_set_level(LOG_QUIET);
	for (int i = 0; i < 3; i++)
		t.sim.servers[i].answer = fails;
	begin(&t);
	saved = begin_log(lines);
	run_until(&t, until_ns, 5);
	end(&t);
	return end_log(saved);
}

/* The first one is named at once, and the last line of this minute names the others. */
TEST(the_last_line_names_all)
{
	_cleanup_free_ char *text = log_of(2, 60 * NS_PER_S);

	assert_int_equal(lines_with(text, "\n"), 2);
	assert_int_equal(lines_with(text, "windows wait in the store\n"), 2);
	assert_int_equal(lines_with(text, "upload \"a\" (sim+http://h): 503 it went wrong"), 1);
	assert_int_equal(lines_with(text, "upload \"b\" (sim+http://h): 503 it went wrong"), 1);
	assert_int_equal(lines_with(text, "upload \"c\" (sim+http://h): 503 it went wrong"), 1);
	assert_int_equal(lines_with(text, "upload \"d\""), 0);
}

/* Where there is room, each has a line of its own, and has it once. */
TEST(each_has_a_line)
{
	_cleanup_free_ char *text = log_of(0, 600 * NS_PER_S);

	assert_int_equal(lines_with(text, "\n"), 3);
	assert_int_equal(lines_with(text, "windows wait in the store\n"), 3);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {CASE(the_last_line_names_all), CASE(each_has_a_line)};

	return cmocka_run_group_tests_name("delivery_say", tests, NULL, NULL);
}

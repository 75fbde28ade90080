// SPDX-License-Identifier: GPL-2.0-or-later
/* Secrets that are put away come back, and two configurations that put theirs away can still be compared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/agent/config.h"
#include "profiler/agent/held_secrets.h"
#include "profiler/base/buf.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static struct config *parse(const char *value)
{
	struct config_errors errs = {0};
	struct config *c = NULL;
	char text[512];

	snprintf(text, sizeof(text),
		 "upload:\n"
		 "- {name: a, url: \"pprof+http://h/x\", headers: {X-A: \"%s\", X-B: same}}\n"
		 "- {name: b, url: \"pprof+http://h/x\"}\n"
		 "- {name: c, url: \"parca+http://h\", debuginfo: true, headers: {X-C: third}}\n",
		 value);
	if (config_parse(&c, "k.yaml", text, strlen(text), &errs))
		fail_msg("refused: %s", buf_cstr(&errs.text));
	return c;
}

static const char *header(const struct config *c, size_t upload, size_t i)
{
	return c->upload.data[upload].headers.list.data[i].value;
}

static bool wants_files(const struct config_upload *u)
{
	return u->debuginfo != DEBUGINFO_NONE;
}

TEST(they_come_back)
{
	struct config *c = parse("first");

	assert_int_equal(held_secrets_put(c, 1), 0);
	assert_null(strstr(header(c, 0, 0), "first"));
	assert_null(strstr(header(c, 0, 1), "same"));
	assert_null(strstr(header(c, 2, 0), "third"));
	assert_int_equal(held_secrets_get(c, NULL), 0);
	assert_string_equal(header(c, 0, 0), "first");
	assert_string_equal(header(c, 0, 1), "same");
	assert_string_equal(header(c, 2, 0), "third");
	assert_int_equal(c->held_fd, -1);
	assert_int_equal(held_secrets_get(c, NULL), 0); /* nothing is away */
	assert_string_equal(header(c, 2, 0), "third");
	config_free(c);
}

/* Each process that begins reads all of them, whoever did before. */
TEST(only_those_of_its_destinations)
{
	struct config *c = parse("first");

	assert_int_equal(held_secrets_put(c, 1), 0);
	assert_int_equal(held_secrets_get(c, wants_files), 0);
	assert_string_equal(header(c, 0, 0), "");
	assert_string_equal(header(c, 0, 1), "");
	assert_string_equal(header(c, 2, 0), "third");
	config_free(c);
}

TEST(configurations_are_compared)
{
	struct config *a = parse("first"), *same = parse("first"), *other = parse("other");

	assert_int_equal(held_secrets_put(a, 7), 0);
	assert_int_equal(held_secrets_put(same, 7), 0);
	assert_int_equal(held_secrets_put(other, 7), 0);
	assert_false(CONFIG_DIFFERS(a, same, CONFIG_KEY_upload));
	assert_true(CONFIG_DIFFERS(a, other, CONFIG_KEY_upload));
	config_free(a);
	config_free(same);
	config_free(other);
}

TEST(without_headers_there_is_no_file)
{
	struct config_errors errs = {0};
	struct config *c = NULL;

	assert_int_equal(config_parse(&c, "k.yaml", "window: 1s\n", 11, &errs), 0);
	assert_int_equal(held_secrets_put(c, 1), 0);
	assert_int_equal(c->held_fd, -1);
	assert_int_equal(held_secrets_get(c, NULL), 0);
	config_free(c);
}

TEST(variables)
{
	int fd;

	unsetenv("AWS_ACCESS_KEY_ID");
	unsetenv("AWS_SECRET_ACCESS_KEY");
	unsetenv("AWS_SESSION_TOKEN");
	assert_int_equal(held_secrets_put_env(&fd), 0);
	assert_int_equal(fd, -1);
	assert_int_equal(held_secrets_get_env(fd), 0);
	setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
	assert_int_equal(held_secrets_put_env(&fd), 0);
	assert_string_equal(getenv("AWS_SECRET_ACCESS_KEY"), "");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(held_secrets_get_env(fd), 0);
		assert_string_equal(getenv("AWS_SECRET_ACCESS_KEY"), "secret");
		assert_null(getenv("AWS_SESSION_TOKEN"));
	}
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_come_back),
		cmocka_unit_test(only_those_of_its_destinations),
		cmocka_unit_test(configurations_are_compared),
		cmocka_unit_test(without_headers_there_is_no_file),
		cmocka_unit_test(variables),
	};

	return cmocka_run_group_tests_name("held_secrets", tests, NULL, NULL);
}

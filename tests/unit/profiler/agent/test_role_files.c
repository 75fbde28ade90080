// SPDX-License-Identifier: GPL-2.0-or-later
/* The files that a configuration names are read before anything depends on them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "profiler/agent/config.h"
#include "profiler/agent/roles.h"
#include "profiler/base/buf.h"
#include "tests/lib/fixture.h"

static struct config *parse(const char *text)
{
	struct config_errors errs = {0};
	struct config *c = NULL;

	if (config_parse(&c, "k.yaml", text, strlen(text), &errs))
		fail_msg("%s", buf_cstr(&errs.text));
	buf_release(&errs.text);
	return c;
}

static int check(const char *format, bool is_lenient)
{
	char cwd[256], text[1024];
	struct config *c;
	int err;

	assert_non_null(getcwd(cwd, sizeof(cwd)));
	/* cppcheck-suppress wrongPrintfScanfArgNum ; one file or two */
	snprintf(text, sizeof(text), format, cwd, cwd);
	c = parse(text);
	err = roles_check(c, is_lenient);
	config_free(c);
	return err;
}

#define TOKEN "http: {token_file: %s/token}\n"
#define TLS   "http: {tls: {cert: %s/cert, key: %s/key}}\n"

static void files_of_the_server(void **state)
{
	(void)state;
	assert_int_equal(check("window: 5s\n", false), 0);
	assert_int_equal(check(TOKEN, false), -ENOENT);
	fixture_run("install -m 600 /dev/null token");
	assert_int_equal(check(TOKEN, false), -EINVAL);
	fixture_run("echo >token");
	assert_int_equal(check(TOKEN, false), -EINVAL);
	fixture_run("echo secret >token");
	assert_int_equal(check(TOKEN, false), 0);
	fixture_run("echo x >cert");
	assert_int_equal(check(TLS, false), -ENOENT);
	fixture_run("echo x >key");
	assert_int_equal(check(TLS, false), 0);
}

#define UPLOAD "upload: [{name: a, url: pyroscope+https://host, token_file: %s/secret}]\n"

static void files_of_destinations(void **state)
{
	(void)state;
	assert_int_equal(check(UPLOAD, false), -ENOENT);
	fixture_run("install -m 644 /dev/null secret && echo secret >secret");
	assert_int_equal(check(UPLOAD, false), -EACCES); /* everybody may open it */
	fixture_run("chmod 600 secret");
	assert_int_equal(check(UPLOAD, false), 0);
}

/* For who may not open it: whether it is right is not known. */
static void files_of_others(void **state)
{
	(void)state;
	if (geteuid())
		skip();
	fixture_run("chmod 755 . && install -m 600 /dev/null token && echo secret >token");
	assert_int_equal(seteuid(65534), 0);
	assert_int_equal(check(TOKEN, true), 0);
	assert_int_equal(check(TOKEN, false), -EACCES);
	assert_int_equal(seteuid(0), 0);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(files_of_the_server),
		CASE(files_of_destinations),
		CASE(files_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* Who may ask, and what answers which path. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "profiler/http/guard.h"
#include "profiler/http/server.h"

static const char *const hosts[] = {"profiles.example.org", "10.1.2.3", NULL};

static void test_hosts(void **state)
{
	static const char *const good[] = {
		"localhost",
		"LOCALHOST:80",
		"127.0.0.1",
		"127.0.0.1:7676",
		"[::1]",
		"[::1]:65535",
		"10.1.2.3:1",
		"profiles.example.org",
		"Profiles.Example.Org",
		"profiles.example.org:7",
	};
	static const char *const bad[] = {
		"",
		"evil.org",
		"localhost.evil.org",
		"localhost:",
		"localhost:x",
		"localhost:1234567",
		"127.0.0.1:80:80",
		"[::1",
		"::1",
		"[::1]x",
		"127.0.0.2",
		"profiles.example.or",
		"profiles.example.orgg",
		"localhost:80@evil.org",
		" localhost",
		"localhost ",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		if (!guard_host(good[i], hosts))
			fail_msg("%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (guard_host(bad[i], hosts))
			fail_msg("%s", bad[i]);
	assert_false(guard_host(NULL, hosts));
	assert_true(guard_host("localhost", NULL));
	assert_false(guard_host("10.1.2.3", NULL));
}

static void test_tokens(void **state)
{
	(void)state;
	assert_true(guard_token("Bearer secret", "secret"));
	assert_true(guard_token("bearer secret", "secret"));
	assert_false(guard_token(NULL, "secret"));
	assert_false(guard_token("", "secret"));
	assert_false(guard_token("secret", "secret"));
	assert_false(guard_token("Bearer ", "secret"));
	assert_false(guard_token("Bearer", "secret"));
	assert_false(guard_token("Bearer secre", "secret"));
	assert_false(guard_token("Bearer secret ", "secret"));
	assert_false(guard_token("Bearer Secret", "secret"));
	assert_false(guard_token("Bearer ", "")); /* an empty token is nobody's */
}

/* Browsers and go tool pprof can only say a user and a password. */
static void test_passwords(void **state)
{
	(void)state;
	assert_true(guard_token("Basic eDpzZWNyZXQ=", "secret"));    /* x:secret */
	assert_true(guard_token("basic  eDpzZWNyZXQ", "secret"));    /* without padding */
	assert_true(guard_token("Basic OnNlY3JldA==", "secret"));    /* :secret */
	assert_true(guard_token("Basic eDphOmI+P/8=", "a:b>?\xff")); /* x:a:b>?\xff */
	assert_false(guard_token("Basic eDpzZWNyZXQ=", "secre"));
	assert_false(guard_token("Basic eDpzZWNyZXQ=", "secrets"));
	assert_false(guard_token("Basic c2VjcmV0", "secret"));	   /* no user */
	assert_false(guard_token("Basic c2VjcmV0Og==", "secret")); /* secret: */
	assert_false(guard_token("Basic eDpzZWNyZXQA", "secret")); /* x:secret and a NUL */
	assert_false(guard_token("Basic eDpzZWNyZXQ==", "secre"));
	assert_false(guard_token("Basic eDpz*WNyZXQ=", "secret"));
	assert_false(guard_token("Basic eDpzZWNyZXQ=e", "secret"));
	assert_false(guard_token("Basic x:secret", "secret"));
	assert_false(guard_token("Basic", "secret"));
	assert_false(guard_token("Basic ", "secret"));
	assert_false(guard_token("Basic eDo=", ""));
	assert_false(guard_token("Basic:eDpzZWNyZXQ=", "secret"));
}

static void test_work(void **state)
{
	static const char browser[] =
		"Mozilla/5.0 (X11; Linux x86_64; rv:78.0) Gecko/20100101 Firefox/78.0";

	(void)state;
	assert_true(guard_work(NULL, NULL));
	assert_true(guard_work(NULL, "curl/8.5.0"));
	assert_true(guard_work(NULL, "Go-http-client/1.1"));
	assert_false(guard_work(NULL, browser)); /* an old one, or http: to another machine */
	assert_true(guard_work("none", browser));
	assert_true(guard_work("same-origin", browser));
	assert_false(guard_work("same-site", browser)); /* another port of this machine */
	assert_false(guard_work("cross-site", browser));
	assert_false(guard_work("cross-site", NULL));
	assert_false(guard_work("", browser));
}

static void test_routes(void **state)
{
	const char *rest = NULL;
	const char *allow;

	(void)state;
	assert_ptr_equal(http_route("GET", "/", &rest, &allow), answer_page);
	assert_ptr_equal(http_route("HEAD", "/metrics", &rest, &allow), answer_metrics);
	assert_ptr_equal(http_route("GET", "/api/v1/labels", &rest, &allow), answer_labels);
	assert_ptr_equal(http_route("GET", "/api/v1/labels/comm", &rest, &allow),
			 answer_label_values);
	assert_string_equal(rest, "comm");
	assert_ptr_equal(http_route("POST", "/querier.v1.QuerierService/Series", &rest, &allow),
			 answer_querier);
	assert_string_equal(rest, "Series");
	assert_null(http_route("POST", "/metrics", &rest, &allow));
	assert_string_equal(allow, "GET, HEAD");
	assert_string_equal(http_route_params("/api/v1/labels/comm"), "since|until|where");
	assert_string_equal(http_route_params("/"), "since|until|where|base");
	assert_null(http_route_params("/-/ready")); /* a probe may add what it likes */
	for (size_t i = 0; i < 6; i++) {
		static const char *const none[] = {
			"", "//", "/metrics/", "/metric", "/api/v1/labels/", "/api/v1/labels/a/b"};

		assert_null(http_route("GET", none[i], &rest, &allow));
		assert_null(allow);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hosts),	  cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_passwords), cmocka_unit_test(test_work),
		cmocka_unit_test(test_routes),
	};

	return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}

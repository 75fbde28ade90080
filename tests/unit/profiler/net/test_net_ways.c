// SPDX-License-Identifier: GPL-2.0-or-later
/* Ways to a server: by proxies, TLS and HTTP/2, with each libcurl that is here. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>

#include "profiler/base/clock.h"
#include "profiler/net/net.h"
#include "tests/lib/net_fetch.h"
#include "tests/lib/net_server.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

/* --- proxies -------------------------------------------------------------------------------------- */

TEST(proxies)
{
	struct net_request r = get(net_server_url("http", "/echo"));
	struct net_answer a;

	r.proxy = net_server_url("proxy", "");
	setenv("no_proxy", "127.0.0.1", 1);
	assert_int_equal(fetch(&r, &a), 0);
	assert_has(&a, "by proxy: GET http://127.0.0.1:");
	net_answer_release(&a);
	unsetenv("no_proxy");

	r.url = net_server_url("https", "/echo");
	r.tls.ca_file = "ca.pem";
	r.auth.bearer = "sec-ret";
	assert_int_equal(fetch(&r, &a), 0);
	assert_has(&a, "GET /echo HTTP/1.1");
	assert_int_equal(a.retry_after_s, -1);
	net_answer_release(&a);

	r.proxy = net_server_url("proxy407", "");
	assert_int_equal(fetch(&r, &a), -ECONNREFUSED);
	assert_string_equal(a.why, "the proxy answers with status 407");
	assert_true(a.is_bad_request);
	net_answer_release(&a);

	r.proxy = net_server_url("nobody", "");
	assert_int_equal(fetch(&r, &a), -ECONNREFUSED);
	assert_false(a.is_bad_request);
	net_answer_release(&a);
}

/* --- TLS and HTTP/2, with each libcurl that is here -------------------------------------------------- */

static const char *const flavours[] = {"libcurl-gnutls.so.4", "libcurl.so.4"};

static void for_each_flavour(void (*fn)(const char *soname))
{
	unsigned tried = 0;

	for (size_t i = 0; i < sizeof(flavours) / sizeof(*flavours); i++) {
		struct net *n = NULL;

		if (net_new(&n, flavours[i], NULL))
			continue;
		net_free(n);
		fn(flavours[i]);
		tried++;
	}
	assert_true(tried > 0);
}

static void tls(const char *soname)
{
	const struct {
		const char *server, *ca, *cert, *key;
		int err;
	} cases[] = {
		{"https", "ca.pem", NULL, NULL, 0},
		{"https", "other.pem", NULL, NULL, -EPROTO},
		{"https", NULL, NULL, NULL, -EPROTO},
		{"mtls", "ca.pem", "client.pem", "client.key", 0},
		{"mtls", "ca.pem", NULL, NULL, -EPROTO},
		{"mtls", "ca.pem", "stranger.pem", "stranger.key", -EPROTO},
		{"tls11", "ca.pem", NULL, NULL, -EPROTO},
		{"https", "ca.pem", "client.pem", "server.key", -EACCES},
		{"https", "ext", NULL, NULL, -EACCES},
		{"https", "nothing.pem", NULL, NULL, -EACCES},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct net_request r = get(net_server_url(cases[i].server, "/ok"));
		struct net_answer a;
		int err;

		r.tls = (struct net_tls){cases[i].ca, cases[i].cert, cases[i].key};
		r.auth.bearer = "sec-ret";
		err = net_fetch(&r, soname, &a);
		/* TLS 1.3 refuses a client's certificate so late that sending may fail first. */
		if (err == -EIO && cases[i].err && !strcmp(cases[i].server, "mtls"))
			err = -EPROTO;
		/* GnuTLS takes a file without certificates, and trusts nobody then. */
		if (err == -EPROTO && cases[i].ca && !strcmp(cases[i].ca, "ext"))
			err = -EACCES, a.is_bad_request = true;
		if (err != cases[i].err || !err != !*a.why)
			fail_msg("%s, case %zu: %d, %s", soname, i, a.err, a.why);
		assert_int_equal(a.is_bad_request, cases[i].err == -EACCES);
		net_answer_release(&a);
	}
}

TEST(certificates)
{
	for_each_flavour(tls);
}

/* Plain HTTP behind https: no certificate is wrong, but trying again is no help either. */
static void no_tls(const char *soname)
{
	char url[64];
	struct net_request r = get(url);
	struct net_answer a;

	snprintf(url, sizeof(url), "https://127.0.0.1:%d/ok", net_server_port("http"));
	r.total_ms = 3000;
	if (net_fetch(&r, soname, &a) == 0)
		fail_msg("%s: an answer", soname);
	net_answer_release(&a);
}

TEST(a_server_without_tls)
{
	for_each_flavour(no_tls);
}

static void http2(const char *soname)
{
	for (int i = 0; i < 2; i++) {
		struct net_request r = {.method = "POST",
					.url = net_server_url(i ? "h2" : "h2c", "/pkg.Service/Do"),
					.body = "frame",
					.len = 5,
					.version = NET_HTTP2,
					.tls.ca_file = i ? "ca.pem" : NULL};
		struct net_answer a;

		if (net_fetch(&r, soname, &a))
			fail_msg("%s: %s", soname, a.why);
		assert_body(&a, "frame");
		assert_int_equal(a.status, 200);
		assert_int_equal(a.grpc_status, 0);
		assert_string_equal(a.grpc_message, "by trailer");
		assert_string_equal(a.content_type, "application/grpc");
		net_answer_release(&a);
	}
}

TEST(trailers_of_http2)
{
	for_each_flavour(http2);
}

static void only_http1(const char *soname)
{
	struct net_request r = get(net_server_url("https", "/ok"));
	struct net_answer a;

	r.tls.ca_file = "ca.pem";
	r.version = NET_HTTP2;
	if (net_fetch(&r, soname, &a) != -EPROTO)
		fail_msg("%s: %d %s", soname, a.err, a.why);
	assert_string_equal(a.why, "the server does not speak HTTP/2");
	net_answer_release(&a);
}

TEST(a_server_without_http2)
{
	for_each_flavour(only_http1);
}

/* Nothing that the server sends is an answer, and libcurl would read it until the time is over. */
static void never_an_answer(const char *soname)
{
	struct net_request r[] = {
		{.method = "POST",
		 .url = net_server_url("empty", "/pkg.Service/Do"),
		 .version = NET_HTTP2},
		get(net_server_url("http", "/empty-blocks")),
		/* Its queue of the kernel may be long, so that it never gets empty. */
		{.method = "POST",
		 .url = net_server_url("updates", "/pkg.Service/Do"),
		 .max_bytes = 2 << 20,
		 .version = NET_HTTP2}};
	struct net_answer a;

	for (size_t i = 0; i < sizeof(r) / sizeof(*r); i++) {
		uint64_t begin = monotonic_ns();

		r[i].total_ms = 15000;
		assert_int_equal(net_fetch(&r[i], soname, &a), -ETIMEDOUT);
		assert_true(monotonic_ns() - begin < 40 * NS_PER_S);
		if (!strstr(a.why, "sends without end") || !a.is_bad_request)
			fail_msg("%s, %s: %s", soname, r[i].url, a.why);
		net_answer_release(&a);
	}
}

TEST(a_server_that_sends_nothing_without_end)
{
	for_each_flavour(never_an_answer);
}

static void keep_end(void *ctx, struct net_answer *a)
{
	struct why *why = ctx;

	why_say(why, 0, "%d %s", a->err, a->why);
}

/* The same on a connection that another request has made. */
static void then_never(const char *soname)
{
	struct net_request r = {.method = "POST",
				.url = net_server_url("h2once", "/pkg.Service/Do"),
				.version = NET_HTTP2,
				.tls.ca_file = "ca.pem",
				.total_ms = 15000};
	struct net *n = NULL;

	assert_int_equal(net_new(&n, soname, NULL), 0);
	for (int i = 0; i < 2; i++) {
		struct why why = {""};

		assert_int_equal(net_start(n, &r, keep_end, &why, NULL), 0);
		while (net_running(n))
			assert_int_equal(net_turn(n, 1000, -1), 0);
		if (!strstr(why.text, i ? "sends without end" : "0 "))
			fail_msg("%s, request %d: %s", soname, i, why.text);
	}
	net_free(n);
}

TEST(a_connection_that_is_used_again)
{
	for_each_flavour(then_never);
}

/* Each has a connection of its own, and nobody's is used for what it does not speak. */
static void side_by_side(const char *soname)
{
	struct net_request r[] = {{.method = "POST",
				   .url = net_server_url("both", "/pkg.Service/Do"),
				   .version = NET_HTTP2},
				  {.method = "POST",
				   .url = net_server_url("both", "/pkg.Service/Do"),
				   .version = NET_HTTP2,
				   .total_ms = 200},
				  get(net_server_url("both", "/ok"))};
	static const char *const wanted[] = {"0 ", "-110 ", "0 "};
	struct why got[3] = {{""}};
	struct net *n = NULL;

	assert_int_equal(net_new(&n, soname, NULL), 0);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 3; i++)
			assert_int_equal(net_start(n, &r[i], keep_end, &got[i], NULL), 0);
		while (net_running(n))
			assert_int_equal(net_turn(n, 1000, -1), 0);
		for (int i = 0; i < 3; i++)
			if (strncmp(got[i].text, wanted[i], strlen(wanted[i])) != 0)
				fail_msg("%s, round %d, request %d: %s", soname, round, i,
					 got[i].text);
	}
	net_free(n);
}

TEST(several_at_once_to_one_port)
{
	for_each_flavour(side_by_side);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(proxies),
		cmocka_unit_test(certificates),
		cmocka_unit_test(a_server_without_tls),
		cmocka_unit_test(trailers_of_http2),
		cmocka_unit_test(a_server_without_http2),
		cmocka_unit_test(a_server_that_sends_nothing_without_end),
		cmocka_unit_test(a_connection_that_is_used_again),
		cmocka_unit_test(several_at_once_to_one_port),
	};

	return cmocka_run_group_tests(tests, net_server_setup, net_server_teardown);
}

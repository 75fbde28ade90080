// SPDX-License-Identifier: GPL-2.0-or-later
/* Requests to servers that answer well, wrongly, slowly, or not at all (tests/lib/net_server.py). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>

#include "profiler/base/clock.h"
#include "profiler/base/text.h"
#include "profiler/net/net.h"
#include "tests/lib/net_fetch.h"
#include "tests/lib/net_server.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static void assert_lacks(struct net_answer *a, const char *part)
{
	if (a->err || strcasestr(buf_cstr(&a->body), part))
		fail_msg("\"%s\" is in: %s%s", part, a->why, buf_cstr(&a->body));
}

/* --- what is sent ------------------------------------------------------------------------------- */

TEST(a_request_as_the_server_gets_it)
{
	const char *const headers[] = {"Content-Type: application/proto", "X-Empty: ", "X-A: b c",
				       NULL};
	struct net_request r = {.method = "POST",
				.url = net_server_url("http", "/echo/%7Bx%7D/../y?q=1"),
				.headers = headers,
				.body = "a\0b",
				.len = 3,
				.auth.bearer = "t0ken"};
	struct net_answer a;

	assert_int_equal(fetch(&r, &a), 0);
	assert_int_equal(a.status, 200);
	assert_has(&a, "POST /echo/%7Bx%7D/../y?q=1 HTTP/1.1\r\n");
	assert_has(&a, "\r\nContent-Type: application/proto\r\n");
	assert_has(&a, "\r\nX-Empty:\r\n");
	assert_has(&a, "\r\nX-A: b c\r\n");
	assert_has(&a, "\r\nAuthorization: Bearer t0ken\r\n");
	assert_has(&a, "\r\nUser-Agent: kiln/");
	assert_has(&a, "\r\nAccept-Encoding: gzip\r\n");
	assert_has(&a, "\r\nContent-Length: 3");
	assert_lacks(&a, "Expect");
	assert_memory_equal(a.body.data + a.body.len - 3, "a\0b", 3);
	assert_string_equal(a.content_type, "text/plain");
	/* What was echoed is what was sent. */
	assert_int_equal(a.sent, a.body.len);
	assert_true(a.received > a.body.len);
	net_answer_release(&a);
}

TEST(a_put_without_a_body)
{
	struct net_request r = {.method = "PUT",
				.url = net_server_url("http", "/echo"),
				.auth = {.user = "me", .password = "a:b"}};
	struct net_answer a;

	assert_int_equal(fetch(&r, &a), 0);
	assert_has(&a, "PUT /echo HTTP/1.1\r\n");
	assert_has(&a, "\r\nContent-Length: 0");
	assert_has(&a, "\r\nAuthorization: Basic bWU6YTpi\r\n");
	assert_lacks(&a, "Content-Type");
	net_answer_release(&a);
}

TEST(a_large_body)
{
	struct net_request r = {.method = "POST",
				.url = net_server_url("http", "/echo"),
				.len = 3 << 20,
				.max_bytes = 4 << 20};
	char *body = malloc(r.len);
	struct net_answer a;

	assert_non_null(body);
	memset(body, 'x', r.len);
	r.body = body;
	assert_int_equal(fetch(&r, &a), 0);
	assert_memory_equal(a.body.data + a.body.len - r.len, body, r.len);
	assert_true(a.sent > r.len && a.sent < r.len + 1000);
	assert_lacks(&a, "Expect");
	net_answer_release(&a);
	free(body);
}

TEST(a_signed_request)
{
	const char *const headers[] = {"Content-Type: application/octet-stream", NULL};
	struct net_request r = {.method = "PUT",
				.url = net_server_url("http", "/echo/bucket/key"),
				.headers = headers,
				.body = "abc",
				.len = 3,
				.auth = {.aws_region = "eu-west-1",
					 .aws_key = "AK",
					 .aws_secret = "very-secret",
					 .aws_session_token = "session"}};
	struct net_answer a;
	char host[64];

	assert_int_equal(fetch(&r, &a), 0);
	snprintf(host, sizeof(host), "\r\nHost: 127.0.0.1:%d\r\n", net_server_port("http"));
	assert_has(&a, host);
	assert_has(&a, "\r\nx-amz-content-sha256: ba7816bf8f01cfea414140de5dae2223b00361a396177a9c"
		       "b410ff61f20015ad\r\n");
	assert_has(&a, "\r\nx-amz-security-token: session\r\n");
	assert_has(&a, "/eu-west-1/s3/aws4_request,SignedHeaders=content-type;host;"
		       "x-amz-content-sha256;x-amz-date;x-amz-security-token,Signature=");
	assert_lacks(&a, "very-secret");
	net_answer_release(&a);
}

/* What a shell exports, and a file that curl reads. */
TEST(the_environment_counts_for_nothing)
{
	struct net_request r = get(net_server_url("http", "/echo"));
	struct net_answer a;

	fixture_write(".netrc", "machine 127.0.0.1 login me password secret\n");
	setenv("HOME", fixture_dir, 1);
	setenv("http_proxy", net_server_url("proxy", "/"), 1);
	setenv("ALL_PROXY", net_server_url("proxy", "/"), 1);
	assert_int_equal(fetch(&r, &a), 0);
	assert_has(&a, "GET /echo HTTP/1.1");
	assert_lacks(&a, "Authorization");
	net_answer_release(&a);
	unsetenv("http_proxy");
	unsetenv("ALL_PROXY");
}

/* --- answers ------------------------------------------------------------------------------------ */

TEST(headers_of_answers)
{
	static const struct {
		const char *path;
		long status;
		int grpc_status;
		const char *grpc_message, *body;
		int retry_min, retry_max;
	} cases[] = {
		{"/ok", 200, -1, "", "hello", -1, -1},
		{"/seconds", 429, -1, "", "slow down", 17, 17},
		{"/date", 503, -1, "", "", 365 * 86400, 365 * 86400},
		{"/past", 503, -1, "", "", 0, 0},
		{"/soon", 503, -1, "", "", -1, -1},
		{"/grpc", 200, 7, "no entry\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd", "", -1, -1},
		{"/trailers", 200, 0, "fine", "hello", -1, -1},
		{"/gzip", 200, -1, "", "inflated", -1, -1},
		{"/interim", 200, -1, "", "hello", -1, -1},
		{"/redirect", 302, -1, "", "", -1, -1},
		{"/status/500", 500, -1, "", NULL, -1, -1},
		{"/malformed", 200, -1, "", "hello", -1, -1},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct net_request r = get(net_server_url("http", cases[i].path));
		struct net_answer a;

		fetch(&r, &a);
		if (cases[i].body)
			assert_body(&a, cases[i].body);
		assert_int_equal(a.status, cases[i].status);
		assert_int_equal(a.grpc_status, cases[i].grpc_status);
		assert_string_equal(a.grpc_message, cases[i].grpc_message);
		assert_in_range(a.retry_after_s + 1, cases[i].retry_min + 1,
				cases[i].retry_max + 1);
		net_answer_release(&a);
	}
}

TEST(a_malformed_type_is_clean)
{
	struct net_request r = get(net_server_url("http", "/malformed"));
	struct net_answer a;

	assert_int_equal(fetch(&r, &a), 0);
	assert_true(text_is_clean(a.content_type, strlen(a.content_type)));
	assert_non_null(strstr(a.content_type, "red"));
	net_answer_release(&a);
}

TEST(what_is_no_answer)
{
	static const struct {
		const char *server, *path;
		int err;
		const char *why;
	} cases[] = {
		{"nobody", "/", -ECONNREFUSED, "onnect"},
		{"http", "/cut", -EIO, "bytes remaining"},
		{"http", "/garbage", -EIO, ""},
		{"http", "/empty", -EIO, ""},
		{"http", "/broken-gzip", -EIO, ""},
		{"http", "/huge", -EFBIG, "the answer is larger than 1000 bytes"},
		{"http", "/bomb", -EFBIG, "the answer is larger than 1000 bytes"},
		{"http", "/headers", -EFBIG, "the answer's headers are larger than 256 KiB"},
		{"http", "/never", -ETIMEDOUT, ""},
		{"http", "/stalls", -ETIMEDOUT, ""},
		{"h2c", "/", -EIO, ""},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct net_request r = get(net_server_url(cases[i].server, cases[i].path));
		struct net_answer a;
		uint64_t begin = monotonic_ns();

		r.total_ms = 1500;
		r.max_bytes = 1000;
		if (fetch(&r, &a) != cases[i].err || !strstr(a.why, cases[i].why) || !*a.why)
			fail_msg("%s: %d, %s", cases[i].path, a.err, a.why);
		assert_false(a.is_bad_request);
		assert_true(a.body.len <= 1000);
		assert_true(monotonic_ns() - begin < 10 * NS_PER_S);
		net_answer_release(&a);
	}
}

/* Longer than a stall, and shorter than the whole. */
TEST(a_stall_ends_before_the_whole_time)
{
	struct net_request r = get(net_server_url("http", "/stalls"));
	uint64_t begin = monotonic_ns();
	struct net_answer a;

	r.total_ms = 60000;
	r.stall_ms = 1000;
	assert_int_equal(fetch(&r, &a), -ETIMEDOUT);
	assert_true(monotonic_ns() - begin < 20 * NS_PER_S);
	net_answer_release(&a);
}

/* --- what cannot be asked ------------------------------------------------------------------------- */

TEST(requests_that_are_none)
{
	static const char *const split[] = {"X: a\r\nEvil: sec-ret", NULL};
	static const char *const nameless[] = {"sec-ret", NULL};
	const struct net_request cases[] = {
		{.method = "GET", .url = "ftp://h/"},
		{.method = "GET", .url = "file:///etc/passwd"},
		{.method = "GET", .url = NULL},
		{.method = "GET", .url = "http://"},
		{.method = "GET", .url = "http://:80/"},
		{.method = "GET", .url = "http://me:sec-ret@127.0.0.1:1/"},
		{.method = "GET", .url = "http://h/a b"},
		{.method = "GET", .url = "http://h/a\nb"},
		{.method = "GET", .url = "http://127.0.0.1:99999/"},
		{.method = "BREW", .url = "http://127.0.0.1:1/"},
		{.method = "GET", .url = "http://127.0.0.1:1/", .headers = split},
		{.method = "GET", .url = "http://127.0.0.1:1/", .headers = nameless},
		{.method = "GET", .url = "http://127.0.0.1:1/", .auth.bearer = "sec-ret\r\nX: y"},
		{.method = "GET", .url = "http://127.0.0.1:1/", .proxy = "http://me:sec-ret@h:1"},
		{.method = "GET", .url = "http://127.0.0.1:1/", .proxy = "socks5://h:1"},
		{.method = "GET", .url = "http://127.0.0.1:1/", .auth.aws_secret = "sec-ret"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct net_answer a;

		if (fetch(&cases[i], &a) != -EINVAL || !a.is_bad_request || !*a.why)
			fail_msg("case %zu: %d, %s", i, a.err, a.why);
		if (strstr(a.why, "sec-ret"))
			fail_msg("case %zu: %s", i, a.why);
		net_answer_release(&a);
	}
}

TEST(without_libcurl)
{
	struct net_request r = get("http://127.0.0.1:1/");
	struct why why = {""};
	struct net *n = NULL;
	struct net_answer a;

	assert_int_equal(net_new(&n, "libthere-is-none.so", &why), -ENOSYS);
	assert_null(n);
	assert_non_null(strstr(why.text, "needs libcurl, which is not here: install libcurl4"));
	assert_int_equal(net_fetch(&r, "libm.so.6", &a), -ENOSYS);
	assert_non_null(strstr(a.why, "libcurl 7.66"));
	assert_true(a.is_bad_request);
	net_answer_release(&a);
}

/* --- side by side --------------------------------------------------------------------------------- */

struct count {
	struct net *n;
	struct net_transfer *other;
	unsigned done, again;
	long status[64];
};

static void on_done(void *ctx, struct net_answer *a)
{
	struct count *c = ctx;

	c->status[c->done++ % 64] = a->err ?: a->status;
}

static void until_done(struct net *n, const struct count *c, unsigned wanted)
{
	uint64_t end = monotonic_ns() + 30 * NS_PER_S;

	while (c->done < wanted && monotonic_ns() < end)
		assert_int_equal(net_turn(n, 1000, -1), 0);
	assert_int_equal(c->done, wanted);
}

TEST(one_that_hangs_holds_up_no_other)
{
	struct net_request never = get(net_server_url("http", "/never"));
	struct net_request good = get(net_server_url("http", "/ok"));
	struct net_request none = get("nothing");
	struct count c = {0}, hung = {0};
	struct net_transfer *t;
	struct net *n;

	assert_int_equal(net_new(&n, NULL, NULL), 0);
	assert_int_equal(net_start(n, &never, on_done, &hung, &t), 0);
	assert_int_equal(net_start(n, &never, on_done, &hung, NULL), 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(net_start(n, &good, on_done, &c, NULL), 0);
	assert_int_equal(net_start(n, &none, on_done, &c, NULL), 0);
	assert_int_equal(c.done, 0);
	until_done(n, &c, 21);
	assert_int_equal(net_running(n), 2);
	net_cancel(n, t);
	assert_int_equal(net_running(n), 1);
	net_free(n);
	assert_int_equal(hung.done, 0);
}

/* From inside of the callback. */
static void on_done_again(void *ctx, struct net_answer *a)
{
	struct net_request r = get(net_server_url("http", "/ok")), none = get("nothing");
	struct count *c = ctx;

	on_done(c, a);
	if (c->other)
		net_cancel(c->n, c->other);
	c->other = NULL;
	if (c->again && c->again--)
		assert_int_equal(net_start(c->n, c->again % 2 ? &r : &none, on_done_again, c, NULL),
				 0);
}

TEST(callbacks_start_and_cancel)
{
	struct net_request none = get("nothing"), never = get(net_server_url("http", "/never"));
	struct count c = {.again = 6};

	assert_int_equal(net_new(&c.n, NULL, NULL), 0);
	assert_int_equal(net_start(c.n, &never, on_done_again, &c, &c.other), 0);
	assert_int_equal(net_start(c.n, &none, on_done_again, &c, NULL), 0);
	until_done(c.n, &c, 7);
	assert_int_equal(net_running(c.n), 0);
	assert_int_equal(c.status[0], -EINVAL);
	assert_int_equal(c.status[1], 200);
	net_free(c.n);
}

TEST(a_descriptor_ends_the_wait)
{
	struct net_request never = get(net_server_url("http", "/never"));
	struct count c = {0};
	uint64_t begin = monotonic_ns();
	struct net *n;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(net_new(&n, NULL, NULL), 0);
	assert_int_equal(net_turn(n, 100, fds[0]), 0);
	assert_true(monotonic_ns() - begin >= NS_PER_S / 11);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(net_turn(n, 20000, fds[0]), 0);
	assert_int_equal(net_start(n, &never, on_done, &c, NULL), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(net_turn(n, 20000, fds[0]), 0);
	assert_true(monotonic_ns() - begin < 10 * NS_PER_S);
	net_free(n);
	close(fds[0]);
	close(fds[1]);
}

TEST(a_unix_socket)
{
	struct net_request r = get("http://localhost/ok");
	struct net_answer a;

	r.socket = "socket";
	assert_int_equal(fetch(&r, &a), 0);
	assert_body(&a, "hello");
	net_answer_release(&a);
}

/* ------------------------------------------------------------------------------------------------- */

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_as_the_server_gets_it),
		cmocka_unit_test(a_put_without_a_body),
		cmocka_unit_test(a_large_body),
		cmocka_unit_test(a_signed_request),
		cmocka_unit_test(the_environment_counts_for_nothing),
		cmocka_unit_test(headers_of_answers),
		cmocka_unit_test(a_malformed_type_is_clean),
		cmocka_unit_test(what_is_no_answer),
		cmocka_unit_test(a_stall_ends_before_the_whole_time),
		cmocka_unit_test(requests_that_are_none),
		cmocka_unit_test(without_libcurl),
		cmocka_unit_test(one_that_hangs_holds_up_no_other),
		cmocka_unit_test(callbacks_start_and_cancel),
		cmocka_unit_test(a_descriptor_ends_the_wait),
		cmocka_unit_test(a_unix_socket),
	};

	return cmocka_run_group_tests(tests, net_server_setup, net_server_teardown);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* Requests to a server, as bytes: each of them gets an answer. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "profiler/base/buf.h"
#include "profiler/base/clock.h"
#include "profiler/http/http.h"
#include "profiler/metrics/metrics.h"
#include "tests/lib/fixture.h"
#include "tests/lib/store.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static struct metrics *metrics;
static struct server *server;
static struct sockaddr_in address;

static int begin(void **state)
{
	struct http_opts opts = {.store_path = "store", .unix_fd = -1, .metrics = metrics_new()};
	socklen_t len = sizeof(address);
	struct why why = {""};

	metrics = opts.metrics;
	return fixture_setup(state) || http_listen_tcp(&opts.tcp_fd, "127.0.0.1:0", &why) ||
	       getsockname(opts.tcp_fd, (struct sockaddr *)&address, &len) ||
	       http_start(&server, &opts);
}

static int end(void **state)
{
	http_stop(server);
	metrics_free(metrics);
	return fixture_teardown(state);
}

static int connect_to_it(void)
{
	const struct timeval patience = {.tv_sec = 60};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* GET of a path and parameters, with further lines of headers. Asserts how the answer begins and what is in it. */
static void assert_answer(const char *target, const char *headers, const char *status,
			  const char *part)
{
	struct buf request = {0}, answer = {0};
	char data[4096];
	int fd = connect_to_it();
	ssize_t n;

	buf_printf(&request, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n",
		   target, headers);
	assert_int_equal(send(fd, request.data, request.len, MSG_NOSIGNAL), request.len);
	while ((n = recv(fd, data, sizeof(data), 0)) > 0)
		buf_add(&answer, data, (size_t)n);
	if (strncmp(buf_cstr(&answer), status, strlen(status)) != 0 ||
	    !strstr(buf_cstr(&answer), part))
		fail_msg("%.60s: no %s with %s, but %s", target, status, part, buf_cstr(&answer));
	close(fd);
	buf_release(&request);
	buf_release(&answer);
}

/* `n` times the same. */
static char *repeat(const char *text, size_t n)
{
	struct buf b = {0};

	while (n--)
		buf_str(&b, text);
	return buf_take(&b);
}

/* As many as browsers keep of a host. */
TEST(cookies_of_other_programs)
{
	char *value = repeat("x", 200), *cookies;
	struct buf header = {0};
	char cookie[256];

	snprintf(cookie, sizeof(cookie), "session=%s; ", value);
	cookies = repeat(cookie, 180);
	buf_printf(&header, "Cookie: %s\r\n", cookies);
	assert_true(header.len > 37000);
	assert_answer("/-/healthy", buf_cstr(&header), "HTTP/1.1 200 ", "\r\n\r\nhealthy");
	buf_release(&header);
	free(cookies);
	free(value);
}

TEST(many_parameters)
{
	char *list = repeat("n=1&", 1000);
	struct buf target = {0};

	buf_printf(&target, "/api/v1/report?%s", list);
	assert_answer(buf_cstr(&target), "", "HTTP/1.1 400 ", "\\\"n\\\": it is there twice");
	buf_release(&target);
	free(list);
}

/* Nobody would see the rest. */
TEST(escaped_nuls)
{
	const struct {
		const char *target, *status, *part;
	} cases[] = {
		{"/api/v1/labels/comm%00x", "HTTP/1.1 400 ", "the path contains a NUL"},
		{"/-/healthy%00", "HTTP/1.1 400 ", "the path contains a NUL"},
		{"/metrics?a=b%00c", "HTTP/1.1 400 ", "a parameter contains a NUL"},
		{"/metrics?%2500", "HTTP/1.1 200 ", "kiln_"},
		{"/-/healthy", "HTTP/1.1 200 ", "\r\n\r\nhealthy"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_answer(cases[i].target, "", cases[i].status, cases[i].part);
}

/* A window of now whose label "n" has so many values. */
static void store_values(unsigned n)
{
	struct store *s = open_store("store", &(struct store_opts){.access = STORE_WRITE});
	struct profile *p = profile_new();
	int64_t values[2] = {1, 1000};
	uint32_t stack, set;
	char text[16];

	MUST(profile_init_cpu(p, 1000));
	MUST(profile_stack(p, NULL, 0, &stack));
	for (unsigned i = 0; i < n; i++) {
		struct profile_label label = {.key = str_id(p, "n")};

		snprintf(text, sizeof(text), "v%05u", i);
		label.str = str_id(p, text);
		MUST(profile_labelset(p, &label, 1, &set));
		MUST(profile_add(p, stack, set, values));
	}
	assert_int_equal(store_append(s, p, &(struct quality){0}, unix_ns() - MINUTE, SECOND), 0);
	profile_free(p);
	store_close(s);
}

TEST(more_labels_than_are_told)
{
	store_values(10000);
	assert_answer("/api/v1/labels/n", "", "HTTP/1.1 200 ", "\"v09999\"]}");
	store_values(10003);
	assert_answer("/api/v1/labels/n", "", "HTTP/1.1 200 ", "\"v09999\"],\"left_out\":3}");
	assert_answer("/api/v1/labels", "", "HTTP/1.1 200 ", "{\"names\":[\"n\"]}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cookies_of_other_programs),
		cmocka_unit_test(many_parameters),
		cmocka_unit_test(escaped_nuls),
		cmocka_unit_test(more_labels_than_are_told),
	};

	return cmocka_run_group_tests(tests, begin, end);
}

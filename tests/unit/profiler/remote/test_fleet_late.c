// SPDX-License-Identifier: GPL-2.0-or-later
/* A store whose answers never end, byte by byte: nobody is held by it for ever. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/remote/fleet.h"
#include "profiler/upload/target.h"

#define TEST(name) static void name(void **state __attribute__((unused)))
#define TOTAL_MS   700
#define MOST_MS	   20000 /* far below what a single request may take */

static int listener;
static unsigned port;

static void *trickle(void *ctx)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
				   "Content-Length: 1000000\r\n\r\n";
	char asked[4096];

	(void)ctx;
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			return NULL;
		if (recv(fd, asked, sizeof(asked), 0) > 0 &&
		    send(fd, head, sizeof(head) - 1, MSG_NOSIGNAL) > 0)
			while (send(fd, "x", 1, MSG_NOSIGNAL) == 1)
				usleep(20000);
		close(fd);
	}
}

static int start_server(void **state)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	pthread_t thread;

	(void)state;
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&a, len) || listen(listener, 8) ||
	    getsockname(listener, (struct sockaddr *)&a, &len) ||
	    pthread_create(&thread, NULL, trickle, NULL))
		return -1;
	port = ntohs(a.sin_port);
	return pthread_detach(thread);
}

static void ask(const char *scheme, const char *path)
{
	char url[128];
	char *const env[] = {"AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b", NULL};
	const struct upload_target_opts o = {.name = "late", .url = url, .env = env};
	struct fleet_query q = {.until_ns = 3600 * (int64_t)NS_PER_S, .total_ms = TOTAL_MS};
	struct upload_target *t = NULL;
	struct profile *p = NULL;
	struct why why = {""};
	uint64_t begin_ns = monotonic_ns();

	snprintf(url, sizeof(url), "%s://127.0.0.1:%u%s", scheme, port, path);
	if (upload_target_new(&t, &o, &why))
		fail_msg("%s: %s", url, why.text);
	q.target = t;
	assert_int_equal(fleet_profile(&p, &q, &why), -ETIMEDOUT);
	assert_in_range(monotonic_ns() - begin_ns, TOTAL_MS / 2 * 1000000ull, MOST_MS * 1000000ull);
	if (!strstr(why.text, "not complete after 0 s") || !strstr(why.text, "--since"))
		fail_msg("%s: %s", url, why.text);
	upload_target_free(t);
}

TEST(a_profile_that_trickles)
{
	ask("pprof+http", "/profile.pb.gz");
}

TEST(a_list_of_types_that_trickles)
{
	ask("pyroscope+http", "");
	ask("parca+http", "");
}

TEST(objects_that_trickle)
{
	ask("s3+http", "/bucket");
}

TEST(tables_that_trickle)
{
	ask("clickhouse+http", "/kiln");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_profile_that_trickles),
		cmocka_unit_test(a_list_of_types_that_trickles),
		cmocka_unit_test(objects_that_trickle),
		cmocka_unit_test(tables_that_trickle),
	};

	return cmocka_run_group_tests(tests, start_server, NULL);
}

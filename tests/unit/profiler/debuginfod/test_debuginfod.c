// SPDX-License-Identifier: GPL-2.0-or-later
/* Debug files from servers that answer, lie, hang and die. libdebuginfod is the real one. */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "profiler/debuginfod/debuginfod.h"
#include "symbolizer/elf/elf_obj.h"
#include "symbolizer/symbolizer.h"
#include "tests/lib/fixture.h"

#define TEST(name) static void name(void **state __attribute__((unused)))
#define SECOND	   1000000000ull
#define PATIENCE   (60 * SECOND) /* for what is sure to come */

DEFINE_CLEANUP(debuginfod, debuginfod_free)
DEFINE_CLEANUP(symbolizer, symbolizer_free)

/* --- a server ----------------------------------------------------------------------------------- */

enum mode { SERVE, GARBAGE, OTHER, MISSING, ERROR, HANG, DROP };

static struct {
	int sock;
	char url[64];
	atomic_int mode; /* enum mode */
	atomic_int requests;
} server;

static void send_all(int fd, const void *data, size_t len)
{
	for (ssize_t n; len; data = (const char *)data + n, len -= (size_t)n) {
		n = send(fd, data, len, MSG_NOSIGNAL);
		if (n <= 0)
			return;
	}
}

static void send_body(int fd, const char *status, const void *body, size_t len)
{
	char head[128];
	int n = snprintf(head, sizeof(head),
			 "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", status,
			 len);

	send_all(fd, head, (size_t)n);
	send_all(fd, body, len);
}

static void send_file(int fd, const char *path)
{
	size_t len;
	uint8_t *data = fixture_read(path, &len);

	send_body(fd, "200 OK", data, len);
	free(data);
}

static void answer(int fd)
{
	switch (atomic_load(&server.mode)) {
	case SERVE:
		send_file(fd, "prog.debug");
		break;
	case OTHER:
		send_file(fd, "other.debug");
		break;
	case GARBAGE:
		send_body(fd, "200 OK", "\177ELF and so on", 13);
		break;
	case MISSING:
		send_body(fd, "404 Not Found", "", 0);
		break;
	case ERROR:
		send_body(fd, "500 Internal Server Error", "", 0);
		break;
	default:
		break;
	}
}

/* One request a connection. Hung ones stay open to the end. */
static void *serve(void *arg)
{
	char request[4096];
	int fd;

	while ((fd = accept(server.sock, NULL, NULL)) >= 0) {
		if (server.mode != DROP && recv(fd, request, sizeof(request), 0) > 0) {
			server.requests++;
			answer(fd);
		}
		if (server.mode != HANG)
			close(fd);
	}
	return arg;
}

static void start_server(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	pthread_t thread;

	server.sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server.sock, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(server.sock, 64), 0);
	assert_int_equal(getsockname(server.sock, (struct sockaddr *)&a, &len), 0);
	snprintf(server.url, sizeof(server.url), "http://127.0.0.1:%d", ntohs(a.sin_port));
	assert_int_equal(pthread_create(&thread, NULL, serve, NULL), 0);
	pthread_detach(thread);
}

/* --- fixtures ----------------------------------------------------------------------------------- */

static struct build_id id;
static uint64_t shown_va;

static int setup(void **state)
{
	struct elf_obj *obj;
	int err = fixture_setup(state);

	if (err)
		return err;
	fixture_write("prog.c",
		      "volatile int sink;\n"
		      "__attribute__((noinline)) static int hidden(int x) { return sink = x; }\n"
		      "int main(int argc, char **argv) { (void)argv; return hidden(argc); }\n");
	fixture_run("gcc -O1 -g -Wl,--build-id=sha1 prog.c -o prog && "
		    "objcopy --only-keep-debug prog prog.debug && "
		    "gcc -O1 -g -Wl,--build-id=0x0123456789abcdef prog.c -o other && "
		    "objcopy --only-keep-debug other other.debug");
	shown_va = fixture_nm("prog", "hidden");
	fixture_run("strip prog");
	assert_int_equal(elf_obj_open(&obj, fixture_open("prog"), NULL), 0);
	id = *elf_obj_build_id(obj);
	elf_obj_free(obj);
	start_server();
	return 0;
}

/* Every test begins with an empty cache on disk, and without a deadline. */
static int fresh_cache(void **state)
{
	static int n;
	char dir[32];

	(void)state;
	snprintf(dir, sizeof(dir), "caches/of/%d", n++);
	assert_int_equal(setenv("DEBUGINFOD_CACHE_PATH", fixture_at(dir), 1), 0);
	assert_int_equal(unsetenv("DEBUGINFOD_MAXTIME"), 0);
	server.requests = 0;
	return 0;
}

static struct debuginfod *new_client(enum mode mode, struct debuginfod_opts opts)
{
	struct debuginfod *d = NULL;
	const char *why = NULL;

	server.mode = mode;
	opts.urls = opts.urls ? opts.urls : server.url;
	assert_int_equal(debuginfod_new(&d, &opts, &why), 0);
	return d;
}

static const struct debuginfod_opts usual;

static struct debuginfod_stats stats_of(struct debuginfod *d)
{
	struct debuginfod_stats s;

	debuginfod_stats(d, &s);
	return s;
}

/* Asks for n files, the first of which is ours, and waits for all. */
static struct debuginfod_stats ask(struct debuginfod *d, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct build_id other = id;

		other.data[0] ^= (uint8_t)i;
		assert_int_equal(debuginfod_find(d, &other), -ENOENT);
	}
	assert_true(debuginfod_settle(d, PATIENCE, NULL, NULL));
	return stats_of(d);
}

static void take_name(void *ctx, size_t index, const struct sym_result *r)
{
	(void)index;
	snprintf(ctx, 64, "%s:%u", r->frames[0].name, r->frames[0].line);
}

static const char *name_with(struct debuginfod *d, bool sandbox)
{
	static char name[64];
	static const char *const nowhere[] = {NULL};
	struct symbolizer_opts opts = {.debug_dirs = nowhere,
				       .sandbox = sandbox,
				       .find_debug = debuginfod_find,
				       .find_ctx = d};
	_cleanup_(symbolizer_freep) struct symbolizer *s = NULL;
	_cleanup_close_ int fd = fixture_open("prog");
	struct sym_file file = {
		.fd = fd, .root_fd = -1, .path = fixture_at("prog"), .build_id = &id};

	assert_int_equal(symbolizer_new(&s, &opts), 0);
	assert_int_equal(symbolizer_resolve_va(s, &file, &shown_va, 1, take_name, name), 0);
	return name;
}

/* --- tests -------------------------------------------------------------------------------------- */

TEST(test_names_and_lines_come)
{
	_cleanup_(debuginfod_freep) struct debuginfod *d = new_client(SERVE, usual);
	struct debuginfod_stats s;

	assert_true(!strncmp(name_with(d, true), "prog+sub_", 9)); /* asks, and does not wait */
	assert_true(debuginfod_settle(d, PATIENCE, NULL, NULL));
	assert_string_equal(name_with(d, true), "hidden:2");
	assert_string_equal(name_with(d, false), "hidden:2");
	s = stats_of(d);
	assert_int_equal(s.asked, 1);
	assert_int_equal(s.came, 1);
	assert_true(s.bytes > 1000);
	assert_int_equal(server.requests, 1);
	assert_string_equal(debuginfod_last_error(d), "");
}

/* What came once is on disk: no server is asked again. */
TEST(test_cache_on_disk)
{
	for (int i = 0; i < 2; i++) {
		_cleanup_(debuginfod_freep) struct debuginfod *d = new_client(SERVE, usual);

		assert_int_equal(ask(d, 1).came, 1);
	}
	assert_int_equal(server.requests, 1);
}

TEST(test_missing_is_remembered)
{
	for (int i = 0; i < 2; i++) {
		_cleanup_(debuginfod_freep) struct debuginfod *d = new_client(MISSING, usual);

		for (int j = 0; j < 3; j++)
			assert_int_equal(ask(d, 1).missing, 1);
		assert_int_equal(stats_of(d).failed, 0);
	}
	assert_int_equal(server.requests, 1);
}

static void expect_bad(enum mode mode, struct debuginfod_opts opts)
{
	_cleanup_(debuginfod_freep) struct debuginfod *d = new_client(mode, opts);
	struct debuginfod_stats s = ask(d, 1);

	assert_int_equal(s.bad, 1);
	assert_int_equal(s.came, 0);
	assert_true(!strncmp(name_with(d, false), "prog+sub_", 9));
	assert_true(*debuginfod_last_error(d) != '\0');
}

TEST(test_something_else_comes)
{
	expect_bad(GARBAGE, usual);
	expect_bad(OTHER, usual); /* asked anew: the cache does not keep such things */
	expect_bad(SERVE, (struct debuginfod_opts){.max_bytes = 1000});
	assert_int_equal(server.requests, 3);
}

/* Asking takes no time, an end is found, and whoever waits says how long. */
TEST(test_server_that_hangs)
{
	_cleanup_(debuginfod_freep) struct debuginfod *d = new_client(HANG, usual);

	assert_int_equal(debuginfod_find(d, &id), -ENOENT);
	assert_false(debuginfod_settle(d, SECOND / 10, NULL, NULL));
	assert_int_equal(stats_of(d).waiting, 1);
	assert_int_equal(debuginfod_find(d, &id), -ENOENT);
	assert_int_equal(stats_of(d).asked, 1);
}

TEST(test_deadline_of_a_file)
{
	_cleanup_(debuginfod_freep) struct debuginfod *d =
		new_client(HANG, (struct debuginfod_opts){.file_ns = SECOND, .failures_max = 1});
	struct debuginfod_stats s = ask(d, 3);

	assert_int_equal(s.failed, 1);
	assert_int_equal(s.given_up, 2);
	assert_string_equal(debuginfod_last_error(d), "no answer within 1 s");
	/* and is no file that no server has: the next one who asks is not told so */
	debuginfod_free(steal_ptr(d));
	d = new_client(SERVE, usual);
	assert_int_equal(ask(d, 1).came, 1);
}

/* A deadline in the environment holds if it is shorter. */
TEST(test_deadline_of_the_environment)
{
	struct debuginfod *d;

	assert_int_equal(setenv("DEBUGINFOD_MAXTIME", "1", 1), 0);
	d = new_client(HANG, usual);
	assert_int_equal(ask(d, 1).failed, 1);
	assert_string_equal(debuginfod_last_error(d), "no answer within 1 s");
	debuginfod_free(d);
	assert_int_equal(setenv("DEBUGINFOD_MAXTIME", "1000", 1), 0);
	d = new_client(SERVE, usual);
	assert_string_equal(getenv("DEBUGINFOD_MAXTIME"), "60");
	debuginfod_free(d);
}

/* To the library an error of the server is a file that is not there, and a connection that ends may
 * be either: nothing comes, and nobody waits. */
TEST(test_server_that_fails)
{
	static const enum mode modes[] = {ERROR, DROP};

	for (size_t i = 0; i < 2; i++) {
		_cleanup_(debuginfod_freep) struct debuginfod *d = new_client(modes[i], usual);
		struct debuginfod_stats s = ask(d, 10);

		assert_int_equal(s.came, 0);
		assert_int_equal(s.missing + s.failed + s.given_up, 10);
	}
}

/* After so many failures in a row nobody is asked any more. */
TEST(test_no_server)
{
	_cleanup_(debuginfod_freep) struct debuginfod *d =
		new_client(SERVE, (struct debuginfod_opts){.urls = "http://127.0.0.1:1"});
	struct debuginfod_stats s = ask(d, 10);

	assert_int_equal(s.failed, 3);
	assert_int_equal(s.given_up, 7);
	assert_int_equal(server.requests, 0);
}

static bool tick_once(void *ctx)
{
	++*(int *)ctx;
	return false;
}

TEST(test_ticks)
{
	_cleanup_(debuginfod_freep) struct debuginfod *d = new_client(HANG, usual);
	int ticks = 0;

	assert_true(debuginfod_settle(d, PATIENCE, tick_once, &ticks)); /* nothing is asked for */
	assert_int_equal(ticks, 0);
	assert_int_equal(debuginfod_find(d, &id), -ENOENT);
	assert_false(debuginfod_settle(d, PATIENCE, tick_once, &ticks));
	assert_int_equal(ticks, 1);
}

TEST(test_cap)
{
	_cleanup_(debuginfod_freep) struct debuginfod *d = new_client(HANG, usual);
	struct build_id x = {.len = 20};

	for (unsigned i = 0; i < 5000; i++) {
		x.data[0] = (uint8_t)i;
		x.data[1] = (uint8_t)(i >> 8);
		assert_int_equal(debuginfod_find(d, &x), -ENOENT);
	}
	assert_int_equal(stats_of(d).asked, 4096);
	assert_int_equal(stats_of(d).over_cap, 904);
}

TEST(test_what_is_missing_is_said)
{
	struct debuginfod_opts opts = {.urls = " "};
	struct debuginfod *d = NULL;
	const char *why = "";

	assert_int_equal(debuginfod_new(&d, &opts, &why), -ENOENT);
	assert_non_null(strstr(why, "DEBUGINFOD_URLS"));
	unsetenv("DEBUGINFOD_URLS");
	opts.urls = NULL;
	assert_int_equal(debuginfod_new(&d, &opts, &why), -ENOENT);
	opts.urls = "https://one.example two.example";
	assert_int_equal(debuginfod_new(&d, &opts, &why), -ENOENT);
	assert_non_null(strstr(why, "URL such as https://"));
	opts.urls = server.url;
	opts.soname = "libdebuginfod-that-is-not.so.1";
	assert_int_equal(debuginfod_new(&d, &opts, &why), -ENOSYS);
	assert_non_null(strstr(why, "libdebuginfod1"));
	opts.soname = "libc.so.6";
	assert_int_equal(debuginfod_new(&d, &opts, &why), -ENOSYS);
	assert_null(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_names_and_lines_come, fresh_cache),
		cmocka_unit_test_setup(test_cache_on_disk, fresh_cache),
		cmocka_unit_test_setup(test_missing_is_remembered, fresh_cache),
		cmocka_unit_test_setup(test_something_else_comes, fresh_cache),
		cmocka_unit_test_setup(test_server_that_hangs, fresh_cache),
		cmocka_unit_test_setup(test_deadline_of_a_file, fresh_cache),
		cmocka_unit_test_setup(test_deadline_of_the_environment, fresh_cache),
		cmocka_unit_test_setup(test_server_that_fails, fresh_cache),
		cmocka_unit_test_setup(test_no_server, fresh_cache),
		cmocka_unit_test_setup(test_ticks, fresh_cache),
		cmocka_unit_test_setup(test_cap, fresh_cache),
		cmocka_unit_test_setup(test_what_is_missing_is_said, fresh_cache),
	};

	return cmocka_run_group_tests(tests, setup, fixture_teardown);
}

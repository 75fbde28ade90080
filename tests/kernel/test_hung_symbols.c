// SPDX-License-Identifier: GPL-2.0-or-later
/* Naming addresses while a file server answers nothing: of its files, and of debug files on it. */
#include <errno.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/log.h"
#include "symbolizer/worker/worker.h"
#include "tests/lib/fixture.h"
#include "tests/lib/fuse_server.h"

#define STALL_NS 2000000000ull

static pid_t server;
static uint64_t shown; /* a child process would hang: closing what is on the server waits for it */

static int setup(void **state)
{
	int err = fixture_setup(state);

	if (err)
		return err;
	log_set_level(LOG_QUIET);
	fixture_write("prog.c",
		      "volatile int sink;\n"
		      "__attribute__((noinline)) int shown(int x) { return sink = x; }\n"
		      "int main(int argc, char **argv) { (void)argv; return shown(argc); }\n");
	fixture_run("gcc -O1 -g -Wl,--build-id=sha1 prog.c -o origin && "
		    "gcc -O1 -g -Wl,--build-id=uuid prog.c -o other && "
		    "strip -o stripped origin && mkdir fuse");
	shown = fixture_nm("origin", "shown");
	server = fuse_server_start("fuse", "origin");
	alarm(240); /* hanging is what this is about */
	return server > 0 ? 0 : -1;
}

static int teardown(void **state)
{
	if (server > 0) {
		kill(server, SIGCONT);
		umount2("fuse", MNT_DETACH);
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
	}
	return fixture_teardown(state);
}

static void stop_server(void)
{
	int status;

	kill(server, SIGSTOP);
	assert_int_equal(waitpid(server, &status, WUNTRACED), server);
	assert_true(WIFSTOPPED(status));
}

struct seen {
	char name[128];
	enum sym_reason reason;
	bool lines;
};

static void see(void *ctx, size_t index, const struct sym_result *r)
{
	struct seen *s = ctx;

	(void)index;
	snprintf(s->name, sizeof(s->name), "%s", r->frames[r->n_frames - 1].name);
	s->reason = r->reason;
	s->lines = r->frames[r->n_frames - 1].file != NULL;
}

static struct seen look(struct worker *w, int fd, const char *path)
{
	struct sym_file file = {.fd = fd, .root_fd = -1, .path = path};
	struct sym_query q = {.file = &file, .addr = &shown, .n = 1};
	struct seen s = {.name = "never called"};

	assert_int_equal(worker_resolve(w, &q, see, &s), 0);
	return s;
}

static void open_worker(struct lookup **lookup, struct worker **w, const char *const *dirs)
{
	struct symbolizer_opts opts = {.debug_dirs = dirs};
	struct worker_opts worker = {.stall_ns = STALL_NS};

	assert_int_equal(lookup_new(lookup, &opts), 0);
	worker.lookup = *lookup;
	assert_int_equal(worker_new(w, &worker), 0);
}

static void close_worker(struct lookup *lookup, struct worker *w)
{
	worker_free(w);
	lookup_free(lookup);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

/* The process that reads is given up, and the file with it, once. The next file has its lines, though
 * the server still hangs and this process still holds a file on it. */
static void test_the_file_itself(void **state)
{
	_cleanup_close_ int hung = fixture_open("fuse/prog"), other = fixture_open("other");
	uint64_t begin = now_ns();
	struct symbolizer_stats stats;
	struct lookup *lookup;
	struct worker *w;

	(void)state;
	open_worker(&lookup, &w, NULL);
	stop_server();
	for (int i = 0; i < 5; i++)
		assert_int_equal(look(w, hung, fixture_at("fuse/prog")).reason, SYM_CRASHED);
	assert_true(look(w, other, fixture_at("other")).lines);
	assert_in_range(now_ns() - begin, STALL_NS, 3 * STALL_NS);
	worker_stats(w, &stats);
	assert_int_equal(stats.worker_restarts, 1);
	assert_int_equal(stats.files_failed, 1);
	kill(server, SIGCONT);
	close_worker(lookup, w);
}

/* Many files on that server are given up sooner and sooner, and soon at once. */
static void test_many_files(void **state)
{
	_cleanup_close_ int hung = fixture_open("fuse/prog"), other = fixture_open("other");
	uint64_t begin = now_ns();
	struct symbolizer_stats stats;
	struct lookup *lookup;
	struct worker *w;

	(void)state;
	open_worker(&lookup, &w, NULL);
	stop_server();
	for (uint8_t i = 0; i < 50; i++) {
		struct file_identity id = {{i + 1}};
		struct sym_file file = {.fd = hung, .root_fd = -1, .identity = &id};
		struct sym_query q = {.file = &file, .addr = &shown, .n = 1};
		struct seen s = {.name = "never called"};

		assert_int_equal(worker_resolve(w, &q, see, &s), 0);
		assert_int_equal(s.reason, SYM_CRASHED);
	}
	assert_true(look(w, other, fixture_at("other")).lines);
	assert_in_range(now_ns() - begin, STALL_NS, 4 * STALL_NS);
	worker_stats(w, &stats);
	assert_int_equal(stats.worker_restarts, 3);
	kill(server, SIGCONT);
	close_worker(lookup, w);
}

/* Looking for a debug file there is given up; nothing failed, and what the file itself has is said. */
static void test_a_debug_directory(void **state)
{
	const char *dirs[] = {fixture_at("fuse"), NULL};
	_cleanup_close_ int stripped = fixture_open("stripped"), other = fixture_open("other");
	struct symbolizer_stats stats;
	struct lookup *lookup;
	struct worker *w;
	struct seen s;

	(void)state;
	open_worker(&lookup, &w, dirs);
	stop_server();
	s = look(w, stripped, fixture_at("stripped"));
	assert_int_equal(s.reason, SYM_FDE_START);
	assert_non_null(strstr(s.name, "stripped+sub_"));
	assert_true(look(w, other, fixture_at("other")).lines);
	worker_stats(w, &stats);
	assert_int_equal(stats.worker_restarts, 0);
	close_worker(lookup, w);
	kill(server, SIGCONT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_file_itself),
		cmocka_unit_test(test_many_files),
		cmocka_unit_test(test_a_debug_directory),
	};

	if (geteuid() || access("/dev/fuse", R_OK | W_OK)) {
		printf("skipped: needs root and /dev/fuse\n");
		return 0;
	}
	return cmocka_run_group_tests_name("hung_symbols", tests, setup, teardown);
}

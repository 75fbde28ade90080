// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/worker/worker_set.h"

#include <errno.h>
#include <signal.h>
#include <sys/sysmacros.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/log.h"
#include "symbolizer/opener/opener.h"
#include "tests/lib/fixture.h"

#define OWNERS 6

static struct opener *opener;
static struct lookup *lookup;
static struct worker_set *set;
static struct held_file held[OWNERS]; /* of users 0, 1001, 1002 ... */
static char paths[OWNERS][128];

static uint32_t uid_of(unsigned i)
{
	return i ? 1000 + i : 0;
}

static int setup(void **state)
{
	struct symbolizer_opts opts = {.sandbox = true};
	int err = fixture_setup(state);

	if (err)
		return err;
	log_set_level(LOG_QUIET);
	fixture_write("prog.c", "int main(void) { return 0; }\n");
	fixture_run(
		"for i in 0 1 2 3 4 5; do cc -g -DN=$i -Wl,--build-id=uuid prog.c -o p$i; done; "
		"for i in 1 2 3 4 5; do chown $((1000 + i)) p$i; done");
	if (opener_new(&opener) || lookup_new(&lookup, &opts))
		return -1;
	return worker_set_new(&set, &(struct worker_opts){.lookup = lookup, .opener = opener});
}

static int teardown(void **state)
{
	worker_set_free(set);
	lookup_free(lookup);
	opener_free(opener);
	return fixture_teardown(state);
}

static void open_all(void)
{
	for (unsigned i = 0; i < OWNERS; i++) {
		struct open_request req = {.path = paths[i], .tgid = getpid(), .root_fd = -1};
		struct opened r;
		struct stat st;

		snprintf(paths[i], sizeof(paths[i]), "%s/p%u", fixture_dir, i);
		assert_int_equal(stat(paths[i], &st), 0);
		req.inode = st.st_ino;
		req.major = major(st.st_dev);
		req.minor = minor(st.st_dev);
		opener_mapped(opener, &req, 0, &r);
		assert_int_equal(r.err, 0);
		assert_int_equal(r.file.uid, uid_of(i));
		held[i] = r.file;
	}
}

static void count(void *ctx, size_t index, const struct sym_result *r)
{
	(void)index;
	*(unsigned *)ctx += r->reason != SYM_CRASHED && r->reason != SYM_NO_FILE;
}

/* Asks about a file. The pid of its reader. */
static pid_t ask(unsigned i)
{
	struct sym_file file = {.fd = -1, .root_fd = -1, .path = paths[i], .held = &held[i]};
	uint64_t addr = 0x1139;
	struct sym_query q = {.file = &file, .addr = &addr, .n = 1};
	unsigned answers = 0;
	struct worker *w;

	file.uid = held[i].uid;
	w = worker_set_for(set, &file);
	assert_int_equal(worker_resolve(w, &q, count, &answers), 0);
	assert_int_equal(answers, 1);
	assert_true(worker_pid(w) > 0);
	return worker_pid(w);
}

static bool has_open(pid_t pid, const char *path)
{
	char cmd[256];

	snprintf(cmd, sizeof(cmd), "ls -l /proc/%d/fd | grep -q '%s$'", pid, path);
	return !system(cmd);
}

static void test_a_reader_for_each_owner(void **state)
{
	pid_t root, other;

	(void)state;
	open_all();
	root = ask(0);
	other = ask(1);
	assert_int_not_equal(root, other);
	assert_int_equal(ask(0), root);
	assert_int_equal(ask(1), other);
	assert_true(has_open(root, paths[0]) && !has_open(root, paths[1]));
	assert_true(has_open(other, paths[1]) && !has_open(other, paths[0]));
}

/* The least recently used reader ends for a new owner; root's stays. */
static void test_few_readers(void **state)
{
	struct symbolizer_stats stats;
	pid_t root, second;

	(void)state;
	root = ask(0);
	second = ask(1);
	ask(2);
	ask(3);
	assert_int_equal(ask(1), second);
	ask(4); /* in place of the second user's */
	assert_int_equal(ask(1), second);
	ask(5);
	ask(2);
	ask(3);
	assert_int_not_equal(kill(second, 0), 0);
	assert_int_equal(ask(0), root);
	worker_set_stats(set, &stats);
	assert_int_equal(stats.files_failed, 0);
	assert_int_equal(stats.lookups, 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_reader_for_each_owner),
		cmocka_unit_test(test_few_readers),
	};

	if (geteuid()) {
		printf("1..1\nok 1 # SKIP needs root\n");
		return 0;
	}
	return cmocka_run_group_tests_name("worker_set", tests, setup, teardown);
}

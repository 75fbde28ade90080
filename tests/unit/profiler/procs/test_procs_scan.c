// SPDX-License-Identifier: GPL-2.0-or-later
/* What was read of /proc meets the events of the same time. */
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/procs/table.h"
#include "tests/lib/proc_table.h"

#define TICK 10000000ull

static void scan(struct procs *p, pid_t tgid, uint64_t start_ns, uint64_t now_ns, uint64_t from_ns,
		 uint64_t to_ns, uint32_t file)
{
	static const pid_t tids[] = {501, 502};
	struct proc_mapping m = {0x1000, 0x1000, 0, file, 0};
	struct scanned s = {
		.tgid = tgid,
		.parent_tgid = 1,
		.ns_tgid = 2,
		.uid = 1000,
		.start_ns = start_ns - start_ns % TICK,
		.now_ns = now_ns,
		.from_ns = from_ns,
		.to_ns = to_ns,
		.comm = "scanned",
		.tids = tids,
		.n_tids = tgid == 500 ? 2 : 0,
		.mappings = &m,
		.n_mappings = file != FILE_NONE,
		.exe = file,
	};

	assert_int_equal(procs_add_scanned(p, &s), 0);
}

static void test_scan(void **state)
{
	struct procs *p = new_table(NULL);
	const struct proc_image *im;

	(void)state;
	scan(p, 500, 3 * SEC, 100 * SEC, 100 * SEC + 5, 100 * SEC + 9, 7);
	assert_file(p, 500, 100 * SEC, 0x1000, 7, 0);
	im = procs_image(p, 500, 50 * SEC);
	assert_int_equal(im->begin_ns, 3 * SEC);
	assert_int_equal(im->uid, 1000);
	assert_int_equal(im->ns_tgid, 2);
	assert_string_equal(im->comm, "scanned");
	procs_exit(p, 101 * SEC, 500, 500);
	procs_exit(p, 101 * SEC, 500, 501);
	assert_int_equal(stats_of(p).images_alive, 1);
	procs_exit(p, 102 * SEC, 500, 502);
	assert_int_equal(stats_of(p).images_alive, 0);
	procs_free(p);
}

static int update(struct procs *p, pid_t tgid, uint64_t stamp_ns, uint32_t exe,
		  const struct proc_mapping *m, size_t n)
{
	struct scanned s = {
		.tgid = tgid,
		.now_ns = stamp_ns,
		.from_ns = stamp_ns + 5 * SEC,
		.to_ns = stamp_ns + 5 * SEC + 5,
		.comm = "again",
		.mappings = m,
		.n_mappings = n,
		.exe = exe,
		.jitdump = FILE_NONE,
	};

	return procs_update_scanned(p, &s);
}

/* mremap(2) and munmap(2) make no events: what is read again ends what was there and adds the rest. */
static void test_read_again(void **state)
{
	static const struct proc_mapping now[] = {
		{0x1000, 0x1000, 0, 7, 0},	   /* as before */
		{0x5000, 0x1000, 0x3000, 8, 0},	   /* moved here from 0x3000 */
		{0x8000, 0x1000, 0, FILE_NONE, 0}, /* in the middle of what was 0x7000-0xa000 */
	};
	struct procs *p = new_table(NULL);

	(void)state;
	procs_comm(p, 1 * SEC, 50, 50, "p", true);
	map(p, 1 * SEC, 50, 0x1000, 0x1000, 0, 7);
	map(p, 1 * SEC, 50, 0x3000, 0x1000, 0x3000, 8);
	map(p, 1 * SEC, 50, 0x5000, 0x1000, 0, 9); /* unmapped since, and nobody told */
	map(p, 1 * SEC, 50, 0x7000, 0x3000, 0, FILE_NONE);
	assert_int_equal(update(p, 50, 10 * SEC, 7, now, 3), 1);
	assert_file(p, 50, 2 * SEC, 0x1000, 7, 0);
	assert_file(p, 50, 20 * SEC, 0x1000, 7, 0);
	assert_file(p, 50, 2 * SEC, 0x3000, 8, 0x3000);
	assert_kind(p, 50, 10 * SEC, 0x3000, PLACE_UNMAPPED);
	assert_file(p, 50, 9 * SEC, 0x5000, 9, 0);
	assert_file(p, 50, 10 * SEC, 0x5000, 8, 0x3000);
	assert_kind(p, 50, 2 * SEC, 0x7000, PLACE_ANON);
	assert_kind(p, 50, 10 * SEC, 0x7000, PLACE_UNMAPPED);
	assert_kind(p, 50, 10 * SEC, 0x8fff, PLACE_ANON);
	assert_kind(p, 50, 10 * SEC, 0x9000, PLACE_UNMAPPED);
	assert_int_equal(update(p, 50, 12 * SEC, 7, now, 3), 0);
	/* nothing of its program is left: it was exec'ed over */
	assert_int_equal(update(p, 50, 20 * SEC, 8, now + 1, 1), 1);
	assert_file(p, 50, 19 * SEC, 0x1000, 7, 0);
	assert_kind(p, 50, 20 * SEC, 0x1000, PLACE_UNMAPPED);
	assert_file(p, 50, 20 * SEC, 0x5000, 8, 0x3000);
	assert_string_equal(procs_image(p, 50, 20 * SEC)->comm, "again");
	assert_int_equal(procs_image(p, 50, 20 * SEC)->exe, 8);
	procs_gone(p, 30 * SEC, 50);
	assert_int_equal(stats_of(p).images_alive, 0);
	procs_free(p);
}

/* What an event has told after the time that the reading is about ended when it was read. */
static void test_read_again_after_events(void **state)
{
	static const struct proc_mapping now[] = {{0x1000, 0x1000, 0, 7, 0}};
	struct procs *p = new_table(NULL);

	(void)state;
	procs_comm(p, 1 * SEC, 50, 50, "p", true);
	map(p, 1 * SEC, 50, 0x1000, 0x1000, 0, 7);
	map(p, 12 * SEC, 50, 0x3000, 0x1000, 0, 8);
	assert_int_equal(update(p, 50, 10 * SEC, 7, now, 1), 1);
	assert_kind(p, 50, 10 * SEC, 0x3000, PLACE_UNMAPPED);
	assert_file(p, 50, 13 * SEC, 0x3000, 8, 0);
	assert_kind(p, 50, 16 * SEC, 0x3000, PLACE_UNMAPPED);
	procs_free(p);
}

/* Of a thread whose end was lost nobody hears again: that it is not there any more is read. */
static void test_read_again_without_a_thread(void **state)
{
	static const struct proc_mapping now[] = {{0x1000, 0x1000, 0, 7, 0}};
	struct procs *p = new_table(NULL);
	struct scanned s = {
		.tgid = 50,
		.start_ns = 1,
		.now_ns = 10 * SEC,
		.from_ns = 11 * SEC,
		.to_ns = 11 * SEC + 5,
		.mappings = now,
		.n_mappings = 1,
		.exe = 7,
		.jitdump = FILE_NONE,
	};

	(void)state;
	procs_comm(p, 1 * SEC, 50, 50, "p", true);
	map(p, 1 * SEC, 50, 0x1000, 0x1000, 0, 7);
	procs_fork(p, 2 * SEC, 50, 51, 50);
	procs_update_scanned(p, &s); /* its threads could not be read */
	procs_exit(p, 12 * SEC, 50, 50);
	assert_int_equal(stats_of(p).images_alive, 1);
	s.has_all_tids = true;
	s.now_ns = 20 * SEC;
	s.tids = (const pid_t[]){52};
	s.n_tids = 1;
	procs_update_scanned(p, &s);
	procs_exit(p, 22 * SEC, 50, 52);
	assert_int_equal(stats_of(p).images_alive, 0);
	procs_free(p);
}

/* Events that the scan has seen the outcome of come after it, and must not change it. */
static void test_events_before_the_scan(void **state)
{
	struct procs *p = new_table(NULL);

	(void)state;
	scan(p, 50, 3 * SEC, 100 * SEC, 100 * SEC + 5, 100 * SEC + 9, 7);
	map(p, 99 * SEC, 50, 0x1000, 0x1000, 0, 6); /* what was there before */
	map(p, 99 * SEC + 1, 50, 0x1000, 0x1000, 0, 7);
	assert_file(p, 50, 100 * SEC, 0x1000, 7, 0);
	assert_file(p, 50, 99 * SEC, 0x1000, 6, 0);
	assert_file(p, 50, 99 * SEC + 1, 0x1000, 7, 0);
	/* the pid's owner before it ended: not this one, it was read after that */
	procs_exit(p, 100 * SEC + 4, 50, 50);
	assert_int_equal(stats_of(p).images_alive, 1);
	procs_exit(p, 100 * SEC + 5, 50, 50);
	assert_int_equal(stats_of(p).images_alive, 0);
	procs_free(p);
}

/* fork and exec while /proc is read: the events say all, what was read is of any of these times. */
static void test_born_during_the_scan(void **state)
{
	struct procs *p = new_table(NULL);
	uint64_t t = 100 * SEC;

	(void)state;
	scan(p, 40, 3 * SEC, t, t + 1, t + 2, 9);
	scan(p, 50, t + 3 * TICK + 5, t, t + 5 * TICK, t + 6 * TICK, 7);
	assert_file(p, 50, t + 4 * TICK, 0x1000, 7, 0);
	procs_fork(p, t + 3 * TICK + 7, 50, 50, 40);
	assert_int_equal(stats_of(p).images, 2); /* not doubled */
	assert_file(p, 50, t + 3 * TICK + 8, 0x1000, 9, 0);
	procs_comm(p, t + 3 * TICK + 100, 50, 50, "seven", true);
	map(p, t + 3 * TICK + 200, 50, 0x1000, 0x1000, 0, 7);
	assert_file(p, 50, t + 3 * TICK + 99, 0x1000, 9, 0);
	assert_kind(p, 50, t + 3 * TICK + 100, 0x1000, PLACE_UNMAPPED);
	assert_file(p, 50, t + 3 * TICK + 200, 0x1000, 7, 0);
	assert_int_equal(procs_image(p, 50, t + 4 * TICK)->uid, 1000);
	assert_int_equal(procs_image(p, 50, t + 4 * TICK)->ns_tgid, 2);
	procs_exit(p, t + 5 * TICK + 1, 50, 50);
	assert_int_equal(stats_of(p).images_alive, 1);
	procs_free(p);
}

/* The scan found the second owner of a pid; the events of the first come later. */
static void test_pid_reused_during_the_scan(void **state)
{
	struct procs *p = new_table(NULL);
	uint64_t t = 100 * SEC;

	(void)state;
	scan(p, 50, t + 50 * TICK, t, t + 60 * TICK, t + 61 * TICK, 7);
	procs_fork(p, t + TICK, 50, 50, 40);
	procs_comm(p, t + TICK + 1, 50, 50, "first", true);
	map(p, t + TICK + 2, 50, 0x1000, 0x1000, 0, 6);
	procs_exit(p, t + 20 * TICK, 50, 50);
	assert_int_equal(stats_of(p).images_alive, 1);
	procs_fork(p, t + 50 * TICK + 3, 50, 50, 40);
	procs_comm(p, t + 50 * TICK + 4, 50, 50, "second", true);
	map(p, t + 50 * TICK + 5, 50, 0x1000, 0x1000, 0, 7);
	assert_file(p, 50, t + 10 * TICK, 0x1000, 6, 0);
	assert_string_equal(procs_image(p, 50, t + 10 * TICK)->comm, "first");
	assert_file(p, 50, t + 70 * TICK, 0x1000, 7, 0);
	assert_string_equal(procs_image(p, 50, t + 70 * TICK)->comm, "second");
	procs_exit(p, t + 80 * TICK, 50, 50);
	assert_int_equal(stats_of(p).images_alive, 0);
	procs_free(p);
}

/* exec in place while its maps are read: they may be of either program, so they count for none. */
static void test_exec_during_the_scan(void **state)
{
	struct procs *p = new_table(NULL);
	uint64_t t = 100 * SEC;

	(void)state;
	scan(p, 50, 3 * SEC, t, t + 10, t + 90, 7);
	procs_comm(p, t + 50, 50, 50, "new", true);
	assert_kind(p, 50, t + 20, 0x1000, PLACE_UNMAPPED);
	assert_kind(p, 50, t + 50, 0x1000, PLACE_UNMAPPED);
	map(p, t + 60, 50, 0x1000, 0x1000, 0, 7);
	assert_file(p, 50, t + 60, 0x1000, 7, 0);
	/* a later one leaves what was read to the old program */
	scan(p, 51, 3 * SEC, t, t + 10, t + 90, 7);
	procs_comm(p, t + 91, 51, 51, "new", true);
	assert_file(p, 51, t + 20, 0x1000, 7, 0);
	procs_free(p);
}

/* Reading one process again adds what events did not tell, and takes nothing away. */
static void test_scan_of_a_known_process(void **state)
{
	struct procs *p = new_table(NULL);
	uint64_t t = 100 * SEC;

	(void)state;
	procs_fork(p, t, 50, 50, 40);
	procs_comm(p, t + 10, 50, 50, "fifty", true);
	map(p, t + 20, 50, 0x8000, 0x1000, 0, 3);
	scan(p, 50, t, t + 30, t + 31, t + 32, 7);
	assert_int_equal(stats_of(p).images, 2);
	assert_file(p, 50, t + 40, 0x8000, 3, 0);
	assert_file(p, 50, t + 40, 0x1000, 7, 0);
	assert_int_equal(procs_image(p, 50, t + 40)->begin_ns, t + 10);
	/* a process known by a later mapping only gets its true beginning */
	map(p, t + 50, 60, 0x8000, 0x1000, 0, 3);
	scan(p, 60, 5 * SEC, t + 60, t + 61, t + 62, 7);
	assert_int_equal(procs_image(p, 60, t)->begin_ns, 5 * SEC);
	assert_int_equal(stats_of(p).images_alive, 2);
	/* a process known to have ended is not brought back by what was read before its end */
	procs_exit(p, t + 70, 60, 60);
	scan(p, 60, 5 * SEC, t + 65, t + 66, t + 67, 7);
	assert_int_equal(stats_of(p).images_alive, 1);
	/* but another owner of its pid is new */
	scan(p, 60, t + 20 * TICK, t + 21 * TICK, t + 21 * TICK, t + 22 * TICK, 8);
	assert_file(p, 60, t + 21 * TICK, 0x1000, 8, 0);
	procs_free(p);
}

static void test_leader_gone_at_scan(void **state)
{
	struct procs *p = new_table(NULL);
	static const pid_t tids[] = {91};
	struct scanned s = {
		.tgid = 90,
		.start_ns = SEC,
		.now_ns = 5 * SEC,
		.from_ns = 5 * SEC,
		.to_ns = 5 * SEC,
		.leader_gone = true,
		.tids = tids,
		.n_tids = 1,
		.exe = FILE_NONE,
	};

	(void)state;
	assert_int_equal(procs_add_scanned(p, &s), 0);
	procs_exit(p, 6 * SEC, 90, 91);
	assert_int_equal(procs_image(p, 90, 6 * SEC)->end_ns, 6 * SEC);
	procs_free(p);
}

/* A child of this process that has executable memory without a file. It waits. */
static pid_t start_forked(int hold[2])
{
	pid_t pid;
	char c;

	assert_int_equal(pipe(hold), 0);
	pid = fork();
	if (!pid) {
		close(hold[1]);
		_exit((int)read(hold[0], &c, 1));
	}
	close(hold[0]);
	return pid;
}

/* Who has made code that a process got by fork(): if it has not executed a file since. */
static void test_forebears_of_what_runs(void **state)
{
	void *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct procs *p = new_table(NULL);
	const struct proc_image *im;
	int hold[2];
	pid_t pid;

	(void)state;
	assert_ptr_not_equal(code, MAP_FAILED);
	pid = start_forked(hold);
	assert_int_equal(procs_scan(p, pid, boottime_ns()), 0);
	im = procs_image(p, pid, boottime_ns());
	assert_non_null(im);
	assert_int_equal(im->forebears[0].tgid, getpid());
	assert_true(im->forebears[0].image == IMAGE_NONE);
	assert_int_equal(im->forebears[0].uid, getuid());
	assert_true(im->forebears[0].begin_ns <= im->begin_ns);
	assert_int_equal(im->forebears[1].tgid, 0); /* this process was executed */
	close(hold[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(munmap(code, 4096), 0);
	pid = start_forked(hold); /* without such code */
	assert_int_equal(procs_scan(p, pid, boottime_ns()), 0);
	assert_int_equal(procs_image(p, pid, boottime_ns())->forebears[0].tgid, 0);
	close(hold[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	procs_free(p);
}

/* The event of a fork tells who, and /proc his number in his pid namespace. */
static void test_owners_of_forebears(void **state)
{
	struct procs *p = new_table(NULL);
	const struct proc_forebear *f;

	(void)state;
	procs_comm(p, 10, getpid(), getpid(), "made", true);
	procs_fork(p, 20, 5, 5, getpid());
	f = procs_image(p, 5, 30)->forebears;
	assert_int_equal(f[0].ns_tgid, 0);
	procs_see_forebears(p, 30, 5);
	assert_int_equal(f[0].ns_tgid, getpid());
	assert_int_equal(f[0].uid, getuid());
	procs_see_forebears(p, 30, 6); /* which is not known */
	procs_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scan),
		cmocka_unit_test(test_read_again),
		cmocka_unit_test(test_read_again_after_events),
		cmocka_unit_test(test_read_again_without_a_thread),
		cmocka_unit_test(test_events_before_the_scan),
		cmocka_unit_test(test_born_during_the_scan),
		cmocka_unit_test(test_pid_reused_during_the_scan),
		cmocka_unit_test(test_exec_during_the_scan),
		cmocka_unit_test(test_scan_of_a_known_process),
		cmocka_unit_test(test_leader_gone_at_scan),
		cmocka_unit_test(test_forebears_of_what_runs),
		cmocka_unit_test(test_owners_of_forebears),
	};

	return cmocka_run_group_tests_name("procs_scan", tests, NULL, NULL);
}

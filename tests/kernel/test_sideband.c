// SPDX-License-Identifier: GPL-2.0-or-later
/* What processes did, from perf and /proc. Needs root and cc. */
#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>

#include <bpf/bpf.h>

#include "profiler/procs/ksyms.h"
#include "profiler/procs/rescan.h"
#include "tests/lib/tellers.h"

/* --- stories ---------------------------------------------------------------------------------- */

static void test_dead_before_anybody_looked(void **state)
{
	struct watch w;
	struct tale self, libc, lib, anon, vdso;
	struct run r;
	const struct proc_image *im;
	char load[128];

	(void)state;
	snprintf(load, sizeof(load), "load=%s", in_dir("lib1.so"));
	watch_start(&w, NULL, 0);
	r = start(in_dir("teller1"), "self", "libc", load, "anon", "vdso");
	self = hear(&r);
	libc = hear(&r);
	lib = hear(&r);
	anon = hear(&r);
	vdso = hear(&r);
	end_well(&r);
	watch_look(&w);
	check_tale(&w, r.pid, &self, "teller1", in_dir("teller1"));
	fixture_run("ln -s $(cc -print-file-name=libc.so.6) libc");
	check_tale(&w, r.pid, &libc, "libc", NULL);
	check_tale(&w, r.pid, &lib, "lib1.so", in_dir("lib1.so"));
	assert_int_equal(place_of(&w, r.pid, &anon).kind, PLACE_ANON);
	assert_int_equal(place_of(&w, r.pid, &vdso).kind, PLACE_VDSO);
	assert_int_equal(place_of(&w, r.pid, &vdso).file_off, 0);
	im = procs_image(w.procs, r.pid, (uint64_t)self.t_ns);
	assert_string_equal(im->comm, "teller1");
	assert_int_equal(im->parent_tgid, getpid());
	assert_true(im->has_anon_exec);
	assert_int_equal(im->exe, place_of(&w, r.pid, &self).file);
	assert_true(im->begin_ns < (uint64_t)self.t_ns && im->end_ns > (uint64_t)vdso.t_ns);
	assert_true(im->end_ns < now_ns());
	watch_end(&w);
}

static void test_forked_child_has_its_parents_mappings(void **state)
{
	struct watch w;
	struct tale parent, child, lib;
	struct run r;
	char load[128];

	(void)state;
	snprintf(load, sizeof(load), "load=%s", in_dir("lib1.so"));
	watch_start(&w, NULL, 0);
	r = start(in_dir("teller1"), "self", "fork", "self", load);
	parent = hear(&r);
	child = hear(&r);
	lib = hear(&r);
	end_well(&r);
	watch_look(&w);
	assert_int_not_equal(child.pid, parent.pid);
	check_tale(&w, child.pid, &child, "teller1", NULL);
	check_tale(&w, child.pid, &lib, "lib1.so", NULL);
	assert_int_equal(place_of(&w, parent.pid, &lib).kind, PLACE_UNMAPPED);
	watch_end(&w);
}

/* Programs linked to fixed addresses: the same address is another file's before and after exec. */
static void test_exec_in_place(void **state)
{
	struct watch w;
	struct tale first, second, third;
	struct run r;

	(void)state;
	watch_start(&w, NULL, 0);
	r = start(in_dir("fixed1"), "self", "exec", in_dir("fixed2"), "self", "exec",
		  in_dir("fixed3"), "self");
	first = hear(&r);
	second = hear(&r);
	third = hear(&r);
	end_well(&r);
	watch_look(&w);
	assert_true(first.va == second.va && second.va == third.va);
	check_tale(&w, r.pid, &first, "fixed1", NULL);
	check_tale(&w, r.pid, &second, "fixed2", NULL);
	check_tale(&w, r.pid, &third, "fixed3", NULL);
	watch_end(&w);
}

/* There is no event for munmap(2); the next library takes the same place. */
static void test_libraries_in_turn(void **state)
{
	static const char *const libs[] = {"lib1.so", "lib2.so", "lib3.so", "lib1.so"};
	struct watch w;
	struct tale t[4];
	struct run r;
	char load[4][128];

	(void)state;
	for (int i = 0; i < 4; i++)
		snprintf(load[i], sizeof(load[i]), "load=%s", in_dir(libs[i]));
	watch_start(&w, NULL, 0);
	r = start(in_dir("teller1"), load[0], "unload", load[1], "unload", load[2], "unload",
		  load[3]);
	for (int i = 0; i < 4; i++)
		t[i] = hear(&r);
	end_well(&r);
	watch_look(&w);
	assert_true(t[0].va == t[1].va && t[0].va == t[2].va); /* else this tests nothing */
	for (int i = 0; i < 4; i++)
		check_tale(&w, r.pid, &t[i], libs[i], NULL);
	watch_end(&w);
}

static void test_main_thread_exits_first(void **state)
{
	struct watch w;
	struct tale before, after, lib;
	struct run r;
	char load[128];

	(void)state;
	snprintf(load, sizeof(load), "load=%s", in_dir("lib2.so"));
	watch_start(&w, NULL, 0);
	r = start(in_dir("teller2"), "self", "thread", "wait", "self", load, "wait");
	before = hear(&r);
	usleep(50000); /* the main thread is gone, or it will be: both are to work */
	watch_look(&w);
	go_on(&r);
	after = hear(&r);
	lib = hear(&r);
	watch_look(&w);
	assert_true(procs_image(w.procs, r.pid, now_ns())->end_ns == UINT64_MAX);
	/* known by reading /proc alone: the main thread has no maps any more */
	{
		struct procs_opts opts = {.files = w.files};
		struct watch fresh = {.files = w.files};

		assert_int_equal(procs_new(&fresh.procs, &opts), 0);
		assert_int_equal(procs_scan(fresh.procs, r.pid, (uint64_t)lib.t_ns), 0);
		files_settle(w.files, 10000);
		check_tale(&fresh, r.pid, &lib, "lib2.so", NULL);
		procs_free(fresh.procs);
	}
	go_on(&r);
	end_well(&r);
	watch_look(&w);
	check_tale(&w, r.pid, &before, "teller2", NULL);
	check_tale(&w, r.pid, &after, "teller2", NULL);
	check_tale(&w, r.pid, &lib, "lib2.so", NULL);
	assert_true(procs_image(w.procs, r.pid, (uint64_t)lib.t_ns)->end_ns < now_ns());
	watch_end(&w);
}

static void test_exec_in_another_thread(void **state)
{
	struct watch w;
	struct tale first, second;
	struct run r;

	(void)state;
	watch_start(&w, NULL, 0);
	r = start(in_dir("fixed1"), "self", "thread-exec", in_dir("fixed2"), "self");
	first = hear(&r);
	second = hear(&r);
	end_well(&r);
	watch_look(&w);
	assert_int_equal(first.pid, second.pid);
	check_tale(&w, r.pid, &first, "fixed1", NULL);
	check_tale(&w, r.pid, &second, "fixed2", NULL);
	assert_true(procs_image(w.procs, r.pid, (uint64_t)second.t_ns)->end_ns < now_ns());
	watch_end(&w);
}

/* --- pids, scans and storms ------------------------------------------------------------------- */

static pid_t wanted_pid;

/* A child with the wanted pid, once nobody else has it. */
static pid_t fork_as_wanted(void)
{
	struct clone_args args = {
		.exit_signal = SIGCHLD,
		.set_tid = (uintptr_t)&wanted_pid,
		.set_tid_size = 1,
	};
	pid_t pid;

	while ((pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args))) < 0 && errno == EEXIST)
		usleep(10000);
	return pid;
}

/* The same pid and address, many times, for two programs in turn. */
static void test_pid_reuse(void **state)
{
	static const char *const programs[] = {"fixed1", "fixed2"};
	struct tale t[40];
	struct watch w;

	(void)state;
	watch_start(&w, NULL, 0);
	for (int i = 0; i < 40; i++) {
		const char *const argv[] = {in_dir(programs[i % 2]), "self", NULL};
		struct run r = start_as(i ? fork_as_wanted : plain_fork, NULL, argv);

		wanted_pid = r.pid;
		t[i] = hear(&r);
		end_well(&r);
		assert_int_equal(t[i].pid, t[0].pid);
		assert_true(t[i].va == t[0].va);
		if (i % 7 == 0)
			watch_look(&w);
	}
	watch_look(&w);
	for (int i = 0; i < 40; i++)
		check_tale(&w, wanted_pid, &t[i], programs[i % 2], NULL);
	watch_end(&w);
}

static void test_scan_finds_what_ran_before(void **state)
{
	struct watch w;
	struct tale before, after, lib;
	struct run r;
	char load[128];

	(void)state;
	snprintf(load, sizeof(load), "load=%s", in_dir("lib3.so"));
	r = start(in_dir("teller1"), "self", "wait", "self", load);
	before = hear(&r);
	watch_start(&w, NULL, 0);
	assert_int_equal(procs_scan(w.procs, 0, now_ns()), 0);
	go_on(&r);
	after = hear(&r);
	lib = hear(&r);
	end_well(&r);
	watch_look(&w);
	check_tale(&w, r.pid, &after, "teller1", in_dir("teller1"));
	check_tale(&w, r.pid, &lib, "lib3.so", NULL);
	assert_true(procs_image(w.procs, r.pid, (uint64_t)before.t_ns)->begin_ns <=
		    (uint64_t)before.t_ns);
	assert_string_equal(procs_image(w.procs, r.pid, (uint64_t)before.t_ns)->comm, "teller1");
	assert_int_equal(procs_scan(w.procs, r.pid, now_ns()), -ENOENT); /* has ended */
	/* this process too: its main program, as a symbol of it proves */
	{
		struct place place;

		procs_resolve(w.procs, getpid(), now_ns(),
			      (uint64_t)(uintptr_t)test_scan_finds_what_ran_before, &place);
		assert_int_equal(place.kind, PLACE_FILE);
		assert_int_equal(place.file, procs_image(w.procs, getpid(), now_ns())->exe);
	}
	watch_end(&w);
}

/* Tellers that come and go, each fork telling about itself, while the table is made. */
static void test_scan_in_a_storm(void **state)
{
	enum { N = 60 };
	struct tale t[N][3];
	struct run r[N];
	struct watch w;
	char load[128];

	(void)state;
	snprintf(load, sizeof(load), "load=%s", in_dir("lib1.so"));
	for (int i = 0; i < N / 2; i++)
		r[i] = start(in_dir(i % 2 ? "fixed1" : "fixed2"), "wait", "self", "exec",
			     in_dir("fixed3"), "self", load);
	watch_start(&w, NULL, 0);
	for (int i = 0; i < N / 2; i++) { /* they go on in the midst of the scan */
		go_on(&r[i]);
		r[N / 2 + i] = start(in_dir(i % 2 ? "fixed2" : "fixed1"), "fork", "self", "exec",
				     in_dir("fixed3"), "self", load);
		if (i == N / 4)
			assert_int_equal(procs_scan(w.procs, 0, now_ns()), 0);
	}
	for (int i = 0; i < N; i++) {
		for (int k = 0; k < 3; k++)
			t[i][k] = hear(&r[i]);
		end_well(&r[i]);
	}
	watch_look(&w);
	for (int i = 0; i < N; i++) {
		const char *first = (i < N / 2) == (i % 2 != 0) ? "fixed1" : "fixed2";
		struct place place = place_of(&w, t[i][0].pid, &t[i][0]);

		/* What ran before the scan and exec'ed before it came is known from its exec on. */
		if (i >= N / 2 || place.kind == PLACE_FILE)
			check_tale(&w, t[i][0].pid, &t[i][0], first, NULL);
		check_tale(&w, t[i][1].pid, &t[i][1], "fixed3", NULL);
		check_tale(&w, t[i][2].pid, &t[i][2], "lib1.so", NULL);
	}
	watch_end(&w);
}

/* More than the ring holds: counted, and what comes afterwards is right again. */
static void test_overflow_is_counted(void **state)
{
	struct watch w;
	struct sideband_stats s;
	struct tale t;
	struct run r;

	(void)state;
	watch_start(&w, NULL, 4096);
	fixture_run("for i in 1 2 3 4 5 6 7 8 9 10; do ./teller1; ./teller2; done");
	watch_look(&w);
	sideband_stats(w.sideband, &s);
	assert_true(s.events > 0);
	fixture_run("./teller1"); /* the kernel reports the loss with the next record */
	watch_look(&w);
	sideband_stats(w.sideband, &s);
	assert_true(s.lost > 0);
	r = start(in_dir("teller1"), "self");
	t = hear(&r);
	end_well(&r);
	watch_look(&w);
	check_tale(&w, r.pid, &t, "teller1", NULL);
	watch_end(&w);
}

static void load_and_drop_a_program(void)
{
	static const struct bpf_insn code[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "kiln_test", "GPL", code, 2, NULL);

	assert_true(fd >= 0);
	close(fd);
}

/* Symbols come and go while several listen: their times are right for each, so nothing waits behind them. */
static void test_symbols_with_several_listeners(void **state)
{
	struct sideband *s[3];
	struct sideband_stats stats;
	struct ksyms *ksyms;
	struct procs_opts procs_opts = {0};
	struct procs *procs;
	uint64_t symbols = 0;

	(void)state;
	assert_int_equal(ksyms_new(&ksyms), 0);
	assert_int_equal(procs_new(&procs, &procs_opts), 0);
	for (size_t i = 0; i < 3; i++) {
		struct sideband_opts opts = {
			.procs = procs, .ksyms = ksyms, .no_mappings = true, .ring_bytes = 65536};

		assert_int_equal(sideband_open(&s[i], &opts), 0);
	}
	/* More than the rings hold, so that old bytes are there. */
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 100; i++)
			load_and_drop_a_program();
		for (size_t i = 0; i < 3; i++)
			assert_int_equal(sideband_poll(s[i], 0), 0);
	}
	for (size_t i = 0; i < 3; i++) {
		sideband_stats(s[i], &stats);
		assert_int_equal(stats.malformed, 0);
		assert_int_equal(stats.from_the_future, 0);
		assert_int_equal(stats.out_of_order, 0);
		symbols += stats.events;
		sideband_close(s[i]);
	}
	assert_true(symbols >= 3ul * 2 * 20 * 100);
	procs_free(procs);
	ksyms_free(ksyms);
}

/* Programs and libraries whose events were lost are known once /proc was read again: one that began,
 * one that loaded a library, one that was exec'ed over, and one that ended meanwhile. */
static void test_what_was_lost_is_read_again(void **state)
{
	struct tale born, loaded, execed;
	struct run r[4];
	struct rescan *rescan;
	struct rescan_stats stats;
	struct watch w;
	char load[128];
	uint64_t from_ns = 0;

	(void)state;
	snprintf(load, sizeof(load), "load=%s", in_dir("lib2.so"));
	watch_start(&w, NULL, 4096);
	assert_int_equal(rescan_new(&rescan, w.procs), 0);
	r[0] = start(in_dir("teller1"), "self", "wait", load, "wait");
	r[1] = start(in_dir("fixed1"), "self", "wait", "exec", in_dir("fixed2"), "self", "wait");
	r[2] = start(in_dir("teller2"), "self", "wait");
	for (int i = 0; i < 3; i++)
		hear(&r[i]);
	assert_int_equal(procs_scan(w.procs, 0, now_ns()), 0);
	watch_look(&w);
	/* so many events on every CPU that not even a small one has room any more */
	fixture_run("for c in $(seq 0 $(($(nproc) - 1))); do taskset -c $c sh -c "
		    "'for i in 1 2 3 4 5 6 7 8 9 10; do ./teller1; ./teller2; done'; done");
	go_on(&r[0]);
	go_on(&r[1]);
	loaded = hear(&r[0]);
	execed = hear(&r[1]);
	end_well(&r[2]);
	r[3] = start(in_dir("teller3"), "self", "wait");
	born = hear(&r[3]);
	watch_look(&w);
	for (int i = 0; i < 40 && !sideband_take_loss(w.sideband, &from_ns); i++) {
		fixture_run("./teller1"); /* the kernel reports the loss with the next record */
		watch_look(&w);
	}
	assert_true(from_ns && from_ns < (uint64_t)loaded.t_ns);
	assert_int_not_equal(place_of(&w, r[3].pid, &born).kind, PLACE_FILE);
	assert_int_not_equal(place_of(&w, r[0].pid, &loaded).kind, PLACE_FILE);
	rescan_want_all(rescan, from_ns);
	assert_true(rescan_is_due(rescan, r[3].pid));
	rescan_run(rescan, 20000000000ull);
	assert_true(rescan_is_idle(rescan));
	rescan_stats(rescan, &stats);
	assert_true(stats.read >= 3 && stats.changed >= 3);
	assert_int_equal(stats.stalled, 0);
	files_settle(w.files, 10000);
	check_tale(&w, r[3].pid, &born, "teller3", NULL);
	check_tale(&w, r[0].pid, &loaded, "lib2.so", NULL);
	check_tale(&w, r[1].pid, &execed, "fixed2", NULL);
	assert_true(procs_image(w.procs, r[3].pid, (uint64_t)born.t_ns)->end_ns == UINT64_MAX);
	/* it has just been read: not again, whatever is unknown of it */
	assert_false(rescan_want(rescan, r[3].pid, now_ns()));
	for (int i = 0; i < 4; i++)
		if (i != 2)
			end_well(&r[i]);
	rescan_free(rescan);
	watch_end(&w);
}

static void test_held_back_until_its_time(void **state)
{
	struct watch w;
	struct tale t;
	struct run r;
	uint64_t before;

	(void)state;
	watch_start(&w, NULL, 0);
	before = now_ns();
	r = start(in_dir("teller1"), "self");
	t = hear(&r);
	end_well(&r);
	assert_int_equal(sideband_poll(w.sideband, before), 0);
	assert_int_equal(place_of(&w, r.pid, &t).kind, PLACE_NO_PROCESS);
	watch_look(&w);
	check_tale(&w, r.pid, &t, "teller1", NULL);
	watch_end(&w);
}

/* A build: programs of a few milliseconds, dead when their files are opened. */
static void test_short_lived_compilers(void **state)
{
	struct watch w;
	struct files_stats stats;
	struct sideband_stats events;
	uint32_t bad = 0;
	pid_t make;

	(void)state;
	fixture_run("mkdir -p build && cd build && for i in 1 2 3 4 5 6 7 8 9 10 11 12; do "
		    "echo \"int f$i(int x) { return x * $i; }\" > f$i.c; done");
	fixture_write("build/Makefile", "lib.a: $(patsubst %.c,%.o,$(wildcard *.c))\n"
					"\tar rcs $@ $^\n");
	watch_start(&w, NULL, 0);
	make = fork();
	if (!make)
		_exit(system("make -s -j2 -C build") != 0);
	while (!waitpid(make, NULL, WNOHANG)) {
		assert_int_equal(sideband_poll(w.sideband, 0), 0);
		usleep(100000);
	}
	watch_look(&w);
	sideband_stats(w.sideband, &events);
	assert_int_equal(events.lost, 0);
	files_stats(w.files, &stats);
	assert_true(stats.files >= 10); /* make, gcc, cc1, as, ar, libc, ld.so, libbfd, ... */
	for (uint32_t i = 0; i < stats.files; i++) {
		struct file_view v;

		files_get(w.files, i, &v);
		if (v.err) {
			print_message("%s: %s\n", v.path, strerror(-v.err));
			bad++;
		}
		files_release_fd(w.files, i);
	}
	assert_true(bad * 50 <= stats.files); /* other programs of this machine may run too */
	watch_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dead_before_anybody_looked),
		cmocka_unit_test(test_forked_child_has_its_parents_mappings),
		cmocka_unit_test(test_exec_in_place),
		cmocka_unit_test(test_libraries_in_turn),
		cmocka_unit_test(test_main_thread_exits_first),
		cmocka_unit_test(test_exec_in_another_thread),
		cmocka_unit_test(test_pid_reuse),
		cmocka_unit_test(test_scan_finds_what_ran_before),
		cmocka_unit_test(test_scan_in_a_storm),
		cmocka_unit_test(test_overflow_is_counted),
		cmocka_unit_test(test_symbols_with_several_listeners),
		cmocka_unit_test(test_what_was_lost_is_read_again),
		cmocka_unit_test(test_held_back_until_its_time),
		cmocka_unit_test(test_short_lived_compilers),
	};

	return run_tellers_tests("sideband", tests);
}

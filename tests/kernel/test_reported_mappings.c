// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What samples tell of mappings, against real processes and against /proc/PID/maps. No mapping event is
 * made here: all that is known comes from samples. Needs root, cc, and Linux 6.4.
 */
#include "tests/lib/reported_watch.h"

#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "profiler/base/io.h"
#include "profiler/procs/maps.h"

/* --- stories ---------------------------------------------------------------------------------- */

static void test_dead_before_anybody_looked(void **state)
{
	struct reported_watch t;
	struct tale self, libc, lib, anon, vdso;
	const struct proc_image *im;
	struct run r;
	char load[128];

	(void)state;
	snprintf(load, sizeof(load), "load=%s", in_dir("lib1.so"));
	told_start(&t);
	r = start(in_dir("teller1"), "self", "burn", "libc", load, "burn", "anon", "burn", "vdso");
	self = hear_burnt(&r);
	libc = hear(&r);
	lib = hear_burnt(&r);
	anon = hear_burnt(&r);
	vdso = hear(&r);
	end_well(&r);
	reported_look(&t);
	check_tale(&t.w, r.pid, &self, "teller1", in_dir("teller1"));
	fixture_run("ln -sf $(cc -print-file-name=libc.so.6) libc");
	check_tale(&t.w, r.pid, &libc, "libc", NULL);
	check_tale(&t.w, r.pid, &lib, "lib1.so", in_dir("lib1.so"));
	assert_int_equal(place_of(&t.w, r.pid, &anon).kind, PLACE_ANON);
	assert_int_equal(place_of(&t.w, r.pid, &vdso).kind, PLACE_VDSO);
	assert_int_equal(place_of(&t.w, r.pid, &vdso).file_off, 0);
	im = procs_image(t.w.procs, r.pid, (uint64_t)self.t_ns);
	assert_string_equal(im->comm, "teller1");
	assert_int_equal(im->exe, place_of(&t.w, r.pid, &self).file);
	assert_true(im->has_anon_exec);
	/* what the first sample saw held from the program's beginning on, what came later did not */
	self.t_ns = (long long)im->begin_ns + 1;
	check_tale(&t.w, r.pid, &self, "teller1", NULL);
	lib.t_ns = self.t_ns;
	assert_int_equal(place_of(&t.w, r.pid, &lib).kind, PLACE_UNMAPPED);
	told_end(&t);
}

static void test_forked_child(void **state)
{
	struct reported_watch t;
	struct tale parent, child, lib;
	struct run r;
	char load[128];

	(void)state;
	snprintf(load, sizeof(load), "load=%s", in_dir("lib1.so"));
	told_start(&t);
	r = start(in_dir("teller1"), "self", "burn", "fork", "self", load, "burn");
	parent = hear_burnt(&r);
	child = hear(&r);
	lib = hear_burnt(&r);
	end_well(&r);
	reported_look(&t);
	assert_int_not_equal(child.pid, parent.pid);
	check_tale(&t.w, child.pid, &child, "teller1", NULL);
	check_tale(&t.w, child.pid, &lib, "lib1.so", NULL);
	assert_int_equal(place_of(&t.w, parent.pid, &lib).kind, PLACE_UNMAPPED);
	told_end(&t);
}

static void test_exec_in_place(void **state)
{
	struct reported_watch t;
	struct tale tales[3];
	struct run r;

	(void)state;
	told_start(&t);
	r = start(in_dir("fixed1"), "self", "burn", "exec", in_dir("fixed2"), "self", "burn",
		  "exec", in_dir("fixed3"), "self", "burn");
	for (int i = 0; i < 3; i++)
		tales[i] = hear_burnt(&r);
	end_well(&r);
	reported_look(&t);
	assert_true(tales[0].va == tales[1].va && tales[1].va == tales[2].va);
	check_tale(&t.w, r.pid, &tales[0], "fixed1", NULL);
	check_tale(&t.w, r.pid, &tales[1], "fixed2", NULL);
	check_tale(&t.w, r.pid, &tales[2], "fixed3", NULL);
	told_end(&t);
}

static void place_nothing_at_random(void)
{
	personality(ADDR_NO_RANDOMIZE);
}

/* A program that is executed again has the same mappings as before: they are told again, since it is another one. */
static void test_exec_of_the_same(void **state)
{
	struct reported_watch t;
	struct tale tales[2];
	struct run r;

	(void)state;
	told_start(&t);
	r = start_as(plain_fork, place_nothing_at_random,
		     (const char *const[]){in_dir("static"), "self", "burn", "exec",
					   in_dir("static"), "self", "burn", NULL});
	for (int i = 0; i < 2; i++)
		tales[i] = hear_burnt(&r);
	end_well(&r);
	reported_look(&t);
	assert_true(tales[0].va == tales[1].va);
	for (int i = 0; i < 2; i++)
		check_tale(&t.w, r.pid, &tales[i], "static", NULL);
	told_end(&t);
}

/* The executable is what was executed, also where it is not the lowest of what is mapped. */
static void test_program_of_a_linker(void **state)
{
	struct reported_watch t;
	struct stat linker, st;
	struct file_view v;
	struct tale self;
	struct run r;
	uint32_t exe;

	(void)state;
	fixture_run(
		"ln -sf $(readelf -l teller1 | sed -n 's/.*interpreter: \\(.*\\)]/\\1/p') linker");
	assert_int_equal(stat("linker", &linker), 0);
	told_start(&t);
	r = start(in_dir("linker"), in_dir("teller1"), "self", "burn");
	self = hear_burnt(&r);
	end_well(&r);
	reported_look(&t);
	check_tale(&t.w, r.pid, &self, "teller1", NULL);
	exe = procs_image(t.w.procs, r.pid, (uint64_t)self.t_ns)->exe;
	files_get(t.w.files, exe, &v);
	assert_int_equal(fstat(v.fd, &st), 0);
	assert_true(st.st_ino == linker.st_ino && st.st_dev == linker.st_dev);
	files_release_fd(t.w.files, exe);
	told_end(&t);
}

static void test_libraries_in_turn(void **state)
{
	static const char *const libs[] = {"lib1.so", "lib2.so", "lib3.so", "lib1.so"};
	struct reported_watch t;
	struct tale tales[4];
	struct run r;
	char load[4][128];

	(void)state;
	for (int i = 0; i < 4; i++)
		snprintf(load[i], sizeof(load[i]), "load=%s", in_dir(libs[i]));
	told_start(&t);
	r = start(in_dir("teller1"), load[0], "burn", "unload", load[1], "burn", "unload", load[2],
		  "burn", "unload", load[3], "burn");
	for (int i = 0; i < 4; i++)
		tales[i] = hear_burnt(&r);
	end_well(&r);
	reported_look(&t);
	assert_true(tales[0].va == tales[1].va && tales[0].va == tales[2].va); /* or no test */
	for (int i = 0; i < 4; i++)
		check_tale(&t.w, r.pid, &tales[i], libs[i], NULL);
	told_end(&t);
}

/* No event tells of either: code moved to where something was unmapped before. */
static void test_code_moved_onto_an_old_place(void **state)
{
	struct reported_watch t;
	struct tale kept, gone, moved;
	struct run r;
	char load[2][128];

	(void)state;
	snprintf(load[0], sizeof(load[0]), "load=%s", in_dir("lib2.so"));
	snprintf(load[1], sizeof(load[1]), "load=%s", in_dir("lib1.so"));
	told_start(&t);
	r = start(in_dir("teller1"), load[0], "burn", load[1], "burn", "unload", "move", "burn",
		  "quit");
	kept = hear_burnt(&r);
	gone = hear_burnt(&r);
	moved = hear_burnt(&r);
	end_well(&r);
	reported_look(&t);
	assert_true(moved.va == gone.va && kept.va != gone.va);
	check_tale(&t.w, r.pid, &kept, "lib2.so", NULL);
	check_tale(&t.w, r.pid, &gone, "lib1.so", NULL);
	check_tale(&t.w, r.pid, &moved, "lib2.so", NULL);
	kept.t_ns = moved.t_ns;
	assert_int_equal(place_of(&t.w, r.pid, &kept).kind, PLACE_UNMAPPED);
	told_end(&t);
}

/* --- many mappings, against /proc ------------------------------------------------------------- */

struct many {
	const char *file;
	int n;
	size_t step; /* pages from one mapping to the next */
};

/* A child that maps a file to be run that often, tells that it has, and runs. */
static pid_t fork_mapper(const struct many *m)
{
	int ready[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		int fd = open(m->file, O_RDONLY);
		char *at = mmap(NULL, (size_t)m->n * m->step * 4096, PROT_NONE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (int i = 0; i < m->n; i++)
			if (mmap(at + (size_t)i * m->step * 4096, 4096, PROT_READ | PROT_EXEC,
				 MAP_PRIVATE | MAP_FIXED, fd, 0) == MAP_FAILED)
				_exit(1);
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			;
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return pid;
}

struct expected {
	const struct proc_mapping *live;
	size_t n, at;
};

static int expect_entry(void *ctx, const struct maps_entry *e)
{
	struct expected *x = ctx;
	const struct proc_mapping *m = &x->live[x->at];

	if (map_kind_of(e->path, MAP_CONTENT_PROGRAM) == MAP_KIND_IGNORE)
		return 0;
	assert_true(x->at < x->n);
	assert_true(m->start == e->start && m->len == e->end - e->start);
	if (map_kind_of(e->path, MAP_CONTENT_PROGRAM) == MAP_KIND_FILE)
		assert_true(m->file_off == e->file_off);
	x->at++;
	return 0;
}

/* What is known to be mapped is what /proc says. */
static void check_against_proc(struct reported_watch *t, pid_t pid)
{
	struct expected x = {0};
	uint32_t version;
	char path[64], *text;
	size_t len;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	assert_int_equal(io_read_file(path, 64u << 20, &text, &len), 0);
	x.live = procs_live(t->w.procs, pid, &x.n, &version);
	assert_non_null(x.live);
	assert_int_not_equal(version, 0);
	assert_int_equal(maps_parse(text, len, expect_entry, &x), 0);
	assert_int_equal(x.at, x.n);
	free(text);
}

static void test_sets_of_many_records(void **state)
{
	static const int counts[] = {1, 100, 130, 500, 2000};
	struct reported_watch t;

	(void)state;
	told_start(&t);
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct many m = {in_dir("lib1.so"), counts[i], 2};
		pid_t pid = fork_mapper(&m);

		usleep(200000);
		reported_look(&t);
		check_against_proc(&t, pid);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	assert_int_equal(told_end(&t).cut, 0);
}

/* More than a sample looks through: /proc is read for it. */
static void test_too_many_mappings(void **state)
{
	struct many m = {in_dir("lib1.so"), 9000, 2};
	struct reported_watch t;
	pid_t pid;

	(void)state;
	told_start(&t);
	pid = fork_mapper(&m);
	usleep(200000);
	reported_look(&t);
	check_against_proc(&t, pid);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_true(told_end(&t).cut > 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dead_before_anybody_looked),
		cmocka_unit_test(test_forked_child),
		cmocka_unit_test(test_exec_in_place),
		cmocka_unit_test(test_exec_of_the_same),
		cmocka_unit_test(test_program_of_a_linker),
		cmocka_unit_test(test_libraries_in_turn),
		cmocka_unit_test(test_code_moved_onto_an_old_place),
		cmocka_unit_test(test_sets_of_many_records),
		cmocka_unit_test(test_too_many_mappings),
	};

	if (!reported_works())
		return 0;
	return run_tellers_tests("reported_mappings", tests);
}

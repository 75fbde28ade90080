// SPDX-License-Identifier: GPL-2.0-or-later
/* Which files samples tell of, and under which names: roots, mounts, overlays, and files without a name. */
#include "tests/lib/reported_watch.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>

/* Each process has another root: the path is that inside. */
static void test_path_below_another_root(void **state)
{
	struct reported_watch t;
	struct tale self;
	struct run r;

	(void)state;
	fixture_run("mkdir -p jail/deep/er && cp static jail/deep/er/static");
	told_start(&t);
	r = start("/usr/sbin/chroot", in_dir("jail"), "/deep/er/static", "self", "burn", "wait");
	self = hear_burnt(&r);
	reported_look(&t);
	check_tale(&t.w, r.pid, &self, "static", "/deep/er/static");
	go_on(&r);
	end_well(&r);
	told_end(&t);
}

#define DELETED_FD 9

static void hold_deleted(void)
{
	int fd = open(in_dir("doomed.so"), O_RDONLY);

	if (fd < 0 || dup2(fd, DELETED_FD) < 0 || unlink(in_dir("doomed.so")))
		_exit(98);
}

/* A file without a name any more, opened through the process while it runs. */
static void test_deleted_library(void **state)
{
	struct reported_watch t;
	struct file_view v;
	struct tale lib;
	struct run r;

	(void)state;
	fixture_run("cp lib1.so doomed.so");
	told_start(&t);
	r = start_as(plain_fork, hold_deleted,
		     (const char *const[]){in_dir("teller1"), "load=/proc/self/fd/9", "burn",
					   "wait", NULL});
	lib = hear_burnt(&r);
	reported_look(&t);
	check_tale(&t.w, r.pid, &lib, "lib1.so", in_dir("doomed.so"));
	files_get(t.w.files, place_of(&t.w, r.pid, &lib).file, &v);
	assert_true(v.deleted);
	files_release_fd(t.w.files, place_of(&t.w, r.pid, &lib).file);
	go_on(&r);
	end_well(&r);
	told_end(&t);
}

static void enter_mounts(void)
{
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    system("mkdir -p house/bound house/other && mount --bind deep house/bound && "
		   "mount -t tmpfs none house/other && mkdir -p house/other/bin && "
		   "cp static2 house/other/bin/inner && mount --bind house/other/bin house/bound"))
		_exit(97);
	if (chroot("house") || chdir("/"))
		_exit(97);
}

/* A mount upon a mount, below another root. */
static void test_path_over_mounts(void **state)
{
	struct reported_watch t;
	struct tale self;
	struct run r;

	(void)state;
	fixture_run("mkdir -p deep && cp static deep/inner");
	told_start(&t);
	r = start_as(plain_fork, enter_mounts,
		     (const char *const[]){"/bound/inner", "self", "burn", "wait", NULL});
	self = hear_burnt(&r);
	reported_look(&t);
	check_tale(&t.w, r.pid, &self, "static2", "/bound/inner");
	go_on(&r);
	end_well(&r);
	told_end(&t);
}

/* What is mapped is a file of a layer: the process knows that of the overlay. */
static void test_overlay(void **state)
{
	struct reported_watch t;
	struct tale low, up;
	struct run r[2];

	(void)state;
	fixture_run("mkdir -p ov && mount -t tmpfs none ov && mkdir ov/l ov/u ov/w ov/m && "
		    "cp teller2 ov/l/low && mount -t overlay none ov/m "
		    "-o lowerdir=ov/l,upperdir=ov/u,workdir=ov/w && cp teller3 ov/m/up");
	told_start(&t);
	r[0] = start(in_dir("ov/m/low"), "self", "burn", "wait");
	r[1] = start(in_dir("ov/m/up"), "self", "burn", "wait");
	low = hear_burnt(&r[0]);
	up = hear_burnt(&r[1]);
	reported_look(&t);
	check_tale(&t.w, r[0].pid, &low, "teller2", in_dir("ov/m/low"));
	check_tale(&t.w, r[1].pid, &up, "teller3", in_dir("ov/m/up"));
	/* /proc says the same of it, and it is one file */
	{
		uint32_t before = place_of(&t.w, r[0].pid, &low).file;

		rescan_want(t.rescan, r[0].pid, now_ns());
		reported_look(&t);
		low.t_ns = (long long)now_ns();
		assert_int_equal(place_of(&t.w, r[0].pid, &low).file, before);
	}
	for (int i = 0; i < 2; i++) {
		go_on(&r[i]);
		end_well(&r[i]);
	}
	told_end(&t);
	fixture_run("umount -l ov/m && umount -l ov");
}

static int memfd;

static void exec_memfd(void)
{
	char *argv[] = {"x", "self", "burn", "wait", NULL}, *env[] = {NULL};

	fexecve(memfd, argv, env);
	_exit(98);
}

static void test_program_in_a_memfd(void **state)
{
	struct reported_watch t;
	struct tale self;
	struct run r;
	size_t len;
	uint8_t *data = fixture_read("teller3", &len);

	(void)state;
	memfd = memfd_create("kiln test", MFD_CLOEXEC);
	assert_int_equal(write(memfd, data, len), len);
	free(data);
	told_start(&t);
	r = start_as(plain_fork, exec_memfd, (const char *const[]){"", NULL});
	self = hear_burnt(&r);
	close(memfd);
	reported_look(&t);
	check_tale(&t.w, r.pid, &self, "teller3", "/memfd:kiln test");
	go_on(&r);
	end_well(&r);
	told_end(&t);
}

/* A JIT compiler's memory, mapped twice: no program is in it. */
static void test_code_in_a_memfd(void **state)
{
	static const uint8_t spin[] = {0xeb, 0xfe}; /* jmp to itself */
	struct reported_watch t;
	struct place place;
	char *code;
	pid_t pid;

	(void)state;
	memfd = memfd_create("jit", MFD_CLOEXEC);
	assert_int_equal(write(memfd, spin, sizeof(spin)), sizeof(spin));
	code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, memfd, 0);
	assert_ptr_not_equal(code, MAP_FAILED);
	told_start(&t);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		((void (*)(void))(uintptr_t)code)();
	}
	usleep(200000);
	reported_look(&t);
	procs_resolve(t.w.procs, pid, now_ns(), (uint64_t)(uintptr_t)code, &place);
	assert_int_equal(place.kind, PLACE_ANON);
	assert_true(procs_image(t.w.procs, pid, now_ns())->has_anon_exec);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	told_end(&t);
	munmap(code, 4096);
	close(memfd);
}

/* The same inode number, soon after: another file. */
static void test_inode_number_is_reused(void **state)
{
	struct reported_watch t;

	(void)state;
	told_start(&t);
	for (int i = 0; i < 6; i++) {
		static const char *const programs[] = {"fixed1", "fixed2"};
		struct tale self;
		struct run r;

		fixture_run("cp %s reused", programs[i % 2]);
		r = start(in_dir("reused"), "self", "burn", "wait");
		self = hear_burnt(&r);
		reported_look(&t);
		check_tale(&t.w, r.pid, &self, programs[i % 2], in_dir("reused"));
		go_on(&r);
		end_well(&r);
		fixture_run("rm reused");
	}
	told_end(&t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_path_below_another_root),
		cmocka_unit_test(test_path_over_mounts),
		cmocka_unit_test(test_deleted_library),
		cmocka_unit_test(test_overlay),
		cmocka_unit_test(test_program_in_a_memfd),
		cmocka_unit_test(test_code_in_a_memfd),
		cmocka_unit_test(test_inode_number_is_reused),
	};

	if (!reported_works())
		return 0;
	return run_tellers_tests("told_files", tests);
}

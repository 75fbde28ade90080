// SPDX-License-Identifier: GPL-2.0-or-later
/* The files of processes: deleted, replaced, in other namespaces. Needs root and cc. */
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "tests/lib/tellers.h"

/* --- files that are not there any more -------------------------------------------------------- */

static void test_deleted_while_it_runs(void **state)
{
	struct watch w;
	struct tale t;
	struct run r;
	struct file_view v;

	(void)state;
	fixture_run("cp teller3 doomed");
	watch_start(&w, NULL, 0);
	r = start(in_dir("doomed"), "self", "wait");
	t = hear(&r);
	fixture_run("rm doomed");
	watch_look(&w);
	go_on(&r);
	end_well(&r);
	check_tale(&w, r.pid, &t, "teller3", in_dir("doomed"));
	files_get(w.files, place_of(&w, r.pid, &t).file, &v);
	assert_false(v.deleted); /* it was there when it was mapped */
	watch_end(&w);
}

static void test_replaced_while_it_runs(void **state)
{
	struct watch w;
	struct tale t;
	struct run r;

	(void)state;
	fixture_run("cp teller3 changing");
	watch_start(&w, NULL, 0);
	r = start(in_dir("changing"), "self", "wait");
	t = hear(&r);
	fixture_run("rm changing; cp teller2 changing");
	watch_look(&w);
	go_on(&r);
	end_well(&r);
	check_tale(&w, r.pid, &t, "teller3", in_dir("changing"));
	watch_end(&w);
}

/* Too late to have the file: but never another one for it, and no waiting on what is no file. */
static void check_lost_file(const char *command)
{
	struct watch w;
	struct tale t;
	struct run r;
	struct place place;
	struct file_view v;

	fixture_run("rm -f lost; cp teller3 lost");
	watch_start(&w, NULL, 0);
	r = start(in_dir("lost"), "self");
	t = hear(&r);
	end_well(&r);
	fixture_run("%s", command);
	watch_look(&w);
	place = place_of(&w, r.pid, &t);
	assert_int_equal(place.kind, PLACE_FILE);
	files_get(w.files, place.file, &v);
	assert_string_equal(v.path, in_dir("lost"));
	assert_int_equal(v.fd, -1);
	assert_true(v.err < 0 && v.err != -EAGAIN);
	assert_true(v.build_id.len > 0); /* enough to find its symbols elsewhere */
	files_release_fd(w.files, place.file);
	watch_end(&w);
}

static void test_gone_after_death(void **state)
{
	(void)state;
	check_lost_file("rm lost");
	check_lost_file("rm lost; cp teller2 lost");
	check_lost_file("rm lost; mkfifo lost");
	check_lost_file("rm lost; mkdir lost; true");
	fixture_run("rm -rf lost");
}

/* A file that could not be had through one process is had through the next. */
static void test_found_by_the_next_process(void **state)
{
	struct watch w;
	struct tale t;
	struct run r;

	(void)state;
	fixture_run("cp teller3 again");
	watch_start(&w, NULL, 0);
	r = start(in_dir("again"), "self");
	hear(&r);
	end_well(&r);
	fixture_run("mv again elsewhere");
	watch_look(&w);
	r = start(in_dir("elsewhere"), "self");
	t = hear(&r);
	end_well(&r);
	watch_look(&w);
	check_tale(&w, r.pid, &t, "teller3", in_dir("again")); /* the name it had at first */
	watch_end(&w);
}

static int memfd;

static void exec_memfd(void)
{
	char *argv[] = {"x", "self", "wait", NULL}, *env[] = {NULL};

	fexecve(memfd, argv, env);
	_exit(98);
}

static void test_memfd(void **state)
{
	struct watch w;
	struct tale t;
	struct run r;
	struct file_view v;
	size_t len;
	uint8_t *data = fixture_read("teller3", &len);

	(void)state;
	memfd = memfd_create("kiln test", MFD_CLOEXEC);
	assert_int_equal(write(memfd, data, len), len);
	free(data);
	watch_start(&w, NULL, 0);
	r = start_as(plain_fork, exec_memfd, (const char *const[]){"", NULL});
	t = hear(&r);
	close(memfd);
	watch_look(&w);
	check_tale(&w, r.pid, &t, "teller3", "/memfd:kiln test");
	files_get(w.files, place_of(&w, r.pid, &t).file, &v);
	assert_true(v.deleted);
	go_on(&r);
	end_well(&r);
	watch_end(&w);
}

/* --- namespaces ------------------------------------------------------------------------------- */

static void enter_root(void)
{
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", "root", "tmpfs", 0, NULL) ||
	    system("mkdir -p root/bin && cp static root/bin/true && cp static2 root/bin/false") ||
	    chroot("root") || chdir("/"))
		_exit(97);
}

/* /bin/true of a container is not the host's, whose file must not be taken for it. */
static void test_mount_namespace(void **state)
{
	struct watch w;
	struct tale t;
	struct run r;
	struct place place;
	struct file_view v;
	struct stat in_root, opened;

	(void)state;
	fixture_run("mkdir -p root");
	watch_start(&w, NULL, 0);
	r = start_as(plain_fork, enter_root,
		     (const char *const[]){"/bin/true", "self", "wait", NULL});
	t = hear(&r);
	watch_look(&w);
	go_on(&r);
	end_well(&r);
	check_tale(&w, r.pid, &t, "static", "/bin/true");
	place = place_of(&w, r.pid, &t);
	files_get(w.files, place.file, &v);
	assert_true(v.root_fd >= 0); /* outlives the process, for debug files */
	assert_int_equal(fstatat(v.root_fd, "bin/true", &in_root, 0), 0);
	assert_int_equal(fstat(v.fd, &opened), 0);
	assert_true(in_root.st_ino == opened.st_ino && in_root.st_dev == opened.st_dev);
	files_release_fd(w.files, place.file);
	watch_end(&w);
}

/* The process has died, but its parent lives in the same root. */
static void test_mount_namespace_of_the_parent(void **state)
{
	struct watch w;
	struct tale t;
	struct run r;

	(void)state;
	fixture_run("mkdir -p root");
	watch_start(&w, NULL, 0);
	r = start_as(plain_fork, enter_root,
		     (const char *const[]){"/bin/true", "run=/bin/false", "self", "wait", NULL});
	t = hear(&r);
	hear(&r); /* the other has ended */
	watch_look(&w);
	check_tale(&w, t.pid, &t, "static2", "/bin/false");
	go_on(&r);
	end_well(&r);
	watch_end(&w);
}

/* Descriptors past the limit are closed, and opened again under the root they were found in. */
static void test_reopened_in_its_root(void **state)
{
	struct files_opts opts = {.max_open = 2};
	struct watch w;
	struct tale t, others[3];
	struct run r, o;
	struct files_stats stats;

	(void)state;
	fixture_run("mkdir -p root");
	watch_start(&w, &opts, 0);
	r = start_as(plain_fork, enter_root,
		     (const char *const[]){"/bin/true", "self", "wait", NULL});
	t = hear(&r);
	watch_look(&w);
	go_on(&r);
	end_well(&r);
	for (int i = 0; i < 3; i++) {
		static const char *const names[] = {"fixed1", "fixed2", "fixed3"};

		o = start(in_dir(names[i]), "self");
		others[i] = hear(&o);
		end_well(&o);
		watch_look(&w);
	}
	files_stats(w.files, &stats);
	assert_int_equal(stats.open, 2);
	assert_true(stats.files > 4);
	for (int round = 0; round < 2; round++) {
		check_tale(&w, r.pid, &t, "static", "/bin/true");
		check_tale(&w, others[0].pid, &others[0], "fixed1", NULL);
		check_tale(&w, others[1].pid, &others[1], "fixed2", NULL);
		check_tale(&w, others[2].pid, &others[2], "fixed3", NULL);
		files_stats(w.files, &stats);
		assert_int_equal(stats.open, 2);
	}
	watch_end(&w);
}

/* Its root was closed too, as idle as the file: then it is found through the process again. */
static void test_reopened_through_the_process(void **state)
{
	struct files_opts opts = {.idle_ns = 1000000};
	struct files_stats stats;
	struct watch w;
	struct tale t;
	struct run r;

	(void)state;
	fixture_run("mkdir -p root");
	watch_start(&w, &opts, 0);
	r = start_as(plain_fork, enter_root,
		     (const char *const[]){"/bin/true", "self", "wait", NULL});
	t = hear(&r);
	watch_look(&w);
	for (int round = 0; round < 20; round++) {
		do {
			usleep(5000);
			files_stats(w.files, &stats);
		} while (stats.open);
		check_tale(&w, r.pid, &t, "static", "/bin/true");
	}
	go_on(&r);
	end_well(&r);
	watch_end(&w);
}

static pid_t fork_into_new_pid_namespace(void)
{
	struct clone_args args = {.flags = CLONE_NEWPID, .exit_signal = SIGCHLD};

	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

static void test_pid_namespace(void **state)
{
	struct watch w;
	struct tale t;
	struct run r;

	(void)state;
	watch_start(&w, NULL, 0);
	r = start_as(fork_into_new_pid_namespace, NULL,
		     (const char *const[]){in_dir("teller1"), "self", "wait", NULL});
	t = hear(&r);
	watch_look(&w);
	assert_int_equal(t.pid, 1);
	check_tale(&w, r.pid, &t, "teller1", NULL);
	assert_int_equal(procs_scan(w.procs, r.pid, now_ns()), 0);
	assert_int_equal(procs_image(w.procs, r.pid, now_ns())->ns_tgid, 1);
	assert_int_equal(procs_image(w.procs, r.pid, now_ns())->uid, getuid());
	check_tale(&w, r.pid, &t, "teller1", NULL);
	go_on(&r);
	end_well(&r);
	watch_end(&w);
}

/* On overlayfs the device of a mapping and of stat(2) differ. */
static void test_overlay(void **state)
{
	struct procs_opts opts = {0};
	struct watch w = {0};
	struct tale t;
	struct run r;

	(void)state;
	fixture_run("mkdir -p ov && mount -t tmpfs none ov && mkdir ov/l ov/u ov/w ov/m && "
		    "cp teller2 ov/l/low && mount -t overlay none ov/m "
		    "-o lowerdir=ov/l,upperdir=ov/u,workdir=ov/w");
	r = start(in_dir("ov/m/low"), "self", "wait");
	t = hear(&r);
	/* by inode and device, as /proc/PID/maps has them */
	assert_int_equal(files_new(&w.files, NULL), 0);
	opts.files = w.files;
	assert_int_equal(procs_new(&w.procs, &opts), 0);
	assert_int_equal(procs_scan(w.procs, r.pid, (uint64_t)t.t_ns), 0);
	assert_true(files_settle(w.files, 10000));
	check_tale(&w, r.pid, &t, "teller2", in_dir("ov/m/low"));
	go_on(&r);
	end_well(&r);
	procs_free(w.procs);
	files_free(w.files);
	fixture_run("umount -l ov/m && umount -l ov");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deleted_while_it_runs),
		cmocka_unit_test(test_replaced_while_it_runs),
		cmocka_unit_test(test_gone_after_death),
		cmocka_unit_test(test_found_by_the_next_process),
		cmocka_unit_test(test_memfd),
		cmocka_unit_test(test_mount_namespace),
		cmocka_unit_test(test_mount_namespace_of_the_parent),
		cmocka_unit_test(test_reopened_in_its_root),
		cmocka_unit_test(test_reopened_through_the_process),
		cmocka_unit_test(test_pid_namespace),
		cmocka_unit_test(test_overlay),
	};

	return run_tellers_tests("mapped_files", tests);
}

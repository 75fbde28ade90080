// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The process table against real processes: a program tells where it runs and which bytes are there
 * (fixtures/teller.c), and later, mostly after its death, the table must lead to a descriptor that
 * has these bytes at this offset. Needs root, cc and readelf.
 */
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "profiler/base/text.h"
#include "profiler/procs/files.h"
#include "profiler/procs/procs.h"
#include "profiler/procs/sideband.h"
#include "tests/lib/fixture.h"

static char *source; /* of the teller */

/* --- the watcher ------------------------------------------------------------------------------ */

struct watch {
	struct files *files;
	struct procs *procs;
	struct sideband *sideband;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static void watch_start(struct watch *w, const struct files_opts *files_opts, uint32_t ring_bytes)
{
	struct procs_opts opts = {0};
	struct sideband_opts sideband_opts = {.ring_bytes = ring_bytes};

	assert_int_equal(files_new(&w->files, files_opts), 0);
	opts.files = sideband_opts.files = w->files;
	assert_int_equal(procs_new(&w->procs, &opts), 0);
	sideband_opts.procs = w->procs;
	assert_int_equal(sideband_open(&w->sideband, &sideband_opts), 0);
}

static void watch_look(struct watch *w)
{
	assert_int_equal(sideband_poll(w->sideband, 0), 0);
	/* What other programs of this machine map may hang: only the comparison judges. */
	files_settle(w->files, 10000);
}

static void watch_end(struct watch *w)
{
	struct sideband_stats s;

	sideband_stats(w->sideband, &s);
	assert_int_equal(s.malformed, 0);
	sideband_close(w->sideband);
	procs_free(w->procs);
	files_free(w->files);
}

/* --- the watched ------------------------------------------------------------------------------ */

struct run {
	pid_t pid;
	int in, out;
};

struct tale {
	int pid;
	long long t_ns;
	unsigned long long va;
	uint8_t bytes[16];
};

static pid_t plain_fork(void)
{
	return fork();
}

/* Pipes on stdin and stdout, and in the child the program. `before` runs in the child first. */
static struct run start_as(pid_t (*fork_fn)(void), void (*before)(void), const char *const *argv)
{
	int in[2], out[2];
	struct run r;

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	fflush(NULL);
	r.pid = fork_fn();
	assert_true(r.pid >= 0);
	if (!r.pid) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		if (before)
			before();
		execv(argv[0], (char **)argv);
		_exit(99);
	}
	close(in[0]);
	close(out[1]);
	r.in = in[1];
	r.out = out[0];
	return r;
}

#define start(...) start_as(plain_fork, NULL, (const char *const[]){__VA_ARGS__, NULL})

static struct tale hear(struct run *r)
{
	char line[256], hex[64];
	struct tale t;
	size_t n = 0;

	while (n < sizeof(line) - 1 && read(r->out, line + n, 1) == 1 && line[n] != '\n')
		n++;
	line[n] = '\0';
	if (sscanf(line, "%d %lld %llx %63s", &t.pid, &t.t_ns, &t.va, hex) != 4)
		fail_msg("the teller says: '%s'", line);
	assert_int_equal(text_unhex(hex, t.bytes, sizeof(t.bytes)), sizeof(t.bytes));
	return t;
}

static void go_on(struct run *r)
{
	assert_int_equal(write(r->in, "x", 1), 1);
}

static int end(struct run *r)
{
	int status = 0;

	close(r->in);
	assert_int_equal(waitpid(r->pid, &status, __WALL), r->pid);
	close(r->out);
	return status;
}

static void end_well(struct run *r)
{
	assert_int_equal(end(r), 0);
}

/* --- the comparison --------------------------------------------------------------------------- */

/* Build id as readelf prints it. */
static void readelf_id(const char *path, char *id, size_t size)
{
	char cmd[512], line[512];
	FILE *f;

	id[0] = '\0';
	snprintf(cmd, sizeof(cmd), "readelf -n '%s' 2>/dev/null", path);
	f = popen(cmd, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		char *p = strstr(line, "Build ID: ");

		if (p)
			snprintf(id, size, "%.*s", (int)strcspn(p + 10, "\n"), p + 10);
	}
	pclose(f);
}

static struct place place_of(struct watch *w, pid_t pid, const struct tale *t)
{
	struct place place;

	procs_resolve(w->procs, pid, (uint64_t)t->t_ns, t->va, &place);
	return place;
}

/* The bytes at the resolved offset of the opened file are those that were in memory. */
static void check_bytes(const struct file_view *v, uint64_t off, const struct tale *t)
{
	uint8_t bytes[16];

	assert_int_equal(v->err, 0);
	assert_true(v->fd >= 0);
	assert_int_equal(pread(v->fd, bytes, sizeof(bytes), (off_t)off), sizeof(bytes));
	assert_memory_equal(bytes, t->bytes, sizeof(bytes));
}

/* ... and the file has the build id of `like`, says readelf of both and the table itself. */
static void check_tale(struct watch *w, pid_t pid, const struct tale *t, const char *like,
		       const char *path)
{
	char want[128], got[128], self[64];
	struct place place = place_of(w, pid, t);
	struct file_view v;

	assert_int_equal(place.kind, PLACE_FILE);
	files_get(w->files, place.file, &v);
	check_bytes(&v, place.file_off, t);
	readelf_id(like, want, sizeof(want));
	snprintf(self, sizeof(self), "/proc/%d/fd/%d", getpid(), v.fd);
	readelf_id(self, got, sizeof(got));
	assert_true(strlen(want) > 10);
	assert_string_equal(got, want);
	text_hex(v.build_id.data, v.build_id.len, got);
	assert_string_equal(got, want);
	if (path)
		assert_string_equal(v.path, path);
	files_release_fd(w->files, place.file);
}

static const char *in_dir(const char *name)
{
	static char paths[4][128];
	static unsigned next;
	char *p = paths[next++ % 4];

	snprintf(p, sizeof(paths[0]), "%s/%s", fixture_dir, name);
	return p;
}

static int setup(void **state)
{
	if (fixture_setup(state))
		return -1;
	for (int i = 1; i <= 3; i++) {
		fixture_run("cc -O1 -g -Wl,--build-id -pthread -DSALT=%d -o teller%d %s -ldl", i,
			    i, source);
		fixture_run("cc -O1 -g -Wl,--build-id -no-pie -pthread -DSALT=1%d -o fixed%d %s "
			    "-ldl",
			    i, i, source);
		fixture_run("cc -O1 -g -Wl,--build-id -shared -fPIC -DLIBRARY -DSALT=2%d "
			    "-o lib%d.so %s",
			    i, i, source);
	}
	for (int i = 40; i <= 41; i++)
		fixture_run("cc -O1 -g -Wl,--build-id -static -pthread -DSALT=%d -o static%s %s "
			    "2>/dev/null",
			    i, i == 40 ? "" : "2", source);
	return 0;
}

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
	    system("mkdir -p root/bin && cp static root/bin/true && cp static2 root/bin/false") || chroot("root") || chdir("/"))
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
	r = start_as(plain_fork, enter_root, (const char *const[]){"/bin/true", "self", "wait", NULL});
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
	r = start_as(plain_fork, enter_root, (const char *const[]){"/bin/true", "self", "wait", NULL});
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
		cmocka_unit_test(test_pid_reuse),
		cmocka_unit_test(test_scan_finds_what_ran_before),
		cmocka_unit_test(test_scan_in_a_storm),
		cmocka_unit_test(test_overflow_is_counted),
		cmocka_unit_test(test_held_back_until_its_time),
		cmocka_unit_test(test_short_lived_compilers),
	};

	if (geteuid()) {
		printf("skipped: watching all processes needs root\n");
		return 0;
	}
	source = realpath("tests/fixtures/teller.c", NULL);
	if (!source) {
		printf("run this in the top directory of the source tree\n");
		return 1;
	}
	return cmocka_run_group_tests_name("sideband", tests, setup, fixture_teardown);
}

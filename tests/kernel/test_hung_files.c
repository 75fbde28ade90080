// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A program on a file server that stops answering. Its own file cannot be had then; everybody
 * else's can, nothing that the sampler waits for waits, and all is well once it answers again.
 * Needs root, cc and /dev/fuse.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <cmocka.h>

#include "profiler/files/files.h"
#include "profiler/files/stall_guard.h"
#include "profiler/procs/procs.h"
#include "profiler/procs/sideband.h"
#include "tests/lib/fixture.h"
#include "tests/lib/fuse_server.h"

static struct files *files;
static struct procs *procs;
static struct sideband *sideband;
static pid_t server;

static int setup(void **state)
{
	if (fixture_setup(state))
		return -1;
	fixture_write("prog.c", "#include <unistd.h>\nint main(void) { char c; write(1, \"x\", 1); "
				"return read(0, &c, 1) != 1; }\n");
	fixture_run("cc -w -Wl,--build-id -DN=1 -o origin prog.c && cc -w -static -Wl,--build-id "
		    "-o other prog.c && mkdir fuse");
	alarm(120); /* hanging is what this is about */
	return 0;
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

static void watch(void)
{
	struct procs_opts procs_opts = {0};
	struct sideband_opts opts = {0};

	assert_int_equal(files_new(&files, NULL), 0);
	procs_opts.files = opts.files = files;
	assert_int_equal(procs_new(&procs, &procs_opts), 0);
	opts.procs = procs;
	assert_int_equal(sideband_open(&sideband, &opts), 0);
}

static void unwatch(void)
{
	sideband_close(sideband);
	procs_free(procs);
	files_free(files);
}

struct child {
	pid_t pid;
	int in;
};

/* Starts a program and waits until it runs. */
static struct child start(const char *path)
{
	int in[2], out[2];
	struct child c;
	char x;

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	fflush(NULL);
	c.pid = fork();
	if (!c.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(in[0], 0);
		dup2(out[1], 1);
		execl(path, path, NULL);
		_exit(99);
	}
	close(in[0]);
	close(out[1]);
	assert_int_equal(read(out[0], &x, 1), 1);
	close(out[0]);
	c.in = in[1];
	return c;
}

static void end(struct child *c)
{
	int status;

	assert_int_equal(write(c->in, "x", 1), 1);
	close(c->in);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	assert_int_equal(status, 0);
}

static uint32_t exe_of(const struct child *c)
{
	struct timespec ts;
	const struct proc_image *im;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	im = procs_image(procs, c->pid, (uint64_t)ts.tv_sec * 1000000000ull + ts.tv_nsec);
	assert_non_null(im);
	return im->exe;
}

static void stop_server(void)
{
	int status;

	kill(server, SIGSTOP);
	assert_int_equal(waitpid(server, &status, WUNTRACED), server);
	assert_true(WIFSTOPPED(status));
}

static int err_of(uint32_t id)
{
	struct file_view v;

	files_get(files, id, &v);
	files_release_fd(files, id);
	return v.err;
}

/* What the rest of a busy machine maps is opened first. */
static void wait_until_opened(uint32_t id)
{
	while (err_of(id) == -EAGAIN) /* until the alarm */
		files_settle(files, 1000);
}

static void test_hung_server(void **state)
{
	struct child hung, other;

	(void)state;
	watch();
	hung = start("fuse/prog");
	stop_server();
	assert_int_equal(sideband_poll(sideband, 0), 0);
	assert_false(files_settle(files, 5000));
	assert_int_equal(err_of(exe_of(&hung)), -EAGAIN);
	other = start("./other");
	assert_int_equal(sideband_poll(sideband, 0), 0);
	wait_until_opened(exe_of(&other));
	assert_int_equal(err_of(exe_of(&other)), 0);
	end(&other);
	kill(server, SIGCONT);
	wait_until_opened(exe_of(&hung));
	assert_int_equal(err_of(exe_of(&hung)), 0);
	end(&hung);
	unwatch();
}

/* Giving up the table does not wait for what will never end; the thread cleans up after itself. */
static void test_free_while_hung(void **state)
{
	struct child hung;

	(void)state;
	watch();
	hung = start("fuse/prog");
	stop_server();
	assert_int_equal(sideband_poll(sideband, 0), 0);
	assert_false(files_settle(files, 100));
	unwatch();
	kill(server, SIGCONT);
	end(&hung);
}

/* A reading that never ends is left behind, and the next ones go on; its thread ends when it does. */
static void test_patience_ends(void **state)
{
	struct stall_guard p = {.wait_ms = 100};
	char *text = NULL;
	size_t len;

	(void)state;
	stop_server();
	assert_int_equal(stall_guard_read_file(&p, "fuse/prog", 4096, &text, &len), -ETIMEDOUT);
	assert_int_equal(p.stalled, 1);
	p.wait_ms = 60000;
	assert_int_equal(stall_guard_read_file(&p, "prog.c", 4096, &text, &len), 0);
	assert_memory_equal(text, "#include", 8);
	free(text);
	assert_int_equal(stall_guard_read_file(&p, "missing", 4096, &text, &len), -ENOENT);
	assert_int_equal(p.stalled, 1);
	kill(server, SIGCONT);
	stall_guard_release(&p);
}

static struct file_key key_of(const char *path, const struct stat *st)
{
	return (struct file_key){
		.path = path,
		.inode = st->st_ino,
		.major = major(st->st_dev),
		.minor = minor(st->st_dev),
	};
}

/* What does not fit into the queue is dropped, counted, and opened when it is seen again. */
static void test_queue_is_bounded(void **state)
{
	const uint64_t many = 20000;
	struct files_stats stats;
	struct child hung;
	struct stat st;
	struct file_key key;
	struct file_view v;
	uint32_t id = 0;
	char *path;

	(void)state;
	watch();
	hung = start("fuse/prog");
	assert_int_equal(stat("fuse/prog", &st), 0);
	path = realpath("fuse/prog", NULL);
	stop_server();
	/* without the events: those of other programs would be counted, too */
	key = key_of(path, &st);
	files_intern(files, &key, hung.pid, 0, 0, 0);
	free(path);
	assert_false(files_settle(files, 100));
	key = (struct file_key){.path = "/nonexistent"};
	for (uint64_t i = 1; i <= many; i++) {
		key.inode = i << 32;
		files_intern(files, &key, 0, 0, 0, 0);
	}
	assert_int_equal(stat("other", &st), 0);
	key = key_of("other", &st);
	id = files_intern(files, &key, getpid(), 0, 0, 0);
	files_stats(files, &stats);
	assert_true(stats.queue_dropped > 0 && stats.queue_dropped < many);
	assert_int_equal(err_of(id), -EAGAIN);
	while (!files_settle(files, 1000))
		kill(server, SIGCONT);
	files_stats(files, &stats);
	assert_int_equal(stats.open_failed + stats.queue_dropped - 1, many);
	key.path = realpath("other", NULL);
	assert_int_equal(files_intern(files, &key, getpid(), 0, 0, 0), id);
	free((char *)key.path);
	wait_until_opened(id);
	files_get(files, id, &v);
	assert_int_equal(v.err, 0);
	files_release_fd(files, id);
	end(&hung);
	unwatch();
}

static int start_server(void **state)
{
	int err = setup(state);

	server = err ? -1 : fuse_server_start("fuse", "origin");
	return err;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hung_server),
		cmocka_unit_test(test_free_while_hung),
		cmocka_unit_test(test_patience_ends),
		cmocka_unit_test(test_queue_is_bounded),
	};

	if (geteuid() || access("/dev/fuse", R_OK | W_OK)) {
		printf("skipped: needs root and /dev/fuse\n");
		return 0;
	}
	return cmocka_run_group_tests_name("hung_files", tests, start_server, teardown);
}

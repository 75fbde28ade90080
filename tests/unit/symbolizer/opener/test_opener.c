// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/opener/opener.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/log.h"
#include "symbolizer/sandbox/message.h"
#include "tests/lib/fixture.h"

static struct opener *o;

static int setup(void **state)
{
	int err = fixture_setup(state);

	if (err)
		return err;
	log_set_level(LOG_QUIET);
	fixture_write("prog.c", "int main(void) { return 0; }\n");
	fixture_run("cc -g -Wl,--build-id prog.c -o prog && strip -o stripped prog && mkfifo fifo");
	alarm(120);
	return opener_new(&o);
}

static int teardown(void **state)
{
	opener_free(o);
	return fixture_teardown(state);
}

static struct open_request request(const char *path)
{
	struct open_request req = {.path = path, .tgid = getpid(), .root_fd = -1};
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	req.inode = st.st_ino;
	req.major = major(st.st_dev);
	req.minor = minor(st.st_dev);
	return req;
}

static struct opened open_it(const char *name)
{
	_cleanup_free_ char *path = realpath(name, NULL);
	struct open_request req = request(path);
	struct opened r;

	opener_mapped(o, &req, 0, &r);
	return r;
}

/* What a reader would get: the message, and the file's first bytes. */
static int give(const struct held_file *file, char *bytes, size_t len)
{
	struct opener_mail mail = {-1, "head", "body", 4, 5};
	static char msg[WIRE_BYTES_MAX];
	_cleanup_close_ int a = -1, b = -1, fd = -1;
	int pair[2], err;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	a = mail.sock = pair[0];
	b = pair[1];
	err = opener_give(file, &mail);
	if (err)
		return err;
	assert_int_equal(wire_recv(b, msg, &fd), 9);
	assert_string_equal(msg, "headbody");
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	assert_int_equal(fcntl(fd, F_GETFL) & O_PATH, 0);
	assert_int_equal(pread(fd, bytes, len, 0), len);
	return 0;
}

/* Sends a signal to the children of this process that are like that. */
static unsigned signal_children(const char *with, int signal)
{
	char cmd[256], line[32];
	unsigned n = 0;
	FILE *f;

	snprintf(cmd, sizeof(cmd),
		 "for p in $(cat /proc/%d/task/*/children); do %s && echo $p; done", getpid(),
		 with);
	f = popen(cmd, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		n += !kill(atoi(line), signal);
	pclose(f);
	usleep(50000);
	return n;
}

static unsigned kill_children(const char *with)
{
	return signal_children(with, SIGKILL);
}

static void test_open_and_give(void **state)
{
	struct opened r = open_it("prog"), stripped = open_it("stripped");
	struct stat st;
	char magic[4];

	(void)state;
	assert_int_equal(r.err, 0);
	assert_int_equal(stat("prog", &st), 0);
	assert_int_equal(r.file.uid, getuid());
	assert_int_equal(r.file.key.ino, st.st_ino);
	assert_int_equal(r.file.key.size, st.st_size);
	assert_int_equal(r.build_id.len, 20);
	assert_true(build_id_equal(&r.build_id, &stripped.build_id));
	assert_int_equal(r.file.root, 0); /* as this process's own */
	assert_int_equal(give(&r.file, magic, 4), 0);
	assert_memory_equal(magic, ELFMAG, 4);
	/* A hand remembers for some seconds what it has opened. */
	opener_close(o, stripped.file.number);
	assert_true(kill_children("grep -q kiln-opener /proc/$p/comm") > 0);
	assert_int_equal(give(&stripped.file, magic, 4), -ESTALE);
	opener_close(o, r.file.number);
}

static void test_not_the_file(void **state)
{
	_cleanup_free_ char *path = realpath("prog", NULL), *fifo = realpath("fifo", NULL);
	struct open_request req = request(path);
	struct opened r;

	(void)state;
	req.inode++;
	opener_mapped(o, &req, 0, &r);
	assert_int_equal(r.err, -ESTALE);
	assert_true(r.replaced);
	req = request(fifo);
	opener_mapped(o, &req, 0, &r);
	assert_int_equal(r.err, -EINVAL);
	req.path = "/nothing/here";
	opener_mapped(o, &req, 0, &r);
	assert_int_equal(r.err, -ENOENT);
}

/* A deleted file outlives the hand that opened it, and a number outlives its first owner. */
static void test_hands_end(void **state)
{
	struct held_file copy;
	struct opened r;
	char magic[4];

	(void)state;
	fixture_run("cp prog gone");
	r = open_it("gone");
	assert_int_equal(unlink("gone"), 0);
	opener_dup(&r.file, &copy);
	opener_close(o, r.file.number);
	assert_true(kill_children("grep -q kiln-opener /proc/$p/comm") > 0);
	assert_int_equal(give(&copy, magic, 4), 0);
	assert_memory_equal(magic, ELFMAG, 4);
	opener_close(o, copy.number);
}

/* No file system is to blame, and the file is opened. */
static void test_hands_are_stopped(void **state)
{
	struct opener_stats before, after;
	struct opened r = open_it("prog");
	char magic[4];

	(void)state;
	opener_stats(o, &before);
	assert_true(signal_children("grep -q kiln-opener /proc/$p/comm", SIGSTOP) > 0);
	assert_int_equal(give(&r.file, magic, 4), 0);
	assert_memory_equal(magic, ELFMAG, 4);
	opener_close(o, r.file.number);
	opener_stats(o, &after);
	assert_int_equal(after.stalls, before.stalls);
}

static void test_keeper_ends(void **state)
{
	struct opened r = open_it("prog"), again;
	struct opener_stats stats;
	char magic[4];

	(void)state;
	assert_true(opener_has(o, r.file.number));
	assert_true(kill_children("grep -q kiln-keeper /proc/$p/comm") == 1);
	assert_false(opener_has(o, r.file.number));
	assert_int_equal(give(&r.file, magic, 4), -ESTALE);
	again = open_it("prog");
	assert_int_equal(again.err, 0);
	assert_true(opener_has(o, again.file.number));
	assert_int_equal(give(&again.file, magic, 4), 0);
	opener_stats(o, &stats);
	assert_int_equal(stats.lost, 1);
	assert_int_equal(stats.stalls, 0);
}

/* This process never has a descriptor of such a file. */
/* Nobody has noticed when the next file is opened: that one is held by the new keeper. */
static void test_keeper_ends_unnoticed(void **state)
{
	_cleanup_free_ char *path = NULL;
	struct held_file map;
	struct opened r;
	char magic[4];

	(void)state;
	fixture_write("perf.map", "1000 10 f\n");
	path = realpath("perf.map", NULL);
	assert_int_equal(open_it("prog").err, 0);
	assert_true(kill_children("grep -q kiln-keeper /proc/$p/comm") == 1);
	r = open_it("prog");
	assert_int_equal(r.err, 0);
	assert_int_equal(give(&r.file, magic, 4), 0);
	assert_true(kill_children("grep -q kiln-keeper /proc/$p/comm") == 1);
	assert_int_equal(opener_map(o, 0, 0, path, getuid(), &map), 0);
	assert_true(opener_has(o, map.number));
	assert_int_equal(give(&map, magic, 4), 0);
}

static void test_no_descriptor_here(void **state)
{
	_cleanup_free_ char *path = realpath("prog", NULL);
	struct opened r = open_it("prog");
	char link[64], at[256];

	(void)state;
	assert_int_equal(r.err, 0);
	for (int fd = 3; fd < 256; fd++) {
		ssize_t n;

		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		n = readlink(link, at, sizeof(at) - 1);
		at[n < 0 ? 0 : n] = '\0';
		assert_string_not_equal(at, path);
	}
	opener_close(o, r.file.number);
}

/* Its hands may read everything. What lies at the path is what the profiled program put there. */
static void test_map_only_what_its_program_may_read(void **state)
{
	_cleanup_free_ char *dir = realpath(".", NULL);
	struct held_file held;
	char link[512], map[512];

	(void)state;
	fixture_write("perf-2.map", "1000 10 f\n");
	fixture_run("ln -s perf-2.map perf-3.map");
	snprintf(map, sizeof(map), "%s/perf-2.map", dir);
	snprintf(link, sizeof(link), "%s/perf-3.map", dir);
	assert_int_equal(opener_map(o, 0, 0, link, getuid(), &held), -EINVAL);
	assert_int_equal(opener_map(o, 0, getpid(), link, getuid(), &held), -EINVAL);
	if (getuid()) {
		print_message("[ REASON   ] only root has files of root's\n");
		skip();
	}
	assert_int_equal(chmod(map, 0640), 0);
	assert_int_equal(opener_map(o, 0, getpid(), map, 4711, &held), -EPERM);
	assert_int_equal(opener_map(o, 0, getpid(), map, 0, &held), 0);
	assert_false(held.others_read);
	opener_close(o, held.number);
	assert_int_equal(chmod(map, 0644), 0);
	assert_int_equal(opener_map(o, 0, getpid(), map, 4711, &held), 0);
	assert_true(held.others_read);
	opener_close(o, held.number);
}

static void test_map_and_elf(void **state)
{
	_cleanup_free_ char *map = NULL, *prog = realpath("prog", NULL);
	struct opener_mail mail = {-1, "opened", NULL, 7, 0};
	static char msg[WIRE_BYTES_MAX];
	struct held_file held;
	int pair[2], fd = -1;
	uint64_t dev = 0;
	struct stat st;

	(void)state;
	fixture_write("perf-1.map", "1000 10 f\n");
	map = realpath("perf-1.map", NULL);
	assert_int_equal(opener_map(o, 0, 0, map, getuid(), &held), 0);
	assert_int_equal(held.key.size, 10);
	opener_close(o, held.number);
	assert_int_equal(opener_map(o, 0, getpid(), map, getuid(), &held), 0);
	opener_close(o, held.number);
	assert_int_equal(opener_map(o, 0, 0, "/nothing", getuid(), &held), -ENOENT);
	assert_true(opener_is_elf(o, prog));
	assert_false(opener_is_elf(o, map));
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	mail.sock = pair[0];
	assert_int_equal(opener_give_elf(o, 0, map, &mail, &dev), -ENOEXEC);
	assert_int_equal(opener_give_elf(o, 0, prog, &mail, &dev), 0);
	assert_int_equal(stat("prog", &st), 0);
	assert_int_equal(dev, (uint64_t)major(st.st_dev) << 32 | minor(st.st_dev));
	assert_int_equal(wire_recv(pair[1], msg, &fd), 7);
	assert_string_equal(msg, "opened");
	assert_true(fd >= 0);
	close(fd);
	close(pair[0]);
	close(pair[1]);
}

/* --- for stores of debug information ---------------------------------------------------------------- */

static int give_debug(const struct held_file *file, const char *name, const struct build_id *id,
		      bool of_root)
{
	_cleanup_free_ char *path = name ? realpath(name, NULL) : NULL;
	static char msg[WIRE_BYTES_MAX];
	_cleanup_close_ int a = -1, b = -1, fd = -1;
	struct opener_mail mail = {-1, "offer", NULL, 6, 0};
	char magic[SELFMAG];
	int pair[2], err;

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	a = mail.sock = pair[0];
	b = pair[1];
	err = opener_give_debug(file, name ? path : NULL, id, of_root, &mail);
	if (err) {
		assert_int_equal(wire_recv(b, msg, &fd), -EAGAIN);
		return err;
	}
	assert_int_equal(wire_recv(b, msg, &fd), 6);
	assert_string_equal(msg, "offer");
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	assert_int_equal(pread(fd, magic, SELFMAG, 0), SELFMAG);
	assert_memory_equal(magic, ELFMAG, SELFMAG);
	return 0;
}

/* What would keep a better file out of a store, and what is nobody else's business, stays here. */
static void test_what_a_store_may_have(void **state)
{
	struct opened r = open_it("prog"), stripped = open_it("stripped");
	struct build_id other = r.build_id;

	(void)state;
	other.data[0]++;
	assert_int_equal(give_debug(&r.file, NULL, &r.build_id, false), 0);
	assert_int_equal(give_debug(&r.file, NULL, &other, false), -ENOENT);
	assert_int_equal(give_debug(&stripped.file, NULL, &r.build_id, false), -ENOENT);
	assert_int_equal(give_debug(&stripped.file, "prog", &r.build_id, false), 0);
	assert_int_equal(give_debug(&stripped.file, "prog", &other, false), -ENOENT);
	assert_int_equal(give_debug(&stripped.file, "fifo", &r.build_id, false), -ENOENT);
	assert_int_equal(give_debug(&stripped.file, "prog.c", &r.build_id, false), -ENOENT);
	fixture_run("chmod o-r prog");
	assert_int_equal(give_debug(&r.file, NULL, &r.build_id, false), -EACCES);
	fixture_run("chmod o+r prog");
	opener_close(o, r.file.number);
	opener_close(o, stripped.file.number);
}

/* A build id is what the file says: only root is believed. */
static void test_what_root_has_made(void **state)
{
	struct opened r = open_it("prog");
	struct statvfs v;

	(void)state;
	if (getuid() || statvfs(".", &v) || (v.f_flag & ST_NOSUID))
		skip(); /* nothing here can be root's */
	assert_int_equal(give_debug(&r.file, NULL, &r.build_id, true), 0);
	fixture_run("chmod g+w prog");
	assert_int_equal(give_debug(&r.file, NULL, &r.build_id, true), -EPERM);
	fixture_run("chmod g-w,o+w prog");
	assert_int_equal(give_debug(&r.file, NULL, &r.build_id, true), -EPERM);
	fixture_run("chmod o-w prog && chown 4242 prog");
	assert_int_equal(give_debug(&r.file, NULL, &r.build_id, true), -EPERM);
	assert_int_equal(give_debug(&r.file, NULL, &r.build_id, false), 0);
	fixture_run("chown 0 prog");
	opener_close(o, r.file.number);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_a_store_may_have),
		cmocka_unit_test(test_what_root_has_made),
		cmocka_unit_test(test_open_and_give),
		cmocka_unit_test(test_not_the_file),
		cmocka_unit_test(test_hands_end),
		cmocka_unit_test(test_hands_are_stopped),
		cmocka_unit_test(test_keeper_ends),
		cmocka_unit_test(test_keeper_ends_unnoticed),
		cmocka_unit_test(test_no_descriptor_here),
		cmocka_unit_test(test_map_only_what_its_program_may_read),
		cmocka_unit_test(test_map_and_elf),
	};

	return cmocka_run_group_tests_name("opener", tests, setup, teardown);
}

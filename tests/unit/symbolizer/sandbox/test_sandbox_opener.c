// SPDX-License-Identifier: GPL-2.0-or-later
/* What a process can do that opens files: tried from inside. */
#include <errno.h>
#include <linux/openat2.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "profiler/base/io.h"
#include "symbolizer/sandbox/message.h"
#include "symbolizer/sandbox/sandbox.h"
#include "tests/lib/fixture.h"

struct opened {
	unsigned parts;
	int err, read, root, write, truncate, create;
};

static int try_opening(int dir, const char *path, uint64_t flags)
{
	struct open_how how = {.flags = flags, .mode = flags & O_CREAT ? 0600 : 0};

	return syscall(SYS_openat2, dir, path, &how, sizeof(how)) < 0 ? errno : 0;
}

/* It reads what nobody but root may, and changes nothing of root's: the filter does not see the flags of openat2(). */
static void test_an_opener_only_reads(void **state)
{
	char root[64], text[8] = "";
	int pair[2], status, dir;
	struct opened r = {0};
	pid_t parent = getpid(), pid;

	if (geteuid() != 0) {
		print_message("SKIP: only root can become nobody\n");
		skip();
	}
	assert_int_equal(fixture_setup(state), 0);
	fixture_run("mkdir -m 700 private && echo text >private/file && chmod 600 private/file");
	snprintf(root, sizeof(root), "/proc/%d/root", parent);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	fflush(NULL);
	pid = fork();
	if (!pid) {
		r.err = sandbox_enter_opener(pair[1], parent, (64ul << 20), &r.parts);
		dir = open(fixture_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
		r.read = try_opening(dir, "private/file", O_RDONLY);
		r.root = try_opening(AT_FDCWD, root, O_PATH | O_DIRECTORY);
		r.write = try_opening(dir, "private/file", O_RDWR);
		r.truncate = try_opening(dir, "private/file", O_RDONLY | O_TRUNC);
		r.create = try_opening(dir, "private/new", O_WRONLY | O_CREAT);
		_exit(wire_send(3, &r, sizeof(r), -1) != 0);
	}
	close(pair[1]);
	assert_int_equal(recv(pair[0], &r, sizeof(r), 0), sizeof(r));
	close(pair[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(r.err, 0);
	assert_int_equal(r.read, 0);
	assert_int_equal(r.root, 0);
	assert_int_equal(r.write, EACCES);
	assert_int_equal(r.truncate, EACCES);
	assert_int_equal(r.create, EACCES);
	assert_int_equal(io_read_line("private/file", text, sizeof(text)), 0);
	assert_string_equal(text, "text");
	assert_int_equal(fixture_teardown(state), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_opener_only_reads),
	};

	return cmocka_run_group_tests_name("sandbox_opener", tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* What a process of the agent can still do in its role: tried from inside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/agent/config_data.h"
#include "profiler/agent/config_schema.h"
#include "profiler/agent/roles.h"
#include "profiler/agent/store_owner.h"
#include "profiler/base/sanitizer.h"

static char store[64], outside[64];

static bool try_store(void)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/file", store);
	return !close(open(path, O_RDWR | O_CREAT | O_EXCL, 0640)) && !unlink(path);
}

static bool try_read_store(void)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "%s/segment.kiln", store);
	fd = open(path, O_RDONLY);
	return fd >= 0 && !close(fd);
}

static bool try_write_outside(void)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/file", outside);
	return open(path, O_WRONLY | O_CREAT, 0600) >= 0;
}

static bool try_mkdir_outside(void)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/dir", outside);
	return !mkdir(path, 0700);
}

static bool try_link_outside(void)
{
	char from[96], to[96];

	snprintf(from, sizeof(from), "%s/linked.kiln", store);
	snprintf(to, sizeof(to), "%s/linked", outside);
	close(open(from, O_WRONLY | O_CREAT, 0600));
	return !linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

static bool try_read_outside(void)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/secret", outside);
	return open(path, O_RDONLY) >= 0;
}

static bool try_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) >= 0 || socket(AF_UNIX, SOCK_STREAM, 0) >= 0;
}

static bool try_exec(void)
{
	return execl("/bin/true", "true", NULL) >= 0;
}

static bool try_fork(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	return pid > 0;
}

static bool try_ptrace(void)
{
	return !ptrace(PTRACE_ATTACH, getppid(), 0, 0);
}

static bool try_kill(void)
{
	return !kill(getppid(), 0);
}

static bool try_bpf(void)
{
	union bpf_attr attr = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4};

	attr.value_size = 4;
	attr.max_entries = 1;
	return syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)) >= 0;
}

static bool try_perf(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
	};

	return syscall(SYS_perf_event_open, &attr, -1, 0, -1, 0) >= 0;
}

static bool try_mount(void)
{
	return !mount("none", store, "tmpfs", 0, NULL) || !unshare(CLONE_NEWUSER);
}

static bool try_setuid(void)
{
	return !syscall(SYS_setresuid, 12345, 12345, 12345);
}

static bool try_run_memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
	       MAP_FAILED;
}

static bool try_descriptors(void)
{
	for (int fd = CONFINE_FD + 1; fd < 1024; fd++)
		if (fcntl(fd, F_DUPFD_CLOEXEC, 0) >= 0)
			return true;
	return false;
}

static const struct {
	const char *what;
	bool (*try)(void);
	bool writer_may, server_may;
	bool landlock; /* ... is what forbids it, where the kernel has it */
	bool root_may; /* without a role: so these tries can succeed */
} tries[] = {
	{"have descriptors", try_descriptors, false, false, false, false},
	{"write to the store", try_store, true, false, true, true},
	{"read the store", try_read_store, true, true, false, true},
	{"write elsewhere", try_write_outside, false, false, true, true},
	{"make a directory elsewhere", try_mkdir_outside, false, false, true, true},
	{"link to elsewhere", try_link_outside, false, false, true, true},
	{"read elsewhere", try_read_outside, false, false, true, true},
	{"make a socket", try_socket, false, false, false, true},
	{"execute", try_exec, false, false, false, false},
	{"fork", try_fork, false, false, false, true},
	{"trace", try_ptrace, false, false, false, false},
	{"send signals", try_kill, false, false, false, true},
	{"make BPF maps", try_bpf, false, false, false, true},
	{"open perf events", try_perf, false, false, false, true},
	{"mount", try_mount, false, false, false, false},
	{"change its user", try_setuid, false, false, false, true},
	{"make memory executable", try_run_memory, false, false, false, true},
};
#define N_TRIES (sizeof(tries) / sizeof(*tries))

struct report {
	int err;
	bool could[N_TRIES];
};

static void in_role(enum role_id id, struct config *c, const struct identity *who, int fd,
		    pid_t parent)
{
	struct report r = {0};

	r.err = confine_detach(fd, parent);
	if (id != ROLE_COUNT)
		r.err = r.err ?: role_enter(&roles[id], c, who, parent);
	for (size_t i = 0; i < N_TRIES && !r.err; i++)
		if (id != ROLE_COUNT || tries[i].root_may)
			r.could[i] = tries[i].try();
	_exit(write(CONFINE_FD, &r, sizeof(r)) == sizeof(r) ? 0 : 1);
}

static struct report report_of(enum role_id id, const struct identity *who)
{
	struct config *c;
	struct report r = {.err = -EPIPE};
	pid_t parent = getpid(), pid;
	int pipes[2], status;

	assert_int_equal(config_new(&c), 0);
	free(c->store_path);
	c->store_path = strdup(store);
	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	if (!pid) {
		/* As the supervisor leaves it. */
		if (id != ROLE_COUNT)
			confine_supervisor(roles_caps());
		in_role(id, c, who, pipes[1], parent);
	}
	close(pipes[1]);
	assert_int_equal(read(pipes[0], &r, sizeof(r)), sizeof(r));
	close(pipes[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	config_free(c);
	return r;
}

static int make_file(const char *dir, const char *name)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	return fd < 0 ? -1 : close(fd);
}

static int set_up(void **state)
{

	(void)state;
	strcpy(store, "/tmp/kiln-store-XXXXXX");
	strcpy(outside, "/tmp/kiln-outside-XXXXXX");
	if (!mkdtemp(store) || !mkdtemp(outside) || chmod(outside, 0777))
		return -1;
	return make_file(outside, "secret") ?: make_file(store, "segment.kiln");
}

static int tear_down(void **state)
{
	char command[160];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s %s", store, outside);
	return system(command);
}

static bool has_landlock(void)
{
	return syscall(444, NULL, 0, 1) > 0;
}

/* What is tried works, where nothing forbids it. */
static void test_no_role(void **state)
{
	struct identity who;
	struct report r;

	(void)state;
	if (geteuid())
		skip();
	confine_find_user(&who);
	r = report_of(ROLE_COUNT, &who);
	assert_int_equal(r.err, 0);
	for (size_t i = 0; i < N_TRIES; i++)
		if (tries[i].root_may && !r.could[i])
			fail_msg("root cannot %s", tries[i].what);
}

static bool may_do(enum role_id id, size_t i)
{
	switch (id) {
	case ROLE_WRITER:
		return tries[i].writer_may;
	case ROLE_DEBUGINFO: /* it reads what it is given, and connects */
		return tries[i].try == try_socket;
	default:
		return tries[i].server_may;
	}
}

static void assert_role(enum role_id id, const struct identity *who)
{
	struct report r = report_of(id, who);

	assert_int_equal(r.err, 0);
	for (size_t i = 0; i < N_TRIES; i++) {
		bool may = may_do(id, i);

		if (tries[i].landlock && !may && !has_landlock())
			continue;
		if (r.could[i] != may)
			fail_msg("the %s can%s %s", roles[id].name, r.could[i] ? "" : "not",
				 tries[i].what);
	}
}

static void assert_roles(const struct identity *who)
{
	assert_role(ROLE_WRITER, who);
	assert_role(ROLE_SERVER, who);
	if (has_landlock()) /* nothing else keeps it from the store */
		assert_role(ROLE_DEBUGINFO, who);
}

static void test_roles(void **state)
{
	struct identity who;

	(void)state;
	if (SANITIZED)
		skip(); /* there is no filter */
	confine_find_user(&who);
	assert_roles(&who);
}

/* A new directory belongs to the user, and an existing one decides who writes. */
static void test_roles_as_user(void **state)
{
	const struct identity who = {.uid = 65534, .gid = 65534, .group = (gid_t)-1};
	struct identity as;
	char segment[96];
	struct stat st;

	(void)state;
	if (SANITIZED || geteuid())
		skip();
	snprintf(segment, sizeof(segment), "%s/segment.kiln", store);
	assert_int_equal(unlink(segment), 0);
	assert_int_equal(rmdir(store), 0);
	as = who;
	assert_int_equal(store_owner_prepare(store, &as), 0);
	assert_int_equal(make_file(store, "segment.kiln"), 0);
	assert_roles(&who);
	assert_int_equal(stat(store, &st), 0);
	assert_int_equal(st.st_uid, 65534);
	assert_int_equal(st.st_mode & 07777, 0750);
	assert_int_equal(chown(store, 0, 0), 0);
	assert_roles(&who);
	assert_int_equal(chown(store, 1, 1), 0);
	assert_roles(&who);
}

static uid_t owner_of(const char *path)
{
	struct stat st;

	return lstat(path, &st) ? (uid_t)-1 : st.st_uid;
}

/* Nothing of root's becomes the user's because he calls it so. */
static void test_cursors_of_a_user(void **state)
{
	const struct identity who = {.uid = 65534, .gid = 65534, .group = (gid_t)-1};
	char mine[] = "/tmp/kiln-mine-XXXXXX", theirs[] = "/tmp/kiln-theirs-XXXXXX", path[96];

	(void)state;
	if (geteuid())
		skip();
	assert_non_null(mkdtemp(mine));
	assert_non_null(mkdtemp(theirs));
	assert_int_equal(chown(theirs, 65534, 65534), 0);
	assert_int_equal(store_owner_cursors(mine, &who), -EPERM);
	snprintf(path, sizeof(path), "%s/upload", mine);
	assert_true(owner_of(path) == (uid_t)-1);
	snprintf(path, sizeof(path), "%s/store", theirs);
	assert_int_equal(symlink(mine, path), 0);
	assert_int_equal(store_owner_cursors(path, &who), -EPERM);
	assert_int_equal(unlink(path), 0);

	assert_int_equal(store_owner_cursors(theirs, &who), 0);
	snprintf(path, sizeof(path), "%s/upload", theirs);
	assert_int_equal(owner_of(path), 65534);
	/* Of an agent that ran as root. */
	assert_int_equal(chown(path, 0, 0), 0);
	assert_int_equal(make_file(path, "a.cursor"), 0);
	assert_int_equal(store_owner_cursors(theirs, &who), 0);
	assert_int_equal(owner_of(path), 65534);
	strcat(path, "/a.cursor");
	assert_int_equal(owner_of(path), 65534);
	/* A directory of root's. */
	*strrchr(path, '/') = '\0';
	assert_int_equal(chown(path, 0, 0), 0);
	assert_int_equal(make_file(path, "keys"), 0);
	assert_int_equal(store_owner_cursors(theirs, &who), -EPERM);
	assert_int_equal(owner_of(path), 0);
	assert_int_equal(chown(path, 1, 1), 0);
	assert_int_equal(store_owner_cursors(theirs, &who), -EPERM);
	assert_int_equal(owner_of(path), 1);
	strcat(path, "/keys");
	assert_int_equal(owner_of(path), 0);
	assert_int_equal(unlink(path), 0);
	strcpy(strrchr(path, '/'), "/a.cursor");
	assert_int_equal(unlink(path), 0);
	*strrchr(path, '/') = '\0';
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(theirs), 0);
	assert_int_equal(rmdir(mine), 0);
}

static void test_lines_of_the_log(void **state)
{
	unsigned lines = SUPERVISOR_LOG_LINES;

	(void)state;
	for (size_t i = 0; i < ROLE_COUNT; i++) {
		assert_int_not_equal(roles[i].log_lines, 0);
		lines += roles[i].log_lines;
	}
	assert_int_equal(lines, LOG_LINES_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cursors_of_a_user),
		cmocka_unit_test(test_lines_of_the_log),
		cmocka_unit_test_setup_teardown(test_no_role, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_roles, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_roles_as_user, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

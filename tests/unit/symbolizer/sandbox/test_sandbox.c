// SPDX-License-Identifier: GPL-2.0-or-later
/* What a process can still do that has given everything up: tried from inside, seen from outside. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <linux/bpf.h>
#include <linux/landlock.h>
#include <linux/openat2.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/base/sanitizer.h"
#include "symbolizer/sandbox/sandbox.h"
#include "tests/lib/fixture.h"

#define MEMORY (64ul << 20)

/* --- from inside ------------------------------------------------------------------------------ */

static char page[4096] __attribute__((aligned(4096)));

static long try_open(void)
{
	return open("/etc/passwd", O_RDONLY);
}

static long try_open_below(void)
{
	return openat(3, "x", O_RDONLY);
}

static long try_openat2(void)
{
	struct open_how how = {.flags = O_PATH};

	return syscall(SYS_openat2, AT_FDCWD, "/", &how, sizeof(how));
}

static long try_create(void)
{
	return open("/tmp/kiln-test-sandbox", O_CREAT | O_WRONLY, 0600);
}

static long try_memfd(void)
{
	return memfd_create("x", 0);
}

static long try_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static long try_unix_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0);
}

static long try_connect(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	return connect(3, (struct sockaddr *)&to, sizeof(to));
}

static long try_exec(void)
{
	return execl("/bin/true", "true", NULL);
}

static long try_fork(void)
{
	return fork();
}

static long try_clone(void)
{
	return syscall(SYS_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL, NULL, NULL, NULL);
}

static long try_trace_parent(void)
{
	return ptrace(PTRACE_SEIZE, getppid(), NULL, NULL);
}

static long try_read_parent(void)
{
	struct iovec to = {page, 8}, from = {page, 8};

	return process_vm_readv(getppid(), &to, 1, &from, 1, 0);
}

static long try_kill_parent(void)
{
	return kill(getppid(), 0);
}

static long try_tgkill_parent(void)
{
	return syscall(SYS_tgkill, getppid(), getppid(), 0);
}

static long try_limit_parent(void)
{
	struct rlimit r = {0, 0};

	return syscall(SYS_prlimit64, getppid(), RLIMIT_CORE, &r, NULL);
}

static long try_own_the_signal(void)
{
	return fcntl(3, F_SETOWN, getppid());
}

static long try_code(void)
{
	return (long)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static long try_make_code(void)
{
	return mprotect(page, sizeof(page), PROT_READ | PROT_EXEC);
}

static long try_map_code_of_a_file(void)
{
	return (long)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, 3, 0);
}

static long try_bpf(void)
{
	union bpf_attr attr = {.map_type = BPF_MAP_TYPE_ARRAY};

	return syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
}

static long try_perf(void)
{
	struct perf_event_attr attr = {.size = sizeof(attr)};

	return syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

static long try_namespace(void)
{
	return unshare(CLONE_NEWUSER);
}

static long try_mount(void)
{
	return mount("none", "/", "tmpfs", 0, NULL);
}

static long try_become_root(void)
{
	return setuid(0);
}

static long try_be_dumped(void)
{
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static long try_outlive_parent(void)
{
	return prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
}

static long try_io_uring(void)
{
	return syscall(SYS_io_uring_setup, 8, page);
}

static const struct {
	const char *name;
	long (*attempt)(void);
} attempts[] = {
#define A(name)                                                                                    \
	{                                                                                          \
#name, try_##name                                                                  \
	}
	A(open),
	A(open_below),
	A(openat2),
	A(create),
	A(memfd),
	A(socket),
	A(unix_socket),
	A(connect),
	A(exec),
	A(fork),
	A(clone),
	A(trace_parent),
	A(read_parent),
	A(kill_parent),
	A(tgkill_parent),
	A(limit_parent),
	A(code),
	A(make_code),
	A(map_code_of_a_file),
	A(bpf),
	A(perf),
	A(namespace),
	A(mount),
	A(become_root),
	A(be_dumped),
	A(outlive_parent),
	A(io_uring),
	A(own_the_signal),
#undef A
};

#define N_ATTEMPTS (sizeof(attempts) / sizeof(*attempts))

/* What becomes of a sandboxed process: `parts`, and an answer of its own. */
struct report {
	unsigned parts;
	int err, answers[N_ATTEMPTS];
};

static void inside_attempts(struct report *r)
{
	for (size_t i = 0; (r->parts & SANDBOX_BIT(syscalls)) && i < N_ATTEMPTS; i++) {
		errno = 0;
		r->answers[i] = attempts[i].attempt() == -1 ? errno : 0;
	}
}

static void inside_memory(struct report *r)
{
	void *volatile small = malloc(MEMORY / 4), *volatile big = malloc(4 * MEMORY);

	r->answers[0] = small != NULL;
	r->answers[1] = big != NULL;
}

static const char *new_root; /* for the next one, or NULL */

static pid_t start(void (*inside)(struct report *), int *from, int *to)
{
	int pair[2];
	pid_t parent = getpid(), pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		const gid_t group = 4242;
		struct report r = {0};
		char c;

		if (geteuid() == 0 && setgroups(1, &group))
			_exit(1);
		if (new_root && chroot(new_root))
			_exit(1);
		r.err = sandbox_enter(pair[1], parent, MEMORY, &r.parts);
		if (!r.err)
			inside(&r);
		if (write(3, &r, sizeof(r)) != sizeof(r) || read(3, &c, 1) != 1)
			_exit(1);
		_exit(42);
	}
	close(pair[1]);
	*from = *to = pair[0];
	return pid;
}

static void finish(pid_t pid, int to)
{
	int status;

	assert_int_equal(write(to, "x", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 42);
	close(to);
}

static struct report run_inside(void (*inside)(struct report *))
{
	struct report r;
	int from, to;
	pid_t pid = start(inside, &from, &to);

	assert_int_equal(read(from, &r, sizeof(r)), sizeof(r));
	assert_int_equal(r.err, 0);
	finish(pid, to);
	return r;
}

static void test_nothing_is_allowed(void **state)
{
	struct report r = run_inside(inside_attempts);

	(void)state;
	if (!(r.parts & SANDBOX_BIT(syscalls))) {
		print_message("skipped: no filter under sanitizers\n");
		skip();
	}
	for (size_t i = 0; i < N_ATTEMPTS; i++)
		if (r.answers[i] != EPERM)
			fail_msg("%s: errno %d", attempts[i].name, r.answers[i]);
}

static void test_memory_is_limited(void **state)
{
	struct report r = run_inside(inside_memory);

	(void)state;
	assert_true(r.answers[0]);
	if (r.parts & SANDBOX_BIT(memory))
		assert_false(r.answers[1]);
}

/* --- from outside ----------------------------------------------------------------------------- */

static void inside_nothing(struct report *r)
{
	(void)r;
}

static void expect_status(pid_t pid, const char *key, const char *want)
{
	char path[64], line[256], value[128] = "no such line";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key)))
			sscanf(line + strlen(key), ": %127s", value);
	fclose(f);
	if (strcmp(value, want))
		fail_msg("%s: %s, not %s", key, value, want);
}

static void expect_no_groups(pid_t pid)
{
	char path[64], line[256];
	bool seen = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, "Groups:", 7) != 0)
			continue;
		seen = true;
		assert_int_equal(strspn(line + 7, " \t\n"), strlen(line + 7));
	}
	fclose(f);
	assert_true(seen);
}

/* Nobody but root may look into one that cannot be dumped: proc(5). */
static void expect_not_dumpable(pid_t pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/environ", pid);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, 0);
}

/* Of /proc/PID/limits: prlimit(2) on another user's process wants CAP_SYS_RESOURCE. */
static void expect_limit(pid_t pid, const char *name, uint64_t at_most)
{
	unsigned long long soft, hard;
	char path[64], line[256];
	bool seen = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/limits", pid);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, name, strlen(name)) != 0)
			continue;
		assert_int_equal(sscanf(line + strlen(name), " %llu %llu", &soft, &hard), 2);
		assert_in_range(soft, hard ? hard - 1 : 0, hard); /* SIGXCPU before SIGKILL */
		assert_in_range(hard, 0, at_most);
		seen = true;
	}
	fclose(f);
	assert_true(seen);
}

static size_t count_entries(pid_t pid, const char *what)
{
	char path[64];
	struct dirent *e;
	size_t n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, what);
	d = opendir(path);
	assert_non_null(d);
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static void expect_other(pid_t pid, const char *what)
{
	char path[64], own[64], its[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/%s", what);
	n = readlink(path, own, sizeof(own));
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, what);
	assert_true(n > 0);
	assert_int_equal(readlink(path, its, sizeof(its)), n);
	assert_memory_not_equal(own, its, (size_t)n);
}

static void test_seen_from_outside(void **state)
{
	static const char *const capabilities[] = {"CapInh", "CapPrm", "CapEff", "CapAmb"};
	struct report r;
	int from, to;
	pid_t pid = start(inside_nothing, &from, &to);
	char path[64], line[64];

	(void)state;
	assert_int_equal(read(from, &r, sizeof(r)), sizeof(r));
	assert_int_equal(r.err, 0);
	for (size_t i = 0; i < sizeof(capabilities) / sizeof(*capabilities); i++)
		expect_status(pid, capabilities[i], "0000000000000000");
	expect_status(pid, "NoNewPrivs", "1");
	expect_limit(pid, "Max cpu time", 3600);
	expect_limit(pid, "Max file size", 1 << 30);
	expect_limit(pid, "Max core file size", 0);
	if (r.parts & SANDBOX_BIT(syscalls))
		expect_status(pid, "Seccomp", "2");
	if (geteuid() == 0) {
		expect_status(pid, "CapBnd", "0000000000000000");
		expect_status(pid, "Uid", "65534");
		expect_status(pid, "Gid", "65534");
		expect_no_groups(pid);
		expect_not_dumpable(pid);
		assert_int_equal(count_entries(pid, "fd"), 4);
		snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", pid);
		assert_int_equal(io_read_line(path, line, sizeof(line)), 0);
		assert_string_equal(line, "1000");
	}
	if (geteuid() == 0 && (r.parts & SANDBOX_BIT(namespaces))) {
		expect_other(pid, "ns/net");
		expect_other(pid, "ns/ipc");
		expect_other(pid, "ns/mnt");
	}
	if (geteuid() == 0 && (r.parts & SANDBOX_BIT(no_files)))
		assert_int_equal(count_entries(pid, "root/"), 0);
	finish(pid, to);
}

/* pivot_root(2) is refused there. */
static void test_in_a_chroot(void **state)
{
	struct report r;

	(void)state;
	if (geteuid() != 0 || SANITIZED) {
		print_message("SKIP: only root can change its root, and sanitizers need files\n");
		skip();
	}
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) < 1) {
		print_message("SKIP: this kernel has no Landlock\n");
		skip();
	}
	assert_int_equal(fixture_setup(state), 0);
	fixture_run("mkdir -p root/dev && mknod root/dev/null c 1 3");
	new_root = "root";
	r = run_inside(inside_attempts);
	new_root = NULL;
	assert_int_equal(fixture_teardown(state), 0);
	assert_true(r.parts & SANDBOX_BIT(no_files));
	for (size_t i = 0; i < N_ATTEMPTS; i++)
		assert_int_equal(r.answers[i], EPERM);
}

/* A terminal's and a service manager's signals are for the parent. */
static void test_signals_of_others(void **state)
{
	static const int sent[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct report r;
	int from, to;
	pid_t pid = start(inside_nothing, &from, &to);

	(void)state;
	assert_int_equal(read(from, &r, sizeof(r)), sizeof(r));
	assert_int_not_equal(getpgid(pid), getpgid(0));
	for (size_t i = 0; i < sizeof(sent) / sizeof(*sent); i++)
		assert_int_equal(kill(pid, sent[i]), 0);
	finish(pid, to);
}

/* It does not outlive its parent: nobody holds the other end of the pipe any more. */
static void test_dies_with_its_parent(void **state)
{
	int pipes[2], status;
	pid_t pid;
	char c;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	fflush(NULL);
	pid = fork();
	if (!pid) {
		unsigned parts;
		pid_t parent = getpid();

		close(pipes[0]);
		if (!fork()) {
			if (!sandbox_enter(pipes[1], parent, MEMORY, &parts) &&
			    write(3, "x", 1) == 1)
				for (;;)
					sched_yield();
			_exit(1);
		}
		close(pipes[1]);
		pause();
	}
	close(pipes[1]);
	assert_int_equal(read(pipes[0], &c, 1), 1); /* it is inside */
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	alarm(60);
	assert_int_equal(read(pipes[0], &c, 1), 0);
	alarm(0);
	close(pipes[0]);
}

static void test_probe(void **state)
{
	unsigned parts = 0;
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(sandbox_probe(&parts), 0);
	assert_true(parts & SANDBOX_BIT(no_new_privs));
	assert_true(parts & SANDBOX_BIT(no_capabilities));
	/* Nobody special can do as much. */
	fflush(NULL);
	pid = fork();
	if (!pid) {
		if (geteuid() == 0 && (setgroups(0, NULL) || setgid(65534) || setuid(65534)))
			_exit(2);
		if (sandbox_probe(&parts))
			_exit(3);
		_exit(parts & SANDBOX_BIT(no_new_privs) && parts & SANDBOX_BIT(no_capabilities)
			      ? 0
			      : 4);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_every_part_has_a_name(void **state)
{
	(void)state;
	for (int i = 0; i < SANDBOX_PART_COUNT; i++)
		assert_string_not_equal(sandbox_part_text(i), "unknown");
	assert_string_equal(sandbox_part_text(SANDBOX_PART_COUNT), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_allowed),
		cmocka_unit_test(test_memory_is_limited),
		cmocka_unit_test(test_seen_from_outside),
		cmocka_unit_test(test_in_a_chroot),
		cmocka_unit_test(test_signals_of_others),
		cmocka_unit_test(test_dies_with_its_parent),
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_every_part_has_a_name),
	};

	return cmocka_run_group_tests_name("sandbox", tests, NULL, NULL);
}

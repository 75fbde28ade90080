// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/base/sanitizer.h"
#include "symbolizer/sandbox/landlock.h"

/* User and group that own no files (kernel.overflowuid). */
#define NOBODY 65534
/* Cached objects have up to four descriptors each, see lookup.c. Split units come and go. */
#define DESCRIPTORS_MAX 4096
/* Far above what honest files take: for a process that was taken over. A reader that is ended is started again. */
#define CPU_SECONDS_MAX 3600
#define FILE_BYTES_MAX	(1ull << 30)
/* The C library has no constant for this before 2.34. */
#define CLOSE_ALL_MAX ~0u

const char *sandbox_part_text(enum sandbox_part part)
{
	static const char *const texts[] = {
#define X(name, text) [SANDBOX_##name] = text,
		SANDBOX_PARTS(X)
#undef X
	};

	return part < SANDBOX_PART_COUNT ? texts[part] : "unknown";
}

static int close_from(int first)
{
	return syscall(SYS_close_range, first, CLOSE_ALL_MAX, 0) ? -errno : 0;
}

/* stderr stays open for reports of sanitizers. */
static int keep_one(int keep_fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int high = fcntl(keep_fd, F_DUPFD_CLOEXEC, 16);

	if (null < 0 || high < 0)
		return -errno;
	for (int fd = 0; fd <= 2 - SANITIZED; fd++)
		if (dup2(null, fd) < 0)
			return -errno;
	if (dup3(high, 3, O_CLOEXEC) < 0)
		return -errno;
	return close_from(4);
}

/* Signals of the terminal or of a whole service are for the parent. When the parent ends, so
 * does this process. */
static void leave_signals(void)
{
	static const int ignored[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGPIPE, SIGUSR1, SIGUSR2};
	sigset_t none;

	/* Not setsid(): the scheduler would treat it as a stranger to the parent, which waits for
	 * its answers (autogroups), and let all others run between a question and its answer. */
	setpgid(0, 0);
	for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
		signal(ignored[i], SIG_IGN);
	signal(SIGALRM, SIG_DFL);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

int sandbox_detach(int keep_fd, pid_t parent)
{
	int err;

	leave_signals();
	err = keep_one(keep_fd);
	if (err)
		return err;
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	return getppid() == parent ? 0 : -ESRCH; /* the parent ended before prctl() */
}

/* --- name spaces ------------------------------------------------------------------------------ */

/* Makes an empty root and unmounts the old one, so that this process keeps nothing mounted. */
static bool empty_root(void)
{
	return !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	       !mount("none", "/proc", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		      "size=4k,nr_inodes=1,mode=000") &&
	       !chdir("/proc") && !syscall(SYS_pivot_root, ".", ".") && !umount2(".", MNT_DETACH) &&
	       !chdir("/");
}

static unsigned leave_namespaces(void)
{
	int all = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS;

	if (unshare(all) && unshare(CLONE_NEWUSER | all))
		return 0;
	return SANDBOX_BIT(namespaces) | (empty_root() ? SANDBOX_BIT(no_files) : 0);
}

/* --- limits ----------------------------------------------------------------------------------- */

static bool limit(__rlimit_resource_t what, rlim_t value)
{
	struct rlimit r;

	if (getrlimit(what, &r))
		return false;
	if (value > r.rlim_max)
		value = r.rlim_max;
	r.rlim_cur = r.rlim_max = value;
	return !setrlimit(what, &r);
}

/* Its end is SIGXCPU. Where only the hard limit is left, that is SIGKILL, as by somebody else. */
static void limit_cpu_time(void)
{
	struct rlimit r;

	if (!limit(RLIMIT_CPU, CPU_SECONDS_MAX) || getrlimit(RLIMIT_CPU, &r) || r.rlim_cur < 2)
		return;
	r.rlim_cur--;
	setrlimit(RLIMIT_CPU, &r);
}

/* The limit also counts what a fork inherits, so that is added to it. */
static uint64_t address_space_bytes(void)
{
	char line[64];

	if (io_read_line("/proc/self/statm", line, sizeof(line)))
		return 0;
	return strtoull(line, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Makes the kernel kill this process first when memory runs out. */
static void be_first_for_oom(void)
{
	_cleanup_close_ int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, "1000", 4) != 4)
		return; /* best effort */
}

static unsigned set_limits(uint64_t memory_bytes)
{
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_NOFILE, DESCRIPTORS_MAX);
	limit_cpu_time();
	limit(RLIMIT_FSIZE, FILE_BYTES_MAX);
	if (SANITIZED || !limit(RLIMIT_AS, address_space_bytes() + memory_bytes))
		return 0;
	return SANDBOX_BIT(memory);
}

/* --- privileges ------------------------------------------------------------------------------- */

static bool drop_capabilities(void)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};

	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return !syscall(SYS_capset, &h, none);
}

/*
 * Bounding set and user first, since both need capabilities. Uses system calls directly: the C
 * library's functions would wait for threads that did not survive the fork.
 */
static unsigned drop_privileges(void)
{
	unsigned parts = 0;

	for (unsigned long cap = 0; cap <= CAP_LAST_CAP; cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	if (!syscall(SYS_setgroups, 0, NULL) && !syscall(SYS_setresgid, NOBODY, NOBODY, NOBODY) &&
	    !syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY))
		parts |= SANDBOX_BIT(nobody);
	if (drop_capabilities())
		parts |= SANDBOX_BIT(no_capabilities);
	if (!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		parts |= SANDBOX_BIT(no_new_privs);
	return parts;
}

/* The last half of entering. `got` has the parts so far. */
static int close_door(pid_t parent, unsigned got, int (*filter)(void), unsigned *parts)
{
	int err;

	/* A change of user resets both of these. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != parent)
		return -ESRCH; /* the parent ended before prctl() */
	if (!(got & SANDBOX_BIT(no_new_privs)))
		return -EPERM;
	err = SANITIZED ? 0 : filter();
	if (err)
		return err;
	*parts = got | (SANITIZED ? 0 : SANDBOX_BIT(syscalls));
	return 0;
}

/* For where the old root cannot be left, as in a chroot: files are there, and none can be opened. */
static unsigned reach_no_files(unsigned got)
{
	if (SANITIZED || got & SANDBOX_BIT(no_files) || landlock_confine(NULL, 0))
		return 0;
	return SANDBOX_BIT(no_files);
}

int sandbox_enter(int keep_fd, pid_t parent, uint64_t memory_bytes, unsigned *parts)
{
	unsigned got;
	int err;

	be_first_for_oom();
	err = sandbox_detach(keep_fd, parent);
	if (err)
		return err;
	got = set_limits(memory_bytes);
	got |= leave_namespaces();
	got |= drop_privileges();
	got |= reach_no_files(got);
	return close_door(parent, got, sandbox_filter, parts);
}

/* --- a process that opens files ---------------------------------------------------------------- */

#ifndef CAP_CHECKPOINT_RESTORE
#define CAP_CHECKPOINT_RESTORE 40
#endif

/* /proc/PID/root needs CAP_SYS_PTRACE, links in /proc/PID/map_files CAP_CHECKPOINT_RESTORE. */
static const unsigned opener_caps[] = {
	CAP_DAC_READ_SEARCH,
	CAP_SYS_PTRACE,
	CAP_CHECKPOINT_RESTORE,
};

static bool is_opener_cap(unsigned cap)
{
	for (size_t i = 0; i < sizeof(opener_caps) / sizeof(*opener_caps); i++)
		if (opener_caps[i] == cap)
			return true;
	return false;
}

/* Keeps those that this process has. */
static bool keep_opener_capabilities(void)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];

	for (unsigned cap = 0; cap <= 63; cap++)
		if (!is_opener_cap(cap))
			prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capget, &h, caps))
		return false;
	for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		uint32_t keep = 0;

		for (unsigned bit = 0; bit < 32; bit++)
			keep |= is_opener_cap(32 * i + bit) ? 1u << bit : 0;
		caps[i].permitted &= keep;
		caps[i].effective = caps[i].permitted;
		caps[i].inheritable = 0;
	}
	return !syscall(SYS_capset, &h, caps);
}

/* openat2() could open for writing, truncate and create what the user may; no filter sees its flags. Who reads files by
 * capabilities needs to be nobody in particular. File systems of users (FUSE) ask for another id, which stays. */
static void open_as_nobody(void)
{
	const uint64_t needed = 1ull << CAP_DAC_READ_SEARCH | 1ull << CAP_SYS_PTRACE;
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &h, caps) || (caps[0].permitted & needed) != needed ||
	    syscall(SYS_setgroups, 0, NULL))
		return;
	syscall(SYS_setfsgid, NOBODY);
	syscall(SYS_setfsuid, NOBODY);
}

int sandbox_enter_opener(int keep_fd, pid_t parent, uint64_t memory_bytes, unsigned *parts)
{
	unsigned got;
	int err;

	be_first_for_oom();
	err = sandbox_detach(keep_fd, parent);
	if (err)
		return err;
	got = set_limits(memory_bytes);
	got |= unshare(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) ? 0 : SANDBOX_BIT(namespaces);
	open_as_nobody();
	if (!keep_opener_capabilities())
		return -EPERM;
	got |= SANDBOX_BIT(no_capabilities);
	if (!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		got |= SANDBOX_BIT(no_new_privs);
	return close_door(parent, got, sandbox_filter_opener, parts);
}

int sandbox_probe(unsigned *parts)
{
	_cleanup_close_ int in = -1, out = -1;
	pid_t parent = getpid(), pid;
	int pipes[2], err;
	unsigned got;

	if (pipe2(pipes, O_CLOEXEC))
		return -errno;
	in = pipes[0];
	out = pipes[1];
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		err = sandbox_enter(out, parent, 64 << 20, &got);
		if (!err)
			err = io_write(3, &got, sizeof(got));
		_exit(err ? 1 : 0);
	}
	close(steal_fd(&out));
	err = read(in, &got, sizeof(got)) == sizeof(got) ? 0 : -EPERM;
	waitpid(pid, NULL, 0);
	if (!err)
		*parts = got;
	return err;
}

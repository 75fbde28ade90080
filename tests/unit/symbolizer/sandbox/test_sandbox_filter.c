// SPDX-License-Identifier: GPL-2.0-or-later
/* The system-call filter alone, call by call: that of openers, and that of processes which may do a little more
 * than readers. */
#include <errno.h>
#include <linux/fs.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "profiler/base/sanitizer.h"
#include "symbolizer/sandbox/sandbox.h"
#include "tests/lib/fixture.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static char path[256]; /* of a file */
static int fd;	       /* open for reading and writing */
static pid_t parent;
static char page[8192] __attribute__((aligned(4096)));

/* What the C library needs for a thread, and one. */
static const int more[] = {
	SYS_uname,
	SYS_rt_sigaction,
	SYS_set_robust_list,
#ifdef SYS_rseq
	SYS_rseq,
#endif
};

/* --- calls ---------------------------------------------------------------------------------------- */

static long opens(int flags)
{
	return syscall(SYS_openat, AT_FDCWD, path, flags, 0600);
}

#define CALL(name, call)                                                                           \
	static long name(void)                                                                     \
	{                                                                                          \
		return call;                                                                       \
	}
CALL(open_reading, opens(O_RDONLY | O_CLOEXEC | O_NONBLOCK))
CALL(open_writing, opens(O_WRONLY))
CALL(open_both, opens(O_RDWR))
CALL(open_creating, opens(O_RDONLY | O_CREAT))
CALL(open_truncating, opens(O_RDONLY | O_TRUNC))
CALL(read_it, pread(fd, page, 1, 0))
CALL(write_it, write(fd, "x", 1))
CALL(write_it_there, pwrite(fd, "x", 1, 0))
CALL(truncate_it, ftruncate(fd, 0))
CALL(truncate_path, truncate(path, 0))
CALL(chmod_it, fchmod(fd, 0777))
CALL(unlink_it, unlink(path))
CALL(rename_it, rename(path, path))
CALL(make_directory, mkdir("d", 0700))
CALL(version_of_it, ioctl(fd, FS_IOC_GETVERSION, page))
CALL(set_version, ioctl(fd, FS_IOC_SETVERSION, page))
CALL(bytes_in_it, ioctl(fd, FIONREAD, page))
CALL(duplicate, fcntl(fd, F_DUPFD_CLOEXEC, 3))
CALL(set_flags, fcntl(fd, F_SETFL, O_APPEND))
CALL(own_the_signal, fcntl(fd, F_SETOWN, parent))
CALL(make_socket, socket(AF_INET, SOCK_STREAM, 0))
CALL(connect_it, connect(fd, (const struct sockaddr *)page, 16))
CALL(exec, execl("/bin/true", "true", NULL))
CALL(start_process, syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL))
/* A process, although its memory is this one's: the kernel refuses the flags for what they are. */
CALL(start_sharer, syscall(SYS_clone, CLONE_VM | CLONE_FS | CLONE_NEWNS, NULL, NULL, NULL, NULL))
/* ... or for what they lack. */
CALL(start_thread, syscall(SYS_clone, CLONE_THREAD, NULL, NULL, NULL, NULL))
CALL(kill_parent, kill(parent, 0))
CALL(tgkill_parent, syscall(SYS_tgkill, parent, parent, 0))
CALL(tgkill_in_parent, syscall(SYS_tgkill, parent, getpid(), 0))
CALL(tgkill_own, syscall(SYS_tgkill, getpid(), getpid(), 0))
CALL(limits_of_parent, syscall(SYS_prlimit64, parent, RLIMIT_CORE, NULL, page))
CALL(own_limits, syscall(SYS_prlimit64, 0, RLIMIT_CORE, NULL, page))
CALL(schedule_parent, syscall(SYS_sched_setscheduler, parent, SCHED_BATCH, page))
CALL(protect_as_code, mprotect(page, 4096, PROT_READ | PROT_EXEC))
CALL(protect, mprotect(page, 4096, PROT_READ | PROT_WRITE))
CALL(map_code, (long)mmap(NULL, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
CALL(map_memory, (long)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
CALL(map_shared, (long)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0))
CALL(map_shared_to_read, (long)mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0))
CALL(map_validated, (long)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED_VALIDATE, fd, 0))
CALL(map_copy, (long)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0))
CALL(type_for_others, ioctl(fd, TIOCSTI, "x"))
CALL(name_of_system, uname((struct utsname *)page))
CALL(own_name, prctl(PR_SET_NAME, "x"))
/* Another table of system calls, with the same numbers. */
CALL(write_as_x32, syscall(0x40000000 | SYS_write, fd, "x", 1))
CALL(clone3_process, syscall(SYS_clone3, page, 88))

struct call {
	const char *name;
	long (*make)(void);
	int err; /* 0: it is let through */
};

#define C(name, err)                                                                               \
	{                                                                                          \
#name, name, err                                                                   \
	}

static const struct call of_openers[] = {
	C(open_reading, 0),
	C(open_writing, EPERM),
	C(open_both, EPERM),
	C(open_creating, EPERM),
	C(open_truncating, EPERM),
	C(read_it, 0),
	C(write_it, EPERM),
	C(write_it_there, EPERM),
	C(truncate_it, EPERM),
	C(truncate_path, EPERM),
	C(chmod_it, EPERM),
	C(unlink_it, EPERM),
	C(rename_it, EPERM),
	C(make_directory, EPERM),
	C(version_of_it, 0),
	C(set_version, EPERM),
	C(bytes_in_it, EPERM),
	C(duplicate, 0),
	C(set_flags, EPERM),
	C(own_the_signal, EPERM),
	C(make_socket, EPERM),
	C(connect_it, EPERM),
	C(exec, EPERM),
	C(start_process, EPERM),
	C(start_sharer, EPERM),
	C(start_thread, EPERM),
	C(kill_parent, EPERM),
	C(tgkill_parent, EPERM),
	C(tgkill_in_parent, EPERM),
	C(tgkill_own, 0),
	C(limits_of_parent, EPERM),
	C(schedule_parent, EPERM),
	C(protect_as_code, EPERM),
	C(protect, 0),
	C(map_code, EPERM),
	C(map_memory, 0),
	C(map_shared, EPERM),
	C(map_shared_to_read, EPERM),
	C(map_validated, EPERM),
	C(map_copy, 0),
	C(type_for_others, EPERM),
	C(name_of_system, EPERM),
	C(own_name, EPERM),
	C(write_as_x32, EPERM),
	C(clone3_process, EPERM),
};

static const struct call of_readers[] = {
	C(open_reading, EPERM),
	C(read_it, 0),
	C(write_it, 0),
	C(truncate_path, EPERM),
	C(version_of_it, EPERM),
	C(duplicate, 0),
	C(make_socket, EPERM),
	C(exec, EPERM),
	C(start_process, EPERM),
	C(start_sharer, EPERM),
	C(start_thread, EPERM),
	C(clone3_process, EPERM),
	C(tgkill_in_parent, EPERM),
	C(schedule_parent, EPERM),
	C(protect_as_code, EPERM),
	C(map_code, EPERM),
	C(name_of_system, EPERM),
	C(own_name, EPERM),
};

static const struct call with_more[] = {
	C(open_reading, EPERM),
	C(read_it, 0),
	C(write_it, 0),
	C(version_of_it, EPERM),
	C(bytes_in_it, 0),
	C(type_for_others, EPERM),
	C(duplicate, 0),
	C(set_flags, EPERM),
	C(make_socket, EPERM),
	C(start_process, EPERM),
	C(start_sharer, EPERM),
	C(start_thread, 0),
	C(clone3_process, ENOSYS),
	C(kill_parent, EPERM),
	C(tgkill_parent, EPERM),
	C(tgkill_in_parent, EPERM),
	C(limits_of_parent, EPERM),
	C(own_limits, 0),
	C(schedule_parent, EPERM),
	C(protect_as_code, EPERM),
	C(protect, 0),
	C(map_code, EPERM),
	C(name_of_system, 0),
	C(own_name, EPERM),
	C(write_as_x32, EPERM),
};

/* --- a process with a filter ---------------------------------------------------------------------- */

static int filter_openers(void)
{
	return sandbox_filter_opener();
}

static int filter_readers(void)
{
	return sandbox_filter();
}

static int filter_with_more(void)
{
	return sandbox_filter_with(more, sizeof(more) / sizeof(*more));
}

/* What it answers, in memory that both have: it may not be able to write. */
static int *shared;

static int status_of(int (*filter)(void), void (*inside)(const struct call *, size_t),
		     const struct call *calls, size_t n)
{
	int status;
	pid_t pid;

	parent = getpid();
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || filter())
			_exit(1);
		inside(calls, n);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void make_all(const struct call *calls, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		errno = 0;
		shared[i] = calls[i].make() == -1 ? errno : 0;
	}
}

static void expect_all(int (*filter)(void), const struct call *calls, size_t n)
{
	if (SANITIZED) /* they make calls of their own */
		skip();
	for (size_t i = 0; i < n; i++)
		shared[i] = -1;
	assert_int_equal(status_of(filter, make_all, calls, n), 0);
	for (size_t i = 0; i < n; i++)
		/* A call that is let through may fail for its own reasons, which are others. */
		if (calls[i].err ? shared[i] != calls[i].err
				 : shared[i] == EPERM || shared[i] == ENOSYS || shared[i] < 0)
			fail_msg("%s: errno %d", calls[i].name, shared[i]);
}

TEST(test_calls_of_openers)
{
	expect_all(filter_openers, of_openers, sizeof(of_openers) / sizeof(*of_openers));
	fixture_run("test \"$(cat file)\" = text");
}

/* What a reader writes goes where it was told to. */
TEST(test_calls_of_readers)
{
	expect_all(filter_readers, of_readers, sizeof(of_readers) / sizeof(*of_readers));
}

TEST(test_calls_with_more)
{
	int too_many[SANDBOX_MORE_CALLS + 1] = {0};

	expect_all(filter_with_more, with_more, sizeof(with_more) / sizeof(*with_more));
	assert_int_equal(sandbox_filter_with(too_many, SANDBOX_MORE_CALLS + 1), -E2BIG);
}

static void *in_a_thread(void *arg)
{
	*(int *)arg = 1;
	return NULL;
}

static void make_thread(const struct call *calls, size_t n)
{
	pthread_t t;

	(void)calls;
	(void)n;
	if (pthread_create(&t, NULL, in_a_thread, shared) || pthread_join(t, NULL))
		_exit(1);
}

TEST(test_threads_with_more)
{
	if (SANITIZED)
		skip();
	*shared = 0;
	assert_int_equal(status_of(filter_with_more, make_thread, NULL, 0), 0);
	assert_int_equal(*shared, 1);
}

#ifdef __x86_64__

/* getpid() of 32-bit programs: the number of writev() in the other table. */
static void call_as_i386(const struct call *calls, size_t n)
{
	long pid = 20;

	(void)calls;
	(void)n;
	__asm__ volatile("int $0x80" : "+a"(pid) : : "memory", "r8", "r9", "r10", "r11");
}

/* Where the kernel has no such calls, the program ends anyway. */
TEST(test_calls_of_another_architecture)
{
	if (SANITIZED)
		skip();
	assert_true(WIFSIGNALED(status_of(filter_openers, call_as_i386, NULL, 0)));
	assert_true(WIFSIGNALED(status_of(filter_with_more, call_as_i386, NULL, 0)));
}
#endif

static int begin(void **state)
{
	int err = fixture_setup(state);

	if (err)
		return err;
	fixture_write("file", "text");
	snprintf(path, sizeof(path), "%s/file", fixture_dir);
	fd = open(path, O_RDWR | O_CLOEXEC);
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return fd < 0 || shared == MAP_FAILED;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls_of_openers),
		cmocka_unit_test(test_calls_of_readers),
		cmocka_unit_test(test_threads_with_more),
#ifdef __x86_64__
		cmocka_unit_test(test_calls_of_another_architecture),
#endif
		cmocka_unit_test(test_calls_with_more),
	};

	return cmocka_run_group_tests_name("sandbox_filter", tests, begin, fixture_teardown);
}

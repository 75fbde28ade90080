// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The system calls of readers and of openers. A reader may read the descriptors that it is given,
 * compute, and answer over its socket. An opener may open files as well, but write to none but
 * sockets. All others fail with EPERM: nothing can be connected, started or traced, and no
 * memory becomes code. seccomp(2), Documentation/userspace-api/seccomp_filter.rst.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "profiler/base/n_of.h"
#include "symbolizer/sandbox/sandbox.h"

#ifdef __aarch64__
#define FILTER_ARCH AUDIT_ARCH_AARCH64
#else
#define FILTER_ARCH AUDIT_ARCH_X86_64
#endif

#ifndef SYS_poll /* arm64 */
#define SYS_poll SYS_ppoll
#endif

/* Most frequent first, because the kernel goes through the list for every call. */
static const int allowed[] = {
	SYS_pread64,
	SYS_lseek,
	SYS_read,
	SYS_sendmsg,
	SYS_recvmsg,
	SYS_munmap,
	SYS_mremap,
	SYS_madvise,
	SYS_brk,
	SYS_fstat,
	SYS_statx,
#ifdef SYS_newfstatat /* glibc 2.33 to 2.38: fstat(); no path resolves here */
	SYS_newfstatat,
#endif
	SYS_close,
	SYS_futex,
	SYS_clock_gettime,
	SYS_write, /* only to given descriptors; the parent chooses which are writable */
	SYS_pwrite64,
	SYS_ftruncate,
	SYS_fsync,
	SYS_fdatasync,
	SYS_getrandom,
	SYS_sysinfo, /* qsort(): size of memory */
	SYS_sched_yield,
	SYS_rt_sigreturn,
	SYS_rt_sigprocmask, /* abort() */
	SYS_poll,
	SYS_getpid,
	SYS_gettid,
	SYS_restart_syscall,
	SYS_exit,
	SYS_exit_group,
};

/* Of a process that opens files. openat2() takes its flags in memory, which no filter sees. Without a
 * call that writes, and without shared memory, a file that is open for writing stays as it is. */
static const int allowed_openers[] = {
	SYS_recvmsg,	  SYS_sendmsg,	      SYS_poll,
	SYS_openat2,	  SYS_close,	      SYS_pread64,
	SYS_fstat,	  SYS_statx,	      SYS_newfstatat,
	SYS_fstatfs,	  SYS_lseek,	      SYS_munmap,
	SYS_mremap,	  SYS_madvise,	      SYS_brk,
	SYS_futex,	  SYS_getrandom,      SYS_clock_gettime,
	SYS_rt_sigreturn, SYS_rt_sigprocmask, /* abort() */
	SYS_getpid,	  SYS_gettid,	      SYS_restart_syscall,
	SYS_exit,	  SYS_exit_group,
};

#define N_ALLOWED N_OF(allowed)
#define REFUSE	  (SECCOMP_RET_ERRNO | EPERM)

struct program {
	struct sock_filter code[2 * (N_ALLOWED + SANDBOX_MORE_CALLS) + 96];
	unsigned short len;
};

static void add(struct program *p, uint16_t code, uint32_t k, uint8_t if_true, uint8_t if_false)
{
	p->code[p->len++] = (struct sock_filter){code, if_true, if_false, k};
}

static void load(struct program *p, size_t offset)
{
	add(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

/* Loads the low half of an argument (little endian). No compared value is longer. */
static void load_arg(struct program *p, int arg)
{
	load(p, offsetof(struct seccomp_data, args) + (size_t)arg * sizeof(uint64_t));
}

static void skip_unless_equal(struct program *p, uint32_t value, uint8_t skip)
{
	add(p, BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip);
}

static void skip_unless_set(struct program *p, uint32_t bits, uint8_t skip)
{
	add(p, BPF_JMP | BPF_JSET | BPF_K, bits, 0, skip);
}

static void answer(struct program *p, uint32_t what)
{
	add(p, BPF_RET | BPF_K, what, 0, 0);
}

/* Allows a call if that argument has this value. */
static void allow_with(struct program *p, int nr, int arg, uint32_t value)
{
	load(p, offsetof(struct seccomp_data, nr));
	skip_unless_equal(p, (uint32_t)nr, 3);
	load_arg(p, arg);
	skip_unless_equal(p, value, 1);
	answer(p, SECCOMP_RET_ALLOW);
}

/* mmap() and mprotect() without PROT_EXEC. malloc() uses mprotect() to grow heaps of threads. */
static void allow_memory(struct program *p, int nr)
{
	load(p, offsetof(struct seccomp_data, nr));
	skip_unless_equal(p, (uint32_t)nr, 4);
	load_arg(p, 2);
	skip_unless_set(p, PROT_EXEC, 1);
	answer(p, REFUSE);
	answer(p, SECCOMP_RET_ALLOW);
}

/* What is written to shared memory of a file is written to the file. */
static void refuse_shared_memory(struct program *p)
{
	load(p, offsetof(struct seccomp_data, nr));
	skip_unless_equal(p, SYS_mmap, 3);
	load_arg(p, 3);
	skip_unless_set(p, MAP_SHARED, 1);
	answer(p, REFUSE);
}

/* To wait for sockets. On a terminal that somebody left open, others would type commands: TIOCSTI. */
static void allow_ioctls(struct program *p)
{
	static const uint32_t harmless[] = {FIONBIO, FIONREAD, TCGETS};

	for (size_t i = 0; i < N_OF(harmless); i++)
		allow_with(p, SYS_ioctl, 1, harmless[i]);
}

/* Threads of this process. The C library falls back from clone3(), whose flags lie in memory. */
static void allow_threads(struct program *p)
{
	load(p, offsetof(struct seccomp_data, nr));
	skip_unless_equal(p, SYS_clone3, 1);
	answer(p, SECCOMP_RET_ERRNO | ENOSYS);
	skip_unless_equal(p, SYS_clone, 4);
	load_arg(p, 0);
	skip_unless_set(p, CLONE_THREAD, 1);
	answer(p, SECCOMP_RET_ALLOW);
	answer(p, REFUSE);
}

/* openat() that neither writes nor creates. */
static void allow_open(struct program *p)
{
	load(p, offsetof(struct seccomp_data, nr));
	skip_unless_equal(p, SYS_openat, 4);
	load_arg(p, 2);
	skip_unless_set(p, O_ACCMODE | O_CREAT | O_TRUNC, 1);
	answer(p, REFUSE);
	answer(p, SECCOMP_RET_ALLOW);
}

static void allow_calls(struct program *p, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		skip_unless_equal(p, (uint32_t)calls[i], 1);
		answer(p, SECCOMP_RET_ALLOW);
	}
}

/* Another architecture has other system call numbers. */
static void begin(struct program *p)
{
	p->len = 0;
	load(p, offsetof(struct seccomp_data, arch));
	add(p, BPF_JMP | BPF_JEQ | BPF_K, FILTER_ARCH, 1, 0);
	answer(p, SECCOMP_RET_KILL_PROCESS);
	load(p, offsetof(struct seccomp_data, nr));
}

/* What all may do besides. Calls that could reach other processes of the user are limited to this
 * process. */
static int install(struct program *p)
{
	struct sock_fprog prog = {.filter = p->code};

	allow_memory(p, SYS_mmap);
	allow_memory(p, SYS_mprotect);
	allow_with(p, SYS_fcntl, 1, F_DUPFD_CLOEXEC);
	allow_with(p, SYS_tgkill, 0, (uint32_t)getpid()); /* abort() */
	answer(p, REFUSE);
	prog.len = p->len;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) ? -errno : 0;
}

int sandbox_filter_opener(void)
{
	struct program p;

	begin(&p);
	allow_calls(&p, allowed_openers, N_OF(allowed_openers));
	allow_open(&p);
	allow_with(&p, SYS_ioctl, 1, FS_IOC_GETVERSION);
	refuse_shared_memory(&p);
	return install(&p);
}

int sandbox_filter(void)
{
	return sandbox_filter_with(NULL, 0);
}

int sandbox_filter_with(const int *more, size_t n)
{
	struct program p;

	if (n > SANDBOX_MORE_CALLS)
		return -E2BIG;
	begin(&p);
	allow_calls(&p, allowed, N_ALLOWED);
	allow_calls(&p, more, n);
	if (n) {
		allow_threads(&p);
		allow_ioctls(&p);
	}
	allow_with(&p, SYS_fcntl, 1, F_GETFL); /* the keeper */
	allow_with(&p, SYS_prlimit64, 0, 0);
	allow_with(&p, SYS_sched_setscheduler, 0, 0);
	return install(&p);
}

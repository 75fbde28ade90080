// SPDX-License-Identifier: GPL-2.0-or-later
/* What the kernel was entered for: names of system calls of every spelling, and whose time an interrupt's is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "profiler/profile/kernel_entries.h"
#include "tests/lib/profiles.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static void assert_entry(const char *function, const char *entry)
{
	const char *got = kernel_entry_of(function);

	if (entry)
		assert_string_equal(got ?: "(none)", entry);
	else
		assert_null(got);
}

TEST(test_names)
{
	assert_entry("__x64_sys_getdents64", "getdents64");
	assert_entry("__ia32_sys_read", "read");
	assert_entry("__arm64_sys_openat", "openat");
	assert_entry("__do_sys_newfstatat", "newfstatat");
	assert_entry("__se_sys_futex", "futex");
	assert_entry("ksys_write", "write");
	assert_entry("__ia32_compat_sys_ioctl", "ioctl");
	/* programs have other names for some */
	assert_entry("__do_sys_newfstat", "fstat");
	assert_entry("__x64_sys_newuname", "uname");
	assert_entry("ksys_mmap_pgoff", "mmap");
	/* parts of functions */
	assert_entry("__do_sys_prctl.cold", NULL);
	assert_entry("ksys_read.isra.0", NULL);
	assert_entry("asm_exc_page_fault", "page faults");
	assert_entry("do_mem_abort", "page faults");
	assert_entry("asm_sysvec_apic_timer_interrupt", "interrupts");
	assert_entry("common_interrupt", "interrupts");
	assert_entry("__x64_sys_", NULL);
	assert_entry("do_syscall_64", NULL);
	assert_entry("do_sys_openat2", NULL);
	assert_entry("", NULL);
}

/* Frames of the program begin with '.'. Innermost first. */
static void add(struct profile *p, int64_t value, const char *const *names)
{
	uint32_t frames[8], stack, set;
	size_t len = 0;

	for (; names[len]; len++) {
		bool user = *names[len] == '.';

		frames[len] = location_id(
			p, mapping_id(p, user ? "/bin/x" : "[kernel.kallsyms]", "", true), 0,
			names[len] + user);
	}
	MUST(profile_stack(p, frames, len, &stack));
	MUST(profile_labelset(p, NULL, 0, &set));
	MUST(profile_add(p, stack, set, (int64_t[]){value, value}));
}
#define ADD(p, n, ...) add(p, n, (const char *const[]){__VA_ARGS__, NULL})

static void assert_row(const struct kernel_entries *k, size_t i, const char *name, int64_t value)
{
	assert_true(i < k->rows.len);
	assert_string_equal(k->rows.data[i].name, name);
	assert_int_equal(k->rows.data[i].value, value);
}

TEST(test_sums)
{
	struct profile *p = profile_new();
	struct kernel_entries k;

	MUST(profile_init_cpu(p, 1));
	MUST(kernel_entries_build(&k, p, 1));
	assert_int_equal(k.rows.len, 0);
	kernel_entries_release(&k);

	ADD(p, 30, "vfs_read", "ksys_read", "__x64_sys_read", "do_syscall_64", ".read", ".main");
	ADD(p, 5, "__x64_sys_read", "do_syscall_64", ".read", ".other");
	ADD(p, 40, "filldir64", "iterate_dir", "__x64_sys_getdents64", "do_syscall_64", ".readdir");
	/* what came into a system call is none of its time */
	ADD(p, 7, "handle_softirqs", "common_interrupt", "vfs_read", "ksys_read", ".read");
	ADD(p, 3, "clear_page_erms", "exc_page_fault", "copy_to_user", "ksys_read", ".read");
	/* neither is that of programs, nor of a function of a program with such a name, nor of kernel threads */
	ADD(p, 100, ".ksys_read", ".main");
	ADD(p, 100, ".leaf", "ksys_read");
	ADD(p, 100, "kswapd", "kthread", "ret_from_fork");

	MUST(kernel_entries_build(&k, p, 1));
	assert_int_equal(k.rows.len, 4);
	assert_row(&k, 0, "getdents64", 40);
	assert_row(&k, 1, "read", 35);
	assert_row(&k, 2, "interrupts", 7);
	assert_row(&k, 3, "page faults", 3);
	kernel_entries_release(&k);
	profile_free(p);
}

/* The entries of some system calls end with a jump, and are not on the stack. */
TEST(test_calls_that_jump)
{
	struct profile *p = profile_new();
	struct kernel_entries k;

	MUST(profile_init_cpu(p, 1));
	ADD(p, 50, "do_iter_readv_writev", "do_writev", "do_syscall_64", ".writev", ".main");
	ADD(p, 40, "do_mmap", "vm_mmap_pgoff", "x64_sys_call", "do_syscall_64", ".mmap");
	ADD(p, 30, "____sys_recvmsg", "__sys_recvmsg", "do_syscall_64", ".recvmsg");
	/* called by others, they are no system calls of their own */
	ADD(p, 20, "vm_mmap_pgoff", "elf_load", "__x64_sys_execve", "do_syscall_64", ".execve");
	ADD(p, 10, "__sys_sendmsg_sock", "io_sendmsg", "io_wq_worker", "ret_from_fork");
	ADD(p, 5, "vfs_read", "ksys_read.part.0", "__x64_sys_read", "do_syscall_64", ".read");
	MUST(kernel_entries_build(&k, p, 1));
	assert_int_equal(k.rows.len, 5);
	assert_row(&k, 0, "writev", 50);
	assert_row(&k, 1, "mmap", 40);
	assert_row(&k, 2, "recvmsg", 30);
	assert_row(&k, 3, "execve", 20);
	assert_row(&k, 4, "read", 5);
	kernel_entries_release(&k);
	profile_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_calls_that_jump),
	};

	return cmocka_run_group_tests_name("kernel_entries", tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The registers of a stopped thread, by DWARF number. */
#ifndef KILN_TESTS_PTRACE_REGS_H
#define KILN_TESTS_PTRACE_REGS_H

#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/user.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "bpf/unwind_abi.h"

static inline void ptrace_regs(pid_t tid, uint64_t regs[UNWIND_REGS])
{
	struct user_regs_struct u;

	assert_int_equal(ptrace(PTRACE_GETREGS, tid, NULL, &u), 0);
	regs[UNWIND_RAX] = u.rax;
	regs[UNWIND_RDX] = u.rdx;
	regs[UNWIND_RCX] = u.rcx;
	regs[UNWIND_RBX] = u.rbx;
	regs[UNWIND_RSI] = u.rsi;
	regs[UNWIND_RDI] = u.rdi;
	regs[UNWIND_RBP] = u.rbp;
	regs[UNWIND_RSP] = u.rsp;
	regs[8] = u.r8;
	regs[9] = u.r9;
	regs[10] = u.r10;
	regs[11] = u.r11;
	regs[12] = u.r12;
	regs[13] = u.r13;
	regs[14] = u.r14;
	regs[15] = u.r15;
	regs[UNWIND_RIP] = u.rip;
}

#endif

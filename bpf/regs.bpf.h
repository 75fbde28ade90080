/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The user's registers at a sample, whether it hit user code or the kernel on the user's behalf. */
#ifndef KILN_BPF_REGS_H
#define KILN_BPF_REGS_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "bpf/kernel_types.h"
#include "bpf/unwind_core.h"
#include "bpf/unwind_abi.h"

#if defined(__TARGET_ARCH_x86)

static __always_inline bool sample_in_user(struct bpf_perf_event_data *ctx)
{
	return ctx->regs.cs & 3; /* privilege level of the interrupted code */
}

/* struct pt_regs of x86-64, the order in which entry code pushes (arch/x86/include/asm/ptrace.h). */
struct saved_regs {
	__u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax;
	__u64 ip, cs, flags, sp, ss;
};

/*
 * Copies from the context in one branch, from the stack in another. The verifier wants each load to have
 * one kind of pointer, so compilers must not merge the branches. What keeps them apart is an empty
 * instruction at the end of each, with a number of its own: clang merges equal tails from the end up.
 */
#define COPY_REGS(to, r, bp, bx, ax, cx, dx, si, di, ip, sp)                                       \
	do {                                                                                       \
		(to)[UNWIND_RAX] = (r).ax;                                                         \
		(to)[UNWIND_RDX] = (r).dx;                                                         \
		(to)[UNWIND_RCX] = (r).cx;                                                         \
		(to)[UNWIND_RBX] = (r).bx;                                                         \
		(to)[UNWIND_RSI] = (r).si;                                                         \
		(to)[UNWIND_RDI] = (r).di;                                                         \
		(to)[UNWIND_RBP] = (r).bp;                                                         \
		(to)[UNWIND_RSP] = (r).sp;                                                         \
		(to)[UNWIND_R8] = (r).r8;                                                          \
		(to)[9] = (r).r9;                                                                  \
		(to)[10] = (r).r10;                                                                \
		(to)[11] = (r).r11;                                                                \
		(to)[12] = (r).r12;                                                                \
		(to)[13] = (r).r13;                                                                \
		(to)[14] = (r).r14;                                                                \
		(to)[UNWIND_R15] = (r).r15;                                                        \
		(to)[UNWIND_RIP] = (r).ip;                                                         \
		__asm__ volatile("" : : "i"(__COUNTER__) : "memory");                              \
	} while (0)

/* Where the kernel has put the user's registers on its way in: at the top of the task's own stack,
 * which is of 16 KB (but in kernels built with KASAN, which nobody profiles before 5.15). */
#define KERNEL_STACK (16 * 1024)

static __always_inline const void *entry_regs(void)
{
	struct task_struct *task;

	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs)) /* 5.15 */
		return (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
	task = (void *)bpf_get_current_task();
	return BPF_CORE_READ(task, stack) + KERNEL_STACK - sizeof(struct saved_regs);
}

/* Code segment of 32-bit code (__USER32_CS; Xen's differs above). */
#define CS_COMPAT 0x23

/* Whether the sample is of 32-bit code. */
static __always_inline bool is_compat(struct bpf_perf_event_data *ctx, bool in_user)
{
	const struct saved_regs *r = entry_regs();
	__u64 cs = 0;

	if (in_user) {
		unwind_opaque(ctx); /* no address in it that was computed before: see COPY_REGS */
		cs = ctx->regs.cs;
		unwind_opaque(cs);
		return (cs & 0xff) == CS_COMPAT;
	}
	bpf_probe_read_kernel(&cs, sizeof(cs), &r->cs);
	return (cs & 0xff) == CS_COMPAT;
}

/* False: they cannot be had. */
static __always_inline bool load_user_regs(struct bpf_perf_event_data *ctx, __u64 *to, bool in_user)
{
	struct saved_regs r;

	if (in_user) {
		COPY_REGS(to, ctx->regs, rbp, rbx, rax, rcx, rdx, rsi, rdi, rip, rsp);
		return true;
	}
	if (bpf_probe_read_kernel(&r, sizeof(r), entry_regs()))
		return false;
	COPY_REGS(to, r, bp, bx, ax, cx, dx, si, di, ip, sp);
	return true;
}

#elif defined(__TARGET_ARCH_arm64)

static __always_inline bool sample_in_user(struct bpf_perf_event_data *ctx)
{
	return !(ctx->regs.pstate & 0xf); /* PSR_MODE_EL0t */
}

static __always_inline bool is_compat(struct bpf_perf_event_data *ctx, bool in_user)
{
	return false;
}

/* The walk knows x86-64 only: user space leaves unwind_tables off. */
static __always_inline bool load_user_regs(struct bpf_perf_event_data *ctx, __u64 *to, bool in_user)
{
	return false;
}

#else
#error "say where this architecture keeps the privilege level and the user's registers"
#endif

#endif

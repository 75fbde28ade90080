/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What uprobes hide. A uretprobe puts an address of the kernel's page of probes in the place of a return
 * address, and an instruction with a probe runs as a copy in that page. The kernel remembers for each task what
 * was there. Only walks that come into the page ask here.
 */
#ifndef KILN_BPF_UPROBES_H
#define KILN_BPF_UPROBES_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "bpf/kernel_types.h"

#define UPROBES_PAGE  4096
#define UPROBES_DEPTH 64 /* functions with uretprobes in one stack: the kernel's own limit */

/* Whether the kernel keeps what is read here as it always did: else walks end there, and nothing else does. */
static __always_inline bool uprobes_are_known(void)
{
	struct task_struct *task = NULL;
	struct mm_struct *mm = NULL;
	struct uprobe_task *u = NULL;
	struct return_instance *r = NULL;
	struct xol_area *area = NULL;

	return bpf_core_field_exists(task->utask) && bpf_core_field_exists(u->return_instances) &&
	       bpf_core_field_exists(u->active_uprobe) && bpf_core_field_exists(u->vaddr) &&
	       bpf_core_field_exists(u->xol_vaddr) && bpf_core_field_exists(r->stack) &&
	       bpf_core_field_exists(r->orig_ret_vaddr) && bpf_core_field_exists(r->next) &&
	       bpf_core_field_exists(mm->uprobes_state.xol_area) &&
	       bpf_core_field_exists(area->vaddr);
}

/* What the current task has to do with uprobes: struct uprobe_task; or 0. */
static __always_inline __u64 uprobes_of_task(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	if (!uprobes_are_known())
		return 0;
	return (__u64)BPF_CORE_READ(task, utask);
}

/* The page of probes of the current process, or 0. Its address is what uretprobes put on the stack. */
static __always_inline __u64 uprobes_page(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	if (!uprobes_are_known())
		return 0;
	return BPF_CORE_READ(task, mm, uprobes_state.xol_area, vaddr);
}

/* Where an instruction is that runs as a copy at this address. */
static __always_inline __u64 uprobes_origin(__u64 utask, __u64 pc)
{
	struct uprobe_task *u = (void *)utask;

	if (!BPF_CORE_READ(u, active_uprobe))
		return 0;
	return BPF_CORE_READ(u, vaddr) + (pc - BPF_CORE_READ(u, xol_vaddr));
}

/* The return address that was at that place of the stack, or 0. */
static __always_inline __u64 uprobes_return(__u64 utask, __u64 at)
{
	struct return_instance *r = BPF_CORE_READ((struct uprobe_task *)utask, return_instances);

	for (int i = 0; i < UPROBES_DEPTH && r; i++) {
		if (BPF_CORE_READ(r, stack) == at)
			return BPF_CORE_READ(r, orig_ret_vaddr);
		r = BPF_CORE_READ(r, next);
	}
	return 0;
}

#endif

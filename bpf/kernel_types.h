/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The few kernel structs that are read, with only the fields that are read. Offsets are relocated
 * at load time against the running kernel's BTF (CO-RE), so no generated vmlinux.h is needed.
 */
#ifndef KILN_BPF_KERNEL_TYPES_H
#define KILN_BPF_KERNEL_TYPES_H

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct mm_struct {
	unsigned long start_stack;
};

struct task_struct {
	int pid, tgid;
	__u64 start_boottime;
	__u64 self_exec_id;
	struct task_struct *group_leader;
	struct mm_struct *mm;
	void *stack;
};

#pragma clang attribute pop

#endif

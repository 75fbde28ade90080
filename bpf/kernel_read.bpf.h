/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading what an address of the kernel's leads to by plain loads: one that faults gives 0. Where calls
 * are guarded against speculation this is a tenth of the cost of bpf_probe_read_kernel(). Linux 6.2.
 */
#ifndef KILN_BPF_KERNEL_READ_H
#define KILN_BPF_KERNEL_READ_H

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "bpf/kernel_types.h"

extern void *bpf_rdonly_cast(const void *address, __u32 type_id) __ksym __weak;

#define KERNEL(type, address)                                                                      \
	((const struct type *)bpf_rdonly_cast((const void *)(address),                             \
					      bpf_core_type_id_kernel(struct type)))

#endif

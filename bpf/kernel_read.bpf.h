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

#include "bpf/abi.h"
#include "bpf/kernel_types.h"

/*
 * The kernel's bpf_rdonly_cast(), as a helper of a number that no kernel has: loading puts the function in
 * its place (profiler/sampler/kernel_calls.h). Declared as __ksym, libbpf would look for it also in the BTF
 * of modules where the kernel lacks it, which takes CAP_SYS_ADMIN.
 */
typedef void *rdonly_cast_fn(const void *address, __u32 type_id);

#define KERNEL(type, address)                                                                      \
	((const struct type *)((rdonly_cast_fn *)KILN_CALL_RDONLY_CAST)(                           \
		(const void *)(address), bpf_core_type_id_kernel(struct type)))

#endif

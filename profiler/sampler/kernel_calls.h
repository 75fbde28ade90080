/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls of functions of the kernel (kfuncs) in BPF programs. The programs call a helper of a number that no
 * kernel has, KILN_CALL_RDONLY_CAST, and loading puts the kernel's function in its place. libbpf can do
 * that by itself (__ksym), but where the kernel has no such function it goes through the BTF of all
 * modules, for all programs of the object, loaded or not. That takes CAP_SYS_ADMIN, which nothing else
 * here needs.
 */
#ifndef KILN_SAMPLER_KERNEL_CALLS_H
#define KILN_SAMPLER_KERNEL_CALLS_H

#include <stdint.h>

struct bpf_insn;

/* To be called before objects are opened: from then on libbpf does that to each program of a perf event
 * that it loads. A program that calls what the kernel lacks fails to load, with -ENOENT. 0 or -errno. */
int kernel_calls_register(void);

/* Replaces the calls in n instructions by those of the function with this id in the kernel's BTF, and
 * returns how many there are. With id 0 it only counts. */
uint32_t kernel_calls_patch(struct bpf_insn *insns, uint32_t n, int32_t id);

#endif

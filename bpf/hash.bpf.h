/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The 64-bit hash that names a stack: multiply-xorshift a frame, a full finalizer at the end. */
#ifndef KILN_BPF_HASH_H
#define KILN_BPF_HASH_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf/abi.h"

#define HASH_START 0x9e3779b97f4a7c15ull

static __always_inline __u64 hash_step(__u64 h, __u64 frame)
{
	h = (h ^ frame) * 0xbf58476d1ce4e5b9ull;
	return h ^ h >> 29;
}

/* A word for a count key: not one of the fixed ones, and without KILN_STACK_ID. */
static __always_inline __u64 hash_end(__u64 h)
{
	h *= 0x94d049bb133111ebull;
	h ^= h >> 32;
	h &= ~KILN_STACK_ID;
	return h < KILN_STACK_WORDS ? h + KILN_STACK_WORDS : h;
}

#endif

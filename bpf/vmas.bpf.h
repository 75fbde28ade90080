/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Goes through the mappings of the sampled process by reading the kernel's tree of them (a maple tree,
 * include/linux/maple_tree.h, Linux 6.1). No lock is taken: an interrupt may not wait for one, and the
 * kernel's own iterator refuses to work in one. The kernel changes this tree so that readers without a
 * lock see what was there before or what is there after (RCU); every read may fail safely, and what
 * does not fit together ends the walk.
 */
#ifndef KILN_BPF_VMAS_H
#define KILN_BPF_VMAS_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>

#include "bpf/kernel_read.bpf.h"
#include "bpf/kernel_types.h"
#include "bpf/mappings_env.bpf.h"

#define VMAS_DEPTH 8 /* levels of a tree with more mappings than a process may have: 6 */

/* Where in a node, in words, its parts are. */
#define VMAS_AT(type, field) (bpf_core_field_offset(type, field) / 8)

/* The last slot that a node uses, or more than there are if it is none. */
static __always_inline __u32 vmas_end(const __u64 *node, bool is_arange, __u64 max)
{
	__u32 pivots = VMAS_AT(struct maple_range_64, pivot);
	__u64 last = node[(pivots + 14) & 31];

	if (is_arange)
		return node[VMAS_AT(struct maple_arange_64, meta) & 31] & 0xff;
	if (!last)
		return node[VMAS_AT(struct maple_range_64, meta) & 31] & 0xff;
	return last == max ? 14 : 15;
}

/* The slot that holds an address; *max: the last one that slot is about. */
static __always_inline __u32 vmas_pick(const __u64 *node, __u32 end, __u64 at, __u64 *max)
{
	__u32 pivots = VMAS_AT(struct maple_range_64, pivot), i; /* the same in both kinds */

	for (i = 0; i < 15; i++) {
		__u64 pivot = node[(pivots + i) & 31];

		if (i >= end)
			break;
		if (pivot >= at) {
			*max = pivot;
			break;
		}
	}
	return i;
}

/* Reads the node v->below and picks what of it holds v->at. 1: it is a leaf, 0: v->below is the next
 * one, -1: this is no such tree. */
__attribute__((noinline)) int vmas_step_down(void)
{
	struct mappings_env *e = mappings_env_here();
	__u64 node, max;
	bool is_arange;
	__u32 type, slot;
	struct vmas *v;

	if (!e)
		return -1;
	v = &e->vmas;
	/* kind and marks are in the low byte of a pointer to a node */
	type = v->below >> 3 & 15;
	is_arange = type == bpf_core_enum_value(enum maple_type, maple_arange_64);
	node = v->below & ~255ull;
	if (v->below <= 4096 || bpf_probe_read_kernel(v->node, sizeof(v->node), (void *)node) ||
	    (v->node[0] & ~255ull) == node) /* its own parent: dead */
		return -1;
	max = v->max;
	v->end = vmas_end(v->node, is_arange, max);
	if (v->end > (is_arange ? 9 : 15))
		return -1;
	slot = vmas_pick(v->node, v->end, v->at, &max);
	if (type == bpf_core_enum_value(enum maple_type, maple_leaf_64)) {
		v->slot = slot;
		return 1;
	}
	v->max = max;
	v->below = v->node[(slot + (is_arange ? VMAS_AT(struct maple_arange_64, slot)
					      : VMAS_AT(struct maple_range_64, slot))) &
			   31];
	return 0;
}

/* Makes the leaf that holds v->at the current one. 0, or -1: this is no such tree. */
__attribute__((noinline)) int vmas_descend(void)
{
	struct mappings_env *e = mappings_env_here();
	int step = 0;

	if (!e)
		return -1;
	e->vmas.max = ~0ull;
	e->vmas.below = (__u64)KERNEL(mm_struct, e->vmas.mm)->mm_mt.ma_root;
	if ((e->vmas.below & 3) != 2) /* no node: an empty tree, or one mapping of everything */
		return -1;
	for (int depth = 0; depth < VMAS_DEPTH && !step; depth++)
		step = vmas_step_down();
	return step > 0 ? 0 : -1;
}

enum vmas_next { VMAS_MORE, VMAS_END, VMAS_BAD };

/* Takes the next slot: *vma is its struct vm_area_struct, or 0: nothing is mapped there. */
static __always_inline enum vmas_next vmas_take(struct vmas *v, __u64 *vma)
{
	__u32 i = v->slot & 15;
	__u64 entry = v->node[(VMAS_AT(struct maple_range_64, slot) + i) & 31];
	__u64 upper =
		i < v->end ? v->node[(VMAS_AT(struct maple_range_64, pivot) + i) & 31] : v->max;

	*vma = entry & 3 ? 0 : entry;
	if (upper < v->at)
		return VMAS_BAD;
	if (upper == ~0ull)
		return VMAS_END;
	v->at = upper + 1;
	v->slot++;
	if (v->slot > v->end && vmas_descend())
		return VMAS_BAD;
	return VMAS_MORE;
}

#endif

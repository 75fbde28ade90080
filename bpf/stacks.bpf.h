/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stacks to 64-bit words. A stack's frames leave the kernel once per window: a hash not yet seen in
 * the window sends its frames through the ring, and is marked seen only if that worked.
 */
#ifndef KILN_BPF_STACKS_H
#define KILN_BPF_STACKS_H

/* Multiply-xorshift over all frames; the last step is a full finalizer. */
static __always_inline __u64 hash_frames(const __u64 *frames, __u32 n)
{
	__u64 h = n * 0x9e3779b97f4a7c15ull;

	for (__u32 i = 0; i < KILN_MAX_FRAMES; i++) {
		if (i >= n)
			break;
		h = (h ^ frames[i]) * 0xbf58476d1ce4e5b9ull;
		h ^= h >> 29;
	}
	h *= 0x94d049bb133111ebull;
	h ^= h >> 32;
	h &= ~KILN_STACK_ID;
	return h < KILN_STACK_WORDS ? h + KILN_STACK_WORDS : h;
}

/* Sends rec unless its hash was sent in this window already. The word for the count key. */
static __always_inline __u64 ship_once(struct kiln_stack_record *rec, __u32 n, void *seen)
{
	__u64 hash = rec->hash;
	__u8 yes = 1;

	if (bpf_map_lookup_elem(seen, &hash))
		return hash;
	if (bpf_ringbuf_output(&kiln_ring, rec, KILN_STACK_RECORD_HEAD + n * sizeof(__u64),
			       BPF_RB_NO_WAKEUP)) {
		count(KILN_CTR_ring_full);
		return KILN_STACK_MISSED;
	}
	count(KILN_CTR_shipped);
	bpf_map_update_elem(seen, &hash, &yes, BPF_ANY); /* full: shipped again next time */
	return hash;
}

/* Walks one side by frame pointers into the scratch record and ships it. */
static __always_inline __u64 walk_and_ship(void *ctx, __u32 window, enum kiln_stack_side side)
{
	__u32 zero = 0, n;
	struct kiln_stack_record *rec = bpf_map_lookup_elem(&kiln_scratch, &zero);
	long len;

	if (!rec)
		return KILN_STACK_MISSED;
	len = bpf_get_stack(ctx, rec->frames, sizeof(rec->frames),
			    side == KILN_SIDE_USER ? BPF_F_USER_STACK : 0);
	if (len <= 0)
		return KILN_STACK_MISSED;
	n = (__u32)len / sizeof(__u64);
	if (n > KILN_MAX_FRAMES)
		return KILN_STACK_MISSED;
	rec->n_frames = n;
	rec->side = side;
	rec->window = window;
	rec->hash = hash_frames(rec->frames, n);
	return window ? ship_once(rec, n, &kiln_seen_1) : ship_once(rec, n, &kiln_seen_0);
}

/* The user side of a sample. This is the door the table-driven unwinder goes through. */
static __always_inline __u64 user_stack(void *ctx, __u32 window)
{
	__u64 word = walk_and_ship(ctx, window, KILN_SIDE_USER);

	if (word == KILN_STACK_MISSED)
		count(KILN_CTR_user_missing);
	return word;
}

/* The kernel side: an id in the stack-trace map, or on a bucket collision the exact path. */
static __always_inline __u64 kernel_stack(void *ctx, __u32 window)
{
	long id = window ? bpf_get_stackid(ctx, &kiln_kstacks_1, 0)
			 : bpf_get_stackid(ctx, &kiln_kstacks_0, 0);
	__u64 word;

	if (id >= 0)
		return KILN_STACK_ID | (__u64)id;
	if (id == -17 /* EEXIST */)
		count(KILN_CTR_kernel_collision);
	word = walk_and_ship(ctx, window, KILN_SIDE_KERNEL);
	if (word == KILN_STACK_MISSED)
		count(KILN_CTR_kernel_missing);
	return word;
}

#endif

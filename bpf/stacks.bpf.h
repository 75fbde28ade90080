/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stacks to 64-bit words. A stack's frames leave the kernel once per window: a hash not yet seen in
 * the window sends its frames through the ring, and is marked seen only if that worked.
 */
#ifndef KILN_BPF_STACKS_H
#define KILN_BPF_STACKS_H

#include <linux/bpf_perf_event.h>

#include "bpf/config.bpf.h"
#include "bpf/hash.bpf.h"
#include "bpf/maps.bpf.h"
#include "bpf/regs.bpf.h"
#include "bpf/unwind.bpf.h"

/* Sends rec unless its hash was sent in this window already. The word for the count key. */
static __always_inline __u64 ship_once(struct kiln_stack_record *rec, struct kiln_counters *c,
				       void *seen)
{
	__u64 hash = rec->head.hash, n = rec->head.n;
	__u8 yes = 1;

	if (bpf_map_lookup_elem(seen, &hash))
		return hash;
	if (n > UNWIND_FRAMES_MAX)
		n = UNWIND_FRAMES_MAX;
	if (bpf_ringbuf_output(&kiln_ring, rec, sizeof(rec->head) + n * sizeof(__u64),
			       BPF_RB_NO_WAKEUP)) {
		c->v[KILN_CTR_ring_full]++;
		return KILN_STACK_MISSED;
	}
	c->v[KILN_CTR_shipped]++;
	bpf_map_update_elem(seen, &hash, &yes, BPF_ANY); /* full: shipped again next time */
	return hash;
}

static __always_inline __u64 ship(struct kiln_stack_record *rec, struct kiln_counters *c,
				  __u32 window, enum kiln_stack_side side)
{
	rec->head.window = window;
	rec->head.side = side;
	rec->head.kind = KILN_RECORD_STACK;
	return window ? ship_once(rec, c, &kiln_seen_1) : ship_once(rec, c, &kiln_seen_0);
}

/* Walks one side as the kernel does: the user side by frame pointers. */
static __always_inline __u64 walk_by_kernel(void *ctx, struct kiln_stack_record *rec,
					    struct kiln_counters *c, __u32 window,
					    enum kiln_stack_side side)
{
	long len = bpf_get_stack(ctx, rec->frames, KILN_MAX_FRAMES * sizeof(__u64),
				 side == KILN_SIDE_USER ? BPF_F_USER_STACK : 0);
	__u64 h = HASH_START;
	__u32 n;

	if (len <= 0)
		return KILN_STACK_MISSED;
	n = (__u32)len / sizeof(__u64);
	for (__u32 i = 0; i < KILN_MAX_FRAMES; i++) {
		if (i >= n)
			break;
		h = hash_step(h, rec->frames[i]);
	}
	rec->head.n = n;
	rec->head.end = UNWIND_ON;
	rec->head.hash = hash_end(h);
	return ship(rec, c, window, side);
}

/* Whose stack it is: its memory holds secrets of all users that it can be. */
static __always_inline __u32 owner_of_task(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	const struct cred *cred = BPF_CORE_READ(task, real_cred);
	__u32 uid = BPF_CORE_READ(cred, uid.val);

	return uid == BPF_CORE_READ(cred, euid.val) && uid == BPF_CORE_READ(cred, suid.val)
		       ? uid
		       : KILN_OWNER_MIXED;
}

/* Fills *r but for its stack and its length. */
static __always_inline void fill_raw(struct kiln_raw_record *r, const struct unwind_env *env,
				     __u32 tgid, __u32 window)
{
	__builtin_memcpy(r->regs, env->regs, sizeof(r->regs));
	r->time_ns = bpf_ktime_get_boot_ns();
	r->head.hash = hash_end(
		hash_step(hash_step(env->rec.head.hash, r->time_ns), env->regs[UNWIND_RSP]));
	r->head.window = window;
	r->head.side = KILN_SIDE_USER;
	r->head.kind = KILN_RECORD_RAW;
	r->head.end = env->rec.head.end;
	r->tgid = tgid;
	r->is_compat = env->is_compat;
	r->in_kernel = !env->key.in_user;
	r->uprobes = env->uprobes;
	r->n_replaced = env->n_replaced;
	r->owner = owner_of_task();
	r->jit_written = env->jit_written;
	r->leaf_is = env->leaf_is;
	r->leaf = env->leaf.caller;
	for (__u32 i = 0; i < KILN_REPLACED_MAX; i++) {
		if (i >= env->n_replaced)
			break;
		r->replaced[i] = env->replaced[i];
	}
}

/*
 * Copies stack from an address up, page by page, up to the page that `used` bytes end in; `size` is what
 * r->stack holds. Bytes up to the last page that could be read. A page that cannot is above the stack,
 * or one of a large frame that was never touched: the helper makes it zeros. If the first one cannot,
 * there is no stack: the process is in execve(2).
 */
static __always_inline __u32 copy_stack(struct kiln_raw_record *r, __u64 from, __u64 used,
					__u32 size)
{
	__u32 at = 0, have = 0;

	if (used < 4096 - (from & 4095)) { /* most: all of it is in one page */
		unwind_opaque(used);
		used &= 4095; /* older verifiers forget what was compared */
		return bpf_probe_read_user(r->stack, used, (void *)from) ? 0 : used;
	}
	for (__u32 i = 0; i < size / 4096; i++) {
		__u32 len = 4096 - ((from + at) & 4095);

		if (at > size - 4096 || at >= used)
			break;
		if (!bpf_probe_read_user(r->stack + at, len, (void *)(from + at)))
			have = at + len;
		else if (!at)
			break;
		at += len;
	}
	return have;
}

/* How much of the stack is in use from an address up; of other threads' stacks than the main one
 * nobody knows the top, and this is larger than any stack. Above it are arguments and environment:
 * no frames, but for what a program's start pushes. 0: there is no stack yet. */
static __always_inline __u64 stack_in_use(__u64 from)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	__u64 top = BPF_CORE_READ(task, mm, start_stack);

	return top ? top + KILN_RED_ZONE - from : 0;
}

static __always_inline __u64 ship_raw_of(struct unwind_env *env, __u32 tgid, __u32 window,
					 __u64 used, __u32 size)
{
	const __u32 head = offsetof(struct kiln_raw_record, stack);
	struct kiln_raw_record *r = bpf_ringbuf_reserve(&kiln_ring, head + size, 0);
	__u64 hash;

	if (!r)
		return 0;
	fill_raw(r, env, tgid, window);
	r->head.n = copy_stack(r, KILN_RAW_BASE(env->regs[UNWIND_RSP]), used, size);
	hash = r->head.hash;
	/* user space is to tell the walk of what it did not know, before the next sample */
	bpf_ringbuf_submit(r, was_woken ? BPF_RB_NO_WAKEUP : BPF_RB_FORCE_WAKEUP);
	was_woken = 1;
	return hash;
}

/*
 * Registers and stack to user space, named by a hash that no other sample has. 0 if there was no
 * room: raw samples may fill half of the ring, the rest is for stacks that were walked; those whose
 * stack is very deep, or nobody knows how deep, get their room only while a quarter is not used.
 */
__attribute__((noinline)) __u64 ship_raw(__u32 tgid, __u32 window)
{
	struct unwind_env *env;
	__u64 used, size, from, stack, need;
	__u32 zero = 0;

	if (!unwind_tables)
		return 0;
	env = bpf_map_lookup_elem(&kiln_unw_env, &zero);
	used = bpf_ringbuf_query(&kiln_ring, BPF_RB_AVAIL_DATA);
	size = bpf_ringbuf_query(&kiln_ring, BPF_RB_RING_SIZE);
	if (!env || used >= size / 2)
		return 0;
	from = KILN_RAW_BASE(env->regs[UNWIND_RSP]);
	stack = stack_in_use(from);
	need = stack + (from & 4095); /* in pages */
	if (need > KILN_RAW_STACK_MAX)
		need = KILN_RAW_STACK_OTHER;
	if (need > KILN_RAW_STACK_DEEP && used >= size / 4)
		need = KILN_RAW_STACK;
	if (need <= KILN_RAW_STACK_SMALL)
		return ship_raw_of(env, tgid, window, stack, KILN_RAW_STACK_SMALL);
	if (need <= KILN_RAW_STACK)
		return ship_raw_of(env, tgid, window, stack, KILN_RAW_STACK);
	if (need <= KILN_RAW_STACK_DEEP)
		return ship_raw_of(env, tgid, window, stack, KILN_RAW_STACK_DEEP);
	if (need <= KILN_RAW_STACK_OTHER)
		return ship_raw_of(env, tgid, window, stack, KILN_RAW_STACK_OTHER);
	return ship_raw_of(env, tgid, window, stack, KILN_RAW_STACK_MAX);
}

/* Ends after which user space may get further: it knows more processes, tables and rules. */
static __always_inline bool is_for_user_space(__u32 end)
{
	return end == UNWIND_END_NO_MAPPING || end == UNWIND_END_NO_TABLE || end == UNWIND_END_SLOW;
}

/*
 * The kernel's own workers in a process (io_uring's, vhost's) have its memory and registers of no code: where
 * they were made, the kernel has put zeros. They have no user side that could be missing.
 */
static __always_inline bool is_worker(const struct unwind_env *env, bool in_user)
{
	return !in_user && !env->regs[UNWIND_RIP] && !env->regs[UNWIND_RSP];
}

static __always_inline void look_at_leaf(struct bpf_perf_event_data *ctx, struct unwind_env *env,
					 bool in_user)
{
	if (env->leaf_is != UNWIND_LEAF_ASK)
		return;
	env->is_compat = is_compat(ctx, in_user);
	note_leaf();
}

/* The user side of a sample; `mapped` names what the process has mapped (unwind_user()). */
static __always_inline __u64 user_stack(struct bpf_perf_event_data *ctx, struct unwind_env *env,
					struct kiln_counters *c, const struct kiln_count_key *key,
					__u32 mapped, __u32 window)
{
	bool has_regs = load_user_regs(ctx, env->regs, key->in_user);
	__u64 word = KILN_STACK_MISSED;
	__u32 end;

	if (has_regs && is_worker(env, key->in_user))
		return KILN_STACK_NONE;
	if (!unwind_tables) {
		word = walk_by_kernel(ctx, &env->rec, c, window, KILN_SIDE_USER);
	} else if (has_regs) {
		env->leaf_is = UNWIND_LEAF_ASK;
		end = unwind_user(key->tgid, mapped);
		if (end == UNWIND_END_SLOW && env->n == 1) {
			look_at_leaf(ctx, env, key->in_user);
			end = unwind_user(key->tgid, mapped);
		}
		if (end < UNWIND_END_COUNT)
			c->walk_end[end]++;
		word = 0;
		if (is_for_user_space(end)) {
			note_uretprobes();
			look_at_leaf(ctx, env, key->in_user);
			word = ship_raw(key->tgid, window);
			c->v[word ? KILN_CTR_raw : KILN_CTR_raw_full]++;
		}
		if (!word && env->f.by_fp)
			c->v[KILN_CTR_walk_fp]++;
		if (!word)
			word = ship(&env->rec, c, window, KILN_SIDE_USER);
	}
	if (word == KILN_STACK_MISSED)
		c->v[KILN_CTR_user_missing]++;
	return word;
}

/* The kernel side: an id in the stack-trace map, or on a bucket collision the exact path. */
static __always_inline __u64 kernel_stack(void *ctx, struct unwind_env *env,
					  struct kiln_counters *c, __u32 window)
{
	long id = window ? bpf_get_stackid(ctx, &kiln_kstacks_1, 0)
			 : bpf_get_stackid(ctx, &kiln_kstacks_0, 0);
	__u64 word;

	if (id >= 0)
		return KILN_STACK_ID | (__u64)id;
	if (id == -17 /* EEXIST */)
		c->v[KILN_CTR_kernel_collision]++;
	word = walk_by_kernel(ctx, &env->rec, c, window, KILN_SIDE_KERNEL);
	if (word == KILN_STACK_MISSED)
		c->v[KILN_CTR_kernel_missing]++;
	return word;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table-driven walk of user stacks in the kernel: maps and the operations of unwind_core.h over
 * them. Needs nothing newer than Linux 5.10. Include after bpf_helpers.h.
 */
#ifndef KILN_BPF_UNWIND_BPF_H
#define KILN_BPF_UNWIND_BPF_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf/abi.h"
#include "bpf/hash.bpf.h"
#include "bpf/unwind_core.h"
#include "bpf/unwind_leaf.h"
#include "bpf/uprobes.bpf.h"

/* Set at load: user stacks by unwind tables. Off, nothing in here is reached. */
const volatile bool unwind_tables = false;

/* Key: tgid. Writer: user space (profiler/unwind/unwind_maps.c); the walk claims an unclaimed one.
 * When full, processes of that size are walked in user space. A process is in one of them. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32);
	__type(value, struct unwind_maps_small);
	__uint(max_entries, 8192); /* set at load */
} kiln_unw_small SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32);
	__type(value, struct unwind_maps_medium);
	__uint(max_entries, 512); /* set at load */
} kiln_unw_medium SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32);
	__type(value, struct unwind_maps_large);
	__uint(max_entries, 32); /* set at load */
} kiln_unw_large SEC(".maps");

/* Key: slot; value: the blob of one file's table, cut into pages. Writer: user space, which evicts
 * within a budget; an empty slot ends a walk with UNWIND_END_NO_TABLE. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, UNWIND_TABLES_MAX);
	__type(key, __u32);
	__array(
		values, struct {
			__uint(type, BPF_MAP_TYPE_ARRAY);
			__uint(map_flags, BPF_F_MMAPABLE | BPF_F_INNER_MAP);
			__uint(max_entries, 1); /* as many as the table has pages (5.10) */
			__type(key, __u32);
			__type(value, __u8[UNWIND_PAGE]);
		});
} kiln_unw_tables SEC(".maps");

/*
 * By slot: 1 if a walk has used its table since user space looked last: those are worth their memory.
 * Writer: the walk; reader, who sets them back: profiler/unwind/unwind_tables.c.
 */
__u8 unwind_walked[UNWIND_TABLES_MAX];

/*
 * Where a walk works and what it leaves. All state lives in map memory, of which the verifier knows
 * nothing: so one pass over a step proves every step.
 */
struct unwind_env {
	struct kiln_count_key
		key; /* of the sample: not on the stack, of which all calls share 512 bytes */
	__u64 regs[UNWIND_REGS]; /* in; by enum unwind_reg */
	__u32 n;		 /* frames found, kept or not */
	__u32 end;		 /* enum unwind_end */
	__u64 hash;		 /* of the frames so far */
	struct unwind_frame f;
	__u32 tgid, size; /* size: which map holds the process, or 0 */
	/* Of a raw sample, see struct kiln_raw_record. */
	__u32 is_compat, n_replaced, jit_written, leaf_is;
	__u64 uprobes;
	struct kiln_replaced replaced[KILN_REPLACED_MAX];
	__u64 hit_begin, hit_len; /* the mapping found last: callers often share it */
	struct unwind_mapping hit;
	__u64 window_at, window_len;
	__u64 word; /* read last */
	__u64 window[UNWIND_WINDOW / 8];
	struct unwind_leaf leaf;
	__u8 code[UNWIND_LEAF_REACH];
	struct kiln_stack_record rec; /* out; the kernel side is built in here, too */
};

/* One a CPU. Writer and reader: the one program that samples, whose interrupt does not nest. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct unwind_env);
	__uint(max_entries, 1);
} kiln_unw_env SEC(".maps");

UNWIND_INLINE const void *unwind_op_table(struct unwind_env *env, __u32 slot)
{
	return bpf_map_lookup_elem(&kiln_unw_tables, &slot);
}

UNWIND_INLINE const void *unwind_op_page(const void *table, __u32 page)
{
	return bpf_map_lookup_elem((void *)table, &page);
}

UNWIND_INLINE __u64 unwind_op_reg(struct unwind_env *env, __u32 reg)
{
	return env->regs[reg & 15];
}

/* 32-bit code is walked in user space. */
UNWIND_INLINE __u32 unwind_op_word(const struct unwind_env *env)
{
	return 8;
}

/*
 * What follows is not inlined, so that the verifier looks at each once: not once a call, nor once a
 * path to it. Functions it proves apart take and return numbers only; results go through the map.
 */
static __always_inline struct unwind_env *unwind_env_here(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&kiln_unw_env, &zero);
}

/* Reads 8 bytes into env->word. A window of the stack is read at once, not across a page: the next
 * one may not be there. */
__attribute__((noinline)) int unwind_read_word(__u64 addr)
{
	struct unwind_env *env = unwind_env_here();
	__u64 off, len;

	if (!unwind_tables || !env)
		return -1;
	if (addr & 7)
		return bpf_probe_read_user(&env->word, sizeof(env->word), (void *)addr) ? -1 : 0;
	off = addr - env->window_at;
	if (off >= env->window_len) {
		len = 4096 - (addr & 4095);
		if (len > UNWIND_WINDOW)
			len = UNWIND_WINDOW;
		env->window_len = 0;
		if (bpf_probe_read_user(env->window, len, (void *)addr))
			return -1;
		env->window_at = addr;
		env->window_len = len;
		off = 0;
	}
	env->word = env->window[(off >> 3) & (UNWIND_WINDOW / 8 - 1)];
	return 0;
}

/* Code is not read through the window, which stays where the stack is. */
__attribute__((noinline)) int unwind_read_code(__u64 va)
{
	struct unwind_env *env = unwind_env_here();

	if (!unwind_tables || !env)
		return -1;
	return bpf_probe_read_user(&env->word, sizeof(env->word), (void *)va) ? -1 : 0;
}

UNWIND_INLINE int unwind_op_code(struct unwind_env *env, __u64 va, __u64 *value)
{
	int err = unwind_read_code(va);

	*value = env->word;
	return err;
}

UNWIND_INLINE int unwind_op_read(struct unwind_env *env, __u64 addr, __u64 *value)
{
	int err = unwind_read_word(addr);

	*value = env->word;
	return err;
}

UNWIND_INLINE int unwind_op_read_near(struct unwind_env *env, __u64 addr, __u64 *value)
{
	__u64 off = addr - env->window_at;

	if (addr & 7 || off >= env->window_len)
		return unwind_op_read(env, addr, value);
	*value = env->window[(off >> 3) & (UNWIND_WINDOW / 8 - 1)];
	return 0;
}

/* The last of n (a power of two) ascending begins that is not above va. */
static __always_inline __u32 unwind_find_begin(const __u64 *begin, __u32 n, __u64 va)
{
	__u64 at = 0;

	for (__u32 step = n / 2; step; step >>= 1) {
		at += step & unwind_le_mask(begin[(at + step) & (n - 1)], va);
		unwind_opaque(at);
	}
	return at & (n - 1);
}

#define UNWIND_FIND_MAPPING(env, map, N, va)                                                       \
	({                                                                                         \
		struct unwind_maps_##N *maps = bpf_map_lookup_elem(map, &(env)->tgid);             \
		__u32 i;                                                                           \
                                                                                                   \
		if (maps) {                                                                        \
			i = unwind_find_begin(maps->begin, sizeof(maps->begin) / 8, va);           \
			(env)->hit_begin = maps->begin[i];                                         \
			(env)->hit = maps->at[i];                                                  \
			(env)->hit_len = (__u64)maps->at[i].pages << 12;                           \
		}                                                                                  \
	})

/* Written once between two looks: CPUs share these bytes. */
static __always_inline void unwind_note_walked(__u64 slot)
{
	if (slot >= UNWIND_TABLES_MAX)
		return;
	unwind_opaque(slot);
	slot &= UNWIND_TABLES_MAX - 1;
	if (!unwind_walked[slot])
		unwind_walked[slot] = 1;
}

/* The frame that a walk begins with. */
static __always_inline void unwind_begin(struct unwind_env *env)
{
	env->f = (struct unwind_frame){
		.pc = env->regs[UNWIND_RIP],
		.sp = env->regs[UNWIND_RSP],
		.bp = env->regs[UNWIND_RBP],
		.exact = 1,
	};
}

/* Makes the mapping that holds va, if there is one, env->hit. */
__attribute__((noinline)) int unwind_find_hit(__u64 va)
{
	struct unwind_env *env = unwind_env_here();

	if (!unwind_tables || !env)
		return -1;
	if (env->size == UNWIND_MAPS_SMALL)
		UNWIND_FIND_MAPPING(env, &kiln_unw_small, small, va);
	else if (env->size == UNWIND_MAPS_MEDIUM)
		UNWIND_FIND_MAPPING(env, &kiln_unw_medium, medium, va);
	else if (env->size == UNWIND_MAPS_LARGE)
		UNWIND_FIND_MAPPING(env, &kiln_unw_large, large, va);
	if (va - env->hit_begin >= env->hit_len)
		return -1;
	unwind_note_walked(env->hit.slot);
	return 0;
}

UNWIND_INLINE enum unwind_in unwind_op_place(struct unwind_env *env, __u64 va,
					     struct unwind_place *place)
{
	if (va - env->hit_begin >= env->hit_len && unwind_find_hit(va))
		return UNWIND_IN_NOTHING;
	if (env->hit.slot == UNWIND_SLOT_JIT)
		return UNWIND_IN_JIT;
	place->slot = env->hit.slot;
	place->elf_va = va - env->hit.bias;
	return env->hit.slot == UNWIND_SLOT_NONE ? UNWIND_IN_NO_TABLE : UNWIND_IN_TABLE;
}

/* Goes up from env->f by the rule of these bytes. */
__attribute__((noinline)) int unwind_by_rule(__u64 bytes)
{
	struct unwind_env *env = unwind_env_here();
	union {
		__u64 bytes;
		struct unwind_rule rule;
	} u = {.bytes = bytes};

	if (!unwind_tables || !env)
		return UNWIND_END_NO_RULE;
	return unwind_step_rule(env, &env->f, u.rule);
}

UNWIND_INLINE int unwind_op_step_rule(struct unwind_env *env, struct unwind_frame *f,
				      struct unwind_rule rule)
{
	union {
		struct unwind_rule rule;
		__u64 bytes;
	} u = {.rule = rule};

	return unwind_by_rule(u.bytes); /* f is env->f */
}

UNWIND_INLINE struct unwind_leaf *unwind_op_leaf_of(struct unwind_env *env)
{
	return &env->leaf;
}

/* Code in a page that was not used for long may have to be read from a file, which cannot be done here. */
__attribute__((noinline)) int unwind_leaf_code(__u64 from, __u64 to)
{
	struct unwind_env *env = unwind_env_here();
	__u64 len = to - from;

	if (!unwind_tables || !env)
		return -1;
	unwind_leaf_begin(&env->leaf);
	if (!len)
		return 0;
	unwind_opaque(len); /* what is compared is what is passed on */
	if (len > UNWIND_LEAF_REACH || bpf_probe_read_user(env->code, len, (void *)from))
		return -1;
	for (__u64 at = 0; at < UNWIND_LEAF_REACH; at++) {
		__u64 place = at;

		/* The verifier before 6.8 sees an end of the loop in a comparison with a number alone. */
		unwind_opaque(place);
		if (place >= len)
			break;
		unwind_leaf_look(&env->leaf, from + place,
				 env->code[place & (UNWIND_LEAF_REACH - 1)]);
	}
	return 0;
}

UNWIND_INLINE int unwind_op_leaf_code(struct unwind_env *env, __u64 from, __u64 to)
{
	return unwind_leaf_code(from, to);
}

UNWIND_INLINE int unwind_op_is_code(struct unwind_env *env, __u64 va)
{
	struct unwind_place place;

	return !env->size || unwind_op_place(env, va, &place) != UNWIND_IN_NOTHING;
}

__attribute__((noinline)) int unwind_leaf_record(__u64 at, __u64 cfa)
{
	struct unwind_env *env = unwind_env_here();

	return unwind_tables && env && unwind_leaf_is_record(env, at, cfa);
}

UNWIND_INLINE int unwind_op_leaf_record(struct unwind_env *env, __u64 at, __u64 cfa)
{
	return unwind_leaf_record(at, cfa);
}

__attribute__((noinline)) int unwind_leaf_word(__u32 i)
{
	struct unwind_env *env = unwind_env_here();

	return unwind_tables && env ? unwind_leaf_try_word(env, i) : 1;
}

UNWIND_INLINE int unwind_op_leaf_word(struct unwind_env *env, __u32 i)
{
	return unwind_leaf_word(i);
}

__attribute__((noinline)) int unwind_leaf_here(void)
{
	struct unwind_env *env = unwind_env_here();

	return unwind_tables && env ? unwind_leaf_is(env, &env->f) : UNWIND_LEAF_UNSEEN;
}

/* All calls together have 512 bytes of stack: those that look at a leaf begin in user_stack(). */
UNWIND_INLINE enum unwind_leaf_is
unwind_op_leaf(struct unwind_env *env, const struct unwind_frame *f, struct unwind_caller *caller)
{
	if (env->n > 1) /* what a signal has interrupted */
		return UNWIND_LEAF_UNSEEN;
	*caller = env->leaf.caller;
	return env->leaf_is;
}

/* Looks what the innermost function of a sample is, since user space does not read code. */
__attribute__((noinline)) int note_leaf(void)
{
	struct unwind_env *env = unwind_env_here();

	if (!unwind_tables || !env)
		return 0;
	env->leaf_is = UNWIND_LEAF_UNSEEN;
	if (env->is_compat)
		return 0;
	unwind_begin(env);
	env->leaf_is = (__u32)unwind_leaf_here();
	return 0;
}

/* Masked: the verifier forgets what it compared before 6.8. */
static __always_inline __u64 *unwind_frame_slot(struct unwind_env *env, __u32 at)
{
	__u64 i = at;

	unwind_opaque(i);
	return &env->rec.frames[i & (UNWIND_FRAMES_MAX - 1)];
}

/*
 * The last frame is in no mapping. If it is in the page of probes, puts the address there that it stands
 * for. 0, or -1: there is none.
 */
__attribute__((noinline)) int unwind_see_through_uprobe(void)
{
	struct unwind_env *env = unwind_env_here();
	__u64 utask, page, pc;

	if (!unwind_tables || !env)
		return -1;
	utask = uprobes_of_task();
	page = utask ? uprobes_page() : 0;
	if (!page || env->f.pc - page >= UPROBES_PAGE)
		return -1;
	pc = env->f.exact ? uprobes_origin(utask, env->f.pc) : uprobes_return(utask, env->f.sp - 8);
	if (!pc || pc - page < UPROBES_PAGE) {
		env->end = UNWIND_END_UPROBE;
		return -1;
	}
	if (env->n == 1)
		env->regs[UNWIND_RIP] = pc; /* for user space */
	env->f.pc = pc;
	*unwind_frame_slot(env, UNWIND_FRAME_AT(env->n - 1)) = pc + (env->f.exact && env->n > 1);
	env->hash = hash_step(env->hash, pc);
	return 0;
}

/* Notes for a raw sample which return addresses uretprobes have replaced. */
__attribute__((noinline)) int note_uretprobes(void)
{
	struct unwind_env *env = unwind_env_here();
	struct return_instance *r;
	__u64 utask, i;

	if (!unwind_tables || !env)
		return 0;
	env->n_replaced = 0;
	env->uprobes = 0;
	utask = uprobes_of_task();
	if (!utask)
		return 0;
	r = BPF_CORE_READ((struct uprobe_task *)utask, return_instances);
	if (r)
		env->uprobes = uprobes_page();
	for (i = 0; i < KILN_REPLACED_MAX && r; i++) {
		env->replaced[i & (KILN_REPLACED_MAX - 1)].at = BPF_CORE_READ(r, stack);
		env->replaced[i & (KILN_REPLACED_MAX - 1)].was = BPF_CORE_READ(r, orig_ret_vaddr);
		env->n_replaced = i + 1;
		r = BPF_CORE_READ(r, next);
	}
	return 0;
}

/* Goes one frame up. Not 0: that was all. */
__attribute__((noinline)) int unwind_one_frame(void)
{
	struct unwind_env *env = unwind_env_here();
	__u32 at;

	if (!unwind_tables || !env)
		return 1;
	env->end = unwind_step(env, &env->f);
	at = UNWIND_FRAME_AT(env->n - 1);
	if (env->f.at_start && env->n > 1)
		*unwind_frame_slot(env, at) += 1; /* its pc is exact; the hash need not tell */
	if (env->end != UNWIND_ON)
		return env->end != UNWIND_END_NO_MAPPING || unwind_see_through_uprobe();
	at = UNWIND_FRAME_AT(env->n);
	*unwind_frame_slot(env, at) = env->f.pc + env->f.exact;
	env->hash = hash_step(env->hash, env->f.pc + env->f.exact);
	env->n++;
	return 0;
}

/*
 * Two loops of 64 rather than one of 4096: the verifier goes through each of them turn by turn, but
 * through a function once. So the walk loads in a few thousand instructions, and on kernels without
 * bpf_loop(), which is of 5.17.
 */
#define UNWIND_STRIDE 64

_Static_assert(UNWIND_STRIDE *UNWIND_STRIDE == UNWIND_STEPS_MAX, "as many steps as that");

__attribute__((noinline)) int unwind_some_frames(void)
{
	for (int i = 0; i < UNWIND_STRIDE; i++)
		if (unwind_one_frame())
			return 1;
	return 0;
}

static __always_inline void unwind_all_frames(void)
{
	for (int i = 0; i < UNWIND_STRIDE; i++)
		if (unwind_some_frames())
			break;
}

/* Whether a process's mappings are those of now. */
#define UNWIND_CLAIM(N, map, tgid, now)                                                            \
	({                                                                                         \
		struct unwind_maps_##N *maps = bpf_map_lookup_elem(map, tgid);                     \
                                                                                                   \
		if (maps && !maps->version)                                                        \
			maps->version = (now);                                                     \
		maps && maps->version == (now);                                                    \
	})

static __always_inline __u32 unwind_size(__u32 tgid, __u32 mapped)
{
	if (!mapped)
		return 0;
	if (UNWIND_CLAIM(small, &kiln_unw_small, &tgid, mapped))
		return UNWIND_MAPS_SMALL;
	if (UNWIND_CLAIM(medium, &kiln_unw_medium, &tgid, mapped))
		return UNWIND_MAPS_MEDIUM;
	if (UNWIND_CLAIM(large, &kiln_unw_large, &tgid, mapped))
		return UNWIND_MAPS_LARGE;
	return 0;
}

/*
 * Walks from env->regs (env: the element of kiln_unw_env) into env->rec, of which it sets hash, n,
 * end and the frames: those table_walk() gives (symbolizer/unwind/table_walk.h), at least 1. Returns the
 * end; UNWIND_END_NO_MAPPING with one frame when the process is not known. `mapped` is the version of
 * what it has mapped (0: not known), or its image where samples do not tell of mappings.
 *
 * A function of its own, not inlined: the verifier then looks at it once, not once a path to it.
 */
__attribute__((noinline)) int unwind_user(__u32 tgid, __u32 mapped)
{
	__u32 zero = 0;
	struct unwind_env *env;

	if (!unwind_tables)
		return UNWIND_END_NO_MAPPING;
	env = bpf_map_lookup_elem(&kiln_unw_env, &zero);
	if (!env)
		return UNWIND_END_NO_MAPPING;
	env->tgid = tgid;
	env->size = unwind_size(tgid, mapped);
	env->hit_len = 0;
	env->window_len = 0;
	unwind_begin(env);
	env->rec.frames[0] = env->f.pc;
	env->hash = hash_step(HASH_START, env->f.pc);
	env->n = 1;
	env->end = UNWIND_END_DEEP; /* if the steps run out */
	unwind_all_frames();
	if (env->end == UNWIND_ON)
		env->end = UNWIND_END_DEEP;
	env->end = unwind_end_of(&env->f, env->end);
	env->rec.head.n = env->n;
	env->rec.head.end = env->end;
	env->rec.head.hash = hash_end(env->hash ^ env->end);
	return env->end;
}

#endif

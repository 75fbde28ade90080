// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/unwind/table_walk.h"

#include <stddef.h>

#include "bpf/unwind_core.h"
#include "bpf/unwind_leaf.h"

struct unwind_env {
	const struct table_walk_ops *ops;
	void *ctx;
	const uint64_t *regs;
	uint32_t word;	      /* bytes of a word: 8, or 4 */
	const uint8_t *table; /* table of the last place */
	struct unwind_leaf leaf;
	unsigned looks; /* at leaves' code */
};

UNWIND_INLINE __u32 unwind_op_word(const struct unwind_env *env)
{
	return env->word;
}

UNWIND_INLINE const void *unwind_op_table(struct unwind_env *env, __u32 slot)
{
	(void)slot;
	return env->table;
}

UNWIND_INLINE const void *unwind_op_page(const void *table, __u32 page)
{
	const struct unwind_head *head = table;
	const uint8_t *bytes = table;

	return page < head->size / UNWIND_PAGE ? bytes + (size_t)page * UNWIND_PAGE : NULL;
}

UNWIND_INLINE enum unwind_in unwind_op_place(struct unwind_env *env, __u64 va,
					     struct unwind_place *place)
{
	const void *table = NULL;
	uint64_t elf_va = 0;
	enum unwind_in in = env->ops->place(env->ctx, va, &table, &elf_va);

	env->table = table;
	place->elf_va = elf_va;
	return in;
}

UNWIND_INLINE int unwind_op_read(struct unwind_env *env, __u64 addr, __u64 *value)
{
	uint64_t v;

	if (env->ops->read(env->ctx, addr, &v)) {
		*value = env->word == 4 ? (uint32_t)v : v;
		return 0;
	}
	/* the last word of what can be read */
	if (env->word == 8 || !env->ops->read(env->ctx, addr - 4, &v))
		return -1;
	*value = v >> 32;
	return 0;
}

/* A raw sample has no code. */
UNWIND_INLINE int unwind_op_code(struct unwind_env *env, __u64 va, __u64 *value)
{
	uint64_t v;

	if (!env->ops->code || !env->ops->code(env->ctx, va, &v))
		return -1;
	*value = v;
	return 0;
}

UNWIND_INLINE int unwind_op_read_near(struct unwind_env *env, __u64 addr, __u64 *value)
{
	return unwind_op_read(env, addr, value);
}

UNWIND_INLINE int unwind_op_step_rule(struct unwind_env *env, struct unwind_frame *f,
				      struct unwind_rule rule)
{
	return unwind_step_rule(env, f, rule);
}

UNWIND_INLINE struct unwind_leaf *unwind_op_leaf_of(struct unwind_env *env)
{
	return &env->leaf;
}

UNWIND_INLINE int unwind_op_leaf_code(struct unwind_env *env, __u64 from, __u64 to)
{
	__u64 bytes = 0;

	if (to - from > UNWIND_LEAF_REACH)
		return -1;
	unwind_leaf_begin(&env->leaf);
	for (uint64_t at = from; at < to; at++) {
		if (!((at - from) & 7) && unwind_op_code(env, at, &bytes))
			return -1;
		unwind_leaf_look(&env->leaf, at, (uint8_t)(bytes >> 8 * ((at - from) & 7)));
	}
	return 0;
}

UNWIND_INLINE int unwind_op_leaf_record(struct unwind_env *env, __u64 at, __u64 cfa)
{
	return unwind_leaf_is_record(env, at, cfa);
}

UNWIND_INLINE int unwind_op_leaf_word(struct unwind_env *env, __u32 i)
{
	return unwind_leaf_try_word(env, i);
}

static enum unwind_leaf_is leaf_is(struct unwind_env *env, const struct unwind_frame *f)
{
	return unwind_leaf_is(env, f);
}

UNWIND_INLINE int unwind_op_is_code(struct unwind_env *env, __u64 va)
{
	struct unwind_place place;

	return unwind_op_place(env, va, &place) != UNWIND_IN_NOTHING;
}

UNWIND_INLINE enum unwind_leaf_is
unwind_op_leaf(struct unwind_env *env, const struct unwind_frame *f, struct unwind_caller *caller)
{
	enum unwind_leaf_is is = UNWIND_LEAF_UNSEEN;

	if (env->ops->leaf && !f->gregs)
		is = env->ops->leaf(env->ctx, caller);
	if (is != UNWIND_LEAF_UNSEEN)
		return is;
	if (env->ops->code && env->looks++ >= TABLE_WALK_LOOKS_MAX)
		return UNWIND_LEAF_UNSURE;
	is = leaf_is(env, f);
	*caller = env->leaf.caller;
	return is;
}

UNWIND_INLINE __u64 unwind_op_reg(struct unwind_env *env, __u32 reg)
{
	return env->regs[reg];
}

struct unwind_rule unwind_table_rule(const void *table, uint64_t elf_va)
{
	struct unwind_env env = {.table = table, .word = 8};
	struct unwind_rule rule;

	unwind_find_rule(&env, 0, elf_va, &rule);
	return rule;
}

static enum unwind_end walk(const struct table_walk_ops *ops, void *ctx, const uint64_t *regs,
			    uint32_t word, bool exact, uint64_t *frames, uint32_t max, uint32_t *n)
{
	struct unwind_env env = {.ops = ops, .ctx = ctx, .regs = regs, .word = word};
	struct unwind_frame f = {
		.pc = regs[UNWIND_RIP],
		.sp = regs[UNWIND_RSP],
		.bp = regs[UNWIND_RBP],
		.exact = exact,
	};
	int end;

	frames[0] = f.pc;
	for (*n = 1;; (*n)++) {
		end = unwind_end_of(&f, unwind_step(&env, &f));
		if (*n > 1)
			frames[*n - 1] += f.at_start;
		if (end)
			return end;
		if (*n >= max)
			return UNWIND_END_DEEP;
		frames[*n] = f.pc + f.exact;
	}
}

enum unwind_end table_walk_on(const struct table_walk_ops *ops, void *ctx,
			      const uint64_t regs[UNWIND_REGS], bool exact, uint64_t *frames,
			      uint32_t max, uint32_t *n)
{
	return walk(ops, ctx, regs, 8, exact, frames, max, n);
}

enum unwind_end table_walk(const struct table_walk_ops *ops, void *ctx,
			   const uint64_t regs[UNWIND_REGS], uint64_t *frames, uint32_t max,
			   uint32_t *n)
{
	return walk(ops, ctx, regs, 8, true, frames, max, n);
}

enum unwind_end table_walk_32(const struct table_walk_ops *ops, void *ctx,
			      const uint64_t regs[UNWIND_REGS], bool exact, uint64_t *frames,
			      uint32_t max, uint32_t *n)
{
	uint64_t low[UNWIND_REGS];

	for (int i = 0; i < UNWIND_REGS; i++)
		low[i] = (uint32_t)regs[i];
	return walk(ops, ctx, low, 4, exact, frames, max, n);
}

static const struct {
	const char *key, *text;
} ends[] = {
#define X(end, key, text) {#key, text},
	UNWIND_ENDS(X)
#undef X
};

const char *unwind_end_key(enum unwind_end end)
{
	return ends[end].key;
}

const char *unwind_end_text(enum unwind_end end)
{
	return ends[end].text;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* Unwind rules of Go's frames, from the depth of the stack at each instruction (pcsp). */
#include <string.h>

#include "symbolizer/go/gopclntab_priv.h"

/* internal/abi/symtab.go: FuncFlag*. */
enum { FLAG_TOP_FRAME = 1, FLAG_SP_WRITE = 2 };

/* Largest frame. The compiler moves larger variables to the heap. */
#define DEPTH_MAX (1u << 30)

static const struct unwind_rule by_record = {.cfa = UNWIND_CFA_FP};
static const struct unwind_rule root = {.cfa = UNWIND_CFA_ROOT};
static const struct unwind_rule stop = {.cfa = UNWIND_CFA_STOP};

bool gopclntab_has_depths(const struct gopclntab *t)
{
	/* Before 1.18, systemstack() and similar functions cannot be recognized. */
	return t->version >= GO_1_18;
}

bool gopclntab_range(struct gopclntab *t, uint64_t *begin, uint64_t *end)
{
	return t->n_funcs && go_entry(t, 0, begin) && go_entry(t, t->n_funcs, end) && *begin < *end;
}

/*
 * Functions with a frame save rbp right below the return address. (The instruction that makes the
 * frame has not saved it yet. But the callers of Go code are Go code, which needs no rbp.)
 */
static struct unwind_rule depth_rule(uint32_t depth)
{
	struct unwind_rule rule = {.cfa = UNWIND_CFA_RSP};

	if (depth % 8 || depth > DEPTH_MAX)
		return by_record;
	rule.cfa_off = (int32_t)depth + 8;
	if (depth) {
		rule.bp = UNWIND_BP_AT_CFA;
		rule.bp_off = -16;
	}
	return rule;
}

/* Whether a function begins with push %rbp, a one-byte instruction. */
static bool pushes_rbp(struct gopclntab *t, const struct go_func *f)
{
	struct bytes b = sect_view(&t->tab.sect, t->pctab + f->pcsp, 16);

	(void)bytes_uleb(&b); /* the depth at its entry */
	return f->pcsp && bytes_uleb(&b) * t->quantum == 1 && !b.bad;
}

/*
 * morestack() leaves its stack for good, though the goroutine has callers: that is no root. Before Go
 * 1.21 it left no frame record: rbp is arbitrary there, and the runtime's own walks end there too. (1.20
 * looks like later releases, which clear rbp.)
 */
static bool leaves_no_record(struct gopclntab *t, const struct go_func *f)
{
	const char *name = f->flags & FLAG_SP_WRITE ? go_func_name(t, f->name) : NULL;

	return name && !strcmp(name, "runtime.morestack") && t->version < GO_1_20;
}

/*
 * mcall() leaves its stack for good as well. From Go 1.21 to 1.24, rbp still points to a record
 * there, but the goroutine may already run on another thread and overwrite it. What mcall() pushes
 * after its frame is on the other stack, which has no caller.
 */
static uint32_t deepest_with_caller(struct gopclntab *t, const struct go_func *f)
{
	const char *name = f->flags & FLAG_SP_WRITE ? go_func_name(t, f->name) : NULL;

	if (!name || strcmp(name, "runtime.mcall") != 0)
		return UINT32_MAX;
	return pushes_rbp(t, f) ? 8 : 0;
}

/* goexit(), mstart() and similar functions have no caller. sigtramp() has the same mark, but
 * returns to code that goes back into the interrupted function. */
static bool is_root(struct gopclntab *t, const struct go_func *f)
{
	const char *name;

	if (!(f->flags & FLAG_TOP_FRAME))
		return false;
	name = go_func_name(t, f->name);
	return !name || strcmp(name, "runtime.sigtramp") != 0;
}

/* The function switches stacks, and its frame record leads back. clone() makes no record, and
 * only its child is on another stack. */
static bool leaves_by_record(struct gopclntab *t, const struct go_func *f)
{
	const char *name = f->flags & FLAG_SP_WRITE ? go_func_name(t, f->name) : NULL;

	return f->flags & FLAG_SP_WRITE && !(name && !strcmp(name, "runtime.clone"));
}

/*
 * Goes over the pairs of a table as value_at() does. Where the stack is deeper than `deepest`,
 * there is no caller. Each pair but the last covers at least one byte. So no function costs more
 * than its size, even if a hostile file shares tables between functions.
 */
static int depth_rules(struct gopclntab *t, const struct go_func *f, uint64_t end, uint32_t deepest,
		       gopclntab_rule_fn fn, void *ctx)
{
	uint64_t at = t->pctab + f->pcsp, pc = f->entry, reach;
	uint32_t depth = UINT32_MAX, delta;
	int err = 0;

	if (!f->pcsp)
		return fn(ctx, f->entry, by_record);
	for (bool first = true; !err; first = false) {
		struct bytes b = sect_view(&t->tab.sect, at, 16);
		const uint8_t *start = b.p;

		delta = (uint32_t)bytes_uleb(&b);
		reach = (uint64_t)(uint32_t)bytes_uleb(&b) * t->quantum;
		if (b.bad || !reach || (!delta && !first))
			return first ? fn(ctx, pc, by_record) : 0;
		depth += (delta >> 1) ^ -(delta & 1);
		if (depth > deepest)
			return fn(ctx, pc, root);
		err = fn(ctx, pc, depth_rule(depth));
		if (reach >= end - pc)
			break;
		pc += reach;
		at += (uint64_t)(b.p - start);
	}
	return err;
}

static int func_rules(struct gopclntab *t, const struct go_func *f, uint64_t end,
		      gopclntab_rule_fn fn, void *ctx)
{
	uint32_t deepest = deepest_with_caller(t, f);

	if (is_root(t, f))
		return fn(ctx, f->entry, root);
	if (leaves_no_record(t, f))
		return fn(ctx, f->entry, stop);
	if (deepest == UINT32_MAX && leaves_by_record(t, f))
		return fn(ctx, f->entry, by_record);
	return depth_rules(t, f, end, deepest, fn, ctx);
}

int gopclntab_rules(struct gopclntab *t, uint64_t *next, uint64_t end, gopclntab_rule_fn fn,
		    void *ctx)
{
	uint64_t entry, func_end, last = 0;
	struct go_func f;
	int err = 0;

	for (; !err && *next < t->n_funcs; (*next)++) {
		if (!go_entry(t, *next, &entry) || !go_entry(t, *next + 1, &func_end) ||
		    entry >= end)
			break;
		if (entry < last || func_end <= entry) /* out of order: hostile */
			continue;
		last = func_end < end ? func_end : end;
		if (go_func_read(t, *next, &f) && f.entry == entry)
			err = func_rules(t, &f, last, fn, ctx);
		else
			err = fn(ctx, entry, by_record);
	}
	return err;
}

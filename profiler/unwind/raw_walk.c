// SPDX-License-Identifier: GPL-2.0-or-later
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/base/vec.h"
#include "profiler/files/files.h"
#include "profiler/procs/procs.h"
#include "profiler/procs/rescan.h"
#include "profiler/unwind/code_reader.h"
#include "profiler/unwind/raw_walk.h"
#include "profiler/unwind/unwind_feed.h"
#include "profiler/unwind/vdso.h"
#include "profiler/sampler/drained_window.h"
#include "profiler/sampler/sampler.h"
#include "symbolizer/unwind/table_walk.h"
#include "symbolizer/worker/walk_set.h"

/* Samples that wait for tables: half a second of 999 Hz on eight CPUs. They wait no longer than
 * the largest table takes on a busy machine. */
#define WAITING_MAX_BYTES (96u << 20)
#define WAITING_MAX_NS	  5000000000ull

#define UPROBES_PAGE 4096

struct waiting {
	struct raw_sample *raw;
	uint32_t file; /* the file whose table is missing; FILE_NONE: waits for a rescan */
	uint64_t file_off;
	bool is_jit; /* the file is a jitdump, whose table is older than the sample */
};

struct raw_walk {
	struct procs *procs;
	struct files *files;
	struct unwind_feed *feed;
	struct rescan *rescan;
	struct walk_set *walkers;
	struct code_reader *code;   /* or NULL */
	struct walk_worker *walker; /* of the samples that are being walked */
	struct raw_sample **group;  /* these samples, in the batch */
	int vdso_fd;
	VEC(struct waiting) waiting; /* oldest first */
	size_t waiting_bytes, max_bytes;
	uint64_t sweeps;		/* sweeps of the file table seen so far */
	VEC(struct raw_sample *) batch; /* samples for the walk worker */
	struct procs_view view;
	VEC(struct walk_region) regions; /* of the last prepared sample */
	/* Of the current sample. */
	const struct raw_sample *now;
	bool past_slice; /* it read above the captured stack */
	bool guessed;	 /* it went by frame pointers in code where they are a guess */
	bool no_room;	 /* it met a table that has no room */
	uint32_t lacks;	 /* a file whose table is still missing, or FILE_NONE */
	uint64_t lacks_off;
	bool lacks_jit; /* see struct waiting */
	bool may_wait;
	bool old_jit; /* it went by a table that is older than the sample */
	struct raw_walk_stats stats;
};

int raw_walk_new(struct raw_walk **out, struct procs *procs, struct files *files,
		 struct unwind_feed *feed, struct rescan *rescan, struct walk_set *walkers)
{
	struct raw_walk *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->procs = procs;
	s->files = files;
	s->feed = feed;
	s->rescan = rescan;
	s->walkers = walkers;
	s->max_bytes = WAITING_MAX_BYTES;
	s->vdso_fd = vdso_open();
	*out = s;
	return 0;
}

void raw_walk_limit(struct raw_walk *s, size_t bytes)
{
	s->max_bytes = bytes;
}

int raw_walk_read_code(struct raw_walk *s)
{
	s->code = code_reader_new();
	return s->code ? 0 : -ENOMEM;
}

void raw_walk_free(struct raw_walk *s)
{
	if (!s)
		return;
	code_reader_free(s->code);
	if (s->vdso_fd >= 0)
		close(s->vdso_fd);
	for (size_t i = 0; i < s->waiting.len; i++)
		free(s->waiting.data[i].raw);
	vec_release(&s->waiting);
	vec_release(&s->batch);
	vec_release(&s->view.mappings);
	vec_release(&s->regions);
	free(s);
}

/* --- by libunwind ----------------------------------------------------------------------------- */

/* A file that is not open yet is requested again with the next sample. */
static void add_file(struct raw_walk *s, uint32_t file)
{
	struct sym_file what;
	struct file_view v;

	if (file == FILE_NONE || walk_worker_knows(s->walker, file))
		return;
	if (file == FILE_VDSO) {
		walk_worker_add(s->walker, file, SYM_FILE_OF(s->vdso_fd));
		return;
	}
	files_get(s->files, file, &v);
	what = file_view_sym(&v);
	if (v.err != -EAGAIN && walk_worker_add(s->walker, file, v.err ? NULL : &what) == -ENOSPC)
		s->stats.objects_full++;
	files_release_fd(s->files, file);
}

static void prepare(void *ctx, size_t i, struct walk_sample *out)
{
	struct raw_walk *s = ctx;
	const struct raw_sample *r = s->group[i];

	out->captured = (struct captured_stack){r->regs, r->stack, r->stack_len,
						r->regs[UNWIND_RSP] - r->base};
	if (procs_view(s->procs, (pid_t)r->tgid, r->time_ns, &s->view) ||
	    vec_reserve(&s->regions, s->view.mappings.len))
		return; /* an empty mapping */
	s->regions.len = s->view.mappings.len;
	for (size_t m = 0; m < s->regions.len; m++) {
		const struct proc_mapping *p = &s->view.mappings.data[m];

		add_file(s, p->file);
		s->regions.data[m] = (struct walk_region){p->start,    p->len,	p->file_off,
							  p->since_ns, p->file, 0};
	}
	out->regions = s->regions.data;
	out->n_regions = s->regions.len;
	out->n_live = s->view.n_live;
}

static enum unwind_end walk_by_tables(struct raw_walk *s, uint64_t *frames, uint32_t *n);

/* Libunwind knows no made code, and guesses nothing: the tables may lead further, if only to a frame that they cannot
 * evaluate. */
static void take_cut_stack(struct raw_walk *s, const struct raw_sample *r, const uint64_t *frames,
			   size_t n, enum unwind_end end)
{
	uint64_t by_tables[UNWIND_FRAMES_MAX];
	enum unwind_end tables_end;
	uint32_t n_tables = 0;

	s->now = r;
	s->may_wait = false;
	tables_end = walk_by_tables(s, by_tables, &n_tables);
	if (n_tables > n)
		window_add_user_stack(r->into, r->word, by_tables, n_tables, tables_end);
	else
		window_add_user_stack(r->into, r->word, frames, n, end);
}

/* Adds a stack. A lost one, or one without memory, counts as missing. */
static void take_stack(void *ctx, size_t i, const uint64_t *frames, size_t n, enum cfi_walk_end end)
{
	static const enum unwind_end as_walk_end[] = {
		[CFI_WALK_ROOT] = UNWIND_END_ROOT,	 [CFI_WALK_SLICE] = UNWIND_END_SLICE,
		[CFI_WALK_NO_INFO] = UNWIND_END_NO_RULE, [CFI_WALK_LIMIT] = UNWIND_END_DEEP,
		[CFI_WALK_ERROR] = UNWIND_END_LOOP,	 [CFI_WALK_CHAIN] = UNWIND_END_CHAIN,
		[CFI_WALK_ZERO] = UNWIND_END_ZERO,
	};
	struct raw_walk *s = ctx;
	const struct raw_sample *r = s->group[i];

	if (!n)
		return;
	if (end == CFI_WALK_ROOT)
		window_add_user_stack(r->into, r->word, frames, n, UNWIND_END_ROOT);
	else
		take_cut_stack(s, r, frames, n, as_walk_end[end]);
	s->stats.by_libunwind++;
	s->stats.complete += end == CFI_WALK_ROOT;
	s->stats.why[r->why]++;
}

static int by_owner(const void *a, const void *b)
{
	const struct raw_sample *x = *(struct raw_sample *const *)a,
				*y = *(struct raw_sample *const *)b;

	if (x->owner != y->owner)
		return x->owner < y->owner ? -1 : 1;
	return (x->time_ns > y->time_ns) - (x->time_ns < y->time_ns);
}

/* Has samples of one owner walked by the reader that sees nobody else's. */
static void walk_group(struct raw_walk *s, struct raw_sample **group, size_t n)
{
	s->walker = walk_set_for(s->walkers, group[0]->owner);
	s->group = group;
	if (s->walker)
		walk_worker_run(s->walker, n, prepare, take_stack, s);
	else
		s->stats.owners_full += n;
}

/* Has the batch walked by CFI. */
static void walk_batch(struct raw_walk *s)
{
	struct raw_sample **batch = s->batch.data;

	if (s->batch.len)
		qsort(batch, s->batch.len, sizeof(*batch), by_owner);
	for (size_t from = 0, n; from < s->batch.len; from += n) {
		n = 1;
		while (from + n < s->batch.len && batch[from + n]->owner == batch[from]->owner)
			n++;
		walk_group(s, batch + from, n);
	}
	for (size_t i = 0; i < s->batch.len; i++)
		free(s->batch.data[i]);
	s->batch.len = 0;
}

/* --- by the kernel's tables ------------------------------------------------------------------- */

static bool is_compat_table(const void *table)
{
	return ((const struct unwind_head *)table)->machine == EM_386;
}

/* It may turn out to be a copy of a file's code. */
static enum unwind_in anon_place(struct raw_walk *s, const struct place *place)
{
	s->guessed = true;
	if (place->file == FILE_NONE || !unwind_feed_awaits(s->feed, place->file))
		return UNWIND_IN_JIT;
	s->lacks = place->file;
	s->lacks_off = place->file_off;
	s->lacks_jit = false;
	return UNWIND_IN_NO_TABLE;
}

static enum feed_place jit_table(struct raw_walk *s, uint32_t dump, const struct raw_sample *r,
				 const void **table)
{
	return unwind_feed_jit(s->feed, dump, r->time_ns, r->jit_written, table);
}

/* Code that a jitdump may describe. When the sample waits no longer, an older table does, too. */
static enum unwind_in jit_place(struct raw_walk *s, const struct place *place, uint64_t va,
				const void **table)
{
	const struct proc_image *image =
		procs_image(s->procs, (pid_t)s->now->tgid, s->now->time_ns);
	enum feed_place found;

	if (!image || image->jitdump == FILE_NONE || s->now->is_compat)
		return anon_place(s, place);
	found = jit_table(s, image->jitdump, s->now, table);
	if (found == FEED_SOON && s->may_wait) {
		s->lacks = image->jitdump;
		s->lacks_jit = true;
		return UNWIND_IN_NO_TABLE;
	}
	if (found > FEED_SOON || !*table || unwind_table_rule(*table, va).cfa == UNWIND_CFA_NONE)
		return anon_place(s, place);
	s->old_jit |= found == FEED_SOON;
	return UNWIND_IN_TABLE;
}

static enum unwind_in table_place(void *ctx, uint64_t va, const void **table, uint64_t *elf_va)
{
	struct raw_walk *s = ctx;
	struct place place;
	uint64_t va_minus_off = 0;
	uint32_t file;

	procs_resolve(s->procs, (pid_t)s->now->tgid, s->now->time_ns, va, &place);
	*elf_va = va;
	if (place.kind == PLACE_ANON)
		return jit_place(s, &place, va, table);
	if (place.kind != PLACE_FILE && place.kind != PLACE_VDSO)
		return UNWIND_IN_NOTHING;
	if (place.kind == PLACE_VDSO && s->now->is_compat)
		return UNWIND_IN_JIT; /* not kiln's own; built with frame pointers */
	file = place.kind == PLACE_VDSO ? FILE_VDSO : place.file;
	switch (unwind_feed_place(s->feed, file, place.file_off, table, &va_minus_off)) {
	case FEED_TABLE:
		if (is_compat_table(*table) != s->now->is_compat)
			return UNWIND_IN_NO_TABLE;
		*elf_va = place.file_off + va_minus_off;
		return UNWIND_IN_TABLE;
	case FEED_SOON:
		s->lacks = file;
		s->lacks_off = place.file_off;
		s->lacks_jit = false;
		return UNWIND_IN_NO_TABLE;
	case FEED_NO_ROOM:
		s->no_room = true;
		return UNWIND_IN_NO_TABLE;
	default:
		return UNWIND_IN_JIT; /* the kernel half treats it the same way */
	}
}

/*
 * Below rsp perf events copy nothing. Where a function pops its registers before it returns, its call frame
 * information mostly says still where they were: there. Of them the tables follow only rbp, which has its value again.
 */
static bool is_popped(const struct raw_sample *r, uint64_t addr)
{
	return addr < r->base && r->regs[UNWIND_RSP] - addr <= KILN_RED_ZONE;
}

static bool read_stack(void *ctx, uint64_t addr, uint64_t *value)
{
	struct raw_walk *s = ctx;
	uint64_t off = addr - s->now->base;

	if (is_popped(s->now, addr)) {
		*value = s->now->regs[UNWIND_RBP];
		return true;
	}
	if (off >= s->now->stack_len || s->now->stack_len - off < sizeof(*value)) {
		s->past_slice = true;
		return false;
	}
	memcpy(value, s->now->stack + off, sizeof(*value));
	return true;
}

static bool read_code(void *ctx, uint64_t va, uint64_t *value)
{
	struct raw_walk *s = ctx;

	return s->code && code_reader_read(s->code, (pid_t)s->now->tgid, va, value);
}

static enum unwind_leaf_is seen_leaf(void *ctx, struct unwind_caller *caller)
{
	struct raw_walk *s = ctx;

	*caller = s->now->leaf;
	return s->now->leaf_is;
}

/*
 * In a system call, 32-bit code is in the vDSO behind the instruction that enters the kernel, whose return
 * path is an ABI: pop %ebp, pop %edx, pop %ecx, ret (arch/x86/entry/vdso/vdso32/system_call.S). Goes to the
 * caller from there. False: it is elsewhere.
 */
static bool leave_syscall(struct raw_walk *s, uint64_t regs[UNWIND_REGS])
{
	uint64_t sp = (uint32_t)regs[UNWIND_RSP], bp, caller;
	struct place place;

	procs_resolve(s->procs, (pid_t)s->now->tgid, s->now->time_ns, (uint32_t)regs[UNWIND_RIP],
		      &place);
	if (!s->now->in_kernel || place.kind != PLACE_VDSO || !read_stack(s, sp, &bp) ||
	    !read_stack(s, sp + 3 * 4, &caller))
		return false;
	regs[UNWIND_RIP] = (uint32_t)caller;
	regs[UNWIND_RSP] = sp + 4 * 4;
	regs[UNWIND_RBP] = (uint32_t)bp;
	return true;
}

static enum unwind_end walk_compat(const struct table_walk_ops *ops, struct raw_walk *s,
				   uint64_t *frames, uint32_t *n)
{
	uint64_t regs[UNWIND_REGS];
	enum unwind_end end;
	uint32_t first = 0;

	memcpy(regs, s->now->regs, sizeof(regs));
	frames[0] = (uint32_t)regs[UNWIND_RIP];
	if (leave_syscall(s, regs))
		first = 1;
	end = table_walk_32(ops, s, regs, !first, frames + first, UNWIND_FRAMES_MAX - first, n);
	*n += first;
	return end;
}

/* In 64-bit code, libunwind or a guess by frame pointers might go on. */
static bool is_left_in_compat(enum unwind_end end)
{
	return end == UNWIND_END_NO_RULE || end == UNWIND_END_NO_TABLE || end == UNWIND_END_SLOW ||
	       end == UNWIND_END_CHAIN;
}

static enum unwind_end walk_by_tables(struct raw_walk *s, uint64_t *frames, uint32_t *n)
{
	static const struct table_walk_ops ops = {
		.place = table_place, .read = read_stack, .code = read_code, .leaf = seen_leaf};
	enum unwind_end end;

	s->past_slice = s->guessed = s->no_room = s->old_jit = false;
	s->lacks = FILE_NONE;
	end = s->now->is_compat ? walk_compat(&ops, s, frames, n)
				: table_walk(&ops, s, s->now->regs, frames, UNWIND_FRAMES_MAX, n);
	if (end == UNWIND_END_BAD_READ && s->past_slice)
		return UNWIND_END_SLICE;
	if (end == UNWIND_END_NO_MAPPING && s->now->uprobes &&
	    frames[*n - 1] - s->now->uprobes < UPROBES_PAGE)
		return UNWIND_END_UPROBE;
	return s->now->is_compat && s->lacks == FILE_NONE && is_left_in_compat(end)
		       ? UNWIND_END_COMPAT
		       : end;
}

/* --- one sample ------------------------------------------------------------------------------- */

/* In the middle of execve(2): another program than the known one, without a stack so far. */
static bool is_exec(const struct raw_sample *r)
{
	return !r->stack_len && r->why == UNWIND_END_NO_MAPPING;
}

/* Code runs, or is returned to, where nothing is known to be mapped: mremap(2) makes no event. */
static bool is_unknown_code(struct raw_walk *s, enum unwind_end end)
{
	return end == UNWIND_END_NO_MAPPING && !s->guessed &&
	       rescan_want(s->rescan, (pid_t)s->now->tgid, s->now->time_ns);
}

/* Walks a sample, which it takes, at once or with the batch. False: the sample should wait, for
 * the table of s->lacks or for a rescan. */
static bool walk_one(struct raw_walk *s, struct raw_sample *r, bool may_wait)
{
	uint64_t frames[UNWIND_FRAMES_MAX];
	enum unwind_end end;
	uint32_t n = 0;

	s->now = r;
	s->may_wait = may_wait;
	if (is_exec(r)) { /* its user stack is gone with the old program */
		window_add_user_stack(r->into, r->word, NULL, 0, UNWIND_END_ROOT);
		free(r);
		return true;
	}
	end = walk_by_tables(s, frames, &n);
	if (may_wait && (s->lacks != FILE_NONE || is_unknown_code(s, end)))
		return false;
	if (!r->is_compat && (s->lacks != FILE_NONE || s->no_room || end == UNWIND_END_SLOW) &&
	    !vec_push(&s->batch, r)) {
		s->stats.tables_full += s->no_room;
		return true;
	}
	/* Out of memory: the stack counts as missing. */
	window_add_user_stack(r->into, r->word, frames, n, end);
	s->stats.by_tables++;
	s->stats.old_jit += s->old_jit;
	s->stats.complete += end == UNWIND_END_ROOT;
	s->stats.why[r->why]++;
	free(r);
	return true;
}

static size_t bytes_of(const struct raw_sample *r)
{
	return sizeof(*r) + r->stack_len;
}

static struct waiting waiting_for(const struct raw_walk *s, struct raw_sample *r)
{
	return (struct waiting){r, s->lacks, s->lacks_off, s->lacks_jit};
}

/* True if a sample still waits in vain. Most samples wait for the same file as the one before,
 * whose answer is kept. */
static bool still_lacks(struct raw_walk *s, const struct waiting *w, uint32_t *lacking)
{
	const void *table;
	uint64_t va_minus_off;

	if (w->file == FILE_NONE)
		return rescan_is_due(s->rescan, (pid_t)w->raw->tgid);
	if (w->file == *lacking)
		return true;
	if (w->is_jit ? jit_table(s, w->file, w->raw, &table) != FEED_SOON
		      : unwind_feed_place(s->feed, w->file, w->file_off, &table, &va_minus_off) !=
				FEED_SOON)
		return false;
	*lacking = w->file;
	return true;
}

/* Tries the waiting samples again. None of the ending window may go on waiting. */
static void walk_waiting(struct raw_walk *s, const struct window *ending)
{
	uint64_t now = boottime_ns();
	uint32_t lacking = FILE_NONE;
	size_t kept = 0;

	for (size_t i = 0; i < s->waiting.len; i++) {
		struct waiting w = s->waiting.data[i];
		bool late = w.raw->into == ending || now - w.raw->time_ns > WAITING_MAX_NS;
		size_t bytes = bytes_of(w.raw);

		if (!late && still_lacks(s, &w, &lacking)) {
			s->waiting.data[kept++] = w;
		} else if (walk_one(s, w.raw, !late)) {
			s->stats.late += late && s->lacks != FILE_NONE;
			s->waiting_bytes -= bytes;
		} else {
			s->waiting.data[kept++] = waiting_for(s, w.raw);
		}
	}
	s->waiting.len = kept;
}

/* Drops ids of forgotten files, because they are used again some day. */
static void forget_files(struct raw_walk *s)
{
	uint64_t sweeps = files_sweeps(s->files);

	if (sweeps != s->sweeps)
		walk_set_forget(s->walkers);
	walk_set_rest(s->walkers);
	s->sweeps = sweeps;
}

void raw_walk_run(struct raw_walk *s, struct raw_queue *from)
{
	forget_files(s);
	walk_waiting(s, NULL);
	for (struct raw_sample *r; (r = raw_queue_next(from));) {
		bool room = s->waiting_bytes + bytes_of(r) <= s->max_bytes &&
			    !vec_reserve(&s->waiting, s->waiting.len + 1);

		if (walk_one(s, r, room)) {
			s->stats.crowded += !room && s->lacks != FILE_NONE;
			continue;
		}
		s->waiting.data[s->waiting.len++] = waiting_for(s, r);
		s->waiting_bytes += bytes_of(r);
		s->stats.waited++;
	}
	walk_batch(s);
}

bool raw_walk_waits(const struct raw_walk *s)
{
	return s->waiting.len > 0;
}

void raw_walk_finish(struct raw_walk *s, const struct window *w)
{
	walk_waiting(s, w);
	walk_batch(s);
}

void raw_walk_stats(const struct raw_walk *s, struct raw_walk_stats *out)
{
	struct walk_worker_stats walker;

	walk_set_stats(s->walkers, &walker);
	*out = s->stats;
	out->lost = walker.lost + s->stats.owners_full;
	out->files_failed = walker.files_failed;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>

#include "profiler/base/cleanup.h"
#include "symbolizer/dwarf/dwarf.h"
#include "symbolizer/dwarf/dwarf_frames.h"
#include "symbolizer/dwarf/dwarf_index.h"
#include "symbolizer/dwarf/dwarf_late.h"
#include "symbolizer/dwarf/dwarf_line.h"
#include "symbolizer/dwarf/dwarf_split.h"
#include "symbolizer/dwarf/dwarf_walk.h"

#define CACHE_BYTES (16u << 20)
/* Sections up to this size are read whole. */
#define WHOLE_BYTES (1u << 20)
/* Work allowance of one unit: several times what its size explains. Its bytes are read once for
 * the functions and once more for the inlined calls. */
#define UNIT_WORK_BASE	 (64u << 20)
#define UNIT_WORK_FACTOR 16
/* The same for the list of units and their ranges, for each byte of .debug_info. */
#define INDEX_WORK_FACTOR 4
/* Most work that reading the names of one address may cost; and average work. */
#define ADDRESS_WORK	   (4u << 20)
#define ADDRESS_WORK_SHARE (64u << 10)
/* All units of one call, so that many bad units do not add up. */
#define CALL_WORK_BASE	 (512u << 20)
#define CALL_WORK_FACTOR 32
/* Bytes to inflate in one call: several times the whole file, and some for each address. All of
 * it takes a minute. */
#define INFLATE_FACTOR	  8
#define INFLATE_ADDRESS	  (4u << 20)
#define INFLATE_BYTES_MAX (16ull << 30)

struct dwarf {
	struct dwarf_opts opts;
	struct dwarf_file *main, *alt, *dwp;
	struct cu_cache cache;
	struct index index;
	bool indexed, index_limited;
	uint64_t index_left; /* allowance for the list of units and their ranges */
	uint64_t allowance;  /* of the current call */
	struct work work;    /* of the current unit */
	struct work inflating;
	struct frames frames;
	struct late *late; /* answers that wait for their strings; NULL before the first */
};

DEFINE_CLEANUP(dwarf, dwarf_free)

static int open_files(struct dwarf *d, struct elf_obj *debug, struct elf_obj *alt,
		      struct elf_obj *dwp)
{
	size_t whole = d->opts.whole_bytes;
	int err = 0;

	if (alt)
		err = dwarf_file_new(&d->alt, alt, false, whole, NULL, &d->work, &d->inflating);
	if (!err && dwp)
		err = dwarf_file_new(&d->dwp, dwp, true, whole, NULL, &d->work, &d->inflating);
	return err
		       ?: dwarf_file_new(&d->main, debug, false, whole, d->alt, &d->work,
					 &d->inflating);
}

int dwarf_new(struct dwarf **out, struct elf_obj *debug, struct elf_obj *alt, struct elf_obj *dwp,
	      const struct dwarf_opts *opts)
{
	_cleanup_(dwarf_freep) struct dwarf *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return -ENOMEM;
	if (opts)
		d->opts = *opts;
	d->opts.cache_bytes = d->opts.cache_bytes ?: CACHE_BYTES;
	d->opts.whole_bytes = d->opts.whole_bytes ?: WHOLE_BYTES;
	err = open_files(d, debug, alt, dwp);
	if (err)
		return err;
	if (!d->main->sect[SECT_INFO].sec)
		return -ENODATA;
	d->main->discriminators = d->opts.discriminators;
	*out = steal_ptr(d);
	return 0;
}

void dwarf_free(struct dwarf *d)
{
	if (!d)
		return;
	cu_cache_release(&d->cache);
	index_release(&d->index);
	dwarf_file_free(d->main);
	dwarf_file_free(d->alt);
	dwarf_file_free(d->dwp);
	frames_release(&d->frames);
	late_free(d->late);
	free(d);
}

size_t dwarf_bytes(const struct dwarf *d)
{
	return d->cache.bytes + index_bytes(&d->index) + dwarf_file_bytes(d->main) +
	       (d->late ? late_bytes(d->late) : 0) + (d->alt ? dwarf_file_bytes(d->alt) : 0) +
	       (d->dwp ? dwarf_file_bytes(d->dwp) : 0);
}

static bool out_of_memory(const struct dwarf *d)
{
	return dwarf_file_oom(d->main) || (d->alt && dwarf_file_oom(d->alt)) ||
	       (d->dwp && dwarf_file_oom(d->dwp));
}

static void begin_index(struct dwarf *d)
{
	d->work = (struct work){.left = d->index_left};
}

static void end_index(struct dwarf *d)
{
	d->index_left = d->work.left;
	d->index_limited |= d->work.limited || d->inflating.limited || d->main->units_limited ||
			    dwarf_file_limited(d->main);
}

static int get_index(struct dwarf *d)
{
	int err;

	if (d->indexed)
		return 0;
	d->index_left = UNIT_WORK_BASE + INDEX_WORK_FACTOR * sect_size(&d->main->sect[SECT_INFO]);
	begin_index(d);
	err = index_open(&d->index, d->main);
	d->indexed = !err;
	end_index(d);
	return err;
}

/* --- one unit ------------------------------------------------------------------------------------ */

/* Opens the split unit, and reads functions and lines as far as possible. */
static int get_products(struct dwarf *d, struct cu *cu)
{
	struct cu *die_cu;
	int err;

	if (!cu->split && !cu->split_tried) {
		err = split_load(&cu->split, cu, d->dwp, &d->opts, d->opts.whole_bytes);
		if (err == -ENOMEM)
			return err;
		cu->split_tried = err != 0;
	}
	die_cu = cu->split ?: cu;
	if (!die_cu->funcs && !die_cu->funcs_err)
		die_cu->funcs_err = funcs_load(&die_cu->funcs, die_cu);
	if (!cu->lines && !cu->lines_err)
		cu->lines_err = lines_load(&cu->lines, cu);
	cu->limited |= die_cu->funcs_err == -EFBIG || cu->lines_err == -EFBIG;
	if (die_cu->funcs_err != -ENOMEM && cu->lines_err != -ENOMEM)
		return 0;
	die_cu->funcs_err = cu->lines_err = 0;
	return -ENOMEM;
}

/* Closes the split file when its unit is done: descriptors are scarce. */
static void put_products(struct dwarf *d, struct cu *cu)
{
	if (cu->split && cu->split->own_file) {
		cu_free(cu->split);
		cu->split = NULL;
	}
	cu_account(&d->cache, cu);
}

static enum dwarf_reason reason_of(const struct dwarf *d, const struct cu *cu, int err)
{
	const struct frames *fr = &d->frames;

	if (fr->limited || cu->limited || (cu->split && cu->split->limited) || err == -EFBIG ||
	    d->inflating.limited || dwarf_file_limited(d->main))
		return DWARF_LIMIT;
	if (fr->n)
		return DWARF_OK;
	return err ? DWARF_MALFORMED : DWARF_NO_UNIT;
}

/* Long views hold whole units and are useless for the next unit. */
static void drop_views(struct dwarf *d, struct dwarf_file *f)
{
	for (size_t i = 0; f && i < SECT_COUNT; i++)
		sect_trim(&f->sect[i], d->opts.cache_bytes / 8);
}

/* Keeps the cache below cache_bytes while references load other units. */
static void trim(struct dwarf *d, struct cu *keep)
{
	size_t held = dwarf_bytes(d), others = held - d->cache.bytes;

	if (held > d->opts.cache_bytes)
		cu_cache_trim(&d->cache,
			      others < d->opts.cache_bytes ? d->opts.cache_bytes - others : 0,
			      keep);
}

struct query {
	uint64_t va;
	size_t index;  /* the caller's */
	uint32_t unit; /* index from index_find_covered(), later from index_find_other() */
};

static uint64_t grant(struct dwarf *d, uint64_t want)
{
	uint64_t granted = want < d->allowance ? want : d->allowance;

	d->allowance -= granted;
	return granted;
}

/* Gives the frames to fn, or keeps them until their strings are read. */
static int answer(struct dwarf *d, size_t index, enum dwarf_reason reason, dwarf_frames_fn fn,
		  void *ctx)
{
	struct frames *fr = &d->frames;
	int err = 0;

	if (!late_wanted(fr)) {
		fn(ctx, index, fr->list, fr->n, reason);
		return 0;
	}
	if (!d->late)
		err = late_new(&d->late);
	err = err ?: late_add(d->late, index, fr, reason);
	return err || !late_full(d->late) ? err : late_flush(d->late, fn, ctx);
}

static void allow(struct dwarf *d, uint64_t extra)
{
	d->allowance =
		CALL_WORK_BASE + extra + CALL_WORK_FACTOR * sect_size(&d->main->sect[SECT_INFO]);
}

static int resolve_in_cu(struct dwarf *d, struct cu *cu, const struct query *q, size_t n,
			 dwarf_frames_fn fn, void *ctx)
{
	struct frames *fr = &d->frames;
	struct cu *die_cu = cu->split ?: cu;

	for (size_t i = 0; i < n; i++) {
		int err;

		fr->work.left = grant(d, ADDRESS_WORK);
		err = frames_find(fr, &d->cache, cu, q[i].va);
		d->allowance += fr->work.left;
		cu->limited |= d->work.limited;
		if (err == -ENOMEM || out_of_memory(d))
			return -ENOMEM;
		err = answer(d, q[i].index, reason_of(d, cu, err ?: die_cu->funcs_err), fn, ctx);
		if (err)
			return err;
		if (d->cache.bytes > d->opts.cache_bytes)
			trim(d, cu);
	}
	return 0;
}

static void refuse(const struct query *q, size_t n, enum dwarf_reason reason, dwarf_frames_fn fn,
		   void *ctx)
{
	for (size_t i = 0; i < n; i++)
		fn(ctx, q[i].index, NULL, 0, reason);
}

static int resolve_in_unit(struct dwarf *d, struct unit *u, const struct query *q, size_t n,
			   dwarf_frames_fn fn, void *ctx)
{
	struct cu *cu;
	int err = cu_get(&d->cache, d->main, u, &cu);

	if (err == -ENOMEM || out_of_memory(d))
		return -ENOMEM;
	if (err) {
		refuse(q, n, err == -EFBIG ? DWARF_LIMIT : DWARF_MALFORMED, fn, ctx);
		return 0;
	}
	err = get_products(d, cu) ?: resolve_in_cu(d, cu, q, n, fn, ctx);
	put_products(d, cu);
	return err;
}

static void begin_unit(struct dwarf *d, const struct unit *u)
{
	d->work = (struct work){
		.left = grant(d, UNIT_WORK_BASE + UNIT_WORK_FACTOR * (uint64_t)u->len),
	};
}

static void end_unit(struct dwarf *d)
{
	d->allowance += d->work.left;
	drop_views(d, d->main);
	drop_views(d, d->alt);
	drop_views(d, d->dwp);
	trim(d, NULL);
}

/* Answers all addresses of one unit. */
static int resolve_group(struct dwarf *d, uint32_t unit, const struct query *q, size_t n,
			 dwarf_frames_fn fn, void *ctx)
{
	struct unit *u;
	int err;

	if (unit == SEG_NONE) {
		refuse(q, n, d->index_limited ? DWARF_LIMIT : DWARF_NO_UNIT, fn, ctx);
		return 0;
	}
	u = &d->main->units.data[unit];
	begin_unit(d, u);
	err = resolve_in_unit(d, u, q, n, fn, ctx);
	end_unit(d);
	return err;
}

/* --- many addresses -------------------------------------------------------------------------------- */

static int compare_queries(const void *a, const void *b)
{
	const struct query *x = a, *y = b;

	if (x->unit != y->unit)
		return x->unit < y->unit ? -1 : 1;
	return x->va < y->va ? -1 : x->va > y->va;
}

static uint64_t stream_bytes(struct dwarf_file *f)
{
	uint64_t n = 0;

	for (size_t i = 0; f && i < SECT_COUNT; i++)
		n += sect_is_stream(&f->sect[i]) ? sect_size(&f->sect[i]) : 0;
	return n;
}

static void grant_inflating(struct dwarf *d, size_t n)
{
	uint64_t all = stream_bytes(d->main) + stream_bytes(d->alt) + stream_bytes(d->dwp);
	uint64_t want = all * INFLATE_FACTOR + n * (uint64_t)INFLATE_ADDRESS;

	d->inflating = (struct work){
		.left = want < INFLATE_BYTES_MAX ? want : INFLATE_BYTES_MAX,
	};
}

static int finish_late(struct dwarf *d, dwarf_frames_fn fn, void *ctx)
{
	int err = d->late ? late_flush(d->late, fn, ctx) : 0;

	late_free(d->late);
	d->late = NULL;
	return err ?: out_of_memory(d) ? -ENOMEM : 0;
}

/* End of the group of addresses in the same unit. */
static size_t group_end(const struct query *q, size_t n, size_t i)
{
	size_t end = i + 1;

	while (end < n && q[end].unit == q[i].unit)
		end++;
	return end;
}

/* Answers the addresses that .debug_aranges knows. Moves the *n_left others to the front. */
static int resolve_covered(struct dwarf *d, struct query *q, size_t n, size_t *n_left,
			   dwarf_frames_fn fn, void *ctx)
{
	size_t end;
	int err = 0;

	*n_left = 0;
	for (size_t i = 0; i < n && !err; i = end) {
		uint32_t unit = SEG_NONE;

		end = group_end(q, n, i);
		begin_index(d);
		if (q[i].unit != SEG_NONE)
			err = index_unit(&d->index, d->main, q[i].unit, &unit);
		end_index(d);
		if (!err && unit != SEG_NONE) {
			err = resolve_group(d, unit, &q[i], end - i, fn, ctx);
			continue;
		}
		memmove(&q[*n_left], &q[i], (end - i) * sizeof(*q));
		*n_left += end - i;
	}
	return err;
}

static int resolve_others(struct dwarf *d, struct query *q, size_t n, dwarf_frames_fn fn, void *ctx)
{
	size_t end;
	int err;

	begin_index(d);
	err = index_complete(&d->index, d->main);
	end_index(d);
	for (size_t i = 0; i < n; i++)
		q[i].unit = index_find_other(&d->index, q[i].va);
	qsort(q, n, sizeof(*q), compare_queries);
	for (size_t i = 0; i < n && !err; i = end) {
		end = group_end(q, n, i);
		err = resolve_group(d, q[i].unit, &q[i], end - i, fn, ctx);
	}
	return err;
}

int dwarf_resolve(struct dwarf *d, const uint64_t *elf_va, size_t n, dwarf_frames_fn fn, void *ctx)
{
	_cleanup_free_ struct query *q = n ? calloc(n, sizeof(*q)) : NULL;
	size_t n_left;
	int err;

	if (!n)
		return 0;
	grant_inflating(d, n);
	err = get_index(d);
	if (err || !q)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		q[i] = (struct query){elf_va[i], i, index_find_covered(&d->index, elf_va[i])};
	allow(d, n * ADDRESS_WORK_SHARE);
	qsort(q, n, sizeof(*q), compare_queries);
	err = resolve_covered(d, q, n, &n_left, fn, ctx);
	if (!err && n_left)
		err = resolve_others(d, q, n_left, fn, ctx);
	return finish_late(d, fn, ctx) ?: err;
}

/* --- all of it ------------------------------------------------------------------------------------- */

/* Ranges by owner. Those of owner i are ranges[first[i]] up to ranges[first[i + 1]]. */
struct groups {
	struct spans spans; /* what is to be grouped */
	struct dwarf_range *ranges;
	size_t *first;
};

static void groups_release(struct groups *g)
{
	vec_release(&g->spans);
	free(g->ranges);
	free(g->first);
}

static int group_spans(struct groups *g, size_t n)
{
	const struct spans *s = &g->spans;

	g->ranges = calloc(s->len + 1, sizeof(*g->ranges));
	g->first = calloc(n + 2, sizeof(*g->first));
	if (!g->ranges || !g->first)
		return -ENOMEM;
	/* Counting sort. Counts are stored two places up. Their sums say where the next range
	 * goes, and after the loop the same holds one place up. */
	for (size_t i = 0; i < s->len; i++)
		g->first[s->data[i].id + 2]++;
	for (size_t i = 2; i < n + 2; i++)
		g->first[i] += g->first[i - 1];
	for (size_t i = 0; i < s->len; i++)
		g->ranges[g->first[s->data[i].id + 1]++] =
			(struct dwarf_range){s->data[i].low, s->data[i].high};
	return 0;
}

/* Adds the ranges of m's owners that no owner in `first` has (NULL: all ranges). */
static int add_owned(struct groups *g, const struct segmap *m, const struct segmap *first)
{
	static const struct segmap none;
	int err = 0;

	first = first ?: &none;
	for (size_t i = 0; i + 1 < m->n; i++) {
		uint64_t low = m->low[i], high = m->low[i + 1];
		size_t at = segmap_at(first, low);
		uint32_t owner;

		while (m->id[i] != SEG_NONE && low < high && !err) {
			uint64_t end = segmap_step(first, &at, high, &owner);

			if (owner == SEG_NONE)
				err = vec_push(&g->spans, (struct span){low, end, m->id[i]});
			low = end;
		}
	}
	return err;
}

static int read_unit(struct dwarf *d, struct unit *u, struct dwarf_unit *at, dwarf_unit_fn fn,
		     void *ctx)
{
	int err = cu_get(&d->cache, d->main, u, &at->cu);

	if (out_of_memory(d) || err == -EFBIG || err == -ENOMEM)
		return err == -EFBIG ? err : -ENOMEM;
	if (err)
		return 0; /* unreadable: this unit answers nothing */
	err = get_products(d, at->cu) ?: fn(ctx, at);
	if (!err && (d->work.limited || reason_of(d, at->cu, 0) == DWARF_LIMIT))
		err = -EFBIG;
	put_products(d, at->cu);
	return out_of_memory(d) ? -ENOMEM : err;
}

static int walk_unit(struct dwarf *d, uint32_t unit, const struct groups *g, size_t owner,
		     dwarf_unit_fn fn, void *ctx)
{
	struct dwarf_unit at = {
		.d = d,
		.cache = &d->cache,
		.frames = &d->frames,
		.ranges = g->ranges + g->first[owner],
		.n_ranges = g->first[owner + 1] - g->first[owner],
	};
	int err;

	if (!at.n_ranges)
		return 0;
	begin_unit(d, &d->main->units.data[unit]);
	d->frames.work.left = UINT64_MAX; /* fn limits its own time */
	err = read_unit(d, &d->main->units.data[unit], &at, fn, ctx);
	end_unit(d);
	return err;
}

/* Walks the units of .debug_aranges, as resolve_covered() does. Removes units that do not exist
 * from the index: other units may have their addresses. */
static int walk_covered(struct dwarf *d, dwarf_unit_fn fn, void *ctx)
{
	_cleanup_(groups_release) struct groups g = {0};
	struct segmap *covered = &d->index.covered;
	size_t n = d->index.offs.len;
	_cleanup_free_ uint8_t *missing = calloc(n + 1, 1);
	int err = missing ? add_owned(&g, covered, NULL) ?: group_spans(&g, n) : -ENOMEM;

	for (uint32_t i = 0; i < n && !err; i++) {
		uint32_t unit;

		begin_index(d);
		err = index_unit(&d->index, d->main, i, &unit);
		end_index(d);
		missing[i] = !err && unit == SEG_NONE;
		if (!err && unit != SEG_NONE)
			err = walk_unit(d, unit, &g, i, fn, ctx);
	}
	for (size_t i = 0; i < covered->n && !err; i++)
		if (covered->id[i] != SEG_NONE && missing[covered->id[i]])
			covered->id[i] = SEG_NONE;
	return err;
}

/* Walks the uncovered units, as resolve_others() does. */
static int walk_others(struct dwarf *d, dwarf_unit_fn fn, void *ctx)
{
	_cleanup_(groups_release) struct groups g = {0};
	size_t n;
	int err;

	begin_index(d);
	err = index_complete(&d->index, d->main);
	end_index(d);
	n = d->main->units.len;
	err = err ?: add_owned(&g, &d->index.others, &d->index.covered) ?: group_spans(&g, n);
	for (uint32_t i = 0; i < n && !err; i++)
		err = walk_unit(d, i, &g, i, fn, ctx);
	return err;
}

void dwarf_walk_trim(const struct dwarf_unit *u)
{
	if (u->cache->bytes > u->d->opts.cache_bytes)
		trim(u->d, u->cu);
}

int dwarf_walk(struct dwarf *d, dwarf_unit_fn fn, void *ctx)
{
	int err;

	grant_inflating(d, 0);
	err = get_index(d) ? -ENOMEM : 0;
	allow(d, 0);
	d->frames.limited = d->frames.work.limited = false;
	err = err ?: walk_covered(d, fn, ctx) ?: walk_others(d, fn, ctx);
	return err ?: d->index_limited ? -EFBIG : 0;
}

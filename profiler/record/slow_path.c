// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/vec.h"
#include "profiler/procs/files.h"
#include "profiler/procs/procs.h"
#include "profiler/procs/rescan.h"
#include "profiler/record/slow_path.h"
#include "profiler/record/unwind_feed.h"
#include "profiler/record/vdso.h"
#include "profiler/sampler/drain.h"
#include "profiler/sampler/sampler.h"
#include "symbolizer/elf_obj.h"
#include "symbolizer/slow_unwind.h"
#include "symbolizer/unwind_walk.h"

/* Objects held open at once: what the programs of one burst map. */
#define OBJECTS_MAX 256
/* What waits for tables: half a second of 999 Hz on eight CPUs, and no longer than the largest table
 * takes on a busy machine. */
#define WAITING_MAX_BYTES (96u << 20)
#define WAITING_MAX_NS	  5000000000ull

struct object {
	uint32_t file;
	struct elf_obj *obj; /* NULL: cannot be opened */
	bool wants_table;    /* libunwind cannot do without */
};

struct waiting {
	struct raw_sample *raw;
	uint32_t file; /* whose table is not there; FILE_NONE: /proc is to be read again */
	uint64_t file_off;
};

struct slow_path {
	struct procs *procs;
	struct files *files;
	struct unwind_feed *feed;
	struct rescan *rescan;
	struct slow_unwind *unwind;
	VEC(struct object) objects;
	struct elf_obj *vdso;
	VEC(struct waiting) waiting; /* oldest first */
	size_t waiting_bytes;
	/* of the sample being walked */
	const struct raw_sample *now;
	bool past_slice; /* it read above what was captured */
	bool guessed;	 /* it has been where frame pointers were the best guess */
	uint32_t lacks;	 /* a file whose table is not there yet, or FILE_NONE */
	uint64_t lacks_off;
	struct slow_path_stats stats;
};

int slow_path_new(struct slow_path **out, struct procs *procs, struct files *files,
		  struct unwind_feed *feed, struct rescan *rescan)
{
	struct slow_path *s = calloc(1, sizeof(*s));
	int err, fd;

	if (!s)
		return -ENOMEM;
	s->procs = procs;
	s->files = files;
	s->feed = feed;
	s->rescan = rescan;
	err = slow_unwind_new(&s->unwind);
	if (err) {
		slow_path_free(s);
		return err;
	}
	fd = vdso_open();
	if (fd >= 0 && elf_obj_open(&s->vdso, fd, NULL))
		s->vdso = NULL;
	*out = s;
	return 0;
}

static void close_objects(struct slow_path *s)
{
	for (size_t i = 0; i < s->objects.len; i++)
		elf_obj_free(s->objects.data[i].obj);
	s->objects.len = 0;
}

void slow_path_free(struct slow_path *s)
{
	if (!s)
		return;
	close_objects(s);
	vec_release(&s->objects);
	for (size_t i = 0; i < s->waiting.len; i++)
		free(s->waiting.data[i].raw);
	vec_release(&s->waiting);
	elf_obj_free(s->vdso);
	slow_unwind_free(s->unwind);
	free(s);
}

static struct elf_obj *open_object(struct slow_path *s, uint32_t file, bool *again)
{
	struct elf_obj *obj = NULL;
	struct file_view v;
	int fd;

	files_get(s->files, file, &v);
	*again = v.err == -EAGAIN;
	fd = v.fd < 0 ? -1 : fcntl(v.fd, F_DUPFD_CLOEXEC, 3);
	if (fd >= 0 && elf_obj_open(&obj, fd, NULL))
		obj = NULL;
	files_release_fd(s->files, file);
	return obj;
}

static const struct object *object_of(struct slow_path *s, uint32_t file)
{
	struct object o = {.file = file};
	bool again;

	for (size_t i = 0; i < s->objects.len; i++)
		if (s->objects.data[i].file == file)
			return &s->objects.data[i];
	if (s->objects.len == OBJECTS_MAX) { /* closed before the next sample */
		s->stats.objects_full++;
		return NULL;
	}
	o.obj = open_object(s, file, &again);
	if (again || vec_push(&s->objects, o)) {
		elf_obj_free(o.obj);
		return NULL;
	}
	vec_last(&s->objects).wants_table = o.obj && slow_unwind_wants_table(o.obj);
	return &vec_last(&s->objects);
}

/* --- by libunwind ----------------------------------------------------------------------------- */

static void find_object(struct slow_path *s, const struct place *place, struct slow_place *out)
{
	const struct object *o;
	uint64_t va_minus_off;

	if (place->kind == PLACE_VDSO) {
		out->obj = s->vdso;
		return;
	}
	o = object_of(s, place->file);
	out->obj = o ? o->obj : NULL;
	if (o && o->wants_table)
		unwind_feed_place(s->feed, place->file, place->file_off, &out->table,
				  &va_minus_off);
}

static void find_place(void *ctx, uint64_t va, struct slow_place *out)
{
	struct slow_path *s = ctx;
	const struct elf_segment *seg;
	struct place place;

	procs_resolve(s->procs, (pid_t)s->now->tgid, s->now->time_ns, va, &place);
	out->is_jit = place.kind == PLACE_ANON;
	if (place.kind != PLACE_FILE && place.kind != PLACE_VDSO)
		return;
	find_object(s, &place, out);
	seg = out->obj ? elf_obj_segment_at_off(out->obj, place.file_off) : NULL;
	if (!seg)
		out->obj = NULL, out->table = NULL;
	else
		out->bias = va - (place.file_off - seg->file_off + seg->va);
}

static enum unwind_end walk_by_libunwind(struct slow_path *s, uint64_t *frames, uint32_t *n)
{
	static const enum unwind_end as_walk_end[] = {
		[SLOW_ROOT] = UNWIND_END_ROOT,	     [SLOW_SLICE] = UNWIND_END_SLICE,
		[SLOW_NO_INFO] = UNWIND_END_NO_RULE, [SLOW_LIMIT] = UNWIND_END_DEEP,
		[SLOW_ERROR] = UNWIND_END_LOOP,
	};
	const struct raw_sample *r = s->now;
	uint64_t sp = r->regs[UNWIND_RSP];
	struct slow_sample sample = {r->regs, r->stack, r->stack_len, sp - KILN_RAW_BASE(sp)};
	enum slow_end end;

	if (s->objects.len == OBJECTS_MAX)
		close_objects(s);
	*n = (uint32_t)slow_unwind(s->unwind, &sample, find_place, s, frames, UNWIND_FRAMES_MAX,
				   &end);
	s->stats.by_libunwind++;
	return as_walk_end[end];
}

/* --- by the kernel's tables ------------------------------------------------------------------- */

static enum unwind_in table_place(void *ctx, uint64_t va, const void **table, uint64_t *elf_va)
{
	struct slow_path *s = ctx;
	struct place place;
	uint64_t va_minus_off = 0;
	uint32_t file;

	procs_resolve(s->procs, (pid_t)s->now->tgid, s->now->time_ns, va, &place);
	s->guessed |= place.kind == PLACE_ANON;
	if (place.kind == PLACE_ANON)
		return UNWIND_IN_JIT;
	if (place.kind != PLACE_FILE && place.kind != PLACE_VDSO)
		return UNWIND_IN_NOTHING;
	file = place.kind == PLACE_VDSO ? FILE_VDSO : place.file;
	switch (unwind_feed_place(s->feed, file, place.file_off, table, &va_minus_off)) {
	case FEED_TABLE:
		*elf_va = place.file_off + va_minus_off;
		return UNWIND_IN_TABLE;
	case FEED_SOON:
		s->lacks = file;
		s->lacks_off = place.file_off;
		return UNWIND_IN_NO_TABLE;
	default:
		return UNWIND_IN_JIT; /* what the kernel takes it for, too */
	}
}

static bool read_stack(void *ctx, uint64_t addr, uint64_t *value)
{
	struct slow_path *s = ctx;
	uint64_t off = addr - KILN_RAW_BASE(s->now->regs[UNWIND_RSP]);

	if (off >= s->now->stack_len || s->now->stack_len - off < sizeof(*value)) {
		s->past_slice = true;
		return false;
	}
	memcpy(value, s->now->stack + off, sizeof(*value));
	return true;
}

static enum unwind_end walk_by_tables(struct slow_path *s, uint64_t *frames, uint32_t *n)
{
	static const struct unwind_ops ops = {table_place, read_stack};
	enum unwind_end end;

	s->past_slice = s->guessed = false;
	s->lacks = FILE_NONE;
	end = unwind_walk(&ops, s, s->now->regs, frames, UNWIND_FRAMES_MAX, n);
	return end == UNWIND_END_BAD_READ && s->past_slice ? UNWIND_END_SLICE : end;
}

/* --- one sample ------------------------------------------------------------------------------- */

/* In the middle of execve(2): the program is not the one that was known, and there is no stack yet. */
static bool is_exec(const struct raw_sample *r)
{
	return !r->stack_len && r->why == UNWIND_END_NO_MAPPING;
}

/* Code runs, or is returned to, where nothing is known to be mapped: mremap(2) makes no event. */
static bool is_unknown_code(struct slow_path *s, enum unwind_end end)
{
	return end == UNWIND_END_NO_MAPPING && !s->guessed &&
	       rescan_want(s->rescan, (pid_t)s->now->tgid, s->now->time_ns);
}

/* Walks a sample. False: it had better wait, for s->lacks or a look at /proc. */
static bool walk_one(struct slow_path *s, const struct raw_sample *r, bool may_wait)
{
	uint64_t frames[UNWIND_FRAMES_MAX];
	enum unwind_end end;
	uint32_t n = 0;

	s->now = r;
	if (is_exec(r)) { /* its user stack is gone with the old program */
		window_add_user_stack(r->into, r->word, NULL, 0, UNWIND_END_ROOT);
		return true;
	}
	end = walk_by_tables(s, frames, &n);
	if (may_wait && (s->lacks != FILE_NONE || is_unknown_code(s, end)))
		return false;
	if (s->lacks != FILE_NONE || end == UNWIND_END_SLOW)
		end = walk_by_libunwind(s, frames, &n);
	else
		s->stats.by_tables++;
	/* Out of memory: the stack stays missing, and is shown as such. */
	window_add_user_stack(r->into, r->word, frames, n, end);
	s->stats.complete += end == UNWIND_END_ROOT;
	s->stats.why[r->why]++;
	return true;
}

static size_t bytes_of(const struct raw_sample *r)
{
	return sizeof(*r) + r->stack_len;
}

/* Whether nothing has come of what a sample waits for. Most wait for the same file as the one before,
 * of which that is known. */
static bool still_lacks(struct slow_path *s, const struct waiting *w, uint32_t *lacking)
{
	const void *table;
	uint64_t va_minus_off;

	if (w->file == FILE_NONE)
		return rescan_is_due(s->rescan, (pid_t)w->raw->tgid);
	if (w->file == *lacking)
		return true;
	if (unwind_feed_place(s->feed, w->file, w->file_off, &table, &va_minus_off) != FEED_SOON)
		return false;
	*lacking = w->file;
	return true;
}

/* Looks at what waits again. Of one window nothing may wait on. */
static void walk_waiting(struct slow_path *s, const struct window *ending)
{
	uint64_t now = boottime_ns();
	uint32_t lacking = FILE_NONE;
	size_t kept = 0;

	for (size_t i = 0; i < s->waiting.len; i++) {
		struct waiting w = s->waiting.data[i];
		bool late = w.raw->into == ending || now - w.raw->time_ns > WAITING_MAX_NS;

		if (!late && still_lacks(s, &w, &lacking)) {
			s->waiting.data[kept++] = w;
		} else if (walk_one(s, w.raw, !late)) {
			s->stats.late += late && s->lacks != FILE_NONE;
			s->waiting_bytes -= bytes_of(w.raw);
			free(w.raw);
		} else {
			s->waiting.data[kept++] = (struct waiting){w.raw, s->lacks, s->lacks_off};
		}
	}
	s->waiting.len = kept;
}

void slow_path_run(struct slow_path *s, struct drain *d)
{
	walk_waiting(s, NULL);
	for (struct raw_sample *r; (r = drain_next_raw(d));) {
		bool room = s->waiting_bytes + bytes_of(r) <= WAITING_MAX_BYTES &&
			    !vec_reserve(&s->waiting, s->waiting.len + 1);

		if (walk_one(s, r, room)) {
			s->stats.crowded += !room && s->lacks != FILE_NONE;
			free(r);
			continue;
		}
		s->waiting.data[s->waiting.len++] = (struct waiting){r, s->lacks, s->lacks_off};
		s->waiting_bytes += bytes_of(r);
		s->stats.waited++;
	}
}

bool slow_path_waits(const struct slow_path *s)
{
	return s->waiting.len > 0;
}

void slow_path_finish(struct slow_path *s, const struct window *w)
{
	walk_waiting(s, w);
}

void slow_path_stats(const struct slow_path *s, struct slow_path_stats *out)
{
	*out = s->stats;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/vec.h"
#include "profiler/procs/files.h"
#include "profiler/procs/procs.h"
#include "profiler/record/slow_path.h"
#include "profiler/record/vdso.h"
#include "profiler/sampler/drain.h"
#include "symbolizer/elf_obj.h"
#include "symbolizer/slow_unwind.h"
#include "symbolizer/unwind_table.h"

/* Objects held open at once: what the programs of one burst map. */
#define OBJECTS_MAX 256
/*
 * Files whose code only a compiled table describes: the same that the feed's thread compiles for the
 * kernel, a few ms earlier. Larger ones would hold up everything else; and all that is held at once.
 */
#define TABLE_FILE_MAX	 (256ull << 20)
#define TABLES_MAX_BYTES (32u << 20)
/* How long one poll may wait for files that the opener has not got to yet. */
#define OPENER_WAIT_MS 50

struct object {
	uint32_t file;
	struct elf_obj *obj; /* NULL: cannot be opened */
	void *table;	     /* NULL: none, or libunwind can do without */
};

struct slow_path {
	struct procs *procs;
	struct files *files;
	struct slow_unwind *unwind;
	VEC(struct object) objects;
	size_t table_bytes; /* of all objects */
	struct elf_obj *vdso;
	const struct raw_sample *now; /* being walked */
	struct slow_path_stats stats;
};

int slow_path_new(struct slow_path **out, struct procs *procs, struct files *files)
{
	struct slow_path *s = calloc(1, sizeof(*s));
	int err, fd;

	if (!s)
		return -ENOMEM;
	s->procs = procs;
	s->files = files;
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
	for (size_t i = 0; i < s->objects.len; i++) {
		free(s->objects.data[i].table);
		elf_obj_free(s->objects.data[i].obj);
	}
	s->objects.len = s->table_bytes = 0;
}

void slow_path_free(struct slow_path *s)
{
	if (!s)
		return;
	close_objects(s);
	vec_release(&s->objects);
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

static void compile_table(struct slow_path *s, struct object *o)
{
	void *table;
	size_t len;

	if (!o->obj || !slow_unwind_wants_table(o->obj) || s->table_bytes >= TABLES_MAX_BYTES ||
	    elf_obj_file_size(o->obj) > TABLE_FILE_MAX ||
	    unwind_table_build(&table, &len, o->obj, NULL))
		return;
	o->table = table;
	s->table_bytes += len;
}

static const struct object *object_of(struct slow_path *s, uint32_t file)
{
	struct object o = {.file = file};
	bool again;

	for (size_t i = 0; i < s->objects.len; i++)
		if (s->objects.data[i].file == file)
			return &s->objects.data[i];
	if (s->objects.len == OBJECTS_MAX)
		return NULL; /* closed before the next sample */
	o.obj = open_object(s, file, &again);
	if (again || vec_push(&s->objects, o)) {
		elf_obj_free(o.obj);
		return NULL;
	}
	compile_table(s, &vec_last(&s->objects));
	return &vec_last(&s->objects);
}

static void find_place(void *ctx, uint64_t va, struct slow_place *out)
{
	struct slow_path *s = ctx;
	const struct elf_segment *seg;
	const struct object *o;
	struct place place;

	procs_resolve(s->procs, (pid_t)s->now->tgid, s->now->time_ns, va, &place);
	out->is_jit = place.kind == PLACE_ANON;
	if (place.kind != PLACE_FILE && place.kind != PLACE_VDSO)
		return;
	if (place.kind == PLACE_VDSO) {
		out->obj = s->vdso;
	} else {
		o = object_of(s, place.file);
		out->obj = o ? o->obj : NULL;
		out->table = o ? o->table : NULL;
	}
	seg = out->obj ? elf_obj_segment_at_off(out->obj, place.file_off) : NULL;
	if (!seg)
		out->obj = NULL, out->table = NULL;
	else
		out->bias = va - (place.file_off - seg->file_off + seg->va);
}

/* In the middle of execve(2): the program is not the one that was known, and there is no stack yet. */
static bool is_exec(const struct raw_sample *r)
{
	return !r->stack_len && r->why == UNWIND_END_NO_MAPPING;
}

static void walk_one(struct slow_path *s, const struct raw_sample *r)
{
	uint64_t sp = r->regs[UNWIND_RSP];
	struct slow_sample sample = {r->regs, r->stack, r->stack_len, sp - KILN_RAW_BASE(sp)};
	uint64_t frames[UNWIND_FRAMES_MAX];
	enum unwind_end as_walk_end[] = {
		[SLOW_ROOT] = UNWIND_END_ROOT,	     [SLOW_SLICE] = UNWIND_END_SLICE,
		[SLOW_NO_INFO] = UNWIND_END_NO_RULE, [SLOW_LIMIT] = UNWIND_END_DEEP,
		[SLOW_ERROR] = UNWIND_END_LOOP,
	};
	enum slow_end end;
	size_t n;

	s->now = r;
	if (is_exec(r)) { /* its user stack is gone with the old program */
		window_add_user_stack(r->into, r->word, NULL, 0, UNWIND_END_ROOT);
		return;
	}
	n = slow_unwind(s->unwind, &sample, find_place, s, frames, UNWIND_FRAMES_MAX, &end);
	/* Out of memory: the stack stays missing, and is shown as such. */
	window_add_user_stack(r->into, r->word, frames, n, as_walk_end[end]);
	s->stats.walked++;
	s->stats.complete += end == SLOW_ROOT;
	s->stats.why[r->why]++;
}

void slow_path_run(struct slow_path *s, struct drain *d)
{
	struct raw_sample *r = drain_next_raw(d);

	if (r)
		files_settle(s->files, OPENER_WAIT_MS);
	for (; r; r = drain_next_raw(d)) {
		if (s->objects.len == OBJECTS_MAX)
			close_objects(s);
		walk_one(s, r);
		free(r);
	}
}

void slow_path_stats(const struct slow_path *s, struct slow_path_stats *out)
{
	*out = s->stats;
}

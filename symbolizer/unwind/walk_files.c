// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/unwind/walk_files.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "profiler/base/vec.h"
#include "symbolizer/elf/elf_obj.h"
#include "symbolizer/unwind/unwind_table.h"

/*
 * Files whose code only a compiled table describes. The same table is compiled for the kernel, a
 * few ms later. Larger files would delay everything else. The second cap is for all tables held at
 * once.
 */
#define TABLE_FILE_MAX	 (256ull << 20)
#define TABLES_MAX_BYTES (32u << 20)

struct walk_file {
	uint32_t number;
	int fd;		     /* until it is opened */
	struct elf_obj *obj; /* NULL: not opened, or unusable */
	void *table;	     /* NULL: none, or libunwind needs none */
};

struct walk_files {
	struct cfi_walk *unwind;
	VEC(struct walk_file) files;
	size_t table_bytes;
	int note_fd;
	uint32_t noted;
	const struct walk_sample *now;
};

int walk_files_new(struct walk_files **out)
{
	struct walk_files *s = calloc(1, sizeof(*s));
	int err = s ? cfi_walk_new(&s->unwind) : -ENOMEM;

	if (err) {
		free(s);
		return err;
	}
	s->note_fd = -1;
	s->noted = WALK_FILE_NONE;
	*out = s;
	return 0;
}

static void close_file(struct walk_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	free(f->table);
	elf_obj_free(f->obj);
}

void walk_files_forget(struct walk_files *s)
{
	for (size_t i = 0; i < s->files.len; i++)
		close_file(&s->files.data[i]);
	s->files.len = s->table_bytes = 0;
}

void walk_files_free(struct walk_files *s)
{
	if (!s)
		return;
	walk_files_forget(s);
	vec_release(&s->files);
	cfi_walk_free(s->unwind);
	if (s->note_fd >= 0)
		close(s->note_fd);
	free(s);
}

void walk_files_note_to(struct walk_files *s, int fd)
{
	if (s->note_fd >= 0)
		close(s->note_fd);
	s->note_fd = fd;
}

static struct walk_file *find_file(struct walk_files *s, uint32_t number)
{
	for (size_t i = 0; i < s->files.len; i++)
		if (s->files.data[i].number == number)
			return &s->files.data[i];
	return NULL;
}

int walk_files_add(struct walk_files *s, uint32_t file, int fd)
{
	struct walk_file new = {.number = file, .fd = fd}, *old = find_file(s, file);
	int err = 0;

	if (old) {
		close_file(old);
		*old = new;
	} else {
		err = s->files.len == WALK_FILES_MAX ? -ENOSPC : vec_push(&s->files, new);
	}
	if (err)
		close_file(&new);
	return err;
}

/* Reports the current file, so that a failure can be blamed on it. */
static void note(struct walk_files *s, uint32_t number)
{
	if (s->note_fd < 0 || s->noted == number)
		return;
	s->noted = number;
	if (pwrite(s->note_fd, &number, sizeof(number), 0) != sizeof(number))
		s->noted = WALK_FILE_NONE;
}

static void open_file(struct walk_files *s, struct walk_file *f)
{
	size_t len;
	int err = elf_obj_open(&f->obj, f->fd, NULL);

	f->fd = -1;
	if (err)
		f->obj = NULL;
	if (err || !cfi_walk_wants_table(f->obj) || s->table_bytes >= TABLES_MAX_BYTES ||
	    elf_obj_file_size(f->obj) > TABLE_FILE_MAX)
		return;
	if (unwind_table_build(&f->table, &len, f->obj, NULL))
		f->table = NULL;
	else
		s->table_bytes += len;
}

static const struct walk_region *region_at(const struct walk_sample *w, uint64_t va)
{
	const struct walk_region *r, *best = NULL;
	size_t lo = 0, hi = w->n_live;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (w->regions[mid].start <= va)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo && va - w->regions[lo - 1].start < w->regions[lo - 1].len)
		return &w->regions[lo - 1];
	for (size_t i = w->n_live; i < w->n_regions; i++) {
		r = &w->regions[i];
		if (va - r->start < r->len && (!best || r->since_ns >= best->since_ns))
			best = r;
	}
	return best;
}

static void find_place(void *ctx, uint64_t va, struct cfi_place *out)
{
	struct walk_files *s = ctx;
	const struct walk_region *r = region_at(s->now, va);
	const struct elf_segment *seg;
	struct walk_file *f;
	uint64_t off;

	out->is_jit = r && r->file == WALK_FILE_NONE;
	f = r && !out->is_jit ? find_file(s, r->file) : NULL;
	if (!f)
		return;
	note(s, f->number);
	if (f->fd >= 0)
		open_file(s, f);
	off = r->file_off + (va - r->start);
	seg = f->obj ? elf_obj_segment_at_off(f->obj, off) : NULL;
	if (!seg)
		return;
	out->obj = f->obj;
	out->table = f->table;
	out->bias = va - (off - seg->file_off + seg->va);
}

size_t walk_files_walk(struct walk_files *s, const struct walk_sample *sample, uint64_t *frames,
		       size_t max, enum cfi_walk_end *end)
{
	s->now = sample;
	return cfi_walk(s->unwind, &sample->captured, find_place, s, frames, max, end);
}

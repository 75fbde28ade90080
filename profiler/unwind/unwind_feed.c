// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/profile.skel.h"
#include "profiler/base/hash.h"
#include "profiler/base/vec.h"
#include "profiler/files/files.h"
#include "profiler/procs/procs.h"
#include "profiler/unwind/unwind_feed.h"
#include "profiler/unwind/vdso.h"
#include "profiler/sampler/sampler.h"

/* The vDSO is no file of the files table: it is file 0 for the tables, and file i is i + 1. */
#define VDSO_FILE 0u

struct unwind_feed {
	struct unwind_tables *tables;
	struct unwind_maps *maps;
	struct files *files;
	int reported_fd;	 /* what samples have told of, by tgid; -1: they do not */
	VEC(pid_t) dirty;	 /* to be set at the next run */
	struct htab dirty_index; /* the tgid is the id */
	VEC(pid_t) waiting;	 /* set, but some table or file was not there yet */
	bool files_pending;	 /* some file was not open yet */
	VEC(struct unwind_region) regions;
};

int unwind_feed_new(struct unwind_feed **out, struct sampler *s, struct files *files,
		    struct table_worker *compiler, const char *cache_dir)
{
	struct profile_bpf *k = sampler_skeleton(s);
	struct unwind_tables_opts opts = {.map_fd = bpf_map__fd(k->maps.kiln_unw_tables),
					  .cache_dir = cache_dir,
					  .compiler = compiler};
	struct unwind_feed *f = calloc(1, sizeof(*f));
	int err, fd;

	if (!f)
		return -ENOMEM;
	f->files = files;
	f->reported_fd = sampler_reports_mappings(s) ? bpf_map__fd(k->maps.kiln_reported) : -1;
	err = unwind_maps_new(&f->maps, bpf_map__fd(k->maps.kiln_unw_small),
			      bpf_map__fd(k->maps.kiln_unw_medium),
			      bpf_map__fd(k->maps.kiln_unw_large))
		      ?: unwind_tables_new(&f->tables, &opts);
	if (err) {
		unwind_feed_free(f);
		return err;
	}
	fd = vdso_open();
	if (fd >= 0) {
		unwind_tables_want(f->tables, VDSO_FILE, fd);
		close(fd);
	}
	*out = f;
	return 0;
}

void unwind_feed_free(struct unwind_feed *f)
{
	if (!f)
		return;
	unwind_tables_free(f->tables);
	unwind_maps_free(f->maps);
	vec_release(&f->dirty);
	htab_release(&f->dirty_index);
	vec_release(&f->waiting);
	vec_release(&f->regions);
	free(f);
}

static bool same_id(const void *ctx, uint32_t id)
{
	return *(const uint32_t *)ctx == id;
}

/* Out of memory: the process is walked in user space. */
static void mark(struct unwind_feed *f, pid_t tgid)
{
	uint32_t id = (uint32_t)tgid;

	if (htab_find(&f->dirty_index, hash_u64(id), same_id, &id) != HTAB_NONE ||
	    vec_reserve(&f->dirty, f->dirty.len + 1) ||
	    htab_insert(&f->dirty_index, hash_u64(id), id))
		return;
	f->dirty.data[f->dirty.len++] = tgid;
}

void unwind_feed_changed(void *ctx, pid_t tgid)
{
	mark(ctx, tgid);
}

enum wanted { WANT_QUEUED, WANT_LATER, WANT_NEVER };

/* Asks for the table of a file. */
static enum wanted want_table(struct unwind_feed *f, uint32_t file)
{
	enum wanted result = WANT_NEVER;
	struct file_view v;

	files_get(f->files, file, &v);
	if (v.fd >= 0 && !unwind_tables_want(f->tables, file + 1, v.fd))
		result = WANT_QUEUED;
	else if (v.err == -EAGAIN)
		result = WANT_LATER;
	files_release_fd(f->files, file);
	f->files_pending |= result == WANT_LATER;
	return result;
}

/* What the kernel is told of one mapping. False: more can be told later. */
static bool describe(struct unwind_feed *f, const struct proc_mapping *m, struct unwind_region *r)
{
	uint32_t file = m->file == FILE_VDSO ? VDSO_FILE : m->file + 1;
	enum unwind_table_state state = unwind_tables_state(f->tables, file);
	uint64_t va_minus_off;

	*r = (struct unwind_region){.start = m->start, .len = m->len, .slot = UNWIND_SLOT_NONE};
	if (m->file == FILE_NONE) {
		r->slot = UNWIND_SLOT_JIT;
		return true;
	}
	if (unwind_tables_get(f->tables, file, m->file_off, &r->slot, &va_minus_off)) {
		r->bias = m->start - m->file_off - va_minus_off;
		return true;
	}
	if (state == TABLE_QUEUED)
		return false;
	/* loaded, but of other segments: data that is mapped to be run */
	if (state != TABLE_NONE && state != TABLE_LOADED && file != VDSO_FILE &&
	    want_table(f, m->file) != WANT_NEVER)
		return false;
	r->slot = UNWIND_SLOT_JIT; /* no table, for good: frame pointers are the best guess */
	return true;
}

static void set_process(struct unwind_feed *f, struct procs *procs, pid_t tgid)
{
	size_t n;
	uint32_t version, key = (uint32_t)tgid;
	const struct proc_mapping *live = procs_live(procs, tgid, &n, &version);
	bool complete = true;

	if (!live || !n) {
		unwind_maps_remove(f->maps, tgid);
		return;
	}
	if (vec_reserve(&f->regions, n))
		return;
	for (size_t i = 0; i < n; i++)
		complete &= describe(f, &live[i], &f->regions.data[i]);
	if (f->reported_fd < 0 || version)
		unwind_maps_set(f->maps, tgid, version, f->regions.data, n);
	else if (unwind_maps_remove(f->maps, tgid)) /* is to be told again, and soon */
		bpf_map_delete_elem(f->reported_fd, &key);
	if (!complete && vec_push(&f->waiting, tgid))
		return;
}

void unwind_feed_run(struct unwind_feed *f, struct procs *procs)
{
	if (unwind_tables_poll(f->tables) || f->files_pending) {
		f->files_pending = false;
		for (size_t i = 0; i < f->waiting.len; i++)
			mark(f, f->waiting.data[i]);
		f->waiting.len = 0;
	}
	for (size_t i = 0; i < f->dirty.len; i++)
		set_process(f, procs, f->dirty.data[i]);
	f->dirty.len = 0;
	htab_clear(&f->dirty_index);
}

void unwind_feed_settle(struct unwind_feed *f, struct procs *procs, int timeout_ms)
{
	unwind_feed_run(f, procs);
	files_settle(f->files, timeout_ms);
	unwind_feed_run(f, procs);
	unwind_tables_settle(f->tables, timeout_ms);
	unwind_feed_run(f, procs);
}

enum feed_place unwind_feed_place(struct unwind_feed *f, uint32_t file, uint64_t file_off,
				  const void **table, uint64_t *va_minus_off)
{
	uint32_t number = file == FILE_VDSO ? VDSO_FILE : file + 1, slot;

	if (unwind_tables_get(f->tables, number, file_off, &slot, va_minus_off)) {
		*table = unwind_tables_blob(f->tables, number);
		return FEED_TABLE;
	}
	switch (unwind_tables_state(f->tables, number)) {
	case TABLE_QUEUED:
		unwind_tables_hurry(f->tables, number);
		return FEED_SOON;
	case TABLE_UNKNOWN:
	case TABLE_EVICTED:
		if (file != FILE_VDSO && want_table(f, file) != WANT_NEVER)
			return FEED_SOON;
		return FEED_NEVER;
	default:
		return FEED_NEVER;
	}
}

int unwind_feed_table_error(const struct unwind_feed *f, uint32_t file)
{
	return unwind_tables_error(f->tables, file + 1);
}

void unwind_feed_stats(struct unwind_feed *f, struct unwind_tables_stats *tables,
		       struct unwind_maps_stats *maps)
{
	unwind_tables_stats(f->tables, tables);
	unwind_maps_stats(f->maps, maps);
}

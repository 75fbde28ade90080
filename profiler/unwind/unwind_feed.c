// SPDX-License-Identifier: GPL-2.0-or-later
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/profile.skel.h"
#include "profiler/base/clock.h"
#include "profiler/base/hash.h"
#include "profiler/base/vec.h"
#include "profiler/files/files.h"
#include "profiler/procs/near.h"
#include "profiler/procs/procs.h"
#include "profiler/unwind/table_users.h"
#include "profiler/unwind/unwind_feed.h"
#include "profiler/unwind/vdso.h"
#include "profiler/sampler/sampler.h"

/* The vDSO is not in the file table. For the unwind tables it is file 0, and file i is i + 1. */
#define VDSO_FILE 0u

/* Processes that change between two turns, and those without room in the maps. */
#define DIRTY_MAX   (1u << 18)
#define CROWDED_MAX (1u << 16)
/* Interval of tries whether there is room now. */
#define CROWDED_NS 10000000000ull
/* Interval of looks whether a JIT compiler has begun to write. */
#define YOUNG_MAX (1u << 12)
#define YOUNG_NS  500000000ull

struct unwind_feed {
	struct unwind_tables *tables;
	struct unwind_maps *maps; /* NULL: nothing walks in the kernel */
	struct table_users *users;
	struct files *files;
	int vdso_fd;
	int reported_fd;	 /* kiln_reported, by tgid; -1: samples report no mappings */
	VEC(pid_t) dirty;	 /* to set in the next run */
	struct htab dirty_index; /* tgids are ids */
	VEC(pid_t) waiting;	 /* set, but a file was not open yet or could not be queued */
	bool files_pending, queue_full; /* reasons for `waiting` */
	VEC(pid_t) crowded;		/* there was no room for them */
	uint64_t crowded_ns;		/* when the first of them came or was tried again */
	VEC(pid_t) young;		/* their jitdumps had no code so far */
	uint64_t young_ns;		/* as crowded_ns */
	uint64_t sweeps;		/* sweeps of the file table seen so far */
	uint64_t refused;
	VEC(struct unwind_region) regions;
	VEC(uint32_t) numbers; /* of the files of a process */
};

static uint32_t users_of(void *ctx, uint32_t file)
{
	const struct unwind_feed *f = ctx;

	return table_users_count(f->users, file);
}

static int new_maps(struct unwind_feed *f, struct profile_bpf *k)
{
	return unwind_maps_new(&f->maps, bpf_map__fd(k->maps.kiln_unw_small),
			       bpf_map__fd(k->maps.kiln_unw_medium),
			       bpf_map__fd(k->maps.kiln_unw_large));
}

static int new_tables(struct unwind_feed *f, const struct unwind_feed_opts *opts)
{
	struct profile_bpf *k = opts->sampler ? sampler_skeleton(opts->sampler) : NULL;
	struct unwind_tables_opts tables = {
		.map_fd = k ? bpf_map__fd(k->maps.kiln_unw_tables) : -1,
		.cache_dir = opts->cache_dir,
		.compiler = opts->compiler,
		.budget_bytes = opts->budget_bytes,
		.walked = k ? k->bss->unwind_walked : NULL,
		.users = users_of,
		.users_ctx = f,
	};

	int err = table_users_new(&f->users, 0);

	if (!err && k)
		err = new_maps(f, k);
	return err ?: unwind_tables_new(&f->tables, &tables);
}

int unwind_feed_new(struct unwind_feed **out, const struct unwind_feed_opts *opts)
{
	bool reports = opts->sampler && sampler_reports_mappings(opts->sampler);
	struct unwind_feed *f = calloc(1, sizeof(*f));
	int err;

	if (!f)
		return -ENOMEM;
	f->files = opts->files;
	f->vdso_fd = vdso_open();
	f->reported_fd =
		reports ? bpf_map__fd(sampler_skeleton(opts->sampler)->maps.kiln_reported) : -1;
	err = new_tables(f, opts);
	if (err) {
		unwind_feed_free(f);
		return err;
	}
	if (f->vdso_fd >= 0)
		unwind_tables_want(f->tables, VDSO_FILE, SYM_FILE_OF(f->vdso_fd));
	*out = f;
	return 0;
}

void unwind_feed_free(struct unwind_feed *f)
{
	if (!f)
		return;
	unwind_tables_free(f->tables);
	unwind_maps_free(f->maps);
	table_users_free(f->users);
	if (f->vdso_fd >= 0)
		close(f->vdso_fd);
	vec_release(&f->dirty);
	htab_release(&f->dirty_index);
	vec_release(&f->waiting);
	vec_release(&f->crowded);
	vec_release(&f->young);
	vec_release(&f->regions);
	vec_release(&f->numbers);
	free(f);
}

static bool same_id(const void *ctx, uint32_t id)
{
	return *(const uint32_t *)ctx == id;
}

/* Removes a process from the kernel's maps. Its samples are then walked in user space. */
static void unset(struct unwind_feed *f, pid_t tgid)
{
	if (f->maps)
		unwind_maps_remove(f->maps, tgid);
	table_users_remove(f->users, tgid);
}

/* Does the same for lack of room. The process is tried again later. */
static void refuse(struct unwind_feed *f, pid_t tgid)
{
	unset(f, tgid);
	f->refused++;
	if (!f->crowded.len)
		f->crowded_ns = boottime_ns();
	if (f->crowded.len < CROWDED_MAX && vec_push(&f->crowded, tgid))
		return; /* walked in user space until its mappings change */
}

static void mark(void *ctx, pid_t tgid)
{
	struct unwind_feed *f = ctx;
	uint32_t id = (uint32_t)tgid;

	if (htab_find(&f->dirty_index, hash_u64(id), same_id, &id) != HTAB_NONE)
		return;
	if (f->dirty.len >= DIRTY_MAX || vec_reserve(&f->dirty, f->dirty.len + 1) ||
	    htab_insert(&f->dirty_index, hash_u64(id), id))
		refuse(f, tgid);
	else
		f->dirty.data[f->dirty.len++] = tgid;
}

void unwind_feed_changed(void *ctx, pid_t tgid)
{
	mark(ctx, tgid);
}

enum wanted { WANT_QUEUED, WANT_LATER, WANT_NO_ROOM, WANT_NEVER };

static uint32_t number_of(uint32_t file)
{
	return file == FILE_VDSO ? VDSO_FILE : file + 1;
}

static enum wanted want_by(struct unwind_feed *f, uint32_t number, const struct sym_file *what)
{
	int err = unwind_tables_want(f->tables, number, what);

	f->queue_full |= err == -EAGAIN;
	switch (err) {
	case 0:
		return WANT_QUEUED;
	case -EAGAIN:
		return WANT_LATER;
	case -ENOSPC:
		return WANT_NO_ROOM;
	default:
		return WANT_NEVER;
	}
}

/* Asks for a newer table of a jitdump, if there may be one. */
static void renew_jit(struct unwind_feed *f, uint32_t dump)
{
	struct file_view v;
	struct sym_file what;

	if (!unwind_tables_may_renew(f->tables, number_of(dump)))
		return;
	files_get(f->files, dump, &v);
	what = file_view_sym(&v);
	if (!v.err)
		unwind_tables_renew(f->tables, number_of(dump), &what);
	files_release_fd(f->files, dump);
}

/* Asks for the table of a file. */
static enum wanted want_table(struct unwind_feed *f, uint32_t file)
{
	enum wanted result = WANT_NEVER;
	struct file_view v;
	struct sym_file what;

	if (file == FILE_VDSO)
		return f->vdso_fd < 0 ? WANT_NEVER : want_by(f, VDSO_FILE, SYM_FILE_OF(f->vdso_fd));
	files_get(f->files, file, &v);
	if (!v.err) {
		what = file_view_sym(&v);
		result = want_by(f, number_of(file), &what);
	} else if (v.err == -EAGAIN) {
		result = WANT_LATER;
		f->files_pending = true;
	}
	files_release_fd(f->files, file);
	return result;
}

/* 32-bit code lies below. */
#define COMPAT_END (1ull << 32)

/* Whether a file with a table is 32-bit code: the kernel half does not walk that. */
static bool is_compat(const struct unwind_feed *f, uint32_t number)
{
	const struct unwind_head *head = unwind_tables_blob(f->tables, number);

	return head && head->machine == EM_386;
}

/* Describes one mapping for the kernel's maps. False: set it again later, because the file is not open yet or could not
 * be queued. When a table has been loaded, all its users are set again. An evicted one is not requested before a walk
 * needs it. */
static bool describe(struct unwind_feed *f, const struct proc_mapping *m, struct unwind_region *r)
{
	uint32_t number = number_of(m->file);
	enum wanted wanted = WANT_NEVER;
	uint64_t va_minus_off;

	*r = (struct unwind_region){.start = m->start, .len = m->len, .slot = UNWIND_SLOT_NONE};
	if (m->file == FILE_NONE) {
		r->slot = UNWIND_SLOT_JIT;
		return true;
	}
	if (m->file == FILE_VDSO && m->start < COMPAT_END)
		return true; /* that of 32-bit programs */
	if (unwind_tables_get(f->tables, number, m->file_off, &r->slot, &va_minus_off)) {
		if (is_compat(f, number))
			r->slot = UNWIND_SLOT_NONE;
		r->bias = m->start - m->file_off - va_minus_off;
		return true;
	}
	switch (unwind_tables_state(f->tables, number)) {
	case TABLE_QUEUED:
	case TABLE_EVICTED:
		return true;
	case TABLE_UNKNOWN:
		wanted = want_table(f, m->file);
		break;
	case TABLE_NONE:
	case TABLE_LOADED: /* of another segment: data that is mapped executable */
		break;
	}
	if (wanted == WANT_NEVER)
		r->slot = UNWIND_SLOT_JIT; /* permanently: frame pointers are the best guess */
	return wanted != WANT_LATER;
}

/* The distance from ELF addresses of a mapping's file to where they are in the process, and the slot that its
 * code at va has. False: there is none. */
static bool find_code(const struct unwind_feed *f, const struct proc_mapping *m, uint64_t va,
		      uint64_t *bias, uint32_t *slot, uint64_t *file_off)
{
	uint32_t number = number_of(m->file);
	uint64_t va_minus_off;

	if (!unwind_tables_get(f->tables, number, m->file_off, slot, &va_minus_off))
		return false;
	*bias = m->start - m->file_off - va_minus_off;
	return unwind_tables_find_code(f->tables, number, va - *bias, slot, file_off);
}

bool unwind_feed_is_code_of(void *ctx, const struct proc_mapping *m, uint64_t va,
			    uint64_t *file_off)
{
	uint64_t bias;
	uint32_t slot;

	return find_code(ctx, m, va, &bias, &slot, file_off);
}

/* Whether there may be a table of a file whose table is not loaded. */
static bool may_come(struct unwind_feed *f, uint32_t file)
{
	enum unwind_table_state state = unwind_tables_state(f->tables, number_of(file));
	struct file_view v;

	if (state != TABLE_UNKNOWN)
		return state == TABLE_QUEUED || state == TABLE_EVICTED;
	files_get(f->files, file, &v);
	files_release_fd(f->files, file);
	return !v.err || v.err == -EAGAIN;
}

/* Tries to walk anonymous memory by the file of a mapping next to it. True: that is settled. */
static bool describe_by(struct unwind_feed *f, const struct proc_mapping *near,
			struct unwind_region *r)
{
	uint64_t bias, file_off;
	uint32_t slot;

	if (find_code(f, near, r->start, &bias, &slot, &file_off)) {
		r->slot = slot;
		r->bias = bias;
		return true;
	}
	if (may_come(f, near->file))
		r->slot = UNWIND_SLOT_NONE; /* user space walks until that is known */
	return false;
}

/* Anonymous memory may be what a program has copied its code to (procs_resolve()). */
static void describe_anon(struct unwind_feed *f, const struct proc_mapping *live, size_t n,
			  size_t i)
{
	const struct proc_mapping *near[2];

	near_files(live, n, i, near);
	if (!near[0] || !describe_by(f, near[0], &f->regions.data[i]))
		if (near[1])
			describe_by(f, near[1], &f->regions.data[i]);
}

/* Looks again later whether there is code in a jitdump. */
static void note_young(struct unwind_feed *f, pid_t tgid, uint32_t dump)
{
	renew_jit(f, dump);
	for (size_t i = 0; i < f->young.len; i++)
		if (f->young.data[i] == tgid)
			return;
	if (!f->young.len)
		f->young_ns = boottime_ns();
	if (f->young.len == YOUNG_MAX || vec_push(&f->young, tgid))
		f->refused++; /* walked by frame pointers until its mappings change */
}

/* Code that a jitdump describes is walked in user space, which knows how new the table is. */
static void describe_jit(struct unwind_feed *f, pid_t tgid, uint32_t dump, size_t n)
{
	uint32_t number = number_of(dump);

	if (unwind_tables_state(f->tables, number) == TABLE_NONE) {
		if (unwind_tables_error(f->tables, number) == -EAGAIN)
			note_young(f, tgid, dump);
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (f->regions.data[i].slot == UNWIND_SLOT_JIT)
			f->regions.data[i].slot = UNWIND_SLOT_NONE;
}

/* Notes the files of these mappings. 0, -ENOSPC or -ENOMEM. */
static int note_files(struct unwind_feed *f, pid_t tgid, const struct proc_mapping *live, size_t n)
{
	int err = vec_reserve(&f->numbers, n);

	if (err)
		return err;
	f->numbers.len = 0;
	for (size_t i = 0; i < n; i++)
		if (live[i].file != FILE_NONE)
			f->numbers.data[f->numbers.len++] = number_of(live[i].file);
	return table_users_set(f->users, tgid, f->numbers.data, f->numbers.len);
}

/* Frame pointers of 32-bit code are no guess for the kernel half either. */
static void leave_compat(struct unwind_feed *f, const struct proc_mapping *live, size_t n)
{
	bool any = false;

	for (size_t i = 0; i < n && !any; i++)
		any = live[i].file < FILE_VDSO && is_compat(f, number_of(live[i].file));
	for (size_t i = 0; i < n && any; i++)
		if (f->regions.data[i].slot == UNWIND_SLOT_JIT)
			f->regions.data[i].slot = UNWIND_SLOT_NONE;
}

static void set_process(struct unwind_feed *f, struct procs *procs, pid_t tgid)
{
	size_t n;
	uint32_t version, key = (uint32_t)tgid;
	const struct proc_mapping *live = procs_live(procs, tgid, &n, &version);
	const struct proc_image *image;
	bool complete = true;
	int err = 0;

	if (!live || !n) {
		unset(f, tgid);
		return;
	}
	if (vec_reserve(&f->regions, n) || note_files(f, tgid, live, n)) {
		refuse(f, tgid);
		return;
	}
	for (size_t i = 0; i < n; i++)
		complete &= describe(f, &live[i], &f->regions.data[i]);
	for (size_t i = 0; i < n; i++)
		if (live[i].file == FILE_NONE)
			describe_anon(f, live, n, i);
	leave_compat(f, live, n);
	image = procs_image(procs, tgid, boottime_ns());
	if (image && image->jitdump != FILE_NONE)
		describe_jit(f, tgid, image->jitdump, n);
	/* Without maps, samples come as they are, and ask for their places. */
	if (f->maps && (f->reported_fd < 0 || version))
		err = unwind_maps_set(f->maps, tgid, version, f->regions.data, n);
	/* Its mappings must be reported again, and soon. */
	else if (f->maps && unwind_maps_remove(f->maps, tgid))
		bpf_map_delete_elem(f->reported_fd, &key);
	if (err || (!complete && vec_push(&f->waiting, tgid)))
		refuse(f, tgid);
}

/* Marks processes whose files could not be opened or queued: they may be now. */
static void mark_waiting(struct unwind_feed *f)
{
	if (!f->files_pending && !(f->queue_full && unwind_tables_has_queue(f->tables)))
		return;
	f->files_pending = f->queue_full = false;
	for (size_t i = 0; i < f->waiting.len; i++)
		mark(f, f->waiting.data[i]);
	f->waiting.len = 0;
}

/* Marks processes without room: others have ended since. */
static void mark_crowded(struct unwind_feed *f)
{
	uint64_t now = boottime_ns();
	size_t n = f->crowded.len;

	if (!n || now - f->crowded_ns < CROWDED_NS)
		return;
	f->crowded_ns = now;
	f->crowded.len = 0;
	for (size_t i = 0; i < n; i++)
		mark(f, f->crowded.data[i]); /* those that come back are put before i */
}

/* Marks processes whose jitdumps had no code: they may have some now. */
static void mark_young(struct unwind_feed *f)
{
	size_t n = f->young.len;

	if (!n || boottime_ns() - f->young_ns < YOUNG_NS)
		return;
	f->young.len = 0;
	for (size_t i = 0; i < n; i++)
		mark(f, f->young.data[i]);
}

static bool knows_file(void *ctx, uint32_t number)
{
	const struct unwind_feed *f = ctx;

	return number == VDSO_FILE || files_knows(f->files, number - 1);
}

static void forget_files(struct unwind_feed *f)
{
	uint64_t sweeps = files_sweeps(f->files);

	if (sweeps != f->sweeps)
		unwind_tables_forget(f->tables, knows_file, f);
	f->sweeps = sweeps;
}

void unwind_feed_run(struct unwind_feed *f, struct procs *procs)
{
	uint32_t *changed;
	size_t n;

	forget_files(f);
	n = unwind_tables_poll(f->tables, &changed);
	table_users_each(f->users, changed, n, mark, f);
	mark_waiting(f);
	mark_crowded(f);
	mark_young(f);
	for (size_t i = 0; i < f->dirty.len; i++)
		set_process(f, procs, f->dirty.data[i]);
	f->dirty.len = 0;
	htab_clear(&f->dirty_index);
	unwind_tables_release(f->tables);
}

void unwind_feed_settle(struct unwind_feed *f, struct procs *procs, int timeout_ms)
{
	uint64_t begin = monotonic_ns(), waited_ms;

	unwind_feed_run(f, procs);
	files_settle(f->files, timeout_ms);
	unwind_feed_run(f, procs);
	waited_ms = (monotonic_ns() - begin) / 1000000;
	unwind_tables_settle(f->tables,
			     waited_ms < (uint64_t)timeout_ms ? timeout_ms - (int)waited_ms : 0);
	unwind_feed_run(f, procs);
}

/* Of a file whose table is not loaded. */
static enum feed_place place_of_state(struct unwind_feed *f, uint32_t file)
{
	uint32_t number = number_of(file);

	switch (unwind_tables_state(f->tables, number)) {
	case TABLE_QUEUED:
		unwind_tables_hurry(f->tables, number);
		return FEED_SOON;
	case TABLE_UNKNOWN:
	case TABLE_EVICTED:
		break;
	default:
		return FEED_NEVER;
	}
	switch (want_table(f, file)) {
	case WANT_NO_ROOM:
		return FEED_NO_ROOM;
	case WANT_NEVER:
		return FEED_NEVER;
	default:
		return FEED_SOON;
	}
}

enum feed_place unwind_feed_place(struct unwind_feed *f, uint32_t file, uint64_t file_off,
				  const void **table, uint64_t *va_minus_off)
{
	uint32_t number = number_of(file), slot;

	if (unwind_tables_get(f->tables, number, file_off, &slot, va_minus_off)) {
		unwind_tables_touch(f->tables, number);
		*table = unwind_tables_blob(f->tables, number);
		return FEED_TABLE;
	}
	return place_of_state(f, file);
}

enum feed_place unwind_feed_jit(struct unwind_feed *f, uint32_t dump, uint64_t since_ns,
				uint32_t written, const void **table)
{
	uint32_t number = number_of(dump);

	*table = unwind_tables_blob(f->tables, number);
	if (!*table)
		return place_of_state(f, dump);
	unwind_tables_touch(f->tables, number);
	if (unwind_tables_is_as_new(f->tables, number, since_ns, written))
		return FEED_TABLE;
	renew_jit(f, dump);
	return FEED_SOON;
}

bool unwind_feed_awaits(struct unwind_feed *f, uint32_t file)
{
	return place_of_state(f, file) == FEED_SOON;
}

int unwind_feed_table_error(const struct unwind_feed *f, uint32_t file)
{
	return unwind_tables_error(f->tables, number_of(file));
}

void unwind_feed_stats(struct unwind_feed *f, struct unwind_tables_stats *tables,
		       struct unwind_maps_stats *maps)
{
	unwind_tables_stats(f->tables, tables);
	*maps = (struct unwind_maps_stats){0};
	if (f->maps)
		unwind_maps_stats(f->maps, maps);
}

void unwind_feed_own_stats(const struct unwind_feed *f, struct unwind_feed_stats *out)
{
	struct table_users_stats users;

	table_users_stats(f->users, &users);
	*out = (struct unwind_feed_stats){f->refused, users.bytes};
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/text.h"
#include "profiler/files/files.h"
#include "profiler/procs/near.h"
#include "profiler/procs/procs.h"
#include "profiler/procs/table.h"

/* Ended images are needed until the window of their samples is drained, and dropped after that.
 * This is for late events. */
#define LINGER_NS 10000000000ull
#define MAX_BYTES (64u << 20)

int procs_new(struct procs **out, const struct procs_opts *opts)
{
	struct procs *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	if (opts)
		p->opts = *opts;
	if (!p->opts.linger_ns)
		p->opts.linger_ns = LINGER_NS;
	if (!p->opts.max_bytes)
		p->opts.max_bytes = MAX_BYTES;
	*out = p;
	return 0;
}

struct files *procs_files(const struct procs *p)
{
	return p->opts.files;
}

static void notify(const struct procs *p, pid_t tgid)
{
	if (p->opts.changed)
		p->opts.changed(p->opts.changed_ctx, tgid);
}

/* --- events ----------------------------------------------------------------------------------- */

/* The image that an event at t_ns is about. Makes an unknown process known. NULL: too old, or no
 * room. */
static struct image *image_for_event(struct procs *p, uint64_t t_ns, pid_t tgid)
{
	struct proc *proc = table_find(p, tgid);
	uint32_t n = proc ? images_until(proc, t_ns) : 0;
	struct image *im = n ? proc->images[n - 1] : NULL;

	if (im && t_ns < im->pub.end_ns)
		return im;
	if (proc && n < proc->n_images)
		return NULL; /* before, or between, known images */
	im = table_begin_image(p, t_ns, tgid);
	if (im) {
		proc = table_find(p, tgid);
		table_clear_threads(p, proc);
		proc->leader_gone = false;
		im->pub.discovered = true;
	}
	return im;
}

static void set_comm(struct image *im, const char *comm)
{
	size_t len = strnlen(comm, sizeof(im->pub.comm) - 1);
	bool clean = text_is_clean(comm, len);

	memset(im->pub.comm, 0, sizeof(im->pub.comm));
	for (size_t i = 0; i < len; i++)
		im->pub.comm[i] = clean || (comm[i] >= ' ' && comm[i] < 0x7f) ? comm[i] : '?';
}

/*
 * True for a FORK event of a process that the scan has found. It was forked while /proc was read.
 * This event and later ones are better than what was read meanwhile.
 */
static bool is_scanned_twin(const struct proc *proc, const struct image *im, uint64_t t_ns)
{
	return im->scanned && image_is_alive(im) && im->pub.begin_ns <= t_ns &&
	       t_ns <= proc->scan_to_ns;
}

static void inherit(struct image *im, struct image *parent)
{
	memcpy(im->pub.comm, parent->pub.comm, sizeof(im->pub.comm));
	im->pub.uid = parent->pub.uid;
	im->pub.exe = parent->pub.exe;
	im->pub.jitdump = parent->pub.jitdump;
	im->pub.monotonic_ns = parent->pub.monotonic_ns;
	im->pub.has_anon_exec = parent->pub.has_anon_exec;
	im->has_file = parent->has_file;
	table_note_forebear(&im->pub, &parent->pub);
	space_fork(&im->space, &parent->space);
}

void procs_fork(struct procs *p, uint64_t t_ns, pid_t tgid, pid_t tid, pid_t parent_tgid)
{
	struct proc *proc, *parent;
	struct image *im, *parent_image;
	uint32_t uid = UINT32_MAX;
	pid_t ns_tgid = 0;

	if (tid != tgid) {
		im = image_for_event(p, t_ns, tgid);
		proc = im ? table_find(p, tgid) : NULL;
		if (im && table_is_newest(proc, im))
			table_add_thread(p, proc, tid);
		return;
	}
	proc = table_find(p, tgid);
	im = proc ? proc->images[proc->n_images - 1] : NULL;
	if (im && is_scanned_twin(proc, im, t_ns)) {
		uid = im->pub.uid;
		ns_tgid = im->pub.ns_tgid;
		table_drop_image(p, im);
	}
	im = table_begin_image(p, t_ns, tgid);
	if (!im)
		return;
	im->pub.parent_tgid = parent_tgid;
	proc = table_find(p, tgid);
	if (table_is_newest(proc, im)) {
		table_clear_threads(p, proc);
		proc->leader_gone = false;
		proc->scan_from_ns = proc->scan_to_ns = 0;
	}
	parent = parent_tgid == tgid ? NULL : table_find(p, parent_tgid);
	parent_image = parent ? table_image_at(parent, t_ns) : NULL;
	if (parent_image)
		inherit(im, parent_image);
	if (uid != UINT32_MAX)
		im->pub.uid = uid;
	im->pub.ns_tgid = ns_tgid;
	notify(p, tgid);
}

/* Handles an exec while /proc was read: what was read may be of the new program. */
static void distrust_scan(struct procs *p, struct proc *proc, struct image *im, uint64_t t_ns)
{
	if (proc->scan_to_ns && t_ns <= proc->scan_to_ns) {
		space_drop_since(&im->space, proc->scan_stamp_ns, &p->total);
		proc->scan_from_ns = proc->scan_to_ns = 0;
	}
}

static void exec_image(struct procs *p, uint64_t t_ns, pid_t tgid, const char *comm)
{
	struct proc *proc = table_find(p, tgid);
	struct image *old = proc ? table_image_at(proc, t_ns) : NULL, *im;
	struct proc_image facts = {.uid = UINT32_MAX};

	if (old) {
		facts = old->pub;
		if (table_is_newest(proc, old))
			distrust_scan(p, proc, old, t_ns);
	}
	im = table_begin_image(p, t_ns, tgid);
	if (!im)
		return;
	im->pub.uid = facts.uid;
	im->pub.ns_tgid = facts.ns_tgid;
	im->pub.parent_tgid = facts.parent_tgid;
	set_comm(im, comm);
	proc = table_find(p, tgid);
	if (table_is_newest(proc, im)) {
		table_clear_threads(p, proc); /* exec(2) ends all other threads */
		proc->leader_gone = false;
	}
	notify(p, tgid);
}

void procs_comm(struct procs *p, uint64_t t_ns, pid_t tgid, pid_t tid, const char *comm, bool exec)
{
	struct image *im;

	if (exec) {
		exec_image(p, t_ns, tgid, comm);
		return;
	}
	im = image_for_event(p, t_ns, tgid);
	if (im && tid == tgid)
		set_comm(im, comm);
}

void procs_exit(struct procs *p, uint64_t t_ns, pid_t tgid, pid_t tid)
{
	struct proc *proc = table_find(p, tgid);
	struct image *im = proc ? proc->images[proc->n_images - 1] : NULL;
	uint32_t id = (uint32_t)tid;

	if (!im || !image_is_alive(im) || t_ns < im->pub.begin_ns)
		return;
	if (t_ns < proc->scan_from_ns)
		/* The process lived when /proc was read, so this event is about an earlier one. */
		return;
	if (tid == tgid)
		proc->leader_gone = true;
	else
		htab_remove(&proc->threads, table_tid_hash(tid), id);
	if (!proc->leader_gone || proc->threads.len)
		return;
	table_clear_threads(p, proc);
	table_bury(p, im, t_ns);
	if (im->pub.begin_ns == t_ns)
		table_drop_image(p, im);
	notify(p, tgid);
}

static void note_mapping(struct image *im, const struct proc_mapping *m)
{
	im->pub.has_anon_exec |= m->file == FILE_NONE;
	im->has_file |= m->file != FILE_NONE && m->file != FILE_VDSO;
}

/* What an exec maps first. Snapshots and /proc say which it is: their first file may be a library. */
static void guess_exe(struct image *im, const struct proc_mapping *m)
{
	if (!im->has_file && im->pub.exe == FILE_NONE && m->file != FILE_VDSO)
		im->pub.exe = m->file;
}

/* The mappings no longer equal a snapshot. */
static void changed_otherwise(struct image *im)
{
	if (!im->is_cut)
		im->version = 0;
}

static int map_into(struct procs *p, struct image *im, uint64_t t_ns, const struct proc_mapping *m)
{
	bool known = space_has(&im->space, m);
	int err = table_make_room(p, im) ? space_map(&im->space, t_ns, m, &p->total) : -ENOSPC;

	if (err) {
		p->stats.mappings_capped++;
		return err;
	}
	if (!known)
		changed_otherwise(im);
	note_mapping(im, m);
	return 0;
}

void procs_mmap(struct procs *p, uint64_t t_ns, pid_t tgid, const struct proc_mapping *m)
{
	struct image *im = image_for_event(p, t_ns, tgid);

	if (!im)
		return;
	guess_exe(im, m);
	if (!map_into(p, im, t_ns, m))
		notify(p, tgid);
}

/* Whose process it is, and its number there, as somebody saw it: no event tells either. */
static void set_owner(struct image *im, uint32_t uid, pid_t ns_tgid)
{
	if (uid != UINT32_MAX)
		im->pub.uid = uid;
	if (ns_tgid)
		im->pub.ns_tgid = ns_tgid;
}

void procs_owner(struct procs *p, uint64_t t_ns, pid_t tgid, uint32_t uid, pid_t ns_tgid)
{
	struct image *im = image_for_event(p, t_ns, tgid);

	if (im)
		set_owner(im, uid, ns_tgid);
}

static void set_jitdump(struct image *im, uint32_t file, int64_t monotonic_ns)
{
	if (file == FILE_NONE)
		return;
	im->pub.jitdump = file;
	im->pub.monotonic_ns = monotonic_ns;
}

void procs_jitdump(struct procs *p, uint64_t t_ns, pid_t tgid, uint32_t file, int64_t monotonic_ns)
{
	struct image *im = image_for_event(p, t_ns, tgid);

	if (im)
		set_jitdump(im, file, monotonic_ns);
}

/* --- all that is mapped, seen at once --------------------------------------------------------- */

/* Makes the image's mappings equal to the snapshot. 1 if anything may be different, else 0, or
 * -ENOMEM. */
static int apply_snapshot(struct procs *p, struct image *im, struct space_snapshot *snap)
{
	int changed;

	snap->no_room = !table_make_room(p, im);
	changed = space_apply_snapshot(&im->space, snap, &p->total);
	p->stats.mappings_capped += snap->refused;
	if (changed < 0)
		return changed;
	for (size_t i = 0; i < snap->n; i++)
		note_mapping(im, &snap->m[i]);
	return changed;
}

void procs_snapshot(struct procs *p, const struct proc_snapshot *s)
{
	struct image *im = image_for_event(p, s->t_ns, s->tgid);
	struct space_snapshot snap = {
		.m = s->mappings,
		.n = s->n,
		.seen_ns = s->t_ns,
	};
	uint32_t version;
	int changed;

	if (!im || (im->is_seen && s->t_ns < im->seen_ns))
		return;
	/* What was mapped before the first sample is never looked up. */
	snap.since_ns = im->is_seen ? s->t_ns : im->pub.begin_ns;
	snap.late_ns = snap.since_ns;
	if (s->exe != FILE_NONE)
		im->pub.exe = s->exe;
	set_owner(im, s->uid, s->ns_tgid);
	set_jitdump(im, s->jitdump, s->monotonic_ns);
	changed = apply_snapshot(p, im, &snap);
	im->is_cut = false;
	im->is_seen = true;
	im->seen_ns = s->t_ns;
	/* No version if something has changed since, or if there was no room for all of it. */
	version = space_is(&im->space, s->mappings, s->n) ? s->version : 0;
	if (!changed && version == im->version)
		return;
	im->version = version;
	if (image_is_alive(im))
		notify(p, s->tgid);
}

void procs_snapshot_cut(struct procs *p, pid_t tgid, uint64_t t_ns, uint32_t version)
{
	struct image *im = image_for_event(p, t_ns, tgid);

	if (!im)
		return;
	im->version = version;
	im->is_cut = true;
	if (image_is_alive(im))
		notify(p, tgid);
}

/* --- what the scan found ---------------------------------------------------------------------- */

/* The image of a scanned process: a known one, or a new one. */
static struct image *image_for_scan(struct procs *p, const struct scanned *s)
{
	struct proc *proc = table_find(p, s->tgid);
	struct image *im = proc ? proc->images[proc->n_images - 1] : NULL;

	if (im && image_is_alive(im) && im->pub.begin_ns >= s->start_ns) {
		uint32_t n = proc->n_images;
		uint64_t before = n > 1 ? proc->images[n - 2]->pub.end_ns : 0;

		if (im->pub.discovered)
			im->pub.begin_ns = s->start_ns > before ? s->start_ns : before;
		im->pub.discovered = false;
		return im;
	}
	if (im && im->pub.begin_ns >= s->start_ns)
		return NULL; /* known to have ended since */
	im = table_begin_image(p, s->start_ns, s->tgid);
	if (im)
		im->scanned = true;
	return im;
}

int procs_add_scanned(struct procs *p, const struct scanned *s)
{
	struct image *im = image_for_scan(p, s);
	struct proc *proc = im ? table_find(p, s->tgid) : NULL;
	uint64_t stamp = im && im->pub.begin_ns > s->now_ns ? im->pub.begin_ns : s->now_ns;

	if (!im)
		return 0;
	im->pub.parent_tgid = s->parent_tgid;
	if (!im->pub.forebears[0].tgid) /* else the event of its fork has told */
		memcpy(im->pub.forebears, s->forebears, sizeof(s->forebears));
	set_owner(im, s->uid, s->ns_tgid);
	set_comm(im, s->comm);
	proc->leader_gone |= s->leader_gone;
	for (size_t i = 0; i < s->n_tids; i++)
		table_add_thread(p, proc, s->tids[i]);
	if (s->exe != FILE_NONE)
		im->pub.exe = s->exe;
	set_jitdump(im, s->jitdump, s->monotonic_ns);
	proc->scan_from_ns = s->from_ns;
	proc->scan_to_ns = s->to_ns;
	proc->scan_stamp_ns = stamp;
	for (size_t i = 0; i < s->n_mappings; i++)
		if (map_into(p, im, stamp, &s->mappings[i]) == -ENOMEM)
			return -ENOMEM;
	notify(p, s->tgid);
	return 0;
}

/* True if another program has replaced the image: its file is not mapped any more. */
static bool is_execed(const struct image *im, const struct scanned *s)
{
	if (im->pub.exe == FILE_NONE || s->exe == FILE_NONE)
		return false;
	for (size_t i = 0; i < s->n_mappings; i++)
		if (s->mappings[i].file == im->pub.exe)
			return false;
	return true;
}

/* A thread whose end was missed would keep its process alive for ever. */
static void update_threads(struct procs *p, struct proc *proc, const struct scanned *s)
{
	if (!s->has_all_tids)
		return;
	table_clear_threads(p, proc);
	for (size_t i = 0; i < s->n_tids; i++)
		table_add_thread(p, proc, s->tids[i]);
	proc->leader_gone |= s->leader_gone;
}

int procs_update_scanned(struct procs *p, const struct scanned *s)
{
	struct proc *proc = table_find(p, s->tgid);
	struct image *im = proc ? proc->images[proc->n_images - 1] : NULL;
	struct space_snapshot snap = {
		.m = s->mappings,
		.n = s->n_mappings,
		.seen_ns = s->from_ns,
		.since_ns = s->now_ns,
		.late_ns = s->from_ns,
	};
	int changed;

	if (!im || !image_is_alive(im) || im->pub.begin_ns < s->start_ns)
		return procs_add_scanned(p, s) ?: 1;
	if (is_execed(im, s)) {
		exec_image(p, s->now_ns > im->pub.begin_ns ? s->now_ns : s->from_ns, s->tgid,
			   s->comm);
		return procs_add_scanned(p, s) ?: 1;
	}
	if (im->pub.begin_ns > s->now_ns)
		snap.since_ns = im->pub.begin_ns;
	update_threads(p, proc, s);
	set_owner(im, s->uid, s->ns_tgid);
	set_jitdump(im, s->jitdump, s->monotonic_ns);
	changed = apply_snapshot(p, im, &snap);
	if (changed != 1)
		return changed;
	changed_otherwise(im);
	notify(p, s->tgid);
	return 1;
}

void procs_gone(struct procs *p, uint64_t t_ns, pid_t tgid)
{
	struct proc *proc = table_find(p, tgid);
	struct image *im = proc ? proc->images[proc->n_images - 1] : NULL;

	if (!im || !image_is_alive(im) || im->pub.begin_ns >= t_ns)
		return;
	table_clear_threads(p, proc);
	table_bury(p, im, t_ns);
	notify(p, tgid);
}

/* --- questions -------------------------------------------------------------------------------- */

/* Finds the file that anonymous memory at va is a copy of, by what is mapped next to it. */
static bool find_copied(const struct procs *p, const struct image *im, uint64_t va,
			struct place *out)
{
	const struct proc_mapping *live, *near[2];
	size_t n;

	live = space_live(&im->space, &n);
	if (!p->opts.is_code_of || !n)
		return false;
	near_files(live, n, space_index_of(&im->space, va), near);
	for (int i = 0; i < 2; i++) {
		if (!near[i])
			continue;
		out->file = near[i]->file;
		out->file_off = near[i]->file_off;
		if (p->opts.is_code_of(p->opts.is_code_of_ctx, near[i], va, &out->file_off)) {
			out->kind = PLACE_FILE;
			return true;
		}
	}
	return false;
}

void procs_resolve(struct procs *p, pid_t tgid, uint64_t t_ns, uint64_t va, struct place *out)
{
	const struct proc *proc = table_find(p, tgid);
	const struct image *im = proc ? table_image_at(proc, t_ns) : NULL;
	const struct proc_mapping *m;

	*out = (struct place){.kind = PLACE_NO_PROCESS, .file = FILE_NONE, .image = IMAGE_NONE};
	if (!im)
		return;
	out->kind = PLACE_UNMAPPED;
	out->image = im->pub.id;
	out->is_cut = im->is_cut;
	m = space_at(&im->space, t_ns, va);
	if (!m)
		return;
	if (m->file == FILE_NONE) {
		if (!find_copied(p, im, va, out))
			out->kind = PLACE_ANON;
		return;
	}
	out->kind = m->file == FILE_VDSO ? PLACE_VDSO : PLACE_FILE;
	out->file = out->kind == PLACE_FILE ? m->file : FILE_NONE;
	out->file_off = m->file_off + (va - m->start);
}

int procs_view(struct procs *p, pid_t tgid, uint64_t t_ns, struct procs_view *out)
{
	const struct proc *proc = table_find(p, tgid);
	const struct image *im = proc ? table_image_at(proc, t_ns) : NULL;
	const struct proc_mapping *live;
	size_t n = 0;

	out->mappings.len = out->n_live = 0;
	if (!im)
		return 0;
	live = space_live(&im->space, &n);
	if (vec_reserve(&out->mappings, n + im->space.past.len))
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (live[i].since_ns <= t_ns)
			out->mappings.data[out->mappings.len++] = live[i];
	out->n_live = out->mappings.len;
	for (size_t i = 0; i < im->space.past.len; i++) {
		const struct past_mapping *m = &im->space.past.data[i];

		if (m->until_ns > t_ns && m->m.since_ns <= t_ns)
			out->mappings.data[out->mappings.len++] = m->m;
	}
	return 0;
}

const struct proc_mapping *procs_live(struct procs *p, pid_t tgid, size_t *n, uint32_t *version)
{
	const struct proc *proc = table_find(p, tgid);
	const struct image *im = proc ? proc->images[proc->n_images - 1] : NULL;
	bool alive = im && image_is_alive(im);

	*n = 0;
	if (version)
		*version = alive ? im->version : 0;
	return alive ? space_live(&im->space, n) : NULL;
}

const struct proc_image *procs_image(struct procs *p, pid_t tgid, uint64_t t_ns)
{
	const struct proc *proc = table_find(p, tgid);
	const struct image *im = proc ? table_image_at(proc, t_ns) : NULL;

	return im ? &im->pub : NULL;
}

void procs_stats(const struct procs *p, struct procs_stats *out)
{
	*out = p->stats;
	out->mappings = p->total.mappings;
	out->past_dropped = p->total.past_dropped;
	out->bytes = table_bytes(p);
}

void procs_free(struct procs *p)
{
	if (!p)
		return;
	table_release(p);
	free(p);
}

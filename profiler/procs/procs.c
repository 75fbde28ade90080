// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/hash.h"
#include "profiler/base/text.h"
#include "profiler/procs/procs.h"
#include "profiler/procs/space.h"
#include "profiler/procs/table.h"

#define LINGER_NS 60000000000ull
#define MAX_BYTES (64u << 20)

/* After its EXIT record a thread still runs in the kernel for a while: do_exit() has to finish. */
#define EXIT_GRACE_NS 1000000000ull

struct image {
	struct proc_image pub;
	struct space space;
	struct image *older, *newer; /* in the queue of the dead */
	bool scanned;		     /* begins with what /proc said, to the clock tick */
	bool discovered;	     /* begins with the first event about it, not with its first */
};

/* All that is known of a tgid: several processes one after the other, if the pid was reused. */
struct proc {
	pid_t tgid;
	bool leader_gone;      /* of the newest image, as is threads */
	struct htab threads;   /* live threads but the leader: the tid is the id */
	struct image **images; /* ascending, without overlaps */
	uint32_t n_images, cap_images;
	/* When /proc was last read, and the stamp its mappings got; 0 if never. */
	uint64_t scan_from_ns, scan_to_ns, scan_stamp_ns;
};

struct procs {
	struct procs_opts opts;
	struct htab index; /* tgid -> all.data[] */
	VEC(struct proc *) all;
	VEC(uint32_t) free_ids;
	struct proc *last; /* that was looked for: events and frames come in runs */
	struct image *dead_oldest, *dead_newest;
	uint32_t next_image_id;
	struct space_total total; /* all bytes, also of images and procs */
	struct procs_stats stats;
};

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

/* --- the dead, in the order of their end ------------------------------------------------------ */

static bool is_alive(const struct image *im)
{
	return im->pub.end_ns == UINT64_MAX;
}

static void bury(struct procs *p, struct image *im, uint64_t end_ns)
{
	im->pub.end_ns = end_ns;
	p->stats.images_alive--;
	im->older = p->dead_newest;
	if (p->dead_newest)
		p->dead_newest->newer = im;
	else
		p->dead_oldest = im;
	p->dead_newest = im;
}

static void exhume(struct procs *p, struct image *im)
{
	*(im->older ? &im->older->newer : &p->dead_oldest) = im->newer;
	*(im->newer ? &im->newer->older : &p->dead_newest) = im->older;
	im->older = im->newer = NULL;
}

static void tell(const struct procs *p, pid_t tgid)
{
	if (p->opts.changed)
		p->opts.changed(p->opts.changed_ctx, tgid);
}

/* --- tgids ------------------------------------------------------------------------------------ */

static uint64_t tgid_hash(pid_t tgid)
{
	return hash_u64((uint32_t)tgid);
}

struct tgid_key {
	const struct procs *p;
	pid_t tgid;
};

static bool tgid_eq(const void *ctx, uint32_t id)
{
	const struct tgid_key *key = ctx;

	return key->p->all.data[id]->tgid == key->tgid;
}

static uint32_t find_id(const struct procs *p, pid_t tgid)
{
	struct tgid_key key = {p, tgid};

	return htab_find(&p->index, tgid_hash(tgid), tgid_eq, &key);
}

static struct proc *find_proc(struct procs *p, pid_t tgid)
{
	uint32_t id;

	if (p->last && p->last->tgid == tgid)
		return p->last;
	id = find_id(p, tgid);
	if (id == HTAB_NONE)
		return NULL;
	p->last = p->all.data[id];
	return p->last;
}

static struct proc *add_proc(struct procs *p, pid_t tgid)
{
	uint32_t id = (uint32_t)p->all.len;
	struct proc *proc;

	/* Room for the id to come back to, so that giving it up cannot fail. */
	if (vec_reserve(&p->free_ids, p->all.len + 1))
		return NULL;
	proc = calloc(1, sizeof(*proc));
	if (!proc)
		return NULL;
	proc->tgid = tgid;
	if (p->free_ids.len)
		id = vec_last(&p->free_ids);
	else if (vec_push(&p->all, NULL))
		id = HTAB_NONE;
	if (id == HTAB_NONE || htab_insert(&p->index, tgid_hash(tgid), id)) {
		if (id != HTAB_NONE && id == p->all.len - 1 && !p->free_ids.len)
			p->all.len--;
		free(proc);
		return NULL;
	}
	if (p->free_ids.len)
		p->free_ids.len--;
	p->all.data[id] = proc;
	p->total.bytes += sizeof(*proc);
	return proc;
}

static void clear_threads(struct procs *p, struct proc *proc)
{
	p->total.bytes -= proc->threads.cap * sizeof(*proc->threads.slots);
	htab_release(&proc->threads);
}

static void remove_proc(struct procs *p, struct proc *proc)
{
	uint32_t id = find_id(p, proc->tgid);

	if (p->last == proc)
		p->last = NULL;
	clear_threads(p, proc);
	p->total.bytes -= sizeof(*proc) + proc->cap_images * sizeof(*proc->images);
	htab_remove(&p->index, tgid_hash(proc->tgid), id);
	p->all.data[id] = NULL;
	p->free_ids.data[p->free_ids.len++] = id;
	free(proc->images);
	free(proc);
}

static bool same_id(const void *ctx, uint32_t id)
{
	return *(const uint32_t *)ctx == id;
}

static void add_thread(struct procs *p, struct proc *proc, pid_t tid)
{
	uint32_t id = (uint32_t)tid, old_cap = proc->threads.cap;

	if (tid < 0 || htab_find(&proc->threads, tgid_hash(tid), same_id, &id) != HTAB_NONE)
		return;
	/* Out of memory: the process may then end with its leader, at worst too early. */
	if (!htab_insert(&proc->threads, tgid_hash(tid), id))
		p->total.bytes += (proc->threads.cap - old_cap) * sizeof(*proc->threads.slots);
}

/* --- images of a tgid ------------------------------------------------------------------------- */

/* Number of images that begin at or before t. */
static uint32_t images_until(const struct proc *proc, uint64_t t_ns)
{
	uint32_t lo = 0, hi = proc->n_images;

	if (hi && proc->images[hi - 1]->pub.begin_ns <= t_ns)
		return hi;
	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;

		if (proc->images[mid]->pub.begin_ns <= t_ns)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct image *image_at(const struct proc *proc, uint64_t t_ns)
{
	uint32_t n = images_until(proc, t_ns);
	struct image *im = n ? proc->images[n - 1] : NULL;

	if (!im || t_ns < im->pub.end_ns || t_ns - im->pub.end_ns < EXIT_GRACE_NS)
		return im;
	return NULL;
}

/* Forgets an image; the last one of a tgid takes its proc along. */
static void drop_image(struct procs *p, struct image *im)
{
	struct proc *proc = find_proc(p, im->pub.tgid);
	uint32_t i = images_until(proc, im->pub.begin_ns) - 1;

	while (proc->images[i] != im) /* its successor may begin at the same time */
		i--;
	if (is_alive(im))
		p->stats.images_alive--;
	else
		exhume(p, im);
	p->stats.images--;
	memmove(proc->images + i, proc->images + i + 1,
		(proc->n_images - i - 1) * sizeof(*proc->images));
	if (!--proc->n_images)
		remove_proc(p, proc);
	space_release(&im->space, &p->total);
	p->total.bytes -= sizeof(*im);
	free(im);
}

static size_t table_bytes(const struct procs *p)
{
	return p->total.bytes + p->index.cap * sizeof(*p->index.slots) +
	       p->all.cap * sizeof(*p->all.data) + p->free_ids.cap * sizeof(*p->free_ids.data);
}

/* True if there is room, after evicting the dead if need be. `keep` is not evicted. */
static bool make_room(struct procs *p, const struct image *keep)
{
	while (table_bytes(p) > p->opts.max_bytes && p->dead_oldest && p->dead_oldest != keep) {
		drop_image(p, p->dead_oldest);
		p->stats.evicted++;
	}
	return table_bytes(p) <= p->opts.max_bytes;
}

static int insert_image(struct procs *p, struct proc *proc, struct image *im, uint32_t at)
{
	if (proc->n_images == proc->cap_images) {
		uint32_t cap = proc->cap_images ? proc->cap_images * 2 : 2;
		struct image **more = realloc(proc->images, cap * sizeof(*more));

		if (!more)
			return -ENOMEM;
		p->total.bytes += (cap - proc->cap_images) * sizeof(*more);
		proc->images = more;
		proc->cap_images = cap;
	}
	memmove(proc->images + at + 1, proc->images + at,
		(proc->n_images - at) * sizeof(*proc->images));
	proc->images[at] = im;
	proc->n_images++;
	p->stats.images++;
	p->stats.images_alive++;
	p->total.bytes += sizeof(*im);
	return 0;
}

/* A new image, alive, in the timeline of tgid; its predecessor ends there. NULL: no room. */
static struct image *begin_image(struct procs *p, uint64_t t_ns, pid_t tgid)
{
	bool room = make_room(p, NULL);
	struct proc *proc = find_proc(p, tgid);
	uint32_t at = proc ? images_until(proc, t_ns) : 0;
	struct image *prev = at ? proc->images[at - 1] : NULL;
	struct image *im = room ? calloc(1, sizeof(*im)) : NULL;
	struct image *next;

	if (prev && is_alive(prev))
		bury(p, prev, t_ns);
	else if (prev && prev->pub.end_ns > t_ns)
		prev->pub.end_ns = t_ns;
	p->stats.evicted += !room;
	if (!im || (!proc && !(proc = add_proc(p, tgid)))) {
		free(im);
		return NULL;
	}
	im->pub = (struct proc_image){.id = p->next_image_id,
				      .tgid = tgid,
				      .uid = UINT32_MAX,
				      .begin_ns = t_ns,
				      .end_ns = UINT64_MAX,
				      .exe = FILE_NONE};
	if (insert_image(p, proc, im, at)) {
		if (!proc->n_images)
			remove_proc(p, proc);
		free(im);
		return NULL;
	}
	p->next_image_id = p->next_image_id == UINT32_MAX - 1 ? 0 : p->next_image_id + 1;
	next = at + 1 < proc->n_images ? proc->images[at + 1] : NULL;
	if (next)
		bury(p, im, next->pub.begin_ns);
	if (prev && prev->pub.begin_ns == t_ns)
		drop_image(p, prev); /* lived no time at all */
	return im;
}

static bool is_newest(const struct proc *proc, const struct image *im)
{
	return proc->images[proc->n_images - 1] == im;
}

/* The image an event at t is about; a process not known yet becomes known. NULL: too old, no room. */
static struct image *image_for_event(struct procs *p, uint64_t t_ns, pid_t tgid)
{
	struct proc *proc = find_proc(p, tgid);
	uint32_t n = proc ? images_until(proc, t_ns) : 0;
	struct image *im = n ? proc->images[n - 1] : NULL;

	if (im && t_ns < im->pub.end_ns)
		return im;
	if (proc && n < proc->n_images)
		return NULL; /* before or between what is known */
	im = begin_image(p, t_ns, tgid);
	if (im) {
		proc = find_proc(p, tgid);
		clear_threads(p, proc);
		proc->leader_gone = false;
		im->discovered = true;
	}
	return im;
}

/* --- events ----------------------------------------------------------------------------------- */

static void set_comm(struct image *im, const char *comm)
{
	size_t len = strnlen(comm, sizeof(im->pub.comm) - 1);
	bool clean = text_is_clean(comm, len);

	memset(im->pub.comm, 0, sizeof(im->pub.comm));
	for (size_t i = 0; i < len; i++)
		im->pub.comm[i] = clean || (comm[i] >= ' ' && comm[i] < 0x7f) ? comm[i] : '?';
}

/*
 * A FORK record for a process that the scan has found already: it was made while /proc was read.
 * The record and those after it tell its story better than what was read at some point of it.
 */
static bool is_scanned_twin(const struct proc *proc, const struct image *im, uint64_t t_ns)
{
	return im->scanned && is_alive(im) && im->pub.begin_ns <= t_ns &&
	       t_ns <= proc->scan_to_ns;
}

static void inherit(struct image *im, struct image *parent)
{
	memcpy(im->pub.comm, parent->pub.comm, sizeof(im->pub.comm));
	im->pub.uid = parent->pub.uid;
	im->pub.exe = parent->pub.exe;
	im->pub.has_anon_exec = parent->pub.has_anon_exec;
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
		proc = im ? find_proc(p, tgid) : NULL;
		if (im && is_newest(proc, im))
			add_thread(p, proc, tid);
		return;
	}
	proc = find_proc(p, tgid);
	im = proc ? proc->images[proc->n_images - 1] : NULL;
	if (im && is_scanned_twin(proc, im, t_ns)) {
		uid = im->pub.uid;
		ns_tgid = im->pub.ns_tgid;
		drop_image(p, im);
	}
	im = begin_image(p, t_ns, tgid);
	if (!im)
		return;
	im->pub.parent_tgid = parent_tgid;
	proc = find_proc(p, tgid);
	if (is_newest(proc, im)) {
		clear_threads(p, proc);
		proc->leader_gone = false;
		proc->scan_from_ns = proc->scan_to_ns = 0;
	}
	parent = parent_tgid == tgid ? NULL : find_proc(p, parent_tgid);
	parent_image = parent ? image_at(parent, t_ns) : NULL;
	if (parent_image)
		inherit(im, parent_image);
	if (uid != UINT32_MAX)
		im->pub.uid = uid;
	im->pub.ns_tgid = ns_tgid;
	tell(p, tgid);
}

/* An exec within the time /proc was read: what was read may already be of the new program. */
static void distrust_scan(struct procs *p, struct proc *proc, struct image *im, uint64_t t_ns)
{
	if (proc->scan_to_ns && t_ns <= proc->scan_to_ns) {
		space_drop_since(&im->space, proc->scan_stamp_ns, &p->total);
		proc->scan_from_ns = proc->scan_to_ns = 0;
	}
}

static void exec_image(struct procs *p, uint64_t t_ns, pid_t tgid, const char *comm)
{
	struct proc *proc = find_proc(p, tgid);
	struct image *old = proc ? image_at(proc, t_ns) : NULL, *im;
	struct proc_image facts = {.uid = UINT32_MAX};

	if (old) {
		facts = old->pub;
		if (is_newest(proc, old))
			distrust_scan(p, proc, old, t_ns);
	}
	im = begin_image(p, t_ns, tgid);
	if (!im)
		return;
	im->pub.uid = facts.uid;
	im->pub.ns_tgid = facts.ns_tgid;
	im->pub.parent_tgid = facts.parent_tgid;
	set_comm(im, comm);
	proc = find_proc(p, tgid);
	if (is_newest(proc, im)) {
		clear_threads(p, proc); /* exec(2) ends all other threads */
		proc->leader_gone = false;
	}
	tell(p, tgid);
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
	struct proc *proc = find_proc(p, tgid);
	struct image *im = proc ? proc->images[proc->n_images - 1] : NULL;
	uint32_t id = (uint32_t)tid;

	if (!im || !is_alive(im) || t_ns < im->pub.begin_ns)
		return;
	if (t_ns < proc->scan_from_ns)
		return; /* it lived when /proc was read: this one had its pid before */
	if (tid == tgid)
		proc->leader_gone = true;
	else
		htab_remove(&proc->threads, tgid_hash(tid), id);
	if (!proc->leader_gone || proc->threads.len)
		return;
	clear_threads(p, proc);
	bury(p, im, t_ns);
	if (im->pub.begin_ns == t_ns)
		drop_image(p, im);
	tell(p, tgid);
}

static int map_into(struct procs *p, struct image *im, uint64_t t_ns, const struct proc_mapping *m)
{
	int err = make_room(p, im) ? space_map(&im->space, t_ns, m, &p->total) : -ENOSPC;

	if (err) {
		p->stats.mappings_capped++;
		return err;
	}
	if (m->file == FILE_NONE)
		im->pub.has_anon_exec = true;
	else if (im->pub.exe == FILE_NONE && m->file != FILE_VDSO)
		im->pub.exe = m->file;
	return 0;
}

void procs_mmap(struct procs *p, uint64_t t_ns, pid_t tgid, const struct proc_mapping *m)
{
	struct image *im = image_for_event(p, t_ns, tgid);

	if (im && !map_into(p, im, t_ns, m))
		tell(p, tgid);
}

/* --- what the scan found ---------------------------------------------------------------------- */

/* The image that a scanned process is in the table already, or a new one. */
static struct image *image_for_scan(struct procs *p, const struct scanned *s)
{
	struct proc *proc = find_proc(p, s->tgid);
	struct image *im = proc ? proc->images[proc->n_images - 1] : NULL;

	if (im && is_alive(im) && im->pub.begin_ns >= s->start_ns) {
		uint32_t n = proc->n_images;
		uint64_t before = n > 1 ? proc->images[n - 2]->pub.end_ns : 0;

		if (im->discovered)
			im->pub.begin_ns = s->start_ns > before ? s->start_ns : before;
		im->discovered = false;
		return im;
	}
	if (im && im->pub.begin_ns >= s->start_ns)
		return NULL; /* it is known that this one has ended since */
	im = begin_image(p, s->start_ns, s->tgid);
	if (im)
		im->scanned = true;
	return im;
}

int procs_add_scanned(struct procs *p, const struct scanned *s)
{
	struct image *im = image_for_scan(p, s);
	struct proc *proc = im ? find_proc(p, s->tgid) : NULL;
	uint64_t stamp = im && im->pub.begin_ns > s->now_ns ? im->pub.begin_ns : s->now_ns;

	if (!im)
		return 0;
	im->pub.parent_tgid = s->parent_tgid;
	im->pub.ns_tgid = s->ns_tgid;
	im->pub.uid = s->uid;
	set_comm(im, s->comm);
	proc->leader_gone |= s->leader_gone;
	for (size_t i = 0; i < s->n_tids; i++)
		add_thread(p, proc, s->tids[i]);
	if (s->exe != FILE_NONE)
		im->pub.exe = s->exe;
	proc->scan_from_ns = s->from_ns;
	proc->scan_to_ns = s->to_ns;
	proc->scan_stamp_ns = stamp;
	for (size_t i = 0; i < s->n_mappings; i++)
		if (map_into(p, im, stamp, &s->mappings[i]) == -ENOMEM)
			return -ENOMEM;
	tell(p, s->tgid);
	return 0;
}

/* --- questions -------------------------------------------------------------------------------- */

void procs_resolve(struct procs *p, pid_t tgid, uint64_t t_ns, uint64_t va, struct place *out)
{
	const struct proc *proc = find_proc(p, tgid);
	const struct image *im = proc ? image_at(proc, t_ns) : NULL;
	const struct proc_mapping *m;

	*out = (struct place){.kind = PLACE_NO_PROCESS, .file = FILE_NONE, .image = UINT32_MAX};
	if (!im)
		return;
	out->kind = PLACE_UNMAPPED;
	out->image = im->pub.id;
	m = space_at(&im->space, t_ns, va);
	if (!m)
		return;
	if (m->file == FILE_NONE) {
		out->kind = PLACE_ANON;
		return;
	}
	out->kind = m->file == FILE_VDSO ? PLACE_VDSO : PLACE_FILE;
	out->file = out->kind == PLACE_FILE ? m->file : FILE_NONE;
	out->file_off = m->file_off + (va - m->start);
}

const struct proc_mapping *procs_live(struct procs *p, pid_t tgid, size_t *n)
{
	const struct proc *proc = find_proc(p, tgid);
	const struct image *im = proc ? proc->images[proc->n_images - 1] : NULL;

	*n = 0;
	return im && is_alive(im) ? space_live(&im->space, n) : NULL;
}

const struct proc_image *procs_image(struct procs *p, pid_t tgid, uint64_t t_ns)
{
	const struct proc *proc = find_proc(p, tgid);
	const struct image *im = proc ? image_at(proc, t_ns) : NULL;

	return im ? &im->pub : NULL;
}

void procs_expire(struct procs *p, uint64_t now_ns)
{
	uint64_t before = now_ns > p->opts.linger_ns ? now_ns - p->opts.linger_ns : 0;

	while (p->dead_oldest && p->dead_oldest->pub.end_ns < before)
		drop_image(p, p->dead_oldest);
	/* The dead take their replaced mappings along when they go themselves. */
	for (size_t i = 0; i < p->all.len; i++) {
		const struct proc *proc = p->all.data[i];

		if (proc)
			space_forget(&proc->images[proc->n_images - 1]->space, before, &p->total);
	}
}

void procs_stats(const struct procs *p, struct procs_stats *out)
{
	*out = p->stats;
	out->mappings = p->total.mappings;
	out->bytes = table_bytes(p);
}

void procs_free(struct procs *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->all.len; i++) {
		struct proc *proc = p->all.data[i];

		for (uint32_t k = 0; proc && k < proc->n_images; k++) {
			space_release(&proc->images[k]->space, &p->total);
			free(proc->images[k]);
		}
		if (proc) {
			htab_release(&proc->threads);
			free(proc->images);
			free(proc);
		}
	}
	htab_release(&p->index);
	vec_release(&p->all);
	vec_release(&p->free_ids);
	free(p);
}

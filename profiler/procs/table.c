// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/procs/table.h"

/* After its EXIT record a thread still runs in the kernel, until do_exit() ends. */
#define EXIT_GRACE_NS 1000000000ull

/* --- the dead, in the order of their end ------------------------------------------------------ */

void table_bury(struct procs *p, struct image *im, uint64_t end_ns)
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

/* --- tgids ------------------------------------------------------------------------------------ */

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

	return htab_find(&p->index, table_tid_hash(tgid), tgid_eq, &key);
}

struct proc *table_find(struct procs *p, pid_t tgid)
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

	/* Reserves room for the id to come back to, so that freeing it cannot fail. */
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
	if (id == HTAB_NONE || htab_insert(&p->index, table_tid_hash(tgid), id)) {
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

void table_clear_threads(struct procs *p, struct proc *proc)
{
	p->total.bytes -= proc->threads.cap * sizeof(*proc->threads.slots);
	htab_release(&proc->threads);
}

static void remove_proc(struct procs *p, struct proc *proc)
{
	uint32_t id = find_id(p, proc->tgid);

	if (p->last == proc)
		p->last = NULL;
	table_clear_threads(p, proc);
	p->total.bytes -= sizeof(*proc) + proc->cap_images * sizeof(*proc->images);
	htab_remove(&p->index, table_tid_hash(proc->tgid), id);
	p->all.data[id] = NULL;
	p->free_ids.data[p->free_ids.len++] = id;
	free(proc->images);
	free(proc);
}

bool table_same_id(const void *ctx, uint32_t id)
{
	return *(const uint32_t *)ctx == id;
}

/* --- images of a tgid ------------------------------------------------------------------------- */

uint32_t images_until(const struct proc *proc, uint64_t t_ns)
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

struct image *table_image_at(const struct proc *proc, uint64_t t_ns)
{
	uint32_t n = images_until(proc, t_ns);
	struct image *im = n ? proc->images[n - 1] : NULL;

	if (!im || t_ns < im->pub.end_ns || t_ns - im->pub.end_ns < EXIT_GRACE_NS)
		return im;
	return NULL;
}

void table_drop_image(struct procs *p, struct image *im)
{
	struct proc *proc = table_find(p, im->pub.tgid);
	uint32_t i = images_until(proc, im->pub.begin_ns) - 1;

	while (proc->images[i] != im) /* the next image may begin at the same time */
		i--;
	if (image_is_alive(im))
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

size_t table_bytes(const struct procs *p)
{
	return p->total.bytes + p->index.cap * sizeof(*p->index.slots) +
	       p->all.cap * sizeof(*p->all.data) + p->free_ids.cap * sizeof(*p->free_ids.data);
}

bool table_make_room(struct procs *p, const struct image *keep)
{
	while (table_bytes(p) > p->opts.max_bytes && p->dead_oldest && p->dead_oldest != keep) {
		table_drop_image(p, p->dead_oldest);
		p->stats.evicted++;
	}
	return table_bytes(p) <= p->opts.max_bytes;
}

void table_add_thread(struct procs *p, struct proc *proc, pid_t tid)
{
	uint32_t id = (uint32_t)tid, old_cap = proc->threads.cap;

	if (tid < 0 ||
	    htab_find(&proc->threads, table_tid_hash(tid), table_same_id, &id) != HTAB_NONE)
		return;
	/* Without this thread, the process may seem to end too early, with its leader. */
	if (!table_make_room(p, proc->images[proc->n_images - 1]) ||
	    htab_insert(&proc->threads, table_tid_hash(tid), id))
		p->stats.threads_refused++;
	else
		p->total.bytes += (proc->threads.cap - old_cap) * sizeof(*proc->threads.slots);
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

struct image *table_begin_image(struct procs *p, uint64_t t_ns, pid_t tgid)
{
	bool room = table_make_room(p, NULL);
	struct proc *proc = table_find(p, tgid);
	uint32_t at = proc ? images_until(proc, t_ns) : 0;
	struct image *prev = at ? proc->images[at - 1] : NULL;
	struct image *im = room ? calloc(1, sizeof(*im)) : NULL;
	struct image *next;

	if (prev && image_is_alive(prev))
		table_bury(p, prev, t_ns);
	else if (prev && prev->pub.end_ns > t_ns)
		prev->pub.end_ns = t_ns;
	p->stats.evicted += !room;
	if (!im || (!proc && !(proc = add_proc(p, tgid)))) {
		free(im);
		return NULL;
	}
	im->pub = (struct proc_image){.id = p->next_image_id++,
				      .tgid = tgid,
				      .uid = UINT32_MAX,
				      .begin_ns = t_ns,
				      .end_ns = UINT64_MAX,
				      .exe = FILE_NONE,
				      .jitdump = FILE_NONE};
	if (insert_image(p, proc, im, at)) {
		if (!proc->n_images)
			remove_proc(p, proc);
		free(im);
		return NULL;
	}
	next = at + 1 < proc->n_images ? proc->images[at + 1] : NULL;
	if (next)
		table_bury(p, im, next->pub.begin_ns);
	if (prev && prev->pub.begin_ns == t_ns)
		table_drop_image(p, prev); /* it had no time at all */
	return im;
}

bool table_is_newest(const struct proc *proc, const struct image *im)
{
	return proc->images[proc->n_images - 1] == im;
}

void table_release(struct procs *p)
{
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
}

void table_note_forebear(struct proc_image *child, const struct proc_image *parent)
{
	memcpy(child->forebears + 1, parent->forebears,
	       sizeof(parent->forebears) - sizeof(*parent->forebears));
	child->forebears[0] =
		(struct proc_forebear){.image = parent->id,
				       .begin_ns = parent->discovered ? 0 : parent->begin_ns,
				       .tgid = parent->tgid,
				       .ns_tgid = parent->ns_tgid,
				       .uid = parent->uid};
}

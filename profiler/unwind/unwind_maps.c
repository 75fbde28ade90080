// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "profiler/base/hash.h"
#include "profiler/base/vec.h"
#include "profiler/unwind/unwind_maps.h"

#define N_CLASSES 3

static const uint32_t class_size[N_CLASSES] = {UNWIND_MAPS_SMALL, UNWIND_MAPS_MEDIUM,
					       UNWIND_MAPS_LARGE};

struct known {
	pid_t tgid;
	int size_class;
};

struct unwind_maps {
	int fd[N_CLASSES];
	VEC(struct known) known; /* processes that are in one of the maps */
	struct htab index;
	struct unwind_maps_stats stats;
	struct unwind_maps_large value; /* the largest of the three structs, which begin alike */
};

int unwind_maps_new(struct unwind_maps **out, int small_fd, int medium_fd, int large_fd)
{
	struct unwind_maps *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->fd[0] = small_fd;
	m->fd[1] = medium_fd;
	m->fd[2] = large_fd;
	*out = m;
	return 0;
}

void unwind_maps_free(struct unwind_maps *m)
{
	if (!m)
		return;
	vec_release(&m->known);
	htab_release(&m->index);
	free(m);
}

struct needle {
	const struct unwind_maps *m;
	pid_t tgid;
};

static bool known_eq(const void *ctx, uint32_t id)
{
	const struct needle *n = ctx;

	return n->m->known.data[id].tgid == n->tgid;
}

static uint32_t find(const struct unwind_maps *m, pid_t tgid)
{
	struct needle n = {m, tgid};

	return htab_find(&m->index, hash_u64((uint32_t)tgid), known_eq, &n);
}

static void forget(struct unwind_maps *m, uint32_t id)
{
	struct known *last = &vec_last(&m->known);
	uint32_t last_id = (uint32_t)m->known.len - 1;

	htab_remove(&m->index, hash_u64((uint32_t)m->known.data[id].tgid), id);
	if (id != last_id) {
		htab_remove(&m->index, hash_u64((uint32_t)last->tgid), last_id);
		m->known.data[id] = *last;
		htab_insert(&m->index, hash_u64((uint32_t)last->tgid), id); /* room was just made */
	}
	m->known.len--;
}

static int remember(struct unwind_maps *m, pid_t tgid, int size_class)
{
	struct known k = {tgid, size_class};
	int err =
		vec_reserve(&m->known, m->known.len + 1)
			?: htab_insert(&m->index, hash_u64((uint32_t)tgid), (uint32_t)m->known.len);

	if (!err)
		m->known.data[m->known.len++] = k;
	return err;
}

bool unwind_maps_remove(struct unwind_maps *m, pid_t tgid)
{
	uint32_t id = find(m, tgid), key = (uint32_t)tgid;

	if (id == HTAB_NONE)
		return false;
	bpf_map_delete_elem(m->fd[m->known.data[id].size_class], &key);
	forget(m, id);
	return true;
}

static int order_regions(const void *a, const void *b)
{
	const struct unwind_region *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Fills struct unwind_maps_*: head, begin[size], at[size]. */
static void fill(struct unwind_maps *m, uint32_t version, const struct unwind_region *r, uint32_t n,
		 uint32_t size)
{
	__u64 *begin = m->value.begin;
	struct unwind_mapping *at = (struct unwind_mapping *)(begin + size);

	m->value.n = n;
	m->value.version = version;
	for (uint32_t i = 0; i < size; i++) {
		begin[i] = i < n ? r[i].start : UNWIND_NOWHERE;
		at[i] = (struct unwind_mapping){0, 0, UNWIND_SLOT_NONE};
		if (i < n)
			at[i] = (struct unwind_mapping){
				r[i].bias, (uint32_t)((r[i].len + 4095) >> 12), r[i].slot};
	}
}

int unwind_maps_set(struct unwind_maps *m, pid_t tgid, uint32_t version,
		    struct unwind_region *regions, size_t n)
{
	uint32_t id = find(m, tgid), key = (uint32_t)tgid;
	int c = n <= UNWIND_MAPS_SMALL ? 0 : n <= UNWIND_MAPS_MEDIUM ? 1 : 2, err;

	if (n)
		qsort(regions, n, sizeof(*regions), order_regions);
	if (n > UNWIND_MAPS_LARGE) {
		m->stats.cut += n - UNWIND_MAPS_LARGE;
		n = UNWIND_MAPS_LARGE;
	}
	if (id != HTAB_NONE && m->known.data[id].size_class != c) {
		unwind_maps_remove(m, tgid);
		id = HTAB_NONE;
	}
	fill(m, version, regions, (uint32_t)n, class_size[c]);
	m->stats.sets++;
	err = bpf_map_update_elem(m->fd[c], &key, &m->value, BPF_ANY) ? -errno : 0;
	m->stats.full += err == -E2BIG;
	if (err) {
		unwind_maps_remove(m, tgid); /* its old mappings are wrong now */
		return err;
	}
	err = id == HTAB_NONE ? remember(m, tgid, c) : 0;
	if (err)
		bpf_map_delete_elem(m->fd[c], &key);
	return err;
}

void unwind_maps_stats(const struct unwind_maps *m, struct unwind_maps_stats *out)
{
	*out = m->stats;
	out->processes = m->known.len;
}

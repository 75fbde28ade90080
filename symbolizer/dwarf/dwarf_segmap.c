// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "profiler/base/cleanup.h"
#include "symbolizer/dwarf/dwarf_segmap.h"

struct edge {
	uint64_t va;
	uint32_t id;
	bool start;
};

/*
 * State of the sweep: for each id, how many of its spans cover the current address; and a heap of
 * ids. A key is an id or its complement, so that the smallest key wins. An id that no longer covers
 * the address leaves the heap when it reaches the top.
 */
struct sweep {
	uint32_t *covering;
	VEC(uint32_t) heap;
	uint32_t flip; /* xor between key and id */
	struct segmap map;
	size_t cap;
};

static void sweep_release(struct sweep *s)
{
	free(s->covering);
	vec_release(&s->heap);
	segmap_release(&s->map);
}

static int heap_push(struct sweep *s, uint32_t key)
{
	size_t i = s->heap.len;

	if (vec_push(&s->heap, key))
		return -ENOMEM;
	for (; i && s->heap.data[(i - 1) / 2] > key; i = (i - 1) / 2)
		s->heap.data[i] = s->heap.data[(i - 1) / 2];
	s->heap.data[i] = key;
	return 0;
}

static void heap_pop(struct sweep *s)
{
	uint32_t *h = s->heap.data, key = vec_last(&s->heap);
	size_t n = --s->heap.len, i = 0, child;

	for (; (child = 2 * i + 1) < n; i = child) {
		if (child + 1 < n && h[child + 1] < h[child])
			child++;
		if (h[child] >= key)
			break;
		h[i] = h[child];
	}
	if (n)
		h[i] = key;
}

static uint32_t preferred(struct sweep *s)
{
	while (s->heap.len && !s->covering[s->heap.data[0] ^ s->flip])
		heap_pop(s);
	return s->heap.len ? s->heap.data[0] ^ s->flip : SEG_NONE;
}

static int put(struct segmap *m, size_t *cap, uint64_t low, uint32_t id)
{
	size_t want = *cap ? *cap * 2 : 16;
	void *p;

	if (m->n && m->id[m->n - 1] == id)
		return 0;
	if (m->n == *cap) {
		p = realloc(m->low, want * sizeof(*m->low));
		if (!p)
			return -ENOMEM;
		m->low = p;
		p = realloc(m->id, want * sizeof(*m->id));
		if (!p)
			return -ENOMEM;
		m->id = p;
		*cap = want;
	}
	m->low[m->n] = low;
	m->id[m->n++] = id;
	return 0;
}

static int cross(struct sweep *s, const struct edge *e)
{
	if (!e->start) {
		s->covering[e->id]--;
		return 0;
	}
	return s->covering[e->id]++ ? 0 : heap_push(s, e->id ^ s->flip);
}

static int sweep_edges(struct sweep *s, const struct edge *edges, size_t n, enum seg_rule rule)
{
	uint32_t owner = SEG_NONE;

	for (size_t i = 0; i < n;) {
		uint64_t va = edges[i].va;

		for (; i < n && edges[i].va == va; i++)
			if (cross(s, &edges[i]))
				return -ENOMEM;
		if (rule != SEG_KEEP_LOWEST || owner == SEG_NONE || !s->covering[owner])
			owner = preferred(s);
		if (put(&s->map, &s->cap, va, owner))
			return -ENOMEM;
	}
	return 0;
}

static int compare_edges(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;

	if (x->va != y->va)
		return x->va < y->va ? -1 : 1;
	return y->start - x->start; /* starts first, so no count falls to zero too early */
}

/* Sorted spans without overlaps need no sweep. */
static bool disjoint(const struct spans *spans)
{
	for (size_t i = 0; i < spans->len; i++)
		if (spans->data[i].low >= spans->data[i].high ||
		    (i && spans->data[i].low < spans->data[i - 1].high))
			return false;
	return true;
}

static int put_disjoint(struct sweep *s, const struct spans *spans)
{
	for (size_t i = 0; i < spans->len; i++) {
		const struct span *x = &spans->data[i];

		if (i && spans->data[i - 1].high != x->low &&
		    put(&s->map, &s->cap, spans->data[i - 1].high, SEG_NONE))
			return -ENOMEM;
		if (put(&s->map, &s->cap, x->low, x->id))
			return -ENOMEM;
	}
	return spans->len ? put(&s->map, &s->cap, vec_last(spans).high, SEG_NONE) : 0;
}

static int put_overlapping(struct sweep *s, const struct spans *spans, uint32_t n_ids,
			   enum seg_rule rule)
{
	_cleanup_free_ struct edge *edges = malloc(2 * spans->len * sizeof(*edges) + 1);
	size_t n = 0;

	s->covering = calloc(n_ids + 1ul, sizeof(*s->covering));
	if (!edges || !s->covering)
		return -ENOMEM;
	for (size_t i = 0; i < spans->len; i++) {
		const struct span *x = &spans->data[i];

		if (x->low >= x->high)
			continue;
		edges[n++] = (struct edge){x->low, x->id, true};
		edges[n++] = (struct edge){x->high, x->id, false};
	}
	qsort(edges, n, sizeof(*edges), compare_edges);
	return sweep_edges(s, edges, n, rule);
}

static int compare_spans(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return x->low < y->low ? -1 : x->low > y->low;
}

static void shrink(struct segmap *m)
{
	uint64_t *low = m->n ? realloc(m->low, m->n * sizeof(*low)) : NULL;
	uint32_t *id = m->n ? realloc(m->id, m->n * sizeof(*id)) : NULL;

	m->low = low ?: m->low;
	m->id = id ?: m->id;
}

int segmap_build(struct segmap *out, struct spans *spans, uint32_t n_ids, enum seg_rule rule)
{
	_cleanup_(sweep_release) struct sweep s = {.flip = rule == SEG_HIGHEST ? UINT32_MAX : 0};
	int err;

	if (spans->len)
		qsort(spans->data, spans->len, sizeof(*spans->data), compare_spans);
	err = disjoint(spans) ? put_disjoint(&s, spans) : put_overlapping(&s, spans, n_ids, rule);
	if (err)
		return err;
	shrink(&s.map);
	*out = s.map;
	s.map = (struct segmap){0};
	return 0;
}

void segmap_release(struct segmap *m)
{
	free(m->low);
	free(m->id);
	*m = (struct segmap){0};
}

size_t segmap_at(const struct segmap *m, uint64_t va)
{
	size_t lo = 0, n = m->n;

	if (!n || va < m->low[0])
		return 0;
	while (n > 1) {
		size_t half = n / 2;

		if (m->low[lo + half] <= va)
			lo += half;
		n -= half;
	}
	return lo + 1;
}

uint32_t segmap_find(const struct segmap *m, uint64_t va)
{
	size_t i = segmap_at(m, va);

	return i ? m->id[i - 1] : SEG_NONE;
}

uint64_t segmap_step(const struct segmap *m, size_t *i, uint64_t high, uint32_t *id)
{
	size_t at = (*i)++;

	*id = at ? m->id[at - 1] : SEG_NONE;
	return at < m->n && m->low[at] < high ? m->low[at] : high;
}

size_t segmap_bytes(const struct segmap *m)
{
	return m->n * (sizeof(*m->low) + sizeof(*m->id));
}

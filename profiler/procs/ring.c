// SPDX-License-Identifier: GPL-2.0-or-later
#include <linux/perf_event.h>
#include <string.h>

#include "profiler/procs/ring.h"

static void copy_out(const struct ring *r, uint64_t at, uint8_t *out, size_t len)
{
	size_t off = at & (r->size - 1), first = r->size - off;

	first = first < len ? first : len;
	memcpy(out, r->data + off, first);
	memcpy(out + first, r->data, len - first);
}

const void *ring_peek(struct ring *r, size_t *len)
{
	uint64_t have = r->head - r->tail;
	size_t off = r->tail & (r->size - 1);
	struct perf_event_header h;

	*len = 0;
	if (!have)
		return NULL;
	if (have >= sizeof(h) && have <= r->size) {
		copy_out(r, r->tail, (uint8_t *)&h, sizeof(h));
		*len = h.size;
	}
	if (*len < sizeof(h) || *len > have) {
		*len = have > r->size ? r->size : have;
		r->tail = r->head;
		return NULL;
	}
	if (off + *len <= r->size)
		return r->data + off;
	copy_out(r, r->tail, r->scratch, *len);
	return r->scratch;
}

void ring_skip(struct ring *r, size_t len)
{
	r->tail += len;
}

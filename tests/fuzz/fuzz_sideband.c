// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Bytes of a ring -> records -> the process table, and questions about what came of it. Input: one
 * byte for where in the ring to begin, then the bytes. The table has to keep its books: what it
 * says it holds is what is found, and nothing is left when all is dead and expired.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/procs/events.h"
#include "profiler/procs/ksyms.h"
#include "profiler/procs/maps.h"
#include "profiler/procs/ring.h"

#define RING_SIZE 4096

static void ask(struct procs *p, const struct event *e)
{
	const struct proc_image *im = procs_image(p, e->tgid, e->t_ns);
	struct place place;

	procs_resolve(p, e->tgid, e->t_ns, e->start, &place);
	procs_resolve(p, e->tgid, e->t_ns / 2, e->start + e->len - 1, &place);
	if (im && (im->begin_ns > e->t_ns || im->begin_ns >= im->end_ns))
		abort();
	/* What has just been mapped is mapped, unless something later is there. */
	procs_resolve(p, e->tgid, e->t_ns, e->start, &place);
	if (e->kind == EVENT_MMAP && im && im->begin_ns <= e->t_ns && e->len &&
	    e->start + e->len > e->start && place.kind == PLACE_NO_PROCESS)
		abort();
}

/* Files without their table: there is no disk here to open them from. */
static void apply(struct procs *p, const struct event *e)
{
	struct proc_mapping m = {e->start, e->len, e->file_off, 0, 0};

	if (e->kind != EVENT_MMAP ||
	    map_kind_of(e->name, e->file.build_id.len ? MAP_CONTENT_PROGRAM : MAP_CONTENT_OTHER) !=
		    MAP_KIND_FILE) {
		event_apply(e, p, NULL);
		return;
	}
	m.file = e->file.build_id.data[0] + (uint32_t)e->file.inode % 8;
	procs_mmap(p, e->t_ns, e->tgid, &m);
}

static void apply_code(struct ksyms *k, const struct event *e)
{
	const char *module;

	if (e->kind == EVENT_CODE_BEGIN)
		ksyms_begin(k, e->t_ns, e->start, e->len, e->name);
	else if (e->kind == EVENT_CODE_END)
		ksyms_end(k, e->t_ns, e->start, e->len, e->name);
	else
		return;
	if (e->len && e->start + e->len > e->start &&
	    !ksyms_name(k, ksyms_find(k, e->t_ns, e->start), &module))
		abort();
}

static void play(struct procs *p, struct ksyms *k, struct ring *r)
{
	const void *record;
	size_t len;

	while ((record = ring_peek(r, &len)) || len) {
		struct event e;

		if (!record)
			continue;
		if (!event_parse(&e, record, len)) {
			apply(p, &e);
			apply_code(k, &e);
			ask(p, &e);
		}
		ring_skip(r, len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t ring_bytes[RING_SIZE], scratch[RING_SCRATCH];
	struct procs_opts opts = {.linger_ns = 1000, .max_bytes = 20000};
	struct ring r = {.data = ring_bytes, .size = RING_SIZE, .scratch = scratch};
	struct procs *p;
	struct procs_stats s;
	struct ksyms *k;

	if (size < 1 || size > RING_SIZE || procs_new(&p, &opts) || ksyms_new(&k))
		return 0;
	r.tail = r.head = (uint64_t)data[0] * 16 + RING_SIZE;
	for (size_t i = 1; i < size; i++)
		ring_bytes[(r.head + i - 1) % RING_SIZE] = data[i];
	r.head += size - 1;
	play(p, k, &r);
	procs_stats(p, &s);
	if (s.images_alive > s.images || s.bytes > 100000)
		abort();
	procs_expire(p, UINT64_MAX);
	procs_stats(p, &s);
	if (s.images != s.images_alive)
		abort();
	ksyms_free(k);
	procs_free(p);
	return 0;
}

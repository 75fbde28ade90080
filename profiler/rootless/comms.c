// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/rootless/comms.h"

#include <stdio.h>
#include <string.h>

#include "profiler/base/io.h"
#include "profiler/rootless/threads.h"

#define COMMS_MAX (1u << 16)

struct needle {
	const struct comms *c;
	pid_t tid;
};

static bool is_of(const void *ctx, uint32_t id)
{
	const struct needle *n = ctx;

	return n->c->all.data[id].tid == n->tid;
}

static uint32_t find(const struct comms *c, pid_t tid)
{
	struct needle n = {c, tid};

	return htab_find(&c->index, hash_u64((uint32_t)tid), is_of, &n);
}

void comms_copy(const struct comms *c, pid_t tid, char name[KILN_COMM_LEN])
{
	uint32_t id = find(c, tid);

	memset(name, 0, KILN_COMM_LEN);
	if (id != HTAB_NONE)
		memcpy(name, c->all.data[id].name, KILN_COMM_LEN);
}

void comms_set(struct comms *c, pid_t tid, const char *name)
{
	uint32_t id = find(c, tid);

	if (id == HTAB_NONE) {
		id = (uint32_t)c->all.len;
		if (id >= COMMS_MAX || vec_reserve(&c->all, id + 1ul) ||
		    htab_insert(&c->index, hash_u64((uint32_t)tid), id))
			return;
		c->all.data[c->all.len++].tid = tid;
	}
	/* Filled up with NUL, because names are compared whole. */
	strncpy(c->all.data[id].name, name, KILN_COMM_LEN - 1);
	c->all.data[id].name[KILN_COMM_LEN - 1] = '\0';
}

/* The last one takes the place. */
void comms_drop(struct comms *c, pid_t tid)
{
	uint32_t id = find(c, tid), last = (uint32_t)c->all.len - 1;

	if (id == HTAB_NONE)
		return;
	htab_remove(&c->index, hash_u64((uint32_t)tid), id);
	if (id != last) {
		uint64_t hash = hash_u64((uint32_t)c->all.data[last].tid);

		htab_remove(&c->index, hash, last);
		c->all.data[id] = c->all.data[last];
		htab_insert(&c->index, hash, id); /* there is room: one was removed */
	}
	c->all.len--;
}

static int read_one(void *ctx, pid_t tgid, pid_t tid)
{
	char path[64], name[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", (int)tgid, (int)tid);
	if (!io_read_line(path, name, sizeof(name)))
		comms_set(ctx, tid, name);
	return 0;
}

void comms_read(struct comms *c, pid_t tgid)
{
	threads_each(tgid, read_one, c);
}

void comms_release(struct comms *c)
{
	vec_release(&c->all);
	htab_release(&c->index);
}

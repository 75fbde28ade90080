// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/procs/rescan.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <time.h>

#include "profiler/base/text.h"
#include "profiler/files/stall_guard.h"
#include "profiler/procs/table.h"

/* Processes remembered: due, or read not long ago. More than run on most machines. */
#define ENTRIES_MAX 16384
/* Every reader that stalls stays behind: after so many nothing is read again. */
#define STALLS_MAX 32
/* Sampling goes on meanwhile: a process that answers at all does so in less, also one that maps a lot. */
#define WAIT_MS	   200
#define PAUSE_NS   1000000000ull
#define PAUSES_MAX 6 /* doublings */

struct entry {
	pid_t tgid;
	bool due;
	uint8_t futile;	 /* readings in a row that changed nothing */
	uint64_t t_ns;	 /* what is found is to hold from then on */
	uint64_t not_ns; /* not to be wanted before this time */
};

struct rescan {
	struct procs *procs;
	struct stall_guard guard;
	VEC(struct entry) entries;
	struct htab index; /* tgid -> entries */
	VEC(uint32_t) due; /* the last one is next */
	struct rescan_stats stats;
};

static uint64_t boot_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

int rescan_new(struct rescan **out, struct procs *procs)
{
	struct rescan *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->procs = procs;
	r->guard.wait_ms = WAIT_MS;
	*out = r;
	return 0;
}

void rescan_free(struct rescan *r)
{
	if (!r)
		return;
	stall_guard_release(&r->guard);
	vec_release(&r->entries);
	vec_release(&r->due);
	htab_release(&r->index);
	free(r);
}

struct needle {
	const struct rescan *r;
	pid_t tgid;
};

static bool entry_eq(const void *ctx, uint32_t id)
{
	const struct needle *n = ctx;

	return n->r->entries.data[id].tgid == n->tgid;
}

static uint32_t find(const struct rescan *r, pid_t tgid)
{
	struct needle n = {r, tgid};

	return htab_find(&r->index, table_tid_hash(tgid), entry_eq, &n);
}

/* The entry of a process, made if need be; HTAB_NONE when there is no room. */
static uint32_t entry_of(struct rescan *r, pid_t tgid)
{
	struct entry fresh = {.tgid = tgid};
	uint32_t id = find(r, tgid);

	if (id != HTAB_NONE)
		return id;
	if (r->entries.len >= ENTRIES_MAX && !r->due.len) { /* all of them are old */
		r->entries.len = 0;
		htab_clear(&r->index);
	}
	id = (uint32_t)r->entries.len;
	if (r->entries.len >= ENTRIES_MAX || vec_push(&r->entries, fresh))
		return HTAB_NONE;
	if (htab_insert(&r->index, table_tid_hash(tgid), id)) {
		r->entries.len--;
		return HTAB_NONE;
	}
	return id;
}

/* Makes an entry due, as the next one. */
static bool enqueue(struct rescan *r, uint32_t id, uint64_t t_ns)
{
	struct entry *e = id == HTAB_NONE ? NULL : &r->entries.data[id];

	if (!e || r->stats.stalled >= STALLS_MAX || vec_push(&r->due, id)) {
		r->stats.full++;
		return false;
	}
	e->t_ns = e->due && e->t_ns < t_ns ? e->t_ns : t_ns;
	e->due = true;
	return true;
}

bool rescan_want(struct rescan *r, pid_t tgid, uint64_t t_ns)
{
	uint32_t id = entry_of(r, tgid);

	if (id != HTAB_NONE && r->entries.data[id].due) {
		if (t_ns < r->entries.data[id].t_ns)
			r->entries.data[id].t_ns = t_ns;
		return true;
	}
	if (id != HTAB_NONE && boot_ns() < r->entries.data[id].not_ns)
		return false;
	return enqueue(r, id, t_ns);
}

void rescan_want_all(struct rescan *r, uint64_t t_ns)
{
	DIR *dir = opendir("/proc");
	const struct dirent *de;
	uint64_t pid;

	for (size_t i = 0; i < r->procs->all.len; i++) {
		const struct proc *proc = r->procs->all.data[i];

		if (proc && image_is_alive(proc->images[proc->n_images - 1]))
			enqueue(r, entry_of(r, proc->tgid), t_ns);
	}
	while (dir && (de = readdir(dir)))
		if (!text_parse_u64(de->d_name, INT_MAX, &pid) && pid)
			enqueue(r, entry_of(r, (pid_t)pid), t_ns);
	if (dir)
		closedir(dir);
}

bool rescan_is_due(const struct rescan *r, pid_t tgid)
{
	uint32_t id = find(r, tgid);

	return id != HTAB_NONE && r->entries.data[id].due;
}

bool rescan_is_idle(const struct rescan *r)
{
	return !r->due.len;
}

static void read_one(struct rescan *r, struct entry *e)
{
	int got = scan_again(r->procs, e->tgid, e->t_ns, &r->guard);

	e->due = false;
	e->futile = got == 1 ? 0 : e->futile < PAUSES_MAX ? e->futile + 1 : PAUSES_MAX;
	e->futile = got == -ETIMEDOUT ? PAUSES_MAX : e->futile;
	e->not_ns = boot_ns() + (PAUSE_NS << e->futile);
	r->stats.read += got != -ETIMEDOUT;
	r->stats.changed += got == 1;
	r->stats.gone += got == -ESRCH || got == -ENOENT;
	r->stats.stalled += got == -ETIMEDOUT;
}

void rescan_run(struct rescan *r, uint64_t budget_ns)
{
	uint64_t until;

	if (!r->due.len)
		return;
	until = boot_ns() + budget_ns;
	while (r->due.len && boot_ns() < until) {
		struct entry *e = &r->entries.data[r->due.data[--r->due.len]];

		if (e->due) /* it may stand there twice */
			read_one(r, e);
	}
}

void rescan_stats(const struct rescan *r, struct rescan_stats *out)
{
	*out = r->stats;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/procs/rescan.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "profiler/base/clock.h"
#include "profiler/base/text.h"
#include "profiler/files/stall_guard.h"
#include "profiler/procs/table.h"

/*
 * Processes to remember: due ones and recently read ones. More than run on most machines. 700 KB.
 */
#define ENTRIES_MAX 16384
/* A reader that hangs is left behind. While so many hang, no process is read. */
#define STALLS_MAX 32
/* Sampling goes on meanwhile. A process that answers at all takes less, even one with many
 * mappings. */
#define WAIT_MS	   200
#define PAUSE_NS   1000000000ull
#define PAUSES_MAX 6 /* doublings */
/* Finds the end of a process whose exit event was missed. */
#define ALL_EVERY_NS 3600000000000ull

struct entry {
	pid_t tgid;
	bool due;	 /* is in the queue, once */
	uint8_t futile;	 /* rescans in a row that changed nothing */
	uint64_t t_ns;	 /* results count from this time on */
	uint64_t not_ns; /* not wanted before this time */
};

struct rescan {
	struct procs *procs;
	struct stall_guard guard;
	VEC(struct entry) entries;
	struct htab index; /* tgid -> entries */
	VEC(pid_t) due;	   /* the last one is next */
	/* Time of the last rescan of all processes, and the interval. */
	uint64_t all_ns, all_every_ns;
	struct rescan_stats stats;
};

int rescan_new(struct rescan **out, struct procs *procs)
{
	struct rescan *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->procs = procs;
	r->guard.wait_ms = WAIT_MS;
	r->all_ns = boottime_ns();
	r->all_every_ns = ALL_EVERY_NS;
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

static struct entry *find(const struct rescan *r, pid_t tgid)
{
	struct needle n = {r, tgid};
	uint32_t id = htab_find(&r->index, table_tid_hash(tgid), entry_eq, &n);

	return id == HTAB_NONE ? NULL : &r->entries.data[id];
}

/* Forgets entries that are not due and may be wanted again before that time. */
static void forget_until(struct rescan *r, uint64_t t_ns)
{
	size_t kept = 0;

	htab_clear(&r->index);
	for (size_t i = 0; i < r->entries.len; i++) {
		struct entry e = r->entries.data[i];

		if (!e.due && e.not_ns <= t_ns)
			continue;
		r->entries.data[kept] = e;
		/* Capacity is there already. */
		htab_insert(&r->index, table_tid_hash(e.tgid), (uint32_t)kept++);
	}
	r->entries.len = kept;
}

/* The entry of a process. Makes it if needed; NULL when there is no room. */
static struct entry *entry_of(struct rescan *r, pid_t tgid)
{
	struct entry fresh = {.tgid = tgid}, *e = find(r, tgid);

	if (e)
		return e;
	if (r->entries.len >= ENTRIES_MAX)
		forget_until(r, boottime_ns());
	if (r->entries.len >= ENTRIES_MAX)
		forget_until(r, UINT64_MAX);
	if (r->entries.len >= ENTRIES_MAX || vec_push(&r->entries, fresh))
		return NULL;
	if (htab_insert(&r->index, table_tid_hash(tgid), (uint32_t)r->entries.len - 1)) {
		r->entries.len--;
		return NULL;
	}
	return &vec_last(&r->entries);
}

/* Makes a process due as the next one, unless it is due already. */
static bool enqueue(struct rescan *r, pid_t tgid, uint64_t t_ns)
{
	struct entry *e = entry_of(r, tgid);

	if (e && e->due) {
		e->t_ns = e->t_ns < t_ns ? e->t_ns : t_ns;
		return true;
	}
	if (!e || stall_guard_stuck(&r->guard) >= STALLS_MAX || vec_push(&r->due, tgid)) {
		r->stats.full++;
		return false;
	}
	e->t_ns = t_ns;
	e->due = true;
	return true;
}

bool rescan_want(struct rescan *r, pid_t tgid, uint64_t t_ns)
{
	const struct entry *e = find(r, tgid);

	if (e && !e->due && boottime_ns() < e->not_ns)
		return false;
	return enqueue(r, tgid, t_ns);
}

static void want_known(struct rescan *r, uint64_t t_ns)
{
	for (size_t i = 0; i < r->procs->all.len; i++) {
		const struct proc *proc = r->procs->all.data[i];

		if (proc && image_is_alive(proc->images[proc->n_images - 1]))
			enqueue(r, proc->tgid, t_ns);
	}
	r->all_ns = boottime_ns();
}

void rescan_want_all(struct rescan *r, uint64_t t_ns)
{
	DIR *dir = opendir("/proc");
	const struct dirent *de;
	uint64_t pid;

	want_known(r, t_ns);
	while (dir && (de = readdir(dir)))
		if (!text_parse_u64(de->d_name, INT_MAX, &pid) && pid)
			enqueue(r, (pid_t)pid, t_ns);
	if (dir)
		closedir(dir);
}

void rescan_set_period(struct rescan *r, uint64_t period_ns)
{
	r->all_every_ns = period_ns;
}

bool rescan_is_due(const struct rescan *r, pid_t tgid)
{
	const struct entry *e = find(r, tgid);

	return e && e->due;
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
	e->not_ns = boottime_ns() + (PAUSE_NS << e->futile);
	r->stats.read += got != -ETIMEDOUT;
	r->stats.changed += got == 1;
	r->stats.gone += got == -ESRCH || got == -ENOENT;
	r->stats.stalled += got == -ETIMEDOUT;
}

/* Too many readers hang: drops the queue, so that samples do not wait in vain. */
static void give_up(struct rescan *r)
{
	r->stats.full += r->due.len;
	while (r->due.len)
		find(r, r->due.data[--r->due.len])->due = false;
}

void rescan_run(struct rescan *r, uint64_t budget_ns)
{
	uint64_t now = boottime_ns(), until = now + budget_ns;

	if (now - r->all_ns > r->all_every_ns)
		want_known(r, now);
	while (r->due.len && boottime_ns() < until) {
		if (stall_guard_stuck(&r->guard) >= STALLS_MAX)
			give_up(r);
		else
			read_one(r, find(r, r->due.data[--r->due.len]));
	}
}

void rescan_stats(const struct rescan *r, struct rescan_stats *out)
{
	*out = r->stats;
	out->waiting = r->due.len;
}

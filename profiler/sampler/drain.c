// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/profile.skel.h"
#include "profiler/base/clock.h"
#include "profiler/base/kernel.h"
#include "profiler/base/log.h"
#include "profiler/sampler/drain.h"
#include "profiler/sampler/sampler.h"

#define BATCH		   1024 /* entries a system call; a hash bucket with more makes it grow */
#define BATCH_MAX	   (1u << 20)
#define MAPPINGS_MAX_BYTES (32u << 20) /* the same for records of mappings */

struct drain {
	struct profile_bpf *skel;
	struct ring_buffer *ring;
	int64_t offset_ns;    /* from times of the kernel to ours */
	int64_t monotonic_ns; /* of CLOCK_MONOTONIC, as above */
	int raw_fd; /* epoll, edge-triggered, because the ring always has something to read */
	struct window *filling[2]; /* by the number of their set of maps */
	struct raw_queue raw;
	VEC(struct mappings_record *) mappings;
	size_t mappings_next, mappings_bytes;
	bool set_dropped; /* since the last drain_next_mappings() */
	struct drain_stats stats;
};

/* The root end of a deep stack comes as a circular buffer. Puts it into order. */
static int add_record(struct drain *d, const struct kiln_stack_record *rec)
{
	uint64_t frames[UNWIND_FRAMES_MAX];
	uint32_t n = rec->head.n, kept = n < UNWIND_FRAMES_MAX ? n : UNWIND_FRAMES_MAX;
	struct window_stack s = {.word = rec->head.hash,
				 .len = kept,
				 .side = rec->head.side,
				 .end = rec->head.end,
				 .gap = n > kept ? UNWIND_LEAF_FRAMES : 0};

	for (uint32_t i = 0; i < kept; i++) {
		uint32_t walked = i < UNWIND_LEAF_FRAMES ? i : n - kept + i;

		frames[i] = rec->frames[UNWIND_FRAME_AT(walked)];
	}
	return window_add_stack(d->filling[rec->head.window], s, frames);
}

/* Puts return addresses back that uretprobes have replaced on the stack. */
static void undo_uretprobes(struct raw_sample *r, const struct kiln_raw_record *rec)
{
	uint64_t base = KILN_RAW_BASE(rec->regs[UNWIND_RSP]);

	for (uint32_t i = 0; i < rec->n_replaced && i < KILN_REPLACED_MAX; i++) {
		uint64_t off = rec->replaced[i].at - base;

		if (off < r->stack_len && r->stack_len - off >= sizeof(rec->replaced[i].was))
			memcpy(r->stack + off, &rec->replaced[i].was, sizeof(rec->replaced[i].was));
	}
}

static int add_raw(struct drain *d, const struct kiln_raw_record *rec)
{
	int err = 0;
	struct raw_sample *r = raw_queue_add(&d->raw, rec->head.n, &err);

	if (!r)
		return err;
	r->into = d->filling[rec->head.window];
	r->word = rec->head.hash;
	r->time_ns = rec->time_ns + (uint64_t)d->offset_ns;
	r->tgid = rec->tgid;
	r->why = (enum unwind_end)rec->head.end;
	r->base = KILN_RAW_BASE(rec->regs[UNWIND_RSP]);
	memcpy(r->regs, rec->regs, sizeof(r->regs));
	memcpy(r->stack, rec->stack, rec->head.n);
	r->is_compat = rec->is_compat;
	r->in_kernel = rec->in_kernel;
	r->jit_written = rec->jit_written;
	r->leaf_is = rec->leaf_is;
	r->leaf = rec->leaf;
	r->uprobes = rec->uprobes;
	r->owner = rec->owner;
	if (!r->is_compat)
		undo_uretprobes(r, rec);
	return 0;
}

struct raw_queue *drain_raw(struct drain *d)
{
	return &d->raw;
}

static void note_dropped(struct drain *d, const struct kiln_record_head *head)
{
	const struct kiln_mappings_record *rec = (const struct kiln_mappings_record *)head;

	d->stats.mappings_dropped++;
	if (head->kind == KILN_RECORD_MAPPINGS && !d->set_dropped)
		d->stats.dropped_ns = rec->time_ns + (uint64_t)d->offset_ns;
	d->set_dropped |= head->kind == KILN_RECORD_MAPPINGS;
}

static int add_mappings_record(struct drain *d, const struct kiln_record_head *head, size_t len)
{
	struct mappings_record *r;

	if (d->mappings_bytes + len > MAPPINGS_MAX_BYTES) {
		note_dropped(d, head);
		return 0;
	}
	r = malloc(sizeof(*r) + len);
	if (!r || vec_push(&d->mappings, r)) {
		free(r);
		return -ENOMEM;
	}
	d->mappings_bytes += len;
	r->len = len;
	memcpy(r->head, head, len);
	if (head->kind == KILN_RECORD_MAPPINGS) {
		((struct kiln_mappings_record *)r->head)->time_ns += (uint64_t)d->offset_ns;
		((struct kiln_mappings_record *)r->head)->monotonic_ns -= d->monotonic_ns;
	}
	return 0;
}

struct mappings_record *drain_next_mappings(struct drain *d)
{
	if (d->mappings_next < d->mappings.len)
		return d->mappings.data[d->mappings_next++];
	d->mappings.len = d->mappings_next = d->mappings_bytes = 0;
	d->set_dropped = false;
	return NULL;
}

/* Smallest size of a record of this kind. */
static size_t bytes_wanted(const struct kiln_record_head *head)
{
	uint32_t kept = head->n < UNWIND_FRAMES_MAX ? head->n : UNWIND_FRAMES_MAX;

	switch (head->kind) {
	case KILN_RECORD_RAW:
		return offsetof(struct kiln_raw_record, stack) + head->n;
	case KILN_RECORD_FILE:
		return offsetof(struct kiln_file_record, path) + head->n;
	case KILN_RECORD_MAPPINGS:
		return offsetof(struct kiln_mappings_record, at) +
		       (size_t)head->n * sizeof(struct kiln_mapping);
	default:
		return sizeof(*head) + kept * sizeof(uint64_t);
	}
}

static bool is_sound(const struct kiln_record_head *head, size_t len)
{
	return len >= sizeof(*head) && head->window <= 1 && head->side <= KILN_SIDE_KERNEL &&
	       head->kind < KILN_RECORD_KINDS && len >= bytes_wanted(head);
}

static int add_any(struct drain *d, const struct kiln_record_head *head, size_t len)
{
	switch (head->kind) {
	case KILN_RECORD_STACK:
		return add_record(d, (const struct kiln_stack_record *)head);
	case KILN_RECORD_RAW:
		return add_raw(d, (const struct kiln_raw_record *)head);
	default:
		return add_mappings_record(d, head, len);
	}
}

static int on_record(void *ctx, void *data, size_t len)
{
	struct drain *d = ctx;

	if (!is_sound(data, len))
		d->stats.bad_records++;
	/* Out of memory: the stack stays unknown and counts as missing. */
	else if (add_any(d, data, len))
		d->stats.failed++;
	return 0;
}

static int watch_ring(struct drain *d)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET};

	d->raw_fd = epoll_create1(EPOLL_CLOEXEC);
	if (d->raw_fd < 0 ||
	    epoll_ctl(d->raw_fd, EPOLL_CTL_ADD, bpf_map__fd(d->skel->maps.kiln_ring), &ev))
		return -errno;
	return 0;
}

int drain_new(struct drain **out, struct sampler *s)
{
	struct drain *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return -ENOMEM;
	d->skel = sampler_skeleton(s);
	d->offset_ns = kernel_boottime_offset_ns();
	d->monotonic_ns = kernel_monotonic_offset_ns();
	err = watch_ring(d);
	if (err) {
		drain_free(d);
		return err;
	}
	d->filling[0] = window_new();
	d->filling[1] = window_new();
	d->ring = ring_buffer__new(bpf_map__fd(d->skel->maps.kiln_ring), on_record, d, NULL);
	if (!d->filling[0] || !d->filling[1] || !d->ring) {
		drain_free(d);
		return -ENOMEM;
	}
	*out = d;
	return 0;
}

void drain_free(struct drain *d)
{
	if (!d)
		return;
	ring_buffer__free(d->ring);
	if (d->raw_fd >= 0)
		close(d->raw_fd);
	raw_queue_release(&d->raw);
	for (struct mappings_record *r; (r = drain_next_mappings(d));)
		free(r);
	vec_release(&d->mappings);
	window_free(d->filling[0]);
	window_free(d->filling[1]);
	free(d);
}

int drain_fd(const struct drain *d)
{
	return d->raw_fd;
}

bool drain_has_new_file(const struct drain *d)
{
	return __atomic_load_n(&d->skel->bss->has_new_file, __ATOMIC_SEQ_CST);
}

int drain_stacks(struct drain *d)
{
	struct epoll_event ev;
	int n;

	epoll_wait(d->raw_fd, &ev, 1, 0); /* before reading, so that later records wake it again */
	__atomic_store_n(&d->skel->bss->was_woken, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&d->skel->bss->has_new_file, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&d->skel->bss->unread_since_ns, 0, __ATOMIC_SEQ_CST);
	n = ring_buffer__consume(d->ring);

	return n < 0 ? n : 0;
}

/*
 * Returns when every program that may have read the old window number has ended. Programs run under
 * the RCU read lock, and MEMBARRIER_CMD_GLOBAL is a synchronize_rcu() (membarrier(2)).
 */
static void wait_for_programs(void)
{
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		usleep(50000); /* nohz_full kernels refuse it; a program takes microseconds */
}

typedef int (*entry_fn)(void *ctx, const void *key, const void *value);

/* Empties a hash map in batches. Gives each entry to fn, which may be NULL. 0 or -errno. */
static int empty_hash(int fd, size_t key_size, size_t value_size, entry_fn fn, void *ctx)
{
	DECLARE_LIBBPF_OPTS(bpf_map_batch_opts, opts);
	uint32_t cap = BATCH, cursor;
	void *in = NULL, *keys = malloc(cap * key_size), *values = malloc(cap * value_size);
	int err = keys && values ? 0 : -ENOMEM;

	while (!err) {
		uint32_t n = cap;
		int end = bpf_map_lookup_and_delete_batch(fd, in, &cursor, keys, values, &n, &opts);

		if (end && errno == ENOSPC &&
		    cap < BATCH_MAX) { /* one bucket holds more than cap */
			cap *= 4;
			free(keys);
			free(values);
			keys = malloc(cap * key_size);
			values = malloc(cap * value_size);
			err = keys && values ? 0 : -ENOMEM;
			continue;
		}
		if (end && errno != ENOENT) {
			err = -errno;
			break;
		}
		for (uint32_t i = 0; i < n && fn && !err; i++)
			err = fn(ctx, (char *)keys + i * key_size, (char *)values + i * value_size);
		in = &cursor;
		if (end)
			break;
	}
	free(keys);
	free(values);
	return err;
}

struct rows {
	struct window *w;
	int64_t offset_ns;
};

static int take_row(void *ctx, const void *key, const void *value)
{
	const struct rows *rows = ctx;
	struct window *w = rows->w;
	struct window_row row;

	memcpy(&row.key, key, sizeof(row.key));
	memcpy(&row.value, value, sizeof(row.value));
	row.value.first_ns += (uint64_t)rows->offset_ns;
	w->samples += row.value.count;
	return vec_push(&w->rows, row);
}

/*
 * Reads the kernel stacks that rows refer to by id. A stack that is not in the map stays missing.
 */
static int take_kernel_stacks(struct window *w, int fd)
{
	uint64_t frames[KILN_MAX_FRAMES];
	const uint64_t *known;
	int err = 0;

	for (size_t i = 0; i < w->rows.len && !err; i++) {
		uint64_t word = w->rows.data[i].key.kernel_stack;
		uint32_t id = (uint32_t)word;
		size_t n = 0;

		if (!(word & KILN_STACK_ID) || window_stack(w, KILN_SIDE_KERNEL, word, &known) ||
		    bpf_map_lookup_elem(fd, &id, frames))
			continue;
		while (n < KILN_MAX_FRAMES && frames[n])
			n++;
		err = window_add_stack(w,
				       (struct window_stack){.word = word,
							     .len = (uint32_t)n,
							     .side = KILN_SIDE_KERNEL},
				       frames);
	}
	return err;
}

/* Takes no memory. key has room for one. */
static void empty_unread(int fd, void *key)
{
	while (!bpf_map_get_next_key(fd, NULL, key))
		if (bpf_map_delete_elem(fd, key))
			return;
}

/*
 * What cannot be read goes all the same: rows that stayed would be read when this pair of maps is filled again, and
 * their ids name other kernel stacks then.
 */
static int take_rows(struct rows *rows, int fd)
{
	struct kiln_count_key key;
	int err = empty_hash(fd, sizeof(key), sizeof(struct kiln_count_value), take_row, rows);

	if (err)
		empty_unread(fd, &key);
	return err;
}

static int empty_seen(int fd)
{
	uint64_t key;
	int err = empty_hash(fd, sizeof(key), 1, NULL, NULL);

	if (err)
		empty_unread(fd, &key);
	return err;
}

int drain_window(struct drain *d, struct window **out)
{
	struct bpf_map *const counts[] = {d->skel->maps.kiln_counts_0, d->skel->maps.kiln_counts_1};
	struct bpf_map *const stacks[] = {d->skel->maps.kiln_kstacks_0,
					  d->skel->maps.kiln_kstacks_1};
	struct bpf_map *const seen[] = {d->skel->maps.kiln_seen_0, d->skel->maps.kiln_seen_1};
	uint32_t old = d->skel->bss->current_window & 1;
	struct window *w = d->filling[old], *fresh = window_new();
	struct rows rows = {w, d->offset_ns};
	uint32_t id;
	int err, rows_err, seen_err;

	if (!fresh)
		return -ENOMEM;
	d->filling[!old]->begin_ns = boottime_ns();
	__atomic_store_n(&d->skel->bss->current_window, !old, __ATOMIC_SEQ_CST);
	wait_for_programs();
	w->end_ns = boottime_ns();
	err = drain_stacks(d);
	rows_err = take_rows(&rows, bpf_map__fd(counts[old]));
	err = err ?: rows_err ?: take_kernel_stacks(w, bpf_map__fd(stacks[old]));
	empty_unread(bpf_map__fd(stacks[old]), &id);
	seen_err = empty_seen(bpf_map__fd(seen[old]));
	err = err ?: seen_err;
	d->filling[old] = fresh;
	d->stats.windows++;
	d->stats.samples += w->samples;
	if (err) {
		d->stats.failed++;
		log_debug("draining a window: %s", strerror(-err));
	}
	*out = w; /* what was read is kept; the rest counts as drain_failed */
	return 0;
}

void drain_stats(const struct drain *d, struct drain_stats *out)
{
	*out = d->stats;
	out->raw_dropped = d->raw.dropped;
}

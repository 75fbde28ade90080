// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/unwind/table_loader.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "bpf/unwind_abi.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/vec.h"
#include "symbolizer/opener/kept_file.h"
#include "symbolizer/worker/table_worker.h"

/* Tables to put into the kernel at once. Each round waits for an RCU grace period. */
#define BATCH_MAX 64
/* A round that samples wait for compiles no more after this time. */
#define ROUND_MAX_NS 50000000ull
/* Slots to empty in a round. Each waits for a grace period of its own. */
#define EMPTY_MAX  8
#define HURRY_NICE (-10)

struct job {
	uint32_t file;
	struct kept_file what;
	uint64_t size; /* of the file */
	size_t need;   /* size of its table; 0: unknown */
	/* The result. */
	int err;
	size_t bytes;
	struct kernel_table *table;
};

struct to_empty {
	uint32_t slot;
	size_t bytes;
};

struct table_loader {
	struct table_loader_opts opts;
	struct unwind_cache *cache; /* used by the thread only */
	pthread_t thread;
	bool has_thread;
	int nice; /* used by the thread only */
	/* Protected by the lock. */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	VEC(struct job) queue, finished;
	size_t n_hurried; /* the first so many of the queue are in a hurry */
	pid_t tid;	  /* 0: the thread has not started */
	bool is_pressed;
	VEC(uint32_t) free_slots; /* has capacity for all */
	VEC(struct to_empty) to_empty;
	uint32_t next_slot;
	size_t bytes;	  /* of tables that have slots */
	size_t in_flight; /* queued or in work */
	bool stop;
	struct table_loader_stats stats;
};

void kernel_table_free(struct kernel_table *t)
{
	if (t && t->blob)
		munmap((void *)t->blob, t->bytes);
	free(t);
}
DEFINE_CLEANUP(kernel_table, kernel_table_free)

/* --- room in the kernel ----------------------------------------------------------------------- */

static bool fits(const struct table_loader *l, size_t bytes)
{
	return l->bytes + bytes <= l->opts.budget_bytes &&
	       (l->free_slots.len || l->next_slot < l->opts.max_tables);
}

/* Takes a slot and room for a table. Only the thread does so. */
static bool take_room(struct table_loader *l, struct kernel_table *t)
{
	bool ok;

	pthread_mutex_lock(&l->lock);
	ok = fits(l, t->bytes);
	if (ok) {
		t->slot = l->free_slots.len ? l->free_slots.data[--l->free_slots.len]
					    : l->next_slot++;
		l->bytes += t->bytes;
	}
	l->stats.no_room += !ok;
	pthread_mutex_unlock(&l->lock);
	return ok;
}

/* Call with the lock held. */
static void give_back(struct table_loader *l, uint32_t slot, size_t bytes)
{
	l->bytes -= bytes;
	l->free_slots.data[l->free_slots.len++] = slot;
}

/* --- one table -------------------------------------------------------------------------------- */

static void note_segments(struct kernel_table *t, const struct elf_facts *f)
{
	const struct elf_segment *s = f->segs;

	for (size_t i = 0; i < f->n_segs && t->n_segs < TABLE_SEGMENTS_MAX; i++)
		t->segs[t->n_segs++] = (struct table_segment){s[i].file_off, s[i].file_len,
							      s[i].va - s[i].file_off};
}

/* Gets the table of a file from the cache, or compiles and caches it. */
static int make_blob(struct table_loader *l, const struct kept_file *what, struct kernel_table *t,
		     void **blob, size_t *len)
{
	const struct sym_file file = kept_file_sym(what);
	struct file_identity identity, *lasting = NULL;
	struct elf_facts facts;
	int err = table_worker_look(l->opts.compiler, &file, &facts);

	if (err)
		return err;
	/* What has no path, as the vDSO, is another file in the next run. */
	if (facts.build_id.len && file.path && sym_file_identity(&file, &identity))
		lasting = &identity;
	note_segments(t, &facts);
	if (!unwind_cache_get(l->cache, lasting, blob, len))
		return 0;
	err = table_worker_build(l->opts.compiler, &file, blob, len);
	if (!err && !((const struct unwind_head *)*blob)->is_partial)
		unwind_cache_put(l->cache, lasting, *blob, *len);
	return err;
}

/* Makes a kernel map with the blob: returns its descriptor or -errno, and maps it for reading. */
static int make_map(const void *blob, size_t len, struct kernel_table *t)
{
	DECLARE_LIBBPF_OPTS(bpf_map_create_opts, opts,
			    .map_flags = BPF_F_MMAPABLE | BPF_F_INNER_MAP);
	_cleanup_close_ int fd =
		bpf_map_create(BPF_MAP_TYPE_ARRAY, "kiln_unw_table", sizeof(uint32_t), UNWIND_PAGE,
			       (uint32_t)(t->bytes / UNWIND_PAGE), &opts);
	void *at;

	if (fd < 0)
		return -errno;
	at = mmap(NULL, t->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	memcpy(at, blob, len);
	mprotect(at, t->bytes, PROT_READ);
	t->blob = at;
	return steal_fd(&fd);
}

/* The same in kiln's own memory, where no kernel walks. */
static int keep_blob(const void *blob, size_t len, struct kernel_table *t)
{
	void *at = mmap(NULL, t->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return -errno;
	memcpy(at, blob, len);
	mprotect(at, t->bytes, PROT_READ);
	t->blob = at;
	return 0;
}

/* Makes the table of a file. Returns the descriptor of its map, which has a slot but is not in
 * it yet; or -1: on failure, and where no kernel walks. */
static int work(struct table_loader *l, struct job *j)
{
	_cleanup_(kernel_table_freep) struct kernel_table *t = calloc(1, sizeof(*t));
	_cleanup_free_ void *blob = NULL;
	_cleanup_(kept_file_release) struct kept_file what = j->what;
	size_t len = 0;
	int fd;

	j->what = KEPT_FILE_NONE;
	j->err = t ? make_blob(l, &what, t, &blob, &len) : -ENOMEM;
	if (j->err)
		return -1;
	t->bytes = j->bytes = (len + UNWIND_PAGE - 1) / UNWIND_PAGE * UNWIND_PAGE;
	if (!take_room(l, t)) {
		j->err = -ENOSPC;
		return -1;
	}
	fd = l->opts.map_fd < 0 ? keep_blob(blob, len, t) : make_map(blob, len, t);
	if (fd < 0) { /* the kernel is out of memory, or a limit was hit */
		pthread_mutex_lock(&l->lock);
		give_back(l, t->slot, t->bytes);
		pthread_mutex_unlock(&l->lock);
		j->err = -EBUSY;
		return -1;
	}
	j->table = steal_ptr(t);
	return l->opts.map_fd < 0 ? -1 : fd;
}

/* --- the thread ------------------------------------------------------------------------------- */

/*
 * Every change of a map of maps waits for an RCU grace period. So a round goes in by one call, if
 * the kernel has batches for such maps (5.19).
 */
static int install(struct table_loader *l, const uint32_t *slots, const int *fds, uint32_t n)
{
	DECLARE_LIBBPF_OPTS(bpf_map_batch_opts, opts);
	uint32_t done = n;

	if (!n || !bpf_map_update_batch(l->opts.map_fd, slots, fds, &done, &opts))
		return 0;
	for (uint32_t i = 0; i < n; i++)
		if (bpf_map_update_elem(l->opts.map_fd, &slots[i], &fds[i], BPF_ANY))
			return -errno;
	return 0;
}

/* True if files outside of this round should be compiled first. */
static bool others_first(const struct table_loader *l)
{
	return __atomic_load_n(&l->n_hurried, __ATOMIC_RELAXED) > 0;
}

/* Compiles tables as time allows. Returns their number. */
static uint32_t work_round(struct table_loader *l, struct job *jobs, int *fds, uint32_t n)
{
	uint64_t begin = monotonic_ns();
	uint32_t i = 0;

	while (i < n && (!i || (monotonic_ns() - begin < ROUND_MAX_NS && !others_first(l)))) {
		fds[i] = work(l, &jobs[i]);
		i++;
	}
	return i;
}

/* The kernel refused, probably out of memory. Some slots may have been set. */
static void take_out(struct table_loader *l, struct job *j)
{
	uint32_t slot = j->table->slot;

	bpf_map_delete_elem(l->opts.map_fd, &slot);
	pthread_mutex_lock(&l->lock);
	give_back(l, slot, j->table->bytes);
	pthread_mutex_unlock(&l->lock);
	kernel_table_free(steal_ptr(j->table));
	j->err = -EBUSY;
}

static void install_round(struct table_loader *l, struct job *jobs, const int *fds, uint32_t n)
{
	uint32_t slots[BATCH_MAX], which[BATCH_MAX], n_in = 0;
	int in[BATCH_MAX];
	bool refused;

	for (uint32_t i = 0; i < n; i++) {
		if (fds[i] < 0)
			continue;
		slots[n_in] = jobs[i].table->slot;
		in[n_in] = fds[i];
		which[n_in++] = i;
	}
	refused = install(l, slots, in, n_in) != 0;
	for (uint32_t i = 0; i < n_in; i++) {
		close(in[i]); /* the map of tables holds it now */
		if (refused)
			take_out(l, &jobs[which[i]]);
	}
}

/* On a busy machine a table of 10 ms takes 100, and all samples meanwhile are sent with their
 * stacks. So the thread gets a higher priority while samples wait. Call with the lock held. */
static void set_pressed(struct table_loader *l, bool pressed)
{
	if (l->is_pressed != pressed && l->tid)
		setpriority(PRIO_PROCESS, (id_t)l->tid, pressed ? HURRY_NICE : l->nice);
	l->is_pressed = pressed;
}

/* Takes the jobs in queue[from..to) that have room out of the queue. Call with the lock held. */
static uint32_t take_from(struct table_loader *l, size_t from, size_t to, struct job *jobs)
{
	size_t kept = from, needed = 0;
	uint32_t n = 0;

	for (size_t i = from; i < l->queue.len; i++) {
		struct job j = l->queue.data[i];

		if (i < to && n < BATCH_MAX && (!j.need || fits(l, needed + j.need))) {
			needed += j.need;
			jobs[n++] = j;
		} else {
			l->queue.data[kept++] = j;
		}
	}
	l->queue.len = kept;
	return n;
}

/* Takes only jobs in a hurry, if there are any. Call with the lock held. */
static uint32_t take_jobs(struct table_loader *l, struct job *jobs)
{
	uint32_t n = take_from(l, 0, l->n_hurried, jobs);

	l->n_hurried -= n;
	return n ?: take_from(l, l->n_hurried, l->queue.len, jobs);
}

static uint32_t take_slots(struct table_loader *l, struct to_empty *slots)
{
	uint32_t n = (uint32_t)(l->to_empty.len < EMPTY_MAX ? l->to_empty.len : EMPTY_MAX);

	if (!n)
		return 0;
	memcpy(slots, l->to_empty.data, n * sizeof(*slots));
	memmove(l->to_empty.data, l->to_empty.data + n, (l->to_empty.len - n) * sizeof(*slots));
	l->to_empty.len -= n;
	return n;
}

/* Puts jobs that had no time back to the front of the queue, behind those in a hurry. There is
 * room for them. Call with the lock held. */
static void put_back(struct table_loader *l, const struct job *jobs, uint32_t n)
{
	if (!n)
		return;
	memmove(l->queue.data + l->n_hurried + n, l->queue.data + l->n_hurried,
		(l->queue.len - l->n_hurried) * sizeof(*jobs));
	memcpy(l->queue.data + l->n_hurried, jobs, n * sizeof(*jobs));
	l->queue.len += n;
}

/* Call with the lock held; it is released during the work. False: there is nothing to do. */
static bool one_round(struct table_loader *l)
{
	struct to_empty slots[EMPTY_MAX];
	struct job jobs[BATCH_MAX];
	int fds[BATCH_MAX];
	uint32_t n_empty = take_slots(l, slots), n, done;

	if (n_empty) {
		pthread_mutex_unlock(&l->lock);
		for (uint32_t i = 0; i < n_empty; i++)
			bpf_map_delete_elem(l->opts.map_fd, &slots[i].slot);
		pthread_mutex_lock(&l->lock);
	}
	for (uint32_t i = 0; i < n_empty; i++)
		give_back(l, slots[i].slot, slots[i].bytes);
	n = take_jobs(l, jobs);
	if (!n)
		return n_empty > 0;
	pthread_mutex_unlock(&l->lock);
	done = work_round(l, jobs, fds, n);
	install_round(l, jobs, fds, done);
	pthread_mutex_lock(&l->lock);
	set_pressed(l, l->n_hurried > 0);
	put_back(l, jobs + done, n - done);
	for (uint32_t i = 0; i < done; i++)
		l->finished.data[l->finished.len++] = jobs[i]; /* room was made */
	l->in_flight -= done;
	unwind_cache_stats(l->cache, &l->stats.cache);
	pthread_cond_broadcast(&l->changed);
	return true;
}

static void *thread_main(void *arg)
{
	struct table_loader *l = arg;

	pthread_mutex_lock(&l->lock);
	l->tid = (pid_t)syscall(SYS_gettid);
	while (!l->stop)
		if (!one_round(l))
			pthread_cond_wait(&l->changed, &l->lock);
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

/* --- the caller ------------------------------------------------------------------------------- */

/* Allocates all arrays, so that the thread needs no memory later. */
static int make_vectors(struct table_loader *l)
{
	return vec_reserve(&l->queue, l->opts.max_queue) ?:
	       vec_reserve(&l->finished, l->opts.max_queue) ?:
	       vec_reserve(&l->free_slots, l->opts.max_tables) ?:
	       vec_reserve(&l->to_empty, l->opts.max_tables);
}

int table_loader_new(struct table_loader **out, const struct table_loader_opts *opts)
{
	struct table_loader *l = calloc(1, sizeof(*l));
	pthread_condattr_t attr;
	int err;

	if (!l)
		return -ENOMEM;
	l->opts = *opts;
	pthread_mutex_init(&l->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&l->changed, &attr);
	pthread_condattr_destroy(&attr);
	l->nice = getpriority(PRIO_PROCESS, 0);
	err = make_vectors(l) ?: unwind_cache_open(&l->cache, opts->cache_dir, 0);
	err = err ?: -pthread_create(&l->thread, NULL, thread_main, l);
	l->has_thread = !err;
	if (err) {
		table_loader_free(l);
		return err;
	}
	*out = l;
	return 0;
}

void table_loader_free(struct table_loader *l)
{
	if (!l)
		return;
	table_worker_cancel(l->opts.compiler);
	pthread_mutex_lock(&l->lock);
	l->stop = true;
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->lock);
	if (l->has_thread)
		pthread_join(l->thread, NULL);
	for (size_t i = 0; i < l->queue.len; i++)
		kept_file_release(&l->queue.data[i].what);
	for (size_t i = 0; i < l->finished.len; i++)
		kernel_table_free(l->finished.data[i].table);
	pthread_mutex_destroy(&l->lock);
	pthread_cond_destroy(&l->changed);
	unwind_cache_close(l->cache);
	vec_release(&l->queue);
	vec_release(&l->finished);
	vec_release(&l->free_slots);
	vec_release(&l->to_empty);
	free(l);
}

/* Call with the lock held. */
static int enqueue(struct table_loader *l, const struct job *j)
{
	size_t at = l->queue.len;

	if (l->in_flight + l->finished.len >= l->opts.max_queue) {
		l->stats.queue_full++;
		return -EAGAIN;
	}
	while (at > l->n_hurried && l->queue.data[at - 1].size > j->size)
		at--;
	memmove(l->queue.data + at + 1, l->queue.data + at, (l->queue.len - at) * sizeof(*j));
	l->queue.data[at] = *j;
	l->queue.len++;
	l->in_flight++;
	pthread_cond_broadcast(&l->changed);
	return 0;
}

int table_loader_add(struct table_loader *l, uint32_t file, const struct sym_file *what,
		     size_t need_bytes)
{
	struct job j = {.file = file, .need = need_bytes};
	struct sym_file_key key;
	int err = kept_file_take(&j.what, what);

	if (err)
		return err == -EMFILE ? -EAGAIN : err;
	j.size = sym_file_facts(what, &key) ? key.size : 0;
	pthread_mutex_lock(&l->lock);
	err = enqueue(l, &j);
	pthread_mutex_unlock(&l->lock);
	if (err)
		kept_file_release(&j.what);
	return err;
}

void table_loader_hurry(struct table_loader *l, uint32_t file)
{
	struct job j;

	pthread_mutex_lock(&l->lock);
	for (size_t i = l->n_hurried; i < l->queue.len; i++) {
		if (l->queue.data[i].file != file)
			continue;
		j = l->queue.data[i];
		memmove(l->queue.data + l->n_hurried + 1, l->queue.data + l->n_hurried,
			(i - l->n_hurried) * sizeof(j));
		l->queue.data[l->n_hurried] = j;
		__atomic_store_n(&l->n_hurried, l->n_hurried + 1, __ATOMIC_RELAXED);
		set_pressed(l, true);
		break;
	}
	pthread_mutex_unlock(&l->lock);
}

bool table_loader_next(struct table_loader *l, struct loaded *out)
{
	bool any;

	pthread_mutex_lock(&l->lock);
	any = l->finished.len > 0;
	if (any) {
		const struct job *j = &vec_last(&l->finished);

		*out = (struct loaded){j->file, j->err, j->bytes, j->table};
		l->finished.len--;
	}
	pthread_mutex_unlock(&l->lock);
	return any;
}

void table_loader_empty(struct table_loader *l, uint32_t slot, size_t bytes)
{
	struct to_empty e = {slot, bytes};

	pthread_mutex_lock(&l->lock);
	l->to_empty.data[l->to_empty.len++] = e; /* each slot at most once, so there is room */
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->lock);
}

size_t table_loader_pending(struct table_loader *l, size_t *queued)
{
	size_t n;

	pthread_mutex_lock(&l->lock);
	n = l->in_flight;
	*queued = l->queue.len;
	pthread_mutex_unlock(&l->lock);
	return n;
}

bool table_loader_settle(struct table_loader *l, int timeout_ms)
{
	struct timespec until = timespec_of(monotonic_ns() + (uint64_t)timeout_ms * 1000000);
	bool settled;
	int err = 0;

	pthread_mutex_lock(&l->lock);
	while (l->in_flight && !err)
		err = pthread_cond_timedwait(&l->changed, &l->lock, &until);
	settled = !l->in_flight;
	pthread_mutex_unlock(&l->lock);
	return settled;
}

void table_loader_stats(struct table_loader *l, struct table_loader_stats *out)
{
	pthread_mutex_lock(&l->lock);
	*out = l->stats;
	out->bytes = l->bytes;
	out->slots = l->next_slot - l->free_slots.len;
	pthread_mutex_unlock(&l->lock);
}

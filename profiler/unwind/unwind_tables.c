// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/vec.h"
#include "profiler/unwind/unwind_cache.h"
#include "profiler/unwind/unwind_tables.h"
#include "symbolizer/worker/table_worker.h"

#define BUDGET_BYTES (32u << 20)
#define SEGMENTS_MAX 8 /* executable segments of one file; a normal one has 1 */
/* Tables put into the kernel at once: each round waits for an RCU grace period. */
#define BATCH_MAX 64
/* ... and somebody waits for what it has: no more are compiled once a round has taken so long. */
#define ROUND_MAX_NS 50000000ull
#define HURRY_NICE   (-10)

struct seg {
	uint64_t off, len, va_minus_off;
};

struct table {
	enum unwind_table_state state;
	int err; /* why there is none */
	uint32_t slot, n_segs;
	size_t bytes;
	const void *blob; /* of a loaded table: the kernel's own memory, mapped to be read */
	uint64_t used;	  /* tick of the last use */
	struct seg segs[SEGMENTS_MAX];
};

struct job {
	uint32_t file;
	int fd;
	off_t size; /* of the file */
	/* what became of it */
	struct table done;
};

struct unwind_tables {
	struct unwind_tables_opts opts;
	struct unwind_cache *cache;
	pthread_t thread;
	bool has_thread;
	int nice; /* the thread's own */
	/* Owned by the caller's thread. */
	VEC(struct table) tables; /* by file number */
	uint64_t tick, bytes;
	/* Under the lock. */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	VEC(struct job) queue, finished;
	size_t n_hurried; /* of the queue, at its front: samples wait for them */
	pid_t tid;	  /* of the thread; 0: it has not begun */
	bool is_pressed;
	VEC(uint32_t) free_slots; /* emptied by the thread, ready for use */
	VEC(uint32_t) to_empty;	  /* evicted by the caller */
	uint32_t next_slot;
	size_t in_flight; /* queued or being worked at */
	bool stop;
	struct unwind_tables_stats stats;
};

/* --- the thread ------------------------------------------------------------------------------- */

static void note_segments(struct table *t, const struct elf_facts *f)
{
	const struct elf_segment *s = f->segs;

	for (size_t i = 0; i < f->n_segs && t->n_segs < SEGMENTS_MAX; i++)
		t->segs[t->n_segs++] =
			(struct seg){s[i].file_off, s[i].file_len, s[i].va - s[i].file_off};
}

/* The blob of a file: from the cache, or compiled and cached. */
static int make_blob(struct unwind_tables *t, struct job *j, void **blob, size_t *len)
{
	struct elf_facts facts;
	int err = table_worker_look(t->opts.compiler, j->fd, &facts);

	if (err)
		return err;
	note_segments(&j->done, &facts);
	if (!unwind_cache_get(t->cache, &facts.build_id, blob, len))
		return 0;
	err = table_worker_build(t->opts.compiler, j->fd, blob, len);
	if (!err)
		unwind_cache_put(t->cache, &facts.build_id, *blob, *len);
	return err;
}

/* A map of the kernel that holds the blob, its descriptor or -errno, and where it can be read. */
static int make_map(const void *blob, size_t len, struct table *done)
{
	DECLARE_LIBBPF_OPTS(bpf_map_create_opts, opts,
			    .map_flags = BPF_F_MMAPABLE | BPF_F_INNER_MAP);
	uint32_t pages = (uint32_t)((len + UNWIND_PAGE - 1) / UNWIND_PAGE);
	_cleanup_close_ int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "kiln_unw_table",
						sizeof(uint32_t), UNWIND_PAGE, pages, &opts);
	void *at;

	if (fd < 0)
		return -errno;
	done->bytes = (size_t)pages * UNWIND_PAGE;
	at = mmap(NULL, done->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	memcpy(at, blob, len);
	mprotect(at, done->bytes, PROT_READ);
	done->blob = at;
	return steal_fd(&fd);
}

static void unmap_blob(struct table *t)
{
	if (t->blob)
		munmap((void *)t->blob, t->bytes);
	t->blob = NULL;
}

/* Compiles one; the descriptor of its map, or -1. */
static int work(struct unwind_tables *t, struct job *j)
{
	_cleanup_free_ void *blob = NULL;
	size_t len = 0;
	int fd;

	j->done.state = TABLE_NONE;
	j->done.err = make_blob(t, j, &blob, &len);
	close(steal_fd(&j->fd));
	if (j->done.err)
		return -1;
	fd = make_map(blob, len, &j->done);
	return fd < 0 ? -1 : fd;
}

/* Called with the lock held. */
static bool take_slot(struct unwind_tables *t, uint32_t *slot)
{
	if (t->free_slots.len)
		*slot = t->free_slots.data[--t->free_slots.len];
	else if (t->next_slot < UNWIND_TABLES_MAX)
		*slot = t->next_slot++;
	else
		return false;
	return true;
}

/*
 * Every change of a map of maps waits for an RCU grace period: all of a round goes in by one call
 * where the kernel has batches for such maps (5.19).
 */
static int install(struct unwind_tables *t, const uint32_t *slots, const int *fds, uint32_t n)
{
	DECLARE_LIBBPF_OPTS(bpf_map_batch_opts, opts);
	uint32_t done = n;

	if (!n || !bpf_map_update_batch(t->opts.map_fd, slots, fds, &done, &opts))
		return 0;
	for (uint32_t i = 0; i < n; i++)
		if (bpf_map_update_elem(t->opts.map_fd, &slots[i], &fds[i], BPF_ANY))
			return -errno;
	return 0;
}

static void give_slots(struct unwind_tables *t, struct job *jobs, int *fds, uint32_t n)
{
	pthread_mutex_lock(&t->lock);
	for (uint32_t i = 0; i < n; i++) {
		if (fds[i] >= 0 && !take_slot(t, &jobs[i].done.slot)) {
			t->stats.slots_full++;
			close(fds[i]);
			fds[i] = -1;
		}
	}
	pthread_mutex_unlock(&t->lock);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

/* Whether others than those of this round had better be compiled now. */
static bool others_first(const struct unwind_tables *t)
{
	return __atomic_load_n(&t->n_hurried, __ATOMIC_RELAXED) > 0;
}

/* Compiles as many as there is time for: their number. */
static uint32_t work_round(struct unwind_tables *t, struct job *jobs, int *fds, uint32_t n)
{
	uint64_t begin = now_ns();
	uint32_t i = 0;

	while (i < n && (!i || (now_ns() - begin < ROUND_MAX_NS && !others_first(t)))) {
		fds[i] = work(t, &jobs[i]);
		i++;
	}
	return i;
}

/* On a machine whose CPUs are all busy a table of 10 ms takes 100, and all that is sampled meanwhile
 * is sent with its stack: while samples wait the thread goes first. With the lock held. */
static void set_pressed(struct unwind_tables *t, bool pressed)
{
	if (t->is_pressed != pressed && t->tid)
		setpriority(PRIO_PROCESS, (id_t)t->tid, pressed ? HURRY_NICE : t->nice);
	t->is_pressed = pressed;
}

static void install_round(struct unwind_tables *t, struct job *jobs, int *fds, uint32_t n)
{
	uint32_t slots[BATCH_MAX], which[BATCH_MAX], n_in = 0;
	int in[BATCH_MAX];

	give_slots(t, jobs, fds, n);
	for (uint32_t i = 0; i < n; i++) {
		if (fds[i] < 0)
			continue;
		slots[n_in] = jobs[i].done.slot;
		in[n_in] = fds[i];
		which[n_in++] = i;
	}
	if (!install(t, slots, in, n_in))
		for (uint32_t i = 0; i < n_in; i++)
			jobs[which[i]].done.state = TABLE_LOADED;
	for (uint32_t i = 0; i < n_in; i++)
		close(in[i]); /* the map of tables holds it */
	for (uint32_t i = 0; i < n; i++)
		if (jobs[i].done.state != TABLE_LOADED)
			unmap_blob(&jobs[i].done);
}

static void empty_slots(struct unwind_tables *t, const uint32_t *slots, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		bpf_map_delete_elem(t->opts.map_fd, &slots[i]);
}

/* What there was no time for goes back to the front of the queue, but behind what is in a hurry; with
 * the lock held. Out of memory: it is finished, without a table. */
static void put_back(struct unwind_tables *t, struct job *jobs, uint32_t n)
{
	if (!n)
		return;
	if (vec_reserve(&t->queue, t->queue.len + n)) {
		for (uint32_t i = 0; i < n; i++) {
			close(jobs[i].fd);
			jobs[i].done.state = TABLE_NONE;
			t->finished.data[t->finished.len++] = jobs[i];
		}
		t->in_flight -= n;
		return;
	}
	memmove(t->queue.data + t->n_hurried + n, t->queue.data + t->n_hurried,
		(t->queue.len - t->n_hurried) * sizeof(*jobs));
	memcpy(t->queue.data + t->n_hurried, jobs, n * sizeof(*jobs));
	t->queue.len += n;
}

/* With the lock held, but for the work itself. */
static void one_round(struct unwind_tables *t)
{
	struct job jobs[BATCH_MAX];
	uint32_t slots[BATCH_MAX], done;
	int fds[BATCH_MAX];
	uint32_t hurried = (uint32_t)t->n_hurried, all = hurried ?: (uint32_t)t->queue.len;
	uint32_t n = all < BATCH_MAX ? all : BATCH_MAX;
	uint32_t n_empty = (uint32_t)(t->to_empty.len < BATCH_MAX ? t->to_empty.len : BATCH_MAX);

	if (n)
		memcpy(jobs, t->queue.data, n * sizeof(*jobs));
	if (n)
		memmove(t->queue.data, t->queue.data + n,
			(t->queue.len -= n) * sizeof(*t->queue.data));
	for (uint32_t i = 0; i < n_empty; i++)
		slots[i] = t->to_empty.data[--t->to_empty.len];
	if (hurried)
		t->n_hurried -= n;
	pthread_mutex_unlock(&t->lock);
	empty_slots(t, slots, n_empty);
	done = work_round(t, jobs, fds, n);
	install_round(t, jobs, fds, done);
	pthread_mutex_lock(&t->lock);
	set_pressed(t, t->n_hurried > 0);
	put_back(t, jobs + done, n - done);
	for (uint32_t i = 0; i < n_empty; i++)
		t->free_slots.data[t->free_slots.len++] = slots[i]; /* room was made */
	for (uint32_t i = 0; i < done; i++)
		t->finished.data[t->finished.len++] = jobs[i]; /* room was made */
	t->in_flight -= done;
	pthread_cond_broadcast(&t->changed);
}

static void *thread_main(void *arg)
{
	struct unwind_tables *t = arg;

	pthread_mutex_lock(&t->lock);
	t->tid = (pid_t)syscall(SYS_gettid);
	while (!t->stop) {
		if (t->queue.len || t->to_empty.len)
			one_round(t);
		else
			pthread_cond_wait(&t->changed, &t->lock);
	}
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

/* --- the caller ------------------------------------------------------------------------------- */

int unwind_tables_new(struct unwind_tables **out, const struct unwind_tables_opts *opts)
{
	struct unwind_tables *t = calloc(1, sizeof(*t));
	pthread_condattr_t attr;
	int err;

	if (!t)
		return -ENOMEM;
	t->opts = *opts;
	if (!t->opts.budget_bytes)
		t->opts.budget_bytes = BUDGET_BYTES;
	pthread_mutex_init(&t->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&t->changed, &attr);
	pthread_condattr_destroy(&attr);
	t->nice = getpriority(PRIO_PROCESS, 0);
	err = unwind_cache_open(&t->cache, opts->cache_dir);
	err = err ?: -pthread_create(&t->thread, NULL, thread_main, t);
	t->has_thread = !err;
	if (err) {
		unwind_tables_free(t);
		return err;
	}
	*out = t;
	return 0;
}

void unwind_tables_free(struct unwind_tables *t)
{
	if (!t)
		return;
	table_worker_cancel(t->opts.compiler);
	pthread_mutex_lock(&t->lock);
	t->stop = true;
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
	if (t->has_thread)
		pthread_join(t->thread, NULL);
	for (size_t i = 0; i < t->queue.len; i++)
		close(t->queue.data[i].fd);
	for (size_t i = 0; i < t->finished.len; i++)
		unmap_blob(&t->finished.data[i].done);
	for (size_t i = 0; i < t->tables.len; i++)
		unmap_blob(&t->tables.data[i]);
	pthread_mutex_destroy(&t->lock);
	pthread_cond_destroy(&t->changed);
	unwind_cache_close(t->cache);
	vec_release(&t->queue);
	vec_release(&t->finished);
	vec_release(&t->free_slots);
	vec_release(&t->to_empty);
	vec_release(&t->tables);
	free(t);
}

enum unwind_table_state unwind_tables_state(const struct unwind_tables *t, uint32_t file)
{
	return file < t->tables.len ? t->tables.data[file].state : TABLE_UNKNOWN;
}

int unwind_tables_error(const struct unwind_tables *t, uint32_t file)
{
	return unwind_tables_state(t, file) == TABLE_NONE ? t->tables.data[file].err : 0;
}

/* Small files come first: a large one takes a second. With the lock held. */
static int enqueue(struct unwind_tables *t, const struct job *j)
{
	size_t at = t->queue.len;
	int err = vec_reserve(&t->finished, t->finished.len + t->in_flight + 1)
			  ?: vec_reserve(&t->queue, t->queue.len + 1);

	if (err)
		return err;
	while (at > t->n_hurried && t->queue.data[at - 1].size > j->size)
		at--;
	memmove(t->queue.data + at + 1, t->queue.data + at, (t->queue.len - at) * sizeof(*j));
	t->queue.data[at] = *j;
	t->queue.len++;
	t->in_flight++;
	return 0;
}

int unwind_tables_want(struct unwind_tables *t, uint32_t file, int fd)
{
	struct job j = {.file = file};
	struct stat st;
	int err = vec_reserve(&t->tables, file + 1ul);

	if (err)
		return err;
	while (t->tables.len <= file)
		t->tables.data[t->tables.len++] = (struct table){0};
	j.fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (j.fd < 0)
		return -errno;
	j.size = fstat(j.fd, &st) ? 0 : st.st_size;
	pthread_mutex_lock(&t->lock);
	err = enqueue(t, &j);
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
	if (err)
		close(j.fd);
	else
		t->tables.data[file].state = TABLE_QUEUED;
	return err;
}

bool unwind_tables_get(struct unwind_tables *t, uint32_t file, uint64_t file_off, uint32_t *slot,
		       uint64_t *va_minus_off)
{
	struct table *tab = file < t->tables.len ? &t->tables.data[file] : NULL;

	if (!tab || tab->state != TABLE_LOADED)
		return false;
	tab->used = ++t->tick;
	for (uint32_t i = 0; i < tab->n_segs; i++) {
		/* a mapping begins on a page, which may be before the segment itself */
		uint64_t from = tab->segs[i].off & ~4095ull;

		if (file_off - from < tab->segs[i].off - from + tab->segs[i].len) {
			*slot = tab->slot;
			*va_minus_off = tab->segs[i].va_minus_off;
			return true;
		}
	}
	return false;
}

const void *unwind_tables_blob(struct unwind_tables *t, uint32_t file)
{
	return file < t->tables.len ? t->tables.data[file].blob : NULL;
}

void unwind_tables_hurry(struct unwind_tables *t, uint32_t file)
{
	struct job j;

	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < t->queue.len; i++) {
		if (t->queue.data[i].file != file)
			continue;
		if (i < t->n_hurried)
			break;
		j = t->queue.data[i];
		memmove(t->queue.data + t->n_hurried + 1, t->queue.data + t->n_hurried,
			(i - t->n_hurried) * sizeof(j));
		t->queue.data[t->n_hurried] = j;
		__atomic_store_n(&t->n_hurried, t->n_hurried + 1, __ATOMIC_RELAXED);
		set_pressed(t, true);
		break;
	}
	pthread_mutex_unlock(&t->lock);
}

static void evict_one(struct unwind_tables *t, const struct table *keep)
{
	struct table *oldest = NULL;

	for (size_t i = 0; i < t->tables.len; i++) {
		struct table *tab = &t->tables.data[i];

		if (tab->state == TABLE_LOADED && tab != keep &&
		    (!oldest || tab->used < oldest->used))
			oldest = tab;
	}
	if (!oldest || vec_reserve(&t->free_slots, t->next_slot) ||
	    vec_push(&t->to_empty, oldest->slot))
		return;
	oldest->state = TABLE_EVICTED;
	unmap_blob(oldest);
	t->bytes -= oldest->bytes;
	t->stats.evicted++;
}

bool unwind_tables_poll(struct unwind_tables *t)
{
	size_t n;

	pthread_mutex_lock(&t->lock);
	n = t->finished.len;
	for (size_t i = 0; i < n; i++) {
		const struct job *j = &t->finished.data[i];
		struct table *tab = &t->tables.data[j->file];

		unmap_blob(tab);
		*tab = j->done;
		tab->used = ++t->tick;
		t->bytes += tab->state == TABLE_LOADED ? tab->bytes : 0;
		t->stats.none += tab->state == TABLE_NONE;
		t->stats.failed += tab->err == -ECONNABORTED;
		if (t->bytes > t->opts.budget_bytes)
			evict_one(t, tab);
	}
	t->finished.len = 0;
	if (t->to_empty.len)
		pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
	return n > 0;
}

bool unwind_tables_settle(struct unwind_tables *t, int timeout_ms)
{
	struct timespec until;
	bool settled;
	int err = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += timeout_ms % 1000 * 1000000l;
	if (until.tv_nsec >= 1000000000l) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000l;
	}
	pthread_mutex_lock(&t->lock);
	while (t->in_flight && !err)
		err = pthread_cond_timedwait(&t->changed, &t->lock, &until);
	settled = !t->in_flight;
	pthread_mutex_unlock(&t->lock);
	return settled;
}

void unwind_tables_stats(struct unwind_tables *t, struct unwind_tables_stats *out)
{
	pthread_mutex_lock(&t->lock);
	*out = t->stats;
	pthread_mutex_unlock(&t->lock);
	out->bytes = t->bytes;
	for (size_t i = 0; i < t->tables.len; i++)
		out->loaded += t->tables.data[i].state == TABLE_LOADED;
	unwind_cache_stats(t->cache, &out->cache_hits, &out->cache_writes, &out->cache_bad);
}

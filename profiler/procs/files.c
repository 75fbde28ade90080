// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/hash.h"
#include "profiler/base/text.h"
#include "profiler/base/vec.h"
#include "profiler/procs/files.h"
#include "profiler/procs/opener.h"
#include "profiler/procs/procs.h"

#define MAX_OPEN  256
#define MAX_FILES 65536
/* Opens waiting. A scan of 10,000 processes finds some thousand files; past it they are tried again
 * when they are next seen. */
#define MAX_QUEUE 16384
/* Processes through which opening a file is tried; each may see it in another mount namespace. */
#define MAX_ATTEMPTS 8
/* Roots kept open. Each holds a mount namespace's root file system in use, so they are few. */
#define MAX_ROOTS 64
/* An open that lasts longer hangs: another thread takes over, up to so many. */
#define STUCK_NS    1000000000ull
#define MAX_WORKERS 8
/* How long files_get() waits for a descriptor that had been closed. */
#define REOPEN_WAIT_NS 500000000ull
/* Descriptors keep file systems from being unmounted: those not used for so long are closed. Longer
 * than a window, so that a file deleted since can still be read at its end. */
#define IDLE_NS	      120000000000ull
#define IDLE_CHECK_NS 30000000000ull
/* files_free() waits so long for an open in progress, then leaves it to its thread. */
#define FREE_WAIT_NS 200000000ull

enum file_state { FILE_WAITING, FILE_QUEUED, FILE_OPEN, FILE_CLOSED, FILE_FAILED };

struct file {
	char *path;
	char *clean_path;  /* NULL if path is clean */
	char *opened_path; /* NULL if it is path */
	struct build_id key_id, build_id;
	uint32_t major, minor;
	uint64_t inode, generation;
	enum file_state state;
	int fd, err;
	uint32_t borrowed;
	uint32_t root, root_generation; /* slot of roots[]; generation 0: none */
	struct root *held_root;		/* kept open while the file is borrowed */
	uint32_t attempts;
	pid_t last_tgid;
	uint64_t used_ns;
	bool deleted;
};

struct root {
	struct root_key key;
	int fd; /* -1: free slot */
	uint32_t borrowed, generation;
	uint64_t used_ns;
};

struct job {
	uint32_t id;
	pid_t tgid, parent_tgid;
	uint64_t va_start, va_end;
	char *path;
};

struct worker {
	struct files *f;
	uint64_t busy_since_ns; /* 0: idle */
	bool superseded;
};

struct files {
	pthread_mutex_t lock;
	pthread_cond_t work, done;
	struct files_opts opts;
	uint32_t refs; /* the owner and each worker */
	uint32_t n_workers, n_busy;
	bool stopping;
	struct worker *current;
	struct htab index;
	VEC(struct file) all;
	VEC(uint32_t) open; /* ids with a descriptor */
	struct root roots[MAX_ROOTS];
	struct job *queue; /* ring of MAX_QUEUE */
	uint32_t q_head, q_len;
	struct files_stats stats;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static void wait_until(struct files *f, pthread_cond_t *cond, uint64_t deadline_ns)
{
	struct timespec ts = {
		.tv_sec = (time_t)(deadline_ns / 1000000000ull),
		.tv_nsec = (long)(deadline_ns % 1000000000ull),
	};

	pthread_cond_timedwait(cond, &f->lock, &ts);
}

static void unref(struct files *f)
{
	bool last;

	pthread_mutex_lock(&f->lock);
	last = !--f->refs;
	pthread_mutex_unlock(&f->lock);
	if (!last)
		return;
	for (size_t i = 0; i < f->all.len; i++) {
		free(f->all.data[i].path);
		free(f->all.data[i].clean_path);
		free(f->all.data[i].opened_path);
		if (f->all.data[i].fd >= 0)
			close(f->all.data[i].fd);
	}
	for (size_t i = 0; i < MAX_ROOTS; i++)
		if (f->roots[i].fd >= 0)
			close(f->roots[i].fd);
	for (; f->q_len; f->q_len--, f->q_head = (f->q_head + 1) % MAX_QUEUE)
		free(f->queue[f->q_head].path);
	free(f->queue);
	vec_release(&f->all);
	vec_release(&f->open);
	htab_release(&f->index);
	pthread_cond_destroy(&f->work);
	pthread_cond_destroy(&f->done);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

/* --- descriptors ------------------------------------------------------------------------------ */

static void close_at(struct files *f, size_t i)
{
	struct file *file = &f->all.data[f->open.data[i]];

	close(file->fd);
	file->fd = -1;
	file->state = FILE_CLOSED;
	f->open.data[i] = vec_last(&f->open);
	f->open.len--;
}

/* Closes the descriptor that was used the longest time ago, of those nobody borrows. */
static void make_fd_room(struct files *f)
{
	size_t oldest = SIZE_MAX;

	if (f->open.len < f->opts.max_open)
		return;
	for (size_t i = 0; i < f->open.len; i++) {
		const struct file *file = &f->all.data[f->open.data[i]];

		if (!file->borrowed &&
		    (oldest == SIZE_MAX ||
		     file->used_ns < f->all.data[f->open.data[oldest]].used_ns))
			oldest = i;
	}
	if (oldest != SIZE_MAX)
		close_at(f, oldest);
}

static void close_idle(struct files *f)
{
	uint64_t now = now_ns();

	for (size_t i = f->open.len; i-- > 0;) {
		const struct file *file = &f->all.data[f->open.data[i]];

		if (!file->borrowed && now - file->used_ns > IDLE_NS)
			close_at(f, i);
	}
	for (size_t i = 0; i < MAX_ROOTS; i++) {
		struct root *r = &f->roots[i];

		if (r->fd >= 0 && !r->borrowed && now - r->used_ns > IDLE_NS) {
			close(r->fd);
			r->fd = -1;
		}
	}
}

/* Takes the descriptor. Equal roots share a slot; a slot taken over gets a new generation. */
static void remember_root(struct files *f, struct file *file, const struct root_key *key, int fd)
{
	struct root *best = NULL;

	for (size_t i = 0; i < MAX_ROOTS; i++) {
		struct root *r = &f->roots[i];

		if (r->fd >= 0 && !memcmp(&r->key, key, sizeof(*key))) {
			close(fd);
			best = r;
			break;
		}
	}
	for (size_t i = 0; i < MAX_ROOTS && !best; i++)
		if (f->roots[i].fd < 0)
			best = &f->roots[i];
	if (!best) {
		for (size_t i = 0; i < MAX_ROOTS; i++)
			if (!f->roots[i].borrowed &&
			    (!best || f->roots[i].used_ns < best->used_ns))
				best = &f->roots[i];
		if (!best) {
			close(fd);
			return;
		}
		close(best->fd);
		best->fd = -1;
	}
	if (best->fd < 0) {
		best->fd = fd;
		best->key = *key;
		best->generation++;
	}
	best->used_ns = now_ns();
	file->root = (uint32_t)(best - f->roots);
	file->root_generation = best->generation;
}

static struct root *root_of(struct files *f, const struct file *file)
{
	struct root *r = file->root_generation ? &f->roots[file->root] : NULL;

	return r && r->fd >= 0 && r->generation == file->root_generation ? r : NULL;
}

/* --- the opener ------------------------------------------------------------------------------- */

/* Takes the descriptors of the result, and *path if the file is to be found by that from now on. */
static void deliver(struct files *f, uint32_t id, struct open_result *r, char **path)
{
	struct file *file = &f->all.data[id];

	if (!r->err && vec_reserve(&f->open, f->open.len + 1)) {
		close(r->fd);
		if (r->root_fd >= 0)
			close(r->root_fd);
		r->err = -ENOMEM;
	}
	file->deleted |= r->replaced;
	file->err = r->err;
	if (r->err) {
		file->state = FILE_FAILED;
		f->stats.open_failed++;
		return;
	}
	make_fd_room(f);
	file->state = FILE_OPEN;
	file->fd = r->fd;
	file->used_ns = now_ns();
	file->build_id = r->build_id;
	f->open.data[f->open.len++] = id;
	if (r->root_fd >= 0)
		remember_root(f, file, &r->root, r->root_fd);
	free(file->opened_path);
	file->opened_path = strcmp(*path, file->path) ? steal_ptr(*path) : NULL;
}

/* Opens what the job asks for, with the lock released meanwhile. Takes the job's path. */
static void run_job(struct worker *w, struct job *job)
{
	struct files *f = w->f;
	const struct file *file = &f->all.data[job->id];
	const struct root *root = root_of(f, file);
	_cleanup_free_ char *path = job->path;
	_cleanup_close_ int root_fd = root ? fcntl(root->fd, F_DUPFD_CLOEXEC, 0) : -1;
	struct open_request req = {
		.path = path,
		.build_id = file->key_id,
		.major = file->major,
		.minor = file->minor,
		.inode = file->inode,
		.tgid = job->tgid,
		.parent_tgid = job->parent_tgid,
		.va_start = job->va_start,
		.va_end = job->va_end,
		.root_fd = root_fd,
	};
	struct open_result result;

	w->busy_since_ns = now_ns();
	f->n_busy++;
	pthread_mutex_unlock(&f->lock);
	open_mapped_file(&req, &result);
	pthread_mutex_lock(&f->lock);
	f->n_busy--;
	w->busy_since_ns = 0;
	deliver(f, job->id, &result, &path);
	pthread_cond_broadcast(&f->done);
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	struct files *f = w->f;

	pthread_mutex_lock(&f->lock);
	while (!f->stopping && !w->superseded) {
		struct job job;

		if (!f->q_len) {
			wait_until(f, &f->work, now_ns() + IDLE_CHECK_NS);
			close_idle(f);
			continue;
		}
		job = f->queue[f->q_head];
		f->q_head = (f->q_head + 1) % MAX_QUEUE;
		f->q_len--;
		run_job(w, &job);
	}
	if (f->current == w)
		f->current = NULL;
	f->n_workers--;
	pthread_cond_broadcast(&f->done);
	pthread_mutex_unlock(&f->lock);
	free(w);
	unref(f);
	return NULL;
}

/* Makes a new current worker. Locked, or before anybody else knows f. */
static int start_worker(struct files *f)
{
	struct worker *w = calloc(1, sizeof(*w));
	pthread_attr_t attr;
	sigset_t all, old;
	pthread_t thread;
	int err;

	if (!w)
		return -ENOMEM;
	w->f = f;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&thread, &attr, worker_main, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (err) {
		free(w);
		return -err;
	}
	f->refs++;
	f->n_workers++;
	f->current = w;
	return 0;
}

/* If the current worker hangs, leaves it to its fate and starts another. True: nobody works. */
static bool replace_stuck_worker(struct files *f)
{
	struct worker *w = f->current;

	if (!w)
		return start_worker(f) != 0;
	if (!w->busy_since_ns || now_ns() - w->busy_since_ns < STUCK_NS)
		return false;
	if (f->n_workers >= MAX_WORKERS || start_worker(f))
		return true;
	w->superseded = true;
	return false;
}

static bool enqueue(struct files *f, uint32_t id, struct job job, const char *path, bool first)
{
	struct file *file = &f->all.data[id];

	job.id = id;
	job.path = f->q_len < MAX_QUEUE ? strdup(path) : NULL;
	if (!job.path) {
		f->stats.queue_dropped++;
		return false;
	}
	if (first)
		f->q_head = (f->q_head + MAX_QUEUE - 1) % MAX_QUEUE;
	f->queue[first ? f->q_head : (f->q_head + f->q_len) % MAX_QUEUE] = job;
	f->q_len++;
	f->stats.open_failed -= file->state == FILE_FAILED;
	file->state = FILE_QUEUED;
	file->attempts += !first;
	file->last_tgid = job.tgid;
	replace_stuck_worker(f);
	pthread_cond_signal(&f->work);
	return true;
}

/* --- the table -------------------------------------------------------------------------------- */

static uint64_t key_hash(const struct file_key *key)
{
	if (key->build_id.len)
		return hash_bytes(key->build_id.data, key->build_id.len, 0);
	return hash_mix(hash_mix(key->inode, key->generation),
			(uint64_t)key->major << 32 | key->minor);
}

struct eq_ctx {
	const struct files *f;
	const struct file_key *key;
};

static bool key_eq(const void *ctx, uint32_t id)
{
	const struct eq_ctx *c = ctx;
	const struct file *file = &c->f->all.data[id];
	const struct file_key *key = c->key;

	if (key->build_id.len || file->key_id.len)
		return key->build_id.len == file->key_id.len &&
		       !memcmp(key->build_id.data, file->key_id.data, key->build_id.len);
	return key->inode == file->inode && key->generation == file->generation &&
	       key->major == file->major && key->minor == file->minor;
}

/* The path without " (deleted)", which d_path() adds; *deleted says whether it had. */
static char *plain_path(const char *path, bool *deleted)
{
	static const char suffix[] = " (deleted)";
	size_t len = strlen(path);

	*deleted = text_has_suffix(path, suffix);
	return strndup(path, *deleted ? len - strlen(suffix) : len);
}

static uint32_t add_file(struct files *f, const struct file_key *key, char *path, bool deleted)
{
	uint32_t id = (uint32_t)f->all.len;
	struct file file = {
		.path = path,
		.key_id = key->build_id,
		.build_id = key->build_id,
		.major = key->major,
		.minor = key->minor,
		.inode = key->inode,
		.generation = key->generation,
		.state = FILE_WAITING,
		.fd = -1,
		.err = -EAGAIN,
		.deleted = deleted,
	};

	if (!text_is_clean(path, strlen(path))) {
		file.clean_path = text_clean_dup(path, strlen(path));
		if (!file.clean_path)
			return FILE_NONE;
	}
	if (f->all.len >= f->opts.max_files || vec_reserve(&f->all, f->all.len + 1) ||
	    htab_insert(&f->index, key_hash(key), id)) {
		free(file.clean_path);
		return FILE_NONE;
	}
	f->all.data[f->all.len++] = file;
	f->stats.files++;
	return id;
}

static bool wants_opening(const struct file *file, pid_t tgid)
{
	return file->state == FILE_WAITING ||
	       (file->state == FILE_FAILED && file->attempts < MAX_ATTEMPTS &&
		file->last_tgid != tgid);
}

static uint32_t intern(struct files *f, const struct file_key *key, const struct job *job)
{
	struct eq_ctx ctx = {f, key};
	uint32_t id = htab_find(&f->index, key_hash(key), key_eq, &ctx);
	_cleanup_free_ char *path = NULL;
	bool deleted;

	if (!key->build_id.len && !key->inode)
		return FILE_NONE;
	if (id != HTAB_NONE && !wants_opening(&f->all.data[id], job->tgid))
		return id;
	path = plain_path(key->path, &deleted);
	if (!path)
		return id == HTAB_NONE ? FILE_NONE : id;
	if (id == HTAB_NONE) {
		id = add_file(f, key, path, deleted);
		if (id == FILE_NONE) {
			f->stats.table_full++;
			return FILE_NONE;
		}
		enqueue(f, id, *job, steal_ptr(path), false);
		return id;
	}
	f->all.data[id].deleted |= deleted;
	enqueue(f, id, *job, path, false);
	return id;
}

uint32_t files_intern(struct files *f, const struct file_key *key, pid_t tgid, pid_t parent_tgid,
		      uint64_t va_start, uint64_t va_end)
{
	struct job job = {
		.tgid = tgid,
		.parent_tgid = parent_tgid,
		.va_start = va_start,
		.va_end = va_end,
	};
	uint32_t id;

	pthread_mutex_lock(&f->lock);
	id = intern(f, key, &job);
	pthread_mutex_unlock(&f->lock);
	return id;
}

bool files_settle(struct files *f, int timeout_ms)
{
	uint64_t deadline = now_ns() + (uint64_t)timeout_ms * 1000000;
	bool settled;

	pthread_mutex_lock(&f->lock);
	while (!(settled = !f->q_len && !f->n_busy) && now_ns() < deadline) {
		uint64_t next = now_ns() + STUCK_NS / 4;

		/* Those that hang are not waited for. */
		if (replace_stuck_worker(f) || (!f->q_len && !f->current->busy_since_ns))
			break;
		wait_until(f, &f->done, next < deadline ? next : deadline);
	}
	pthread_mutex_unlock(&f->lock);
	return settled;
}

/* Has a closed file opened again by the worker, since that may hang. */
static void reopen(struct files *f, uint32_t id)
{
	uint64_t deadline = now_ns() + REOPEN_WAIT_NS;
	struct job job = {.id = id};
	const struct file *file = &f->all.data[id];

	if (replace_stuck_worker(f) ||
	    !enqueue(f, id, job, file->opened_path ?: file->path, true))
		return;
	while (f->all.data[id].state == FILE_QUEUED && now_ns() < deadline)
		wait_until(f, &f->done, deadline);
}

void files_get(struct files *f, uint32_t id, struct file_view *out)
{
	struct file *file;
	struct root *root;

	*out = (struct file_view){.path = "", .fd = -1, .root_fd = -1, .err = -ENOENT};
	pthread_mutex_lock(&f->lock);
	if (id < f->all.len && f->all.data[id].state == FILE_CLOSED)
		reopen(f, id);
	if (id < f->all.len) {
		file = &f->all.data[id];
		root = root_of(f, file);
		out->path = file->clean_path ?: file->path;
		out->build_id = file->build_id;
		out->deleted = file->deleted;
		out->err = file->state == FILE_QUEUED ? -EAGAIN : file->err;
		out->fd = file->fd;
		file->used_ns = now_ns();
		if (file->fd >= 0)
			out->err = 0;
		if (root) {
			out->root_fd = root->fd;
			root->used_ns = file->used_ns;
		}
		if (root && !file->held_root) {
			file->held_root = root;
			root->borrowed++;
		}
		file->borrowed++;
	}
	pthread_mutex_unlock(&f->lock);
}

void files_release_fd(struct files *f, uint32_t id)
{
	pthread_mutex_lock(&f->lock);
	if (id < f->all.len && f->all.data[id].borrowed) {
		struct file *file = &f->all.data[id];

		if (!--file->borrowed && file->held_root) {
			file->held_root->borrowed--;
			file->held_root = NULL;
		}
	}
	pthread_mutex_unlock(&f->lock);
}

void files_stats(struct files *f, struct files_stats *out)
{
	pthread_mutex_lock(&f->lock);
	*out = f->stats;
	out->open = f->open.len;
	pthread_mutex_unlock(&f->lock);
}

int files_new(struct files **out, const struct files_opts *opts)
{
	struct files *f = calloc(1, sizeof(*f));
	pthread_condattr_t attr;
	int err;

	if (!f)
		return -ENOMEM;
	f->opts = opts ? *opts : (struct files_opts){0};
	f->opts.max_open = f->opts.max_open ?: MAX_OPEN;
	f->opts.max_files = f->opts.max_files ?: MAX_FILES;
	for (size_t i = 0; i < MAX_ROOTS; i++)
		f->roots[i].fd = -1;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->work, &attr);
	pthread_cond_init(&f->done, &attr);
	pthread_condattr_destroy(&attr);
	f->refs = 1;
	f->queue = calloc(MAX_QUEUE, sizeof(*f->queue));
	err = f->queue ? start_worker(f) : -ENOMEM;
	if (err) {
		unref(f);
		return err;
	}
	*out = f;
	return 0;
}

void files_free(struct files *f)
{
	uint64_t deadline = now_ns() + FREE_WAIT_NS;

	if (!f)
		return;
	pthread_mutex_lock(&f->lock);
	f->stopping = true;
	pthread_cond_broadcast(&f->work);
	while (f->n_workers && now_ns() < deadline)
		wait_until(f, &f->done, deadline);
	pthread_mutex_unlock(&f->lock);
	unref(f);
}

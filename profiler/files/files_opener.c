// SPDX-License-Identifier: GPL-2.0-or-later
/* Descriptors, roots, and the opener's threads. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/files/files_internal.h"

/* An open that takes longer hangs, and another thread takes over. At most so many threads. */
#define STUCK_NS    1000000000ull
#define MAX_WORKERS 8
/* Interval of looking for idle descriptors. */
#define IDLE_CHECK_NS 30000000000ull

void files_wait(struct files *f, pthread_cond_t *cond, uint64_t deadline_ns)
{
	struct timespec ts = timespec_of(deadline_ns);

	pthread_cond_timedwait(cond, &f->lock, &ts);
}

/* --- descriptors ------------------------------------------------------------------------------ */

static void close_at(struct files *f, size_t i)
{
	struct file *file = &f->all.data[f->open.data[i]];

	if (file->held.opener)
		opener_close(file->held.opener, file->held.number);
	file->held = (struct held_file){0};
	cleanup_close_fd(&file->fd);
	file->fd = -1;
	file->state = FILE_CLOSED;
	f->open.data[i] = vec_last(&f->open);
	f->open.len--;
}

void files_close(struct files *f, uint32_t slot)
{
	for (size_t i = 0; i < f->open.len; i++) {
		if (f->open.data[i] == slot) {
			close_at(f, i);
			return;
		}
	}
}

/* Whether a should be closed rather than b: a file that no window was named with yet may be gone then. */
static bool goes_before(const struct files *f, const struct file *a, const struct file *b)
{
	bool a_named = a->born < f->named_born, b_named = b->born < f->named_born;

	return a_named != b_named ? a_named : a->used_ns < b->used_ns;
}

/* Closes a descriptor that is not borrowed. */
static void make_fd_room(struct files *f)
{
	size_t first = SIZE_MAX;

	if (f->open.len < f->opts.max_open)
		return;
	for (size_t i = 0; i < f->open.len; i++) {
		const struct file *file = &f->all.data[f->open.data[i]];

		if (!file->borrowed &&
		    (first == SIZE_MAX || goes_before(f, file, &f->all.data[f->open.data[first]])))
			first = i;
	}
	if (first != SIZE_MAX)
		close_at(f, first);
}

static void close_root(struct files *f, struct root *r)
{
	if (r->number)
		opener_close(f->opts.opener, r->number);
	cleanup_close_fd(&r->fd);
	r->number = 0;
	r->fd = -1;
	r->is_open = false;
}

/* A root that is borrowed stays: who borrowed it has its number, which finds nothing. */
void files_notice_loss(struct files *f, const struct file *file)
{
	if (!f->opts.opener || file->state != FILE_OPEN ||
	    opener_has(f->opts.opener, file->held.number))
		return;
	for (size_t i = f->open.len; i-- > 0;)
		if (!opener_has(f->opts.opener, f->all.data[f->open.data[i]].held.number))
			close_at(f, i);
	for (size_t i = 0; i < MAX_ROOTS; i++) {
		struct root *r = &f->roots[i];

		if (r->is_open && !r->borrowed && !opener_has(f->opts.opener, r->number))
			close_root(f, r);
	}
}

static void close_idle(struct files *f)
{
	uint64_t now = monotonic_ns();

	for (size_t i = f->open.len; i-- > 0;) {
		const struct file *file = &f->all.data[f->open.data[i]];

		if (!file->borrowed && now - file->used_ns > f->opts.idle_ns)
			close_at(f, i);
	}
	for (size_t i = 0; i < MAX_ROOTS; i++) {
		struct root *r = &f->roots[i];

		if (r->is_open && !r->borrowed && now - r->used_ns > f->opts.idle_ns)
			close_root(f, r);
	}
}

/* The entry of an equal root, else a free or the oldest one; NULL: all are borrowed. */
static struct root *choose_root(struct files *f, const struct root_key *key)
{
	struct root *best = NULL;

	for (size_t i = 0; i < MAX_ROOTS; i++)
		if (f->roots[i].is_open && !memcmp(&f->roots[i].key, key, sizeof(*key)))
			return &f->roots[i];
	for (size_t i = 0; i < MAX_ROOTS; i++)
		if (!f->roots[i].is_open)
			return &f->roots[i];
	for (size_t i = 0; i < MAX_ROOTS; i++)
		if (!f->roots[i].borrowed && (!best || f->roots[i].used_ns < best->used_ns))
			best = &f->roots[i];
	return best;
}

static void refuse_root(struct files *f, struct open_result *r, struct held_file *held)
{
	cleanup_close_fd(&r->root_fd);
	r->root_fd = -1;
	if (held->root)
		opener_close(f->opts.opener, held->root);
	held->root = 0;
}

/* Takes the root. Equal roots share an entry. A reused entry gets a new generation. */
static void remember_root(struct files *f, struct file *file, struct open_result *r,
			  struct held_file *held)
{
	struct root *best = choose_root(f, &r->root);
	bool is_equal = best && best->is_open && !memcmp(&best->key, &r->root, sizeof(r->root));

	if (!best) {
		f->stats.roots_full++;
		refuse_root(f, r, held);
		return;
	}
	if (is_equal) {
		refuse_root(f, r, held);
	} else {
		f->stats.roots_full += best->is_open;
		if (best->is_open)
			close_root(f, best);
		best->is_open = true;
		best->fd = steal_fd(&r->root_fd);
		best->number = held->root;
		best->key = r->root;
		best->generation++;
	}
	best->used_ns = monotonic_ns();
	file->root = (uint32_t)(best - f->roots);
	file->root_generation = best->generation;
}

struct root *files_root_of(struct files *f, const struct file *file)
{
	struct root *r = file->root_generation ? &f->roots[file->root] : NULL;

	return r && r->is_open && r->generation == file->root_generation ? r : NULL;
}

/* --- the opener ------------------------------------------------------------------------------- */

/* Closes what was opened. */
static void refuse(struct files *f, struct open_result *r, struct held_file *held, int err)
{
	cleanup_close_fd(&r->fd);
	refuse_root(f, r, held);
	if (held->opener)
		opener_close(held->opener, held->number);
	r->err = err;
}

/* The file's generation may have become known while it was opened. */
static bool is_other_generation(const struct file *file, const struct open_result *r)
{
	return file->generation && r->generation && file->generation != r->generation;
}

/* Takes *path, if the file was found by another path and there is room for it. */
static void keep_opened_path(struct files *f, struct file *file, char **path)
{
	size_t bytes = files_path_bytes(*path);

	f->path_bytes -= files_path_bytes(file->opened_path);
	free(file->opened_path);
	file->opened_path = NULL;
	if (!strcmp(*path, file->path) || f->path_bytes + bytes > f->opts.max_path_bytes)
		return;
	f->path_bytes += bytes;
	file->opened_path = steal_ptr(*path);
}

/* Takes what the result has open, and *path if the file is reopened by it from now on. */
static void deliver(struct files *f, uint32_t slot, struct open_result *r, struct held_file *held,
		    char **path)
{
	struct file *file = &f->all.data[slot];

	if (!r->err && is_other_generation(file, r)) {
		refuse(f, r, held, -ESTALE);
		r->replaced = true;
	}
	if (!r->err && vec_reserve(&f->open, f->open.len + 1))
		refuse(f, r, held, -ENOMEM);
	file->deleted |= r->replaced;
	file->err = r->err;
	if (r->err) {
		file->state = FILE_FAILED;
		f->stats.open_failed++;
		return;
	}
	make_fd_room(f);
	file->state = FILE_OPEN;
	file->attempts = 0;
	file->fd = r->fd;
	file->held = *held;
	file->used_ns = monotonic_ns();
	file->build_id = r->build_id;
	if (!file->generation)
		file->generation = r->generation;
	f->n_new += !file->was_open;
	file->was_open = true;
	f->open.data[f->open.len++] = slot;
	if (r->root_fd >= 0 || held->root)
		remember_root(f, file, r, held);
	keep_opened_path(f, file, path);
}

/* Has the opener open the file, so that this process gets no descriptor. */
static void open_there(struct files *f, const struct open_request *req, uint64_t root,
		       struct open_result *r, struct held_file *held)
{
	struct opened got;

	opener_mapped(f->opts.opener, req, root, &got);
	*held = got.file;
	*r = (struct open_result){
		.fd = -1,
		.handle = -1,
		.root_fd = -1,
		.err = got.err,
		.root = got.root,
		.build_id = got.build_id,
		.generation = got.generation,
		.replaced = got.replaced,
	};
}

static void open_here(const struct open_request *req, struct open_result *r)
{
	open_mapped_file(req, r);
	cleanup_close_fd(&r->handle);
}

/* Does a job, without the lock. Takes the job's path. */
static void run_job(struct worker *w, struct job *job)
{
	struct files *f = w->f;
	const struct file *file = &f->all.data[job->slot];
	const struct root *root = files_root_of(f, file);
	_cleanup_free_ char *path = job->path;
	_cleanup_close_ int root_fd =
		root && root->fd >= 0 ? fcntl(root->fd, F_DUPFD_CLOEXEC, 0) : -1;
	uint64_t root_number = root ? root->number : 0;
	struct open_request req = {
		.path = path,
		.build_id = file->key_id,
		.major = file->major,
		.minor = file->minor,
		.inode = file->inode,
		.generation = file->generation,
		.tgid = job->tgid,
		.parent_tgid = job->parent_tgid,
		.va_start = job->va_start,
		.va_end = job->va_end,
		.root_fd = root_fd,
	};
	struct held_file held = {0};
	struct open_result result;

	w->busy_since_ns = monotonic_ns();
	f->n_busy++;
	pthread_mutex_unlock(&f->lock);
	if (f->opts.opener)
		open_there(f, &req, root_number, &result, &held);
	else
		open_here(&req, &result);
	pthread_mutex_lock(&f->lock);
	f->n_busy--;
	w->busy_since_ns = 0;
	deliver(f, job->slot, &result, &held, &path);
	pthread_cond_broadcast(&f->done);
}

/* The last reference frees everything: a thread that hangs may outlive the owner. */
void files_unref(struct files *f)
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
	opener_unref(f->opts.opener);
	for (; f->q_len; f->q_len--, f->q_head = (f->q_head + 1) % f->opts.max_queue)
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

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	struct files *f = w->f;
	uint64_t check_ns = f->opts.idle_ns < IDLE_CHECK_NS ? f->opts.idle_ns : IDLE_CHECK_NS;

	pthread_mutex_lock(&f->lock);
	while (!f->stopping && !w->superseded) {
		struct job job;

		if (!f->q_len) {
			files_wait(f, &f->work, monotonic_ns() + check_ns);
			close_idle(f);
			continue;
		}
		job = f->queue[f->q_head];
		f->q_head = (f->q_head + 1) % f->opts.max_queue;
		f->q_len--;
		f->path_bytes -= files_path_bytes(job.path);
		run_job(w, &job);
	}
	if (f->current == w)
		f->current = NULL;
	f->n_workers--;
	pthread_cond_broadcast(&f->done);
	pthread_mutex_unlock(&f->lock);
	free(w);
	files_unref(f);
	return NULL;
}

/* Needs the lock unless f is not shared yet. */
int files_start_worker(struct files *f)
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

bool files_replace_stuck_worker(struct files *f)
{
	struct worker *w = f->current;

	if (!w)
		return files_start_worker(f) != 0;
	if (!w->busy_since_ns || monotonic_ns() - w->busy_since_ns < STUCK_NS)
		return false;
	if (f->n_workers >= MAX_WORKERS || files_start_worker(f))
		return true;
	w->superseded = true;
	return false;
}

bool files_enqueue(struct files *f, uint32_t slot, struct job job, const char *path, bool first)
{
	struct file *file = &f->all.data[slot];

	job.slot = slot;
	if (f->q_len < f->opts.max_queue &&
	    f->path_bytes + files_path_bytes(path) <= f->opts.max_path_bytes)
		job.path = strdup(path);
	if (!job.path) {
		f->stats.queue_dropped++;
		return false;
	}
	f->path_bytes += files_path_bytes(path);
	if (first)
		f->q_head = (f->q_head + f->opts.max_queue - 1) % f->opts.max_queue;
	f->queue[first ? f->q_head : (f->q_head + f->q_len) % f->opts.max_queue] = job;
	f->q_len++;
	f->stats.open_failed -= file->state == FILE_FAILED;
	file->state = FILE_QUEUED;
	file->attempts += !first;
	file->last_tgid = job.tgid;
	files_replace_stuck_worker(f);
	pthread_cond_signal(&f->work);
	return true;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/descriptors.h"
#include "profiler/base/text.h"
#include "profiler/files/files_internal.h"

/* The keeper holds as many again (KEEPER_FILES_MAX). */
#define MAX_OPEN 1024
/* After fewer new files, windows would follow each other faster than unwind tables are read. */
#define MANY_LEAST 128
#define MAX_FILES  65536
/*
 * Paths of Debian's programs and libraries have 40 bytes, in containers 160. This allows 256 each.
 */
#define MAX_PATH_BYTES (16u << 20)
/* Processes to try opening a file through. Each may see it in another mount namespace. */
#define MAX_ATTEMPTS 8
/* Interval of checks whether the opener hangs, while waiting for it. */
#define STUCK_CHECK_NS 250000000ull
/* Longest wait of files_get() for a closed descriptor. */
#define REOPEN_WAIT_NS 500000000ull
/* Longest wait of files_free() for an open in progress. After that its thread frees everything. */
#define FREE_WAIT_NS 200000000ull
/* How long a file that no process maps is kept after its last use. Windows are shorter. */
#define KEEP_NS	       600000000000ull
#define SWEEP_EVERY_NS 60000000000ull
/* Longer than a window, so that a file deleted meanwhile can still be read at its end. */
#define IDLE_NS 120000000000ull

/* Without the generation, which may become known later. */
static uint64_t key_hash(const struct file_key *key)
{
	if (key->build_id.len)
		return hash_bytes(key->build_id.data, key->build_id.len, 0);
	return hash_mix(hash_u64(key->inode), (uint64_t)key->major << 32 | key->minor);
}

struct eq_ctx {
	const struct files *f;
	const struct file_key *key;
	uint32_t *newest; /* candidates, if a generation is unknown */
};

static bool key_eq(const void *ctx, uint32_t slot)
{
	const struct eq_ctx *c = ctx;
	const struct file *file = &c->f->all.data[slot];
	const struct file_key *key = c->key;

	if (key->build_id.len || file->key_id.len)
		return build_id_equal(&key->build_id, &file->key_id);
	if (key->inode != file->inode || key->major != file->major || key->minor != file->minor)
		return false;
	if (key->generation && file->generation)
		return key->generation == file->generation;
	if (*c->newest == HTAB_NONE || c->f->all.data[*c->newest].born < file->born)
		*c->newest = slot;
	return false; /* look for a better match */
}

/* Slot of a known file, or HTAB_NONE. */
static uint32_t find_file(struct files *f, const struct file_key *key)
{
	uint32_t newest = HTAB_NONE;
	struct eq_ctx ctx = {f, key, &newest};
	uint32_t slot = htab_find(&f->index, key_hash(key), key_eq, &ctx);

	return slot != HTAB_NONE ? slot : newest;
}

/* The path without d_path()'s " (deleted)"; *deleted says whether it was there. */
static char *plain_path(const char *path, bool *deleted)
{
	static const char suffix[] = " (deleted)";
	size_t len = strlen(path);

	*deleted = text_has_suffix(path, suffix);
	return strndup(path, *deleted ? len - strlen(suffix) : len);
}

static void free_slot(struct files *f, uint32_t slot)
{
	f->all.data[slot].next_free = HTAB_NONE;
	if (f->free_first == HTAB_NONE)
		f->free_first = slot;
	else
		f->all.data[f->free_last].next_free = slot;
	f->free_last = slot;
}

/* The slot that was free for the longest time, or HTAB_NONE. Does not take it. */
static uint32_t find_slot(struct files *f)
{
	struct file empty = {.fd = -1};

	if (f->free_first == HTAB_NONE && f->all.len < f->opts.max_files &&
	    !vec_push(&f->all, empty))
		free_slot(f, (uint32_t)f->all.len - 1);
	return f->free_first;
}

/* Counts room for a clean copy, too, which may be three times as long. */
static bool has_path_room(const struct files *f, const char *path)
{
	return f->path_bytes + 4 * files_path_bytes(path) <= f->opts.max_path_bytes;
}

/* Takes the path on success. Returns the slot, or HTAB_NONE. */
static uint32_t add_file(struct files *f, const struct file_key *key, char *path, bool deleted)
{
	uint32_t slot = find_slot(f);
	struct file file = {
		.path = path,
		.key_id = key->build_id,
		.build_id = key->build_id,
		.major = key->major,
		.minor = key->minor,
		.inode = key->inode,
		.generation = key->generation,
		.born = f->n_born,
		.state = FILE_WAITING,
		.fd = -1,
		.err = -EAGAIN,
		.deleted = deleted,
	};

	if (slot == HTAB_NONE || !has_path_room(f, path))
		return HTAB_NONE;
	if (!text_is_clean(path, strlen(path))) {
		file.clean_path = text_clean_dup(path, strlen(path));
		if (!file.clean_path)
			return HTAB_NONE;
	}
	if (htab_insert(&f->index, key_hash(key), slot)) {
		free(file.clean_path);
		return HTAB_NONE;
	}
	file.life = f->all.data[slot].life;
	f->free_first = f->all.data[slot].next_free;
	f->all.data[slot] = file;
	f->path_bytes += files_path_bytes(path) + files_path_bytes(file.clean_path);
	f->n_born++;
	f->stats.files++;
	return slot;
}

static uint32_t id_of(const struct files *f, uint32_t slot)
{
	return f->all.data[slot].life << SLOT_BITS | slot;
}

/* The file with that id, or NULL if it was forgotten. */
static struct file *file_of(struct files *f, uint32_t id)
{
	uint32_t slot = id & ((1u << SLOT_BITS) - 1);

	if (slot >= f->all.len || !f->all.data[slot].path || id_of(f, slot) != id)
		return NULL;
	return &f->all.data[slot];
}

static bool wants_opening(const struct file *file, pid_t tgid)
{
	return file->state == FILE_WAITING ||
	       (file->state == FILE_FAILED && file->attempts < MAX_ATTEMPTS &&
		file->last_tgid != tgid);
}

/* Tries a known file that is not open yet through this process. */
static void try_again(struct files *f, uint32_t slot, const struct file_key *key,
		      const struct job *job)
{
	struct file *file = &f->all.data[slot];
	_cleanup_free_ char *path = NULL;
	bool deleted;

	if (!file->generation)
		file->generation = key->generation;
	if (!wants_opening(file, job->tgid)) {
		file->last_tgid = job->tgid;
		return;
	}
	path = plain_path(key->path, &deleted);
	if (!path)
		return;
	file->deleted |= deleted;
	files_enqueue(f, slot, *job, path, false);
}

/* Returns the slot, or HTAB_NONE. */
static uint32_t intern(struct files *f, const struct file_key *key, const struct job *job)
{
	uint32_t slot = find_file(f, key);
	_cleanup_free_ char *path = NULL;
	bool deleted;

	if (slot != HTAB_NONE) {
		try_again(f, slot, key, job);
		return slot;
	}
	path = plain_path(key->path, &deleted);
	if (!path)
		return HTAB_NONE;
	slot = add_file(f, key, path, deleted);
	if (slot == HTAB_NONE) {
		f->stats.table_full++;
		return HTAB_NONE;
	}
	files_enqueue(f, slot, *job, steal_ptr(path), false);
	return slot;
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
	uint32_t slot, id = FILE_NONE;

	if (!key->build_id.len && !key->inode)
		return FILE_NONE;
	pthread_mutex_lock(&f->lock);
	slot = intern(f, key, &job);
	if (slot != HTAB_NONE) {
		f->all.data[slot].used_ns = monotonic_ns();
		id = id_of(f, slot);
	}
	pthread_mutex_unlock(&f->lock);
	return id;
}

bool files_has_path(struct files *f, uint32_t id, const char *path)
{
	bool deleted, same = false;
	_cleanup_free_ char *plain = plain_path(path, &deleted);
	const struct file *file;

	pthread_mutex_lock(&f->lock);
	file = file_of(f, id);
	if (file && plain)
		same = !strcmp(file->path, plain);
	pthread_mutex_unlock(&f->lock);
	return same;
}

void files_path(struct files *f, uint32_t id, char *out, size_t size)
{
	const struct file *file;

	pthread_mutex_lock(&f->lock);
	file = file_of(f, id);
	snprintf(out, size, "%s", file ? file->path : "");
	pthread_mutex_unlock(&f->lock);
}

bool files_settle(struct files *f, int timeout_ms)
{
	uint64_t deadline = monotonic_ns() + (uint64_t)timeout_ms * 1000000;
	bool settled;

	pthread_mutex_lock(&f->lock);
	while (!(settled = !f->q_len && !f->n_busy) && monotonic_ns() < deadline) {
		uint64_t next = monotonic_ns() + STUCK_CHECK_NS;

		/* Does not wait for openers that hang. */
		if (files_replace_stuck_worker(f) || (!f->q_len && !f->current->busy_since_ns))
			break;
		files_wait(f, &f->done, next < deadline ? next : deadline);
	}
	pthread_mutex_unlock(&f->lock);
	return settled;
}

/* Counts each file once. */
static void note_gone(struct files *f, struct file *file)
{
	if (file->state != FILE_FAILED || file->was_gone)
		return;
	file->was_gone = true;
	f->stats.gone++;
}

/* Has a closed file that is borrowed opened again. The opener does it, because it may hang. */
static void reopen(struct files *f, uint32_t slot)
{
	uint64_t deadline = monotonic_ns() + REOPEN_WAIT_NS;
	const struct file *file = &f->all.data[slot];
	struct job job = {/* The process may still exist, although its root was closed here. */
			  .tgid = file->last_tgid};

	if (files_replace_stuck_worker(f) ||
	    !files_enqueue(f, slot, job, file->opened_path ?: file->path, true))
		return;
	/* Other threads may move the array. */
	while (f->all.data[slot].state == FILE_QUEUED && monotonic_ns() < deadline)
		files_wait(f, &f->done, deadline);
	note_gone(f, &f->all.data[slot]);
}

static void fill_view(struct files *f, struct file *file, struct file_view *out)
{
	struct root *root = files_root_of(f, file);

	file->used_ns = monotonic_ns();
	*out = (struct file_view){
		.path = file->clean_path ?: file->path,
		.build_id = file->build_id,
		.deleted = file->deleted,
		.fd = file->fd,
		.root_fd = root ? root->fd : -1,
		.held = file->held,
		.err = file->state == FILE_OPEN	    ? 0
		       : file->state == FILE_FAILED ? file->err
						    : -EAGAIN,
	};
	if (root)
		root->used_ns = file->used_ns;
	out->held.root = root ? root->number : 0;
	if (root && !file->held_root) {
		file->held_root = root;
		root->borrowed++;
	}
}

void files_get(struct files *f, uint32_t id, struct file_view *out)
{
	struct file *file;

	*out = (struct file_view){.path = "", .fd = -1, .root_fd = -1, .err = -ENOENT};
	pthread_mutex_lock(&f->lock);
	file = file_of(f, id);
	if (file) {
		uint32_t slot = (uint32_t)(file - f->all.data);

		/* First of all: a file that is not borrowed may be closed at any time. */
		file->borrowed++;
		files_notice_loss(f, file);
		if (file->state == FILE_CLOSED)
			reopen(f, slot);
		fill_view(f, &f->all.data[slot], out);
	}
	pthread_mutex_unlock(&f->lock);
}

void files_release_fd(struct files *f, uint32_t id)
{
	struct file *file;

	pthread_mutex_lock(&f->lock);
	file = file_of(f, id);
	if (file && file->borrowed && !--file->borrowed && file->held_root) {
		file->held_root->borrowed--;
		file->held_root = NULL;
	}
	pthread_mutex_unlock(&f->lock);
}

/* --- forgetting ------------------------------------------------------------------------------- */

bool files_crowded(struct files *f)
{
	uint64_t now = monotonic_ns();
	bool crowded;

	pthread_mutex_lock(&f->lock);
	crowded = (f->stats.files >= f->opts.max_files / 4 * 3 ||
		   f->path_bytes >= f->opts.max_path_bytes / 4 * 3) &&
		  (!f->swept_ns || now - f->swept_ns >= SWEEP_EVERY_NS);
	pthread_mutex_unlock(&f->lock);
	return crowded;
}

static void forget(struct files *f, uint32_t slot)
{
	struct file *file = &f->all.data[slot];
	struct file_key key = {
		.build_id = file->key_id,
		.major = file->major,
		.minor = file->minor,
		.inode = file->inode,
	};

	files_close(f, slot);
	f->stats.open_failed -= file->state == FILE_FAILED;
	f->stats.files--;
	htab_remove(&f->index, key_hash(&key), slot);
	f->path_bytes -= files_path_bytes(file->path) + files_path_bytes(file->clean_path) +
			 files_path_bytes(file->opened_path);
	free(file->path);
	free(file->clean_path);
	free(file->opened_path);
	*file = (struct file){.fd = -1, .life = (file->life + 1) % MAX_LIVES};
	free_slot(f, slot);
}

void files_sweep(struct files *f, files_mapped_fn mapped, void *ctx)
{
	uint64_t now = monotonic_ns();

	pthread_mutex_lock(&f->lock);
	f->swept_ns = now;
	f->n_sweeps++;
	for (uint32_t slot = 0; slot < f->all.len; slot++) {
		const struct file *file = &f->all.data[slot];

		if (file->path && file->state != FILE_QUEUED && !file->borrowed &&
		    now - file->used_ns >= f->opts.keep_ns && !mapped(ctx, id_of(f, slot)))
			forget(f, slot);
	}
	pthread_mutex_unlock(&f->lock);
}

bool files_full(struct files *f)
{
	bool full;

	pthread_mutex_lock(&f->lock);
	full = f->open.len >= f->opts.max_open;
	pthread_mutex_unlock(&f->lock);
	return full;
}

bool files_many_new(struct files *f)
{
	bool many;

	pthread_mutex_lock(&f->lock);
	many = f->n_new - f->n_new_before >= f->opts.many_new;
	pthread_mutex_unlock(&f->lock);
	return many;
}

void files_begin_window(struct files *f)
{
	pthread_mutex_lock(&f->lock);
	f->n_new_before = f->n_new;
	f->begun_born = f->n_born;
	pthread_mutex_unlock(&f->lock);
}

void files_window_named(struct files *f)
{
	pthread_mutex_lock(&f->lock);
	f->named_born = f->begun_born;
	pthread_mutex_unlock(&f->lock);
}

uint64_t files_sweeps(struct files *f)
{
	uint64_t n;

	pthread_mutex_lock(&f->lock);
	n = f->n_sweeps;
	pthread_mutex_unlock(&f->lock);
	return n;
}

bool files_knows(struct files *f, uint32_t id)
{
	bool known;

	pthread_mutex_lock(&f->lock);
	known = file_of(f, id) != NULL;
	pthread_mutex_unlock(&f->lock);
	return known;
}

void files_stats(struct files *f, struct files_stats *out)
{
	pthread_mutex_lock(&f->lock);
	*out = f->stats;
	out->open = f->open.len;
	out->path_bytes = f->path_bytes;
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
	if (!f->opts.max_open)
		f->opts.max_open =
			f->opts.opener ? descriptors_half(MAX_OPEN) : descriptors_share(MAX_OPEN);
	if (!f->opts.many_new)
		f->opts.many_new =
			f->opts.max_open / 2 < MANY_LEAST ? UINT32_MAX : f->opts.max_open / 2;
	f->opts.max_files = f->opts.max_files ?: MAX_FILES;
	f->opts.max_path_bytes = f->opts.max_path_bytes ?: MAX_PATH_BYTES;
	f->opts.max_queue = f->opts.max_queue ?: MAX_QUEUE;
	f->opts.idle_ns = f->opts.idle_ns ?: IDLE_NS;
	f->opts.keep_ns = f->opts.keep_ns ?: KEEP_NS;
	if (f->opts.max_files > 1u << SLOT_BITS)
		f->opts.max_files = 1u << SLOT_BITS;
	f->free_first = HTAB_NONE;
	for (size_t i = 0; i < MAX_ROOTS; i++)
		f->roots[i].fd = -1;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->work, &attr);
	pthread_cond_init(&f->done, &attr);
	pthread_condattr_destroy(&attr);
	f->refs = 1;
	opener_ref(f->opts.opener);
	f->queue = calloc(f->opts.max_queue, sizeof(*f->queue));
	err = f->queue ? files_start_worker(f) : -ENOMEM;
	if (err) {
		files_unref(f);
		return err;
	}
	*out = f;
	return 0;
}

struct opener *files_opener(const struct files *f)
{
	return f->opts.opener;
}

void files_free(struct files *f)
{
	uint64_t deadline = monotonic_ns() + FREE_WAIT_NS;

	if (!f)
		return;
	pthread_mutex_lock(&f->lock);
	f->stopping = true;
	pthread_cond_broadcast(&f->work);
	while (f->n_workers && monotonic_ns() < deadline)
		files_wait(f, &f->done, deadline);
	pthread_mutex_unlock(&f->lock);
	files_unref(f);
}

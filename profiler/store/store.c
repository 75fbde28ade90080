// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/hash.h"
#include "profiler/store/segment.h"
#include "profiler/store/snapshot.h"
#include "profiler/store/store_internal.h"

#define SECOND_NS 1000000000ull
/* How many of the newest segments are looked at for one to go on with. */
#define MAX_LOOKS 4
/* ... and how many a store holds at least when it is full. */
#define MIN_SEGMENTS 4
/* What a window and its segment need is far less. */
#define MOST_IN_VAIN (1u << 20)

DEFINE_CLEANUP(store, store_close)

bool store_is_current(struct store *s, const char *name)
{
	bool same;

	pthread_mutex_lock(&s->mutex);
	same = !strcmp(s->current, name);
	pthread_mutex_unlock(&s->mutex);
	return same;
}

static void set_current(struct store *s, const char *name)
{
	pthread_mutex_lock(&s->mutex);
	strcpy(s->current, name);
	pthread_mutex_unlock(&s->mutex);
}

void store_stats(struct store *s, struct store_stats *out)
{
	pthread_mutex_lock(&s->mutex);
	*out = s->stats;
	pthread_mutex_unlock(&s->mutex);
}

/* --- opening -------------------------------------------------------------------------------------- */

static int take_lock(struct store *s, struct why *why)
{
	pid_t pid;
	int fd = dir_lock(&s->dir, DIR_APPEND_LOCK, &pid);

	if (fd == -EBUSY && pid)
		return why_say(why, fd, "%s is in use by process %d: one agent a store",
			       s->dir.path, pid);
	if (fd == -EBUSY)
		return why_say(why, fd, "%s is in use by another process: one agent a store",
			       s->dir.path);
	if (fd < 0)
		return why_say(why, fd, "%s cannot be written to: %s", s->dir.path, strerror(-fd));
	s->lock_fd = fd;
	return 0;
}

/* After a restart windows go on where they were, so that what they have in common is there already. */
static int go_on_with(struct store *s, const char *name)
{
	_cleanup_free_ char *path = NULL;
	int err = dir_path(&s->dir, name, &path) ?: segment_reopen(&s->segment, path);

	if (!err)
		set_current(s, name);
	else if (err == -ENOTSUP)
		s->stats.segments_newer++;
	else if (err == -EBADMSG)
		s->stats.segments_broken++;
	return err;
}

static int find_segment(struct store *s)
{
	struct dir_list l;
	int err = dir_list(&s->dir, &l), looks = 0;

	if (err)
		return err;
	for (size_t i = l.v.len; i > 0 && !s->segment && looks < MAX_LOOKS; i--, looks++)
		if (!l.v.data[i - 1].is_damaged)
			err = go_on_with(s, l.v.data[i - 1].name);
	dir_list_release(&l);
	return err == -ENOMEM ? err : 0; /* whatever is wrong with old ones, a new one will do */
}

/* What a crash has left half done; not while somebody is at it. */
static void clean(struct store *s)
{
	_cleanup_close_ int lock = -1;
	struct dir_list l;
	pid_t pid;

	lock = dir_lock(&s->dir, DIR_MAINTENANCE_LOCK, &pid);
	if (lock >= 0 && !dir_clean(&s->dir) && !dir_list(&s->dir, &l)) {
		for (size_t i = 0; i < l.v.len; i++)
			if (l.v.data[i].is_empty)
				dir_remove(&s->dir, l.v.data[i].name);
		dir_list_release(&l);
	}
}

static int open_for_writing(struct store *s, struct why *why)
{
	int err = take_lock(s, why);

	if (err)
		return err;
	clean(s);
	err = find_segment(s);
	return err ? why_say(why, err, "%s: %s", s->dir.path, strerror(-err)) : 0;
}

int store_open(struct store **out, const char *path, const struct store_opts *opts, struct why *why)
{
	_cleanup_(store_freep) struct store *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return why_say(why, -ENOMEM, "out of memory");
	s->opts = *opts;
	s->lock_fd = s->dir.fd = -1;
	s->clock = moment_now;
	s->space = dir_space;
	pthread_mutex_init(&s->mutex, NULL);
	pthread_mutex_init(&s->retention.mutex, NULL);
	s->opts.segment_ns = opts->segment_ns ?: SEGMENT_NS;
	s->opts.index_bytes = opts->index_bytes ?: INDEX_BYTES;
	s->opts.coarse_after_ns = opts->coarse_after_ns ?: COARSE_AFTER_NS;
	s->opts.coarse_window_ns = opts->coarse_window_ns ?: COARSE_WINDOW_NS;
	if (s->opts.segment_ns < SECOND_NS)
		return why_say(why, -EINVAL, "a segment covers a second at least");
	err = dir_open(&s->dir, path, opts->access == STORE_WRITE, why);
	s->dir.pid = opts->pid;
	s->dir.read_until_ns = opts->read_until_ns;
	if (!err && opts->access == STORE_WRITE)
		err = open_for_writing(s, why);
	if (!err)
		*out = steal_ptr(s);
	return err;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	segment_free(s->segment);
	dir_close(&s->dir);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	pthread_mutex_destroy(&s->mutex);
	pthread_mutex_destroy(&s->retention.mutex);
	free(s);
}

bool store_is_at(const struct store *s, const char *path)
{
	return dir_is_at(&s->dir, path);
}

/* --- appending ------------------------------------------------------------------------------------ */

static void leave_segment(struct store *s)
{
	segment_free(s->segment);
	s->segment = NULL;
	set_current(s, "");
}

void store_end_segment(struct store *s)
{
	if (s->segment && segment_finish(s->segment))
		store_count(s, segments_broken);
	leave_segment(s);
}

static int64_t begin_of(const struct store *s, int64_t window_ns)
{
	return window_ns - window_ns % (int64_t)s->opts.segment_ns;
}

/* Whoever sees the new file finds out that it is the current one. */
static int create_current(struct store *s, int64_t begin_ns)
{
	char name[DIR_NAME_BYTES];
	int err;

	pthread_mutex_lock(&s->mutex);
	err = dir_create(&s->dir, begin_ns, "", name);
	if (!err)
		strcpy(s->current, name);
	pthread_mutex_unlock(&s->mutex);
	return err;
}

/* Above all that are there. It begins with the time, so that a store whose files somebody has removed goes on
 * above them. */
static int next_sequence(struct store *s, int64_t *out)
{
	struct snapshot all;
	int64_t now_s = s->clock().unix_ns / (int64_t)SECOND_NS;
	int err = s->sequence ? 0 : snapshot_take(&all, &s->dir, 0, INT64_MAX);

	if (err)
		return err;
	if (!s->sequence) {
		for (size_t i = 0; i < all.v.len; i++)
			if (!all.v.data[i].err && all.v.data[i].head.sequence > s->sequence)
				s->sequence = all.v.data[i].head.sequence;
		snapshot_release(&all);
	}
	s->sequence = s->sequence < now_s ? now_s : s->sequence + 1;
	*out = s->sequence;
	return 0;
}

static int begin_segment(struct store *s, int64_t window_ns)
{
	struct segment_head head = {
		.id = (int64_t)(hash_random_seed() >> 1) | 1,
		.begin_unix_ns = begin_of(s, window_ns),
		.span_ns = (int64_t)s->opts.segment_ns,
	};
	_cleanup_free_ char *path = NULL;
	int err = next_sequence(s, &head.sequence) ?: create_current(s, head.begin_unix_ns);

	if (err)
		return err;
	err = dir_path(&s->dir, s->current, &path) ?: segment_create(&s->segment, path, &head);
	if (err) {
		dir_remove(&s->dir, s->current);
		set_current(s, "");
		return err;
	}
	store_count(s, segments_begun);
	retain(s, 0, s->clock());
	return 0;
}

static bool is_gone(const struct store *s)
{
	return faccessat(s->dir.fd, s->current, F_OK, AT_SYMLINK_NOFOLLOW) && errno == ENOENT;
}

/* A store is cut by whole segments: one of them must not be most of it. */
static bool is_too_large(struct store *s)
{
	return s->opts.max_bytes &&
	       dir_bytes(&s->dir, s->current) > s->opts.max_bytes / MIN_SEGMENTS;
}

/* Ends the segment if the window does not belong in it. */
static void look_at_segment(struct store *s, int64_t window_ns)
{
	const struct segment_head *head = s->segment ? segment_facts(s->segment) : NULL;

	if (!head)
		return;
	if (is_gone(s)) {
		store_count(s, segments_gone);
		leave_segment(s);
	} else if (window_ns < head->begin_unix_ns) {
		store_count(s, clock_back);
		store_end_segment(s);
	} else if (window_ns - head->begin_unix_ns >= head->span_ns) {
		store_end_segment(s);
	} else if (segment_index_bytes(s->segment) > s->opts.index_bytes) {
		store_count(s, index_full);
		store_end_segment(s);
	} else if (is_too_large(s)) {
		store_end_segment(s);
	}
}

static int append(struct store *s, const struct profile *p, const struct quality *q,
		  int64_t begin_unix_ns, uint64_t duration_ns)
{
	int err;

	look_at_segment(s, begin_unix_ns);
	err = s->segment ? 0 : begin_segment(s, begin_unix_ns);
	return err ?: segment_append(s->segment, p, q, begin_unix_ns, duration_ns);
}

/* What another segment may not suffer from. */
static bool is_broken(int err)
{
	return err == -EBADMSG || err == -EIO || err == -ENOENT;
}

/* Room for a window, within the bounds: what others want to have free is not ours. */
static int make_room(struct store *s)
{
	if (retain_is_due(s))
		retain(s, 0, s->clock());
	return retain_is_short_of_space(s) ? -ENOSPC : 0;
}

/* The oldest segments go for it, but not many: others may be filling the disk. Then no more goes until there is
 * space again. */
static int append_on_full_disk(struct store *s, const struct profile *p, const struct quality *q,
			       int64_t begin_unix_ns, uint64_t duration_ns)
{
	int err = -ENOSPC;

	while (err == -ENOSPC && s->dropped_in_vain < MOST_IN_VAIN) {
		uint64_t bytes = retain_drop_one(s);

		if (!bytes)
			break;
		s->dropped_in_vain += bytes;
		err = append(s, p, q, begin_unix_ns, duration_ns);
	}
	return err;
}

static int append_or_mend(struct store *s, const struct profile *p, const struct quality *q,
			  int64_t begin_unix_ns, uint64_t duration_ns)
{
	int err;

	/* One whose time is over can make room. */
	look_at_segment(s, begin_unix_ns);
	err = make_room(s);
	if (err)
		return err;
	err = append(s, p, q, begin_unix_ns, duration_ns);
	if (err == -ENOSPC)
		err = append_on_full_disk(s, p, q, begin_unix_ns, duration_ns);
	if (s->segment && is_broken(err)) {
		store_count(s, segments_broken);
		leave_segment(s);
		err = append(s, p, q, begin_unix_ns, duration_ns);
	}
	if (!err)
		s->dropped_in_vain = 0;
	return err;
}

int store_append(struct store *s, const struct profile *p, const struct quality *q,
		 int64_t begin_unix_ns, uint64_t duration_ns)
{
	int err;

	if (s->opts.access != STORE_WRITE || begin_unix_ns < 0 || duration_ns > INT64_MAX)
		return -EINVAL;
	err = append_or_mend(s, p, q, begin_unix_ns, duration_ns);
	if (err)
		store_count(s, failed);
	else
		store_count(s, windows);
	return err;
}

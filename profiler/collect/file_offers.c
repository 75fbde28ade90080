// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/collect/file_offers.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/hash.h"
#include "profiler/base/text.h"
#include "profiler/base/vec.h"
#include "profiler/collect/file_offer.h"
#include "profiler/files/files.h"
#include "profiler/window/aggregate.h"
#include "symbolizer/opener/opener.h"

#define SEEN_MAX       65536
#define OTHERS_WAIT_NS (600 * NS_PER_S) /* root's may come meanwhile */
#define LATER_NS       (600 * NS_PER_S)
#define AWAY_NS	       (60 * NS_PER_S) /* nothing is offered while a store is away */
#define AGAIN_NS       (5 * NS_PER_S)  /* after an end that the file may have to do with */
#define PACE_NS	       (NS_PER_S / 2)
#define DAY_NS	       (86400 * NS_PER_S)
#define TRIES_MAX      2 /* that got no answer: the file may be why */
#define WAIT_MS	       500
#define PATH_BYTES     256
#define MIN_ID	       2 /* stores take build ids of so many bytes */
#define MAX_ID	       20

static const char debug_path[] = "/usr/lib/debug/.build-id/%.2s/%s.debug";

struct wanted {
	struct build_id id;
	uint32_t file;
	uint64_t due_ns;
	unsigned tries; /* without an answer; is_done with TRIES_MAX: for good */
	bool of_root, is_done;
	bool is_proven; /* the hand that sent it has seen that it is root's */
};

struct file_offers {
	struct files *files;
	const char *only; /* for tests: those whose paths begin like that; NULL: all */
	/* Of whoever looks. */
	size_t n_frames;  /* looked at so far */
	struct htab seen; /* ids of files */
	uint64_t seen_ns;

	pthread_t thread;
	pthread_mutex_t lock; /* of all that follows */
	pthread_cond_t news;
	bool ends, has_fresh, others;
	int fresh; /* socket that the thread has not taken yet */
	VEC(uint32_t) queue;
	VEC(uint32_t)
	again; /* files that were not open: the next window that has them shows them again */
	struct file_offers_stats stats;

	/* Of the thread. */
	int sock;
	bool takes_others;
	VEC(struct wanted) wanted;
	uint64_t born_ns, quiet_until_ns;
};

static void drop(int *fd)
{
	if (*fd >= 0)
		close(steal_fd(fd));
}

/* --- what is known of a build id ------------------------------------------------------------------ */

static void count(struct file_offers *o, uint64_t *counter)
{
	pthread_mutex_lock(&o->lock);
	++*counter;
	pthread_mutex_unlock(&o->lock);
}

static struct wanted *find(struct file_offers *o, const struct build_id *id)
{
	for (size_t i = 0; i < o->wanted.len; i++)
		if (build_id_equal(&o->wanted.data[i].id, id))
			return &o->wanted.data[i];
	return NULL;
}

/* Root's file goes before that of another user. */
static void prefer(struct wanted *w, const struct wanted *other)
{
	if (!w->is_done && !w->of_root && other->of_root)
		*w = *other;
}

static void look_again(struct file_offers *o, uint32_t file)
{
	pthread_mutex_lock(&o->lock);
	if (o->again.len >= FILE_OFFERS_QUEUE_MAX || vec_push(&o->again, file))
		o->stats.full++;
	pthread_mutex_unlock(&o->lock);
}

/* The known one may turn out not to be root's. */
static void rival(struct file_offers *o, struct wanted *known, const struct wanted *w)
{
	prefer(known, w);
	if (w->of_root && known->file != w->file && !known->is_done && !known->is_proven)
		look_again(o, w->file);
}

static void want(struct file_offers *o, const struct wanted *w)
{
	struct wanted *known = find(o, &w->id);

	if (!w->of_root && !o->takes_others)
		count(o, &o->stats.foreign);
	else if (known)
		rival(o, known, w);
	else if (o->wanted.len >= FILE_OFFERS_MAX || vec_push(&o->wanted, *w))
		count(o, &o->stats.full);
}

/* 0, or why it cannot be given: -EBADF if it is only not open now. */
static int why_not_open(const struct file_view *v)
{
	if (v->err == -ETIMEDOUT || v->err == -EHOSTDOWN || v->err == -EACCES)
		return v->err;
	return v->err || !v->held.opener ? -EBADF : 0;
}

/* It waits to be opened, or was closed and could not be opened again: another process that maps it may help. */
static void not_open(struct file_offers *o, uint32_t file)
{
	count(o, &o->stats.closed);
	look_again(o, file);
}

static void learn(struct file_offers *o, uint32_t file)
{
	struct wanted w = {.file = file};
	struct file_view v;
	bool is_wanted;
	int err;

	files_get(o->files, file, &v);
	is_wanted = !o->only || text_has_prefix(v.path, o->only);
	err = why_not_open(&v);
	w.id = v.build_id;
	w.of_root = !v.held.uid;
	w.due_ns = monotonic_ns() + (w.of_root ? 0 : OTHERS_WAIT_NS);
	files_release_fd(o->files, file);
	if (!is_wanted)
		return;
	if (err == -EBADF)
		not_open(o, file);
	else if (err)
		count(o, &o->stats.unreadable);
	else if (w.id.len >= MIN_ID && w.id.len <= MAX_ID)
		want(o, &w);
}

/* --- an offer ------------------------------------------------------------------------------------- */

static bool is_ending(struct file_offers *o)
{
	bool ends;

	pthread_mutex_lock(&o->lock);
	ends = o->ends || o->has_fresh;
	pthread_mutex_unlock(&o->lock);
	return ends;
}

/* Where packages of debug symbols put it: as the process sees that path, else as the host does. */
static int give_debug_file(const struct wanted *w, const struct held_file *held, const char *hex,
			   const struct opener_mail *mail)
{
	char path[PATH_BYTES];
	struct held_file host = *held;
	int err = -ENOENT;

	host.root = 0;
	snprintf(path, sizeof(path), debug_path, hex, hex + 2);
	if (held->root)
		err = opener_give_debug(held, path, &w->id, w->of_root, mail);
	return err ? opener_give_debug(&host, path, &w->id, true, mail) : 0;
}

static void name_offer(struct file_offer *f, const struct wanted *w, const char *path)
{
	const char *slash = strrchr(path, '/');

	memset(f, 0, sizeof(*f));
	text_hex(w->id.data, w->id.len, f->build_id);
	snprintf(f->name, sizeof(f->name), "%s", slash ? slash + 1 : path);
	f->name[text_utf8_run(f->name, strlen(f->name))] =
		'\0'; /* what was cut may be half a letter */
	f->of_root = w->of_root;
}

/* -EBADF: it was lost with who held it. */
static int send_itself(const struct wanted *w, const struct held_file *held, struct file_offer *f,
		       int sock)
{
	const struct opener_mail mail = {.sock = sock, .head = f, .head_len = sizeof(*f)};
	int err;

	f->has_code = 1;
	err = opener_give_debug(held, NULL, &w->id, w->of_root, &mail);
	return err == -ESTALE ? -EBADF : err;
}

/* A separate debug file goes before what it was split from. 0, or -errno: nothing was sent; -EBADF: it is not open
 * now. */
static int send_file(struct file_offers *o, const struct wanted *w)
{
	struct file_offer f;
	const struct opener_mail mail = {.sock = o->sock, .head = &f, .head_len = sizeof(f)};
	struct file_view v;
	int err;

	files_get(o->files, w->file, &v);
	err = why_not_open(&v);
	name_offer(&f, w, v.path);
	if (!err) {
		err = give_debug_file(w, &v.held, f.build_id, &mail);
		if (err && err != -EPIPE)
			err = send_itself(w, &v.held, &f, o->sock);
	}
	files_release_fd(o->files, w->file);
	return err;
}

/* A large file takes minutes. 0: there is none, whoever it was has gone. */
static uint32_t await_verdict(struct file_offers *o)
{
	struct file_offer_answer a = {0};
	struct pollfd p = {.fd = o->sock, .events = POLLIN};

	while (!is_ending(o)) {
		if (poll(&p, 1, WAIT_MS) <= 0)
			continue;
		return recv(o->sock, &a, sizeof(a), MSG_DONTWAIT) == sizeof(a) ? a.verdict : 0;
	}
	return 0;
}

/* Another file of this build id gets its chance. */
static void forget(struct file_offers *o, struct wanted *w)
{
	*w = vec_last(&o->wanted);
	o->wanted.len--;
}

/* Whoever had it is gone. If nobody came in its place, the file may be why it ended. */
static void not_answered(struct file_offers *o, struct wanted *w)
{
	if (is_ending(o))
		w->tries = 0;
	w->is_done = w->tries >= TRIES_MAX;
	w->due_ns = monotonic_ns() + AGAIN_NS;
	drop(&o->sock);
}

static void answered(struct file_offers *o, struct wanted *w, uint32_t verdict)
{
	uint64_t now_ns = monotonic_ns();

	if (verdict == FILE_OFFER_DONE) {
		w->is_done = true;
		w->tries = 0;
	} else if (verdict == FILE_OFFER_LATER) {
		w->due_ns = now_ns + LATER_NS;
		w->tries = 0;
		o->quiet_until_ns = now_ns + AWAY_NS;
	} else {
		not_answered(o, w);
	}
}

/* Its owner is root, but others can write it, or the file system proves nothing. */
static void not_of_root(struct file_offers *o, struct wanted *w)
{
	w->of_root = false;
	w->tries = 0;
	w->due_ns = monotonic_ns() + OTHERS_WAIT_NS;
	if (o->takes_others)
		return;
	count(o, &o->stats.foreign);
	forget(o, w);
}

static void not_sent(struct file_offers *o, struct wanted *w, int err)
{
	if (err == -EPIPE || err == -ECONNRESET) {
		not_answered(o, w);
	} else if (err == -EPERM && w->of_root) {
		not_of_root(o, w);
	} else if (err == -EBADF) {
		not_open(o, w->file);
		forget(o, w);
	} else if (err == -ENOENT || err == -EACCES || w->tries >= TRIES_MAX) {
		count(o, err == -ENOENT ? &o->stats.stripped : &o->stats.unreadable);
		forget(o, w);
	} else {
		w->due_ns = monotonic_ns() + AWAY_NS;
	}
}

static void offer(struct file_offers *o, struct wanted *w)
{
	int err;

	o->quiet_until_ns = monotonic_ns() + PACE_NS;
	w->tries++;
	err = send_file(o, w);
	if (err) {
		not_sent(o, w, err);
		return;
	}
	w->is_proven = w->of_root;
	count(o, &o->stats.offered);
	answered(o, w, await_verdict(o));
}

/* --- the thread ------------------------------------------------------------------------------------ */

static struct wanted *next_due(struct file_offers *o, uint64_t now_ns)
{
	if (o->sock < 0 || now_ns < o->quiet_until_ns)
		return NULL;
	for (size_t i = 0; i < o->wanted.len; i++)
		if (!o->wanted.data[i].is_done && o->wanted.data[i].due_ns <= now_ns)
			return &o->wanted.data[i];
	return NULL;
}

/* Every day the stores are asked again: they may have forgotten. */
static void begin_day(struct file_offers *o, uint64_t now_ns)
{
	if (o->born_ns && now_ns - o->born_ns < DAY_NS)
		return;
	o->born_ns = now_ns;
	o->wanted.len = 0;
}

/* With the lock. Whoever is there now has been given nothing. */
static void take_connection(struct file_offers *o)
{
	if (!o->has_fresh)
		return;
	o->has_fresh = false;
	drop(&o->sock);
	o->sock = o->fresh;
	o->takes_others = o->others;
	for (size_t i = 0; i < o->wanted.len; i++)
		if (o->wanted.data[i].tries < TRIES_MAX)
			o->wanted.data[i].is_done = false;
}

/* With the lock, which is not held while it waits. */
static void wait_for_news(struct file_offers *o)
{
	struct timespec until;
	bool waits = false;

	for (size_t i = 0; i < o->wanted.len && o->sock >= 0; i++)
		waits |= !o->wanted.data[i].is_done;
	if (!waits) {
		pthread_cond_wait(&o->news, &o->lock);
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec++;
	pthread_cond_timedwait(&o->news, &o->lock, &until);
}

static void *run(void *ctx)
{
	struct file_offers *o = ctx;

	pthread_mutex_lock(&o->lock);
	while (!o->ends) {
		uint64_t now_ns = monotonic_ns();
		uint32_t file = FILE_NONE;
		struct wanted *w = NULL;

		take_connection(o);
		begin_day(o, now_ns);
		if (o->queue.len)
			file = o->queue.data[--o->queue.len];
		else
			w = next_due(o, now_ns);
		if (file == FILE_NONE && !w) {
			wait_for_news(o);
			continue;
		}
		pthread_mutex_unlock(&o->lock);
		if (w)
			offer(o, w);
		else
			learn(o, file);
		pthread_mutex_lock(&o->lock);
	}
	pthread_mutex_unlock(&o->lock);
	return NULL;
}

/* --- the other side -------------------------------------------------------------------------------- */

static bool same(const void *ctx, uint32_t id)
{
	return *(const uint32_t *)ctx == id;
}

static bool is_new(struct file_offers *o, uint32_t file)
{
	uint64_t hash = hash_u64(file), now_ns = monotonic_ns();

	if (o->seen.len >= SEEN_MAX || now_ns - o->seen_ns >= DAY_NS) {
		htab_clear(&o->seen);
		o->seen_ns = now_ns;
	}
	return htab_find(&o->seen, hash, same, &file) == HTAB_NONE &&
	       !htab_insert(&o->seen, hash, file);
}

static void enqueue(struct file_offers *o, uint32_t file)
{
	pthread_mutex_lock(&o->lock);
	if (o->queue.len >= FILE_OFFERS_QUEUE_MAX || vec_push(&o->queue, file))
		o->stats.full++;
	pthread_cond_signal(&o->news);
	pthread_mutex_unlock(&o->lock);
}

static void see_again(struct file_offers *o)
{
	pthread_mutex_lock(&o->lock);
	for (size_t i = 0; i < o->again.len; i++)
		htab_remove(&o->seen, hash_u64(o->again.data[i]), o->again.data[i]);
	o->again.len = 0;
	pthread_mutex_unlock(&o->lock);
}

void file_offers_look(struct file_offers *o, const struct aggregate *a, bool fresh)
{
	if (fresh || o->n_frames > a->frames.len) {
		o->n_frames = 0;
		see_again(o);
	}
	for (; o->n_frames < a->frames.len; o->n_frames++) {
		const struct agg_frame *f = &a->frames.data[o->n_frames];

		if (f->cls == AT_FILE && is_new(o, f->owner))
			enqueue(o, f->owner);
	}
}

void file_offers_connect(struct file_offers *o, int sock, bool others)
{
	pthread_mutex_lock(&o->lock);
	if (o->has_fresh)
		drop(&o->fresh);
	o->fresh = sock;
	o->others = others;
	o->has_fresh = true;
	pthread_cond_signal(&o->news);
	pthread_mutex_unlock(&o->lock);
}

void file_offers_stats(struct file_offers *o, struct file_offers_stats *out)
{
	pthread_mutex_lock(&o->lock);
	*out = o->stats;
	pthread_mutex_unlock(&o->lock);
}

static void release(struct file_offers *o)
{
	if (o->has_fresh)
		drop(&o->fresh);
	drop(&o->sock);
	htab_release(&o->seen);
	vec_release(&o->queue);
	vec_release(&o->again);
	vec_release(&o->wanted);
	pthread_cond_destroy(&o->news);
	pthread_mutex_destroy(&o->lock);
	free(o);
}

int file_offers_new(struct file_offers **out, struct files *files)
{
	struct file_offers *o = calloc(1, sizeof(*o));
	pthread_condattr_t attr;
	int err;

	if (!o)
		return -ENOMEM;
	o->files = files;
	o->only = getenv("KILN_TEST_OFFER");
	o->sock = o->fresh = -1;
	o->seen_ns = monotonic_ns();
	pthread_mutex_init(&o->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&o->news, &attr);
	pthread_condattr_destroy(&attr);
	err = pthread_create(&o->thread, NULL, run, o);
	if (err) {
		release(o);
		return -err;
	}
	*out = o;
	return 0;
}

void file_offers_free(struct file_offers *o)
{
	if (!o)
		return;
	pthread_mutex_lock(&o->lock);
	o->ends = true;
	pthread_cond_signal(&o->news);
	pthread_mutex_unlock(&o->lock);
	pthread_join(o->thread, NULL);
	release(o);
}

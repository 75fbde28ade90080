// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/debuginfod/debuginfod.h"
#include "profiler/debuginfod/partial.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/hash.h"
#include "profiler/base/io.h"
#include "profiler/base/log.h"
#include "profiler/base/privileges.h"
#include "profiler/base/text.h"
#include "profiler/base/vec.h"
#include "symbolizer/head/elf_head.h"

#define SONAME		     "libdebuginfod.so.1"
#define FILE_NS_DEFAULT	     60000000000ull
#define MAX_BYTES_DEFAULT    (4ull << 30) /* a browser's debug file is 3 GB */
#define FAILURES_MAX_DEFAULT 3
/* A busy machine maps some hundreds; hostile files can claim any build id. */
#define FILES_MAX 4096
#define TICK_NS	  200000000ull
#define JOIN_S	  3 /* the library calls its progress function once a second */

/* The used part of <elfutils/debuginfod.h>. Declared here because kiln builds without it. */
struct debuginfod_client;
struct library {
	struct debuginfod_client *(*begin)(void);
	void (*end)(struct debuginfod_client *);
	int (*find_debuginfo)(struct debuginfod_client *, const unsigned char *, int, char **);
	void (*set_progressfn)(struct debuginfod_client *,
			       int (*)(struct debuginfod_client *, long, long));
};

enum state { WAITING, HERE, NOT_THERE };

struct wanted {
	struct build_id id;
	enum state state;
	char *path; /* in the library's cache, if state is HERE */
};

struct debuginfod {
	struct library lib;
	uint64_t file_ns, max_bytes;
	unsigned failures_max;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Protected by the lock. */
	VEC(struct wanted) files;
	struct htab index;
	uint64_t seed;
	size_t next;	   /* index in `files` of the first one that may be WAITING */
	unsigned failures; /* consecutive failures */
	bool stop;	   /* the thread is to end */
	bool deserted;	   /* the thread did not end in time; it frees everything when it ends */
	struct debuginfod_stats stats;
	char error[160], error_out[160];
	/* Used by the thread only. */
	pthread_t thread;
	uint64_t until_ns;
	bool aborted, too_large; /* the file being fetched */
	char *cache_dir;
};

/* --- the table -------------------------------------------------------------------------------- */

struct needle {
	const struct debuginfod *d;
	const struct build_id *id;
};

static bool file_eq(const void *ctx, uint32_t i)
{
	const struct needle *n = ctx;

	return build_id_equal(&n->d->files.data[i].id, n->id);
}

static void queue(struct debuginfod *d, uint64_t hash, const struct build_id *id)
{
	struct wanted w = {.id = *id, .state = WAITING};

	if (d->files.len >= FILES_MAX || vec_reserve(&d->files, d->files.len + 1) ||
	    htab_insert(&d->index, hash, (uint32_t)d->files.len)) {
		d->stats.over_cap++;
		return;
	}
	d->files.data[d->files.len++] = w;
	d->stats.asked++;
	d->stats.waiting++;
	pthread_cond_broadcast(&d->changed);
}

int debuginfod_find(void *ctx, const struct build_id *id)
{
	struct debuginfod *d = ctx;
	struct needle n = {d, id};
	uint64_t hash = hash_bytes(id->data, id->len, d->seed);
	int fd = -ENOENT;
	uint32_t i;

	if (!id->len || id->len > BUILD_ID_MAX)
		return -ENOENT;
	pthread_mutex_lock(&d->lock);
	i = htab_find(&d->index, hash, file_eq, &n);
	if (i == HTAB_NONE)
		queue(d, hash, id);
	else if (d->files.data[i].state == HERE)
		fd = io_open_regular(AT_FDCWD, d->files.data[i].path);
	pthread_mutex_unlock(&d->lock);
	return fd < 0 ? -ENOENT : fd;
}

/* --- the thread ------------------------------------------------------------------------------- */

/* The library passes only its client to the progress function, and calls it in the same thread. */
static _Thread_local struct debuginfod *fetching;

/* Any other result than 0 ends the transfer. */
static int on_progress(struct debuginfod_client *c, long done, long total)
{
	struct debuginfod *d = fetching;
	uint64_t bytes = (uint64_t)(done > total ? done : total);
	bool stop;

	(void)c;
	if (done < 0 || total < 0)
		bytes = 0;
	d->too_large |= bytes > d->max_bytes;
	pthread_mutex_lock(&d->lock);
	stop = d->stop;
	pthread_mutex_unlock(&d->lock);
	d->aborted |= stop || d->too_large || monotonic_ns() > d->until_ns;
	return d->aborted;
}

/*
 * Checks a fetched file, which may be hostile. Returns its size, or 0 if it is not the right one.
 */
static uint64_t accept_file(const struct debuginfod *d, int fd, const struct build_id *id)
{
	struct elf_head head;
	struct stat st;
	bool good = !fstat(fd, &st) && S_ISREG(st.st_mode) &&
		    (uint64_t)st.st_size <= d->max_bytes && !elf_head_of(&head, fd) &&
		    build_id_equal(&head.build_id, id);

	close(fd);
	return good ? (uint64_t)st.st_size : 0;
}

struct outcome {
	int err; /* of the library */
	uint64_t bytes;
	char *path; /* NULL: no usable file came */
};

/*
 * The library takes an aborted transfer for a file that no server has. It remembers that by an
 * empty file in its cache: debuginfod_find_debuginfo(3), CACHE.
 */
static void forget(const struct debuginfod *d, const struct build_id *id)
{
	char hex[2 * BUILD_ID_MAX + 1], path[PATH_MAX];
	struct stat st;
	int n;

	text_hex(id->data, id->len, hex);
	n = snprintf(path, sizeof(path), "%s/%s/debuginfo", d->cache_dir, hex);
	if (n > 0 && (size_t)n < sizeof(path) && !lstat(path, &st) && !st.st_size)
		unlink(path);
}

static struct outcome fetch(struct debuginfod *d, struct debuginfod_client *c,
			    const struct build_id *id)
{
	struct outcome o = {0};
	int fd;

	d->until_ns = monotonic_ns() + d->file_ns;
	d->aborted = d->too_large = false;
	fd = d->lib.find_debuginfo(c, id->data, id->len, &o.path);
	if (fd < 0) {
		o.err = d->aborted ? -ETIMEDOUT : fd;
		o.path = NULL;
		if (d->aborted)
			forget(d, id);
		return o;
	}
	o.bytes = accept_file(d, fd, id);
	if (!o.bytes && o.path) { /* the cache would give the bad file to other programs */
		unlink(o.path);
		free(o.path);
		o.path = NULL;
	}
	return o;
}

static void note_failure(struct debuginfod *d, int err)
{
	char text[128];

	d->failures++;
	d->stats.failed++;
	if (err == -ETIMEDOUT || err == -ETIME)
		snprintf(d->error, sizeof(d->error), "no answer within %llu s",
			 (unsigned long long)(d->file_ns / 1000000000));
	else
		snprintf(d->error, sizeof(d->error), "%s", strerror_r(-err, text, sizeof(text)));
}

/* Call with the lock held. */
static void note_outcome(struct debuginfod *d, struct wanted *w, const struct outcome *o)
{
	w->state = o->path ? HERE : NOT_THERE;
	w->path = o->path;
	d->stats.waiting--;
	if (o->path) {
		d->stats.came++;
		d->stats.bytes += o->bytes;
	} else if (o->err == -ENOENT) {
		d->stats.missing++;
	} else if (!o->err || d->too_large) {
		d->stats.bad++;
		snprintf(d->error, sizeof(d->error), "%s",
			 d->too_large ? "a debug file is too large"
				      : "a server sent something other than the debug file");
	} else {
		note_failure(d, o->err);
		return;
	}
	d->failures = 0;
}

/* Stops asking servers that fail. Call with the lock held. */
static void give_up(struct debuginfod *d)
{
	for (; d->next < d->files.len; d->next++) {
		d->files.data[d->next].state = NOT_THERE;
		d->stats.waiting--;
		d->stats.given_up++;
	}
}

static void destroy(struct debuginfod *d)
{
	for (size_t i = 0; i < d->files.len; i++)
		free(d->files.data[i].path);
	vec_release(&d->files);
	htab_release(&d->index);
	pthread_cond_destroy(&d->changed);
	pthread_mutex_destroy(&d->lock);
	free(d->cache_dir);
	/* the library stays loaded, because curl cannot be unloaded safely */
	free(d);
}

static void serve(struct debuginfod *d, struct debuginfod_client *c)
{
	while (!d->stop) {
		struct build_id id;
		struct outcome o;

		if (d->next < d->files.len && (!c || d->failures >= d->failures_max))
			give_up(d);
		pthread_cond_broadcast(&d->changed);
		if (d->next == d->files.len) {
			pthread_cond_wait(&d->changed, &d->lock);
			continue;
		}
		id = d->files.data[d->next].id;
		pthread_mutex_unlock(&d->lock);
		o = fetch(d, c, &id);
		pthread_mutex_lock(&d->lock);
		note_outcome(d, &d->files.data[d->next++], &o);
	}
}

static void *thread_main(void *arg)
{
	struct debuginfod *d = arg;
	struct debuginfod_client *c;
	bool deserted;

	/* A server's answers are parsed in this thread alone. */
	if (privileges_keep(0, 0))
		log_debug("debuginfod: capabilities cannot be given up");
	c = d->lib.begin();
	fetching = d;
	if (c)
		d->lib.set_progressfn(c, on_progress);
	pthread_mutex_lock(&d->lock);
	serve(d, c);
	pthread_mutex_unlock(&d->lock);
	if (c)
		d->lib.end(c);
	pthread_mutex_lock(&d->lock);
	deserted = d->deserted;
	d->stop = false; /* debuginfod_free() waits for this */
	pthread_mutex_unlock(&d->lock);
	if (deserted)
		destroy(d);
	return NULL;
}

/* --- beginning and end ------------------------------------------------------------------------ */

static int load_library(struct library *lib, const char *soname, const char **why)
{
	const struct {
		const char *name;
		void **at;
	} symbols[] = {
		{"debuginfod_begin", (void **)&lib->begin},
		{"debuginfod_end", (void **)&lib->end},
		{"debuginfod_find_debuginfo", (void **)&lib->find_debuginfo},
		{"debuginfod_set_progressfn", (void **)&lib->set_progressfn},
	};
	void *handle = dlopen(soname, RTLD_NOW | RTLD_LOCAL);

	*why = "libdebuginfod.so.1 is not installed (Debian's package is libdebuginfod1 or "
	       "libdebuginfod1t64)";
	if (!handle)
		return -ENOSYS;
	for (size_t i = 0; i < sizeof(symbols) / sizeof(*symbols); i++) {
		*symbols[i].at = dlsym(handle, symbols[i].name);
		if (!*symbols[i].at) {
			*why = "libdebuginfod.so.1 is too old";
			dlclose(handle);
			return -ENOSYS;
		}
	}
	return 0;
}

/* Each word names how it is reached, as libdebuginfod wants it; it says nothing of others. */
static bool are_urls(const char *urls)
{
	for (urls += strspn(urls, " \t"); *urls; urls += strspn(urls, " \t")) {
		if (!text_has_prefix(urls, "http://") && !text_has_prefix(urls, "https://") &&
		    !text_has_prefix(urls, "file://"))
			return false;
		urls += strcspn(urls, " \t");
	}
	return true;
}

static int set_environment(const struct debuginfod_opts *opts, const char **why)
{
	const char *urls = opts->urls ? opts->urls : getenv("DEBUGINFOD_URLS");

	if (!urls || !urls[strspn(urls, " \t")]) {
		*why = "no debuginfod server is named: give its URL, or set DEBUGINFOD_URLS";
		return -ENOENT;
	}
	if (!are_urls(urls)) {
		*why = "a debuginfod server is named by a URL such as "
		       "https://debuginfod.debian.net; several are separated by spaces";
		return -ENOENT;
	}
	*why = "out of memory";
	/* and prints no progress of its own */
	return setenv("DEBUGINFOD_URLS", urls, 1) || unsetenv("DEBUGINFOD_PROGRESS") ? -errno : 0;
}

/*
 * Gives the library the deadline of a file, too, in seconds. elfutils 0.192 calls on_progress()
 * only once an answer has begun. A shorter deadline in the environment is kept.
 */
static int set_deadline(struct debuginfod *d)
{
	uint64_t set_s, max_s = (d->file_ns + 999999999) / 1000000000;
	const char *set = getenv("DEBUGINFOD_MAXTIME");
	char text[32];

	if (set && !text_parse_u64(set, max_s, &set_s) && set_s) {
		d->file_ns = set_s * 1000000000;
		return 0;
	}
	snprintf(text, sizeof(text), "%llu", (unsigned long long)max_s);
	return setenv("DEBUGINFOD_MAXTIME", text, 1) ? -errno : 0;
}

/* Uses the cache of gdb and others. A service has no home directory. */
static int set_cache(char **out)
{
	const char *set = getenv("DEBUGINFOD_CACHE_PATH"), *xdg = getenv("XDG_CACHE_HOME");
	const char *home = getenv("HOME");
	struct buf b = {0};

	if (set && *set)
		buf_str(&b, set);
	else if (xdg && *xdg)
		buf_printf(&b, "%s/debuginfod_client", xdg);
	else if (home && *home)
		buf_printf(&b, "%s/.cache/debuginfod_client", home);
	else
		buf_str(&b, "/var/cache/kiln/debuginfod");
	if (b.err || setenv("DEBUGINFOD_CACHE_PATH", buf_cstr(&b), 1)) {
		buf_release(&b);
		return -ENOMEM;
	}
	*out = buf_take(&b);
	if (*out)
		(void)io_make_parents(
			*out, 0700); /* the last one the library makes, or says what is wrong */
	return *out ? 0 : -ENOMEM;
}

static int start_thread(struct debuginfod *d)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&d->thread, NULL, thread_main, d);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -err;
}

int debuginfod_new(struct debuginfod **out, const struct debuginfod_opts *opts, const char **why)
{
	struct debuginfod *d;
	struct library lib;
	pthread_condattr_t attr;
	int err = set_environment(opts, why) ?: load_library(&lib, opts->soname ?: SONAME, why);

	if (err)
		return err;
	*why = "out of memory";
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	d->lib = lib;
	d->file_ns = opts->file_ns ?: FILE_NS_DEFAULT;
	d->max_bytes = opts->max_bytes ?: MAX_BYTES_DEFAULT;
	d->failures_max = opts->failures_max ?: FAILURES_MAX_DEFAULT;
	d->seed = hash_random_seed();
	pthread_mutex_init(&d->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&d->changed, &attr);
	pthread_condattr_destroy(&attr);
	err = set_deadline(d) ?: set_cache(&d->cache_dir);
	if (!err) {
		partial_remove_stale(d->cache_dir);
		err = start_thread(d);
	}
	if (err) {
		destroy(d);
		return err;
	}
	*out = d;
	return 0;
}

void debuginfod_free(struct debuginfod *d)
{
	struct timespec until = timespec_of((uint64_t)unix_ns() + JOIN_S * NS_PER_S);
	bool ended;

	if (!d)
		return;
	pthread_mutex_lock(&d->lock);
	d->stop = true;
	pthread_cond_broadcast(&d->changed);
	pthread_mutex_unlock(&d->lock);
	if (!pthread_timedjoin_np(d->thread, NULL, &until)) {
		destroy(d);
		return;
	}
	/* The library may hang for any time. What it has written so far is of no use to anybody. */
	partial_remove_own(d->cache_dir);
	pthread_mutex_lock(&d->lock);
	ended = !d->stop;
	d->deserted = !ended;
	pthread_mutex_unlock(&d->lock);
	if (!ended) {
		pthread_detach(d->thread);
		return;
	}
	pthread_join(d->thread, NULL);
	destroy(d);
}

/* --- waiting ---------------------------------------------------------------------------------- */

static void wait_until(struct debuginfod *d, uint64_t ns)
{
	struct timespec ts = timespec_of(ns);

	pthread_cond_timedwait(&d->changed, &d->lock, &ts);
}

bool debuginfod_settle(struct debuginfod *d, uint64_t timeout_ns, bool (*tick)(void *ctx),
		       void *tick_ctx)
{
	uint64_t now = monotonic_ns(), end = now + timeout_ns, next = now + TICK_NS;
	bool go_on = true, settled;

	pthread_mutex_lock(&d->lock);
	while (d->stats.waiting && go_on && now < end) {
		wait_until(d, next < end ? next : end);
		now = monotonic_ns();
		if (now < next)
			continue;
		next = now + TICK_NS;
		pthread_mutex_unlock(&d->lock);
		go_on = !tick || tick(tick_ctx);
		pthread_mutex_lock(&d->lock);
	}
	settled = !d->stats.waiting;
	pthread_mutex_unlock(&d->lock);
	return settled;
}

void debuginfod_stats(struct debuginfod *d, struct debuginfod_stats *out)
{
	pthread_mutex_lock(&d->lock);
	*out = d->stats;
	pthread_mutex_unlock(&d->lock);
}

const char *debuginfod_last_error(struct debuginfod *d)
{
	pthread_mutex_lock(&d->lock);
	memcpy(d->error_out, d->error, sizeof(d->error_out));
	pthread_mutex_unlock(&d->lock);
	return d->error_out;
}

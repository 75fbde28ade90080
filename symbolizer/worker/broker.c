// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/worker/broker.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "symbolizer/files/rooted.h"
#include "symbolizer/head/elf_head.h"

/* A local file system answers in milliseconds, a busy server in tenths of a second. */
#define OPEN_WAIT_NS 1000000000ull
/* Opens that may hang at once. Each costs a thread and a descriptor. */
#define OPENERS_MAX 8

struct opener {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum { NO_THREAD, IDLE, ASKED, ANSWERED } state;
	bool deserted; /* the broker is gone, so the thread frees everything */
	int root_fd, result;
	char path[PATH_MAX];
};

struct broker {
	struct opener *openers[OPENERS_MAX];
};

/* --- the thread ------------------------------------------------------------------------------- */

/* True for executables and debug files. Core dumps hold secrets. */
static bool may_be_read(int fd)
{
	int type = elf_head_type(fd);

	return type >= 0 && type != ET_CORE;
}

static int open_elf(int root_fd, const char *path)
{
	_cleanup_close_ int fd = rooted_open(root_fd, path);

	if (fd < 0)
		return fd;
	return may_be_read(fd) ? steal_fd(&fd) : -ENOEXEC;
}

static void free_opener(struct opener *o)
{
	if (o->state == ANSWERED && o->result >= 0)
		close(o->result);
	pthread_cond_destroy(&o->changed);
	pthread_mutex_destroy(&o->lock);
	free(o);
}

static void *opener_main(void *arg)
{
	struct opener *o = arg;

	pthread_mutex_lock(&o->lock);
	while (!o->deserted) {
		int result;

		if (o->state != ASKED) {
			pthread_cond_wait(&o->changed, &o->lock);
			continue;
		}
		pthread_mutex_unlock(&o->lock);
		result = open_elf(o->root_fd, o->path);
		if (o->root_fd >= 0)
			close(o->root_fd);
		pthread_mutex_lock(&o->lock);
		o->result = result;
		o->state = ANSWERED;
		pthread_cond_broadcast(&o->changed);
	}
	pthread_mutex_unlock(&o->lock);
	free_opener(o);
	return NULL;
}

static int start_thread(struct opener *o)
{
	pthread_attr_t attr;
	sigset_t all, old;
	pthread_t thread;
	int err;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&thread, &attr, opener_main, o);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (!err)
		o->state = IDLE;
	return -err;
}

static struct opener *new_opener(void)
{
	struct opener *o = calloc(1, sizeof(*o));
	pthread_condattr_t attr;

	if (!o)
		return NULL;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&o->lock, NULL);
	pthread_cond_init(&o->changed, &attr);
	pthread_condattr_destroy(&attr);
	return o;
}

/* --- the broker ------------------------------------------------------------------------------- */

/* Gives an opener that does not hang, locked; or NULL and *err. */
static struct opener *find_opener(struct broker *b, int *err)
{
	*err = -EBUSY;
	for (size_t i = 0; i < OPENERS_MAX; i++) {
		struct opener *o = b->openers[i];

		if (!o)
			o = b->openers[i] = new_opener();
		if (!o) {
			*err = -ENOMEM;
			return NULL;
		}
		pthread_mutex_lock(&o->lock);
		if (o->state == ANSWERED) { /* it came too late for its request */
			if (o->result >= 0)
				close(o->result);
			o->state = IDLE;
		}
		if (o->state == IDLE)
			return o;
		if (o->state == NO_THREAD) {
			*err = start_thread(o);
			if (!*err)
				return o;
		}
		pthread_mutex_unlock(&o->lock);
		if (*err != -EBUSY)
			return NULL;
	}
	return NULL;
}

static int wait_for(struct opener *o)
{
	struct timespec until = timespec_of(monotonic_ns() + OPEN_WAIT_NS);
	int err = 0;

	while (o->state == ASKED && !err)
		err = pthread_cond_timedwait(&o->changed, &o->lock, &until);
	if (o->state == ASKED)
		return -ETIMEDOUT;
	o->state = IDLE;
	return o->result;
}

int broker_open(struct broker *b, int root_fd, const char *path)
{
	_cleanup_close_ int root = -1;
	struct opener *o;
	int result;

	if (path[0] != '/' || strlen(path) >= PATH_MAX)
		return -ENOENT;
	/* The caller may close its descriptor before an open that hangs returns. */
	if (root_fd >= 0)
		root = fcntl(root_fd, F_DUPFD_CLOEXEC, 0);
	if (root_fd >= 0 && root < 0)
		return -errno;
	o = find_opener(b, &result);
	if (!o)
		return result;
	o->root_fd = steal_fd(&root);
	strcpy(o->path, path);
	o->state = ASKED;
	pthread_cond_broadcast(&o->changed);
	result = wait_for(o);
	pthread_mutex_unlock(&o->lock);
	return result;
}

int broker_new(struct broker **out)
{
	struct broker *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	*out = b;
	return 0;
}

void broker_free(struct broker *b)
{
	for (size_t i = 0; b && i < OPENERS_MAX; i++) {
		struct opener *o = b->openers[i];
		bool threaded;

		if (!o)
			continue;
		pthread_mutex_lock(&o->lock);
		threaded = o->state != NO_THREAD;
		o->deserted = true;
		pthread_cond_broadcast(&o->changed);
		pthread_mutex_unlock(&o->lock);
		if (!threaded)
			free_opener(o);
	}
	free(b);
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/files/stall_guard.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/io.h"

/* While so many threads hang, others get less time. */
#define STUCK_MAX     4
#define SHORT_WAIT_MS 20

/* Number of threads left behind. They share it, since the guard may be freed before they return. */
struct guard_left {
	unsigned n, refs;
};

struct guard_thread {
	pthread_t thread;
	struct guard_left *left;
	pthread_mutex_t lock;
	pthread_cond_t turn;
	enum {
		IDLE,
		ASKED,
		ANSWERED,
		DISMISSED, /* shall end, and the guard waits for it */
		LEFT,	   /* left behind: frees itself when it returns */
	} state;
	struct guarded_job *job; /* owned while it runs */
	int result;
};

static struct guard_left *left_ref(struct guard_left *left)
{
	__atomic_add_fetch(&left->refs, 1, __ATOMIC_RELAXED);
	return left;
}

static void left_unref(struct guard_left *left)
{
	if (left && !__atomic_sub_fetch(&left->refs, 1, __ATOMIC_ACQ_REL))
		free(left);
}

unsigned stall_guard_stuck(const struct stall_guard *p)
{
	return p->left ? __atomic_load_n(&p->left->n, __ATOMIC_RELAXED) : 0;
}

static void free_thread(struct guard_thread *r)
{
	left_unref(r->left);
	pthread_cond_destroy(&r->turn);
	pthread_mutex_destroy(&r->lock);
	if (r->job)
		r->job->free(r->job);
	free(r);
}

/* Everything but the job is under the lock. */
static void *serve(void *arg)
{
	struct guard_thread *r = arg;
	bool is_left;

	pthread_mutex_lock(&r->lock);
	while (r->state != DISMISSED && r->state != LEFT) {
		if (r->state != ASKED) {
			pthread_cond_wait(&r->turn, &r->lock);
			continue;
		}
		pthread_mutex_unlock(&r->lock);
		r->result = r->job->run(r->job);
		pthread_mutex_lock(&r->lock);
		if (r->state == ASKED)
			r->state = ANSWERED;
		pthread_cond_signal(&r->turn);
	}
	is_left = r->state == LEFT;
	pthread_mutex_unlock(&r->lock);
	if (is_left) {
		__atomic_sub_fetch(&r->left->n, 1, __ATOMIC_RELAXED);
		free_thread(r);
	}
	return NULL;
}

static struct guard_left *make_left(struct stall_guard *p)
{
	if (!p->left) {
		p->left = calloc(1, sizeof(*p->left));
		if (p->left)
			p->left->refs = 1; /* the guard's reference */
	}
	return p->left;
}

static struct guard_thread *start_thread(struct stall_guard *p)
{
	struct guard_thread *r = make_left(p) ? calloc(1, sizeof(*r)) : NULL;
	pthread_condattr_t attr;

	if (!r)
		return NULL;
	r->left = left_ref(p->left);
	pthread_mutex_init(&r->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&r->turn, &attr);
	pthread_condattr_destroy(&attr);
	if (!pthread_create(&r->thread, NULL, serve, r))
		return r;
	free_thread(r);
	return NULL;
}

/* False if it did not answer in time. It is then left behind. */
static bool await(struct guard_thread *r, int ms)
{
	struct timespec deadline = timespec_of(monotonic_ns() + (uint64_t)ms * 1000000);
	int err = 0;

	while (r->state != ANSWERED && err != ETIMEDOUT)
		err = pthread_cond_timedwait(&r->turn, &r->lock, &deadline);
	if (r->state == ANSWERED)
		return true;
	r->state = LEFT;
	__atomic_add_fetch(&r->left->n, 1, __ATOMIC_RELAXED);
	pthread_detach(r->thread);
	return false;
}

bool stall_guard_run(struct stall_guard *p, struct guarded_job *job, int *result)
{
	bool may_wait = stall_guard_stuck(p) < STUCK_MAX;
	int ms = may_wait ? p->wait_ms ?: STALL_GUARD_WAIT_MS : SHORT_WAIT_MS;
	struct guard_thread *r = p->thread = p->thread ?: start_thread(p);
	bool answered;

	if (!r) {
		*result = -EAGAIN; /* no more threads, or no memory for one */
		return true;
	}
	pthread_mutex_lock(&r->lock);
	r->job = job;
	r->state = ASKED;
	pthread_cond_signal(&r->turn);
	answered = await(r, ms);
	if (answered) {
		*result = r->result;
		r->job = NULL;
		r->state = IDLE;
	}
	pthread_mutex_unlock(&r->lock);
	if (answered)
		return true;
	p->thread = NULL;
	p->stalled++;
	return false;
}

struct read_job {
	struct guarded_job job;
	char path[64];
	size_t cap, len;
	char *text;
};

static int run_read(struct guarded_job *job)
{
	struct read_job *r = (struct read_job *)job;

	return io_read_file(r->path, r->cap, &r->text, &r->len);
}

static void free_read(struct guarded_job *job)
{
	struct read_job *r = (struct read_job *)job;

	free(r->text);
	free(r);
}

int stall_guard_read_file(struct stall_guard *p, const char *path, size_t cap, char **text,
			  size_t *len)
{
	struct read_job *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	r->job = (struct guarded_job){run_read, free_read};
	snprintf(r->path, sizeof(r->path), "%s", path);
	r->cap = cap;
	if (!stall_guard_run(p, &r->job, &err))
		return -ETIMEDOUT;
	if (!err) {
		*text = steal_ptr(r->text);
		*len = r->len;
	}
	free_read(&r->job);
	return err;
}

void stall_guard_release(struct stall_guard *p)
{
	struct guard_thread *r = p->thread;

	left_unref(p->left);
	p->left = NULL;
	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	r->state = DISMISSED;
	pthread_cond_signal(&r->turn);
	pthread_mutex_unlock(&r->lock);
	pthread_join(r->thread, NULL);
	free_thread(r);
	p->thread = NULL;
}

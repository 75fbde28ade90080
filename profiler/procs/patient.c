// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/procs/patient.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"

/* After so many stalls the others are not waited for as long: that is no accident. */
#define STALLS_MAX    4
#define SHORT_WAIT_MS 20

struct patient_reader {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t turn;
	enum { IDLE, ASKED, ANSWERED, DISMISSED } state;
	char path[64];
	size_t cap, len;
	char *text;
	int err;
};

static void free_reader(struct patient_reader *r)
{
	pthread_cond_destroy(&r->turn);
	pthread_mutex_destroy(&r->lock);
	free(r->text);
	free(r);
}

/* Under the lock, but for the reading. Whoever is dismissed while reading is on its own. */
static void *serve(void *arg)
{
	struct patient_reader *r = arg;
	bool is_alone = false;

	pthread_mutex_lock(&r->lock);
	for (;;) {
		while (r->state == IDLE || r->state == ANSWERED)
			pthread_cond_wait(&r->turn, &r->lock);
		if (r->state == DISMISSED)
			break;
		pthread_mutex_unlock(&r->lock);
		r->err = io_read_file(r->path, r->cap, &r->text, &r->len);
		pthread_mutex_lock(&r->lock);
		is_alone = r->state == DISMISSED;
		if (is_alone)
			break;
		r->state = ANSWERED;
		pthread_cond_signal(&r->turn);
	}
	pthread_mutex_unlock(&r->lock);
	if (is_alone)
		free_reader(r);
	return NULL;
}

static struct patient_reader *start_reader(void)
{
	struct patient_reader *r = calloc(1, sizeof(*r));
	pthread_condattr_t attr;

	if (!r)
		return NULL;
	pthread_mutex_init(&r->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&r->turn, &attr);
	pthread_condattr_destroy(&attr);
	if (!pthread_create(&r->thread, NULL, serve, r))
		return r;
	free_reader(r);
	return NULL;
}

static struct timespec deadline_in(int ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += ms % 1000 * 1000000l;
	if (t.tv_nsec >= 1000000000l) {
		t.tv_nsec -= 1000000000l;
		t.tv_sec++;
	}
	return t;
}

/* False: it has not answered in time, and is dismissed. */
static bool await(struct patient_reader *r, int ms)
{
	struct timespec deadline = deadline_in(ms);
	int err = 0;

	while (r->state != ANSWERED && err != ETIMEDOUT)
		err = pthread_cond_timedwait(&r->turn, &r->lock, &deadline);
	if (r->state == ANSWERED)
		return true;
	r->state = DISMISSED;
	pthread_detach(r->thread);
	return false;
}

int patient_read_file(struct patient *p, const char *path, size_t cap, char **text, size_t *len)
{
	int ms = p->stalled < STALLS_MAX ? p->wait_ms ?: PATIENT_WAIT_MS : SHORT_WAIT_MS;
	struct patient_reader *r = p->reader = p->reader ?: start_reader();
	bool answered;
	int err = 0;

	if (!r)
		return -ENOMEM;
	pthread_mutex_lock(&r->lock);
	snprintf(r->path, sizeof(r->path), "%s", path);
	r->cap = cap;
	r->state = ASKED;
	pthread_cond_signal(&r->turn);
	answered = await(r, ms);
	if (answered) {
		err = r->err;
		if (!err) {
			*text = steal_ptr(r->text);
			*len = r->len;
		}
		r->state = IDLE;
	}
	pthread_mutex_unlock(&r->lock);
	if (answered)
		return err;
	p->reader = NULL;
	p->stalled++;
	return -ETIMEDOUT;
}

void patient_release(struct patient *p)
{
	struct patient_reader *r = p->reader;

	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	r->state = DISMISSED;
	pthread_cond_signal(&r->turn);
	pthread_mutex_unlock(&r->lock);
	pthread_join(r->thread, NULL);
	free_reader(r);
	p->reader = NULL;
}

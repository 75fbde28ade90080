// SPDX-License-Identifier: GPL-2.0-or-later
/* The opener itself: its beginning, who has it, and its end. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "profiler/base/cleanup.h"
#include "symbolizer/opener/opener_priv.h"
#include "symbolizer/sandbox/spawner.h"

DEFINE_CLEANUP(opener, opener_free)

int opener_new(struct opener **out)
{
	_cleanup_(opener_freep) struct opener *o = calloc(1, sizeof(*o));
	int err;

	if (!o)
		return -ENOMEM;
	o->refs = 1;
	o->keeper_sock = -1;
	o->next_number = o->first_number = 1;
	pthread_mutex_init(&o->lock, NULL);
	for (size_t i = 0; i < HANDS_MAX; i++)
		pthread_mutex_init(&o->hands[i].lock, NULL);
	o->notes = mmap(NULL, HANDS_MAX * sizeof(*o->notes), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (o->notes == MAP_FAILED) {
		o->notes = NULL;
		return -ENOMEM;
	}
	err = spawner_new(&o->spawner, opener_serve_in, o);
	if (err)
		return err;
	*out = steal_ptr(o);
	return 0;
}

static void release(struct opener *o)
{
	for (size_t i = 0; i < HANDS_MAX; i++)
		pthread_mutex_destroy(&o->hands[i].lock);
	pthread_mutex_destroy(&o->lock);
	if (o->notes)
		munmap(o->notes, HANDS_MAX * sizeof(*o->notes));
	vec_release(&o->unreaped);
	vec_release(&o->stalled);
	free(o);
}

struct opener *opener_ref(struct opener *o)
{
	if (o)
		__atomic_add_fetch(&o->refs, 1, __ATOMIC_RELAXED);
	return o;
}

void opener_unref(struct opener *o)
{
	if (o && !__atomic_sub_fetch(&o->refs, 1, __ATOMIC_ACQ_REL))
		release(o);
}

/* A thread that waits for a hand finds that it has ended, and closes its side of it. */
static void end_all(struct opener *o)
{
	pthread_mutex_lock(&o->lock);
	o->ended = true;
	for (size_t i = 0; i < HANDS_MAX; i++)
		if (o->hands[i].pid)
			kill(o->hands[i].pid, SIGKILL);
	opener_stop_keeper(o);
	pthread_mutex_unlock(&o->lock);
	for (size_t i = 0; i < HANDS_MAX; i++) {
		if (pthread_mutex_trylock(&o->hands[i].lock))
			continue;
		opener_stop_hand(o, &o->hands[i]);
		pthread_mutex_unlock(&o->hands[i].lock);
	}
	pthread_mutex_lock(&o->lock);
	opener_reap(o, 10);
	pthread_mutex_unlock(&o->lock);
}

void opener_free(struct opener *o)
{
	if (!o)
		return;
	end_all(o);
	spawner_free(o->spawner);
	opener_unref(o);
}

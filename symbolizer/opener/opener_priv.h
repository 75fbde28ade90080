/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Internals that opener.c (questions), opener_process.c (processes) and opener_life.c share. */
#ifndef KILN_SYMBOLIZER_OPENER_OPENER_PRIV_H
#define KILN_SYMBOLIZER_OPENER_OPENER_PRIV_H

#include <pthread.h>

#include "profiler/base/vec.h"
#include "symbolizer/opener/opener.h"
#include "symbolizer/opener/opener_wire.h"

/* The early opening, naming and the thread for tables may each ask at the same time. */
#define HANDS_MAX 3
/* File systems remembered whose server hung. Others are only waited for. */
#define STALLED_MAX OPENER_SKIP_MAX

struct hand_process {
	pthread_mutex_t lock; /* of one question; taken before the opener's lock */
	pid_t pid;	      /* 0: none */
	int sock;
	uint32_t keeper_life; /* of the keeper that it is linked to */
	char msg[WIRE_BYTES_MAX];
};

struct stalled_fs {
	uint64_t dev, since_ns;
	unsigned stalls;
};

struct opener {
	unsigned refs;
	bool ended;
	struct spawner *spawner;
	struct opener_note *notes; /* one a hand, shared with it */
	struct hand_process hands[HANDS_MAX];
	pthread_mutex_t lock; /* of all that follows */
	pid_t keeper_pid;     /* 0: none */
	int keeper_sock;
	uint32_t keeper_life;
	uint64_t next_number, first_number; /* those before the first are lost */
	VEC(pid_t) unreaped;
	VEC(struct stalled_fs) stalled;
	struct opener_stats stats;
};

/* The main function of each process, which the spawner calls. */
int opener_serve_in(void *ctx, int sock, pid_t parent);

/* With the hand's lock: makes sure that it runs, and a keeper with it. 0 or -errno. */
int opener_ensure_hand(struct opener *o, struct hand_process *h);
/* With the hand's lock: kills it. */
void opener_stop_hand(struct opener *o, struct hand_process *h);

/* With the opener's lock. Kills the keeper: all files are lost. */
void opener_stop_keeper(struct opener *o);
/* With the opener's lock. Tells the keeper something; fd: see keeper_what. 0 or -errno. */
int opener_tell_keeper(struct opener *o, enum keeper_what what, uint64_t number, uint64_t other,
		       int fd);
/* With the opener's lock. False if the keeper has ended. */
bool opener_keeper_lives(struct opener *o);
/* Waits a little for killed processes, and leaves the rest. */
void opener_reap(struct opener *o, int wait_ms);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one of the agent's processes starts with, and how it tells the supervisor about itself. */
#ifndef KILN_AGENT_ROLE_ENV_H
#define KILN_AGENT_ROLE_ENV_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/agent/control.h"

struct config;
struct metrics;

struct role_env {
	struct config *config;	 /* its own copy: the process frees it */
	int control;		 /* to the supervisor; its end is the supervisor's end */
	uint64_t beat_ns;	 /* the supervisor wants to hear so often that it lives */
	uint64_t told_ns;	 /* when it last did */
	bool is_restart;	 /* another one of its kind ran before */
	unsigned log_lines;	 /* a minute, from when it is ready */
	struct metrics *metrics; /* shared by all */
	void *prepared;		 /* by the role's prepare(), for its run() */
};

/* Has a message of the supervisor end a wait, as a signal does. 0 or -errno. */
int role_let_control_wake(const struct role_env *env);
/* None of these waits, and none fails: a supervisor that is gone shows when the next message is read. */
void role_ready(struct role_env *env);
void role_say(struct role_env *env, enum control_kind kind);
void role_failed(struct role_env *env, int err);
/* Says that the process lives, if it is time: to be called at least every beat_ns. */
void role_beat(struct role_env *env, uint64_t now_ns);

#endif

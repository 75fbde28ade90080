/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One process of the agent, as the supervisor has it. */
#ifndef KILN_AGENT_CHILD_H
#define KILN_AGENT_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "profiler/agent/control.h"
#include "profiler/agent/roles.h"

struct metrics;
struct role_env;

enum child_state {
	CHILD_OFF,	/* to be started from retry_ns on */
	CHILD_STARTING, /* runs, and has not said that it is ready */
	CHILD_READY,
	CHILD_ENDING, /* was asked to */
	CHILD_GONE,   /* for good */
};

struct child {
	const struct role *role;
	enum child_state state;
	pid_t pid;
	int control;	/* -1: it does not run */
	int err;	/* why it said that it ends */
	bool was_ready; /* once at least */
	bool has_begun; /* the process that runs or ran last was ready */
	/* CLOCK_MONOTONIC: */
	uint64_t since_ns; /* when it came into this state */
	uint64_t beat_ns;  /* when it was last heard of */
	uint64_t retry_ns;
	uint64_t backoff_ns; /* before the next start */
	uint64_t restarts;
	int env_secrets; /* borrowed: what a process that sends needs (held_secrets.h); -1: there is nothing */
};

void child_init(struct child *c, const struct role *role);
void child_set_state(struct child *c, enum child_state state);
static inline bool child_runs(const struct child *c)
{
	return c->control >= 0;
}

/* In a new process: signals, name, descriptors but keep_fd (which becomes CONFINE_FD). 0 or -errno. */
int child_begin(const char *comm, int keep_fd, pid_t parent);
/* The same, what is prepared (env may be NULL), and then privileges. 0 or -errno, said in the log. */
int child_enter(const struct role *r, const char *comm, int keep_fd, struct role_env *env,
		const struct identity *who, pid_t parent);

/* Forks it: its copy of the configuration is the one that is handed in. other: what the caller holds beside it, or
 * NULL. 0 or -errno. */
int child_start(struct child *c, struct config *config, struct config *other,
		struct metrics *metrics, const struct identity *who, uint64_t beat_ns);
/* Calls back for what it has said, for so much at most: one that was taken over may never be silent. Who sends what
 * none of ours does is killed. */
#define CHILD_HEARD_MAX 64
void child_hear(struct child *c,
		void (*take)(void *ctx, struct child *c, const struct control_msg *m), void *ctx);
/* Asks it to flush and end. */
void child_end(struct child *c);
void child_kill(struct child *c);
/* Whether it has had its time to flush: longer while it says that it lives, as the service's manager waits for 30 s. */
bool child_is_late(const struct child *c, uint64_t now_ns);
#define CHILD_END_NS	  10000000000ull /* more than FLUSH_NS */
#define CHILD_END_MOST_NS 20000000000ull
/* The caller was stopped for so long, and perhaps all were: that is no silence. */
void child_forgive(struct child *c, uint64_t late_ns, uint64_t now_ns);
/* It has ended: status as from waitpid(). */
void child_gone(struct child *c);
/* Puts off the next start: longer each time that it did not live for long. */
void child_back_off(struct child *c);
#define CHILD_BACKOFF_NS 30000000000ull /* at most */
#define CHILD_BACKOFF_REFUSED_NS                                                                   \
	300000000000ull /* ... of an optional one that does not even start */
/* The next start is due, whatever happened before. */
void child_try_soon(struct child *c);

/* "was killed by signal 9", "ended with status 1" */
const char *child_end_text(int status, char *out, size_t size);

#endif

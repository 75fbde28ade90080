/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the supervisor share. */
#ifndef KILN_AGENT_SUPERVISOR_PRIV_H
#define KILN_AGENT_SUPERVISOR_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/agent/child.h"
#include "profiler/agent/notify.h"
#include "profiler/agent/supervisor.h"
#include "profiler/base/buf.h"

enum phase { PHASE_STARTING, PHASE_RUNNING, PHASE_ENDING };

struct live {	   /* supervisor_live.c */
	int fd;	   /* the other end is the server's; -1: there is none */
	pid_t pid; /* records; 0: nobody does */
	uint64_t pause_ns, until_ns;
};

#define TRIAL_NS 5000000000ull /* reading some small files takes no time */

enum trial_result { TRIAL_NONE, TRIAL_GOOD, TRIAL_BAD };

struct trial {		       /* supervisor_trial.c */
	struct config *config; /* NULL: there is none */
	bool reads;	       /* the configuration's own files; then those that it names */
	pid_t pid;	       /* 0: it has ended */
	uint64_t until_ns;
	enum trial_result result; /* once it has ended, until reload_look() takes it */
};

struct supervisor {
	const struct supervisor_opts *opts;
	struct config *config;
	struct config *fresh; /* the configuration that processes are started with; or NULL */
	bool restarting[ROLE_COUNT]; /* for it */
	bool is_told;		     /* the sampler has it, and has not answered yet */
	struct buf changes;	     /* keys that differ in it */
	bool reload_requested;
	enum phase phase;
	size_t ending; /* index into end_order */
	int err;
	struct child children[ROLE_COUNT];
	struct identity who;
	int env_secrets;       /* held_secrets.h; -1: there are none */
	uint64_t secrets_seed; /* of the hashes of those of configurations */
	struct metrics *metrics;
	struct live live;
	struct trial trial;
	struct notifier notifier;
	int signals;
	uint64_t beat_ns, patience_ns;
	struct restart_losses losses; /* that no sampler knows of yet */
	struct sampling_status status;
	uint64_t window_ns; /* when the sampler's window began, of this sampler or the last */
	uint64_t past_stored, past_lost; /* by samplers before this one */
};

/* supervisor_live.c: profiles of now, which the server asks for. */
void live_connect(struct supervisor *s);      /* a server has started */
int live_poll_fd(const struct supervisor *s); /* readable: there is a request; or -1 */
void live_turn(struct supervisor *s, bool has_request);
bool live_ended(struct supervisor *s, pid_t pid, int status); /* whether it was one of these */
void live_end(struct supervisor *s);

/* supervisor_status.c: what the service manager is told. */
void supervisor_tell_status(struct supervisor *s);
bool supervisor_all_ready(const struct supervisor *s);
/* Says whether this host samples, when it has a configuration. */
void supervisor_say_share(const struct supervisor *s);

/* supervisor_trial.c: whether the configuration's own files answer; whether those can be read that it names, and it is
 * taken. */
void trial_read(struct supervisor *s);
void trial_begin(struct supervisor *s, struct config *fresh);
bool trial_ended(struct supervisor *s, pid_t pid, int status); /* whether it was that process */
void trial_watch(struct supervisor *s);
void trial_end(struct supervisor *s);

/*
 * supervisor_reload.c: the configuration, again. First its files are tried. Then processes that need it start anew, with s->fresh; when they are
 * ready it is taken, and the sampler told. If one does not start with it, all go back.
 */
void reload_begin(struct supervisor *s); /* or later, if this is no time for it */
bool reload_goes_on(const struct supervisor *s);
bool reload_is_under_way(const struct supervisor *s);
void reload_look(struct supervisor *s);		       /* goes on when its trial has ended */
void supervisor_remove_socket(const struct config *c); /* once no server listens on it */
void reload_take(struct supervisor *s);
void reload_refuse(struct supervisor *s);
void reload_done(struct supervisor *s,
		 int sampler_err); /* it is said, and ended: all have it but perhaps the sampler */
void reload_end(struct supervisor *s); /* the manager is told */

#endif

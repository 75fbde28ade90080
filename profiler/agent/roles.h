/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's processes: one table of what each does and may do (profiler/DESIGN.md, "Processes"). */
#ifndef KILN_AGENT_ROLES_H
#define KILN_AGENT_ROLES_H

#include <stdbool.h>

#include "profiler/agent/confine.h"

struct config;
struct config_upload;
struct role_env;

/* In the order in which they start; they end in ROLE_END_ORDER. */
enum role_id { ROLE_WRITER, ROLE_SERVER, ROLE_SAMPLER, ROLE_UPLOADER, ROLE_DEBUGINFO, ROLE_COUNT };
#define ROLE_END_ORDER                                                                             \
	{                                                                                          \
		ROLE_SAMPLER, ROLE_WRITER, ROLE_UPLOADER, ROLE_DEBUGINFO, ROLE_SERVER              \
	}

struct role {
	const char *name;		      /* for people */
	const char *comm;		      /* of the process: at most 15 bytes */
	int (*prepare)(struct role_env *env); /* what only privileges can do; or NULL */
	int (*run)(struct role_env *env);
	/* Reads what prepare() reads, and nothing else: see roles_check(). NULL: nothing. */
	int (*check)(const struct config *c, bool is_lenient);
	struct confinement limits;
	bool writes_store, reads_store; /* reaches nothing but the store's directory */
	bool uploads; /* the network and what that takes; who reads the store, cursors in it, too */
	/* Of whose destinations it needs the secrets, if it uploads; NULL: of all, and AWS's variables. */
	bool (*sends_to)(const struct config_upload *u);
	bool is_optional; /* the agent starts without it, and tries again */
	/* Whether there is something to do for it; NULL: always. */
	bool (*is_wanted)(const struct config *c);
	/* Whether it is started anew for another configuration; else it is told. */
	bool (*needs_restart)(const struct config *before, const struct config *after);
	unsigned log_lines; /* a minute, once it has started */
};

extern const struct role roles[ROLE_COUNT];

/* Of the supervisor itself; all together say LOG_LINES_MAX at most. */
#define SUPERVISOR_LOG_LINES 2
#define LOG_LINES_MAX	     11

bool role_is_wanted(const struct role *r, const struct config *c);

/*
 * Reads the files that the configuration names, as its processes will. is_lenient: what this user may not open is
 * left out. Takes as long as the files do. 0 or -errno, said in the log.
 */
int roles_check(const struct config *c, bool is_lenient);

/* All capabilities that any role keeps, and those that it takes to confine them: bits. */
uint64_t roles_caps(void);

/* In the new process: gives up what its role does not need. 0 or -errno, said in the log. */
int role_enter(const struct role *r, const struct config *c, const struct identity *who,
	       pid_t parent);

#endif

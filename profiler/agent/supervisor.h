/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The supervisor: the agent's first process. It starts the others (roles.h), watches them, starts again what
 * ends, counts that, and speaks with the service manager. It holds no samples, no store and no network. It
 * ends with SIGTERM or SIGINT, when all is stored; with SIGHUP it reads the configuration again.
 */
#ifndef KILN_AGENT_SUPERVISOR_H
#define KILN_AGENT_SUPERVISOR_H

struct config;

struct supervisor_opts {
	/* Reads the configuration again; says what is wrong with it. 0 or -errno. */
	int (*load)(void *ctx, struct config **out);
	void *load_ctx;
};

/* Runs the agent; the configuration is its own from then on. 0 when it was asked to end and everything is
 * stored; or -errno, said in the log. */
int supervise(struct config *config, const struct supervisor_opts *opts);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The always-on agent: a policy on top of the collector. Windows follow one another on the clock, each goes
 * to a sink, and memory stays flat. It ends with SIGTERM or SIGINT, and reads its configuration again with
 * SIGHUP.
 */
#ifndef KILN_AGENT_AGENT_H
#define KILN_AGENT_AGENT_H

struct config;

struct agent_opts {
	/* Reads the configuration again; says what is wrong with it. 0 or -errno. */
	int (*load)(void *ctx, struct config **out);
	void *load_ctx;
};

/* Runs it; the configuration is the agent's from then on. 0 when it was asked to end and everything is
 * stored; or -errno, said in the log. */
int agent_run(struct config *config, const struct agent_opts *opts);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sampler of the always-on agent: a policy on top of the collector. Windows follow one another on the
 * clock, each goes to the store writer (outbox.h), and memory stays flat. The supervisor tells it when to end,
 * and hands it a new configuration.
 */
#ifndef KILN_AGENT_AGENT_H
#define KILN_AGENT_AGENT_H

struct role_env;

/* 0 when it was asked to end, or the supervisor is gone, and everything is stored; or -errno, said in the
 * log. */
int agent_run(struct role_env *env);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's HTTP server as one of its processes. */
#ifndef KILN_AGENT_HTTP_ROLE_H
#define KILN_AGENT_HTTP_ROLE_H

#include <stdbool.h>

struct config;
struct role_env;

/* While privileges are there: listens, and reads the token and the certificates. 0 or -errno, said in the
 * log. */
int http_role_prepare(struct role_env *env);
/* 0 when it was asked to end, or the supervisor is gone; or -errno, said in the log. */
int http_role_run(struct role_env *env);

/* Reads the token and the certificates, as roles_check() says. */
int http_role_check(const struct config *c, bool is_lenient);

/* Whether the server has to start anew for another configuration. */
bool http_role_differs(const struct config *a, const struct config *b);

#endif

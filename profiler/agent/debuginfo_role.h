/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent's process that gives files to destinations that name frames themselves. The sampler offers them
 * (profiler/collect/file_offer.h), with descriptors that the opener has opened. It is not the uploader, because reading
 * a file may hang as long as a file server does. One file at a time, and each to one destination after the other.
 */
#ifndef KILN_AGENT_DEBUGINFO_ROLE_H
#define KILN_AGENT_DEBUGINFO_ROLE_H

#include <stdbool.h>

struct config;
struct config_upload;
struct role_env;

/* Sent by this host in a day, to all destinations together; what is beyond waits for the next day. */
#define DEBUGINFO_DAY_BYTES (4ull << 30)

bool debuginfo_role_is_wanted(const struct config *c);
/* Whether a destination wants files. */
bool debuginfo_role_sends_to(const struct config_upload *u);
/* As upload_role_prepare(), for destinations that want files. */
int debuginfo_role_prepare(struct role_env *env);
/* 0 when it was asked to end, or the supervisor is gone; or -errno, said in the log. */
int debuginfo_role_run(struct role_env *env);

#endif

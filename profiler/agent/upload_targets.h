/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The destinations of the configuration, made while a process has the privileges to read their secrets. */
#ifndef KILN_AGENT_UPLOAD_TARGETS_H
#define KILN_AGENT_UPLOAD_TARGETS_H

#include <stdbool.h>

#include "profiler/agent/config_schema.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/why.h"

struct net;
struct role_env;
struct upload_target;

struct upload_targets {
	struct net *net;
	struct upload_target
		*v[CONFIG_MAX_UPLOADS]; /* as in the configuration; NULL: wrong, or not wanted */
};

/* One destination, with its secrets. 0 or -errno with a sentence. */
int upload_targets_make(struct upload_target **out, const struct config_upload *u, struct why *why);

/* Loads libcurl, and makes those that are wanted. One of which that fails is left out; with `is_said` the log says so.
 * The process cannot be dumped or traced by its user from then on. 0 or -errno, said in the log. */
int upload_targets_prepare(struct upload_targets **out, const struct config *c,
			   bool (*is_wanted)(const struct config_upload *u), bool is_said);
void upload_targets_free(struct upload_targets *t);
DEFINE_CLEANUP(upload_targets, upload_targets_free)

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's uploader as one of its processes. */
#ifndef KILN_AGENT_UPLOAD_ROLE_H
#define KILN_AGENT_UPLOAD_ROLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/why.h"

struct config;
struct config_upload;
struct role_env;

/* While privileges are there: loads libcurl, and reads secrets and certificates. A destination of which that fails
 * is left out, and said. 0 or -errno, said in the log. */
int upload_role_prepare(struct role_env *env);
/* 0 when it was asked to end, or the supervisor is gone; or -errno, said in the log. */
int upload_role_run(struct role_env *env);

bool upload_role_is_wanted(const struct config *c);
/* Whether the uploader has to start anew for another configuration. */
bool upload_role_differs(const struct config *a, const struct config *b);
/* The directory of its cursors. 0 or -ENAMETOOLONG. */
int upload_role_dir(const struct config *c, char *out, size_t size);

/* Reads the files of all destinations, as roles_check() says. */
int upload_role_check_files(const struct config *c, bool is_lenient);

/* For kiln agent --check-upload: 0 if the destination takes a profile, else -errno; with a sentence either way. */
int upload_role_check(const struct config_upload *u, uint64_t frequency_hz, struct why *answer);

#endif

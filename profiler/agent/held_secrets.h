/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Secrets of destinations in the supervisor, which needs none: values of headers, and AWS's variables. They are in
 * files in memory that it does not map. A process that sends reads them when it begins.
 */
#ifndef KILN_AGENT_HELD_SECRETS_H
#define KILN_AGENT_HELD_SECRETS_H

#include <stdbool.h>
#include <stdint.h>

struct config;
struct config_upload;

/* Moves the values of headers into a file of the configuration. Their hashes with that seed are in their places, so
 * that two configurations can be compared. 0; -errno: some are still where they were, and all else works. */
int held_secrets_put(struct config *c, uint64_t seed);
/* In a new process: brings them back for those destinations (NULL: for all), overwrites the others, and closes the
 * file. A configuration of which nothing was moved stays as it is. 0 or -errno. */
int held_secrets_get(struct config *c, bool (*wants)(const struct config_upload *u));

/* The same for AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, which stay readable in
 * /proc/PID/environ if they are not overwritten. *fd is -1 if none is set. */
int held_secrets_put_env(int *fd);
int held_secrets_get_env(int fd);

#endif

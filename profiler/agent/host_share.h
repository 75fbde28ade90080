/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether this host is one of the share that samples (sampling.hosts). Each host has a place between 0 and 1 that
 * follows from its names alone, and samples if its place is below the share. So it stays the same over restarts, and a
 * larger share has all hosts of a smaller one.
 */
#ifndef KILN_AGENT_HOST_SHARE_H
#define KILN_AGENT_HOST_SHARE_H

#include <stdbool.h>
#include <stdint.h>

struct buf;
struct config;

#define HOST_SHARE_ALL 1000000 /* ppm */

/* In ppm, below HOST_SHARE_ALL: of a machine id (as in /etc/machine-id; "": none) and a host's name. */
uint64_t host_share_place(const char *machine_id, const char *host);

/* Of this host. */
bool host_is_sampled(const struct config *c);
/* Appends a sentence about this host's place; nothing where all hosts sample. As host_is_sampled(). */
bool host_share_say(struct buf *out, const struct config *c);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sampler's way to the process that gives files to stores (debuginfo_role.h), which outlives a collector. */
#ifndef KILN_AGENT_OFFERS_H
#define KILN_AGENT_OFFERS_H

#include <stdbool.h>

#include "profiler/collect/file_offers.h"

struct collector;
struct config;
struct metrics;

struct offers {
	int sock;		       /* -1: nobody wants files */
	bool others;		       /* those of users are wanted, too */
	struct file_offers_stats told; /* to the metrics */
};
#define OFFERS_NONE ((struct offers){.sock = -1})

/* Takes the socket, and tells the collector. */
void offers_take(struct offers *o, int sock, struct collector *c, const struct config *config);
/* Tells a collector that is new. */
void offers_connect(struct offers *o, struct collector *c, const struct config *config);
/* Tells it what another configuration wants, if that is something else. */
void offers_reload(struct offers *o, struct collector *c, const struct config *config);
/* Adds what the collector has counted since the last time. c may be NULL. */
void offers_count(struct offers *o, struct metrics *m, const struct collector *c);
void offers_release(struct offers *o);

#endif

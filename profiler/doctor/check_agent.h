/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of the check of an installed agent, which check_agent() puts together. Each adds findings. */
#ifndef KILN_DOCTOR_CHECK_AGENT_H
#define KILN_DOCTOR_CHECK_AGENT_H

#include <stdbool.h>
#include <stdint.h>

struct agent_unit;
struct config;
struct doctor;

/* Whether it runs, and will after the next boot. */
/* Where systemd knows of no unit: `installed` says that its file is there. */
void check_agent_absent(struct doctor *d, bool installed, int err);
void check_agent_unit(struct doctor *d, const struct agent_unit *u);
/* Whether it may do what it needs. */
void check_agent_caps(struct doctor *d, const struct agent_unit *u);
/* Reads the configuration at a path (NULL: the default one) and gives it to the caller, or NULL. */
struct config *check_agent_config(struct doctor *d, const char *path);
/* Whether the unit's user can write to the store, and who can read it. */
void check_agent_store(struct doctor *d, const struct agent_unit *u, const char *path);
/* How long ago the last window began. */
void check_agent_windows(struct doctor *d, const struct agent_unit *u, const char *path,
			 uint64_t window_ns, int64_t now_ns);

/* Of each destination: what it answered last, and what waits for it. */
void check_agent_delivery(struct doctor *d, const struct agent_unit *u, const struct config *config,
			  int64_t now_ns);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's unit, as systemd sees it: with drop-ins. */
#ifndef KILN_DOCTOR_AGENT_UNIT_H
#define KILN_DOCTOR_AGENT_UNIT_H

#include <stdbool.h>
#include <stdint.h>

#define AGENT_UNIT "kiln-agent.service"

struct agent_unit {
	char load[32];	  /* "loaded", "not-found", "masked"; "" without systemd */
	char active[32];  /* "active", "failed", "inactive", ... */
	char enabled[32]; /* "enabled", "disabled", ... */
	char result[32];  /* of its last end: "success", "watchdog", ... */
	char status[160]; /* what the agent says of itself */
	char user[64];	  /* "": root */
	uint64_t restarts;
	/* Masks of capabilities that kiln knows (CAP_MASK()). */
	uint64_t ambient, bounding;
};

/* Reads what `systemctl show` prints: "Key=value" lines. Other keys are skipped. */
void agent_unit_parse(struct agent_unit *u, const char *text);
/* Asks systemd. Without systemd, u->load is "". 0 or -errno. */
int agent_unit_ask(struct agent_unit *u);

static inline bool agent_unit_is_there(const struct agent_unit *u)
{
	return u->load[0] && __builtin_strcmp(u->load, "not-found");
}

#endif

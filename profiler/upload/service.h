/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whose samples these are. The agent chose a service_name for all of its samples (profiler/agent/labels.h). Where
 * samples have none, as in a file that another program wrote, it is the first of these labels that there is:
 *
 *	1. service_name
 *	2. container_name, else pod
 *	3. unit, but session-*.scope and user@*.service: those are logins, not services
 *	4. the last part of executable
 *	5. comm
 *
 * Otherwise it is SERVICE_UNKNOWN: so it is for losses, which are nobody's.
 */
#ifndef KILN_UPLOAD_SERVICE_H
#define KILN_UPLOAD_SERVICE_H

#include <stdint.h>

struct profile;

#define SERVICE_UNKNOWN "unknown_service" /* as OpenTelemetry and Pyroscope call it */

/* Borrowed from the profile; never empty. preset: where there is no service_name; NULL or "": none. */
const char *service_name(const struct profile *p, uint32_t labelset, const char *preset);

#endif

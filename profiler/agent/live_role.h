/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers one request for a live profile (profiler/http/live.h), in a process of its own. */
#ifndef KILN_AGENT_LIVE_ROLE_H
#define KILN_AGENT_LIVE_ROLE_H

/* Takes a request from the socket, records, and answers. 0, or -errno if it could not even answer. */
int live_role_run(int fd);

#endif

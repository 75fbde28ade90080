/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What systemd, or another service manager, is told: the protocol of sd_notify(3), a datagram each. */
#ifndef KILN_AGENT_NOTIFY_H
#define KILN_AGENT_NOTIFY_H

#include <stdint.h>

struct notifier {
	int fd;		      /* -1: nobody wants to know */
	uint64_t watchdog_ns; /* the manager wants to hear so often; 0: it does not */
	uint64_t told_ns;     /* when it last did */
};

/* From NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. 0, or -errno: there is a socket, but it does not
 * work; then n can be used all the same. */
int notify_open(struct notifier *n);
void notify_close(struct notifier *n);

/* "READY=1\nSTATUS=...". Never waits: what the manager has no room for is dropped. */
void notify_send(struct notifier *n, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Says that we live, if it is time: call it at least four times in watchdog_ns. now_ns: CLOCK_MONOTONIC. */
void notify_watchdog(struct notifier *n, uint64_t now_ns);

#endif

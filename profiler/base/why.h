/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A sentence for people, without a full stop: what went wrong and, where there is one, the cure. */
#ifndef KILN_BASE_WHY_H
#define KILN_BASE_WHY_H

struct why {
	char text[600];
};

/* Sets it and returns err, so that a failure is one line. why may be NULL. */
__attribute__((format(printf, 3, 4))) int why_say(struct why *why, int err, const char *fmt, ...);

#endif

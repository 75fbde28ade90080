/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a cure would repair: shares of a profile's samples, by blamed binary. */
#ifndef KILN_PROFILE_BLAME_SHARES_H
#define KILN_PROFILE_BLAME_SHARES_H

#include <stdbool.h>
#include <stdint.h>

struct interpreter;
struct profile;
struct profile_location;
struct quality;

/* Below this share of samples no cure is worth a line. */
#define BLAME_WORTH 0.03

struct blame_share {	/* of all samples of the profile, 0 to 1 */
	double unnamed; /* a frame in the binary has no name */
	double hidden; /* its interpreter's loop stands for functions that the stack does not have */
};

/* Fills shares[] for the rows of q->blame, at most QUALITY_MAX_BLAME. 0 or -ENOMEM. */
int blame_shares(const struct profile *p, const struct quality *q, struct blame_share *shares);

/* The interpreter whose loop a location is, or NULL; guessed: it has no name, and its file is such an interpreter's. */
const struct interpreter *blame_loop(const struct profile *p, const struct profile_location *l,
				     bool *guessed);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Blame of interpreters, whose loops hide the functions that they run. */
#ifndef KILN_PROFILE_BLAME_INTERPRETERS_H
#define KILN_PROFILE_BLAME_INTERPRETERS_H

struct profile;
struct quality;

/*
 * Adds a hint to the blame of each module whose loop hides functions in a share of a profile's
 * samples that is worth it (BLAME_WORTH), with a row of its own if it has none. 0 or -ENOMEM.
 */
int blame_interpreters(const struct profile *p, struct quality *q);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sums in numbers of a dictionary as samples of a profile. */
#ifndef KILN_STORE_UNFOLD_H
#define KILN_STORE_UNFOLD_H

struct dict;
struct profile;
struct sums;

/* Adds them, with what they refer to; the profile has its sample types. Sums are joined (sums_join()). 0
 * or -ENOMEM. */
int unfold(struct profile *to, const struct dict *d, const struct sums *sums);

#endif

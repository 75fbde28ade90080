/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Windows of a stored segment added up in numbers of a dictionary in memory: only what the wanted
 * samples refer to is read, and no value is lost to what is damaged (profiler/store/resolve.h). */
#ifndef KILN_STORE_RESTORE_H
#define KILN_STORE_RESTORE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/cleanup.h"
#include "profiler/profile/quality.h"
#include "profiler/store/kind.h"
#include "profiler/store/labelsets.h"
#include "profiler/store/reader.h"

struct dict;
struct restorer;
struct sums;

struct restore_opts { /* borrowed */
	/* Of which samples. Those that `drops` leaves out are filtered in the quality, no longer recorded. */
	struct labelsets_opts labels;
	bool without_stacks;
};

/* Both stay the caller's. 0 or -ENOMEM. */
int restorer_new(struct restorer **out, struct reader *from, struct dict *to,
		 const struct restore_opts *opts);
/* `from` has more than it had. 0 or -ENOMEM. */
int restorer_grow(struct restorer *r);
void restorer_free(struct restorer *r);
DEFINE_CLEANUP(restorer, restorer_free)

/* Adds the window that reader_next() has just given, and its quality (of the whole window) into *q. All
 * windows of one *sums have the same number of sample types. 0 or -errno. */
int restorer_add(struct restorer *r, const struct window_row *w, struct sums *sums,
		 struct quality *q);
/* What the values of a kind of window are. 0 or -ENOMEM. */
int restorer_kind(struct restorer *r, int64_t kind, struct kind_info *out);
/* Whether samples of this label set of the segment are wanted: 1, 0, or -ENOMEM. */
int restorer_wants(struct restorer *r, uint32_t labelset);
/* How many samples `drops` has left out so far. */
uint64_t restorer_removed(const struct restorer *r);

#endif

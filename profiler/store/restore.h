/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Windows of a segment back into a profile. Only what the wanted samples refer to is read. What is
 * damaged is a frame that says so: no value is lost to it.
 */
#ifndef KILN_STORE_RESTORE_H
#define KILN_STORE_RESTORE_H

#include <stdint.h>

#include "profiler/profile/quality.h"
#include "profiler/store/reader.h"

struct profile;
struct restorer;
struct where;

/* Frames, in MAPPING_KILN, for what cannot be read any more. */
#define FRAME_DAMAGED_STACK "[stack damaged on disk]"
#define FRAME_DAMAGED_FRAME "[frame damaged on disk]"
#define FRAME_DAMAGED_NAME  "[name damaged on disk]"
/* The label of samples whose own labels are. */
#define LABEL_DAMAGED	    "damaged"
#define LABEL_DAMAGED_VALUE "labels"

struct restore_opts {		    /* borrowed */
	const struct where *where;  /* samples whose labels match; NULL: all */
	const char *const *without; /* keys of labels that are left out, NULL-terminated; or NULL */
};

/* Both stay the caller's. 0 or -ENOMEM. */
int restorer_new(struct restorer **out, struct reader *from, struct profile *to,
		 const struct restore_opts *opts);
void restorer_free(struct restorer *r);

static inline void restorer_freep(struct restorer **r)
{
	restorer_free(*r);
}

/*
 * Adds the window that reader_next() has just given, and its quality (of the whole window) into *q.
 * -EINVAL with *why: its samples are of other types; or another -errno.
 */
int restorer_add(struct restorer *r, const struct window_row *w, struct quality *q,
		 const char **why);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* LLVM's sample profile, by which compilers optimise. */
#ifndef KILN_FORMATS_AUTOFDO_H
#define KILN_FORMATS_AUTOFDO_H

#include "profiler/base/buf.h"
#include "profiler/profile/profile.h"

/* What became of the samples, in microseconds of CPU time. */
struct autofdo_result {
	uint32_t file;	     /* string of the profile: the program or library it is of */
	int64_t all, placed; /* of the whole profile; of this, in lines of that file */
	size_t functions;
};

/*
 * Appends the profile of the one file that most samples with a line were taken in: names of
 * functions mean something within a file only. Lines should have their discriminators
 * (rename_opts). 0, -ENODATA (no sample has a line in a function that begins on a known line) or
 * -ENOMEM.
 */
int export_autofdo(struct buf *out, const struct profile *p, struct autofdo_result *result);

#endif

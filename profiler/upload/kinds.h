/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of kinds, by the scheme of a URL. */
#ifndef KILN_UPLOAD_KINDS_H
#define KILN_UPLOAD_KINDS_H

#include "profiler/upload/kind.h"

struct upload_scheme {
	const char *name; /* "s3+https" */
	const char *net;  /* "https" */
	const struct upload_kind *kind;
};

/* Ends with a name that is NULL. */
extern const struct upload_scheme upload_schemes[];

/* Appends their names: "pyroscope+http, pyroscope+https, ...". */
void upload_schemes_say(struct buf *out);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A window as a profile store wants it: a profile for each set of series labels, each below the store's limits.
 * What is cut is marked where it was cut, and values are never lost. Samples have no labels, and those of equal stacks
 * become one. Comments stay behind: they are of the window as a whole.
 *
 * A service_name is always there: service.h says which.
 */
#ifndef KILN_UPLOAD_SERIES_H
#define KILN_UPLOAD_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buf.h"
#include "profiler/base/vec.h"

struct profile;

#define SERIES_LABEL_SERVICE "service_name"
#define SERIES_LABEL_HOST    "host"

/* Caps that every store takes: Pyroscope's are 30 labels with those that it adds itself, 1024 and 2048 bytes. A
 * value that is cut ends with "...". Of two labels with one name the first in opts->labels counts. */
#define SERIES_MAX_LABELS 20
#define SERIES_MAX_NAME	  1024
#define SERIES_MAX_VALUE  2048

struct series_opts {
	/* Labels with a string value that become labels of the series; NULL-terminated, the first
	 * SERIES_MAX_LABELS count. NULL: UPLOAD_SERIES_LABELS. */
	const char *const *labels;
	const char *service; /* where samples have no service_name; NULL: not known */
	const char *host;    /* the label "host" where a sample has none; NULL: not known */
	/* Limits of one profile; 0: none. A profile over them is split, by samples. */
	size_t max_samples;
	size_t max_bytes; /* of its pprof, uncompressed */
	size_t max_depth; /* frames of a stack: cut at its root, where FRAME_TRUNCATED stands then */
	/* Each frame has a name: "[libx.so]+0x12" where nothing better is known. */
	bool name_all;
	/* No functions of frames in a file with a build id: who gets them names those by build id and address. The
	 * kernel's, JIT code's and those without an address stay. name_all names none of those that go. */
	bool without_names;
};

/* Labels that become labels of the series, as far as a window has them. Few values, and known beforehand. */
#define UPLOAD_SERIES_LABELS                                                                       \
	{                                                                                          \
		"service_name", "host", "namespace", "pod", "container_name", "container", "unit", \
			"comm", NULL                                                               \
	}

/* Labels beside those that leave room for all of them and for a host. */
#define SERIES_MAX_MORE 11

struct series_label {
	char *name, *value; /* name: [a-zA-Z_][a-zA-Z0-9_]*, without "__" at its beginning; value:
			       clean UTF-8, not empty */
};

struct series_labels {
	VEC(struct series_label) v; /* by name, each once; service_name is always there */
};

struct series {
	const struct series_labels *labels;
	const struct buf *raw; /* its profile, as pprof */
	uint64_t samples;      /* the sum of the first type's values */
};

/* Gets each series, by labels; of one that was split, its parts one after the other. What it points to is good for
 * this call. What it returns besides 0 ends the division. */
typedef int (*series_take_fn)(void *ctx, const struct series *s);

/* Types of values are [a-zA-Z0-9_]*, too. 0, -EFBIG (one sample is larger than max_bytes), -ENOMEM, or what take()
 * returned. */
int series_split(const struct profile *p, const struct series_opts *o, series_take_fn take,
		 void *ctx);

/* Appends a name that the stores take: [a-zA-Z0-9_]*, and a letter or "_" first. */
void series_add_name(struct buf *b, const char *name);

#endif

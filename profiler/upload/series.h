/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A window as a profile store wants it: a profile for each set of series labels, each below the store's limits.
 * What is left out or cut is marked in the profile itself; values are never lost.
 */
#ifndef KILN_UPLOAD_SERIES_H
#define KILN_UPLOAD_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/vec.h"

struct profile;

struct series_opts {
	/* Labels with a string value that become labels of the series; NULL-terminated. Others with a string
	 * value are left out of the samples. NULL: UPLOAD_SERIES_LABELS. */
	const char *const *labels;
	/* Numeric labels that stay in samples (pid, thread_id); NULL: both. Those left out make equal samples
	 * one. */
	const char *const *numbers;
	/* "service_name" where a sample has none. */
	const char *service;
	/* Limits of one profile; 0: none. A profile over them is split, by samples. */
	size_t max_samples;
	size_t max_bytes; /* of its pprof, uncompressed */
	size_t max_depth; /* frames of a stack: cut at its root, where FRAME_TRUNCATED stands then */
	/* Each frame has a name: "[libx.so]+0x12" where nothing better is known. */
	bool name_all;
	/* No functions, for who names them by build id and address; the kernel's and JIT code's stay. */
	bool without_names;
};

/* Labels that become labels of the series, as far as a window has them. Few values, and known beforehand. */
#define UPLOAD_SERIES_LABELS                                                                       \
	{                                                                                          \
		"service_name", "host", "namespace", "pod", "container_name", "container", "unit", \
			"comm", NULL                                                               \
	}

struct series_label {
	char *name, *value; /* name: [a-zA-Z_][a-zA-Z0-9_]*; value: clean UTF-8, not empty */
};

struct series {
	VEC(struct series_label) labels; /* by name, each once; service_name is always there */
	struct profile *profile;
};

struct series_list {
	VEC(struct series) v; /* by labels */
};

/* The profile is the caller's. 0, -EFBIG (one sample is larger than max_bytes), or -ENOMEM. */
int series_split(const struct profile *p, const struct series_opts *o, struct series_list *out);
void series_list_release(struct series_list *l);

#endif
